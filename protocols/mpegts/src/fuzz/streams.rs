//! Transport streams of every format, made of records: checksums, counters and sync bytes are put right, so that
//! what is changed in a record reaches what reads it.

use crate::packet::{MAX_PAYLOAD, SYNC, clock_reference};
use crate::psi::{PAT_PID, crc32, descriptor};
use crate::time;
use std::collections::HashMap;

/// PIDs of streams begin here, and those of descriptions of programs.
const STREAMS: u16 = 0x100;
const PROGRAMS: u16 = 0x1000;

/// Longest stream that is made.
const MAX_STREAM: usize = 1 << 20;

/// Bytes of a header of records: what it is, and its length.
const RECORD: usize = 3;

/// What a record is.
const LIST: u8 = 0;
const DESCRIPTION: u8 = 1;
const PES: u8 = 2;
const SECTION: u8 = 3;
const LOSS: u8 = 4;
const TWICE: u8 = 5;
const PAYLOAD: u8 = 6;
const SEGMENT: u8 = 7;

/// Flags of a PES record.
const PTS: u8 = 0x01;
const DTS: u8 = 0x02;
const LENGTH: u8 = 0x04;
const RANDOM_ACCESS: u8 = 0x08;
const DISCONTINUITY: u8 = 0x10;
const SCRAMBLED: u8 = 0x20;
const CLOCK: u8 = 0x40;
/// The lowest bit of the time.
const ODD: u8 = 0x80;

/// The stretches of a stream, each of whole packets. All but the first begin segments.
pub(super) fn stretches(mut records: &[u8]) -> Vec<Vec<u8>> {
    let mut maker = Maker::default();
    // So that packets are found before anything comes.
    for _ in 0..8 {
        maker.packet(0x1fff, 0, &[], &[]);
    }
    while let Some(([kind, high, low], rest)) = records.split_first_chunk::<RECORD>() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (content, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        records = rest;
        maker.record(kind & 7, content);
        if maker.size > MAX_STREAM {
            break;
        }
    }
    maker.done.push(maker.open);
    maker.done
}

#[derive(Default)]
struct Maker {
    done: Vec<Vec<u8>>,
    open: Vec<u8>,
    size: usize,
    counters: HashMap<u16, u8>,
}

impl Maker {
    /// What is cut off of a record is left out.
    fn record(&mut self, kind: u8, content: &[u8]) {
        match (kind, content) {
            (LIST, [version, number, last, programs @ ..]) => {
                let mut body = Vec::new();
                for program in programs {
                    let pid = PROGRAMS | u16::from(*program);
                    body.extend(u16::from(*program).to_be_bytes());
                    body.extend((0xe000 | pid).to_be_bytes());
                }
                self.table(PAT_PID, (0, 1), (*version, *number, *last), &body);
            }
            (DESCRIPTION, [program, version, clock, rest @ ..]) => {
                let mut body = (0xe000 | STREAMS | u16::from(*clock))
                    .to_be_bytes()
                    .to_vec();
                let mut rest = list(rest, &mut body);
                while let [kind, pid, behind @ ..] = rest {
                    body.push(*kind);
                    body.extend((0xe000 | STREAMS | u16::from(*pid)).to_be_bytes());
                    rest = list(behind, &mut body);
                }
                let program = u16::from(*program);
                self.table(PROGRAMS | program, (2, program), (*version, 0, 0), &body);
            }
            (
                PES,
                [
                    pid,
                    stream_id,
                    flags,
                    a,
                    b,
                    c,
                    d,
                    later_high,
                    later_low,
                    room,
                    data @ ..,
                ],
            ) => {
                let pts = i64::from(u32::from_be_bytes([*a, *b, *c, *d])) << 1;
                let pts = pts | i64::from(flags & ODD != 0);
                let later = i64::from(u16::from_be_bytes([*later_high, *later_low]));
                let pes = pes(*stream_id, *flags, (pts, pts.saturating_sub(later)), data);
                let clock = (flags & CLOCK != 0).then_some(pts);
                self.pieces(
                    STREAMS | u16::from(*pid),
                    *flags,
                    clock,
                    usize::from(*room),
                    &pes,
                );
            }
            (SECTION, [pid, section @ ..]) => {
                let section = [section, &crc32(section).to_be_bytes()].concat();
                self.section(STREAMS | u16::from(*pid), &section);
            }
            (LOSS, [pid, lost, ..]) => {
                let counter = self.counter(STREAMS | u16::from(*pid));
                *counter = counter.wrapping_add(*lost);
            }
            (TWICE, _) => {
                let last = self.open.last_chunk::<{ crate::packet::SIZE }>().copied();
                self.open.extend(last.iter().flatten());
                self.size = self.size.saturating_add(crate::packet::SIZE);
            }
            (PAYLOAD, [pid, start, payload @ ..]) => {
                let payload = payload.get(..MAX_PAYLOAD).unwrap_or(payload);
                let pid = u16::from(*pid) | if start & 2 != 0 { PROGRAMS } else { STREAMS };
                // And so many more.
                for _ in 0..=start >> 2 {
                    self.packet(pid, start << 6 & 0x40, &[], payload);
                }
            }
            (SEGMENT, _) if self.done.len() < 16 => {
                self.done.push(std::mem::take(&mut self.open));
                // Some count anew.
                if !content.is_empty() {
                    self.counters.clear();
                }
            }
            _ => {}
        }
    }

