//! The forms of OBUs, sequence headers and temporal units of three encoders.

use super::*;
use crate::bits::BitWriter;
use crate::codec::{Start, nal};
use bytes::Bytes;

/// Sequence headers as OBUs with their sizes, and the four bytes that ffmpeg writes in front of them in `av1C`:
/// libaom in 4:2:0, in 4:4:4, without chroma and in 4:2:2 of 12 bits, SVT-AV1 in BT.2020 of 10 bits, rav1e in BT.709.
const MAIN: &[u8] = &[
    0x0a, 0x0b, 0, 0, 0, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0, 0x40,
];
const HIGH: &[u8] = &[
    0x0a, 0x0a, 0x20, 0, 0, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0x02,
];
const GREY: &[u8] = &[
    0x0a, 0x0a, 0, 0, 0, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0x2a,
];
const TWELVE: &[u8] = &[
    0x0a, 0x0b, 0x40, 0, 0, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0x62, 0x20,
];
const WIDE_GAMUT: &[u8] = &[
    0x0a, 0x0e, 0, 0, 0, 0x04, 0x3c, 0xfe, 0xcc, 0x02, 0xf8, 0x50, 0x91, 0, 0x90, 0x40,
];
const BT_709: &[u8] = &[
    0x0a, 0x0e, 0, 0, 0, 0xfa, 0x1e, 0x7f, 0x66, 0x21, 0x0a, 0x88, 0x08, 0x08, 0x08, 0xa0,
];
/// A still picture of 64x64 with the reduced header, from libaom.
const STILL: &[u8] = &[0x0a, 0x06, 0x18, 0x15, 0x7f, 0xfd, 0xa0, 0x08];

/// Temporal units of libaom behind `MAIN`: one frame that is referred to, one that is only shown, one that
/// nothing refers to.
const REFERRED: &[u8] = &[
    0x32, 0x15, 0x32, 0x03, 0x24, 0x07, 0, 0x40, 0x83, 0x48, 0, 0x08, 0x20, 0xc2, 0x05, 0, 0, 0xe0,
    0, 0xab, 0x6d, 0x7d, 0x40,
];
const SHOWN_AGAIN: &[u8] = &[0x1a, 0x01, 0xb8];
const UNREFERRED: &[u8] = &[
    0x32, 0x15, 0x32, 0x08, 0, 0x09, 0xb8, 0x54, 0x83, 0x48, 0, 0x08, 0x20, 0xc3, 0x05, 0, 0, 0x40,
    0, 0xed, 0x06, 0x34, 0x72,
];

/// The beginning of its key frame, with the size of that.
const KEY: &[u8] = &[0x32, 0x08, 0x14, 0, 0xa0, 0xa8, 0x10, 0xb4, 0x4c, 0xf0];

const DELIMITER: &[u8] = &[0x12, 0];
const PADDING: &[u8] = &[0x7a, 2, 0, 0x80];

/// A sequence header, the first bytes of its record, the `codecs` parameter, and width, height and bit depth.
type Recorded = (&'static [u8], [u8; 4], &'static str, (u32, u32, u8));

