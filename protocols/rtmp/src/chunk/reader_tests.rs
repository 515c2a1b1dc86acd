//! Tests of the chunk reader: header forms, interleaving, hostile input, memory.

use super::*;
use crate::chunk::stream::EAGER;
use crate::chunk::{Header, write};
use proptest::prelude::*;

fn header(id: u32, timestamp: u32, message_type: u8) -> Header {
    Header {
        chunk_stream: ChunkStreamId::new(id).unwrap(),
        timestamp,
        message_type: MessageType(message_type),
        message_stream: 1,
    }
}

/// The message type, timestamp and payload of all messages in `bytes`.
fn read(bytes: &[u8]) -> Result<Vec<(u8, u32, Vec<u8>)>, ChunkError> {
    read_with(&mut Reader::new(Limits::default()), bytes)
}

fn read_with(reader: &mut Reader, mut bytes: &[u8]) -> Result<Vec<(u8, u32, Vec<u8>)>, ChunkError> {
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut bytes)? {
        let header = message.header;
        messages.push((
            header.message_type.0,
            header.timestamp,
            message.payload.to_vec(),
        ));
    }
    assert!(bytes.is_empty());
    Ok(messages)
}

#[test]
fn each_header_type_adds_to_the_one_before() {
    let bytes = [
        &[4, 0, 0, 10, 0, 0, 1, 8, 1, 0, 0, 0, 0xa0][..], // type 0: time 10
        &[0x44, 0, 0, 5, 0, 0, 2, 9, 0xa1, 0xa2],         // type 1: +5
        &[0x84, 0, 0, 7, 0xa3, 0xa4],                     // type 2: +7
        &[0xc4, 0xa5, 0xa6],                              // type 3: +7 again
    ]
    .concat();
    let expected = vec![
        (8, 10, vec![0xa0]),
        (9, 15, vec![0xa1, 0xa2]),
        (9, 22, vec![0xa3, 0xa4]),
        (9, 29, vec![0xa5, 0xa6]),
    ];
    assert_eq!(read(&bytes), Ok(expected));
}

#[test]
fn chunk_stream_ids_have_three_forms() {
    let cases: [(&[u8], u32); 7] = [
        (&[2], 2),
        (&[63], 63),
        (&[0, 0], 64),
        (&[0, 255], 319),
        (&[1, 0, 0], 64),
        (&[1, 0, 1], 320),
        (&[1, 255, 255], 65_599),
    ];
    for (basic, id) in cases {
        let bytes = [basic, &[0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]].concat();
        let mut reader = Reader::new(Limits::default());
        let message = reader.read(&mut &bytes[..]).unwrap().unwrap();
        assert_eq!(message.header.chunk_stream.get(), id);
    }
}

#[test]
fn type_3_after_type_0_adds_its_time() {
    let bytes = [4, 0, 0, 10, 0, 0, 1, 8, 1, 0, 0, 0, 0xa0, 0xc4, 0xa1];
    let expected = vec![(8, 10, vec![0xa0]), (8, 20, vec![0xa1])];
    assert_eq!(read(&bytes), Ok(expected));
}

#[test]
fn time_wraps() {
    let bytes = [
        &[4, 0xff, 0xff, 0xff, 0, 0, 1, 8, 1, 0, 0, 0][..],
        &[0xff, 0xff, 0xff, 0xf0, 0xa0],
        &[0x84, 0, 0, 0x20, 0xa1],
    ]
    .concat();
    let expected = vec![(8, 0xffff_fff0, vec![0xa0]), (8, 0x10, vec![0xa1])];
    assert_eq!(read(&bytes), Ok(expected));
}

#[test]
fn a_chunk_stream_may_begin_with_type_1_only() {
    let bytes = [0x44, 0, 0, 5, 0, 0, 1, 8, 0xa0];
    assert_eq!(read(&bytes), Ok(vec![(8, 5, vec![0xa0])]));
    for (byte, format) in [(0x84, 2), (0xc4, 3)] {
        let error = ChunkError::NoHeader {
            chunk_stream: 4,
            format,
        };
        assert_eq!(read(&[byte, 0, 0, 0]), Err(error));
    }
}

#[test]
fn messages_of_several_chunk_streams_interleave() {
    let (mut video, mut audio) = (Vec::new(), Vec::new());
    write(&mut video, &header(4, 40, 9), &[0xbb; 300], 128).unwrap();
    write(&mut audio, &header(5, 41, 8), &[0xaa; 200], 128).unwrap();
    let bytes = [
        &video[..140],
        &audio[..140],
        &video[140..269],
        &audio[140..],
        &video[269..],
    ]
    .concat();
    let expected = vec![(8, 41, vec![0xaa; 200]), (9, 40, vec![0xbb; 300])];
    assert_eq!(read(&bytes), Ok(expected));
}

