//! Time stamps are the master: holes, jumps, uneven and drifting clocks.

use super::tools::*;
use crate::bridge::{Sound, Transcoder};
use bytes::Bytes;
use media::codec::g711::Law;
use media::{AccessUnit, Timebase};
use std::time::{Duration, SystemTime};

fn contiguous(packets: &[AccessUnit]) -> bool {
    packets.windows(2).all(|two| two[1].pts - two[0].pts == 960)
}

#[test]
fn a_hole_becomes_silence_and_time_goes_on() {
    let track = g711_track(Law::Mu, 8_000, 1);
    let mut units = g711_units(&track, 100, sine(400.0));
    units.drain(40..60);
    let (transcoder, packets) = transcode(&track, &units);
    assert!(contiguous(&packets));
    assert_eq!(transcoder.statistics().holes, 1);
    assert_eq!(transcoder.statistics().jumps, 1);
    let heard = listen(transcoder.track(), &packets);
    assert!(peak(&heard[39_400..56_600]) < 0.01);
    // The first packets of a sound that sets in suddenly ring a little.
    let after = heard[59_520..90_000].iter().enumerate();
    let rest: Vec<f32> = after
        .map(|(at, sample)| sample - sine(400.0)((59_520 + at) as f64 / 48_000.0) as f32)
        .collect();
    assert!(peak(&rest) < 0.05, "as if nothing had been missing");
}

#[test]
fn a_single_lost_unit_is_a_hole() {
    let (track, mut units, _) = aac_units(48_000, 2, 1, "0.4*sin(2*PI*440*t)");
    units.remove(20);
    let (transcoder, packets) = transcode(&track, &units);
    assert!(contiguous(&packets));
    assert_eq!(transcoder.statistics().holes, 1);
    let heard = listen(transcoder.track(), &packets);
    // The windows of both neighbours fade: there is no step.
    let steps = heard[18_000..25_000].windows(2);
    let steepest = steps.map(|two| (two[1] - two[0]).abs()).fold(0.0, f32::max);
    assert!(steepest < 0.05, "{steepest}");
}

#[test]
fn a_long_hole_is_a_jump() {
    let track = g711_track(Law::A, 8_000, 1);
    let mut units = g711_units(&track, 100, sine(400.0));
    for unit in &mut units[50..] {
        unit.pts += 5 * 8_000;
        unit.dts = unit.pts;
    }
    let (transcoder, packets) = transcode(&track, &units);
    assert_eq!(transcoder.statistics().jumps, 2);
    let seam = packets.iter().position(|packet| packet.discontinuity);
    let (before, after) = packets.split_at(seam.unwrap());
    assert!(contiguous(before) && contiguous(after));
    assert_eq!(after[0].pts, 6 * 48_000 - 120);
    assert!((48_000..50_000).contains(&(before.last().unwrap().pts + 960)));
    assert!(after[1..].iter().all(|packet| !packet.discontinuity));
}

#[test]
fn a_jump_back_starts_anew() {
    let track = g711_track(Law::A, 8_000, 1);
    let units = g711_units(&track, 100, sine(400.0));
    let turned = [&units[50..], &units[..50]].concat();
    let (transcoder, packets) = transcode(&track, &turned);
    assert_eq!(transcoder.statistics().jumps, 2);
    let seam = packets.iter().position(|packet| packet.discontinuity);
    assert_eq!(packets[seam.unwrap()].pts, -120);
}

#[test]
fn an_announced_seam_is_taken_at_its_time() {
    let track = g711_track(Law::A, 8_000, 1);
    let mut units = g711_units(&track, 100, sine(400.0));
    for unit in &mut units[50..] {
        unit.pts += 320;
    }
    units[50].discontinuity = true;
    let (_, packets) = transcode(&track, &units);
    let seam = packets.iter().position(|packet| packet.discontinuity);
    let (before, after) = packets.split_at(seam.unwrap());
    assert_eq!(after[0].pts, 49_920 - 120);
    assert!(before.last().unwrap().pts < after[0].pts);
}

#[test]
fn more_sound_than_time_is_dropped() {
    let track = g711_track(Law::A, 8_000, 1);
    // Each unit twice, with times that grow by half of what they last.
    let mut units = g711_units(&track, 400, sine(400.0));
    for (number, unit) in units.iter_mut().enumerate() {
        unit.pts = number as i64 * 80;
    }
    let (transcoder, packets) = transcode(&track, &units);
    assert!(contiguous(&packets));
    assert!(transcoder.statistics().overlapping > 100);
    let end = packets.last().unwrap().pts;
    let expected = 400 * 480;
    assert!((expected..expected + 12_000).contains(&end), "{end}");
}

