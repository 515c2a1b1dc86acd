//! The load: many readers in one process, each a task on one thread.
//!
//! Its own CPU time is not counted, but it shares the machine with the server, so it is kept small: one
//! read buffer for all, and no more understanding of the media than finding a [stamp](crate::signal::Stamp).

mod datagrams;
mod flv;
mod hls;
mod http;
mod low_latency;
pub(crate) mod pictures;
pub(crate) mod playlist;
mod rtmp;
mod rtsp;
mod tally;
mod viewer;
mod whep;

pub use tally::Report;

use tally::Tally;

use crate::error::{Context as _, Error, Result};
use crate::helper;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// Bytes read at a time.
const BUFFER: usize = 128 << 10;

/// How the signal is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Played by RTMP.
    Rtmp,
    /// Played by HTTP-FLV.
    Flv,
    /// Played by RTSP, all on one connection.
    Rtsp,
    /// Played by RTSP, in datagrams.
    RtspUdp,
    /// The floor's bytes.
    Raw,
    /// By WHEP.
    Whep,
    /// The floor's datagrams, encrypted.
    Secret,
    /// The floor's datagrams as they are.
    Plain,
    /// By HLS, with playlists reloaded at intervals and whole segments.
    Hls,
    /// By HLS, with blocking reloads and parts.
    LowLatency,
    /// Low-latency HLS from a server of files, which holds no request.
    LowLatencyFiles,
}

impl Way {
    /// Readers arrive over this time, so that the server is not measured in how it takes a rush and
    /// first pictures are averaged over the places of a GOP or segment at which a reader may arrive.
    fn arrival(self, readers: usize) -> Duration {
        match (self, readers) {
            (_, 0..=1) => Duration::ZERO,
            (Self::Rtmp | Self::Flv | Self::Rtsp | Self::Raw, _) => {
                Duration::from_millis(1_000 + 2 * readers as u64)
            }
            // A handshake is work for both ends.
            (Self::Whep | Self::RtspUdp | Self::Secret | Self::Plain, _) => {
                Duration::from_millis(1_000 + 20 * readers as u64)
            }
            (Self::Hls | Self::LowLatency | Self::LowLatencyFiles, _) => Duration::from_secs(2),
        }
    }

    /// How far a reader's newest access unit may be behind the newest of all, in seconds, before those
    /// between count as missing.
    const fn patience(self) -> u64 {
        match self {
            Self::LowLatency | Self::LowLatencyFiles => 3,
            Self::Hls => 15,
            _ => 1,
        }
    }
}

/// Plays the role.
///
/// # Errors
/// When there is no runtime to be had.
pub fn run(way: Way, address: SocketAddr, readers: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let (sender, mut words) = mpsc::channel(4);
    std::thread::spawn(move || {
        while let Some(word) = helper::hear() {
            if sender.blocking_send(word).is_err() {
                return;
            }
        }
    });
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let mut shared = Shared::new(address);
        if way == Way::Whep {
            shared.identity = Some(whep::Identity::generate()?);
        }
        let shared = Rc::new(shared);
        for index in 0..readers {
            let start = way.arrival(readers) * u32::try_from(index).unwrap_or(u32::MAX)
                / u32::try_from(readers).unwrap_or(u32::MAX);
            tokio::task::spawn_local(read(way, shared.clone(), start));
        }
        tokio::time::sleep(way.arrival(readers)).await;
        helper::say("ready")?;
        while let Some(word) = words.recv().await {
            match word.as_str() {
                "begin" => shared.tally.begin(),
                "end" => {
                    let report = shared.tally.report(way.patience());
                    let text = serde_json::to_string(&report).context("cannot report")?;
                    return helper::say(&text);
                }
                _ => {}
            }
        }
        Ok(())
    })
}

/// Runs `visit` with a connection to the HTTP server at `address`.
pub(crate) fn with_client<T>(
    address: SocketAddr,
    visit: impl AsyncFnOnce(&mut http::Client<'_>) -> Result<T>,
) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(async move {
        let shared = Shared::new(address);
        let mut client = http::Client::connect(&shared).await?;
        visit(&mut client).await
    })
}

/// What all readers of the process use.
pub(crate) struct Shared {
    address: SocketAddr,
    tally: Tally,
    buffer: RefCell<Vec<u8>>,
    /// What readers by WHEP show the server.
    identity: Option<whep::Identity>,
}

async fn read(way: Way, shared: Rc<Shared>, start: Duration) {
    tokio::time::sleep(start).await;
    let end = match way {
        Way::Rtmp => rtmp::play(&shared).await,
        Way::Flv => flv::play(&shared).await,
        Way::Rtsp => rtsp::play(&shared, false).await,
        Way::RtspUdp => rtsp::play(&shared, true).await,
        Way::Raw => rtmp::take(&shared).await,
        Way::Whep => whep::view(&shared).await,
        Way::Secret => datagrams::take(&shared, true).await,
        Way::Plain => datagrams::take(&shared, false).await,
        Way::Hls => hls::view(&shared).await,
        Way::LowLatency => low_latency::view(&shared, true).await,
        Way::LowLatencyFiles => low_latency::view(&shared, false).await,
    };
    if let Err(error) = end {
        shared.tally.lost(&error);
    }
}

impl Shared {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            tally: Tally::default(),
            buffer: RefCell::new(vec![0; BUFFER]),
            identity: None,
        }
    }

    async fn connect(&self) -> Result<TcpStream> {
        let socket = TcpStream::connect(self.address)
            .await
            .context("cannot connect")?;
        socket
            .set_nodelay(true)
            .context("cannot set up a connection")?;
        Ok(socket)
    }

    /// Reads once into the common buffer and passes on what came.
    async fn read<T>(&self, socket: &mut TcpStream, take: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let mut take = Some(take);
        poll_fn(|context| {
            let mut buffer = self.buffer.borrow_mut();
            let mut buffer = ReadBuf::new(&mut buffer);
            // Not `try_read`: this one knows that a read that did not fill the buffer emptied the socket.
            Pin::new(&mut *socket)
                .poll_read(context, &mut buffer)
                .map(|result| {
                    result.context("the connection broke")?;
                    let bytes = buffer.filled();
                    self.tally.bytes(bytes.len());
                    match take.take() {
                        Some(take) if !bytes.is_empty() => Ok(take(bytes)),
                        _ => Err(Error::new("the server closed the connection")),
                    }
                })
        })
        .await
    }
}

/// A moment that is noted once.
#[derive(Debug, Default)]
struct Once(Cell<bool>);

impl Once {
    /// True the first time.
    fn first(&self) -> bool {
        !self.0.replace(true)
    }
}
