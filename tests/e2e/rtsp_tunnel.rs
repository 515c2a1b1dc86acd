//! RTSP within a pair of HTTP connections: real players and publishers, and halves that find no other.

use crate::rtsp::{decode_by, publish_by};
use crate::support::clips::Clip;
use crate::support::media::{gstreamer_plays, publish};
use crate::support::seconds;
use crate::support::server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

#[test]
fn ffmpeg_plays_and_publishes_within_http() {
    let server = Server::start();
    let mut publisher = publish_by(&server.rtsp_url("cam"), Clip::Standard, "tcp");
    server.wait_live("cam");
    decode_by(&server.rtsp_url("cam"), "http", 4).assert_about(4.0, 30.0);
    decode_by(&server.rtsps_url("cam"), "https", 3).assert_about(3.0, 30.0);
    assert!(publisher.is_running(), "{}", publisher.stderr.text());
}

#[test]
fn gstreamer_plays_within_http() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let plain = server.rtsp_url("cam").replace("rtsp://", "rtsph://");
    let secure = server.rtsps_url("cam").replace("rtsps://", "rtspsh://");
    for url in [plain, secure] {
        gstreamer_plays(&url, &["tls-validation-flags=0"]);
    }
}

/// A connection with these first words.
fn connect(server: &Server, words: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", server.rtsp)).unwrap();
    socket.set_read_timeout(Some(seconds(20))).unwrap();
    socket.write_all(words.as_bytes()).unwrap();
    socket
}

fn half(verb: &str, cookie: &str) -> String {
    format!("{verb} /LiveApp/cam HTTP/1.0\r\nx-sessioncookie: {cookie}\r\n\r\n")
}

/// What comes until the server closes the connection.
fn rest(mut socket: TcpStream) -> String {
    let mut answer = Vec::new();
    // It may be reset for what was not read.
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn halves_without_another_are_refused_or_given_up() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    // A POST before its GET, and a cookie that another one has.
    assert!(rest(connect(&server, &half("POST", "a"))).starts_with("HTTP/1.0 404"));
    let mut first = connect(&server, &half("GET", "b"));
    let mut answer = [0; 15];
    first.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.0 200 OK");
    assert!(rest(connect(&server, &half("GET", "b"))).starts_with("HTTP/1.0 404"));
    // No base64 behind a POST ends both.
    let _post = connect(&server, &(half("POST", "b") + "????"));
    let begun = Instant::now();
    rest(first);
    assert!(begun.elapsed() < seconds(5), "{:?}", begun.elapsed());
    // Nobody is waited for in vain, and a head without end is read no further.
    let lonely = connect(&server, &half("GET", "c"));
    let endless = connect(
        &server,
        &format!("GET / HTTP/1.0\r\nx: {}", "x".repeat(64 << 10)),
    );
    let begun = Instant::now();
    rest(lonely);
    rest(endless);
    assert!(begun.elapsed() < seconds(18), "{:?}", begun.elapsed());
    decode_by(&server.rtsp_url("cam"), "http", 1).assert_about(1.0, 30.0);
}
