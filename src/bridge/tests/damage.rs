//! Sound that is damaged on its way: silence instead, counted, and nothing else.

use super::tools::*;
use bytes::Bytes;

/// Numbers that look like chance and are the same each time.
fn chance(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[test]
fn damaged_aac_does_no_harm() {
    for channels in [1u8, 2] {
        let (track, clean, _) = aac_units(44_100, channels, 2, "0.4*sin(2*PI*440*t)");
        let mut chance = chance(channels.into());
        let mut units = Vec::new();
        for number in 0..1_500i64 {
            let source = &clean[chance(clean.len())].payload;
            let mut payload = source.to_vec();
            match chance(4) {
                0 => payload.truncate(chance(payload.len())),
                1 => payload = (0..chance(800)).map(|_| chance(256) as u8).collect(),
                _ => {
                    for _ in 0..=chance(8) {
                        let at = chance(payload.len());
                        payload[at] ^= 1 << chance(8);
                    }
                }
            }
            units.push(unit(number * 1_024, Bytes::from(payload)));
        }
        let good = 1_500 + clean.len() as i64;
        for number in 1_500..good {
            let payload = clean[(number - 1_500) as usize].payload.clone();
            units.push(unit(number * 1_024, payload));
        }
        let (transcoder, packets) = transcode(&track, &units);
        let statistics = transcoder.statistics();
        println!("{channels} channels: {statistics:?}");
        assert!(statistics.damaged > 100);
        assert_eq!((statistics.failures, statistics.overlapping), (0, 0));
        assert!(packets.windows(2).all(|two| two[1].pts - two[0].pts == 960));
        // All of it is sound to a decoder, and the clean part at the end is heard as if nothing had been.
        let heard = listen(transcoder.track(), &packets);
        assert!(heard.iter().all(|sample| sample.is_finite()));
        let end = good as usize * 1_024 * 480 / 441 - 20_000;
        let level = level(&heard[end - 24_000..end], 440.0);
        assert!((level - 0.4).abs() < 0.02, "level {level}");
    }
}

#[test]
fn a_first_access_unit_with_other_channels_is_forgotten() {
    let (track, stereo, _) = aac_units(48_000, 2, 1, "0.4*sin(2*PI*440*t)");
    let (_, mono, _) = aac_units(48_000, 1, 1, "0.4*sin(2*PI*440*t)");
    let mut units = stereo;
    units[0].payload = mono[5].payload.clone();
    let (transcoder, packets) = transcode(&track, &units);
    assert!(transcoder.statistics().damaged <= 2);
    let heard = listen(transcoder.track(), &packets);
    assert!(level(&heard[12_000..36_000], 440.0) > 0.38);
}
