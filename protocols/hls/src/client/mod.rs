//! Plays a presentation as a player does, without sockets and clocks: says what to fetch and when, is given what came,
//! and gives the segments of the chosen renditions in their order, decrypted, each with what a reader needs before it.
//!
//! Read [`Client`]. [`choice`](Choice) picks from a multivariant playlist, a `follower` keeps up with one media playlist
//! (RFC 8216 section 6.3), in which it is at a `place`; a `job` is what it fetches, `crypt` takes encryption off.

mod choice;
mod crypt;
mod follower;
mod job;
mod place;

#[cfg(test)]
mod tests;

pub use choice::Choice;

use crate::read::{self, ByteRange, Playlist};
use crate::samples::SampleKey;
use bytes::Bytes;
use follower::Follower;
use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};
use url::Url;

/// Longest playlist, in bytes.
pub const MAX_PLAYLIST: usize = 8 << 20;

/// Longest segment or initialisation section, in bytes.
pub const MAX_SEGMENT: usize = 64 << 20;

/// Longest key file: a key is 16 bytes, and some servers add a line end.
const MAX_KEY: usize = 64;

/// Attempts at the first playlist, and at all that follow each other without success; segments of a recording that are passed
/// over one behind the other.
const MAX_FAILURES: u32 = 5;

/// Attempts at the first playlist, which tells that there is anything, end so long after the first of them has failed.
const FIRST_PATIENCE: Duration = Duration::from_secs(10);

/// After a failure it is tried again so much later, and at least half a target duration.
const RETRY: Duration = Duration::from_secs(1);

/// A server may ask for no longer pause than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A file may take so long to come, and a segment three times its own length more.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something to be fetched. Exactly one answer is expected for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// No other fetch of this client has it.
    pub id: u64,
    /// From where.
    pub url: Url,
    /// Its bytes, if not all.
    pub range: Option<ByteRange>,
    /// Longest answer that is of use, in bytes.
    pub most: usize,
    /// What takes longer has failed.
    pub within: Duration,
}

/// What came.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// From where in the end: redirects are followed by whoever fetches.
    pub url: Url,
    /// All of it.
    pub body: Bytes,
}

/// Why nothing came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub reason: String,
    /// The server wants to be left alone for so long.
    pub retry_after: Option<Duration>,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self {
            reason,
            retry_after: None,
        }
    }
}

/// One segment of a rendition, or one part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which: 0 is the variant, 1 its sound where that is apart.
    pub rendition: usize,
    /// Media sequence number.
    pub sequence: u64,
    /// Which part of the segment, if not all of it. Those before have been given.
    pub part: Option<usize>,
    /// Goes before it: an initialisation section, which the pieces before may have had too.
    pub map: Option<Bytes>,
    /// The segment.
    pub bytes: Bytes,
    /// What opens its samples, where these are encrypted.
    pub samples: Option<SampleKey>,
    /// Something is missing in front of it. That is of this rendition alone, and its times go on.
    pub lost: bool,
    /// Its times do not go on.
    pub discontinuity: bool,
    /// What the playlist says of its duration.
    pub duration: Duration,
    /// When its first sample was captured, where the playlist says.
    pub program_date_time: Option<SystemTime>,
}

/// What a client wants or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Fetch this, and say what came with [`Client::handle_fetched`].
    Fetch(Fetch),
    /// The next segment of a rendition.
    Piece(Piece),
    /// Something was lost or odd; it goes on.
    Fault(String),
    /// The presentation is over, and all of it was given.
    End,
    /// Nothing until something comes, or until then ([`Client::handle_timeout`]).
    Timeout(Option<Instant>),
}

/// Why it cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No playlist.
    #[error("the playlist cannot be read: {0}")]
    Playlist(#[from] read::Error),
    /// A multivariant playlist names another.
    #[error("a playlist of segments was expected, and one of variants came")]
    Nested,
    /// A reference to what cannot be fetched from where the playlist is.
    #[error("the playlist names what is neither a URL of HTTP nor a file beside it")]
    Reference,
    /// Too many fetches in a row failed; the last one so.
    #[error("{0}")]
    Fetch(String),
}

/// Follows a presentation.
#[derive(Debug)]
pub struct Client {
    url: Url,
    choice: Choice,
    /// The fetch of the first playlist, and how often and since when it has failed.
    first: Option<u64>,
    failures: u32,
    failing_since: Option<Instant>,
    retry: Option<Instant>,
    followers: Vec<Follower>,
    ids: u64,
    outputs: VecDeque<Output>,
    has_ended: bool,
}

impl Client {
    /// For the playlist at `url`, of which the rule chooses. One of `file:` is played as it is there: all of it, once, and
    /// what is missing is passed over at once.
    pub fn new(url: Url, choice: Choice) -> Self {
        let mut client = Self {
            url,
            choice,
            first: None,
            failures: 0,
            failing_since: None,
            retry: None,
            followers: Vec::new(),
            ids: 0,
            outputs: VecDeque::new(),
            has_ended: false,
        };
        client.ask_first();
        client
    }

