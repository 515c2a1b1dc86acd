//! How a source arrives, for the reports of its receiver (RFC 3550 section 6.4.1, appendices A.1, A.3, A.8).

use super::{Description, NtpTime, Packet, ReceiverReport, ReportBlock, SenderInfo};
use crate::Header;
use std::time::{Duration, Instant};

/// From one report to the next; the first comes after half of it (RFC 3550 section 6.2).
pub const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// A step forwards by less than this is a loss (`MAX_DROPOUT`).
const MAX_DROPOUT: u16 = 3_000;

/// A step back by up to this is a late packet (`MAX_MISORDER`).
const MAX_MISORDER: u16 = 100;

/// Counts the packets of one source as they arrive, before they are put in order.
#[derive(Clone, Debug)]
pub struct Reception {
    clock_rate: u32,
    source: Option<Source>,
    /// The last sender report: its time in short form, and when it came.
    sender_report: Option<(u32, Instant)>,
    due: Option<Instant>,
}

/// What is known of the present source.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    /// Where its timestamps began for us.
    epoch: Instant,
    first: u32,
    /// The highest sequence number, with the count of wraps above it.
    highest: u32,
    received: u32,
    expected_before: u32,
    received_before: u32,
    /// The number that would make a new sequence of the one before, which was far away.
    restart: Option<u16>,
    transit: Option<u32>,
    /// Times 16, as in appendix A.8.
    jitter: u32,
}

impl Reception {
    /// Of packets on a clock of `clock_rate`.
    pub const fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            source: None,
            sender_report: None,
            due: None,
        }
    }

    /// A packet came.
    pub fn received(&mut self, now: Instant, header: &Header) {
        if self.due.is_none() {
            self.due = now.checked_add(REPORT_INTERVAL / 2);
        }
        let source = match &mut self.source {
            Some(source) if source.ssrc == header.ssrc => source,
            _ => {
                self.sender_report = None;
                self.source.insert(Source::new(now, header))
            }
        };
        if source.count(header.sequence) {
            source.measure(now, header.timestamp, self.clock_rate);
        }
    }

    /// A sender report of the source came.
    pub fn sender_report(&mut self, now: Instant, info: &SenderInfo) {
        self.sender_report = Some((NtpTime::compact(info.ntp), now));
    }

    /// When the next report is to be sent; none before anything came.
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The present source.
    pub fn source(&self) -> Option<u32> {
        self.source.map(|source| source.ssrc)
    }

    /// What a report says of the source, from the last report to this one; none before anything came.
    pub fn block(&mut self, now: Instant) -> Option<ReportBlock> {
        let source = self.source.as_mut()?;
        let (last_report, delay) = match self.sender_report {
            Some((time, came)) => (time, now.saturating_duration_since(came)),
            None => (0, Duration::ZERO),
        };
        // In 1/65,536 s; a delay of more than 18 hours does not fit.
        let delay = (delay.as_micros() << 16) / 1_000_000;
        Some(ReportBlock {
            last_report,
            delay: u32::try_from(delay).unwrap_or(u32::MAX),
            ..source.block()
        })
    }

    /// A report with all that belongs to it, as one datagram: who receives, what, and the receiver's canonical
    /// name. Before anything came it has no block, which keeps a session alive all the same. The next one is
    /// due after [`REPORT_INTERVAL`].
    pub fn report(&mut self, now: Instant, receiver: u32, name: &str) -> Vec<u8> {
        let blocks = self.block(now).into_iter().collect();
        let packets = [
            Packet::ReceiverReport(ReceiverReport {
                ssrc: receiver,
                blocks,
            }),
            Packet::Description(Description {
                names: vec![(receiver, name.to_owned())],
            }),
        ];
        let mut datagram = Vec::with_capacity(64 + name.len());
        for packet in packets {
            packet.write(&mut datagram);
        }
        self.due = now.checked_add(REPORT_INTERVAL);
        datagram
    }
}

impl Source {
    fn new(now: Instant, header: &Header) -> Self {
        let first = u32::from(header.sequence);
        Self {
            ssrc: header.ssrc,
            epoch: now,
            first,
            // So that the first packet is counted as the others are.
            highest: first.wrapping_sub(1),
            received: 0,
            expected_before: 0,
            received_before: 0,
            restart: None,
            transit: None,
            jitter: 0,
        }
    }

