//! DASH players that are not ours play what is published; what becomes of a description.

use crate::browser::{
    comes_back, cut_off_for_a_moment, cut_off_until_it_has_ended, goodbye_and_back, node, watch,
    watch_for,
};
use crate::hls::vlc_plays_url;
use crate::support::clips::Clip;
use crate::support::http::request;
use crate::support::limit;
use crate::support::media::{Seen, decoding, publish};
use crate::support::peer::Peer;
use crate::support::playlist::Media;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_for, wait_until};
use crate::webrtc_weather::{BLACK, CLOCK};

const PATH: &str = "/LiveApp/streams/cam/cam.mpd";

/// By the schema (ISO/IEC 23009-1, annex B).
#[track_caller]
pub(crate) fn assert_valid(description: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("description.mpd");
    std::fs::write(&file, description).unwrap();
    let mut xmllint = tool("xmllint");
    xmllint.args(["--noout", "--nonet", "--schema"]);
    xmllint.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/mpd.xsd"));
    let finished = Peer::start(xmllint.arg(&file)).finish(seconds(20));
    assert!(
        finished.status.success(),
        "{description}\n{}",
        finished.stderr
    );
}

#[test]
fn ffmpeg_plays() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let finished = Peer::start(&mut decoding(&server.url(PATH), 4)).finish(seconds(40));
    Seen::of(&finished.without_complaint()).assert_about(4.0, 30.0);
}

#[test]
fn ffmpeg_plays_b_frames() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let finished = Peer::start(&mut decoding(&server.url(PATH), 4)).finish(seconds(40));
    Seen::of(&finished.without_complaint()).assert_about(4.0, 30.0);
}

#[test]
fn vlc_plays() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    vlc_plays_url(&server.url(PATH));
}

#[test]
fn the_page_plays_and_is_counted() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let path = "/LiveApp/play.html?id=demo&playOrder=dash";
    let facts = watch(&server, path, &["--seconds", "10"]);
    assert_eq!(facts["player"], "dash", "{facts}");
    assert_eq!(facts["stalls"], 0, "{facts}");
    let count = &server.broadcast("demo").unwrap()["dashViewerCount"];
    assert_eq!(count, 1, "the page has just left");
}

#[test]
fn shaka_plays() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    // Shaka takes the time that the first request waits for the first segments for how long each will take.
    description(&server);
    let description = server.url(PATH);
    let more = ["--seconds", "12", "--shaka", &description];
    let facts = watch(&server, "/shaka.html", &more);
    // It begins at the end, and may stand still once for as long as it takes to be where it should be.
    assert!(facts["stalls"].as_u64().unwrap() <= 1, "{facts}");
    assert!(facts["played"].as_f64().unwrap() > 8.5, "{facts}");
}

#[test]
fn dash_js_stays_close_by_the_description_for_low_latency() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let path = "/LiveApp/play.html?id=demo&playOrder=dash";
    let facts = watch(&server, path, &["--seconds", "8", "--low"]);
    assert_eq!(facts["player"], "dash", "{facts}");
    // By the usual one it is 7 s; how much less it is depends on what else runs.
    assert!(facts["latency"].as_f64().unwrap() < 5.0, "{facts}");
}

#[test]
fn sound_alone_and_pictures_alone_play() {
    let server = Server::start();
    let _sound = publish(&server, "sound", Clip::SoundOnly);
    let _pictures = publish(&server, "pictures", Clip::Silent);
    for (id, without) in [("sound", "--no-video"), ("pictures", "--no-audio")] {
        let path = format!("/LiveApp/play.html?id={id}&playOrder=dash");
        watch(&server, &path, &["--seconds", "4", without]);
    }
}

#[test]
fn a_publisher_that_comes_back_is_seen_again_without_a_reload() {
    comes_back(Server::start(), "dash", cut_off_for_a_moment);
    comes_back(Server::start(), "dash", goodbye_and_back);
}

#[test]
fn a_publisher_that_returns_after_the_end_is_seen_again_without_a_reload() {
    let server = Server::with(&["--set", "streams.grace=1s"]);
    comes_back(server, "dash", cut_off_until_it_has_ended);
}

#[test]
fn an_encoder_that_returns_with_other_parameters_is_seen_again_without_a_reload() {
    comes_back(Server::start(), "dash", |server, publisher, _| {
        publisher.kill();
        let publisher = publish(&server, "cam", Clip::Small);
        (server, publisher)
    });
}

#[test]
fn what_changes_begins_a_period_and_what_has_been_said_stays_said() {
    let server = Server::start();
    let publisher = publish(&server, "cam", Clip::Standard);
    let before = description(&server);
    assert_eq!(periods(&before).len(), 1, "{before}");
    publisher.kill();
    let _publisher = publish(&server, "cam", Clip::Small);
    let after = wait_for("a second period", seconds(30), || {
        let after = description(&server);
        (periods(&after).len() == 2).then_some(after)
    });
    assert_eq!(periods(&before)[0], periods(&after)[0]);
    let starts: Vec<f64> = periods(&after)
        .iter()
        .map(|(_, start)| {
            let text = start.trim_start_matches("PT").trim_end_matches('S');
            text.parse().unwrap()
        })
        .collect();
    assert!(starts[0] < starts[1], "{after}");
}

