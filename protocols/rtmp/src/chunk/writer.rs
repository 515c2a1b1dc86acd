//! Cutting a message into chunks: the headers, and the copying form for small messages.
//!
//! Every message starts with a full (type 0) header and goes on with type 3. Compressed headers would save
//! up to 11 bytes of a message, but make it depend on the one before: it could be neither shared by players
//! that joined at different times nor left out for a slow one.

use super::{EXTENDED, Header, MAX_MESSAGE_LENGTH};
use crate::wire::u24_bytes;

/// A message longer than the 24-bit length field can express.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {length} bytes is longer than the {MAX_MESSAGE_LENGTH} that RTMP can carry")]
pub struct TooLong {
    /// Its length in bytes.
    pub length: usize,
}

/// Appends the chunks of a message to `out`. A `chunk_size` of 0 counts as 1.
pub fn write(
    out: &mut Vec<u8>,
    header: &Header,
    payload: &[u8],
    chunk_size: usize,
) -> Result<(), TooLong> {
    start(out, header, payload.len())?;
    let mut chunks = payload.chunks(chunk_size.max(1));
    out.extend_from_slice(chunks.next().unwrap_or_default());
    for chunk in chunks {
        resume(out, header);
        out.extend_from_slice(chunk);
    }
    Ok(())
}

/// Appends the type 0 header of a message of `length` bytes (section 5.3.1.2.1).
pub(super) fn start(out: &mut Vec<u8>, header: &Header, length: usize) -> Result<(), TooLong> {
    let wire_length = match u32::try_from(length) {
        Ok(wire_length) if length <= MAX_MESSAGE_LENGTH => wire_length,
        _ => return Err(TooLong { length }),
    };
    basic(out, 0, header);
    out.extend_from_slice(&u24_bytes(header.timestamp.min(EXTENDED)));
    out.extend_from_slice(&u24_bytes(wire_length));
    out.push(header.message_type.0);
    out.extend_from_slice(&header.message_stream.to_le_bytes());
    extended(out, header);
    Ok(())
}

/// Appends the type 3 header of a message's further chunk (section 5.3.1.2.4).
pub(super) fn resume(out: &mut Vec<u8>, header: &Header) {
    basic(out, 3, header);
    extended(out, header);
}

/// The basic header (section 5.3.1.1) in the shortest form that holds the chunk stream's id.
fn basic(out: &mut Vec<u8>, format: u8, header: &Header) {
    let format = format << 6;
    match header.chunk_stream.get() {
        id @ ..64 => out.push(format | id as u8),
        id @ 64..320 => out.extend_from_slice(&[format, (id - 64) as u8]),
        id => {
            let [high, low] = ((id - 64) as u16).to_be_bytes();
            out.extend_from_slice(&[format | 1, low, high]);
        }
    }
}

fn extended(out: &mut Vec<u8>, header: &Header) {
    if header.timestamp >= EXTENDED {
        out.extend_from_slice(&header.timestamp.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ChunkStreamId, MessageType};
    use super::*;

    fn header(chunk_stream: u32, timestamp: u32) -> Header {
        Header {
            chunk_stream: ChunkStreamId::new(chunk_stream).unwrap(),
            timestamp,
            message_type: MessageType::VIDEO,
            message_stream: 0x0403_0201,
        }
    }

    fn written(header: &Header, payload: &[u8], chunk_size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, header, payload, chunk_size).unwrap();
        out
    }

    #[test]
    fn headers_are_those_of_the_standard() {
        let cases: [(u32, u32, &[u8]); 6] = [
            (2, 1, &[2, 0, 0, 1]),
            (63, 0, &[63, 0, 0, 0]),
            (64, 0, &[0, 0, 0, 0, 0]),
            (319, 0, &[0, 255, 0, 0, 0]),
            (320, 0, &[1, 0, 1, 0, 0, 0]),
            (65_599, 0, &[1, 255, 255, 0, 0, 0]),
        ];
        for (id, timestamp, start) in cases {
            let mut expected = start.to_vec();
            expected.extend_from_slice(&[0, 0, 1, 9, 1, 2, 3, 4, 0xaa]);
            assert_eq!(written(&header(id, timestamp), &[0xaa], 128), expected);
        }
    }

    #[test]
    fn extended_timestamps_stand_in_every_chunk() {
        let bytes = written(&header(6, 0xff_ffff), &[1, 2, 3], 2);
        let expected = [
            6, 0xff, 0xff, 0xff, 0, 0, 3, 9, 1, 2, 3, 4, 0, 0xff, 0xff, 0xff, 1, 2, // first
            0xc6, 0, 0xff, 0xff, 0xff, 3, // second
        ];
        assert_eq!(bytes, expected);
        assert_eq!(written(&header(6, 0xff_fffe), &[1, 2, 3], 2).len(), 16);
    }

    #[test]
    fn what_the_length_field_cannot_hold_is_refused() {
        let mut out = Vec::new();
        let payload = vec![0; MAX_MESSAGE_LENGTH + 1];
        let length = payload.len();
        assert_eq!(
            write(&mut out, &header(2, 0), &payload, 65_536),
            Err(TooLong { length })
        );
        assert!(out.is_empty());
    }
}
