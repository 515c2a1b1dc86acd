//! The bridge between the hub and its readers.

use super::tools::*;
use crate::bridge::{Bridges, Reader, Sound};
use crate::hub::{Ended, Hub, Item, Origin, Publisher, Settings, StreamName};
use bytes::Bytes;
use media::codec::g711::Law;
use media::codec::{h264, opus};
use media::{AccessUnit, Codec, Kind, Timebase, Track, TrackId};
use std::time::Duration;
use tokio::runtime::Handle;

const VIDEO: TrackId = TrackId(0);
const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];

fn publish(hub: &Hub) -> Publisher {
    let origin = Origin {
        protocol: "test",
        address: "here".into(),
        agent: None,
    };
    hub.publish(&StreamName::new("LiveApp", "cam").unwrap(), &origin)
        .unwrap()
}

fn video() -> Track {
    let sets = |set: &'static [u8]| vec![Bytes::from_static(set)];
    let config = h264::Config::new(sets(SPS), sets(&[0x68, 1])).unwrap();
    Track {
        id: VIDEO,
        codec: Codec::H264(config),
        timebase: Timebase::VIDEO,
    }
}

fn picture(number: i64) -> AccessUnit {
    AccessUnit {
        track: VIDEO,
        random_access: number % 25 == 0,
        ..unit(number * 3_600, Bytes::from_static(&[0; 100]))
    }
}

/// Pictures and G.711 of `from..to` times 40 ms.
fn send(publisher: &Publisher, sound: &[AccessUnit], from: i64, to: i64) {
    for number in from..to {
        publisher.push(picture(number)).unwrap();
        for part in [2 * number, 2 * number + 1] {
            let payload = sound[part as usize % sound.len()].payload.clone();
            publisher.push(unit(part * 160, payload)).unwrap();
        }
    }
}

fn setup() -> (Publisher, Bridges, Vec<AccessUnit>) {
    let hub = Hub::new(Settings::default());
    let publisher = publish(&hub);
    let track = g711_track(Law::A, 8_000, 1);
    publisher.set_track(video()).unwrap();
    publisher.set_track(track.clone()).unwrap();
    let bridges = Bridges::new(Handle::current(), hub);
    (publisher, bridges, g711_units(&track, 50, sine(400.0)))
}

/// All items up to the end, or for as long as `count` units have not come.
async fn take(reader: &mut Reader, count: usize) -> Vec<Item> {
    let mut items = Vec::new();
    let units = |items: &[Item]| {
        let is_unit = |item: &&Item| matches!(item, Item::Unit(_));
        items.iter().filter(is_unit).count()
    };
    while units(&items) < count {
        let next = tokio::time::timeout(Duration::from_secs(10), reader.next());
        items.push(next.await.unwrap());
        if matches!(items.last(), Some(Item::Ended(_))) {
            break;
        }
    }
    items
}

fn units_of(items: &[Item], track: TrackId) -> Vec<&AccessUnit> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::Unit(unit) if unit.track == track => Some(&**unit),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn readers_get_pictures_and_opus() {
    let (publisher, bridges, sound) = setup();
    let mut reader = bridges.reader(publisher.stream(), Sound::Opus);
    send(&publisher, &sound, 0, 50);
    let stream = publisher.stream().clone();
    publisher.finish();
    let items = take(&mut reader, usize::MAX).await;
    let Item::Tracks(tracks) = &items[0] else {
        panic!("{:?} is not what the tracks are", items[0]);
    };
    assert_eq!(tracks.generation, 2);
    let codec = &tracks.first(Kind::Audio).unwrap().codec;
    let expected = opus::Config::new(1, 120, 8_000).unwrap();
    assert_eq!(codec, &Codec::Opus(expected));
    assert!(matches!(items.last(), Some(Item::Ended(Ended::Finished))));
    // From the newest random access point on, 25 pictures and a second of sound.
    let (pictures, packets) = (units_of(&items, VIDEO), units_of(&items, AUDIO));
    assert!(pictures[0].random_access);
    assert_eq!(pictures.len(), 25);
    assert!((50..=53).contains(&packets.len()), "{}", packets.len());
    assert!(packets.windows(2).all(|two| two[1].pts - two[0].pts == 960));
    // Both on one axis: the sound begins where the picture does.
    let start = Timebase::VIDEO.rescale(pictures[0].pts, opus::TIMEBASE);
    assert_eq!(packets[0].pts, start - 120);
    assert_eq!(reader.stream().name(), stream.name());
}

#[tokio::test]
async fn a_bridge_is_shared_and_goes_with_its_last_reader() {
    let (publisher, bridges, sound) = setup();
    send(&publisher, &sound, 0, 10);
    let mut readers = [0; 3].map(|_| bridges.reader(publisher.stream(), Sound::Opus));
    assert_eq!(bridges.running(), 0, "started when needed");
    for reader in &mut readers {
        take(reader, 20).await;
        assert_eq!(bridges.running(), 1);
    }
    // A late reader starts at the newest random access point of what is there.
    send(&publisher, &sound, 10, 30);
    take(&mut readers[0], 62).await;
    let mut late = bridges.reader(publisher.stream(), Sound::Opus);
    let items = take(&mut late, 1).await;
    assert_eq!(units_of(&items, VIDEO)[0].pts, 90_000 + 25 * 3_600);
    drop((readers, late));
    assert_eq!(bridges.running(), 0);
    // And a new one begins again.
    let mut again = bridges.reader(publisher.stream(), Sound::Opus);
    take(&mut again, 8).await;
    assert_eq!(bridges.running(), 1);
}

