//! What one player still says, and what it is told besides the stream.

use super::websocket::{self, MAX_CONTROL};
use crate::hub::Ended;
use crate::net::fanout::{Output, Peer};
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Longest header of a frame.
const MAX_HEADER: usize = 14;

/// A player over HTTP: it has said all it has to say.
#[derive(Debug)]
pub(super) struct Silent {
    beginning: VecDeque<Bytes>,
}

impl Silent {
    /// Who is sent this first.
    pub(super) fn new(beginning: [Bytes; 2]) -> Self {
        Self {
            beginning: beginning.into(),
        }
    }
}

impl Peer for Silent {
    fn handle_input(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn handle_timeout(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn poll_output(&mut self) -> Output {
        let next = self.beginning.pop_front();
        next.map_or(Output::Timeout(None), Output::Send)
    }

    fn end(&mut self, _: Ended) {}
}

/// A player over WebSocket: it may ping, and it says goodbye.
#[derive(Debug)]
pub(crate) struct WebSocket {
    output: VecDeque<Output>,
    /// Of a frame that is not complete: its header, or a control frame. At most 139 bytes.
    input: Vec<u8>,
    /// Bytes of a message to come, which nobody wants.
    passed_over: u64,
    /// More fragments of a message are to come.
    within: bool,
    has_closed: bool,
}

impl WebSocket {
    /// Who is sent the head of the response, and this as the first message.
    pub(crate) fn new(head: Bytes, beginning: &[u8]) -> Self {
        let header = websocket::binary_header(beginning.len() as u64);
        let message = [&header[..], beginning].concat().into();
        Self {
            output: [head, message].map(Output::Send).into(),
            input: Vec::new(),
            passed_over: 0,
            within: false,
            has_closed: false,
        }
    }

    /// Takes frames from the front of what has come; nothing while one is incomplete.
    fn take(&mut self) -> Result<bool, String> {
        let mut cursor = Cursor::new(&self.input[..]);
        let header = FrameHeader::parse(&mut cursor).map_err(|error| error.to_string())?;
        let Some((header, length)) = header else {
            return Ok(false);
        };
        let mask = header.mask.ok_or("a frame of a client is not masked")?;
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err("a frame has bits of an extension".into());
        }
        let at = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let control = match header.opcode {
            OpCode::Control(control) if header.is_final => control,
            OpCode::Control(_) => return Err("a control frame is in fragments".into()),
            OpCode::Data(data) => {
                let goes_on = match data {
                    Data::Continue => true,
                    Data::Text | Data::Binary => false,
                    Data::Reserved(_) => return Err("a frame is of no kind that is known".into()),
                };
                if goes_on != self.within {
                    return Err("fragments of messages stand in no order".into());
                }
                self.within = !header.is_final;
                self.passed_over = length;
                self.input.drain(..at.min(self.input.len()));
                return Ok(true);
            }
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_CONTROL {
            return Err("a control frame is longer than 125 bytes".into());
        }
        let Some(payload) = self.input.get(at..at + length) else {
            return Ok(false);
        };
        let masks = mask.iter().cycle();
        let payload: Vec<u8> = payload
            .iter()
            .zip(masks)
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        self.input.drain(..at + length);
        match control {
            Control::Ping => self.send(Control::Pong, &payload),
            Control::Close => {
                self.close(payload.get(..2).unwrap_or_default());
                self.output.push_back(Output::Leave);
                // What comes behind it means nothing.
                self.passed_over = u64::MAX;
            }
            Control::Pong => {}
            Control::Reserved(_) => return Err("a frame is of no kind that is known".into()),
        }
        Ok(true)
    }

    fn send(&mut self, control: Control, payload: &[u8]) {
        let frame = websocket::control(control, payload);
        self.output.push_back(Output::Send(frame));
    }

    fn close(&mut self, code: &[u8]) {
        if !self.has_closed {
            self.has_closed = true;
            self.send(Control::Close, code);
        }
    }
}

impl Peer for WebSocket {
    fn handle_input(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            let over = usize::try_from(self.passed_over).unwrap_or(usize::MAX);
            let over = over.min(bytes.len());
            bytes.advance(over);
            self.passed_over -= over as u64;
            let room = (MAX_HEADER + MAX_CONTROL).saturating_sub(self.input.len());
            let (part, rest) = bytes.split_at(room.min(bytes.len()));
            self.input.extend_from_slice(part);
            bytes = rest;
            loop {
                // What was gathered may be of a message that is passed over.
                let over = usize::try_from(self.passed_over).unwrap_or(usize::MAX);
                let over = over.min(self.input.len());
                self.input.drain(..over);
                self.passed_over -= over as u64;
                if self.passed_over > 0 || !self.take()? {
                    break;
                }
            }
        }
        Ok(())
    }

    fn handle_timeout(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn poll_output(&mut self) -> Output {
        self.output.pop_front().unwrap_or(Output::Timeout(None))
    }

    fn end(&mut self, _: Ended) {
        // 1001: the server goes away (RFC 6455 section 7.4.1).
        self.close(&1_001u16.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut frame = vec![first, 0x80 | payload.len() as u8];
        frame.extend(mask);
        frame.extend(
            payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        frame
    }

    fn drain(peer: &mut WebSocket) -> (Vec<u8>, bool) {
        let (mut sent, mut left) = (Vec::new(), false);
        loop {
            match peer.poll_output() {
                Output::Send(bytes) => sent.extend_from_slice(&bytes),
                Output::Leave => left = true,
                Output::Timeout(_) => return (sent, left),
            }
        }
    }

    #[test]
    fn pings_are_answered_and_messages_passed_over_wherever_input_is_cut() {
        let mut input = frame(0x82, &[7; 100]);
        input.extend(frame(0x89, b"are you there"));
        input.extend(frame(0x01, b"text"));
        input.extend(frame(0x80, b"and more"));
        input.extend(frame(0x88, &[0x03, 0xe8, b'x']));
        input.extend(frame(0x89, b"behind the end"));
        for cut in [1, 3, 50, 1_000] {
            let mut peer = WebSocket::new(Bytes::from_static(b"head"), b"FLV");
            assert_eq!(drain(&mut peer).0, b"head\x82\x03FLV");
            for part in input.chunks(cut) {
                peer.handle_input(part).unwrap();
            }
            let (sent, left) = drain(&mut peer);
            assert_eq!(sent, b"\x8a\x0dare you there\x88\x02\x03\xe8", "{cut}");
            assert!(left);
        }
    }

    #[test]
    fn the_end_is_told_once() {
        let mut peer = WebSocket::new(Bytes::new(), b"");
        drain(&mut peer);
        peer.end(Ended::Finished);
        peer.handle_input(&frame(0x88, &[])).unwrap();
        assert_eq!(drain(&mut peer), (b"\x88\x02\x03\xe9".to_vec(), true));
    }

    #[test]
    fn what_breaks_the_protocol_ends_it() {
        for input in [
            // Not masked.
            &[0x89, 0][..],
            // A ping of 126 bytes.
            &[0x89, 0xfe, 0, 126, 0, 0, 0, 0],
            // Reserved operations.
            &[0x83, 0x80, 0, 0, 0, 0],
            &[0x8b, 0x80, 0, 0, 0, 0],
            // A bit of an extension.
            &[0xc9, 0x80, 0, 0, 0, 0],
            // Half a ping.
            &[0x09, 0x80, 0, 0, 0, 0],
            // A continuation of nothing, and a message within another.
            &[0x80, 0x80, 0, 0, 0, 0],
            &[0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0],
        ] {
            let mut peer = WebSocket::new(Bytes::new(), b"");
            assert!(peer.handle_input(input).is_err(), "{input:02x?}");
        }
    }
}
