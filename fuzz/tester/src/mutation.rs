//! Changing what valid sessions send, from a seed: the same seed changes the same messages in the same way.
//!
//! A message is what a client hands to its socket at once: a handshake, a chunk stream's message, a request, a datagram.

use crate::random::Random;

/// Longest message after a change, so that no session grows without end.
const LONGEST: usize = 256 << 10;

/// Values that lengths, counts and versions break at.
const EDGES: [u8; 9] = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, b'\r', b'\n'];

/// Text at which readers of text break.
const WORDS: [&str; 8] = [
    "-1",
    "0",
    "4294967296",
    "18446744073709551616",
    "\r\n\r\n",
    "%00",
    "../../",
    "\u{fffd}",
];

/// Changes messages; how many of them is the seed's choice too.
#[derive(Debug)]
pub(crate) struct Mutator {
    random: Random,
    /// One message of so many is changed.
    every: usize,
    /// The message before, to be sent again or mixed with this one.
    before: Vec<u8>,
}

impl Mutator {
    pub(crate) const fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let every = 1 + random.below(8);
        Self {
            random,
            every,
            before: Vec::new(),
        }
    }

    /// What is sent in the place of the message, in pieces.
    pub(crate) fn change(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        let mut pieces = if self.random.below(self.every) == 0 {
            self.changed(message)
        } else {
            vec![message.to_vec()]
        };
        for piece in &mut pieces {
            piece.truncate(LONGEST);
        }
        self.before = message.to_vec();
        pieces
    }

    fn changed(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        let random = &mut self.random;
        let length = message.len();
        match random.below(12) {
            // Not sent, sent twice, in the wrong order.
            0 => vec![],
            1 => vec![message.to_vec(), message.to_vec()],
            2 => vec![message.to_vec(), self.before.clone()],
            // Cut: at the end, at the beginning, into pieces.
            3 => vec![
                message
                    .get(..random.below(length))
                    .unwrap_or_default()
                    .to_vec(),
            ],
            4 => vec![
                message
                    .get(random.below(length)..)
                    .unwrap_or_default()
                    .to_vec(),
            ],
            5 => {
                let size = 1 + random.below(length.min(64));
                message
                    .chunks(size.max(length / 64).max(1))
                    .map(<[u8]>::to_vec)
                    .collect()
            }
            // Two messages in one.
            6 => {
                let (head, tail) = (random.below(length), random.below(self.before.len()));
                let head = message.get(..head).unwrap_or_default();
                vec![[head, self.before.get(tail..).unwrap_or_default()].concat()]
            }
            // A number in a text.
            7 => vec![self.renumbered(message)],
            // A part of it many times.
            8 => {
                let start = random.below(length);
                let end = (start + 1 + random.below(64)).min(length);
                let part = message.get(start..end).unwrap_or_default();
                let many = part.repeat(1 + random.below(2_000));
                vec![
                    [
                        message.get(..start).unwrap_or_default(),
                        &many,
                        message.get(start..).unwrap_or_default(),
                    ]
                    .concat(),
                ]
            }
            _ => vec![self.bytes_changed(message)],
        }
    }

    /// Some bytes, most of them near the beginning, where headers are.
    fn bytes_changed(&mut self, message: &[u8]) -> Vec<u8> {
        let random = &mut self.random;
        let mut changed = message.to_vec();
        for _ in 0..=random.below(6) {
            let reach = if random.below(2) == 0 { 32 } else { usize::MAX };
            let at = random.below(changed.len().min(reach));
            let Some(byte) = changed.get_mut(at) else {
                break;
            };
            match random.below(4) {
                0 => *byte ^= 1 << random.below(8),
                1 => *byte = EDGES[random.below(EDGES.len())],
                2 => *byte = random.byte(),
                // A whole length at once.
                _ => {
                    let edge = [0, 0xff, 0x7f][random.below(3)];
                    let end = (at + 1 + random.below(4)).min(changed.len());
                    changed.get_mut(at..end).unwrap_or_default().fill(edge);
                }
            }
        }
        changed
    }

    fn renumbered(&mut self, message: &[u8]) -> Vec<u8> {
        let random = &mut self.random;
        let starts: Vec<usize> = (0..message.len())
            .filter(|at| {
                message[*at].is_ascii_digit() && (*at == 0 || !message[*at - 1].is_ascii_digit())
            })
            .collect();
        let word = WORDS[random.below(WORDS.len())].as_bytes();
        let Some(start) = starts.get(random.below(starts.len())) else {
            return self.bytes_changed(message);
        };
        let digits = message[*start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        [&message[..*start], word, &message[*start + digits..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_changes_the_same() {
        let messages: [&[u8]; 3] = [
            b"SETUP rtsp://x RTSP/1.0\r\nCSeq: 3\r\n\r\n",
            &[7; 300],
            b"",
        ];
        let all = |seed| {
            let mut mutator = Mutator::new(seed);
            messages.map(|message| mutator.change(message))
        };
        let mut changed = 0;
        for seed in 0..500 {
            assert_eq!(all(seed), all(seed));
            changed += usize::from(all(seed)[0].concat() != messages[0]);
            assert!(
                all(seed)
                    .concat()
                    .iter()
                    .all(|piece| piece.len() <= LONGEST)
            );
        }
        assert!((100..450).contains(&changed), "{changed} of 500");
    }
}
