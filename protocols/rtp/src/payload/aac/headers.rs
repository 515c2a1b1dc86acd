//! The section of AU headers in front of the access units (RFC 3640 section 3.2.1).

use crate::payload::PayloadError;
use media::bits::{BitReader, BitsError};

/// Which fields the headers have, and how many bits each (RFC 3640 section 4.1), as the format parameters of
/// the same names say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// `sizeLength`
    pub size: u32,
    /// `indexLength`
    pub index: u32,
    /// `indexDeltaLength`
    pub index_delta: u32,
    /// `CTSDeltaLength`
    pub cts_delta: u32,
    /// `DTSDeltaLength`
    pub dts_delta: u32,
    /// `randomAccessIndication`
    pub random_access: bool,
    /// `streamStateIndication`
    pub stream_state: u32,
    /// `auxiliaryDataSizeLength`
    pub auxiliary_size: u32,
    /// `constantSize`, in bytes; 0 where sizes differ.
    pub constant_size: u32,
}

impl Layout {
    /// Mode AAC-hbr (section 3.3.6), which nearly everybody sends: sizes of 13 bits, indices of 3.
    pub const HIGH_BIT_RATE: Self = Self::mode(13, 3);

    /// Mode AAC-lbr (section 3.3.5), for units of at most 63 bytes: sizes of 6 bits, indices of 2.
    pub const LOW_BIT_RATE: Self = Self::mode(6, 2);

    const fn mode(size: u32, index: u32) -> Self {
        Self {
            size,
            index,
            index_delta: index,
            cts_delta: 0,
            dts_delta: 0,
            random_access: false,
            stream_state: 0,
            auxiliary_size: 0,
            constant_size: 0,
        }
    }

    /// Whether there is a section of headers.
    const fn has_headers(&self) -> bool {
        self.size + self.index + self.index_delta + self.cts_delta + self.dts_delta > 0
            || self.random_access
            || self.stream_state > 0
    }

    /// Reads the sizes of the access units into `sizes`, and gives what stands behind the headers. Without
    /// headers that tell sizes, there are none.
    pub(super) fn read<'a>(
        &self,
        payload: &'a [u8],
        sizes: &mut Vec<usize>,
    ) -> Result<&'a [u8], PayloadError> {
        sizes.clear();
        let truncated = PayloadError::Truncated(payload.len());
        let mut data = payload;
        if self.has_headers() {
            let (length, rest) = payload
                .split_first_chunk::<2>()
                .ok_or_else(|| truncated.clone())?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (headers, rest) =
                rest.split_at_checked(length.div_ceil(8))
                    .ok_or_else(|| PayloadError::Length {
                        length: length.div_ceil(8),
                        room: rest.len(),
                    })?;
            self.headers(headers, length, sizes)?;
            data = rest;
        }
        if self.auxiliary_size > 0 {
            let mut bits = BitReader::new(data);
            let size = bits
                .bits(self.auxiliary_size)
                .map_err(|_| truncated.clone())?;
            let whole = u64::from(self.auxiliary_size).saturating_add(u64::from(size));
            let bytes = usize::try_from(whole.div_ceil(8)).unwrap_or(usize::MAX);
            data = data.get(bytes..).ok_or(truncated)?;
        }
        Ok(data)
    }

    fn headers(
        &self,
        headers: &[u8],
        length: usize,
        sizes: &mut Vec<usize>,
    ) -> Result<(), PayloadError> {
        let mut bits = BitReader::new(headers);
        let padding = (headers.len() * 8).saturating_sub(length);
        // A rest that is shorter than a header is padding that was counted.
        while bits.remaining() > padding {
            let Ok((size, delta)) = self.header(&mut bits, sizes.is_empty()) else {
                break;
            };
            if delta > 0 && !sizes.is_empty() {
                return Err(PayloadError::Unsupported("interleaved AAC"));
            }
            sizes.push(size);
        }
        Ok(())
    }

    /// One header: the size, and by how much the index differs from one more than the one before.
    fn header(&self, bits: &mut BitReader<'_>, first: bool) -> Result<(usize, u32), BitsError> {
        let start = bits.remaining();
        let mut size = bits.bits(self.size)?;
        if self.size == 0 {
            size = self.constant_size;
        }
        let delta = bits.bits(if first { self.index } else { self.index_delta })?;
        for delta in [self.cts_delta, self.dts_delta] {
            if delta > 0 && bits.flag()? {
                bits.bits(delta)?;
            }
        }
        bits.skip(usize::from(self.random_access))?;
        bits.bits(self.stream_state)?;
        if bits.remaining() == start {
            // Headers without a field would be endless.
            return Err(bits.invalid());
        }
        Ok((size as usize, delta))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let hbr = Layout::HIGH_BIT_RATE;
        let everything = Layout {
            size: 6,
            index: 2,
            index_delta: 2,
            cts_delta: 7,
            dts_delta: 7,
            random_access: true,
            stream_state: 4,
            auxiliary_size: 8,
            constant_size: 0,
        };
        type Case<'a> = (Layout, &'a [u8], &'a [usize], &'a [u8]);
        let cases: [Case<'_>; 6] = [
            (hbr, &[0, 16, 0, 3 << 3, 1, 2, 3], &[3], &[1, 2, 3]),
            (hbr, &[0, 32, 0, 8, 0, 16, 1, 2, 2], &[1, 2], &[1, 2, 2]),
            // Bits that make no header.
            (hbr, &[0, 20, 0, 8, 0, 9], &[1], &[9]),
            (
                Layout::LOW_BIT_RATE,
                &[0, 16, 1 << 2, 2 << 2, 9],
                &[1, 2],
                &[9],
            ),
            (Layout::default(), &[9, 9], &[], &[9, 9]),
            // Size 5, index 0, flag, 7 bits, no flag, random access, 4 bits; 3 bits of auxiliary data.
            (
                everything,
                &[0, 22, 0b0001_0100, 0b1111_1111, 0b0111_1100, 3, 0, 9],
                &[5],
                &[9],
            ),
        ];
        for (layout, payload, sizes, data) in cases {
            let mut found = vec![77];
            assert_eq!(layout.read(payload, &mut found), Ok(data), "{payload:?}");
            assert_eq!(found, sizes);
        }
    }

    #[test]
    fn what_cannot_be_read() {
        let hbr = Layout::HIGH_BIT_RATE;
        let length = PayloadError::Length { length: 2, room: 1 };
        let interleaved = PayloadError::Unsupported("interleaved AAC");
        let cases: [(&[u8], PayloadError); 3] = [
            (&[0], PayloadError::Truncated(1)),
            (&[0, 16, 0], length),
            (&[0, 32, 0, 8, 0, 17], interleaved),
        ];
        for (payload, error) in cases {
            assert_eq!(hbr.read(payload, &mut Vec::new()), Err(error));
        }
    }
}
