//! The sound: real AAC, so that a server that bridges it to another codec has the work it would have; or Opus of the
//! same rate, which a server passes on as it is.

use super::{AUDIO_BITRATE, SAMPLE_RATE, Stamp};

/// How the sound is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sound {
    /// AAC-LC, 48 kHz, two channels.
    #[default]
    Aac,
    /// Opus, two channels, 20 ms in a packet.
    Opus,
}

/// 47 frames of pink noise and tones in stereo, AAC-LC at 48 kHz, behind ADTS headers.
static SOUND: &[u8] = include_bytes!("sound.aac");

/// Length of an ADTS header without a checksum.
const HEADER: usize = 7;

/// Bytes of an Opus packet.
const OPUS_BYTES: usize = (AUDIO_BITRATE * OPUS_SAMPLES / SAMPLE_RATE / 8) as usize;
const OPUS_SAMPLES: u64 = 960;

impl Sound {
    /// As it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Opus => "opus",
        }
    }

    /// Samples in a frame.
    pub(super) const fn samples(self) -> u64 {
        match self {
            Self::Aac => 1_024,
            Self::Opus => OPUS_SAMPLES,
        }
    }

    /// What stands before a frame in the body of an FLV tag; Opus is Enhanced RTMP's.
    pub(super) const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Aac => &[0xaf, 1],
            Self::Opus => b"\x91Opus",
        }
    }

    /// The body of the FLV tag that comes first.
    pub(super) fn sequence_header(self) -> Vec<u8> {
        match self {
            // An AudioSpecificConfig.
            Self::Aac => vec![0xaf, 0, 0x11, 0x90],
            // RFC 7845, section 5.1: version 1, two channels, 312 samples to skip, 48 kHz, no gain, mapping family 0.
            Self::Opus => [
                b"\x90OpusOpusHead".as_slice(),
                &[1, 2, 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, 0],
            ]
            .concat(),
        }
    }

    /// The frame of this number, with its stamp.
    pub(super) fn frame(self, number: u64, stamp: &Stamp) -> Vec<u8> {
        match self {
            Self::Aac => aac_frame(number, stamp),
            Self::Opus => opus_packet(stamp),
        }
    }
}

/// AAC, which begins again after the last, with a stamp before it.
fn aac_frame(number: u64, stamp: &Stamp) -> Vec<u8> {
    let mut text = Vec::new();
    stamp.write(&mut text);
    // A data stream element, which decoders pass over: id 4, tag 0, aligned, and its length.
    let mut frame = vec![0x81, text.len() as u8];
    frame.extend_from_slice(&text);
    let count = frames().count().max(1);
    let nth = number as usize % count;
    frame.extend_from_slice(frames().nth(nth).unwrap_or_default());
    frame
}

/// RFC 6716, section 3.1: one CELT frame of 20 ms, full band, two channels. What is in it is filler.
fn opus_packet(stamp: &Stamp) -> Vec<u8> {
    let mut packet = vec![0xfc];
    stamp.write(&mut packet);
    packet.resize(OPUS_BYTES, 7);
    packet
}

/// The raw data blocks, one after the other.
fn frames() -> impl Iterator<Item = &'static [u8]> {
    let mut rest = SOUND;
    std::iter::from_fn(move || {
        let header = rest.first_chunk::<HEADER>()?;
        let [.., l0, l1, l2, _] = *header;
        let length = usize::from(l0 & 3) << 11 | usize::from(l1) << 3 | usize::from(l2 >> 5);
        let (frame, after) = rest.split_at_checked(length)?;
        rest = after;
        frame.get(HEADER..)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Unit;

    #[test]
    fn the_sound_is_a_second_long_and_its_stamps_are_found() {
        assert_eq!(frames().count(), 47);
        assert_eq!(
            frames().map(<[u8]>::len).sum::<usize>(),
            SOUND.len() - 47 * HEADER
        );
        for number in [0, 46, 47, 100_000] {
            let stamp = Stamp {
                unit: Unit::Audio,
                number,
                sent: 5,
            };
            let frame = Sound::Aac.frame(number, &stamp);
            let (found, end) = Stamp::find(&frame).unwrap();
            assert_eq!(found, stamp);
            assert_eq!(frame[1] as usize, end - 2);
            // A channel pair element follows: id 1.
            assert_eq!(frame[end] >> 5, 1);
        }
    }
}
