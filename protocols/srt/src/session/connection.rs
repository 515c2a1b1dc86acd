//! An established connection: data, acknowledgements, loss reports, keys and their timers (section 4).

use super::CloseReason;
use crate::crypto::Crypto;
use crate::handshake::{Handshake, Kind};
use crate::options::Options;
use crate::packet::{Ack, Body, Data, HEADER_LEN, Key, Packet, losses, push_loss};
use crate::receive::{Message, Place, Receiver};
use crate::send::Sender;
use crate::sequence::{Sequence, Unwrapper};
use crate::stats::Stats;
use crate::timing::{ACK_INTERVAL, Capacity, Rate, RoundTrip, TimeBase, micros};
use bytes::Bytes;
use rand::rngs::StdRng;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// After so much silence of ours, the peer is told that we are there (section 3.2.3).
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Packets after which a light acknowledgement is sent (section 4.8.1).
const LIGHT: u32 = 64;

/// Full acknowledgements whose answers are awaited.
const MAX_ACKS: usize = 128;

/// Control packets that wait to be sent. Whoever does not drain a session loses the oldest.
const MAX_CONTROL: usize = 256;

/// Between two requests for new keys that cost a computation.
const KEY_INTERVAL: Duration = Duration::from_millis(50);

/// Packets are kept for this long at least, and what of the latency (section 4.6).
const KEEP: Duration = Duration::from_secs(1);

/// What a goodbye comes later than the last message is due at the peer, so that the peer has read it.
const FAREWELL: Duration = Duration::from_millis(50);

/// Between two tries of the last word of a handshake.
pub(super) const REPEAT: Duration = Duration::from_millis(250);

/// What a handshake agreed on.
pub(crate) struct Agreed {
    pub(crate) peer: u32,
    pub(crate) initial: Sequence,
    pub(crate) mtu: u32,
    pub(crate) window: u32,
    pub(crate) receive_latency: Duration,
    pub(crate) send_latency: Duration,
    pub(crate) crypto: Option<Crypto>,
    /// When the packet with the extensions came, and its timestamp.
    pub(crate) at: (Instant, u32),
}

/// The last word of a handshake, and whether it has to be repeated until the peer shows itself.
pub(super) struct Farewell {
    pub(super) packet: Handshake,
    pub(super) repeat: Option<Instant>,
}

pub(super) struct Connection {
    start: Instant,
    peer: u32,
    send_latency: Duration,
    receive_latency: Duration,
    idle_timeout: Duration,
    crypto: Option<Crypto>,
    random: StdRng,
    farewell: Option<Farewell>,
    sender: Sender,
    receiver: Receiver,
    base: TimeBase,
    clock: Unwrapper,
    trip: RoundTrip,
    rate: Rate,
    sending: Rate,
    capacity: Capacity,
    peer_capacity: u32,
    /// Control packets to send.
    control: VecDeque<Vec<u8>>,
    /// Full acknowledgements on their way: number, what was acknowledged, when.
    acks: VecDeque<(u32, Sequence, Instant)>,
    ack_number: u32,
    /// What the peer knows that we have, as it confirmed, and what it was told last.
    confirmed: Sequence,
    told: Sequence,
    ack_at: Option<Instant>,
    /// When the last full acknowledgement was sent.
    acked: Option<Instant>,
    since_ack: u32,
    nak_at: Option<Instant>,
    key_at: Option<Instant>,
    key_taken: Option<Instant>,
    last_sent: Instant,
    last_heard: Instant,
    /// When the newest message was handed over.
    last_message: Option<Instant>,
    /// The peer said goodbye, or we want to: what is buffered is still delivered.
    ending: Option<(CloseReason, Instant)>,
    /// It is over, and its last packets are in line.
    closed: bool,
    stats: Stats,
}

