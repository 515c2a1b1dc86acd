//! Joining received chunks to messages.
//!
//! Each chunk stream has a message of its own under way, since peers may interleave chunks of several. The
//! two control messages that change the chunk layer itself, Set Chunk Size and Abort, take effect here and
//! are not passed on.

use super::limits::{ChunkError, Limits};
use super::stream::{ChunkStream, basic_id};
use super::{ChunkStreamId, DEFAULT_CHUNK_SIZE, EXTENDED, MessageType, RawMessage};
use crate::wire::Input;
use bytes::Bytes;

/// Longest chunk header: 3 bytes basic, 11 message header, 4 extended timestamp.
const LONGEST_HEADER: usize = 18;

/// Joins chunks to messages. Input may be cut anywhere; each payload byte is copied once.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    chunk_size: usize,
    streams: Vec<ChunkStream>,
    state: State,
    header: [u8; LONGEST_HEADER],
    header_len: usize,
    held: usize,
    /// Whether the peer repeats the extended timestamp in type 3 chunks, as section 5.3.1.3 demands. True
    /// until a chunk shows otherwise.
    repeats_extended: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Gathering `Reader::header`.
    Header,
    /// At what is either a repeated extended timestamp, of which `matched` bytes are as expected, or the
    /// first of the chunk's `left` payload bytes.
    Repeat {
        stream: usize,
        matched: usize,
        left: usize,
    },
    /// In a chunk that has `left` bytes to come.
    Payload { stream: usize, left: usize },
}

