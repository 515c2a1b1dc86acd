//! A program as it stands in the list, with its description.

use crate::psi::sections::Sections;
use crate::psi::{Pmt, Program};

/// Most programs of a stream that are looked at; one transport stream has seldom more than 30.
pub(super) const MAX_PROGRAMS: usize = 256;

/// A program of the list.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) program: Program,
    /// Its description, as far as it has come.
    pub(super) pmt: Option<Pmt>,
    /// The section that it was read from: what comes again is known by its bytes, since there are senders that
    /// change a description without another version.
    pub(super) section: Vec<u8>,
    /// The description came a second time.
    pub(super) repeated: bool,
    pub(super) sections: Sections,
}

impl Listed {
    pub(super) fn new(program: Program) -> Self {
        Self {
            program,
            pmt: None,
            section: Vec::new(),
            repeated: false,
            sections: Sections::default(),
        }
    }
}
