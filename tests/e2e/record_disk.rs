//! Recordings on a disk that is full.

use crate::library::timeline;
use crate::record::{probe, record, vods};
use crate::support::clips::Clip;
use crate::support::http;
use crate::support::media::{packets, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_for, wait_until};
use std::path::Path;

#[test]
fn a_full_disk_makes_the_recording_pause_and_room_makes_it_go_on() {
    // Some seconds of it fill the disk.
    let server = Server::with_small_disk("24m", &["--set", "record.free_bytes=0"]);
    let mut publisher = publish(&server, "cam", Clip::Heavy);
    let mut player = tool("ffmpeg");
    player.args(["-nostdin", "-v", "error", "-i", &server.rtmp_url("cam")]);
    player.args(["-map", "0:v", "-c", "copy", "-f", "framecrc", "-"]);
    let mut player = Peer::start(&mut player);
    assert_eq!(record(&server, "cam", true, "")["success"], true);
    let paused = wait_for("the recording pauses", seconds(60), || {
        Some(timeline(&server, "cam")).filter(|now| now["state"] == "paused")
    });
    assert!(paused["reason"].is_string(), "{paused}");
    server.wait_log(seconds(5), &["ERROR", "the disk takes no more"]);
    // What there was room for is complete, and plays.
    let list = wait_for("the file is complete", seconds(20), || {
        Some(vods(&server, "list/0/10")).filter(|list| list[0].is_object())
    });
    let url = server.url("/LiveApp/streams/cam.mp4");
    let probed = probe(Path::new(&url));
    assert!(packets(&probed, "video").len() > 60, "{list}");
    // There is room again.
    let id = list[0]["vodId"].as_str().unwrap();
    let path = format!("/LiveApp/rest/v2/vods/{id}");
    let deleted = http::request(server.http, "DELETE", &path, &[], b"").json();
    assert_eq!(deleted["success"], true, "{deleted}");
    wait_until("the recording goes on", seconds(90), || {
        let now = timeline(&server, "cam");
        let stretches = now["recorded"].as_array().unwrap();
        let length = |stretch: &serde_json::Value| {
            let times = stretch["end"].as_u64().zip(stretch["start"].as_u64());
            times.map_or(0, |(end, start)| end - start)
        };
        now["state"] == "recording" && stretches.iter().any(|one| length(one) > 1_000)
    });
    // Who watches has noticed nothing.
    assert!(publisher.is_running() && player.is_running());
    let text = player.stdout.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let times: Vec<i64> = lines
        .map(|line| line.split(',').nth(1).unwrap().trim().parse().unwrap())
        .collect();
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    let worst = steps.max().unwrap();
    assert!(times.len() > 200 && worst <= 100, "{worst} ms");
}
