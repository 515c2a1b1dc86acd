//! Clients that play.

use super::*;

#[test]
fn a_whole_session_of_a_player() {
    let mut near = Near::new();
    near.ask("OPTIONS *", "");
    near.told("200 OK");
    assert!(
        near.sent
            .contains("Public: OPTIONS, DESCRIBE, ANNOUNCE, SETUP, ")
    );
    near.ask(
        "DESCRIBE rtsp://h:554/LiveApp/s/?token=x",
        "Accept: application/sdp\r\n",
    );
    let [Event::Describe(access)] = &near.events[..] else {
        panic!("{:?}", near.events);
    };
    assert_eq!(
        (access.path.as_str(), access.query.as_deref()),
        ("/LiveApp/s/", Some("token=x"))
    );
    near.offer();
    near.told("200 OK");
    assert!(
        near.sent
            .contains("Content-Base: rtsp://h:554/LiveApp/s/?token=x/\r\n")
    );
    assert!(near.sent.contains("a=control:trackID=1\r\n") && !near.sent.contains("streamid"));
    // Channels that nobody else asks for are not had: packets would be made for this player alone.
    let unusual = "RTP/AVP/TCP;unicast;interleaved=200-201";
    near.setup("?token=x/trackID=0", unusual);
    near.told("200 OK");
    assert!(
        near.sent
            .contains("Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0000000A\r\n")
    );
    assert!(near.sent.contains(";timeout=60\r\n"));
    // Channels that are taken are replaced.
    near.setup("trackID=1", "RTP/AVP/TCP;unicast;interleaved=1-2");
    assert!(near.sent.contains("interleaved=2-3;ssrc=0000000B"));
    near.ask(&format!("PLAY {URL}/"), "Range: npt=0.000-\r\n");
    assert_eq!(near.events, [Event::Play(vec![tcp(0, 0), tcp(1, 2)])]);
    let starts = [
        Start {
            sequence: 1,
            time: 2,
        },
        Start {
            sequence: 3,
            time: 4,
        },
    ];
    near.session.start(near.now, &starts).unwrap();
    near.drain();
    near.told("200 OK");
    assert!(near.sent.contains("Range: npt=now-\r\n"));
    assert!(
        near.sent.contains("/trackID=0;seq=1;rtptime=2,url="),
        "{}",
        near.sent
    );
    // What it does not take shows; that it says nothing does not matter.
    assert_eq!(near.session.poll_output(), Output::Timeout(None));
    near.events.clear();
    near.hear(&[&frame_header(3, 2)[..], &[0x80, 201], &frame_header(9, 0)].concat())
        .unwrap();
    let payload = vec![0x80, 201].into();
    let report = Event::Packet {
        section: 1,
        control: true,
        payload,
    };
    assert_eq!(near.events, [report]);
    near.ask(&format!("PAUSE {URL}"), "");
    assert_eq!(near.events, [Event::Pause]);
    near.ask(&format!("PLAY {URL}"), "");
    near.session.start(near.now, &starts).unwrap();
    near.drain();
    near.ask(&format!("TEARDOWN {URL}"), "");
    near.told("200 OK");
    assert_eq!(near.events, [Event::Teardown]);
    near.ask(&format!("PLAY {URL}"), "");
    near.told("454 Session Not Found");
}

#[test]
fn a_track_may_be_set_up_without_a_description() {
    let mut near = Near::new();
    near.setup("trackID=1", "RTP/AVP/TCP;interleaved=0-1");
    assert!(matches!(&near.events[..], [Event::Describe(access)] if access.url == URL));
    near.offer();
    near.told("200 OK");
    near.ask(&format!("PLAY {URL}"), "");
    assert_eq!(near.events, [Event::Play(vec![tcp(1, 0)])]);
    // But not of another stream than the one that may be played.
    let mut near = Near::described();
    near.ask(
        "SETUP rtsp://h/LiveApp/secret/trackID=0",
        "Transport: RTP/AVP/TCP\r\n",
    );
    assert!(
        matches!(&near.events[..], [Event::Describe(access)] if access.path == "/LiveApp/secret")
    );
    near.session
        .refuse(near.now, Status::FORBIDDEN, "Not you.\r\nX: y")
        .unwrap();
    near.drain();
    near.told("403 Not you.X: y");
}

