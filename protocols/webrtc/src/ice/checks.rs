//! The full end of ICE (RFC 8445), for a session that was offered from here: it checks the addresses that the peer has
//! named, chooses a pair, and shows on it that it is still there (RFC 7675).
//!
//! Packets go out from wherever the system sends them, so that pairs are told apart by the peer's address alone.

use super::{Path, Remote};
use crate::certificate::Certificate;
use crate::stun::{self, Binding, Class, Message, Role};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Most pairs; addresses beyond are not tried.
const MAX_PAIRS: usize = 32;

/// From one check to the next of another pair (section 14.2).
const PACE: Duration = Duration::from_millis(50);

/// From one try of a check to the next: doubled each time, up to the second.
const AGAIN: Duration = Duration::from_millis(500);
const MAX_AGAIN: Duration = Duration::from_secs(4);

/// How often a check is tried.
const MAX_TRIES: u32 = 10;

/// Once a pair is good, a better one is waited for this long.
const CHOICE: Duration = Duration::from_millis(100);

/// From one sign of life to the next, and by how much that varies (RFC 7675 section 5.1).
const CONSENT: Duration = Duration::from_millis(4_000);
const VARIES: u32 = 2_000;

/// Priority of this end's own candidates, as a check tells it: peer-reflexive, of the first component.
const PRIORITY: u32 = 110 << 24 | 65_535 << 8 | 255;

/// Checks of one session.
pub(super) struct Checks {
    /// The name in each check: the peer's, a colon, ours.
    username: String,
    password: String,
    role: Role,
    pairs: Vec<Pair>,
    /// Not before this is anything sent.
    pace: Instant,
    choose_at: Option<Instant>,
    chosen: Option<Path>,
}

struct Pair {
    path: Path,
    priority: u32,
    is_good: bool,
    /// It has been asked to be used.
    is_wanted: bool,
    /// When it is checked next.
    due: Option<Instant>,
    tries: u32,
    transaction: Option<[u8; 12]>,
}

/// What an answer has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) priority: u32,
    /// It is the pair that is used from now on.
    pub(super) is_chosen: bool,
}

impl Checks {
    /// From each of `local` to the peer's addresses, as the end that chooses; what is first there is preferred.
    pub(super) fn new(
        now: Instant,
        own: &str,
        remote: &Remote,
        local: &[SocketAddr],
        number: u64,
    ) -> Self {
        let mut checks = Self {
            username: format!("{}:{own}", remote.ufrag),
            password: remote.password.clone(),
            role: Role::Controlling(number),
            pairs: Vec::new(),
            pace: now,
            choose_at: None,
            chosen: None,
        };
        for (rank, local) in local.iter().enumerate() {
            for candidate in &remote.candidates {
                let path = Path {
                    transport: super::Transport::Udp,
                    local: *local,
                    remote: candidate.address,
                };
                checks.add(now, path, candidate.priority >> rank.min(31));
            }
        }
        checks
    }

    /// A check came over this path: it is checked in the other direction too.
    pub(super) fn add(&mut self, now: Instant, path: Path, priority: u32) {
        let known = self.pairs.iter().any(|pair| pair.path == path);
        if !known && self.pairs.len() < MAX_PAIRS {
            self.pairs.push(Pair {
                path,
                priority,
                is_good: false,
                is_wanted: false,
                due: Some(now),
                tries: 0,
                transaction: None,
            });
        }
    }

    /// Whether the peer chooses.
    pub(super) const fn is_controlled(&self) -> bool {
        matches!(self.role, Role::Controlled(_))
    }

    /// Settles who chooses, where a check shows that both ends want to, or neither (section 7.3.1.1). False when the
    /// peer is to change its mind.
    pub(super) fn settle(&mut self, theirs: Option<Role>) -> bool {
        match (self.role, theirs) {
            (Role::Controlling(own), Some(Role::Controlling(other))) => {
                if own < other {
                    self.role = Role::Controlled(own);
                }
                own < other
            }
            (Role::Controlled(own), Some(Role::Controlled(other))) => {
                if own >= other {
                    self.role = Role::Controlling(own);
                }
                own >= other
            }
            _ => true,
        }
    }