impl Connection {
    pub(super) fn new(
        start: Instant,
        now: Instant,
        initial: Sequence,
        options: &Options,
        agreed: Agreed,
        random: StdRng,
        farewell: Option<Farewell>,
    ) -> Self {
        let headers = 28 + HEADER_LEN + agreed.crypto.as_ref().map_or(0, Crypto::overhead);
        let payload = options
            .payload
            .min((agreed.mtu as usize).saturating_sub(headers));
        Self {
            start,
            peer: agreed.peer,
            send_latency: agreed.send_latency,
            receive_latency: agreed.receive_latency,
            idle_timeout: options.idle_timeout,
            crypto: agreed.crypto,
            random,
            farewell,
            sender: Sender::new(
                now,
                initial,
                options.buffer,
                agreed.window,
                options.max_bandwidth,
                payload,
            ),
            receiver: Receiver::new(agreed.initial, options.receive_buffer),
            base: TimeBase::new(start, agreed.at.0, agreed.at.1),
            clock: Unwrapper::new(agreed.at.1),
            trip: RoundTrip::new(),
            rate: Rate::new(now),
            sending: Rate::new(now),
            capacity: Capacity::default(),
            peer_capacity: 0,
            control: VecDeque::new(),
            acks: VecDeque::new(),
            ack_number: 0,
            confirmed: agreed.initial,
            told: agreed.initial,
            ack_at: None,
            acked: None,
            since_ack: 0,
            nak_at: None,
            key_at: None,
            key_taken: None,
            last_sent: now,
            last_heard: now,
            last_message: None,
            ending: None,
            closed: false,
            stats: Stats::default(),
        }
    }

    pub(super) const fn latency(&self) -> (Duration, Duration) {
        (self.receive_latency, self.send_latency)
    }

