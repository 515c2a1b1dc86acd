//! What is known of recordings stays what is on the disk, whatever that says.

use super::vod::Stored;
use super::*;
use crate::record::file::{Wanted, Writer};
use crate::record::fragments::{Fragments, tests as made};
use crate::record::host::memory::Memory;
use tempfile::TempDir;

/// Recordings on that disk; what is known of them is in the folder.
fn recordings(settings: &str, disk: &Memory) -> (Recordings, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let place = Place {
        folder: "/recordings".into(),
        settings: Current::new(toml::from_str(settings).unwrap()),
        host: Arc::new(disk.clone()),
        objects: None,
    };
    let recordings = Recordings::new(place, &store, Outlet::default());
    (recordings.unwrap(), folder)
}

fn vod(id: &str) -> Vod {
    Vod {
        app: "live".into(),
        id: id.into(),
        stream_id: "cam".into(),
        file: format!("{id}.mp4"),
        finished: Some(SystemTime::UNIX_EPOCH),
        bytes: 100,
        ..Vod::default()
    }
}

fn path(file: &str) -> PathBuf {
    Path::new("/recordings/live").join(file)
}

/// A file of two seconds that is being written.
fn written(disk: &Memory, base: &str) -> Writer {
    let tracks = made::tracks();
    let wanted = Wanted {
        folder: "/recordings/live".into(),
        base: base.into(),
        ..Wanted::default()
    };
    let mut writer = Writer::create(Arc::new(disk.clone()), &wanted, &tracks.tracks).unwrap();
    let mut fragments = Fragments::new(&tracks);
    for unit in made::stream(2, 25) {
        if let Some(fragment) = fragments.push(&unit) {
            writer.append(&fragment).unwrap();
        }
    }
    writer
}

fn is_known(recordings: &Recordings, vod: &Vod) -> bool {
    lock(&recordings.vods).contains_key(&vod.key())
}

#[tokio::test]
async fn a_disk_that_is_not_mounted_makes_no_recording_remote() {
    let disk = Memory::new();
    let (recordings, _folder) = recordings("", &disk);
    let kept = ["here", "gone"].map(|id| Vod {
        stored: Some(Stored {
            is_whole: true,
            ..Stored::default()
        }),
        ..vod(id)
    });
    for vod in &kept {
        recordings.keep(vod).await.unwrap();
    }
    let remote = || {
        let all = lock(&recordings.vods);
        kept.each_ref().map(|vod| all[&vod.key()].is_remote)
    };
    recordings.find_remote().await.unwrap();
    assert_eq!(remote(), [false, false]);
    disk.create(&path("here.mp4")).unwrap();
    recordings.find_remote().await.unwrap();
    assert_eq!(remote(), [false, true]);
    // It was on a disk that is back.
    disk.create(&path("gone.mp4")).unwrap();
    recordings.find_remote().await.unwrap();
    assert_eq!(remote(), [false, false]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_removed_stays_known_and_others_make_room() {
    let disk = Memory::new();
    disk.set_capacity(0);
    let (recordings, _folder) = recordings("make_room = true", &disk);
    let (stuck, other) = (vod("a"), vod("b"));
    for vod in [&stuck, &other] {
        disk.create(&path(&vod.file)).unwrap();
        recordings.keep(vod).await.unwrap();
    }
    disk.refuse(&path("a.mp4"), true);
    let refused = recordings.delete(&stuck).await.unwrap_err();
    assert!(matches!(refused, ControlError::File(_)), "{refused}");
    assert!(refused.to_string().contains("a.mp4"), "{refused}");
    recordings.clean().await;
    assert!(is_known(&recordings, &stuck) && !is_known(&recordings, &other));
    // It is left alone for a while, and then tried again.
    disk.refuse(&path("a.mp4"), false);
    recordings.clean().await;
    assert!(is_known(&recordings, &stuck));
    tokio::time::sleep(STUCK).await;
    recordings.clean().await;
    assert!(!is_known(&recordings, &stuck) && disk.files().is_empty());
    // What is gone already is forgotten.
    recordings.keep(&other).await.unwrap();
    recordings.delete(&other).await.unwrap();
    assert!(!is_known(&recordings, &other));
}

#[tokio::test]
async fn a_recording_that_cannot_be_completed_stays_known() {
    let disk = Memory::new();
    let (recordings, _folder) = recordings("", &disk);
    let cut_off = Vod {
        finished: None,
        ..vod("cam")
    };
    let unfinished = path(&cut_off.unfinished());
    recordings.keep(&cut_off).await.unwrap();
    disk.create(&unfinished).unwrap();
    disk.refuse(&unfinished, true);
    recordings
        .complete_left(recordings.find_left().await.unwrap())
        .await;
    assert!(is_known(&recordings, &cut_off));
    disk.refuse(&unfinished, false);
    disk.remove(&unfinished).unwrap();
    recordings
        .complete_left(recordings.find_left().await.unwrap())
        .await;
    assert!(!is_known(&recordings, &cut_off));
}

#[tokio::test]
async fn what_is_recorded_meanwhile_is_not_what_was_left() {
    let disk = Memory::new();
    let (recordings, _folder) = recordings("", &disk);
    let open = |id: &str| Vod {
        finished: None,
        ..vod(id)
    };
    let (left, named, gone, new) = (open("left"), open("named"), open("gone"), open("new"));
    for vod in [&left, &named, &gone] {
        recordings.keep(vod).await.unwrap();
    }
    written(&disk, "left");
    written(&disk, "named").finish().unwrap();
    written(&disk, "unknown");
    let found = recordings.find_left().await.unwrap();
    assert!(!is_known(&recordings, &gone));
    // Streams are there already: a file is begun that is none of those.
    recordings.keep(&new).await.unwrap();
    let writer = written(&disk, "new");
    recordings.complete_left(found).await;
    let all = lock(&recordings.vods).clone();
    let listed = |file: &str| all.values().any(|vod| vod.file == file && vod.is_listed());
    assert!(
        ["left.mp4", "named.mp4", "unknown.mp4"]
            .into_iter()
            .all(listed)
    );
    assert!(is_known(&recordings, &new) && !listed("new.mp4"));
    let names: Vec<String> = disk
        .files()
        .iter()
        .map(|(path, _)| file_name(path))
        .collect();
    let expected = [
        "left.mp4",
        "named.mp4",
        "new.mp4.tmp_extension",
        "unknown.mp4",
    ];
    assert_eq!(names, expected);
    drop(writer);
}
