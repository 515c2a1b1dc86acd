//! What is cut into payloads comes back from them, whatever the network does: every format whose units are put together
//! by `units`, `framed` and `samples`.

#![cfg(test)]

use super::testing::{Fate, check, fate, there_and_back};
use super::{Damaged, Depacketizer, Description, jpeg, packetize};
use media::codec::{ac3, av1, g711::Law, g726, jpeg as jpeg_codec, mpeg_audio, vp8, vp9};
use media::{Codec, Data, Timebase};
use proptest::prelude::*;
use std::time::Instant;

const VP8_KEY: &[u8] = &[0x10, 2, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0];
const VP8_NEXT: &[u8] = &[0x11, 2, 0, 7];
const VP9_KEY: &[u8] = &[0x82, 0x49, 0x83, 0x42, 0x00, 0x00, 0xf0, 0x00, 0xf6, 0x07];
const VP9_NEXT: &[u8] = &[0x86, 0x00, 0x40];
/// A sequence header of libaom.
const SEQUENCE: &[u8] = &[
    0x0a, 0x0a, 0x00, 0x00, 0x00, 0x02, 0xaf, 0xff, 0x9f, 0xff, 0x30, 0x08,
];

/// What units are made of: what a key unit and another begin with, and the length that each must have.
struct Kind {
    codec: Codec,
    key: Vec<u8>,
    next: Vec<u8>,
    length: Option<usize>,
    finish: fn(Vec<u8>) -> Vec<u8>,
}

impl Kind {
    fn new(codec: Codec, key: &[u8], next: &[u8]) -> Self {
        Self {
            codec,
            key: key.to_vec(),
            next: next.to_vec(),
            length: None,
            finish: |unit| unit,
        }
    }

    fn unit(&self, index: usize, body: &[u8]) -> Vec<u8> {
        let mut unit = if index == 0 { &self.key } else { &self.next }.clone();
        unit.extend_from_slice(body);
        if let Some(length) = self.length {
            unit.resize(length, 7);
        }
        (self.finish)(unit)
    }
}

/// A frame OBU of these bytes, behind what is in front.
#[expect(
    clippy::needless_pass_by_value,
    reason = "as all kinds of units are finished"
)]
fn temporal_unit(unit: Vec<u8>) -> Vec<u8> {
    let (front, frame) = match unit.strip_prefix(SEQUENCE) {
        Some(frame) => (SEQUENCE, frame),
        None => (&[][..], &unit[..]),
    };
    let mut out = front.to_vec();
    out.push(0x32);
    av1::leb128::write(&mut out, frame.len() as u32);
    out.extend_from_slice(frame);
    out
}

/// An image of these bytes.
fn image(samples: Vec<u8>) -> Vec<u8> {
    let mut image = jpeg::seed();
    image.truncate(image.len() - 92);
    image.extend(samples);
    image.extend([1, 0xff, 0xd9]);
    image
}

fn kinds() -> Vec<Kind> {
    let sound = Timebase::new(48_000).unwrap();
    let config = |obu: &[u8]| av1::Config::from_sequence_header(obu).unwrap();
    let mp3 = [0xff, 0xfb, 0x94, 0xc4];
    let header = mpeg_audio::Header::parse(&mp3).unwrap();
    let mut frame = vec![0x0b, 0x77, 0, 0, 30, 0x40, 0x43, 0xe1];
    let ac3_length = ac3::Header::parse(&frame).unwrap().length();
    frame.resize(ac3_length, 7);
    let ac3_config = ac3::Config::of(&frame).unwrap();
    let size = jpeg_codec::Config {
        width: 16,
        height: 16,
    };
    let klv = &[0x06, 0x0e, 0x2b, 0x34];
    let mut kinds = vec![
        Kind::new(
            Codec::Vp8(vp8::Config::from_key_frame(VP8_KEY).unwrap()),
            VP8_KEY,
            VP8_NEXT,
        ),
        Kind::new(
            Codec::Vp9(vp9::Config::from_key_frame(VP9_KEY).unwrap()),
            VP9_KEY,
            VP9_NEXT,
        ),
        Kind {
            finish: temporal_unit,
            ..Kind::new(
                Codec::Av1(config(SEQUENCE)),
                &[SEQUENCE, &[0x10, 0]].concat(),
                &[0x30, 0],
            )
        },
        Kind {
            finish: image,
            ..Kind::new(Codec::Jpeg(size), &[], &[])
        },
        Kind {
            length: Some(header.length()),
            ..Kind::new(
                Codec::MpegAudio(mpeg_audio::Config::of(&header)),
                &mp3,
                &mp3,
            )
        },
        Kind {
            length: Some(ac3_length),
            ..Kind::new(Codec::Ac3(ac3_config), &frame[..8], &frame[..8])
        },
        Kind::new(Codec::Data(Data::Klv), klv, klv),
        Kind::new(Codec::Data(Data::OnvifMetadata), b"<?xml?>", b"<?xml?>"),
    ];
    let mut samples = vec![
        Codec::G711 {
            law: Law::Mu,
            sample_rate: Timebase::new(8_000).unwrap(),
            channels: 1,
        },
        Codec::G722 { channels: 1 },
        Codec::L16 {
            sample_rate: sound,
            channels: 2,
        },
    ];
    samples.extend((2..=5).filter_map(g726::Bits::new).map(Codec::G726));
    kinds.extend(samples.into_iter().map(|codec| Kind {
        length: Some(240),
        ..Kind::new(codec, &[], &[])
    }));
    kinds
}

proptest! {
    #[test]
    fn units_come_back(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3_000), 1..12),
        fates in prop::collection::vec(fate(), 0..60),
        limit in 300usize..1_400,
    ) {
        for kind in kinds() {
            let units: Vec<_> = bodies
                .iter()
                .enumerate()
                .map(|(index, body)| kind.unit(index, body))
                .collect();
            let description = Description::of(&kind.codec).unwrap();
            let mut depacketizer = Depacketizer::new(&description.format(), Damaged::Drop).unwrap();
            let mut given = Vec::new();
            there_and_back(
                Instant::now(),
                &units,
                |unit| packetize(&kind.codec, unit, limit).unwrap(),
                &fates,
                |input| {
                    // What was lost is the network's fault.
                    let pushed = depacketizer.push(input);
                    assert!(fates.contains(&Fate::Lost) || pushed.is_ok(), "{pushed:?}");
                    given.extend(std::iter::from_fn(|| depacketizer.pull()));
                },
            );
            depacketizer.flush();
            given.extend(std::iter::from_fn(|| depacketizer.pull()));
            let checked = check(&units, &fates, given);
            prop_assert!(checked.is_ok(), "{}: {checked:?}", kind.codec.name());
        }
    }
}
