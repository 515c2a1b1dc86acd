//! Picture order count, from slices that are written here.

use super::*;
use crate::bits::BitWriter;
use bytes::Bytes;

const TRAIL_N: u8 = 0;
const TRAIL_R: u8 = 1;

/// x265, 1280x720, whose slices have 8 bits of order.
const SPS: &[u8] = &[
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03,
    0x00, 0x5d, 0xa0, 0x02, 0x80, 0x80, 0x2d, 0x16, 0x59, 0x59, 0xa4, 0x93, 0x2b, 0xc0, 0x5a, 0x02,
    0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x10,
];

/// With an output flag and `extra` bits in slice headers.
fn config(extra: u32) -> Config {
    let pps = BitWriter::default().ue(&[0, 0]).bits(2, 1).bits(3, extra);
    let pps = pps.bits(8, 0).nal_unit(&[0x44, 0x01]);
    let sets = [&[0x40, 0x01, 0x0c][..], SPS, &pps];
    let [vps, sps, pps] = sets.map(|set| vec![Bytes::copy_from_slice(set)]);
    Config::new(vps, sps, pps).unwrap()
}

fn slice(kind: u8, extra: u32, lsb: u32) -> Vec<u8> {
    let bits = BitWriter::default().bits(1, 1);
    let random_access = (16..24).contains(&kind);
    let bits = if random_access { bits.bits(1, 0) } else { bits };
    let bits = bits.ue(&[0]).bits(extra, 0).ue(&[1]).bits(1, 1);
    let bits = if is_idr(kind) {
        bits
    } else {
        bits.bits(8, lsb)
    };
    let unit = bits.bits(32, 0).nal_unit(&[kind << 1, 0x01]);
    payload(&unit)
}

fn payload(unit: &[u8]) -> Vec<u8> {
    [&(unit.len() as u32).to_be_bytes()[..], unit].concat()
}

#[test]
fn the_count_goes_through_wraps_and_begins_anew_at_some_random_access_points() {
    for extra in [0, 3] {
        let mut order = PictureOrder::new(&config(extra));
        let pictures = [
            (nal_type::IDR_W_RADL, 0, (1, 0)),
            (TRAIL_R, 200, (1, -56)),
            (TRAIL_R, 60, (1, 60)),
            (TRAIL_R, 180, (1, 180)),
            (TRAIL_R, 44, (1, 300)),
            (TRAIL_N, 40, (1, 296)),
            (nal_type::RASL_N, 250, (1, 250)),
            // In the middle, clean random access goes on.
            (nal_type::CRA, 100, (1, 356)),
            (nal_type::RASL_R, 96, (1, 352)),
            (nal_type::BLA_W_LP, 70, (2, 70)),
            (TRAIL_R, 78, (2, 78)),
            (nal_type::IDR_N_LP, 0, (3, 0)),
        ];
        for (kind, lsb, expected) in pictures {
            let place = order.place(&slice(kind, extra, lsb)).unwrap();
            assert_eq!((place.sequence, place.count), expected, "{kind} {lsb}");
            assert_eq!((place.spacing, place.leading), (1, !is_idr(kind)));
        }
    }
}

#[test]
fn behind_an_end_of_sequence_clean_random_access_begins_anew() {
    let mut order = PictureOrder::new(&config(0));
    let counts = |order: &mut PictureOrder, lsb| {
        let place = order.place(&slice(nal_type::CRA, 0, lsb)).unwrap();
        (place.sequence, place.count)
    };
    // There was no picture before the first.
    assert_eq!(counts(&mut order, 200), (1, 200));
    assert_eq!(counts(&mut order, 10), (1, 266));
    let end = payload(&[nal_type::END_OF_SEQUENCE << 1, 1]);
    assert_eq!(order.place(&end), None);
    assert_eq!(counts(&mut order, 20), (2, 20));
}

#[test]
fn what_cannot_be_read_has_no_place() {
    let mut order = PictureOrder::new(&config(0));
    let whole = slice(TRAIL_R, 0, 9);
    assert!(order.place(&whole).is_some());
    for length in 4..8 {
        let mut cut = whole[..length].to_vec();
        cut[3] = length as u8 - 4;
        assert_eq!(order.place(&cut), None, "{length}");
    }
    let unit = |bits: BitWriter| payload(&bits.bits(32, 0).nal_unit(&[TRAIL_R << 1, 1]));
    // Another set than there is; not the first slice.
    assert_eq!(
        order.place(&unit(BitWriter::default().bits(1, 1).ue(&[5]))),
        None
    );
    assert_eq!(
        order.place(&unit(BitWriter::default().bits(1, 0).ue(&[0]))),
        None
    );
}

#[test]
fn the_depth_is_told() {
    assert_eq!(config(0).video.reorder_depth, 2);
}
