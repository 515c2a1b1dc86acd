//! From access units to transport packets of one program.
//!
//! What comes out of an access unit is a [`Chunk`] of whole packets, made once and shared by all who send it.
//! Delimiters stand in front of all pictures, tables and parameter sets in front of those at which a decoder can
//! start; frames of sound share PES packets of up to 100 ms, as broadcast decoders expect.
//!
//! Read [`Muxer`]. `carrier` is what each codec needs around its access units, `schedule` when clocks and tables are
//! due, `packets` the packets themselves.

mod carrier;
mod config;
mod packets;
mod schedule;
mod tables;
mod track;

pub use config::{Config, MuxError};

use crate::packet::{MAX_PAYLOAD, SIZE};
use crate::pes::Header;
use crate::splice;
use bytes::Bytes;
use carrier::Carrier;
use media::{AccessUnit, Codec, Data, Kind, Track};
use packets::{Field, Pes, Pid, put_clock, put_section};
use schedule::{MAX_WAY, Schedule};
use std::collections::VecDeque;
use tables::Tables;
use track::MuxTrack;

/// Longest header of a PES packet that is written, but for those that are filled up.
const PES_HEADER: usize = 19;

/// Bytes of the fields in the headers of teletext (ETSI EN 300 472 clause 4.2).
const TELETEXT_FIELDS: u8 = 0x24;

/// Longest unit of data: the length of a PES packet has 16 bits.
const MAX_DATA: usize = 65_000;

/// What a chunk is made of, beside tables and clocks.
#[derive(Clone, Copy)]
enum Load<'a> {
    Pes { head: &'a [u8], body: &'a [u8] },
    Section(&'a [u8]),
}

/// Whole packets that belong together: a picture, or some frames of sound, with the tables and clocks that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Packets of 188 bytes.
    pub data: Bytes,
    /// When it is to be sent, on the clock of the stream: ticks of 90 kHz that do not wrap and do not go back but
    /// where the clock begins anew. The clock references in it run as if it were sent evenly until the next chunk.
    pub time: i64,
    /// Access units in it.
    pub units: usize,
    /// A player can begin with it: tables stand in front, and behind them a picture at which a decoder can start, or
    /// sound where there are no pictures.
    pub random_access: bool,
}

/// Makes one program of tracks. Declare the tracks, push units in decoding order within their tracks and roughly so
/// among them, and pull until there is nothing more; what waits inside is bounded by what was pushed.
#[derive(Debug)]
pub struct Muxer {
    config: Config,
    tracks: Vec<MuxTrack>,
    /// PIDs that no track has any longer: who gets one goes on counting.
    left: Vec<Pid>,
    tables: Tables,
    schedule: Schedule,
    chunks: VecDeque<Chunk>,
}

