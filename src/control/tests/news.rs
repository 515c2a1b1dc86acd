//! What happens is told: once, in order, and with what was known of it.

use super::bench::{Bench, Mood, broadcast, name, until};
use crate::control::news::{News, TargetNews, What};
use crate::control::settings::AppSettings;
use crate::control::supervisor::Phase;
use crate::control::{Broadcast, Endpoint};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::time::sleep;

const SOURCE: &str = "fake://source:1/a";
const TARGET: &str = "fake://target:1/b";

/// Everything that has been told since, in a few words each.
fn heard(news: &mut Receiver<Arc<News>>) -> Vec<String> {
    let told = std::iter::from_fn(|| news.try_recv().ok());
    let words = told.map(|news| match &news.what {
        What::Published(view) => format!("published {}", view.name.id()),
        What::Live(view) => format!("live {} {}", view.name.id(), view.pulled),
        What::Ended(view) => {
            let stream = view.stream.as_ref().unwrap();
            let hook = view.broadcast.notes.listener_hook_url.clone();
            let hook = hook.unwrap_or_default();
            format!(
                "ended {} {} {} {hook}",
                view.name.id(),
                stream.ready,
                view.pulled
            )
        }
        What::SourceFailed(name, error) => format!("source {} {error}", name.id()),
        What::Target(name, target, TargetNews::Failed) => {
            let error = target.state.last_error.clone().unwrap_or_default();
            format!("target {} failed: {error}", name.id())
        }
        What::Target(name, _, TargetNews::Live) => format!("target {} live", name.id()),
        What::Target(name, _, TargetNews::Ended) => format!("target {} ended", name.id()),
        other => format!("{other:?}"),
    });
    words.collect()
}

#[tokio::test(start_paused = true)]
async fn the_life_of_a_stream_is_told_with_what_was_known_of_it() {
    let bench = Bench::new();
    let mut news = bench.control.news();
    tokio::spawn(bench.control.clone().follow_hub());
    bench.fake.set(SOURCE, Mood::Refusing);
    let mut made = broadcast(&[SOURCE]);
    made.notes.listener_hook_url = Some("http://a/".into());
    let cam = name("cam");
    bench.control.create(cam.clone(), made).await.unwrap();
    bench.control.start(&cam).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    // However often it failed.
    assert_eq!(heard(&mut news), ["source cam refused"]);
    bench.fake.set(SOURCE, Mood::Live);
    until(|| bench.hub.get(&cam).is_some()).await;
    // The source comes back within the grace time: its stream has one life.
    sleep(Duration::from_secs(20)).await;
    bench.fake.set(SOURCE, Mood::Refusing);
    sleep(Duration::from_millis(500)).await;
    bench.fake.set(SOURCE, Mood::Live);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(
        heard(&mut news),
        ["published cam", "live cam true", "source cam broke off"]
    );
    // Nothing is known of the broadcast when its end is told, and yet it is.
    bench.control.delete(&cam).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(heard(&mut news), ["ended cam true true http://a/"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_fails_is_told_of_once_and_tried_for_ever() {
    let bench = Bench::new();
    bench.fake.set(SOURCE, Mood::Live);
    let cam = bench.start("cam", &[SOURCE]).await;
    until(|| bench.hub.get(&cam).is_some()).await;
    let mut news = bench.control.news();
    let id = bench.control.add_target(&cam, TARGET).await.unwrap();
    until(|| bench.fake.attempts_at(TARGET).len() == 4).await;
    assert!(heard(&mut news).is_empty());
    sleep(Duration::from_secs(600)).await;
    assert_eq!(heard(&mut news), ["target cam failed: refused"]);
    assert!(bench.fake.attempts_at(TARGET).len() > 20);
    // Once it has been well for a while, it is news again.
    bench.fake.set(TARGET, Mood::Live);
    sleep(Duration::from_secs(60)).await;
    bench.fake.set(TARGET, Mood::Refusing);
    sleep(Duration::from_secs(600)).await;
    let told = heard(&mut news);
    let expected = [
        "target cam live",
        "target cam ended",
        "target cam failed: refused",
    ];
    assert_eq!(told, expected);
    // One that is removed while it is live is told of, too.
    bench.fake.set(TARGET, Mood::Live);
    sleep(Duration::from_secs(60)).await;
    bench.control.remove_target(&cam, &id).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(heard(&mut news), ["target cam live", "target cam ended"]);
    let once = Endpoint {
        once: true,
        ..Endpoint::to("fake://other:1/c")
    };
    bench.control.push(&cam, once).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(heard(&mut news), ["target cam failed: refused"]);
}

#[tokio::test(start_paused = true)]
async fn an_application_may_give_targets_up_until_the_next_stream() {
    let before = Bench::new();
    let settings = AppSettings {
        endpoint_republish_limit: Some(2),
        ..AppSettings::default()
    };
    before
        .control
        .set_settings("LiveApp", settings)
        .await
        .unwrap();
    // It holds after a restart, too.
    let bench = before.again();
    bench.fake.set(SOURCE, Mood::Live);
    let cam = bench.start("cam", &[SOURCE]).await;
    until(|| bench.hub.get(&cam).is_some()).await;
    let mut news = bench.control.news();
    let id = bench.control.add_target(&cam, TARGET).await.unwrap();
    let phase = || bench.supervisor.target_state(&cam, &id).unwrap().phase;
    until(|| phase() == Phase::Failed).await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.fake.attempts_at(TARGET).len(), 3);
    assert_eq!(heard(&mut news), ["target cam failed: refused"]);
    bench.control.stop(&cam).await.unwrap();
    until(|| phase() == Phase::Finished).await;
    bench.fake.set(TARGET, Mood::Live);
    bench.control.start(&cam).await.unwrap();
    until(|| phase() == Phase::Live).await;
    // Less than 0 is for ever.
    let settings = AppSettings {
        endpoint_republish_limit: Some(-1),
        ..AppSettings::default()
    };
    bench
        .control
        .set_settings("LiveApp", settings)
        .await
        .unwrap();
    bench.fake.set(TARGET, Mood::Refusing);
    sleep(Duration::from_secs(600)).await;
    assert!(bench.fake.attempts_at(TARGET).len() > 20);
    assert_eq!(phase(), Phase::Backoff);
}

#[tokio::test]
async fn webhooks_are_kept_and_judged() {
    let bench = Bench::new();
    let events = vec!["live-stream.broadcast.started".to_owned()];
    let url = "https://a.example/hook".to_owned();
    let made = bench
        .control
        .add_webhook(events.clone(), url)
        .await
        .unwrap();
    for url in ["x", "ftp://a/b", "http://169.254.169.254/"] {
        assert!(
            bench
                .control
                .add_webhook(events.clone(), url.into())
                .await
                .is_err()
        );
        let mut made = Broadcast::default();
        made.notes.listener_hook_url = Some(url.into());
        assert!(
            bench.control.create(name("cam"), made).await.is_err(),
            "{url}"
        );
    }
    let again = bench.again();
    assert_eq!(again.control.webhooks(), std::slice::from_ref(&made));
    assert!(again.control.remove_webhook(&made.id).await.unwrap());
    assert!(!again.control.remove_webhook(&made.id).await.unwrap());
    assert!(again.again().control.webhooks().is_empty());
}
