//! The DTLS handshake, which gives both ends the keys of SRTP (RFC 5764): as the server, or as the client of who waits.
//!
//! The handshake itself is `rtc-dtls`'s. Here stands what has to be added: for a server the choice of the strongest
//! protection profile the client offers (the library would take the client's first), the comparison of the
//! peer's certificate with its description, and a bound on everything that a peer can make it keep or do.

mod hello;
mod seen;

use crate::certificate::{Certificate, fingerprint};
use crate::srtp::{KeyingMaterial, Profile};
use bytes::BytesMut;
use hello::{Gathered, Hello};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error;
use seen::Seen;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Instant;

/// The label under which the keys are exported (RFC 5764 section 4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";

/// Bytes and datagrams that are looked at before the handshake is over, repetitions included. The library
/// keeps all it gets and joins fragments by recursion, so that this bounds its memory, its time and its
/// stack; a handshake with every flight repeated three times takes a third of it.
const MAX_HANDSHAKE: Budget = Budget {
    bytes: 48 * 1_024,
    datagrams: 64,
};

/// The same afterwards, when only a repeated last flight and alerts can come.
const MAX_AFTERWARDS: Budget = Budget {
    bytes: 16 * 1_024,
    datagrams: 32,
};

/// Most handshake messages, or fragments of them, in one datagram.
const MAX_FRAGMENTS: usize = 16;

/// Stands for the peer towards the library, so that a handshake survives a change of the path.
pub(crate) const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9));

#[derive(Clone, Copy)]
struct Budget {
    bytes: usize,
    datagrams: usize,
}

impl Budget {
    /// Takes a datagram's part, if there is room.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.bytes.checked_sub(bytes);
        let (Some(bytes), Some(datagrams)) = (left, self.datagrams.checked_sub(1)) else {
            return false;
        };
        *self = Self { bytes, datagrams };
        true
    }
}

/// What a datagram led to.
pub(crate) enum Progress {
    /// Nothing yet, or nothing any more.
    Waiting,
    /// The handshake is over, and the peer is who the offer says.
    Connected(KeyingMaterial),
    /// The peer said goodbye.
    Closed,
}

/// Why there will be no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DtlsError {
    #[error("the peer offers no SRTP protection profile that is known here")]
    NoProfile,
    #[error("the peer's certificate is not the one that it has named")]
    Fingerprint,
    #[error("{0}")]
    Handshake(String),
}

/// One handshake.
pub(crate) struct Dtls {
    certificate: Certificate,
    /// SHA-256 of the peer's certificate, in upper case.
    expected: String,
    state: State,
    budget: Budget,
    seen: Seen,
}

enum State {
    /// Of a client, until the peer can be reached.
    Idle,
    /// Until the client has said all it offers.
    Hello(Hello),
    /// With the profile that a server has chosen.
    Handshake(Box<Endpoint>, Option<Profile>),
    Connected(Box<Endpoint>),
    Failed,
}

impl Dtls {
    /// The server for a peer whose certificate has this fingerprint (SHA-256, upper case, colons).
    pub(crate) fn server(certificate: Certificate, fingerprint: &str) -> Self {
        Self {
            certificate,
            expected: fingerprint.to_owned(),
            state: State::Hello(Hello::default()),
            budget: MAX_HANDSHAKE,
            seen: Seen::default(),
        }
    }

    /// The client of such a peer, which has to [`begin`](Self::begin).
    pub(crate) fn client(certificate: Certificate, fingerprint: &str) -> Self {
        Self {
            state: State::Idle,
            ..Self::server(certificate, fingerprint)
        }
    }

    /// Whether it is a client that has not begun.
    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Begins as the client, once the peer can be reached.
    pub(crate) fn begin(&mut self, now: Instant) -> Result<(), DtlsError> {
        if !self.is_idle() {
            return Ok(());
        }
        let failed = |error: Error| DtlsError::Handshake(error.to_string());
        let mut endpoint = Endpoint::new(PEER, TransportProtocol::UDP, None);
        let config = self.certificate.client_handshake();
        let begun = endpoint.connect(now, PEER, config, None);
        self.state = State::Handshake(Box::new(endpoint), None);
        begun.map_err(failed)
    }

