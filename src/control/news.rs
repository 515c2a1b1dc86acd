//! What happens to broadcasts, told to whoever wants to hear it. Nobody waits for who hears.

use super::recordings::vod::Vod;
use super::targets::TargetView;
use super::{Control, View};
use crate::adapters::onvif::events::Event;
use crate::hub::{Stream, StreamName};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::broadcast;

/// News that may wait for who hears them; who is further behind misses the oldest, and is told so.
const WAITING: usize = 4_096;

/// Something happened.
#[derive(Clone, Debug)]
pub struct News {
    /// When.
    pub at: SystemTime,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// The server runs.
    Started,
    /// The server ends.
    Stopping,
    /// Somebody publishes a stream that was not there.
    Published(Box<View>),
    /// A stream lets viewers in.
    Live(Box<View>),
    /// A stream is over: what was known of it last. One whose publisher comes back in time is not.
    Ended(Box<View>),
    /// A source failed, and is tried again: why. Told once for each outage and reason.
    SourceFailed(StreamName, String),
    /// Something about a target of that stream.
    Target(StreamName, Box<TargetView>, TargetNews),
    /// A recording is complete.
    Recorded(Box<Vod>),
    /// A camera has noticed something.
    Noticed(StreamName, Box<Event>),
}

/// What happened to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetNews {
    /// It takes the stream.
    Live,
    /// It no longer does.
    Ended,
    /// It was connected in vain as often as that may be, and is not told of again until it has been live.
    Failed,
}

/// Where news are told. Clones share it.
#[derive(Clone, Debug)]
pub struct Outlet(broadcast::Sender<Arc<News>>);

impl Default for Outlet {
    fn default() -> Self {
        Self(broadcast::Sender::new(WAITING))
    }
}

impl Outlet {
    pub(super) fn tell(&self, what: What) {
        let at = SystemTime::now();
        // That nobody hears is no fault.
        let _ = self.0.send(Arc::new(News { at, what }));
    }
}

/// The streams whose life is being told, until it has been told to its end.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<StreamName, Arc<Stream>>);

impl Told {
    /// Forgets a stream that is over.
    pub(super) fn forget(&mut self, stream: &Arc<Stream>) {
        let is_same = |known: &Arc<Stream>| Arc::ptr_eq(known, stream);
        if self.0.get(stream.name()).is_some_and(is_same) {
            self.0.remove(stream.name());
        }
    }

    /// Forgets all streams that are over.
    pub(super) fn forget_ended(&mut self) {
        self.0.retain(|_, stream| stream.ended().is_none());
    }
}

impl Control {
    /// What happens from now on.
    pub fn news(&self) -> broadcast::Receiver<Arc<News>> {
        self.outlet().0.subscribe()
    }

    /// Whether news wait for who hears them.
    pub fn has_news(&self) -> bool {
        !self.outlet().0.is_empty()
    }

    /// Tells that the server runs.
    pub fn tell_started(&self) {
        self.outlet().tell(What::Started);
    }

    pub(super) fn outlet(&self) -> &Outlet {
        self.shared.supervisor.outlet()
    }

    /// Has the life of a stream told, unless it is already: its publisher may only have changed.
    pub(super) fn tell_life(&self, told: &mut Told, stream: &Arc<Stream>) {
        let is_same = |known: &Arc<Stream>| Arc::ptr_eq(known, stream);
        if told.0.get(stream.name()).is_some_and(is_same) {
            return;
        }
        told.0.insert(stream.name().clone(), stream.clone());
        tokio::spawn(self.clone().follow_life(stream.clone()));
    }

    async fn follow_life(self, stream: Arc<Stream>) {
        let mut last = self.view_of(&stream, None);
        self.outlet().tell(What::Published(last.clone().into()));
        if stream.ready().await.is_ok() {
            last = self.view_of(&stream, Some(&last));
            self.outlet().tell(What::Live(last.clone().into()));
        }
        stream.end().await;
        let view = self.view_of(&stream, Some(&last));
        self.outlet().tell(What::Ended(view.into()));
    }

    /// The broadcast of a stream that may be over, and which may be forgotten since it was seen `last`.
    fn view_of(&self, stream: &Arc<Stream>, last: Option<&View>) -> View {
        let kept = self.lock().get(stream.name()).cloned();
        let broadcast = kept.or_else(|| last.map(|last| last.broadcast.clone()));
        let mut view = match broadcast {
            Some(broadcast) => self.view(stream.name(), broadcast),
            None => self.temporary_view(stream.name()),
        };
        let snapshot = stream.snapshot();
        let of_source = view.source.as_ref().and_then(|source| source.publisher);
        view.pulled = of_source == Some(snapshot.publisher) || last.is_some_and(|last| last.pulled);
        view.stream = Some(snapshot);
        view
    }
}
