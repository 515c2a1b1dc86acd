//! What is in a complete file, by its index alone: a file that is far away need not be walked through. Where its fragments
//! are follows from where the samples are, since those of a fragment lie one behind the other.

use super::fragment::{Run, Sample};
use super::tables::{Times, timescale};
use super::{Index, IndexError};
use crate::boxes;
use crate::reader::table::Table;
use bytes::{Buf, Bytes};
use std::time::Duration;

/// Most samples of a file: more than a day of 25 pictures and 47 frames of sound a second.
const MAX_SAMPLES: usize = 1 << 23;

/// A fragment of a file that is complete.
#[derive(Debug)]
pub struct Fragment {
    /// Where it begins, with what stands in front of it.
    pub begins: u64,
    /// Where it ends.
    pub end: u64,
    pub(super) runs: Vec<Run>,
}

/// The fragments of a file, in order: by its `moov`, header included, as [`Index::write`] makes it, and where the first of
/// them begins.
///
/// # Errors
/// When the index is not whole, or has more samples than a day.
pub fn fragments(moov: &Bytes, first: u64) -> Result<Vec<Fragment>, IndexError> {
    let moov = boxes::child(moov, b"moov")?.ok_or(IndexError::Missing("moov"))?;
    let mvhd = boxes::child(&moov, b"mvhd")?.and_then(|mvhd| timescale(&mvhd));
    let movie = mvhd.ok_or(IndexError::Missing("whole mvhd"))?;
    // Each sample has its size in the index, whatever that says of them.
    let most = MAX_SAMPLES.min(moov.len() / 4);
    let (mut runs, mut left) = (Vec::new(), most);
    for found in boxes::children(&moov) {
        let (kind, body) = found?;
        if &kind == b"trak" {
            read_track(&body, movie, &mut runs, &mut left)?;
        }
    }
    runs.sort_by_key(|(run, _)| run.at);
    let mut fragments: Vec<Fragment> = Vec::new();
    for (run, end) in runs {
        match fragments.last_mut() {
            Some(last) if last.end == run.at => {
                last.end = end;
                last.runs.push(run);
            }
            last => {
                let begins = last.map_or(first, |last| last.end);
                if run.at < begins {
                    return Err(wrong(run.at, "its samples lie within others"));
                }
                fragments.push(Fragment {
                    begins,
                    end,
                    runs: vec![run],
                });
            }
        }
    }
    Ok(fragments)
}

impl Index {
    /// Adds a fragment, as [`Index::push`] does.
    pub fn push_fragment(&mut self, fragment: &Fragment) {
        self.push_runs(&fragment.runs);
    }
}

/// The runs of a track, each with where it ends. So many samples may be left.
fn read_track(
    trak: &Bytes,
    movie: u32,
    runs: &mut Vec<(Run, u64)>,
    left: &mut usize,
) -> Result<(), IndexError> {
    let tkhd = boxes::child(trak, b"tkhd")?.and_then(|tkhd| Times::read(&tkhd));
    let track = tkhd.ok_or(IndexError::Missing("whole tkhd"))?.third;
    let mdia = boxes::child(trak, b"mdia")?.ok_or(IndexError::Missing("mdia"))?;
    let mdhd = boxes::child(&mdia, b"mdhd")?.and_then(|mdhd| Times::read(&mdhd));
    let timescale = mdhd.ok_or(IndexError::Missing("whole mdhd"))?.third.max(1);
    let minf = boxes::child(&mdia, b"minf")?.ok_or(IndexError::Missing("minf"))?;
    let stbl = boxes::child(&minf, b"stbl")?.ok_or(IndexError::Missing("stbl"))?;
    let start = super::ticks(delay(trak, movie)?, timescale);
    let mut table = Table::new(&stbl);
    let mut last: Option<(Run, u64)> = None;
    while let Some(found) = table.peek() {
        table.step();
        let fewer = left.checked_sub(1);
        *left = fewer.ok_or_else(|| wrong(found.at, "the file has too many samples"))?;
        let base = start.saturating_add(u64::try_from(found.time).unwrap_or(0));
        let duration = table.time.saturating_sub(found.time);
        let sample = Sample {
            duration: u32::try_from(duration).unwrap_or(u32::MAX),
            size: found.size,
            offset: found.offset,
            is_sync: found.is_sync,
        };
        let end = found.at.saturating_add(found.size.into());
        match &mut last {
            Some((run, until)) if *until == found.at => {
                run.samples.push(sample);
                *until = end;
            }
            last => {
                let run = Run {
                    track,
                    base,
                    at: found.at,
                    samples: vec![sample],
                };
                runs.extend(last.replace((run, end)));
            }
        }
    }
    runs.extend(last);
    Ok(())
}

/// How much later than the file a track begins: an edit of nothing says so.
fn delay(trak: &Bytes, movie: u32) -> Result<Duration, IndexError> {
    let edts = boxes::child(trak, b"edts")?;
    let elst = edts.map_or(Ok(None), |edts| boxes::child(&edts, b"elst"))?;
    let Some(mut elst) = elst else {
        return Ok(Duration::ZERO);
    };
    // Version 1, one edit or two: as this crate writes it.
    let mut first = || {
        let (_version, _count) = (elst.try_get_u32().ok()?, elst.try_get_u32().ok()?);
        Some((elst.try_get_u64().ok()?, elst.try_get_i64().ok()?))
    };
    Ok(match first() {
        Some((length, -1)) => {
            let nanos = u128::from(length) * 1_000_000_000 / u128::from(movie.max(1));
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        }
        _ => Duration::ZERO,
    })
}

fn wrong(at: u64, reason: &str) -> IndexError {
    IndexError::Fragment {
        at,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::put;
    use bytes::{BufMut, BytesMut};

    fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let mut out = BytesMut::new();
        put(&mut out, kind, &parts.concat());
        out.to_vec()
    }

    #[test]
    fn samples_that_have_no_size_of_their_own_are_not_believed() {
        let table = |kind: &[u8; 4], numbers: &[u32]| {
            let mut body = BytesMut::new();
            numbers.iter().for_each(|number| body.put_u32(*number));
            boxed(kind, &[&body])
        };
        // Of one byte each, all in one chunk.
        let moov = |count| {
            let tables = [
                table(b"stts", &[0, 1, count, 1]),
                table(b"stsc", &[0, 1, 1, count, 1]),
                table(b"stsz", &[0, 1, count]),
                table(b"stco", &[0, 1, 100]),
            ];
            let stbl = boxed(b"stbl", &[&tables.concat()]);
            let mdhd = boxed(b"mdhd", &[&[0; 12], &1_000u32.to_be_bytes(), &[0; 8]]);
            let mdia = boxed(b"mdia", &[&mdhd, &boxed(b"minf", &[&stbl])]);
            let tkhd = boxed(b"tkhd", &[&[0; 12], &1u32.to_be_bytes(), &[0; 8]]);
            let mvhd = boxed(b"mvhd", &[&[0; 12], &1_000u32.to_be_bytes(), &[0; 8]]);
            Bytes::from(boxed(b"moov", &[&mvhd, &boxed(b"trak", &[&tkhd, &mdia])]))
        };
        assert_eq!(fragments(&moov(9), 0).unwrap().len(), 1);
        let refused = fragments(&moov(u32::MAX), 0).unwrap_err();
        assert!(
            refused.to_string().contains("too many samples"),
            "{refused}"
        );
    }
}
