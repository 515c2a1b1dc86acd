//! The way to a server that a stream is pushed to, or to a camera that is talked to: it is asked to take the stream, or the
//! sound, and gets the packets on the connection or in datagrams beside it.

use super::cutter::{Outgoing, Section};
use super::datagrams;
use super::failure::{self, Step};
use super::packets::Packets;
use super::player::{self, append, read_reports};
use super::ports::{self, Ports};
use super::source::{Source, Transport};
use super::speaker::{self, Speaker};
use super::wire::Wire;
use crate::adapters::{Context, Feed, TalkError};
use crate::hub::StreamName;
use crate::net::round_trip::Ends;
use rtsp::auth::Random;
use rtsp::client::{Choice, Config, Event, Session, Wanted};
use rtsp::message::Status;
use rtsp::{Carriage, Output};
use sdp::Description;
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

/// What the system holds of what a camera is told and does not take, in bytes: more would only come late. (The system
/// counts each packet as more than it is.)
const SAID: usize = 16 << 10;

/// For the end to be told and heard.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection to the server, which takes packets.
pub(super) struct Link {
    wire: Wire,
    session: Session,
    source: Source,
    stream: StreamName,
    step: Step,
    /// Whether all that is wanted is to know what the camera plays.
    only_asks: bool,
    /// What a camera plays, once it has said so.
    speaker: Option<Speaker>,
    /// The channels of sections that go on the connection: section, RTP, RTCP.
    channels: Vec<(usize, u8, u8)>,
    /// The sockets of each section that goes in datagrams.
    ports: Vec<Option<Ports>>,
    local: IpAddr,
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

/// What is wanted of the server.
enum Wish<'a> {
    /// That it takes a stream of these sections.
    Publish(&'a Feed, &'a [Section]),
    /// That it plays sound.
    Talk(&'a StreamName, &'a Context),
    /// To know which sound it would play.
    Ask(&'a StreamName, &'a Context),
}

impl Wish<'_> {
    fn context(&self) -> &Context {
        match self {
            Self::Publish(feed, _) => &feed.context,
            Self::Talk(_, context) | Self::Ask(_, context) => context,
        }
    }

    fn name(&self) -> &StreamName {
        match self {
            Self::Publish(feed, _) => feed.stream.name(),
            Self::Talk(name, _) | Self::Ask(name, _) => name,
        }
    }
}

/// Why the server does not take packets here.
enum Refusal {
    /// It may elsewhere, or in another way.
    Elsewhere(Box<Source>, Transport),
    /// The server hung up behind a challenge, which is met on another connection.
    Again(Box<Session>),
    /// It has no loudspeaker, or none for any sound that there is.
    Deaf(String),
    /// In words.
    Failed(String),
}

