//! One coded picture or audio frame.

use crate::TrackId;
use bytes::Bytes;
use std::time::SystemTime;

/// One coded picture or audio frame, in decoding order, on its track's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// The track it belongs to; its timebase is the unit of `dts` and `pts`.
    pub track: TrackId,
    /// Decoding time, in ticks.
    pub dts: i64,
    /// Presentation time, in ticks. `pts - dts` is the composition offset.
    pub pts: i64,
    /// A decoder can start here. True of every audio frame of the codecs we carry.
    pub random_access: bool,
    /// No other picture refers to this one, so it may be dropped alone.
    pub disposable: bool,
    /// The clock or the content does not continue from the unit before (of the same track).
    pub discontinuity: bool,
    /// When the unit was captured, if the source said so.
    pub capture: Option<SystemTime>,
    /// The coded bytes in the codec's one form (see [`Codec`](crate::Codec)), shared by all outputs.
    pub payload: Bytes,
}
