//! From NAL units and their fragments to access units.
//!
//! An access unit ends with a packet that carries the marker, or before a packet with another timestamp.
//! Senders get both wrong: the marker stands on each NAL unit, on parameter sets, in the middle of a fragment,
//! or nowhere; parameter sets have a timestamp of their own. So a unit ends only when it has a slice and no
//! open fragment; and when a picture goes on behind a marker, markers are no longer believed, at the price of
//! a delay of one packet.

use crate::payload::{Damaged, DepacketizerCounts, Event, Input, MAX_UNIT, PayloadError, Unit};
use bytes::Bytes;
use media::Codec;
use media::codec::annex_b;
use media::codec::in_band::{InBand, Role};
use std::collections::VecDeque;

/// How much of the buffer is kept from one access unit to the next.
const KEPT: usize = 1_024 * 1_024;

/// Puts access units together in one buffer, which is copied once into an allocation of the exact size.
#[derive(Debug)]
pub(in crate::payload) struct Pictures<F> {
    format: F,
    policy: Damaged,
    /// As it was announced last.
    codec: Option<Codec>,
    sets_changed: bool,
    /// NAL units behind their lengths.
    data: Vec<u8>,
    /// Where the length of the NAL unit stands whose fragments are coming.
    open: Option<usize>,
    current: Option<Current>,
    /// The timestamp of the unit before, when a marker ended it.
    marked: Option<u32>,
    markers_lie: bool,
    after_loss: bool,
    /// A parameter set of this packet that cannot be used.
    refused: Option<PayloadError>,
    events: VecDeque<Event>,
    counts: DepacketizerCounts,
}

/// The access unit in the making.
#[derive(Clone, Copy, Debug)]
struct Current {
    timestamp: u32,
    has_slice: bool,
    damaged: bool,
    /// Its beginning may be missing.
    doubtful: bool,
}

impl<F: InBand> Pictures<F> {
    pub(in crate::payload) fn new(format: F, policy: Damaged) -> Self {
        let mut pictures = Self {
            format,
            policy,
            codec: None,
            sets_changed: true,
            data: Vec::new(),
            open: None,
            current: None,
            marked: None,
            markers_lie: false,
            after_loss: false,
            refused: None,
            events: VecDeque::new(),
            counts: DepacketizerCounts::default(),
        };
        pictures.announce();
        pictures
    }