#[test]
fn sequence_headers_make_the_records_that_ffmpeg_writes() {
    let cases: [Recorded; 6] = [
        (MAIN, [0x81, 0, 0x0c, 0], "av01.0.00M.08", (320, 180, 8)),
        (
            HIGH,
            [0x81, 0x20, 0, 0],
            "av01.1.00M.08.0.000.01.01.01.0",
            (320, 180, 8),
        ),
        (
            GREY,
            [0x81, 0, 0x1c, 0],
            "av01.0.00M.08.1.110.01.01.01.1",
            (320, 180, 8),
        ),
        (
            TWELVE,
            [0x81, 0x40, 0x68, 0],
            "av01.2.00M.12.0.100.01.01.01.0",
            (320, 180, 12),
        ),
        (
            WIDE_GAMUT,
            [0x81, 0, 0x4c, 0],
            "av01.0.00M.10.0.110.09.16.09.0",
            (320, 180, 10),
        ),
        (
            BT_709,
            [0x81, 0x1f, 0x0c, 0],
            "av01.0.31M.08",
            (320, 180, 8),
        ),
    ];
    for (obu, header, parameter, (width, height, depth)) in cases {
        let config = Config::from_sequence_header(obu).unwrap();
        assert_eq!(config.rfc6381(), parameter);
        let video = config.video;
        assert_eq!((video.width, video.height), (width, height), "{parameter}");
        assert_eq!(video.bit_depth, depth, "{parameter}");
        assert_eq!(video.frame_rate, None, "{parameter}");
        assert_eq!(config.sequence_header, obu);
        let record = config.av1c();
        assert_eq!(record, [&header, obu].concat(), "{parameter}");
        assert_eq!(Config::parse_av1c(&record), Ok(config));
    }
    let still = Config::from_sequence_header(STILL).unwrap();
    assert_eq!((still.video.width, still.video.height), (64, 64));
}

#[test]
fn a_sequence_header_without_size_gets_one() {
    let mut bare = MAIN.to_vec();
    bare[0] &= !2;
    bare.remove(1);
    let config = Config::from_sequence_header(&bare).unwrap();
    assert_eq!(config.sequence_header, MAIN);
    // What follows one with a size is not its own; an extension stays.
    let unit = [&[0x0e, 0x28, 0x8b, 0][..], &MAIN[2..], KEY].concat();
    let config = Config::from_sequence_header(&unit).unwrap();
    assert_eq!(
        config.sequence_header,
        [&[0x0e, 0x28, 0x0b], &MAIN[2..]].concat()
    );
}

#[test]
fn what_few_encoders_write_is_read() {
    let timing = BitWriter::default()
        .bits(5, 0) // Main, no still picture
        .bits(1, 1)
        .bits(32, 1_001)
        .bits(32, 30_000)
        .bits(1, 1) // equal_picture_interval
        .ue(&[0])
        .bits(1, 1) // decoder_model_info
        .bits(5, 9)
        .bits(32, 1)
        .bits(10, 0)
        .bits(1, 1) // initial_display_delay
        .bits(5, 1) // two operating points
        .bits(12, 0x103)
        .bits(5, 13)
        .bits(1, 1) // tier
        .bits(1, 1)
        .bits(21, 0)
        .bits(1, 1)
        .bits(4, 3)
        .bits(12, 0x101)
        .bits(5, 4)
        .bits(2, 0)
        .bits(4, 10)
        .bits(4, 10)
        .bits(11, 1_919)
        .bits(11, 1_079)
        .bits(1, 1) // frame_id_numbers
        .bits(4, 13)
        .bits(3, 0)
        .bits(3, 0)
        .bits(4, 0)
        .bits(1, 0) // enable_order_hint
        .bits(2, 0) // screen content tools never
        .bits(3, 0)
        .bits(3, 0b001) // colour description
        .bits(24, 0x01_0d_00) // sRGB
        .bits(1, 0);
    // Main cannot be sRGB in 4:4:4, but the syntax is the same.
    let payload = nal::unescape(&timing.bits(1, 1).nal_unit(&[]));
    let header = SequenceHeader::parse(&payload).unwrap();
    assert_eq!((header.level, header.high_tier), (13, true));
    assert_eq!((header.width, header.height), (1_920, 1_080));
    assert_eq!(header.frame_rate, Some((30_000, 1_001)));
    assert!(header.full_range && header.film_grain && !header.subsampling_x);
}

