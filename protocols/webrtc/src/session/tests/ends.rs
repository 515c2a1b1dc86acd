//! Both ends of a session, the one that offers and the one that answers.

use super::super::*;
use crate::ice::{Candidate, Transport};
use rtp::Payloads;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5);
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8_189);

struct Ends {
    now: Instant,
    client: Session,
    server: Session,
    events: [Vec<Event>; 2],
    lose: fn(u64) -> bool,
    count: u64,
}

fn config(now: Instant, address: SocketAddr) -> Config {
    Config {
        certificate: Certificate::generate().unwrap(),
        candidates: vec![Candidate {
            transport: Transport::Udp,
            address,
            is_relayed: false,
        }],
        video: Some(VideoFormat::H264 {
            profile_level_id: [0x64, 0, 0x28],
        }),
        audio: Some(AudioFormat::Opus { stereo: true }),
        wall_clock: WallClock {
            at: now,
            since_1970: Duration::from_secs(1_000),
        },
    }
}

type Invites = fn(Config) -> Result<(Invitation, String), OfferError>;
type Answers = fn(&str, &Config, Instant) -> Result<(Session, String), OfferError>;

impl Ends {
    fn new(invites: Invites, answers: Answers) -> Self {
        let now = Instant::now();
        let (invitation, offer) = invites(config(now, CLIENT)).unwrap();
        let (server, answer) = answers(&offer, &config(now, SERVER), now).unwrap();
        let client = invitation
            .accept(&answer, &[CLIENT], |_| true, now)
            .unwrap();
        Self {
            now,
            client,
            server,
            events: Default::default(),
            lose: |_| false,
            count: 0,
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(10);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.exchange();
        }
    }

    fn exchange(&mut self) {
        let path = |local, remote| Path {
            transport: Transport::Udp,
            local,
            remote,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], CLIENT.port()));
        loop {
            let mut silent = true;
            for end in [0, 1] {
                let (from, to, over) = match end {
                    0 => (&mut self.client, &mut self.server, path(SERVER, address)),
                    _ => (&mut self.server, &mut self.client, path(CLIENT, SERVER)),
                };
                match from.poll_output() {
                    Output::Timeout(_) => continue,
                    Output::Event(event) => self.events[end].push(event),
                    Output::Transmit(transmit) => {
                        for datagram in transmit.datagrams() {
                            self.count += 1;
                            if !(self.lose)(self.count) {
                                to.handle_input(self.now, over, datagram);
                            }
                        }
                    }
                }
                silent = false;
            }
            if silent {
                return;
            }
        }
    }

    fn is_connected(&self) -> bool {
        self.events
            .iter()
            .all(|events| events == &[Event::Connected])
    }
}

/// Sends a picture and some sound from one end.
fn carries(from: &mut Session, now: Instant) {
    let picture = Payloads::single(&[0x65; 300]);
    from.send(now, Kind::Video, 0, 90_000, &picture);
    from.send(now, Kind::Audio, 0, 48_000, &Payloads::single(&[1; 20]));
}

fn tracks(events: &[Event]) -> Vec<usize> {
    let packets = events.iter().filter_map(|event| match event {
        Event::Packet {
            track,
            control: false,
            ..
        } => Some(*track),
        _ => None,
    });
    packets.collect()
}

#[test]
fn who_invites_plays_what_the_other_has() {
    let mut ends = Ends::new(Invitation::play, Session::answer);
    ends.run(Duration::from_secs(1));
    assert!(ends.is_connected(), "{:?}", ends.events);
    assert_eq!(ends.client.stats().profile, Some(Profile::AeadAes128Gcm));
    let formats: Vec<_> = ends
        .client
        .received()
        .iter()
        .map(|format| format.encoding.as_str())
        .collect();
    assert_eq!(formats, ["H264", "opus"]);
    carries(&mut ends.server, ends.now);
    ends.exchange();
    assert_eq!(tracks(&ends.events[0]), [0, 1]);
    // It asks for what is missing, and for pictures.
    ends.client.want_picture(ends.now + Duration::from_secs(1));
    ends.run(Duration::from_secs(2));
    assert!(ends.events[1].contains(&Event::RandomAccessWanted));
}

#[test]
fn who_invites_publishes_to_the_other() {
    let mut ends = Ends::new(Invitation::publish, Session::receive);
    ends.run(Duration::from_secs(1));
    assert!(ends.is_connected(), "{:?}", ends.events);
    carries(&mut ends.client, ends.now);
    ends.exchange();
    assert_eq!(tracks(&ends.events[1]), [0, 1]);
}

#[test]
fn they_find_each_other_on_bad_networks_and_stay_together() {
    let mut ends = Ends::new(Invitation::play, Session::answer);
    ends.lose = |count| count.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60 < 4;
    ends.run(Duration::from_secs(28));
    assert!(ends.is_connected(), "{:?}", ends.events);
    ends.run(Duration::from_secs(100));
    assert!(ends.is_connected(), "{:?}", ends.events);
    ends.server.close(ends.now);
    ends.lose = |_| false;
    ends.exchange();
    let gone = Event::Closed {
        reason: CloseReason::Peer,
    };
    assert_eq!(ends.events[0].last(), Some(&gone));
}

#[test]
fn addresses_that_may_not_be_tried_are_not() {
    let now = Instant::now();
    let (invitation, offer) = Invitation::play(config(now, CLIENT)).unwrap();
    let (_, answer) = Session::answer(&offer, &config(now, SERVER), now).unwrap();
    let mut client = invitation
        .accept(&answer, &[CLIENT], |_| false, now)
        .unwrap();
    client.handle_timeout(now);
    assert!(matches!(client.poll_output(), Output::Timeout(_)));
}

#[test]
fn an_answer_that_begins_the_handshake_is_waited_for() {
    let now = Instant::now();
    let (invitation, offer) = Invitation::play(config(now, CLIENT)).unwrap();
    let (_, answer) = Session::answer(&offer, &config(now, SERVER), now).unwrap();
    let active = answer.replace("a=setup:passive", "a=setup:active");
    let client = invitation
        .accept(&active, &[CLIENT], |_| true, now)
        .unwrap();
    assert_eq!(client.end, srtp::From::DtlsServer);
}

#[test]
fn an_answer_without_anything_in_it_is_refused() {
    let now = Instant::now();
    let (invitation, _) = Invitation::play(config(now, CLIENT)).unwrap();
    let refused = invitation.accept(
        "v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\n",
        &[CLIENT],
        |_| true,
        now,
    );
    assert!(matches!(refused, Err(OfferError::NothingCarried(_))));
}
