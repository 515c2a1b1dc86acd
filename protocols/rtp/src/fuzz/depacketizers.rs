//! The fuzz targets of what receives: reordering and depacketizers.
//!
//! Their input is a sequence of packets, each of a byte that says what happened to it, a byte that says how
//! long its payload is, and the payload.

use crate::payload::{
    Damaged, Depacketizer, Description, Event, Format, Input, Unit, aac, av1, data, framed, h264,
    h265, jpeg, latm, mp2t, packetize, samples, vp8, vp9,
};
use crate::rtcp::{self, Reception};
use crate::{Header, Payloads, Reorder};
use media::codec::{aac::Config, g726::Bits, h265::NalHeader, nal};
use media::{Codec, Data, Timebase};
use std::time::{Duration, Instant};

/// What happened to a packet, in the first byte.
mod fate {
    pub(super) const MARKER: u8 = 1;
    pub(super) const LOST: u8 = 2;
    /// How far the timestamp has moved: 0 to 3 steps.
    pub(super) const STEP: u8 = 2;
}

/// What the packets of an input are to a depacketizer.
fn packets(data: &[u8]) -> impl Iterator<Item = Input<'_>> {
    let mut rest = data;
    let mut timestamp = u32::MAX - 3_000;
    std::iter::from_fn(move || {
        let ([fate, length], after) = rest.split_first_chunk()?;
        let (payload, after) = after
            .split_at_checked(usize::from(*length))
            .unwrap_or((after, &[]));
        rest = after;
        let steps = u32::from(fate >> fate::STEP & 3);
        timestamp = timestamp.wrapping_add(steps * 3_000);
        Some(Input {
            timestamp,
            marker: fate & fate::MARKER != 0,
            lost: fate & fate::LOST != 0,
            payload,
        })
    })
}

/// Gives a depacketizer all packets; every unit must pass `check`.
fn run(mut depacketizer: Depacketizer, data: &[u8], check: fn(&Unit)) {
    let (mut taken, mut given, mut units) = (0, 0, 0);
    let mut codec = None;
    let mut drain = |depacketizer: &mut Depacketizer, taken: usize| {
        while let Some(event) = depacketizer.pull() {
            let unit = match event {
                Event::Unit(unit) => unit,
                Event::Codec(found) => {
                    described(&found);
                    codec = Some(found);
                    continue;
                }
            };
            assert!(codec.is_some(), "a unit before its codec");
            assert!(!unit.payload.is_empty());
            check(&unit);
            codec.iter().for_each(|codec| sent_again(codec, &unit));
            units += 1;
            given += unit.payload.len();
            // A NAL unit of one byte gets a length of four, a JPEG image its tables.
            let front = if unit.payload.starts_with(&[0xff, 0xd8]) {
                1_024
            } else {
                0
            };
            assert!(
                given <= taken * 5 + units as usize * front,
                "more came out than went in"
            );
        }
    };
    for input in packets(data) {
        taken += input.payload.len();
        // What is refused is dropped.
        let _ = depacketizer.push(&input);
        drain(&mut depacketizer, taken);
    }
    depacketizer.flush();
    drain(&mut depacketizer, taken);
    assert_eq!(depacketizer.counts().units, units);
}

/// What is said of a codec that was received can be received.
fn described(codec: &Codec) {
    if let Some(description) = Description::of(codec) {
        assert!(!description.parameters.contains(['\r', '\n', ' ']));
        let depacketizer = Depacketizer::new(&description.format(), Damaged::Drop);
        assert!(depacketizer.is_ok(), "{description:?}: {depacketizer:?}");
    }
}

/// What was received is sent again in payloads that keep to their limit, unless it has no such form.
fn sent_again(codec: &Codec, unit: &Unit) {
    let payloads = packetize(codec, &unit.payload, MAX_PAYLOAD);
    let payloads = payloads.iter().flat_map(Payloads::iter);
    assert!(
        payloads
            .into_iter()
            .all(|payload| payload.len() <= MAX_PAYLOAD)
    );
}

