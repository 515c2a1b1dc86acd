//! Tests of the server with clients that follow a script.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod order;
mod play;
mod record;

use super::{Config, Event, Group, MAX_UNREAD, Offer, Session, Start, Track};
use crate::auth::{Authorization, Credentials, Denied, Login, Random};
use crate::carriage::Carriage;
use crate::error::Error;
use crate::message::Status;
use crate::{Output, frame_header};
use sdp::Description;
use std::time::{Duration, Instant};

const SDP: &str = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:streamid=0\r\n\
    m=audio 0 RTP/AVP 8\r\na=control:streamid=1\r\n";
const URL: &str = "rtsp://h/LiveApp/s";

/// A server's session and its clock, as a client sees it.
struct Near {
    session: Session,
    now: Instant,
    sent: String,
    events: Vec<Event>,
    id: String,
}

impl Near {
    fn new() -> Self {
        Self::with(Config {
            random: Random([5; 16]),
            ..Config::default()
        })
    }

    fn with(config: Config) -> Self {
        let now = Instant::now();
        Self {
            session: Session::new(now, config),
            now,
            sent: String::new(),
            events: Vec::new(),
            id: String::new(),
        }
    }

    /// Sends a request, whose answer or event is to be looked at.
    fn ask(&mut self, line: &str, fields: &str) {
        self.sent.clear();
        self.events.clear();
        let session = match self.id.as_str() {
            "" => String::new(),
            id => format!("Session: {id}\r\n"),
        };
        let text = format!("{line} RTSP/1.0\r\nCSeq: 3\r\n{session}{fields}\r\n");
        self.hear(text.as_bytes()).unwrap();
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut result = Ok(());
        for byte in bytes.chunks(1) {
            result = result.and_then(|()| self.session.handle_input(self.now, byte));
        }
        self.drain();
        result
    }

    fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => self.sent += std::str::from_utf8(&bytes).unwrap(),
                Output::Event(event) => self.events.push(event),
                Output::Timeout(_) => break,
            }
        }
        let session = self.sent.split("Session: ").nth(1);
        if let Some(id) = session.and_then(|rest| rest.split(['\r', ';']).next()) {
            self.id = id.to_owned();
        }
    }

    fn told(&self, status: &str) {
        let first = format!("RTSP/1.0 {status}\r\nCSeq: 3\r\nServer: Millstream\r\n");
        assert!(self.sent.starts_with(&first), "{status}: {}", self.sent);
    }

    fn offer(&mut self) {
        self.session.offer(self.now, offer()).unwrap();
        self.drain();
    }

    fn described() -> Self {
        let mut near = Self::new();
        near.ask(&format!("DESCRIBE {URL}"), "");
        near.offer();
        near
    }

    fn setup(&mut self, track: &str, transport: &str) {
        self.ask(
            &format!("SETUP {URL}/{track}"),
            &format!("Transport: {transport}\r\n"),
        );
    }

    fn playing() -> Self {
        let mut near = Self::described();
        near.setup("trackID=0", "RTP/AVP/TCP;interleaved=0-1");
        near.ask(&format!("PLAY {URL}"), "");
        near.session.start(near.now, &[]).unwrap();
        near.drain();
        near
    }

    fn announced() -> Self {
        let mut near = Self::new();
        near.announce();
        near.session.accept(near.now).unwrap();
        near.drain();
        near
    }

    fn announce(&mut self) {
        let length = SDP.len();
        let head = format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n");
        self.ask(&format!("ANNOUNCE {URL}"), &head);
        self.hear(SDP.as_bytes()).unwrap();
    }
}

fn offer() -> Offer {
    let group = Group {
        address: [239, 0, 0, 1].into(),
        rtp: 7_000,
        rtcp: 7_001,
        ttl: 4,
    };
    Offer {
        media: Description::parse(SDP.as_bytes()).unwrap().media,
        ssrcs: vec![0xa, 0xb],
        groups: vec![group],
        ..Offer::default()
    }
}

fn tcp(section: usize, rtp: u8) -> Track {
    let rtcp = rtp + 1;
    let carriage = Carriage::Tcp { rtp, rtcp };
    Track { section, carriage }
}
