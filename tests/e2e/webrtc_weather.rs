//! WebRTC for minutes: over lossy and narrow networks, how late it shows what happens, and in Firefox.

use crate::browser::{node, watch_for};
use crate::support::clips::Clip;
use crate::support::media::publish;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::{python, tool};
use crate::support::{limit, seconds, wait_for};
use serde_json::Value;
use std::process::Command;

const PATH: &str = "/LiveApp/play.html?id=cam&playOrder=webrtc";

/// Bars of a Gray code of the time, which `clock.mjs` reads, painted over pictures when their time has come: ffmpeg makes
/// those of an input some pictures ahead.
pub(crate) const BLACK: &str = "color=black:size=288x64:rate=30";
pub(crate) const CLOCK: &str = "format=yuv420p,geq=lum=\
    'st(0,floor(mod(time(0),1000)*100));st(1,pow(2,floor(X/16)));\
    16+219*mod(floor(ld(0)/ld(1))+floor(ld(0)/ld(1)/2),2)':cb=128:cr=128";

#[test]
#[ignore = "takes a minute"]
fn a_minute_of_5_percent_loss_can_be_watched() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let facts = watch_for(&server, PATH, 60, &["--loss", "0.05"]);
    eprintln!("{facts}");
    let received = |name: &str| facts["webrtc"][name].as_f64().unwrap();
    assert!(received("retransmitted") > 100.0, "{facts}");
    assert!(received("frozen") < 1.2, "{facts}");
}

/// The network carries half of the stream.
#[test]
#[ignore = "takes a minute"]
fn a_network_that_is_too_narrow_shows_what_it_carries() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let bitrate = || server.broadcast("cam").unwrap()["bitrate"].as_f64();
    // It is known after some seconds.
    let known = || bitrate().filter(|bitrate| *bitrate > 1_000_000.0);
    let rate = wait_for("the bit rate to be known", seconds(20), known) / 2.0;
    let rate = format!("{rate:.0}");
    let facts = watch_for(&server, PATH, 40, &["--rate", &rate]);
    let metrics = server.get("/metrics").text();
    let skips: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("millstream_reader_skips_total") && line.contains("webrtc"))
        .collect();
    eprintln!("{facts}\n{skips:?}");
    assert!(!skips.is_empty(), "{metrics}");
    // The sound goes on.
    assert!(facts["audioRms"].as_f64().unwrap() > 0.01, "{facts}");
    assert!(
        facts["webrtc"]["framesDecoded"].as_f64().unwrap() > 200.0,
        "{facts}"
    );
}

/// From the encoder's input to the screen.
#[test]
#[ignore = "takes two minutes"]
fn the_delay_by_a_clock_in_the_picture() {
    let server = Server::start();
    for source in ["rtmp", "rtsp", "whip"] {
        let far = Server::start();
        let _publisher = clock(&server, &far, source);
        server.wait_live("cam");
        let _place = limit::BROWSER.take();
        let mut script = node(&server);
        script.args(["clock.mjs", "--url", &server.url(PATH), "--seconds", "30"]);
        let finished = Peer::start(&mut script).finish(seconds(120));
        assert!(finished.status.success(), "{}", finished.stderr);
        eprintln!("{source}: {}", finished.stdout);
        let facts: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert!(facts["nearly"].as_f64().unwrap() < 0.2, "{source}: {facts}");
        assert_eq!(facts["stalls"], 0, "{source}: {facts}");
        server.rest("DELETE", "/cam", "");
    }
}

/// A clock published by RTMP or RTSP; or by WHIP, from another server that it is published to.
fn clock(server: &Server, far: &Server, source: &str) -> Peer {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", BLACK]);
    ffmpeg.args("-re -f lavfi -i sine=sample_rate=48000".split(' '));
    ffmpeg.args(["-vf", CLOCK, "-c:v", "libx264", "-preset", "ultrafast"]);
    ffmpeg.args("-tune zerolatency -profile:v baseline -g 30".split(' '));
    match source {
        "rtmp" => ffmpeg
            .args(["-c:a", "aac", "-f", "flv"])
            .arg(server.rtmp_url("cam")),
        // Otherwise it gathers sound in packets, up to 100 ms in each, and players hold pictures back for it.
        "rtsp" => ffmpeg
            .args(["-c:a", "aac", "-max_delay", "0"])
            .args(["-f", "rtsp", "-rtsp_transport", "tcp"])
            .arg(server.rtsp_url("cam")),
        _ => ffmpeg
            .args(["-c:a", "aac", "-f", "flv"])
            .arg(far.rtmp_url("cam")),
    };
    let publisher = Peer::start(&mut ffmpeg);
    if source == "whip" {
        far.wait_live("cam");
        let url = server.url("/LiveApp/whip/cam").replace("http:", "whip:");
        far.rest(
            "POST",
            "/cam/endpoint",
            &format!(r#"{{"endpointUrl":"{url}"}}"#),
        );
    }
    publisher
}

/// What Debian's decodes over WebRTC without more: VP8 and Opus. H.264 plays there by HLS.
#[test]
#[ignore = "needs firefox-esr, which Ubuntu has not"]
fn firefox_plays() {
    // Firefox does not connect to the loopback interface where there is another.
    let server = Server::with(&["--set", "webrtc.listen=0.0.0.0:0"]);
    let mut whip = Command::new(python());
    whip.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/whip.py"))
        .arg(server.url("/LiveApp/whip/cam"))
        .args(["60", "vp8"]);
    let publisher = Peer::start(&mut whip);
    server.wait_live("cam");
    let facts = firefox(&server, PATH);
    assert_eq!(facts["player"], "webrtc", "{facts}");
    assert_eq!(facts["lost"], 0, "{facts}");
    assert!(facts["audioEnergy"].as_f64().unwrap() > 0.0, "{facts}");
    drop(publisher);
    let _publisher = publish(&server, "film", Clip::Standard);
    let facts = firefox(&server, "/LiveApp/play.html?id=film&playOrder=hls");
    assert_eq!(facts["player"], "hls", "{facts}");
    let facts = firefox(&server, "/LiveApp/play.html?id=film&playOrder=dash");
    assert_eq!(facts["player"], "dash", "{facts}");
}

#[track_caller]
fn firefox(server: &Server, path: &str) -> Value {
    let _place = limit::BROWSER.take();
    let mut script = node(server);
    script.args(["firefox.mjs", "--url", &server.url(path)]);
    let finished = Peer::start(&mut script).finish(seconds(120));
    assert!(finished.status.success(), "{}", finished.stderr);
    eprintln!("{}", finished.stdout);
    let facts: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert!(facts["decodedFrames"].as_f64().unwrap() > 100.0, "{facts}");
    assert!(
        facts["distinctPictures"].as_f64().unwrap() > 10.0,
        "{facts}"
    );
    assert_eq!(facts["hasAudio"], true, "{facts}");
    facts
}
