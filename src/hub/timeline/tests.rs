//! Times of sources as they should be and as they are, and what readers get.

use super::drift::TOLERANCE_MICROS;
use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);

fn unit(track: TrackId, dts: i64, pts: i64) -> AccessUnit {
    AccessUnit {
        track,
        dts,
        pts,
        random_access: false,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload: Bytes::new(),
    }
}

/// Places a unit that arrived at `arrived`, all in milliseconds.
fn place_at(timeline: &mut Timeline, track: TrackId, millis: i64, arrived: i64) -> AccessUnit {
    let mut unit = unit(track, millis, millis);
    let arrival = Arrival {
        timebase: Timebase::MILLIS,
        leads: track == VIDEO,
        micros: arrived * 1_000,
    };
    timeline.place(&mut unit, arrival);
    unit
}

fn place(timeline: &mut Timeline, track: TrackId, millis: i64) -> AccessUnit {
    place_at(timeline, track, millis, 0)
}

fn place_in(timeline: &mut Timeline, unit: &mut AccessUnit, timebase: Timebase) {
    let arrival = Arrival {
        timebase,
        leads: true,
        micros: 0,
    };
    timeline.place(unit, arrival);
}

#[test]
fn a_stream_begins_at_the_origin_and_keeps_its_distances() {
    let mut timeline = Timeline::default();
    let times: Vec<i64> = [70_000, 70_033, 70_066]
        .iter()
        .map(|dts| place(&mut timeline, VIDEO, *dts).dts)
        .collect();
    assert_eq!(times, [1_000, 1_033, 1_066]);
    assert_eq!(place(&mut timeline, AUDIO, 69_990).dts, 990);
    assert_eq!(timeline.repairs().total(), 0);
}

#[test]
fn a_repeated_or_slightly_backward_time_moves_up_one_tick() {
    let mut timeline = Timeline::default();
    let times: Vec<i64> = [0, 40, 40, 30, 80]
        .iter()
        .map(|dts| place(&mut timeline, VIDEO, *dts).dts)
        .collect();
    assert_eq!(times, [1_000, 1_040, 1_041, 1_042, 1_080]);
    assert_eq!(timeline.repairs().not_growing, 2);
}

#[test]
fn jumps_both_ways_are_joined_for_all_tracks_with_one_repair() {
    for jump in [-3_600_000i64, -10_000, -2_000, 10_001, 3_600_000] {
        let mut timeline = Timeline::default();
        place(&mut timeline, VIDEO, 5_000_000);
        place(&mut timeline, AUDIO, 5_000_010);
        let video = place(&mut timeline, VIDEO, 5_000_040 + jump);
        assert_eq!((video.dts, video.discontinuity), (1_050, true), "{jump}");
        // A late unit from before the jump, then the first of the other track from behind it.
        assert_eq!(place(&mut timeline, AUDIO, 5_000_030).dts, 1_030);
        assert_eq!(place(&mut timeline, AUDIO, 5_000_050 + jump).dts, 1_060);
        assert_eq!(timeline.repairs().jumps, 1, "{jump}");
    }
}

#[test]
fn a_pause_behind_a_jump_stays_a_pause() {
    let mut timeline = Timeline::default();
    for time in 0..100 {
        place(&mut timeline, VIDEO, 50_000 + time * 40);
        place(&mut timeline, AUDIO, 50_000 + time * 40);
    }
    let last = (0..100).map(|time| {
        place(&mut timeline, VIDEO, time * 40);
        place(&mut timeline, AUDIO, time * 40).dts
    });
    let last = last.last().unwrap();
    // With the shift from before the jump, this would be no pause.
    let next = place(&mut timeline, VIDEO, 99 * 40 + 9_000).dts;
    assert_eq!((next - last, timeline.repairs().jumps), (9_000, 1));
}

#[test]
fn the_clock_of_one_track_may_jump_alone() {
    let mut timeline = Timeline::default();
    let mut offset = 0;
    for time in 0..2_000i64 {
        if time % 500 == 499 {
            offset += 3_600_000;
        }
        let video = place(&mut timeline, VIDEO, time * 40).dts;
        let audio = place(&mut timeline, AUDIO, time * 40 + offset).dts;
        assert_eq!(video, 1_000 + time * 40);
        assert!((audio - video).abs() <= 4 * 40, "{time}: {}", audio - video);
    }
    assert_eq!(timeline.repairs().jumps, 4);
}

