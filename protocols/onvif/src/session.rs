//! One camera: what is known of it, and asking it something.

use crate::Error;
use crate::device::{GetCapabilities, GetServices, GetSystemDateAndTime};
use crate::operation::Operation;
use crate::places::Address;
use crate::security;
use crate::service::{Service, Services};
use crate::soap::{self, ADDRESSING, Content, MAX_ENVELOPE};
use crate::xml::{Element, escape};
use http_auth::{Credentials, Login, Random};
use sha1::{Digest, Sha1};
use std::time::{Duration, SystemTime};
use url::{Position, Url};

/// Most requests that one question takes, its repetitions and the opening included.
const MAX_REQUESTS: u8 = 16;

/// A clock that differs by less is right.
const TOLERANCE: u64 = 2;

const SCHEMA: &str = "http://www.onvif.org/ver10/schema";

/// A POST to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Of the camera's own host.
    pub url: Url,
    /// `Content-Type`.
    pub content_type: String,
    /// `Authorization`, where the camera asked for it. Not to be logged.
    pub authorization: Option<String>,
    /// An envelope.
    pub body: String,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// Status of HTTP.
    pub status: u16,
    /// The values of `WWW-Authenticate`.
    pub challenges: &'a [String],
    /// The body, of at most [`MAX_ENVELOPE`] bytes and one more if it is longer.
    pub body: &'a [u8],
}

/// What a question wants next.
#[derive(Debug)]
pub enum Output<A> {
    /// This request is to be made, and its response given to [`Asking::handle_input`].
    Request(Request),
    /// Nothing until then.
    Waiting,
    /// It is answered; given once.
    Done(Result<A, Error>),
}

/// How user and password are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// In the envelope, with the camera's time or with ours.
    Token { own_clock: bool },
    /// In the head of the request, as the camera asked for.
    Http,
}

/// What is known before the first question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Clock { with_password: bool },
    Services,
    Capabilities,
    Open,
}

/// One camera. It outlives its connections and its questions.
#[derive(Clone, Debug)]
pub struct Session {
    address: Address,
    credentials: Option<Credentials>,
    login: Login,
    random: Random,
    /// Nonces made.
    count: u64,
    proof: Proof,
    /// Seconds by which the camera's clock is ahead.
    clock_offset: Option<i64>,
    stage: Stage,
    services: Services,
    /// Version 2 of the media service has answered something.
    has_media2: bool,
}

impl Session {
    /// Knows nothing yet.
    pub fn new(address: Address, credentials: Option<Credentials>, random: Random) -> Self {
        Self {
            login: Login::new(credentials.clone(), random),
            address,
            credentials,
            random,
            count: 0,
            proof: Proof::Token { own_clock: false },
            clock_offset: None,
            stage: Stage::Clock {
                with_password: false,
            },
            services: Services::default(),
            has_media2: false,
        }
    }

    /// Where it is.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Who asks.
    pub const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Its services, once something has been asked.
    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// By how many seconds its clock is ahead of ours, where it has told its time.
    pub const fn clock_offset(&self) -> Option<i64> {
        self.clock_offset
    }

    /// The value of `Authorization` for a GET that the camera has answered with these challenges.
    pub fn authorize(&mut self, challenges: &[String], url: &Url) -> Option<String> {
        let fields = challenges.iter().map(String::as_str);
        if !self.login.challenged(fields, 0) {
            return None;
        }
        self.login.authorization("GET", target(url))
    }

