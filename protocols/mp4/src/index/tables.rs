//! The tables of one track, and the headers that say how long it is.

use super::fragment::{Run, Sample};
use super::{IndexError, put_edit_list, ticks};
use crate::boxes;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::time::Duration;

/// What is known of the samples of a track. Values that repeat are kept once.
#[derive(Debug)]
pub(super) struct TrackTables {
    pub(super) number: u32,
    timescale: u32,
    /// Decoding time of the first sample.
    start: u64,
    /// Sum of the durations.
    length: u64,
    sizes: Vec<u32>,
    /// Samples in a row, and how long each lasts.
    durations: Vec<(u32, u32)>,
    /// Samples in a row, and how much later than decoded each is shown.
    offsets: Vec<(u32, i32)>,
    /// Numbers of those where a decoder can start, from 1.
    syncs: Vec<u32>,
    /// Where each row of samples begins in the file.
    chunks: Vec<u64>,
    /// Number of a chunk from 1, samples in it and those that follow, and the number of their sample entry from 1.
    per_chunk: Vec<(u32, u32, u32)>,
    /// Sample entries behind those of the fragmented file, headers included.
    more_entries: Vec<Bytes>,
    /// Where the media of the newest chunk ends.
    chunk_end: u64,
    /// When the first picture is shown, in ticks from `start`.
    earliest: Option<i64>,
    /// When the file begins, where it begins with what is shown first rather than with what is decoded first.
    shown_from: Option<Duration>,
    /// When it ends, where that is before the end of the last sample.
    shown_until: Option<Duration>,
}

impl TrackTables {
    /// For the track of this `trak` box, without its header.
    pub(super) fn new(trak: &Bytes) -> Result<Self, IndexError> {
        let tkhd = boxes::child(trak, b"tkhd")?.ok_or(IndexError::Missing("tkhd"))?;
        let mdia = boxes::child(trak, b"mdia")?.ok_or(IndexError::Missing("mdia"))?;
        let mdhd = boxes::child(&mdia, b"mdhd")?.ok_or(IndexError::Missing("mdhd"))?;
        let timescale = Times::read(&mdhd)
            .ok_or(IndexError::Missing("whole mdhd"))?
            .third;
        let number = Times::read(&tkhd)
            .ok_or(IndexError::Missing("whole tkhd"))?
            .third;
        Ok(Self {
            number,
            timescale: timescale.max(1),
            start: 0,
            length: 0,
            sizes: Vec::new(),
            durations: Vec::new(),
            offsets: Vec::new(),
            syncs: Vec::new(),
            chunks: Vec::new(),
            per_chunk: Vec::new(),
            more_entries: Vec::new(),
            chunk_end: 0,
            earliest: None,
            shown_from: None,
            shown_until: None,
        })
    }

    /// Adds samples. A gap before them makes the sample before last longer.
    pub(super) fn push(&mut self, run: &Run) {
        if run.samples.is_empty() {
            return;
        }
        if self.sizes.is_empty() {
            self.start = run.base;
        }
        let gap = run
            .base
            .saturating_sub(self.start.saturating_add(self.length));
        self.lengthen_last(u32::try_from(gap).unwrap_or(u32::MAX));
        self.chunks.push(run.at);
        let chunk = narrow(self.chunks.len());
        let samples = narrow(run.samples.len());
        if self
            .per_chunk
            .last()
            .is_none_or(|(_, before, _)| *before != samples)
        {
            self.per_chunk.push((chunk, samples, 1));
        }
        for sample in run.samples.iter().copied() {
            self.put(sample);
        }
    }

    /// Adds one sample of the sample entry of that number, from 1; in the chunk of the one before if it lies behind it.
    pub(super) fn append(&mut self, base: u64, at: u64, sample: Sample, entry: u32) {
        if self.sizes.is_empty() {
            self.start = base;
        }
        let gap = base.saturating_sub(self.start.saturating_add(self.length));
        self.lengthen_last(u32::try_from(gap).unwrap_or(u32::MAX));
        let last = self.per_chunk.last();
        let goes_on = self.chunk_end == at && last.is_some_and(|(.., last)| *last == entry);
        if !goes_on {
            // Chunks with as many samples as those before need no row.
            if let [.., before, last] = self.per_chunk[..]
                && (before.1, before.2) == (last.1, last.2)
            {
                self.per_chunk.pop();
            }
            self.chunks.push(at);
            self.per_chunk.push((narrow(self.chunks.len()), 1, entry));
        } else if let Some((_, samples, _)) = self.per_chunk.last_mut() {
            *samples = samples.saturating_add(1);
        }
        self.chunk_end = at.saturating_add(sample.size.into());
        self.put(sample);
    }

