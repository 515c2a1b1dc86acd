//! The samples of a fragmented file: where its fragments are, and what one says of a track (ISO/IEC 14496-12 clause
//! 8.8).

use super::MAX_FRAGMENTS;
use super::movie::{Defaults, children, wide};
use super::protection::{Auxiliary, Protection};
use super::table::{Sample, Table};
use bytes::{Buf, Bytes};
use std::collections::VecDeque;

/// Most samples of a track in one fragment: an hour of 60 pictures a second.
const MAX_SAMPLES: usize = 1 << 18;

/// Where fragments are: place and size of each `moof` box.
#[derive(Debug)]
pub(super) struct Fragments(Vec<(u64, u64)>);

impl Fragments {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one. False when there are too many.
    pub(super) fn push(&mut self, at: u64, size: u64) -> bool {
        let has_room = self.0.len() < MAX_FRAGMENTS;
        if has_room {
            self.0.push((at, size));
        }
        has_room
    }

    pub(super) fn get(&self, number: usize) -> Option<(u64, u64)> {
        self.0.get(number).copied()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the fragments of one track say, one fragment after the other.
#[derive(Debug)]
pub(super) struct Walk {
    track: u32,
    defaults: Defaults,
    /// Number of the fragment that is looked at next.
    pub(super) fragment: usize,
    samples: VecDeque<Sample>,
    /// How they are encrypted, and what is said of each.
    protection: Option<Protection>,
    auxiliaries: VecDeque<Auxiliary>,
    /// Decoding time of what follows, where a fragment does not say.
    time: i64,
    /// Samples given so far.
    pub(super) given: u64,
    pub(super) earlier: i64,
}

impl Walk {
    pub(super) const fn new(track: u32, defaults: Defaults) -> Self {
        Self {
            track,
            defaults,
            fragment: 0,
            samples: VecDeque::new(),
            protection: None,
            auxiliaries: VecDeque::new(),
            time: 0,
            given: 0,
            earlier: 0,
        }
    }

    /// For fragments behind the samples of an index.
    pub(super) const fn following(track: u32, defaults: Defaults, table: &Table) -> Self {
        let mut walk = Self::new(track, defaults);
        walk.time = table.time;
        walk.given = table.given;
        walk.earlier = table.earlier;
        walk
    }

    /// What follows is in other fragments, from the first of them on.
    pub(super) fn next_segment(&mut self) {
        self.fragment = 0;
        self.samples.clear();
        self.auxiliaries.clear();
    }

    /// Samples are encrypted so from now on.
    pub(super) const fn set_protection(&mut self, protection: Protection) {
        self.protection = Some(protection);
    }

    /// What is said of how the next sample is encrypted.
    pub(super) fn auxiliary(&self) -> Auxiliary {
        self.auxiliaries.front().cloned().unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<Sample> {
        self.samples.front().copied()
    }

    pub(super) fn step(&mut self) {
        self.auxiliaries.pop_front();
        if self.samples.pop_front().is_some() {
            self.given = self.given.saturating_add(1);
        }
    }

    /// Takes the `moof` box that stands at `at`.
    ///
    /// # Errors
    /// What is wrong with it; what was read before that is kept.
    pub(super) fn take(&mut self, at: u64, moof: &Bytes) -> Result<(), &'static str> {
        self.fragment += 1;
        let (_, body) = children(moof).next().ok_or("its boxes are not whole")?;
        // Where the data of a track begins that does not say so: behind that of the track before.
        let mut behind = at;
        for (_, traf) in children(&body).filter(|(kind, _)| kind == b"traf") {
            let mut head = None;
            let before = self.samples.len();
            for (kind, body) in children(&traf) {
                match &kind {
                    b"tfhd" => {
                        let read = Head::read(&body, self.defaults, at, behind);
                        head = Some(read.ok_or("its tfhd box is not whole")?);
                    }
                    b"tfdt" if head.as_ref().is_some_and(|head| head.track == self.track) => {
                        let time = wide(&mut body.clone()).ok_or("its tfdt box is not whole")?;
                        self.time = i64::try_from(time).unwrap_or(i64::MAX);
                    }
                    b"trun" => {
                        let head = head.as_mut().ok_or("a run stands before its tfhd box")?;
                        let is_own = head.track == self.track;
                        self.run(head, body, is_own)?;
                        behind = head.next;
                    }
                    _ => {}
                }
            }
            if let Some(protection) = self.protection {
                let senc = children(&traf).find(|(kind, _)| kind == b"senc");
                let count = self.samples.len().saturating_sub(before);
                // Samples before these are those of runs that said nothing.
                self.auxiliaries.resize(before, Auxiliary::default());
                if let Some((_, senc)) = senc.filter(|_| count > 0) {
                    let read = protection.auxiliaries(&senc, count, &mut self.auxiliaries);
                    read.ok_or("its senc box is not whole")?;
                }
            }
        }
        Ok(())
    }

    /// Takes a `trun` box (clause 8.8.8).
    fn run(&mut self, head: &mut Head, mut run: Bytes, is_own: bool) -> Result<(), &'static str> {
        let cut = "a trun box is not whole";
        let flags = run.try_get_u32().map_err(|_| cut)?;
        let count = run.try_get_u32().map_err(|_| cut)?;
        let mut at = head.next;
        if flags & 0x1 != 0 {
            let offset = run.try_get_i32().map_err(|_| cut)?;
            at = head.base.saturating_add_signed(offset.into());
        }
        let first_flags = match flags & 0x4 {
            0 => None,
            _ => Some(run.try_get_u32().map_err(|_| cut)?),
        };
        let width = (flags & 0xf00).count_ones() as usize * 4;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > MAX_SAMPLES {
            return Err("a trun box has more samples than are read");
        }
        let there = run.len().checked_div(width).unwrap_or(count);
        if !is_own && flags & 0x200 == 0 {
            // Only where it ends matters.
            let length = u64::from(head.defaults.size).saturating_mul(count as u64);
            head.next = at.saturating_add(length);
            return Ok(());
        }
        for number in 0..count.min(there) {
            let mut field = |bit: u32, default: u32| match flags & bit {
                0 => default,
                _ => run.try_get_u32().unwrap_or(default),
            };
            let duration = field(0x100, head.defaults.duration);
            let size = field(0x200, head.defaults.size);
            let own_flags = field(0x400, head.defaults.flags);
            let offset = field(0x800, 0).cast_signed();
            let own_flags = first_flags.filter(|_| number == 0).unwrap_or(own_flags);
            if is_own {
                if self.samples.len() >= MAX_SAMPLES {
                    return Err("it has more samples than are read");
                }
                self.earlier = self.earlier.max(i64::from(offset).saturating_neg());
                self.samples.push_back(Sample {
                    at,
                    size,
                    time: self.time,
                    offset,
                    is_sync: own_flags & 0x1_0000 == 0,
                    entry: head.defaults.entry,
                });
                self.time = self.time.saturating_add(duration.into());
            }
            at = at.saturating_add(size.into());
        }
        head.next = at;
        if there < count { Err(cut) } else { Ok(()) }
    }
}

/// What a `tfhd` box says (clause 8.8.7).
struct Head {
    track: u32,
    /// What offsets count from.
    base: u64,
    /// Where a run begins that does not say so.
    next: u64,
    defaults: Defaults,
}

impl Head {
    fn read(body: &Bytes, defaults: Defaults, moof: u64, behind: u64) -> Option<Self> {
        let mut rest = body.clone();
        let flags = rest.try_get_u32().ok()?;
        let track = rest.try_get_u32().ok()?;
        let base = match flags {
            _ if flags & 0x1 != 0 => rest.try_get_u64().ok()?,
            _ if flags & 0x2_0000 != 0 => moof,
            // Of the first track the beginning of the fragment, of another the end of the data before.
            _ => behind,
        };
        let mut field = |bit: u32, default: u32| match flags & bit {
            0 => Some(default),
            _ => rest.try_get_u32().ok(),
        };
        let defaults = Defaults {
            entry: field(0x2, defaults.entry)?,
            duration: field(0x8, defaults.duration)?,
            size: field(0x10, defaults.size)?,
            flags: field(0x20, defaults.flags)?,
        };
        Some(Self {
            track,
            base,
            next: base,
            defaults,
        })
    }
}
