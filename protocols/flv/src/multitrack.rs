//! Bodies of the second and further tracks of a kind (Enhanced RTMP v2, "Multitrack"), one track in each. Receivers
//! that do not announce that they read these are sent the first track of a kind alone, by the [`muxer`](crate::muxer).

use crate::body::{
    ENHANCED_AUDIO, ENHANCED_VIDEO, KEY_FRAME,
    packet_type::{
        AUDIO_MULTITRACK, CODED_FRAMES, CODED_FRAMES_X, SEQUENCE_START, VIDEO_MULTITRACK,
    },
};
use crate::muxer::{Header, Prefix, composition_time, configuration, frame_type, header};
use bytes::{Bytes, BytesMut};
use media::{AccessUnit, Codec, Kind, Track};

/// The FourCC of the track's codec, also where a single track has a classic header; `None` for what has none.
fn four_cc(track: &Track) -> Option<[u8; 4]> {
    Some(match header(track)? {
        Header::Enhanced(four_cc) => four_cc,
        Header::Avc => *b"avc1",
        Header::Aac => *b"mp4a",
        Header::Plain(_) if matches!(track.codec, Codec::MpegAudio(_)) => *b".mp3",
        Header::Plain(_) => return None,
    })
}

/// As [`muxer::prefix`](crate::muxer::prefix), for the track of that number among those of its kind.
pub fn prefix(unit: &AccessUnit, track: &Track, number: u8) -> Option<Prefix> {
    let four_cc = four_cc(track)?;
    if track.kind() != Kind::Video {
        let first = ENHANCED_AUDIO | AUDIO_MULTITRACK;
        return Some(Prefix::new(&[&[first, CODED_FRAMES], &four_cc, &[number]]));
    }
    let first = ENHANCED_VIDEO | frame_type(unit) << 4 | VIDEO_MULTITRACK;
    let has_time = matches!(track.codec, Codec::H264(_) | Codec::H265(_));
    let (packet_type, time) = match composition_time(unit, track) {
        [0, 0, 0] if has_time => (CODED_FRAMES_X, [0; 3]),
        time => (CODED_FRAMES, time),
    };
    let carried = has_time && packet_type == CODED_FRAMES;
    let time = if carried { &time[..] } else { &[] };
    Some(Prefix::new(&[
        &[first, packet_type],
        &four_cc,
        &[number],
        time,
    ]))
}

/// As [`muxer::sequence_header`](crate::muxer::sequence_header), for the track of that number among those of its kind.
pub fn sequence_header(track: &Track, number: u8) -> Option<Bytes> {
    let four_cc = four_cc(track)?;
    let config = configuration(track)?;
    let first = match track.kind() {
        Kind::Video => ENHANCED_VIDEO | KEY_FRAME << 4 | VIDEO_MULTITRACK,
        _ => ENHANCED_AUDIO | AUDIO_MULTITRACK,
    };
    let mut body = BytesMut::with_capacity(7 + config.len());
    body.extend_from_slice(&[first, SEQUENCE_START]);
    body.extend_from_slice(&four_cc);
    body.extend_from_slice(&[number]);
    body.extend_from_slice(&config);
    Some(body.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demuxer::{Demuxer, Event};
    use crate::fuzz::{AVC_SEQUENCE_HEADER, HEVC_RECORD};
    use media::codec::{aac, h264, h265};
    use media::{Timebase, TrackId};

    fn track(codec: Codec) -> Track {
        Track {
            id: TrackId(0),
            timebase: Timebase::MILLIS,
            codec,
        }
    }

    fn unit(dts: i64, pts: i64) -> AccessUnit {
        AccessUnit {
            track: TrackId(0),
            dts,
            pts,
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::from_static(&[0, 0, 0, 2, 0x65, 0x88]),
        }
    }

    /// What the demuxer makes of a track's two bodies.
    fn read(track: &Track, units: &[AccessUnit]) -> (Track, Vec<AccessUnit>) {
        let mut demuxer = Demuxer::new();
        let mut push = |time, body: Bytes| match track.kind() {
            Kind::Video => demuxer.push_video(time, body).unwrap(),
            _ => demuxer.push_audio(time, body).unwrap(),
        };
        push(0, sequence_header(track, 3).unwrap());
        for unit in units {
            let prefix = prefix(unit, track, 3).unwrap();
            let body = [&prefix[..], &unit.payload].concat();
            push(crate::muxer::timestamp(track, unit), body.into());
        }
        let (mut tracks, mut found) = (Vec::new(), Vec::new());
        while let Some(event) = demuxer.pull() {
            match event {
                Event::Track(track) => tracks.push(track),
                Event::Unit(unit) => found.push(unit),
            }
        }
        assert_eq!(tracks.len(), 1);
        (tracks.remove(0), found)
    }

    #[test]
    fn what_is_written_is_read() {
        let avcc = Bytes::from_static(&AVC_SEQUENCE_HEADER[5..]);
        let hvcc = Bytes::from_static(HEVC_RECORD);
        let pictures = [
            Codec::H264(h264::Config::parse_avcc(&avcc).unwrap().0),
            Codec::H265(h265::Config::parse_hvcc(&hvcc).unwrap().0),
        ];
        for codec in pictures {
            let track = track(codec);
            let (found, units) = read(&track, &[unit(40, 40), unit(80, 160), unit(120, 120)]);
            assert_eq!(found.codec, track.codec);
            let times: Vec<_> = units.iter().map(|unit| unit.pts - unit.dts).collect();
            assert_eq!(times.len(), 3);
            assert_eq!(found.timebase.rescale(times[1], Timebase::MILLIS), 80);
            assert!(
                units
                    .iter()
                    .all(|unit| unit.payload[..] == [0, 0, 0, 2, 0x65, 0x88])
            );
        }
        let track = track(Codec::Aac(aac::Config::low_complexity(48_000, 2).unwrap()));
        let (found, units) = read(&track, &[unit(0, 0)]);
        assert_eq!((found.codec, units.len()), (track.codec, 1));
    }
}
