//! From frames to payloads.

use super::flag;
use crate::Payloads;
use crate::payload::Writer;
use media::codec::vp9::Picture;

/// Cuts a frame or superframe into payloads of at most `max_payload` bytes (fewer than 64 count as 64), as one layer
/// without numbers: those would differ between those who share the payloads.
pub fn packetize(frame: &[u8], max_payload: usize) -> Payloads {
    let predicted = match Picture::inspect(frame).key {
        true => 0,
        false => flag::INTER_PREDICTED,
    };
    Writer::cut(frame, max_payload, 1, |writer, part, first, last| {
        let begins = if first { flag::BEGINS } else { 0 };
        let ends = if last { flag::ENDS } else { 0 };
        writer.put(&[&[predicted | begins | ends], part]);
    })
}