#[tokio::test]
async fn where_nothing_is_to_be_transcoded_there_is_no_bridge() {
    let (publisher, bridges, _) = setup();
    let config = opus::Config::new(2, 312, 48_000).unwrap();
    let track = Track {
        id: AUDIO,
        codec: Codec::Opus(config),
        timebase: opus::TIMEBASE,
    };
    publisher.set_track(track.clone()).unwrap();
    for number in 0..10 {
        publisher.push(picture(number)).unwrap();
    }
    let mut reader = bridges.reader(publisher.stream(), Sound::Opus);
    let items = take(&mut reader, 10).await;
    assert!(matches!(&items[0], Item::Tracks(tracks) if tracks.get(AUDIO) == Some(&track)));
    assert_eq!(bridges.running(), 0);
}

#[tokio::test]
async fn tracks_may_change_while_the_bridge_runs() {
    let (publisher, bridges, sound) = setup();
    send(&publisher, &sound, 0, 10);
    let mut reader = bridges.reader(publisher.stream(), Sound::Opus);
    take(&mut reader, 25).await;
    // Another rate: another transcoder, whose packets do not go back behind those before.
    let wide = g711_track(Law::Mu, 16_000, 2);
    publisher.set_track(wide.clone()).unwrap();
    let more = g711_units(&wide, 60, sine(400.0));
    for (part, next) in more[20..].iter().enumerate() {
        if part % 2 == 0 {
            publisher.push(picture(10 + part as i64 / 2)).unwrap();
        }
        publisher.push(next.clone()).unwrap();
    }
    publisher.finish();
    let items = take(&mut reader, usize::MAX).await;
    let changed = items.iter().find_map(|item| match item {
        Item::Tracks(tracks) => tracks.get(AUDIO),
        _ => None,
    });
    assert_eq!(changed.unwrap().codec.channels(), Some(2));
    let packets = units_of(&items, AUDIO);
    assert!(packets.len() >= 40);
    assert!(packets.windows(2).all(|two| two[0].dts < two[1].dts));
    assert!(units_of(&items, VIDEO).len() >= 20);
}

#[tokio::test]
async fn sound_that_cannot_be_transcoded_is_left_out() {
    let (publisher, bridges, _) = setup();
    let track = Track {
        id: AUDIO,
        timebase: Timebase::new(8_000).unwrap(),
        codec: Codec::G722 { channels: 1 },
    };
    publisher.set_track(track).unwrap();
    for number in 0..10 {
        publisher.push(picture(number)).unwrap();
        let payload = Bytes::from_static(&[0; 10]);
        publisher.push(unit(number * 1_024, payload)).unwrap();
    }
    let mut reader = bridges.reader(publisher.stream(), Sound::Opus);
    let items = take(&mut reader, 10).await;
    assert!(matches!(&items[0], Item::Tracks(tracks) if tracks.tracks == [video()]));
    assert!(units_of(&items, AUDIO).is_empty());
}

#[tokio::test]
async fn a_reader_that_falls_behind_skips() {
    let (publisher, bridges, sound) = setup();
    send(&publisher, &sound, 0, 10);
    let (mut slow, mut fast) = (
        bridges.reader(publisher.stream(), Sound::Opus),
        bridges.reader(publisher.stream(), Sound::Opus),
    );
    take(&mut slow, 5).await;
    take(&mut fast, 5).await;
    for second in 0..10 {
        send(&publisher, &sound, 10 + 25 * second, 35 + 25 * second);
        take(&mut fast, 60).await;
    }
    let items = take(&mut slow, 1).await;
    assert!(items.iter().any(|item| matches!(item, Item::Skipped(_))));
    assert!(units_of(&items, VIDEO)[0].random_access);
}

#[tokio::test]
async fn a_stopped_stream_ends_for_readers_of_the_bridge() {
    let hub = Hub::new(Settings::default());
    let publisher = publish(&hub);
    let track = g711_track(Law::A, 8_000, 1);
    publisher.set_track(track.clone()).unwrap();
    let bridges = Bridges::new(Handle::current(), hub.clone());
    let mut reader = bridges.reader(publisher.stream(), Sound::Opus);
    let sound = g711_units(&track, 100, sine(400.0));
    for unit in &sound[..50] {
        publisher.push(unit.clone()).unwrap();
    }
    // Sound alone: every packet is a place to start, so the bridge starts at the newest.
    assert!(reader.try_next().is_none());
    tokio::task::yield_now().await;
    for unit in &sound[50..] {
        publisher.push(unit.clone()).unwrap();
    }
    let items = take(&mut reader, 3).await;
    assert!(units_of(&items, AUDIO)[0].random_access);
    hub.stop(publisher.stream().name());
    let items = take(&mut reader, usize::MAX).await;
    assert!(matches!(items.last(), Some(Item::Ended(Ended::Stopped))));
}
