//! A target that cannot be had, and one that breaks off.

use super::bench::{Bench, Mood, PUSH_TIMEOUT, until};
use crate::control::supervisor::Phase;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

const SOURCE: &str = "fake://source:1/a";
const TARGET: &str = "fake://target:1/b";

/// Counts the warnings whose message begins with "target failed".
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicUsize>);

impl Visit for Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" && format!("{value:?}").starts_with("target failed") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn connecting_is_no_sign_of_being_well_and_the_same_error_is_told_once() {
    let warnings = Warnings::default();
    let _here = tracing::subscriber::set_default(warnings.clone());
    let told = || warnings.0.load(Ordering::Relaxed);
    let bench = Bench::new();
    bench.fake.set(SOURCE, Mood::Live);
    bench.fake.set(TARGET, Mood::Hanging);
    let name = bench.start("cam", &[SOURCE]).await;
    until(|| bench.hub.get(&name).is_some()).await;
    let id = bench.control.add_target(&name, TARGET).await.unwrap();
    sleep(Duration::from_secs(600)).await;
    let attempts = bench.fake.attempts_at(TARGET);
    let gaps: Vec<Duration> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] <= PUSH_TIMEOUT + Duration::from_secs(1), "{gaps:?}");
    let late = &gaps[6..];
    // Pauses have grown to their full length, half of which is left to chance.
    let long = PUSH_TIMEOUT + Duration::from_millis(7_500);
    assert!(
        !late.is_empty() && late.iter().all(|gap| *gap >= long),
        "{gaps:?}"
    );
    assert_eq!(told(), 1);
    // One that breaks off after it has been well for a while is tried again soon.
    bench.fake.set(TARGET, Mood::Live);
    let phase = || bench.supervisor.target_state(&name, &id).unwrap().phase;
    until(|| phase() == Phase::Live).await;
    sleep(Duration::from_secs(30)).await;
    bench.fake.set(TARGET, Mood::Refusing);
    until(|| phase() == Phase::Backoff).await;
    assert_eq!(told(), 2);
    let failed = bench.fake.attempts_at(TARGET).len();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.fake.attempts_at(TARGET).len(), failed + 1);
}
