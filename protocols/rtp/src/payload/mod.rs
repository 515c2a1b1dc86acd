//! Payload formats: how the access units of each codec are cut into packets, and put together again.
//!
//! A packetizer here makes payloads alone, with no header before them, since that is what receivers of one
//! stream can share. A depacketizer takes packets in their order ([`Input`]) and gives the codec and its
//! access units ([`Event`]); what is missing, it is told by [`Reorder`](crate::Reorder).

pub mod aac;
pub mod g711;
pub mod h264;
pub mod h265;
pub mod latm;
pub mod mp2t;
pub mod opus;

mod depacketizer;
mod description;
mod nal;
mod sound;
#[cfg(test)]
mod testing;
mod unit;

pub use depacketizer::{Depacketizer, Format, FormatError};
pub use description::{Description, packetize};
pub use unit::{Damaged, DepacketizerCounts, Event, Input, MAX_UNIT, PayloadError, Unit};

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

    pub(crate) fn finish(self) -> Payloads {
        Payloads(Arc::new(Shared {
            data: self.data.into(),
            ends: self.ends.into(),
        }))
    }
}

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
