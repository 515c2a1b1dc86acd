//! From the bytes of a transport stream to the tracks and access units of one program.
//!
//! Clocks are not repaired here: times are those of the PES packets, unwrapped. Pictures are on
//! [`Timebase::VIDEO`](media::Timebase::VIDEO), sound on its sample rate, which gives frames that follow one in
//! their PES packet exact times; all count from the same zero. Read [`Demuxer`] and [`Event`].

mod counts;
mod pid;
mod program;
mod selection;
mod stream;

pub use counts::Counts;
pub use selection::ProgramSelection;

use crate::aligner::{Aligner, AlignerCounts};
use crate::packet::{NULL_PID, Packet, PacketError, SIZE};
use crate::psi::{PAT_PID, Pat, Pmt, SectionError, Stream};
use crate::time::Clock;
use crate::{Error, Fault};
use media::{AccessUnit, Track};
use pid::{Pids, Route};
use program::Listed;
use std::collections::VecDeque;
use stream::ProgramStream;

/// What comes out of a [`Demuxer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The program that is read is described, or described anew: what it is made of, with what is not carried on.
    /// Tracks are numbered in the order of its streams. One that comes in place of another of its kind takes
    /// over its number.
    Program(Pmt),
    /// A track is known now, or its configuration is another from here on.
    Track(Track),
    /// One access unit of a track that was announced before.
    Unit(AccessUnit),
    /// Something was wrong here.
    Fault(Fault),
}

/// Takes a transport stream apart. Push bytes, cut anywhere, then pull until there is nothing more; what waits
/// inside is bounded by what was pushed.
///
/// One program is read: that of a number, or the first with pictures, or with anything, if none has pictures.
#[derive(Debug)]
pub struct Demuxer {
    aligner: Aligner,
    reader: Reader,
}

/// All but the aligner, which lends its packets to it.
#[derive(Debug)]
struct Reader {
    selection: ProgramSelection,
    pids: Pids,
    /// The programs of the stream, with their descriptions as far as they have come.
    programs: Vec<Listed>,
    /// The version of the list, and which of its sections have come.
    list: Option<Pat>,
    /// The number of the program that is read.
    chosen: Option<u16>,
    /// Its description when its streams were last set up.
    read_as: Option<Pmt>,
    streams: Vec<ProgramStream>,
    /// Streams whose samples are encrypted are read as what they are.
    with_encrypted: bool,
    clock_pid: Option<u16>,
    clock: Clock,
    /// Where the packet stands that is read.
    position: u64,
    events: VecDeque<Event>,
    counts: Counts,
}

impl Default for Demuxer {
    fn default() -> Self {
        Self::new(ProgramSelection::default())
    }
}

impl Demuxer {
    /// For the program that is chosen.
    pub fn new(selection: ProgramSelection) -> Self {
        Self {
            aligner: Aligner::default(),
            reader: Reader {
                selection,
                pids: Pids::new(),
                programs: Vec::new(),
                list: None,
                chosen: None,
                read_as: None,
                streams: Vec::new(),
                with_encrypted: false,
                clock_pid: None,
                clock: Clock::default(),
                position: 0,
                events: VecDeque::new(),
                counts: Counts::default(),
            },
        }
    }

    /// Streams whose samples are encrypted, as HLS has it, are read as what they are: who reads them has the key.
    #[must_use]
    pub const fn with_encrypted_samples(mut self) -> Self {
        self.reader.with_encrypted = true;
        self
    }

    /// What is pushed next begins a file of its own that goes on with the stream. Makers of such files count packets on
    /// from file to file, or anew in each; a packet in which something begins is not missed either way.
    pub fn next_segment(&mut self) {
        self.reader.pids.begin_anew();
    }

    /// Takes a piece of the stream. What is wrong in it is an [`Event::Fault`], and is counted.
    pub fn push(&mut self, data: &[u8]) {
        let Self { aligner, reader } = self;
        aligner.push(data, |position, bytes| reader.packet(position, bytes));
    }

    /// The next event.
    pub fn pull(&mut self) -> Option<Event> {
        self.reader.events.pop_front()
    }

    /// Nothing more will come: what is complete in itself is given.
    pub fn flush(&mut self) {
        let Self { aligner, reader } = self;
        aligner.flush(|position, bytes| reader.packet(position, bytes));
        reader.finish();
    }