/// Longest payload that is sent.
const MAX_PAYLOAD: usize = 1_200;

/// NAL units behind lengths that fit, of which none is empty or has a start code within.
fn whole_nal_units(unit: &Unit) {
    for nal in nal::units(&unit.payload) {
        let nal = nal.unwrap_or_default();
        assert!(!nal.is_empty());
        assert!(!nal.windows(3).any(|bytes| bytes == [0, 0, 1]));
    }
}

const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x0a, 0xda, 0x79];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

/// H.264, where the first byte says whether damaged units are wanted.
pub fn h264_depacketizer(data: &[u8]) {
    let policy = policy(data);
    let depacketizer = h264::Depacketizer::new([SPS, PPS], policy);
    run(
        Depacketizer::H264(depacketizer),
        rest(data),
        whole_nal_units,
    );
}

/// The same for H.265, with and without decoding order numbers.
pub fn h265_depacketizer(data: &[u8]) {
    let order_numbers = data.first().is_some_and(|first| first & 2 != 0);
    let depacketizer = h265::Depacketizer::new([], order_numbers, policy(data));
    run(
        Depacketizer::H265(depacketizer),
        rest(data),
        whole_nal_units,
    );
}

fn policy(data: &[u8]) -> Damaged {
    match data.first() {
        Some(first) if first & 1 == 1 => Damaged::Deliver,
        _ => Damaged::Drop,
    }
}

fn rest(data: &[u8]) -> &[u8] {
    data.get(1..).unwrap_or_default()
}

/// AAC behind headers whose layout is in the first bytes.
pub fn aac_depacketizer(data: &[u8]) {
    let Some((layout, data)) = data.split_first_chunk::<3>() else {
        return;
    };
    let Ok(config) = Config::low_complexity(48_000, 2) else {
        return;
    };
    let layout = match layout {
        [0, ..] => aac::Layout::HIGH_BIT_RATE,
        [size, index, rest] => aac::Layout {
            size: u32::from(size & 0x1f),
            index: u32::from(index & 7),
            index_delta: u32::from(index >> 3 & 7),
            cts_delta: u32::from(rest & 3),
            dts_delta: u32::from(rest >> 2 & 3),
            random_access: rest & 0x10 != 0,
            stream_state: u32::from(rest >> 5 & 1),
            auxiliary_size: u32::from(rest >> 6 & 1) * 8,
            constant_size: u32::from(rest >> 7) * 4,
        },
    };
    let depacketizer = aac::Depacketizer::new(config, 48_000, layout);
    run(Depacketizer::Aac(depacketizer), data, |_| {});
}

/// LATM, whose configuration is in the elements unless the first byte says otherwise.
pub fn latm_depacketizer(data: &[u8]) {
    let multiplex = latm::Multiplex::parse(&STREAM_MUX_CONFIG).ok();
    let multiplex = multiplex.filter(|_| data.first().is_some_and(|first| first & 1 == 1));
    let in_band = multiplex.is_none();
    let depacketizer = latm::Depacketizer::new(multiplex, in_band, 48_000);
    run(Depacketizer::Latm(depacketizer), rest(data), |_| {});
}

const STREAM_MUX_CONFIG: [u8; 6] = [0x40, 0x00, 0x23, 0x20, 0x3f, 0xc0];

/// Pictures and data whose units are put together in one way, chosen by the first byte.
pub fn picture_depacketizer(data: &[u8]) {
    let depacketizer = match data.first().copied().unwrap_or_default() % 6 {
        0 => Depacketizer::Vp8(vp8::Depacketizer::default()),
        1 => Depacketizer::Vp9(vp9::Depacketizer::default()),
        2 => Depacketizer::Av1(av1::Depacketizer::default()),
        3 => Depacketizer::Jpeg(jpeg::Depacketizer::default()),
        4 => Depacketizer::Data(data::Depacketizer::new(Data::Klv)),
        _ => Depacketizer::Data(data::Depacketizer::new(Data::OnvifMetadata)),
    };
    run(depacketizer, rest(data), |_| {});
}

