//! HLS as text: playlists (RFC 8216) with the low-latency tags of its second edition
//! (draft-pantos-hls-rfc8216bis), and the query parameters by which a player asks to wait for the next one.
//!
//! There are no segments, no clock and no HTTP here. A playlist is a view that borrows what its owner
//! knows, and writes itself. Read [`media::Playlist`] first, then [`multivariant::Playlist`];
//! [`request::Directives`] is the other direction.

pub mod media;
pub mod multivariant;
pub mod request;

#[doc(hidden)]
pub mod fuzz;

mod text;
