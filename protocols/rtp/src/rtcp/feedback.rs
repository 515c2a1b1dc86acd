//! Feedback of receivers: what is missing, and that a picture to start at is wanted (RFC 4585 section 6,
//! RFC 5104 section 4.3.1), and how much the way there is thought to carry.

use super::Input;
use bytes::BufMut;

/// The highest bit rate that both can be written and be counted with.
const MAX_BITRATE: u64 = 0x3_ffff << 46;

/// Packets of one source that did not arrive (generic NACK, RFC 4585 section 6.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nack {
    /// Who says so.
    pub sender: u32,
    /// The source.
    pub media: u32,
    /// Which packets; at least one entry.
    pub lost: Vec<NackPair>,
}

/// Up to 17 lost packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NackPair {
    /// The first of them.
    pub first: u16,
    /// Bit `n`, from 0, says that `first + n + 1` is lost too.
    pub following: u16,
}

/// A decoder has lost its pictures (PLI, RFC 4585 section 6.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureLoss {
    /// Who says so.
    pub sender: u32,
    /// The source of the pictures.
    pub media: u32,
}

/// A picture to start at is asked for (FIR, RFC 5104 section 4.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FullIntraRequest {
    /// Who asks.
    pub sender: u32,
    /// The sources, each with the number of the request: one seen before is a repetition.
    pub requests: Vec<(u32, u8)>,
}

/// What the receiver thinks that its network carries (REMB, draft-alvestrand-rmcat-remb-03 section 2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverEstimate {
    /// Who says so.
    pub sender: u32,
    /// Bits per second of all the sources together.
    pub bitrate: u64,
    /// The sources; at most 255.
    pub sources: Vec<u32>,
}

impl Nack {
    /// Every lost sequence number, in the order given.
    pub fn sequences(&self) -> impl Iterator<Item = u16> {
        self.lost.iter().flat_map(|pair| pair.sequences())
    }

    /// With these lost packets, which go into as few pairs as their order allows.
    pub fn new(sender: u32, media: u32, sequences: impl IntoIterator<Item = u16>) -> Self {
        let mut lost: Vec<NackPair> = Vec::new();
        for sequence in sequences {
            let last = lost.last_mut();
            let near = last.and_then(|pair| {
                let step = sequence.wrapping_sub(pair.first);
                (1..=16).contains(&step).then(|| (pair, step - 1))
            });
            if let Some((pair, bit)) = near {
                pair.following |= 1 << bit;
            } else {
                lost.push(NackPair {
                    first: sequence,
                    following: 0,
                });
            }
        }
        Self {
            sender,
            media,
            lost,
        }
    }