/// Sound in frames, and in samples, chosen by the first byte.
pub fn sound_depacketizer(data: &[u8]) {
    let bits = Bits::new(3);
    let depacketizer = match (data.first().copied().unwrap_or_default() % 5, bits) {
        (0, _) => Depacketizer::Framed(framed::Depacketizer::new(framed::Kind::MpegAudio, 90_000)),
        (1, _) => Depacketizer::Framed(framed::Depacketizer::new(framed::Kind::Ac3, 48_000)),
        (2, _) => {
            Depacketizer::Framed(framed::Depacketizer::new(framed::Kind::EnhancedAc3, 48_000))
        }
        (3, Some(bits)) => Depacketizer::Samples(samples::Depacketizer::aal2(bits)),
        _ => Depacketizer::Samples(samples::Depacketizer::new(Codec::L16 {
            sample_rate: Timebase::VIDEO,
            channels: 2,
        })),
    };
    run(depacketizer, rest(data), |_| {});
}

/// A depacketizer gives back each unit that it is given whole, whatever is in it; the first byte says which kind of
/// unit, the second how long payloads may be.
pub fn packetizer(data: &[u8]) {
    let Some(([kind, limit], unit)) = data.split_first_chunk() else {
        return;
    };
    let limit = usize::from(*limit) * 8;
    let (payloads, mut depacketizer) = match kind % 6 {
        0 => (
            Ok(vp8::packetize(unit, limit)),
            Depacketizer::Vp8(vp8::Depacketizer::default()),
        ),
        1 => (
            Ok(vp9::packetize(unit, limit)),
            Depacketizer::Vp9(vp9::Depacketizer::default()),
        ),
        2 => (
            av1::packetize(unit, limit).map_err(drop),
            Depacketizer::Av1(av1::Depacketizer::default()),
        ),
        3 => (
            jpeg::packetize(unit, limit).map_err(drop),
            Depacketizer::Jpeg(jpeg::Depacketizer::default()),
        ),
        4 => {
            let codec = Codec::Data(Data::Klv);
            let payloads = packetize(&codec, unit, limit).map_err(drop);
            let depacketizer = data::Depacketizer::new(Data::Klv);
            (payloads, Depacketizer::Data(depacketizer))
        }
        _ => {
            let kind = framed::Kind::MpegAudio;
            let depacketizer = framed::Depacketizer::new(kind, 90_000);
            (
                Ok(framed::packetize(kind, unit, limit)),
                Depacketizer::Framed(depacketizer),
            )
        }
    };
    let Ok(payloads) = payloads else {
        return;
    };
    let longest = if kind % 6 == 3 { 384 } else { 64 };
    assert!(
        payloads
            .iter()
            .all(|payload| payload.len() <= limit.max(longest))
    );
    for (index, payload) in payloads.iter().enumerate() {
        // What is no unit of its kind is refused.
        let _ = depacketizer.push(&Input {
            timestamp: 0,
            marker: index + 1 == payloads.len(),
            lost: false,
            payload,
        });
    }
    let units = std::iter::from_fn(|| depacketizer.pull());
    let units = units.filter_map(|event| match event {
        Event::Unit(unit) => Some(unit),
        Event::Codec(_) => None,
    });
    for found in units {
        match kind % 6 {
            // OBUs may say their size in more bytes than they need; images are written anew.
            2 | 3 => {}
            5 => assert!(
                unit.windows(found.payload.len())
                    .any(|part| part == found.payload)
            ),
            _ => assert_eq!(found.payload, unit),
        }
    }
}

