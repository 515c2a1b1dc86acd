//! Media playlists: the segments of one rendition, live or ended (RFC 8216 section 4.3.3; for parts,
//! blocking and reports, section 4.4 of its second edition).
//!
//! What is in the playlist is its owner's decision: how many segments, which of them still list their
//! parts, when a discontinuity is. Nothing is left out or added but what a field says. Read [`Playlist`].

use crate::text::{Quoted, Seconds, Uri};
use ::media::DateTime;
use std::fmt::{self, Display, Formatter, Write};
use std::time::{Duration, SystemTime};

/// The compatibility version: 6 allows EXT-X-MAP, and no tag of a whole playlist needs more.
const VERSION: u32 = 6;

/// That of a delta update (second edition, section 8).
const DELTA_VERSION: u32 = 9;

/// How many part targets a player stays behind the end; the draft recommends at least three.
const PART_HOLD_BACK: u32 = 3;

/// A media playlist that borrows what it is made of. [`render`](Self::render) or `Display` writes it.
///
/// URIs are written as they are but for characters that no URI may have, which are percent-encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Playlist<'a> {
    /// EXT-X-TARGETDURATION, in seconds: no segment is longer when rounded. It may never change.
    pub target_duration: u32,
    /// The longest part. When given, the playlist says that requests may block, and how far players should
    /// stay behind the end: three times this.
    pub part_target: Option<Duration>,
    /// A player may ask for a delta update, which leaves out what is further from the end than this: at least six target
    /// durations (section 4.4.3.8 of the second edition).
    pub can_skip_until: Option<Duration>,
    /// Nothing of it will ever change (EXT-X-PLAYLIST-TYPE:VOD, section 4.3.3.5).
    pub is_recording: bool,
    /// Number of the first segment.
    pub media_sequence: u64,
    /// Number of discontinuities that have left the playlist at its start.
    pub discontinuity_sequence: u64,
    /// So many segments at the start are left out: this is a delta update, for who has them already (section 4.4.5.2 of
    /// the second edition). 0 in a whole playlist.
    pub skipped: u64,
    /// What happens at certain dates. A delta update has all of them.
    pub date_ranges: &'a [DateRange<'a>],
    /// The finished segments, in order, without those left out.
    pub segments: &'a [Segment<'a>],
    /// The parts of the segment that is not finished.
    pub open: Option<OpenSegment<'a>>,
    /// URI of the part that will come next. Not written once the playlist has ended.
    pub preload_hint: Option<&'a str>,
    /// Where the other renditions of the presentation are.
    pub rendition_reports: &'a [RenditionReport<'a>],
    /// Nothing will follow.
    pub ended: bool,
}

/// A range of dates (EXT-X-DATERANGE), here with a splice information section of ANSI/SCTE 35 or two (RFC 8216 sections
/// 4.3.2.7 and 4.3.2.7.1).
#[derive(Clone, Copy, Debug)]
pub struct DateRange<'a> {
    /// Another than that of all other ranges.
    pub id: &'a str,
    /// When it begins.
    pub start: SystemTime,
    /// How long it was.
    pub duration: Option<Duration>,
    /// How long it is to be.
    pub planned_duration: Option<Duration>,
    /// The section that begins it, where it leaves the network.
    pub scte35_out: Option<&'a [u8]>,
    /// The section that ends it.
    pub scte35_in: Option<&'a [u8]>,
    /// Another section.
    pub scte35_command: Option<&'a [u8]>,
}

/// A finished segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment<'a> {
    /// Where it is; not empty.
    pub uri: &'a str,
    /// How long it is.
    pub duration: Duration,
    /// Its parts, as long as they are worth listing.
    pub parts: &'a [Part<'a>],
    /// Its clock or its configuration does not continue from the segment before.
    pub discontinuity: bool,
    /// Wall-clock time of its first sample.
    pub program_date_time: Option<SystemTime>,
    /// URI of its initialization section. EXT-X-MAP is written where this differs from the segment before,
    /// which should be a discontinuity then.
    pub map: Option<&'a str>,
}

