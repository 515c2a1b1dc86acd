//! Which program of several is read.

use super::program::Listed;
use crate::Format;
use crate::psi::Pmt;
use media::Kind;

/// Which program is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgramSelection {
    /// The first with pictures in the order of the list; the first with anything, if none has pictures.
    #[default]
    First,
    /// That of this number. Nothing is read while there is none.
    Number(u16),
}

impl ProgramSelection {
    /// The number of the program to read, when it is known: when all programs are described, or those that are
    /// described come for the second time.
    pub(super) fn choose(self, programs: &[Listed]) -> Option<u16> {
        let number = match self {
            Self::Number(number) => number,
            Self::First => {
                let complete = programs.iter().all(|listed| listed.pmt.is_some());
                if !complete && !programs.iter().any(|listed| listed.repeated) {
                    return None;
                }
                let mut best = None;
                for listed in programs {
                    let kinds = listed.pmt.as_ref().map(kinds).unwrap_or_default();
                    if kinds.0 {
                        best = Some(listed);
                        break;
                    }
                    if kinds.1 && best.is_none() {
                        best = Some(listed);
                    }
                }
                best?.program.number
            }
        };
        let mut numbers = programs.iter().map(|listed| listed.program.number);
        numbers.find(|found| *found == number)
    }
}

/// Whether a program has pictures, and whether it has anything.
fn kinds(pmt: &Pmt) -> (bool, bool) {
    let mut formats = pmt.streams.iter().map(|stream| Format::of(pmt, stream));
    let pictures = formats.any(|format| format.kind() == Some(Kind::Video));
    (pictures, !pmt.streams.is_empty())
}
