//! A client's connection and its session: reads, writes and waits.

use crate::net::socket::{Detached, Socket};
use bytes::{Buf, BytesMut};
use rtsp::server::{Config, Event, Session};
use rtsp::{Error, Output, frame_header};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Bytes read at a time. One video access unit of a usual stream fits.
const READ_BUFFER: usize = 32 << 10;

/// A client that takes nothing of our answers for so long is closed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of answers that may wait; a client that asks more without reading is closed.
const MAX_OUTPUT: usize = 256 << 10;

/// Why a connection is over, in words.
pub(super) struct Closed(pub(super) String);

impl<E: std::error::Error> From<E> for Closed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// One connection.
pub(super) struct Connection {
    socket: Socket,
    /// Its far end.
    pub(super) address: SocketAddr,
    /// Our end.
    pub(super) local: SocketAddr,
    pub(super) session: Session,
    output: BytesMut,
    /// What the client did that is not RTSP. It is told before the connection is closed.
    fault: Option<Error>,
}

impl Connection {
    /// A connection that has just begun.
    pub(super) fn new(socket: Socket, address: SocketAddr, config: Config) -> Self {
        let local = socket.tcp().local_addr();
        Self {
            socket,
            address,
            local: local.unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0))),
            session: Session::new(now(), config),
            output: BytesMut::new(),
            fault: None,
        }
    }

    /// The next thing the client does, answering it meanwhile. Safe to cancel.
    pub(super) async fn next_event(&mut self, deadline: Option<Instant>) -> Result<Event, Closed> {
        loop {
            let due = match self.session.poll_output() {
                Output::Transmit(bytes) => {
                    self.output.extend_from_slice(&bytes);
                    continue;
                }
                Output::Event(event) => return Ok(event),
                Output::Timeout(timeout) => timeout.map(Instant::from_std),
            };
            if self.has_output() {
                self.write().await?;
                continue;
            }
            if let Some(fault) = self.fault.take() {
                return Err(fault.into());
            }
            let due = [due, deadline].into_iter().flatten().min();
            let readable = self.socket.readable();
            let readable = match due {
                Some(due) => timeout_at(due, readable).await,
                None => Ok(readable.await),
            };
            match readable {
                Ok(readable) => {
                    readable?;
                    self.read()?;
                }
                Err(_) => {
                    self.session.handle_timeout(now())?;
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        return Err(Closed("the publisher sent nothing for too long".into()));
                    }
                }
            }
        }
    }

    /// Reads what is there. The buffer is nobody's while nothing is: there are many connections.
    fn read(&mut self) -> Result<(), Closed> {
        let mut buffer = [0; READ_BUFFER];
        match self.socket.try_read(&mut buffer) {
            Ok(0) => return Err(Closed("the client closed it".into())),
            Ok(count) => {
                self.take(buffer.get(..count).unwrap_or_default());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Takes what has been read.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.answer(|session| session.handle_input(now(), bytes));
    }

    /// Answers what the session asked. What is wrong with what the client sent after that shows next.
    pub(super) fn answer(&mut self, answer: impl FnOnce(&mut Session) -> Result<(), Error>) {
        let fault = answer(&mut self.session).err();
        self.fault = self.fault.take().or(fault);
    }

    /// Sends a packet on a channel, behind what is waiting.
    pub(super) fn send_frame(&mut self, channel: u8, packet: &[u8]) {
        if let Ok(length) = u16::try_from(packet.len())
            && self.output.len() < MAX_OUTPUT
        {
            self.output
                .extend_from_slice(&frame_header(channel, length));
            self.output.extend_from_slice(packet);
        }
    }

    /// Sends what the session has to say.
    pub(super) async fn send_output(&mut self) -> Result<(), Closed> {
        while let Output::Transmit(bytes) = self.session.poll_output() {
            self.output.extend_from_slice(&bytes);
        }
        while self.has_output() {
            self.write().await?;
        }
        Ok(())
    }

    /// Says what there is to say, and that this was all.
    pub(super) async fn finish(mut self) -> Result<(), Closed> {
        self.send_output().await?;
        Ok(self.socket.shut_down()?)
    }

    /// The socket and its session, to be served elsewhere.
    pub(super) fn into_parts(self) -> io::Result<(Detached, Session)> {
        Ok((self.socket.detach()?, self.session))
    }

    /// Writes a part. Safe to cancel.
    async fn write(&mut self) -> Result<(), Closed> {
        if self.output.len() > MAX_OUTPUT {
            return Err(Closed("the client does not read our answers".into()));
        }
        let written = if self.output.is_empty() {
            self.socket.try_flush().map(|()| 0)
        } else {
            self.socket.try_write(&self.output)
        };
        match written {
            Ok(count) => {
                self.output.advance(count);
                if self.output.is_empty() {
                    // A player asks little once it plays.
                    self.output = BytesMut::new();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let writable = timeout(WRITE_TIMEOUT, self.socket.writable()).await;
                writable.map_err(|_| Closed("the client does not read our answers".into()))??;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Whether something waits to be sent.
    fn has_output(&self) -> bool {
        !self.output.is_empty() || self.socket.has_unsent()
    }
}

pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}
