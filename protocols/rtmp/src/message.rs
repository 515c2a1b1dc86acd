//! What a complete message says: protocol control (section 5.4), user control (6.2), commands, data and
//! media (7.1).
//!
//! [`Message::read`] and [`Message::write`] go from and to a message's type and payload. Media stay as the
//! bytes they are, the bodies of FLV tags. Set Chunk Size and Abort are read by the chunk layer and only
//! written here.

use crate::amf0::{self, AmfError, Value};
use crate::chunk::{MessageType, RawMessage};
use crate::wire::Input;
use bytes::Bytes;

/// A message by its meaning.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The sender's chunks hold up to so many payload bytes from here on (5.4.1).
    SetChunkSize(u32),
    /// The unfinished message of this chunk stream is given up (5.4.2).
    Abort(u32),
    /// So many bytes have been received, modulo 2³² (5.4.3).
    Acknowledgement(u32),
    /// The sender wants an acknowledgement each time it has sent so many bytes (5.4.4).
    WindowAckSize(u32),
    /// The receiver should send no more than so many unacknowledged bytes (5.4.5).
    SetPeerBandwidth {
        /// Bytes.
        size: u32,
        /// How binding: 0 hard, 1 soft, 2 dynamic.
        limit: u8,
    },
    /// Events of a message stream, and pings (6.2).
    UserControl(UserControl),
    /// A remote call or its result (7.1.1).
    Command(Command),
    /// Metadata and the like: a name and what belongs to it (7.1.2).
    Data(Vec<Value>),
    /// The body of an FLV audio tag (7.1.4).
    Audio(Bytes),
    /// The body of an FLV video tag (7.1.5).
    Video(Bytes),
    /// Several messages in one (7.1.6); [`aggregate::split`](crate::aggregate::split) takes it apart.
    Aggregate(Bytes),
    /// A type that nothing here uses, such as shared objects.
    Other(MessageType),
}

/// A user control event (section 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserControl {
    /// The message stream can be used.
    StreamBegin(u32),
    /// Playback on the message stream is over.
    StreamEof(u32),
    /// The message stream has no data for now.
    StreamDry(u32),
    /// How much the player of a message stream buffers.
    SetBufferLength {
        /// Message stream.
        message_stream: u32,
        /// Milliseconds.
        millis: u32,
    },
    /// The message stream is a recording.
    StreamIsRecorded(u32),
    /// Asks for a [`PingResponse`](Self::PingResponse) with the same time.
    PingRequest(u32),
    /// Answers a [`PingRequest`](Self::PingRequest).
    PingResponse(u32),
    /// An event that section 7.1.7 does not know.
    Other(u16),
}

/// A remote call, or the answer to one (section 7.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Name of the procedure, or `_result`, `_error`, `onStatus`.
    pub name: String,
    /// Number of the call, repeated in its answer; 0 asks for none.
    pub transaction: f64,
    /// The command object; null where a command has none.
    pub object: Value,
    /// Further arguments.
    pub arguments: Vec<Value>,
}

impl Command {
    /// A command without a command object.
    pub fn new(name: &str, transaction: f64, arguments: Vec<Value>) -> Self {
        Self {
            name: name.to_owned(),
            transaction,
            object: Value::Null,
            arguments,
        }
    }

    /// An `onStatus` with the usual information object (section 7.2.2).
    pub fn on_status(level: &str, code: &str, description: &str) -> Self {
        let information = status(level, code, description);
        Self::new("onStatus", 0.0, vec![information])
    }

    /// The text of an argument, if there is one.
    pub fn text(&self, index: usize) -> Option<&str> {
        self.arguments.get(index)?.as_str()
    }

    fn read(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut values = amf0::read_all(bytes)?.into_iter();
        let (name, transaction) = match (values.next(), values.next()) {
            (Some(Value::String(name)), Some(Value::Number(transaction))) => (name, transaction),
            // Section 7.2 wants a number. ffmpeg as a server sends `onFCPublish` and nothing else.
            (Some(Value::String(name)), None) if !name.is_empty() => (name, 0.0),
            _ => return Err(MessageError::Command),
        };
        Ok(Self {
            name,
            transaction,
            object: values.next().unwrap_or(Value::Null),
            arguments: values.collect(),
        })
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Value::from(self.name.as_str()).write(&mut out);
        Value::from(self.transaction).write(&mut out);
        self.object.write(&mut out);
        for argument in &self.arguments {
            argument.write(&mut out);
        }
        out
    }
}

/// The information object of `onStatus`, `_result` and `_error`.
pub fn status(level: &str, code: &str, description: &str) -> Value {
    Value::object([
        ("level", level.into()),
        ("code", code.into()),
        ("description", description.into()),
    ])
}

