//! The hub as publishers and readers see it.

use super::ring::Bounds;
use super::*;
use bytes::Bytes;
use media::codec::{aac, h264};
use media::{AccessUnit, Codec, Timebase, Track, TrackId};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);
const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];

pub(crate) fn name() -> StreamName {
    StreamName::new("LiveApp", "cam").unwrap()
}

pub(crate) fn origin() -> Origin {
    Origin {
        protocol: "test",
        address: "here".into(),
        agent: None,
    }
}

pub(crate) fn video(pps: u8) -> Track {
    let sets = |set: &[u8]| vec![Bytes::copy_from_slice(set)];
    let config = h264::Config::new(sets(SPS), sets(&[0x68, pps])).unwrap();
    Track {
        id: VIDEO,
        codec: Codec::H264(config),
        timebase: Timebase::MILLIS,
    }
}

fn audio() -> Track {
    let config = aac::Config::low_complexity(48_000, 2).unwrap();
    Track {
        id: AUDIO,
        timebase: config.sample_rate,
        codec: Codec::Aac(config),
    }
}

pub(crate) fn unit(track: TrackId, dts: i64, random_access: bool) -> AccessUnit {
    AccessUnit {
        track,
        dts,
        pts: dts,
        random_access,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload: Bytes::from_static(&[0; 100]),
    }
}

/// A publisher of both tracks that has sent one GOP of ten pictures.
pub(crate) fn live(hub: &Hub) -> Publisher {
    let publisher = hub.publish(&name(), &origin()).unwrap();
    send_gop(&publisher);
    publisher
}

/// Declares both tracks and sends one GOP of ten pictures.
pub(crate) fn send_gop(publisher: &Publisher) {
    publisher.set_track(video(1)).unwrap();
    publisher.set_track(audio()).unwrap();
    for picture in 0..10 {
        publisher
            .push(unit(VIDEO, picture * 40, picture == 0))
            .unwrap();
    }
}

pub(super) fn hub() -> Hub {
    Hub::new(Settings::default())
}

/// The items that are there: `T` for tracks with the generation, `*` and `.` for access units with and
/// without random access, `!` for a skip, `#` for the end.
fn read(reader: &mut Reader) -> String {
    let mut text = String::new();
    while let Some(item) = reader.try_next() {
        match item {
            Item::Tracks(tracks) => text += &format!("T{}", tracks.generation),
            Item::Unit(unit) => text += if unit.random_access { "*" } else { "." },
            Item::Skipped(_) => text += "!",
            Item::Ended(_) => return text + "#",
        }
    }
    text
}

#[tokio::test]
async fn a_reader_gets_the_tracks_and_then_the_current_gop() {
    let hub = hub();
    let publisher = live(&hub);
    let mut reader = Reader::new(hub.get(&name()).unwrap());
    assert_eq!(read(&mut reader), "T2*.........");
    publisher.push(unit(VIDEO, 400, true)).unwrap();
    let mut second = Reader::new(hub.get(&name()).unwrap());
    assert_eq!(read(&mut second), "T2*");
    assert_eq!(read(&mut reader), "*");
}

#[tokio::test]
async fn readers_wait_until_both_kinds_of_track_are_there() {
    let hub = hub();
    let publisher = hub.publish(&name(), &origin()).unwrap();
    let stream = hub.get(&name()).unwrap();
    let mut reader = Reader::new(stream.clone());
    publisher.set_track(video(1)).unwrap();
    publisher.push(unit(VIDEO, 0, true)).unwrap();
    assert_eq!(read(&mut reader), "");
    assert!(!stream.snapshot().ready);
    publisher.set_track(audio()).unwrap();
    publisher.push(unit(AUDIO, 0, true)).unwrap();
    // The picture that came first belongs to the generation that the reader begins with.
    assert_eq!(read(&mut reader), "T2**");
}

#[tokio::test]
async fn a_stream_without_sound_does_not_wait_for_it_for_ever() {
    let hub = hub();
    let publisher = hub.publish(&name(), &origin()).unwrap();
    publisher.set_track(video(1)).unwrap();
    let stream = hub.get(&name()).unwrap();
    for picture in 0..=12 {
        assert!(!stream.snapshot().ready);
        publisher
            .push(unit(VIDEO, picture * 40, picture == 0))
            .unwrap();
    }
    publisher.push(unit(VIDEO, 520, false)).unwrap();
    assert!(stream.snapshot().ready);
    assert!(stream.ready().await.is_ok());
}

