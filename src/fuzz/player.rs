//! A presentation of HLS whose segments are anything.

use crate::transport::hls::{Player, Step};
use bytes::Bytes;
use hls::client::{Choice, Client, Fetched};
use media::codec::aac;
use media::{Codec, Timebase, Track, TrackId};
use mp4::fragment::{Run, Sample};
use std::fmt::Write;
use std::time::{Duration, Instant};
use url::Url;

/// Most segments of an input.
const MAX_SEGMENTS: usize = 8;

/// What comes out of a segment has as many bytes at most as this times the segment: lengths and sizes of units that were
/// left out may have been put in.
const MOST_OUT: usize = 4;

/// Input: a byte that says whether the first body is an initialisation section (bit 0), whether each segment begins anew
/// (bit 1), and whether samples are encrypted (bit 2); then bodies, each behind two bytes of its length: segments of a
/// recording, in their order. All of it is played; of each track there come units that go on.
pub fn player(start: Instant, data: &[u8]) {
    let Some((&how, mut rest)) = data.split_first() else {
        return;
    };
    let mut bodies: Vec<Bytes> = Vec::new();
    while let Some(([high, low], behind)) = rest.split_first_chunk()
        && bodies.len() < MAX_SEGMENTS
    {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (body, behind) = behind.split_at_checked(length).unwrap_or((behind, &[]));
        bodies.push(Bytes::copy_from_slice(body));
        rest = behind;
    }
    let first = usize::from(how & 1);
    let playlist = playlist(how, first..bodies.len());
    let Ok(url) = Url::parse("http://host/a/media.m3u8") else {
        return;
    };
    let mut player = Player::new(Client::new(url, Choice::default()), true);
    let mut tracks: Vec<Track> = Vec::new();
    let mut bytes = 0;
    let mut now = start;
    // A source is given up when nothing is to be had for so long.
    while now < start + Duration::from_secs(60) {
        match player.poll(now) {
            Step::Fetch(fetch) => {
                let path = fetch.url.path().to_owned();
                let body = match path.strip_prefix("/a/").unwrap_or_default() {
                    "media.m3u8" => Some(Bytes::from(playlist.clone())),
                    "key" => Some(Bytes::from_static(&[7; 16])),
                    number => number
                        .parse::<usize>()
                        .ok()
                        .and_then(|at| bodies.get(at).cloned()),
                };
                let url = fetch.url;
                let answer = match body {
                    Some(body) => Ok(Fetched { url, body }),
                    None => Err("nothing is there".to_owned().into()),
                };
                if player.handle_fetched(now, fetch.id, answer).is_err() {
                    return;
                }
            }
            Step::Track(track) => {
                tracks.retain(|known| known.id != track.id);
                tracks.push(track);
                assert!(tracks.len() <= 16 * MAX_SEGMENTS);
            }
            Step::Unit(unit) => {
                assert!(tracks.iter().any(|track| track.id == unit.track));
                bytes += unit.payload.len();
            }
            Step::Fault(fault) => assert!(!fault.is_empty()),
            Step::End => break,
            Step::Wait(due) => {
                let Some(due) = due else {
                    return;
                };
                assert!(due > now, "it is waited for what is there");
                now = due;
                player.handle_timeout(now);
            }
        }
    }
    let given: usize = bodies.iter().map(Bytes::len).sum();
    assert!(bytes <= MOST_OUT * given, "{bytes} bytes of {given}");
    assert!(player.losses().count() <= 16 * MAX_SEGMENTS);
}

/// Of a recording with segments of these names.
fn playlist(how: u8, segments: std::ops::Range<usize>) -> String {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n".to_owned();
    if how & 4 != 0 {
        text.push_str("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"key\"\n");
    }
    if how & 1 != 0 {
        text.push_str("#EXT-X-MAP:URI=\"0\"\n");
    }
    for number in segments {
        if how & 2 != 0 {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        let _ = write!(text, "#EXTINF:2,\n{number}\n");
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

/// Recordings of each form.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let input = |how: u8, bodies: &[&[u8]]| {
        let mut input = vec![how];
        for body in bodies {
            input.extend((body.len() as u16).to_be_bytes());
            input.extend_from_slice(body);
        }
        input
    };
    let of = |all: Vec<(&'static str, &'static str, Vec<u8>)>, entry: &str| -> Vec<Vec<u8>> {
        let all = all.into_iter().filter(|(of, ..)| *of == entry);
        all.map(|(_, _, bytes)| bytes).collect()
    };
    let mut seeds = Vec::new();
    let ts = of(mpegts::fuzz::seeds(), "demuxer");
    if let Some([_, ts @ ..]) = ts.iter().max_by_key(|ts| ts.len()).map(Vec::as_slice) {
        seeds.push(("ts", input(2, &[ts, ts])));
        seeds.push(("ts_encrypted", input(4, &[ts])));
    }
    // These have their length in front of them already.
    for packed in of(hls::fuzz::seeds(), "packed").into_iter().take(1) {
        seeds.push(("packed", [&[0], &packed[..]].concat()));
    }
    let track = aac::Config::low_complexity(48_000, 2)
        .ok()
        .zip(Timebase::new(48_000))
        .map(|(config, timebase)| Track {
            id: TrackId(1),
            codec: Codec::Aac(config),
            timebase,
        });
    if let Some(track) = track
        && let Ok(init) = mp4::init::write(std::slice::from_ref(&track))
    {
        let sample = Sample {
            duration: 1_024,
            composition_offset: 0,
            random_access: true,
            disposable: false,
            payload: Bytes::from_static(&[0x21, 0x10, 4, 0]),
        };
        let samples = vec![sample; 12];
        let segment = |base_decode_time| {
            let run = Run {
                track: &track,
                base_decode_time,
                samples: &samples,
            };
            mp4::fragment::write(1, &[run])
        };
        let (one, two) = (segment(0), segment(12 * 1_024));
        seeds.push(("mp4", input(1, &[&init, &one, &two])));
        let whole = [&init[..], &one].concat();
        seeds.push(("mp4_whole", input(2, &[&whole, &whole])));
    }
    seeds
}
