//! From payloads to frames.

use super::Kind;
use crate::payload::sound::Frames;
use crate::payload::{DepacketizerCounts, Event, Input, PayloadError};
use media::Codec;
use media::codec::{ac3, mpeg_audio};

/// Longest unit that is put together of parts: nine substreams of E-AC-3.
const MAX_FRAGMENTED: usize = 9 * ac3::MAX_FRAME;

/// Gives the frames of payloads. The codec is known with the first frame. Push a packet, then pull until there is
/// nothing more.
#[derive(Debug)]
pub struct Depacketizer {
    kind: Kind,
    clock_rate: u32,
    frames: Frames,
    /// The time of the frame whose parts are coming; those that came are in the buffer.
    open: Option<u32>,
    buffer: Vec<u8>,
}

/// What a payload is.
enum Piece {
    /// Whole frames.
    Frames,
    /// The first part of one.
    First,
    /// A later part, and where it begins if that is told.
    Later(Option<usize>),
}

impl Depacketizer {
    /// For packets of this kind on a clock of `clock_rate`.
    pub fn new(kind: Kind, clock_rate: u32) -> Self {
        Self {
            kind,
            clock_rate,
            frames: Frames::default(),
            open: None,
            buffer: Vec::new(),
        }
    }

    /// Takes a packet. Empty payloads are passed over.
    ///
    /// # Errors
    /// When the payload cannot be used; the next one may be.
    pub fn push(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        if input.lost {
            self.frames.lost();
        }
        if self
            .open
            .is_some_and(|open| input.lost || open != input.timestamp)
        {
            self.give_up();
        }
        if input.payload.is_empty() {
            return Ok(());
        }
        let read = self.read(input);
        self.frames.read(read)
    }

    /// The next codec or access unit.
    pub fn pull(&mut self) -> Option<Event> {
        self.frames.pull()
    }

    /// Drops the frame in the making: nothing more will come.
    pub fn flush(&mut self) {
        if self.open.is_some() {
            self.give_up();
        }
    }

    /// What happened so far.
    pub const fn counts(&self) -> DepacketizerCounts {
        self.frames.counts()
    }

    fn read(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        let (piece, data) = self.piece(input.payload)?;
        match piece {
            Piece::Frames => {
                if self.open.is_some() {
                    self.give_up();
                }
                self.whole(input.timestamp, data)
            }
            Piece::First => {
                if self.open.is_some() {
                    self.give_up();
                }
                self.open = Some(input.timestamp);
                self.buffer.clear();
                self.buffer.extend_from_slice(data);
                self.complete(input)
            }
            Piece::Later(offset) => {
                if self.open.is_none() {
                    // The beginning was lost.
                    self.frames.damaged();
                    return Ok(());
                }
                if offset.is_some_and(|offset| offset != self.buffer.len()) {
                    self.give_up();
                    return Err(PayloadError::Fragment(
                        "that does not follow the one before",
                    ));
                }
                if self.buffer.len().saturating_add(data.len()) > MAX_FRAGMENTED {
                    self.give_up();
                    return Err(PayloadError::TooLong);
                }
                self.buffer.extend_from_slice(data);
                self.complete(input)
            }
        }
    }

