//! FLV: the tag bodies that RTMP messages, HTTP-FLV and FLV files have in common, and the framing of the
//! file (Adobe Flash Video File Format Specification, version 10.1, Annex E).
//!
//! There is no socket, no clock and no AMF here: script data passes through [`mod@file`] as bytes, and who
//! wants to read it has an AMF reader. Carried are H.264, AAC, MP3 and G.711 in their classic form, H.265 (also
//! under its private number 12), AV1, VP9, VP8, Opus, FLAC, AC-3 and E-AC-3 behind the headers of Enhanced RTMP;
//! any other codec is an [`Error`] that names it.
//!
//! Read [`demuxer::Demuxer`] first (bodies to access units), then [`muxer`] (the way back, with [`multitrack`]
//! for tracks beyond the first of a kind). [`mod@file`] puts
//! bodies into a file or a never-ending HTTP response, and takes them out again.

pub mod demuxer;
pub mod file;
pub mod foreign;
pub mod multitrack;
pub mod muxer;

#[doc(hidden)]
pub mod fuzz;

mod body;
mod error;

pub use error::Error;
