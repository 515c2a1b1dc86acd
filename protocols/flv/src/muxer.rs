//! From access units to tag bodies, as a few bytes to put in front of a payload that is never copied.
//! RTMP messages, HTTP-FLV and FLV files use the same bodies. Message and tag headers are not made here
//! (see [`file::tag`](crate::file::tag) for the latter).

use crate::body::{
    A_LAW, AAC_FLAGS, AVC, ENHANCED_AUDIO, ENHANCED_VIDEO, INTER_FRAME, KEY_FRAME, MP3, MU_LAW,
    packet_type::{CODED_FRAMES, CODED_FRAMES_X, SEQUENCE_START},
};
use bytes::{Bytes, BytesMut};
use media::codec::g711::Law;
use media::{AccessUnit, Codec, Kind, Timebase, Track};
use std::ops::Deref;

/// The longest [`Prefix`]: an enhanced video header of one of many tracks, with a composition time.
pub const MAX_PREFIX: usize = 10;

/// The bytes in front of an access unit's payload; they read as a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    bytes: [u8; MAX_PREFIX],
    length: u8,
}

impl Prefix {
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        let mut prefix = Self {
            bytes: [0; MAX_PREFIX],
            length: 0,
        };
        for byte in parts.iter().copied().flatten() {
            if let Some(place) = prefix.bytes.get_mut(usize::from(prefix.length)) {
                *place = *byte;
                prefix.length += 1;
            }
        }
        prefix
    }
}

impl Deref for Prefix {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

/// How a codec is announced.
pub(crate) enum Header {
    /// By a number, with a header like that of AVC.
    Avc,
    /// By a number, with a header like that of AAC.
    Aac,
    /// By a number: one byte and no more.
    Plain(u8),
    /// By a FourCC.
    Enhanced([u8; 4]),
}

/// How a track is announced; `None` for a codec that FLV has no place for.
pub(crate) fn header(track: &Track) -> Option<Header> {
    Some(match &track.codec {
        Codec::H264(_) => Header::Avc,
        Codec::H265(_) => Header::Enhanced(*b"hvc1"),
        Codec::Av1(_) => Header::Enhanced(*b"av01"),
        Codec::Vp9(_) => Header::Enhanced(*b"vp09"),
        Codec::Vp8(_) => Header::Enhanced(*b"vp08"),
        Codec::Aac(_) => Header::Aac,
        Codec::Opus(_) => Header::Enhanced(*b"Opus"),
        Codec::Flac(_) => Header::Enhanced(*b"fLaC"),
        Codec::Ac3(config) if config.enhanced => Header::Enhanced(*b"ec-3"),
        Codec::Ac3(_) => Header::Enhanced(*b"ac-3"),
        Codec::MpegAudio(config) if config.layer == 3 => {
            // 48 kHz has no number, and is sent as the next below.
            let rate = match config.sample_rate.ticks_per_second() {
                44_100.. => 3,
                22_050.. => 2,
                11_025.. => 1,
                _ => 0,
            };
            Header::Plain(MP3 << 4 | rate << 2 | 2 | u8::from(config.channels > 1))
        }
        Codec::G711 {
            law,
            sample_rate,
            channels: channels @ 1..=2,
        } if sample_rate.ticks_per_second() == 8_000 => {
            let format = match law {
                Law::A => A_LAW,
                Law::Mu => MU_LAW,
            };
            Header::Plain(format << 4 | 2 | (channels - 1))
        }
        _ => return None,
    })
}

/// Whether FLV has a form for the track.
pub fn is_carried(track: &Track) -> bool {
    header(track).is_some()
}

/// The FourCC that announces the track's codec in an enhanced header; `None` where a classic header does, and
/// for codecs that are not carried.
pub fn four_cc(track: &Track) -> Option<[u8; 4]> {
    match header(track)? {
        Header::Enhanced(four_cc) => Some(four_cc),
        Header::Avc | Header::Aac | Header::Plain(_) => None,
    }
}

/// `videocodecid` or `audiocodecid` in `onMetaData`: the classic number, or the FourCC as a number.
pub fn codec_id(track: &Track) -> Option<u32> {
    Some(match header(track)? {
        Header::Avc => AVC.into(),
        Header::Aac => (AAC_FLAGS >> 4).into(),
        Header::Plain(flags) => (flags >> 4).into(),
        Header::Enhanced(four_cc) => u32::from_be_bytes(four_cc),
    })
}

/// The bytes in front of a unit's payload; `None` for a codec that is not carried.
///
/// Before a picture these are frame type, codec, packet type and composition time. The composition time is
/// what leads from the [`timestamp`] to the PTS in whole milliseconds, held within its 24 bits (2 hours 19
/// minutes either way).
pub fn prefix(unit: &AccessUnit, track: &Track) -> Option<Prefix> {
    let frame_type = frame_type(unit);
    Some(match (header(track)?, track.kind()) {
        (Header::Avc, _) => {
            let time = composition_time(unit, track);
            Prefix::new(&[&[frame_type << 4 | AVC, 1], &time])
        }
        (Header::Aac, _) => Prefix::new(&[&[AAC_FLAGS, 1]]),
        (Header::Plain(flags), _) => Prefix::new(&[&[flags]]),
        (Header::Enhanced(four_cc), Kind::Video) => {
            let first = ENHANCED_VIDEO | frame_type << 4;
            let has_time = matches!(track.codec, Codec::H265(_));
            match composition_time(unit, track) {
                [0, 0, 0] if has_time => Prefix::new(&[&[first | CODED_FRAMES_X], &four_cc]),
                time if has_time => Prefix::new(&[&[first | CODED_FRAMES], &four_cc, &time]),
                _ => Prefix::new(&[&[first | CODED_FRAMES], &four_cc]),
            }
        }
        (Header::Enhanced(four_cc), _) => {
            Prefix::new(&[&[ENHANCED_AUDIO | CODED_FRAMES], &four_cc])
        }
    })
}

pub(crate) const fn frame_type(unit: &AccessUnit) -> u8 {
    if unit.random_access {
        KEY_FRAME
    } else {
        INTER_FRAME
    }
}

pub(crate) fn composition_time(unit: &AccessUnit, track: &Track) -> [u8; 3] {
    const MAX: i64 = 0x7f_ffff;
    let time = millis(track, unit.pts)
        .saturating_sub(millis(track, unit.dts))
        .clamp(-MAX - 1, MAX);
    let [.., high, middle, low] = time.to_be_bytes();
    [high, middle, low]
}

/// The whole body that announces a track's configuration; `None` for a codec that is not carried, or that has its
/// configuration in its frames. Send it before the first unit, and again after each change.
pub fn sequence_header(track: &Track) -> Option<Bytes> {
    let config = configuration(track)?;
    let prefix = match (header(track)?, track.kind()) {
        (Header::Avc, _) => Prefix::new(&[&[KEY_FRAME << 4 | AVC, 0, 0, 0, 0]]),
        (Header::Enhanced(four_cc), Kind::Video) => {
            let first = ENHANCED_VIDEO | KEY_FRAME << 4 | SEQUENCE_START;
            Prefix::new(&[&[first], &four_cc])
        }
        (Header::Enhanced(four_cc), _) => {
            Prefix::new(&[&[ENHANCED_AUDIO | SEQUENCE_START], &four_cc])
        }
        (Header::Aac | Header::Plain(_), _) => Prefix::new(&[&[AAC_FLAGS, 0]]),
    };
    let mut body = BytesMut::with_capacity(prefix.len() + config.len());
    body.extend_from_slice(&prefix);
    body.extend_from_slice(&config);
    Some(body.freeze())
}

/// A track's configuration in the form of its codec; none where it is in the frames.
pub(crate) fn configuration(track: &Track) -> Option<Bytes> {
    Some(match &track.codec {
        Codec::H264(config) => config.avcc(),
        Codec::H265(config) => config.hvcc(),
        Codec::Av1(config) => config.av1c(),
        Codec::Vp9(config) => config.vpcc(),
        Codec::Vp8(config) => config.vpcc(),
        Codec::Aac(config) => config.specific_config.clone(),
        Codec::Opus(config) => config.head(),
        Codec::Flac(config) => config.header(),
        _ => return None,
    })
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
    use crate::fuzz::{AVC_SEQUENCE_HEADER, HEVC_RECORD};
    use media::TrackId;
    use media::codec::{aac, opus};

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
        // FLV has G.711 at 8 kHz alone.
        let wide = Codec::G711 {
            law: Law::Mu,
            sample_rate: Timebase::new(16_000).unwrap(),
            channels: 1,
        };
        for codec in [wide, Codec::G722 { channels: 1 }] {
            let track = Track {
                id: TrackId(0),
                timebase: Timebase::MILLIS,
                codec,
            };
            assert!(!is_carried(&track));
            assert_eq!(sequence_header(&track), None);
            assert_eq!(prefix(&unit(0, 0, true), &track), None);
        }
    }

