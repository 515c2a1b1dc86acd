//! A stretch of time out of recordings, as a file of its own: nothing is coded anew, and no media is in memory.
//!
//! An [`Excerpt`] is told which files there are and what their fragments say ([`Excerpt::begin`], [`Excerpt::push`]). It
//! gives the head of the new file and the pieces of the old ones that follow it ([`Whole`]). Pictures are taken from the
//! last random access point before the beginning; an edit list hides them until it (ISO/IEC 14496-12 clause 8.6.6).
//! Where time is missing between two stretches, it is missing in the new file: what follows is moved up. Where the
//! parameters of a codec change between them, the track has a sample entry for each.

use super::fragment::{self, Run, Sample};
use super::{Fragment, Index, IndexError, TrackTables, ticks};
use crate::boxes;
use bytes::Bytes;
use std::time::Duration;

/// Most samples of an excerpt: 7 hours of 25 pictures and 47 frames of sound a second.
pub const MAX_SAMPLES: usize = 1 << 21;

/// Most sample entries of one track: so often its parameters may change.
const MAX_ENTRIES: usize = 16;

/// Why there is no excerpt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExcerptError {
    /// A file is not what it should be.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file has tracks of another form than those before it.
    #[error("the format of the stream changes there")]
    OtherTracks,
    /// [`MAX_SAMPLES`].
    #[error("the range is too long: it has more than {MAX_SAMPLES} pictures and frames of sound")]
    TooLong,
    /// There is nothing in it.
    #[error("nothing was recorded then")]
    Empty,
}

/// Bytes of one of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which file, as [`Excerpt::begin`] was told.
    pub source: u32,
    /// Where, from its start.
    pub at: u64,
    /// How many.
    pub length: u64,
}

/// A new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// What stands in front.
    pub head: Bytes,
    /// What follows, in order.
    pub pieces: Vec<Piece>,
    /// Bytes of all.
    pub length: u64,
    /// How long it plays.
    pub duration: Duration,
}

/// Gathers the samples of a stretch of time.
#[derive(Debug)]
pub struct Excerpt {
    index: Index,
    /// By track of `index`: what tells whether another file's track is the same.
    forms: Vec<Form>,
    /// By track: the number of the sample entry of what is added at the moment, from 0.
    entries: Vec<u8>,
    samples: Vec<Taken>,
    /// By track: when the newest sample that was taken ends, in ticks of the new file.
    ends: Vec<u64>,
    stretch: Option<Stretch>,
    /// When the new file begins, in its own time, which is that of the first stretch.
    shown_from: Duration,
    /// When it ends.
    shown_until: Duration,
}

/// What two tracks have in common if one can follow the other, and what they need not.
#[derive(Debug, PartialEq, Eq)]
struct Form {
    number: u32,
    timescale: u32,
    is_video: bool,
    /// Of what codec.
    kind: Bytes,
    /// The sample entries, headers included. A file has one a track.
    entries: Vec<Bytes>,
}

impl Form {
    /// Finds the place of another track's sample entry, or makes one. None when the tracks have nothing in common.
    fn follow(&mut self, other: Self) -> Option<u8> {
        let same = |form: &Self| (form.number, form.timescale, form.is_video);
        if same(self) != same(&other) || self.kind != other.kind {
            return None;
        }
        let entry = other.entries.into_iter().next()?;
        let mut known = self.entries.iter();
        let place = known.position(|known| *known == entry).or_else(|| {
            let place = self.entries.len();
            (place < MAX_ENTRIES).then(|| {
                self.entries.push(entry);
                place
            })
        })?;
        u8::try_from(place).ok()
    }
}

/// Where samples come from at the moment.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    source: u32,
    from: Duration,
    until: Duration,
    /// The first one begins within a GOP and in the midst of sound.
    is_first: bool,
    /// What is added to its times, in nanoseconds; none before its first fragment.
    shift: Option<i128>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    /// Place in the list of tracks.
    track: u8,
    /// Number of its sample entry, from 0.
    entry: u8,
    source: u32,
    /// In ticks of the new file.
    base: u64,
    at: u64,
    sample: Sample,
}

