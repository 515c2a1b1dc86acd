//! What has to be known of each codec's bitstream: its configuration record, and what a random access
//! point looks like. One file or folder per codec.

pub mod aac;
pub mod ac3;
pub mod adts;
pub mod annex_b;
pub mod av1;
pub mod flac;
pub mod g711;
pub mod g726;
pub mod h264;
pub mod h265;
pub mod in_band;
pub mod jpeg;
pub mod latm;
pub mod mpeg_audio;
pub mod nal;
pub mod opus;
pub mod order;
pub mod sync_frames;
pub mod vp8;
pub mod vp9;

mod sei;
mod start;
mod vui;

pub use start::{LookError, Seen, Start};
