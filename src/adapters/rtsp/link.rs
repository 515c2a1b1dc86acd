//! The way to a server that a stream is pushed to: it is asked to take the stream, and gets the packets on the
//! connection or in datagrams beside it.

use super::cutter::{Outgoing, Section};
use super::datagrams;
use super::failure::{self, Step};
use super::packets::Packets;
use super::player::{self, append, read_reports};
use super::ports::{self, Ports};
use super::source::{Source, Transport};
use super::wire::Wire;
use crate::adapters::Feed;
use crate::hub::StreamName;
use crate::net::round_trip::Ends;
use rtsp::auth::Random;
use rtsp::client::{Choice, Config, Event, Session, Wanted};
use rtsp::message::Status;
use rtsp::{Carriage, Output};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::time::{sleep, sleep_until, timeout};

/// Other places and transports that are tried before the server is given up.
const MAX_HOPS: usize = 4;

/// A server that takes no byte for so long is given up.
const STALLED: Duration = Duration::from_secs(10);

/// What is sent in datagrams at a time, in bytes, and how long the server has then to take that.
const BURST: usize = 64 << 10;
const PACE: Duration = Duration::from_millis(5);

/// A connection to the server, which takes packets.
pub(super) struct Link {
    wire: Wire,
    session: Session,
    source: Source,
    stream: StreamName,
    /// The channels of sections that go on the connection: section, RTP, RTCP.
    channels: Vec<(usize, u8, u8)>,
    /// The sockets of each section that goes in datagrams.
    ports: Vec<Option<Ports>>,
    peer: IpAddr,
    datagram: Vec<u8>,
}

/// What goes over a link together.
#[derive(Default)]
pub(super) struct Batch {
    /// What goes on the connection.
    frames: Vec<u8>,
    /// Packets of a section, in datagrams.
    packets: Vec<(usize, Packets)>,
    /// The same for RTCP.
    reports: Vec<(usize, Vec<u8>)>,
    bytes: usize,
}

/// Why the server does not take packets here.
enum Refusal {
    /// It may elsewhere, or in another way.
    Elsewhere(Source, Transport),
    /// The server hung up behind a challenge, which is met on another connection.
    Again(Box<Session>),
    /// In words.
    Failed(String),
}

/// What has happened on a link.
enum Said {
    /// The server takes packets.
    Recording,
    /// Nothing more until then.
    Nothing(Option<Instant>),
}

impl Batch {
    /// Bytes in it.
    pub(super) const fn len(&self) -> usize {
        self.bytes
    }
}

impl From<String> for Refusal {
    fn from(words: String) -> Self {
        Self::Failed(words)
    }
}