    fn put(&mut self, sample: Sample) {
        let Sample {
            duration,
            size,
            offset,
            is_sync,
        } = sample;
        let shown = i64::try_from(self.length).unwrap_or(i64::MAX);
        let shown = shown.saturating_add(offset.into());
        self.earliest = Some(self.earliest.map_or(shown, |earliest| earliest.min(shown)));
        self.sizes.push(size);
        self.length += u64::from(duration);
        repeat(&mut self.durations, duration);
        repeat(&mut self.offsets, offset);
        if is_sync {
            self.syncs.push(narrow(self.sizes.len()));
        }
    }

    /// When its first sample is shown.
    pub(super) fn first_shown(&self) -> Option<Duration> {
        let shown = self.start.saturating_add_signed(self.earliest?);
        Some(self.seconds(shown))
    }

    /// The file begins at this moment, and its chunks lie `by` bytes further on. What is shown before is decoded and not
    /// shown.
    pub(super) fn show_from(&mut self, moment: Duration, by: u64) {
        self.shown_from = Some(moment);
        for chunk in &mut self.chunks {
            *chunk = chunk.saturating_add(by);
        }
    }

    /// The file ends at this moment: what is shown later is there, and not shown.
    pub(super) const fn show_until(&mut self, moment: Duration) {
        self.shown_until = Some(moment);
    }

    fn lengthen_last(&mut self, by: u32) {
        if by == 0 || self.sizes.is_empty() {
            return;
        }
        if let Some((count, duration)) = self.durations.pop() {
            if count > 1 {
                self.durations.push((count - 1, duration));
            }
            let longer = duration.saturating_add(by);
            self.length += u64::from(longer - duration);
            self.durations.push((1, longer));
        }
    }

    pub(super) const fn samples(&self) -> usize {
        self.sizes.len()
    }

    /// From the beginning of the file to the end of the last sample.
    pub(super) fn end(&self) -> Duration {
        if self.sizes.is_empty() {
            return Duration::ZERO;
        }
        let end = self.decoded_until();
        let end = self.shown_until.map_or(end, |until| until.min(end));
        end.saturating_sub(self.shown_from.unwrap_or_default())
    }

    /// When the last sample ends, in the time of the samples.
    pub(super) fn decoded_until(&self) -> Duration {
        self.seconds(self.start.saturating_add(self.length))
    }

    /// Ticks per second.
    pub(super) const fn timescale(&self) -> u32 {
        self.timescale
    }