    /// Takes a datagram.
    pub(crate) fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<Progress, DtlsError> {
        let whole = hello::fragments(datagram).is_some_and(|count| count <= MAX_FRAGMENTS);
        if !whole || !self.budget.take(datagram.len()) {
            return Ok(Progress::Waiting);
        }
        match &mut self.state {
            State::Hello(hello) => match hello.push(datagram) {
                Gathered::Not => Ok(Progress::Waiting),
                Gathered::Offered(profiles) => {
                    let datagrams = std::mem::take(hello).into_datagrams();
                    self.start(now, &profiles, datagrams)
                }
            },
            _ => self.read(now, datagram),
        }
    }

    /// The best profile of those offered decides what the handshake runs with.
    fn start(
        &mut self,
        now: Instant,
        offered: &[u16],
        datagrams: Vec<Vec<u8>>,
    ) -> Result<Progress, DtlsError> {
        let mut ours = [Profile::AeadAes128Gcm, Profile::Aes128CmSha1].into_iter();
        let profile = ours.find(|profile| offered.contains(&profile.id()));
        let Some(profile) = profile else {
            self.state = State::Failed;
            return Err(DtlsError::NoProfile);
        };
        let config = self.certificate.handshake(profile);
        let endpoint = Endpoint::new(PEER, TransportProtocol::UDP, Some(config));
        self.state = State::Handshake(Box::new(endpoint), Some(profile));
        for datagram in datagrams {
            self.read(now, &datagram)?;
        }
        Ok(Progress::Waiting)
    }

