//! The hub: streams of access units between whoever publishes and whoever reads them.
//!
//! It knows no protocol. A [`Publisher`] declares tracks and pushes access units; any number of
//! [`Reader`]s take them, each at its own place in the stream's bounded memory ([`ring`]), so that none can
//! slow the stream or another reader. Time is repaired on the way in ([`timeline`]). [`Hub`] is the register
//! of streams by name; start there.

pub mod ring;
pub mod timeline;

mod current;
mod demand;
mod feedback;
mod name;
mod pass;
mod patience;
mod publisher;
mod reader;
mod registry;
mod skips;
mod stream;
mod totals;
mod viewers;

#[cfg(test)]
pub(crate) mod tests;

pub use current::Current;
pub use demand::{HOLD, Interest, Opened, Unavailable};
pub use feedback::Requests;
pub use name::{Applications, MAX_PART, NameError, StreamName};
pub use pass::{Bearer, Pass};
pub use patience::{Patience, Place};
pub use publisher::{Publisher, Replaced, Taken};
pub use reader::{Item, Reader};
pub use registry::{Change, Hub, Offline, Settings, Takeover};
pub use skips::{Missed, Skips};
pub use stream::{Ended, Origin, Packets, Snapshot, Stream, TrackSet};
pub use totals::{Tally, Times, Totals, Traffic};
pub use viewers::{Viewer, Viewers, Viewing};
