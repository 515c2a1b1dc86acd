//! Beginnings of frames and records that ffmpeg with libvpx made.

use super::*;

/// 320x180 in profile 0, and in profile 3 (4:4:4 of 10 bits, BT.709, full range).
const KEY: &[u8] = &[
    0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, 0x36, 0x0c, 0x38, 0x24, 0x1c, 0x18, 0x4a,
];
const KEY_HIGH: &[u8] = &[
    0xb1, 0x24, 0xc1, 0xa1, 0x14, 0x00, 0x9f, 0x80, 0x59, 0xb0, 0x81, 0xc1, 0x20, 0xe0, 0xc2,
];
/// Profile 1 (4:4:4 of 8 bits) with the colours of RGB not said.
const KEY_444: &[u8] = &[
    0xa3, 0x49, 0x83, 0x42, 0xe0, 0x13, 0xf0, 0x0b, 0x30, 0x20, 0xe0, 0x90, 0x70, 0x61, 0x70,
];
/// Behind `KEY`; of two temporal layers behind `KEY_444`: the upper, which refreshes nothing, and the lower.
const INTER: &[u8] = &[0x86, 0x00, 0x40, 0x92, 0x9c, 0x18, 0x50, 0x00];
const UPPER: &[u8] = &[0xa7, 0x00, 0x02, 0x4a, 0x43, 0x07, 0x04, 0x83];
const LOWER: &[u8] = &[0xa7, 0x01, 0x02, 0x4b, 0x00, 0x1c, 0x12, 0x0e];

const VPCC: &[u8] = &[1, 0, 0, 0, 0, 11, 0x82, 2, 2, 2, 0, 0];
const VPCC_HIGH: &[u8] = &[1, 0, 0, 0, 3, 11, 0xa7, 2, 2, 1, 0, 0];

#[test]
fn key_frames_make_the_records_that_ffmpeg_writes() {
    let cases = [
        (KEY, VPCC, "vp09.00.11.08"),
        (KEY_HIGH, VPCC_HIGH, "vp09.03.11.10.03.02.02.01.01"),
    ];
    for (frame, record, parameter) in cases {
        let config = Config::from_key_frame(frame).unwrap();
        assert_eq!((config.width, config.height), (320, 180));
        assert_eq!(config.vpcc(), record, "{parameter}");
        assert_eq!(config.rfc6381(), parameter);
        assert_eq!(Config::parse_vpcc(record, 320, 180), Ok(config));
        // Without version and flags.
        assert_eq!(Config::parse_vpcc(&record[4..], 320, 180), Ok(config));
    }
    let config = Config::from_key_frame(KEY_444).unwrap();
    assert_eq!((config.profile, config.chroma_subsampling), (1, 3));
    assert_eq!((config.matrix, config.full_range), (0, true));
}

#[test]
fn colours_and_levels_that_are_told_are_kept() {
    let record = [1, 0, 0, 0, 2, 0, 0xa2, 9, 16, 9, 0, 0];
    let config = Config::parse_vpcc(&record, 3_840, 2_160).unwrap();
    assert_eq!(config.rfc6381(), "vp09.02.50.10.01.09.16.09.00");
    let mut told = record;
    told[5] = 51;
    let config = Config::parse_vpcc(&told, 3_840, 2_160).unwrap();
    assert_eq!(config.vpcc(), &told[..]);
    let bt_709 = [1, 0, 0, 0, 0, 31, 0x80, 1, 1, 1, 0, 0];
    let config = Config::parse_vpcc(&bt_709, 1_280, 720).unwrap();
    assert_eq!(config.rfc6381(), "vp09.00.31.08");
}

#[test]
fn the_level_fits_the_size() {
    let cases = [
        ((176, 144), 10),
        ((640, 360), 21),
        ((1_280, 720), 31),
        ((1_920, 1_080), 40),
        ((3_840, 2_160), 50),
        // Few samples, but a long side.
        ((4_000, 16), 40),
        ((7_680, 4_320), 60),
        ((u16::MAX, u16::MAX), 62),
    ];
    for ((width, height), expected) in cases {
        assert_eq!(level(width, height), expected, "{width} x {height}");
    }
}

#[test]
fn every_truncation_is_refused() {
    // Up to the last byte of the size.
    for (frame, needed) in [(KEY, 9), (KEY_HIGH, 10), (KEY_444, 9)] {
        assert!(Config::from_key_frame(&frame[..needed]).is_ok());
        for length in 0..needed {
            let cut = &frame[..length];
            let refused = Config::from_key_frame(cut);
            assert!(matches!(refused, Err(ConfigError::Header(_))), "{cut:02x?}");
            assert_eq!(Picture::inspect(cut), Picture::default());
        }
    }
    for length in 0..10 {
        let refused = Config::parse_vpcc(&VPCC[..length], 320, 180).unwrap_err();
        assert_eq!(refused, ConfigError::Truncated(length));
    }
}

#[test]
fn bad_records_and_frames_are_named() {
    let patched = |at: usize, value: u8| {
        let mut record = VPCC.to_vec();
        record[at] = value;
        Config::parse_vpcc(&record, 320, 180).unwrap_err()
    };
    let value = |what, value| ConfigError::Value { what, value };
    assert_eq!(patched(0, 0), ConfigError::Version(0));
    assert_eq!(patched(4, 4), value("profile", 4));
    assert_eq!(patched(6, 0x92), value("bit depth", 9));
    assert_eq!(patched(6, 0x8a), value("chroma format", 5));
    let (width, height) = (0, 180);
    let size = ConfigError::Size { width, height };
    assert_eq!(Config::parse_vpcc(VPCC, 0, 180), Err(size));
    let mut wide = KEY.to_vec();
    wide[4..7].copy_from_slice(&[0x0f, 0xff, 0xf0]);
    let refused = Config::from_key_frame(&wide);
    assert!(matches!(
        refused,
        Err(ConfigError::Size { width: 65_536, .. })
    ));
    assert_eq!(
        Config::from_key_frame(INTER),
        Err(ConfigError::NotAKeyFrame)
    );
    // No frame marker, no sync code, RGB in profile 0.
    for (at, value) in [(0, 0x42), (2, 0x84), (4, 0xe0)] {
        let mut frame = KEY.to_vec();
        frame[at] = value;
        let refused = Config::from_key_frame(&frame);
        assert!(matches!(refused, Err(ConfigError::Header(_))), "{at}");
    }
}

#[test]
fn frames_are_what_their_headers_say() {
    let frame = Picture {
        has_frame: true,
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
    let again = Picture {
        shows_existing: true,
        ..frame
    };
    let superframe = [UPPER, &[0xc0, 8, 0xc0]].concat();
    let cases: [(&[u8], Picture); 9] = [
        (KEY, key),
        (KEY_HIGH, key),
        (KEY_444, key),
        (INTER, frame),
        (UPPER, disposable),
        (LOWER, frame),
        (&superframe, frame),
        (&[0x88], again),
        // Cut off before what it refreshes.
        (&INTER[..1], frame),
    ];
    for (payload, expected) in cases {
        let picture = Picture::inspect(payload);
        assert_eq!(picture, expected, "{payload:02x?}");
        assert_eq!(picture.start(), expected.key.then_some(Start::Clean));
    }
    // Intra-only, not shown, in profile 0: sync code, then what it refreshes.
    let intra = [0x84, 0x80 | 0x12, 0x60, 0xd0, 0x80, 0x40];
    assert!(!Picture::inspect(&intra).disposable);
    assert_eq!(Picture::inspect(&[]), Picture::default());
}
