//! What the demuxer makes of streams, whole and damaged.

use super::*;
use crate::packet::SYNC;
use crate::psi::{Program, Stream};
use media::{Codec, TrackId};
use std::collections::HashMap;

/// Parameter sets of Constrained Baseline, 640x360, and slices.
const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
const IDR: &[u8] = &[0x65, 0x88, 1];
const SLICE: &[u8] = &[0x41, 0x9a, 2];
const LATER_SLICE: &[u8] = &[0x41, 0x40, 3];

/// Makes streams by hand.
#[derive(Default)]
struct Stream188 {
    bytes: Vec<u8>,
    counters: HashMap<u16, u8>,
}

impl Stream188 {
    fn payload(&mut self, pid: u16, unit_start: bool, payload: &[u8], flags: u8) -> &mut Self {
        let counter = self.counters.entry(pid).or_insert(15);
        *counter = (*counter + 1) % 16;
        let [high, low] = pid.to_be_bytes();
        let start = if unit_start { 0x40 } else { 0 };
        self.bytes
            .extend([SYNC, start | high, low, 0x30 | *counter]);
        let stuffing = 183 - payload.len();
        self.bytes.push(stuffing as u8);
        if stuffing > 0 {
            self.bytes.push(flags);
            self.bytes.extend(vec![0xff; stuffing - 1]);
        }
        self.bytes.extend(payload);
        self
    }

    fn section(&mut self, pid: u16, section: &[u8]) -> &mut Self {
        self.payload(pid, true, &[&[0], section].concat(), 0)
    }

    /// The list of programs, which are described on PIDs from 0x1000 on.
    fn list(&mut self, version: u8, numbers: &[u16]) -> &mut Self {
        let programs = numbers.iter().map(|number| Program {
            number: *number,
            pid: 0x1000 + number,
        });
        let pat = Pat {
            stream_id: 1,
            version,
            current: true,
            section: (0, 0),
            programs: programs.collect(),
        };
        self.section(0, &pat.write().unwrap())
    }

    fn program(&mut self, number: u16, version: u8, streams: &[(u8, u16)]) -> &mut Self {
        let stream = |(kind, pid): &(u8, u16)| Stream {
            kind: *kind,
            pid: *pid,
            descriptors: Vec::new(),
        };
        let pmt = Pmt {
            program: number,
            version,
            current: true,
            clock_pid: streams.first().map_or(NULL_PID, |(_, pid)| *pid),
            descriptors: Vec::new(),
            streams: streams.iter().map(stream).collect(),
        };
        self.section(0x1000 + number, &pmt.write().unwrap())
    }

    /// A PES packet of NAL units, without a length.
    fn pictures(&mut self, pid: u16, pts: Option<i64>, nals: &[&[u8]]) -> &mut Self {
        let mut pes = vec![0, 0, 1, 0xe0, 0, 0, 0x80];
        match pts {
            Some(pts) => {
                pes.extend([0x80, 5]);
                pes.extend(crate::time::write(2, pts));
            }
            None => pes.extend([0, 0]),
        }
        for nal in nals {
            pes.extend([0, 0, 0, 1]);
            pes.extend_from_slice(nal);
        }
        for (number, piece) in pes.chunks(183).enumerate() {
            self.payload(pid, number == 0, piece, 0);
        }
        self
    }

    /// With one program of pictures on PID 256.
    fn usual() -> Self {
        let mut stream = Self::default();
        stream.list(0, &[1]).program(1, 0, &[(0x1b, 256)]);
        stream
    }
}

fn events(bytes: &[u8], selection: ProgramSelection) -> (Vec<Event>, Counts) {
    let mut demuxer = Demuxer::new(selection);
    demuxer.push(bytes);
    demuxer.flush();
    let events = std::iter::from_fn(|| demuxer.pull()).collect();
    (events, demuxer.counts())
}

