//! What several adapters carry streams in, to the hub and from it.
//!
//! MPEG transport streams, over UDP, TCP, HTTP: [`Intake`] publishes what arrives as bytes, [`Packagings`] make the
//! packets of a stream once for all that send them on; the format itself is the crate `mpegts`. Packets that are
//! received: [`rtp`]. Presentations that are played: [`hls`].

pub mod hls;
pub mod rtp;

mod intake;
mod losses;
mod packaging;

pub use intake::Intake;
pub use packaging::{Packaged, PackagedReader, Packagings};
