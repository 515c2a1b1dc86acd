//! MPEG audio and AC-3: frames that begin with a sync word and tell their length, which are read where a PES packet
//! ends.

use super::marks::Marks;
use super::sound::Sound;
use super::{Mark, Output};
use crate::Error;
use media::codec::{ac3, mpeg_audio};
use media::{Codec, Timebase};
use std::marker::PhantomData;

/// What is kept of a PES packet whose length is not told.
const MAX_DATA: usize = 1_024 * 1_024;

/// How frames of a codec are found.
pub(crate) trait Framing {
    /// Gives the frames of `data` in order, or how many bytes were passed over. What is not given is the beginning of a
    /// frame.
    fn split<'a>(data: &'a [u8], give: impl FnMut(Result<Frame<'a>, usize>));
}

/// A frame, or frames of one time.
pub(crate) struct Frame<'a> {
    bytes: &'a [u8],
    samples: u32,
    codec: Option<(Codec, Timebase)>,
}

/// Frames of MPEG audio.
#[derive(Debug)]
pub(crate) enum MpegAudio {}

impl Framing for MpegAudio {
    fn split<'a>(data: &'a [u8], mut give: impl FnMut(Result<Frame<'a>, usize>)) {
        for found in mpeg_audio::frames(data) {
            let frame = found.map(|(header, bytes)| {
                let config = mpeg_audio::Config::of(&header);
                Frame {
                    bytes,
                    samples: header.samples(),
                    codec: Some((Codec::MpegAudio(config), header.sample_rate)),
                }
            });
            give(frame.map_err(|lost| lost.length));
        }
    }
}

/// Frames of AC-3 and E-AC-3.
#[derive(Debug)]
pub(crate) enum Ac3 {}

impl Framing for Ac3 {
    fn split<'a>(data: &'a [u8], mut give: impl FnMut(Result<Frame<'a>, usize>)) {
        for found in ac3::units(data) {
            let frame = found.map(|(header, bytes)| {
                let config = ac3::Config::of(bytes).ok();
                Frame {
                    bytes,
                    samples: header.samples(),
                    codec: config.map(|config| (Codec::Ac3(config), header.sample_rate)),
                }
            });
            give(frame.map_err(|lost| lost.length));
        }
    }
}

/// Finds frames. What is kept is one PES packet, and the beginning of a frame.
#[derive(Debug)]
pub(crate) struct Frames<F> {
    sound: Sound,
    marks: Marks,
    data: Vec<u8>,
    framing: PhantomData<F>,
}

impl<F> Default for Frames<F> {
    fn default() -> Self {
        Self {
            sound: Sound::default(),
            marks: Marks::default(),
            data: Vec::new(),
            framing: PhantomData,
        }
    }
}

impl<F: Framing> Frames<F> {
    pub(crate) fn begin(&mut self, mark: Mark) {
        self.marks.put(self.data.len(), mark);
    }

    pub(crate) fn data(&mut self, bytes: &[u8], out: &mut Output<'_>) {
        self.data.extend_from_slice(bytes);
        if self.data.len() > MAX_DATA {
            self.end(out);
        }
    }

    pub(crate) fn lost(&mut self, out: &mut Output<'_>) {
        self.data.clear();
        self.marks.clear();
        self.sound.lost(out);
    }

    /// The PES packet is complete.
    pub(crate) fn end(&mut self, out: &mut Output<'_>) {
        let data = std::mem::take(&mut self.data);
        let (mut at, mut skipped) = (0usize, 0usize);
        F::split(&data, |found| match found {
            Ok(frame) => {
                if let Some((codec, rate)) = frame.codec {
                    self.sound.announce(codec, rate, out);
                }
                let mark = self.marks.take(at);
                self.sound.give(mark, frame.samples, frame.bytes, out);
                at = at.saturating_add(frame.bytes.len());
            }
            Err(length) => {
                skipped = skipped.saturating_add(length);
                at = at.saturating_add(length);
            }
        });
        if skipped > 0 {
            out.fault(Error::NoFrame(skipped));
        }
        self.data = data;
        self.data.drain(..at.min(self.data.len()));
        self.marks.shift(at);
    }
}
