//! Both ends of a session over a network that loses, doubles, delays and damages: one that invites, and one that
//! answers.

use super::descriptions::stream;
use super::peer::{material, profile};
use super::{Step, certificate, other_certificate, step, steps, wait};
use crate::stun::Role;
use crate::{
    Candidate, Certificate, CloseReason, Config, Event, Invitation, Output, Path, Session, Stats,
    Transport,
};
use media::{Codec, Kind};
use rtp::payload::samples;
use rtp::rtcp::{self, Reception};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Where each end takes itself to be; the network sees the one that invites elsewhere.
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5);
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8_189);

/// Most packets of media, so that no number comes twice.
const MAX_PACKETS: usize = 4_000;

/// Longest that the network keeps a datagram.
const LONGEST: Duration = Duration::from_millis(31 * 8);

/// After this time of a good network each end knows whether there still is another.
const SETTLES: Duration = Duration::from_secs(47);

/// How long the ends try to connect, how long that takes on a good network, whatever went before, and how many
/// datagrams may have gone wrong, so that nobody has given up on reading more.
const CONNECT: Duration = Duration::from_secs(30);
const CONNECTS: Duration = Duration::from_secs(10);
const MAX_FATED: usize = 40;

/// Which end.
const INVITES: usize = 0;
const ANSWERS: usize = 1;

/// Two ends that need no handshake: what is sent arrives as it was, and no more of it; once the network is good again
/// they have found each other, or both have given up. The first byte says what they are (see `Ends::new`); each step
/// behind it is a kind, a length and that many bytes.
pub fn ends(start: Instant, data: &[u8]) {
    run(start, data, true).is_true();
}

/// The same with a handshake.
pub fn handshake(start: Instant, data: &[u8]) {
    run(start, data, false).is_true();
}

/// What the two came to.
#[derive(Debug, Default)]
pub(super) struct Came {
    pub(super) sender: Stats,
    pub(super) receiver: Stats,
    pub(super) packets: usize,
    pub(super) wanted: usize,
    pub(super) closed: [Option<CloseReason>; 2],
}

impl Came {
    /// The ends count what there was.
    fn is_true(&self) {
        assert!(self.packets as u64 <= self.receiver.received, "{self:?}");
        assert_eq!(self.wanted as u64, self.sender.random_access_wanted);
        let silent = self.closed.iter().flatten();
        let asked = self.receiver.random_access_asked;
        assert!(
            silent.count() > 0 || self.wanted as u64 <= asked,
            "{self:?}"
        );
    }
}

/// A packet that was sent.
struct Sent {
    payload: Vec<u8>,
    marker: bool,
    ticks: i64,
}

/// A datagram that is on its way.
struct OnWay {
    to: usize,
    path: Path,
    datagram: Vec<u8>,
}

struct Ends {
    now: Instant,
    ends: [Session; 2],
    /// Which of them sends media.
    sender: usize,
    /// Where the network sees the end that invites.
    seen_at: SocketAddr,
    /// Those that arrive later, by time and order.
    on_way: BTreeMap<(Instant, u64), OnWay>,
    order: u64,
    /// What becomes of the next datagrams.
    fates: VecDeque<u8>,
    /// By kind and sequence number.
    sent: HashMap<(Kind, u16), Sent>,
    came: HashSet<(Kind, u16)>,
    /// Of each kind: what is added to its ticks.
    offsets: HashMap<Kind, u32>,
    /// Of the receiver, by its tracks.
    receptions: Vec<(Kind, Reception)>,
    /// When each end is to be woken.
    due: [Option<Instant>; 2],
    connected: [bool; 2],
    closed: [Option<CloseReason>; 2],
    /// That end has been told to close.
    left: [bool; 2],
    wanted: usize,
    /// To which end the other's certificate is not the one that was named.
    strange: [bool; 2],
    /// Who chooses the way may have been changed by a check of nobody, after which a new way is not asked for.
    is_misled: bool,
    /// How many datagrams have had a fate, and whether none of them was damaged, and nothing came of anybody else.
    fated: usize,
    is_genuine: bool,
    begun: Instant,
    /// Whether the network has been good all the time.
    is_clean: bool,
    clocks_agree: bool,
}

