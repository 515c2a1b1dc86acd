//! Sessions that wait for a peer: with a viewer and with a publisher, which have the keys or do not.

use super::peer::{Heard, Peer, material, near, profile};
use super::{OFFER, Step, certificate, config, hellos, other_certificate, path, step, steps, wait};
use crate::dtls::Dtls;
use crate::stun::{self, Binding, Message, Role};
use crate::{Event, Output, Path, Session, Stats, Transport, VoiceFormat};
use media::{Codec, Kind};
use rtp::payload::samples;
use rtp::rtcp;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Bytes that may be sent again before any were sent, and for so many that were sent, one.
const AGAIN: u64 = 128 * 1_024;
const SENT_PER_AGAIN: u64 = 2;

/// How often a packet that is missing is asked for.
const MAX_ASKED: u8 = 7;

/// Bytes per second that every network is thought to carry.
const LEAST: u64 = 8_000;

/// A session stands whatever comes in, and what it holds and sends stays in proportion. Each step is a kind,
/// a length and that many bytes; see `Step`.
pub fn session(start: Instant, data: &[u8]) {
    watch(start, data);
}

/// How many of each were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) connected: usize,
    pub(super) wanted: usize,
    pub(super) closed: usize,
    pub(super) reports: usize,
    pub(super) packets: usize,
    pub(super) stats: Stats,
    pub(super) rate: Option<u64>,
    pub(super) kinds: HashSet<&'static str>,
}

/// A check as the input has it: nothing, or its priority, whether the pair is to be used, and who is said to choose.
fn good_check(session: &mut Session, now: Instant, path: Path, bytes: &[u8]) {
    let priority = bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let flags = bytes.get(4).copied().unwrap_or(1);
    let role = match flags & 2 {
        0 => Role::Controlling(1),
        _ => Role::Controlled(1),
    };
    session.check(now, path, priority.unwrap_or(1), flags & 1 != 0, role);
}

/// Another way to the session, by the first two bytes.
fn other_path(bytes: &[u8]) -> Path {
    let mut other = path();
    if let [port, transport, ..] = bytes {
        other.remote.set_port(u16::from(*port) + 2);
        if transport & 1 != 0 {
            other.transport = Transport::Tcp;
        }
    }
    other
}

pub(super) fn watch(start: Instant, data: &[u8]) -> Told {
    let (mut now, mut told) = (start, Told::default());
    let Ok((mut session, answer)) = Session::answer(OFFER, &config(start), start) else {
        return told;
    };
    let password = super::value(&answer, "a=ice-pwd:");
    let (mut path, mut peer) = (path(), None::<Peer>);
    let mut wanted = None::<Instant>;
    let mut again = HashMap::new();
    for step in steps(data) {
        match step {
            Step::Input(bytes) => session.handle_input(now, path, bytes),
            Step::Check(bytes) => {
                let username = format!("{}:abcd", session.ufrag());
                let request = Message::Request {
                    username: &username,
                    priority: 1,
                    use_candidate: true,
                    role: Role::Controlling(1),
                };
                let password = String::from_utf8_lossy(bytes);
                let check = stun::write(certificate().crypto(), &request, [0; 12], &password);
                session.handle_input(now, path, &check.unwrap_or_default());
            }
            Step::GoodCheck(bytes) => good_check(&mut session, now, path, bytes),
            Step::Media(bytes) => send(&mut session, now, now.duration_since(start), bytes),
            Step::Wait(time) => {
                now += time;
                session.handle_timeout(now);
            }
            Step::Close => session.close(now),
            Step::Keys(bytes) => {
                session.skip_handshake(&material(profile(bytes)));
                if peer.is_none() && session.stats().profile.is_some() {
                    peer = Peer::new(profile(bytes));
                }
            }
            Step::Control(bytes) => {
                if let Some(peer) = &mut peer {
                    let compound = peer.control(&session, now, bytes);
                    session.handle_input(now, path, &compound);
                }
            }
            Step::Packet(bytes) => {
                // Viewers send none: it is passed over.
                if let Some(peer) = &mut peer {
                    session.handle_input(now, path, &peer.media(bytes));
                    assert_eq!(session.stats().received, 0);
                }
            }
            Step::Damaged(bytes) => {
                if let Some(peer) = &mut peer {
                    let (place, bytes) = bytes.split_at(bytes.len().min(1));
                    let mut compound = peer.control(&session, now, bytes);
                    damage(&mut compound, place);
                    let before = session.stats();
                    session.handle_input(now, path, &compound);
                    assert_eq!(session.stats(), before);
                }
            }
            Step::Move(bytes) => path = other_path(bytes),
            Step::Restart(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                if let Ok(answer) = session.restart(&text, &config(start).candidates) {
                    assert!(answer.contains(&format!("a=ice-ufrag:{}", session.ufrag())));
                }
            }
        }
        // A handshake's flights, or every packet that is missing and then as many once more, are the most that one
        // datagram can call forth.
        for round in 0.. {
            assert!(round < 2_500);
            match session.poll_output() {
                Output::Timeout(due) => {
                    assert_eq!(
                        due.is_none(),
                        told.closed > 0 || matches!(step, Step::Close)
                    );
                    assert!(due.is_none_or(|due| due + Duration::from_secs(60) > now));
                    break;
                }
                Output::Event(event) => {
                    assert_eq!(told.closed, 0, "{event:?} behind the end");
                    match event {
                        Event::Connected => told.connected += 1,
                        Event::RandomAccessWanted => {
                            let last = wanted.replace(now);
                            let half = Duration::from_millis(500);
                            assert!(last.is_none_or(|last| now - last >= half));
                            told.wanted += 1;
                        }
                        Event::Closed { .. } => told.closed += 1,
                        Event::Packet { .. } => panic!("{event:?} of a viewer"),
                    }
                }
                Output::Transmit(sent) => {
                    for datagram in sent.datagrams() {
                        heard(&mut told, peer.as_mut(), datagram, &password, &mut again);
                    }
                }
            }
        }
        if matches!(step, Step::Close) {
            told.closed += 1;
        }
        let stats = session.stats();
        assert!(
            stats.bytes_again <= AGAIN + stats.bytes / SENT_PER_AGAIN,
            "{stats:?}"
        );
        assert!((0.0..1.0).contains(&stats.fraction_lost), "{stats:?}");
        assert!(session.rate().is_none_or(|rate| rate >= LEAST));
        told.rate = told.rate.or_else(|| session.rate());
    }
    assert!(told.connected <= 1);
    told.stats = session.stats();
    told
}

