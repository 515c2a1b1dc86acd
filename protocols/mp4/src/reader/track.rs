//! One track: which of its samples is the next, and what access unit that is.

use super::entry::{self, Bare, Entry};
use super::fragments::{Fragments, Walk};
use super::movie::{Defaults, TrackBox, children};
use super::protection::{Auxiliary, Protection};
use super::table::{Sample, Table};
use super::{Fault, MAX_SAMPLE, Step};
use bytes::Bytes;
use media::codec::in_band::{InBand, Role};
use media::codec::{ac3, av1, h264, h265, mpeg_audio, nal, opus, vp8, vp9};
use media::{AccessUnit, Codec, Kind, Timebase, Track, TrackId};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

/// So many samples in a row that cannot be had end a track.
const MAX_LOST: u64 = 1 << 20;

/// What a track needs for its next sample.
pub(super) enum Next {
    Sample { micros: i64, at: u64, size: u32 },
    Fragment { at: u64, size: u64 },
    Fault(Fault),
    Nothing,
}

#[derive(Debug)]
enum Samples {
    Table(Box<Table>),
    Walk(Walk),
}

/// One track.
#[derive(Debug)]
pub(super) struct TrackReader {
    number: u32,
    timescale: Timebase,
    /// Added to the times of the samples, in ticks: what the edit list says.
    shift: i64,
    samples: Samples,
    entries: Vec<Entry>,
    /// The entry that holds, counted from 1; 0 before the first sample.
    entry: u32,
    codec: Option<Codec>,
    length_size: u8,
    h264: h264::InBand,
    h265: h265::InBand,
    /// Samples in a row that are lost: number and time of the first, how many, and why.
    lost: Option<(u64, i64, u64, Cow<'static, str>)>,
    is_over: bool,
    /// What fragments behind the samples of the index do not say themselves.
    behind: Option<Defaults>,
    /// How samples are encrypted, and the key.
    protection: Option<(Protection, [u8; 16])>,
}

impl TrackReader {
    pub(super) fn new(
        track: &TrackBox,
        movie_timescale: u32,
        fragmented: bool,
        key: Option<[u8; 16]>,
    ) -> (Option<Self>, Vec<Fault>) {
        let number = track.number;
        let mut faults = Vec::new();
        let stsd = children(&track.tables).find(|(kind, _)| kind == b"stsd");
        let mut entries = stsd.map(|(_, body)| entry::read(&body)).unwrap_or_default();
        let mut protection = None;
        for entry in &mut entries {
            if let Entry::Protected(inner, found) = entry {
                protection = Some(*found);
                *entry = match key {
                    // Fragments say how; an index does not.
                    Some(_) if fragmented => (**inner).clone(),
                    _ => Entry::Unknown("it is encrypted".to_owned()),
                };
            }
        }
        let refused = match entries.first() {
            None => Some("it does not say what it holds".to_owned()),
            Some(Entry::Unknown(reason)) => {
                let handler = track.handler.escape_ascii();
                Some(format!("{reason} (handler {handler})"))
            }
            Some(_) => None,
        };
        let timescale = Timebase::new(track.timescale);
        let refused = refused.or_else(|| {
            let unknown = timescale.is_none();
            unknown.then(|| "it does not say how its time is counted".to_owned())
        });
        let (Some(timescale), None) = (timescale, &refused) else {
            let reason = refused.unwrap_or_default();
            faults.push(Fault::Track {
                track: number,
                reason,
            });
            return (None, faults);
        };
        if track.is_edited {
            let reason = "it is shown in pieces; their order is that of the file here";
            faults.push(Fault::Table {
                track: number,
                reason,
            });
        }
        let delay = i64::try_from(track.delay).unwrap_or(i64::MAX);
        let movie = Timebase::new(movie_timescale).unwrap_or(Timebase::MILLIS);
        let delay = movie.rescale_nearest(delay, timescale);
        let table = Table::new(&track.tables);
        // A file may have an index and fragments behind what that says.
        let samples = match fragmented && table.left() == 0 {
            true => {
                let mut walk = Walk::new(number, track.defaults);
                if let Some(protection) = protection {
                    walk.set_protection(protection);
                }
                Samples::Walk(walk)
            }
            false => Samples::Table(Box::new(table)),
        };
        let reader = Self {
            number,
            timescale,
            shift: delay.saturating_sub(track.media_time),
            samples,
            entries,
            entry: 0,
            codec: None,
            length_size: 4,
            h264: h264::InBand::default(),
            h265: h265::InBand::default(),
            lost: None,
            is_over: false,
            behind: fragmented.then_some(track.defaults),
            protection: protection.zip(key),
        };
        (Some(reader), faults)
    }

