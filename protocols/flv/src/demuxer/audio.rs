//! An audio track: its configuration, and how long a frame is.

use super::{AUDIO, Taken, Time};
use crate::Error;
use crate::body::AudioCodec;
use bytes::Bytes;
use media::clock::SampleClock;
use media::codec::{aac, ac3, flac, g711, mpeg_audio, opus};
use media::{AccessUnit, Codec, Timebase, Track};

/// How far wire times of audio may be from the running sample count, in milliseconds: rounding, and one
/// more for encoders that round twice.
const TOLERANCE_MS: u32 = 2;

/// The rate of G.711 in FLV.
const G711_RATE: Timebase = match Timebase::new(8_000) {
    Some(rate) => rate,
    None => Timebase::MILLIS,
};

/// What is known of a track.
#[derive(Debug, Default)]
pub(super) struct AudioTrack {
    configured: Option<(Codec, SampleClock)>,
}

impl AudioTrack {
    /// Takes a sequence header. The track, where it is another now.
    pub(super) fn configure(
        &mut self,
        codec: AudioCodec,
        header: &[u8],
    ) -> Result<Option<Track>, Error> {
        Ok(match codec {
            AudioCodec::Aac => {
                // Bounded before it is copied; copied so that the body is not kept for as long as the track.
                if header.len() > aac::MAX_CONFIG {
                    return Err(aac::ConfigError::TooLong(header.len()).into());
                }
                let config = aac::Config::parse(&Bytes::copy_from_slice(header))?;
                self.set(config.sample_rate, Codec::Aac(config))
            }
            AudioCodec::Opus => {
                let config = opus::Config::parse_head(header)?;
                self.set(opus::TIMEBASE, Codec::Opus(config))
            }
            AudioCodec::Flac => {
                // ffmpeg sends STREAMINFO alone, without the header of a stream that stands before it.
                let bare = flac::Config::parse(header);
                let config = bare.or_else(|_| flac::Config::parse_header(header))?;
                self.set(config.sample_rate, Codec::Flac(config))
            }
            // All is in each frame.
            AudioCodec::Ac3 | AudioCodec::Mp3 | AudioCodec::G711(..) => None,
        })
    }

    /// Takes a frame.
    pub(super) fn frame(
        &mut self,
        codec: AudioCodec,
        time: Time,
        payload: Bytes,
    ) -> Result<Taken, Error> {
        if payload.is_empty() {
            return Ok(Taken::Nothing);
        }
        let mut changed = None;
        let samples = match codec {
            AudioCodec::Aac => match &self.configured {
                Some((Codec::Aac(config), _)) => u32::from(config.frame_length),
                _ => return Ok(Taken::TooEarly),
            },
            AudioCodec::Opus => match &self.configured {
                Some((Codec::Opus(_), _)) => opus::duration(&payload).ok_or(Error::OpusPacket)?,
                _ => return Ok(Taken::TooEarly),
            },
            AudioCodec::Flac => match &self.configured {
                Some((Codec::Flac(config), _)) => {
                    let longest = u32::from(config.max_block_size);
                    flac::duration(&payload).unwrap_or(longest)
                }
                _ => return Ok(Taken::TooEarly),
            },
            AudioCodec::Ac3 => {
                let config = ac3::Config::of(&payload)?;
                changed = self.set(config.sample_rate, Codec::Ac3(config));
                ac3::Header::parse(&payload)?.samples()
            }
            AudioCodec::Mp3 => {
                let header = mpeg_audio::Header::parse(&payload)?;
                if header.layer != 3 {
                    return Err(Error::Layer(header.layer));
                }
                let config = mpeg_audio::Config::of(&header);
                changed = self.set(header.sample_rate, Codec::MpegAudio(config));
                header.samples()
            }
            AudioCodec::G711(law, channels) => {
                let sample_rate = G711_RATE;
                let codec = Codec::G711 {
                    law,
                    sample_rate,
                    channels,
                };
                changed = self.set(sample_rate, codec);
                u32::try_from(g711::duration(&payload, channels)).unwrap_or(u32::MAX)
            }
        };
        let Some((_, clock)) = &mut self.configured else {
            return Ok(Taken::TooEarly);
        };
        let micros = Timebase::MILLIS.rescale(time.dts, Timebase::MICROS);
        let time = match time.nanos {
            0 => clock.stamp(time.dts, Timebase::MILLIS, samples),
            nanos => clock.stamp(
                micros.saturating_add(i64::from(nanos / 1_000)),
                Timebase::MICROS,
                samples,
            ),
        };
        let unit = AccessUnit {
            track: AUDIO,
            dts: time,
            pts: time,
            random_access: true,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload,
        };
        Ok(Taken::Unit { changed, unit })
    }

    fn set(&mut self, rate: Timebase, codec: Codec) -> Option<Track> {
        if let Some((known, _)) = &self.configured
            && *known == codec
        {
            return None;
        }
        let tolerance = Timebase::MILLIS.rescale(i64::from(TOLERANCE_MS), rate);
        self.configured = Some((codec.clone(), SampleClock::new(rate, tolerance)));
        Some(Track {
            id: AUDIO,
            codec,
            timebase: rate,
        })
    }
}
