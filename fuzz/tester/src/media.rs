//! A picture and a sound that any decoder takes, without an encoder: H.264 whose macroblocks are all raw samples
//! (I_PCM, ITU-T H.264 clause 7.3.5), 128 by 96, and silence in AAC.

/// Sequence parameter set: Baseline profile, level 1.0, 8 by 6 macroblocks.
pub(crate) const SPS: &[u8] = &[0x67, 0x42, 0x00, 0x0a, 0xf8, 0x41, 0xa2];
/// Picture parameter set.
pub(crate) const PPS: &[u8] = &[0x68, 0xce, 0x38, 0x80];
/// AudioSpecificConfig: AAC LC, 44.1 kHz, two channels.
pub(crate) const AAC: &[u8] = &[0x12, 0x10];
/// A frame of silence.
pub(crate) const SILENCE: &[u8] = &[0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c];

const MACROBLOCKS: usize = 8 * 6;
const SAMPLES: usize = 256 + 128;

/// An IDR picture, all of one brightness. Which one tells pictures apart.
pub(crate) fn picture(number: u8) -> Vec<u8> {
    // The header of the slice up to the first macroblock's type; IDR pictures that follow each other have different
    // idr_pic_id (clause 7.4.3).
    let mut picture = if number.is_multiple_of(2) {
        vec![0x65, 0x88, 0x84, 0x08, 0x68]
    } else {
        vec![0x65, 0x88, 0x82, 0x02, 0x1a]
    };
    // No sample is 0, so that nothing looks like a start code.
    let samples = [0x20 | number; SAMPLES];
    picture.extend_from_slice(&samples);
    // The type (I_PCM is 25) and the bits up to the next byte, in front of each of the others.
    let macroblock = [&[0x0d, 0x00], &samples[..]].concat();
    picture.extend(macroblock.repeat(MACROBLOCKS - 1));
    picture.push(0x80);
    picture
}

/// An access unit as a byte stream (Annex B), with a delimiter and the parameter sets.
pub(crate) fn byte_stream(number: u8) -> Vec<u8> {
    let mut stream = Vec::new();
    for unit in [&[0x09, 0xf0], SPS, PPS, &picture(number)] {
        stream.extend_from_slice(&[0, 0, 0, 1]);
        stream.extend_from_slice(unit);
    }
    stream
}

/// `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 clause 5.3.3.1) of these parameter sets.
pub(crate) fn configuration() -> Vec<u8> {
    let mut record = vec![1, SPS[1], SPS[2], SPS[3], 0xff, 0xe1, 0, SPS.len() as u8];
    record.extend_from_slice(SPS);
    record.extend_from_slice(&[1, 0, PPS.len() as u8]);
    record.extend_from_slice(PPS);
    record
}
