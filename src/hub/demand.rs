//! Streams that come when they are asked for.
//!
//! Whoever can make a stream offers its name ([`Hub::offer`]); whoever wants to read one calls [`Hub::open`],
//! which holds the caller until the stream is ready. Names that are offered and not there go up, each once
//! ([`Hub::next_wanted`]); streams come down. Who makes them, and who reads, is known on neither side.

use super::{Hub, Stream, StreamName};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// How long a request may be held until there is something to answer it with, whatever its protocol.
pub const HOLD: Duration = Duration::from_secs(10);

/// What somebody who opens a stream wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// To watch it: as long as the caller waits, it counts as a viewer.
    Watch,
    /// To see whether it is there: starts it, and does not keep it once it is ready.
    Probe,
}

/// Why there is no stream to read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// It is not there, and nobody makes it for being asked.
    #[error("{0} is not live")]
    NotLive(StreamName),
    /// It was not ready within [`HOLD`].
    #[error("{0} is starting, and not ready yet; try again in a moment")]
    Starting(StreamName),
}

/// A stream that is ready. Whoever had to wait for it is counted until this is dropped: when there is an answer
/// to the request, and the [`Viewer`](super::Viewer) of one who watches has been made.
#[derive(Debug)]
pub struct Opened {
    stream: Arc<Stream>,
    deadline: Instant,
    _place: Option<Place>,
}

impl Opened {
    /// The stream.
    pub const fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Until when the caller may be held, should a stream that is ready not be enough.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// Names that are made when they are asked for.
#[derive(Debug, Default)]
pub(super) struct Offers {
    state: Mutex<State>,
    asked: Notify,
}

#[derive(Debug, Default)]
struct State {
    offers: HashMap<StreamName, Arc<Offer>>,
    /// Offered, asked for, and not taken by [`Hub::next_wanted`] yet.
    wanted: BTreeSet<StreamName>,
}

#[derive(Debug, Default)]
struct Offer {
    /// Those who wait, or have not made their viewer yet.
    waiting: AtomicUsize,
    /// How often those who waited have been turned away.
    refusals: AtomicU64,
}

/// Somebody's wish for an offered stream.
#[derive(Debug)]
struct Place {
    offer: Arc<Offer>,
    is_counted: bool,
    refusals: u64,
}

impl Hub {
    /// From now on, who opens a stream of that name is held, and [`Hub::next_wanted`] is told.
    pub fn offer(&self, name: &StreamName) {
        let mut state = self.register.offers.lock();
        state.offers.entry(name.clone()).or_default();
    }

    /// Takes the offer back. Who is held already goes on waiting.
    pub fn withdraw(&self, name: &StreamName) {
        let mut state = self.register.offers.lock();
        state.offers.remove(name);
        state.wanted.remove(name);
    }

    /// Whether streams of that name are made for being asked for.
    pub fn is_offered(&self, name: &StreamName) -> bool {
        self.register.offers.lock().offers.contains_key(name)
    }

    /// The next name that is wanted and not there. To be called by one task.
    pub async fn next_wanted(&self) -> StreamName {
        loop {
            let next = self.register.offers.lock().wanted.pop_first();
            match next {
                Some(name) => return name,
                None => self.register.offers.asked.notified().await,
            }
        }
    }

    /// The stream of that name as soon as it is ready: the one way to a stream for whoever reads for a peer.
    /// A stream that is not there is waited for if it is offered.
    ///
    /// # Errors
    /// When there is none, or it is not ready within [`HOLD`].
    pub async fn open(&self, name: &StreamName, interest: Interest) -> Result<Opened, Unavailable> {
        let deadline = Instant::now() + HOLD;
        let is_ready = |stream: Arc<Stream>| stream.snapshot().ready;
        // A probe may wait for a start, and not put off an end.
        let is_counted = interest == Interest::Watch || !self.get(name).is_some_and(is_ready);
        let place = self.register.offers.enter(name, is_counted);
        match timeout_at(deadline, self.ready(name, place.as_ref())).await {
            Ok(Some(stream)) => Ok(Opened {
                stream,
                deadline,
                _place: place,
            }),
            Ok(None) => Err(Unavailable::NotLive(name.clone())),
            Err(_) => Err(Unavailable::Starting(name.clone())),
        }
    }

    /// Refuses those who wait for a stream of that name: it will not come.
    pub fn turn_away(&self, name: &StreamName) {
        if let Some(offer) = self.register.offers.lock().offers.get(name) {
            offer.refusals.fetch_add(1, Ordering::Relaxed);
        }
        self.register.appeared.notify_waiters();
    }

    /// Whether somebody watches the stream of that name, or waits to.
    pub fn is_wanted(&self, name: &StreamName) -> bool {
        self.register
            .offers
            .is_wanted(name, self.get(name).as_deref())
    }

    /// Ends the stream of that name unless it is wanted. False if it is.
    pub fn stop_unwanted(&self, name: &StreamName) -> bool {
        let mut streams = self.register.lock();
        // Who opens it from here on finds it gone: the register is locked. Who came before is counted.
        if self
            .register
            .offers
            .is_wanted(name, streams.get(name).map(Arc::as_ref))
        {
            return false;
        }
        let stream = streams.remove(name);
        drop(streams);
        if let Some(stream) = stream {
            self.register.stop(stream);
        }
        true
    }

