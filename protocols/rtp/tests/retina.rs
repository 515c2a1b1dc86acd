//! Access units as retina, an independent receiver of RTSP, puts them together: of our packets, and of those
//! of a recorded session.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests may fail the test, and say what they left out"
)]

use retina::codec::{CodecItem, FrameFormat};
use retina::testutil::DepacketizeBuf;
use rtp::payload::{Damaged, Depacketizer, Event, Format, Input, aac, h264, h265};
use rtp::{Header, Packet, Payloads, Reorder};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Instant;

const H264: Format<'static> = Format {
    encoding: "h264",
    clock_rate: 90_000,
    channels: 1,
    parameters: "packetization-mode=1;profile-level-id=42C01E;\
                 sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==",
};

const H265: Format<'static> = Format {
    encoding: "h265",
    clock_rate: 90_000,
    channels: 1,
    parameters: "sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwA8lZQJ;\
                 sprop-sps=QgEBAWAAAAMAkAAAAwAAAwA8oApIC5yVllZZJOV4C0C23AAAD6QAAdTBgFIxuAA9CQAHoSI=;\
                 sprop-pps=RAHBcrRiQA==",
};

const AAC: Format<'static> = Format {
    encoding: "mpeg4-generic",
    clock_rate: 12_000,
    channels: 2,
    parameters: "profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;\
                 config=1490",
};

/// Timestamp, whether a decoder can start there, and the coded bytes.
type Unit = (u32, bool, Vec<u8>);

fn ours(format: &Format<'_>, packets: &[(Header, Vec<u8>)]) -> Vec<Unit> {
    let mut depacketizer = Depacketizer::new(format, Damaged::Drop).unwrap();
    let mut reorder = Reorder::in_order();
    let mut units = Vec::new();
    for (header, payload) in packets {
        reorder.push(Instant::now(), header, payload);
        while let Some(arrival) = reorder.pull() {
            let input = Input {
                timestamp: header.timestamp,
                marker: header.marker,
                lost: arrival.lost > 0,
                payload: arrival.packet,
            };
            depacketizer.push(&input).unwrap();
        }
        while let Some(event) = depacketizer.pull() {
            if let Event::Unit(unit) = event {
                units.push((unit.timestamp, unit.random_access, unit.payload.to_vec()));
            }
        }
    }
    units
}

fn retinas(media: &str, format: &Format<'_>, packets: &[(Header, Vec<u8>)]) -> Vec<Unit> {
    let channels = std::num::NonZeroU16::new(u16::from(format.channels));
    let mut depacketizer = retina::codec::Depacketizer::new(
        media,
        format.encoding,
        format.clock_rate,
        channels,
        Some(format.parameters),
    )
    .unwrap();
    depacketizer.set_frame_format(FrameFormat::MP4);
    let mut buffer = DepacketizeBuf::new(1 << 20);
    let rate = NonZeroU32::new(format.clock_rate).unwrap();
    let mut units = Vec::new();
    for (header, payload) in packets {
        let meta = retina::rtp::PacketMeta {
            ctx: retina::PacketContext::dummy(),
            stream_id: 0,
            timestamp: retina::Timestamp::new(i64::from(header.timestamp), rate, 0).unwrap(),
            sequence_number: header.sequence,
            ssrc: header.ssrc,
            mark: header.marker,
            loss: 0,
        };
        buffer.push(&mut depacketizer, meta, payload).unwrap();
        while let Some(item) = depacketizer.pull() {
            match item.unwrap() {
                CodecItem::VideoFrame(frame) => units.push((
                    frame.timestamp().timestamp() as u32,
                    frame.is_random_access_point(),
                    frame.data().to_vec(),
                )),
                CodecItem::AudioFrame(frame) => units.push((
                    frame.timestamp().timestamp() as u32,
                    true,
                    frame.data().to_vec(),
                )),
                _ => {}
            }
        }
    }
    units
}

fn packets(units: &[Payloads], step: u32) -> Vec<(Header, Vec<u8>)> {
    let mut packets = Vec::new();
    for (unit, index) in units.iter().zip(1..) {
        for (place, payload) in unit.iter().enumerate() {
            let header = Header {
                marker: place + 1 == unit.len(),
                payload_type: 96,
                sequence: 65_530u16.wrapping_add(packets.len() as u16),
                timestamp: index * step,
                ssrc: 7,
            };
            packets.push((header, payload.to_vec()));
        }
    }
    packets
}

