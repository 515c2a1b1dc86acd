//! Files of other people's encoders through reader, demuxer, muxer and back. The counts are what ffprobe
//! says of the same files.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use bytes::Bytes;
use flv::demuxer::{AUDIO, Demuxer, Event, VIDEO};
use flv::file::{self, Reader, Tag, TagKind};
use flv::muxer;
use media::{AccessUnit, Track};

struct Case {
    name: &'static str,
    video_units: usize,
    audio_units: usize,
    key_frames: usize,
    first_video_pts: i64,
    size: (u32, u32),
    sample_rate: u32,
}

const CASES: [Case; 2] = [
    Case {
        name: "avatar.flv",
        video_units: 282,
        audio_units: 486,
        key_frames: 7,
        first_video_pts: 80,
        size: (768, 320),
        sample_rate: 44_100,
    },
    Case {
        name: "bbb.flv",
        video_units: 250,
        audio_units: 432,
        key_frames: 4,
        first_video_pts: 80,
        size: (640, 360),
        sample_rate: 44_100,
    },
];

fn read(bytes: &[u8], piece: usize) -> Vec<Tag> {
    let mut reader = Reader::new();
    for piece in bytes.chunks(piece) {
        reader.push(piece).unwrap();
    }
    assert!(reader.is_between_tags());
    std::iter::from_fn(|| reader.pull()).collect()
}

fn demux(tags: Vec<Tag>) -> (Vec<Track>, Vec<AccessUnit>) {
    let mut demuxer = Demuxer::new();
    let (mut tracks, mut units) = (Vec::new(), Vec::new());
    for tag in tags {
        match tag.kind {
            TagKind::Video => demuxer.push_video(tag.timestamp, tag.body).unwrap(),
            TagKind::Audio => demuxer.push_audio(tag.timestamp, tag.body).unwrap(),
            TagKind::Script => {}
        }
        match demuxer.pull() {
            Some(Event::Track(track)) => tracks.push(track),
            Some(Event::Unit(unit)) => units.push(unit),
            None => {}
        }
    }
    assert_eq!(demuxer.dropped_before_config(), 0);
    (tracks, units)
}

fn mux(tracks: &[Track], units: &[AccessUnit]) -> Vec<u8> {
    let of = |id| tracks.iter().find(|track| track.id == id).unwrap();
    let mut out = file::header(true, true).to_vec();
    let mut put = |kind, timestamp, prefix: &[u8], payload: Bytes| {
        let tag = file::tag(kind, timestamp, prefix, payload).unwrap();
        out.extend(tag.slices().concat());
    };
    for (kind, id) in [(TagKind::Video, VIDEO), (TagKind::Audio, AUDIO)] {
        put(kind, 0, &[], muxer::sequence_header(of(id)).unwrap());
    }
    for unit in units {
        let track = of(unit.track);
        let timestamp = muxer::timestamp(track, unit);
        let payload = unit.payload.clone();
        let kind = match track.kind() {
            media::Kind::Video => TagKind::Video,
            _ => TagKind::Audio,
        };
        let prefix = muxer::prefix(unit, track).unwrap();
        put(kind, timestamp, &prefix, payload);
    }
    out
}

#[test]
fn files_are_read_as_ffprobe_reads_them_and_survive_a_round_trip() {
    let Some(corpus) = std::env::var_os("MILLSTREAM_CORPUS") else {
        println!("MILLSTREAM_CORPUS is not set: only generated data is tested");
        return;
    };
    for case in CASES {
        let path = std::path::Path::new(&corpus)
            .join("av/srs-bench")
            .join(case.name);
        let (tracks, units) = demux(read(&std::fs::read(path).unwrap(), 1_400));
        let count = |id| units.iter().filter(|unit| unit.track == id).count();
        assert_eq!(
            (count(VIDEO), count(AUDIO)),
            (case.video_units, case.audio_units),
            "{}",
            case.name
        );
        let video = units.iter().filter(|unit| unit.track == VIDEO);
        let key_frames = video.clone().filter(|unit| unit.random_access).count();
        assert_eq!(key_frames, case.key_frames, "{}", case.name);
        let first = video.map(|unit| unit.pts).next();
        assert_eq!(first, Some(case.first_video_pts), "{}", case.name);
        for track in &tracks {
            match &track.codec {
                media::Codec::H264(config) => {
                    assert_eq!((config.video.width, config.video.height), case.size);
                }
                media::Codec::Aac(config) => {
                    assert_eq!(config.sample_rate.ticks_per_second(), case.sample_rate);
                }
                other => panic!("{}", other.name()),
            }
        }
        let again = demux(read(&mux(&tracks, &units), usize::MAX));
        assert!(
            again == (tracks, units),
            "{} differs after a round trip",
            case.name
        );
    }
}