    /// Asks something.
    pub fn ask<O: Operation>(&mut self, operation: O) -> Asking<'_, O> {
        let was_open = matches!(self.stage, Stage::Open);
        Asking {
            session: self,
            operation,
            waits: false,
            requests: 0,
            answers: 0,
            may_reopen: was_open,
            result: None,
        }
    }

    /// A number that was not used before.
    fn nonce(&mut self) -> [u8; 16] {
        self.count = self.count.wrapping_add(1);
        let hash = Sha1::new()
            .chain_update(self.random.0)
            .chain_update(self.count.to_be_bytes())
            .finalize();
        let mut nonce = [0; 16];
        nonce.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        nonce
    }

    fn request(
        &mut self,
        now: SystemTime,
        url: Url,
        message: &Message,
        with_password: bool,
    ) -> Request {
        let mut header = String::new();
        if let Some(action) = message.action {
            let id = uuid(self.nonce());
            let to = escape(url.as_str());
            header = format!(
                "<a:Action xmlns:a=\"{ADDRESSING}\" s:mustUnderstand=\"1\">{action}</a:Action>\
                 <a:MessageID xmlns:a=\"{ADDRESSING}\">urn:uuid:{id}</a:MessageID>\
                 <a:ReplyTo xmlns:a=\"{ADDRESSING}\"><a:Address>{ADDRESSING}/anonymous</a:Address></a:ReplyTo>\
                 <a:To xmlns:a=\"{ADDRESSING}\" s:mustUnderstand=\"1\">{to}</a:To>"
            );
        }
        header += &message.header;
        let mut authorization = None;
        if with_password {
            match (self.proof, self.credentials.clone()) {
                (Proof::Token { own_clock }, Some(credentials)) => {
                    let offset = self.clock_offset.filter(|_| !own_clock);
                    let created = shifted(now, offset.unwrap_or(0));
                    header += &security::header(&credentials, &self.nonce(), created);
                }
                (Proof::Http, Some(_)) => {
                    authorization = self.login.authorization("POST", target(&url));
                }
                (_, None) => {}
            }
        }
        let (namespace, name) = (message.service.namespace(), message.name);
        let body = format!(
            "<{name} xmlns=\"{namespace}\" xmlns:tt=\"{SCHEMA}\">{}</{name}>",
            message.parameters
        );
        let action = message.action.map(str::to_owned);
        let action = action.unwrap_or_else(|| format!("{namespace}/{name}"));
        Request {
            url,
            content_type: format!("application/soap+xml; charset=utf-8; action=\"{action}\""),
            authorization,
            body: soap::write(&header, &body),
        }
    }
}

/// What is put into an envelope.
struct Message {
    service: Service,
    name: &'static str,
    parameters: String,
    header: String,
    action: Option<&'static str>,
}

impl Message {
    fn of<O: Operation>(operation: &O, services: &Services) -> Self {
        Self {
            service: operation.service(services),
            name: operation.name(),
            parameters: operation.parameters(services),
            header: operation.header().to_owned(),
            action: operation.action(),
        }
    }
}

/// A question under way.
#[derive(Debug)]
pub struct Asking<'a, O: Operation> {
    session: &'a mut Session,
    operation: O,
    waits: bool,
    requests: u8,
    /// Challenges of HTTP that were answered.
    answers: u8,
    /// The camera may have been restarted since it was opened: its clock and services are asked again.
    may_reopen: bool,
    result: Option<Result<O::Answer, Error>>,
}

