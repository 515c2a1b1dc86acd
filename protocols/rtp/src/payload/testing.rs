//! What the tests of several payload formats use.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use super::{Event, Input, Unit};
use crate::{Header, Payloads, Reorder};
use media::codec::nal;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// H.264 parameter sets of a 16 x 16 picture.
pub(super) const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x0a, 0xda, 0x79];
pub(super) const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

// H.265 parameter sets as x265 writes them.
pub(super) const HEVC_VPS: &[u8] = &[
    0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03,
    0x00, 0x00, 0x03, 0x00, 0x3c, 0x95, 0x94, 0x09,
];
pub(super) const HEVC_SPS: &[u8] = &[
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03,
    0x00, 0x3c, 0xa0, 0x0a, 0x48, 0x0b, 0x9c, 0x95, 0x96, 0x56, 0x59, 0x24, 0xe5, 0x78, 0x0b, 0x40,
    0xb6, 0xdc, 0x00, 0x00, 0x0f, 0xa4, 0x00, 0x01, 0xd4, 0xc1, 0x80, 0x52, 0x31, 0xb8, 0x00, 0x3d,
    0x09, 0x00, 0x07, 0xa1, 0x22,
];
pub(super) const HEVC_PPS: &[u8] = &[0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40];

/// The first bytes of NAL units that the tests put in front of slices.
const OTHERS: [u8; 4] = [6, 14, 78, 80];

pub(super) fn input(timestamp: u32, marker: bool, lost: bool, payload: &[u8]) -> Input<'_> {
    Input {
        timestamp,
        marker,
        lost,
        payload,
    }
}

pub(super) fn nals(payload: &[u8]) -> Vec<Vec<u8>> {
    let units = nal::units(payload);
    units.map(|nal| nal.unwrap().to_vec()).collect()
}

pub(super) fn length_prefixed<T: AsRef<[u8]>>(nals: &[T]) -> Vec<u8> {
    let mut unit = Vec::new();
    for nal in nals {
        unit.extend((nal.as_ref().len() as u32).to_be_bytes());
        unit.extend_from_slice(nal.as_ref());
    }
    unit
}

/// NAL units of a picture of H.264: some others in front, slices of which the first begins the picture.
pub(super) fn picture(
    slice: u8,
    idr: u8,
    others: &'static [u8],
) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let body = prop::collection::vec(1u8.., 1..3_000);
    let other = (
        prop::sample::select(others),
        prop::collection::vec(7u8.., 1..40),
    );
    let others = prop::collection::vec(other, 0..3);
    let slices = prop::collection::vec(body, 1..4);
    (others, slices, any::<bool>()).prop_map(move |(others, slices, is_idr)| {
        let others = others.into_iter().map(|(kind, mut body)| {
            body.insert(0, kind);
            body
        });
        let slices = slices.into_iter().enumerate().map(|(index, mut body)| {
            let first = if index == 0 { 0x80 } else { 0x40 };
            body.splice(0..0, [if is_idr { idr } else { slice }, first]);
            body
        });
        others.chain(slices).collect()
    })
}

/// What happens to a packet on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    Lost,
    /// After those behind it.
    Late(u8),
    Twice,
}

pub(super) fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        20 => Just(Fate::Arrives),
        1 => Just(Fate::Lost),
        2 => (1u8..5).prop_map(Fate::Late),
        1 => Just(Fate::Twice),
    ]
}

/// Sends units through their packets, a lossy network and a reorder buffer to a depacketizer. Packets beyond
/// `fates` arrive.
pub(super) fn there_and_back(
    now: Instant,
    units: &[Vec<u8>],
    mut packetize: impl FnMut(&Vec<u8>) -> Payloads,
    fates: &[Fate],
    mut push: impl FnMut(&Input<'_>),
) {
    let mut packets = Vec::new();
    let mut fates = fates.iter().copied();
    for (index, unit) in units.iter().enumerate() {
        let payloads = packetize(unit);
        for (place, payload) in payloads.iter().enumerate() {
            let header = Header {
                marker: place + 1 == payloads.len(),
                // Close to the wrap.
                sequence: 65_500u16.wrapping_add(packets.len() as u16),
                timestamp: timestamp(index),
                ..Header::default()
            };
            let fate = fates.next().unwrap_or(Fate::Arrives);
            packets.push((header, payload.to_vec(), fate));
        }
    }
    let mut order: Vec<(usize, Header, Vec<u8>)> = Vec::new();
    for (index, (header, payload, fate)) in packets.into_iter().enumerate() {
        match fate {
            Fate::Lost => {}
            Fate::Arrives => order.push((index * 2, header, payload)),
            // The first packet is what the order begins with.
            Fate::Late(by) => {
                let by = if index == 0 { 0 } else { usize::from(by) };
                order.push((index * 2 + by * 2 + 1, header, payload));
            }
            Fate::Twice => {
                order.push((index * 2, header, payload.clone()));
                order.push((index * 2 + 3, header, payload));
            }
        }
    }
    order.sort_by_key(|(place, ..)| *place);
    let mut reorder = Reorder::new(64, Duration::from_secs(1));
    for (_, header, payload) in order {
        reorder.push(now, &header, (header, payload));
    }
    reorder.flush();
    while let Some(arrival) = reorder.pull() {
        let (header, payload) = &arrival.packet;
        let lost = arrival.lost > 0 || arrival.restarted;
        push(&input(header.timestamp, header.marker, lost, payload));
    }
}

/// Whether nothing but NAL units in front of the first slice, of types in [`OTHERS`], is missing.
fn without_others(given: &[u8], sent: &[u8]) -> bool {
    let read = |unit| -> Vec<&[u8]> { nal::units(unit).flatten().collect() };
    let mut given = read(given).into_iter().peekable();
    for nal in read(sent) {
        if given.next_if_eq(&nal).is_none() && !OTHERS.contains(&nal[0]) {
            return false;
        }
    }
    given.next().is_none()
}

pub(super) fn timestamp(index: usize) -> u32 {
    0xffff_f000u32.wrapping_add(index as u32 * 3_000)
}

/// Every unit that was given is one that was sent, in their order; without loss all were.
pub(super) fn check(
    units: &[Vec<u8>],
    fates: &[Fate],
    given: Vec<Event>,
) -> Result<(), TestCaseError> {
    let given: Vec<Unit> = given
        .into_iter()
        .filter_map(|event| match event {
            Event::Unit(unit) => Some(unit),
            Event::Codec(_) => None,
        })
        .collect();
    let mut next = 0;
    for unit in &given {
        let place = (next..units.len()).find(|index| timestamp(*index) == unit.timestamp);
        let Some(place) = place else {
            return Err(TestCaseError::fail("a unit that was not sent, or twice"));
        };
        let (given, sent) = (&unit.payload[..], &units[place][..]);
        let lost = unit.after_loss || next == 0;
        prop_assert!(given == sent || lost && without_others(given, sent));
        // A gap is told; units in front of the first are not missed.
        prop_assert!(place == next || next == 0 || unit.after_loss);
        next = place + 1;
    }
    if !fates.contains(&Fate::Lost) {
        prop_assert_eq!(given.len(), units.len());
        let whole = |(unit, sent): (&Unit, &Vec<u8>)| !unit.after_loss && unit.payload == sent;
        prop_assert!(given.iter().zip(units).all(whole));
    }
    Ok(())
}
