//! One stream being cut, and the view of it that requests are answered from.

use super::file::File;
use super::playlist;
use crate::adapters::FileRequest;
use crate::hub::{Hub, Interest, Item, Opened, Reader, Stream, StreamName, Unavailable, Viewer};
use crate::segment::{Rendition, Segmenter, Settings};
use axum::http::{Method, header};
use bytes::Bytes;
use media::Kind;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::Instant;

/// Viewers that are told apart, per stream.
const MAX_VIEWERS: usize = 50_000;

/// A viewer that has not asked for a playlist for so long is gone; longer where segments are longer.
const VIEWER_GONE: Duration = Duration::from_secs(15);

/// How often absent viewers are looked for.
const TICK: Duration = Duration::from_secs(2);

/// The streams that are being cut, by name.
#[derive(Clone, Debug)]
pub(super) struct Muxers {
    settings: Settings,
    linger: Duration,
    muxers: Arc<Mutex<HashMap<StreamName, Arc<Muxer>>>>,
}

/// One stream that is being cut.
#[derive(Debug)]
pub(super) struct Muxer {
    stream: Arc<Stream>,
    view: watch::Receiver<View>,
    viewers: Mutex<Viewers>,
}

#[derive(Debug)]
struct Viewers {
    last_request: Instant,
    seen: HashMap<Key, (Instant, Viewer)>,
}

/// By what a viewer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// The session that its multivariant playlist gave it.
    Session(u64),
    /// Address and player, of one that has no session yet, or was given a media playlist by hand.
    Peer(IpAddr, u64),
}

/// What there is to serve at one moment. Clones share all bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Target duration in seconds; none until there is a first segment to play.
    pub(super) target: Option<u32>,
    /// The multivariant playlist, with [`playlist::SESSION`] where each viewer's session belongs.
    pub(super) multivariant: Arc<str>,
    /// The tracks.
    pub(super) tracks: Arc<[Track]>,
    /// Nothing more will come.
    pub(super) ended: bool,
}

/// One track to serve.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// Its segments and parts.
    pub(super) rendition: Rendition,
    /// Its media playlist.
    pub(super) playlist: Bytes,
}

impl View {
    /// The track of that kind.
    pub(super) fn track(&self, kind: Kind) -> Option<&Track> {
        self.tracks
            .iter()
            .find(|track| track.rendition.track.kind() == kind)
    }
}