impl<O: Operation> Asking<'_, O> {
    /// What is to be done next. `now` is ours.
    pub fn poll_output(&mut self, now: SystemTime) -> Output<O::Answer> {
        if let Some(result) = self.result.take() {
            return Output::Done(result);
        }
        if self.waits {
            return Output::Waiting;
        }
        self.requests = self.requests.saturating_add(1);
        if self.requests > MAX_REQUESTS {
            let error = "it does not come to an end".to_owned();
            return Output::Done(Err(Error::NotOnvif(error)));
        }
        let session = &mut *self.session;
        let (message, place, with_password) = match session.stage {
            Stage::Clock { with_password } => {
                let message = Message::of(&GetSystemDateAndTime, &session.services);
                (message, None, with_password)
            }
            Stage::Services => (Message::of(&GetServices, &session.services), None, true),
            Stage::Capabilities => (Message::of(&GetCapabilities, &session.services), None, true),
            Stage::Open => {
                let message = Message::of(&self.operation, &session.services);
                let known = session.services.get(message.service);
                match (message.service, self.operation.place().or(known)) {
                    (Service::Device, None) => (message, None, true),
                    (service, None) => return Output::Done(Err(Error::NoService(service))),
                    (_, Some(place)) => {
                        let url = session.address.resolve(place);
                        (message, Some(url), true)
                    }
                }
            }
        };
        let url = place.unwrap_or_else(|| session.address.device().clone());
        self.waits = true;
        Output::Request(session.request(now, url, &message, with_password))
    }

    /// Takes the response to the request. `now` is ours.
    pub fn handle_input(&mut self, now: SystemTime, response: Response<'_>) {
        if !std::mem::take(&mut self.waits) {
            return;
        }
        match open(response) {
            Opened::Body(body) => self.answered(now, &body),
            Opened::Unauthorized => {
                if !self.another_way(response.challenges) {
                    self.refused();
                }
            }
            Opened::Failed(failure) => self.failed(failure),
        }
    }

    fn answered(&mut self, now: SystemTime, body: &Element) {
        let session = &mut *self.session;
        let empty = Element::default();
        let answer = body.children.first().unwrap_or(&empty);
        match session.stage {
            Stage::Clock { .. } => {
                let camera = GetSystemDateAndTime.read(answer, &session.services);
                session.clock_offset = camera.ok().flatten().map(|time| ahead(time, now));
                session.stage = Stage::Services;
            }
            Stage::Services => {
                let services = GetServices.read(answer, &session.services);
                session.services = services.unwrap_or_default();
                session.stage = match session.services.is_empty() {
                    true => Stage::Capabilities,
                    false => Stage::Open,
                };
            }
            Stage::Capabilities => {
                let services = GetCapabilities.read(answer, &session.services);
                session.services = services.unwrap_or_default();
                session.stage = Stage::Open;
            }
            Stage::Open => {
                let read = self.operation.read(answer, &session.services);
                let is_media2 = self.operation.service(&session.services) == Service::Media2;
                match read {
                    Err(_) if self.without_media2(false) => {}
                    read => {
                        self.session.has_media2 |= is_media2 && read.is_ok();
                        self.result = Some(read);
                    }
                }
            }
        }
    }

    fn failed(&mut self, failure: Failure) {
        let operation = match self.session.stage {
            // That its clock cannot be read does not mean that nothing can.
            Stage::Clock { .. } => {
                self.session.stage = Stage::Services;
                return;
            }
            Stage::Services => {
                self.session.stage = Stage::Capabilities;
                return;
            }
            Stage::Capabilities => GetCapabilities.name(),
            Stage::Open => self.operation.name(),
        };
        let is_unknown = match &failure {
            Failure::Fault(fault) => fault.is_unknown(),
            Failure::Other(_) => true,
        };
        if self.session.stage == Stage::Open && self.without_media2(is_unknown) {
            return;
        }
        self.result = Some(Err(match failure {
            Failure::Fault(fault) => Error::Fault { operation, fault },
            Failure::Other(error) => error,
        }));
    }

    /// Some cameras name version 2 of the media service and do not have it, or not all of it. Whether version 1 is asked
    /// instead. Where it has answered before, what it knows and refuses is refused.
    fn without_media2(&mut self, is_unknown: bool) -> bool {
        let is_there = self.session.has_media2 && !is_unknown;
        let services = &mut self.session.services;
        let is_asked = self.operation.service(services) == Service::Media2;
        let other = !is_there && is_asked && services.has(Service::Media);
        if other {
            services.remove(Service::Media2);
        }
        other
    }

    /// The camera wants to know who asks, or does not believe it. Whether there is another way to show it.
    fn another_way(&mut self, challenges: &[String]) -> bool {
        let session = &mut *self.session;
        if session.credentials.is_none() {
            // The clock is not all that is asked.
            let goes_on = matches!(session.stage, Stage::Clock { .. });
            if goes_on {
                session.stage = Stage::Services;
            }
            return goes_on;
        }
        let fields = challenges.iter().map(String::as_str);
        if session.login.challenged(fields, self.answers) {
            self.answers += 1;
            session.proof = Proof::Http;
            if let Stage::Clock { with_password } = &mut session.stage {
                *with_password = true;
            }
            return true;
        }
        match (session.stage, session.proof) {
            (Stage::Clock { with_password }, _) => {
                session.stage = match with_password {
                    false => Stage::Clock {
                        with_password: true,
                    },
                    true => Stage::Services,
                };
                true
            }
            _ if std::mem::take(&mut self.may_reopen) => {
                session.stage = Stage::Clock {
                    with_password: false,
                };
                session.proof = Proof::Token { own_clock: false };
                self.answers = 0;
                true
            }
            (_, Proof::Token { own_clock: false }) if session.is_clock_off() => {
                session.proof = Proof::Token { own_clock: true };
                true
            }
            _ => false,
        }
    }

    fn refused(&mut self) {
        let session = &mut *self.session;
        // The next question begins anew.
        session.proof = Proof::Token { own_clock: false };
        session.stage = Stage::Clock {
            with_password: false,
        };
        self.result = Some(Err(Error::Unauthorized {
            has_password: session.credentials.is_some(),
            clock_offset: session.clock_offset,
        }));
    }
}

