//! The connection to a camera: TCP, with TLS around it or within a pair of HTTP connections.

use super::source::{Source, Transport};
use crate::adapters::Context;
use crate::net::round_trip::Ends;
use rtsp::message::MAX_HEAD;
use rtsp::tunnel::{self, Half, Opening};
use socket2::SockRef;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;

/// A connection that acknowledges nothing for so long is given up.
const STALLED: Duration = Duration::from_secs(20);

/// Bytes in both directions.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection on which RTSP is spoken.
pub(super) struct Wire {
    reader: Box<dyn AsyncRead + Unpin + Send>,
    writer: Box<dyn AsyncWrite + Unpin + Send>,
    /// What is written goes as base64.
    tunnelled: bool,
    /// What came behind the answer that opened the tunnel.
    early: Vec<u8>,
    /// Both ends of the connection that is written to.
    pub(super) ends: Ends,
    /// Our address.
    pub(super) local: IpAddr,
    /// The camera's, or that of the proxy.
    pub(super) peer: IpAddr,
}

impl Wire {
    /// Connects to the camera.
    ///
    /// # Errors
    /// What went wrong; it may name the host.
    pub(super) async fn connect(
        source: &Source,
        transport: Transport,
        context: &Context,
    ) -> Result<Self, String> {
        Self::connect_with(source, transport, context, None).await
    }

    /// Connects to the camera. The system holds about so many bytes that the camera has not taken; more than usual are
    /// never held.
    ///
    /// # Errors
    /// What went wrong; it may name the host.
    pub(super) async fn connect_with(
        source: &Source,
        transport: Transport,
        context: &Context,
        held: Option<usize>,
    ) -> Result<Self, String> {
        let (stream, local, peer) = open(source, transport, context, held).await?;
        if transport != Transport::Http {
            let (reader, writer) = split(stream);
            return Ok(Self {
                reader: Box::new(reader),
                writer: Box::new(writer),
                tunnelled: false,
                early: Vec::new(),
                ends: (local, peer),
                local: local.ip().to_canonical(),
                peer: peer.ip().to_canonical(),
            });
        }
        let path = match source.proxy {
            // A proxy is told where to go.
            Some(_) => {
                let authority = source.url.host_str().unwrap_or_default();
                let port = source.port(transport);
                format!("http://{authority}:{port}{}", path(source))
            }
            None => path(source),
        };
        let cookie = format!("{:032x}", rand::random::<u128>());
        let opening = |half| Opening {
            half,
            path: path.clone(),
            cookie: cookie.clone(),
        };
        let said = |error: io::Error| format!("the tunnel broke: {error}");
        let host = source.place();
        let mut get = stream;
        let request = opening(Half::Get).request(&host);
        get.write_all(&request).await.map_err(said)?;
        let mut answer = Vec::new();
        let length = loop {
            if let Some(length) = tunnel::answer(&answer).map_err(|error| error.to_string())? {
                break length;
            }
            let mut buffer = [0; 1_024];
            let count = get.read(&mut buffer).await.map_err(said)?;
            if count == 0 || answer.len() > MAX_HEAD {
                return Err("the HTTP server answers nothing".to_owned());
            }
            answer.extend_from_slice(buffer.get(..count).unwrap_or_default());
        };
        let (mut post, near, far) = open(source, transport, context, held).await?;
        let request = opening(Half::Post).request(&host);
        post.write_all(&request).await.map_err(said)?;
        Ok(Self {
            reader: Box::new(get),
            writer: Box::new(post),
            tunnelled: true,
            early: answer.split_off(length),
            ends: (near, far),
            local: local.ip().to_canonical(),
            peer: peer.ip().to_canonical(),
        })
    }

    /// Reads some bytes; 0 at the end. Safe to cancel.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.early.is_empty() {
            return self.reader.read(buffer).await;
        }
        let count = self.early.len().min(buffer.len());
        let rest = self.early.split_off(count);
        let early = std::mem::replace(&mut self.early, rest);
        for (to, from) in buffer.iter_mut().zip(early) {
            *to = from;
        }
        Ok(count)
    }

    /// Writes all bytes.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.tunnelled {
            let text = tunnel::encode(bytes);
            self.writer.write_all(text.as_bytes()).await?;
        } else {
            self.writer.write_all(bytes).await?;
        }
        self.writer.flush().await
    }
}

/// Path and query of the camera's URL.
fn path(source: &Source) -> String {
    match source.url.query() {
        Some(query) => format!("{}?{query}", source.url.path()),
        None => source.url.path().to_owned(),
    }
}

/// One connection, with our address and the far one.
async fn open(
    source: &Source,
    transport: Transport,
    context: &Context,
    held: Option<usize>,
) -> Result<(Box<dyn Stream>, SocketAddr, SocketAddr), String> {
    let (host, port) = match source.proxy {
        Some(proxy) => (proxy.ip().to_string(), proxy.port()),
        None => (source.host().to_owned(), source.port(transport)),
    };
    let socket = context.policy.connect(&host, port, STALLED).await;
    let socket: TcpStream = socket.map_err(|error| error.to_string())?;
    if let Some(held) = held {
        // Where the system refuses, sound is late for longer when a camera does not keep up.
        let _ = SockRef::from(&socket).set_send_buffer_size(held);
    }
    let addresses = socket
        .local_addr()
        .and_then(|local| Ok((local, socket.peer_addr()?)));
    let (local, peer) = addresses.map_err(|error| error.to_string())?;
    if !source.is_tls() {
        return Ok((Box::new(socket), local, peer));
    }
    let connector = &context.connector;
    let secured = connector
        .connect(source.host(), socket, &source.check)
        .await;
    let secured = secured.map_err(|error| error.to_string())?;
    Ok((Box::new(secured), local, peer))
}
