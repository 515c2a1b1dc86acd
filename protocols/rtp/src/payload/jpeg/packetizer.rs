//! From images to payloads.

use super::image::{self, ImageError};
use super::{HEADER, RESTARTS, TABLES_OF_ONE};
use crate::Payloads;
use crate::payload::{MIN_PAYLOAD, Writer};

/// Longest side, which the header tells in units of 8.
const MAX_SIDE: u16 = 255 * 8;

/// Most bytes that an offset of 24 bits reaches.
const MAX_SAMPLES: usize = 1 << 24;

/// Cuts an image into payloads of at most `max_payload` bytes (fewer than 384 count as 384, so that the tables fit
/// into one). Its quantization tables go with it.
///
/// # Errors
/// When it is no JPEG image, or one that the payload format has no words for.
pub fn packetize(image: &[u8], max_payload: usize) -> Result<Payloads, ImageError> {
    let (coding, samples) = image::read(image)?;
    if coding.width > MAX_SIDE || coding.height > MAX_SIDE {
        return Err(ImageError::Unsupported("a side of more than 2,040 samples"));
    }
    if samples.is_empty() || samples.len() >= MAX_SAMPLES {
        return Err(ImageError::Unsupported("more than 16 MiB, or nothing"));
    }
    let max_payload = max_payload.max(MIN_PAYLOAD * 6);
    let restarts = match coding.restarts {
        0 => Vec::new(),
        // The whole image is one run of intervals (section 3.1.7).
        interval => [interval.to_be_bytes(), [0xff, 0xff]].concat(),
    };
    let kind = coding.kind | if restarts.is_empty() { 0 } else { RESTARTS };
    let eighths = |side: u16| side.div_ceil(8) as u8;
    let [_, _, high, low] = (coding.tables.len() as u32).to_be_bytes();
    let mut tables = vec![0, coding.precision, high, low];
    tables.extend_from_slice(&coding.tables);
    let mut writer = Writer::with_capacity(samples.len() + 1_024, samples.len() / max_payload + 2);
    let (mut at, mut rest) = (0u32, samples);
    while !rest.is_empty() {
        let [_, o1, o2, o3] = at.to_be_bytes();
        let header: [u8; HEADER] = [
            0,
            o1,
            o2,
            o3,
            kind,
            TABLES_OF_ONE,
            eighths(coding.width),
            eighths(coding.height),
        ];
        let tables: &[u8] = if at == 0 { &tables } else { &[] };
        let room = max_payload - HEADER - restarts.len() - tables.len();
        let (part, after) = rest.split_at(rest.len().min(room));
        writer.put(&[&header, &restarts, tables, part]);
        // Less than 2^24.
        at += part.len() as u32;
        rest = after;
    }
    Ok(writer.finish())
}
