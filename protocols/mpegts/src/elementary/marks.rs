//! Which time belongs to which access unit: that of a PES packet belongs to the first access unit that begins in
//! it (clause 2.4.3.7), and access units may begin anywhere and nowhere in a PES packet.

use crate::time::Times;
use std::collections::VecDeque;

/// Most PES packets in which one access unit may lie and be given all their times; of more, the first are forgotten.
const MAX_MARKS: usize = 64;

/// What the header of a PES packet says of what begins in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) times: Option<Times>,
    /// A decoder can start here, says who sent it.
    pub(crate) random_access: bool,
}

/// The marks of the bytes that wait in a buffer.
#[derive(Debug, Default)]
pub(crate) struct Marks(VecDeque<(usize, Mark)>);

impl Marks {
    /// A PES packet begins at `at` in the buffer.
    pub(crate) fn put(&mut self, at: usize, mark: Mark) {
        if self.0.len() == MAX_MARKS {
            self.0.pop_front();
        }
        self.0.push_back((at, mark));
    }

    /// The mark of the access unit that begins at `at`, and is the first that does so in its PES packet.
    pub(crate) fn take(&mut self, at: usize) -> Option<Mark> {
        let mut found = None;
        while let Some((_, mark)) = self.0.pop_front_if(|(begin, _)| *begin <= at) {
            found = Some(mark);
        }
        found
    }

    /// The first bytes of the buffer are gone.
    pub(crate) fn shift(&mut self, bytes: usize) {
        for (at, _) in &mut self.0 {
            *at = at.saturating_sub(bytes);
        }
    }

    /// Bytes are missing: what the marks were for may be among them.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
