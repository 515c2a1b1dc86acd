//! Data: key-length-value triplets (RFC 6597) and a camera's metadata (ONVIF Streaming Specification section 5.2.1):
//! cut anywhere, the last payload carries the marker.

use super::units::{Format, Place, Units, Whole};
use super::{Input, PayloadError, Payloads, Writer};
use bytes::Bytes;
use media::{Codec, Data};

/// Gives the data units of payloads.
pub type Depacketizer = Units<Parts>;

/// How units of data are cut.
#[derive(Debug)]
pub struct Parts(Data);

impl Depacketizer {
    /// For data of this kind.
    pub fn new(data: Data) -> Self {
        Self::of(Parts(data.clone()), Some(Codec::Data(data)))
    }
}

/// Each key begins with the designator of SMPTE ST 336.
const UNIVERSAL_LABEL: [u8; 4] = [0x06, 0x0e, 0x2b, 0x34];

impl Format for Parts {
    fn take(&mut self, input: &Input<'_>, unit: &mut Vec<u8>) -> Result<Place, PayloadError> {
        let looks_first = match self.0 {
            Data::Klv => input.payload.starts_with(&UNIVERSAL_LABEL),
            _ => input.payload.starts_with(b"<?xml"),
        };
        unit.extend_from_slice(input.payload);
        Ok(match looks_first {
            true => Place::First,
            false => Place::Unknown,
        })
    }

    fn finish(&mut self, unit: &[u8]) -> Result<Option<Whole>, PayloadError> {
        Ok((!unit.is_empty()).then(|| Whole {
            codec: None,
            payload: Bytes::copy_from_slice(unit),
            random_access: true,
            disposable: false,
        }))
    }
}

/// Cuts a unit of data into payloads of at most `max_payload` bytes (fewer than 64 count as 64).
pub fn packetize(unit: &[u8], max_payload: usize) -> Payloads {
    Writer::cut(unit, max_payload, 0, |writer, part, _, _| {
        writer.put(&[part]);
    })
}
