//! Keeps up with one media playlist: reads it again as often as it should (RFC 8216 section 6.3.4), and fetches its
//! segments one after the other, with their keys and initialisation sections.
//!
//! Playlists stall, jump, start anew and go backwards. What was missed is a discontinuity; a playlist that is older than
//! the one before is left alone until it is clear that it began anew.

use super::crypt::{self, Secret};
use super::{
    Error, Fetch, Fetched, MAX_FAILURES, MAX_KEY, MAX_PLAYLIST, MAX_SEGMENT, Output, Piece, RETRY,
    join,
};
use crate::read::{self, ByteRange, Key, Map, Media, Playlist, Segment, Variables};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;

/// Players begin so many target durations before the end (section 6.3.3), unless the server says how far.
const BEHIND: u32 = 3;

/// A playlist that ends before what was in one before is taken for a new beginning after so many in a row; servers behind
/// one address are not always equally far.
const OLDER: u32 = 3;

/// Attempts at a segment, its key and its section together.
const ATTEMPTS: u32 = 3;

/// Follows one rendition.
#[derive(Debug)]
pub(super) struct Follower {
    number: usize,
    url: Url,
    variables: Variables,
    /// Segments are wanted now.
    pub(super) wanted: bool,
    playlist: Option<Playing>,
    loading: Option<u64>,
    /// When the last reading began.
    asked: Option<Instant>,
    reload: Option<Instant>,
    job: Option<Job>,
    /// The segment is tried again then.
    retry: Option<Instant>,
    failures: u32,
    older: u32,
    key: Option<(Url, Secret)>,
    map: Option<(Arc<Map>, Bytes)>,
    /// The next piece does not go on from the last.
    is_apart: bool,
}

/// What is read now.
#[derive(Debug)]
struct Playing {
    media: Media,
    /// Where it came from.
    url: Url,
    /// Media sequence number of the segment that is given next.
    next: u64,
}

/// One segment on its way.
#[derive(Debug)]
struct Job {
    sequence: u64,
    segment: Segment,
    base: Url,
    attempts: u32,
    /// What is being fetched.
    asked: Option<(u64, Part)>,
}

/// A file that a segment needs.
#[derive(Clone, Debug)]
enum Part {
    Key(Url),
    Map(Arc<Map>),
    Body,
}

impl Follower {
    pub(super) const fn new(number: usize, url: Url, variables: Variables) -> Self {
        Self {
            number,
            url,
            variables,
            wanted: true,
            playlist: None,
            loading: None,
            asked: None,
            reload: None,
            job: None,
            retry: None,
            failures: 0,
            older: 0,
            key: None,
            map: None,
            is_apart: false,
        }
    }

    pub(super) fn waits_for(&self, id: u64) -> bool {
        let of_job = self.job.as_ref().and_then(|job| job.asked.as_ref());
        self.loading == Some(id) || of_job.is_some_and(|(asked, _)| *asked == id)
    }

    /// Whether all was given, and nothing will come.
    pub(super) fn is_over(&self) -> bool {
        self.job.is_none()
            && self.playlist.as_ref().is_some_and(|playing| {
                playing.media.ended && playing.next >= playing.media.next_sequence()
            })
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        let reload = self.reload.filter(|_| self.loading.is_none());
        [reload, self.retry].into_iter().flatten().min()
    }

    /// Asks for what is due and wanted.
    pub(super) fn step(&mut self, now: Instant, ids: &mut u64, outputs: &mut VecDeque<Output>) {
        let is_due = self.playlist.is_none() && self.reload.is_none()
            || self.reload.is_some_and(|reload| reload <= now);
        if is_due && self.loading.is_none() {
            self.reload = None;
            self.asked = Some(now);
            let url = self.url.clone();
            self.loading = Some(fetch(url, None, MAX_PLAYLIST, ids, outputs));
        }
        if self.retry.is_some_and(|retry| retry <= now) {
            self.retry = None;
        }
        if self.job.is_none() && self.wanted {
            self.begin_next();
        }
        if let Some(job) = &mut self.job
            && job.asked.is_none()
            && self.retry.is_none()
        {
            match job.missing(self.key.as_ref(), self.map.as_ref()) {
                Ok((part, url, range, most)) => {
                    job.asked = Some((fetch(url, range, most, ids, outputs), part));
                }
                Err(error) => {
                    outputs.push_back(Output::Fault(error.to_string()));
                    self.pass_over();
                }
            }
        }
    }

