//! One segment or part on its way, with the files that it needs.

use super::crypt::Secret;
use super::{Error, MAX_KEY, MAX_SEGMENT, join};
use crate::read::{ByteRange, Hint, Key, Map, Method};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use url::Url;

/// What is fetched.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) sequence: u64,
    pub(super) part: Option<usize>,
    /// Bytes at its beginning that have been given in parts.
    pub(super) given: usize,
    pub(super) uri: String,
    pub(super) range: Option<ByteRange>,
    pub(super) duration: Duration,
    pub(super) discontinuity: bool,
    pub(super) map: Option<Arc<Map>>,
    pub(super) key: Option<Arc<Key>>,
    pub(super) program_date_time: Option<SystemTime>,
    /// Where the playlist came from.
    pub(super) base: Url,
    pub(super) attempts: u32,
    /// What is being fetched, and the number of the fetch.
    pub(super) asked: Option<(u64, File)>,
}

/// A file that a segment needs.
#[derive(Clone, Debug)]
pub(super) enum File {
    Key(Url),
    Map(Arc<Map>),
    Body,
}

/// A file that is not there yet.
pub(super) struct Missing {
    pub(super) file: File,
    pub(super) url: Url,
    pub(super) range: Option<ByteRange>,
    /// Longest answer that is of use, in bytes.
    pub(super) most: usize,
}

impl Job {
    /// The file that is fetched next: what is needed and is not there, then the segment itself.
    pub(super) fn missing(
        &self,
        known_key: Option<&(Url, Secret)>,
        known_map: Option<&(Arc<Map>, Bytes)>,
    ) -> Result<Missing, Error> {
        let key = |key: Option<&Arc<Key>>| {
            let url = key.map(|key| join(&self.base, &key.uri)).transpose()?;
            let unknown = url.filter(|url| known_key.is_none_or(|(known, _)| known != url));
            Ok::<_, Error>(unknown.map(|url| Missing {
                file: File::Key(url.clone()),
                url,
                range: None,
                most: MAX_KEY,
            }))
        };
        if let Some(map) = &self.map
            && known_map.is_none_or(|(known, _)| known != map)
        {
            let whole = map.key.as_ref().filter(|key| key.method == Method::Aes128);
            if let Some(missing) = key(whole)? {
                return Ok(missing);
            }
            return Ok(Missing {
                file: File::Map(map.clone()),
                url: join(&self.base, &map.uri)?,
                range: map.range,
                most: MAX_SEGMENT,
            });
        }
        if let Some(missing) = key(self.key.as_ref())? {
            return Ok(missing);
        }
        Ok(Missing {
            file: File::Body,
            url: join(&self.base, &self.uri)?,
            range: self.range,
            most: MAX_SEGMENT,
        })
    }

    /// Whether it is what the server said would come.
    pub(super) fn is(&self, hint: &Hint) -> bool {
        self.uri == hint.uri && self.range == hint.range
    }
}
