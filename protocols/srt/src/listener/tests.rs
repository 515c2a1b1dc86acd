//! What a listener does with strangers, liars and crowds.

use super::*;
use crate::handshake::{Hello, flags};

struct Port {
    listener: Listener,
    now: Instant,
}

impl Port {
    fn new(limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            listener: Listener::new(now, limits, [5; 32]),
            now,
        }
    }

    /// Sends a handshake, and gives what it is answered with.
    fn ask(&mut self, peer: SocketAddr, handshake: &Handshake) -> Option<Handshake> {
        let (mut bytes, mut packet) = (Vec::new(), Vec::new());
        handshake.write(&mut bytes);
        Packet {
            timestamp: 0,
            destination: 0,
            body: Body::Handshake(&bytes),
        }
        .write(&mut packet);
        assert_eq!(
            self.listener.handle_input(self.now, peer, &packet),
            Route::Done
        );
        let mut out = Vec::new();
        match self.listener.poll_output(&mut out) {
            ListenerOutput::Transmit(to) => {
                assert_eq!(to, peer);
                assert!(
                    out.len() <= packet.len(),
                    "an answer is longer than its question"
                );
                let Body::Handshake(bytes) = Packet::parse(&out).unwrap().body else {
                    panic!()
                };
                Some(Handshake::parse(bytes).unwrap())
            }
            ListenerOutput::Request(_) | ListenerOutput::Idle => None,
        }
    }

    fn cookie(&mut self, peer: SocketAddr) -> u32 {
        let request = Handshake {
            version: 4,
            extension: 2,
            ..hello(&Options::default(), Kind::Induction, 7, 0, Sequence::new(1))
        };
        let response = self.ask(peer, &request).unwrap();
        assert_eq!(
            (response.version, response.extension, response.kind),
            (5, MAGIC, Kind::Induction)
        );
        response.cookie
    }
}

fn conclusion(cookie: u32, socket: u32) -> Handshake {
    let extensions = Extensions {
        hello: Some(Hello {
            response: false,
            version: 0x1_0402,
            flags: flags::OURS,
            latency: (120, 120),
        }),
        stream_id: Some("read:live/a".to_owned()),
        ..Extensions::default()
    };
    let mut handshake = hello(
        &Options::default(),
        Kind::Conclusion,
        socket,
        cookie,
        Sequence::new(1),
    );
    handshake.extension = extensions.field();
    handshake.extensions = extensions;
    handshake
}

fn peer(number: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], number))
}

#[test]
fn without_its_cookie_nobody_is_heard() {
    let mut port = Port::new(Limits::default());
    let cookie = port.cookie(peer(1));
    assert_ne!(cookie, port.cookie(peer(2)));
    for (from, cookie) in [(peer(2), cookie), (peer(1), cookie ^ 1), (peer(1), 0)] {
        assert_eq!(port.ask(from, &conclusion(cookie, 7)), None);
        assert!(port.listener.pending.is_empty());
    }
    port.now += Duration::from_secs(61);
    port.ask(peer(1), &conclusion(cookie, 7));
    assert_eq!(port.listener.pending.len(), 1);
    port.now += Duration::from_secs(61);
    port.ask(peer(1), &conclusion(cookie, 8));
    assert_eq!(port.listener.pending.len(), 1);
}

#[test]
fn what_is_not_spoken_is_refused_in_its_words() {
    let mut port = Port::new(Limits::default());
    let cookie = port.cookie(peer(1));
    let good = conclusion(cookie, 7);
    let mut cases = vec![
        (
            Handshake {
                version: 4,
                ..good.clone()
            },
            Reject::VERSION,
        ),
        (
            Handshake {
                version: 6,
                ..good.clone()
            },
            Reject::ROGUE,
        ),
        (
            Handshake {
                mtu: 100,
                ..good.clone()
            },
            Reject::ROGUE,
        ),
        (
            Handshake {
                window: 0,
                ..good.clone()
            },
            Reject::ROGUE,
        ),
        (
            Handshake {
                extensions: Extensions::default(),
                ..good
            },
            Reject::ROGUE,
        ),
    ];
    let mut file = good.clone();
    file.extensions.congestion = Some("file".to_owned());
    cases.push((file, Reject::CONGESTION));
    let mut filter = good.clone();
    filter.extensions.filter = Some("fec,cols:10".to_owned());
    cases.push((filter, Reject::FILTER));
    let mut group = good;
    group.extensions.group = true;
    cases.push((group, Reject::GROUP));
    for (request, reason) in cases {
        let answer = port.ask(peer(1), &request).map(|answer| answer.kind);
        assert_eq!(answer, Some(Kind::Reject(reason)));
    }
    assert!(port.listener.pending.is_empty());
}

