//! What a muxer can be told, and why it refuses.

use media::codec::adts::AdtsError;
use media::codec::nal::NalError;
use media::{Timebase, TrackId};
use std::time::Duration;

/// How far times lie ahead of the clock by default. Sound waits for its batch and comes beside pictures of another
/// time, and a decoder needs all of an access unit before its time.
const DELAY: Duration = Duration::from_millis(400);

/// The number of the program where nothing else is said.
const PROGRAM: u16 = 1;

/// What a muxer can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The number of the program, from 1.
    pub program: u16,
    /// By how much the times of access units are put behind the clock, and behind their own: decoders have so long to
    /// receive what is presented. At most a second (clause 2.4.2.6).
    pub delay: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            program: PROGRAM,
            delay: DELAY,
        }
    }
}

impl Config {
    pub(super) fn delay_ticks(&self) -> i64 {
        Timebase::VIDEO.ticks(self.delay)
    }
}

/// Why tracks or a unit were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MuxError {
    /// A codec that has no place in transport streams, or none here.
    #[error("{0} cannot be carried in MPEG-TS")]
    Codec(&'static str),
    /// Opus with an order of channels that has no code.
    #[error("Opus with this order of its {0} channels cannot be carried in MPEG-TS")]
    Channels(u8),
    /// AAC that ADTS has no header for.
    #[error(transparent)]
    Adts(#[from] AdtsError),
    /// More tracks than are carried.
    #[error("{0} tracks are more than the 16 that are carried")]
    TooMany(usize),
    /// Descriptions of the tracks that are longer than a table.
    #[error("the descriptions of the tracks do not fit into one table")]
    Tables,
    /// A unit of a track that was not declared.
    #[error("access unit of track {}, which was not declared", .0.0)]
    UnknownTrack(TrackId),
    /// A picture whose NAL units cannot be told apart.
    #[error(transparent)]
    Nal(#[from] NalError),
    /// Splice information that is none, or damaged.
    #[error("splice information section that is damaged")]
    Splice,
    /// A frame of sound or a unit of data that is longer than its format allows.
    #[error("frame of {0} bytes is longer than its format allows")]
    Frame(usize),
}
