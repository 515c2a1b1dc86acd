//! H.264: the AVCDecoderConfigurationRecord, and what an access unit is (ITU-T H.264; ISO/IEC 14496-15
//! clause 5.3.3).
//!
//! Read [`Config`] first. [`Sps`] is what is used of a sequence parameter set, [`Picture`] what the NAL unit
//! headers of an access unit say, [`PictureOrder`] what its slice headers say of the order of output.

mod in_band;
mod order;
mod slice;
mod sps;

pub use in_band::InBand;
pub use order::PictureOrder;
pub use sps::Sps;

use super::{Start, nal, sei};
use crate::bits::BitsError;
use bytes::{BufMut, Bytes, BytesMut};

/// Longest parameter set that is kept, in bytes.
pub const MAX_PARAMETER_SET: usize = 4_096;

/// NAL unit types, table 7-1.
pub mod nal_type {
    /// Coded slice data partition A.
    pub const PARTITION_A: u8 = 2;
    /// Coded slice of a non-IDR picture.
    pub const SLICE: u8 = 1;
    /// Coded slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const AUD: u8 = 9;
    /// Filler data.
    pub const FILLER: u8 = 12;
}

/// What a decoder needs before the first picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Sequence parameter sets, as NAL units without start code or length; at least one.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets, likewise; at least one.
    pub pps: Vec<Bytes>,
    /// What the first sequence parameter set says of the pictures.
    pub video: Sps,
}