impl Default for Muxer {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Muxer {
    /// Without tracks.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            tracks: Vec::new(),
            left: Vec::new(),
            tables: Tables::new(),
            schedule: Schedule::default(),
            chunks: VecDeque::new(),
        }
    }

    /// Whether tracks of that codec are carried.
    ///
    /// # Errors
    /// Why not.
    pub fn carries(codec: &Codec) -> Result<(), MuxError> {
        Carrier::new(codec).map(|_| ())
    }

    /// These are the tracks from now on. Those that were there keep their PIDs.
    ///
    /// # Errors
    /// When one cannot be carried, or there are too many. The tracks before stay.
    pub fn set_tracks(&mut self, tracks: &[Track]) -> Result<(), MuxError> {
        if tracks.len() > tables::MAX_TRACKS {
            return Err(MuxError::TooMany(tracks.len()));
        }
        let mut set: Vec<MuxTrack> = Vec::with_capacity(tracks.len());
        for track in tracks {
            let carrier = Carrier::new(&track.codec)?;
            let alike = set
                .iter()
                .filter(|before| before.kind == track.kind())
                .count();
            let stream_id = carrier.stream_id(alike as u8);
            let known = self.tracks.iter().find(|known| known.id == track.id);
            let pid = known.map_or_else(|| self.free_pid(&set), |known| known.pid);
            set.push(MuxTrack::new(track, pid, stream_id, carrier));
        }
        let first = |kind| set.iter().position(|track| track.kind == kind);
        let clock = first(Kind::Video).or_else(|| first(Kind::Audio));
        if let Some(track) = set.get_mut(clock.unwrap_or(0)) {
            track.is_clock = true;
        }
        // What waits belongs to the tracks before.
        self.flush();
        for track in &mut set {
            let known = self.tracks.iter().find(|known| known.id == track.id);
            track.pid = known.map_or(track.pid, |known| known.pid);
        }
        self.tables.set(self.config.program, &set)?;
        self.schedule.tables_due();
        for gone in std::mem::replace(&mut self.tracks, set) {
            let goes_on = self.tracks.iter().any(|track| track.id == gone.id);
            if !goes_on {
                self.left.retain(|left| left.number != gone.pid.number);
                self.left.push(gone.pid);
            }
        }
        Ok(())
    }

    /// Takes a unit.
    ///
    /// # Errors
    /// When it cannot be carried; the next one may be.
    pub fn push(&mut self, unit: &AccessUnit) -> Result<(), MuxError> {
        let index = self.tracks.iter().position(|track| track.id == unit.track);
        let unknown = MuxError::UnknownTrack(unit.track);
        let index = index.ok_or(unknown)?;
        let track = self.tracks.get(index).ok_or(unknown)?;
        let (dts, pts, kind) = (track.ticks(unit.dts), track.ticks(unit.pts), track.kind);
        if self.schedule.is_jump(dts) {
            self.flush();
            self.schedule.restart();
        }
        self.schedule.see(dts);
        // Sound that has waited long enough, or cannot wait with what comes, goes before it.
        for index in 0..self.tracks.len() {
            let track = self.tracks.get(index);
            if track.is_some_and(|track| track.is_due(dts) || track.is_full(unit, pts)) {
                self.give_batch(index);
            }
        }
        let track = self.tracks.get_mut(index).ok_or(unknown)?;
        match kind {
            Kind::Video => return self.give_picture(index, unit, dts, pts),
            Kind::Data => return self.give_data(index, unit, dts, pts),
            Kind::Audio => {}
        }
        if track.put(pts, &unit.payload)? {
            self.give_batch(index);
        } else if self.schedule.is_stalled(dts) && !self.is_clock(index) {
            // The pictures bring no clock, and the sound waits for its batch.
            let nothing = Load::Pes {
                head: &[],
                body: &[],
            };
            self.give(index, (dts, 0, false), nothing);
        }
        Ok(())
    }

    /// The next chunk.
    pub fn pull(&mut self) -> Option<Chunk> {
        self.chunks.pop_front()
    }

    /// Gives the frames of sound that wait for others.
    pub fn flush(&mut self) {
        for index in 0..self.tracks.len() {
            self.give_batch(index);
        }
    }

    fn give_picture(
        &mut self,
        index: usize,
        unit: &AccessUnit,
        dts: i64,
        pts: i64,
    ) -> Result<(), MuxError> {
        let unknown = MuxError::UnknownTrack(unit.track);
        let track = self.tracks.get(index).ok_or(unknown)?;
        let (prefix, skipped) = track.carrier.picture(unit)?;
        let body = unit.payload.get(skipped..).unwrap_or_default();
        let mut head = Vec::with_capacity(PES_HEADER + prefix.len());
        let length = prefix.len().saturating_add(body.len());
        self.put_header(&mut head, track.stream_id, length, pts, dts);
        head.extend_from_slice(prefix);
        let load = Load::Pes { head: &head, body };
        self.give(index, (dts, 1, unit.random_access), load);
        Ok(())
    }

    fn give_data(
        &mut self,
        index: usize,
        unit: &AccessUnit,
        dts: i64,
        pts: i64,
    ) -> Result<(), MuxError> {
        let unknown = MuxError::UnknownTrack(unit.track);
        let track = self.tracks.get(index).ok_or(unknown)?;
        let ready = (dts, 1, true);
        if matches!(track.carrier, Carrier::Data(Data::Scte35)) {
            let time = pts.saturating_add(self.config.delay_ticks());
            let section = splice::later(&unit.payload, time).ok_or(MuxError::Splice)?;
            self.give(index, ready, Load::Section(&section));
            return Ok(());
        }
        let body = &unit.payload;
        if body.len() > MAX_DATA {
            return Err(MuxError::Frame(body.len()));
        }
        let mut head = Vec::with_capacity(PES_HEADER);
        self.put_header(&mut head, track.stream_id, body.len(), pts, pts);
        if matches!(track.carrier, Carrier::Data(Data::Teletext(_))) {
            Header::stuff(&mut head, TELETEXT_FIELDS);
        }
        self.give(index, ready, Load::Pes { head: &head, body });
        Ok(())
    }

    fn give_batch(&mut self, index: usize) {
        let Some(track) = self.tracks.get_mut(index) else {
            return;
        };
        let Some(batch) = track.take_batch() else {
            return;
        };
        let stream_id = track.stream_id;
        let mut head = Vec::with_capacity(PES_HEADER);
        self.put_header(&mut head, stream_id, batch.data.len(), batch.pts, batch.pts);
        let load = Load::Pes {
            head: &head,
            body: &batch.data,
        };
        self.give(index, (batch.last, batch.frames, true), load);
    }

    fn put_header(&self, out: &mut Vec<u8>, stream_id: u8, length: usize, pts: i64, dts: i64) {
        let delayed = |ticks: i64| ticks.saturating_add(self.config.delay_ticks());
        Header::write(out, stream_id, length, delayed(pts), delayed(dts));
    }

    /// Makes a chunk of so many units that is ready at `time`.
    fn give(
        &mut self,
        index: usize,
        (time, units, random_access): (i64, usize, bool),
        load: Load<'_>,
    ) {
        let (head, body, section) = match load {
            Load::Pes { head, body } => (head, body, None),
            Load::Section(section) => (&[][..], &[][..], Some(section)),
        };
        let Some(clock_index) = self.tracks.iter().position(|track| track.is_clock) else {
            return;
        };
        let Some(track) = self.tracks.get(index) else {
            return;
        };
        // A section has no room for a clock.
        let (is_clock, kind) = (track.is_clock && section.is_none(), track.kind);
        let random_access = random_access && is_clock;
        let begins = random_access && kind == Kind::Video;
        let plan = self.schedule.plan(time, is_clock, begins);
        let clock = Field {
            discontinuity: plan.discontinuity,
            random_access: false,
            clock: plan.clock,
        };
        let field = match is_clock {
            true => Field {
                random_access,
                ..clock
            },
            false => Field::default(),
        };
        let mut pes = Pes::new(head, body, kind == Kind::Video, field);
        let (packets, clocks) = (pes.packets(), plan.more.len());
        let tables = self.tables.packets();
        let alone = clocks + usize::from(!is_clock && plan.clock.is_some());
        let described = plan.more.iter().filter(|(_, tables)| *tables).count();
        let described = tables * (described + usize::from(plan.tables));
        let packets_of_section =
            section.map_or(0, |section| (section.len() + 1).div_ceil(MAX_PAYLOAD));
        let mut out = Vec::with_capacity((packets + packets_of_section + alone + described) * SIZE);
        if plan.tables {
            self.tables.put(&mut out);
        }
        let mut pid_of = |index: usize, write: &mut dyn FnMut(&mut Pid)| {
            if let Some(track) = self.tracks.get_mut(index) {
                write(&mut track.pid);
            }
        };
        if !is_clock && clock.clock.is_some() {
            pid_of(clock_index, &mut |pid| put_clock(pid, clock, &mut out));
        }
        let mut written = 0;
        // Those behind stand alone.
        let between = plan
            .more
            .iter()
            .filter(|(time, _)| time.saturating_sub(plan.time) < MAX_WAY);
        let between = between.count();
        for (number, (time, with_tables)) in plan.more.iter().enumerate() {
            // Never before the first packet, which has the clock of the beginning.
            let until = (packets * (number + 1)).div_ceil(between + 1);
            pid_of(index, &mut |pid| {
                while written < until && pes.next(pid, &mut out) {
                    written += 1;
                }
            });
            if *with_tables {
                self.tables.put(&mut out);
            }
            let clock = Field {
                clock: Some(*time),
                ..Field::default()
            };
            pid_of(clock_index, &mut |pid| put_clock(pid, clock, &mut out));
        }
        pid_of(index, &mut |pid| while pes.next(pid, &mut out) {});
        if let Some(section) = section {
            pid_of(index, &mut |pid| put_section(pid, section, &mut out));
        }
        // A clock that was due has been given by another.
        if out.is_empty() {
            return;
        }
        self.chunks.push_back(Chunk {
            data: out.into(),
            time: plan.time,
            units,
            random_access: random_access && plan.tables,
        });
    }

    fn is_clock(&self, index: usize) -> bool {
        self.tracks.get(index).is_some_and(|track| track.is_clock)
    }

    /// A PID that no track has.
    fn free_pid(&self, others: &[MuxTrack]) -> Pid {
        let used = |pid: u16| {
            let mut tracks = self.tracks.iter().chain(others);
            tracks.any(|track| track.pid.number == pid)
        };
        let mut pids = tables::FIRST_PID..;
        let number = pids.find(|pid| !used(*pid)).unwrap_or(tables::FIRST_PID);
        let left = self.left.iter().find(|left| left.number == number);
        left.copied().unwrap_or_else(|| Pid::new(number))
    }
}

#[cfg(test)]
mod tests;
