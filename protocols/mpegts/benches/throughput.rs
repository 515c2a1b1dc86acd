//! Bytes of transport stream per second on one core, beside copying as many.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::{AccessUnit, TrackId};
use mpegts::demuxer::{Demuxer, Event};
use mpegts::fuzz;
use mpegts::muxer::Muxer;
use std::hint::black_box;

/// Ten seconds of pictures of 40 KiB, 25 in a second (8 Mbit/s), with sound of 128 kbit/s.
fn units() -> Vec<AccessUnit> {
    let mut state = 1u64;
    let mut byte = move || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 56) as u8
    };
    let mut unit = |track, dts, random_access, head: &[u8], length: usize| {
        let mut payload = head.to_vec();
        // Coded pictures have few zeros, and emulation prevention bytes between them.
        payload.extend((0..length).map(|_| byte().max(1)));
        AccessUnit {
            track: TrackId(track),
            dts,
            pts: dts,
            random_access,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::from(payload),
        }
    };
    let mut units = Vec::new();
    let mut frame = 0;
    for picture in 0..250i64 {
        let key = picture % 50 == 0;
        let length = 40 * 1_024 - 6;
        let mut head = (length as u32 + 2).to_be_bytes().to_vec();
        head.extend([if key { 0x65 } else { 0x41 }, 0x88]);
        units.push(unit(0, 90_000 + picture * 3_600, key, &head, length));
        while frame * 1_024 * 25 < picture * 48_000 {
            units.push(unit(1, 48_000 + frame * 1_024, true, &[], 341));
            frame += 1;
        }
    }
    units
}

fn mux(units: &[AccessUnit], mut take: impl FnMut(Bytes)) {
    let mut muxer = Muxer::default();
    muxer.set_tracks(&fuzz::tracks()).unwrap();
    for unit in units {
        muxer.push(unit).unwrap();
        while let Some(chunk) = muxer.pull() {
            take(chunk.data);
        }
    }
}

fn throughput(criterion: &mut Criterion) {
    let units = units();
    let mut stream = Vec::new();
    mux(&units, |data| stream.extend_from_slice(&data));
    let mut group = criterion.benchmark_group("mpegts");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.sample_size(20);
    group.bench_function("copy", |bench| {
        bench.iter(|| {
            // As both do: into allocations of the size of an access unit.
            for piece in stream.chunks(40 * 1_024) {
                black_box(piece.to_vec());
            }
        });
    });
    group.bench_function("mux", |bench| {
        bench.iter(|| mux(&units, |data| drop(black_box(data))));
    });
    // What comes by UDP, and what is read from a file.
    for piece in [1_316, 65_536] {
        group.bench_function(format!("demux/{piece}"), |bench| {
            bench.iter(|| {
                let mut demuxer = Demuxer::default();
                let mut found = 0;
                for piece in stream.chunks(piece) {
                    demuxer.push(piece);
                    while let Some(event) = demuxer.pull() {
                        found += usize::from(matches!(event, Event::Unit(_)));
                    }
                }
                assert!(found > units.len() - 20, "{found} of {}", units.len());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, throughput);
criterion_main!(benches);
