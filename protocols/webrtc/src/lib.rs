//! WebRTC without sockets and clocks: datagrams and instants in, datagrams and events out.
//!
//! Read [`Session`] first: one viewer, from its offer ([`Session::answer`]) to its goodbye, or one publisher
//! ([`Session::receive`]). It is the
//! passive end of everything: ICE-lite ([`stun`] checks are answered, never sent), the server of the DTLS
//! handshake, the sender or the receiver of the media. An [`Invitation`] makes the other end, which plays from or
//! publishes to another server: with checks of its own, and as the client of the handshake. A session is driven by `handle_input` and `handle_timeout`, and drained with
//! `poll_output` until that gives [`Output::Timeout`]. Media come as [`rtp::Payloads`], which all viewers of
//! a stream share; a session adds what is its viewer's own: header, encryption, retransmission.
//!
//! Where no datagrams pass, packets come and go in frames on a connection that the peer makes ([`framing`]).
//!
//! HTTP, where the offer comes from and the answer goes to, is for the caller, and so is the choice of what
//! to send: access units must come in order, begin at a random access point, and lie on one timeline.

pub mod framing;
#[doc(hidden)]
pub mod fuzz;
pub mod sdp;
pub mod stun;
pub mod turn;

mod certificate;
mod dtls;
mod ice;
mod session;
mod srtp;

pub use certificate::{Certificate, CertificateError};
pub use ice::{Candidate, Path, Transport};
pub use sdp::{AudioFormat, OfferError, VideoFormat, VoiceFormat};
pub use session::{
    CloseReason, Config, Event, Invitation, Output, Proposal, ReceivedFormat, Session, Stats,
    Transmit, WallClock,
};
pub use srtp::Profile as SrtpProfile;

/// Whether a datagram on a port shared by STUN, DTLS and SRTP is a STUN message, which is what names the
/// session it is for (RFC 7983 section 7).
pub const fn is_stun(datagram: &[u8]) -> bool {
    matches!(datagram, [0..=3, ..])
}