    fn timestamp(&self, now: Instant) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "timestamps wrap"
        )]
        let timestamp = micros(self.start, now) as u32;
        timestamp
    }

    fn queue(&mut self, now: Instant, body: Body<'_>) {
        let mut packet = Vec::with_capacity(64);
        Packet {
            timestamp: self.timestamp(now),
            destination: self.peer,
            body,
        }
        .write(&mut packet);
        if self.control.len() == MAX_CONTROL {
            self.control.pop_front();
        }
        self.control.push_back(packet);
        self.last_sent = now;
    }

    /// Says the last word of the handshake (again).
    pub(super) fn say_farewell(&mut self, now: Instant) {
        let Some(farewell) = self.farewell.as_mut() else {
            return;
        };
        if let Some(repeat) = &mut farewell.repeat {
            *repeat = now + REPEAT;
        }
        let mut bytes = Vec::new();
        farewell.packet.write(&mut bytes);
        self.queue(now, Body::Handshake(&bytes));
    }

    /// Takes a message to send. `false` when there is no room.
    pub(super) fn send(&mut self, now: Instant, message: &Bytes) -> bool {
        let taken = self.ending.is_none() && self.sender.push(now, self.timestamp(now), message);
        if taken {
            self.last_message = Some(now);
        }
        taken
    }

    /// Takes a packet that is for this connection.
    pub(super) fn handle(&mut self, now: Instant, packet: &Packet<'_>, header: &[u8]) {
        self.last_heard = now;
        if let Body::Handshake(bytes) = packet.body {
            let kind = Handshake::parse(bytes).map(|handshake| handshake.kind);
            match kind {
                // It has missed our last word.
                Ok(Kind::Conclusion) => self.say_farewell(now),
                Ok(Kind::Agreement) => self.heard(),
                _ => {}
            }
            return;
        }
        self.heard();
        match &packet.body {
            Body::Data(data) => self.data(now, packet.timestamp, data, header),
            Body::Ack(ack) => self.ack(now, ack),
            Body::Nak(list) => self.nak(now, list),
            Body::AckAck(number) => self.ack_ack(now, *number, packet.timestamp),
            Body::Shutdown => self.end(now, CloseReason::Peer),
            Body::DropRequest { first, last, .. } => {
                if last.since(*first) >= 0 {
                    self.receiver.give_up(*first, *last);
                    self.acknowledge_soon(now);
                }
            }
            Body::KeyMaterial { response, message } => self.key_material(now, *response, message),
            Body::Handshake(_)
            | Body::KeepAlive
            | Body::CongestionWarning
            | Body::PeerError(_)
            | Body::Other => {}
        }
    }

    /// The peer is connected as well.
    fn heard(&mut self) {
        if let Some(farewell) = &mut self.farewell {
            farewell.repeat = None;
        }
    }

    fn data(&mut self, now: Instant, timestamp: u32, data: &Data<'_>, header: &[u8]) {
        let size = (data.payload.len() + HEADER_LEN) as u64;
        self.stats.packets_received += 1;
        self.stats.bytes_received += size;
        if data.again {
            self.stats.packets_received_retrans += 1;
            self.stats.bytes_received_retrans += size;
        }
        self.rate.count(now, data.payload.len() + HEADER_LEN);
        if !data.again {
            self.capacity.packet(now, data.sequence.value());
        }
        let gap = match self.receiver.look(data.sequence) {
            Place::New(gap) => gap,
            Place::Known => {
                self.stats.packets_received_belated += 1;
                self.stats.bytes_received_belated += size;
                // The acknowledgement was lost, perhaps.
                self.acknowledge_soon(now);
                return;
            }
            Place::Full => {
                self.stats.packets_received_drop += 1;
                if self.receiver.is_empty() {
                    // Numbers that nothing leads to any more.
                    self.end(now, CloseReason::Sequence);
                }
                return;
            }
        };
        self.stats.packets_received_unique += 1;
        self.stats.bytes_received_unique += size;
        let timestamp = self.clock.unwrap(timestamp);
        let mut payload = self.receiver.buffer();
        payload.extend_from_slice(data.payload);
        let readable = match (data.key, &self.crypto) {
            (Key::None, None) => Some(()),
            (Key::None, Some(_)) | (_, None) => None,
            (key, Some(crypto)) => crypto.decrypt(key, data.sequence, header, &mut payload),
        };
        if readable.is_none() {
            self.stats.packets_received_undecrypt += 1;
            self.stats.bytes_received_undecrypt += size;
        }
        self.receiver
            .put(data, timestamp, readable.map(|()| payload));
        if let Some((first, last)) = gap {
            self.stats.packets_received_loss += u64::from(last.since(first).unsigned_abs()) + 1;
            let mut list = Vec::new();
            push_loss(&mut list, first, last);
            self.report(now, &list);
        }
        self.since_ack += 1;
        if self.since_ack >= LIGHT {
            self.since_ack = 0;
            self.stats.packets_sent_ack += 1;
            let next = self.receiver.next();
            self.queue(
                now,
                Body::Ack(Ack {
                    next,
                    ..Ack::default()
                }),
            );
        }
        self.acknowledge_soon(now);
    }

    fn acknowledge_soon(&mut self, now: Instant) {
        let soon = self.acked.map_or(now, |at| now.max(at + ACK_INTERVAL));
        self.ack_at = Some(self.ack_at.map_or(soon, |at| at.min(soon)));
    }

    fn report(&mut self, now: Instant, list: &[u8]) {
        self.stats.packets_sent_nak += 1;
        self.queue(now, Body::Nak(list));
        // Another gap does not put off what is said about the ones before.
        let again = now + self.trip.nak_interval();
        self.nak_at.get_or_insert(again);
    }

    /// A full acknowledgement, while there is news or the last one may be lost.
    fn acknowledge(&mut self, now: Instant) {
        let next = self.receiver.next();
        self.ack_at = None;
        if next == self.confirmed && next == self.told {
            return;
        }
        let fresh = self.acks.back().filter(|(_, told, _)| *told == next);
        if let Some((_, _, at)) = fresh
            && next == self.told
        {
            let again = *at + self.trip.patience().max(ACK_INTERVAL);
            if now < again {
                self.ack_at = Some(again);
                return;
            }
        }
        self.ack_number = self.ack_number.wrapping_add(1).max(1);
        if self.acks.len() == MAX_ACKS {
            self.acks.pop_front();
        }
        self.acks.push_back((self.ack_number, next, now));
        let (packets, bytes) = self.rate.last;
        let ack = Ack {
            number: self.ack_number,
            next,
            rtt: Some((self.trip.rtt, self.trip.variance)),
            room: Some(self.receiver.room().max(2)),
            rates: Some((packets, self.capacity.packets(), bytes)),
        };
        self.stats.packets_sent_ack += 1;
        self.queue(now, Body::Ack(ack));
        (self.told, self.since_ack, self.acked) = (next, 0, Some(now));
        self.ack_at = Some(now + self.trip.patience().max(ACK_INTERVAL));
    }

    fn ack_ack(&mut self, now: Instant, number: u32, timestamp: u32) {
        let Some(index) = self.acks.iter().position(|(own, ..)| *own == number) else {
            return;
        };
        let taken = self.acks.drain(..=index).next_back();
        let Some((_, next, at)) = taken else { return };
        let rtt = u32::try_from(now.saturating_duration_since(at).as_micros()).unwrap_or(u32::MAX);
        self.trip.sample(rtt);
        let timestamp = self.clock.unwrap(timestamp);
        self.base.sample(now, timestamp, rtt);
        if next.since(self.confirmed) > 0 {
            self.confirmed = next;
        }
    }

    pub(super) const fn knows_round_trip(&self) -> bool {
        self.trip.measured
    }

    fn ack(&mut self, now: Instant, ack: &Ack) {
        self.stats.packets_received_ack += 1;
        if let Some((rtt, variance)) = ack.rtt {
            self.trip.adopt(rtt, variance);
        }
        if let Some((_, capacity, _)) = ack.rates {
            self.peer_capacity = capacity;
        }
        self.sender.acknowledge(now, ack.next, ack.room);
        // Light ones are not answered.
        if ack.number != 0 {
            self.queue(now, Body::AckAck(ack.number));
        }
    }

    fn nak(&mut self, now: Instant, list: &[u8]) {
        self.stats.packets_received_nak += 1;
        let mut gone = None;
        // Ranges may lie over each other: all of them together are no more than what was sent.
        let mut left = self.sender.in_flight();
        for (first, last) in losses(list) {
            let range = (first, last);
            let (count, range) = self.sender.report(now, range, &mut left, &self.trip);
            self.stats.packets_send_loss += count;
            gone = gone.or(range);
        }
        // One request an answer, so that a report calls forth no more than it is long.
        if let Some((first, last)) = gone {
            self.queue(
                now,
                Body::DropRequest {
                    message: 0,
                    first,
                    last,
                },
            );
        }
    }

    fn key_material(&mut self, now: Instant, response: bool, message: &[u8]) {
        self.stats.packets_received_km += 1;
        let Some(crypto) = &mut self.crypto else {
            if !response {
                self.stats.packets_sent_km += 1;
                let message = Crypto::no_secret();
                self.queue(
                    now,
                    Body::KeyMaterial {
                        response: true,
                        message: &message,
                    },
                );
            }
            return;
        };
        if response {
            crypto.confirm(message);
            return;
        }
        let soon = |at: Instant| now < at + KEY_INTERVAL;
        if !crypto.knows(message) && self.key_taken.is_some_and(soon) {
            return;
        }
        if !crypto.knows(message) {
            self.key_taken = Some(now);
        }
        let answer = crypto.answer(message);
        self.stats.packets_sent_km += 1;
        self.queue(
            now,
            Body::KeyMaterial {
                response: true,
                message: &answer,
            },
        );
    }

    /// What the clock brings about. Gives why the connection is over, once it is.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<CloseReason> {
        if self.closed {
            return None;
        }
        if now.saturating_duration_since(self.last_heard) >= self.idle_timeout {
            return Some(CloseReason::Idle);
        }
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let dropped = self.sender.drop_late(now, self.keep());
        self.stats.packets_send_drop += dropped.packets;
        self.stats.bytes_send_drop += dropped.bytes;
        self.sender.probe(now, &self.trip);
        if due(self.ack_at) {
            self.acknowledge(now);
        }
        if due(self.nak_at) {
            self.nak_at = None;
            let mut list = Vec::new();
            self.receiver.losses(&mut list);
            if !list.is_empty() {
                self.report(now, &list);
            }
        }
        if due(self.farewell.as_ref().and_then(|farewell| farewell.repeat)) {
            self.say_farewell(now);
        }
        self.announce(now);
        if due(self.last_sent.checked_add(KEEP_ALIVE)) {
            self.queue(now, Body::KeepAlive);
        }
        self.ended(now)
    }

    /// Tells the peer the next key, until it has it.
    fn announce(&mut self, now: Instant) {
        let waiting = self.key_at.is_some_and(|at| now < at);
        let Some(crypto) = self.crypto.as_ref().filter(|crypto| crypto.announces()) else {
            self.key_at = None;
            return;
        };
        if waiting {
            return;
        }
        let Some(message) = crypto.announcement() else {
            return;
        };
        self.stats.packets_sent_km += 1;
        self.queue(
            now,
            Body::KeyMaterial {
                response: false,
                message: &message,
            },
        );
        self.key_at = Some(now + self.trip.patience().max(Duration::from_millis(20)));
    }

    /// How old a packet becomes before it is of no use.
    fn keep(&self) -> Duration {
        let late = self.send_latency + self.send_latency / 4;
        late.max(KEEP) + 2 * ACK_INTERVAL
    }

    /// Begins to end: what is buffered still goes its way, as long as that is of use.
    pub(super) fn end(&mut self, now: Instant, reason: CloseReason) {
        let grace = self.keep().max(self.receive_latency) + FAREWELL;
        self.ending.get_or_insert((reason, now + grace));
    }

    /// When the peer has delivered what it was sent. libsrt throws away what is not due when it is told goodbye.
    fn delivered_at(&self) -> Option<Instant> {
        let after = self.send_latency + FAREWELL;
        self.last_message.and_then(|at| at.checked_add(after))
    }

    fn ended(&mut self, now: Instant) -> Option<CloseReason> {
        let (reason, until) = self.ending?;
        let empty = match reason {
            CloseReason::Local => {
                self.sender.is_empty() && self.delivered_at().is_none_or(|at| at <= now)
            }
            _ => self
                .receiver
                .due(&self.base, self.receive_latency)
                .is_none(),
        };
        if !empty && now < until {
            return None;
        }
        if reason != CloseReason::Peer {
            self.queue(now, Body::Shutdown);
        }
        Some(reason)
    }

    pub(super) fn shutdown(&mut self, now: Instant) {
        self.queue(now, Body::Shutdown);
    }

    /// Nothing more is to be sent but what is in line. Gives whether it was so already.
    pub(super) fn closing(&mut self) -> bool {
        std::mem::replace(&mut self.closed, true)
    }

    /// Delivers a message whose time has come.
    pub(super) fn read(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Message> {
        let before = (self.receiver.next(), self.receiver.dropped);
        let message = self
            .receiver
            .read(now, &self.base, self.receive_latency, out);
        self.stats.packets_received_drop += self.receiver.dropped - before.1;
        // What is given up is acknowledged like what has come.
        if self.receiver.next() != before.0 {
            self.acknowledge_soon(now);
        }
        message
    }

    /// The next datagram.
    pub(super) fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        if let Some(packet) = self.control.pop_front() {
            out.extend_from_slice(&packet);
            return true;
        }
        let next = if self.closed {
            None
        } else {
            self.sender.pop(now)
        };
        let Some((sequence, slot)) = next else {
            return false;
        };
        let start = out.len();
        if let Some(crypto) = &mut self.crypto {
            slot.key = if slot.again {
                crypto.usable(slot.key)
            } else {
                crypto.next_key(&mut self.random)
            };
        }
        let data = Data {
            sequence,
            first: slot.first,
            last: slot.last,
            ordered: true,
            key: slot.key,
            again: slot.again,
            message: slot.message,
            payload: &slot.payload,
        };
        let (timestamp, destination) = (slot.timestamp, self.peer);
        let packet = Packet {
            timestamp,
            destination,
            body: Body::Data(data),
        };
        packet.write(out);
        if let Some(crypto) = &self.crypto
            && crypto.encrypt(slot.key, sequence, out, start).is_none()
        {
            // Nothing leaves in the clear.
            out.truncate(start);
            return false;
        }
        let size = (out.len() - start) as u64;
        self.sending.count(now, out.len() - start);
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += size;
        if slot.again {
            self.stats.packets_retrans += 1;
            self.stats.bytes_retrans += size;
        } else {
            self.stats.packets_sent_unique += 1;
            self.stats.bytes_sent_unique += size;
        }
        self.last_sent = now;
        true
    }

    /// When there is something to do.
    pub(super) fn next_timeout(&mut self) -> Option<Instant> {
        let key = self.crypto.as_ref().filter(|crypto| crypto.announces());
        let key = key.and_then(|_| self.key_at.or(Some(self.start)));
        // Repeated loss reports are only of use while something is missing.
        let nak = self.nak_at.filter(|_| self.receiver.missing() > 0);
        [
            self.last_heard.checked_add(self.idle_timeout),
            self.last_sent.checked_add(KEEP_ALIVE),
            self.ack_at,
            nak,
            key,
            self.farewell.as_ref().and_then(|farewell| farewell.repeat),
            self.sender.due(),
            self.sender.late_at(self.keep()),
            self.sender.silence_at(&self.trip),
            self.receiver.due(&self.base, self.receive_latency),
            self.ending.map(|(_, until)| until),
            // Whoever was told goodbye waits for what is to be read alone.
            self.ending
                .filter(|(reason, _)| *reason == CloseReason::Local && self.sender.is_empty())
                .and_then(|_| self.delivered_at()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn stats(&self) -> Stats {
        let (packets_send_buf, bytes_send_buf, ms_send_buf, flight, window) = self.sender.load();
        let (packets_receive_buf, bytes_receive_buf, ms_receive_buf) = self.receiver.load();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let own = self.capacity.packets();
        let capacity = if self.peer_capacity > 0 {
            self.peer_capacity
        } else {
            own
        };
        Stats {
            ms_rtt: f64::from(self.trip.rtt) / 1_000.0,
            mbps_link_capacity: f64::from(capacity) * 1_500.0 * 8.0 / 1e6,
            mbps_send_rate: f64::from(self.sending.last.1) * 8.0 / 1e6,
            mbps_max_bw: self.sender.max_bandwidth() as f64 * 8.0 / 1e6,
            packets_send_loss_rate: percent(
                self.stats.packets_send_loss,
                self.stats.packets_sent_unique,
            ),
            packets_received_loss_rate: percent(
                self.stats.packets_received_loss,
                self.stats.packets_received_unique + self.stats.packets_received_drop,
            ),
            mbps_receive_rate: f64::from(self.rate.last.1) * 8.0 / 1e6,
            us_packets_send_period: self.sender.period_us(),
            packets_flow_window: window,
            packets_flight_size: flight,
            packets_send_buf,
            bytes_send_buf,
            ms_send_buf,
            packets_receive_buf,
            bytes_receive_buf,
            ms_receive_buf,
            ms_send_tsb_pd_delay: millis(self.send_latency),
            ms_receive_tsb_pd_delay: millis(self.receive_latency),
            ..self.stats
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}
