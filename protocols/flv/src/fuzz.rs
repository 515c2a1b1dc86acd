//! Entry points for fuzzing, with the seeds they start from. Not part of the crate's interface.

#![expect(clippy::expect_used, reason = "a broken invariant has to end the run")]

use crate::demuxer::{AUDIO, Demuxer, Event, VIDEO};
use crate::file::{self, Reader, Tag, TagKind};
use crate::{multitrack, muxer};
use bytes::Bytes;
use media::{Kind, Track};

/// A video body with an AVCDecoderConfigurationRecord: Constrained Baseline, 640x360.
pub const AVC_SEQUENCE_HEADER: &[u8] = &[
    0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 10, 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00,
    0xa0, 0x2f, 0xf9, 0x50, 1, 0, 6, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0,
];
/// The same with 2-byte NAL unit lengths.
pub const AVC_SEQUENCE_HEADER_SHORT_LENGTHS: &[u8] = &[
    0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x1e, 0xfd, 0xe1, 0, 10, 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00,
    0xa0, 0x2f, 0xf9, 0x50, 1, 0, 6, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0,
];

/// An HEVCDecoderConfigurationRecord: Main, 1280x720, as x265 writes it.
pub const HEVC_RECORD: &[u8] = &[
    0x01, 0x01, 0x60, 0x00, 0x00, 0x00, 0x90, 0x00, 0x00, 0x00, 0x00, 0x00, 0x5d, 0xf0, 0x00, 0xfc,
    0xfd, 0xf8, 0xf8, 0x00, 0x00, 0x0f, 0x03, 0xa0, 0x00, 0x01, 0x00, 0x18, 0x40, 0x01, 0x0c, 0x01,
    0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00,
    0x5d, 0x95, 0x98, 0x09, 0xa1, 0x00, 0x01, 0x00, 0x2b, 0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00,
    0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x5d, 0xa0, 0x02, 0x80, 0x80, 0x2d,
    0x16, 0x59, 0x59, 0xa4, 0x93, 0x2b, 0xc0, 0x5a, 0x02, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00,
    0x03, 0x00, 0x3c, 0x10, 0xa2, 0x00, 0x01, 0x00, 0x07, 0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40,
];

/// Of a track beside the first of its kind.
const NUMBER: u8 = 1;

/// Input: records of kind (odd is video), timestamp step (2 bytes, signed, shifted by the kind's upper
/// bits), length (2 bytes), body. What comes out of single tracks is muxed and demuxed again, and has to be the
/// same but for what milliseconds round away.
pub fn demuxer(data: &[u8]) {
    let (mut first, mut second) = (Demuxer::new(), Demuxer::new());
    let mut tracks: Vec<Track> = Vec::new();
    let mut timestamp = 0u32;
    for (kind, step, body) in records(data) {
        timestamp = timestamp.wrapping_add(step);
        let body = Bytes::copy_from_slice(body);
        let length = body.len();
        let _ = if kind & 1 == 1 {
            first.push_video(timestamp, body)
        } else {
            first.push_audio(timestamp, body)
        };
        let mut events = 0;
        while let Some(event) = first.pull() {
            events += 1;
            match event {
                Event::Track(track) => {
                    assert!(muxer::is_carried(&track), "a codec of ours");
                    let known = tracks.iter().position(|known| known.id == track.id);
                    if let Some(at) = known {
                        assert_ne!(tracks[at], track, "announced twice");
                        tracks.remove(at);
                    }
                    if let Some(body) = muxer::sequence_header(&track)
                        && [VIDEO, AUDIO].contains(&track.id)
                    {
                        let _ = push(&mut second, &track, timestamp, body);
                    }
                    tracks.push(track);
                }
                Event::Unit(unit) => {
                    let track = tracks.iter().find(|track| track.id == unit.track);
                    let track = track.expect("a unit before its track");
                    let later = unit.pts - unit.dts;
                    let millis = track.timebase.rescale(later, media::Timebase::MILLIS);
                    assert!((-(1 << 23)..=1 << 23).contains(&millis));
                    if [VIDEO, AUDIO].contains(&track.id) {
                        again(&mut second, track, &unit);
                    }
                }
            }
        }
        assert!(events <= 1 || events <= length, "more events than bytes");
    }
}

fn push(demuxer: &mut Demuxer, track: &Track, time: u32, body: Bytes) -> Vec<Event> {
    let pushed = match track.kind() {
        Kind::Video => demuxer.push_video(time, body),
        _ => demuxer.push_audio(time, body),
    };
    pushed.expect("our own body");
    std::iter::from_fn(|| demuxer.pull()).collect()
}

