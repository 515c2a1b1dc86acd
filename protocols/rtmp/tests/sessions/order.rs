//! Commands in the wrong order, timeouts, and other faults of a client.

use crate::support::drain_server;
use rtmp::amf0::Value;
use rtmp::chunk::{self, ChunkStreamId, Header};
use rtmp::message::{Command, Message};
use rtmp::server::{Config, Event, Session};
use rtmp::{Error, client};
use std::time::{Duration, Instant};

fn call(name: &str, transaction: f64, arguments: Vec<Value>) -> Command {
    Command::new(name, transaction, arguments)
}

fn connect() -> Command {
    let mut command = call("connect", 1.0, vec![]);
    command.object = Value::object([("app", "/live/".into())]);
    command
}

fn publish() -> Command {
    call("publish", 5.0, vec!["demo".into(), "live".into()])
}

fn play() -> Command {
    call("play", 5.0, vec!["demo".into()])
}

/// A server after the handshake.
fn server(now: Instant) -> Session {
    let mut session = Session::new(now, Config::default());
    let mut handshake = vec![0; 3_073];
    handshake[0] = 3;
    session.handle_input(now, &handshake).unwrap();
    drain_server(&mut session);
    session
}

fn send(session: &mut Session, message: &Message) -> Result<Vec<Event>, Error> {
    let (message_type, payload) = message.write();
    let header = Header {
        chunk_stream: ChunkStreamId::COMMAND,
        timestamp: 0,
        message_type,
        message_stream: 1,
    };
    let mut bytes = Vec::new();
    chunk::write(&mut bytes, &header, &payload, 128).unwrap();
    let now = Instant::now();
    session.handle_input(now, &bytes)?;
    Ok(drain_server(session).1)
}

/// Sends commands and accepts what they ask for, up to an error.
fn run(commands: &[Command]) -> Result<Vec<Event>, Error> {
    let now = Instant::now();
    let mut session = server(now);
    let mut events = Vec::new();
    for command in commands {
        events.extend(send(&mut session, &Message::Command(command.clone()))?);
        session.accept(now)?;
        events.extend(drain_server(&mut session).1);
    }
    Ok(events)
}

#[test]
fn commands_out_of_order_end_the_session_with_a_reason() {
    let off = call("publish", 0.0, vec![false.into()]);
    assert!(run(&[connect(), publish(), off, play()]).is_ok());
    let cases: [(&[Command], &str); 8] = [
        (&[publish()], "publish before connect"),
        (&[play()], "play before connect"),
        (
            &[connect(), connect()],
            "connect on a connection that has connected",
        ),
        (
            &[connect(), publish(), publish()],
            "publish while publishing",
        ),
        (&[connect(), publish(), play()], "play while publishing"),
        (&[connect(), play(), play()], "play while playing"),
        (
            &[connect(), call("play", 0.0, vec![])],
            "play without a stream name",
        ),
        (&[call("connect", 1.0, vec![])], "connect without app"),
    ];
    for (commands, expected) in cases {
        assert_eq!(run(commands).unwrap_err().to_string(), expected);
    }
}

#[test]
fn every_way_to_stop_stops_once() {
    let stops = [
        call("FCUnpublish", 6.0, vec!["demo".into()]),
        call("closeStream", 0.0, vec![]),
        call("deleteStream", 7.0, vec![1.0.into()]),
        call("publish", 0.0, vec![false.into()]),
    ];
    for first in 0..stops.len() {
        let mut commands = vec![connect(), publish()];
        commands.extend(stops[first..].iter().cloned());
        let events = run(&commands).unwrap();
        let count = events.iter().filter(|event| **event == Event::Stop).count();
        assert_eq!(count, 1, "{events:?}");
    }
}

#[test]
fn calls_that_want_an_answer_get_one() {
    for (name, answer) in [
        ("createStream", "_result"),
        ("releaseStream", "_result"),
        ("FCPublish", "onFCPublish"),
        ("FCSubscribe", "onFCSubscribe"),
        ("getStreamLength", "_result"),
        ("_checkbw", "_result"),
        ("pineapple", "_error"),
    ] {
        let now = Instant::now();
        let mut session = server(now);
        for (transaction, wanted) in [(9.0, true), (0.0, answer.starts_with("on"))] {
            let (_, payload) = Message::Command(call(name, transaction, vec!["x".into()])).write();
            let header = Header {
                chunk_stream: ChunkStreamId::COMMAND,
                timestamp: 0,
                message_type: chunk::MessageType::COMMAND,
                message_stream: 0,
            };
            let mut bytes = Vec::new();
            chunk::write(&mut bytes, &header, &payload, 128).unwrap();
            session.handle_input(now, &bytes).unwrap();
            let (down, _) = drain_server(&mut session);
            let found = down
                .windows(answer.len())
                .any(|window| window == answer.as_bytes());
            assert_eq!(found, wanted, "{name} {transaction}");
        }
    }
}

#[test]
fn a_client_that_does_not_get_on_is_given_up() {
    let now = Instant::now();
    let late = now + Duration::from_secs(10);
    let text = |session: &mut Session| session.handle_timeout(late).unwrap_err().to_string();
    let mut session = Session::new(now, Config::default());
    assert_eq!(
        session.handle_timeout(late - Duration::from_millis(1)),
        Ok(())
    );
    assert_eq!(text(&mut session), "timed out waiting for the handshake");
    let mut session = server(now);
    assert_eq!(text(&mut session), "timed out waiting for connect");
    send(&mut session, &Message::Command(connect())).unwrap();
    assert_eq!(text(&mut session), "timed out waiting for publish or play");
    send(&mut session, &Message::Command(publish())).unwrap();
    assert_eq!(session.handle_timeout(late), Ok(()));
}

#[test]
fn a_server_that_does_not_get_on_is_given_up() {
    let now = Instant::now();
    let config = client::Config::default();
    let connect = crate::support::connect();
    let mut session = client::Session::new(now, config, connect);
    let error = session.handle_timeout(now + Duration::from_secs(10));
    let text = "timed out waiting for the server's handshake";
    assert_eq!(error.unwrap_err().to_string(), text);
}

#[test]
fn before_connect_little_is_held() {
    let now = Instant::now();
    let mut session = server(now);
    let announced = [4, 0, 0, 0, 0x02, 0, 0, 20, 0, 0, 0, 0];
    let error = session.handle_input(now, &announced).unwrap_err();
    assert!(error.to_string().contains("longer than the 65536 accepted"));
}

#[test]
fn what_comes_before_the_answer_is_bounded() {
    let now = Instant::now();
    let mut session = server(now);
    for command in [connect(), publish()] {
        send(&mut session, &Message::Command(command)).unwrap();
    }
    let limit = 256 << 10;
    let part = vec![0; 64 << 10];
    for _ in 0..4 {
        session.handle_input(now, &part).unwrap();
        assert!(session.held_bytes() <= limit);
    }
    let result = session.handle_input(now, &part);
    assert_eq!(result, Err(Error::TooEager { limit }));
}

#[test]
fn metadata_that_cannot_be_read_is_left_out() {
    let now = Instant::now();
    let mut session = server(now);
    for command in [connect(), publish()] {
        send(&mut session, &Message::Command(command)).unwrap();
    }
    session.accept(now).unwrap();
    drain_server(&mut session);
    let bytes = [4, 0, 0, 0, 0, 0, 2, 18, 1, 0, 0, 0, 7, 7];
    assert_eq!(session.handle_input(now, &bytes), Ok(()));
    assert_eq!(drain_server(&mut session).1, []);
}
