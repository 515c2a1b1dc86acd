//! Entry points for fuzzing, with the seeds they start from. Not part of the crate's interface.

#![expect(clippy::expect_used, reason = "a broken invariant has to end the run")]

mod excerpts;
mod files;
mod tracks;

pub use excerpts::excerpt;
pub use files::{Found, files, fragmented, plain, read, read_in_segments, reader, segments};
pub use tracks::tracks;

use crate::fragment::{Capture, Event, Front, Run, Sample, write, write_behind};
use crate::index::{Captured, Excerpt, Index, Piece, fragments};
use crate::{boxes, track_number};
use bytes::Bytes;
use media::codec::{aac, h264};
use media::{Codec, Timebase, Track, TrackId};
use mp4_atom::{Decode, Header, Moof};
use std::time::Duration;

/// H.264 of 640x360 in milliseconds, track 0.
pub fn video_track() -> Track {
    const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];
    const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
    let sets = |set| vec![Bytes::from_static(set)];
    let config = h264::Config::new(sets(SPS), sets(PPS)).expect("a known configuration");
    Track {
        id: TrackId(0),
        codec: Codec::H264(config),
        timebase: Timebase::MILLIS,
    }
}

/// AAC-LC, 44.1 kHz, stereo, track 1.
pub fn audio_track() -> Track {
    let config = aac::Config::low_complexity(44_100, 2).expect("a known configuration");
    Track {
        id: TrackId(1),
        timebase: config.sample_rate,
        codec: Codec::Aac(config),
    }
}