/// What the session sends to anybody: a good answer to a check, the handshake, or what the peer opens.
fn heard(
    told: &mut Told,
    peer: Option<&mut Peer>,
    datagram: &[u8],
    password: &str,
    media: &mut HashMap<(u32, u16), Vec<u8>>,
) {
    match (datagram.first(), peer) {
        (Some(0..=3), _) => {
            let answer = Binding::parse(datagram);
            assert!(
                answer.is_ok_and(|answer| answer.mapped.is_some()),
                "{answer:?}"
            );
            let signed =
                answer.is_ok_and(|answer| answer.is_from(certificate().crypto(), password));
            // After a restart with another.
            told.kinds.insert(if signed {
                "answer"
            } else {
                "answer of a restart"
            });
        }
        (Some(20..=63), _) => {
            told.kinds.insert("handshake");
        }
        (Some(128..=191), Some(peer)) => match peer.hear(datagram) {
            Heard::Control(packets) => {
                let is_report =
                    |packet: &rtcp::Packet| matches!(packet, rtcp::Packet::SenderReport(_));
                told.reports += packets.iter().filter(|packet| is_report(packet)).count();
                let is_bye = |packet: &rtcp::Packet| matches!(packet, rtcp::Packet::Bye(_));
                if packets.iter().any(is_bye) {
                    told.kinds.insert("goodbye");
                }
            }
            Heard::Media(packet) => {
                told.packets += 1;
                if let Ok(packet) = rtp::Packet::parse(&packet) {
                    again(told, &packet, media);
                }
            }
        },
        _ => panic!("{datagram:?} is sent without keys"),
    }
}

/// What is sent again is what was sent.
fn again(told: &mut Told, packet: &rtp::Packet<'_>, media: &mut HashMap<(u32, u16), Vec<u8>>) {
    let header = packet.header;
    if header.payload_type != 98 {
        let before = media.insert((header.ssrc, header.sequence), packet.payload.to_vec());
        assert!(before.is_none() || media.len() > 20_000, "{header:?} twice");
        return;
    }
    told.kinds.insert("again");
    let (number, payload) = packet.payload.split_at(packet.payload.len().min(2));
    let number = number
        .first_chunk()
        .map_or(0, |number| u16::from_be_bytes(*number));
    // That of the pictures is the only source whose packets are sent again.
    let mut sent = media.iter();
    let sent = sent.find(|((_, sequence), sent)| *sequence == number && sent == &payload);
    assert!(sent.is_some(), "{number} was not sent like this");
}

