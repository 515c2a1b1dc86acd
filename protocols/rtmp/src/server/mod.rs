//! The server's side of one connection: one client that publishes or plays one stream.
//!
//! A [`Session`] raises [`Event::Publish`] or [`Event::Play`]; the caller answers with [`Session::accept`] or
//! [`Session::refuse`]. A publisher's media then arrive as events. A player's media do not pass through the
//! session: the caller makes each packet once for all players (chunk size [`PLAY_CHUNK_SIZE`], message stream
//! [`MESSAGE_STREAM`]) and sends it after what `poll_output` gave.

mod commands;
mod connect;
mod event;

pub use connect::{Connect, MAX_NAME};
pub use event::{Event, Refusal, Request};

use crate::Output;
use crate::amf0::Value;
use crate::chunk::Limits;
use crate::enhanced;
use crate::error::Error;
use crate::handshake::Role as HandshakeRole;
use crate::link::{Incoming, Link, MAX_DATA};
use crate::message::{Command, Message, UserControl, status};
use crate::wire::cut;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Chunk size of everything sent to a player once it is accepted, in bytes.
pub const PLAY_CHUNK_SIZE: u32 = 65_536;
/// The message stream of every client. A connection carries one stream, so that `createStream` has one
/// answer and a packet fits all players.
pub const MESSAGE_STREAM: u32 = 1;

/// Chunk size of the answers before a player is accepted, in bytes.
const CHUNK_SIZE: u32 = 4_096;
/// Most bytes that are kept while a request is unanswered.
const MAX_UNREAD: usize = 256 << 10;
/// Longest description of a refusal, in bytes.
const MAX_DESCRIPTION: usize = 1_024;
/// What a client may make the reader hold before it has connected.
const LIMITS_BEFORE_CONNECT: Limits = Limits {
    max_message: 64 << 10,
    max_chunk_streams: 8,
    max_held: 128 << 10,
};

/// How a session behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the client may make the session hold once it has connected.
    pub limits: Limits,
    /// Time from the start, a refusal or the end of a stream to the next request to publish or play.
    /// Default 10 s.
    pub request_timeout: Duration,
    /// A player from which nothing has come for this long is pinged. Default 20 s.
    pub ping_after: Duration,
    /// A player from which nothing has come for this long is given up. Default 60 s.
    pub silence_timeout: Duration,
    /// Makes the handshake's random bytes; should differ between connections, need not be secret.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            request_timeout: Duration::from_secs(10),
            ping_after: Duration::from_secs(20),
            silence_timeout: Duration::from_secs(60),
            seed: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Publisher,
    Player,
}

/// What the client is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing, or what comes before.
    Idle,
    /// Waiting for the caller's answer.
    Asking(Role, u32),
    /// Publishing or playing on this message stream.
    Active(Role, u32),
}

/// One client's connection. Drain [`poll_output`](Self::poll_output) after every other call.
#[derive(Debug)]
pub struct Session {
    config: Config,
    link: Link,
    events: VecDeque<Event>,
    /// Data messages that have come since all events were taken.
    data_waiting: usize,
    connect: Option<Connect>,
    stage: Stage,
    /// Input that came while a request was unanswered.
    unread: Vec<u8>,
    request_deadline: Option<Instant>,
    last_input: Instant,
    pinged: bool,
}

impl Session {
    /// A session on a connection that has just been accepted.
    pub fn new(now: Instant, config: Config) -> Self {
        Self {
            link: Link::new(HandshakeRole::Server, config.seed, LIMITS_BEFORE_CONNECT),
            events: VecDeque::new(),
            data_waiting: 0,
            connect: None,
            stage: Stage::Idle,
            unread: Vec::new(),
            request_deadline: now.checked_add(config.request_timeout),
            last_input: now,
            pinged: false,
            config,
        }
    }

