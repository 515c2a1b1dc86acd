//! From frames to payloads.

use super::{NON_REFERENCE, START};
use crate::Payloads;
use crate::payload::Writer;
use media::codec::vp8::Picture;

/// Cuts a frame into payloads of at most `max_payload` bytes (fewer than 64 count as 64). The frame counts as one
/// partition, and is not numbered: that would differ between those who share the payloads.
pub fn packetize(frame: &[u8], max_payload: usize) -> Payloads {
    let reference = match Picture::inspect(frame).disposable {
        true => NON_REFERENCE,
        false => 0,
    };
    Writer::cut(frame, max_payload, 1, |writer, part, first, _| {
        let start = if first { START } else { 0 };
        writer.put(&[&[reference | start], part]);
    })
}
