//! Media playlists (RFC 8216 sections 4.3.2 and 4.3.3).

use super::attributes::{Attributes, seconds};
use super::{Error, MAX_SEGMENTS, date};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
}

impl Media {
    /// Number of the segment that would come next.
    pub fn next_sequence(&self) -> u64 {
        self.media_sequence
            .saturating_add(self.segments.len() as u64)
    }

    /// The segment of that number.
    pub fn segment(&self, sequence: u64) -> Option<&Segment> {
        let at = sequence.checked_sub(self.media_sequence)?;
        self.segments.get(usize::try_from(at).ok()?)
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
    /// The resource of the last range, and where that ended.
    ranged: Option<(String, u64)>,
}

impl Builder {
    pub(super) fn tag(&mut self, name: &str, value: &str, line: usize) -> Result<(), Error> {
        let list = Attributes(value);
        match name {
            "EXT-X-TARGETDURATION" => self.target = seconds(value),
            "EXT-X-MEDIA-SEQUENCE" => {
                self.found.media_sequence = value.trim().parse().unwrap_or(0);
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
            "EXT-X-KEY" => self.key = key(list, self.key.as_ref(), line)?,
            "EXT-X-MAP" => {
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
            "EXT-X-SERVER-CONTROL" => self.found.hold_back = list.seconds("HOLD-BACK"),
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
        let mut segment = std::mem::take(&mut self.open);
        uri.clone_into(&mut segment.uri);
        if let Some((length, offset)) = self.range.take() {
            // Without an offset it goes on where the one before of that resource ended (section 4.3.2.2).
            let before = self.ranged.take().filter(|(resource, _)| resource == uri);
            let offset = offset.or_else(|| before.map(|(_, end)| end)).unwrap_or(0);
            segment.range = Some(ByteRange { offset, length });
            self.ranged = Some((uri.to_owned(), offset.saturating_add(length)));
        }
        segment.map.clone_from(&self.map);
        segment.key.clone_from(&self.key);
        self.found.segments.push(segment);
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
        Some(self.found)
    }
}

/// `LENGTH` or `LENGTH@OFFSET`.
fn range(text: &str) -> Option<(u64, Option<u64>)> {
    let (length, offset) = match text.trim().split_once('@') {
        Some((length, offset)) => (length, Some(offset.parse().ok()?)),
        None => (text.trim(), None),
    };
    Some((length.parse().ok().filter(|length| *length > 0)?, offset))
}

/// The key of what follows. Keys of other formats stand beside the one that is the key itself (section 4.3.2.4).
fn key(
    list: Attributes<'_>,
    before: Option<&Arc<Key>>,
    line: usize,
) -> Result<Option<Arc<Key>>, Error> {
    let is_identity = matches!(list.get("KEYFORMAT"), None | Some("identity"));
    match list.get("METHOD") {
        Some("NONE") | None => Ok(None),
        Some("AES-128") if is_identity => {
            let key = list.get("URI").map(|uri| {
                Arc::new(Key {
                    method: Method::Aes128,
                    uri: uri.to_owned(),
                    iv: list.get("IV").and_then(iv),
                })
            });
            Ok(key)
        }
        Some(_) if before.is_some() && !is_identity => Ok(before.cloned()),
        Some(_) => Err(Error::Encryption { line }),
    }
}

/// A hexadecimal number of 128 bits.
fn iv(text: &str) -> Option<[u8; 16]> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    let number = u128::from_str_radix(digits, 16).ok()?;
    Some(number.to_be_bytes())
}
