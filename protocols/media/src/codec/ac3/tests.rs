//! Frames and boxes of AC-3 and E-AC-3, those that ffmpeg wrote and those that nobody should.

use super::*;
use crate::bits::BitWriter;

/// The beginnings of frames that ffmpeg wrote: stereo at 192 kbit/s (48 and 44.1 kHz), 5.1 at 448 kbit/s; E-AC-3
/// in stereo at 128 and in 5.1 at 256 kbit/s.
const STEREO: &[u8] = &[0x0b, 0x77, 0xfe, 0x95, 0x14, 0x40, 0x43, 0xe1];
const STEREO_44: &[u8] = &[0x0b, 0x77, 0xd8, 0x0e, 0x54, 0x40, 0x43, 0xe1];
const SURROUND: &[u8] = &[0x0b, 0x77, 0xb5, 0x0b, 0x1e, 0x40, 0xeb, 0xf8];
const E_STEREO: &[u8] = &[0x0b, 0x77, 0x00, 0xff, 0x34, 0x87, 0xc0, 0x00];
const E_SURROUND: &[u8] = &[0x0b, 0x77, 0x01, 0xff, 0x3f, 0x87, 0xc0, 0x00];

fn frame(header: &[u8]) -> Vec<u8> {
    let mut frame = header.to_vec();
    frame.resize(32, 0);
    frame.resize(Header::parse(&frame).unwrap().length(), 0x55);
    frame
}

/// A frame of 64 bytes of E-AC-3: stream type, substream, six blocks at 48 kHz, mode, channel map.
fn eac3(stream_type: u32, substream: u32, acmod: u32, lfe: u32, map: Option<u32>) -> Vec<u8> {
    let bits = BitWriter::default()
        .bits(16, 0x0b77)
        .bits(2, stream_type)
        .bits(3, substream)
        .bits(11, 31)
        .bits(4, 3)
        .bits(3, acmod)
        .bits(1, lfe)
        .bits(5, 16)
        .bits(6, 27 << 1);
    let bits = match (stream_type, map) {
        (1, Some(map)) => bits.bits(1, 1).bits(16, map),
        (1, None) => bits.bits(1, 0),
        _ => bits,
    };
    frame(&bits.bits(2, 0).bytes())
}

#[test]
fn headers_of_real_encoders() {
    // bytes, (kind, bsid, rate, channels), length, kbit/s
    let independent = Kind::Independent(0);
    let cases = [
        (STEREO, (Kind::Ac3, 8, 48_000, 2), 768, 192),
        (STEREO_44, (Kind::Ac3, 8, 44_100, 2), 834, 191),
        (SURROUND, (Kind::Ac3, 8, 48_000, 6), 1_792, 448),
        (E_STEREO, (independent, 16, 48_000, 2), 512, 128),
        (E_SURROUND, (independent, 16, 48_000, 6), 1_024, 256),
    ];
    for (bytes, fields, length, kbits) in cases {
        let header = Header::parse(bytes).unwrap();
        let rate = header.sample_rate.ticks_per_second();
        let found = (header.kind, header.bsid, rate, header.channels());
        assert_eq!(found, fields, "{bytes:02x?}");
        assert_eq!((header.length(), header.samples()), (length, 1_536));
        assert_eq!(header.bitrate() / 1_000, kbits);
        assert_eq!(header.bsmod, 0);
        for length in 0..7 {
            let error = Header::parse(&bytes[..length]).unwrap_err();
            assert!(matches!(error, HeaderError::Bits(_)), "{length}: {error}");
        }
    }
    // The other frames at 44.1 kHz, which are a word longer.
    let longer = [&STEREO_44[..4], &[0x55, 0x40, 0x43, 0xe1]].concat();
    assert_eq!(Header::parse(&longer).unwrap().length(), 836);
}

#[test]
fn frames_of_fewer_blocks_and_half_frequencies() {
    // Sampling frequency and block codes, rate, samples.
    for (codes, rate, samples) in [
        (0b0000, 48_000, 256),
        (0b0101, 44_100, 512),
        (0b1010, 32_000, 768),
        (0b1011, 32_000, 1_536),
        (0b1100, 24_000, 1_536),
        (0b1101, 22_050, 1_536),
        (0b1110, 16_000, 1_536),
    ] {
        let mut bytes = E_STEREO.to_vec();
        bytes[4] = codes << 4 | bytes[4] & 15;
        let header = Header::parse(&bytes).unwrap();
        let found = (header.sample_rate.ticks_per_second(), header.samples());
        assert_eq!(found, (rate, samples));
    }
}