    /// Whether it was over before it was looked at, as far as is known.
    pub fn is_recording(&self) -> bool {
        !self.followers.is_empty() && self.followers.iter().all(Follower::is_recording)
    }

    /// How long its playlists are now; none before they are there.
    pub fn duration(&self) -> Option<Duration> {
        let lengths = self.followers.iter().map(Follower::duration);
        lengths.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// How many renditions are followed; 0 before the first playlist is there.
    pub const fn renditions(&self) -> usize {
        self.followers.len()
    }

    /// Whether segments of that rendition are wanted now. At first they are.
    pub fn set_wanted(&mut self, now: Instant, rendition: usize, wanted: bool) {
        if let Some(follower) = self.followers.get_mut(rendition) {
            follower.wanted = wanted;
        }
        self.step(now);
    }

    /// A fetch has been answered, or has failed for that reason.
    ///
    /// # Errors
    /// When there is nothing more to be done.
    pub fn handle_fetched(
        &mut self,
        now: Instant,
        id: u64,
        answer: Result<Fetched, Failure>,
    ) -> Result<(), Error> {
        if self.first == Some(id) {
            self.first = None;
            match answer {
                Ok(fetched) => self.begin(now, fetched)?,
                Err(failure) => {
                    self.failures += 1;
                    let since = *self.failing_since.get_or_insert(now);
                    let is_over = now.saturating_duration_since(since) >= FIRST_PATIENCE;
                    if is_over || self.failures >= MAX_FAILURES || is_file(&self.url) {
                        return Err(Error::Fetch(failure.reason));
                    }
                    let pause = failure.retry_after.unwrap_or(RETRY);
                    self.retry = Some(now + pause.clamp(RETRY, LONGEST_PAUSE));
                }
            }
        } else if let Some(follower) = self
            .followers
            .iter_mut()
            .find(|follower| follower.waits_for(id))
        {
            follower.handle_fetched(now, id, answer, &mut self.outputs)?;
        }
        self.step(now);
        Ok(())
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.retry.is_some_and(|retry| retry <= now) {
            self.retry = None;
            self.ask_first();
        }
        self.step(now);
    }

    /// What is next.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        let all_over = !self.followers.is_empty() && self.followers.iter().all(Follower::is_over);
        if all_over && !std::mem::replace(&mut self.has_ended, true) {
            return Output::End;
        }
        let timeouts = self.followers.iter().filter_map(Follower::timeout);
        Output::Timeout(timeouts.chain(self.retry).min())
    }

    fn ask_first(&mut self) {
        self.first = Some(self.ids);
        self.outputs.push_back(Output::Fetch(Fetch {
            id: self.ids,
            url: self.url.clone(),
            range: None,
            most: MAX_PLAYLIST,
            within: PATIENCE,
        }));
        self.ids += 1;
    }

    /// The first playlist is there.
    fn begin(&mut self, now: Instant, fetched: Fetched) -> Result<(), Error> {
        let text = String::from_utf8_lossy(&fetched.body);
        let variables = read::Variables::default();
        let query = fetched.url.query().unwrap_or_default();
        match read::parse(&text, &variables, query)? {
            Playlist::Media(media) => {
                let mut follower = Follower::new(0, self.url.clone(), variables);
                follower.take_playlist(now, fetched.url, media, &mut self.outputs)?;
                self.followers.push(follower);
            }
            Playlist::Multivariant(multivariant) => {
                let chosen = self.choice.of(&multivariant);
                for uri in chosen {
                    let url = join(&fetched.url, uri)?;
                    let number = self.followers.len();
                    let variables = multivariant.variables.clone();
                    self.followers.push(Follower::new(number, url, variables));
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, now: Instant) {
        for follower in &mut self.followers {
            follower.step(now, &mut self.ids, &mut self.outputs);
        }
    }
}

/// A reference of a playlist. Files are named by files alone.
fn join(base: &Url, reference: &str) -> Result<Url, Error> {
    let can_be_fetched = |url: &Url| match is_file(base) {
        true => is_file(url),
        false => matches!(url.scheme(), "http" | "https"),
    };
    let url = base.join(reference).ok();
    let mut url = url.filter(can_be_fetched).ok_or(Error::Reference)?;
    // A whole URL of the same server has no login of its own, and is no less of that server.
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    if is_anonymous && url.origin() == base.origin() {
        // What has a host takes them.
        let _ = url.set_username(base.username());
        let _ = url.set_password(base.password());
    }
    Ok(url)
}

/// Whether it is of this machine, where nothing comes that is not there.
fn is_file(url: &Url) -> bool {
    url.scheme() == "file"
}
