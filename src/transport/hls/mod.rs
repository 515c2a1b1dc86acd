//! A presentation of HLS that is played: what to fetch is [`hls::client`]'s, a `demuxer` reads segments (`segments` those
//! of MP4), and `pace` gives out what is in them as time goes, since segments come at once and are to be seen one picture
//! after the other. Whoever plays one fetches its files; read [`Player`].

mod demuxer;
mod pace;
pub mod segments;

use demuxer::Demuxer;
use hls::client::{Client, Error, Failure, Fetch, Fetched, Output, Piece};
use media::{AccessUnit, Track};
use pace::{Next, Pace};
use std::time::{Duration, Instant};

/// Of each rendition so much waits for its time, and no more bytes than this.
const AHEAD: Duration = Duration::from_secs(6);
const MAX_BYTES: usize = 64 << 20;

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Step {
    /// Fetch this, and say what came ([`Player::handle_fetched`]).
    Fetch(Fetch),
    /// A track is declared, or changes.
    Track(Track),
    /// The time of an access unit has come.
    Unit(AccessUnit),
    /// Something is lost or odd; it goes on.
    Fault(String),
    /// The presentation is over, and all of it was given.
    End,
    /// Nothing until something comes, or until then ([`Player::handle_timeout`]).
    Wait(Option<Instant>),
}

/// From a presentation to access units.
#[derive(Debug)]
pub struct Player {
    client: Client,
    /// One for each rendition.
    demuxers: Vec<Demuxer>,
    pace: Pace,
    has_begun: bool,
    is_over: bool,
}

impl Player {
    /// Plays what the client follows: in its time, or hurried, as fast as it is taken.
    pub fn new(client: Client, is_hurried: bool) -> Self {
        Self {
            client,
            demuxers: Vec::new(),
            pace: Pace::new(is_hurried),
            has_begun: false,
            is_over: false,
        }
    }

    /// Whether it was over before it was looked at, as far as is known.
    pub fn is_recording(&self) -> bool {
        self.client.is_recording()
    }

    /// How long it says it is, if it is a recording.
    pub fn duration(&self) -> Option<Duration> {
        self.client.duration().filter(|_| self.is_recording())
    }

    /// Whether a segment has come.
    pub const fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// What is next.
    pub fn poll(&mut self, now: Instant) -> Step {
        for rendition in 0..self.client.renditions() {
            let (length, bytes) = self.pace.ahead(rendition);
            let is_wanted = length < AHEAD && bytes < MAX_BYTES;
            self.client.set_wanted(now, rendition, is_wanted);
        }
        let timeout = loop {
            match self.client.poll_output() {
                Output::Fetch(fetch) => return Step::Fetch(fetch),
                Output::Piece(piece) => {
                    self.has_begun = true;
                    if let Err(error) = self.read(&piece) {
                        self.lose(piece.rendition);
                        let sequence = piece.sequence;
                        return Step::Fault(format!("segment {sequence} cannot be read: {error}"));
                    }
                }
                Output::Fault(fault) => return Step::Fault(fault),
                Output::End => {
                    self.is_over = true;
                    for rendition in 0..self.demuxers.len() {
                        self.break_off(rendition);
                    }
                }
                Output::Timeout(timeout) => break timeout,
            }
        };
        match self.pace.poll(now, self.is_over) {
            Next::Track(track) => Step::Track(track),
            Next::Unit(unit) => Step::Unit(unit),
            Next::At(_) if self.is_over && self.pace.is_empty() => Step::End,
            Next::At(due) => Step::Wait([timeout, due].into_iter().flatten().min()),
        }
    }

    /// What was to be fetched has come, or cannot be had.
    ///
    /// # Errors
    /// When there is nothing more to be done.
    pub fn handle_fetched(
        &mut self,
        now: Instant,
        id: u64,
        answer: Result<Fetched, Failure>,
    ) -> Result<(), Error> {
        self.client.handle_fetched(now, id, answer)
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
    }

    /// What of its transport streams is lost, in words.
    pub fn losses(&self) -> impl Iterator<Item = String> {
        self.demuxers.iter().flat_map(Demuxer::losses)
    }

    /// What is in a piece goes to where it waits for its time.
    fn read(&mut self, piece: &Piece) -> Result<(), String> {
        let count = self.client.renditions();
        self.pace.set_renditions(count);
        // Sound that comes apart takes the place of what the pictures bring.
        let is_muted = |number: usize| number == 0 && count > 1;
        let known = self.demuxers.len();
        self.demuxers
            .extend((known..count).map(|number| Demuxer::new(is_muted(number))));
        let number = piece.rendition;
        if piece.discontinuity {
            self.break_off(number);
        } else if piece.lost {
            self.lose(number);
        }
        let (Some(demuxer), pace) = (self.demuxers.get_mut(number), &mut self.pace) else {
            return Ok(());
        };
        demuxer.push(piece, &mut |item| pace.push(number, item))
    }

    /// Something of a rendition is missing. The other goes on, and so do the times of both.
    fn lose(&mut self, number: usize) {
        let pace = &mut self.pace;
        if let Some(demuxer) = self.demuxers.get_mut(number) {
            demuxer.lose(&mut |item| pace.push(number, item));
        }
    }

    /// What follows of a rendition does not go on.
    fn break_off(&mut self, number: usize) {
        let pace = &mut self.pace;
        if let Some(demuxer) = self.demuxers.get_mut(number) {
            demuxer.break_off(&mut |item| pace.push(number, item));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::demuxer::tests::segment;
    use super::*;
    use bytes::Bytes;
    use hls::client::Choice;
    use url::Url;

    #[test]
    fn what_is_lost_takes_its_time() {
        let playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n0\n\
            #EXT-X-GAP\n#EXTINF:4,\n1\n#EXTINF:4,\n2\n#EXT-X-ENDLIST\n";
        let url = Url::parse("http://host/main.m3u8").unwrap();
        let mut player = Player::new(Client::new(url, Choice::default()), false);
        let begun = Instant::now();
        let (mut now, mut given) = (begun, Vec::new());
        loop {
            match player.poll(now) {
                Step::Fetch(fetch) => {
                    let body = match fetch.url.path() {
                        "/0" => segment(0),
                        "/2" => segment(8 * 90_000),
                        _ => Bytes::from_static(playlist.as_bytes()),
                    };
                    let url = fetch.url.clone();
                    let answer = Ok(Fetched { url, body });
                    player.handle_fetched(now, fetch.id, answer).unwrap();
                }
                Step::Track(_) => {}
                Step::Unit(_) => given.push(now - begun),
                Step::Wait(Some(due)) => {
                    now = due;
                    player.handle_timeout(now);
                }
                Step::End => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(given, [Duration::ZERO, Duration::from_secs(8)]);
    }
}