impl Excerpt {
    /// With the fragmented `moov` of the first file, header included.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(moov: &Bytes) -> Result<Self, ExcerptError> {
        let index = Index::new(moov)?;
        let forms = forms(&index)?;
        Ok(Self {
            ends: vec![0; forms.len()],
            entries: vec![0; forms.len()],
            index,
            forms,
            samples: Vec::new(),
            stretch: None,
            shown_from: Duration::ZERO,
            shown_until: Duration::ZERO,
        })
    }

    /// What follows is of that source, whose `moov` this is, and lies between these moments of its time.
    ///
    /// # Errors
    /// When it has other tracks.
    pub fn begin(
        &mut self,
        source: u32,
        moov: &Bytes,
        from: Duration,
        until: Duration,
    ) -> Result<(), ExcerptError> {
        let others = forms(&Index::new(moov)?)?;
        if others.len() != self.forms.len() {
            return Err(ExcerptError::OtherTracks);
        }
        let forms = self.forms.iter_mut().zip(others);
        let entries = forms.map(|(form, other)| form.follow(other));
        let entries: Option<Vec<u8>> = entries.collect();
        self.entries = entries.ok_or(ExcerptError::OtherTracks)?;
        let is_first = self.samples.is_empty();
        if is_first {
            self.shown_from = from;
        }
        let shift = is_first.then_some(0);
        self.stretch = Some(Stretch {
            source,
            from,
            until,
            is_first,
            shift,
        });
        Ok(())
    }

    /// Adds the next fragment of the source, as [`Index::push`] is given it. False when all that follows is later.
    ///
    /// # Errors
    /// When it cannot be read, or there is too much.
    pub fn push(&mut self, at: u64, end: u64, moof: &[u8]) -> Result<bool, ExcerptError> {
        if self.stretch.is_none() {
            return Ok(false);
        }
        let wrong = |reason| IndexError::Fragment { at, reason };
        let runs = fragment::read(at, end, moof).map_err(wrong)?;
        self.push_runs(&runs)
    }

    /// The same, of a fragment of a complete file.
    ///
    /// # Errors
    /// When there is too much.
    pub fn push_fragment(&mut self, fragment: &Fragment) -> Result<bool, ExcerptError> {
        self.push_runs(&fragment.runs)
    }

    fn push_runs(&mut self, runs: &[Run]) -> Result<bool, ExcerptError> {
        let Some(mut stretch) = self.stretch else {
            return Ok(false);
        };
        let runs: Vec<(usize, &Run)> = runs
            .iter()
            .filter_map(|run| {
                let mut forms = self.forms.iter();
                let track = forms.position(|form| form.number == run.track)?;
                Some((track, run))
            })
            .collect();
        let shift = stretch
            .shift
            .or_else(|| self.place(&stretch, &runs))
            .unwrap_or(0);
        let mut all_later = !runs.is_empty();
        for (track, run) in runs {
            let Some(form) = self.forms.get(track) else {
                continue;
            };
            let (timescale, is_video) = (form.timescale, form.is_video);
            let mut base = run.base;
            let mut place = run.at;
            for sample in run.samples.iter().copied() {
                let ends = base.saturating_add(sample.duration.into());
                let decoded = time(base, timescale);
                all_later &= decoded >= stretch.until;
                let shown = time(base.saturating_add_signed(sample.offset.into()), timescale);
                let is_wanted = decoded < stretch.until
                    && match (stretch.is_first, is_video) {
                        (true, true) => {
                            if sample.is_sync && shown <= stretch.from {
                                // A better place to begin.
                                self.samples
                                    .retain(|taken| usize::from(taken.track) != track);
                            }
                            true
                        }
                        (true, false) => time(ends, timescale) > stretch.from,
                        (false, _) => decoded >= stretch.from,
                    };
                if is_wanted {
                    if stretch.shift.is_none() {
                        stretch.shift = Some(shift);
                    }
                    self.take(
                        track,
                        stretch.source,
                        moved(base, shift, timescale),
                        place,
                        sample,
                    )?;
                }
                base = ends;
                place = place.saturating_add(sample.size.into());
            }
        }
        // All of the stretch is in one place of the new file.
        let until = i128::try_from(stretch.until.as_nanos()).unwrap_or(i128::MAX);
        let until = until.saturating_add(shift).max(0);
        self.shown_until = Duration::from_nanos(u64::try_from(until).unwrap_or(u64::MAX));
        self.stretch = Some(stretch);
        Ok(!all_later)
    }

    /// What to add to the times of a stretch so that it follows what is there: no track may overlap itself.
    fn place(&self, stretch: &Stretch, runs: &[(usize, &Run)]) -> Option<i128> {
        let shifts = runs.iter().filter_map(|(track, run)| {
            let timescale = self.forms.get(*track)?.timescale;
            let from = stretch.from.as_nanos();
            let bases = run.samples.iter().scan(run.base, |base, sample| {
                let begins = *base;
                *base = base.saturating_add(sample.duration.into());
                Some(time(begins, timescale).as_nanos())
            });
            let first = bases.filter(|begins| *begins >= from).min()?;
            let end = time(*self.ends.get(*track)?, timescale).as_nanos();
            Some(i128::try_from(end).ok()? - i128::try_from(first).ok()?)
        });
        shifts.max()
    }

    fn take(
        &mut self,
        track: usize,
        source: u32,
        base: u64,
        at: u64,
        sample: Sample,
    ) -> Result<(), ExcerptError> {
        if self.samples.len() >= MAX_SAMPLES {
            return Err(ExcerptError::TooLong);
        }
        if let Some(end) = self.ends.get_mut(track) {
            *end = base.saturating_add(sample.duration.into());
        }
        self.samples.push(Taken {
            track: u8::try_from(track).unwrap_or(u8::MAX),
            entry: self.entries.get(track).copied().unwrap_or(0),
            source,
            base,
            at,
            sample,
        });
        Ok(())
    }

    /// The new file.
    ///
    /// # Errors
    /// When there is nothing in it.
    pub fn finish(mut self) -> Result<Whole, ExcerptError> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut length = 0u64;
        for taken in std::mem::take(&mut self.samples) {
            let size = u64::from(taken.sample.size);
            match pieces.last_mut() {
                Some(piece)
                    if piece.source == taken.source
                        && piece.at.saturating_add(piece.length) == taken.at =>
                {
                    piece.length = piece.length.saturating_add(size);
                }
                _ => pieces.push(Piece {
                    source: taken.source,
                    at: taken.at,
                    length: size,
                }),
            }
            if let Some(track) = self.index.tracks.get_mut(usize::from(taken.track)) {
                let entry = u32::from(taken.entry).saturating_add(1);
                track.append(taken.base, length, taken.sample, entry);
            }
            length = length.saturating_add(size);
        }
        let tracks = &mut self.index.tracks;
        let first = tracks.iter().filter_map(TrackTables::first_shown).min();
        let first = first.ok_or(ExcerptError::Empty)?;
        let moment = first.max(self.shown_from);
        for (track, form) in tracks.iter_mut().zip(self.forms) {
            track.show_until(self.shown_until);
            track.set_more_entries(form.entries.into_iter().skip(1).collect());
        }
        self.index.without_empty = true;
        let head = self.index.head(moment, length)?;
        let duration = self.index.duration();
        if duration.is_zero() {
            return Err(ExcerptError::Empty);
        }
        Ok(Whole {
            length: length.saturating_add(head.len() as u64),
            head,
            pieces,
            duration,
        })
    }
}

