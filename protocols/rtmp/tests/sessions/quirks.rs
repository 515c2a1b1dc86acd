//! What clients do that their specification does not foresee, or that few do, as bytes written by hand.

use crate::support::drain_server;
use bytes::Bytes;
use rtmp::PublishKind;
use rtmp::amf0::Value;
use rtmp::chunk::{self, ChunkStreamId, Header, MessageType, Reader};
use rtmp::message::{Command, Message, UserControl};
use rtmp::server::{Config, Event, Request, Session};
use std::time::Instant;

const VIDEO: u8 = 9;
const AUDIO: u8 = 8;

/// A server and what it has said.
struct Server {
    now: Instant,
    session: Session,
    /// What the server sends, taken apart.
    reader: Reader,
    sent: Vec<Message>,
}

impl Server {
    /// After the handshake.
    fn new() -> Self {
        let now = Instant::now();
        let mut server = Self {
            now,
            session: Session::new(now, Config::default()),
            reader: Reader::new(chunk::Limits::default()),
            sent: Vec::new(),
        };
        let mut handshake = vec![0; 3_073];
        handshake[0] = 3;
        server.session.handle_input(now, &handshake).unwrap();
        let (answer, _) = drain_server(&mut server.session);
        assert_eq!(answer.len(), 3_073);
        server
    }

    /// Which publishes.
    fn publishing() -> Self {
        let mut server = Self::new();
        server.hear(&command(20, &connect("live")));
        let events = server.hear(&command(20, &publish(&["cam".into(), "live".into()])));
        assert!(matches!(events[..], [Event::Publish(..)]), "{events:?}");
        server.session.accept(server.now).unwrap();
        server.hear(&[]);
        server
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.session.handle_input(self.now, bytes).unwrap();
        let (sent, events) = drain_server(&mut self.session);
        let mut sent = &sent[..];
        while let Some(message) = self.reader.read(&mut sent).unwrap() {
            self.sent.push(Message::read(message).unwrap());
        }
        events
    }

    /// The one request that these bytes make.
    #[track_caller]
    fn request(&mut self, bytes: &[u8]) -> (Request, PublishKind) {
        match &self.hear(bytes)[..] {
            [Event::Publish(request, kind)] => (request.clone(), *kind),
            other => panic!("{other:?}"),
        }
    }
}

fn connect(app: &str) -> Command {
    let mut command = Command::new("connect", 1.0, vec![]);
    command.object = Value::object([("app", app.into())]);
    command
}

fn publish(arguments: &[Value]) -> Command {
    Command::new("publish", 5.0, arguments.to_vec())
}

/// A message of that type, in chunks of 128 bytes.
fn message(kind: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        chunk_stream: ChunkStreamId::VIDEO,
        timestamp,
        message_type: MessageType(kind),
        message_stream: 1,
    };
    let mut bytes = Vec::new();
    chunk::write(&mut bytes, &header, payload, 128).unwrap();
    bytes
}

fn command(kind: u8, command: &Command) -> Vec<u8> {
    let (_, payload) = Message::Command(command.clone()).write();
    message(kind, 0, &payload)
}

/// A chunk with a header of type 0.
fn first(stream: u8, time: [u8; 3], length: usize, kind: u8, rest: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = u32::try_from(length).unwrap().to_be_bytes();
    let header = [
        stream, time[0], time[1], time[2], high, middle, low, kind, 1, 0, 0, 0,
    ];
    [&header[..], rest].concat()
}

/// A chunk that continues a message.
fn next(stream: u8, rest: &[u8]) -> Vec<u8> {
    [&[0xc0 | stream], rest].concat()
}

fn chunk_size(size: u32) -> Vec<u8> {
    [
        &[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0][..],
        &size.to_be_bytes(),
    ]
    .concat()
}

fn video(timestamp: u32, payload: impl Into<Bytes>) -> Event {
    let payload = payload.into();
    Event::Video { timestamp, payload }
}

fn audio(timestamp: u32, payload: impl Into<Bytes>) -> Event {
    let payload = payload.into();
    Event::Audio { timestamp, payload }
}

