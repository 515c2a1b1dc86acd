//! From the first request to the last.

use super::*;

#[test]
fn a_whole_session() {
    let mut far = Far::new();
    far.asked("OPTIONS rtsp://cam/live RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: Millstream\r\n");
    far.say("200 OK\r\nPublic: OPTIONS, GET_PARAMETER", "");
    far.asked("DESCRIBE rtsp://cam/live RTSP/1.0\r\nCSeq: 2\r\n");
    assert!(!far.sent.contains("Authorization"));
    far.say(
        "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=\"FALSE\"",
        "",
    );
    far.asked("DESCRIBE rtsp://cam/live RTSP/1.0\r\nCSeq: 3\r\n");
    assert!(
        far.sent
            .contains("\r\nAuthorization: Digest username=\"joe\", realm=\"r\"")
    );
    far.say(
        "200 OK\r\nContent-Base: /live/\r\nContent-Type: application/sdp",
        SDP,
    );
    far.setup(Wanted::Tcp);
    far.asked("SETUP rtsp://cam/live/track1 RTSP/1.0\r\n");
    assert!(
        far.sent
            .contains("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n")
    );
    assert!(far.sent.contains("uri=\"rtsp://cam/live/track1\""));
    // Other channels than were asked for, and no word of TCP.
    far.say(
        "200 OK\r\nSession: 7 ; timeout=20\r\nTransport: RTP/AVP;unicast;interleaved=8-9;ssrc=A",
        "",
    );
    far.asked("SETUP rtsp://cam/live/track2 RTSP/1.0\r\n");
    assert!(far.sent.contains("Session: 7\r\n") && far.sent.contains("interleaved=2-3"));
    far.say("200 OK\r\nSession: 7", "");
    far.asked("PLAY rtsp://cam/live/ RTSP/1.0\r\n");
    assert!(far.sent.contains("Range: npt=0.000-\r\n"));
    far.events.clear();
    far.say(
        "200 OK\r\nRTP-Info: url=track2;seq=1;rtptime=2,url=track1;seq=3",
        "",
    );
    let [Event::Playing(info)] = &far.events[..] else {
        panic!("{:?}", far.events);
    };
    assert_eq!(
        (info[0].sequence, info[1].sequence, info[1].time),
        (Some(3), Some(1), Some(2))
    );
    assert_eq!(
        far.session.carriage(0),
        Some(Carriage::Tcp { rtp: 8, rtcp: 9 })
    );
    far.events.clear();
    let frames = [
        &frame_header(9, 2)[..],
        &[0x80, 1],
        &frame_header(2, 1),
        &[0x80],
        &frame_header(30, 0),
    ];
    far.hear(&frames.concat()).unwrap();
    let packet = |track, control, payload: &'static [u8]| Event::Packet {
        track,
        control,
        payload: payload.into(),
    };
    assert_eq!(
        far.events,
        [packet(0, true, &[0x80, 1]), packet(1, false, &[0x80])]
    );
    far.sent.clear();
    // Half of the session's lifetime, again and again, answered or not.
    for _ in 0..20 {
        assert_eq!(far.wait(), Ok(Duration::from_secs(10)));
        far.asked("GET_PARAMETER rtsp://cam/live/ RTSP/1.0\r\n");
        far.sent.clear();
    }
    far.session.teardown(far.now);
    far.drain();
    far.asked("TEARDOWN rtsp://cam/live/ RTSP/1.0\r\n");
    assert_eq!(far.session.poll_output(), Output::Timeout(None));
}