/// An access unit of these bytes. The first tells pictures and sound apart, the second how small the packets are.
fn send(session: &mut Session, now: Instant, time: Duration, bytes: &[u8]) {
    let kind = match bytes.first() {
        Some(first) if first & 2 != 0 => Kind::Audio,
        _ => Kind::Video,
    };
    let least = bytes.len() / 128 + 1;
    let size = bytes
        .get(1)
        .map_or(least, |size| usize::from(*size).max(least));
    let payloads = samples::packetize(&Codec::G722 { channels: 1 }, bytes, size);
    // Some media are not at the time at which they are sent.
    let leap = match bytes.get(2..10).and_then(|bytes| bytes.first_chunk()) {
        Some(leap) if bytes.first().is_some_and(|first| first & 4 != 0) => {
            i64::from_be_bytes(*leap)
        }
        _ => 0,
    };
    let ticks = i64::try_from(time.as_micros() * 9 / 100).unwrap_or(0);
    session.send(now, kind, ticks.wrapping_add(leap), 90_000, &payloads);
}

/// Turns a bit somewhere.
fn damage(datagram: &mut [u8], place: &[u8]) {
    let place = place.first().map_or(0, |place| usize::from(*place));
    // The kind of packet is left, by which it is told from others.
    let length = datagram.len().saturating_sub(2);
    let at = (place * 7).checked_rem(length).map(|at| at + 2);
    if let Some(byte) = at.and_then(|at| datagram.get_mut(at)) {
        *byte ^= 1 << (place % 8);
    }
}

/// What a publisher has sent of one track, and what it was asked for.
#[derive(Default)]
struct Came {
    ssrc: Option<u32>,
    highest: u64,
    seen: HashSet<u64>,
    asked: HashMap<u64, u8>,
}

impl Came {
    /// A packet is told: none twice.
    fn packet(&mut self, header: &rtp::Header) {
        if self.ssrc != Some(header.ssrc) {
            *self = Self {
                ssrc: Some(header.ssrc),
                highest: 1 << 16 | u64::from(header.sequence),
                ..Self::default()
            };
        }
        let index = near(self.highest, header.sequence);
        self.highest = self.highest.max(index);
        assert!(self.seen.insert(index), "{header:?} twice");
    }

    /// A packet is asked for: one that did not come, and only so often.
    fn asked(&mut self, sequence: u16) {
        let index = near(self.highest, sequence);
        assert!(
            index < self.highest && !self.seen.contains(&index),
            "{sequence}"
        );
        let asked = self.asked.entry(index).or_default();
        *asked += 1;
        assert!(*asked <= MAX_ASKED, "{sequence}");
    }
}

/// What a publisher sends is told by its tracks, nothing of it is made up, and what is missing does not pile up. Each
/// step is a kind, a length and that many bytes: a packet, or time that passes. The first may name another offer.
pub fn received(start: Instant, data: &[u8]) {
    receive(start, data);
}

