//! A player on its shard: the packets all players share, and what one of them still says.

use crate::adapters::FlvMedia;
use crate::hub::{Ended, TrackSet};
use crate::net::fanout::{self, Format, Packet, Peer};
use bytes::Bytes;
use media::{AccessUnit, Kind, Track};
use rtmp::Output;
use rtmp::chunk::{ChunkStreamId, Header, MessageType};
use rtmp::message::Message;
use rtmp::server::{Event, MESSAGE_STREAM, PLAY_CHUNK_SIZE, Session};
use std::time::Instant;

/// A stream as RTMP messages, cut into chunks once for all players.
#[derive(Debug)]
pub(super) struct Form;

/// The same for players that say which codecs of Enhanced RTMP they know, and miss one that the stream has: only
/// what every player knows.
#[derive(Debug)]
pub(super) struct Classic;

impl Format for Form {
    const NAME: &'static str = "rtmp";

    fn prelude(&mut self, tracks: &TrackSet) -> Packet {
        prelude(tracks, |_| true)
    }

    fn breaks(&self, before: &TrackSet, after: &TrackSet) -> Option<&'static str> {
        FlvMedia(before).breaks(after)
    }

    fn packet(&mut self, tracks: &TrackSet, unit: &AccessUnit) -> Packet {
        packet(tracks, unit, |_| true)
    }
}

impl Format for Classic {
    const NAME: &'static str = "rtmp_classic";

    fn prelude(&mut self, tracks: &TrackSet) -> Packet {
        prelude(tracks, is_classic)
    }

    fn breaks(&self, before: &TrackSet, after: &TrackSet) -> Option<&'static str> {
        FlvMedia(before).breaks(after)
    }

    fn packet(&mut self, tracks: &TrackSet, unit: &AccessUnit) -> Packet {
        packet(tracks, unit, is_classic)
    }
}

fn is_classic(track: &Track) -> bool {
    flv::muxer::four_cc(track).is_none()
}

/// Whether a player that knows these codecs can be sent all of a stream. One that names none is sent all: most
/// players do not say what they know.
pub(super) fn knows_all(four_ccs: &[String], tracks: &TrackSet) -> bool {
    let knows = |four_cc: [u8; 4]| {
        let mut known = four_ccs.iter();
        known.any(|known| known == "*" || known.as_bytes() == four_cc)
    };
    four_ccs.is_empty()
        || FlvMedia(tracks)
            .tracks()
            .filter_map(flv::muxer::four_cc)
            .all(knows)
}

fn prelude(tracks: &TrackSet, wanted: fn(&Track) -> bool) -> Packet {
    let mut prelude = Packet::default();
    let metadata = Message::Data(vec!["onMetaData".into(), FlvMedia(tracks).metadata()]);
    let (kind, body) = metadata.write();
    let data = header(ChunkStreamId::DATA, kind, 0);
    append(&mut prelude, data, &[], &body);
    for track in FlvMedia(tracks).tracks().filter(|track| wanted(track)) {
        if let Some(body) = flv::muxer::sequence_header(track) {
            let (stream, kind) = carrier(track);
            append(&mut prelude, header(stream, kind, 0), &[], &body);
        }
    }
    prelude
}

fn packet(tracks: &TrackSet, unit: &AccessUnit, wanted: fn(&Track) -> bool) -> Packet {
    let mut packet = Packet::default();
    if let Some(track) = FlvMedia(tracks).get(unit.track)
        && wanted(track)
        && let Some(prefix) = flv::muxer::prefix(unit, track)
    {
        let (stream, kind) = carrier(track);
        let header = header(stream, kind, flv::muxer::timestamp(track, unit));
        append(&mut packet, header, &prefix, &unit.payload);
    }
    packet
}

const fn header(chunk_stream: ChunkStreamId, message_type: MessageType, timestamp: u32) -> Header {
    Header {
        chunk_stream,
        timestamp,
        message_type,
        message_stream: MESSAGE_STREAM,
    }
}

pub(super) const fn carrier(track: &Track) -> (ChunkStreamId, MessageType) {
    match track.kind() {
        Kind::Video => (ChunkStreamId::VIDEO, MessageType::VIDEO),
        Kind::Audio => (ChunkStreamId::AUDIO, MessageType::AUDIO),
        Kind::Data => (ChunkStreamId::DATA, MessageType::DATA),
    }
}

fn append(packet: &mut Packet, header: Header, prefix: &[u8], payload: &Bytes) {
    // An access unit of 16 MiB or more, which RTMP cannot carry, is left out.
    if let Ok(message) = rtmp::chunk::packet(&header, prefix, payload, PLAY_CHUNK_SIZE as usize) {
        packet.slices.extend(message.slices().iter().cloned());
    }
}

/// What a player still says: acknowledgements, pings, pause, and that it stops.
#[derive(Debug)]
pub(super) struct Player {
    session: Session,
    paused: bool,
}

impl Player {
    pub(super) const fn new(session: Session) -> Self {
        Self {
            session,
            paused: false,
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
            match self.session.poll_output() {
                Output::Transmit(bytes) => return fanout::Output::Send(bytes),
                Output::Event(Event::Pause(paused)) => self.paused = paused,
                Output::Event(Event::Stop) => return fanout::Output::Leave,
                Output::Event(_) => {}
                Output::Timeout(at) => return fanout::Output::Timeout(at),
            }
        }
    }

    fn paused(&self) -> bool {
        self.paused
    }

    fn end(&mut self, _: Ended) {
        self.session.end(Instant::now());
    }
}
