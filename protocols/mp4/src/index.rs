//! The index of a file that was written in fragments: a `moov` that says where every sample is, so that
//! players seek in it and know its length from the start (ISO/IEC 14496-12 clause 8.6).
//!
//! The fragments stay where they are. A file is laid out as `ftyp`, [`PLACEHOLDER`], the fragmented `moov`,
//! fragments; with the index appended, [`cover`] turns the placeholder into the head of one `mdat` that
//! holds all up to the index. Until then the file is a fragmented one, afterwards a plain one, and the 16
//! bytes between are written at once. Read [`Index`].
//!
//! [`Plain`] makes the index of a file whose media is written without fragments, [`Excerpt`] that of a stretch of time out
//! of such files. [`Captured`] is what a fragment says of the clock on the wall. [`fragments`] finds the fragments of a
//! complete file by its index.

mod captured;
mod excerpt;
mod fragment;
mod outline;
mod plain;
mod tables;

pub use captured::Captured;
pub use excerpt::{Excerpt, ExcerptError, MAX_SAMPLES, Piece, Whole};
pub use outline::{Fragment, fragments};
pub use plain::Plain;

use crate::boxes::{self, BoxError};
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;
use tables::TrackTables;

/// What stands behind `ftyp` until the file is complete: an empty `free` box as long as the head of an
/// `mdat` with a 64-bit size.
pub const PLACEHOLDER: [u8; 16] = *b"\0\0\0\x10free\0\0\0\0\0\0\0\0";

/// What to write over a placeholder at `at` when the index begins at `end`, both in bytes from the start of
/// the file.
pub fn cover(at: u64, end: u64) -> [u8; 16] {
    let mut head = *b"\0\0\0\x01mdat\0\0\0\0\0\0\0\0";
    let (_, size) = head.split_at_mut(8);
    size.copy_from_slice(&end.saturating_sub(at).to_be_bytes());
    head
}

/// Why an index cannot be made of these bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// A box is cut off, or too deep.
    #[error(transparent)]
    Box(#[from] BoxError),
    /// A box that has to be there is not.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// A fragment cannot be read.
    #[error("the fragment at {at} cannot be read: {reason}")]
    Fragment {
        /// Bytes from the start of the file.
        at: u64,
        /// What is wrong.
        reason: String,
    },
}

/// Gathers what the fragments of one file hold.
#[derive(Debug)]
pub struct Index {
    /// The body of the fragmented `moov`.
    moov: Bytes,
    tracks: Vec<TrackTables>,
    /// A decoder can start with the newest fragment.
    is_independent: bool,
    /// Tracks without samples are left out.
    without_empty: bool,
}

impl Index {
    /// For a file with this `moov` box, header included, as [`init::write`](crate::init::write) makes it.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(moov: &Bytes) -> Result<Self, IndexError> {
        let moov = boxes::child(moov, b"moov")?.ok_or(IndexError::Missing("moov"))?;
        let mut tracks = Vec::new();
        for found in boxes::children(&moov) {
            let (kind, body) = found?;
            if &kind == b"trak" {
                tracks.push(TrackTables::new(&body)?);
            }
        }
        Ok(Self {
            moov,
            tracks,
            is_independent: false,
            without_empty: false,
        })
    }

    /// Adds a fragment whose `moof` box, header included, stands at `at` bytes from the start of the file,
    /// and whose last byte stands before `end`. Fragments are added in order.
    ///
    /// # Errors
    /// When it cannot be read, or names samples outside of itself. Nothing has been added then.
    pub fn push(&mut self, at: u64, end: u64, moof: &[u8]) -> Result<(), IndexError> {
        let wrong = |reason| IndexError::Fragment { at, reason };
        let runs = fragment::read(at, end, moof).map_err(wrong)?;
        self.push_runs(&runs);
        Ok(())
    }

    fn push_runs(&mut self, runs: &[fragment::Run]) {
        let mut firsts = runs.iter().filter_map(|run| run.samples.first());
        self.is_independent = firsts.all(|sample| sample.is_sync);
        for run in runs {
            let mut tracks = self.tracks.iter_mut();
            if let Some(track) = tracks.find(|track| track.number == run.track) {
                track.push(run);
            }
        }
    }

    /// Whether a decoder can start with the fragment that was added last.
    pub const fn is_independent(&self) -> bool {
        self.is_independent
    }

    /// From the beginning of the first to the end of the last sample of all tracks.
    pub fn duration(&self) -> Duration {
        let ends = self.tracks.iter().map(TrackTables::end);
        ends.max().unwrap_or_default()
    }

    /// Samples of all tracks.
    pub fn samples(&self) -> usize {
        self.tracks.iter().map(TrackTables::samples).sum()
    }

    /// When in the file that was which a fragment says to have been captured.
    pub fn position(&self, captured: &Captured) -> Option<Duration> {
        let mut tracks = self.tracks.iter();
        let track = tracks.find(|track| track.number == captured.track)?;
        Some(track.seconds(captured.media_time))
    }

    /// The `moov` of the whole file.
    ///
    /// # Errors
    /// When the fragmented `moov` lacks what both need.
    pub fn write(&self) -> Result<Bytes, IndexError> {
        let mut out = BytesMut::new();
        let mut tracks = self.tracks.iter();
        let mvhd = boxes::child(&self.moov, b"mvhd")?;
        let timescale = mvhd.and_then(|mvhd| tables::timescale(&mvhd));
        let timescale = timescale.ok_or(IndexError::Missing("whole mvhd"))?;
        boxes::within(&mut out, b"moov", |out| -> Result<(), IndexError> {
            for found in boxes::children(&self.moov) {
                let (kind, body) = found?;
                match &kind {
                    b"mvhd" => boxes::within(out, b"mvhd", |out| {
                        tables::put_movie_header(out, &body, self.duration())
                    })?,
                    b"trak" => {
                        let track = tracks.next().ok_or(IndexError::Missing("trak"))?;
                        if track.samples() > 0 || !self.without_empty {
                            boxes::within(out, b"trak", |out| track.write(out, &body, timescale))?;
                        }
                    }
                    b"mvex" => {}
                    kind => boxes::put(out, kind, &body),
                }
            }
            Ok(())
        })?;
        Ok(out.freeze())
    }
}

