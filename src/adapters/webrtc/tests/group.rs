//! What a session begins with.

use super::*;
use crate::adapters::webrtc::recent::{Recent, Sample};
use media::Kind;
use rtp::Payloads;

fn sample(kind: Kind, time: i64, random_access: bool) -> Sample {
    Sample {
        kind,
        time,
        timebase: Timebase::VIDEO,
        payloads: Payloads::single(&[0; 100]),
        random_access,
    }
}

/// The times of the pictures as they would be sent.
fn times(recent: &Recent) -> Vec<i64> {
    recent.drawn_together().map(|sample| sample.time).collect()
}

#[test]
fn it_is_the_current_gop_in_order_and_over_at_once() {
    let mut recent = Recent::default();
    assert!(times(&recent).is_empty());
    recent.remember(&sample(Kind::Video, 0, false), 10_000);
    assert!(times(&recent).is_empty(), "nothing to start from yet");
    for picture in 0..4 {
        let sample = sample(Kind::Video, picture * 3_000, picture == 0);
        recent.remember(&sample, 10_000);
    }
    // The newest at its own time, each before it a millisecond earlier.
    assert_eq!(times(&recent), [8_730, 8_820, 8_910, 9_000]);
    recent.remember(&sample(Kind::Video, 12_000, true), 10_000);
    assert_eq!(times(&recent), [12_000]);
    // Pictures that are closer together stay where they are.
    recent.remember(&sample(Kind::Video, 12_010, false), 10_000);
    assert_eq!(times(&recent), [12_000, 12_010]);
}

#[test]
fn sound_is_left_out() {
    let mut recent = Recent::default();
    recent.remember(&sample(Kind::Video, 0, true), 10_000);
    recent.remember(&sample(Kind::Audio, 0, true), 10_000);
    let kinds: Vec<_> = recent.drawn_together().map(|sample| sample.kind).collect();
    assert_eq!(kinds, [Kind::Video]);
}

#[test]
fn beyond_its_bound_it_is_given_up_until_the_next_random_access_point() {
    let mut recent = Recent::default();
    for picture in 0..4 {
        recent.remember(&sample(Kind::Video, picture, picture == 0), 250);
    }
    assert!(times(&recent).is_empty());
    recent.remember(&sample(Kind::Video, 4, false), 250);
    assert!(times(&recent).is_empty());
    recent.remember(&sample(Kind::Video, 5, true), 250);
    assert_eq!(times(&recent), [5]);
}

#[test]
fn without_a_gop_it_is_the_next_random_access_point_or_any_sound() {
    let (start, other) = (sample(Kind::Video, 0, true), sample(Kind::Video, 0, false));
    let sound = sample(Kind::Audio, 0, true);
    let begins = |has_video| [&start, &other, &sound].map(|sample| sample.begins(has_video));
    assert_eq!(begins(true), [true, false, false]);
    assert!(sound.begins(false));
}

#[test]
fn who_begins_anew_is_sent_it_between_two_pictures() {
    let mut recent = Recent::default();
    assert!(recent.squeezed().is_empty());
    for picture in 0..4 {
        let sample = sample(Kind::Video, picture * 3_000, picture == 0);
        recent.remember(&sample, 10_000);
    }
    let again = recent.squeezed();
    let (last, next) = (100_000, 133_333);
    let times: Vec<_> = again.iter().map(|sample| sample.time).collect();
    assert!(again[0].random_access && times.is_sorted_by(|a, b| a < b));
    assert!(last < times[0] && times[3] < next, "{times:?}");
    // Too many for that.
    for picture in 4..4_000 {
        let sample = sample(Kind::Video, picture * 3_000, false);
        recent.remember(&sample, 10_000_000);
    }
    assert!(recent.squeezed().is_empty());
}
