//! What gathers access units for a file: fragments of MP4, or packets of a transport stream.

use super::fragments::Fragments;
use super::packets::Packets;
use super::spans::Spans;
use crate::config::record::Format;
use crate::hub::TrackSet;
use bytes::Bytes;
use media::AccessUnit;
use std::sync::Arc;
use std::time::Duration;

/// Gathers for one file. Times are microseconds of the stream.
#[derive(Debug)]
pub(super) enum Gather {
    Fragments(Box<Fragments>),
    Packets(Box<Packets>),
}

impl Gather {
    /// For a file of that format with these tracks.
    pub(super) fn new(format: Format, tracks: &TrackSet) -> Self {
        match format {
            Format::Mp4 => Self::Fragments(Box::new(Fragments::new(tracks))),
            Format::Ts => Self::Packets(Box::new(Packets::new(tracks))),
        }
    }

    /// What is gathered says from now on when it was: time 0 of the stream was so long after 1970.
    pub(super) fn set_epoch(&mut self, epoch: Option<Duration>) {
        match self {
            Self::Fragments(fragments) => fragments.set_epoch(epoch),
            Self::Packets(packets) => packets.set_epoch(epoch),
        }
    }

    /// How long the file is from its beginning to a time.
    pub(super) fn length(&self, time: i64) -> i64 {
        match self {
            Self::Fragments(fragments) => fragments.length(time),
            Self::Packets(packets) => packets.length(time),
        }
    }

    /// Access units that were added.
    pub(super) fn units(&self) -> usize {
        match self {
            Self::Fragments(fragments) => fragments.units(),
            Self::Packets(packets) => packets.units(),
        }
    }

    /// Bytes that wait to be written.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Fragments(fragments) => fragments.bytes(),
            Self::Packets(packets) => packets.bytes(),
        }
    }

    /// Whether a file of these tracks can begin with a unit.
    pub(super) fn can_begin_with(&self, unit: &AccessUnit) -> bool {
        match self {
            Self::Fragments(fragments) => fragments.can_begin_with(unit),
            Self::Packets(packets) => packets.can_begin_with(unit),
        }
    }

    /// Adds the next access unit. Gives what is to be written before it, if it is enough.
    pub(super) fn push(&mut self, unit: &Arc<AccessUnit>) -> Option<Bytes> {
        match self {
            Self::Fragments(fragments) => fragments.push(unit),
            Self::Packets(packets) => packets.push(unit),
        }
    }

    /// There is nothing to be written.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Fragments(fragments) => fragments.is_empty(),
            Self::Packets(packets) => packets.is_empty(),
        }
    }

    /// All that can be written now.
    pub(super) fn flush(&mut self) -> Option<Bytes> {
        match self {
            Self::Fragments(fragments) => fragments.flush(),
            Self::Packets(packets) => packets.flush(),
        }
    }

    /// The rest.
    pub(super) fn finish(&mut self) -> Option<Bytes> {
        match self {
            Self::Fragments(fragments) => fragments.finish(),
            Self::Packets(packets) => packets.finish(),
        }
    }

    /// Access units, length and times of what was given to be written.
    pub(super) fn known(&self) -> (usize, Duration, Spans) {
        match self {
            Self::Fragments(fragments) => fragments.known(),
            Self::Packets(packets) => packets.known(),
        }
    }
}
