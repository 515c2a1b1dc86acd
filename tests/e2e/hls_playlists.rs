//! The playlists keep the rules of draft-pantos-hls-rfc8216bis, reload after reload, and every file that
//! they list is there. Requests that wait are in `hls_waiting`.

use crate::support::clips::Clip;
use crate::support::http::{get, request};
use crate::support::media::publish;
use crate::support::playlist::{Media, renditions};
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::tool;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The folder of the stream.
pub(crate) const FOLDER: &str = "/LiveApp/streams/cam";

#[track_caller]
pub(crate) fn playlist(server: &Server, rendition: &str, query: &str) -> Media {
    let path = format!("{FOLDER}/{rendition}.m3u8{query}");
    let response = server.get(&path);
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    assert_eq!(
        response.header("content-type"),
        "application/vnd.apple.mpegurl",
        "{path}"
    );
    Media::parse(&response.text())
}

/// The session that a multivariant playlist gives its player.
#[track_caller]
fn session(multivariant: &str) -> String {
    let (_, rest) = multivariant.split_once("?session=").unwrap();
    rest.chars().take_while(char::is_ascii_hexdigit).collect()
}

#[test]
fn every_reload_keeps_the_rules() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let multivariant = server.get("/LiveApp/streams/cam.m3u8");
    assert_eq!(
        multivariant.header("content-type"),
        "application/vnd.apple.mpegurl"
    );
    let session = session(&multivariant.text());
    assert_eq!(
        renditions(&multivariant.text()),
        ["audio", "video"].map(|name| format!("cam/{name}.m3u8?session={session}"))
    );
    assert!(
        multivariant.text().contains("CODECS=\"avc1."),
        "{}",
        multivariant.text()
    );
    assert!(
        multivariant.text().contains("RESOLUTION=640x360"),
        "{}",
        multivariant.text()
    );
    let begun = Instant::now();
    let mut last: BTreeMap<&str, Media> = BTreeMap::new();
    let mut known: BTreeMap<String, f64> = BTreeMap::new();
    while begun.elapsed() < seconds(18) {
        for rendition in ["video", "audio"] {
            let now = playlist(&server, rendition, "");
            check_alone(&now);
            if let Some(before) = last.get(rendition) {
                check_against(before, &now);
            }
            // What a URI stands for never changes.
            for segment in &now.segments {
                let uri = format!("{rendition}/{}", segment.uri);
                let duration = known.entry(uri).or_insert(segment.duration);
                assert_eq!(*duration, segment.duration, "{}", segment.uri);
            }
            last.insert(rendition, now);
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    let video = &last["video"];
    // Longer than the playlist, so that segments have left it.
    assert!(known.len() > 2 * video.segments.len(), "{}", known.len());
    let length: f64 = video.segments.iter().map(|segment| segment.duration).sum();
    assert!(
        length >= 3.0 * video.target as f64,
        "a playlist of {length} s is too short"
    );
}

/// What holds for one playlist.
#[track_caller]
fn check_alone(playlist: &Media) {
    assert!(
        playlist.target > 0 && !playlist.ended && playlist.can_block,
        "{playlist:?}"
    );
    assert!(!playlist.segments.is_empty(), "{playlist:?}");
    for segment in &playlist.segments {
        assert!(
            segment.duration.round() <= playlist.target as f64,
            "{segment:?}, {}",
            playlist.target
        );
        assert!(!segment.map.is_empty(), "{segment:?}");
        assert!(segment.date.is_some(), "{segment:?}");
        if !segment.parts.is_empty() {
            let parts: f64 = segment.parts.iter().map(|part| part.duration).sum();
            assert!((parts - segment.duration).abs() < 0.001, "{segment:?}");
        }
    }
    let listed = playlist.segments.iter().flat_map(|segment| &segment.parts);
    for part in listed.chain(&playlist.open_parts) {
        assert!(
            part.duration > 0.0 && part.duration <= playlist.part_target + 0.00001,
            "{part:?}"
        );
    }
    let first = playlist
        .segments
        .last()
        .and_then(|segment| segment.parts.first());
    assert!(first.is_some_and(|part| part.independent), "{playlist:?}");
    assert!(playlist.hint.is_some(), "{playlist:?}");
    assert_eq!(playlist.reports.len(), 1, "{playlist:?}");
}

/// What holds between a playlist and the one before.
#[track_caller]
fn check_against(before: &Media, now: &Media) {
    assert_eq!(now.target, before.target);
    assert_eq!(now.part_target, before.part_target);
    assert!(
        now.sequence >= before.sequence,
        "{} after {}",
        now.sequence,
        before.sequence
    );
    assert!(now.open_number() >= before.open_number());
    assert_eq!(now.discontinuity_sequence, before.discontinuity_sequence);
    assert!(
        !now.segments.iter().any(|segment| segment.discontinuity),
        "{now:?}"
    );
    let left = (now.sequence - before.sequence) as usize;
    for (old, new) in before.segments.iter().skip(left).zip(&now.segments) {
        assert_eq!(
            (&old.uri, old.duration, &old.date),
            (&new.uri, new.duration, &new.date)
        );
    }
}

#[test]
fn every_file_that_is_listed_is_there() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    std::thread::sleep(seconds(7));
    for (rendition, content_type) in [("video", "video/mp4"), ("audio", "audio/mp4")] {
        // Once for the start of the cutting, once for what there is after some time.
        playlist(&server, rendition, "");
        std::thread::sleep(seconds(5));
        let playlist = playlist(&server, rendition, "");
        let file = |uri: &str| {
            let response = get(server.http, &format!("{FOLDER}/{uri}"));
            assert_eq!(response.status, 200, "{uri}");
            assert_eq!(response.header("content-type"), content_type, "{uri}");
            assert_eq!(
                response.header("content-length"),
                response.body.len().to_string(),
                "{uri}"
            );
            assert!(!response.body.is_empty(), "{uri}");
            response.body
        };
        for segment in &playlist.segments {
            let whole = file(&segment.uri);
            if !segment.parts.is_empty() {
                let parts: Vec<u8> = segment
                    .parts
                    .iter()
                    .flat_map(|part| file(&part.uri))
                    .collect();
                assert!(parts == whole, "{} is not its parts", segment.uri);
            }
        }
        playlist
            .open_parts
            .iter()
            .for_each(|part| drop(file(&part.uri)));
        assert!(
            playlist
                .segments
                .iter()
                .any(|segment| !segment.parts.is_empty())
        );
        let newest = playlist.segments.last().unwrap();
        check_ranges(&server, &newest.uri, &file(&newest.uri));
        check_alone_playable(
            &[file(&newest.map), file(&newest.uri)].concat(),
            newest.duration,
            rendition,
        );
    }
}

