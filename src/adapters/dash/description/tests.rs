//! Descriptions of streams that a segmenter has cut.

use super::*;
use crate::hub::TrackSet;
use crate::segment::{Segmenter, Settings};
use bytes::Bytes;
use media::codec::{aac, h264};
use media::{AccessUnit, Track as MediaTrack, TrackId};

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);
const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];

/// Time on the wall at media time 0.
fn epoch() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_300)
}

fn tracks(generation: u64, pps: u8) -> TrackSet {
    let sps = vec![Bytes::from_static(SPS)];
    let video = h264::Config::new(sps, vec![Bytes::from(vec![0x68, pps])]).unwrap();
    let audio = aac::Config::low_complexity(48_000, 2).unwrap();
    let video = MediaTrack {
        id: VIDEO,
        timebase: Timebase::MILLIS,
        codec: Codec::H264(video),
    };
    let audio = MediaTrack {
        id: AUDIO,
        timebase: audio.sample_rate,
        codec: Codec::Aac(audio),
    };
    TrackSet {
        generation,
        tracks: vec![video, audio],
    }
}

/// From one second of media time to another: 25 pictures per second, a random access point each second, and sound. They
/// arrive so much later than before, behind a seam.
fn run(segmenter: &mut Segmenter, seconds: std::ops::Range<i64>, later: Duration, sound: bool) {
    run_behind(true, segmenter, seconds, later, sound);
}

/// The same behind a seam or without.
fn run_behind(
    seam: bool,
    segmenter: &mut Segmenter,
    seconds: std::ops::Range<i64>,
    later: Duration,
    sound: bool,
) {
    for millis in (seconds.start * 1_000..seconds.end * 1_000).step_by(20) {
        let unit = |track, dts, random_access| AccessUnit {
            track,
            dts,
            pts: dts,
            random_access,
            disposable: false,
            discontinuity: seam && millis == seconds.start * 1_000 && track == VIDEO,
            capture: None,
            payload: Bytes::from_static(&[0; 100]),
        };
        let now = epoch() + Duration::from_millis(millis as u64) + later;
        if millis % 40 == 0 {
            segmenter.push(&unit(VIDEO, millis, millis % 1_000 == 0), now);
        }
        if sound {
            segmenter.push(&unit(AUDIO, millis * 48, true), now);
        }
    }
}

fn describe(segmenter: &Segmenter) -> String {
    let snapshot = Snapshot::of(segmenter, &Settings::default(), 1, false);
    of(&snapshot, "cam")
}

fn attributes<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let pattern = format!(" {name}=\"");
    let rest = text.split(pattern.as_str()).skip(1);
    rest.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn the_first_period_begins_a_second_early_and_time_counts_from_near_it() {
    let mut segmenter = Segmenter::new(Settings::default(), 7);
    segmenter.set_tracks(&tracks(1, 1));
    run(&mut segmenter, 1..8, Duration::ZERO, true);
    let text = describe(&segmenter);
    // The first picture came 1.3 s behind a whole second.
    let expected = [
        ("availabilityStartTime", vec!["2023-11-14T22:13:20.000Z"]),
        ("start", vec!["PT0.3S"]),
        ("presentationTimeOffset", vec!["0", "0"]),
        ("timeShiftBufferDepth", vec!["PT14S"]),
        ("minimumUpdatePeriod", vec!["PT1S"]),
        ("target", vec!["7000"]),
        (
            "media",
            vec!["video_7_$Time$.m4s?{passed}", "audio_7_$Time$.m4s?{passed}"],
        ),
        ("t", vec!["1000", "48000"]),
    ];
    for (name, values) in expected {
        assert_eq!(attributes(&text, name), values, "{name} in {text}");
    }
}

#[test]
fn time_that_was_lost_is_a_gap_in_front_of_the_next_period() {
    let mut segmenter = Segmenter::new(Settings::default(), 7);
    segmenter.set_tracks(&tracks(1, 1));
    run(&mut segmenter, 1..6, Duration::ZERO, true);
    run(&mut segmenter, 6..11, Duration::from_secs(8), true);
    let text = describe(&segmenter);
    assert_eq!(attributes(&text, "start"), ["PT0.3S", "PT14.3S"], "{text}");
    assert_eq!(attributes(&text, "id")[..2], ["0", "0"], "{text}");
    assert_eq!(
        attributes(&text, "presentationTimeOffset"),
        ["0", "0", "6000", "288000"]
    );
}

