//! From packets to tracks and access units: what a camera sends that is pulled, or a client that publishes.
//!
//! No socket and no stream here. What is carried of a description becomes [`Incoming`]s; a [`Receiver`] of these
//! takes packets as they come ([`Receiver::packet`]), and gives tracks and access units on one axis of time
//! ([`Receiver::pull`]) and the reports that the sender wants to see ([`Receiver::report`]).

use super::axis::Axis;
use super::incoming::{Content, Incoming, Piece};
use bytes::Bytes;
use media::{AccessUnit, Track, TrackId};
use rtp::payload::{self, Input, Unit};
use rtp::reorder::Arrival;
use rtp::rtcp;
use rtp::{Header, Packet};
use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

/// Sound waits for so long for pictures whose parameters come with them, so that players see both at once.
const PICTURES_WAITED_FOR: Duration = Duration::from_secs(5);

/// A first packet further from the start that was announced shows that the announcement means nothing.
const MAX_START: Duration = Duration::from_secs(10);

/// A clock that is so far from where it should be has been set anew. Less than that, behind where it was, is a picture
/// that is shown before others.
const MAX_LEAP: Duration = Duration::from_secs(10);

/// What we are called in reports.
const NAME: &str = "millstream";

/// What comes out of a receiver.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A track, or another configuration of it. Those that are known come before the first access unit.
    Track(Track),
    /// An access unit of a track that has been told.
    Unit(AccessUnit),
}

/// Puts packets of several sections together.
pub struct Receiver {
    incoming: Vec<Incoming>,
    axis: Axis,
    /// When the first packet came.
    begun: Option<Instant>,
    /// Something has been given.
    open: bool,
    events: VecDeque<Event>,
    /// Who we are in reports.
    ssrc: u32,
}

impl Receiver {
    /// Of these sections.
    pub fn new(incoming: Vec<Incoming>) -> Self {
        let lead = incoming.iter().position(|incoming| incoming.has_pictures);
        let mut receiver = Self {
            axis: Axis::new(incoming.len(), lead.unwrap_or(0)),
            incoming,
            begun: None,
            open: false,
            events: VecDeque::new(),
            ssrc: rand::random(),
        };
        for number in 0..receiver.incoming.len() {
            receiver.depacketized(number);
        }
        receiver
    }

    /// The RTP times with which the sections begin, as the answer to PLAY tells them (`RTP-Info`, RFC 2326 section
    /// 12.33). They are comparable only where there is one of each section.
    pub fn starts(&mut self, starts: &[(usize, u32)]) {
        let of = |incoming: &Incoming| {
            let mut starts = starts.iter();
            let found = starts.find(|(section, _)| *section == incoming.section);
            found.map(|(_, time)| *time)
        };
        if self.incoming.iter().all(|incoming| of(incoming).is_some()) {
            for incoming in &mut self.incoming {
                incoming.announced = of(incoming);
            }
        }
    }

    /// Takes a packet of a section, RTP or RTCP (`control`). What is none, or of a section that is not carried, is
    /// passed over.
    pub fn packet(&mut self, now: Instant, section: usize, control: bool, bytes: Bytes) {
        let mut incoming = self.incoming.iter_mut();
        let Some(number) = incoming.position(|incoming| incoming.section == section) else {
            return;
        };
        // Some send reports where the packets go.
        if control || is_report(&bytes) {
            self.control(now, number, &bytes);
            return;
        }
        let Some(incoming) = self.incoming.get_mut(number) else {
            return;
        };
        // On a connection the number does not tell that a packet came twice.
        if incoming.reorder.is_in_order() && incoming.last == bytes {
            return;
        }
        let Some(header) = header(&bytes).filter(|header| incoming.is_ours(header)) else {
            return;
        };
        incoming.last = bytes.clone();
        self.begun.get_or_insert(now);
        incoming.reception.received(now, &header);
        incoming.reorder.push(now, &header, bytes);
        self.ordered(now, number);
    }

