//! What Millstream is measured against: loads, floors and peers, each a process of its own.
//!
//! The programs are in `src/bin`. Each starts itself again for everything that is not the server under
//! test ([`role::Role`]), so that the server's CPU time is the server's alone. Read [`case`] for what one
//! measurement is, [`signal`] for what is published, [`load`] for who receives it.

pub mod case;
pub mod clock;
pub mod error;
pub mod floor;
pub mod helper;
pub mod load;
pub mod machine;
pub mod mirror;
pub mod process;
pub mod publisher;
pub mod report;
pub mod role;
pub mod servers;
pub mod signal;
pub mod srt;

pub use error::{Error, Result};
