//! A stream that players can go back in: what is listed, from where it is sent, and what becomes of it at the end.

use crate::browser::watch;
use crate::dash::assert_valid;
use crate::hls::without_errors;
use crate::hls_playlists::{FOLDER, playlist};
use crate::support::clips::Clip;
use crate::support::http::request;
use crate::support::media::{Seen, decoding_to_end, publish, publish_for};
use crate::support::peer::Peer;
use crate::support::playlist::Media;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_for};
use flate2::read::GzDecoder;
use std::io::Read;

/// Segments of a second, of which a minute can be played, and few are in memory.
const WINDOW: [&str; 8] = [
    "--set",
    "segments.duration=1s",
    "--set",
    "segments.listed=3",
    "--set",
    "segments.window=1m",
    "--set",
    "segments.memory_bytes=1048576",
];

#[test]
fn all_of_a_stream_that_has_ended_can_be_played_though_nobody_asked_before() {
    for on_disk in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let setting = format!("segments.folder={}", folder.path().display());
        let mut arguments = WINDOW.to_vec();
        match on_disk {
            true => arguments.extend(["--set", &setting]),
            // Enough for all.
            false => arguments.truncate(6),
        }
        let server = Server::with(&arguments);
        let publisher = publish_for(&server, "cam", Clip::Standard, 12);
        publisher.finish(seconds(40)).without_complaint();
        for rendition in ["video", "audio"] {
            let media = playlist(&server, rendition, "");
            let length: f64 = media.segments.iter().map(|one| one.duration).sum();
            assert!(media.ended && (11.0..12.5).contains(&length), "{media:?}");
            assert_eq!(media.discontinuity_sequence, 0);
        }
        let hls = server.url("/LiveApp/streams/cam.m3u8");
        let seen = Seen::of(&without_errors(
            Peer::start(&mut decoding_to_end(&hls)).finish(seconds(40)),
        ));
        seen.assert_about(11.5, 30.0);
        let description = server.get(&format!("{FOLDER}/cam.mpd")).text();
        assert!(description.contains(" type=\"static\""), "{description}");
        assert_valid(&description);
        let dash = server.url(&format!("{FOLDER}/cam.mpd"));
        let finished = Peer::start(&mut decoding_to_end(&dash)).finish(seconds(40));
        Seen::of(&finished.without_complaint()).assert_about(11.5, 30.0);
        // What the disk has needs no name there.
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}

#[test]
fn who_follows_a_long_window_is_sent_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let setting = format!("segments.folder={}", folder.path().display());
    let mut arguments = WINDOW.to_vec();
    arguments.extend(["--set", &setting]);
    let server = Server::with(&arguments);
    let _publisher = publish(&server, "cam", Clip::Standard);
    let delta = wait_for("a delta update", seconds(60), || {
        let text = server.get(&format!("{FOLDER}/video.m3u8?_HLS_skip=YES"));
        text.text().contains("#EXT-X-SKIP:").then(|| text.text())
    });
    let whole = server.get(&format!("{FOLDER}/video.m3u8")).text();
    assert!(whole.contains("CAN-SKIP-UNTIL=6.00000"), "{whole}");
    assert!(delta.len() < whole.len(), "{delta}");
    let (_, rest) = delta.split_once("SKIPPED-SEGMENTS=").unwrap();
    let skipped: usize = rest.split('\n').next().unwrap().parse().unwrap();
    let (delta, whole) = (Media::parse(&delta), Media::parse(&whole));
    assert_eq!(delta.sequence, whole.sequence);
    // The segment that was open when the first was asked for may be complete in the second.
    assert!(skipped >= 8 && delta.segments.len() >= 5, "{skipped}");
    for (at, segment) in delta.segments.iter().enumerate() {
        assert_eq!(segment.uri, whole.segments[skipped + at].uri);
    }
    caches_and_ranges(&server, &whole);

    // From the beginning on, much of which is on the disk.
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "repeat+warning", "-live_start_index", "0"])
        .args(["-i", &server.url("/LiveApp/streams/cam.m3u8"), "-t", "12"])
        .args(["-map", "0:v", "-map", "0:a", "-f", "framecrc", "-"]);
    let finished = Peer::start(&mut ffmpeg).finish(seconds(60));
    Seen::of(&without_errors(finished)).assert_about(12.0, 30.0);
    let path = "/LiveApp/play.html?id=cam&playOrder=hls";
    let facts = watch(&server, path, &["--seconds", "6"]);
    assert_eq!(facts["stalls"], 0, "{facts}");
}

/// What caches in front are told, and what they may ask.
#[track_caller]
fn caches_and_ranges(server: &Server, whole: &Media) {
    let path = format!("{FOLDER}/video.m3u8");
    let ask = |path: &str, method: &str, headers: &[(&str, &str)]| {
        request(server.http, method, path, headers, b"")
    };
    let packed = ask(&path, "GET", &[("Accept-Encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.header("vary"), "Accept-Encoding");
    let mut text = String::new();
    GzDecoder::new(&packed.body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(Media::parse(&text).segments[0], whole.segments[0]);
    assert!(packed.body.len() * 3 < text.len(), "{}", packed.body.len());
    let next = format!("{path}?_HLS_msn={}", whole.open_number());
    for (path, kept) in [(&path, "max-age=0"), (&next, "max-age=6")] {
        assert_eq!(server.get(path).header("cache-control"), kept, "{path}");
    }
    for uri in [&whole.segments[0].uri, &whole.segments[0].map] {
        let path = format!("{FOLDER}/{uri}");
        let found = server.get(&path);
        let tag = found.header("etag").to_owned();
        assert_eq!(found.header("cache-control"), "max-age=3600");
        let known = ask(&path, "GET", &[("If-None-Match", &tag)]);
        assert_eq!((known.status, known.body.len()), (304, 0), "{path}");
        let part = ask(&path, "GET", &[("Range", "bytes=4-99"), ("If-Range", &tag)]);
        assert_eq!(part.status, 206, "{path}");
        assert!(part.body == found.body[4..100], "{path}");
        let head = ask(&path, "HEAD", &[]);
        let length = found.body.len().to_string();
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, &*length)
        );
    }
}