/// Reads a fragment with another implementation and compares it with what it was made of.
pub fn check(sequence: u32, runs: &[Run<'_>], bytes: &Bytes) {
    let mut rest = &bytes[..];
    let moof = Moof::decode(&mut rest).expect("a moof");
    let header = Header::decode(&mut rest).expect("a box behind it");
    assert_eq!(
        (header.kind.as_ref(), header.size),
        (b"mdat", Some(rest.len()))
    );
    assert_eq!(moof.mfhd.sequence_number, sequence);
    assert_eq!(moof.traf.len(), runs.len());
    let mut end = bytes.len() - rest.len();
    for (run, traf) in runs.iter().zip(&moof.traf) {
        assert_eq!(traf.tfhd.track_id, track_number(run.track.id));
        assert!(traf.tfhd.default_base_is_moof);
        let base = traf.tfdt.as_ref().expect("a tfdt").base_media_decode_time;
        assert_eq!(base, run.base_decode_time);
        let [trun] = &traf.trun[..] else {
            unreachable!("one trun in each traf")
        };
        let mut at = trun.data_offset.expect("an offset") as usize;
        assert_eq!(at, end, "runs lie one behind the other");
        assert_eq!(trun.samples.len(), run.samples.len());
        for (sample, entry) in run.samples.iter().zip(&trun.samples) {
            let value = |own: Option<u32>, default: Option<u32>| own.or(default).expect("a value");
            let duration = value(entry.duration, traf.tfhd.default_sample_duration);
            let flags = value(entry.flags, traf.tfhd.default_sample_flags);
            let size = value(entry.size, traf.tfhd.default_sample_size) as usize;
            let payload = bytes.get(at..at + size).expect("a payload");
            assert_eq!(duration, sample.duration);
            assert_eq!(entry.cts.unwrap_or(0), sample.composition_offset.into());
            assert_eq!(flags & 0x1_0000 == 0, sample.random_access);
            assert_eq!(flags & 0x80_0000 != 0, sample.disposable);
            assert_eq!(payload, &sample.payload[..]);
            at += size;
        }
        end = at;
    }
    assert_eq!(end, bytes.len());
}

/// Input: sequence number (1 byte), base decode time (8 bytes), then samples: flags (bit 0 track, 1 random
/// access, 2 disposable, 3 offset is meant), duration (2 bytes), offset (2 bytes), length (1 byte), payload.
pub fn fragment(data: &[u8]) {
    let Some(([sequence, time @ ..], mut data)) = data.split_first_chunk::<9>() else {
        return;
    };
    let mut samples: [Vec<Sample>; 2] = Default::default();
    while let Some(([flags, d1, d0, o1, o0, length], rest)) = data.split_first_chunk() {
        let length = usize::from(*length).min(rest.len());
        let (payload, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        data = rest;
        let offset = i32::from(i16::from_be_bytes([*o1, *o0])) << (flags >> 4);
        let [video, audio] = &mut samples;
        let track = if flags & 1 == 0 { video } else { audio };
        track.push(Sample {
            duration: u16::from_be_bytes([*d1, *d0]).into(),
            composition_offset: if flags & 8 == 0 { 0 } else { offset },
            random_access: flags & 2 != 0,
            disposable: flags & 4 != 0,
            payload: Bytes::copy_from_slice(payload),
        });
    }
    let tracks = [video_track(), audio_track()];
    let runs: Vec<Run<'_>> = tracks
        .iter()
        .zip(&samples)
        .filter(|(_, samples)| !samples.is_empty())
        .map(|(track, samples)| Run {
            track,
            base_decode_time: u64::from_be_bytes(*time),
            samples,
        })
        .collect();
    let sequence = (*sequence).into();
    check(sequence, &runs, &write(sequence, &runs));
    let Some(first) = runs.first() else { return };
    // In front may stand when a sample was captured, up to 2043 here, and what happens.
    let since_1970 = Duration::from_nanos(u64::from_be_bytes(*time) >> 3);
    let media_time = u64::from_be_bytes(*time);
    let event = Event {
        scheme: "urn:scte:scte35:2013:bin",
        id: sequence,
        time: media_time,
        message: first
            .samples
            .first()
            .map(|sample| sample.payload.clone())
            .unwrap_or_default(),
    };
    let front = Front {
        capture: Some(Capture {
            track: first.track,
            media_time,
            since_1970,
        }),
        events: std::slice::from_ref(&event),
    };
    let mut bytes = write_behind(front, sequence, &runs);
    let captured = Captured::read(&bytes).expect("when it was captured");
    assert_eq!(captured.track, track_number(first.track.id));
    assert_eq!(captured.media_time, media_time);
    assert!(captured.since_1970.abs_diff(since_1970).as_nanos() < 2);
    let mut kinds = Vec::new();
    while let Some(header) = boxes::Header::read(&bytes).filter(|header| &header.kind != b"moof") {
        let whole = bytes.split_to(header.size.expect("of a size") as usize);
        if &header.kind == b"emsg" {
            assert!(whole.ends_with(&event.message));
        }
        kinds.push(header.kind);
    }
    assert_eq!(kinds, [*b"prft", *b"emsg"]);
    check(sequence, &runs, &bytes);
}

/// Input: a `moov` box, then `moof` boxes, each behind its length (2 bytes); behind the length of a `moof`
/// stands how many bytes of media follow it (2 bytes). An excerpt of them is as long as its parts.
pub fn index(mut data: &[u8]) {
    let Some(moov) = take(&mut data) else { return };
    let moov = Bytes::copy_from_slice(moov);
    // It may be something else, or that of a complete file.
    if let Some(captured) = Captured::read(&moov) {
        assert!(captured.since_1970 < Duration::from_secs(1 << 33));
    }
    let _ = fragments(&moov, moov.len() as u64);
    let Ok(mut index) = Index::new(&moov) else {
        return;
    };
    let mut excerpt = Excerpt::new(&moov).ok().and_then(|mut excerpt| {
        let (from, until) = (Duration::from_millis(40), Duration::from_secs(1 << 20));
        excerpt.begin(0, &moov, from, until).ok()?;
        Some(excerpt)
    });
    let mut at = moov.len() as u64;
    // As many fragments as a file of minutes has: the tables grow with their samples.
    for number in 0..16 {
        let Some(moof) = take(&mut data) else { break };
        let Some((media, rest)) = data.split_first_chunk() else {
            break;
        };
        data = rest;
        let end = at + moof.len() as u64 + u64::from(u16::from_be_bytes(*media));
        let before = index.samples();
        let pushed = index.push(at, end, moof);
        assert!(pushed.is_ok() || index.samples() == before);
        // An excerpt keeps more of each sample.
        if let Some(excerpt) = excerpt.as_mut().filter(|_| number < 4) {
            let taken = excerpt.push(at, end, moof);
            assert_eq!(taken.is_ok(), pushed.is_ok());
        }
        at = end;
    }
    if let Some(whole) = excerpt.and_then(|excerpt| excerpt.finish().ok()) {
        let pieces: u64 = whole.pieces.iter().map(|piece| piece.length).sum();
        assert_eq!(whole.length, whole.head.len() as u64 + pieces);
        let within = |piece: &Piece| piece.at >= moov.len() as u64 && piece.at + piece.length <= at;
        assert!(whole.pieces.iter().all(within));
    }
    if let Ok(moov) = index.write() {
        let body = boxes::child(&moov, b"moov").expect("whole boxes");
        let body = body.expect("a moov");
        assert!(boxes::children(&body).all(|child| child.is_ok()));
    }
}

/// What stands behind its length in two bytes.
fn take<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = data.split_first_chunk()?;
    let (taken, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    *data = rest;
    Some(taken)
}

/// An input of [`index`]: two tracks, and these fragments of them.
fn file(fragments: &[&[Run<'_>]]) -> Vec<u8> {
    let init = crate::init::write(&[video_track(), audio_track()]).expect("two tracks");
    let mut input = Vec::new();
    let mut put = |bytes: &[u8], kind: &[u8]| {
        let (size, _) = bytes.split_first_chunk().expect("a box");
        let (whole, rest) = bytes.split_at(u32::from_be_bytes(*size) as usize);
        if kind == b"ftyp" {
            return rest.to_vec();
        }
        input.extend(
            u16::try_from(whole.len())
                .expect("a small box")
                .to_be_bytes(),
        );
        input.extend(whole);
        if kind == b"moof" {
            input.extend(
                u16::try_from(rest.len())
                    .expect("little media")
                    .to_be_bytes(),
            );
        }
        Vec::new()
    };
    let moov = put(&init, b"ftyp");
    put(&moov, b"moov");
    for (sequence, runs) in (1..).zip(fragments) {
        put(&write(sequence, runs), b"moof");
    }
    input
}

/// Inputs to start from: target, name, bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let input = |samples: &[&[u8]]| {
        let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 3, 0xe8];
        bytes.extend(samples.concat());
        bytes
    };
    let idr: &[u8] = &[2, 0, 40, 0, 0, 3, 1, 2, 3];
    let p: &[u8] = &[0, 0, 40, 0, 0, 2, 4, 5];
    let b: &[u8] = &[0x0c, 0, 40, 0xff, 0xd8, 1, 6];
    let audio: &[u8] = &[3, 4, 0, 0, 0, 4, 7, 8, 9, 10];
    let (video, sound) = (video_track(), audio_track());
    let sample = |random_access, composition_offset| Sample {
        duration: 40,
        composition_offset,
        random_access,
        disposable: false,
        payload: Bytes::from_static(b"picture"),
    };
    let samples = [sample(true, 80), sample(false, 0)];
    let run = |track, base_decode_time| Run {
        track,
        base_decode_time,
        samples: &samples,
    };
    let mut seeds = vec![
        ("index", "none", file(&[])),
        (
            "index",
            "two",
            file(&[&[run(&video, 0), run(&sound, 9)], &[run(&video, 100)]]),
        ),
        (
            "index",
            "captured",
            [
                &[0, 40, 0, 0, 0, 32][..],
                b"prft",
                &[1, 0, 0, 0, 0, 0, 0, 1, 0xed, 0, 0, 0, 0x80, 0, 0, 0],
                &[0; 12],
            ]
            .concat(),
        ),
        ("fragment", "empty", input(&[])),
        ("fragment", "gop", input(&[idr, p, p])),
        ("fragment", "mixed", input(&[idr, audio, b, p, audio])),
        ("fragment", "audio", input(&[audio, audio])),
    ];
    seeds.extend(files::seeds());
    let tracks = tracks::seeds().into_iter();
    seeds.extend(tracks.map(|(name, input)| ("tracks", name, input)));
    let excerpts = excerpts::seeds().into_iter();
    seeds.extend(excerpts.map(|(name, input)| ("excerpt", name, input)));
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
        for (entry, _, seed) in seeds() {
            let run = match entry {
                "index" => index,
                "files" => files,
                "reader" => reader,
                "tracks" => tracks,
                "excerpt" => excerpt,
                _ => fragment,
            };
            run(&seed);
            // Files take longer.
            let rounds = match entry {
                "reader" | "tracks" => 50,
                "excerpt" => 100,
                _ => 1_000,
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

    /// Tracks, units and faults of the files, those of which nothing is wrong first.
    #[test]
    fn seeds_reach_their_ends() {
        let ends = [
            ("behind", (2, 9, 0)),
            ("goes-on", (2, 18, 0)),
            ("compact-sizes", (2, 9, 0)),
            ("bare-av1", (2, 7, 0)),
            ("bare-vp9", (2, 7, 0)),
            ("bare-ac3", (2, 7, 0)),
            ("bare-eac3", (2, 7, 0)),
            ("quicktime-mp3", (2, 7, 0)),
            ("no-number", (2, 7, 0)),
            ("edits", (2, 9, 2)),
            ("cut", (2, 7, 3)),
            ("failing", (2, 6, 2)),
            ("lost-senc", (2, 6, 1)),
        ];
        let named = |name: &str| match name {
            "plain" | "fragmented" => (2, 9, 0),
            // What is not carried, or cannot be: the other track is there.
            name if name.starts_with("g711") || name.starts_with("mu-law") => (1, 3, 1),
            "no-avcc" | "cenc" | "no-frma" | "no-tenc" | "twice" | "no-clock" => (1, 3, 1),
            name if name.starts_with("klv") => (0, 0, 2),
            _ => (2, 7, 0),
        };
        for (entry, name, seed) in seeds() {
            if entry != "reader" {
                continue;
            }
            let file = Bytes::copy_from_slice(&seed[1..]);
            let found = files::read_with_key(&file, tracks::KEY, seed[0].into(), 10_000);
            let expected = ends.iter().find(|end| end.0 == name);
            let expected = expected.map_or_else(|| named(name), |end| end.1);
            let (tracks, units) = (found.tracks.len(), found.units.len());
            assert_eq!((tracks, units, found.faults.len()), expected, "{name}");
        }
    }
}
