//! MPEG-2 transport streams (ISO/IEC 13818-1, ITU-T H.222.0): from bytes to tracks and access units, and back.
//!
//! There is no socket and no clock here: what comes by UDP, RTP, HTTP, SRT or from a file is the same stream of
//! bytes. Read [`demuxer::Demuxer`] first (bytes to access units), then [`muxer::Muxer`] (the way back). Below
//! them are the [`aligner`], which finds packets in bytes that may begin anywhere and be damaged, [`packet`],
//! [`psi`] (what is in the stream) and [`pes`] (the packets of one elementary stream).

pub mod aligner;
pub mod boundary;
pub mod constant_rate;
pub mod demuxer;
pub mod muxer;
pub mod packet;
pub mod pes;
pub mod psi;
pub mod splice;

#[doc(hidden)]
pub mod fuzz;

mod elementary;
mod error;
mod format;
mod opus;
mod time;

pub use error::{Error, Fault};
pub use format::{DataFormat, Format};

/// Longest access unit that is put together, in bytes; more of it is dropped, and the unit with it.
pub const MAX_UNIT: usize = 8 * 1_024 * 1_024;
