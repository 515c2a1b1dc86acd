//! The signal by itself, and through the eyes and ears of a decoder.

use super::super::canvas::{Canvas, Colour, HEIGHT};
use super::*;
use media::Kind;
use media::codec::{Start, h264::Config, nal};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

/// 2026-05-01 12:34:56 UTC.
fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_777_638_896)
}

/// The shown part of a picture, as decoders write it.
fn shown(canvas: &Canvas) -> Vec<u8> {
    let planes = canvas.planes.iter().zip([HEIGHT, HEIGHT / 2, HEIGHT / 2]);
    planes
        .flat_map(|(plane, lines)| plane.line(0, 0, plane.width * lines))
        .copied()
        .collect()
}

/// The parameter sets and NAL units behind start codes.
fn annex_b<'a>(config: &'a Config, pictures: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut stream = Vec::new();
    for unit in config
        .sps
        .iter()
        .chain(&config.pps)
        .map(|set| &set[..])
        .chain(pictures)
    {
        stream.extend([0, 0, 0, 1]);
        stream.extend(unit);
    }
    stream
}

/// Frames behind ADTS headers (ISO/IEC 14496-3 clause 1.A.2): LC, 48 kHz, stereo.
fn adts(units: &[AccessUnit]) -> Vec<u8> {
    let frame = |unit: &AccessUnit| {
        let length = unit.payload.len() as u32 + 7;
        let header = [
            0xff,
            0xf1,
            0x4c,
            0x80 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
            0xfc,
        ];
        [&header, &unit.payload[..]].concat()
    };
    units.iter().flat_map(frame).collect()
}

/// What ffmpeg, a tool the tests need, decodes `input` to; it must not complain.
fn ffmpeg(input: Vec<u8>, arguments: &str) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args(["-v", "warning", "-xerror", "-nostdin"])
        .args(arguments.split_whitespace())
        .args(["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg has to be installed");
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let mut decoded = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut decoded)
        .unwrap();
    writer.join().unwrap().unwrap();
    let output = child.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    decoded
}

/// Peak signal to noise ratio in dB.
fn psnr(one: &[u8], other: &[u8]) -> f64 {
    let squares = one
        .iter()
        .zip(other)
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2));
    10.0 * (255.0 * 255.0 * one.len() as f64 / squares.sum::<u64>() as f64).log10()
}

#[test]
fn a_random_access_point_is_made_when_it_is_wanted() {
    let mut signal = Signal::new();
    let mut starts = Vec::new();
    for _ in 0..150 {
        let unit = signal.next(SystemTime::UNIX_EPOCH);
        if unit.track == VIDEO && unit.random_access {
            starts.push(unit.dts / PICTURE_TICKS);
            let seen = signal.tracks()[0].codec.look_at(&unit.payload).unwrap();
            assert_eq!(seen.unwrap().start, Some(Start::Clean));
        }
        if unit.track == VIDEO && unit.dts / PICTURE_TICKS == 9 {
            signal.want_random_access();
        }
    }
    assert_eq!(starts, [0, 10]);
}

#[test]
fn decoders_show_what_was_drawn() {
    let mut signal = Signal::new();
    let (mut units, mut expected, mut drawn) = (Vec::new(), Vec::new(), Vec::new());
    while units.len() < 70 {
        let unit = signal.next(start());
        if unit.track == VIDEO {
            expected.push(shown(signal.video.reconstruction()));
            drawn.push(shown(signal.picture.canvas()));
            units.push(unit);
        }
    }
    let bytes: usize = units[..60].iter().map(|unit| unit.payload.len()).sum();
    println!(
        "{} kbit/s, IDR {} bytes",
        bytes * 8 / 2_000,
        units[0].payload.len()
    );
    assert!(bytes * 8 / 2 < 1_000_000, "{bytes} bytes in two seconds");

    let stream = annex_b(
        &h264::config(),
        units
            .iter()
            .flat_map(|unit| nal::units(&unit.payload))
            .map(Result::unwrap),
    );
    let decoded = ffmpeg(
        stream,
        "-f h264 -i - -fps_mode passthrough -f rawvideo -pix_fmt yuv420p",
    );
    let size = expected[0].len();
    assert_eq!(decoded.len(), units.len() * size);
    for (at, picture) in decoded.chunks_exact(size).enumerate() {
        assert!(picture == expected[at], "picture {at} is not as coded");
        let quality = psnr(picture, &drawn[at]);
        assert!(quality > 40.0, "picture {at} has only {quality} dB");
    }
}

