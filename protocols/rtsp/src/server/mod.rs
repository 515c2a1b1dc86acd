//! The server's side of one connection: one client that plays or records one stream.
//!
//! A [`Session`] raises [`Event::Describe`] or [`Event::Announce`], and the caller offers, accepts, challenges or
//! refuses; then [`Event::Play`] or [`Event::Record`]. What a client records arrives as [`Event::Packet`], but
//! for datagrams. What a client plays does not pass through the session: the caller sends each packet behind a
//! [`frame_header`](crate::frame_header), after what `poll_output` gave, or in datagrams to the address of
//! the connection's far end and no other.
//!
//! A session belongs to its connection: its identifier is of no use on another.

mod event;
mod replies;
mod requests;
mod setup;
#[cfg(test)]
mod tests;

pub use event::{Access, Config, Event, Group, Offer, Start, Track};

use crate::Output;
use crate::auth::{Authorization, Denied, Guard};
use crate::carriage::Carriage;
use crate::error::Error;
use crate::message::{HeadError, Message, Request, Response, Status};
use crate::reader::{Incoming, ReadError, Reader};
use crate::tunnel::Decoder;
use sdp::Description;
use std::collections::VecDeque;
use std::time::Instant;

/// Most bytes that are kept while a request is unanswered.
const MAX_UNREAD: usize = 256 << 10;

/// What the session has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No track is set up.
    Init,
    /// Tracks are set up, and stand still.
    Ready,
    Playing,
    Recording,
    /// Nothing more is read.
    Over,
}

/// What the caller has been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Describe,
    /// As `Describe`, for a client that sets up a track of a stream that it has not asked about.
    SetUp,
    Announce,
    Play,
    Record,
}

/// The stream that the client plays or records.
#[derive(Debug)]
struct Stream {
    /// Its URL, without a slash at its end.
    url: String,
    description: Description,
    ssrcs: Vec<u32>,
    groups: Vec<Group>,
    /// The client sends it.
    recorded: bool,
}

/// One client's connection. Drain [`poll_output`](Self::poll_output) after every other call.
#[derive(Debug)]
pub struct Session {
    config: Config,
    reader: Reader,
    /// What is around the input, if something is.
    decoder: Option<Decoder>,
    guard: Guard,
    out: Vec<u8>,
    events: VecDeque<Event>,
    stage: Stage,
    asking: Option<(Question, Request)>,
    stream: Option<Stream>,
    tracks: Vec<Track>,
    /// Number of sessions that have been on the connection.
    sessions: u64,
    /// A request has come.
    seen: bool,
    last_sign: Instant,
}

impl Session {
    /// A session on a connection that has just been accepted.
    pub fn new(now: Instant, config: Config) -> Self {
        Self {
            reader: Reader::default(),
            decoder: config.is_tunnel.then(Decoder::default),
            guard: Guard::new(&config.realm, config.random),
            out: Vec::new(),
            events: VecDeque::new(),
            stage: Stage::Init,
            asking: None,
            stream: None,
            tracks: Vec::new(),
            sessions: 0,
            seen: false,
            last_sign: now,
            config,
        }
    }

