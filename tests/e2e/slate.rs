//! The slate: a file that is shown while a stream's sources are gone.

use crate::library::upload;
use crate::record::vods;
use crate::support::clips::Clip;
use crate::support::http;
use crate::support::media::start_publishing;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_until};
use serde_json::json;

/// A slate of the form of [`Clip::Standard`], red.
fn red() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("red.mp4");
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error"]);
    ffmpeg.args(["-f", "lavfi", "-i", "color=red:size=640x360:rate=30"]);
    ffmpeg.args(["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-t", "2"]);
    ffmpeg.args([
        "-c:v",
        "libx264",
        "-profile:v",
        "baseline",
        "-pix_fmt",
        "yuv420p",
        "-g",
        "30",
    ]);
    ffmpeg.args(["-c:a", "aac", "-movflags", "+faststart"]);
    let made = Peer::start(ffmpeg.arg(&path)).finish(seconds(30));
    assert!(made.status.success(), "{}", made.stderr);
    std::fs::read(path).unwrap()
}

#[test]
fn viewers_stay_with_the_slate_until_the_source_is_back() {
    let server = Server::start();
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    let set = |file: &str| {
        let body = json!({ "file": file }).to_string();
        let path = "/api/v1/streams/LiveApp/cam/slate";
        let kind = [("Content-Type", "application/json")];
        http::request(server.http, "PUT", path, &kind, body.as_bytes())
    };
    assert_eq!(upload(&server, "red.mp4", &red()).json()["success"], true);
    let list = vods(&server, "list/0/10");
    let slate = list[0]["filePath"].as_str().unwrap();
    let slate = slate.strip_prefix("streams/").unwrap().to_owned();
    assert_eq!(set("nobody.mp4").status, 422);
    // One that does not fit what is live is refused.
    let other = start_publishing(&server, "cam", Clip::Small);
    server.wait_live("cam");
    let refused = set(&slate);
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("640x360"), "{}", refused.text());
    other.kill();
    server.wait_status("cam", "terminated_unexpectedly");
    http::request(
        server.http,
        "POST",
        "/LiveApp/rest/v2/broadcasts/cam/stop",
        &[],
        b"",
    );

    let first = start_publishing(&server, "cam", Clip::Standard);
    server.wait_live("cam");
    let answer = set(&slate);
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Each picture is told by how red it is; the player is one for all of it.
    let mut player = tool("ffmpeg");
    player.args(["-nostdin", "-v", "error", "-i", &server.rtmp_url("cam")]);
    player.args([
        "-an",
        "-vf",
        "scale=1:1,format=rgb24",
        "-f",
        "framecrc",
        "-",
    ]);
    let mut player = Peer::start(&mut player);
    let pictures = |player: &Peer| {
        let text = player.stdout.text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let lines = lines.map(|line| {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            (fields[2].parse::<i64>().unwrap(), fields[5].to_owned())
        });
        lines.collect::<Vec<(i64, String)>>()
    };
    wait_until("the source is seen", seconds(30), || {
        pictures(&player).len() > 60
    });
    let seen_before = pictures(&player).len();
    first.kill();
    // The slate stands still: the same picture, and longer than a stream without one would last.
    let still = |pictures: &[(i64, String)]| {
        let last = pictures.last().map(|(_, sum)| sum.clone());
        let same = pictures
            .iter()
            .rev()
            .take_while(|(_, sum)| Some(sum) == last.as_ref());
        same.count()
    };
    wait_until("the slate is seen for eleven seconds", seconds(60), || {
        still(&pictures(&player)) > 330
    });
    assert!(player.is_running());
    let now = server.get("/api/v1/streams/LiveApp/cam/slate").json();
    assert_eq!(now, json!({ "file": slate, "shown": true }));
    assert_eq!(
        server.broadcast("cam").unwrap()["status"],
        "terminated_unexpectedly"
    );
    let shown = pictures(&player);
    assert!(
        shown.len() > seen_before + 300,
        "{} {seen_before}",
        shown.len()
    );

    let second = start_publishing(&server, "cam", Clip::Standard);
    wait_until("the source is seen again", seconds(40), || {
        still(&pictures(&player)) < 5
    });
    server.wait_live("cam");
    assert!(player.is_running());
    let all = pictures(&player);
    let steps: Vec<i64> = all.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    // ffmpeg counts in 1/30 s here: no jump of more than a second, and none back.
    assert!(
        steps.iter().all(|step| (0..=30).contains(step)),
        "{steps:?}"
    );
    // Without the slate, goodbye is the end.
    let gone = http::request(
        server.http,
        "DELETE",
        "/api/v1/streams/LiveApp/cam/slate",
        &[],
        b"",
    );
    assert_eq!(gone.status, 200, "{}", gone.text());
    second.signal("INT");
    wait_until("the player has ended", seconds(30), || !player.is_running());
}
