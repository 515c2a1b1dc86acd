//! A track of a period: an adaptation set with one representation, and where its segments are (ISO/IEC 23009-1 clauses
//! 5.3.3, 5.3.5, 5.3.9).

use crate::text::Escaped;
use media::Timebase;
use std::fmt::{self, Write};
use std::time::Duration;

/// One track of a period.
#[derive(Clone, Copy, Debug)]
pub struct Track<'a> {
    /// The representation's name; `$RepresentationID$` in the names of segments stands for it.
    pub id: &'a str,
    /// What it is.
    pub content: Content,
    /// The `codecs` parameter, RFC 6381.
    pub codecs: &'a str,
    /// Bits per second that suffice to play it with the description's buffer.
    pub bandwidth: u64,
    /// Its language, RFC 5646.
    pub language: Option<&'a str>,
    /// The clock of its segments' times.
    pub timebase: Timebase,
    /// Ticks of that clock at the start of the period.
    pub offset: u64,
    /// Relative reference to the initialisation section.
    pub init: &'a str,
    /// Relative reference to a segment, with `$Number$` in place of its number, or `$Time$` in place of the tick that it
    /// begins at. A dollar sign of its own is `$$`.
    pub media: &'a str,
    /// Number of the first segment, where segments are told by their number.
    pub first_number: Option<u64>,
    /// Which segments there are.
    pub addressing: Addressing<'a>,
    /// Schemes of the messages that stand in front of its fragments (clause 5.10.3).
    pub events: &'a [&'a str],
}

/// What a track is.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// Pictures.
    Video(Video),
    /// Sound.
    Audio(Audio),
}

/// Pictures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Video {
    /// Width and height in samples.
    pub size: Option<(u32, u32)>,
    /// Pictures per second, numerator and denominator.
    pub frame_rate: Option<(u32, u32)>,
    /// Width to height of a sample.
    pub sample_aspect_ratio: Option<(u16, u16)>,
}

/// Sound.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audio {
    /// Samples per second and channel.
    pub sample_rate: Option<u32>,
    /// Number of channels.
    pub channels: Option<u8>,
}

/// How the segments of a track are told.
#[derive(Clone, Copy, Debug)]
pub enum Addressing<'a> {
    /// Each one, where they are of any length.
    Timeline(&'a [Segment]),
    /// By their number and one duration, so that players need not ask for another description, and may ask for a
    /// segment while it is being made.
    Regular {
        /// Ticks of each segment; not 0.
        duration: u64,
        /// How long before its end a segment can be asked for; its bytes then come as they are made.
        early: Duration,
    },
}

/// When a segment begins and how long it lasts, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Time of its first sample.
    pub start: u64,
    /// Until the first sample of the next.
    pub duration: u64,
}

impl Track<'_> {
    pub(crate) fn write(&self, out: &mut impl Write, number: usize) -> fmt::Result {
        let kind = match self.content {
            Content::Video(_) => "video",
            Content::Audio(_) => "audio",
        };
        write!(
            out,
            "  <AdaptationSet id=\"{number}\" contentType=\"{kind}\" mimeType=\"{kind}/mp4\" \
             segmentAlignment=\"true\""
        )?;
        if let Some(language) = self.language {
            write!(out, " lang=\"{}\"", Escaped(language))?;
        }
        out.write_str(">\n")?;
        for scheme in self.events {
            let scheme = Escaped(scheme);
            writeln!(out, "   <InbandEventStream schemeIdUri=\"{scheme}\"/>")?;
        }
        self.write_template(out)?;
        self.write_representation(out)?;
        out.write_str("  </AdaptationSet>\n")
    }

    fn write_template(&self, out: &mut impl Write) -> fmt::Result {
        write!(
            out,
            "   <SegmentTemplate timescale=\"{}\" presentationTimeOffset=\"{}\" initialization=\"{}\" media=\"{}\"",
            self.timebase.ticks_per_second(),
            self.offset,
            Escaped(self.init),
            Escaped(self.media)
        )?;
        if let Some(number) = self.first_number {
            write!(out, " startNumber=\"{number}\"")?;
        }
        match self.addressing {
            Addressing::Regular { duration, early } => {
                write!(out, " duration=\"{duration}\"")?;
                if !early.is_zero() {
                    let early = early.as_secs_f64();
                    write!(
                        out,
                        " availabilityTimeOffset=\"{early:.3}\" availabilityTimeComplete=\"false\""
                    )?;
                }
                out.write_str("/>\n")
            }
            Addressing::Timeline(segments) => {
                out.write_str("><SegmentTimeline>")?;
                write_timeline(out, segments)?;
                out.write_str("</SegmentTimeline></SegmentTemplate>\n")
            }
        }
    }

    fn write_representation(&self, out: &mut impl Write) -> fmt::Result {
        write!(
            out,
            "   <Representation id=\"{}\" codecs=\"{}\" bandwidth=\"{}\"",
            Escaped(self.id),
            Escaped(self.codecs),
            self.bandwidth
        )?;
        match self.content {
            Content::Video(video) => {
                if let Some((width, height)) = video.size {
                    write!(out, " width=\"{width}\" height=\"{height}\"")?;
                }
                match video.frame_rate.and_then(reduced) {
                    // A FrameRateType without its denominator is one of 1.
                    Some((pictures, 1)) => write!(out, " frameRate=\"{pictures}\"")?,
                    Some((pictures, seconds)) => {
                        write!(out, " frameRate=\"{pictures}/{seconds}\"")?;
                    }
                    None => {}
                }
                if let Some((width, height)) = video.sample_aspect_ratio {
                    write!(out, " sar=\"{width}:{height}\"")?;
                }
                out.write_str("/>\n")
            }
            Content::Audio(audio) => {
                if let Some(rate) = audio.sample_rate {
                    write!(out, " audioSamplingRate=\"{rate}\"")?;
                }
                match audio.channels {
                    Some(channels) => writeln!(
                        out,
                        "><AudioChannelConfiguration \
                         schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" \
                         value=\"{channels}\"/></Representation>"
                    ),
                    None => out.write_str("/>\n"),
                }
            }
        }
    }
}

