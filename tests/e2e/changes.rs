//! Whoever watches goes on watching when the stream becomes another, or is told why not: an encoder or a camera is
//! started again with another size, rate, codec or set of tracks.

use crate::browser;
use crate::hls_playlists::playlist;
use crate::support::camera::{camera, pull};
use crate::support::clips::Clip;
use crate::support::media::{
    Seen, decoding, decoding_to_end, packets, probe, publish, start_publishing,
};
use crate::support::nginx::Nginx;
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client, tags};
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{limit, seconds, wait_for, wait_until};
use flv::file::{Tag, TagKind};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What ffmpeg has seen of a stream that began as `before` and was `after` from some time on, once it has been shown 300
/// pictures.
fn watch(url: impl Fn(&Server) -> String, before: Clip, after: Clip) -> Seen {
    let server = Server::start();
    let publisher = publish(&server, "cam", before);
    let player = watching(&url(&server));
    let seen = || Seen::in_text(&player.stdout.text());
    wait_until("pictures", seconds(30), || seen().pictures > 90);
    publisher.kill();
    let _publisher = start_publishing(&server, "cam", after);
    wait_until("more pictures", seconds(60), || seen().pictures > 300);
    seen()
}

/// ffmpeg that watches without end, and writes pictures without waiting for sound that may not come.
#[track_caller]
fn watching(url: &str) -> Peer {
    let mut player = tool("ffmpeg");
    player
        .args(["-nostdin", "-v", "warning", "-i", url, "-map", "0"])
        .args(["-max_interleave_delta", "500000", "-f", "framecrc", "-"]);
    Peer::start(&mut player)
}

fn rtmp(server: &Server) -> String {
    server.rtmp_url("cam")
}

fn hls(server: &Server) -> String {
    server.url("/LiveApp/streams/cam.m3u8")
}

#[test]
fn an_encoder_that_returns_as_it_was_is_watched_on() {
    for url in [rtmp, hls] {
        let server = Server::with(&["--set", "streams.grace=60s"]);
        let publisher = publish(&server, "cam", Clip::Standard);
        let player = watching(&url(&server));
        let seen = || Seen::in_text(&player.stdout.text());
        wait_until("pictures", seconds(30), || seen().pictures > 90);
        publisher.kill();
        // All that it has sent is shown before the next one is there.
        let mut before = 0;
        wait_until("the last picture", seconds(40), || {
            std::thread::sleep(seconds(3));
            std::mem::replace(&mut before, seen().pictures) == before
        });
        let _publisher = start_publishing(&server, "cam", Clip::Standard);
        wait_until("more pictures", seconds(40), || {
            seen().pictures > before + 150
        });
        let seen = seen();
        // Both begin with the same pictures.
        assert!(seen.distinct > 130, "{seen:?}, {before} of the first");
        let length = seen.pictures as f64 / 30.0;
        assert!(seen.sound > 0.8 * length, "{seen:?}, {before} of the first");
    }
}

#[test]
fn another_size_and_another_rate_reach_those_who_watch() {
    // ffmpeg brings the pictures to their first size and the sound to its first rate.
    for url in [rtmp, hls] {
        let seen = watch(url, Clip::Standard, Clip::Small);
        assert!(seen.distinct > 250 && seen.sound > 8.0, "{seen:?}");
    }
}

#[test]
fn who_comes_when_the_pictures_alone_have_become_others_sees_and_hears_them() {
    let server = Server::start();
    let publisher = publish(&server, "cam", Clip::Standard);
    let discontinuities = |rendition: &str| {
        let media = playlist(&server, rendition, "");
        let listed = media.segments.iter().filter(|one| one.discontinuity);
        media.discontinuity_sequence + listed.count() as u64
    };
    // Of its pictures there is a segment.
    assert_eq!(discontinuities("video"), 0);
    publisher.kill();
    // The sound is the same.
    let _publisher = start_publishing(&server, "cam", Clip::BFrames);
    for rendition in ["video", "audio"] {
        wait_until("the discontinuity", seconds(40), || {
            discontinuities(rendition) == 1
        });
    }
    let path = "/LiveApp/play.html?id=cam&playOrder=hls";
    browser::watch(&server, path, &["--seconds", "6"]);
}