#[test]
fn chunk_sizes_change_between_messages_and_within_one() {
    let mut server = Server::publishing();
    let body = vec![7; 1_000];
    for size in [128, 4, 65_536, 4_096, 130, 0x7fff_ffff] {
        server.hear(&chunk_size(size));
        let mut bytes = Vec::new();
        for (at, part) in body.chunks(size as usize).enumerate() {
            bytes.extend(match at {
                0 => first(6, [0, 0, 9], body.len(), VIDEO, part),
                _ => next(6, part),
            });
        }
        assert_eq!(server.hear(&bytes), [video(9, body.clone())], "{size}");
    }
    // The new size counts from the next chunk on, whatever is under way.
    server.hear(&chunk_size(128));
    let bytes = [
        first(6, [0, 0, 9], body.len(), VIDEO, &body[..128]),
        chunk_size(300),
        next(6, &body[..300]),
        chunk_size(4_096),
        next(6, &body[..572]),
    ];
    assert_eq!(server.hear(&bytes.concat()), [video(9, body)]);
}

#[test]
fn a_sound_and_a_command_come_between_the_chunks_of_a_picture() {
    let mut server = Server::publishing();
    let call = Command::new("_checkbw", 9.0, vec![]);
    let (_, call) = Message::Command(call).write();
    let bytes = [
        first(6, [0, 0, 40], 300, VIDEO, &[1; 128]),
        first(4, [0, 0, 41], 200, AUDIO, &[2; 128]),
        next(6, &[1; 128]),
        first(3, [0, 0, 0], call.len(), 20, &call),
        next(4, &[2; 72]),
        next(6, &[1; 44]),
    ];
    let events = server.hear(&bytes.concat());
    assert_eq!(events, [audio(41, vec![2; 200]), video(40, vec![1; 300])]);
    let answered = |message: &Message| matches!(message, Message::Command(command) if command.name == "_result" && command.transaction == 9.0);
    assert!(server.sent.iter().any(answered), "{:?}", server.sent);
}

/// Section 5.3.1.3 repeats the extended timestamp in each chunk; some clients send it once.
#[test]
fn extended_timestamps_are_repeated_or_are_not() {
    let time = 0x0102_0304_u32;
    let body: Vec<u8> = (0..300u32).map(|at| at as u8).collect();
    for repeated in [true, false] {
        let mut server = Server::publishing();
        let extended = if repeated {
            &time.to_be_bytes()[..]
        } else {
            &[]
        };
        let start = [&time.to_be_bytes()[..], &body[..128]].concat();
        let bytes = [
            first(6, [0xff; 3], body.len(), VIDEO, &start),
            next(6, &[extended, &body[128..256]].concat()),
            next(6, &[extended, &body[256..]].concat()),
            // And one that needs no extension.
            first(6, [0, 0, 7], 2, VIDEO, b"ok"),
        ];
        let expected = [video(time, body.clone()), video(7, &b"ok"[..])];
        assert_eq!(server.hear(&bytes.concat()), expected, "{repeated}");
    }
}

#[test]
fn time_wraps_by_a_difference_and_by_a_new_beginning() {
    let mut server = Server::publishing();
    let near_end = [&0xffff_fff0_u32.to_be_bytes()[..], b"a"].concat();
    let bytes = [
        first(6, [0xff; 3], 1, VIDEO, &near_end),
        // Type 1: 32 ms later. Type 2: 32 ms later still, and the same once more by type 3.
        vec![0x46, 0, 0, 32, 0, 0, 1, VIDEO, b'b'],
        vec![0x86, 0, 0, 32, b'c'],
        vec![0xc6, b'd'],
        first(6, [0, 0, 1], 1, VIDEO, b"e"),
    ];
    let expected = [
        video(0xffff_fff0, &b"a"[..]),
        video(0x10, &b"b"[..]),
        video(0x30, &b"c"[..]),
        video(0x50, &b"d"[..]),
        video(1, &b"e"[..]),
    ];
    assert_eq!(server.hear(&bytes.concat()), expected);
}

