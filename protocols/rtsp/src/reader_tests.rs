//! Tests of the reader: what it reads, however the bytes are cut, and what it refuses.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crate::message::parse::{HeadError, MAX_HEAD};
use crate::message::{Message, Method, Status};
use crate::reader::{Incoming, MAX_BODY, MAX_GARBAGE, ReadError, Reader, frame_header};

fn read(bytes: &[u8], piece: usize) -> Result<Vec<Incoming>, ReadError> {
    let mut reader = Reader::default();
    reader.set_channels(4);
    let mut found = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(incoming) = reader.pull()? {
            found.push(incoming);
        }
    }
    Ok(found)
}

/// The same in pieces of any size, in short.
fn short(bytes: &[u8]) -> Vec<String> {
    let whole = read(bytes, bytes.len().max(1)).unwrap();
    for piece in [1, 2, 3, 7] {
        assert_eq!(
            read(bytes, piece).as_ref(),
            Ok(&whole),
            "in pieces of {piece}"
        );
    }
    let text = |incoming: Incoming| match incoming {
        Incoming::Frame(frame) => format!("{}: {} bytes", frame.channel, frame.payload.len()),
        Incoming::Message(Message::Request(request)) => {
            format!(
                "{} {}",
                request.method,
                String::from_utf8_lossy(&request.body)
            )
        }
        Incoming::Message(Message::Response(response)) => {
            format!(
                "{} {}",
                response.status,
                String::from_utf8_lossy(&response.body)
            )
        }
    };
    whole.into_iter().map(text).collect()
}

fn frame(channel: u8, length: u16) -> Vec<u8> {
    let mut bytes = frame_header(channel, length).to_vec();
    bytes.resize(4 + usize::from(length), 0x80);
    bytes
}

#[test]
fn messages_and_frames_in_turn() {
    let bytes = [
        &b"\r\n\nOPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"[..],
        &frame(0, 20),
        &frame(3, 0),
        b"RTSP/1.0 200 OK\nCSeq: 1\nContent-Length: 4\n\nbody",
        b"GET_PARAMETER x RTSP/1.0\r\n\r\n",
    ]
    .concat();
    let expected = [
        "OPTIONS ",
        "0: 20 bytes",
        "3: 0 bytes",
        "200 body",
        "GET_PARAMETER ",
    ];
    assert_eq!(short(&bytes), expected);
}

#[test]
fn garbage_is_passed_over() {
    let answer = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n";
    let garbage: [&[u8]; 6] = [
        b"\0\0\0\x01abc",
        b"$\x09\0\x05what?",
        b"$\0\0\x08\x01no RTP",
        b"Some words. A=b\r\n\r\nRTSP is what this is not",
        b"a=control:x\r\nm=video\r\n",
        b"OPTIONS nothing\r\n\r\n",
    ];
    for garbage in garbage {
        // The dollar sign is only doubted after something else.
        let bytes = [&answer[..], b"\xff", garbage, &frame(1, 12), b"?", answer].concat();
        assert_eq!(
            short(&bytes),
            ["200 ", "1: 12 bytes", "200 "],
            "{garbage:?}"
        );
        let mut reader = Reader::default();
        reader.set_channels(4);
        reader.push(&bytes);
        while reader.pull().unwrap().is_some() {}
        assert_eq!(reader.skipped(), garbage.len() as u64 + 2);
    }
}

#[test]
fn frames_in_the_middle_of_a_head() {
    let bytes = [
        &b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n"[..],
        &frame(2, 30),
        &frame(3, 8),
        b"Session: 5\r\n\r\n",
    ]
    .concat();
    assert_eq!(short(&bytes), ["2: 30 bytes", "3: 8 bytes", "200 "]);
    // Each of them moves what is behind it: a sender is not to make us do that for every four bytes.
    let head = &b"RTSP/1.0 200 OK\r\n"[..];
    let many = [head, &frame(2, 0).repeat(64), b"\r\n"].concat();
    assert_eq!(short(&many).len(), 65);
    let more = [head, &frame(2, 0).repeat(65)].concat();
    assert_eq!(read(&more, 100), Err(ReadError::FramesWithin));
}

#[test]
fn garbage_that_looks_like_messages_is_not_searched_for_ever() {
    let valid = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n?";
    let few = [&valid[..], &b"PLAY ".repeat(64), b"\r\n\r\n", valid].concat();
    assert_eq!(short(&few).len(), 2);
    let many = [&valid[..], &b"PLAY ".repeat(20_000)].concat();
    assert_eq!(read(&many, 30_000), Err(ReadError::Garbage));
}

#[test]
fn what_looks_like_a_message_and_has_no_frame_within_is_passed_over() {
    let valid = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n";
    for within in [&b"$\0\0\x02no"[..], b"$\0\0\x08\x01no RTP"] {
        let bytes = [&valid[..], b"\xffRTSP/1.0 200 OK\r\n", within, valid].concat();
        assert_eq!(short(&bytes), ["200 ", "200 "]);
    }
    // Nor is its end waited for.
    let long = [&b"\xffPLAY "[..], &vec![b'x'; MAX_HEAD], b"\r\n\r\n"].concat();
    let bytes = [&valid[..], &long, valid].concat();
    for piece in [100, 40_000, bytes.len()] {
        assert_eq!(read(&bytes, piece).unwrap().len(), 2, "{piece}");
    }
}

