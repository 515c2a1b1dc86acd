//! Recordings: their fragments, found again by the index alone, and stretches of them as files of their own.

use super::files::{self, Found};
use super::{audio_track, video_track};
use crate::boxes;
use crate::index::{Excerpt, Index, Whole, fragments};
use bytes::{BufMut, Bytes, BytesMut};
use media::{AccessUnit, Codec, Track, codec::h264};
use std::time::Duration;

/// A recording in fragments.
struct Recording {
    file: Bytes,
    moov: Bytes,
    /// Where each fragment begins and ends, and its `moof`.
    fragments: Vec<(u64, u64, Bytes)>,
    units: Vec<AccessUnit>,
}

impl Recording {
    fn new(tracks: &[Track], units: Vec<AccessUnit>, size: usize) -> Self {
        let file = files::fragmented(tracks, &units, size);
        let (mut moov, mut fragments, mut begins) = (Bytes::new(), Vec::new(), 0);
        let mut moof = Bytes::new();
        let mut at = 0usize;
        while let Some(header) = file.get(at..).and_then(boxes::Header::read) {
            let end = at + header.size.expect("of a size") as usize;
            let whole = file.slice(at..end);
            match &header.kind {
                b"moov" => moov = whole,
                b"moof" => (begins, moof) = (at as u64, whole),
                b"mdat" => fragments.push((begins, end as u64, moof.clone())),
                _ => {}
            }
            at = end;
        }
        Self {
            file,
            moov,
            fragments,
            units,
        }
    }

    /// The index of the complete file says where the fragments are, and what is in them.
    fn outlined(&self) -> Vec<crate::index::Fragment> {
        let mut index = Index::new(&self.moov).expect("our own section");
        for (at, end, moof) in &self.fragments {
            index.push(*at, *end, moof).expect("our own fragment");
        }
        assert_eq!(index.samples(), self.units.len());
        let written = index.write().expect("an index");
        let first = self.fragments.first().map_or(0, |(at, ..)| *at);
        let found = fragments(&written, first).expect("our own index");
        let places = found.iter().map(|one| (one.begins, one.end));
        let expected = self.fragments.iter().map(|(at, end, _)| (*at, *end));
        assert_eq!(Vec::from_iter(places), Vec::from_iter(expected));
        let mut again = Index::new(&self.moov).expect("our own section");
        found.iter().for_each(|one| again.push_fragment(one));
        assert_eq!(again.write().expect("an index"), written);
        found
    }
}

/// A stretch of one of the recordings.
#[derive(Clone, Copy)]
struct Stretch {
    source: u32,
    from: Duration,
    until: Duration,
}

fn cut(
    recordings: &[Recording],
    stretches: &[Stretch],
    mut push: impl FnMut(&mut Excerpt, u32) -> bool,
) -> Option<Whole> {
    let first = recordings.first()?;
    let mut excerpt = Excerpt::new(&first.moov).expect("our own section");
    for Stretch {
        source,
        from,
        until,
    } in stretches.iter().copied()
    {
        let moov = &recordings.get(source as usize)?.moov;
        excerpt
            .begin(source, moov, from, until)
            .expect("tracks alike");
        push(&mut excerpt, source);
    }
    excerpt.finish().ok()
}

