//! One axis of time for the streams of a session.
//!
//! A stream's RTP clock counts from a random value. The answer to PLAY tells each stream's value at the start
//! (`RTP-Info`, RFC 2326 section 12.33), so that times since then are comparable; where it does not, the first
//! packets are taken to be simultaneous, which is roughly right. RTCP sender reports tell a stream's RTP time
//! together with a wall clock that all streams of a camera share (RFC 3550 section 6.4.1): from the moment
//! there is one of both streams, they say how far sound has to be moved against the pictures. A small
//! disagreement is left alone, for each correction is a step that can be heard; a huge one is a camera whose
//! reports make no sense.

use media::Timebase;
use std::time::{Duration, SystemTime};

/// Disagreements up to this are neither seen nor heard.
const TOLERATED_MICROS: u64 = 40_000;

/// Above this, the reports of the two streams do not share a clock.
const MAX_SHIFT_MICROS: u64 = 5_000_000;

/// A camera's clock that is further from ours is not set, and no time of capture is taken from it.
const MAX_CLOCK_ERROR: Duration = Duration::from_secs(24 * 60 * 60);

/// The sender reports of a stream of pictures and one of sound, and what follows from them.
#[derive(Debug, Default)]
pub(super) struct Axis {
    video: Option<i64>,
    audio: Option<i64>,
    shift: i64,
}

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Pictures: never moved.
    Video,
    /// Sound.
    Audio,
}

impl Axis {
    /// Takes a sender report: `ntp` is its 64-bit NTP time, `elapsed` its RTP time since the start in ticks
    /// of `timebase`.
    pub(super) fn report(&mut self, side: Side, ntp: u64, elapsed: i64, timebase: Timebase) {
        let elapsed = timebase.rescale(elapsed, Timebase::MICROS);
        let zero = unix_micros(ntp).saturating_sub(elapsed);
        match side {
            Side::Video => self.video = Some(zero),
            Side::Audio => self.audio = Some(zero),
        }
        let (Some(video), Some(audio)) = (self.video, self.audio) else {
            return;
        };
        let shift = audio.saturating_sub(video);
        let bounded = shift.unsigned_abs() <= MAX_SHIFT_MICROS;
        if bounded && shift.saturating_sub(self.shift).unsigned_abs() > TOLERATED_MICROS {
            tracing::debug!(
                from = self.shift,
                to = shift,
                "sound moved, in microseconds"
            );
            self.shift = shift;
        }
    }

    /// A time of a stream on the common axis, both in ticks of `timebase`.
    pub(super) fn place(&self, side: Side, elapsed: i64, timebase: Timebase) -> i64 {
        match side {
            Side::Video => elapsed,
            Side::Audio => elapsed.saturating_add(Timebase::MICROS.rescale(self.shift, timebase)),
        }
    }

    /// When what lies at `elapsed` was captured, where the camera has told and its clock is set.
    pub(super) fn capture(
        &self,
        side: Side,
        elapsed: i64,
        timebase: Timebase,
        now: SystemTime,
    ) -> Option<SystemTime> {
        let zero = match side {
            Side::Video => self.video,
            Side::Audio => self.audio,
        }?;
        let micros = zero.saturating_add(timebase.rescale(elapsed, Timebase::MICROS));
        let since_epoch = Duration::from_micros(u64::try_from(micros).ok()?);
        let capture = SystemTime::UNIX_EPOCH.checked_add(since_epoch)?;
        let error = match capture.duration_since(now) {
            Ok(ahead) => ahead,
            Err(behind) => behind.duration(),
        };
        (error <= MAX_CLOCK_ERROR).then_some(capture)
    }
}

/// Microseconds since 1970 of an NTP time, whose second half wraps into the era of 2036.
fn unix_micros(ntp: u64) -> i64 {
    let since_epoch = ntp.wrapping_sub(retina::UNIX_EPOCH.0);
    let (seconds, fraction) = (since_epoch >> 32, since_epoch & 0xffff_ffff);
    // Below 2^32 seconds, so that neither product leaves 63 bits.
    (seconds * 1_000_000 + ((fraction * 1_000_000) >> 32)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: Timebase = Timebase::new(8_000).unwrap();

    fn ntp(micros_since_1970: u64) -> u64 {
        let (seconds, micros) = (micros_since_1970 / 1_000_000, micros_since_1970 % 1_000_000);
        retina::UNIX_EPOCH.0 + (seconds << 32) + ((micros << 32) / 1_000_000)
    }

    #[test]
    fn sound_moves_by_what_the_reports_say() {
        let start = 1_700_000_000_000_000;
        // By how much the sound's zero lies behind the picture's, in microseconds; the shift in samples.
        let cases = [
            (0, 0),
            (30_000, 0),
            (250_000, 2_000),
            (-500_000, -4_000),
            (9_000_000, 0),
        ];
        for (late, expected) in cases {
            let mut axis = Axis::default();
            axis.report(
                Side::Video,
                ntp(start + 2_000_000),
                180_000,
                Timebase::VIDEO,
            );
            assert_eq!(axis.place(Side::Audio, 800, SOUND), 800);
            let zero = start.saturating_add_signed(late);
            axis.report(Side::Audio, ntp(zero + 1_000_000), 8_000, SOUND);
            let moved = axis.place(Side::Audio, 800, SOUND) - 800;
            assert!((moved - expected).abs() <= 1, "{late}: {moved}");
            assert_eq!(axis.place(Side::Video, 800, Timebase::VIDEO), 800);
        }
    }

    #[test]
    fn times_of_capture_come_from_clocks_that_are_set() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let mut axis = Axis::default();
        let capture = |axis: &Axis| axis.capture(Side::Video, 90_000, Timebase::VIDEO, now);
        assert_eq!(capture(&axis), None);
        axis.report(Side::Video, ntp(1_700_000_000_000_000), 0, Timebase::VIDEO);
        let found = capture(&axis).unwrap();
        let ahead = found.duration_since(now).unwrap();
        assert!(ahead.abs_diff(Duration::from_secs(1)) < Duration::from_micros(10));
        // A camera that counts from when it was switched on.
        axis.report(Side::Video, 77 << 32, 0, Timebase::VIDEO);
        assert_eq!(capture(&axis), None);
    }
}
