//! What one viewer is sent, and when: first the pictures since a random access point, a little at a time, then
//! everything as it comes.
//!
//! Who asks for a random access point is sent the newest one again, with what follows it, if no other has come for
//! [`PATIENCE`]: sources that can make one have made it by then, and others would let the viewer wait for long. That may
//! be much to send, and too much may be why the viewer asks, so that it has to wait longer each time.
//!
//! Pictures for a viewer that takes less than it is sent wait here, or go out as its network has room for them. They do so
//! until the next random access point, or for [`LAG`]; then they are passed over, so that what the viewer is shown is
//! whole and not old. Sound goes on.

use super::recent::Sample;
use crate::hub::ring::{Skip, SkipCause};
use media::Kind;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use webrtc::Session;

/// How long a random access point that a viewer has asked for is waited for.
const PATIENCE: Duration = Duration::from_millis(300);

/// Between two times that a viewer is sent the same again: doubled each time, up to the second.
const PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(16);

/// A viewer that was content for so long has not to wait for more than others.
const CONTENT: Duration = Duration::from_secs(30);

/// How long a viewer may be behind because it takes less than it is sent.
const LAG: Duration = Duration::from_secs(2);

/// What a viewer that takes only so much may be sent at once, in parts of what it takes in a second.
const ROOM_PER_SECOND: i64 = 16;

/// From one part to the next.
pub(super) const STEP: Duration = Duration::from_millis(5);

/// Bytes of one part: what a receiver's buffer takes, while its owner does something else; more of what is long, so that
/// nobody is behind for long.
const PART: usize = 16 << 10;
const PARTS: usize = 64;

/// How well a viewer takes what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// All of it.
    All,
    /// Less, for now: what is left waits.
    Slowly,
    /// So many bytes per second, which is less.
    Only(u64),
}

impl Takes {
    /// By what is known of the session's network.
    pub(super) fn by(session: &Session) -> Self {
        session.rate().map_or(Self::All, Self::Only)
    }
}

/// What is sent to one viewer.
#[derive(Debug, Default)]
pub(super) struct Supply {
    phase: Phase,
    /// A random access point is wanted since then.
    wanted: Option<Instant>,
    /// When the viewer began anew, and how long it has to wait before it does so again.
    again: Option<(Instant, Duration)>,
    passed_over: PassedOver,
    /// Of a viewer that takes only so much.
    room: Option<Room>,
}

/// How much may be sent now.
#[derive(Debug)]
struct Room {
    /// Below 0 after what was larger: an access unit goes out as a whole.
    bytes: i64,
    since: Instant,
}

/// What the viewer has missed so far of what it misses now.
#[derive(Debug, Default)]
struct PassedOver {
    since: Option<Instant>,
    pictures: u64,
    bytes: u64,
}

#[derive(Debug, Default)]
enum Phase {
    /// Nothing, until there is something to begin with.
    #[default]
    Waits,
    /// What it begins with, or was too slow for, and what came meanwhile; behind since then.
    CatchesUp(VecDeque<Sample>, Instant),
    /// No pictures, until the viewer takes them again and there is one to begin with.
    PassesOver,
    /// What comes.
    Follows,
}

impl Supply {
    /// Begins with these pictures, if there are any.
    pub(super) fn begin(&mut self, now: Instant, pictures: VecDeque<Sample>) {
        if !pictures.is_empty() {
            self.phase = Phase::CatchesUp(pictures, now);
        }
    }

    /// Begins anew with these.
    pub(super) fn begin_again(&mut self, now: Instant, pictures: Vec<Sample>) {
        let pause = match self.again {
            Some((at, pause)) if now.saturating_duration_since(at) < CONTENT => {
                (pause * 2).min(MAX_PAUSE)
            }
            _ => PAUSE,
        };
        self.again = Some((now, pause));
        self.wanted = None;
        self.begin(now, pictures.into());
    }

    /// The viewer wants a random access point.
    pub(super) fn want(&mut self, now: Instant) {
        self.wanted.get_or_insert(now);
    }

