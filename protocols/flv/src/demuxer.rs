//! From tag bodies, in the order they arrive, to tracks and access units.
//!
//! It does not know where the bodies came from (RTMP messages, a file, an HTTP response) and it does not
//! repair clocks: what it does with time is to unwrap the 32-bit milliseconds, and to give audio frames
//! back the exact times that the milliseconds rounded. Read [`Demuxer`] and [`Event`].

use crate::Error;
use crate::body::{self, AAC_HEADER, AVC_HEADER, Audio, Video};
use bytes::{Buf, Bytes};
use media::clock::{SampleClock, Unwrapper};
use media::codec::{aac, h264, nal};
use media::{AccessUnit, Codec, Timebase, Track, TrackId};
use std::collections::VecDeque;

/// The only video track that FLV has.
pub const VIDEO: TrackId = TrackId(0);
/// The only audio track that FLV has.
pub const AUDIO: TrackId = TrackId(1);

/// How far wire times of audio may be from the running sample count, in milliseconds: rounding, and one
/// more for encoders that round twice.
const AUDIO_TOLERANCE_MS: u32 = 2;

/// What comes out of a [`Demuxer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A track is known now, or its configuration is another from here on.
    Track(Track),
    /// One coded picture or audio frame of a track that was announced before.
    Unit(AccessUnit),
}

/// Takes tag bodies apart. Push a body, then pull until there is nothing more; a body gives at most one
/// event, so what waits inside is bounded by what was pushed and not pulled.
///
/// Video is on [`Timebase::MILLIS`], audio on its sample rate; both count from the same zero.
#[derive(Debug)]
pub struct Demuxer {
    /// One for both tracks, so that a wrap between a video and an audio tag keeps them on one axis.
    clock: Unwrapper,
    video: Option<VideoTrack>,
    audio: Option<AudioTrack>,
    events: VecDeque<Event>,
    dropped_before_config: u64,
}

#[derive(Debug)]
struct VideoTrack {
    config: h264::Config,
    length_size: u8,
}

#[derive(Debug)]
struct AudioTrack {
    config: aac::Config,
    clock: SampleClock,
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
            video: None,
            audio: None,
            events: VecDeque::new(),
            dropped_before_config: 0,
        }
    }

    /// Takes the body of a video tag. `timestamp` is its DTS in milliseconds modulo 2³². The payload of the
    /// unit is a slice of `body` wherever NAL unit lengths have 4 bytes already. Empty bodies (which are
    /// used to keep connections alive), commands and ends of sequences are passed over.
    ///
    /// # Errors
    /// When the body cannot be used; the next one may be (see [`Error`]).
    pub fn push_video(&mut self, timestamp: u32, body: Bytes) -> Result<(), Error> {
        match body::video(&body)? {
            Video::Nothing => Ok(()),
            Video::Configuration => self.configure_video(&after(body, AVC_HEADER)),
            Video::Picture {
                key_frame,
                composition_time,
            } => {
                let dts = self.clock.unwrap(u64::from(timestamp));
                self.picture(dts, key_frame, composition_time, after(body, AVC_HEADER))
            }
        }
    }

    /// Takes the body of an audio tag; `timestamp` as in [`push_video`](Self::push_video).
    ///
    /// # Errors
    /// When the body cannot be used; the next one may be (see [`Error`]).
    pub fn push_audio(&mut self, timestamp: u32, body: Bytes) -> Result<(), Error> {
        match body::audio(&body)? {
            Audio::Nothing => Ok(()),
            Audio::Configuration => self.configure_audio(&after(body, AAC_HEADER)),
            Audio::Frame => {
                let time = self.clock.unwrap(u64::from(timestamp));
                self.frame(time, after(body, AAC_HEADER));
                Ok(())
            }
        }
    }

    /// The next event, in the order of the bodies.
    pub fn pull(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bodies with media that came before their track's configuration and were dropped.
    pub const fn dropped_before_config(&self) -> u64 {
        self.dropped_before_config
    }

    fn configure_video(&mut self, record: &Bytes) -> Result<(), Error> {
        let (config, length_size) = h264::Config::parse_avcc(record)?;
        let known = self.video.as_ref().is_some_and(|old| old.config == config);
        if !known {
            self.events.push_back(Event::Track(Track {
                id: VIDEO,
                codec: Codec::H264(config.clone()),
                timebase: Timebase::MILLIS,
            }));
        }
        self.video = Some(VideoTrack {
            config,
            length_size,
        });
        Ok(())
    }

    fn configure_audio(&mut self, specific_config: &[u8]) -> Result<(), Error> {
        // Bounded before it is copied; copied so that the body is not kept for as long as the track.
        if specific_config.len() > aac::MAX_CONFIG {
            return Err(aac::ConfigError::TooLong(specific_config.len()).into());
        }
        let config = aac::Config::parse(&Bytes::copy_from_slice(specific_config))?;
        if self.audio.as_ref().is_some_and(|old| old.config == config) {
            return Ok(());
        }
        let rate = config.sample_rate;
        let tolerance = Timebase::MILLIS.rescale(i64::from(AUDIO_TOLERANCE_MS), rate);
        self.events.push_back(Event::Track(Track {
            id: AUDIO,
            codec: Codec::Aac(config.clone()),
            timebase: rate,
        }));
        self.audio = Some(AudioTrack {
            config,
            clock: SampleClock::new(rate, tolerance),
        });
        Ok(())
    }

    fn picture(
        &mut self,
        dts: i64,
        key_frame: bool,
        composition_time: i32,
        payload: Bytes,
    ) -> Result<(), Error> {
        let Some(track) = &self.video else {
            self.dropped_before_config = self.dropped_before_config.saturating_add(1);
            return Ok(());
        };
        let payload = nal::with_four_byte_lengths(payload, track.length_size)?;
        if payload.is_empty() {
            return Ok(());
        }
        let picture = h264::Picture::inspect(&payload)?;
        self.events.push_back(Event::Unit(AccessUnit {
            track: VIDEO,
            dts,
            pts: dts.saturating_add(i64::from(composition_time)),
            // Of a key frame whose bits do not say that a decoder can start there, the sender's word has to do.
            random_access: picture.start().is_some() || key_frame && picture.has_slice,
            disposable: picture.disposable,
            discontinuity: false,
            capture: None,
            payload,
        }));
        Ok(())
    }

    fn frame(&mut self, time: i64, payload: Bytes) {
        let Some(track) = &mut self.audio else {
            self.dropped_before_config = self.dropped_before_config.saturating_add(1);
            return;
        };
        if payload.is_empty() {
            return;
        }
        let samples = u32::from(track.config.frame_length);
        let time = track.clock.stamp(time, Timebase::MILLIS, samples);
        self.events.push_back(Event::Unit(AccessUnit {
            track: AUDIO,
            dts: time,
            pts: time,
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload,
        }));
    }
}

/// What stands behind a header that was found to be there, without a copy.
fn after(mut body: Bytes, header: usize) -> Bytes {
    body.advance(header.min(body.len()));
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::{AVC_SEQUENCE_HEADER, AVC_SEQUENCE_HEADER_SHORT_LENGTHS};

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
        let bad = demuxer.push_audio(0, Bytes::from_static(b"\x90Opus"));
        assert_eq!(
            bad.unwrap_err().to_string(),
            "Opus (FourCC Opus) is not carried; H.264 and AAC are"
        );
        assert!(video(&mut demuxer, 0, IDR).is_some());
    }
}
