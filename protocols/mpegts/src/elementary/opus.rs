//! Opus: whole packets in each PES packet, which is read when it is complete.

use super::sound::Sound;
use super::{Mark, Output};
use crate::{Error, opus};
use media::Codec;
use media::codec::opus as codec;

/// Longest PES packet that is kept.
const MAX_DATA: usize = 65_535;

/// Takes packets out of PES packets.
#[derive(Debug)]
pub(crate) struct Opus {
    sound: Sound,
    channels: u8,
    announced: bool,
    data: Vec<u8>,
    mark: Option<Mark>,
    broken: bool,
}

impl Opus {
    pub(crate) fn new(channels: u8) -> Self {
        Self {
            sound: Sound::default(),
            channels,
            announced: false,
            data: Vec::new(),
            mark: None,
            broken: false,
        }
    }

    pub(crate) fn begin(&mut self, mark: Mark) {
        self.data.clear();
        self.broken = false;
        self.mark = Some(mark);
    }

    pub(crate) fn data(&mut self, bytes: &[u8], out: &mut Output<'_>) {
        if self.data.len().saturating_add(bytes.len()) > MAX_DATA {
            if !std::mem::replace(&mut self.broken, true) {
                out.fault(Error::TooLong {
                    limit: MAX_DATA,
                    of: "bytes",
                });
            }
        } else {
            self.data.extend_from_slice(bytes);
        }
    }

    pub(crate) fn lost(&mut self, out: &mut Output<'_>) {
        self.broken = true;
        self.sound.lost(out);
    }

    /// The PES packet is complete.
    pub(crate) fn end(&mut self, out: &mut Output<'_>) {
        let Some(mut mark) = self.mark.take().map(Some) else {
            return;
        };
        if !std::mem::replace(&mut self.announced, true) {
            match opus::config(self.channels) {
                Ok(config) => self
                    .sound
                    .announce(Codec::Opus(config), codec::TIMEBASE, out),
                Err(error) => out.fault(error),
            }
        }
        if self.broken {
            return;
        }
        let data = std::mem::take(&mut self.data);
        let mut rest = data.as_slice();
        while !rest.is_empty() {
            match opus::next(&mut rest) {
                Ok(packet) => match codec::duration(packet) {
                    Some(samples) => self.sound.give(mark.take(), samples, packet, out),
                    None => out.fault(Error::Frame("Opus packet of no duration")),
                },
                Err(what) => {
                    out.fault(Error::Frame(what));
                    break;
                }
            }
        }
        self.data = data;
    }
}
