//! Access units of one or several payloads each, which are put together in one buffer.
//!
//! An access unit ends with a packet that carries the marker, or before a packet with another timestamp. What is
//! not sure to be whole after a loss is dropped: its beginning may be missing too, and not every format says
//! where a unit begins.

use super::{DepacketizerCounts, Event, Input, MAX_UNIT, PayloadError, Unit};
use bytes::Bytes;
use media::Codec;
use std::collections::VecDeque;

/// How much of the buffer is kept from one access unit to the next.
const KEPT: usize = 1_024 * 1_024;

/// What differs between the formats.
pub trait Format {
    /// Appends what a payload has of its access unit to `unit`, which is empty where one begins.
    fn take(&mut self, input: &Input<'_>, unit: &mut Vec<u8>) -> Result<Place, PayloadError>;

    /// What the parts make; `None` for a unit in which there is nothing.
    fn finish(&mut self, unit: &[u8]) -> Result<Option<Whole>, PayloadError>;
}

/// Where in its access unit a payload belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The unit begins with it.
    First,
    /// Others are in front of it.
    Later,
    /// The format does not say.
    Unknown,
}

/// An access unit.
#[derive(Debug)]
pub struct Whole {
    /// The codec from here on, where the unit says it.
    pub codec: Option<Codec>,
    /// The coded bytes.
    pub payload: Bytes,
    /// A decoder can start here.
    pub random_access: bool,
    /// No other unit refers to it.
    pub disposable: bool,
}

/// Gives the access units of payloads. Push a packet, then pull until there is nothing more.
#[derive(Debug)]
pub struct Units<F> {
    format: F,
    codec: Option<Codec>,
    data: Vec<u8>,
    current: Option<Current>,
    /// No packet has come yet: the first may be from the middle of a unit.
    fresh: bool,
    after_loss: bool,
    events: VecDeque<Event>,
    counts: DepacketizerCounts,
}

/// The access unit in the making.
#[derive(Clone, Copy, Debug)]
struct Current {
    timestamp: u32,
    damaged: bool,
}

impl<F: Format + Default> Default for Units<F> {
    fn default() -> Self {
        Self::of(F::default(), None)
    }
}

impl<F: Format> Units<F> {
    /// With the codec, where it is known without a packet.
    pub(super) fn of(format: F, codec: Option<Codec>) -> Self {
        Self {
            format,
            events: codec.clone().map(Event::Codec).into_iter().collect(),
            codec,
            data: Vec::new(),
            current: None,
            fresh: true,
            after_loss: false,
            counts: DepacketizerCounts::default(),
        }
    }

    /// Takes a packet in its order. Empty payloads are passed over.
    ///
    /// # Errors
    /// When the payload, or the unit that it completes, cannot be used; the next one may be.
    pub fn push(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        if input.lost {
            self.after_loss = true;
            self.damage();
        }
        let other = |current: Current| current.timestamp != input.timestamp;
        let ended = match self.current.is_some_and(other) {
            true => self.finish(),
            false => Ok(()),
        };
        let doubtful = std::mem::take(&mut self.fresh) || input.lost;
        if input.payload.is_empty() {
            return ended;
        }
        let read = self.take(input, doubtful);
        if read.is_err() {
            self.counts.malformed += 1;
            self.damage();
        }
        let finished = match input.marker {
            true => self.finish(),
            false => Ok(()),
        };
        ended.and(read).and(finished)
    }

    fn take(&mut self, input: &Input<'_>, doubtful: bool) -> Result<(), PayloadError> {
        let begins = self.current.is_none();
        if self.current.is_some_and(|current| current.damaged) {
            return Ok(());
        }
        let current = self.current.get_or_insert(Current {
            timestamp: input.timestamp,
            damaged: false,
        });
        let place = self.format.take(input, &mut self.data)?;
        let headless = begins
            && match place {
                Place::First => false,
                Place::Later => true,
                Place::Unknown => doubtful,
            };
        current.damaged |= headless;
        if self.data.len() > MAX_UNIT {
            self.data.clear();
            return Err(PayloadError::TooLong);
        }
        if current.damaged {
            // Nothing will come of it.
            self.data.clear();
        }
        match place {
            Place::Later if headless && !doubtful && !self.after_loss => {
                Err(PayloadError::Fragment("without a beginning"))
            }
            _ => Ok(()),
        }
    }

    /// The next codec or access unit.
    pub fn pull(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Drops the access unit in the making: nothing more will come, and its end may be missing.
    pub fn flush(&mut self) {
        self.damage();
        // It is damaged, and counted.
        let _ = self.finish();
    }

    /// What happened so far.
    pub const fn counts(&self) -> DepacketizerCounts {
        self.counts
    }

    fn damage(&mut self) {
        if let Some(current) = &mut self.current {
            current.damaged = true;
        }
    }

    fn finish(&mut self) -> Result<(), PayloadError> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        let made = match current.damaged {
            true => {
                self.drop_unit();
                Ok(())
            }
            false => match self.format.finish(&self.data) {
                Ok(whole) => {
                    if let Some(whole) = whole {
                        self.give(current.timestamp, whole);
                    }
                    Ok(())
                }
                Err(error) => {
                    self.counts.malformed += 1;
                    self.drop_unit();
                    Err(error)
                }
            },
        };
        self.data.clear();
        self.data.shrink_to(KEPT);
        made
    }

    const fn drop_unit(&mut self) {
        self.counts.damaged += 1;
        self.after_loss = true;
    }

    fn give(&mut self, timestamp: u32, whole: Whole) {
        if whole.codec.is_some() && whole.codec != self.codec {
            self.events.extend(whole.codec.clone().map(Event::Codec));
            self.codec = whole.codec;
        }
        if self.codec.is_none() {
            self.counts.before_config += 1;
            return;
        }
        self.events.push_back(Event::Unit(Unit {
            timestamp,
            random_access: whole.random_access,
            disposable: whole.disposable,
            after_loss: std::mem::take(&mut self.after_loss) && self.counts.units > 0,
            damaged: false,
            payload: whole.payload,
        }));
        self.counts.units += 1;
    }
}
