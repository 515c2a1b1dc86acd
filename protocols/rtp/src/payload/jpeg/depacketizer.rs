//! From payloads to images.

use super::image::Coding;
use super::{HEADER, RESTARTS, TABLES_OF_ONE, TABLES_SENT, tables};
use crate::payload::units::{Format, Place, Units, Whole};
use crate::payload::{Input, PayloadError};
use media::Codec;
use media::codec::jpeg::Config;

/// Gives the images of payloads. The codec is known with the first one.
pub type Depacketizer = Units<Images>;

/// How images are cut.
#[derive(Debug, Default)]
pub struct Images {
    coding: Coding,
    /// The quality, precision and tables that came last, for images which have the same without saying so.
    known: Option<(u8, u8, Vec<u8>)>,
}

impl Format for Images {
    fn take(&mut self, input: &Input<'_>, unit: &mut Vec<u8>) -> Result<Place, PayloadError> {
        let truncated = || PayloadError::Truncated(input.payload.len());
        let (header, mut rest) = input
            .payload
            .split_first_chunk::<HEADER>()
            .ok_or_else(truncated)?;
        let [specific, o1, o2, o3, kind, quality, width, height] = *header;
        let offset = u32::from_be_bytes([0, o1, o2, o3]) as usize;
        let mut restarts = 0;
        if kind & !(RESTARTS | 1) != 0 {
            return Err(PayloadError::Unsupported(
                "a type of JPEG images above 1 or 65",
            ));
        }
        if kind & RESTARTS != 0 {
            let ([high, low, ..], after) = rest.split_first_chunk::<4>().ok_or_else(truncated)?;
            restarts = u16::from_be_bytes([*high, *low]);
            rest = after;
        }
        if offset != unit.len() {
            return match unit.is_empty() {
                true => Ok(Place::Later),
                false => Err(PayloadError::Fragment(
                    "that does not follow the one before",
                )),
            };
        }
        if offset == 0 {
            if matches!(specific, 1 | 2) {
                return Err(PayloadError::Unsupported("an interlaced JPEG image"));
            }
            if width == 0 || height == 0 {
                return Err(PayloadError::Unsupported("a JPEG image without its size"));
            }
            self.coding = Coding {
                kind: kind & 1,
                width: u16::from(width) * 8,
                height: u16::from(height) * 8,
                restarts,
                ..Coding::default()
            };
            rest = self.quantization(quality, rest).ok_or_else(truncated)?;
        }
        unit.extend_from_slice(rest);
        Ok(Place::First)
    }

    fn finish(&mut self, unit: &[u8]) -> Result<Option<Whole>, PayloadError> {
        let image = self.coding.image(unit);
        let payload = image.ok_or(PayloadError::Unsupported("a JPEG image without its tables"))?;
        let Coding { width, height, .. } = self.coding;
        Ok(Some(Whole {
            codec: Some(Codec::Jpeg(Config { width, height })),
            payload,
            random_access: true,
            disposable: true,
        }))
    }
}

impl Images {
    /// Finds the quantization tables of a quality, which may be in front of the samples (section 3.1.8). Gives the
    /// samples.
    fn quantization<'a>(&mut self, quality: u8, payload: &'a [u8]) -> Option<&'a [u8]> {
        if quality < TABLES_SENT {
            self.coding.tables = tables::quantization(quality).to_vec();
            return Some(payload);
        }
        let ([_, precision, high, low], rest) = payload.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (sent, samples) = rest.split_at_checked(length)?;
        // Two tables are what there can be.
        if !sent.is_empty() && sent.len() <= 256 {
            self.known = Some((quality, *precision, sent.to_vec()));
        }
        // Without any, they are those that came before with the same quality.
        let known = self.known.as_ref();
        let known =
            known.filter(|(of, ..)| *of == quality && (quality != TABLES_OF_ONE || length > 0));
        if let Some((_, precision, tables)) = known {
            self.coding.precision = *precision;
            self.coding.tables = tables.clone();
        }
        Some(samples)
    }
}