/// Formats of a session description: what `rtpmap` has behind the payload type, a line break, the parameters, a line break
/// and packets. What is accepted can be pushed to.
pub fn format(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (map, parameters, packets) = (line(), line(), line());
    let (map, parameters) = (
        String::from_utf8_lossy(map),
        String::from_utf8_lossy(parameters),
    );
    let mut fields = map.split('/');
    let encoding = fields.next().unwrap_or_default();
    let mut number = |default: u32| {
        let field = fields.next().and_then(|field| field.parse().ok());
        field.unwrap_or(default)
    };
    let format = Format {
        encoding,
        clock_rate: number(90_000),
        channels: number(2) as u8,
        parameters: &parameters,
    };
    if let Ok(depacketizer) = Depacketizer::new(&format, Damaged::Drop) {
        run(depacketizer, packets, |_| {});
    }
    if let Ok(packets) = mp2t::packets(data) {
        assert_eq!(packets.len() % mp2t::PACKET, 0);
    }
}

/// Whatever packets come at whatever times: numbers go up, gaps are what is told, nothing is lost without a
/// trace. Each packet is a byte for the source and the time, and its number.
pub fn reorder(now: Instant, data: &[u8]) {
    let mut now = now;
    let window = data.first().map_or(0, |first| usize::from(*first));
    let mut reorder = Reorder::new(window, Duration::from_millis(100));
    let mut reception = Reception::new(90_000);
    let mut last: Option<Header> = None;
    let (mut pushed, mut passed) = (0u64, 0u64);
    let mut drain = |reorder: &mut Reorder<Header>| {
        while let Some(arrival) = reorder.pull() {
            let header = arrival.packet;
            if let Some(last) = last.filter(|_| !arrival.restarted && window > 0) {
                let expected = last.sequence.wrapping_add(1).wrapping_add(arrival.lost);
                assert_eq!((last.ssrc, expected), (header.ssrc, header.sequence));
            }
            last = Some(header);
            passed += 1;
        }
        passed
    };
    let (packets, _) = rest(data).as_chunks::<3>();
    for [what, high, low] in packets {
        now += Duration::from_millis(u64::from(what >> 2));
        reorder.expire(now);
        drain(&mut reorder);
        let header = Header {
            ssrc: u32::from(what & 1),
            sequence: u16::from_be_bytes([*high, *low]),
            ..Header::default()
        };
        reception.received(now, &header);
        reorder.push(now, &header, header);
        pushed += 1;
        drain(&mut reorder);
        assert!(reorder.timeout().is_none_or(|timeout| timeout > now));
    }
    reorder.flush();
    let passed = drain(&mut reorder);
    let counts = reorder.counts();
    assert_eq!(counts.passed, passed);
    let dropped = counts.late + counts.duplicates + counts.strays;
    assert_eq!(passed + dropped, pushed);
    assert_eq!(reorder.timeout(), None);
    let report = reception.report(now, 1, "fuzz");
    assert!(rtcp::packets(&report).all(|packet| packet.is_ok()));
    assert_eq!(reception.source().is_some(), pushed > 0);
}

/// Payloads of H.265 keep to their limit and carry every byte of the NAL units that are sent. The first byte
/// says how long payloads may be.
pub fn h265_packetizer(data: &[u8]) {
    let Some((&limit, unit)) = data.split_first() else {
        return;
    };
    let limit = usize::from(limit) * 8;
    let Ok(payloads) = h265::packetize(unit, None, limit) else {
        return;
    };
    assert!(
        payloads
            .iter()
            .all(|payload| payload.len() <= limit.max(64))
    );
    let kind = |nal: &[u8]| nal.first().map(|first| first >> 1 & 0x3f);
    let nals = nal::units(unit).flatten().filter(|nal| nal.len() >= 2);
    let sent: Vec<_> = nals
        .filter(|nal| !matches!(kind(nal), Some(35 | 38)))
        .collect();
    // A NAL unit that looks like an aggregate or a fragment cannot be told from ours.
    if sent
        .iter()
        .all(|nal| kind(nal).is_some_and(|kind| kind < 48))
    {
        assert_eq!(joined(&payloads), sent);
    }
    for nal in sent {
        // Both read the same header.
        let header = NalHeader::parse(nal);
        assert!(header.is_none_or(|header| Some(header.kind) == kind(nal)));
    }
}