    /// The next codec or access unit.
    pub(in crate::payload) fn pull(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(in crate::payload) const fn counts(&self) -> DepacketizerCounts {
        self.counts
    }

    /// A packet begins.
    pub(in crate::payload) fn begin(&mut self, input: &Input<'_>) {
        if input.lost {
            self.after_loss = true;
            let open = self.drop_open();
            if let Some(current) = &mut self.current {
                current.damaged |= open || current.has_slice;
                current.doubtful = true;
            }
        }
        if let Some(current) = &mut self.current
            && current.timestamp != input.timestamp
        {
            // Nothing of it is missing, but the bit that tells its end.
            let _ = self.fragment_last();
        }
        if let Some(current) = &mut self.current
            && current.timestamp != input.timestamp
        {
            if current.has_slice || current.damaged || self.open.is_some() {
                self.finish();
            } else {
                // Messages, or the like, with a time of their own: they belong to what follows, unless that was
                // lost.
                if input.lost {
                    self.data.clear();
                }
                current.timestamp = input.timestamp;
            }
        }
        if self.current.is_none() {
            self.marked = self.marked.filter(|marked| *marked == input.timestamp);
            self.current = Some(Current {
                timestamp: input.timestamp,
                has_slice: false,
                damaged: false,
                // Who joins may do so in the middle of a picture.
                doubtful: input.lost || self.counts == DepacketizerCounts::default(),
            });
        }
    }

    /// A packet has been read.
    pub(in crate::payload) fn end(
        &mut self,
        input: &Input<'_>,
        read: Result<(), PayloadError>,
    ) -> Result<(), PayloadError> {
        // What has no meaning leaves no hole.
        if matches!(&read, Err(error) if !matches!(error, PayloadError::Unsupported(_))) {
            self.damage();
        }
        let read = match (read, self.refused.take()) {
            (Ok(()), Some(error)) => Err(error),
            (read, _) => read,
        };
        self.counts.malformed += u64::from(read.is_err());
        let complete = self
            .current
            .is_some_and(|current| current.has_slice || current.damaged);
        if input.marker && complete && self.open.is_none() && !self.markers_lie {
            self.marked = Some(input.timestamp);
            self.finish();
        }
        read
    }

    /// A whole NAL unit, or several between start codes.
    pub(in crate::payload) fn whole(&mut self, nal: &[u8]) -> Result<(), PayloadError> {
        self.fragment_first(nal, &[])?;
        self.fragment_last()
    }

    /// The first fragment of a NAL unit, whose header is not part of `part`.
    pub(in crate::payload) fn fragment_first(
        &mut self,
        header: &[u8],
        part: &[u8],
    ) -> Result<(), PayloadError> {
        // One whose end was not told; what was lost has been dropped before.
        self.fragment_last()?;
        self.open = Some(self.data.len());
        self.append(&[0; 4])?;
        self.append(header)?;
        self.append(part)
    }

    /// A later fragment. One of a NAL unit whose beginning is missing costs its access unit.
    pub(in crate::payload) fn fragment(
        &mut self,
        part: &[u8],
        lost: bool,
    ) -> Result<(), PayloadError> {
        if self.open.is_some() {
            return self.append(part);
        }
        let known = self.current.is_some_and(|current| current.damaged);
        self.damage();
        match lost || known {
            true => Ok(()),
            false => Err(PayloadError::Fragment("without a beginning")),
        }
    }

    /// The fragments of a NAL unit are complete.
    pub(in crate::payload) fn fragment_last(&mut self) -> Result<(), PayloadError> {
        let Some(start) = self.open.take() else {
            return Ok(());
        };
        // A NAL unit does not end with a zero (H.264 and H.265, section 7.4.1 and annex B).
        let nal = self.data.get(start + 4..).unwrap_or_default();
        let zeros = nal.iter().rev().take_while(|byte| **byte == 0).count();
        self.data
            .truncate(self.data.len() - zeros.min(nal.len().saturating_sub(1)));
        let nal = self.data.get(start + 4..).unwrap_or_default();
        if annex_b::start_code(nal).is_none() {
            self.settle(start);
            return Ok(());
        }
        let several = self.data.split_off(start);
        let several = several.get(4..).unwrap_or_default();
        for nal in annex_b::units(several) {
            let start = self.data.len();
            // A start code of 3 bytes becomes a length of 4: a unit may grow by a quarter beyond the limit.
            self.data.extend_from_slice(&[0; 4]);
            self.data.extend_from_slice(nal);
            self.settle(start);
        }
        Ok(())
    }

    /// Ends the access unit in the making: nothing more will come.
    pub(in crate::payload) fn flush(&mut self) {
        self.finish();
    }

    fn append(&mut self, part: &[u8]) -> Result<(), PayloadError> {
        if self.data.len().saturating_add(part.len()) > MAX_UNIT {
            self.drop_open();
            return Err(PayloadError::TooLong);
        }
        self.data.extend_from_slice(part);
        Ok(())
    }

    /// Takes back the fragments of a NAL unit that is not complete.
    fn drop_open(&mut self) -> bool {
        let open = self.open.take();
        if let Some(start) = open {
            self.data.truncate(start);
        }
        open.is_some()
    }

    fn damage(&mut self) {
        if let Some(current) = &mut self.current {
            current.damaged = true;
        }
    }

    /// Decides what becomes of the NAL unit behind the length at `start`, which is the last of the buffer.
    fn settle(&mut self, start: usize) {
        let Some((length, nal)) = self
            .data
            .get_mut(start..)
            .and_then(|rest| rest.split_first_chunk_mut::<4>())
        else {
            return;
        };
        match F::role(nal) {
            Role::Slice { first } => {
                if let Some(current) = &mut self.current {
                    if !current.has_slice && !first {
                        let goes_on = self.marked.is_some() && !current.doubtful;
                        self.markers_lie |= goes_on;
                        current.damaged |= goes_on || current.doubtful;
                    }
                    current.has_slice = true;
                }
            }
            Role::Other => {}
            Role::ParameterSet => {
                match self.format.keep(nal) {
                    Ok(changed) => self.sets_changed |= changed,
                    Err(error) => self.refused = Some(PayloadError::Config(error.to_string())),
                }
                self.data.truncate(start);
                return;
            }
            Role::LeftOut => {
                self.data.truncate(start);
                return;
            }
        }
        // At most MAX_UNIT.
        *length = (nal.len() as u32).to_be_bytes();
    }

    /// Tells of another configuration.
    fn announce(&mut self) {
        if !std::mem::take(&mut self.sets_changed) {
            return;
        }
        let codec = self.format.codec();
        if codec.is_some() && codec != self.codec {
            self.events.extend(codec.clone().map(Event::Codec));
            self.codec = codec;
        }
    }

    fn finish(&mut self) {
        let Some(mut current) = self.current.take() else {
            return;
        };
        current.damaged |= self.drop_open();
        self.announce();
        self.give(current);
        self.data.clear();
        self.data.shrink_to(KEPT);
    }

    fn give(&mut self, current: Current) {
        if current.damaged {
            self.counts.damaged += 1;
        }
        if current.damaged && (self.policy == Damaged::Drop || !current.has_slice) {
            self.after_loss = true;
            return;
        }
        if !current.has_slice {
            return;
        }
        let Some(codec) = &self.codec else {
            self.counts.before_config += 1;
            return;
        };
        // The lengths are our own.
        let seen = codec.look_at(&self.data).ok().flatten();
        self.events.push_back(Event::Unit(Unit {
            timestamp: current.timestamp,
            random_access: seen.is_some_and(|seen| seen.start.is_some()),
            disposable: seen.is_some_and(|seen| seen.disposable),
            after_loss: std::mem::take(&mut self.after_loss) && self.counts.units > 0,
            damaged: current.damaged,
            payload: Bytes::copy_from_slice(&self.data),
        }));
        self.counts.units += 1;
    }
}
