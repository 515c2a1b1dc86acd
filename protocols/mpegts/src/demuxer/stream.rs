//! A stream of the program that is read: from its packets to its track.

use super::{Counts, Event};
use crate::Format;
use crate::elementary::{Elementary, Mark, Output};
use crate::packet::Packet;
use crate::pes::{Header, Part, PesError, Reader};
use crate::psi::{Pmt, Stream};
use crate::time::{Clock, Times};
use media::{Kind, Timebase, Track, TrackId};
use std::collections::VecDeque;

/// Most streams of a program that are read.
const MAX_STREAMS: usize = 32;

/// A stream that is read.
#[derive(Debug)]
pub(super) struct ProgramStream {
    pub(super) pid: u16,
    pub(super) format: Format,
    pub(super) track: TrackId,
    /// The clock began anew, and the next unit has to say so.
    pub(super) discontinuity: bool,
    /// The track has been told of, if the description of the program says all there is.
    is_announced: bool,
    reader: Reader,
    elementary: Elementary,
}

impl ProgramStream {
    pub(super) fn push(
        &mut self,
        position: u64,
        packet: &Packet<'_>,
        payload: &[u8],
        (clock, events, counts): (&mut Clock, &mut VecDeque<Event>, &mut Counts),
    ) {
        let mut out = Output {
            events,
            counts,
            track: self.track,
            pid: self.pid,
            position,
            discontinuity: &mut self.discontinuity,
        };
        let elementary = &mut self.elementary;
        if let Elementary::Splices(splices) = elementary {
            return splices.push(packet.unit_start, payload, clock.now(), &mut out);
        }
        let random_access = packet.adaptation.random_access;
        let read = self
            .reader
            .push(packet.unit_start, payload, |part| match part {
                Part::Begin(header) => {
                    let mut mark = mark(&header, clock, random_access);
                    if let (Elementary::Data(_), None) = (&elementary, mark.times) {
                        // Some data is for whenever it comes.
                        mark.times = clock.now().map(|now| Times { dts: now, pts: now });
                    }
                    elementary.begin(mark);
                }
                Part::Data(data) => elementary.data(data, &mut out),
                Part::End => elementary.end(&mut out),
            });
        if let Err(error) = read {
            out.counts.malformed_pes += 1;
            out.fault(error);
            // Of one that is short, what came has been given.
            if !matches!(error, PesError::Short(_)) {
                elementary.lost(&mut out);
            }
        }
    }

    /// The track, once, where nothing more has to come for it.
    pub(super) fn announce(&mut self) -> Option<Track> {
        let is_new = !std::mem::replace(&mut self.is_announced, true);
        let codec = self.elementary.described().filter(|_| is_new)?;
        Some(Track {
            id: self.track,
            codec,
            timebase: Timebase::VIDEO,
        })
    }

    /// Packets are missing.
    pub(super) fn lost(&mut self, position: u64, out: (&mut VecDeque<Event>, &mut Counts)) {
        self.reader.lost();
        let (elementary, mut out) = self.output(position, out);
        elementary.lost(&mut out);
    }

    /// Nothing more will come.
    pub(super) fn finish(&mut self, position: u64, out: (&mut VecDeque<Event>, &mut Counts)) {
        let (elementary, mut out) = self.output(position, out);
        elementary.finish(&mut out);
    }

    fn output<'a>(
        &'a mut self,
        position: u64,
        (events, counts): (&'a mut VecDeque<Event>, &'a mut Counts),
    ) -> (&'a mut Elementary, Output<'a>) {
        let output = Output {
            events,
            counts,
            track: self.track,
            pid: self.pid,
            position,
            discontinuity: &mut self.discontinuity,
        };
        (&mut self.elementary, output)
    }
}

fn mark(header: &Header, clock: &mut Clock, random_access: bool) -> Mark {
    Mark {
        times: header.pts.map(|pts| clock.unwrap(pts, header.dts)),
        random_access,
    }
}

/// Makes the streams those of a description. Those that are there as
/// before go on; one that comes in place of another of its kind takes over its track. Gives those that are gone.
pub(super) fn update(streams: &mut Vec<ProgramStream>, pmt: &Pmt) -> Vec<ProgramStream> {
    let mut before = std::mem::take(streams);
    let described = pmt
        .streams
        .iter()
        .map(|stream| (stream, Format::of(pmt, stream)));
    let mut described: Vec<(&Stream, Format)> = described.take(MAX_STREAMS).collect();
    described.retain(|(_, format)| !matches!(format, Format::Known { .. } | Format::Unknown));
    // First those that stay, so that nobody takes their numbers.
    let mut staying: Vec<Option<ProgramStream>> = described
        .iter()
        .map(|(known, format)| {
            let mut places = before.iter();
            let place =
                places.position(|stream| (stream.pid, stream.format) == (known.pid, *format))?;
            Some(before.swap_remove(place))
        })
        .collect();
    before.sort_by_key(|stream| stream.track);
    let mut gone = Vec::new();
    let mut taken: Vec<TrackId> = staying
        .iter()
        .flatten()
        .map(|stream| stream.track)
        .collect();
    // Then those that take over a number, before others get what is left.
    let mut numbers = vec![None; described.len()];
    for (((_, format), place), number) in described.iter().zip(&staying).zip(&mut numbers) {
        if place.is_some() {
            continue;
        }
        let mut old = before.iter();
        let replaced = old.position(|stream| match format.kind() {
            // Other data is not the same track in another form.
            Some(Kind::Data) => stream.format == *format,
            kind => stream.format.kind() == kind,
        });
        if let Some(replaced) = replaced {
            let replaced = before.remove(replaced);
            *number = Some(replaced.track);
            taken.push(replaced.track);
            gone.push(replaced);
        }
    }
    for (((new, format), place), number) in described.into_iter().zip(&mut staying).zip(numbers) {
        if place.is_some() {
            continue;
        }
        let Some(elementary) = Elementary::new(format, &new.descriptors) else {
            continue;
        };
        let track = number.unwrap_or_else(|| {
            let number = free(&taken);
            taken.push(number);
            number
        });
        *place = Some(ProgramStream {
            pid: new.pid,
            format,
            track,
            discontinuity: false,
            is_announced: false,
            reader: elementary.reader(),
            elementary,
        });
    }
    streams.extend(staying.into_iter().flatten());
    gone.append(&mut before);
    gone
}

/// The lowest number that no track has.
fn free(taken: &[TrackId]) -> TrackId {
    let mut numbers = (0..=u16::MAX).map(TrackId);
    numbers
        .find(|number| !taken.contains(number))
        .unwrap_or(TrackId(u16::MAX))
}