    fn counter(&mut self, pid: u16) -> &mut u8 {
        self.counters.entry(pid).or_insert(0)
    }

    /// A section of a table with the number of the section, and the highest.
    fn table(
        &mut self,
        pid: u16,
        (table, id): (u8, u16),
        (version, number, last): (u8, u8, u8),
        body: &[u8],
    ) {
        let length = body.len().saturating_add(9).min(1_021) as u16;
        let mut section = vec![table];
        section.extend((0xb000 | length).to_be_bytes());
        section.extend(id.to_be_bytes());
        // The highest bit of the version: it is not valid yet.
        let current = u8::from(version & 0x80 == 0);
        section.extend([0xc0 | version << 1 & 0x3e | current, number, last]);
        section.extend_from_slice(body.get(..1_012).unwrap_or(body));
        section.extend(crc32(&section).to_be_bytes());
        self.section(pid, &section);
    }

    fn section(&mut self, pid: u16, section: &[u8]) {
        let section = [&[0], section].concat();
        for (number, piece) in section.chunks(MAX_PAYLOAD).enumerate() {
            let mut piece = piece.to_vec();
            piece.resize(MAX_PAYLOAD, 0xff);
            self.packet(pid, if number == 0 { 0x40 } else { 0 }, &[], &piece);
        }
    }

    /// A PES packet in packets with so much room.
    fn pieces(&mut self, pid: u16, flags: u8, clock: Option<i64>, room: usize, mut pes: &[u8]) {
        let room = room.clamp(16, MAX_PAYLOAD);
        let mut field = Vec::new();
        let indicators = flags << 3 & 0x80 | flags << 3 & 0x40;
        if indicators != 0 || clock.is_some() {
            field.push(indicators | if clock.is_some() { 0x10 } else { 0 });
        }
        if let Some(clock) = clock {
            let ticks = clock.saturating_sub(9_000).rem_euclid(1 << 33) as u64;
            field.extend(clock_reference(ticks * 300));
        }
        let mut start = 0x40;
        while start != 0 || !pes.is_empty() {
            let (piece, rest) = pes
                .split_at_checked(room.min(MAX_PAYLOAD - 1 - field.len()))
                .unwrap_or((pes, &[]));
            pes = rest;
            let scrambled = if flags & SCRAMBLED != 0 { 0x80 } else { 0 };
            self.packet(pid, start | scrambled, &field, piece);
            start = 0;
            field.clear();
        }
    }

    /// A packet whose beginning of a unit and encryption are those of `flags`.
    fn packet(&mut self, pid: u16, flags: u8, field: &[u8], payload: &[u8]) {
        let counter = self.counter(pid);
        let number = *counter & 0x0f;
        *counter = counter.wrapping_add(1);
        let [high, low] = pid.to_be_bytes();
        let stuffing = MAX_PAYLOAD.saturating_sub(payload.len());
        let control = if stuffing > 0 { 0x30 } else { 0x10 } | flags & 0x80 | number;
        self.open
            .extend([SYNC, flags & 0x40 | high & 0x1f, low, control]);
        if let Some(length) = stuffing.checked_sub(1) {
            self.open.push(length as u8);
            let end = self.open.len().saturating_add(length);
            match field {
                [] if length > 0 => self.open.push(0),
                field => self.open.extend_from_slice(field),
            }
            self.open.resize(end, 0xff);
        }
        self.open.extend_from_slice(payload);
        self.size = self.size.saturating_add(crate::packet::SIZE);
    }
}

