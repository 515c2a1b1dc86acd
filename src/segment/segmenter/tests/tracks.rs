//! Tracks that come, change and go.

use super::*;
use crate::segment::Snapshot;
use media::Kind;

#[test]
fn tracks_that_are_gone_are_not_kept_for_ever() {
    let mut segmenter = started(false);
    for publisher in 0..40u16 {
        let mut set = tracks(2 + u64::from(publisher), false);
        set.tracks[0].id = TrackId(publisher);
        segmenter.set_tracks(&set);
        let time = i64::from(publisher) * 48_000;
        segmenter.push(&unit(TrackId(publisher), time, true, 100), at(time / 48));
    }
    let kept = segmenter.renditions().map(|kept| kept.track.id.0);
    assert!(kept.eq(24..40));
}

#[test]
fn changes_of_tracks_begin_anew_and_what_is_gone_is_not_waited_for() {
    type Change = dyn Fn(&mut Vec<Track>);
    let changed = |generation, change: &Change| {
        let mut set = tracks(generation, true);
        change(&mut set.tracks);
        set
    };
    let other_size = |tracks: &mut Vec<Track>| {
        if let Codec::H264(config) = &mut tracks[0].codec {
            config.pps = vec![Bytes::from_static(&[0x68, 1])];
        }
    };
    let other_rate = |tracks: &mut Vec<Track>| {
        let audio = aac::Config::low_complexity(44_100, 1).unwrap();
        tracks[1].timebase = audio.sample_rate;
        tracks[1].codec = Codec::Aac(audio);
    };
    let no_sound = |tracks: &mut Vec<Track>| drop(tracks.pop());
    let no_pictures = |tracks: &mut Vec<Track>| drop(tracks.remove(0));
    // Which tracks have another initialization section, and which are silent.
    let cases: [(&Change, _, _); 4] = [
        (&other_size, [true, false], [false, false]),
        (&other_rate, [false, true], [false, false]),
        (&no_sound, [false, false], [false, true]),
        (&no_pictures, [false, false], [true, false]),
    ];
    for (change, anew, silent) in cases {
        let mut segmenter = started(true);
        run(&mut segmenter, 5, 25);
        let inits = |segmenter: &Segmenter| {
            [VIDEO, AUDIO].map(|track| segmenter.rendition(track).unwrap().init.number)
        };
        let before = inits(&segmenter);
        assert!(
            ![VIDEO, AUDIO]
                .map(|track| segmenter.is_silent(track))
                .contains(&true)
        );
        assert_eq!(segmenter.set_tracks(&changed(2, change)), []);
        let after = inits(&segmenter);
        assert_eq!([0, 1].map(|at| before[at] != after[at]), anew);
        assert_eq!(
            [VIDEO, AUDIO].map(|track| segmenter.is_silent(track)),
            silent
        );
        let of_all = anew.contains(&true);
        let mut renditions = segmenter.renditions();
        assert!(renditions.all(|rendition| rendition.open_discontinuity == of_all));
    }
}

#[test]
fn sound_that_stops_is_silent_and_sound_that_comes_late_joins_in() {
    let mut segmenter = Segmenter::new(Settings::default(), 100);
    let mut pictures_alone = tracks(1, true);
    pictures_alone.tracks.pop();
    assert_eq!(segmenter.set_tracks(&pictures_alone), []);
    let picture = |millis: i64| unit(VIDEO, millis, millis % 1_000 == 0, 1_000);
    let frame = |millis: i64| unit(AUDIO, millis * 48, true, 200);
    for millis in (0..5_000).step_by(40) {
        segmenter.push(&picture(millis), at(millis));
    }
    assert_eq!(segmenter.set_tracks(&tracks(2, true)), []);
    for millis in (5_000..12_000).step_by(20) {
        if millis % 40 == 0 {
            segmenter.push(&picture(millis), at(millis));
        }
        segmenter.push(&frame(millis), at(millis));
    }
    assert!(!segmenter.is_silent(AUDIO));
    let late = segmenter.rendition(AUDIO).unwrap();
    assert_eq!(late.segments[0].number, 102);
    for millis in (12_000..18_000).step_by(40) {
        assert!(!segmenter.is_silent(AUDIO) || millis > 16_900, "{millis}");
        segmenter.push(&picture(millis), at(millis));
    }
    assert!(segmenter.is_silent(AUDIO) && !segmenter.is_silent(VIDEO));
}