/// Why a payload is not what its message type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A control message shorter than its fields.
    #[error("message of type {message_type} has only {length} bytes")]
    Truncated {
        /// Message type id.
        message_type: u8,
        /// Payload length in bytes.
        length: usize,
    },
    /// A command that does not begin with a name and a number.
    #[error("command does not begin with a name and a transaction number")]
    Command,
    /// Values that cannot be read.
    #[error(transparent)]
    Amf0(#[from] AmfError),
}

impl Message {
    /// Reads a message.
    pub fn read(message: RawMessage) -> Result<Self, MessageError> {
        let RawMessage { header, payload } = message;
        let message_type = header.message_type;
        let truncated = MessageError::Truncated {
            message_type: message_type.0,
            length: payload.len(),
        };
        let mut input = Input::new(&payload);
        let mut number = || input.u32().ok_or(truncated);
        Ok(match message_type {
            MessageType::SET_CHUNK_SIZE => Self::SetChunkSize(number()?),
            MessageType::ABORT => Self::Abort(number()?),
            MessageType::ACKNOWLEDGEMENT => Self::Acknowledgement(number()?),
            MessageType::WINDOW_ACK_SIZE => Self::WindowAckSize(number()?),
            MessageType::SET_PEER_BANDWIDTH => Self::SetPeerBandwidth {
                size: number()?,
                limit: input.u8().ok_or(truncated)?,
            },
            MessageType::USER_CONTROL => {
                Self::UserControl(UserControl::read(&mut input).ok_or(truncated)?)
            }
            MessageType::COMMAND => Self::Command(Command::read(&payload)?),
            MessageType::COMMAND_AMF3 => Self::Command(Command::read(amf3_body(&payload))?),
            MessageType::DATA => Self::Data(amf0::read_all(&payload)?),
            MessageType::DATA_AMF3 => Self::Data(amf0::read_all(amf3_body(&payload))?),
            MessageType::AUDIO => Self::Audio(payload),
            MessageType::VIDEO => Self::Video(payload),
            MessageType::AGGREGATE => Self::Aggregate(payload),
            other => Self::Other(other),
        })
    }

    /// The message's type and payload; commands and data in AMF0.
    pub fn write(&self) -> (MessageType, Bytes) {
        let number = |value: &u32| Bytes::copy_from_slice(&value.to_be_bytes());
        match self {
            Self::SetChunkSize(size) => (MessageType::SET_CHUNK_SIZE, number(size)),
            Self::Abort(chunk_stream) => (MessageType::ABORT, number(chunk_stream)),
            Self::Acknowledgement(bytes) => (MessageType::ACKNOWLEDGEMENT, number(bytes)),
            Self::WindowAckSize(size) => (MessageType::WINDOW_ACK_SIZE, number(size)),
            Self::SetPeerBandwidth { size, limit } => {
                let mut out = size.to_be_bytes().to_vec();
                out.push(*limit);
                (MessageType::SET_PEER_BANDWIDTH, out.into())
            }
            Self::UserControl(event) => (MessageType::USER_CONTROL, event.write().into()),
            Self::Command(command) => (MessageType::COMMAND, command.write().into()),
            Self::Data(values) => (MessageType::DATA, amf0::write_all(values).into()),
            Self::Audio(payload) => (MessageType::AUDIO, payload.clone()),
            Self::Video(payload) => (MessageType::VIDEO, payload.clone()),
            Self::Aggregate(payload) => (MessageType::AGGREGATE, payload.clone()),
            Self::Other(message_type) => (*message_type, Bytes::new()),
        }
    }
}

/// A message said to be AMF3 begins with a byte that names its format; what follows a 0 is AMF0, in which each value
/// may be one of AMF3.
fn amf3_body(payload: &[u8]) -> &[u8] {
    payload.strip_prefix(&[0]).unwrap_or(payload)
}

impl UserControl {
    fn read(input: &mut Input<'_>) -> Option<Self> {
        Some(match input.u16()? {
            0 => Self::StreamBegin(input.u32()?),
            1 => Self::StreamEof(input.u32()?),
            2 => Self::StreamDry(input.u32()?),
            3 => Self::SetBufferLength {
                message_stream: input.u32()?,
                millis: input.u32()?,
            },
            4 => Self::StreamIsRecorded(input.u32()?),
            6 => Self::PingRequest(input.u32()?),
            7 => Self::PingResponse(input.u32()?),
            other => Self::Other(other),
        })
    }