/// Puts the descriptors behind their length in a byte to a table, and gives what follows them.
fn list<'a>(content: &'a [u8], body: &mut Vec<u8>) -> &'a [u8] {
    let Some((length, rest)) = content.split_first() else {
        body.extend([0xf0, 0]);
        return &[];
    };
    let (list, rest) = rest
        .split_at_checked(usize::from(*length))
        .unwrap_or((rest, &[]));
    body.extend((0xf000 | list.len() as u16).to_be_bytes());
    body.extend_from_slice(list);
    rest
}

fn pes(stream_id: u8, flags: u8, (pts, dts): (i64, i64), data: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    let times = match (flags & PTS != 0, flags & DTS != 0) {
        (false, _) => 0,
        (true, false) => 0x80,
        (true, true) => 0xc0,
    };
    if times != 0 {
        fields.extend(time::write(times >> 6, pts));
    }
    if times == 0xc0 {
        fields.extend(time::write(1, dts));
    }
    let length = fields.len().saturating_add(3).saturating_add(data.len());
    let told = u16::try_from(length)
        .ok()
        .filter(|_| flags & LENGTH != 0)
        .unwrap_or(0);
    let mut pes = vec![0, 0, 1, stream_id];
    pes.extend(told.to_be_bytes());
    pes.extend([0x84, times, fields.len() as u8]);
    pes.extend(fields);
    pes.extend_from_slice(data);
    pes
}

/// Records, for seeds.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    fn put(&mut self, kind: u8, content: &[u8]) -> &mut Self {
        self.0.push(kind);
        self.0.extend((content.len() as u16).to_be_bytes());
        self.0.extend_from_slice(content);
        self
    }

    /// A description of a program, with type, PID and descriptors of each stream.
    fn description(&mut self, head: [u8; 3], own: &[u8], streams: &[(u8, u8, &[u8])]) -> &mut Self {
        let mut content = [&head[..], &[own.len() as u8], own].concat();
        for (kind, pid, descriptors) in streams {
            content.extend([*kind, *pid, descriptors.len() as u8]);
            content.extend_from_slice(descriptors);
        }
        self.put(DESCRIPTION, &content)
    }

    /// One program of these streams.
    fn program(&mut self, streams: &[(u8, u8, &[u8])]) -> &mut Self {
        self.put(LIST, &[0, 0, 0, 1])
            .description([1, 0, 0], &[], streams)
    }

    fn pes(&mut self, pid: u8, stream_id: u8, flags: u8, pts: u64, data: &[u8]) -> &mut Self {
        let odd = if pts & 1 == 1 { ODD } else { 0 };
        let mut content = vec![pid, stream_id, flags | odd];
        content.extend(((pts >> 1) as u32).to_be_bytes());
        // Decoded two pictures before.
        content.extend([0x1c, 0x20, 184]);
        content.extend_from_slice(data);
        self.put(PES, &content)
    }

    /// A PES packet of sound of which the length is told.
    fn sound(&mut self, pid: u8, pts: u64, data: &[u8]) -> &mut Self {
        self.pes(pid, 0xc0, PTS | LENGTH, pts, data)
    }

    fn pictures(&mut self, pid: u8, flags: u8, pts: u64, nals: &[&[u8]]) -> &mut Self {
        let nals: Vec<u8> = nals
            .iter()
            .flat_map(|nal| [&[0, 0, 0, 1], *nal].concat())
            .collect();
        self.pes(pid, 0xe0, flags, pts, &nals)
    }
}

/// Numbers of so many bits, one behind the other, filled up to a byte.
fn bits(fields: &[(u32, u32)]) -> Vec<u8> {
    let bits = fields.iter().flat_map(|(count, value)| {
        (0..*count)
            .rev()
            .map(move |bit| (value >> bit & 1 == 1) as u8)
    });
    let bits: Vec<u8> = bits.collect();
    let byte = |bits: &[u8]| {
        let byte = bits.iter().fold(0, |byte, bit| byte << 1 | bit);
        byte << (8 - bits.len())
    };
    bits.chunks(8).map(byte).collect()
}

