//! One connection: from its handshake to its goodbye.

mod agree;
mod calling;
mod connection;
mod meeting;

#[cfg(test)]
mod tests;

pub(crate) use agree::{answer, hello, judge};
pub(crate) use connection::Agreed;

use crate::handshake::Handshake;
use crate::options::{Options, OptionsError};
use crate::packet::{Body, HEADER_LEN, MAX_PACKET, Packet};
use crate::receive::Message;
use crate::reject::Reject;
use crate::sequence::Sequence;
use crate::stats::Stats;
use crate::timing::micros;
use bytes::Bytes;
use calling::{Calling, Step};
use connection::{Connection, Farewell, REPEAT};
use meeting::Meeting;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Longest message that is taken, in bytes.
pub const MAX_MESSAGE: usize = 64 * 1_316;

/// What a session wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One datagram was appended to the buffer: send it to the peer.
    Transmit,
    /// Something happened.
    Event(Event),
    /// Nothing until there is input, a command, or this instant, at which to call `handle_timeout` and
    /// `read`.
    Timeout(Option<Instant>),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Both ends agree. The latency of what is received and of what is sent.
    Connected {
        /// From a message's origin until [`Session::read`] gives it.
        receive_latency: Duration,
        /// The same at the peer.
        send_latency: Duration,
        /// What is sent and received is encrypted.
        encrypted: bool,
    },
    /// It is over. Nothing follows.
    Closed(CloseReason),
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// [`Session::close`] was called.
    #[error("closed")]
    Local,
    /// The peer said goodbye.
    #[error("the peer closed the connection")]
    Peer,
    /// Nothing came for the idle timeout.
    #[error("the peer is silent")]
    Idle,
    /// There was no connection: one end did not want it.
    #[error("refused: {0}")]
    Rejected(Reject),
    /// The peer's numbers jumped by more than can be waited for.
    #[error("the peer's sequence numbers jumped")]
    Sequence,
}

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Longer than [`MAX_MESSAGE`], or empty.
    #[error("a message has 1 to 84224 bytes, not {0}")]
    Length(usize),
    /// As much waits as may wait; the message is lost.
    #[error("the peer does not take what is sent")]
    Full,
    /// There is no connection yet, or no more.
    #[error("not connected")]
    NotConnected,
}

/// One connection.
pub struct Session {
    start: Instant,
    now: Instant,
    options: Options,
    random: StdRng,
    id: u32,
    initial: Sequence,
    state: State,
    events: VecDeque<Event>,
}

enum State {
    Shaking {
        handshake: Shaking,
        /// The peer's socket, once it is known.
        peer: u32,
        /// When to repeat what was said last.
        again: Instant,
        until: Instant,
    },
    Connected(Box<Connection>),
    Closed,
}

enum Shaking {
    Calling(Calling),
    Meeting(Box<Meeting>),
}

impl Session {
    /// Calls a listener. `seed` has to be random and secret.
    ///
    /// # Errors
    /// When the options cannot be used.
    pub fn caller(now: Instant, options: Options, seed: [u8; 32]) -> Result<Self, OptionsError> {
        Self::shaking(now, options, seed, |_| Shaking::Calling(Calling::Induction))
    }

    /// Meets a peer that calls as well. `seed` has to be random and secret.
    ///
    /// # Errors
    /// When the options cannot be used.
    pub fn rendezvous(
        now: Instant,
        options: Options,
        seed: [u8; 32],
    ) -> Result<Self, OptionsError> {
        Self::shaking(now, options, seed, |random| {
            Shaking::Meeting(Box::new(Meeting::new(random)))
        })
    }

    fn shaking(
        now: Instant,
        options: Options,
        seed: [u8; 32],
        make: impl FnOnce(&mut StdRng) -> Shaking,
    ) -> Result<Self, OptionsError> {
        options.check()?;
        let mut random = StdRng::from_seed(seed);
        let state = State::Shaking {
            handshake: make(&mut random),
            peer: 0,
            again: now,
            until: now + options.connect_timeout,
        };
        Ok(Self {
            start: now,
            now,
            id: socket_id(&mut random),
            initial: Sequence::new(random.random()),
            options,
            random,
            state,
            events: VecDeque::new(),
        })
    }

