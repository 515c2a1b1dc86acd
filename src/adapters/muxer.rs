//! Streams that are being cut into segments while somebody asks for them, once for all outputs, and who asks.
//!
//! A stream is cut by the first request, and until some time after the last; where players can go back, from its
//! beginning to some time after its end. What requests are answered from is an
//! immutable [`Snapshot`], replaced when a part is complete; what an output makes of one (playlists, a description) is
//! made for the first request and kept for the others.

use super::FileRequest;
use super::storing::Storing;
use crate::config::Segments;
use crate::hub::{
    Change, Current, Hub, Interest, Item, Opened, Pass, Reader, Stream, StreamName, Unavailable,
    Viewer,
};
use crate::segment::{Segmenter, Settings, Snapshot};
use axum::http::{Method, header};
use std::any::Any;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::Instant;

/// Viewers that are told apart, per stream.
const MAX_VIEWERS: usize = 50_000;

/// A viewer that has not asked for a playlist for so long is gone; longer where segments are longer.
const VIEWER_GONE: Duration = Duration::from_secs(15);

/// How often absent viewers are looked for.
const TICK: Duration = Duration::from_secs(2);

/// The parameter of a request by which viewers are told apart.
pub(super) const SESSION_KEY: &str = "session";

/// Stands in a text for the value of that parameter, which is each viewer's own. No name of a stream holds a brace.
pub(super) const SESSION: &str = "{session}";

/// The streams that are being cut, by name.
#[derive(Clone, Debug)]
pub struct Muxers {
    cut: Current<Cut>,
    muxers: Arc<Mutex<HashMap<StreamName, Arc<Muxer>>>>,
    /// Media sequence numbers that streams go on with which were cut before, where those are still to come.
    numbers: Arc<Mutex<HashMap<StreamName, u64>>>,
}

/// How streams are cut that begin to be.
#[derive(Clone, Debug)]
struct Cut {
    settings: Settings,
    linger: Duration,
    /// Where segments go that are too many for memory.
    folder: Option<PathBuf>,
}

impl Cut {
    fn new(config: &Segments) -> Self {
        Self {
            settings: Settings::new(config),
            linger: config.linger,
            folder: config.folder.clone(),
        }
    }

    /// Players ask for news once in a target duration.
    fn viewer_gone(&self) -> Duration {
        VIEWER_GONE.max(self.settings.max_segment * 2)
    }
}

/// One stream that is being cut.
#[derive(Debug)]
pub(super) struct Muxer {
    stream: Arc<Stream>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    viewers: Mutex<Viewers>,
    /// What each protocol has made of the snapshot of that version.
    made: Mutex<HashMap<&'static str, (u64, Made)>>,
    /// What each protocol makes of one snapshot after the other, and when somebody wanted that.
    kept: Mutex<HashMap<&'static str, (Instant, Made)>>,
}

/// Playlists or a description; what it is only its protocol knows.
type Made = Arc<dyn Any + Send + Sync>;

#[derive(Debug)]
struct Viewers {
    last_request: Instant,
    seen: HashMap<(&'static str, Key), Seen>,
}

/// A viewer, when it was seen last, and from where it came.
#[derive(Debug)]
struct Seen {
    last: Instant,
    viewer: Viewer,
    address: IpAddr,
}

/// By what a viewer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// The session that the text it began with gave it.
    Session(u64),
    /// Address and player, of one that has no session yet, or was given a later text by hand.
    Peer(IpAddr, u64),
}

/// What a request says of who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// A player begins.
    Begin,
    /// It comes back for news, as it does for as long as it plays.
    Follow,
    /// It fetches what it has been told of.
    Fetch,
}

impl Muxers {
    /// None yet.
    pub fn new(config: &Segments) -> Self {
        Self {
            cut: Current::new(Cut::new(config)),
            muxers: Arc::default(),
            numbers: Arc::default(),
        }
    }

    /// Streams that begin to be cut from now on are cut so.
    pub fn set(&self, config: &Segments) {
        self.cut.set(Cut::new(config));
    }

