//! As much of WebSocket (RFC 6455) as a player needs who only listens: headers of frames that go out, and frames that
//! come in.

use bytes::Bytes;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Longest payload of a control frame (section 5.5).
pub(super) const MAX_CONTROL: usize = 125;

/// What stands in front of a binary message of one frame.
pub(super) fn binary_header(length: u64) -> Bytes {
    frame_header(OpCode::Data(Data::Binary), length)
}

/// A frame that controls the connection.
pub(super) fn control(opcode: Control, payload: &[u8]) -> Bytes {
    let payload = payload.get(..MAX_CONTROL).unwrap_or(payload);
    let header = frame_header(OpCode::Control(opcode), payload.len() as u64);
    [&header[..], payload].concat().into()
}

fn frame_header(opcode: OpCode, length: u64) -> Bytes {
    let header = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    let mut bytes = Vec::with_capacity(10);
    // Writing to memory does not fail.
    let _ = header.format(length, &mut bytes);
    bytes.into()
}
