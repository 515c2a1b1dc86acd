//! Readers that get the signal pushed: players by RTMP, and those of the floor.
//!
//! Both join chunks with the project's own reader, which copies each byte once: little beside what the
//! kernel does, and it understands the compressed headers of other servers.

use super::Shared;
use super::viewer::Viewer;
use crate::error::{Context as _, Error, Result};
use crate::floor;
use crate::publisher;
use crate::servers::STREAM;
use rtmp::Output;
use rtmp::chunk::{Limits, Reader};
use rtmp::client::{Config, Event, Session};
use std::time::Instant;
use tokio::io::AsyncWriteExt as _;

/// Plays by RTMP until the connection ends, which is an error.
pub(super) async fn play(shared: &Shared) -> Result<()> {
    let viewer = Viewer::new(&shared.tally);
    let mut socket = shared.connect().await?;
    let connect = publisher::connect(shared.address);
    let mut session = Session::new(Instant::now(), Config::default(), connect);
    session
        .play(Instant::now(), STREAM)
        .context("cannot play")?;
    loop {
        loop {
            match session.poll_output() {
                Output::Transmit(bytes) => {
                    socket
                        .write_all(&bytes)
                        .await
                        .context("the connection broke")?;
                }
                Output::Event(Event::Audio { payload, .. } | Event::Video { payload, .. }) => {
                    take_unit(&viewer, &payload);
                }
                Output::Event(Event::Rejected { code, .. }) => {
                    return Err(Error::new(format!("the server refuses to play ({code})")));
                }
                Output::Event(Event::Closed { .. }) => {
                    return Err(Error::new("the server ended the stream"));
                }
                Output::Event(_) => {}
                Output::Timeout(_) => break,
            }
        }
        let heard = shared
            .read(&mut socket, |bytes| {
                session.handle_input(Instant::now(), bytes)
            })
            .await?;
        heard.context("cannot understand the server")?;
    }
}

/// Takes what the floor sends until the connection ends, which is an error.
pub(super) async fn take(shared: &Shared) -> Result<()> {
    let viewer = Viewer::new(&shared.tally);
    let mut socket = shared.connect().await?;
    let mut reader = Reader::new(Limits::default());
    reader.set_chunk_size(floor::CHUNK_SIZE);
    loop {
        let read = shared.read(&mut socket, |mut bytes| {
            while let Some(message) = reader.read(&mut bytes)? {
                take_unit(&viewer, &message.payload);
            }
            Ok::<_, rtmp::chunk::ChunkError>(())
        });
        read.await?.context("cannot understand the floor")?;
    }
}

fn take_unit(viewer: &Viewer<'_>, body: &[u8]) {
    if let Some(stamp) = Viewer::stamp(body) {
        viewer.unit(&stamp);
    }
}
