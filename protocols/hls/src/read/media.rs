//! Media playlists (RFC 8216 sections 4.3.2 and 4.3.3), with parts and delta updates (its second edition, sections 4.4.4.9
//! and 4.4.5.2).

use super::attributes::{Attributes, seconds};
use super::{Error, MAX_PARTS, MAX_SEGMENTS, date};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The highest media sequence number that is taken, so that they can be counted on from it.
const MAX_SEQUENCE: u64 = u64::MAX / 2;

/// Segments of one rendition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Media {
    /// No segment is longer, if the playlist is true; at least a second.
    pub target_duration: Duration,
    /// Number of the first segment.
    pub media_sequence: u64,
    /// Discontinuities that there were before it.
    pub discontinuity_sequence: u64,
    /// Oldest first.
    pub segments: Vec<Segment>,
    /// Nothing will be added.
    pub ended: bool,
    /// How far from the end players should begin, where the server says.
    pub hold_back: Option<Duration>,
    /// Where players should begin, from the start or, if negative, from the end; where the author says (seconds).
    pub start: Option<f64>,
    /// No part is longer; none where there are no parts.
    pub part_target: Option<Duration>,
    /// How far from the end players of parts should begin, where the server says.
    pub part_hold_back: Option<Duration>,
    /// A request may wait for what is not there yet.
    pub can_block: bool,
    /// Segments that are further from the end may be left out where a player asks for that.
    pub skip_until: Option<Duration>,
    /// Segments that are left out in front of those here: this is a delta update ([`Media::complete`]).
    pub skipped: u64,
    /// The segment that is being made: what parts it has so far, and nothing of its own.
    pub open: Segment,
    /// What will be its next part, where the server says.
    pub hint: Option<Hint>,
    /// Of a delta update: so many segments have the section, and so many the key, of the last that is left out.
    inherited: (usize, usize),
}

/// One segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Where it is.
    pub uri: String,
    /// What its maker says.
    pub duration: Duration,
    /// Its bytes of the resource, if not all.
    pub range: Option<ByteRange>,
    /// It does not go on from the one before.
    pub discontinuity: bool,
    /// It is not there.
    pub gap: bool,
    /// What a reader needs before it.
    pub map: Option<Arc<Map>>,
    /// How it is encrypted.
    pub key: Option<Arc<Key>>,
    /// When its first sample was captured.
    pub program_date_time: Option<SystemTime>,
    /// The same in smaller pieces, near the end of a playlist.
    pub parts: Vec<Part>,
}

/// A piece of a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Where it is.
    pub uri: String,
    /// What its maker says.
    pub duration: Duration,
    /// Its bytes of the resource, if not all.
    pub range: Option<ByteRange>,
    /// It holds a picture that others need nothing before.
    pub independent: bool,
    /// It is not there.
    pub gap: bool,
}

/// A part that may be asked for before it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Where it will be.
    pub uri: String,
    /// Its bytes of the resource, if not all.
    pub range: Option<ByteRange>,
}

/// Bytes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// Of the first.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

/// Where an initialisation section is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// The resource.
    pub uri: String,
    /// Its bytes of that, if not all.
    pub range: Option<ByteRange>,
    /// How it is encrypted.
    pub key: Option<Arc<Key>>,
}

/// How segments are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// By what.
    pub method: Method,
    /// Where the key is.
    pub uri: String,
    /// The initialisation vector, where it is not the number of the segment.
    pub iv: Option<[u8; 16]>,
}

/// A way to encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Whole segments in AES-128, cipher block chaining, PKCS #7.
    Aes128,
    /// Parts of the samples in AES-128.
    SampleAes,
}

impl Media {
    /// Number of the segment that would come next.
    pub fn next_sequence(&self) -> u64 {
        self.first_sequence()
            .saturating_add(self.segments.len() as u64)
    }

    /// The segment of that number.
    pub fn segment(&self, sequence: u64) -> Option<&Segment> {
        let at = sequence.checked_sub(self.first_sequence())?;
        self.segments.get(usize::try_from(at).ok()?)
    }

    /// Number of the first segment that is not left out.
    const fn first_sequence(&self) -> u64 {
        self.media_sequence.saturating_add(self.skipped)
    }

