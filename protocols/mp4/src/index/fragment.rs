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
    let (mut runs, mut count) = (Vec::new(), 0);
    for found in boxes::children(&moof) {
        let (kind, traf) = found.map_err(|error| error.to_string())?;
        if &kind == b"traf" {
            read_track(at, &traf, &mut runs, &mut count)?;
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

fn read_track(at: u64, traf: &Bytes, runs: &mut Vec<Run>, count: &mut usize) -> Result<(), String> {
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
        *count = count.saturating_add(usize::try_from(claimed).unwrap_or(usize::MAX));
        if *count > MAX_SAMPLES {
            return Err(format!("{count} samples in one fragment"));
        }
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
