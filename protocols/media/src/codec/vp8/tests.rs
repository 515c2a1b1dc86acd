//! Beginnings of frames that ffmpeg with libvpx made.

use super::*;

/// 320x180, and the interframe behind it.
const KEY: &[u8] = &[
    0x30, 0x55, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00, 0x00, 0x47, 0x08, 0x85, 0x85, 0x88,
];
const INTER: &[u8] = &[
    0xb1, 0x06, 0x00, 0x0b, 0x11, 0x70, 0x00, 0x18, 0x87, 0xc0, 0xd4, 0xf4, 0xb7, 0x89, 0x36, 0xb3,
];
/// Of two temporal layers the upper, without whose frames all others are decoded alike, and the lower.
const UPPER: &[u8] = &[
    0xd1, 0x06, 0x00, 0x26, 0x1c, 0x24, 0x0c, 0x2c, 0x2c, 0x44, 0xcc, 0x24, 0x41, 0xa4, 0x00, 0x00,
    0x00, 0x1a, 0x09, 0xaf,
];
const LOWER: &[u8] = &[
    0x31, 0x0c, 0x00, 0xe4, 0x51, 0xcf, 0x94, 0xd8, 0x2f, 0xaf, 0x10, 0x4f, 0x4f, 0xb1, 0x0a, 0x2f,
    0xe2, 0x47, 0x60, 0x20,
];

#[test]
fn key_frames_tell_the_size() {
    let config = Config::from_key_frame(KEY).unwrap();
    assert_eq!((config.width, config.height), (320, 180));
    assert_eq!(config.rfc6381(), "vp08.00.10.08");
    let record = [1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0];
    assert_eq!(config.vpcc(), &record[..]);
    // The scaling above the size is no part of it.
    let mut scaled = KEY.to_vec();
    scaled[7] |= 0x40;
    scaled[9] |= 0xc0;
    assert_eq!(Config::from_key_frame(&scaled), Ok(config));
}

#[test]
fn every_truncation_is_refused() {
    for length in 0..10 {
        let cut = &KEY[..length];
        let refused = Config::from_key_frame(cut);
        assert_eq!(refused, Err(ConfigError::Truncated(length)));
        let picture = Picture::inspect(cut);
        assert!(!picture.has_frame && !picture.key, "{length}");
    }
    assert!(Config::from_key_frame(&KEY[..10]).is_ok());
}

#[test]
fn bad_key_frames_are_named() {
    let patched = |at: usize, value: u8| {
        let mut frame = KEY.to_vec();
        frame[at] = value;
        Config::from_key_frame(&frame).unwrap_err()
    };
    assert_eq!(patched(0, 0x31), ConfigError::NotAKeyFrame);
    assert_eq!(patched(3, 0), ConfigError::StartCode);
    let (width, height) = (320, 0);
    assert_eq!(patched(8, 0), ConfigError::Size { width, height });
}

#[test]
fn frames_are_what_their_headers_say() {
    let frame = Picture {
        has_frame: true,
        shown: true,
        ..Picture::default()
    };
    let key = Picture {
        key: true,
        size: Some((320, 180)),
        ..frame
    };
    let disposable = Picture {
        disposable: true,
        ..frame
    };
    let cases = [
        (KEY, key),
        (INTER, frame),
        (UPPER, disposable),
        (LOWER, frame),
        // Cut off before what it replaces.
        (&UPPER[..6], frame),
        (&UPPER[..4], frame),
        (
            &UPPER[..3],
            Picture {
                has_frame: false,
                ..frame
            },
        ),
        (&UPPER[..2], Picture::default()),
        (&[], Picture::default()),
    ];
    for (payload, expected) in cases {
        let picture = Picture::inspect(payload);
        assert_eq!(picture, expected, "{payload:02x?}");
        assert_eq!(picture.start(), expected.key.then_some(Start::Clean));
    }
    // One that is not shown is there to be referred to.
    let mut hidden = UPPER.to_vec();
    hidden[0] &= !0x10;
    assert!(!Picture::inspect(&hidden).disposable);
}
