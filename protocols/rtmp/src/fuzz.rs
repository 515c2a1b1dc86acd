//! Bodies of the fuzz targets: each takes any bytes and asserts what must hold for all of them.
//!
//! They live here so that the seeds, which are made with the crate's own writers, can be replayed by its
//! tests.

use crate::amf0::{self, Value};
use crate::chunk::{self, ChunkStreamId, Header, Limits, MessageType, Reader};
use crate::message::{Command, Message, UserControl};
use crate::wire::Input;
use crate::{Output, PublishKind, client, server};
use bytes::Bytes;
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// What is read can be written, and is then read as the same.
pub fn amf0(data: &[u8]) {
    let Ok(values) = amf0::read_all(data) else {
        return;
    };
    let written = amf0::write_all(&values);
    let again = amf0::read_all(&written);
    // Compared as bytes, since NaN is not equal to itself.
    assert_eq!(again.map(|values| amf0::write_all(&values)), Ok(written));
}

/// Memory stays bounded, and messages survive being written and read again. The first byte says how the
/// input is cut.
pub fn chunk_reader(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else {
        return;
    };
    let limits = Limits::default();
    let mut reader = Reader::new(limits);
    for mut part in data.chunks(usize::from(cut) + 1) {
        loop {
            let result = reader.read(&mut part);
            assert!(reader.held_bytes() <= limits.max_held);
            match result {
                Ok(Some(message)) => {
                    let mut bytes = Vec::new();
                    let written = chunk::write(&mut bytes, &message.header, &message.payload, 128);
                    assert_eq!(written, Ok(()));
                    // As one packet for all players, wherever a prefix ends, it is the same.
                    let prefix = usize::from(cut).min(message.payload.len());
                    let rest = message.payload.slice(prefix..);
                    let packet =
                        chunk::packet(&message.header, &message.payload[..prefix], &rest, 128);
                    let packet = packet.map(|packet| {
                        assert_eq!(packet.len(), bytes.len());
                        packet.slices().concat()
                    });
                    assert_eq!(packet.as_ref(), Ok(&bytes));
                    let again = Reader::new(limits).read(&mut &bytes[..]);
                    assert_eq!(again, Ok(Some(message)));
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(part.is_empty());
    }
}

/// What a server says to who has to log in is answered by a query that is no longer than that, but for what is our
/// own. The first line is the description, the second the application.
pub fn login(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (description, app) = text.split_once('\n').unwrap_or((&text, "live"));
    let login = client::auth::Login {
        user: "joe",
        password: "secret",
    };
    if let Some(Ok(query)) = client::auth::answer(description, app, Some(login), 7) {
        assert!(query.starts_with("?authmod=") && query.contains("&user=joe"));
        assert!(query.len() <= description.len() + 200);
        assert!(!query.contains("secret") || description.contains("secret"));
    }
    // Who has no login has nothing to answer.
    let without = client::auth::answer(description, app, None, 7);
    assert!(!matches!(without, Some(Ok(_))));
}

/// A server stands whatever a client sends, and whenever its caller acts; see `Step`. `start` is any
/// instant.
pub fn server_session(start: Instant, data: &[u8]) {
    let mut now = start;
    let config = server::Config::default();
    // What may be held: unfinished messages, unanswered input, and answers to one step.
    let bound = 2 * config.limits.max_held + (1 << 20);
    let mut session = server::Session::new(now, config);
    for step in steps(data) {
        let result = match step {
            Step::Input(bytes) => session.handle_input(now, bytes),
            Step::Command(0) => session.accept(now),
            Step::Command(1) => session.refuse(now, server::Refusal::Denied, "No."),
            Step::Command(2) => {
                session.request_reconnect(Some("rtmp://elsewhere/a"), "Elsewhere.");
                Ok(())
            }
            Step::Command(_) => {
                session.end(now);
                Ok(())
            }
            Step::Wait(time) => {
                now += time;
                session.handle_timeout(now)
            }
        };
        assert!(session.held_bytes() <= bound);
        drain(data.len(), || session.poll_output());
        if result.is_err() {
            return;
        }
    }
}

/// A client stands whatever a server sends, and whenever its caller acts; see `Step`. `start` is any
/// instant.
pub fn client_session(start: Instant, data: &[u8]) {
    let mut now = start;
    let config = client::Config::default();
    let bound = config.limits.max_held + (1 << 20);
    let mut session = client::Session::new(now, config, connect());
    for step in steps(data) {
        let result = match step {
            Step::Input(bytes) => session.handle_input(now, bytes),
            Step::Command(command) => {
                // A second stream is refused, which is as good as any answer here.
                let _ = match command {
                    0 => session.publish(now, "demo", PublishKind::Live),
                    1 => session.play(now, "demo"),
                    2 => {
                        let payload = Bytes::from_static(b"a picture");
                        let video = MessageType::VIDEO;
                        assert!(session.packet(video, 40, b"\x17\x01", &payload).is_ok());
                        let _ = session.set_data_frame(vec!["onMetaData".into()]);
                        Ok(())
                    }
                    _ => {
                        session.stop();
                        Ok(())
                    }
                };
                Ok(())
            }
            Step::Wait(time) => {
                now += time;
                session.handle_timeout(now)
            }
        };
        assert!(session.held_bytes() <= bound);
        drain(data.len(), || session.poll_output());
        if result.is_err() {
            return;
        }
    }
}

/// Valid inputs to start from, each with the name of its target.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let metadata = Message::Data(vec![
        "@setDataFrame".into(),
        "onMetaData".into(),
        Value::EcmaArray(vec![("width".to_owned(), 1_280.0.into())]),
    ]);
    let media = [
        metadata.clone(),
        Message::Video(Bytes::from_static(&[0x17, 0, 0, 0, 0])),
        Message::Audio(Bytes::from_static(&[0xaf, 0, 0x12, 0x10])),
        Message::Video(Bytes::from_static(&[0x27; 300])),
    ];
    let mut connect = Command::new("connect", 1.0, Vec::new());
    connect.object = Value::object([("app", "LiveApp".into()), ("tcUrl", "rtmp://h".into())]);
    let call =
        |name, transaction, arguments| Message::Command(Command::new(name, transaction, arguments));
    let create = call("createStream", 4.0, Vec::new());
    let publish = call("publish", 5.0, vec!["demo".into(), "live".into()]);
    let play = call("play", 5.0, vec!["demo".into(), (-2_000.0).into()]);
    let delete = call("deleteStream", 0.0, vec![1.0.into()]);
    let buffer = Message::UserControl(UserControl::SetBufferLength {
        message_stream: 1,
        millis: 3_000,
    });
    let connect = Message::Command(connect);
    let ask_publish = messages(&[connect.clone(), create.clone(), publish]);
    let ask_play = messages(&[connect, create, buffer, play]);

    // An encoder that says all that encoders say, and an aggregate.
    let mut connect = Command::new("connect", 1.0, Vec::new());
    connect.object = Value::object([
        ("app", "live/".into()),
        ("tcUrl", "rtmp://h/live/".into()),
        (
            "fourCcList",
            Value::StrictArray(vec!["hvc1".into(), "*".into()]),
        ),
        ("videoFourCcInfoMap", Value::object([("av01", 4.0.into())])),
        ("capsEx", 15.0.into()),
    ]);
    let unknown = |name| call(name, 9.0, vec![Value::Null]);
    let control = |event| Message::UserControl(event);
    let encoder = messages(&[
        Message::Command(connect),
        Message::SetChunkSize(4_096),
        Message::WindowAckSize(1_000),
        Message::Acknowledgement(3_000),
        Message::SetPeerBandwidth { size: 1, limit: 2 },
        control(UserControl::PingRequest(7)),
        control(UserControl::PingResponse(7)),
        control(UserControl::StreamDry(1)),
        Message::Abort(4),
        Message::Other(MessageType(99)),
        call("releaseStream", 2.0, vec!["demo".into()]),
        call("FCPublish", 3.0, vec!["demo".into()]),
        call("_checkbw", 4.0, Vec::new()),
        unknown("nobodyKnowsThis"),
        call("createStream", 5.0, Vec::new()),
        call("publish", 6.0, vec!["demo".into(), "live".into()]),
    ]);
    let part = |kind: u8, time: u8, body: &[u8]| {
        let size = body.len() as u8;
        let head = [kind, 0, 0, size, 0, 0, time, 0, 0, 0, 0];
        [&head[..], body, &[0, 0, 0, 11 + size]].concat()
    };
    let parts = [
        part(9, 40, &[0x17, 0, 0, 0, 0]),
        part(8, 50, &[0xaf, 1, 7]),
        part(18, 60, b"\x02\0\x0aonMetaData\x03\0\0\x09"),
    ];
    let aggregates = messages(&[Message::Aggregate(parts.concat().into())]);
    let stops = messages(&[
        call("FCUnpublish", 7.0, vec!["demo".into()]),
        call("publish", 0.0, vec![false.into()]),
        call("closeStream", 0.0, Vec::new()),
    ]);
    let while_playing = messages(&[
        call("FCSubscribe", 3.0, vec!["demo".into()]),
        call("getStreamLength", 4.0, vec!["demo".into()]),
        call("receiveVideo", 0.0, vec![true.into()]),
        call("pause", 0.0, vec![true.into(), 40.0.into()]),
        call("pauseRaw", 0.0, vec![false.into(), 40.0.into()]),
        call("seek", 0.0, vec![1_000.0.into()]),
        unknown("nobodyKnowsThis"),
        call("play", 0.0, vec![false.into()]),
    ]);

    let result = |transaction, values| call("_result", transaction, values);
    let status = |code| Message::Command(Command::on_status("status", code, ""));
    let connected = messages(&[result(1.0, Vec::new()), result(4.0, vec![1.0.into()])]);
    let publishing = messages(&[status("NetStream.Publish.Start")]);
    let playing = messages(&[status("NetStream.Play.Start")]);
    let over = messages(&[status("NetStream.Play.UnpublishNotify")]);
    let elsewhere = messages(&[
        status("NetConnection.Connect.ReconnectRequest"),
        status("NetStream.Data.Start"),
        call("close", 0.0, Vec::new()),
    ]);
    let refused = messages(&[Message::Command(Command::on_status(
        "error",
        "NetStream.Publish.BadName",
        "No.",
    ))]);
    let unwanted = messages(&[call(
        "_error",
        1.0,
        vec![Value::object([("code", "x".into())])],
    )]);

    let input = Step::Input;
    let media = messages(&media);
    let (_, metadata) = metadata.write();
    let chunks = [&[40][..], &media].concat();
    vec![
        ("amf0", metadata.to_vec()),
        // {"app": "live"} in AMF3, and an array whose text is referred to.
        ("amf0", b"\x11\x0a\x0b\x01\x07app\x06\x09live\x01".to_vec()),
        (
            "amf0",
            b"\x11\x09\x07\x01\x0a\x13\x03C\x03a\x06\x05hi\x0a\x01\x06\x04\x0a\x02".to_vec(),
        ),
        (
            "login",
            b"[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ".to_vec(),
        ),
        (
            "login",
            b"[ authmod=adobe ] : ?reason=needauth&user=joe&salt=c2E=&challenge=Y2g=&opaque=b3A="
                .to_vec(),
        ),
        (
            "login",
            b"[ authmod=llnw ] : ?reason=needauth&user=joe&nonce=abc ]\nlive/_definst_".to_vec(),
        ),
        ("chunk_reader", chunks),
        (
            "server_session",
            script(&[
                input(&ask_publish),
                Step::Command(0),
                input(&media),
                input(&messages(&[delete])),
                Step::Wait(Duration::from_secs(10)),
            ]),
        ),
        (
            "server_session",
            script(&[
                input(&ask_play),
                Step::Command(0),
                Step::Wait(Duration::from_secs(20)),
                Step::Command(2),
                input(&while_playing),
                Step::Command(3),
            ]),
        ),
        (
            "server_session",
            script(&[
                input(&encoder),
                Step::Command(0),
                input(&aggregates),
                Step::Command(2),
                input(&stops),
            ]),
        ),
        (
            "server_session",
            script(&[input(&ask_play), Step::Command(1)]),
        ),
        (
            "client_session",
            script(&[
                Step::Command(0),
                input(&connected),
                input(&publishing),
                Step::Command(2),
                input(&elsewhere),
                Step::Command(3),
            ]),
        ),
        (
            "client_session",
            script(&[Step::Command(0), input(&connected), input(&refused)]),
        ),
        (
            "client_session",
            script(&[Step::Command(0), input(&unwanted)]),
        ),
        (
            "client_session",
            script(&[
                Step::Command(1),
                input(&connected),
                input(&playing),
                input(&media),
                input(&over),
            ]),
        ),
    ]
}

