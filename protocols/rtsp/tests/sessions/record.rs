//! Our client records to our server.

use crate::pair::{Pair, Wire, choices, config, description, frame};
use rtsp::client::{Event, Session, Wanted};
use rtsp::{Carriage, server};
use std::time::Instant;

#[test]
fn packets_arrive_at_the_server() {
    for (piece, password) in [(1, None), (13, Some(("joe", "secret"))), (10_000, None)] {
        let wire = Wire {
            piece,
            tunnel: false,
        };
        let now = Instant::now();
        let client = Session::record(now, config("secret"), description(), choices(Wanted::Tcp));
        let mut pair = Pair::new(wire, now, client, password);
        pair.run();
        assert_eq!(pair.client_events.last(), Some(&Event::Recording));
        let announced = pair
            .server_events
            .iter()
            .rev()
            .find_map(|event| match event {
                server::Event::Announce(_, description) => Some(description),
                _ => None,
            });
        assert_eq!(announced.unwrap().media, description().media);
        pair.server_events.clear();
        for track in 0..2 {
            let carriage = pair.client.carriage(track).unwrap();
            pair.send_to_server(&frame(carriage, false, &[0x80; 1_400]));
        }
        pair.run();
        let sections = pair.server_events.iter().map(|event| match event {
            server::Event::Packet {
                section, payload, ..
            } => (*section, payload.len()),
            other => panic!("{other:?}"),
        });
        assert_eq!(sections.collect::<Vec<_>>(), [(0, 1_400), (1, 1_400)]);
        // Reports go the other way.
        let video = pair.client.carriage(0).unwrap();
        pair.send_to_client(&frame(video, true, &[0x80, 201]));
        pair.run();
        assert!(matches!(
            pair.client_events.last(),
            Some(Event::Packet {
                track: 0,
                control: true,
                ..
            })
        ));
        pair.client.teardown(now);
        pair.run();
        assert_eq!(pair.server_events.last(), Some(&server::Event::Teardown));
    }
}

#[test]
fn in_datagrams() {
    let now = Instant::now();
    let wanted = Wanted::Udp {
        rtp: 5_000,
        rtcp: 5_001,
    };
    let client = Session::record(now, config("secret"), description(), choices(wanted));
    let wire = Wire {
        piece: 50,
        tunnel: true,
    };
    let mut pair = Pair::new(wire, now, client, None);
    pair.run();
    assert_eq!(pair.client_events.last(), Some(&Event::Recording));
    let far = pair.client.carriage(1);
    assert_eq!(
        far,
        Some(Carriage::Udp {
            rtp: 8_000,
            rtcp: 8_001,
            source: None
        })
    );
    assert!(
        matches!(pair.server_events.last(), Some(server::Event::Record(tracks)) if tracks.len() == 2)
    );
}

#[test]
fn a_group_cannot_be_recorded_to() {
    let now = Instant::now();
    let client = Session::record(
        now,
        config("secret"),
        description(),
        choices(Wanted::Multicast),
    );
    let wire = Wire {
        piece: 50,
        tunnel: false,
    };
    let mut pair = Pair::new(wire, now, client, None);
    pair.run();
    // It falls back to the connection.
    assert!(matches!(
        pair.client.carriage(0),
        Some(Carriage::Tcp { .. })
    ));
    assert_eq!(pair.client_events.last(), Some(&Event::Recording));
}