/// Encoders that begin a chunk stream with a header of type 1, which lacks the message stream.
#[test]
fn a_chunk_stream_begins_with_type_1() {
    let mut server = Server::publishing();
    let bytes = [0x47, 0, 0, 5, 0, 0, 1, AUDIO, b'x'];
    assert_eq!(server.hear(&bytes), [audio(5, &b"x"[..])]);
}

#[test]
fn acknowledgements_follow_the_window_that_the_client_asks_for() {
    let mut server = Server::publishing();
    server.hear(&message(5, 0, &3_000_u32.to_be_bytes()));
    server.sent.clear();
    let picture = message(VIDEO, 0, &[1; 1_000]);
    let mut acknowledged = Vec::new();
    for _ in 0..12 {
        server.hear(&picture);
        for message in server.sent.drain(..) {
            match message {
                Message::Acknowledgement(bytes) => acknowledged.push(bytes),
                other => panic!("{other:?}"),
            }
        }
    }
    // 12 pictures of 1,019 bytes: each third fills the window.
    assert!(acknowledged.len() >= 3, "{acknowledged:?}");
    for pair in acknowledged.windows(2) {
        assert!(
            (3_000..4_100).contains(&(pair[1] - pair[0])),
            "{acknowledged:?}"
        );
    }
}

#[test]
fn an_aggregate_is_its_parts() {
    let mut server = Server::publishing();
    let tag = |kind: u8, time: u8, body: &[u8]| {
        let length = body.len() as u8;
        let head = [kind, 0, 0, length, 0, 0, time, 0, 0, 0, 0];
        let size = [0, 0, 0, 11 + length];
        [&head[..], body, &size].concat()
    };
    let metadata = b"\x02\x00\x0aonMetaData\x05";
    let body = [
        tag(18, 100, metadata),
        tag(VIDEO, 100, b"v"),
        tag(AUDIO, 120, b"a"),
    ]
    .concat();
    let data = Event::Data {
        timestamp: 5_000,
        values: vec!["onMetaData".into(), Value::Null],
    };
    let expected = [data, video(5_000, &b"v"[..]), audio(5_020, &b"a"[..])];
    assert_eq!(server.hear(&message(22, 5_000, &body)), expected);
}

#[test]
fn empty_messages_and_bad_metadata_are_passed_over() {
    let mut server = Server::publishing();
    let silent = [
        message(VIDEO, 0, b""),
        message(AUDIO, 0, b""),
        message(22, 0, b""),
        // Metadata that ends early, of a reserved marker, and none at all.
        message(18, 0, b"\x02\x00\xffon"),
        message(18, 0, b"\x0e"),
        message(15, 0, b"\x00\x11\x7f"),
        // A shared object, and a type that does not exist.
        message(19, 0, b"what"),
        message(99, 0, b"what"),
        // User control events that nobody knows.
        message(4, 0, &[0, 31, 1, 2, 3]),
    ];
    assert_eq!(server.hear(&silent.concat()), []);
    assert_eq!(server.hear(&message(VIDEO, 7, b"v")), [video(7, &b"v"[..])]);
    assert_eq!(
        server.hear(&message(18, 0, b"\x02\x00\x0d@setDataFrame")),
        [Event::Data {
            timestamp: 0,
            values: vec![]
        }]
    );
}

/// Commands of type 17: a zero, and then AMF0, in which values may be AMF3.
#[test]
fn commands_in_amf3_are_understood() {
    let mut server = Server::new();
    let connect = [
        b"\x00\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00".as_slice(),
        // {"app": "live", "objectEncoding": 3}
        b"\x11\x0a\x0b\x01\x07app\x06\x09live\x1dobjectEncoding\x04\x03\x01",
    ];
    server.hear(&message(17, 0, &connect.concat()));
    // Whatever it asks for, it is told that commands are AMF0.
    let encoding = server.sent.iter().find_map(|message| match message {
        Message::Command(command) => command.arguments[0].get("objectEncoding"),
        _ => None,
    });
    assert_eq!(encoding, Some(&Value::Number(0.0)));
    let publish = [
        b"\x00\x02\x00\x07publish\x00\x40\x00\x00\x00\x00\x00\x00\x00\x11\x01".as_slice(),
        b"\x11\x06\x07cam\x11\x06\x0drecord",
    ];
    let (request, kind) = server.request(&message(17, 0, &publish.concat()));
    assert_eq!((&*request.connect.app, &*request.key), ("live", "cam"));
    assert_eq!(kind, PublishKind::Record);
}

