//! Picture order count of each type, from slices that are written here.

use super::*;
use crate::bits::BitWriter;
use bytes::Bytes;

/// Main profile, 160x144, five reference frames; `order` writes what belongs to the type. Slices of both
/// fields may come alone unless there are `frames` only.
fn config(order: impl Fn(BitWriter) -> BitWriter, frames: bool, weighted: bool) -> Config {
    let sps = order(BitWriter::default().bits(24, 0x4d_001e).ue(&[0, 0]));
    let sps = sps.ue(&[5]).bits(1, 0).ue(&[9, if frames { 8 } else { 4 }]);
    let sps = sps.bits(1, frames.into());
    let sps = if frames { sps } else { sps.bits(1, 0) };
    let sps = sps.bits(3, 0b100).nal_unit(&[0x67]);
    let pps = BitWriter::default().ue(&[0, 0]).bits(2, 1).ue(&[0, 0, 0]);
    let pps = pps.bits(3, if weighted { 0b101 } else { 0 }).ue(&[0, 0, 0]);
    let pps = pps.bits(3, 0).nal_unit(&[0x68]);
    Config::new(vec![Bytes::from(sps)], vec![Bytes::from(pps)]).unwrap()
}

fn lsb_config(lsb_bits: u32) -> Config {
    config(|bits| bits.ue(&[0, lsb_bits - 4]), true, false)
}

const IDR: u8 = 0x65;
const REFERENCE: u8 = 0x41;
const OTHER: u8 = 0x01;

/// A slice of a P picture (an I picture for an IDR header) up to what `order` writes, and what follows.
fn slice(header: u8, frame_num: u32, order: impl Fn(BitWriter) -> BitWriter) -> Vec<u8> {
    let kind = if header == IDR { 7 } else { 5 };
    let bits = BitWriter::default()
        .ue(&[0, kind, 0])
        .bits(4, frame_num % 16);
    let bits = order(if header == IDR { bits.ue(&[0]) } else { bits });
    payload(&[bits.bits(32, 0).nal_unit(&[header])])
}

fn payload(units: &[Vec<u8>]) -> Vec<u8> {
    let lengths = units.iter().map(|unit| unit.len() as u32);
    let units = lengths.zip(units);
    units
        .flat_map(|(length, unit)| [&length.to_be_bytes()[..], unit].concat())
        .collect()
}

/// A frame of type 0, whose bottom field comes `delta` after the top field.
fn by_lsb(header: u8, lsb: u32, bits: u32, delta: i32) -> Vec<u8> {
    slice(header, 0, |writer| writer.bits(bits, lsb).se(delta))
}

#[test]
fn type_0_follows_its_lower_bits_through_wraps_both_ways() {
    let mut order = PictureOrder::new(&lsb_config(4));
    let pictures = [
        (IDR, 0, 0),
        (REFERENCE, 6, 6),
        (OTHER, 2, 2),
        (OTHER, 4, 4),
        (REFERENCE, 12, 12),
        (REFERENCE, 2, 18),
        // Back over the wrap, which the next one is not measured from.
        (OTHER, 14, 14),
        (REFERENCE, 8, 24),
    ];
    for (header, lsb, count) in pictures {
        let place = order.place(&by_lsb(header, lsb, 4, 0)).unwrap();
        assert_eq!((place.sequence, place.count, place.spacing), (1, count, 2));
        assert_eq!(place.leading, header != IDR);
    }
    let place = order.place(&by_lsb(IDR, 0, 4, 0)).unwrap();
    assert_eq!((place.sequence, place.count), (2, 0));
    // The field that comes first counts.
    let place = order.place(&by_lsb(REFERENCE, 4, 4, -1)).unwrap();
    assert_eq!((place.count, place.spacing), (3, 1));
}

#[test]
fn type_1_follows_its_cycle() {
    // Two frames between reference frames: those are 3 apart, the others lie 2 and 1 before the next.
    let write = |bits: BitWriter| bits.ue(&[1]).bits(1, 0).se(-4).se(1).ue(&[1]).se(6);
    let mut order = PictureOrder::new(&config(write, true, false));
    let pictures = [
        (IDR, 0, 0, 0),
        (REFERENCE, 1, 0, 6),
        (OTHER, 2, 0, 2),
        (OTHER, 2, 2, 4),
        (REFERENCE, 2, 0, 12),
        (OTHER, 3, 0, 8),
    ];
    for (header, frame_num, delta, count) in pictures {
        let payload = slice(header, frame_num, |bits| bits.se(delta).se(0));
        let place = order.place(&payload).unwrap();
        assert_eq!((place.count, place.spacing), (count, 2), "{frame_num}");
    }
    // 4 bits of frame_num wrap.
    for frame_num in 3..40 {
        let payload = slice(REFERENCE, frame_num, |bits| bits.se(0).se(0));
        let count = order.place(&payload).unwrap().count;
        assert_eq!(count, i64::from(frame_num) * 6);
    }
}

#[test]
fn type_2_is_the_order_of_decoding() {
    let mut order = PictureOrder::new(&config(|bits| bits.ue(&[2]), true, false));
    let headers = [IDR, REFERENCE, OTHER, REFERENCE];
    let places = headers.map(|header| order.place(&slice(header, 1, |bits| bits)).unwrap());
    assert!(places.windows(2).all(|pair| {
        pair[1].is_after(&pair[0]) && pair[1].count - pair[0].count == pair[1].spacing
    }));
    let config = config(|bits| bits.ue(&[2]), true, false);
    assert_eq!(order.depth(&config.video), Some(0));
}

