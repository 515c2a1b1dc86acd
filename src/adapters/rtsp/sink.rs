//! Publishes a stream to another server: ANNOUNCE and RECORD, with the packets on the connection, which may be
//! encrypted or within HTTP, or in datagrams.
//!
//! The stream is read at a place of its own: a server that is slow makes the reader skip, and one that takes
//! nothing is given up; neither is felt elsewhere. Sound waits a moment for the picture that follows it.

use super::cutter::{self, Cutter};
use super::link::{Batch, Link};
use super::source::Source;
use crate::adapters::Feed;
use crate::hub::{Item, TrackSet};
use media::Kind;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Sound waits so long for the next picture.
const SOUND_WAITS: Duration = Duration::from_millis(20);

/// What is gathered for one write ends at so many bytes.
const MAX_BATCH: usize = 256 << 10;

/// Publishes until the stream ends. The server has `limit` for each answer.
pub(super) async fn push(source: &Source, feed: &Feed, limit: Duration) -> Result<(), String> {
    let tracks = feed.stream.snapshot().tracks;
    let sections = cutter::sections(&tracks);
    if sections.is_empty() {
        return Err("the stream has nothing that is carried by RTP".to_owned());
    }
    let mut link = Link::open(source, feed, &sections, limit).await?;
    feed.progress.set_connection(Some(link.ends()));
    feed.progress.set_live();
    let mut cutter = Cutter::new(&feed.stream, &sections, link.max_payload());
    let mut reader = feed.reader();
    let mut current: Option<Arc<TrackSet>> = None;
    let mut batch = Batch::default();
    let (mut units, mut is_due) = (0, false);
    let mut due: Option<Instant> = None;
    loop {
        let until = link.talk().await?;
        let mut next = tokio::select! {
            item = reader.next() => Some(item),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => None,
            heard = link.hear(until) => {
                heard?;
                continue;
            }
        };
        let mut ended = false;
        while let Some(item) = next {
            match item {
                Item::Tracks(new) => {
                    if let Some(words) = cutter::breaks(&tracks, &new) {
                        return Err(words.to_owned());
                    }
                    current = Some(new);
                }
                Item::Unit(unit) => {
                    if let Some(tracks) = &current {
                        cutter.cut(tracks, &unit, |packet| link.put(&mut batch, &packet));
                        let video = tracks.first(Kind::Video).map(|video| video.id);
                        units += 1;
                        is_due |= video.is_none_or(|video| video == unit.track);
                    }
                }
                Item::Skipped(skip) => {
                    feed.progress.skipped(skip.entries);
                    feed.stream.note_skip("rtsp_target", &source.place(), &skip);
                }
                Item::Ended(_) => ended = true,
            }
            if ended || batch.len() >= MAX_BATCH {
                break;
            }
            next = reader.try_next();
        }
        let waited = due.is_some_and(|due| due <= Instant::now());
        if !is_due && !ended && !waited && batch.len() < MAX_BATCH {
            if batch.len() > 0 {
                due.get_or_insert_with(|| Instant::now() + SOUND_WAITS);
            }
            continue;
        }
        due = None;
        let sent = std::mem::take(&mut batch);
        link.send(&sent).await?;
        feed.progress
            .sent(std::mem::take(&mut units), sent.len() as u64);
        is_due = false;
        if ended {
            return link.finish().await;
        }
    }
}
