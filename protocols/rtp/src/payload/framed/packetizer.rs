//! From frames to payloads.

use super::Kind;
use crate::Payloads;
use crate::payload::{MIN_PAYLOAD, Writer};
use media::codec::ac3;

/// Cuts a frame, or the frames of one time, into payloads of at most `max_payload` bytes (fewer than 64 count as 64).
pub fn packetize(kind: Kind, unit: &[u8], max_payload: usize) -> Payloads {
    let max_payload = max_payload.max(MIN_PAYLOAD);
    if kind == Kind::MpegAudio {
        let mut writer = Writer::default();
        let size = max_payload - 4;
        for (index, part) in unit.chunks(size).enumerate() {
            // Frames are shorter than the field can say.
            let offset = u16::try_from(index * size).unwrap_or(u16::MAX);
            let [high, low] = offset.to_be_bytes();
            writer.put(&[&[0, 0, high, low], part]);
        }
        return writer.finish();
    }
    let count = |parts: usize| u8::try_from(parts).unwrap_or(u8::MAX);
    if unit.len() + 2 <= max_payload {
        let frames = sync_frames(unit);
        return Writer::cut(unit, max_payload, 2, |writer, part, _, _| {
            writer.put(&[&[0, count(frames)], part]);
        });
    }
    let room = max_payload - 2;
    let parts = unit.len().div_ceil(room);
    Writer::cut(unit, max_payload, 2, |writer, part, first, _| {
        let what = match (kind, first) {
            (Kind::EnhancedAc3, _) => 1,
            // Decoders may start with the first 5/8 of a frame.
            (_, true) if part.len() * 8 >= unit.len() * 5 => 1,
            (_, true) => 2,
            (_, false) => 3,
        };
        writer.put(&[&[what, count(parts)], part]);
    })
}

/// How many sync frames follow each other; 1 where that cannot be read.
fn sync_frames(mut unit: &[u8]) -> usize {
    let mut count = 0;
    while let Ok(header) = ac3::Header::parse(unit)
        && let Some(rest) = unit.get(header.length()..)
    {
        count += 1;
        unit = rest;
    }
    count.max(1)
}
