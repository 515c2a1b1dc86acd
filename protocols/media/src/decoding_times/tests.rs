//! Decoding times of pictures whose places are given, in the patterns of encoders and with what goes wrong.

use super::*;
use crate::codec::g711;
use crate::{Codec, TrackId};
use proptest::prelude::*;

/// 25 pictures a second.
const INTERVAL: i64 = 3_600;

/// Decoding order of a group, by places in output order from 1, and its depth.
const PATTERNS: [(&[i64], usize); 6] = [
    (&[1], 0),
    (&[2, 1], 1),
    (&[3, 1, 2], 1),
    (&[4, 2, 1, 3], 2),
    (&[8, 4, 2, 1, 3, 6, 5, 7], 3),
    (&[4, 3, 2, 1], 3),
];

fn times() -> DecodingTimes {
    // What is read of slices is tested with the codecs: here, places are given.
    DecodingTimes::new(&Track {
        id: TrackId(0),
        codec: Codec::G711 {
            law: g711::Law::A,
            sample_rate: Timebase::VIDEO,
            channels: 1,
        },
        timebase: Timebase::VIDEO,
    })
}

fn place(sequence: u64, number: i64) -> Place {
    Place {
        sequence,
        count: number * 2,
        spacing: 2,
        leading: number != 0,
    }
}

/// Groups behind a first picture, as (sequence, number within it, number of all in output order).
fn stream(pattern: &[i64], groups: i64, groups_in_sequence: i64) -> Vec<(u64, i64, i64)> {
    let mut pictures = Vec::new();
    let mut shown = 0;
    for group in 0..groups {
        let start = group % groups_in_sequence;
        let sequence = (group / groups_in_sequence) as u64;
        if start == 0 {
            pictures.push((sequence, 0, shown));
            shown += 1;
        }
        let length = pattern.len() as i64;
        let numbers = pattern.iter().map(|number| {
            let within = start * length + number;
            (sequence, within, shown + number - 1)
        });
        pictures.extend(numbers);
        shown += length;
    }
    pictures
}

/// Stamps pictures, and asserts what is promised. Returns the decoding times.
fn stamped(
    times: &mut DecodingTimes,
    pictures: impl IntoIterator<Item = (Option<Place>, i64)>,
    told: Option<usize>,
) -> Vec<i64> {
    let mut last = i64::MIN;
    let mut all = Vec::new();
    for (place, pts) in pictures {
        let dts = times.stamp(Seen { pts, place }, told);
        assert!(dts <= pts && dts > last, "{dts} behind {last}, for {pts}");
        last = dts;
        all.push(dts);
    }
    all
}

#[test]
fn a_depth_that_is_told_holds_from_the_first_picture() {
    for (pattern, depth) in PATTERNS {
        let pictures = stream(pattern, 40, 8).into_iter();
        let pictures = pictures.map(|(sequence, number, shown)| {
            (Some(place(sequence, number)), 77 + shown * INTERVAL)
        });
        let dts = stamped(&mut times(), pictures, Some(depth));
        for (number, dts) in dts.into_iter().enumerate() {
            let expected = 77 + (number as i64 - depth as i64) * INTERVAL;
            assert_eq!(dts, expected, "{pattern:?}");
        }
    }
}

#[test]
fn a_depth_that_is_not_told_is_learnt_within_the_first_group() {
    for (pattern, depth) in PATTERNS {
        let pictures = stream(pattern, 40, 8).into_iter();
        let pictures = pictures
            .map(|(sequence, number, shown)| (Some(place(sequence, number)), shown * INTERVAL));
        let mut times = times();
        let dts = stamped(&mut times, pictures, None);
        assert_eq!(times.depth, depth, "{pattern:?}");
        let late = depth as i64;
        for (number, dts) in dts.into_iter().enumerate().skip(1 + pattern.len()) {
            assert_eq!(dts, (number as i64 - late) * INTERVAL, "{pattern:?}");
        }
    }
}

