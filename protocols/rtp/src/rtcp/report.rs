//! Sender and receiver reports (RFC 3550 sections 6.4.1 and 6.4.2).

use super::Input;
use bytes::BufMut;
use std::time::Duration;

/// Most blocks in one report, as its 5-bit count can say.
const MAX_BLOCKS: usize = 31;

/// The seconds from the start of NTP's era in 1900 to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// A wall clock time: seconds since 1900 in the upper 32 bits, fractions in the lower (section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// From the time since 1970.
    pub fn from_unix(since_1970: Duration) -> Self {
        let seconds = since_1970.as_secs().wrapping_add(UNIX_EPOCH);
        let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
        Self(seconds << 32 | fraction)
    }

    /// The time since 1970. What would be before that is in the era that begins in 2036 (RFC 5905 section 6).
    pub const fn to_unix(self) -> Duration {
        let seconds = self.0 >> 32;
        let era = if seconds < UNIX_EPOCH { 1 << 32 } else { 0 };
        let seconds = seconds + era - UNIX_EPOCH;
        let nanos = ((self.0 & 0xffff_ffff) * 1_000_000_000) >> 32;
        Duration::new(seconds, nanos as u32)
    }

    /// The middle 32 bits, by which reports refer to it.
    pub const fn compact(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// What a sender says of one of its sources, with what it receives itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SenderReport {
    /// The source.
    pub ssrc: u32,
    /// The state of its sending.
    pub info: SenderInfo,
    /// What it receives.
    pub blocks: Vec<ReportBlock>,
}

/// The state of a source's sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// The time of this report.
    pub ntp: NtpTime,
    /// The same time on the clock of the source's packets, which ties the tracks of a session together.
    pub rtp: u32,
    /// Packets sent, wrapping.
    pub packets: u32,
    /// Bytes of payload sent, wrapping.
    pub octets: u32,
}

/// What somebody who sends nothing receives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverReport {
    /// The receiver.
    pub ssrc: u32,
    /// What it receives.
    pub blocks: Vec<ReportBlock>,
}

/// How one source arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// The part lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start, from -2²³ to 2²³ - 1; duplicates make it negative.
    pub lost: i32,
    /// The highest sequence number received, with the count of wraps above it.
    pub highest_sequence: u32,
    /// Interarrival jitter on the clock of the source's packets.
    pub jitter: u32,
    /// [`NtpTime::compact`] of the last sender report; 0 without any.
    pub last_report: u32,
    /// The delay since that report, in 1/65,536 s.
    pub delay: u32,
}

impl SenderReport {
    pub(super) fn read(input: &mut Input<'_>, count: u8) -> Option<Self> {
        let ssrc = input.u32()?;
        let ntp = NtpTime(u64::from(input.u32()?) << 32 | u64::from(input.u32()?));
        let info = SenderInfo {
            ntp,
            rtp: input.u32()?,
            packets: input.u32()?,
            octets: input.u32()?,
        };
        // Cameras count blocks that are not there; their clock is what matters.
        let blocks = (0..count).map_while(|_| ReportBlock::read(input)).collect();
        Some(Self { ssrc, info, blocks })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> u8 {
        out.put_u32(self.ssrc);
        out.put_u64(self.info.ntp.0);
        out.put_u32(self.info.rtp);
        out.put_u32(self.info.packets);
        out.put_u32(self.info.octets);
        write_blocks(&self.blocks, out)
    }
}

impl ReceiverReport {
    pub(super) fn read(input: &mut Input<'_>, count: u8) -> Option<Self> {
        let ssrc = input.u32()?;
        let blocks: Option<_> = (0..count).map(|_| ReportBlock::read(input)).collect();
        Some(Self {
            ssrc,
            blocks: blocks?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> u8 {
        out.put_u32(self.ssrc);
        write_blocks(&self.blocks, out)
    }
}

fn write_blocks(blocks: &[ReportBlock], out: &mut Vec<u8>) -> u8 {
    let blocks = blocks.get(..MAX_BLOCKS).unwrap_or(blocks);
    for block in blocks {
        block.write(out);
    }
    blocks.len() as u8
}

impl ReportBlock {
    fn read(input: &mut Input<'_>) -> Option<Self> {
        let ssrc = input.u32()?;
        let loss = input.u32()?;
        Some(Self {
            ssrc,
            fraction_lost: (loss >> 24) as u8,
            // 24 bits with a sign.
            lost: (loss << 8) as i32 >> 8,
            highest_sequence: input.u32()?,
            jitter: input.u32()?,
            last_report: input.u32()?,
            delay: input.u32()?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let lost = self.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        out.put_u32(self.ssrc);
        out.put_u32(u32::from(self.fraction_lost) << 24 | lost);
        out.put_u32(self.highest_sequence);
        out.put_u32(self.jitter);
        out.put_u32(self.last_report);
        out.put_u32(self.delay);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Packet, packets};

    #[test]
    fn reports_there_and_back() {
        let block = ReportBlock {
            ssrc: 5,
            fraction_lost: 12,
            lost: -3,
            highest_sequence: 0x1_0005,
            jitter: 9,
            last_report: 0xaabb_ccdd,
            delay: 65_536,
        };
        let report = Packet::SenderReport(SenderReport {
            ssrc: 1,
            info: SenderInfo {
                ntp: NtpTime(0x0102_0304_0506_0708),
                rtp: 90_000,
                packets: 10,
                octets: 1_000,
            },
            blocks: vec![block],
        });
        let receiver = Packet::ReceiverReport(ReceiverReport {
            ssrc: 2,
            blocks: vec![block; 2],
        });
        let mut bytes = Vec::new();
        report.write(&mut bytes);
        assert_eq!(bytes[..8], [0x81, 200, 0, 12, 0, 0, 0, 1]);
        assert_eq!(bytes[32..36], [12, 0xff, 0xff, 0xfd]);
        receiver.write(&mut bytes);
        let read: Result<Vec<_>, _> = packets(&bytes).collect();
        assert_eq!(read, Ok(vec![report, receiver]));
    }

    #[test]
    fn a_sender_report_with_too_few_blocks_keeps_its_times() {
        let info = SenderInfo {
            ntp: NtpTime(1 << 63),
            rtp: 9,
            ..SenderInfo::default()
        };
        let report = Packet::SenderReport(SenderReport {
            ssrc: 1,
            info,
            blocks: Vec::new(),
        });
        let mut bytes = Vec::new();
        report.write(&mut bytes);
        bytes[0] |= 2;
        assert_eq!(packets(&bytes).collect::<Vec<_>>(), [Ok(report)]);
    }

    #[test]
    fn ntp_times() {
        let time = NtpTime::from_unix(Duration::new(1, 500_000_000));
        assert_eq!(time.0, (UNIX_EPOCH + 1) << 32 | 0x8000_0000);
        assert_eq!(time.compact(), 0x7e81_8000);
        assert_eq!(time.to_unix(), Duration::new(1, 500_000_000));
        // The second before the era ends, and the next one's first.
        let end = (1u64 << 32) - UNIX_EPOCH;
        assert_eq!(
            NtpTime(0xffff_ffff << 32).to_unix(),
            Duration::from_secs(end - 1)
        );
        assert_eq!(NtpTime(0).to_unix(), Duration::from_secs(end));
        assert_eq!(NtpTime::from_unix(Duration::from_secs(end)).0, 0);
    }
}
