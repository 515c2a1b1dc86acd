//! A caller that says what it is told to, right or wrong.

use crate::context::{Context, Outcome, ensure, failed};
use crate::mpegts::stream;
use crate::wire::Udp;
use srt::Sequence;
use srt::handshake::{Extensions, Handshake, Hello, Kind};
use srt::packet::{Body, Data, Packet};
use std::time::{Duration, Instant};

/// Bytes of a message: seven packets of a transport stream.
const MESSAGE: usize = 7 * 188;

/// How long nothing comes before data is sent again.
const AGAIN: Duration = Duration::from_millis(300);

pub(super) struct Client {
    pub(super) udp: Udp,
    begun: Instant,
    /// Our socket's number.
    socket: u32,
    pub(super) peer: u32,
    pub(super) next: u32,
    first: u32,
    stream: stream::Stream,
    waiting: Vec<u8>,
    /// What was sent, to be sent again when nobody acknowledges it.
    sent: Vec<(u32, Vec<u8>)>,
}

impl Client {
    pub(super) fn new(context: &Context) -> Outcome<Self> {
        let address = context.target(|targets| &targets.srt)?;
        let socket = (context.random.borrow_mut().next() as u32 & 0x3fff_ffff) | 1;
        Ok(Self {
            udp: context.udp(address)?,
            begun: Instant::now(),
            socket,
            peer: 0,
            next: 0,
            first: 0,
            stream: stream::Stream::default(),
            waiting: Vec::new(),
            sent: Vec::new(),
        })
    }

    /// The stream id of the target under a name of its own.
    pub(super) fn stream_id(&self, context: &Context) -> Outcome<String> {
        let address = context.target(|targets| &targets.srt)?;
        let fields = address.query.split('&');
        let id = fields
            .clone()
            .find_map(|field| field.strip_prefix("streamid="));
        Ok(id.map_or_else(String::new, |id| context.name(id)))
    }

    /// Connected.
    pub(super) fn publishing(context: &Context) -> Outcome<Self> {
        let mut client = Self::new(context)?;
        let id = client.stream_id(context)?;
        client.connect(&id)?;
        Ok(client)
    }

    /// Both parts of the handshake (section 4.3.1).
    pub(super) fn connect(&mut self, stream_id: &str) -> Outcome {
        let cookie = self.induction()?.cookie;
        let answer = self.conclusion(cookie, stream_id)?;
        ensure!(
            answer.kind == Kind::Conclusion,
            "the listener answers with {:?}",
            answer.kind
        );
        self.begin(answer.socket, answer.initial);
        Ok(())
    }

    /// What to send from now on.
    pub(super) const fn begin(&mut self, peer: u32, initial: Sequence) {
        self.peer = peer;
        self.next = initial.value();
        self.first = self.next;
    }

    pub(super) fn induction(&self) -> Outcome<Handshake> {
        self.send_to(0, Body::Handshake(&written(&self.handshake())));
        self.answer("the answer to the induction", |answer| {
            answer.kind == Kind::Induction
        })
    }

    pub(super) fn conclusion(&self, cookie: u32, stream_id: &str) -> Outcome<Handshake> {
        self.ask_conclusion(cookie, stream_id);
        self.answer("the answer to the conclusion", |answer| {
            answer.kind != Kind::Induction
        })
    }

    pub(super) fn ask_conclusion(&self, cookie: u32, stream_id: &str) {
        self.send_to(
            0,
            Body::Handshake(&written(&self.concluding(cookie, stream_id))),
        );
    }

    pub(super) fn concluding(&self, cookie: u32, stream_id: &str) -> Handshake {
        Handshake {
            version: 5,
            extension: if stream_id.is_empty() { 1 } else { 5 },
            kind: Kind::Conclusion,
            cookie,
            extensions: Extensions {
                hello: Some(Hello {
                    response: false,
                    version: 0x0001_0503,
                    flags: 0xbf,
                    latency: (120, 120),
                }),
                stream_id: (!stream_id.is_empty()).then(|| stream_id.to_owned()),
                ..Extensions::default()
            },
            ..self.handshake()
        }
    }