pub(super) fn run(start: Instant, data: &[u8], is_quick: bool) -> Came {
    let (flags, data) = data.split_at(data.len().min(1));
    let flags = flags.first().copied().unwrap_or(0);
    let Some(mut ends) = Ends::new(start, flags, is_quick) else {
        return Came::default();
    };
    for step in steps(data) {
        ends.step(&step);
    }
    ends.settle();
    ends.outcome()
}

impl Ends {
    /// Of the bits, one has who invites publish, one takes the other profile, three are the format of the pictures, one
    /// leaves out streams of their own for what is sent again, and one each gives another certificate's fingerprint for
    /// that of who answers and of who invites.
    fn new(start: Instant, flags: u8, is_quick: bool) -> Option<Self> {
        let publishes = flags & 1 != 0;
        let format = usize::from(flags >> 2 & 7);
        let config = |certificate: &Certificate, address| Config {
            certificate: certificate.clone(),
            candidates: vec![Candidate {
                transport: Transport::Udp,
                address,
                is_relayed: false,
            }],
            ..stream(start, format)
        };
        let client = config(other_certificate(), CLIENT);
        let server = config(certificate(), SERVER);
        let (invitation, offer) = match publishes {
            true => Invitation::publish(client).ok()?,
            false => Invitation::play(client).ok()?,
        };
        let offer = match flags & 0x20 {
            0 => offer,
            _ => offer.replace(" rtx/90000", " none/90000"),
        };
        let strange = [flags & 0x40, flags & 0x80].map(|bit| bit != 0 && !is_quick);
        let certificates = [other_certificate(), certificate()].map(Certificate::fingerprint);
        let offer = match strange[1] {
            true => offer.replace(certificates[0], certificates[1]),
            false => offer,
        };
        let (server, answer) = match publishes {
            true => Session::receive(&offer, &server, start).ok()?,
            false => Session::answer(&offer, &server, start).ok()?,
        };
        let answer = match strange[0] {
            true => answer.replace(certificates[1], certificates[0]),
            false => answer,
        };
        let client = invitation
            .accept(&answer, &[CLIENT], |_| true, start)
            .ok()?;
        let formats = [&client, &server].map(Session::received).concat();
        let mut ends = Self {
            now: start,
            ends: [client, server],
            sender: if publishes { INVITES } else { ANSWERS },
            seen_at: SocketAddr::from(([127, 0, 0, 1], 5)),
            on_way: BTreeMap::new(),
            order: 0,
            fates: VecDeque::new(),
            sent: HashMap::new(),
            came: HashSet::new(),
            offsets: HashMap::new(),
            receptions: Vec::new(),
            due: [None; 2],
            connected: [false; 2],
            closed: [None, None],
            left: [false; 2],
            wanted: 0,
            is_clean: strange == [false; 2],
            strange,
            is_misled: false,
            fated: 0,
            is_genuine: strange == [false; 2],
            begun: start,
            clocks_agree: true,
        };
        for format in formats {
            let reception = Reception::new(format.clock_rate);
            ends.receptions.push((format.kind, reception));
        }
        if is_quick {
            for end in &mut ends.ends {
                end.skip_handshake(&material(profile(&[flags >> 1])));
            }
        }
        ends.pass();
        Some(ends)
    }

    fn end(&mut self, number: usize) -> &mut Session {
        let [client, server] = &mut self.ends;
        match number {
            INVITES => client,
            _ => server,
        }
    }

