//! What has to be known of each codec's bitstream: its configuration record, and what a random access
//! point looks like. One file per codec.

pub mod aac;
pub mod h264;
pub mod nal;