/// Peers that leave the extended timestamp out of type 3 chunks are understood, whatever their payload.
#[test]
fn extended_timestamps_may_be_missing_in_further_chunks() {
    for time in [0xff_ffff_u32, 0x0102_0304] {
        let stamp = time.to_be_bytes();
        for length in 129..=140 {
            for alike in 0..4 {
                let mut payload = vec![0xee; length];
                // The continuation starts like the timestamp would.
                let end = (128 + alike).min(length - 1);
                payload[128..end].copy_from_slice(&stamp[..end - 128]);
                let mut bytes = vec![6, 0xff, 0xff, 0xff, 0, 0, length as u8, 9, 1, 0, 0, 0];
                bytes.extend_from_slice(&stamp);
                bytes.extend_from_slice(&payload[..128]);
                bytes.push(0xc6);
                bytes.extend_from_slice(&payload[128..]);
                bytes.extend_from_slice(&[4, 0, 0, 1, 0, 0, 1, 8, 1, 0, 0, 0, 0xa0]);
                let expected = vec![(9, time, payload), (8, 1, vec![0xa0])];
                assert_eq!(read(&bytes), Ok(expected), "length {length} alike {alike}");
            }
        }
    }
}

#[test]
fn an_extended_difference_is_added() {
    let bytes = [
        &[4, 0, 0, 10, 0, 0, 1, 8, 1, 0, 0, 0, 0xa0][..],
        &[0x84, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xa1],
        &[0xc4, 1, 0, 0, 0, 0xa2],
    ]
    .concat();
    let expected = vec![
        (8, 10, vec![0xa0]),
        (8, 0x0100_000a, vec![0xa1]),
        (8, 0x0200_000a, vec![0xa2]),
    ];
    assert_eq!(read(&bytes), Ok(expected));
}

#[test]
fn chunk_size_changes_and_bounds() {
    let set = |size: u32| {
        let mut bytes = Vec::new();
        write(&mut bytes, &header(2, 0, 1), &size.to_be_bytes(), 128).unwrap();
        bytes
    };
    let mut bytes = set(1_000);
    write(&mut bytes, &header(4, 0, 9), &[1; 3_000], 1_000).unwrap();
    assert_eq!(read(&bytes), Ok(vec![(9, 0, vec![1; 3_000])]));
    let mut bytes = set(0x7fff_ffff);
    write(&mut bytes, &header(4, 0, 9), &[1; 3_000], 9_999).unwrap();
    assert_eq!(read(&bytes), Ok(vec![(9, 0, vec![1; 3_000])]));
    for size in [0, 0x8000_0000] {
        assert_eq!(read(&set(size)), Err(ChunkError::ChunkSize { size }));
    }
    let mut short = Vec::new();
    write(&mut short, &header(2, 0, 1), &[0, 0], 128).unwrap();
    let error = ChunkError::ControlLength {
        message_type: 1,
        length: 2,
    };
    assert_eq!(read(&short), Err(error));
}

#[test]
fn an_aborted_message_is_forgotten() {
    let mut bytes = Vec::new();
    write(&mut bytes, &header(4, 0, 9), &[1; 300], 128).unwrap();
    bytes.truncate(140);
    let mut reader = Reader::new(Limits::default());
    assert_eq!(read_with(&mut reader, &bytes), Ok(vec![]));
    assert_eq!(reader.held_bytes(), 300);

    bytes.clear();
    write(&mut bytes, &header(2, 0, 2), &4u32.to_be_bytes(), 128).unwrap();
    assert_eq!(read_with(&mut reader, &bytes), Ok(vec![]));
    assert_eq!(reader.held_bytes(), 0);

    bytes.clear();
    write(&mut bytes, &header(4, 0, 9), &[2; 10], 128).unwrap();
    assert_eq!(
        read_with(&mut reader, &bytes),
        Ok(vec![(9, 0, vec![2; 10])])
    );
}

#[test]
fn a_header_within_a_message_is_refused() {
    let mut bytes = Vec::new();
    write(&mut bytes, &header(4, 0, 9), &[1; 300], 128).unwrap();
    bytes.truncate(140);
    bytes.extend_from_slice(&[4, 0, 0, 0, 0, 0, 1, 9, 1, 0, 0, 0, 1]);
    let error = ChunkError::HeaderWithinMessage {
        chunk_stream: 4,
        format: 0,
        missing: 172,
    };
    assert_eq!(read(&bytes), Err(error));
}