#[test]
fn every_truncation_is_refused() {
    for obu in [MAIN, HIGH, GREY, TWELVE, WIDE_GAMUT, BT_709, STILL] {
        for length in 0..obu.len() {
            let cut = Config::from_sequence_header(&obu[..length]);
            assert!(cut.is_err(), "{length} of {obu:02x?}");
        }
        // The last byte may hold but trailing bits.
        let payload = &obu[2..];
        for length in 0..payload.len() - 1 {
            assert!(SequenceHeader::parse(&payload[..length]).is_err());
        }
        let record = Config::from_sequence_header(obu).unwrap().av1c();
        for length in 0..record.len() {
            let refused = Config::parse_av1c(&record.slice(..length)).unwrap_err();
            match length {
                0..4 => assert_eq!(refused, ConfigError::Truncated(length)),
                4 => assert_eq!(refused, ConfigError::Missing),
                _ => assert!(matches!(refused, ConfigError::Obu(_))),
            }
        }
    }
}

#[test]
fn bad_configurations_are_named() {
    let parse = |record: &[u8]| Config::parse_av1c(&Bytes::copy_from_slice(record)).unwrap_err();
    assert_eq!(parse(&[0x01, 0, 0x0c, 0]), ConfigError::Version(1));
    // Metadata alone.
    let metadata = [&[0x81, 0, 0x0c, 0][..], &[0x2a, 2, 1, 0x80]].concat();
    assert_eq!(parse(&metadata), ConfigError::Missing);
    let from = |obu: &[u8]| Config::from_sequence_header(obu).unwrap_err();
    assert_eq!(from(KEY), ConfigError::NotASequenceHeader(6));
    assert_eq!(from(&[]), ConfigError::Missing);
    let reserved = [0x0a, 2, 0x60, 0];
    assert!(matches!(from(&reserved), ConfigError::SequenceHeader(_)));
    let mut long = vec![0x08];
    long.extend_from_slice(&MAIN[2..]);
    // It is kept with its size, of two bytes.
    long.resize(MAX_SEQUENCE_HEADER - 1, 0);
    assert_eq!(from(&long), ConfigError::TooLong(MAX_SEQUENCE_HEADER + 1));
}

#[test]
fn obus_tell_where_they_are_wrong() {
    let unit = [MAIN, &[0x36, 0x28, 1, 9], KEY].concat();
    let found: Vec<Obu<'_>> = obus(&unit).map(Result::unwrap).collect();
    let kinds: Vec<u8> = found.iter().map(|obu| obu.kind).collect();
    assert_eq!(kinds, [1, 6, 6]);
    assert_eq!((found[1].temporal_id, found[1].spatial_id), (1, 1));
    assert_eq!((found[1].payload, found[1].whole.len()), (&[9][..], 4));
    let cases: [(&[u8], ObuError); 5] = [
        (&[0x12, 0, 0x80], ObuError::Forbidden(2)),
        (&[0x12, 0, 0x36], ObuError::Truncated(2)),
        (&[0x12, 0, 0x32], ObuError::Size(2)),
        (&[0x32, 0x80, 0x80], ObuError::Size(0)),
        (
            &[0x12, 0, 0x32, 3, 1, 2],
            ObuError::PastEnd {
                at: 2,
                size: 3,
                left: 2,
            },
        ),
    ];
    for (bytes, error) in cases {
        let mut walk = obus(bytes);
        let found = walk.find_map(Result::err);
        assert_eq!(found, Some(error), "{bytes:02x?}");
        assert_eq!(walk.next(), None);
        let unit = Bytes::copy_from_slice(bytes);
        assert_eq!(normalise(&unit), Err(error));
        assert_eq!(normalise_elements([bytes]), Err(error));
        assert_eq!(Picture::inspect(bytes), Err(error));
    }
}

