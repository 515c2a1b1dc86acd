//! Tests of the client with cameras that follow a script.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod session;

use super::{Choice, Config, Event, Session, Wanted};
use crate::auth::Credentials;
use crate::carriage::Carriage;
use crate::error::Error;
use crate::message::{Method, Status};
use crate::{Output, frame_header};
use std::time::{Duration, Instant};

const SDP: &str = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n\
    m=audio 0 RTP/AVP 8\r\na=control:track2\r\n";
const UDP: Wanted = Wanted::Udp {
    rtp: 5_000,
    rtcp: 5_001,
};

/// Who the clients are.
fn joe() -> Option<Credentials> {
    Some(Credentials {
        user: "joe".to_owned(),
        password: "secret".to_owned(),
    })
}

/// A client and its clock, as a camera sees it.
struct Far {
    session: Session,
    now: Instant,
    /// What the client has sent since the last look, and what happened.
    sent: String,
    events: Vec<Event>,
}

impl Far {
    fn new() -> Self {
        let now = Instant::now();
        let config = Config {
            credentials: joe(),
            ..Config::new("rtsp://cam/live")
        };
        let mut far = Self {
            session: Session::play(now, config),
            now,
            sent: String::new(),
            events: Vec::new(),
        };
        far.drain();
        far
    }

    /// Up to the description.
    fn described(sdp: &str) -> Self {
        let mut far = Self::new();
        far.say("200 OK\r\nPublic: OPTIONS, PLAY, GET_PARAMETER", "");
        far.say("200 OK\r\nContent-Type: application/sdp", sdp);
        assert!(matches!(far.events[..], [Event::Described(_)]));
        far.events.clear();
        far
    }

    /// Up to the packets, on the connection.
    fn playing() -> Self {
        let mut far = Self::described(SDP);
        far.setup(Wanted::Tcp);
        far.say(
            "200 OK\r\nSession: 7;timeout=20\r\nTransport: RTP/AVP/TCP;interleaved=0-1",
            "",
        );
        far.say(
            "200 OK\r\nSession: 7\r\nTransport: RTP/AVP/TCP;interleaved=2-3",
            "",
        );
        far.say(
            "200 OK\r\nRTP-Info: url=rtsp://other/live/track2;seq=4;rtptime=5",
            "",
        );
        far
    }

    fn setup(&mut self, wanted: Wanted) {
        let choices = [0, 1].map(|section| Choice { section, wanted });
        self.session.setup(self.now, &choices);
        self.drain();
    }

    /// Answers the last request.
    fn say(&mut self, head: &str, body: &str) {
        let cseq = self
            .sent
            .rsplit("CSeq: ")
            .next()
            .unwrap()
            .split('\r')
            .next()
            .unwrap()
            .to_owned();
        let length = body.len();
        let text =
            format!("RTSP/1.0 {head}\r\nCSeq: {cseq}\r\nContent-Length: {length}\r\n\r\n{body}");
        self.sent.clear();
        self.hear(text.as_bytes()).unwrap();
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), Error> {
        // The smallest pieces show what depends on larger ones.
        for byte in bytes.chunks(1) {
            self.session.handle_input(self.now, byte)?;
        }
        self.drain();
        Ok(())
    }

    /// Lets time pass up to the next timeout.
    fn wait(&mut self) -> Result<Duration, Error> {
        let Output::Timeout(Some(at)) = self.session.poll_output() else {
            panic!("nothing is waited for");
        };
        let waited = at - self.now;
        self.now = at;
        self.session.handle_timeout(at)?;
        self.drain();
        Ok(waited)
    }

    fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => self.sent += std::str::from_utf8(&bytes).unwrap(),
                Output::Event(event) => self.events.push(event),
                Output::Timeout(_) => return,
            }
        }
    }

    fn asked(&self, first: &str) {
        assert!(self.sent.starts_with(first), "{first}: {}", self.sent);
    }
}
