//! Ends of SRT for its benchmark, each one blocking loop: a source of transport packets, by SRT or in datagrams, and a
//! sink that counts.

use crate::error::{Context as _, Error, Result};
use crate::helper;
use crate::signal;
use bytes::Bytes;
use media::{AccessUnit, Codec, Timebase, Track, TrackId};
use mpegts::muxer::Muxer;
use srt::{Event, Options, Output, Session};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Seven transport packets.
const MESSAGE: usize = 7 * 188;

/// Between two pictures.
const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / signal::PICTURE_RATE);

/// Longest time without a look at the session.
const LOOK: Duration = Duration::from_millis(10);

/// Pictures of a bitrate, as transport packets.
struct Pictures {
    muxer: Muxer,
    length: usize,
    number: u64,
}

impl Pictures {
    fn new(megabits: u64) -> Result<Self> {
        let mut muxer = Muxer::default();
        let track = Track {
            id: TrackId(0),
            codec: Codec::H264(signal::video_config().context("the signal is wrong")?),
            timebase: Timebase::MILLIS,
        };
        muxer.set_tracks(&[track]).context("the signal is wrong")?;
        Ok(Self {
            muxer,
            length: (megabits * 1_000_000 / 8 / signal::PICTURE_RATE) as usize,
            number: 0,
        })
    }

    /// The next picture, in messages.
    fn next(&mut self) -> Result<Vec<Bytes>> {
        let random_access = self.number.is_multiple_of(signal::GOP);
        let head: &[u8] = if random_access {
            &[0x65, 0x88, 0x84]
        } else {
            &[0x41, 0x9a, 0x10]
        };
        let mut payload = Vec::with_capacity(self.length + 7);
        let length = self.length.max(head.len());
        payload.extend_from_slice(&(length as u32).to_be_bytes());
        payload.extend_from_slice(head);
        // Nothing that looks like a start code.
        payload.resize(4 + length, 0x55);
        let time = (self.number * 1_000 / signal::PICTURE_RATE) as i64;
        self.number += 1;
        let unit = AccessUnit {
            track: TrackId(0),
            dts: time,
            pts: time,
            random_access,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: payload.into(),
        };
        self.muxer.push(&unit).context("the signal is wrong")?;
        let mut messages = Vec::new();
        while let Some(chunk) = self.muxer.pull() {
            let mut data = chunk.data;
            while !data.is_empty() {
                messages.push(data.split_to(data.len().min(MESSAGE)));
            }
        }
        Ok(messages)
    }
}

/// A caller.
struct Caller {
    session: Session,
    socket: UdpSocket,
    out: Vec<u8>,
    received: Vec<u8>,
    is_connected: bool,
}

impl Caller {
    fn new(address: SocketAddr, stream_id: &str) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot bind")?;
        socket.connect(address).context("cannot connect")?;
        for result in [
            socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20),
            socket2::SockRef::from(&socket).set_send_buffer_size(4 << 20),
        ] {
            result.context("cannot set up the socket")?;
        }
        let options = Options {
            stream_id: stream_id.to_owned(),
            connect_timeout: Duration::from_secs(10),
            ..Options::default()
        };
        let seed = std::array::from_fn(|index| index as u8);
        let session = Session::caller(Instant::now(), options, seed).context("cannot call")?;
        Ok(Self {
            session,
            socket,
            out: Vec::new(),
            received: Vec::new(),
            is_connected: false,
        })
    }

    /// Does what is to be done until that time at most, or until something has come. Gives what it has received, in
    /// bytes.
    fn step(&mut self, until: Instant) -> Result<u64> {
        self.session.handle_timeout(Instant::now());
        let mut wait = until.saturating_duration_since(Instant::now()).min(LOOK);
        loop {
            self.out.clear();
            match self.session.poll_output(&mut self.out) {
                Output::Transmit => {
                    // What is lost is asked for again.
                    let _ = self.socket.send(&self.out);
                }
                Output::Event(Event::Connected { .. }) => self.is_connected = true,
                Output::Event(Event::Closed(reason)) => return Err(Error::new(reason.to_string())),
                Output::Timeout(due) => {
                    let due = due.map(|due| due.saturating_duration_since(Instant::now()));
                    wait = wait.min(due.unwrap_or(wait));
                    break;
                }
            }
        }
        // Zero would be for ever.
        let wait = wait.max(Duration::from_micros(100));
        let set = self.socket.set_read_timeout(Some(wait));
        set.context("cannot set up the socket")?;
        let mut buffer = [0; 2_048];
        if let Ok(length) = self.socket.recv(&mut buffer) {
            let now = Instant::now();
            let datagram = buffer.get(..length).unwrap_or_default();
            self.session.handle_input(now, datagram);
        }
        self.received.clear();
        while self.session.read(&mut self.received).is_some() {}
        Ok(self.received.len() as u64)
    }

    fn connect(&mut self) -> Result<()> {
        while !self.is_connected {
            self.step(Instant::now() + LOOK)?;
        }
        Ok(())
    }
}

/// Sends pictures of that many Mbit/s by SRT until the benchmark ends. Its report is the bytes sent.
///
/// # Errors
/// When the server does not take them.
pub fn source(address: SocketAddr, stream_id: &str, megabits: u64) -> Result<()> {
    let mut caller = Caller::new(address, stream_id)?;
    caller.connect()?;
    helper::say("ready")?;
    let sent = counter();
    let mut pictures = Pictures::new(megabits)?;
    let mut due = Instant::now();
    loop {
        for message in pictures.next()? {
            sent.fetch_add(message.len() as u64, Ordering::Relaxed);
            let taken = caller.session.send(Instant::now(), &message);
            taken.context("the server does not keep up")?;
        }
        due += INTERVAL;
        while Instant::now() < due {
            caller.step(due)?;
        }
    }
}

/// The same in datagrams.
///
/// # Errors
/// When they cannot be sent.
pub fn datagrams(address: SocketAddr, megabits: u64) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot bind")?;
    helper::say("ready")?;
    let sent = counter();
    let mut pictures = Pictures::new(megabits)?;
    let mut due = Instant::now();
    loop {
        let messages = pictures.next()?;
        let pause = INTERVAL / u32::try_from(messages.len().max(1)).unwrap_or(1);
        for message in messages {
            sent.fetch_add(message.len() as u64, Ordering::Relaxed);
            // Nobody may listen yet.
            let _ = socket.send_to(&message, address);
            due += pause;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

/// Receives by SRT until the benchmark ends. Its report is the bytes received.
///
/// # Errors
/// When the server does not send.
pub fn sink(address: SocketAddr, stream_id: &str) -> Result<()> {
    let mut caller = Caller::new(address, stream_id)?;
    caller.connect()?;
    helper::say("ready")?;
    let received = counter();
    loop {
        let bytes = caller.step(Instant::now() + LOOK)?;
        received.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A counter, whose growth from `begin` to `end` is the report.
fn counter() -> Arc<AtomicU64> {
    let counter = Arc::new(AtomicU64::new(0));
    let counted = counter.clone();
    std::thread::spawn(move || {
        let mut begun = 0;
        while let Some(word) = helper::hear() {
            let now = counted.load(Ordering::Relaxed);
            if word == "begin" {
                begun = now;
            } else {
                let _ = helper::say(&(now - begun).to_string());
            }
        }
        std::process::exit(0);
    });
    counter
}
