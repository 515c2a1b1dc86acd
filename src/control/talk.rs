//! Talking to cameras: who talks where, one at a time at each, and how what is said gets there.
//!
//! What is said is no stream: it goes from one browser to one camera. Whoever is slower than that misses some of it.

use super::Control;
use super::supervisor::State;
use crate::adapters::{Call, Loudspeaker, Microphone, TalkError, puller};
use crate::bridge::Voice;
use crate::hub::StreamName;
use crate::transport::rtp::Event;
use axum::http::HeaderMap;
use media::{AccessUnit, Codec, Track};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// How often is looked whether the stream still has that camera.
const LOOK: Duration = Duration::from_secs(1);

/// For a camera to be told that it is over.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why nobody talks to a camera.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TalkFailure {
    /// There is no such stream.
    #[error("there is no stream of that name")]
    Unknown,
    /// It is not pulled.
    #[error("the stream does not come from a camera that the server connects to")]
    NoCamera,
    /// Somebody else does.
    #[error("somebody is talking to this camera already")]
    Taken,
    /// It was tried.
    #[error(transparent)]
    Talk(#[from] TalkError),
}

/// Somebody who talks now.
#[derive(Debug)]
pub struct Talk {
    /// The answer to the offer.
    pub answer: String,
    /// Headers that go with it.
    pub headers: HeaderMap,
    /// The session's secret, by which it is ended.
    pub secret: String,
}

/// Those who talk: by stream, the secret of each once it has one, and what ends it.
#[derive(Clone, Debug, Default)]
pub(super) struct Talks(Arc<Mutex<HashMap<StreamName, Talking>>>);

#[derive(Debug)]
struct Talking {
    secret: Option<String>,
    end: CancellationToken,
}

/// The one place at a camera. It is free again when this is dropped.
#[derive(Debug)]
struct Seat {
    talks: Talks,
    name: StreamName,
    end: CancellationToken,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.talks.with(|talks| talks.remove(&self.name));
    }
}

impl Talks {
    fn with<T>(&self, change: impl FnOnce(&mut HashMap<StreamName, Talking>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, name: &StreamName) -> Option<Seat> {
        let end = CancellationToken::new();
        self.with(|talks| {
            if talks.contains_key(name) {
                return None;
            }
            let talking = Talking {
                secret: None,
                end: end.clone(),
            };
            talks.insert(name.clone(), talking);
            Some(())
        })?;
        Some(Seat {
            talks: self.clone(),
            name: name.clone(),
            end,
        })
    }

    fn tell(&self, name: &StreamName, secret: &str) {
        self.with(|talks| {
            if let Some(talking) = talks.get_mut(name) {
                talking.secret = Some(secret.to_owned());
            }
        });
    }
}

impl Control {
    /// The sound that the camera of a stream takes, and whether somebody talks to it.
    ///
    /// # Errors
    /// Why none.
    pub async fn hears(&self, name: &StreamName) -> Result<(Codec, bool), TalkFailure> {
        let url = self.talks_to(name)?;
        let context = self.shared.supervisor.context();
        let protocol = puller(&self.shared.protocols, &url).ok_or(TalkFailure::NoCamera)?;
        let takes = protocol.hears(&url, name, context).await?;
        let is_taken = self.shared.talks.with(|talks| talks.contains_key(name));
        Ok((takes, is_taken))
    }

    /// Lets somebody talk to the camera of a stream, until they leave, the camera fails, or the stream has another, and as
    /// long as they may.
    ///
    /// # Errors
    /// Why not.
    pub async fn talk(
        &self,
        call: Call<'_>,
        may: impl Fn() -> bool + Send + 'static,
    ) -> Result<Talk, TalkFailure> {
        let name = call.name;
        let url = self.talks_to(name)?;
        let protocol = puller(&self.shared.protocols, &url).ok_or(TalkFailure::NoCamera)?;
        let seat = self.shared.talks.take(name).ok_or(TalkFailure::Taken)?;
        let context = self.shared.supervisor.context();
        let loudspeaker = protocol.loudspeaker(&url, name, context).await?;
        let mut protocols = self.shared.protocols.iter();
        let microphone = protocols.find_map(|one| one.microphone(call, &loudspeaker.takes));
        let switched_off = || TalkError::Busy("WebRTC is switched off".to_owned());
        let microphone = microphone.unwrap_or_else(|| Err(switched_off()));
        let microphone = match microphone {
            Ok(microphone) => microphone,
            Err(error) => {
                let Loudspeaker { sound, runs, .. } = loudspeaker;
                drop(sound);
                // The camera is told that nothing comes, whoever waits for that. Until it knows it would take no other, and
                // who offers again at once must not meet himself.
                let farewell = tokio::spawn(async move {
                    let _ = timeout(FAREWELL, runs).await;
                    drop(seat);
                });
                let _ = farewell.await;
                return Err(error.into());
            }
        };
        let Microphone {
            answer,
            headers,
            secret,
            sound,
        } = microphone;
        self.shared.talks.tell(name, &secret);
        let takes = loudspeaker.takes.name();
        tracing::info!(stream = %name, takes, "somebody talks to the camera");
        let control = self.clone();
        tokio::spawn(async move {
            let reason = control.connect(&seat, &url, sound, loudspeaker, may).await;
            tracing::info!(stream = %seat.name, reason, "nobody talks to the camera any more");
        });
        Ok(Talk {
            answer,
            headers,
            secret,
        })
    }

