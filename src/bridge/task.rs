//! The one task of a bridge: reads the stream as any reader does and fills the [`Output`].
//!
//! It is an ordinary task of the server's runtime. A packet of 20 ms costs some tenths of a millisecond, about
//! one percent of a core for a stream, so there is nothing to move to a thread of its own; between packets it
//! yields, so that catching up with a long GOP does not hold the runtime's thread.

use super::output::Output;
use super::{Sound, Transcoder};
use crate::hub::{Ended, Item, Reader, StreamName, TrackSet};
use media::{AccessUnit, Track, TrackId};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Runs until the stream ends or `stop` is cancelled.
pub(super) async fn run(
    sound: Sound,
    mut reader: Reader,
    output: Arc<Output>,
    stop: CancellationToken,
) {
    let name = reader.stream().name().clone();
    // Whatever happens here, no reader waits for ever.
    let end = End(output.clone());
    let mut work = Work::new(sound, name.clone(), output);
    tracing::info!(stream = %name, "sound is made {}", sound.name());
    let reason = loop {
        let item = tokio::select! {
            biased;
            () = stop.cancelled() => break None,
            item = reader.next() => item,
        };
        match item {
            Item::Tracks(tracks) => work.set_tracks(&tracks),
            Item::Unit(unit) => {
                if work.take(unit) {
                    tokio::task::yield_now().await;
                }
            }
            Item::Skipped(skip) => {
                reader.stream().note_skip("bridge", &"transcoding", &skip);
            }
            Item::Ended(ended) => break Some(ended),
        }
    };
    work.flush(|_| true);
    for transcoder in &work.transcoders {
        let statistics = transcoder.statistics();
        tracing::info!(stream = %name, track = transcoder.track().id.0, ?statistics, "sound was made {}", sound.name());
    }
    if let Some(reason) = reason {
        end.0.end(reason);
    }
}

struct End(Arc<Output>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end(Ended::Finished);
    }
}

/// What a bridge does with the items of its stream, apart from waiting for them.
struct Work {
    sound: Sound,
    name: StreamName,
    output: Arc<Output>,
    /// Tracks of the output.
    tracks: Arc<TrackSet>,
    transcoders: Vec<Transcoder>,
    /// Time of the newest packet of each track, in ticks of what comes out. A transcoder that follows another must
    /// not go back behind it.
    newest: Vec<(TrackId, i64)>,
}

impl Work {
    fn new(sound: Sound, name: StreamName, output: Arc<Output>) -> Self {
        Self {
            sound,
            name,
            output,
            tracks: Arc::new(TrackSet {
                generation: 0,
                tracks: Vec::new(),
            }),
            transcoders: Vec::new(),
            newest: Vec::new(),
        }
    }

    /// The source's tracks are these from now on. A transcoder whose track has not changed goes on.
    fn set_tracks(&mut self, source: &TrackSet) {
        let goes_on = |transcoder: &Transcoder| source.tracks.contains(transcoder.source());
        self.flush(|transcoder| !goes_on(transcoder));
        self.transcoders.retain(goes_on);
        let tracks = source
            .tracks
            .iter()
            .filter_map(|track| self.derive(track))
            .collect();
        self.tracks = Arc::new(TrackSet {
            generation: source.generation,
            tracks,
        });
    }

    /// The track that stands for one of the source; none if that cannot be transcoded.
    fn derive(&mut self, track: &Track) -> Option<Track> {
        if !self.sound.bridges(&track.codec) {
            return Some(track.clone());
        }
        let known = self
            .transcoders
            .iter()
            .find(|known| known.source() == track);
        if let Some(known) = known {
            return Some(known.track().clone());
        }
        match Transcoder::new(track, self.sound) {
            Ok(transcoder) => {
                let derived = transcoder.track().clone();
                self.transcoders.push(transcoder);
                Some(derived)
            }
            Err(reason) => {
                tracing::warn!(stream = %self.name, track = track.id.0, %reason, "sound is left out for readers of {}", self.sound.name());
                None
            }
        }
    }

    /// Passes a unit on, or what becomes of it. True when there was work to do for it.
    fn take(&mut self, unit: Arc<AccessUnit>) -> bool {
        let transcoder = self
            .transcoders
            .iter_mut()
            .find(|transcoder| transcoder.source().id == unit.track);
        let Some(transcoder) = transcoder else {
            self.output.push(&self.tracks, unit);
            return false;
        };
        transcoder.push(&unit);
        pass_on(transcoder, &self.tracks, &self.output, &mut self.newest);
        true
    }

    /// Completes the sound of those transcoders.
    fn flush(&mut self, which: impl Fn(&Transcoder) -> bool) {
        for transcoder in self.transcoders.iter_mut().filter(|one| which(one)) {
            transcoder.flush();
            pass_on(transcoder, &self.tracks, &self.output, &mut self.newest);
        }
    }
}

fn pass_on(
    transcoder: &mut Transcoder,
    tracks: &Arc<TrackSet>,
    output: &Output,
    newest: &mut Vec<(TrackId, i64)>,
) {
    while let Some(packet) = transcoder.pull() {
        let known = newest.iter_mut().find(|(track, _)| *track == packet.track);
        match known {
            Some((_, time)) if packet.dts <= *time => continue,
            Some((_, time)) => *time = packet.dts,
            None => newest.push((packet.track, packet.dts)),
        }
        output.push(tracks, Arc::new(packet));
    }
}
