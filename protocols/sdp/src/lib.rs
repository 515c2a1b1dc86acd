//! Session descriptions as RTSP has them (RFC 8866, and RFC 2326 appendix C): tolerant in, strict out.
//!
//! [`Description::parse`] reads what cameras and encoders send, and its `Display` writes one. Read
//! [`Media`] next, a media section; each [`Format`] of it names what is in its RTP packets, which is for
//! depacketizers to understand. [`control`] finds the URL of a section.
//!
//! Offers and answers of WebRTC are another dialect with other rules, and have their own reader.

pub mod control;
#[doc(hidden)]
pub mod fuzz;

mod description;
mod format;
mod section;
mod write;

pub use description::{Description, DescriptionError, MAX_DESCRIPTION, MAX_MEDIA, Origin};
pub use format::Format;
pub use section::{Connection, Direction, MAX_FORMATS, Media};
