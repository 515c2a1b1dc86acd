//! What a client asks (RFC 2326 section 10), and what is not for the caller to answer.

use super::{Access, Event, Question, Session, Stage, Stream, authorization};
use crate::header::{self, Range};
use crate::message::{Method, Request, Status};
use sdp::Description;
use std::time::Instant;

/// What the server can do.
pub(super) const PUBLIC: &str = "OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, RECORD, PAUSE, GET_PARAMETER, SET_PARAMETER, \
                      TEARDOWN";

/// What stands in front of the number of a track in its URL.
pub(super) const TRACK: &str = "trackID=";

impl Session {
    pub(super) fn request(&mut self, now: Instant, request: Request) {
        if let Some(option) = request.headers.get("Require") {
            let fields = [("Unsupported", option.to_owned())];
            self.respond(&request, Status::OPTION_NOT_SUPPORTED, &fields, "");
            return;
        }
        let named = request.headers.get("Session").and_then(header::session);
        let known = named.is_none_or(|(id, _)| self.id().as_deref() == Some(id));
        let needs_one = !matches!(
            request.method,
            Method::Options | Method::Describe | Method::Announce
        );
        if !known && needs_one {
            self.fail(&request, Status::SESSION_NOT_FOUND);
            return;
        }
        match &request.method {
            Method::Options => {
                let fields = [("Public", PUBLIC.to_owned())];
                self.respond(&request, Status::OK, &fields, "");
            }
            Method::Describe => {
                let access = access(&request);
                self.ask(Question::Describe, request, Event::Describe(access));
            }
            Method::Announce => self.announce(request),
            Method::Setup => self.setup(now, request),
            Method::Play => self.play(request),
            Method::Record => {
                let recorded = self.stream.as_ref().is_some_and(|stream| stream.recorded);
                match self.stage {
                    Stage::Ready if recorded => {
                        let event = Event::Record(self.tracks.clone());
                        self.ask(Question::Record, request, event);
                    }
                    Stage::Recording => self.respond(&request, Status::OK, &[], ""),
                    _ => self.fail(&request, Status::METHOD_NOT_VALID),
                }
            }
            Method::Pause => match self.stage {
                Stage::Playing | Stage::Recording => {
                    self.stage = Stage::Ready;
                    self.events.push_back(Event::Pause);
                    self.respond(&request, Status::OK, &[], "");
                }
                Stage::Ready => self.respond(&request, Status::OK, &[], ""),
                _ => self.fail(&request, Status::METHOD_NOT_VALID),
            },
            Method::Teardown => self.teardown(&request),
            // Without parameters, signs of life. There are none to be asked for.
            Method::GetParameter | Method::SetParameter if request.body.is_empty() => {
                self.respond(&request, Status::OK, &[], "");
            }
            Method::GetParameter | Method::SetParameter => {
                self.fail(&request, Status::PARAMETER_NOT_UNDERSTOOD);
            }
            Method::Redirect | Method::Other(_) => {
                let fields = [("Public", PUBLIC.to_owned())];
                self.respond(&request, Status::NOT_IMPLEMENTED, &fields, "");
            }
        }
    }

    /// The identifier of the session, if there is one.
    pub(super) fn id(&self) -> Option<String> {
        let number = self.sessions.to_string();
        (self.stage != Stage::Init).then(|| self.guard.identifier(&number))
    }

    pub(super) fn ask(&mut self, question: Question, request: Request, event: Event) {
        self.asking = Some((question, request));
        self.events.push_back(event);
    }

    fn announce(&mut self, request: Request) {
        if self.stage != Stage::Init {
            self.fail(&request, Status::METHOD_NOT_VALID);
            return;
        }
        let kind = request
            .headers
            .get("Content-Type")
            .unwrap_or("application/sdp");
        if !kind.to_ascii_lowercase().contains("application/sdp") {
            self.fail(&request, Status::UNSUPPORTED_MEDIA_TYPE);
            return;
        }
        let description = match Description::parse(&request.body) {
            Ok(description) => description,
            Err(error) => {
                self.refused(&request, Status::BAD_REQUEST, &error.to_string());
                return;
            }
        };
        let access = access(&request);
        self.stream = Some(Stream {
            url: access.url.clone(),
            description: description.clone(),
            ssrcs: Vec::new(),
            groups: Vec::new(),
            recorded: true,
        });
        let event = Event::Announce(access, description);
        self.ask(Question::Announce, request, event);
    }