#[tokio::test]
async fn a_stream_without_random_access_points_starts_all_the_same() {
    let hub = hub();
    let publisher = hub.publish(&name(), &origin()).unwrap();
    publisher.set_track(video(1)).unwrap();
    publisher.set_track(audio()).unwrap();
    publisher.push(unit(VIDEO, 0, false)).unwrap();
    let mut reader = Reader::new(hub.get(&name()).unwrap());
    assert_eq!(read(&mut reader), "");
    for picture in 1..=125 {
        publisher.push(unit(VIDEO, picture * 40, false)).unwrap();
    }
    assert_eq!(read(&mut reader), "", "one may come yet");
    publisher.push(unit(VIDEO, 5_040, false)).unwrap();
    publisher.push(unit(VIDEO, 5_080, false)).unwrap();
    assert_eq!(read(&mut reader), "T2..");
}

#[tokio::test]
async fn a_track_that_the_next_publisher_does_not_have_is_gone() {
    let hub = hub();
    let first = live(&hub);
    let mut reader = Reader::new(hub.get(&name()).unwrap());
    assert_eq!(read(&mut reader), "T2*.........");
    drop(first);
    let next = hub.publish(&name(), &origin()).unwrap();
    next.set_track(video(1)).unwrap();
    for picture in 0..15 {
        next.push(unit(VIDEO, picture * 40, picture == 0)).unwrap();
    }
    assert_eq!(read(&mut reader), "*............T3..");
    let tracks = &hub.get(&name()).unwrap().snapshot().tracks;
    assert_eq!(tracks.tracks, [video(1)]);
    // It may come yet.
    next.set_track(audio()).unwrap();
    next.push(unit(AUDIO, 29_000, true)).unwrap();
    assert_eq!(read(&mut reader), "T4*");
}

#[tokio::test]
async fn a_source_that_counts_its_tracks_otherwise_goes_on_with_those_there_are() {
    let numbered = |id, track: Track| Track {
        id: TrackId(id),
        ..track
    };
    for (pictures, sound) in [(0, 256), (1, 0), (7, 8), (0, 1)] {
        let hub = hub();
        let first = live(&hub);
        let mut reader = Reader::new(first.stream().clone());
        read(&mut reader);
        drop(first);
        let next = hub.publish(&name(), &origin()).unwrap();
        next.set_track(numbered(sound, audio())).unwrap();
        next.set_track(numbered(pictures, video(1))).unwrap();
        for track in [pictures, sound, 99] {
            next.push(unit(TrackId(track), 0, true)).unwrap();
        }
        let mut came = Vec::new();
        while let Some(item) = reader.try_next() {
            let Item::Unit(unit) = item else {
                panic!("the tracks are the same")
            };
            came.push(unit.track);
        }
        assert_eq!(came, [VIDEO, AUDIO]);
        let tracks = &next.stream().snapshot().tracks;
        assert_eq!(tracks.tracks, [video(1), audio()]);
        // One that there was not has a number of its own.
        next.set_track(numbered(300, audio())).unwrap();
        let tracks = &next.stream().snapshot().tracks;
        assert_eq!(tracks.tracks[2..], [numbered(300, audio())]);
    }
}

#[tokio::test]
async fn sound_does_not_take_the_number_of_pictures_that_may_come_yet() {
    let hub = hub();
    let first = hub.publish(&name(), &origin()).unwrap();
    first.set_track(video(1)).unwrap();
    first.push(unit(VIDEO, 0, true)).unwrap();
    drop(first);
    let next = hub.publish(&name(), &origin()).unwrap();
    let sound = Track {
        id: VIDEO,
        ..audio()
    };
    next.set_track(sound).unwrap();
    let pictures = Track {
        id: AUDIO,
        ..video(2)
    };
    next.set_track(pictures).unwrap();
    let tracks = &next.stream().snapshot().tracks;
    assert_eq!(tracks.tracks, [video(2), audio()]);
}