/// A track set in which the track is G.711.
fn with_g711(generation: u64, track: TrackId) -> TrackSet {
    let mut tracks = tracks(generation, true);
    for track in tracks.tracks.iter_mut().filter(|found| found.id == track) {
        track.codec = Codec::G711 {
            law: g711::Law::Mu,
            sample_rate: track.timebase,
            channels: 1,
        };
    }
    tracks
}

#[test]
fn a_track_that_cannot_be_carried_is_left_out_and_told_once() {
    let mut segmenter = Segmenter::new(Settings::default(), 100);
    let told = segmenter.set_tracks(&with_g711(1, AUDIO));
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].to_string(),
        "track 2: PCMU cannot be carried in MP4"
    );
    assert_eq!(segmenter.set_tracks(&with_g711(2, AUDIO)), []);
    run(&mut segmenter, 5, 25);
    assert_eq!(durations(&segmenter, VIDEO), [2_000; 2]);
    assert!(segmenter.rendition(AUDIO).is_none());
    // It comes when it can be carried.
    assert_eq!(segmenter.set_tracks(&tracks(3, true)), []);
    assert_eq!(segmenter.rendition(AUDIO).unwrap().open_number, 102);
}

#[test]
fn a_track_that_can_no_longer_be_carried_stays_as_it_was() {
    let mut segmenter = started(true);
    run(&mut segmenter, 5, 25);
    let before = durations(&segmenter, VIDEO);
    assert_eq!(segmenter.set_tracks(&with_g711(2, VIDEO)).len(), 1);
    let closed = segmenter.rendition(VIDEO).unwrap().open_number;
    for frame in 250..700 {
        let time = frame * 1_024;
        segmenter.push(&unit(AUDIO, time, true, 200), at(time / 48));
        segmenter.push(&unit(VIDEO, time / 48, true, 1_000), at(time / 48));
    }
    let video = segmenter.rendition(VIDEO).unwrap();
    assert_eq!(video.open_number, closed);
    assert_eq!(durations(&segmenter, VIDEO)[..2], before[..]);
    // The sound leads itself now.
    let audio = durations(&segmenter, AUDIO);
    assert!(audio.len() > 5, "{audio:?}");
    assert!(
        audio[4..]
            .iter()
            .all(|millis| (1_970..2_100).contains(millis))
    );
}

#[test]
fn another_configuration_of_one_track_is_a_discontinuity_of_all() {
    let mut segmenter = started(true);
    run(&mut segmenter, 3, 25);
    let mut changed = tracks(2, true);
    changed.tracks[1].codec = Codec::Aac(aac::Config::low_complexity(48_000, 1).unwrap());
    assert_eq!(segmenter.set_tracks(&changed), []);
    segmenter.push(&unit(AUDIO, 3 * 48_000, true, 10), at(3_000));
    segmenter.push(&unit(AUDIO, 3 * 48_000 + 1_024, true, 10), at(3_021));
    segmenter.push(&unit(VIDEO, 3_000, true, 10), at(3_000));
    segmenter.finish();
    for (track, init) in [(VIDEO, 100), (AUDIO, 102)] {
        let rendition = segmenter.rendition(track).unwrap();
        let tags = rendition.segments.iter().map(|one| one.discontinuity);
        assert!(tags.eq([false, false, true]), "{track:?}");
        let last = rendition.segments.back().unwrap();
        assert_eq!((last.number, last.init.number), (102, init));
        // For DASH only the sound is another.
        let stretch = if track == AUDIO { 102 } else { 100 };
        assert_eq!(last.stretch.number, stretch);
    }
}

