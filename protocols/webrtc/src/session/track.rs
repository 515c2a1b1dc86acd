//! One track on its way to one viewer: the headers that are this viewer's own, and what it misses.
//!
//! The index of a packet (its sequence number with the wraps above it) goes up by one with each new packet
//! and never back. Sent again under its own index, a packet is made from the same header and the same shared
//! payload, so that an index never stands for two different packets; as a retransmission stream (RFC 4588)
//! it gets the next index of that stream.

use super::history::{History, Sent};
use super::outgoing::{Batch, Outgoing};
use crate::ice::Path;
use crate::sdp::choose::ChosenTrack;
use crate::srtp::Outbound;
use media::Kind;
use rtp::rtcp::SenderInfo;
use rtp::{HEADER_LEN, Header, Payloads};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Random bytes a track is made from.
pub(super) const RANDOM: usize = 16;

/// Bytes that may be sent again at once, and how many are won back with each byte sent: a viewer that misses
/// more than that is not helped by more of it.
const MAX_ALLOWANCE: usize = 512 * 1_024;
const SENT_PER_ALLOWANCE: usize = 2;

/// Most packets that are on their way again.
const MAX_AGAIN: usize = 1_024;

/// A packet that was asked for again is on its way for so long: players ask more often than that on quick networks, and a
/// busy one would be sent everything several times.
const ON_ITS_WAY: Duration = Duration::from_millis(40);

/// What became of a request for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It was sent, with so many bytes of payload.
    Sent(usize),
    /// It was sent again just now.
    OnItsWay,
    /// It is not there any more, or more than may be sent again.
    Not,
}

/// What belongs to one source: its number, and the index of its next packet.
#[derive(Clone, Copy, Debug)]
struct Source {
    payload_type: u8,
    ssrc: u32,
    next: u64,
}

pub(super) struct Track {
    kind: Kind,
    clock_rate: u32,
    media: Source,
    retransmission: Option<Source>,
    /// Added to every timestamp.
    offset: u32,
    first: u64,
    octets: u64,
    /// Empty when the viewer does not ask again.
    history: Option<History>,
    allowance: usize,
    /// Packets that were sent again lately, and when.
    again: VecDeque<(u64, Instant)>,
    /// Those of them that are sent once more with the next access unit.
    once_more: Vec<u64>,
}

