//! Packed audio: segments that are nothing but frames of sound, behind an ID3 tag that tells the time of the first (RFC
//! 8216 section 3.4). Read [`Packed`].

use bytes::Bytes;
use media::clock::Unwrapper;
use media::codec::{ac3, adts, mpeg_audio};
use media::{AccessUnit, Codec, Timebase, Track, TrackId, compact};
use std::collections::VecDeque;

/// Whose private frame of ID3 holds the time.
const OWNER: &[u8] = b"com.apple.streaming.transportStreamTimestamp\0";

/// Header of an ID3 tag, and of a frame in it.
const ID3_HEADER: usize = 10;

/// Tags in front of the sound that are looked through.
const MAX_TAGS: usize = 8;

/// What comes out of a [`Packed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The track is known now, or its configuration is another from here on.
    Track(Track),
    /// The next frame.
    Unit(AccessUnit),
}

/// Why a segment was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It holds no frame of a codec that is packed so.
    #[error("no frames of AAC, MPEG audio or AC-3 are in the segment")]
    NoFrames,
    /// Nothing tells the time, neither here nor in a segment before.
    #[error("no ID3 tag tells the time of the segment")]
    NoTime,
    /// More than [`MAX_FRAMES`].
    #[error("the segment has more than {MAX_FRAMES} frames of sound")]
    TooMany,
}

/// Most frames of a segment: 46 minutes of AAC.
pub const MAX_FRAMES: usize = 1 << 17;

/// Reads the segments of one rendition. Push them in their order, then pull until there is nothing more.
#[derive(Debug)]
pub struct Packed {
    clock: Unwrapper,
    codec: Option<Codec>,
    rate: Timebase,
    /// Time of the frame that comes next, in samples.
    next: Option<i64>,
    events: VecDeque<Event>,
}

impl Default for Packed {
    fn default() -> Self {
        Self {
            clock: Unwrapper::new(33),
            codec: None,
            rate: Timebase::VIDEO,
            next: None,
            events: VecDeque::new(),
        }
    }
}

impl Packed {
    /// Whether a segment looks like one: a tag of ID3, or a frame.
    pub fn is_packed(segment: &[u8]) -> bool {
        segment.starts_with(b"ID3") || Frames::of(segment).is_some()
    }

    /// Takes a segment.
    ///
    /// # Errors
    /// When there is no sound in it, or its time is not known.
    pub fn push(&mut self, segment: &Bytes) -> Result<(), Error> {
        let (told, sound) = untagged(segment);
        let frames = Frames::of(&sound).ok_or(Error::NoFrames)?;
        // What is no time of 33 bits has been seen with all bits above set.
        let told = told.map(|ticks| self.clock.unwrap(ticks & ((1 << 33) - 1)));
        let mut told = told;
        let mut found = Vec::new();
        let mut left_out = false;
        frames.split(&sound, |frame| match found.len() {
            MAX_FRAMES => left_out = true,
            _ => found.push(frame),
        });
        if left_out {
            return Err(Error::TooMany);
        }
        for Frame {
            codec,
            rate,
            samples,
            payload,
        } in found
        {
            if self.codec.as_ref() != Some(&codec) {
                self.next = self.next.map(|next| self.rate.rescale(next, rate));
                self.rate = rate;
                let track = Track {
                    id: TrackId(0),
                    codec: codec.clone(),
                    timebase: rate,
                };
                self.events.push_back(Event::Track(track));
                self.codec = Some(codec);
            }
            let start = told
                .take()
                .map(|ticks| Timebase::VIDEO.rescale_nearest(ticks, rate));
            let time = start.or(self.next).ok_or(Error::NoTime)?;
            self.next = Some(time.saturating_add(i64::from(samples)));
            self.events.push_back(Event::Unit(AccessUnit {
                track: TrackId(0),
                dts: time,
                pts: time,
                random_access: true,
                disposable: false,
                discontinuity: false,
                capture: None,
                payload: compact(payload, segment.len()),
            }));
        }
        Ok(())
    }

