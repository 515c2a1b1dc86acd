//! What an application's settings say of its sources.

use super::bench::{Bench, Mood, broadcast, name, until};
use crate::control::Status;
use crate::control::settings::AppSettings;
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
async fn what_ran_runs_again_after_a_restart_where_that_is_asked() {
    for asked in [false, true] {
        let before = Bench::new();
        let ran = before.start("ran", &[URL]).await;
        let stopped = before.start("stopped", &[URL]).await;
        before.control.stop(&stopped).await.unwrap();
        let made = name("made");
        let made_too = before.control.create(made.clone(), broadcast(&[URL]));
        made_too.await.unwrap();
        if asked {
            let kept = before.control.set_settings("LiveApp", automatically());
            kept.await.unwrap();
        }
        before.control.shut_down();
        let after = before.again();
        assert_eq!(after.control.settings("LiveApp") == automatically(), asked);
        after.control.start_sources();
        assert_eq!(after.supervisor.state(&ran).is_some(), asked);
        let expected = if asked {
            Status::Preparing
        } else {
            Status::Finished
        };
        assert_eq!(after.status(&ran), expected);
        assert_eq!(after.status(&stopped), Status::Finished);
        assert_eq!(after.status(&made), Status::Created);
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