/// Track, times and NAL units of each access unit.
fn units(bytes: &[u8]) -> Vec<(u16, i64, usize)> {
    let (events, _) = events(bytes, ProgramSelection::First);
    let units = events.into_iter().filter_map(|event| match event {
        Event::Unit(unit) => {
            let nals = media::codec::nal::units(&unit.payload).count();
            Some((unit.track.0, unit.dts, nals))
        }
        Event::Fault(fault) => panic!("{fault}"),
        _ => None,
    });
    units.collect()
}

#[test]
fn several_access_units_in_one_packet_and_one_in_several() {
    let mut stream = Stream188::usual();
    let several = [SPS, PPS, IDR, SLICE, LATER_SLICE, SLICE];
    stream
        .pictures(256, Some(9_000), &several)
        .pictures(256, Some(9_000 + 3 * 1_800), &[SLICE])
        // Parts of it in packets of their own, one of them with the time once more.
        .pictures(256, None, &[LATER_SLICE])
        .pictures(256, Some(9_000 + 3 * 1_800), &[LATER_SLICE])
        .pictures(256, Some(9_000 + 4 * 1_800), &[SLICE])
        .pictures(256, None, &[SLICE])
        .pictures(256, Some(9_000 + 6 * 1_800), &[SLICE]);
    let expected = [
        // 40 ms where nothing is known yet, then what the next time shows.
        (0, 9_000, 1),
        (0, 12_600, 2),
        (0, 16_200, 1),
        (0, 14_400, 3),
        (0, 16_200, 1),
        (0, 18_000, 1),
        (0, 19_800, 1),
    ];
    assert_eq!(units(&stream.bytes), expected);
}

#[test]
fn joined_in_the_middle_it_begins_with_a_whole_access_unit() {
    let mut stream = Stream188::usual();
    stream
        .pictures(256, Some(0), &[LATER_SLICE])
        .pictures(256, Some(3_600), &[SPS, PPS, IDR]);
    assert_eq!(units(&stream.bytes), [(0, 3_600, 1)]);
}

#[test]
fn times_go_on_over_their_wrap() {
    let mut stream = Stream188::usual();
    let start = (1i64 << 33) - 2 * 3_600;
    for number in 0..5 {
        stream.pictures(256, Some(start + number * 3_600), &[SPS, PPS, IDR]);
    }
    let times: Vec<i64> = units(&stream.bytes).iter().map(|unit| unit.1).collect();
    let expected: Vec<i64> = (0..5).map(|number| start + number * 3_600).collect();
    assert_eq!(times, expected);
}

#[test]
fn a_length_of_pictures_that_is_cut_to_its_lower_bits_costs_nothing() {
    for length in 1..=13 {
        let mut stream = Stream188::usual();
        stream
            .pictures(256, Some(0), &[SPS, PPS, IDR])
            .pictures(256, Some(3_600), &[SLICE]);
        // Behind a header of 14 bytes stand a start code and the slice.
        let header = stream.bytes.len() - (14 + 4 + SLICE.len());
        stream.bytes[header + 5] = length;
        stream.pictures(256, Some(7_200), &[SLICE]);
        let expected = [(0, 0, 1), (0, 3_600, 1), (0, 7_200, 1)];
        assert_eq!(units(&stream.bytes), expected, "{length}");
    }
}

#[test]
fn no_two_streams_are_one_track() {
    let adts = [0xff, 0xf1, 0x4c, 0x80, 1, 0x3f, 0xfc, 0x21, 0x10];
    let mut sound = vec![0, 0, 1, 0xc0, 0, 0, 0x80, 0x80, 5];
    sound.extend(crate::time::write(2, 0));
    sound.extend([adts, adts].concat());
    let mut stream = Stream188::default();
    stream
        .list(0, &[1])
        .program(1, 0, &[(0x0f, 257)])
        .payload(257, true, &sound, 0)
        // Pictures come in front of it, and it moves to another PID.
        .program(1, 1, &[(0x1b, 256), (0x0f, 258)])
        .pictures(256, Some(0), &[SPS, PPS, IDR])
        .payload(258, true, &sound, 0);
    let (events, _) = events(&stream.bytes, ProgramSelection::First);
    let mut tracks = events.iter().filter_map(|event| match event {
        Event::Track(track) => Some((track.id, track.codec.name())),
        _ => None,
    });
    assert_eq!(tracks.next(), Some((TrackId(0), "AAC")));
    // The sound keeps its number, in whatever order they are heard of.
    let both: HashMap<_, _> = tracks.map(|(id, name)| (name, id)).collect();
    assert_eq!(both["H264"], TrackId(1));
    assert_eq!(both["AAC"], TrackId(0));
}

