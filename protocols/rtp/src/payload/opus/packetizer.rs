//! From an Opus packet to its payload.

use crate::Payloads;

/// The payload of one Opus packet, which is never cut (RFC 7587 section 4.2). An empty packet gives none.
pub fn packetize(packet: &[u8]) -> Payloads {
    if packet.is_empty() {
        return crate::payload::Writer::default().finish();
    }
    Payloads::single(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_packet_is_one_payload() {
        assert_eq!(
            packetize(&[0xfc, 1]).iter().collect::<Vec<_>>(),
            [[0xfc, 1]]
        );
        assert!(packetize(&[]).is_empty());
    }
}