/// What a receiver makes of payloads of H.265.
fn joined(payloads: &Payloads) -> Vec<Vec<u8>> {
    let mut nals: Vec<Vec<u8>> = Vec::new();
    for payload in payloads.iter() {
        match payload {
            [first, _, rest @ ..] if first >> 1 & 0x3f == h265::AGGREGATE => {
                let mut rest = rest;
                while let [l0, l1, after @ ..] = rest {
                    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
                    let (nal, after) = after.split_at(length);
                    nals.push(nal.to_vec());
                    rest = after;
                }
            }
            [first, second, kind, rest @ ..] if first >> 1 & 0x3f == h265::FRAGMENT => {
                if kind & 0x80 != 0 {
                    nals.push(vec![first & 0x81 | (kind & 0x3f) << 1, *second]);
                }
                nals.last_mut().into_iter().for_each(|nal| nal.extend(rest));
            }
            nal => nals.push(nal.to_vec()),
        }
    }
    nals
}

/// An input of these payloads, each access unit with a marker at its end and a new time.
fn sequence(front: &[u8], units: &[Payloads]) -> Vec<u8> {
    let mut input = front.to_vec();
    for unit in units {
        for (index, payload) in unit.iter().enumerate() {
            let mut fate = 0;
            if index == 0 {
                fate |= 1 << fate::STEP;
            }
            if index + 1 == unit.len() {
                fate |= fate::MARKER;
            }
            input.extend([fate, payload.len() as u8]);
            input.extend_from_slice(payload);
        }
    }
    input
}

/// Key frames of 16 x 16, cut short, and a temporal unit.
const VP8: [u8; 100] = {
    let mut frame = [7; 100];
    let front = [0x10, 2, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0];
    let mut at = 0;
    while at < front.len() {
        frame[at] = front[at];
        at += 1;
    }
    frame
};
const VP9: [u8; 10] = [0x82, 0x49, 0x83, 0x42, 0x00, 0x00, 0xf0, 0x00, 0xf6, 0x07];
const AV1: [u8; 17] = [
    0x0a, 0x0a, 0x00, 0x00, 0x00, 0x02, 0xaf, 0xff, 0x9f, 0xff, 0x30, 0x08, 0x32, 0x03, 0x10, 0x00,
    0xff,
];

fn frame(front: &[u8], length: usize) -> Vec<u8> {
    let mut frame = front.to_vec();
    frame.resize(length, 7);
    frame
}

