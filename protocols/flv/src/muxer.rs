//! From access units to tag bodies, as a few bytes to put in front of a payload that is never copied.
//! RTMP messages, HTTP-FLV and FLV files use the same bodies. Message and tag headers are not made here
//! (see [`file::tag`](crate::file::tag) for the latter).

use crate::body::{AAC_FLAGS, AVC, INTER_FRAME, KEY_FRAME};
use bytes::{BufMut, Bytes, BytesMut};
use media::{AccessUnit, Codec, Timebase, Track};
use std::ops::Deref;

/// The bytes in front of an access unit's payload; they read as a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix(PrefixBytes);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PrefixBytes {
    Video([u8; 5]),
    Audio([u8; 2]),
}

impl Deref for Prefix {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            PrefixBytes::Video(bytes) => bytes,
            PrefixBytes::Audio(bytes) => bytes,
        }
    }
}

/// The bytes in front of a unit's payload; `None` for a codec that is not carried, which are all but H.264
/// and AAC.
///
/// Before a picture these are frame type, codec, packet type and composition time. The composition time is
/// what leads from the [`timestamp`] to the PTS in whole milliseconds, held within its 24 bits (2 hours 19
/// minutes either way).
pub fn prefix(unit: &AccessUnit, track: &Track) -> Option<Prefix> {
    match track.codec {
        Codec::H264(_) => Some(Prefix(PrefixBytes::Video(video_prefix(unit, track)))),
        Codec::Aac(_) => Some(Prefix(PrefixBytes::Audio([AAC_FLAGS, 1]))),
        _ => None,
    }
}

fn video_prefix(unit: &AccessUnit, track: &Track) -> [u8; 5] {
    const MAX: i64 = 0x7f_ffff;
    let frame_type = if unit.random_access {
        KEY_FRAME
    } else {
        INTER_FRAME
    };
    let composition_time = millis(track, unit.pts)
        .saturating_sub(millis(track, unit.dts))
        .clamp(-MAX - 1, MAX);
    let [.., high, middle, low] = composition_time.to_be_bytes();
    [frame_type << 4 | AVC, 1, high, middle, low]
}

/// The whole body that announces a track's configuration; `None` for a codec that is not carried, which are
/// all but H.264 and AAC. Send it before the first unit, and again after each change.
pub fn sequence_header(track: &Track) -> Option<Bytes> {
    let (prefix, config): (&[u8], Bytes) = match &track.codec {
        Codec::H264(config) => (&[KEY_FRAME << 4 | AVC, 0, 0, 0, 0], config.avcc()),
        Codec::Aac(config) => (&[AAC_FLAGS, 0], config.specific_config.clone()),
        _ => return None,
    };
    let mut body = BytesMut::with_capacity(prefix.len() + config.len());
    body.put_slice(prefix);
    body.put_slice(&config);
    Some(body.freeze())
}

/// The DTS as FLV and RTMP count it: whole milliseconds, the nearest, modulo 2³². A time before zero
/// becomes one shortly before the wrap, which readers that unwrap see as what it is.
pub fn timestamp(track: &Track, unit: &AccessUnit) -> u32 {
    // Truncation to 32 bits is the modulo, for negative times as well.
    millis(track, unit.dts) as u32
}

