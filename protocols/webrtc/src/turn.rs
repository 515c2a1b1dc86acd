//! TURN as its client over UDP (RFC 8656): an address at a server that passes on what comes and goes, for who can be
//! reached in no other way.
//!
//! [`Relay`] knows no socket and no clock: its owner sends what [`Relay::poll`] gives to the server, and brings what comes
//! from there. Packets go in indications, not in channels: a header of 36 bytes for each.

use crate::certificate::Certificate;
use crate::stun::{self, Class, attribute, attributes};
use md5::{Digest, Md5};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Bindings that a server may be asked to let in.
const MAX_PEERS: usize = 32;

/// Bytes of a realm or a nonce (RFC 8489 section 14.9 has 128 characters).
const LONGEST: usize = 763;

/// From one try of a request to the next: doubled each time (RFC 8489 section 6.2.1).
const AGAIN: Duration = Duration::from_millis(500);

/// How often a request is tried.
const MAX_TRIES: u32 = 6;

/// How often a server may ask for another nonce for one request.
const MAX_NONCES: u32 = 3;

/// An allocation lasts so long where the server does not say, and no shorter is believed.
const LIFETIME: Duration = Duration::from_secs(600);
const SHORTEST: Duration = Duration::from_secs(30);

/// A permission lasts five minutes (section 9.2).
const PERMISSION: Duration = Duration::from_secs(240);

/// The transport that is asked for: UDP.
const UDP: [u8; 4] = [17, 0, 0, 0];

/// Methods (section 17).
mod method {
    pub(super) const ALLOCATE: u16 = 0x003;
    pub(super) const REFRESH: u16 = 0x004;
    pub(super) const SEND: u16 = 0x006;
    pub(super) const DATA: u16 = 0x007;
    pub(super) const CREATE_PERMISSION: u16 = 0x008;
}

/// Why a server gives no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// It takes user and password for wrong.
    #[error("the TURN server refuses the login")]
    Login,
    /// It refuses for another reason, with this number.
    #[error("the TURN server refuses with error {0}")]
    Refused(u16),
    /// It does not answer.
    #[error("the TURN server does not answer")]
    Silent,
    /// What it says makes no sense.
    #[error("the TURN server's answer cannot be read")]
    Malformed,
}

/// An address at a TURN server.
pub struct Relay {
    certificate: Certificate,
    username: String,
    password: String,
    /// The server's realm and nonce, and the key made of the login in that realm, once it has asked for a login.
    asked: Option<(Vec<u8>, Vec<u8>, [u8; 16])>,
    state: State,
    request: Option<Request>,
    /// Who may send to the address, and when that is to be asked for again.
    peers: Vec<(IpAddr, Instant)>,
    /// In every indication, counted up.
    indication: u64,
}

#[derive(Clone, Copy)]
enum State {
    Asks,
    /// The address, and when it is to be asked for again.
    Has(SocketAddr, Instant),
    Failed(TurnError),
}

/// What the server is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Allocate,
    Refresh,
    Permit(IpAddr),
}

struct Request {
    question: Question,
    transaction: [u8; 12],
    tries: u32,
    nonces: u32,
    due: Instant,
}

impl Relay {
    /// Asks for an address with this login; `certificate` gives random numbers.
    pub fn new(certificate: Certificate, username: String, password: String) -> Self {
        Self {
            certificate,
            username,
            password,
            asked: None,
            state: State::Asks,
            request: None,
            peers: Vec::new(),
            indication: 0,
        }
    }

    /// The address; none yet.
    ///
    /// # Errors
    /// Why there will be none.
    pub const fn address(&self) -> Result<Option<SocketAddr>, TurnError> {
        match self.state {
            State::Asks => Ok(None),
            State::Has(address, _) => Ok(Some(address)),
            State::Failed(error) => Err(error),
        }
    }

    /// Has the server let in what comes from there.
    pub fn permit(&mut self, now: Instant, peer: IpAddr) {
        let peer = peer.to_canonical();
        let known = self.peers.iter().any(|(known, _)| *known == peer);
        if !known && self.peers.len() < MAX_PEERS {
            self.peers.push((peer, now));
        }
    }

