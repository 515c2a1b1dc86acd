//! A video track: its configuration, and what a picture is.

use super::{Taken, Time, VIDEO};
use crate::Error;
use crate::body::VideoCodec;
use bytes::Bytes;
use media::codec::{av1, h264, h265, nal, vp8, vp9};
use media::{AccessUnit, Codec, Timebase, Track};

/// Longest record of VP9 that is kept until the first key frame tells the rest, in bytes.
const MAX_VP9_RECORD: usize = 64;

/// What is known of a track.
#[derive(Debug, Default)]
pub(super) struct VideoTrack {
    config: Option<Codec>,
    /// Whether it counts microseconds.
    fine: bool,
    /// Bytes of the length in front of each NAL unit on the wire.
    length_size: u8,
    /// What the sequence header said of VP9.
    vp9_record: Bytes,
}

/// What the headers of a picture say.
struct Picture {
    payload: Bytes,
    is_start: bool,
    disposable: bool,
}

impl VideoTrack {
    /// Takes a sequence header. The track, where it is another now.
    pub(super) fn configure(
        &mut self,
        codec: VideoCodec,
        record: &Bytes,
        enhanced: bool,
    ) -> Result<Option<Track>, Error> {
        let config = match codec {
            VideoCodec::H264 => {
                let (config, length_size) = h264::Config::parse_avcc(record)?;
                self.length_size = length_size;
                Codec::H264(config)
            }
            VideoCodec::H265 => {
                let (config, length_size) = h265::Config::parse_hvcc(record)?;
                self.length_size = length_size;
                Codec::H265(config)
            }
            VideoCodec::Av1 => Codec::Av1(av1::Config::parse_av1c(record)?),
            VideoCodec::Vp9 => {
                // The size of the pictures is not in it.
                let kept = record.get(..record.len().min(MAX_VP9_RECORD));
                self.vp9_record = Bytes::copy_from_slice(kept.unwrap_or_default());
                return Ok(None);
            }
            // All is in its key frames.
            VideoCodec::Vp8 => return Ok(None),
        };
        Ok(self.set(config, enhanced))
    }

    /// Takes a picture.
    pub(super) fn picture(
        &mut self,
        codec: VideoCodec,
        time: Time,
        key_frame: bool,
        payload: Bytes,
        enhanced: bool,
    ) -> Result<Taken, Error> {
        if payload.is_empty() {
            return Ok(Taken::Nothing);
        }
        let changed = match codec {
            VideoCodec::Vp8 if vp8::Picture::inspect(&payload).key => {
                let config = vp8::Config::from_key_frame(&payload)?;
                self.set(Codec::Vp8(config), enhanced)
            }
            VideoCodec::Vp9 if vp9::Picture::inspect(&payload).key => {
                let seen = vp9::Config::from_key_frame(&payload)?;
                let told = vp9::Config::parse_vpcc(&self.vp9_record, seen.width, seen.height);
                self.set(Codec::Vp9(told.unwrap_or(seen)), enhanced)
            }
            _ => None,
        };
        let picture = match (&self.config, codec) {
            (Some(Codec::H264(_)), VideoCodec::H264) => self.h264(payload, key_frame)?,
            (Some(Codec::H265(config)), VideoCodec::H265) => {
                let payload = nal::with_four_byte_lengths(payload, self.length_size)?;
                let picture = h265::Picture::inspect(&payload)?;
                Picture {
                    is_start: picture.start().is_some() || key_frame && picture.has_slice,
                    disposable: picture.disposable(&config.video),
                    payload,
                }
            }
            (Some(Codec::Av1(config)), VideoCodec::Av1) => {
                let payload = av1::normalise(&payload)?;
                let picture = av1::Picture::inspect_with(&payload, &config.video)?;
                Picture {
                    is_start: picture.start().is_some(),
                    disposable: picture.disposable,
                    payload,
                }
            }
            (Some(Codec::Vp8(_)), VideoCodec::Vp8) => {
                let picture = vp8::Picture::inspect(&payload);
                Picture {
                    is_start: picture.start().is_some(),
                    disposable: picture.disposable,
                    payload,
                }
            }
            (Some(Codec::Vp9(_)), VideoCodec::Vp9) => {
                let picture = vp9::Picture::inspect(&payload);
                Picture {
                    is_start: picture.start().is_some(),
                    disposable: picture.disposable,
                    payload,
                }
            }
            _ => return Ok(Taken::TooEarly),
        };
        if picture.payload.is_empty() {
            return Ok(Taken::Nothing);
        }
        let timebase = self.timebase();
        let dts = Timebase::MILLIS.rescale(time.dts, timebase);
        let later = Timebase::MILLIS.rescale(i64::from(time.composition_time), timebase);
        let nanos = if self.fine { time.nanos } else { 0 };
        let later = later.saturating_add(i64::from(nanos / 1_000));
        let unit = AccessUnit {
            track: VIDEO,
            dts,
            pts: dts.saturating_add(later),
            random_access: picture.is_start,
            disposable: picture.disposable,
            discontinuity: false,
            capture: None,
            payload: picture.payload,
        };
        Ok(Taken::Unit { changed, unit })
    }

    fn h264(&self, payload: Bytes, key_frame: bool) -> Result<Picture, Error> {
        let payload = nal::with_four_byte_lengths(payload, self.length_size)?;
        let picture = h264::Picture::inspect(&payload)?;
        Ok(Picture {
            // Of a key frame whose bits do not say that a decoder can start there, the sender's word has to do.
            is_start: picture.start().is_some() || key_frame && picture.has_slice,
            disposable: picture.disposable,
            payload,
        })
    }

    fn set(&mut self, config: Codec, enhanced: bool) -> Option<Track> {
        if self.config.as_ref() == Some(&config) {
            return None;
        }
        self.config = Some(config.clone());
        self.fine = enhanced;
        Some(Track {
            id: VIDEO,
            codec: config,
            timebase: self.timebase(),
        })
    }

    const fn timebase(&self) -> Timebase {
        if self.fine {
            Timebase::MICROS
        } else {
            Timebase::MILLIS
        }
    }
}