#[test]
fn a_description_ends_with_its_stream() {
    let server = Server::with(&["--set", "streams.grace=1s"]);
    let publisher = publish(&server, "cam", Clip::Standard);
    let live = description(&server);
    assert!(live.contains("minimumUpdatePeriod="), "{live}");
    assert!(!live.contains("mediaPresentationDuration="), "{live}");
    publisher.kill();
    wait_until("the end", seconds(20), || {
        let now = description(&server);
        now.contains("mediaPresentationDuration=") && !now.contains("minimumUpdatePeriod=")
    });
}

#[test]
fn the_segment_that_is_being_made_is_sent_as_it_is_made() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let low = wait_for("a description that counts", seconds(30), || {
        let text = server.get("/LiveApp/streams/cam/cam_low.mpd").text();
        text.contains("availabilityTimeComplete=").then_some(text)
    });
    assert!(low.contains("video_$Number$.m4s"), "{low}");
    assert_valid(&low);
    let open = Media::parse(&server.get("/LiveApp/streams/cam/video.m3u8").text()).open_number();
    // The next one too, which has not begun.
    for number in [open, open + 1] {
        let path = format!("/LiveApp/streams/cam/video_{number}.m4s");
        let growing = server.get(&path);
        assert_eq!(growing.status, 200, "{path}: {}", growing.text());
        assert_eq!(growing.header("transfer-encoding"), "chunked");
        let complete = server.get(&path);
        assert_eq!(complete.header("transfer-encoding"), "");
        assert!(growing.body == complete.body, "{path}");
    }
    let url = server.url("/LiveApp/streams/cam/cam_low.mpd");
    let finished = Peer::start(&mut decoding(&url, 4)).finish(seconds(40));
    Seen::of(&finished.without_complaint()).assert_about(4.0, 30.0);
}

/// What players say of themselves: by the clock of the machine and the times in playlist and description.
#[test]
#[ignore = "takes three minutes"]
fn minutes_without_a_stall_near_the_live_edge() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    for (player, most) in [("hls", 2.0), ("dash", 3.0)] {
        let path = format!("/LiveApp/play.html?id=cam&playOrder={player}");
        let facts = watch_for(&server, &path, 60, &["--low"]);
        eprintln!("{player}: {facts}");
        assert_eq!(facts["stalls"], 0, "{facts}");
        assert!(facts["latency"].as_f64().unwrap() < most, "{facts}");
    }
}

/// What viewers see, by a clock in the picture: from the encoder's input to the screen.
#[test]
#[ignore = "takes three minutes"]
fn the_delay_by_a_clock_in_the_picture() {
    let server = Server::start();
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", BLACK]);
    ffmpeg.args("-re -f lavfi -i sine=sample_rate=48000".split(' '));
    ffmpeg.args(["-vf", CLOCK, "-c:v", "libx264", "-preset", "ultrafast"]);
    ffmpeg.args("-tune zerolatency -g 30 -c:a aac -f flv".split(' '));
    let _publisher = Peer::start(ffmpeg.arg(server.rtmp_url("cam")));
    server.wait_live("cam");
    for (player, most) in [("hls", 2.0), ("dash", 3.0)] {
        let _place = limit::BROWSER.take();
        let mut script = node(&server);
        let page = server.url(&format!("/LiveApp/play.html?id=cam&playOrder={player}"));
        script.args(["clock.mjs", "--url", &page, "--seconds", "60"]);
        let finished = Peer::start(&mut script).finish(seconds(120));
        assert!(finished.status.success(), "{}", finished.stderr);
        eprintln!("{player}: {}", finished.stdout);
        let facts: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        assert!(facts["median"].as_f64().unwrap() < most, "{facts}");
        assert_eq!(facts["stalls"], 0, "{facts}");
    }
}

#[test]
fn requests_are_answered_as_http_has_it() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let whole = server.get(PATH);
    assert_eq!(whole.status, 200);
    assert_eq!(whole.header("content-type"), "application/dash+xml");
    assert_eq!(whole.header("access-control-allow-origin"), "*");
    let head = request(server.http, "HEAD", PATH, &[], b"");
    assert_eq!(head.status, 200);
    assert!(head.text().is_empty());
    for nothing in [
        "/LiveApp/streams/nobody/nobody.mpd",
        "/LiveApp/streams/cam/other.mpd",
        "/LiveApp/streams/cam.mpd",
        "/LiveApp/streams/..%2fcam/..%2fcam.mpd",
    ] {
        assert_eq!(server.get(nothing).status, 404, "{nothing}");
    }
    assert_eq!(request(server.http, "POST", PATH, &[], b"").status, 405);
}

fn description(server: &Server) -> String {
    let answer = server.get(PATH);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_valid(&answer.text());
    answer.text()
}

/// ID and start of each.
fn periods(description: &str) -> Vec<(&str, &str)> {
    let lines = description.lines();
    lines
        .filter_map(|line| line.trim().strip_prefix("<Period id=\""))
        .map(|rest| {
            let (id, rest) = rest.split_once("\" start=\"").unwrap();
            (id, rest.split('"').next().unwrap())
        })
        .collect()
}
