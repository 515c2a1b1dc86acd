//! Sound for readers that take one codec only: browsers over WebRTC take Opus, what is sent by RTMP is mostly AAC. AAC-LC,
//! G.711 and Opus are decoded, brought to 48 kHz and encoded anew.
//!
//! [`Voice`] is for what somebody says to a camera. [`Transcoder`] is the pure stage, access units in and out, with no task and no clock. [`Bridges`] starts one
//! for a stream when its first [`Reader`] needs it and shares it among all of them; read `reader` for the
//! shape of that. Pictures are passed on as they are, and so is sound that is right already. Nothing here
//! transcodes video.

mod decoder;
mod encoder;
pub(crate) mod fuzz;
mod g711;
mod output;
mod reader;
mod resampler;
mod surround;
mod task;
mod transcoder;
mod voice;

#[cfg(test)]
mod tests;

pub use decoder::Unsupported;
pub use encoder::Sound;
pub use reader::{Bridges, Reader};
pub use transcoder::{Statistics, Transcoder};
pub use voice::Voice;
