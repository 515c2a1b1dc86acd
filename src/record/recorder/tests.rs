//! Cutting: what belongs to which file, on a disk in memory and tokio's paused clock.

use super::*;
use crate::hub::{Hub, Origin, Settings, StreamName};
use crate::record::fragments::tests as made;
use crate::record::host::memory::Memory;
use crate::record::packets::tests as packets;
use media::codec::aac;
use media::{Codec, Data, Track};
use std::time::SystemTime;
use tokio::time::sleep;

/// Ten in the morning of some day.
const TEN: Duration = Duration::from_secs(1_794_996_000);

fn origin() -> Origin {
    Origin {
        protocol: "test",
        address: String::new(),
        agent: None,
    }
}

/// Records so many seconds with a random access point every `gop` pictures, whose sound comes 300 ms late.
async fn files(disk: &Memory, limits: Limits, seconds: i64, gop: i64) -> Vec<Finished> {
    let hub = Hub::new(Settings::default());
    let name = StreamName::new("live", "cam").unwrap();
    let publisher = hub.publish(&name, &origin()).unwrap();
    for track in made::tracks().tracks {
        publisher.set_track(track).unwrap();
    }
    let stream = publisher.stream().clone();
    let disk: Arc<dyn Host> = Arc::new(disk.clone());
    let recording = tokio::spawn(async move {
        let stop = CancellationToken::new();
        let mut recorder = Recorder::new(disk, stream, limits);
        let mut files = Vec::new();
        loop {
            let wanted = Wanted {
                folder: "/r/live".into(),
                base: "cam".into(),
                format: limits.format,
                ..Wanted::default()
            };
            let writer = recorder.create(wanted).await;
            let (stopped, writer) = recorder.fill(writer.unwrap(), &stop).await;
            files.push(complete(writer.unwrap()).await.unwrap());
            if !matches!(stopped, Stopped::Full) {
                return files;
            }
        }
    });
    let mut units = made::stream(seconds, gop);
    let arrives = |unit: &AccessUnit| match unit.track.0 {
        0 => unit.dts,
        _ => unit.dts / 48 + 300,
    };
    units.sort_by_key(|unit| arrives(unit));
    let mut now = arrives(&units[0]);
    for unit in units {
        let wait = arrives(&unit) - now;
        now += wait;
        sleep(Duration::from_millis(wait as u64)).await;
        let mut unit = AccessUnit::clone(&unit);
        if limits.format == Format::Ts && unit.track.0 == 0 {
            unit.payload = packets::picture(unit.random_access);
        }
        publisher.push(unit).unwrap();
    }
    publisher.finish();
    recording.await.unwrap()
}

/// All units from the first picture on.
fn expected(seconds: i64, gop: i64) -> usize {
    let units = made::stream(seconds, gop);
    units
        .iter()
        .filter(|unit| unit.track.0 == 0 || unit.dts >= 48_000)
        .count()
}

#[tokio::test(start_paused = true)]
async fn files_are_cut_at_random_access_points_and_nothing_is_lost_between_them() {
    let limits = Limits {
        duration: Duration::from_secs(10),
        ..Limits::default()
    };
    let files = files(&Memory::new(), limits, 34, 50).await;
    let lengths: Vec<u64> = files
        .iter()
        .map(|file| file.duration.as_millis() as u64)
        .collect();
    assert_eq!(files.len(), 4, "{lengths:?}");
    for length in &lengths[..3] {
        assert!((9_990..10_040).contains(length), "{lengths:?}");
    }
    let samples: usize = files.iter().map(|file| file.samples).sum();
    // Sound that would be heard before the first picture is left out.
    assert!(
        expected(34, 50) - samples <= 1,
        "{samples} of {}",
        expected(34, 50)
    );
    for pair in files.windows(2) {
        let (before, after) = (pair[0].spans[0], pair[1].spans[0]);
        assert!(before.until_1970().abs_diff(after.since_1970) < Duration::from_millis(40));
    }
}

