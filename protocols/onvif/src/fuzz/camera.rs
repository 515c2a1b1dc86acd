//! Everything that a camera is asked, and whatever it answers.

use crate::device::{
    GetDeviceInformation, GetNetworkInterfaces, GetSystemDateAndTime, GetUsers, SystemReboot,
};
use crate::events::{CreatePullPoint, MAX_EVENTS, PullMessages, PullPoint};
use crate::imaging::{GetImagingSettings, SetImagingSettings, Settings};
use crate::profiles::{
    Choice, Encoder, GetProfiles, GetSnapshotUri, GetStreamUri, MAX_PROFILES,
    SetVideoEncoderConfiguration,
};
use crate::ptz::{
    Action, Command, GetConfigurationOptions, GetPresets, GetStatus, MAX_PRESETS, Motion, Move,
    Ranges, SetPreset, Vector,
};
use crate::server::{DEVICE_PATH, MAX_REQUEST};
use crate::xml::{Element, escape};
use crate::{Address, Credentials, Error, Operation, Output, Random, Response, Services, Session};
use std::slice::Split;
use std::time::{Duration, SystemTime};

/// Most requests that one question makes.
const MAX_REQUESTS: usize = 16;

/// Between one response and the next in an input.
pub(super) const SEPARATOR: u8 = 0xff;

const HOST: &str = "203.0.113.7";
const PASSWORD: &str = "pa55word";

/// A session stands whatever a camera answers, asks nobody else, and comes to an end. The responses of the input are
/// separated by a byte; the first byte of each chooses its status and challenge. Whoever asks has a password unless the
/// first of all is 0x80 or more.
pub fn session(start: SystemTime, data: &[u8]) {
    asked(start, data, &mut |_| ());
}

/// The same, and tells what was answered, and how.
pub(super) fn asked(now: SystemTime, data: &[u8], tell: &mut dyn FnMut(&str)) {
    let Ok((address, _)) = Address::parse("203.0.113.7:8080") else {
        return;
    };
    // Clocks may be before ours too.
    let now = now + Duration::from_secs(1 << 30);
    let is_known = data.first().is_none_or(|first| *first < 0x80);
    let credentials = is_known.then(|| Credentials {
        user: "joe".to_owned(),
        password: PASSWORD.to_owned(),
    });
    let is_separator: fn(&u8) -> bool = |byte| *byte == SEPARATOR;
    let mut camera = Camera {
        session: Session::new(address, credentials, Random([3; 16])),
        now,
        responses: data.split(is_separator),
        is_known,
        // A camera that guesses the password may have it back.
        has_guessed: String::from_utf8_lossy(data).contains(PASSWORD),
        tell,
    };
    camera.streams();
    camera.all();
}

struct Camera<'a> {
    session: Session,
    now: SystemTime,
    responses: Split<'a, u8, fn(&u8) -> bool>,
    is_known: bool,
    has_guessed: bool,
    tell: &'a mut dyn FnMut(&str),
}

impl<'a> Camera<'a> {
    fn streams(&mut self) {
        let mut encoder = None;
        if let Some(profiles) = self.ask(GetProfiles) {
            assert!(profiles.len() <= MAX_PROFILES);
            for choice in [Choice::Best, Choice::BestH264, Choice::Smallest] {
                let chosen = choice.of(&profiles);
                assert!(chosen.is_none_or(|profile| profile.encoder.is_some()));
            }
            assert_eq!(Choice::parse("0").of(&profiles), profiles.first());
            for profile in &profiles {
                let choice = Choice::Token(profile.token.clone());
                let found = choice.of(&profiles).map(|found| &found.token);
                assert_eq!(found, Some(&profile.token));
            }
            encoder = profiles.into_iter().find_map(|profile| profile.encoder);
        }
        if let Some(uri) = self.ask(GetStreamUri { profile: profile() })
            && let Some(stream) = self.session.address().stream(&uri)
        {
            assert_eq!(stream.host_str(), Some(HOST));
            assert!(stream.password().is_none() && stream.username().is_empty());
        }
        let options = GetConfigurationOptions {
            configuration: profile(),
        };
        let ranges = self.ask(options);
        if let Some(ranges) = &ranges {
            let motions = [Motion::Relative, Motion::Continuous, Motion::Absolute];
            assert!(motions.iter().any(|motion| ranges.allows(*motion)));
            for motion in motions {
                self.moved(&to(motion, ranges));
            }
        }
        let pull = PullMessages {
            from: PullPoint {
                place: "/events".to_owned(),
                ..PullPoint::default()
            },
            timeout: Duration::from_secs(1),
        };
        let events = self.ask(pull);
        assert!(events.is_none_or(|events| events.len() <= MAX_EVENTS));
        let settings = self.ask(GetImagingSettings { source: profile() });
        self.ask(GetNetworkInterfaces);
        self.ask(GetDeviceInformation);
        self.set(encoder, settings);
        for motion in [Motion::Relative, Motion::Continuous, Motion::Absolute] {
            self.ask(to(motion, &ranges.clone().unwrap_or_default()));
        }
    }

