//! Broadcasts that are cameras: what is known of each is kept from one request to the next, and whoever sets one in
//! motion need not come back to stop it.

use super::news::What;
use super::{Broadcast, Control};
use crate::adapters::onvif::events::Event;
use crate::adapters::onvif::ptz::{Action, Motion, Vector};
use crate::adapters::onvif::{Camera, CameraError, Source, SourceError};
use crate::hub::StreamName;
use crate::net::policy::Refused;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::MutexGuard;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often is looked which cameras there are.
const LOOK: Duration = Duration::from_secs(5);

/// A camera is asked no more often than this for what it has noticed.
const BETWEEN: Duration = Duration::from_millis(200);

/// One that does not tell is asked again after this, and later and later up to [`LAST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// How often a camera that goes on is told to stop, and the time in between.
const STOPS: u32 = 5;
const STOP_AGAIN: Duration = Duration::from_secs(1);

/// What a camera calls a state that it only repeats, because somebody new asks.
const INITIALIZED: &str = "Initialized";

/// Why a camera did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CameraFailure {
    /// There is no such broadcast, or it is none.
    #[error("there is no camera of that name")]
    Unknown,
    /// It is known by the URL of its stream alone.
    #[error(
        "the camera is given by its stream's URL; what else it can do is asked at its ONVIF address"
    )]
    NoAddress,
    /// Its address cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Its address is forbidden.
    #[error(transparent)]
    Forbidden(#[from] Refused),
    /// It was asked.
    #[error(transparent)]
    Camera(#[from] CameraError),
}

/// The cameras that somebody has asked something.
#[derive(Debug, Default)]
pub(super) struct Cameras(Mutex<HashMap<StreamName, (String, Arc<Handle>)>>);

impl Cameras {
    pub(super) fn forget(&self, name: &StreamName) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(name);
    }
}

/// One camera, for all who ask it something.
#[derive(Debug)]
pub struct Handle {
    camera: tokio::sync::Mutex<Camera>,
    /// Waits for events, and makes nobody else wait.
    listener: tokio::sync::Mutex<Camera>,
    /// Counts motions and their ends: who has begun one sees whether another has come since.
    motions: AtomicU64,
}

