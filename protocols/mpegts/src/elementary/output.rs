//! Where the access units of one elementary stream go, and what is wrong with it.

use crate::demuxer::{Counts, Event};
use crate::{Error, Fault};
use media::{AccessUnit, Codec, Timebase, Track, TrackId};
use std::collections::VecDeque;

/// What elementary streams write to.
pub(crate) struct Output<'a> {
    pub(crate) events: &'a mut VecDeque<Event>,
    pub(crate) counts: &'a mut Counts,
    /// The number of the stream's track.
    pub(crate) track: TrackId,
    pub(crate) pid: u16,
    /// Where the packet stands that is read.
    pub(crate) position: u64,
    /// The clock began anew: the next unit says so.
    pub(crate) discontinuity: &'a mut bool,
}

impl Output<'_> {
    pub(crate) fn fault(&mut self, error: impl Into<Error>) {
        self.events.push_back(Event::Fault(Fault {
            position: self.position,
            pid: self.pid,
            error: error.into(),
        }));
    }

    pub(crate) fn track(&mut self, codec: Codec, timebase: Timebase) {
        self.events.push_back(Event::Track(Track {
            id: self.track,
            codec,
            timebase,
        }));
    }

    /// A unit, whose number of the track and mark of a discontinuity are set here.
    pub(crate) fn unit(&mut self, unit: AccessUnit) {
        self.counts.units += 1;
        self.events.push_back(Event::Unit(AccessUnit {
            track: self.track,
            discontinuity: std::mem::take(self.discontinuity),
            ..unit
        }));
    }
}
