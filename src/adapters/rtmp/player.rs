//! A player on its shard: the packets all players share, and what one of them still says.

use crate::adapters::FlvMedia;
use crate::bridge::Sound;
use crate::hub::{Ended, Hub, TrackSet};
use crate::net::fanout::{self, Format, Packet, Peer};
use bytes::Bytes;
use media::{AccessUnit, Codec, Kind, Track};
use rtmp::Output;
use rtmp::chunk::{ChunkStreamId, Header, MessageType};
use rtmp::enhanced::MULTITRACK;
use rtmp::message::Message;
use rtmp::server::{Connect, Event, MESSAGE_STREAM, PLAY_CHUNK_SIZE, Session};
use std::time::Instant;

/// Opus, in the lists of codecs of Enhanced RTMP.
pub(super) const OPUS: &[u8; 4] = b"Opus";

/// Why a client is asked to connect once more.
pub(super) const CLOSING: &str = "The server is shutting down.";

/// A stream as RTMP messages, cut into chunks once for all players that take the same of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The first video and the first audio track.
    Usual,
    /// The same with AAC for sound in place of Opus and G.711: for those that do not say that they know Opus.
    Aac,
    /// Of these what every player knows: for those that say which codecs of Enhanced RTMP they know, and miss one that
    /// the stream has.
    Classic,
    /// All tracks: for those that say that they read them, and know the codecs of all.
    All,
}

impl Form {
    /// What a player that announces this is sent of a stream. One that names no codecs is sent the usual: most players
    /// do not say what they know.
    pub(super) fn of(connect: &Connect, tracks: &TrackSet) -> Self {
        let (four_ccs, media) = (&connect.four_cc_list, FlvMedia(tracks));
        let is_known = |track: &Track| is_known(four_ccs, track);
        // Opus can be made AAC, but that of the first tracks alone.
        let can_be = |track: &Track| is_known(track) || matches!(track.codec, Codec::Opus(_));
        let reads_all = connect.caps_ex & MULTITRACK != 0;
        if !media.tracks().all(can_be) {
            Self::Classic
        } else if reads_all && media.has_further() && media.all().all(is_known) {
            Self::All
        } else if knows(four_ccs, OPUS) {
            Self::Usual
        } else {
            Self::Aac
        }
    }

    /// The sound that it is made of, if that is another than the stream's.
    pub(super) fn sound(self) -> Option<Sound> {
        matches!(self, Self::Aac | Self::Classic).then_some(Sound::Aac)
    }

    fn wants(self, track: &Track) -> bool {
        self != Self::Classic || flv::muxer::four_cc(track).is_none()
    }
}

impl Format for Form {
    const NAME: &'static str = "rtmp";

    fn variant(&self) -> Vec<u8> {
        vec![*self as u8]
    }

    fn prelude(&mut self, tracks: &TrackSet) -> Packet {
        let media = FlvMedia(tracks);
        let mut prelude = Packet::default();
        let metadata = Message::Data(vec!["onMetaData".into(), media.metadata()]);
        let (kind, body) = metadata.write();
        let data = header(ChunkStreamId::DATA, kind, 0);
        append(&mut prelude, data, &[], &body);
        let announcements = media.announcements(*self == Self::All);
        for (track, body) in announcements.filter(|(track, _)| self.wants(track)) {
            let (stream, kind) = carrier(track);
            append(&mut prelude, header(stream, kind, 0), &[], &body);
        }
        prelude
    }

    fn breaks(&self, before: &TrackSet, after: &TrackSet) -> Option<&'static str> {
        FlvMedia(before).breaks(after)
    }

    fn packet(&mut self, tracks: &TrackSet, unit: &AccessUnit) -> Packet {
        let mut packet = Packet::default();
        let sent = FlvMedia(tracks).prefix(unit, *self == Self::All);
        if let Some((track, prefix)) = sent.filter(|(track, _)| self.wants(track)) {
            let (stream, kind) = carrier(track);
            let header = header(stream, kind, flv::muxer::timestamp(track, unit));
            append(&mut packet, header, &prefix, &unit.payload);
        }
        packet
    }
}