    /// What a listener makes of a request: connected from the beginning.
    pub(crate) fn accepted(
        now: Instant,
        id: u32,
        options: Options,
        random: StdRng,
        agreed: Agreed,
        response: Handshake,
    ) -> Self {
        let mut session = Self {
            start: now,
            now,
            id,
            // Both directions begin with the caller's number, as libsrt's do.
            initial: agreed.initial,
            options,
            random,
            state: State::Closed,
            events: VecDeque::new(),
        };
        let farewell = Farewell {
            packet: response,
            repeat: None,
        };
        session.connect(agreed, Some(farewell));
        session
    }

    fn connect(&mut self, agreed: Agreed, farewell: Option<Farewell>) {
        let encrypted = agreed.crypto.is_some();
        let random = StdRng::from_rng(&mut self.random);
        let start = self.start;
        let mut connection = Connection::new(
            start,
            self.now,
            self.initial,
            &self.options,
            agreed,
            random,
            farewell,
        );
        connection.say_farewell(self.now);
        let (receive_latency, send_latency) = connection.latency();
        self.events.push_back(Event::Connected {
            receive_latency,
            send_latency,
            encrypted,
        });
        self.state = State::Connected(Box::new(connection));
    }

    /// The number by which the peer calls this connection: the destination of its packets.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Takes a datagram from the peer. What is no packet, or for another socket, is left alone.
    pub fn handle_input(&mut self, now: Instant, datagram: &[u8]) {
        self.now = self.now.max(now);
        let (Ok(packet), true) = (Packet::parse(datagram), datagram.len() <= MAX_PACKET) else {
            return;
        };
        let handshake = matches!(packet.body, Body::Handshake(_));
        if packet.destination != self.id && !(packet.destination == 0 && handshake) {
            return;
        }
        match &mut self.state {
            State::Connected(connection) => {
                connection.handle(
                    self.now,
                    &packet,
                    datagram.get(..HEADER_LEN).unwrap_or_default(),
                );
            }
            State::Shaking { .. } => {
                if let Body::Handshake(bytes) = packet.body
                    && let Ok(handshake) = Handshake::parse(bytes)
                {
                    self.shake(&handshake, packet.timestamp);
                }
            }
            State::Closed => {}
        }
    }

    fn shake(&mut self, packet: &Handshake, timestamp: u32) {
        let State::Shaking {
            handshake,
            peer,
            again,
            ..
        } = &mut self.state
        else {
            return;
        };
        let (own, at) = ((self.id, self.initial), (self.now, timestamp));
        let step = match handshake {
            Shaking::Calling(calling) => {
                calling.handle(packet, &self.options, &mut self.random, own, at)
            }
            Shaking::Meeting(meeting) => {
                meeting.handle(packet, &self.options, &mut self.random, own, at)
            }
        };
        match step {
            Step::Nothing => {}
            Step::Send => {
                // A caller asks for a connection at socket zero until there is one.
                if matches!(handshake, Shaking::Meeting(_)) {
                    *peer = packet.socket;
                }
                *again = self.now;
            }
            Step::Failed(reason) => self.finish(CloseReason::Rejected(reason)),
            Step::Done(agreed) => {
                let farewell = match handshake {
                    // A caller has no last word.
                    Shaking::Calling(_) => None,
                    Shaking::Meeting(meeting) => meeting.farewell.take(),
                };
                let repeat = Some(self.now + REPEAT);
                let farewell = farewell.map(|packet| Farewell { packet, repeat });
                self.connect(*agreed, farewell);
            }
        }
    }

