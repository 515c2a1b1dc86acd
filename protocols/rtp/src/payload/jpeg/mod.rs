//! Motion JPEG (RFC 2435): the coded samples of an image travel behind a header that says how it was coded. The tables
//! of an image are rebuilt from that, or come with its first payload.

mod depacketizer;
mod image;
mod packetizer;
mod tables;

pub use depacketizer::{Depacketizer, Images};
pub use image::ImageError;
pub use packetizer::packetize;

/// The static payload type.
pub const JPEG: u8 = 26;

/// Bytes of the main header (section 3.1).
const HEADER: usize = 8;

/// Added to the type of images with restart markers.
const RESTARTS: u8 = 64;

/// From here on quantization tables come with the image.
const TABLES_SENT: u8 = 128;

/// The tables of images of this quality are good for no other image.
const TABLES_OF_ONE: u8 = 255;

/// An image of 16 x 16 that is no picture, for tests and fuzzing.
pub(crate) fn seed() -> Vec<u8> {
    let coding = image::Coding {
        kind: 1,
        width: 16,
        height: 16,
        tables: tables::quantization(75).to_vec(),
        ..image::Coding::default()
    };
    coding
        .image(&[7; 90])
        .map_or_else(Vec::new, |image| image.to_vec())
}
