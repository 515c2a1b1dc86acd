//! Aggregate messages (section 7.1.6): several audio, video and data messages in the form of FLV tags.

use crate::chunk::{Header, MessageType, RawMessage};
use crate::wire::Input;
use bytes::Bytes;

/// How many parts an aggregate may have.
pub const MAX_PARTS: usize = 4_096;

/// Why an aggregate message cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AggregateError {
    /// It ends within one of its parts.
    #[error("aggregate message ends within the part at byte {offset}")]
    Truncated {
        /// Where the part begins.
        offset: usize,
    },
    /// More than [`MAX_PARTS`] parts.
    #[error("aggregate message has more than {MAX_PARTS} parts")]
    TooMany,
}

/// Takes an aggregate message apart. The parts have its chunk stream; their times are moved so
/// that the first has the time of the aggregate, and their message stream is that of the aggregate.
pub fn split(header: Header, payload: &Bytes) -> Result<Vec<RawMessage>, AggregateError> {
    let mut parts = Vec::new();
    let mut first_time = None;
    let mut input = Input::new(payload);
    while !input.is_empty() {
        let offset = input.position();
        let (message_type, time, body) =
            part(&mut input).ok_or(AggregateError::Truncated { offset })?;
        if parts.len() >= MAX_PARTS {
            return Err(AggregateError::TooMany);
        }
        let first = *first_time.get_or_insert(time);
        parts.push(RawMessage {
            header: Header {
                timestamp: header.timestamp.wrapping_add(time.wrapping_sub(first)),
                message_type,
                ..header
            },
            // A copy: one part that is kept must not keep the others, which may be megabytes of nothing.
            payload: Bytes::copy_from_slice(body),
        });
    }
    Ok(parts)
}

/// The type, time and body of the next part. The size that follows each part is not needed, and some senders
/// leave the last one out.
fn part<'a>(input: &mut Input<'a>) -> Option<(MessageType, u32, &'a [u8])> {
    let message_type = MessageType(input.u8()?);
    let length = input.u24()?;
    let low = input.u24()?;
    let high = u32::from(input.u8()?);
    input.u24()?;
    let body = input.take(length as usize)?;
    if !input.is_empty() {
        input.u32()?;
    }
    Some((message_type, high << 24 | low, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::ChunkStreamId;

    const HEADER: Header = Header {
        chunk_stream: ChunkStreamId::VIDEO,
        timestamp: 0xffff_fff0,
        message_type: MessageType::AGGREGATE,
        message_stream: 1,
    };

    const BYTES: [u8; 32] = [
        9, 0, 0, 2, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 0xb0, 0xb1, 0, 0, 0,
        13, // video at 0xfffffe
        8, 0, 0, 0, 0, 0, 0x20, 1, 0, 0, 0, 0, 0, 0, 11, // audio at 0x1000020
    ];

    #[test]
    fn parts_get_the_time_of_the_whole() {
        let parts = split(HEADER, &Bytes::from_static(&BYTES)).unwrap();
        let found: Vec<_> = parts
            .iter()
            .map(|part| {
                (
                    part.header.message_type.0,
                    part.header.timestamp,
                    &part.payload[..],
                )
            })
            .collect();
        let expected: [(u8, u32, &[u8]); 2] = [(9, 0xffff_fff0, &[0xb0, 0xb1]), (8, 0x12, &[])];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_part_that_is_kept_keeps_no_other() {
        let whole = Bytes::from(BYTES.to_vec());
        let parts = split(HEADER, &whole).unwrap();
        assert!(!whole.as_ptr_range().contains(&parts[0].payload.as_ptr()));
    }

    #[test]
    fn the_number_of_parts_is_bounded() {
        let parts = |count| split(HEADER, &Bytes::from(BYTES[17..].repeat(count)));
        assert_eq!(parts(MAX_PARTS).unwrap().len(), MAX_PARTS);
        assert_eq!(parts(MAX_PARTS + 1), Err(AggregateError::TooMany));
    }

    #[test]
    fn only_the_last_size_may_be_missing() {
        for length in 0..BYTES.len() {
            let result = split(HEADER, &Bytes::from_static(&BYTES[..length]));
            assert_eq!(
                result.is_ok(),
                matches!(length, 0 | 13 | 17 | 28),
                "{length}"
            );
        }
    }
}