/// Muxes and demuxes a unit.
fn again(second: &mut Demuxer, track: &Track, unit: &media::AccessUnit) {
    let prefix = muxer::prefix(unit, track).expect("a codec of ours");
    assert!(prefix.len() <= muxer::MAX_PREFIX);
    let body = [&prefix[..], &unit.payload].concat();
    let events = push(second, track, muxer::timestamp(track, unit), body.into());
    let Some(Event::Unit(again)) = events.last() else {
        unreachable!("a body without a unit: {track:?}");
    };
    assert_eq!(again.payload, unit.payload);
    assert_eq!(again.random_access, unit.random_access);
    assert!(muxer::codec_id(track).is_some());
    let time = muxer::timestamp(track, unit);
    if let Some(prefix) = multitrack::prefix(unit, track, NUMBER) {
        assert!(prefix.len() <= muxer::MAX_PREFIX);
        let header = multitrack::sequence_header(track, NUMBER);
        let mut further = Demuxer::new();
        for body in header
            .into_iter()
            .chain([[&prefix[..], &unit.payload].concat().into()])
        {
            let events = push(&mut further, track, time, body);
            if let Some(Event::Unit(again)) = events.last() {
                assert_eq!(again.payload, unit.payload);
                assert_eq!(again.random_access, unit.random_access);
            }
        }
    }
    if track.timebase == media::Timebase::MILLIS && matches!(track.codec, media::Codec::H264(_)) {
        // The second demuxer starts at the first unit's time modulo 2³², not at the same multiple.
        assert_eq!(again.dts.wrapping_sub(unit.dts) % (1 << 32), 0);
        assert_eq!(again.pts - again.dts, unit.pts - unit.dts);
    }
}

fn records(mut data: &[u8]) -> impl Iterator<Item = (u8, u32, &[u8])> {
    std::iter::from_fn(move || {
        let ([kind, s1, s0, l1, l0], rest) = data.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([*l1, *l0])).min(rest.len());
        let (body, rest) = rest.split_at_checked(length)?;
        data = rest;
        // Steps of up to 2³¹, so that the wrap is reached.
        let step = i32::from(i16::from_be_bytes([*s1, *s0])) << (kind >> 4);
        Some((*kind, step as u32, body))
    })
}

/// Input: the size of the pieces (1 byte), then a file. However it is cut, the same tags and the same error
/// come out; written again, they are read again.
pub fn file_reader(data: &[u8]) {
    let Some((piece, data)) = data.split_first() else {
        return;
    };
    let read = |piece: usize| {
        let mut reader = Reader::with_max_tag(1 << 16);
        let result = data.chunks(piece).try_for_each(|piece| reader.push(piece));
        let between = reader.is_between_tags();
        let tags: Vec<Tag> = std::iter::from_fn(|| reader.pull()).collect();
        (tags, result, between)
    };
    let whole = read(data.len().max(1));
    assert_eq!(read(usize::from(*piece).max(1)), whole);

    let (tags, ..) = whole;
    let mut reader = Reader::new();
    reader
        .push(&file::header(true, true))
        .expect("our own header");
    for tag in &tags {
        let written = file::tag(tag.kind, tag.timestamp, &[], tag.body.clone()).expect("bounded");
        reader
            .push(&written.slices().concat())
            .expect("our own tag");
        assert_eq!(reader.pull().as_ref(), Some(tag));
        assert!(reader.is_between_tags());
    }
}

