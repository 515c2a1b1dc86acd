//! Which addresses the server connects to on a caller's word.

use crate::rest::{assert_result, create};
use crate::support::clips::Clip;
use crate::support::media::publish;
use crate::support::server::Server;
use crate::support::{seconds, wait_for};

const METADATA: &str =
    "169.254.169.254 is the metadata address of a cloud, which is never connected to";

#[test]
fn metadata_addresses_are_refused_when_they_are_written_down() {
    let server = Server::start();
    for body in [
        r#"{"streamId":"a","type":"streamSource","streamUrl":"rtsp://169.254.169.254/latest"}"#,
        r#"{"streamId":"a","type":"ipCamera","ipAddr":"169.254.169.254:80"}"#,
    ] {
        let answer = server.rest("POST", "/create", body);
        assert_result(&answer, 400, false, METADATA);
    }
    assert_eq!(server.broadcast("a"), None);
    // Forms that only the system knows as addresses are no way round.
    let hidden = r#"{"streamId":"a","type":"streamSource","streamUrl":"rtsp://0xa9fea9fe/latest"}"#;
    let answer = server.rest("POST", "/create?autoStart=true", hidden);
    assert_result(&answer, 200, false, METADATA);
    assert_eq!(server.broadcast("a"), None);

    create(
        &server,
        r#"{"streamId":"cam","type":"streamSource","streamUrl":"rtsp://127.0.0.1:9/a"}"#,
    );
    let change = r#"{"streamUrl":"rtsp://169.254.169.254/latest"}"#;
    assert_result(&server.rest("PUT", "/cam", change), 200, false, METADATA);
    let url = server.broadcast("cam").unwrap()["streamUrl"].clone();
    assert_eq!(url, "rtsp://127.0.0.1:9/a");
    let target = r#"{"endpointUrl":"rtmp://[::ffff:169.254.169.254]/live/key"}"#;
    let answer = server.rest("POST", "/cam/endpoint", target).json();
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("metadata address"), "{message}");
}

#[test]
fn a_name_is_judged_by_the_address_it_is_resolved_to() {
    let server = Server::with(&["--set", "network.loopback=false"]);
    let source = r#"{"streamId":"cam","type":"streamSource","streamUrl":"rtsp://localhost:9/a"}"#;
    create(&server, source);
    assert_eq!(
        server.rest("POST", "/cam/start", "").json()["success"],
        true
    );
    let words = ["localhost is not connected to", "network.loopback"];
    server.wait_log(seconds(5), &[&["source failed"], &words[..]].concat());

    let (publisher, id) = (r#"{"streamId":"out"}"#, "/out/endpoint");
    create(&server, publisher);
    let target = format!(
        r#"{{"endpointUrl":"rtmp://localhost:{}/live/key"}}"#,
        server.rtmp
    );
    assert_eq!(server.rest("POST", id, &target).json()["success"], true);
    let _encoder = publish(&server, "out", Clip::Standard);
    let error = wait_for("an error of the target", seconds(10), || {
        let out = server.broadcast("out")?;
        out["endPointList"][0]["lastError"]
            .as_str()
            .map(str::to_owned)
    });
    assert!(words.iter().all(|words| error.contains(words)), "{error}");
}
