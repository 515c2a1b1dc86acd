//! From payloads to temporal units.

use super::flag;
use crate::payload::units::{Format, Place, Units, Whole};
use crate::payload::{Input, PayloadError};
use media::Codec;
use media::codec::av1::{Config, Picture, leb128, normalise_elements, obu_type};

/// Most OBUs of a temporal unit: 4,096 tiles, each a tile group of its own, and what comes with them.
const MAX_OBUS: usize = 8_192;

/// Gives the temporal units of payloads. The codec is known with the first sequence header.
pub type Depacketizer = Units<TemporalUnits>;

/// How temporal units are cut.
#[derive(Debug, Default)]
pub struct TemporalUnits {
    /// Where each element ends.
    ends: Vec<usize>,
    config: Option<Config>,
}

impl Format for TemporalUnits {
    fn take(&mut self, input: &Input<'_>, unit: &mut Vec<u8>) -> Result<Place, PayloadError> {
        if unit.is_empty() {
            self.ends.clear();
        }
        let (header, mut rest) = input
            .payload
            .split_first()
            .ok_or(PayloadError::Truncated(0))?;
        let continues = header & flag::CONTINUES != 0;
        if continues && self.ends.is_empty() {
            return Ok(Place::Later);
        }
        let told = header >> 4 & 3;
        let first_is_sequence = |rest: &[u8]| {
            rest.first().map(|first| first >> 3 & 0xf) == Some(obu_type::SEQUENCE_HEADER)
        };
        let mut place = Place::Unknown;
        if header & flag::NEW_SEQUENCE != 0 {
            place = Place::First;
        }
        let mut number = 0;
        while !rest.is_empty() {
            number += 1;
            let element = match told == number {
                true => std::mem::take(&mut rest),
                false => {
                    let length = leb128::read(rest);
                    let (length, at) =
                        length.ok_or(PayloadError::Truncated(input.payload.len()))?;
                    let after = rest.get(at..).unwrap_or_default();
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    let room = after.len();
                    let (element, after) = after
                        .split_at_checked(length)
                        .ok_or(PayloadError::Length { length, room })?;
                    rest = after;
                    element
                }
            };
            if number == 1 && !continues && first_is_sequence(element) {
                place = Place::First;
            }
            if element.is_empty() {
                continue;
            }
            unit.extend_from_slice(element);
            if number == 1 && continues {
                self.ends.pop();
            }
            if self.ends.len() >= MAX_OBUS {
                return Err(PayloadError::TooLong);
            }
            self.ends.push(unit.len());
            // What is behind the last element told is none.
            if told == number {
                break;
            }
        }
        Ok(place)
    }

    fn finish(&mut self, unit: &[u8]) -> Result<Option<Whole>, PayloadError> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        let elements = starts
            .zip(&self.ends)
            .map(|(start, end)| unit.get(start..*end).unwrap_or_default());
        let malformed = |_| PayloadError::Unsupported("an OBU that does not fit its element");
        let payload = normalise_elements(elements).map_err(malformed)?;
        if let Some(header) = Picture::sequence_header(&payload) {
            let config = Config::from_sequence_header(header);
            let config = config.map_err(|error| PayloadError::Config(error.to_string()))?;
            self.config = Some(config);
        }
        let picture = match &self.config {
            Some(config) => Picture::inspect_with(&payload, &config.video),
            None => Picture::inspect(&payload),
        };
        let picture = picture.map_err(malformed)?;
        Ok(picture.has_frame.then(|| Whole {
            codec: self.config.clone().map(Codec::Av1),
            random_access: picture.start().is_some(),
            disposable: picture.disposable,
            payload,
        }))
    }
}
