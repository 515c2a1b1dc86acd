//! Clients that record.

use super::*;

#[test]
fn a_whole_session_of_a_recorder() {
    let mut near = Near::new();
    near.announce();
    let [Event::Announce(access, description)] = &near.events[..] else {
        panic!("{:?}", near.events);
    };
    assert_eq!(
        (access.path.as_str(), description.media.len()),
        ("/LiveApp/s", 2)
    );
    near.session.accept(near.now).unwrap();
    near.drain();
    near.told("200 OK");
    near.setup(
        "streamid=1",
        "RTP/AVP/TCP;unicast;interleaved=2-3;mode=record",
    );
    assert!(
        near.sent.contains("interleaved=2-3;mode=record\r\n"),
        "{}",
        near.sent
    );
    near.setup(
        "streamid=0",
        "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record",
    );
    near.ask(&format!("RECORD {URL}"), "");
    assert_eq!(near.events, [Event::Record(vec![tcp(1, 2), tcp(0, 0)])]);
    near.session.accept(near.now).unwrap();
    near.drain();
    near.events.clear();
    near.hear(&[&frame_header(2, 1)[..], &[0x80]].concat())
        .unwrap();
    let payload = vec![0x80].into();
    let packet = Event::Packet {
        section: 1,
        control: false,
        payload,
    };
    assert_eq!(near.events, [packet]);
    // Who records and falls silent is given up.
    let Output::Timeout(Some(at)) = near.session.poll_output() else {
        panic!();
    };
    assert_eq!(at - near.now, Duration::from_secs(60));
    let late = near.session.handle_timeout(at);
    assert_eq!(
        late.unwrap_err().to_string(),
        "timed out waiting for a sign of the client"
    );
}

#[test]
fn sections_that_a_recorder_names_in_its_own_way() {
    let cases = [
        ("a=control:rtsp://h/LiveApp/s/x1", "x1", true),
        ("a=control:/x1", "x1", true),
        ("a=control:*", "anything", true),
        ("", "streamid=0", true),
        ("a=control:x1", "x2", true),
        (
            "a=control:x1\r\nm=audio 0 RTP/AVP 8\r\na=control:x2",
            "x2",
            true,
        ),
        (
            "a=control:x1\r\nm=audio 0 RTP/AVP 8\r\na=control:x2",
            "x3",
            false,
        ),
        ("\r\nm=audio 0 RTP/AVP 8", "x3", true),
    ];
    for (control, track, found) in cases {
        let sdp = format!("m=video 0 RTP/AVP 26\r\n{control}\r\n");
        let mut near = Near::new();
        let head = format!("Content-Length: {}\r\n", sdp.len());
        near.ask(&format!("ANNOUNCE {URL}"), &head);
        near.hear(sdp.as_bytes()).unwrap();
        near.session.accept(near.now).unwrap();
        near.setup(track, "RTP/AVP/TCP");
        near.sent = near.sent.split_off(near.sent.rfind("RTSP/1.0").unwrap());
        near.told(if found { "200 OK" } else { "404 Not Found" });
    }
}

#[test]
fn an_announced_stream_that_is_refused_is_not_there() {
    let mut near = Near::new();
    near.announce();
    near.session
        .refuse(near.now, Status::FORBIDDEN, "")
        .unwrap();
    near.drain();
    near.setup("streamid=0", "RTP/AVP/TCP;mode=record");
    assert!(matches!(near.events[..], [Event::Describe(_)]));
    let mut near = Near::announced();
    near.ask(&format!("PLAY {URL}"), "");
    near.told("455 Method Not Valid in This State");
}
