//! Whoever watches goes on watching when the stream becomes another: an encoder is started again with another size,
//! rate or set of tracks.

use crate::support::clips::Clip;
use crate::support::media::{Seen, decoding, publish, start_publishing};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_until};

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