#[test]
fn all_tracks_have_had_as_many_discontinuities() {
    let changed = |generation, pps, channels| {
        let mut set = tracks(generation, true);
        if let Codec::H264(config) = &mut set.tracks[0].codec {
            config.pps = vec![Bytes::copy_from_slice(&[0x68, pps])];
        }
        let sound = aac::Config::low_complexity(48_000, channels).unwrap();
        set.tracks[1].codec = Codec::Aac(sound);
        set
    };
    let pictures_alone = |generation, pps| {
        let mut set = changed(generation, pps, 1);
        set.tracks.pop();
        set
    };
    let mut segmenter = started(true);
    // Before anything has come there is nothing to go on from.
    segmenter.set_tracks(&changed(2, 1, 2));
    let counts = |segmenter: &Segmenter| -> Vec<u64> {
        let renditions = segmenter.renditions();
        renditions.map(Rendition::discontinuities).collect()
    };
    assert_eq!(counts(&segmenter), [0, 0]);
    run(&mut segmenter, 5, 25);
    let picture = |segmenter: &mut Segmenter, millis: i64| {
        segmenter.push(&unit(VIDEO, millis, true, 100), at(millis));
    };
    segmenter.set_tracks(&changed(3, 2, 2));
    assert_eq!(counts(&segmenter), [1, 1]);
    // The sound of another publisher is declared when the first of its pictures are there: that is the same discontinuity.
    picture(&mut segmenter, 5_000);
    picture(&mut segmenter, 5_040);
    segmenter.set_tracks(&changed(4, 2, 1));
    assert_eq!(counts(&segmenter), [1, 1]);
    let sound = segmenter.rendition(AUDIO).unwrap();
    assert_eq!(sound.init.number, sound.open_number);
    // There can be no other where one of them has had nothing since.
    segmenter.set_tracks(&changed(5, 3, 1));
    assert_eq!(counts(&segmenter), [1, 1]);
    picture(&mut segmenter, 5_080);
    segmenter.push(&unit(AUDIO, 5 * 48_000, true, 100), at(5_000));
    segmenter.set_tracks(&changed(6, 4, 1));
    assert_eq!(counts(&segmenter), [2, 2]);
    // One that was away meanwhile begins anew.
    picture(&mut segmenter, 5_120);
    segmenter.set_tracks(&pictures_alone(7, 5));
    assert_eq!(counts(&segmenter), [3, 2]);
    segmenter.set_tracks(&changed(8, 5, 1));
    assert_eq!(counts(&segmenter), [3, 3]);
    assert!(segmenter.rendition(AUDIO).unwrap().segments.is_empty());

    // One that comes late counts those before it.
    let mut segmenter = Segmenter::new(Settings::default(), 100);
    segmenter.set_tracks(&pictures_alone(1, 1));
    (0..75).for_each(|number| picture(&mut segmenter, number * 40));
    segmenter.set_tracks(&pictures_alone(2, 2));
    segmenter.set_tracks(&changed(3, 2, 1));
    assert_eq!(counts(&segmenter), [1, 1]);
}

