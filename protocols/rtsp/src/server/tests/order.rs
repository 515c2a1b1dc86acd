//! What has no place in a session, and requests that wait.

use super::*;

#[test]
fn what_has_no_place() {
    let tcp = "Transport: RTP/AVP/TCP\r\n";
    let setup = format!("SETUP {URL}/trackID=0");
    let play = format!("PLAY {URL}");
    let two = || {
        let mut near = Near::described();
        near.setup("trackID=0", "RTP/AVP/TCP");
        near.setup("trackID=1", "RTP/AVP/TCP");
        near
    };
    let record = format!("RECORD {URL}");
    let cases: [(Near, &str, &str, &str); 22] = [
        (Near::new(), &play, "", "455 Method Not Valid in This State"),
        (
            Near::new(),
            &record,
            "",
            "455 Method Not Valid in This State",
        ),
        (
            Near::new(),
            "PAUSE x",
            "",
            "455 Method Not Valid in This State",
        ),
        (Near::new(), "TEARDOWN x", "", "454 Session Not Found"),
        (Near::new(), "FLUSH x", "", "501 Not Implemented"),
        (Near::new(), "REDIRECT x", "", "501 Not Implemented"),
        (
            Near::new(),
            &play,
            "Session: stolen\r\n",
            "454 Session Not Found",
        ),
        (
            Near::new(),
            "OPTIONS *",
            "Require: backchannel\r\n",
            "551 Option not supported",
        ),
        (
            Near::new(),
            "ANNOUNCE x",
            "",
            "400 the session description has no media section",
        ),
        (
            Near::new(),
            "ANNOUNCE x",
            "Content-Type: text/html\r\n",
            "415 Unsupported Media Type",
        ),
        (Near::described(), &setup, "", "461 Unsupported Transport"),
        (
            Near::described(),
            &setup,
            "Transport: RTP/SAVP\r\n",
            "461 Unsupported Transport",
        ),
        (
            Near::described(),
            &setup,
            "Transport: RTP/AVP;client_port=1-2\r\n",
            "461 Unsupported Transport",
        ),
        (
            Near::described(),
            &format!("SETUP {URL}/trackID=7"),
            tcp,
            "404 Not Found",
        ),
        (
            Near::described(),
            &format!("SETUP {URL}"),
            tcp,
            "459 Aggregate Operation Not Allowed",
        ),
        (
            Near::described(),
            &setup,
            "Transport: RTP/AVP/TCP;mode=record\r\n",
            "455 Method Not Valid in This State",
        ),
        (
            two(),
            &format!("PLAY {URL}/trackID=0"),
            "",
            "460 Only Aggregate Operation Allowed",
        ),
        (
            two(),
            &format!("TEARDOWN {URL}/trackID=0"),
            "",
            "460 Only Aggregate Operation Allowed",
        ),
        (two(), &play, "Range: bytes=1-\r\n", "457 Invalid Range"),
        (two(), &record, "", "455 Method Not Valid in This State"),
        (
            Near::playing(),
            &setup,
            tcp,
            "455 Method Not Valid in This State",
        ),
        (
            Near::playing(),
            "ANNOUNCE x",
            "",
            "455 Method Not Valid in This State",
        ),
    ];
    for (mut near, line, fields, status) in cases {
        near.ask(line, fields);
        near.told(status);
        assert_eq!(near.events, [], "{line}");
        // And the session goes on.
        near.ask("OPTIONS *", "");
        near.told("200 OK");
    }
    let mut near = Near::playing();
    near.ask("SET_PARAMETER x", "Content-Length: 1\r\n");
    near.hear(b"x").unwrap();
    near.told("451 Parameter Not Understood");
    for again in [play.as_str(), "GET_PARAMETER x", "SET_PARAMETER x"] {
        near.ask(again, "");
        near.told("200 OK");
    }
    // An identifier of another connection is of no use.
    let stolen = std::mem::take(&mut near.id);
    let mut other = Near::with(Config::default());
    other.ask(&play, &format!("Session: {stolen}\r\n"));
    other.told("454 Session Not Found");
}

#[test]
fn requests_wait_for_answers() {
    let mut near = Near::new();
    let pipelined =
        format!("DESCRIBE {URL} RTSP/1.0\r\nCSeq: 1\r\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: 2\r\n\r\n");
    near.hear(pipelined.as_bytes()).unwrap();
    assert_eq!((near.sent.as_str(), near.events.len()), ("", 1));
    assert_eq!(near.session.poll_output(), Output::Timeout(None));
    // Answers to something else are none.
    near.session.accept(near.now).unwrap();
    near.session.start(near.now, &[]).unwrap();
    near.drain();
    assert_eq!(near.sent, "");
    near.offer();
    let answers: Vec<_> = near.sent.matches("CSeq: ").collect();
    assert_eq!(answers.len(), 2, "{}", near.sent);
    near.ask(&format!("DESCRIBE {URL}"), "");
    let flood = vec![b'x'; MAX_UNREAD + 1];
    let limit = MAX_UNREAD;
    let result = near.session.handle_input(near.now, &flood);
    assert_eq!(result, Err(Error::TooEager { limit }));
}

#[test]
fn whoever_does_not_speak_rtsp_is_told() {
    let mut near = Near::new();
    assert!(near.hear(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").is_err());
    assert!(near.sent.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    assert!(near.sent.ends_with("This is a port for RTSP.\n"));
    let mut newer = Near::new();
    assert!(
        newer
            .hear(b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n")
            .is_err()
    );
    assert!(
        newer
            .sent
            .starts_with("RTSP/1.0 505 RTSP Version not supported\r\n")
    );
    let garbage: [&[u8]; 3] = [b"\x16\x03\x01\0\xa5\x01", b"\x03\0\0\0\0", b"hello\r\n"];
    for bytes in garbage {
        let mut near = Near::new();
        assert!(near.hear(bytes).is_err());
        assert_eq!(near.sent, "RTSP/1.0 400 Bad Request\r\n\r\n");
        assert_eq!(near.session.poll_output(), Output::Timeout(None));
    }
    let mut near = Near::new();
    near.hear(b"OPTIO").unwrap();
    let at = near.now + Duration::from_secs(10);
    assert_eq!(near.session.poll_output(), Output::Timeout(Some(at)));
    let late = near.session.handle_timeout(at);
    assert_eq!(
        late.unwrap_err().to_string(),
        "timed out waiting for the first request"
    );
}

#[test]
fn a_client_within_http() {
    let mut near = Near::with(Config {
        is_tunnel: true,
        ..Config::default()
    });
    let text = crate::tunnel::encode(b"OPTIONS * RTSP/1.0\r\nCSeq: 3\r\n\r\n");
    near.hear(text.as_bytes()).unwrap();
    near.told("200 OK");
    // What is no base64 ends it; nothing more is read.
    let error = near.hear(b"OPTIONS *").unwrap_err();
    assert!(matches!(error, Error::Tunnel(_)), "{error}");
    near.hear(text.as_bytes()).unwrap();
    assert_eq!(near.session.poll_output(), Output::Timeout(None));
}