    /// Makes the next segment that is there the one that is fetched.
    fn begin_next(&mut self) {
        let Some(playing) = &mut self.playlist else {
            return;
        };
        while let Some(segment) = playing.media.segment(playing.next) {
            let sequence = playing.next;
            playing.next += 1;
            if segment.gap {
                self.is_apart = true;
                continue;
            }
            self.job = Some(Job {
                sequence,
                segment: segment.clone(),
                base: playing.url.clone(),
                attempts: 0,
                asked: None,
            });
            return;
        }
    }

    pub(super) fn handle_fetched(
        &mut self,
        now: Instant,
        id: u64,
        answer: Result<Fetched, String>,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Error> {
        if self.loading == Some(id) {
            self.loading = None;
            return match answer {
                Ok(fetched) => self.handle_playlist(now, fetched, outputs),
                Err(error) => self.failed_to_load(now, error, outputs),
            };
        }
        let Some(part) = self.job.as_mut().and_then(|job| job.asked.take()) else {
            return Ok(());
        };
        let done = answer.and_then(|fetched| self.take_part(part.1, fetched.body, outputs));
        if let Err(error) = done {
            return self.failed_to_fetch(now, error, outputs);
        }
        self.failures = 0;
        Ok(())
    }

    fn handle_playlist(
        &mut self,
        now: Instant,
        fetched: Fetched,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Error> {
        let text = String::from_utf8_lossy(&fetched.body);
        let query = fetched.url.query().unwrap_or_default();
        match read::parse(&text, &self.variables, query) {
            Ok(Playlist::Media(media)) => self.take_playlist(now, fetched.url, media, outputs),
            Ok(Playlist::Multivariant(_)) => return Err(Error::Nested),
            Err(error @ read::Error::Encryption { .. }) => return Err(error.into()),
            // A server that is being started again sends anything.
            Err(error) => return self.failed_to_load(now, error.to_string(), outputs),
        }
        Ok(())
    }

    /// A playlist has come: the first, or the next.
    pub(super) fn take_playlist(
        &mut self,
        now: Instant,
        url: Url,
        media: Media,
        outputs: &mut VecDeque<Output>,
    ) {
        self.failures = 0;
        let target = media.target_duration;
        let begun = self.asked.unwrap_or(now);
        let Some(playing) = &mut self.playlist else {
            let next = start(&media);
            self.reload = (!media.ended).then(|| begun + target);
            self.playlist = Some(Playing { media, url, next });
            return;
        };
        let has_news = media.next_sequence() != playing.media.next_sequence() || media.ended;
        let is_older = media.next_sequence() < playing.media.next_sequence();
        if is_older && self.older < OLDER && !media.ended {
            self.older += 1;
            self.reload = Some(begun + target / 2);
            return;
        }
        self.older = 0;
        if is_older {
            let words = "the playlist began anew".to_owned();
            outputs.push_back(Output::Fault(words));
            playing.next = start(&media);
            self.is_apart = true;
        } else if playing.next < media.media_sequence {
            let lost = media.media_sequence - playing.next;
            let words = format!("{lost} segments were gone before they were fetched");
            outputs.push_back(Output::Fault(words));
            playing.next = start(&media);
            self.is_apart = true;
        }
        let wait = if has_news { target } else { target / 2 };
        self.reload = (!media.ended).then(|| begun + wait);
        (playing.media, playing.url) = (media, url);
    }

    fn failed_to_load(
        &mut self,
        now: Instant,
        error: String,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Error> {
        self.failures += 1;
        if self.failures >= MAX_FAILURES {
            return Err(Error::Fetch(error));
        }
        outputs.push_back(Output::Fault(error));
        self.reload = Some(now + self.retry_in());
        Ok(())
    }

    fn failed_to_fetch(
        &mut self,
        now: Instant,
        error: String,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Error> {
        self.failures += 1;
        if self.failures >= MAX_FAILURES {
            return Err(Error::Fetch(error));
        }
        let attempts = self.job.as_mut().map_or(0, |job| {
            job.attempts += 1;
            job.attempts
        });
        if attempts >= ATTEMPTS {
            outputs.push_back(Output::Fault(format!("a segment is passed over: {error}")));
            self.pass_over();
        } else {
            self.retry = Some(now + self.retry_in());
        }
        Ok(())
    }

    fn retry_in(&self) -> Duration {
        let target = self
            .playlist
            .as_ref()
            .map(|playing| playing.media.target_duration);
        RETRY.max(target.unwrap_or_default() / 3)
    }

    fn pass_over(&mut self) {
        self.job = None;
        self.is_apart = true;
    }

    /// A file of the segment has come.
    fn take_part(
        &mut self,
        part: Part,
        body: Bytes,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), String> {
        match part {
            Part::Key(url) => {
                let secret = crypt::secret(&body).ok_or("the key is shorter than 16 bytes")?;
                self.key = Some((url, secret));
            }
            Part::Map(map) => {
                let body = match &map.key {
                    // Without a vector of its own nobody could tell which (section 4.3.2.5).
                    Some(key) => self.plain(key, 0, &body)?,
                    None => body,
                };
                self.map = Some((map, body));
            }
            Part::Body => {
                let Some(job) = &self.job else {
                    return Ok(());
                };
                let bytes = match &job.segment.key {
                    Some(key) => self.plain(key, job.sequence, &body)?,
                    None => body,
                };
                let map = self.map.as_ref().filter(|_| job.segment.map.is_some());
                outputs.push_back(Output::Piece(Piece {
                    rendition: self.number,
                    sequence: job.sequence,
                    map: map.map(|(_, bytes)| bytes.clone()),
                    bytes,
                    discontinuity: job.segment.discontinuity || self.is_apart,
                    duration: job.segment.duration,
                    program_date_time: job.segment.program_date_time,
                }));
                self.is_apart = false;
                self.job = None;
            }
        }
        Ok(())
    }

    fn plain(&self, key: &Key, sequence: u64, bytes: &[u8]) -> Result<Bytes, String> {
        let (_, secret) = self.key.as_ref().ok_or("there is no key")?;
        let iv = key.iv.unwrap_or_else(|| crypt::iv_of(sequence));
        let plain = crypt::decrypt(secret, iv, bytes);
        plain.ok_or_else(|| {
            "a segment cannot be decrypted: the key is another, or it is cut".to_owned()
        })
    }
}

impl Job {
    /// The file that is fetched next: what is needed and is not there, then the segment itself.
    fn missing(
        &self,
        known_key: Option<&(Url, Secret)>,
        known_map: Option<&(Arc<Map>, Bytes)>,
    ) -> Result<(Part, Url, Option<ByteRange>, usize), Error> {
        let key = |key: Option<&Arc<Key>>| {
            let url = key.map(|key| join(&self.base, &key.uri)).transpose()?;
            let unknown = url.filter(|url| known_key.is_none_or(|(known, _)| known != url));
            Ok::<_, Error>(unknown.map(|url| (Part::Key(url.clone()), url, None, MAX_KEY)))
        };
        let map = self.segment.map.as_ref();
        if let Some(map) = map.filter(|map| known_map.is_none_or(|(known, _)| known != *map)) {
            if let Some(missing) = key(map.key.as_ref())? {
                return Ok(missing);
            }
            let url = join(&self.base, &map.uri)?;
            return Ok((Part::Map(map.clone()), url, map.range, MAX_SEGMENT));
        }
        if let Some(missing) = key(self.segment.key.as_ref())? {
            return Ok(missing);
        }
        let url = join(&self.base, &self.segment.uri)?;
        Ok((Part::Body, url, self.segment.range, MAX_SEGMENT))
    }
}

/// Where a player begins: the number of a segment.
fn start(media: &Media) -> u64 {
    let length = media.duration();
    let wished = media.start.map(|offset| {
        let distance = Duration::try_from_secs_f64(offset.abs()).unwrap_or_default();
        if offset < 0.0 {
            length.saturating_sub(distance)
        } else {
            distance.min(length)
        }
    });
    let edge = length.saturating_sub(media.hold_back.unwrap_or(media.target_duration * BEHIND));
    let from = match (wished, media.ended) {
        (Some(wished), true) => wished,
        // No nearer to the end than is good for a live stream.
        (Some(wished), false) => wished.min(edge),
        (None, true) => Duration::ZERO,
        (None, false) => edge,
    };
    let mut begins = Duration::ZERO;
    let mut sequence = media.media_sequence;
    for segment in &media.segments {
        if begins.saturating_add(segment.duration) > from {
            break;
        }
        begins = begins.saturating_add(segment.duration);
        sequence = sequence.saturating_add(1);
    }
    sequence
        .min(media.next_sequence().saturating_sub(1))
        .max(media.media_sequence)
}

fn fetch(
    url: Url,
    range: Option<ByteRange>,
    most: usize,
    ids: &mut u64,
    outputs: &mut VecDeque<Output>,
) -> u64 {
    let id = *ids;
    *ids += 1;
    outputs.push_back(Output::Fetch(Fetch {
        id,
        url,
        range,
        most,
    }));
    id
}