    /// Waits for a stream that is ready; none when it will not come.
    async fn ready(&self, name: &StreamName, place: Option<&Place>) -> Option<Arc<Stream>> {
        loop {
            let mut appeared = std::pin::pin!(self.register.appeared.notified());
            appeared.as_mut().enable();
            let found = self.get(name);
            let is_there = found.is_some();
            if let Some(stream) = found
                && stream.ready().await.is_ok()
            {
                return Some(stream);
            }
            let place = place?;
            if place.is_refused() {
                return None;
            }
            if !is_there {
                self.register.offers.ask(name);
                appeared.await;
            }
        }
    }
}

impl Offers {
    fn enter(&self, name: &StreamName, is_counted: bool) -> Option<Place> {
        let offer = self.lock().offers.get(name).cloned()?;
        if is_counted {
            offer.waiting.fetch_add(1, Ordering::Relaxed);
        }
        Some(Place {
            refusals: offer.refusals.load(Ordering::Relaxed),
            offer,
            is_counted,
        })
    }

    fn ask(&self, name: &StreamName) {
        let mut state = self.lock();
        if state.offers.contains_key(name) && state.wanted.insert(name.clone()) {
            self.asked.notify_one();
        }
    }

    /// Those who wait are looked at first: they become viewers before they stop waiting.
    fn is_wanted(&self, name: &StreamName, stream: Option<&Stream>) -> bool {
        let waiting = |offer: &Arc<Offer>| offer.waiting.load(Ordering::Relaxed) > 0;
        self.lock().offers.get(name).is_some_and(waiting)
            || stream.is_some_and(|stream| stream.viewers().total() > 0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn is_refused(&self) -> bool {
        self.offer.refusals.load(Ordering::Relaxed) != self.refusals
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_counted {
            self.offer.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::tests::{hub, live, name};
    use crate::hub::{Settings, Viewer};

    #[tokio::test(start_paused = true)]
    async fn what_nobody_offers_is_refused_at_once() {
        let hub = hub();
        let begun = Instant::now();
        let refused = hub.open(&name(), Interest::Watch).await.unwrap_err();
        assert_eq!(refused, Unavailable::NotLive(name()));
        assert_eq!(begun.elapsed().as_secs(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_offered_stream_is_asked_for_once_and_all_get_it() {
        let hub = hub();
        hub.offer(&name());
        let open = || {
            let hub = hub.clone();
            tokio::spawn(async move { hub.open(&name(), Interest::Watch).await })
        };
        let waiting: Vec<_> = (0..50).map(|_| open()).collect();
        assert_eq!(hub.next_wanted().await, name());
        assert!(hub.is_wanted(&name()) && !hub.stop_unwanted(&name()));
        let again = tokio::time::timeout(Duration::from_secs(1), hub.next_wanted()).await;
        assert!(again.is_err(), "asked for twice");
        let publisher = live(&hub);
        for opened in waiting {
            let opened = opened.await.unwrap().unwrap();
            assert!(Arc::ptr_eq(opened.stream(), publisher.stream()));
        }
        assert!(!hub.is_wanted(&name()));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_held_for_longer_than_promised() {
        let hub = hub();
        hub.offer(&name());
        let begun = Instant::now();
        for interest in [Interest::Watch, Interest::Probe] {
            let refused = hub.open(&name(), interest).await.unwrap_err();
            assert_eq!(refused, Unavailable::Starting(name()));
        }
        assert_eq!(begun.elapsed().as_secs(), HOLD.as_secs() * 2);
        assert!(!hub.is_wanted(&name()));
        // Published, and never complete.
        let hub = Hub::new(Settings::default());
        let _publisher = hub.publish(&name(), &crate::hub::tests::origin()).unwrap();
        let refused = hub.open(&name(), Interest::Watch).await.unwrap_err();
        assert_eq!(refused, Unavailable::Starting(name()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_turned_away_when_the_stream_is_stopped_and_goes_on_when_it_ends() {
        let hub = hub();
        hub.offer(&name());
        let open = || {
            let hub = hub.clone();
            tokio::spawn(async move { hub.open(&name(), Interest::Watch).await })
        };
        let waiting = open();
        hub.next_wanted().await;
        // A source that begins and ends before it is ready is asked for again.
        hub.publish(&name(), &crate::hub::tests::origin())
            .unwrap()
            .finish();
        assert_eq!(hub.next_wanted().await, name());
        assert!(!waiting.is_finished());
        hub.stop(&name());
        assert_eq!(
            waiting.await.unwrap().unwrap_err(),
            Unavailable::NotLive(name())
        );
        // An offer that is taken back is no refusal.
        let waiting = open();
        hub.next_wanted().await;
        hub.withdraw(&name());
        let publisher = live(&hub);
        assert!(waiting.await.unwrap().is_ok());
        drop(publisher);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_stopped_when_nobody_wants_it_and_not_before() {
        let hub = hub();
        hub.offer(&name());
        let _publisher = live(&hub);
        let opened = hub.open(&name(), Interest::Watch).await.unwrap();
        assert!(!hub.stop_unwanted(&name()));
        let viewer = Viewer::new(opened.stream().clone(), "test");
        drop(opened);
        assert!(!hub.stop_unwanted(&name()));
        drop(viewer);
        let _probe = hub.open(&name(), Interest::Probe).await.unwrap();
        assert!(hub.stop_unwanted(&name()), "it is there, and was before");
        assert!(hub.get(&name()).is_none());
        assert!(hub.stop_unwanted(&name()), "there is nothing to keep");
        // A probe that had to wait is given its answer.
        let probe = tokio::spawn({
            let hub = hub.clone();
            async move { hub.open(&name(), Interest::Probe).await }
        });
        hub.next_wanted().await;
        let _publisher = live(&hub);
        let opened = probe.await.unwrap().unwrap();
        assert!(!hub.stop_unwanted(&name()));
        drop(opened);
        assert!(hub.stop_unwanted(&name()));
    }
}
