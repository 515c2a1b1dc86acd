//! Opus in PES packets: a header in front of each packet, and a code for the channels ("Opus in MPEG-TS", the draft
//! that ffmpeg and GStreamer follow, sections 3 and 4).

use crate::psi::descriptor;
use bytes::{BufMut, Bytes};
use media::codec::opus::{Config, ConfigError};

/// The eleven bits that each header begins with, above five of flags.
const PREFIX: u16 = 0x3ff << 5;
const START_TRIM: u16 = 0x10;
const END_TRIM: u16 = 0x08;
const EXTENSION: u16 = 0x04;

/// What encoders skip at the start where nothing is known of them.
const PRE_SKIP: u16 = 312;

/// Streams, coupled streams and order of channels for three channels and more (RFC 7845 section 5.1.1.2).
const MAPPINGS: [&[u8]; 6] = [
    &[2, 1, 0, 2, 1],
    &[2, 2, 0, 1, 2, 3],
    &[3, 2, 0, 4, 1, 2, 3],
    &[4, 2, 0, 4, 1, 2, 3, 5],
    &[4, 3, 0, 4, 1, 2, 3, 5, 6],
    &[5, 3, 0, 6, 1, 2, 3, 4, 5, 7],
];

/// `channel_config_code` among the descriptors of a stream.
pub(crate) fn channel_code(list: &[u8]) -> Option<u8> {
    let mut extensions = descriptor::all(list).filter(|(tag, _)| *tag == descriptor::EXTENSION);
    extensions.find_map(|(_, content)| match content {
        [descriptor::OPUS, code, ..] => Some(*code),
        _ => None,
    })
}

/// The configuration that a code stands for. Code 0 is two channels that are not coupled.
pub(crate) fn config(code: u8) -> Result<Config, ConfigError> {
    let refused = ConfigError::Channels {
        channels: code,
        family: 1,
    };
    match code {
        1 | 2 => Config::new(code, PRE_SKIP, 48_000),
        3..=8 => {
            let mapping = MAPPINGS.get(usize::from(code) - 3).ok_or(refused)?;
            Ok(Config {
                channels: code,
                mapping: Some(Bytes::from_static(mapping)),
                ..Config::new(2, PRE_SKIP, 48_000)?
            })
        }
        _ => Err(refused),
    }
}

/// The code of a configuration; `None` for an order of channels that has none.
pub(crate) fn code(config: &Config) -> Option<u8> {
    let place = usize::from(config.channels).checked_sub(3);
    match (&config.mapping, place) {
        (None, None) => Some(config.channels),
        (Some(mapping), Some(place))
            if MAPPINGS.get(place).is_some_and(|known| known == mapping) =>
        {
            Some(config.channels)
        }
        _ => None,
    }
}

/// Takes the next Opus packet off a PES packet's payload.
pub(crate) fn next<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    const CUT: &str = "Opus header that is cut off";
    let (head, mut behind) = rest.split_first_chunk::<2>().ok_or(CUT)?;
    let head = u16::from_be_bytes(*head);
    if head & 0xffe0 != PREFIX {
        return Err("no Opus header");
    }
    let mut size = 0usize;
    loop {
        let (byte, after) = behind.split_first().ok_or(CUT)?;
        behind = after;
        size = size.saturating_add(usize::from(*byte));
        if *byte != 255 {
            break;
        }
    }
    for flag in [START_TRIM, END_TRIM] {
        if head & flag != 0 {
            behind = behind.get(2..).ok_or(CUT)?;
        }
    }
    if head & EXTENSION != 0 {
        let (length, after) = behind.split_first().ok_or(CUT)?;
        behind = after.get(usize::from(*length)..).ok_or(CUT)?;
    }
    let (packet, behind) = behind
        .split_at_checked(size)
        .ok_or("Opus packet that is cut off")?;
    *rest = behind;
    Ok(packet)
}

/// Puts a packet with its header behind what is there.
pub(crate) fn put(out: &mut Vec<u8>, packet: &[u8]) {
    out.put_u16(PREFIX);
    out.put_bytes(255, packet.len() / 255);
    out.put_u8((packet.len() % 255) as u8);
    out.put_slice(packet);
}

/// The descriptors of a stream with that code.
pub(crate) fn descriptors(code: u8) -> Vec<u8> {
    let registration = descriptor::registration(b"Opus");
    let channels = [descriptor::EXTENSION, 2, descriptor::OPUS, code];
    [&registration[..], &channels].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_there_and_back() {
        for length in [0, 1, 254, 255, 256, 1_000] {
            let packet = vec![7; length];
            let mut bytes = Vec::new();
            put(&mut bytes, &packet);
            put(&mut bytes, &[1]);
            let mut rest = bytes.as_slice();
            assert_eq!(next(&mut rest), Ok(&packet[..]));
            assert_eq!(next(&mut rest), Ok(&[1][..]));
            assert!(rest.is_empty());
            for cut in 0..bytes.len() - 4 {
                assert!(next(&mut &bytes[..cut]).is_err(), "{cut}");
            }
        }
    }

    #[test]
    fn trims_and_extensions_are_passed_over() {
        // As ffmpeg writes the first packet: with what to skip at the start.
        let bytes = [0x7f, 0xf0, 2, 0x01, 0x38, 8, 9];
        assert_eq!(next(&mut &bytes[..]), Ok(&[8, 9][..]));
        let bytes = [0x7f, 0xfc, 1, 0, 1, 0, 2, 3, 0, 0, 0, 9];
        assert_eq!(next(&mut &bytes[..]), Ok(&[9][..]));
        assert!(next(&mut &[0x7f, 0xc0, 0][..]).is_err());
    }

    #[test]
    fn codes_of_channels_there_and_back() {
        for channels in 1..=8 {
            let config = config(channels).unwrap();
            assert_eq!(config.channels, channels);
            assert_eq!(Config::parse_dops(&config.dops()), Ok(config.clone()));
            assert_eq!(code(&config), Some(channels));
            assert_eq!(channel_code(&descriptors(channels)), Some(channels));
        }
        assert!(config(0).is_err() && config(0x81).is_err());
        let other = Config {
            mapping: Some(Bytes::from_static(&[2, 1, 0, 1, 2])),
            ..config(3).unwrap()
        };
        assert_eq!(code(&other), None);
    }
}
