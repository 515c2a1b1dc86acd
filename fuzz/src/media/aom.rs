//! AV1 and what came before it: VP9 and VP8.

use bytes::Bytes;
use media::codec::av1::obu_type::{PADDING, TEMPORAL_DELIMITER, TILE_LIST};
use media::codec::{av1, vp8, vp9};

/// OBUs that are not carried.
const DROPPED: [u8; 3] = [TEMPORAL_DELIMITER, TILE_LIST, PADDING];

/// OBUs of a temporal unit.
///
/// # Panics
/// When bringing them into the form in which they are carried changes what they are, or does not make that form.
pub fn av1(input: &[u8]) {
    let unit = Bytes::copy_from_slice(input);
    let Ok(made) = av1::normalise(&unit) else {
        assert!(av1::normalise_elements([input]).is_err());
        assert!(av1::Picture::inspect(input).is_err());
        return;
    };
    let carried = |bytes: &Bytes| -> Vec<(u8, Bytes)> {
        let found = av1::obus(bytes).flatten();
        let found = found.map(|obu| (obu.kind, bytes.slice_ref(obu.payload)));
        found.filter(|(kind, _)| !DROPPED.contains(kind)).collect()
    };
    let obus = carried(&unit);
    assert_eq!(av1::obus(&made).count(), obus.len());
    assert!(av1::obus(&made).all(|obu| obu.is_ok_and(|obu| obu.has_size)));
    assert_eq!(carried(&made), obus);
    assert_eq!(av1::normalise(&made).as_ref(), Ok(&made));
    // Sizes may have become shorter, nothing else.
    match av1::normalise_elements([input]) {
        Ok(rewritten) => assert_eq!(carried(&rewritten), obus),
        Err(error) => panic!("a unit that was read before is refused: {error}"),
    }
    let picture = av1::Picture::inspect(&made);
    assert_eq!(av1::Picture::inspect(input), picture);
    let Ok(picture) = picture else {
        panic!("a unit that was just made is refused");
    };
    assert!(picture.has_frame || !picture.key && !picture.disposable);
    assert!(!picture.key || !picture.disposable && !picture.shows_existing);
    let sequence = av1::Picture::sequence_header(&made).map(av1::Config::from_sequence_header);
    if let Some(Ok(config)) = sequence {
        av1c_there_and_back(&config);
        let seen = av1::Picture::inspect_with(&made, &config.video);
        assert!(seen.is_ok_and(|seen| seen.key == picture.key));
    } else {
        assert!(sequence.is_some() || !picture.key);
    }
}

/// An AV1CodecConfigurationRecord, or a sequence header OBU.
///
/// # Panics
/// When what was accepted does not survive being written and read, or has values outside the documented ones.
pub fn av1c(input: &[u8]) {
    let found = [
        av1::Config::parse_av1c(&Bytes::copy_from_slice(input)),
        av1::Config::from_sequence_header(input),
    ];
    for config in found.iter().flatten() {
        av1c_there_and_back(config);
    }
}

/// A frame of VP9, or the content of a `vpcC` box.
///
/// # Panics
/// When what was accepted does not survive being written and read, or a frame is two things at once.
pub fn vp9(input: &[u8]) {
    let from_frame = vp9::Config::from_key_frame(input);
    let picture = vp9::Picture::inspect(input);
    assert!(picture.has_frame || picture == vp9::Picture::default());
    assert!(!picture.key || !picture.disposable && !picture.shows_existing);
    assert_eq!(picture.key, picture.size.is_some());
    if let Ok(config) = &from_frame {
        let size = (config.width.into(), config.height.into());
        assert_eq!(picture.size, Some(size));
    }
    let found = [from_frame, vp9::Config::parse_vpcc(input, 1_280, 720)];
    for config in found.into_iter().flatten() {
        assert!(config.level > 0 && matches!(config.bit_depth, 8 | 10 | 12));
        let (width, height) = (config.width, config.height);
        let read = vp9::Config::parse_vpcc(&config.vpcc(), width, height);
        assert_eq!(read.as_ref(), Ok(&config));
        assert!(config.rfc6381().starts_with("vp09."));
    }
}

/// A frame of VP8.
///
/// # Panics
/// When a frame is two things at once.
pub fn vp8(input: &[u8]) {
    let picture = vp8::Picture::inspect(input);
    assert!(picture.has_frame || !picture.key && !picture.disposable);
    assert!(!picture.key || !picture.disposable);
    match vp8::Config::from_key_frame(input) {
        Ok(config) => {
            assert!(picture.key && config.width > 0 && config.height > 0);
            assert_eq!(picture.size, Some((config.width, config.height)));
        }
        Err(_) => assert!(!picture.key),
    }
}

