//! Tracks of every codec that a file holds: written and read as the same, clear and encrypted by somebody else.

use super::files::{self, Found};
use super::{audio_track, video_track};
use crate::reader::Fault;
use crate::{boxes, init, track_number};
use aes::Aes128;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockEncryptMut, KeyIvInit};
use bytes::{BufMut, Bytes, BytesMut};
use media::codec::{aac, ac3, av1, flac, g711, h265, mpeg_audio, opus, vp9};
use media::{AccessUnit, Codec, Data, Kind, Timebase, Track, TrackId};
use std::collections::{HashMap, VecDeque};

/// The key of all that is encrypted here.
pub(super) const KEY: [u8; 16] = *b"sixteen byte key";

/// The vector of a track whose samples have none of their own.
const IV: [u8; BLOCK] = [7; BLOCK];

const BLOCK: usize = 16;

/// How many codecs there are to choose from.
const CODECS: u8 = 16;

/// Most units of a file.
const MAX_UNITS: usize = 256;

/// Pictures as encoders write them: of AV1 with its sequence header (libaom), of VP9 (libvpx).
const AV1_HEADER: &[u8] = &[
    0x0a, 0x0b, 0, 0, 0, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0, 0x40,
];
const AV1_KEY: &[u8] = &[0x32, 0x08, 0x14, 0, 0xa0, 0xa8, 0x10, 0xb4, 0x4c, 0xf0];
const AV1_LATER: &[u8] = &[0x32, 0x08, 0x32, 0x08, 0, 0x09, 0xb8, 0x54, 0x83, 0x48];
const VP9_KEY: &[u8] = &[0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xf0, 0x0b, 0x36, 0x0c];
const VP9_LATER: &[u8] = &[0x84, 0x92, 0x60, 0xd0, 0x80, 0x40];

/// Frames of sound: of LAME, and of ffmpeg.
const LAYER_3: (&[u8], usize) = (&[0xff, 0xfb, 0x94, 0x64], 384);
const AC3: (&[u8], usize) = (&[0x0b, 0x77, 0xfe, 0x95, 0x14, 0x40, 0x43, 0xe1], 768);
const EAC3: (&[u8], usize) = (
    &[
        0x0b, 0x77, 0x00, 0xff, 0x34, 0x87, 0xc0, 0x00, 0, 0, 0, 0, 0, 0, 0, 0,
    ],
    512,
);

/// STREAMINFO that ffmpeg wrote.
const STREAM_INFO: &[u8] = &[
    0x12, 0x00, 0x12, 0x00, 0x00, 0x01, 0x50, 0x00, 0x05, 0x17, 0x0b, 0xb8, 0x02, 0xf0, 0x00, 0x00,
    0x5d, 0xc0, 0xa2, 0xfc, 0x36, 0x17, 0xbc, 0x0e, 0x6c, 0x99, 0xe0, 0x35, 0xcb, 0xe0, 0x6f, 0xb4,
    0xe5, 0x2a,
];

fn frame((head, length): (&[u8], usize)) -> Vec<u8> {
    let mut frame = head.to_vec();
    frame.resize(length, 0x55);
    frame
}

/// H.265 as x265 writes it, 1280x720.
fn h265() -> Option<Codec> {
    let sets: [&[u8]; 3] = [
        &[
            0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00,
            0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x5d, 0x95, 0x98, 0x09,
        ],
        &[
            0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00,
            0x00, 0x03, 0x00, 0x5d, 0xa0, 0x02, 0x80, 0x80, 0x2d, 0x16, 0x59, 0x59, 0xa4, 0x93,
            0x2b, 0xc0, 0x5a, 0x02, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x3c,
            0x10,
        ],
        &[0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40],
    ];
    let [vps, sps, pps] = sets.map(|set| vec![Bytes::from_static(set)]);
    h265::Config::new(vps, sps, pps).ok().map(Codec::H265)
}

