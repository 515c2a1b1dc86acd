//! A transport stream whose samples are encrypted here. That it is done right, ffmpeg says, which has to be there and opens
//! it with the key; then what is opened by the crate has to be what was encrypted.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockEncryptMut, KeyIvInit};
use hls::samples::SampleKey;
use media::{AccessUnit, Codec, Track};
use mpegts::demuxer::{Demuxer, Event};
use mpegts::muxer::{Config, Muxer};
use std::path::{Path, PathBuf};
use std::process::Command;

const KEY: SampleKey = SampleKey {
    secret: *b"sixteen byte key",
    iv: [7; 16],
};

fn ffmpeg(arguments: &str, more: &[&str]) -> Vec<u8> {
    let arguments = arguments.split_whitespace().chain(more.iter().copied());
    let output = Command::new("ffmpeg").args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("ffmpeg is needed for this test: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    output.stdout
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The tracks and units of a stream.
fn demux(stream: &[u8]) -> (Vec<Track>, Vec<AccessUnit>) {
    let mut demuxer = Demuxer::default().with_encrypted_samples();
    demuxer.push(stream);
    demuxer.flush();
    let (mut tracks, mut units) = (Vec::new(), Vec::new());
    while let Some(event) = demuxer.pull() {
        match event {
            Event::Track(track) => tracks.push(track),
            Event::Unit(unit) => units.push(unit),
            Event::Program(_) => {}
            Event::Fault(fault) => panic!("{fault}"),
        }
    }
    (tracks, units)
}

fn mux(tracks: &[Track], units: &[AccessUnit]) -> Vec<u8> {
    let mut muxer = Muxer::new(Config::default());
    muxer.set_tracks(tracks).unwrap();
    let mut stream = Vec::new();
    for unit in units {
        muxer.push(unit).unwrap();
    }
    muxer.flush();
    while let Some(chunk) = muxer.pull() {
        stream.extend_from_slice(&chunk.data);
    }
    stream
}

fn encrypt(bytes: &mut [u8], places: impl Iterator<Item = usize>) {
    let mut cipher = cbc::Encryptor::<aes::Aes128>::new(&KEY.secret.into(), &KEY.iv.into());
    for place in places {
        cipher.encrypt_block_mut(GenericArray::from_mut_slice(&mut bytes[place..place + 16]));
    }
}

/// A unit with its samples encrypted.
fn closed(unit: &AccessUnit, tracks: &[Track]) -> AccessUnit {
    let track = tracks.iter().find(|track| track.id == unit.track).unwrap();
    let mut payload = unit.payload.to_vec();
    let length = payload.len();
    if matches!(track.codec, Codec::Aac(_)) {
        encrypt(&mut payload, (16..length.saturating_sub(15)).step_by(16));
    } else {
        let nals: Vec<Vec<u8>> = media::codec::nal::units(&unit.payload)
            .map(|nal| {
                let mut nal = nal.unwrap().to_vec();
                let length = nal.len();
                if matches!(nal[0] & 31, 1 | 5) && length > 48 {
                    encrypt(&mut nal, (32..length - 16).step_by(160));
                    nal = escaped(&nal);
                }
                nal
            })
            .collect();
        payload.clear();
        for nal in nals {
            payload.extend((nal.len() as u32).to_be_bytes());
            payload.extend(nal);
        }
    }
    AccessUnit {
        payload: payload.into(),
        ..unit.clone()
    }
}

/// With emulation prevention, whatever is in it already.
fn escaped(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut zeros = 0;
    for byte in nal {
        if zeros >= 2 && *byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        out.push(*byte);
    }
    out
}

/// The stream with the types of encrypted streams in the description of its program.
fn with_types(mut stream: Vec<u8>) -> Vec<u8> {
    for packet in stream.chunks_exact_mut(188) {
        // A section of table 2 behind its pointer.
        if packet[1] & 0x40 == 0 || packet[4..6] != [0, 2] || packet[3] & 0x30 != 0x10 {
            continue;
        }
        let section = &mut packet[5..];
        let length = usize::from(u16::from_be_bytes([section[1] & 15, section[2]])) + 3;
        let mut at = 12 + usize::from(u16::from_be_bytes([section[10] & 15, section[11]]));
        while at < length - 4 {
            section[at] = match section[at] {
                0x1b => 0xdb,
                0x0f => 0xcf,
                other => other,
            };
            at += 5 + usize::from(u16::from_be_bytes([section[at + 3] & 15, section[at + 4]]));
        }
        let mut crc = u32::MAX;
        for byte in &section[..length - 4] {
            crc ^= u32::from(*byte) << 24;
            for _ in 0..8 {
                crc = crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            }
        }
        section[length - 4..length].copy_from_slice(&crc.to_be_bytes());
    }
    stream
}

/// Check sums of what ffmpeg decodes, without the times.
fn decoded(input: &[&str]) -> Vec<String> {
    let output = ["-map", "0:v", "-map", "0:a", "-f", "framecrc", "-"];
    let text = ffmpeg("-v error", &[input, &output].concat());
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut sums: Vec<_> = lines
        .map(|line| {
            let fields: Vec<_> = line.split(',').map(str::trim).collect();
            format!("{} {}", fields[0], fields[5])
        })
        .collect();
    // Pictures and sound come in another order.
    sums.sort_by_key(|sum| sum.starts_with('1'));
    sums
}

#[test]
fn what_is_encrypted_is_opened() {
    let made = ffmpeg(
        "-v error -f lavfi -i testsrc2=size=320x180:rate=25:duration=3 \
         -f lavfi -i sine=frequency=440:sample_rate=44100:duration=3 \
         -c:v libx264 -preset veryfast -bf 2 -g 25 -pix_fmt yuv420p -threads 1 -c:a aac -b:a 64k \
         -f mpegts pipe:1",
        &[],
    );
    let (tracks, units) = demux(&made);
    assert!(tracks.len() == 2 && units.len() > 150);
    let clear = file("clear.ts");
    std::fs::write(&clear, mux(&tracks, &units)).unwrap();
    let closed: Vec<_> = units.iter().map(|unit| closed(unit, &tracks)).collect();
    let stream = with_types(mux(&tracks, &closed));
    std::fs::write(file("closed.ts"), &stream).unwrap();
    std::fs::write(file("closed.key"), KEY.secret).unwrap();
    let list = format!(
        "#EXTM3U\n#EXT-X-VERSION:5\n#EXT-X-TARGETDURATION:3\n\
         #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"closed.key\",IV=0x{}\n#EXTINF:3,\nclosed.ts\n#EXT-X-ENDLIST\n",
        "07".repeat(16)
    );
    let playlist = file("closed.m3u8");
    std::fs::write(&playlist, list).unwrap();
    let plain = decoded(&["-i", clear.to_str().unwrap()]);
    let input = [
        "-allowed_extensions",
        "ALL",
        "-i",
        playlist.to_str().unwrap(),
    ];
    let opened = decoded(&input);
    assert!(plain.len() > 150);
    // It leaves the last slice of a stream closed.
    let others = plain
        .iter()
        .zip(&opened)
        .filter(|(one, other)| one != other);
    assert_eq!(plain.len(), opened.len());
    assert!(
        others.count() <= 1,
        "ffmpeg finds it encrypted in another way"
    );

    let (again, found) = demux(&stream);
    assert_eq!(again.len(), 2);
    assert_eq!(found.len(), units.len());
    for track in &again {
        let of = |units: &[AccessUnit]| -> Vec<_> {
            let own = units.iter().filter(|unit| unit.track == track.id);
            own.map(|unit| unit.payload.clone()).collect()
        };
        let opened = of(&found).into_iter();
        let opened: Vec<_> = opened.map(|unit| KEY.open(&track.codec, unit)).collect();
        assert!(
            of(&found) != of(&units) && opened == of(&units),
            "{track:?}"
        );
    }
}
