//! Program specific information: which programs are in the stream, and of what streams each is made (clause 2.4.4).
//!
//! [`sections::Sections`] puts tables together, [`Pat`] and [`Pmt`] are what is in them.

pub mod descriptor;
pub mod sections;

mod crc;
mod pat;
mod pmt;

pub use pat::{Pat, Program};
pub use pmt::{Pmt, Stream};
pub use sections::SectionError;

pub(crate) use crc::crc32;
pub(crate) use sections::Section;

/// The PID of the program association table.
pub const PAT_PID: u16 = 0;
