//! What the tests of the segmenter have in common: a stream of pictures and sound.

mod beside;
mod cutting;
mod keeping;
mod tracks;

use super::*;
use crate::hub::TrackSet;
use crate::segment::Disk;
use bytes::Bytes;
use media::codec::{aac, g711, h264, mpeg_audio};

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);
const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];

fn tracks(generation: u64, with_video: bool) -> TrackSet {
    let video = h264::Config::new(
        vec![Bytes::from_static(SPS)],
        vec![Bytes::from_static(&[0x68, 0xeb])],
    )
    .unwrap();
    let audio = aac::Config::low_complexity(48_000, 2).unwrap();
    let mut tracks = vec![Track {
        id: AUDIO,
        timebase: audio.sample_rate,
        codec: Codec::Aac(audio),
    }];
    if with_video {
        tracks.insert(
            0,
            Track {
                id: VIDEO,
                timebase: Timebase::MILLIS,
                codec: Codec::H264(video),
            },
        );
    }
    TrackSet { generation, tracks }
}

fn unit(track: TrackId, dts: i64, random_access: bool, bytes: usize) -> AccessUnit {
    AccessUnit {
        track,
        dts,
        pts: dts,
        random_access,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload: Bytes::from(vec![0; bytes]),
    }
}

/// 25 pictures per second with a random access point every `gop`, AAC beside it, for `seconds`.
fn run(segmenter: &mut Segmenter, seconds: i64, gop: i64) {
    let mut audio = 0;
    for picture in 0..seconds * 25 {
        let millis = picture * 40;
        while audio * 1_024 * 1_000 / 48_000 <= millis {
            segmenter.push(
                &unit(AUDIO, audio * 1_024, true, 200),
                at(audio * 1_024 * 1_000 / 48_000),
            );
            audio += 1;
        }
        segmenter.push(&unit(VIDEO, millis, picture % gop == 0, 1_000), at(millis));
    }
}

fn at(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_millis(millis as u64)
}

fn started(with_video: bool) -> Segmenter {
    let mut segmenter = Segmenter::new(Settings::default(), 100);
    assert_eq!(segmenter.set_tracks(&tracks(1, with_video)), []);
    segmenter
}

fn durations(segmenter: &Segmenter, track: TrackId) -> Vec<u128> {
    let rendition = segmenter.rendition(track).unwrap();
    rendition
        .segments
        .iter()
        .map(|segment| segment.duration.as_millis())
        .collect()
}
