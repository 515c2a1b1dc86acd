//! RTSP over TLS with real publishers and players, and a certificate that changes under them.

use crate::rtsp::{decode_by, decoding_by, gstreamer_publish_by, publish_by};
use crate::support::certificate::Certificate;
use crate::support::clips::Clip;
use crate::support::media::{Seen, gstreamer_plays, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_for, wait_until};

#[test]
fn ffmpeg_publishes_and_plays_over_tls() {
    let server = Server::start();
    let mut publisher = publish_by(&server.rtsps_url("cam"), Clip::Standard, "tcp");
    server.wait_live("cam");
    decode_by(&server.rtsps_url("cam"), "tcp", 4).assert_about(4.0, 30.0);
    decode_by(&server.rtsp_url("cam"), "tcp", 2).assert_about(2.0, 30.0);
    assert!(publisher.is_running(), "{}", publisher.stderr.text());
    // It said that it is done, so that nothing is waited for.
    publisher.signal("TERM");
    publisher.finish(seconds(5));
    wait_until("the stream is over", seconds(5), || {
        server.broadcast("cam").is_none()
    });
}

#[test]
fn gstreamer_publishes_and_plays_over_tls() {
    let server = Server::start();
    let mut sending = gstreamer_publish_by(
        &server.rtsps_url("cam"),
        &["protocols=tcp", "tls-validation-flags=0"],
    );
    server.wait_live("cam");
    decode_by(&server.rtsp_url("cam"), "tcp", 3).assert_about(3.0, 25.0);
    gstreamer_plays(&server.rtsps_url("cam"), &["tls-validation-flags=0"]);
    assert!(sending.is_running(), "{}", sending.stderr.text());
}

#[test]
fn datagrams_are_refused_over_tls() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    // They would not be encrypted.
    let mut gst = tool("gst-launch-1.0");
    let url = server.rtsps_url("cam");
    gst.args(["rtspsrc", "tls-validation-flags=0", "protocols=udp"])
        .args([&format!("location={url}"), "!", "fakesink"]);
    let finished = Peer::start(&mut gst).finish(seconds(20));
    assert!(!finished.status.success());
    let words = "No supported stream was found";
    assert!(finished.stderr.contains(words), "{}", finished.stderr);
}

#[test]
fn a_certificate_that_is_renewed_costs_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    Certificate::make(folder.path(), "one");
    let (certificate, key) = (at("one.pem"), at("one.key"));
    let server = Server::with(&[
        "--set",
        &format!("tls.certificate={}", certificate.display()),
        "--set",
        &format!("tls.key={}", key.display()),
    ]);
    let url = server.rtsps_url("cam");
    let mut publisher = publish_by(&url, Clip::Standard, "tcp");
    server.wait_live("cam");
    let player = Peer::start(&mut decoding_by(&url, "tcp", 8));
    wait_until("it plays", seconds(10), || !player.stdout.text().is_empty());
    let shown = |server: &Server| {
        let mut openssl = tool("openssl");
        let to = url
            .trim_start_matches("rtsps://")
            .split('/')
            .next()
            .unwrap();
        openssl.args(["s_client", "-connect", to]);
        let finished = Peer::start(&mut openssl).finish(seconds(10));
        assert!(server.log.count(|line| line.contains("panicked")) == 0);
        finished.stdout
    };
    assert!(shown(&server).contains("CN = one"), "{}", shown(&server));
    Certificate::make(folder.path(), "two");
    std::fs::copy(at("two.key"), &key).unwrap();
    std::fs::copy(at("two.pem"), &certificate).unwrap();
    wait_for("the new certificate is shown", seconds(15), || {
        shown(&server).contains("CN = two").then_some(())
    });
    decode_by(&url, "tcp", 1).assert_about(1.0, 30.0);
    let seen = Seen::of(&player.finish(seconds(30)).without_complaint());
    seen.assert_about(8.0, 30.0);
    assert!(publisher.is_running(), "{}", publisher.stderr.text());
}