impl Handle {
    /// The camera, which one at a time asks.
    pub async fn lock(&self) -> MutexGuard<'_, Camera> {
        self.camera.lock().await
    }

    /// The same camera on a second way, for questions that wait.
    pub async fn listen(&self) -> MutexGuard<'_, Camera> {
        self.listener.lock().await
    }

    /// Moves it. A continuous motion ends after `timeout`, if nobody ends it before.
    ///
    /// # Errors
    /// When it cannot be moved so.
    pub async fn go(
        self: &Arc<Self>,
        motion: Motion,
        vector: Vector,
        timeout: Duration,
    ) -> Result<(), CameraError> {
        let mut camera = self.lock().await;
        let result = camera.go(motion, vector, timeout).await;
        let end = match &result {
            // Who is told that it failed will not end it.
            Err(CameraError::Moving(_)) => Some(Duration::ZERO),
            // What was refused, or is no motion, leaves the end of the one before as it is.
            Err(_) => return result,
            Ok(()) if vector == Vector::default() => return result,
            Ok(()) => (motion == Motion::Continuous).then_some(timeout),
        };
        let number = self.motions.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(time) = end {
            tokio::spawn(self.clone().stop_later(number, time));
        }
        result
    }

    /// Ends the motion of that number, if it is still the last.
    async fn stop_later(self: Arc<Self>, number: u64, timeout: Duration) {
        sleep(timeout).await;
        for attempt in 1..=STOPS {
            let mut camera = self.lock().await;
            if self.motions.load(Ordering::SeqCst) != number {
                return;
            }
            let Err(error) = camera.stop().await else {
                return;
            };
            drop(camera);
            tracing::warn!(%error, attempt, "a camera could not be stopped");
            sleep(STOP_AGAIN).await;
        }
    }

    /// Does what has no answer. Who goes to a place is not stopped for the motion before.
    ///
    /// # Errors
    /// When it does not.
    pub async fn act(&self, action: Action) -> Result<(), CameraError> {
        let goes = matches!(action, Action::GotoPreset(_) | Action::GotoHome);
        let mut camera = self.lock().await;
        camera.act(action).await?;
        if goes {
            self.motions.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Ends all motion.
    ///
    /// # Errors
    /// When it does not.
    pub async fn stop(&self) -> Result<(), CameraError> {
        let mut camera = self.lock().await;
        camera.stop().await?;
        // One that could not be ended is, when its time is over.
        self.motions.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Control {
    /// The camera of a broadcast.
    ///
    /// # Errors
    /// When it is none, or its address cannot be used.
    pub fn camera(&self, name: &StreamName) -> Result<Arc<Handle>, CameraFailure> {
        let broadcast = self.lock().get(name).cloned();
        let broadcast = broadcast.ok_or(CameraFailure::Unknown)?;
        let url = camera_url(&broadcast)?;
        let known = &self.shared.cameras.0;
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, handle)) = known.get(name)
            && *of == url
        {
            return Ok(handle.clone());
        }
        let handle = Arc::new(Handle {
            camera: tokio::sync::Mutex::new(self.connect_camera(&url)?),
            listener: tokio::sync::Mutex::new(self.connect_camera(&url)?),
            motions: AtomicU64::new(0),
        });
        known.insert(name.clone(), (url, handle.clone()));
        Ok(handle)
    }

    /// Asks the camera that a broadcast would be for its stream.
    ///
    /// # Errors
    /// When it does not tell. One that is given by its stream's URL is not asked.
    pub async fn try_camera(&self, broadcast: &Broadcast) -> Result<(), CameraFailure> {
        self.check_addresses(broadcast)?;
        match camera_url(broadcast) {
            Err(CameraFailure::NoAddress) => Ok(()),
            Err(error) => Err(error),
            Ok(url) => {
                self.connect_camera(&url)?.stream().await?;
                Ok(())
            }
        }
    }

    /// Tells what cameras notice. Runs for ever.
    pub async fn follow_cameras(self) {
        let mut watched: HashMap<StreamName, (String, DropGuard)> = HashMap::new();
        loop {
            let wanted: HashMap<StreamName, String> = self
                .lock()
                .iter()
                .filter_map(|(name, broadcast)| Some((name.clone(), camera_url(broadcast).ok()?)))
                .collect();
            watched.retain(|name, (url, _)| wanted.get(name) == Some(url));
            for (name, url) in wanted {
                watched.entry(name.clone()).or_insert_with(|| {
                    let stop = CancellationToken::new();
                    let watch = self.clone().watch_camera(name, url.clone());
                    let watch = stop.clone().run_until_cancelled_owned(watch);
                    tokio::spawn(watch);
                    (url, stop.drop_guard())
                });
            }
            sleep(LOOK).await;
        }
    }

    async fn watch_camera(self, name: StreamName, url: String) {
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.connect_camera(&url) {
                Ok(mut camera) => loop {
                    match camera.events().await {
                        Ok(events) => {
                            pause = FIRST_PAUSE;
                            let is_news =
                                |event: &Event| event.operation.as_deref() != Some(INITIALIZED);
                            for event in events.into_iter().filter(is_news) {
                                self.outlet()
                                    .tell(What::Noticed(name.clone(), event.into()));
                            }
                        }
                        Err(error) => break error.to_string(),
                    }
                    sleep(BETWEEN).await;
                },
                Err(error) => error.to_string(),
            };
            if pause == FIRST_PAUSE {
                tracing::warn!(stream = %name, error = failure, "the camera does not tell what it notices");
            } else {
                tracing::debug!(stream = %name, error = failure, "the camera does not tell what it notices");
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    fn connect_camera(&self, url: &str) -> Result<Camera, SourceError> {
        let context = self.shared.supervisor.context();
        let source = Source::parse(url)?;
        Ok(Camera::new(
            source,
            context.policy.clone(),
            context.connector.clone(),
        ))
    }
}

fn camera_url(broadcast: &Broadcast) -> Result<String, CameraFailure> {
    if broadcast.ip_addr.is_none() {
        return Err(CameraFailure::Unknown);
    }
    broadcast.camera().ok_or(CameraFailure::NoAddress)
}
