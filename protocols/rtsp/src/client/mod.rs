//! The client's side of one connection: plays one stream of a server, or records one to it.
//!
//! A [`Session`] asks by itself. To play ([`Session::play`]) it raises [`Event::Described`], takes the caller's
//! choice ([`Session::setup`]), raises [`Event::SetUp`] for each track and then [`Event::Playing`]. To record
//! ([`Session::record`]) description and choice are given at the start. To be heard at a camera one plays too, with
//! [`Config::back_channel`]: what is set up then is a section of [`speakers`]. It proves who it is when it is asked,
//! keeps the session alive, and answers what the server asks.

mod answers;
mod config;
mod requests;
mod speakers;
#[cfg(test)]
mod tests;

pub use config::{Choice, Config, Event, Wanted};
pub use speakers::speakers;

use crate::Output;
use crate::auth::Login;
use crate::carriage::Carriage;
use crate::error::Error;
use crate::header::SESSION_TIMEOUT;
use crate::message::{Message, Method, Request};
use crate::reader::{Frame, Incoming, Reader};
use sdp::Description;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long the rest of a body is waited for once nothing comes: some servers announce more than they send.
const BODY_PATIENCE: Duration = Duration::from_secs(2);

/// Most tracks of a session: each takes two channels.
pub const MAX_TRACKS: usize = 32;

/// Most requests that wait for their answers: one, and signs of life.
const MAX_PENDING: usize = 8;

/// What the session has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Up to the description.
    Asking,
    /// Waiting for the caller's choice.
    Choosing,
    /// Setting up the track of this number.
    SettingUp(usize),
    /// Waiting for the server to begin.
    Starting,
    Active,
    Pausing,
    Paused,
    Over,
}

/// A request that has not been answered.
#[derive(Debug)]
struct Pending {
    cseq: u32,
    request: Request,
    /// How many challenges it has answered.
    answers: u8,
    /// When it is given up; a sign of life alone is not missed.
    deadline: Option<Instant>,
}

#[derive(Debug)]
struct Track {
    /// Of the description.
    section: usize,
    url: String,
    wanted: Wanted,
    carriage: Option<Carriage>,
}

/// One connection to a server. Drain [`poll_output`](Self::poll_output) after every other call.
#[derive(Debug)]
pub struct Session {
    config: Config,
    reader: Reader,
    login: Login,
    out: Vec<u8>,
    events: VecDeque<Event>,
    pending: VecDeque<Pending>,
    stage: Stage,
    /// What is recorded, and how; `None` to play.
    recording: Option<(Description, Vec<Choice>)>,
    /// What the stream consists of.
    description: Option<Description>,
    /// To which URL controls are relative.
    base: String,
    /// The whole is asked for without the slash at the end of that.
    without_slash: bool,
    /// What the server calls itself; empty where it does not.
    server: String,
    /// The challenge is one of another connection.
    is_second: bool,
    tracks: Vec<Track>,
    /// Packets of each track go on the connection, whatever was wanted.
    fallback: bool,
    cseq: u32,
    session: Option<String>,
    session_timeout: Duration,
    /// What the server says it can do.
    public: String,
    /// The server does not take GET_PARAMETER, whatever it says.
    plain_signs: bool,
    keep_alive: Option<Instant>,
    last_input: Instant,
}

impl Session {
    /// A session that plays, on a connection that has just been made.
    pub fn play(now: Instant, config: Config) -> Self {
        let mut session = Self::new(now, config);
        session.send(now, Method::Options);
        session
    }

    /// A session that records what is described, each of `choices` on a track of its own, on a connection that
    /// has just been made.
    pub fn record(
        now: Instant,
        config: Config,
        description: Description,
        choices: Vec<Choice>,
    ) -> Self {
        let mut session = Self::new(now, config);
        session.recording = Some((description, choices));
        session.send(now, Method::Options);
        session
    }

    fn new(now: Instant, config: Config) -> Self {
        Self {
            reader: Reader::default(),
            login: Login::new(config.credentials.clone(), config.random),
            out: Vec::new(),
            events: VecDeque::new(),
            pending: VecDeque::new(),
            stage: Stage::Asking,
            recording: None,
            description: None,
            base: config.url.clone(),
            without_slash: false,
            server: String::new(),
            is_second: false,
            tracks: Vec::new(),
            fallback: false,
            cseq: 0,
            session: None,
            session_timeout: SESSION_TIMEOUT,
            public: String::new(),
            plain_signs: false,
            keep_alive: None,
            last_input: now,
            config,
        }
    }

