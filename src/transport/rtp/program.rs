//! A transport stream within RTP packets (RFC 2250 section 2): one section that becomes several tracks.
//!
//! Times are those of the transport stream, which its own clock puts together; RTP's say nothing more.

use super::receiver::Event;
use media::{Kind, Track, TrackId};
use mpegts::Format;
use mpegts::demuxer::{Demuxer, Event as Demuxed};
use rtp::payload::{PayloadError, mp2t};

/// Tracks of a section are numbered from so many times its place plus one: other sections are tracks themselves, and no
/// program has as many streams.
const TRACKS: u16 = 64;

/// The program that is read.
#[derive(Debug)]
pub(super) struct Program {
    demuxer: Demuxer,
    first: u16,
    tracks: Vec<Track>,
    /// It has pictures that can be carried.
    has_pictures: bool,
}

impl Program {
    /// Of the section in this place.
    pub(super) fn new(place: usize) -> Self {
        let place = u16::try_from(place).unwrap_or(u16::MAX);
        Self {
            demuxer: Demuxer::default(),
            first: place.saturating_add(1).saturating_mul(TRACKS),
            tracks: Vec::new(),
            has_pictures: false,
        }
    }

    /// Takes the payload of a packet.
    ///
    /// # Errors
    /// When that is no transport stream.
    pub(super) fn push(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        self.demuxer.push(mp2t::packets(payload)?);
        Ok(())
    }

    /// The next track or access unit.
    pub(super) fn pull(&mut self) -> Option<Event> {
        loop {
            match self.demuxer.pull()? {
                Demuxed::Program(program) => {
                    let mut streams = program.streams.iter();
                    self.has_pictures = streams.any(|stream| {
                        let format = Format::of(&program, stream);
                        !matches!(format, Format::Known { .. } | Format::Unknown)
                            && format.kind() == Some(Kind::Video)
                    });
                }
                Demuxed::Track(mut track) => {
                    track.id = self.numbered(track.id);
                    self.tracks.retain(|known| known.id != track.id);
                    self.tracks.push(track.clone());
                    return Some(Event::Track(track));
                }
                Demuxed::Unit(mut unit) => {
                    unit.track = self.numbered(unit.track);
                    return Some(Event::Unit(unit));
                }
                Demuxed::Fault(fault) => tracing::trace!(%fault, "MPEG-TS over RTP"),
            }
        }
    }

    /// The tracks that are known.
    pub(super) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Whether pictures are to come whose parameters are not known.
    pub(super) fn awaits_pictures(&self) -> bool {
        self.has_pictures && self.tracks.iter().all(|track| track.kind() != Kind::Video)
    }

    /// Access units of which parts were missing.
    pub(super) fn damaged(&self) -> u64 {
        self.demuxer.counts().damaged_units
    }

    const fn numbered(&self, id: TrackId) -> TrackId {
        TrackId(self.first.saturating_add(id.0))
    }
}
