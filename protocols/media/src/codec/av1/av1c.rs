//! The AV1CodecConfigurationRecord (`av1C`), read and written (ISO Media File Format Binding section 2.3).

use super::{Config, ConfigError, obu_type, obus};
use bytes::{BufMut, Bytes, BytesMut};

/// Marker bit and version 1.
const MARKER_AND_VERSION: u8 = 0x81;

/// Bytes in front of the OBUs.
const HEADER: usize = 4;

impl Config {
    /// Reads an AV1CodecConfigurationRecord.
    ///
    /// Profile, level and format are taken from the sequence header, not from the record's copy of them. Other
    /// OBUs in it, such as metadata that holds for the whole stream, are left out. Records without a sequence
    /// header exist: there, it is known with the first key frame.
    ///
    /// # Errors
    /// A [`ConfigError`] that says what is wrong with it.
    pub fn parse_av1c(record: &Bytes) -> Result<Self, ConfigError> {
        let truncated = ConfigError::Truncated(record.len());
        match record.first() {
            Some(&MARKER_AND_VERSION) => {}
            Some(first) => return Err(ConfigError::Version(*first)),
            None => return Err(truncated),
        }
        let config_obus = record.get(HEADER..).ok_or(truncated)?;
        for obu in obus(config_obus) {
            let obu = obu?;
            if obu.kind == obu_type::SEQUENCE_HEADER {
                return Self::from_sequence_header(obu.whole);
            }
        }
        Err(ConfigError::Missing)
    }

    /// Writes an AV1CodecConfigurationRecord, with the sequence header as its only OBU and without a presentation
    /// delay.
    pub fn av1c(&self) -> Bytes {
        let video = &self.video;
        let flags = [
            video.high_tier,
            video.bit_depth > 8,
            video.bit_depth == 12,
            video.monochrome,
            video.subsampling_x,
            video.subsampling_y,
        ];
        let flags = flags
            .iter()
            .fold(0, |byte, flag| byte << 1 | u8::from(*flag));
        let mut out = BytesMut::with_capacity(HEADER + self.sequence_header.len());
        out.put_slice(&[
            MARKER_AND_VERSION,
            video.profile << 5 | video.level,
            flags << 2 | video.chroma_sample_position,
            0, // initial_presentation_delay_present
        ]);
        out.put_slice(&self.sequence_header);
        out.freeze()
    }
}