#[test]
fn datagrams_and_groups() {
    let mut near = Near::with(Config {
        udp: Some((8_000, 8_001)),
        ..Config::default()
    });
    near.ask(&format!("DESCRIBE {URL}"), "");
    near.offer();
    near.setup("trackID=0", "RTP/AVP;multicast,RTP/AVP/TCP");
    let group = "RTP/AVP;multicast;destination=239.0.0.1;port=7000-7001;ttl=4;ssrc=0000000A\r\n";
    assert!(near.sent.contains(group), "{}", near.sent);
    // There is one group only; and where datagrams go is not for the client to say.
    near.setup(
        "trackID=1",
        "RTP/AVP;multicast,RTP/AVP;destination=192.0.2.1;client_port=9000-9001",
    );
    let ports =
        "Transport: RTP/AVP;unicast;client_port=9000-9001;server_port=8000-8001;ssrc=0000000B\r\n";
    assert!(near.sent.contains(ports), "{}", near.sent);
    near.ask(&format!("PLAY {URL}"), "");
    let source = None;
    let udp = Carriage::Udp {
        rtp: 9_000,
        rtcp: 9_001,
        source,
    };
    assert!(matches!(&near.events[..], [Event::Play(tracks)] if tracks[1].carriage == udp));
    near.session.start(near.now, &[]).unwrap();
    near.drain();
    // Whoever gets datagrams has to show that it is there.
    near.now += Duration::from_secs(59);
    near.session.alive(near.now);
    let at = near.now + Duration::from_secs(60);
    assert_eq!(near.session.poll_output(), Output::Timeout(Some(at)));
    assert_eq!(near.session.handle_timeout(near.now), Ok(()));
    assert!(near.session.handle_timeout(at).is_err());
}

#[test]
fn credentials() {
    let mut near = Near::new();
    let credentials = Credentials {
        user: "joe".to_owned(),
        password: "secret".to_owned(),
    };
    let mut login = Login::new(Some(credentials), Random([1; 16]));
    near.ask(&format!("DESCRIBE {URL}"), "");
    assert!(matches!(&near.events[..], [Event::Describe(access)] if access.user.is_none()));
    assert_eq!(
        near.session.verify(near.now, "joe", "secret"),
        Err(Denied::Missing)
    );
    near.session.challenge(near.now, false).unwrap();
    near.drain();
    near.told("401 Unauthorized");
    let fields = near.sent.lines();
    let fields = fields.filter_map(|line| line.strip_prefix("WWW-Authenticate: "));
    assert!(login.challenged(fields, 0));
    let value = login.authorization("DESCRIBE", URL).unwrap();
    assert!(Authorization::parse(&value).is_some());
    near.ask(
        &format!("DESCRIBE {URL}"),
        &format!("Authorization: {value}\r\n"),
    );
    let user = Some("joe".to_owned());
    assert!(matches!(&near.events[..], [Event::Describe(access)] if access.user == user));
    assert_eq!(
        near.session.verify(near.now, "joe", "other"),
        Err(Denied::Wrong)
    );
    assert_eq!(near.session.verify(near.now, "joe", "secret"), Ok(()));
    near.offer();
    near.told("200 OK");
    assert_eq!(
        near.session.verify(near.now, "joe", "secret"),
        Err(Denied::Missing)
    );
}

#[test]
fn a_password_that_is_handed_on_is_asked_for_as_it_is() {
    let mut near = Near::new();
    near.ask(&format!("DESCRIBE {URL}"), "");
    assert_eq!(near.session.told(), None);
    near.session.ask_for_password(near.now).unwrap();
    near.drain();
    near.told("401 Unauthorized");
    let fields = near.sent.lines();
    let fields = fields.filter(|line| line.starts_with("WWW-Authenticate: "));
    assert_eq!(
        fields.collect::<Vec<_>>(),
        ["WWW-Authenticate: Basic realm=\"Millstream\""]
    );
    near.ask(
        &format!("DESCRIBE {URL}"),
        "Authorization: Basic am9lOnNlY3JldA==\r\n",
    );
    let told = Some(("joe".to_owned(), "secret".to_owned()));
    assert_eq!(near.session.told(), told);
}
