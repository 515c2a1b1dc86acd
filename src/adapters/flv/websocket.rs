//! As much of WebSocket (RFC 6455) as a player needs who only listens: the handshake, headers of frames that go
//! out, and frames that come in.

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Longest payload of a control frame (section 5.5).
pub(super) const MAX_CONTROL: usize = 125;

/// `Sec-WebSocket-Accept` where the request asks for WebSocket (section 4.2.1); none where it asks for HTTP.
///
/// # Errors
/// What is wrong with the request.
pub(super) fn accept(headers: &HeaderMap) -> Result<Option<HeaderValue>, &'static str> {
    let has = |name, token: &str| {
        let mut values = headers.get_all(name).iter();
        values.any(|value: &HeaderValue| {
            let text = value.to_str().unwrap_or_default();
            text.split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(token))
        })
    };
    if !has(header::UPGRADE, "websocket") {
        return Ok(None);
    }
    if !has(header::CONNECTION, "upgrade") || !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err("this is no request for WebSocket of version 13\n");
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.ok_or("the request for WebSocket has no key\n")?;
    let accept = derive_accept_key(key.as_bytes());
    let accept = HeaderValue::try_from(accept).map_err(|_| "the key cannot be used\n")?;
    Ok(Some(accept))
}

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