#[test]
fn pictures_go_on_when_the_sound_is_gone() {
    for url in [rtmp, hls] {
        let seen = watch(url, Clip::Standard, Clip::Silent);
        // Both clips begin with the same pictures.
        assert!(seen.distinct > 150 && seen.sound < 9.0, "{seen:?}");
    }
}

#[test]
fn sound_that_comes_late_is_there_for_who_comes_later() {
    let server = Server::start();
    let publisher = publish(&server, "cam", Clip::Silent);
    // The stream is being cut without sound.
    let playlist = "/LiveApp/streams/cam.m3u8";
    assert!(!server.get(playlist).text().contains("audio.m3u8"));
    publisher.kill();
    let _publisher = publish(&server, "cam", Clip::Standard);
    wait_until("a playlist with sound", seconds(20), || {
        server.get(playlist).text().contains("audio.m3u8")
    });
    for url in [rtmp(&server), hls(&server)] {
        let finished = Peer::start(&mut decoding(&url, 4)).finish(seconds(40));
        let seen = Seen::of(&finished);
        assert!(seen.pictures > 100 && seen.sound > 3.0, "{url}: {seen:?}");
    }
}

/// Publishes a clip again and again, and its sound from when it is told so.
#[track_caller]
pub(crate) fn publish_sound_late(server: &Server, clip: Clip) -> Arc<AtomicBool> {
    let with_sound = Arc::new(AtomicBool::new(false));
    let told = with_sound.clone();
    // Its only key frame does not come again.
    let rounds = if clip == Clip::OneKeyFrame { 1 } else { 60 };
    let clip = tags(clip);
    let mut sounds = clip.iter().filter(|tag| tag.kind == TagKind::Audio);
    let mut configuration = sounds.next().cloned();
    let rounds = (0..rounds).flat_map(move |round| {
        clip.clone().into_iter().map(move |tag| Tag {
            timestamp: tag.timestamp + round * Clip::SECONDS * 1_000,
            ..tag
        })
    });
    let tags = rounds.flat_map(move |tag| {
        if tag.kind != TagKind::Audio {
            return vec![tag];
        }
        if !told.load(Ordering::Relaxed) {
            return vec![];
        }
        let first = configuration.take().map(|first| Tag {
            timestamp: tag.timestamp,
            ..first
        });
        first.into_iter().chain([tag]).collect()
    });
    let (client, answer) = Client::publish(server.rtmp, "LiveApp", "cam");
    assert_eq!(answer, Answer::Granted);
    // Until the server ends.
    std::thread::spawn(move || client.send_all(tags));
    server.wait_live("cam");
    with_sound
}

#[test]
fn sound_that_comes_late_reaches_a_player_and_a_recording_that_have_begun() {
    let server = Server::start();
    let with_sound = publish_sound_late(&server, Clip::Standard);
    server.rest("PUT", "/cam/recording/true", "");
    let player = watching(&rtmp(&server));
    let pictures = || Seen::in_text(&player.stdout.text()).pictures;
    wait_until("pictures", seconds(30), || pictures() > 90);
    let is_new = |line: &str| line.contains("New audio stream");
    assert_eq!(player.stderr.count(is_new), 0);
    with_sound.store(true, Ordering::Relaxed);
    // ffmpeg says so when the first of it has come; no player made of it begins to play it.
    wait_until("the sound", seconds(30), || {
        player.stderr.count(is_new) == 1
    });
    let before = pictures();
    wait_until("more pictures", seconds(30), || pictures() > before + 90);
    server.rest("PUT", "/cam/recording/false", "");
    for (file, has_sound) in [("cam.mp4", false), ("cam_1.mp4", true)] {
        let file = server.data().join("recordings/LiveApp").join(file);
        let probed = probe(&file.to_string_lossy(), 600);
        assert!(packets(&probed, "video").len() > 60, "{file:?}");
        let sounds = packets(&probed, "audio").len();
        assert!((sounds > 60) == has_sound, "{file:?}: {sounds}");
        assert!((sounds == 0) != has_sound, "{file:?}: {sounds}");
    }
}

