//! One camera: what it can be asked, each a question or a few.
//!
//! What was learned of it is kept for the next question. Moving is made safe here: ways where a camera knows only
//! speeds, and a stop that stops.

use super::http::{Answer, Link};
use super::source::Source;
use crate::net::policy::Policy;
use crate::net::tls::Connector;
use bytes::Bytes;
use onvif::device::{
    GetDeviceInformation, GetNetworkInterfaces, GetUsers, Information, Interface, SystemReboot,
};
use onvif::events::{CreatePullPoint, Event, PullMessages, PullPoint};
use onvif::imaging::{GetImagingSettings, SetImagingSettings, Settings};
use onvif::profiles::{
    Choice, Encoder, GetProfiles, GetSnapshotUri, GetStreamUri, Profile,
    SetVideoEncoderConfiguration,
};
use onvif::ptz::{
    Action, Command, GetConfigurationOptions, GetPresets, GetStatus, Motion, Move, Preset, Ranges,
    SetPreset, Status, Vector,
};
use onvif::{Error, Operation, Output, Random, Response, Service, Session};
use std::time::{Duration, SystemTime};

/// A camera that knows only speeds goes a way of 1 in this time.
const FULL_WAY: Duration = Duration::from_secs(2);

/// Shortest time for which it is moved then.
const SHORTEST_WAY: Duration = Duration::from_millis(200);

/// A camera waits so long for events before it says that there were none; less than what HTTP waits for it.
const PULL: Duration = Duration::from_secs(5);

/// Why a camera did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CameraError {
    /// It was not reached.
    #[error("{0}")]
    Unreachable(String),
    /// It was, and refused or misunderstood.
    #[error(transparent)]
    Refused(#[from] Error),
    /// It was told to move, and may not have stood still since.
    #[error("the camera may be moving: {0}")]
    Moving(Box<Self>),
    /// It has no streams, which some show to users without rights.
    #[error("the camera shows no profiles; the user may lack the rights of an operator")]
    NoProfiles,
    /// It has none that was asked for.
    #[error("the camera has {0} profiles, and none of them is the one that is wanted")]
    NoSuchProfile(usize),
    /// The stream's address is of no use.
    #[error("the camera names a stream whose address cannot be used")]
    StreamAddress,
    /// The profile has no PTZ configuration.
    #[error("the camera cannot be moved")]
    Fixed,
    /// It has no lens of that profile.
    #[error("the profile has no video source")]
    NoVideoSource,
    /// There is no such encoder.
    #[error("the camera has no such video encoder")]
    NoEncoder,
    /// A picture was asked for.
    #[error("the camera answers with HTTP status {0} where its picture should be")]
    Picture(u16),
}

impl CameraError {
    /// Whether user and password, or the rights of the user, are why.
    pub fn is_unauthorized(&self) -> bool {
        match self {
            Self::Refused(error) => error.is_unauthorized(),
            Self::Moving(error) => error.is_unauthorized(),
            Self::NoProfiles | Self::Picture(401 | 403) => true,
            _ => false,
        }
    }
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// As the camera calls it.
    pub content_type: String,
    /// The file.
    pub body: Bytes,
}

/// One camera.
pub struct Camera {
    session: Session,
    link: Link,
    choice: Choice,
    options: String,
    profiles: Vec<Profile>,
    ranges: Option<Ranges>,
    /// Where events are pulled from.
    subscription: Option<PullPoint>,
}

impl std::fmt::Debug for Camera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Camera at {:?}", self.session.address().host())
    }
}

impl Camera {
    /// Nothing is asked yet.
    pub fn new(source: Source, policy: Policy, connector: Connector) -> Self {
        let random = Random(rand::random());
        Self {
            session: Session::new(source.address, source.credentials, random),
            link: Link {
                policy,
                connector,
                check: source.check,
            },
            choice: source.choice,
            options: source.options,
            profiles: Vec::new(),
            ranges: None,
            subscription: None,
        }
    }

