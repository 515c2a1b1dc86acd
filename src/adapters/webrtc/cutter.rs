//! From a stream's access units to packets on one timeline, once for all who are sent them.

use super::clock::Clock;
use super::delay::Delay;
use super::formats::Order;
use super::recent::Sample;
use crate::hub::TrackSet;
use media::{AccessUnit, Codec, Kind, Timebase};
use rtp::payload;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Longest payload in bytes: with the headers below it, a datagram that every path takes whole (1,280
/// bytes of IPv6).
const MAX_PAYLOAD: usize = 1_180;

/// Cuts the access units of one stream.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    tracks: Option<Arc<TrackSet>>,
    order: Order,
    clock: Clock,
    delay: Delay,
    known_delay: Duration,
}

impl Cutter {
    /// The stream has these tracks from now on. Whether its pictures are others than before.
    pub(super) fn set_tracks(&mut self, new: &Arc<TrackSet>) -> bool {
        let old = self.tracks.replace(new.clone());
        let old = old.as_ref().and_then(|old| old.first(Kind::Video));
        old != new.first(Kind::Video)
    }

    /// The packets of an access unit, and how long ago it was captured; none when its track is not sent by WebRTC.
    ///
    /// # Errors
    /// Why the stream can be sent no longer.
    pub(super) fn cut(
        &mut self,
        unit: &AccessUnit,
    ) -> Result<Option<(Sample, Duration)>, &'static str> {
        let Some(tracks) = &self.tracks else {
            return Ok(None);
        };
        let Some(mut sample) = packetize(tracks, unit) else {
            return Ok(None);
        };
        sample.place(&mut self.clock, unit.discontinuity);
        // What begins after an offer was answered is seen here alone.
        if sample.kind == Kind::Video && self.order.is_reordered(sample.time) {
            return Err("the stream has B-frames");
        }
        // One for all tracks, or they would be put together anew; pictures tell, where there are any.
        if sample.kind == Kind::Video || tracks.first(Kind::Video).is_none() {
            self.known_delay = self.delay.learn(SystemTime::now(), unit.capture);
        }
        Ok(Some((sample, self.known_delay)))
    }
}

impl Sample {
    /// Moves its time to where the clock wants it.
    fn place(&mut self, clock: &mut Clock, seam: bool) {
        let micros = self.timebase.rescale(self.time, Timebase::MICROS);
        let shift = clock.shift(Instant::now(), micros, seam);
        let shift = Timebase::MICROS.rescale(shift, self.timebase);
        self.time = self.time.saturating_add(shift);
    }
}

/// The packets of an access unit; none when its codec is not sent by WebRTC.
fn packetize(tracks: &TrackSet, unit: &AccessUnit) -> Option<Sample> {
    let track = tracks.get(unit.track)?;
    let kind = track.kind();
    // A second track of a kind has no place in a session.
    if tracks.first(kind)?.id != track.id {
        return None;
    }
    let is_sent = matches!(
        track.codec,
        Codec::H264(_)
            | Codec::H265(_)
            | Codec::Av1(_)
            | Codec::Vp9(_)
            | Codec::Vp8(_)
            | Codec::Opus(_)
    );
    if !is_sent {
        return None;
    }
    let payloads = payload::packetize(&track.codec, &unit.payload, MAX_PAYLOAD).ok()?;
    Some(Sample {
        kind,
        time: unit.pts,
        timebase: track.timebase,
        payloads,
        random_access: unit.random_access,
    })
}
