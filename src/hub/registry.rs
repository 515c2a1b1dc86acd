//! All streams by name, and what happens to a name when publishers come and go.

use super::demand::Offers;
use super::ring::Bounds;
use super::stream::Origin;
use super::{Current, Ended, Publisher, Stream, StreamName, Taken, Totals, Viewers, Viewing};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};

/// Changes that may wait for a slow listener; one that is further behind is told so and looks for itself.
const CHANGES: usize = 1_024;

/// As [`CHANGES`], of viewers.
const VIEWING: usize = 4_096;

/// When a second publisher of a name replaces the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Takeover {
    /// When the first has sent nothing for [`Settings::silence`].
    #[default]
    Silent,
    /// At once.
    Always,
    /// Not while the first is connected.
    Never,
}

/// Bounds and rules that hold for every stream.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Memory of each stream and of its readers.
    pub bounds: Bounds,
    /// Most streams at a time.
    pub max_streams: usize,
    /// When a second publisher replaces the first.
    pub takeover: Takeover,
    /// A publisher that has sent nothing for so long is silent.
    pub silence: Duration,
    /// How long a stream waits for its publisher to come back.
    pub grace: Duration,
    /// Streams are worked on rather than watched. Never on a server, where a reader could hold up a stream.
    pub offline: Option<Offline>,
}

/// How streams are worked on: readers get everything from the first unit on, publishers wait for them where they ask
/// for room ([`Publisher::room`]), and times are those of the source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offline {
    /// There is room for a unit no sooner than its time comes.
    pub realtime: bool,
    /// Streams end after so much media.
    pub longest: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            max_streams: 10_000,
            takeover: Takeover::Silent,
            silence: Duration::from_secs(5),
            grace: Duration::from_secs(10),
            offline: None,
        }
    }
}

/// Something happened to a stream.
#[derive(Clone, Debug)]
pub enum Change {
    /// A publisher has the stream now; it may be a new stream or one that goes on.
    Published(Arc<Stream>),
    /// The publisher is gone, the stream waits for another.
    Interrupted(Arc<Stream>),
    /// The stream is over and its name free.
    Ended(Arc<Stream>, Ended),
}

/// All streams by name.
#[derive(Clone, Debug)]
pub struct Hub {
    pub(super) register: Arc<Register>,
}

/// What publishers need of the hub after they have their stream.
#[derive(Debug)]
pub(super) struct Register {
    settings: Current<Settings>,
    totals: Totals,
    streams: Mutex<HashMap<StreamName, Arc<Stream>>>,
    /// Names of streams that wait also for a publisher that said goodbye.
    held: Mutex<HashSet<StreamName>>,
    next_publisher: AtomicU64,
    changes: broadcast::Sender<Change>,
    viewing: broadcast::Sender<Viewing>,
    /// Streams end because the server does.
    is_closing: AtomicBool,
    /// Notified when a stream has a publisher, and when somebody is turned away.
    pub(super) appeared: Notify,
    pub(super) offers: Offers,
}

impl Hub {
    /// An empty hub.
    pub fn new(settings: Settings) -> Self {
        let register = Register {
            settings: Current::new(settings),
            totals: Totals::default(),
            streams: Mutex::default(),
            held: Mutex::default(),
            next_publisher: AtomicU64::new(1),
            changes: broadcast::Sender::new(CHANGES),
            viewing: broadcast::Sender::new(VIEWING),
            is_closing: AtomicBool::new(false),
            appeared: Notify::new(),
            offers: Offers::default(),
        };
        Self {
            register: Arc::new(register),
        }
    }

    /// Makes the caller the publisher of `name`: of a new stream, of one that waits for its publisher to
    /// come back, or in place of a publisher that has fallen silent.
    ///
    /// # Errors
    /// [`Taken`] when the name has a publisher that is not replaced, or there are too many streams.
    pub fn publish(&self, name: &StreamName, origin: &Origin) -> Result<Publisher, Taken> {
        self.publish_after(name, origin, None)
    }

    /// As [`Hub::publish`], and takes over at once from the publisher of the number `own`, if that has it:
    /// both are the caller's.
    ///
    /// # Errors
    /// As [`Hub::publish`].
    pub fn publish_after(
        &self,
        name: &StreamName,
        origin: &Origin,
        own: Option<u64>,
    ) -> Result<Publisher, Taken> {
        let register = &self.register;
        let settings = register.settings.get();
        let number = register.next_publisher.fetch_add(1, Ordering::Relaxed);
        let mut streams = register.lock();
        let known = streams.get(name);
        if let Some(silence) = known.and_then(|stream| stream.silence()) {
            let replace = match settings.takeover {
                Takeover::Silent => silence >= settings.silence,
                Takeover::Always => true,
                Takeover::Never => false,
            };
            let is_own = own.is_some() && known.and_then(|stream| stream.publisher()) == own;
            if !replace && !is_own {
                return Err(Taken::Publishing(name.clone()));
            }
        }
        let stream = match known.filter(|stream| stream.continue_with(number, origin.clone())) {
            Some(stream) => stream.clone(),
            None => {
                if known.is_none() && streams.len() >= settings.max_streams {
                    return Err(Taken::Full(streams.len()));
                }
                let viewers = Viewers::new(register.viewing.clone());
                let totals = register.totals.clone();
                let origin = origin.clone();
                let stream = Stream::new(name.clone(), &settings, totals, origin, number, viewers);
                let stream = Arc::new(stream);
                streams.insert(name.clone(), stream.clone());
                stream
            }
        };
        drop(streams);
        register.tell(Change::Published(stream.clone()));
        register.appeared.notify_waiters();
        Ok(Publisher::new(stream, register.clone(), number))
    }

