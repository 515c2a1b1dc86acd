//! Entry points for fuzzing, with the seeds they start from. Not part of the crate's interface.
//!
//! `playlist` compares with another parser and is there with the feature `fuzz` (and in unit tests).

use crate::client::{Choice, Client, Fetched, MAX_SEGMENT, Output};
use crate::packed::{Event, Packed};
use crate::read::{self, MAX_SEGMENTS, MAX_VARIANTS, Playlist as Read, Variables};
use crate::request::{Directives, MAX_MSN, MAX_PART};
use crate::samples::SampleKey;
use bytes::Bytes;
use media::Codec;
use media::codec::{aac, h264, nal};
use std::time::{Duration, Instant};
use url::Url;

/// Input: a query string. What is read is bounded, and reads the same when written again.
pub fn directives(data: &[u8]) {
    let query = String::from_utf8_lossy(data);
    let Ok(read) = Directives::parse(&query) else {
        return;
    };
    assert!(read.msn.is_none_or(|msn| msn <= MAX_MSN));
    assert!(read.part.is_none_or(|part| part <= MAX_PART));
    assert!(read.msn.is_some() || read.part.is_none());
    let mut again = String::new();
    for (name, value) in [("_HLS_msn", read.msn), ("_HLS_part", read.part)] {
        if let Some(value) = value {
            again.push_str(&format!("{name}={value}&"));
        }
    }
    let written = Directives { skip: None, ..read };
    assert_eq!(Directives::parse(&again), Ok(written));
}

/// Input: a playlist of someone else. What is read is within its bounds, and its numbers can be counted with.
pub fn read(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match read::parse(&text, &Variables::default(), "token=1") {
        Ok(Read::Media(media)) => {
            assert!(media.segments.len() <= MAX_SEGMENTS);
            assert!(media.target_duration >= Duration::from_secs(1));
            let next = media.next_sequence();
            assert!(media.segment(next).is_none() || next == u64::MAX);
            let first = media.media_sequence.saturating_add(media.skipped);
            assert_eq!(media.segment(first), media.segments.first());
            // What is left out is there again, or is missed.
            if let Ok(Read::Media(mut before)) = read::parse(&text, &Variables::default(), "") {
                let mut media = media;
                if media.complete(&mut before) {
                    assert!(media.skipped == 0 && media.segments.len() <= MAX_SEGMENTS);
                }
            }
        }
        Ok(Read::Multivariant(multivariant)) => {
            let variants = multivariant.variants.len();
            assert!((1..=MAX_VARIANTS).contains(&variants));
        }
        Err(_) => {}
    }
}

/// Input: bodies, each behind two bytes of its length, whose upper bit says that there is none; they are the answers to
/// what a player asks for, in that order. It asks for nothing twice without time between, and one file of each rendition
/// at a time; and a file leads to files, what is of a server to servers.
pub fn client(now: Instant, data: &[u8]) {
    for url in ["http://host/a/main.m3u8?x=y", "file:///a/main.m3u8"] {
        if let Ok(url) = Url::parse(url) {
            client_of(&url, now, data);
        }
    }
}