fn av1c_there_and_back(config: &av1::Config) {
    assert!(config.sequence_header.len() <= av1::MAX_SEQUENCE_HEADER + 2);
    let video = &config.video;
    assert!((1..=65_536).contains(&video.width) && (1..=65_536).contains(&video.height));
    assert!(matches!(video.bit_depth, 8 | 10 | 12));
    let record = config.av1c();
    assert_eq!(av1::Config::parse_av1c(&record).as_ref(), Ok(config));
    assert!(config.rfc6381().starts_with("av01."));
}

/// Seeds for these targets.
pub(super) fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    // As encoders write them: libaom in 4:2:0 of 8 bits, SVT-AV1 in BT.2020 of 10 bits, a still picture.
    let main: &[u8] = &[
        0x0a, 0x0b, 0, 0, 0, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0, 0x40,
    ];
    let wide_gamut: &[u8] = &[
        0x0a, 0x0e, 0, 0, 0, 0x04, 0x3c, 0xfe, 0xcc, 0x02, 0xf8, 0x50, 0x91, 0, 0x90, 0x40,
    ];
    let still: &[u8] = &[0x0a, 0x06, 0x18, 0x15, 0x7f, 0xfd, 0xa0, 0x08];
    // A sequence header with everything that is optional: timing, decoder model, two operating points.
    let timing: &[u8] = &[
        0x0a, 0x22, 0x04, 0, 0, 0x0f, 0xa4, 0, 0x01, 0xd4, 0xc3, 0xa4, 0, 0, 0, 0x04, 0, 0x84,
        0x40, 0xdb, 0x80, 0, 0x02, 0x62, 0x02, 0x42, 0xab, 0xbf, 0xc3, 0x7e, 0x80, 0, 0x10, 0x10,
        0xd0, 0x06,
    ];
    let key: &[u8] = &[0x32, 0x08, 0x14, 0, 0xa0, 0xa8, 0x10, 0xb4, 0x4c, 0xf0];
    let shown_again: &[u8] = &[0x1a, 0x01, 0xb8];
    let unreferred: &[u8] = &[0x32, 0x08, 0x32, 0x08, 0, 0x09, 0xb8, 0x54, 0x83, 0x48];
    let layered: &[u8] = &[0x36, 0x28, 0x02, 0x32, 0x08, 0x30, 0x32, 0x08];
    let mut seeds = vec![
        ("av1", "key", [&[0x12, 0], main, key].concat()),
        ("av1", "unreferred", [main, unreferred].concat()),
        ("av1", "existing", [&[0x12, 0], shown_again].concat()),
        (
            "av1",
            "layers",
            [wide_gamut, &[0x7a, 1, 0x80], layered].concat(),
        ),
        ("av1", "still", [still, &[0x32, 2, 0x46, 0]].concat()),
        (
            "av1c",
            "bare",
            [&[0x08], main.get(2..).unwrap_or(main)].concat(),
        ),
    ];
    for (name, header) in [
        ("main", main),
        ("wide_gamut", wide_gamut),
        ("still", still),
        ("timing", timing),
    ] {
        if let Ok(config) = av1::Config::from_sequence_header(header) {
            seeds.push(("av1c", name, config.av1c().to_vec()));
        }
    }
    // libvpx: key frames in profiles 0, 1 and 3, and of two temporal layers the upper.
    let vp9: [(&str, &[u8]); 6] = [
        (
            "key",
            &[0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xf0, 0x0b, 0x36, 0x0c],
        ),
        (
            "key_444",
            &[0xa3, 0x49, 0x83, 0x42, 0xe0, 0x13, 0xf0, 0x0b, 0x30, 0x20],
        ),
        (
            "key_high",
            &[
                0xb1, 0x24, 0xc1, 0xa1, 0x14, 0, 0x9f, 0x80, 0x59, 0xb0, 0x81,
            ],
        ),
        ("upper", &[0xa7, 0, 0x02, 0x4a, 0x43, 0x07, 0x04, 0x83]),
        ("intra", &[0x84, 0x92, 0x60, 0xd0, 0x80, 0x40]),
        ("vpcc", &[1, 0, 0, 0, 3, 11, 0xa7, 2, 2, 1, 0, 0]),
    ];
    let vp8: [(&str, &[u8]); 3] = [
        (
            "key",
            &[
                0x30, 0x55, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0, 0, 0x47,
            ],
        ),
        (
            "upper",
            &[
                0xd1, 0x06, 0, 0x26, 0x1c, 0x24, 0x0c, 0x2c, 0x2c, 0x44, 0xcc, 0x24, 0x41, 0xa4, 0,
                0, 0, 0x1a, 0x09, 0xaf,
            ],
        ),
        (
            "lower",
            &[
                0x31, 0x0c, 0, 0xe4, 0x51, 0xcf, 0x94, 0xd8, 0x2f, 0xaf, 0x10, 0x4f, 0x4f, 0xb1,
                0x0a, 0x2f,
            ],
        ),
    ];
    for (entry, frames) in [("vp9", &vp9[..]), ("vp8", &vp8[..])] {
        let frames = frames.iter();
        seeds.extend(frames.map(|(name, frame)| (entry, *name, frame.to_vec())));
    }
    seeds
}