    /// The track as its first sample entry has it, if that says enough.
    pub(super) fn announce(&mut self) -> Option<Track> {
        self.select(1)
    }

    pub(super) const fn set_key(&mut self, key: [u8; 16]) {
        if let Some((_, known)) = &mut self.protection {
            *known = key;
        }
    }

    /// The fragments are others from now on: those of the next segment.
    pub(super) fn next_segment(&mut self) {
        self.is_over = false;
        match &mut self.samples {
            Samples::Walk(walk) => walk.next_segment(),
            Samples::Table(table) => {
                if let Some(defaults) = self.behind.take() {
                    let walk = Walk::following(self.number, defaults, table);
                    self.samples = Samples::Walk(walk);
                }
            }
        }
    }

    /// What it needs for its next sample.
    pub(super) fn next(&mut self, fragments: &Fragments, length: u64) -> Next {
        if self.is_over {
            return Next::Nothing;
        }
        loop {
            let sample = match &mut self.samples {
                Samples::Table(table) => table.peek(),
                Samples::Walk(walk) => walk.peek(),
            };
            let Some(sample) = sample else {
                if let Samples::Walk(walk) = &self.samples
                    && let Some((at, size)) = fragments.get(walk.fragment)
                {
                    return Next::Fragment { at, size };
                }
                if let (Samples::Table(table), Some(defaults)) = (&self.samples, self.behind.take())
                    && table.left() == 0
                {
                    let walk = Walk::following(self.number, defaults, table);
                    self.samples = Samples::Walk(walk);
                    continue;
                }
                return self.end();
            };
            let reason = if sample.size == 0 {
                // Nothing is in it.
                self.step();
                continue;
            } else if sample.size > MAX_SAMPLE {
                "they are longer than is read"
            } else if sample.at.saturating_add(sample.size.into()) > length {
                "they lie behind the end of the file"
            } else {
                return match self.found() {
                    Some(fault) => Next::Fault(fault),
                    None => Next::Sample {
                        micros: self.micros(&sample),
                        at: sample.at,
                        size: sample.size,
                    },
                };
            };
            self.step();
            if let Some(fault) = self.lose(&sample, reason.into()) {
                return Next::Fault(fault);
            }
        }
    }

    /// Takes the fragment that it asked for.
    pub(super) fn take_fragment(&mut self, at: u64, moof: &Bytes) -> Option<Fault> {
        let Samples::Walk(walk) = &mut self.samples else {
            return None;
        };
        let taken = walk.take(at, moof);
        taken.err().map(|reason| Fault::Fragment { at, reason })
    }

    /// Takes the bytes of its next sample, or hears that there are none.
    pub(super) fn take_sample(&mut self, payload: Option<Bytes>, out: &mut VecDeque<Step>) {
        let sample = match &mut self.samples {
            Samples::Table(table) => table.peek(),
            Samples::Walk(walk) => walk.peek(),
        };
        let Some(sample) = sample else {
            return;
        };
        let auxiliary = match &self.samples {
            Samples::Walk(walk) if self.protection.is_some() => walk.auxiliary(),
            _ => Auxiliary::default(),
        };
        self.step();
        let payload = payload.ok_or("they cannot be read");
        let payload = payload.and_then(|payload| match &self.protection {
            Some((protection, key)) => protection
                .open(key, &auxiliary, payload)
                .ok_or("they are said to be encrypted where they are not"),
            None => Ok(payload),
        });
        let payload = match payload {
            Ok(payload) => payload,
            Err(reason) => {
                let fault = self.lose(&sample, reason.into());
                return out.extend(fault.map(Step::Fault));
            }
        };
        out.extend(self.select(sample.entry).map(Step::Track));
        let (track, unit) = match self.unit(&sample, payload) {
            Ok(made) => made,
            Err(reason) => {
                let fault = self.lose(&sample, reason.into());
                return out.extend(fault.map(Step::Fault));
            }
        };
        out.extend(self.found().map(Step::Fault));
        out.extend(track.map(Step::Track));
        out.extend(unit.map(Step::Unit));
    }