/// An element of LATM with the configuration of before, or with one of AAC LC at 48 kHz in stereo.
fn latm(same: bool, frames: &[&[u8]]) -> Vec<u8> {
    let mut fields = vec![(1, u32::from(same))];
    if !same {
        let units = frames.len().saturating_sub(1) as u32;
        // Version 0, one time for all, units, one program, one layer, the configuration, variable lengths, the
        // fullness of the buffer, and nothing else.
        fields.extend([(1, 0), (1, 1), (6, units), (4, 0), (3, 0), (16, 0x1190)]);
        fields.extend([(3, 0), (8, 0xff), (1, 0), (1, 0)]);
    }
    for frame in frames {
        fields.push((8, frame.len() as u32));
        fields.extend(frame.iter().map(|byte| (8, u32::from(*byte))));
    }
    let element = bits(&fields);
    let head = (0x56_e000 | element.len() as u32).to_be_bytes();
    [head.get(1..).unwrap_or_default(), &element].concat()
}

/// A frame that begins so, of that length.
pub(super) fn frame(head: &[u8], length: usize) -> Vec<u8> {
    let mut frame = head.to_vec();
    frame.resize(length, 0x55);
    frame
}

/// Frames as encoders make them: MPEG audio of layer 3 (LAME) and 2 (ffmpeg), AC-3 and E-AC-3 (ffmpeg).
pub(super) const LAYER_3: (&[u8], usize) = (&[0xff, 0xfb, 0x94, 0x64], 384);
pub(super) const LAYER_3_22: (&[u8], usize) = (&[0xff, 0xf3, 0x80, 0xc4], 208);
pub(super) const LAYER_2: (&[u8], usize) = (&[0xff, 0xfd, 0xa4, 0x04], 576);
pub(super) const AC3: (&[u8], usize) = (&[0x0b, 0x77, 0xfe, 0x95, 0x14, 0x40, 0x43, 0xe1], 768);
pub(super) const EAC3: (&[u8], usize) = (
    &[
        0x0b, 0x77, 0x00, 0xff, 0x34, 0x87, 0xc0, 0x00, 0, 0, 0, 0, 0, 0, 0, 0,
    ],
    512,
);

/// A frame of E-AC-3 that depends on the one before, with two more channels.
pub(super) fn dependent() -> Vec<u8> {
    let head = bits(&[
        (16, 0x0b77),
        (2, 1),
        (3, 0),
        (11, 31),
        (4, 3),
        (3, 2),
        (1, 0),
        (5, 16),
        (6, 54),
        (1, 1),
        (16, 0x0200),
        (2, 0),
    ]);
    frame(&head, 64)
}

/// Parameter sets as x265 writes them, Main profile, 1280x720, and slices.
pub(super) const VPS_H265: &[u8] = &[
    0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03,
    0x00, 0x00, 0x03, 0x00, 0x5d, 0x95, 0x98, 0x09,
];
pub(super) const SPS_H265: &[u8] = &[
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03,
    0x00, 0x5d, 0xa0, 0x02, 0x80, 0x80, 0x2d, 0x16, 0x59, 0x59, 0xa4, 0x93, 0x2b, 0xc0, 0x5a, 0x02,
    0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x10,
];
pub(super) const PPS_H265: &[u8] = &[0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40];
const IDR_H265: &[u8] = &[0x26, 0x01, 0xaf, 0x09, 0x40];
const SLICE_H265: &[u8] = &[0x02, 0x01, 0xd0, 0x09, 0x7e];
const LATER_SLICE_H265: &[u8] = &[0x02, 0x01, 0x50, 0x09, 0x7e];

/// Pictures whose order of output is another than that of decoding: Main profile, 160x144.
const SPS_ORDER: &[u8] = &[0x67, 0x4d, 0, 0x1e, 0xf3, 0x05, 0x09, 0xc8];
const PPS_ORDER: &[u8] = &[0x68, 0xde, 0x38, 0x80];
const IDR_ORDER: &[u8] = &[0x65, 0x88, 0x84, 0x35, 0x55, 0x55, 0x55, 0x50];
const SLICES_ORDER: [&[u8]; 4] = [
    &[0x41, 0x9a, 0x31, 0xaa, 0xaa, 0xaa, 0xaa, 0x80],
    &[0x01, 0x9a, 0x49, 0xaa, 0xaa, 0xaa, 0xaa, 0x80],
    &[0x01, 0x9a, 0x4d, 0xaa, 0xaa, 0xaa, 0xaa, 0x80],
    &[0x41, 0x9a, 0x59, 0xaa, 0xaa, 0xaa, 0xaa, 0x80],
];

