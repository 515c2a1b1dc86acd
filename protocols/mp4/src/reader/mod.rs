//! Reading files that others made: plain ones, whose index may stand behind the media, and fragmented ones
//! (ISO/IEC 14496-12 clauses 8.6 to 8.8).
//!
//! A [`Reader`] does not read by itself. It says which bytes it needs ([`Step::Read`]), is given them
//! ([`Reader::supply`]), and gives tracks and access units in the order of their decoding times, whatever their
//! order in the file. The index of a plain file is kept as it is and walked through; of a fragmented file the places
//! of the fragments are kept, and each is looked at when its turn comes. So memory is bounded by [`MAX_MOVIE`],
//! [`MAX_FRAGMENT`] and [`MAX_FRAGMENTS`], whatever the tables claim.
//!
//! What comes in segments behind an initialisation section (CMAF, ISO/IEC 23000-19; HLS) is read one segment after the
//! other: [`Reader::in_segments`], then [`Reader::next_segment`] for each.
//!
//! A file that is cut off, damaged or wrong about itself gives what can be had; what cannot is a [`Fault`].
//!
//! `movie` finds the tracks, `entry` their codecs, `protection` takes encryption off samples, `table` and `fragments` the samples, `track` makes access units.

mod entry;
mod fragments;
mod movie;
mod protection;
pub(crate) mod table;
mod track;

#[cfg(test)]
mod tests;

use crate::boxes::Header;
use bytes::Bytes;
use fragments::Fragments;
use media::{AccessUnit, Track};
use movie::Movie;
use std::collections::VecDeque;
use std::time::Duration;
use track::{Next, TrackReader};

/// Longest `moov` that is read, in bytes: the index of a day.
pub const MAX_MOVIE: u64 = 256 << 20;

/// Longest `moof` that is read, in bytes.
pub const MAX_FRAGMENT: u64 = 16 << 20;

/// Most fragments of a file.
pub const MAX_FRAGMENTS: usize = 1 << 20;

/// Longest sample that is read, in bytes.
pub const MAX_SAMPLE: u32 = 32 << 20;

/// Most boxes that are looked at on the level of the file.
const MAX_BOXES: usize = 4 * MAX_FRAGMENTS;

/// Bytes of a header that are always enough.
const HEADER: usize = 16;

/// What a [`Reader`] does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It needs bytes: [`Reader::supply`] is the answer.
    Read {
        /// From the start of the file.
        at: u64,
        /// How many; within the length of the file, and within the bounds of this module.
        length: usize,
    },
    /// A track is known now, or its configuration is another from here on.
    Track(Track),
    /// The next access unit, of a track that was announced before.
    Unit(AccessUnit),
    /// Something of the file is lost, or is not what it says.
    Fault(Fault),
    /// There is nothing more.
    End,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file ends within a box.
    #[error("the file is cut off: of the box {} at byte {at}, {missing} bytes are missing", .kind.escape_ascii())]
    Cut {
        /// Kind of the box.
        kind: [u8; 4],
        /// Where it begins.
        at: u64,
        /// Bytes behind the end of the file.
        missing: u64,
    },
    /// What follows is no box.
    #[error("at byte {at} begins no box; what follows is not read")]
    NoBox {
        /// Where it should begin.
        at: u64,
    },
    /// There is no index, so that nothing can be found.
    #[error("there is no moov box that says what the file holds")]
    NoMovie,
    /// A bound of this module.
    #[error("at byte {at}: {what} is more than is read")]
    TooMuch {
        /// Where.
        at: u64,
        /// What there is too much of.
        what: &'static str,
    },
    /// A track is left out.
    #[error("track {track} is left out: {reason}")]
    Track {
        /// Its number in the file.
        track: u32,
        /// Why.
        reason: String,
    },
    /// Samples are lost.
    #[error(
        "track {track}: {count} samples are lost from number {first} on, at {position:.3?}: {reason}"
    )]
    Samples {
        /// The track's number in the file.
        track: u32,
        /// Number of the first, from 1.
        first: u64,
        /// Their number.
        count: u64,
        /// When the first is decoded.
        position: Duration,
        /// Why.
        reason: String,
    },
    /// A fragment cannot be read.
    #[error("the fragment at byte {at} cannot be read: {reason}")]
    Fragment {
        /// Where it begins.
        at: u64,
        /// Why.
        reason: &'static str,
    },
    /// Something the tables say cannot be, and was read as well as it could be.
    #[error("track {track}: {reason}")]
    Table {
        /// The track's number in the file.
        track: u32,
        /// What cannot be.
        reason: &'static str,
    },
}