/// NAL units behind their lengths: one small, one slice for each size.
fn picture(other: &[u8], first: &[u8], next: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut unit = Vec::new();
    let mut put = |nal: &[u8]| {
        unit.extend((nal.len() as u32).to_be_bytes());
        unit.extend_from_slice(nal);
    };
    put(other);
    for (index, size) in sizes.iter().enumerate() {
        let mut slice = if index == 0 { first } else { next }.to_vec();
        slice.extend((0..*size).map(|at| 1 + (at % 255) as u8));
        put(&slice);
    }
    unit
}

const SIZES: [&[usize]; 5] = [&[5_000, 20], &[1], &[30, 1_000, 30], &[1_194], &[70_000]];

#[test]
fn h264_of_ours() {
    let units: Vec<_> = SIZES
        .iter()
        .enumerate()
        .map(|(index, sizes)| match index % 4 {
            0 => picture(&[6, 5, 1, 1, 0x80], &[0x65, 0x88], &[0x65, 0x48], sizes),
            _ => picture(&[6, 5, 1, 1, 0x80], &[0x41, 0x9a], &[0x41, 0x5a], sizes),
        })
        .collect();
    let cut = units.iter().map(|unit| h264::packetize(unit, None, 1_200));
    let packets = packets(&cut.collect::<Result<Vec<_>, _>>().unwrap(), 3_000);
    let found = retinas("video", &H264, &packets);
    assert_eq!(found, ours(&H264, &packets));
    let payloads: Vec<_> = found.into_iter().map(|(.., payload)| payload).collect();
    assert_eq!(payloads, units);
}

#[test]
fn h265_of_ours() {
    let units: Vec<_> = SIZES
        .iter()
        .enumerate()
        .map(|(index, sizes)| match index % 4 {
            0 => picture(
                &[78, 1, 5, 1, 1, 0x80],
                &[38, 1, 0xaf],
                &[38, 1, 0x2f],
                sizes,
            ),
            _ => picture(&[78, 1, 5, 1, 1, 0x80], &[2, 1, 0xd0], &[2, 1, 0x50], sizes),
        })
        .collect();
    let cut = units.iter().map(|unit| h265::packetize(unit, None, 1_200));
    let packets = packets(&cut.collect::<Result<Vec<_>, _>>().unwrap(), 3_000);
    let found = retinas("video", &H265, &packets);
    assert_eq!(found, ours(&H265, &packets));
    let payloads: Vec<_> = found.into_iter().map(|(.., payload)| payload).collect();
    assert_eq!(payloads, units);
}

#[test]
fn aac_of_ours() {
    let units: Vec<Vec<u8>> = [10, 300, 1_500, 4_000, 1]
        .iter()
        .map(|size| (0..*size).map(|at| at as u8 & 0x7f).collect())
        .collect();
    let cut: Vec<_> = units
        .iter()
        .map(|unit| aac::packetize(unit, 1_200))
        .collect();
    let packets = packets(&cut, 1_024);
    let found = retinas("audio", &AAC, &packets);
    assert_eq!(found, ours(&AAC, &packets));
    let payloads: Vec<_> = found.into_iter().map(|(.., payload)| payload).collect();
    assert_eq!(payloads, units);
}

#[test]
fn a_recorded_session() {
    let Ok(corpus) = std::env::var("MILLSTREAM_CORPUS") else {
        println!("MILLSTREAM_CORPUS is not set: no recorded session is read");
        return;
    };
    let path = PathBuf::from(corpus).join("rtsp/retina-bench/bunny.rtsp");
    let bytes = std::fs::read(path).unwrap();
    let channel = |wanted: u8| {
        let mut packets = Vec::new();
        let mut rest = &bytes[..];
        while let [b'$', number, high, low, after @ ..] = rest {
            let (datagram, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            rest = after;
            if *number == wanted {
                let packet = Packet::parse(datagram).unwrap();
                packets.push((packet.header, packet.payload.to_vec()));
            }
        }
        assert!(rest.is_empty());
        packets
    };
    let (sound, pictures) = (channel(0), channel(2));
    let found = ours(&AAC, &sound);
    assert_eq!(found.len(), 120);
    assert_eq!(found, retinas("audio", &AAC, &sound));
    let found = ours(&H264, &pictures);
    assert_eq!(found, retinas("video", &H264, &pictures));
    assert!(found.len() > 100);
}
