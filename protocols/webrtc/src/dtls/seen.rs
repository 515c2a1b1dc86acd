//! Which messages of a handshake have come, so that what comes once more can be kept from the library: any part of a
//! message stops its timer, and when that completes nothing it never repeats its own flight. A peer that repeats its
//! messages sooner than the library does, since that flight was lost, would wait for it in vain.

use super::hello::{HANDSHAKE, MESSAGE_HEADER, RECORD_HEADER, number};

/// Most parts that are remembered; what comes beyond goes to the library.
const MAX_PARTS: usize = 256;

const CLIENT_HELLO: u8 = 1;
const HELLO_VERIFY_REQUEST: u8 = 3;

/// Parts of messages.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<Part>);

/// From one byte of a message to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    kind: u8,
    sequence: u16,
    from: usize,
    to: usize,
}

impl Seen {
    /// Whether a datagram is a repetition, with nothing in it that the library waits for.
    pub(super) fn has(&self, datagram: &[u8]) -> bool {
        parts(datagram).is_some_and(|parts| parts.iter().all(|part| self.has_part(*part)))
    }

    /// Takes what was given to the library.
    pub(super) fn note(&mut self, datagram: &[u8]) {
        for part in parts(datagram).into_iter().flatten() {
            if self.0.len() < MAX_PARTS && !self.0.contains(&part) {
                self.0.push(part);
            }
        }
    }

    fn has_part(&self, part: Part) -> bool {
        // The first messages of both ends are answered anew whenever they come: until there is a second ClientHello,
        // the server has no timer, and cookies may change (RFC 6347 section 4.2.1).
        let answers = match part.kind {
            HELLO_VERIFY_REQUEST => true,
            CLIENT_HELLO => self.0.iter().all(|known| known.sequence == 0),
            _ => false,
        };
        let same = |known: &&Part| (known.kind, known.sequence) == (part.kind, part.sequence);
        if answers || !self.0.iter().any(|known| same(&known)) {
            return false;
        }
        let mut at = part.from;
        while at < part.to {
            let mut known = self.0.iter().filter(same);
            let Some(next) = known.find(|known| known.from <= at && at < known.to) else {
                return false;
            };
            at = next.to;
        }
        true
    }
}

/// The parts in a datagram that is readable and has nothing else in it.
fn parts(datagram: &[u8]) -> Option<Vec<Part>> {
    let (mut rest, mut parts) = (datagram, Vec::new());
    while !rest.is_empty() {
        let (head, after) = rest.split_first_chunk::<RECORD_HEADER>()?;
        let [kind, _, _, e0, e1, _, _, _, _, _, _, l0, l1] = *head;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let (mut body, after) = after.split_at_checked(length)?;
        if (kind, e0, e1) != (HANDSHAKE, 0, 0) || body.is_empty() {
            return None;
        }
        while !body.is_empty() {
            let (head, tail) = body.split_first_chunk::<MESSAGE_HEADER>()?;
            let [kind, _, _, _, s0, s1, o0, o1, o2, f0, f1, f2] = *head;
            let (from, length) = (number([o0, o1, o2]), number([f0, f1, f2]));
            body = tail.get(length..)?;
            parts.push(Part {
                kind,
                sequence: u16::from_be_bytes([s0, s1]),
                from,
                to: from + length,
            });
        }
        rest = after;
    }
    (!parts.is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with a part of a message of 100 bytes.
    fn record(kind: u8, sequence: u8, from: u8, to: u8) -> Vec<u8> {
        let length = to - from;
        let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 12 + length];
        record.extend([kind, 0, 0, 100, 0, sequence, 0, 0, from, 0, 0, length]);
        record.extend(vec![7; usize::from(length)]);
        record
    }

    #[test]
    fn what_has_come_has_come_however_it_is_cut() {
        let mut seen = Seen::default();
        let whole = record(11, 2, 0, 100);
        assert!(!seen.has(&whole));
        seen.note(&record(11, 2, 0, 60));
        assert!(seen.has(&record(11, 2, 10, 50)) && !seen.has(&whole));
        seen.note(&[record(11, 2, 40, 100), record(14, 3, 0, 0)].concat());
        assert!(seen.has(&[whole.clone(), record(14, 3, 0, 0)].concat()));
        assert!(!seen.has(&[whole.clone(), record(14, 4, 0, 0)].concat()));
        // Something else is in it, or not all of it is there.
        let mut secret = record(20, 0, 0, 9);
        secret[4] = 1;
        assert!(!seen.has(&[whole.clone(), secret].concat()));
        assert!(!seen.has(&whole[..whole.len() - 1]) && !seen.has(&[]));
    }

    #[test]
    fn first_messages_are_answered_anew() {
        let mut seen = Seen::default();
        let [first, second] = [record(1, 0, 0, 80), record(1, 1, 0, 100)];
        seen.note(&first);
        assert!(!seen.has(&first));
        seen.note(&second);
        assert!(seen.has(&first) && seen.has(&second));
        let verify = record(3, 0, 0, 20);
        seen.note(&verify);
        assert!(!seen.has(&verify));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seen = Seen::default();
        for part in 0..=255 {
            for sequence in 2..4 {
                seen.note(&record(11, sequence, part, part));
            }
        }
        assert_eq!(seen.0.len(), MAX_PARTS);
    }
}