#[test]
fn a_stream_on_another_pid_goes_on_as_the_same_track() {
    let mut stream = Stream188::default();
    let adts = [0xff, 0xf1, 0x4c, 0x80, 1, 0x3f, 0xfc, 0x21, 0x10];
    let mut sound = vec![0, 0, 1, 0xc0, 0, 0, 0x80, 0x80, 5];
    sound.extend(crate::time::write(2, 0));
    sound.extend([adts, adts].concat());
    stream
        .list(0, &[1])
        .program(1, 0, &[(0x1b, 256), (0x0f, 257)])
        .pictures(256, Some(0), &[SPS, PPS, IDR])
        .payload(257, true, &sound, 0)
        // Without another version, as some senders have it.
        .program(1, 0, &[(0x0f, 257), (0x1b, 300), (0x06, 301)])
        .pictures(300, Some(3_600), &[SPS, PPS, IDR])
        .program(1, 1, &[(0x0f, 257), (0x1b, 300), (0x1b, 302)])
        .pictures(302, Some(3_600), &[SPS, PPS, IDR]);
    let (events, counts) = events(&stream.bytes, ProgramSelection::First);
    let described = events
        .iter()
        .filter(|event| matches!(event, Event::Program(_)));
    assert_eq!(described.count(), 3);
    let mut found: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Unit(unit) => Some((unit.track, unit.payload.len())),
            _ => None,
        })
        .collect();
    found.sort();
    let pictures = [(TrackId(0), 7), (TrackId(0), 7)];
    let frames = [(TrackId(1), 2), (TrackId(1), 2)];
    assert_eq!(found, [&pictures[..], &frames, &[(TrackId(2), 7)]].concat());
    assert_eq!(counts.continuity_errors, 0);
}

#[test]
fn of_several_programs_the_first_with_pictures_or_the_one_that_is_wanted() {
    let mut stream = Stream188::default();
    stream
        .list(0, &[3, 7, 9])
        .program(7, 0, &[(0x1b, 257)])
        .program(3, 0, &[(0x0f, 256)])
        // The third is never described: the second time the others come they are all there is.
        .program(7, 0, &[(0x1b, 257)])
        .pictures(257, Some(0), &[SPS, PPS, IDR]);
    let program = |selection| {
        let (events, _) = events(&stream.bytes, selection);
        events.into_iter().find_map(|event| match event {
            Event::Program(pmt) => Some(pmt.program),
            _ => None,
        })
    };
    assert_eq!(program(ProgramSelection::First), Some(7));
    assert_eq!(program(ProgramSelection::Number(3)), Some(3));
    assert_eq!(program(ProgramSelection::Number(4)), None);
    assert_eq!(units(&stream.bytes), [(0, 0, 1)]);

    // When it is gone, another one is read.
    stream.list(1, &[3]).program(3, 1, &[(0x1b, 300)]);
    stream.pictures(300, Some(3_600), &[SPS, PPS, IDR]);
    assert_eq!(units(&stream.bytes).len(), 2);
}

