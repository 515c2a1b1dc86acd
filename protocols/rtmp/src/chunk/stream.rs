//! The state that each chunk stream keeps between its chunks.

use super::{ChunkStreamId, EXTENDED, Header, MessageType};
use crate::wire::Input;

/// Messages up to this length get their memory at once; longer ones as their bytes arrive.
pub(super) const EAGER: usize = 256 * 1024;

/// A chunk stream and the message that is under way on it.
#[derive(Debug)]
pub(super) struct ChunkStream {
    /// Of the message under way, or else of the last one.
    pub(super) header: Header,
    /// The last timestamp field: an absolute time after a type 0 header, otherwise a difference.
    pub(super) step: u32,
    /// Whether `step` stood in the extended field.
    pub(super) extended: bool,
    pub(super) length: usize,
    pub(super) partial: Option<Vec<u8>>,
}

impl ChunkStream {
    /// Nothing has been received on `id`.
    pub(super) const fn new(id: ChunkStreamId) -> Self {
        Self {
            header: Header {
                chunk_stream: id,
                timestamp: 0,
                message_type: MessageType(0),
                message_stream: 0,
            },
            step: 0,
            extended: false,
            length: 0,
            partial: None,
        }
    }

    /// Reads the message header of `format` that `input` is at (section 5.3.1.2). All fields are there.
    pub(super) fn begin_message(&mut self, format: u8, input: &mut Input<'_>) {
        let mut field = self.step;
        if format < 3 {
            field = input.u24().unwrap_or(0);
            self.extended = field == EXTENDED;
        }
        if format < 2 {
            self.length = input.u24().unwrap_or(0) as usize;
            self.header.message_type = MessageType(input.u8().unwrap_or(0));
        }
        if format == 0 {
            self.header.message_stream = input.array().map_or(0, u32::from_le_bytes);
        }
        if self.extended {
            field = input.u32().unwrap_or(field);
        }
        self.step = field;
        // After a type 0 header, a type 3 header repeats the absolute time as a difference (5.3.1.2.4).
        self.header.timestamp = match format {
            0 => field,
            _ => self.header.timestamp.wrapping_add(field),
        };
    }

    /// Memory to have before `more` bytes of the message are added: all of it at once if the message is
    /// small, otherwise in doubling steps that end at exactly its length.
    pub(super) fn capacity_for(&self, more: usize) -> usize {
        let (length, capacity) = self
            .partial
            .as_ref()
            .map_or((0, 0), |partial| (partial.len(), partial.capacity()));
        let needed = length.saturating_add(more);
        if needed <= capacity {
            return capacity;
        }
        needed
            .max(EAGER)
            .max(capacity.saturating_mul(2))
            .min(self.length)
    }
}

/// The chunk stream id of a basic header whose first byte has been read (section 5.3.1.1).
pub(super) fn basic_id(input: &mut Input<'_>, first: u8) -> ChunkStreamId {
    ChunkStreamId(match first & 0x3f {
        0 => 64 + u32::from(input.u8().unwrap_or(0)),
        1 => 64 + u32::from(input.array().map_or(0, u16::from_le_bytes)),
        id => u32::from(id),
    })
}