#[test]
fn silence_has_an_end() {
    let mut far = Far::new();
    let error = Error::Timeout {
        what: "the server's answer to OPTIONS".to_owned(),
    };
    assert_eq!(far.wait(), Err(error));
    // A description that is shorter than announced is waited for, but not for ever.
    let mut far = Far::new();
    far.say("200 OK", "");
    let head = "RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: 9999\r\n\r\n";
    far.hear(format!("{head}{SDP}").as_bytes()).unwrap();
    assert_eq!(far.wait(), Ok(Duration::from_secs(2)));
    assert!(matches!(far.events[..], [Event::Described(_)]));
    // One that is none ends the session.
    let mut far = Far::new();
    far.say("200 OK", "");
    let none = far.hear(b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert!(matches!(none, Err(Error::Description(_))));
    // The caller's choice is waited for without end.
    let mut far = Far::described(SDP);
    assert_eq!(far.session.poll_output(), Output::Timeout(None));
    far.session.setup(
        far.now,
        &[Choice {
            section: 9,
            wanted: Wanted::Tcp,
        }],
    );
    far.drain();
    assert_eq!(far.events, [Event::Closed]);
}

#[test]
fn what_the_server_asks_is_answered() {
    let mut far = Far::playing();
    far.events.clear();
    let cases = [
        ("OPTIONS", "200 OK"),
        ("GET_PARAMETER", "200 OK"),
        ("SET_PARAMETER", "200 OK"),
        ("ANNOUNCE", "200 OK"),
        ("PLAY", "501 Not Implemented"),
        ("TEARDOWN", "200 OK"),
    ];
    for (method, status) in cases {
        far.sent.clear();
        far.hear(format!("{method} * RTSP/1.0\r\nCSeq: 77\r\n\r\n").as_bytes())
            .unwrap();
        far.asked(&format!("RTSP/1.0 {status}\r\nCSeq: 77\r\n"));
    }
    assert_eq!(far.events, [Event::Closed]);
}

#[test]
fn pausing_and_going_on() {
    let mut far = Far::playing();
    far.events.clear();
    far.session.pause(far.now);
    far.session.pause(far.now);
    far.drain();
    far.asked("PAUSE rtsp://cam/live RTSP/1.0\r\n");
    far.say("200 OK", "");
    far.session.resume(far.now);
    far.drain();
    far.asked("PLAY ");
    far.say("200 OK", "");
    assert!(matches!(far.events[..], [Event::Paused, Event::Playing(_)]));
}

#[test]
fn tracks_are_started_one_by_one_where_that_is_wanted() {
    let mut far = Far::described(SDP);
    far.setup(Wanted::Tcp);
    far.say("200 OK\r\nSession: 7", "");
    far.say("200 OK\r\nSession: 7", "");
    far.asked("PLAY rtsp://cam/live RTSP");
    far.say("459 Aggregate Operation Not Allowed", "");
    assert!(far.sent.contains("PLAY rtsp://cam/live/track1 "));
    assert!(far.sent.contains("PLAY rtsp://cam/live/track2 "));
    far.events.clear();
    far.hear(b"RTSP/1.0 200 OK\r\n\r\nRTSP/1.0 200 OK\r\n\r\n")
        .unwrap();
    assert!(matches!(far.events[..], [Event::Playing(_)]));
}

#[test]
fn a_loudspeaker_is_asked_for_in_each_request_that_is_for_it() {
    let now = Instant::now();
    let config = Config {
        back_channel: true,
        ..Config::new("rtsp://cam/live")
    };
    let mut far = Far {
        session: Session::play(now, config),
        now,
        sent: String::new(),
        events: Vec::new(),
    };
    far.drain();
    let require = "Require: www.onvif.org/ver20/backchannel\r\n";
    assert!(!far.sent.contains(require), "{}", far.sent);
    far.say("200 OK\r\nPublic: OPTIONS, PLAY, GET_PARAMETER", "");
    assert!(far.sent.starts_with("DESCRIBE ") && far.sent.contains(require));
    let sdp = format!("{SDP}m=audio 0 RTP/AVP 0\r\na=sendonly\r\na=control:track3\r\n");
    far.say("200 OK\r\nContent-Type: application/sdp", &sdp);
    let choice = Choice {
        section: 2,
        wanted: Wanted::Tcp,
    };
    far.session.setup(far.now, &[choice]);
    far.drain();
    assert!(
        far.sent.starts_with("SETUP rtsp://cam/live/track3 "),
        "{}",
        far.sent
    );
    assert!(far.sent.contains(require) && !far.sent.contains("mode="));
    far.say(
        "200 OK\r\nSession: 7;timeout=20\r\nTransport: RTP/AVP/TCP;interleaved=4-5",
        "",
    );
    assert!(far.sent.starts_with("PLAY ") && far.sent.contains(require));
    far.events.clear();
    far.say("200 OK\r\nSession: 7", "");
    assert!(matches!(far.events[..], [Event::Playing(_)]));
    let carriage = far.session.carriage(0);
    assert_eq!(carriage, Some(Carriage::Tcp { rtp: 4, rtcp: 5 }));
    // It is kept alive, which is nothing of that.
    far.wait().unwrap();
    assert!(far.sent.starts_with("GET_PARAMETER ") && !far.sent.contains(require));
    far.sent.clear();
    far.session.teardown(far.now);
    far.drain();
    assert!(far.sent.starts_with("TEARDOWN "), "{}", far.sent);
}

#[test]
fn a_camera_that_knows_no_loudspeaker_refuses() {
    let now = Instant::now();
    let config = Config {
        back_channel: true,
        ..Config::new("rtsp://cam/live")
    };
    let mut far = Far {
        session: Session::play(now, config),
        now,
        sent: String::new(),
        events: Vec::new(),
    };
    far.drain();
    far.say("200 OK", "");
    far.say(
        "551 Option not supported\r\nUnsupported: www.onvif.org/ver20/backchannel",
        "",
    );
    let rejected = Event::Rejected {
        method: Method::Describe,
        status: Status::OPTION_NOT_SUPPORTED,
        reason: "Option not supported".to_owned(),
    };
    assert_eq!(far.events, [rejected]);
}