/// Reads one file.
#[derive(Debug)]
pub struct Reader {
    length: u64,
    phase: Phase,
    /// What was asked for last.
    asked: Option<(u64, usize)>,
    ready: VecDeque<Step>,
    movie: Option<Movie>,
    fragments: Fragments,
    tracks: Vec<TrackReader>,
    boxes: usize,
    /// Fragments follow in segments of their own.
    in_segments: bool,
    key: Option<[u8; 16]>,
}

#[derive(Debug)]
enum Phase {
    /// Looks for boxes from this byte on.
    Boxes(u64),
    /// Has asked for the `moov` of so many bytes at this place.
    Movie(u64, u64),
    /// Gives samples.
    Samples,
    /// A track has asked: for a fragment, or for the bytes of its next sample.
    Fragment(usize),
    Sample(usize),
    Over,
}

impl Reader {
    /// For a file of so many bytes.
    pub const fn new(length: u64) -> Self {
        Self {
            length,
            phase: Phase::Boxes(0),
            asked: None,
            ready: VecDeque::new(),
            movie: None,
            fragments: Fragments::new(),
            tracks: Vec::new(),
            boxes: 0,
            in_segments: false,
            key: None,
        }
    }

    /// For an initialisation section of so many bytes, behind which segments come.
    pub const fn in_segments(length: u64) -> Self {
        let mut reader = Self::new(length);
        reader.in_segments = true;
        reader
    }

    /// Samples that are encrypted by scheme `cbcs` (ISO/IEC 23001-7) are opened with this key from now on. Without one, their
    /// tracks are left out.
    pub fn set_key(&mut self, key: [u8; 16]) {
        self.key = Some(key);
        for track in &mut self.tracks {
            track.set_key(key);
        }
    }

    /// What follows are the so many bytes of the next segment, and places count from its first. Times, sample entries and
    /// parameter sets go on; what was not read of the segment before is left.
    pub fn next_segment(&mut self, length: u64) {
        self.length = length;
        self.phase = Phase::Boxes(0);
        self.asked = None;
        self.boxes = 0;
        self.fragments = Fragments::new();
        for track in &mut self.tracks {
            track.next_segment();
        }
    }

    /// How long the file says it is, once its tracks are known and where it says so.
    pub fn duration(&self) -> Option<Duration> {
        self.movie.as_ref().and_then(Movie::duration)
    }

    /// Whether it is a fragmented file, once its tracks are known.
    pub fn is_fragmented(&self) -> bool {
        !self.fragments.is_empty()
    }

    /// What comes next. A [`Step::Read`] comes again until it is answered.
    pub fn poll(&mut self) -> Step {
        loop {
            if let Some(step) = self.ready.pop_front() {
                return step;
            }
            if let Some((at, length)) = self.asked {
                return Step::Read { at, length };
            }
            match self.phase {
                Phase::Boxes(at) => self.look(at),
                Phase::Samples => self.advance(),
                // Nothing has been asked for, so that nothing can come.
                Phase::Movie(..) | Phase::Fragment(_) | Phase::Sample(_) | Phase::Over => {
                    return Step::End;
                }
            }
        }
    }