    fn read(&mut self, now: Instant, datagram: &[u8]) -> Result<Progress, DtlsError> {
        // Afterwards it has the last flight repeated.
        if matches!(self.state, State::Handshake(..)) && self.seen.has(datagram) {
            return Ok(Progress::Waiting);
        }
        let (State::Handshake(endpoint, _) | State::Connected(endpoint)) = &mut self.state else {
            return Ok(Progress::Waiting);
        };
        let events = match endpoint.read(now, PEER, None, BytesMut::from(datagram)) {
            Ok(events) => events,
            // A datagram that cannot be read may be anybody's; an alert ends the handshake.
            Err(Error::ErrAlertFatalOrClose) => {
                let closed = matches!(self.state, State::Connected(_));
                return if closed {
                    Ok(Progress::Closed)
                } else {
                    Err(DtlsError::Handshake(
                        "the peer ended the handshake".to_owned(),
                    ))
                };
            }
            Err(_) => return Ok(Progress::Waiting),
        };
        self.seen.note(datagram);
        let mut progress = Progress::Waiting;
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    progress = Progress::Connected(self.complete()?);
                }
                EndpointEvent::PeerClosed => progress = Progress::Closed,
                _ => {}
            }
        }
        Ok(progress)
    }

    /// Compares the peer's certificate with what the offer said, and takes the keys.
    fn complete(&mut self) -> Result<KeyingMaterial, DtlsError> {
        let State::Handshake(endpoint, profile) = std::mem::replace(&mut self.state, State::Failed)
        else {
            return Err(DtlsError::Handshake("completed twice".to_owned()));
        };
        let failed = |what: &str| DtlsError::Handshake(what.to_owned());
        let state = endpoint
            .get_connection_state(PEER)
            .ok_or_else(|| failed("no connection"))?;
        let der = state.peer_certificates.first();
        let actual = fingerprint(self.certificate.crypto(), der.map_or(&[], Vec::as_slice));
        if actual.as_deref() != Ok(self.expected.as_str()) {
            return Err(DtlsError::Fingerprint);
        }
        let agreed = state.srtp_protection_profile();
        let agreed = match agreed {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Aes128CmSha1,
            _ => return Err(DtlsError::NoProfile),
        };
        if profile.is_some_and(|profile| profile != agreed) {
            return Err(DtlsError::NoProfile);
        }
        let profile = agreed;
        let bytes = state
            .export_keying_material(LABEL, &[], profile.material_len())
            .map_err(|error| DtlsError::Handshake(error.to_string()))?;
        self.state = State::Connected(endpoint);
        self.budget = MAX_AFTERWARDS;
        Ok(KeyingMaterial { profile, bytes })
    }

    /// The next datagram to send.
    pub(crate) fn poll_transmit(&mut self) -> Option<BytesMut> {
        match &mut self.state {
            State::Handshake(endpoint, _) | State::Connected(endpoint) => {
                endpoint.poll_transmit().map(|transmit| transmit.message)
            }
            State::Idle | State::Hello(_) | State::Failed => None,
        }
    }

    /// When to call [`Self::handle_timeout`].
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Handshake(endpoint, _) => endpoint.poll_timeout(&PEER),
            _ => None,
        }
    }

    /// Repeats what may have been lost.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        let State::Handshake(endpoint, _) = &mut self.state else {
            return Ok(());
        };
        if endpoint.poll_timeout(&PEER).is_none_or(|due| now < due) {
            return Ok(());
        }
        endpoint
            .handle_timeout(PEER, now)
            .map_err(|error| DtlsError::Handshake(error.to_string()))
    }

    /// There will be none: for fuzzing, where keys are given.
    pub(crate) fn skip(&mut self) {
        self.state = State::Failed;
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self, now: Instant) {
        if let State::Connected(endpoint) = &mut self.state {
            // What is left of the connection is of no more use.
            let _ = endpoint.stop(now, PEER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Both ends, and the time.
    fn ends() -> (Dtls, Dtls, Instant) {
        let [one, two] = [1, 2].map(|_| Certificate::generate().unwrap());
        let mut client = Dtls::client(one.clone(), two.fingerprint());
        let server = Dtls::server(two, one.fingerprint());
        let now = Instant::now();
        client.begin(now).unwrap();
        (client, server, now)
    }

    fn flight(of: &mut Dtls) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| of.poll_transmit().map(|datagram| datagram.to_vec())).collect()
    }

    /// Whether it is connected by these.
    fn give(to: &mut Dtls, now: Instant, flight: &[Vec<u8>]) -> bool {
        let mut progress = flight.iter().map(|datagram| to.handle(now, datagram));
        progress.any(|progress| matches!(progress, Ok(Progress::Connected(_))))
    }

    /// The same messages in records of other numbers, as who repeats them sends them.
    fn repeated(flight: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut flight = flight.to_vec();
        for datagram in &mut flight {
            let mut at = 0;
            while at < datagram.len() {
                datagram[at + 9] += 1;
                at += RECORD_HEADER
                    + usize::from(datagram[at + 11]) * 256
                    + usize::from(datagram[at + 12]);
            }
        }
        flight
    }

    const RECORD_HEADER: usize = hello::RECORD_HEADER;
    const LATER: Duration = Duration::from_secs(1);

    #[test]
    fn a_flight_that_is_lost_comes_again_to_who_is_impatient() {
        let (mut client, mut server, now) = ends();
        give(&mut server, now, &flight(&mut client));
        give(&mut client, now, &flight(&mut server));
        let hello = flight(&mut client);
        give(&mut server, now, &hello);
        assert!(!flight(&mut server).is_empty());
        // It says it again before the other end does.
        give(&mut server, now + LATER / 20, &repeated(&hello));
        assert_eq!(server.poll_timeout(), Some(now + LATER));
        server.handle_timeout(now + LATER).unwrap();
        give(&mut client, now + LATER, &flight(&mut server));
        assert!(give(&mut server, now + LATER, &flight(&mut client)));
        assert!(give(&mut client, now + LATER, &flight(&mut server)));
    }

    #[test]
    fn the_last_flight_comes_again_to_a_client_that_heard_the_one_before_twice() {
        let (mut client, mut server, now) = ends();
        give(&mut server, now, &flight(&mut client));
        give(&mut client, now, &flight(&mut server));
        give(&mut server, now, &flight(&mut client));
        let certificate = flight(&mut server);
        give(&mut client, now, &certificate);
        assert!(give(&mut server, now, &flight(&mut client)));
        assert!(!flight(&mut server).is_empty());
        give(&mut client, now + LATER / 2, &repeated(&certificate));
        assert_eq!(client.poll_timeout(), Some(now + LATER));
        client.handle_timeout(now + LATER).unwrap();
        assert!(!give(&mut server, now + LATER, &flight(&mut client)));
        assert!(give(&mut client, now + LATER, &flight(&mut server)));
    }
}
