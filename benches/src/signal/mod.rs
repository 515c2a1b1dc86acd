//! What is published: a 720p stream of 30 pictures per second with sound, the same in every run.
//!
//! Parameter sets, NAL unit headers, slice headers and sizes are those of a real stream; the picture data
//! behind them is filler, since no server in a benchmark looks there. The sound is a second of noise and tones,
//! over and over, since a server that bridges it to another codec decodes it; as Opus it is filler too. Each access unit carries a
//! [`Stamp`] with its number and the time at which it was sent.

mod sound;
mod stamp;

pub use sound::Sound;
pub use stamp::{Scanner, Stamp, Unit};

use bytes::Bytes;
use media::codec::h264::{Config, ConfigError};
use std::time::Duration;

/// Pictures per second.
pub const PICTURE_RATE: u64 = 30;
/// Pictures from one random access point to the next: one second.
pub const GOP: u64 = 30;
/// Video, in bits per second.
pub const VIDEO_BITRATE: u64 = 2_000_000;
/// Sound, in bits per second, about.
pub const AUDIO_BITRATE: u64 = 128_000;
/// Samples of sound per second.
pub const SAMPLE_RATE: u64 = 48_000;

/// A random access picture is so many times larger than the others.
const IDR_FACTOR: u64 = 5;

/// Bytes of a GOP, divided as `IDR_FACTOR` says.
const GOP_BYTES: u64 = VIDEO_BITRATE / 8 * GOP / PICTURE_RATE;
const PICTURE_BYTES: u64 = GOP_BYTES / (GOP - 1 + IDR_FACTOR);
const IDR_BYTES: u64 = GOP_BYTES - PICTURE_BYTES * (GOP - 1);

/// Baseline, level 3.1, 1280 × 720, 30 pictures per second, order of output = order of decoding.
const SPS: [u8; 19] = [
    0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe8, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00,
    0x00, 0x0f, 0x21,
];
const PPS: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];

/// Access units in the order and at the times at which an encoder sends them.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    sound: Sound,
    pictures: u64,
    frames: u64,
}

impl Schedule {
    /// With the sound so coded.
    pub fn with(sound: Sound) -> Self {
        Self {
            sound,
            ..Self::default()
        }
    }
}

/// One access unit of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// What it is.
    pub unit: Unit,
    /// Its number within its track, from 0.
    pub number: u64,
    /// Its time since the start of the stream.
    pub at: Duration,
}

impl Due {
    /// The time in milliseconds modulo 2³², as RTMP carries it.
    pub const fn timestamp(&self) -> u32 {
        self.at.as_millis() as u32
    }
}

impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let picture = Duration::from_nanos(self.pictures * 1_000_000_000 / PICTURE_RATE);
        let frame =
            Duration::from_nanos(self.frames * self.sound.samples() * 1_000_000_000 / SAMPLE_RATE);
        Some(if picture <= frame {
            let number = self.pictures;
            self.pictures += 1;
            let unit = if number.is_multiple_of(GOP) {
                Unit::RandomAccess
            } else {
                Unit::Picture
            };
            Due {
                unit,
                number,
                at: picture,
            }
        } else {
            let number = self.frames;
            self.frames += 1;
            Due {
                unit: Unit::Audio,
                number,
                at: frame,
            }
        })
    }
}

/// What stands before an access unit in the body of an FLV tag.
pub const fn prefix(unit: Unit, sound: Sound) -> &'static [u8] {
    match unit {
        Unit::RandomAccess => &[0x17, 1, 0, 0, 0],
        Unit::Picture => &[0x27, 1, 0, 0, 0],
        Unit::Audio => sound.prefix(),
    }
}

/// Bodies of the FLV tags that have to come first: of video and of audio.
pub fn sequence_headers(sound: Sound) -> (Vec<u8>, Vec<u8>) {
    let mut video = vec![
        0x17,
        0,
        0,
        0,
        0,
        1,
        0x42,
        0xc0,
        0x1f,
        0xff,
        0xe1,
        0,
        SPS.len() as u8,
    ];
    video.extend_from_slice(&SPS);
    video.extend_from_slice(&[1, 0, PPS.len() as u8]);
    video.extend_from_slice(&PPS);
    (video, sound.sequence_header())
}

/// The parameter sets.
///
/// # Errors
/// None in fact: they are constants.
pub fn video_config() -> Result<Config, ConfigError> {
    Config::new(
        vec![Bytes::from_static(&SPS)],
        vec![Bytes::from_static(&PPS)],
    )
}

