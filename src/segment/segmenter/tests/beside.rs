//! What happens beside pictures and sound.

use super::*;

#[test]
fn what_happens_beside_is_told_with_the_pictures() {
    let mut segmenter = Segmenter::new(Settings::default(), 0);
    let mut set = tracks(1, true);
    for (id, data) in [(7, Data::Id3), (8, Data::Scte35)] {
        set.tracks.push(Track {
            id: TrackId(id),
            timebase: Timebase::VIDEO,
            codec: Codec::Data(data),
        });
    }
    assert_eq!(segmenter.set_tracks(&set), []);
    assert_eq!(segmenter.schemes().count(), 2);
    let mut said = unit(TrackId(7), 5 * 90_000, true, 0);
    said.payload = Bytes::from_static(b"ID3\x04");
    let section = crate::segment::splices::tests::section(6, &[0xfe, 0, 1, 0x5f, 0x90]);
    for millis in (0..6_000).step_by(40) {
        segmenter.push(&unit(VIDEO, millis, millis % 1_000 == 0, 1_000), at(millis));
        if millis == 4_000 {
            segmenter.push(&said, at(millis));
            said.track = TrackId(8);
            said.payload = section.clone();
            segmenter.push(&said, at(millis));
        }
    }
    let video = segmenter.rendition(VIDEO).unwrap();
    let parts = || {
        video
            .segments
            .iter()
            .flat_map(|segment| &segment.parts)
            .chain(&video.open_parts)
    };
    let told: Vec<_> = parts()
        .filter(|part| part.bytes[4..8] == *b"emsg")
        .collect();
    assert_eq!(told.len(), 1);
    let bytes = &told[0].bytes;
    assert_eq!(bytes[12..16], 1_000u32.to_be_bytes());
    assert_eq!(bytes[16..24], 5_000u64.to_be_bytes());
    assert!(bytes[24..].windows(4).any(|four| four == b"ID3\x04"));
    let range = segmenter.date_ranges().next().unwrap();
    assert_eq!(
        (range.start, range.command.as_deref()),
        (at(6_000), Some(&section[..]))
    );
}
