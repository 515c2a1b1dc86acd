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

/// How much faster than time goes by the stream is sent at most. A player that begins is sent what is past at once: as
/// fast as the machine can, a line that is not much wider than the stream would lose most of it.
const HASTE: u32 = 2;

/// No time between two chunks counts for more, in 1/90,000 s.
const LONGEST_STEP: i64 = 90_000;

/// As long as the round trip is not known, no more than so many bytes leave in so long: both ends mend losses by a guess
/// then, which for much at once is too slow.
const TRICKLE: usize = 16 << 10;
const TRICKLE_TIME: Duration = Duration::from_millis(10);

/// How long the round trip is waited for.
const LEARNING: Duration = Duration::from_millis(250);

/// How much may leave, and when.
struct Pace {
    begun: Instant,
    /// When the newest chunk may leave.
    due: Instant,
    /// The latest time of all chunks, in 1/90,000 s.
    time: Option<i64>,
    /// What is left of the trickle, until there is more.
    left: usize,
    more: Instant,
}

impl Pace {
    fn new() -> Self {
        let begun = Instant::now();
        Self {
            begun,
            due: begun,
            time: None,
            left: 0,
            more: begun,
        }
    }

    fn next(&mut self, time: i64) {
        let latest = self.time.map_or(time, |latest| latest.max(time));
        let before = self.time.replace(latest).unwrap_or(latest);
        let step = (latest - before).min(LONGEST_STEP);
        let step = Duration::from_secs(1) * u32::try_from(step).unwrap_or(0) / 90_000;
        // What comes as time goes by is due at once.
        self.due = (self.due + step / HASTE).max(Instant::now());
    }

    /// Sends of what is waiting what may leave.
    ///
    /// # Errors
    /// When more may leave, where that is what it waits for, and not for the connection.
    fn send(&mut self, link: &mut Link, waiting: &mut Bytes) -> Result<(), Option<Instant>> {
        let now = Instant::now();
        let is_learning = !link.knows_round_trip() && self.begun + LEARNING > now;
        if is_learning && self.more <= now {
            (self.left, self.more) = (TRICKLE, now + TRICKLE_TIME);
        }
        while !waiting.is_empty() {
            if self.due > now {
                return Err(Some(self.due));
            }
            if is_learning && self.left == 0 {
                return Err(Some(self.more));
            }
            let length = waiting.len().min(MESSAGE);
            if link.send(&waiting.slice(..length)) == Err(SendError::Full) {
                return Err(None);
            }
            // What the connection does not take for other reasons is over with it.
            *waiting = waiting.slice(length..);
            self.left = self.left.saturating_sub(length);
        }
        Ok(())
    }
}

/// What is told of the sending.
pub(super) enum Told<'a> {
    /// So many access units have been handed over, as so many bytes.
    Sent(usize, usize),
    /// The far side was too slow, and misses these.
    Skipped(&'a Skip),
    /// The way there and back takes so long.
    RoundTrip(Duration),
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
    let mut pace = Pace::new();
    loop {
        match next.take() {
            Some(Packaged::Chunk(chunk)) => {
                tell(Told::Sent(chunk.units, chunk.data.len()));
                pace.next(chunk.time);
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
        let sent = pace.send(&mut link, &mut waiting);
        if sent.is_ok() {
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
        if entry.note(&link).is_some()
            && let Some(time) = entry.round_trip()
        {
            tell(Told::RoundTrip(time));
        }
        let more = sent.err().flatten();
        tokio::select! {
            () = link.wait() => {}
            item = reader.next(), if sent.is_ok() => next = Some(item),
            () = sleep_until(more.unwrap_or_else(Instant::now)), if more.is_some() => {}
        }
    }
}
