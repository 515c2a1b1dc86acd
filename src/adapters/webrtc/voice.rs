//! Who talks to a camera: a session as a publisher's, of sound alone, in the one form that the camera takes or that can be
//! made of it.

use super::http::{SDP, config, etag, secret, status};
use super::ingest::Ingest;
use super::router::Home;
use super::sink::Sink;
use super::{Running, WebRtc, ice_servers, whip};
use crate::adapters::{Call, Microphone, TalkError};
use axum::http::{HeaderMap, HeaderValue, header};
use media::Codec;
use media::codec::g711::Law;
use std::time::Instant;
use tokio::sync::mpsc;
use webrtc::{Session, VoiceFormat};

/// Pieces of sound of 20 ms that wait for who listens; more are dropped.
const WAITING: usize = 50;

/// Begins to listen.
pub(super) fn listen(
    adapter: &WebRtc,
    running: &Running,
    call: Call<'_>,
    takes: &Codec,
) -> Result<Microphone, TalkError> {
    let voice = match takes {
        Codec::G711 { law: Law::Mu, .. } => VoiceFormat::Pcmu,
        Codec::G711 { law: Law::A, .. } => VoiceFormat::Pcma,
        // Of which all else is made.
        _ => VoiceFormat::Opus,
    };
    let Call {
        name,
        offer,
        headers,
        peer,
    } = call;
    let config = config(adapter, running, headers, peer);
    let session = Session::listen(offer, voice, &config, Instant::now());
    let (session, answer) =
        session.map_err(|error| TalkError::Offer(status(&error), error.to_string()))?;
    let (inbox, messages) = mpsc::channel(whip::QUEUE);
    let home = Home {
        ufrag: session.ufrag().into(),
        inbox,
    };
    let secret = secret();
    if !running.router.add(&secret, name, &home) {
        let words = "there are as many WebRTC sessions as there may be";
        return Err(TalkError::Busy(words.to_owned()));
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    headers.extend(HeaderValue::try_from(etag(&home, 0)).map(|tag| (header::ETAG, tag)));
    ice_servers::link(&adapter.settings.get().ice_servers, &mut headers);
    tracing::info!(stream = %name, %peer, session = &*home.ufrag, "talking to the camera by WebRTC");
    let (to, sound) = mpsc::channel(WAITING);
    let sink = Sink::Voice(name.clone(), to);
    let ingest = Ingest::new(session, sink, running, (secret.clone(), home), None);
    tokio::spawn(ingest.run(messages));
    Ok(Microphone {
        answer,
        headers,
        secret,
        sound,
    })
}