impl Index {
    /// What stands in front of `length` bytes of media whose chunks have been placed from 0 on, in a file that begins
    /// with the given moment: `ftyp`, `moov` and the head of `mdat`.
    fn head(&mut self, moment: Duration, length: u64) -> Result<Bytes, IndexError> {
        let ftyp = ftyp();
        // Places of 64 bits take as much room wherever they are.
        self.show_from(moment, 0);
        let moov = self.write()?.len();
        let head = ftyp.len() + moov + 16;
        self.show_from(moment, head as u64);
        let mut out = BytesMut::with_capacity(head);
        out.put_slice(&ftyp);
        out.put_slice(&self.write()?);
        out.put_slice(b"\0\0\0\x01mdat");
        out.put_u64(length.saturating_add(16));
        Ok(out.freeze())
    }

    fn show_from(&mut self, moment: Duration, by: u64) {
        for track in &mut self.tracks {
            track.show_from(moment, by);
        }
    }
}

/// The `ftyp` box of a file for every player. It is none of CMAF.
fn ftyp() -> Bytes {
    let mut out = BytesMut::new();
    boxes::put(&mut out, b"ftyp", b"isom\0\0\x02\0isomiso6mp41");
    out.freeze()
}

/// A duration in ticks, the nearest.
fn ticks(duration: Duration, timescale: u32) -> u64 {
    let ticks = duration.as_nanos().saturating_mul(u128::from(timescale));
    u64::try_from((ticks + 500_000_000) / 1_000_000_000).unwrap_or(u64::MAX)
}

