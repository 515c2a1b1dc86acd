//! One session at work: datagrams in, from the port or from a socket of its own; datagrams out.

use super::inbox::{Inbox, Waiting};
use super::outbox::Outbox;
use crate::net::inflow::Inflow;
use crate::net::udp::Socket;
use bytes::Bytes;
use srt::{CloseReason, Event, Output, SendError, Session, Stats};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep_until;

/// After an error of a socket, so that one that stays does not take a whole core.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// One session and its way to the peer. Dropped, it says goodbye at once.
pub(super) struct Link {
    session: Session,
    socket: Arc<Socket>,
    peer: SocketAddr,
    input: Input,
    /// What has been received and is due, one message behind the other.
    pub(super) received: Vec<u8>,
    out: Outbox,
    /// The socket is full.
    is_blocked: bool,
    timeout: Option<Instant>,
    is_connected: bool,
    closed: Option<CloseReason>,
}

/// Where datagrams come from.
pub(super) enum Input {
    /// The port, which many share.
    Shared(Arc<Inbox>, Waiting),
    /// The socket is this link's alone.
    Own(Box<Inflow>),
}

impl Link {
    /// For a session with `peer`, which knows us by the address `local`.
    pub(super) fn new(
        session: Session,
        socket: Arc<Socket>,
        local: IpAddr,
        peer: SocketAddr,
        input: Input,
    ) -> Self {
        Self {
            session,
            socket,
            peer,
            input,
            received: Vec::new(),
            out: Outbox::new(local, peer),
            is_blocked: false,
            timeout: None,
            is_connected: false,
            closed: None,
        }
    }

    /// Does all that is to be done now: what is due is in [`Self::received`] then.
    ///
    /// # Errors
    /// When the connection is over, and why.
    pub(super) fn pump(&mut self) -> Result<(), CloseReason> {
        self.session.handle_timeout(Instant::now());
        while self.session.read(&mut self.received).is_some() {}
        self.is_blocked = !self.transmit();
        self.closed.map_or(Ok(()), Err)
    }

    /// Sends what the session has to send. False when the socket is full.
    fn transmit(&mut self) -> bool {
        if self.is_blocked && !self.out.flush_all(&self.socket) {
            return false;
        }
        loop {
            let before = self.out.bytes.len();
            match self.session.poll_output(&mut self.out.bytes) {
                Output::Transmit => {
                    if self.out.appended(before) && !self.out.flush(&self.socket) {
                        return false;
                    }
                }
                Output::Event(Event::Connected { .. }) => self.is_connected = true,
                Output::Event(Event::Closed(reason)) => self.closed = Some(reason),
                Output::Timeout(timeout) => {
                    self.timeout = timeout;
                    return self.out.flush_all(&self.socket);
                }
            }
        }
    }

    /// Waits until there is something for [`Self::pump`] to do. Safe to cancel.
    pub(super) async fn wait(&mut self) {
        let mut due = self.timeout.unwrap_or_else(Instant::now);
        if self.is_blocked {
            // The session was not asked when it is due next, which may have been by now.
            due = due.max(Instant::now() + PAUSE);
        }
        let arrived = self.input.arrive(self.peer, &mut self.session);
        tokio::select! {
            () = arrived => {}
            () = sleep_until(due.into()), if self.timeout.is_some() => {}
            () = self.socket.writable(), if self.is_blocked => {}
        }
    }

    /// Waits until both ends agree.
    ///
    /// # Errors
    /// When they do not.
    pub(super) async fn connected(&mut self) -> Result<(), CloseReason> {
        loop {
            self.pump()?;
            if self.is_connected {
                return Ok(());
            }
            self.wait().await;
        }
    }

    /// Takes a message to send. It is shared, not copied.
    pub(super) fn send(&mut self, message: &Bytes) -> Result<(), SendError> {
        self.session.send(Instant::now(), message)
    }

    /// Says goodbye once the peer has delivered everything, or that is too late.
    pub(super) async fn finish(mut self) {
        self.session.close(Instant::now());
        while self.pump().is_ok() {
            self.received.clear();
            self.wait().await;
        }
    }

    /// Who is at the other end.
    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether the round trip has been measured.
    pub(super) const fn knows_round_trip(&self) -> bool {
        self.session.knows_round_trip()
    }

    /// What has been counted, while there is a connection.
    pub(super) fn stats(&self) -> Option<Stats> {
        self.session.stats()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.closed.is_none() {
            self.session.abort(Instant::now());
            self.transmit();
        }
    }
}

impl Input {
    /// For a session of the port.
    pub(super) fn of(inbox: Arc<Inbox>) -> Self {
        Self::Shared(inbox, Waiting::default())
    }

    /// Waits for datagrams from the peer, and gives them to the session.
    async fn arrive(&mut self, peer: SocketAddr, session: &mut Session) {
        match self {
            Self::Shared(inbox, waiting) => {
                inbox.take(waiting).await;
                let now = Instant::now();
                waiting.drain(|datagram| session.handle_input(now, datagram));
            }
            Self::Own(inflow) => match inflow.receive().await {
                Ok(arrivals) => {
                    let now = Instant::now();
                    // Others find nobody here.
                    let theirs = arrivals.filter(|arrivals| arrivals.source == peer);
                    for datagram in theirs.flat_map(|arrivals| arrivals.iter()) {
                        session.handle_input(now, datagram);
                    }
                }
                // Such as a port where nobody listens: the session has timeouts of its own.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
        }
    }
}
