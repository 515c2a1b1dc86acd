//! Where segments end.

use super::*;

#[test]
fn segments_end_at_random_access_points_on_all_tracks() {
    let mut segmenter = started(true);
    run(&mut segmenter, 11, 25);
    assert_eq!(durations(&segmenter, VIDEO), [2_000; 5]);
    assert_eq!(segmenter.target(), Some(2));
    for millis in durations(&segmenter, AUDIO) {
        assert!((1_970..=2_030).contains(&millis), "{millis}");
    }
    let (video, audio) = (
        segmenter.rendition(VIDEO).unwrap(),
        segmenter.rendition(AUDIO).unwrap(),
    );
    assert_eq!(video.open_number, 105);
    assert_eq!(video.segments.len(), audio.segments.len());
    for segment in &video.segments {
        assert!(segment.parts[0].independent);
        assert!(
            segment
                .parts
                .iter()
                .all(|part| part.duration <= Duration::from_millis(500))
        );
        // Up to the rounding of the audio's arrival times.
        let begun = segment.program_date_time + Duration::from_millis(2);
        let expected = at((segment.number as i64 - 100) * 2_000);
        assert!((expected..expected + Duration::from_millis(3)).contains(&begun));
    }
    assert!(!video.segments[0].parts[1].independent);
}

#[test]
fn behind_a_seam_a_segment_begins_at_its_own_time() {
    let mut segmenter = started(true);
    run(&mut segmenter, 5, 25);
    // Seven seconds later, captured half a second before it arrives.
    for picture in 0..75 {
        let time = 5_000 + picture * 40;
        let mut unit = unit(VIDEO, time, picture % 25 == 0, 100);
        unit.pts += 80;
        unit.discontinuity = picture == 0;
        unit.capture = Some(at(time + 7_000));
        segmenter.push(&unit, at(time + 7_500));
    }
    let video = segmenter.rendition(VIDEO).unwrap();
    let begun = video.segments.iter().map(|segment| {
        let wall = segment.program_date_time.duration_since(at(0));
        (wall.unwrap().as_millis(), segment.duration.as_millis())
    });
    let begun: Vec<_> = begun.collect();
    assert_eq!(begun[..3], [(0, 2_000), (2_000, 2_000), (4_000, 1_000)]);
    assert_eq!(begun[3], (12_000, 2_000));
    assert!(video.segments.iter().all(|segment| !segment.discontinuity));
    let told = |segment: &Segment| segment.parts[0].bytes[4..8] == *b"prft";
    let told: Vec<bool> = video.segments.iter().map(|segment| told(segment)).collect();
    assert_eq!(told[..4], [false, false, false, true]);
}

#[test]
fn a_gop_longer_than_the_target_is_cut_without_one() {
    let mut segmenter = started(true);
    run(&mut segmenter, 31, 250);
    let durations = durations(&segmenter, VIDEO);
    assert_eq!(durations[..2], [6_000, 4_000]);
    assert!(
        durations.iter().all(|millis| *millis < 6_500),
        "{durations:?}"
    );
    assert_eq!(segmenter.target(), Some(6));
}

#[test]
fn pictures_that_stand_long_make_no_segment_too_long() {
    let mut segmenter = started(true);
    run(&mut segmenter, 5, 50);
    assert_eq!(segmenter.target(), Some(2));
    // One picture a second, and a random access point every five.
    for second in 5..30 {
        let time = second * 1_000;
        segmenter.push(&unit(VIDEO, time, second % 5 == 0, 100), at(time));
    }
    segmenter.finish();
    let durations = durations(&segmenter, VIDEO);
    assert!(
        durations.iter().all(|millis| *millis < 2_500),
        "{durations:?}"
    );
    assert!(durations.len() > 5, "{durations:?}");
}

#[test]
fn pictures_seconds_apart_are_no_holes_but_the_first() {
    let mut segmenter = started(true);
    for number in 0..40 {
        let time = number * 1_500;
        segmenter.push(&unit(VIDEO, time, true, 100), at(time));
    }
    let durations = durations(&segmenter, VIDEO);
    assert_eq!(segmenter.target(), Some(2));
    let last = &durations[durations.len() - 5..];
    assert_eq!(last, [1_500; 5], "{durations:?}");
}

#[test]
fn sound_is_served_where_pictures_were_announced_and_do_not_come() {
    let mut segmenter = started(true);
    for frame in 0..48_000 * 20 / 1_024 {
        let time = frame * 1_024;
        segmenter.push(&unit(AUDIO, time, true, 200), at(time / 48));
    }
    let longest = durations(&segmenter, AUDIO).into_iter().max().unwrap();
    let target = segmenter.target().unwrap();
    assert!(
        u128::from(target) * 1_000 + 500 > longest,
        "{target} {longest}"
    );
    let snapshot = crate::segment::Snapshot::of(&segmenter, &Settings::default(), 1, false);
    assert_eq!(snapshot.target, Some(target));
    assert_eq!(snapshot.renditions.len(), 1);
}