#[tokio::test]
async fn who_joins_at_an_open_gop_does_not_get_its_leading_pictures() {
    let hub = hub();
    let publisher = live(&hub);
    let mut watching = Reader::new(hub.get(&name()).unwrap());
    assert_eq!(read(&mut watching), "T2*.........");
    let picture = |dts: i64, pts: i64, random_access| AccessUnit {
        pts,
        ..unit(VIDEO, dts, random_access)
    };
    for unit in [
        picture(400, 560, true),
        picture(440, 480, false),
        unit(AUDIO, 20_000, true),
        picture(480, 520, false),
        picture(520, 600, false),
        picture(560, 580, false),
    ] {
        publisher.push(unit).unwrap();
    }
    let mut joining = Reader::new(hub.get(&name()).unwrap());
    assert_eq!(read(&mut joining), "T2**..");
    assert_eq!(read(&mut watching), "*.*...");
}

#[tokio::test(start_paused = true)]
async fn wishes_for_a_random_access_point_reach_the_publisher() {
    let hub = hub();
    let publisher = live(&hub);
    let stream = hub.get(&name()).unwrap();
    let second = Duration::from_secs(1);
    let asked = async |limit| {
        tokio::time::timeout(limit, publisher.random_access_wanted())
            .await
            .is_ok()
    };
    assert!(!asked(second).await);
    (0..50).for_each(|_| stream.want_random_access());
    assert!(asked(Duration::ZERO).await);
    stream.want_random_access();
    assert!(!asked(second / 2).await, "asked a moment ago");
    assert!(asked(second).await);
    stream.want_random_access();
    publisher.push(unit(VIDEO, 400, true)).unwrap();
    assert!(!asked(second * 5).await, "one has come");
    let requests = Requests {
        wanted: 52,
        asked: 2,
    };
    assert_eq!(stream.snapshot().requests, requests);
}

#[tokio::test]
async fn who_finds_no_beginning_asks_for_one() {
    let bounds = Bounds {
        ring_bytes: 2_000,
        ..Bounds::default()
    };
    let hub = Hub::new(Settings {
        bounds,
        ..Settings::default()
    });
    let publisher = live(&hub);
    for picture in 10..20 {
        publisher.push(unit(VIDEO, picture * 40, false)).unwrap();
    }
    let stream = hub.get(&name()).unwrap();
    let mut late = Reader::new(stream.clone());
    assert_eq!(read(&mut late), "");
    assert_eq!(stream.snapshot().requests.wanted, 1);
    publisher.push(unit(VIDEO, 800, true)).unwrap();
    assert_eq!(read(&mut late), "T2*");
}

#[tokio::test]
async fn a_change_of_configuration_is_a_new_generation() {
    let hub = hub();
    let publisher = live(&hub);
    let mut reader = Reader::new(hub.get(&name()).unwrap());
    read(&mut reader);
    publisher.set_track(video(1)).unwrap();
    publisher.push(unit(VIDEO, 400, true)).unwrap();
    publisher.set_track(video(2)).unwrap();
    publisher.push(unit(VIDEO, 440, true)).unwrap();
    assert_eq!(read(&mut reader), "*T3*");
}

#[tokio::test]
async fn who_changes_tracks_all_the_time_keeps_no_more_memory() {
    let hub = hub();
    let publisher = live(&hub);
    let stream = hub.get(&name()).unwrap();
    let set = Bytes::from_static(&[0x68; 4_000]);
    for change in 0..200 {
        // A hundred parameter sets of 4,000 bytes stand beside sound that is another with each frame.
        let sps = vec![Bytes::from_static(SPS)];
        let config = h264::Config::new(sps, vec![set.clone(); 100]).unwrap();
        let track = Track {
            codec: Codec::H264(config),
            ..video(1)
        };
        publisher.set_track(track).unwrap();
        let config = aac::Config::low_complexity(48_000, 1 + change % 2).unwrap();
        let track = Track {
            codec: Codec::Aac(config),
            ..audio()
        };
        publisher.set_track(track).unwrap();
        publisher.push(unit(AUDIO, 48 * 400, true)).unwrap();
    }
    let (bytes, most) = (stream.snapshot().ring_bytes, Bounds::default().ring_bytes);
    assert!(bytes > most * 9 / 10 && bytes <= most, "{bytes}");
}