    fn step(&mut self) {
        match &mut self.samples {
            Samples::Table(table) => table.step(),
            Samples::Walk(walk) => walk.step(),
        }
    }

    const fn earlier(&self) -> i64 {
        match &self.samples {
            Samples::Table(table) => table.earlier,
            Samples::Walk(walk) => walk.earlier,
        }
    }

    const fn given(&self) -> u64 {
        match &self.samples {
            Samples::Table(table) => table.given,
            Samples::Walk(walk) => walk.given,
        }
    }

    fn dts(&self, sample: &Sample) -> i64 {
        let time = sample.time.saturating_add(self.shift);
        time.saturating_sub(self.earlier())
    }

    fn micros(&self, sample: &Sample) -> i64 {
        self.timescale.rescale(self.dts(sample), Timebase::MICROS)
    }

    /// Notes a sample that cannot be had. Too many end the track.
    fn lose(&mut self, sample: &Sample, reason: Cow<'static, str>) -> Option<Fault> {
        let micros = self.micros(sample);
        if let Some((_, _, count, known)) = &mut self.lost
            && *known == reason
        {
            *count = count.saturating_add(1);
            if *count > MAX_LOST {
                self.is_over = true;
                return self.found();
            }
            return None;
        }
        let before = self.found();
        self.lost = Some((self.given(), micros, 1, reason));
        before
    }

    /// What was lost before a sample that is there.
    fn found(&mut self) -> Option<Fault> {
        let (first, micros, count, reason) = self.lost.take()?;
        Some(Fault::Samples {
            track: self.number,
            first,
            count,
            position: Duration::from_micros(u64::try_from(micros).unwrap_or(0)),
            reason: reason.into_owned(),
        })
    }

    /// The end of the samples: what was lost, and what the tables lack.
    fn end(&mut self) -> Next {
        if let Some(fault) = self.found() {
            return Next::Fault(fault);
        }
        self.is_over = true;
        match &self.samples {
            Samples::Table(table) if table.left() > 0 => Next::Fault(Fault::Samples {
                track: self.number,
                first: table.given.saturating_add(1),
                count: table.left(),
                position: Duration::ZERO,
                reason: "the tables do not say where they are".to_owned(),
            }),
            _ => Next::Nothing,
        }
    }

    /// From now on the sample entry of that number holds. The track, where it is another.
    fn select(&mut self, number: u32) -> Option<Track> {
        if self.entry == number {
            return None;
        }
        let index = usize::try_from(number.saturating_sub(1)).ok()?;
        // A number that no entry has is that of the first.
        let entry = self.entries.get(index).or_else(|| self.entries.first())?;
        self.entry = number;
        match entry.clone() {
            Entry::Known(codec, length_size) => {
                self.length_size = length_size;
                self.set(codec)
            }
            Entry::InSamples(_, length_size) => {
                self.length_size = length_size;
                None
            }
            Entry::Protected(..) | Entry::Unknown(_) => None,
        }
    }

    fn set(&mut self, codec: Codec) -> Option<Track> {
        if self.codec.as_ref() == Some(&codec) {
            return None;
        }
        self.codec = Some(codec.clone());
        Some(Track {
            id: self.id(),
            timebase: self.timebase(&codec),
            codec,
        })
    }

    /// MP4 counts from 1.
    fn id(&self) -> TrackId {
        TrackId(u16::try_from(self.number.saturating_sub(1)).unwrap_or(u16::MAX))
    }

    /// Sound is counted in samples, whatever the file does.
    fn timebase(&self, codec: &Codec) -> Timebase {
        match codec {
            Codec::Aac(config) => config.sample_rate,
            Codec::Opus(_) => opus::TIMEBASE,
            Codec::MpegAudio(config) => config.sample_rate,
            Codec::Ac3(config) => config.sample_rate,
            Codec::Flac(config) => config.sample_rate,
            _ => self.timescale,
        }
    }