/// The same fraction in its lowest terms; none where it is no number above 0.
const fn reduced((numerator, denominator): (u32, u32)) -> Option<(u32, u32)> {
    let (mut divisor, mut rest) = (numerator, denominator);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    match (numerator, denominator) {
        (0, _) | (_, 0) => None,
        _ => Some((numerator / divisor, denominator / divisor)),
    }
}

/// `S` elements: runs of segments that follow each other and are equally long are one (clause 5.3.9.6).
fn write_timeline(out: &mut impl Write, segments: &[Segment]) -> fmt::Result {
    let mut rest = segments;
    let mut due = None;
    while let Some((first, after)) = rest.split_first() {
        let follows = |place: usize, segment: &Segment| {
            let before = first.duration.saturating_mul(place as u64 + 1);
            segment.duration == first.duration
                && first.start.checked_add(before) == Some(segment.start)
        };
        let repeats = after
            .iter()
            .enumerate()
            .take_while(|(place, segment)| follows(*place, segment))
            .count();
        out.write_str("<S")?;
        if due != Some(first.start) {
            write!(out, " t=\"{}\"", first.start)?;
        }
        write!(out, " d=\"{}\"", first.duration)?;
        if repeats > 0 {
            write!(out, " r=\"{repeats}\"")?;
        }
        out.write_str("/>")?;
        let last = after.get(..repeats).and_then(<[_]>::last).unwrap_or(first);
        due = last.start.checked_add(last.duration);
        rest = after.get(repeats..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_rates_are_in_their_lowest_terms() {
        let cases = [
            ((60, 2), Some((30, 1))),
            ((60_000, 2_002), Some((30_000, 1_001))),
            ((25, 1), Some((25, 1))),
            ((0, 1), None),
            ((25, 0), None),
        ];
        for (rate, expected) in cases {
            assert_eq!(reduced(rate), expected, "{rate:?}");
        }
    }

    #[test]
    fn equal_segments_in_a_row_are_one_element() {
        let segment = |start, duration| Segment { start, duration };
        let cases: [(&[Segment], &str); 5] = [
            (&[], ""),
            (&[segment(90, 10)], "<S t=\"90\" d=\"10\"/>"),
            (
                &[
                    segment(0, 10),
                    segment(10, 10),
                    segment(20, 10),
                    segment(30, 12),
                ],
                "<S t=\"0\" d=\"10\" r=\"2\"/><S d=\"12\"/>",
            ),
            (
                &[segment(0, 10), segment(10, 10), segment(25, 10)],
                "<S t=\"0\" d=\"10\" r=\"1\"/><S t=\"25\" d=\"10\"/>",
            ),
            (
                &[segment(u64::MAX, 2), segment(1, 2)],
                "<S t=\"18446744073709551615\" d=\"2\"/><S t=\"1\" d=\"2\"/>",
            ),
        ];
        for (segments, text) in cases {
            let mut out = String::new();
            write_timeline(&mut out, segments).unwrap();
            assert_eq!(out, text);
        }
    }
}
