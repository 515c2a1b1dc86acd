//! A recorded connection: nothing of it is lost, however it is cut.

use rtsp::{Incoming, Reader};
use std::path::Path;

#[test]
fn a_recorded_connection_is_taken_apart() {
    let Some(corpus) = std::env::var_os("MILLSTREAM_CORPUS") else {
        println!("MILLSTREAM_CORPUS is not set: the recorded connection is left out");
        return;
    };
    let bytes = std::fs::read(Path::new(&corpus).join("rtsp/retina-bench/bunny.rtsp")).unwrap();
    let read = |piece: usize| {
        let mut reader = Reader::default();
        let mut frames = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.push(piece);
            while let Some(incoming) = reader.pull().unwrap() {
                let Incoming::Frame(frame) = incoming else {
                    panic!("{incoming:?}");
                };
                frames.push(frame);
            }
        }
        assert_eq!(reader.skipped(), 0);
        frames
    };
    let whole = read(bytes.len());
    let length: usize = whole.iter().map(|frame| 4 + frame.payload.len()).sum();
    assert_eq!(length, bytes.len());
    assert!(whole.len() > 100 && whole.iter().all(|frame| frame.channel < 4));
    for piece in [1, 1_000, 65_536] {
        assert_eq!(read(piece), whole);
    }
}
