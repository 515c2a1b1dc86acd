//! What was sent lately, so that it can be sent again: the shared payloads, not copies of them.

use rtp::Payloads;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long sent packets are kept: beyond that a player has given up waiting.
const KEEP: Duration = Duration::from_secs(2);

/// Most access units that are kept. A viewer begins with all pictures of a GOP, which may be long: their first ones are
/// what it can least do without.
const MAX_UNITS: usize = 4_096;

/// The access units sent in the last seconds.
#[derive(Default)]
pub(super) struct History {
    units: VecDeque<Unit>,
}

struct Unit {
    /// Index of its first packet.
    first: u64,
    /// As its packets have it.
    timestamp: u32,
    sent: Instant,
    payloads: Payloads,
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent<'a> {
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: &'a [u8],
}

impl History {
    /// Notes the packets of one access unit, with increasing indices.
    pub(super) fn push(&mut self, now: Instant, first: u64, timestamp: u32, payloads: Payloads) {
        self.forget(now);
        if self.units.len() >= MAX_UNITS {
            self.units.pop_front();
        }
        self.units.push_back(Unit {
            first,
            timestamp,
            sent: now,
            payloads,
        });
    }

    /// Lets go of what is too old.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some(unit) = self.units.front() {
            if now.saturating_duration_since(unit.sent) < KEEP {
                return;
            }
            self.units.pop_front();
        }
    }

    /// The packet of this index, if it is still there.
    pub(super) fn get(&self, index: u64) -> Option<Sent<'_>> {
        let after = self.units.partition_point(|unit| unit.first <= index);
        let unit = self.units.get(after.checked_sub(1)?)?;
        let number = usize::try_from(index - unit.first).ok()?;
        Some(Sent {
            timestamp: unit.timestamp,
            marker: number + 1 == unit.payloads.len(),
            payload: unit.payloads.get(number)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_until_they_are_old() {
        let start = Instant::now();
        let mut history = History::default();
        let two = rtp::payload::samples::packetize(&media::Codec::G722 { channels: 1 }, &[1, 2], 1);
        history.push(start, 10, 100, two);
        history.push(
            start + Duration::from_secs(1),
            12,
            200,
            Payloads::single(&[3]),
        );
        let found = |history: &History, index| {
            let sent = history.get(index)?;
            Some((sent.timestamp, sent.marker, sent.payload[0]))
        };
        assert_eq!(found(&history, 9), None);
        assert_eq!(found(&history, 10), Some((100, false, 1)));
        assert_eq!(found(&history, 11), Some((100, true, 2)));
        assert_eq!(found(&history, 12), Some((200, true, 3)));
        assert_eq!(found(&history, 13), None);
        history.forget(start + KEEP);
        assert_eq!(found(&history, 11), None);
        assert_eq!(found(&history, 12), Some((200, true, 3)));
    }

    #[test]
    fn the_number_of_units_is_bounded() {
        let now = Instant::now();
        let mut history = History::default();
        for index in 0..10_000 {
            history.push(now, index, 0, Payloads::single(&[0]));
        }
        assert_eq!(history.units.len(), MAX_UNITS);
    }
}
