//! Which recordings are deleted, and when: by age, by size, and for room on the disk.

use super::vod::{Origin, Vod};
use super::{Control, Place, Recordings, lock};
use crate::config::Record;
use crate::config::record::Rule;
use crate::hub::StreamName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(5);

/// A recording that paused goes on when there is so much more room than has to be, in bytes, and a quarter of that.
const MORE_ROOM: u64 = 1 << 20;

/// Keys of recordings that have to go.
#[derive(Debug, Default)]
struct Surplus {
    /// From everywhere.
    gone: BTreeSet<String>,
    /// From the disk.
    remote: BTreeSet<String>,
}

impl Surplus {
    /// It is too much for the disk. False when it goes already.
    fn free(&mut self, vod: &Vod) -> bool {
        let key = vod.key();
        let is_whole = vod.stored.as_ref().is_some_and(|stored| stored.is_whole);
        match is_whole {
            _ if self.gone.contains(&key) => false,
            true => self.remote.insert(key),
            false => self.gone.insert(key),
        }
    }
}

/// Those that have to go. `missing` bytes have to be freed in any case. Only complete recordings of streams go, the
/// oldest first. What the object storage has goes by its age alone, and from the disk for room.
fn surplus(vods: &[Vod], settings: &Record, now: SystemTime, missing: u64) -> Surplus {
    let mut oldest: Vec<&Vod> = vods
        .iter()
        .filter(|vod| vod.origin == Origin::Stream && vod.is_listed())
        .collect();
    oldest.sort_by_key(|vod| (vod.started, &vod.id));
    let mut surplus = Surplus::default();
    let mut freed = 0u64;
    let mut by_stream: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut total = 0u64;
    for vod in oldest.iter().rev() {
        let plan = StreamName::new(&vod.app, &vod.stream_id).map(|name| settings.plan(&name));
        let (keep, keep_bytes) =
            plan.map_or((settings.keep, 0), |plan| (plan.keep, plan.keep_bytes));
        let age = vod
            .finished
            .and_then(|ended| now.duration_since(ended).ok());
        let is_old = !keep.is_zero() && age.is_some_and(|age| age >= keep);
        if is_old {
            surplus.gone.insert(vod.key());
        }
        let bytes = on_disk(vod);
        let of_stream = by_stream.entry((&vod.app, &vod.stream_id)).or_default();
        let is_much = keep_bytes > 0 && of_stream.saturating_add(bytes) > keep_bytes;
        let is_much_of_all =
            settings.total_bytes > 0 && total.saturating_add(bytes) > settings.total_bytes;
        *of_stream = of_stream.saturating_add(bytes);
        total = total.saturating_add(bytes);
        let is_freed = bytes > 0 && (is_much || is_much_of_all) && surplus.free(vod);
        if is_old || is_freed {
            freed = freed.saturating_add(bytes);
        }
    }
    for vod in &oldest {
        if freed >= missing {
            break;
        }
        let bytes = on_disk(vod);
        if bytes > 0 && surplus.free(vod) {
            freed = freed.saturating_add(bytes);
        }
    }
    surplus
}

/// Bytes that a recording takes here.
const fn on_disk(vod: &Vod) -> u64 {
    match vod.is_remote {
        true => 0,
        false => vod.bytes,
    }
}

impl Recordings {
    /// Room below which recordings that paused stay so, in bytes.
    fn enough(&self) -> u64 {
        let free_bytes = self.place.settings.get().free_bytes;
        free_bytes
            .saturating_add(free_bytes / 4)
            .saturating_add(MORE_ROOM)
    }

    pub(super) async fn room(&self) -> std::io::Result<u64> {
        let Place { folder, host, .. } = self.place.clone();
        let room = tokio::task::spawn_blocking(move || host.room(&folder));
        room.await.map_err(std::io::Error::other)?
    }

    /// Whether recordings that paused may go on. A disk that does not say so is tried.
    pub(super) async fn has_room(&self) -> bool {
        let room = self.room().await;
        room.map_or(true, |room| room >= self.enough())
    }

    /// Deletes what is not to be kept.
    pub(super) async fn clean(&self) {
        let settings = self.place.settings.get();
        let mut missing = 0;
        if settings.make_room
            && let Ok(room) = self.room().await
            && room < self.enough()
        {
            let wanted = self.enough().saturating_add(settings.free_bytes / 4);
            missing = wanted.saturating_sub(room);
        }
        let mut vods: Vec<Vod> = lock(&self.vods).values().cloned().collect();
        // What cannot be removed makes no room: others have to.
        vods.retain(|vod| !self.is_needed(vod) && !self.is_stuck(vod));
        let surplus = surplus(&vods, &settings, self.place.host.now(), missing);
        for vod in vods
            .iter()
            .filter(|vod| surplus.remote.contains(&vod.key()))
        {
            if let Err(error) = self.drop_local(vod).await {
                tracing::error!(file = vod.file, %error, "cannot keep what is known of a recording");
            }
        }
        for vod in vods.iter().filter(|vod| surplus.gone.contains(&vod.key())) {
            tracing::info!(
                app = vod.app,
                file = vod.file,
                "a recording is not kept any longer"
            );
            if let Err(error) = self.delete(vod).await {
                tracing::error!(file = vod.file, %error, "a recording cannot be deleted");
            }
        }
    }
}