/// Valid inputs to start from.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let prefixed = |nals: &[&[u8]]| {
        let mut unit = Vec::new();
        for nal in nals {
            unit.extend((nal.len() as u32).to_be_bytes());
            unit.extend_from_slice(nal);
        }
        unit
    };
    let idr = [&[0x65, 0x88][..], &[7; 200]].concat();
    let avc = [
        prefixed(&[SPS, PPS, &[0x06, 5, 1, 9, 0x80], &idr]),
        prefixed(&[&[0x41, 0x9a, 1, 2], &[0x41, 0x5a, 3]]),
    ];
    let avc: Vec<_> = avc
        .iter()
        .flat_map(|unit| h264::packetize(unit, None, 100))
        .collect();
    let vps = [
        0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00,
        0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x95, 0x94, 0x09,
    ];
    let sps = [
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03, 0x00, 0x3c, 0xa0, 0x0a, 0x48, 0x0b, 0x9c, 0x95, 0x96, 0x56, 0x59, 0x24, 0xe5, 0x78,
        0x0b, 0x40, 0xb6, 0xdc, 0x00, 0x00, 0x0f, 0xa4, 0x00, 0x01, 0xd4, 0xc1, 0x80, 0x52, 0x31,
        0xb8, 0x00, 0x3d, 0x09, 0x00, 0x07, 0xa1, 0x22,
    ];
    let pps = [0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40];
    let idr = [&[38, 1, 0x80][..], &[7; 200]].concat();
    let hevc = [
        prefixed(&[&vps, &sps, &pps, &[78, 1, 5], &idr]),
        prefixed(&[&[2, 1, 0x80, 1], &[2, 1, 0x40, 2]]),
    ];
    let mut limited = vec![12];
    limited.extend_from_slice(hevc.first().map_or(&[], Vec::as_slice));
    let hevc: Vec<_> = hevc
        .iter()
        .flat_map(|unit| h265::packetize(unit, None, 100))
        .collect();
    let single = |payload: &[u8]| Payloads::single(payload);
    let frames = [
        aac::packetize(&[1; 40], 1_200),
        aac::packetize(&[2; 150], 64),
        single(&[0, 48, 0, 8, 0, 16, 0, 8, 1, 2, 2, 3]),
    ];
    let elements = [single(&[2, 7, 8]), single(&[1, 9])];
    let in_band = [
        single(&[0x20, 0x00, 0x11, 0x90, 0x1f, 0xe0, 0x10, 0x38, 0x40]),
        single(&[0x80, 0x83, 0x80]),
    ];
    let numbers = [65_530u16, 65_531, 65_533, 65_532, 2, 3, 3, 40_000, 40_001];
    let mut reordered = vec![16];
    for number in numbers {
        let [high, low] = number.to_be_bytes();
        reordered.extend([40 << 2 | 1, high, low]);
    }
    let mp3 = frame(&[0xff, 0xfb, 0x14, 0xc4], 104);
    let ac3 = frame(&[0x0b, 0x77, 0, 0, 0, 0x40, 0x43, 0xe1], 128);
    let image = jpeg::seed();
    let images: Vec<_> = jpeg::packetize(&image, 0).into_iter().collect();
    let obus: Vec<_> = av1::packetize(&AV1, 0).into_iter().collect();
    // Payload descriptors with everything that may be in them: RFC 9628 with a scalability structure, RFC 7741.
    let vp9 = [vp9::packetize(&VP9, 80)];
    let scalable = [
        &[0xfa, 0x81, 0x02, 0x20, 0x05][..],
        &[0x38, 0, 16, 0, 16, 0, 32, 0, 32, 1, 0x04, 1],
        &VP9,
    ];
    let inter = [&[0xe4, 0x02, 0x20, 0x03, 0x02][..], &[0x86, 0, 0]];
    let layers = [scalable.concat(), inter.concat()].map(|payload| single(&payload));
    let extended = [&[0x90, 0xf0, 0x81, 0x02, 7, 0x20][..], &VP8].concat();
    let extended = [single(&extended), single(&[0x90, 0x80, 3, 0x11, 2, 0])];
    let mut transport = vec![0; mp2t::PACKET * 2];
    for packet in transport.chunks_mut(mp2t::PACKET) {
        packet.iter_mut().take(1).for_each(|sync| *sync = 0x47);
    }
    vec![
        ("h264_depacketizer", sequence(&[0], &avc)),
        ("h264_depacketizer", sequence(&[1], &avc)),
        ("h265_depacketizer", sequence(&[0], &hevc)),
        ("h265_depacketizer", sequence(&[2], &hevc)),
        ("h265_packetizer", limited),
        ("aac_depacketizer", sequence(&[0, 0, 0], &frames)),
        ("aac_depacketizer", sequence(&[6, 0o22, 0], &frames)),
        ("latm_depacketizer", sequence(&[1], &elements)),
        ("latm_depacketizer", sequence(&[0], &in_band)),
        (
            "picture_depacketizer",
            sequence(&[0], &[vp8::packetize(&VP8, 80)]),
        ),
        (
            "picture_depacketizer",
            sequence(&[1], &[vp9::packetize(&VP9, 80)]),
        ),
        ("picture_depacketizer", sequence(&[2], &obus)),
        ("picture_depacketizer", sequence(&[3], &images)),
        (
            "picture_depacketizer",
            sequence(&[4], &[single(&[6, 14, 43, 52, 1])]),
        ),
        (
            "picture_depacketizer",
            sequence(&[5], &[single(b"<?xml?><tt:MetadataStream/>")]),
        ),
        (
            "sound_depacketizer",
            sequence(
                &[0],
                &[framed::packetize(framed::Kind::MpegAudio, &mp3, 100)],
            ),
        ),
        (
            "sound_depacketizer",
            sequence(&[1], &[framed::packetize(framed::Kind::Ac3, &ac3, 100)]),
        ),
        (
            "sound_depacketizer",
            sequence(
                &[2],
                &[framed::packetize(framed::Kind::EnhancedAc3, &ac3, 100)],
            ),
        ),
        ("sound_depacketizer", sequence(&[3], &[single(&[5; 30])])),
        ("sound_depacketizer", sequence(&[4], &[single(&[5; 30])])),
        ("packetizer", [&[0, 8][..], &VP8].concat()),
        ("packetizer", [&[1, 8][..], &VP9].concat()),
        ("packetizer", [&[2, 8][..], &AV1].concat()),
        ("packetizer", [&[3, 8][..], &image].concat()),
        ("packetizer", [&[5, 8][..], &mp3].concat()),
        (
            "format",
            sequence(
                b"H264\npacketization-mode=1;sprop-parameter-sets=Z0LACtp5,aM48gA==\n",
                &avc,
            ),
        ),
        (
            "format",
            sequence(
                b"opus/48000/2\nsprop-stereo=1\n",
                &[single(&[0xfc, 7, 8]), single(&[0x08, 7])],
            ),
        ),
        ("format", sequence(b"PCMA/8000\n\n", &[single(&[0xd5; 40])])),
        (
            "format",
            sequence(b"G722/8000/1\n\n", &[single(&[0xd5; 40])]),
        ),
        ("format", sequence(b"L16/44100/2\n\n", &[single(&[1; 40])])),
        (
            "format",
            sequence(b"AAL2-G726-32/8000/1\n\n", &[single(&[1; 40])]),
        ),
        (
            "format",
            sequence(b"G726-40/8000/1\n\n", &[single(&[1; 40])]),
        ),
        (
            "format",
            sequence(
                b"H265/90000\nsprop-max-don-diff=1;sprop-vps=QAEM;sprop-sps=QgEB\n",
                &hevc,
            ),
        ),
        ("format", sequence(b"VP9/90000\n\n", &vp9)),
        ("format", sequence(b"VP9/90000\n\n", &layers)),
        ("format", sequence(b"VP8/90000\n\n", &extended)),
        (
            "format",
            sequence(
                b"vnd.onvif.metadata/90000\n\n",
                &[single(b"<?xml?><tt:MetadataStream/>")],
            ),
        ),
        (
            "format",
            b"mpeg4-generic/48000/2\nmode=AAC-lbr;config=1190;constantsize=4;ctsdeltalength=2;\
              dtsdeltalength=2;randomaccessindication=1;streamstateindication=1;\
              auxiliarydatasizelength=8"
                .to_vec(),
        ),
        ("format", b"H264\npacketization-mode=2".to_vec()),
        ("format", b"H264\npacketization-mode=x".to_vec()),
        ("format", b"mpeg4-generic\nconfig=119\n".to_vec()),
        ("format", b"mpeg4-generic\nconfig=11Z".to_vec()),
        ("format", b"G726-12/8000/1\n".to_vec()),
        (
            "format",
            b"mpeg4-generic\nmode=AAC-hbr;config=1190;sizelength=13;indexlength=3".to_vec(),
        ),
        (
            "format",
            b"MP4A-LATM\ncpresent=0;config=400023203fc0".to_vec(),
        ),
        ("format", transport),
        ("reorder", reordered),
    ]
}