#[test]
fn a_configuration_that_changes_with_every_picture_leaves_a_target() {
    let mut segmenter = started(false);
    for number in 0..60 {
        let mut set = tracks(2 + number as u64, false);
        if number % 2 == 0 {
            let config = aac::Config::low_complexity(48_000, 1).unwrap();
            set.tracks[0].codec = Codec::Aac(config);
        }
        segmenter.set_tracks(&set);
        let time = number * 4_096;
        segmenter.push(&unit(AUDIO, time, true, 100), at(time / 48));
    }
    assert_eq!(segmenter.target(), Some(2));
}

#[test]
fn a_track_of_another_kind_begins_under_numbers_of_its_own() {
    let mut segmenter = started(true);
    run(&mut segmenter, 5, 25);
    let mut set = tracks(2, true);
    // The publisher that came then tells its sound first.
    let ids: Vec<TrackId> = set.tracks.iter().rev().map(|track| track.id).collect();
    for (track, id) in set.tracks.iter_mut().zip(ids) {
        track.id = id;
    }
    segmenter.set_tracks(&set);
    for (track, kind) in [(VIDEO, media::Kind::Audio), (AUDIO, media::Kind::Video)] {
        let rendition = segmenter.rendition(track).unwrap();
        assert_eq!(rendition.track.kind(), kind);
        assert!(rendition.segments.is_empty() && rendition.open_number > 102);
    }
}

#[test]
fn a_random_access_point_is_wanted_once_for_each_segment_that_is_too_long() {
    let mut segmenter = started(true);
    run(&mut segmenter, 5, 50);
    assert_eq!(segmenter.target(), Some(2));
    assert!(!segmenter.wants_random_access());
    let mut wishes = Vec::new();
    for millis in (5_000..7_400).step_by(40) {
        segmenter.push(&unit(VIDEO, millis, millis == 6_600, 1_000), at(millis));
        if segmenter.wants_random_access() {
            wishes.push(millis);
        }
    }
    // The open segment began at 4 s and is told its length by the unit behind it.
    assert_eq!(wishes, [6_040]);
}

#[test]
fn a_segment_that_begins_with_intra_refresh_is_not_called_independent() {
    let begins = |payload: &'static [u8]| {
        let mut segmenter = started(true);
        for picture in 0..60 {
            let mut unit = unit(VIDEO, picture * 40, picture % 50 == 0, 0);
            unit.payload = Bytes::from_static(payload);
            segmenter.push(&unit, at(picture * 40));
        }
        let video = segmenter.rendition(VIDEO).unwrap();
        video.segments[0].parts[0].independent
    };
    assert!(begins(&[0, 0, 0, 1, 0x65]));
    let open = &[0, 0, 0, 4, 6, 6, 1, 0xc4, 0, 0, 0, 1, 0x41];
    let refresh = &[0, 0, 0, 5, 6, 6, 2, 0x04, 0xa4, 0, 0, 0, 1, 0x41];
    assert!(begins(open));
    assert!(!begins(refresh));
}

#[test]
fn audio_alone_leads_itself() {
    let mut segmenter = started(false);
    for frame in 0..500 {
        segmenter.push(
            &unit(AUDIO, frame * 1_024, true, 200),
            at(frame * 1_024 / 48),
        );
    }
    assert!(
        durations(&segmenter, AUDIO)
            .iter()
            .all(|millis| (2_000..2_030).contains(millis))
    );
    assert_eq!(segmenter.target(), Some(2));
}

#[test]
fn segments_of_equal_length_are_known_until_one_is_longer() {
    let mut segmenter = started(true);
    run(&mut segmenter, 9, 50);
    let grid = |segmenter: &Segmenter, track| segmenter.rendition(track).unwrap().grid.unwrap();
    let video = grid(&segmenter, VIDEO);
    assert_eq!(
        (video.number, video.start, video.ticks, video.count),
        (100, 0, 2_000, 4)
    );
    assert_eq!(video.program_date_time, at(0));
    assert_eq!(video.begins(103), 6_000);
    assert!(grid(&segmenter, AUDIO).count >= 3);
    // From 8 s on a random access point each three seconds.
    for millis in (9_000..15_000).step_by(40) {
        let random_access = (millis - 8_000) % 3_000 < 40;
        segmenter.push(&unit(VIDEO, millis, random_access, 1_000), at(millis));
    }
    let video = grid(&segmenter, VIDEO);
    assert!(video.number >= 104 && video.count <= 2, "{video:?}");
}

#[test]
fn a_hole_ends_the_segment_and_keeps_the_times() {
    let mut segmenter = started(true);
    run(&mut segmenter, 3, 25);
    segmenter.push(&unit(VIDEO, 8_000, true, 1_000), at(8_000));
    let video = segmenter.rendition(VIDEO).unwrap();
    assert_eq!(durations(&segmenter, VIDEO), [2_000, 1_000]);
    assert_eq!(video.segments.back().unwrap().number, 101);
}

#[test]
fn the_end_completes_everything() {
    let mut segmenter = started(true);
    run(&mut segmenter, 1, 25);
    assert_eq!(segmenter.target(), None);
    segmenter.finish();
    assert_eq!(durations(&segmenter, VIDEO), [1_000]);
    assert_eq!(segmenter.target(), Some(1));
}
