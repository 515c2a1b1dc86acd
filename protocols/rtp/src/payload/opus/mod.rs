//! Opus (RFC 7587): one Opus packet is one payload.

mod depacketizer;
mod packetizer;

pub use depacketizer::Depacketizer;
pub use packetizer::packetize;

/// The clock of Opus over RTP, whatever the sampling rate of the sound (section 4.1).
pub const CLOCK_RATE: u32 = 48_000;

/// The sound in an Opus packet, in samples of 48 kHz, from its first bytes (RFC 6716 section 3.1); `None`
/// for a packet that is empty or holds more than the 120 ms allowed.
pub fn samples(packet: &[u8]) -> Option<u32> {
    let (&toc, rest) = packet.split_first()?;
    let config = u32::from(toc >> 3);
    let frame = match config {
        // SILK: 10, 20, 40, 60 ms.
        0..12 => [480, 960, 1_920, 2_880][config as usize % 4],
        // Hybrid: 10, 20 ms.
        12..16 => [480, 960][config as usize % 2],
        // CELT: 2.5, 5, 10, 20 ms.
        _ => [120, 240, 480, 960][config as usize % 4],
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(rest.first()? & 0x3f),
    };
    let samples = frame * count;
    (1..=5_760).contains(&samples).then_some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases: [(&[u8], Option<u32>); 8] = [
            (&[0xfc], Some(960)),
            (&[0xe0], Some(120)),
            (&[0x18], Some(2_880)),
            (&[0x61], Some(960)),
            (&[0xff, 3], Some(2_880)),
            (&[0xff, 0], None),
            (&[0xff, 63], None),
            (&[], None),
        ];
        for (packet, expected) in cases {
            assert_eq!(samples(packet), expected, "{packet:?}");
        }
    }
}
