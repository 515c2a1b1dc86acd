//! A stream as FLV tags, made once for all players, and the same in WebSocket frames.

use super::websocket;
use crate::adapters::FlvMedia;
use crate::hub::TrackSet;
use crate::net::fanout::{Format, Packet};
use bytes::Bytes;
use flv::file::{TagKind, tag};
use media::{AccessUnit, Kind, Track};
use rtmp::message::Message;

/// FLV tags one after the other.
#[derive(Debug)]
pub(super) struct Plain;

/// The same, each packet a binary frame (RFC 6455).
#[derive(Debug)]
pub(super) struct Framed(pub(super) Plain);

impl Format for Plain {
    const NAME: &'static str = "flv";

    fn prelude(&mut self, tracks: &TrackSet) -> Packet {
        let mut prelude = Packet::default();
        let metadata = Message::Data(vec!["onMetaData".into(), FlvMedia(tracks).metadata()]);
        let (_, body) = metadata.write();
        append(&mut prelude, TagKind::Script, 0, &[], &body);
        for (track, body) in FlvMedia(tracks).announcements(false) {
            append(&mut prelude, kind(track), 0, &[], &body);
        }
        prelude
    }

    fn breaks(&self, before: &TrackSet, after: &TrackSet) -> Option<&'static str> {
        FlvMedia(before).breaks(after)
    }

    fn packet(&mut self, tracks: &TrackSet, unit: &AccessUnit) -> Packet {
        let mut packet = Packet::default();
        if let Some((track, prefix)) = FlvMedia(tracks).prefix(unit, false) {
            let time = flv::muxer::timestamp(track, unit);
            append(&mut packet, kind(track), time, &prefix, &unit.payload);
        }
        packet
    }
}

impl Format for Framed {
    const NAME: &'static str = "flv_websocket";

    fn prelude(&mut self, tracks: &TrackSet) -> Packet {
        framed(self.0.prelude(tracks))
    }

    fn breaks(&self, before: &TrackSet, after: &TrackSet) -> Option<&'static str> {
        self.0.breaks(before, after)
    }

    fn packet(&mut self, tracks: &TrackSet, unit: &AccessUnit) -> Packet {
        framed(self.0.packet(tracks, unit))
    }
}

fn framed(mut packet: Packet) -> Packet {
    if !packet.is_empty() {
        let header = websocket::binary_header(packet.len() as u64);
        packet.slices.insert(0, header);
    }
    packet
}

fn kind(track: &Track) -> TagKind {
    match track.kind() {
        Kind::Video => TagKind::Video,
        Kind::Audio => TagKind::Audio,
        Kind::Data => TagKind::Script,
    }
}

fn append(packet: &mut Packet, kind: TagKind, time: u32, prefix: &[u8], payload: &Bytes) {
    // An access unit of 16 MiB or more, which FLV cannot carry, is left out.
    if let Ok(tag) = tag(kind, time, prefix, payload.clone()) {
        let parts = [
            Bytes::copy_from_slice(tag.head()),
            tag.payload().clone(),
            Bytes::copy_from_slice(tag.trailer()),
        ];
        packet.slices.extend(parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flv::demuxer::{Demuxer, Event};
    use media::codec::{aac, opus};
    use media::{Codec, Timebase, TrackId};

    fn tracks() -> TrackSet {
        let opus = opus::Config::new(2, 312, 48_000).unwrap();
        let aac = aac::Config::low_complexity(48_000, 2).unwrap();
        let track = |id, codec| Track {
            id: TrackId(id),
            timebase: opus::TIMEBASE,
            codec,
        };
        TrackSet {
            generation: 1,
            tracks: vec![
                // FLV has no form for it.
                track(3, Codec::G722 { channels: 1 }),
                track(4, Codec::Opus(opus)),
                track(5, Codec::Aac(aac)),
            ],
        }
    }

    fn unit(track: u16) -> AccessUnit {
        AccessUnit {
            track: TrackId(track),
            dts: Timebase::MILLIS.rescale(40, opus::TIMEBASE),
            pts: Timebase::MILLIS.rescale(40, opus::TIMEBASE),
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::from_static(&[0xfc, 1]),
        }
    }

    #[test]
    fn the_first_track_that_is_carried_is_sent_and_no_other() {
        let (mut form, tracks) = (Plain, tracks());
        assert!(form.packet(&tracks, &unit(3)).is_empty());
        assert!(form.packet(&tracks, &unit(5)).is_empty());
        let mut file = flv::file::header(false, true).to_vec();
        for packet in [form.prelude(&tracks), form.packet(&tracks, &unit(4))] {
            packet.slices.iter().for_each(|slice| file.extend(slice));
        }
        let mut reader = flv::file::Reader::new();
        reader.push(&file).unwrap();
        assert_eq!(reader.pull().unwrap().kind, TagKind::Script);
        let mut demuxer = Demuxer::new();
        for _ in 0..2 {
            let tag = reader.pull().unwrap();
            demuxer.push_audio(tag.timestamp, tag.body).unwrap();
        }
        let Some(Event::Track(track)) = demuxer.pull() else {
            panic!("no track");
        };
        assert_eq!(track.codec, tracks.tracks[1].codec);
        assert!(matches!(demuxer.pull(), Some(Event::Unit(unit)) if unit.dts == 1_920));
        assert!(reader.pull().is_none() && reader.is_between_tags());
    }

    #[test]
    fn a_packet_is_one_frame() {
        let (mut form, tracks) = (Framed(Plain), tracks());
        let packet = form.packet(&tracks, &unit(4));
        let bytes: Vec<u8> = packet.slices.concat();
        assert_eq!(bytes[0], 0x82);
        assert_eq!(usize::from(bytes[1]), bytes.len() - 2);
        assert!(form.packet(&tracks, &unit(3)).is_empty());
    }
}
