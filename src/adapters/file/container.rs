//! What is written, by the ending of its name.

use media::{Codec, Track};
use mpegts::muxer::Muxer;
use std::path::Path;

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// MPEG transport stream.
    Ts,
    /// FLV, with the headers of Enhanced RTMP where a codec needs them.
    Flv,
    /// MP4 with its index in front.
    Mp4,
    /// MP4 in fragments.
    Fragmented,
    /// A playlist of HLS, and segments of MP4 in a folder beside it.
    Hls,
}

impl Container {
    /// That of a file with this name.
    ///
    /// # Errors
    /// Why there is none.
    pub fn of(path: &Path) -> Result<Self, String> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("ts" | "m2t" | "mts") => Ok(Self::Ts),
            Some("flv") => Ok(Self::Flv),
            Some("mp4" | "m4v" | "m4a" | "mov") => Ok(Self::Mp4),
            Some("m4s" | "cmfv" | "cmfa") => Ok(Self::Fragmented),
            Some("m3u8") => Ok(Self::Hls),
            _ => Err("its name ends with none of .ts, .flv, .mp4, .m4s, .m3u8".to_owned()),
        }
    }

    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ts => "MPEG-TS",
            Self::Flv => "FLV",
            Self::Mp4 => "MP4",
            Self::Fragmented => "fragmented MP4",
            Self::Hls => "HLS",
        }
    }

    /// Whether it has a form for a track.
    ///
    /// # Errors
    /// Why not.
    pub fn carries(self, track: &Track) -> Result<(), String> {
        let codec: &Codec = &track.codec;
        let carried = match self {
            Self::Ts => return Muxer::carries(codec).map_err(|error| error.to_string()),
            Self::Flv => flv::muxer::is_carried(track),
            Self::Mp4 | Self::Fragmented => mp4::init::holds(codec),
            Self::Hls => mp4::init::carries(codec),
        };
        let words = || format!("{} cannot be carried in {}", codec.name(), self.name());
        carried.then_some(()).ok_or_else(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_say_what_is_written() {
        for (name, expected) in [
            ("a.ts", Container::Ts),
            ("a.b.FLV", Container::Flv),
            ("/x/y.mp4", Container::Mp4),
            ("a.m4s", Container::Fragmented),
            ("a.M3U8", Container::Hls),
        ] {
            assert_eq!(Container::of(Path::new(name)), Ok(expected));
        }
        for name in ["a.mkv", "ts", "m3u8"] {
            let refused = Container::of(Path::new(name)).unwrap_err();
            assert!(refused.contains("none of"), "{refused}");
        }
    }
}
