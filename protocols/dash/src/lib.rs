//! DASH as text: media presentation descriptions (ISO/IEC 23009-1) of live streams and of recordings, in the profile
//! that addresses segments by a template.
//!
//! There are no segments, no clock and no HTTP here. A description is a view that borrows what its owner knows,
//! and writes itself. Read [`Description`] first; it has one [`Period`] for each run of segments without a
//! discontinuity, and a period one [`Track`] for each kind of media.

mod description;
mod text;
mod track;

pub use description::{Clock, Description, Live, Period};
pub use track::{Addressing, Audio, Content, Segment, Track, Video};
