//! HLS players that are not ours play what is published, and are told when there is nothing to play.
//! What the playlists look like is in `hls_playlists`.

use crate::support::clips::Clip;
use crate::support::http::request;
use crate::support::media::{Seen, decoding, decoding_to_end, publish, publish_for};
use crate::support::peer::{Finished, Peer};
use crate::support::playlist::Media;
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::{path_of, tool};
use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// What ffmpeg says each time a live playlist of fragmented MP4 is read again, whoever serves it: it does
/// not see that the initialisation section is the same.
const FFMPEG_READS_INIT_AGAIN: &str = "Found duplicated MOOV Atom. Skipped it";

#[test]
fn ffmpeg_plays_both_renditions() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    for name in ["cam", "cam_adaptive"] {
        let url = server.url(&format!("/LiveApp/streams/{name}.m3u8"));
        let finished = Peer::start(&mut decoding(&url, 4)).finish(seconds(30));
        Seen::of(&without_errors(finished)).assert_about(4.0, 30.0);
    }
    for (rendition, pictures, sound) in [("video", 120, 0.0), ("audio", 0, 4.0)] {
        let url = server.url(&format!("/LiveApp/streams/cam/{rendition}.m3u8"));
        let finished = Peer::start(&mut decoding(&url, 4)).finish(seconds(30));
        let seen = Seen::of(&without_errors(finished));
        assert!(
            seen.pictures.abs_diff(pictures) < 10,
            "{rendition}: {seen:?}"
        );
        assert!((seen.sound - sound).abs() < 0.5, "{rendition}: {seen:?}");
    }
}

#[test]
fn ffmpeg_plays_b_frames_and_the_servers_own_stream() {
    let server = Server::with(&["--demo"]);
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let url = server.url("/LiveApp/streams/cam.m3u8");
    let ours = server.url("/LiveApp/streams/demo.m3u8");
    let players = [&url, &ours].map(|url| Peer::start(&mut decoding(url, 5)));
    let [theirs, ours] = players.map(|player| without_errors(player.finish(seconds(30))));
    Seen::of(&theirs).assert_about(5.0, 30.0);
    let seen = Seen::of(&ours);
    assert!(
        seen.pictures > 50 && (seen.sound - 5.0).abs() < 0.5,
        "{seen:?}"
    );
}

#[test]
fn a_stream_of_sound_alone_or_of_pictures_alone_plays() {
    let server = Server::start();
    let _sound = publish(&server, "sound", Clip::SoundOnly);
    let _pictures = publish(&server, "pictures", Clip::Silent);
    for (id, pictures, sound) in [("sound", 0, 4.0), ("pictures", 120, 0.0)] {
        let url = server.url(&format!("/LiveApp/streams/{id}.m3u8"));
        let finished = Peer::start(&mut decoding(&url, 4)).finish(seconds(30));
        let seen = Seen::of(&without_errors(finished));
        assert!(seen.pictures.abs_diff(pictures) < 10, "{id}: {seen:?}");
        assert!((seen.sound - sound).abs() < 0.5, "{id}: {seen:?}");
    }
}

#[test]
fn vlc_plays() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    vlc_plays_url(&server.url("/LiveApp/streams/cam.m3u8"));
}

/// VLC plays some seconds of a live stream of [`Clip::Standard`] without a complaint.
#[track_caller]
pub(crate) fn vlc_plays_url(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut player = Peer::start(&mut vlc(folder.path(), url, 60));
    // One picture in fifteen of those that were shown.
    let pictures = || -> Vec<_> {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        files
            .filter(|file| file.extension().is_some_and(|ending| ending == "png"))
            .collect()
    };
    while pictures().len() < 8 && player.is_running() {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    player.signal("TERM");
    let finished = player.finish(seconds(20));
    assert!(
        finished.status.success(),
        "{}\n{}",
        finished.status,
        finished.stderr
    );
    for part in [
        "demux",
        "decoder",
        "access",
        "stream",
        "adaptive",
        "packetizer",
    ] {
        let complaint = format!("{part} error");
        // Seen once on a busy machine: VLC was late by its own word ("called too late"), began its clock anew, and
        // the picture in its decoder had none. Without that word it is a complaint like any other.
        let was_late = finished.stderr.contains("is called too late");
        let late = ["no reference clock", "Could not convert timestamp"];
        let mut complaints = finished
            .stderr
            .lines()
            .filter(|line| line.contains(&complaint))
            .filter(|line| !(was_late && late.iter().any(|words| line.contains(words))));
        assert_eq!(complaints.next(), None, "{}", finished.stderr);
    }
    let pictures = pictures();
    let distinct: HashSet<Vec<u8>> = pictures
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect();
    assert!(
        distinct.len() >= 6 && distinct.len() == pictures.len(),
        "{} different ones of {} pictures\n{}",
        distinct.len(),
        pictures.len(),
        finished.stderr
    );
}

#[test]
fn gstreamer_plays() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let mut player = tool("gst-launch-1.0");
    player
        .args(["--quiet", "playbin3", "buffer-duration=1000000000"])
        .arg(format!("uri={}", server.url("/LiveApp/streams/cam.m3u8")))
        .arg("video-sink=identity eos-after=60 ! fakesink sync=true")
        .arg("audio-sink=identity eos-after=80 ! fakesink sync=true");
    let finished = Peer::start(&mut player).finish(seconds(30));
    assert!(finished.status.success(), "{}", finished.stderr);
    assert!(!finished.stderr.contains("ERROR"), "{}", finished.stderr);
}

