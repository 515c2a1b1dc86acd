//! The publisher: sends the signal to a server by RTMP, in real time, until the benchmark ends.
//!
//! One blocking connection: between two access units it sleeps, and reads what the server has said.

use crate::clock;
use crate::error::{Context as _, Error, Result};
use crate::helper;
use crate::servers::APP;
use crate::signal::{self, Schedule, Sound, Unit};
use bytes::Bytes;
use rtmp::amf0::Value;
use rtmp::chunk::MessageType;
use rtmp::client::{Config, Connect, Event, Session};
use rtmp::{Output, PublishKind};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long the server may take to accept the stream, or any byte of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Plays the role.
///
/// # Errors
/// When the server does not take the stream.
pub fn run(address: SocketAddr, stream: &str, sound: Sound) -> Result<()> {
    helper::leave_with_the_benchmark();
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).context("cannot connect")?;
    let set_up = socket
        .set_nodelay(true)
        .and_then(|()| socket.set_read_timeout(Some(PATIENCE)))
        .and_then(|()| socket.set_write_timeout(Some(PATIENCE)));
    set_up.context("cannot set up the connection")?;
    let mut session = Session::new(Instant::now(), Config::default(), connect(address));
    session
        .publish(Instant::now(), stream, PublishKind::Live)
        .context("cannot publish")?;
    while !drain(&mut session, &mut socket)? {
        read(&mut session, &mut socket)?;
    }
    send_headers(&mut session, &mut socket, sound)?;
    socket
        .set_nonblocking(true)
        .context("cannot set up the connection")?;
    helper::say("ready")?;
    send_signal(&mut session, &mut socket, sound)
}

/// What a client says of itself.
pub fn connect(address: SocketAddr) -> Connect {
    Connect {
        app: APP.into(),
        tc_url: format!("rtmp://{address}/{APP}"),
        flash_ver: "FMLE/3.0 (compatible; bench)".into(),
        page_url: None,
        swf_url: None,
    }
}

/// Sends what the session has to say; true once the server takes media.
fn drain(session: &mut Session, socket: &mut TcpStream) -> Result<bool> {
    loop {
        match session.poll_output() {
            Output::Transmit(bytes) => write(socket, &bytes)?,
            Output::Event(Event::Publishing) => return Ok(true),
            Output::Event(Event::Rejected { code, description }) => {
                return Err(Error::new(format!(
                    "the server refuses the stream ({code} {description})"
                )));
            }
            Output::Event(Event::Closed { .. }) => {
                return Err(Error::new("the server ended the stream"));
            }
            Output::Event(_) => {}
            Output::Timeout(_) => return Ok(false),
        }
    }
}

fn read(session: &mut Session, socket: &mut TcpStream) -> Result<()> {
    let mut buffer = [0; 4_096];
    let count = match socket.read(&mut buffer) {
        Ok(0) => return Err(Error::new("the server closed the connection")),
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error).context("cannot read from the server"),
    };
    session
        .handle_input(Instant::now(), buffer.get(..count).unwrap_or_default())
        .context("cannot understand the server")
}

fn send_headers(session: &mut Session, socket: &mut TcpStream, sound: Sound) -> Result<()> {
    let number = |name: &str, value: u32| (name.to_owned(), Value::Number(f64::from(value)));
    let audio_codec = match sound {
        Sound::Aac => 10,
        // Enhanced RTMP names a codec by its four letters.
        Sound::Opus => u32::from_be_bytes(*b"Opus"),
    };
    let metadata = Value::EcmaArray(vec![
        number("width", 1280),
        number("height", 720),
        number("framerate", signal::PICTURE_RATE as u32),
        number("videocodecid", 7),
        number("audiocodecid", audio_codec),
    ]);
    session
        .set_data_frame(vec!["onMetaData".into(), metadata])
        .context("cannot send metadata")?;
    drain(session, socket)?;
    let (video, audio) = signal::sequence_headers(sound);
    send(session, socket, MessageType::VIDEO, 0, &video, Vec::new())?;
    send(session, socket, MessageType::AUDIO, 0, &audio, Vec::new())
}

fn send_signal(session: &mut Session, socket: &mut TcpStream, sound: Sound) -> Result<()> {
    let start = Instant::now();
    for due in Schedule::with(sound) {
        std::thread::sleep((start + due.at).saturating_duration_since(Instant::now()));
        let message_type = match due.unit {
            Unit::Audio => MessageType::AUDIO,
            _ => MessageType::VIDEO,
        };
        let payload = signal::payload(&due, sound, clock::now());
        let prefix = signal::prefix(due.unit, sound);
        send(
            session,
            socket,
            message_type,
            due.timestamp(),
            prefix,
            payload,
        )?;
        if due.unit == Unit::RandomAccess {
            read(session, socket)?;
            drain(session, socket)?;
        }
    }
    Ok(())
}

fn send(
    session: &Session,
    socket: &mut TcpStream,
    message_type: MessageType,
    timestamp: u32,
    prefix: &[u8],
    payload: Vec<u8>,
) -> Result<()> {
    let packet = session
        .packet(message_type, timestamp, prefix, &Bytes::from(payload))
        .context("cannot send an access unit")?;
    write(socket, &packet.slices().concat())
}

/// Writes all, also when the socket does not block.
fn write(socket: &mut TcpStream, mut bytes: &[u8]) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error).context("the server does not take the stream"),
        }
    }
    Ok(())
}