#[tokio::test(start_paused = true)]
async fn transport_streams_are_cut_alike() {
    let limits = Limits {
        duration: Duration::from_secs(10),
        format: Format::Ts,
        ..Limits::default()
    };
    let files = files(&Memory::new(), limits, 34, 50).await;
    assert_eq!(files.len(), 4);
    let samples: usize = files.iter().map(|file| file.samples).sum();
    assert!(expected(34, 50) - samples <= 1, "{samples}");
    for pair in files.windows(2) {
        let (before, after) = (pair[0].spans[0], pair[1].spans[0]);
        assert!(before.until_1970().abs_diff(after.since_1970) < Duration::from_millis(80));
    }
    let names = files.iter().map(|file| file.path.to_string_lossy());
    assert!(names.clone().all(|name| name.ends_with(".ts")), "{files:?}");
}

#[tokio::test(start_paused = true)]
async fn aligned_files_begin_when_the_clock_says_so() {
    let disk = Memory::new();
    disk.set_clock(SystemTime::UNIX_EPOCH + TEN + Duration::from_millis(7_300));
    let limits = Limits {
        duration: Duration::from_secs(10),
        aligned: true,
        ..Limits::default()
    };
    let files = files(&disk, limits, 40, 25).await;
    let begins: Vec<u64> = files
        .iter()
        .map(|file| (file.spans[0].since_1970 - TEN).as_millis() as u64)
        .collect();
    assert_eq!(files.len(), 5, "{begins:?}");
    for (file, begin) in begins.iter().enumerate().skip(1) {
        let boundary = 10_000 * file as u64;
        assert!((boundary..boundary + 1_000).contains(begin), "{begins:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn files_are_cut_by_size() {
    let limits = Limits {
        bytes: 20_000,
        ..Limits::default()
    };
    let files = files(&Memory::new(), limits, 60, 25).await;
    assert!(files.len() > 2);
    let (last, others) = files.split_last().unwrap();
    for file in others {
        // The index is not counted.
        assert!((20_000..40_000).contains(&file.bytes), "{}", file.bytes);
    }
    assert!(last.bytes < 40_000);
    let samples: usize = files.iter().map(|file| file.samples).sum();
    assert!(expected(60, 25) - samples <= 1);
}

#[tokio::test(start_paused = true)]
async fn files_are_cut_by_their_number_of_access_units() {
    for format in [Format::Mp4, Format::Ts] {
        let limits = Limits {
            units: 1_000,
            format,
            ..Limits::default()
        };
        let files = files(&Memory::new(), limits, 60, 25).await;
        let (last, others) = files.split_last().unwrap();
        assert!(others.len() > 2 && last.samples < 1_120, "{files:?}");
        for file in others {
            assert!((1_000..1_120).contains(&file.samples), "{}", file.samples);
        }
        let samples: usize = files.iter().map(|file| file.samples).sum();
        assert!(expected(60, 25) - samples <= 1, "{samples}");
    }
}

#[tokio::test]
async fn what_has_no_form_is_left_out() {
    let config = aac::Config::low_complexity(48_000, 2).unwrap();
    let track = |number, codec| Track {
        id: TrackId(number),
        timebase: config.sample_rate,
        codec,
    };
    let sound = track(0, Codec::Aac(config.clone()));
    let klv = track(1, Codec::Data(Data::Klv));
    let text = track(2, Codec::Data(Data::Teletext(Bytes::new())));
    let set = TrackSet {
        generation: 3,
        tracks: vec![sound.clone(), klv.clone(), text.clone()],
    };
    let hub = Hub::new(Settings::default());
    let name = StreamName::new("live", "cam").unwrap();
    let publisher = hub.publish(&name, &origin()).unwrap();
    let mp4 = recorded(publisher.stream(), Format::Mp4, &set);
    assert_eq!(
        (mp4.generation, &mp4.tracks[..]),
        (3, &[sound.clone(), klv.clone()][..])
    );
    assert!(mp4::init::write(&mp4.tracks).is_ok());
    let ts = recorded(publisher.stream(), Format::Ts, &set);
    assert_eq!(ts.tracks, [sound, klv, text]);
}