    pub(super) fn seconds(&self, ticks: u64) -> Duration {
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(self.timescale);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Writes the body of the `trak` box: that of the fragmented file, with durations and tables.
    pub(super) fn write(
        &self,
        out: &mut BytesMut,
        trak: &Bytes,
        timescale: u32,
    ) -> Result<(), IndexError> {
        for found in boxes::children(trak) {
            let (kind, body) = found?;
            match &kind {
                b"tkhd" => {
                    let end = ticks(self.end(), timescale);
                    boxes::within(out, b"tkhd", |out| put_track_header(out, &body, end))?;
                    self.put_edits(out, timescale)?;
                }
                b"edts" => {}
                b"mdia" => boxes::within(out, b"mdia", |out| self.put_media(out, &body))?,
                kind => boxes::put(out, kind, &body),
            }
        }
        Ok(())
    }

    /// A track that begins later than the file is moved there. In a file that begins with what is shown first, what
    /// is decoded earlier is not waited for, and what would be shown earlier is not shown.
    fn put_edits(&self, out: &mut BytesMut, timescale: u32) -> Result<(), IndexError> {
        let (delay, media_time) = match (self.shown_from, self.first_shown()) {
            (Some(moment), Some(first)) => {
                let start = i64::try_from(self.start).unwrap_or(i64::MAX);
                let moment_ticks = i64::try_from(ticks(moment, self.timescale)).unwrap_or(i64::MAX);
                let earliest = self.earliest.unwrap_or(0);
                let media_time = earliest.max(moment_ticks.saturating_sub(start));
                (first.saturating_sub(moment), media_time)
            }
            _ => (self.seconds(self.start), 0),
        };
        let delay_ticks = ticks(delay, timescale);
        let cut = self.shown_until.is_some();
        if self.sizes.is_empty() || delay_ticks == 0 && media_time == 0 && !cut {
            return Ok(());
        }
        let length = i64::try_from(self.length).unwrap_or(i64::MAX);
        let shown = u64::try_from(length.saturating_sub(media_time)).unwrap_or(0);
        let shown = self.seconds(shown);
        let shown = match cut {
            true => shown.min(self.end().saturating_sub(delay)),
            false => shown,
        };
        boxes::within(out, b"edts", |out| {
            boxes::within(out, b"elst", |out| {
                put_edit_list(out, delay_ticks, ticks(shown, timescale), media_time);
                Ok(())
            })
        })
    }

    fn put_media(&self, out: &mut BytesMut, mdia: &Bytes) -> Result<(), IndexError> {
        for found in boxes::children(mdia) {
            let (kind, body) = found?;
            match &kind {
                b"mdhd" => boxes::within(out, b"mdhd", |out| {
                    let times = Times::read(&body).ok_or(IndexError::Missing("whole mdhd"))?;
                    times.put_start(out);
                    out.put_u32(times.third);
                    out.put_u64(self.length);
                    out.put_slice(&times.rest_of_media_header);
                    Ok::<(), IndexError>(())
                })?,
                b"minf" => boxes::within(out, b"minf", |out| {
                    for found in boxes::children(&body) {
                        let (kind, body) = found?;
                        match &kind {
                            b"stbl" => {
                                boxes::within(out, b"stbl", |out| self.put_tables(out, &body))?;
                            }
                            kind => boxes::put(out, kind, &body),
                        }
                    }
                    Ok::<(), IndexError>(())
                })?,
                kind => boxes::put(out, kind, &body),
            }
        }
        Ok(())
    }

    /// Writes the `stsd` box of the fragmented file, whose body this is, with the entries that came after it.
    fn put_entries(&self, out: &mut BytesMut, stsd: &Bytes) -> Result<(), IndexError> {
        let mut entries = stsd.clone();
        if self.more_entries.is_empty() || entries.len() < 8 {
            boxes::put(out, b"stsd", stsd);
            return Ok(());
        }
        let (flags, count) = (entries.get_u32(), entries.get_u32());
        boxes::within(out, b"stsd", |out| {
            out.put_u32(flags);
            out.put_u32(count.saturating_add(narrow(self.more_entries.len())));
            out.put_slice(&entries);
            self.more_entries
                .iter()
                .for_each(|entry| out.put_slice(entry));
            Ok(())
        })
    }

    /// Sample entries that follow those of the fragmented file, headers included.
    pub(super) fn set_more_entries(&mut self, entries: Vec<Bytes>) {
        self.more_entries = entries;
    }

    /// Writes the tables of clause 8.6 and 8.7, the sample entries as they were.
    fn put_tables(&self, out: &mut BytesMut, stbl: &Bytes) -> Result<(), IndexError> {
        let stsd = boxes::child(stbl, b"stsd")?.ok_or(IndexError::Missing("stsd"))?;
        self.put_entries(out, &stsd)?;
        put_table(out, b"stts", 0, self.durations.len(), |out| {
            for (count, duration) in &self.durations {
                out.put_u32(*count);
                out.put_u32(*duration);
            }
        })?;
        if self.offsets.iter().any(|(_, offset)| *offset != 0) {
            put_table(out, b"ctts", 1, self.offsets.len(), |out| {
                for (count, offset) in &self.offsets {
                    out.put_u32(*count);
                    out.put_i32(*offset);
                }
            })?;
        }
        if self.syncs.len() < self.sizes.len() {
            put_table(out, b"stss", 0, self.syncs.len(), |out| {
                self.syncs.iter().for_each(|number| out.put_u32(*number));
            })?;
        }
        put_table(out, b"stsc", 0, self.per_chunk.len(), |out| {
            for (chunk, samples, entry) in &self.per_chunk {
                out.put_u32(*chunk);
                out.put_u32(*samples);
                out.put_u32(*entry);
            }
        })?;
        boxes::within(out, b"stsz", |out| {
            out.put_u32(0);
            out.put_u32(0);
            out.put_u32(narrow(self.sizes.len()));
            self.sizes.iter().for_each(|size| out.put_u32(*size));
            Ok::<(), IndexError>(())
        })?;
        put_table(out, b"co64", 0, self.chunks.len(), |out| {
            self.chunks.iter().for_each(|at| out.put_u64(*at));
        })
    }
}

/// Ticks per second of what the `mvhd` box says of the file.
pub(super) fn timescale(mvhd: &Bytes) -> Option<u32> {
    Times::read(mvhd).map(|times| times.third)
}

/// Writes the body of an `mvhd` box with another duration.
pub(super) fn put_movie_header(
    out: &mut BytesMut,
    mvhd: &Bytes,
    duration: Duration,
) -> Result<(), IndexError> {
    let times = Times::read(mvhd).ok_or(IndexError::Missing("whole mvhd"))?;
    times.put_start(out);
    out.put_u32(times.third);
    out.put_u64(ticks(duration, times.third));
    out.put_slice(&times.rest_of_media_header);
    Ok(())
}

fn put_track_header(out: &mut BytesMut, tkhd: &Bytes, duration: u64) -> Result<(), IndexError> {
    let times = Times::read(tkhd).ok_or(IndexError::Missing("whole tkhd"))?;
    times.put_start(out);
    out.put_u32(times.third);
    // A reserved field stands between the track's number and its duration.
    out.put_u32(0);
    out.put_u64(duration);
    // In either version, this much of reserved field and duration is still in front.
    let rest = times.rest_of_media_header;
    out.put_slice(rest.get(4..).unwrap_or_default());
    Ok(())
}

/// The beginning that `mvhd`, `tkhd` and `mdhd` have in common, in version 0 or 1: two dates, then a
/// timescale or the track's number, then a duration.
pub(super) struct Times {
    flags: u32,
    created: u64,
    modified: u64,
    pub(super) third: u32,
    /// What follows a duration that stands at once behind `third`.
    rest_of_media_header: Bytes,
}

impl Times {
    pub(super) fn read(body: &Bytes) -> Option<Self> {
        let mut rest = body.clone();
        let flags = rest.try_get_u32().ok()?;
        let width = if flags >> 24 == 0 { 4 } else { 8 };
        let mut date = || rest.try_get_uint(width).ok();
        let (created, modified) = (date()?, date()?);
        let third = rest.try_get_u32().ok()?;
        let rest_of_media_header = (rest.len() >= width).then(|| rest.split_off(width))?;
        Some(Self {
            flags: flags & 0xff_ffff,
            created,
            modified,
            third,
            rest_of_media_header,
        })
    }

    /// Writes version, flags and dates, as version 1.
    fn put_start(&self, out: &mut BytesMut) {
        out.put_u32(1 << 24 | self.flags);
        out.put_u64(self.created);
        out.put_u64(self.modified);
    }
}

fn put_table(
    out: &mut BytesMut,
    kind: &[u8; 4],
    version: u8,
    entries: usize,
    put: impl FnOnce(&mut BytesMut),
) -> Result<(), IndexError> {
    boxes::within(out, kind, |out| {
        out.put_u32(u32::from(version) << 24);
        out.put_u32(narrow(entries));
        put(out);
        Ok(())
    })
}

/// Counts a value once more if it is the last one again.
fn repeat<T: PartialEq>(rows: &mut Vec<(u32, T)>, value: T) {
    match rows.last_mut() {
        Some((count, last)) if *last == value => *count += 1,
        _ => rows.push((1, value)),
    }
}

/// Counts that fit 32 bits: a file of more samples would be years long.
fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
