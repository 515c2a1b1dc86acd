//! Reads a playlist of HLS and what it names: files in the folder of the playlist, or below it, and no others. It is
//! played as it is there, from its beginning to its end.

use super::report::Report;
use super::source::read_at;
use crate::adapters::{Receiver, Target};
use crate::hub::Origin;
use crate::transport::hls::{Player, Step};
use bytes::Bytes;
use hls::client::{Choice, Client, Failure, Fetch, Fetched};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio::time::sleep_until;
use url::Url;

/// Publishes all that the playlist names, of several variants the best.
pub(super) async fn pull(
    path: &Path,
    target: &Target,
    origin: Origin,
    report: &Report,
) -> Result<(), String> {
    let place = Place::of(path)?;
    let mut player = Player::new(Client::new(place.url()?, Choice::default()), true);
    let mut receiver = Receiver::new(target, origin);
    let mut has_length = false;
    let mut fault = None;
    loop {
        match player.poll(Instant::now()) {
            Step::Fetch(fetch) => {
                let (id, place) = (fetch.id, place.clone());
                let read = tokio::task::spawn_blocking(move || place.read(&fetch));
                let read = read.await.map_err(|error| error.to_string())?;
                let handled = player.handle_fetched(Instant::now(), id, read);
                handled.map_err(|error| error.to_string())?;
                if !has_length && let Some(length) = player.duration() {
                    report.lasts(length);
                    has_length = true;
                }
            }
            Step::Track(track) => receiver.track(track)?,
            Step::Unit(unit) => receiver.unit(unit).await?,
            Step::Fault(found) => {
                report.lost(&found);
                fault.get_or_insert(found);
            }
            Step::End => break,
            // One rendition is longer than the other.
            Step::Wait(Some(until)) => {
                sleep_until(until.into()).await;
                player.handle_timeout(Instant::now());
            }
            Step::Wait(None) => return Err("it waits for what no file can bring".to_owned()),
        }
    }
    for loss in player.losses() {
        report.lost(&loss);
    }
    let nothing = || "there is nothing in it that can be used".to_owned();
    if receiver.finish() {
        return Ok(());
    }
    Err(fault.unwrap_or_else(nothing))
}

/// Where a playlist is. Both are whole and without links, but for the playlist itself.
#[derive(Clone, Debug)]
struct Place {
    folder: PathBuf,
    playlist: PathBuf,
}

impl Place {
    fn of(path: &Path) -> Result<Self, String> {
        let parent = path.parent();
        let named = parent.filter(|parent| !parent.as_os_str().is_empty());
        let folder = named.unwrap_or_else(|| Path::new("."));
        let folder = folder.canonicalize().map_err(|error| error.to_string())?;
        let name = path.file_name().ok_or("it has no name")?;
        Ok(Self {
            playlist: folder.join(name),
            folder,
        })
    }

    fn url(&self) -> Result<Url, String> {
        let url = Url::from_file_path(&self.playlist);
        url.map_err(|()| "its path is no URL".to_owned())
    }

    /// Reads a file, or a range of it.
    fn read(&self, fetch: &Fetch) -> Result<Fetched, Failure> {
        let path = fetch.url.to_file_path();
        let path = path.map_err(|()| format!("{} is no file of this machine", fetch.url))?;
        let name = path.strip_prefix(&self.folder).unwrap_or(&path);
        let words = |error: &dyn std::fmt::Display| format!("{}: {error}", name.display());
        let body = self.bytes(&path, fetch).map_err(|error| words(&error))?;
        Ok(Fetched {
            url: fetch.url.clone(),
            body,
        })
    }

    fn bytes(&self, path: &Path, fetch: &Fetch) -> Result<Bytes, String> {
        let words = |error: std::io::Error| error.to_string();
        let real = path.canonicalize().map_err(words)?;
        // The playlist has been named by the user.
        if path != self.playlist && !real.starts_with(&self.folder) {
            return Err("it is outside of the folder of the playlist".to_owned());
        }
        // What is no file may keep who opens it waiting.
        let about = real.metadata().map_err(words)?;
        if !about.is_file() {
            return Err("it is no file".to_owned());
        }
        let (offset, length) = match fetch.range {
            Some(range) => (range.offset, range.length),
            None => (0, about.len()),
        };
        let most = fetch.most;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= most);
        let length = length.ok_or_else(|| format!("it is longer than {most} bytes"))?;
        let file = File::open(&real).map_err(words)?;
        let bytes = read_at(&file, offset, length);
        if bytes.len() < length {
            return Err(format!("it ends at byte {}", about.len()));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hls::read::ByteRange;
    use std::time::Duration;

    fn read(place: &Place, name: &str, range: Option<(u64, u64)>) -> Result<Bytes, String> {
        let range = range.map(|(offset, length)| ByteRange { offset, length });
        let fetch = Fetch {
            id: 0,
            url: place.url().unwrap().join(name).unwrap(),
            range,
            most: 100,
            within: Duration::ZERO,
        };
        let read = place.read(&fetch);
        read.map(|read| read.body).map_err(|failure| failure.reason)
    }

    #[test]
    fn what_is_beside_a_playlist_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        std::fs::create_dir_all(own.join("below")).unwrap();
        for (name, text) in [
            ("outside.ts", "secret"),
            ("own/a.m3u8", "#EXTM3U"),
            ("own/a b.ts", "beside"),
            ("own/below/0.ts", "below"),
            ("own/long.ts", &"x".repeat(101)),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::os::unix::fs::symlink("../outside.ts", own.join("link.ts")).unwrap();
        let place = Place::of(&own.join("a.m3u8")).unwrap();
        for (name, range, expected) in [
            ("a%20b.ts?x=1", None, Ok("beside")),
            ("a b.ts", Some((2, 3)), Ok("sid")),
            ("below/0.ts", None, Ok("below")),
            ("below/../a.m3u8", None, Ok("#EXTM3U")),
            ("../outside.ts", None, Err("outside of the folder")),
            ("%2e%2e/outside.ts", None, Err("outside of the folder")),
            ("..%2foutside.ts", None, Err("outside of the folder")),
            ("link.ts", None, Err("outside of the folder")),
            ("/etc/hostname", None, Err("outside of the folder")),
            ("file://host/etc/hostname", None, Err("no file of this")),
            ("below", None, Err("below: it is no file")),
            ("long.ts", None, Err("longer than 100 bytes")),
            ("long.ts", Some((90, 100)), Err("it ends at byte 101")),
            ("none.ts", None, Err("none.ts: ")),
        ] {
            match (read(&place, name, range), expected) {
                (Ok(bytes), Ok(expected)) => assert_eq!(bytes, expected, "{name}"),
                (Err(words), Err(expected)) => assert!(words.contains(expected), "{name}: {words}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }
}
