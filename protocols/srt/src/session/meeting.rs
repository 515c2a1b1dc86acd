//! The rendezvous handshake (section 4.3.2): both ends call, and the greater cookie begins.

use super::agree;
use super::calling::Step;
use crate::crypto::Crypto;
use crate::handshake::{Extensions, Handshake, Kind};
use crate::options::Options;
use crate::reject::Reject;
use crate::sequence::Sequence;
use rand::Rng as _;
use rand::rngs::StdRng;
use std::cmp::Ordering;
use std::time::Instant;

/// Our cookies are this far from zero at most. The draft compares cookies as long integers, libsrt by the sign of the
/// low 32 bits of their difference, and two that are 2³¹ apart would both begin, or both wait. Beside zero the two
/// rules name the same winner for all but one of 16,000 cookies of the peer; the next try has another cookie.
const MAX_COOKIE: i32 = 1 << 18;

/// Where an end of a rendezvous stands.
pub(super) struct Meeting {
    cookie: u32,
    role: Role,
    /// What is to be said last of all, once the other end is there.
    pub(super) farewell: Option<Handshake>,
}

enum Role {
    /// Waving: the other's cookie is not known.
    Open,
    /// Its cookie is smaller than ours: the extensions to send, and the keys.
    Initiator(Box<Extensions>, Option<Box<Crypto>>),
    /// The other end begins.
    Responder,
}

impl Meeting {
    pub(super) fn new(random: &mut StdRng) -> Self {
        let cookie: i32 = random.random_range(-MAX_COOKIE..=MAX_COOKIE);
        Self {
            cookie: cookie.cast_unsigned(),
            role: Role::Open,
            farewell: None,
        }
    }

    /// What is to be sent, again and again.
    pub(super) fn request(&self, options: &Options, socket: u32, initial: Sequence) -> Handshake {
        let kind = match self.role {
            Role::Open => Kind::Wave,
            Role::Initiator(..) | Role::Responder => Kind::Conclusion,
        };
        let mut request = agree::hello(options, kind, socket, self.cookie, initial);
        if let Role::Initiator(extensions, crypto) = &self.role {
            if let Some(crypto) = crypto {
                request.encryption = crypto.length().field();
            }
            request.extension = extensions.field();
            request.extensions = extensions.as_ref().clone();
        }
        request
    }

    pub(super) fn handle(
        &mut self,
        packet: &Handshake,
        options: &Options,
        random: &mut StdRng,
        (socket, initial): (u32, Sequence),
        at: (Instant, u32),
    ) -> Step {
        match packet.kind {
            Kind::Reject(reason) => return Step::Failed(reason),
            Kind::Wave | Kind::Conclusion if packet.version != 5 => {
                return Step::Failed(Reject::VERSION);
            }
            Kind::Wave | Kind::Conclusion => {}
            _ => return Step::Nothing,
        }
        if matches!(self.role, Role::Open) {
            // As signed numbers (section 4.3.2.1).
            let (own, other) = (self.cookie.cast_signed(), packet.cookie.cast_signed());
            self.role = match own.cmp(&other) {
                Ordering::Equal => return Step::Failed(Reject::COOKIE),
                Ordering::Less => Role::Responder,
                Ordering::Greater => {
                    let (extensions, crypto) = agree::offer(options, packet.encryption, random);
                    Role::Initiator(Box::new(extensions), crypto.map(Box::new))
                }
            };
        }
        let theirs = packet.extensions.hello;
        match &mut self.role {
            Role::Initiator(_, crypto) if theirs.is_some_and(|hello| hello.response) => {
                let crypto = crypto.take().map(|crypto| *crypto);
                match agree::accept(packet, crypto, options, at) {
                    Ok(agreed) => {
                        let end =
                            agree::hello(options, Kind::Agreement, socket, self.cookie, initial);
                        self.farewell = Some(end);
                        Step::Done(Box::new(agreed))
                    }
                    Err(reason) => Step::Failed(reason),
                }
            }
            Role::Responder if theirs.is_some_and(|hello| !hello.response) => {
                match agree::answer(packet, options, at) {
                    Ok((extensions, agreed)) => {
                        let mut end = self.request(options, socket, initial);
                        end.encryption = packet.encryption;
                        end.extension = extensions.field();
                        end.extensions = extensions;
                        self.farewell = Some(end);
                        Step::Done(Box::new(agreed))
                    }
                    Err(reason) => Step::Failed(reason),
                }
            }
            _ => Step::Send,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn the_drafts_rule_and_libsrts_name_the_same_winner() {
        let mut random = StdRng::seed_from_u64(1);
        let mut differ = 0;
        for _ in 0..100_000 {
            let own = Meeting::new(&mut random).cookie.cast_signed();
            let other: i32 = random.random();
            differ += u32::from(own.cmp(&other) != own.wrapping_sub(other).cmp(&0));
        }
        assert!(differ < 20, "{differ}");
    }
}