/// The access unit, sent at `sent` (nanoseconds of [`clock::now`](crate::clock::now)): one NAL unit with a
/// length of four bytes, or a frame of that sound.
pub fn payload(due: &Due, sound: Sound, sent: u64) -> Vec<u8> {
    let stamp = Stamp {
        unit: due.unit,
        number: due.number,
        sent,
    };
    let length = match due.unit {
        Unit::RandomAccess => IDR_BYTES,
        Unit::Picture => PICTURE_BYTES,
        Unit::Audio => return sound.frame(due.number, &stamp),
    } as usize;
    let mut payload = Vec::with_capacity(length);
    payload.extend_from_slice(&((length - 4) as u32).to_be_bytes());
    // first_mb_in_slice 0, slice_type 7 (I) or 5 (P), pic_parameter_set_id 0, frame_num in 4 bits.
    let frame = (due.number % GOP % 16) as u8;
    if due.unit == Unit::RandomAccess {
        payload.extend_from_slice(&[0x65, 0x88, 0x84]);
    } else {
        payload.extend_from_slice(&[0x41, 0x9a | frame >> 3, (frame << 5) | 0x10]);
    }
    stamp.write(&mut payload);
    // Filler without a zero byte: nothing that looks like a start code or needs an escape.
    payload.extend((payload.len()..length).map(|at| (at % 251) as u8 + 3));
    payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use flv::demuxer::{Demuxer, Event};
    use media::Codec;

    #[test]
    fn ten_seconds_have_the_sizes_and_rates_they_should() {
        for (sound, frames) in [(Sound::Aac, 469), (Sound::Opus, 500)] {
            let units: Vec<Due> = Schedule::with(sound)
                .take_while(|due| due.at < Duration::from_secs(10))
                .collect();
            assert!(units.is_sorted_by_key(|due| due.at));
            let bytes = |of: fn(Unit) -> bool| -> usize {
                let units = units.iter().filter(|due| of(due.unit));
                units.map(|due| payload(due, sound, 1).len()).sum()
            };
            let video = bytes(|unit| unit != Unit::Audio);
            assert_eq!(video as u64 * 8 / 10, VIDEO_BITRATE);
            let audio = bytes(|unit| unit == Unit::Audio) as u64 * 8 / 10;
            assert!(
                audio.abs_diff(AUDIO_BITRATE) < AUDIO_BITRATE / 100,
                "{audio}"
            );
            let count = |unit| units.iter().filter(|due| due.unit == unit).count();
            assert_eq!(count(Unit::RandomAccess), 10);
            assert_eq!(count(Unit::Picture), 290);
            assert_eq!(count(Unit::Audio), frames);
        }
        let ratio = IDR_BYTES as f64 / PICTURE_BYTES as f64;
        assert!((4.9..5.1).contains(&ratio), "{ratio}");
    }

    #[test]
    fn our_own_demuxer_takes_it_for_a_real_stream() {
        for sound in [Sound::Aac, Sound::Opus] {
            let mut demuxer = Demuxer::new();
            let (video, audio) = sequence_headers(sound);
            demuxer.push_video(0, video.into()).unwrap();
            demuxer.push_audio(0, audio.into()).unwrap();
            let Some(Event::Track(track)) = demuxer.pull() else {
                panic!("no video track");
            };
            let Codec::H264(config) = track.codec else {
                panic!("{:?}", track.codec);
            };
            assert_eq!((config.video.width, config.video.height), (1280, 720));
            let (pictures, seconds) = config.video.frame_rate.unwrap();
            assert_eq!(u64::from(pictures), PICTURE_RATE * u64::from(seconds));
            let Some(Event::Track(track)) = demuxer.pull() else {
                panic!("no audio track");
            };
            assert_eq!(
                matches!(track.codec, Codec::Opus(_)),
                sound == Sound::Opus,
                "{:?}",
                track.codec
            );
            for due in Schedule::with(sound).take(200) {
                let payload = payload(&due, sound, 77);
                let body: Bytes = [prefix(due.unit, sound), &payload].concat().into();
                match due.unit {
                    Unit::Audio => demuxer.push_audio(due.timestamp(), body).unwrap(),
                    _ => demuxer.push_video(due.timestamp(), body).unwrap(),
                }
                let Some(Event::Unit(unit)) = demuxer.pull() else {
                    panic!("no unit for {due:?}");
                };
                assert_eq!(unit.payload, payload);
                assert_eq!(unit.random_access, due.unit != Unit::Picture, "{due:?}");
            }
        }
    }
}
