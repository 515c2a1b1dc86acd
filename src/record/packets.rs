//! Gathers access units into stretches of a transport stream of at most a second. Each begins with a mark that says when
//! it was ([`boundary`]). There is nothing to complete in such a file: it plays as far as it goes.

use super::rules::{Beginning, is_enough};
use super::spans::Spans;
use crate::hub::TrackSet;
use bytes::Bytes;
use media::{AccessUnit, Kind, Timebase, Track};
use mpegts::boundary;
use mpegts::muxer::Muxer;
use mpegts::packet::{Packet, SIZE};
use std::time::Duration;

/// A transport stream of one set of tracks, from the beginning of a file. Times are microseconds of the stream.
#[derive(Debug)]
pub(super) struct Packets {
    muxer: Muxer,
    tracks: Vec<Track>,
    beginning: Beginning,
    /// When the stream's time 0 was, since 1970.
    epoch: Option<Duration>,
    buffer: Vec<u8>,
    /// Times of the first and the newest unit in the buffer.
    held: Option<(i64, i64)>,
    /// Access units that were taken, and what is known of when they were.
    units: usize,
    spans: Spans,
    end: Duration,
}

impl Packets {
    /// For a file of these tracks.
    pub(super) fn new(tracks: &TrackSet) -> Self {
        let mut muxer = Muxer::default();
        // Those that cannot be carried have been left out.
        let _ = muxer.set_tracks(&tracks.tracks);
        Self {
            muxer,
            tracks: tracks.tracks.clone(),
            beginning: Beginning::new(tracks),
            epoch: None,
            buffer: Vec::new(),
            held: None,
            units: 0,
            spans: Spans::default(),
            end: Duration::ZERO,
        }
    }

    pub(super) const fn set_epoch(&mut self, epoch: Option<Duration>) {
        self.epoch = epoch;
    }

    pub(super) fn length(&self, time: i64) -> i64 {
        self.beginning.length(time)
    }

    pub(super) const fn units(&self) -> usize {
        self.units
    }

