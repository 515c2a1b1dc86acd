//! The samples of a plain file, one after the other, out of the tables of clauses 8.6 and 8.7 as they stand: nothing
//! is unpacked, so that a table which claims much costs nothing.

use super::movie::children;
use bytes::Bytes;

/// Where a sample is, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// From the start of the file.
    pub(crate) at: u64,
    pub(crate) size: u32,
    /// Decoding time, in ticks from the beginning of the track.
    pub(crate) time: i64,
    /// Presentation time minus decoding time.
    pub(crate) offset: i32,
    pub(crate) is_sync: bool,
    /// Number of its sample entry, from 1.
    pub(super) entry: u32,
}

/// A table of rows of `WIDTH` numbers of 32 bits, behind its count.
#[derive(Debug, Default)]
struct Rows<const WIDTH: usize>(Bytes);

impl<const WIDTH: usize> Rows<WIDTH> {
    fn get(&self, row: usize) -> Option<[u32; WIDTH]> {
        let start = row.checked_mul(WIDTH * 4)?;
        let bytes = self.0.get(start..start.checked_add(WIDTH * 4)?)?;
        let mut values = [0; WIDTH];
        for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(4)) {
            *value = bytes
                .first_chunk()
                .map_or(0, |bytes| u32::from_be_bytes(*bytes));
        }
        Some(values)
    }

    fn len(&self) -> usize {
        self.0.len() / (WIDTH * 4)
    }
}

/// Rows that each hold for some samples: where one is.
#[derive(Debug, Default)]
struct Runs {
    rows: Rows<2>,
    row: usize,
    /// Samples of the row that are still to come.
    left: u32,
    value: u32,
}

impl Runs {
    const fn new(rows: Rows<2>) -> Self {
        Self {
            rows,
            row: 0,
            left: 0,
            value: 0,
        }
    }

    /// The value of the next sample; that of the last row behind the end. None without rows.
    fn next(&mut self) -> Option<u32> {
        while self.left == 0 {
            let Some([count, value]) = self.rows.get(self.row) else {
                return (self.row > 0).then_some(self.value);
            };
            self.row += 1;
            (self.left, self.value) = (count, value);
        }
        self.left -= 1;
        Some(self.value)
    }
}

/// Walks through the samples of a track.
#[derive(Debug)]
pub(crate) struct Table {
    durations: Runs,
    offsets: Runs,
    /// Size of all samples, or 0 and a table.
    fixed_size: u32,
    sizes: Rows<1>,
    /// Width of the sizes of an `stz2` box in bits, else 32.
    size_bits: u8,
    compact_sizes: Bytes,
    /// Samples that there are by their sizes.
    count: u64,
    chunks: Rows<1>,
    long_chunks: Rows<2>,
    per_chunk: Rows<3>,
    /// Row of `per_chunk` that holds, and the chunk, counted from 0.
    row: usize,
    chunk: usize,
    /// Samples of the chunk that are still to come, and where the next one is.
    in_chunk: u32,
    at: u64,
    entry: u32,
    /// Numbers of sync samples from 1, where there is a table.
    syncs: Option<Rows<1>>,
    sync: usize,
    /// Samples given so far.
    pub(super) given: u64,
    /// When the sample behind those given is decoded.
    pub(crate) time: i64,
    next: Option<Sample>,
    /// How much earlier than said decoding is, so that nothing is shown before it.
    pub(super) earlier: i64,
}

