//! What one reader has seen of a stream that is pushed to it.

use super::tally::Progress;
use super::{Once, Tally};
use crate::clock;
use crate::signal::{Stamp, Unit};
use std::rc::Rc;

/// A stamp stands this near to the beginning of its access unit.
const NEAR: usize = 64;

/// A reader, from the moment at which it begins to connect.
pub(super) struct Viewer<'a> {
    pub(super) tally: &'a Tally,
    progress: Rc<Progress>,
    connecting: u64,
    picture: Once,
}

impl<'a> Viewer<'a> {
    pub(super) fn new(tally: &'a Tally) -> Self {
        Self {
            tally,
            progress: tally.reader(),
            connecting: clock::now(),
            picture: Once::default(),
        }
    }

    /// The stamp in the first bytes of an access unit.
    pub(super) fn stamp(start: &[u8]) -> Option<Stamp> {
        let start = start.get(..NEAR).unwrap_or(start);
        Stamp::find(start).map(|(stamp, _)| stamp)
    }

    /// It has all of an access unit.
    pub(super) fn unit(&self, stamp: &Stamp) {
        self.tally.unit(&self.progress, stamp);
        if stamp.unit == Unit::RandomAccess && self.picture.first() {
            self.tally.first_picture(self.connecting);
        }
    }
}