/// The beginning of a segment that is not finished: its parts so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenSegment<'a> {
    /// The parts that are finished.
    pub parts: &'a [Part<'a>],
    /// As in [`Segment`].
    pub discontinuity: bool,
    /// As in [`Segment`].
    pub program_date_time: Option<SystemTime>,
    /// As in [`Segment`].
    pub map: Option<&'a str>,
}

/// A partial segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part<'a> {
    /// Where it is.
    pub uri: &'a str,
    /// How long it is; at most the part target.
    pub duration: Duration,
    /// It contains a random access point.
    pub independent: bool,
}

/// How far another rendition of the same presentation is.
#[derive(Clone, Copy, Debug, Default)]
pub struct RenditionReport<'a> {
    /// Its media playlist.
    pub uri: &'a str,
    /// The number of its last segment, the unfinished one included if it has a part.
    pub last_msn: u64,
    /// The number of the last part in that segment, from 0.
    pub last_part: Option<u64>,
}

impl Playlist<'_> {
    /// Appends the playlist's text to `out`.
    pub fn render(&self, out: &mut String) {
        // A String takes all that is written to it.
        let _ = self.write(out);
    }

    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let version = match self.skipped {
            0 => VERSION,
            _ => DELTA_VERSION,
        };
        writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{version}")?;
        writeln!(out, "#EXT-X-TARGETDURATION:{}", self.target_duration)?;
        if let Some(target) = self.part_target {
            let hold_back = Seconds(target.saturating_mul(PART_HOLD_BACK));
            let target = Seconds(target);
            write!(
                out,
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={hold_back}"
            )?;
            if let Some(boundary) = self.can_skip_until {
                write!(out, ",CAN-SKIP-UNTIL={}", Seconds(boundary))?;
            }
            writeln!(out, "\n#EXT-X-PART-INF:PART-TARGET={target}")?;
        }
        if self.is_recording {
            out.write_str("#EXT-X-PLAYLIST-TYPE:VOD\n")?;
        }
        writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        if self.discontinuity_sequence > 0 {
            let sequence = self.discontinuity_sequence;
            writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{sequence}")?;
        }
        if self.skipped > 0 {
            writeln!(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={}", self.skipped)?;
        }
        for range in self.date_ranges {
            range.write(out)?;
        }
        let mut map = None;
        for segment in self.segments {
            let start = OpenSegment {
                parts: segment.parts,
                discontinuity: segment.discontinuity,
                program_date_time: segment.program_date_time,
                map: segment.map,
            };
            start.write(out, &mut map)?;
            let (duration, uri) = (Seconds(segment.duration), Uri(segment.uri));
            writeln!(out, "#EXTINF:{duration},\n{uri}")?;
        }
        if let Some(open) = &self.open {
            open.write(out, &mut map)?;
        }
        if let Some(uri) = self.preload_hint.filter(|_| !self.ended) {
            writeln!(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{}\"", Uri(uri))?;
        }
        for report in self.rendition_reports {
            let (uri, msn) = (Uri(report.uri), report.last_msn);
            write!(out, "#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN={msn}")?;
            if let Some(part) = report.last_part {
                write!(out, ",LAST-PART={part}")?;
            }
            out.write_char('\n')?;
        }
        if self.ended {
            out.write_str("#EXT-X-ENDLIST\n")?;
        }
        Ok(())
    }
}

impl Display for Playlist<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl DateRange<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let (id, start) = (Quoted(self.id), DateTime(self.start));
        write!(out, "#EXT-X-DATERANGE:ID={id},START-DATE=\"{start}\"")?;
        let lengths = [
            ("DURATION", self.duration),
            ("PLANNED-DURATION", self.planned_duration),
        ];
        for (name, length) in lengths {
            if let Some(length) = length {
                write!(out, ",{name}={}", Seconds(length))?;
            }
        }
        let sections = [
            ("CMD", self.scte35_command),
            ("OUT", self.scte35_out),
            ("IN", self.scte35_in),
        ];
        for (name, section) in sections {
            if let Some(section) = section {
                write!(out, ",SCTE35-{name}=0x")?;
                for byte in section {
                    write!(out, "{byte:02X}")?;
                }
            }
        }
        out.write_char('\n')
    }
}