    /// The muxer that a request is for, as soon as its stream is ready, started if there is none; counts the
    /// viewer. And the stream, if it is not over, to be held until there is an answer.
    ///
    /// # Errors
    /// When no such stream is to be had, nor has been a moment ago.
    pub(super) async fn of(
        &self,
        hub: &Hub,
        name: &StreamName,
        (protocol, pass): (&'static str, Pass),
        visit: Visit,
        request: &FileRequest,
    ) -> Result<(Arc<Muxer>, Option<Opened>), Unavailable> {
        if hub.get(name).is_none() {
            // Who plays a stream that is over is given its end. Who begins may be the reason to start it again.
            let begins = visit == Visit::Begin && hub.is_offered(name);
            let ended = lock(&self.muxers).get(name).cloned();
            match ended.filter(|_| !begins) {
                Some(muxer) => {
                    muxer.count((protocol, pass), visit, request);
                    return Ok((muxer, None));
                }
                None if visit != Visit::Fetch => {}
                None => return Err(Unavailable::NotLive(name.clone())),
            }
        }
        let interest = match request.method {
            Method::HEAD => Interest::Probe,
            _ => Interest::Watch,
        };
        let opened = hub.open(name, interest).await?;
        let muxer = self.muxer(opened.stream());
        muxer.count((protocol, pass), visit, request);
        Ok((muxer, Some(opened)))
    }

    fn muxer(&self, stream: &Arc<Stream>) -> Arc<Muxer> {
        let mut muxers = lock(&self.muxers);
        let known = muxers.get(stream.name());
        if let Some(muxer) = known.filter(|muxer| Arc::ptr_eq(stream, &muxer.stream)) {
            return muxer.clone();
        }
        let muxer = self.start(stream.clone());
        muxers.insert(stream.name().clone(), muxer.clone());
        muxer
    }

    /// Has all streams cut from their beginning on, while players can go back. Runs for ever.
    pub async fn follow(self, hub: Hub) {
        let mut changes = hub.changes();
        loop {
            match changes.recv().await {
                Ok(Change::Published(stream)) if self.is_kept() => drop(self.muxer(&stream)),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) if !self.is_kept() => {}
                Err(RecvError::Lagged(_)) => {
                    for stream in hub.list() {
                        self.muxer(&stream);
                    }
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn is_kept(&self) -> bool {
        !self.cut.get().settings.window.is_zero()
    }

    /// A media sequence number above all that were used before for this stream: seconds since 1970, or what comes behind
    /// those that it had when it made more than one segment a second.
    fn first_number(&self, name: &StreamName) -> u64 {
        let known = lock(&self.numbers).get(name).copied();
        seconds().max(known.unwrap_or(0))
    }

    /// A stream has used the numbers before this one.
    fn note_numbers(&self, name: &StreamName, next: u64) {
        let mut numbers = lock(&self.numbers);
        let now = seconds();
        // Those of the past are above none that could be given.
        numbers.retain(|_, next| *next > now);
        if next > now {
            numbers.insert(name.clone(), next);
        }
    }

    fn start(&self, stream: Arc<Stream>) -> Arc<Muxer> {
        let (sender, snapshots) = watch::channel(Arc::default());
        let viewers = Viewers {
            last_request: Instant::now(),
            seen: HashMap::new(),
        };
        let muxer = Arc::new(Muxer {
            stream,
            snapshots,
            viewers: Mutex::new(viewers),
            made: Mutex::default(),
            kept: Mutex::default(),
        });
        tokio::spawn(self.clone().run(muxer.clone(), sender));
        muxer
    }

    /// Cuts the stream until nobody has asked for it for the linger time.
    async fn run(self, muxer: Arc<Muxer>, snapshots: watch::Sender<Arc<Snapshot>>) {
        let name = muxer.stream.name().clone();
        tracing::debug!(stream = %name, "cutting into segments");
        let cut = self.cut.get();
        let mut segmenter = Segmenter::new(cut.settings, self.first_number(&name));
        let mut storing = Storing::new(cut.folder.clone());
        let mut reader = Reader::new(muxer.stream.clone());
        let mut tick = tokio::time::interval(TICK);
        let mut version = 0;
        let mut ended = false;
        let is_kept = !cut.settings.window.is_zero();
        let mut idle = Duration::ZERO;
        while idle < cut.linger || (is_kept && !ended) {
            storing.begin(&segmenter);
            let item = tokio::select! {
                item = reader.next(), if !ended => item,
                stored = storing.done() => {
                    match stored {
                        Ok((track, number, place)) => segmenter.stored(track, number, place),
                        Err(error) => {
                            tracing::error!(stream = %name, %error, "a segment cannot be put on the disk");
                        }
                    }
                    continue;
                }
                _ = tick.tick() => {
                    idle = muxer.prune(cut.viewer_gone());
                    continue;
                }
            };
            let changed = match item {
                Item::Tracks(tracks) => {
                    for error in segmenter.set_tracks(&tracks) {
                        tracing::warn!(stream = %name, %error, "a track is left out of HLS and DASH");
                    }
                    false
                }
                Item::Unit(unit) => {
                    // Who begins has all of the GOP at once, which came before.
                    let since = reader.arrived().map_or(Duration::ZERO, |at| at.elapsed());
                    let arrived = SystemTime::now().checked_sub(since);
                    let changed = segmenter.push(&unit, arrived.unwrap_or(SystemTime::UNIX_EPOCH));
                    if segmenter.wants_random_access() {
                        muxer.stream.want_random_access();
                    }
                    changed
                }
                Item::Skipped(skip) => {
                    muxer.stream.note_skip("hls", &"segmenter", &skip);
                    false
                }
                Item::Ended(_) => {
                    segmenter.finish();
                    ended = true;
                    muxer.touch();
                    idle = Duration::ZERO;
                    true
                }
            };
            if changed {
                version += 1;
                let snapshot = Snapshot::of(&segmenter, &cut.settings, version, ended);
                snapshots.send_replace(Arc::new(snapshot));
            }
        }
        self.note_numbers(&name, segmenter.next_number());
        let mut muxers = lock(&self.muxers);
        if muxers
            .get(&name)
            .is_some_and(|present| Arc::ptr_eq(present, &muxer))
        {
            muxers.remove(&name);
        }
        tracing::debug!(stream = %name, "no longer cutting into segments");
    }
}

impl Muxer {
    /// The present snapshot, and those that follow.
    pub(super) fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// The stream's name.
    pub(super) fn name(&self) -> &StreamName {
        self.stream.name()
    }

    /// What `protocol` makes of a snapshot, made once for all who ask while it is the newest.
    pub(super) fn made<T: Send + Sync + 'static>(
        &self,
        protocol: &'static str,
        snapshot: &Snapshot,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let mut made = lock(&self.made);
        let known = made.get(protocol).filter(|(of, _)| *of == snapshot.version);
        if let Some(Ok(known)) = known.map(|(_, known)| known.clone().downcast()) {
            return known;
        }
        let new = Arc::new(make());
        made.insert(protocol, (snapshot.version, new.clone()));
        new
    }

    /// What `protocol` goes on with from snapshot to snapshot: begun by the first who asks, and dropped when nobody has
    /// asked for as long as it takes a viewer to be gone.
    pub(super) fn kept<T: Default + Send + Sync + 'static>(
        &self,
        protocol: &'static str,
    ) -> Arc<T> {
        let mut kept = lock(&self.kept);
        let now = Instant::now();
        let known = kept.get_mut(protocol);
        if let Some((used, known)) = known
            && let Ok(known) = known.clone().downcast()
        {
            *used = now;
            return known;
        }
        let new = Arc::<T>::default();
        kept.insert(protocol, (now, new.clone()));
        new
    }

    /// Notes a request. Whoever only asks whether something is there does not watch; segments are fetched by
    /// whoever has asked for a playlist.
    fn count(&self, (protocol, pass): (&'static str, Pass), visit: Visit, request: &FileRequest) {
        if request.method == Method::HEAD {
            return;
        }
        let now = Instant::now();
        let mut viewers = lock(&self.viewers);
        viewers.last_request = now;
        if visit == Visit::Fetch {
            return;
        }
        let peer = (protocol, Key::Peer(request.peer.ip(), player(request)));
        let session = session(request).filter(|_| visit == Visit::Follow);
        let key = session.map_or(peer, |session| (protocol, Key::Session(session)));
        if let Some(seen) = viewers.seen.get_mut(&key) {
            seen.last = now;
            return;
        }
        // Who has a session from now on has been counted without it before.
        let known = viewers.seen.remove(&peer).map(|seen| seen.viewer);
        let address = request.peer.ip();
        let new = || {
            tracing::info!(stream = %self.name(), protocol, %address, "playing");
            Viewer::new(self.stream.clone(), protocol).by(pass)
        };
        let room = viewers.seen.len() < MAX_VIEWERS;
        if let Some(viewer) = known.or_else(|| room.then(new)) {
            let last = now;
            viewers.seen.insert(
                key,
                Seen {
                    last,
                    viewer,
                    address,
                },
            );
        }
    }

    /// The linger time begins anew.
    fn touch(&self) {
        lock(&self.viewers).last_request = Instant::now();
    }

    /// Lets viewers go that have not asked for `gone`. The time since the last request of all.
    fn prune(&self, gone: Duration) -> Duration {
        lock(&self.kept).retain(|_, (used, _)| used.elapsed() < gone);
        let mut viewers = lock(&self.viewers);
        viewers.seen.retain(|(protocol, _), seen| {
            // Whose right was withdrawn is refused what they ask for.
            let stays = seen.last.elapsed() < gone && !seen.viewer.is_withdrawn();
            if !stays {
                let stream = self.name();
                let (address, silent) = (seen.address, seen.last.elapsed().as_secs());
                tracing::info!(%stream, protocol, %address, silent, "viewer gone: it asks for nothing more");
            }
            stays
        });
        viewers.last_request.elapsed()
    }
}

/// A session that no other viewer has.
pub(super) fn new_session() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// What the player calls itself, as a number; and whose it is, where its right is a subscriber's own.
fn player(request: &FileRequest) -> u64 {
    let agent = request.headers.get(header::USER_AGENT);
    let mut hasher = DefaultHasher::new();
    agent.map(|agent| agent.as_bytes()).hash(&mut hasher);
    let mut values = request.query.iter().flat_map(|query| query.split('&'));
    values
        .find(|pair| pair.starts_with("subscriberId="))
        .hash(&mut hasher);
    hasher.finish()
}

/// The session in the query of a request.
pub(super) fn session(request: &FileRequest) -> Option<u64> {
    let query = request.query.as_deref()?;
    let mut values = query.split('&');
    let value = values.find_map(|pair| pair.strip_prefix(SESSION_KEY)?.strip_prefix('='))?;
    u64::from_str_radix(value, 16).ok()
}

/// Since 1970.
fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub;
    use crate::hub::tests::{live, name};

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_unwatched_stays_for_the_linger_time() {
        let hub = Hub::new(hub::Settings::default());
        let linger = Duration::from_secs(30);
        let muxers = Muxers::new(&Segments {
            window: Duration::from_secs(600),
            linger,
            ..Segments::default()
        });
        let publisher = live(&hub);
        let muxer = muxers.muxer(publisher.stream());
        let is_kept = || lock(&muxers.muxers).contains_key(&name());
        // Nobody asks for it.
        tokio::time::sleep(linger * 2).await;
        assert!(is_kept());
        publisher.finish();
        tokio::time::sleep(linger - TICK).await;
        assert!(is_kept() && muxer.snapshots().borrow().ended);
        tokio::time::sleep(TICK * 3).await;
        assert!(!is_kept());
    }
}
