//! The client: plays what another server has (`pull`, by WHEP), and publishes there (`push`, by WHIP).
//!
//! `address` reads the URL, `resource` is the session as the server's HTTP has it, `link` its packets,
//! which go through a TURN server where there is no other way (`relay`). The session itself is
//! `webrtc::Invitation`'s.

mod address;
mod link;
mod pull;
mod push;
mod relay;
mod resource;

pub(super) use pull::pull;
pub(super) use push::push;

/// Whether a URL and its options can be understood.
pub(super) fn check(url: &str) -> Result<(), String> {
    address::Address::parse(url).map(drop)
}
