//! The order in which pictures are put out, whatever their codec.

use super::{h264, h265};
use crate::Codec;

/// Where a picture stands in output order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Grows where the count begins anew: all pictures before are put out before all from there on.
    pub sequence: u64,
    /// Picture order count within the sequence.
    pub count: i64,
    /// By how much the counts of neighbours in output order differ.
    pub spacing: i64,
    /// Pictures may follow in decoding order that are put out before it, even if nothing came before.
    pub leading: bool,
}

impl Place {
    /// Whether it is put out after `other`.
    pub fn is_after(&self, other: &Self) -> bool {
        (self.sequence, self.count) > (other.sequence, other.count)
    }
}

/// Finds the places of a track's pictures.
#[derive(Clone, Debug)]
pub enum PictureOrder {
    /// Those of H.264.
    H264(h264::PictureOrder, h264::Sps),
    /// Those of H.265.
    H265(h265::PictureOrder, h265::Sps),
}

impl PictureOrder {
    /// For a track of that codec; `None` for those whose access units come in the order in which they are shown.
    pub fn new(codec: &Codec) -> Option<Self> {
        match codec {
            Codec::H264(config) => Some(Self::H264(h264::PictureOrder::new(config), config.video)),
            Codec::H265(config) => Some(Self::H265(h265::PictureOrder::new(config), config.video)),
            _ => None,
        }
    }

    /// The place of the picture of an access unit, `None` where its slices cannot be read.
    pub fn place(&mut self, payload: &[u8]) -> Option<Place> {
        match self {
            Self::H264(order, _) => order.place(payload),
            Self::H265(order, _) => order.place(payload),
        }
    }

    /// Most access units that precede one in decoding order and follow it in output order, where the stream
    /// tells.
    pub fn depth(&self) -> Option<usize> {
        match self {
            Self::H264(order, sps) => order.depth(sps),
            Self::H265(_, sps) => Some(sps.reorder_depth.into()),
        }
    }
}
