//! The vocabulary that every other crate of Millstream speaks: what a live stream is made of once it has
//! left its wire format, and before it enters the next.
//!
//! There is no container, no socket and no clock here. A [`Track`] says what is carried (codec and its
//! configuration, timebase), an [`AccessUnit`] is one coded picture or audio frame on that track's clock.
//! Read these two first; [`codec`] holds what has to be known about each codec's bitstream, [`bits`] reads
//! it, [`clock`] turns wrapping or rounded wire timestamps into [`Timebase`] ticks, and
//! [`decoding_times`] finds the decoding times that some of them do not tell.

pub mod bits;
pub mod clock;
pub mod codec;
pub mod decoding_times;

mod access_unit;
mod compact;
mod date;
mod timebase;
mod track;

pub use access_unit::AccessUnit;
pub use compact::compact;
pub use date::DateTime;
pub use timebase::Timebase;
pub use track::{Codec, Data, Kind, Track, TrackId};