    /// What happened so far.
    pub const fn counts(&self) -> Counts {
        self.reader.counts
    }

    /// What happened so far where packets are found.
    pub const fn aligner_counts(&self) -> AlignerCounts {
        self.aligner.counts()
    }

    /// The distance between the beginnings of packets in bytes: 188, 192 or 204; none while they are not found.
    pub const fn stride(&self) -> Option<usize> {
        self.aligner.stride()
    }

    /// The programs of the stream in their order, each with its description, if that has come.
    pub fn programs(&self) -> impl Iterator<Item = (u16, Option<&Pmt>)> {
        let listed = self.reader.programs.iter();
        listed.map(|listed| (listed.program.number, listed.pmt.as_ref()))
    }
}

impl Reader {
    fn packet(&mut self, position: u64, bytes: &[u8; SIZE]) {
        self.counts.packets += 1;
        self.position = position;
        let packet = match Packet::parse(bytes) {
            Ok(packet) => packet,
            Err(error) => {
                match error {
                    PacketError::Damaged => self.counts.transport_errors += 1,
                    _ => self.counts.malformed_packets += 1,
                }
                let pid = u16::from_be_bytes([bytes[1] & 0x1f, bytes[2]]);
                self.fault(pid, error);
                return;
            }
        };
        if packet.pid == NULL_PID {
            return;
        }
        if self.clock_pid == Some(packet.pid) && packet.adaptation.discontinuity {
            for stream in &mut self.streams {
                stream.discontinuity = true;
            }
        }
        let Some((route, continuity)) = self.pids.get(packet.pid) else {
            return;
        };
        let seen = continuity.see(&packet);
        if packet.scrambled && packet.payload.is_some() {
            self.counts.scrambled_packets += 1;
            return;
        }
        match seen {
            pid::Seen::Next => {}
            pid::Seen::Duplicate => {
                self.counts.duplicates += 1;
                return;
            }
            pid::Seen::Lost { expected } => {
                self.counts.continuity_errors += 1;
                let found = packet.continuity;
                self.fault(packet.pid, Error::Continuity { expected, found });
                self.lost(route);
            }
        }
        let Some(payload) = packet.payload else {
            return;
        };
        match route {
            Route::List => self.sections(&packet, payload, None),
            Route::Program(index) => self.sections(&packet, payload, Some(index)),
            Route::Stream(index) => {
                let parts = (&mut self.clock, &mut self.events, &mut self.counts);
                if let Some(stream) = self.streams.get_mut(index) {
                    stream.push(position, &packet, payload, parts);
                }
            }
        }
    }

    fn fault(&mut self, pid: u16, error: impl Into<Error>) {
        self.events.push_back(Event::Fault(Fault {
            position: self.position,
            pid,
            error: error.into(),
        }));
    }

    /// Packets of a PID are missing.
    fn lost(&mut self, route: Route) {
        match route {
            Route::List => self.pids.list.lost(),
            Route::Program(index) => {
                if let Some(listed) = self.programs.get_mut(index) {
                    listed.sections.lost();
                }
            }
            Route::Stream(index) => {
                if let Some(stream) = self.streams.get_mut(index) {
                    stream.lost(self.position, (&mut self.events, &mut self.counts));
                }
            }
        }
    }

    /// Reads the sections of the list of programs, or of the description of one.
    fn sections(&mut self, packet: &Packet<'_>, payload: &[u8], program: Option<usize>) {
        let sections = match program {
            None => &mut self.pids.list,
            Some(index) => match self.programs.get_mut(index) {
                Some(listed) => &mut listed.sections,
                None => return,
            },
        };
        let mut found = Vec::new();
        let mut read = sections.push(packet.unit_start, payload, |section| {
            found.push(section.to_vec());
        });
        for section in found {
            let one = match program {
                None => self.list(&section),
                Some(index) => self.description(index, &section),
            };
            read = read.and(one);
        }
        if let Err(error) = read {
            self.counts.malformed_sections += 1;
            self.fault(packet.pid, error);
        }
    }

