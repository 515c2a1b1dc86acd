//! A stream of a constant rate, as modulators and some decoders want it: the muxer's packets where they are due, null
//! packets where nothing is, and clock references that say where each packet stands (clause 2.4.2.2).
//!
//! Packets that are due together go one after the other, so that a large picture takes longer than it did. Times of
//! presentation stay what they are: a packet may be late by so much as they lie ahead of the clock, less what a decoder
//! needs ([`MAX_LATE`]). A rate that is too low for the stream is an error.

use crate::muxer::Chunk;
use crate::packet::{NULL_PID, Packet, SIZE, SYNC, clock_reference};
use bytes::Bytes;
use std::collections::VecDeque;

/// Latest that a packet may be, in ticks of 90 kHz: 300 ms.
pub const MAX_LATE: i64 = 27_000;

/// Packets that are given at a time.
pub const IN_A_ROW: usize = 7;

/// Ticks between two clock references, less the time of some packets: 36 ms.
const CLOCK: i64 = 3_240;

/// Steps of time beyond this, forwards or backwards, are another clock: 10 s.
const MAX_STEP: i64 = 900_000;

/// Bits of a packet, in 27 MHz times them.
pub(crate) const CLOCK_BITS: u128 = SIZE as u128 * 8 * 27_000_000;

/// Packets one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When the first is to be sent, in ticks of 90 kHz.
    pub time: i64,
    /// [`IN_A_ROW`] packets.
    pub data: Vec<u8>,
}

/// The rate is too low for the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream needs more than {0} bit/s")]
pub struct TooLow(pub u64);

/// Gives a stream a constant rate. Push chunks, then pull until there is nothing more.
#[derive(Debug)]
pub struct ConstantRate {
    /// Bits in a second.
    rate: u64,
    /// Time of the first packet, in ticks of 90 kHz, and packets since.
    begin: Option<i64>,
    sent: u64,
    /// Time of the newest chunk: up to there it is known what is due.
    newest: i64,
    /// Chunks that are not sent, the first of them from this byte on, and since when that is due.
    waiting: VecDeque<Waiting>,
    at: usize,
    due: i64,
    /// Chunks among them with which another clock begins.
    breaks: usize,
    /// The PID that carries the clock with its newest counter, and when it last did.
    clock: Option<(u16, u8, i64)>,
}

#[derive(Debug)]
struct Waiting {
    time: i64,
    data: Bytes,
    /// Another clock begins with it.
    is_break: bool,
}

impl ConstantRate {
    /// Of so many bits in a second, of which there is at least one packet's worth.
    pub fn new(rate: u64) -> Self {
        Self {
            rate: rate.max(SIZE as u64 * 8),
            begin: None,
            sent: 0,
            newest: 0,
            waiting: VecDeque::new(),
            at: 0,
            due: 0,
            breaks: 0,
            clock: None,
        }
    }

    /// Takes a chunk.
    pub fn push(&mut self, chunk: &Chunk) {
        let step = chunk.time.saturating_sub(self.newest);
        let is_first = self.waiting.is_empty() && self.begin.is_none();
        let is_break = is_first || step.abs() > MAX_STEP;
        self.breaks += usize::from(is_break);
        self.newest = match is_break {
            true => chunk.time,
            false => self.newest.max(chunk.time),
        };
        self.waiting.push_back(Waiting {
            time: chunk.time,
            data: chunk.data.clone(),
            is_break,
        });
    }

    /// The next packets, if it is known what is due by then.
    ///
    /// # Errors
    /// When packets would be too late.
    pub fn pull(&mut self) -> Result<Option<Run>, TooLow> {
        if let Some(first) = self.front()
            && std::mem::take(&mut first.is_break)
        {
            self.begin = Some(first.time);
            (self.sent, self.clock) = (0, None);
            self.breaks -= 1;
        }
        let Some(begin) = self.begin else {
            return Ok(None);
        };
        let last = self.clock_of(self.sent.saturating_add(IN_A_ROW as u64)) / 300;
        // What is of a clock that is over goes at once.
        if self.breaks == 0 && begin.saturating_add(last) > self.newest {
            return Ok(None);
        }
        let time = begin.saturating_add(self.clock_of(self.sent) / 300);
        let mut data = Vec::with_capacity(IN_A_ROW * SIZE);
        for _ in 0..IN_A_ROW {
            self.put(begin, &mut data)?;
            self.sent = self.sent.saturating_add(1);
        }
        Ok(Some(Run { time, data }))
    }

    /// When the packet of that number is sent, in ticks of 27 MHz from the first.
    fn clock_of(&self, number: u64) -> i64 {
        let ticks = CLOCK_BITS * u128::from(number) / u128::from(self.rate);
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }

