//! Readers that get the signal pushed: players by RTMP, and those of the floor.
//!
//! Both join chunks with the project's own reader, which copies each byte once: little beside what the
//! kernel does, and it understands the compressed headers of other servers.

use super::{Once, Shared, Tally};
use crate::clock;
use crate::error::{Context as _, Error, Result};
use crate::floor;
use crate::publisher;
use crate::servers::STREAM;
use crate::signal::{Stamp, Unit};
use rtmp::Output;
use rtmp::chunk::{Limits, Reader};
use rtmp::client::{Config, Event, Session};
use std::time::Instant;
use tokio::io::AsyncWriteExt as _;

/// A stamp stands this near to the beginning of its access unit.
const NEAR: usize = 64;

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
                    viewer.unit(&payload);
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
                viewer.unit(&message.payload);
            }
            Ok::<_, rtmp::chunk::ChunkError>(())
        });
        read.await?.context("cannot understand the floor")?;
    }
}

/// What one reader has seen.
struct Viewer<'a> {
    tally: &'a Tally,
    progress: std::rc::Rc<super::tally::Progress>,
    connecting: u64,
    picture: Once,
}

impl<'a> Viewer<'a> {
    fn new(tally: &'a Tally) -> Self {
        Self {
            tally,
            progress: tally.reader(),
            connecting: clock::now(),
            picture: Once::default(),
        }
    }

    fn unit(&self, body: &[u8]) {
        let start = body.get(..NEAR).unwrap_or(body);
        if let Some((stamp, _)) = Stamp::find(start) {
            self.tally.unit(&self.progress, &stamp);
            if stamp.unit == Unit::RandomAccess && self.picture.first() {
                self.tally.first_picture(self.connecting);
            }
        }
    }
}
