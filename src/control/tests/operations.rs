//! Every operation in every state: each is done at once, and leaves nothing behind.

use super::bench::{Bench, Mood, broadcast, until};
use crate::config::Sources;
use crate::control::supervisor::SourcePhase;
use crate::control::{Patch, Status};
use crate::hub::StreamName;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const URL: &str = "fake://host:1/a";
const OTHER: &str = "fake://other:1/b";

#[derive(Clone, Copy, Debug)]
enum Before {
    Queued,
    Connecting,
    Pausing,
    Live,
    Silent,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Stop,
    Delete,
    Move,
    SignIn,
    Rename,
}

/// A source in that state.
async fn source(before: Before) -> (Bench, StreamName) {
    let bench = Bench::with(Sources {
        connecting_per_host: 1,
        ..Sources::default()
    });
    if matches!(before, Before::Queued) {
        bench.fake.set("fake://host:1/first", Mood::Hanging);
        bench.start("first", &["fake://host:1/first"]).await;
        until(|| bench.running() == 1).await;
    }
    bench.fake.set(
        URL,
        match before {
            Before::Queued | Before::Connecting => Mood::Hanging,
            Before::Pausing => Mood::Refusing,
            Before::Live => Mood::Live,
            Before::Silent => Mood::Silent,
        },
    );
    let name = bench.start("cam", &[URL]).await;
    match before {
        Before::Queued | Before::Connecting => sleep(Duration::from_secs(1)).await,
        Before::Pausing => {
            let long = || {
                let state = bench.state(&name);
                state.attempts >= 6 && state.phase == SourcePhase::Pausing
            };
            until(long).await;
        }
        Before::Live | Before::Silent => {
            until(|| bench.state(&name).phase == SourcePhase::Live).await;
            sleep(Duration::from_secs(2)).await;
        }
    }
    (bench, name)
}

#[tokio::test(start_paused = true)]
async fn every_operation_works_at_once_in_every_state() {
    use Before::{Connecting, Live, Pausing, Queued, Silent};
    use Operation::{Delete, Move, Rename, SignIn, Stop};
    for before in [Queued, Connecting, Pausing, Live, Silent] {
        for operation in [Stop, Delete, Move, SignIn, Rename] {
            let (bench, name) = source(before).await;
            perform(&bench, &name, before, operation).await;
        }
    }
}

async fn perform(bench: &Bench, name: &StreamName, before: Before, operation: Operation) {
    let others = usize::from(matches!(before, Before::Queued));
    let state = bench.state(name);
    let begun = Instant::now();
    let control = &bench.control;
    let patch = match operation {
        Operation::Stop => {
            control.stop(name).await.unwrap();
            tokio::task::yield_now().await;
            assert_eq!(bench.running(), others);
            assert_eq!(bench.supervisor.state(name), None);
            assert_eq!(bench.status(name), Status::Finished);
            assert!(control.stop(name).await.is_err());
            control.start(name).await.unwrap();
            assert!(control.start(name).await.is_err());
            Patch::default()
        }
        Operation::Delete => {
            control.delete(name).await.unwrap();
            tokio::task::yield_now().await;
            assert_eq!(bench.running(), others);
            assert!(control.get(name).is_none() && bench.supervisor.state(name).is_none());
            let again = broadcast(&[OTHER]);
            let view = control.create(name.clone(), again).await.unwrap();
            assert_eq!(view.status, Status::Created);
            Patch::default()
        }
        Operation::Move => {
            bench.fake.set(OTHER, Mood::Live);
            Patch {
                stream_url: Some(OTHER.into()),
                ..Patch::default()
            }
        }
        Operation::SignIn => {
            bench.fake.set("fake://joe:pw@host:1/a", Mood::Live);
            Patch {
                username: Some("joe".into()),
                password: Some("pw".into()),
                ..Patch::default()
            }
        }
        Operation::Rename => Patch {
            name: Some("Door".into()),
            ..Patch::default()
        },
    };
    control.update(name, &patch).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO, "waited");
    match operation {
        Operation::Rename => {
            assert_eq!(bench.state(name), state);
        }
        // Behind one that hangs on the same host it still waits for its turn.
        Operation::SignIn if matches!(before, Before::Queued) => {}
        Operation::Move | Operation::SignIn => {
            let is_live = || bench.status(name) == Status::Broadcasting;
            until(is_live).await;
            assert!(
                begun.elapsed() <= Duration::from_secs(2),
                "{:?}",
                begun.elapsed()
            );
            let tried = bench.fake.attempts_at(URL).len();
            sleep(Duration::from_secs(60)).await;
            assert_eq!(bench.fake.attempts_at(URL).len(), tried);
        }
        Operation::Stop | Operation::Delete => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_url_that_nobody_pulls_changes_nothing() {
    let (bench, name) = source(Before::Live).await;
    let patch = Patch {
        stream_url: Some("gopher://x/".into()),
        ..Patch::default()
    };
    assert!(bench.control.update(&name, &patch).await.is_err());
    assert_eq!(bench.status(&name), Status::Broadcasting);
    let kept = bench.control.get(&name).unwrap().broadcast.stream_url;
    assert_eq!(kept.as_deref(), Some(URL));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_starts_and_stops_leave_nothing_running() {
    let bench = Bench::new();
    bench.fake.set(URL, Mood::Live);
    let name = bench.start("cam", &[URL]).await;
    bench.control.stop(&name).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    for cycle in 0..1_000_u64 {
        // Not through the store: its disk is not what is looked at here.
        bench.control.pull(&name, URL).unwrap();
        sleep(Duration::from_millis(cycle % 300)).await;
        assert!(bench.supervisor.stop(&name));
        bench.hub.stop(&name);
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.running(), 0);
    assert!(metrics.num_alive_tasks() <= before);
    assert!(bench.hub.list().is_empty());
}

/// On several threads, as the server is.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_stopped_while_sources_are_connected_anew_stays_stopped() {
    let bench = Bench::new();
    let name = bench.start("cam", &[URL]).await;
    let patches = [URL, OTHER].map(|url| Patch {
        stream_url: Some(url.into()),
        ..Patch::default()
    });
    let (control, cam) = (bench.control.clone(), name.clone());
    let anew = tokio::spawn(async move {
        for patch in patches.iter().cycle() {
            for _ in 0..100 {
                control.restart_sources("LiveApp").await;
                tokio::task::yield_now().await;
            }
            control.update(&cam, patch).await.unwrap();
        }
    });
    for _ in 0..50 {
        bench.control.stop(&name).await.unwrap();
        sleep(Duration::from_millis(5)).await;
        assert_eq!(bench.supervisor.state(&name), None);
        bench.control.start(&name).await.unwrap();
    }
    anew.abort();
}
