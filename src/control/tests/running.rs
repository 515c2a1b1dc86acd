//! A source that fails, hangs, falls silent or loses its name.

use super::bench::{Bench, Mood, PACE, name, origin, until};
use crate::control::Status;
use crate::control::supervisor::SourcePhase;
use crate::hub::Change;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const URL: &str = "fake://host:1/a";

#[tokio::test(start_paused = true)]
async fn it_is_tried_for_ever_first_soon_and_never_rarely() {
    let bench = Bench::new();
    let name = bench.start("cam", &[URL]).await;
    sleep(Duration::from_secs(24 * 3_600)).await;
    let attempts = bench.fake.attempts_at(URL);
    assert!(attempts.len() > 24 * 3_600 / 16, "{}", attempts.len());
    let gaps: Vec<Duration> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] <= Duration::from_secs(1), "{:?}", gaps[0]);
    assert!(gaps.iter().all(|gap| *gap <= Duration::from_millis(15_100)));
    assert_eq!(bench.state(&name).last_error.as_deref(), Some("refused"));
    assert_eq!(bench.status(&name), Status::Preparing);
    // It is live within the next pause, and its error forgotten.
    bench.fake.set(URL, Mood::Live);
    let begun = Instant::now();
    until(|| bench.status(&name) == Status::Broadcasting).await;
    assert!(begun.elapsed() <= Duration::from_secs(16));
    assert_eq!(bench.state(&name).last_error, None);
}

#[tokio::test(start_paused = true)]
async fn it_is_lost_only_after_a_while() {
    let bench = Bench::new();
    bench.fake.set(URL, Mood::Live);
    let name = bench.start("cam", &[URL]).await;
    until(|| bench.status(&name) == Status::Broadcasting).await;
    sleep(Duration::from_secs(60)).await;
    bench.fake.set(URL, Mood::Refusing);
    sleep(Duration::from_secs(15)).await;
    assert_eq!(bench.status(&name), Status::Preparing);
    sleep(Duration::from_secs(15)).await;
    assert_eq!(bench.status(&name), Status::TerminatedUnexpectedly);
    bench.control.stop(&name).await.unwrap();
    assert_eq!(bench.status(&name), Status::Finished);
}

#[tokio::test(start_paused = true)]
async fn silence_counts_from_the_last_access_unit() {
    let bench = Bench::new();
    bench.fake.set(URL, Mood::Live);
    let name = bench.start("cam", &[URL]).await;
    until(|| bench.status(&name) == Status::Broadcasting).await;
    sleep(Duration::from_secs(25)).await;
    bench.fake.set(URL, Mood::Silent);
    let begun = Instant::now();
    until(|| bench.state(&name).phase == SourcePhase::Pausing).await;
    let took = begun.elapsed();
    let limit = Duration::from_secs(10);
    assert!(took >= limit - PACE && took <= limit + PACE, "{took:?}");
    let error = bench.state(&name).last_error.unwrap();
    assert_eq!(error, "the source sent nothing for 10 s");
}

#[tokio::test(start_paused = true)]
async fn connecting_has_limits_of_its_own() {
    let bench = Bench::new();
    bench.fake.set(URL, Mood::Hanging);
    let name = bench.start("cam", &[URL]).await;
    sleep(Duration::from_secs(100)).await;
    assert_eq!(bench.fake.attempts_at(URL).len(), 1);
    until(|| bench.fake.attempts_at(URL).len() == 2).await;
    let error = bench.state(&name).last_error.unwrap();
    assert_eq!(error, "not connected within 120 s");
}

#[tokio::test(start_paused = true)]
async fn attempts_at_one_host_take_turns() {
    let bench = Bench::new();
    // As cameras behind a router have them: one address, a port for each.
    let urls: Vec<String> = (1..=40)
        .map(|port| format!("fake://host:{port}/a"))
        .collect();
    for (at, url) in urls.iter().enumerate() {
        bench.fake.set(url, Mood::Hanging);
        bench.start(&format!("cam-{at}"), &[url]).await;
    }
    bench.fake.set("fake://other:1/x", Mood::Live);
    let elsewhere = bench.start("elsewhere", &["fake://other:1/x"]).await;
    until(|| bench.status(&elsewhere) == Status::Broadcasting).await;
    // Each gives its turn up after two minutes, and the next has it.
    sleep(Duration::from_secs(10 * 125)).await;
    assert_eq!(bench.fake.most_connecting.load(Ordering::SeqCst), 5);
    let attempts = bench.fake.attempts.lock().unwrap().clone();
    let order: Vec<&str> = attempts.iter().map(|(url, _)| url.as_str()).collect();
    let known = |url: &&String| order.contains(&url.as_str());
    assert_eq!(
        urls.iter().filter(known).count(),
        40,
        "in the order of asking"
    );
}