    /// Ends the session of that secret, if that is the one that talks to the camera of the stream.
    pub async fn hang_up(&self, name: &StreamName, secret: &str) -> bool {
        let end = self.shared.talks.with(|talks| {
            let talking = talks.get(name)?;
            let is_it = talking.secret.as_deref() == Some(secret);
            is_it.then(|| talking.end.clone())
        });
        let Some(end) = end else {
            return false;
        };
        end.cancel();
        // Who calls again at once must not meet himself.
        let gone = async {
            while self.is_talking(name, secret) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = timeout(FAREWELL + LOOK, gone).await;
        true
    }

    /// Whether the session of that secret talks to the camera of the stream.
    pub fn is_talking(&self, name: &StreamName, secret: &str) -> bool {
        self.shared.talks.with(|talks| {
            let talking = talks.get(name);
            talking.is_some_and(|talking| talking.secret.as_deref() == Some(secret))
        })
    }

    /// The URL of the camera that the stream comes from, or would come from.
    fn talks_to(&self, name: &StreamName) -> Result<String, TalkFailure> {
        let broadcast = self.lock().get(name).cloned();
        let is_there = broadcast.is_some() || self.shared.hub.get(name).is_some();
        if !is_there {
            return Err(TalkFailure::Unknown);
        }
        let sources = broadcast.map_or_else(Vec::new, |broadcast| broadcast.sources());
        let state = self.shared.supervisor.state(name);
        let active = state.map_or(0, |State { url, .. }| url);
        let url = sources.get(active).or_else(|| sources.first());
        url.cloned().ok_or(TalkFailure::NoCamera)
    }

    fn still_comes_from(&self, name: &StreamName, url: &str) -> bool {
        self.talks_to(name).is_ok_and(|now| now == url)
    }

    /// Carries what is said, and tells why that has ended.
    async fn connect(
        &self,
        seat: &Seat,
        url: &str,
        mut said: mpsc::Receiver<Event>,
        loudspeaker: Loudspeaker,
        may: impl Fn() -> bool + Send,
    ) -> String {
        let Loudspeaker {
            takes,
            sound,
            mut runs,
        } = loudspeaker;
        let mut way = Way {
            takes,
            source: None,
            voice: None,
            sound,
            dropped: 0,
        };
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let reason = loop {
            tokio::select! {
                over = &mut runs => return match over {
                    Ok(()) => "the camera ended it".to_owned(),
                    Err(words) => words,
                },
                event = said.recv() => {
                    let passed = match event {
                        Some(Event::Track(track)) => way.begin(track),
                        Some(Event::Unit(unit)) => {
                            way.pass(&unit);
                            Ok(())
                        }
                        None => break "who talked has left".to_owned(),
                    };
                    if let Err(words) = passed {
                        break words;
                    }
                }
                () = seat.end.cancelled() => break "who talked has hung up".to_owned(),
                _ = look.tick() => {
                    if !self.still_comes_from(&seat.name, url) {
                        break "the stream has another camera, or none".to_owned();
                    }
                    if !may() {
                        break "who talked may no longer".to_owned();
                    }
                }
            }
        };
        if way.dropped > 0 {
            let (stream, dropped) = (&seat.name, way.dropped);
            tracing::info!(%stream, dropped, "the camera was too slow for some of what was said");
        }
        drop((said, way));
        // A camera that does not hear it sees that the connection is closed.
        let _ = timeout(FAREWELL, runs).await;
        reason
    }
}

/// How what is said becomes what the camera takes.
struct Way {
    takes: Codec,
    /// What comes, once that is known.
    source: Option<Track>,
    /// Where the camera takes something else.
    voice: Option<Voice>,
    sound: mpsc::Sender<AccessUnit>,
    dropped: u64,
}

impl Way {
    fn begin(&mut self, track: Track) -> Result<(), String> {
        self.voice = match track.codec == self.takes {
            true => None,
            false => {
                let voice = Voice::new(&track, &self.takes);
                Some(voice.map_err(|error| error.to_string())?)
            }
        };
        self.source = Some(track);
        Ok(())
    }

    fn pass(&mut self, unit: &AccessUnit) {
        let Some(source) = &self.source else {
            return;
        };
        if let Some(voice) = &mut self.voice {
            for unit in voice.push(unit) {
                self.dropped += u64::from(self.sound.try_send(unit).is_err());
            }
            return;
        }
        // On the clock of the samples, as the camera counts.
        let Codec::G711 { sample_rate, .. } = &source.codec else {
            return;
        };
        let pts = source.timebase.rescale(unit.pts, *sample_rate);
        let unit = AccessUnit {
            pts,
            dts: pts,
            ..unit.clone()
        };
        self.dropped += u64::from(self.sound.try_send(unit).is_err());
    }
}
