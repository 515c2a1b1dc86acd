//! The order in which pictures are put out: picture order count (ITU-T H.264 clause 8.2.1).

use super::slice::{Sets, Slice};
use super::sps::{Cycle, OrderSyntax};
use super::{Config, Sps};
use crate::codec::nal;
use crate::codec::order::Place;

/// Finds the place of each picture in output order, from its slice headers. Pictures come in decoding order.
#[derive(Clone, Debug)]
pub struct PictureOrder {
    sets: Sets,
    count: Count,
}

impl PictureOrder {
    /// For pictures of that configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            sets: Sets::of(config),
            count: Count::default(),
        }
    }

    /// The place of the picture of an access unit with 4-byte lengths; `None` where its slices cannot be
    /// read.
    pub fn place(&mut self, payload: &[u8]) -> Option<Place> {
        let units = nal::units(payload).map_while(Result::ok);
        let mut slices = units.filter_map(|unit| Slice::parse(unit, &self.sets));
        let first = slices.next()?;
        // Both fields in one access unit are put out as a frame is.
        let alone = first.field && !slices.any(|slice| slice.bottom != first.bottom);
        Some(self.count.place(&first, alone))
    }

    /// [`Sps::reorder_depth`] in access units: where fields come one by one, there are two to a frame.
    pub fn depth(&self, sps: &Sps) -> Option<usize> {
        let units = if self.count.fields { 2 } else { 1 };
        sps.reorder_depth.map(|frames| usize::from(frames) * units)
    }
}

/// What the next picture order count depends on.
#[derive(Clone, Debug, Default)]
struct Count {
    sequence: u64,
    /// Type 0: of the last reference picture.
    last_msb: i64,
    last_lsb: i64,
    /// Types 1 and 2: of the last picture.
    last_frame_num: i64,
    frame_num_offset: i64,
    /// Type 2: the number of the last picture.
    last_number: i64,
    /// Frames have been seen at odd counts: they are one apart, not two.
    odd: bool,
    /// The last picture was a field in an access unit of its own.
    fields: bool,
}

impl Count {
    fn place(&mut self, slice: &Slice<'_>, alone: bool) -> Place {
        if slice.idr {
            *self = Self {
                sequence: self.sequence.saturating_add(1),
                odd: self.odd,
                ..Self::default()
            };
        }
        self.fields = alone;
        let (top, bottom) = match &slice.sequence.order {
            OrderSyntax::Lsb(bits) => self.by_lsb(slice, *bits),
            OrderSyntax::Cycle(cycle) => self.by_cycle(slice, cycle),
            OrderSyntax::Decoding => {
                self.last_number = self.last_number.saturating_add(1);
                (self.last_number, self.last_number)
            }
        };
        let mut count = match (slice.field, slice.bottom) {
            (false, _) => top.min(bottom),
            (true, false) => top,
            (true, true) => bottom,
        };
        if slice.resets {
            // All that came before is put out before this picture, whose own count becomes 0 (clause
            // 8.2.1).
            self.sequence = self.sequence.saturating_add(1);
            self.last_msb = 0;
            self.last_lsb = if slice.field {
                0
            } else {
                top.saturating_sub(count)
            };
            self.last_frame_num = 0;
            self.frame_num_offset = 0;
            count = 0;
        }
        let ordered = slice.sequence.order == OrderSyntax::Decoding;
        self.odd |= !ordered && !alone && count % 2 != 0;
        Place {
            sequence: self.sequence,
            count,
            spacing: if ordered || alone || self.odd { 1 } else { 2 },
            leading: !slice.idr,
        }
    }

    /// Type 0, clause 8.2.1.1: the counts of top and bottom field.
    fn by_lsb(&mut self, slice: &Slice<'_>, bits: u32) -> (i64, i64) {
        let range = 1i64 << bits;
        let step = slice.lsb - self.last_lsb;
        let msb = self.last_msb.saturating_add(if -step >= range / 2 {
            range
        } else if step > range / 2 {
            -range
        } else {
            0
        });
        let top = msb.saturating_add(slice.lsb);
        if slice.reference {
            (self.last_msb, self.last_lsb) = (msb, slice.lsb);
        }
        (top, top.saturating_add(slice.bottom_delta))
    }

    /// Type 1, clause 8.2.1.2: the counts of top and bottom field.
    fn by_cycle(&mut self, slice: &Slice<'_>, cycle: &Cycle) -> (i64, i64) {
        if self.last_frame_num > slice.frame_num {
            let range = 1i64 << slice.sequence.frame_num_bits;
            self.frame_num_offset = self.frame_num_offset.saturating_add(range);
        }
        self.last_frame_num = slice.frame_num;
        let length = cycle.reference.len() as i64;
        let mut number = self.frame_num_offset.saturating_add(slice.frame_num);
        if length == 0 {
            number = 0;
        }
        if !slice.reference && number > 0 {
            number -= 1;
        }
        let mut expected = 0i64;
        if number > 0 {
            let (cycles, within) = ((number - 1) / length, (number - 1) % length);
            let whole: i64 = cycle.reference.iter().sum();
            let part = cycle.reference.iter().take(within as usize + 1);
            expected = cycles
                .saturating_mul(whole)
                .saturating_add(part.sum::<i64>());
        }
        if !slice.reference {
            expected = expected.saturating_add(cycle.non_reference);
        }
        let [first, second] = slice.delta;
        let top = expected.saturating_add(first);
        let bottom = top.saturating_add(cycle.top_to_bottom);
        (top, bottom.saturating_add(second))
    }
}

#[cfg(test)]
mod tests;
