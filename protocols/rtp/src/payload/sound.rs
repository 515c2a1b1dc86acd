//! What the depacketizers of sound have in common.

use super::{DepacketizerCounts, Event, PayloadError, Unit};
use bytes::Bytes;
use media::Codec;
use std::collections::VecDeque;

/// Where frames of sound go.
#[derive(Debug, Default)]
pub(super) struct Frames {
    events: VecDeque<Event>,
    codec: Option<Codec>,
    after_loss: bool,
    counts: DepacketizerCounts,
}

impl Frames {
    /// With a codec that is known from the beginning.
    pub(super) fn of(codec: Codec) -> Self {
        let mut frames = Self::default();
        frames.announce(codec);
        frames
    }

    /// The codec from here on.
    pub(super) fn announce(&mut self, codec: Codec) {
        if self.codec.as_ref() != Some(&codec) {
            self.events.push_back(Event::Codec(codec.clone()));
            self.codec = Some(codec);
        }
    }

    /// Something is missing here.
    pub(super) const fn lost(&mut self) {
        self.after_loss = true;
    }

    /// A frame is dropped since a part of it is missing.
    pub(super) const fn damaged(&mut self) {
        self.counts.damaged += 1;
        self.after_loss = true;
    }

    /// Counts what is wrong with a payload.
    pub(super) fn read(&mut self, read: Result<(), PayloadError>) -> Result<(), PayloadError> {
        if read.is_err() {
            self.counts.malformed += 1;
            self.after_loss = true;
        }
        read
    }

    /// Gives a frame; an empty one is passed over.
    pub(super) fn give(&mut self, timestamp: u32, frame: &[u8]) {
        if frame.is_empty() {
            return;
        }
        if self.codec.is_none() {
            self.counts.before_config += 1;
            return;
        }
        self.events.push_back(Event::Unit(Unit {
            timestamp,
            random_access: true,
            disposable: false,
            after_loss: std::mem::take(&mut self.after_loss) && self.counts.units > 0,
            damaged: false,
            payload: Bytes::copy_from_slice(frame),
        }));
        self.counts.units += 1;
    }

    pub(super) fn pull(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) const fn counts(&self) -> DepacketizerCounts {
        self.counts
    }
}