fn forms(index: &Index) -> Result<Vec<Form>, ExcerptError> {
    let mut forms = Vec::new();
    for found in boxes::children(&index.moov) {
        let (kind, trak) = found.map_err(IndexError::from)?;
        if &kind == b"trak" {
            let number = forms.len();
            let tables = index.tracks.get(number);
            let (number, timescale) =
                tables.map_or((0, 1), |track| (track.number, track.timescale()));
            let mdia = child(&trak, b"mdia")?;
            let handler = child(&mdia, b"hdlr")?;
            let minf = child(&mdia, b"minf")?;
            let stbl = child(&minf, b"stbl")?;
            let stsd = child(&stbl, b"stsd")?;
            let part =
                |from: usize, to: usize| stsd.slice(from.min(stsd.len())..to.min(stsd.len()));
            forms.push(Form {
                number,
                timescale,
                is_video: handler.get(8..12) == Some(b"vide"),
                // Behind flags, the number of entries, and the length of the first.
                kind: part(12, 16),
                entries: vec![part(8, stsd.len())],
            });
        }
    }
    Ok(forms)
}

fn child(body: &Bytes, kind: &'static [u8; 4]) -> Result<Bytes, IndexError> {
    let name = std::str::from_utf8(kind).unwrap_or("box");
    boxes::child(body, kind)?.ok_or(IndexError::Missing(name))
}

