//! Streams of other people's encoders. The counts are what ffprobe says of the same files.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]
#![allow(clippy::print_stderr, reason = "it says what was left out")]

use media::Kind;
use mpegts::demuxer::{Demuxer, Event};
use std::path::PathBuf;

/// Name, pictures, frames of sound.
const CASES: [(&str, usize, usize); 5] = [
    ("multi-channel-608-captions.ts", 181, 0),
    ("sintel-captions.ts", 240, 212),
    // Of 15 and 28, those behind the tables, which stand in the middle.
    ("test-middle-pat-pmt.ts", 0, 4),
    ("test-no-audio-segment.ts", 134, 0),
    ("test-segment.ts", 134, 369),
];

#[test]
fn streams_of_other_encoders() {
    let Some(corpus) = std::env::var_os("MILLSTREAM_CORPUS") else {
        eprintln!("MILLSTREAM_CORPUS is not set: no recorded streams");
        return;
    };
    let folder = PathBuf::from(corpus).join("codec/muxjs");
    for (name, pictures, frames) in CASES {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        for piece in [7, 188, 1_316, bytes.len()] {
            let mut demuxer = Demuxer::default();
            let mut found = (0, 0);
            let mut kinds = Vec::new();
            let mut take = |demuxer: &mut Demuxer| {
                while let Some(event) = demuxer.pull() {
                    match event {
                        Event::Track(track) => kinds.push((track.id, track.kind())),
                        Event::Unit(unit) => {
                            let kind = kinds.iter().rfind(|(id, _)| *id == unit.track).unwrap().1;
                            match kind {
                                Kind::Video => found.0 += 1,
                                Kind::Audio => found.1 += 1,
                                Kind::Data => {}
                            }
                        }
                        Event::Program(_) => {}
                        Event::Fault(fault) => eprintln!("{name}: {fault}"),
                    }
                }
            };
            for piece in bytes.chunks(piece) {
                demuxer.push(piece);
                take(&mut demuxer);
            }
            demuxer.flush();
            take(&mut demuxer);
            assert_eq!(found, (pictures, frames), "{name} {:?}", demuxer.counts());
        }
    }
}