impl Reader {
    /// A reader at the start of a connection's chunks, right after the handshake.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: Vec::new(),
            state: State::Header,
            header: [0; LONGEST_HEADER],
            header_len: 0,
            held: 0,
            repeats_extended: true,
        }
    }

    /// Replaces the limits, for what arrives from here on.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Sets the chunk size without a message from the peer; at least 1.
    pub fn set_chunk_size(&mut self, chunk_size: usize) {
        self.chunk_size = chunk_size.max(1);
    }

    /// Memory taken for unfinished messages, in bytes; never more than [`Limits::max_held`].
    pub const fn held_bytes(&self) -> usize {
        self.held
    }

    /// Takes bytes from the front of `input` up to the end of the next message, or all of them if there is
    /// none. After an error the connection cannot be read further.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<RawMessage>, ChunkError> {
        loop {
            match self.state {
                State::Header => {
                    if !self.gather_header(input) {
                        return Ok(None);
                    }
                    self.state = self.begin_chunk()?;
                    self.header_len = 0;
                }
                State::Repeat {
                    stream,
                    matched,
                    left,
                } => {
                    let Some((&byte, rest)) = input.split_first() else {
                        return Ok(None);
                    };
                    let expected = self.expected_extended(stream);
                    // A chunk shorter than four bytes can show only as much as it holds.
                    if expected.get(matched) == Some(&byte) || matched >= left {
                        *input = rest;
                        self.state = if matched == 3 {
                            State::Payload { stream, left }
                        } else {
                            State::Repeat {
                                stream,
                                matched: matched + 1,
                                left,
                            }
                        };
                    } else {
                        self.repeats_extended = false;
                        let seen = expected.get(..matched).unwrap_or_default();
                        self.append(stream, seen)?;
                        self.state = State::Payload {
                            stream,
                            left: left - matched,
                        };
                    }
                }
                State::Payload { stream, left } => {
                    let (part, rest) = input.split_at(left.min(input.len()));
                    *input = rest;
                    self.append(stream, part)?;
                    if part.len() < left {
                        self.state = State::Payload {
                            stream,
                            left: left - part.len(),
                        };
                        return Ok(None);
                    }
                    self.state = State::Header;
                    if let Some(message) = self.finish(stream)? {
                        return Ok(Some(message));
                    }
                }
            }
        }
    }

    /// True once `self.header` holds a whole chunk header.
    fn gather_header(&mut self, input: &mut &[u8]) -> bool {
        loop {
            let missing = self.header_length().saturating_sub(self.header_len);
            if missing == 0 {
                return true;
            }
            if input.is_empty() {
                return false;
            }
            let (part, rest) = input.split_at(missing.min(input.len()));
            let end = self.header_len + part.len();
            if let Some(room) = self.header.get_mut(self.header_len..end) {
                room.copy_from_slice(part);
            }
            self.header_len = end;
            *input = rest;
        }
    }

    /// How long the header is, as far as its gathered bytes tell.
    fn header_length(&self) -> usize {
        let mut input = Input::new(self.header.get(..self.header_len).unwrap_or_default());
        let Some(first) = input.u8() else {
            return 1;
        };
        let basic = match first & 0x3f {
            0 => 2,
            1 => 3,
            _ => 1,
        };
        if self.header_len < basic {
            return basic;
        }
        let format = first >> 6;
        let length = basic + [11, 7, 3, 0].get(usize::from(format)).unwrap_or(&0);
        if self.header_len < length {
            return length;
        }
        let id = basic_id(&mut input, first);
        let extended = match format {
            3 => self
                .find(id)
                .and_then(|index| self.streams.get(index))
                .is_some_and(|stream| stream.extended && stream.partial.is_none()),
            _ => input.u24() == Some(EXTENDED),
        };
        if extended { length + 4 } else { length }
    }

    fn find(&self, id: ChunkStreamId) -> Option<usize> {
        self.streams
            .iter()
            .position(|stream| stream.header.chunk_stream == id)
    }

    /// Takes over the gathered header and says what follows it.
    fn begin_chunk(&mut self) -> Result<State, ChunkError> {
        let header = self.header;
        let mut input = Input::new(header.get(..self.header_len).unwrap_or_default());
        let first = input.u8().unwrap_or(0);
        let format = first >> 6;
        let id = basic_id(&mut input, first);
        let index = match self.find(id) {
            Some(index) => index,
            None => self.add(id, format)?,
        };
        let Some(stream) = self.streams.get_mut(index) else {
            return Ok(State::Header);
        };
        if let Some(partial) = &stream.partial {
            if format != 3 {
                return Err(ChunkError::HeaderWithinMessage {
                    chunk_stream: id.get(),
                    format,
                    missing: stream.length.saturating_sub(partial.len()),
                });
            }
        } else {
            stream.begin_message(format, &mut input);
            if stream.length > self.limits.max_message {
                return Err(ChunkError::MessageTooLong {
                    chunk_stream: id.get(),
                    length: stream.length,
                    limit: self.limits.max_message,
                });
            }
        }
        let resumed = stream.partial.is_some();
        let partial = stream.partial.get_or_insert_default();
        let left = self
            .chunk_size
            .min(stream.length.saturating_sub(partial.len()));
        Ok(if resumed && stream.extended && self.repeats_extended {
            State::Repeat {
                stream: index,
                matched: 0,
                left,
            }
        } else {
            State::Payload {
                stream: index,
                left,
            }
        })
    }

    fn add(&mut self, id: ChunkStreamId, format: u8) -> Result<usize, ChunkError> {
        // Section 5.3.1.2.1 demands a type 0 header here, but encoders are known to begin with type 1,
        // which lacks only the message stream.
        if format > 1 {
            return Err(ChunkError::NoHeader {
                chunk_stream: id.get(),
                format,
            });
        }
        let limit = self.limits.max_chunk_streams;
        if self.streams.len() >= limit {
            return Err(ChunkError::TooManyChunkStreams { limit });
        }
        self.streams.push(ChunkStream::new(id));
        Ok(self.streams.len() - 1)
    }

    fn expected_extended(&self, stream: usize) -> [u8; 4] {
        let step = self.streams.get(stream).map_or(0, |stream| stream.step);
        step.to_be_bytes()
    }

    /// Copies `part` to the message under way on `stream`.
    fn append(&mut self, stream: usize, part: &[u8]) -> Result<(), ChunkError> {
        let Some(stream) = self.streams.get_mut(stream) else {
            return Ok(());
        };
        let capacity = stream.capacity_for(part.len());
        let Some(partial) = &mut stream.partial else {
            return Ok(());
        };
        let before = partial.capacity();
        if capacity > before {
            let limit = self.limits.max_held;
            let held = self.held.saturating_sub(before);
            if held.saturating_add(capacity) > limit {
                return Err(ChunkError::TooMuchHeld { limit });
            }
            partial.reserve_exact(capacity.saturating_sub(partial.len()));
            self.held = held + partial.capacity();
        }
        partial.extend_from_slice(part);
        Ok(())
    }

    /// The message of `stream` if this chunk was its last, and if it is not for the chunk layer itself.
    fn finish(&mut self, stream: usize) -> Result<Option<RawMessage>, ChunkError> {
        let Some(stream) = self.streams.get_mut(stream) else {
            return Ok(None);
        };
        let Some(payload) = stream
            .partial
            .take_if(|partial| partial.len() >= stream.length)
        else {
            return Ok(None);
        };
        self.held = self.held.saturating_sub(payload.capacity());
        let header = stream.header;
        match header.message_type {
            MessageType::SET_CHUNK_SIZE => {
                let size = control_value(header.message_type, &payload)?;
                if !(1..=0x7fff_ffff).contains(&size) {
                    return Err(ChunkError::ChunkSize { size });
                }
                self.chunk_size = size as usize;
                Ok(None)
            }
            MessageType::ABORT => {
                let id = control_value(header.message_type, &payload)?;
                self.abort(id);
                Ok(None)
            }
            _ => Ok(Some(RawMessage {
                header,
                payload: Bytes::from(payload),
            })),
        }
    }

    fn abort(&mut self, id: u32) {
        let aborted = self
            .streams
            .iter_mut()
            .find(|stream| stream.header.chunk_stream.get() == id)
            .and_then(|stream| stream.partial.take());
        if let Some(partial) = aborted {
            self.held = self.held.saturating_sub(partial.capacity());
        }
    }
}

fn control_value(message_type: MessageType, payload: &[u8]) -> Result<u32, ChunkError> {
    Input::new(payload).u32().ok_or(ChunkError::ControlLength {
        message_type: message_type.0,
        length: payload.len(),
    })
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
