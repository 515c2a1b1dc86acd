//! Finds transport packets in bytes that may begin anywhere, be cut anywhere and be damaged.
//!
//! Packets of 188 bytes stand one behind the other, or 192 bytes apart (a time of 4 bytes in front of each, as
//! Blu-ray and some recorders have them), or 204 (16 bytes of error correction behind each, as in broadcasting).
//! Read [`Aligner`].

use crate::packet::{SIZE, SYNC};

/// The distances between the beginnings of packets that are known.
const STRIDES: [usize; 3] = [188, 192, 204];

/// Sync bytes at one distance that show where packets are.
const CONFIRMATIONS: usize = 4;

/// Bytes that are enough to tell for any place whether a packet begins there.
const LOOK_AHEAD: usize = (CONFIRMATIONS - 1) * 204 + 1;

/// Finds packets. Bytes that belong to none are passed over and counted; less than 1 KiB is ever kept.
///
/// While packets are where they should be, they are given as slices of what was pushed: nothing is copied but
/// those that lie across two pushes.
#[derive(Debug, Default)]
pub struct Aligner {
    state: State,
    /// What was pushed and not used.
    rest: Vec<u8>,
    /// Bytes from the start of the stream to the first that was not used.
    position: u64,
    counts: AlignerCounts,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Packets are not found yet, or no longer.
    #[default]
    Searching,
    /// The next packet stands behind `gap` bytes.
    Aligned { stride: usize, gap: usize },
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlignerCounts {
    /// Bytes that belong to no packet.
    pub skipped_bytes: u64,
    /// Places at which a packet should have begun and did not.
    pub losses: u64,
}

impl Aligner {
    /// Takes any piece of the stream and gives the packets that are complete, each with its position in bytes
    /// from the start of the stream.
    pub fn push(&mut self, mut data: &[u8], mut give: impl FnMut(u64, &[u8; SIZE])) {
        while !self.rest.is_empty() {
            // The kept bytes, with as many of the new ones as are needed to use them up.
            let mut joined = std::mem::take(&mut self.rest);
            let kept = joined.len();
            let added = data.get(..LOOK_AHEAD).unwrap_or(data);
            joined.extend_from_slice(added);
            let used = self.walk(&joined, false, &mut give);
            match used.checked_sub(kept) {
                Some(of_data) => {
                    joined.clear();
                    self.rest = joined;
                    data = data.get(of_data..).unwrap_or_default();
                    break;
                }
                None => {
                    joined.drain(..used);
                    data = data.get(added.len()..).unwrap_or_default();
                    self.rest = joined;
                    if data.is_empty() {
                        return;
                    }
                }
            }
        }
        let used = self.walk(data, false, &mut give);
        self.rest
            .extend_from_slice(data.get(used..).unwrap_or_default());
    }

    /// Gives what can be taken for packets at the end of a stream, where less shows where they are.
    pub fn flush(&mut self, mut give: impl FnMut(u64, &[u8; SIZE])) {
        let rest = std::mem::take(&mut self.rest);
        let used = self.walk(&rest, true, &mut give);
        let unused = rest.len().saturating_sub(used);
        self.position += unused as u64;
        self.counts.skipped_bytes += unused as u64;
        self.state = State::Searching;
    }

    /// What happened so far.
    pub const fn counts(&self) -> AlignerCounts {
        self.counts
    }

    /// The distance between the beginnings of packets in bytes; none while they are not found.
    pub const fn stride(&self) -> Option<usize> {
        match self.state {
            State::Searching => None,
            State::Aligned { stride, .. } => Some(stride),
        }
    }

    /// Gives the packets of `data`; says how many bytes of it need not be seen again.
    fn walk(&mut self, data: &[u8], last: bool, give: &mut impl FnMut(u64, &[u8; SIZE])) -> usize {
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            let step = match self.state {
                State::Aligned { stride, gap } if gap > 0 => {
                    let step = gap.min(rest.len());
                    self.state = State::Aligned {
                        stride,
                        gap: gap - step,
                    };
                    step
                }
                State::Aligned { stride, .. } => match rest.first_chunk::<SIZE>() {
                    Some(packet) if packet[0] == SYNC => {
                        give(self.position, packet);
                        self.state = State::Aligned {
                            stride,
                            gap: stride - SIZE,
                        };
                        SIZE
                    }
                    // It may be known early that no packet begins here.
                    _ if rest.first().is_some_and(|byte| *byte != SYNC) => {
                        self.counts.losses += 1;
                        self.state = State::Searching;
                        continue;
                    }
                    _ => 0,
                },
                State::Searching => {
                    let (step, stride) = search(rest, last);
                    self.counts.skipped_bytes += step as u64;
                    if let Some(stride) = stride {
                        self.state = State::Aligned { stride, gap: 0 };
                        self.position += step as u64;
                        at += step;
                        if (stride, self.position) == (192, 4) {
                            // The time in front of the first packet.
                            self.counts.skipped_bytes = 0;
                        }
                        continue;
                    }
                    step
                }
            };
            self.position += step as u64;
            at += step;
            if step == 0 || at >= data.len() {
                return at;
            }
        }
    }
}

