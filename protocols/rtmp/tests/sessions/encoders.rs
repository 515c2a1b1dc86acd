//! What our client says to a server before it sends media is what encoders say: ffmpeg, and librtmp, which OBS Studio
//! publishes with. Some servers let in nobody else.

use crate::recorded::recording;
use crate::support::{Pair, drain_client, drain_server};
use rtmp::PublishKind;
use rtmp::amf0::Value;
use rtmp::chunk::{Limits, Reader};
use rtmp::message::{Command, Message};

/// C0, C1 and C2.
const HANDSHAKE: usize = 1 + 1_536 + 1_536;

/// Calls that publish, in the order in which all encoders make them.
const CALLS: [&str; 5] = [
    "connect",
    "releaseStream",
    "FCPublish",
    "createStream",
    "publish",
];

/// The commands in what a client sends.
fn commands(bytes: &[u8]) -> Vec<Command> {
    let mut rest = &bytes[HANDSHAKE..];
    let mut reader = Reader::new(Limits::default());
    let mut commands = Vec::new();
    while let Some(message) = reader.read(&mut rest).unwrap() {
        match Message::read(message).unwrap() {
            Message::SetChunkSize(size) => reader.set_chunk_size(size as usize),
            Message::Command(command) => commands.push(command),
            _ => {}
        }
    }
    commands.retain(|command| CALLS.contains(&command.name.as_str()));
    commands
}

/// Everything that our client sends until it publishes.
fn ours() -> Vec<u8> {
    let mut pair = Pair::new(1);
    pair.client
        .publish(pair.now, "cam", PublishKind::Live)
        .unwrap();
    let mut sent = Vec::new();
    loop {
        let (up, _) = drain_client(&mut pair.client);
        sent.extend_from_slice(&up);
        pair.send_up(&up);
        let (down, events) = drain_server(&mut pair.server);
        if !events.is_empty() {
            return sent;
        }
        pair.send_down(&down);
    }
}

fn names(commands: &[Command]) -> Vec<&str> {
    let names = commands.iter().map(|command| command.name.as_str());
    names.collect()
}

/// What the arguments of a call are: kinds, and texts where they are the same in every recording.
fn shape(command: &Command) -> (bool, Vec<String>) {
    let kinds = command.arguments.iter().map(|value| match value {
        Value::String(text) if text == "live" => text.clone(),
        Value::String(_) => "a text".to_owned(),
        other => format!("{other:?}"),
    });
    (command.object == Value::Null, kinds.collect())
}

#[test]
fn our_client_says_what_encoders_say() {
    let ours = commands(&ours());
    assert_eq!(names(&ours), CALLS);
    for encoder in ["ffmpeg-publish", "librtmp-publish"] {
        let theirs = commands(&recording(encoder));
        assert_eq!(names(&theirs), CALLS, "{encoder}");
        for (our, their) in ours.iter().zip(&theirs) {
            let call = &our.name;
            if call == "connect" {
                // All that they tell of themselves and where they are going, we tell.
                for name in ["app", "type", "flashVer", "tcUrl"] {
                    let told = |command: &Command| {
                        let value = command.object.get(name)?.as_str()?.to_owned();
                        Some(value)
                    };
                    // librtmp tells nothing of itself.
                    assert!(told(our).is_some(), "{encoder}: {name}");
                    let is_told = told(their).is_some();
                    assert!(is_told || name == "flashVer", "{encoder}: {name}");
                }
                assert_eq!(
                    our.object.get("type"),
                    their.object.get("type"),
                    "{encoder}"
                );
                continue;
            }
            assert_eq!(shape(our), shape(their), "{encoder}: {call}");
        }
    }
}
