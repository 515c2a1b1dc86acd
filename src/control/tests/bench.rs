//! A protocol that does what it is told, and a control plane with nothing else.

use crate::adapters::{BoxFuture, Context, Feed, Muxers, Protocol, Target};
use crate::auth::Auth;
use crate::bridge::Bridges;
use crate::config::{Network, OnDemand, Record, Segments, Sources};
use crate::control::recordings::Place;
use crate::control::supervisor::{State, Supervisor};
use crate::control::{Broadcast, Control, Kind, Status};
use crate::hub::{Applications, Current, Hub, Origin, Settings, StreamName};
use crate::net::policy::Policy;
use crate::net::shard::Shards;
use crate::net::tls::Connector;
use crate::record::host::memory::Memory;
use crate::store::Store;
use bytes::Bytes;
use media::codec::aac;
use media::{AccessUnit, Codec, Track, TrackId};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

/// What a URL does with who connects to it, and with who is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Says no.
    Refusing,
    /// Lets whoever connects wait, until it is in another mood.
    Hanging,
    /// Sends.
    Live,
    /// Sends one access unit and nothing after it.
    Silent,
}

/// A target has so long to answer.
pub(super) const PUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two access units.
pub(super) const PACE: Duration = Duration::from_millis(200);

/// The protocol `fake://`.
#[derive(Default)]
pub(super) struct Fake {
    moods: Mutex<HashMap<String, Mood>>,
    /// Every attempt, as (URL, when).
    pub(super) attempts: Mutex<Vec<(String, Instant)>>,
    pub(super) running: AtomicUsize,
    pub(super) connecting: AtomicUsize,
    pub(super) most_connecting: AtomicUsize,
}

/// One more, as long as it lives.
struct Count<'a>(&'a AtomicUsize);

impl<'a> Count<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(counter)
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Fake {
    pub(super) fn set(&self, url: &str, mood: Mood) {
        self.moods.lock().unwrap().insert(url.to_owned(), mood);
    }

    fn mood(&self, url: &str) -> Mood {
        let moods = self.moods.lock().unwrap();
        moods.get(url).copied().unwrap_or(Mood::Refusing)
    }

    pub(super) fn attempts_at(&self, url: &str) -> Vec<Instant> {
        let attempts = self.attempts.lock().unwrap();
        let at_url = attempts.iter().filter(|(known, _)| known == url);
        at_url.map(|(_, when)| *when).collect()
    }

    async fn connect(&self, url: &str) -> Result<(), String> {
        let _connecting = Count::new(&self.connecting);
        let now = self.connecting.load(Ordering::SeqCst);
        self.most_connecting.fetch_max(now, Ordering::SeqCst);
        loop {
            sleep(Duration::from_millis(50)).await;
            match self.mood(url) {
                Mood::Refusing => return Err("refused".to_owned()),
                Mood::Hanging => {}
                Mood::Live | Mood::Silent => return Ok(()),
            }
        }
    }
}

impl Protocol for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn pulls(&self, scheme: &str) -> bool {
        scheme == "fake"
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let _running = Count::new(&self.running);
            let attempt = (url.to_owned(), Instant::now());
            self.attempts.lock().unwrap().push(attempt);
            self.connect(url).await?;
            let publisher = target.publish(&origin(url)).map_err(|e| e.to_string())?;
            publisher.set_track(track()).map_err(|e| e.to_string())?;
            for number in 0.. {
                publisher.push(unit(number)).map_err(|e| e.to_string())?;
                sleep(PACE).await;
                match self.mood(url) {
                    Mood::Live => {}
                    Mood::Refusing => return Err("broke off".to_owned()),
                    Mood::Hanging | Mood::Silent => std::future::pending().await,
                }
            }
            Ok(())
        })
    }

    fn pushes(&self, scheme: &str) -> bool {
        scheme == "fake"
    }

    fn push<'a>(&'a self, url: &'a str, feed: &'a Feed) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let attempt = (url.to_owned(), Instant::now());
            self.attempts.lock().unwrap().push(attempt);
            let connected = timeout(PUSH_TIMEOUT, self.connect(url)).await;
            connected.map_err(|_| "does not answer".to_owned())??;
            feed.progress.set_live();
            while self.mood(url) == Mood::Live && feed.stream.ended().is_none() {
                sleep(PACE).await;
            }
            Err("broke off".to_owned())
        })
    }
}

