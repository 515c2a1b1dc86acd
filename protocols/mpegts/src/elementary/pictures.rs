//! H.264 and H.265: NAL units between start codes. An access unit ends where the next one begins, which its NAL
//! units tell, with a delimiter or without (ITU-T H.264 clause 7.4.1.2.3, H.265 clause 7.4.2.4.4), wherever PES
//! packets begin and end.

use super::marks::Marks;
use super::stamps::Stamps;
use super::{Mark, Output};
use crate::{Error, MAX_UNIT};
use bytes::Bytes;
use media::codec::annex_b::without_zeros;
use media::codec::in_band::{InBand, Role};
use media::{AccessUnit, Codec, Timebase, TrackId};
use memchr::memmem::Finder;
use std::ops::Range;

/// Most NAL units of an access unit: more than any level allows slices.
const MAX_NALS: usize = 4_096;

/// How much of the buffer is kept from one access unit to the next.
const KEPT: usize = 1_024 * 1_024;

const START_CODE: [u8; 3] = [0, 0, 1];

/// Bytes behind a start code that tell what begins: a header of up to two bytes, and one more.
const HEAD: usize = 3;

/// Finds access units in one buffer, which is copied once into an allocation of the exact size.
#[derive(Debug)]
pub(crate) struct Pictures<F> {
    format: F,
    finder: Finder<'static>,
    marks: Marks,
    stamps: Stamps,
    /// The bytes as they came, from the beginning of the access unit in the making.
    data: Vec<u8>,
    /// No start code begins before here that has not been found.
    scanned: usize,
    /// Its NAL units that are complete, without start codes.
    nals: Vec<Range<usize>>,
    /// Where the NAL unit begins that is coming.
    open: Option<usize>,
    has_slice: bool,
    /// A part of it is missing, or it was joined in the middle.
    damaged: bool,
    /// What is said of it; none before it has begun.
    current: Option<Option<Mark>>,
    /// As it was announced last.
    codec: Option<Codec>,
    sets_changed: bool,
    /// The stream has shown itself where decoders can start.
    has_starts: bool,
}

impl<F: Default> Default for Pictures<F> {
    fn default() -> Self {
        Self {
            format: F::default(),
            finder: Finder::new(&START_CODE).into_owned(),
            marks: Marks::default(),
            stamps: Stamps::default(),
            data: Vec::new(),
            scanned: 0,
            nals: Vec::new(),
            open: None,
            // Who joins may do so in the middle of a picture.
            has_slice: true,
            damaged: true,
            current: None,
            codec: None,
            sets_changed: false,
            has_starts: false,
        }
    }
}

impl<F: InBand> Pictures<F> {
    pub(crate) fn begin(&mut self, mark: Mark) {
        self.marks.put(self.data.len(), mark);
    }

    pub(crate) fn data(&mut self, bytes: &[u8], out: &mut Output<'_>) {
        self.data.extend_from_slice(bytes);
        self.scan(HEAD, out);
        if self.data.len() > MAX_UNIT || self.nals.len() > MAX_NALS {
            let (limit, of) = match self.nals.len() > MAX_NALS {
                true => (MAX_NALS, "NAL units"),
                false => (MAX_UNIT, "bytes"),
            };
            out.fault(Error::TooLong { limit, of });
            self.nals.clear();
            self.data.clear();
            self.marks.clear();
            self.open = None;
            self.scanned = 0;
            // To the beginning of the next one.
            (self.damaged, self.has_slice) = (true, true);
        }
    }

    /// Packets are missing. NAL units that are complete stay.
    pub(crate) fn lost(&mut self) {
        self.data.truncate(match self.open.take() {
            Some(open) => open.saturating_sub(START_CODE.len()),
            None => self.data.len(),
        });
        self.scanned = self.data.len();
        self.marks.clear();
        // What follows may be the rest of the next picture as well as of this one.
        (self.damaged, self.has_slice) = (true, true);
    }

    /// Nothing more will come.
    pub(crate) fn finish(&mut self, out: &mut Output<'_>) {
        self.scan(0, out);
        let end = self.data.len();
        self.close(end);
        self.unit(end, out);
    }

