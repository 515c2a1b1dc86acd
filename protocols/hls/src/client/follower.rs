//! Keeps up with one media playlist: reads it again as often as it should (RFC 8216 section 6.3.4), and fetches its
//! segments one after the other, with their keys and initialisation sections. Where the server announces it, the next
//! playlist is waited for at the server, and parts are fetched as they are made (second edition, sections 6.2.5 and
//! 6.3.4 to 6.3.8).
//!
//! Playlists stall, jump, start anew and go backwards. What was missed leaves a hole in times that go on; a playlist that is
//! older than the one before is left alone until it is clear that it began anew, which is a discontinuity.

use super::crypt::{self, Secret};
use super::job::{File, Job};
use super::place::{self, Place};
use super::{
    Error, Failure, Fetch, Fetched, LONGEST_PAUSE, MAX_FAILURES, MAX_PLAYLIST, MAX_SEGMENT, Output,
    PATIENCE, Piece, RETRY, is_file, join,
};
use crate::read::{self, ByteRange, Hint, Key, Map, Media, Method, Playlist, Variables};
use crate::samples::SampleKey;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;

/// A playlist that ends before what was in one before is taken for a new beginning after so many in a row; servers behind
/// one address are not always equally far.
const OLDER: u32 = 3;

/// Attempts at a segment, its key and its section together.
const ATTEMPTS: u32 = 3;

/// Parts that are shorter are not asked for one by one.
const SHORTEST_PART: Duration = Duration::from_millis(100);

/// Target durations that a server may take for what is not there yet (second edition, section 6.2.5.2).
const BLOCKED: u32 = 3;

/// Follows one rendition.
#[derive(Debug)]
pub(super) struct Follower {
    number: usize,
    url: Url,
    variables: Variables,
    /// Segments are wanted now.
    pub(super) wanted: bool,
    playlist: Option<Playing>,
    /// The presentation was over before it was looked at.
    is_recording: bool,
    loading: Option<u64>,
    /// When the last reading began.
    asked: Option<Instant>,
    reload: Option<Instant>,
    /// The next playlist is asked for as it is: without directives, and all of it.
    is_plain: bool,
    job: Option<Job>,
    hinted: Option<Hinted>,
    /// The segment is tried again then.
    retry: Option<Instant>,
    failures: u32,
    /// Segments that could not be had, one behind the other.
    passed_over: u32,
    older: u32,
    key: Option<(Url, Secret)>,
    map: Option<(Arc<Map>, Bytes)>,
    /// Something is missing in front of the next piece.
    is_lost: bool,
    /// The times of the next piece do not go on from the last.
    is_apart: bool,
}

/// What is read now.
#[derive(Debug)]
struct Playing {
    media: Media,
    /// Where it came from.
    url: Url,
    /// When it was asked for.
    asked: Instant,
    /// What is given next.
    next: Place,
}

/// The part that the server said would come, which was asked for before it was there.
#[derive(Debug)]
struct Hinted {
    hint: Hint,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Awaited(u64),
    There(Bytes),
    /// It could not be had, or has been used.
    None,
}

impl Follower {
    pub(super) const fn new(number: usize, url: Url, variables: Variables) -> Self {
        Self {
            number,
            url,
            variables,
            wanted: true,
            playlist: None,
            is_recording: false,
            loading: None,
            asked: None,
            reload: None,
            is_plain: false,
            job: None,
            hinted: None,
            retry: None,
            failures: 0,
            passed_over: 0,
            older: 0,
            key: None,
            map: None,
            is_lost: false,
            is_apart: false,
        }
    }

    pub(super) fn waits_for(&self, id: u64) -> bool {
        let of_job = self.job.as_ref().and_then(|job| job.asked.as_ref());
        self.loading == Some(id)
            || of_job.is_some_and(|(asked, _)| *asked == id)
            || self.hinted.as_ref().is_some_and(|hinted| hinted.awaits(id))
    }

    /// Whether all was given, and nothing will come.
    pub(super) fn is_over(&self) -> bool {
        self.job.is_none()
            && self.playlist.as_ref().is_some_and(|playing| {
                playing.media.ended && playing.next.sequence >= playing.media.next_sequence()
            })
    }

    pub(super) const fn is_recording(&self) -> bool {
        self.is_recording
    }