    /// Takes received bytes. Events are queued: a call with some tens of kilobytes keeps the queue short.
    ///
    /// # Errors
    /// What the server did that is not RTSP.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Error> {
        self.last_input = now;
        self.reader.push(bytes);
        self.read(now)
    }

    /// Takes what is whole of what has come.
    fn read(&mut self, now: Instant) -> Result<(), Error> {
        while let Some(incoming) = self.reader.pull()? {
            match incoming {
                Incoming::Frame(frame) => {
                    let found = self.track_of(&frame);
                    if let Some((track, control)) = found.filter(|_| self.stage != Stage::Over) {
                        let payload = frame.payload;
                        self.events.push_back(Event::Packet {
                            track,
                            control,
                            payload,
                        });
                    }
                }
                Incoming::Message(message) => self.take(now, message)?,
            }
        }
        Ok(())
    }

    /// To be called at the instant of [`Output::Timeout`]; earlier calls do nothing.
    ///
    /// # Errors
    /// What the server did not answer in time.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        while self.body_deadline().is_some_and(|deadline| deadline <= now)
            && let Some(message) = self.reader.finish_body()
        {
            self.take(now, message)?;
            // What was taken for a body may have had more behind it.
            self.read(now)?;
        }
        let mut pending = self.pending.iter();
        let late = pending.find(|pending| pending.deadline.is_some_and(|at| at <= now));
        if let Some(late) = late {
            let what = format!("the server's answer to {}", late.request.method);
            self.over();
            return Err(Error::Timeout { what });
        }
        if self.keep_alive.is_some_and(|at| at <= now) {
            self.send_sign_of_life(now);
        }
        Ok(())
    }

    /// The next output; [`Output::Timeout`] when there is no more.
    pub fn poll_output(&mut self) -> Output<Event> {
        if !self.out.is_empty() {
            return Output::Transmit(std::mem::take(&mut self.out).into());
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        let answers = self.pending.iter().filter_map(|pending| pending.deadline);
        let others = [self.keep_alive, self.body_deadline()];
        Output::Timeout(answers.chain(others.into_iter().flatten()).min())
    }

    /// Sets up these tracks and plays them. Does nothing but after [`Event::Described`]; sections that are not
    /// there and tracks beyond [`MAX_TRACKS`] are left out; without any track the session is over.
    pub fn setup(&mut self, now: Instant, choices: &[Choice]) {
        if self.stage == Stage::Choosing {
            self.choose(now, choices);
        }
    }

    /// Asks the server to send no more for now. Does nothing unless it sends.
    pub fn pause(&mut self, now: Instant) {
        if self.stage == Stage::Active && self.recording.is_none() {
            self.stage = Stage::Pausing;
            self.send(now, Method::Pause);
        }
    }

    /// Asks the server to send again. Does nothing unless it was paused.
    pub fn resume(&mut self, now: Instant) {
        if self.stage == Stage::Paused {
            self.stage = Stage::Starting;
            self.send(now, Method::Play);
        }
    }

    /// Tells the server in order that the session is over. Close the connection once this is sent.
    pub fn teardown(&mut self, now: Instant) {
        if self.session.is_some() && self.stage != Stage::Over {
            self.send(now, Method::Teardown);
        }
        self.over();
    }

    /// How a track is carried; `None` before that is agreed on. What goes over the connection goes behind a
    /// [`frame_header`](crate::frame_header) of its channel, after what `poll_output` gave.
    pub fn carriage(&self, track: usize) -> Option<Carriage> {
        self.tracks.get(track)?.carriage
    }

    /// What the server calls itself, at most 100 characters; empty where it does not.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The session for another connection to the same place, if the server closed this one behind a challenge, as some
    /// do: it answers that challenge from the beginning. Only once.
    pub fn again(&self, now: Instant) -> Option<Self> {
        let mut pending = self.pending.iter();
        let is_answer = pending.any(|pending| pending.answers > 0);
        if !is_answer || self.stage != Stage::Asking || self.is_second {
            return None;
        }
        let mut session = Self::new(now, self.config.clone());
        session.login = self.login.clone();
        session.recording = self.recording.clone();
        session.is_second = true;
        session.send(now, Method::Options);
        Some(session)
    }

    /// Bytes that were nothing of RTSP and have been passed over.
    pub const fn skipped(&self) -> u64 {
        self.reader.skipped()
    }

    /// Memory held for incomplete input and for output that has not been fetched, in bytes; queued events are
    /// not counted.
    pub fn held_bytes(&self) -> usize {
        self.reader.held_bytes() + self.out.len()
    }

    fn take(&mut self, now: Instant, message: Message) -> Result<(), Error> {
        match message {
            Message::Response(response) if self.stage != Stage::Over => self.answer(now, &response),
            Message::Response(_) => Ok(()),
            Message::Request(request) => {
                self.serve(&request);
                Ok(())
            }
        }
    }

    /// Which track a frame is of, and whether it is RTCP. Servers tell the same channels for all tracks, and use others
    /// than they told: then it is the format that counts, or what was asked for.
    fn track_of(&self, frame: &Frame) -> Option<(usize, bool)> {
        let tracks = self.tracks.iter().enumerate();
        let mut claims = tracks.filter_map(|(track, known)| {
            let control = known.carriage?.takes(frame.channel)?;
            Some((track, control))
        });
        let Some(first) = claims.next() else {
            let asked = usize::from(frame.channel / 2);
            let is_tcp = matches!(self.carriage(asked), Some(Carriage::Tcp { .. }));
            return is_tcp.then_some((asked, frame.channel % 2 == 1));
        };
        let Some(second) = claims.next() else {
            return Some(first);
        };
        let payload_type = frame.payload.get(1).map(|byte| byte & 0x7f);
        let mut all = [first, second].into_iter().chain(claims);
        let fits = all.find(|(track, control)| !control && self.describes(*track, payload_type));
        fits.or(Some(first))
    }

    /// Whether the section of a track has a format of this number.
    fn describes(&self, track: usize, payload_type: Option<u8>) -> bool {
        let section = self.tracks.get(track).map(|track| track.section);
        let media = self
            .description
            .as_ref()
            .map(|description| &description.media);
        let section = section.and_then(|section| media?.get(section));
        section.is_some_and(|section| {
            let mut formats = section.formats.iter();
            formats.any(|format| Some(format.payload_type) == payload_type)
        })
    }

    fn body_deadline(&self) -> Option<Instant> {
        let waits = self.reader.awaits_body() && self.stage != Stage::Over;
        self.last_input.checked_add(BODY_PATIENCE).filter(|_| waits)
    }

    fn over(&mut self) {
        self.stage = Stage::Over;
        self.pending.clear();
        self.keep_alive = None;
    }

    fn end(&mut self, event: Event) {
        if self.stage != Stage::Over {
            self.over();
            self.events.push_back(event);
        }
    }
}
