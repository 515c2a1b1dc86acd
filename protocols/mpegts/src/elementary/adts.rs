//! AAC behind ADTS headers: frames that tell their length.

use super::marks::Marks;
use super::sound::Sound;
use super::{Mark, Output};
use crate::Error;
use media::Codec;
use media::codec::adts::{AdtsError, HEADER, Header};

/// Finds frames. What is kept is less than one frame, and what one packet adds.
#[derive(Debug, Default)]
pub(crate) struct Adts {
    sound: Sound,
    marks: Marks,
    data: Vec<u8>,
    /// The header that the configuration came from.
    header: Option<Header>,
    /// Frames follow each other without a gap, so far.
    aligned: bool,
    /// Bytes that were passed over and not told yet.
    skipped: usize,
}

impl Adts {
    pub(crate) fn begin(&mut self, mark: Mark) {
        self.marks.put(self.data.len(), mark);
    }

    pub(crate) fn data(&mut self, bytes: &[u8], out: &mut Output<'_>) {
        self.data.extend_from_slice(bytes);
        self.read(false, out);
    }

    /// Nothing more will come: a frame that ends here is one, though none follows it.
    pub(crate) fn finish(&mut self, out: &mut Output<'_>) {
        self.read(true, out);
    }

    fn read(&mut self, last: bool, out: &mut Output<'_>) {
        let data = std::mem::take(&mut self.data);
        let mut at = 0;
        while let Some(head) = data.get(at..).and_then(|rest| rest.first_chunk::<HEADER>()) {
            let next = match Header::parse(head) {
                Ok(header)
                    if self.is_trusted(&data, at, header)
                        || last && data.len() == at + header.length =>
                {
                    let end = at.saturating_add(header.length);
                    let Some(frame) = data.get(at.saturating_add(header.size)..end) else {
                        break;
                    };
                    self.frame(at, header, frame, out);
                    end
                }
                // To be told apart by what follows.
                Ok(header) if !self.aligned && data.len() < at + header.length + 2 => break,
                Err(error) if error != AdtsError::Sync && self.aligned => {
                    out.fault(error);
                    self.aligned = false;
                    at + 1
                }
                _ => {
                    self.aligned = false;
                    let rest = data.get(at + 1..).unwrap_or_default();
                    at + 1 + memchr::memchr(0xff, rest).unwrap_or(rest.len())
                }
            };
            if !self.aligned {
                self.skipped = self.skipped.saturating_add(next - at);
            }
            at = next;
        }
        self.data = data;
        self.data.drain(..at);
        self.marks.shift(at);
    }

    pub(crate) fn lost(&mut self, out: &mut Output<'_>) {
        self.data.clear();
        self.marks.clear();
        self.aligned = false;
        self.sound.lost(out);
    }

    /// Whether a frame begins at a header: where the one before ended, or if another header follows it.
    fn is_trusted(&self, data: &[u8], at: usize, header: Header) -> bool {
        let behind = data
            .get(at.saturating_add(header.length)..)
            .unwrap_or_default();
        self.aligned || matches!(behind, [0xff, second, ..] if second & 0xf6 == 0xf0)
    }

    fn frame(&mut self, at: usize, header: Header, frame: &[u8], out: &mut Output<'_>) {
        if !std::mem::replace(&mut self.aligned, true) && self.skipped > 0 {
            out.fault(Error::NoFrame(std::mem::take(&mut self.skipped)));
        }
        let fixed = |header: Header| (header.object_type, header.sampling_index, header.channels);
        if self.header.map(fixed) != Some(fixed(header)) {
            // A sampling index below 13, an object type of 1 to 4 and a channel configuration below 8 are AAC.
            if let Ok(config) = header.config() {
                let rate = config.sample_rate;
                self.sound.announce(Codec::Aac(config), rate, out);
            }
            self.header = Some(header);
        }
        let mark = self.marks.take(at);
        self.sound.give(mark, 1_024, frame, out);
    }
}