fn codec(choice: u8) -> Option<Codec> {
    let surround = || opus::Config {
        channels: 6,
        mapping: Some(Bytes::from_static(&[4, 2, 0, 4, 1, 2, 3, 5])),
        ..opus::Config::new(2, 312, 48_000).expect("two channels")
    };
    let g711 = |law| Codec::G711 {
        law,
        sample_rate: Timebase::new(8_000).expect("8 kHz"),
        channels: 1,
    };
    match choice % CODECS {
        0 => Some(video_track().codec),
        1 => h265(),
        2 => av1::Config::from_sequence_header(AV1_HEADER)
            .ok()
            .map(Codec::Av1),
        3 => vp9::Config::from_key_frame(VP9_KEY).ok().map(Codec::Vp9),
        4 => Some(audio_track().codec),
        // SBR around a core of 22.05 kHz.
        5 => aac::Config::parse(&Bytes::from_static(&[0x2b, 0x92, 0x08, 0x00]))
            .ok()
            .map(Codec::Aac),
        6 => opus::Config::new(2, 312, 44_100).ok().map(Codec::Opus),
        7 => Some(Codec::Opus(surround())),
        8 => mpeg_audio::Header::parse(&frame(LAYER_3))
            .ok()
            .map(|header| Codec::MpegAudio(mpeg_audio::Config::of(&header))),
        9 => ac3::Config::of(&frame(AC3)).ok().map(Codec::Ac3),
        10 => ac3::Config::of(&frame(EAC3)).ok().map(Codec::Ac3),
        11 => flac::Config::parse(STREAM_INFO).ok().map(Codec::Flac),
        12 => Some(g711(g711::Law::A)),
        13 => Some(g711(g711::Law::Mu)),
        14 => Some(Codec::Data(Data::Klv)),
        _ => Some(Codec::Data(Data::OnvifMetadata)),
    }
}

fn track(number: u16, codec: Codec) -> Track {
    let timebase = match &codec {
        Codec::Aac(config) => config.sample_rate,
        Codec::Opus(_) => opus::TIMEBASE,
        Codec::MpegAudio(config) => config.sample_rate,
        Codec::Ac3(config) => config.sample_rate,
        Codec::Flac(config) => config.sample_rate,
        Codec::G711 { sample_rate, .. } => *sample_rate,
        _ => Timebase::VIDEO,
    };
    Track {
        id: TrackId(number),
        codec,
        timebase,
    }
}

/// What is in a unit of that codec.
fn payload(codec: &Codec, is_key: bool, bytes: &[u8]) -> Bytes {
    let slice = |head: &[u8]| {
        let size = (head.len() + bytes.len()) as u32;
        [&size.to_be_bytes(), head, bytes].concat()
    };
    Bytes::from(match (codec, is_key) {
        (Codec::H264(_), true) => slice(&[0x65, 0x88]),
        (Codec::H264(_), false) => slice(&[0x01, 0x88]),
        (Codec::H265(_), true) => slice(&[0x26, 1, 0x88]),
        (Codec::H265(_), false) => slice(&[0x02, 1, 0x88]),
        (Codec::Av1(_), true) => [AV1_HEADER, AV1_KEY].concat(),
        (Codec::Av1(_), false) => AV1_LATER.to_vec(),
        (Codec::Vp9(_), true) => VP9_KEY.to_vec(),
        (Codec::Vp9(_), false) => VP9_LATER.to_vec(),
        (Codec::MpegAudio(_), _) => frame(LAYER_3),
        (Codec::Ac3(config), _) if config.enhanced => frame(EAC3),
        (Codec::Ac3(_), _) => frame(AC3),
        _ => [&[0x21], bytes].concat(),
    })
}

/// A file to be: tracks, and their units.
pub(super) struct Media {
    pub(super) tracks: Vec<Track>,
    pub(super) units: Vec<AccessUnit>,
}