    /// How long the playlist is.
    pub(super) fn duration(&self) -> Option<Duration> {
        let playing = self.playlist.as_ref()?;
        Some(playing.media.duration())
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
            let (url, blocked) = self.playlist_url(now);
            let within = PATIENCE.saturating_add(blocked);
            self.loading = Some(fetch(url, None, MAX_PLAYLIST, within, ids, outputs));
        }
        if self.retry.is_some_and(|retry| retry <= now) {
            self.retry = None;
        }
        if self.job.is_none() && self.wanted {
            self.begin_next();
            self.ask_for_hint(ids, outputs);
        }
        // A part that was hinted at may be there already, and then the next is begun.
        while let Some(job) = &mut self.job
            && job.asked.is_none()
            && self.retry.is_none()
        {
            let file = match job.missing(self.key.as_ref(), self.map.as_ref()) {
                Ok(file) => file,
                Err(error) => {
                    // A list full of such is told of once.
                    let fault = Output::Fault(error.to_string());
                    if outputs.back() != Some(&fault) {
                        outputs.push_back(fault);
                    }
                    self.pass_over();
                    self.begin_next();
                    continue;
                }
            };
            if let (File::Body, Some(hinted)) = (&file.file, &mut self.hinted)
                && job.is(&hinted.hint)
            {
                match std::mem::replace(&mut hinted.answer, Answer::None) {
                    Answer::Awaited(id) => {
                        job.asked = Some((id, File::Body));
                        return;
                    }
                    Answer::There(bytes) => {
                        if let Err(error) = self.take_file(File::Body, bytes, outputs) {
                            outputs.push_back(Output::Fault(error));
                            self.pass_over();
                        }
                        self.begin_next();
                        self.ask_for_hint(ids, outputs);
                        continue;
                    }
                    Answer::None => {}
                }
            }
            let within = PATIENCE.saturating_add(job.duration * BLOCKED);
            let id = fetch(file.url, file.range, file.most, within, ids, outputs);
            job.asked = Some((id, file.file));
        }
    }

    /// Where the next playlist is, and how long the server may wait for it.
    fn playlist_url(&mut self, now: Instant) -> (Url, Duration) {
        let mut url = self.url.clone();
        let is_plain = std::mem::take(&mut self.is_plain);
        let playing = self.playlist.as_ref().filter(|_| !is_plain);
        let Some(playing) = playing.filter(|playing| place::is_low_latency(&playing.media)) else {
            return (url, Duration::ZERO);
        };
        let media = &playing.media;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("_HLS_msn", &media.next_sequence().to_string());
            query.append_pair("_HLS_part", &media.open.parts.len().to_string());
            // Of what is older, the server may have forgotten what we know (section 6.3.7).
            let age = now.saturating_duration_since(playing.asked);
            if media.skip_until.is_some_and(|until| age < until / 2) {
                query.append_pair("_HLS_skip", "YES");
            }
        }
        (url, media.target_duration * BLOCKED)
    }

    /// Makes the next segment or part that is there the one that is fetched.
    fn begin_next(&mut self) {
        let Some(playing) = &mut self.playlist else {
            return;
        };
        while let Some(next) = playing.next.take(&playing.media, &playing.url) {
            match next {
                place::Next::Lost { discontinuity } => {
                    self.is_lost = true;
                    self.is_apart |= discontinuity;
                }
                place::Next::Job(job) => {
                    self.job = Some(*job);
                    return;
                }
            }
        }
    }

    /// Asks for the part that comes next before it is there, if nothing else is to be fetched.
    fn ask_for_hint(&mut self, ids: &mut u64, outputs: &mut VecDeque<Output>) {
        let Some(playing) = self.playlist.as_ref().filter(|_| self.job.is_none()) else {
            return;
        };
        let media = &playing.media;
        let hint = media.hint.as_ref().filter(|_| place::is_low_latency(media));
        let Some(hint) = hint.filter(|_| playing.next.is_end(media)) else {
            return;
        };
        let is_known = |hinted: &Hinted| hinted.hint == *hint;
        let Ok(url) = join(&playing.url, &hint.uri) else {
            return;
        };
        if self.hinted.as_ref().is_some_and(is_known) {
            return;
        }
        let within = PATIENCE.saturating_add(media.target_duration * BLOCKED);
        let id = fetch(url, hint.range, MAX_SEGMENT, within, ids, outputs);
        self.hinted = Some(Hinted {
            hint: hint.clone(),
            answer: Answer::Awaited(id),
        });
    }

    pub(super) fn handle_fetched(
        &mut self,
        now: Instant,
        id: u64,
        answer: Result<Fetched, Failure>,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Error> {
        if self.loading == Some(id) {
            self.loading = None;
            return match answer {
                Ok(fetched) => self.handle_playlist(now, fetched, outputs),
                Err(failure) => self.failed_to_load(now, failure, outputs),
            };
        }
        if let Some(hinted) = &mut self.hinted
            && hinted.awaits(id)
        {
            // What could not be had is asked for again when a playlist has it.
            hinted.answer = answer.map_or(Answer::None, |fetched| Answer::There(fetched.body));
            return Ok(());
        }
        let Some((_, file)) = self.job.as_mut().and_then(|job| job.asked.take()) else {
            return Ok(());
        };
        let done = answer.and_then(|fetched| {
            let taken = self.take_file(file, fetched.body, outputs);
            taken.map_err(Failure::from)
        });
        match done {
            Ok(()) => self.failures = 0,
            Err(failure) => {
                let pause = self.fail(&failure)?;
                self.failed_to_fetch(now, failure, pause, outputs)?;
            }
        }
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
            Ok(Playlist::Multivariant(_)) => Err(Error::Nested),
            Err(error @ read::Error::Encryption { .. }) => Err(error.into()),
            // A server that is being started again sends anything.
            Err(error) => self.failed_to_load(now, error.to_string().into(), outputs),
        }
    }

    /// A playlist has come: the first, or the next.
    pub(super) fn take_playlist(
        &mut self,
        now: Instant,
        url: Url,
        mut media: Media,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Error> {
        let asked = self.asked.unwrap_or(now);
        if is_file(&self.url) {
            media.ended = true;
            media.start = None;
        }
        let Some(playing) = &mut self.playlist else {
            if media.skipped > 0 {
                let words = "the server leaves out what it was not asked to leave out";
                return self.failed_to_load(now, words.to_owned().into(), outputs);
            }
            self.failures = 0;
            self.is_recording = media.ended;
            self.reload = wait(&media, true).map(|wait| asked + wait);
            let next = place::start(&media);
            self.playlist = Some(Playing {
                media,
                url,
                asked,
                next,
            });
            return Ok(());
        };
        let has_news = edge(&media) != edge(&playing.media) || media.ended;
        let is_older = edge(&media) < edge(&playing.media);
        if is_older && self.older < OLDER && !media.ended {
            self.older += 1;
            self.failures = 0;
            self.is_plain = true;
            self.reload = Some(asked + media.target_duration / 2);
            return Ok(());
        }
        (self.older, self.passed_over) = (0, 0);
        if !media.complete(&mut playing.media) {
            let words = "the server leaves out more than we know";
            return self.failed_to_load(now, words.to_owned().into(), outputs);
        }
        self.failures = 0;
        if is_older {
            let words = "the playlist began anew".to_owned();
            outputs.push_back(Output::Fault(words));
            playing.next = place::start(&media);
            self.is_apart = true;
        } else if playing.next.sequence < media.media_sequence {
            let lost = media.media_sequence - playing.next.sequence;
            let words = format!("{lost} segments were gone before they were fetched");
            outputs.push_back(Output::Fault(words));
            playing.next = place::start(&media);
            self.is_lost = true;
        }
        self.reload = wait(&media, has_news).map(|wait| asked + wait);
        (playing.media, playing.url, playing.asked) = (media, url, asked);
        Ok(())
    }

    fn failed_to_load(
        &mut self,
        now: Instant,
        failure: Failure,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Error> {
        let pause = self.fail(&failure)?;
        outputs.push_back(Output::Fault(failure.reason));
        self.is_plain = true;
        self.reload = Some(now + pause);
        Ok(())
    }

    fn failed_to_fetch(
        &mut self,
        now: Instant,
        failure: Failure,
        pause: Duration,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), Error> {
        let attempts = self.job.as_mut().map_or(0, |job| {
            job.attempts += 1;
            job.attempts
        });
        if attempts < ATTEMPTS && !is_file(&self.url) {
            self.retry = Some(now + pause);
            return Ok(());
        }
        self.pass_over();
        // The next has as many attempts; the playlist of a recording does not come again to give it them.
        self.failures = 0;
        self.passed_over += 1;
        if self.passed_over >= MAX_FAILURES && !is_file(&self.url) {
            return Err(Error::Fetch(failure.reason));
        }
        let words = format!("a segment is passed over: {}", failure.reason);
        outputs.push_back(Output::Fault(words));
        Ok(())
    }

    /// Counts a failure. How long to wait before it is tried again.
    ///
    /// # Errors
    /// When there have been too many.
    fn fail(&mut self, failure: &Failure) -> Result<Duration, Error> {
        if is_file(&self.url) {
            // Without its playlist there is nothing; a segment is passed over.
            let has_playlist = self.playlist.is_some();
            let failed = || Error::Fetch(failure.reason.clone());
            return has_playlist.then_some(Duration::ZERO).ok_or_else(failed);
        }
        self.failures += 1;
        if self.failures >= MAX_FAILURES {
            return Err(Error::Fetch(failure.reason.clone()));
        }
        let playing = self.playlist.as_ref();
        let target = playing.map_or(Duration::ZERO, |playing| playing.media.target_duration);
        let wished = failure.retry_after.unwrap_or_default();
        Ok(RETRY.max(target / 2).max(wished.min(LONGEST_PAUSE)))
    }

    fn pass_over(&mut self) {
        self.is_lost = true;
        let Some(job) = self.job.take() else {
            return;
        };
        self.is_apart |= job.discontinuity;
        if let Some(playing) = &mut self.playlist
            && playing.next.sequence == job.sequence
        {
            playing.next.given = None;
        }
    }

    /// A file of the segment has come.
    fn take_file(
        &mut self,
        file: File,
        body: Bytes,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), String> {
        match file {
            File::Key(url) => {
                let secret = crypt::secret(&body).ok_or("the key is shorter than 16 bytes")?;
                self.key = Some((url, secret));
            }
            File::Map(map) => {
                let body = match &map.key {
                    // Without a vector of its own nobody could tell which (section 4.3.2.5).
                    Some(key) if key.method == Method::Aes128 => self.plain(key, 0, &body)?,
                    _ => body,
                };
                self.map = Some((map, body));
            }
            File::Body => {
                let Some(job) = &self.job else {
                    return Ok(());
                };
                let (bytes, samples) = match &job.key {
                    Some(key) if key.method == Method::Aes128 => {
                        (self.plain(key, job.sequence, &body)?, None)
                    }
                    Some(key) => (body, Some(self.sample_key(key, job.sequence)?)),
                    None => (body, None),
                };
                if let Some(playing) = &mut self.playlist
                    && playing.next.sequence == job.sequence
                    && let Some(given) = &mut playing.next.given
                {
                    *given = given.saturating_add(bytes.len());
                }
                // A segment is what its parts are, one behind the other.
                let bytes = bytes.slice(job.given.min(bytes.len())..);
                if bytes.is_empty() && job.given > 0 {
                    self.job = None;
                    return Ok(());
                }
                let map = self.map.as_ref().filter(|_| job.map.is_some());
                outputs.push_back(Output::Piece(Piece {
                    rendition: self.number,
                    sequence: job.sequence,
                    part: job.part,
                    map: map.map(|(_, bytes)| bytes.clone()),
                    bytes,
                    samples,
                    lost: self.is_lost,
                    discontinuity: job.discontinuity || self.is_apart,
                    duration: job.duration,
                    program_date_time: job.program_date_time,
                }));
                (self.is_lost, self.is_apart) = (false, false);
                self.passed_over = 0;
                self.job = None;
            }
        }
        Ok(())
    }

    fn plain(&self, key: &Key, sequence: u64, bytes: &[u8]) -> Result<Bytes, String> {
        let SampleKey { secret, iv } = self.sample_key(key, sequence)?;
        let plain = crypt::decrypt(&secret, iv, bytes);
        plain.ok_or_else(|| {
            "a segment cannot be decrypted: the key is another, or it is cut".to_owned()
        })
    }

    /// The key that has been fetched, with the vector of a segment.
    fn sample_key(&self, key: &Key, sequence: u64) -> Result<SampleKey, String> {
        let (_, secret) = self.key.as_ref().ok_or("there is no key")?;
        Ok(SampleKey {
            secret: *secret,
            iv: key.iv.unwrap_or_else(|| crypt::iv_of(sequence)),
        })
    }
}

impl Hinted {
    const fn awaits(&self, id: u64) -> bool {
        matches!(self.answer, Answer::Awaited(awaited) if awaited == id)
    }
}

/// How far a playlist goes: the segment that would come next, and the part of it.
fn edge(media: &Media) -> (u64, usize) {
    (media.next_sequence(), media.open.parts.len())
}

/// How long after one reading of a playlist has begun the next may begin (section 6.3.4); none at its end.
fn wait(media: &Media, has_news: bool) -> Option<Duration> {
    let target = media.target_duration;
    match media.part_target {
        _ if media.ended => None,
        _ if !has_news => Some(target / 2),
        // The server makes us wait; one that does not is asked twice a part at most.
        Some(part) if place::is_low_latency(media) => Some(part.max(SHORTEST_PART) / 2),
        _ => Some(target),
    }
}

fn fetch(
    url: Url,
    range: Option<ByteRange>,
    most: usize,
    within: Duration,
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
        within,
    }));
    id
}