    /// The next event.
    pub fn pull(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

/// A frame of sound.
struct Frame {
    codec: Codec,
    rate: Timebase,
    samples: u32,
    payload: Bytes,
}

/// How frames are found.
#[derive(Clone, Copy)]
enum Frames {
    Adts,
    MpegAudio,
    Ac3,
}

impl Frames {
    /// By the beginning.
    fn of(sound: &[u8]) -> Option<Self> {
        match sound {
            [0xff, second, ..] if second & 0xf6 == 0xf0 => Some(Self::Adts),
            [0xff, second, ..] if second & 0xe0 == 0xe0 => Some(Self::MpegAudio),
            [0x0b, 0x77, ..] => Some(Self::Ac3),
            _ => None,
        }
    }

    fn split(self, sound: &Bytes, mut give: impl FnMut(Frame)) {
        match self {
            Self::Adts => {
                let mut rest = sound.clone();
                while let Some(Ok(header)) = rest.first_chunk().map(adts::Header::parse) {
                    if rest.len() < header.length {
                        return;
                    }
                    let frame = rest.split_to(header.length);
                    if let Ok(config) = header.config() {
                        give(Frame {
                            rate: config.sample_rate,
                            codec: Codec::Aac(config),
                            samples: 1_024,
                            payload: frame.slice(header.size..),
                        });
                    }
                }
            }
            Self::MpegAudio => {
                for (header, frame) in mpeg_audio::frames(sound).filter_map(Result::ok) {
                    give(Frame {
                        codec: Codec::MpegAudio(mpeg_audio::Config::of(&header)),
                        rate: header.sample_rate,
                        samples: header.samples(),
                        payload: sound.slice_ref(frame),
                    });
                }
            }
            Self::Ac3 => {
                for (header, unit) in ac3::units(sound).filter_map(Result::ok) {
                    if let Ok(config) = ac3::Config::of(unit) {
                        give(Frame {
                            codec: Codec::Ac3(config),
                            rate: header.sample_rate,
                            samples: header.samples(),
                            payload: sound.slice_ref(unit),
                        });
                    }
                }
            }
        }
    }
}

/// The sound behind the tags in front of it, and the time that one of them tells, in ticks of 90 kHz.
fn untagged(segment: &Bytes) -> (Option<u64>, Bytes) {
    let mut told = None;
    let mut rest = segment.clone();
    for _ in 0..MAX_TAGS {
        let Some((header, body)) = rest.split_at_checked(ID3_HEADER) else {
            break;
        };
        let [b'I', b'D', b'3', version, _, flags, a, b, c, d] = *header else {
            break;
        };
        let footer = if flags & 0x10 != 0 { ID3_HEADER } else { 0 };
        let length = synchsafe([a, b, c, d]);
        let Some(frames) = body.get(..length) else {
            break;
        };
        told = told.or_else(|| time(frames, version));
        let end = ID3_HEADER.saturating_add(length).saturating_add(footer);
        rest = rest.slice(end.min(rest.len())..);
    }
    (told, rest)
}

/// The time in the private frame of a tag.
fn time(mut frames: &[u8], version: u8) -> Option<u64> {
    while let Some((header, body)) = frames.split_at_checked(ID3_HEADER) {
        let [k0, k1, k2, k3, a, b, c, d, ..] = *header else {
            return None;
        };
        // Lengths are plain before ID3v2.4.
        let length = match version {
            4.. => synchsafe([a, b, c, d]),
            _ => u32::from_be_bytes([a, b, c, d]) as usize,
        };
        let content = body.get(..length)?;
        if [k0, k1, k2, k3] == *b"PRIV"
            && let Some(value) = content.strip_prefix(OWNER)
        {
            return value.first_chunk().map(|ticks| u64::from_be_bytes(*ticks));
        }
        frames = body.get(length..)?;
    }
    None
}

/// Four bytes of seven bits each.
const fn synchsafe(bytes: [u8; 4]) -> usize {
    let [a, b, c, d] = bytes;
    ((a & 0x7f) as usize) << 21
        | ((b & 0x7f) as usize) << 14
        | ((c & 0x7f) as usize) << 7
        | (d & 0x7f) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tag with the time, in the form of ID3v2.4.
    fn tag(ticks: u64) -> Vec<u8> {
        let content = OWNER.len() + 8;
        let mut tag = b"ID3\x04\0\0\0\0\0".to_vec();
        tag.push((content + ID3_HEADER) as u8);
        tag.extend(b"PRIV\0\0\0");
        tag.push(content as u8);
        tag.extend([0, 0]);
        tag.extend(OWNER);
        tag.extend(ticks.to_be_bytes());
        tag
    }

    fn aac(frames: usize) -> Vec<u8> {
        let config = media::codec::aac::Config::low_complexity(48_000, 2).unwrap();
        let writer = adts::Writer::new(&config).unwrap();
        let mut out = Vec::new();
        for frame in 0..frames {
            let payload = [frame as u8; 10];
            out.extend(writer.header(payload.len()).unwrap());
            out.extend(payload);
        }
        out
    }

    #[test]
    fn the_number_of_frames_is_bounded() {
        let sound = |frames| Bytes::from([tag(0), aac(frames)].concat());
        let mut packed = Packed::default();
        assert_eq!(packed.push(&sound(MAX_FRAMES)), Ok(()));
        assert_eq!(times(&mut packed).len(), MAX_FRAMES);
        assert_eq!(packed.push(&sound(MAX_FRAMES + 1)), Err(Error::TooMany));
    }

    fn times(packed: &mut Packed) -> Vec<i64> {
        let events = std::iter::from_fn(|| packed.pull());
        let times = events.filter_map(|event| match event {
            Event::Unit(unit) => Some(unit.dts),
            Event::Track(_) => None,
        });
        times.collect()
    }

    #[test]
    fn tags_tell_the_time_and_frames_go_on() {
        let mut packed = Packed::default();
        let segment = |ticks: Option<u64>, frames| {
            let mut bytes = ticks.map(tag).unwrap_or_default();
            bytes.extend(aac(frames));
            Bytes::from(bytes)
        };
        assert!(Packed::is_packed(&segment(None, 1)));
        assert!(!Packed::is_packed(b"G@\0\x10"));
        assert_eq!(packed.push(&segment(None, 2)), Err(Error::NoTime));
        let _ = times(&mut packed);
        packed.push(&segment(Some(900_000), 3)).unwrap();
        assert_eq!(times(&mut packed), [480_000, 481_024, 482_048]);
        packed.push(&segment(None, 1)).unwrap();
        assert_eq!(times(&mut packed), [483_072]);
        packed.push(&segment(Some((1 << 33) - 90), 1)).unwrap();
        packed.push(&segment(Some(90), 1)).unwrap();
        let [end, wrapped] = times(&mut packed)[..] else {
            panic!();
        };
        assert_eq!(wrapped - end, 96);
    }

    #[test]
    fn what_is_cut_or_no_sound_is_refused() {
        let mut packed = Packed::default();
        for bytes in [&b""[..], b"ID3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f", b"RIFF"] {
            let refused = packed.push(&Bytes::copy_from_slice(bytes));
            assert_eq!(refused, Err(Error::NoFrames), "{bytes:?}");
        }
        let mut whole = tag(90_000);
        whole.extend(aac(2));
        for length in 0..whole.len() {
            let _ = Packed::default().push(&Bytes::copy_from_slice(&whole[..length]));
        }
    }
}
