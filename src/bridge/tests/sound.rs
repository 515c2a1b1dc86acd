//! What is heard is what was there: frequency, level, moment, and nothing in between.

use super::tools::*;
use crate::bridge::Sound;
use media::Codec;
use media::codec::g711::Law;

/// What remains of `heard` beside `sound` played from its beginning.
fn rest(heard: &[f32], sound: impl Fn(f64) -> f64) -> Vec<f32> {
    heard
        .iter()
        .enumerate()
        .map(|(at, sample)| sample - sound(at as f64 / 48_000.0) as f32)
        .collect()
}

#[test]
fn g711_is_heard_as_it_was_at_all_rates() {
    for (rate, law, channels) in [
        (8_000, Law::A, 1),
        (8_000, Law::Mu, 1),
        (16_000, Law::Mu, 2),
        (22_050, Law::A, 1),
        (32_000, Law::A, 2),
        (44_100, Law::Mu, 2),
        (48_000, Law::Mu, 1),
    ] {
        let track = g711_track(law, rate, channels);
        let units = g711_units(&track, 50, sine(440.0));
        let (transcoder, packets) = transcode(&track, &units);
        let heard = listen(transcoder.track(), &packets);
        let middle = &heard[4_800..43_200];
        let level = level(middle, 440.0);
        assert!((level - 0.5).abs() < 0.01, "{rate} Hz: level {level}");
        // In phase at the very sample, and no click at any border of packets.
        let rest = rest(&heard, sine(440.0));
        let loudest = peak(&rest[4_800..43_200]);
        assert!(loudest < 0.05, "{rate} Hz: {loudest} beside the sine");
        let borders = (5..45).map(|packet| 960 * packet - 120);
        let at_borders = borders.map(|at| peak(&rest[at - 48..at + 48]));
        assert!(at_borders.fold(0.0, f32::max) <= loudest);
        let statistics = transcoder.statistics();
        assert_eq!((statistics.damaged, statistics.holes), (0, 0));
        assert_eq!(statistics.jumps, 1);
    }
}

#[test]
fn sound_keeps_its_moment() {
    for rate in [8_000, 11_025, 16_000, 44_100, 48_000] {
        let track = g711_track(Law::Mu, rate, 1);
        let (transcoder, packets) = transcode(&track, &g711_units(&track, 50, chirp));
        // Heard at its time: the packet's, with the pre-skip that `listen` passes over.
        assert_eq!(packets[0].pts, -120);
        assert!(packets.windows(2).all(|two| two[1].pts - two[0].pts == 960));
        let heard = listen(transcoder.track(), &packets);
        let delay = delay(&heard, |at| chirp(at as f64 / 48_000.0));
        println!("{rate} Hz: heard {delay} samples late");
        assert!(delay.abs() <= 2, "{rate} Hz: {delay}");
    }
}

#[test]
fn g711_and_opus_are_heard_as_aac_at_their_moment() {
    for (rate, channels) in [(8_000, 1), (16_000, 2), (48_000, 1), (48_000, 2)] {
        let track = g711_track(Law::A, rate, channels);
        let units = g711_units(&track, 50, sine(440.0));
        let (transcoder, packets) = transcode_to(Sound::Aac, &track, &units);
        let Codec::Aac(config) = &transcoder.track().codec else {
            panic!("not AAC");
        };
        assert_eq!((config.object_type, config.channels), (2, channels));
        assert_eq!(packets[0].pts, -1_024);
        assert!(
            packets
                .windows(2)
                .all(|two| two[1].pts - two[0].pts == 1_024)
        );
        let heard = listen(transcoder.track(), &packets);
        let level = level(&heard[4_800..43_200], 440.0);
        assert!((level - 0.5).abs() < 0.02, "{rate} Hz: level {level}");
        let rest = rest(&heard, sine(440.0));
        let loudest = peak(&rest[4_800..43_200]);
        assert!(loudest < 0.1, "{rate} Hz: {loudest} beside the sine");

        // By way of Opus, as a browser would have sent it.
        let units = g711_units(&track, 50, chirp);
        let (to_opus, opus) = transcode(&track, &units);
        let (to_aac, aac) = transcode_to(Sound::Aac, to_opus.track(), &opus);
        assert_eq!(aac[0].pts, -120 - 1_024);
        let heard = listen(to_aac.track(), &aac);
        let delay = delay(&heard[120..], |at| chirp(at as f64 / 48_000.0));
        println!("{rate} Hz: heard {delay} samples late");
        assert!(delay.abs() <= 2, "{rate} Hz: {delay}");
        let statistics = to_aac.statistics();
        assert_eq!((statistics.damaged, statistics.failures), (0, 0));
        assert_eq!((statistics.holes, statistics.jumps), (0, 1));
    }
}

#[test]
fn of_six_channels_both_sides_are_heard() {
    // The sine is on all of them: at the centre and both sides, 0.5 × (1 + 2 / √2) / (1 + 2 / √2).
    let (track, units, _) = aac_units(48_000, 6, 1, "0.5*sin(2*PI*440*t)");
    let (transcoder, packets) = transcode(&track, &units);
    assert_eq!(transcoder.statistics().damaged, 0);
    let heard = listen(transcoder.track(), &packets);
    let level = level(&heard[4_800..43_200], 440.0);
    assert!((level - 0.5).abs() < 0.03, "{level}");
}

#[test]
fn aac_is_heard_as_ffmpeg_decodes_it() {
    let expression = "0.4*sin(2*PI*(100*t+950*t*t))";
    for (rate, channels) in [
        (8_000, 1),
        (16_000, 1),
        (22_050, 2),
        (24_000, 1),
        (32_000, 2),
        (44_100, 2),
        (48_000, 1),
        (48_000, 2),
        (96_000, 2),
    ] {
        let (track, units, adts) = aac_units(rate, channels, 1, expression);
        let (transcoder, packets) = transcode(&track, &units);
        assert_eq!(transcoder.statistics().damaged, 0);
        let Codec::Opus(config) = &transcoder.track().codec else {
            panic!("not Opus");
        };
        assert_eq!(config.channels, channels);
        let expected = heard(adts, "aac", channels.into());
        let heard = listen(transcoder.track(), &packets);
        let delay = delay(&heard, |at| f64::from(expected[at]));
        println!("{rate} Hz, {channels} channels: heard {delay} samples late");
        assert!(delay.abs() <= 2, "{rate} Hz: {delay}");
        let differences = heard.iter().zip(&expected).skip(4_800).take(36_000);
        let power: f32 = differences.map(|(a, b)| (a - b).powi(2)).sum();
        let noise = (power / 36_000.0).sqrt();
        assert!(noise < 0.02, "{rate} Hz: noise of {noise}");
    }
}

#[test]
fn silence_is_silent_and_small() {
    let track = g711_track(Law::Mu, 8_000, 1);
    let (transcoder, packets) = transcode(&track, &g711_units(&track, 50, |_| 0.0));
    assert!(peak(&listen(transcoder.track(), &packets)) < 1e-3);
    let bytes: usize = packets.iter().map(|packet| packet.payload.len()).sum();
    assert!(bytes / packets.len() <= 20, "{bytes} bytes in a second");
}
