//! The frame header of an interframe (RFC 6386 sections 9.3 to 9.11 and 19.2), which is coded arithmetically, up to
//! what the frame leaves behind.

/// Whether later frames are decoded alike without this one, from its first partition. False where the partition
/// is too short to tell.
pub(super) fn leaves_no_trace(first_partition: &[u8]) -> bool {
    let Some(mut bits) = BoolReader::new(first_partition) else {
        return false;
    };
    let no_trace = read(&mut bits);
    no_trace && !bits.ended
}

fn read(bits: &mut BoolReader<'_>) -> bool {
    // Segmentation: its map and values hold until others come (9.3).
    if bits.flag() && (bits.flag() || bits.flag()) {
        return false;
    }
    bits.number(1 + 6 + 3); // filter_type, loop_filter_level, sharpness_level
    // So do the filter's deltas (9.6). But encoders of frames that are to be left out say the same with each frame,
    // for where one is lost.
    if bits.flag() && bits.flag() {
        for _ in 0..4 + 4 {
            if bits.flag() {
                bits.number(6 + 1);
            }
        }
    }
    bits.number(2 + 7); // log2_nbr_of_dct_partitions, y_ac_qi
    for _ in 0..5 {
        // The other quantizers' differences and their signs.
        if bits.flag() {
            bits.number(4 + 1);
        }
    }
    let refresh_golden = bits.flag();
    let refresh_alternate = bits.flag();
    let copy_to_golden = !refresh_golden && bits.number(2) != 0;
    let copy_to_alternate = !refresh_alternate && bits.number(2) != 0;
    bits.number(2); // sign biases, which each frame tells
    let refresh_probabilities = bits.flag();
    let refresh_last = bits.flag();
    !(refresh_golden
        || refresh_alternate
        || copy_to_golden
        || copy_to_alternate
        || refresh_probabilities
        || refresh_last)
}

/// The boolean entropy decoder (section 7.3), for flags of even odds: all of those read here.
struct BoolReader<'a> {
    rest: &'a [u8],
    range: u32,
    /// Two bytes, of which the upper is compared.
    value: u32,
    /// Shifts since the last byte came in.
    shifts: u32,
    /// More was read than there is.
    ended: bool,
}

impl<'a> BoolReader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk::<2>()?;
        Some(Self {
            rest,
            range: 255,
            value: u16::from_be_bytes(*first).into(),
            shifts: 0,
            ended: false,
        })
    }

    fn flag(&mut self) -> bool {
        // A probability of 128 in 256.
        let split = 1 + (((self.range - 1) * 128) >> 8);
        let set = self.value >= split << 8;
        if set {
            self.range -= split;
            self.value -= split << 8;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.range <<= 1;
            self.value <<= 1;
            self.shifts += 1;
            if self.shifts == 8 {
                self.shifts = 0;
                match self.rest.split_first() {
                    Some((next, rest)) => {
                        self.value |= u32::from(*next);
                        self.rest = rest;
                    }
                    None => self.ended = true,
                }
            }
        }
        set
    }

    /// An unsigned number, most significant bit first.
    fn number(&mut self, bits: u32) -> u32 {
        (0..bits).fold(0, |value, _| value << 1 | u32::from(self.flag()))
    }
}
