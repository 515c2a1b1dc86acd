//! Talking to cameras: GStreamer's ONVIF server writes down what is said to it, by aiortc and from the play page of a real
//! browser. `camera.py` is the camera.

use crate::browser::folder;
use crate::onvif::odd;
use crate::support::camera::{camera, camera_with, pull, pull_as};
use crate::support::clips::Clip;
use crate::support::http::{Response, request};
use crate::support::media::decode;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::{aiortc, browser, tool};
use crate::support::{free_port, limit, seconds, wait_for, wait_until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// aiortc does not send from the loopback address alone.
const EVERYWHERE: [&str; 2] = ["--set", "webrtc.listen=[::]:0"];

/// A camera that hears in this codec, its port, and the file that it writes.
#[track_caller]
fn hearing(
    folder: &Path,
    codec: &str,
    more: &[(&str, &str)],
    arguments: &[&str],
) -> (Peer, u16, PathBuf) {
    let file = folder.join(format!("{codec}-{}.raw", free_port()));
    let speaker = format!("{codec},{}", file.display());
    let variables = [&[("CAMERA_SPEAKER", speaker.as_str())], more].concat();
    let (peer, port) = camera_with(&variables, &[], 0, arguments);
    (peer, port, file)
}

/// The samples that a camera has heard.
fn heard(file: &Path) -> Vec<i16> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

/// The level and the frequency of sound, between its first and last loud samples: a tone that is there all the time has both.
fn tone(samples: &[i16], rate: f64) -> (f64, f64) {
    let is_loud = |sample: &i16| sample.unsigned_abs() > 500;
    let first = samples.iter().position(is_loud).unwrap_or(0);
    let last = samples.iter().rposition(is_loud).unwrap_or(0);
    let within = &samples[first..last.max(first)];
    let squares: f64 = within.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let rises = within.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0);
    let count = within.len().max(1) as f64;
    (
        (squares / count).sqrt(),
        rises.count() as f64 * rate / count,
    )
}

/// Says a tone of 440 Hz for so long.
fn saying(server: &Server, id: &str, length: &str) -> Peer {
    let (python, folder) = aiortc();
    let mut command = Command::new(python);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/e2e/aiortc_peer.py"
        ))
        .arg(folder)
        .args(["publish", &server.url(&place(id)), length])
        .arg(Clip::SoundOnly.file());
    Peer::start(&mut command)
}

fn place(id: &str) -> String {
    format!("/api/v1/streams/LiveApp/{id}/talk")
}

/// Offers to talk, as WebRTC has to, in these payload formats.
fn offer(formats: &str) -> String {
    let fingerprint = ["AB"; 32].join(":");
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF {formats}\r\n\
         c=IN IP4 0.0.0.0\r\na=sendonly\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    )
}

fn call(server: &Server, id: &str, formats: &str) -> Response {
    let sdp = [("Content-Type", "application/sdp")];
    request(
        server.http,
        "POST",
        &place(id),
        &sdp,
        offer(formats).as_bytes(),
    )
}

