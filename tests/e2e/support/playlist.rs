//! HLS playlists, read as far as the tests look at them (draft-pantos-hls-rfc8216bis).

use std::collections::BTreeMap;

/// A media playlist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Media {
    pub(crate) target: u64,
    pub(crate) part_target: f64,
    pub(crate) sequence: u64,
    pub(crate) discontinuity_sequence: u64,
    pub(crate) ended: bool,
    pub(crate) can_block: bool,
    pub(crate) segments: Vec<Segment>,
    /// Parts of the segment that is not complete.
    pub(crate) open_parts: Vec<Part>,
    /// URI of the part that comes next.
    pub(crate) hint: Option<String>,
    pub(crate) reports: Vec<Attributes>,
}

/// A segment with what stands before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Segment {
    pub(crate) uri: String,
    pub(crate) duration: f64,
    pub(crate) map: String,
    pub(crate) discontinuity: bool,
    pub(crate) date: Option<String>,
    pub(crate) parts: Vec<Part>,
}

/// A part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) uri: String,
    pub(crate) duration: f64,
    pub(crate) independent: bool,
}

/// `NAME=value` pairs, quotes taken off.
pub(crate) type Attributes = BTreeMap<String, String>;

impl Media {
    /// Reads a playlist; anything that cannot be read fails the test.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"), "{text}");
        let mut playlist = Self::default();
        let mut next = Segment::default();
        let mut map = String::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-TARGETDURATION" => playlist.target = value.parse().unwrap(),
                "#EXT-X-MEDIA-SEQUENCE" => playlist.sequence = value.parse().unwrap(),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                    playlist.discontinuity_sequence = value.parse().unwrap();
                }
                "#EXT-X-PART-INF" => {
                    playlist.part_target = attributes(value)["PART-TARGET"].parse().unwrap();
                }
                "#EXT-X-SERVER-CONTROL" => {
                    let control = attributes(value);
                    playlist.can_block = control
                        .get("CAN-BLOCK-RELOAD")
                        .is_some_and(|yes| yes == "YES");
                }
                "#EXT-X-MAP" => map = attributes(value)["URI"].clone(),
                "#EXT-X-PROGRAM-DATE-TIME" => next.date = Some(value.to_owned()),
                "#EXT-X-DISCONTINUITY" => next.discontinuity = true,
                "#EXT-X-PART" => next.parts.push(part(value)),
                "#EXTINF" => {
                    let duration = value.split(',').next().unwrap();
                    next.duration = duration.parse().unwrap();
                }
                "#EXT-X-PRELOAD-HINT" => playlist.hint = Some(attributes(value)["URI"].clone()),
                "#EXT-X-RENDITION-REPORT" => playlist.reports.push(attributes(value)),
                "#EXT-X-ENDLIST" => playlist.ended = true,
                _ if line.starts_with('#') => {}
                _ => {
                    next.uri = line.to_owned();
                    next.map.clone_from(&map);
                    playlist.segments.push(std::mem::take(&mut next));
                }
            }
        }
        playlist.open_parts = next.parts;
        playlist
    }

    /// Number of the segment that is not complete.
    pub(crate) fn open_number(&self) -> u64 {
        self.sequence + self.segments.len() as u64
    }
}

/// URIs of the media playlists of a multivariant playlist, in its order.
pub(crate) fn renditions(multivariant: &str) -> Vec<String> {
    let of_tags = multivariant
        .lines()
        .filter_map(|line| line.strip_prefix("#EXT-X-MEDIA:"))
        .filter_map(|line| attributes(line).get("URI").cloned());
    let variants = multivariant
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut uris: Vec<String> = of_tags.chain(variants.map(str::to_owned)).collect();
    uris.sort();
    uris.dedup();
    uris
}

fn part(text: &str) -> Part {
    let attributes = attributes(text);
    Part {
        uri: attributes["URI"].clone(),
        duration: attributes["DURATION"].parse().unwrap(),
        independent: attributes
            .get("INDEPENDENT")
            .is_some_and(|yes| yes == "YES"),
    }
}

/// Reads an attribute list (section 4.2).
pub(crate) fn attributes(text: &str) -> Attributes {
    let mut found = Attributes::new();
    let mut rest = text;
    while let Some((name, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap(),
            None => value.split_at(value.find(',').unwrap_or(value.len())),
        };
        found.insert(name.to_owned(), value.to_owned());
        rest = after.trim_start_matches(',');
    }
    found
}