#[test]
fn crowds_are_bounded() {
    let limits = Limits {
        connections: 3,
        per_address: 2,
        requests: 5,
        requests_per_address: 4,
    };
    let mut port = Port::new(limits);
    let cookie = port.cookie(peer(1));
    let refused = Some(Kind::Reject(Reject::BACKLOG));
    for socket in 1..=10 {
        let answer = port
            .ask(peer(1), &conclusion(cookie, socket))
            .map(|answer| answer.kind);
        assert_eq!(answer, if socket <= 4 { None } else { refused }, "{socket}");
    }
    assert_eq!(port.listener.pending.len(), 4);
    let ids: Vec<_> = port.listener.pending.keys().copied().collect();
    let mut accept = |id| {
        port.listener
            .accept(port.now, id, Options::default())
            .unwrap()
            .id()
    };
    let [first, _second] = [ids[0], ids[1]].map(&mut accept);
    port.listener.reject(port.now, ids[2], Reject::NOT_FOUND);
    port.listener.reject(port.now, ids[3], Reject::NOT_FOUND);
    while port.listener.poll_output(&mut Vec::new()) != ListenerOutput::Idle {}
    port.now += Duration::from_secs(2);
    let full = port
        .ask(peer(1), &conclusion(cookie, 50))
        .map(|answer| answer.kind);
    assert_eq!(full, Some(Kind::Reject(Reject::RESOURCE)));
    port.listener.remove(first);
    assert_eq!(port.ask(peer(1), &conclusion(cookie, 50)), None);
    assert_eq!(port.listener.pending.len(), 1);
    // Nobody decides: it may ask anew.
    port.now += Duration::from_secs(6);
    assert_eq!(port.ask(peer(1), &conclusion(cookie, 50)), None);
    assert_eq!(port.listener.pending.len(), 1);
}

#[test]
fn a_network_of_many_addresses_is_one_and_shuts_nobody_out() {
    let limits = Limits {
        requests: 100,
        requests_per_address: 4,
        per_address: 2,
        ..Limits::default()
    };
    let mut port = Port::new(limits);
    let one_of = |host: u16| SocketAddr::new(Ipv6Addr::new(1, 2, 3, 4, 5, 6, 7, host).into(), 9);
    let mut refused = 0;
    for host in 1..=10 {
        let cookie = port.cookie(one_of(host));
        let answer = port.ask(one_of(host), &conclusion(cookie, 7));
        refused += usize::from(answer.is_some());
    }
    assert_eq!((port.listener.pending.len(), refused), (4, 6));
    let ids: Vec<_> = port.listener.pending.keys().copied().collect();
    for id in &ids[..2] {
        let accepted = port.listener.accept(port.now, *id, Options::default());
        accepted.unwrap();
    }
    port.now += Duration::from_secs(2);
    let cookie = port.cookie(one_of(50));
    let answer = port.ask(one_of(50), &conclusion(cookie, 7)).unwrap();
    assert_eq!(answer.kind, Kind::Reject(Reject::RESOURCE));
    // Others are let in.
    let other = SocketAddr::new(Ipv6Addr::new(1, 2, 3, 5, 5, 6, 7, 8).into(), 9);
    let cookie = port.cookie(other);
    assert_eq!(port.ask(other, &conclusion(cookie, 7)), None);
}

#[test]
fn who_has_called_this_second_is_not_shut_out_by_strangers() {
    let limits = Limits {
        requests: usize::MAX,
        ..Limits::default()
    };
    let mut port = Port::new(limits);
    let first = port.cookie(peer(1));
    assert_eq!(port.ask(peer(1), &conclusion(first, 1)), None);
    for number in 0..MAX_RECENT {
        let [.., high, low] = number.to_be_bytes();
        let stranger = SocketAddr::from(([10, 0, high, low], 9));
        let cookie = port.cookie(stranger);
        port.ask(stranger, &conclusion(cookie, 7));
    }
    assert_eq!(port.ask(peer(1), &conclusion(first, 2)), None);
}

#[test]
fn who_is_judged_meanwhile_and_gives_up_is_not_let_in() {
    let mut port = Port::new(Limits::default());
    let cookie = port.cookie(peer(1));
    port.ask(peer(1), &conclusion(cookie, 7));
    let id = *port.listener.pending.keys().next().unwrap();
    let judged = port.listener.asked(id).unwrap().judge(Options::default());
    port.listener.reject(port.now, id, Reject::CLOSE);
    let late = port.listener.admit(port.now, id, judged.unwrap());
    assert_eq!(late.err(), Some(Reject::TIMEOUT));
    assert!(port.listener.asked(id).is_none());
}

#[test]
fn datagrams_find_their_session_from_their_address_alone() {
    let mut port = Port::new(Limits::default());
    let cookie = port.cookie(peer(1));
    port.ask(peer(1), &conclusion(cookie, 7));
    let id = *port.listener.pending.keys().next().unwrap();
    let session = port
        .listener
        .accept(port.now, id, Options::default())
        .unwrap();
    let mut packet = Vec::new();
    Packet {
        timestamp: 0,
        destination: session.id(),
        body: Body::KeepAlive,
    }
    .write(&mut packet);
    let route = Route::Session(session.id());
    assert_eq!(
        port.listener.handle_input(port.now, peer(1), &packet),
        route
    );
    assert_eq!(
        port.listener.handle_input(port.now, peer(2), &packet),
        Route::Done
    );
    // The answer was lost: the question comes again.
    let mut bytes = Vec::new();
    conclusion(cookie, 7).write(&mut bytes);
    packet.clear();
    Packet {
        timestamp: 0,
        destination: 0,
        body: Body::Handshake(&bytes),
    }
    .write(&mut packet);
    assert_eq!(
        port.listener.handle_input(port.now, peer(1), &packet),
        route
    );
    port.listener.remove(session.id());
    assert!(port.listener.addresses.is_empty() && port.listener.callers.is_empty());
}
