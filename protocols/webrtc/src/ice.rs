//! The lite end of ICE (RFC 8445 section 2.5): checks are answered, and the peer decides which pair is used. The full end
//! is that with `checks` of its own, where this end is the client.
//!
//! The peer's checks and authentic packets are its consent to receive too: when they end, so does the session.

mod checks;

use crate::certificate::{Certificate, CertificateError};
use crate::stun::{self, Binding, Class, Message, Role};
use checks::Checks;
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Most pairs that are kept; a new one replaces the one that was silent longest.
const MAX_PAIRS: usize = 8;

/// After this time without a check the chosen pair counts as left by the peer, which asked for another.
/// Peers check about every 2.5 s.
const LEFT: Duration = Duration::from_secs(4);

/// What user names and passwords are made of (RFC 8839 section 5.4).
const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Characters of the name that a session keeps, in front of what changes when ICE begins anew.
const NAME: usize = 12;

/// Of all that names who receives a check, the session's part.
pub(crate) fn session_name(ufrag: &str) -> &str {
    ufrag.get(..NAME).unwrap_or(ufrag)
}

/// A short name and a password, by which checks are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) password: String,
}

impl Credentials {
    /// New ones: 72 and 144 bits of randomness.
    pub(crate) fn generate(certificate: &Certificate) -> Result<Self, CertificateError> {
        Self::after("", NAME, certificate)
    }

    /// Others of the same session: 48 more bits of name.
    pub(crate) fn renewed(&self, certificate: &Certificate) -> Result<Self, CertificateError> {
        Self::after(session_name(&self.ufrag), 8, certificate)
    }

    fn after(name: &str, more: usize, certificate: &Certificate) -> Result<Self, CertificateError> {
        let mut random = [0; 36];
        certificate.random(&mut random)?;
        let mut characters = random.iter().map(|byte| {
            let index = usize::from(byte & 63);
            CHARACTERS.get(index).copied().map_or('A', char::from)
        });
        let mut ufrag = name.to_owned();
        ufrag.extend(characters.by_ref().take(more));
        let password = characters.take(24).collect();
        Ok(Self { ufrag, password })
    }
}

/// What carries packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection that the peer has made, with packets in frames (RFC 6544, [`crate::framing`]).
    Tcp,
}

/// Where packets come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// What carries them.
    pub transport: Transport,
    /// The server's address.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
}

/// Where the server can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// By what.
    pub transport: Transport,
    /// Address and port.
    pub address: SocketAddr,
    /// It is at a TURN server, which passes on what comes there.
    pub is_relayed: bool,
}

/// What the answer to an offer says of the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) ufrag: String,
    pub(crate) password: String,
    pub(crate) candidates: Vec<RemoteCandidate>,
}

/// Where the peer may be, by UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RemoteCandidate {
    pub(crate) address: SocketAddr,
    pub(crate) priority: u32,
}

/// A pair over which a good check came, or a good answer.
#[derive(Clone, Copy, Debug)]
struct Pair {
    path: Path,
    priority: u32,
    last_check: Instant,
}

/// The agent of one session.
pub(crate) struct Agent {
    local: Credentials,
    /// The user name of every check: ours, a colon, and the peer's.
    username: String,
    pairs: SmallVec<[Pair; 2]>,
    /// The pair the peer chose.
    selected: Option<Path>,
    /// Before it has chosen: the pair over which it sends.
    in_use: Option<Path>,
    last_heard: Instant,
    /// Of the full end.
    checks: Option<Box<Checks>>,
}

impl Agent {
    pub(crate) fn new(now: Instant, local: Credentials, remote_ufrag: &str) -> Self {
        Self {
            username: format!("{}:{remote_ufrag}", local.ufrag),
            local,
            pairs: SmallVec::new(),
            selected: None,
            in_use: None,
            last_heard: now,
            checks: None,
        }
    }

    /// The full end, which chooses among the addresses of a peer that has answered. What comes and goes has one of
    /// `local` for the address of this end, the best one first; `number` settles who chooses, should the peer want to.
    pub(crate) fn full(
        now: Instant,
        own: Credentials,
        remote: &Remote,
        local: &[SocketAddr],
        number: u64,
    ) -> Self {
        let checks = Checks::new(now, &own.ufrag, remote, local, number);
        Self {
            checks: Some(Box::new(checks)),
            ..Self::new(now, own, &remote.ufrag)
        }
    }

    pub(crate) fn ufrag(&self) -> &str {
        &self.local.ufrag
    }

