//! Sources that run while somebody watches.
//!
//! The names of such broadcasts are offered to the hub. One that is wanted is started, and watched over by a
//! task that stops it when nobody has wanted it for the linger time. What runs is still the supervisor's:
//! this only says when.

use super::{Broadcast, Control, ControlError};
use crate::config::OnDemand;
use crate::hub::{HOLD, StreamName};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How often a source is looked at: how exact the linger time is.
const TICK: Duration = Duration::from_secs(1);

/// The sources that run on demand, each with the task that will stop it.
#[derive(Debug)]
pub(super) struct Demand {
    settings: OnDemand,
    /// Locked while a source is started or stopped, so that neither is done on old news of the other.
    watched: Mutex<HashMap<StreamName, AbortHandle>>,
}

/// One run of a source, from the first who wanted it on.
#[derive(Debug)]
struct Run {
    linger: Duration,
    was_ready: bool,
    /// When it was last wanted, or has become ready for those who may come back.
    wanted: Instant,
}

impl Demand {
    pub(super) fn new(settings: OnDemand) -> Self {
        Self {
            settings,
            watched: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamName, AbortHandle>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is wanted without a viewer.
    const fn is_standing(&self, broadcast: &Broadcast) -> bool {
        let restreamed = self.settings.restreams && !broadcast.endpoints.is_empty();
        let recorded = self.settings.recordings && matches!(broadcast.record, Some(true));
        restreamed || recorded
    }
}

impl Run {
    const fn new(linger: Duration, now: Instant) -> Self {
        Self {
            linger,
            was_ready: false,
            wanted: now,
        }
    }

    /// Whether it is time to stop. A source that is not ready yet has as long as those who asked for it may
    /// be held: they come back.
    fn is_over(&mut self, now: Instant, is_wanted: bool, is_ready: bool) -> bool {
        if is_wanted || (is_ready && !self.was_ready) {
            self.wanted = now;
        }
        self.was_ready |= is_ready;
        let patience = if self.was_ready {
            self.linger
        } else {
            self.linger.max(HOLD)
        };
        !is_wanted && now.duration_since(self.wanted) >= patience
    }
}

impl Control {
    /// Starts what is wanted. Runs for ever.
    pub async fn follow_demand(self) {
        let names: Vec<StreamName> = self.lock().keys().cloned().collect();
        for name in names {
            self.reconsider(&name);
        }
        loop {
            let name = self.shared.hub.next_wanted().await;
            match self.start_watched(&name) {
                // It may have failed, and is tried again.
                Ok(()) | Err(ControlError::Active(_)) => {}
                Err(error) => {
                    tracing::warn!(stream = %name, %error, "the source is wanted and cannot be started");
                    self.shared.hub.turn_away(&name);
                }
            }
        }
    }

    /// Whether a broadcast's source runs while somebody watches.
    pub(super) fn is_on_demand(&self, name: &StreamName) -> bool {
        let broadcasts = self.lock();
        broadcasts
            .get(name)
            .is_some_and(|broadcast| broadcast.auto_start_stop && !broadcast.sources().is_empty())
    }

    /// What is asked of a broadcast has changed: it may be on demand now or no longer, and wanted for other
    /// reasons than before.
    pub(super) fn reconsider(&self, name: &StreamName) {
        let hub = &self.shared.hub;
        if !self.is_on_demand(name) {
            hub.withdraw(name);
            // What runs goes on.
            self.unwatch(name);
            return;
        }
        hub.offer(name);
        let mut watched = self.shared.demand.lock();
        if watched.contains_key(name) {
            return;
        }
        if self.shared.supervisor.state(name).is_some() {
            watched.insert(name.clone(), self.watch(name));
            return;
        }
        drop(watched);
        if self.is_standing(name)
            && let Err(error) = self.start_watched(name)
        {
            tracing::warn!(stream = %name, %error, "the source is wanted and cannot be started");
        }
    }

    /// Starts a source that is stopped when nobody wants it.
    pub(super) fn start_watched(&self, name: &StreamName) -> Result<(), ControlError> {
        let mut watched = self.shared.demand.lock();
        self.start_source(name)?;
        tracing::info!(stream = %name, "source started on demand");
        if let Some(before) = watched.insert(name.clone(), self.watch(name)) {
            before.abort();
        }
        Ok(())
    }

    /// Stops nothing more on account of nobody watching.
    pub(super) fn unwatch(&self, name: &StreamName) {
        if let Some(task) = self.shared.demand.lock().remove(name) {
            task.abort();
        }
    }

    fn is_standing(&self, name: &StreamName) -> bool {
        let broadcasts = self.lock();
        broadcasts
            .get(name)
            .is_some_and(|broadcast| self.shared.demand.is_standing(broadcast))
    }

    fn watch(&self, name: &StreamName) -> AbortHandle {
        let (control, name) = (self.clone(), name.clone());
        let watch = async move {
            let mut run = Run::new(control.shared.demand.settings.linger, Instant::now());
            let mut tick = tokio::time::interval(TICK);
            loop {
                tick.tick().await;
                if control.is_over(&name, &mut run) {
                    return;
                }
            }
        };
        tokio::spawn(watch).abort_handle()
    }

    /// Stops the source if it is time to.
    fn is_over(&self, name: &StreamName, run: &mut Run) -> bool {
        let hub = &self.shared.hub;
        let mut watched = self.shared.demand.lock();
        if watched.get(name).map(AbortHandle::id) != tokio::task::try_id() {
            // Another has taken its place while this one waited for the lock.
            return true;
        }
        let is_wanted = hub.is_wanted(name) || self.is_standing(name);
        let is_ready = hub.get(name).is_some_and(|stream| stream.snapshot().ready);
        if !run.is_over(Instant::now(), is_wanted, is_ready) || !hub.stop_unwanted(name) {
            return false;
        }
        self.shared.supervisor.stop(name);
        watched.remove(name);
        tracing::info!(stream = %name, "source stopped: nobody watches");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::{BoxFuture, Context, Protocol, Target};
    use crate::auth::Auth;
    use crate::bridge::Bridges;
    use crate::config::{Network, Sources};
    use crate::control::supervisor::Supervisor;
    use crate::control::{Endpoint, Kind, Patch, Status};
    use crate::hub::tests::{VIDEO, name, origin, send_gop, unit};
    use crate::hub::{Applications, Hub, Interest, Opened, Settings, Unavailable, Viewer};
    use crate::net::policy::Policy;
    use crate::net::shard::Shards;
    use crate::store::Store;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
    use tokio::runtime::Handle;
    use tokio::task::JoinHandle;
    use tokio::time::sleep;

    const LINGER: Duration = Duration::from_secs(5);

    /// A camera that is ready two seconds after it is connected, unless it refuses.
    #[derive(Default)]
    struct Camera {
        connected: AtomicUsize,
        connections: AtomicUsize,
        refuses: AtomicBool,
    }

    struct Connection<'a>(&'a AtomicUsize);

    impl Drop for Connection<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Relaxed);
        }
    }

    impl Protocol for Camera {
        fn name(&self) -> &'static str {
            "camera"
        }

        fn pulls(&self, scheme: &str) -> bool {
            scheme == "rtsp"
        }

        fn pull<'a>(&'a self, _: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
            Box::pin(async move {
                self.connections.fetch_add(1, Relaxed);
                self.connected.fetch_add(1, Relaxed);
                let _connection = Connection(&self.connected);
                sleep(Duration::from_secs(2)).await;
                if self.refuses.load(Relaxed) {
                    return Err("the camera refuses".into());
                }
                let publisher = target
                    .publish(&origin())
                    .map_err(|taken| taken.to_string())?;
                send_gop(&publisher);
                for picture in 10.. {
                    sleep(Duration::from_millis(40)).await;
                    let pushed = publisher.push(unit(VIDEO, picture * 40, picture % 25 == 0));
                    pushed.map_err(|replaced| replaced.to_string())?;
                }
                Ok(())
            })
        }
    }

    /// A server with one broadcast on demand.
    struct Server {
        control: Control,
        hub: Hub,
        camera: Arc<Camera>,
        _folder: tempfile::TempDir,
    }

    impl Server {
        async fn start(settings: OnDemand) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let camera = Arc::new(Camera::default());
            let settings = OnDemand {
                linger: LINGER,
                ..settings
            };
            let context = Arc::new(Context {
                hub: Hub::new(Settings::default()),
                auth: Auth::new(Vec::new()),
                applications: Applications::standard(),
                shards: Shards::start(1).unwrap(),
                bounds: Settings::default().bounds,
                policy: Policy::new(Network::default()),
                bridges: Bridges::new(Handle::current(), Settings::default().bounds),
            });
            let hub = context.hub.clone();
            let control = Control::new(
                hub.clone(),
                Store::open(folder.path()).unwrap(),
                Supervisor::new(context, Sources::default()),
                vec![camera.clone()],
                folder.path(),
                settings,
            );
            let control = control.unwrap();
            tokio::spawn(control.clone().follow_demand());
            let broadcast = Broadcast {
                kind: Kind::StreamSource,
                stream_url: Some("rtsp://camera".into()),
                auto_start_stop: true,
                ..Broadcast::default()
            };
            control.create(name(), broadcast).await.unwrap();
            Self {
                control,
                hub,
                camera,
                _folder: folder,
            }
        }

        fn open(&self, interest: Interest) -> JoinHandle<Result<Opened, Unavailable>> {
            let hub = self.hub.clone();
            tokio::spawn(async move { hub.open(&name(), interest).await })
        }

        async fn viewer(&self) -> Viewer {
            let opened = self.open(Interest::Watch).await.unwrap().unwrap();
            Viewer::new(opened.stream().clone(), "test")
        }

        fn connected(&self) -> bool {
            self.camera.connected.load(Relaxed) == 1
        }

        fn connections(&self) -> usize {
            self.camera.connections.load(Relaxed)
        }

        fn status(&self) -> Status {
            self.control.get(&name()).unwrap().status
        }

        async fn set_on_demand(&self, on_demand: bool) {
            let patch = Patch {
                auto_start_stop: Some(on_demand),
                ..Patch::default()
            };
            self.control.update(&name(), &patch).await.unwrap();
        }
    }

    async fn server() -> Server {
        Server::start(OnDemand::default()).await
    }

    #[test]
    fn a_run_is_over_when_nobody_has_wanted_it_for_long_enough() {
        let begun = Instant::now();
        // What happens in each second from the start on (w: wanted, r: ready), and the second it is over in.
        let cases = [
            ("w wr wr r r r r r r r", Some(7)),
            // Wanted again in time.
            ("w wr r r r wr r r r r r", Some(10)),
            // Asked for by a probe: lingers from when it is ready.
            ("- - - r r r r r r r", Some(8)),
            // Never ready: as long as somebody may be held.
            ("- - - - - - - - - - -", Some(10)),
            ("w w w w - - - - - - - - -", None),
            // Ready once, and failed: no more than the linger.
            ("w wr - - - - - -", Some(6)),
        ];
        for (seconds, expected) in cases {
            let mut run = Run::new(LINGER, begun);
            let over = seconds.split(' ').zip(0..).find_map(|(what, second)| {
                let now = begun + Duration::from_secs(second);
                let is_over = run.is_over(now, what.contains('w'), what.contains('r'));
                is_over.then_some(second)
            });
            assert_eq!(over, expected, "{seconds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_viewer_starts_it_and_the_last_one_lets_it_stop() {
        let server = server().await;
        sleep(LINGER).await;
        assert_eq!(
            (server.connections(), server.status()),
            (0, Status::Created)
        );
        for run in 1..=3 {
            let begun = Instant::now();
            let opening: Vec<_> = (0..50).map(|_| server.open(Interest::Watch)).collect();
            let mut viewers = Vec::new();
            for opened in opening {
                let opened = opened.await.unwrap().unwrap();
                viewers.push(Viewer::new(opened.stream().clone(), "test"));
            }
            assert_eq!(begun.elapsed().as_secs(), 2);
            assert_eq!(server.status(), Status::Broadcasting);
            sleep(LINGER * 3).await;
            viewers.truncate(1);
            sleep(LINGER * 3).await;
            assert!(server.connected());
            drop(viewers);
            // Somebody who is back in time finds it running.
            sleep(LINGER - TICK * 2).await;
            let viewer = server.viewer().await;
            sleep(TICK * 3 / 2).await;
            drop(viewer);
            sleep(LINGER - TICK).await;
            assert!(server.connected());
            sleep(TICK * 2).await;
            assert!(!server.connected());
            assert_eq!(server.connections(), run);
            assert!(server.hub.get(&name()).is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_starts_it_and_does_not_keep_it() {
        let server = server().await;
        server.open(Interest::Probe).await.unwrap().unwrap();
        for _ in 0..3 {
            assert!(server.connected());
            sleep(LINGER / 4).await;
            server.open(Interest::Probe).await.unwrap().unwrap();
        }
        sleep(TICK * 3).await;
        assert!(!server.connected());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_source_that_fails_is_told_and_may_come_back() {
        let server = server().await;
        server.camera.refuses.store(true, Relaxed);
        let begun = Instant::now();
        let refused = server.open(Interest::Watch).await.unwrap().unwrap_err();
        assert_eq!(refused, Unavailable::Starting(name()));
        assert_eq!(begun.elapsed().as_secs(), HOLD.as_secs());
        assert!(server.connections() > 1, "it is tried again");
        assert_eq!(server.status(), Status::Preparing);
        sleep(Duration::from_secs(5)).await;
        // The same run goes on for who comes back.
        server.camera.refuses.store(false, Relaxed);
        drop(server.viewer().await);
        sleep(HOLD * 2).await;
        assert!(!server.connected());
        // A source that nobody waits for any more is given up.
        server.camera.refuses.store(true, Relaxed);
        let waiting = server.open(Interest::Watch);
        sleep(TICK).await;
        waiting.abort();
        sleep(HOLD + TICK * 2).await;
        assert!(server.control.shared.supervisor.state(&name()).is_none());
        let given_up = server.connections();
        sleep(HOLD * 6).await;
        assert_eq!(server.connections(), given_up);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_turned_away_when_the_broadcast_is_deleted() {
        let server = server().await;
        let waiting = server.open(Interest::Watch);
        sleep(TICK).await;
        assert!(server.connected());
        let begun = Instant::now();
        server.control.delete(&name()).await.unwrap();
        let refused = waiting.await.unwrap().unwrap_err();
        assert_eq!(refused, Unavailable::NotLive(name()));
        sleep(Duration::from_millis(1)).await;
        assert!(!server.connected() && begun.elapsed() < TICK);
        let refused = server.open(Interest::Watch).await.unwrap();
        assert_eq!(refused.unwrap_err(), Unavailable::NotLive(name()));
        sleep(HOLD).await;
        assert_eq!(server.connections(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_cannot_be_started_is_refused_at_once() {
        let server = server().await;
        let patch = Patch {
            stream_url: Some("gopher://camera".into()),
            ..Patch::default()
        };
        server.control.update(&name(), &patch).await.unwrap();
        let begun = Instant::now();
        let refused = server.open(Interest::Watch).await.unwrap().unwrap_err();
        assert_eq!(refused, Unavailable::NotLive(name()));
        assert_eq!(begun.elapsed().as_secs(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_runs_is_taken_over_when_the_broadcast_is_edited() {
        let server = server().await;
        // No longer on demand, while somebody waits: it comes, and stays.
        let waiting = server.open(Interest::Watch);
        sleep(TICK).await;
        server.set_on_demand(false).await;
        drop(waiting.await.unwrap().unwrap());
        sleep(HOLD * 3).await;
        assert!(server.connected());
        // On demand again, while it runs and nobody watches: it stops.
        server.set_on_demand(true).await;
        sleep(LINGER - TICK).await;
        assert!(server.connected());
        sleep(TICK * 2).await;
        assert!(!server.connected());
        // Another URL, while somebody watches: the same viewer goes on, and counts.
        let viewer = server.viewer().await;
        let patch = Patch {
            stream_url: Some("rtsp://another".into()),
            ..Patch::default()
        };
        server.control.update(&name(), &patch).await.unwrap();
        sleep(HOLD * 3).await;
        assert!(server.connected());
        assert_eq!(server.connections(), 3);
        drop(viewer);
        sleep(LINGER + TICK * 2).await;
        assert!(!server.connected());
    }

    #[tokio::test(start_paused = true)]
    async fn stop_and_start_work_in_every_state() {
        let server = server().await;
        assert!(matches!(
            server.control.stop(&name()).await,
            Err(ControlError::NotRunning(_))
        ));
        // Started by hand, it stops when nobody comes.
        server.control.start(&name()).await.unwrap();
        assert!(matches!(
            server.control.start(&name()).await,
            Err(ControlError::Active(_))
        ));
        sleep(Duration::from_secs(3)).await;
        assert!(server.connected());
        sleep(LINGER + TICK).await;
        assert!(!server.connected());
        // Stopped by hand, it waits for the next who comes.
        let viewer = server.viewer().await;
        server.control.stop(&name()).await.unwrap();
        assert_eq!(server.status(), Status::Finished);
        drop(viewer);
        sleep(HOLD).await;
        assert!(!server.connected());
        let _viewer = server.viewer().await;
        assert!(server.connected());
    }

    #[tokio::test(start_paused = true)]
    async fn recordings_and_restreams_count_if_they_are_meant_to() {
        let record: fn(&mut Broadcast, bool) = |broadcast, on| broadcast.record = Some(on);
        let restream: fn(&mut Broadcast, bool) = |broadcast, on| {
            let endpoint = Endpoint {
                id: "custom".into(),
                url: "rtmp://elsewhere/app/key".into(),
            };
            broadcast.endpoints = on.then_some(endpoint).into_iter().collect();
        };
        for (recordings, restreams, set, counts) in [
            (false, true, record, false),
            (true, false, record, true),
            (true, false, restream, false),
            (false, true, restream, true),
        ] {
            let settings = OnDemand {
                recordings,
                restreams,
                ..OnDemand::default()
            };
            let server = Server::start(settings).await;
            for on in [true, false] {
                let control = &server.control;
                let change = |broadcast: &mut Broadcast| {
                    set(broadcast, on);
                    Ok(())
                };
                control.change_asked(&name(), change).await.unwrap();
                sleep(HOLD * 3).await;
                assert_eq!(server.connected(), on && counts);
            }
        }
    }
}