#[test]
fn a_gap_is_not_a_jump() {
    let mut timeline = Timeline::default();
    place(&mut timeline, VIDEO, 0);
    assert_eq!(place(&mut timeline, VIDEO, 9_000).dts, 10_000);
    assert_eq!(timeline.repairs().total(), 0);
}

#[test]
fn a_track_that_stood_still_comes_back_beside_the_others() {
    for still in [5, 30, 3_600] {
        let mut timeline = Timeline::default();
        place(&mut timeline, AUDIO, 0);
        for time in 0..still * 25 {
            place(&mut timeline, VIDEO, time * 40);
        }
        assert_eq!(
            place(&mut timeline, AUDIO, still * 1_000).dts,
            1_000 + still * 1_000
        );
        assert_eq!(timeline.repairs().total(), 0);
    }
}

#[test]
fn a_track_may_begin_in_the_past_of_another() {
    let mut timeline = Timeline::default();
    (0..200).for_each(|time| {
        place(&mut timeline, VIDEO, time * 40);
    });
    assert_eq!(place(&mut timeline, AUDIO, 7).dts, 1_007);
    assert_eq!(timeline.repairs().total(), 0);
}

#[test]
fn a_new_source_continues_where_the_last_one_stopped() {
    let mut timeline = Timeline::default();
    place(&mut timeline, AUDIO, 99_000);
    place(&mut timeline, VIDEO, 100_000);
    timeline.new_source();
    let unit = place(&mut timeline, VIDEO, 7);
    assert_eq!((unit.dts, unit.discontinuity), (2_040, true));
    let sound = place(&mut timeline, AUDIO, 7);
    assert_eq!((sound.dts, sound.discontinuity), (2_040, true));
    assert!(!place(&mut timeline, VIDEO, 47).discontinuity);
    assert_eq!(timeline.repairs().total(), 0);
}

#[test]
fn a_picture_is_presented_neither_before_it_is_decoded_nor_much_later() {
    let mut timeline = Timeline::default();
    for composition in [-40, 10_001, 1 << 40] {
        let mut wrong = unit(VIDEO, 100, 100 + composition);
        place_in(&mut timeline, &mut wrong, Timebase::MILLIS);
        assert_eq!(wrong.pts, wrong.dts);
    }
    let mut right = unit(VIDEO, 200, 10_200);
    place_in(&mut timeline, &mut right, Timebase::MILLIS);
    assert_eq!(right.pts - right.dts, 10_000);
    let repairs = timeline.repairs();
    assert_eq!(
        (repairs.presented_before_decoded, repairs.presented_too_late),
        (1, 2)
    );
}

#[test]
fn a_track_may_change_its_timebase() {
    let mut timeline = Timeline::default();
    place(&mut timeline, VIDEO, 0);
    let mut next = unit(VIDEO, 90 * 40, 90 * 40);
    place_in(&mut timeline, &mut next, Timebase::VIDEO);
    assert_eq!(next.dts, 90 * 1_040);
}

/// What a source says of when its units were captured.
#[derive(Clone, Copy, Debug)]
enum Capture {
    Nothing,
    /// Of its sound alone.
    Sound,
    /// Of pictures and sound, by clocks that are so many milliseconds apart.
    Both(u64),
}

impl Capture {
    fn tell(self, unit: &mut AccessUnit, captured: i64) {
        let apart = match (self, unit.track) {
            (Self::Sound, AUDIO) | (Self::Both(_), VIDEO) => 0,
            (Self::Both(apart), _) => apart,
            (Self::Nothing | Self::Sound, _) => return,
        };
        let since_epoch = Duration::from_millis(captured as u64 + apart);
        unit.capture = Some(SystemTime::UNIX_EPOCH + since_epoch);
    }
}

/// A day, in which the sound's clock runs off by `parts` in a million and its delay grows by as much as `delay`
/// says. Returns the largest distance between units that were captured at the same time.
fn day(parts: i64, capture: Capture, delay: impl Fn(i64) -> i64) -> (i64, Repairs) {
    let mut timeline = Timeline::default();
    let mut largest = 0;
    for time in 0..86_400 * 5i64 {
        let captured = time * 200;
        // The network delays by up to 150 ms, now and then by nothing.
        let arrived = captured + time * 37 % 150;
        let mut place = |track: TrackId, said: i64, arrived: i64| {
            let mut unit = unit(track, said, said);
            capture.tell(&mut unit, captured);
            let arrival = Arrival {
                timebase: Timebase::MILLIS,
                leads: track == VIDEO,
                micros: arrived * 1_000,
            };
            timeline.place(&mut unit, arrival);
            unit.dts
        };
        let video = place(VIDEO, captured, arrived);
        let drifted = captured + captured * parts / 1_000_000;
        let sound = place(AUDIO, drifted, arrived + 5 + delay(captured));
        largest = largest.max((sound - video).abs());
    }
    (largest, timeline.repairs())
}

