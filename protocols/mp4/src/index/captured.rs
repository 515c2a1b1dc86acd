//! When a sample of a fragment was captured: the `prft` box in front of it (ISO/IEC 14496-12 clause 8.16.5).

use bytes::Buf;
use std::time::Duration;

/// From 1900, where NTP begins to count, to 1970.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// What a `prft` box says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Number of the track in the file.
    pub track: u32,
    /// Time of the sample, in ticks of the track.
    pub media_time: u64,
    /// When it was captured, since 1970.
    pub since_1970: Duration,
}

impl Captured {
    /// Reads the box, header included, in either version. `None` when it is another box, or not whole.
    pub fn read(mut prft: &[u8]) -> Option<Self> {
        let _size = prft.try_get_u32().ok()?;
        if prft.try_get_u32().ok()? != u32::from_be_bytes(*b"prft") {
            return None;
        }
        let version = prft.try_get_u32().ok()? >> 24;
        let track = prft.try_get_u32().ok()?;
        let ntp = prft.try_get_u64().ok()?;
        let media_time = match version {
            0 => prft.try_get_u32().ok()?.into(),
            _ => prft.try_get_u64().ok()?,
        };
        // Seconds count anew from 2036 on.
        let era = if ntp >> 32 < NTP_TO_UNIX { 1 << 32 } else { 0 };
        let seconds = (ntp >> 32) + era - NTP_TO_UNIX;
        // The half that rounds to the nearest makes it come out as it was put in.
        let nanos = ((ntp & 0xffff_ffff) * 1_000_000_000 + (1 << 31)) >> 32;
        let since_1970 = Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        Some(Self {
            track,
            media_time,
            since_1970,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fragment::{Capture, Front, Run, Sample, write_behind};
    use crate::fuzz::video_track;
    use bytes::Bytes;

    #[test]
    fn what_is_written_is_read() {
        let track = video_track();
        let samples = [Sample {
            duration: 40,
            composition_offset: 0,
            random_access: true,
            disposable: false,
            payload: Bytes::from_static(b"x"),
        }];
        let run = Run {
            track: &track,
            base_decode_time: 0,
            samples: &samples,
        };
        // Today, and when NTP has begun to count anew.
        for since_1970 in [1_795_175_413_123, 3_000_000_000_999, 2_085_978_496_000] {
            let since_1970 = Duration::from_millis(since_1970);
            let capture = Some(Capture {
                track: &track,
                media_time: 77,
                since_1970,
            });
            let front = Front {
                capture,
                ..Front::default()
            };
            let fragment = write_behind(front, 1, &[run]);
            let read = Captured::read(&fragment).unwrap();
            assert_eq!((read.track, read.media_time), (1, 77));
            assert!(read.since_1970.abs_diff(since_1970) < Duration::from_nanos(2));
            for length in 0..32 {
                assert_eq!(Captured::read(&fragment[..length]), None, "{length}");
            }
            assert_eq!(Captured::read(&fragment[32..]), None);
        }
    }
}