impl Media {
    /// Of records: flags (bit 0 second track, 1 random access), time since the one before of the track (2 bytes), how
    /// much later it is presented (2 bytes), length (1 byte), and bytes for the payload.
    fn read(choices: [u8; 2], mut records: &[u8]) -> Self {
        let codecs = choices.into_iter().filter_map(codec);
        let tracks: Vec<Track> = (0..)
            .zip(codecs)
            .map(|(number, codec)| track(number, codec))
            .collect();
        let mut times = [0i64; 2];
        let mut units = Vec::new();
        while let Some(([flags, d1, d0, o1, o0, length], rest)) = records.split_first_chunk()
            && units.len() < MAX_UNITS
        {
            let length = usize::from(*length).min(rest.len());
            let (bytes, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            records = rest;
            let place = usize::from(flags & 1);
            let (Some(track), Some(time)) = (tracks.get(place), times.get_mut(place)) else {
                continue;
            };
            let dts = *time;
            *time += i64::from(u16::from_be_bytes([*d1, *d0])) + 1;
            let is_video = track.kind() == Kind::Video;
            let payload = payload(&track.codec, flags & 2 != 0, bytes);
            let seen = track.codec.look_at(&payload).ok().flatten();
            let later = i64::from(is_video) * i64::from(u16::from_be_bytes([*o1, *o0]));
            units.push(AccessUnit {
                track: track.id,
                dts,
                pts: dts + later,
                random_access: !is_video || seen.is_some_and(|seen| seen.start.is_some()),
                disposable: seen.is_some_and(|seen| seen.disposable),
                discontinuity: false,
                capture: None,
                payload,
            });
        }
        Self { tracks, units }
    }

    fn of(units: &[AccessUnit], track: TrackId) -> Vec<AccessUnit> {
        let own = units.iter().filter(|unit| unit.track == track);
        own.cloned().collect()
    }

    /// That what was read of the file is this; a plain file may begin elsewhere.
    fn is(&self, found: &Found, may_shift: bool) {
        for track in &self.tracks {
            let (mut expected, units) = (
                Self::of(&self.units, track.id),
                Self::of(&found.units, track.id),
            );
            let told = found.tracks.iter().filter(|told| told.id == track.id);
            let told: Vec<&Track> = told.collect();
            let number = track_number(track.id);
            let refused =
                |fault: &Fault| matches!(fault, Fault::Track { track, .. } if *track == number);
            let is_refused = found.faults.iter().any(refused);
            // What is kept for those who look for it is not read here.
            assert_eq!(is_refused, !init::carries(&track.codec));
            if is_refused {
                assert!(told.is_empty() && units.is_empty());
                continue;
            }
            // Of MPEG audio its frames alone tell.
            let expects_track = !matches!(track.codec, Codec::MpegAudio(_)) || !expected.is_empty();
            assert_eq!(told, Vec::from_iter(expects_track.then_some(track)));
            if let (Some(one), Some(other), true) = (expected.first(), units.first(), may_shift) {
                let shift = other.dts - one.dts;
                for unit in &mut expected {
                    unit.dts += shift;
                    unit.pts += shift;
                }
            }
            assert!(units == expected, "{}", track.codec.name());
        }
        let others = found.faults.iter();
        let others = others.filter(|fault| !matches!(fault, Fault::Track { .. }));
        assert_eq!(others.count(), 0, "{:?}", found.faults);
        assert!(found.is_whole);
    }
}

/// How somebody encrypts samples.
#[derive(Clone, Copy)]
struct Locks {
    /// Blocks that are encrypted, and those behind them that are not; none for all.
    pattern: (u8, u8),
    /// Bytes of the vector of each sample; 0 for one of the track.
    iv_size: usize,
    /// Of pictures, what is at the beginning of each NAL unit is clear.
    has_clear: bool,
}

/// What is said of a sample.
struct Said {
    iv: Vec<u8>,
    subsamples: Vec<(u16, u32)>,
}

impl Locks {
    /// By two bytes: the pattern, and in the lowest bits of the other the length of vectors, and whether there is
    /// something clear.
    fn read(pattern: u8, how: u8) -> Self {
        Self {
            pattern: match pattern >> 4 {
                0 => (0, 0),
                closed => (closed, pattern & 15),
            },
            iv_size: [0, 8, 16, 16]
                .get(usize::from(how & 3))
                .copied()
                .unwrap_or(0),
            has_clear: how & 4 != 0,
        }
    }

