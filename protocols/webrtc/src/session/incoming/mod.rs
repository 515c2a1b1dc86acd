//! What a publisher sends: which track each packet is of, what is missing, and what the publisher is told of it.

mod arrivals;
mod missing;

pub(crate) use missing::HOPE;

use crate::sdp::choose::ChosenTrack;
use arrivals::Arrivals;
use bytes::Bytes;
use media::Kind;
use missing::Missing;
use rtp::rtcp::{self, FullIntraRequest, Nack, PictureLoss};
use rtp::{Header, Packet};
use smallvec::SmallVec;
use std::time::{Duration, Instant};

/// Between two requests for a random access point.
const REQUEST: Duration = Duration::from_millis(400);

/// The receiving part of a session.
pub(super) struct Incoming {
    tracks: SmallVec<[Track; 2]>,
    arrivals: Arrivals,
    /// Who we are in what the publisher is told.
    ssrc: u32,
    request: Request,
    counts: Counts,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Packets that came, those that came again included.
    pub(super) received: u64,
    /// Requests for packets that are missing.
    pub(super) asked: u64,
    /// Packets that did not come.
    pub(super) lost: u64,
    /// Requests for a random access point.
    pub(super) random_access: u64,
}

/// Asking for a random access point.
struct Request {
    is_wanted: bool,
    /// Not before this.
    earliest: Instant,
    /// Of the next full intra request.
    number: u8,
}

/// One track of the publisher.
struct Track {
    kind: Kind,
    payload_type: u8,
    rtx_payload_type: Option<u8>,
    counter: Option<u8>,
    nack: bool,
    way: Option<RequestBy>,
    /// The source of its packets, once one came.
    ssrc: Option<u32>,
    missing: Missing,
}

/// How the publisher takes a request for a random access point.
#[derive(Clone, Copy)]
enum RequestBy {
    PictureLoss,
    FullIntra,
}

impl Incoming {
    /// Of these tracks.
    pub(super) fn new(now: Instant, ssrc: u32, tracks: &[ChosenTrack]) -> Self {
        let tracks = tracks.iter().map(|track| {
            let takes = |feedback| track.feedback.contains(&feedback);
            let by_loss = takes("nack pli").then_some(RequestBy::PictureLoss);
            Track {
                kind: track.kind,
                payload_type: track.payload_type,
                rtx_payload_type: track.rtx_payload_type,
                counter: track.counter,
                nack: track.nack,
                way: by_loss.or_else(|| takes("ccm fir").then_some(RequestBy::FullIntra)),
                ssrc: None,
                missing: Missing::default(),
            }
        });
        Self {
            tracks: tracks.collect(),
            arrivals: Arrivals::new(now),
            ssrc,
            request: Request {
                is_wanted: false,
                earliest: now,
                number: 0,
            },
            counts: Counts::default(),
        }
    }

    /// Who we are in what the publisher is told.
    pub(super) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes a packet as it was sent, and gives the number of its track and the packet as it was meant; nothing for one
    /// that is of no track, or that has come before.
    pub(super) fn packet(&mut self, now: Instant, bytes: Vec<u8>) -> Option<(usize, Bytes)> {
        let packet = Packet::parse(&bytes).ok()?;
        let header = packet.header;
        let of = |track: &Track| {
            track.payload_type == header.payload_type
                || track.rtx_payload_type == Some(header.payload_type)
        };
        let number = self.tracks.iter().position(of)?;
        let track = self.tracks.get_mut(number)?;
        if let Some(counter) = track.counter {
            let mut elements = packet.extension.iter().flat_map(|e| e.elements());
            let element = elements.find(|(id, _)| *id == counter);
            if let Some(count) = element.and_then(|(_, value)| value.first_chunk()) {
                self.arrivals.received(now, u16::from_be_bytes(*count));
            }
        }
        self.counts.received += 1;
        let is_again = track.payload_type != header.payload_type;
        let meant = if is_again {
            let again = original(track, &packet)?;
            // Publishers try what the way carries with packets that are not missed.
            track.missing.found(again.0).then_some(again.1)?
        } else {
            if track.ssrc != Some(header.ssrc) {
                track.ssrc = Some(header.ssrc);
                track.missing = Missing::default();
            }
            track.missing.received(now, header.sequence).then_some(())?;
            Bytes::from(bytes)
        };
        Some((number, meant))
    }

    /// The number of the track with this source.
    pub(super) fn track_of(&self, ssrc: u32) -> Option<usize> {
        let mut tracks = self.tracks.iter();
        tracks.position(|track| track.ssrc == Some(ssrc))
    }

    /// The publisher is asked for a random access point, now or as soon as that may be.
    pub(super) const fn want_random_access(&mut self) {
        self.request.is_wanted = true;
    }

    /// When [`feedback`](Self::feedback) is to be asked for.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let missing = self
            .tracks
            .iter()
            .filter_map(|track| track.missing.timeout());
        let others = [self.arrivals.timeout(), self.request.due()];
        missing.chain(others.into_iter().flatten()).min()
    }

    /// What the publisher is to be told now.
    pub(super) fn feedback(&mut self, now: Instant) -> Vec<rtcp::Packet> {
        let mut packets = Vec::new();
        let sender = self.ssrc;
        for track in &mut self.tracks {
            let due = track.missing.due(now);
            let lost = track.missing.take_given_up();
            self.counts.lost += lost;
            self.request.is_wanted |= lost > 0 && track.kind == Kind::Video;
            let Some(media) = track.ssrc.filter(|_| track.nack && !due.is_empty()) else {
                continue;
            };
            self.counts.asked += due.len() as u64;
            packets.push(rtcp::Packet::Nack(Nack::new(sender, media, due)));
        }
        if self.request.due().is_some_and(|due| due <= now) {
            packets.extend(self.request_random_access(now));
        }
        let media = self.tracks.iter().find_map(|track| track.ssrc);
        packets.extend(self.arrivals.report(now, sender, media.unwrap_or(0)));
        packets
    }

    fn request_random_access(&mut self, now: Instant) -> Option<rtcp::Packet> {
        self.request.is_wanted = false;
        let pictures = |track: &Track| Some((track.ssrc?, track.way?));
        let (media, way) = self.tracks.iter().find_map(pictures)?;
        self.request.earliest = now + REQUEST;
        self.counts.random_access += 1;
        let sender = self.ssrc;
        Some(match way {
            RequestBy::PictureLoss => rtcp::Packet::PictureLoss(PictureLoss { sender, media }),
            RequestBy::FullIntra => {
                let number = self.request.number;
                self.request.number = number.wrapping_add(1);
                let requests = vec![(media, number)];
                rtcp::Packet::FullIntraRequest(FullIntraRequest { sender, requests })
            }
        })
    }
}

impl Request {
    fn due(&self) -> Option<Instant> {
        self.is_wanted.then_some(self.earliest)
    }
}

/// The packet that a retransmission stands for, with its number (RFC 4588 section 4).
fn original(track: &Track, packet: &Packet<'_>) -> Option<(u16, Bytes)> {
    let (sequence, payload) = packet.payload.split_first_chunk::<2>()?;
    let header = Header {
        payload_type: track.payload_type,
        sequence: u16::from_be_bytes(*sequence),
        ssrc: track.ssrc?,
        ..packet.header
    };
    let bytes = [&header.bytes()[..], payload].concat();
    Some((header.sequence, bytes.into()))
}
