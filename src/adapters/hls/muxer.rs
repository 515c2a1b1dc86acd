//! One stream being cut, and the view of it that requests are answered from.

use super::playlist;
use crate::adapters::{FileRequest, NotLive};
use crate::hub::{Hub, Item, Reader, Stream, StreamName, Viewer};
use crate::segment::{Rendition, Segmenter, Settings};
use axum::http::Method;
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

/// A viewer that has not asked for this long is gone.
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
    /// By address and player, since nothing else is known of them without breaking caches.
    seen: HashMap<(IpAddr, u64), (Instant, Viewer)>,
}

/// What there is to serve at one moment. Clones share all bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Target duration in seconds; none until there is a first segment to play.
    pub(super) target: Option<u32>,
    /// The multivariant playlist.
    pub(super) multivariant: Bytes,
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

    /// The muxer of a stream, started if there is none; counts the viewer.
    ///
    /// # Errors
    /// When no such stream is live, nor has been a moment ago.
    pub(super) fn of(
        &self,
        hub: &Hub,
        name: &StreamName,
        request: &FileRequest,
    ) -> Result<Arc<Muxer>, NotLive> {
        let stream = hub.get(name);
        let mut muxers = lock(&self.muxers);
        let known = muxers.get(name).filter(|muxer| {
            stream
                .as_ref()
                .is_none_or(|stream| Arc::ptr_eq(stream, &muxer.stream))
        });
        let muxer = match (known, stream) {
            (Some(muxer), _) => muxer.clone(),
            (None, Some(stream)) => {
                let muxer = self.start(stream);
                muxers.insert(name.clone(), muxer.clone());
                muxer
            }
            (None, None) => return Err(NotLive(name.clone())),
        };
        drop(muxers);
        // Whoever only asks whether it is there does not watch it.
        if request.method != Method::HEAD {
            muxer.count(request);
        }
        Ok(muxer)
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
        while muxer.prune() < self.linger {
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

    /// Notes a request of a viewer.
    fn count(&self, request: &FileRequest) {
        let mut hasher = DefaultHasher::new();
        request
            .headers
            .get(axum::http::header::USER_AGENT)
            .map(|agent| agent.as_bytes())
            .hash(&mut hasher);
        let key = (request.peer.ip(), hasher.finish());
        let now = Instant::now();
        let mut viewers = lock(&self.viewers);
        viewers.last_request = now;
        if let Some((seen, _)) = viewers.seen.get_mut(&key) {
            *seen = now;
        } else if viewers.seen.len() < MAX_VIEWERS {
            viewers
                .seen
                .insert(key, (now, Viewer::new(self.stream.clone(), "hls")));
        }
    }

    /// Lets viewers go that have not asked for long. The time since the last request of all.
    fn prune(&self) -> Duration {
        let mut viewers = lock(&self.viewers);
        viewers
            .seen
            .retain(|_, (seen, _)| seen.elapsed() < VIEWER_GONE);
        viewers.last_request.elapsed()
    }
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
