//! Entry points for fuzzing, with the seeds they start from. Not part of the crate's interface.
//!
//! `playlist` compares with another parser and is there with the feature `fuzz` (and in unit tests).

use crate::request::{Directives, MAX_MSN, MAX_PART};

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

#[cfg(any(test, feature = "fuzz"))]
pub use playlist::playlist;

#[cfg(any(test, feature = "fuzz"))]
mod playlist {
    #![expect(clippy::expect_used, reason = "a broken invariant has to end the run")]

    use crate::media::{OpenSegment, Part, Playlist, Segment};
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

    /// Input: target duration, sequence numbers (1 byte each), flags (bit 0 ended, 1 parts), then segments:
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
        let playlist = Playlist {
            target_duration: (*target).into(),
            part_target: (flags & 2 != 0).then_some(Duration::from_millis(200)),
            media_sequence: (*sequence).into(),
            discontinuity_sequence: (*discontinuities).into(),
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
        assert_eq!(read.version, Some(6));
        assert_eq!(read.target_duration, u64::from(*target));
        assert_eq!(read.media_sequence, u64::from(*sequence));
        assert_eq!(read.discontinuity_sequence, u64::from(*discontinuities));
        assert_eq!(read.end_list, playlist.ended);
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
    vec![
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