#[tokio::test]
async fn who_joins_begins_with_the_first_of_several_pictures() {
    let hub = hub();
    let publisher = live(&hub);
    let second = TrackId(2);
    let track = Track {
        id: second,
        ..video(1)
    };
    publisher.set_track(track).unwrap();
    for (dts, random_access) in [(400, true), (440, false)] {
        publisher.push(unit(VIDEO, dts, random_access)).unwrap();
        publisher.push(unit(second, dts, random_access)).unwrap();
    }
    // Those of the second may begin elsewhere.
    publisher.push(unit(second, 480, true)).unwrap();
    let mut reader = Reader::new(hub.get(&name()).unwrap());
    assert!(matches!(reader.try_next(), Some(Item::Tracks(_))));
    let mut units = Vec::new();
    while let Some(Item::Unit(unit)) = reader.try_next() {
        units.push((unit.track, unit.dts));
    }
    let both = |dts| [(VIDEO, dts), (second, dts)];
    // The time of a stream begins at one second.
    let expected = [both(1_400), both(1_440)].concat();
    assert_eq!(units[..4], expected);
    assert_eq!(units[4..], [(second, 1_480)]);
}

#[tokio::test]
async fn a_slow_reader_is_moved_and_no_other_notices() {
    let bounds = Bounds {
        reader_time: Duration::from_secs(1),
        ..Bounds::default()
    };
    let hub = Hub::new(Settings {
        bounds,
        ..Settings::default()
    });
    let publisher = live(&hub);
    let stream = hub.get(&name()).unwrap();
    let (mut slow, mut quick) = (Reader::new(stream.clone()), Reader::new(stream));
    assert!(slow.try_next().is_some() && slow.try_next().is_some());
    read(&mut quick);
    let mut text = String::new();
    for picture in 10..100 {
        publisher
            .push(unit(VIDEO, picture * 40, picture % 10 == 0))
            .unwrap();
        text += &read(&mut quick);
    }
    assert_eq!(text, "*.........".repeat(9));
    assert_eq!(read(&mut slow), "!*.........");
}

