//! A viewer by HLS that knows nothing of low latency: it reloads its playlists each target duration and
//! fetches the new segments of both renditions, one request after another on one connection.

use super::http::Client;
use super::playlist::{Media, renditions, resolve};
use super::tally::Progress;
use super::{Once, Shared};
use crate::clock;
use crate::error::Result;
use crate::servers;
use crate::signal::{Scanner, Stamp, Unit};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A player starts so many segments before the end (RFC 8216 section 6.3.3).
const START: usize = 3;

/// Views until something fails.
pub(super) async fn view(shared: &Shared) -> Result<()> {
    let eye = Eye::new(shared);
    let mut client = Client::connect(shared).await?;
    let multivariant = client.text(&servers::playlist_path()).await?;
    let mut renditions: Vec<Rendition> = renditions(&multivariant)
        .iter()
        .map(|uri| Rendition {
            path: resolve(&servers::playlist_path(), uri),
            map: None,
            next: None,
        })
        .collect();
    loop {
        let loaded = Instant::now();
        let mut target = 1;
        let mut changed = false;
        for rendition in &mut renditions {
            let media = Media::parse(&client.text(&rendition.path).await?);
            target = media.target.max(1);
            changed |= rendition.fetch(&mut client, media, &eye).await?;
        }
        // A playlist that has not changed is tried again after half the time (section 6.3.4).
        let pause = Duration::from_secs(target) / if changed { 1 } else { 2 };
        sleep_until(loaded + pause).await;
    }
}

/// One of the stream's renditions.
struct Rendition {
    path: String,
    map: Option<String>,
    /// Number of the segment that comes next.
    next: Option<u64>,
}

impl Rendition {
    /// Fetches what is new; false if nothing is.
    async fn fetch(
        &mut self,
        client: &mut Client<'_>,
        media: Media,
        eye: &Eye<'_>,
    ) -> Result<bool> {
        if self.map != media.map
            && let Some(map) = &media.map
        {
            client.get(&resolve(&self.path, map), |_| {}).await?;
        }
        self.map = media.map;
        let start = media.segments.len().saturating_sub(START);
        let first = media.segments.get(start).map_or(0, |(number, _)| *number);
        let next = *self.next.get_or_insert(first);
        let new = media.segments.iter().filter(|(number, _)| *number >= next);
        let mut changed = false;
        for (number, uri) in new {
            eye.fetch(client, &resolve(&self.path, uri)).await?;
            self.next = Some(number + 1);
            changed = true;
        }
        Ok(changed)
    }
}

/// Sees what is in the files of one viewer.
pub(super) struct Eye<'a> {
    shared: &'a Shared,
    progress: Rc<Progress>,
    connecting: u64,
    picture: Once,
}

impl<'a> Eye<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            progress: shared.tally.reader(),
            connecting: clock::now(),
            picture: Once::default(),
        }
    }

    /// Fetches a segment or part; what is in it counts as received once all of it is there.
    pub(super) async fn fetch(&self, client: &mut Client<'_>, path: &str) -> Result<()> {
        let mut scanner = Scanner::default();
        let mut stamps: Vec<Stamp> = Vec::new();
        client
            .get(path, |piece| {
                scanner.scan(piece, |stamp| stamps.push(stamp));
            })
            .await?;
        for stamp in &stamps {
            self.shared.tally.unit(&self.progress, stamp);
            if stamp.unit == Unit::RandomAccess && self.picture.first() {
                self.shared.tally.first_picture(self.connecting);
            }
        }
        Ok(())
    }
}