fn client_of(url: &Url, mut now: Instant, mut data: &[u8]) {
    let mut client = Client::new(url.clone(), Choice::default());
    let mut sequences = [None; 2];
    loop {
        match client.poll_output() {
            Output::Fetch(fetch) => {
                assert!(fetch.most <= MAX_SEGMENT);
                let is_file = |url: &Url| url.scheme() == "file";
                assert_eq!(is_file(&fetch.url), is_file(url));
                let Some(([high, low], rest)) = data.split_first_chunk() else {
                    return;
                };
                let length = usize::from(u16::from_be_bytes([high & 0x7f, *low]));
                let (body, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                data = rest;
                let answer = if high & 0x80 == 0 {
                    let body = Bytes::copy_from_slice(body);
                    let url = fetch.url.clone();
                    Ok(Fetched { url, body })
                } else {
                    Err("nothing is there".to_owned().into())
                };
                if client.handle_fetched(now, fetch.id, answer).is_err() {
                    return;
                }
            }
            Output::Piece(piece) => {
                assert!(piece.rendition < client.renditions());
                let last = sequences.get_mut(piece.rendition);
                let given = (piece.sequence, piece.part.is_some());
                let before: Option<(u64, bool)> = last.and_then(|last| last.replace(given));
                let goes_on = |(before, was_part)| {
                    before + 1 == piece.sequence || was_part && before == piece.sequence
                };
                let has_hole = piece.lost || piece.discontinuity;
                assert!(has_hole || before.is_none_or(goes_on));
            }
            Output::Fault(_) => {}
            Output::End => return,
            Output::Timeout(None) => return,
            Output::Timeout(Some(due)) => {
                assert!(due > now);
                now = due;
                client.handle_timeout(now);
            }
        }
    }
}

/// Input: segments of packed audio, each behind two bytes of its length. Frames are parts of what was put in, and those
/// behind the first of a segment go on.
pub fn packed(mut data: &[u8]) {
    let mut packed = Packed::default();
    while let Some(([high, low], rest)) = data.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (segment, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        data = rest;
        let _ = packed.push(&Bytes::copy_from_slice(segment));
        let mut bytes = 0;
        let mut before: Option<i64> = None;
        while let Some(event) = packed.pull() {
            match event {
                Event::Track(_) => before = None,
                Event::Unit(unit) => {
                    assert!(before.is_none_or(|before| before < unit.dts));
                    before = Some(unit.dts);
                    bytes += unit.payload.len();
                }
            }
        }
        assert!(bytes <= segment.len());
    }
}

/// Input: an access unit, taken for pictures and for sound. Opened, it is as long as before, or shorter by what protects
/// slices from start codes; what is clear stays as it is.
pub fn samples(data: &[u8]) {
    let key = SampleKey {
        secret: [1; 16],
        iv: [2; 16],
    };
    let unit = Bytes::copy_from_slice(data);
    if let Ok(config) = aac::Config::low_complexity(48_000, 2) {
        let opened = key.open(&Codec::Aac(config), unit.clone());
        assert_eq!(opened.len(), unit.len());
        let head = unit.len().min(16);
        assert_eq!(opened.get(..head), unit.get(..head));
    }
    let sets = |set: &'static [u8]| vec![Bytes::from_static(set)];
    let sps = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];
    let config = h264::Config::new(sets(sps), sets(&[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0]));
    if let Ok(config) = config {
        let opened = key.open(&Codec::H264(config), unit.clone());
        assert!(opened.len() <= unit.len());
        let heads = |payload: &[u8]| -> Vec<u8> {
            let units = nal::units(payload).map_while(Result::ok);
            units.filter_map(|unit| unit.first().copied()).collect()
        };
        assert_eq!(heads(&opened), heads(&unit));
    }
}

#[cfg(any(test, feature = "fuzz"))]
pub use playlist::playlist;

#[cfg(any(test, feature = "fuzz"))]
mod playlist {
    #![expect(clippy::expect_used, reason = "a broken invariant has to end the run")]

    use crate::media::{DateRange, OpenSegment, Part, Playlist, Segment};
    use crate::text::Uri;
    use std::time::{Duration, SystemTime};

    /// A segment as the input describes it.
    struct Model {
        uri: String,
        map: Option<String>,
        millis: u64,
        discontinuity: bool,
        date: Option<SystemTime>,
    }

