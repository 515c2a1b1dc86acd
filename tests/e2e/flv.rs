//! HTTP-FLV and WebSocket-FLV: what players get, and who is refused.

use crate::support::clips::Clip;
use crate::support::http::request;
use crate::support::media::{decode, publish};
use crate::support::server::Server;
use crate::support::{seconds, wait_until};
use flv::file::{Reader, TagKind};
use std::io::{Read, Write};
use std::net::TcpStream;

const FILE: &str = "/LiveApp/streams/cam.flv";

#[test]
fn ffmpeg_plays_over_http() {
    let server = Server::start();
    let publisher = publish(&server, "cam", Clip::BFrames);
    decode(&server.url(FILE), 4).assert_about(4.0, 30.0);
    let missing = server.get("/LiveApp/streams/other.flv");
    assert_eq!(missing.status, 404, "{}", missing.text());
    let head = request(server.http, "HEAD", FILE, &[], b"");
    assert_eq!(head.header("Content-Type"), "video/x-flv");
    wait_until("nobody watches", seconds(10), || {
        server.broadcast("cam").unwrap()["anyoneWatching"] == false
    });
    drop(publisher);
}

#[test]
fn a_stream_without_sound_says_so_in_its_header() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Silent);
    let mut socket = ask(&server, "");
    let beginning = read_until(&mut socket, |bytes| bytes.len() > 5);
    // Players wait for all that the header names.
    assert_eq!(beginning.get(..5), Some(&b"FLV\x01\x01"[..]));
}

#[test]
fn over_websocket_each_tag_is_a_message() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let mut socket = ask(
        &server,
        "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    );
    // A ping, masked with zeros, in between.
    socket
        .write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i'])
        .unwrap();
    let mut reader = Reader::new();
    let (mut pictures, mut pong, mut messages) = (0, false, 0);
    while pictures < 60 || !pong {
        let (first, payload) = message(&mut socket);
        match first {
            0x82 => {
                messages += 1;
                reader.push(&payload).unwrap();
            }
            0x8a => pong = payload == b"hi",
            other => panic!("{other:#04x}"),
        }
        while let Some(tag) = reader.pull() {
            pictures += usize::from(tag.kind == TagKind::Video);
        }
    }
    assert!(messages > 60, "{messages}");
    // Goodbye is answered.
    socket.write_all(&[0x88, 0x80, 0, 0, 0, 0]).unwrap();
    while message(&mut socket).0 != 0x88 {}
}

#[test]
fn a_bad_request_for_websocket_is_refused() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Silent);
    let upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")];
    let with = |version| [&upgrade[..], &[("Sec-WebSocket-Version", version)]].concat();
    let ask = |headers: &[(&str, &str)]| request(server.http, "GET", FILE, headers, b"");
    // Without a key, and of a version that is not known.
    assert_eq!(ask(&with("13")).status, 400);
    let refused = ask(&with("8"));
    assert_eq!(refused.status, 426, "{}", refused.text());
    assert_eq!(refused.header("sec-websocket-version"), "13");
}

/// Asks for the stream; what comes next is behind the head of the answer.
#[track_caller]
fn ask(server: &Server, headers: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    socket.set_read_timeout(Some(seconds(10))).unwrap();
    let head = format!("GET {FILE} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    if headers.is_empty() {
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    } else {
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // The example of RFC 6455 section 1.3.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    }
    socket
}

#[track_caller]
fn read_until(socket: &mut TcpStream, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !enough(&bytes) {
        let mut piece = [0; 4_096];
        let count = socket.read(&mut piece).unwrap();
        assert!(count > 0, "closed");
        bytes.extend_from_slice(&piece[..count]);
    }
    bytes
}

/// The first byte of the next frame, and its payload.
#[track_caller]
fn message(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    socket.read_exact(&mut head).unwrap();
    let length = match head[1] {
        126 => {
            let mut long = [0; 2];
            socket.read_exact(&mut long).unwrap();
            usize::from(u16::from_be_bytes(long))
        }
        127 => {
            let mut long = [0; 8];
            socket.read_exact(&mut long).unwrap();
            usize::try_from(u64::from_be_bytes(long)).unwrap()
        }
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    socket.read_exact(&mut payload).unwrap();
    (head[0], payload)
}
