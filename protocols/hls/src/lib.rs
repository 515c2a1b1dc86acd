//! HLS (RFC 8216) with the low-latency tags of its second edition (draft-pantos-hls-rfc8216bis): playlists as a server
//! writes them, the query parameters by which a player asks to wait for the next one, and a player.
//!
//! There is no clock and no HTTP here. A playlist that is written is a view that borrows what its owner knows. Read
//! [`media::Playlist`] first, then [`multivariant::Playlist`]; [`request::Directives`] is the other direction. To play,
//! [`read`] takes playlists of others, [`client::Client`] says what to fetch and gives segments, and [`packed`] reads
//! those that are sound alone; [`samples`] opens what is encrypted within.

pub mod client;
pub mod media;
pub mod multivariant;
pub mod packed;
pub mod read;
pub mod request;
pub mod samples;

#[doc(hidden)]
pub mod fuzz;

mod text;
