//! Streams that are pushed by RTSP: to our own server, to GStreamer's and to ffmpeg, in every way.

use crate::restream::{add, wait_state};
use crate::rtsp::{decode_by, publish_by};
use crate::rtsp_access::{LOGINS, named};
use crate::support::camera::camera_with;
use crate::support::certificate::Certificate;
use crate::support::clips::Clip;
use crate::support::media::{Packet, Seen, packets, probe, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{free_port, seconds, wait_until};
use std::path::{Path, PathBuf};

#[test]
fn a_stream_is_pushed_over_tls_and_within_http_to_a_server_that_asks() {
    let far = Server::with(&LOGINS);
    let near = Server::start();
    let _publisher = publish_by(&near.rtsp_url("cam"), Clip::Standard, "tcp");
    near.wait_live("cam");
    let ways = [
        ("tls", far.rtsps_url("tls") + "#tls_verify=0"),
        ("http", far.rtsp_url("http") + "#transport=http"),
        (
            "both",
            far.rtsps_url("both") + "#transport=http&tls_verify=0",
        ),
    ];
    for (id, url) in ways {
        let endpoint = add(&near, "cam", &named(&url, "pub:p%40ss"));
        wait_state(&near, "cam", &endpoint, "broadcasting", seconds(20));
        far.wait_live(id);
        let copy = named(&far.rtsp_url(id), "joe:secret");
        decode_by(&copy, "tcp", 2).assert_about(2.0, 30.0);
    }
    // Its certificate is its own work.
    add(&near, "cam", &named(&far.rtsps_url("strict"), "pub:p%40ss"));
    near.wait_log(seconds(20), &["certificate of 127.0.0.1 is not accepted"]);
    assert!(!near.log.text().contains("p%40ss"));
}

#[test]
fn packets_go_on_the_connection_or_in_datagrams() {
    let (near, far) = (Server::start(), Server::start());
    let _publisher = publish(&near, "cam", Clip::BFrames);
    for way in ["tcp", "udp"] {
        let url = format!("{}#transport={way}", far.rtsp_url(way));
        let endpoint = add(&near, "cam", &url);
        wait_state(&near, "cam", &endpoint, "broadcasting", seconds(20));
        far.wait_live(way);
        decode_by(&far.rtsp_url(way), "tcp", 3).assert_about(3.0, 30.0);
    }
    let group = format!("{}#transport=multicast", far.rtsp_url("group"));
    let endpoint = add(&near, "cam", &group);
    let found = wait_state(&near, "cam", &endpoint, "failed", seconds(20));
    let error = found["lastError"].as_str().unwrap();
    assert!(error.contains("transport is tcp, udp or http"), "{error}");
}

/// GStreamer's server, which writes what it is sent to a file.
struct Recorder {
    peer: Option<Peer>,
    port: u16,
    file: PathBuf,
    variables: Vec<(&'static str, String)>,
    login: Vec<&'static str>,
}

impl Recorder {
    fn start(&mut self) {
        let record = format!("record={}", self.file.display());
        let mut arguments = vec![record.as_str(), "none"];
        arguments.extend(&self.login);
        let variables: Vec<_> = self
            .variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (peer, port) = camera_with(&variables, &[], self.port, &arguments);
        (self.peer, self.port) = (Some(peer), port);
    }

    fn is(&self, name: &str) -> bool {
        let stem = self.file.file_name().unwrap().to_str().unwrap();
        stem.split('.').next() == Some(name)
    }

    /// Waits for so many bytes, and ends it in the middle.
    fn killed_at(&mut self, bytes: u64) {
        let length = || std::fs::metadata(&self.file).map_or(0, |file| file.len());
        let what = format!("{bytes} bytes in {}", self.file.display());
        wait_until(&what, seconds(40), || length() >= bytes);
        self.peer.take().unwrap().kill();
    }
}

/// Pictures without a gap, and sound beside them. GStreamer has no times for what comes before it has begun, which is
/// the group of pictures that it is sent first.
#[track_caller]
fn assert_recorded(file: &Path, whole: bool) {
    let probed = probe(&file.to_string_lossy(), 60);
    let pictures = packets(&probed, "video");
    // What follows was on the way when it was killed.
    let pictures: Vec<&Packet> = pictures.iter().skip(40).take(60).collect();
    assert!(pictures.len() == 60, "{file:?}: {}", pictures.len());
    for pair in pictures.windows(2) {
        let step = pair[1].dts - pair[0].dts;
        assert!((10..=60).contains(&step), "{file:?}: {step} ms");
    }
    let sounds = packets(&probed, "audio").len();
    assert!(sounds > 90, "{file:?}: {sounds} frames of sound");
    if !whole {
        return;
    }
    let mut decoding = tool("ffmpeg");
    decoding
        .args(["-nostdin", "-v", "error", "-xerror", "-i"])
        .arg(file)
        .args([
            "-map",
            "0:v",
            "-frames:v",
            "90",
            "-f",
            "rawvideo",
            "-y",
            "/dev/null",
        ]);
    Peer::start(&mut decoding)
        .finish(seconds(30))
        .without_complaint();
}

#[test]
fn gstreamer_takes_a_stream_in_every_way_and_again_after_it_was_killed() {
    let near = Server::start();
    let _publisher = publish(&near, "cam", Clip::Standard);
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(folder.path(), "far");
    let print = format!("#tls_fingerprint={}", certificate.fingerprint());
    let tls = vec![("CAMERA_TLS", certificate.files())];
    let datagrams = vec![("CAMERA_DATAGRAMS", "1".to_owned())];
    let tunnel = format!("{print}&transport=http");
    let cases: [(&str, &str, &str, _, Vec<&str>); 8] = [
        ("tcp", "rtsp://", "#transport=tcp", vec![], vec![]),
        ("udp", "rtsp://", "#transport=udp", vec![], vec![]),
        ("refuses_tcp", "rtsp://", "", datagrams, vec![]),
        ("http", "rtsp://", "#transport=http", vec![], vec![]),
        ("tls", "rtsps://", &print, tls.clone(), vec![]),
        ("tls_http", "rtsps://", &tunnel, tls, vec![]),
        (
            "digest",
            "rtsp://joe:p%40ss@",
            "#transport=udp",
            vec![],
            vec!["joe", "p@ss"],
        ),
        (
            "basic",
            "rtsp://joe:p%40ss@",
            "",
            vec![],
            vec!["joe", "p@ss", "basic"],
        ),
    ];
    let mut recorders = Vec::new();
    for (name, scheme, options, variables, login) in cases {
        let file = folder.path().join(format!("{name}.mkv"));
        let mut recorder = Recorder {
            peer: None,
            port: 0,
            file,
            variables,
            login,
        };
        recorder.start();
        let url = format!("{scheme}127.0.0.1:{}/cam{options}", recorder.port);
        recorders.push((add(&near, "cam", &url), recorder));
    }
    for (endpoint, _) in &recorders {
        wait_state(&near, "cam", endpoint, "broadcasting", seconds(30));
    }
    for (_, recorder) in &mut recorders {
        recorder.killed_at(1_000_000);
        recorder.file.set_extension("again.mkv");
        recorder.start();
    }
    for (_, recorder) in &mut recorders {
        recorder.killed_at(1_000_000);
        // It may lose what comes in datagrams while it begins.
        let whole = !["udp", "refuses_tcp", "digest"]
            .iter()
            .any(|name| recorder.is(name));
        assert_recorded(&recorder.file, whole);
        assert_recorded(
            &recorder.file.with_extension("").with_extension("mkv"),
            whole,
        );
    }
    let log = near.log.text();
    assert!(!log.contains("p@ss") && !log.contains("p%40ss"), "{log}");
}

#[test]
fn a_login_that_is_refused_is_told_in_words() {
    let near = Server::start();
    let _publisher = publish(&near, "cam", Clip::Standard);
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder {
        peer: None,
        port: 0,
        file: folder.path().join("none.mkv"),
        variables: vec![],
        login: vec!["joe", "p@ss"],
    };
    recorder.start();
    for (login, words) in [
        ("joe:wrong@", "refuses the user name or password"),
        ("", "asks for a user name and password"),
    ] {
        let url = format!("rtsp://{login}127.0.0.1:{}/cam", recorder.port);
        let endpoint = add(&near, "cam", &url);
        let found = wait_state(&near, "cam", &endpoint, "failed", seconds(30));
        let error = found["lastError"].as_str().unwrap();
        assert!(error.contains(words), "{error}");
    }
    assert!(!near.log.text().contains("wrong@"));
}

#[test]
fn ffmpeg_takes_a_stream() {
    let near = Server::start();
    let _publisher = publish(&near, "cam", Clip::Standard);
    for way in ["tcp", "udp"] {
        let port = free_port();
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg
            .args(["-nostdin", "-hide_banner", "-v", "repeat+warning"])
            .args(["-rtsp_flags", "listen", "-i"])
            .arg(format!("rtsp://127.0.0.1:{port}/cam"))
            .args(["-t", "4", "-map", "0", "-f", "framecrc", "-"]);
        let player = Peer::start(&mut ffmpeg);
        let url = format!("rtsp://127.0.0.1:{port}/cam#transport={way}");
        add(&near, "cam", &url);
        // It complains of ports that it has tried in vain, so that what it decodes is looked at alone.
        Seen::of(&player.finish(seconds(40))).assert_about(4.0, 30.0);
    }
}