    fn close(&self, number: usize, kind: Kind, payload: &[u8]) -> (Bytes, Said) {
        let mut iv = [0; BLOCK];
        let own = iv.get_mut(..self.iv_size).unwrap_or_default();
        for (place, byte) in own.iter_mut().enumerate() {
            *byte = number.wrapping_mul(31).wrapping_add(place) as u8;
        }
        let iv = if self.iv_size == 0 { IV } else { iv };
        let mut sample = payload.to_vec();
        let mut subsamples = Vec::new();
        if self.has_clear && kind == Kind::Video {
            let mut rest = sample.as_mut_slice();
            let mut left = rest.len();
            while left > 0 {
                let clear = left.min(6);
                let closed = (left - clear).min(100);
                let range = rest.get_mut(clear..clear + closed).unwrap_or_default();
                self.range(&iv, range);
                subsamples.push((clear as u16, closed as u32));
                rest = rest.get_mut(clear + closed..).unwrap_or_default();
                left = rest.len();
            }
        } else {
            self.range(&iv, &mut sample);
        }
        let said = Said {
            iv: iv.get(..self.iv_size).unwrap_or_default().to_vec(),
            subsamples,
        };
        (sample.into(), said)
    }

    /// Encrypts a range by the pattern (ISO/IEC 23001-7 clause 9.6).
    fn range(&self, iv: &[u8; BLOCK], range: &mut [u8]) {
        let mut cipher = cbc::Encryptor::<Aes128>::new(&KEY.into(), iv.into());
        let (closed, clear) = self.pattern;
        let (mut left, mut skip) = (closed, 0);
        for block in range.chunks_exact_mut(BLOCK) {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            cipher.encrypt_block_mut(GenericArray::from_mut_slice(block));
            // No pattern encrypts all.
            if closed > 0 {
                left -= 1;
                if left == 0 {
                    (left, skip) = (closed, clear);
                }
            }
        }
    }

    /// The `sinf` box for samples of that format.
    fn sinf(&self, format: &[u8; 4]) -> Bytes {
        let (closed, clear) = self.pattern;
        let mut tenc = BytesMut::new();
        // Version 1, for the pattern.
        tenc.put_slice(&[1, 0, 0, 0, 0, closed << 4 | clear, 1, self.iv_size as u8]);
        tenc.put_slice(&[0; 16]);
        if self.iv_size == 0 {
            tenc.put_u8(BLOCK as u8);
            tenc.put_slice(&IV);
        }
        let schm = [&[0; 4][..], b"cbcs", &[0, 1, 0, 0]].concat();
        let schi = boxed(b"tenc", &tenc);
        let parts = [
            boxed(b"frma", format),
            boxed(b"schm", &schm),
            boxed(b"schi", &schi),
        ];
        boxed(b"sinf", &parts.concat())
    }

    /// The `senc` box of these samples.
    fn senc(&self, samples: &[Said]) -> Bytes {
        let has_subsamples = samples.iter().any(|said| !said.subsamples.is_empty());
        let mut senc = BytesMut::new();
        senc.put_u32(if has_subsamples { 2 } else { 0 });
        senc.put_u32(samples.len() as u32);
        for said in samples {
            senc.put_slice(&said.iv);
            if has_subsamples {
                senc.put_u16(said.subsamples.len() as u16);
                for (clear, closed) in &said.subsamples {
                    senc.put_u16(*clear);
                    senc.put_u32(*closed);
                }
            }
        }
        boxed(b"senc", &senc)
    }

