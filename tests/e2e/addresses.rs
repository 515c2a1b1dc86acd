//! Which addresses the server connects to on a caller's word.

use crate::rest::{assert_result, create};
use crate::support::clips::Clip;
use crate::support::http::{Response, request};
use crate::support::media::publish;
use crate::support::server::Server;
use crate::support::{seconds, wait_for};
use serde_json::{Value, json};

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

/// What other servers read, and run, where a stream is wanted.
const NO_STREAMS: [&str; 12] = [
    "file:///etc/passwd",
    "file:/etc/passwd",
    "/etc/passwd",
    "../../etc/passwd",
    "exec:id",
    "exec:ffmpeg -i x -f rtsp {output}",
    "echo:id",
    "pipe:stdin",
    "concat:/etc/passwd|/etc/hosts",
    "data:video/mp2t,x",
    "gopher://127.0.0.1:9/x",
    "ftp://127.0.0.1/a.ts",
];

#[test]
fn files_and_commands_are_no_streams_to_any_api() {
    let server = Server::start();
    create(&server, r#"{"streamId":"mine"}"#);
    for body in [
        r#"{"streamId":"pulled","type":"streamSource","streamUrl":"rtsp://127.0.0.1:9/a"}"#,
        r#"{"streamId":"camera","type":"ipCamera","ipAddr":"127.0.0.1:9"}"#,
    ] {
        create(&server, body);
    }
    let evostream = |function: &str, uri: &str, name: &str| {
        // Spaces and commas part the parameters of a command.
        let uri = uri.replace(' ', "\\ ");
        let answer = server.evostream(function, &format!("uri={uri} localStreamName={name}"));
        assert_eq!(answer["status"], "FAIL", "{uri}: {answer}");
    };
    for url in NO_STREAMS {
        let refused = |answer: &Response| {
            let refused = answer.status >= 400 || answer.json()["success"] == false;
            assert!(refused, "{url}: {} {}", answer.status, answer.text());
        };
        let rest = |method: &str, path: &str, body: Value| {
            refused(&server.rest(method, path, &body.to_string()));
        };
        for kind in ["streamSource", "ipCamera"] {
            let body = json!({"streamId": "new", "type": kind, "streamUrl": url});
            rest("POST", "/create", body.clone());
            rest("POST", "/create?autoStart=true", body);
        }
        let camera = json!({"streamId": "new", "type": "ipCamera", "ipAddr": url});
        rest("POST", "/create", camera);
        rest("PUT", "/pulled", json!({ "streamUrl": url }));
        rest("PUT", "/pulled", json!({ "fallbackStreamUrls": [url] }));
        rest("PUT", "/camera", json!({ "streamUrl": url }));
        rest("PUT", "/camera", json!({ "ipAddr": url }));
        for name in ["endpointUrl", "rtmpUrl"] {
            rest("POST", "/mine/endpoint", json!({ name: url }));
        }
        evostream("pullStream", url, "new");
        evostream("pushStream", url, "mine");
        let others = [
            (
                "/live-streams",
                json!({"name": "new", "restreams": [{"name": "a", "serverUrl": url, "streamKey": "k"}]}),
            ),
            (
                "/webhooks",
                json!({"events": ["live-stream.broadcast.started"], "url": url}),
            ),
        ];
        for (path, body) in others {
            let headers = [("Content-Type", "application/json")];
            let body = body.to_string();
            refused(&request(
                server.http,
                "POST",
                path,
                &headers,
                body.as_bytes(),
            ));
        }
        // The slate is the name of an upload.
        let path = "/api/v1/streams/LiveApp/mine/slate";
        let slate = json!({ "file": url }).to_string();
        let headers = [("Content-Type", "application/json")];
        refused(&request(
            server.http,
            "PUT",
            path,
            &headers,
            slate.as_bytes(),
        ));
    }
    for name in ["../../x", "a/../../x", "..", "a%2f..%2fx"] {
        evostream("pullStream", "rtmp://127.0.0.1:9/live/x", name);
    }
    let all = server.rest("GET", "/list/0/50", "").json();
    assert_eq!(all.as_array().map(Vec::len), Some(3), "{all}");
    let text = all.to_string();
    for url in NO_STREAMS {
        assert!(!text.contains(url), "{url}: {text}");
    }
}
