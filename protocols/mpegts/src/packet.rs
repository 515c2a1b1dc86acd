//! Transport packets: 188 bytes with a header of 4 (clause 2.4.3.2) and, where there is one, an adaptation field
//! (clause 2.4.3.4).

/// Size of a packet in bytes.
pub const SIZE: usize = 188;

/// The first byte of every packet.
pub const SYNC: u8 = 0x47;

/// The PID of packets that carry nothing.
pub const NULL_PID: u16 = 0x1fff;

/// Number of PIDs.
pub const PIDS: usize = 0x2000;

/// Size of the header in bytes.
pub(crate) const HEADER: usize = 4;

/// Largest payload of a packet in bytes.
pub(crate) const MAX_PAYLOAD: usize = SIZE - HEADER;

/// One packet, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Which elementary stream or table it is part of.
    pub pid: u16,
    /// `payload_unit_start_indicator`: a PES packet or a section begins in it.
    pub unit_start: bool,
    /// `transport_scrambling_control` is not 0: the payload is encrypted.
    pub scrambled: bool,
    /// `continuity_counter`, 0 to 15.
    pub continuity: u8,
    /// What its adaptation field says.
    pub adaptation: Adaptation,
    /// The payload; none in packets that have an adaptation field alone.
    pub payload: Option<&'a [u8]>,
}

/// What is used of an adaptation field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adaptation {
    /// `discontinuity_indicator`: the clock, or the continuity counter, does not go on from the packet before.
    pub discontinuity: bool,
    /// `random_access_indicator`: a decoder can start with the PES packet that begins here.
    pub random_access: bool,
    /// The program clock reference, in ticks of 27 MHz, wrapping at 300 times 2³³.
    pub clock: Option<u64>,
}

/// Why a packet was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// `transport_error_indicator`: what received it could not correct it.
    #[error("packet marked as damaged on its way")]
    Damaged,
    /// `adaptation_field_control` is 0.
    #[error("packet of the reserved kind, without payload and adaptation field")]
    Reserved,
    /// The adaptation field reaches past the end of the packet.
    #[error("adaptation field of {0} bytes reaches past the end of its packet")]
    Adaptation(u8),
}

impl<'a> Packet<'a> {
    /// Takes a packet apart whose first byte is [`SYNC`].
    ///
    /// # Errors
    /// When it is marked as damaged, or what it says cannot be.
    pub fn parse(bytes: &'a [u8; SIZE]) -> Result<Self, PacketError> {
        let [_, first, second, control, rest @ ..] = bytes;
        if first & 0x80 != 0 {
            return Err(PacketError::Damaged);
        }
        let mut packet = Self {
            pid: u16::from_be_bytes([first & 0x1f, *second]),
            unit_start: first & 0x40 != 0,
            scrambled: control & 0xc0 != 0,
            continuity: control & 0x0f,
            adaptation: Adaptation::default(),
            payload: None,
        };
        let has_payload = control & 0x10 != 0;
        let payload = match (control & 0x20 != 0, has_payload) {
            (false, false) => return Err(PacketError::Reserved),
            (false, true) => &rest[..],
            (true, _) => {
                let (length, rest) = (rest.first().copied().unwrap_or(0), rest.get(1..));
                let parts = rest.and_then(|rest| rest.split_at_checked(usize::from(length)));
                let (field, payload) = parts.ok_or(PacketError::Adaptation(length))?;
                packet.adaptation = Adaptation::parse(field);
                payload
            }
        };
        packet.payload = has_payload.then_some(payload);
        Ok(packet)
    }
}

impl Adaptation {
    /// Reads the field behind its length. What is cut off is not there.
    fn parse(field: &[u8]) -> Self {
        let Some((flags, rest)) = field.split_first() else {
            return Self::default();
        };
        let clock = match rest.first_chunk::<6>() {
            Some([b0, b1, b2, b3, b4, b5]) if flags & 0x10 != 0 => {
                let base = u64::from(u32::from_be_bytes([*b0, *b1, *b2, *b3])) << 1;
                let base = base | u64::from(*b4 >> 7);
                let extension = u64::from(u16::from_be_bytes([*b4 & 1, *b5]));
                Some(base * 300 + extension)
            }
            _ => None,
        };
        Self {
            discontinuity: flags & 0x80 != 0,
            random_access: flags & 0x40 != 0,
            clock,
        }
    }
}

/// The six bytes of a program clock reference of that time in ticks of 27 MHz.
pub(crate) fn clock_reference(ticks: u64) -> [u8; 6] {
    let base = (ticks / 300) & 0x1_ffff_ffff;
    let extension = (ticks % 300) as u16;
    let [_, _, _, b0, b1, b2, b3, b4] = (base << 7).to_be_bytes();
    let [high, low] = extension.to_be_bytes();
    [b0, b1, b2, b3, b4 | 0x7e | high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(head: &[u8]) -> [u8; SIZE] {
        let mut bytes = [0xff; SIZE];
        bytes[..head.len()].copy_from_slice(head);
        bytes
    }

    #[test]
    fn a_payload_alone() {
        let bytes = packet(&[SYNC, 0x41, 0x00, 0x1a, 9]);
        let read = Packet::parse(&bytes).unwrap();
        assert_eq!(
            (read.pid, read.unit_start, read.continuity),
            (256, true, 10)
        );
        assert_eq!(read.payload.map(<[u8]>::len), Some(184));
        assert_eq!(read.adaptation, Adaptation::default());
        assert!(!read.scrambled);
    }

    #[test]
    fn clocks_there_and_back() {
        for ticks in [0, 1, 299, 300, 27_000_000, (300 << 33) - 1] {
            let mut bytes = packet(&[SYNC, 0x1f, 0xff, 0xe0, 183, 0xd0]);
            bytes[6..12].copy_from_slice(&clock_reference(ticks));
            let read = Packet::parse(&bytes).unwrap();
            assert_eq!(read.adaptation.clock, Some(ticks));
            assert!(read.adaptation.discontinuity && read.adaptation.random_access);
            assert!(read.scrambled);
            assert_eq!((read.pid, read.payload), (NULL_PID, None));
        }
    }

    #[test]
    fn fields_of_every_length() {
        for length in 0..=183u8 {
            let bytes = packet(&[SYNC, 0, 0, 0x30, length, 0]);
            let read = Packet::parse(&bytes).unwrap();
            assert_eq!(read.payload.unwrap().len(), 183 - usize::from(length));
        }
        for length in 184..=255u8 {
            let bytes = packet(&[SYNC, 0, 0, 0x30, length, 0]);
            assert_eq!(Packet::parse(&bytes), Err(PacketError::Adaptation(length)));
        }
    }

    #[test]
    fn a_clock_that_is_cut_off_is_not_there() {
        let bytes = packet(&[SYNC, 0, 0, 0x30, 3, 0x10]);
        assert_eq!(Packet::parse(&bytes).unwrap().adaptation.clock, None);
    }

    #[test]
    fn what_is_refused() {
        let parse = |head: &[u8]| Packet::parse(&packet(head)).map(|_| ()).unwrap_err();
        assert_eq!(parse(&[SYNC, 0x80, 0, 0x10]), PacketError::Damaged);
        assert_eq!(parse(&[SYNC, 0, 0, 0]), PacketError::Reserved);
    }
}
