//! Streams of the configuration file.

use super::bench::{Bench, Mood, broadcast, name, until};
use crate::config::StaticStream;
use crate::control::supervisor::Phase;
use crate::control::{ControlError, Endpoint, Patch, Status};
use crate::hub::StreamName;
use std::collections::BTreeMap;
use std::sync::Arc;

const A: &str = "fake://host:1/a";
const B: &str = "fake://host:1/b";
const C: &str = "fake://host:1/c";

/// The streams of a file of these tables.
fn streams(text: &str) -> BTreeMap<StreamName, StaticStream> {
    let streams: BTreeMap<String, StaticStream> = toml::from_str(text).unwrap();
    let named = streams.into_iter();
    named.map(|(id, stream)| (name(&id), stream)).collect()
}

async fn set(bench: &Bench, text: &str) {
    let streams = streams(text);
    let set = bench.control.set_static_streams(&streams);
    set.await.unwrap();
}

async fn live(bench: &Bench, id: &str) {
    until(|| bench.status(&name(id)) == Status::Broadcasting).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_file_says_runs_and_what_it_says_no_longer_does_not() {
    let bench = Bench::new();
    for url in [A, B, C] {
        bench.fake.set(url, Mood::Live);
    }
    let both =
        format!("[one]\nsource = '{A}'\n[two]\nname = 'Two'\nsource = ['{B}', '{C}']\n[three]\n");
    set(&bench, &both).await;
    live(&bench, "one").await;
    live(&bench, "two").await;
    let one = bench.hub.get(&name("one")).unwrap();
    let view = bench.control.get(&name("two")).unwrap();
    assert_eq!(view.made_by(), "file");
    assert_eq!(view.broadcast.name.as_deref(), Some("Two"));
    assert_eq!(view.broadcast.fallback_urls, [C]);
    assert_eq!(bench.status(&name("three")), Status::Created);
    // The same again: nothing is touched.
    set(&bench, &both).await;
    assert_eq!(bench.fake.attempts_at(A).len(), 1);
    // One has changed, one is gone; the third is as it was.
    set(
        &bench,
        &format!("[one]\nsource = '{A}'\n[two]\nsource = '{C}'\n"),
    )
    .await;
    until(|| bench.fake.attempts_at(C).len() == 1).await;
    live(&bench, "two").await;
    assert!(bench.control.get(&name("three")).is_none());
    let same = bench.hub.get(&name("one")).unwrap();
    assert!(Arc::ptr_eq(&one, &same));
    assert_eq!(bench.fake.attempts_at(A).len(), 1);
    set(&bench, "").await;
    until(|| bench.running() == 0).await;
    assert!(bench.control.list_all().is_empty());
    assert!(bench.again().control.list_all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_api_starts_and_stops_and_does_not_change_them() {
    let bench = Bench::new();
    bench.fake.set(A, Mood::Live);
    let file = format!("[one]\nsource = '{A}'\ntargets = '{B}'\n");
    set(&bench, &file).await;
    let one = name("one");
    live(&bench, "one").await;
    let control = &bench.control;
    let refused = |result: Result<(), ControlError>| {
        assert!(matches!(result, Err(ControlError::ByFile(_))), "{result:?}");
    };
    let patch = Patch {
        name: Some("x".into()),
        ..Patch::default()
    };
    refused(control.update(&one, &patch).await);
    refused(control.delete(&one).await);
    refused(control.remove_source(&one).await);
    let target = control.get(&one).unwrap().targets[0].endpoint.id.clone();
    refused(control.remove_target(&one, &target).await);
    refused(control.set_targets(&one, Vec::new()).await);
    let again = control.create(one.clone(), broadcast(&[B])).await;
    assert!(matches!(again, Err(ControlError::Exists(_))));
    // What is stopped stays so, until the file says something else of it.
    control.stop(&one).await.unwrap();
    set(&bench, &file).await;
    assert_eq!(bench.running(), 0);
    set(&bench, &format!("{file}name = 'One'\n")).await;
    live(&bench, "one").await;
    // Or until the server starts again.
    control.stop(&one).await.unwrap();
    let after = bench.again();
    after.fake.set(A, Mood::Live);
    set(&after, &format!("{file}name = 'One'\n")).await;
    after.control.start_targets();
    after.control.start_sources();
    live(&after, "one").await;
}

#[tokio::test(start_paused = true)]
async fn targets_of_the_file_and_of_the_api_stand_side_by_side() {
    let bench = Bench::new();
    for url in [A, B, C] {
        bench.fake.set(url, Mood::Live);
    }
    let one = name("one");
    let source = format!("[one]\nsource = '{A}'\n");
    set(&bench, &format!("{source}targets = ['{B}']\n")).await;
    let own = bench.control.push(&one, Endpoint::to(C)).await.unwrap();
    let phases = || -> Vec<(String, Phase)> {
        let view = bench.control.get(&one);
        let targets = view.into_iter().flat_map(|view| view.targets);
        targets.map(|t| (t.endpoint.url, t.state.phase)).collect()
    };
    let all_live = || phases().iter().all(|(_, phase)| *phase == Phase::Live);
    until(|| phases().len() == 2 && all_live()).await;
    set(&bench, &source).await;
    until(|| phases() == [(C.to_owned(), Phase::Live)]).await;
    assert_eq!(bench.fake.attempts_at(C).len(), 1);
    // Without the stream it waits for another of that name.
    set(&bench, "").await;
    let left = bench.control.get(&one).unwrap();
    assert!(left.broadcast.implied && left.targets[0].endpoint.id == own.id);
    assert_eq!(left.made_by(), "api");
    // Who makes it again by the file gets it back.
    set(&bench, &source).await;
    until(|| phases() == [(C.to_owned(), Phase::Live)]).await;
}

#[tokio::test(start_paused = true)]
async fn sources_on_demand_wait_for_who_watches() {
    let bench = Bench::new();
    bench.fake.set(A, Mood::Live);
    let one = name("one");
    let waits = format!("[one]\non_demand = true\nsource = '{A}'\n");
    set(&bench, &waits).await;
    assert_eq!(bench.supervisor.state(&one), None);
    assert!(bench.hub.is_offered(&one));
    set(&bench, &format!("[one]\nsource = '{A}'\n")).await;
    live(&bench, "one").await;
    assert!(!bench.hub.is_offered(&one));
}

#[tokio::test(start_paused = true)]
async fn who_publishes_goes_on_when_the_file_says_nothing_of_it_any_more() {
    let bench = Bench::new();
    let one = name("one");
    set(&bench, "[one]\nstream_key = 'secret key'\n").await;
    let keys = bench.supervisor.context().auth.keys().clone();
    assert_eq!(keys.stream("secret key"), Some(one.clone()));
    let _publisher = bench.hub.publish(&one, &super::bench::origin("x")).unwrap();
    set(&bench, "").await;
    assert_eq!(bench.control.get(&one).unwrap().made_by(), "publisher");
    assert_eq!(keys.stream("secret key"), None);
    // What the API has made is the file's from the moment on that this says so.
    let two = bench.start("two", &[B]).await;
    set(&bench, &format!("[two]\nsource = '{A}'\n")).await;
    assert_eq!(bench.control.get(&two).unwrap().made_by(), "file");
    until(|| !bench.fake.attempts_at(A).is_empty()).await;
}
