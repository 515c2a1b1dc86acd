//! RTMP that no client sends: chunks, messages and values made to cost memory or time, and media that are
//! none. Each connection is closed, and nobody else notices.

use crate::support::camera::pull;
use crate::support::rtmp::{Answer, Client, server_that_never_begins};
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::watched::Watched;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn nonsense_over_rtmp_is_closed() {
    let watched = Watched::start(8);
    let port = watched.server.rtmp;
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &[0xff; 4_000],
        &[0; 4_000],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        assert!(
            is_closed(&mut send(port, bytes), seconds(12)),
            "{:?}",
            &bytes[..10]
        );
    }
    // The handshake is right, and what follows is not.
    for (what, bytes) in hostile_chunks() {
        let mut socket = shake_hands(port);
        // The server may close before all is sent.
        let _ = socket.write_all(&bytes);
        assert!(is_closed(&mut socket, seconds(12)), "{what}");
    }
    watched.check();
}

#[test]
fn hundreds_of_hostile_connections_leave_no_memory_behind() {
    let watched = Watched::start(12);
    let (rtmp, http) = (watched.server.rtmp, watched.server.http);
    let hostile = hostile_chunks();
    for round in 0..40 {
        for (_, bytes) in &hostile {
            let mut socket = shake_hands(rtmp);
            let _ = socket.write_all(bytes);
        }
        drop(send(http, &vec![b'x'; 10_000 + round]));
        drop(send(rtmp, b"\x03half of a handshake"));
    }
    // Forty that stay: each announces a message of 16 MiB and sends a part of it.
    let announced = [
        &[0x06, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0][..],
        &[0; 128],
    ]
    .concat();
    let _staying: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut socket = shake_hands(rtmp);
            let _ = socket.write_all(&announced);
            socket
        })
        .collect();
    std::thread::sleep(seconds(1));
    watched.check();
}

#[test]
fn a_publisher_that_sends_what_is_no_media_harms_itself_alone() {
    use bytes::Bytes;
    use rtmp::chunk::MessageType;
    let watched = Watched::start(5);
    let (mut client, answer) = Client::publish(watched.server.rtmp, "LiveApp", "bad");
    assert_eq!(answer, Answer::Granted);
    let bodies: [&[u8]; 9] = [
        b"",
        b"\x17",
        b"\x17\x00\x00\x00\x00",
        b"\x17\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff",
        b"\x17\x01\x00\x00\x00\xff\xff\xff\xffxxxx",
        b"\x27\x01\xff\xff\xff\x00\x00\x00\x02\x41",
        b"\xaf\x00\xff\xff\xff",
        b"\xaf\x01",
        b"\x90hvc1",
    ];
    'sending: for round in 0..50u32 {
        for body in bodies {
            for kind in [MessageType::VIDEO, MessageType::AUDIO, MessageType::DATA] {
                if client
                    .send(kind, u32::MAX - round * 1_000, &Bytes::from_static(body))
                    .is_err()
                {
                    break 'sending;
                }
            }
        }
    }
    let response = watched.server.get("/LiveApp/streams/bad.m3u8");
    assert!(matches!(response.status, 404 | 503), "{}", response.status);
    let complaints = watched
        .server
        .log
        .count(|line| line.contains("cannot be used"));
    assert!(complaints < 20, "the log is flooded: {complaints} lines");
    watched.check();
}

/// What may follow a right handshake and must not be taken.
fn hostile_chunks() -> Vec<(&'static str, Vec<u8>)> {
    let chunk = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let mut chunk = vec![
            3, 0, 0, 0, length[1], length[2], length[3], kind, 0, 0, 0, 0,
        ];
        for (index, piece) in body.chunks(128).enumerate() {
            if index > 0 {
                chunk.push(0xc3);
            }
            chunk.extend_from_slice(piece);
        }
        chunk
    };
    let mut full_length = vec![3, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0];
    full_length.extend_from_slice(&[0; 128]);
    for _ in 0..140_000 {
        full_length.push(0xc3);
        full_length.extend_from_slice(&[0; 128]);
    }
    // One byte each of messages of 16 MiB on as many chunk streams as can be numbered in three bytes.
    let many_streams = (64..20_000u32)
        .flat_map(|stream| {
            let number = (stream - 64).to_le_bytes();
            let head = [
                1, number[0], number[1], 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0,
            ];
            [&head[..], &[0; 128]].concat()
        })
        .collect();
    // connect, 1, then objects in objects.
    let mut deep = b"\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00".to_vec();
    for _ in 0..10_000 {
        deep.extend_from_slice(b"\x03\x00\x01a");
    }
    let mut wide = b"\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00".to_vec();
    wide.extend_from_slice(&[8, 0xff, 0xff, 0xff, 0xff]);
    wide.extend_from_slice(&b"\x00\x01a\x05".repeat(50_000));
    let chunk_size = [&chunk(1, &[0x7f, 0xff, 0xff, 0xff]), &full_length[..]].concat();
    vec![
        ("a command of 16 MiB", full_length),
        (
            "a chunk size of 2^31-1, and a command of 16 MiB",
            chunk_size,
        ),
        (
            "a chunk size of 0",
            [chunk(1, &[0; 4]), chunk(20, &[0; 300])].concat(),
        ),
        ("thousands of chunk streams", many_streams),
        ("a value too deep", chunk(20, &deep)),
        ("a value too wide", chunk(20, &wide)),
        ("a continuation of nothing", vec![0xc5; 2_000]),
    ]
}

#[test]
fn a_server_that_sends_and_never_begins_is_left() {
    let server = Server::start();
    // A message of a video in one chunk (sections 5.3.1 and 7.1.5): an inter frame of 100 bytes, on message stream 1.
    let mut message = vec![6, 0, 0, 0, 0, 0, 100, 9, 1, 0, 0, 0, 0x27, 1];
    message.resize(12 + 100, 0);
    let port = server_that_never_begins(message.repeat(1_000));
    pull(&server, &format!("rtmp://127.0.0.1:{port}/live/cam"));
    server.wait_log(seconds(30), &["sends and does not say that it plays"]);
}

/// A connection whose handshake is done (section 5.2 of the RTMP specification).
#[track_caller]
fn shake_hands(port: u16) -> TcpStream {
    let mut socket = send(port, &[&[3][..], &[0; 1_536]].concat());
    let mut answer = vec![0; 1 + 2 * 1_536];
    socket.read_exact(&mut answer).unwrap();
    socket.write_all(&answer[1..=1_536]).unwrap();
    socket
}

#[track_caller]
fn send(port: u16, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_write_timeout(Some(seconds(5))).unwrap();
    socket.set_read_timeout(Some(seconds(5))).unwrap();
    // The server may close before all is sent.
    let _ = socket.write_all(bytes);
    socket
}

/// Whether the server closes the connection within the limit, whatever it says before.
fn is_closed(socket: &mut TcpStream, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut buffer = [0; 4_096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        socket.set_read_timeout(Some(left)).unwrap();
        match socket.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                use std::io::ErrorKind::{TimedOut, WouldBlock};
                return !matches!(error.kind(), TimedOut | WouldBlock);
            }
        }
    }
}
