//! The demo stream as access units: pictures and sound that are computed, so that a first stream needs
//! neither an encoder nor a file.
//!
//! [`Signal`] has no clock and does no IO: whoever calls it paces it. The modules it rests on go from what
//! is seen to what is sent: `picture` (with `wheel`, `font`, `canvas`) draws, `h264` (with `macroblock`,
//! `intra`, `transform`, `cavlc`) encodes; `sound` and `aac` likewise.

use super::h264::{self, FRAME_RATE};
use super::picture::Picture;
use super::sound::{self, Sound};
use bytes::{BufMut, BytesMut};
use media::{AccessUnit, Codec, Timebase, Track, TrackId};
use std::time::SystemTime;

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);
/// Pictures from one random access point to the next: two seconds.
const GOP: u64 = 2 * FRAME_RATE as u64;
/// Ticks of a picture.
const PICTURE_TICKS: i64 = (Timebase::VIDEO.ticks_per_second() / FRAME_RATE) as i64;

/// The demo stream. Two signals with the same start are the same to the bit.
///
/// Media time 0 is the first picture and the first sample; at every whole second of media time the sound
/// beeps and the wheel's hub lights up. For beeps at the full seconds of the clock in the picture, start
/// at one.
pub(super) struct Signal {
    picture: Picture,
    video: h264::Encoder,
    sound: Sound,
    /// How many units of each track were given out.
    pictures: u64,
    frames: u64,
    /// The next picture shall be a random access point.
    wants_random_access: bool,
}

impl Default for Signal {
    fn default() -> Self {
        Self::new()
    }
}

impl Signal {
    /// At media time 0. Takes about ten milliseconds. Drawings and sounds that come again are kept when
    /// first made: 4 MB once all are there.
    pub(super) fn new() -> Self {
        let picture = Picture::new();
        Self {
            video: h264::Encoder::new(picture.canvas().clone()),
            picture,
            sound: Sound::new(),
            pictures: 0,
            frames: 0,
            wants_random_access: false,
        }
    }

    /// H.264 (640x360, 30 pictures per second, a random access point every two seconds) on a clock of
    /// 90 kHz, and AAC-LC (stereo) on one of its 48 kHz.
    pub(super) fn tracks(&self) -> [Track; 2] {
        [
            Track {
                id: VIDEO,
                codec: Codec::H264(h264::config()),
                timebase: Timebase::VIDEO,
            },
            Track {
                id: AUDIO,
                codec: Codec::Aac(sound::config()),
                timebase: sound::RATE_TIMEBASE,
            },
        ]
    }

    /// The next access unit, of whichever track is behind; at the same time, the picture. `start` is the
    /// wall-clock time of media time 0: the picture shows, and [`AccessUnit::capture`] is, that time and
    /// the unit's own.
    pub(super) fn next(&mut self, start: SystemTime) -> AccessUnit {
        let video = self.pictures as i64 * PICTURE_TICKS;
        let audio = self.frames as i64 * i64::from(sound::config().frame_length);
        // Compared as fractions of a second, without rounding.
        let video_rate = i64::from(Timebase::VIDEO.ticks_per_second());
        if video * i64::from(sound::RATE) <= audio * video_rate {
            self.next_picture(video, start + Timebase::VIDEO.duration(video))
        } else {
            self.next_frame(audio, start + sound::RATE_TIMEBASE.duration(audio))
        }
    }

    /// Makes the next picture a random access point, whatever its turn.
    pub(super) const fn want_random_access(&mut self) {
        self.wants_random_access = true;
    }

    fn next_picture(&mut self, dts: i64, wall: SystemTime) -> AccessUnit {
        let wanted = std::mem::take(&mut self.wants_random_access);
        let idr = wanted || self.pictures.is_multiple_of(GOP);
        let canvas = self.picture.draw(self.pictures, wall);
        let unit = self.video.encode(canvas, idr);
        self.pictures += 1;
        let mut payload = BytesMut::with_capacity(4 + unit.len());
        payload.put_u32(unit.len() as u32);
        payload.put_slice(&unit);
        AccessUnit {
            track: VIDEO,
            dts,
            pts: dts,
            random_access: idr,
            disposable: false,
            discontinuity: false,
            capture: Some(wall),
            payload: payload.freeze(),
        }
    }

    fn next_frame(&mut self, dts: i64, wall: SystemTime) -> AccessUnit {
        let payload = self.sound.frame(self.frames);
        self.frames += 1;
        AccessUnit {
            track: AUDIO,
            dts,
            pts: dts,
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: Some(wall),
            payload,
        }
    }
}

#[cfg(test)]
mod tests;