    fn write(self) -> Vec<u8> {
        let (event, values): (u16, [Option<u32>; 2]) = match self {
            Self::StreamBegin(stream) => (0, [Some(stream), None]),
            Self::StreamEof(stream) => (1, [Some(stream), None]),
            Self::StreamDry(stream) => (2, [Some(stream), None]),
            Self::SetBufferLength {
                message_stream,
                millis,
            } => (3, [Some(message_stream), Some(millis)]),
            Self::StreamIsRecorded(stream) => (4, [Some(stream), None]),
            Self::PingRequest(time) => (6, [Some(time), None]),
            Self::PingResponse(time) => (7, [Some(time), None]),
            Self::Other(event) => (event, [None, None]),
        };
        let mut out = event.to_be_bytes().to_vec();
        for value in values.into_iter().flatten() {
            out.extend_from_slice(&value.to_be_bytes());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{ChunkStreamId, Header};

    fn raw(message_type: u8, payload: &[u8]) -> RawMessage {
        RawMessage {
            header: Header {
                chunk_stream: ChunkStreamId::COMMAND,
                timestamp: 0,
                message_type: MessageType(message_type),
                message_stream: 0,
            },
            payload: Bytes::copy_from_slice(payload),
        }
    }

    fn table() -> Vec<(u8, Vec<u8>, Message)> {
        use UserControl as U;
        let user = |event, values: &[u8], message| {
            let payload = [&[0, event][..], values].concat();
            (4, payload, Message::UserControl(message))
        };
        let command = vec![2, 0, 1, b'f', 0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 5, 1, 1];
        vec![
            (1, vec![0, 0, 0x10, 0], Message::SetChunkSize(4_096)),
            (2, vec![0, 0, 0, 4], Message::Abort(4)),
            (3, vec![0xff; 4], Message::Acknowledgement(u32::MAX)),
            (
                5,
                vec![0, 0x26, 0x25, 0xa0],
                Message::WindowAckSize(2_500_000),
            ),
            (
                6,
                vec![0, 0, 1, 0, 2],
                Message::SetPeerBandwidth {
                    size: 256,
                    limit: 2,
                },
            ),
            user(0, &[0, 0, 0, 1], U::StreamBegin(1)),
            user(1, &[0, 0, 0, 1], U::StreamEof(1)),
            user(2, &[0, 0, 0, 1], U::StreamDry(1)),
            user(
                3,
                &[0, 0, 0, 1, 0, 0, 0x0b, 0xb8],
                U::SetBufferLength {
                    message_stream: 1,
                    millis: 3_000,
                },
            ),
            user(4, &[0, 0, 0, 1], U::StreamIsRecorded(1)),
            user(6, &[0, 0, 0, 9], U::PingRequest(9)),
            user(7, &[0, 0, 0, 9], U::PingResponse(9)),
            user(31, &[], U::Other(31)),
            (8, vec![0xaf, 0], Message::Audio(vec![0xaf, 0].into())),
            (9, vec![0x17, 0], Message::Video(vec![0x17, 0].into())),
            (
                18,
                vec![5, 6],
                Message::Data(vec![Value::Null, Value::Undefined]),
            ),
            (
                20,
                command,
                Message::Command(Command::new("f", 1.0, vec![true.into()])),
            ),
            (22, vec![1, 2], Message::Aggregate(vec![1, 2].into())),
            (16, vec![], Message::Other(MessageType(16))),
        ]
    }

    #[test]
    fn the_table_reads_and_writes() {
        for (message_type, payload, message) in table() {
            assert_eq!(
                Message::read(raw(message_type, &payload)),
                Ok(message.clone())
            );
            assert_eq!(message.write(), (MessageType(message_type), payload.into()));
        }
    }

    #[test]
    fn truncated_control_messages_are_refused() {
        for (message_type, payload, _) in table() {
            if !matches!(message_type, 1..=6) || payload.len() == 2 {
                continue;
            }
            for length in 0..payload.len() {
                let error = MessageError::Truncated {
                    message_type,
                    length,
                };
                let message = raw(message_type, &payload[..length]);
                assert_eq!(Message::read(message), Err(error));
            }
        }
    }

    #[test]
    fn amf3_messages_hold_amf0() {
        let command = Command::new("f", 1.0, vec![]);
        for start in [&[0][..], &[]] {
            let payload = [start, &command.write()].concat();
            assert_eq!(
                Message::read(raw(17, &payload)),
                Ok(Message::Command(command.clone()))
            );
        }
        let message = raw(15, &[0, 5]);
        assert_eq!(Message::read(message), Ok(Message::Data(vec![Value::Null])));
    }

    #[test]
    fn commands_without_name_or_number_are_refused() {
        for payload in [&[][..], &[5], &[2, 0, 0], &[2, 0, 0, 5]] {
            let result = Message::read(raw(20, payload));
            assert_eq!(result, Err(MessageError::Command));
        }
        // But for a name alone, which asks for no answer.
        let alone = Message::read(raw(20, &[2, 0, 1, b'f']));
        let command = Command::new("f", 0.0, vec![]);
        assert_eq!(alone, Ok(Message::Command(command)));
    }
}