    /// Takes an answer. None for one that is none of ours.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        certificate: &Certificate,
        path: Path,
        answer: &Binding<'_>,
    ) -> Option<Shown> {
        let mut pairs = self.pairs.iter_mut();
        let pair = pairs.find(|pair| pair.transaction == Some(answer.transaction))?;
        if pair.path != path || !answer.is_from(certificate.crypto(), &self.password) {
            return None;
        }
        pair.transaction = None;
        pair.tries = 0;
        if answer.class == Class::Error {
            // Whatever else is wrong will be so the next time.
            if answer.error == Some(487) {
                pair.due = Some(now);
                self.role = match self.role {
                    Role::Controlling(number) => Role::Controlled(number),
                    Role::Controlled(number) => Role::Controlling(number),
                };
            }
            return None;
        }
        pair.is_good = true;
        pair.due = None;
        let (priority, is_wanted) = (pair.priority, pair.is_wanted);
        let is_first = is_wanted && self.chosen.is_none();
        if is_first {
            self.chosen = Some(path);
        } else if self.chosen.is_none() {
            self.choose_at.get_or_insert(now + CHOICE);
        }
        // The next one, of which nothing else might remind who sleeps until then. The number of this one was drawn too.
        let [.., r0, r1, r2, r3] = answer.transaction;
        self.go_on(now, u32::from_be_bytes([r0, r1, r2, r3]));
        Some(Shown {
            priority,
            is_chosen: is_first,
        })
    }

    /// The peer has chosen this pair.
    pub(super) fn chose(&mut self, now: Instant, path: Path) {
        self.chosen = Some(path);
        self.go_on(now, 0);
    }

    /// The next check to send now.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        certificate: &Certificate,
    ) -> Option<(Path, Vec<u8>)> {
        if now < self.pace {
            return None;
        }
        let mut random = [0; 16];
        certificate.random(&mut random).ok()?;
        let [transaction @ .., r0, r1, r2, r3] = random;
        self.choose(now);
        self.go_on(now, u32::from_be_bytes([r0, r1, r2, r3]));
        let chosen = self.chosen;
        let chooses = !self.is_controlled();
        let mut due: Vec<_> = self
            .pairs
            .iter_mut()
            .filter(|pair| pair.is_due(now))
            .collect();
        due.sort_by_key(|pair| (pair.is_wanted, pair.priority));
        let pair = due.pop()?;
        self.pace = now + PACE;
        pair.tries += 1;
        pair.due = (pair.tries < MAX_TRIES).then(|| {
            let doubled = AGAIN * (1 << (pair.tries - 1).min(8));
            now + doubled.min(MAX_AGAIN)
        });
        let transaction = *pair.transaction.get_or_insert(transaction);
        let request = Message::Request {
            username: &self.username,
            priority: PRIORITY,
            // Again with each sign of life: a lite end does not follow otherwise, should this one be seen elsewhere.
            use_candidate: chooses
                && pair.is_wanted
                && chosen.is_none_or(|chosen| chosen == pair.path),
            role: self.role,
        };
        let check = stun::write(certificate.crypto(), &request, transaction, &self.password);
        Some((pair.path, check.ok()?))
    }

    /// Asks for the best pair that is good, once that has been waited for.
    fn choose(&mut self, now: Instant) {
        let is_time = self.choose_at.is_some_and(|at| at <= now);
        if !is_time || self.is_controlled() || self.chosen.is_some() {
            return;
        }
        self.choose_at = None;
        let good = self.pairs.iter_mut().filter(|pair| pair.is_good);
        if let Some(best) = good.max_by_key(|pair| pair.priority) {
            best.is_wanted = true;
            best.transaction = None;
            best.due = Some(now);
        }
    }

    /// The chosen pair is checked again and again, and no other.
    fn go_on(&mut self, now: Instant, random: u32) {
        let Some(chosen) = self.chosen else { return };
        for pair in &mut self.pairs {
            if pair.path != chosen {
                pair.due = None;
            } else if pair.due.is_none() {
                let varied = Duration::from_millis(u64::from(random % VARIES));
                pair.due = Some(now + CONSENT + varied);
            }
        }
    }

    /// When [`poll`](Self::poll) has something to do.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let due = self.pairs.iter().filter_map(|pair| pair.due).min();
        let choose = self
            .choose_at
            .filter(|_| self.chosen.is_none() && !self.is_controlled());
        let next = due.into_iter().chain(choose).min();
        next.map(|next| next.max(self.pace))
    }
}

impl Pair {
    fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}
