//! Control packets: what the viewer says of its reception, and what is reported to it.

use super::track::Again;
use super::{Event, REPORT, Session};
use crate::ice::Path;
use media::Kind;
use rtp::rtcp::{self, Description, Packet, ReceiverReport, ReportBlock, SenderReport};
use std::time::{Duration, Instant};

/// Between two events that ask for a random access point.
const REQUEST: Duration = Duration::from_millis(500);

/// Most packets that are sent again for one datagram of feedback.
const MAX_AGAIN: usize = 512;

/// Our last reports that are remembered: an answer names the last that has come.
pub(super) const REPORTED: usize = 8;

/// What the viewer asked for.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// When a random access point was last asked for.
    random_access: Option<Instant>,
}

impl Session {
    /// Takes a datagram of RTCP.
    pub(super) fn feedback(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        let Some((_, inbound)) = self.srtp.as_mut() else {
            return;
        };
        let Ok(compound) = inbound.rtcp(datagram) else {
            return;
        };
        self.agent.used(now, path);
        let mut again = 0;
        let mut random_access = false;
        for packet in rtcp::packets(&compound).map_while(Result::ok) {
            match packet {
                Packet::SenderReport(report) if self.incoming.is_some() => {
                    self.sender_reported(report);
                }
                Packet::SenderReport(SenderReport { blocks, .. })
                | Packet::ReceiverReport(ReceiverReport { blocks, .. }) => {
                    for block in &blocks {
                        self.arrived(now, block);
                    }
                }
                Packet::Nack(nack) => {
                    for sequence in nack.sequences().take(MAX_AGAIN - again) {
                        again += 1;
                        self.send_again(now, nack.media, sequence);
                    }
                }
                Packet::ReceiverEstimate(estimate) => {
                    self.capacity.estimated(now, estimate.bitrate);
                }
                Packet::PictureLoss(loss) => random_access |= self.sends_video(loss.media),
                Packet::FullIntraRequest(wish) => {
                    let mut sources = wish.requests.iter();
                    random_access |= sources.any(|(source, _)| self.sends_video(*source));
                }
                _ => {}
            }
        }
        if random_access {
            self.want_random_access(now);
        }
    }

    fn sends_video(&self, source: u32) -> bool {
        let mut tracks = self.tracks.iter();
        tracks.any(|track| track.kind() == Kind::Video && track.sources().0 == source)
    }

    fn want_random_access(&mut self, now: Instant) {
        let last = self.requests.random_access;
        if last.is_some_and(|last| now.saturating_duration_since(last) < REQUEST) {
            return;
        }
        self.requests.random_access = Some(now);
        self.stats.random_access_wanted += 1;
        self.out.event(Event::RandomAccessWanted);
    }

    fn send_again(&mut self, now: Instant, source: u32, sequence: u16) {
        let (Some((srtp, _)), Some(path)) = (&mut self.srtp, self.agent.selected()) else {
            return;
        };
        let mut tracks = self.tracks.iter_mut();
        let Some(track) = tracks.find(|track| track.sources().0 == source) else {
            return;
        };
        track.forget(now);
        match track.send_again(now, sequence, path, srtp, &mut self.out) {
            Again::Sent(bytes) => {
                self.stats.retransmitted += 1;
                self.stats.bytes_again += bytes as u64;
            }
            Again::OnItsWay => {}
            Again::Not => self.stats.not_retransmitted += 1,
        }
    }

    fn arrived(&mut self, now: Instant, block: &ReportBlock) {
        if !self.sends_video(block.ssrc) && self.has(Kind::Video) {
            return;
        }
        self.stats.fraction_lost = f32::from(block.fraction_lost) / 256.0;
        let round_trip = self.round_trip(now, block);
        self.stats.round_trip = round_trip.or(self.stats.round_trip);
        let is_exceeded = self.capacity.report(
            now,
            block,
            round_trip,
            self.stats.bytes + self.stats.bytes_again,
        );
        self.stats.exceeded += u64::from(is_exceeded);
    }

    /// The time from here to the viewer and back, by its answer to one of our reports (RFC 3550 section 6.4.1). What those
    /// say of the time is when it was captured, which moves with the source: when they were sent is remembered.
    fn round_trip(&self, now: Instant, block: &ReportBlock) -> Option<Duration> {
        let mut reported = self.reported.iter().rev();
        let (_, at) = reported.find(|(name, _)| *name == block.last_report)?;
        // In 1/65,536 s.
        let held = Duration::from_micros(u64::from(block.delay) * 1_000_000 / 65_536);
        let took = now.saturating_duration_since(*at);
        Some(took.saturating_sub(held))
    }

    /// Sends a report for each track that was begun, all of one instant.
    pub(super) fn report(&mut self, now: Instant) {
        self.report_at = Some(now + REPORT);
        let Some(micros) = self.timeline.at(now) else {
            return;
        };
        let ntp = self.timeline.captured(now);
        if self.reported.len() >= REPORTED {
            self.reported.pop_front();
        }
        self.reported.push_back((ntp.compact(), now));
        let mut compound = Vec::with_capacity(128);
        let mut names = Vec::new();
        for track in self.tracks.iter().filter(|track| track.has_sent()) {
            let mut info = track.sender_info(micros);
            info.ntp = ntp;
            let ssrc = track.sources().0;
            let blocks = Vec::new();
            Packet::SenderReport(SenderReport { ssrc, info, blocks }).write(&mut compound);
            names.push((ssrc, self.cname.clone()));
        }
        for track in &mut self.tracks {
            track.forget(now);
        }
        Packet::Description(Description { names }).write(&mut compound);
        self.send_rtcp(compound);
    }

    /// What a compound begins with that is no report of a sender.
    pub(super) fn write_head(&self, ssrc: u32, out: &mut Vec<u8>) {
        let blocks = Vec::new();
        Packet::ReceiverReport(ReceiverReport { ssrc, blocks }).write(out);
        let names = vec![(ssrc, self.cname.clone())];
        Packet::Description(Description { names }).write(out);
    }

    pub(super) fn send_rtcp(&mut self, compound: Vec<u8>) {
        let (Some((srtp, _)), Some(path)) = (&mut self.srtp, self.agent.selected()) else {
            return;
        };
        // A cipher that fails sends nothing; the next report comes soon.
        if let Ok(datagram) = srtp.rtcp(compound) {
            self.out.push(path, datagram.into());
        }
    }
}