    /// Takes what a delta update leaves out from the playlist before, which is of no more use then. False when that has
    /// not all of it; both are as they were.
    #[must_use]
    pub fn complete(&mut self, before: &mut Self) -> bool {
        if self.skipped == 0 {
            return true;
        }
        let bounds = || {
            let start = self.media_sequence.checked_sub(before.first_sequence())?;
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(self.skipped).ok()?)?;
            Some((start, end))
        };
        let Some((start, end)) = bounds() else {
            return false;
        };
        let Some(last) = before.segments.get(start..end).and_then(<[_]>::last) else {
            return false;
        };
        if self.segments.len().saturating_add(end - start) > MAX_SEGMENTS {
            return false;
        }
        let (maps, keys) = self.inherited;
        let following = self.segments.iter_mut().chain([&mut self.open]);
        for (at, segment) in following.enumerate() {
            if at < maps {
                segment.map.clone_from(&last.map);
            }
            if at < keys {
                segment.key.clone_from(&last.key);
            }
        }
        let mut all = std::mem::take(&mut before.segments);
        all.truncate(end);
        all.drain(..start);
        all.append(&mut self.segments);
        (self.segments, self.skipped, self.inherited) = (all, 0, (0, 0));
        true
    }

    /// Sum of what the segments say of their durations.
    pub fn duration(&self) -> Duration {
        self.segments.iter().map(|segment| segment.duration).sum()
    }
}

#[derive(Debug, Default)]
pub(super) struct Builder {
    found: Media,
    /// A tag that only a media playlist has.
    is_media: bool,
    target: Option<Duration>,
    /// What is known of the segment whose URI is to come.
    open: Segment,
    has_duration: bool,
    range: Option<(u64, Option<u64>)>,
    map: Option<Arc<Map>>,
    key: Option<Arc<Key>>,
    /// The line of a key that is not carried, until one comes that is.
    foreign_key: Option<usize>,
    /// The resource of the last range, and where that ended; the same of parts.
    ranged: Option<(String, u64)>,
    ranged_part: Option<(String, u64)>,
    /// Segments and parts so far.
    parts: usize,
    /// The first segment that does not go by the section, and by the key, that is left out.
    maps_told: Option<usize>,
    keys_told: Option<usize>,
}

impl Builder {
    pub(super) fn tag(&mut self, name: &str, value: &str, line: usize) -> Result<(), Error> {
        let list = Attributes(value);
        match name {
            "EXT-X-TARGETDURATION" => self.target = seconds(value),
            "EXT-X-MEDIA-SEQUENCE" => {
                let sequence: u64 = value.trim().parse().unwrap_or(0);
                self.found.media_sequence = sequence.min(MAX_SEQUENCE);
            }
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.found.discontinuity_sequence = value.trim().parse().unwrap_or(0);
            }
            "EXTINF" => {
                let duration = value
                    .split_once(',')
                    .map_or(value, |(duration, _)| duration);
                self.open.duration = seconds(duration).unwrap_or_default();
                self.has_duration = true;
            }
            "EXT-X-BYTERANGE" => self.range = range(value),
            "EXT-X-DISCONTINUITY" => self.open.discontinuity = true,
            "EXT-X-GAP" => self.open.gap = true,
            "EXT-X-PROGRAM-DATE-TIME" => self.open.program_date_time = date::parse(value.trim()),
            "EXT-X-KEY" => {
                self.key(list, line)?;
                self.keys_told.get_or_insert(self.found.segments.len());
            }
            "EXT-X-MAP" => {
                self.maps_told.get_or_insert(self.found.segments.len());
                self.map = list.get("URI").map(|uri| {
                    Arc::new(Map {
                        uri: uri.to_owned(),
                        range: list
                            .get("BYTERANGE")
                            .and_then(range)
                            .map(|(length, offset)| ByteRange {
                                offset: offset.unwrap_or(0),
                                length,
                            }),
                        key: self.key.clone(),
                    })
                });
            }
            "EXT-X-ENDLIST" => self.found.ended = true,
            "EXT-X-SERVER-CONTROL" => {
                self.found.hold_back = list.seconds("HOLD-BACK");
                self.found.part_hold_back = list.seconds("PART-HOLD-BACK");
                self.found.can_block = list.is_yes("CAN-BLOCK-RELOAD");
                self.found.skip_until = list.seconds("CAN-SKIP-UNTIL");
            }
            "EXT-X-PART-INF" => {
                let target = list.seconds("PART-TARGET");
                self.found.part_target = target.filter(|target| !target.is_zero());
            }
            "EXT-X-PART" => self.part(list, line)?,
            "EXT-X-PRELOAD-HINT" if list.get("TYPE") == Some("PART") => {
                self.found.hint = list.get("URI").and_then(|uri| hint(uri, list));
            }
            "EXT-X-SKIP" => self.found.skipped = list.number("SKIPPED-SEGMENTS").unwrap_or(0),
            "EXT-X-START" => {
                let offset = list.get("TIME-OFFSET").and_then(|text| text.parse().ok());
                self.found.start = offset.filter(|offset: &f64| offset.is_finite());
            }
            _ => return Ok(()),
        }
        self.is_media = true;
        Ok(())
    }

    pub(super) fn uri(&mut self, uri: &str, line: usize) -> Result<(), Error> {
        // Without a duration it is a line that no standard knows.
        if !std::mem::take(&mut self.has_duration) {
            return Ok(());
        }
        if self.found.segments.len() >= MAX_SEGMENTS {
            return Err(Error::TooMany {
                line,
                most: MAX_SEGMENTS,
                what: "segments",
            });
        }
        self.can_be_opened()?;
        let mut segment = std::mem::take(&mut self.open);
        uri.clone_into(&mut segment.uri);
        if let Some(range) = self.range.take() {
            segment.range = Some(placed(range, uri, &mut self.ranged));
        }
        segment.map.clone_from(&self.map);
        segment.key.clone_from(&self.key);
        self.found.segments.push(segment);
        Ok(())
    }

    /// The key of what follows. Keys of other formats stand beside the one that is the key itself, in any order (section
    /// 4.3.2.4).
    fn key(&mut self, list: Attributes<'_>, line: usize) -> Result<(), Error> {
        let is_identity = matches!(list.get("KEYFORMAT"), None | Some("identity"));
        let method = match list.get("METHOD") {
            Some("NONE") | None => None,
            Some(_) if !is_identity => {
                if self.key.is_none() {
                    self.foreign_key.get_or_insert(line);
                }
                return Ok(());
            }
            Some("AES-128") => Some(Method::Aes128),
            Some("SAMPLE-AES") => Some(Method::SampleAes),
            Some(_) => return Err(Error::Encryption { line }),
        };
        self.foreign_key = None;
        self.key = method.zip(list.get("URI")).map(|(method, uri)| {
            Arc::new(Key {
                method,
                uri: uri.to_owned(),
                iv: list.get("IV").and_then(iv),
            })
        });
        Ok(())
    }

    /// Whether a segment or part that stands here has a key that is carried, if it has one.
    fn can_be_opened(&self) -> Result<(), Error> {
        match self.foreign_key {
            Some(line) => Err(Error::Encryption { line }),
            None => Ok(()),
        }
    }

    /// A part of the segment whose URI is to come.
    fn part(&mut self, list: Attributes<'_>, line: usize) -> Result<(), Error> {
        let Some(uri) = list.get("URI") else {
            return Ok(());
        };
        if self.parts >= MAX_PARTS {
            return Err(Error::TooMany {
                line,
                most: MAX_PARTS,
                what: "parts",
            });
        }
        self.can_be_opened()?;
        self.parts += 1;
        let range = list.get("BYTERANGE").and_then(range);
        self.open.parts.push(Part {
            uri: uri.to_owned(),
            duration: list.seconds("DURATION").unwrap_or_default(),
            range: range.map(|range| placed(range, uri, &mut self.ranged_part)),
            independent: list.is_yes("INDEPENDENT"),
            gap: list.is_yes("GAP"),
        });
        Ok(())
    }

    /// None if nothing said that it is one.
    pub(super) fn build(mut self) -> Option<Media> {
        if !self.is_media {
            return None;
        }
        let longest = self
            .found
            .segments
            .iter()
            .map(|segment| segment.duration)
            .max();
        let target = self.target.or(longest).unwrap_or_default();
        self.found.target_duration = target.max(Duration::from_secs(1));
        self.open.map = self.map;
        self.open.key = self.key;
        self.found.open = self.open;
        let told = |told: Option<usize>| told.unwrap_or(usize::MAX);
        self.found.inherited = (told(self.maps_told), told(self.keys_told));
        if self.found.skipped == 0 {
            self.found.inherited = (0, 0);
        }
        Some(self.found)
    }
}