/// An edit list: nothing for `delay`, then the media from `media_time` on (clause 8.6.6).
fn put_edit_list(out: &mut BytesMut, delay: u64, duration: u64, media_time: i64) {
    let edits = [(delay, -1), (duration, media_time)];
    let edits = edits.get(usize::from(delay == 0)..).unwrap_or_default();
    out.put_u32(1 << 24);
    out.put_u32(edits.len() as u32);
    for (duration, media_time) in edits {
        out.put_u64(*duration);
        out.put_i64(*media_time);
        out.put_u32(1 << 16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fragment::{Run, Sample};
    use crate::fuzz::{audio_track, video_track};
    use mp4_atom::{Decode, Moov, StszSamples};

    fn sample(duration: u32, offset: i32, sync: bool, size: usize) -> Sample {
        Sample {
            duration,
            composition_offset: offset,
            random_access: sync,
            disposable: false,
            payload: Bytes::from(vec![size as u8; size]),
        }
    }

    /// Two fragments of pictures and sound, the sound beginning 20 ms after the pictures.
    fn file() -> (Bytes, Index) {
        let (video, audio) = (video_track(), audio_track());
        let init = crate::init::write(&[video.clone(), audio.clone()]).unwrap();
        let length = u32::from_be_bytes(*init.first_chunk().unwrap()) as usize;
        let (ftyp, moov) = (init.slice(..length), init.slice(length..));
        let mut file = BytesMut::new();
        file.put_slice(&ftyp);
        file.put_slice(&PLACEHOLDER);
        file.put_slice(&moov);
        let mut index = Index::new(&moov).unwrap();
        let pictures = [
            vec![sample(40, 80, true, 10), sample(40, 0, false, 5)],
            // A gap of 20 ms before it.
            vec![sample(40, 0, true, 12)],
        ];
        let sounds = [
            vec![sample(1_024, 0, true, 3); 3],
            vec![sample(1_024, 0, true, 4)],
        ];
        for (number, (base, sound_base)) in
            [(0, 882), (100, 882 + 3 * 1_024)].into_iter().enumerate()
        {
            let runs = [
                Run {
                    track: &video,
                    base_decode_time: base,
                    samples: &pictures[number],
                },
                Run {
                    track: &audio,
                    base_decode_time: sound_base,
                    samples: &sounds[number],
                },
            ];
            let fragment = crate::fragment::write(number as u32 + 1, &runs);
            let at = file.len() as u64;
            file.put_slice(&fragment);
            let moof = u32::from_be_bytes(*fragment.first_chunk().unwrap()) as usize;
            index
                .push(at, file.len() as u64, &fragment[..moof])
                .unwrap();
        }
        (file.freeze(), index)
    }

    #[test]
    fn every_sample_is_found_where_it_is() {
        let (file, index) = file();
        assert_eq!(index.samples(), 7);
        let moov = index.write().unwrap();
        let moov = Moov::decode(&mut &moov[..]).unwrap();
        assert!(moov.mvex.is_none());
        assert_eq!(moov.mvhd.duration, 140 * 90);
        let [video, audio] = &moov.trak[..] else {
            panic!("two tracks")
        };
        let table = &video.mdia.minf.stbl;
        let deltas: Vec<_> = table
            .stts
            .entries
            .iter()
            .map(|entry| (entry.sample_count, entry.sample_delta))
            .collect();
        assert_eq!(deltas, [(1, 40), (1, 60), (1, 40)]);
        let offsets: Vec<_> = table
            .ctts
            .as_ref()
            .unwrap()
            .entries
            .iter()
            .map(|entry| (entry.sample_count, entry.sample_offset))
            .collect();
        assert_eq!(offsets, [(1, 80), (2, 0)]);
        assert_eq!(table.stss.as_ref().unwrap().entries, [1, 3]);
        assert_eq!(
            table.stsz.samples,
            StszSamples::Different {
                sizes: vec![10, 5, 12]
            }
        );
        assert_eq!(
            (video.mdia.mdhd.duration, video.tkhd.duration),
            (140, 140 * 90)
        );
        assert!(video.edts.is_none());
        let chunks = &table.co64.as_ref().unwrap().entries;
        for (chunk, size) in chunks.iter().zip([10, 12]) {
            assert_eq!(file[*chunk as usize], size);
        }
        let table = &audio.mdia.minf.stbl;
        assert!(table.stss.is_none() && table.ctts.is_none());
        let chunks = &table.co64.as_ref().unwrap().entries;
        assert_eq!((file[chunks[0] as usize], file[chunks[1] as usize]), (3, 4));
        let runs: Vec<_> = table
            .stsc
            .entries
            .iter()
            .map(|entry| (entry.first_chunk, entry.samples_per_chunk))
            .collect();
        assert_eq!(runs, [(1, 3), (2, 1)]);
        assert_eq!(audio.mdia.mdhd.duration, 4 * 1_024);
        assert_eq!(audio.mdia.minf.stbl.stsd.codecs.len(), 1);
        let edits = &audio.edts.as_ref().unwrap().elst.as_ref().unwrap().entries;
        assert_eq!(
            (edits[0].segment_duration, edits[1].segment_duration),
            (1_800, 8_359)
        );
    }

    #[test]
    fn the_placeholder_becomes_one_box_around_all() {
        let (file, index) = file();
        let at = file
            .windows(4)
            .position(|window| window == b"free")
            .unwrap()
            - 4;
        let mut plain = file.to_vec();
        plain[at..at + 16].copy_from_slice(&cover(at as u64, file.len() as u64));
        plain.extend_from_slice(&index.write().unwrap());
        let kinds: Vec<[u8; 4]> = boxes::children(&plain.into())
            .map(|found| found.unwrap().0)
            .collect();
        assert_eq!(kinds, [*b"ftyp", *b"mdat", *b"moov"]);
    }

    #[test]
    fn what_is_cut_off_or_points_elsewhere_is_refused() {
        let (file, mut index) = file();
        let at = file
            .windows(4)
            .position(|window| window == b"moof")
            .unwrap()
            - 4;
        let moof = &file[at..];
        for length in 0..100 {
            assert!(
                index
                    .push(at as u64, file.len() as u64, &moof[..length])
                    .is_err(),
                "{length}"
            );
        }
        let length = u32::from_be_bytes(*moof.first_chunk().unwrap()) as usize;
        let samples = index.samples();
        assert!(
            index
                .push(at as u64, at as u64 + length as u64 + 8, &moof[..length])
                .is_err()
        );
        assert_eq!(index.samples(), samples);
    }
}
