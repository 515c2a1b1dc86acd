//! Parameter sets of real encoders and made ones, records there and back, and what is refused.

use super::*;
use crate::bits::BitWriter as Writer;
use crate::codec::Start;

/// Parameter sets as x265 writes them: VPS, SPS, PPS.
type Sets = [&'static [u8]; 3];

/// Main profile, level 3.1, 1280x720 at 30 pictures per second.
const MAIN: Sets = [
    &[
        0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00,
        0x03, 0x00, 0x00, 0x03, 0x00, 0x5d, 0x95, 0x98, 0x09,
    ],
    &[
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03, 0x00, 0x5d, 0xa0, 0x02, 0x80, 0x80, 0x2d, 0x16, 0x59, 0x59, 0xa4, 0x93, 0x2b, 0xc0,
        0x5a, 0x02, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x10,
    ],
    &[0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40],
];

/// Main 4:2:2 10, High tier, level 4.1, 638x358 with samples of 4:3, two temporal sub-layers.
const MAIN_422_10: Sets = [
    &[
        0x40, 0x01, 0x0c, 0x02, 0xff, 0xff, 0x24, 0x08, 0x00, 0x00, 0x03, 0x00, 0x9d, 0x08, 0x00,
        0x00, 0x03, 0x00, 0x00, 0x7b, 0x00, 0x00, 0x95, 0x98, 0xac, 0xc0, 0x48,
    ],
    &[
        0x42, 0x01, 0x02, 0x24, 0x08, 0x00, 0x00, 0x03, 0x00, 0x9d, 0x08, 0x00, 0x00, 0x03, 0x00,
        0x00, 0x7b, 0x00, 0x00, 0xb0, 0x05, 0x02, 0x01, 0x69, 0xd5, 0xb6, 0x59, 0x59, 0x8a, 0xcd,
        0x24, 0x99, 0x5e, 0x1c, 0xd0, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x01,
        0x90, 0x80,
    ],
    &[0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40],
];

/// Main profile, level 2, 322x182 at 30000/1001 with a display window, scaling lists and HRD parameters.
const SMALL: Sets = [
    &[
        0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00,
        0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x95, 0x94, 0x09,
    ],
    &[
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,
        0x03, 0x00, 0x3c, 0xa0, 0x0a, 0x48, 0x0b, 0x9c, 0x95, 0x96, 0x56, 0x59, 0x24, 0xe5, 0x78,
        0x0b, 0x40, 0xb6, 0xdc, 0x00, 0x00, 0x0f, 0xa4, 0x00, 0x01, 0xd4, 0xc1, 0x80, 0x52, 0x31,
        0xb8, 0x00, 0x3d, 0x09, 0x00, 0x07, 0xa1, 0x22,
    ],
    &[0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40],
];

fn config(sets: Sets) -> Config {
    let [vps, sps, pps] = sets.map(|set| vec![Bytes::from_static(set)]);
    Config::new(vps, sps, pps).unwrap()
}

#[test]
fn parameter_sets_of_a_real_encoder() {
    let cases = [
        (MAIN, (1_280, 720), 1, 8, 1, "hvc1.1.6.L93.90"),
        (MAIN_422_10, (638, 358), 2, 10, 2, "hvc1.4.10.H123.9D.8"),
        (SMALL, (322, 182), 1, 8, 1, "hvc1.1.6.L60.90"),
    ];
    for (sets, size, chroma, depth, sub_layers, name) in cases {
        let config = config(sets);
        let video = config.video;
        assert_eq!((video.width, video.height), size);
        assert_eq!(video.chroma_format_idc, chroma);
        assert_eq!(
            (video.bit_depth_luma, video.bit_depth_chroma),
            (depth, depth)
        );
        assert_eq!(video.sub_layers, sub_layers);
        assert_eq!(config.rfc6381(), name);
        // The twelve bytes stand behind the first byte of the payload; three are escaped there.
        let plain = crate::codec::nal::unescape(sets[1]);
        assert_eq!(video.profile.to_bytes(), plain[3..15]);
    }
    let (main, other, small) = (config(MAIN), config(MAIN_422_10), config(SMALL));
    assert_eq!(main.video.frame_rate, Some((30, 1)));
    assert_eq!(main.video.sample_aspect_ratio, Some((1, 1)));
    assert_eq!(other.video.frame_rate, Some((25, 1)));
    assert_eq!(other.video.sample_aspect_ratio, Some((4, 3)));
    assert!(other.video.profile.high_tier);
    assert_eq!(small.video.frame_rate, Some((30_000, 1_001)));
}

#[test]
fn names_follow_the_examples_of_the_standard() {
    let mut config = config(MAIN);
    config.video.profile.constraints = [0xb0, 0, 0, 0, 0, 0];
    assert_eq!(config.rfc6381(), "hvc1.1.6.L93.B0");
    config.video.profile = Profile {
        space: 1,
        high_tier: true,
        idc: 12,
        compatibility: 0,
        constraints: [0; 6],
        level_idc: 186,
    };
    assert_eq!(config.rfc6381(), "hvc1.A12.0.H186");
    config.video.profile.constraints = [0, 1, 0, 0, 0, 0];
    assert_eq!(config.rfc6381(), "hvc1.A12.0.H186.0.1");
}

#[test]
fn hvcc_there_and_back() {
    for sets in [MAIN, MAIN_422_10, SMALL] {
        let mut config = config(sets);
        config.pps.push(Bytes::from_static(&[0x44, 1, 0x55]));
        let written = config.hvcc();
        assert_eq!(Config::parse_hvcc(&written), Ok((config, 4)));
    }
}

#[test]
fn other_nal_units_of_a_record_are_left_out() {
    let config = config(MAIN);
    let mut record = config.hvcc().to_vec();
    record[22] = 4;
    record.extend([39, 0, 2, 0, 3, 0x4e, 1, 5, 0, 0]);
    let read = Config::parse_hvcc(&record.clone().into());
    assert_eq!(read, Ok((config, 4)));
    record.pop();
    let cut = Config::parse_hvcc(&record.into());
    assert!(matches!(cut, Err(ConfigError::Truncated(_))));
}

#[test]
fn every_truncation_of_hvcc_is_refused() {
    for sets in [MAIN, MAIN_422_10, SMALL] {
        let record = config(sets).hvcc();
        for length in 0..record.len() {
            let refused = Config::parse_hvcc(&record.slice(..length));
            assert!(
                matches!(refused, Err(ConfigError::Truncated(at)) if at == length),
                "{length}: {refused:?}"
            );
        }
    }
}

#[test]
fn bad_records_are_named() {
    let patched = |at: usize, value: u8| {
        let mut record = config(MAIN).hvcc().to_vec();
        record[at] = value;
        Config::parse_hvcc(&record.into()).unwrap_err()
    };
    assert_eq!(patched(0, 2), ConfigError::Version(2));
    assert_eq!(patched(21, 0x0e), ConfigError::LengthSize(3));
    assert_eq!(patched(22, 0), ConfigError::Missing("VPS"));
    assert_eq!(patched(22, 1), ConfigError::Missing("SPS"));
    assert_eq!(patched(22, 2), ConfigError::Missing("PPS"));
    // A set filed under another kind, and one of another layer.
    let misfiled = ConfigError::NotA {
        expected: "SPS",
        found: 34,
        layer: 0,
    };
    assert_eq!(patched(100, 0xa1), misfiled);
    let other_layer = ConfigError::NotA {
        expected: "VPS",
        found: 32,
        layer: 1,
    };
    assert_eq!(patched(29, 0x09), other_layer);
    assert_eq!(patched(29, 0x00), ConfigError::ParameterSet(24));
    // More sets than bytes.
    assert!(matches!(patched(24, 0xff), ConfigError::Truncated(_)));
}

#[test]
fn sets_are_bounded_in_number_and_length() {
    let sets = |set: &[u8], count| vec![Bytes::copy_from_slice(set); count];
    let [vps, sps, pps] = MAIN;
    let with = |pps| Config::new(sets(vps, 1), sets(sps, 1), pps);
    let all = with(sets(pps, MAX_PARAMETER_SETS)).unwrap();
    assert_eq!(Config::parse_hvcc(&all.hvcc()), Ok((all, 4)));
    let too_many = ConfigError::TooMany {
        kind: "PPS",
        count: 65,
    };
    assert_eq!(with(sets(pps, 65)), Err(too_many));
    let mut long = pps.to_vec();
    long.resize(MAX_PARAMETER_SET + 1, 0);
    assert_eq!(with(sets(&long, 1)), Err(ConfigError::ParameterSet(4_097)));
    assert_eq!(with(sets(&[], 1)), Err(ConfigError::ParameterSet(0)));

    // As many in a record: it is refused before they are all taken.
    let mut record = config(MAIN).hvcc().to_vec();
    record[22] = 4;
    record.extend([0xa2, 0, 64]);
    record.extend([0, 2, 0x44, 1].repeat(64));
    assert_eq!(Config::parse_hvcc(&record.into()), Err(too_many));
}

#[test]
fn a_cut_sequence_parameter_set_is_refused_up_to_its_vui() {
    for [_, sps, _] in [MAIN, MAIN_422_10, SMALL] {
        let whole = Sps::parse(sps).unwrap();
        for length in 0..sps.len() {
            match Sps::parse(&sps[..length]) {
                // Only what the VUI would have told is missing.
                Ok(cut) => {
                    let known = Sps {
                        sample_aspect_ratio: cut.sample_aspect_ratio,
                        frame_rate: cut.frame_rate,
                        ..whole
                    };
                    assert!(length >= 30 && cut == known, "{length}: {cut:?}");
                }
                Err(ConfigError::Sps(_)) => {}
                Err(ConfigError::ParameterSet(bytes)) => assert!(bytes == length && length < 2),
                Err(error) => panic!("{length}: {error}"),
            }
        }
    }
}

/// Parameter sets that encoders at hand do not make.
impl Writer {
    fn sps(self) -> Vec<u8> {
        self.nal_unit(&[0x42, 0x01])
    }

    /// Up to the sizes of blocks; 64x48 in 4:2:0.
    fn start() -> Self {
        Self::default()
            .bits(8, 1)
            .bits(32, 0x0160_0000)
            .bits(32, 0)
            .bits(32, 93)
            .ue(&[0, 1, 64, 48])
            .bits(1, 0)
            .ue(&[0, 0, 4])
            .bits(1, 1)
            .ue(&[4, 2, 0])
            .ue(&[0, 3, 0, 3, 0, 0])
    }

    /// From the strong intra smoothing to a VUI with a rate of 50.
    fn end(self) -> Self {
        self.bits(2, 3)
            .bits(1, 1)
            .bits(4 + 3 + 1, 0)
            .bits(1, 1)
            .bits(32, 1)
            .bits(32, 50)
    }
}

#[test]
fn coding_tools_before_the_vui_are_passed_over() {
    let plain = |writer: Writer| writer.bits(1, 0).bits(2, 0).bits(1, 0);
    let mut lists = Writer::start().bits(2, 3);
    for size in 0..4 {
        for matrix in 0..if size == 3 { 2 } else { 6 } {
            let coefficients = match (matrix, size) {
                (0, _) => None,
                (_, 0) => Some(16),
                (_, 1) => Some(64),
                _ => Some(65),
            };
            lists = match coefficients {
                None => lists.bits(1, 0).ue(&[0]),
                Some(count) => lists.bits(1, 1).ue(&vec![7; count]),
            };
        }
    }
    let lists = lists.bits(2, 0).bits(1, 0).ue(&[0]).bits(1, 0);
    let pcm = Writer::start()
        .bits(1, 0)
        .bits(2, 3)
        .bits(1, 1)
        .bits(8, 0x77)
        .ue(&[0, 2])
        .bits(1, 1)
        .ue(&[0])
        .bits(1, 0);
    // Three sets: two pictures, then one more than that by prediction, then fewer by prediction.
    let sets = plain(Writer::start())
        .ue(&[3])
        .ue(&[1, 1, 3])
        .bits(1, 1)
        .ue(&[4])
        .bits(1, 0)
        .bits(1, 1)
        .bits(1, 1)
        .ue(&[0])
        .bits(1, 1)
        .bits(2, 1)
        .bits(1, 1)
        .bits(1, 1)
        .bits(1, 0)
        .ue(&[5])
        .bits(6, 0)
        .bits(2, 1)
        .bits(1, 0);
    let long_term = plain(Writer::start())
        .ue(&[0])
        .bits(1, 1)
        .ue(&[2])
        .bits(2 * 9, 0x155);
    for (name, writer) in [
        ("scaling lists", lists),
        ("PCM", pcm),
        ("short-term sets", sets),
        ("long-term pictures", long_term),
    ] {
        let sps = Sps::parse(&writer.end().sps()).unwrap();
        assert_eq!((sps.width, sps.height), (64, 48), "{name}");
        assert_eq!(sps.frame_rate, Some((50, 1)), "{name}");
        assert_eq!(sps.sample_aspect_ratio, None, "{name}");
    }
}

#[test]
fn values_out_of_their_range_are_refused() {
    let sub_layers = |field: u32| {
        Writer::default()
            .bits(8, field << 1)
            .bits(32, 0)
            .bits(32, 0)
    };
    assert!(matches!(
        Sps::parse(&sub_layers(7).sps()),
        Err(ConfigError::Sps(_))
    ));
    let size = |width, height, crop: &[u32]| {
        let writer = Writer::default()
            .bits(8, 1)
            .bits(32, 0x0160_0000)
            .bits(32, 0)
            .bits(32, 93)
            .ue(&[0, 1, width, height])
            .bits(1, 1)
            .ue(crop);
        Sps::parse(&writer.sps()).unwrap_err()
    };
    for (width, height, crop, shown) in [
        (0, 48, [0; 4], (0, 48)),
        (16_386, 48, [0; 4], (16_386, 48)),
        (64, 48, [16, 16, 0, 0], (0, 48)),
        (64, 48, [0, 0, u32::MAX - 1, 9], (64, 0)),
    ] {
        let (width, height) = {
            let error = size(width, height, &crop);
            let ConfigError::Size { width, height } = error else {
                panic!("{error}")
            };
            (width, height)
        };
        assert_eq!((width, height), shown);
    }
    // 65 short-term sets, and one of 17 negative pictures.
    for tail in [&[65][..], &[1, 17, 0]] {
        let writer = Writer::start().bits(4, 0).ue(tail);
        let refused = Sps::parse(&writer.end().sps());
        assert!(matches!(refused, Err(ConfigError::Sps(_))), "{tail:?}");
    }
    let [vps, sps, _] = MAIN;
    assert!(matches!(
        Sps::parse(vps),
        Err(ConfigError::NotA { found: 32, .. })
    ));
    let mut deep = sps.to_vec();
    deep[0] |= 1; // layer 32
    assert!(matches!(
        Sps::parse(&deep),
        Err(ConfigError::NotA { layer: 32, .. })
    ));
}

/// NAL units of two bytes, of these types and temporal IDs.
fn payload(units: &[(u8, u8)]) -> Vec<u8> {
    units
        .iter()
        .flat_map(|(kind, temporal_id)| [0, 0, 0, 2, kind << 1, temporal_id + 1])
        .collect()
}

#[test]
fn a_picture_is_known_by_its_slices() {
    let inspect = |kind| Picture::inspect(&payload(&[(35, 0), (39, 0), (kind, 0)])).unwrap();
    for kind in 0..64 {
        let picture = inspect(kind);
        assert_eq!(picture.random_access, (16..=21).contains(&kind), "{kind}");
        let leading = match kind {
            6 | 7 => Some(Leading::Decodable),
            8 | 9 => Some(Leading::Skipped),
            _ => None,
        };
        assert_eq!(picture.leading, leading, "{kind}");
        assert_eq!(picture.has_slice, kind < 32, "{kind}");
        let unused = [0, 2, 4, 6, 8, 10, 12, 14].contains(&kind);
        assert_eq!(picture.sub_layer_non_reference, unused, "{kind}");
        assert_eq!(picture.disposable(&config(MAIN).video), unused, "{kind}");
    }
}

#[test]
fn only_the_highest_sub_layer_is_disposable() {
    let two_layers = config(MAIN_422_10).video;
    for (kind, temporal_id, disposable) in [
        (nal_type::IDR_W_RADL, 0, false),
        (1, 0, false),
        (0, 0, false),
        (2, 1, true),
        (3, 1, false),
        (nal_type::RASL_N, 1, true),
        (nal_type::RASL_R, 1, false),
        // Above what was announced: nothing is higher.
        (0, 2, true),
    ] {
        let picture = Picture::inspect(&payload(&[(kind, temporal_id)])).unwrap();
        assert_eq!(picture.temporal_id, temporal_id);
        assert_eq!(
            picture.disposable(&two_layers),
            disposable,
            "{kind} {temporal_id}"
        );
    }
}

#[test]
fn other_layers_and_broken_units_are_passed_over() {
    // Layer 1, then a temporal ID that is forbidden, then a unit of one byte, then a slice.
    let mut units = vec![0, 0, 0, 2, 19 << 1, 0x09, 0, 0, 0, 2, 19 << 1, 0];
    units.extend([0, 0, 0, 1, 19 << 1, 0, 0, 0, 0]);
    assert!(!Picture::inspect(&units).unwrap().has_slice);
    units.extend(payload(&[(1, 0), (19, 0)]));
    let picture = Picture::inspect(&units).unwrap();
    assert!(picture.has_slice && !picture.random_access);
    units.push(0);
    assert!(Picture::inspect(&units).is_err());
    assert_eq!(Picture::inspect(&[]), Ok(Picture::default()));
}

#[test]
fn a_decoder_can_start_where_the_encoder_says_so() {
    let start = |units: &[&[u8]]| {
        let payload: Vec<u8> = units
            .iter()
            .flat_map(|unit| [&[0, 0, 0, unit.len() as u8], *unit].concat())
            .collect();
        Picture::inspect(&payload).unwrap().start()
    };
    // Headers of two bytes; the recovery point is of no pictures, or of one (a signed number).
    let (idr, cra, trail) = ([20 << 1, 1], [21 << 1, 1], [1 << 1, 1]);
    let (none, one) = (
        [39 << 1, 1, 6, 1, 0xd0, 0x80],
        [39 << 1, 1, 6, 1, 0x50, 0x80],
    );
    assert_eq!(start(&[&idr]), Some(Start::Clean));
    assert_eq!(start(&[&cra]), Some(Start::Open));
    assert_eq!(start(&[&one, &cra]), Some(Start::Open));
    assert_eq!(start(&[&none, &trail]), Some(Start::Open));
    assert_eq!(start(&[&one, &trail]), Some(Start::Gradual));
    assert_eq!(start(&[&trail]), None);
    assert_eq!(start(&[&trail, &one]), None, "behind the slices");
    assert_eq!(start(&[&one]), None, "of no picture");
}
