//! Commands as lines, answered with JSON and two line ends: for scripts and for people with telnet.
//!
//! [`Lines`] finds the commands in what comes; it knows no socket. A browser can be made to send a page's text here, but
//! not without a request line before it: who speaks HTTP is sent away.

use super::command::{Command, CommandError, MAX_TEXT};
use super::{Answer, Door};
use crate::api::rights;
use crate::auth::{Origin, Role, Visit};
use crate::net::listen;
use crate::net::places::Places;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Connections at a time; more are closed.
const MAX_CONNECTIONS: usize = 64;

/// Bytes read at a time.
const READ_BUFFER: usize = 4 << 10;

/// A client that takes nothing of an answer for so long is disconnected.
const STALLED: Duration = Duration::from_secs(10);

/// Finds commands in bytes that come as they please: push, then pull until there is nothing.
#[derive(Default)]
pub struct Lines {
    /// The line that has not ended yet.
    line: Vec<u8>,
    found: VecDeque<Line>,
    is_over: bool,
}

/// What a line is.
pub enum Line {
    /// To be answered; one that could not be read, with the reason.
    Command(Result<Command, CommandError>),
    /// What must not go on: the last answer is why.
    Over(&'static str),
}

impl Lines {
    /// Takes what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.is_over {
                return;
            }
            match byte {
                b'\r' | b'\n' => self.end_line(),
                _ if self.line.len() >= MAX_TEXT => {
                    self.give_up("The line is longer than 65536 bytes");
                }
                byte => self.line.push(*byte),
            }
        }
    }

    /// The next line that is complete.
    pub fn pull(&mut self) -> Option<Line> {
        self.found.pop_front()
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = line.trim_ascii();
        if text.is_empty() {
            return;
        }
        let last = text.rsplit(u8::is_ascii_whitespace).next();
        if last.is_some_and(|last| last.starts_with(b"HTTP/")) {
            return self.give_up("This is not HTTP; see evostream.listen");
        }
        self.found.push_back(Line::Command(Command::parse(text)));
    }

    fn give_up(&mut self, why: &'static str) {
        self.line = Vec::new();
        self.is_over = true;
        self.found.push_back(Line::Over(why));
    }
}

/// Serves connections for ever, a bounded number at a time.
pub async fn serve(listener: Arc<TcpListener>, places: Places, door: Door) {
    loop {
        let (socket, address) = listen::accept(&listener).await;
        let Some(place) = places.take(MAX_CONNECTIONS) else {
            tracing::warn!(%address, limit = MAX_CONNECTIONS, "connection for lines refused: too many");
            continue;
        };
        let door = door.clone();
        tokio::spawn(async move {
            if let Err(error) = serve_one(socket, address, &door).await {
                tracing::debug!(%address, %error, "connection for lines ended");
            }
            drop(place);
        });
    }
}

async fn serve_one(mut socket: TcpStream, address: SocketAddr, door: &Door) -> std::io::Result<()> {
    let origin = Origin {
        address,
        secure: false,
    };
    let visit = Visit {
        origin,
        headers: None,
        takes_cookies: false,
        changes: true,
        application: None,
    };
    let identity = match door.context.auth.identify(&visit).await {
        Ok(identity) => identity,
        Err(denied) => return send(&mut socket, &Answer::failure(denied.to_string())).await,
    };
    let mut lines = Lines::default();
    let mut buffer = [0; READ_BUFFER];
    loop {
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        lines.push(buffer.get(..count).unwrap_or_default());
        while let Some(line) = lines.pull() {
            match line {
                Line::Command(command) => {
                    let function = command.as_ref().ok();
                    let function = function.map(|command| command.function.clone());
                    let answer = door.answer(command).await;
                    if let Some(function) = function
                        && rights::of_function(&function) > Role::Viewer
                    {
                        let audit = door.context.auth.audit();
                        audit.add(&identity, &function, 200).await;
                    }
                    send(&mut socket, &answer).await?;
                }
                Line::Over(why) => return send(&mut socket, &Answer::failure(why)).await,
            }
        }
    }
}

async fn send(socket: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    let text = format!("{}\r\n\r\n", answer.text());
    timeout(STALLED, socket.write_all(text.as_bytes())).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(mut lines: Lines) -> Vec<String> {
        let shown = |line| match line {
            Line::Command(Ok(command)) => command.function,
            Line::Command(Err(error)) => error.to_string(),
            Line::Over(why) => why.to_owned(),
        };
        std::iter::from_fn(|| lines.pull()).map(shown).collect()
    }

    #[test]
    fn lines_end_with_either_sign() {
        for cut in 1..20 {
            let mut lines = Lines::default();
            for piece in b"\r\nversion\r\n\n  help\rf word\nunfinished".chunks(cut) {
                lines.push(piece);
            }
            assert_eq!(
                shown(lines),
                ["version", "help", "Parameter number 1 is no key=value"]
            );
        }
    }

    #[test]
    fn who_speaks_http_says_nothing_more() {
        let mut lines = Lines::default();
        lines.push(b"version\nPOST /x HTTP/1.1\r\nHost: a\r\n\r\nshutdownStream id=1\r\n");
        assert_eq!(
            shown(lines),
            ["version", "This is not HTTP; see evostream.listen"]
        );
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut lines = Lines::default();
        lines.push(&vec![b'a'; MAX_TEXT]);
        assert!(lines.pull().is_none());
        lines.push(b"a\nversion\n");
        assert_eq!(shown(lines), ["The line is longer than 65536 bytes"]);
    }
}
