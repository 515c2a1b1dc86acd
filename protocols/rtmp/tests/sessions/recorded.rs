//! What real clients sent, recorded byte by byte between them and a server (`tests/recorded`), given to our server
//! in pieces of many sizes: it comes to the same whatever the pieces.
//!
//! Publishers send six pictures of 64x48 and a little more than a second of sound.

use crate::support::drain_server;
use rtmp::PublishKind;
use rtmp::server::{Config, Event, Request, Session};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a recording came to.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    request: Option<Request>,
    kind: Option<PublishKind>,
    buffers: Vec<u32>,
    data: Vec<String>,
    /// Time and first two bytes of each body.
    video: Vec<(u32, [u8; 2])>,
    audio: Vec<(u32, [u8; 2])>,
    stops: usize,
}

pub(crate) fn recording(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name).with_extension("bin")).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")
}

fn hear(bytes: &[u8], cut: usize) -> Heard {
    let now = Instant::now();
    let mut session = Session::new(now, Config::default());
    let mut heard = Heard::default();
    let start = |body: &[u8]| [body[0], body.get(1).copied().unwrap_or(0)];
    for part in bytes.chunks(cut) {
        session.handle_input(now, part).unwrap();
        loop {
            let (_, events) = drain_server(&mut session);
            if events.is_empty() {
                break;
            }
            for event in events {
                match event {
                    Event::Publish(request, kind) => {
                        heard.request = Some(request);
                        heard.kind = Some(kind);
                        session.accept(now).unwrap();
                    }
                    Event::Play(request) => {
                        heard.request = Some(request);
                        session.accept(now).unwrap();
                    }
                    Event::Audio { timestamp, payload } => {
                        heard.audio.push((timestamp, start(&payload)));
                    }
                    Event::Video { timestamp, payload } => {
                        heard.video.push((timestamp, start(&payload)));
                    }
                    Event::Data { values, .. } => {
                        heard.data.extend(values[0].as_str().map(str::to_owned));
                    }
                    Event::BufferLength(millis) => heard.buffers.push(millis),
                    Event::Stop => heard.stops += 1,
                    Event::Pause(_) => panic!("{event:?}"),
                }
            }
        }
    }
    assert_eq!(session.held_bytes(), 0, "nothing is left over");
    heard
}

/// The same whatever the pieces.
fn heard(name: &str) -> Heard {
    let bytes = recording(name);
    let whole = hear(&bytes, bytes.len());
    for cut in [1, 7, 128, 4_096] {
        assert_eq!(hear(&bytes, cut), whole, "{name} in pieces of {cut} bytes");
    }
    whole
}

/// Who published what: the key, the beginning of the client's name, its codecs, and the first two bytes of its first
/// picture and its last one.
type Published<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], [u8; 2], [u8; 2]);

#[test]
fn publishers() {
    let cases: [Published<'_>; 5] = [
        // ffmpeg divides a URL at its last slash, even one in the query.
        (
            "ffmpeg-publish",
            "b",
            "FMLE/3.0 (compatible; Lavf59",
            &[],
            [0x17, 0],
            [0x17, 2],
        ),
        // ffmpeg 9 with H.265 and Opus.
        (
            "ffmpeg-enhanced",
            "cam1",
            "FMLE/3.0 (compatible; Lavf63",
            &["hvc1", "av01", "vp09", "Opus"],
            [0x90, b'h'],
            [0xa1, b'h'],
        ),
        // From 16,776,800 ms, where times begin to need the extended timestamp.
        (
            "ffmpeg-extended",
            "cam2",
            "FMLE/3.0 (compatible; Lavf59",
            &[],
            [0x17, 0],
            [0x17, 2],
        ),
        (
            "rtmp2sink-publish",
            "cam",
            "LNX 10,0,32,18",
            &[],
            [0x17, 0],
            [0x17, 2],
        ),
        // librtmp by GStreamer's rtmpsink, which gives no name.
        ("librtmp-publish", "cam", "", &[], [0x17, 0], [0x17, 2]),
    ];
    for (name, key, agent, four_ccs, first, last) in cases {
        let heard = heard(name);
        let request = heard.request.as_ref().unwrap();
        assert_eq!(request.key, key, "{name}");
        let version = request.connect.flash_ver.clone().unwrap_or_default();
        assert!(version.starts_with(agent), "{name}: {version}");
        assert_eq!(request.connect.four_cc_list, four_ccs, "{name}");
        assert_eq!(heard.kind, Some(PublishKind::Live), "{name}");
        assert_eq!(heard.data, ["onMetaData"], "{name}");
        assert_eq!(heard.video.first().unwrap().1, first, "{name}");
        assert_eq!(heard.video.last().unwrap().1, last, "{name}");
        assert_eq!(heard.video.len(), 8, "{name}");
        assert!(heard.audio.len() > 30, "{name}: {}", heard.audio.len());
        let in_order = |times: &[(u32, [u8; 2])]| times.is_sorted_by_key(|(time, _)| *time);
        assert!(
            in_order(&heard.video) && in_order(&heard.audio),
            "{heard:?}"
        );
        assert_eq!(heard.stops, 1, "{name}");
    }
    let extended = heard("ffmpeg-extended").video;
    assert_eq!((extended[1].0, extended[7].0), (16_776_800, 16_777_800));
    let divided = heard("ffmpeg-publish").request.unwrap();
    assert_eq!(divided.connect.app, "LiveApp/cam?token=a");
}

#[test]
fn players() {
    for (name, buffers) in [
        ("ffmpeg-play", &[3_000][..]),
        ("rtmpdump-play", &[300, 36_000_000]),
        ("rtmp2src-play", &[300, 30_000]),
    ] {
        let heard = heard(name);
        let request = heard.request.unwrap();
        assert_eq!(
            (&*request.connect.app, &*request.key),
            ("LiveApp", "live1"),
            "{name}"
        );
        assert_eq!(heard.buffers, buffers, "{name}");
        assert_eq!(heard.kind, None, "{name}");
    }
    let rtmpdump = heard("rtmpdump-play").request.unwrap().connect;
    assert_eq!(rtmpdump.page_url.as_deref(), Some("http://page/"));
}

/// The version in C1 is what says that there is a digest.
#[test]
fn handshakes_of_both_kinds_are_among_them() {
    let mut versions = Vec::new();
    for file in std::fs::read_dir(folder()).unwrap() {
        versions.push(std::fs::read(file.unwrap().path()).unwrap()[5..9].to_vec());
    }
    let simple = versions.iter().filter(|version| **version == [0; 4]);
    let simple = simple.count();
    assert!(simple > 0 && simple < versions.len(), "{versions:?}");
}
