//! Recording by rule: a disk that fills, a day that passes. On a disk in memory and tokio's paused clock.

use super::bench::{Bench, Mood, until};
use crate::config::Record;
use crate::control::recordings::vod::Vod;
use crate::control::recordings::{ExportFailure, Timeline};
use crate::hub::StreamName;
use crate::record::host::memory::Memory;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;

const URL: &str = "fake://host:1/a";
const HOUR: Duration = Duration::from_secs(3_600);

/// A server that records so, with a stream that is live, at noon of some day.
async fn live(settings: &str, disk: &Memory) -> (Bench, StreamName) {
    disk.set_clock(noon());
    let settings: Record = toml::from_str(settings).unwrap();
    let bench = Bench::recording(settings, disk);
    tokio::spawn(bench.control.clone().follow_hub());
    tokio::spawn(bench.control.clone().keep_recordings_in_bounds());
    // What follows has to be listening.
    sleep(Duration::from_millis(1)).await;
    bench.fake.set(URL, Mood::Live);
    let cam = bench.start("cam", &[URL]).await;
    (bench, cam)
}

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_003_200)
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

async fn timeline(bench: &Bench, name: &StreamName) -> Timeline {
    let timeline = bench.control.timeline(name, Duration::ZERO, Duration::MAX);
    timeline.await
}

fn vods(bench: &Bench) -> Vec<Vod> {
    bench.control.vods("LiveApp")
}

#[tokio::test(start_paused = true)]
async fn a_day_is_recorded_in_hours_of_which_six_are_kept() {
    let disk = Memory::new();
    let settings = r#"
        always = true
        duration = "1h"
        aligned = true
        keep = "6h"
        name = "{id}-{time}"
    "#;
    let (bench, cam) = live(settings, &disk).await;
    sleep(HOUR / 2).await;
    for hour in 1..24u32 {
        sleep(HOUR).await;
        assert!(vods(&bench).len() as u32 <= hour.min(7), "{hour}");
    }
    let now = noon() + HOUR / 2 + HOUR * 23;
    let kept = vods(&bench);
    assert!((6..=7).contains(&kept.len()), "{}", kept.len());
    // With the one that is being written.
    assert_eq!(disk.files().len(), kept.len() + 1);
    for vod in &kept {
        assert!(
            vod.duration.abs_diff(HOUR) < Duration::from_secs(2),
            "{vod:?}"
        );
        let begins = since_1970(vod.started).as_secs() % 3_600;
        assert!(begins < 2, "{begins}");
        assert!(vod.file.starts_with("cam-2026-11-1"), "{}", vod.file);
    }
    let recorded = timeline(&bench, &cam).await;
    assert!(recorded.recording && recorded.paused.is_none());
    let spans: Vec<_> = recorded.recorded.iter().map(|found| found.span).collect();
    for pair in spans.windows(2) {
        let apart = pair[1].since_1970.abs_diff(pair[0].until_1970());
        assert!(apart < Duration::from_millis(300), "{pair:?}");
    }
    let end = spans.last().unwrap().until_1970();
    assert!(end.abs_diff(since_1970(now)) < Duration::from_secs(3));
    // An hour and a half out of three of the files, of which one is being written.
    let until = since_1970(now) - Duration::from_secs(60);
    let export = bench
        .control
        .export(&cam, until - HOUR * 3 / 2, until)
        .await
        .unwrap();
    assert_eq!(export.files.len(), 3);
    assert!(export.whole.duration.abs_diff(HOUR * 3 / 2) < Duration::from_millis(500));
    // What is gone is gone, and what is to come is not there.
    for (from, until) in [(noon(), noon() + HOUR), (now + HOUR, now + HOUR * 2)] {
        let nothing = bench
            .control
            .export(&cam, since_1970(from), since_1970(until));
        assert!(matches!(nothing.await, Err(ExportFailure::Nothing)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_makes_a_recording_pause_and_room_makes_it_go_on() {
    let disk = Memory::new();
    disk.set_capacity(20_000);
    let (bench, cam) = live("always = true\nfree_bytes = 4000", &disk).await;
    sleep(Duration::from_secs(300)).await;
    let full = timeline(&bench, &cam).await;
    let paused = full.paused.expect("it has paused");
    assert!(full.recording && paused.since < noon() + Duration::from_secs(200));
    assert!(paused.reason.contains("free"), "{}", paused.reason);
    // What was recorded is complete and whole, the room that has to be left is, and the stream lives.
    assert_eq!(vods(&bench).len(), 1);
    assert!(disk.files()[0].1 <= 20_000);
    let before = bench.hub.get(&cam).unwrap().snapshot();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(disk.files().len(), 1);
    let after = bench.hub.get(&cam).unwrap().snapshot();
    assert!(after.ready && after.publishing && before.since == after.since);
    disk.set_capacity(u64::MAX);
    sleep(Duration::from_secs(120)).await;
    let on = timeline(&bench, &cam).await;
    assert!(on.recording && on.paused.is_none());
    let spans: Vec<_> = on.recorded.iter().map(|found| found.span).collect();
    assert_eq!(spans.len(), 2, "{spans:?}");
    let gap = spans[1].since_1970 - spans[0].until_1970();
    assert!(gap > Duration::from_secs(150), "{gap:?}");
    assert_eq!(bench.control.stop(&cam).await.ok(), Some(()));
    until(|| vods(&bench).len() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn the_oldest_make_room_where_that_is_wanted() {
    let disk = Memory::new();
    disk.set_capacity(4_000_000);
    let settings = "always = true\nduration = \"5m\"\nfree_bytes = 1000000\nmake_room = true";
    let (bench, cam) = live(settings, &disk).await;
    let mut oldest = Vec::new();
    for _ in 0..24 {
        sleep(HOUR / 2).await;
        let recorded = timeline(&bench, &cam).await;
        assert!(recorded.paused.is_none(), "{recorded:?}");
        oldest.push(recorded.recorded[0].span.since_1970);
    }
    assert!(oldest[23] > oldest[0], "{oldest:?}");
    assert!(vods(&bench).len() > 2);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_want_it_is_not_recorded_by_the_rule() {
    let disk = Memory::new();
    let settings = "rules = [{ streams = \"LiveApp/other\", always = true }]";
    let (bench, cam) = live(settings, &disk).await;
    sleep(Duration::from_secs(20)).await;
    assert!(!timeline(&bench, &cam).await.recording);
    let other = bench.start("other", &[URL]).await;
    sleep(Duration::from_secs(20)).await;
    assert!(timeline(&bench, &other).await.recording);
    bench
        .control
        .set_recording(&other, false, None, None)
        .await
        .unwrap();
    assert!(!timeline(&bench, &other).await.recording);
    bench.control.stop(&other).await.unwrap();
    bench.control.start(&other).await.unwrap();
    sleep(Duration::from_secs(20)).await;
    // Who said no is asked no more.
    assert!(!timeline(&bench, &other).await.recording);
    assert_eq!(vods(&bench).len(), 1);
    let nothing = bench.control.export(&cam, Duration::ZERO, Duration::MAX);
    assert!(matches!(nothing.await, Err(ExportFailure::Nothing)));
}