/// Whether a player that knows these codecs is sent the track as it is. One that names none is, but for Opus.
fn is_known(four_ccs: &[String], track: &Track) -> bool {
    match flv::muxer::four_cc(track) {
        Some(four_cc) if four_ccs.is_empty() => four_cc != *OPUS,
        Some(four_cc) => knows(four_ccs, &four_cc),
        None => true,
    }
}

/// Whether one of these stands for that codec.
pub(super) fn knows(four_ccs: &[String], four_cc: &[u8; 4]) -> bool {
    let mut known = four_ccs.iter();
    known.any(|known| known == "*" || known.as_bytes() == four_cc)
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
    hub: Hub,
    paused: bool,
}

impl Player {
    pub(super) const fn new(session: Session, hub: Hub) -> Self {
        Self {
            session,
            hub,
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
        if self.hub.is_closing() {
            self.session.request_reconnect(None, CLOSING);
        }
        self.session.end(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::codec::{aac, opus, vp8};
    use media::{Timebase, TrackId};

    fn tracks(codecs: &[Codec]) -> TrackSet {
        let tracks = (0..).zip(codecs).map(|(id, codec)| Track {
            id: TrackId(id),
            timebase: Timebase::MILLIS,
            codec: codec.clone(),
        });
        TrackSet {
            generation: 1,
            tracks: tracks.collect(),
        }
    }

    #[test]
    fn a_player_is_sent_no_codec_that_it_has_left_out_of_its_list() {
        let pictures = Codec::Vp8(vp8::Config {
            width: 640,
            height: 360,
        });
        let aac = Codec::Aac(aac::Config::low_complexity(48_000, 2).unwrap());
        let opus = Codec::Opus(opus::Config {
            channels: 2,
            pre_skip: 312,
            sample_rate: 48_000,
            output_gain: 0,
            mapping: None,
        });
        let one = tracks(&[pictures.clone(), opus.clone()]);
        let both = tracks(&[pictures.clone(), opus.clone(), opus.clone()]);
        let mixed = tracks(&[pictures.clone(), aac.clone(), opus]);
        let plain = tracks(&[pictures, aac.clone(), aac]);
        let (single, several) = (0, MULTITRACK);
        let cases: [(&[&str], u32, &TrackSet, Form); 15] = [
            (&[], single, &one, Form::Aac),
            (&["vp08"], single, &one, Form::Aac),
            (&["vp08", "Opus"], single, &both, Form::Usual),
            (&["mp4a"], several, &both, Form::Classic),
            // The sound of both tracks is Opus, of which the first can be made AAC.
            (&["vp08", "mp4a"], several, &both, Form::Aac),
            (&["vp08", "Opus"], several, &both, Form::All),
            (&["*"], several, &both, Form::All),
            (&["vp08"], several, &mixed, Form::Aac),
            (&["vp08", "Opus"], several, &mixed, Form::All),
            (&["vp08"], several, &plain, Form::All),
            (&["Opus"], several, &plain, Form::Classic),
            (&["vp08", "Opus"], several, &one, Form::Usual),
            // None are named by most players, and Opus only by those that know it.
            (&[], several, &plain, Form::All),
            (&[], several, &mixed, Form::Aac),
            (&[], several, &both, Form::Aac),
        ];
        for (four_ccs, caps_ex, tracks, form) in cases {
            let connect = Connect {
                four_cc_list: four_ccs.iter().map(|&four_cc| four_cc.into()).collect(),
                caps_ex,
                ..Connect::default()
            };
            let found = Form::of(&connect, tracks);
            assert_eq!(found, form, "{four_ccs:?} {caps_ex} {:?}", tracks.tracks);
        }
    }
}