#[tokio::test(start_paused = true)]
async fn dead_sources_of_a_host_do_not_make_those_wait_that_come_back() {
    let bench = Bench::new();
    let url = "fake://host:1/a";
    bench.fake.set(url, Mood::Live);
    let name = bench.start("cam", &[url]).await;
    until(|| bench.status(&name) == Status::Broadcasting).await;
    for port in 2..=64 {
        let dead = format!("fake://host:{port}/a");
        bench.fake.set(&dead, Mood::Hanging);
        bench.start(&format!("dead-{port}"), &[&dead]).await;
    }
    // Until each has failed once, of which there was hope too.
    sleep(Duration::from_secs(64 / 4 * 125)).await;
    let stream = bench.hub.get(&name).unwrap();
    bench.fake.set(url, Mood::Refusing);
    until(|| !stream.snapshot().publishing).await;
    bench.fake.set(url, Mood::Live);
    let begun = Instant::now();
    until(|| bench.status(&name) == Status::Broadcasting).await;
    assert!(begun.elapsed() <= Duration::from_secs(2));
    // Nor are they starved by it.
    let tried = bench.fake.attempts.lock().unwrap().len();
    sleep(Duration::from_secs(64 / 3 * 125)).await;
    assert!(bench.fake.attempts.lock().unwrap().len() >= tried + 60);
}

#[tokio::test(start_paused = true)]
async fn those_that_run_take_no_turn() {
    let bench = Bench::new();
    for at in 0..20 {
        let url = format!("fake://host:1/{at}");
        bench.fake.set(&url, Mood::Live);
        bench.start(&format!("cam-{at}"), &[&url]).await;
    }
    let all_live =
        || (0..20).all(|at| bench.status(&name(&format!("cam-{at}"))) == Status::Broadcasting);
    let begun = Instant::now();
    until(all_live).await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_goes_on_with_the_same_stream() {
    let bench = Bench::new();
    bench.fake.set(URL, Mood::Live);
    let name = bench.start("cam", &[URL]).await;
    until(|| bench.status(&name) == Status::Broadcasting).await;
    let stream = bench.hub.get(&name).unwrap();
    let mut changes = bench.hub.changes();
    bench.fake.set(URL, Mood::Refusing);
    until(|| bench.state(&name).phase == SourcePhase::Pausing).await;
    bench.fake.set(URL, Mood::Live);
    until(|| bench.status(&name) == Status::Broadcasting).await;
    assert!(std::sync::Arc::ptr_eq(
        &stream,
        &bench.hub.get(&name).unwrap()
    ));
    let ended = |change| matches!(change, Change::Ended(..));
    assert!(!std::iter::from_fn(|| changes.try_recv().ok()).any(ended));
}

#[tokio::test(start_paused = true)]
async fn one_that_has_lost_its_name_to_a_publisher_waits_for_it() {
    let bench = Bench::new();
    bench.fake.set(URL, Mood::Silent);
    let name = bench.start("cam", &[URL]).await;
    until(|| bench.state(&name).phase == SourcePhase::Live).await;
    // Silent for long enough to be taken over, and not for so long that it is connected again.
    sleep(Duration::from_secs(6)).await;
    let publisher = bench.hub.publish(&name, &origin("somebody")).unwrap();
    publisher.set_track(super::bench::track()).unwrap();
    bench.fake.set(URL, Mood::Live);
    for number in 0..200 {
        publisher.push(super::bench::unit(number)).unwrap();
        sleep(PACE).await;
    }
    let error = bench.state(&name).last_error.unwrap();
    assert!(error.contains("published already"), "{error}");
    drop(publisher);
    until(|| bench.state(&name).phase == SourcePhase::Live).await;
}
