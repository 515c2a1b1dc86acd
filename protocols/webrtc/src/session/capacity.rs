//! How much a viewer's network carries, by its receiver reports (RFC 3550 section 6.4.1), which every player sends, and
//! by what the player itself estimates (REMB), if it does.
//!
//! Single losses are mended, and tell nothing: a radio link loses a few packets in a hundred and carries the stream all the
//! same. A network that is too narrow drops a good part of all packets, or keeps them waiting, and goes on doing so. What
//! arrives meanwhile is what it carries. From then on the viewer is given a little less than that, then more bit by bit,
//! until the network is too narrow again or the stream needs no more.

use rtp::rtcp::ReportBlock;
use std::time::{Duration, Instant};

/// From one look to the next. Some players report with each request for a packet, on a handful of packets each time.
const LOOK: Duration = Duration::from_millis(900);

/// One packet in so many has to be missing, of so many at least; fewer once it is known to be narrow.
const LOST: i64 = 5;
const LOST_AGAIN: i64 = 12;
const MIN_PACKETS: u32 = 20;

/// With an estimate of the player that is much below what is sent, one in so many is enough.
const LOST_AS_ESTIMATED: i64 = 20;

/// How long an estimate is worth something.
const ESTIMATED: Duration = Duration::from_secs(3);

/// By how much longer than at best a packet has to be under way, there and back.
const WAITS: Duration = Duration::from_millis(600);

/// How often in a row it has to be so.
const LOOKS: u32 = 2;

/// Bytes per second that every network is thought to carry: sound.
const LEAST: u64 = 8_000;

/// A rate that is hardly used for so many looks in a row limits nothing any more.
const UNUSED: u32 = 5;

/// What is known of one network.
#[derive(Debug, Default)]
pub(super) struct Capacity {
    /// The shortest time there and back.
    best: Option<Duration>,
    looked: Option<Look>,
    /// Looks in a row that found it too narrow.
    too_narrow: u32,
    /// Bytes per second, if it does not carry all.
    rate: Option<u64>,
    /// Looks in a row at which that was more than is sent.
    unused: u32,
    /// What the player thinks, in bytes per second.
    estimate: Option<(Instant, u64)>,
}

/// When the network was looked at, and what was known then.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    highest: u32,
    lost: i32,
    sent: u64,
}

impl Capacity {
    /// Takes what the player thinks that the network carries, in bits per second.
    pub(super) const fn estimated(&mut self, now: Instant, bitrate: u64) {
        self.estimate = Some((now, bitrate / 8));
    }

    /// Takes what a report says, and how many bytes were sent so far. Whether the network was found too narrow just now.
    pub(super) fn report(
        &mut self,
        now: Instant,
        block: &ReportBlock,
        round_trip: Option<Duration>,
        sent: u64,
    ) -> bool {
        if let Some(round_trip) = round_trip {
            self.best = Some(self.best.unwrap_or(round_trip).min(round_trip));
        }
        let look = Look {
            at: now,
            highest: block.highest_sequence,
            lost: block.lost,
            sent,
        };
        let Some(last) = self.looked else {
            self.looked = Some(look);
            return false;
        };
        let time = now.saturating_duration_since(last.at);
        if time < LOOK {
            return false;
        }
        self.looked = Some(look);
        let packets = look.highest.wrapping_sub(last.highest);
        let missing = i64::from(look.lost) - i64::from(last.lost);
        let loses = |one_in: i64| packets >= MIN_PACKETS && missing * one_in >= i64::from(packets);
        let waits = round_trip.zip(self.best);
        let waits = waits.is_some_and(|(now, best)| now.saturating_sub(best) >= WAITS);
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let sent = sent.saturating_sub(last.sent).saturating_mul(1_000) / millis;
        let arrived = u64::from(packets).saturating_sub(u64::try_from(missing).unwrap_or(0));
        let carried = sent.saturating_mul(arrived) / u64::from(packets).max(1);
        let estimate = self
            .estimate
            .filter(|(at, _)| now.saturating_duration_since(*at) < ESTIMATED);
        let estimate = estimate.map(|(_, estimate)| estimate);
        match self.rate {
            None => {
                let as_estimated = estimate.is_some_and(|most| most < sent / 4 * 3);
                let narrow = loses(LOST) || waits || as_estimated && loses(LOST_AS_ESTIMATED);
                self.too_narrow = if narrow { self.too_narrow + 1 } else { 0 };
                if self.too_narrow < LOOKS {
                    return false;
                }
                self.limit(carried, estimate);
                true
            }
            Some(_) if loses(LOST_AGAIN) || waits => {
                self.limit(carried, estimate);
                true
            }
            Some(rate) => {
                self.unused = if sent < rate / 5 * 3 {
                    self.unused + 1
                } else {
                    0
                };
                self.rate = Some(rate.saturating_add(rate / 16)).filter(|_| self.unused < UNUSED);
                false
            }
        }
    }