#[test]
fn the_bit_stream_mode_lies_behind_the_mixing() {
    // Everything that may be there, of two mono channels: dialogue levels and compression, the scales, 12 bits
    // of mixing, the panning, and two of six blocks.
    let bits = BitWriter::default()
        .bits(16, 0x0b77)
        .bits(16, 63)
        .bits(4, 3)
        .bits(4, 0)
        .bits(5, 16)
        .bits(14, 27 << 9 | 1 << 8)
        .bits(14, 27 << 9 | 1 << 8)
        .bits(1, 1)
        .bits(7, 1 << 6)
        .bits(7, 1 << 6)
        .bits(7, 1 << 6)
        .bits(14, 2 << 12)
        .bits(15, 1 << 14)
        .bits(15, 1 << 14)
        .bits(1, 1)
        .bits(6, 1 << 5)
        .bits(6, 1 << 5)
        .bits(4, 0)
        .bits(1, 1)
        .bits(3, 5);
    assert_eq!(Header::parse(&frame(&bits.bytes())).unwrap().bsmod, 5);
    // 5.1: mix levels, that of low frequency effects, no scales, two bytes of mixing, no blocks.
    let bits = BitWriter::default()
        .bits(16, 0x0b77)
        .bits(16, 63)
        .bits(4, 3)
        .bits(4, 15)
        .bits(5, 16)
        .bits(6, 27 << 1)
        .bits(1, 1)
        .bits(14, 0)
        .bits(6, 1 << 5)
        .bits(2, 0)
        .bits(7, 3 << 5)
        .bits(16, 0)
        .bits(1, 0)
        .bits(1, 1)
        .bits(3, 2);
    assert_eq!(Header::parse(&frame(&bits.bytes())).unwrap().bsmod, 2);
}

#[test]
fn bad_headers_are_named() {
    let patched = |bytes: &[u8], at: usize, value: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = value;
        Header::parse(&bytes).unwrap_err()
    };
    assert_eq!(Header::parse(&[0x0c]), Err(HeaderError::Sync));
    assert_eq!(patched(STEREO, 1, 0x76), HeaderError::Sync);
    assert_eq!(patched(STEREO, 5, 9 << 3), HeaderError::BitStream(9));
    assert_eq!(patched(STEREO, 5, 17 << 3), HeaderError::BitStream(17));
    assert_eq!(patched(STEREO, 4, 0xd4), HeaderError::SampleRate);
    assert_eq!(patched(STEREO, 4, 38), HeaderError::FrameSize(38));
    assert_eq!(patched(E_STEREO, 2, 0xc0), HeaderError::StreamType);
    assert_eq!(patched(E_STEREO, 4, 0xf4), HeaderError::SampleRate);
    assert_eq!(patched(E_STEREO, 3, 2), HeaderError::Short(6));
}

#[test]
fn no_frame_of_ac3_is_longer_than_the_longest() {
    for code in 0..=255 {
        let mut bytes = STEREO.to_vec();
        bytes[4] = code;
        if let Ok(header) = Header::parse(&bytes) {
            assert!((128..=3_840).contains(&header.length()), "{header:?}");
        }
    }
}

#[test]
fn units_begin_with_the_first_independent_substream() {
    let main = eac3(0, 0, 7, 1, None);
    let sides = eac3(1, 0, 2, 0, Some(0x0200));
    let comment = eac3(0, 1, 1, 0, None);
    let unit = [&main[..], &sides, &comment].concat();
    let bytes = [&unit[..], &unit, &frame(STEREO), &frame(E_STEREO)].concat();
    let lengths: Vec<_> = units(&bytes)
        .map(|unit| unit.map(|(header, unit)| (header.kind, unit.len())))
        .collect();
    let independent = Kind::Independent(0);
    let expected = [
        Ok((independent, 192)),
        Ok((independent, 192)),
        Ok((Kind::Ac3, 768)),
        Ok((independent, 512)),
    ];
    assert_eq!(lengths, expected);
    // A unit is kept back as long as more of it may come.
    for length in 0..=unit.len() * 2 {
        let mut found = units(&bytes[..length]);
        let taken: usize = found.by_ref().map(|unit| unit.unwrap().1.len()).sum();
        let expected = match length {
            64 | 128 => length,
            256 | 320 => length,
            384 => 384,
            // Where the header that follows is whole, it says whether it is another unit's.
            199.. => 192,
            192 => 192,
            _ => 0,
        };
        assert_eq!(taken, expected, "{length}");
        assert_eq!(found.remainder().len(), length - taken);
    }
}

#[test]
fn what_belongs_to_no_unit_is_told() {
    let main = eac3(0, 0, 7, 1, None);
    let sides = eac3(1, 0, 2, 0, Some(0x0200));
    let bytes = [&sides[..], b"rubbish", &main, &sides].concat();
    let found: Vec<_> = units(&bytes)
        .map(|unit| unit.map(|(_, unit)| unit.len()))
        .collect();
    let lost = |at, length, reason| Err(Lost { at, length, reason });
    let expected = [
        lost(0, 64, HeaderError::Orphan),
        lost(64, 7, HeaderError::Sync),
        Ok(128),
    ];
    assert_eq!(found, expected);
    assert_eq!(Config::of(&sides), Err(HeaderError::Orphan));
}

