//! Whoever watches goes on watching when the stream becomes another, or is told why not: an encoder or a camera is
//! started again with another size, rate, codec or set of tracks.

use crate::support::camera::{camera, pull};
use crate::support::clips::Clip;
use crate::support::media::{Seen, decoding, decoding_to_end, publish, start_publishing};
use crate::support::nginx::Nginx;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_for, wait_until};
use serde_json::json;

/// What ffmpeg has seen of a stream that began as `before` and was `after` from some time on, once it has been shown 300
/// pictures.
fn watch(url: impl Fn(&Server) -> String, before: Clip, after: Clip) -> Seen {
    let server = Server::start();
    let publisher = publish(&server, "cam", before);
    let mut player = tool("ffmpeg");
    // Pictures are written without waiting for sound that may not come.
    player
        .args(["-nostdin", "-v", "error", "-i", &url(&server), "-map", "0"])
        .args(["-max_interleave_delta", "500000", "-f", "framecrc", "-"]);
    let player = Peer::start(&mut player);
    let seen = || Seen::in_text(&player.stdout.text());
    wait_until("pictures", seconds(30), || seen().pictures > 90);
    publisher.kill();
    let _publisher = start_publishing(&server, "cam", after);
    wait_until("more pictures", seconds(60), || seen().pictures > 300);
    seen()
}

fn rtmp(server: &Server) -> String {
    server.rtmp_url("cam")
}

fn hls(server: &Server) -> String {
    server.url("/LiveApp/streams/cam.m3u8")
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