#[test]
fn no_two_tracks_of_a_kind_are_cut_under_the_same_numbers() {
    let other = |generation, pps| {
        let mut set = tracks(generation, true);
        if let Codec::H264(config) = &mut set.tracks[0].codec {
            config.pps = vec![Bytes::copy_from_slice(&[0x68, pps])];
        }
        set.tracks[1].id = TrackId(256);
        set
    };
    let open = |segmenter: &Segmenter, track| segmenter.rendition(track).unwrap().open_number;
    let mut segmenter = started(true);
    run(&mut segmenter, 5, 25);
    assert_eq!(open(&segmenter, AUDIO), 102);
    // Other pictures come with the other sound: of segment 102 parts have been given out.
    segmenter.set_tracks(&other(2, 1));
    assert_eq!(
        [VIDEO, TrackId(256)].map(|id| open(&segmenter, id)),
        [103; 2]
    );
    for millis in (5_000..10_000).step_by(20) {
        if millis % 40 == 0 {
            segmenter.push(&unit(VIDEO, millis, millis % 1_000 == 0, 100), at(millis));
        }
        segmenter.push(&unit(TrackId(256), millis * 48, true, 100), at(millis));
    }
    let newest = open(&segmenter, TrackId(256));
    assert_eq!(newest, 105);
    // The first source comes back, and the pictures stay as they are.
    let mut first = other(3, 1);
    first.tracks[1].id = AUDIO;
    segmenter.set_tracks(&first);
    assert_eq!(open(&segmenter, AUDIO), newest + 1);
    assert!(segmenter.rendition(AUDIO).unwrap().segments.is_empty());
    // Where there was no other meanwhile, it goes on.
    let mut pictures_alone = other(4, 1);
    pictures_alone.tracks.pop();
    segmenter.set_tracks(&pictures_alone);
    first.generation = 5;
    segmenter.set_tracks(&first);
    assert_eq!(open(&segmenter, AUDIO), newest + 1);
}

#[test]
fn of_several_sound_tracks_one_is_cut_that_all_browsers_play() {
    let (mp3, aac) = (TrackId(1), TrackId(2));
    let with = |generation, ids: &[TrackId]| {
        let mut set = tracks(generation, true);
        let sound = set.tracks.pop().unwrap();
        set.tracks.extend(ids.iter().map(|id| Track {
            id: *id,
            ..sound.clone()
        }));
        for track in set.tracks.iter_mut().filter(|track| track.id == mp3) {
            track.codec = Codec::MpegAudio(mpeg_audio::Config {
                layer: 3,
                sample_rate: track.timebase,
                channels: 2,
            });
        }
        set
    };
    let run = |segmenter: &mut Segmenter, seconds: std::ops::Range<i64>| {
        for millis in (seconds.start * 1_000..seconds.end * 1_000).step_by(20) {
            if millis % 40 == 0 {
                segmenter.push(&unit(VIDEO, millis, millis % 1_000 == 0, 100), at(millis));
            }
            for track in [mp3, aac, TrackId(3)] {
                segmenter.push(&unit(track, millis * 48, true, 100), at(millis));
            }
        }
    };
    let served = |segmenter: &Segmenter| {
        let snapshot = Snapshot::of(segmenter, &Settings::default(), 1, false);
        let present = snapshot.present().iter().map(|one| one.track.id);
        let present: Vec<TrackId> = present.collect();
        let sound = snapshot.rendition(Kind::Audio).unwrap();
        (present, sound.track.id, sound.open_number)
    };
    let mut segmenter = Segmenter::new(Settings::default(), 100);
    segmenter.set_tracks(&with(1, &[mp3]));
    run(&mut segmenter, 0..1);
    // Nobody has been told of the other yet.
    segmenter.set_tracks(&with(2, &[mp3, aac]));
    run(&mut segmenter, 1..5);
    assert_eq!(served(&segmenter), (vec![VIDEO, aac], aac, 102));
    assert!(segmenter.rendition(mp3).is_none());
    for millis in durations(&segmenter, aac) {
        assert!((980..=2_030).contains(&millis), "{millis}");
    }
    // It stays, whatever comes beside it.
    segmenter.set_tracks(&with(3, &[mp3, aac, TrackId(3)]));
    run(&mut segmenter, 5..7);
    assert_eq!(served(&segmenter), (vec![VIDEO, aac], aac, 103));
    // When it goes, the next has its name, and numbers above.
    segmenter.set_tracks(&with(4, &[mp3, TrackId(3)]));
    assert_eq!(served(&segmenter), (vec![VIDEO], aac, 103));
    run(&mut segmenter, 7..11);
    assert_eq!(
        served(&segmenter),
        (vec![VIDEO, TrackId(3)], TrackId(3), 106)
    );
}
