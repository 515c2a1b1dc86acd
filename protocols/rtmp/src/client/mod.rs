//! The client's side of one connection: publishes or plays one stream on a server.
//!
//! A [`Session`] connects by itself. [`Session::publish`] or [`Session::play`] may be called at once; after
//! [`Event::Publishing`] media are sent as packets made by [`Session::packet`], after what `poll_output` gave.

mod answers;
pub mod auth;
mod config;

pub use config::{Config, Connect, Event};

use crate::amf0::Value;
use crate::chunk::{self, ChunkStreamId, Header, MessageType, Packet, TooLong};
use crate::enhanced;
use crate::error::Error;
use crate::handshake::Role;
use crate::link::{Incoming, Link, MAX_DATA, WINDOW};
use crate::message::{Command, Message, UserControl};
use crate::wire::cut;
use crate::{Output, PublishKind};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Instant;

/// Longest text of [`Connect`] and longest key that is sent, in bytes; longer ones are cut.
pub const MAX_TEXT: usize = 16_384;
/// How much a player says it buffers.
const BUFFER_MILLIS: u32 = 3_000;
/// The start argument of `play` for a live stream, or a recorded one if there is none (section 7.2.2.1).
/// Clients count it in milliseconds, contrary to the specification, and servers expect it.
const LIVE_OR_RECORDED: f64 = -2_000.0;

/// Numbers of the calls that are answered; each is made once.
mod transaction {
    pub(super) const CONNECT: f64 = 1.0;
    pub(super) const RELEASE_STREAM: f64 = 2.0;
    pub(super) const FC_PUBLISH: f64 = 3.0;
    pub(super) const CREATE_STREAM: f64 = 4.0;
    pub(super) const START: f64 = 5.0;
}

/// A session publishes or plays one stream, and this one had been given one, or was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session already has a stream, or is over")]
pub struct Busy;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Goal {
    Publish(String, PublishKind),
    Play(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Handshake,
    Connecting,
    Connected,
    /// Waiting for a message stream.
    Creating,
    /// Waiting for the server to grant the goal on this message stream.
    Asking(u32),
    Active(u32),
    Over,
}

/// One connection to a server. Drain [`poll_output`](Self::poll_output) after every other call.
#[derive(Debug)]
pub struct Session {
    config: Config,
    connect: Connect,
    link: Link,
    events: VecDeque<Event>,
    /// Data messages that have come since all events were taken.
    data_waiting: usize,
    stage: Stage,
    goal: Option<Goal>,
    deadline: Option<Instant>,
    /// What of Enhanced RTMP the server says that it can handle.
    server_caps_ex: u32,
    server_four_ccs: Vec<String>,
}

impl Session {
    /// A session on a connection that has just been made.
    pub fn new(now: Instant, config: Config, connect: Connect) -> Self {
        Self {
            link: Link::new(Role::Client, config.seed, config.limits),
            events: VecDeque::new(),
            data_waiting: 0,
            stage: Stage::Handshake,
            goal: None,
            deadline: now.checked_add(config.timeout),
            connect,
            config,
            server_caps_ex: 0,
            server_four_ccs: Vec::new(),
        }
    }

    /// Takes received bytes. Events are queued: a call with some tens of kilobytes keeps the queue short.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Error> {
        let mut input = bytes;
        loop {
            let incoming = self.link.receive(&mut input)?;
            if self.stage == Stage::Handshake && self.link.is_open() {
                self.send_connect();
            }
            match incoming {
                Some(incoming) => self.take(now, incoming)?,
                None => return Ok(()),
            }
        }
    }

