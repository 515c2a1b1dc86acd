//! Streams as readers of one codec of sound see them, and the register of the bridges that make it so.
//!
//! A bridge's output is a whole stream: its pictures are the hub's own access units, shared and passed on the
//! moment they come, its sound is the bridge's. So whoever sends a stream in a form with Opus reads one thing,
//! in one order, with one generation of tracks and one rule for falling behind, and need not know whether
//! anything was transcoded; the alternative, a second ring with sound alone, would have every fan-out merge
//! two places, two skips and two sets of tracks. Pictures do not wait for sound: between tracks the order is
//! that of arrival, within a track that of decoding.

use super::Sound;
use super::output::{Output, Place};
use super::task;
use crate::hub::{self, Hub, Item, Stream, TrackSet};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// All bridges of the server, at most one for each stream and codec. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bridges {
    register: Arc<Register>,
}

#[derive(Debug)]
struct Register {
    runtime: Handle,
    hub: Hub,
    /// By the address of the stream, which a living bridge keeps, and by what comes out.
    running: Mutex<HashMap<(usize, Sound), Weak<Bridge>>>,
}

/// A running bridge. Dropped with its last reader, it stops.
#[derive(Debug)]
struct Bridge {
    output: Arc<Output>,
    _stop: DropGuard,
}

impl Bridges {
    /// No bridge yet. Their tasks run on `runtime`, from wherever readers come; bounds of memory are
    /// those that the hub has for streams.
    pub fn new(runtime: Handle, hub: Hub) -> Self {
        Self {
            register: Arc::new(Register {
                runtime,
                hub,
                running: Mutex::default(),
            }),
        }
    }

    /// A reader of `stream` whose sound is this. A bridge is started when the stream's tracks turn out to need
    /// one and none is running.
    pub fn reader(&self, stream: &Arc<Stream>, sound: Sound) -> Reader {
        Reader {
            bridges: Some((self.clone(), sound)),
            stream: stream.clone(),
            source: Source::Hub(hub::Reader::new(stream.clone())),
        }
    }

    /// Number of running bridges.
    pub fn running(&self) -> usize {
        let running = self.register.running.lock();
        let running = running.unwrap_or_else(PoisonError::into_inner);
        running
            .values()
            .filter(|bridge| bridge.strong_count() > 0)
            .count()
    }

    fn of(&self, stream: &Arc<Stream>, sound: Sound) -> Arc<Bridge> {
        let register = &self.register;
        let key = (Arc::as_ptr(stream) as usize, sound);
        let mut running = register
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(bridge) = running.get(&key).and_then(Weak::upgrade) {
            return bridge;
        }
        running.retain(|_, bridge| bridge.strong_count() > 0);
        let stop = CancellationToken::new();
        let output = Arc::new(Output::new(register.hub.bounds()));
        let reader = hub::Reader::new(stream.clone());
        register
            .runtime
            .spawn(task::run(sound, reader, output.clone(), stop.clone()));
        let bridge = Arc::new(Bridge {
            output,
            _stop: stop.drop_guard(),
        });
        running.insert(key, Arc::downgrade(&bridge));
        bridge
    }
}

fn needs_bridge(tracks: &TrackSet, sound: Sound) -> bool {
    let mut codecs = tracks.tracks.iter().map(|track| &track.codec);
    codecs.any(|codec| sound.bridges(codec))
}

/// One reader of a stream with one codec for sound, at its own place: a [`hub::Reader`] to whoever uses it.
///
/// As long as the stream's tracks need no bridge it reads the hub itself. Sound that cannot be transcoded is
/// left out.
#[derive(Debug)]
pub struct Reader {
    bridges: Option<(Bridges, Sound)>,
    stream: Arc<Stream>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Hub(hub::Reader),
    Bridge(Arc<Bridge>, Place),
}

impl Reader {
    /// One that reads the stream as it is.
    pub fn plain(stream: &Arc<Stream>) -> Self {
        Self {
            bridges: None,
            stream: stream.clone(),
            source: Source::Hub(hub::Reader::new(stream.clone())),
        }
    }

    /// What comes next, waiting for it. Safe to cancel.
    pub async fn next(&mut self) -> Item {
        loop {
            let item = match &mut self.source {
                Source::Hub(reader) => reader.next().await,
                Source::Bridge(bridge, place) => place.next(&bridge.output).await,
            };
            if !self.takes_the_bridge(&item) {
                return item;
            }
        }
    }

    /// What comes next, if it is there. After the first item of a stream that needs a bridge, that takes as
    /// long as transcoding does.
    pub fn try_next(&mut self) -> Option<Item> {
        loop {
            let item = match &mut self.source {
                Source::Hub(reader) => reader.try_next(),
                Source::Bridge(bridge, place) => place.try_next(&bridge.output),
            }?;
            if !self.takes_the_bridge(&item) {
                return Some(item);
            }
        }
    }

    /// The stream that is read: the hub's, whichever way.
    pub const fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Moves from the hub to the bridge, at the newest random access point, when the tracks want it.
    fn takes_the_bridge(&mut self, item: &Item) -> bool {
        let (Source::Hub(_), Item::Tracks(tracks), Some((bridges, sound))) =
            (&self.source, item, &self.bridges)
        else {
            return false;
        };
        let needed = needs_bridge(tracks, *sound);
        if needed {
            let bridge = bridges.of(&self.stream, *sound);
            let place = Place::new(&bridge.output);
            self.source = Source::Bridge(bridge, place);
        }
        needed
    }
}
