//! Fragmented MP4: what HLS, DASH and recordings are made of (ISO/IEC 14496-12; CMAF, ISO/IEC 23000-19).
//!
//! It writes an initialization section per set of tracks, [`init::write`], and fragments of whole access
//! units, [`fragment::write`]. [`index`] makes a plain file of fragments without moving them. When a
//! fragment begins and ends, and what it is called, is decided elsewhere; there is no file, no playlist and
//! no clock here.

pub mod boxes;
pub mod fragment;
pub mod index;
pub mod init;
pub mod reader;

#[doc(hidden)]
pub mod fuzz;

use media::TrackId;

/// The number of a track inside the file: MP4 counts from 1.
pub const fn track_number(id: TrackId) -> u32 {
    // Lossless; `u32::from` is not const.
    id.0 as u32 + 1
}
