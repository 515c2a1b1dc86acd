//! Samples encrypted by scheme `cbcs`: a file of ffmpeg's, encrypted here. That it is done right, ffmpeg says, which has to
//! be there and opens it with the key; then the reader has to find what it finds in the clear file.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockEncryptMut, KeyIvInit};
use bytes::Bytes;
use media::AccessUnit;
use mp4::reader::{Fault, Reader, Step};
use std::path::{Path, PathBuf};
use std::process::Command;

const KEY: [u8; 16] = *b"sixteen byte key";
const IV: [u8; 16] = [7; 16];

fn ffmpeg(arguments: &str, more: &[&str]) -> Vec<u8> {
    run("ffmpeg", arguments, more)
}

fn run(ffmpeg: &str, arguments: &str, more: &[&str]) -> Vec<u8> {
    let arguments = arguments.split_whitespace().chain(more.iter().copied());
    let output = Command::new(ffmpeg).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("ffmpeg is needed for this test: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaint.is_empty(),
        "{complaint}"
    );
    output.stdout
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Pictures with B-frames, or sound, in fragments.
fn clear(name: &str, is_sound: bool) -> Vec<u8> {
    let path = file(name);
    let source = match is_sound {
        true => "-f lavfi -i sine=frequency=440:sample_rate=44100:duration=3 -c:a aac -b:a 64k",
        false => {
            "-f lavfi -i testsrc2=size=320x180:rate=25:duration=3 \
             -c:v libx264 -preset veryfast -bf 2 -g 25 -pix_fmt yuv420p -threads 1"
        }
    };
    let form = "-movflags empty_moov+default_base_moof+frag_keyframe -frag_duration 1000000";
    ffmpeg(
        &format!("-v error -y {source} {form}"),
        &[path.to_str().unwrap()],
    );
    std::fs::read(path).unwrap()
}

/// What is read of a file, and the places and lengths of the samples.
struct Found {
    units: Vec<AccessUnit>,
    samples: Vec<(usize, usize)>,
    faults: Vec<Fault>,
}

fn read(file: &[u8], key: Option<[u8; 16]>) -> Found {
    let file = Bytes::copy_from_slice(file);
    let mut reader = Reader::new(file.len() as u64);
    if let Some(key) = key {
        reader.set_key(key);
    }
    let mut found = Found {
        units: Vec::new(),
        samples: Vec::new(),
        faults: Vec::new(),
    };
    let mut last = (0, 0);
    loop {
        match reader.poll() {
            Step::Read { at, length } => {
                last = (at as usize, length);
                reader.supply(file.slice(at as usize..at as usize + length));
            }
            Step::Unit(unit) => {
                found.samples.push(last);
                found.units.push(unit);
            }
            Step::Fault(fault) => found.faults.push(fault),
            Step::Track(_) => {}
            Step::End => return found,
        }
    }
}

fn boxed(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let size = (body.len() as u32 + 8).to_be_bytes();
    [&size[..], kind, body].concat()
}

/// What becomes of a box, by its kind and body.
type Change<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Vec<u8>;

/// The boxes, each changed.
fn changed(boxes: &[u8], change: Change<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = boxes;
    while let Some((head, _)) = rest.split_first_chunk::<8>() {
        let size = u32::from_be_bytes(*head[..4].first_chunk().unwrap()) as usize;
        out.extend(change(&head[4..], &rest[8..size]));
        rest = &rest[size..];
    }
    out
}

/// `sinf` of a format: pictures by a pattern of one block in ten, sound whole; one vector for all.
fn sinf(format: &[u8], pattern: u8) -> Vec<u8> {
    let tenc = [&[1, 0, 0, 0, 0, pattern, 1, 0][..], &[0; 16], &[16], &IV].concat();
    let schm = [&[0; 4][..], b"cbcs", &[0, 1, 0, 0]].concat();
    let schi = boxed(b"schi", &boxed(b"tenc", &tenc));
    boxed(
        b"sinf",
        &[boxed(b"frma", format), boxed(b"schm", &schm), schi].concat(),
    )
}

/// Which bytes of a picture are clear, and how many behind them are not, for each NAL unit.
fn subsamples(sample: &[u8]) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut rest = sample;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let clear = length.min(32);
        out.push((4 + clear, length - clear));
        rest = &behind[length..];
    }
    out
}

fn encrypt(range: &mut [u8], clear: usize) {
    let mut cipher = cbc::Encryptor::<aes::Aes128>::new(&KEY.into(), &IV.into());
    for block in range.chunks_exact_mut(16).step_by(1 + clear) {
        cipher.encrypt_block_mut(GenericArray::from_mut_slice(block));
    }
}

/// The file with its samples encrypted.
fn encrypted(clear: &[u8], is_sound: bool) -> Vec<u8> {
    let mut file = clear.to_vec();
    let mut pictures = Vec::new();
    for (at, length) in read(clear, None).samples {
        let sample = &mut file[at..at + length];
        if is_sound {
            encrypt(sample, 0);
            continue;
        }
        let subsamples = subsamples(sample);
        let mut from = 0;
        for (clear, closed) in &subsamples {
            encrypt(&mut sample[from + clear..from + clear + closed], 9);
            from += clear + closed;
        }
        pictures.push(subsamples);
    }
    let mut pictures = pictures.into_iter();
    changed(&file, &mut |kind, body| match kind {
        b"moov" => boxed(kind, &with_sinf(body)),
        b"moof" if !is_sound => boxed(kind, &with_senc(body, &mut pictures)),
        _ => boxed(kind, body),
    })
}

