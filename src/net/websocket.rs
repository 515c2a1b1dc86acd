//! WebSocket (RFC 6455) on connections that were taken over from HTTP: the handshake, and text messages both ways.

use super::http::Taken;
use super::places::Place;
use super::socket::Socket;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use std::io::{self, Read, Write};
use std::time::Duration;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// Longest message, in bytes.
const MAX_MESSAGE: usize = 256 << 10;

/// What a connection keeps to read to.
const READ_BUFFER: usize = 4 << 10;

/// Most bytes that are read at once.
const READ: usize = 16 << 10;

/// A client that takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(10);

/// The version of the standard (section 4.1).
const VERSION: &str = "13";

/// What is wrong with a request for WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(StatusCode, &'static str);

impl Refused {
    /// What is answered, with the version that is known (section 4.4).
    pub fn respond(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.1));
        *response.status_mut() = self.0;
        let headers = response.headers_mut();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, plain);
        let version = HeaderValue::from_static(VERSION);
        headers.insert(header::SEC_WEBSOCKET_VERSION, version);
        response
    }
}

/// `Sec-WebSocket-Accept` where the request asks for WebSocket (section 4.2.1); none where it asks for HTTP.
///
/// # Errors
/// What is wrong with the request.
pub fn accept(headers: &HeaderMap) -> Result<Option<HeaderValue>, Refused> {
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
    let bad = |words| Refused(StatusCode::BAD_REQUEST, words);
    if !has(header::CONNECTION, "upgrade") {
        return Err(bad("the request has no Connection: Upgrade\n"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, VERSION) {
        let words = "this is WebSocket of version 13\n";
        return Err(Refused(StatusCode::UPGRADE_REQUIRED, words));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.ok_or_else(|| bad("the request for WebSocket has no key\n"))?;
    let accept = derive_accept_key(key.as_bytes());
    let accept = HeaderValue::try_from(accept).map_err(|_| bad("the key cannot be used\n"))?;
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
    _place: Place,
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
            .read_buffer_size(READ_BUFFER)
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
