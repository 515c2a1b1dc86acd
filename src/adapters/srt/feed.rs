//! Sends a stream through a link, in messages of seven transport packets.

use super::connections::Entry;
use super::link::Link;
use crate::hub::Ended;
use crate::hub::ring::Skip;
use crate::transport::{Packaged, PackagedReader};
use bytes::Bytes;
use mpegts::packet::SIZE;
use srt::{CloseReason, SendError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Bytes of a message: what receivers have room for. A smaller payload of the connection cuts it further.
const MESSAGE: usize = 7 * SIZE;

/// Who begins is sent the stream's newest part at once, but not faster than so many bytes in so long: what lies on the
/// way holds no more, and what is lost there all at the same time cannot be sent again in time.
const BURST: usize = 64 << 10;
const PACE: Duration = Duration::from_millis(4);

/// What may be sent now.
struct Pace {
    left: usize,
    /// When there is more.
    again: Instant,
}

/// What is told of the sending.
pub(super) enum Told<'a> {
    /// So many access units have been handed over, as so many bytes.
    Sent(usize, usize),
    /// The far side was too slow, and misses these.
    Skipped(&'a Skip),
}

/// Why sending is over.
pub(super) enum Over {
    /// The stream ended; where it was not stopped, the far side has been sent all of it.
    Stream,
    /// The connection.
    Connection(CloseReason),
}

/// Sends until the stream or the connection ends.
pub(super) async fn feed(
    mut link: Link,
    mut reader: PackagedReader,
    entry: &mut Entry,
    mut tell: impl FnMut(Told<'_>),
) -> Over {
    // What has not found room yet. A far side that is too slow makes this reader skip, and nobody else.
    let mut waiting = Bytes::new();
    let mut next = None;
    let mut pace = Pace {
        left: 0,
        again: Instant::now(),
    };
    loop {
        match next.take() {
            Some(Packaged::Chunk(chunk)) => {
                tell(Told::Sent(chunk.units, chunk.data.len()));
                waiting = chunk.data;
            }
            Some(Packaged::Skipped(skip)) => tell(Told::Skipped(&skip)),
            Some(Packaged::Ended(Ended::Stopped)) => return Over::Stream,
            Some(Packaged::Ended(Ended::Finished)) => {
                link.finish().await;
                return Over::Stream;
            }
            None => {}
        }
        let is_full = !send(&mut link, &mut waiting, &mut pace);
        if !is_full {
            next = reader.try_next();
            if next.is_some() {
                continue;
            }
        }
        if let Err(reason) = link.pump() {
            return Over::Connection(reason);
        }
        // What a reader says besides is nothing to us.
        link.received.clear();
        entry.note(&link);
        tokio::select! {
            () = link.wait() => {}
            item = reader.next(), if !is_full => next = Some(item),
            () = sleep_until(pace.again), if pace.left == 0 => {}
        }
    }
}

/// Hands over what is waiting. False when there is no room for all of it, or it is not its time.
fn send(link: &mut Link, waiting: &mut Bytes, pace: &mut Pace) -> bool {
    let now = Instant::now();
    if pace.again <= now {
        (pace.left, pace.again) = (BURST, now + PACE);
    }
    while !waiting.is_empty() {
        let length = waiting.len().min(MESSAGE);
        if pace.left == 0 || link.send(&waiting.slice(..length)) == Err(SendError::Full) {
            return false;
        }
        // What the connection does not take for other reasons is over with it.
        *waiting = waiting.slice(length..);
        pace.left = pace.left.saturating_sub(length);
    }
    true
}