    /// The file in fragments of so many units, encrypted.
    fn file(&self, media: &Media, size: usize) -> Bytes {
        let mut said: HashMap<u32, VecDeque<Said>> = HashMap::new();
        let mut units = media.units.clone();
        for (number, unit) in units.iter_mut().enumerate() {
            let kind = media.tracks.iter().find(|track| track.id == unit.track);
            let kind = kind.map_or(Kind::Data, Track::kind);
            let (payload, of_it) = self.close(number, kind, &unit.payload);
            unit.payload = payload;
            let all = said.entry(track_number(unit.track)).or_default();
            all.push_back(of_it);
        }
        let clear = files::fragmented(&media.tracks, &units, size);
        changed(&clear, &mut |kind, body| match kind {
            b"moov" => boxed(kind, &self.movie(body)),
            b"moof" => boxed(kind, &self.fragment(body, &mut said)),
            _ => boxed(kind, body),
        })
    }

    fn movie(&self, body: &Bytes) -> Bytes {
        changed(body, &mut |kind, body| match kind {
            b"trak" | b"mdia" | b"minf" | b"stbl" => boxed(kind, &self.movie(body)),
            b"stsd" => {
                let (head, entries) = body.split_at_checked(8).unwrap_or((body, &[]));
                let entries = changed(&body.slice_ref(entries), &mut |kind, body| {
                    let name = match kind {
                        b"avc1" | b"hvc1" | b"av01" | b"vp09" => b"encv",
                        b"urim" => b"enct",
                        _ => b"enca",
                    };
                    boxed(name, &[&body[..], &self.sinf(kind)].concat())
                });
                boxed(kind, &[head, &entries].concat())
            }
            _ => boxed(kind, body),
        })
    }