    /// What comes next; nothing before the first access unit.
    pub fn pull(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), or to ask for a [`report`](Self::report).
    pub fn timeout(&self) -> Option<Instant> {
        let incoming = self.incoming.iter();
        let timeouts =
            incoming.flat_map(|incoming| [incoming.reorder.timeout(), incoming.reception.due()]);
        timeouts.flatten().min()
    }

    /// Gives up what packets have waited for too long for.
    pub fn handle_timeout(&mut self, now: Instant) {
        for number in 0..self.incoming.len() {
            if let Some(incoming) = self.incoming.get_mut(number) {
                incoming.reorder.expire(now);
            }
            self.ordered(now, number);
        }
    }

    /// A receiver report that is due, as RTCP of the section of that number. To be asked for until there is none.
    pub fn report(&mut self, now: Instant) -> Option<(usize, Vec<u8>)> {
        let ssrc = self.ssrc;
        let mut incoming = self.incoming.iter_mut();
        let due =
            incoming.find(|incoming| incoming.reception.due().is_some_and(|due| due <= now))?;
        Some((due.section, due.reception.report(now, ssrc, NAME)))
    }

    /// Packets that never came in time, and access units of which parts were missing.
    pub fn losses(&self) -> (u64, u64) {
        let incoming = self.incoming.iter();
        incoming.fold((0, 0), |(lost, damaged), incoming| {
            (
                lost + incoming.reorder.counts().lost,
                damaged + incoming.damaged(),
            )
        })
    }

    /// Takes a datagram of RTCP.
    fn control(&mut self, now: Instant, number: usize, bytes: &[u8]) {
        let Some(incoming) = self.incoming.get_mut(number) else {
            return;
        };
        for packet in rtcp::packets(bytes).flatten() {
            if let rtcp::Packet::SenderReport(report) = packet {
                incoming.reception.sender_report(now, &report.info);
                // One of a sender without a clock.
                if report.info.ntp.0 != 0 {
                    incoming.unused_report = Some(report.info);
                    incoming.reported = Some(now);
                }
            }
        }
        self.compare(number);
    }

    /// Takes what the last sender report says, once there is a packet.
    fn compare(&mut self, number: usize) {
        let Some(incoming) = self.incoming.get_mut(number) else {
            return;
        };
        if incoming.clock.newest.is_some()
            && let Some(info) = incoming.unused_report.take()
        {
            let elapsed = incoming.clock.elapsed(info.rtp, 0);
            let came = incoming.reported;
            self.axis
                .report(number, info.ntp, elapsed, incoming.timebase, came);
        }
    }

    /// Depacketizes what is in order.
    fn ordered(&mut self, now: Instant, number: usize) {
        while let Some(arrival) = self
            .incoming
            .get_mut(number)
            .and_then(|incoming| incoming.reorder.pull())
        {
            self.arrived(now, number, &arrival);
        }
    }

    fn arrived(&mut self, now: Instant, number: usize, arrival: &Arrival<Bytes>) {
        let Ok(packet) = Packet::parse(&arrival.packet) else {
            return;
        };
        let timestamp = packet.header.timestamp;
        let Some(incoming) = self.incoming.get(number) else {
            return;
        };
        let timebase = incoming.timebase;
        let since = |before: Option<Instant>| {
            let passed = before.map(|before| now.saturating_duration_since(before));
            timebase.ticks(passed.unwrap_or_default())
        };
        let (clock, most) = (incoming.clock, timebase.ticks(MAX_LEAP));
        let anew = arrival.restarted || clock.leaps(timestamp, since(clock.came), most);
        if anew {
            // What is in the making has the clock from before.
            if let Some(incoming) = self.incoming.get_mut(number)
                && let Content::Units(depacketizer) = &mut incoming.content
            {
                depacketizer.flush();
            }
            self.depacketized(number);
        }
        let Some(incoming) = self.incoming.get_mut(number) else {
            return;
        };
        if anew {
            // The new clock goes on where the old one would be now.
            let (newest, came) = (incoming.clock.newest, incoming.clock.came);
            let elapsed = newest.map_or(0, |(_, elapsed)| elapsed);
            let elapsed = elapsed.saturating_add(since(came));
            incoming.clock.newest = Some((timestamp, elapsed));
            incoming.unused_report = None;
            self.axis.forget(number);
        } else {
            let first = match incoming.announced.take() {
                Some(start) => {
                    let ticks = i64::from(timestamp.wrapping_sub(start) as i32);
                    let limit = incoming.timebase.ticks(MAX_START);
                    let plausible = ticks.abs() <= limit;
                    if plausible { ticks } else { since(self.begun) }
                }
                None => since(self.begun),
            };
            let elapsed = incoming.clock.elapsed(timestamp, first);
            incoming.clock.newest = Some((timestamp, elapsed));
        }
        incoming.clock.came = Some(now);
        let lost = arrival.lost > 0 || arrival.restarted;
        let pushed = match &mut incoming.content {
            Content::Units(depacketizer) => depacketizer.push(&Input::new(&packet, lost)),
            Content::Program(program) => program.push(packet.payload),
        };
        if let Err(error) = pushed {
            tracing::trace!(section = incoming.section, %error, "packet not used");
        }
        self.compare(number);
        self.depacketized(number);
    }

