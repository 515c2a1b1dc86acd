//! From the segments of a rendition to tracks and access units, whatever form the segments have: transport streams,
//! fragmented MP4, or sound alone. A presentation may change from one to another.

use super::segments::{self, Segments};
use crate::transport::losses;
use hls::client::Piece;
use hls::packed::{self, Packed};
use hls::samples::SampleKey;
use media::{AccessUnit, Kind, Timebase, Track, TrackId};
use mpegts::Format;
use mpegts::demuxer::{Demuxer as TsDemuxer, Event, ProgramSelection};
use std::time::{Duration, SystemTime};

/// Tracks of one kind have numbers from this on, times the place of the kind.
const KINDS: u16 = 0x100;

/// Tracks of a rendition, of all kinds.
const MAX_TRACKS: usize = 16;

/// Losses that are remembered.
const MAX_LOSSES: usize = 64;

/// What comes out.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// What follows does not go on from what came before.
    Break,
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
    /// What opens the samples of the segment.
    key: Option<SampleKey>,
    /// Streams of the program that are not carried.
    left_out: Vec<&'static str>,
    /// What was lost before the form that is read now.
    losses: Vec<String>,
}

#[derive(Debug)]
enum Form {
    Unknown,
    Ts(Box<TsDemuxer>),
    Mp4(Box<Segments>),
    Packed(Packed),
}

impl Demuxer {
    pub(super) const fn new(is_muted: bool) -> Self {
        Self {
            is_muted,
            form: Form::Unknown,
            tracks: Vec::new(),
            captured: None,
            key: None,
            left_out: Vec::new(),
            losses: Vec::new(),
        }
    }

    /// What of its transport streams is lost so far, in words.
    pub(super) fn losses(&self) -> impl Iterator<Item = String> {
        let demuxer = match &self.form {
            Form::Ts(demuxer) => Some(demuxer),
            _ => None,
        };
        let now = demuxer
            .into_iter()
            .flat_map(|demuxer| losses::counted(demuxer));
        let left_out = losses::left_out(&self.left_out);
        self.losses.iter().cloned().chain(now).chain(left_out)
    }

    /// Something is missing in front of what comes next: what of the last is complete in itself is given. The clock goes on,
    /// and is not unwrapped anew, or it would be another than that of the other rendition.
    pub(super) fn lose(&mut self, give: &mut impl FnMut(Item)) {
        let mut form = std::mem::replace(&mut self.form, Form::Unknown);
        match &mut form {
            Form::Ts(demuxer) => {
                demuxer.flush();
                self.take_ts(demuxer, &mut None, give);
            }
            // Each fragment tells its time; what one that is damaged has left is of no use.
            Form::Mp4(segments) => **segments = Segments::default(),
            Form::Packed(_) | Form::Unknown => {}
        }
        self.form = form;
    }

    /// What comes next does not go on from what came: what of that is complete in itself is given.
    pub(super) fn break_off(&mut self, give: &mut impl FnMut(Item)) {
        if let Form::Ts(mut demuxer) = std::mem::replace(&mut self.form, Form::Unknown) {
            demuxer.flush();
            self.take_ts(&mut demuxer, &mut None, give);
            let room = MAX_LOSSES.saturating_sub(self.losses.len());
            self.losses.extend(losses::counted(&demuxer).take(room));
        }
        *self = Self {
            left_out: std::mem::take(&mut self.left_out),
            losses: std::mem::take(&mut self.losses),
            ..Self::new(self.is_muted)
        };
        give(Item::Break);
    }

    /// Reads a segment.
    ///
    /// # Errors
    /// When it has none of the forms, or nothing in it can be read.
    pub(super) fn push(
        &mut self,
        piece: &Piece,
        give: &mut impl FnMut(Item),
    ) -> Result<(), String> {
        let mut captured = piece.program_date_time;
        self.choose_form(piece, give)?;
        // Samples of MP4 are opened where they are found.
        self.key = piece.samples.filter(|_| !matches!(self.form, Form::Mp4(_)));
        let mut form = std::mem::replace(&mut self.form, Form::Unknown);
        let read = match &mut form {
            Form::Unknown => Ok(()),
            Form::Ts(demuxer) => {
                if piece.part.is_none_or(|part| part == 0) {
                    demuxer.next_segment();
                }
                // One of MP4 holds until another is named, and a playlist cannot say that there is none.
                if let Some(map) = piece.map.as_ref().filter(|map| is_ts(map)) {
                    demuxer.push(map);
                }
                demuxer.push(&piece.bytes);
                // What ends with the segment is opened by its key, not by the next.
                if piece.samples.is_some() {
                    demuxer.flush();
                }
                self.take_ts(demuxer, &mut captured, give);
                Ok(())
            }
            Form::Mp4(segments) => {
                let (map, key) = (piece.map.as_ref(), piece.samples.as_ref());
                segments.push(map, &piece.bytes, key, &mut |event| match event {
                    segments::Event::Track(track) => self.track(track, give),
                    segments::Event::Unit(unit) => self.unit(unit, &mut captured, give),
                })
            }
            Form::Packed(packed) => {
                let read = packed.push(&piece.bytes);
                while let Some(event) = packed.pull() {
                    match event {
                        packed::Event::Track(track) => self.track(track, give),
                        packed::Event::Unit(unit) => self.unit(unit, &mut captured, give),
                    }
                }
                read.map_err(|error| error.to_string())
            }
        };
        self.form = form;
        read
    }

