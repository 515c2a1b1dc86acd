//! A client that says what it is told to, right or wrong.

use crate::address::Address;
use crate::context::{Context, Outcome, ensure, failed};
use crate::media;
use crate::wire::Tcp;
use rtmp::amf0::{self, Value};
use rtmp::chunk::{Limits, RawMessage, Reader};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub(crate) const AUDIO: u8 = 8;
pub(crate) const VIDEO: u8 = 9;
pub(crate) const DATA: u8 = 18;
pub(crate) const COMMAND: u8 = 20;

/// An argument of a command.
pub(crate) struct Argument(Value);

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self(Value::String(text.to_owned()))
    }
}

impl From<f64> for Argument {
    fn from(number: f64) -> Self {
        Self(Value::Number(number))
    }
}

/// One connection behind its handshake.
pub(crate) struct Client {
    pub(crate) wire: Tcp,
    reader: Reader,
    messages: VecDeque<RawMessage>,
    /// Of what is sent.
    pub(crate) chunk_size: usize,
}

impl Client {
    /// Connects and shakes hands (section 5.2).
    pub(crate) fn shake_hands(context: &Context, address: &Address) -> Outcome<Self> {
        let mut wire = context.tcp(address)?;
        let hello = hello(context);
        wire.send(&hello)?;
        match wire.take(1 + 2 * 1_536, "S0, S1 and S2") {
            Ok(answer) => wire.send(answer.get(1..=1_536).unwrap_or_default())?,
            Err(_) if context.is_mutated() => wire.send(&hello[1..])?,
            Err(error) => return Err(error),
        }
        Ok(Self {
            wire,
            reader: Reader::new(Limits {
                max_message: 16 << 20,
                max_chunk_streams: 1_000,
                max_held: 32 << 20,
            }),
            messages: VecDeque::new(),
            chunk_size: 128,
        })
    }

    /// Connected to the application of the target.
    pub(crate) fn connected(context: &Context) -> Outcome<Self> {
        let address = context.target(|targets| &targets.rtmp)?;
        let mut client = Self::shake_hands(context, address)?;
        client.connect(address)?;
        let code = client.status_of("connect", 1.0)?;
        ensure!(
            code == "NetConnection.Connect.Success",
            "connect was answered with {code}"
        );
        Ok(client)
    }

    /// With message stream 1.
    pub(crate) fn with_stream(context: &Context) -> Outcome<Self> {
        let mut client = Self::connected(context)?;
        client.command(0, "createStream", 2.0, &[])?;
        client.result("createStream", 2.0)?;
        Ok(client)
    }

    /// Publishing under that name.
    pub(crate) fn publishing(context: &Context, name: &str) -> Outcome<Self> {
        let mut client = Self::with_stream(context)?;
        let code = client.publish(name)?;
        ensure!(
            code == "NetStream.Publish.Start",
            "publish was answered with {code}"
        );
        client.set_chunk_size(60_000)?;
        Ok(client)
    }

    /// Playing it.
    pub(crate) fn playing(context: &Context, name: &str) -> Outcome<Self> {
        let mut client = Self::with_stream(context)?;
        client.command(1, "play", 3.0, &[name.into(), (-2_000.0).into()])?;
        loop {
            let code = client.status("play")?;
            if code == "NetStream.Play.Start" {
                return Ok(client);
            }
            ensure!(
                code == "NetStream.Play.Reset",
                "play was answered with {code}"
            );
        }
    }

    /// Playing what the publisher has just begun, and seeing it: what is published from now on is seen, whole. The pictures
    /// so far have number 1.
    pub(crate) fn playing_from(
        context: &Context,
        name: &str,
        publisher: &mut Self,
    ) -> Outcome<Self> {
        publisher.send_configurations()?;
        // Some servers let nobody play before there is a picture, and begin with the next one.
        publisher.message(6, VIDEO, 1, 0, &picture(1))?;
        let mut player = Self::playing(context, name)?;
        for time in 1..4 {
            publisher.message(6, VIDEO, 1, time, &picture(1))?;
        }
        player.wait("a picture", |message| {
            message.header.message_type.0 == VIDEO && message.payload.len() > 1_000
        })?;
        Ok(player)
    }

    /// `connect` (section 7.2.1.1), transaction 1.
    pub(crate) fn connect(&mut self, address: &Address) -> Outcome {
        let (app, _) = address.split_path();
        let object = Value::object([
            ("app", Value::String(app.to_owned())),
            ("type", Value::String("nonprivate".to_owned())),
            ("flashVer", Value::String("FMLE/3.0 (tester)".to_owned())),
            (
                "tcUrl",
                Value::String(format!("rtmp://{}/{app}", address.host)),
            ),
        ]);
        let values = [
            Value::String("connect".to_owned()),
            Value::Number(1.0),
            object,
        ];
        self.message(3, COMMAND, 0, 0, &amf0::write_all(&values))
    }

