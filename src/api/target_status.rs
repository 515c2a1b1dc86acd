//! How a target is, in every API the same.

use crate::control::targets::TargetView;
use serde::Serialize;
use std::time::SystemTime;

/// How a target is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetStatus {
    /// `waiting`, `connecting`, `live`, `backoff`, `failed` or `paused`.
    state: &'static str,
    /// Since when, in milliseconds of Unix time.
    since: u64,
    /// Payload and what carries it, in all.
    bytes_sent: u64,
    /// Bits in a second, now.
    bitrate: u64,
    access_units_sent: u64,
    /// Passed over because the far side was too slow.
    access_units_dropped: u64,
    reconnects: u64,
    /// Milliseconds to the far side and back, while it is live and that is known.
    round_trip_ms: Option<f64>,
    /// In words.
    last_error: Option<String>,
}

impl TargetStatus {
    pub(super) fn new(view: &TargetView) -> Self {
        let (state, sent) = (&view.state, view.state.sent());
        let since = state.since.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            state: state.phase.word(),
            since: u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX),
            bytes_sent: sent.bytes,
            bitrate: state.bits_per_second(),
            access_units_sent: sent.access_units,
            access_units_dropped: sent.dropped,
            reconnects: state.reconnects(),
            round_trip_ms: state
                .round_trip()
                .map(|time| time.as_micros() as f64 / 1_000.0),
            last_error: state.last_error.clone(),
        }
    }
}