    /// Whether the viewer has waited for one long enough.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let since = |at| now.saturating_duration_since(at);
        let paused = self.again.is_none_or(|(at, pause)| since(at) >= pause);
        let follows = matches!(self.phase, Phase::Follows);
        follows && paused && self.wanted.is_some_and(|at| since(at) >= PATIENCE)
    }

    /// Takes what has come. Whether it is to be sent at once.
    pub(super) fn take(
        &mut self,
        now: Instant,
        sample: &Sample,
        has_video: bool,
        viewer: Takes,
    ) -> bool {
        if viewer == Takes::All {
            self.room = None;
        }
        let is_picture = sample.kind == Kind::Video;
        let begins = is_picture && sample.random_access;
        if begins {
            self.wanted = None;
        }
        match &mut self.phase {
            Phase::Waits if sample.begins(has_video) => {
                self.phase = Phase::Follows;
                true
            }
            Phase::Waits => false,
            _ if !is_picture => {
                if let Some(room) = &mut self.room {
                    room.spend(sample);
                }
                true
            }
            Phase::Follows if viewer == Takes::All => true,
            Phase::Follows => {
                self.phase = Phase::CatchesUp([sample.clone()].into(), now);
                false
            }
            Phase::CatchesUp(waiting, since) => {
                // Who takes all of it has what waits in a moment.
                if begins && viewer != Takes::All {
                    self.passed_over.add(now, waiting.drain(..));
                    *since = now;
                }
                waiting.push_back(sample.clone());
                let is_late = now.saturating_duration_since(*since) >= LAG;
                if viewer != Takes::All && is_late {
                    self.passed_over.add(now, waiting.drain(..));
                    self.phase = Phase::PassesOver;
                }
                false
            }
            Phase::PassesOver if begins && viewer == Takes::All => {
                self.phase = Phase::Follows;
                true
            }
            Phase::PassesOver if begins && matches!(viewer, Takes::Only(_)) => {
                self.phase = Phase::CatchesUp([sample.clone()].into(), now);
                false
            }
            Phase::PassesOver => {
                self.passed_over.add(now, std::iter::once(sample.clone()));
                false
            }
        }
    }

    /// What the viewer has missed, once it is shown something again.
    pub(super) fn skip(&mut self, now: Instant) -> Option<Skip> {
        let since = self.passed_over.since?;
        if matches!(self.phase, Phase::PassesOver) {
            return None;
        }
        let PassedOver {
            pictures, bytes, ..
        } = std::mem::take(&mut self.passed_over);
        Some(Skip {
            entries: pictures,
            bytes,
            time: now.saturating_duration_since(since),
            cause: SkipCause::Network,
        })
    }

    /// Whether something waits to be sent.
    pub(super) const fn is_behind(&self) -> bool {
        matches!(self.phase, Phase::CatchesUp(..))
    }

    /// The next part of what waits.
    pub(super) fn part(&mut self, now: Instant, viewer: Takes) -> Vec<Sample> {
        let Phase::CatchesUp(waiting, _) = &mut self.phase else {
            return Vec::new();
        };
        let bytes = |sample: &Sample| sample.payloads.bytes();
        let mut left = PART.max(waiting.iter().map(bytes).sum::<usize>() / PARTS);
        match viewer {
            Takes::All => self.room = None,
            Takes::Slowly => return Vec::new(),
            Takes::Only(rate) => {
                let room = self.room.get_or_insert(Room {
                    bytes: 1,
                    since: now,
                });
                room.grow(now, rate);
            }
        }
        let mut part = Vec::new();
        while left > 0
            && self.room.as_ref().is_none_or(|room| room.bytes > 0)
            && let Some(sample) = waiting.pop_front()
        {
            left = left.saturating_sub(bytes(&sample));
            if let Some(room) = &mut self.room {
                room.spend(&sample);
            }
            part.push(sample);
        }
        if waiting.is_empty() {
            self.phase = Phase::Follows;
        }
        part
    }
}

impl Room {
    /// At so many bytes per second. What is not used is not saved up for long.
    fn grow(&mut self, now: Instant, rate: u64) {
        let rate = i64::try_from(rate).unwrap_or(i64::MAX);
        let micros = now.saturating_duration_since(self.since).as_micros();
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        self.since = now;
        let grown = rate.saturating_mul(micros) / 1_000_000;
        self.bytes = self.bytes.saturating_add(grown).min(rate / ROOM_PER_SECOND);
    }

