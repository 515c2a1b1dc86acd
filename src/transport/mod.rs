//! MPEG transport streams to the hub and from it, for all adapters that carry them: over UDP, TCP, HTTP.
//!
//! [`Intake`] publishes what arrives as bytes. [`Packagings`] make the packets of a stream once for all that send
//! them on. The format itself is the crate `mpegts`.

mod intake;
mod packaging;

pub use intake::Intake;
pub use packaging::{Packaged, PackagedReader, Packagings};