/// What has happened on a link.
enum Said {
    /// The server takes packets, or has told what it would play.
    Ready,
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
        let transport = source.transport.unwrap_or_default();
        if transport == Transport::Multicast {
            let words = "a stream is not pushed to a group: transport is tcp, udp or http";
            return Err(words.to_owned());
        }
        let wish = Wish::Publish(feed, sections);
        let opened = Self::find(source, transport, &wish, limit).await;
        opened.map_err(|error| error.to_string())
    }

    /// Connects to a camera that plays what is said, and gives what that has to be. It has `limit` for each answer.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn talk_to(
        source: &Source,
        name: &StreamName,
        context: &Context,
        limit: Duration,
    ) -> Result<(Self, Speaker), TalkError> {
        Self::hearing(source, &Wish::Talk(name, context), limit).await
    }

    /// Asks a camera what it would play.
    ///
    /// # Errors
    /// Why nothing.
    pub(super) async fn ask_speaker(
        source: &Source,
        name: &StreamName,
        context: &Context,
        limit: Duration,
    ) -> Result<Speaker, TalkError> {
        let wish = Wish::Ask(name, context);
        let (link, speaker) = Self::hearing(source, &wish, limit).await?;
        drop(link);
        Ok(speaker)
    }

    async fn hearing(
        source: &Source,
        wish: &Wish<'_>,
        limit: Duration,
    ) -> Result<(Self, Speaker), TalkError> {
        let transport = match source.transport.unwrap_or_default() {
            // One talks to one camera.
            Transport::Multicast => Transport::Tcp,
            other => other,
        };
        let mut link = Self::find(source, transport, wish, limit).await?;
        let speaker = link.speaker.take();
        let speaker = speaker.ok_or_else(|| TalkError::Deaf(failure::deaf(source)))?;
        Ok((link, speaker))
    }

    /// Connects, and asks, here or where the server says.
    async fn find(
        source: &Source,
        transport: Transport,
        wish: &Wish<'_>,
        limit: Duration,
    ) -> Result<Self, TalkError> {
        let (mut source, mut transport) = (source.clone(), transport);
        let mut session = None;
        for _ in 0..MAX_HOPS {
            let link = Self::connect(&source, transport, wish, limit).await;
            let link = link.map_err(TalkError::Failed)?;
            match link.ask(transport, session.take()).await {
                Ok(link) => return Ok(link),
                Err(Refusal::Elsewhere(to, way)) => {
                    let stream = wish.name();
                    tracing::info!(%stream, to = to.place(), transport = ?way, "the server is asked otherwise");
                    (source, transport) = (*to, way);
                }
                Err(Refusal::Again(other)) => session = Some(*other),
                Err(Refusal::Deaf(words)) => return Err(TalkError::Deaf(words)),
                Err(Refusal::Failed(words)) => return Err(TalkError::Failed(words)),
            }
        }
        let place = source.place();
        let words = format!("{place} sends from one place to another");
        Err(TalkError::Failed(words))
    }

    /// Both ends of the connection.
    pub(super) const fn ends(&self) -> Ends {
        self.wire.ends
    }

    async fn connect(
        source: &Source,
        transport: Transport,
        wish: &Wish<'_>,
        limit: Duration,
    ) -> Result<Self, String> {
        let (step, held) = match wish {
            Wish::Publish(..) => (Step::Publish, None),
            Wish::Talk(..) | Wish::Ask(..) => (Step::Talk, Some(SAID)),
        };
        let connecting = Wire::connect_with(source, transport, wish.context(), held);
        let wire = timeout(limit, connecting).await;
        let wire = wire.map_err(|_| failure::too_slow(step, source, limit))?;
        let wire = wire.map_err(|problem| failure::said(source, &problem))?;
        let config = Config {
            credentials: source.login.clone(),
            user_agent: concat!("Millstream/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeout: limit,
            random: Random(rand::random()),
            back_channel: step == Step::Talk,
            ..Config::new(source.url.as_str())
        };
        let mut link = Self {
            session: Session::play(Instant::now(), config.clone()),
            source: source.clone(),
            stream: wish.name().clone(),
            step,
            only_asks: matches!(wish, Wish::Ask(..)),
            speaker: None,
            channels: Vec::new(),
            ports: Vec::new(),
            local: wire.local,
            peer: wire.peer,
            wire,
            datagram: vec![0; 2_048],
        };
        if let Wish::Publish(feed, sections) = wish {
            let choices = (0..sections.len()).map(|section| link.choice(section, transport));
            let choices = choices.collect::<Result<Vec<_>, _>>()?;
            let description = described(feed, sections);
            link.session = Session::record(Instant::now(), config, description, choices);
        }
        Ok(link)
    }

    /// How a section of the description shall be carried, over sockets that are opened for it.
    fn choice(&mut self, section: usize, transport: Transport) -> Result<Choice, String> {
        let (wanted, pair) = match transport {
            Transport::Udp => {
                let pair = Ports::bind(self.local).and_then(|pair| Ok((pair.numbers()?, pair)));
                let ([rtp, rtcp], pair) = pair.map_err(|error| format!("no UDP ports: {error}"))?;
                (Wanted::Udp { rtp, rtcp }, Some(pair))
            }
            _ => (Wanted::Tcp, None),
        };
        self.ports.push(pair);
        Ok(Choice { section, wanted })
    }

    /// Has the server take the stream, or the sound.
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
                Said::Ready => return Ok(self),
                Said::Nothing(_) if self.only_asks && self.speaker.is_some() => return Ok(self),
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
            Ok(Said::Ready) => Ok(None),
            Err(Refusal::Failed(words) | Refusal::Deaf(words)) => Err(words),
            Err(Refusal::Elsewhere(..) | Refusal::Again(_)) => {
                let place = self.source.place();
                Err(format!("{place} wants what it is sent elsewhere"))
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
                    taken.map_err(|error| failure::of(self.step, &self.source, &error))
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
                late.map_err(|error| failure::of(self.step, &self.source, &error))
            }
        }
    }

    /// Sends what the session has to say, and hears what happened. While the server has not been asked, it may say
    /// that it takes packets in another way than this.
    async fn settle(&mut self, asked: Option<Transport>) -> Result<Said, Refusal> {
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => self.write(&bytes).await?,
                Output::Event(Event::Recording | Event::Playing(_)) => return Ok(Said::Ready),
                Output::Event(Event::Described(description)) => {
                    self.choose(&description, asked.unwrap_or_default())?;
                }
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
                        return Err(Refusal::Elsewhere(
                            self.source.clone().into(),
                            Transport::Udp,
                        ));
                    }
                    if status == Status::OPTION_NOT_SUPPORTED && self.step == Step::Talk {
                        return Err(Refusal::Deaf(failure::deaf(&self.source)));
                    }
                    let reason = format!("{reason} ({method})");
                    let words = failure::refused(self.step, &self.source, status, &reason);
                    return Err(words.into());
                }
                Output::Event(Event::Closed) => {
                    return Err(failure::closed(&self.source).into());
                }
                Output::Event(Event::Redirected { location }) => {
                    let to = self.source.redirected(&location);
                    let to = to.map_err(|error| failure::of(self.step, &self.source, &error))?;
                    let transport = to.transport.unwrap_or_default();
                    return Err(Refusal::Elsewhere(to.into(), transport));
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

    /// Chooses what a camera is to play.
    fn choose(&mut self, description: &Description, transport: Transport) -> Result<(), Refusal> {
        let found = speaker::find(description).map_err(|takes| {
            let place = self.source.place();
            Refusal::Deaf(match takes {
                None => failure::deaf(&self.source),
                Some(takes) => format!(
                    "{place} takes sound as {takes} only, which is not made here: PCMU, PCMA and AAC are"
                ),
            })
        })?;
        if !self.only_asks {
            let choice = self.choice(found.section, transport)?;
            self.session.setup(Instant::now(), &[choice]);
        }
        self.speaker = Some(found);
        Ok(())
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

    /// Says goodbye, and hears it answered: a connection that is closed with something unread takes back what was written.
    pub(super) async fn leave(mut self) {
        self.session.teardown(Instant::now());
        let goodbye = async {
            if self.talk().await.is_ok() {
                let _ = self.hear(None).await;
            }
        };
        // Where it is not heard, the camera sees that the connection is closed.
        let _ = timeout(FAREWELL, goodbye).await;
    }
}

/// What a server is told of a stream.
fn described(feed: &Feed, sections: &[Section]) -> Description {
    let media = sections.iter().enumerate().map(|(number, section)| {
        let mut media = section.media();
        media.control = Some(format!("streamid={number}"));
        media
    });
    Description {
        origin: sdp::Origin::default(),
        name: feed.stream.name().to_string(),
        control: None,
        media: media.collect(),
    }
}