    /// What has gone through it.
    pub fn totals(&self) -> &Totals {
        &self.register.totals
    }

    /// Bounds of memory for what begins now.
    pub fn bounds(&self) -> Bounds {
        self.register.settings.get().bounds
    }

    /// Other settings, for streams and publishers that come from now on.
    pub fn set_settings(&self, settings: Settings) {
        self.register.settings.set(settings);
    }

    /// Streams of that name wait, from now on or no longer, for another publisher also when one says goodbye: somebody
    /// stands in for it.
    pub fn hold(&self, name: &StreamName, holds: bool) {
        let mut held = self.register.held();
        match holds {
            true => held.insert(name.clone()),
            false => held.remove(name),
        };
    }

    /// Makes the caller publish a stream that waits for its publisher, until one comes. None where no stream waits, or
    /// it has not been live.
    pub fn stand_in(&self, name: &StreamName) -> Option<Publisher> {
        let stream = self.get(name)?;
        let register = self.register.clone();
        let number = register.next_publisher.fetch_add(1, Ordering::Relaxed);
        let kicked = stream.stand_in(number)?;
        Some(Publisher::kicked_by(stream, register, number, kicked))
    }

    /// Whether streams are worked on rather than watched ([`Settings::offline`]).
    pub fn is_offline(&self) -> bool {
        self.register.settings.get().offline.is_some()
    }

    /// The stream of that name, if it exists now.
    pub fn get(&self, name: &StreamName) -> Option<Arc<Stream>> {
        self.register.lock().get(name).cloned()
    }

    /// Waits until a stream of that name exists.
    pub async fn wait(&self, name: &StreamName) -> Arc<Stream> {
        loop {
            let mut appeared = std::pin::pin!(self.register.appeared.notified());
            appeared.as_mut().enable();
            if let Some(stream) = self.get(name) {
                return stream;
            }
            appeared.await;
        }
    }

    /// All streams, in the order of their names.
    pub fn list(&self) -> Vec<Arc<Stream>> {
        let mut streams: Vec<_> = self.register.lock().values().cloned().collect();
        streams.sort_by(|a, b| a.name().cmp(b.name()));
        streams
    }

    /// Ends a stream, disconnects its publisher, and refuses those who wait for it. False when there is none
    /// of that name.
    pub fn stop(&self, name: &StreamName) -> bool {
        let stream = self.register.lock().remove(name);
        self.turn_away(name);
        let is_there = stream.is_some();
        if let Some(stream) = stream {
            self.register.stop(stream);
        }
        is_there
    }

    /// Ends every stream, since the server ends.
    pub fn close(&self) {
        self.register.is_closing.store(true, Ordering::Relaxed);
        for stream in self.list() {
            self.stop(stream.name());
        }
    }

    /// Whether streams end because the server does: it may be there again soon.
    pub fn is_closing(&self) -> bool {
        self.register.is_closing.load(Ordering::Relaxed)
    }

    /// Viewers that come and go from now on.
    pub fn viewing(&self) -> broadcast::Receiver<Viewing> {
        self.register.viewing.subscribe()
    }

    /// What happens from now on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.register.changes.subscribe()
    }
}

impl Register {
    /// The stream is over, unless another publisher has it.
    pub(super) fn finish(&self, stream: &Arc<Stream>, publisher: u64, reason: Ended) {
        let mut streams = self.lock();
        if !stream.finish(publisher, reason) {
            return;
        }
        if streams
            .get(stream.name())
            .is_some_and(|known| Arc::ptr_eq(known, stream))
        {
            streams.remove(stream.name());
        }
        drop(streams);
        self.tell(Change::Ended(stream.clone(), reason));
    }

    /// A publisher says that the source is over.
    pub(super) fn leave(self: &Arc<Self>, stream: &Arc<Stream>, publisher: u64) {
        match self.held().contains(stream.name()) {
            true => self.interrupt(stream, publisher),
            false => self.finish(stream, publisher, Ended::Finished),
        }
    }

    fn held(&self) -> MutexGuard<'_, HashSet<StreamName>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A publisher went without a word: its stream waits for the grace time.
    pub(super) fn interrupt(self: &Arc<Self>, stream: &Arc<Stream>, publisher: u64) {
        if !stream.interrupt(publisher) {
            return;
        }
        self.tell(Change::Interrupted(stream.clone()));
        let (register, stream) = (self.clone(), stream.clone());
        let grace = async move {
            tokio::time::sleep(register.settings.get().grace).await;
            register.finish(&stream, publisher, Ended::Finished);
        };
        // Without a runtime the process is on its way out, and its streams with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(grace);
        }
    }

    /// Ends a stream that has left the register.
    pub(super) fn stop(&self, stream: Arc<Stream>) {
        stream.stop();
        self.tell(Change::Ended(stream, Ended::Stopped));
    }

    fn tell(&self, change: Change) {
        // No listener is no error.
        let _ = self.changes.send(change);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Stream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
