//! The tables of the one program.

use super::MuxError;
use super::packets::{Pid, put_section};
use super::track::MuxTrack;
use crate::packet::NULL_PID;
use crate::psi::{PAT_PID, Pat, Pmt, Program, Stream};

/// Most tracks of a program.
pub(super) const MAX_TRACKS: usize = 16;

/// The PID of the first track; the others follow.
pub(super) const FIRST_PID: u16 = 0x100;

/// The PID of the description of the program.
const PMT_PID: u16 = 0x1000;

/// The list of programs and the description of the only one, as sections.
#[derive(Debug)]
pub(super) struct Tables {
    pat: Vec<u8>,
    pmt: Vec<u8>,
    pids: (Pid, Pid),
    /// The version of the next description.
    version: u8,
}

impl Tables {
    pub(super) const fn new() -> Self {
        Self {
            pat: Vec::new(),
            pmt: Vec::new(),
            pids: (Pid::new(PAT_PID), Pid::new(PMT_PID)),
            version: 0,
        }
    }

    /// Describes these tracks from now on.
    pub(super) fn set(&mut self, program: u16, tracks: &[MuxTrack]) -> Result<(), MuxError> {
        let pat = Pat {
            stream_id: 1,
            version: 0,
            current: true,
            section: (0, 0),
            programs: vec![Program {
                number: program,
                pid: PMT_PID,
            }],
        };
        let clock = tracks.iter().find(|track| track.is_clock);
        let streams = tracks.iter().map(|track| {
            let (kind, descriptors) = track.carrier.stream();
            Stream {
                kind,
                pid: track.pid.number,
                descriptors,
            }
        });
        let mut descriptors: Vec<u8> = Vec::new();
        for track in tracks {
            let more = track.carrier.program(program);
            if !more.is_empty() && !descriptors.windows(more.len()).any(|known| known == more) {
                descriptors.extend(more);
            }
        }
        let mut pmt = Pmt {
            program,
            version: self.version.wrapping_sub(1) & 0x1f,
            current: true,
            clock_pid: clock.map_or(NULL_PID, |track| track.pid.number),
            descriptors,
            streams: streams.collect(),
        };
        self.pat = pat.write().ok_or(MuxError::Tables)?;
        // The version says that something has changed.
        if pmt.write().is_some_and(|same| same == self.pmt) {
            return Ok(());
        }
        pmt.version = self.version;
        self.pmt = pmt.write().ok_or(MuxError::Tables)?;
        self.version = (self.version + 1) & 0x1f;
        Ok(())
    }

    /// Packets that they take.
    pub(super) fn packets(&self) -> usize {
        // With a pointer in front.
        1 + (self.pmt.len() + 1).div_ceil(184)
    }

    /// Writes them.
    pub(super) fn put(&mut self, out: &mut Vec<u8>) {
        put_section(&mut self.pids.0, &self.pat, out);
        put_section(&mut self.pids.1, &self.pmt, out);
    }
}
