//! What servers answer, and where it differs from what was asked for.

use super::*;
use sdp::Description;

#[test]
fn what_is_refused_ends_the_session() {
    let mut far = Far::new();
    far.say("200 OK", "");
    far.say("404 Gone fishing", "");
    let rejected = Event::Rejected {
        method: Method::Describe,
        status: Status::NOT_FOUND,
        reason: "Gone fishing".to_owned(),
    };
    assert_eq!(far.events, [rejected]);
    assert_eq!(far.session.poll_output(), Output::Timeout(None));
    // A wrong password, once more with a new nonce.
    let mut far = Far::new();
    let challenge = "401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"";
    far.say(challenge, "");
    far.say(&format!("{challenge}, stale=true"), "");
    far.asked("OPTIONS ");
    far.say(challenge, "");
    assert!(matches!(
        far.events[..],
        [Event::Rejected {
            status: Status::UNAUTHORIZED,
            ..
        }]
    ));
}

#[test]
fn a_nonce_is_not_too_old_for_ever() {
    let mut far = Far::new();
    for _ in 0..5 {
        far.asked("OPTIONS ");
        far.say(
            "401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=true",
            "",
        );
    }
    assert!(matches!(
        far.events[..],
        [Event::Rejected {
            status: Status::UNAUTHORIZED,
            ..
        }]
    ));
}

#[test]
fn a_challenge_is_met_on_another_connection_once() {
    let mut far = Far::new();
    assert!(far.session.again(far.now).is_none());
    let challenge = "401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"";
    far.say(challenge, "");
    let again = far.session.again(far.now).unwrap();
    let mut far = Far {
        session: again,
        sent: String::new(),
        ..far
    };
    far.drain();
    far.asked("OPTIONS ");
    assert!(far.sent.contains("Authorization: Digest "));
    far.say(challenge, "");
    assert!(far.session.again(far.now).is_none());
}

#[test]
fn who_records_meets_a_challenge_on_another_connection_too() {
    let now = Instant::now();
    let description = Description::parse(SDP.as_bytes()).unwrap();
    let choice = Choice {
        section: 0,
        wanted: Wanted::Tcp,
    };
    let config = Config {
        credentials: joe(),
        ..Config::new("rtsp://h/s")
    };
    let session = Session::record(now, config, description, vec![choice]);
    let mut far = Far {
        session,
        ..Far::new()
    };
    far.drain();
    far.say("200 OK", "");
    far.asked("ANNOUNCE ");
    far.say(
        "401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"",
        "",
    );
    let again = far.session.again(far.now).unwrap();
    let mut far = Far {
        session: again,
        sent: String::new(),
        ..far
    };
    far.drain();
    far.say("200 OK", "");
    far.asked("ANNOUNCE ");
    assert!(far.sent.contains("Authorization: Digest "));
}

#[test]
fn the_whole_is_asked_for_without_a_slash_too() {
    for (status, expected) in [
        ("404 No", true),
        ("400 No", true),
        ("405 No", true),
        ("500 No", false),
    ] {
        let mut far = Far::new();
        far.say("200 OK\r\nServer: Hipcam", "");
        far.say("200 OK\r\nContent-Base: rtsp://cam/live/", SDP);
        assert_eq!(far.session.server(), "Hipcam");
        far.setup(Wanted::Tcp);
        far.say("200 OK\r\nSession: 7", "");
        far.say("200 OK\r\nSession: 7", "");
        far.asked("PLAY rtsp://cam/live/ RTSP/1.0\r\n");
        far.events.clear();
        far.say(status, "");
        if expected {
            far.asked("PLAY rtsp://cam/live RTSP/1.0\r\n");
            far.say(status, "");
        }
        assert!(
            matches!(far.events[..], [Event::Rejected { .. }]),
            "{status}"
        );
    }
}

#[test]
fn channels_that_are_not_as_told() {
    let told = |channels: [&str; 2]| {
        let mut far = Far::described(SDP);
        far.setup(Wanted::Tcp);
        for channels in channels {
            far.say(
                &format!("200 OK\r\nSession: 7\r\nTransport: RTP/AVP/TCP;interleaved={channels}"),
                "",
            );
        }
        far.events.clear();
        far
    };
    // The format's number tells two tracks of one channel apart.
    let cases = [
        (["0-1", "0-1"], 0, 96, Some((0, false))),
        (["0-1", "0-1"], 0, 0x80 | 8, Some((1, false))),
        (["0-1", "0-1"], 0, 77, Some((0, false))),
        (["0-1", "0-1"], 1, 8, Some((0, true))),
        (["0-1", "0-1"], 2, 8, Some((1, false))),
        (["8-9", "10-11"], 3, 200, Some((1, true))),
        (["8-9", "10-11"], 4, 96, None),
    ];
    for (channels, channel, second, expected) in cases {
        let mut far = told(channels);
        let frame = [&frame_header(channel, 12)[..], &[0x80, second], &[0; 10]].concat();
        far.hear(&frame).unwrap();
        let found = match far.events[..] {
            [Event::Packet { track, control, .. }] => Some((track, control)),
            _ => None,
        };
        assert_eq!(found, expected, "{channels:?}, channel {channel}, {second}");
    }
}

#[test]
fn what_stands_behind_a_body_that_is_shorter_than_announced() {
    let mut far = Far::playing();
    far.events.clear();
    // The sign of life.
    far.wait().unwrap();
    far.hear(b"RTSP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nx\r\n")
        .unwrap();
    far.hear(&[&frame_header(0, 4)[..], &[0x80, 96, 0, 0]].concat())
        .unwrap();
    assert_eq!(far.events, []);
    far.wait().unwrap();
    assert!(
        matches!(
            far.events[..],
            [Event::Packet {
                track: 0,
                control: false,
                ..
            }]
        ),
        "{:?}",
        far.events
    );
}

