//! What a client asks, and what it answers when the server asks.

use super::{Event, MAX_PENDING, MAX_TRACKS, Pending, Session, Stage, Track, Wanted};
use crate::header::{Lower, Transport, lists};
use crate::message::{Method, Request, Response, Status};
use sdp::control;
use std::time::{Duration, Instant};

/// What a client can do when it is asked.
const PUBLIC: &str = "OPTIONS, GET_PARAMETER, SET_PARAMETER, ANNOUNCE, REDIRECT, TEARDOWN";

/// What a server has to know that is to be sent sound (ONVIF Streaming Specification section 5.3.1).
const BACK_CHANNEL: &str = "www.onvif.org/ver20/backchannel";

/// Signs of life are not sent more often, whatever the server wants.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

impl Session {
    /// Makes the request that is due, and waits for its answer.
    pub(super) fn send(&mut self, now: Instant, method: Method) {
        let deadline = now.checked_add(self.config.timeout);
        let request = self.request(method);
        self.transmit(request, 0, deadline);
    }

    /// Makes a request again, now that there is a challenge.
    pub(super) fn repeat(&mut self, now: Instant, pending: Pending) {
        let deadline = now.checked_add(self.config.timeout);
        let deadline = pending.deadline.and(deadline);
        let answers = pending.answers.saturating_add(1);
        self.transmit(pending.request, answers, deadline);
    }

    pub(super) fn choose(&mut self, now: Instant, choices: &[super::Choice]) {
        let Some(description) = &self.description else {
            return;
        };
        let tracks = choices.iter().filter_map(|choice| {
            let section = description.media.get(choice.section)?;
            Some(Track {
                section: choice.section,
                url: control::resolve(&self.base, section.control.as_deref()),
                wanted: choice.wanted,
                carriage: None,
            })
        });
        self.tracks = tracks.take(MAX_TRACKS).collect();
        if self.tracks.is_empty() {
            self.end(Event::Closed);
            return;
        }
        self.reader.set_channels((2 * self.tracks.len()) as u8);
        self.set_up(now, 0);
    }

    /// Sets up the track of this number, or begins when there is none.
    pub(super) fn set_up(&mut self, now: Instant, track: usize) {
        if track < self.tracks.len() {
            self.stage = Stage::SettingUp(track);
            self.send(now, Method::Setup);
            return;
        }
        self.stage = Stage::Starting;
        match &self.recording {
            Some(_) => self.send(now, Method::Record),
            None => self.send(now, Method::Play),
        }
    }

    /// Asks for every track alone, of a server that does not take one request for all.
    pub(super) fn start_each(&mut self, now: Instant, method: &Method) {
        let deadline = now.checked_add(self.config.timeout);
        let urls: Vec<_> = self.tracks.iter().map(|track| track.url.clone()).collect();
        for url in urls.into_iter().take(MAX_PENDING) {
            let mut request = self.request(method.clone());
            request.url = url;
            self.transmit(request, 0, deadline);
        }
    }

    pub(super) fn keep_alive_from(&mut self, now: Instant) {
        let interval = (self.session_timeout / 2).max(MIN_INTERVAL);
        self.keep_alive = now.checked_add(interval);
    }

