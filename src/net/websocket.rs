//! WebSocket (RFC 6455) on connections that were taken over from HTTP: the handshake, and text messages both ways.

use super::http::Taken;
use super::socket::Socket;
use axum::http::{HeaderMap, HeaderValue, header};
use std::io::{self, Read, Write};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// Longest message, in bytes.
const MAX_MESSAGE: usize = 256 << 10;

/// Most bytes that are read at once.
const READ: usize = 16 << 10;

/// A client that takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(10);

/// `Sec-WebSocket-Accept` where the request asks for WebSocket (section 4.2.1); none where it asks for HTTP.
///
/// # Errors
/// What is wrong with the request.
pub fn accept(headers: &HeaderMap) -> Result<Option<HeaderValue>, &'static str> {
    let has = |name, token: &str| {
        let mut values = headers.get_all(name).iter();
        values.any(|value: &HeaderValue| {
            let text = value.to_str().unwrap_or_default();
            text.split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(token))
        })
    };
    if !has(header::UPGRADE, "websocket") {
        return Ok(None);
    }
    if !has(header::CONNECTION, "upgrade") || !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err("this is no request for WebSocket of version 13\n");
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.ok_or("the request for WebSocket has no key\n")?;
    let accept = derive_accept_key(key.as_bytes());
    let accept = HeaderValue::try_from(accept).map_err(|_| "the key cannot be used\n")?;
    Ok(Some(accept))
}

/// The headers of the response that changes to WebSocket.
pub fn switching(accept: HeaderValue) -> [(header::HeaderName, HeaderValue); 3] {
    [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ]
}

/// A connection that carries text messages.
#[derive(Debug)]
pub struct Texts {
    socket: Socket,
    web: WebSocket<Pipe>,
    /// Its place among the connections.
    _place: OwnedSemaphorePermit,
}

/// What has come and is not read, and what is to be sent.
#[derive(Debug, Default)]
struct Pipe {
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.input.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(self.input.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Texts {
    /// On a connection whose head of a response, with [`switching`], is still to be sent.
    pub fn new(taken: Taken) -> Self {
        let Taken {
            socket,
            head,
            unread,
            place,
        } = taken;
        let pipe = Pipe {
            input: unread.to_vec(),
            output: head.to_vec(),
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        Self {
            socket,
            web: WebSocket::from_raw_socket(pipe, Role::Server, Some(config)),
            _place: place,
        }
    }

    /// Waits until something more has come. Safe to cancel.
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Takes what has come, and gives the next message of what is there. To be called until it gives none; then
    /// [`flush`](Self::flush) sends what is to be answered.
    ///
    /// # Errors
    /// When the connection is over, or the client does not keep to the protocol.
    pub fn pull(&mut self) -> Result<Option<String>, String> {
        loop {
            if self.web.get_ref().output.len() > MAX_MESSAGE {
                return Err("the client asks for more than it waits for".to_owned());
            }
            match self.web.read() {
                Ok(Message::Text(text)) => return Ok(Some(text.as_str().to_owned())),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut buffer = [0; READ];
                    match self.socket.try_read(&mut buffer) {
                        Ok(0) => return Err("the client has gone".to_owned()),
                        Ok(count) => {
                            let read = buffer.get(..count).unwrap_or_default();
                            self.web.get_mut().input.extend_from_slice(read);
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            return Ok(None);
                        }
                        Err(error) => return Err(error.to_string()),
                    }
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Has a message sent with the next [`flush`](Self::flush).
    ///
    /// # Errors
    /// When the client has said goodbye.
    pub fn push(&mut self, text: String) -> Result<(), String> {
        let sent = self.web.send(Message::text(text));
        sent.map_err(|error| error.to_string())
    }

    /// Sends what there is to send.
    ///
    /// # Errors
    /// When the connection is over, or the client takes nothing for 10 s.
    pub async fn flush(&mut self) -> Result<(), String> {
        let output = std::mem::take(&mut self.web.get_mut().output);
        if output.is_empty() {
            return Ok(());
        }
        match tokio::time::timeout(STALLED, self.socket.write_all(&output)).await {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err("the client takes nothing".to_owned()),
        }
    }
}