#[test]
fn rounded_time_stamps_change_nothing() {
    let (mut track, mut units, _) = aac_units(44_100, 2, 2, "0.4*sin(2*PI*440*t)");
    let (exact, expected) = transcode(&track, &units);
    for unit in &mut units {
        unit.pts = Timebase::new(44_100)
            .unwrap()
            .rescale(unit.pts, Timebase::MILLIS);
    }
    track.timebase = Timebase::MILLIS;
    let (rounded, packets) = transcode(&track, &units);
    assert_eq!(packets, expected);
    assert_eq!(exact.statistics(), rounded.statistics());
}

/// Seconds of sound: an hour where the tests are optimised.
const SECONDS: i64 = if cfg!(debug_assertions) { 12 } else { 3_600 };

/// Sends sound whose time stamps run faster than its samples by so many parts per million: by how many
/// samples of 48 kHz the last packet is off in the end.
fn drift(ppm: i64, timebase: Timebase) -> i64 {
    let mut track = g711_track(Law::Mu, 8_000, 1);
    let second = g711_units(&track, 50, sine(400.0));
    track.timebase = timebase;
    let mut transcoder = Transcoder::new(&track, Sound::Opus).unwrap();
    let nanoseconds = Timebase::new(1_000_000_000).unwrap();
    let mut newest = 0;
    for number in 0..SECONDS * 50 {
        let time = number * (20_000_000 + 20 * ppm);
        let payload = second[(number % 50) as usize].payload.clone();
        transcoder.push(&unit(nanoseconds.rescale(time, timebase), payload));
        while let Some(packet) = transcoder.pull() {
            assert_eq!(packet.pts.rem_euclid(960), 840, "on the grid of 20 ms");
            newest = packet.pts;
        }
    }
    let statistics = transcoder.statistics();
    assert_eq!((statistics.holes, statistics.jumps), (0, 1), "{ppm}");
    let time = SECONDS * 50 * (20_000_000 + 20 * ppm);
    let end = newest + 960 + 120;
    nanoseconds.rescale(time, Timebase::new(48_000).unwrap()) - end
}

#[test]
fn clocks_never_part() {
    for timebase in [8_000, 1_000] {
        let timebase = Timebase::new(timebase).unwrap();
        // What waits for the filter, 31 to 32 samples of 8 kHz, and for its packet to be complete; time stamps
        // that drift from the samples are followed within 2 ms and a little.
        let off = drift(0, timebase);
        assert!((186..1_152).contains(&off), "{timebase:?}: {off}");
        for ppm in [-500, 500] {
            let off = drift(ppm, timebase);
            assert!((36..1_302).contains(&off), "{ppm} ppm: {off}");
        }
    }
}

#[test]
fn capture_times_go_with_the_sound() {
    let track = g711_track(Law::Mu, 8_000, 1);
    let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let mut units = g711_units(&track, 20, sine(400.0));
    for unit in &mut units {
        unit.capture = Some(begin + track.timebase.duration(unit.pts));
    }
    let (transcoder, packets) = transcode(&track, &units);
    for packet in packets {
        let after = packet.capture.unwrap() + Duration::from_secs(1);
        let expected = transcoder.track().timebase.duration(packet.pts + 48_000);
        let off = after.duration_since(begin).unwrap().abs_diff(expected);
        assert!(off < Duration::from_millis(1), "{off:?}");
    }
}

#[test]
fn what_comes_after_a_flush_starts_anew() {
    let track = g711_track(Law::Mu, 8_000, 1);
    let mut transcoder = Transcoder::new(&track, Sound::Opus).unwrap();
    transcoder.flush();
    assert!(transcoder.pull().is_none());
    let payload = Bytes::from_static(&[0xff; 160]);
    for start in [0, 80_000] {
        transcoder.push(&unit(start, payload.clone()));
        transcoder.flush();
        assert_eq!(transcoder.pull().unwrap().pts, start * 6 - 120);
        while transcoder.pull().is_some() {}
    }
    // Nonsense has no length.
    transcoder.push(&unit(0, Bytes::new()));
    transcoder.push(&unit(0, Bytes::from(vec![0; 8_001])));
    transcoder.push(&unit(i64::MAX, payload.clone()));
    transcoder.push(&unit(i64::MIN, payload));
    transcoder.flush();
    assert_eq!(transcoder.statistics().damaged, 2);
}
