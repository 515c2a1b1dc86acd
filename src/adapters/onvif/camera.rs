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
    /// Whether something in the question may be what the camera does not have any more.
    fn is_unknown_token(&self) -> bool {
        let codes = ["NoProfile", "NoEntity", "InvalidArgVal"];
        match self {
            Self::Refused(Error::Fault { fault, .. }) => codes.iter().any(|code| fault.is(code)),
            _ => false,
        }
    }

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

/// Of what a question is.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// The profile that is wanted.
    Wanted,
    /// The profile that can be moved.
    Movable,
    /// The lens of the profile that is wanted.
    Lens,
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

    /// Asks something of what `make` is given the token of, and the ranges where it is moved. What it does not know any
    /// more is found anew, once: tokens are others after what is set at the camera itself.
    async fn ask_of<O: Operation>(
        &mut self,
        of: Of,
        make: impl Fn(String, Ranges) -> O,
    ) -> Result<O::Answer, CameraError> {
        let (token, ranges) = self.find(of).await?;
        let error = match self.ask(make(token.clone(), ranges)).await {
            Err(error) if error.is_unknown_token() => error,
            result => return result,
        };
        self.profiles.clear();
        self.ranges = None;
        match self.find(of).await? {
            (other, _) if other == token => Err(error),
            (other, ranges) => self.ask(make(other, ranges)).await,
        }
    }

    async fn find(&mut self, of: Of) -> Result<(String, Ranges), CameraError> {
        match of {
            Of::Wanted => Ok((self.profile().await?.token, Ranges::default())),
            Of::Movable => self.movable().await,
            Of::Lens => {
                let lens = self.profile().await?.video_source;
                let lens = lens.ok_or(CameraError::NoVideoSource)?;
                Ok((lens, Ranges::default()))
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
        let uri = self.ask_of(Of::Wanted, |profile, _| GetStreamUri { profile });
        let uri = uri.await?;
        let url = self.session.address().stream(&uri);
        let mut url = url.ok_or(CameraError::StreamAddress)?;
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
        let uri = self.ask_of(Of::Wanted, |profile, _| GetSnapshotUri { profile });
        let uri = uri.await?;
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
        let (_, ranges) = self.movable().await?;
        let only_speeds = !ranges.allows(motion) && ranges.allows(Motion::Continuous);
        match motion {
            Motion::Continuous => self.begin(vector, timeout).await,
            Motion::Relative if only_speeds => self.go_a_way(vector).await,
            Motion::Relative | Motion::Absolute => self.moved(motion, vector, timeout).await,
        }
    }

    async fn moved(
        &mut self,
        motion: Motion,
        vector: Vector,
        timeout: Duration,
    ) -> Result<(), CameraError> {
        let request = |profile, ranges| Move {
            profile,
            motion,
            vector,
            ranges,
            timeout,
        };
        self.ask_of(Of::Movable, request).await
    }

    /// Begins a motion that does not end by itself. Where no answer comes it may have begun.
    async fn begin(&mut self, vector: Vector, timeout: Duration) -> Result<(), CameraError> {
        let begun = self.moved(Motion::Continuous, vector, timeout).await;
        begun.map_err(|error| match error {
            CameraError::Unreachable(_) => CameraError::Moving(Box::new(error)),
            error => error,
        })
    }

    /// As a relative motion, of a camera that knows only speeds.
    async fn go_a_way(&mut self, way: Vector) -> Result<(), CameraError> {
        let longest = way.pan.abs().max(way.tilt.abs()).max(way.zoom.abs());
        if longest.is_nan() || longest <= 0.0 {
            return Ok(());
        }
        let longest = longest.min(1.0);
        let time = FULL_WAY.mul_f64(longest).max(SHORTEST_WAY);
        let speed = |part: f64| (part / longest).clamp(-1.0, 1.0);
        let speeds = Vector {
            pan: speed(way.pan),
            tilt: speed(way.tilt),
            zoom: speed(way.zoom),
        };
        self.begin(speeds, time).await?;
        tokio::time::sleep(time).await;
        let stopped = self.stop().await;
        stopped.map_err(|error| CameraError::Moving(Box::new(error)))
    }

    /// Ends all motion. Where the camera refuses the word, or goes on, it is given the speed of nothing.
    ///
    /// # Errors
    /// When it knows neither.
    pub async fn stop(&mut self) -> Result<(), CameraError> {
        let stopped = self.act(Action::Stop).await;
        let goes_on = match &stopped {
            Ok(()) => {
                matches!(
                    self.status().await,
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
        self.moved(Motion::Continuous, Vector::default(), Duration::ZERO)
            .await
    }

    /// Where it looks.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn status(&mut self) -> Result<Status, CameraError> {
        self.ask_of(Of::Movable, |profile, _| GetStatus { profile })
            .await
    }

    /// Places that it remembers.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn presets(&mut self) -> Result<Vec<Preset>, CameraError> {
        self.ask_of(Of::Movable, |profile, _| GetPresets { profile })
            .await
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
        let request = |profile, _| SetPreset {
            profile,
            name: name.clone(),
            token: token.clone(),
        };
        self.ask_of(Of::Movable, request).await
    }

    /// Does what has no answer.
    ///
    /// # Errors
    /// When it does not.
    pub async fn act(&mut self, action: Action) -> Result<(), CameraError> {
        let request = |profile, _| Command {
            profile,
            action: action.clone(),
        };
        self.ask_of(Of::Movable, request).await
    }

    /// How it sees.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn imaging(&mut self) -> Result<Settings, CameraError> {
        self.ask_of(Of::Lens, |source, _| GetImagingSettings { source })
            .await
    }

    /// Changes how it sees: what is given, and nothing else.
    ///
    /// # Errors
    /// When it does not.
    pub async fn set_imaging(&mut self, settings: Settings) -> Result<(), CameraError> {
        let request = |source, _| SetImagingSettings {
            source,
            settings: settings.clone(),
        };
        self.ask_of(Of::Lens, request).await
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
        let from = match &self.subscription {
            Some(from) => from.clone(),
            None => self.ask(CreatePullPoint).await?,
        };
        // It stays where nobody waits to the end.
        self.subscription = Some(from.clone());
        let pull = PullMessages {
            from,
            timeout: PULL,
        };
        let events = self.ask(pull).await;
        // One that is no longer known is made anew by the next call.
        if events.is_err() {
            self.subscription = None;
        }
        events
    }
}