    /// Input: target duration, sequence numbers (1 byte each), flags (bit 0 ended, 1 parts, 2 a range of dates, 3 to 7 how
    /// many segments are left out), then segments:
    /// flags (bit 0 discontinuity, 1 date, 2 map, 3 a new map), duration in ms (2 bytes), length of the URI (1
    /// byte), URI. Another parser reads what was put in.
    pub fn playlist(data: &[u8]) {
        let Some(([target, sequence, discontinuities, flags], data)) = data.split_first_chunk()
        else {
            return;
        };
        let models = models(data);
        let parts: Vec<Part<'_>> = models
            .iter()
            .map(|model| Part {
                uri: &model.uri,
                duration: Duration::from_millis(model.millis),
                independent: model.discontinuity,
            })
            .collect();
        let listed = if flags & 2 == 0 { &[][..] } else { &parts };
        let segments: Vec<Segment<'_>> = models
            .iter()
            .map(|model| Segment {
                uri: &model.uri,
                duration: Duration::from_millis(model.millis),
                parts: listed,
                discontinuity: model.discontinuity,
                program_date_time: model.date,
                map: model.map.as_deref(),
            })
            .collect();
        let range = models.first().filter(|_| flags & 4 != 0);
        let range = range.map(|model| DateRange {
            id: &model.uri,
            start: SystemTime::UNIX_EPOCH,
            duration: Some(Duration::from_millis(model.millis)),
            planned_duration: None,
            scte35_out: Some(model.uri.as_bytes()),
            scte35_in: None,
            scte35_command: None,
        });
        let ranges: Vec<_> = range.into_iter().collect();
        let playlist = Playlist {
            target_duration: (*target).into(),
            part_target: (flags & 2 != 0).then_some(Duration::from_millis(200)),
            can_skip_until: Some(Duration::from_secs(12)),
            is_recording: flags & 1 != 0,
            media_sequence: (*sequence).into(),
            discontinuity_sequence: (*discontinuities).into(),
            skipped: (flags >> 3).into(),
            date_ranges: &ranges,
            segments: &segments,
            open: (flags & 2 != 0).then_some(OpenSegment {
                parts: listed,
                ..OpenSegment::default()
            }),
            preload_hint: parts.first().map(|part| part.uri),
            rendition_reports: &[],
            ended: flags & 1 != 0,
        };
        let text = playlist.to_string();
        assert!(text.lines().all(|line| !line.is_empty()));

        let read = m3u8_rs::parse_media_playlist_res(text.as_bytes()).expect("a playlist");
        assert_eq!(read.version, Some(if playlist.skipped > 0 { 9 } else { 6 }));
        assert_eq!(read.target_duration, u64::from(*target));
        assert_eq!(read.media_sequence, u64::from(*sequence));
        assert_eq!(read.discontinuity_sequence, u64::from(*discontinuities));
        assert_eq!(read.end_list, playlist.ended);
        let vod = playlist
            .is_recording
            .then_some(m3u8_rs::MediaPlaylistType::Vod);
        assert_eq!(read.playlist_type, vod);
        assert_eq!(read.segments.len(), models.len());
        let mut map: Option<String> = None;
        for (read, model) in read.segments.iter().zip(&models) {
            assert_eq!(read.uri, Uri(&model.uri).to_string());
            let off = (f64::from(read.duration) - model.millis as f64 / 1_000.0).abs();
            assert!(off < 0.00001 + f64::from(read.duration) * f64::from(f32::EPSILON));
            assert_eq!(read.discontinuity, model.discontinuity);
            let date = read.program_date_time.map(SystemTime::from);
            assert_eq!(date, model.date);
            if let Some(read) = &read.map {
                map = Some(read.uri.clone());
            }
            if let Some(model) = &model.map {
                assert_eq!(map, Some(Uri(model).to_string()));
            }
        }
    }