/// HEAD and Range on a file (RFC 9110 sections 9.3.2 and 14).
fn check_ranges(server: &Server, uri: &str, whole: &[u8]) {
    let path = format!("{FOLDER}/{uri}");
    let head = request(server.http, "HEAD", &path, &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0), "{uri}");
    assert_eq!(
        head.header("content-length"),
        whole.len().to_string(),
        "{uri}"
    );
    assert_eq!(head.header("accept-ranges"), "bytes", "{uri}");
    let last = whole.len() - 1;
    for (range, start, end) in [
        ("bytes=0-99".to_owned(), 0, 100),
        ("bytes=100-".to_owned(), 100, whole.len()),
        ("bytes=-50".to_owned(), whole.len() - 50, whole.len()),
        (format!("bytes={last}-{}", last + 1000), last, whole.len()),
    ] {
        let part = request(server.http, "GET", &path, &[("Range", range.as_str())], b"");
        assert_eq!(part.status, 206, "{range}");
        assert!(part.body == whole[start..end], "{range}");
        let content_range = format!("bytes {start}-{}/{}", end - 1, whole.len());
        assert_eq!(part.header("content-range"), content_range);
    }
    let beyond = format!("bytes={}-", whole.len());
    let beyond = request(
        server.http,
        "GET",
        &path,
        &[("Range", beyond.as_str())],
        b"",
    );
    assert_eq!(beyond.status, 416);
    assert_eq!(
        beyond.header("content-range"),
        format!("bytes */{}", whole.len())
    );
}

/// A segment behind its initialisation section is a file that holds what the playlist says.
fn check_alone_playable(bytes: &[u8], duration: f64, rendition: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("segment.mp4");
    std::fs::write(&file, bytes).unwrap();
    let mut ffprobe = tool("ffprobe");
    ffprobe
        .args([
            "-v",
            "error",
            "-count_packets",
            "-show_entries",
            "stream=nb_read_packets,codec_name",
        ])
        .args(["-of", "json"])
        .arg(&file);
    let output = ffprobe.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let probed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let stream = &probed["streams"][0];
    let packets: f64 = stream["nb_read_packets"].as_str().unwrap().parse().unwrap();
    let per_second = if rendition == "video" {
        30.0
    } else {
        48_000.0 / 1_024.0
    };
    assert!(
        (packets - duration * per_second).abs() < 1.5,
        "{packets} packets in {duration} s"
    );
}

#[test]
fn viewers_are_told_apart_by_their_sessions_and_share_the_playlists() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let count = || server.broadcast("cam").unwrap()["hlsViewerCount"].clone();
    let sessions: Vec<String> = (0..3)
        .map(|_| {
            let multivariant = server.get("/LiveApp/streams/cam.m3u8");
            assert_eq!(multivariant.header("cache-control"), "no-store");
            session(&multivariant.text())
        })
        .collect();
    // One that asks and asks is one.
    assert_eq!(count(), 1);
    for session in &sessions {
        for rendition in ["video", "audio"] {
            let own = format!("{FOLDER}/{rendition}.m3u8?session={session}&_HLS_msn=0");
            let text = server.get(&own).text();
            assert!(
                text.contains("#EXTINF") && !text.contains("session"),
                "{text}"
            );
        }
    }
    assert_eq!(count(), 3);
    // One more that was given the media playlist, and one that makes up its session.
    for query in ["", "?session=nonsense"] {
        playlist(&server, "video", query);
    }
    assert_eq!(count(), 4);
    // Whoever looks whether it is there, or fetches media, does not watch.
    let init = playlist(&server, "video", &format!("?session={}", sessions[0])).segments[0]
        .map
        .clone();
    let agent = [("User-Agent", "another")];
    for (method, path) in [
        ("HEAD", format!("{FOLDER}/video.m3u8?session=1")),
        ("GET", format!("{FOLDER}/{init}")),
    ] {
        assert_eq!(request(server.http, method, &path, &agent, b"").status, 200);
    }
    assert_eq!(count(), 4);
}