/// The nearest, not the one below: a time that was made from milliseconds, rounded down to samples, then
/// becomes the same milliseconds again.
fn millis(track: &Track, ticks: i64) -> i64 {
    let micros = track.timebase.rescale(ticks, Timebase::MICROS);
    micros.saturating_add(500).div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demuxer::{AUDIO, Demuxer, Event, VIDEO};
    use crate::fuzz::AVC_SEQUENCE_HEADER;
    use media::TrackId;
    use media::codec::{aac, g711, opus};

    fn track(body: &'static [u8]) -> Track {
        let mut demuxer = Demuxer::new();
        demuxer.push_video(0, Bytes::from_static(body)).unwrap();
        match demuxer.pull() {
            Some(Event::Track(track)) => track,
            other => panic!("{other:?}"),
        }
    }

    fn unit(dts: i64, pts: i64, random_access: bool) -> AccessUnit {
        AccessUnit {
            track: VIDEO,
            dts,
            pts,
            random_access,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::from_static(&[0, 0, 0, 1, 0x65]),
        }
    }

    #[test]
    fn prefixes_carry_flags_and_composition_time() {
        let millis = track(AVC_SEQUENCE_HEADER);
        let cases = [
            (unit(40, 120, true), [0x17, 1, 0, 0, 80]),
            (unit(40, 38, false), [0x27, 1, 0xff, 0xff, 0xfe]),
            (unit(0, i64::MAX, false), [0x27, 1, 0x7f, 0xff, 0xff]),
            (unit(0, i64::MIN, false), [0x27, 1, 0x80, 0, 0]),
        ];
        for (unit, prefix) in cases {
            assert_eq!(super::prefix(&unit, &millis).as_deref(), Some(&prefix[..]));
        }
        let ticks = Track {
            timebase: Timebase::VIDEO,
            ..millis
        };
        // Both ends are rounded alike, so that timestamp and composition time give the PTS.
        let early = unit(89, 3_690, true);
        assert_eq!(timestamp(&ticks, &early), 1);
        let prefix = prefix(&early, &ticks).unwrap();
        assert_eq!(prefix[..], [0x17, 1, 0, 0, 40]);
    }

    #[test]
    fn timestamps_wrap_at_both_ends() {
        let millis = track(AVC_SEQUENCE_HEADER);
        let cases = [
            (0, 0),
            (-1, u32::MAX),
            (0x1_0000_0005, 5),
            (i64::from(u32::MAX), u32::MAX),
        ];
        for (dts, expected) in cases {
            assert_eq!(timestamp(&millis, &unit(dts, dts, true)), expected);
        }
    }

    #[test]
    fn sequence_headers_are_read_back() {
        let video = track(AVC_SEQUENCE_HEADER);
        assert_eq!(sequence_header(&video).unwrap(), AVC_SEQUENCE_HEADER);
        let config = aac::Config::low_complexity(48_000, 2).unwrap();
        let audio = Track {
            id: AUDIO,
            timebase: config.sample_rate,
            codec: Codec::Aac(config),
        };
        let mut demuxer = Demuxer::new();
        let header = sequence_header(&audio).unwrap();
        demuxer.push_audio(0, header).unwrap();
        assert_eq!(demuxer.pull(), Some(Event::Track(audio)));
    }

    #[test]
    fn other_codecs_are_not_carried() {
        let opus = opus::Config::new(2, 312, 48_000).unwrap();
        let g711 = Codec::G711 {
            law: g711::Law::Mu,
            sample_rate: Timebase::MILLIS,
            channels: 1,
        };
        for codec in [Codec::Opus(opus), g711] {
            let track = Track {
                id: TrackId(0),
                timebase: Timebase::MILLIS,
                codec,
            };
            assert_eq!(sequence_header(&track), None);
            assert_eq!(prefix(&unit(0, 0, true), &track), None);
        }
    }

    #[test]
    fn units_are_read_back() {
        let video = track(AVC_SEQUENCE_HEADER);
        let mut demuxer = Demuxer::new();
        let header = sequence_header(&video).unwrap();
        demuxer.push_video(0, header).unwrap();
        demuxer.pull();
        for (dts, pts, random_access) in [(0, 80, true), (40, 40, true), (80, 60, true)] {
            let unit = unit(dts, pts, random_access);
            let prefix = prefix(&unit, &video).unwrap();
            let body = [&prefix[..], &unit.payload].concat();
            demuxer
                .push_video(timestamp(&video, &unit), body.into())
                .unwrap();
            assert_eq!(demuxer.pull(), Some(Event::Unit(unit)));
        }
    }
}
