//! The life of a source on demand, with a camera that does as it is told, on paused time.

use super::*;
use crate::adapters::{BoxFuture, Context, Muxers, Protocol, Target};
use crate::auth::Auth;
use crate::bridge::Bridges;
use crate::config::{Network, Record, Segments, Sources};
use crate::control::recordings::Place;
use crate::control::supervisor::Supervisor;
use crate::control::{Endpoint, Kind, Patch, Status};
use crate::hub::tests::{VIDEO, name, origin, send_gop, unit};
use crate::hub::{Applications, Hub, Interest, Opened, Settings, Unavailable, Viewer};
use crate::net::policy::Policy;
use crate::net::shard::Shards;
use crate::net::tls::Connector;
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
    store: Store,
    folder: tempfile::TempDir,
}

impl Server {
    async fn start(settings: OnDemand) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let server = Self::run(settings, store, folder);
        let broadcast = Broadcast {
            kind: Kind::StreamSource,
            stream_url: Some("rtsp://camera".into()),
            auto_start_stop: true,
            ..Broadcast::default()
        };
        server.control.create(name(), broadcast).await.unwrap();
        server
    }

    fn run(settings: OnDemand, store: Store, folder: tempfile::TempDir) -> Self {
        let camera = Arc::new(Camera::default());
        let settings = OnDemand {
            linger: LINGER,
            ..settings
        };
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
        let control = Control::new(
            hub.clone(),
            store.clone(),
            Supervisor::new(context, Sources::default()),
            vec![camera.clone()],
            Place::new(folder.path().to_owned(), Record::default()),
            &folder.path().join("thumbnails"),
            settings,
        );
        let control = control.unwrap();
        tokio::spawn(control.clone().follow_demand());
        Self {
            control,
            hub,
            camera,
            store,
            folder,
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
            ..Endpoint::to("rtmp://elsewhere/app/key")
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

#[tokio::test(start_paused = true)]
async fn what_was_stopped_by_hand_is_not_started_by_a_change_that_has_nothing_to_do_with_it() {
    let settings = OnDemand {
        recordings: true,
        ..OnDemand::default()
    };
    let server = Server::start(settings).await;
    let cam = name();
    let record = |on| {
        server.control.change_asked(&cam, move |broadcast| {
            broadcast.record = Some(on);
            Ok(())
        })
    };
    record(true).await.unwrap();
    sleep(HOLD).await;
    assert!(server.connected());
    server.control.stop(&name()).await.unwrap();
    let patch = Patch {
        name: Some("Door".into()),
        ..Patch::default()
    };
    server.control.update(&name(), &patch).await.unwrap();
    record(true).await.unwrap();
    sleep(HOLD).await;
    assert!(!server.connected());
    assert_eq!(server.status(), Status::Finished);
    // Who asks for a recording anew means it.
    record(false).await.unwrap();
    record(true).await.unwrap();
    sleep(HOLD).await;
    assert!(server.connected());
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_it_waits_for_viewers_as_before() {
    let Server { store, folder, .. } = server().await;
    let server = Server::run(OnDemand::default(), store, folder);
    sleep(LINGER).await;
    assert_eq!(server.connections(), 0);
    let _viewer = server.viewer().await;
    assert!(server.connected());
}