#[test]
fn tracks_that_drift_apart_for_a_day_stay_together() {
    // Times of capture do not help that belong to one track or to two clocks.
    for capture in [Capture::Nothing, Capture::Sound, Capture::Both(10_000)] {
        for parts in [1_000, -1_000, 50] {
            let (largest, repairs) = day(parts, capture, |_| 0);
            assert!(
                largest * 1_000 <= TOLERANCE_MICROS + 80_000,
                "{capture:?} {parts}: {largest} ms"
            );
            assert!(
                repairs.drifts > 10 && repairs.total() == repairs.drifts,
                "{repairs:?}"
            );
        }
    }
    assert_eq!(day(0, Capture::Nothing, |_| 0), (0, Repairs::default()));
}

#[test]
fn a_jump_may_set_clocks_that_drifted_to_one_again_or_not() {
    for is_set in [true, false] {
        let mut timeline = Timeline::default();
        let mut pair = |video: i64, sound: i64, arrived: i64| {
            let video = place_at(&mut timeline, VIDEO, video, arrived).dts;
            (place_at(&mut timeline, AUDIO, sound, arrived).dts - video).abs()
        };
        // An hour in which the sound runs off by 3.6 s.
        let drifted = |captured: i64| captured + captured / 1_000;
        for time in 0..3_600 * 25 {
            let captured = time * 40;
            assert!(pair(captured, drifted(captured), captured) <= 160);
        }
        for time in 3_600 * 25..3_700 * 25 {
            let captured = time * 40;
            let sound = if is_set { captured } else { drifted(captured) };
            // The clock of the source jumps by two hours, but units arrive as before.
            let video = captured + 7_200_000;
            let apart = pair(video, sound + 7_200_000, captured);
            assert!(apart <= 250, "{is_set}: {apart} at {time}");
        }
        let repairs = timeline.repairs();
        assert!(
            repairs.jumps <= 2 && repairs.not_growing == 0,
            "{repairs:?}"
        );
    }
}

#[test]
fn a_source_that_puts_its_tracks_together_by_times_of_capture_is_left_alone() {
    // The sound comes later and later, as if it drifted.
    let delay = |captured: i64| captured / 100_000;
    assert_eq!(day(0, Capture::Both(30), delay), (0, Repairs::default()));
    assert!(day(0, Capture::Nothing, delay).1.drifts > 0);
}

#[test]
fn a_burst_at_the_start_and_a_stall_of_the_network_are_no_drift() {
    let mut timeline = Timeline::default();
    for time in 0..25 * 300i64 {
        let captured = time * 40;
        let arrived = match captured {
            // Twenty seconds at once, and all that waited while the network stood still.
            0..20_000 => captured / 100,
            100_000..130_000 => 130_000,
            later => later,
        };
        let video = place_at(&mut timeline, VIDEO, captured, arrived).dts;
        let audio = place_at(&mut timeline, AUDIO, captured, arrived + 20).dts;
        assert_eq!(video, audio);
    }
    assert_eq!(timeline.repairs().total(), 0);
}

/// What may go wrong at one moment.
#[derive(Clone, Debug)]
enum Fault {
    None,
    /// The clock of the source jumps, for all tracks.
    Jump(i64),
    /// The source sends nothing for so long.
    Pause(i64),
    /// One track sends nothing for so long.
    Stall(TrackId, i64),
    /// A decoding time is repeated, or goes back a little.
    Back(TrackId, i64),
    /// A presentation time that cannot be.
    Composition(i64),
    /// Another source takes over.
    NewSource(i64),
}

