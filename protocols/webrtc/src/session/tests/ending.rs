//! How sessions begin under bad conditions, and how they end.

use super::*;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as DtlsProfile;
use rtp::rtcp;

fn closed(viewer: &Viewer) -> Option<&CloseReason> {
    viewer.events.iter().find_map(|event| match event {
        Event::Closed { reason } => Some(reason),
        _ => None,
    })
}

#[test]
fn a_handshake_survives_loss() {
    let patterns: [fn(u64) -> bool; 5] = [
        |n| n == 1,
        |n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60 < 4,
        |n| n.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 60 < 4,
        |n| n % 2 == 0 && n < 12,
        |n| (3..8).contains(&n),
    ];
    for (number, lose) in patterns.into_iter().enumerate() {
        let mut viewer = Viewer::new(Options::default());
        viewer.lose = lose;
        for _ in 0..25 {
            viewer.check();
            viewer.wait(Duration::from_secs(1));
        }
        assert_eq!(viewer.events, [Event::Connected], "pattern {number}");
    }
}

#[test]
fn a_certificate_that_was_not_offered_ends_it() {
    let mut viewer = Viewer::new(Options {
        fingerprint: Some("AB:CD"),
        ..Options::default()
    });
    viewer.check();
    viewer.exchange();
    assert!(matches!(closed(&viewer), Some(CloseReason::Handshake(_))));
    assert!(!viewer.events.contains(&Event::Connected));
    let now = viewer.now;
    viewer
        .session
        .send(now, Kind::Video, 0, 90_000, &Payloads::single(&[1]));
    viewer.exchange();
    assert_eq!(viewer.received, []);
}

#[test]
fn a_peer_without_a_known_profile_is_told() {
    let mut viewer = Viewer::new(Options {
        profiles: vec![DtlsProfile::Srtp_Aead_Aes_256_Gcm],
        ..Options::default()
    });
    viewer.check();
    viewer.exchange();
    assert!(matches!(closed(&viewer), Some(CloseReason::Handshake(_))));
}

#[test]
fn who_does_not_connect_is_let_go() {
    let mut viewer = Viewer::new(Options::default());
    viewer.lose = |_| true;
    viewer.wait(Duration::from_millis(14_900));
    assert_eq!(closed(&viewer), None);
    viewer.wait(Duration::from_millis(200));
    assert_eq!(closed(&viewer), Some(&CloseReason::NotConnected));
    assert_eq!(viewer.session.poll_output(), Output::Timeout(None));
}

#[test]
fn who_is_there_and_does_not_connect_is_let_go_later() {
    let mut viewer = Viewer::new(Options::default());
    viewer.lose = |_| true;
    for _ in 0..3 {
        viewer.check();
        viewer.wait(Duration::from_millis(9_900));
    }
    assert_eq!(closed(&viewer), None);
    viewer.wait(Duration::from_millis(400));
    assert_eq!(closed(&viewer), Some(&CloseReason::NotConnected));
}

#[test]
fn silence_ends_it_and_checks_or_reports_keep_it() {
    let mut viewer = Viewer::connected(Options::default());
    for _ in 0..10 {
        viewer.wait(Duration::from_secs(10));
        viewer.check();
    }
    for _ in 0..10 {
        viewer.wait(Duration::from_secs(10));
        let reports = rtcp::ReceiverReport {
            ssrc: 1,
            blocks: Vec::new(),
        };
        viewer.feed_back(&rtcp::Packet::ReceiverReport(reports));
    }
    assert_eq!(closed(&viewer), None);
    viewer.wait(Duration::from_millis(14_900));
    assert_eq!(closed(&viewer), None);
    viewer.wait(Duration::from_millis(200));
    assert_eq!(closed(&viewer), Some(&CloseReason::Silent));
}

#[test]
fn timeouts_are_told_ahead() {
    let mut viewer = Viewer::connected(Options::default());
    let Output::Timeout(Some(due)) = viewer.session.poll_output() else {
        panic!("no timeout");
    };
    assert_eq!(due, viewer.now + Duration::from_secs(15));
    let now = viewer.now;
    viewer
        .session
        .send(now, Kind::Audio, 0, 48_000, &Payloads::single(&[1]));
    viewer.exchange();
    let due = viewer.session.poll_output();
    assert_eq!(due, Output::Timeout(Some(now + Duration::from_secs(2))));
}

#[test]
fn a_goodbye_is_said_once() {
    let mut viewer = Viewer::connected(Options::default());
    let now = viewer.now;
    viewer
        .session
        .send(now, Kind::Video, 0, 90_000, &Payloads::single(&[1]));
    viewer.exchange();
    viewer.session.close(now);
    viewer.session.close(now);
    viewer.exchange();
    let byes: Vec<_> = viewer
        .control
        .iter()
        .filter_map(|packet| match packet {
            rtcp::Packet::Bye(bye) => Some(bye.sources.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(byes, [vec![viewer.sources(Kind::Video).0]]);
    assert!(viewer.said_goodbye);
    assert_eq!(viewer.events, []);
    viewer.check();
    assert_eq!(viewer.session.poll_output(), Output::Timeout(None));
}

#[test]
fn a_viewer_may_leave() {
    let mut viewer = Viewer::connected(Options::default());
    viewer.leave();
    assert_eq!(closed(&viewer), Some(&CloseReason::Peer));
}

#[test]
fn handshakes_from_unchecked_addresses_are_not_read() {
    let mut viewer = Viewer::new(Options::default());
    viewer.exchange();
    viewer.wait(Duration::from_secs(3));
    assert_eq!(viewer.events, []);
    assert_eq!(viewer.count, viewer.count.min(5));
}

#[test]
fn a_viewer_may_move() {
    let mut viewer = Viewer::connected(Options::default());
    viewer.source.set_port(50_000);
    let now = viewer.now;
    viewer.now += Duration::from_secs(5);
    viewer.check();
    viewer
        .session
        .send(now, Kind::Video, 0, 90_000, &Payloads::single(&[1]));
    viewer.exchange();
    assert_eq!(viewer.received.len(), 1);
}

#[test]
fn a_flood_of_fragments_is_harmless() {
    // In the middle of the handshake, and after it.
    for (lose, connected) in [((|n| n > 4) as fn(u64) -> bool, false), (|_| false, true)] {
        let mut viewer = Viewer::new(Options::default());
        viewer.lose = lose;
        viewer.check();
        viewer.exchange();
        assert_eq!(viewer.events.contains(&Event::Connected), connected);
        let start = Instant::now();
        for number in 0..20_000u16 {
            // One byte of a message of 60,000, each in a record of its own, the last byte first.
            let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 1, 0];
            record.extend(number.to_be_bytes());
            record.extend([0, 13, 11, 0, 0xea, 0x60, 0, 3, 0]);
            record.extend((20_000 - number).to_be_bytes());
            record.extend([0, 0, 1, 7]);
            let many = record.repeat(usize::from(number % 40));
            viewer.send(&many);
        }
        assert!(start.elapsed() < Duration::from_secs(5));
        if connected {
            let now = viewer.now;
            viewer
                .session
                .send(now, Kind::Audio, 0, 48_000, &Payloads::single(&[1]));
            viewer.exchange();
            assert_eq!(viewer.received.len(), 1);
        }
    }
}
