//! A player on the connection: the frames that all players share, and what one of them still says.

use super::cutter::{self, Cutter, Outgoing, Place};
use crate::hub::{Ended, StreamName, TrackSet};
use crate::net::fanout::{self, Format, Packet, Peer};
use media::{AccessUnit, Timebase};
use rtp::rtcp;
use rtsp::message::Status;
use rtsp::server::{Event, Session, Track};
use rtsp::{Carriage, Output, frame_header};
use std::any::Any;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

/// Longest payload in bytes: with what stands before it, a segment of TCP on every usual path.
pub(super) const MAX_PAYLOAD: usize = 1_400;

/// A stream in interleaved frames (RFC 2326 section 10.12), cut once for all players that set up the same sections
/// on the same channels, as nearly all do.
pub(super) struct Form {
    cutter: Cutter,
    /// Section, channel of RTP, channel of RTCP.
    channels: Vec<(usize, u8, u8)>,
    /// What comes before the packets of who begins now.
    renewed: Option<Packet>,
}

impl Form {
    /// For players that have set up these tracks; none if one of them is not on the connection.
    pub(super) fn new(cutter: Cutter, tracks: &[Track]) -> Option<Self> {
        let channels = tracks.iter().map(|track| match track.carriage {
            Carriage::Tcp { rtp, rtcp } => Some((track.section, rtp, rtcp)),
            _ => None,
        });
        let mut channels = channels.collect::<Option<Vec<_>>>()?;
        channels.sort_unstable();
        let keep = |number| channels.iter().any(|(section, ..)| *section == number);
        Some(Self {
            cutter: cutter.only(keep),
            channels,
            renewed: None,
        })
    }
}

impl Format for Form {
    const NAME: &'static str = "rtsp";

    fn variant(&self) -> Vec<u8> {
        let channels = self.channels.iter();
        // There are at most 32 sections.
        channels
            .flat_map(|(section, rtp, rtcp)| [*section as u8, *rtp, *rtcp])
            .collect()
    }

    /// Reports come with the first packets.
    fn prelude(&mut self, _: &TrackSet) -> Packet {
        Packet::default()
    }

    fn breaks(&self, before: &TrackSet, after: &TrackSet) -> Option<&'static str> {
        cutter::breaks(before, after)
    }

    fn place(&self, tracks: &TrackSet, unit: &AccessUnit) -> Option<Rc<dyn Any>> {
        let place: Rc<dyn Any> = Rc::new(self.cutter.place(tracks, unit)?);
        Some(place)
    }

    fn packet(&mut self, tracks: &TrackSet, unit: &AccessUnit) -> Packet {
        let room = unit.payload.len() + unit.payload.len() / 32 + 256;
        let mut frames = Vec::with_capacity(room);
        let channels = &self.channels;
        let reported = self.cutter.cut(tracks, unit, |packet| {
            append(&mut frames, channels, &packet);
        });
        if reported && let Some(track) = tracks.get(unit.track) {
            let micros = track.timebase.rescale(unit.dts, Timebase::MICROS);
            let mut reports = Vec::new();
            for (section, report) in self.cutter.reports(micros) {
                let packet = Outgoing {
                    section,
                    control: true,
                    head: &[],
                    body: &report,
                };
                append(&mut reports, &self.channels, &packet);
            }
            self.renewed = Some(whole(reports));
        }
        if frames.is_empty() {
            return Packet::default();
        }
        whole(frames)
    }

    fn renewed_prelude(&mut self) -> Option<Packet> {
        self.renewed.take()
    }
}

fn whole(bytes: Vec<u8>) -> Packet {
    let mut packet = Packet::default();
    packet.slices.push(bytes.into());
    packet
}

/// Appends a packet as a frame of its channel. One that is too long for a frame is left out.
pub(super) fn append(frames: &mut Vec<u8>, channels: &[(usize, u8, u8)], packet: &Outgoing<'_>) {
    let mut channels = channels.iter();
    let found = channels.find(|(section, ..)| *section == packet.section);
    let length = u16::try_from(packet.head.len() + packet.body.len());
    if let (Some((_, rtp, rtcp)), Ok(length)) = (found, length) {
        let channel = if packet.control { *rtcp } else { *rtp };
        frames.extend_from_slice(&frame_header(channel, length));
        frames.extend_from_slice(packet.head);
        frames.extend_from_slice(packet.body);
    }
}