impl Session {
    fn is_clock_off(&self) -> bool {
        self.clock_offset
            .is_some_and(|offset| offset.unsigned_abs() > TOLERANCE)
    }
}

enum Opened {
    Body(Element),
    Unauthorized,
    Failed(Failure),
}

enum Failure {
    Fault(soap::Fault),
    Other(Error),
}

/// What a response is. Faults come with any status, and pages of HTML with 401.
fn open(response: Response<'_>) -> Opened {
    if matches!(response.status, 401 | 403) {
        return Opened::Unauthorized;
    }
    if response.body.len() > MAX_ENVELOPE {
        return Opened::Failed(Failure::Other(Error::TooLong));
    }
    let is_good = matches!(response.status, 200..=299);
    let failed = |error| Opened::Failed(Failure::Other(error));
    let status = || Error::NotOnvif(format!("HTTP status {}", response.status));
    match soap::read(response.body) {
        Ok((_, Content::Body(body))) => Opened::Body(body),
        Ok((_, Content::Fault(fault))) if fault.is_unauthorized() => Opened::Unauthorized,
        Ok((_, Content::Fault(fault))) => Opened::Failed(Failure::Fault(fault)),
        // Some answer what they have done with nothing.
        Err(_) if is_good && response.body.trim_ascii().is_empty() => {
            Opened::Body(Element::default())
        }
        _ if !is_good => failed(status()),
        Ok((_, Content::Foreign)) => failed(Error::NotOnvif("a page of something else".to_owned())),
        Err(error) => failed(Error::Xml(error)),
    }
}

/// What stands behind POST.
fn target(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}

/// Seconds by which `camera` is after `now`.
fn ahead(camera: SystemTime, now: SystemTime) -> i64 {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match camera.duration_since(now) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => -seconds(behind.duration()),
    }
}

fn shifted(now: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    let shifted = match seconds >= 0 {
        true => now.checked_add(by),
        false => now.checked_sub(by),
    };
    shifted.unwrap_or(now)
}

/// A random UUID (RFC 9562 section 5.4) of these bytes.
pub(crate) fn uuid(mut bytes: [u8; 16]) -> String {
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let hex = |byte: &u8| format!("{byte:02x}");
    let digits: String = bytes.iter().map(hex).collect();
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    let parts = [
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32),
    ];
    parts.join("-")
}

#[cfg(test)]
mod tests;