    /// The way to an end, as it sees it.
    fn way(&self, to: usize) -> Path {
        let (local, remote) = match to {
            INVITES => (CLIENT, SERVER),
            _ => (SERVER, self.seen_at),
        };
        Path {
            transport: Transport::Udp,
            local,
            remote,
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        match step {
            Step::Check(fates) => {
                self.fates.extend(*fates);
                self.is_clean = false;
            }
            Step::Wait(time) => self.run(*time),
            Step::Media(bytes) => self.send(bytes),
            // A datagram of somebody else, over the way that is in use.
            Step::Input(bytes) => {
                let (to, bytes) = bytes.split_at(bytes.len().min(1));
                let to = usize::from(to.first().is_some_and(|to| to & 1 != 0));
                let (now, way) = (self.now, self.way(to));
                self.pass();
                self.end(to).handle_input(now, way, bytes);
                // What anybody may send ends no session that has its keys.
                let before = self.closed.clone();
                let is_connected = self.connected.get(to).is_some_and(|connected| *connected);
                self.pass();
                assert!(!is_connected || self.closed == before, "{bytes:?}");
                self.is_clean = false;
                self.is_genuine = false;
            }
            // The other end would choose too, or does not want to.
            Step::GoodCheck(bytes) => {
                let flags = bytes.first().copied().unwrap_or(0);
                let to = usize::from(flags & 1);
                let number = if flags & 2 != 0 { u64::MAX } else { 0 };
                let role = match flags & 4 {
                    0 => Role::Controlling(number),
                    _ => Role::Controlled(number),
                };
                let (now, way) = (self.now, self.way(to));
                self.end(to).check(now, way, 7, flags & 8 != 0, role);
                self.is_clean = false;
                self.is_misled = true;
                self.is_genuine = false;
            }
            Step::Close => self.close(INVITES),
            Step::Damaged(_) => self.close(ANSWERS),
            Step::Control(_) => {
                let (now, receiver) = (self.now, 1 - self.sender);
                self.end(receiver).want_picture(now);
            }
            Step::Packet(bytes) => {
                let (delay, sender) = (Duration::from_millis(bytes.len() as u64 * 50), self.sender);
                self.end(sender).set_delay(delay);
                self.clocks_agree = false;
            }
            Step::Move(bytes) => {
                let port = bytes.first().map_or(5, |port| u16::from(*port) + 5);
                self.seen_at.set_port(port);
                self.is_clean = false;
            }
            Step::Keys(_) | Step::Restart(_) => {}
        }
        self.pass();
    }

    fn close(&mut self, end: usize) {
        let now = self.now;
        self.end(end).close(now);
        if let Some(left) = self.left.get_mut(end) {
            *left = true;
        }
    }

    /// An access unit of these bytes. The first tells pictures and sound apart, the second how small the packets are.
    fn send(&mut self, bytes: &[u8]) {
        let kind = match bytes.first() {
            Some(first) if first & 2 != 0 => Kind::Audio,
            _ => Kind::Video,
        };
        let size = bytes.get(1).map_or(0, |size| usize::from(*size));
        let size = size.max(bytes.len() / 128 + 1);
        let payloads = samples::packetize(&Codec::G722 { channels: 1 }, bytes, size);
        let number = usize::from(kind == Kind::Audio);
        let (now, order) = (self.now, self.order);
        let ticks = order as i64 * 3_000;
        self.order += 1;
        if self.sent.len() + payloads.len() > MAX_PACKETS {
            return;
        }
        let session = self.end(self.sender);
        let sources = session.sources();
        // The pictures' source is the first, and the sound's the last.
        let source = match number {
            0 => sources.first(),
            _ => sources.last(),
        };
        let before = session.stats().packets;
        session.send(now, kind, ticks, 90_000, &payloads);
        let count = session.stats().packets - before;
        let Some((_, next)) = source.filter(|_| count > 0) else {
            return;
        };
        assert_eq!(count, payloads.len() as u64);
        for (at, payload) in payloads.iter().enumerate() {
            let sent = Sent {
                payload: payload.to_vec(),
                marker: kind == Kind::Video && at + 1 == payloads.len(),
                ticks,
            };
            let sequence = next.wrapping_add(at as u16);
            assert!(self.sent.insert((kind, sequence), sent).is_none());
        }
    }

    /// Time passes; each end is woken when it wants to be.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        for round in 0.. {
            assert!(round < 20_000, "they never rest");
            let arrives = self.on_way.first_key_value().map(|((at, _), _)| *at);
            let reports = self.receptions.iter().map(|(_, reception)| reception.due());
            let others = reports.chain([arrives]).chain(self.due);
            let next = others.flatten().min().filter(|next| *next <= end);
            self.now = next.unwrap_or(end).max(self.now);
            let now = self.now;
            // Nobody wakes an end that does not want to be.
            for (session, due) in self.ends.iter_mut().zip(self.due) {
                if due.is_some_and(|due| due <= now) {
                    session.handle_timeout(now);
                }
            }
            self.report();
            self.pass();
            let is_early = |due: &Option<Instant>| due.is_none_or(|due| due > now);
            assert!(
                self.due.iter().all(is_early),
                "woken in vain: {:?}",
                self.due
            );
            if next.is_none() {
                return;
            }
        }
    }

    /// The receiver says how media arrive, as a server does.
    fn report(&mut self) {
        let now = self.now;
        for at in 0..self.receptions.len() {
            let reception = self.receptions.get_mut(at);
            let due =
                reception.filter(|(_, reception)| reception.due().is_some_and(|due| due <= now));
            let report = due.map(|(_, reception)| reception.report(now, 7 + at as u32, "we"));
            if let Some(report) = report {
                let receiver = 1 - self.sender;
                self.end(receiver).send_report(report);
            }
        }
    }

    /// What is there goes to and fro.
    fn pass(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "they never fall silent");
            let mut is_silent = true;
            let now = self.now;
            while let Some(first) = self.on_way.first_entry() {
                if first.key().0 > now {
                    break;
                }
                let OnWay { to, path, datagram } = first.remove();
                self.arrive(to, path, &datagram);
                is_silent = false;
            }
            for from in [INVITES, ANSWERS] {
                match self.end(from).poll_output() {
                    Output::Timeout(due) => {
                        if let Some(known) = self.due.get_mut(from) {
                            *known = due;
                        }
                        continue;
                    }
                    Output::Event(event) => self.told(from, event),
                    Output::Transmit(sent) => {
                        for datagram in sent.datagrams() {
                            self.transmit(from, sent.path, datagram);
                        }
                    }
                }
                is_silent = false;
            }
            if is_silent {
                return;
            }
        }
    }

    /// What becomes of a datagram.
    fn transmit(&mut self, from: usize, path: Path, datagram: &[u8]) {
        self.fated += usize::from(!self.fates.is_empty());
        let fate = self.fates.pop_front().unwrap_or(0);
        self.is_genuine &= !matches!(fate & 7, 5 | 6);
        let number = usize::from(fate >> 3);
        let mut datagram = datagram.to_vec();
        let (mut times, mut later) = (1, Duration::ZERO);
        match fate & 7 {
            2 => times = 0,
            3 => times = 2,
            4 | 7 => later = Duration::from_millis(8) * u32::from(fate >> 3),
            5 => {
                if let Some(at) = (number * 11).checked_rem(datagram.len())
                    && let Some(byte) = datagram.get_mut(at)
                {
                    *byte ^= 1 << (number & 7);
                }
            }
            6 => datagram.truncate(number * 8),
            _ => {}
        }
        let way = self.way(1 - from);
        let is_reached = match from {
            INVITES => path.remote == SERVER,
            _ => path.remote == self.seen_at,
        };
        for _ in (0..times).filter(|_| is_reached) {
            self.order += 1;
            let on_way = OnWay {
                to: 1 - from,
                path: way,
                datagram: datagram.clone(),
            };
            self.on_way.insert((self.now + later, self.order), on_way);
        }
    }

    fn arrive(&mut self, to: usize, path: Path, datagram: &[u8]) {
        let now = self.now;
        self.end(to).handle_input(now, path, datagram);
    }

    fn told(&mut self, end: usize, event: Event) {
        let closed = self.closed.get(end).is_some_and(Option::is_some);
        assert!(!closed, "{event:?} behind the end");
        match event {
            Event::Connected => {
                if let Some(connected) = self.connected.get_mut(end) {
                    assert!(!std::mem::replace(connected, true), "connected twice");
                }
                let is_strange = self.strange.get(end).is_some_and(|strange| *strange);
                assert!(!is_strange, "connected with somebody else");
            }
            Event::RandomAccessWanted => {
                assert_eq!(end, self.sender);
                self.wanted += 1;
            }
            Event::Closed { reason } => {
                if let Some(closed) = self.closed.get_mut(end) {
                    *closed = Some(reason);
                }
            }
            Event::Packet {
                track,
                control,
                bytes,
            } => {
                assert_ne!(end, self.sender);
                match control {
                    true => self.clock(track, &bytes),
                    false => self.packet(track, &bytes),
                }
            }
        }
    }

    fn clock(&mut self, track: usize, bytes: &[u8]) {
        let now = self.now;
        let Some(Ok(rtcp::Packet::SenderReport(report))) = rtcp::packets(bytes).next() else {
            panic!("{bytes:?} is no report");
        };
        if let Some((_, reception)) = self.receptions.get_mut(track) {
            reception.sender_report(now, &report.info);
        }
    }

    /// A packet is one that was sent, and is told once.
    fn packet(&mut self, track: usize, bytes: &[u8]) {
        let packet = rtp::Packet::parse(bytes).unwrap_or_else(|error| panic!("{error}"));
        let header = packet.header;
        let now = self.now;
        let Some((kind, reception)) = self.receptions.get_mut(track) else {
            panic!("there is no track {track}");
        };
        reception.received(now, &header);
        let key = (*kind, header.sequence);
        let Some(sent) = self.sent.get(&key) else {
            panic!("{key:?} was not sent");
        };
        assert_eq!(
            (packet.payload, header.marker),
            (&sent.payload[..], sent.marker)
        );
        let clock_rate = if key.0 == Kind::Video { 90_000 } else { 48_000 };
        let ticks = (sent.ticks * clock_rate / 90_000) as u32;
        let offset = header.timestamp.wrapping_sub(ticks);
        let before = self.offsets.insert(key.0, offset);
        assert!(before.is_none_or(|before| before == offset), "{header:?}");
        assert!(self.came.insert(key), "{key:?} twice");
    }

    /// On a good network they are both there, or neither; what is sent then arrives.
    fn settle(&mut self) {
        self.fates.clear();
        let is_open = self.begun + CONNECT > self.now + CONNECTS;
        if self.is_genuine && self.fated < MAX_FATED && is_open {
            // What was lost, doubled and late has them wait no longer than it takes to say it again.
            self.run(CONNECTS);
            let is_over = self.closed.iter().any(Option::is_some) || self.left.contains(&true);
            assert!(is_over || self.connected == [true; 2], "they only wait");
        }
        self.run(SETTLES);
        let is_over = |end: usize| {
            let closed = self.closed.get(end).is_some_and(Option::is_some);
            closed || self.left.get(end).is_some_and(|left| *left)
        };
        let over = [is_over(INVITES), is_over(ANSWERS)];
        assert_eq!(over[0], over[1], "{:?} {:?}", self.closed, self.left);
        if self.is_clean && self.left == [false; 2] {
            assert_eq!(self.closed, [None, None]);
            assert_eq!(self.came.len(), self.sent.len());
            assert_eq!(self.end(self.sender).rate(), None);
        }
        if over[0] {
            return;
        }
        assert_eq!(self.connected, [true; 2]);
        let before = (self.sent.len(), self.came.len());
        for unit in [&[0, 50, 7][..], &[2, 50, 9]] {
            self.send(unit);
        }
        self.run(Duration::from_millis(500));
        let sent = self.sent.len() - before.0;
        assert!(
            sent > 0 || before.0 > MAX_PACKETS - 4,
            "nothing can be sent"
        );
        let came = self.came.len() - before.1;
        assert!(came == sent || self.is_misled, "{came} of {sent} arrived");
    }

    fn outcome(mut self) -> Came {
        let receiver = 1 - self.sender;
        let sender = self.end(self.sender).stats();
        let longest = LONGEST * 2 + Duration::from_millis(10);
        let is_near = sender.round_trip.is_none_or(|time| time <= longest);
        assert!(is_near || !self.clocks_agree, "{sender:?}");
        let receiver = self.end(receiver).stats();
        assert_eq!(sender.packets, self.sent.len() as u64);
        Came {
            sender,
            receiver,
            packets: self.came.len(),
            wanted: self.wanted,
            closed: self.closed,
        }
    }
}