#[test]
fn decoders_show_any_picture_as_reconstructed() {
    let mut canvas = Canvas::filled(Colour::rgb(0x40_4040));
    let mut encoder = h264::Encoder::new(canvas.clone());
    let (mut units, mut expected) = (Vec::new(), Vec::new());
    let mut random = 1u32;
    // Noise of growing strength in scattered macroblocks reaches the rare codes and contexts.
    for strength in [0, 12, 40, 90, 160, 255, 30] {
        let mut hit = false;
        for (at, sample) in canvas
            .planes
            .iter_mut()
            .flat_map(|plane| &mut plane.samples)
            .enumerate()
        {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if at % 8 == 0 {
                hit = random >> 30 == 0;
            }
            if hit {
                *sample = (f64::from(random >> 24) / 255.0 * f64::from(strength)) as u8;
            }
        }
        units.push(encoder.encode(&canvas, units.is_empty()));
        expected.extend(shown(encoder.reconstruction()));
    }
    let stream = annex_b(&h264::config(), units.iter().map(|unit| &unit[..]));
    let decoded = ffmpeg(
        stream,
        "-f h264 -i - -fps_mode passthrough -f rawvideo -pix_fmt yuv420p",
    );
    assert!(decoded == expected);
}

#[test]
fn decoders_play_what_was_computed() {
    let mut signal = Signal::new();
    let mut units = Vec::new();
    while units.len() < 120 {
        let unit = signal.next(start());
        if unit.track == AUDIO {
            units.push(unit);
        }
    }
    let bytes: usize = units.iter().map(|unit| unit.payload.len()).sum();
    println!("{} kbit/s", bytes * 8 * 48 / 1_024 / units.len());
    let decoded = ffmpeg(adts(&units), "-f aac -i - -f f32le -c:a pcm_f32le");
    let decoded: Vec<f32> = decoded
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()) * 32_768.0)
        .collect();
    assert_eq!(decoded.len(), units.len() * 1_024 * 2);
    // The first frame has nothing before it to overlap with; from then on the sound is where it belongs.
    let (mut signal, mut noise, mut worst) = (0.0, 0.0, 0.0f64);
    for (number, found) in decoded.chunks_exact(2).enumerate().skip(1_024) {
        for (found, expected) in found.iter().zip(sound::sample(number)) {
            let error = f64::from(found - expected);
            signal += f64::from(expected).powi(2);
            noise += error * error;
            worst = worst.max(error.abs());
        }
    }
    let ratio = 10.0 * (signal / noise).log10();
    println!("signal to noise {ratio} dB, worst error {worst}");
    assert!(ratio > 40.0, "{ratio} dB");
}

#[test]
fn units_come_in_order_and_on_time() {
    let mut signal = Signal::new();
    let [video, audio] = signal.tracks();
    assert_eq!((video.kind(), audio.kind()), (Kind::Video, Kind::Audio));
    let (mut pictures, mut frames, mut last) = (0, 0, i64::MIN);
    for _ in 0..200 {
        let unit = signal.next(start());
        let track = if unit.track == video.id {
            &video
        } else {
            &audio
        };
        let ticks = if unit.track == video.id {
            let nal_type = unit.payload[4] & 31;
            assert_eq!(
                (unit.random_access, nal_type == 5),
                (pictures % 60 == 0, pictures % 60 == 0)
            );
            pictures += 1;
            (pictures - 1) * 3_000
        } else {
            assert!(unit.random_access);
            frames += 1;
            (frames - 1) * 1_024
        };
        assert_eq!((unit.dts, unit.pts), (ticks, ticks));
        assert_eq!(unit.capture, Some(start() + track.timebase.duration(ticks)));
        // 720 kHz is a whole multiple of both clocks.
        let common = ticks * (720_000 / i64::from(track.timebase.ticks_per_second()));
        assert!(common >= last);
        last = common;
        assert!(!unit.disposable && !unit.discontinuity && !unit.payload.is_empty());
    }
    // 2.6 seconds of 30 pictures and 46.875 frames.
    assert_eq!((pictures, frames), (78, 122));
}

#[test]
fn the_same_start_gives_the_same_stream() {
    let (mut one, mut other) = (Signal::new(), Signal::new());
    for _ in 0..60 {
        assert_eq!(one.next(start()), other.next(start()));
    }
    let mut later = Signal::new();
    let picture = later.next(start() + Duration::from_secs(1)).payload;
    assert_ne!(
        picture,
        Signal::new().next(start()).payload,
        "the clock in the picture"
    );
}

#[test]
fn every_picture_moves() {
    let mut signal = Signal::new();
    let mut last = Vec::new();
    for _ in 0..90 {
        if signal.next(start()).track == VIDEO {
            let now = shown(signal.picture.canvas());
            // Left of the texts wheel or water, and in the last lines the mark.
            let left = |picture: &[u8]| -> Vec<u8> {
                let lines = picture.chunks_exact(640).take(240);
                lines.flat_map(|line| &line[..240]).copied().collect()
            };
            let track = 328 * 640..344 * 640;
            if !last.is_empty() {
                assert_ne!(left(&now), left(&last));
                assert_ne!(now[track.clone()], last[track]);
            }
            last = now;
        }
    }
}
