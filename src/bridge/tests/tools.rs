//! Sound to put in, and ffmpeg to listen to what comes out.

use crate::bridge::{Sound, Transcoder, g711};
use bytes::Bytes;
use media::codec::g711::Law;
use media::codec::{aac, opus};
use media::{AccessUnit, Codec, Timebase, Track, TrackId};
use std::f64::consts::TAU;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

pub(super) const AUDIO: TrackId = TrackId(1);

pub(super) fn g711_track(law: Law, rate: u32, channels: u8) -> Track {
    let timebase = Timebase::new(rate).unwrap();
    Track {
        id: AUDIO,
        codec: Codec::G711 {
            law,
            sample_rate: timebase,
            channels,
        },
        timebase,
    }
}

pub(super) fn unit(pts: i64, payload: Bytes) -> AccessUnit {
    AccessUnit {
        track: AUDIO,
        dts: pts,
        pts,
        random_access: true,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload,
    }
}

/// Samples as G.711: for each the code of the nearest level.
pub(super) fn compand(law: Law, samples: impl Iterator<Item = f64>) -> Bytes {
    let mut codes: Vec<(f32, u8)> = (0..=255u8)
        .map(|code| (g711::table(law)[usize::from(code)], code))
        .collect();
    codes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let nearest = |sample: f64| {
        let sample = sample as f32;
        let above = codes.partition_point(|(level, _)| *level < sample);
        let around = &codes[above.saturating_sub(1)..(above + 1).min(256)];
        let distance = |code: &&(f32, u8)| (code.0 - sample).abs();
        around
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap()
            .1
    };
    samples.map(nearest).collect()
}

/// A sine of half of full scale at a time in seconds.
pub(super) fn sine(hertz: f64) -> impl Fn(f64) -> f64 + Copy {
    move |time| 0.5 * (TAU * hertz * time).sin()
}

/// 100 Hz at the beginning, 1,900 Hz more with each second: no two moments are alike.
pub(super) fn chirp(time: f64) -> f64 {
    0.5 * (TAU * (100.0 * time + 950.0 * time * time)).sin()
}

/// `count` access units of 20 ms of `sound`, the same on all channels, on the track's timebase from 0 on.
pub(super) fn g711_units(
    track: &Track,
    count: usize,
    sound: impl Fn(f64) -> f64,
) -> Vec<AccessUnit> {
    let Codec::G711 { law, channels, .. } = track.codec else {
        panic!("not G.711");
    };
    let rate = track.timebase.ticks_per_second() as usize;
    let size = rate / 50;
    let samples = (0..count * size).flat_map(|at| {
        let level = sound(at as f64 / rate as f64);
        std::iter::repeat_n(level, channels.into())
    });
    let bytes = compand(law, samples);
    bytes
        .chunks(size * usize::from(channels))
        .enumerate()
        .map(|(number, payload)| unit((number * size) as i64, bytes.slice_ref(payload)))
        .collect()
}

/// Sound coded by ffmpeg from one of its expressions: the track, its access units, and the ADTS stream they
/// are from.
pub(super) fn aac_units(
    rate: u32,
    channels: u8,
    seconds: u32,
    expression: &str,
) -> (Track, Vec<AccessUnit>, Vec<u8>) {
    let bitrate = 3 * rate * u32::from(channels);
    let expressions = vec![expression; channels.into()].join("|");
    let adts = ffmpeg(
        Vec::new(),
        &[
            "-f",
            "lavfi",
            "-i",
            &format!("aevalsrc={expressions}:s={rate}:d={seconds}"),
            "-c:a",
            "aac",
            "-b:a",
            &bitrate.min(128_000).to_string(),
            "-f",
            "adts",
        ],
    );
    let config = aac::Config::low_complexity(rate, channels).unwrap();
    let track = Track {
        id: AUDIO,
        timebase: config.sample_rate,
        codec: Codec::Aac(config),
    };
    let (mut units, mut rest) = (Vec::new(), &adts[..]);
    while rest.len() >= 7 {
        let size =
            usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5]) >> 5;
        let payload = Bytes::copy_from_slice(&rest[7..size]);
        units.push(unit(1_024 * units.len() as i64, payload));
        rest = &rest[size..];
    }
    (track, units, adts)
}

/// All packets of Opus of these units.
pub(super) fn transcode(track: &Track, units: &[AccessUnit]) -> (Transcoder, Vec<AccessUnit>) {
    transcode_to(Sound::Opus, track, units)
}

/// All packets of these units.
pub(super) fn transcode_to(
    sound: Sound,
    track: &Track,
    units: &[AccessUnit],
) -> (Transcoder, Vec<AccessUnit>) {
    let mut transcoder = Transcoder::new(track, sound).unwrap();
    let mut packets = Vec::new();
    for unit in units {
        transcoder.push(unit);
        packets.extend(std::iter::from_fn(|| transcoder.pull()));
    }
    transcoder.flush();
    packets.extend(std::iter::from_fn(|| transcoder.pull()));
    (transcoder, packets)
}

