//! What a `moof` says of its samples, with every default resolved.

use mp4_atom::{Decode, Moof, Tfhd, Traf, TrunEntry};

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
pub(super) fn read(at: u64, end: u64, moof: &[u8]) -> Result<Vec<Run>, String> {
    let body = at.saturating_add(moof.len() as u64);
    let moof = Moof::decode(&mut &*moof).map_err(|error| error.to_string())?;
    let count: usize = moof
        .traf
        .iter()
        .flat_map(|traf| &traf.trun)
        .map(|trun| trun.samples.len())
        .sum();
    if count > MAX_SAMPLES {
        return Err(format!("{count} samples in one fragment"));
    }
    let mut runs = Vec::new();
    for traf in &moof.traf {
        read_track(at, traf, &mut runs)?;
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

fn read_track(at: u64, traf: &Traf, runs: &mut Vec<Run>) -> Result<(), String> {
    let time = traf.tfdt.as_ref().ok_or("it does not say when it begins")?;
    let mut base = time.base_media_decode_time;
    let origin = traf.tfhd.base_data_offset.unwrap_or(at);
    for trun in &traf.trun {
        let offset = trun.data_offset.ok_or("a run does not say where it is")?;
        let resolve = |entry| resolve(entry, &traf.tfhd);
        let samples: Vec<Sample> = trun.samples.iter().map(resolve).collect();
        let duration: u64 = samples
            .iter()
            .map(|sample| u64::from(sample.duration))
            .sum();
        runs.push(Run {
            track: traf.tfhd.track_id,
            base,
            at: origin.saturating_add_signed(offset.into()),
            samples,
        });
        base = base.saturating_add(duration);
    }
    Ok(())
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