    /// What was read is what is set.
    fn set(&mut self, encoder: Option<Encoder>, settings: Option<Settings>) {
        if let Some(encoder) = encoder {
            let services = self.session.services();
            for services in [services.clone(), Services::default()] {
                // What is not told has a default, which is told then.
                let first = written(&encoder, &services);
                let known = |encoder: &Encoder| (encoder.token.clone(), encoder.size);
                assert_eq!(known(&first), (plain(&encoder.token), encoder.size));
                assert_eq!(first.encoding, text(&encoder.encoding));
                let second = written(&first, &services);
                assert_eq!(written(&second, &services), second);
            }
            self.ask(SetVideoEncoderConfiguration(encoder));
        }
        if let Some(settings) = settings {
            let set = SetImagingSettings {
                source: profile(),
                settings: settings.clone(),
            };
            let none = Services::default();
            let text = format!("<a>{}</a>", set.parameters(&none));
            let get = GetImagingSettings { source: profile() };
            let read = Element::parse(&text).map(|element| get.read(&element, &none));
            assert_eq!(read, Ok(Ok(cleaned(settings))));
            self.ask(set);
        }
    }

    /// The numbers that a camera is moved by are numbers.
    fn moved(&mut self, request: &Move) {
        let text = request.parameters(self.session.services());
        let element = Element::parse(&format!("<a>{text}</a>"));
        assert!(element.is_ok(), "{text}");
        for element in element.iter().flat_map(|element| &element.children) {
            for axis in &element.children {
                let numbers = ["x", "y"].map(|name| axis.attribute(name));
                let mut numbers = numbers.into_iter().flatten();
                let is_number = |text: &str| text.parse().is_ok_and(f64::is_finite);
                assert!(numbers.all(is_number), "{text}");
            }
        }
    }

    /// What is asked less often.
    fn all(&mut self) {
        if let Some(uri) = self.ask(GetSnapshotUri { profile: profile() }) {
            let url = self.session.address().resolve(&uri);
            assert_eq!(url.host_str(), Some(HOST));
            let challenge = uri.rsplit('/').next().unwrap_or_default().to_owned();
            let shown = self.session.authorize(&[challenge], &url);
            assert!(shown.is_none_or(|_| self.is_known));
        }
        let presets = self.ask(GetPresets { profile: profile() });
        assert!(presets.is_none_or(|presets| presets.len() <= MAX_PRESETS));
        for token in [None, Some("1".to_owned())] {
            let preset = SetPreset {
                profile: profile(),
                name: "n".to_owned(),
                token: token.clone(),
            };
            let found = self.ask(preset);
            assert!(found.is_none_or(|found| !found.is_empty()));
        }
        if let Some(status) = self.ask(GetStatus { profile: profile() }) {
            let mut numbers = [status.pan, status.tilt, status.zoom].into_iter();
            assert!(numbers.all(|number| number.is_none_or(f64::is_finite)));
        }
        for action in [
            Action::Stop,
            Action::GotoPreset("1".to_owned()),
            Action::RemovePreset("1".to_owned()),
            Action::GotoHome,
            Action::SetHome,
        ] {
            let profile = profile();
            self.ask(Command { profile, action });
        }
        if let Some(from) = self.ask(CreatePullPoint) {
            let timeout = Duration::from_secs(1);
            self.ask(PullMessages { from, timeout });
        }
        self.ask(GetUsers);
        self.ask(SystemReboot);
        self.ask(GetSystemDateAndTime);
    }