    /// A command without an object.
    pub(crate) fn command(
        &mut self,
        stream: u32,
        name: &str,
        transaction: f64,
        arguments: &[Argument],
    ) -> Outcome {
        let mut values = vec![
            Value::String(name.to_owned()),
            Value::Number(transaction),
            Value::Null,
        ];
        values.extend(arguments.iter().map(|argument| argument.0.clone()));
        self.message(3, COMMAND, stream, 0, &amf0::write_all(&values))
    }

    /// `publish` on stream 1: the code of what is answered.
    pub(crate) fn publish(&mut self, name: &str) -> Outcome<String> {
        self.command(1, "publish", 3.0, &[name.into(), "live".into()])?;
        self.status("publish")
    }

    pub(crate) fn message(
        &mut self,
        chunk_stream: u8,
        kind: u8,
        stream: u32,
        time: u32,
        payload: &[u8],
    ) -> Outcome {
        let chunks = chunks(chunk_stream, kind, stream, time, payload, self.chunk_size);
        self.wire.send(&chunks)
    }

    /// Set Chunk Size (section 5.4.1).
    pub(crate) fn set_chunk_size(&mut self, size: u32) -> Outcome {
        self.message(2, 1, 0, 0, &size.to_be_bytes())?;
        self.chunk_size = size as usize;
        Ok(())
    }

    /// Window Acknowledgement Size (section 5.4.4).
    pub(crate) fn acknowledge_after(&mut self, bytes: u32) -> Outcome {
        self.message(2, 5, 0, 0, &bytes.to_be_bytes())
    }

    /// A User Control message (section 7.1.7).
    pub(crate) fn user_control(&mut self, event: u16, body: &[u8]) -> Outcome {
        self.message(2, 4, 0, 0, &[&event.to_be_bytes(), body].concat())
    }

    pub(crate) fn send_metadata(&mut self) -> Outcome {
        let values = [
            Value::String("@setDataFrame".to_owned()),
            Value::String("onMetaData".to_owned()),
            Value::EcmaArray(vec![
                ("width".to_owned(), Value::Number(128.0)),
                ("height".to_owned(), Value::Number(96.0)),
                ("videocodecid".to_owned(), Value::Number(7.0)),
            ]),
        ];
        self.message(5, DATA, 1, 0, &amf0::write_all(&values))
    }

    /// What decoders need to begin.
    pub(crate) fn send_configurations(&mut self) -> Outcome {
        let video = [&[0x17, 0, 0, 0, 0][..], &media::configuration()].concat();
        self.message(6, VIDEO, 1, 0, &video)?;
        self.message(4, AUDIO, 1, 0, &[&[0xaf, 0], media::AAC].concat())
    }

