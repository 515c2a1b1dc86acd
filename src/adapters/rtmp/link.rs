//! A connection to a server that we publish to: opened, let publish, written to, listened to.

use super::address::Address;
use crate::net::policy::Policy;
use bytes::Bytes;
use rtmp::client::{Config, Connect, Event, Session};
use rtmp::{Output, PublishKind};
use std::io::{self, IoSlice};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

/// A server that takes no byte for so long, or acknowledges none, is given up.
const STALLED: Duration = Duration::from_secs(10);

/// A server that closes within this time did not want the stream.
const SOON: Duration = Duration::from_secs(2);

/// What a server that closes without a word most likely means.
const REFUSED_SILENTLY: &str = "the server closed the connection instead of taking the stream; \
    a wrong application or stream key is the usual cause";

/// Slices in one call of the system.
const MAX_SLICES: usize = 64;

/// What servers are told that we are; some admit only what they take for an encoder.
const FLASH_VERSION: &str = "FMLE/3.0 (compatible; Millstream)";

/// A connection with its session.
pub(super) struct Link {
    socket: TcpStream,
    pub(super) session: Session,
    live_since: Instant,
}

impl Link {
    /// Connects, and is let publish.
    pub(super) async fn open(address: &Address, policy: &Policy) -> Result<Self, String> {
        let socket = policy.connect(&address.host, address.port, STALLED).await;
        let socket = socket.map_err(|error| error.to_string())?;
        let mut session = session(address);
        let now = Instant::now().into_std();
        session
            .publish(now, &address.key, PublishKind::Live)
            .map_err(|error| error.to_string())?;
        let mut link = Self {
            socket,
            session,
            live_since: Instant::now(),
        };
        loop {
            let (is_live, deadline) = link.settle().await?;
            if is_live {
                link.live_since = Instant::now();
                return Ok(link);
            }
            let deadline = deadline.unwrap_or_else(|| Instant::now() + STALLED);
            tokio::select! {
                input = link.socket.readable() => {
                    input.map_err(lost)?;
                    link.read(REFUSED_SILENTLY)?;
                }
                () = sleep_until(deadline) => link
                    .session
                    .handle_timeout(Instant::now().into_std())
                    .map_err(|error| error.to_string())?,
            }
        }
    }

    /// Waits until the server has said something, or is gone. Safe to cancel.
    pub(super) async fn readable(&self) -> Result<(), String> {
        self.socket.readable().await.map_err(lost)
    }

    /// Reads what the server says while it gets media.
    pub(super) async fn read_answers(&mut self) -> Result<(), String> {
        // Some servers say yes before they have looked at the key.
        let at_end = if self.live_since.elapsed() < SOON {
            REFUSED_SILENTLY
        } else {
            "the server closed the connection"
        };
        self.read(at_end)?;
        self.settle().await.map(drop)
    }

    /// Reads once, if there is something.
    fn read(&mut self, at_end: &str) -> Result<(), String> {
        let mut buffer = [0; 4_096];
        match self.socket.try_read(&mut buffer) {
            Ok(0) => Err(at_end.to_owned()),
            Ok(count) => {
                let now = Instant::now().into_std();
                let input = buffer.get(..count).unwrap_or_default();
                self.session
                    .handle_input(now, input)
                    .map_err(|error| format!("the server does not speak RTMP: {error}"))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            // A server that closes with input unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(at_end.to_owned()),
            Err(error) => Err(lost(error)),
        }
    }

    /// Sends what the session has to say, and hears what happened: whether the server takes media now, and
    /// by when it has to answer.
    async fn settle(&mut self) -> Result<(bool, Option<Instant>), String> {
        let mut is_live = false;
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => self.write(vec![bytes]).await?,
                Output::Event(Event::Publishing) => is_live = true,
                Output::Event(Event::Rejected { code, description }) => {
                    return Err(said("the server refused the stream", &code, &description));
                }
                Output::Event(Event::Closed { description }) => {
                    return Err(said("the server ended the stream", "", &description));
                }
                Output::Event(_) => {}
                Output::Timeout(deadline) => {
                    return Ok((is_live, deadline.map(Instant::from_std)));
                }
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn finish(mut self) -> Result<(), String> {
        self.session.stop();
        self.settle().await.map(drop)
    }

    /// Writes all, as long as some of it is taken now and then.
    pub(super) async fn write(&self, slices: Vec<Bytes>) -> Result<(), String> {
        let mut rest = slices.as_slice();
        // Bytes of the first slice that have been written.
        let mut done = 0;
        while !rest.is_empty() {
            match timeout(STALLED, self.socket.writable()).await {
                Ok(writable) => writable.map_err(lost)?,
                Err(_) => {
                    return Err(format!(
                        "the server has taken nothing for {} s",
                        STALLED.as_secs()
                    ));
                }
            }
            let count = rest.len().min(MAX_SLICES);
            let mut parts = [IoSlice::new(&[]); MAX_SLICES];
            for (index, (part, slice)) in parts.iter_mut().zip(rest).enumerate() {
                let from = if index == 0 { done } else { 0 };
                *part = IoSlice::new(slice.get(from..).unwrap_or_default());
            }
            match self
                .socket
                .try_write_vectored(parts.get(..count).unwrap_or_default())
            {
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // What it had to say by closing shows here when it is written to before it is read.
                Err(_) if self.live_since.elapsed() < SOON => return Err(REFUSED_SILENTLY.into()),
                Err(error) => return Err(lost(error)),
            }
            while let Some(first) = rest.first().filter(|first| done >= first.len()) {
                done -= first.len();
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        Ok(())
    }
}

/// A session on a connection that has just been made.
pub(super) fn session(address: &Address) -> Session {
    let config = Config {
        seed: rand::random(),
        ..Config::default()
    };
    let connect = Connect {
        app: address.app.clone(),
        tc_url: address.tc_url.clone(),
        flash_ver: FLASH_VERSION.to_owned(),
        page_url: None,
        swf_url: None,
    };
    Session::new(Instant::now().into_std(), config, connect)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn lost(error: io::Error) -> String {
    format!("the connection to the server is lost: {error}")
}

fn said(what: &str, code: &str, description: &str) -> String {
    let reason: Vec<&str> = [code, description]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    match reason.as_slice() {
        [] => what.to_owned(),
        reason => format!("{what}: {}", reason.join(": ")),
    }
}
