//! Cuts a stream once into CMAF parts and segments, for every output that wants them.
//!
//! A [`Segmenter`] takes access units and fills one [`Rendition`] per track. The video track leads: segments
//! end at its random access points, and the other tracks end theirs at the same time. It is a pure stage:
//! no task, no clock of its own, memory bounded by [`Settings`].

mod cutter;
mod epoch;
mod rendition;
mod segmenter;
mod snapshot;

pub use rendition::{Bandwidth, Init, Part, Rendition, Segment, Stretch};
pub use segmenter::Segmenter;
pub use snapshot::Snapshot;

use crate::config::Segments;
use media::Codec;
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
    /// Segments in the playlist.
    pub listed: usize,
    /// Segments kept after they have left the playlist, for players that still ask for them.
    pub kept: usize,
    /// Bytes of all segments of a rendition together.
    pub max_bytes: usize,
}

/// Whether tracks of that codec are cut: of those that MP4 carries, the ones that players of HLS know in it.
pub const fn carries(codec: &Codec) -> bool {
    matches!(
        codec,
        Codec::H264(_) | Codec::H265(_) | Codec::Aac(_) | Codec::Opus(_)
    )
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
            max_bytes: config.memory_bytes,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(&Segments::default())
    }
}