    /// By the first bytes. What goes on in the form that is known keeps what is known.
    fn choose_form(&mut self, piece: &Piece, give: &mut impl FnMut(Item)) -> Result<(), String> {
        let bytes = &piece.bytes[..];
        let is_ts = is_ts(bytes);
        let is_packed = !is_ts && !segments::is_box(bytes) && Packed::is_packed(bytes);
        let is_mp4 = !is_ts && !is_packed && (piece.map.is_some() || segments::is_box(bytes));
        let same = match &self.form {
            Form::Unknown => false,
            Form::Ts(_) => is_ts,
            Form::Mp4(_) => is_mp4,
            Form::Packed(_) => is_packed,
        };
        if same {
            return Ok(());
        }
        let form = if is_ts {
            let demuxer = TsDemuxer::new(ProgramSelection::First);
            Form::Ts(Box::new(demuxer.with_encrypted_samples()))
        } else if is_mp4 {
            Form::Mp4(Box::default())
        } else if is_packed {
            Form::Packed(Packed::default())
        } else {
            return Err("it is no transport stream, no MP4 and no packed audio".to_owned());
        };
        // Clocks of different forms have nothing to do with each other, whether or not the playlist says so.
        if !matches!(self.form, Form::Unknown) {
            self.break_off(give);
        }
        self.form = form;
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
                Event::Program(program) => {
                    let (_, others) = losses::sorted(&program);
                    self.left_out = others.iter().map(Format::name).collect();
                }
                Event::Fault(_) => {}
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
            // Another initialisation section may tell them again.
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
        if let Some(key) = &self.key {
            unit.payload = key.open(&track.codec, unit.payload);
        }
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

fn is_ts(bytes: &[u8]) -> bool {
    bytes.first() == Some(&mpegts::packet::SYNC)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use bytes::Bytes;

    /// A segment of one frame of sound, at that time of 90 kHz.
    pub(in super::super) fn segment(ticks: u64) -> Bytes {
        let mut bytes = b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0\0\x35\0\0".to_vec();
        bytes.extend_from_slice(b"com.apple.streaming.transportStreamTimestamp\0");
        bytes.extend_from_slice(&ticks.to_be_bytes());
        bytes.extend_from_slice(b"\xff\xf1\x4c\x80\x01\x1f\xfc\x21");
        bytes.into()
    }

    fn piece(ticks: u64) -> Piece {
        Piece {
            rendition: 1,
            sequence: 0,
            part: None,
            map: None,
            bytes: segment(ticks),
            samples: None,
            lost: false,
            discontinuity: false,
            duration: Duration::from_secs(4),
            program_date_time: None,
        }
    }

    #[test]
    fn times_go_on_behind_what_is_lost_and_not_behind_a_break() {
        let mut demuxer = Demuxer::new(false);
        let mut found = Vec::new();
        let mut give = |item| {
            found.push(match item {
                Item::Break => None,
                Item::Track(_) => Some(-1),
                Item::Unit(_, dts) => Some(dts / 1_000_000),
            });
        };
        // Their clock begins anew two seconds behind the first.
        let wrap = 1 << 33;
        demuxer.push(&piece(wrap - 180_000), &mut give).unwrap();
        demuxer.lose(&mut give);
        demuxer.push(&piece(540_000), &mut give).unwrap();
        demuxer.break_off(&mut give);
        demuxer.push(&piece(900_000), &mut give).unwrap();
        let first = (wrap as i64 - 180_000) / 90_000;
        let expected = [
            Some(-1),
            Some(first),
            Some(first + 8),
            None,
            Some(-1),
            Some(10),
        ];
        assert_eq!(found, expected);
    }
}
