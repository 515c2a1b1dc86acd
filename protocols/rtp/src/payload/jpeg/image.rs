//! Reading and writing of JPEG images, as far as the payload format has words for them (ITU-T T.81 annex B).

use super::tables;
use bytes::{BufMut, Bytes, BytesMut};

/// Markers, table B.1.
mod marker {
    pub(super) const SOF0: u8 = 0xc0;
    pub(super) const SOF1: u8 = 0xc1;
    pub(super) const DHT: u8 = 0xc4;
    pub(super) const SOI: u8 = 0xd8;
    pub(super) const EOI: u8 = 0xd9;
    pub(super) const SOS: u8 = 0xda;
    pub(super) const DQT: u8 = 0xdb;
    pub(super) const DRI: u8 = 0xdd;
}

/// Most segments in front of the coded samples.
const MAX_SEGMENTS: usize = 256;

/// Why an image cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It is none, or ends early.
    #[error("no whole JPEG image")]
    Malformed,
    /// The payload format has no words for it.
    #[error("JPEG image with {0} cannot be sent")]
    Unsupported(&'static str),
}

/// How the samples of an image are coded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Coding {
    /// 0 for 4:2:2, 1 for 4:2:0.
    pub(super) kind: u8,
    pub(super) width: u16,
    pub(super) height: u16,
    /// Blocks between restart markers; 0 without them.
    pub(super) restarts: u16,
    /// The quantization tables of luma and chroma, one after the other.
    pub(super) tables: Vec<u8>,
    /// Which of them have values of 16 bits: bit 0 for luma, bit 1 for chroma.
    pub(super) precision: u8,
}

impl Coding {
    /// The two tables with their precisions; `None` where they have another size.
    pub(super) fn split(&self) -> Option<[(u8, &[u8]); 2]> {
        let size = |bit: u8| {
            if self.precision >> bit & 1 == 1 {
                128
            } else {
                64
            }
        };
        let (luma, chroma) = self.tables.split_at_checked(size(0))?;
        // One table is for both.
        let chroma = match chroma.is_empty() {
            true => (self.precision & 1, luma),
            false => (self.precision >> 1 & 1, chroma),
        };
        let is_whole = chroma.1.len() == if chroma.0 == 1 { 128 } else { 64 };
        is_whole.then_some([(self.precision & 1, luma), chroma])
    }

    /// The image of these samples.
    pub(super) fn image(&self, samples: &[u8]) -> Option<Bytes> {
        let mut out = BytesMut::with_capacity(samples.len() + 1_024);
        out.put_slice(&[0xff, marker::SOI]);
        for (number, (precision, table)) in (0u8..).zip(self.split()?) {
            segment(&mut out, marker::DQT, &[&[precision << 4 | number], table]);
        }
        if self.restarts > 0 {
            segment(&mut out, marker::DRI, &[&self.restarts.to_be_bytes()]);
        }
        // Luma has two samples beside each other, and two above each other in 4:2:0.
        let luma = if self.kind == 0 { 0x21 } else { 0x22 };
        segment(
            &mut out,
            marker::SOF0,
            &[
                &[8],
                &self.height.to_be_bytes(),
                &self.width.to_be_bytes(),
                &[3, 1, luma, 0, 2, 0x11, 1, 3, 0x11, 1],
            ],
        );
        for table in tables::HUFFMAN {
            segment(&mut out, marker::DHT, &[table]);
        }
        segment(
            &mut out,
            marker::SOS,
            &[&[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]],
        );
        out.put_slice(samples);
        if !samples.ends_with(&[0xff, marker::EOI]) {
            out.put_slice(&[0xff, marker::EOI]);
        }
        Some(out.freeze())
    }
}

fn segment(out: &mut BytesMut, marker: u8, parts: &[&[u8]]) {
    // At most some 200 bytes.
    let length = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.put_slice(&[0xff, marker]);
    out.put_u16(length as u16);
    parts.iter().for_each(|part| out.put_slice(part));
}

/// Takes an image apart: how it is coded, and its coded samples up to the last marker.
pub(super) fn read(image: &[u8]) -> Result<(Coding, &[u8]), ImageError> {
    let mut reader = Reader::default();
    let mut rest = image
        .strip_prefix(&[0xff, marker::SOI])
        .ok_or(ImageError::Malformed)?;
    for _ in 0..MAX_SEGMENTS {
        let (marker, content, after) = next(rest).ok_or(ImageError::Malformed)?;
        rest = after;
        match marker {
            marker::DQT => reader.quantization(content)?,
            marker::DHT => reader.huffman(content)?,
            marker::DRI => {
                let [high, low] = *content.first_chunk().ok_or(ImageError::Malformed)?;
                reader.coding.restarts = u16::from_be_bytes([high, low]);
            }
            marker::SOF0 | marker::SOF1 => reader.frame(content)?,
            0xc2..=0xc3 | 0xc5..=0xcf => {
                return Err(ImageError::Unsupported("another than the baseline coding"));
            }
            marker::SOS => {
                reader.scan(content)?;
                let zeros = rest.iter().rev().take_while(|byte| **byte == 0).count();
                let rest = rest.get(..rest.len() - zeros).unwrap_or_default();
                let samples = rest.strip_suffix(&[0xff, marker::EOI]).unwrap_or(rest);
                return Ok((reader.finish()?, samples));
            }
            _ => {}
        }
    }
    Err(ImageError::Malformed)
}