    fn put(&mut self, begin: i64, out: &mut Vec<u8>) -> Result<(), TooLow> {
        let clock = begin
            .saturating_mul(300)
            .saturating_add(self.clock_of(self.sent));
        let now = clock / 300;
        let start = out.len();
        if let Some((pid, counter, last)) = self.clock
            && now.saturating_sub(last) >= CLOCK
        {
            // A clock alone: its counter stands still.
            let [high, low] = pid.to_be_bytes();
            out.extend([SYNC, high, low, 0x20 | counter, 183, 0x10]);
            out.resize(start + SIZE, 0xff);
        } else if let Some(packet) = self.next(now)? {
            out.extend_from_slice(&packet);
        } else {
            let [high, low] = NULL_PID.to_be_bytes();
            out.extend([SYNC, high, low, 0x10]);
            out.resize(start + SIZE, 0xff);
            return Ok(());
        }
        let packet = out.get_mut(start..).unwrap_or_default();
        let [_, high, low, control, size, flags, reference @ ..] = packet else {
            return Ok(());
        };
        let pid = u16::from_be_bytes([*high & 0x1f, *low]);
        let counter = *control & 0x0f;
        let has_clock = *control & 0x20 != 0 && *size >= 7 && *flags & 0x10 != 0;
        match (reference.first_chunk_mut(), &mut self.clock) {
            (Some(place), _) if has_clock => {
                *place = clock_reference(clock.rem_euclid(300 << 33) as u64);
                self.clock = Some((pid, counter, now));
            }
            (_, Some((known, newest, _))) if *known == pid => *newest = counter,
            _ => {}
        }
        Ok(())
    }

    /// The first chunk that is not wholly sent.
    fn front(&mut self) -> Option<&mut Waiting> {
        while self.waiting.front()?.data.len() <= self.at {
            self.waiting.pop_front();
            self.at = 0;
        }
        self.waiting.front_mut()
    }

