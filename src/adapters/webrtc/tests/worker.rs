//! One shard's sessions.

use super::*;
use crate::adapters::webrtc::worker::{Message, Shard};
use std::rc::Rc;

/// A shard with so many sessions of a stream.
fn shard(stream: &Arc<Stream>, count: usize) -> (Rc<Shard>, Vec<Home>) {
    let shard = Rc::new(Shard::new(shared()));
    let homes = (0..count).map(|_| {
        let (home, start) = start(&shard.shared, stream);
        shard.take(Message::Start(start));
        home
    });
    let homes = homes.collect();
    (shard, homes)
}

fn viewers(stream: &Stream) -> usize {
    stream.viewers().total()
}

/// Whether requests for the session find it.
fn is_known(shard: &Shard, home: &Home) -> bool {
    shard.shared.router.find(&name(), &home.ufrag).is_some()
}

#[tokio::test(flavor = "local")]
async fn who_leaves_is_no_longer_counted_and_the_others_stay() {
    let (_hub, publisher) = publisher(&[pictures(), sound(2)]);
    let stream = publisher.stream();
    let (shard, homes) = shard(stream, 3);
    assert_eq!(viewers(stream), 3);
    shard.take(Message::Stop(homes[1].ufrag.clone()));
    // Twice is no harm.
    shard.take(Message::Stop(homes[1].ufrag.clone()));
    assert_eq!(viewers(stream), 2);
    let known: Vec<_> = homes.iter().map(|home| is_known(&shard, home)).collect();
    assert_eq!(known, [true, false, true]);
}

#[tokio::test(flavor = "local")]
async fn a_panic_ends_the_session_it_concerns_and_no_other() {
    let (_hub, publisher) = publisher(&[pictures(), sound(2)]);
    let stream = publisher.stream();
    let (shard, homes) = shard(stream, 2);
    let member = shard.member(&homes[0].ufrag).unwrap();
    shard.contain(&member, || {
        let _session = member.session.borrow_mut();
        panic!("a defect, for a test");
    });
    drop(member);
    assert_eq!(viewers(stream), 1);
    assert!(!is_known(&shard, &homes[0]) && is_known(&shard, &homes[1]));
    shard.take(Message::Stop(homes[1].ufrag.clone()));
    assert_eq!(viewers(stream), 0);
}

#[tokio::test(flavor = "local")]
async fn the_end_of_the_stream_ends_all_sessions() {
    let (_hub, publisher) = publisher(&[pictures()]);
    let stream = publisher.stream().clone();
    publisher.push(picture(0, 0, true)).unwrap();
    let (_shard, _) = shard(&stream, 2);
    publisher.finish();
    until(|| viewers(&stream) == 0).await;
}

#[tokio::test(flavor = "local")]
async fn other_kinds_of_tracks_end_sessions_and_other_settings_do_not() {
    let (_hub, publisher) = publisher(&[pictures()]);
    let stream = publisher.stream().clone();
    for number in 0..20 {
        publisher
            .push(picture(number * 40, number * 40, number == 0))
            .unwrap();
    }
    let (shard, homes) = shard(&stream, 1);
    let Codec::H264(mut config) = pictures().codec else {
        panic!("not H.264");
    };
    config.pps = vec![Bytes::from_static(&[0x68, 2])];
    let changed = Track {
        codec: Codec::H264(config),
        ..pictures()
    };
    publisher.set_track(changed).unwrap();
    publisher.push(picture(800, 800, true)).unwrap();
    // Seen by a reader beside the group, and so by the group.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(is_known(&shard, &homes[0]));
    publisher.set_track(sound(2)).unwrap();
    publisher.push(picture(840, 840, true)).unwrap();
    until(|| !is_known(&shard, &homes[0])).await;
    // Who comes back is offered both.
    let (_, start) = start(&shard.shared, &stream);
    assert!(start.formats.video.is_some() && start.formats.audio.is_some());
}

#[tokio::test(flavor = "local")]
async fn b_frames_that_come_later_end_sessions() {
    let (_hub, publisher) = publisher(&[pictures()]);
    let stream = publisher.stream().clone();
    for number in 0..20 {
        publisher
            .push(picture(number * 40, number * 40, number == 0))
            .unwrap();
    }
    let (shard, homes) = shard(&stream, 1);
    for (dts, pts) in [(800, 920), (840, 840), (880, 880), (920, 1040), (960, 960)] {
        publisher.push(picture(dts, pts, false)).unwrap();
    }
    until(|| !is_known(&shard, &homes[0])).await;
}

async fn until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