#[test]
fn what_is_damaged_twice_or_encrypted_is_counted() {
    let mut stream = Stream188::usual();
    stream.pictures(256, Some(0), &[SPS, PPS, IDR]);
    let twice = stream.bytes[stream.bytes.len() - SIZE..].to_vec();
    stream.bytes.extend(&twice);
    let mut damaged = twice.clone();
    damaged[1] |= 0x80;
    stream.bytes.extend(damaged);
    let mut reserved = twice.clone();
    reserved[3] &= 0x0f;
    stream.bytes.extend(reserved);
    stream.pictures(256, Some(3_600), &[SLICE]);
    let length = stream.bytes.len();
    stream.bytes[length - SIZE + 3] |= 0x80;
    stream.pictures(256, Some(7_200), &[SLICE]);
    let (events, counts) = events(&stream.bytes, ProgramSelection::First);
    let expected = Counts {
        packets: 8,
        transport_errors: 1,
        malformed_packets: 1,
        duplicates: 1,
        scrambled_packets: 1,
        units: 2,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
    let faults: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Fault(fault) => Some(fault.to_string()),
            _ => None,
        })
        .collect();
    let expected = [
        "at byte 752, PID 256: packet marked as damaged on its way",
        "at byte 940, PID 256: packet of the reserved kind, without payload and adaptation field",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn a_clock_that_begins_anew_is_told_with_the_next_unit() {
    let mut stream = Stream188::usual();
    stream.pictures(256, Some(900_000_000), &[SPS, PPS, IDR]);
    stream.payload(256, false, &[0; 100], 0x80);
    stream.pictures(256, Some(0), &[SPS, PPS, IDR]);
    stream.pictures(256, Some(3_600), &[SLICE]);
    let (events, _) = events(&stream.bytes, ProgramSelection::First);
    let marks: Vec<bool> = events
        .iter()
        .filter_map(|event| match event {
            Event::Unit(unit) => Some(unit.discontinuity),
            _ => None,
        })
        .collect();
    // The one that was open ends where the next begins, and is told of it first.
    assert_eq!(marks, [true, false, false]);
}

#[test]
fn an_access_unit_without_an_end_costs_itself() {
    let mut stream = Stream188::usual();
    stream.pictures(256, Some(0), &[SPS, PPS, IDR]);
    for _ in 0..crate::MAX_UNIT / 180 + 10 {
        stream.payload(256, false, &[7; 180], 0);
    }
    stream.pictures(256, Some(3_600), &[SPS, PPS, IDR]);
    let (events, counts) = events(&stream.bytes, ProgramSelection::First);
    let faults = events
        .iter()
        .filter(|event| matches!(event, Event::Fault(_)));
    assert_eq!(
        (faults.count(), counts.units, counts.damaged_units),
        (1, 1, 1)
    );
    let track = events.iter().find_map(|event| match event {
        Event::Track(track) => Some(track),
        _ => None,
    });
    assert!(matches!(
        track.map(|track| &track.codec),
        Some(Codec::H264(_))
    ));
}

#[test]
fn sections_that_are_damaged_are_told_and_leave_the_table_as_it_was() {
    let mut stream = Stream188::usual();
    stream.pictures(256, Some(0), &[SPS, PPS, IDR]);
    stream.program(1, 1, &[(0x1b, 300)]);
    let length = stream.bytes.len();
    stream.bytes[length - 6] ^= 1;
    stream.pictures(256, Some(3_600), &[SLICE]);
    let (events, counts) = events(&stream.bytes, ProgramSelection::First);
    assert_eq!((counts.malformed_sections, counts.units), (1, 2));
    let fault = events.iter().find_map(|event| match event {
        Event::Fault(fault) => Some(fault.to_string()),
        _ => None,
    });
    let expected = "at byte 564, PID 4097: section of table 2 with a wrong checksum";
    assert_eq!(fault.as_deref(), Some(expected));
}

/// A program of pictures on PID 256 and of streams with descriptors on those that follow.
fn with_data(streams: &[(u8, &[u8])]) -> Stream188 {
    let mut stream = Stream188::default();
    stream.list(0, &[1]);
    let pictures = Stream {
        kind: 0x1b,
        pid: 256,
        descriptors: Vec::new(),
    };
    let others = (257..)
        .zip(streams)
        .map(|(pid, (kind, descriptors))| Stream {
            kind: *kind,
            pid,
            descriptors: descriptors.to_vec(),
        });
    let pmt = Pmt {
        program: 1,
        version: 0,
        current: true,
        clock_pid: 256,
        descriptors: Vec::new(),
        streams: std::iter::once(pictures).chain(others).collect(),
    };
    stream.section(0x1001, &pmt.write().unwrap());
    stream
}

/// A PES packet of data.
fn packet_of_data(stream_id: u8, pts: Option<i64>, data: &[u8]) -> Vec<u8> {
    let fields = pts.map(|pts| crate::time::write(2, pts).to_vec());
    let fields = fields.unwrap_or_default();
    let length = (3 + fields.len() + data.len()) as u16;
    let flags = if pts.is_some() { 0x80 } else { 0 };
    let mut pes = vec![0, 0, 1, stream_id];
    pes.extend(length.to_be_bytes());
    pes.extend([0x84, flags, fields.len() as u8]);
    pes.extend(fields);
    pes.extend_from_slice(data);
    pes
}

#[test]
fn key_length_value_comes_in_both_forms() {
    let registered = [&[5, 4][..], b"KLVA"].concat();
    let described = [&[0x26, 6, 1, 0][..], b"KLVA"].concat();
    let mut stream = with_data(&[(0x06, &registered), (0x15, &described)]);
    let triplet = [&[0x06, 0x0e, 0x2b, 0x34][..], b"value"].concat();
    let cell = [&[0, 1, 0xdf, 0, triplet.len() as u8][..], &triplet].concat();
    // Before anything tells the time of the program.
    stream.payload(257, true, &packet_of_data(0xbd, None, &triplet), 0);
    stream.pictures(256, Some(9_000), &[SPS, PPS, IDR]);
    stream.payload(257, true, &packet_of_data(0xbd, None, &triplet), 0);
    stream.payload(258, true, &packet_of_data(0xfc, Some(9_500), &cell), 0);
    // As some send it without its cell.
    stream.payload(258, true, &packet_of_data(0xfc, Some(9_600), &triplet), 0);
    let (events, counts) = events(&stream.bytes, ProgramSelection::First);
    let tracks = events.iter().filter_map(|event| match event {
        Event::Track(track) => Some((track.id.0, track.codec.name())),
        _ => None,
    });
    // Data is known before its first unit comes.
    let tracks: Vec<_> = tracks.collect();
    assert_eq!(tracks, [(1, "KLV"), (2, "KLV"), (0, "H264")]);
    let units: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Unit(unit) if unit.track.0 > 0 => {
                assert_eq!(unit.payload, triplet);
                Some((unit.track.0, unit.pts))
            }
            _ => None,
        })
        .collect();
    assert_eq!(units, [(1, 9_000), (2, 9_500), (2, 9_600)]);
    assert_eq!(counts.units_without_time, 1);
}

#[test]
fn splices_count_from_the_clock_of_the_program() {
    let mut stream = with_data(&[(0x86, &[])]);
    let section = crate::splice::insert(180_000);
    stream.section(257, &section);
    stream.pictures(256, Some(90_000), &[SPS, PPS, IDR]);
    stream.section(257, &section);
    let mut damaged = section.clone();
    damaged[14] ^= 1;
    stream.section(257, &damaged);
    let (events, counts) = events(&stream.bytes, ProgramSelection::First);
    let mut units = events.iter().filter_map(|event| match event {
        Event::Unit(unit) if unit.track.0 == 1 => Some(unit),
        _ => None,
    });
    let unit = units.next().unwrap();
    assert_eq!(unit.pts, 90_000);
    // In a second from there.
    assert_eq!(
        crate::splice::later(&unit.payload, 90_000).unwrap(),
        section
    );
    assert!(units.next().is_none());
    assert_eq!(
        (counts.units_without_time, counts.malformed_sections),
        (1, 1)
    );
}
