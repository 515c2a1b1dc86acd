//! When a camera's pictures become the stream: not before a decoder can start with them.
//!
//! Who joins a camera gets the middle of a group of pictures. The stream may have another source at that time, whose
//! pictures must not be replaced by some that nobody can show.

use crate::transport::rtp::Event;
use media::{Kind, Track};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Pictures without any random access point are taken as they are after so long: they may be refreshed bit by bit.
const WAIT: Duration = Duration::from_secs(5);

/// Holds events back until a decoder can start.
#[derive(Debug, Default)]
pub(super) struct Gate {
    is_open: bool,
    since: Option<Instant>,
    tracks: BTreeMap<u16, Track>,
}

impl Gate {
    /// Takes an event, and gives what may pass now: at the beginning all tracks, and the unit.
    pub(super) fn pass(&mut self, now: Instant, event: Event) -> Vec<Event> {
        if self.is_open {
            return vec![event];
        }
        let unit = match event {
            Event::Track(track) => {
                self.tracks.insert(track.id.0, track);
                return Vec::new();
            }
            Event::Unit(unit) => unit,
        };
        let since = *self.since.get_or_insert(now);
        let is_picture = |track: &Track| track.kind() == Kind::Video;
        let of_picture = self.tracks.get(&unit.track.0).is_some_and(is_picture);
        let begins = of_picture && unit.random_access;
        let has_pictures = self.tracks.values().any(is_picture);
        if !begins && has_pictures && now.saturating_duration_since(since) < WAIT {
            return Vec::new();
        }
        self.is_open = true;
        let tracks = std::mem::take(&mut self.tracks).into_values();
        tracks
            .map(Event::Track)
            .chain([Event::Unit(unit)])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use media::codec::vp8;
    use media::{AccessUnit, Codec, Timebase, TrackId};

    fn track(id: u16, codec: Codec) -> Event {
        Event::Track(Track {
            id: TrackId(id),
            codec,
            timebase: Timebase::VIDEO,
        })
    }

    fn unit(id: u16, random_access: bool) -> Event {
        Event::Unit(AccessUnit {
            track: TrackId(id),
            pts: 0,
            dts: 0,
            random_access,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::new(),
        })
    }

    fn video() -> Event {
        let config = vp8::Config {
            width: 16,
            height: 16,
        };
        track(0, Codec::Vp8(config))
    }

    fn sound() -> Event {
        track(1, Codec::G722 { channels: 1 })
    }

    #[test]
    fn it_opens_with_a_picture_to_start_with() {
        let now = Instant::now();
        let mut gate = Gate::default();
        for event in [video(), sound(), unit(0, false), unit(1, true)] {
            assert_eq!(gate.pass(now, event), []);
        }
        let expected = [video(), sound(), unit(0, true)];
        assert_eq!(gate.pass(now, unit(0, true)), expected);
        assert_eq!(gate.pass(now, unit(0, false)), [unit(0, false)]);
    }

    #[test]
    fn sound_alone_waits_for_nothing_and_pictures_not_for_ever() {
        let now = Instant::now();
        let mut gate = Gate::default();
        assert_eq!(gate.pass(now, sound()), []);
        assert_eq!(gate.pass(now, unit(1, true)), [sound(), unit(1, true)]);
        let mut gate = Gate::default();
        gate.pass(now, video());
        assert_eq!(gate.pass(now, unit(0, false)), []);
        let later = gate.pass(now + WAIT, unit(0, false));
        assert_eq!(later, [video(), unit(0, false)]);
    }
}