pub(super) fn receive(start: Instant, data: &[u8]) -> Told {
    let (mut now, mut told) = (start, Told::default());
    let (mut came, mut peer) = ([Came::default(), Came::default()], None::<Peer>);
    let which = match data {
        [kind, _, _, which, ..] if kind % 12 == 5 => *which,
        _ => 0,
    };
    let Some(mut session) = publisher(start, which) else {
        return told;
    };
    for step in steps(data) {
        let mut longest = 0;
        match step {
            Step::Wait(time) => {
                now += time;
                session.handle_timeout(now);
            }
            Step::Media(_) => session.want_picture(now),
            // An authentic one, before there are keys too.
            Step::Input(bytes) => {
                longest = bytes.len();
                session.plain_packet(now, bytes.to_vec());
            }
            Step::GoodCheck(bytes) => good_check(&mut session, now, path(), bytes),
            Step::Keys(bytes) => {
                session.skip_handshake(&material(profile(bytes)));
                if peer.is_none() && session.stats().profile.is_some() {
                    peer = Peer::new(profile(bytes));
                }
            }
            Step::Packet(bytes) => {
                longest = bytes.len();
                if let Some(peer) = &mut peer {
                    session.handle_input(now, path(), &peer.media(bytes));
                }
            }
            Step::Control(bytes) => {
                longest = bytes.len() + 8;
                if let Some(peer) = &mut peer {
                    let compound = peer.control(&session, now, bytes);
                    session.handle_input(now, path(), &compound);
                }
            }
            Step::Damaged(bytes) => {
                if let Some(peer) = &mut peer {
                    let (place, bytes) = bytes.split_at(bytes.len().min(1));
                    let mut packet = peer.media(bytes);
                    damage(&mut packet, place);
                    session.handle_input(now, path(), &packet);
                }
            }
            _ => {}
        }
        for round in 0.. {
            assert!(round < 100);
            match session.poll_output() {
                Output::Event(Event::Packet {
                    track,
                    control: false,
                    bytes,
                }) => {
                    assert!(bytes.len() <= longest && track < session.received().len());
                    let packet = rtp::Packet::parse(&bytes);
                    let packet = packet.unwrap_or_else(|error| panic!("{error}"));
                    let format = session.received().get(track);
                    let number = format.map(|format| format.payload_type);
                    assert_eq!(number, Some(packet.header.payload_type));
                    if let Some(came) = came.get_mut(track) {
                        came.packet(&packet.header);
                    }
                    told.packets += 1;
                }
                // A report as it came, and of a source that is known.
                Output::Event(Event::Packet { track, bytes, .. }) => {
                    let mut packets = rtcp::packets(&bytes);
                    let Some(Ok(rtcp::Packet::SenderReport(report))) = packets.next() else {
                        panic!("{bytes:?} is no report");
                    };
                    let known = came.get(track).and_then(|came| came.ssrc);
                    assert_eq!((packets.next(), known), (None, Some(report.ssrc)));
                    told.reports += 1;
                }
                Output::Event(Event::Closed { .. }) => told.closed += 1,
                Output::Event(Event::Connected) => told.connected += 1,
                Output::Event(Event::RandomAccessWanted) => panic!("of a publisher"),
                Output::Transmit(sent) => {
                    for datagram in sent.datagrams() {
                        let is_answer = matches!(datagram.first(), Some(0..=3));
                        let Some(peer) = peer.as_mut().filter(|_| !is_answer) else {
                            continue;
                        };
                        asked(&mut told, peer, datagram, &mut came);
                    }
                }
                Output::Timeout(due) => {
                    assert!(due.is_none_or(|due| due > now));
                    break;
                }
            }
        }
    }
    assert!(told.connected <= 1 && told.closed <= 1);
    told.stats = session.stats();
    assert!(told.packets as u64 <= told.stats.received);
    told
}

/// What the publisher is told: what is missing, when packets came, that a picture is wanted.
fn asked(told: &mut Told, peer: &mut Peer, datagram: &[u8], came: &mut [Came; 2]) {
    let Heard::Control(packets) = peer.hear(datagram) else {
        panic!("a publisher is sent media");
    };
    for packet in packets {
        match packet {
            rtcp::Packet::Nack(nack) => {
                let track = came.iter_mut().find(|came| came.ssrc == Some(nack.media));
                let Some(track) = track else {
                    panic!("{nack:?} is for no source");
                };
                nack.sequences().for_each(|sequence| track.asked(sequence));
                told.kinds.insert("missing");
            }
            rtcp::Packet::PictureLoss(_) => {
                told.kinds.insert("loss");
            }
            rtcp::Packet::FullIntraRequest(_) => {
                told.kinds.insert("wish");
            }
            rtcp::Packet::Arrivals(_) => {
                told.kinds.insert("arrivals");
            }
            _ => {}
        }
    }
}

/// A session with a publisher by one of several offers.
fn publisher(start: Instant, which: u8) -> Option<Session> {
    let offer = OFFER.replace("recvonly", "sendonly");
    let offer = match which % 6 {
        1 => offer.replace("nack pli", "ccm fir"),
        2 => offer.replace("a=extmap:4", "a=extmap:0"),
        3 => offer.replace("rtx/", "none/"),
        4 => offer
            .replace("H264", "VP9")
            .replace("a=rtcp-fb:97 nack\r\n", ""),
        5 => {
            let offer = offer.replace("opus/48000/2", "PCMU/8000");
            let session = Session::listen(&offer, VoiceFormat::Pcmu, &config(start), start);
            return session.ok().map(|(session, _)| session);
        }
        _ => offer,
    };
    let session = Session::receive(&offer, &config(start), start);
    session.ok().map(|(session, _)| session)
}