fn fault() -> impl Strategy<Value = Fault> {
    let track = || (0u16..2).prop_map(TrackId);
    let jump = prop_oneof![
        Just(10_000i64),
        Just(-10_000),
        Just(3_600_000),
        Just(-3_600_000),
        -(1i64 << 45)..1 << 45
    ];
    prop_oneof![
        4 => Just(Fault::None),
        1 => jump.prop_map(Fault::Jump),
        1 => (0i64..9_000).prop_map(Fault::Pause),
        1 => (track(), 0i64..30_000).prop_map(|(track, length)| Fault::Stall(track, length)),
        1 => (track(), 0i64..1_000).prop_map(|(track, step)| Fault::Back(track, step)),
        1 => any::<i64>().prop_map(Fault::Composition),
        1 => (0i64..1 << 32).prop_map(Fault::NewSource),
    ]
}

proptest! {
    /// Whatever a source says, times grow, and presentation follows decoding.
    #[test]
    fn any_times_come_out_in_order(faults in proptest::collection::vec((0u16..2, -(1i64 << 50)..1 << 50, -1_000_000i64..1_000_000, any::<bool>()), 1..300)) {
        let mut timeline = Timeline::default();
        let mut last = [None; 2];
        let mut newest = 1_000;
        let mut clock = 0i64;
        for (track, wild, step, tame) in faults {
            clock = if tame { clock.wrapping_add(step / 1_000) } else { wild };
            let mut unit = unit(TrackId(track), clock, clock.wrapping_add(step));
            place_in(&mut timeline, &mut unit, Timebase::MILLIS);
            prop_assert!(unit.pts >= unit.dts && unit.pts - unit.dts <= 12_000);
            prop_assert!(unit.dts >= 0 && unit.dts - newest <= MAX_FORWARD_MICROS / 1_000);
            if let Some(last) = last[usize::from(track)] {
                prop_assert!(unit.dts > last);
            }
            last[usize::from(track)] = Some(unit.dts);
            newest = newest.max(unit.dts);
        }
    }

    /// Any faults of a source with two tracks whose clocks drift apart: nothing is lost, times grow, and two
    /// seconds after a fault what was captured at one time lies within 50 ms and the drift again; after two
    /// minutes without a fault, within 160 ms more.
    #[test]
    fn tracks_stay_together(faults in proptest::collection::vec(fault(), 1..12), parts in -1_000i64..=1_000) {
        let mut timeline = Timeline::default();
        let mut last = [i64::MIN; 2];
        let mut offset = 0i64;
        let mut now = 0i64;
        let mut began = 0;
        let calm = std::iter::repeat_n(Fault::None, 24);
        let calm_from = faults.len();
        for (place, fault) in faults.into_iter().chain(calm).enumerate() {
            let (mut stalled, mut back, mut composition) = (None, None, 0);
            let mut length = 5_000;
            match fault {
                Fault::None => {}
                Fault::Jump(jump) => offset += jump,
                Fault::Pause(pause) => now += pause,
                Fault::Stall(track, still) => {
                    stalled = Some((track, now + still));
                    length += still;
                }
                Fault::Back(track, step) => back = Some((track, step)),
                Fault::Composition(wrong) => composition = wrong,
                Fault::NewSource(start) => {
                    timeline.new_source();
                    offset = start - now;
                    began = now;
                }
            }
            let begun = now;
            while now < begun + length {
                let mut placed = [None; 2];
                for track in [VIDEO, AUDIO] {
                    if stalled.is_some_and(|(still, until)| still == track && now < until) {
                        continue;
                    }
                    let step = back.take_if(|(which, _)| *which == track);
                    let drift = if track == AUDIO { (now - began) * parts / 1_000_000 } else { 0 };
                    let source = now + offset + drift - step.map_or(0, |(_, step)| step);
                    let mut unit = unit(track, source, source.saturating_add(std::mem::take(&mut composition)));
                    let arrival = Arrival { timebase: Timebase::MILLIS, leads: track == VIDEO, micros: now * 1_000 };
                    timeline.place(&mut unit, arrival);
                    let last = &mut last[usize::from(track.0)];
                    prop_assert!(unit.dts > *last && unit.pts >= unit.dts);
                    *last = unit.dts;
                    placed[usize::from(track.0)] = Some(unit.dts);
                }
                let whole = stalled.map_or(begun, |(_, until)| until);
                if let [Some(video), Some(audio)] = placed && now > whole + 2_000 {
                    let drift = (now - began) * parts.abs() / 1_000_000;
                    let drift = if place >= calm_from + 22 { drift.min(160) } else { drift };
                    prop_assert!((video - audio).abs() <= 50 + drift, "{now}: {video} {audio}");
                }
                now += 40;
            }
        }
    }
}