    /// What a `moof` has in it, with a `senc` box for each track: the data lie further behind by these.
    fn fragment(&self, body: &Bytes, said: &mut HashMap<u32, VecDeque<Said>>) -> Bytes {
        let mut added = Vec::new();
        changed(body, &mut |kind, body| {
            if kind == b"traf" {
                let number = |kind: &[u8; 4]| {
                    let found = boxes::child(body, kind).ok().flatten();
                    let number = found
                        .as_ref()
                        .and_then(|body| body.get(4..8)?.first_chunk());
                    number.map_or(0, |bytes| u32::from_be_bytes(*bytes))
                };
                let (track, count) = (number(b"tfhd"), number(b"trun") as usize);
                let samples = said.entry(track).or_default();
                let samples: Vec<Said> = samples.drain(..count.min(samples.len())).collect();
                added.push(self.senc(&samples));
            }
            Bytes::new()
        });
        let further = added.iter().map(Bytes::len).sum::<usize>() as u32;
        let mut added = added.into_iter();
        changed(body, &mut |kind, body| {
            if kind != b"traf" {
                return boxed(kind, body);
            }
            let traf = changed(body, &mut |kind, body| {
                let mut body = body.to_vec();
                let offset = body.get_mut(8..12).filter(|_| kind == b"trun");
                if let Some(offset) = offset.and_then(|offset| offset.first_chunk_mut::<4>()) {
                    *offset = (u32::from_be_bytes(*offset) + further).to_be_bytes();
                }
                boxed(kind, &body)
            });
            let senc = added.next().unwrap_or_default();
            boxed(kind, &[&traf[..], &senc].concat())
        })
    }
}

pub(super) fn boxed(kind: &[u8; 4], body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    boxes::put(&mut out, kind, body);
    out.freeze()
}

/// The boxes, each as `change` makes it.
pub(super) fn changed(bytes: &Bytes, change: &mut dyn FnMut(&[u8; 4], &Bytes) -> Bytes) -> Bytes {
    let mut out = BytesMut::new();
    for (kind, body) in boxes::children(bytes).map_while(Result::ok) {
        out.put_slice(&change(&kind, &body));
    }
    out.freeze()
}

/// Input: which codecs (2 bytes), how it is encrypted (2 bytes), units in a fragment (1 byte), then records
/// (`Media::read`). In all forms, tracks and units are read as what they are, encrypted ones with their key alone.
pub fn tracks(data: &[u8]) {
    let Some(([first, second, pattern, how, size], records)) = data.split_first_chunk() else {
        return;
    };
    let media = Media::read([*first, *second], records);
    let size = usize::from(*size);
    let clear = files::fragmented(&media.tracks, &media.units, size);
    let (section, segments) = files::segments(&clear);
    media.is(&files::read(&clear, 0, usize::MAX), false);
    media.is(
        &files::read_in_segments(&section, &segments, usize::MAX),
        false,
    );
    let plain = files::plain(&media.tracks, &media.units);
    media.is(&files::read(&plain, 0, usize::MAX), true);

    let locks = Locks::read(*pattern, *how);
    let closed = locks.file(&media, size);
    let (section, segments) = files::segments(&closed);
    if segments.is_empty() {
        return;
    }
    media.is(&files::read_with_key(&closed, KEY, 0, usize::MAX), false);
    media.is(
        &files::read_in_segments_with_key(&section, &segments, KEY, usize::MAX),
        false,
    );
    // Another key opens nothing, and may show as nonsense; without one there is nothing.
    files::read_with_key(&closed, [1; 16], 0, usize::MAX);
    let found = files::read(&closed, 0, usize::MAX);
    assert!(found.tracks.is_empty() && found.units.is_empty());
    assert_eq!(found.faults.len(), media.tracks.len());
}

/// Inputs to start from: name, bytes.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let unit = |flags: u8, step: u16, offset: u16, length: u8| {
        let mut bytes = vec![flags];
        bytes.extend(step.to_be_bytes());
        bytes.extend(offset.to_be_bytes());
        bytes.push(length);
        bytes.extend((0..length).map(|number| number | 1));
        bytes
    };
    let records = [
        unit(2, 3_599, 7_200, 90),
        unit(1, 1_023, 0, 60),
        unit(0, 3_599, 7_200, 40),
        unit(1, 1_023, 0, 33),
        unit(0, 3_599, 0, 7),
        unit(3, 1_023, 0, 0),
        unit(2, 3_599, 0, 200),
    ]
    .concat();
    let file = |head: [u8; 5]| [&head[..], &records].concat();
    vec![
        // Pictures by a pattern of one block in ten behind what is clear, sound in whole; one vector for all.
        ("h264-aac", file([0, 4, 0x19, 4, 3])),
        ("h265-sbr", file([1, 5, 0x19, 6, 2])),
        ("av1-opus", file([2, 6, 0, 1, 9])),
        ("vp9-surround", file([3, 7, 0x55, 5, 1])),
        ("mp3-ac3", file([8, 9, 0, 0, 4])),
        ("eac3-flac", file([10, 11, 0x19, 2, 4])),
        ("g711-h264", file([12, 0, 0x19, 0, 4])),
        ("klv-onvif", file([14, 15, 0, 1, 4])),
        ("mu-law-mp3", file([13, 8, 0, 1, 4])),
    ]
}

/// Files for the reader: each of these in both forms, and encrypted.
pub(super) fn files() -> Vec<Bytes> {
    let mut all = Vec::new();
    for (_, seed) in seeds() {
        let Some(([first, second, pattern, how, size], records)) = seed.split_first_chunk() else {
            continue;
        };
        let media = Media::read([*first, *second], records);
        all.push(files::plain(&media.tracks, &media.units));
        all.push(files::fragmented(
            &media.tracks,
            &media.units,
            usize::from(*size),
        ));
        all.push(Locks::read(*pattern, *how).file(&media, usize::from(*size)));
    }
    all
}
