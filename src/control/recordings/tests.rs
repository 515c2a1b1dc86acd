//! What is known of recordings stays what is on the disk, whatever that says.

use super::vod::Stored;
use super::*;
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
    recordings.recover().await.unwrap();
    assert!(is_known(&recordings, &cut_off));
    disk.refuse(&unfinished, false);
    disk.remove(&unfinished).unwrap();
    recordings.recover().await.unwrap();
    assert!(!is_known(&recordings, &cut_off));
}
