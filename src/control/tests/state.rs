//! All that the APIs have made, written down and brought back.

use super::bench::{Bench, Mood, broadcast, name, until};
use crate::control::settings::AppSettings;
use crate::control::state::State;
use crate::control::supervisor::Phase;
use crate::control::targets::TargetPatch;
use crate::control::{Broadcast, ControlError, Endpoint, Status};
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

const A: &str = "fake://host:1/a";
const B: &str = "fake://host:1/b";
const TARGET: &str = "fake://target:1/t";

async fn filled() -> Bench {
    let bench = Bench::new();
    for url in [A, B, TARGET] {
        bench.fake.set(url, Mood::Live);
    }
    let one = bench.start("one", &[A]).await;
    bench
        .control
        .push(&one, Endpoint::to(TARGET))
        .await
        .unwrap();
    bench
        .control
        .push(&name("later"), Endpoint::to(TARGET))
        .await
        .unwrap();
    let two = Broadcast {
        stream_key: Some("secret key".into()),
        record: Some(true),
        ..Broadcast::default()
    };
    bench.control.create(name("two"), two).await.unwrap();
    let settings = AppSettings {
        restart_stream_fetcher_period: 7,
        ..AppSettings::default()
    };
    bench.control.set_settings("live", settings).await.unwrap();
    bench
}

#[tokio::test(start_paused = true)]
async fn another_server_has_all_of_it_and_runs_it() {
    let bench = filled().await;
    let written = bench.control.state();
    let text = serde_json::to_string(&written).unwrap();
    let read: State = serde_json::from_str(&text).unwrap();
    assert_eq!(read, written);
    let other = Bench::new();
    for url in [A, TARGET] {
        other.fake.set(url, Mood::Live);
    }
    let restored = other.control.restore(&read, false).await.unwrap();
    assert_eq!(
        restored.made,
        ["LiveApp/later", "LiveApp/one", "LiveApp/two"]
    );
    until(|| other.status(&name("one")) == Status::Broadcasting).await;
    assert_eq!(other.control.state(), written);
    let keys = other.supervisor.context().auth.keys();
    assert_eq!(keys.stream("secret key"), Some(name("two")));
    assert_eq!(
        other.control.settings("live").restart_stream_fetcher_period,
        7
    );
    // Numbers are the other server's own.
    let number = |id| other.control.get(&name(id)).unwrap().broadcast.number;
    assert!(number("one") > 0);
    let restored = other.control.restore(&read, true).await.unwrap();
    assert_eq!(restored.same.len(), 3, "{restored:?}");
    assert_eq!(other.fake.attempts_at(A).len(), 1);
    assert_eq!(other.again().control.state(), written);
}

#[tokio::test(start_paused = true)]
async fn a_document_names_no_file_of_the_machine() {
    let bench = filled().await;
    let mut state = bench.control.state();
    for (slate, expected) in [("soon.mp4", Some("soon.mp4")), ("/etc/soon.mp4", None)] {
        state.broadcasts.get_mut("LiveApp/two").unwrap()["slate"] = slate.into();
        bench.control.restore(&state, true).await.unwrap();
        let two = bench.control.get(&name("two")).unwrap();
        assert_eq!(two.broadcast.slate.as_deref(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_exists_is_changed_where_that_is_asked_alone() {
    let bench = filled().await;
    until(|| bench.status(&name("one")) == Status::Broadcasting).await;
    let mut state = bench.control.state();
    state.broadcasts.remove("LiveApp/later");
    state.broadcasts.get_mut("LiveApp/one").unwrap()["stream_url"] = B.into();
    let restored = bench.control.restore(&state, false).await.unwrap();
    assert_eq!(
        (restored.exist, restored.same.len()),
        (vec!["LiveApp/one".to_owned()], 1)
    );
    assert!(bench.fake.attempts_at(B).is_empty());
    bench
        .control
        .create(name("three"), broadcast(&[A]))
        .await
        .unwrap();
    let restored = bench.control.restore(&state, true).await.unwrap();
    assert_eq!(restored.deleted, ["LiveApp/later", "LiveApp/three"]);
    assert_eq!(restored.made, ["LiveApp/one"]);
    until(|| bench.fake.attempts_at(B).len() == 1).await;
    assert_eq!(bench.control.state(), state);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_document_changes_nothing() {
    let bench = filled().await;
    let before = bench.control.state();
    let of = |broadcasts| State {
        form: 1,
        broadcasts: serde_json::from_value(broadcasts).unwrap(),
        settings: Default::default(),
    };
    let bad = [
        of(json!({ "LiveApp/../x": {} })),
        of(json!({ "no application": {} })),
        of(json!({ "LiveApp/x": { "kind": "nonsense" } })),
        State {
            form: 2,
            ..of(json!({}))
        },
    ];
    for bad in bad {
        let refused = bench.control.restore(&bad, true).await;
        assert!(matches!(refused, Err(ControlError::Document(_))), "{bad:?}");
    }
    assert_eq!(bench.control.state(), before);
    // One that cannot be had hinders no other.
    let mixed = of(json!({
        "LiveApp/bad": { "kind": "streamSource", "stream_url": "rtsp://169.254.169.254/x" },
        "LiveApp/good": {},
    }));
    let restored = bench.control.restore(&mixed, false).await.unwrap();
    assert_eq!(restored.made, ["LiveApp/good"]);
    assert!(restored.failed["LiveApp/bad"].contains("169.254.169.254"));
}

#[tokio::test(start_paused = true)]
async fn targets_go_where_the_document_says_and_stand_still_where_it_says_that() {
    const OTHER: &str = "fake://other:1/t";
    let bench = filled().await;
    bench.fake.set(OTHER, Mood::Live);
    let one = name("one");
    let target = || bench.control.get(&one).unwrap().targets.remove(0);
    until(|| target().state.phase == Phase::Live).await;
    let before = bench.control.state();
    let moved = TargetPatch {
        place: Some((OTHER.to_owned(), Default::default())),
        ..TargetPatch::default()
    };
    let id = target().endpoint.id;
    bench.control.change_target(&one, &id, moved).await.unwrap();
    until(|| bench.fake.attempts_at(OTHER).len() == 1).await;
    let restored = bench.control.restore(&before, true).await.unwrap();
    assert_eq!(restored.made, ["LiveApp/one"]);
    until(|| bench.fake.attempts_at(TARGET).len() == 2).await;
    assert_eq!(target().endpoint.id, id);
    assert_eq!(bench.control.state(), before);
    let mut still = before.clone();
    still.broadcasts.get_mut("LiveApp/one").unwrap()["endpoints"][0]["paused"] = true.into();
    bench.control.restore(&still, true).await.unwrap();
    assert_eq!(target().state.phase, Phase::Paused);
    assert_eq!(bench.control.state(), still);
    let again = bench.control.restore(&still, true).await.unwrap();
    assert_eq!(again.same.len(), 3, "{again:?}");
    // Nothing goes on at either place.
    sleep(Duration::from_secs(60)).await;
    for url in [TARGET, OTHER] {
        bench.fake.set(url, Mood::Refusing);
    }
    sleep(Duration::from_secs(60)).await;
    let attempts = [TARGET, OTHER].map(|url| bench.fake.attempts_at(url).len());
    assert_eq!(attempts, [2, 1]);
}