    #[test]
    fn codecs_with_a_four_cc_are_read_back() {
        let opus = opus::Config::new(2, 312, 48_000).unwrap();
        let h265 = media::codec::h265::Config::parse_hvcc(&Bytes::from_static(HEVC_RECORD));
        let cases = [
            (Codec::Opus(opus), opus::TIMEBASE, b"Opus"),
            (Codec::H265(h265.unwrap().0), Timebase::MICROS, b"hvc1"),
        ];
        for (codec, timebase, expected) in cases {
            let id = match codec.kind() {
                Kind::Video => VIDEO,
                _ => AUDIO,
            };
            let track = Track {
                id,
                timebase,
                codec,
            };
            assert_eq!(four_cc(&track).as_ref(), Some(expected));
            assert_eq!(codec_id(&track), Some(u32::from_be_bytes(*expected)));
            let mut demuxer = Demuxer::new();
            let header = sequence_header(&track).unwrap();
            let mut push = |timestamp, body: Bytes| match track.kind() {
                Kind::Video => demuxer.push_video(timestamp, body).map(|()| demuxer.pull()),
                _ => demuxer.push_audio(timestamp, body).map(|()| demuxer.pull()),
            };
            assert_eq!(push(0, header), Ok(Some(Event::Track(track.clone()))));
            let ticks = |millis| Timebase::MILLIS.rescale(millis, timebase);
            let later = if track.kind() == Kind::Video { 40 } else { 0 };
            let payload: &[u8] = match track.kind() {
                Kind::Video => &[0, 0, 0, 3, 0x26, 0x01, 0xaf],
                _ => &[0xfc, 1],
            };
            for later in [0, later] {
                let unit = AccessUnit {
                    track: id,
                    dts: ticks(1_000),
                    pts: ticks(1_000 + later),
                    payload: Bytes::from_static(payload),
                    ..unit(0, 0, true)
                };
                let prefix = prefix(&unit, &track).unwrap();
                let body = [&prefix[..], &unit.payload].concat();
                let Ok(Some(Event::Unit(again))) = push(timestamp(&track, &unit), body.into())
                else {
                    panic!("no unit");
                };
                assert_eq!(again.pts - again.dts, unit.pts - unit.dts);
                assert_eq!(again.payload, unit.payload);
            }
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
