//! Callers that send nonsense, too much, too little or too slowly: each gets its protocol's own error or is
//! closed, the memory stays bounded, and a good publisher and its player notice nothing.
//! What only RTMP can be sent is in `bad_rtmp`.

use crate::support::http::{exchange, get, request};
use crate::support::rtmp::{Answer, Client};
use crate::support::seconds;
use crate::support::watched::Watched;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Names that break the rules, as they may be put into a URL.
fn bad_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "../../x",
        "..",
        ".hidden",
        "a..b",
        "%2e%2e%2f",
        "a b",
        "a\\b",
        "ümlaut",
        "a\u{0}b",
        "a/b",
        "a.m3u8",
        "a.flv",
        "a.mp4",
        "a_adaptive",
        "<script>",
        "a;b",
        "a\r\nX: y",
        "$(reboot)",
        "con:",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(129));
    names.push("x".repeat(4_096));
    names.push("../".repeat(1_000));
    names
}

#[test]
fn bad_names_are_refused_by_rtmp() {
    let watched = Watched::start(4);
    let files = || std::fs::read_dir(watched.server.data()).unwrap().count();
    let before = files();
    let port = watched.server.rtmp;
    for name in bad_names() {
        let (_, answer) = Client::publish(port, "LiveApp", &name);
        assert_eq!(
            answer,
            Answer::Rejected("NetStream.Publish.BadName".into()),
            "{name:?}"
        );
        let (_, answer) = Client::play(port, "LiveApp", &name);
        assert_eq!(
            answer,
            Answer::Rejected("NetStream.Play.StreamNotFound".into()),
            "{name:?}"
        );
    }
    for app in [
        "nowhere",
        "../LiveApp",
        "LiveApp/../live",
        "",
        &"x".repeat(4_096),
    ] {
        let (_, answer) = Client::publish(port, app, "a/b/c");
        assert!(matches!(answer, Answer::Rejected(_)), "{app:?}: {answer:?}");
    }
    // Nothing has been made of them.
    let list = watched.server.rest("GET", "/list/0/50", "").json();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    assert_eq!(files(), before);
    watched.check();
}

#[test]
fn bad_paths_are_refused_by_http() {
    let watched = Watched::start(4);
    let server = &watched.server;
    let encode =
        |name: &str| -> String { name.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    for name in bad_names() {
        let name = encode(&name);
        for path in [
            format!("/LiveApp/streams/{name}.m3u8"),
            format!("/LiveApp/streams/{name}/video.m3u8"),
            format!("/LiveApp/streams/{name}"),
            format!("/{name}/streams/a.m3u8"),
            format!("/{name}"),
        ] {
            let status = get(server.http, &path).status;
            assert!(
                matches!(status, 400 | 403 | 404 | 414 | 431),
                "{status} for {path}"
            );
        }
        let path = format!("/LiveApp/rest/v2/broadcasts/{name}");
        let response = get(server.http, &path);
        assert_eq!((response.status, response.body.len()), (404, 0), "{path}");
        for (method, path) in [("DELETE", path.clone()), ("POST", format!("{path}/stop"))] {
            let response = request(server.http, method, &path, &[], b"");
            assert_eq!(response.status, 200, "{method} {path}");
            assert_eq!(response.json()["success"], false, "{method} {path}");
        }
    }
    for path in [
        "/../../../etc/passwd",
        "/LiveApp/streams/../../../../etc/passwd",
        "/LiveApp/streams/..%2f..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/LiveApp/%2e%2e/%2e%2e/etc/passwd",
    ] {
        let response = get(server.http, path);
        assert!(
            matches!(response.status, 400 | 403 | 404),
            "{} for {path}",
            response.status
        );
        assert!(!response.text().contains("root:"), "{path}");
    }
    watched.check();
}

#[test]
fn nonsense_over_http_is_answered_or_closed() {
    let watched = Watched::start(6);
    let http = watched.server.http;
    let long = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "y".repeat(200_000)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "X: y\r\n".repeat(20_000)
    );
    let uri = format!(
        "GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "z".repeat(100_000)
    );
    for (bytes, statuses) in [
        (&b"\x03nonsense\r\n\r\n"[..], &["400"][..]),
        (b"GET\r\n\r\n", &["400"]),
        (b"GET / HTTP/9.9\r\n\r\n", &["400", "505"]),
        (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", &["400"]),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
            &["400"],
        ),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            &["400"],
        ),
        (long.as_bytes(), &["431", "400"]),
        (many.as_bytes(), &["431", "400"]),
        (uri.as_bytes(), &["414", "431", "400"]),
    ] {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        // A reset is an answer to what is still being sent.
        let answer = exchange(http, bytes).unwrap_or_default();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.strip_prefix("HTTP/1.1 ").map(|rest| &rest[..3]);
        assert!(
            status.is_none_or(|status| statuses.contains(&status)),
            "{shown:?}: {answer}"
        );
    }
    // A body that is announced and does not come, is too long, or does not end.
    let create = "POST /LiveApp/rest/v2/broadcasts/create HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let body = vec![b' '; 1 << 20];
    let huge = [
        format!("{create}Content-Length: {}\r\n\r\n", body.len()).as_bytes(),
        &body,
    ]
    .concat();
    let answer = String::from_utf8_lossy(&exchange(http, &huge).unwrap_or_default()).into_owned();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    let announced = format!("{create}Content-Length: 18446744073709551615\r\n\r\n{{");
    let mut socket = TcpStream::connect(("127.0.0.1", http)).unwrap();
    socket.write_all(announced.as_bytes()).unwrap();
    drop(socket);
    let deep = format!("[{}", "[".repeat(200_000));
    let deep = request(
        http,
        "POST",
        "/LiveApp/rest/v2/broadcasts/create",
        &[],
        deep.as_bytes(),
    );
    assert_eq!(deep.status, 400);
    watched.check();
}

#[test]
fn slow_and_half_open_connections_hold_nobody_up() {
    let watched = Watched::start(6);
    let ports = [watched.server.rtmp, watched.server.http];
    let mut silent: Vec<TcpStream> = Vec::new();
    for port in ports {
        silent.extend((0..50).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()));
    }
    let mut rtmp = TcpStream::connect(("127.0.0.1", ports[0])).unwrap();
    let mut http = TcpStream::connect(("127.0.0.1", ports[1])).unwrap();
    let begun = Instant::now();
    for byte in b"GET /healthz" {
        http.write_all(&[*byte]).unwrap();
        let _ = rtmp.write_all(&[3]);
        std::thread::sleep(Duration::from_millis(350));
    }
    assert!(begun.elapsed() > seconds(4));
    // Slow is no fault: the rest of the request is answered.
    http.write_all(b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    http.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    watched.check();
}