impl<'a> OpenSegment<'a> {
    /// Writes all that stands before a segment's EXTINF. `map` is what the last EXT-X-MAP said.
    fn write(&self, out: &mut impl Write, map: &mut Option<&'a str>) -> fmt::Result {
        if self.discontinuity {
            out.write_str("#EXT-X-DISCONTINUITY\n")?;
        }
        if let Some(uri) = self.map.filter(|uri| Some(*uri) != *map) {
            writeln!(out, "#EXT-X-MAP:URI=\"{}\"", Uri(uri))?;
            *map = Some(uri);
        }
        if let Some(time) = self.program_date_time {
            writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", DateTime(time))?;
        }
        for part in self.parts {
            let (duration, uri) = (Seconds(part.duration), Uri(part.uri));
            write!(out, "#EXT-X-PART:DURATION={duration},URI=\"{uri}\"")?;
            out.write_str(if part.independent {
                ",INDEPENDENT=YES\n"
            } else {
                "\n"
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: [Part<'static>; 2] = [
        Part {
            uri: "7.0.m4s",
            duration: Duration::from_millis(500),
            independent: true,
        },
        Part {
            uri: "7.1.m4s",
            duration: Duration::from_micros(499_999),
            independent: false,
        },
    ];

    fn segment(uri: &'static str) -> Segment<'static> {
        Segment {
            uri,
            duration: Duration::from_secs(2),
            map: Some("init0.mp4"),
            ..Segment::default()
        }
    }

    #[test]
    fn a_plain_live_playlist() {
        let changed = Segment {
            discontinuity: true,
            map: Some("init1.mp4"),
            program_date_time: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500)),
            ..segment("8.m4s")
        };
        let playlist = Playlist {
            target_duration: 2,
            media_sequence: 6,
            discontinuity_sequence: 3,
            segments: &[segment("6.m4s"), segment("7.m4s"), changed],
            ..Playlist::default()
        };
        let expected = "\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:6
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-MAP:URI=\"init0.mp4\"
#EXTINF:2.00000,
6.m4s
#EXTINF:2.00000,
7.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"init1.mp4\"
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:01.500Z
#EXTINF:2.00000,
8.m4s
";
        assert_eq!(playlist.to_string(), expected);
    }

    #[test]
    fn a_low_latency_playlist() {
        let finished = Segment {
            parts: &PARTS,
            ..segment("7.m4s")
        };
        let open = [Part {
            uri: "8.0.m4s",
            independent: true,
            ..PARTS[1]
        }];
        let reports = [
            RenditionReport {
                uri: "audio.m3u8",
                last_msn: 8,
                last_part: Some(0),
            },
            RenditionReport {
                uri: "low.m3u8",
                last_msn: 7,
                last_part: None,
            },
        ];
        let mut playlist = Playlist {
            target_duration: 2,
            part_target: Some(Duration::from_millis(500)),
            media_sequence: 7,
            segments: &[finished],
            open: Some(OpenSegment {
                parts: &open,
                map: Some("init0.mp4"),
                ..OpenSegment::default()
            }),
            preload_hint: Some("8.1.m4s"),
            rendition_reports: &reports,
            ..Playlist::default()
        };
        let expected = "\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.50000
#EXT-X-PART-INF:PART-TARGET=0.50000
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI=\"init0.mp4\"
#EXT-X-PART:DURATION=0.50000,URI=\"7.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI=\"7.1.m4s\"
#EXTINF:2.00000,
7.m4s
#EXT-X-PART:DURATION=0.50000,URI=\"8.0.m4s\",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"8.1.m4s\"
#EXT-X-RENDITION-REPORT:URI=\"audio.m3u8\",LAST-MSN=8,LAST-PART=0
#EXT-X-RENDITION-REPORT:URI=\"low.m3u8\",LAST-MSN=7
";
        assert_eq!(playlist.to_string(), expected);

        playlist.ended = true;
        let ended = playlist.to_string();
        assert!(ended.ends_with("LAST-MSN=7\n#EXT-X-ENDLIST\n"));
        assert!(!ended.contains("PRELOAD-HINT"));
    }

    #[test]
    fn a_recording_says_so() {
        let playlist = Playlist {
            target_duration: 2,
            is_recording: true,
            segments: &[segment("0.m4s")],
            ended: true,
            ..Playlist::default()
        };
        let expected = "\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-MAP:URI=\"init0.mp4\"
#EXTINF:2.00000,
0.m4s
#EXT-X-ENDLIST
";
        assert_eq!(playlist.to_string(), expected);
    }

    #[test]
    fn a_delta_update_says_how_much_it_leaves_out() {
        let mut playlist = Playlist {
            target_duration: 2,
            part_target: Some(Duration::from_millis(500)),
            can_skip_until: Some(Duration::from_secs(12)),
            media_sequence: 7,
            segments: &[segment("9.m4s")],
            ..Playlist::default()
        };
        assert!(!playlist.to_string().contains("#EXT-X-SKIP"));
        playlist.skipped = 2;
        let expected = "\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.50000,CAN-SKIP-UNTIL=12.00000
#EXT-X-PART-INF:PART-TARGET=0.50000
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-SKIP:SKIPPED-SEGMENTS=2
#EXT-X-MAP:URI=\"init0.mp4\"
#EXTINF:2.00000,
9.m4s
";
        assert_eq!(playlist.to_string(), expected);
    }

    #[test]
    fn splices_are_ranges_of_dates() {
        let range = DateRange {
            id: "splice-9",
            start: SystemTime::UNIX_EPOCH,
            duration: None,
            planned_duration: Some(Duration::from_secs(30)),
            scte35_out: Some(&[0xfc, 0x0a]),
            scte35_in: None,
            scte35_command: None,
        };
        let back = DateRange {
            duration: Some(Duration::from_millis(29_500)),
            scte35_in: Some(&[0xfc, 1]),
            ..range
        };
        let signal = DateRange {
            id: "\"\n",
            planned_duration: None,
            scte35_out: None,
            scte35_command: Some(&[]),
            ..range
        };
        let playlist = Playlist {
            date_ranges: &[range, back, signal],
            ..Playlist::default()
        };
        let expected = "\
#EXT-X-DATERANGE:ID=\"splice-9\",START-DATE=\"1970-01-01T00:00:00.000Z\",PLANNED-DURATION=30.00000,SCTE35-OUT=0xFC0A
#EXT-X-DATERANGE:ID=\"splice-9\",START-DATE=\"1970-01-01T00:00:00.000Z\",DURATION=29.50000,PLANNED-DURATION=30.00000,SCTE35-OUT=0xFC0A,SCTE35-IN=0xFC01
#EXT-X-DATERANGE:ID=\"' \",START-DATE=\"1970-01-01T00:00:00.000Z\",SCTE35-CMD=0x
";
        assert!(playlist.to_string().ends_with(expected), "{playlist}");
    }

    #[test]
    fn an_open_segment_may_begin_with_a_new_map() {
        let playlist = Playlist {
            segments: &[segment("1.m4s")],
            open: Some(OpenSegment {
                parts: &PARTS[..1],
                discontinuity: true,
                map: Some("init1.mp4"),
                program_date_time: Some(SystemTime::UNIX_EPOCH),
            }),
            ..Playlist::default()
        };
        let expected = "\
1.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"init1.mp4\"
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z
#EXT-X-PART:DURATION=0.50000,URI=\"7.0.m4s\",INDEPENDENT=YES
";
        assert!(playlist.to_string().ends_with(expected), "{playlist}");
    }

    #[test]
    fn rendering_appends() {
        let mut out = "before".to_owned();
        Playlist::default().render(&mut out);
        assert_eq!(out, format!("before{}", Playlist::default()));
    }
}
