//! The floor: sends the signal to every connection with one write for each picture, audio with it, and does
//! nothing else. What a server needs beyond this is its own cost.
//!
//! Here over TCP, where the bytes are those of RTMP chunks without handshake and commands; [`udp`] is the floor
//! for datagrams.

pub mod udp;

use crate::clock;
use crate::error::{Context as _, Result};
use crate::helper;
use crate::signal::{self, Schedule, Sound, Unit};
use rtmp::chunk::{self, ChunkStreamId, Header, MessageType};
use std::io::{ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

/// Chunk size of what is sent.
pub const CHUNK_SIZE: usize = 65_536;

/// A connection and what it has not taken yet, which is nothing as long as its reader keeps up.
struct Connection {
    socket: TcpStream,
    unsent: Vec<u8>,
}

/// Plays the role.
///
/// # Errors
/// When it cannot listen.
pub fn run() -> Result<()> {
    helper::leave_with_the_benchmark();
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen")?;
    listener.set_nonblocking(true).context("cannot listen")?;
    let address = listener.local_addr().context("cannot listen")?;
    helper::say(&format!("ready {address}"))?;
    let mut connections: Vec<Connection> = Vec::new();
    let mut bytes = Vec::new();
    let start = Instant::now();
    for due in Schedule::default() {
        std::thread::sleep((start + due.at).saturating_duration_since(Instant::now()));
        let body = [
            signal::prefix(due.unit, Sound::Aac),
            &signal::payload(&due, Sound::Aac, clock::now()),
        ]
        .concat();
        let (chunk_stream, message_type) = match due.unit {
            Unit::Audio => (ChunkStreamId::AUDIO, MessageType::AUDIO),
            _ => (ChunkStreamId::VIDEO, MessageType::VIDEO),
        };
        let header = Header {
            chunk_stream,
            timestamp: due.timestamp(),
            message_type,
            message_stream: 1,
        };
        chunk::write(&mut bytes, &header, &body, CHUNK_SIZE).context("cannot cut a message")?;
        if due.unit == Unit::Audio {
            continue;
        }
        connections.retain_mut(|connection| connection.send(&bytes));
        bytes.clear();
        while let Ok((socket, _)) = listener.accept() {
            if socket
                .set_nonblocking(true)
                .and_then(|()| socket.set_nodelay(true))
                .is_ok()
            {
                connections.push(Connection {
                    socket,
                    unsent: Vec::new(),
                });
            }
        }
    }
    Ok(())
}

impl Connection {
    /// Whether the connection is still good.
    fn send(&mut self, bytes: &[u8]) -> bool {
        if self.unsent.is_empty() {
            let Some(count) = written(self.socket.write(bytes)) else {
                return false;
            };
            self.unsent
                .extend_from_slice(bytes.get(count..).unwrap_or_default());
        } else {
            self.unsent.extend_from_slice(bytes);
            let Some(count) = written(self.socket.write(&self.unsent)) else {
                return false;
            };
            self.unsent.drain(..count);
        }
        true
    }
}

/// Bytes that were taken; `None` when the connection is broken.
fn written(result: std::io::Result<usize>) -> Option<usize> {
    match result {
        Ok(count) => Some(count),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Some(0),
        Err(_) => None,
    }
}
