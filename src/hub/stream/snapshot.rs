//! What is known of a stream at one moment.

use super::statistics::RATE_WINDOW;
use super::{Origin, Packets, Stream, TrackSet};
use crate::hub::Requests;
use crate::hub::timeline::Repairs;
use media::Timebase;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What is known of a stream at one moment, for people and APIs.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Who publishes, or did last.
    pub origin: Origin,
    /// A publisher is there now.
    pub publishing: bool,
    /// The number of the publisher that is there now, or was last.
    pub publisher: u64,
    /// Readers are let in.
    pub ready: bool,
    /// The present tracks.
    pub tracks: Arc<TrackSet>,
    /// When the stream began.
    pub since: SystemTime,
    /// Payload bytes received.
    pub bytes: u64,
    /// Access units received.
    pub access_units: u64,
    /// Payload bits per second, over about two seconds.
    pub bits_per_second: u64,
    /// Media time received per time passed, over about two seconds; 1 for a live source.
    pub speed: f64,
    /// Media time from the first to the last access unit.
    pub length: Duration,
    /// The stream has been as long as it may be ([`Offline::longest`](super::Offline)).
    pub is_cut: bool,
    /// Longest distance between two random access points so far.
    pub gop: Option<Duration>,
    /// Pictures have come in another order than they are shown in: there are B-frames.
    pub is_reordered: bool,
    /// Packets of the sources so far that count them.
    pub packets: Packets,
    /// Repairs of time.
    pub repairs: Repairs,
    /// Requests for a random access point.
    pub requests: Requests,
    /// Bytes in the stream's memory.
    pub ring_bytes: usize,
}

impl Stream {
    /// What is known now.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        let statistics = &state.statistics;
        // Rates are measured by what comes; when nothing does, the last ones are no longer true.
        let silent = state.publisher.is_none() || state.last_push.elapsed() > RATE_WINDOW * 2;
        let rate = statistics.rate.now().filter(|_| !silent);
        let (bits_per_second, speed) = rate.unwrap_or_default();
        Snapshot {
            origin: state.origin.clone(),
            publishing: state.publisher.is_some(),
            publisher: state.last_publisher,
            ready: state.ready,
            tracks: state.tracks.clone(),
            since: statistics.since,
            bytes: statistics.bytes,
            access_units: statistics.access_units,
            bits_per_second,
            speed,
            packets: statistics.packets,
            length: Timebase::MICROS.duration(state.length()),
            is_cut: state.is_cut,
            gop: statistics
                .gop_micros
                .map(|gop| Timebase::MICROS.duration(gop)),
            is_reordered: statistics.order.is_reordered,
            repairs: state.timeline.repairs(),
            requests: state.feedback.requests(),
            ring_bytes: state.ring.bytes(),
        }
    }
}
