//! What a `moof` says of its samples, with every default resolved.

use crate::boxes::{self, BoxError};
use bytes::Bytes;
use mp4_atom::{Atom, Tfdt, Tfhd, Trun, TrunEntry};

/// Most samples of one fragment. More than a thousand a second has no stream.
const MAX_SAMPLES: usize = 1 << 16;

/// Set in the flags of a sample that no decoder can start at.
const NON_SYNC: u32 = 1 << 16;

/// Samples of one track that lie one after the other.
#[derive(Debug)]
pub(super) struct Run {
    /// The track's number.
    pub(super) track: u32,
    /// Decoding time of the first.
    pub(super) base: u64,
    /// Where the first one's bytes are in the file.
    pub(super) at: u64,
    pub(super) samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) offset: i32,
    pub(super) is_sync: bool,
}

/// Reads a `moof` that stands at `at` in a file; its samples have to lie behind it and before `end`.
///
/// Only the boxes that are needed are decoded: others may claim entries without number.
pub(super) fn read(at: u64, end: u64, moof: &[u8]) -> Result<Vec<Run>, String> {
    let body = at.saturating_add(moof.len() as u64);
    let whole = Bytes::copy_from_slice(moof);
    let moof = boxes::child(&whole, b"moof").map_err(|error| error.to_string())?;
    let moof = moof.ok_or("there is no moof")?;
    // Each sample has a byte of media, or its size in the box: more than there are bytes are made up to take memory.
    let bytes = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
    let (mut runs, mut left) = (Vec::new(), MAX_SAMPLES.min(bytes));
    for found in boxes::children(&moof) {
        let (kind, traf) = found.map_err(|error| error.to_string())?;
        if &kind == b"traf" {
            read_track(at, &traf, &mut runs, &mut left)?;
        }
    }
    for run in &runs {
        let bytes: u64 = run
            .samples
            .iter()
            .map(|sample| u64::from(sample.size))
            .sum();
        if run.at < body || run.at.saturating_add(bytes) > end {
            return Err("it names samples outside of itself".into());
        }
    }
    Ok(runs)
}

/// So many samples may be left.
fn read_track(at: u64, traf: &Bytes, runs: &mut Vec<Run>, left: &mut usize) -> Result<(), String> {
    let wrong = |error: BoxError| error.to_string();
    let tfhd = boxes::child(traf, b"tfhd").map_err(wrong)?;
    let tfhd: Tfhd = decode(&tfhd.ok_or("a track is not named")?)?;
    let tfdt = boxes::child(traf, b"tfdt").map_err(wrong)?;
    let tfdt: Tfdt = decode(&tfdt.ok_or("it does not say when it begins")?)?;
    let mut base = tfdt.base_media_decode_time;
    let origin = tfhd.base_data_offset.unwrap_or(at);
    for found in boxes::children(traf) {
        let (kind, body) = found.map_err(wrong)?;
        if &kind != b"trun" {
            continue;
        }
        // Behind version and flags; without fields of their own, samples take no room in the box.
        let claimed = body.get(4..).and_then(|rest| rest.first_chunk());
        let claimed = claimed.map_or(0, |claimed| u32::from_be_bytes(*claimed));
        let fewer = left.checked_sub(usize::try_from(claimed).unwrap_or(usize::MAX));
        *left = fewer.ok_or_else(|| format!("{claimed} samples, more than it has room for"))?;
        let trun: Trun = decode(&body)?;
        let offset = trun.data_offset.ok_or("a run does not say where it is")?;
        let entries = trun.samples.into_iter();
        let samples: Vec<Sample> = entries.map(|entry| resolve(entry, &tfhd)).collect();
        let duration: u64 = samples
            .iter()
            .map(|sample| u64::from(sample.duration))
            .sum();
        runs.push(Run {
            track: tfhd.track_id,
            base,
            at: origin.saturating_add_signed(offset.into()),
            samples,
        });
        base = base.saturating_add(duration);
    }
    Ok(())
}

fn decode<T: Atom>(body: &Bytes) -> Result<T, String> {
    T::decode_body(&mut &body[..]).map_err(|error| error.to_string())
}

fn resolve(entry: TrunEntry, defaults: &Tfhd) -> Sample {
    let offset = entry.cts.unwrap_or(0);
    let flags = entry.flags.or(defaults.default_sample_flags).unwrap_or(0);
    Sample {
        duration: entry
            .duration
            .or(defaults.default_sample_duration)
            .unwrap_or(0),
        size: entry.size.or(defaults.default_sample_size).unwrap_or(0),
        offset: i32::try_from(offset).unwrap_or(0),
        is_sync: flags & NON_SYNC == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let mut out = bytes::BytesMut::new();
        boxes::put(&mut out, kind, &parts.concat());
        out.to_vec()
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        let numbers = numbers.iter();
        numbers.flat_map(|number| number.to_be_bytes()).collect()
    }

    /// Reads a fragment of so many samples, of which nothing is said but that each has so many bytes.
    fn samples(count: u32, size: u32, media: u64) -> Result<usize, String> {
        const MOOF: u32 = 76;
        // Offsets from the fragment, a duration and a size for all.
        let tfhd = boxed(b"tfhd", &[&numbers(&[0x02_0018, 1, 40, size])]);
        let tfdt = boxed(b"tfdt", &[&numbers(&[0, 0])]);
        let trun = boxed(b"trun", &[&numbers(&[1, count, MOOF + 8])]);
        let moof = boxed(b"moof", &[&boxed(b"traf", &[&tfhd, &tfdt, &trun])]);
        assert_eq!(moof.len(), MOOF as usize);
        let runs = read(1_000, 1_000 + u64::from(MOOF) + 8 + media, &moof)?;
        Ok(runs.iter().map(|run| run.samples.len()).sum())
    }

    #[test]
    fn no_more_samples_are_believed_than_the_fragment_has_bytes() {
        assert_eq!(samples(100, 1, 100), Ok(100));
        // What is empty now and then.
        assert_eq!(samples(1, 0, 0), Ok(1));
        for (count, media) in [(85, 0), (1 << 16, 0), (1 << 16, 1_000)] {
            let refused = samples(count, 0, media).unwrap_err();
            assert!(refused.contains("more than it has room for"), "{refused}");
        }
        // Nor more than a fragment ever has.
        assert!(samples((1 << 16) + 1, 1, 1 << 20).is_err());
    }
}
