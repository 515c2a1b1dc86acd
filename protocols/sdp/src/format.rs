//! An RTP payload format: number, name, clock and parameters.

use crate::description::trimmed;
use std::num::NonZeroU8;

/// Longest parameters of a format that are kept, in bytes: parameter sets are the long ones.
const MAX_PARAMETERS: usize = 16 << 10;

/// The numbers with a fixed meaning that occur (RFC 3551 section 6): name, ticks per second, channels.
const STATIC: [(u8, &str, u32, u8); 14] = [
    (0, "PCMU", 8_000, 1),
    (3, "GSM", 8_000, 1),
    (4, "G723", 8_000, 1),
    (8, "PCMA", 8_000, 1),
    // Its clock counts 8,000 although it has 16,000 samples (section 4.5.2).
    (9, "G722", 8_000, 1),
    (10, "L16", 44_100, 2),
    (11, "L16", 44_100, 1),
    (14, "MPA", 90_000, 1),
    (18, "G729", 8_000, 1),
    (26, "JPEG", 90_000, 1),
    (31, "H261", 90_000, 1),
    (32, "MPV", 90_000, 1),
    (33, "MP2T", 90_000, 1),
    (34, "H263", 90_000, 1),
];

/// An RTP payload format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Its number in packets, from 0 to 127.
    pub payload_type: u8,
    /// The name, such as `H264`, as it was written; empty where nothing describes the number.
    pub name: String,
    /// Ticks per second of its timestamps; not 0 once it is read.
    pub clock_rate: u32,
    /// Number of channels, where it says.
    pub channels: Option<NonZeroU8>,
    /// Parameters as `name=value`, separated by semicolons alone, however they were separated.
    pub parameters: String,
}

impl Format {
    pub(crate) const fn described_later(payload_type: u8) -> Self {
        Self {
            payload_type,
            name: String::new(),
            clock_rate: 0,
            channels: None,
            parameters: String::new(),
        }
    }

    /// Takes what follows the number in an `rtpmap`: `NAME/RATE/CHANNELS`.
    pub(crate) fn map(&mut self, map: &str) {
        let mut parts = map.split('/').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let name: String = name.chars().filter(char::is_ascii_graphic).collect();
        if name.is_empty() {
            return;
        }
        self.name = name;
        self.clock_rate = parts.next().and_then(|rate| rate.parse().ok()).unwrap_or(0);
        self.channels = parts.next().and_then(|channels| channels.parse().ok());
    }

    /// Takes what follows the number in an `fmtp`.
    pub(crate) fn parameterize(&mut self, parameters: &str) {
        if parameters.len() <= MAX_PARAMETERS {
            let text: String = parameters.chars().filter(|c| !c.is_control()).collect();
            self.parameters = separated(trimmed(&text)).join(";");
        }
    }

    /// Fills in what no line said.
    pub(crate) fn complete(&mut self, kind: &str) {
        let known = STATIC.iter().find(|known| known.0 == self.payload_type);
        if let Some((_, name, clock_rate, channels)) = known
            && self.name.is_empty()
        {
            self.name = (*name).to_owned();
            self.clock_rate = *clock_rate;
            self.channels = NonZeroU8::new(*channels).filter(|channels| channels.get() > 1);
        }
        if self.clock_rate == 0 {
            self.clock_rate = if kind == "audio" { 8_000 } else { 90_000 };
        }
    }
}

/// The parameters of a text in which they are separated by semicolons or blanks, or both, with blanks around
/// the equals signs or not.
fn separated(text: &str) -> Vec<String> {
    let mut parameters = Vec::new();
    for piece in text.split(';') {
        let mut piece = piece.trim();
        while let Some((front, value)) = piece.split_once('=') {
            let value = value.trim_start();
            let end = next_name(value).unwrap_or(value.len());
            let (value, next) = value.split_at_checked(end).unwrap_or((value, ""));
            // In front of the name there may be words without a value.
            let (words, name) = front
                .trim()
                .rsplit_once(char::is_whitespace)
                .unwrap_or(("", front));
            parameters.extend(words.split_whitespace().map(str::to_owned));
            parameters.push(format!("{}={}", name.trim(), value.trim_end()));
            piece = next;
        }
        if !piece.is_empty() {
            parameters.push(piece.to_owned());
        }
    }
    parameters
}

/// Where the name of another parameter begins in a value: a word behind a blank, that has an equals sign in
/// it and does not continue a list.
fn next_name(value: &str) -> Option<usize> {
    let mut at = 0;
    let mut listed = true;
    for word in value.split_inclusive(char::is_whitespace) {
        let text = word.trim_end();
        let name = text.split_once('=').map(|(name, _)| name);
        let is_name = name.is_some_and(|name| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !name.is_empty() && name.bytes().all(allowed)
        });
        if is_name && !listed {
            return Some(at);
        }
        // A blank behind a comma, or in front of the first word, separates nothing.
        listed = text.is_empty() && listed || text.ends_with(',');
        at += word.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &str) -> String {
        let mut format = Format::described_later(96);
        format.parameterize(parameters);
        let once = format.parameters.clone();
        format.parameterize(&once);
        assert_eq!(format.parameters, once);
        once
    }

    #[test]
    fn parameters_however_they_are_separated() {
        let all = [
            "mode=AAC-hbr;sizeLength=13;config=1190",
            "mode=AAC-hbr; sizeLength=13; config=1190;",
            " ; mode = AAC-hbr ;sizeLength= 13 ;; config =1190 ",
            "mode=AAC-hbr sizeLength=13 config=1190",
            "mode=AAC-hbr; sizeLength=13 config=1190",
        ];
        for parameters in all {
            assert_eq!(
                read(parameters),
                "mode=AAC-hbr;sizeLength=13;config=1190",
                "{parameters}"
            );
        }
        let cases = [
            ("bare x mode=AAC-hbr;y z", "bare;x;mode=AAC-hbr;y z"),
            ("0-15,66", "0-15,66"),
            ("=;a=;==", "=;a=;=="),
            ("", ""),
        ];
        for (parameters, expected) in cases {
            assert_eq!(read(parameters), expected);
        }
    }

    #[test]
    fn values_keep_their_equals_signs_and_blanks_behind_commas() {
        let cases = [
            "a=1;sets=Z0IAH5WoFAFuQA==, aM48gA==;b=2",
            "sets=Z0IAH5WoFAFuQA==,aM48gA==;b=2",
        ];
        for parameters in cases {
            assert_eq!(read(parameters), parameters);
        }
        assert_eq!(read("sets=Z0I=,aM4= b=2"), "sets=Z0I=,aM4=;b=2");
    }

    #[test]
    fn numbers_with_a_fixed_meaning() {
        for (number, name, clock_rate, channels) in STATIC {
            let mut format = Format::described_later(number);
            format.complete("audio");
            assert_eq!(
                (format.name.as_str(), format.clock_rate),
                (name, clock_rate)
            );
            assert_eq!(format.channels.map_or(1, NonZeroU8::get), channels);
        }
        // What is described is what it is described as.
        let mut format = Format::described_later(0);
        format.map("G726-32/8000");
        format.complete("audio");
        assert_eq!(format.name, "G726-32");
    }

    #[test]
    fn parameters_have_a_bound() {
        let mut format = Format::described_later(96);
        format.parameterize(&"x".repeat(MAX_PARAMETERS + 1));
        assert_eq!(format.parameters, "");
    }
}
