//! MPEG-2 transport streams (RFC 2250 section 2): a payload is a whole number of transport packets.

use super::PayloadError;

/// The static payload type.
pub const MP2T: u8 = 33;

/// Size of a transport packet in bytes.
pub const PACKET: usize = 188;

/// The byte that each transport packet begins with.
const SYNC: u8 = 0x47;

/// The transport packets of a payload, one after the other. What is no whole packet at the end is left out;
/// what is lost on the way is seen by the continuity counters in them.
///
/// # Errors
/// When something else than transport packets is in it.
pub fn packets(payload: &[u8]) -> Result<&[u8], PayloadError> {
    let whole = payload.len() / PACKET * PACKET;
    let packets = payload.get(..whole).unwrap_or_default();
    match packets
        .chunks(PACKET)
        .all(|packet| packet.first() == Some(&SYNC))
    {
        true if whole > 0 || payload.is_empty() => Ok(packets),
        true => Err(PayloadError::Truncated(payload.len())),
        false => Err(PayloadError::Unsupported(
            "a payload without a sync byte at each 188 bytes",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_packets_are_given() {
        let mut packet = [0; PACKET];
        packet[0] = SYNC;
        let two = [packet, packet].concat();
        assert_eq!(packets(&two), Ok(&two[..]));
        assert_eq!(packets(&two[..200]), Ok(&packet[..]));
        assert_eq!(packets(&[]), Ok(&[][..]));
        assert_eq!(packets(&two[..100]), Err(PayloadError::Truncated(100)));
        assert!(packets(&two[1..]).is_err());
    }
}