#[test]
fn a_period_is_not_told_of_before_all_its_tracks_are_there() {
    let mut segmenter = Segmenter::new(Settings::default(), 7);
    segmenter.set_tracks(&tracks(1, 1));
    run(&mut segmenter, 1..6, Duration::ZERO, true);
    segmenter.set_tracks(&tracks(2, 2));
    run(&mut segmenter, 6..9, Duration::ZERO, false);
    assert_eq!(attributes(&describe(&segmenter), "start").len(), 1);
    // Sound that stays away is not waited for.
    run(&mut segmenter, 9..14, Duration::ZERO, false);
    let text = describe(&segmenter);
    assert_eq!(attributes(&text, "start").len(), 2, "{text}");
}

#[test]
fn of_two_sound_tracks_one_is_described() {
    let mut segmenter = Segmenter::new(Settings::default(), 7);
    let (mut set, second) = (tracks(1, 1), TrackId(2));
    let sound = set.tracks[1].clone();
    set.tracks.push(MediaTrack {
        id: second,
        ..sound
    });
    segmenter.set_tracks(&set);
    for millis in (1_000..8_000).step_by(20) {
        let start = millis % 1_000 == 0;
        for (track, dts, random_access) in [
            (VIDEO, millis, start),
            (AUDIO, millis * 48, true),
            (second, millis * 48, true),
        ] {
            let unit = AccessUnit {
                track,
                dts,
                pts: dts,
                random_access,
                disposable: false,
                discontinuity: false,
                capture: None,
                payload: Bytes::from_static(&[0; 100]),
            };
            segmenter.push(&unit, epoch() + Duration::from_millis(millis as u64));
        }
    }
    let expected = ["video_7_$Time$.m4s?{passed}", "audio_7_$Time$.m4s?{passed}"];
    assert_eq!(attributes(&describe(&segmenter), "media"), expected);
}

#[test]
fn low_latency_counts_segments_of_equal_length() {
    let low = |segmenter: &Segmenter, ended| {
        let snapshot = Snapshot::of(segmenter, &Settings::default(), 1, ended);
        low_latency::of(&snapshot, "cam")
    };
    let mut segmenter = Segmenter::new(Settings::default(), 7);
    segmenter.set_tracks(&tracks(1, 1));
    run(&mut segmenter, 1..6, Duration::ZERO, true);
    assert_eq!(low(&segmenter, false), None, "two of them are no rule");
    run_behind(false, &mut segmenter, 6..9, Duration::ZERO, true);
    let text = low(&segmenter, false).unwrap();
    let expected = [
        ("availabilityStartTime", vec!["2023-11-14T22:13:20.000Z"]),
        ("start", vec!["PT1.3S"]),
        ("presentationTimeOffset", vec!["1000", "48000"]),
        ("startNumber", vec!["7", "7"]),
        ("duration", vec!["2000", "96000"]),
        ("availabilityTimeOffset", vec!["1.500", "1.500"]),
        ("availabilityTimeComplete", vec!["false", "false"]),
        ("target", vec!["2000"]),
        ("suggestedPresentationDelay", vec!["PT2S"]),
        (
            "media",
            vec!["video_$Number$.m4s?{passed}", "audio_$Number$.m4s?{passed}"],
        ),
    ];
    for (name, values) in expected {
        assert_eq!(attributes(&text, name), values, "{name} in {text}");
    }
    assert!(text.contains("<Location>cam_low.mpd?"), "{text}");
    assert_eq!(
        low(&segmenter, true),
        None,
        "the usual one says that it is over"
    );
    // Time is lost: it begins anew, and is no rule until it has been kept for a while.
    run(&mut segmenter, 9..12, Duration::from_secs(8), true);
    assert_eq!(low(&segmenter, false), None);
}
