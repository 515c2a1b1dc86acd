//! What an access unit is, known from the headers of its NAL units (ITU-T H.265 clause 7.4.2.2).

use super::{NalHeader, Sps, nal_type};
use crate::codec::{Start, nal, sei};

/// What an access unit's NAL units say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// It is an IRAP picture (IDR, CRA or BLA), so that a decoder can start here.
    pub random_access: bool,
    /// It is shown before the random access point that it follows in decoding order.
    pub leading: Option<Leading>,
    /// No picture of its own temporal sub-layer refers to it; those of higher ones may. See
    /// [`disposable`](Self::disposable).
    pub sub_layer_non_reference: bool,
    /// Temporal sub-layer, 0 to 6.
    pub temporal_id: u8,
    /// It contains at least one slice.
    pub has_slice: bool,
    /// It is an IDR picture.
    pub idr: bool,
    /// A recovery point message stands before its slices: all is as it should be from pictures on whose order
    /// count is by so much higher.
    pub recovery_order: Option<i32>,
}

/// How a leading picture stands to its random access point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leading {
    /// RADL: it can be decoded by who starts at the random access point.
    Decodable,
    /// RASL: it cannot, and who starts there has to leave it out.
    Skipped,
}

impl Picture {
    /// Looks at the NAL unit headers of a payload with 4-byte lengths. All slices of a picture are of one
    /// type, so that the first one tells.
    ///
    /// # Errors
    /// When a length reaches past the end.
    pub fn inspect(payload: &[u8]) -> Result<Self, nal::NalError> {
        let mut picture = Self::default();
        for unit in nal::units(payload) {
            let unit = unit?;
            let Some(header) = NalHeader::parse(unit) else {
                continue;
            };
            let before_slices = header.layer == 0 && !picture.has_slice;
            if before_slices && header.kind == nal_type::PREFIX_SEI {
                let point = sei::recovery_point(unit, 2);
                let order = point.and_then(|point| sei::recovery_order_count(&point));
                picture.recovery_order = picture.recovery_order.or(order);
            }
            if picture.has_slice || header.layer != 0 || header.kind >= nal_type::SLICES_END {
                continue;
            }
            picture = Self {
                random_access: (nal_type::BLA_W_LP..=nal_type::CRA).contains(&header.kind),
                leading: match header.kind {
                    nal_type::RADL_N | nal_type::RADL_R => Some(Leading::Decodable),
                    nal_type::RASL_N | nal_type::RASL_R => Some(Leading::Skipped),
                    _ => None,
                },
                // The even types below the random access points, reserved ones included.
                sub_layer_non_reference: header.kind < nal_type::BLA_W_LP && header.kind % 2 == 0,
                temporal_id: header.temporal_id,
                has_slice: true,
                idr: matches!(header.kind, nal_type::IDR_W_RADL | nal_type::IDR_N_LP),
                recovery_order: picture.recovery_order,
            };
        }
        Ok(picture)
    }

    /// How a decoder can start here, if it can.
    pub fn start(&self) -> Option<Start> {
        match self.recovery_order.filter(|_| self.has_slice) {
            _ if self.idr => Some(Start::Clean),
            _ if self.random_access => Some(Start::Open),
            Some(0) => Some(Start::Open),
            Some(_) => Some(Start::Gradual),
            None => None,
        }
    }

    /// Nothing refers to it, so that it may be dropped alone: it is a sub-layer non-reference picture (types
    /// 0, 2, … 14) of the highest temporal sub-layer. In a lower one, pictures of the sub-layers above may
    /// refer to it. A stream that announces more sub-layers than it has gets fewer disposable pictures than
    /// it could, never a wrong one.
    pub const fn disposable(&self, sps: &Sps) -> bool {
        self.has_slice
            && self.sub_layer_non_reference
            && self.temporal_id.saturating_add(1) >= sps.sub_layers
    }
}
