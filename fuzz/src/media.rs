//! Targets for the vocabulary: what reads codec headers that come unchanged from the network.
//!
//! Each asks more than that nothing panics: what was accepted is written and read again, or has to keep a
//! promise that its documentation makes.

mod aom;
mod frames;

pub use aom::{av1, av1c, vp8, vp9};
pub use frames::{audio_config, audio_frames, jpeg};

use bytes::Bytes;
use media::codec::{aac, h264, h265, nal, opus};
use media::decoding_times::DecodingTimes;
use media::{Codec, Timebase, Track, TrackId};

/// A picture parameter set, for configurations that need one.
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

/// Video and picture parameter sets of H.265, likewise.
const H265_VPS: &[u8] = &[
    0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03,
    0x00, 0x00, 0x03, 0x00, 0x5d, 0x95, 0x98, 0x09,
];
const H265_PPS: &[u8] = &[0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40];

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

/// An HEVCDecoderConfigurationRecord.
///
/// # Panics
/// When a record that was accepted does not survive being written and read.
pub fn hvcc(input: &[u8]) {
    let Ok((config, length_size)) = h265::Config::parse_hvcc(&Bytes::copy_from_slice(input)) else {
        return;
    };
    assert!(matches!(length_size, 1 | 2 | 4));
    hvcc_there_and_back(&config);
}

/// A sequence parameter set of H.265.
///
/// # Panics
/// When one that was accepted does not survive the way through a configuration record, or has values
/// outside the documented ones.
pub fn h265_sps(input: &[u8]) {
    let Ok(sps) = h265::Sps::parse(input) else {
        return;
    };
    assert!(sps.width > 0 && sps.height > 0, "{sps:?}");
    assert!((1..=7).contains(&sps.sub_layers), "{sps:?}");
    for depth in [sps.bit_depth_luma, sps.bit_depth_chroma] {
        assert!((8..=15).contains(&depth), "{sps:?}");
    }
    let [vps, set, pps] = [H265_VPS, input, H265_PPS].map(|set| vec![Bytes::copy_from_slice(set)]);
    let config = match h265::Config::new(vps, set, pps) {
        Ok(config) => config,
        Err(error) => panic!("a set that was read is refused: {error}"),
    };
    assert_eq!(config.video, sps);
    hvcc_there_and_back(&config);
}