#[test]
fn redirects() {
    let mut far = Far::new();
    far.say("200 OK", "");
    far.say("302 Moved\r\nLocation: rtsp://other/live", "");
    let location = "rtsp://other/live".to_owned();
    assert_eq!(
        far.events,
        [Event::Redirected {
            location: location.clone()
        }]
    );
    let mut far = Far::playing();
    far.events.clear();
    far.hear(
        b"REDIRECT rtsp://cam/live RTSP/1.0\r\nCSeq: 9\r\nLocation: rtsp://other/live\r\n\r\n",
    )
    .unwrap();
    assert_eq!(far.events, [Event::Redirected { location }]);
}

#[test]
fn a_refused_transport_is_replaced() {
    for wanted in [UDP, Wanted::Multicast] {
        let mut far = Far::described(SDP);
        far.setup(wanted);
        let asked = if wanted == UDP {
            "Transport: RTP/AVP;unicast;client_port=5000-5001\r\n"
        } else {
            "Transport: RTP/AVP;multicast\r\n"
        };
        assert!(far.sent.contains(asked), "{}", far.sent);
        far.say("461 Unsupported Transport", "");
        assert!(far.sent.contains("interleaved=0-1"));
        far.say("200 OK\r\nSession: 7", "");
        assert!(far.sent.contains("interleaved=2-3"));
        assert!(matches!(
            far.events[..],
            [Event::SetUp {
                track: 0,
                carriage: Carriage::Tcp { .. },
                ..
            }]
        ));
    }
    let mut far = Far::described(SDP);
    far.setup(Wanted::Tcp);
    far.say("461 Unsupported Transport", "");
    let status = Status::UNSUPPORTED_TRANSPORT;
    assert!(matches!(far.events[..], [Event::Rejected { status: found, .. }] if found == status));
}

#[test]
fn carriages_as_servers_answer() {
    let multicast = |rtp| Carriage::Multicast {
        address: [239, 1, 2, 3].into(),
        rtp,
        rtcp: rtp + 1,
        ttl: 16,
    };
    let udp = |rtp, rtcp, source| Carriage::Udp { rtp, rtcp, source };
    let group = SDP
        .replace("video 0", "video 7000")
        .replace("a=rtpmap", "c=IN IP4 239.1.2.3/16\r\na=rtpmap");
    let cases = [
        (
            SDP,
            UDP,
            "RTP/AVP;server_port=6000-6001;source=192.0.2.9",
            Some(udp(6_000, 6_001, Some([192, 0, 2, 9].into()))),
        ),
        (
            SDP,
            UDP,
            "RTP/AVP/UDP;unicast;client_port=5000-5001;source=0.0.0.0",
            Some(udp(0, 0, None)),
        ),
        (SDP, UDP, "RTP/AVP/TCP;interleaved=0-1", None),
        (SDP, UDP, "", None),
        (SDP, Wanted::Tcp, "RTP/AVP;unicast;server_port=1-2", None),
        (
            SDP,
            Wanted::Multicast,
            "RTP/AVP;multicast;destination=239.1.2.3;port=6000-6001",
            Some(multicast(6_000)),
        ),
        (
            &group,
            Wanted::Multicast,
            "RTP/AVP;multicast",
            Some(multicast(7_000)),
        ),
        (SDP, Wanted::Multicast, "RTP/AVP;multicast", None),
        (
            SDP,
            Wanted::Multicast,
            "RTP/AVP;multicast;destination=10.0.0.1;port=1-2",
            None,
        ),
    ];
    for (sdp, wanted, transport, carriage) in cases {
        let mut far = Far::described(sdp);
        far.setup(wanted);
        let text = format!("RTSP/1.0 200 OK\r\nSession: 7\r\nTransport: {transport}\r\n\r\n");
        let result = far.hear(text.as_bytes());
        assert_eq!(far.session.carriage(0), carriage, "{transport}");
        let refused = Err(Error::Transport(transport.to_owned()));
        assert_eq!(result, if carriage.is_some() { Ok(()) } else { refused });
    }
}

#[test]
fn numbers_that_are_missing_or_wrong() {
    for cseq in ["", "CSeq: 0\r\n", "CSeq: 4711\r\n", "CSeq: x\r\n"] {
        let mut far = Far::new();
        far.sent.clear();
        far.hear(format!("RTSP/1.0 200 OK\r\n{cseq}\r\n").as_bytes())
            .unwrap();
        far.asked("DESCRIBE ");
        // A second answer to the first request is none to the second.
        far.sent.clear();
        far.hear(b"RTSP/1.0 404 No\r\nCSeq: 1\r\n\r\n").unwrap();
        assert_eq!((far.events.len(), far.sent.as_str()), (0, ""));
    }
}

#[test]
fn options_need_not_be_supported() {
    for status in ["501 Not Implemented", "404 Not Found", "200 OK"] {
        let mut far = Far::new();
        far.say(status, "");
        far.asked("DESCRIBE ");
    }
    // A sign of life that is refused is not repeated in that form.
    let mut far = Far::playing();
    far.wait().unwrap();
    far.asked("GET_PARAMETER ");
    far.say("501 Not Implemented", "");
    far.wait().unwrap();
    far.asked("OPTIONS ");
    far.events.clear();
    far.say("454 Session Not Found", "");
    assert!(matches!(
        far.events[..],
        [Event::Rejected {
            status: Status::SESSION_NOT_FOUND,
            ..
        }]
    ));
}