#[track_caller]
fn assert_refused(response: &Response, status: u16, words: &str) {
    assert_eq!(response.status, status, "{}", response.text());
    let error = response.json()["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(error.contains(words), "{error}");
}

#[test]
fn what_is_said_is_heard_in_each_codec() {
    let server = Server::with(&EVERYWHERE);
    let folder = server.folder();
    // Also where the pictures come by UDP, through a tunnel, and behind a password.
    let cases = [
        ("pcmu", "PCMU", 8_000.0, "", "transport=udp"),
        ("pcma", "PCMA", 8_000.0, "admin:pass%231@", "transport=tcp"),
        ("aac-16000", "AAC", 16_000.0, "", "httpProxy=self"),
        ("aac-8000", "AAC", 8_000.0, "", ""),
    ];
    let cameras = cases.map(|(codec, name, rate, login, options)| {
        let arguments: &[&str] = match login {
            "" => &["h264", "none"],
            _ => &["h264", "none", "admin", "pass#1"],
        };
        let (camera, port, file) = hearing(folder, codec, &[], arguments);
        let url = format!("rtsp://{login}127.0.0.1:{port}/cam#{options}");
        pull_as(&server, codec, &url);
        server.wait_live(codec);
        let asked = server.get(&place(codec)).json();
        assert_eq!(asked, json!({ "codec": name, "taken": false }), "{codec}");
        (codec, rate, camera, file)
    });
    // They talk one after the other, so that a busy machine has nothing else to do.
    for (codec, rate, camera, file) in &cameras {
        let is_taken = || server.get(&place(codec)).json()["taken"] == true;
        let mut calls = 0;
        // GStreamer's server at times plays nothing of a session whose packets it has taken: a race of its own, which whoever
        // calls again does not lose.
        while heard(file).len() <= 2 * *rate as usize {
            calls += 1;
            assert!(calls <= 4, "{codec}: nothing is heard");
            let says = saying(&server, codec, "7");
            wait_until("somebody talks", seconds(60), is_taken);
            let finished = says.finish(seconds(60));
            assert!(finished.status.success(), "{}", finished.stderr);
            assert!(!is_taken());
        }
        let samples = heard(file);
        let (level, hertz) = tone(&samples, *rate);
        println!(
            "{codec}: {} samples, level {level:.0}, {hertz:.1} Hz",
            samples.len()
        );
        // ffmpeg's sine has an eighth of the full scale.
        assert!((1_500.0..6_000.0).contains(&level), "{codec}: {level}");
        assert!((425.0..455.0).contains(&hertz), "{codec}: {hertz}");
        // What watches goes on; each that asked, and the one that talked, is over.
        wait_until("the camera is told", seconds(20), || {
            camera.stdout.count(|line| line == "closed") >= 4
        });
    }
    // Nothing of this was seen in the pictures.
    let seen = decode(&server.rtmp_url("pcmu"), 2);
    assert!(seen.pictures >= 45 && seen.distinct >= 40, "{seen:?}");
    for (codec, ..) in &cameras {
        let stream = server
            .get(&format!("/api/v1/streams/LiveApp/{codec}"))
            .json();
        assert_eq!(stream["source"]["attempts"], 1, "{stream}");
    }
    assert!(!server.log.text().contains("pass#1") && !server.log.text().contains("pass%231"));
}

#[test]
fn the_play_page_talks() {
    let _place = limit::ENCODING_BROWSER.take();
    let server = Server::start();
    let (_camera, rtsp_port, file) = hearing(server.folder(), "pcmu", &[], &["h264", "none"]);
    // By ONVIF: it names the stream.
    let (_onvif, port) = odd(&server, 0, rtsp_port, &[]);
    let body = json!({
        "type": "ipCamera", "name": "cam", "streamId": "cam", "ipAddr": format!("127.0.0.1:{port}"),
        "username": "admin", "password": "pass#1",
    });
    server.rest("POST", "/create?autoStart=true", &body.to_string());
    server.wait_live("cam");
    let page = server.url("/LiveApp/play.html?id=cam&playOrder=webrtc&talk=true");
    let enough = server.folder().join("enough");
    let talks = talk(&["--url", &page, "--until", enough.to_str().unwrap()]);
    let talking = talks
        .stdout
        .wait_for(seconds(60), |line| (line == "talking").then_some(()));
    assert!(talking.is_some(), "{}", talks.stderr.text());
    // Another is told, in words.
    let second = talk(&["--url", &page, "--expect", "already"]);
    let second = facts(second);
    assert_eq!(second["state"], "off", "{second}");
    wait_until("four seconds are heard", seconds(60), || {
        heard(&file).len() > 4 * 8_000
    });
    std::fs::write(&enough, "").unwrap();
    let facts = facts(talks);
    assert_eq!(
        (&facts["offered"], &facts["pressed"], &facts["released"]),
        (&json!("Talk"), &json!("true"), &json!("false"))
    );
    assert_eq!(
        facts["meanwhile"],
        json!({ "said": "You are heard at the camera.", "button": "Stop talking" })
    );
    assert_eq!(facts["state"], "playing", "{facts}");
    // The fake microphone beeps; between the beeps it is silent, and the browser takes noise away.
    let samples = heard(&file);
    let loud = samples
        .iter()
        .filter(|sample| sample.unsigned_abs() > 1_000)
        .count();
    println!("{} samples, {loud} of them loud", samples.len());
    assert!(loud > 100, "{loud} of {}", samples.len());
    // The place is free again.
    server.wait_log(seconds(20), &["nobody talks to the camera any more"]);
    assert_eq!(server.get(&place("cam")).json()["taken"], false);
    let audit = server.get("/api/v1/audit").text();
    assert!(
        audit.contains("POST /api/v1/streams/LiveApp/cam/talk"),
        "{audit}"
    );
}

#[test]
fn the_page_says_that_the_camera_is_gone() {
    let _place = limit::ENCODING_BROWSER.take();
    let server = Server::start();
    let (camera, port, _) = hearing(server.folder(), "pcma", &[], &["h264", "none"]);
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    let page = server.url("/LiveApp/play.html?id=cam&talk=true");
    let talks = talk(&["--url", &page, "--until-ended"]);
    let talking = talks
        .stdout
        .wait_for(seconds(60), |line| (line == "talking").then_some(()));
    assert!(talking.is_some(), "{}", talks.stderr.text());
    camera.kill();
    let facts = facts(talks);
    let said = facts["said"].as_str().unwrap_or_default();
    assert!(said.contains("The camera cannot be talked to"), "{facts}");
    server.wait_log(seconds(10), &["nobody talks to the camera any more"]);
    // Where the camera has no loudspeaker there is no button.
    let (_camera, port) = camera_without();
    pull_as(&server, "deaf", &format!("rtsp://127.0.0.1:{port}/cam"));
    let page = server.url("/LiveApp/play.html?id=deaf&talk=true");
    let facts = self::facts(talk(&["--url", &page, "--absent"]));
    assert_eq!(
        (&facts["status"], &facts["hidden"]),
        (&json!(404), &json!(true)),
        "{facts}"
    );
}

fn camera_without() -> (Peer, u16) {
    camera(0, &["h264", "pcma"])
}

#[test]
fn who_cannot_be_talked_to_is_told_of_in_words() {
    let server = Server::with(&["--demo"]);
    let folder = server.folder();
    assert_refused(&server.get(&place("nobody")), 404, "no stream of that name");
    server.wait_live("demo");
    assert_refused(
        &server.get(&place("demo")),
        404,
        "does not come from a camera",
    );
    server.rest("POST", "/create", r#"{"streamId":"later"}"#);
    assert_refused(
        &call(&server, "later", "0"),
        404,
        "does not come from a camera",
    );

    let (_deaf, port) = camera_without();
    pull_as(&server, "deaf", &format!("rtsp://127.0.0.1:{port}/cam"));
    for refused in [server.get(&place("deaf")), call(&server, "deaf", "0")] {
        assert_refused(&refused, 404, "no back channel");
    }
    let (_strange, port, _) = hearing(folder, "g722", &[], &["h264", "none"]);
    pull_as(&server, "strange", &format!("rtsp://127.0.0.1:{port}/cam"));
    assert_refused(
        &call(&server, "strange", "0"),
        404,
        "takes sound as G722 only",
    );

    let (_locked, port, _) = hearing(folder, "pcmu", &[], &["h264", "none", "admin", "pass#1"]);
    pull_as(
        &server,
        "wrong",
        &format!("rtsp://admin:guessed@127.0.0.1:{port}/cam"),
    );
    assert_refused(
        &call(&server, "wrong", "0"),
        502,
        "refuses the user name or password",
    );
    pull_as(
        &server,
        "absent",
        &format!("rtsp://127.0.0.1:{}/cam", free_port()),
    );
    assert_refused(&call(&server, "absent", "0"), 502, "refused");
    assert!(
        !server.log.text().contains("guessed"),
        "{}",
        server.log.text()
    );
}

#[test]
fn one_talks_at_a_time_and_leaves_by_what_ends_it() {
    let server = Server::start();
    let (camera, port, _) = hearing(server.folder(), "pcmu", &[], &["h264", "none"]);
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    let post = |kind: &str, body: &str| {
        let kind = [("Content-Type", kind)];
        request(server.http, "POST", &place("cam"), &kind, body.as_bytes())
    };
    assert_refused(&post("text/plain", "v=0"), 415, "application/sdp");
    assert_refused(&post("application/sdp", "nonsense"), 400, "");
    // The camera takes one form, and a browser that does not offer it is not heard.
    assert_refused(&call(&server, "cam", "8"), 406, "PCMA");

    let begun = call(&server, "cam", "0 8");
    assert_eq!(begun.status, 201, "{}", begun.text());
    let answer = begun.text();
    assert!(
        answer.contains("a=rtpmap:0 PCMU/8000") && answer.contains("a=recvonly"),
        "{answer}"
    );
    assert!(!begun.header("ETag").is_empty());
    assert_eq!(begun.header("Content-Type"), "application/sdp");
    let session = begun.header("Location").to_owned();
    assert!(session.starts_with(&place("cam")), "{session}");
    assert_eq!(server.get(&session).status, 204);
    assert_refused(&call(&server, "cam", "0"), 409, "somebody is talking");
    let delete = |path: &str| request(server.http, "DELETE", path, &[], b"").status;
    assert_eq!(delete(&format!("{}/guessed", place("cam"))), 404);
    assert_eq!((delete(&session), server.get(&session).status), (200, 404));

    // The next one has the place at once; it is lost with the stream.
    let begun = call(&server, "cam", "0");
    assert_eq!(begun.status, 201, "{}", begun.text());
    let session = begun.header("Location").to_owned();
    server.rest("DELETE", "/cam", "");
    wait_until("the talk has ended", seconds(20), || {
        server.get(&session).status == 404
    });
    server.wait_log(seconds(10), &["nobody talks", "another camera, or none"]);

    // And with the camera.
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    let begun = wait_for("the place is free", seconds(20), || {
        Some(call(&server, "cam", "0")).filter(|begun| begun.status == 201)
    });
    let session = begun.header("Location").to_owned();
    camera.kill();
    wait_until("the talk has ended", seconds(20), || {
        server.get(&session).status == 404
    });
}

/// Runs the page.
fn talk(arguments: &[&str]) -> Peer {
    let mut node = tool("node");
    node.arg("talk.mjs")
        .args(arguments)
        .current_dir(folder())
        .env("MILLSTREAM_CHROMIUM", browser());
    Peer::start(&mut node)
}

/// What it says at the end.
#[track_caller]
fn facts(page: Peer) -> Value {
    let finished = page.finish(seconds(120));
    assert!(
        finished.status.success(),
        "{}\n{}",
        finished.stdout,
        finished.stderr
    );
    let last = finished.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("{}", finished.stdout))
}
