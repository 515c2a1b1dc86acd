//! Several URLs behind one stream.

use super::bench::{Bench, Mood, PACE, until};
use crate::config::Sources;
use crate::control::supervisor::SourcePhase;
use crate::control::{Patch, Status};
use crate::hub::{Change, Item, Reader, Settings};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const FIRST: &str = "fake://first:1/a";
const SECOND: &str = "fake://second:1/b";
const THIRD: &str = "fake://third:1/c";

#[tokio::test(start_paused = true)]
async fn the_next_is_tried_at_once_when_one_fails() {
    let bench = Bench::new();
    bench.fake.set(THIRD, Mood::Live);
    let name = bench.start("cam", &[FIRST, SECOND, THIRD]).await;
    let begun = Instant::now();
    until(|| bench.status(&name) == Status::Broadcasting).await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    let state = bench.state(&name);
    assert_eq!((state.url, state.attempts, state.last_error), (2, 3, None));
    // While it is live and the first fails, it is not given up.
    let pushed = || bench.hub.get(&name).unwrap().snapshot().access_units;
    let before = pushed();
    sleep(Duration::from_secs(600)).await;
    let expected = 600_000 / PACE.as_millis() as u64;
    assert!(pushed() - before >= expected - 5, "{}", pushed() - before);
    assert_eq!(bench.state(&name).url, 2);
    // Nor is the first left alone, nor tried too often.
    let tried = bench.fake.attempts_at(FIRST);
    assert!((35..=42).contains(&tried.len()), "{}", tried.len());
    assert!(
        tried
            .windows(2)
            .skip(1)
            .all(|pair| pair[1] - pair[0] >= Sources::default().probe)
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_returns_without_a_gap_once_it_is_well() {
    let bench = Bench::new();
    bench.fake.set(FIRST, Mood::Live);
    bench.fake.set(SECOND, Mood::Live);
    let name = bench.start("cam", &[FIRST, SECOND]).await;
    until(|| bench.status(&name) == Status::Broadcasting).await;
    let stream = bench.hub.get(&name).unwrap();
    let mut reader = Reader::new(stream.clone());
    let mut changes = bench.hub.changes();
    sleep(Duration::from_secs(20)).await;
    bench.fake.set(FIRST, Mood::Refusing);
    until(|| bench.state(&name).url == 1 && bench.status(&name) == Status::Broadcasting).await;
    // It accepts connections, and sends nothing: it is not well.
    bench.fake.set(FIRST, Mood::Hanging);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.state(&name).url, 1);
    bench.fake.set(FIRST, Mood::Live);
    until(|| bench.state(&name).url == 0).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.state(&name).phase, SourcePhase::Live);
    assert_eq!(bench.running(), 1, "the fallback is let go");
    let origin = stream.snapshot().origin.address;
    assert_eq!(origin, FIRST);
    // The same stream for its readers, on one axis, with a mark at each seam.
    assert!(Arc::ptr_eq(&stream, &bench.hub.get(&name).unwrap()));
    let mut published = 0;
    for change in std::iter::from_fn(|| changes.try_recv().ok()) {
        assert!(!matches!(change, Change::Ended(..)), "{change:?}");
        published += usize::from(matches!(change, Change::Published(..)));
    }
    assert_eq!(published, 2);
    let mut last = None;
    loop {
        let next = tokio::time::timeout(PACE / 2, reader.next()).await;
        match next {
            Ok(Item::Unit(unit)) => {
                assert!(last < Some(unit.dts));
                last = Some(unit.dts);
            }
            Ok(Item::Tracks(_) | Item::Skipped(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(_) => break,
        }
    }
    assert!(last.is_some());
}

/// Runs from the second URL while the first hangs, fails and does not hang any more when told to, and gives what
/// comes of it a second less than the grace time. The first is being tried while the second fails, or not.
async fn glitch(first: Mood, second: Mood, tried: bool) {
    let bench = Bench::new();
    bench.fake.set(SECOND, Mood::Live);
    let name = bench.start("cam", &[FIRST, SECOND]).await;
    until(|| bench.status(&name) == Status::Broadcasting).await;
    let stream = bench.hub.get(&name).unwrap();
    bench.fake.set(FIRST, Mood::Hanging);
    let tries = || bench.fake.attempts_at(FIRST).len() > 1;
    assert!(!tries());
    if tried {
        until(tries).await;
    } else {
        sleep(Duration::from_secs(10)).await;
    }
    bench.fake.set(SECOND, Mood::Refusing);
    until(|| !stream.snapshot().publishing).await;
    let begun = Instant::now();
    bench.fake.set(SECOND, second);
    bench.fake.set(FIRST, first);
    until(|| stream.snapshot().publishing || stream.ended().is_some()).await;
    assert_eq!(stream.ended(), None, "its readers are gone");
    let grace = Settings::default().grace;
    assert!(begun.elapsed() + Duration::from_secs(1) < grace);
    let runs = usize::from(first != Mood::Live);
    until(|| bench.state(&name).phase == SourcePhase::Live).await;
    assert_eq!(bench.state(&name).url, runs);
    // Once the first can be had, it has the stream, whoever fills it meanwhile.
    bench.fake.set(FIRST, Mood::Live);
    until(|| bench.state(&name).url == 0 && bench.status(&name) == Status::Broadcasting).await;
    tokio::task::yield_now().await;
    assert_eq!(bench.running(), 1);
    assert_eq!(stream.ended(), None);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_fails_for_a_moment_does_not_wait_for_the_first() {
    for tried in [true, false] {
        glitch(Mood::Hanging, Mood::Live, tried).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_fails_makes_room_for_the_first() {
    for tried in [true, false] {
        glitch(Mood::Live, Mood::Refusing, tried).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_can_be_changed_while_it_runs() {
    let bench = Bench::new();
    bench.fake.set(THIRD, Mood::Live);
    let name = bench.start("cam", &[FIRST]).await;
    sleep(Duration::from_secs(5)).await;
    let patch = Patch {
        fallback_urls: Some(vec![THIRD.into()]),
        ..Patch::default()
    };
    bench.control.update(&name, &patch).await.unwrap();
    until(|| bench.status(&name) == Status::Broadcasting).await;
    assert_eq!(bench.state(&name).url, 1);
    bench.control.stop(&name).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(bench.running(), 0);
}
