//! What is kept of them, and for how long.

use super::*;

#[test]
fn old_segments_are_forgotten_by_number_and_by_bytes() {
    let mut segmenter = started(true);
    run(&mut segmenter, 60, 25);
    let video = segmenter.rendition(VIDEO).unwrap();
    assert_eq!((video.segments.len(), video.listed().0.count()), (12, 7));
    assert!(video.segment(100).is_none());
    assert_eq!(
        video.segment(video.open_number - 1).unwrap().number,
        video.open_number - 1
    );

    let settings = Settings {
        max_bytes: 200_000,
        ..Settings::default()
    };
    let mut segmenter = Segmenter::new(settings, 0);
    assert_eq!(segmenter.set_tracks(&tracks(1, true)), []);
    run(&mut segmenter, 60, 25);
    let bytes: usize = segmenter
        .rendition(VIDEO)
        .unwrap()
        .segments
        .iter()
        .map(|segment| segment.bytes)
        .sum();
    assert!(bytes <= 200_000, "{bytes}");
}

#[test]
fn a_window_is_listed_as_far_as_memory_reaches() {
    let window = Duration::from_secs(60);
    let settings = Settings {
        window,
        ..Settings::default()
    };
    let listed = |settings| {
        let mut segmenter = Segmenter::new(settings, 0);
        assert_eq!(segmenter.set_tracks(&tracks(1, true)), []);
        run(&mut segmenter, 100, 25);
        let video = segmenter.rendition(VIDEO).unwrap();
        let durations = video.listed().0.map(|segment| segment.duration);
        (durations.sum::<Duration>(), video.segments.len())
    };
    assert_eq!(listed(settings), (window, 35));
    let max_bytes = 500_000;
    let (length, count) = listed(Settings {
        max_bytes,
        ..settings
    });
    assert!(length < window && count < 12, "{length:?} in {count}");
}

#[test]
fn what_is_on_the_disk_is_forgotten_by_memory_and_stays_listed() {
    let window = Duration::from_secs(60);
    let settings = |max_disk_bytes| Settings {
        window,
        max_bytes: 1 << 20,
        max_disk_bytes,
        ..Settings::default()
    };
    let cut = |settings: Settings| {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::new(folder.path().into());
        let mut segmenter = Segmenter::new(settings, 0);
        assert_eq!(segmenter.set_tracks(&tracks(1, true)), []);
        for picture in 0..2_500 {
            let millis = picture * 40;
            let unit = unit(VIDEO, millis, picture % 25 == 0, 4_000);
            segmenter.push(&unit, at(millis));
            while let Some((track, segment)) = segmenter.next_to_store() {
                let place = disk.put(&segment).unwrap();
                segmenter.stored(track, segment.number, place);
            }
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        segmenter.rendition(VIDEO).unwrap().clone()
    };
    let video = cut(settings(1 << 30));
    let listed: Vec<_> = video.listed().0.collect();
    assert_eq!(listed.len(), 30);
    let in_memory = video.segments.iter().filter(|one| !one.parts.is_empty());
    let in_memory: usize = in_memory.map(|one| one.bytes).sum();
    assert!((1..=1 << 20).contains(&in_memory), "{in_memory}");
    // It reads as it was cut.
    let (oldest, newest) = (listed[0], listed[29]);
    assert!(oldest.parts.is_empty());
    let mut read = vec![0; oldest.bytes];
    oldest.place.as_ref().unwrap().read(0, &mut read).unwrap();
    assert_eq!(read[4..8], *b"moof");
    let cut_bytes: Vec<u8> = newest
        .parts
        .iter()
        .flat_map(|part| part.bytes.to_vec())
        .collect();
    let mut read = vec![0; newest.bytes - 100];
    newest.place.as_ref().unwrap().read(100, &mut read).unwrap();
    assert!(read == cut_bytes[100..]);
    assert!(newest.place.as_ref().unwrap().read(101, &mut read).is_err());
    // The disk has a bound of its own.
    let video = cut(settings(3 << 20));
    let on_disk: usize = video.segments.iter().map(|one| one.bytes).sum();
    assert!((2 << 20..4 << 20).contains(&on_disk), "{on_disk}");
}

#[test]
fn units_without_time_between_them_do_not_pile_up() {
    let settings = Settings {
        max_bytes: 1 << 20,
        ..Settings::default()
    };
    let mut segmenter = Segmenter::new(settings, 0);
    assert_eq!(segmenter.set_tracks(&tracks(1, true)), []);
    for dts in 0..2_000 {
        segmenter.push(&unit(VIDEO, dts, false, 10_000), at(0));
        let video = segmenter.rendition(VIDEO).unwrap();
        let open: usize = video.open_parts.iter().map(|part| part.bytes.len()).sum();
        let bytes: usize = video.segments.iter().map(|segment| segment.bytes).sum();
        assert!(bytes + open < 2 << 20, "{bytes} + {open}");
    }
}