#[test]
fn without_places_the_depth_is_learnt_from_times() {
    let (pattern, depth) = PATTERNS[3];
    let mut times = times();
    let mut last = i64::MIN;
    for (index, (_, _, shown)) in stream(pattern, 20, 20).into_iter().enumerate() {
        let pts = shown * INTERVAL;
        let dts = times.stamp(Seen { pts, place: None }, None);
        assert!(dts <= pts);
        // The first group is what is learnt from.
        assert!(index <= 5 || dts > last, "{index}");
        last = dts;
    }
    assert_eq!(times.depth, depth);
}

#[test]
fn jitter_of_pictures_in_order_is_no_reordering() {
    let mut times = times();
    for number in 0..100 {
        let pts = number * INTERVAL + if number % 7 == 3 { 2 * INTERVAL } else { 0 };
        let place = Some(place(0, number));
        let dts = times.stamp(Seen { pts, place }, Some(0));
        assert_eq!(dts, pts);
    }
    assert_eq!(times.depth, 0);
}

#[test]
fn a_stream_that_is_joined_at_an_open_group_has_growing_times() {
    // A random access point, three pictures that lead it, and groups behind it.
    let numbers = [4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11];
    let pictures = numbers.map(|number| (Some(place(1, number)), number * INTERVAL));
    let dts = stamped(&mut times(), pictures, Some(2));
    assert_eq!(dts[2..6], [1, 2, 3, 4].map(|number| number * INTERVAL));
}

#[test]
fn jumps_and_pauses_begin_anew() {
    let (pattern, depth) = PATTERNS[2];
    for jump in [
        -90_000 * 3_600,
        -90_000 * 10,
        90_000 * 3,
        90_000 * 11,
        90_000 * 3_600,
    ] {
        let mut times = times();
        let before = stream(pattern, 8, 8);
        let of = |from: i64| {
            let pictures = before.clone().into_iter();
            pictures.map(move |(_, number, shown)| {
                (
                    Some(place(from as u64, number)),
                    from * 1_000_000 + shown * INTERVAL,
                )
            })
        };
        stamped(&mut times, of(0), Some(depth));
        let start = times.recent.iter().map(|seen| seen.pts).max().unwrap();
        let pictures = of(1).map(|(place, pts)| (place, pts - 1_000_000 + start + jump));
        let dts = stamped(&mut times, pictures, Some(depth));
        // As late as before, and no time from before the jump.
        let start = start + jump;
        assert_eq!(dts[5], start + (5 - depth as i64) * INTERVAL, "{jump}");
        assert!(dts[0] < start && dts[0] > start - 2 * INTERVAL, "{jump}");
    }
}

proptest! {
    /// Any pattern, told or not, with pictures missing and the count beginning anew: times grow, and are
    /// not after presentation. What is not told is learnt from the first group, which is whole.
    #[test]
    fn times_grow_whatever_is_lost(
        pattern in 0..PATTERNS.len(),
        groups in 2i64..12,
        in_sequence in 1i64..12,
        is_told in any::<bool>(),
        lost in proptest::collection::vec(any::<u8>(), 120),
    ) {
        let (pattern, depth) = PATTERNS[pattern];
        let pictures = stream(pattern, groups, in_sequence).into_iter().enumerate();
        let whole = if is_told { 0 } else { pattern.len() };
        let pictures = pictures.filter(|(index, _)| *index <= whole || lost[*index] > 30);
        let pictures = pictures.map(|(_, (sequence, number, shown))| {
            (Some(place(sequence, number)), shown * INTERVAL)
        });
        let mut times = times();
        stamped(&mut times, pictures, is_told.then_some(depth));
        prop_assert!(times.depth <= MAX_DEPTH);
        prop_assert!(times.waiting.len() <= times.depth);
    }

    /// Any times and places: no panic, nothing after presentation, bounded memory.
    #[test]
    fn any_times_are_borne(pictures in proptest::collection::vec(
        (any::<i64>(), proptest::option::of((0u64..3, -100i64..100, 1i64..3))), 1..200
    )) {
        let mut times = times();
        for (pts, place) in pictures {
            let place = place.map(|(sequence, count, spacing)| Place {
                sequence, count, spacing, leading: count % 2 == 0,
            });
            let dts = times.stamp(Seen { pts, place }, None);
            prop_assert!(dts <= pts);
            prop_assert!(times.recent.len() <= MAX_DEPTH && times.waiting.len() <= MAX_DEPTH);
        }
    }
}