    /// The induction's (section 4.3.1.1).
    fn handshake(&self) -> Handshake {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&[1, 0, 0, 127]);
        Handshake {
            version: 4,
            encryption: 0,
            extension: 2,
            initial: Sequence::new(self.socket & 0xffff),
            mtu: 1_500,
            window: 8_192,
            kind: Kind::Induction,
            socket: self.socket,
            cookie: 0,
            address,
            extensions: Extensions::default(),
        }
    }

    /// The first handshake for us of that sort.
    fn answer(&self, what: &str, is_it: impl Fn(&Handshake) -> bool) -> Outcome<Handshake> {
        self.udp.wait(what, |datagram| {
            let packet = Packet::parse(datagram).ok()?;
            let Body::Handshake(body) = packet.body else {
                return None;
            };
            let answer = Handshake::parse(body).ok()?;
            (packet.destination == self.socket && is_it(&answer)).then_some(answer)
        })
    }

    /// A control packet to the peer.
    pub(super) fn send(&self, body: Body<'_>) {
        self.send_to(self.peer, body);
    }

    pub(super) fn send_to(&self, destination: u32, body: Body<'_>) {
        let mut out = Vec::new();
        let timestamp = self.begun.elapsed().as_micros() as u32;
        Packet {
            timestamp,
            destination,
            body,
        }
        .write(&mut out);
        self.udp.send(&out);
    }

    /// Messages of a transport stream with a picture.
    pub(super) fn send_stream(&mut self, messages: u32) {
        for _ in 0..messages {
            while self.waiting.len() < MESSAGE {
                self.waiting.extend(self.stream.picture().concat());
            }
            let rest = self.waiting.split_off(MESSAGE);
            let payload = std::mem::replace(&mut self.waiting, rest);
            self.send_data(&payload);
        }
    }

    pub(super) fn send_data(&mut self, payload: &[u8]) {
        self.send_packet(self.next, payload, false);
        self.sent.push((self.next, payload.to_vec()));
        self.next = (self.next + 1) & 0x7fff_ffff;
    }

    fn send_packet(&self, number: u32, payload: &[u8], again: bool) {
        self.send(Body::Data(Data {
            sequence: Sequence::new(number),
            first: true,
            last: true,
            ordered: true,
            key: srt::packet::Key::None,
            again,
            message: 1 + number.wrapping_sub(self.first) % 0x03ff_ffff,
            payload,
        }));
    }

    /// Waits until so many packets from the beginning are acknowledged. As any sender does, it sends again what nobody
    /// asks for (section 4.8.1).
    pub(super) fn acknowledged(&self, count: u32) -> Outcome {
        let wanted = (self.first + count) & 0x7fff_ffff;
        let deadline = Instant::now() + self.udp.limit;
        while Instant::now() < deadline {
            let Some(datagram) = self.udp.receive(AGAIN) else {
                for (number, payload) in &self.sent {
                    self.send_packet(*number, payload, true);
                }
                continue;
            };
            let ack = Packet::parse(&datagram).ok().map(|packet| packet.body);
            if matches!(ack, Some(Body::Ack(ack)) if ack.next.value() == wanted) {
                return Ok(());
            }
        }
        Err(failed(format!(
            "{count} packets were not acknowledged within {:?}",
            self.udp.limit
        )))
    }

    /// Whether the peer says goodbye within the limit.
    pub(super) fn is_shut_down(&self) -> bool {
        let goodbye = self.udp.wait("a goodbye", |datagram| {
            let packet = Packet::parse(datagram).ok()?;
            matches!(packet.body, Body::Shutdown).then_some(())
        });
        goodbye.is_ok()
    }
}

pub(super) fn written(handshake: &Handshake) -> Vec<u8> {
    let mut out = Vec::new();
    handshake.write(&mut out);
    out
}