/// What happens next to a session. In the input, a byte up to 0x7f is followed by that many bytes and one
/// more to be received; 0x80 to 0x8f are commands; the rest let 1 to 112 seconds pass.
enum Step<'a> {
    Input(&'a [u8]),
    Command(u8),
    Wait(Duration),
}

/// The steps in `data`, behind a handshake unless its first byte is odd.
fn steps(data: &[u8]) -> impl Iterator<Item = Step<'_>> {
    /// Version, time 0 and zero, and two blocks of nothing: as good as any handshake.
    const HANDSHAKE: [u8; 3_073] = {
        let mut bytes = [0; 3_073];
        bytes[0] = 3;
        bytes
    };
    let mut input = Input::new(data);
    let plain = input.u8().is_none_or(|first| first % 2 == 0);
    let handshake = plain.then_some(Step::Input(&HANDSHAKE));
    handshake.into_iter().chain(std::iter::from_fn(move || {
        Some(match input.u8()? {
            length @ ..0x80 => Step::Input(input.take(usize::from(length) + 1)?),
            command @ 0x80..0x90 => Step::Command(command - 0x80),
            seconds => Step::Wait(Duration::from_secs(u64::from(seconds - 0x8f))),
        })
    }))
}

/// The input that [`steps`] reads as a handshake and `steps`.
fn script(steps: &[Step<'_>]) -> Vec<u8> {
    let mut out = vec![0];
    for step in steps {
        match step {
            Step::Input(bytes) => {
                for part in bytes.chunks(0x80) {
                    out.push((part.len() - 1) as u8);
                    out.extend_from_slice(part);
                }
            }
            Step::Command(command) => out.push(0x80 + command),
            Step::Wait(time) => out.push(0x8f + time.as_secs() as u8),
        }
    }
    out
}

/// Polls until there is no more output, which may not take more steps than the input can have caused.
fn drain<E: Debug>(input: usize, mut poll: impl FnMut() -> Output<E>) {
    let bound = input + crate::aggregate::MAX_PARTS + 16;
    let more = |output: &Output<E>| !matches!(output, Output::Timeout(_));
    let steps = (0..bound).take_while(|_| more(&poll())).count();
    assert!(steps < bound, "output without end");
    assert!(!more(&poll()), "output after a timeout");
}

fn messages(messages: &[Message]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        let (message_type, payload) = message.write();
        let header = Header {
            chunk_stream: match message_type {
                MessageType::VIDEO => ChunkStreamId::VIDEO,
                MessageType::AUDIO => ChunkStreamId::AUDIO,
                _ => ChunkStreamId::COMMAND,
            },
            timestamp: 40,
            message_type,
            message_stream: 1,
        };
        let written = chunk::write(&mut out, &header, &payload, 128);
        assert_eq!(written, Ok(()));
    }
    out
}

