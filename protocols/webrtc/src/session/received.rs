//! A session with a publisher: what comes, and what is asked of it.

use super::{Event, Session};
use crate::ice::Path;
use crate::sdp::Offer;
use crate::sdp::choose::Chosen;
use media::Kind;
use rtp::rtcp::{Packet, SenderReport};
use std::time::{Duration, Instant};

/// A track that a publisher sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFormat {
    /// Video or audio.
    pub kind: Kind,
    /// The number in its packets.
    pub payload_type: u8,
    /// Its encoding, as in `rtpmap`.
    pub encoding: String,
    /// Ticks per second of its timestamps.
    pub clock_rate: u32,
    /// Number of channels; of pictures it says nothing.
    pub channels: u8,
    /// What `fmtp` of the offer says.
    pub parameters: String,
}

/// The formats that were chosen, in the order of the tracks.
pub(super) fn formats(offer: &Offer, chosen: &Chosen) -> Vec<ReceivedFormat> {
    let tracks = chosen.tracks.iter().filter_map(|track| {
        let mut formats = offer.media.get(track.section)?.formats.iter();
        let format = formats.find(|format| format.payload_type == track.payload_type)?;
        Some(ReceivedFormat {
            kind: track.kind,
            payload_type: track.payload_type,
            encoding: format.name.clone(),
            clock_rate: format.clock_rate,
            channels: format.channels.max(1),
            parameters: format.parameters.clone(),
        })
    });
    tracks.collect()
}

impl Session {
    /// How long a packet that is missing is asked for again: whoever puts packets in order waits for so long.
    pub const HOPE: Duration = super::incoming::HOPE;

    /// What the publisher sends; empty in a session with a viewer.
    pub fn received(&self) -> &[ReceivedFormat] {
        &self.formats
    }

    /// Asks the publisher for a random access point: at once, or 400 ms after it was last asked.
    pub fn want_picture(&mut self, now: Instant) {
        if let Some(incoming) = &mut self.incoming {
            incoming.want_random_access();
            self.tell_publisher(now);
        }
    }

    /// Sends the publisher control packets, as one datagram: a report of what was received, and who says so.
    pub fn send_report(&mut self, compound: Vec<u8>) {
        if !self.closed {
            self.send_rtcp(compound);
        }
    }

    /// Takes a datagram of RTP.
    pub(super) fn packet(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        // Viewers send none.
        let Some((_, inbound)) = self.srtp.as_mut().filter(|_| self.incoming.is_some()) else {
            return;
        };
        let Ok(packet) = inbound.rtp(datagram) else {
            return;
        };
        self.agent.used(now, path);
        self.plain_packet(now, packet);
    }

    /// Takes a packet that is authentic, or one of fuzzing, which cannot know the keys.
    pub(crate) fn plain_packet(&mut self, now: Instant, packet: Vec<u8>) {
        let incoming = self.incoming.as_mut();
        let meant = incoming.and_then(|incoming| incoming.packet(now, packet));
        if let Some((track, bytes)) = meant {
            let control = false;
            self.out.event(Event::Packet {
                track,
                control,
                bytes,
            });
        }
        self.tell_publisher(now);
    }

    /// Passes on what a publisher says of its clock.
    pub(super) fn sender_reported(&mut self, report: SenderReport) {
        let incoming = self.incoming.as_ref();
        let Some(track) = incoming.and_then(|incoming| incoming.track_of(report.ssrc)) else {
            return;
        };
        let mut bytes = Vec::with_capacity(64);
        Packet::SenderReport(report).write(&mut bytes);
        self.out.event(Event::Packet {
            track,
            control: true,
            bytes: bytes.into(),
        });
    }

    /// When [`tell_publisher`](Self::tell_publisher) has something to do.
    pub(super) fn tell_at(&self) -> Option<Instant> {
        self.incoming.as_ref()?.timeout()
    }

    /// Sends the publisher what is due: what is missing, when packets came, that a picture is wanted.
    pub(super) fn tell_publisher(&mut self, now: Instant) {
        let due = self.tell_at().is_some_and(|due| due <= now);
        let Some(incoming) = self.incoming.as_mut().filter(|_| due) else {
            return;
        };
        let packets = incoming.feedback(now);
        if packets.is_empty() {
            return;
        }
        let mut compound = Vec::with_capacity(256);
        let ssrc = incoming.ssrc();
        self.write_head(ssrc, &mut compound);
        for packet in packets {
            packet.write(&mut compound);
        }
        self.send_rtcp(compound);
    }
}
