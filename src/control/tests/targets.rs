//! Targets that are added before their stream, tried once, paused, replaced.

use super::bench::{Bench, Mood, broadcast, name, origin, track, unit, until};
use crate::control::supervisor::Phase;
use crate::control::targets::TargetView;
use crate::control::{ControlError, Endpoint};
use crate::hub::StreamName;
use std::time::Duration;
use tokio::time::sleep;

const SOURCE: &str = "fake://source:1/a";
const ONE: &str = "fake://one:1/a";
const OTHER: &str = "fake://other:1/b";

fn targets(bench: &Bench, name: &StreamName) -> Vec<TargetView> {
    let view = bench.control.get(name);
    view.map(|view| view.targets).unwrap_or_default()
}

fn phase(bench: &Bench, name: &StreamName) -> Option<Phase> {
    let targets = targets(bench, name);
    targets.first().map(|target| target.state.phase)
}

#[tokio::test(start_paused = true)]
async fn a_target_waits_for_a_stream_that_nobody_has_made() {
    let before = Bench::new();
    let later = name("later");
    let added = before
        .control
        .push(&later, Endpoint::to(ONE))
        .await
        .unwrap();
    assert_eq!(added.number, 1);
    let again = before.control.push(&later, Endpoint::to(ONE)).await;
    assert!(matches!(again, Err(ControlError::TargetExists(_))));
    let bench = before.again();
    bench.control.start_targets();
    let kept = targets(&bench, &later);
    assert_eq!((kept.len(), &kept[0].endpoint), (1, &added));
    assert_eq!(kept[0].state.phase, Phase::Waiting);
    // Whoever makes the broadcast gets its targets.
    for url in [SOURCE, ONE] {
        bench.fake.set(url, Mood::Live);
    }
    bench.start("later", &[SOURCE]).await;
    until(|| phase(&bench, &later) == Some(Phase::Live)).await;
    assert!(bench.control.get(&later).unwrap().broadcast.number > added.number);
    // Without its source it is there for its target again, and goes with that.
    bench.control.remove_source(&later).await.unwrap();
    until(|| phase(&bench, &later) == Some(Phase::Finished)).await;
    bench
        .control
        .remove_target(&later, &added.id)
        .await
        .unwrap();
    assert!(bench.control.get(&later).is_none());
    assert!(bench.again().control.get(&later).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_once_is_shown_for_a_while_and_forgotten() {
    let bench = Bench::new();
    bench.fake.set(SOURCE, Mood::Live);
    let cam = bench.start("cam", &[SOURCE]).await;
    until(|| bench.hub.get(&cam).is_some()).await;
    let once = Endpoint {
        once: true,
        ..Endpoint::to(ONE)
    };
    let first = bench.control.push(&cam, once.clone()).await.unwrap();
    until(|| phase(&bench, &cam) == Some(Phase::Failed)).await;
    let error = targets(&bench, &cam)[0].state.last_error.clone();
    assert_eq!(error.as_deref(), Some("refused"));
    assert!(bench.again().control.get(&cam).unwrap().targets.is_empty());
    until(|| targets(&bench, &cam).is_empty()).await;
    assert_eq!(bench.fake.attempts_at(ONE).len(), 1);
    // One that stands still is not over; its number is another.
    bench.fake.set(ONE, Mood::Hanging);
    let second = bench.control.push(&cam, once.clone()).await.unwrap();
    assert!(second.number > first.number);
    until(|| phase(&bench, &cam) == Some(Phase::Connecting)).await;
    bench
        .control
        .pause_target(&cam, &second.id, true)
        .await
        .unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(phase(&bench, &cam), Some(Phase::Paused));
    // Of a stream that never comes nothing is left by a restart.
    let nobody = name("nobody");
    bench.control.push(&nobody, once).await.unwrap();
    assert!(bench.control.get(&nobody).is_some());
    assert!(bench.again().control.get(&nobody).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_tried_once_leaves_nothing() {
    let bench = Bench::new();
    let cam = name("cam");
    let once = || crate::control::Broadcast {
        once: true,
        ..broadcast(&[SOURCE])
    };
    bench.control.add_source(cam.clone(), once()).await.unwrap();
    until(|| bench.control.get(&cam).is_none()).await;
    assert_eq!(bench.fake.attempts_at(SOURCE).len(), 1);
    // It may be asked for anew, and stopped by hand.
    bench.fake.set(SOURCE, Mood::Live);
    bench.control.add_source(cam.clone(), once()).await.unwrap();
    until(|| bench.hub.get(&cam).is_some()).await;
    assert!(bench.again().control.get(&cam).is_none());
    bench.control.stop(&cam).await.unwrap();
    until(|| bench.control.get(&cam).is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_target_goes_on_when_it_may_and_keeps_its_place() {
    let before = Bench::new();
    let cam = name("cam");
    let added = before.control.push(&cam, Endpoint::to(ONE)).await.unwrap();
    before
        .control
        .pause_target(&cam, &added.id, true)
        .await
        .unwrap();
    let bench = before.again();
    bench.control.start_targets();
    for url in [SOURCE, ONE] {
        bench.fake.set(url, Mood::Live);
    }
    bench.start("cam", &[SOURCE]).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(phase(&bench, &cam), Some(Phase::Paused));
    assert!(bench.fake.attempts_at(ONE).is_empty());
    let resumed = bench
        .control
        .pause_target(&cam, &added.id, false)
        .await
        .unwrap();
    assert_eq!((resumed.number, &resumed.id), (added.number, &added.id));
    until(|| phase(&bench, &cam) == Some(Phase::Live)).await;
    let unknown = bench.control.pause_target(&cam, "nobody", true).await;
    assert!(matches!(unknown, Err(ControlError::UnknownTarget(_))));
}

#[tokio::test(start_paused = true)]
async fn targets_that_stay_are_not_disturbed() {
    let bench = Bench::new();
    for url in [SOURCE, ONE, OTHER] {
        bench.fake.set(url, Mood::Live);
    }
    let cam = bench.start("cam", &[SOURCE]).await;
    let both = vec![Endpoint::to(ONE), Endpoint::to(OTHER)];
    bench.control.set_targets(&cam, both).await.unwrap();
    until(|| {
        targets(&bench, &cam)
            .iter()
            .all(|it| it.state.phase == Phase::Live)
    })
    .await;
    let before = targets(&bench, &cam);
    // The other one goes; the one that stays has another name.
    let named = Endpoint {
        name: Some("One".to_owned()),
        ..Endpoint::to(ONE)
    };
    bench.control.set_targets(&cam, vec![named]).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    let after = targets(&bench, &cam);
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].endpoint.id, before[0].endpoint.id);
    assert_eq!(after[0].endpoint.name.as_deref(), Some("One"));
    assert_eq!(
        (after[0].state.attempts, after[0].state.phase),
        (1, Phase::Live)
    );
    assert!(
        bench
            .supervisor
            .target_state(&cam, &before[1].endpoint.id)
            .is_none()
    );
    // What cannot be pushed to changes nothing.
    let wrong = vec![Endpoint::to(OTHER), Endpoint::to("gopher://a")];
    assert!(bench.control.set_targets(&cam, wrong).await.is_err());
    let twice = vec![Endpoint::to(OTHER), Endpoint::to(OTHER)];
    assert!(bench.control.set_targets(&cam, twice).await.is_err());
    assert_eq!(targets(&bench, &cam).len(), 1);
    bench.control.set_targets(&cam, Vec::new()).await.unwrap();
    assert!(targets(&bench, &cam).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_push_that_is_refused_leaves_those_of_a_stream_that_nobody_announced() {
    let bench = Bench::new();
    tokio::spawn(bench.control.clone().follow_hub());
    bench.fake.set(ONE, Mood::Live);
    let cam = name("cam");
    let publisher = bench.hub.publish(&cam, &origin("a")).unwrap();
    publisher.set_track(track()).unwrap();
    for number in 0..10 {
        publisher.push(unit(number)).unwrap();
    }
    let id = bench.control.add_target(&cam, ONE).await.unwrap();
    until(|| phase(&bench, &cam) == Some(Phase::Live)).await;
    let refused = bench.control.push(&cam, Endpoint::to(ONE)).await;
    assert!(matches!(refused, Err(ControlError::TargetExists(_))));
    let kept = targets(&bench, &cam);
    assert_eq!(
        (kept.len(), &kept[0].endpoint.id, kept[0].state.phase),
        (1, &id, Phase::Live)
    );
    assert!(bench.control.get(&cam).unwrap().temporary);
    // It goes with its stream.
    drop(publisher);
    until(|| bench.supervisor.target_state(&cam, &id).is_none()).await;
    assert!(bench.control.get(&cam).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_targets_of_a_source_that_is_tried_once_are_kept() {
    let bench = Bench::new();
    bench.fake.set(SOURCE, Mood::Live);
    let cam = name("cam");
    let once = crate::control::Broadcast {
        once: true,
        ..broadcast(&[SOURCE])
    };
    bench.control.add_source(cam.clone(), once).await.unwrap();
    let pushed = bench.control.push(&cam, Endpoint::to(ONE)).await.unwrap();
    let again = bench.again();
    assert_eq!(targets(&again, &cam)[0].endpoint, pushed);
    assert!(
        again
            .control
            .get(&cam)
            .unwrap()
            .broadcast
            .sources()
            .is_empty()
    );
    bench.control.remove_target(&cam, &pushed.id).await.unwrap();
    assert!(bench.again().control.get(&cam).is_none());
    assert!(bench.control.get(&cam).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_slate_waits_no_longer_than_its_targets() {
    let bench = Bench::new();
    tokio::spawn(bench.control.clone().follow_hub());
    let cam = name("cam");
    let slate = || bench.control.get(&cam).unwrap().broadcast.slate;
    bench.control.push(&cam, Endpoint::to(ONE)).await.unwrap();
    let wish = |broadcast: &mut crate::control::Broadcast| {
        broadcast.slate = Some("soon.mp4".to_owned());
        Ok(())
    };
    bench.control.change_asked(&cam, wish).await.unwrap();
    bench.control.hold_for_slate(&cam, Some("soon.mp4"));
    // Whoever makes the broadcast gets the slate with the target.
    bench.start("cam", &[SOURCE]).await;
    assert_eq!(slate().as_deref(), Some("soon.mp4"));
    bench.control.remove_source(&cam).await.unwrap();
    bench.control.change_asked(&cam, wish).await.unwrap();
    bench.control.hold_for_slate(&cam, Some("soon.mp4"));
    let id = targets(&bench, &cam)[0].endpoint.id.clone();
    bench.control.remove_target(&cam, &id).await.unwrap();
    let publisher = bench.hub.publish(&cam, &origin("a")).unwrap();
    publisher.set_track(track()).unwrap();
    publisher.finish();
    assert!(bench.hub.get(&cam).is_none());
}
