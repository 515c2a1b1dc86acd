//! What the caller answers, and what is sent for it.

use super::requests::TRACK;
use super::{Offer, Question, Session, Stage, Start, Stream};
use crate::error::Error;
use crate::header::{Range, RtpInfo};
use crate::message::{Method, Request, Response, Status};
use sdp::{Description, control};
use std::time::Instant;

/// Longest description of a refusal, in characters.
const MAX_REASON: usize = 200;

impl Session {
    /// Answers [`Event::Describe`](super::Event::Describe): the stream is there and may be played. Does nothing
    /// else.
    ///
    /// # Errors
    /// What came after the request and is not RTSP.
    pub fn offer(&mut self, now: Instant, offer: Offer) -> Result<(), Error> {
        let is_asked = |question| matches!(question, Question::Describe | Question::SetUp);
        let Some((question, request)) = self.asking.take_if(|(question, _)| is_asked(*question))
        else {
            return Ok(());
        };
        self.alive(now);
        let access = super::requests::access(&request);
        let mut media = offer.media;
        media.truncate(sdp::MAX_MEDIA);
        for (number, media) in media.iter_mut().enumerate() {
            media.control = Some(format!("{TRACK}{number}"));
        }
        let stream = Stream {
            url: access.url,
            description: Description {
                origin: offer.origin,
                name: offer.name,
                control: Some("*".to_owned()),
                media,
            },
            ssrcs: offer.ssrcs,
            groups: offer.groups,
            recorded: false,
        };
        if question == Question::SetUp {
            self.stream = Some(stream);
            self.set_up(now, &request);
            return self.process(now);
        }
        let body = stream.description.to_string();
        // With its slash, so that a control is put behind it.
        let base = format!("{}/", stream.url);
        // What has been set up stays what it is.
        if self.tracks.is_empty() {
            self.stream = Some(stream);
        }
        let fields = [
            ("Content-Base", base),
            ("Content-Type", "application/sdp".to_owned()),
        ];
        self.respond(&request, Status::OK, &fields, &body);
        self.process(now)
    }

    /// Answers [`Event::Announce`](super::Event::Announce) or [`Event::Record`](super::Event::Record): the stream
    /// may be recorded. Does nothing else.
    ///
    /// # Errors
    /// What came after the request and is not RTSP.
    pub fn accept(&mut self, now: Instant) -> Result<(), Error> {
        let is_asked = |question| matches!(question, Question::Announce | Question::Record);
        let Some((question, request)) = self.asking.take_if(|(question, _)| is_asked(*question))
        else {
            return Ok(());
        };
        self.alive(now);
        if question == Question::Record {
            self.stage = Stage::Recording;
        }
        self.respond(&request, Status::OK, &[], "");
        self.process(now)
    }

    /// Answers [`Event::Play`](super::Event::Play): packets follow, of each track in the order of the event, the
    /// first of which are these; where there are none, the client has to do without. Does nothing else.
    ///
    /// # Errors
    /// What came after the request and is not RTSP.
    pub fn start(&mut self, now: Instant, starts: &[Start]) -> Result<(), Error> {
        let asked = self
            .asking
            .take_if(|(question, _)| *question == Question::Play);
        let Some((_, request)) = asked else {
            return Ok(());
        };
        self.alive(now);
        self.stage = Stage::Playing;
        // Who plays asks little, and there are many of them.
        self.events.shrink_to_fit();
        let url = self.stream.as_ref().map(|stream| stream.url.clone());
        let url = url.unwrap_or_default();
        let tracks = self
            .tracks
            .iter()
            .zip(starts)
            .map(|(track, start)| RtpInfo {
                url: control::resolve(&url, Some(&format!("{TRACK}{}", track.section))),
                sequence: Some(start.sequence),
                time: Some(start.time),
            });
        let tracks: Vec<_> = tracks.collect();
        let mut fields = vec![("Range", Range::NOW.to_string())];
        if !tracks.is_empty() {
            fields.push(("RTP-Info", RtpInfo::write_list(&tracks)));
        }
        self.respond(&request, Status::OK, &fields, "");
        self.process(now)
    }

    /// Refuses whatever the caller has been asked, in words of which 200 characters are sent. The client may ask
    /// again. Does nothing without a question.
    ///
    /// # Errors
    /// What came after the request and is not RTSP.
    pub fn refuse(&mut self, now: Instant, status: Status, reason: &str) -> Result<(), Error> {
        let Some((question, request)) = self.asking.take() else {
            return Ok(());
        };
        self.alive(now);
        self.forget(question);
        self.refused(&request, status, reason);
        self.process(now)
    }

    /// Answers that whoever asks has to prove who it is; with `stale` if the password was right, but not the
    /// nonce. The client usually asks again at once. Does nothing without a question.
    ///
    /// # Errors
    /// What came after the request and is not RTSP.
    pub fn challenge(&mut self, now: Instant, stale: bool) -> Result<(), Error> {
        let is_secure = self.config.is_secure;
        let values = self.guard.challenge(now, stale, is_secure);
        self.unauthorized(now, values)
    }

    /// The same, where user and password have to be told as they are ([`told`](Self::told)), even on a connection
    /// that others may hear.
    ///
    /// # Errors
    /// What came after the request and is not RTSP.
    pub fn ask_for_password(&mut self, now: Instant) -> Result<(), Error> {
        let values = vec![self.guard.basic()];
        self.unauthorized(now, values)
    }

    fn unauthorized(&mut self, now: Instant, values: Vec<String>) -> Result<(), Error> {
        let Some((question, request)) = self.asking.take() else {
            return Ok(());
        };
        self.alive(now);
        self.forget(question);
        let fields = values.into_iter().map(|value| ("WWW-Authenticate", value));
        let fields: Vec<_> = fields.collect();
        self.respond(&request, Status::UNAUTHORIZED, &fields, "");
        self.process(now)
    }

    /// What was not accepted is not there.
    fn forget(&mut self, question: Question) {
        if question == Question::Announce {
            self.stream = None;
        }
    }

    pub(super) fn fail(&mut self, request: &Request, status: Status) {
        self.respond(request, status, &[], "");
    }

    pub(super) fn refused(&mut self, request: &Request, status: Status, reason: &str) {
        let mut response = self.response(request, status);
        if !reason.is_empty() {
            response.reason = reason.chars().take(MAX_REASON).collect();
        }
        response.write(&mut self.out);
    }

    pub(super) fn respond(
        &mut self,
        request: &Request,
        status: Status,
        fields: &[(&str, String)],
        body: &str,
    ) {
        let mut response = self.response(request, status);
        for (name, value) in fields {
            response.headers.push(name, value.clone());
        }
        response.body = body.as_bytes().to_vec().into();
        response.write(&mut self.out);
    }

    fn response(&self, request: &Request, status: Status) -> Response {
        let mut response = Response::new(status);
        // Who does not number its requests does not miss it.
        if let Some(cseq) = request.headers.get("CSeq") {
            response.headers.push("CSeq", cseq);
        }
        response.headers.push("Server", self.config.server.clone());
        if let Some(id) = self.id().filter(|_| status.is_success()) {
            let timeout = self.config.session_timeout.as_secs();
            let value = match request.method {
                Method::Setup => format!("{id};timeout={timeout}"),
                _ => id,
            };
            response.headers.push("Session", value);
        }
        response
    }
}