#[test]
fn a_finished_stream_ends_its_playlists_and_its_players() {
    let server = Server::start();
    let publisher = publish_for(&server, "cam", Clip::Standard, 9);
    let player = Peer::start(&mut decoding_to_end(
        &server.url("/LiveApp/streams/cam.m3u8"),
    ));
    publisher.finish(seconds(20)).without_complaint();
    for rendition in ["video", "audio"] {
        let playlist = server.get(&format!("/LiveApp/streams/cam/{rendition}.m3u8"));
        let media = Media::parse(&playlist.text());
        assert!(media.ended, "{}", playlist.text());
        assert!(
            media.hint.is_none() && media.open_parts.is_empty(),
            "{}",
            playlist.text()
        );
        let total: f64 = media.segments.iter().map(|segment| segment.duration).sum();
        assert!(
            (8.0..=9.5).contains(&total),
            "{total} s in {}",
            playlist.text()
        );
    }
    let seen = Seen::of(&without_errors(player.finish(seconds(20))));
    assert!(seen.pictures >= 200 && seen.sound > 7.0, "{seen:?}");
}

#[test]
fn who_asks_for_what_is_not_live_learns_why() {
    let server = Server::start();
    let created = server.rest("POST", "/create", r#"{"streamId":"later"}"#);
    assert_eq!(created.status, 200, "{}", created.text());
    for (path, error) in [
        ("/LiveApp/streams/nobody.m3u8", "no_such_stream"),
        ("/LiveApp/streams/nobody_adaptive.m3u8", "no_such_stream"),
        ("/LiveApp/streams/nobody/video.m3u8", "no_such_stream"),
        ("/live/streams/later.m3u8", "no_such_stream"),
        ("/LiveApp/streams/later.m3u8", "not_live"),
        ("/LiveApp/streams/later/audio.m3u8", "not_live"),
    ] {
        let response = server.get(path);
        assert_eq!(response.status, 404, "{path}");
        assert_eq!(
            response.header("content-type"),
            "application/json",
            "{path}"
        );
        assert_eq!(
            response.json(),
            serde_json::json!({ "error": error }),
            "{path}"
        );
        let head = request(server.http, "HEAD", path, &[], b"");
        assert_eq!(head.status, 404, "{path}");
    }
    for path in [
        "/LiveApp/streams/",
        "/nowhere/streams/a.m3u8",
        "/LiveApp/streams/a/b/c.m3u8",
    ] {
        assert!(matches!(server.get(path).status, 403 | 404), "{path}");
    }
    let refused = request(server.http, "PUT", "/LiveApp/streams/later.m3u8", &[], b"x");
    assert_eq!(refused.status, 405);
}

#[test]
fn pages_of_other_sites_may_play() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let origin = [("Origin", "https://example.com")];
    for path in ["/LiveApp/streams/cam.m3u8", "/LiveApp/streams/nobody.m3u8"] {
        let response = request(server.http, "GET", path, &origin, b"");
        assert_eq!(
            response.header("access-control-allow-origin"),
            "*",
            "{path}"
        );
    }
    let asked = [
        ("Origin", "https://example.com"),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "range"),
    ];
    let preflight = request(
        server.http,
        "OPTIONS",
        "/LiveApp/streams/cam.m3u8",
        &asked,
        b"",
    );
    assert!(
        matches!(preflight.status, 200 | 204),
        "{}",
        preflight.status
    );
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
    assert!(
        preflight
            .header("access-control-allow-methods")
            .contains("GET")
    );
    assert!(
        preflight
            .header("access-control-allow-headers")
            .to_lowercase()
            .contains("range")
    );
}

/// ffmpeg ended well and reported nothing that is wrong with the stream.
#[track_caller]
pub(crate) fn without_errors(finished: Finished) -> Finished {
    let complaints: Vec<&str> = finished
        .stderr
        .lines()
        .filter(|line| !line.contains(FFMPEG_READS_INIT_AGAIN))
        .collect();
    assert!(
        finished.status.success() && complaints.is_empty(),
        "{}: {}\n{}",
        finished.status,
        finished.what,
        complaints.join("\n")
    );
    finished
}

/// VLC without a window, writing pictures that it shows into `folder`. It refuses to run as root, so root
/// becomes nobody.
pub(crate) fn vlc(folder: &std::path::Path, url: &str, length: u32) -> Command {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let id = Command::new("id").arg("-u").output().unwrap();
    let mut command = if id.stdout.trim_ascii() == b"0" {
        let mut command = tool("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(path_of("cvlc"));
        command
    } else {
        tool("cvlc")
    };
    command
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .args([
            "-I",
            "dummy",
            "--no-interact",
            "-v",
            "--vout=dummy",
            "--aout=dummy",
        ])
        .args([
            "--video-filter=scene",
            "--scene-format=png",
            "--scene-ratio=15",
        ])
        .arg(format!("--scene-path={}", folder.display()))
        .arg(format!("--run-time={length}"))
        .args(["--play-and-exit", url, "vlc://quit"]);
    command
}