/// Media of each format over a good network, and over bad ones; those that tell of a handshake, or all others.
pub(super) fn seeds(is_quick: bool) -> Vec<Vec<u8>> {
    let picture = |number: u8| step(3, &[&[0, 20, number][..], &[number; 97]].concat());
    let sound = |number: u8| step(3, &[2, 0, number]);
    let media = |fates: &[u8]| {
        let mut steps = Vec::new();
        for number in 0..20 {
            let unit = [step(1, fates), picture(number), sound(number), wait(33)];
            steps.extend(unit.concat());
        }
        steps
    };
    let good = |flags: u8| {
        let mut steps = vec![vec![flags], wait(500)];
        for number in 0..12 {
            steps.extend([picture(number), sound(number), wait(300)]);
        }
        steps.extend([step(7, &[]), wait(3_000)]);
        steps.concat()
    };
    // Each fate, one after the other, from the first check on.
    let all: Vec<u8> = (0..=255).collect();
    let rough = |flags: u8, fates: &[u8], time| {
        let lossy = media(&[2, 0, 0, 12, 3]);
        [&[flags][..], &step(1, fates), &wait(time), &lossy].concat()
    };
    // Few enough that a handshake gets through.
    let some = [0, 2, 3, 0x24, 0, 0, 0xfc, 3, 0x0d, 0, 2, 0, 0x1e, 0, 3];
    let some = |flags: u8| rough(flags, &some, 9_000);
    let moved = |flags: u8| {
        let steps = [
            wait(500),
            picture(1),
            step(10, &[9]),
            wait(7_000),
            picture(2),
            step(8, &[0; 20]),
            wait(9_000),
            picture(3),
            step(2, &[0x0f]),
            step(2, &[0x02]),
        ];
        [&[flags][..], &steps.concat()].concat()
    };
    // Nothing has been sent by which a new way would show.
    let early = |flags: u8| [&[flags][..], &wait(500), &step(10, &[9]), &wait(900)].concat();
    let idle = |flags: u8| [&[flags][..], &wait(60_000)].concat();
    let lost = [&[1][..], &step(1, &[2; 200]), &wait(20_000)].concat();
    let closed = |flags: u8, kind: u8| [&good(flags)[..], &step(kind, &[])].concat();
    if is_quick {
        let conflict = [step(2, &[2]), wait(900), step(2, &[4]), wait(900)].concat();
        let mut seeds: Vec<_> = (0..8)
            .map(|format| good(format << 2 | format & 3))
            .collect();
        for flags in [0, 1, 0x22, 0x23] {
            seeds.push(rough(flags, &all, 4_000));
        }
        seeds.extend([some(2), some(0x23), moved(0), moved(1), early(0), early(1)]);
        seeds.extend([idle(0), idle(1), closed(0, 5), closed(1, 9), lost]);
        seeds.push([&[0][..], &conflict].concat());
        return seeds;
    }
    // Somebody says that it is over: before it has begun, in its middle, and when nobody believes that any more.
    let alert = |to: u8| {
        let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
        step(0, &[&[to][..], &alert].concat())
    };
    let alerts = |to: u8, fates: &[u8]| {
        let steps = [
            step(1, fates),
            wait(200),
            alert(to),
            wait(2_000),
            alert(to),
            picture(1),
        ];
        [&[0][..], &steps.concat()].concat()
    };
    // Flights are lost, and others come again meanwhile.
    let again = |lost: usize| {
        let mut fates = vec![0; lost];
        fates.extend([2, 0, 0, 0, 0, 0, 2]);
        [&[0][..], &step(1, &fates), &wait(9_000), &media(&[0])].concat()
    };
    let mut seeds = vec![
        good(0),
        good(1),
        some(0),
        some(0x23),
        rough(0, &all, 20_000),
    ];
    seeds.extend([
        moved(0),
        early(1),
        idle(0),
        closed(0, 5),
        closed(1, 9),
        lost,
    ]);
    seeds.extend([good(0x40), good(0x80)]);
    for to in [0, 1] {
        for count in [2, 4, 6] {
            let mut fates = vec![0; count];
            fates.extend([0xfc; 12]);
            seeds.push(alerts(to, &fates));
        }
    }
    seeds.extend((4..9).map(again));
    seeds
}