/// Who does not say that he understands it is not asked to connect once more.
#[test]
fn a_classic_client_is_not_asked_to_connect_once_more() {
    let mut server = Server::publishing();
    assert!(!server.session.request_reconnect(None, "moving"));
    server.sent.clear();
    server.hear(&[]);
    assert_eq!(server.sent, []);
}

#[test]
fn kinds_of_publishing() {
    let cases: [(&[Value], PublishKind); 6] = [
        (&["k".into(), "live".into()], PublishKind::Live),
        (&["k".into(), "record".into()], PublishKind::Record),
        (&["k".into(), "append".into()], PublishKind::Append),
        (&["k".into(), "appendWithGap".into()], PublishKind::Live),
        (&["k".into()], PublishKind::Live),
        (&["k".into(), Value::Null], PublishKind::Live),
    ];
    for (arguments, expected) in cases {
        let mut server = Server::new();
        server.hear(&command(20, &connect("live")));
        let (_, kind) = server.request(&command(20, &publish(arguments)));
        assert_eq!(kind, expected, "{arguments:?}");
    }
}

/// What a name means is for the caller; none of these ends the connection.
#[test]
fn odd_applications_and_keys_reach_the_caller_as_they_are() {
    let long = "x".repeat(4_096);
    for (app, key) in [
        ("live?token=a&b=c", "cam"),
        ("live", "cam?sign=a/b==&t=1"),
        ("live/_definst_", "cam"),
        ("live", ""),
        ("live", "two words"),
        ("live", "../../etc/passwd"),
        ("live", "кино\u{202e}"),
        ("live", "a\0b"),
        ("live", &long),
    ] {
        let mut server = Server::new();
        server.hear(&command(20, &connect(app)));
        let (request, _) = server.request(&command(20, &publish(&[key.into()])));
        assert_eq!((&*request.connect.app, &*request.key), (app, key));
    }
}

#[test]
fn players_subscribe_pause_and_say_what_they_buffer() {
    let mut server = Server::new();
    server.hear(&command(20, &connect("live")));
    let key = || vec![Value::from("cam")];
    server.hear(&command(20, &Command::new("FCSubscribe", 3.0, key())));
    let called = |name: &str| {
        let name = name.to_owned();
        move |message: &Message| matches!(message, Message::Command(command) if command.name == name)
    };
    assert!(server.sent.iter().any(called("onFCSubscribe")));
    let buffer = UserControl::SetBufferLength {
        message_stream: 1,
        millis: 36_000,
    };
    let (_, buffer) = Message::UserControl(buffer).write();
    assert_eq!(
        server.hear(&message(4, 0, &buffer)),
        [Event::BufferLength(36_000)]
    );
    let events = server.hear(&command(20, &Command::new("play", 4.0, key())));
    assert!(matches!(&events[..], [Event::Play(request)] if request.key == "cam"));
    server.session.accept(server.now).unwrap();
    for (name, paused) in [("pause", true), ("pause", false), ("pauseRaw", true)] {
        server.sent.clear();
        let call = Command::new(name, 0.0, vec![paused.into(), 0.0.into()]);
        assert_eq!(server.hear(&command(20, &call)), [Event::Pause(paused)]);
        let code = if paused {
            "NetStream.Pause.Notify"
        } else {
            "NetStream.Unpause.Notify"
        };
        let said = server.sent.iter().any(|message| {
            matches!(message, Message::Command(command)
                if command.arguments[0].get("code") == Some(&code.into()))
        });
        assert!(said, "{:?}", server.sent);
    }
}
