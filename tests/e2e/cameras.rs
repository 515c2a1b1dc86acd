//! Cameras: GStreamer's RTSP server is pulled, in the codecs and by the transports that cameras use, and
//! comes back by itself whatever happens to it. `camera.py` is the camera.

use crate::support::camera::{camera, pull};
use crate::support::clips::Clip;
use crate::support::media::{Seen, decode, decoding, packets, probe, probing};
use crate::support::peer::{Finished, Peer};
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{free_port, seconds};
use std::time::SystemTime;

/// The camera's pictures per second.
const RATE: f64 = 25.0;

/// Decodes four seconds of the stream over HLS.
#[track_caller]
pub(crate) fn seen_over_hls(server: &Server) -> Seen {
    let url = server.url("/LiveApp/streams/cam.m3u8");
    let finished = Peer::start(&mut decoding(&url, 4)).finish(seconds(40));
    assert!(finished.status.success(), "{}", finished.stderr);
    Seen::of(&finished)
}

#[track_caller]
fn assert_pictures(seen: &Seen) {
    let moving = seen.distinct * 10 >= seen.pictures * 9;
    assert!(moving && (90..=115).contains(&seen.pictures), "{seen:?}");
}

#[test]
fn h264_and_aac_over_tcp() {
    let (_camera, port) = camera(0, &["h264", "aac"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 4).assert_about(4.0, RATE);
    seen_over_hls(&server).assert_about(4.0, RATE);
    let probed = probe(&server.rtmp_url("cam"), 3);
    let pictures = packets(&probed, "video");
    assert!(pictures.iter().any(|picture| picture.key));
    let orderly = pictures.windows(2).all(|pair| pair[0].dts < pair[1].dts);
    assert!(orderly && pictures.iter().all(|picture| picture.pts == picture.dts));
}

#[test]
fn h265_and_g711_over_tcp() {
    let (_camera, port) = camera(0, &["h265", "pcma"]);
    let server = Server::start();
    pull(
        &server,
        &format!("rtsp://127.0.0.1:{port}/cam#transport=tcp"),
    );
    server.wait_live("cam");
    assert_pictures(&seen_over_hls(&server));
    server.wait_log(seconds(5), &["left out of HLS", "PCMA"]);
}

#[test]
fn h264_and_g711_over_udp() {
    let (_camera, port) = camera(0, &["h264", "pcmu"]);
    let server = Server::start();
    pull(
        &server,
        &format!("rtsp://127.0.0.1:{port}/cam#transport=udp"),
    );
    server.wait_live("cam");
    assert_pictures(&decode(&server.rtmp_url("cam"), 4));
}

#[test]
fn opus_comes_through_a_tunnel_within_http() {
    let (_camera, port) = camera(0, &["h264", "opus"]);
    let server = Server::start();
    let url = format!("rtsp://127.0.0.1:{port}/cam#httpProxy=self");
    pull(&server, &url);
    server.wait_live("cam");
    let seen = decode(&server.rtsp_url("cam"), 4);
    assert_pictures(&seen);
    assert!(seen.sound > 3.0, "{seen:?}");
}

#[test]
fn b_frames_are_decoded_and_shown_at_their_times() {
    for video in ["h264-b", "h264-pyramid", "h265-b"] {
        let (_camera, port) = camera(0, &[video, "none"]);
        let server = Server::start();
        pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
        server.wait_live("cam");
        // From the first picture on: nothing has to be learnt, and nothing mended. ffprobe finds fault with
        // reading the same initialization section twice.
        let probing = &mut probing(&server.url("/LiveApp/streams/cam.m3u8"), 4);
        let finished = Peer::start(probing).finish(seconds(30));
        let probed = serde_json::from_str(&finished.stdout).unwrap();
        let packets = packets(&probed, "video");
        assert!(packets.len() > 50 && packets.iter().any(|packet| packet.pts > packet.dts));
        let grow = packets.windows(2).all(|pair| pair[0].dts < pair[1].dts);
        assert!(
            grow && packets.iter().all(|packet| packet.pts >= packet.dts),
            "{video}"
        );
        let mut shown: Vec<i64> = packets.iter().map(|packet| packet.pts).collect();
        shown.sort_unstable();
        let steps: Vec<i64> = shown.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // 90 kHz; at the end, pictures belong to others that are not there.
        let within = &steps[..steps.len() - 4];
        let even = within.iter().all(|step| (3_400..=3_800).contains(step));
        assert!(even, "{video}: {steps:?}");
        let metrics = server.get("/metrics").text();
        let repairs = "millstream_stream_time_repairs 0";
        assert!(metrics.lines().any(|line| line == repairs), "{metrics}");
    }
}

/// When pictures become white and when silence ends, in seconds, as ffmpeg says.
fn flashes_and_tones(finished: &Finished) -> (Vec<f64>, Vec<f64>) {
    let after = |line: &str, word: &str| -> Option<f64> {
        let number = line.split_once(word)?.1.split_whitespace().next()?;
        number.parse().ok()
    };
    let (mut flashes, mut time, mut white) = (Vec::new(), 0.0, true);
    for line in finished.stdout.lines() {
        time = after(line, "pts_time:").unwrap_or(time);
        if let Some(luma) = after(line, "signalstats.YAVG=") {
            if luma > 128.0 && !white {
                flashes.push(time);
            }
            white = luma > 128.0;
        }
    }
    let tones = finished.stderr.lines();
    (
        flashes,
        tones
            .filter_map(|line| after(line, "silence_end: "))
            .collect(),
    )
}

#[test]
fn sound_and_pictures_leave_the_server_together() {
    let clip = Clip::Flash.file();
    let (_camera, port) = camera(0, &[clip.to_str().unwrap(), "none"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    let urls = [
        server.rtmp_url("cam"),
        server.url("/LiveApp/streams/cam.m3u8"),
    ];
    let players = urls.map(|url| {
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg.args(["-nostdin", "-hide_banner", "-copyts", "-t", "6", "-i", &url]);
        ffmpeg.args(["-vf", "signalstats,metadata=print:file=-"]);
        ffmpeg.args(["-af", "silencedetect=noise=-30dB:d=0.3", "-f", "null", "-"]);
        Peer::start(&mut ffmpeg)
    });
    for player in players {
        let finished = player.finish(seconds(40));
        assert!(finished.status.success(), "{}", finished.stderr);
        let (flashes, tones) = flashes_and_tones(&finished);
        let offset = |flash: &f64| {
            let offsets = tones.iter().map(|tone| tone - flash);
            offsets.min_by(|one, other| one.abs().total_cmp(&other.abs()))
        };
        let offsets: Vec<f64> = flashes.iter().filter_map(offset).collect();
        println!("tone behind flash, in seconds: {offsets:.3?}");
        // The first and the last may lie where one of the two begins or ends.
        let within = offsets.iter().filter(|offset| offset.abs() < 0.5).count();
        let near = offsets.iter().filter(|offset| offset.abs() < 0.04).count();
        assert!(near >= 3 && near == within, "{flashes:?} {tones:?}");
    }
    // The camera's sender reports say when it was: the newest part says so too.
    let playlist = server.get("/LiveApp/streams/cam/video.m3u8").text();
    let mut lines = playlist.lines();
    let newest = lines.rfind(|line| line.starts_with("#EXT-X-PART:"));
    let (_, newest) = newest.unwrap().split_once("URI=\"").unwrap();
    let newest = newest.split('"').next().unwrap();
    let part = server.get(&format!("/LiveApp/streams/cam/{newest}")).body;
    assert_eq!(&part[4..8], b"prft", "{newest}");
    let since_1900 = u32::from_be_bytes(part[16..20].try_into().unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let age = now.unwrap().as_secs() as i64 - (i64::from(since_1900) - 2_208_988_800);
    assert!((-1..10).contains(&age), "{age} s old");
}

#[test]
fn a_stream_that_is_not_carried_is_left_out() {
    let (_camera, port) = camera(0, &["h264", "speex"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    server.wait_log(seconds(5), &["LiveApp/cam", "audio/SPEEX"]);
    assert_pictures(&decode(&server.rtmp_url("cam"), 4));
}

#[test]
fn a_password_opens_the_camera_and_is_never_told() {
    a_password_opens("digest");
}

#[test]
fn a_camera_that_knows_basic_authentication_alone_is_opened_too() {
    a_password_opens("basic");
}

#[track_caller]
fn a_password_opens(scheme: &str) {
    let (_camera, port) = camera(0, &["h264", "none", "joe", "Se@cret", scheme]);
    let cases = [
        ("joe:Se%40cret@", None),
        (
            "joe:Wr0ngSe%40cret@",
            Some("refuses the user name or password"),
        ),
        ("", Some("asks for a user name and password")),
    ];
    for (login, refusal) in cases {
        let server = Server::start();
        pull(&server, &format!("rtsp://{login}127.0.0.1:{port}/cam"));
        match refusal {
            None => server.wait_live("cam"),
            Some(words) => {
                server.wait_log(seconds(10), &["source failed", words]);
                let status = server.broadcast("cam").unwrap()["status"].clone();
                assert_ne!(status, "broadcasting");
            }
        }
        let log = server.log.text();
        assert!(
            !log.contains("Se@cret") && !log.contains("Se%40cret"),
            "{log}"
        );
    }
}

#[test]
fn a_camera_is_waited_for_and_comes_back_after_a_power_cut() {
    // A port that is free now; the camera takes it later.
    let port = free_port();
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_log(seconds(10), &["source failed", "127.0.0.1"]);
    server.wait_status("cam", "preparing");
    let (first, _) = camera(port, &["h264", "aac"]);
    server.wait_live("cam");
    assert_pictures(&decode(&server.rtmp_url("cam"), 4));
    let failures = failures(&server);
    first.kill();
    wait_failures(&server, failures + 1);
    let (_second, _) = camera(port, &["h264", "aac"]);
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 4).assert_about(4.0, RATE);
}

#[test]
fn a_camera_that_falls_silent_is_connected_again() {
    let (camera, port) = camera(0, &["h264", "aac"]);
    let server = Server::start();
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    camera.signal("STOP");
    server.wait_log(seconds(20), &["source failed", "sent nothing for 10 s"]);
    camera.signal("CONT");
    server.wait_status("cam", "broadcasting");
    decode(&server.rtmp_url("cam"), 4).assert_about(4.0, RATE);
}

fn failures(server: &Server) -> usize {
    server.log.text().matches("source failed").count()
}

#[track_caller]
fn wait_failures(server: &Server, count: usize) {
    crate::support::wait_until("the server notices", seconds(20), || {
        failures(server) >= count
    });
}
