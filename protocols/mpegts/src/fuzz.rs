//! Entry points for fuzzing, with the seeds they start from. Not part of the crate's interface.

#![expect(clippy::expect_used, reason = "a broken invariant has to end the run")]

mod rounds;
mod streams;

pub use rounds::{constant_rate, muxer};

use crate::aligner::Aligner;
use crate::boundary;
use crate::demuxer::{Demuxer, Event, ProgramSelection};
use crate::muxer::Muxer;
use crate::packet::{SIZE, SYNC};
use crate::pes::{Part, Reader};
use crate::psi::sections::{MAX_SECTION, Sections};
use crate::psi::{Pat, Pmt, crc32};
use crate::splice::{self, Splice};
use bytes::Bytes;
use media::codec::{aac, h264, nal};
use media::{AccessUnit, Codec, Data, Kind, Timebase, Track, TrackId};
use std::time::Duration;

/// Input: the size of pieces (1 byte), then a stream. However it is cut, the same packets are found.
pub fn aligner(data: &[u8]) {
    let Some((piece, data)) = data.split_first() else {
        return;
    };
    let find = |piece: usize| {
        let mut aligner = Aligner::default();
        let mut found = Vec::new();
        for piece in data.chunks(piece) {
            aligner.push(piece, |position, packet| found.push((position, *packet)));
        }
        aligner.flush(|position, packet| found.push((position, *packet)));
        (found, aligner.counts())
    };
    let whole = find(data.len().max(1));
    assert_eq!(find(usize::from(*piece).max(1)), whole);
    let (found, counts) = whole;
    let mut end = 0;
    for (position, packet) in &found {
        let position = *position as usize;
        assert!(position >= end && packet.first() == Some(&SYNC));
        assert_eq!(data.get(position..position + SIZE), Some(&packet[..]));
        end = position + SIZE;
        // When it was is written as it was read, but for what such a time rounds off.
        if let Some(time) = boundary::read(packet) {
            let again = boundary::read(&boundary::packet(0x100, 0, time));
            assert!(again.is_some_and(|again| again.abs_diff(time).as_nanos() < 2));
        }
    }
    assert!(counts.skipped_bytes as usize + found.len() * SIZE <= data.len());
}

/// Input: payloads of packets, each behind a byte whose highest bit says that a unit begins in it, with the length in
/// the others.
fn payloads(mut data: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = data.split_first()?;
        let length = usize::from(head & 0x7f).min(rest.len());
        let (payload, rest) = rest.split_at_checked(length)?;
        data = rest;
        Some((head & 0x80 != 0, payload))
    })
}

/// Input: as for payloads. Tables that are read and written are read as the same again.
pub fn sections(data: &[u8]) {
    let mut sections = Sections::default();
    for (unit_start, payload) in payloads(data) {
        let pushed = sections.push(unit_start, payload, |section| {
            assert!((3..=MAX_SECTION).contains(&section.len()));
            if let Ok(pat) = Pat::parse(section) {
                let again = Pat {
                    current: true,
                    section: (0, 0),
                    ..pat
                };
                let written = again.write().expect("as many programs as there were");
                assert_eq!(Pat::parse(&written), Ok(again));
            }
            if let Ok(pmt) = Pmt::parse(section) {
                let again = Pmt {
                    current: true,
                    ..pmt
                };
                if let Some(written) = again.write() {
                    assert_eq!(Pmt::parse(&written), Ok(again));
                }
            }
        });
        if pushed.is_err() {
            sections.lost();
        }
    }
}

/// Input: a splice information section without its checksum. What is read moves with the section's times.
pub fn splices(data: &[u8]) {
    let section = [data, &crc32(data).to_be_bytes()].concat();
    let Some(read) = Splice::parse(&section) else {
        return;
    };
    assert!(read.after.is_none_or(|after| after < 1 << 33));
    let moved = splice::later(&section, 1).expect("it was whole");
    let after = read.after.map(|after| (after + 1) % (1 << 33));
    assert_eq!(Splice::parse(&moved), Some(Splice { after, ..read }));
}