impl Table {
    /// Of the body of an `stbl` box.
    pub(crate) fn new(tables: &Bytes) -> Self {
        let mut table = Self {
            durations: Runs::default(),
            offsets: Runs::default(),
            fixed_size: 0,
            sizes: Rows::default(),
            size_bits: 32,
            compact_sizes: Bytes::new(),
            count: 0,
            chunks: Rows::default(),
            long_chunks: Rows::default(),
            per_chunk: Rows::default(),
            row: 0,
            chunk: 0,
            in_chunk: 0,
            at: 0,
            entry: 1,
            syncs: None,
            sync: 0,
            given: 0,
            time: 0,
            next: None,
            earlier: 0,
        };
        for (kind, body) in children(tables) {
            match &kind {
                b"stts" => table.durations = Runs::new(Rows(rows(&body, 8))),
                b"ctts" => table.offsets = Runs::new(Rows(rows(&body, 8))),
                b"stss" => table.syncs = Some(Rows(rows(&body, 4))),
                b"stco" => table.chunks = Rows(rows(&body, 4)),
                b"co64" => table.long_chunks = Rows(rows(&body, 8)),
                b"stsc" => table.per_chunk = Rows(rows(&body, 12)),
                b"stsz" => {
                    table.fixed_size = number(&body, 4);
                    let count = number(&body, 8);
                    table.sizes = Rows(rest(&body, 12));
                    let there = u32::try_from(table.sizes.len()).unwrap_or(u32::MAX);
                    let known = if table.fixed_size > 0 {
                        count
                    } else {
                        count.min(there)
                    };
                    table.count = known.into();
                }
                b"stz2" => {
                    table.size_bits = body.get(7).copied().unwrap_or(0);
                    table.compact_sizes = rest(&body, 12);
                    let bits = (table.compact_sizes.len() as u64).saturating_mul(8);
                    let there = bits.checked_div(table.size_bits.into()).unwrap_or(0);
                    table.count = there.min(number(&body, 8).into());
                }
                _ => {}
            }
        }
        let mut row = 0;
        while let Some([_, offset]) = table.offsets.rows.get(row) {
            // Signed, whatever the version says: many are wrong about it.
            let offset = i64::from(offset.cast_signed());
            table.earlier = table.earlier.max(offset.saturating_neg());
            row += 1;
        }
        table
    }

    /// Samples that are still to come, by the sizes.
    pub(super) const fn left(&self) -> u64 {
        self.count.saturating_sub(self.given)
    }

    /// The next sample, which stays the next until [`step`](Self::step).
    pub(crate) fn peek(&mut self) -> Option<Sample> {
        if self.next.is_none() && self.left() > 0 {
            self.next = self.read();
        }
        self.next
    }

    /// Goes on to the sample behind the next one.
    pub(crate) const fn step(&mut self) {
        self.next = None;
    }

    fn read(&mut self) -> Option<Sample> {
        while self.in_chunk == 0 {
            self.at = match self.chunks.get(self.chunk) {
                Some([at]) => at.into(),
                None => {
                    let [high, low] = self.long_chunks.get(self.chunk)?;
                    u64::from(high) << 32 | u64::from(low)
                }
            };
            self.chunk += 1;
            let number = u32::try_from(self.chunk).unwrap_or(u32::MAX);
            while let Some([first, ..]) = self.per_chunk.get(self.row + 1)
                && first <= number
            {
                self.row += 1;
            }
            let [_, samples, entry] = self.per_chunk.get(self.row)?;
            (self.in_chunk, self.entry) = (samples, entry);
        }
        self.in_chunk -= 1;
        let size = self.size()?;
        let number = self.given.saturating_add(1);
        let sample = Sample {
            at: self.at,
            size,
            time: self.time,
            offset: self.offsets.next().unwrap_or(0).cast_signed(),
            is_sync: self.is_sync(number),
            entry: self.entry,
        };
        self.at = self.at.saturating_add(size.into());
        let duration = self.durations.next().unwrap_or(0);
        self.time = self.time.saturating_add(duration.into());
        self.given = number;
        Some(sample)
    }

    fn size(&self) -> Option<u32> {
        let index = usize::try_from(self.given).ok()?;
        let byte = |at: usize| self.compact_sizes.get(at).copied().map(u32::from);
        match (self.fixed_size, self.size_bits) {
            (0, 32) => self.sizes.get(index).map(|[size]| size),
            (0, 16) => Some(byte(index * 2)? << 8 | byte(index * 2 + 1)?),
            (0, 8) => byte(index),
            (0, 4) if index.is_multiple_of(2) => byte(index / 2).map(|both| both >> 4),
            (0, 4) => byte(index / 2).map(|both| both & 15),
            (0, _) => None,
            (size, _) => Some(size),
        }
    }

    fn is_sync(&mut self, number: u64) -> bool {
        let Some(syncs) = &self.syncs else {
            return true;
        };
        while let Some([sync]) = syncs.get(self.sync) {
            if u64::from(sync) >= number {
                return u64::from(sync) == number;
            }
            self.sync += 1;
        }
        false
    }
}

/// What stands behind so many bytes of a table.
fn rest(body: &Bytes, at: usize) -> Bytes {
    body.slice(body.len().min(at)..)
}

/// The rows of a table, as many as it says and as are there.
fn rows(body: &Bytes, width: usize) -> Bytes {
    let count = usize::try_from(number(body, 4)).unwrap_or(usize::MAX);
    let all = rest(body, 8);
    let length = count.saturating_mul(width).min(all.len());
    all.slice(..length)
}

/// The number of 32 bits at `at`; 0 where there is none.
fn number(body: &[u8], at: usize) -> u32 {
    let bytes = body.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}
