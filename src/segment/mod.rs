//! Cuts a stream once into CMAF parts and segments, for every output that wants them.
//!
//! A [`Segmenter`] takes access units and fills one [`Rendition`] per track. The video track leads: segments
//! end at its random access points, and the other tracks end theirs at the same time. It is a pure stage:
//! no task, no clock of its own, memory bounded by [`Settings`].

mod cutter;
mod disk;
mod epoch;
mod rendition;
mod segmenter;
mod snapshot;
mod splices;

pub use disk::{Disk, Place};
pub use rendition::{Bandwidth, Grid, Init, Part, Rendition, Segment, Stretch};
pub use segmenter::Segmenter;
pub use snapshot::Snapshot;
pub use splices::DateRange;

use crate::config::Segments;
use media::{Codec, Data};
use std::time::Duration;

/// How to cut, and how much to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A segment ends at the first random access point after this long.
    pub segment: Duration,
    /// A segment ends without a random access point after this long, while the target duration is not
    /// known; afterwards at the target duration.
    pub max_segment: Duration,
    /// Longest part.
    pub part: Duration,
    /// Segments in the playlist, at least.
    pub listed: usize,
    /// Media in the playlist, at least: how far players can go back.
    pub window: Duration,
    /// Segments kept after they have left the playlist, for players that still ask for them.
    pub kept: usize,
    /// Bytes of all segments of a rendition that are in memory together.
    pub max_bytes: usize,
    /// Bytes of those that are on the disk; 0 where there is none for them.
    pub max_disk_bytes: u64,
}

/// Whether tracks of that codec are cut: those that MP4 carries.
pub const fn carries(codec: &Codec) -> bool {
    mp4::init::carries(codec)
}

/// What messages of a data track are called where they travel with pictures or sound; none for those that do not.
pub const fn scheme(codec: &Codec) -> Option<&'static str> {
    match codec {
        Codec::Data(Data::Id3) => Some("https://aomedia.org/emsg/ID3"),
        Codec::Data(Data::Scte35) => Some("urn:scte:scte35:2013:bin"),
        _ => None,
    }
}

/// The `codecs` parameter of RFC 6381 for a track within MP4. For MP3 that is the object type indication of its sample
/// entry: no browser plays it there, and by the other spelling hls.js would think that it is outside of MP4.
pub fn codecs(codec: &Codec) -> Option<String> {
    match codec {
        Codec::MpegAudio(config) => Some(format!("mp4a.{:02X}", config.object_type_indication())),
        _ => codec.rfc6381(),
    }
}

impl Settings {
    /// As the configuration wants it.
    pub fn new(config: &Segments) -> Self {
        let duration = config.duration;
        Self {
            segment: duration,
            max_segment: (duration * 3).min(Duration::from_secs(10)).max(duration),
            part: config.part,
            listed: config.listed,
            kept: config.listed.div_ceil(2) + 1,
            window: config.window,
            max_bytes: config.memory_bytes,
            max_disk_bytes: match config.folder {
                Some(_) if !config.window.is_zero() => config.folder_bytes,
                _ => 0,
            },
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(&Segments::default())
    }
}