/// Two frames of AAC behind ADTS headers, 48 kHz in stereo.
const ADTS: &[u8] = &[
    0xff, 0xf1, 0x4c, 0x80, 0x01, 0x3f, 0xfc, 0x21, 0x10, 0xff, 0xf1, 0x4c, 0x80, 0x01, 0x3f, 0xfc,
    0x21, 0x10,
];

/// A stream of each kind that there is, in records.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut seed = |name: &'static str, asked: u8, make: &dyn Fn(&mut Records)| {
        // In pieces of no round size.
        let mut records = Records(vec![199, asked]);
        make(&mut records);
        seeds.push((name, records.0));
    };
    seed("h265", 0, &|records| {
        let sets = [
            VPS_H265,
            SPS_H265,
            PPS_H265,
            IDR_H265,
            SLICE_H265,
            LATER_SLICE_H265,
        ];
        records.program(&[(0x24, 0, &[])]);
        records.pictures(0, PTS | DTS | CLOCK | RANDOM_ACCESS, 9_000, &sets);
        records.pictures(0, PTS, 16_200, &[SLICE_H265, SLICE_H265, SLICE_H265]);
        records.pictures(0, 0, 0, &[LATER_SLICE_H265, &[0x46, 1, 0x50], SLICE_H265]);
        records.pictures(0, PTS, 30_600, &sets);
    });
    seed("order", 0, &|records| {
        let [p, b, c, q] = SLICES_ORDER;
        records.program(&[(0x1b, 0, &[])]);
        // Several in one PES packet, over the wrap of the times.
        let pts = (1 << 33) - 7_200;
        records.pictures(0, PTS | CLOCK, pts, &[SPS_ORDER, PPS_ORDER, IDR_ORDER, p]);
        records.pictures(0, 0, 0, &[b, c, q]);
        records.pictures(0, PTS | CLOCK, 10_800, &[IDR_ORDER]);
        records.pictures(0, PTS | DTS | DISCONTINUITY, 900_000, &[p, b, c]);
    });
    seed("latm", 0, &|records| {
        records.program(&[(0x11, 1, &[])]);
        let elements = [
            latm(false, &[&[1; 40], &[2; 30]]),
            latm(true, &[&[3; 40], &[4; 30]]),
            latm(true, &[&[5; 20], &[6; 20]]),
        ]
        .concat();
        let (first, rest) = elements.split_at(100);
        // An element goes on in the next packet; in front are bytes of another.
        records
            .sound(1, 90_000, &[&[7; 5], first].concat())
            .sound(1, 97_680, rest)
            .sound(1, 99_600, &latm(false, &[&[8; 9]]));
    });
    seed("opus", 0, &|records| {
        let descriptors = crate::opus::descriptors(2);
        records.program(&[(0x06, 1, &descriptors)]);
        let mut packets = vec![0x7f, 0xf0, 8, 0x01, 0x38, 0xfc, 1, 2, 3, 4, 5, 6, 7];
        for length in [3, 300] {
            crate::opus::put(&mut packets, &frame(&[0xfc], length));
        }
        records
            .pes(1, 0xbd, PTS | LENGTH, 90_000, &packets)
            // With what to leave out at the end, and an extension.
            .pes(
                1,
                0xbd,
                PTS | LENGTH,
                95_400,
                &[0x7f, 0xec, 2, 0, 9, 1, 7, 0xfc, 1],
            )
            .pes(1, 0xbd, PTS | LENGTH, 97_200, &[0x7f, 0xe0, 9, 1]);
    });
    seed("opus-surround", 0, &|records| {
        let [five, none] = [6, 0].map(crate::opus::descriptors);
        records.program(&[(0x06, 1, &five), (0x06, 2, &none)]);
        let mut packet = Vec::new();
        crate::opus::put(&mut packet, &frame(&[0x7b, 2], 200));
        records.pes(1, 0xbd, PTS | LENGTH, 90_000, &packet).pes(
            2,
            0xbd,
            PTS | LENGTH,
            90_000,
            &packet,
        );
    });
    for (name, kind, (head, length)) in [
        ("mp3", 0x03, LAYER_3),
        ("mp3-22", 0x04, LAYER_3_22),
        ("mp2", 0x03, LAYER_2),
        ("ac3", 0x81, AC3),
        ("eac3", 0x87, EAC3),
    ] {
        seed(name, 0, &|records| {
            records.program(&[(kind, 1, &[])]);
            let mut one = frame(head, length);
            if name == "eac3" {
                one.extend(dependent());
            }
            let frames = one.repeat(4);
            let (first, rest) = frames.split_at(one.len() * 3 / 2);
            // Cut over PES packets, with a tag between.
            records
                .sound(1, 90_000, first)
                .sound(1, 92_880, rest)
                .sound(1, 98_640, &[b"TAG".as_slice(), &one, &one].concat());
        });
    }
    seed("ac3-dvb", 0, &|records| {
        let (head, length) = AC3;
        records.program(&[(0x06, 1, &[0x6a, 1, 0]), (0x06, 2, &[0x7a, 1, 0])]);
        records
            .sound(1, 90_000, &frame(head, length))
            .sound(2, 90_000, &[frame(head, length), dependent()].concat())
            .sound(1, 92_880, &frame(head, length));
    });
    seed("cells", 0, &|records| {
        let cell = |place: u8, body: &[u8]| {
            [&[0, 7, place << 6 | 0x1f, 0, body.len() as u8][..], body].concat()
        };
        let key = &[0x06, 0x0e, 0x2b, 0x34, 2, 0x0b, 1, 1, 1, 0][..];
        let metadata = |letters: &[u8]| {
            let content = [b"\xff\xff", letters, b"\xff", letters, b"\0\x0f"].concat();
            descriptor::write(descriptor::METADATA, &content)
        };
        let (klva, id3) = (metadata(b"KLVA"), metadata(b"ID3 "));
        let registered = descriptor::registration(b"KLVA");
        records.program(&[
            (0x1b, 0, &[]),
            (0x06, 1, &registered),
            (0x15, 2, &klva),
            (0x15, 3, &id3),
            (0x06, 4, b"\x56\x05eng\x10\x00"),
            (0x06, 5, b"\x59\x08eng\x10\x00\x01\x00\x01"),
            (0x86, 6, &[]),
        ]);
        let parts = [
            cell(3, key),
            cell(2, &key[..4]),
            cell(0, &key[4..6]),
            cell(1, &key[6..]),
        ]
        .concat();
        let splice = &super::SPLICE[..super::SPLICE.len() - 4];
        records
            // Before any time is known, and behind.
            .put(SECTION, &[&[6], splice].concat())
            .pictures(
                0,
                PTS | CLOCK,
                90_000,
                &[super::SPS, super::PPS, &[0x65, 0x88, 1]],
            )
            .put(SECTION, &[&[6], super::INSERT].concat())
            .pes(1, 0xbd, LENGTH, 0, key)
            .pes(2, 0xfc, PTS | LENGTH, 93_600, &parts)
            .pes(2, 0xfc, PTS | LENGTH, 93_700, key)
            .pes(3, 0xbd, PTS | LENGTH, 93_600, b"ID3\x04\0\0\0\0\0\0")
            .pes(
                3,
                0xbd,
                PTS | LENGTH,
                93_800,
                &cell(3, b"ID3\x04\0\0\0\0\0\0"),
            )
            .pes(3, 0xbd, PTS | LENGTH, 93_900, &cell(1, b"o"))
            .pes(4, 0xbd, PTS | LENGTH, 93_600, &[0x10; 47])
            .pes(5, 0xbd, PTS | LENGTH, 93_600, &[0x20, 0, 0x0f])
            // One whose length is not told, and longer than one may be.
            .pes(5, 0xbd, PTS, 97_200, &[0x20; 40])
            .put(SECTION, &[6, 0xfc, 0x30, 0x01, 0, 0, 0]);
    });
    seed("programs", 0, &|records| {
        // A list in two parts; the first program has sound alone, the second nothing, the third pictures.
        records
            .put(LIST, &[3, 0, 1, 1, 2])
            .put(LIST, &[3, 1, 1, 3])
            .put(LIST, &[0x84, 0, 0, 9])
            .description([1, 0, 1], &[], &[(0x0f, 1, &[])])
            .description([2, 0, 0xff], &[], &[])
            .description([3, 0, 3], &[], &[(0x1b, 3, &[]), (0x0f, 4, &[])])
            .description([3, 0, 3], &[], &[(0x1b, 3, &[]), (0x0f, 4, &[])]);
        for (pid, time) in [(1, 90_000), (3, 90_000), (3, 93_600)] {
            match pid {
                1 => records.sound(1, time, ADTS),
                _ => records.pictures(pid, PTS, time, &[super::SPS, super::PPS, &[0x65, 0x88, 1]]),
            };
        }
        // The one that is read goes away.
        records.put(LIST, &[5, 0, 0, 1]);
        records.description([1, 1, 1], &[], &[(0x0f, 1, &[])]);
        records.sound(1, 97_200, ADTS).sound(1, 101_040, ADTS);
    });
    seed("sound-alone", 0, &|records| {
        // Half of the programs is described, again and again.
        records.put(LIST, &[0, 0, 0, 1, 2]);
        for _ in 0..2 {
            records.description([2, 0, 1], &[], &[(0x0f, 1, &[])]);
        }
        records.sound(1, 90_000, ADTS).sound(1, 93_840, ADTS);
    });
    seed("second", 2 << 1, &|records| {
        records.put(LIST, &[0, 0, 0, 1, 2]);
        for (number, pid) in [(1, 1), (2, 2)] {
            records.description([number, 0, pid], &[], &[(0x0f, pid, &[])]);
            records.sound(pid, 90_000, ADTS).sound(pid, 93_840, ADTS);
        }
    });
    seed("versions", 0, &|records| {
        let pictures = |records: &mut Records, pid, time| {
            let nals = [super::SPS, super::PPS, &[0x65, 0x88, 1]];
            records.pictures(pid, PTS | CLOCK, time, &nals);
        };
        records.program(&[(0x1b, 0, &[]), (0x0f, 1, &[])]);
        pictures(records, 0, 90_000);
        records.sound(1, 90_000, ADTS);
        // The same under another version, not valid yet, in other places, as another format, and without sound.
        records.description([1, 1, 0], &[], &[(0x1b, 0, &[]), (0x0f, 1, &[])]);
        records.description([1, 0x82, 0], &[], &[(0x0f, 9, &[])]);
        pictures(records, 0, 93_600);
        records.description([1, 2, 8], &[], &[(0x0f, 1, &[]), (0x1b, 8, &[])]);
        pictures(records, 8, 97_200);
        records.sound(1, 93_840, ADTS);
        let (head, length) = LAYER_3;
        records.description([1, 3, 8], &[], &[(0x24, 8, &[]), (0x03, 1, &[])]);
        records.sound(1, 97_680, &frame(head, length).repeat(2));
        let nals = [VPS_H265, SPS_H265, PPS_H265, IDR_H265];
        records.pictures(8, PTS, 100_800, &nals);
        records.description([1, 4, 8], &[], &[(0x24, 8, &[])]);
        records.pictures(8, PTS, 104_400, &nals);
    });
    seed("in-front", 0, &|records| {
        // Pictures come in front of the sound, which moves to another PID.
        records.program(&[(0x0f, 1, &[])]).sound(1, 90_000, ADTS);
        records.description([1, 1, 0], &[], &[(0x1b, 0, &[]), (0x0f, 2, &[])]);
        let nals = [super::SPS, super::PPS, &[0x65, 0x88, 1]];
        records.pictures(0, PTS | CLOCK, 93_600, &nals);
        records.sound(2, 93_840, ADTS);
    });
    seed("damage", 0, &|records| {
        let descriptors = crate::opus::descriptors(1);
        records.program(&[
            (0x1b, 0, &[]),
            (0x0f, 1, &[]),
            (0x11, 2, &[]),
            (0x06, 3, &descriptors),
            (0x03, 4, &[]),
            (0x81, 5, &[]),
            (0x86, 6, &[]),
            (0x06, 7, b"\x56\x05eng\x10\x00"),
        ]);
        let mut opus = Vec::new();
        crate::opus::put(&mut opus, &frame(&[0xfc], 250));
        let [(layer, short), (ac3, long)] = [LAYER_3, AC3];
        let bodies: [(u8, Vec<u8>); 8] = [
            (
                0,
                [
                    &[0, 0, 1],
                    super::SPS,
                    &[0, 0, 1],
                    super::PPS,
                    &[0, 0, 1, 0x65, 0x88],
                    &[7; 300],
                ]
                .concat(),
            ),
            (1, ADTS.repeat(20)),
            (2, latm(false, &[&[1; 200]]).repeat(2)),
            (3, opus),
            (4, frame(layer, short)),
            (5, frame(ac3, long)),
            (6, Vec::new()),
            (7, vec![0x10; 300]),
        ];
        for round in 0..3u64 {
            for (pid, body) in &bodies {
                let time = 90_000 + round * 7_200;
                let flags = if *pid == 0 { PTS } else { PTS | LENGTH };
                records.pes(*pid, 0xbd, flags, time, body);
                match round {
                    // Some are missing between two, and some in the middle.
                    0 => records.put(LOSS, &[*pid, 2]),
                    1 => records
                        .put(TWICE, &[])
                        .put(PAYLOAD, &[&[*pid, 0], &[7; 184][..]].concat())
                        .pes(*pid, 0xe0, PTS | LENGTH | SCRAMBLED, time, body),
                    _ => records.put(PAYLOAD, &[&[*pid, 1], &[9; 184][..]].concat()),
                };
            }
        }
        records
            .put(PAYLOAD, &[1, 3, 0, 2, 0xb0, 200])
            .put(LOSS, &[0, 1]);
    });
    seed("beyond", 0, &|records| {
        let descriptors = crate::opus::descriptors(2);
        records.program(&[
            (0x1b, 0, &[]),
            (0x11, 2, &[]),
            (0x06, 3, &descriptors),
            (0x06, 7, b"\x56\x05eng\x10\x00"),
        ]);
        // More NAL units than any picture has, and PES packets of data that end nowhere.
        let nals = [&[0, 0, 1, 0x67, 0x42][..], &[0, 0, 1, 9].repeat(45)].concat();
        for pid in [0, 3, 7] {
            records.pes(pid, 0xbd, PTS, 90_000, &nals);
            for _ in 0..6 {
                records.put(
                    PAYLOAD,
                    &[&[pid, 0xfc][..], &[0, 0, 1, 9].repeat(46)].concat(),
                );
            }
        }
        // An element in more PES packets than are looked at.
        let element = latm(false, &[&[1; 250]]);
        for (number, piece) in element.chunks(3).enumerate() {
            records.pes(2, 0xc0, PTS, 90_000 + number as u64, piece);
        }
    });
    seed("names", 0, &|records| {
        let of = |letters: &[u8; 4]| descriptor::registration(letters);
        let registered = [b"AV01", b"VVC ", b"BSSD", b"EAC3", b"AC-3", b"VC-1"].map(of);
        let mut streams: Vec<(u8, u8, &[u8])> = Vec::new();
        for kind in [
            0x01, 0x02, 0x10, 0x15, 0x20, 0x33, 0x42, 0x82, 0x99, 0xea, 0x06,
        ] {
            streams.push((kind, streams.len() as u8, &[]));
        }
        for descriptors in &registered {
            streams.push((0x06, streams.len() as u8, descriptors));
        }
        streams.push((0xea, streams.len() as u8, &registered[5]));
        for descriptors in [b"\x7b\0", b"\x7c\0", b"\x56\0", b"\x59\0", b"\x7f\0"] {
            streams.push((0x06, streams.len() as u8, descriptors));
        }
        records.put(LIST, &[0, 0, 0, 1]);
        records.description([1, 0, 0], &of(b"HDMV"), &streams);
    });
    seed("segments", 1, &|records| {
        // As HLS has it, with encrypted samples.
        let streams: [(u8, u8, &[u8]); 4] = [
            (0xdb, 0, &[]),
            (0xcf, 1, &[]),
            (0xc1, 2, &[]),
            (0xc2, 3, &[]),
        ];
        for segment in 0..3u64 {
            if segment > 0 {
                records.put(SEGMENT, if segment == 1 { &[] } else { &[1] });
            }
            records.program(&streams);
            let time = segment * 90_000;
            let nals = [super::SPS, super::PPS, &[0x65, 0x88, 1]];
            records.pictures(0, PTS | DTS | CLOCK, time + 7_200, &nals);
            records.sound(1, time + 3_600, ADTS);
            let (head, length) = EAC3;
            records.sound(3, time + 3_600, &frame(head, length));
        }
    });
    seeds
}