/// Input: units in a fragment (1 byte), which recordings (1 byte, lowest bit: of the first stretch, then of the second,
/// then whether the second has other parameters), from when and for how long each is taken (4 times 2 bytes,
/// milliseconds), and units as in `files`. What is taken is in the new file in its order and without holes.
pub fn excerpt(data: &[u8]) {
    let Some(([size, which, times @ ..], records)) = data.split_first_chunk::<10>() else {
        return;
    };
    let units = files::units(records);
    let tracks = [video_track(), audio_track()];
    let mut others = tracks.clone();
    if which & 4 != 0
        && let [
            Track {
                codec: Codec::H264(config),
                ..
            },
            _,
        ] = &mut others
    {
        let pps = vec![Bytes::from_static(&[0x68, 0xee, 0x3c, 0x80, 1])];
        *config = h264::Config::new(config.sps.clone(), pps).expect("another set");
    }
    let half = units.len() / 2;
    let (one, other) = units.split_at_checked(half).unwrap_or_default();
    let size = usize::from(*size);
    let recordings = [
        Recording::new(&tracks, one.to_vec(), size),
        Recording::new(&others, other.to_vec(), size),
    ];
    let outlines = [0, 1].map(|number| recordings.get(number).map(Recording::outlined));
    let times: Vec<Duration> = times
        .as_chunks::<2>()
        .0
        .iter()
        .map(|time| Duration::from_millis(u16::from_be_bytes(*time).into()))
        .collect();
    let stretches: Vec<Stretch> = times
        .as_chunks::<2>()
        .0
        .iter()
        .enumerate()
        .map(|(number, [from, length])| Stretch {
            source: u32::from(which >> number & 1),
            from: *from,
            until: *from + *length,
        })
        .collect();
    for stretches in [&stretches[..1], &stretches] {
        let whole = cut(&recordings, stretches, |excerpt, source| {
            let recording = recordings.get(source as usize);
            let mut fragments = recording.iter().flat_map(|one| &one.fragments);
            fragments
                .all(|(at, end, moof)| excerpt.push(*at, *end, moof).expect("our own fragment"))
        });
        // By what the index says, it is the same.
        let again = cut(&recordings, stretches, |excerpt, source| {
            let outline = outlines.get(source as usize);
            let mut fragments = outline.into_iter().flatten().flatten();
            fragments.all(|one| excerpt.push_fragment(one).expect("our own fragment"))
        });
        assert_eq!(whole, again);
        if let Some(whole) = whole {
            check(&recordings, stretches, &whole);
        }
    }
}

fn check(recordings: &[Recording], stretches: &[Stretch], whole: &Whole) {
    let mut file = BytesMut::from(&whole.head[..]);
    for piece in &whole.pieces {
        let source = recordings.get(piece.source as usize).expect("one of them");
        let range = piece.at as usize..(piece.at + piece.length) as usize;
        file.put_slice(source.file.get(range).expect("within the file"));
    }
    assert_eq!(file.len() as u64, whole.length);
    let found: Found = files::read(&file.freeze(), 0, usize::MAX);
    assert!(found.is_whole);
    assert_eq!(found.faults, []);
    if let [stretch] = stretches {
        assert!(whole.duration <= stretch.until - stretch.from);
    }
    assert!(!found.units.is_empty());
    for track in [video_track(), audio_track()] {
        let of = |units: &[AccessUnit]| -> Vec<Bytes> {
            let own = units.iter().filter(|unit| unit.track == track.id);
            own.map(|unit| unit.payload.clone()).collect()
        };
        let mut rest = &of(&found.units)[..];
        // A row of each recording.
        for stretch in stretches {
            let source = recordings.get(stretch.source as usize);
            let source = source.map(|source| of(&source.units)).unwrap_or_default();
            let rows = (0..=source.len()).map(|from| {
                let row = source.get(from..).unwrap_or_default().iter().zip(rest);
                row.take_while(|(one, other)| one == other).count()
            });
            let longest = rows.max().unwrap_or(0);
            rest = rest.get(longest..).unwrap_or_default();
        }
        assert!(rest.is_empty(), "{} of other places", rest.len());
    }
}

/// Inputs to start from: name, bytes.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let unit = |flags: u8, step: u16, offset: u16, mark: u8| {
        let mut bytes = vec![flags];
        bytes.extend(step.to_be_bytes());
        bytes.extend(offset.to_be_bytes());
        bytes.extend([2, mark, mark]);
        bytes
    };
    let mut records = Vec::new();
    for number in 0..24u8 {
        let later = [80, 120, 0].get(usize::from(number) % 3).copied();
        records.extend(unit(
            if number % 6 == 0 { 2 } else { 0 },
            39,
            later.unwrap_or(0),
            number,
        ));
        records.extend(unit(1, 1_763, 0, number));
    }
    let with = |head: [u8; 2], times: [u16; 4]| {
        let times = times.into_iter().flat_map(u16::to_be_bytes);
        let times: Vec<u8> = times.collect();
        [&head[..], &times, &records].concat()
    };
    vec![
        ("within", with([5, 0], [100, 200, 0, 0])),
        ("two", with([4, 2], [200, 300, 500, 300])),
        ("parameters", with([7, 6], [0, 480, 480, 480])),
        ("back", with([3, 5], [600, 200, 50, 100])),
        ("none", with([3, 0], [9_000, 10, 9_000, 10])),
    ]
}