    /// Tells the session that time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        match &mut self.state {
            State::Connected(connection) => {
                if let Some(reason) = connection.handle_timeout(self.now) {
                    self.events.push_back(Event::Closed(reason));
                    // What it has to say last is sent still.
                    connection.closing();
                }
            }
            State::Shaking { until, .. } if *until <= self.now => {
                self.finish(CloseReason::Rejected(Reject::TIMEOUT));
            }
            State::Shaking { .. } | State::Closed => {}
        }
    }

    fn finish(&mut self, reason: CloseReason) {
        self.state = State::Closed;
        self.events.push_back(Event::Closed(reason));
    }

    /// Takes a message to send; it may become several packets. It is shared, not copied.
    ///
    /// # Errors
    /// When it is too long, there is no connection, or the peer does not take what waits already.
    pub fn send(&mut self, now: Instant, message: &Bytes) -> Result<(), SendError> {
        self.now = self.now.max(now);
        if !(1..=MAX_MESSAGE).contains(&message.len()) {
            return Err(SendError::Length(message.len()));
        }
        let State::Connected(connection) = &mut self.state else {
            return Err(SendError::NotConnected);
        };
        if connection.send(self.now, message) {
            Ok(())
        } else {
            Err(SendError::Full)
        }
    }

    /// Gives the next message whose time has come: its bytes are appended to `out`. To be called until there
    /// is none, after input and timeouts.
    pub fn read(&mut self, out: &mut Vec<u8>) -> Option<Message> {
        match &mut self.state {
            State::Connected(connection) => connection.read(self.now, out),
            _ => None,
        }
    }

    /// Ends the connection once all that was sent has arrived and been delivered, or is too late.
    pub fn close(&mut self, now: Instant) {
        self.now = self.now.max(now);
        match &mut self.state {
            State::Connected(connection) => {
                connection.end(self.now, CloseReason::Local);
                self.handle_timeout(now);
            }
            State::Shaking { .. } => self.finish(CloseReason::Local),
            State::Closed => {}
        }
    }

    /// Ends the connection at once: the next output says goodbye.
    pub fn abort(&mut self, now: Instant) {
        self.now = self.now.max(now);
        match &mut self.state {
            State::Connected(connection) => {
                if !connection.closing() {
                    connection.shutdown(self.now);
                    self.events.push_back(Event::Closed(CloseReason::Local));
                }
            }
            State::Shaking { .. } => self.finish(CloseReason::Local),
            State::Closed => {}
        }
    }

    /// What is to be done next. One datagram at most is appended to `out`.
    pub fn poll_output(&mut self, out: &mut Vec<u8>) -> Output {
        match &mut self.state {
            State::Connected(connection) => {
                if connection.poll_transmit(self.now, out) {
                    return Output::Transmit;
                }
            }
            State::Shaking {
                handshake,
                peer,
                again,
                ..
            } if *again <= self.now => {
                *again = self.now + REPEAT;
                let request = match handshake {
                    Shaking::Calling(calling) => {
                        calling.request(&self.options, self.id, self.initial)
                    }
                    Shaking::Meeting(meeting) => {
                        meeting.request(&self.options, self.id, self.initial)
                    }
                };
                let mut bytes = Vec::new();
                request.write(&mut bytes);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "timestamps wrap"
                )]
                let timestamp = micros(self.start, self.now) as u32;
                let body = Body::Handshake(&bytes);
                Packet {
                    timestamp,
                    destination: *peer,
                    body,
                }
                .write(out);
                return Output::Transmit;
            }
            State::Shaking { .. } | State::Closed => {}
        }
        if let Some(event) = self.events.pop_front() {
            if matches!(event, Event::Closed(_)) {
                self.state = State::Closed;
            }
            return Output::Event(event);
        }
        Output::Timeout(match &mut self.state {
            State::Connected(connection) => connection.next_timeout(),
            State::Shaking { again, until, .. } => Some((*again).min(*until)),
            State::Closed => None,
        })
    }

    /// Whether the round trip has been measured: what is lost before is asked for and sent again by a guess.
    pub const fn knows_round_trip(&self) -> bool {
        matches!(&self.state, State::Connected(connection) if connection.knows_round_trip())
    }

    /// What has been counted, while there is a connection.
    pub fn stats(&self) -> Option<Stats> {
        match &self.state {
            State::Connected(connection) => Some(connection.stats()),
            _ => None,
        }
    }
}

/// A socket's number: never zero, and of 30 bits, as libsrt's are.
pub(crate) fn socket_id(random: &mut StdRng) -> u32 {
    random.random_range(1..1 << 30)
}