    /// To be called at the instant of [`Output::Timeout`]; earlier calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        let what = match self.stage {
            Stage::Handshake => "the server's handshake",
            Stage::Connecting => "the server's answer to connect",
            Stage::Creating => "the server's answer to createStream",
            _ => "the server to start the stream",
        };
        Err(Error::Timeout { what })
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
        Output::Timeout(self.deadline)
    }

    /// Asks to publish the stream `key`, as soon as the session is connected.
    pub fn publish(&mut self, now: Instant, key: &str, kind: PublishKind) -> Result<(), Busy> {
        let key = cut(key, MAX_TEXT).to_owned();
        self.ask(now, Goal::Publish(key, kind))
    }

    /// Asks to play the stream `key`, as soon as the session is connected.
    pub fn play(&mut self, now: Instant, key: &str) -> Result<(), Busy> {
        self.ask(now, Goal::Play(cut(key, MAX_TEXT).to_owned()))
    }

    /// A message for the server: `prefix` and `payload` in one, of type audio, video or data. The payload is
    /// not copied.
    pub fn packet(
        &self,
        message_type: MessageType,
        timestamp: u32,
        prefix: &[u8],
        payload: &Bytes,
    ) -> Result<Packet, TooLong> {
        let header = Header {
            chunk_stream: match message_type {
                MessageType::AUDIO => ChunkStreamId::AUDIO,
                MessageType::VIDEO => ChunkStreamId::VIDEO,
                _ => ChunkStreamId::DATA,
            },
            timestamp,
            message_type,
            message_stream: self.message_stream(),
        };
        chunk::packet(&header, prefix, payload, self.link.chunk_size())
    }

    /// Sends metadata, usually `onMetaData` and an object, for the server to keep for its players.
    pub fn set_data_frame(&mut self, values: Vec<Value>) -> Result<(), TooLong> {
        let mut frame = vec!["@setDataFrame".into()];
        frame.extend(values);
        self.link
            .try_send(self.message_stream(), &Message::Data(frame))
    }

    /// Tells the server in order that the stream is over. Close the connection once this is sent.
    pub fn stop(&mut self) {
        if let Stage::Asking(stream) | Stage::Active(stream) = self.stage {
            if let Some(Goal::Publish(key, _)) = &self.goal {
                let command = Command::new("FCUnpublish", 0.0, vec![key.as_str().into()]);
                self.link.command(0, command);
            }
            let number = f64::from(stream).into();
            let command = Command::new("deleteStream", 0.0, vec![number]);
            self.link.command(0, command);
        }
        self.over();
    }

    /// The message stream that the server gave; 0 before it did.
    pub const fn message_stream(&self) -> u32 {
        match self.stage {
            Stage::Asking(stream) | Stage::Active(stream) => stream,
            _ => 0,
        }
    }

    /// What the server says that it can handle of Enhanced RTMP (see [`enhanced`]); 0 before it did.
    pub const fn server_caps_ex(&self) -> u32 {
        self.server_caps_ex
    }

    /// The codecs of Enhanced RTMP that the server says that it knows, as FourCCs; `*` is any. Empty before it did, and with
    /// most servers after that.
    pub fn server_four_ccs(&self) -> &[String] {
        &self.server_four_ccs
    }

    /// Memory held for incomplete input and for output that has not been fetched, in bytes; queued events
    /// are not counted.
    pub fn held_bytes(&self) -> usize {
        self.link.held_bytes()
    }

    fn ask(&mut self, now: Instant, goal: Goal) -> Result<(), Busy> {
        if self.goal.is_some() || self.stage == Stage::Over {
            return Err(Busy);
        }
        self.goal = Some(goal);
        if self.stage == Stage::Connected {
            self.create_stream(now);
        }
        Ok(())
    }

    fn over(&mut self) {
        self.stage = Stage::Over;
        self.deadline = None;
    }

    fn send_connect(&mut self) {
        let text = |text: &str| Value::from(cut(text, MAX_TEXT));
        let connect = &self.connect;
        let mut properties = vec![("app".to_owned(), text(&connect.app))];
        if matches!(self.goal, Some(Goal::Publish(..))) {
            // What encoders say; some servers treat other clients as players.
            properties.push(("type".to_owned(), "nonprivate".into()));
        }
        properties.push(("flashVer".to_owned(), text(&connect.flash_ver)));
        properties.push(("tcUrl".to_owned(), text(&connect.tc_url)));
        for (name, url) in [("pageUrl", &connect.page_url), ("swfUrl", &connect.swf_url)] {
            if let Some(url) = url {
                properties.push((name.to_owned(), text(url)));
            }
        }
        properties.extend(enhanced::announcement());
        let mut command = Command::new("connect", transaction::CONNECT, Vec::new());
        command.object = Value::Object(properties);
        self.link.command(0, command);
        self.stage = Stage::Connecting;
    }

    fn create_stream(&mut self, now: Instant) {
        self.deadline = now.checked_add(self.config.timeout);
        self.stage = Stage::Creating;
        if let Some(Goal::Publish(key, _)) = &self.goal {
            for (name, transaction) in [
                ("releaseStream", transaction::RELEASE_STREAM),
                ("FCPublish", transaction::FC_PUBLISH),
            ] {
                let command = Command::new(name, transaction, vec![key.as_str().into()]);
                self.link.command(0, command);
            }
        }
        let command = Command::new("createStream", transaction::CREATE_STREAM, Vec::new());
        self.link.command(0, command);
    }

    fn take(&mut self, now: Instant, incoming: Incoming) -> Result<(), Error> {
        let Incoming { header, message } = incoming;
        let timestamp = header.timestamp;
        // Servers send metadata and sequence headers before they say that the stream starts.
        let playing = matches!(self.goal, Some(Goal::Play(_)))
            && matches!(self.stage, Stage::Asking(_) | Stage::Active(_));
        match message {
            Message::Command(command) => return self.command(now, &command),
            Message::Audio(payload) if playing && !payload.is_empty() => {
                self.events.push_back(Event::Audio { timestamp, payload });
            }
            Message::Video(payload) if playing && !payload.is_empty() => {
                self.events.push_back(Event::Video { timestamp, payload });
            }
            Message::Data(_) if playing && self.data_waiting >= MAX_DATA => {}
            Message::Data(values) if playing => {
                self.data_waiting += 1;
                self.events.push_back(Event::Data { timestamp, values });
            }
            Message::UserControl(UserControl::StreamEof(_)) if playing => {
                self.closed(String::new());
            }
            _ => {}
        }
        Ok(())
    }

    fn closed(&mut self, description: String) {
        self.over();
        self.events.push_back(Event::Closed { description });
    }

    /// After the connection is accepted: how we send, and what we want acknowledged.
    fn set_up_link(&mut self) {
        self.link.send(0, &Message::WindowAckSize(WINDOW));
        // What is the default need not be said, and some servers do not want to hear it.
        let chunk_size = self.config.chunk_size.clamp(128, 65_536);
        if chunk_size as usize != self.link.chunk_size() {
            self.link.set_chunk_size(chunk_size);
        }
    }

    fn start(&mut self, stream: u32) {
        self.stage = Stage::Asking(stream);
        let (name, arguments) = match &self.goal {
            Some(Goal::Publish(key, kind)) => {
                ("publish", vec![key.as_str().into(), kind.as_str().into()])
            }
            Some(Goal::Play(key)) => {
                let buffer = UserControl::SetBufferLength {
                    message_stream: stream,
                    millis: BUFFER_MILLIS,
                };
                self.link.user_control(buffer);
                ("play", vec![key.as_str().into(), LIVE_OR_RECORDED.into()])
            }
            None => return,
        };
        let command = Command::new(name, transaction::START, arguments);
        self.link.command(stream, command);
    }
}