#[tokio::test]
async fn a_name_has_one_publisher() {
    let hub = hub();
    let first = live(&hub);
    let error = hub.publish(&name(), &origin()).unwrap_err();
    assert_eq!(error, Taken::Publishing(name()));
    first.finish();
    assert!(hub.get(&name()).is_none());
    assert!(hub.publish(&name(), &origin()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_silent_publisher_is_replaced_and_its_readers_stay() {
    let hub = hub();
    let first = live(&hub);
    let mut reader = Reader::new(hub.get(&name()).unwrap());
    read(&mut reader);
    tokio::time::advance(Duration::from_secs(6)).await;
    let second = live(&hub);
    first.kicked().await;
    assert_eq!(first.push(unit(VIDEO, 400, true)), Err(Replaced));
    drop(first);
    assert_eq!(read(&mut reader), "*.........");
    drop(second);
}

#[tokio::test]
async fn always_and_never_replace_as_they_say() {
    for (takeover, replaced) in [(Takeover::Always, true), (Takeover::Never, false)] {
        let hub = Hub::new(Settings {
            takeover,
            silence: Duration::ZERO,
            ..Settings::default()
        });
        let _first = live(&hub);
        assert_eq!(hub.publish(&name(), &origin()).is_ok(), replaced);
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_comes_back_in_time_continues_its_stream() {
    let hub = hub();
    drop(live(&hub));
    let stream = hub.get(&name()).unwrap();
    assert!(!stream.snapshot().publishing);
    let mut reader = Reader::new(stream.clone());
    read(&mut reader);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let publisher = live(&hub);
    assert!(Arc::ptr_eq(&stream, publisher.stream()));
    let Some(Item::Unit(first)) = reader.try_next() else {
        panic!("a unit")
    };
    assert!(first.discontinuity && first.dts > 1_360);
    // The grace time of the first disappearance does not end the second's stream.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(stream.ended(), None);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_stays_away_ends_its_stream() {
    let hub = hub();
    let mut changes = hub.changes();
    drop(live(&hub));
    let stream = hub.get(&name()).unwrap();
    let mut reader = Reader::new(stream.clone());
    assert_eq!(stream.end().await, Ended::Finished);
    assert!(read(&mut reader).ends_with('#'));
    assert!(hub.get(&name()).is_none());
    let changes: Vec<Change> = std::iter::from_fn(|| changes.try_recv().ok()).collect();
    assert!(matches!(
        changes[..],
        [
            Change::Published(_),
            Change::Interrupted(_),
            Change::Ended(_, Ended::Finished)
        ]
    ));
}

#[tokio::test]
async fn a_stopped_stream_ends_for_all_and_frees_its_name() {
    let hub = hub();
    let publisher = live(&hub);
    let mut reader = Reader::new(hub.get(&name()).unwrap());
    assert!(hub.stop(&name()));
    assert!(!hub.stop(&name()));
    publisher.kicked().await;
    assert_eq!(publisher.push(unit(VIDEO, 400, true)), Err(Replaced));
    assert!(read(&mut reader).ends_with('#'));
    let _next = live(&hub);
    drop(publisher);
    assert!(hub.get(&name()).unwrap().snapshot().publishing);
}

#[tokio::test]
async fn viewers_are_counted_while_they_watch() {
    let hub = hub();
    let publisher = live(&hub);
    let stream = publisher.stream().clone();
    let viewers = [
        Viewer::new(stream.clone(), "rtmp"),
        Viewer::new(stream.clone(), "hls"),
    ];
    assert_eq!(stream.viewers().total(), 2);
    drop(viewers);
    assert_eq!(stream.viewers().total(), 0);
}

#[tokio::test]
async fn the_server_holds_no_more_streams_than_it_may() {
    let hub = Hub::new(Settings {
        max_streams: 1,
        ..Settings::default()
    });
    let _publisher = live(&hub);
    let other = StreamName::new("LiveApp", "other").unwrap();
    assert_eq!(hub.publish(&other, &origin()).unwrap_err(), Taken::Full(1));
}

#[tokio::test]
async fn waiting_for_a_name_ends_when_it_is_published() {
    let hub = hub();
    let waiting = tokio::spawn({
        let hub = hub.clone();
        async move { hub.wait(&name()).await }
    });
    tokio::task::yield_now().await;
    let _publisher = live(&hub);
    assert_eq!(waiting.await.unwrap().name(), &name());
}

/// Sends a picture of 100 bytes each 40 ms, for so many seconds, from a source whose clock begins at `from`
/// milliseconds and runs `fast` times as fast; and looks at the stream after each.
async fn send_for(
    publisher: &Publisher,
    seconds: i64,
    from: i64,
    fast: i64,
    look: impl Fn(Snapshot),
) {
    for picture in 0..seconds * 25 {
        let at = from + picture * 40 * fast;
        publisher.push(unit(VIDEO, at, picture % 25 == 0)).unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
        look(publisher.stream().snapshot());
    }
}

#[tokio::test(start_paused = true)]
async fn rates_are_those_of_the_present_publisher() {
    let hub = hub();
    let first = hub.publish(&name(), &origin()).unwrap();
    first.set_track(video(1)).unwrap();
    send_for(&first, 5, 0, 3, |_| ()).await;
    let seen = first.stream().snapshot();
    assert!((2.9..=3.1).contains(&seen.speed), "{}", seen.speed);
    assert!(
        (18_000..=21_000).contains(&seen.bits_per_second),
        "{}",
        seen.bits_per_second
    );
    drop(first);
    tokio::time::sleep(Duration::from_secs(8)).await;
    // Its clock is another one. What is not known yet is told as 0, and nothing is told wrong.
    let second = hub.publish(&name(), &origin()).unwrap();
    second.set_track(video(1)).unwrap();
    send_for(&second, 6, 1_000_000, 1, |seen| {
        let speed = seen.speed;
        assert!(speed == 0.0 || (0.9..=1.05).contains(&speed), "{speed}");
    })
    .await;
    assert!(second.stream().snapshot().speed > 0.9);
}

#[tokio::test]
async fn losses_are_summed_up_and_only_those_of_the_present_publisher() {
    let hub = hub();
    let first = live(&hub);
    let some = |received, lost| Packets { received, lost };
    first.count_packets(some(10, 1));
    first.count_packets(some(u64::MAX, 2));
    let stream = hub.get(&name()).unwrap();
    assert_eq!(stream.snapshot().packets, some(u64::MAX, 3));
    let second = hub.publish_after(&name(), &origin(), Some(first.number()));
    first.count_packets(some(0, 1));
    second.unwrap().count_packets(some(0, 1));
    assert_eq!(stream.snapshot().packets, some(u64::MAX, 4));
}

#[tokio::test(start_paused = true)]
async fn a_stand_in_keeps_a_stream_until_its_source_can_be_shown() {
    let hub = hub();
    hub.hold(&name(), true);
    let source = live(&hub);
    // A source that is there needs none.
    assert!(hub.stand_in(&name()).is_none());
    let stream = source.stream().clone();
    let mut reader = Reader::new(stream.clone());
    while reader.try_next().is_some() {}
    // Goodbye is no end here.
    source.finish();
    let stand_in = hub.stand_in(&name()).unwrap();
    assert!(hub.stand_in(&name()).is_none());
    assert!(!stream.snapshot().publishing && stream.has_stand_in());
    stand_in.set_track(video(1)).unwrap();
    let mut last = 0;
    let read_last = |reader: &mut Reader, last: &mut i64| {
        let mut count = 0;
        while let Some(item) = reader.try_next() {
            if let Item::Unit(unit) = item {
                assert!(unit.dts > *last, "{} {last}", unit.dts);
                *last = unit.dts;
                count += 1;
            }
        }
        count
    };
    for picture in 0..1_000 {
        let start = picture % 25 == 0;
        stand_in.push(unit(VIDEO, picture * 40, start)).unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert!(read_last(&mut reader, &mut last) > 0);
    }
    // The grace time is over long since. A source comes in the midst of its pictures.
    let source = hub.publish(&name(), &origin()).unwrap();
    assert!(stream.snapshot().publishing && Arc::ptr_eq(source.stream(), &stream));
    source.set_track(video(2)).unwrap();
    for picture in 1..25 {
        source
            .push(unit(VIDEO, 9_000 + picture * 40, false))
            .unwrap();
        stand_in
            .push(unit(VIDEO, 40_000 + picture * 40, false))
            .unwrap();
        assert_eq!(read_last(&mut reader, &mut last), 1);
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert_eq!(stream.snapshot().tracks.tracks, [video(1)]);
    source.push(unit(VIDEO, 10_000, true)).unwrap();
    assert_eq!(stand_in.push(unit(VIDEO, 41_000, true)), Err(Replaced));
    stand_in.kicked().await;
    assert_eq!(read_last(&mut reader, &mut last), 1);
    assert_eq!(stream.snapshot().tracks.tracks, [video(2)]);
    assert!(!stream.has_stand_in());
    // What leaves now leaves the source alone.
    drop(stand_in);
    assert!(stream.snapshot().publishing);
    // Nobody stands in any more: goodbye is the end.
    hub.hold(&name(), false);
    source.finish();
    assert_eq!(stream.ended(), Some(Ended::Finished));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_goes_before_it_is_shown_leaves_the_stand_in() {
    let hub = hub();
    let source = live(&hub);
    let stream = source.stream().clone();
    drop(source);
    let stand_in = hub.stand_in(&name()).unwrap();
    let source = hub.publish(&name(), &origin()).unwrap();
    source.set_track(video(2)).unwrap();
    drop(source);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(stream.ended(), None);
    stand_in.push(unit(VIDEO, 0, true)).unwrap();
    // One that leaves while a source waits makes room for it at once.
    let source = hub.publish(&name(), &origin()).unwrap();
    source.set_track(video(2)).unwrap();
    drop(stand_in);
    source.push(unit(VIDEO, 40, false)).unwrap();
    assert_eq!(stream.snapshot().tracks.tracks[0], video(2));
    assert!(hub.stop(&name()));
}