    /// The next packet of the muxer's that is due.
    fn next(&mut self, now: i64) -> Result<Option<[u8; SIZE]>, TooLow> {
        loop {
            if self.front().is_none_or(|first| first.is_break) {
                return Ok(None);
            }
            let Some(Waiting { time, data, .. }) = self.waiting.front() else {
                return Ok(None);
            };
            let Some(bytes) = data.get(self.at..).and_then(<[u8]>::first_chunk::<SIZE>) else {
                return Ok(None);
            };
            if self.at == 0 {
                self.due = *time;
            }
            let read = Packet::parse(bytes).ok();
            // Clocks in a chunk say when what follows is due.
            if let Some(clock) = read.as_ref().and_then(|packet| packet.adaptation.clock) {
                let behind = (clock / 300) as i64 - time;
                self.due = time.saturating_add(behind.rem_euclid(1 << 33));
            }
            // Those alone are made anew here, and nothing waits for them: they may be of a time long behind that of
            // what comes next.
            let is_alone = read
                .is_some_and(|packet| packet.payload.is_none() && !packet.adaptation.discontinuity);
            if is_alone && self.clock.is_some() {
                self.at = self.at.saturating_add(SIZE);
                continue;
            }
            if self.due > now && self.breaks == 0 {
                return Ok(None);
            }
            if now.saturating_sub(self.due) > MAX_LATE {
                return Err(TooLow(self.rate));
            }
            let packet = *bytes;
            self.at = self.at.saturating_add(SIZE);
            return Ok(Some(packet));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demuxer::{Demuxer, Event};
    use crate::fuzz::tracks;
    use crate::muxer::Muxer;
    use media::{AccessUnit, TrackId};

    const RATE: u64 = 2_000_000;

    /// Four seconds of ten pictures a second, every tenth of them large, with sound.
    fn units(large: usize) -> Vec<AccessUnit> {
        let unit = |track, dts, random_access, payload: Vec<u8>| AccessUnit {
            track: TrackId(track),
            dts,
            pts: dts,
            random_access,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: payload.into(),
        };
        let mut units = Vec::new();
        for number in 0..40i64 {
            let is_key = number % 10 == 0;
            let size: usize = if is_key { large } else { 5_000 };
            let kind = if is_key { 0x65 } else { 0x41 };
            let head = (size as u32 + 2).to_be_bytes();
            let payload = [&head[..], &[kind, 0x88], &vec![7; size]].concat();
            units.push(unit(0, number * 9_000, is_key, payload));
            // 46.875 frames a second.
            for frame in number * 75 / 16..(number + 1) * 75 / 16 {
                units.push(unit(1, frame * 1_024, true, vec![0x21; 200]));
            }
        }
        units
    }

    fn constant(units: &[AccessUnit], rate: u64) -> Result<Vec<Run>, TooLow> {
        let mut muxer = Muxer::default();
        muxer.set_tracks(&tracks()).unwrap();
        let mut constant = ConstantRate::new(rate);
        let mut runs = Vec::new();
        for unit in units {
            muxer.push(unit).unwrap();
            while let Some(chunk) = muxer.pull() {
                constant.push(&chunk);
                while let Some(run) = constant.pull()? {
                    runs.push(run);
                }
            }
        }
        Ok(runs)
    }

    #[test]
    fn every_packet_stands_where_its_clock_says() {
        let runs = constant(&units(30_000), RATE).unwrap();
        let stream: Vec<u8> = runs.iter().flat_map(|run| run.data.clone()).collect();
        let seconds = (stream.len() * 8) as f64 / RATE as f64;
        assert!((3.7..4.0).contains(&seconds), "{seconds}");
        let mut last: Option<(usize, u64)> = None;
        let mut nulls = 0;
        for (number, packet) in stream.as_chunks::<SIZE>().0.iter().enumerate() {
            let packet = Packet::parse(packet).unwrap();
            nulls += usize::from(packet.pid == NULL_PID);
            let Some(clock) = packet.adaptation.clock else {
                continue;
            };
            if let Some((before, earlier)) = last {
                let (packets, ticks) = ((number - before) as u128, clock - earlier);
                let exact = CLOCK_BITS * packets / u128::from(RATE);
                assert!(u128::from(ticks).abs_diff(exact) <= 1, "{number}");
                assert!(ticks <= 27_000 * 40, "{number}: {ticks}");
            }
            last = Some((number, clock));
        }
        assert!(nulls > 500, "{nulls}");
        for (number, run) in runs.iter().enumerate() {
            let exact = CLOCK_BITS * (number * IN_A_ROW) as u128 / u128::from(RATE) / 300;
            assert_eq!(run.time as u128, exact);
        }
    }

    #[test]
    fn nothing_of_the_stream_changes() {
        let units = units(30_000);
        let runs = constant(&units, RATE).unwrap();
        let mut demuxer = Demuxer::default();
        for run in &runs {
            demuxer.push(&run.data);
        }
        let found: Vec<AccessUnit> = std::iter::from_fn(|| demuxer.pull())
            .filter_map(|event| match event {
                Event::Unit(unit) => Some(unit),
                Event::Fault(fault) => panic!("{fault}"),
                _ => None,
            })
            .collect();
        assert_eq!(demuxer.counts().continuity_errors, 0);
        for (track, ticks, least) in [(0, 36_000, 36), (1, 19_200, 170)] {
            let of = |units: &[AccessUnit], ticks: i64| -> Vec<(i64, Bytes)> {
                let own = units.iter().filter(|unit| unit.track.0 == track);
                own.map(|unit| (unit.pts + ticks, unit.payload.clone()))
                    .collect()
            };
            let (found, expected) = (of(&found, 0), of(&units, ticks));
            assert!(
                found.len() >= least && expected.starts_with(&found),
                "{track}"
            );
        }
    }

    #[test]
    fn a_rate_that_is_too_low_is_told() {
        let refused = constant(&units(200_000), RATE);
        assert_eq!(refused, Err(TooLow(RATE)));
        let words = TooLow(RATE).to_string();
        assert_eq!(words, "the stream needs more than 2000000 bit/s");
        assert!(constant(&units(200_000), 20_000_000).is_ok());
    }

    #[test]
    fn pictures_each_second_leave_room_for_sound() {
        let units: Vec<AccessUnit> = units(30_000)
            .into_iter()
            .filter(|unit| unit.track.0 == 1 || unit.dts % 90_000 == 0)
            .collect();
        let runs = constant(&units, RATE).unwrap();
        let seconds = runs.len() as f64 * (IN_A_ROW * SIZE * 8) as f64 / RATE as f64;
        assert!(seconds > 3.7, "{seconds}");
    }

    #[test]
    fn another_clock_is_followed() {
        let mut units = units(30_000);
        let later = units.iter().map(|unit| {
            let second = if unit.track.0 == 0 { 90_000 } else { 48_000 };
            AccessUnit {
                dts: unit.dts + 3_600 * second,
                pts: unit.pts + 3_600 * second,
                ..unit.clone()
            }
        });
        let later: Vec<AccessUnit> = later.collect();
        units.extend(later);
        let runs = constant(&units, RATE).unwrap();
        let mut demuxer = Demuxer::default();
        runs.iter().for_each(|run| demuxer.push(&run.data));
        assert_eq!(demuxer.counts().continuity_errors, 0);
        let jumps = runs
            .windows(2)
            .filter(|pair| pair[1].time - pair[0].time > 90_000);
        assert_eq!(jumps.count(), 1);
        assert!(runs.last().unwrap().time > 3_603 * 90_000);
    }
}