/// A marker, what is in its segment, and what is behind it.
fn next(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let mut rest = bytes.strip_prefix(&[0xff])?;
    // Fill bytes may be in front of any marker (clause B.1.1.2).
    while let Some(after) = rest.strip_prefix(&[0xff]) {
        rest = after;
    }
    let (marker, after) = rest.split_first()?;
    let length = usize::from(u16::from_be_bytes(*after.first_chunk::<2>()?));
    Some((*marker, after.get(2..length)?, after.get(length..)?))
}

/// Collects what segments say.
#[derive(Default)]
struct Reader<'a> {
    coding: Coding,
    /// By number, each with its precision.
    tables: [Option<(u8, &'a [u8])>; 4],
    /// The number of the table of luma, and that of chroma.
    selected: Option<(u8, u8)>,
}

impl<'a> Reader<'a> {
    fn quantization(&mut self, mut content: &'a [u8]) -> Result<(), ImageError> {
        while let Some((first, rest)) = content.split_first() {
            let (precision, number) = (first >> 4, first & 0x0f);
            let size = if precision == 0 { 64 } else { 128 };
            let (table, rest) = rest.split_at_checked(size).ok_or(ImageError::Malformed)?;
            let place = self.tables.get_mut(usize::from(number));
            *place.ok_or(ImageError::Malformed)? = Some((precision.min(1), table));
            content = rest;
        }
        Ok(())
    }

    fn huffman(&mut self, mut content: &[u8]) -> Result<(), ImageError> {
        while !content.is_empty() {
            let counts = content.get(1..17).ok_or(ImageError::Malformed)?;
            let length = 17
                + counts
                    .iter()
                    .map(|count| usize::from(*count))
                    .sum::<usize>();
            let (table, rest) = content
                .split_at_checked(length)
                .ok_or(ImageError::Malformed)?;
            if !tables::HUFFMAN.contains(&table) {
                return Err(ImageError::Unsupported("Huffman tables of its own"));
            }
            content = rest;
        }
        Ok(())
    }

    fn frame(&mut self, content: &[u8]) -> Result<(), ImageError> {
        let [8, y1, y2, x1, x2, components @ ..] = content else {
            return Err(ImageError::Unsupported("samples of more than 8 bits"));
        };
        let [
            3,
            _,
            luma,
            luma_table,
            _,
            0x11,
            blue_table,
            _,
            0x11,
            red_table,
        ] = components
        else {
            return Err(ImageError::Unsupported(
                "another chroma format than 4:2:0 and 4:2:2",
            ));
        };
        self.coding.kind = match luma {
            0x21 => 0,
            0x22 => 1,
            _ => {
                return Err(ImageError::Unsupported(
                    "another chroma format than 4:2:0 and 4:2:2",
                ));
            }
        };
        if blue_table != red_table {
            return Err(ImageError::Unsupported("three quantization tables"));
        }
        self.selected = Some((*luma_table, *blue_table));
        self.coding.height = u16::from_be_bytes([*y1, *y2]);
        self.coding.width = u16::from_be_bytes([*x1, *x2]);
        Ok(())
    }

    fn scan(&self, content: &[u8]) -> Result<(), ImageError> {
        match content {
            [3, _, 0x00, _, 0x11, _, 0x11, 0, 63, 0] => Ok(()),
            _ => Err(ImageError::Unsupported(
                "several scans, or tables in another order",
            )),
        }
    }

    fn finish(mut self) -> Result<Coding, ImageError> {
        let (luma, chroma) = self.selected.ok_or(ImageError::Malformed)?;
        let table = |number: u8| {
            let table = self.tables.get(usize::from(number)).copied().flatten();
            table.ok_or(ImageError::Malformed)
        };
        let ((luma_precision, luma), (chroma_precision, chroma)) = (table(luma)?, table(chroma)?);
        self.coding.tables = [luma, chroma].concat();
        self.coding.precision = luma_precision | chroma_precision << 1;
        Ok(self.coding)
    }
}