/// What a player still says: pause, signs of life, reports, and that it stops.
pub(super) struct Player {
    session: Session,
    stream: StreamName,
    tracks: Vec<Track>,
    paused: bool,
    /// PLAY has not been answered: where it begins is not known.
    begins: bool,
    /// The connection is to be closed.
    leaves: bool,
    farewell: VecDeque<Vec<u8>>,
}

impl Player {
    /// That has asked to play these tracks, and has not been answered.
    pub(super) const fn new(session: Session, stream: StreamName, tracks: Vec<Track>) -> Self {
        Self {
            session,
            stream,
            tracks,
            paused: false,
            begins: true,
            leaves: false,
            farewell: VecDeque::new(),
        }
    }

    fn take(&mut self, event: Event) -> Option<fanout::Output> {
        let now = Instant::now();
        // What is wrong with what came next shows when more comes.
        let answered = match event {
            Event::Pause => {
                self.paused = true;
                Ok(())
            }
            Event::Play(tracks) if tracks == self.tracks => {
                self.paused = false;
                self.begins = true;
                Ok(())
            }
            Event::Teardown => return Some(fanout::Output::Leave),
            Event::Packet {
                control: true,
                payload,
                ..
            } => {
                read_reports(&self.stream, &payload);
                Ok(())
            }
            Event::Packet { .. } => Ok(()),
            Event::Describe(_) | Event::Announce(..) | Event::Play(_) | Event::Record(_) => {
                let words = "not on a connection that plays";
                self.session.refuse(now, Status::METHOD_NOT_VALID, words)
            }
        };
        answered.err().map(|_| fanout::Output::Leave)
    }
}

/// Reads what a player says of how packets arrive.
pub(super) fn read_reports(stream: &StreamName, bytes: &[u8]) {
    for packet in rtcp::packets(bytes).flatten() {
        let blocks = match packet {
            rtcp::Packet::ReceiverReport(report) => report.blocks,
            rtcp::Packet::SenderReport(report) => report.blocks,
            _ => continue,
        };
        for block in blocks.iter().filter(|block| block.fraction_lost > 0) {
            let (lost, of_256) = (block.lost, block.fraction_lost);
            tracing::debug!(%stream, lost, of_256, jitter = block.jitter, "a player loses packets");
        }
    }
}

impl Peer for Player {
    fn handle_input(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.session
            .handle_input(Instant::now(), bytes)
            .map_err(|error| error.to_string())
    }

    fn handle_timeout(&mut self) -> Result<(), String> {
        self.session
            .handle_timeout(Instant::now())
            .map_err(|error| error.to_string())
    }

    fn poll_output(&mut self) -> fanout::Output {
        loop {
            if self.leaves {
                return fanout::Output::Leave;
            }
            match self.session.poll_output() {
                Output::Transmit(bytes) => return fanout::Output::Send(bytes),
                Output::Event(event) => {
                    if let Some(output) = self.take(event) {
                        return output;
                    }
                }
                Output::Timeout(at) => {
                    return match self.farewell.pop_front() {
                        Some(frame) => fanout::Output::Send(frame.into()),
                        None => fanout::Output::Timeout(at),
                    };
                }
            }
        }
    }

    fn begins(&self) -> bool {
        self.begins
    }

    fn begin(&mut self, place: Option<&dyn Any>) {
        if std::mem::take(&mut self.begins) {
            let place = place.and_then(|place| place.downcast_ref::<Place>());
            let starts = place.map(|place| place.starts(&self.tracks));
            let started = self
                .session
                .start(Instant::now(), &starts.unwrap_or_default());
            self.leaves = started.is_err();
        }
    }

    fn paused(&self) -> bool {
        self.paused
    }

    fn end(&mut self, _: Ended) {
        for track in &self.tracks {
            let bye = cutter::bye(&self.stream, track.section);
            if let (Carriage::Tcp { rtcp, .. }, Ok(length)) =
                (track.carriage, u16::try_from(bye.len()))
            {
                let frame = [&frame_header(rtcp, length)[..], &bye].concat();
                self.farewell.push_back(frame);
            }
        }
    }
}
