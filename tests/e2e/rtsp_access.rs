//! RTSP for those who prove who they are, and the pushing of streams to servers that ask.

use crate::restream::{add, wait_state};
use crate::rtsp::{decode_by, decoding_by, publish_by};
use crate::support::clips::Clip;
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client};
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::tool;

const LOGINS: [&str; 4] = [
    "--set",
    "auth.publishers=[\"pub:p@ss\"]",
    "--set",
    "auth.players=[\"joe:secret\",\"jim:other\"]",
];

fn named(url: &str, login: &str) -> String {
    url.replacen("://", &format!("://{login}@"), 1)
}

#[test]
fn who_proves_a_login_publishes_and_plays_and_nobody_else() {
    let server = Server::with(&LOGINS);
    let plain = server.rtsp_url("cam");
    // Neither without a login nor with that of a player.
    for url in [plain.clone(), named(&plain, "joe:secret")] {
        let refused = publish_by(&url, Clip::Standard, "tcp").finish(seconds(20));
        assert!(refused.stderr.contains("401"), "{}", refused.stderr);
    }
    let (_, answer) = Client::publish(server.rtmp, "LiveApp", "cam");
    assert_ne!(answer, Answer::Granted);
    let mut publisher = publish_by(&named(&plain, "pub:p%40ss"), Clip::Standard, "tcp");
    server.wait_live("cam");
    for login in ["joe:secret", "jim:other"] {
        decode_by(&named(&plain, login), "tcp", 2).assert_about(2.0, 30.0);
    }
    decode_by(&named(&plain, "joe:secret"), "udp", 1).assert_about(1.0, 30.0);
    decode_by(&named(&server.rtsps_url("cam"), "joe:secret"), "tcp", 1).assert_about(1.0, 30.0);
    decode_by(&format!("{plain}?user=joe&pass=secret"), "tcp", 1).assert_about(1.0, 30.0);
    for login in ["joe:wrong", "nobody:secret", "pub:p%40ss"] {
        let player = Peer::start(&mut decoding_by(&named(&plain, login), "tcp", 1));
        let refused = player.finish(seconds(20));
        assert!(
            refused.stderr.contains("401"),
            "{login}: {}",
            refused.stderr
        );
    }
    let mut gst = tool("gst-launch-1.0");
    gst.args(["--quiet", "rtspsrc", "user-id=joe", "user-pw=secret"])
        .args([
            &format!("location={plain}"),
            "!",
            "application/x-rtp,media=video",
        ])
        .args(["!", "identity", "eos-after=60", "!", "fakesink"]);
    let finished = Peer::start(&mut gst).finish(seconds(30));
    assert!(finished.status.success(), "{}", finished.stderr);
    let (_, answer) = Client::play(server.rtmp, "LiveApp", "cam");
    assert_ne!(answer, Answer::Granted);
    let (_, answer) = Client::play(server.rtmp, "LiveApp", "cam?user=joe&pass=secret");
    assert_eq!(answer, Answer::Granted);
    assert!(publisher.is_running(), "{}", publisher.stderr.text());
    let log = server.log.text();
    for secret in ["p@ss", "secret", "p%40ss"] {
        assert!(!log.contains(secret), "{secret} in the log:\n{log}");
    }
}

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
