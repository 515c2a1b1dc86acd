//! RTSP for those who prove who they are.

use crate::rtsp::{decode_by, decoding_by, gstreamer_publish_by, publish_by};
use crate::support::clips::Clip;
use crate::support::media::gstreamer_plays;
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client};
use crate::support::seconds;
use crate::support::server::Server;

pub(crate) const LOGINS: [&str; 4] = [
    "--set",
    "auth.publishers=[\"pub:p@ss\"]",
    "--set",
    "auth.players=[\"joe:secret\",\"jim:other\"]",
];

pub(crate) fn named(url: &str, login: &str) -> String {
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
    gstreamer_plays(&plain, &["user-id=joe", "user-pw=secret"]);
    // GStreamer says who it is once it is asked.
    let mut second = gstreamer_publish_by(&named(&server.rtsp_url("gst"), "pub:p%40ss"), &[]);
    server.wait_live("gst");
    assert!(second.is_running(), "{}", second.stderr.text());
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