/// Input: as for payloads. No more comes out than went in, in the order of a PES packet's parts.
pub fn pes(data: &[u8]) {
    let mut reader = Reader::default();
    let mut open = false;
    for (unit_start, payload) in payloads(data) {
        let mut given = 0;
        let pushed = reader.push(unit_start, payload, |part| match part {
            Part::Begin(header) => {
                assert!(!open, "a packet within a packet");
                assert!(header.dts.is_none() || header.pts.is_some());
                open = true;
            }
            Part::Data(data) => {
                assert!(open);
                given += data.len();
            }
            Part::End => assert!(std::mem::take(&mut open)),
        });
        assert!(given <= payload.len());
        if pushed.is_err() && payload.len() % 2 == 0 {
            reader.lost();
        }
    }
}

fn events(data: &[u8], piece: usize) -> (Vec<Event>, Demuxer) {
    events_of(Demuxer::default(), &[data], piece)
}

/// What comes of stretches of a stream, in pieces of that size.
fn events_of(
    mut demuxer: Demuxer,
    stretches: &[impl AsRef<[u8]>],
    piece: usize,
) -> (Vec<Event>, Demuxer) {
    let mut events = Vec::new();
    for (number, stretch) in stretches.iter().enumerate() {
        if number > 0 {
            demuxer.next_segment();
        }
        for piece in stretch.as_ref().chunks(piece) {
            demuxer.push(piece);
            events.extend(std::iter::from_fn(|| demuxer.pull()));
        }
    }
    demuxer.flush();
    events.extend(std::iter::from_fn(|| demuxer.pull()));
    (events, demuxer)
}

/// Input: the size of pieces (1 byte), then a stream. However it is cut, the same comes out, and can be muxed.
pub fn demuxer(data: &[u8]) {
    let Some((piece, data)) = data.split_first() else {
        return;
    };
    demuxed(Demuxer::default, &[data], usize::from(*piece));
}

/// Input: the size of pieces (1 byte), what is asked for (1 byte: encrypted samples in the lowest bit, the number of
/// the program in the others), then records (`streams`). The same holds as for streams of bytes.
pub fn programs(data: &[u8]) {
    let Some(([piece, asked_for], records)) = data.split_first_chunk() else {
        return;
    };
    let stretches = streams::stretches(records);
    demuxed(|| asked(*asked_for), &stretches, usize::from(*piece));
}

fn asked(for_what: u8) -> Demuxer {
    let demuxer = Demuxer::new(match for_what >> 1 {
        0 => ProgramSelection::First,
        number => ProgramSelection::Number(number.into()),
    });
    match for_what & 1 {
        0 => demuxer,
        _ => demuxer.with_encrypted_samples(),
    }
}

fn demuxed(make: impl Fn() -> Demuxer, stretches: &[impl AsRef<[u8]>], piece: usize) {
    let (whole, demuxer) = events_of(make(), stretches, usize::MAX);
    let (pieces, _) = events_of(make(), stretches, piece.max(1));
    assert_eq!(whole, pieces);
    let units = whole.iter().filter(|event| matches!(event, Event::Unit(_)));
    assert_eq!(demuxer.counts().units, units.count() as u64);

    let mut tracks: Vec<Track> = Vec::new();
    let mut muxer = Muxer::default();
    let mut again = Demuxer::default();
    for event in whole {
        match event {
            Event::Track(track) => {
                tracks.retain(|known| known.id != track.id);
                tracks.push(track);
                let carried = tracks
                    .iter()
                    .filter(|track| Muxer::carries(&track.codec).is_ok());
                let carried: Vec<Track> = carried.cloned().collect();
                // Parameter sets and descriptions of any length are kept, but tables have a limit.
                let _ = muxer.set_tracks(&carried);
            }
            Event::Unit(unit) => {
                let track = tracks.iter().find(|track| track.id == unit.track);
                let track = track.expect("a unit before its track");
                assert!(!unit.payload.is_empty());
                if track.kind() == Kind::Video {
                    assert!(
                        nal::units(&unit.payload).all(|nal| nal.is_ok_and(|nal| !nal.is_empty()))
                    );
                } else {
                    assert!(unit.dts == unit.pts && unit.random_access);
                }
                let _ = muxer.push(&unit);
            }
            Event::Program(_) | Event::Fault(_) => {}
        }
        mux_on(&mut muxer, &mut again);
    }
    muxer.flush();
    mux_on(&mut muxer, &mut again);
    again.flush();
    // Whatever it is, it is carried as the standard wants it.
    let counts = again.counts();
    let faults = [
        again.aligner_counts().skipped_bytes,
        counts.transport_errors,
        counts.malformed_packets,
        counts.continuity_errors,
        counts.duplicates,
        counts.scrambled_packets,
        counts.malformed_sections,
        counts.malformed_pes,
    ];
    assert_eq!(faults, [0; 8]);
}

