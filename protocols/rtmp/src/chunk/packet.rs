//! One message, ready to send to any number of receivers.

use super::Header;
use super::writer::{TooLong, resume, start};
use bytes::Bytes;
use smallvec::SmallVec;

/// The wire form of one message, as slices for a vectored write. Cloning it copies no payload.
#[derive(Clone, Debug)]
pub struct Packet {
    slices: SmallVec<[Bytes; 4]>,
    len: usize,
}

impl Packet {
    /// The bytes to send, in order.
    pub fn slices(&self) -> &[Bytes] {
        &self.slices
    }

    /// How many bytes that is, chunk headers included.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// False: a packet has at least a header.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, slice: Bytes) {
        self.len += slice.len();
        self.slices.push(slice);
    }
}

/// Cuts a message into chunks of `chunk_size` (0 counts as 1) without copying `payload`.
///
/// The message is `prefix` (such as the first bytes of an FLV tag's body) followed by `payload`. The packet
/// depends on nothing that was sent before, so that every player of a stream with the same chunk size and
/// message stream can share it. All its headers share one small buffer.
pub fn packet(
    header: &Header,
    prefix: &[u8],
    payload: &Bytes,
    chunk_size: usize,
) -> Result<Packet, TooLong> {
    let chunk_size = chunk_size.max(1);
    // Type 0 header (3 + 11 + 4 bytes at most), the prefix, and the type 3 header (3 + 4) that all further
    // chunks share.
    let mut head = Vec::with_capacity(18 + prefix.len() + 7);
    start(
        &mut head,
        header,
        prefix.len().saturating_add(payload.len()),
    )?;
    let mut room = chunk_size;
    for (index, part) in prefix.chunks(chunk_size).enumerate() {
        if index > 0 {
            resume(&mut head, header);
        }
        head.extend_from_slice(part);
        room = chunk_size - part.len();
    }
    let head_length = head.len();
    resume(&mut head, header);
    let mut head = Bytes::from(head);
    let continuation = head.split_off(head_length);

    let mut packet = Packet {
        slices: SmallVec::new(),
        len: 0,
    };
    packet.push(head);
    let mut rest = payload.clone();
    while !rest.is_empty() {
        if room == 0 {
            packet.push(continuation.clone());
            room = chunk_size;
        }
        let part = rest.split_to(room.min(rest.len()));
        room -= part.len();
        packet.push(part);
    }
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use super::super::{ChunkStreamId, Limits, MessageType, Reader, write};
    use super::*;
    use rml_rtmp::chunk_io::ChunkDeserializer;

    const TIMESTAMPS: [u32; 7] = [
        0,
        1,
        0xff_fffe,
        0xff_ffff,
        0x100_0000,
        0xffff_fffe,
        0xffff_ffff,
    ];

    fn header(timestamp: u32) -> Header {
        Header {
            chunk_stream: ChunkStreamId::VIDEO,
            timestamp,
            message_type: MessageType::VIDEO,
            message_stream: 1,
        }
    }

    fn joined(packet: &Packet) -> Vec<u8> {
        let bytes = packet.slices().concat();
        assert_eq!(bytes.len(), packet.len());
        bytes
    }

    /// Payload lengths such that prefix and payload end before, at and after the ends of chunks.
    fn lengths(chunk_size: usize) -> impl Iterator<Item = usize> {
        (0..=3).flat_map(move |chunks| {
            (0..12).filter_map(move |off| (chunks * chunk_size + off).checked_sub(6))
        })
    }

    #[test]
    fn a_packet_is_what_the_copying_writer_makes_and_the_reader_joins() {
        for chunk_size in [1, 3, 5, 6, 128, 4_096] {
            for length in lengths(chunk_size) {
                for timestamp in TIMESTAMPS {
                    let header = header(timestamp);
                    let prefix = [0x17, 1, 0, 0, 40];
                    let payload: Bytes = (0..length).map(|i| i as u8).collect();
                    let whole = [&prefix[..], &payload].concat();
                    let packet = packet(&header, &prefix, &payload, chunk_size).unwrap();
                    let bytes = joined(&packet);

                    let mut copied = Vec::new();
                    write(&mut copied, &header, &whole, chunk_size).unwrap();
                    assert_eq!(bytes, copied);

                    let mut reader = Reader::new(Limits::default());
                    reader.set_chunk_size(chunk_size);
                    let mut input = &bytes[..];
                    let message = reader.read(&mut input).unwrap().unwrap();
                    assert!(input.is_empty());
                    assert_eq!(message.header, header);
                    assert_eq!(message.payload, whole);
                }
            }
        }
    }

    #[test]
    fn another_implementation_joins_it_too() {
        for chunk_size in [6, 128, 65_536] {
            for length in lengths(chunk_size) {
                for timestamp in TIMESTAMPS {
                    let payload: Bytes = (0..length).map(|i| i as u8).collect();
                    let prefix = [0x27, 1, 0, 0, 0];
                    let packet = packet(&header(timestamp), &prefix, &payload, chunk_size).unwrap();
                    let mut peer = ChunkDeserializer::new();
                    peer.set_max_chunk_size(chunk_size).unwrap();
                    let message = peer.get_next_message(&joined(&packet)).unwrap().unwrap();
                    assert_eq!(message.timestamp.value, timestamp);
                    assert_eq!(message.type_id, 9);
                    assert_eq!(message.message_stream_id, 1);
                    assert_eq!(message.data, [&prefix[..], &payload].concat());
                }
            }
        }
    }

    #[test]
    fn the_payload_is_shared() {
        let payload = Bytes::from(vec![7; 100_000]);
        let packet = packet(&header(0), &[1, 2, 3, 4, 5], &payload, 65_536).unwrap();
        let [_, first, _, second] = packet.slices() else {
            panic!("{}", packet.slices().len());
        };
        assert_eq!(first.as_ptr(), payload.as_ptr());
        assert_eq!(second.as_ptr(), payload[65_531..].as_ptr());
    }

    #[test]
    fn what_the_length_field_cannot_hold_is_refused() {
        let payload = Bytes::from(vec![0; 0xff_ffff]);
        assert!(packet(&header(0), &[], &payload, 65_536).is_ok());
        assert!(packet(&header(0), &[0], &payload, 65_536).is_err());
    }
}