    pub(super) fn read(input: &mut Input<'_>) -> Option<Self> {
        let (sender, media) = (input.u32()?, input.u32()?);
        let mut lost = vec![NackPair::from_bits(input.u32()?)];
        while let Some(bits) = input.u32() {
            lost.push(NackPair::from_bits(bits));
        }
        Some(Self {
            sender,
            media,
            lost,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.put_u32(self.sender);
        out.put_u32(self.media);
        for pair in &self.lost {
            out.put_u16(pair.first);
            out.put_u16(pair.following);
        }
    }
}

impl NackPair {
    const fn from_bits(bits: u32) -> Self {
        Self {
            first: (bits >> 16) as u16,
            following: bits as u16,
        }
    }

    /// The sequence numbers, at most 17.
    pub fn sequences(self) -> impl Iterator<Item = u16> {
        let following = (0..16u16).filter(move |bit| self.following >> bit & 1 != 0);
        let following = following.map(move |bit| self.first.wrapping_add(bit + 1));
        std::iter::once(self.first).chain(following)
    }
}

impl PictureLoss {
    pub(super) fn read(input: &mut Input<'_>) -> Option<Self> {
        let (sender, media) = (input.u32()?, input.u32()?);
        Some(Self { sender, media })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.put_u32(self.sender);
        out.put_u32(self.media);
    }
}

impl FullIntraRequest {
    pub(super) fn read(input: &mut Input<'_>) -> Option<Self> {
        let sender = input.u32()?;
        // The source of the media is told by each entry.
        input.u32()?;
        let mut requests = Vec::new();
        while let (Some(ssrc), Some(number)) = (input.u32(), input.u32()) {
            requests.push((ssrc, (number >> 24) as u8));
        }
        Some(Self { sender, requests })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.put_u32(self.sender);
        out.put_u32(0);
        for (ssrc, number) in &self.requests {
            out.put_u32(*ssrc);
            out.put_u32(u32::from(*number) << 24);
        }
    }
}

impl ReceiverEstimate {
    /// What tells this message from the others of applications.
    const NAME: u32 = u32::from_be_bytes(*b"REMB");

    /// `None` within when it is a message of another application.
    pub(super) fn read(input: &mut Input<'_>) -> Option<Option<Self>> {
        let sender = input.u32()?;
        input.u32()?;
        if input.u32()? != Self::NAME {
            return Some(None);
        }
        let bits = input.u32()?;
        let (count, exponent) = (bits >> 24, bits >> 18 & 0x3f);
        // 18 bits shifted by more than 46 are more than any network carries.
        // More than that is not written: it has 18 bits and an exponent.
        let bitrate = u64::from(bits & 0x3_ffff).saturating_mul(1 << exponent);
        let bitrate = bitrate.min(MAX_BITRATE);
        let sources = (0..count).map(|_| input.u32()).collect::<Option<_>>()?;
        Some(Some(Self {
            sender,
            bitrate,
            sources,
        }))
    }

    /// Rounded down to the 18 bits that there is room for.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.put_u32(self.sender);
        out.put_u32(0);
        out.put_u32(Self::NAME);
        let exponent = (u64::BITS - self.bitrate.leading_zeros()).saturating_sub(18);
        let mantissa = (self.bitrate >> exponent) as u32;
        let count = self.sources.len().min(255);
        out.put_u32((count as u32) << 24 | exponent << 18 | mantissa);
        for source in self.sources.iter().take(count) {
            out.put_u32(*source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Packet, packets};

    #[test]
    fn lost_packets_there_and_back() {
        let sequences = [65_530, 65_535, 4, 11, 12, 3];
        let nack = Nack::new(1, 2, sequences);
        assert_eq!(nack.sequences().collect::<Vec<_>>(), sequences);
        assert_eq!(nack.lost.len(), 3);
        let packet = Packet::Nack(nack);
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        assert_eq!(bytes[..4], [0x81, 205, 0, 5]);
        assert_eq!(packets(&bytes).collect::<Vec<_>>(), [Ok(packet)]);
    }

    #[test]
    fn wishes_for_pictures_there_and_back() {
        let requests = vec![(2, 7), (3, 8)];
        let all = [
            Packet::PictureLoss(PictureLoss {
                sender: 1,
                media: 2,
            }),
            Packet::FullIntraRequest(FullIntraRequest {
                sender: 1,
                requests,
            }),
        ];
        let mut bytes = Vec::new();
        for packet in &all {
            packet.write(&mut bytes);
        }
        let read: Result<Vec<_>, _> = packets(&bytes).collect();
        assert_eq!(read, Ok(all.to_vec()));
    }

    #[test]
    fn estimates_there_and_back() {
        for (bitrate, read) in [
            (0, 0),
            (0x3_ffff, 0x3_ffff),
            (1_234_567, 1_234_560),
            (u64::MAX, 0x3_ffff << 46),
        ] {
            let estimate = |bitrate| {
                Packet::ReceiverEstimate(ReceiverEstimate {
                    sender: 1,
                    bitrate,
                    sources: vec![2, 3],
                })
            };
            let mut bytes = Vec::new();
            estimate(bitrate).write(&mut bytes);
            assert_eq!(packets(&bytes).collect::<Vec<_>>(), [Ok(estimate(read))]);
        }
        // As Chromium sends it: 2.2 Mbit/s for two sources.
        let chromium = [
            0x8f, 206, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 2, 0x12, 0x19, 0x28,
            0, 0, 0, 2, 0, 0, 0, 3,
        ];
        let Some(Ok(Packet::ReceiverEstimate(estimate))) = packets(&chromium).next() else {
            panic!("not read");
        };
        assert_eq!(
            (estimate.bitrate, estimate.sources),
            (0x2_1928 << 4, vec![2, 3])
        );
        // Of another application, and one that ends among its sources.
        let mut other = chromium;
        other[12] = b'X';
        let (kind, format) = (206, 15);
        assert_eq!(
            packets(&other).next(),
            Some(Ok(Packet::Other { kind, format }))
        );
        let mut short = chromium;
        short[16] = 3;
        assert!(packets(&short).next().unwrap().is_err());
    }
}
