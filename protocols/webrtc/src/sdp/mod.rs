//! Offers and answers (RFC 3264, RFC 8829, RFC 8866): as far as a server that plays needs them.
//!
//! [`Offer`] reads what browsers and other clients offer, tolerant of what it does not know;
//! what of it is taken, `choose` decides; `answer` writes the other end.

pub(crate) mod answer;
pub(crate) mod choose;
mod codec;
pub(crate) mod fragment;
mod offer;

pub use codec::{AudioFormat, VideoFormat, VoiceFormat};
pub use offer::{Direction, Format, Media, Offer, OfferError, Setup};
