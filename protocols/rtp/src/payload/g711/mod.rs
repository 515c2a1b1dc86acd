//! G.711, mu-law and A-law (RFC 3551 section 4.5.14): one byte for each sample, cut anywhere.

mod depacketizer;

pub use depacketizer::Depacketizer;

use super::{Payloads, Writer};

/// The static payload type of mu-law at 8 kHz, mono.
pub const PCMU: u8 = 0;

/// The static payload type of A-law at 8 kHz, mono.
pub const PCMA: u8 = 8;

/// Cuts samples into payloads of at most `max_payload` bytes (0 counts as 1).
pub fn packetize(samples: &[u8], max_payload: usize) -> Payloads {
    let max_payload = max_payload.max(1);
    let count = samples.len().div_ceil(max_payload);
    let mut writer = Writer::with_capacity(samples.len(), count);
    for part in samples.chunks(max_payload) {
        writer.put(&[part]);
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_frames_are_cut() {
        let payloads = packetize(&[0xd5; 400], 160);
        let sizes: Vec<_> = payloads.iter().map(<[u8]>::len).collect();
        assert_eq!(sizes, [160, 160, 80]);
        assert!(packetize(&[], 160).is_empty());
    }
}