    /// Takes what a depacketizer gives.
    fn depacketized(&mut self, number: usize) {
        while let Some(incoming) = self.incoming.get_mut(number)
            && let Some(piece) = incoming.content.pull()
        {
            match piece {
                Piece::Payload(payload::Event::Codec(codec)) => {
                    // There are far fewer sections than numbers.
                    let id = TrackId(u16::try_from(number).unwrap_or(u16::MAX));
                    let news = incoming.take_codec(id, codec);
                    if self.open {
                        self.events.extend(news.map(Event::Track));
                    }
                }
                Piece::Payload(payload::Event::Unit(unit)) => self.unit(number, unit),
                Piece::Program(Event::Unit(unit)) => {
                    if self.may_open(number) {
                        self.give(unit);
                    }
                }
                Piece::Program(track) => self.events.extend(self.open.then_some(track)),
            }
        }
    }

    fn unit(&mut self, number: usize, unit: Unit) {
        if !self.may_open(number) {
            return;
        }
        let Some(incoming) = self.incoming.get_mut(number) else {
            return;
        };
        let Some(track) = &incoming.track else {
            return;
        };
        let elapsed = incoming.clock.elapsed(unit.timestamp, 0);
        let timebase = track.timebase;
        let pts = self.axis.place(number, elapsed, timebase);
        let times = incoming.times.as_mut();
        let access_unit = AccessUnit {
            track: track.id,
            dts: times.map_or(pts, |times| times.next(&unit.payload, pts)),
            pts,
            random_access: unit.random_access,
            disposable: unit.disposable,
            discontinuity: false,
            capture: incoming.clock.came.and_then(|came| {
                self.axis
                    .capture(number, elapsed, timebase, (came, SystemTime::now()))
            }),
            payload: unit.payload,
        };
        self.give(access_unit);
    }

    fn give(&mut self, unit: AccessUnit) {
        if !self.open {
            self.open = true;
            let known = self.incoming.iter().flat_map(Incoming::tracks).cloned();
            self.events.extend(known.map(Event::Track));
        }
        self.events.push_back(Event::Unit(unit));
    }

    /// Whether a unit of this section may be the first that is given.
    fn may_open(&self, number: usize) -> bool {
        let is_picture = |incoming: &Incoming| {
            incoming.has_pictures && matches!(incoming.content, Content::Units(_))
        };
        if self.open || self.incoming.get(number).is_some_and(is_picture) {
            return true;
        }
        let awaits = self.incoming.iter().any(Incoming::awaits_pictures);
        let waited = self.begun.map(|begun| begun.elapsed());
        !awaits || waited.is_some_and(|waited| waited >= PICTURES_WAITED_FOR)
    }
}

