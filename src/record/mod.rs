//! Recordings: a stream's access units in MP4 files that survive whatever happens to the server.
//!
//! A [`Recorder`] reads a stream as any other reader does, so that a slow disk makes it miss part of the
//! stream and never slows it. [`fragments`] gathers what it reads into fragments of at most a second, with
//! all tracks; [`mod@file`] writes each and waits until it is on the disk. A file is a fragmented MP4 until it is
//! complete; then an index is added in place ([`finish`]), and it gets its name. What a killed server left
//! is completed the same way when the next one starts.
//!
//! Each fragment says when it was, on the clock on the wall (`clock`), so that a file tells by itself what it holds and
//! where time is missing ([`spans`]). [`export`] takes any stretch of time out of files, also out of those that are being
//! written, and of those that are far away (`outline`).
//!
//! Other parameters of a track begin a new file: few players take a second sample entry.
//!
//! A recording may be a transport stream instead (`packets`, `transport`), which holds tracks of data that MP4 has no
//! form for, and has nothing to complete.

pub mod export;
pub mod file;
pub mod finish;
pub mod fragments;
pub mod host;
pub mod name;
pub mod playlist;
pub mod scan;
pub mod spans;

#[doc(hidden)]
pub mod fuzz;

mod clock;
mod gather;
mod outline;
mod packets;
mod recorder;
mod rules;
mod transport;

pub use finish::Finished;
pub use recorder::{Limits, Recorder, Stopped, complete};
pub use spans::Span;

use std::io;

/// Why a recording ended before its stream did.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk said no.
    #[error("cannot write the recording: {0}")]
    Disk(#[from] io::Error),
    /// MP4 cannot hold these tracks.
    #[error("cannot record these tracks: {0}")]
    Tracks(#[from] mp4::init::Error),
    /// The file is not one that this server wrote.
    #[error("the file is no recording: {0}")]
    Foreign(String),
    /// The stream ended before it began.
    #[error("the stream is over")]
    Over,
}