impl Link {
    /// Connects, and is let publish. The server has `limit` for each answer.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) async fn open(
        source: &Source,
        feed: &Feed,
        sections: &[Section],
        limit: Duration,
    ) -> Result<Self, String> {
        let mut source = source.clone();
        let mut transport = source.transport.unwrap_or_default();
        let mut session = None;
        for _ in 0..MAX_HOPS {
            let link = Self::connect(&source, transport, feed, sections, limit).await?;
            match link.ask(transport, session.take()).await {
                Ok(link) => return Ok(link),
                Err(Refusal::Elsewhere(to, way)) => {
                    let stream = feed.stream.name();
                    tracing::info!(%stream, to = to.place(), transport = ?way, "the server is asked otherwise");
                    (source, transport) = (to, way);
                }
                Err(Refusal::Again(other)) => session = Some(*other),
                Err(Refusal::Failed(words)) => return Err(words),
            }
        }
        Err(format!(
            "{} sends from one place to another",
            source.place()
        ))
    }

    /// Both ends of the connection.
    pub(super) const fn ends(&self) -> Ends {
        self.wire.ends
    }

    async fn connect(
        source: &Source,
        transport: Transport,
        feed: &Feed,
        sections: &[Section],
        limit: Duration,
    ) -> Result<Self, String> {
        if transport == Transport::Multicast {
            let words = "a stream is not pushed to a group: transport is tcp, udp or http";
            return Err(words.to_owned());
        }
        let connecting = timeout(limit, Wire::connect(source, transport, &feed.context)).await;
        let wire = connecting.map_err(|_| failure::too_slow(Step::Publish, source, limit))?;
        let wire = wire.map_err(|problem| failure::said(source, &problem))?;
        let config = Config {
            credentials: source.login.clone(),
            user_agent: concat!("Millstream/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeout: limit,
            random: Random(rand::random()),
            ..Config::new(source.url.as_str())
        };
        let (mut choices, mut all) = (Vec::new(), Vec::new());
        for section in 0..sections.len() {
            let (wanted, pair) = match transport {
                Transport::Udp => {
                    let pair = Ports::bind(wire.local).and_then(|pair| Ok((pair.numbers()?, pair)));
                    let ([rtp, rtcp], pair) =
                        pair.map_err(|error| format!("no UDP ports: {error}"))?;
                    (Wanted::Udp { rtp, rtcp }, Some(pair))
                }
                _ => (Wanted::Tcp, None),
            };
            choices.push(Choice { section, wanted });
            all.push(pair);
        }
        let media = sections.iter().enumerate().map(|(number, section)| {
            let mut media = section.media();
            media.control = Some(format!("streamid={number}"));
            media
        });
        let description = sdp::Description {
            origin: sdp::Origin::default(),
            name: feed.stream.name().to_string(),
            control: None,
            media: media.collect(),
        };
        Ok(Self {
            session: Session::record(Instant::now(), config, description, choices),
            source: source.clone(),
            stream: feed.stream.name().clone(),
            channels: Vec::new(),
            ports: all,
            peer: wire.peer,
            wire,
            datagram: vec![0; 2_048],
        })
    }

    /// Has the server take the stream.
    async fn ask(
        mut self,
        transport: Transport,
        session: Option<Session>,
    ) -> Result<Self, Refusal> {
        if let Some(session) = session {
            self.session = session;
        }
        loop {
            let due = match self.settle(Some(transport)).await? {
                Said::Recording => return Ok(self),
                Said::Nothing(due) => due,
            };
            if let Err(words) = self.hear(due).await {
                let again = self.session.again(Instant::now());
                return Err(match again {
                    Some(session) => Refusal::Again(Box::new(session)),
                    None => words.into(),
                });
            }
        }
    }

    /// Keeps the session alive, and tells until when to [`hear`](Self::hear).
    ///
    /// # Errors
    /// That the server takes no more, in words.
    pub(super) async fn talk(&mut self) -> Result<Option<Instant>, String> {
        match self.settle(None).await {
            Ok(Said::Nothing(due)) => Ok(due),
            Ok(Said::Recording) => Ok(None),
            Err(Refusal::Failed(words)) => Err(words),
            Err(Refusal::Elsewhere(..) | Refusal::Again(_)) => {
                let place = self.source.place();
                Err(format!("{place} wants the stream elsewhere"))
            }
        }
    }

    /// Listens to what the server says. Safe to cancel.
    ///
    /// # Errors
    /// That the server is gone, in words.
    pub(super) async fn hear(&mut self, due: Option<Instant>) -> Result<(), String> {
        let mut input = [0; 2_048];
        let place = self.source.place();
        let due = due.unwrap_or_else(|| Instant::now() + STALLED);
        tokio::select! {
            read = self.wire.read(&mut input) => match read {
                Ok(0) => Err(format!("{place} closed the connection")),
                Ok(count) => {
                    let input = input.get(..count).unwrap_or_default();
                    let taken = self.session.handle_input(Instant::now(), input);
                    taken.map_err(|error| failure::of(Step::Publish, &self.source, &error))
                }
                Err(error) => Err(format!("the connection to {place} is lost: {error}")),
            },
            received = ports::receive(&self.ports, &mut self.datagram) => {
                if let Ok((_, true, length)) = received {
                    read_reports(&self.stream, self.datagram.get(..length).unwrap_or_default());
                }
                Ok(())
            }
            () = sleep_until(due.into()) => {
                let late = self.session.handle_timeout(Instant::now());
                late.map_err(|error| failure::of(Step::Publish, &self.source, &error))
            }
        }
    }

    /// Sends what the session has to say, and hears what happened. While the server has not been asked, it may say
    /// that it takes packets in another way than this.
    async fn settle(&mut self, asked: Option<Transport>) -> Result<Said, Refusal> {
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => self.write(&bytes).await?,
                Output::Event(Event::Recording) => return Ok(Said::Recording),
                Output::Event(Event::SetUp {
                    track, carriage, ..
                }) => self.set_up(track, carriage)?,
                Output::Event(Event::Rejected {
                    method,
                    status,
                    reason,
                }) => {
                    let untold = self.source.transport.is_none() && !self.source.is_tls();
                    let otherwise = untold && asked == Some(Transport::Tcp);
                    if status == Status::UNSUPPORTED_TRANSPORT && otherwise {
                        return Err(Refusal::Elsewhere(self.source.clone(), Transport::Udp));
                    }
                    let reason = format!("{reason} ({method})");
                    let words = failure::refused(Step::Publish, &self.source, status, &reason);
                    return Err(words.into());
                }
                Output::Event(Event::Closed) => {
                    return Err(failure::closed(&self.source).into());
                }
                Output::Event(Event::Redirected { location }) => {
                    let to = self.source.redirected(&location);
                    let to =
                        to.map_err(|error| failure::of(Step::Publish, &self.source, &error))?;
                    let transport = to.transport.unwrap_or_default();
                    return Err(Refusal::Elsewhere(to, transport));
                }
                Output::Event(Event::Packet {
                    control: true,
                    payload,
                    ..
                }) => read_reports(&self.stream, &payload),
                Output::Event(_) => {}
                Output::Timeout(due) => return Ok(Said::Nothing(due)),
            }
        }
    }

    fn set_up(&mut self, section: usize, carriage: Carriage) -> Result<(), String> {
        let ports = self.ports.get_mut(section);
        match (carriage, ports) {
            (Carriage::Tcp { rtp, rtcp }, ports) => {
                if let Some(ports) = ports {
                    *ports = None;
                }
                self.channels.push((section, rtp, rtcp));
                Ok(())
            }
            (Carriage::Udp { rtp, rtcp, .. }, Some(Some(ports))) if rtp > 0 => {
                ports.aim(vec![self.peer], [rtp, rtcp]);
                Ok(())
            }
            _ => Err(format!(
                "{} does not say where it takes packets",
                self.source.place()
            )),
        }
    }

    /// Longest payload in bytes that is put into it.
    pub(super) fn max_payload(&self) -> usize {
        match self.ports.iter().any(Option::is_some) {
            true => datagrams::MAX_PAYLOAD,
            false => player::MAX_PAYLOAD,
        }
    }

    /// Puts a packet into a batch, as it goes over this link.
    pub(super) fn put(&self, batch: &mut Batch, packet: &Outgoing<'_>) {
        batch.bytes += packet.head.len() + packet.body.len();
        if !matches!(self.ports.get(packet.section), Some(Some(_))) {
            append(&mut batch.frames, &self.channels, packet);
        } else if packet.control {
            batch.reports.push((packet.section, packet.body.to_vec()));
        } else {
            let last = batch.packets.last_mut();
            match last.filter(|(section, _)| *section == packet.section) {
                Some((_, packets)) => packets.push(packet.head, packet.body),
                None => {
                    let mut packets = Packets::default();
                    packets.push(packet.head, packet.body);
                    batch.packets.push((packet.section, packets));
                }
            }
        }
    }

    /// Sends a batch: reports before packets.
    ///
    /// # Errors
    /// That the server takes nothing, in words.
    pub(super) async fn send(&mut self, batch: &Batch) -> Result<(), String> {
        if !batch.frames.is_empty() {
            self.write(&batch.frames).await?;
        }
        for (section, report) in &batch.reports {
            if let Some(Some(ports)) = self.ports.get(*section) {
                ports.report(report).await;
            }
        }
        let mut burst = 0;
        for (section, packets) in &batch.packets {
            let Some(Some(ports)) = self.ports.get(*section) else {
                continue;
            };
            for (contents, size) in packets.runs() {
                let most = (BURST / size.max(1)).max(1) * size;
                for part in contents.chunks(most.max(1)) {
                    ports.send(part, size).await;
                    burst += part.len();
                    if burst >= BURST {
                        burst = 0;
                        sleep(PACE).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes all, as long as it is taken.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let place = self.source.place();
        match timeout(STALLED, self.wire.write(bytes)).await {
            Ok(written) => {
                written.map_err(|error| format!("the connection to {place} is lost: {error}"))
            }
            Err(_) => Err(format!(
                "{place} has not taken what it was sent within {} s",
                STALLED.as_secs()
            )),
        }
    }

    /// Says goodbye.
    ///
    /// # Errors
    /// That it was not heard, in words.
    pub(super) async fn finish(mut self) -> Result<(), String> {
        self.session.teardown(Instant::now());
        self.talk().await.map(drop)
    }
}