fn time(base: u64, timescale: u32) -> Duration {
    let nanos = u128::from(base) * 1_000_000_000 / u128::from(timescale);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A time of a stretch in the new file, in ticks.
fn moved(base: u64, shift: i128, timescale: u32) -> u64 {
    let by = Duration::from_nanos(u64::try_from(shift.unsigned_abs()).unwrap_or(u64::MAX));
    let by = ticks(by, timescale);
    match shift < 0 {
        true => base.saturating_sub(by),
        false => base.saturating_add(by),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fragment::{Run, Sample};
    use crate::fuzz::{audio_track, video_track};
    use crate::reader::{Reader, Step};
    use bytes::{BufMut, BytesMut};

    /// The first byte of a payload: a NAL unit that is no IDR picture, and something else.
    const PICTURE: u8 = 0x41;
    const SOUND: u8 = b's';

    /// A file of so many seconds whose payloads tell what they are: pictures of 40 ms with a random access point every
    /// second and two B-frames after each, frames of sound of 1024 ticks. Fragments of half a second.
    fn file(seconds: u64, mark: u8) -> (Bytes, Bytes, Vec<(u64, u64, Bytes)>) {
        let (video, audio) = (video_track(), audio_track());
        let init = crate::init::write(&[video.clone(), audio.clone()]).unwrap();
        let ftyp = u32::from_be_bytes(*init.first_chunk().unwrap()) as usize;
        let moov = init.slice(ftyp..);
        let (scale, rate) = (
            video.timebase.ticks_per_second(),
            u64::from(audio.timebase.ticks_per_second()),
        );
        let step = scale / 25;
        let mut out = BytesMut::from(&init[..]);
        let mut fragments = Vec::new();
        let mut sound = 0u64;
        let payload = |kind: u8, number: u64| {
            let rest = vec![kind; number as usize % 7];
            let body = [&[kind, mark][..], &number.to_be_bytes()[..], &rest].concat();
            // Pictures are NAL units with their length in front.
            match kind {
                PICTURE => [&(body.len() as u32).to_be_bytes()[..], &body]
                    .concat()
                    .into(),
                _ => Bytes::from(body),
            }
        };
        for half in 0..seconds * 2 {
            let first = half * 25 / 2;
            let last = (half + 1) * 25 / 2;
            let pictures: Vec<Sample> = (first..last)
                .map(|number| Sample {
                    duration: step,
                    composition_offset: [2, 4, 1, 1][number as usize % 25 % 4] * step as i32,
                    random_access: number % 25 == 0,
                    disposable: false,
                    payload: payload(PICTURE, number),
                })
                .collect();
            let until = (half + 1) * rate / 2 / 1_024;
            let sounds: Vec<Sample> = (sound..until)
                .map(|number| Sample {
                    duration: 1_024,
                    composition_offset: 0,
                    random_access: true,
                    disposable: false,
                    payload: payload(SOUND, number),
                })
                .collect();
            let runs = [
                Run {
                    track: &video,
                    base_decode_time: first * u64::from(step),
                    samples: &pictures,
                },
                Run {
                    track: &audio,
                    base_decode_time: sound * 1_024,
                    samples: &sounds,
                },
            ];
            let fragment = crate::fragment::write(half as u32, &runs);
            let at = out.len() as u64;
            let moof = u32::from_be_bytes(*fragment.first_chunk().unwrap()) as usize;
            out.put_slice(&fragment);
            fragments.push((at, out.len() as u64, fragment.slice(..moof)));
            sound = until;
        }
        (out.freeze(), moov, fragments)
    }

    type Files = Vec<(Bytes, Bytes, Vec<(u64, u64, Bytes)>)>;

    fn excerpt(
        files: &Files,
        stretches: &[(u32, u64, u64)],
    ) -> Result<(Whole, Bytes), ExcerptError> {
        let mut excerpt = Excerpt::new(&files[0].1)?;
        for &(source, from, until) in stretches {
            let (_, moov, fragments) = &files[source as usize];
            let millis = Duration::from_millis;
            excerpt.begin(source, moov, millis(from), millis(until))?;
            for (at, end, moof) in fragments {
                if !excerpt.push(*at, *end, moof)? {
                    break;
                }
            }
        }
        let whole = excerpt.finish()?;
        let mut out = BytesMut::from(&whole.head[..]);
        for piece in &whole.pieces {
            let file = &files[piece.source as usize].0;
            out.put_slice(&file[piece.at as usize..(piece.at + piece.length) as usize]);
        }
        assert_eq!(out.len() as u64, whole.length);
        Ok((whole, out.freeze()))
    }

    #[test]
    fn a_complete_file_is_known_by_its_index_alone() {
        let (bytes, moov, fragments) = file(6, 0);
        let mut index = Index::new(&moov).unwrap();
        for (at, end, moof) in &fragments {
            index.push(*at, *end, moof).unwrap();
        }
        let found = super::super::fragments(&index.write().unwrap(), fragments[0].0).unwrap();
        let places: Vec<(u64, u64)> = found.iter().map(|one| (one.begins, one.end)).collect();
        let expected = fragments.iter().map(|(at, end, _)| (*at, *end));
        assert_eq!(places, expected.collect::<Vec<_>>());
        // An index of these is the same, and so is any stretch of it.
        let mut again = Index::new(&moov).unwrap();
        for fragment in &found {
            again.push_fragment(fragment);
        }
        assert_eq!(again.write().unwrap(), index.write().unwrap());
        let files = vec![(bytes, moov.clone(), fragments)];
        for (from, until) in [(0, 6_000), (2_480, 4_200), (5_900, 6_000)] {
            let millis = Duration::from_millis;
            let mut excerpt = Excerpt::new(&moov).unwrap();
            excerpt
                .begin(0, &moov, millis(from), millis(until))
                .unwrap();
            for fragment in &found {
                if !excerpt.push_fragment(fragment).unwrap() {
                    break;
                }
            }
            let expected = self::excerpt(&files, &[(0, from, until)]).unwrap().0;
            assert_eq!(excerpt.finish().unwrap(), expected, "{from} {until}");
        }
        // An index that says nothing, or nonsense.
        let written = index.write().unwrap();
        for length in (0..written.len()).step_by(7) {
            let _ = super::super::fragments(&written.slice(..length), 0);
        }
        assert!(super::super::fragments(&written, u64::MAX).is_err());
        assert!(super::super::fragments(&Bytes::new(), 0).is_err());
    }

    /// What a reader that knows nothing of this finds: kind, mark, number, and when each is shown, in microseconds.
    fn read(file: &Bytes) -> Vec<(u8, u8, u64, i64)> {
        let mut reader = Reader::new(file.len() as u64);
        let mut tracks = Vec::new();
        let mut units = Vec::new();
        loop {
            match reader.poll() {
                Step::Read { at, length } => {
                    reader.supply(file.slice(at as usize..at as usize + length));
                }
                Step::Track(track) => tracks.push(track),
                Step::Unit(unit) => {
                    let track = tracks.iter().find(|track| track.id == unit.track).unwrap();
                    let shown = track.timebase.rescale(unit.pts, media::Timebase::MICROS);
                    let length = if track.kind() == media::Kind::Video {
                        4
                    } else {
                        0
                    };
                    let bytes = &unit.payload[length..];
                    let number = u64::from_be_bytes(bytes[2..10].try_into().unwrap());
                    units.push((bytes[0], bytes[1], number, shown));
                }
                Step::Fault(fault) => panic!("{fault}"),
                Step::End => return units,
            }
        }
    }

    fn numbers(units: &[(u8, u8, u64, i64)], kind: u8) -> Vec<(u64, i64)> {
        let units = units.iter().filter(|unit| unit.0 == kind);
        units.map(|unit| (unit.2, unit.3)).collect()
    }

    #[test]
    fn a_range_between_random_access_points_is_exact() {
        let files = vec![file(6, 0)];
        let (whole, bytes) = excerpt(&files, &[(0, 2_480, 4_200)]).unwrap();
        assert_eq!(whole.duration, Duration::from_millis(1_720));
        let units = read(&bytes);
        let pictures = numbers(&units, PICTURE);
        // From the random access point, which is shown 80 ms after it is decoded.
        assert_eq!(pictures[0], (50, 2_080_000 - 2_480_000));
        assert_eq!(pictures.last().unwrap().0, 104);
        assert_eq!(pictures.len(), 55);
        let sounds = numbers(&units, SOUND);
        let rate = f64::from(audio_track().timebase.ticks_per_second());
        let first = (2.480 * rate / 1_024.0).floor() as u64;
        assert_eq!(sounds[0].0, first);
        let shown = first as f64 * 1_024.0 / rate - 2.480;
        assert!(
            (sounds[0].1 as f64 / 1e6 - shown).abs() < 0.001,
            "{sounds:?}"
        );
    }

    #[test]
    fn a_range_across_files_goes_on_without_a_seam() {
        let files = vec![file(4, 0), file(4, 1)];
        let (whole, bytes) = excerpt(&files, &[(0, 3_500, 4_000), (1, 0, 1_500)]).unwrap();
        assert!(whole.duration.abs_diff(Duration::from_millis(2_000)) < Duration::from_millis(30));
        let units = read(&bytes);
        let pictures: Vec<i64> = {
            let mut shown: Vec<i64> = numbers(&units, PICTURE).iter().map(|unit| unit.1).collect();
            shown.sort_unstable();
            shown
        };
        assert!(
            pictures
                .windows(2)
                .all(|pair| (39_000..=41_000).contains(&(pair[1] - pair[0]))),
            "{pictures:?}"
        );
        let sounds = numbers(&units, SOUND);
        let frame = 1_024e6 / f64::from(audio_track().timebase.ticks_per_second());
        // The first file ends with less than a frame of silence.
        let apart = |pair: &[(u64, i64)]| (pair[1].1 - pair[0].1) as f64 / frame;
        assert!(
            sounds
                .windows(2)
                .all(|pair| (0.95..2.05).contains(&apart(pair))),
            "{sounds:?}"
        );
        assert_eq!(
            sounds.windows(2).filter(|pair| apart(pair) > 1.05).count(),
            1
        );
    }

    #[test]
    fn a_change_of_parameters_is_another_sample_entry() {
        let mut larger = video_track();
        larger.codec = match larger.codec {
            media::Codec::H264(config) => {
                let pps = vec![Bytes::from_static(&[0x68, 0xee, 0x3c, 0x80, 1])];
                media::Codec::H264(media::codec::h264::Config::new(config.sps, pps).unwrap())
            }
            other => other,
        };
        let mut files = vec![file(2, 0), file(2, 1), file(2, 2)];
        let init = crate::init::write(&[larger.clone(), audio_track()]).unwrap();
        let ftyp = u32::from_be_bytes(*init.first_chunk().unwrap()) as usize;
        files[1].1 = init.slice(ftyp..);
        let (_, bytes) = excerpt(&files, &[(0, 0, 2_000), (1, 0, 2_000), (2, 0, 2_000)]).unwrap();
        // The reader tells of a track anew where its sample entry is another.
        let mut reader = Reader::new(bytes.len() as u64);
        let mut changes = Vec::new();
        let mut pictures = 0;
        loop {
            match reader.poll() {
                Step::Read { at, length } => {
                    reader.supply(bytes.slice(at as usize..at as usize + length));
                }
                Step::Track(track) if track.id == larger.id => {
                    changes.push((pictures, track.codec == larger.codec));
                }
                Step::Track(_) => {}
                Step::Unit(unit) => pictures += usize::from(unit.track == larger.id),
                Step::Fault(fault) => panic!("{fault}"),
                Step::End => break,
            }
        }
        assert_eq!(changes, [(0, false), (50, true), (100, false)]);
        assert_eq!(pictures, 150);
    }

    #[test]
    fn what_is_not_there_or_too_different_is_refused() {
        let files = vec![file(2, 0)];
        assert_eq!(
            excerpt(&files, &[(0, 9_000, 9_500)]).unwrap_err(),
            ExcerptError::Empty
        );
        let other = crate::init::write(&[audio_track()]).unwrap();
        let ftyp = u32::from_be_bytes(*other.first_chunk().unwrap()) as usize;
        let mut excerpt = Excerpt::new(&files[0].1).unwrap();
        let begun = excerpt.begin(0, &other.slice(ftyp..), Duration::ZERO, Duration::MAX);
        assert_eq!(begun, Err(ExcerptError::OtherTracks));
        assert!(!excerpt.push(0, 0, b"").unwrap());
    }
}
