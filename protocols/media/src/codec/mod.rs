//! What has to be known of each codec's bitstream: its configuration record, and what a random access
//! point looks like. One file or folder per codec.

pub mod aac;
pub mod g711;
pub mod h264;
pub mod h265;
pub mod nal;
pub mod opus;
pub mod order;

mod sei;
mod start;
mod vui;

pub use start::{Seen, Start};
