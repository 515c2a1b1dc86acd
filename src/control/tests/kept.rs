//! What an application's settings say of its sources.

use super::bench::{Bench, Mood, broadcast, name, origin, until};
use crate::control::settings::AppSettings;
use crate::control::{Broadcast, Status};
use std::time::Duration;
use tokio::time::sleep;

const URL: &str = "fake://host:1/a";

fn automatically() -> AppSettings {
    AppSettings {
        start_stream_fetcher_automatically: true,
        ..AppSettings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_stopped_starts_with_the_server_where_that_is_asked() {
    for asked in [false, true] {
        let before = Bench::new();
        let ran = before.start("ran", &[URL]).await;
        let stopped = before.start("stopped", &[URL]).await;
        before.control.stop(&stopped).await.unwrap();
        let made = name("made");
        let made_too = before.control.create(made.clone(), broadcast(&[URL]));
        made_too.await.unwrap();
        let on_demand = Broadcast {
            auto_start_stop: true,
            ..broadcast(&[URL])
        };
        let waits = name("waits");
        let made_too = before.control.create(waits.clone(), on_demand);
        made_too.await.unwrap();
        let published = name("published");
        let made_too = before
            .control
            .create(published.clone(), Broadcast::default());
        made_too.await.unwrap();
        if asked {
            let kept = before.control.set_settings("LiveApp", automatically());
            kept.await.unwrap();
        }
        before.control.shut_down().await;
        let after = before.again();
        assert_eq!(after.control.settings("LiveApp") == automatically(), asked);
        after.control.start_sources();
        let expected = |before: Status| match asked {
            true => Status::Preparing,
            false => before,
        };
        assert_eq!(after.status(&ran), expected(Status::Finished));
        assert_eq!(after.status(&made), expected(Status::Created));
        assert_eq!(after.status(&stopped), Status::Finished);
        for idle in [&stopped, &waits, &published] {
            assert_eq!(after.supervisor.state(idle), None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sources_are_connected_anew_in_each_period() {
    let bench = Bench::new();
    bench.fake.set(URL, Mood::Live);
    let cam = bench.start("cam", &[URL]).await;
    until(|| bench.status(&cam) == Status::Broadcasting).await;
    let stream = bench.hub.get(&cam).unwrap();
    tokio::spawn(bench.control.clone().restart_periodically());
    sleep(Duration::from_secs(1_000)).await;
    assert_eq!(bench.fake.attempts_at(URL).len(), 1);
    let settings = |period| AppSettings {
        restart_stream_fetcher_period: period,
        ..AppSettings::default()
    };
    let set = |period| bench.control.set_settings("LiveApp", settings(period));
    set(60).await.unwrap();
    sleep(Duration::from_secs(610)).await;
    let restarts = bench.fake.attempts_at(URL).len() - 1;
    assert_eq!(restarts, 10);
    // Its readers have noticed nothing.
    let now = bench.hub.get(&cam).unwrap();
    assert!(std::sync::Arc::ptr_eq(&stream, &now));
    set(0).await.unwrap();
    sleep(Duration::from_secs(1_000)).await;
    assert_eq!(bench.fake.attempts_at(URL).len() - 1, restarts);
}

#[tokio::test(start_paused = true)]
async fn what_was_live_when_the_server_was_killed_is_said_to_have_ended_unexpectedly() {
    let before = Bench::new();
    tokio::spawn(before.control.clone().follow_hub());
    before.fake.set(URL, Mood::Live);
    let pulled = before.start("pulled", &[URL]).await;
    let (lasting, ended) = (name("lasting"), name("ended"));
    let mut publishers = Vec::new();
    for name in [&lasting, &ended] {
        let made = before.control.create(name.clone(), Broadcast::default());
        made.await.unwrap();
        publishers.push(before.hub.publish(name, &origin("somebody")).unwrap());
    }
    let kept = |name| before.control.get(name).unwrap().broadcast.live;
    until(|| [&pulled, &lasting, &ended].into_iter().all(kept)).await;
    publishers.remove(1).finish();
    until(|| !kept(&ended)).await;
    let killed = before.again();
    assert_eq!(killed.status(&pulled), Status::TerminatedUnexpectedly);
    assert_eq!(killed.status(&lasting), Status::TerminatedUnexpectedly);
    assert_eq!(killed.status(&ended), Status::Finished);
    // It is, until something is done with it.
    killed.control.start(&pulled).await.unwrap();
    killed.control.stop(&pulled).await.unwrap();
    assert_eq!(killed.status(&pulled), Status::Finished);
    let after = killed.again();
    assert_eq!(after.status(&pulled), Status::Finished);
    assert_eq!(after.status(&lasting), Status::TerminatedUnexpectedly);
    // A server that is asked to end says goodbye.
    tokio::spawn(after.control.clone().follow_hub());
    let _publisher = after.hub.publish(&lasting, &origin("somebody")).unwrap();
    until(|| !after.control.get(&lasting).unwrap().broadcast.cut_off).await;
    after.control.shut_down().await;
    assert_eq!(after.again().status(&lasting), Status::Finished);
}

#[tokio::test(start_paused = true)]
async fn who_publishes_the_name_of_a_pulled_broadcast_is_no_source() {
    let bench = Bench::new();
    let cam = bench.start("cam", &[URL]).await;
    let pulled = || bench.control.get(&cam).unwrap().pulled;
    let publisher = bench.hub.publish(&cam, &origin("somebody")).unwrap();
    assert!(!pulled());
    publisher.finish();
    bench.fake.set(URL, Mood::Live);
    until(|| bench.status(&cam) == Status::Broadcasting).await;
    assert!(pulled());
    // It has it still while it has failed and waits to be tried again.
    bench.fake.set(URL, Mood::Refusing);
    until(|| bench.status(&cam) != Status::Broadcasting).await;
    assert!(pulled());
    let _publisher = bench.hub.publish(&cam, &origin("somebody")).unwrap();
    assert!(!pulled());
}