impl Control {
    /// Deletes recordings that are not to be kept. Runs for ever.
    pub async fn keep_recordings_in_bounds(self) {
        loop {
            if deletes(&self.shared.recordings.place.settings.get()) {
                self.shared.recordings.clean().await;
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}

/// Whether anything is ever deleted.
fn deletes(settings: &Record) -> bool {
    settings.rules.iter().any(Rule::deletes)
        || settings.make_room
        || settings.total_bytes > 0
        || !settings.keep.is_zero()
        || settings.keep_bytes > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::recordings::vod::Stored;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    /// Recordings of (stream, hours ago, megabytes); their ID is their number.
    fn vods(list: &[(&str, u64, u64)]) -> Vec<Vod> {
        let now = NOW + Duration::from_secs(1_795_000_000);
        let vod = |(number, &(stream, hours, megabytes)): (usize, &(&str, u64, u64))| {
            let ended = now - Duration::from_secs(hours * 3_600);
            Vod {
                app: "live".into(),
                id: number.to_string(),
                stream_id: stream.into(),
                started: ended - Duration::from_secs(3_600),
                finished: Some(ended),
                bytes: megabytes << 20,
                ..Vod::default()
            }
        };
        list.iter().enumerate().map(vod).collect()
    }

    fn gone(list: &[Vod], settings: &str, missing: u64) -> String {
        let settings: Record = toml::from_str(settings).unwrap();
        let now = NOW + Duration::from_secs(1_795_000_000);
        let found = surplus(list, &settings, now, missing << 20);
        let words = |keys: BTreeSet<String>, mark: &str| -> Vec<String> {
            let keys = keys.into_iter();
            keys.map(|key| key.replace("live/", mark)).collect()
        };
        [words(found.gone, ""), words(found.remote, "-")]
            .concat()
            .join(" ")
    }

    #[test]
    fn what_the_object_storage_has_goes_from_the_disk_alone_unless_it_is_old() {
        let mut list = vods(&[("a", 30, 100), ("a", 20, 100), ("a", 10, 100)]);
        for vod in &mut list[..2] {
            vod.stored = Some(Stored {
                is_whole: true,
                ..Stored::default()
            });
        }
        let cases = [
            ("total_bytes = 200000000", 0, "-0 -1"),
            ("total_bytes = 300000000", 0, "-0"),
            ("keep_bytes = 1", 0, "2 -0 -1"),
            ("keep = \"1d\"\ntotal_bytes = 200000000", 0, "0 -1"),
            ("", 101, "-0 -1"),
            ("", 201, "2 -0 -1"),
        ];
        for (settings, missing, expected) in cases {
            assert_eq!(
                gone(&list, settings, missing),
                expected,
                "{settings} {missing}"
            );
        }
        // What is there alone takes no room.
        list[0].is_remote = true;
        assert_eq!(gone(&list, "total_bytes = 209715200", 0), "");
        assert_eq!(gone(&list, "", 1), "-1");
        assert_eq!(gone(&list, "keep = \"1d\"", 0), "0");
    }

    #[test]
    fn age_size_and_room_decide() {
        let list = vods(&[
            ("a", 30, 100),
            ("a", 20, 100),
            ("b", 40, 300),
            ("a", 1, 100),
            ("b", 2, 300),
        ]);
        let cases = [
            ("", 0, ""),
            ("keep = \"1d\"", 0, "0 2"),
            (
                "rules = [{ streams = \"live/a\", keep = \"12h\" }]",
                0,
                "0 1",
            ),
            ("keep_bytes = 300000000", 0, "0 2 4"),
            (
                "rules = [{ streams = \"*/a\", keep_bytes = 209715200 }]",
                0,
                "0",
            ),
            ("total_bytes = 520093696", 0, "0 1 2"),
            ("", 1, "2"),
            ("", 301, "0 2"),
            ("", 100_000, "0 1 2 3 4"),
            // What goes by age makes room as well.
            ("keep = \"1d\"", 400, "0 2"),
            ("keep = \"1d\"", 401, "0 1 2"),
        ];
        for (settings, missing, expected) in cases {
            assert_eq!(
                gone(&list, settings, missing),
                expected,
                "{settings} {missing}"
            );
        }
    }

    #[test]
    fn what_is_written_or_was_brought_stays() {
        let mut list = vods(&[("a", 100, 100), ("a", 100, 100)]);
        list[0].finished = None;
        list[1].origin = Origin::Uploaded;
        assert_eq!(
            gone(
                &list,
                "keep = \"1h\"\ntotal_bytes = 1\nkeep_bytes = 1",
                1_000
            ),
            ""
        );
    }
}