fn with_sinf(boxes: &[u8]) -> Vec<u8> {
    changed(boxes, &mut |kind, body| match kind {
        b"trak" | b"mdia" | b"minf" | b"stbl" => boxed(kind, &with_sinf(body)),
        b"stsd" => {
            let entries = changed(&body[8..], &mut |kind, body| {
                let (name, pattern) = match kind {
                    b"avc1" => (b"encv", 0x19),
                    _ => (b"enca", 0),
                };
                boxed(name, &[body, &sinf(kind, pattern)].concat())
            });
            boxed(kind, &[&body[..8], &entries].concat())
        }
        _ => boxed(kind, body),
    })
}

/// The boxes of a `moof` with what is clear of each picture; the data lie further behind by that.
fn with_senc(boxes: &[u8], pictures: &mut impl Iterator<Item = Vec<(usize, usize)>>) -> Vec<u8> {
    let mut senc = Vec::new();
    changed(boxes, &mut |kind, body| {
        if kind == b"traf" {
            let mut count = 0;
            changed(body, &mut |kind, body| {
                if kind == b"trun" {
                    count += u32::from_be_bytes(*body[4..].first_chunk().unwrap());
                }
                Vec::new()
            });
            let mut content = [2u32.to_be_bytes(), count.to_be_bytes()].concat();
            for _ in 0..count {
                let subsamples = pictures.next().unwrap();
                content.extend((subsamples.len() as u16).to_be_bytes());
                for (clear, closed) in subsamples {
                    content.extend((clear as u16).to_be_bytes());
                    content.extend((closed as u32).to_be_bytes());
                }
            }
            senc = boxed(b"senc", &content);
        }
        Vec::new()
    });
    let added = senc.len() as u32;
    changed(boxes, &mut |kind, body| {
        if kind != b"traf" {
            return boxed(kind, body);
        }
        let mut traf = changed(body, &mut |kind, body| {
            let mut body = body.to_vec();
            if kind == b"trun" {
                let offset = u32::from_be_bytes(*body[8..].first_chunk().unwrap()) + added;
                body[8..12].copy_from_slice(&offset.to_be_bytes());
            }
            boxed(kind, &body)
        });
        traf.extend(&senc);
        boxed(kind, &traf)
    })
}

#[test]
fn what_is_encrypted_is_read_with_the_key() {
    let hexadecimal: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    for (name, is_sound) in [("pictures", false), ("sound", true)] {
        let clear_name = format!("cbcs-{name}-clear.mp4");
        let clear = clear(&clear_name, is_sound);
        let encrypted = encrypted(&clear, is_sound);
        let path = file(&format!("cbcs-{name}.mp4"));
        std::fs::write(&path, &encrypted).unwrap();
        // Version 5 loses the pictures.
        if let Ok(newer) = std::env::var("MILLSTREAM_NEW_FFMPEG") {
            let decoded = |input: &[&str]| {
                let output = ["-map", "0", "-f", "framecrc", "-"];
                run(&newer, "-v error", &[input, &output].concat())
            };
            let plain = decoded(&["-i", file(&clear_name).to_str().unwrap()]);
            let path = path.to_str().unwrap();
            let opened = decoded(&["-decryption_key", &hexadecimal, "-i", path]);
            assert!(
                plain == opened,
                "ffmpeg finds the {name} encrypted in another way"
            );
        }

        let expected = read(&clear, None);
        assert!(expected.units.len() >= 75);
        let found = read(&encrypted, Some(KEY));
        assert_eq!(found.faults, []);
        assert!(found.units == expected.units, "{name}");
        // Another key opens nothing, and none leaves the track out.
        assert!(read(&encrypted, Some([1; 16])).units != expected.units);
        let closed = read(&encrypted, None);
        assert!(closed.units.is_empty());
        let words = closed.faults[0].to_string();
        assert!(words.contains("it is encrypted"), "{words}");
        let Some(at) = encrypted.windows(4).position(|window| window == b"senc") else {
            continue;
        };
        // What is said to be encrypted where nothing is loses that sample alone.
        let mut lying = encrypted.clone();
        lying[at + 4 + 8 + 2 + 2] = 0x7f;
        let found = read(&lying, Some(KEY));
        assert_eq!(found.units.len(), expected.units.len() - 1);
        let is_one = matches!(&found.faults[..], [Fault::Samples { count: 1, .. }]);
        assert!(is_one, "{:?}", found.faults);
    }
}

#[test]
fn files_of_others_are_read_with_their_key() {
    let Some(corpus) = std::env::var_os("MILLSTREAM_CORPUS") else {
        println!("MILLSTREAM_CORPUS is not set: no files of others are read");
        return;
    };
    let folder = Path::new(&corpus).join("mp4/mp4ff/mp4/testdata");
    for (closed, clear, key) in [
        (
            "cbcs.mp4",
            "cbcsdec.mp4",
            0x22bd_b006_3805_2603_07ee_5045_c0f3_835au128,
        ),
        (
            "cbcs_audio.mp4",
            "cbcs_audiodec.mp4",
            0x5ffd_9386_1fa7_76e9_6ccc_d934_898f_c1c8,
        ),
    ] {
        let bytes = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let expected = read(&bytes(clear), None);
        let found = read(&bytes(closed), Some(key.to_be_bytes()));
        assert!(!expected.units.is_empty());
        assert_eq!(found.faults, expected.faults, "{closed}");
        assert!(found.units == expected.units, "{closed}");
        assert!(read(&bytes(closed), None).units.is_empty(), "{closed}");
    }
}
