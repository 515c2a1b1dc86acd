//! AAC in LATM: elements of the transport multiplex behind a sync word and their length (ISO/IEC 14496-3 clause
//! 1.7.2, AudioSyncStream).

use super::marks::Marks;
use super::sound::Sound;
use super::{Mark, Output};
use crate::Error;
use media::Codec;
use media::bits::{BitReader, BitsError};
use media::codec::latm::{Multiplex, payload_length};

/// Bytes in front of an element: 11 bits of sync word, 13 of length.
const HEADER: usize = 3;

/// The sync word, in the upper bits of two bytes.
const SYNC: u16 = 0x2b7 << 5;

/// Finds elements. What is kept is less than one element, and what one packet adds.
#[derive(Debug, Default)]
pub(crate) struct Latm {
    sound: Sound,
    marks: Marks,
    data: Vec<u8>,
    multiplex: Option<Multiplex>,
    skipped: usize,
}

impl Latm {
    pub(crate) fn begin(&mut self, mark: Mark) {
        self.marks.put(self.data.len(), mark);
    }

    pub(crate) fn data(&mut self, bytes: &[u8], out: &mut Output<'_>) {
        self.data.extend_from_slice(bytes);
        let data = std::mem::take(&mut self.data);
        let mut at = 0;
        while let Some([first, second, third]) =
            data.get(at..).and_then(|rest| rest.first_chunk::<HEADER>())
        {
            let head = u16::from_be_bytes([*first, *second]);
            if head & 0xffe0 != SYNC {
                self.skipped = self.skipped.saturating_add(1);
                at += 1;
                continue;
            }
            let length = usize::from(head & 0x1f) << 8 | usize::from(*third);
            let Some(element) = data.get(at + HEADER..at + HEADER + length) else {
                break;
            };
            if self.skipped > 0 {
                out.fault(Error::NoFrame(std::mem::take(&mut self.skipped)));
            }
            let mark = self.marks.take(at);
            if let Err(error) = self.element(mark, element, out) {
                out.fault(error);
            }
            at += HEADER + length;
        }
        self.data = data;
        self.data.drain(..at);
        self.marks.shift(at);
    }

    pub(crate) fn lost(&mut self, out: &mut Output<'_>) {
        self.data.clear();
        self.marks.clear();
        self.sound.lost(out);
    }

    /// Reads an AudioMuxElement with its configuration in band (clause 1.7.3).
    fn element(
        &mut self,
        mark: Option<Mark>,
        element: &[u8],
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let cut = |_: BitsError| Error::Frame("LATM element that is cut off");
        let mut bits = BitReader::new(element);
        // useSameStreamMux
        if !bits.flag().map_err(cut)? {
            let multiplex = Multiplex::read(&mut bits)?;
            let config = multiplex.config.clone();
            let rate = config.sample_rate;
            self.sound.announce(Codec::Aac(config), rate, out);
            self.multiplex = Some(multiplex);
        }
        let Some(multiplex) = &self.multiplex else {
            out.counts.units_before_configuration += 1;
            return Ok(());
        };
        let samples = u32::from(multiplex.config.frame_length);
        let mut mark = mark;
        for _ in 0..multiplex.units {
            let length = payload_length(&mut bits).map_err(cut)?;
            if length > bits.remaining() / 8 {
                return Err(Error::Frame("LATM element shorter than its frames"));
            }
            let mut frame = Vec::with_capacity(length);
            for _ in 0..length {
                frame.push(bits.bits(8).map_err(cut)? as u8);
            }
            self.sound.give(mark.take(), samples, &frame, out);
        }
        Ok(())
    }
}