fn mux_on(muxer: &mut Muxer, again: &mut Demuxer) {
    while let Some(chunk) = muxer.pull() {
        assert!(chunk.data.chunks(SIZE).all(|packet| packet.len() == SIZE));
        again.push(&chunk.data);
        while again.pull().is_some() {}
    }
}

/// A sequence and a picture parameter set: Constrained Baseline, 640x360.
const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

/// A section of splice information: `splice_null`.
const SPLICE: &[u8] = &[
    0xfc, 0x30, 0x11, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0, 0, 0, 0, 0x7a, 0x4f, 0xbf, 0xff,
];

/// Another without its checksum: `splice_insert` with a time and a length.
const INSERT: &[u8] = &[
    0xfc, 0x30, 0x25, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0x14, 5, 0, 0, 0, 9, 0x7f, 0xef, 0xfe, 0, 0,
    1, 0, 0xfe, 0, 0x52, 0xcc, 0xf5, 0, 1, 0, 0, 0, 0,
];

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);

/// A track of pictures and one of sound.
pub fn tracks() -> [Track; 2] {
    let [sps, pps] = [SPS, PPS].map(|set| vec![Bytes::from_static(set)]);
    let config = h264::Config::new(sps, pps).expect("parameter sets of a real encoder");
    let sound = aac::Config::low_complexity(48_000, 2).expect("as usual");
    [
        Track {
            id: VIDEO,
            timebase: Timebase::VIDEO,
            codec: Codec::H264(config),
        },
        Track {
            id: AUDIO,
            timebase: sound.sample_rate,
            codec: Codec::Aac(sound),
        },
    ]
}

fn unit(track: TrackId, (dts, pts): (i64, i64), random_access: bool, payload: Bytes) -> AccessUnit {
    AccessUnit {
        track,
        dts,
        pts,
        random_access,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload,
    }
}

/// A picture of slices that hold the bytes, without zeros.
fn picture(kind: u8, dts: i64, pts: i64, bytes: &[u8]) -> AccessUnit {
    let key = kind & 2 != 0;
    let slices = if kind & 4 != 0 { 3 } else { 1 };
    let mut payload = Vec::new();
    for (number, part) in bytes
        .chunks((bytes.len() / slices).max(1))
        .take(4)
        .enumerate()
    {
        payload.extend((part.len() as u32 + 2).to_be_bytes());
        // The first slice of a picture, or a later one.
        let first = if number == 0 { 0x88 } else { 0x48 };
        payload.extend([if key { 0x65 } else { 0x41 }, first]);
        payload.extend(part.iter().map(|byte| (*byte).max(1)));
    }
    if payload.is_empty() {
        payload.extend([0, 0, 0, 2, if key { 0x65 } else { 0x41 }, 0x88]);
    }
    unit(VIDEO, (dts, pts), key, payload.into())
}

/// A stream of some pictures and sound.
fn stream() -> Vec<u8> {
    let mut muxer = Muxer::default();
    muxer
        .set_tracks(&tracks())
        .expect("tracks that are carried");
    for number in 0..6i64 {
        let kind = if number % 3 == 0 { 2 } else { 4 };
        let time = 90_000 + number * 3_600;
        let unit = picture(kind, time, time, &[7; 500]);
        muxer.push(&unit).expect("a unit that is carried");
        for half in 0..2 {
            let time = 48_000 + (number * 2 + half) * 1_024;
            let unit = self::unit(AUDIO, (time, time), true, Bytes::from_static(&[0x21; 60]));
            muxer.push(&unit).expect("a unit that is carried");
        }
    }
    muxer.flush();
    std::iter::from_fn(|| muxer.pull())
        .flat_map(|chunk| chunk.data)
        .collect()
}

