//! What server and client have in common: handshake, chunks both ways, acknowledgements, pings.

use crate::aggregate;
use crate::chunk::{
    self, ChunkStreamId, DEFAULT_CHUNK_SIZE, Header, Limits, RawMessage, Reader, TooLong,
};
use crate::error::Error;
use crate::handshake::{Handshake, Role};
use crate::message::{Command, Message, UserControl};
use bytes::Bytes;
use std::collections::VecDeque;

/// The window that is asked of the peer, and kept towards it until it asks for another, in bytes.
pub(crate) const WINDOW: u32 = 2_500_000;

/// Most data messages that wait to be taken; more are passed over. Values take more room than their bytes, and an aggregate may
/// have thousands of them.
pub(crate) const MAX_DATA: usize = 16;

/// One connection below the level of commands.
#[derive(Debug)]
pub(crate) struct Link {
    handshake: Option<Handshake>,
    reader: Reader,
    /// Parts of an aggregate message that have not been passed on.
    parts: VecDeque<RawMessage>,
    out: Vec<u8>,
    chunk_size: usize,
    /// Bytes received after the handshake, modulo 2³².
    received: u32,
    acknowledged: u32,
    window: u32,
}

/// A message for the level of commands.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) header: Header,
    pub(crate) message: Message,
}

impl Link {
    pub(crate) fn new(role: Role, seed: u64, limits: Limits) -> Self {
        let mut out = Vec::new();
        let handshake = Handshake::new(role, seed, &mut out);
        Self {
            handshake: Some(handshake),
            reader: Reader::new(limits),
            parts: VecDeque::new(),
            out,
            chunk_size: DEFAULT_CHUNK_SIZE,
            received: 0,
            acknowledged: 0,
            window: WINDOW,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.handshake.is_none()
    }

    pub(crate) const fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    pub(crate) const fn set_limits(&mut self, limits: Limits) {
        self.reader.set_limits(limits);
    }

    /// Memory taken for input that is not complete and output that has not been fetched, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.reader.held_bytes() + self.out.len()
    }

    /// What is to be sent, if anything.
    pub(crate) fn transmit(&mut self) -> Option<Bytes> {
        (!self.out.is_empty()).then(|| std::mem::take(&mut self.out).into())
    }

    /// Takes bytes from the front of `input` up to the end of the handshake or of the next message for the
    /// level of commands. `None` when more input is needed.
    pub(crate) fn receive(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, Error> {
        if let Some(handshake) = &mut self.handshake {
            if !handshake.read(input, &mut self.out)? {
                return Ok(None);
            }
            self.handshake = None;
        }
        loop {
            let raw = match self.parts.pop_front() {
                Some(part) => part,
                None => {
                    let before = input.len();
                    let raw = self.reader.read(input)?;
                    self.count(before - input.len());
                    let Some(raw) = raw else {
                        return Ok(None);
                    };
                    raw
                }
            };
            let header = raw.header;
            if header.message_type == chunk::MessageType::AGGREGATE {
                // An aggregate within an aggregate has no meaning.
                if self.parts.is_empty() {
                    self.parts = aggregate::split(header, &raw.payload)?
                        .into_iter()
                        .filter(|part| part.header.message_type != header.message_type)
                        .collect();
                }
                continue;
            }
            match Message::read(raw) {
                // Metadata that cannot be read is not worth a stream.
                Err(_) if is_data(header) => {}
                message => {
                    if let Some(message) = self.control(message?) {
                        return Ok(Some(Incoming { header, message }));
                    }
                }
            }
        }
    }

    /// Handles what is the connection's own and passes on the rest.
    fn control(&mut self, message: Message) -> Option<Message> {
        match message {
            Message::WindowAckSize(window) => self.window = window,
            Message::UserControl(UserControl::PingRequest(time)) => {
                self.send(0, &Message::UserControl(UserControl::PingResponse(time)));
            }
            // Nothing here sends so much that the peer's view of it would matter: TCP limits both sides.
            Message::Acknowledgement(_) | Message::SetPeerBandwidth { .. } | Message::Other(_) => {}
            message => return Some(message),
        }
        None
    }

    fn count(&mut self, bytes: usize) {
        self.received = self.received.wrapping_add(bytes as u32);
        let due = self.received.wrapping_sub(self.acknowledged);
        // A window of 0 asks for no acknowledgements.
        if self.window > 0 && due >= self.window {
            self.acknowledged = self.received;
            self.send(0, &Message::Acknowledgement(self.received));
        }
    }

    /// Sends `message` at time 0.
    pub(crate) fn send(&mut self, message_stream: u32, message: &Message) {
        // Texts are cut where they come in, so that no message of ours comes near 16 MiB.
        let _ = self.try_send(message_stream, message);
    }

    pub(crate) fn try_send(
        &mut self,
        message_stream: u32,
        message: &Message,
    ) -> Result<(), TooLong> {
        let (message_type, payload) = message.write();
        let header = Header {
            chunk_stream: match message {
                Message::Command(_) => ChunkStreamId::COMMAND,
                Message::Data(_) => ChunkStreamId::DATA,
                Message::Audio(_) => ChunkStreamId::AUDIO,
                Message::Video(_) => ChunkStreamId::VIDEO,
                _ => ChunkStreamId::CONTROL,
            },
            timestamp: 0,
            message_type,
            message_stream,
        };
        chunk::write(&mut self.out, &header, &payload, self.chunk_size)
    }

    pub(crate) fn command(&mut self, message_stream: u32, command: Command) {
        self.send(message_stream, &Message::Command(command));
    }

    pub(crate) fn user_control(&mut self, event: UserControl) {
        self.send(0, &Message::UserControl(event));
    }

    /// Announces and uses a chunk size for what is sent from here on.
    pub(crate) fn set_chunk_size(&mut self, chunk_size: u32) {
        self.send(0, &Message::SetChunkSize(chunk_size));
        self.chunk_size = chunk_size as usize;
    }
}

const fn is_data(header: Header) -> bool {
    matches!(
        header.message_type,
        chunk::MessageType::DATA | chunk::MessageType::DATA_AMF3
    )
}
