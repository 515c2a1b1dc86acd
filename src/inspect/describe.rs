//! Codecs in words: profile, level, and what else people look for.

use media::Codec;
use media::codec::{av1, h264, h265};

/// Profile and level, as `High 3.1`, where the codec has them.
pub fn profile(codec: &Codec) -> Option<String> {
    Some(match codec {
        Codec::H264(config) => h264_profile(&config.video),
        Codec::H265(config) => h265_profile(&config.video),
        Codec::Av1(config) => av1_profile(config),
        Codec::Vp9(config) => match config.level {
            0 => format!("profile {}", config.profile),
            level => format!(
                "profile {}, level {}.{}",
                config.profile,
                level / 10,
                level % 10
            ),
        },
        Codec::Aac(config) => aac_profile(&config.specific_config).to_owned(),
        _ => return None,
    })
}

/// ITU-T H.264 annex A.
fn h264_profile(sps: &h264::Sps) -> String {
    let set = |number: u8| sps.constraints & (0x80 >> number) != 0;
    let name = match sps.profile_idc {
        66 if set(1) => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 if set(4) && set(5) => "Constrained High",
        100 if set(4) => "Progressive High",
        100 => "High",
        110 if set(3) => "High 10 Intra",
        110 => "High 10",
        122 => "High 4:2:2",
        244 => "High 4:4:4 Predictive",
        44 => "CAVLC 4:4:4 Intra",
        other => return format!("profile {other}, level {}", tenths(sps.level_idc)),
    };
    // Level 1b of the old profiles (clause A.3.1).
    let level = match sps.level_idc {
        9 => "1b".to_owned(),
        11 if set(3) && matches!(sps.profile_idc, 66 | 77 | 88) => "1b".to_owned(),
        level => tenths(level),
    };
    format!("{name} {level}")
}

fn tenths(level: u8) -> String {
    match level % 10 {
        0 => (level / 10).to_string(),
        rest => format!("{}.{rest}", level / 10),
    }
}

/// ITU-T H.265 annex A.
fn h265_profile(sps: &h265::Sps) -> String {
    let name = match sps.profile.idc {
        1 => "Main",
        2 => "Main 10",
        3 => "Main Still Picture",
        4 => "Range Extensions",
        5 => "High Throughput",
        9 => "Screen Content",
        other => return format!("profile {other}"),
    };
    // Thirty times the level.
    let level = tenths(sps.profile.level_idc / 3);
    let tier = if sps.profile.high_tier {
        " High tier"
    } else {
        ""
    };
    format!("{name} {level}{tier}")
}

/// AV1 annex A.
fn av1_profile(config: &av1::Config) -> String {
    let record = config.av1c();
    let byte = record.get(1).copied().unwrap_or(0);
    let name = match byte >> 5 {
        0 => "Main",
        1 => "High",
        _ => "Professional",
    };
    let level = byte & 31;
    match level {
        31 => format!("{name}, any level"),
        level => format!("{name} {}.{}", 2 + (level >> 2), level & 3),
    }
}

/// The audio object type (ISO/IEC 14496-3 clause 1.5.1).
fn aac_profile(specific: &[u8]) -> &'static str {
    let (first, second) = match specific {
        [first, second, ..] => (*first, *second),
        _ => return "unknown",
    };
    match first >> 3 {
        1 => "Main",
        2 => "LC",
        4 => "LTP",
        5 => "HE",
        29 => "HE v2",
        31 if (first & 7) << 3 | second >> 5 == 10 => "xHE",
        23 => "LD",
        31 if (first & 7) << 3 | second >> 5 == 7 => "ELD",
        _ => "other object type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use media::codec::aac;

    #[test]
    fn profiles_in_words() {
        let sps = Bytes::from_static(&[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50]);
        let config = h264::Config::new(vec![sps], vec![Bytes::from_static(&[0x68, 0xeb])]).unwrap();
        let told = profile(&Codec::H264(config));
        assert_eq!(told.as_deref(), Some("Constrained Baseline 3"));
        let aac = Codec::Aac(aac::Config::low_complexity(48_000, 2).unwrap());
        assert_eq!(profile(&aac).as_deref(), Some("LC"));
        assert_eq!(profile(&Codec::G722 { channels: 1 }), None);
        assert_eq!((tenths(31), tenths(40)), ("3.1".to_owned(), "4".to_owned()));
    }
}
