//! Where a decoder can start, in what real encoders write.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use media::codec::h265::Leading;
use media::codec::{Start, h264, h265};
use std::process::Command;

/// Access units of 72 test pictures, each with 4-byte lengths. The encoder is told to begin each with a delimiter
/// (`aud`).
fn encode(encoder: &str, format: &str, delimiter: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let input =
        "-nostdin -v error -f lavfi -i testsrc2=size=160x96:rate=24 -frames:v 72 -pix_fmt yuv420p";
    let output = Command::new("ffmpeg")
        .args(input.split(' '))
        .args(encoder.split(' '))
        .args(["-f", format, "pipe:1"])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let mut units: Vec<Vec<u8>> = Vec::new();
    for nal in nal_units(&output.stdout) {
        if delimiter(nal) {
            units.push(Vec::new());
        }
        let unit = units.last_mut().unwrap();
        unit.extend(u32::try_from(nal.len()).unwrap().to_be_bytes());
        unit.extend(nal);
    }
    units
}

/// What stands between start codes.
fn nal_units(stream: &[u8]) -> Vec<&[u8]> {
    let code = |at: &usize| stream[*at..].starts_with(&[0, 0, 1]);
    let starts: Vec<usize> = (0..stream.len().saturating_sub(3)).filter(code).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| stream[start + 3..end].trim_zeros())
        .collect()
}

trait TrimZeros {
    fn trim_zeros(&self) -> &Self;
}

impl TrimZeros for [u8] {
    /// A NAL unit never ends in a zero; those belong to the next start code.
    fn trim_zeros(&self) -> &Self {
        let end = self
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        &self[..end]
    }
}

fn h264_starts(parameters: &str) -> Vec<(usize, Start)> {
    let encoder = format!("-c:v libx264 -preset veryfast -x264-params {parameters}");
    let units = encode(&encoder, "h264", |nal| nal[0] & 0x1f == 9);
    assert_eq!(units.len(), 72);
    let start = |unit: &Vec<u8>| h264::Picture::inspect(unit).unwrap().start();
    let starts = units.iter().map(start).enumerate();
    starts
        .filter_map(|(at, start)| Some((at, start?)))
        .collect()
}

#[test]
fn h264_starts_at_idr_pictures_recovery_points_and_intra_refresh() {
    let keys = "aud=1:keyint=24:min-keyint=24:scenecut=0";
    let closed = h264_starts(&format!("{keys}:bframes=2"));
    assert_eq!(
        closed,
        [(0, Start::Clean), (24, Start::Clean), (48, Start::Clean)]
    );
    // In decoding order an open group of pictures begins before the pictures that are shown before it.
    let open = h264_starts(&format!("{keys}:bframes=2:b-adapt=0:open-gop=1"));
    let kinds: Vec<Start> = open.iter().map(|(_, start)| *start).collect();
    assert_eq!(kinds, [Start::Clean, Start::Open, Start::Open], "{open:?}");
    let refresh = h264_starts(&format!("{keys}:bframes=0:intra-refresh=1"));
    assert_eq!(refresh[0], (0, Start::Clean));
    assert!(refresh.len() >= 3, "{refresh:?}");
    assert!(
        refresh[1..]
            .iter()
            .all(|(_, start)| *start == Start::Gradual),
        "{refresh:?}"
    );
}

#[test]
fn h265_starts_at_clean_random_access_pictures() {
    let encoder = "-c:v libx265 -preset ultrafast -x265-params log-level=none:pools=1:aud=1:keyint=24:min-keyint=24\
                   :bframes=3:b-adapt=0:open-gop=1";
    let units = encode(encoder, "hevc", |nal| nal[0] >> 1 == 35);
    let look = |unit: &Vec<u8>| h265::Picture::inspect(unit).unwrap();
    let open: Vec<h265::Picture> = units.iter().map(look).collect();
    assert_eq!(open.len(), 72);
    let starts: Vec<Start> = open.iter().filter_map(h265::Picture::start).collect();
    assert_eq!(starts[1..], [Start::Open, Start::Open]);
    assert!(
        open.iter()
            .any(|picture| picture.leading == Some(Leading::Skipped))
    );
}