    /// Begins anew with a peer of this name. What was agreed on goes on serving until the peer has chosen again (RFC
    /// 8445 section 9).
    pub(crate) fn restart(
        &mut self,
        certificate: &Certificate,
        remote_ufrag: &str,
    ) -> Result<&Credentials, CertificateError> {
        self.local = self.local.renewed(certificate)?;
        self.username = format!("{}:{remote_ufrag}", self.local.ufrag);
        self.in_use = self.selected();
        self.selected = None;
        Ok(&self.local)
    }

    /// When the peer last showed that it is there; at first, when the session began.
    pub(crate) const fn last_heard(&self) -> Instant {
        self.last_heard
    }

    /// Where to send to: over the pair the peer chose. Peers begin to send before they choose, and until
    /// then any pair that passed a check will do (section 12.1.1), first of all the one they send over.
    pub(crate) fn selected(&self) -> Option<Path> {
        let best = || self.pairs.iter().max_by_key(|pair| pair.priority);
        let chosen = self.selected.or(self.in_use);
        chosen.or_else(|| best().map(|pair| pair.path))
    }

    /// Whether a good check came over this path.
    pub(crate) fn knows(&self, path: Path) -> bool {
        self.pairs.iter().any(|pair| pair.path == path)
    }

    /// When [`poll`](Self::poll) has something to do.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        self.checks.as_ref()?.timeout()
    }

    /// The next check of the full end.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        certificate: &Certificate,
    ) -> Option<(Path, Vec<u8>)> {
        self.checks.as_mut()?.poll(now, certificate)
    }

    /// Takes a STUN message, and gives the answer to a check. Those of others are passed over in silence, so
    /// that nobody can be reached by way of us who does not know the password.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        certificate: &Certificate,
        path: Path,
        message: &[u8],
    ) -> Option<Vec<u8>> {
        let check = Binding::parse(message).ok()?;
        if matches!(check.class, Class::Success | Class::Error) {
            self.answered(now, certificate, path, &check);
            return None;
        }
        let ours = check.class == Class::Request && check.username == self.username;
        if !ours || !check.is_from(certificate.crypto(), &self.local.password) {
            return None;
        }
        self.last_heard = now;
        let mut answer = Message::Success(path.remote);
        let is_settled = self
            .checks
            .as_mut()
            .is_none_or(|own| own.settle(check.role));
        if is_settled {
            let priority = check.priority.unwrap_or(0);
            self.note(now, path, priority, check.use_candidate);
            if let Some(own) = &mut self.checks {
                own.add(now, path, priority);
            }
        } else {
            answer = Message::RoleConflict;
        }
        let password = &self.local.password;
        stun::write(certificate.crypto(), &answer, check.transaction, password).ok()
    }

    /// Takes the answer to a check of the full end.
    fn answered(
        &mut self,
        now: Instant,
        certificate: &Certificate,
        path: Path,
        answer: &Binding<'_>,
    ) {
        let own = self.checks.as_mut();
        let shown = own.and_then(|own| own.answered(now, certificate, path, answer));
        let Some(shown) = shown else { return };
        self.last_heard = now;
        self.note(now, path, shown.priority, false);
        if shown.is_chosen {
            self.selected = Some(path);
        }
    }

    fn note(&mut self, now: Instant, path: Path, priority: u32, is_asked_for: bool) {
        let pair = Pair {
            path,
            priority,
            last_check: now,
        };
        if let Some(known) = self.pairs.iter_mut().find(|known| known.path == path) {
            *known = pair;
        } else {
            if self.pairs.len() >= MAX_PAIRS {
                let selected = self.selected();
                let others = self.pairs.iter().enumerate();
                let others = others.filter(|(_, pair)| Some(pair.path) != selected);
                let oldest = others.min_by_key(|(_, pair)| pair.last_check);
                if let Some((index, _)) = oldest {
                    self.pairs.swap_remove(index);
                }
            }
            self.pairs.push(pair);
        }
        // Who chooses is not asked.
        let is_asked_for =
            is_asked_for && self.checks.as_ref().is_none_or(|own| own.is_controlled());
        if is_asked_for && self.is_better(now, &pair) {
            self.selected = Some(path);
            if let Some(own) = &mut self.checks {
                own.chose(now, path);
            }
        }
    }

    /// Whether a pair the peer asks for takes the place of the chosen one. A peer may ask for several while
    /// it is still checking, and means the one of the highest priority; one that moved to another network
    /// no longer checks the old pair.
    fn is_better(&self, now: Instant, pair: &Pair) -> bool {
        let selected = self
            .pairs
            .iter()
            .find(|known| Some(known.path) == self.selected);
        selected.is_none_or(|selected| {
            pair.priority > selected.priority
                || now.saturating_duration_since(selected.last_check) >= LEFT
        })
    }

    /// A check as the peer would send it: for fuzzing, which cannot know the password.
    pub(crate) fn good_check(
        &self,
        certificate: &Certificate,
        priority: u32,
        use_candidate: bool,
        role: Role,
    ) -> Vec<u8> {
        let request = Message::Request {
            username: &self.username,
            priority,
            use_candidate,
            role,
        };
        let password = &self.local.password;
        let check = stun::write(certificate.crypto(), &request, [1; 12], password);
        check.unwrap_or_default()
    }

    /// Authentic packets came over a path: one that passed its checks is what the peer uses.
    pub(crate) fn used(&mut self, now: Instant, path: Path) {
        if !self.knows(path) {
            return;
        }
        self.last_heard = now;
        self.in_use = Some(path);
        if self.selected.is_some() {
            self.selected = Some(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    struct Peer {
        certificate: Certificate,
        agent: Agent,
        now: Instant,
    }

    impl Peer {
        fn new() -> Self {
            let now = Instant::now();
            let certificate = Certificate::generate().unwrap();
            let local = Credentials::generate(&certificate).unwrap();
            let agent = Agent::new(now, local, "them");
            Self {
                certificate,
                agent,
                now,
            }
        }

        fn check(&mut self, port: u16, priority: u32, use_candidate: bool) -> Option<Vec<u8>> {
            let username = self.agent.username.clone();
            let password = self.agent.local.password.clone();
            self.check_as(&username, &password, port, priority, use_candidate)
        }

        fn check_as(
            &mut self,
            username: &str,
            password: &str,
            port: u16,
            priority: u32,
            use_candidate: bool,
        ) -> Option<Vec<u8>> {
            let request = Message::Request {
                username,
                priority,
                use_candidate,
                role: Role::Controlling(1),
            };
            let crypto = self.certificate.crypto();
            let request = stun::write(crypto, &request, [port as u8; 12], password).unwrap();
            let certificate = self.certificate.clone();
            self.agent
                .handle(self.now, &certificate, path(port), &request)
        }
    }

    fn path(port: u16) -> Path {
        Path {
            transport: Transport::Udp,
            local: ([127, 0, 0, 1], 1).into(),
            remote: ([127, 0, 0, 1], port).into(),
        }
    }

    #[test]
    fn good_checks_are_answered_with_their_source() {
        let mut peer = Peer::new();
        let answer = peer.check(5_000, 1, false).unwrap();
        let answer = Binding::parse(&answer).unwrap();
        assert_eq!(answer.mapped, Some(path(5_000).remote));
        assert_eq!(
            (answer.class, answer.transaction),
            (Class::Success, [5_000u16 as u8; 12])
        );
        assert!(peer.agent.knows(path(5_000)));
    }

    #[test]
    fn checks_of_others_are_not() {
        let mut peer = Peer::new();
        let username = peer.agent.username.clone();
        let password = peer.agent.local.password.clone();
        assert!(peer.check_as(&username, "wrong", 1, 1, true).is_none());
        assert!(peer.check_as("else:them", &password, 1, 1, true).is_none());
        assert!(!peer.agent.knows(path(1)));
    }

    #[test]
    fn before_the_choice_any_checked_pair_serves() {
        let mut peer = Peer::new();
        assert_eq!(peer.agent.selected(), None);
        peer.check(1, 100, false);
        peer.check(2, 50, false);
        assert_eq!(peer.agent.selected(), Some(path(1)));
        peer.agent.used(peer.now, path(2));
        assert_eq!(peer.agent.selected(), Some(path(2)));
        peer.check(3, 10, true);
        assert_eq!(peer.agent.selected(), Some(path(3)));
    }

    #[test]
    fn the_peer_chooses() {
        let mut peer = Peer::new();
        peer.check(1, 100, true);
        assert_eq!(peer.agent.selected(), Some(path(1)));
        // Of several, the one of the highest priority.
        peer.check(2, 50, true);
        assert_eq!(peer.agent.selected(), Some(path(1)));
        peer.check(3, 200, true);
        assert_eq!(peer.agent.selected(), Some(path(3)));
        // The peer has left that pair, or shows by packets which it uses.
        peer.now += LEFT;
        peer.check(2, 50, true);
        assert_eq!(peer.agent.selected(), Some(path(2)));
        peer.agent.used(peer.now, path(1));
        assert_eq!(peer.agent.selected(), Some(path(1)));
        peer.agent.used(peer.now, path(9));
        assert_eq!(peer.agent.selected(), Some(path(1)));
    }

    #[test]
    fn a_restart_keeps_the_path_until_the_peer_chooses_again() {
        let mut peer = Peer::new();
        peer.check(1, 100, true);
        let before = (
            peer.agent.username.clone(),
            peer.agent.local.password.clone(),
        );
        let name = session_name(&before.0).to_owned();
        let certificate = peer.certificate.clone();
        let renewed = peer.agent.restart(&certificate, "new").unwrap().clone();
        assert!(renewed.ufrag.starts_with(&name) && renewed.ufrag.len() == 20);
        assert!(peer.check_as(&before.0, &before.1, 1, 100, true).is_none());
        assert_eq!(peer.agent.selected(), Some(path(1)));
        peer.check(2, 50, false);
        assert_eq!(peer.agent.selected(), Some(path(1)));
        peer.check(2, 50, true);
        assert_eq!(peer.agent.selected(), Some(path(2)));
    }

    /// Two ends of which one is the client, and what is between them.
    struct Ends {
        now: Instant,
        certificate: Certificate,
        client: Agent,
        server: Agent,
        /// The ports at which the server can be reached.
        open: Vec<u16>,
        /// The port at which the client is seen.
        seen: u16,
        lost: u32,
    }

    const OWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5);

    impl Ends {
        fn new(candidates: &[(u16, u32)], open: &[u16], server_number: Option<u64>) -> Self {
            let now = Instant::now();
            let certificate = Certificate::generate().unwrap();
            let [one, two] = [1, 2].map(|_| Credentials::generate(&certificate).unwrap());
            let candidates = candidates.iter().map(|(port, priority)| RemoteCandidate {
                address: ([127, 0, 0, 1], *port).into(),
                priority: *priority,
            });
            let remote = Remote {
                ufrag: two.ufrag.clone(),
                password: two.password.clone(),
                candidates: candidates.collect(),
            };
            let back = Remote {
                ufrag: one.ufrag.clone(),
                password: one.password.clone(),
                candidates: Vec::new(),
            };
            let server = match server_number {
                Some(number) => Agent::full(now, two, &back, &[path(0).local], number),
                None => Agent::new(now, two, &one.ufrag),
            };
            Self {
                now,
                client: Agent::full(now, one, &remote, &[OWN], 100),
                server,
                certificate,
                open: open.to_vec(),
                seen: 5,
                lost: 0,
            }
        }

        /// Lets time pass, and gives how many messages the client has sent.
        fn run(&mut self, time: Duration) -> usize {
            let (end, mut sent) = (self.now + time, 0);
            while self.now < end {
                self.now += Duration::from_millis(10);
                while let Some((path, check)) = self.client.poll(self.now, &self.certificate) {
                    sent += 1;
                    self.at_server(path, &check);
                }
                while let Some((path, check)) = self.server.poll(self.now, &self.certificate) {
                    self.at_client(path.local.port(), &check);
                }
            }
            sent
        }

        fn at_server(&mut self, path: Path, message: &[u8]) {
            let port = path.remote.port();
            if !self.open.contains(&port) || self.is_lost() {
                return;
            }
            let mirrored = Path {
                local: path.remote,
                remote: ([127, 0, 0, 1], self.seen).into(),
                ..path
            };
            let answer = self
                .server
                .handle(self.now, &self.certificate, mirrored, message);
            if let Some(answer) = answer {
                self.at_client(port, &answer);
            }
        }

        fn at_client(&mut self, port: u16, message: &[u8]) {
            if self.is_lost() {
                return;
            }
            let path = Path {
                transport: Transport::Udp,
                local: OWN,
                remote: ([127, 0, 0, 1], port).into(),
            };
            if let Some(answer) = self
                .client
                .handle(self.now, &self.certificate, path, message)
            {
                self.at_server(path, &answer);
            }
        }

        fn is_lost(&mut self) -> bool {
            self.lost = self.lost.saturating_sub(1);
            self.lost % 3 == 1
        }

        /// The server's port that each end uses.
        fn used(&self) -> [Option<u16>; 2] {
            let client = self.client.selected.map(|path| path.remote.port());
            let server = self.server.selected.map(|path| path.local.port());
            [client, server]
        }
    }

    #[test]
    fn the_full_end_chooses_the_best_pair_that_works_and_stays_with_it() {
        let mut ends = Ends::new(&[(1, 300), (2, 100), (3, 200)], &[2, 3], None);
        ends.run(Duration::from_secs(5));
        assert_eq!(ends.used(), [Some(3); 2]);
        // Now and then it shows that it is there, and sees that the peer is.
        let sent = ends.run(Duration::from_secs(60));
        assert!((10..=15).contains(&sent), "{sent}");
        assert!(ends.now - ends.client.last_heard() < Duration::from_secs(7));
        ends.open.clear();
        ends.run(Duration::from_secs(20));
        assert!(ends.now - ends.client.last_heard() > Duration::from_secs(13));
    }

    #[test]
    fn signs_of_life_are_never_forgotten() {
        let mut ends = Ends::new(&[(1, 1)], &[1], None);
        ends.run(Duration::from_secs(1));
        for _ in 0..20 {
            // Nobody asks in between.
            let due = ends.client.timeout().unwrap();
            assert!(due > ends.now && due - ends.now <= Duration::from_secs(6));
            ends.now = due;
            let (path, check) = ends.client.poll(due, &ends.certificate).unwrap();
            ends.at_server(path, &check);
            assert_eq!(ends.client.last_heard(), due);
        }
    }

    #[test]
    fn a_client_that_is_seen_elsewhere_is_followed() {
        let mut ends = Ends::new(&[(1, 1)], &[1], None);
        ends.run(Duration::from_secs(20));
        for seen in [6, 7] {
            ends.seen = seen;
            ends.run(Duration::from_secs(7));
            let at = ends.server.selected.map(|path| path.remote.port());
            assert_eq!(at, Some(seen));
        }
    }

    #[test]
    fn checks_that_get_lost_are_tried_again() {
        let mut ends = Ends::new(&[(2, 100), (3, 200)], &[2, 3], None);
        ends.lost = 20;
        ends.run(Duration::from_secs(10));
        let [client, server] = ends.used();
        assert!(client.is_some() && client == server);
    }

    #[test]
    fn where_nobody_is_checks_end() {
        let mut ends = Ends::new(&[(1, 1)], &[], None);
        assert_eq!(ends.client.timeout(), Some(ends.now));
        let sent = ends.run(Duration::from_secs(60));
        assert_eq!((sent, ends.client.timeout()), (10, None));
        assert_eq!(ends.used(), [None; 2]);
    }

    #[test]
    fn two_full_ends_settle_who_chooses() {
        // Both begin as the one that chooses; the higher number stays so.
        for number in [7, 700] {
            let mut ends = Ends::new(&[(1, 1)], &[1], Some(number));
            ends.run(Duration::from_secs(3));
            assert_eq!(ends.used(), [Some(1); 2], "{number}");
            let controlled = |agent: &Agent| agent.checks.as_ref().unwrap().is_controlled();
            assert_eq!(controlled(&ends.client), number == 700);
            assert_eq!(controlled(&ends.server), number == 7);
        }
    }

    #[test]
    fn answers_of_others_mean_nothing() {
        let mut ends = Ends::new(&[(1, 1)], &[1], None);
        let now = ends.now;
        let (path, check) = ends.client.poll(now, &ends.certificate).unwrap();
        let transaction = Binding::parse(&check).unwrap().transaction;
        let crypto = ends.certificate.crypto();
        let answer = Message::Success(OWN);
        let forged = stun::write(crypto, &answer, transaction, "guess").unwrap();
        ends.client.handle(now, &ends.certificate, path, &forged);
        assert_eq!(ends.client.selected(), None);
    }

    #[test]
    fn a_connection_is_another_path_than_datagrams_between_the_same_addresses() {
        let mut peer = Peer::new();
        peer.check(1, 100, false);
        let connection = Path {
            transport: Transport::Tcp,
            ..path(1)
        };
        assert!(peer.agent.knows(path(1)) && !peer.agent.knows(connection));
    }

    #[test]
    fn pairs_are_bounded_and_the_chosen_one_stays() {
        let mut peer = Peer::new();
        peer.check(1, 100, true);
        for port in 2..40 {
            peer.now += Duration::from_millis(1);
            peer.check(port, 1, false);
        }
        assert_eq!(peer.agent.pairs.len(), MAX_PAIRS);
        assert!(peer.agent.knows(path(1)) && peer.agent.knows(path(39)));
    }
}
