//! What is in a recording that is a transport stream. To be read whole where nobody knows: its length by its clock, and
//! when it was by the marks in it.

use super::RecordError;
use super::host::HostFile;
use super::spans::Spans;
use mpegts::boundary;
use mpegts::packet::{Packet, SIZE, SYNC};
use std::time::Duration;

/// Packets that are read at a time.
const PACKETS: usize = 4_096;

/// Ticks of a clock of 27 MHz until it begins anew.
const CLOCK_WRAP: u64 = 300 << 33;

/// A clock that steps further, or back, was set: 10 s.
const LONGEST_STEP: u64 = 270_000_000;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Where the last whole packet ends.
    pub(super) end: u64,
    /// PES packets that begin.
    pub(super) units: usize,
    /// From the first to the last clock reference.
    pub(super) duration: Duration,
    pub(super) spans: Spans,
}

/// Reads a file from its beginning to its last whole packet.
///
/// # Errors
/// What the disk says, or that it is no transport stream.
pub(super) fn scan(file: &dyn HostFile) -> Result<Found, RecordError> {
    let length = file.length()?;
    let mut walk = Walk::default();
    let mut buffer = vec![0; PACKETS * SIZE];
    'file: loop {
        let left = length.saturating_sub(walk.found.end) / SIZE as u64;
        let count = usize::try_from(left).unwrap_or(PACKETS).min(PACKETS);
        let part = buffer.get_mut(..count * SIZE).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        file.read_exact_at(part, walk.found.end)?;
        for packet in part.chunks_exact(SIZE) {
            // What a power cut left: the length of the file without all of its contents.
            if !walk.take(packet) {
                break 'file;
            }
        }
    }
    if walk.found.end == 0 && length >= SIZE as u64 {
        return Err(RecordError::Foreign("it does not begin as one".into()));
    }
    walk.finish();
    Ok(walk.found)
}

#[derive(Default)]
struct Walk {
    found: Found,
    last_clock: Option<u64>,
    /// Media time so far, in ticks of 27 MHz.
    media: u64,
    /// A mark that was read, until the next clock reference says where it is.
    marked: Option<Duration>,
    /// Where the present stretch begins, and when that was.
    open: Option<(Duration, Option<Duration>)>,
}

impl Walk {
    /// False for what is no packet.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let parsed = bytes.try_into().ok().map(Packet::parse);
        let packet = match parsed {
            Some(Ok(packet)) if bytes.first() == Some(&SYNC) => packet,
            _ => return false,
        };
        self.found.end = self.found.end.saturating_add(SIZE as u64);
        let payload = packet.payload.unwrap_or_default();
        if packet.unit_start && payload.starts_with(&[0, 0, 1]) {
            self.found.units = self.found.units.saturating_add(1);
        }
        self.marked = boundary::read(bytes).or(self.marked);
        let Some(clock) = packet.adaptation.clock else {
            return true;
        };
        if let Some(last) = self.last_clock.replace(clock) {
            let ahead = clock.wrapping_add(CLOCK_WRAP).wrapping_sub(last) % CLOCK_WRAP;
            if ahead <= LONGEST_STEP {
                self.media = self.media.saturating_add(ahead);
            }
        }
        let now = Duration::from_nanos(self.media.saturating_mul(1_000) / 27);
        self.found.duration = now;
        if self.marked.is_some() || self.open.is_none() {
            self.close();
            self.open = Some((now, self.marked.take()));
        }
        true
    }

    fn close(&mut self) {
        if let Some((at, since_1970)) = self.open.take() {
            self.found.spans.push(at, self.found.duration, since_1970);
        }
    }

    fn finish(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fragments::tests as made;
    use crate::record::packets::{Packets, tests};
    use std::fs::File;
    use std::io::Write;

    const NOON: Duration = Duration::from_secs(1_795_003_200);

    /// So many seconds whose second half was 7 seconds later on the clock.
    fn stretches(seconds: i64) -> Vec<u8> {
        let mut packets = Packets::new(&made::tracks());
        let mut all = Vec::new();
        for unit in tests::stream(seconds, 25) {
            let timebase = if unit.track.0 == 0 { 1_000 } else { 48_000 };
            let late = unit.dts / timebase > seconds / 2;
            packets.set_epoch(Some(NOON + Duration::from_secs(u64::from(late) * 7)));
            all.extend(packets.push(&unit));
        }
        all.extend(packets.finish());
        all.concat()
    }

    fn scanned(bytes: &[u8]) -> Result<Found, RecordError> {
        let mut file: File = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        scan(&file)
    }

    #[test]
    fn length_and_gaps_are_found_by_reading() {
        let found = scanned(&stretches(10)).unwrap();
        let length = found.duration;
        assert!(
            length.abs_diff(Duration::from_secs(10)) < Duration::from_millis(200),
            "{length:?}"
        );
        let spans = found.spans.into_list();
        let [first, second] = spans[..] else {
            panic!("{spans:?}")
        };
        let begins = NOON + Duration::from_secs(1);
        assert!(first.since_1970.abs_diff(begins) < Duration::from_millis(200));
        let gap = second.since_1970 - first.until_1970();
        assert!(
            gap.abs_diff(Duration::from_secs(7)) < Duration::from_millis(200),
            "{gap:?}"
        );
    }

    #[test]
    fn what_is_not_whole_is_not_counted() {
        let whole = stretches(4);
        for cut in [0, 1, 187, 188, 1_000, 10_000] {
            let found = scanned(&whole[..cut]).unwrap();
            assert_eq!(found.end, cut as u64 / 188 * 188);
        }
        let mut zeros = whole;
        zeros.truncate(188 * 40);
        zeros.resize(188 * 60, 0);
        assert_eq!(scanned(&zeros).unwrap().end, 188 * 40);
        assert!(scanned(&[b'x'; 400]).is_err());
    }
}