#[test]
fn a_message_of_16_mib_is_refused_before_it_costs_memory() {
    let bytes = [4, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0];
    let mut reader = Reader::new(Limits::default());
    let error = read_with(&mut reader, &bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "message of 16777215 bytes on chunk stream 4 is longer than the 8388608 accepted"
    );
    assert_eq!(reader.held_bytes(), 0);
}

#[test]
fn all_65598_chunk_streams_are_refused_at_the_65th() {
    let mut reader = Reader::new(Limits::default());
    for id in 2..=65_599 {
        let mut bytes = Vec::new();
        write(&mut bytes, &header(id, 0, 8), &[1], 128).unwrap();
        match read_with(&mut reader, &bytes) {
            Ok(messages) => assert_eq!(messages.len(), 1),
            Err(error) => {
                assert_eq!(error, ChunkError::TooManyChunkStreams { limit: 64 });
                assert_eq!(id, 66);
                return;
            }
        }
    }
    panic!("never refused");
}

#[test]
fn unfinished_messages_are_bounded_together() {
    let limits = Limits::default();
    let mut reader = Reader::new(limits);
    reader.set_chunk_size(1 << 20);
    for id in 4..60 {
        let mut bytes = Vec::new();
        write(&mut bytes, &header(id, 0, 9), &vec![1; 4 << 20], 1 << 20).unwrap();
        bytes.truncate(12 + (1 << 20));
        let result = read_with(&mut reader, &bytes);
        assert!(reader.held_bytes() <= limits.max_held);
        if let Err(error) = result {
            let limit = limits.max_held;
            assert_eq!(error, ChunkError::TooMuchHeld { limit });
            assert!(reader.held_bytes() > limit / 2, "{}", reader.held_bytes());
            return;
        }
    }
    panic!("never refused");
}

#[test]
fn memory_follows_the_bytes_that_arrive() {
    let mut reader = Reader::new(Limits::default());
    let mut bytes = Vec::new();
    let payload = vec![1; 5_000_000];
    write(&mut bytes, &header(4, 0, 9), &payload, 128).unwrap();
    let (mut arrived, mut message) = (0, None);
    for part in bytes.chunks(1_000) {
        arrived += part.len();
        let mut input = part;
        message = reader.read(&mut input).unwrap();
        assert!(reader.held_bytes() <= EAGER.max(2 * arrived));
    }
    assert_eq!(message.unwrap().payload, payload);
    assert_eq!(reader.held_bytes(), 0);
}

#[test]
fn payloads_take_exactly_their_size() {
    for length in [1, 1_000, EAGER, EAGER + 1, 3 * EAGER + 7] {
        let mut bytes = Vec::new();
        write(&mut bytes, &header(4, 0, 9), &vec![1; length], 128).unwrap();
        let mut reader = Reader::new(Limits::default());
        let message = reader.read(&mut &bytes[..]).unwrap().unwrap();
        let unique = message.payload.try_into_mut().unwrap();
        assert_eq!((unique.len(), unique.capacity()), (length, length));
    }
}

#[test]
fn empty_messages_are_messages() {
    let bytes = [4, 0, 0, 1, 0, 0, 0, 9, 1, 0, 0, 0, 0xc4];
    assert_eq!(read(&bytes), Ok(vec![(9, 1, vec![]), (9, 2, vec![])]));
}

proptest! {
    #[test]
    fn where_input_is_cut_makes_no_difference(
        messages in prop::collection::vec((2u32..400, any::<u32>(), 0usize..700), 1..8),
        cuts in prop::collection::vec(1usize..50, 1..20),
    ) {
        let mut bytes = Vec::new();
        for &(id, timestamp, length) in &messages {
            write(&mut bytes, &header(id, timestamp, 9), &vec![id as u8; length], 128).unwrap();
        }
        let whole = read(&bytes).unwrap();
        prop_assert_eq!(whole.len(), messages.len());
        let mut reader = Reader::new(Limits::default());
        let (mut rest, mut cut, mut found) = (&bytes[..], cuts.iter().cycle(), Vec::new());
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(*cut.next().unwrap()));
            found.extend(read_with(&mut reader, part).unwrap());
            rest = after;
        }
        prop_assert_eq!(found, whole);
    }

    #[test]
    fn random_bytes_stay_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut reader = Reader::new(Limits::default());
        let _ = read_with(&mut reader, &bytes);
        prop_assert!(reader.held_bytes() <= Limits::default().max_held);
    }
}