/// Whether it is RTCP, by the types of packets that RTP keeps free (RFC 5761 section 4).
fn is_report(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// The header of an RTP packet.
fn header(bytes: &[u8]) -> Option<Header> {
    Packet::parse(bytes).ok().map(|packet| packet.header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::Codec;
    use rtp::payload::packetize;
    use rtp::rtcp::{NtpTime, SenderInfo, SenderReport};

    const PICTURE: &[u8] = &[0, 0, 0, 3, 0x65, 0x88, 0x80];
    const SETS: &str = "Z0LACtp5,aM48gA==";

    fn description(sets: &str) -> sdp::Description {
        let text = format!(
            "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n\
             a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\n\
             m=application 0 RTP/AVP 107\na=rtpmap:107 x-secret/90000\nm=audio 0 RTP/AVP 8\n"
        );
        sdp::Description::parse(text.as_bytes()).unwrap()
    }

    /// Pictures are section 0, sound is section 2.
    fn receiver(sets: &str) -> Receiver {
        let media = description(sets).media;
        let mut refused = Vec::new();
        let sections = media.iter().enumerate();
        let incoming = sections.filter_map(|(number, media)| {
            let made = Incoming::new(number, media).map(Incoming::in_order);
            made.map_err(|error| refused.push(error.to_string())).ok()
        });
        let receiver = Receiver::new(incoming.collect());
        assert_eq!(refused, ["x-secret is not carried"]);
        receiver
    }

    fn rtp(ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) -> Bytes {
        let header = Header {
            marker: true,
            payload_type: 96,
            sequence,
            timestamp,
            ssrc,
        };
        [&header.bytes()[..], payload].concat().into()
    }

    fn sender_report(ssrc: u32, micros: u64, timestamp: u32) -> Bytes {
        let report = SenderReport {
            ssrc,
            info: SenderInfo {
                ntp: NtpTime::from_unix(Duration::from_micros(micros)),
                rtp: timestamp,
                ..SenderInfo::default()
            },
            blocks: Vec::new(),
        };
        let mut bytes = Vec::new();
        rtcp::Packet::SenderReport(report).write(&mut bytes);
        bytes.into()
    }

    /// (track, presentation time) of what has come; a track itself has no time.
    fn pulled(receiver: &mut Receiver) -> Vec<(u16, Option<i64>)> {
        let events = std::iter::from_fn(|| receiver.pull());
        let told = events.map(|event| match event {
            Event::Track(track) => (track.id.0, None),
            Event::Unit(unit) => (unit.track.0, Some(unit.pts)),
        });
        told.collect()
    }

    #[test]
    fn tracks_come_first_and_times_are_those_of_the_sender() {
        let now = Instant::now();
        let mut receiver = receiver(SETS);
        assert_eq!(pulled(&mut receiver), []);
        // The sound's zero lies half a second behind that of the pictures, whatever their packets look like.
        let start = 1_700_000_000_000_000;
        receiver.packet(now, 0, true, sender_report(1, start, u32::MAX - 8_999));
        receiver.packet(now, 2, true, sender_report(2, start + 500_000, 50));
        receiver.packet(now, 1, false, rtp(3, 0, 0, b"unknown"));
        receiver.packet(now, 0, false, rtp(1, 7, u32::MAX - 8_999, &PICTURE[4..]));
        receiver.packet(now, 2, false, rtp(2, 9, 50, &[0xd5; 160]));
        receiver.packet(now, 0, false, rtp(1, 8, 0, &PICTURE[4..]));
        let expected = [
            (0, None),
            (1, None),
            (0, Some(0)),
            (1, Some(4_000)),
            (0, Some(9_000)),
        ];
        assert_eq!(pulled(&mut receiver), expected);
        let due = receiver.timeout().unwrap();
        let (section, report) = receiver.report(due).unwrap();
        assert!(section == 0 && rtcp::packets(&report).flatten().count() == 2);
    }

    #[test]
    fn sound_waits_for_pictures_whose_parameters_are_not_known() {
        let now = Instant::now();
        let mut receiver = receiver("");
        receiver.packet(now, 2, false, rtp(2, 9, 0, &[0xd5; 160]));
        assert_eq!(pulled(&mut receiver), []);
        let known = receiver_codec();
        let payloads = packetize(&known, PICTURE, 1_200).unwrap();
        let (mut sequence, last) = (0, payloads.len());
        for payload in payloads.iter() {
            sequence += 1;
            let mut packet = rtp(1, sequence, 0, payload).to_vec();
            if usize::from(sequence) < last {
                packet[1] &= 0x7f;
            }
            receiver.packet(now, 0, false, packet.into());
        }
        receiver.packet(now, 2, false, rtp(2, 10, 160, &[0xd5; 160]));
        let expected = [(0, None), (1, None), (0, Some(0)), (1, Some(160))];
        assert_eq!(pulled(&mut receiver), expected);
    }

    #[test]
    fn a_source_that_begins_anew_goes_on() {
        let now = Instant::now();
        let mut receiver = receiver(SETS);
        receiver.starts(&[(0, 100), (2, 0)]);
        receiver.packet(now, 0, false, rtp(1, 7, 3_100, &PICTURE[4..]));
        receiver.packet(now, 0, false, rtp(1, 8, 6_100, &PICTURE[4..]));
        let later = now + Duration::from_secs(1);
        receiver.packet(later, 0, false, rtp(5, 900, 4_000_000_000, &PICTURE[4..]));
        receiver.packet(later, 0, false, rtp(5, 901, 4_000_003_000, &PICTURE[4..]));
        let expected = [
            (0, None),
            (1, None),
            (0, Some(3_000)),
            (0, Some(6_000)),
            (0, Some(96_000)),
            (0, Some(99_000)),
        ];
        assert_eq!(pulled(&mut receiver), expected);
    }

    #[test]
    fn a_clock_that_is_set_leaves_no_hole() {
        let now = Instant::now();
        for leap in [324_000_000u32, 0u32.wrapping_sub(324_000_000)] {
            let mut receiver = receiver(SETS);
            let at = |ms: u64| now + Duration::from_millis(ms);
            receiver.packet(at(0), 0, false, rtp(1, 7, 1_000, &PICTURE[4..]));
            receiver.packet(at(40), 0, false, rtp(1, 8, 4_600, &PICTURE[4..]));
            receiver.packet(
                at(80),
                0,
                false,
                rtp(1, 9, 8_200u32.wrapping_add(leap), &PICTURE[4..]),
            );
            receiver.packet(
                at(120),
                0,
                false,
                rtp(1, 10, 11_800u32.wrapping_add(leap), &PICTURE[4..]),
            );
            // Held up for a while, and then together: that is what the camera's clock says.
            receiver.packet(
                at(20_120),
                0,
                false,
                rtp(1, 11, 15_400u32.wrapping_add(leap), &PICTURE[4..]),
            );
            let times: Vec<_> = pulled(&mut receiver)
                .into_iter()
                .filter_map(|(_, time)| time)
                .collect();
            assert_eq!(times, [0, 3_600, 7_200, 10_800, 14_400]);
        }
    }

    #[test]
    fn what_comes_twice_or_is_no_packet_of_the_format_is_passed_over() {
        let now = Instant::now();
        let mut receiver = receiver(SETS);
        let packet = rtp(1, 7, 3_000, &PICTURE[4..]);
        receiver.packet(now, 0, false, packet.clone());
        receiver.packet(now, 0, false, packet);
        // Comfort noise, and a report where packets go.
        let mut other = rtp(1, 8, 77, &[0x41, 0x9a, 1]).to_vec();
        other[1] = 13;
        receiver.packet(now, 0, false, other.into());
        receiver.packet(now, 0, false, sender_report(1, 1, 0));
        receiver.packet(now, 0, false, rtp(1, 9, 6_000, &PICTURE[4..]));
        let expected = [(0, None), (1, None), (0, Some(0)), (0, Some(3_000))];
        assert_eq!(pulled(&mut receiver), expected);
    }

    /// The codec of [`SETS`].
    fn receiver_codec() -> Codec {
        match receiver(SETS).incoming.swap_remove(0).track {
            Some(track) => track.codec,
            None => unreachable!("its parameter sets are told"),
        }
    }
}
