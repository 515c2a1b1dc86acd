//! A client that makes each frame as it is told.

use crate::address::Address;
use crate::context::{Context, Outcome, ensure, failed};
use crate::http;
use crate::wire::Tcp;
use std::time::Instant;

/// The key of section 1.3, and what a server makes of it.
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Longest frame of a server that is waited for.
const LONGEST: u64 = 32 << 20;

/// With which frames are masked. Any will do (section 5.3 asks for chance because of what stands between).
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What a frame is (section 5.2), with the bits that may stand beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opcode(pub(super) u8);

impl Opcode {
    pub(super) const CONTINUATION: Self = Self(0);
    pub(super) const TEXT: Self = Self(1);
    pub(super) const BINARY: Self = Self(2);
    pub(super) const CLOSE: Self = Self(8);
    pub(super) const PING: Self = Self(9);
    pub(super) const PONG: Self = Self(10);
}

/// A frame of the server.
pub(super) struct Frame {
    pub(super) opcode: Opcode,
    pub(super) payload: Vec<u8>,
}

/// Where WebSocket is spoken.
pub(super) fn endpoint(context: &Context) -> Outcome<&Address> {
    context.target(|targets| &targets.websocket)
}

/// The request, with these fields and no others.
pub(super) fn request(wire: &mut Tcp, context: &Context, fields: &[(&str, &str)]) -> Outcome {
    let address = endpoint(context)?;
    let (target, host) = (http::target(address), &address.host);
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in fields {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    wire.send(request.as_bytes())
}

/// What a client asks with.
pub(super) const FIELDS: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
];

/// A connection behind its handshake.
pub(super) struct Client {
    pub(super) wire: Tcp,
}

impl Client {
    /// Connects, and looks at the answer (section 4.1).
    pub(super) fn new(context: &Context) -> Outcome<Self> {
        let mut wire = context.tcp(endpoint(context)?)?;
        request(&mut wire, context, &FIELDS)?;
        let head = wire.take_until(b"\r\n\r\n", "the answer to the handshake")?;
        let head = String::from_utf8_lossy(&head).into_owned();
        ensure!(
            head.starts_with("HTTP/1.1 101 "),
            "the handshake was answered with {:?}",
            head.lines().next()
        );
        let is = |name, value: &str| {
            let field = http::field(&head, name);
            field.is_some_and(|field| field.eq_ignore_ascii_case(value))
        };
        ensure!(is("Upgrade", "websocket"), "the answer has no Upgrade");
        ensure!(
            is("Connection", "upgrade"),
            "the answer has no Connection: Upgrade"
        );
        let accept = http::field(&head, "Sec-WebSocket-Accept");
        ensure!(
            accept == Some(ACCEPT),
            "Sec-WebSocket-Accept is {accept:?}, not {ACCEPT}"
        );
        Ok(Self { wire })
    }

    /// Connects, whatever is answered.
    pub(super) fn offered(context: &Context) -> Outcome<Self> {
        let mut wire = context.tcp(endpoint(context)?)?;
        request(&mut wire, context, &FIELDS)?;
        let _ = wire.take_until(b"\r\n\r\n", "the answer to the handshake");
        Ok(Self { wire })
    }

    /// Sends a frame that is whole and as it should be.
    pub(super) fn offer(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        self.wire.offer(&frame(0x80 | opcode.0, payload))
    }

    /// The server answers this ping with the same payload (section 5.5.3), whatever it sends before.
    pub(super) fn is_answered(&mut self, payload: &[u8]) -> Outcome {
        self.wire.send(&frame(0x80 | Opcode::PING.0, payload))?;
        let answer = self.wait(Opcode::PONG, "a pong")?;
        ensure!(
            answer.payload == payload,
            "a ping of {} bytes was answered with {} others",
            payload.len(),
            answer.payload.len()
        );
        Ok(())
    }

    /// The next frame of that kind.
    pub(super) fn wait(&mut self, opcode: Opcode, what: &str) -> Outcome<Frame> {
        let deadline = Instant::now() + self.wire.limit;
        while Instant::now() < deadline {
            let frame = self.next(what)?;
            if frame.opcode == opcode {
                return Ok(frame);
            }
        }
        Err(failed(format!(
            "{what} did not come within {:?}",
            self.wire.limit
        )))
    }

    /// The next frame; a server does not mask (section 5.1).
    fn next(&mut self, what: &str) -> Outcome<Frame> {
        let head = self.wire.take(2, what)?;
        let [first, second] = head[..] else {
            return Err(failed("there are no two bytes"));
        };
        ensure!(second & 0x80 == 0, "a frame of the server is masked");
        ensure!(
            first & 0x70 == 0,
            "a frame of the server has reserved bits without an extension"
        );
        let more = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let length = match more {
            0 => u64::from(second),
            _ => {
                let bytes = self.wire.take(more, what)?;
                let length = bytes.iter();
                length.fold(0, |length: u64, byte| length << 8 | u64::from(*byte))
            }
        };
        ensure!(length <= LONGEST, "a frame has {length} bytes");
        ensure!(
            more == 0 || length > 125,
            "the length of a frame is longer than it needs to be"
        );
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Frame {
            opcode: Opcode(first & 0x0f),
            payload: self.wire.take(length, what)?,
        })
    }

    /// The server ends the connection for what was sent, and may say why first.
    pub(super) fn is_ended_for(&mut self, what: &str) -> Outcome {
        let deadline = Instant::now() + self.wire.limit;
        ensure!(
            self.wire.is_closed_by(deadline),
            "the connection is open {:?} after {what}",
            self.wire.limit
        );
        Ok(())
    }
}

/// A masked frame with that first byte.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64);
    let masks = MASK.iter().cycle();
    frame.extend(payload.iter().zip(masks).map(|(byte, mask)| byte ^ mask));
    frame
}

/// What stands in front of a masked payload of that length.
pub(super) fn head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(0x80 | length as u8),
        126..65_536 => {
            head.push(0x80 | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(length.to_be_bytes());
        }
    }
    head.extend(MASK);
    head
}