/// Why a configuration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The record ends in the middle.
    #[error("AVC configuration record ends at byte {0}")]
    Truncated(usize),
    /// `configurationVersion` is not 1.
    #[error("AVC configuration record has version {0}, not 1")]
    Version(u8),
    /// Lengths of 3 bytes do not exist.
    #[error("AVC NAL unit lengths of {0} bytes do not exist")]
    LengthSize(u8),
    /// No sequence or no picture parameter set.
    #[error("AVC configuration has no {0}")]
    Missing(&'static str),
    /// A parameter set longer than [`MAX_PARAMETER_SET`], or empty.
    #[error("parameter set of {0} bytes")]
    ParameterSet(usize),
    /// The sequence parameter set cannot be read.
    #[error("sequence parameter set: {0}")]
    Sps(#[from] BitsError),
    /// The sequence parameter set describes a picture of an impossible size.
    #[error("sequence parameter set gives a picture of {width} x {height}")]
    Size {
        /// Luma samples per line.
        width: u32,
        /// Lines.
        height: u32,
    },
}

impl Config {
    /// From parameter sets, in the order found.
    ///
    /// # Errors
    /// When there are none, one is too long, or the first SPS cannot be read.
    pub fn new(sps: Vec<Bytes>, pps: Vec<Bytes>) -> Result<Self, ConfigError> {
        for set in sps.iter().chain(&pps) {
            if set.is_empty() || set.len() > MAX_PARAMETER_SET {
                return Err(ConfigError::ParameterSet(set.len()));
            }
        }
        let first = sps.first().ok_or(ConfigError::Missing("SPS"))?;
        if pps.is_empty() {
            return Err(ConfigError::Missing("PPS"));
        }
        let video = Sps::parse(first)?;
        Ok(Self { sps, pps, video })
    }

    /// Reads an AVCDecoderConfigurationRecord (`avcC`), and the size of the NAL unit lengths it announces.
    ///
    /// # Errors
    /// A [`ConfigError`] that says what is wrong with it.
    pub fn parse_avcc(record: &Bytes) -> Result<(Self, u8), ConfigError> {
        let byte = |at: usize| record.get(at).copied().ok_or(ConfigError::Truncated(at));
        if byte(0)? != 1 {
            return Err(ConfigError::Version(byte(0)?));
        }
        let length_size = (byte(4)? & 3) + 1;
        if length_size == 3 {
            return Err(ConfigError::LengthSize(length_size));
        }
        let mut at = 5;
        let sets = |count: u8, at: &mut usize| -> Result<Vec<Bytes>, ConfigError> {
            let mut sets = Vec::with_capacity(usize::from(count));
            for _ in 0..count {
                let length = usize::from(byte(*at)?) << 8 | usize::from(byte(*at + 1)?);
                let end = *at + 2 + length;
                if end > record.len() {
                    return Err(ConfigError::Truncated(record.len()));
                }
                sets.push(Bytes::copy_from_slice(
                    record.get(*at + 2..end).unwrap_or_default(),
                ));
                *at = end;
            }
            Ok(sets)
        };
        let count = byte(at)? & 0x1f;
        at += 1;
        let sps = sets(count, &mut at)?;
        let count = byte(at)?;
        at += 1;
        let pps = sets(count, &mut at)?;
        Ok((Self::new(sps, pps)?, length_size))
    }

    /// Writes an AVCDecoderConfigurationRecord with 4-byte NAL unit lengths.
    pub fn avcc(&self) -> Bytes {
        let sets = self.sps.iter().chain(&self.pps);
        let mut out = BytesMut::with_capacity(11 + sets.map(|set| set.len() + 2).sum::<usize>());
        out.put_slice(&[
            1,
            self.video.profile_idc,
            self.video.constraints,
            self.video.level_idc,
            0xff,
        ]);
        let put_sets = |out: &mut BytesMut, sets: &[Bytes]| {
            for set in sets {
                out.put_u16(set.len() as u16);
                out.put_slice(set);
            }
        };
        out.put_u8(0xe0 | self.sps.len().min(31) as u8);
        put_sets(&mut out, self.sps.get(..31).unwrap_or(&self.sps));
        out.put_u8(self.pps.len().min(255) as u8);
        put_sets(&mut out, self.pps.get(..255).unwrap_or(&self.pps));
        // High profiles carry their chroma format once more (clause 5.3.3.1.2).
        if matches!(self.video.profile_idc, 100 | 110 | 122 | 144) {
            let Sps {
                chroma_format_idc,
                bit_depth_luma,
                bit_depth_chroma,
                ..
            } = self.video;
            out.put_slice(&[
                0xfc | chroma_format_idc,
                0xf8 | (bit_depth_luma - 8),
                0xf8 | (bit_depth_chroma - 8),
                0,
            ]);
        }
        out.freeze()
    }

    /// The `codecs` parameter of RFC 6381 section 3.3: `avc1.` with profile, constraints and level in hex.
    pub fn rfc6381(&self) -> String {
        let Sps {
            profile_idc,
            constraints,
            level_idc,
            ..
        } = self.video;
        format!("avc1.{profile_idc:02x}{constraints:02x}{level_idc:02x}")
    }
}

/// What an access unit's NAL units say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// It contains an IDR slice, so that a decoder can start here.
    pub idr: bool,
    /// None of its slices is referred to (`nal_ref_idc` = 0), so that it may be dropped alone.
    pub disposable: bool,
    /// It contains at least one slice.
    pub has_slice: bool,
    /// A recovery point message stands before its slices: after so many frames all is as it should be.
    pub recovery_frames: Option<u32>,
}

impl Picture {
    /// Looks at the NAL unit headers of a payload with 4-byte lengths.
    ///
    /// # Errors
    /// When a length reaches past the end.
    pub fn inspect(payload: &[u8]) -> Result<Self, nal::NalError> {
        let mut picture = Self {
            disposable: true,
            ..Self::default()
        };
        for unit in nal::units(payload) {
            let unit = unit?;
            let Some(header) = unit.first() else {
                continue;
            };
            let kind = header & 0x1f;
            if kind == nal_type::SEI && picture.recovery_frames.is_none() {
                let point = sei::recovery_point(unit, 1);
                picture.recovery_frames = point.and_then(|point| sei::recovery_frame_count(&point));
            }
            if (nal_type::SLICE..=nal_type::IDR).contains(&kind) {
                picture.has_slice = true;
                picture.idr |= kind == nal_type::IDR;
                picture.disposable &= header & 0x60 == 0;
            }
        }
        picture.disposable &= picture.has_slice;
        Ok(picture)
    }