    /// The next message of that kind; what comes before it is passed over.
    pub(crate) fn wait(
        &mut self,
        what: &str,
        is_it: impl Fn(&RawMessage) -> bool,
    ) -> Outcome<RawMessage> {
        let deadline = Instant::now() + self.wire.limit;
        loop {
            while let Some(message) = self.messages.pop_front() {
                if is_it(&message) {
                    return Ok(message);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(
                !left.is_zero(),
                "{what} did not come within {:?}",
                self.wire.limit
            );
            let came = self.receive(left)?;
            ensure!(came, "the connection was closed where {what} should come");
        }
    }

    /// Takes what comes within the time; false when the connection is over.
    pub(crate) fn receive(&mut self, limit: Duration) -> Outcome<bool> {
        if self.wire.buffer.is_empty() && self.wire.receive(limit).is_none() {
            return Ok(false);
        }
        let bytes = std::mem::take(&mut self.wire.buffer);
        let mut input = bytes.as_slice();
        while !input.is_empty() {
            let message = self.reader.read(&mut input);
            let message =
                message.map_err(|error| failed(format!("chunks cannot be read: {error}")))?;
            self.messages.extend(message);
        }
        Ok(true)
    }

    /// Takes what has come, and leaves it.
    pub(crate) fn drain(&mut self) -> Outcome {
        while self
            .wire
            .receive(Duration::from_millis(1))
            .is_some_and(|count| count > 0)
        {
            self.receive(Duration::ZERO)?;
            self.messages.clear();
        }
        Ok(())
    }

    /// Any command, so that a mutated session goes on when the server does.
    pub(crate) fn answer(&mut self) -> Outcome<Vec<Value>> {
        let is_command = |message: &RawMessage| message.header.message_type.0 == COMMAND;
        let message = self.wait("an answer", is_command)?;
        values(&message)
    }

    /// What `_result` or `_error` of a transaction says.
    pub(crate) fn result(&mut self, what: &str, transaction: f64) -> Outcome<Vec<Value>> {
        let message = self.wait(&format!("the answer to {what}"), |message| {
            let number = values(message)
                .ok()
                .and_then(|values| values.get(1)?.as_number());
            is_answer(message) && number == Some(transaction)
        })?;
        let values = values(&message)?;
        let name = values.first().and_then(Value::as_str).unwrap_or_default();
        ensure!(name == "_result", "{what} was answered with {name}");
        Ok(values)
    }

    /// The code in the information object of a result.
    pub(crate) fn status_of(&mut self, what: &str, transaction: f64) -> Outcome<String> {
        let values = self.result(what, transaction)?;
        code(&values).ok_or_else(|| failed(format!("the answer to {what} has no code")))
    }

    /// The code of the next `onStatus`, or of an `_error`.
    pub(crate) fn status(&mut self, what: &str) -> Outcome<String> {
        let message = self.wait(&format!("the status of {what}"), |message| {
            let name = values(message).ok();
            let name = name.as_ref().and_then(|values| values.first()?.as_str());
            matches!(name, Some("onStatus" | "_error"))
        })?;
        code(&values(&message)?).ok_or_else(|| failed(format!("the status of {what} has no code")))
    }
}

fn is_answer(message: &RawMessage) -> bool {
    let values = values(message).ok();
    let name = values.as_ref().and_then(|values| values.first()?.as_str());
    matches!(name, Some("_result" | "_error"))
}

/// The values of a command.
pub(crate) fn values(message: &RawMessage) -> Outcome<Vec<Value>> {
    ensure!(message.header.message_type.0 == COMMAND, "no command");
    amf0::read_all(&message.payload).map_err(|error| failed(error.to_string()))
}

fn code(values: &[Value]) -> Option<String> {
    let code = values.iter().find_map(|value| value.get("code")?.as_str());
    code.map(str::to_owned)
}

/// C0 and C1 (sections 5.2.2 and 5.2.3).
pub(crate) fn hello(context: &Context) -> Vec<u8> {
    let mut hello = vec![3, 0, 0, 0, 1, 0, 0, 0, 0];
    hello.extend(context.random.borrow_mut().bytes(1_528));
    hello
}

/// A message in chunks (section 5.3): a header of type 0, then of type 3.
pub(crate) fn chunks(
    chunk_stream: u8,
    kind: u8,
    stream: u32,
    time: u32,
    payload: &[u8],
    size: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 64);
    for (number, piece) in payload.chunks(size.max(1)).enumerate() {
        if number == 0 {
            out.extend_from_slice(&head(chunk_stream, kind, stream, time, payload.len()));
        } else {
            out.push(0xc0 | chunk_stream);
            if time >= 0xff_ffff {
                out.extend_from_slice(&time.to_be_bytes());
            }
        }
        out.extend_from_slice(piece);
    }
    if payload.is_empty() {
        out.extend_from_slice(&head(chunk_stream, kind, stream, time, 0));
    }
    out
}

/// A header of type 0 (section 5.3.1.2.1).
pub(crate) fn head(chunk_stream: u8, kind: u8, stream: u32, time: u32, length: usize) -> Vec<u8> {
    let short = time.min(0xff_ffff).to_be_bytes();
    let length = (length as u32).to_be_bytes();
    let mut head = vec![
        chunk_stream,
        short[1],
        short[2],
        short[3],
        length[1],
        length[2],
        length[3],
        kind,
    ];
    head.extend_from_slice(&stream.to_le_bytes());
    if time >= 0xff_ffff {
        head.extend_from_slice(&time.to_be_bytes());
    }
    head
}

/// A key frame in the body of a video message.
pub(crate) fn picture(number: u8) -> Vec<u8> {
    let picture = media::picture(number);
    let mut body = vec![0x17, 1, 0, 0, 0];
    body.extend_from_slice(&(picture.len() as u32).to_be_bytes());
    body.extend_from_slice(&picture);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_chunks_are_read() {
        for (time, size, length) in [
            (5, 128, 1_000),
            (0xff_ffff, 128, 300),
            (u32::MAX, 60_000, 0),
        ] {
            let payload = vec![7; length];
            let bytes = chunks(6, VIDEO, 1, time, &payload, size);
            let mut reader = Reader::new(Limits {
                max_message: 10_000,
                max_chunk_streams: 4,
                max_held: 10_000,
            });
            reader.set_chunk_size(size);
            let message = reader.read(&mut bytes.as_slice()).ok().flatten();
            let message = message.unwrap_or_else(|| panic!("no message of {length}"));
            assert_eq!(message.payload, payload);
            assert_eq!(message.header.timestamp, time);
        }
    }
}
