//! From the segments of a rendition to tracks and access units, whatever form the segments have: transport streams, or
//! sound alone. A presentation may change from one to another.

use hls::client::Piece;
use hls::packed::{self, Packed};
use media::{AccessUnit, Kind, Timebase, Track, TrackId};
use mpegts::demuxer::{Demuxer as TsDemuxer, Event, ProgramSelection};
use std::time::{Duration, SystemTime};

/// Tracks of one kind have numbers from this on, times the place of the kind.
const KINDS: u16 = 0x100;

/// Tracks of a rendition, of all kinds.
const MAX_TRACKS: usize = 16;

/// What comes out.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A track, or another configuration of it.
    Track(Track),
    /// An access unit, with its decoding time in microseconds.
    Unit(AccessUnit, i64),
}

/// Reads the segments of one rendition.
#[derive(Debug)]
pub(super) struct Demuxer {
    /// Its sound is not used.
    is_muted: bool,
    form: Form,
    /// The number that the form gives a track, and the track as it goes on.
    tracks: Vec<(TrackId, Track)>,
    /// A time of capture, and the presentation time that it belongs to, in microseconds.
    captured: Option<(SystemTime, i64)>,
}

#[derive(Debug)]
enum Form {
    Unknown,
    Ts(Box<TsDemuxer>),
    Packed(Packed),
}

impl Demuxer {
    pub(super) const fn new(is_muted: bool) -> Self {
        Self {
            is_muted,
            form: Form::Unknown,
            tracks: Vec::new(),
            captured: None,
        }
    }

    /// What follows does not go on.
    pub(super) fn reset(&mut self) {
        let is_muted = self.is_muted;
        *self = Self::new(is_muted);
    }

    /// Reads a segment.
    ///
    /// # Errors
    /// When it has none of the forms.
    pub(super) fn push(
        &mut self,
        piece: &Piece,
        give: &mut impl FnMut(Item),
    ) -> Result<(), String> {
        let mut captured = piece.program_date_time;
        self.choose_form(piece, give)?;
        match std::mem::replace(&mut self.form, Form::Unknown) {
            Form::Unknown => {}
            Form::Ts(mut demuxer) => {
                if let Some(map) = &piece.map {
                    demuxer.push(map);
                }
                demuxer.push(&piece.bytes);
                self.take_ts(&mut demuxer, &mut captured, give);
                self.form = Form::Ts(demuxer);
            }
            Form::Packed(mut packed) => {
                let read = packed.push(&piece.bytes);
                while let Some(event) = packed.pull() {
                    match event {
                        packed::Event::Track(track) => self.track(track, give),
                        packed::Event::Unit(unit) => self.unit(unit, &mut captured, give),
                    }
                }
                self.form = Form::Packed(packed);
                return read.map_err(|error| error.to_string());
            }
        }
        Ok(())
    }

    /// Nothing more will come of what came: what is complete in itself is given.
    pub(super) fn flush(&mut self, give: &mut impl FnMut(Item)) {
        if let Form::Ts(mut demuxer) = std::mem::replace(&mut self.form, Form::Unknown) {
            demuxer.flush();
            self.take_ts(&mut demuxer, &mut None, give);
        }
    }

    /// By the first bytes. What goes on in the form that is known keeps what is known.
    fn choose_form(&mut self, piece: &Piece, give: &mut impl FnMut(Item)) -> Result<(), String> {
        let bytes = &piece.bytes[..];
        let is_ts = bytes.first() == Some(&mpegts::packet::SYNC);
        let is_mp4 = !is_ts && (piece.map.is_some() || is_box(bytes));
        let is_packed = !is_ts && !is_mp4 && Packed::is_packed(bytes);
        let same = match &self.form {
            Form::Unknown => false,
            Form::Ts(_) => is_ts,
            Form::Packed(_) => is_packed,
        };
        if same {
            return Ok(());
        }
        self.flush(give);
        self.reset();
        self.form = if is_ts {
            Form::Ts(Box::new(TsDemuxer::new(ProgramSelection::First)))
        } else if is_mp4 {
            return Err("segments of MP4 are not read".to_owned());
        } else if is_packed {
            Form::Packed(Packed::default())
        } else {
            return Err("it is no transport stream, no MP4 and no packed audio".to_owned());
        };
        Ok(())
    }

    fn take_ts(
        &mut self,
        demuxer: &mut TsDemuxer,
        captured: &mut Option<SystemTime>,
        give: &mut impl FnMut(Item),
    ) {
        while let Some(event) = demuxer.pull() {
            match event {
                Event::Track(track) => self.track(track, give),
                Event::Unit(unit) => self.unit(unit, captured, give),
                Event::Program(_) | Event::Fault(_) => {}
            }
        }
    }

    fn track(&mut self, track: Track, give: &mut impl FnMut(Item)) {
        if self.is_muted && track.kind() == Kind::Audio {
            return;
        }
        let known = self.tracks.iter_mut().find(|(own, _)| *own == track.id);
        let id = match &known {
            Some((_, known)) if known.kind() == track.kind() => known.id,
            _ => {
                let of_kind = |(_, known): &&(TrackId, Track)| known.kind() == track.kind();
                let count = self.tracks.iter().filter(of_kind).count() as u16;
                let place = match track.kind() {
                    Kind::Video => 0,
                    Kind::Audio => 1,
                    Kind::Data => 2,
                };
                TrackId(place * KINDS + count)
            }
        };
        let own = track.id;
        let track = Track { id, ..track };
        let has_room = self.tracks.len() < MAX_TRACKS;
        match self.tracks.iter_mut().find(|(known, _)| *known == own) {
            // Each segment of MP4 tells them again.
            Some((_, known)) if *known == track => return,
            Some((_, known)) => known.clone_from(&track),
            None if has_room => self.tracks.push((own, track.clone())),
            None => return,
        }
        give(Item::Track(track));
    }

    fn unit(
        &mut self,
        mut unit: AccessUnit,
        captured: &mut Option<SystemTime>,
        give: &mut impl FnMut(Item),
    ) {
        let Some((_, track)) = self.tracks.iter().find(|(own, _)| *own == unit.track) else {
            return;
        };
        let micros = |ticks| track.timebase.rescale(ticks, Timebase::MICROS);
        let (dts, pts) = (micros(unit.dts), micros(unit.pts));
        if let Some(time) = captured.take() {
            self.captured = Some((time, pts));
        }
        unit.track = track.id;
        unit.capture = unit.capture.or_else(|| {
            let (time, of) = self.captured?;
            let since = Duration::from_micros(pts.abs_diff(of));
            if pts >= of {
                time.checked_add(since)
            } else {
                time.checked_sub(since)
            }
        });
        give(Item::Unit(unit, dts));
    }
}

/// Whether a box of ISO/IEC 14496-12 begins here that segments begin with.
fn is_box(bytes: &[u8]) -> bool {
    const KINDS: [&[u8; 4]; 7] = [
        b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"emsg", b"prft",
    ];
    bytes
        .get(4..8)
        .is_some_and(|kind| KINDS.iter().any(|known| known[..] == *kind))
}
