//! Whether a viewer's network carries what the viewer is sent, by its receiver reports (RFC 3550 section 6.4.1), which
//! every player sends.
//!
//! Single losses are mended, and tell nothing: a radio link loses a few packets in a hundred and carries the stream all the
//! same. A network that is too narrow drops a good part of all packets, or keeps them waiting, and goes on doing so. What
//! is sent there nevertheless arrives in no usable form; the viewer is better off without, for a while.

use rtp::rtcp::ReportBlock;
use std::time::{Duration, Instant};

/// From one look to the next. Some players report with each request for a packet, on a handful of packets each time.
const LOOK: Duration = Duration::from_millis(900);

/// One packet in so many has to be missing, of so many at least.
const LOST: i64 = 5;
const MIN_PACKETS: u32 = 20;

/// By how much longer than at best a packet has to be under way, there and back.
const WAITS: Duration = Duration::from_millis(600);

/// How often in a row it has to be so.
const LOOKS: u32 = 2;

/// How long the network is left alone: doubled each time, if it is soon too narrow again.
const PAUSE: Duration = Duration::from_secs(2);
const MAX_PAUSE: Duration = Duration::from_secs(16);
const SOON: Duration = Duration::from_secs(10);

/// What is known of one network.
#[derive(Debug, Default)]
pub(super) struct Capacity {
    /// The shortest time there and back.
    best: Option<Duration>,
    /// When it was looked at last, and what the report said.
    looked: Option<(Instant, u32, i32)>,
    /// Looks in a row that found it too narrow.
    too_narrow: u32,
    /// The end of the last pause, and its length.
    pause: Option<(Instant, Duration)>,
}

impl Capacity {
    /// Takes what a report says. Whether the network is to be left alone from now on.
    pub(super) fn report(
        &mut self,
        now: Instant,
        block: &ReportBlock,
        round_trip: Option<Duration>,
    ) -> bool {
        if let Some(round_trip) = round_trip {
            self.best = Some(self.best.unwrap_or(round_trip).min(round_trip));
        }
        let Some((at, highest, lost)) = self.looked else {
            self.looked = Some((now, block.highest_sequence, block.lost));
            return false;
        };
        if now.saturating_duration_since(at) < LOOK {
            return false;
        }
        self.looked = Some((now, block.highest_sequence, block.lost));
        let packets = block.highest_sequence.wrapping_sub(highest);
        let missing = i64::from(block.lost) - i64::from(lost);
        let loses = packets >= MIN_PACKETS && missing * LOST >= i64::from(packets);
        let waits = round_trip.zip(self.best);
        let waits = waits.is_some_and(|(now, best)| now.saturating_sub(best) >= WAITS);
        if self.is_exceeded(now) || !waits && !loses {
            self.too_narrow = 0;
            return false;
        }
        self.too_narrow += 1;
        if self.too_narrow < LOOKS {
            return false;
        }
        let pause = match self.pause {
            Some((end, pause)) if now.saturating_duration_since(end) < SOON => {
                (pause * 2).min(MAX_PAUSE)
            }
            _ => PAUSE,
        };
        self.pause = Some((now + pause, pause));
        self.too_narrow = 0;
        true
    }

    /// Whether the network is left alone.
    pub(super) fn is_exceeded(&self, now: Instant) -> bool {
        self.pause.is_some_and(|(end, _)| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Option<Duration> = Some(Duration::from_millis(20));

    /// Reports several times a second, of 100 packets a second.
    struct Player {
        now: Instant,
        capacity: Capacity,
        highest: u32,
        lost: i32,
    }

    impl Player {
        fn new() -> Self {
            Self {
                now: Instant::now(),
                capacity: Capacity::default(),
                highest: 0xffff_ff00,
                lost: 0,
            }
        }

        /// A second in which that part of the packets is lost. Whether a pause has begun in it.
        fn second(&mut self, percent: u32, round_trip: Option<Duration>) -> bool {
            let mut begun = false;
            for part in 0..10 {
                self.now += Duration::from_millis(100);
                self.highest = self.highest.wrapping_add(10);
                // All that is lost is so at once.
                self.lost += if part == 3 { percent as i32 } else { 0 };
                let block = ReportBlock {
                    highest_sequence: self.highest,
                    lost: self.lost,
                    ..ReportBlock::default()
                };
                begun |= self.capacity.report(self.now, &block, round_trip);
            }
            begun
        }
    }

    #[test]
    fn losses_that_are_mended_and_short_trouble_mean_nothing() {
        let mut player = Player::new();
        for second in 0..100 {
            let lost = if second % 3 == 0 { 90 } else { 10 };
            assert!(!player.second(lost, QUICK), "{second}");
        }
        assert!(!player.capacity.is_exceeded(player.now));
    }

    #[test]
    fn a_narrow_network_is_left_alone_for_longer_each_time() {
        for (lost, round_trip) in [(50, QUICK), (0, Some(Duration::from_secs(2)))] {
            let mut player = Player::new();
            player.second(0, QUICK);
            let mut begun = Vec::new();
            for second in 0..60 {
                if player.second(lost, round_trip) {
                    begun.push(second);
                }
            }
            let steps: Vec<_> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(begun[0] <= 2 && steps.len() >= 4, "{begun:?}");
            for (step, pause) in steps.iter().zip([2, 4, 8, 16, 16]) {
                assert!((pause + 1..=pause + 3).contains(step), "{begun:?}");
            }
            // It has been well for a while.
            while player.capacity.is_exceeded(player.now) {
                player.second(0, QUICK);
            }
            for _ in 0..12 {
                assert!(!player.second(0, QUICK));
            }
            while !player.second(lost, round_trip) {}
            assert!(player.capacity.is_exceeded(player.now));
            player.second(0, QUICK);
            player.second(0, QUICK);
            assert!(!player.capacity.is_exceeded(player.now));
        }
    }
}