#[test]
fn units_are_brought_into_one_form() {
    let plain = [MAIN, KEY].concat();
    let mut open = plain.clone();
    // Its last OBU without a size.
    open[MAIN.len()] &= !2;
    open.remove(MAIN.len() + 1);
    let cases = [
        plain.clone(),
        [DELIMITER, &plain].concat(),
        [DELIMITER, &plain, PADDING].concat(),
        [MAIN, PADDING, KEY].concat(),
        [MAIN, &[0x42, 1, 0], KEY].concat(),
        open,
    ];
    for unit in cases {
        let unit = Bytes::from(unit);
        let made = normalise(&unit).unwrap();
        assert_eq!(made, plain, "{unit:02x?}");
        assert_eq!(normalise(&made).unwrap().as_ptr(), made.as_ptr());
        assert_eq!(normalise_elements([&unit[..]]).unwrap(), plain);
    }
    // Not copied.
    let unit = Bytes::from([DELIMITER, &plain, PADDING].concat());
    assert_eq!(normalise(&unit).unwrap().as_ptr(), unit[2..].as_ptr());
    // But it does not keep padding that is more than itself.
    let mut padded = [&plain[..], &[0x7a, 0x80, 0x08]].concat();
    padded.resize(padded.len() + 1_024, 0);
    let unit = Bytes::from(padded);
    let made = normalise(&unit).unwrap();
    assert_eq!(made, plain);
    assert!(!unit.as_ptr_range().contains(&made.as_ptr()));
    assert_eq!(normalise(&Bytes::from_static(DELIMITER)).unwrap(), "");
    // As in RTP: elements without sizes, of which empty ones are nothing.
    let elements = [MAIN, KEY].map(|obu| [&[obu[0] & !2], &obu[2..]].concat());
    let made = normalise_elements([&elements[0][..], &[], &elements[1]]);
    assert_eq!(made.unwrap(), plain);
    // A size of two bytes.
    let long = [&[0x30][..], &[7; 200]].concat();
    let made = normalise_elements([&long[..]]).unwrap();
    assert_eq!(made[..4], [0x32, 0xc8, 0x01, 7]);
    assert_eq!(made.len(), 203);
}

#[test]
fn temporal_units_are_what_their_frames_are() {
    let main = SequenceHeader::parse(&MAIN[2..]).unwrap();
    let look = |units: &[&[u8]]| Picture::inspect_with(&units.concat(), &main).unwrap();
    let frame = Picture {
        has_frame: true,
        ..Picture::default()
    };
    let key = Picture { key: true, ..frame };
    let disposable = Picture {
        disposable: true,
        ..frame
    };
    let again = Picture {
        shows_existing: true,
        ..frame
    };
    // A key frame that is not shown at once.
    let hidden = &[0x32, 3, 0x04, 0, 0];
    let cases: [(&[&[u8]], Picture); 10] = [
        (&[MAIN, KEY], key),
        (&[KEY], frame),
        (&[MAIN, hidden], frame),
        (&[REFERRED], frame),
        (&[SHOWN_AGAIN], again),
        (&[MAIN, SHOWN_AGAIN], again),
        (&[UNREFERRED], disposable),
        (&[UNREFERRED, REFERRED], frame),
        (&[UNREFERRED, SHOWN_AGAIN], frame),
        (&[MAIN], Picture::default()),
    ];
    for (units, expected) in cases {
        assert_eq!(look(units), expected, "{units:02x?}");
        let start = expected.key.then_some(Start::Clean);
        assert_eq!(look(units).start(), start);
    }
    // By itself, a unit without a sequence header does not tell.
    assert_eq!(Picture::inspect(UNREFERRED), Ok(frame));
    let with_header = [MAIN, UNREFERRED].concat();
    assert_eq!(Picture::inspect(&with_header), Ok(disposable));
    // Still pictures have no flags in front.
    let still = [STILL, &[0x32, 2, 0x46, 0]].concat();
    assert_eq!(Picture::inspect(&still), Ok(key));
    assert_eq!(Picture::inspect(&[]), Ok(Picture::default()));
    // Cut off behind its first flags, and at once.
    for cut in [&[0x32, 1, 0x32][..], &[0x32, 0]] {
        assert_eq!(look(&[cut]), frame, "{cut:02x?}");
    }
}

#[test]
fn the_sequence_header_of_a_unit_is_found() {
    let unit = [DELIMITER, MAIN, KEY].concat();
    assert_eq!(Picture::sequence_header(&unit), Some(MAIN));
    assert_eq!(Picture::sequence_header(KEY), None);
    assert_eq!(Picture::sequence_header(&[0x80]), None);
}
