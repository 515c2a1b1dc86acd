//! What the `moov` box says: the tracks with their clocks, edits and tables (ISO/IEC 14496-12 clauses 8.2 to 8.6).

use super::Fault;
use crate::boxes;
use bytes::{Buf, Bytes};
use std::time::Duration;

/// Most tracks of a file.
const MAX_TRACKS: usize = 64;

/// What there is of a track.
#[derive(Debug)]
pub(super) struct TrackBox {
    pub(super) number: u32,
    /// Ticks in a second; 0 when the file does not say.
    pub(super) timescale: u32,
    pub(super) handler: [u8; 4],
    /// Body of the `stbl` box.
    pub(super) tables: Bytes,
    /// Ticks of the movie in which nothing is shown before the first sample.
    pub(super) delay: u64,
    /// Ticks of the track where it is shown from.
    pub(super) media_time: i64,
    /// It is shown in more than one piece.
    pub(super) is_edited: bool,
    pub(super) defaults: Defaults,
}

/// What fragments of the track do not say themselves (`trex`, clause 8.8.3).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Defaults {
    pub(super) entry: u32,
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

#[derive(Debug)]
pub(super) struct Movie {
    /// Ticks in a second.
    pub(super) timescale: u32,
    duration: u64,
    pub(super) tracks: Vec<TrackBox>,
}

impl Movie {
    /// Reads a whole `moov` box.
    pub(super) fn parse(bytes: &Bytes) -> (Self, Vec<Fault>) {
        let mut movie = Self {
            timescale: 1_000,
            duration: 0,
            tracks: Vec::new(),
        };
        let mut faults = Vec::new();
        let mut defaults = Vec::new();
        let body = children(bytes).next().map(|(_, body)| body);
        for (kind, body) in body.iter().flat_map(children) {
            match &kind {
                b"mvhd" => {
                    if let Some((timescale, duration)) = clock(&body) {
                        movie.timescale = timescale.max(1);
                        movie.duration = duration;
                    }
                }
                b"trak" if movie.tracks.len() >= MAX_TRACKS => faults.push(Fault::Track {
                    track: u32::try_from(movie.tracks.len()).unwrap_or(u32::MAX),
                    reason: format!("there are more than {MAX_TRACKS}"),
                }),
                b"trak" => movie.tracks.push(TrackBox::parse(&body)),
                b"mvex" => {
                    for (kind, body) in children(&body) {
                        match &kind {
                            b"trex" => defaults.extend(trex(&body)),
                            b"mehd" if movie.duration == 0 => {
                                movie.duration = wide(&mut body.clone()).unwrap_or(0);
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        for track in &mut movie.tracks {
            let known = defaults.iter().find(|(number, _)| *number == track.number);
            track.defaults = known.map(|(_, defaults)| *defaults).unwrap_or_default();
        }
        (movie, faults)
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        let nanos = u128::from(self.duration) * 1_000_000_000 / u128::from(self.timescale);
        let nanos = u64::try_from(nanos).ok()?;
        // All ones say that it is not known.
        let known = self.duration > 0 && self.duration < u64::from(u32::MAX);
        known.then(|| Duration::from_nanos(nanos))
    }
}

impl TrackBox {
    fn parse(trak: &Bytes) -> Self {
        let mut track = Self {
            number: 0,
            timescale: 0,
            handler: [0; 4],
            tables: Bytes::new(),
            delay: 0,
            media_time: 0,
            is_edited: false,
            defaults: Defaults::default(),
        };
        for (kind, body) in children(trak) {
            match &kind {
                b"tkhd" => track.number = clock(&body).map_or(0, |(number, _)| number),
                b"edts" => {
                    for (_, body) in children(&body).filter(|(kind, _)| kind == b"elst") {
                        track.edit(body);
                    }
                }
                b"mdia" => {
                    for (kind, body) in children(&body) {
                        match &kind {
                            b"mdhd" => track.timescale = clock(&body).map_or(0, |(scale, _)| scale),
                            b"hdlr" => {
                                let handler = body.get(8..).and_then(|rest| rest.first_chunk());
                                track.handler = handler.copied().unwrap_or_default();
                            }
                            b"minf" => {
                                let tables = children(&body).find(|(kind, _)| kind == b"stbl");
                                track.tables = tables.map(|(_, body)| body).unwrap_or_default();
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        track
    }

    /// Reads an edit list (clause 8.6.6): what is empty, then the first piece. Others move nothing.
    fn edit(&mut self, mut list: Bytes) {
        let Ok(version) = list.try_get_u32() else {
            return;
        };
        let count = list.try_get_u32().unwrap_or(0);
        let mut pieces = 0u32;
        // The entries have to be there, whatever their count.
        for _ in 0..count {
            let entry = if version >> 24 == 0 {
                let duration = list.try_get_u32().map(u64::from);
                duration.and_then(|duration| Ok((duration, i64::from(list.try_get_i32()?))))
            } else {
                let duration = list.try_get_u64();
                duration.and_then(|duration| Ok((duration, list.try_get_i64()?)))
            };
            let (Ok((duration, media_time)), Ok(_rate)) = (entry, list.try_get_u32()) else {
                break;
            };
            if media_time >= 0 {
                if pieces == 0 {
                    self.media_time = media_time;
                }
                pieces = pieces.saturating_add(1);
            } else if pieces == 0 {
                self.delay = self.delay.saturating_add(duration);
            }
        }
        self.is_edited = pieces > 1;
    }
}

/// The boxes in `bytes` up to the first that is not whole: what stands behind may be padding.
pub(super) fn children(bytes: &Bytes) -> impl Iterator<Item = ([u8; 4], Bytes)> + use<> {
    boxes::children(bytes).map_while(Result::ok)
}

/// The timescale (or number of a track) and the duration of `mvhd`, `tkhd` and `mdhd`.
fn clock(body: &Bytes) -> Option<(u32, u64)> {
    let mut rest = body.clone();
    let is_long = rest.try_get_u32().ok()? >> 24 != 0;
    let dates = if is_long { 16 } else { 8 };
    if rest.len() < dates {
        return None;
    }
    rest.advance(dates);
    let number = rest.try_get_u32().ok()?;
    let duration = match is_long {
        true => rest.try_get_u64().unwrap_or(0),
        false => rest.try_get_u32().map_or(0, u64::from),
    };
    Some((number, duration))
}

/// A value of 32 bits in version 0, of 64 bits in version 1.
pub(super) fn wide(body: &mut Bytes) -> Option<u64> {
    let version = body.try_get_u32().ok()? >> 24;
    match version {
        0 => body.try_get_u32().ok().map(u64::from),
        _ => body.try_get_u64().ok(),
    }
}

fn trex(body: &Bytes) -> Option<(u32, Defaults)> {
    let mut rest = body.clone();
    let mut next = || rest.try_get_u32().ok();
    let (_version, number) = (next()?, next()?);
    let defaults = Defaults {
        entry: next()?,
        duration: next()?,
        size: next()?,
        flags: next()?,
    };
    Some((number, defaults))
}
