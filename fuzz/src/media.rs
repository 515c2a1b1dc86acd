//! Targets for the vocabulary: what reads codec headers that come unchanged from the network.
//!
//! Each asks more than that nothing panics: what was accepted is written and read again, or has to keep a
//! promise that its documentation makes.

use bytes::Bytes;
use media::codec::{aac, h264, nal};

/// A picture parameter set, for configurations that need one.
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

/// An AudioSpecificConfig.
///
/// # Panics
/// When a configuration is not what its own bytes say, or has values outside the documented ones.
pub fn aac_config(input: &[u8]) {
    let Ok(config) = aac::Config::parse(&Bytes::copy_from_slice(input)) else {
        return;
    };
    assert_eq!(config.specific_config, input);
    assert!((1..=4).contains(&config.object_type));
    assert!(matches!(config.frame_length, 960 | 1_024));
    assert_eq!(
        aac::Config::parse(&config.specific_config).as_ref(),
        Ok(&config)
    );
    // What can be said with rate and channels alone reads back as it was said.
    let rate = config.sample_rate.ticks_per_second();
    if let Ok(plain) = aac::Config::low_complexity(rate, config.channels) {
        assert_eq!(plain.sample_rate, config.sample_rate);
        assert_eq!(plain.channels, config.channels);
    }
}

/// An AVCDecoderConfigurationRecord.
///
/// # Panics
/// When a record that was accepted does not survive being written and read.
pub fn avcc(input: &[u8]) {
    let Ok((config, length_size)) = h264::Config::parse_avcc(&Bytes::copy_from_slice(input)) else {
        return;
    };
    assert!(matches!(length_size, 1 | 2 | 4));
    there_and_back(&config);
}

/// A sequence parameter set.
///
/// # Panics
/// When one that was accepted does not survive the way through a configuration record, or has a picture of
/// no size.
pub fn sps(input: &[u8]) {
    let Ok(sps) = h264::Sps::parse(input) else {
        return;
    };
    assert!(sps.width > 0 && sps.height > 0, "{sps:?}");
    let sets = (vec![Bytes::copy_from_slice(input)], vec![PPS.into()]);
    if let Ok(config) = h264::Config::new(sets.0, sets.1) {
        assert_eq!(config.video, sps);
        there_and_back(&config);
    }
}

/// NAL units behind lengths of 1 to 4 bytes (the first byte of the input says how many), and what the
/// picture is that they make.
///
/// # Panics
/// When widening the lengths changes the units, or what was widened cannot be walked.
pub fn nal(input: &[u8]) {
    let Some((first, payload)) = input.split_first() else {
        return;
    };
    let length_size = first % 4 + 1;
    let payload = Bytes::copy_from_slice(payload);
    let Ok(wide) = nal::with_four_byte_lengths(payload.clone(), length_size) else {
        return;
    };
    if length_size == 4 {
        assert_eq!(wide, payload);
        // Not looked at on the way, so that anything may be in it.
        let _ = h264::Picture::inspect(&wide);
        return;
    }
    let mut bytes = 0;
    for unit in nal::units(&wide) {
        let Ok(unit) = unit else {
            panic!("a length that was just written is wrong: {unit:?}");
        };
        assert!(!unit.is_empty());
        bytes += unit.len();
    }
    assert!(bytes <= payload.len());
    assert!(h264::Picture::inspect(&wide).is_ok());
}

fn there_and_back(config: &h264::Config) {
    let record = config.avcc();
    let (read, length_size) = match h264::Config::parse_avcc(&record) {
        Ok(read) => read,
        Err(error) => panic!("a record that was just written is refused: {error}: {record:02x?}"),
    };
    assert_eq!((&read, length_size), (config, 4));
    assert_eq!(read.avcc(), record);
}

/// Seeds for these targets: the entry, a name and an input.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    // As encoders write them: 1280x720, and 640x360 that is cropped from whole macroblocks.
    let high: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02,
        0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e, 0x07, 0x8c, 0x18, 0xcb,
    ];
    let baseline: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];
    let mut seeds = vec![
        ("aac_config", "lc_44100", vec![0x12, 0x10]),
        ("aac_config", "sbr_tail", vec![0x11, 0x90, 0x56, 0xe5, 0x00]),
        ("aac_config", "sbr_explicit", vec![0x2b, 0x11, 0x88, 0x00]),
        (
            "aac_config",
            "rate_in_full",
            vec![0x17, 0x80, 0xbb, 0x80, 0x10],
        ),
        ("nal", "one_byte", vec![0, 1, 0x65, 0, 2, 0x41, 7]),
        ("nal", "two_bytes", vec![1, 0, 2, 0x65, 1, 0, 1, 0x41]),
        (
            "nal",
            "four_bytes",
            vec![3, 0, 0, 0, 1, 0x65, 0, 0, 0, 2, 0x41, 7],
        ),
    ];
    for (name, set) in [("high", high), ("baseline", baseline)] {
        seeds.push(("sps", name, set.to_vec()));
        let sets = (vec![Bytes::from_static(set)], vec![PPS.into()]);
        if let Ok(config) = h264::Config::new(sets.0, sets.1) {
            seeds.push(("avcc", name, config.avcc().to_vec()));
        }
    }
    seeds
}