    /// A section of the list of programs.
    fn list(&mut self, section: &[u8]) -> Result<(), SectionError> {
        let pat = Pat::parse(section)?;
        if !pat.current || self.list.as_ref() == Some(&pat) {
            return Ok(());
        }
        // Lists of several sections are rare: they are put together as they come.
        let continues = self.list.as_ref().is_some_and(|list| {
            (list.version, list.stream_id, list.section.1)
                == (pat.version, pat.stream_id, pat.section.1)
                && pat.section.1 > 0
        });
        let mut programs = pat.programs.clone();
        if continues {
            let known = self.programs.iter().map(|listed| listed.program);
            let others = known.filter(|known| {
                !programs
                    .iter()
                    .any(|program| program.number == known.number)
            });
            programs = others.chain(programs.iter().copied()).collect();
        }
        self.list = Some(pat);
        programs.truncate(program::MAX_PROGRAMS);
        let mut before = std::mem::take(&mut self.programs);
        for program in programs {
            // PIDs that have another use stay what they are.
            if matches!(program.pid, PAT_PID | NULL_PID) {
                continue;
            }
            let place = before.iter().position(|listed| listed.program == program);
            self.programs.push(match place {
                Some(place) => before.swap_remove(place),
                None => Listed::new(program),
            });
        }
        self.choose();
        Ok(())
    }

    /// A section of a program's description.
    fn description(&mut self, index: usize, section: &[u8]) -> Result<(), SectionError> {
        // Several programs may be described on one PID.
        let Some(pid) = self.programs.get(index).map(|listed| listed.program.pid) else {
            return Ok(());
        };
        let unchanged = |listed: &Listed| listed.program.pid == pid && listed.section == section;
        if let Some(listed) = self.programs.iter_mut().find(|listed| unchanged(listed)) {
            listed.repeated = true;
        } else {
            // What is on the PID beside descriptions of programs.
            if section.first() != Some(&2) {
                return Ok(());
            }
            let mut pmt = Pmt::parse(section)?;
            if self.with_encrypted {
                pmt.streams.iter_mut().for_each(Stream::uncover);
            }
            let mut listed = self.programs.iter_mut();
            let listed = listed
                .find(|listed| listed.program.pid == pid && listed.program.number == pmt.program);
            let Some(listed) = listed.filter(|_| pmt.current) else {
                return Ok(());
            };
            listed.section = section.to_vec();
            listed.pmt = Some(pmt);
            listed.repeated = false;
            if self.chosen == Some(listed.program.number) {
                self.read_program();
                return Ok(());
            }
        }
        if self.chosen.is_none() {
            self.choose();
        }
        Ok(())
    }

    /// Chooses a program, if the one that is read is not there any longer, and routes the PIDs.
    fn choose(&mut self) {
        let there = |number: u16| {
            let mut programs = self.programs.iter();
            programs.any(|listed| listed.program.number == number)
        };
        if !self.chosen.is_some_and(there) {
            self.chosen = self.selection.choose(&self.programs);
        }
        self.read_program();
    }

    /// Reads the chosen program as it is described now.
    fn read_program(&mut self) {
        let chosen = self
            .programs
            .iter()
            .find(|listed| Some(listed.program.number) == self.chosen);
        let described = chosen.and_then(|listed| listed.pmt.as_ref());
        if let Some(pmt) = described.filter(|pmt| self.read_as.as_ref() != Some(*pmt)) {
            self.clock_pid = Some(pmt.clock_pid);
            for mut gone in stream::update(&mut self.streams, pmt) {
                gone.finish(self.position, (&mut self.events, &mut self.counts));
            }
            self.events.push_back(Event::Program(pmt.clone()));
            let announced = self.streams.iter_mut().filter_map(ProgramStream::announce);
            self.events.extend(announced.map(Event::Track));
            self.read_as = Some(pmt.clone());
        }
        let mut routes = vec![(PAT_PID, Route::List)];
        let programs = self.programs.iter().enumerate();
        // Until one is chosen all descriptions are read, then its own.
        let programs = programs.filter(|(_, listed)| {
            self.chosen
                .is_none_or(|chosen| chosen == listed.program.number)
        });
        routes.extend(programs.map(|(index, listed)| (listed.program.pid, Route::Program(index))));
        let streams = self.streams.iter().enumerate();
        routes.extend(streams.map(|(index, stream)| (stream.pid, Route::Stream(index))));
        self.pids.set(&routes);
    }

    fn finish(&mut self) {
        for stream in &mut self.streams {
            stream.finish(self.position, (&mut self.events, &mut self.counts));
        }
    }
}

#[cfg(test)]
mod tests;