/// What ffmpeg, a tool the tests need, makes of `input`; it must not complain.
pub(super) fn ffmpeg(input: Vec<u8>, arguments: &[&str]) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args(["-v", "warning", "-xerror", "-nostdin"])
        .args(arguments)
        .args(["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg has to be installed");
    let mut stdin = child.stdin.take().unwrap();
    // Generated input is not read.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let mut made = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut made).unwrap();
    writer.join().unwrap();
    let output = child.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    made
}

/// What ffmpeg hears in `input`, at 48 kHz, of the first of the channels.
pub(super) fn heard(input: Vec<u8>, format: &str, channels: usize) -> Vec<f32> {
    let arguments = ["-f", format, "-i", "-", "-ar", "48000", "-f", "f32le"];
    let samples = ffmpeg(input, &[&arguments[..], &["-c:a", "pcm_f32le"]].concat());
    samples
        .chunks_exact(4 * channels)
        .map(|sample| f32::from_le_bytes([sample[0], sample[1], sample[2], sample[3]]))
        .collect()
}

/// What is heard when these packets are played one after the other, from the time of the first one's sound
/// on: the pre-skip is passed over, as the packets' times allow for it.
pub(super) fn listen(track: &Track, packets: &[AccessUnit]) -> Vec<f32> {
    match &track.codec {
        Codec::Opus(config) => heard(ogg(config, packets), "ogg", config.channels.into()),
        // What the first access unit makes is the beginning of its window.
        Codec::Aac(config) => {
            let mut heard = heard(adts(config, packets), "aac", config.channels.into());
            heard.drain(..1_024);
            heard
        }
        other => panic!("{other:?}"),
    }
}

/// AAC in ADTS (ISO/IEC 14496-3 clause 1.A.3.2).
fn adts(config: &aac::Config, packets: &[AccessUnit]) -> Vec<u8> {
    assert_eq!(config.sample_rate.ticks_per_second(), 48_000);
    let mut bytes = Vec::new();
    for packet in packets {
        let length = packet.payload.len() + 7;
        let channels = config.channels;
        bytes.extend([
            0xff,
            0xf1,
            1 << 6 | 3 << 2 | channels >> 2,
            channels << 6 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
            0xfc,
        ]);
        bytes.extend(&packet.payload);
    }
    bytes
}

/// Opus in Ogg (RFC 7845), a page for each packet.
fn ogg(config: &opus::Config, packets: &[AccessUnit]) -> Vec<u8> {
    let mut pages = Vec::new();
    page(&mut pages, 0, 2, &config.head());
    page(&mut pages, 0, 0, b"OpusTags\x04\0\0\0test\0\0\0\0");
    for (number, packet) in packets.iter().enumerate() {
        let flags = if number + 1 == packets.len() { 4 } else { 0 };
        page(
            &mut pages,
            960 * (number as u64 + 1),
            flags,
            &packet.payload,
        );
    }
    pages.concat()
}

/// One page with one packet (RFC 3533 section 6).
fn page(pages: &mut Vec<Vec<u8>>, granule: u64, flags: u8, packet: &[u8]) {
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend(1u32.to_le_bytes());
    page.extend((pages.len() as u32).to_le_bytes());
    page.extend([0; 4]);
    page.push((packet.len() / 255 + 1) as u8);
    page.extend(std::iter::repeat_n(255, packet.len() / 255));
    page.push((packet.len() % 255) as u8);
    page.extend(packet);
    let sum = page.iter().fold(0u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
            sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    });
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    pages.push(page);
}

/// By how many samples `heard` comes later than `expected`, both at 48 kHz, within 10 ms either way.
pub(super) fn delay(heard: &[f32], expected: impl Fn(usize) -> f64) -> i64 {
    let middle = 4_800..heard.len().min(43_200);
    let match_at = |lag: i64| -> f64 {
        middle
            .clone()
            .map(|at| f64::from(heard[at]) * expected((at as i64 - lag) as usize))
            .sum()
    };
    (-480..=480i64)
        .max_by(|a, b| match_at(*a).total_cmp(&match_at(*b)))
        .unwrap()
}

/// Amplitude of a sine of that frequency in a piece of sound at 48 kHz.
pub(super) fn level(sound: &[f32], hertz: f64) -> f64 {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (at, sample) in sound.iter().enumerate() {
        let angle = TAU * hertz * at as f64 / 48_000.0;
        sine += f64::from(*sample) * angle.sin();
        cosine += f64::from(*sample) * angle.cos();
    }
    2.0 / sound.len() as f64 * sine.hypot(cosine)
}

/// The loudest sample.
pub(super) fn peak(sound: &[f32]) -> f32 {
    sound.iter().map(|sample| sample.abs()).fold(0.0, f32::max)
}
