//! What the fuzz target of sound runs: access units of a stranger, decoded.

use super::decoder::{AAC_FRAME, Decoder};
use super::encoder::{Encoder, RATE};
use media::Codec;
use media::codec::aac;

/// Most access units of an input.
const MAX_UNITS: usize = 64;

/// Access units of AAC, each behind its length in two bytes; the first byte tells how many channels. What comes out of one
/// has as many samples as it has to have and is not louder than full scale, whatever is in it.
pub(crate) fn sound(data: &[u8]) {
    let Some((&kind, mut rest)) = data.split_first() else {
        return;
    };
    let channels = match kind % 3 {
        0 => 1,
        1 => 2,
        _ => 6,
    };
    let Some(mut decoder) = decoder(channels) else {
        return;
    };
    let samples = AAC_FRAME * decoder.channels();
    let is_sound = |decoded: &[f32]| {
        decoded.len() == samples && decoded.iter().all(|level| (-1.0..=1.0).contains(level))
    };
    for _ in 0..MAX_UNITS {
        let Some((length, after)) = rest.split_first_chunk() else {
            return;
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let (unit, after) = after.split_at(after.len().min(length));
        rest = after;
        match decoder.decode(unit) {
            Ok(decoded) => assert!(is_sound(decoded)),
            Err(_) => {
                let concealed = decoder.conceal();
                assert!(concealed.is_empty() || is_sound(concealed));
            }
        }
    }
}

fn decoder(channels: u8) -> Option<Decoder> {
    let config = aac::Config::low_complexity(RATE, channels).ok()?;
    Decoder::new(&Codec::Aac(config)).ok()
}

/// Valid inputs: tones of one and two channels.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let tone = |channels: u8| {
        let mut written = vec![channels - 1];
        let mut encoder = Encoder::aac(channels.into(), RATE).ok();
        for frame in 0..4 {
            let samples = (0..AAC_FRAME * usize::from(channels)).map(|at| {
                let turns = (frame * AAC_FRAME + at / usize::from(channels)) as f32 / 100.0;
                (turns * std::f32::consts::TAU).sin() / 2.0
            });
            let samples: Vec<f32> = samples.collect();
            let encoder = encoder.as_mut();
            if let Some(unit) = encoder.and_then(|encoder| encoder.encode(&samples)) {
                written.extend_from_slice(&(unit.len() as u16).to_be_bytes());
                written.extend_from_slice(&unit);
            }
        }
        written
    };
    vec![("mono", tone(1)), ("stereo", tone(2))]
}