    fn models(mut data: &[u8]) -> Vec<Model> {
        let mut models: Vec<Model> = Vec::new();
        let mut maps = 0;
        while let Some(([flags, d1, d0, length], rest)) = data.split_first_chunk() {
            let length = usize::from(*length).min(rest.len());
            let (uri, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            data = rest;
            let uri = String::from_utf8_lossy(uri);
            let millis = u16::from_be_bytes([*d1, *d0]).into();
            maps += u32::from(flags & 8 != 0);
            models.push(Model {
                // Never empty, which a URI in a playlist may not be, and without the commas that the
                // other parser would take for a second one behind EXTINF's.
                uri: format!("{}{}", uri.trim_start_matches(','), models.len()),
                map: (flags & 4 != 0).then(|| format!("init \"{maps}\".mp4")),
                millis,
                discontinuity: flags & 1 != 0,
                date: (flags & 2 != 0)
                    .then(|| SystemTime::UNIX_EPOCH + Duration::from_millis(millis * 7_654_321)),
            });
        }
        models
    }
}

/// Inputs to start from: target, name, bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let playlist = |head: [u8; 4], segments: &[&[u8]]| [&head[..], &segments.concat()].concat();
    let first: &[u8] = b"\x06\x07\xd0\x05a.m4s";
    let plain: &[u8] = b"\x04\x07\xd0\x05b.m4s";
    let changed: &[u8] = b"\x0f\x03\xe8\x05c.m4s";
    let odd: &[u8] = b"\x01\0\x01\x08#\"\r\n \xff,=";
    let bodies = |bodies: &[&[u8]]| {
        let with_length = |body: &&[u8]| [&(body.len() as u16).to_be_bytes(), *body].concat();
        bodies.iter().map(with_length).collect::<Vec<_>>().concat()
    };
    let multivariant = b"#EXTM3U\n#EXT-X-DEFINE:NAME=\"p\",VALUE=\"x\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",DEFAULT=YES,URI=\"a.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x2,AUDIO=\"a\"\n{$p}/v.m3u8\n";
    let media = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:9\n#EXT-X-MAP:URI=\"i\",BYTERANGE=\"9@1\"\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXT-X-PROGRAM-DATE-TIME:2026-11-27T08:00:00.5+01:00\n\
        #EXTINF:2,\n#EXT-X-BYTERANGE:5@6\ns\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-DISCONTINUITY\n#EXTINF:2.5\nt\n\
        #EXT-X-GAP\n#EXTINF:1\nu\n";
    let low_latency = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.5\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1,CAN-SKIP-UNTIL=12\n#EXT-X-MEDIA-SEQUENCE:7\n\
        #EXT-X-MAP:URI=\"i\"\n#EXTINF:2\na\n#EXT-X-PART:DURATION=1,URI=\"b0\",INDEPENDENT=YES\n\
        #EXT-X-PART:DURATION=1,URI=\"b1\",BYTERANGE=\"2@0\"\n#EXTINF:2\nb\n\
        #EXT-X-PART:DURATION=1,URI=\"c0\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=1,URI=\"c1\",GAP=YES\n\
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"c2\"\n";
    let delta = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.5\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12\n#EXT-X-MEDIA-SEQUENCE:7\n\
        #EXT-X-SKIP:SKIPPED-SEGMENTS=2\n#EXTINF:2\nc\n#EXT-X-PART:DURATION=1,URI=\"d0\",INDEPENDENT=YES\n\
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"d1\",BYTERANGE-START=0,BYTERANGE-LENGTH=9\n";
    let ended = b"#EXTM3U\n#EXTINF:1\na\n#EXTINF:1\nb\n#EXT-X-ENDLIST\n";
    let adts: &[u8] =
        b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0\0\x35\0\0com.apple.streaming.transportStreamTimestamp\0\
        \0\0\0\0\0\x0d\xbb\xa0\xff\xf1\x4c\x80\x01\x1f\xfc\x21";
    vec![
        ("read", "multivariant", multivariant.to_vec()),
        ("read", "media", media.to_vec()),
        ("read", "low_latency", low_latency.to_vec()),
        ("read", "delta", delta.to_vec()),
        (
            "client",
            "low_latency",
            bodies(&[
                low_latency,
                b"init",
                b"b0",
                delta,
                b"b1",
                b"b2",
                low_latency,
                ended,
            ]),
        ),
        ("client", "ended", bodies(&[ended, b"one", b"two"])),
        (
            "client",
            "live",
            bodies(&[
                media,
                b"0123456789",
                &[7; 16],
                &[9; 32],
                b"t",
                media,
                ended,
                b"a",
            ]),
        ),
        (
            "client",
            "renditions",
            bodies(&[multivariant, ended, ended, b"1", b"2", b"3", b"4"]),
        ),
        ("packed", "adts", bodies(&[adts, adts])),
        (
            "samples",
            "slices",
            [&[0, 0, 0, 2, 9, 16, 0, 0, 0, 70, 0x65][..], &[0x88; 69]].concat(),
        ),
        ("samples", "sound", vec![0x21; 50]),
        ("directives", "part", b"_HLS_msn=12&_HLS_part=3".to_vec()),
        ("directives", "skip", b"a=b&_HLS_skip=YES".to_vec()),
        ("directives", "twice", b"_HLS_msn=1&_HLS_msn=2".to_vec()),
        (
            "directives",
            "large",
            b"_HLS_msn=18446744073709551616".to_vec(),
        ),
        ("playlist", "empty", playlist([2, 0, 0, 0], &[])),
        ("playlist", "live", playlist([2, 7, 0, 0], &[first, plain])),
        (
            "playlist",
            "delta",
            playlist([2, 9, 1, 0b01_1110], &[first, changed]),
        ),
        (
            "playlist",
            "low_latency",
            playlist([2, 7, 3, 2], &[first, plain, changed]),
        ),
        (
            "playlist",
            "ended",
            playlist([2, 0, 0, 1], &[first, changed, odd]),
        ),
    ]
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
                "directives" => directives,
                "read" => read,
                "client" => |data: &[u8]| client(Instant::now(), data),
                "packed" => packed,
                "samples" => samples,
                _ => playlist,
            };
            run(&seed);
            for _ in 0..1_000 {
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