pub(super) fn origin(address: &str) -> Origin {
    Origin {
        protocol: "fake",
        address: address.to_owned(),
        agent: None,
    }
}

pub(super) fn track() -> Track {
    let config = aac::Config::low_complexity(48_000, 2).unwrap();
    Track {
        id: TrackId(0),
        timebase: config.sample_rate,
        codec: Codec::Aac(config),
    }
}

pub(super) fn unit(number: i64) -> AccessUnit {
    AccessUnit {
        track: TrackId(0),
        dts: number * 9_600,
        pts: number * 9_600,
        random_access: true,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload: Bytes::from_static(&[0; 10]),
    }
}

/// A control plane with the fake protocol.
pub(super) struct Bench {
    pub(super) control: Control,
    pub(super) hub: Hub,
    pub(super) supervisor: Supervisor,
    pub(super) fake: Arc<Fake>,
    pub(super) folder: Arc<TempDir>,
    store: Store,
    place: Place,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(Sources::default())
    }

    pub(super) fn with(settings: Sources) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let place = Place::new(folder.path().join("recordings"), Record::default());
        let store = Store::open(folder.path()).unwrap();
        Self::on(folder, store, settings, place)
    }

    /// One that records so, to that disk.
    pub(super) fn recording(settings: Record, disk: &Memory) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let place = Place {
            folder: "/recordings".into(),
            settings: Current::new(settings),
            host: Arc::new(disk.clone()),
            objects: None,
        };
        let store = Store::open(folder.path()).unwrap();
        Self::on(folder, store, Sources::default(), place)
    }

    /// As after a restart of the server.
    pub(super) fn again(&self) -> Self {
        let (folder, store) = (self.folder.clone(), self.store.clone());
        Self::on(folder, store, Sources::default(), self.place.clone())
    }

    fn on(folder: Arc<TempDir>, store: Store, settings: Sources, place: Place) -> Self {
        let hub = Hub::new(Settings::default());
        let context = Arc::new(Context {
            hub: hub.clone(),
            auth: Auth::new(Vec::new()),
            applications: Applications::standard(),
            shards: Shards::start(1).unwrap(),
            policy: Policy::new(Network::default()),
            certificate: crate::net::tls::tests::certificate(),
            proofs: crate::net::acme::Proofs::default(),
            connector: Connector::new(None).unwrap(),
            bridges: Bridges::new(Handle::current(), hub.clone()),
            muxers: Muxers::new(&Segments::default()),
            protocols: Vec::new(),
        });
        let supervisor = Supervisor::new(context, settings);
        let fake = Arc::new(Fake::default());
        let control = Control::new(
            hub.clone(),
            store.clone(),
            supervisor.clone(),
            vec![fake.clone()],
            place.clone(),
            Path::new("no pictures here"),
            OnDemand::default(),
        );
        Self {
            control: control.unwrap(),
            hub,
            supervisor,
            fake,
            folder,
            store,
            place,
        }
    }

    /// Makes a broadcast of these URLs and starts it.
    pub(super) async fn start(&self, id: &str, urls: &[&str]) -> StreamName {
        let name = name(id);
        let broadcast = broadcast(urls);
        self.control.create(name.clone(), broadcast).await.unwrap();
        self.control.start(&name).await.unwrap();
        name
    }

    pub(super) fn state(&self, name: &StreamName) -> State {
        self.supervisor.state(name).unwrap()
    }

    pub(super) fn status(&self, name: &StreamName) -> Status {
        self.control.get(name).unwrap().status
    }

    pub(super) fn running(&self) -> usize {
        self.fake.running.load(Ordering::SeqCst)
    }
}

pub(super) fn name(id: &str) -> StreamName {
    StreamName::new("LiveApp", id).unwrap()
}

pub(super) fn broadcast(urls: &[&str]) -> Broadcast {
    let mut urls = urls.iter().map(|url| (*url).to_owned());
    Broadcast {
        kind: Kind::StreamSource,
        stream_url: urls.next(),
        fallback_urls: urls.collect(),
        ..Broadcast::default()
    }
}

/// Waits, an hour of the paused clock at most.
#[track_caller]
pub(super) fn until(mut condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let begun = Instant::now();
        while !condition() {
            assert!(begun.elapsed() < Duration::from_secs(3_600), "{place}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}