/// How many bytes to pass over, and the stride of the packets behind them, if they are found.
fn search(data: &[u8], last: bool) -> (usize, Option<usize>) {
    for at in memchr::memchr_iter(SYNC, data) {
        let mut undecided = false;
        for stride in STRIDES {
            let mut all = true;
            let mut seen = 0;
            for number in 0..CONFIRMATIONS {
                match data.get(at + number * stride) {
                    Some(&SYNC) => seen += 1,
                    Some(_) => all = false,
                    None => {}
                }
            }
            let enough = seen == CONFIRMATIONS || last && data.len() - at >= SIZE;
            if all && enough {
                return (at, Some(stride));
            }
            undecided |= all && seen < CONFIRMATIONS;
        }
        if undecided && !last {
            return (at, None);
        }
    }
    (data.len(), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Packets that are told apart by their second byte, each with bytes before and behind it.
    fn stream(count: usize, before: usize, behind: usize) -> Vec<u8> {
        let packet = |number: usize| {
            let mut bytes = vec![0x11; before];
            bytes.push(SYNC);
            bytes.extend([number as u8; SIZE - 1]);
            bytes.extend(vec![0x22; behind]);
            bytes
        };
        // Numbers that are no sync bytes.
        (0..count)
            .flat_map(|number| packet(number + 0x80))
            .collect()
    }

    /// The numbers and positions of the packets found in pieces of that size.
    fn found(bytes: &[u8], piece: usize) -> (Vec<(u64, u8)>, AlignerCounts) {
        let mut aligner = Aligner::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            aligner.push(piece, |position, packet| found.push((position, packet[1])));
            assert!(aligner.rest.len() < 1_024);
        }
        aligner.flush(|position, packet| found.push((position, packet[1])));
        assert_eq!(aligner.position, bytes.len() as u64);
        (found, aligner.counts())
    }

    #[test]
    fn every_stride_in_pieces_of_every_size() {
        for (before, behind) in [(0, 0), (4, 0), (0, 16)] {
            let bytes = stream(9, before, behind);
            let stride = bytes.len() / 9;
            let expected: Vec<_> = (0..9)
                .map(|number| ((before + number * stride) as u64, 0x80 + number as u8))
                .collect();
            for piece in (1..=700).chain([bytes.len()]) {
                let (found, counts) = found(&bytes, piece);
                assert_eq!(found, expected, "stride {stride}, pieces of {piece}");
                assert_eq!(counts.losses, 0);
            }
        }
    }

    #[test]
    fn garbage_before_between_and_behind_is_passed_over() {
        let good = stream(6, 0, 0);
        let mut bytes = vec![SYNC; 7];
        bytes.extend([1, 2, 3]);
        bytes.extend(&good);
        bytes.extend([7; 100]);
        bytes.extend(&good);
        bytes.extend([9; 30]);
        for piece in [1, 100, 188, 1_316, bytes.len()] {
            let (found, counts) = found(&bytes, piece);
            let numbers: Vec<_> = found.iter().map(|(_, number)| *number).collect();
            assert_eq!(
                numbers,
                [128, 129, 130, 131, 132, 133, 128, 129, 130, 131, 132, 133]
            );
            assert_eq!(counts.skipped_bytes, 140);
            assert_eq!(counts.losses, 2);
        }
    }

    #[test]
    fn a_damaged_sync_byte_costs_one_packet() {
        let mut bytes = stream(12, 0, 0);
        bytes[5 * SIZE] = 0x46;
        let (found, counts) = found(&bytes, 1_316);
        assert_eq!(found.len(), 11);
        assert_eq!((counts.skipped_bytes, counts.losses), (188, 1));
    }

    #[test]
    fn a_single_packet_is_found_at_the_end() {
        for count in 1..4 {
            assert_eq!(found(&stream(count, 0, 0), 100).0.len(), count);
        }
        assert_eq!(found(&stream(1, 0, 0)[..187], 50).0, []);
    }

    #[test]
    fn sync_bytes_alone_are_packets_of_sync_bytes() {
        let (found, counts) = found(&[SYNC; 10 * SIZE], 100);
        assert_eq!((found.len(), counts.skipped_bytes), (10, 0));
    }

    proptest! {
        #[test]
        fn the_cut_does_not_matter(
            bytes in prop::collection::vec(prop_oneof![Just(SYNC), any::<u8>()], 0..4_000),
            piece in 1usize..900,
        ) {
            prop_assert_eq!(found(&bytes, piece), found(&bytes, bytes.len().max(1)));
        }
    }
}
