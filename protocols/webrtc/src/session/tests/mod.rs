//! A session and a viewer in memory, on virtual time. The viewer's handshake and decryption are those of
//! other crates.

mod ending;
mod ends;
mod media;
mod publisher;
mod viewer;

use super::*;
use ::media::Kind;
use viewer::{Options, Viewer};
