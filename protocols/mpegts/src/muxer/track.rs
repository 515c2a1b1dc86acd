//! A track on its way into packets, and the frames of sound that wait to share a PES packet.

use super::MuxError;
use super::carrier::Carrier;
use super::packets::Pid;
use media::{AccessUnit, Kind, Timebase, Track, TrackId};

/// Most bytes of sound in a PES packet: with its header, 16 packets.
const MAX_BATCH: usize = 16 * 184 - 14;

/// How much sound a PES packet holds: 100 ms in ticks.
const BATCH: i64 = 9_000;

/// How far a frame may be from the end of the one before: what came by RTMP was rounded to milliseconds. 2 ms.
const TOLERANCE: i64 = 180;

/// A track.
#[derive(Debug)]
pub(super) struct MuxTrack {
    pub(super) id: TrackId,
    pub(super) kind: Kind,
    pub(super) pid: Pid,
    pub(super) stream_id: u8,
    pub(super) carrier: Carrier,
    /// Its packets carry the clock of the program.
    pub(super) is_clock: bool,
    timebase: Timebase,
    batch: Option<Batch>,
}

/// Frames of sound that share a PES packet.
#[derive(Debug)]
pub(super) struct Batch {
    /// When the first is presented, and the last, in ticks of 90 kHz.
    pub(super) pts: i64,
    pub(super) last: i64,
    /// When the one that follows the last is.
    next: i64,
    pub(super) frames: usize,
    /// The frames with their headers.
    pub(super) data: Vec<u8>,
}

impl MuxTrack {
    pub(super) fn new(track: &Track, pid: Pid, stream_id: u8, carrier: Carrier) -> Self {
        Self {
            id: track.id,
            kind: track.kind(),
            pid,
            stream_id,
            carrier,
            is_clock: false,
            timebase: track.timebase,
            batch: None,
        }
    }

    /// Ticks of the track as those of 90 kHz, the nearest.
    pub(super) fn ticks(&self, ticks: i64) -> i64 {
        self.timebase.rescale_nearest(ticks, Timebase::VIDEO)
    }

    /// Whether the frames that wait have to go before a frame: it has no room beside them, or does not follow them in
    /// time, since a PES packet tells the time of its first frame alone.
    pub(super) fn is_full(&self, next: &AccessUnit, pts: i64) -> bool {
        let Some(batch) = self.batch.as_ref().filter(|_| next.track == self.id) else {
            return false;
        };
        let size = batch.data.len().saturating_add(next.payload.len() + 16);
        size > MAX_BATCH || pts.saturating_sub(batch.next).abs() > TOLERANCE
    }

    /// Whether its frames have waited long enough at a time of the stream.
    pub(super) fn is_due(&self, time: i64) -> bool {
        let waiting = self.batch.as_ref();
        waiting.is_some_and(|batch| time.saturating_sub(batch.pts) >= BATCH)
    }

    /// Puts a frame to those that wait; says whether no other has to be waited for.
    pub(super) fn put(&mut self, pts: i64, frame: &[u8]) -> Result<bool, MuxError> {
        let batch = self.batch.get_or_insert_with(|| Batch {
            pts,
            last: pts,
            next: pts,
            frames: 0,
            data: Vec::new(),
        });
        let put = self.carrier.put_frame(&mut batch.data, frame);
        let duration = self.carrier.duration(frame);
        batch.last = pts;
        batch.next = pts.saturating_add(duration);
        batch.frames += usize::from(put.is_ok());
        // With one more it would be longer.
        let longer = batch
            .next
            .saturating_add(duration)
            .saturating_sub(batch.pts)
            > BATCH;
        if batch.data.is_empty() {
            self.batch = None;
        }
        put.map(|()| longer)
    }

    pub(super) fn take_batch(&mut self) -> Option<Batch> {
        self.batch.take()
    }
}
