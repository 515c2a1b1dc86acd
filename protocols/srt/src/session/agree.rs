//! What two ends agree on: the extensions of a conclusion, offered, answered and judged (section 4.3).

use super::connection::Agreed;
use crate::crypto::{Crypto, KeyError, KeyLength};
use crate::handshake::{Extensions, Handshake, Hello, Kind, SRT_VERSION, flags};
use crate::options::Options;
use crate::reject::Reject;
use crate::sequence::Sequence;
use rand::rngs::StdRng;
use std::time::{Duration, Instant};

/// The MTU that everybody has.
pub(crate) const MTU: u32 = 1_500;

/// The least that can carry a handshake and a TS packet.
const MIN_MTU: u32 = 300;

/// What this end says of itself in a handshake.
pub(crate) fn hello(
    options: &Options,
    kind: Kind,
    socket: u32,
    cookie: u32,
    initial: Sequence,
) -> Handshake {
    Handshake {
        version: 5,
        encryption: options.key_length.map_or(0, KeyLength::field),
        extension: 0,
        initial,
        mtu: MTU,
        window: u32::try_from(options.receive_buffer).unwrap_or(u32::MAX),
        kind,
        socket,
        cookie,
        address: [0; 16],
        extensions: Extensions::default(),
    }
}

/// The initiator's extensions, and the keys they carry.
pub(crate) fn offer(
    options: &Options,
    advertised: u16,
    random: &mut StdRng,
) -> (Extensions, Option<Crypto>) {
    let latency = options.latency_ms();
    let length = options
        .key_length
        .or_else(|| KeyLength::from_field(advertised))
        .unwrap_or(KeyLength::Aes128);
    let secret = options.passphrase.as_ref();
    let keys = secret.and_then(|secret| Crypto::initiate(secret, length, options, random));
    let (crypto, key_material) = keys.unzip();
    let extensions = Extensions {
        hello: Some(Hello {
            response: false,
            version: SRT_VERSION,
            flags: flags::OURS,
            latency: (latency, latency),
        }),
        key_material,
        stream_id: (!options.stream_id.is_empty()).then(|| options.stream_id.clone()),
        ..Extensions::default()
    };
    (extensions, crypto)
}

/// What stands between an initiator and a connection, without looking at its keys.
pub(crate) fn judge(request: &Handshake) -> Option<Reject> {
    if request.version < 5 {
        return Some(Reject::VERSION);
    }
    let sane = request.mtu >= MIN_MTU && request.window > 0 && request.socket != 0;
    if request.version > 5 || !sane || request.extensions.hello.is_none_or(|hello| hello.response) {
        return Some(Reject::ROGUE);
    }
    request.extensions.refused()
}

/// The responder's answer to an initiator: extensions, and what was agreed.
pub(crate) fn answer(
    request: &Handshake,
    options: &Options,
    at: (Instant, u32),
) -> Result<(Extensions, Agreed), Reject> {
    if let Some(reject) = judge(request) {
        return Err(reject);
    }
    let theirs = request.extensions.hello.ok_or(Reject::ROGUE)?;
    let message = request.extensions.key_material.as_deref();
    let crypto = match (&options.passphrase, message) {
        (None, None) => None,
        (Some(secret), Some(message)) => {
            Some(Crypto::respond(secret, message, options).map_err(reject)?)
        }
        _ => return Err(Reject::UNSECURE),
    };
    // The greater of what one wants to receive with and the other to send with (section 4.4).
    let own = options.latency_ms();
    let (receive, send) = (own.max(theirs.latency.1), own.max(theirs.latency.0));
    let extensions = Extensions {
        hello: Some(Hello {
            response: true,
            version: SRT_VERSION,
            flags: flags::OURS,
            latency: (receive, send),
        }),
        key_material: crypto.as_ref().and(message).map(<[u8]>::to_vec),
        key_response: true,
        ..Extensions::default()
    };
    Ok((extensions, agreed(request, crypto, (receive, send), at)))
}

/// What the responder's answer makes of the initiator's offer.
pub(crate) fn accept(
    response: &Handshake,
    crypto: Option<Crypto>,
    options: &Options,
    at: (Instant, u32),
) -> Result<Agreed, Reject> {
    let extensions = &response.extensions;
    let theirs = extensions
        .hello
        .filter(|hello| hello.response)
        .ok_or(Reject::ROGUE)?;
    if response.mtu < MIN_MTU || response.socket == 0 {
        return Err(Reject::ROGUE);
    }
    match (&crypto, extensions.key_material.as_deref()) {
        (None, None) => {}
        (Some(_), Some([0, 0, 0, 4])) => return Err(Reject::BAD_SECRET),
        (Some(_), Some([0, 0, 0, 5])) => return Err(Reject::CRYPTO),
        (Some(_), Some(message)) if message.len() > 4 => {}
        _ => return Err(Reject::UNSECURE),
    }
    let own = options.latency_ms();
    let latency = (own.max(theirs.latency.1), own.max(theirs.latency.0));
    Ok(agreed(response, crypto, latency, at))
}

fn agreed(
    peer: &Handshake,
    crypto: Option<Crypto>,
    latency: (u16, u16),
    at: (Instant, u32),
) -> Agreed {
    Agreed {
        peer: peer.socket,
        initial: peer.initial,
        mtu: peer.mtu.min(MTU),
        window: peer.window,
        receive_latency: Duration::from_millis(latency.0.into()),
        send_latency: Duration::from_millis(latency.1.into()),
        crypto,
        at,
    }
}

fn reject(error: KeyError) -> Reject {
    match error {
        KeyError::Malformed => Reject::ROGUE,
        KeyError::Cipher => Reject::CRYPTO,
        KeyError::Secret => Reject::BAD_SECRET,
    }
}
