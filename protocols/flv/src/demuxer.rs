//! From tag bodies, in the order they arrive, to tracks and access units.
//!
//! It does not know where the bodies came from (RTMP messages, a file, an HTTP response) and it does not
//! repair clocks: what it does with time is to unwrap the 32-bit milliseconds, and to give audio frames
//! back the exact times that the milliseconds rounded. Read [`Demuxer`] and [`Event`]; what each codec needs
//! is in `video` and `audio`.

mod audio;
mod video;

use crate::Error;
use crate::body::{self, Content};
use audio::AudioTrack;
use bytes::Bytes;
use media::clock::Unwrapper;
use media::{AccessUnit, Kind, Track, TrackId};
use std::collections::VecDeque;
use video::VideoTrack;

/// The video track of bodies that hold one track.
pub const VIDEO: TrackId = TrackId(0);
/// The audio track of bodies that hold one track.
pub const AUDIO: TrackId = TrackId(1);
/// Most tracks of a kind.
pub const MAX_TRACKS: u8 = 8;

/// What comes out of a [`Demuxer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A track is known now, or its configuration is another from here on.
    Track(Track),
    /// One coded picture or audio frame of a track that was announced before.
    Unit(AccessUnit),
}

/// Takes tag bodies apart. Push a body, then pull until there is nothing more: what waits inside is bounded by
/// what was pushed and not pulled. A body gives one event, a multitrack body one for each of its tracks; where a
/// track has its configuration in its key frames (VP8, VP9, AC-3, MP3), one more before the unit.
///
/// Track `n` of a multitrack body is [`TrackId`] `2n` for video, `2n + 1` for audio. Video is on
/// [`Timebase::MILLIS`](media::Timebase::MILLIS), or, where headers are enhanced and can tell more, on
/// [`Timebase::MICROS`](media::Timebase::MICROS); audio is on its sample rate. All count from the same zero.
#[derive(Debug)]
pub struct Demuxer {
    /// One for all tracks, so that a wrap between a video and an audio tag keeps them on one axis.
    clock: Unwrapper,
    video: Vec<(u8, VideoTrack)>,
    audio: Vec<(u8, AudioTrack)>,
    events: VecDeque<Event>,
    dropped_before_config: u64,
}

/// When a unit is, in milliseconds and nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Time {
    dts: i64,
    composition_time: i32,
    nanos: u32,
}

impl Default for Demuxer {
    fn default() -> Self {
        Self::new()
    }
}

impl Demuxer {
    /// Starts without any track.
    pub const fn new() -> Self {
        Self {
            clock: Unwrapper::new(32),
            video: Vec::new(),
            audio: Vec::new(),
            events: VecDeque::new(),
            dropped_before_config: 0,
        }
    }