    /// The bytes that were asked for; fewer where the file cannot be read that far.
    pub fn supply(&mut self, bytes: Bytes) {
        let Some((at, length)) = self.asked.take() else {
            return;
        };
        let whole = bytes.len() == length;
        match self.phase {
            Phase::Boxes(at) => self.take_header(at, &bytes),
            Phase::Movie(at, size) => {
                if whole {
                    self.take_movie(&bytes);
                } else {
                    let missing = (length as u64).saturating_sub(bytes.len() as u64);
                    self.fault(Fault::Cut {
                        kind: *b"moov",
                        at,
                        missing,
                    });
                }
                self.phase = Phase::Boxes(at.saturating_add(size));
            }
            Phase::Fragment(track) => {
                self.phase = Phase::Samples;
                let wanted = bytes.slice(..bytes.len().min(length));
                if let Some(track) = self.tracks.get_mut(track) {
                    let fault = track.take_fragment(at, &wanted);
                    self.ready.extend(fault.map(Step::Fault));
                }
            }
            Phase::Sample(track) => {
                self.phase = Phase::Samples;
                if let Some(track) = self.tracks.get_mut(track) {
                    track.take_sample(whole.then_some(bytes), &mut self.ready);
                }
            }
            Phase::Samples | Phase::Over => {}
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.ready.push_back(Step::Fault(fault));
    }

    /// Asks for the header of the box at `at`, or begins with the samples behind the last one.
    fn look(&mut self, at: u64) {
        let left = self.length.saturating_sub(at);
        if self.boxes >= MAX_BOXES {
            let what = "the number of boxes";
            self.fault(Fault::TooMuch { at, what });
        } else if left >= 8 {
            self.boxes += 1;
            let length = usize::try_from(left).unwrap_or(HEADER).min(HEADER);
            self.asked = Some((at, length));
            return;
        } else if left > 0 {
            self.fault(Fault::NoBox { at });
        }
        self.begin();
    }

    fn take_header(&mut self, at: u64, bytes: &[u8]) {
        let Some(header) = Header::read(bytes) else {
            self.fault(Fault::NoBox { at });
            return self.begin();
        };
        let left = self.length.saturating_sub(at);
        let size = header.size.unwrap_or(left);
        let missing = size.saturating_sub(left);
        self.phase = Phase::Boxes(at.saturating_add(size));
        if missing > 0 {
            let kind = header.kind;
            // What is no kind of box at all is no box.
            let named = kind
                .iter()
                .all(|byte| byte.is_ascii_graphic() || *byte == b' ');
            self.fault(match named {
                true => Fault::Cut { kind, at, missing },
                false => Fault::NoBox { at },
            });
            return self.begin();
        }
        match &header.kind {
            b"moov" if self.movie.is_none() => {
                if size > MAX_MOVIE {
                    let what = "the size of the moov box";
                    return self.fault(Fault::TooMuch { at, what });
                }
                self.phase = Phase::Movie(at, size);
                self.asked = Some((at, usize::try_from(size).unwrap_or(0)));
            }
            b"moof" if size > MAX_FRAGMENT => {
                let what = "the size of a moof box";
                self.fault(Fault::TooMuch { at, what });
            }
            b"moof" if !self.fragments.push(at, size) => {
                let what = "the number of fragments";
                self.fault(Fault::TooMuch { at, what });
                self.begin();
            }
            _ => {}
        }
    }

    fn take_movie(&mut self, bytes: &Bytes) {
        let (movie, faults) = Movie::parse(bytes);
        self.ready.extend(faults.into_iter().map(Step::Fault));
        self.movie = Some(movie);
    }

    /// All boxes have been seen: tracks are announced, and samples follow.
    fn begin(&mut self) {
        self.phase = Phase::Samples;
        let Some(movie) = &mut self.movie else {
            self.phase = Phase::Over;
            return self.fault(Fault::NoMovie);
        };
        let fragmented = self.in_segments || !self.fragments.is_empty();
        for track in std::mem::take(&mut movie.tracks) {
            let (reader, faults) = TrackReader::new(&track, movie.timescale, fragmented, self.key);
            self.ready.extend(faults.into_iter().map(Step::Fault));
            let Some(mut reader) = reader else { continue };
            self.ready.extend(reader.announce().map(Step::Track));
            self.tracks.push(reader);
        }
    }

    /// Asks for what the track needs whose sample is the next.
    fn advance(&mut self) {
        let mut next: Option<(i64, usize, u64, u32)> = None;
        for (number, track) in self.tracks.iter_mut().enumerate() {
            match track.next(&self.fragments, self.length) {
                Next::Sample { micros, at, size } => {
                    if next.is_none_or(|(earliest, ..)| micros < earliest) {
                        next = Some((micros, number, at, size));
                    }
                }
                Next::Fragment { at, size } => {
                    self.phase = Phase::Fragment(number);
                    self.asked = Some((at, usize::try_from(size).unwrap_or(0)));
                    return;
                }
                Next::Fault(fault) => {
                    self.ready.push_back(Step::Fault(fault));
                    return;
                }
                Next::Nothing => {}
            }
        }
        match next {
            Some((_, number, at, size)) => {
                self.phase = Phase::Sample(number);
                self.asked = Some((at, usize::try_from(size).unwrap_or(0)));
            }
            None => self.phase = Phase::Over,
        }
    }
}