/// Inputs to start from: target, name, bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    type Bodies<'a> = Vec<(TagKind, &'a [u8])>;
    const VIDEO: TagKind = TagKind::Video;
    const AUDIO: TagKind = TagKind::Audio;
    let idr: &[u8] = &[0x17, 1, 0, 0, 80, 0, 0, 0, 2, 0x65, 0x88];
    let short: &[u8] = &[0x27, 1, 0xff, 0xff, 0xf0, 0, 2, 0x01, 0x88];
    let aac: &[u8] = &[0xaf, 0, 0x12, 0x10];
    let frame: &[u8] = &[0xaf, 1, 0x21, 0x10, 0x04];
    let hevc = [b"\x90hvc1", HEVC_RECORD].concat();
    let multitrack = [b"\x96\x00hvc1\x02", HEVC_RECORD].concat();
    let flac = [
        &b"\x90fLaC\x04\0\x04\0\0\0\0\0\0\0\x0b\xb8\x02\xf0"[..],
        &[0; 20],
    ]
    .concat();
    let lists: [(&'static str, Bodies<'_>); 8] = [
        (
            "h264_aac",
            vec![
                (VIDEO, AVC_SEQUENCE_HEADER),
                (AUDIO, aac),
                (VIDEO, idr),
                (AUDIO, frame),
                (VIDEO, &[0x17, 2, 0, 0, 0]),
            ],
        ),
        (
            "short_lengths",
            vec![(VIDEO, AVC_SEQUENCE_HEADER_SHORT_LENGTHS), (VIDEO, short)],
        ),
        (
            "enhanced",
            vec![
                (VIDEO, b"\x90hvc1\x01"),
                (VIDEO, b"\x96\x01av01\0"),
                (VIDEO, b"\xa7\x02\0\0\x09\x01vp09"),
                (AUDIO, b"\x90OpusOpusHead"),
            ],
        ),
        (
            "h265",
            vec![
                (VIDEO, &hevc),
                (VIDEO, b"\x91hvc1\0\0\x28\0\0\0\x03\x26\x01\xaf"),
                (VIDEO, b"\x97\x02\x01\xe2\x40\x03hvc1\0\0\0\x03\x26\x01\xaf"),
                (VIDEO, &multitrack),
                (VIDEO, b"\x96\x03hvc1\x02\0\0\0\x03\x26\x01\xaf"),
            ],
        ),
        (
            "sound",
            vec![
                (AUDIO, b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0"),
                (AUDIO, b"\x91Opus\xfc\x01"),
                (AUDIO, b"\x2f\xff\xfb\x90\x64\0\0"),
                (AUDIO, b"\x72\xd5\xd5"),
            ],
        ),
        (
            "pictures",
            vec![
                (
                    VIDEO,
                    b"\x90av01\x81\0\x0c\0\x0a\x0b\0\0\0\x04\x3c\xfe\xcc\xda\xf9\0\x40",
                ),
                (
                    VIDEO,
                    b"\x91av01\x0a\x0b\0\0\0\x04\x3c\xfe\xcc\xda\xf9\0\x40\x32\x02\x10\0",
                ),
                (VIDEO, b"\x90vp08\x01\0\0\0\0\x0a\x82\x02\x02\x02\0\0"),
                (VIDEO, b"\x91vp08\x10\x02\0\x9d\x01\x2a\x40\x01\xf0\0\0\0"),
                (VIDEO, b"\xa1vp08\x11\x02\0\0\0"),
                (VIDEO, b"\x90vp09\x01\0\0\0\0\x0a\x82\x02\x02\x02\0\0"),
                (VIDEO, b"\x91vp09\x82\x49\x83\x42\0\x13\xf0\x0b\x36\x0c"),
                (VIDEO, b"\xa1vp09\x86\0\0"),
            ],
        ),
        (
            "more_sound",
            vec![
                (AUDIO, &flac),
                (AUDIO, b"\x91fLaC\xff\xf8\xc9\x18\0\xc2"),
                (AUDIO, b"\x91ac-3\x0b\x77\xfe\x95\x14\x40\x43\xe1"),
                (AUDIO, b"\x91ec-3\x0b\x77\0\xff\x34\x87\xc0\0"),
                (AUDIO, b"\x91.mp3\xff\xfb\x90\x64\0\0"),
                (AUDIO, b"\x82\xd5\xd5"),
            ],
        ),
        (
            "odd",
            vec![
                (VIDEO, &[]),
                (AUDIO, &[]),
                (VIDEO, &[0x57, 0]),
                (AUDIO, &[0x2f]),
            ],
        ),
    ];
    let mut seeds = Vec::new();
    for (name, list) in lists {
        let mut records = Vec::new();
        let mut file = vec![7];
        file.extend(file::header(true, true));
        for (kind, body) in list {
            let number = if kind == TagKind::Video { 1 } else { 0 };
            records.extend([number, 0, 40, 0, body.len() as u8]);
            records.extend(body);
            let tag = file::tag(kind, 40, &[], Bytes::copy_from_slice(body)).expect("short");
            file.extend(tag.slices().concat());
        }
        seeds.push(("demuxer", name, records));
        seeds.push(("file_reader", name, file));
    }
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a seed is for is read from it, so that a fuzzer starts behind it.
    #[test]
    fn seeds_reach_their_ends() {
        let mut codecs = Vec::new();
        for (_, _, seed) in seeds().into_iter().filter(|seed| seed.0 == "demuxer") {
            let mut demuxer = Demuxer::new();
            for (kind, _, body) in records(&seed) {
                let body = Bytes::copy_from_slice(body);
                let _ = match kind & 1 {
                    1 => demuxer.push_video(0, body),
                    _ => demuxer.push_audio(0, body),
                };
                while let Some(event) = demuxer.pull() {
                    if let Event::Track(track) = event {
                        codecs.push(track.codec.name());
                    }
                }
            }
        }
        codecs.sort_unstable();
        codecs.dedup();
        assert_eq!(codecs.len(), 13, "{codecs:?}");
    }

    /// Every seed, and thousands of inputs made from it by changing bytes.
    #[test]
    fn seeds_and_their_neighbours_hold() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for (target, _, seed) in seeds() {
            let run = match target {
                "demuxer" => demuxer,
                _ => file_reader,
            };
            run(&seed);
            for _ in 0..2_000 {
                let mut input = seed.clone();
                for _ in 0..=random(4) {
                    let at = random(input.len());
                    input[at] = random(256) as u8;
                }
                input.truncate(1 + random(input.len() * 2).min(input.len() - 1));
                run(&input);
            }
        }
    }
}