    fn ask<O: Operation>(&mut self, operation: O) -> Option<O::Answer> {
        let name = operation.name();
        let mut asking = self.session.ask(operation);
        for _ in 0..=MAX_REQUESTS {
            match asking.poll_output(self.now) {
                Output::Request(request) => {
                    assert_eq!(request.url.host_str(), Some(HOST));
                    assert!(self.has_guessed || !request.body.contains(PASSWORD));
                    let way = way(&request, self.is_known);
                    let (kind, body) = self.responses.next()?.split_first()?;
                    let status = match kind % 8 {
                        0 if kind & 0x40 != 0 => 403,
                        0 => 401,
                        1 => 500,
                        2 => 400,
                        _ => 200,
                    };
                    let challenges = match kind % 16 {
                        8 => vec![String::from_utf8_lossy(body).into_owned()],
                        0 => vec!["Digest realm=\"r\", nonce=\"n\"".to_owned()],
                        _ => Vec::new(),
                    };
                    let response = Response {
                        status,
                        challenges: &challenges,
                        body,
                    };
                    asking.handle_input(self.now, response);
                    (self.tell)(way);
                }
                Output::Waiting => unreachable!("it was answered"),
                Output::Done(result) => {
                    (self.tell)(match &result {
                        Ok(_) => name,
                        Err(Error::Unauthorized { .. }) => "Error: Unauthorized",
                        Err(Error::Fault { .. }) => "Error: Fault",
                        Err(Error::NotOnvif(_)) => "Error: NotOnvif",
                        Err(Error::Xml(_)) => "Error: Xml",
                        Err(Error::Missing { .. }) => "Error: Missing",
                        Err(Error::NoService(_)) => "Error: NoService",
                        Err(_) => "Error",
                    });
                    return result.ok();
                }
            }
        }
        unreachable!("a question comes to an end");
    }
}

/// Our own device reads what our client asks, and believes its proof. How that is shown.
fn way(request: &crate::Request, is_known: bool) -> &'static str {
    assert!(is_known || request.authorization.is_none());
    if request.body.len() > MAX_REQUEST {
        // What a camera said was so long, and goes back to it.
        assert!(Element::parse(&request.body).is_ok());
        return "long";
    }
    let read = crate::server::Request::read(DEVICE_PATH, request.body.as_bytes());
    let token = match &read {
        Ok(read) => {
            let action = format!("/{}", read.name());
            let is_addressed = request.body.contains("<a:Action");
            assert!(is_addressed || request.content_type.contains(&action));
            read.token()
        }
        Err(fault) => unreachable!("{fault:?}: {}", request.body),
    };
    match (token, &request.authorization) {
        (Some(token), None) => {
            assert!(is_known && token.proves("joe", PASSWORD));
            "by token"
        }
        (None, Some(authorization)) => match authorization.starts_with("Digest ") {
            true => "by Digest",
            false => "by Basic",
        },
        (None, None) => "by nothing",
        (Some(_), Some(_)) => unreachable!("{}", request.body),
    }
}

fn profile() -> String {
    "p".to_owned()
}

fn to(motion: Motion, ranges: &Ranges) -> Move {
    Move {
        profile: profile(),
        motion,
        vector: Vector {
            pan: 0.5,
            tilt: -1.0,
            zoom: 0.25,
        },
        ranges: ranges.clone(),
        timeout: Duration::from_secs(1),
    }
}

/// An encoder as a camera is told it, and tells it then.
fn written(encoder: &Encoder, services: &Services) -> Encoder {
    let text = SetVideoEncoderConfiguration(encoder.clone()).parameters(services);
    let element = Element::parse(&format!("<a>{text}</a>"));
    let configuration = element
        .as_ref()
        .ok()
        .and_then(|all| all.child("Configuration"));
    match configuration {
        Some(configuration) => Encoder::read(configuration),
        None => unreachable!("{text}"),
    }
}

/// An attribute as it comes back from XML.
fn plain(value: &str) -> String {
    let element = Element::parse(&format!("<a b=\"{}\"/>", escape(value)));
    let found = element.as_ref().ok();
    let found = found.and_then(|element| element.attribute("b"));
    found.unwrap_or_default().to_owned()
}

/// The same of text.
fn text(text: &str) -> String {
    let element = Element::parse(&format!("<a>{}</a>", escape(text)));
    element.map(|element| element.text).unwrap_or_default()
}

fn cleaned(settings: Settings) -> Settings {
    let word = |word: Option<String>| word.map(|word| text(&word)).filter(|word| !word.is_empty());
    Settings {
        backlight_compensation: word(settings.backlight_compensation),
        exposure_mode: word(settings.exposure_mode),
        focus_mode: word(settings.focus_mode),
        ir_cut_filter: word(settings.ir_cut_filter),
        white_balance_mode: word(settings.white_balance_mode),
        wide_dynamic_range: word(settings.wide_dynamic_range),
        ..settings
    }
}
