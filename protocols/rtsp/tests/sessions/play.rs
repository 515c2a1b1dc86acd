//! Our client plays from our server.

use crate::pair::{Pair, Wire, choices, config, frame};
use rtsp::client::{Event, Session, Wanted};
use rtsp::{Carriage, Output, server};
use std::time::{Duration, Instant};

const WIRES: [Wire; 5] = [
    Wire {
        piece: 1,
        tunnel: false,
    },
    Wire {
        piece: 7,
        tunnel: false,
    },
    Wire {
        piece: usize::MAX,
        tunnel: false,
    },
    Wire {
        piece: 1,
        tunnel: true,
    },
    Wire {
        piece: 100,
        tunnel: true,
    },
];

fn playing(wire: Wire, wanted: Wanted) -> Pair {
    let now = Instant::now();
    let client = Session::play(now, config("secret"));
    let mut pair = Pair::new(wire, now, client, Some(("joe", "secret")));
    pair.run();
    let [Event::Described(description)] = &pair.client_events[..] else {
        panic!("{:?}", pair.client_events);
    };
    assert_eq!(description.media.len(), 2);
    pair.client_events.clear();
    pair.client.setup(now, &choices(wanted));
    pair.run();
    pair
}

#[test]
fn on_the_connection() {
    for wire in WIRES {
        let mut pair = playing(wire, Wanted::Tcp);
        let [
            Event::SetUp {
                track: 0,
                carriage: video,
                ssrc: Some(1),
            },
            Event::SetUp {
                track: 1,
                carriage: audio,
                ssrc: Some(2),
            },
            Event::Playing(info),
        ] = &pair.client_events[..]
        else {
            panic!("{:?}", pair.client_events);
        };
        assert_eq!((info[0].sequence, info[1].sequence), (Some(100), Some(101)));
        let (video, audio) = (*video, *audio);
        assert!(
            matches!(pair.server_events.last(), Some(server::Event::Play(tracks)) if tracks.len() == 2)
        );
        pair.client_events.clear();
        // Packets each way, while signs of life are exchanged.
        for round in 0..5u8 {
            pair.send_to_client(&frame(video, false, &[0x80, round]));
            pair.send_to_client(&frame(audio, true, &[0x80, 200, round]));
            pair.run();
            let packets: Vec<_> = pair.client_events.drain(..).collect();
            assert!(
                matches!(&packets[..], [
                Event::Packet { track: 0, control: false, payload },
                Event::Packet { track: 1, control: true, .. },
            ] if payload[1] == round),
                "{packets:?}"
            );
            pair.send_to_server(&frame(pair.client.carriage(0).unwrap(), true, &[0x80, 201]));
            pair.run();
            let last = pair.server_events.pop();
            assert!(matches!(
                last,
                Some(server::Event::Packet {
                    section: 0,
                    control: true,
                    ..
                })
            ));
            assert_eq!(pair.wait(), Duration::from_secs(30));
        }
        pair.client.pause(pair.now);
        pair.run();
        pair.client.resume(pair.now);
        pair.run();
        assert!(matches!(
            pair.client_events[..],
            [Event::Paused, Event::Playing(_)]
        ));
        pair.client.teardown(pair.now);
        pair.run();
        assert_eq!(pair.server_events.last(), Some(&server::Event::Teardown));
        assert_eq!(pair.client.poll_output(), Output::Timeout(None));
    }
}

#[test]
fn in_datagrams_and_to_groups() {
    let wire = WIRES[2];
    let mut pair = playing(
        wire,
        Wanted::Udp {
            rtp: 5_000,
            rtcp: 5_001,
        },
    );
    let source = None;
    let far = Carriage::Udp {
        rtp: 8_000,
        rtcp: 8_001,
        source,
    };
    let near = Carriage::Udp {
        rtp: 5_000,
        rtcp: 5_001,
        source,
    };
    assert!(matches!(pair.client_events[0], Event::SetUp { carriage, .. } if carriage == far));
    let Some(server::Event::Play(tracks)) = pair.server_events.last() else {
        panic!("{:?}", pair.server_events);
    };
    assert!(tracks.iter().all(|track| track.carriage == near));
    // Signs of life keep the session, for as long as the client is there.
    for _ in 0..10 {
        assert_eq!(pair.wait(), Duration::from_secs(30));
    }
    let pair = playing(wire, Wanted::Multicast);
    let carriages = [0, 1].map(|track| pair.client.carriage(track).unwrap());
    let Some(server::Event::Play(tracks)) = pair.server_events.last() else {
        panic!("{:?}", pair.server_events);
    };
    assert_eq!(carriages, [tracks[0].carriage, tracks[1].carriage]);
}

#[test]
fn a_wrong_password() {
    let now = Instant::now();
    let client = Session::play(now, config("wrong"));
    let mut pair = Pair::new(WIRES[1], now, client, Some(("joe", "secret")));
    pair.run();
    assert!(
        matches!(&pair.client_events[..], [Event::Rejected { status, reason, .. }]
        if status.0 == 401 && reason == "Who are you?")
    );
    assert!(
        pair.server_events
            .iter()
            .all(|event| matches!(event, server::Event::Describe(_)))
    );
}