    /// Takes the body of a video tag. `timestamp` is its DTS in milliseconds modulo 2³². The payload of the
    /// unit is a slice of `body` wherever it is in the form of [`media::Codec`] already. Empty bodies (which are
    /// used to keep connections alive), commands and ends of sequences are passed over.
    ///
    /// # Errors
    /// When the body cannot be used, or a track of it; the next one may be (see [`Error`]).
    pub fn push_video(&mut self, timestamp: u32, body: Bytes) -> Result<(), Error> {
        let mut result = Ok(());
        for part in body::video(body)? {
            let Content::Media {
                key_frame,
                composition_time,
                nanos,
            } = part.content
            else {
                let taken = find(&mut self.video, Kind::Video, part.track)
                    .and_then(|track| track.configure(part.codec, &part.bytes, part.enhanced));
                match taken {
                    Ok(track) => self.announce(2 * u16::from(part.track), track),
                    Err(error) => result = Err(error),
                }
                continue;
            };
            let dts = self.clock.unwrap(u64::from(timestamp));
            let time = Time {
                dts,
                composition_time,
                nanos,
            };
            let taken = find(&mut self.video, Kind::Video, part.track).and_then(|track| {
                track.picture(part.codec, time, key_frame, part.bytes, part.enhanced)
            });
            match taken {
                Ok(taken) => self.give(2 * u16::from(part.track), taken),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    /// Takes the body of an audio tag; `timestamp` as in [`push_video`](Self::push_video).
    ///
    /// # Errors
    /// When the body cannot be used, or a track of it; the next one may be (see [`Error`]).
    pub fn push_audio(&mut self, timestamp: u32, body: Bytes) -> Result<(), Error> {
        let mut result = Ok(());
        for part in body::audio(body)? {
            let id = 2 * u16::from(part.track) + 1;
            let Content::Media { nanos, .. } = part.content else {
                let taken = find(&mut self.audio, Kind::Audio, part.track)
                    .and_then(|track| track.configure(part.codec, &part.bytes));
                match taken {
                    Ok(track) => self.announce(id, track),
                    Err(error) => result = Err(error),
                }
                continue;
            };
            let time = Time {
                dts: self.clock.unwrap(u64::from(timestamp)),
                composition_time: 0,
                nanos,
            };
            let taken = find(&mut self.audio, Kind::Audio, part.track)
                .and_then(|track| track.frame(part.codec, time, part.bytes));
            match taken {
                Ok(taken) => self.give(id, taken),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    /// The next event, in the order of the bodies.
    pub fn pull(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bodies with media that came before their track's configuration and were dropped.
    pub const fn dropped_before_config(&self) -> u64 {
        self.dropped_before_config
    }

    fn announce(&mut self, id: u16, track: Option<Track>) {
        let id = TrackId(id);
        self.events
            .extend(track.map(|track| Event::Track(Track { id, ..track })));
    }

    fn give(&mut self, id: u16, taken: Taken) {
        match taken {
            Taken::Unit { changed, unit } => {
                self.announce(id, changed);
                let track = TrackId(id);
                self.events
                    .push_back(Event::Unit(AccessUnit { track, ..unit }));
            }
            Taken::TooEarly => {
                self.dropped_before_config = self.dropped_before_config.saturating_add(1);
            }
            Taken::Nothing => {}
        }
    }
}

/// What a track made of a body. Tracks and units have no number yet.
enum Taken {
    /// A unit, and the track where it has changed with it.
    Unit {
        changed: Option<Track>,
        unit: AccessUnit,
    },
    /// It came before the configuration.
    TooEarly,
    /// There is nothing in it.
    Nothing,
}

/// The track of this number, which is new where it has not been there.
fn find<T: Default>(tracks: &mut Vec<(u8, T)>, kind: Kind, track: u8) -> Result<&mut T, Error> {
    if track >= MAX_TRACKS {
        return Err(Error::Track { kind, track });
    }
    let at = match tracks.iter().position(|(number, _)| *number == track) {
        Some(at) => at,
        None => {
            tracks.push((track, T::default()));
            tracks.len() - 1
        }
    };
    let found = tracks.get_mut(at).map(|(_, track)| track);
    found.ok_or(Error::Track { kind, track })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::{AVC_SEQUENCE_HEADER, AVC_SEQUENCE_HEADER_SHORT_LENGTHS, HEVC_RECORD};
    use media::codec::g711;
    use media::{Codec, Timebase};

    const IDR: &[u8] = &[0x17, 1, 0, 0, 80, 0, 0, 0, 2, 0x65, 0x88];
    const AAC_SEQUENCE_HEADER: &[u8] = &[0xaf, 0, 0x12, 0x10];

    fn video(demuxer: &mut Demuxer, timestamp: u32, body: &'static [u8]) -> Option<Event> {
        demuxer
            .push_video(timestamp, Bytes::from_static(body))
            .unwrap();
        demuxer.pull()
    }

    fn audio(demuxer: &mut Demuxer, timestamp: u32, body: &'static [u8]) -> Option<Event> {
        demuxer
            .push_audio(timestamp, Bytes::from_static(body))
            .unwrap();
        demuxer.pull()
    }

    fn unit(event: Option<Event>) -> AccessUnit {
        match event {
            Some(Event::Unit(unit)) => unit,
            other => panic!("{other:?} is no access unit"),
        }
    }

    #[test]
    fn a_picture_is_a_slice_of_its_body() {
        let mut demuxer = Demuxer::new();
        assert!(matches!(
            video(&mut demuxer, 0, AVC_SEQUENCE_HEADER),
            Some(Event::Track(Track { id: VIDEO, .. }))
        ));
        let unit = unit(video(&mut demuxer, 40, IDR));
        assert_eq!((unit.dts, unit.pts), (40, 120));
        assert!(unit.random_access && !unit.disposable);
        assert_eq!(unit.payload.as_ptr(), IDR[5..].as_ptr());
    }

    #[test]
    fn the_flag_counts_where_there_is_no_idr() {
        // first byte, NAL unit header, random access, disposable
        let cases: [(&'static [u8], bool, bool); 4] = [
            (&[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x41], true, false),
            (&[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41], false, false),
            (&[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x01], false, true),
            (&[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x06], false, false),
        ];
        let mut demuxer = Demuxer::new();
        video(&mut demuxer, 0, AVC_SEQUENCE_HEADER);
        for (body, random_access, disposable) in cases {
            let unit = unit(video(&mut demuxer, 0, body));
            assert_eq!(
                (unit.random_access, unit.disposable),
                (random_access, disposable),
                "{body:02x?}"
            );
        }
    }

    #[test]
    fn short_nal_unit_lengths_are_widened() {
        let mut demuxer = Demuxer::new();
        video(&mut demuxer, 0, AVC_SEQUENCE_HEADER_SHORT_LENGTHS);
        let unit = unit(video(
            &mut demuxer,
            0,
            &[0x17, 1, 0, 0, 0, 0, 2, 0x65, 0x88],
        ));
        assert_eq!(&unit.payload[..], [0, 0, 0, 2, 0x65, 0x88]);
    }

    #[test]
    fn a_configuration_is_announced_when_it_differs() {
        let mut demuxer = Demuxer::new();
        assert!(video(&mut demuxer, 0, AVC_SEQUENCE_HEADER).is_some());
        assert!(video(&mut demuxer, 0, AVC_SEQUENCE_HEADER).is_none());
        assert!(audio(&mut demuxer, 0, AAC_SEQUENCE_HEADER).is_some());
        assert!(audio(&mut demuxer, 0, AAC_SEQUENCE_HEADER).is_none());
        assert!(audio(&mut demuxer, 0, &[0xaf, 0, 0x11, 0x90]).is_some());
    }

    #[test]
    fn media_before_its_configuration_is_counted() {
        let mut demuxer = Demuxer::new();
        assert_eq!(video(&mut demuxer, 0, IDR), None);
        assert_eq!(audio(&mut demuxer, 0, &[0xaf, 1, 0x21]), None);
        assert_eq!(demuxer.dropped_before_config(), 2);
    }

    #[test]
    fn both_tracks_wrap_together() {
        let mut demuxer = Demuxer::new();
        video(&mut demuxer, 0, AVC_SEQUENCE_HEADER);
        audio(&mut demuxer, 0, AAC_SEQUENCE_HEADER);
        assert_eq!(unit(video(&mut demuxer, u32::MAX, IDR)).dts, 0xffff_ffff);
        // The first audio tag of all comes after the wrap, and lands behind the picture.
        let after = unit(audio(&mut demuxer, 9, &[0xaf, 1, 0x21])).dts;
        assert_eq!(after, (0x1_0000_0009 * 44_100) / 1_000);
        assert_eq!(unit(video(&mut demuxer, 39, IDR)).dts, 0x1_0000_0027);
    }

    #[test]
    fn audio_gets_its_exact_times_back() {
        let mut demuxer = Demuxer::new();
        audio(&mut demuxer, 0, AAC_SEQUENCE_HEADER);
        for frame in 0..200u32 {
            let unit = unit(audio(
                &mut demuxer,
                frame * 1_024 * 1_000 / 44_100,
                &[0xaf, 1, 0x21],
            ));
            assert_eq!(unit.dts, i64::from(frame) * 1_024);
        }
    }

    #[test]
    fn what_carries_nothing_is_passed_over() {
        let mut demuxer = Demuxer::new();
        video(&mut demuxer, 0, AVC_SEQUENCE_HEADER);
        audio(&mut demuxer, 0, AAC_SEQUENCE_HEADER);
        for body in [
            &[][..],
            &[0x17, 2, 0, 0, 0],
            &[0x57, 0],
            &[0x27, 1, 0, 0, 0],
        ] {
            assert_eq!(video(&mut demuxer, 0, body), None);
        }
        for body in [&[][..], &[0xaf, 1]] {
            assert_eq!(audio(&mut demuxer, 0, body), None);
        }
    }

    #[test]
    fn after_an_error_it_goes_on() {
        let mut demuxer = Demuxer::new();
        video(&mut demuxer, 0, AVC_SEQUENCE_HEADER);
        let bad = Bytes::from_static(&[0x17, 1, 0, 0, 0, 0, 0, 0, 9, 0x65]);
        assert!(matches!(demuxer.push_video(0, bad), Err(Error::Nal(_))));
        let bad = Bytes::from_static(&[0x17, 0, 0, 0, 0, 9]);
        assert!(matches!(demuxer.push_video(0, bad), Err(Error::Avc(_))));
        let bad = demuxer.push_video(0, Bytes::from_static(b"\x90vvc1"));
        assert_eq!(
            bad.unwrap_err().to_string(),
            "H.266 (FourCC vvc1) is not carried"
        );
        assert!(video(&mut demuxer, 0, IDR).is_some());
    }

    fn body(header: &[u8], rest: &[u8]) -> Bytes {
        [header, rest].concat().into()
    }

    fn track(demuxer: &mut Demuxer) -> Track {
        match demuxer.pull() {
            Some(Event::Track(track)) => track,
            other => panic!("{other:?} is no track"),
        }
    }

    /// An IDR picture of H.265.
    const H265_IDR: &[u8] = &[0, 0, 0, 4, 0x26, 0x01, 0xaf, 0x08];

    #[test]
    fn h265_comes_in_its_classic_and_its_enhanced_form() {
        // header of the configuration, header of a picture 40 ms before it is shown, timebase
        let forms: [(&[u8], &[u8], Timebase); 2] = [
            (&[0x1c, 0, 0, 0, 0], &[0x1c, 1, 0, 0, 40], Timebase::MILLIS),
            (b"\x90hvc1", b"\x91hvc1\0\0\x28", Timebase::MICROS),
        ];
        for (start, coded, timebase) in forms {
            let mut demuxer = Demuxer::new();
            demuxer.push_video(0, body(start, HEVC_RECORD)).unwrap();
            let track = track(&mut demuxer);
            assert!(matches!(track.codec, Codec::H265(_)));
            assert_eq!((track.id, track.timebase), (VIDEO, timebase));
            demuxer.push_video(7, body(coded, H265_IDR)).unwrap();
            let unit = unit(demuxer.pull());
            let ticks = |millis| Timebase::MILLIS.rescale(millis, timebase);
            assert_eq!((unit.dts, unit.pts), (ticks(7), ticks(47)));
            assert!(unit.random_access);
            assert_eq!(&unit.payload[..], H265_IDR);
        }
    }

    #[test]
    fn nanoseconds_are_kept_to_the_microsecond() {
        let mut demuxer = Demuxer::new();
        demuxer
            .push_video(0, body(b"\x90hvc1", HEVC_RECORD))
            .unwrap();
        track(&mut demuxer);
        // 123,456 ns later.
        let coded = b"\x97\x02\x01\xe2\x40\x03hvc1";
        demuxer.push_video(40, body(coded, H265_IDR)).unwrap();
        let unit = unit(demuxer.pull());
        assert_eq!((unit.dts, unit.pts), (40_000, 40_123));
    }

    #[test]
    fn each_track_of_a_multitrack_body_is_one() {
        let mut demuxer = Demuxer::new();
        let length = (HEVC_RECORD.len() as u32).to_be_bytes();
        let mut start = b"\x96\x10hvc1".to_vec();
        for number in [0, 2] {
            start.push(number);
            start.extend_from_slice(&length[1..]);
            start.extend_from_slice(HEVC_RECORD);
        }
        demuxer.push_video(0, start.into()).unwrap();
        assert_eq!(track(&mut demuxer).id, VIDEO);
        assert_eq!(track(&mut demuxer).id, TrackId(4));
        demuxer
            .push_video(5, body(b"\x96\x03hvc1\x02", H265_IDR))
            .unwrap();
        assert_eq!(unit(demuxer.pull()).track, TrackId(4));
        let refused = demuxer.push_video(5, body(b"\x96\x03hvc1\x08", H265_IDR));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "video track 8 is one too many: at most 8 are carried"
        );
        // Sound has numbers of its own.
        let head = opus_head();
        demuxer
            .push_audio(0, body(b"\x95\0Opus\x01", &head))
            .unwrap();
        assert_eq!(track(&mut demuxer).id, TrackId(3));
    }

    fn opus_head() -> Bytes {
        let config = media::codec::opus::Config::new(2, 312, 48_000);
        config.unwrap().head()
    }

    #[test]
    fn sound_with_a_configuration_of_its_own() {
        let mut demuxer = Demuxer::new();
        demuxer
            .push_audio(0, body(b"\x90Opus", &opus_head()))
            .unwrap();
        let opus = track(&mut demuxer);
        assert!(matches!(opus.codec, Codec::Opus(_)));
        // Two packets of 20 ms, the second one rounded.
        for (millis, samples) in [(1_000, 48_000), (1_021, 48_960)] {
            demuxer
                .push_audio(millis, body(b"\x91Opus", &[0xfc, 1, 2]))
                .unwrap();
            assert_eq!(unit(demuxer.pull()).dts, samples);
        }
        assert_eq!(
            demuxer.push_audio(0, body(b"\x91Opus", &[3])),
            Err(Error::OpusPacket)
        );
    }

    /// What ffmpeg 9 sent, and the same with the header that the standard wants.
    #[test]
    fn flac_comes_with_and_without_the_header_of_a_stream() {
        let stream_info = [
            &[4, 0, 4, 0, 0, 0, 0, 0, 0x10, 0x98, 0x0b, 0xb8, 2, 0xf0][..],
            &[0; 20],
        ]
        .concat();
        let whole = [b"fLaC\x80\0\0\x22", &stream_info[..]].concat();
        for header in [&stream_info, &whole] {
            let mut demuxer = Demuxer::new();
            demuxer.push_audio(0, body(b"\x90fLaC", header)).unwrap();
            let Codec::Flac(config) = track(&mut demuxer).codec else {
                panic!("no FLAC");
            };
            assert_eq!(config.sample_rate.ticks_per_second(), 48_000);
            assert_eq!((config.channels, config.bits_per_sample), (2, 16));
        }
        let mut demuxer = Demuxer::new();
        let short = body(b"\x90fLaC", &stream_info[1..]);
        assert!(demuxer.push_audio(0, short).is_err());
    }

    #[test]
    fn sound_without_configurations() {
        let mut demuxer = Demuxer::new();
        let mp3 = [0xff, 0xfb, 0x90, 0x64, 0, 0];
        demuxer.push_audio(0, body(&[0x2f], &mp3)).unwrap();
        let announced = track(&mut demuxer);
        assert!(matches!(announced.codec, Codec::MpegAudio(_)));
        assert_eq!(announced.timebase.ticks_per_second(), 44_100);
        assert_eq!(&unit(demuxer.pull()).payload[..], mp3);
        demuxer.push_audio(26, body(b"\x91.mp3", &mp3)).unwrap();
        assert_eq!(unit(demuxer.pull()).dts, 1_152);

        let mut demuxer = Demuxer::new();
        demuxer.push_audio(20, body(&[0x72], &[0xd5; 160])).unwrap();
        let announced = track(&mut demuxer);
        let expected = Codec::G711 {
            law: g711::Law::A,
            sample_rate: Timebase::new(8_000).unwrap(),
            channels: 1,
        };
        assert_eq!(announced.codec, expected);
        assert_eq!(unit(demuxer.pull()).dts, 160);
    }
}