    /// Counts a packet; says whether it belongs to the sequence (appendix A.1).
    fn count(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
        } else if ahead <= 0u16.wrapping_sub(MAX_MISORDER) {
            if self.restart != Some(sequence) {
                self.restart = Some(sequence.wrapping_add(1));
                return false;
            }
            // Two in a row: the sender began anew. The one before counts too.
            self.first = u32::from(sequence).wrapping_sub(1);
            self.highest = u32::from(sequence);
            self.received = 1;
            self.expected_before = 0;
            self.received_before = 0;
            self.transit = None;
        }
        self.restart = None;
        self.received = self.received.wrapping_add(1);
        true
    }

    /// The interarrival jitter (appendix A.8).
    fn measure(&mut self, now: Instant, timestamp: u32, clock_rate: u32) {
        let elapsed = now.saturating_duration_since(self.epoch).as_micros();
        let arrival = elapsed.wrapping_mul(u128::from(clock_rate)) / 1_000_000;
        let transit = (arrival as u32).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            let settled = (self.jitter + 8) >> 4;
            self.jitter = self
                .jitter
                .saturating_add(difference)
                .saturating_sub(settled);
            // A jump of the clock is no jitter that could ever be told: half of the range stays free.
            self.jitter = self.jitter.min(u32::MAX / 2);
        }
    }

    /// Loss since the last block and altogether (appendix A.3).
    fn block(&mut self) -> ReportBlock {
        let expected = self.highest.wrapping_sub(self.first).wrapping_add(1);
        let expected_now = expected.wrapping_sub(self.expected_before);
        let received_now = self.received.wrapping_sub(self.received_before);
        self.expected_before = expected;
        self.received_before = self.received;
        let lost_now = i64::from(expected_now) - i64::from(received_now);
        let fraction = match lost_now {
            1.. => (lost_now << 8) / i64::from(expected_now.max(1)),
            _ => 0,
        };
        let lost = i64::from(expected) - i64::from(self.received);
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.highest,
            jitter: self.jitter >> 4,
            last_report: 0,
            delay: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::packets;

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header {
            ssrc: 7,
            sequence,
            timestamp,
            ..Header::default()
        }
    }

    fn receive(reception: &mut Reception, now: Instant, numbers: impl IntoIterator<Item = u16>) {
        for number in numbers {
            reception.received(now, &header(number, 0));
        }
    }

    #[test]
    fn loss_is_told_since_the_last_report_and_altogether() {
        let now = Instant::now();
        let mut reception = Reception::new(90_000);
        assert_eq!(reception.block(now), None);
        // Across the wrap, with one missing and one twice.
        receive(&mut reception, now, [65_533, 65_534, 0, 1, 1, 2]);
        let block = reception.block(now).unwrap();
        assert_eq!((block.highest_sequence, block.lost), (0x1_0002, 0));
        assert_eq!(block.fraction_lost, 0);
        receive(&mut reception, now, [3, 7, 8, 6]);
        let block = reception.block(now).unwrap();
        assert_eq!((block.highest_sequence, block.lost), (0x1_0008, 2));
        // Two of six.
        assert_eq!(block.fraction_lost, 85);
        receive(&mut reception, now, [9]);
        assert_eq!(
            reception.block(now).map(|block| block.fraction_lost),
            Some(0)
        );
    }

    #[test]
    fn one_packet_from_afar_is_not_counted_two_begin_anew() {
        let now = Instant::now();
        let mut reception = Reception::new(90_000);
        receive(&mut reception, now, [10, 11, 30_000, 12]);
        let block = reception.block(now).unwrap();
        assert_eq!((block.highest_sequence, block.lost), (12, 0));
        receive(&mut reception, now, [30_000, 30_001, 30_003]);
        let block = reception.block(now).unwrap();
        assert_eq!((block.highest_sequence, block.lost), (30_003, 1));
        // Another source is another count.
        let other = Header {
            ssrc: 8,
            sequence: 5,
            ..Header::default()
        };
        reception.received(now, &other);
        let block = reception.block(now).unwrap();
        assert_eq!((block.ssrc, block.highest_sequence, block.lost), (8, 5, 0));
        assert_eq!(reception.source(), Some(8));
    }

    #[test]
    fn jitter_is_the_mean_of_deviations() {
        let start = Instant::now();
        let mut reception = Reception::new(90_000);
        // 40 ms apart, every second one 10 ms late: 900 ticks.
        for number in 0..400u16 {
            let late = u64::from(number % 2) * 10;
            let now = start + Duration::from_millis(u64::from(number) * 40 + late);
            reception.received(now, &header(number, u32::from(number) * 3_600));
        }
        let jitter = reception.block(start).unwrap().jitter;
        assert!((880..=910).contains(&jitter), "{jitter}");
        // Steady, it decays.
        for number in 400..600u16 {
            let now = start + Duration::from_millis(u64::from(number) * 40);
            reception.received(now, &header(number, u32::from(number) * 3_600));
        }
        assert!(reception.block(start).unwrap().jitter < 10);
    }

    #[test]
    fn reports_refer_to_the_sender_report_and_come_in_time() {
        let start = Instant::now();
        let mut reception = Reception::new(8_000);
        assert_eq!(reception.due(), None);
        receive(&mut reception, start, [1]);
        assert_eq!(reception.due(), Some(start + REPORT_INTERVAL / 2));
        let info = SenderInfo {
            ntp: NtpTime(0x1111_2222_3333_4444),
            ..SenderInfo::default()
        };
        reception.sender_report(start, &info);
        let now = start + Duration::from_millis(500);
        let datagram = reception.report(now, 9, "millstream");
        assert_eq!(reception.due(), Some(now + REPORT_INTERVAL));
        let found: Vec<_> = packets(&datagram).map(Result::unwrap).collect();
        let block = ReportBlock {
            ssrc: 7,
            highest_sequence: 1,
            last_report: 0x2222_3333,
            delay: 0x8000,
            ..ReportBlock::default()
        };
        let expected = [
            Packet::ReceiverReport(ReceiverReport {
                ssrc: 9,
                blocks: vec![block],
            }),
            Packet::Description(Description {
                names: vec![(9, "millstream".to_owned())],
            }),
        ];
        assert_eq!(found, expected);
        let empty = Reception::new(8_000).report(now, 9, "millstream");
        assert_eq!(packets(&empty).flatten().count(), 2);
    }
}