    /// How a decoder can start here, if it can.
    pub fn start(&self) -> Option<Start> {
        match self.recovery_frames.filter(|_| self.has_slice) {
            _ if self.idr => Some(Start::Clean),
            Some(0) => Some(Start::Open),
            Some(_) => Some(Start::Gradual),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x264, High profile, level 3.1, 1280x720 at 30 pictures per second.
    const SPS_720P: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02,
        0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e, 0x07, 0x8c, 0x18, 0xcb,
    ];
    /// Constrained Baseline, level 3.0, cropped to 640x360.
    const SPS_360P: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];
    const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

    fn config(sps: &'static [u8]) -> Config {
        Config::new(vec![Bytes::from_static(sps)], vec![Bytes::from_static(PPS)]).unwrap()
    }

    #[test]
    fn parameter_sets_of_real_encoders() {
        let sps = config(SPS_720P).video;
        assert_eq!(
            (sps.width, sps.height, sps.frame_rate),
            (1_280, 720, Some((60, 2)))
        );
        assert_eq!(sps.sample_aspect_ratio, Some((1, 1)));
        assert_eq!(config(SPS_720P).rfc6381(), "avc1.64001f");
        let sps = config(SPS_360P).video;
        assert_eq!((sps.width, sps.height), (640, 360));
    }

    #[test]
    fn avcc_there_and_back() {
        for sps in [SPS_720P, SPS_360P] {
            let written = config(sps).avcc();
            let (read, length_size) = Config::parse_avcc(&written).unwrap();
            assert_eq!((read, length_size), (config(sps), 4));
        }
    }

    #[test]
    fn every_truncation_of_avcc_is_refused() {
        let record = config(SPS_360P).avcc();
        for length in 0..record.len() {
            assert!(
                Config::parse_avcc(&record.slice(..length)).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn bad_records_are_named() {
        let patched = |at: usize, value: u8| {
            let mut record = config(SPS_360P).avcc().to_vec();
            record[at] = value;
            Config::parse_avcc(&Bytes::from(record)).unwrap_err()
        };
        assert_eq!(patched(0, 2), ConfigError::Version(2));
        assert_eq!(patched(4, 0xfe), ConfigError::LengthSize(3));
        assert_eq!(patched(5, 0xe0), ConfigError::Missing("SPS"));
        assert!(matches!(
            Sps::parse(&[0x67, 0x42]),
            Err(ConfigError::Sps(_))
        ));
    }

    #[test]
    fn a_picture_is_known_by_its_slices() {
        let unit = |headers: &[u8]| -> Vec<u8> {
            headers
                .iter()
                .flat_map(|header| [0, 0, 0, 1, *header])
                .collect()
        };
        let inspect = |headers| Picture::inspect(&unit(headers)).unwrap();
        assert!(inspect(&[0x67, 0x68, 0x65]).idr);
        assert!(!inspect(&[0x41]).idr);
        assert!(!inspect(&[0x41]).disposable);
        assert!(inspect(&[0x01]).disposable);
        assert!(!inspect(&[0x06]).has_slice);
        assert!(!inspect(&[0x06]).disposable);
    }

    #[test]
    fn a_decoder_can_start_where_the_encoder_says_so() {
        let start = |units: &[&[u8]]| {
            let payload: Vec<u8> = units
                .iter()
                .flat_map(|unit| [&[0, 0, 0, unit.len() as u8], *unit].concat())
                .collect();
            Picture::inspect(&payload).unwrap().start()
        };
        // As x264 writes them: of no frames with `open-gop`, of as many as a column needs with `intra-refresh`.
        let (none, many) = ([6, 6, 1, 0xc4, 0x80], [6, 6, 2, 0x04, 0xa4, 0x80]);
        assert_eq!(start(&[&[0x65]]), Some(Start::Clean));
        assert_eq!(start(&[&none, &[0x65]]), Some(Start::Clean));
        assert_eq!(start(&[&[0x09, 0xf0], &none, &[0x41]]), Some(Start::Open));
        assert_eq!(start(&[&many, &[0x41]]), Some(Start::Gradual));
        assert_eq!(start(&[&[0x41]]), None);
        assert_eq!(start(&[&none]), None, "a recovery point of no picture");
    }
}