/// A range of a resource. Without an offset it goes on where the one before of that resource ended (section 4.3.2.2).
fn placed(
    (length, offset): (u64, Option<u64>),
    uri: &str,
    before: &mut Option<(String, u64)>,
) -> ByteRange {
    let same = before.take().filter(|(resource, _)| resource == uri);
    let offset = offset.or_else(|| same.map(|(_, end)| end)).unwrap_or(0);
    *before = Some((uri.to_owned(), offset.saturating_add(length)));
    ByteRange { offset, length }
}

/// A hint that says where the part ends; others cannot be told from what follows them.
fn hint(uri: &str, list: Attributes<'_>) -> Option<Hint> {
    let (start, length) = ("BYTERANGE-START", "BYTERANGE-LENGTH");
    let range = match (list.number(start), list.number(length)) {
        (None, None) => None,
        (offset, Some(length)) if length > 0 => Some(ByteRange {
            offset: offset.unwrap_or(0),
            length,
        }),
        _ => return None,
    };
    Some(Hint {
        uri: uri.to_owned(),
        range,
    })
}

/// `LENGTH` or `LENGTH@OFFSET`.
fn range(text: &str) -> Option<(u64, Option<u64>)> {
    let (length, offset) = match text.trim().split_once('@') {
        Some((length, offset)) => (length, Some(offset.parse().ok()?)),
        None => (text.trim(), None),
    };
    Some((length.parse().ok().filter(|length| *length > 0)?, offset))
}

/// A hexadecimal number of 128 bits.
fn iv(text: &str) -> Option<[u8; 16]> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    let number = u128::from_str_radix(digits, 16).ok()?;
    Some(number.to_be_bytes())
}
