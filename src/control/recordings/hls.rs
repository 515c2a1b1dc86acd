//! Recordings as HLS: what their playlists are called, and what is in them.

use super::Control;
use crate::record::export::Afar;
use crate::record::name::ENDING;
use crate::record::{RecordError, playlist};
use bytes::Bytes;
use std::io;

/// A part of a recording as HLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `FILE.mp4.m3u8`: the playlist. No stream has a name with the ending of a file, so that it is none of theirs.
    Playlist,
    /// `FILE.mp4.init`: what stands in front of the first segment.
    Init,
}

impl Part {
    /// What a path below `/APP/streams/` is of, and the file.
    pub fn of(path: &str) -> Option<(Self, &str)> {
        let (file, part) = match path.strip_suffix(".m3u8") {
            Some(file) => (file, Self::Playlist),
            None => (path.strip_suffix(".init")?, Self::Init),
        };
        file.ends_with(ENDING).then_some((part, file))
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Playlist => "application/vnd.apple.mpegurl",
            Self::Init => "video/mp4",
        }
    }
}

impl Control {
    /// A part of a complete recording as HLS. `query` is what requests for the others have to say.
    ///
    /// # Errors
    /// When it is no recording of this server, or cannot be read where it is.
    pub async fn vod_hls(
        &self,
        app: &str,
        file: &str,
        part: Part,
        query: &str,
    ) -> Result<Bytes, RecordError> {
        let recordings = &self.shared.recordings;
        let path = self.vod_path(app, file);
        let path = path.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let afar = recordings.afar(app, file);
        // It is never closed.
        let _permit = recordings.exports.acquire().await;
        let host = recordings.place.host.clone();
        let (media, init) = (format!("{file}{query}"), format!("{file}.init{query}"));
        let made = tokio::task::spawn_blocking(move || match (part, afar) {
            (Part::Playlist, Some((file, spans))) => {
                let made = playlist::playlist_from_afar(&*file.open(), &spans, &media, &init);
                made.map(Bytes::from)
            }
            (Part::Init, Some((file, _))) => playlist::init(&*file.open()),
            (Part::Playlist, None) => {
                let file = host.open(&path, false)?;
                playlist::playlist(&*file, &media, &init).map(Bytes::from)
            }
            (Part::Init, None) => playlist::init(&*host.open(&path, false)?),
        });
        made.await
            .unwrap_or_else(|error| Err(io::Error::other(error).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_recordings_are_told_from_those_of_streams() {
        assert_eq!(Part::of("a.mp4.m3u8"), Some((Part::Playlist, "a.mp4")));
        assert_eq!(Part::of("a.mp4.init"), Some((Part::Init, "a.mp4")));
        for other in ["a.m3u8", "a.mp4", "a/b.m3u8", "a.init", "a.ts.m3u8"] {
            assert_eq!(Part::of(other), None, "{other}");
        }
    }
}