    /// Takes received bytes. While a request is unanswered at most 256 KiB are kept; it is
    /// better not to read from the connection then. Events are queued: a call with some tens of kilobytes
    /// keeps the queue short.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Error> {
        self.last_input = now;
        self.pinged = false;
        self.process(now, bytes)
    }

    /// To be called at the instant of [`Output::Timeout`]; earlier calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self
            .request_deadline
            .is_some_and(|deadline| deadline <= now)
        {
            let what = match (&self.connect, self.link.is_open()) {
                (Some(_), _) => "publish or play",
                (None, true) => "connect",
                (None, false) => "the handshake",
            };
            return Err(Error::Timeout { what });
        }
        let silence = now.saturating_duration_since(self.last_input);
        if self.is_playing() && silence >= self.config.silence_timeout {
            let what = "any sign of life from the player";
            return Err(Error::Timeout { what });
        }
        if self.is_playing() && silence >= self.config.ping_after && !self.pinged {
            self.pinged = true;
            self.link.user_control(UserControl::PingRequest(0));
        }
        Ok(())
    }

    /// The next output; [`Output::Timeout`] when there is no more.
    pub fn poll_output(&mut self) -> Output<Event> {
        if let Some(bytes) = self.link.transmit() {
            return Output::Transmit(bytes);
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        self.data_waiting = 0;
        // Room for what came at once is not kept: there are many connections.
        self.events = VecDeque::new();
        let silence = match (self.is_playing(), self.pinged) {
            (false, _) => None,
            (true, false) => self.last_input.checked_add(self.config.ping_after),
            (true, true) => self.last_input.checked_add(self.config.silence_timeout),
        };
        Output::Timeout(self.request_deadline.or(silence))
    }

    /// Grants the request, and goes on with input that came after it. Does nothing without a request.
    pub fn accept(&mut self, now: Instant) -> Result<(), Error> {
        let Stage::Asking(role, stream) = self.stage else {
            return Ok(());
        };
        self.stage = Stage::Active(role, stream);
        // A request may have waited long for its answer; silence counts from here.
        self.last_input = now;
        self.pinged = false;
        if role == Role::Player {
            self.link.set_chunk_size(PLAY_CHUNK_SIZE);
        }
        self.link.user_control(UserControl::StreamBegin(stream));
        match role {
            Role::Publisher => {
                self.status(stream, "NetStream.Publish.Start", "Publishing.");
            }
            Role::Player => {
                self.status(stream, "NetStream.Play.Reset", "Playing and resetting.");
                self.status(stream, "NetStream.Play.Start", "Started playing.");
                let access = vec!["|RtmpSampleAccess".into(), true.into(), true.into()];
                self.link.send(stream, &Message::Data(access));
            }
        }
        self.resume(now)
    }

    /// Refuses the request, with a description in words of which 1,024 bytes are sent. The client may ask
    /// again; clients usually close. Does nothing without a request.
    pub fn refuse(
        &mut self,
        now: Instant,
        refusal: Refusal,
        description: &str,
    ) -> Result<(), Error> {
        let Stage::Asking(role, stream) = self.stage else {
            return Ok(());
        };
        let code = match (role, refusal) {
            (Role::Publisher, Refusal::Denied) => "NetStream.Publish.Denied",
            (Role::Publisher, _) => "NetStream.Publish.BadName",
            (Role::Player, Refusal::Denied) => "NetStream.Play.Failed",
            (Role::Player, _) => "NetStream.Play.StreamNotFound",
        };
        let description = cut(description, MAX_DESCRIPTION);
        let status = Command::on_status("error", code, description);
        self.link.command(stream, status);
        self.idle(now);
        self.resume(now)
    }

    /// Tells the client that its stream is over: a player that nothing more will come, a publisher that
    /// nothing more is taken. Close the connection once this is sent.
    pub fn end(&mut self, now: Instant) {
        match self.stage {
            Stage::Active(Role::Player, stream) => {
                self.link.user_control(UserControl::StreamEof(stream));
                let code = "NetStream.Play.UnpublishNotify";
                self.status(stream, code, "The stream is over.");
                self.status(stream, "NetStream.Play.Stop", "Stopped playing.");
            }
            Stage::Active(Role::Publisher, stream) => {
                let code = "NetStream.Unpublish.Success";
                self.status(stream, code, "The server ended the stream.");
            }
            Stage::Idle | Stage::Asking(..) => return,
        }
        self.idle(now);
    }

    /// Asks the client to connect once more, to `tc_url` where that is given, while this connection still works
    /// (Enhanced RTMP, "Reconnect Request"). False where the client has not said that it understands.
    pub fn request_reconnect(&mut self, tc_url: Option<&str>, description: &str) -> bool {
        let understood = |connect: &Connect| connect.caps_ex & enhanced::RECONNECT != 0;
        if !self.connect.as_ref().is_some_and(understood) {
            return false;
        }
        let description = cut(description, MAX_DESCRIPTION);
        let mut information = status("status", enhanced::RECONNECT_REQUEST, description);
        if let (Value::Object(properties), Some(tc_url)) = (&mut information, tc_url) {
            properties.push(("tcUrl".to_owned(), cut(tc_url, MAX_NAME).into()));
        }
        self.link
            .command(0, Command::new("onStatus", 0.0, vec![information]));
        true
    }

    /// Memory held for incomplete or unanswered input and for output that has not been fetched, in bytes;
    /// queued events are not counted.
    pub fn held_bytes(&self) -> usize {
        self.link.held_bytes() + self.unread.len()
    }

    const fn is_playing(&self) -> bool {
        matches!(self.stage, Stage::Active(Role::Player, _))
    }

    fn idle(&mut self, now: Instant) {
        self.stage = Stage::Idle;
        self.request_deadline = now.checked_add(self.config.request_timeout);
    }

    fn status(&mut self, stream: u32, code: &str, description: &str) {
        let status = Command::on_status("status", code, description);
        self.link.command(stream, status);
    }

    fn resume(&mut self, now: Instant) -> Result<(), Error> {
        let unread = std::mem::take(&mut self.unread);
        self.process(now, &unread)
    }

    fn process(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Error> {
        let mut input = bytes;
        while !matches!(self.stage, Stage::Asking(..)) {
            let Some(incoming) = self.link.receive(&mut input)? else {
                return Ok(());
            };
            self.take(now, incoming)?;
        }
        let limit = MAX_UNREAD;
        if self.unread.len().saturating_add(input.len()) > limit {
            return Err(Error::TooEager { limit });
        }
        self.unread.extend_from_slice(input);
        Ok(())
    }

    fn take(&mut self, now: Instant, incoming: Incoming) -> Result<(), Error> {
        let Incoming { header, message } = incoming;
        let timestamp = header.timestamp;
        let publishing = matches!(self.stage, Stage::Active(Role::Publisher, _));
        match message {
            Message::Command(command) => return self.command(now, header.message_stream, &command),
            Message::Audio(payload) if publishing && !payload.is_empty() => {
                self.events.push_back(Event::Audio { timestamp, payload });
            }
            Message::Video(payload) if publishing && !payload.is_empty() => {
                self.events.push_back(Event::Video { timestamp, payload });
            }
            Message::Data(_) if publishing && self.data_waiting >= MAX_DATA => {}
            Message::Data(mut values) if publishing => {
                if values.first().and_then(Value::as_str) == Some("@setDataFrame") {
                    values.remove(0);
                }
                self.data_waiting += 1;
                self.events.push_back(Event::Data { timestamp, values });
            }
            Message::UserControl(UserControl::SetBufferLength { millis, .. }) => {
                self.events.push_back(Event::BufferLength(millis));
            }
            _ => {}
        }
        Ok(())
    }
}