/// A picture, and data of every kind.
fn stream_of_data() -> Vec<u8> {
    let descriptor = Bytes::from_static(b"eng\x10\x00\x01\x00\x01");
    let kinds = [
        (Data::Klv, vec![6, 0x0e, 0x2b, 0x34, 1]),
        (Data::Id3, b"ID3\x04".to_vec()),
        (Data::Scte35, SPLICE.to_vec()),
        (Data::Teletext(descriptor.slice(..5)), vec![0x10; 47]),
        (Data::DvbSubtitles(descriptor), vec![0x20; 9]),
    ];
    let [video, _] = tracks();
    let data = (1..).zip(&kinds).map(|(number, (data, _))| Track {
        id: TrackId(number),
        codec: Codec::Data(data.clone()),
        timebase: Timebase::VIDEO,
    });
    let mut muxer = Muxer::default();
    muxer
        .set_tracks(&std::iter::once(video).chain(data).collect::<Vec<_>>())
        .expect("tracks that are carried");
    for time in [0, 3_600] {
        let picture = picture(2, time, time, &[7; 50]);
        muxer.push(&picture).expect("a unit that is carried");
        for (number, (_, payload)) in (1..).zip(&kinds) {
            let payload = Bytes::copy_from_slice(payload);
            let unit = unit(TrackId(number), (time, time), true, payload);
            muxer.push(&unit).expect("a unit that is carried");
        }
    }
    std::iter::from_fn(|| muxer.pull())
        .flat_map(|chunk| chunk.data)
        .collect()
}