/// An Opus identification header, in both spellings, or a packet.
///
/// # Panics
/// When a header that was accepted does not survive both spellings, or a packet is longer than packets are.
pub fn opus_head(input: &[u8]) {
    let found = [
        opus::Config::parse_head(input),
        opus::Config::parse_dops(input),
    ];
    for config in found.into_iter().flatten() {
        let most = if config.mapping.is_some() { 8 } else { 2 };
        assert!((1..=most).contains(&config.channels));
        assert_eq!(
            opus::Config::parse_head(&config.head()).as_ref(),
            Ok(&config)
        );
        assert_eq!(opus::Config::parse_dops(&config.dops()), Ok(config));
    }
    if let Some(samples) = opus::duration(input) {
        // A multiple of 2.5 ms.
        assert!(samples <= opus::MAX_DURATION && samples % 120 == 0);
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
        let _ = h265::Picture::inspect(&wide);
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
    match h265::Picture::inspect(&wide) {
        Ok(picture) => {
            assert!(picture.temporal_id < 7);
            assert!(!picture.random_access || picture.leading.is_none());
            assert!(!picture.random_access || !picture.sub_layer_non_reference);
            assert!(picture.has_slice || picture.start().is_none());
        }
        Err(error) => panic!("a length that was just written is wrong: {error}"),
    }
}

/// Parameter sets of H.264 or H.265 and pictures that are read by them: NAL units, each behind a length of one
/// byte, each one an access unit of its own.
///
/// # Panics
/// When a decoding time lies behind its presentation time.
pub fn picture_order(input: &[u8]) {
    let mut units = Vec::new();
    let mut rest = input;
    while let Some((length, behind)) = rest.split_first() {
        let (unit, behind) = behind.split_at(behind.len().min((*length).into()));
        units.push(unit);
        rest = behind;
    }
    let of = |mask: u8, value: u8| -> Vec<Bytes> {
        let is_one = |unit: &&&[u8]| unit.first().is_some_and(|header| header & mask == value);
        let sets = units.iter().filter(is_one).take(4);
        sets.map(|set| Bytes::copy_from_slice(set)).collect()
    };
    let h264 = h264::Config::new(of(0x1f, 7), of(0x1f, 8)).map(Codec::H264);
    let [vps, sps, pps] = [0x40, 0x42, 0x44].map(|header| of(0xfe, header));
    let h265 = h265::Config::new(vps, sps, pps).map(Codec::H265);
    for codec in [h264.ok(), h265.ok()].into_iter().flatten() {
        let mut times = DecodingTimes::new(&Track {
            id: TrackId(0),
            codec,
            timebase: Timebase::VIDEO,
        });
        let mut pts = 0i64;
        for unit in &units {
            let length = u32::try_from(unit.len()).unwrap_or(0);
            let payload = [&length.to_be_bytes()[..], unit].concat();
            // Times that go both ways, by what the unit holds.
            pts += unit.last().map_or(0, |byte| i64::from(*byte as i8) * 900);
            assert!(times.next(&payload, pts) <= pts);
        }
    }
}

fn hvcc_there_and_back(config: &h265::Config) {
    let record = config.hvcc();
    let (read, length_size) = match h265::Config::parse_hvcc(&record) {
        Ok(read) => read,
        Err(error) => panic!("a record that was just written is refused: {error}: {record:02x?}"),
    };
    assert_eq!((&read, length_size), (config, 4));
    assert_eq!(read.hvcc(), record);
    let parameter = config.rfc6381();
    assert!(parameter.starts_with("hvc1.") && parameter.is_ascii());
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

fn behind_lengths(units: &[&[u8]]) -> Vec<u8> {
    let units = units.iter();
    units
        .flat_map(|unit| [&[u8::try_from(unit.len()).unwrap_or(0)], *unit].concat())
        .collect()
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
        (
            "nal",
            "h265",
            vec![1, 0, 3, 0x28, 1, 0xaf, 0, 3, 0x10, 2, 0xe0],
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
    // x265: 1280x720 in Main, and 638x358 in Main 4:2:2 10 with two temporal sub-layers.
    let main: &[u8] = &[
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03, 0x00, 0x5d, 0xa0, 0x02, 0x80, 0x80, 0x2d, 0x16, 0x59, 0x59, 0xa4, 0x93, 0x2b, 0xc0,
        0x5a, 0x02, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x10,
    ];
    let layers: &[u8] = &[
        0x42, 0x01, 0x02, 0x24, 0x08, 0x00, 0x00, 0x03, 0x00, 0x9d, 0x08, 0x00, 0x00, 0x03, 0x00,
        0x00, 0x7b, 0x00, 0x00, 0xb0, 0x05, 0x02, 0x01, 0x69, 0xd5, 0xb6, 0x59, 0x59, 0x8a, 0xcd,
        0x24, 0x99, 0x5e, 0x1c, 0xd0, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x01,
        0x90, 0x80,
    ];
    for (name, set) in [("main", main), ("layers", layers)] {
        seeds.push(("h265_sps", name, set.to_vec()));
        let sets = [H265_VPS, set, H265_PPS].map(|set| vec![Bytes::copy_from_slice(set)]);
        let [vps, sps, pps] = sets;
        if let Ok(config) = h265::Config::new(vps, sps, pps) {
            seeds.push(("hvcc", name, config.hvcc().to_vec()));
        }
    }
    // Sets and slices: a random access point and three pictures behind it, in decoding order. The first set
    // has an order of type 0, then there are two of types 1 and 2.
    let slices: [&[u8]; 3] = [
        &[0x65, 0x88, 0x84, 0x00, 0x40, 0x0a],
        &[0x41, 0x9a, 0x21, 0x18, 0x10],
        &[0x01, 0x9e, 0x41, 0x79, 0x14],
    ];
    let cycle: &[u8] = &[0x67, 0x4d, 0x00, 0x1e, 0xd2, 0x24, 0x99, 0x14, 0x12, 0xc8];
    let decoding: &[u8] = &[0x67, 0x4d, 0x00, 0x1e, 0xdb, 0x14, 0x12, 0xc8];
    for (name, set) in [
        ("h264", high),
        ("h264_cycle", cycle),
        ("h264_decoding", decoding),
    ] {
        let units = [&[set, PPS][..], &slices].concat();
        seeds.push(("picture_order", name, behind_lengths(&units)));
    }
    let pictures: [&[u8]; 3] = [
        &[0x28, 0x01, 0xaf, 0x13],
        &[0x02, 0x01, 0xd0, 0x24, 0x7f],
        &[0x00, 0x01, 0xe0, 0x44, 0xef],
    ];
    let units = [&[H265_VPS, main, H265_PPS][..], &pictures].concat();
    seeds.push(("picture_order", "h265", behind_lengths(&units)));
    let surround: &[u8] = &[
        0, 6, 0x01, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 1, 4, 2, 0, 4, 1, 2, 3, 5,
    ];
    seeds.push(("opus_head", "dops_surround", surround.to_vec()));
    if let Ok(config) = opus::Config::parse_dops(surround) {
        seeds.push(("opus_head", "head_surround", config.head().to_vec()));
    }
    if let Ok(config) = opus::Config::new(2, 312, 48_000) {
        seeds.push(("opus_head", "dops", config.dops().to_vec()));
        seeds.push(("opus_head", "head", config.head().to_vec()));
    }
    seeds.push(("opus_head", "packet", vec![0xff, 0x46, 0xfe]));
    seeds.extend(aom::seeds());
    seeds.extend(frames::seeds());
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every seed, and thousands of inputs made from it by changing bytes and cutting.
    #[test]
    fn seeds_and_their_neighbours_hold() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for (entry, _, seed) in seeds() {
            let run: fn(&[u8]) = match entry {
                "aac_config" => aac_config,
                "audio_config" => audio_config,
                "audio_frames" => audio_frames,
                "av1" => av1,
                "av1c" => av1c,
                "avcc" => avcc,
                "h265_sps" => h265_sps,
                "hvcc" => hvcc,
                "jpeg" => jpeg,
                "nal" => nal,
                "opus_head" => opus_head,
                "picture_order" => picture_order,
                "vp8" => vp8,
                "vp9" => vp9,
                _ => sps,
            };
            for _ in 0..5_000 {
                let mut input = seed.clone();
                for _ in 0..=random(3) {
                    let at = random(input.len());
                    input[at] = match random(2) {
                        0 => random(256) as u8,
                        _ => input[at] ^ 1 << random(8),
                    };
                }
                input.truncate(1 + random(input.len() * 2).min(input.len() - 1));
                run(&input);
            }
        }
    }
}
