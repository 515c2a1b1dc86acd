//! Payload formats: how the access units of each codec are cut into packets, and put together again.
//!
//! A packetizer here makes payloads alone, with no header before them, since that is what receivers of one
//! stream can share. A depacketizer takes packets in their order ([`Input`]) and gives the codec and its
//! access units ([`Event`]); what is missing, it is told by [`Reorder`](crate::Reorder).

pub mod aac;
pub mod av1;
pub mod data;
pub mod framed;
pub mod h264;
pub mod h265;
pub mod jpeg;
pub mod latm;
pub mod mp2t;
pub mod opus;
pub mod samples;
pub mod units;
pub mod vp8;
pub mod vp9;

mod depacketizer;
mod description;
mod differential;
mod nal;
mod sound;
#[cfg(test)]
mod testing;
mod unit;

pub use depacketizer::{Depacketizer, Format, FormatError};
pub use description::{Description, PacketizeError, packetize};
pub use unit::{Damaged, DepacketizerCounts, Event, Input, MAX_UNIT, PayloadError, Unit};
pub use units::Units;

use std::fmt;
use std::sync::Arc;

/// The payloads of one access unit, in the order of sending: each is what follows the RTP header of one
/// packet, and the last packet carries the marker where the format sets one. Cloning copies nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Payloads(Arc<Shared>);

#[derive(PartialEq, Eq)]
struct Shared {
    /// All payloads, one after the other.
    data: Box<[u8]>,
    /// Where each ends in `data`.
    ends: Box<[usize]>,
    /// From the time of one to that of the next, in ticks.
    step: u32,
}

impl Payloads {
    /// A single payload.
    pub fn single(payload: &[u8]) -> Self {
        let mut writer = Writer::with_capacity(payload.len(), 1);
        writer.put(&[payload]);
        writer.finish()
    }

    /// Number of payloads.
    pub fn len(&self) -> usize {
        self.0.ends.len()
    }

    /// Whether there is none: an access unit of which nothing has to be sent.
    pub fn is_empty(&self) -> bool {
        self.0.ends.is_empty()
    }

    /// Bytes in all payloads together.
    pub fn bytes(&self) -> usize {
        self.0.data.len()
    }

    /// The payload of this number, from 0.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.0.ends.get(index)?;
        let before = index.checked_sub(1);
        let start = before.and_then(|before| self.0.ends.get(before).copied());
        self.0.data.get(start.unwrap_or(0)..end)
    }

    /// How far the payload of this number lies behind the time of the access unit, in ticks of the format's clock.
    /// Not 0 only of sound that is cut at its samples; parts of one frame have one time.
    pub fn offset(&self, index: usize) -> u32 {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        self.0.step.wrapping_mul(index)
    }

    /// All payloads.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }
}

impl fmt::Debug for Payloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(<[u8]>::len))
            .finish()
    }
}

/// Collects payloads.
#[derive(Default)]
pub(crate) struct Writer {
    data: Vec<u8>,
    ends: Vec<usize>,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize, payloads: usize) -> Self {
        Self {
            data: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(payloads),
        }
    }

    /// Appends a payload made of these parts.
    pub(crate) fn put(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.data.extend_from_slice(part);
        }
        self.ends.push(self.data.len());
    }

    /// Nothing has been put yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Cuts a unit into parts of one size, the last of which may be shorter, each of which `put` makes a payload of:
    /// it is told whether the part is the first and whether it is the last. With the `front` bytes before it, a
    /// part stays below `max_payload`; fewer than 64 count as 64.
    pub(crate) fn cut(
        unit: &[u8],
        max_payload: usize,
        front: usize,
        put: impl Fn(&mut Self, &[u8], bool, bool),
    ) -> Payloads {
        let room = max_payload.max(MIN_PAYLOAD).saturating_sub(front).max(1);
        let count = unit.len().div_ceil(room).max(1);
        let size = unit.len().div_ceil(count).max(1);
        let count = unit.len().div_ceil(size);
        let mut writer = Self::with_capacity(unit.len() + count * front, count);
        for (index, part) in unit.chunks(size).enumerate() {
            put(&mut writer, part, index == 0, index + 1 == count);
        }
        writer.finish()
    }

    pub(crate) fn finish(self) -> Payloads {
        self.finish_spaced(0)
    }

    /// With so many ticks from the time of one payload to that of the next.
    pub(crate) fn finish_spaced(self, step: u32) -> Payloads {
        Payloads(Arc::new(Shared {
            data: self.data.into(),
            ends: self.ends.into(),
            step,
        }))
    }
}

/// Smallest limit of a payload that is kept to; smaller ones count as this.
const MIN_PAYLOAD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_found_again() {
        let mut writer = Writer::default();
        writer.put(&[&[1], &[2, 3]]);
        writer.put(&[]);
        writer.put(&[&[4]]);
        let payloads = writer.finish();
        let all: Vec<_> = payloads.iter().collect();
        assert_eq!(all, [&[1, 2, 3][..], &[], &[4]]);
        assert_eq!((payloads.bytes(), payloads.get(3)), (4, None));
        assert_eq!(Payloads::single(&[7]).get(0), Some(&[7][..]));
    }
}