/// Inputs to start from: target, name, bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let stream = stream();
    let packets = stream.as_chunks::<SIZE>().0;
    let with = |before: &[u8], behind: &[u8]| -> Vec<u8> {
        let packets = packets
            .iter()
            .flat_map(|packet| [before, packet, behind].concat());
        std::iter::once(199).chain(packets).collect()
    };
    let mut payloads = Vec::new();
    for packet in packets {
        let packet = crate::packet::Packet::parse(packet).expect("our own packet");
        for (number, part) in packet.payload.unwrap_or_default().chunks(127).enumerate() {
            let start = if packet.unit_start && number == 0 {
                0x80
            } else {
                0
            };
            payloads.push((packet.pid, [&[start | part.len() as u8], part].concat()));
        }
    }
    let of = |pids: &[u16]| -> Vec<u8> {
        let mut of = payloads.clone();
        of.retain(|(pid, _)| pids.contains(pid));
        of.into_iter().flat_map(|(_, payload)| payload).collect()
    };
    let noon = Duration::new(1_795_003_200, 123_456_789);
    let boundaries = packets
        .iter()
        .flat_map(|packet| [boundary::packet(0x100, 0, noon), *packet]);
    let boundaries = std::iter::once([199].as_slice())
        .map(<[u8]>::to_vec)
        .chain(boundaries.map(Vec::from))
        .flatten()
        .collect();
    let mut gap = with(&[], &[]);
    gap.drain(1_000..1_400);
    let mut seeds = vec![
        ("aligner", "188", with(&[], &[])),
        ("aligner", "192", with(&[0, 1, 2, 3], &[])),
        ("aligner", "204", with(&[], &[9; 16])),
        ("aligner", "gap", gap.clone()),
        ("aligner", "boundaries", boundaries),
        ("sections", "tables", of(&[0, 0x1000])),
        ("splice", "null", SPLICE[..SPLICE.len() - 4].to_vec()),
        ("splice", "insert", INSERT.to_vec()),
        ("pes", "pictures", of(&[0x100])),
        ("pes", "sound", of(&[0x101])),
        ("demuxer", "whole", with(&[], &[])),
        ("demuxer", "gap", gap),
        ("demuxer", "data", [&[188][..], &stream_of_data()].concat()),
    ];
    for (name, input) in rounds::seeds() {
        // A rate that is enough, but for the slowest.
        let rate: [u8; 2] = if name == "mp3-teletext" {
            [0, 40]
        } else {
            [1, 0]
        };
        seeds.push(("constant_rate", name, [&rate[..], &input].concat()));
        seeds.push(("muxer", name, input));
    }
    for (name, records) in streams::seeds() {
        let stream = streams::stretches(records.get(2..).unwrap_or_default());
        // Long ones are left to records, and the longest is the usual one.
        if !matches!(name, "damage" | "beyond") {
            seeds.push(("demuxer", name, [vec![188], stream.concat()].concat()));
        }
        seeds.push(("programs", name, records));
    }
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

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
                "aligner" => aligner,
                "sections" => sections,
                "splice" => splices,
                "pes" => pes,
                "demuxer" => demuxer,
                "programs" => programs,
                "constant_rate" => constant_rate,
                _ => muxer,
            };
            run(&seed);
            // Whole streams take longer.
            let rounds = match target {
                "demuxer" | "programs" => 15,
                "constant_rate" | "muxer" => 40,
                _ => 300,
            };
            for _ in 0..rounds {
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

    /// What each stream is there for comes out of it: codecs, units, and what is wrong.
    #[test]
    fn seeds_reach_their_ends() {
        let ends: [(&str, &[&str], usize, usize); 24] = [
            ("whole", &["H264", "AAC"], 18, 0),
            ("gap", &["H264", "AAC"], 16, 1),
            (
                "data",
                &["KLV", "ID3", "SCTE-35", "teletext", "DVB subtitles"],
                12,
                0,
            ),
            ("h265", &["H265"], 8, 0),
            ("order", &["H264"], 9, 0),
            ("latm", &["AAC"], 7, 1),
            ("opus", &["Opus"], 4, 1),
            ("opus-surround", &["Opus"], 1, 1),
            ("mp3", &["MP3"], 6, 1),
            ("mp3-22", &["MP3"], 6, 1),
            ("mp2", &["MP2"], 6, 1),
            ("ac3", &["AC-3"], 6, 1),
            ("eac3", &["E-AC-3"], 6, 1),
            ("ac3-dvb", &["AC-3", "E-AC-3"], 3, 0),
            (
                "cells",
                &["KLV", "ID3", "teletext", "DVB subtitles", "SCTE-35"],
                11,
                2,
            ),
            ("programs", &["H264", "AAC"], 6, 0),
            ("sound-alone", &["AAC"], 4, 0),
            ("versions", &["H264", "H265", "AAC", "MP3"], 11, 0),
            ("in-front", &["H264", "AAC"], 5, 0),
            ("damage", &["H264", "AAC", "Opus", "MP3", "AC-3"], 139, 17),
            ("beyond", &["Opus", "AAC", "teletext"], 0, 6),
            ("names", &["teletext", "DVB subtitles"], 0, 0),
            ("second", &["AAC"], 4, 0),
            ("segments", &["H264", "AAC", "E-AC-3"], 12, 0),
        ];
        for (target, name, seed) in seeds() {
            let events = match (target, name) {
                // They ask for something, which streams of bytes alone cannot.
                ("demuxer", "second" | "segments") => continue,
                ("demuxer", _) => events(&seed[1..], SIZE).0,
                ("programs", _) => {
                    events_of(asked(seed[1]), &streams::stretches(&seed[2..]), SIZE).0
                }
                _ => continue,
            };
            let mut ends = ends.iter();
            let (_, codecs, units, faults) = ends.find(|end| end.0 == name).unwrap();
            let names = events.iter().filter_map(|event| match event {
                Event::Track(track) => Some(track.codec.name()),
                _ => None,
            });
            let names: Vec<_> = names.collect();
            assert!(
                codecs.iter().all(|codec| names.contains(codec)),
                "{name}: {names:?}"
            );
            let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
            let found = (
                count(|event| matches!(event, Event::Unit(_))),
                count(|event| matches!(event, Event::Fault(_))),
            );
            assert_eq!(found, (*units, *faults), "{name}");
        }
    }
}
