//! Targets for what says in each frame what it is: MPEG audio, AC-3, FLAC and JPEG.

use media::codec::{ac3, flac, jpeg, mpeg_audio};

/// Frames of MPEG audio, or of AC-3 and E-AC-3, one after the other with anything between them.
///
/// # Panics
/// When frames, what was lost and the remainder do not tile the input, when a frame is not what its header says,
/// when cutting the input anywhere changes what is found, or when a configuration does not survive its box.
pub fn audio_frames(input: &[u8]) {
    let mut frames = mpeg_audio::frames(input);
    let found: Vec<_> = frames.by_ref().collect();
    let mut at = 0;
    for frame in &found {
        at += match frame {
            Ok((header, frame)) => {
                assert_eq!(Some(*frame), input.get(at..at + frame.len()));
                assert_eq!(mpeg_audio::Header::parse(frame).as_ref(), Ok(header));
                assert_eq!(header.length(), frame.len());
                assert!(frame.len() <= mpeg_audio::MAX_FRAME);
                let config = mpeg_audio::Config::of(header);
                assert_eq!(u32::from(config.frame_length()), header.samples());
                frame.len()
            }
            Err(lost) => {
                assert!(lost.at == at && lost.length > 0);
                lost.length
            }
        };
    }
    assert_eq!(frames.remainder(), &input[at..]);
    assert!(frames.remainder().len() < mpeg_audio::MAX_FRAME);
    if found.iter().all(Result::is_ok) {
        let cut = input.last().map_or(0, |byte| usize::from(*byte)) % (input.len() + 1);
        let mut first = mpeg_audio::frames(&input[..cut]);
        let mut count = first.by_ref().count();
        let rest = [first.remainder(), &input[cut..]].concat();
        count += mpeg_audio::frames(&rest).count();
        assert_eq!(count, found.len());
    }
    units(input);
}

fn units(input: &[u8]) {
    let mut units = ac3::units(input);
    let mut at = 0;
    for unit in units.by_ref() {
        at += match unit {
            Ok((header, unit)) => {
                assert_eq!(Some(unit), input.get(at..at + unit.len()));
                assert_eq!(ac3::Header::parse(unit), Ok(header));
                assert!(header.length() <= unit.len() && header.length() <= ac3::MAX_FRAME);
                match ac3::Config::of(unit) {
                    Ok(config) => box_of(&config),
                    Err(error) => panic!("a unit that was found has a wrong frame: {error}"),
                }
                unit.len()
            }
            Err(lost) => {
                assert!(lost.at == at && lost.length > 0);
                lost.length
            }
        };
    }
    assert_eq!(units.remainder(), &input[at..]);
}

/// A box that was written reads back as it was, but for half sampling frequencies, which boxes do not have.
fn box_of(config: &ac3::Config) {
    assert!(config.channels > 0);
    let read = match (config.dac3(), config.dec3()) {
        (Some(dac3), None) => ac3::Config::parse_dac3(&dac3),
        (None, Some(dec3)) => ac3::Config::parse_dec3(&dec3),
        both => panic!("one box and one box only: {both:?}"),
    };
    match read {
        Err(ac3::ConfigError::SampleRate) => assert!(config.enhanced),
        read => assert_eq!(read.as_ref(), Ok(config)),
    }
}

/// The content of a `dac3`, `dec3` or `dfLa` box, the header of a FLAC stream, or a frame of FLAC.
///
/// # Panics
/// When a configuration that was accepted does not survive being written and read, or has values outside the
/// documented ones.
pub fn audio_config(input: &[u8]) {
    let found = [
        ac3::Config::parse_dac3(input),
        ac3::Config::parse_dec3(input),
    ];
    for config in found.into_iter().flatten() {
        box_of(&config);
    }
    let found = [
        flac::Config::parse_dfla(input),
        flac::Config::parse_header(input),
    ];
    for config in found.into_iter().flatten() {
        assert!((1..=8).contains(&config.channels));
        assert!((4..=32).contains(&config.bits_per_sample));
        assert!(config.max_block_size >= 16);
        assert_eq!(config.stream_info.len(), flac::STREAM_INFO);
        assert_eq!(
            flac::Config::parse_header(&config.header()).as_ref(),
            Ok(&config)
        );
        assert_eq!(flac::Config::parse_dfla(&config.dfla()), Ok(config));
    }
    if let Some(samples) = flac::duration(input) {
        assert!((1..=u32::from(flac::MAX_BLOCK_SIZE)).contains(&samples));
        // It is in the header, whatever follows.
        assert_eq!(flac::duration(&input[..input.len().min(16)]), Some(samples));
    }
}

