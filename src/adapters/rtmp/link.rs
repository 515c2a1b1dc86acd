//! A connection to a server that we publish to or play from: opened, let begin, written to, listened to.

use super::address::Address;
use crate::adapters::Context;
use crate::net::round_trip::{self, Ends};
use crate::net::socket::Socket;
use bytes::Bytes;
use rtmp::Output;
use rtmp::client::{Config, Connect, Event, Session, auth};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// A server that takes no byte for so long, or acknowledges none, is given up.
const STALLED: Duration = Duration::from_secs(10);

/// A server that closes within this time did not want the stream.
const SOON: Duration = Duration::from_secs(2);

/// What a server that closes without a word most likely means.
const REFUSED_SILENTLY: &str = "the server closed the connection instead of taking the stream; \
    a wrong application or stream key is the usual cause";

/// Bytes read at a time.
const READ_BUFFER: usize = 16 << 10;

/// Most that a server may send before it says that it plays, in bytes. Some send what they have of the past.
const MAX_EARLY: usize = 32 << 20;

/// Slices in one call of the system.
const MAX_SLICES: usize = 64;

/// What servers are told that we are; some admit only what they take for an encoder.
const FLASH_VERSION: &str = "FMLE/3.0 (compatible; Millstream)";

/// Connections that a login may take.
const MAX_LOGINS: usize = 3;

/// What is wanted of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Publish,
    Play,
}

/// A connection with its session.
pub(super) struct Link {
    socket: Socket,
    pub(super) session: Session,
    live_since: Instant,
    /// What has come and has not been looked at.
    pub(super) early: VecDeque<Event>,
    /// Memory that all of it has taken so far, in bytes.
    early_bytes: usize,
    /// The server has said that the stream is over.
    pub(super) is_over: bool,
}

/// Why there is no connection.
enum Failed {
    /// For good, in words.
    Words(String),
    /// The server refused to be connected to.
    Rejected { code: String, description: String },
}

impl From<String> for Failed {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

impl Link {
    /// Connects, and is let publish or play. A server that wants a login is given one.
    pub(super) async fn open(
        address: &Address,
        goal: Goal,
        context: &Context,
    ) -> Result<Self, String> {
        let mut query = String::new();
        for _ in 0..MAX_LOGINS {
            match Self::attempt(address, &query, goal, context).await {
                Ok(link) => return Ok(link),
                Err(Failed::Words(words)) => return Err(words),
                Err(Failed::Rejected { code, description }) => {
                    let app = address.app.split('?').next().unwrap_or_default();
                    let login = address.login();
                    match auth::answer(&description, app, login, rand::random()) {
                        Some(answer) => query = answer.map_err(|error| error.to_string())?,
                        None => {
                            let what = "the server refused the stream";
                            return Err(said(what, &code, &description));
                        }
                    }
                }
            }
        }
        Err(auth::AuthError::Refused.to_string())
    }

    /// Both ends of the connection.
    pub(super) fn ends(&self) -> Option<Ends> {
        round_trip::ends(self.socket.tcp())
    }