#[test]
fn bodies_that_are_not_as_announced() {
    let head = "RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n";
    let next = "RTSP/1.0 404 No\r\n\r\n";
    for length in [
        "",
        "Content-Length: -5\r\n",
        "Content-Length: 0\r\n",
        "Content-Length: 99\r\n",
    ] {
        let text = format!("{head}{length}\r\nv=0\r\ns=x\r\n{next}");
        assert_eq!(
            short(text.as_bytes()),
            ["200 v=0\r\ns=x\r\n", "404 "],
            "{length}"
        );
        let bytes = [format!("{head}{length}\r\nv=0\n").as_bytes(), &frame(0, 12)].concat();
        assert_eq!(short(&bytes), ["200 v=0\n", "0: 12 bytes"], "{length}");
        // Some lengths of frames look like the end of a line.
        let bytes = [
            format!("{head}{length}\r\nv=0\n").as_bytes(),
            &frame(0, 0x0a0a),
        ]
        .concat();
        let expected = ["200 v=0\n", "0: 2570 bytes"];
        assert_eq!(short(&bytes), expected, "{length}");
        // Where nothing follows, someone has to say when it is enough.
        let mut reader = Reader::default();
        reader.push(format!("{head}{length}\r\nv=0\r\n").as_bytes());
        assert_eq!(reader.pull(), Ok(None));
        assert!(reader.awaits_body());
        let Some(Message::Response(response)) = reader.finish_body() else {
            panic!();
        };
        assert_eq!(
            (response.status, &response.body[..]),
            (Status::OK, &b"v=0\r\n"[..])
        );
        assert!(!reader.awaits_body() && reader.finish_body().is_none());
    }
    // Too short: the rest is garbage.
    let text = format!("{head}Content-Length: 5\r\n\r\nv=0\r\ns=x\r\n{next}");
    assert_eq!(short(text.as_bytes()), ["200 v=0\r\n", "404 "]);
    // A request without a length has no body.
    let text = "ANNOUNCE x RTSP/1.0\r\nContent-Type: application/sdp\r\n\r\n";
    assert_eq!(short(text.as_bytes()), ["ANNOUNCE "]);
}

#[test]
fn what_is_not_rtsp_is_refused_at_once() {
    let cases: [(&[u8], HeadError); 5] = [
        (b"GET /live HTTP/1.1\r\nHost: h\r\n\r\n", HeadError::Http),
        (b"\x16\x03\x01\x02\0", HeadError::FirstLine),
        (b"\x03\0\0\0", HeadError::FirstLine),
        (b"hello world\r\n", HeadError::FirstLine),
        (b"PLAY IT AGAIN\r\n\r\n", HeadError::FirstLine),
    ];
    for (bytes, error) in cases {
        for piece in [1, bytes.len()] {
            assert_eq!(
                read(bytes, piece),
                Err(ReadError::NotRtsp(error)),
                "{bytes:?}"
            );
        }
    }
}

#[test]
fn lengths_have_bounds() {
    let long = [&b"OPTIONS * RTSP/1.0\r\nX: "[..], &vec![b'x'; MAX_HEAD]].concat();
    assert_eq!(read(&long, 1_000), Err(ReadError::HeadTooLong));
    let announced = format!(
        "ANNOUNCE * RTSP/1.0\r\nContent-Length: {}\r\n\r\n",
        MAX_BODY + 1
    );
    let error = ReadError::BodyTooLong(MAX_BODY + 1);
    assert_eq!(read(announced.as_bytes(), 1_000), Err(error));
    let garbage = [
        &b"OPTIONS * RTSP/1.0\r\n\r\n"[..],
        &vec![0; MAX_GARBAGE + 1],
    ]
    .concat();
    assert_eq!(read(&garbage, 10_000), Err(ReadError::Garbage));
    // A body without a length ends there too.
    let head = b"RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n";
    let endless = [&head[..], &vec![b'x'; MAX_BODY]].concat();
    assert_eq!(read(&endless, 10_000).unwrap().len(), 1);
}

#[test]
fn an_idle_connection_holds_nothing() {
    let mut reader = Reader::default();
    reader.push(b"OPTIONS * RTSP/1.0\r\n\r\n");
    assert!(reader.pull().unwrap().is_some() && reader.pull().unwrap().is_none());
    assert_eq!(reader.held_bytes(), 0);
}

#[test]
fn methods_that_nobody_knows_are_still_requests() {
    let found = read(b"FLUSH x RTSP/1.0\r\n\r\n", 3).unwrap();
    let Incoming::Message(Message::Request(request)) = &found[0] else {
        panic!();
    };
    assert_eq!(request.method, Method::Other("FLUSH".to_owned()));
}