    /// What is to be sent to the server now.
    pub fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        if let State::Failed(_) = self.state {
            return None;
        }
        if self.request.is_none() {
            let question = self.next_question(now)?;
            self.request = Some(Request {
                question,
                transaction: self.transaction()?,
                tries: 0,
                nonces: 0,
                due: now,
            });
        }
        let request = self.request.as_mut().filter(|request| request.due <= now)?;
        if request.tries == MAX_TRIES {
            let question = request.question;
            self.request = None;
            self.failed(now, question, TurnError::Silent);
            return None;
        }
        request.due = now + AGAIN * (1 << request.tries);
        request.tries += 1;
        let (question, transaction) = (request.question, request.transaction);
        self.write(question, transaction, LIFETIME)
    }

    /// When [`poll`](Self::poll) has something to give.
    pub fn timeout(&self) -> Option<Instant> {
        let refresh = match self.state {
            State::Asks => None,
            State::Has(_, refresh) => Some(refresh),
            State::Failed(_) => return None,
        };
        let permits = self.peers.iter().map(|(_, due)| *due);
        match (&self.request, self.state) {
            (Some(request), _) => Some(request.due),
            (None, State::Asks) => None,
            (None, _) => refresh.into_iter().chain(permits).min(),
        }
    }

    /// Gives the address back.
    pub fn give_back(&mut self) -> Option<Vec<u8>> {
        let State::Has(..) = self.state else {
            return None;
        };
        let transaction = self.transaction()?;
        self.write(Question::Refresh, transaction, Duration::ZERO)
    }

    /// Takes what has come from the server. Gives what has been passed on, and from whom.
    pub fn handle_input<'a>(
        &mut self,
        now: Instant,
        datagram: &'a [u8],
    ) -> Option<(SocketAddr, &'a [u8])> {
        let head = stun::Head::read(datagram).ok()?;
        if (head.class, head.method) == (Class::Indication, method::DATA) {
            let (mut from, mut data) = (None, None);
            for (_, kind, value) in attributes(datagram) {
                match kind {
                    attribute::XOR_PEER_ADDRESS => {
                        from = stun::read_address(value, head.transaction);
                    }
                    attribute::DATA => data = Some(value),
                    _ => {}
                }
            }
            return from.zip(data);
        }
        let request = self.request.as_ref()?;
        if request.transaction != head.transaction {
            return None;
        }
        match head.class {
            Class::Success => self.succeeded(now, head.transaction, datagram),
            Class::Error => self.refused(now, datagram),
            Class::Request | Class::Indication => {}
        }
        None
    }

    /// A packet in the form in which the server passes it on to that peer.
    pub fn wrap(&mut self, peer: SocketAddr, packet: &[u8]) -> Vec<u8> {
        self.indication = self.indication.wrapping_add(1);
        let mut transaction = [0; 12];
        if let Some(number) = transaction.last_chunk_mut() {
            *number = self.indication.to_be_bytes();
        }
        let mut out = Vec::with_capacity(48 + packet.len());
        stun::begin(Class::Indication, method::SEND, transaction, &mut out);
        let address = stun::address_bytes(peer, transaction);
        stun::put(attribute::XOR_PEER_ADDRESS, &address, &mut out);
        stun::put(attribute::DATA, packet, &mut out);
        stun::set_length(&mut out, 0);
        out
    }

    /// Ends an answer as the server would, which knows the password: for fuzzing.
    pub(crate) fn sign(&self, answer: &mut Vec<u8>) {
        if let Some((_, _, key)) = &self.asked {
            let integrity = stun::integrity_of(self.certificate.crypto(), key, answer);
            stun::put(
                attribute::MESSAGE_INTEGRITY,
                &integrity.unwrap_or_default(),
                answer,
            );
        }
        stun::set_length(answer, 0);
    }

    fn next_question(&self, now: Instant) -> Option<Question> {
        match self.state {
            State::Asks => Some(Question::Allocate),
            State::Has(_, refresh) if refresh <= now => Some(Question::Refresh),
            State::Has(..) => {
                let due = self.peers.iter().find(|(_, due)| *due <= now);
                due.map(|(peer, _)| Question::Permit(*peer))
            }
            State::Failed(_) => None,
        }
    }

    fn transaction(&self) -> Option<[u8; 12]> {
        let mut transaction = [0; 12];
        self.certificate.random(&mut transaction).ok()?;
        Some(transaction)
    }

    fn write(
        &self,
        question: Question,
        transaction: [u8; 12],
        lifetime: Duration,
    ) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(256);
        let method = match question {
            Question::Allocate => method::ALLOCATE,
            Question::Refresh => method::REFRESH,
            Question::Permit(_) => method::CREATE_PERMISSION,
        };
        stun::begin(Class::Request, method, transaction, &mut out);
        match question {
            Question::Allocate => stun::put(attribute::REQUESTED_TRANSPORT, &UDP, &mut out),
            Question::Refresh => {
                let seconds = lifetime.as_secs() as u32;
                stun::put(attribute::LIFETIME, &seconds.to_be_bytes(), &mut out);
            }
            Question::Permit(peer) => {
                let address = stun::address_bytes(SocketAddr::new(peer, 0), transaction);
                stun::put(attribute::XOR_PEER_ADDRESS, &address, &mut out);
            }
        }
        let Some((realm, nonce, key)) = &self.asked else {
            stun::set_length(&mut out, 0);
            return Some(out);
        };
        stun::put(attribute::USERNAME, self.username.as_bytes(), &mut out);
        stun::put(attribute::REALM, realm, &mut out);
        stun::put(attribute::NONCE, nonce, &mut out);
        let integrity = stun::integrity_of(self.certificate.crypto(), key, &out).ok()?;
        stun::put(attribute::MESSAGE_INTEGRITY, &integrity, &mut out);
        stun::set_length(&mut out, 0);
        Some(out)
    }

    fn succeeded(&mut self, now: Instant, transaction: [u8; 12], answer: &[u8]) {
        let Some((_, _, key)) = &self.asked else {
            return;
        };
        let (mut relayed, mut lifetime, mut is_genuine) = (None, None, false);
        for (at, kind, value) in attributes(answer) {
            match kind {
                attribute::XOR_RELAYED_ADDRESS => relayed = stun::read_address(value, transaction),
                attribute::LIFETIME => {
                    let seconds = value.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
                    lifetime = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                }
                attribute::MESSAGE_INTEGRITY => {
                    let before = answer.get(..at).unwrap_or_default();
                    let expected = stun::integrity_of(self.certificate.crypto(), key, before);
                    is_genuine = expected
                        .is_ok_and(|expected| rtc_crypto::constant_time_eq(&expected, value));
                    break;
                }
                _ => {}
            }
        }
        if !is_genuine {
            // Whoever knows the number of the request alone may not answer it.
            return;
        }
        let Some(request) = self.request.take() else {
            return;
        };
        let refresh = now + lifetime.unwrap_or(LIFETIME).clamp(SHORTEST, LIFETIME * 6) / 2;
        match (request.question, self.state) {
            (Question::Allocate, _) => {
                self.state = match relayed {
                    Some(address) => State::Has(address, refresh),
                    None => State::Failed(TurnError::Malformed),
                };
            }
            (Question::Refresh, State::Has(address, _)) => {
                self.state = State::Has(address, refresh);
            }
            (Question::Permit(peer), _) => self.ask_again(peer, now + PERMISSION),
            (Question::Refresh, _) => {}
        }
    }

    fn refused(&mut self, now: Instant, answer: &[u8]) {
        let (mut code, mut realm, mut nonce) = (None, None, None);
        for (_, kind, value) in attributes(answer) {
            match kind {
                attribute::ERROR_CODE => code = stun::error_code(value),
                attribute::REALM if value.len() <= LONGEST => realm = Some(value.to_vec()),
                attribute::NONCE if value.len() <= LONGEST => nonce = Some(value.to_vec()),
                _ => {}
            }
        }
        let Some(request) = &mut self.request else {
            return;
        };
        let is_new = self.asked.is_none();
        let realm = realm.or_else(|| self.asked.as_ref().map(|(realm, ..)| realm.clone()));
        match (code, realm, nonce) {
            (Some(401), Some(realm), Some(nonce)) if is_new => {
                let key = key(&self.username, &realm, &self.password);
                self.asked = Some((realm, nonce, key));
            }
            (Some(438), Some(realm), Some(nonce)) if request.nonces < MAX_NONCES => {
                request.nonces += 1;
                let key = key(&self.username, &realm, &self.password);
                self.asked = Some((realm, nonce, key));
            }
            (code, ..) => {
                let question = request.question;
                self.request = None;
                let error = match code {
                    Some(401 | 441) => TurnError::Login,
                    Some(code) => TurnError::Refused(code),
                    None => TurnError::Malformed,
                };
                self.failed(now, question, error);
                return;
            }
        }
        // The same once more, as a request of its own.
        let mut transaction = [0; 12];
        let drawn = self.certificate.random(&mut transaction);
        request.due = now;
        request.tries = 0;
        if drawn.is_ok() {
            request.transaction = transaction;
        }
    }

    /// A peer that is not let in is not reached; without its address nothing is left.
    fn failed(&mut self, now: Instant, question: Question, error: TurnError) {
        match question {
            Question::Permit(peer) => self.ask_again(peer, now + PERMISSION),
            Question::Allocate | Question::Refresh => self.state = State::Failed(error),
        }
    }

    fn ask_again(&mut self, peer: IpAddr, at: Instant) {
        for (known, due) in &mut self.peers {
            if *known == peer {
                *due = at;
            }
        }
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

/// The key of a login (RFC 8489 section 9.2.2).
fn key(username: &str, realm: &[u8], password: &str) -> [u8; 16] {
    let parts = [username.as_bytes(), b":", realm, b":", password.as_bytes()];
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)), 99);

    fn relay() -> Relay {
        let certificate = Certificate::generate().unwrap();
        Relay::new(certificate, "joe".into(), "secret".into())
    }

    fn transaction(message: &[u8]) -> [u8; 12] {
        stun::Head::read(message).unwrap().transaction
    }

    fn has(message: &[u8], wanted: u16) -> bool {
        attributes(message).any(|(_, kind, _)| kind == wanted)
    }

    /// An answer of the server, with integrity where there is a key.
    fn answer(
        relay: &Relay,
        to: &[u8],
        class: Class,
        with: &[(u16, &[u8])],
        key: Option<[u8; 16]>,
    ) -> Vec<u8> {
        let head = stun::Head::read(to).unwrap();
        let mut out = Vec::new();
        stun::begin(class, head.method, head.transaction, &mut out);
        for (kind, value) in with {
            stun::put(*kind, value, &mut out);
        }
        if let Some(key) = key {
            let integrity = stun::integrity_of(relay.certificate.crypto(), &key, &out).unwrap();
            stun::put(attribute::MESSAGE_INTEGRITY, &integrity, &mut out);
        }
        stun::set_length(&mut out, 0);
        out
    }

    /// A relay that has its address, the server's key and the time.
    fn allocated() -> (Relay, [u8; 16], Instant) {
        let now = Instant::now();
        let mut relay = relay();
        let first = relay.poll(now).unwrap();
        assert!(!has(&first, attribute::USERNAME) && has(&first, attribute::REQUESTED_TRANSPORT));
        let login = [
            (attribute::ERROR_CODE, &[0, 0, 4, 1][..]),
            (attribute::REALM, b"here"),
            (attribute::NONCE, b"n1"),
        ];
        let asks = answer(&relay, &first, Class::Error, &login, None);
        relay.handle_input(now, &asks);
        let second = relay.poll(now).unwrap();
        assert!(has(&second, attribute::MESSAGE_INTEGRITY));
        assert_ne!(transaction(&first), transaction(&second));
        let key = key("joe", b"here", "secret");
        let address = stun::address_bytes(PEER, transaction(&second));
        let given = [
            (attribute::XOR_RELAYED_ADDRESS, &address[..]),
            (attribute::LIFETIME, &600u32.to_be_bytes()),
        ];
        // Not by who does not know the password.
        let forged = answer(&relay, &second, Class::Success, &given, Some([0; 16]));
        relay.handle_input(now, &forged);
        assert_eq!(relay.address(), Ok(None));
        let good = answer(&relay, &second, Class::Success, &given, Some(key));
        relay.handle_input(now, &good);
        assert_eq!(relay.address(), Ok(Some(PEER)));
        (relay, key, now)
    }

    #[test]
    fn an_address_is_given_to_who_logs_in_and_kept() {
        let (mut relay, key, now) = allocated();
        assert!(relay.poll(now).is_none());
        let later = relay.timeout().unwrap();
        assert_eq!(later, now + LIFETIME / 2);
        let refresh = relay.poll(later).unwrap();
        assert!(has(&refresh, attribute::LIFETIME));
        // The nonce is out of date.
        let stale = [
            (attribute::ERROR_CODE, &[0, 0, 4, 38][..]),
            (attribute::NONCE, b"n2"),
        ];
        let stale = answer(&relay, &refresh, Class::Error, &stale, None);
        relay.handle_input(later, &stale);
        let refresh = relay.poll(later).unwrap();
        let lasts = [(attribute::LIFETIME, &100u32.to_be_bytes()[..])];
        let good = answer(&relay, &refresh, Class::Success, &lasts, Some(key));
        relay.handle_input(later, &good);
        assert_eq!(relay.timeout(), Some(later + Duration::from_secs(50)));
        assert!(has(&relay.give_back().unwrap(), attribute::LIFETIME));
    }

    #[test]
    fn packets_go_out_and_come_in_by_who_is_let_in() {
        let (mut relay, key, now) = allocated();
        relay.permit(now, PEER.ip());
        relay.permit(now, PEER.ip());
        let permit = relay.poll(now).unwrap();
        assert!(has(&permit, attribute::XOR_PEER_ADDRESS));
        let good = answer(&relay, &permit, Class::Success, &[], Some(key));
        relay.handle_input(now, &good);
        assert!(relay.poll(now).is_none());
        assert_eq!(relay.timeout(), Some(now + PERMISSION));
        let sent = relay.wrap(PEER, b"12345");
        // What comes has the same form under another name.
        let mut came = sent;
        if let Some(kind) = came.first_chunk_mut::<2>() {
            *kind = [0x00, 0x17];
        }
        assert_eq!(relay.handle_input(now, &came), Some((PEER, &b"12345"[..])));
    }

    #[test]
    fn refusals_and_silence_are_told() {
        let mut now = Instant::now();
        type Attributes = &'static [(u16, &'static [u8])];
        let cases: [(Attributes, TurnError); 3] = [
            (
                &[(attribute::ERROR_CODE, &[0, 0, 4, 86])],
                TurnError::Refused(486),
            ),
            // It does not say how to log in.
            (&[(attribute::ERROR_CODE, &[0, 0, 4, 1])], TurnError::Login),
            (&[], TurnError::Malformed),
        ];
        for (with, error) in cases {
            let mut relay = relay();
            let first = relay.poll(now).unwrap();
            let refusal = answer(&relay, &first, Class::Error, with, None);
            relay.handle_input(now, &refusal);
            assert_eq!(relay.address(), Err(error));
        }
        let mut relay = relay();
        let mut sent = 0;
        while relay.poll(now).is_some() {
            sent += 1;
            now = relay.timeout().unwrap();
        }
        assert_eq!(sent, MAX_TRIES);
        assert_eq!(relay.address(), Err(TurnError::Silent));
        assert_eq!(relay.timeout(), None);
    }
}
