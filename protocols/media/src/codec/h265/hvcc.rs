//! The HEVCDecoderConfigurationRecord (`hvcC`), read and written (ISO/IEC 14496-15 clause 8.3.3.1).

use super::{Config, ConfigError, MAX_PARAMETER_SETS, nal_type};
use bytes::{BufMut, Bytes, BytesMut};

/// Bytes in front of the arrays, their number included.
const HEADER: usize = 23;

impl Config {
    /// Reads an HEVCDecoderConfigurationRecord (`hvcC`), and the size of the NAL unit lengths it announces.
    ///
    /// Profile, level and format are taken from the sequence parameter set, not from the record's copy of
    /// them. NAL units of other kinds, such as SEI that holds for the whole stream, are left out.
    ///
    /// # Errors
    /// A [`ConfigError`] that says what is wrong with it.
    pub fn parse_hvcc(record: &Bytes) -> Result<(Self, u8), ConfigError> {
        let truncated = ConfigError::Truncated(record.len());
        let byte = |at: usize| record.get(at).copied().ok_or(truncated);
        if byte(0)? != 1 {
            return Err(ConfigError::Version(byte(0)?));
        }
        let length_size = (byte(21)? & 3) + 1;
        if length_size == 3 {
            return Err(ConfigError::LengthSize(length_size));
        }
        let (mut vps, mut sps, mut pps) = (Vec::new(), Vec::new(), Vec::new());
        let mut at = HEADER;
        for _ in 0..byte(22)? {
            let kind = byte(at)? & 0x3f;
            let count = u16::from_be_bytes([byte(at + 1)?, byte(at + 2)?]);
            at += 3;
            let (mut sets, name) = match kind {
                nal_type::VPS => (Some(&mut vps), "VPS"),
                nal_type::SPS => (Some(&mut sps), "SPS"),
                nal_type::PPS => (Some(&mut pps), "PPS"),
                _ => (None, ""),
            };
            for _ in 0..count {
                let length = usize::from(u16::from_be_bytes([byte(at)?, byte(at + 1)?]));
                let end = at + 2 + length;
                let set = record.get(at + 2..end).ok_or(truncated)?;
                at = end;
                let Some(sets) = &mut sets else {
                    continue;
                };
                if sets.len() >= MAX_PARAMETER_SETS {
                    let count = sets.len() + 1;
                    return Err(ConfigError::TooMany { kind: name, count });
                }
                sets.push(Bytes::copy_from_slice(set));
            }
        }
        Ok((Self::new(vps, sps, pps)?, length_size))
    }

    /// Writes an HEVCDecoderConfigurationRecord with 4-byte NAL unit lengths, whose arrays are said to be
    /// complete. What is not known, segmentation and average frame rate, is 0, which says so.
    pub fn hvcc(&self) -> Bytes {
        let kinds = [
            (nal_type::VPS, &self.vps),
            (nal_type::SPS, &self.sps),
            (nal_type::PPS, &self.pps),
        ];
        let arrays = kinds.iter().map(|(_, sets)| {
            let bytes = sets.iter().map(|set| 2 + set.len());
            3 + bytes.sum::<usize>()
        });
        let mut out = BytesMut::with_capacity(HEADER + arrays.sum::<usize>());
        let video = &self.video;
        out.put_u8(1);
        out.put_slice(&video.profile.to_bytes());
        out.put_u16(0xf000); // min_spatial_segmentation_idc
        out.put_slice(&[
            0xfc, // parallelismType
            0xfc | video.chroma_format_idc,
            0xf8 | video.bit_depth_luma.saturating_sub(8),
            0xf8 | video.bit_depth_chroma.saturating_sub(8),
        ]);
        out.put_u16(0); // avgFrameRate
        let nested = u8::from(video.temporal_id_nested);
        out.put_u8(video.sub_layers << 3 | nested << 2 | 3);
        out.put_u8(kinds.len() as u8);
        for (kind, sets) in kinds {
            let sets = sets.get(..MAX_PARAMETER_SETS).unwrap_or(sets);
            out.put_u8(0x80 | kind);
            out.put_u16(sets.len() as u16);
            for set in sets {
                out.put_u16(set.len() as u16);
                out.put_slice(set);
            }
        }
        out.freeze()
    }
}