    async fn ask<O: Operation>(&mut self, operation: O) -> Result<O::Answer, CameraError> {
        let mut asking = self.session.ask(operation);
        loop {
            match asking.poll_output(SystemTime::now()) {
                Output::Request(request) => {
                    let answer = self.link.post(request).await;
                    let answer = answer.map_err(CameraError::Unreachable)?;
                    let response = Response {
                        status: answer.status,
                        challenges: &answer.challenges,
                        body: &answer.body,
                    };
                    asking.handle_input(SystemTime::now(), response);
                }
                Output::Done(result) => return Ok(result?),
                Output::Waiting => {
                    let words = "the camera has not been asked".to_owned();
                    return Err(CameraError::Unreachable(words));
                }
            }
        }
    }

    /// What it can send, asked anew.
    ///
    /// # Errors
    /// When it does not tell, or has nothing.
    pub async fn profiles(&mut self) -> Result<&[Profile], CameraError> {
        self.profiles = self.ask(GetProfiles).await?;
        self.ranges = None;
        match self.profiles.is_empty() {
            true => Err(CameraError::NoProfiles),
            false => Ok(&self.profiles),
        }
    }

    /// The profile that is wanted.
    async fn profile(&mut self) -> Result<Profile, CameraError> {
        if self.profiles.is_empty() {
            self.profiles().await?;
        }
        let chosen = self.choice.of(&self.profiles).cloned();
        chosen.ok_or(CameraError::NoSuchProfile(self.profiles.len()))
    }

    /// The URL of the stream that is wanted, with user and password and the options of the source.
    ///
    /// # Errors
    /// When the camera does not tell.
    pub async fn stream(&mut self) -> Result<String, CameraError> {
        let profile = self.profile().await?.token;
        let mut url = self.stream_of(profile).await?;
        if let Some(login) = self.session.credentials()
            && url.set_username(&login.user).is_ok()
        {
            let _ = url.set_password(Some(&login.password));
        }
        if !self.options.is_empty() {
            url.set_fragment(Some(&self.options));
        }
        Ok(url.into())
    }

    async fn stream_of(&mut self, profile: String) -> Result<url::Url, CameraError> {
        let uri = self.ask(GetStreamUri { profile }).await?;
        let url = self.session.address().stream(&uri);
        url.ok_or(CameraError::StreamAddress)
    }

    /// All profiles with the URLs of their streams, without user and password. Some have none: they are incomplete.
    ///
    /// # Errors
    /// When the camera does not tell.
    pub async fn streams(&mut self) -> Result<Vec<(Profile, Option<String>)>, CameraError> {
        let mut all = Vec::new();
        for profile in self.profiles().await?.to_vec() {
            let url = match self.stream_of(profile.token.clone()).await {
                Ok(url) => Some(url.into()),
                Err(
                    CameraError::Refused(Error::Fault { .. } | Error::Missing { .. })
                    | CameraError::StreamAddress,
                ) => None,
                Err(error) => return Err(error),
            };
            all.push((profile, url));
        }
        Ok(all)
    }

    /// A picture of now.
    ///
    /// # Errors
    /// When there is none.
    pub async fn snapshot(&mut self) -> Result<Snapshot, CameraError> {
        let profile = self.profile().await?.token;
        let uri = self.ask(GetSnapshotUri { profile }).await?;
        let url = self.session.address().resolve(&uri);
        let mut answer = self.get(&url, None).await?;
        if answer.status == 401
            && let Some(authorization) = self.session.authorize(&answer.challenges, &url)
        {
            answer = self.get(&url, Some(authorization)).await?;
        }
        match answer.status {
            200 => Ok(Snapshot {
                content_type: answer.content_type,
                body: answer.body,
            }),
            status => Err(CameraError::Picture(status)),
        }
    }

    async fn get(
        &self,
        url: &url::Url,
        authorization: Option<String>,
    ) -> Result<Answer, CameraError> {
        let answer = self.link.get(url, authorization).await;
        answer.map_err(CameraError::Unreachable)
    }