/// A JPEG image.
///
/// # Panics
/// When a size is none, or what follows the image changes it.
pub fn jpeg(input: &[u8]) {
    if let Some((width, height)) = jpeg::size(input) {
        assert!(width > 0 && height > 0);
        let longer = [input, &[0]].concat();
        assert_eq!(jpeg::size(&longer), Some((width, height)));
        assert_eq!(jpeg::is_whole(&longer), jpeg::is_whole(input));
    }
}

/// A frame of 64 bytes of E-AC-3: stream type and substream, audio coding mode and low frequency effects, and
/// what comes behind the dialogue level.
fn eac3(stream: u8, mode: u8, rest: [u8; 3]) -> Vec<u8> {
    let mut frame = vec![0x0b, 0x77, stream, 31, 0x30 | mode, 0x86];
    frame.extend(rest);
    frame.resize(64, 0x55);
    frame
}

/// Seeds for these targets.
pub(super) fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let sized = |header: &[u8], length: usize| {
        let mut frame = header.to_vec();
        frame.resize(length, 0);
        frame
    };
    // Layer III at 8 kbit/s, layers II and I.
    let layer_3 = sized(&[0xff, 0xe3, 0x10, 0xc4], 52);
    let layer_2 = sized(&[0xff, 0xfd, 0x14, 0xc4], 96);
    let layer_1 = sized(&[0xff, 0xff, 0x14, 0xc4], 32);
    let layers = [&layer_3[..], &layer_3, &layer_2, &layer_1, &layer_3[..9]].concat();
    let tagged = [b"ID3\x04 tag", &layer_3[..], &layer_3, b"TAG"].concat();
    let ac3 = sized(&[0x0b, 0x77, 0xfe, 0x95, 0x00, 0x40, 0x43, 0xe1], 128);
    // 5.1, two more channels, a comment.
    let programmes = [
        eac3(0, 0x0f, [0xc0, 0, 0]),
        eac3(0x40, 0x04, [0xd0, 0x20, 0]),
        eac3(0x08, 0x02, [0xc0, 0, 0]),
    ]
    .concat();
    let ac3_core = [&ac3[..], &programmes[64..128], &ac3].concat();
    let stream_info: &[u8] = &[
        0x12, 0x00, 0x12, 0x00, 0x00, 0x01, 0x50, 0x00, 0x05, 0x17, 0x0b, 0xb8, 0x02, 0xf0, 0x00,
        0x00, 0x5d, 0xc0, 0xa2, 0xfc, 0x36, 0x17, 0xbc, 0x0e, 0x6c, 0x99, 0xe0, 0x35, 0xcb, 0xe0,
        0x6f, 0xb4, 0xe5, 0x2a,
    ];
    let mut seeds = vec![
        ("audio_frames", "mpeg_layers", layers),
        ("audio_frames", "mpeg_tagged", tagged),
        (
            "audio_frames",
            "eac3",
            [&programmes[..], &programmes].concat(),
        ),
        ("audio_frames", "ac3", ac3_core),
        ("audio_config", "dac3", vec![0x10, 0x3d, 0xe0]),
        ("audio_config", "dec3", vec![0x08, 0x00, 0x20, 0x0f, 0x00]),
        (
            "audio_config",
            "dec3_programmes",
            vec![0x01, 0x81, 0x20, 0x0f, 0x02, 0x02, 0x20, 0x02, 0x00],
        ),
        (
            "audio_config",
            "flac_frame",
            vec![0xff, 0xf8, 0x7a, 0x88, 0x05, 0x03, 0xbf, 0x3d, 0x00],
        ),
        (
            "jpeg",
            "baseline",
            vec![
                0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, b'J', b'F', b'I', b'F', 0, 1, 2, 0, 0, 1, 0, 1,
                0, 0, 0xff, 0xdb, 0x00, 0x05, 0, 8, 6, 0xff, 0xff, 0xc0, 0x00, 0x11, 8, 0x00, 0x30,
                0x00, 0x40, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda, 0x00, 0x0c, 3, 1, 0,
                2, 0x11, 3, 0x11, 0, 0x3f, 0, 0x9a, 0xff, 0xd9,
            ],
        ),
    ];
    if let Ok(config) = flac::Config::parse(stream_info) {
        seeds.push(("audio_config", "dfla", config.dfla().to_vec()));
        seeds.push(("audio_config", "flac_header", config.header().to_vec()));
    }
    seeds
}
