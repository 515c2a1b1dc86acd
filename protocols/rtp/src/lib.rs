//! RTP and RTCP on the wire (RFC 3550), and the payload formats of the codecs.
//!
//! No socket, clock, encryption or session state here. [`Header`] and [`Packet`] write and read one RTP
//! packet, [`rtcp`] the control packets beside it. [`payload`] cuts access units into [`Payloads`], which
//! are made once for each stream and shared by everybody who receives it: what belongs to one receiver
//! (payload type, sequence number, SSRC) stands in the header alone. The other way round, [`Reorder`] puts
//! received packets in order, and the depacketizers of [`payload`] make access units of them.

pub mod extension;
#[doc(hidden)]
pub mod fuzz;
pub mod payload;
pub mod reorder;
pub mod rtcp;

mod packet;

pub use packet::{HEADER_LEN, Header, Packet, PacketError};
pub use payload::Payloads;
pub use reorder::Reorder;