    fn spend(&mut self, sample: &Sample) {
        let bytes = i64::try_from(sample.payloads.bytes()).unwrap_or(i64::MAX);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl PassedOver {
    fn add(&mut self, now: Instant, samples: impl Iterator<Item = Sample>) {
        for sample in samples {
            self.since.get_or_insert(now);
            self.pictures += 1;
            self.bytes += sample.payloads.bytes() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::Timebase;
    use rtp::Payloads;

    fn picture(time: i64, bytes: usize) -> Sample {
        Sample {
            kind: Kind::Video,
            time,
            timebase: Timebase::VIDEO,
            payloads: Payloads::single(&vec![0; bytes]),
            random_access: time == 0,
        }
    }

    fn sound(time: i64) -> Sample {
        Sample {
            kind: Kind::Audio,
            random_access: true,
            ..picture(time, 10)
        }
    }

    /// Of a viewer that takes everything.
    fn take(supply: &mut Supply, sample: &Sample) -> bool {
        supply.take(Instant::now(), sample, true, Takes::All)
    }

    /// The next part for a viewer that takes everything.
    fn part(supply: &mut Supply) -> Vec<Sample> {
        supply.part(Instant::now(), Takes::All)
    }

    fn times(part: &[Sample]) -> Vec<i64> {
        part.iter().map(|sample| sample.time).collect()
    }

    /// A viewer that is sent everything as it comes.
    fn following() -> Supply {
        let mut supply = Supply::default();
        assert!(take(&mut supply, &picture(0, 10)));
        supply
    }

    #[test]
    fn what_it_begins_with_goes_out_in_parts_and_what_comes_waits_behind_it() {
        let mut supply = Supply::default();
        assert!(!take(&mut supply, &sound(0)));
        supply.begin(
            Instant::now(),
            (0..6).map(|time| picture(time, PART / 2)).collect(),
        );
        assert_eq!(times(&part(&mut supply)), [0, 1]);
        assert!(!take(&mut supply, &picture(6, 10)));
        // Sound has a place of its own.
        assert!(take(&mut supply, &sound(6)));
        assert_eq!(times(&part(&mut supply)), [2, 3]);
        assert_eq!(times(&part(&mut supply)), [4, 5]);
        assert!(supply.is_behind());
        assert_eq!(times(&part(&mut supply)), [6]);
        assert!(!supply.is_behind() && part(&mut supply).is_empty());
        assert!(take(&mut supply, &picture(7, 10)));
    }

    #[test]
    fn who_begins_at_the_end_of_a_group_misses_none_of_it() {
        let now = Instant::now();
        let mut supply = Supply::default();
        supply.begin(now, (1..4).map(|time| picture(time, PART)).collect());
        assert_eq!(times(&part(&mut supply)), [1]);
        assert!(!take(&mut supply, &picture(0, 10)));
        assert_eq!(supply.skip(now), None);
        assert_eq!(times(&part(&mut supply)), [2]);
        assert_eq!(times(&part(&mut supply)), [3]);
        assert_eq!(times(&part(&mut supply)), [0]);
    }

    #[test]
    fn nobody_is_behind_for_long() {
        let mut supply = Supply::default();
        // Two seconds of 80 Mbit/s, and as much to come.
        supply.begin(
            Instant::now(),
            (0..60).map(|time| picture(time, 333_333)).collect(),
        );
        let mut parts = 0;
        while supply.is_behind() {
            part(&mut supply);
            parts += 1;
            if parts % 7 == 0 {
                take(&mut supply, &picture(parts, 333_333));
            }
        }
        assert!(parts < 200, "{parts}");
    }

    #[test]
    fn without_anything_to_begin_with_it_is_the_next_random_access_point() {
        let mut supply = Supply::default();
        supply.begin(Instant::now(), VecDeque::new());
        assert!(!take(&mut supply, &picture(1, 10)));
        assert!(take(&mut supply, &picture(0, 10)));
        assert!(take(&mut supply, &picture(1, 10)));
        assert!(Supply::default().take(Instant::now(), &sound(0), false, Takes::All));
    }

    #[test]
    fn a_wish_is_granted_once_nothing_else_has_come() {
        let now = Instant::now();
        let mut supply = following();
        assert!(!supply.is_due(now + PATIENCE));
        supply.want(now);
        supply.want(now + PATIENCE / 2);
        assert!(!supply.is_due(now + PATIENCE / 2));
        assert!(supply.is_due(now + PATIENCE));
        // The source has answered.
        take(&mut supply, &picture(0, 10));
        assert!(!supply.is_due(now + PATIENCE));
    }

    #[test]
    fn wishes_are_granted_more_and_more_seldom() {
        let begun = Instant::now();
        let mut supply = following();
        let mut granted = Vec::new();
        for tenth in 0..600u32 {
            let now = begun + Duration::from_millis(100) * tenth;
            supply.want(now);
            if supply.is_due(now) {
                supply.begin_again(now, vec![picture(0, 10)]);
                part(&mut supply);
                granted.push(tenth / 10);
            }
        }
        assert_eq!(granted, [0, 1, 3, 7, 15, 31, 47]);
        let later = begun + Duration::from_secs(60) + CONTENT;
        supply.begin_again(later, vec![picture(0, 10)]);
        part(&mut supply);
        supply.want(later);
        assert!(supply.is_due(later + PAUSE));
    }

    #[test]
    fn who_takes_too_little_is_passed_over_until_there_is_something_to_begin_with() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut supply = following();
        let take = |supply: &mut Supply, millis, sample: &Sample, is_slow| {
            let viewer = if is_slow { Takes::Slowly } else { Takes::All };
            supply.take(at(millis), sample, true, viewer)
        };
        assert!(take(&mut supply, 0, &picture(1, 10), false));
        assert!(!take(&mut supply, 40, &picture(2, 10), true));
        assert!(!take(&mut supply, 80, &picture(3, 10), true));
        assert!(take(&mut supply, 80, &sound(3), true));
        // It takes them in time.
        assert_eq!(times(&part(&mut supply)), [2, 3]);
        assert!(take(&mut supply, 120, &picture(4, 10), false));
        assert_eq!(supply.skip(at(120)), None);
        // Of another random access point before that, only what follows it is left.
        assert!(!take(&mut supply, 160, &picture(5, 10), true));
        assert!(!take(&mut supply, 200, &picture(0, 10), true));
        assert_eq!(supply.skip(at(200)).map(|skip| skip.entries), Some(1));
        assert!(!take(&mut supply, 240, &picture(1, 10), true));
        assert!(!take(&mut supply, 2_200, &picture(2, 10), true));
        assert!(!supply.is_behind() && supply.skip(at(2_200)).is_none());
        // It takes them again, and what it has is whole.
        assert!(!take(&mut supply, 2_240, &picture(3, 10), false));
        assert!(take(&mut supply, 2_240, &sound(3), false));
        assert!(!take(&mut supply, 2_280, &picture(0, 10), true));
        assert!(take(&mut supply, 4_200, &picture(0, 10), false));
        let skip = supply.skip(at(4_200)).unwrap();
        assert_eq!((skip.entries, skip.bytes), (5, 50));
        assert_eq!(skip.time, Duration::from_secs(2));
        assert_eq!(supply.skip(at(4_200)), None);
    }

    #[test]
    fn who_takes_half_is_sent_the_first_half_of_each_group_in_time() {
        let begun = Instant::now();
        let mut supply = following();
        let only = Takes::Only(125_000);
        let mut seen: Vec<(i64, u64)> = Vec::new();
        let mut sounds = 0;
        // Five groups of a second, of 240,000 bytes; and sound of 10,000 bytes per second.
        for millis in (0..5_000).step_by(5) {
            let now = begun + Duration::from_millis(millis);
            if millis % 40 == 0 {
                let time = i64::try_from(millis % 1_000 / 40).unwrap();
                let bytes = if time == 0 { 48_000 } else { 8_000 };
                assert!(!supply.take(now, &picture(time, bytes), true, only));
                let mut sound = sound(time);
                sound.payloads = Payloads::single(&[0; 400]);
                assert!(supply.take(now, &sound, true, only));
                sounds += 1;
            }
            for sample in supply.part(now, only) {
                seen.push((sample.time, millis));
            }
        }
        assert_eq!(sounds, 125);
        let groups: Vec<_> = seen.chunk_by(|one, other| one.0 < other.0).collect();
        assert_eq!(groups.len(), 5);
        for group in groups {
            // From the first on, without a hole.
            let times: Vec<_> = group.iter().map(|(time, _)| *time).collect();
            let all: Vec<_> = (0..i64::try_from(times.len()).unwrap()).collect();
            assert_eq!(times, all);
            assert!((8..14).contains(&times.len()), "{times:?}");
        }
        let skip = supply.skip(begun + Duration::from_secs(5)).unwrap();
        assert!((40..70).contains(&skip.entries), "{skip:?}");
        // It takes all of it again, and what waits is sent at once.
        let now = begun + Duration::from_secs(5);
        assert!(!supply.part(now, Takes::All).is_empty());
        while supply.is_behind() {
            supply.part(now, Takes::All);
        }
        assert!(supply.take(now, &picture(25, 8_000), true, Takes::All));
    }

    #[test]
    fn of_a_group_that_does_not_end_the_rest_is_passed_over() {
        let begun = Instant::now();
        let mut supply = following();
        let only = Takes::Only(1_000);
        let mut last = 0;
        for time in 1..200 {
            let now = begun + Duration::from_millis(40) * time;
            supply.take(now, &picture(i64::from(time), 1_000), true, only);
            if !supply.part(now, only).is_empty() {
                last = time;
            }
        }
        assert!((25..75).contains(&last) && !supply.is_behind(), "{last}");
        let later = begun + LAG * 5;
        assert!(!supply.take(later, &picture(0, 10), true, only));
        assert!(supply.skip(later).is_some_and(|skip| skip.entries > 100));
        assert_eq!(times(&supply.part(begun + LAG * 6, only)), [0]);
    }
}