    pub(super) fn send_sign_of_life(&mut self, now: Instant) {
        self.keep_alive_from(now);
        // Some servers never answer.
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_front();
        }
        let known = |method: &Method| lists(&self.public, method.name());
        let mut methods = [Method::GetParameter, Method::SetParameter].into_iter();
        let method = methods.find(known).filter(|_| !self.plain_signs);
        let request = self.request(method.unwrap_or(Method::Options));
        self.transmit(request, 0, None);
    }

    /// Answers what the server asks.
    pub(super) fn serve(&mut self, request: &Request) {
        let status = match request.method {
            Method::Options
            | Method::GetParameter
            | Method::SetParameter
            | Method::Announce
            | Method::Redirect
            | Method::Teardown => Status::OK,
            _ => Status::NOT_IMPLEMENTED,
        };
        let mut response = Response::new(status);
        if let Some(cseq) = request.headers.get("CSeq") {
            response.headers.push("CSeq", cseq);
        }
        if request.method == Method::Options || status == Status::NOT_IMPLEMENTED {
            response.headers.push("Public", PUBLIC);
        }
        response.write(&mut self.out);
        match request.method {
            Method::Redirect => {
                let location = request
                    .headers
                    .get("Location")
                    .unwrap_or_default()
                    .to_owned();
                self.end(Event::Redirected { location });
            }
            Method::Teardown => self.end(Event::Closed),
            _ => {}
        }
    }

    fn request(&self, method: Method) -> Request {
        let description = self.description.as_ref();
        let whole = description.and_then(|description| description.control.as_deref());
        let mut whole = control::resolve(&self.base, whole);
        if self.without_slash {
            whole.truncate(whole.trim_end_matches('/').len());
        }
        let mut fields: Vec<(&str, String)> = Vec::new();
        let mut body = String::new();
        let url = match (&method, self.stage) {
            // Before there is a description, and to announce one.
            (Method::Options, _) if description.is_none() => self.config.url.clone(),
            (Method::Describe, _) => {
                fields.push(("Accept", "application/sdp".to_owned()));
                self.config.url.clone()
            }
            (Method::Announce, _) => {
                fields.push(("Content-Type", "application/sdp".to_owned()));
                body = description.map(ToString::to_string).unwrap_or_default();
                self.config.url.clone()
            }
            (Method::Setup, Stage::SettingUp(track)) => {
                let transport = self.transport(track);
                fields.push(("Transport", transport.to_string()));
                let track = self.tracks.get(track);
                track.map_or(whole, |track| track.url.clone())
            }
            (Method::Play | Method::Record, _) => {
                fields.push(("Range", "npt=0.000-".to_owned()));
                whole
            }
            _ => whole,
        };
        let concerns = matches!(method, Method::Describe | Method::Setup | Method::Play);
        if self.config.back_channel && concerns {
            fields.push(("Require", BACK_CHANNEL.to_owned()));
        }
        let mut request = Request::new(method, &url);
        for (name, value) in fields {
            request.headers.push(name, value);
        }
        if let Some(session) = &self.session {
            request.headers.push("Session", session.clone());
        }
        request.body = body.into();
        request
    }

    fn transport(&self, track: usize) -> Transport {
        let wanted = self.tracks.get(track).map(|track| track.wanted);
        let channel = (2 * track) as u8;
        let mut transport = match wanted.filter(|_| !self.fallback) {
            None | Some(Wanted::Tcp) => Transport {
                interleaved: Some((channel, channel.saturating_add(1))),
                ..Transport::new(Lower::Tcp)
            },
            Some(Wanted::Udp { rtp, rtcp }) => Transport {
                client_port: Some((rtp, rtcp)),
                ..Transport::new(Lower::Udp)
            },
            Some(Wanted::Multicast) => Transport {
                multicast: true,
                ..Transport::new(Lower::Udp)
            },
        };
        transport.record = self.recording.is_some();
        transport
    }

    fn transmit(&mut self, request: Request, answers: u8, deadline: Option<Instant>) {
        self.cseq = self.cseq.wrapping_add(1);
        let mut sent = Request::new(request.method.clone(), &request.url);
        // Some servers find it only in the first field.
        sent.headers.push("CSeq", self.cseq.to_string());
        sent.headers
            .push("User-Agent", self.config.user_agent.clone());
        if let Some(value) = self
            .login
            .authorization(request.method.name(), &request.url)
        {
            sent.headers.push("Authorization", value);
        }
        for (name, value) in request.headers.iter() {
            sent.headers.push(name, value);
        }
        sent.body = request.body.clone();
        sent.write(&mut self.out);
        if request.method != Method::Teardown {
            self.pending.push_back(Pending {
                cseq: self.cseq,
                request,
                answers,
                deadline,
            });
        }
    }
}