impl Muxers {
    pub(super) fn new(settings: Settings, linger: Duration) -> Self {
        Self {
            settings,
            linger,
            muxers: Arc::default(),
        }
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
        file: File,
        request: &FileRequest,
    ) -> Result<(Arc<Muxer>, Option<Opened>), Unavailable> {
        if hub.get(name).is_none() {
            // Who plays a stream that is over is given its end. Who begins may be the reason to start it again.
            let begins = file == File::Multivariant && hub.is_offered(name);
            let ended = lock(&self.muxers).get(name).cloned();
            match ended.filter(|_| !begins) {
                Some(muxer) => {
                    muxer.count(file, request);
                    return Ok((muxer, None));
                }
                None if file.is_playlist() => {}
                None => return Err(Unavailable::NotLive(name.clone())),
            }
        }
        let interest = match request.method {
            Method::HEAD => Interest::Probe,
            _ => Interest::Watch,
        };
        let opened = hub.open(name, interest).await?;
        let muxer = self.muxer(opened.stream());
        muxer.count(file, request);
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

    /// Players ask for a playlist once in a target duration.
    fn viewer_gone(&self) -> Duration {
        VIEWER_GONE.max(self.settings.max_segment * 2)
    }

    fn start(&self, stream: Arc<Stream>) -> Arc<Muxer> {
        let (views, view) = watch::channel(View::default());
        let viewers = Viewers {
            last_request: Instant::now(),
            seen: HashMap::new(),
        };
        let muxer = Arc::new(Muxer {
            stream,
            view,
            viewers: Mutex::new(viewers),
        });
        tokio::spawn(self.clone().run(muxer.clone(), views));
        muxer
    }

    /// Cuts the stream until nobody has asked for it for the linger time.
    async fn run(self, muxer: Arc<Muxer>, views: watch::Sender<View>) {
        let name = muxer.stream.name().clone();
        tracing::debug!(stream = %name, "cutting for HLS");
        let mut segmenter = Segmenter::new(self.settings, first_number());
        let mut reader = Reader::new(muxer.stream.clone());
        let mut tick = tokio::time::interval(TICK);
        let mut ended = false;
        while muxer.prune(self.viewer_gone()) < self.linger {
            let item = tokio::select! {
                item = reader.next(), if !ended => item,
                _ = tick.tick() => continue,
            };
            let changed = match item {
                Item::Tracks(tracks) => {
                    for error in segmenter.set_tracks(&tracks) {
                        tracing::warn!(stream = %name, %error, "a track is left out of HLS");
                    }
                    false
                }
                Item::Unit(unit) => {
                    let changed = segmenter.push(&unit, SystemTime::now());
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
                    true
                }
            };
            if changed {
                views.send_replace(playlist::view(&segmenter, &self.settings, name.id(), ended));
            }
        }
        let mut muxers = lock(&self.muxers);
        if muxers
            .get(&name)
            .is_some_and(|present| Arc::ptr_eq(present, &muxer))
        {
            muxers.remove(&name);
        }
        tracing::debug!(stream = %name, "no longer cutting for HLS");
    }
}

impl Muxer {
    /// The present view, and those that follow.
    pub(super) fn view(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// The stream's name.
    pub(super) fn name(&self) -> &StreamName {
        self.stream.name()
    }

    /// Notes a request. Whoever only asks whether something is there does not watch; segments are fetched by
    /// whoever has asked for a playlist.
    fn count(&self, file: File, request: &FileRequest) {
        if request.method == Method::HEAD {
            return;
        }
        let now = Instant::now();
        let mut viewers = lock(&self.viewers);
        viewers.last_request = now;
        if !file.is_playlist() {
            return;
        }
        let peer = Key::Peer(request.peer.ip(), player(request));
        let key = match file {
            File::Media(_) => session(request).map_or(peer, Key::Session),
            _ => peer,
        };
        if let Some((seen, _)) = viewers.seen.get_mut(&key) {
            *seen = now;
            return;
        }
        // Who has a session from now on has been counted without it before.
        let known = viewers.seen.remove(&peer).map(|(_, viewer)| viewer);
        let new = || Viewer::new(self.stream.clone(), "hls");
        let room = viewers.seen.len() < MAX_VIEWERS;
        if let Some(viewer) = known.or_else(|| room.then(new)) {
            viewers.seen.insert(key, (now, viewer));
        }
    }

    /// Lets viewers go that have not asked for `gone`. The time since the last request of all.
    fn prune(&self, gone: Duration) -> Duration {
        let mut viewers = lock(&self.viewers);
        viewers.seen.retain(|_, (seen, _)| seen.elapsed() < gone);
        viewers.last_request.elapsed()
    }
}

/// What the player calls itself, as a number.
fn player(request: &FileRequest) -> u64 {
    let agent = request.headers.get(header::USER_AGENT);
    let mut hasher = DefaultHasher::new();
    agent.map(|agent| agent.as_bytes()).hash(&mut hasher);
    hasher.finish()
}

/// The session in the query of a media playlist.
fn session(request: &FileRequest) -> Option<u64> {
    let query = request.query.as_deref()?;
    let mut values = query.split('&');
    let value =
        values.find_map(|pair| pair.strip_prefix(playlist::SESSION_KEY)?.strip_prefix('='))?;
    u64::from_str_radix(value, 16).ok()
}

/// A media sequence number above all that were used before for this stream: seconds since 1970, since no
/// stream makes a segment each second for long.
fn first_number() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