fn connect() -> client::Connect {
    client::Connect {
        app: "LiveApp".to_owned(),
        tc_url: "rtmp://h/LiveApp".to_owned(),
        flash_ver: "FMLE/3.0".to_owned(),
        page_url: None,
        swf_url: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(target: &str, data: &[u8]) {
        match target {
            "amf0" => amf0(data),
            "login" => login(data),
            "chunk_reader" => chunk_reader(data),
            "server_session" => server_session(Instant::now(), data),
            "client_session" => client_session(Instant::now(), data),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn seeds_pass_whole_cut_and_with_any_byte_changed() {
        for (target, seed) in seeds() {
            run(target, &seed);
            for position in 0..seed.len() {
                run(target, &seed[..position]);
                for change in [1, 0x80, 0xff] {
                    let mut changed = seed.clone();
                    changed[position] ^= change;
                    run(target, &changed);
                }
            }
        }
    }

    /// A seed that fails early would lead a fuzzer nowhere.
    #[test]
    fn seeds_reach_their_ends() {
        for (target, seed) in seeds() {
            if target == "server_session" {
                let now = Instant::now();
                let mut session = server::Session::new(now, server::Config::default());
                let mut events = Vec::new();
                for step in steps(&seed) {
                    match step {
                        Step::Input(bytes) => session.handle_input(now, bytes).unwrap(),
                        Step::Command(0) => session.accept(now).unwrap(),
                        Step::Command(_) | Step::Wait(_) => {}
                    }
                    while let output @ (Output::Event(_) | Output::Transmit(_)) =
                        session.poll_output()
                    {
                        if let Output::Event(event) = output {
                            events.push(event);
                        }
                    }
                }
                let stopped = events.last() == Some(&server::Event::Stop);
                let asked = matches!(events.last(), Some(server::Event::Play(_)));
                assert!(stopped || asked, "{events:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_pass(data in prop::collection::vec(any::<u8>(), 0..2_000)) {
            for target in ["amf0", "chunk_reader", "server_session", "client_session"] {
                run(target, &data);
            }
        }
    }
}