/// What a player says: what it misses, that it wants a picture, and how its network is.
fn feedback() -> Vec<Vec<u8>> {
    let control = |packets: &[rtcp::Packet]| {
        let mut compound = Vec::new();
        for packet in packets {
            packet.write(&mut compound);
        }
        step(7, &compound)
    };
    let block = |ssrc, highest, lost, last_report| rtcp::ReportBlock {
        ssrc,
        fraction_lost: 64,
        lost,
        highest_sequence: highest,
        jitter: 5,
        last_report,
        delay: 100,
    };
    let report = |highest, lost, last_report| {
        let blocks = vec![
            block(3, highest, 0, 0),
            block(1, highest, lost, last_report),
        ];
        rtcp::Packet::ReceiverReport(rtcp::ReceiverReport { ssrc: 77, blocks })
    };
    let nack = |media, sequences: &[u16]| {
        rtcp::Packet::Nack(rtcp::Nack::new(77, media, sequences.iter().copied()))
    };
    let estimate = rtcp::Packet::ReceiverEstimate(rtcp::ReceiverEstimate {
        sender: 77,
        bitrate: 40_000,
        sources: vec![1],
    });
    let loss = rtcp::Packet::PictureLoss(rtcp::PictureLoss {
        sender: 77,
        media: 1,
    });
    let wish = rtcp::Packet::FullIntraRequest(rtcp::FullIntraRequest {
        sender: 77,
        requests: vec![(9_999, 1), (1, 2)],
    });
    let own = rtcp::Packet::SenderReport(rtcp::SenderReport {
        ssrc: 77,
        info: rtcp::SenderInfo::default(),
        blocks: vec![block(1, 60, 2, 0x100)],
    });
    let picture = |number: u8| step(3, &[&[0, 10, number][..], &[0x65; 95]].concat());
    let mut steps = vec![picture(1), step(3, &[2, 0, 1]), picture(2)];
    // What was lost, twice at once, of which the second is on its way; something that never was; sound.
    let lost: Vec<u16> = (3..9).chain([20, 19, 1]).collect();
    steps.push(control(&[report(20, 1, 0x400), nack(1, &lost)]));
    steps.push(control(&[
        report(20, 1, 0),
        nack(1, &lost),
        nack(1, &[0, 5_000]),
        nack(3, &[1]),
    ]));
    steps.push(picture(3));
    steps.push(control(&[own, loss, estimate.clone()]));
    steps.push(control(std::slice::from_ref(&wish)));
    steps.push(wait(600));
    steps.push(control(&[wish]));
    // A bit is another.
    steps.push(step(
        9,
        &[&[40][..], &[0x81, 206, 0, 2, 0, 0, 0, 77, 0, 0, 0, 1]].concat(),
    ));
    // Three seconds with much too narrow a network, and then one that carries all.
    let (mut highest, mut missing) = (20, 1);
    for second in 0..14 {
        for number in 0..4 {
            steps.push(picture(number));
            steps.push(wait(250));
        }
        highest += 40;
        missing += if second < 3 { 20 } else { 0 };
        let ago = if second == 9 { 0xf000 } else { 0x40 };
        let more = if second < 4 {
            vec![estimate.clone()]
        } else {
            vec![nack(1, &[4])]
        };
        steps.push(control(
            &[vec![report(highest, missing, ago)], more].concat(),
        ));
    }
    steps
}

/// Packets of a publisher: pictures that are numbered over all sources, sound, and what is sent again.
fn published(kind: u8) -> Vec<Vec<u8>> {
    let packet = |payload_type: u8, sequence: u16, payload: &[u8]| {
        let [s0, s1] = sequence.to_be_bytes();
        let head = [
            0x90,
            payload_type,
            s0,
            s1,
            0,
            0,
            0,
            1,
            0,
            0,
            0,
            payload_type,
        ];
        let extension = [0xbe, 0xde, 0, 1, 0x41, s0, s1, 0];
        step(kind, &[&head[..], &extension, payload].concat())
    };
    let mut steps = vec![
        packet(97, 1, &[0x65, 1]),
        packet(111, 2, &[0xfc]),
        packet(97, 4, &[0x41, 1]),
        packet(97, 4, &[0x41, 1]),
        wait(20),
        packet(98, 5, &[0, 2, 0x41, 1]),
        packet(98, 6, &[0, 1, 0x41, 1]),
        packet(99, 7, &[1]),
        step(3, &[]),
        wait(600),
        // Some that are lost for good, of which one comes late, and a leap.
        packet(97, 20, &[0x41, 1]),
        packet(97, 18, &[0x41, 1]),
    ];
    steps.extend((0..12).map(|_| wait(50)));
    // More than may be missed at once.
    steps.extend((1..5).map(|leap| packet(97, leap * 500, &[0x41, 1])));
    steps.extend([
        packet(97, 2_900, &[0x41, 1]),
        packet(97, 60_000, &[0x41, 1]),
        wait(60),
    ]);
    steps
}