    fn play(&mut self, request: Request) {
        let recorded = self.stream.as_ref().is_some_and(|stream| stream.recorded);
        match self.stage {
            Stage::Ready if !recorded => {}
            // Some clients say it again as a sign of life.
            Stage::Playing => {
                self.respond(&request, Status::OK, &[], "");
                return;
            }
            _ => {
                self.fail(&request, Status::METHOD_NOT_VALID);
                return;
            }
        }
        // A live stream has one part only, so that what is wanted of it does not matter; but it has to be one.
        let range = request.headers.get("Range");
        if range.is_some_and(|range| Range::parse(range).is_none()) {
            self.fail(&request, Status::INVALID_RANGE);
            return;
        }
        if self.is_part(&request) {
            self.fail(&request, Status::ONLY_AGGREGATE_ALLOWED);
            return;
        }
        let event = Event::Play(self.tracks.clone());
        self.ask(Question::Play, request, event);
    }

    fn teardown(&mut self, request: &Request) {
        if self.stage == Stage::Init {
            self.fail(request, Status::SESSION_NOT_FOUND);
            return;
        }
        if self.is_part(request) {
            self.fail(request, Status::ONLY_AGGREGATE_ALLOWED);
            return;
        }
        self.respond(request, Status::OK, &[], "");
        self.stage = Stage::Init;
        self.tracks.clear();
        self.stream = None;
        self.reader.set_channels(0);
        self.events.push_back(Event::Teardown);
    }

    /// Whether a request is for one of several tracks.
    fn is_part(&self, request: &Request) -> bool {
        self.tracks.len() > 1 && split_track(&request.url).1.is_some()
    }
}

/// Whom and what a request is about.
pub(super) fn access(request: &Request) -> Access {
    let (url, _) = split_track(&request.url);
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    // A path alone begins with its slash.
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (path, None),
    };
    Access {
        url: url.to_owned(),
        path: path.to_owned(),
        query,
        user: authorization(request).and_then(|authorization| authorization.user()),
    }
}

/// The URL of a stream without a slash at its end, and the number of the track that is named in it.
pub(super) fn split_track(url: &str) -> (&str, Option<usize>) {
    let trimmed = url.trim_end_matches('/');
    let split = trimmed.rsplit_once(TRACK);
    let found = split.and_then(|(front, number)| Some((front, number.parse().ok()?)));
    match found {
        Some((front, number)) if front.ends_with('/') => {
            (front.trim_end_matches('/'), Some(number))
        }
        _ => (trimmed, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_are_named_at_the_end() {
        let cases = [
            ("rtsp://h/a/s", "rtsp://h/a/s", None),
            ("rtsp://h/a/s/", "rtsp://h/a/s", None),
            ("rtsp://h/a/s/trackID=1", "rtsp://h/a/s", Some(1)),
            ("rtsp://h/a/s?t=x/trackID=0/", "rtsp://h/a/s?t=x", Some(0)),
            ("rtsp://h/a/s?trackID=1", "rtsp://h/a/s?trackID=1", None),
            ("rtsp://h/a/trackID=x", "rtsp://h/a/trackID=x", None),
            ("*", "*", None),
        ];
        for (url, stream, track) in cases {
            assert_eq!(split_track(url), (stream, track), "{url}");
        }
    }

    #[test]
    fn paths_and_queries() {
        let cases = [
            ("rtsp://h:554/LiveApp/s", "/LiveApp/s", None),
            (
                "rtsp://h/LiveApp/s?token=a/b&x",
                "/LiveApp/s",
                Some("token=a/b&x"),
            ),
            ("rtsp://h", "/", None),
            ("/LiveApp/s/", "/LiveApp/s", None),
            ("*", "/", None),
        ];
        for (url, path, query) in cases {
            let access = access(&Request::new(Method::Describe, url));
            assert_eq!(
                (access.path.as_str(), access.query.as_deref()),
                (path, query),
                "{url}"
            );
        }
    }
}
