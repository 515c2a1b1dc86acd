//! RTP to the hub, for all adapters that receive it: packets of several sections in order, on one axis of time, as
//! tracks and access units.
//!
//! A [`Receiver`] puts [`Incoming`]s together, each of which is one section of a description. What goes wrong on the
//! way is counted, not told. Payloads themselves are the crate `rtp`.

mod axis;
mod incoming;
mod program;
mod receiver;

pub use incoming::Incoming;
pub use receiver::{Event, Receiver};