#[test]
fn configurations_are_what_ffmpeg_writes() {
    let config = Config::of(&frame(SURROUND)).unwrap();
    assert_eq!(config.dac3().as_deref(), Some(&[0x10, 0x3d, 0xe0][..]));
    assert_eq!((config.channels, config.dec3()), (6, None));
    assert_eq!((config.name(), config.rfc6381().as_str()), ("AC-3", "ac-3"));
    assert_eq!(Config::parse_dac3(&[0x10, 0x3d, 0xe0]), Ok(config));
    let config = Config::of(&frame(E_SURROUND)).unwrap();
    let dec3 = &[0x08, 0x00, 0x20, 0x0f, 0x00];
    assert_eq!(config.dec3().as_deref(), Some(&dec3[..]));
    assert_eq!((config.channels, config.dac3()), (6, None));
    assert_eq!(
        (config.name(), config.rfc6381().as_str()),
        ("E-AC-3", "ec-3")
    );
    assert_eq!(Config::parse_dec3(dec3), Ok(config));
}

#[test]
fn dependent_substreams_add_channels() {
    // 7.1: rear surround channels; a second programme behind it.
    let main = eac3(0, 0, 7, 1, None);
    let rear = eac3(1, 0, 2, 0, Some(0x0200));
    let comment = eac3(0, 1, 1, 0, None);
    let config = Config::of(&[&main[..], &rear, &comment].concat()).unwrap();
    assert_eq!((config.enhanced, config.channels), (true, 8));
    let dec3 = config.dec3().unwrap();
    // 48 kbit/s in two programmes.
    let expected = [0x01, 0x81, 0x20, 0x0f, 0x02, 0x02, 0x20, 0x02, 0x00];
    assert_eq!(dec3, expected[..]);
    assert_eq!(Config::parse_dec3(&dec3), Ok(config));
    // The same behind a core of AC-3.
    let config = Config::of(&[&frame(SURROUND)[..], &rear].concat()).unwrap();
    assert_eq!((config.enhanced, config.channels), (true, 8));
    // Each place by its bit: table E.1.4 to table F.6.1, and its channels.
    for (bit, place, count) in [
        (0, None, 0),
        (4, None, 0),
        (5, Some(0), 2),
        (6, Some(1), 2),
        (7, Some(2), 1),
        (8, Some(3), 1),
        (9, Some(4), 2),
        (10, Some(5), 2),
        (11, Some(6), 2),
        (12, Some(7), 1),
        (13, None, 0),
        (14, Some(8), 1),
        (15, None, 0),
    ] {
        let found = places(0x8000 >> bit);
        assert_eq!(found, place.map_or(0, |place: u16| 1 << place), "{bit}");
        assert_eq!(channels_at(found), count, "{bit}");
    }
}

#[test]
fn bad_boxes_are_refused() {
    let dac3 = [0x10, 0x3d, 0xe0];
    let dec3 = [0x01, 0x81, 0x20, 0x0f, 0x02, 0x02, 0x20, 0x02, 0x00];
    for length in 0..dac3.len() {
        let refused = Config::parse_dac3(&dac3[..length]);
        assert!(matches!(refused, Err(ConfigError::Bits(_))), "{length}");
    }
    for length in 0..dec3.len() {
        let refused = Config::parse_dec3(&dec3[..length]);
        assert!(matches!(refused, Err(ConfigError::Bits(_))), "{length}");
    }
    let refused = |dac3: [u8; 3]| Config::parse_dac3(&dac3).unwrap_err();
    assert_eq!(refused([0xd0, 0x3d, 0xe0]), ConfigError::SampleRate);
    assert_eq!(refused([0x12, 0x3d, 0xe0]), ConfigError::BitStream(9));
    assert_eq!(refused([0x10, 0x3e, 0x60]), ConfigError::Bitrate(19));
    let refused = |dec3: &[u8]| Config::parse_dec3(dec3).unwrap_err();
    assert_eq!(refused(&[0, 0, 0xe0, 15, 0]), ConfigError::SampleRate);
    assert_eq!(refused(&[0, 0, 0x22, 15, 0]), ConfigError::BitStream(17));
    assert_eq!(refused(&[0; 65]), ConfigError::TooLong(65));
    // What says that there are objects stays.
    let objects = [0x08, 0x00, 0x20, 0x0f, 0x00, 0x01, 0x10];
    let config = Config::parse_dec3(&objects).unwrap();
    assert_eq!(config.dec3().as_deref(), Some(&objects[..]));
}