    /// The access unit in a sample, and the track where it has changed with it.
    fn unit(
        &mut self,
        sample: &Sample,
        payload: Bytes,
    ) -> Result<(Option<Track>, Option<AccessUnit>), String> {
        let words = |error: &dyn std::fmt::Display| format!("they cannot be read: {error}");
        let index = usize::try_from(self.entry.saturating_sub(1)).unwrap_or(0);
        let entry = self.entries.get(index).or_else(|| self.entries.first());
        let bare = match entry {
            Some(Entry::InSamples(bare, _)) => Some(*bare),
            Some(Entry::Unknown(reason)) => return Err(reason.clone()),
            _ => None,
        };
        let kind = (bare, self.codec.as_ref());
        let mut changed = None;
        let payload = match kind {
            (Some(Bare::H264), _) | (None, Some(Codec::H264(_))) => {
                let size = self.length_size;
                let payload = nal::with_four_byte_lengths(payload, size).map_err(|e| words(&e))?;
                if let Some(codec) = in_band(&mut self.h264, &payload, bare.is_none()) {
                    changed = self.set(codec);
                }
                payload
            }
            (Some(Bare::H265), _) | (None, Some(Codec::H265(_))) => {
                let size = self.length_size;
                let payload = nal::with_four_byte_lengths(payload, size).map_err(|e| words(&e))?;
                if let Some(codec) = in_band(&mut self.h265, &payload, bare.is_none()) {
                    changed = self.set(codec);
                }
                payload
            }
            (Some(Bare::Av1), _) | (None, Some(Codec::Av1(_))) => {
                let payload = av1::normalise(&payload).map_err(|e| words(&e))?;
                let header = av1::Picture::sequence_header(&payload);
                let config = header.map(av1::Config::from_sequence_header);
                if let (Some(Ok(config)), Some(_)) = (config, bare) {
                    changed = self.set(Codec::Av1(config));
                }
                payload
            }
            (Some(Bare::Vp8), _) => {
                if let Ok(config) = vp8::Config::from_key_frame(&payload) {
                    changed = self.set(Codec::Vp8(config));
                }
                payload
            }
            (Some(Bare::Vp9), _) => {
                if let Ok(config) = vp9::Config::from_key_frame(&payload) {
                    changed = self.set(Codec::Vp9(config));
                }
                payload
            }
            (Some(Bare::MpegAudio), _) => {
                let header = mpeg_audio::Header::parse(&payload).map_err(|e| words(&e))?;
                changed = self.set(Codec::MpegAudio(mpeg_audio::Config::of(&header)));
                payload
            }
            (Some(Bare::Ac3), _) => {
                let config = ac3::Config::of(&payload).map_err(|e| words(&e))?;
                changed = self.set(Codec::Ac3(config));
                payload
            }
            (None, _) => payload,
        };
        let Some(codec) = &self.codec else {
            return Err("they come before what a decoder needs for them".to_owned());
        };
        let seen = codec.look_at(&payload).map_err(|e| words(&e))?;
        let is_picture = codec.kind() == Kind::Video;
        let starts = seen.is_some_and(|seen| seen.start.is_some());
        let timebase = self.timebase(codec);
        let dts = self.dts(sample);
        let pts = sample.time.saturating_add(self.shift);
        let pts = pts.saturating_add(sample.offset.into());
        let unit = AccessUnit {
            track: self.id(),
            dts: self.timescale.rescale_nearest(dts, timebase),
            pts: self.timescale.rescale_nearest(pts, timebase),
            random_access: !is_picture || starts || sample.is_sync && seen.is_some(),
            disposable: seen.is_some_and(|seen| seen.disposable),
            discontinuity: false,
            capture: None,
            payload,
        };
        Ok((changed, Some(unit)))
    }
}

/// Keeps the parameter sets in a unit. The codec as they have it, where they are others and count: those of the
/// sample entry go before what comes in between, unless there are none.
fn in_band<S: InBand>(sets: &mut S, payload: &[u8], has_entry: bool) -> Option<Codec> {
    let mut changed = false;
    for unit in nal::units(payload).map_while(Result::ok) {
        if S::role(unit) == Role::ParameterSet {
            changed |= sets.keep(unit).unwrap_or(false);
        }
    }
    if changed && !has_entry {
        sets.codec()
    } else {
        None
    }
}