    pub(super) const fn bytes(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn can_begin_with(&self, unit: &AccessUnit) -> bool {
        let track = self.tracks.iter().find(|track| track.id == unit.track);
        track.is_some_and(|track| self.beginning.can_be(unit, track))
    }

    /// Adds the next access unit. Gives the stretch that ends before it, if one does.
    pub(super) fn push(&mut self, unit: &AccessUnit) -> Option<Bytes> {
        let track = self.tracks.iter().find(|track| track.id == unit.track)?;
        let time = track.timebase.rescale(unit.dts, Timebase::MICROS);
        self.beginning.admit(unit, track, time)?;
        let is_start = unit.random_access && track.kind() == Kind::Video;
        let length = self
            .held
            .map_or(0, |(begins, _)| time.saturating_sub(begins));
        let done = match is_enough(length, self.buffer.len(), is_start) {
            true => self.flush(),
            false => None,
        };
        // What cannot be carried is left out; the next unit may be.
        if self.muxer.push(unit).is_ok() {
            self.units = self.units.saturating_add(1);
        }
        self.pull();
        let (begins, newest) = self.held.unwrap_or((time, time));
        self.held = Some((begins.min(time), newest.max(time)));
        done
    }

    /// Nothing could be written.
    pub(super) const fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The stretch of all that is there, but for sound that waits for more.
    pub(super) fn flush(&mut self) -> Option<Bytes> {
        if self.buffer.is_empty() {
            return None;
        }
        let mut packets = std::mem::take(&mut self.buffer);
        if let Some((begins, newest)) = self.held.take() {
            let begins = micros(self.length(begins));
            let origin = micros(self.beginning.origin().unwrap_or(0));
            let since_1970 = self.epoch.map(|epoch| epoch + origin + begins);
            self.end = self.end.max(micros(self.length(newest)));
            self.spans.push(begins, self.end, since_1970);
            if let Some(since_1970) = since_1970 {
                mark(&mut packets, since_1970);
            }
        }
        Some(packets.into())
    }

    /// The last stretch.
    pub(super) fn finish(&mut self) -> Option<Bytes> {
        self.muxer.flush();
        self.pull();
        self.flush()
    }

    /// What is in the file by now: access units, from the first to the last, and when that was.
    pub(super) fn known(&self) -> (usize, Duration, Spans) {
        (self.units, self.end, self.spans.clone())
    }

    fn pull(&mut self) {
        while let Some(chunk) = self.muxer.pull() {
            self.buffer.extend_from_slice(&chunk.data);
        }
    }
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// Says when these packets were, in front of the first one with the clock's PID.
fn mark(packets: &mut Vec<u8>, since_1970: Duration) {
    let parsed = || {
        let chunks = packets.chunks_exact(SIZE).enumerate();
        chunks.filter_map(|(at, packet)| Some((at, Packet::parse(packet.try_into().ok()?).ok()?)))
    };
    let mut clocks = parsed().filter(|(_, packet)| packet.adaptation.clock.is_some());
    let Some(pid) = clocks.next().map(|(_, packet)| packet.pid) else {
        return;
    };
    let Some((at, first)) = parsed().find(|(_, packet)| packet.pid == pid) else {
        return;
    };
    // A packet without payload has the number of the one before.
    let before = u8::from(first.payload.is_some());
    let mark = boundary::packet(pid, first.continuity.wrapping_sub(before), since_1970);
    let at = at * SIZE;
    packets.splice(at..at, mark).for_each(drop);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::fragments::tests as made;
    use std::sync::Arc;

    const NOON: Duration = Duration::from_secs(1_795_003_200);

    /// The units of [`made::stream`], whose pictures are NAL units.
    pub(in crate::record) fn stream(seconds: i64, gop: i64) -> Vec<Arc<AccessUnit>> {
        let units = made::stream(seconds, gop).into_iter();
        let units = units.map(|unit| match unit.track.0 {
            0 => Arc::new(AccessUnit {
                payload: picture(unit.random_access),
                ..AccessUnit::clone(&unit)
            }),
            _ => unit,
        });
        units.collect()
    }

    pub(in crate::record) fn picture(random_access: bool) -> Bytes {
        match random_access {
            true => Bytes::from_static(&[0, 0, 0, 3, 0x65, 0x88, 0x84]),
            false => Bytes::from_static(&[0, 0, 0, 3, 0x41, 0x9a, 0x20]),
        }
    }

    #[test]
    fn stretches_are_short_and_marked_and_all_units_are_in_them() {
        let mut packets = Packets::new(&made::tracks());
        packets.set_epoch(Some(NOON));
        let mut stretches = Vec::new();
        for unit in stream(10, 25) {
            stretches.extend(packets.push(&unit));
        }
        stretches.extend(packets.finish());
        assert!(stretches.len().abs_diff(12) <= 2, "{}", stretches.len());
        let whole: Vec<u8> = stretches.concat();
        assert_eq!(whole.len() % SIZE, 0);
        let marks = whole.chunks(SIZE).filter_map(boundary::read);
        let marks: Vec<Duration> = marks.collect();
        assert_eq!(marks.len(), stretches.len());
        // The media begins a second after that of the stream.
        assert!(marks[0].abs_diff(NOON + Duration::from_secs(1)) < Duration::from_millis(1));
        let (units, end, spans) = packets.known();
        assert_eq!(spans.into_list().len(), 1);
        assert!(end.abs_diff(Duration::from_secs(10)) < Duration::from_millis(100));
        // Packets are numbered as if the marks were not there.
        let mut last = std::collections::HashMap::new();
        for packet in whole.chunks_exact(SIZE) {
            let packet = Packet::parse(packet.try_into().unwrap()).unwrap();
            let step = u8::from(packet.payload.is_some());
            if let Some(before) = last.insert(packet.pid, packet.continuity) {
                let expected = (before + step) & 15;
                assert_eq!(packet.continuity, expected, "PID {}", packet.pid);
            }
        }
        assert!((700..760).contains(&units), "{units}");
    }
}