    /// Takes the header off a payload.
    fn piece<'a>(&self, payload: &'a [u8]) -> Result<(Piece, &'a [u8]), PayloadError> {
        let truncated = PayloadError::Truncated(payload.len());
        if self.kind == Kind::MpegAudio {
            let ([_, _, high, low], data) = payload.split_first_chunk().ok_or(truncated)?;
            let offset = usize::from(u16::from_be_bytes([*high, *low]));
            let piece = match (offset, mpeg_audio::Header::parse(data)) {
                (0, Ok(header)) if header.length() > data.len() => Piece::First,
                (0, _) => Piece::Frames,
                _ => Piece::Later(Some(offset)),
            };
            return Ok((piece, data));
        }
        let ([what, _], data) = payload.split_first_chunk().ok_or(truncated)?;
        let piece = match (self.kind, what & 3) {
            (Kind::EnhancedAc3, what) if what & 1 == 0 => Piece::Frames,
            (Kind::EnhancedAc3, _) if self.open.is_none() && data.starts_with(&[0x0b, 0x77]) => {
                Piece::First
            }
            (Kind::EnhancedAc3, _) => Piece::Later(None),
            (_, 0) => Piece::Frames,
            (_, 1 | 2) => Piece::First,
            _ => Piece::Later(None),
        };
        Ok((piece, data))
    }

    /// Gives the frame whose parts have come, if it is whole.
    fn complete(&mut self, input: &Input<'_>) -> Result<(), PayloadError> {
        let is_whole = match self.kind {
            Kind::MpegAudio => {
                let header = mpeg_audio::Header::parse(&self.buffer);
                header.is_ok_and(|header| self.buffer.len() >= header.length())
            }
            // The marker stands on the last part of a frame.
            Kind::Ac3 | Kind::EnhancedAc3 => input.marker,
        };
        if !is_whole {
            return Ok(());
        }
        self.open = None;
        let buffer = std::mem::take(&mut self.buffer);
        let given = self.whole(input.timestamp, &buffer);
        self.buffer = buffer;
        given
    }

    /// Frames one after the other.
    fn whole(&mut self, timestamp: u32, data: &[u8]) -> Result<(), PayloadError> {
        match self.kind {
            Kind::MpegAudio => self.mpeg_audio(timestamp, data),
            Kind::Ac3 | Kind::EnhancedAc3 => self.ac3(timestamp, data),
        }
    }

    fn mpeg_audio(&mut self, mut timestamp: u32, mut data: &[u8]) -> Result<(), PayloadError> {
        while !data.is_empty() {
            let header = mpeg_audio::Header::parse(data);
            let header = header.map_err(|error| PayloadError::Config(error.to_string()))?;
            let (length, room) = (header.length(), data.len());
            let (frame, rest) = data
                .split_at_checked(length)
                .ok_or(PayloadError::Length { length, room })?;
            let config = mpeg_audio::Config::of(&header);
            self.frames.announce(Codec::MpegAudio(config));
            self.frames.give(timestamp, frame);
            let rate = header.sample_rate.ticks_per_second();
            timestamp = timestamp.wrapping_add(self.ticks(header.samples(), rate));
            data = rest;
        }
        Ok(())
    }

    fn ac3(&mut self, mut timestamp: u32, mut data: &[u8]) -> Result<(), PayloadError> {
        while !data.is_empty() {
            let length = unit_length(data)?;
            let (unit, rest) = data.split_at_checked(length).unwrap_or((data, &[]));
            let refused = |error: ac3::HeaderError| PayloadError::Config(error.to_string());
            let header = ac3::Header::parse(unit).map_err(refused)?;
            let config = ac3::Config::of(unit).map_err(refused)?;
            self.frames.announce(Codec::Ac3(config));
            self.frames.give(timestamp, unit);
            let rate = header.sample_rate.ticks_per_second();
            timestamp = timestamp.wrapping_add(self.ticks(header.samples(), rate));
            data = rest;
        }
        Ok(())
    }

    /// The duration of so many samples on the clock of the packets.
    fn ticks(&self, samples: u32, sample_rate: u32) -> u32 {
        let ticks = u64::from(samples) * u64::from(self.clock_rate) / u64::from(sample_rate);
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    fn give_up(&mut self) {
        self.open = None;
        self.frames.damaged();
    }
}

/// Bytes of the sync frame in front and of those that depend on it.
fn unit_length(data: &[u8]) -> Result<usize, PayloadError> {
    let mut length = 0;
    while let Some(rest) = data.get(length..).filter(|rest| !rest.is_empty()) {
        let header = ac3::Header::parse(rest);
        let header = header.map_err(|error| PayloadError::Config(error.to_string()))?;
        let begins = matches!(header.kind, ac3::Kind::Ac3 | ac3::Kind::Independent(0));
        if begins && length > 0 {
            break;
        }
        if header.length() > rest.len() {
            let (length, room) = (header.length(), rest.len());
            return Err(PayloadError::Length { length, room });
        }
        length += header.length();
    }
    Ok(length)
}