    /// Takes received bytes. While a request is unanswered at most 256 KiB are kept; it is better not to read
    /// from the connection then. Events are queued: a call with some tens of kilobytes keeps the queue short.
    ///
    /// # Errors
    /// What the client did that is not RTSP. It is told, in what `poll_output` gives.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Error> {
        if self.stage == Stage::Over {
            return Ok(());
        }
        match self.decoder.as_mut().map(|decoder| decoder.decode(bytes)) {
            None => self.reader.push(bytes),
            Some(Ok(bytes)) => self.reader.push(&bytes),
            Some(Err(error)) => {
                self.stage = Stage::Over;
                return Err(error.into());
            }
        }
        self.process(now)
    }

    /// To be called at the instant of [`Output::Timeout`]; earlier calls do nothing.
    ///
    /// # Errors
    /// What the client did not do in time.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        let what = if self.seen {
            "a sign of the client"
        } else {
            "the first request"
        };
        self.stage = Stage::Over;
        let what = what.to_owned();
        Err(Error::Timeout { what })
    }

    /// The next output; [`Output::Timeout`] when there is no more.
    pub fn poll_output(&mut self) -> Output<Event> {
        if !self.out.is_empty() {
            return Output::Transmit(std::mem::take(&mut self.out).into());
        }
        match self.events.pop_front() {
            Some(event) => Output::Event(event),
            None => {
                // Room for what came at once is not kept: there are many connections.
                self.events = VecDeque::new();
                Output::Timeout(self.deadline())
            }
        }
    }

    /// A datagram came from the client: it is there.
    pub const fn alive(&mut self, now: Instant) {
        self.last_sign = now;
    }

    /// Whether the request that the caller has been asked about proves that its user has this password.
    ///
    /// # Errors
    /// Why it does not; [`challenge`](Self::challenge) then tells the client.
    pub fn verify(&self, now: Instant, user: &str, password: &str) -> Result<(), Denied> {
        let (_, request) = self.asking.as_ref().ok_or(Denied::Missing)?;
        let authorization = authorization(request);
        let user = (user, password);
        self.guard
            .check(now, request.method.name(), authorization.as_ref(), user)
    }

    /// User and password of the request that the caller has been asked about, where they are told as they are.
    pub fn told(&self) -> Option<(String, String)> {
        let (_, request) = self.asking.as_ref()?;
        authorization(request)?.told()
    }

    /// Bytes that were nothing of RTSP and have been passed over.
    pub const fn skipped(&self) -> u64 {
        self.reader.skipped()
    }

    /// Memory held for incomplete or unanswered input and for output that has not been fetched, in bytes;
    /// queued events are not counted.
    pub fn held_bytes(&self) -> usize {
        self.reader.held_bytes() + self.out.len()
    }

    /// Until when something has to come.
    fn deadline(&self) -> Option<Instant> {
        let limit = match self.stage {
            Stage::Over => return None,
            // Whoever does not answer in time is not the client.
            _ if self.asking.is_some() => return None,
            Stage::Playing if self.is_interleaved() => return None,
            _ if self.seen => self.config.session_timeout,
            _ => self.config.first_timeout,
        };
        self.last_sign.checked_add(limit)
    }

    /// Whether all tracks go over the connection.
    fn is_interleaved(&self) -> bool {
        let mut tracks = self.tracks.iter();
        tracks.all(|track| matches!(track.carriage, Carriage::Tcp { .. }))
    }

    fn process(&mut self, now: Instant) -> Result<(), Error> {
        while self.asking.is_none() && self.stage != Stage::Over {
            let incoming = match self.reader.pull() {
                Ok(Some(incoming)) => incoming,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.stage = Stage::Over;
                    self.say_what_is_wrong(&error);
                    return Err(error.into());
                }
            };
            self.seen = true;
            self.last_sign = now;
            match incoming {
                // A packet has a header.
                Incoming::Frame(frame) if frame.payload.is_empty() => {}
                Incoming::Frame(frame) => {
                    let mut tracks = self.tracks.iter();
                    let found = tracks.find_map(|track| {
                        Some((track.section, track.carriage.takes(frame.channel)?))
                    });
                    if let Some((section, control)) = found {
                        let payload = frame.payload;
                        self.events.push_back(Event::Packet {
                            section,
                            control,
                            payload,
                        });
                    }
                }
                Incoming::Message(Message::Request(request)) => self.request(now, request),
                // Nothing is asked of clients.
                Incoming::Message(Message::Response(_)) => {}
            }
        }
        let limit = MAX_UNREAD;
        if self.reader.unread_bytes() > limit {
            self.stage = Stage::Over;
            return Err(Error::TooEager { limit });
        }
        Ok(())
    }

    /// A last word to whoever does not speak RTSP.
    fn say_what_is_wrong(&mut self, error: &ReadError) {
        if matches!(error, ReadError::NotRtsp(HeadError::Http)) {
            let text = "This is a port for RTSP.\n";
            let length = text.len();
            let head = format!(
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n"
            );
            self.out.extend_from_slice(head.as_bytes());
            self.out.extend_from_slice(text.as_bytes());
            return;
        }
        let status = match error {
            ReadError::NotRtsp(HeadError::Version) => Status::VERSION_NOT_SUPPORTED,
            _ => Status::BAD_REQUEST,
        };
        Response::new(status).write(&mut self.out);
    }
}

/// What a request says to prove who its sender is.
fn authorization(request: &Request) -> Option<Authorization> {
    Authorization::parse(request.headers.get("Authorization")?)
}