    /// Gives the network a little less than it carries. A player's own estimate is cautious, and may be of a moment when
    /// little was sent: it counts down to half of what has arrived.
    fn limit(&mut self, carried: u64, estimate: Option<u64>) {
        let rate = estimate.map_or(carried, |estimate| estimate.clamp(carried / 2, carried));
        let rate = self.rate.map_or(rate, |before| before.min(rate));
        self.rate = Some((rate / 8 * 7).max(LEAST));
        (self.too_narrow, self.unused) = (0, 0);
    }

    /// Bytes per second that the network is given, if it does not carry all.
    pub(super) const fn rate(&self) -> Option<u64> {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Option<Duration> = Some(Duration::from_millis(20));

    /// Reports several times a second, of packets of 1,000 bytes.
    struct Player {
        now: Instant,
        capacity: Capacity,
        highest: u32,
        lost: i32,
        sent: u64,
    }

    impl Player {
        fn new() -> Self {
            Self {
                now: Instant::now(),
                capacity: Capacity::default(),
                highest: 0xffff_ff00,
                lost: 0,
                sent: 0,
            }
        }

        /// A second in which so many packets are sent and so many of them lost. Whether the network was found too narrow.
        fn second(&mut self, sent: u32, lost: u32, round_trip: Option<Duration>) -> bool {
            let mut found = false;
            for part in 0..10 {
                self.now += Duration::from_millis(100);
                self.highest = self.highest.wrapping_add(sent / 10);
                self.sent += u64::from(sent / 10) * 1_000;
                // All that is lost is so at once.
                self.lost += if part == 3 { lost as i32 } else { 0 };
                let block = ReportBlock {
                    highest_sequence: self.highest,
                    lost: self.lost,
                    ..ReportBlock::default()
                };
                found |= self
                    .capacity
                    .report(self.now, &block, round_trip, self.sent);
            }
            found
        }

        /// A second with a stream of so many packets over a network that carries so many. What was sent and lost.
        fn stream(&mut self, offered: u32, carries: u32) -> (u32, u32) {
            let rate = self.capacity.rate().map(|rate| (rate / 1_000) as u32);
            let sent = offered.min(rate.unwrap_or(offered));
            let lost = sent.saturating_sub(carries);
            self.second(sent, lost, QUICK);
            (sent, lost)
        }
    }

    #[test]
    fn losses_that_are_mended_and_short_trouble_mean_nothing() {
        let mut player = Player::new();
        for second in 0..100 {
            let lost = if second % 3 == 0 { 90 } else { 10 };
            assert!(!player.second(100, lost, QUICK), "{second}");
        }
        assert_eq!(player.capacity.rate(), None);
    }

    #[test]
    fn a_narrow_network_is_given_what_it_carries() {
        let mut player = Player::new();
        let (mut sent, mut lost) = (0, 0);
        for second in 0..120 {
            let (now_sent, now_lost) = player.stream(300, 150);
            if second >= 10 {
                sent += now_sent;
                lost += now_lost;
            }
        }
        assert!((110 * 120..110 * 160).contains(&sent), "{sent}");
        assert!(lost * 20 < sent, "{lost} of {sent}");
        // It has become wider.
        for _ in 0..60 {
            player.stream(300, 1_000);
        }
        assert_eq!(player.capacity.rate(), None);
    }

    #[test]
    fn packets_that_wait_tell_the_same_and_sound_goes_on_whatever_is_lost() {
        let mut player = Player::new();
        player.second(100, 0, QUICK);
        let slow = Some(Duration::from_secs(2));
        assert!((0..3).any(|_| player.second(100, 0, slow)));
        assert!(player.capacity.rate().is_some_and(|rate| rate < 100_000));
        for _ in 0..100 {
            player.second(100, 100, slow);
        }
        assert_eq!(player.capacity.rate(), Some(LEAST));
    }

    #[test]
    fn what_the_player_estimates_counts_where_something_is_lost() {
        let mut player = Player::new();
        for _ in 0..10 {
            player.capacity.estimated(player.now, 400_000);
            assert!(!player.second(100, 2, QUICK));
        }
        player.capacity.estimated(player.now, 400_000);
        player.second(100, 8, QUICK);
        player.capacity.estimated(player.now, 400_000);
        assert!(player.second(100, 8, QUICK));
        assert_eq!(player.capacity.rate(), Some(50_000 / 8 * 7));
        // It is old by now.
        let mut player = Player::new();
        player.capacity.estimated(player.now, 400_000);
        player.second(100, 0, QUICK);
        for _ in 0..10 {
            player.second(100, 0, QUICK);
            assert!(!player.second(100, 8, QUICK));
        }
    }
}