    /// Finds NAL units of which `head` bytes are there.
    fn scan(&mut self, head: usize, out: &mut Output<'_>) {
        while let Some(found) = self
            .data
            .get(self.scanned..)
            .and_then(|rest| self.finder.find(rest))
        {
            let at = self.scanned + found;
            let begin = at + START_CODE.len();
            let nal = self.data.get(begin..).unwrap_or_default();
            if nal.len() < head {
                self.scanned = at;
                return;
            }
            let (begins, slice) = (
                F::begins_unit(nal),
                matches!(F::role(nal), Role::Slice { .. }),
            );
            self.close(at);
            let mut begin = begin;
            if self.has_slice && begins {
                self.unit(at, out);
                begin = START_CODE.len();
            }
            if self.current.is_none() {
                // What stands before the first NAL unit is of no use.
                let before = begin.saturating_sub(START_CODE.len());
                self.drop_front(before);
                begin -= before;
                self.current = Some(self.marks.take(0));
            }
            self.open = Some(begin);
            self.has_slice |= slice;
            self.scanned = begin;
        }
        // The last two bytes may begin a start code.
        self.scanned = self.data.len().saturating_sub(2).max(self.scanned);
    }

    /// The NAL unit that was coming ends before `at`.
    fn close(&mut self, at: usize) {
        if let Some(open) = self.open.take() {
            let nal = self.data.get(open..at).unwrap_or_default();
            let length = without_zeros(nal).len();
            self.nals.push(open..open.saturating_add(length));
        }
    }

    /// Takes the first bytes off the buffer.
    fn drop_front(&mut self, bytes: usize) {
        self.data.drain(..bytes.min(self.data.len()));
        self.data.shrink_to(KEPT);
        self.marks.shift(bytes);
        self.scanned = self.scanned.saturating_sub(bytes);
    }

    /// The access unit in the making ends before `at`: it is given, and its bytes are gone.
    fn unit(&mut self, at: usize, out: &mut Output<'_>) {
        let damaged = std::mem::take(&mut self.damaged);
        let has_slice = std::mem::take(&mut self.has_slice);
        if let Some(mark) = self.current.take() {
            self.keep_sets(out);
            if damaged {
                out.counts.damaged_units += 1;
                self.stamps.lost();
            } else if has_slice {
                self.give(mark, out);
            }
        }
        self.nals.clear();
        self.drop_front(at);
    }

    /// Keeps the parameter sets of the unit, and tells of another configuration.
    fn keep_sets(&mut self, out: &mut Output<'_>) {
        for nal in &self.nals {
            let nal = self.data.get(nal.clone()).unwrap_or_default();
            if F::role(nal) == Role::ParameterSet {
                match self.format.keep(nal) {
                    Ok(changed) => self.sets_changed |= changed,
                    Err(error) => out.fault(error),
                }
            }
        }
        if !std::mem::take(&mut self.sets_changed) {
            return;
        }
        let codec = self.format.codec();
        if let Some(codec) = codec.filter(|codec| self.codec.as_ref() != Some(codec)) {
            out.track(codec.clone(), Timebase::VIDEO);
            self.stamps.set_codec(&codec);
            self.codec = Some(codec);
        }
    }

    fn give(&mut self, mark: Option<Mark>, out: &mut Output<'_>) {
        let Some(codec) = &self.codec else {
            out.counts.units_before_configuration += 1;
            return;
        };
        let payload = self.payload();
        let Some(times) = self.stamps.next(mark.and_then(|mark| mark.times), &payload) else {
            out.counts.units_without_time += 1;
            return;
        };
        // The lengths are our own.
        let seen = codec.look_at(&payload).ok().flatten();
        let starts = seen.is_some_and(|seen| seen.start.is_some());
        self.has_starts |= starts;
        let told = mark.is_some_and(|mark| mark.random_access);
        out.unit(AccessUnit {
            track: TrackId(0),
            dts: times.dts,
            pts: times.pts,
            // Where the bits never say that a decoder can start, the sender's word has to do.
            random_access: starts || told && !self.has_starts,
            disposable: seen.is_some_and(|seen| seen.disposable),
            discontinuity: false,
            capture: None,
            payload,
        });
    }

    /// The NAL units of the picture behind their lengths.
    fn payload(&self) -> Bytes {
        let nals = || {
            let nals = self
                .nals
                .iter()
                .filter_map(|nal| self.data.get(nal.clone()));
            nals.filter(|nal| matches!(F::role(nal), Role::Slice { .. } | Role::Other))
        };
        let size = nals().map(|nal| nal.len() + 4).sum();
        let mut payload = Vec::with_capacity(size);
        for nal in nals() {
            // At most MAX_UNIT and what one packet adds.
            payload.extend_from_slice(&(nal.len() as u32).to_be_bytes());
            payload.extend_from_slice(nal);
        }
        payload.into()
    }
}