    /// Who made it, and which it is.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn information(&mut self) -> Result<Information, CameraError> {
        self.ask(GetDeviceInformation).await
    }

    /// By how many seconds its clock is ahead, where it has told its time.
    pub const fn clock_offset(&self) -> Option<i64> {
        self.session.clock_offset()
    }

    /// Its network interfaces.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn interfaces(&mut self) -> Result<Vec<Interface>, CameraError> {
        self.ask(GetNetworkInterfaces).await
    }

    /// Its accounts, with their levels.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn users(&mut self) -> Result<Vec<(String, String)>, CameraError> {
        self.ask(GetUsers).await
    }

    /// Restarts it: what it says of that.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reboot(&mut self) -> Result<String, CameraError> {
        self.ask(SystemReboot).await
    }

    /// The profile that can be moved: the wanted one, or another of the camera.
    async fn movable(&mut self) -> Result<(String, Ranges), CameraError> {
        let wanted = self.profile().await?;
        if !self.session.services().has(Service::Ptz) {
            return Err(CameraError::Fixed);
        }
        let is_movable = |profile: &&Profile| profile.ptz.is_some();
        let profile = Some(&wanted).filter(is_movable);
        let profile = profile.or_else(|| self.profiles.iter().find(is_movable));
        let profile = profile.cloned().unwrap_or(wanted);
        if self.ranges.is_none() {
            let ranges = match profile.ptz {
                Some(configuration) => {
                    let asked = self.ask(GetConfigurationOptions { configuration }).await;
                    match asked {
                        Ok(ranges) => ranges,
                        // Cameras that know no ranges have the usual ones.
                        Err(CameraError::Refused(Error::Fault { .. })) => Ranges::default(),
                        Err(error) => return Err(error),
                    }
                }
                None => Ranges::default(),
            };
            self.ranges = Some(ranges);
        }
        Ok((profile.token, self.ranges.clone().unwrap_or_default()))
    }

    /// Moves it. A continuous motion that is not stopped within `timeout` is to be stopped by the caller: some cameras
    /// do not heed it.
    ///
    /// # Errors
    /// When it cannot be moved so. After [`CameraError::Moving`] it is to be stopped as well.
    pub async fn go(
        &mut self,
        motion: Motion,
        vector: Vector,
        timeout: Duration,
    ) -> Result<(), CameraError> {
        let (profile, ranges) = self.movable().await?;
        if motion == Motion::Relative && !ranges.allows(motion) && ranges.allows(Motion::Continuous)
        {
            return self.go_a_way(profile, vector, ranges).await;
        }
        let request = Move {
            profile,
            motion,
            vector,
            ranges,
            timeout,
        };
        match motion {
            Motion::Continuous => self.begin(request).await,
            Motion::Relative | Motion::Absolute => self.ask(request).await,
        }
    }

    /// Begins a motion that does not end by itself. Where no answer comes it may have begun.
    async fn begin(&mut self, request: Move) -> Result<(), CameraError> {
        self.ask(request).await.map_err(|error| match error {
            CameraError::Unreachable(_) => CameraError::Moving(Box::new(error)),
            error => error,
        })
    }

    /// As a relative motion, of a camera that knows only speeds.
    async fn go_a_way(
        &mut self,
        profile: String,
        way: Vector,
        ranges: Ranges,
    ) -> Result<(), CameraError> {
        let longest = way.pan.abs().max(way.tilt.abs()).max(way.zoom.abs());
        if longest.is_nan() || longest <= 0.0 {
            return Ok(());
        }
        let longest = longest.min(1.0);
        let time = FULL_WAY.mul_f64(longest).max(SHORTEST_WAY);
        let speed = |part: f64| (part / longest).clamp(-1.0, 1.0);
        let request = Move {
            profile,
            motion: Motion::Continuous,
            vector: Vector {
                pan: speed(way.pan),
                tilt: speed(way.tilt),
                zoom: speed(way.zoom),
            },
            ranges,
            timeout: time,
        };
        self.begin(request).await?;
        tokio::time::sleep(time).await;
        let stopped = self.stop().await;
        stopped.map_err(|error| CameraError::Moving(Box::new(error)))
    }

    /// Ends all motion. Where the camera refuses the word, or goes on, it is given the speed of nothing.
    ///
    /// # Errors
    /// When it knows neither.
    pub async fn stop(&mut self) -> Result<(), CameraError> {
        let (profile, ranges) = self.movable().await?;
        let stopped = self.command(Action::Stop).await;
        let goes_on = match &stopped {
            Ok(()) => {
                let status = self.ask(GetStatus {
                    profile: profile.clone(),
                });
                matches!(
                    status.await,
                    Ok(Status {
                        moving: Some(true),
                        ..
                    })
                )
            }
            Err(CameraError::Refused(Error::Fault { .. })) => true,
            Err(_) => false,
        };
        if !goes_on {
            return stopped;
        }
        self.ask(Move {
            profile,
            motion: Motion::Continuous,
            vector: Vector::default(),
            ranges,
            timeout: Duration::ZERO,
        })
        .await
    }

    async fn command(&mut self, action: Action) -> Result<(), CameraError> {
        let (profile, _) = self.movable().await?;
        self.ask(Command { profile, action }).await
    }

    /// Where it looks.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn status(&mut self) -> Result<Status, CameraError> {
        let (profile, _) = self.movable().await?;
        self.ask(GetStatus { profile }).await
    }

    /// Places that it remembers.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn presets(&mut self) -> Result<Vec<Preset>, CameraError> {
        let (profile, _) = self.movable().await?;
        self.ask(GetPresets { profile }).await
    }

    /// Remembers where it looks now, in place of `token` if there is one: the token of it.
    ///
    /// # Errors
    /// When it does not.
    pub async fn set_preset(
        &mut self,
        name: String,
        token: Option<String>,
    ) -> Result<String, CameraError> {
        let (profile, _) = self.movable().await?;
        let request = SetPreset {
            profile,
            name,
            token,
        };
        self.ask(request).await
    }

    /// Does what has no answer.
    ///
    /// # Errors
    /// When it does not.
    pub async fn act(&mut self, action: Action) -> Result<(), CameraError> {
        self.command(action).await
    }

    async fn video_source(&mut self) -> Result<String, CameraError> {
        let source = self.profile().await?.video_source;
        source.ok_or(CameraError::NoVideoSource)
    }

    /// How it sees.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn imaging(&mut self) -> Result<Settings, CameraError> {
        let source = self.video_source().await?;
        self.ask(GetImagingSettings { source }).await
    }

    /// Changes how it sees: what is given, and nothing else.
    ///
    /// # Errors
    /// When it does not.
    pub async fn set_imaging(&mut self, settings: Settings) -> Result<(), CameraError> {
        let source = self.video_source().await?;
        self.ask(SetImagingSettings { source, settings }).await
    }

    /// Changes an encoder, which `change` is shown as it is.
    ///
    /// # Errors
    /// When there is none, or it stays as it is.
    pub async fn set_encoder(
        &mut self,
        token: &str,
        change: impl FnOnce(&mut Encoder) + Send,
    ) -> Result<(), CameraError> {
        let profiles = self.profiles().await?;
        let mut encoders = profiles
            .iter()
            .filter_map(|profile| profile.encoder.as_ref());
        let encoder = encoders.find(|encoder| encoder.token == token).cloned();
        let mut encoder = encoder.ok_or(CameraError::NoEncoder)?;
        change(&mut encoder);
        let result = self.ask(SetVideoEncoderConfiguration(encoder)).await;
        self.profiles.clear();
        result
    }

    /// Waits some seconds for what it notices. The first call begins to collect.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn events(&mut self) -> Result<Vec<Event>, CameraError> {
        let from = match self.subscription.take() {
            Some(from) => from,
            None => self.ask(CreatePullPoint).await?,
        };
        let pull = PullMessages {
            from: from.clone(),
            timeout: PULL,
        };
        // One that is no longer known is made anew by the next call.
        let events = self.ask(pull).await?;
        self.subscription = Some(from);
        Ok(events)
    }
}