pub(super) fn seeds(now: Instant) -> Vec<(&'static str, Vec<u8>)> {
    let request = Message::Request {
        username: "abc:def",
        priority: 7,
        use_candidate: true,
        role: Role::Controlling(1),
    };
    let check = stun::write(certificate().crypto(), &request, [5; 12], "password");
    let [part, hello] = hellos();
    let mut client = Dtls::client(other_certificate().clone(), "");
    let begun = client.begin(now).ok();
    let real = begun.and_then(|()| client.poll_transmit());
    let mut real = real.map(|hello| hello.to_vec()).unwrap_or_default();
    // Time and random number, so that it is the same on every call.
    real.iter_mut().skip(27).take(32).for_each(|byte| *byte = 7);
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    let picture = [
        0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let handshake = [
        step(2, &[]),
        step(0, &part),
        step(0, &hello),
        wait(1_100),
        step(0, &picture),
        step(3, &[0x65; 50]),
        step(0, &alert),
    ];
    let begun = [
        step(2, &[]),
        step(0, &real),
        wait(1_100),
        step(0, &real),
        wait(2_000),
    ];
    let checks = [
        step(1, b"wrong"),
        step(0, &check.unwrap_or_default()),
        step(2, &[]),
        wait(31_000),
    ];
    let goodbye = [step(2, &[]), step(5, &[]), step(0, &hello)];
    // More ways than are kept, of which the peer chooses one and leaves it, and begins anew.
    let mut moved = vec![step(2, &[0, 0, 0, 9, 0]), step(6, &[0])];
    for port in 0..12 {
        moved.extend([step(10, &[port, port]), step(2, &[0, 0, 0, port, port & 1])]);
        moved.push(wait(900));
    }
    moved.push(step(3, &[0x65; 30]));
    let fragment = "a=ice-ufrag:anew\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\nm=video 9 UDP/TLS/RTP/SAVPF 97\r\n";
    moved.extend([
        step(11, fragment.as_bytes()),
        step(10, &[3, 0]),
        step(2, &[]),
    ]);
    moved.extend([step(3, &[0x65; 30]), step(8, &[0x80; 20]), wait(16_000)]);
    let mut watched = [step(2, &[]), step(6, &[0])].to_vec();
    watched.extend(feedback());
    // A time that leaps, and one that nothing can be counted with.
    let leap = |time: i64| {
        step(
            3,
            &[&[4, 50][..], &time.to_be_bytes(), &[0x65; 400]].concat(),
        )
    };
    watched.extend([leap(-90_000), leap(i64::MIN), leap(i64::MAX), leap(3)]);
    watched.extend([step(3, &[0; 2_000]), step(5, &[])]);
    let mut other = [step(2, &[]), step(6, &[1])].to_vec();
    other.extend(feedback());
    let keys = |profile: u8, which: u8| {
        let mut report = Vec::new();
        let ssrc = 97;
        rtcp::Packet::SenderReport(rtcp::SenderReport {
            ssrc,
            ..rtcp::SenderReport::default()
        })
        .write(&mut report);
        let mut steps = vec![step(5, &[which]), step(2, &[]), step(6, &[profile])];
        steps.extend(published(8));
        steps.extend([step(7, &report), step(3, &[]), wait(500)]);
        steps.push(step(
            9,
            &[&[30, 0x80, 97, 0xea, 0x61][..], &[0; 20]].concat(),
        ));
        steps.push(wait(15_000));
        steps.concat()
    };
    let mut seeds = vec![
        ("session", handshake.concat()),
        ("session", begun.concat()),
        ("session", checks.concat()),
        ("session", goodbye.concat()),
        ("session", watched.concat()),
        ("session", other.concat()),
        ("session", moved.concat()),
        ("received", published(0).concat()),
    ];
    seeds.extend((0..6).map(|which| ("received", keys(which & 1, which))));
    seeds
}