    async fn attempt(
        address: &Address,
        query: &str,
        goal: Goal,
        context: &Context,
    ) -> Result<Self, Failed> {
        let (host, port) = (&address.host, address.port);
        let tcp = context.policy.connect(host, port, STALLED).await;
        let tcp = tcp.map_err(|error| error.to_string())?;
        address.options.mark(&tcp);
        let socket = if address.is_secure {
            let check = &address.options.check;
            let secure = timeout(STALLED, context.connector.connect(host, tcp, check)).await;
            let secure = secure
                .map_err(|_| "the server does not answer the handshake of TLS")
                .map_err(str::to_owned)?;
            secure.map_err(|error| error.to_string())?.into()
        } else {
            tcp.into()
        };
        let mut session = session(address, query);
        let now = Instant::now().into_std();
        let asked = match goal {
            Goal::Publish => session.publish(now, &address.key, address.options.kind),
            Goal::Play => session.play(now, &address.key),
        };
        asked.map_err(|error| error.to_string())?;
        let mut link = Self {
            socket,
            session,
            live_since: Instant::now(),
            early: VecDeque::new(),
            early_bytes: 0,
            is_over: false,
        };
        loop {
            let (is_live, deadline) = link.settle().await?;
            if is_live {
                link.live_since = Instant::now();
                return Ok(link);
            }
            if link.early_bytes > MAX_EARLY {
                return Err("the server sends and does not say that it plays"
                    .to_owned()
                    .into());
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

    /// Connects once more, to where the server wants it, and leaves this connection. A server that goes on asking is
    /// left to those who try again after a pause.
    pub(super) async fn reopen(
        &mut self,
        address: &mut Address,
        tc_url: Option<&str>,
        goal: Goal,
        context: &Context,
    ) -> Result<(), String> {
        if self.live_since.elapsed() < SOON {
            return Err("the server asks to be connected to again and again".to_owned());
        }
        let moved = address.moved(tc_url)?;
        if goal == Goal::Publish {
            // A server takes no second publisher of a name.
            let _ = self.socket.shut_down();
        }
        tracing::info!(host = %moved.host, port = moved.port, "connecting once more, as the server asks");
        *self = Self::open(&moved, goal, context).await?;
        *address = moved;
        Ok(())
    }

    /// The next thing that the server sends while it is played from.
    pub(super) async fn next(&mut self) -> Result<Event, String> {
        loop {
            if let Some(event) = self.early.pop_front() {
                return Ok(event);
            }
            self.settle().await.map_err(words)?;
            if self.early.is_empty() {
                self.socket.readable().await.map_err(lost)?;
                self.read("the server closed the connection")?;
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
        self.settle().await.map(drop).map_err(words)
    }

    /// Reads once, if there is something.
    fn read(&mut self, at_end: &str) -> Result<(), String> {
        let mut buffer = [0; READ_BUFFER];
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

    /// Sends what the session has to say, and hears what happened: whether the stream has begun, and by when the
    /// server has to answer.
    async fn settle(&mut self) -> Result<(bool, Option<Instant>), Failed> {
        let mut is_live = false;
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => self.write(vec![bytes]).await?,
                Output::Event(Event::Publishing | Event::Playing) => is_live = true,
                Output::Event(Event::Rejected { code, description }) => {
                    return Err(Failed::Rejected { code, description });
                }
                Output::Event(Event::Closed { description }) => {
                    self.is_over = true;
                    return Err(said("the server ended the stream", "", &description).into());
                }
                Output::Event(
                    event @ (Event::Audio { .. } | Event::Video { .. } | Event::Reconnect { .. }),
                ) => {
                    if let Event::Audio { payload, .. } | Event::Video { payload, .. } = &event {
                        let bytes = payload.len().saturating_add(size_of::<Event>());
                        self.early_bytes = self.early_bytes.saturating_add(bytes);
                    }
                    self.early.push_back(event);
                }
                // Nobody asks for metadata: what the tracks are is in the media.
                Output::Event(Event::Connected | Event::Data { .. }) => {}
                Output::Timeout(deadline) => {
                    return Ok((is_live, deadline.map(Instant::from_std)));
                }
            }
        }
    }

    /// Says goodbye. Nobody waits until the server has read it.
    pub(super) async fn finish(mut self) -> Result<(), String> {
        self.session.stop();
        self.settle().await.map_err(words)?;
        let socket = self.socket;
        tokio::spawn(async move { socket.leave().await });
        Ok(())
    }

    /// Writes all, as long as some of it is taken now and then.
    pub(super) async fn write(&self, slices: Vec<Bytes>) -> Result<(), String> {
        let mut rest = slices.as_slice();
        // Bytes of the first slice that have been written.
        let mut done = 0;
        while !rest.is_empty() || self.socket.has_unsent() {
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

/// A session on a connection that has just been made. `query` is behind the application and the URL.
pub(super) fn session(address: &Address, query: &str) -> Session {
    let options = &address.options;
    let config = Config {
        seed: rand::random(),
        chunk_size: if options.announces_chunk_size {
            Config::default().chunk_size
        } else {
            rtmp::chunk::DEFAULT_CHUNK_SIZE as u32
        },
        ..Config::default()
    };
    let tc_url = options.tc_url.as_ref().unwrap_or(&address.tc_url);
    let flash_ver = options.user_agent.as_deref().unwrap_or(FLASH_VERSION);
    let connect = Connect {
        app: format!("{}{query}", address.app),
        tc_url: format!("{tc_url}{query}"),
        flash_ver: flash_ver.to_owned(),
        page_url: options.page_url.clone(),
        swf_url: options.swf_url.clone(),
    };
    Session::new(Instant::now().into_std(), config, connect)
}

fn words(failed: Failed) -> String {
    match failed {
        Failed::Words(words) => words,
        Failed::Rejected { code, description } => {
            said("the server refused the stream", &code, &description)
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn a_server_that_acknowledges_to_the_end_reads_all_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap());
        let (tcp, accepted) = tokio::join!(tcp, listener.accept());
        let (mut server, _) = accepted.unwrap();
        let link = Link {
            socket: tcp.unwrap().into(),
            session: session(&Address::parse("rtmp://a/b/c").unwrap(), ""),
            live_since: Instant::now(),
            early: VecDeque::new(),
            early_bytes: 0,
            is_over: false,
        };
        server.write_all(&[0; 5_000]).await.unwrap();
        link.readable().await.unwrap();
        let media = Bytes::from_static(&[7; 20_000]);
        link.write(vec![media.clone()]).await.unwrap();
        link.finish().await.unwrap();
        server.write_all(&[0; 5_000]).await.unwrap();
        let mut read = Vec::new();
        // Not that the connection was reset.
        server.read_to_end(&mut read).await.unwrap();
        assert!(read.len() > media.len() && read.starts_with(&media));
    }
}