/// What one call sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SentCount {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Track {
    /// With numbers made from `random`, other than those of `others`.
    pub(super) fn new(chosen: &ChosenTrack, random: &[u8], others: &[Self]) -> Self {
        let word = |index: usize| {
            let bytes = random.get(index * 4..).and_then(<[u8]>::first_chunk);
            bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
        };
        let taken = |ssrc: u32| {
            let sources = others.iter().map(Self::sources);
            ssrc == 0
                || sources
                    .into_iter()
                    .any(|(own, rtx)| own == ssrc || rtx == Some(ssrc))
        };
        let free = |mut ssrc: u32, and_not: u32| {
            while taken(ssrc) || ssrc == and_not {
                ssrc = ssrc.wrapping_add(1);
            }
            ssrc
        };
        // Below 2¹⁵: the receiver is not told how often the number wrapped, and one that wraps among the
        // first packets, when some may be lost, is guessed wrong (RFC 3711 section 3.3.1).
        let start = |word: u32| u64::from(word & 0x7fff);
        let ssrc = free(word(0), 0);
        Self {
            kind: chosen.kind,
            clock_rate: chosen.agreed.clock_rate,
            media: Source {
                payload_type: chosen.payload_type,
                ssrc,
                next: start(word(1)),
            },
            retransmission: chosen.rtx_payload_type.map(|payload_type| Source {
                payload_type,
                ssrc: free(word(2), ssrc),
                next: start(word(1) >> 16),
            }),
            offset: word(3),
            first: start(word(1)),
            octets: 0,
            history: chosen.nack.then(History::default),
            allowance: MAX_ALLOWANCE / 4,
            again: VecDeque::new(),
            once_more: Vec::new(),
        }
    }

    /// Takes what was agreed on of what was offered. False when that is another format.
    pub(super) fn agree(&mut self, chosen: &ChosenTrack) -> bool {
        if !chosen.nack {
            self.history = None;
        }
        if chosen.rtx_payload_type.is_none() {
            self.retransmission = None;
        }
        chosen.payload_type == self.media.payload_type
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The source of its packets, and of its retransmissions.
    pub(super) fn sources(&self) -> (u32, Option<u32>) {
        let retransmission = self.retransmission.map(|source| source.ssrc);
        (self.media.ssrc, retransmission)
    }

    /// The same, each with the sequence number of its next packet.
    pub(super) fn next(&self) -> impl Iterator<Item = (u32, u16)> {
        let sources = std::iter::once(self.media).chain(self.retransmission);
        sources.map(|source| (source.ssrc, source.next as u16))
    }

    pub(super) const fn has_sent(&self) -> bool {
        self.media.next > self.first
    }

    /// The timestamp of a time in ticks of any clock.
    fn timestamp(&self, ticks: i64, ticks_per_second: u32) -> u32 {
        let scaled =
            i128::from(ticks) * i128::from(self.clock_rate) / i128::from(ticks_per_second.max(1));
        // Timestamps wrap.
        (scaled as u32).wrapping_add(self.offset)
    }

    /// What a sender report says at a media time in microseconds.
    pub(super) fn sender_info(&self, micros: i64) -> SenderInfo {
        SenderInfo {
            ntp: rtp::rtcp::NtpTime::default(),
            rtp: self.timestamp(micros, 1_000_000),
            packets: (self.media.next - self.first) as u32,
            octets: self.octets as u32,
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the session's own fields, and what it was given"
    )]
    pub(super) fn send(
        &mut self,
        now: Instant,
        path: Path,
        ticks: i64,
        ticks_per_second: u32,
        payloads: &Payloads,
        srtp: &mut Outbound,
        out: &mut Outgoing,
    ) -> SentCount {
        let overhead = HEADER_LEN + out.profile.map_or(0, |profile| profile.tag_len());
        let timestamp = self.timestamp(ticks, ticks_per_second);
        let first = self.media.next;
        out.buffer
            .reserve(payloads.bytes() + payloads.len() * overhead);
        let mut batch = Batch::new(path);
        let last = payloads.len().saturating_sub(1);
        for (number, payload) in payloads.iter().enumerate() {
            batch.add(overhead + payload.len(), out);
            let index = self.media.next;
            self.media.next += 1;
            // The marker ends a picture; sound has none (RFC 3551 section 4.1).
            let marker = number == last && self.kind == Kind::Video;
            let header = self.media.header(index, timestamp, marker);
            // A cipher that fails has appended nothing: for the receiver the packet is lost.
            let _ = srtp.rtp(&header, index, &[payload], &mut out.buffer);
        }
        batch.finish(out);
        let sent = SentCount {
            packets: payloads.len() as u64,
            bytes: payloads.bytes() as u64,
        };
        self.octets = self.octets.wrapping_add(sent.bytes);
        self.allowance =
            (self.allowance + payloads.bytes() / SENT_PER_ALLOWANCE).min(MAX_ALLOWANCE);
        if let Some(history) = &mut self.history {
            history.push(now, first, timestamp, payloads.clone());
        }
        sent
    }

    /// Sends a packet again.
    pub(super) fn send_again(
        &mut self,
        now: Instant,
        sequence: u16,
        path: Path,
        srtp: &mut Outbound,
        out: &mut Outgoing,
    ) -> Again {
        // The last packet with this sequence number.
        let back = (self.media.next as u16).wrapping_sub(sequence);
        let index = self.media.next.checked_sub(u64::from(back));
        let Some(index) = index.filter(|_| back > 0) else {
            return Again::Not;
        };
        let is_old =
            |(_, at): &mut (u64, Instant)| now.saturating_duration_since(*at) >= ON_ITS_WAY;
        while self.again.pop_front_if(is_old).is_some() {}
        if self.again.iter().any(|(again, _)| *again == index) {
            return Again::OnItsWay;
        }
        if self.again.len() >= MAX_AGAIN {
            return Again::Not;
        }
        let result = self.repeat(index, path, srtp, out);
        if matches!(result, Again::Sent(_)) {
            self.again.push_back((index, now));
            if self.once_more.len() < MAX_AGAIN {
                self.once_more.push(index);
            }
        }
        result
    }

    /// Sends once more what was asked for since the last access unit, and gives the bytes of that: a player that does not
    /// know how far away the server is asks a second time only after 100 ms, which can be seen. To be called a moment later
    /// than the first time, so that it is not lost with it.
    pub(super) fn send_once_more(
        &mut self,
        path: Path,
        srtp: &mut Outbound,
        out: &mut Outgoing,
    ) -> usize {
        let mut bytes = 0;
        for index in std::mem::take(&mut self.once_more) {
            if let Again::Sent(sent) = self.repeat(index, path, srtp, out) {
                bytes += sent;
            }
        }
        bytes
    }

    /// What was asked for is on its way once, and that is enough.
    pub(super) fn send_no_more(&mut self) {
        self.once_more.clear();
    }

    fn repeat(&mut self, index: u64, path: Path, srtp: &mut Outbound, out: &mut Outgoing) -> Again {
        let Some(sent) = self.history.as_ref().and_then(|history| history.get(index)) else {
            return Again::Not;
        };
        let Some(left) = self.allowance.checked_sub(sent.payload.len()) else {
            return Again::Not;
        };
        self.allowance = left;
        let Sent {
            timestamp,
            marker,
            payload,
        } = sent;
        let marker = marker && self.kind == Kind::Video;
        let mut batch = Batch::new(path);
        batch.add(payload.len(), out);
        let result = match &mut self.retransmission {
            Some(source) => {
                let again = source.next;
                source.next += 1;
                let header = source.header(again, timestamp, marker);
                // The number it had at first (RFC 4588 section 4).
                let original = (index as u16).to_be_bytes();
                srtp.rtp(&header, again, &[&original, payload], &mut out.buffer)
            }
            None => {
                let header = self.media.header(index, timestamp, marker);
                srtp.rtp(&header, index, &[payload], &mut out.buffer)
            }
        };
        batch.finish(out);
        match result {
            Ok(()) => Again::Sent(payload.len()),
            Err(_) => Again::Not,
        }
    }

    /// Lets go of what is too old to be sent again.
    pub(super) fn forget(&mut self, now: Instant) {
        if let Some(history) = &mut self.history {
            history.forget(now);
        }
    }
}

impl Source {
    const fn header(&self, index: u64, timestamp: u32, marker: bool) -> Header {
        Header {
            marker,
            payload_type: self.payload_type,
            sequence: index as u16,
            timestamp,
            ssrc: self.ssrc,
        }
    }
}