#[test]
fn fields_alone_are_one_apart_and_together_are_a_frame() {
    let config = config(|bits| bits.ue(&[0, 4]), false, false);
    let field = |bottom: u32, lsb: u32| {
        let bits = BitWriter::default().ue(&[0, 5, 0]).bits(4, 0);
        let bits = bits.bits(2, 2 + bottom).bits(8, lsb).bits(32, 0);
        bits.nal_unit(&[REFERENCE])
    };
    let mut order = PictureOrder::new(&config);
    let mut sps = config.video;
    sps.reorder_depth = Some(1);
    for (unit, count) in [(field(0, 4), 4), (field(1, 5), 5)] {
        let place = order.place(&payload(&[unit])).unwrap();
        assert_eq!((place.count, place.spacing), (count, 1));
        assert_eq!(order.depth(&sps), Some(2));
    }
    let place = order.place(&payload(&[field(0, 8), field(1, 9)])).unwrap();
    assert_eq!((place.count, place.spacing), (8, 2));
    assert_eq!(order.depth(&sps), Some(1));
}

#[test]
fn operation_5_begins_anew_whatever_stands_before_it() {
    type Write = fn(BitWriter) -> BitWriter;
    // Reference lists as they are, or changed; weights for the one reference, luma and chroma.
    let plain: Write = |bits| bits.bits(2, 0);
    let changed: Write = |bits| bits.bits(1, 1).ue(&[0]).bits(1, 1).ue(&[0, 7, 2, 1, 3]);
    let weights: Write = |bits| bits.ue(&[5, 5]).bits(1, 1).se(-3).se(9).bits(1, 0);
    let marks: Write = |bits| bits.bits(1, 1).ue(&[3, 1, 0, 1, 2, 5, 0]);
    for (weighted, lists) in [
        (false, plain),
        (false, changed),
        (true, plain),
        (true, changed),
    ] {
        let config = config(|bits| bits.ue(&[0, 4]), true, weighted);
        let mut order = PictureOrder::new(&config);
        order.place(&by_lsb(IDR, 0, 8, 0)).unwrap();
        let reset = slice(REFERENCE, 1, |bits| {
            let bits = lists(bits.bits(8, 20).se(-1));
            marks(if weighted { weights(bits) } else { bits })
        });
        let place = order.place(&reset).unwrap();
        assert_eq!((place.sequence, place.count), (2, 0));
        // Measured from its top field, which lies 1 behind the bottom field.
        let place = order.place(&by_lsb(REFERENCE, 3, 8, 0)).unwrap();
        assert_eq!((place.sequence, place.count), (2, 3));
    }
}

#[test]
fn what_cannot_be_read_has_no_place() {
    let config = lsb_config(8);
    let whole = by_lsb(IDR, 0, 8, 0);
    let mut order = PictureOrder::new(&config);
    assert!(order.place(&whole).is_some());
    for length in 4..7 {
        let mut cut = whole[..length].to_vec();
        cut[3] = length as u8 - 4;
        assert_eq!(order.place(&cut), None, "{length}");
    }
    assert_eq!(order.place(&[]), None);
    assert_eq!(order.place(&payload(&[vec![0x06, 1, 2, 3]])), None);
    // A picture parameter set that was not given, and one with slice groups.
    let unknown = BitWriter::default().ue(&[0, 5, 9]).bits(32, 0);
    assert_eq!(
        order.place(&payload(&[unknown.nal_unit(&[REFERENCE])])),
        None
    );
    let grouped = BitWriter::default()
        .ue(&[0, 0])
        .bits(2, 0)
        .ue(&[1])
        .bits(32, 0);
    let pps = vec![Bytes::from(grouped.nal_unit(&[0x68]))];
    let grouped = Config::new(config.sps, pps).unwrap();
    assert_eq!(PictureOrder::new(&grouped).place(&whole), None);
}

#[test]
fn the_depth_is_told_by_the_vui_or_follows_from_the_rest() {
    // VUI: nothing up to the timing; HRD parameters once; then restrictions with a depth of 2 of 4.
    let vui = |bits: BitWriter| {
        let bits = bits
            .bits(1, 1)
            .bits(4, 0)
            .bits(1, 1)
            .bits(32, 1)
            .bits(32, 50)
            .bits(1, 1);
        let bits = bits.bits(1, 1).ue(&[0]).bits(8, 0).ue(&[9, 9]).bits(21, 0);
        bits.bits(4, 0b0001).bits(1, 1).ue(&[2, 1, 11, 11, 2, 4])
    };
    let none = |bits: BitWriter| bits.bits(1, 0);
    let cases = [
        (0x4d_001eu32, 4, true, Some(2)),
        (0x4d_001e, 4, false, None),
        (0x4d_001e, 1, false, Some(0)),
        (0x42_001e, 4, false, Some(0)),
    ];
    for (profile, references, told, depth) in cases {
        let bits = BitWriter::default()
            .bits(24, profile)
            .ue(&[0, 0, 0, 0, references]);
        let bits = bits.bits(1, 0).ue(&[9, 8]).bits(3, 0b110);
        let sps = if told { vui(bits) } else { none(bits) }.nal_unit(&[0x67]);
        let sps = Sps::parse(&sps).unwrap();
        assert_eq!(sps.reorder_depth, depth, "{profile:x}");
        assert_eq!(sps.frame_rate, told.then_some((50, 2)));
    }
}