#[test]
fn sound_that_comes_late_is_heard_in_a_page_that_plays_already() {
    // By WebRTC even where no key frame comes with the sound.
    for (player, clip) in [
        ("hls", Clip::Standard),
        ("webrtc", Clip::Standard),
        ("webrtc", Clip::OneKeyFrame),
    ] {
        // Before the stream begins: a clip with one key frame is over while others hold the browsers.
        let _place = limit::BROWSER.take();
        let server = Server::start();
        let with_sound = publish_sound_late(&server, clip);
        let path = format!("/LiveApp/play.html?id=cam&playOrder={player}");
        let page = browser::follow_and_listen(&server, &path);
        let moves = |line: &str| line.starts_with("moves");
        wait_until("moving pictures", seconds(40), || {
            page.stdout.count(moves) > 2
        });
        let is_heard = |line: &str| line.contains(r#""heard":true"#);
        assert_eq!(page.stdout.count(is_heard), 0, "{}", page.stdout.text());
        with_sound.store(true, Ordering::Relaxed);
        browser::wait_line(&page, &["moves", r#""heard":true"#]);
        wait_until("sound that goes on", seconds(30), || {
            page.stdout.count(|line| moves(line) && is_heard(line)) > 4
        });
        assert_eq!(page.stderr.text(), "");
    }
}

#[test]
fn another_codec_ends_what_cannot_carry_it_with_a_reason_and_begins_another_file() {
    let (first, port) = camera(0, &["h264", "aac"]);
    let (server, nginx) = (Server::start(), Nginx::start());
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    let target = json!({ "endpointUrl": format!("rtmp://127.0.0.1:{}/app/cam", nginx.port) });
    server.rest("POST", "/cam/endpoint", &target.to_string());
    server.rest("PUT", "/cam/recording/true", "");
    let target = |key: &str| server.broadcast("cam").unwrap()["endPointList"][0][key].clone();
    wait_until("a target that is live", seconds(15), || {
        target("status") == "broadcasting"
    });
    let player = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    wait_until("pictures", seconds(20), || {
        Seen::in_text(&player.stdout.text()).pictures > 50
    });
    first.kill();
    let (_second, _) = camera(port, &["h265", "aac"]);
    // The player is not left with the last picture.
    player.finish(seconds(30));
    server.wait_log(seconds(5), &["its pictures are now of another codec"]);
    let error = wait_for("a reason", seconds(15), || {
        target("lastError").as_str().map(str::to_owned)
    });
    assert!(
        error.contains("its pictures are now of another codec"),
        "{error}"
    );
    wait_until("the new pictures", seconds(20), || {
        let playlist = server.get("/LiveApp/streams/cam.m3u8").text();
        playlist.contains("hvc1")
    });
    server.rest("PUT", "/cam/recording/false", "");
    for (file, codec) in [("cam.mp4", "h264"), ("cam_1.mp4", "hevc")] {
        let mut ffprobe = tool("ffprobe");
        ffprobe
            .args(["-v", "error", "-select_streams", "v", "-count_packets"])
            .args(["-show_entries", "stream=codec_name,nb_read_packets"])
            .args(["-of", "csv=p=0"])
            .arg(server.data().join("recordings/LiveApp").join(file));
        let probed = Peer::start(&mut ffprobe)
            .finish(seconds(20))
            .without_complaint();
        let (found, packets) = probed.stdout.trim().split_once(',').unwrap();
        assert_eq!(found, codec, "{file}");
        assert!(packets.parse::<u32>().unwrap() > 10, "{file}: {packets}");
    }
}
