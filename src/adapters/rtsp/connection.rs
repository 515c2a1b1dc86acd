//! A client's connection and its session: reads, writes and waits.

use bytes::{Buf, BytesMut};
use rtsp::auth::Random;
use rtsp::server::{Config, Event, Session};
use rtsp::{Error, Output, frame_header};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

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
    socket: TcpStream,
    /// Its far end.
    pub(super) address: SocketAddr,
    /// Our end.
    pub(super) local: SocketAddr,
    pub(super) session: Session,
    input: BytesMut,
    output: BytesMut,
    /// What the client did that is not RTSP. It is told before the connection is closed.
    fault: Option<Error>,
}

impl Connection {
    /// A connection that has just been accepted; with these ports for datagrams.
    pub(super) fn new(socket: TcpStream, address: SocketAddr, udp: Option<(u16, u16)>) -> Self {
        let config = Config {
            random: Random(rand::random()),
            udp,
            ..Config::default()
        };
        let local = socket.local_addr();
        Self {
            socket,
            address,
            local: local.unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0))),
            session: Session::new(now(), config),
            input: BytesMut::new(),
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
            if !self.output.is_empty() {
                self.write().await?;
                continue;
            }
            if let Some(fault) = self.fault.take() {
                return Err(fault.into());
            }
            self.input.reserve(READ_BUFFER);
            let read = self.socket.read_buf(&mut self.input);
            let due = [due, deadline].into_iter().flatten().min();
            let read = match due {
                Some(due) => tokio::time::timeout_at(due, read).await,
                None => Ok(read.await),
            };
            match read {
                Ok(Ok(0)) => return Err(Closed("the client closed it".into())),
                Ok(count) => {
                    count?;
                    self.fault = self.session.handle_input(now(), &self.input).err();
                    self.input.clear();
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
        while !self.output.is_empty() {
            self.write().await?;
        }
        Ok(())
    }

    /// Says what there is to say, and that this was all.
    pub(super) async fn finish(mut self) -> Result<(), Closed> {
        self.send_output().await?;
        Ok(self.socket.shutdown().await?)
    }

    /// The socket and its session, to be served elsewhere.
    pub(super) fn into_parts(self) -> io::Result<(std::net::TcpStream, Session)> {
        Ok((self.socket.into_std()?, self.session))
    }

    /// Writes a part. Safe to cancel.
    async fn write(&mut self) -> Result<(), Closed> {
        if self.output.len() > MAX_OUTPUT {
            return Err(Closed("the client does not read our answers".into()));
        }
        let written = timeout(WRITE_TIMEOUT, self.socket.write(&self.output)).await;
        let written = written.map_err(|_| Closed("the client does not read our answers".into()))?;
        self.output.advance(written?);
        Ok(())
    }
}

pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}
