//! A client and a server, and the wire between them.

use rtsp::auth::{Credentials, Denied, Random};
use rtsp::message::Status;
use rtsp::server::{self, Group, Offer, Start};
use rtsp::tunnel::{Decoder, encode};
use rtsp::{Carriage, Output, client, frame_header};
use sdp::Description;
use std::time::{Duration, Instant};

/// What is played or recorded.
pub(crate) const SDP: &str = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:streamid=0\r\n\
    m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/48000/2\r\na=control:streamid=1\r\n";

/// How the two are connected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    /// Bytes that arrive at once.
    pub(crate) piece: usize,
    /// What the client says goes through HTTP.
    pub(crate) tunnel: bool,
}

pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) client: client::Session,
    pub(crate) server: server::Session,
    pub(crate) client_events: Vec<client::Event>,
    pub(crate) server_events: Vec<server::Event>,
    /// User and password that the server wants.
    wanted: Option<(&'static str, &'static str)>,
    wire: Wire,
    decoder: Decoder,
}

pub(crate) fn description() -> Description {
    Description::parse(SDP.as_bytes()).unwrap()
}

pub(crate) fn choices(wanted: client::Wanted) -> Vec<client::Choice> {
    let choice = |section| client::Choice { section, wanted };
    [0, 1].map(choice).to_vec()
}

pub(crate) fn config(password: &str) -> client::Config {
    client::Config {
        credentials: Some(Credentials {
            user: "joe".to_owned(),
            password: password.to_owned(),
        }),
        ..client::Config::new("rtsp://h:554/LiveApp/s?token=x")
    }
}

impl Pair {
    pub(crate) fn new(
        wire: Wire,
        now: Instant,
        client: client::Session,
        wanted: Option<(&'static str, &'static str)>,
    ) -> Self {
        let config = server::Config {
            random: Random([9; 16]),
            udp: Some((8_000, 8_001)),
            ..server::Config::default()
        };
        Self {
            now,
            client,
            server: server::Session::new(now, config),
            client_events: Vec::new(),
            server_events: Vec::new(),
            wanted,
            wire,
            decoder: Decoder::default(),
        }
    }

    /// Until neither has anything to say.
    pub(crate) fn run(&mut self) {
        loop {
            let mut said = false;
            loop {
                match self.client.poll_output() {
                    Output::Transmit(bytes) => {
                        said = true;
                        self.send_to_server(&bytes);
                    }
                    Output::Event(event) => self.client_events.push(event),
                    Output::Timeout(_) => break,
                }
            }
            loop {
                match self.server.poll_output() {
                    Output::Transmit(bytes) => {
                        said = true;
                        self.send_to_client(&bytes);
                    }
                    Output::Event(event) => {
                        said = true;
                        self.answer(&event);
                        self.server_events.push(event);
                    }
                    Output::Timeout(_) => break,
                }
            }
            if !said {
                return;
            }
        }
    }

    pub(crate) fn send_to_server(&mut self, bytes: &[u8]) {
        let text = if self.wire.tunnel {
            encode(bytes).into_bytes()
        } else {
            bytes.to_vec()
        };
        for piece in text.chunks(self.wire.piece) {
            if self.wire.tunnel {
                let piece = self.decoder.decode(piece).unwrap();
                self.server.handle_input(self.now, &piece).unwrap();
            } else {
                self.server.handle_input(self.now, piece).unwrap();
            }
        }
    }

    pub(crate) fn send_to_client(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.wire.piece) {
            self.client.handle_input(self.now, piece).unwrap();
        }
    }

    /// Lets time pass for both, up to the next timeout of either.
    pub(crate) fn wait(&mut self) -> Duration {
        let mut next: Option<Instant> = None;
        if let Output::Timeout(Some(at)) = self.client.poll_output() {
            next = Some(at);
        }
        if let Output::Timeout(Some(at)) = self.server.poll_output() {
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        let at = next.expect("nothing is waited for");
        let waited = at - self.now;
        self.now = at;
        self.client.handle_timeout(at).unwrap();
        self.server.handle_timeout(at).unwrap();
        self.run();
        waited
    }

    /// What the server's caller does.
    fn answer(&mut self, event: &server::Event) {
        let now = self.now;
        match event {
            server::Event::Describe(access) | server::Event::Announce(access, _) => {
                assert_eq!(
                    (access.path.as_str(), access.query.as_deref()),
                    ("/LiveApp/s", Some("token=x"))
                );
                let verified = match self.wanted {
                    Some((user, password)) => self.server.verify(now, user, password),
                    None => Ok(()),
                };
                match verified {
                    Ok(()) if matches!(event, server::Event::Describe(_)) => {
                        self.server.offer(now, offer()).unwrap();
                    }
                    Ok(()) => self.server.accept(now).unwrap(),
                    Err(Denied::Wrong) => {
                        self.server
                            .refuse(now, Status::UNAUTHORIZED, "Who are you?")
                            .unwrap();
                    }
                    Err(denied) => self.server.challenge(now, denied == Denied::Stale).unwrap(),
                }
            }
            server::Event::Play(tracks) => {
                let start = |track: &server::Track| Start {
                    sequence: 100 + track.section as u16,
                    time: 7,
                };
                let starts: Vec<_> = tracks.iter().map(start).collect();
                self.server.start(now, &starts).unwrap();
            }
            server::Event::Record(_) => self.server.accept(now).unwrap(),
            _ => {}
        }
    }
}

fn offer() -> Offer {
    let group = |number| Group {
        address: [239, 0, 0, number].into(),
        rtp: 7_000,
        rtcp: 7_001,
        ttl: 4,
    };
    Offer {
        media: description().media,
        ssrcs: vec![1, 2],
        groups: vec![group(1), group(2)],
        ..Offer::default()
    }
}

/// A packet as it goes over the connection.
pub(crate) fn frame(carriage: Carriage, control: bool, payload: &[u8]) -> Vec<u8> {
    let Carriage::Tcp { rtp, rtcp } = carriage else {
        panic!("{carriage:?}");
    };
    let channel = if control { rtcp } else { rtp };
    [&frame_header(channel, payload.len() as u16)[..], payload].concat()
}
