//! Webhooks: what the guide shows is what is sent, in order, signed, and to the end.

use crate::onvif::odd;
use crate::support::clips::Clip;
use crate::support::http::request;
use crate::support::media::{probe, publish, publish_for, publish_to};
use crate::support::receiver::{Hook, Receiver};
use crate::support::server::Server;
use crate::support::tools::{python, tool};
use crate::support::{seconds, wait_until};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

const GUIDE: &str = include_str!("../../docs/guide/webhooks.md");

const SECRET: &str = "correct horse battery staple";

/// Fields that are the same in the guide and in the test; of the others, only what they are is compared.
const SAME: [&str; 26] = [
    "action",
    "type",
    "name",
    "id",
    "streamName",
    "category",
    "app",
    "floor",
    "vodName",
    "rtmp-url",
    "topic",
    "operation",
    "State",
    "file",
    "localStreamName",
    "appName",
    "protocol",
    "typeNumeric",
    "codec",
    "codecNumeric",
    "width",
    "height",
    "farIp",
    "processType",
    "customData",
    "inputQueueSize",
];

/// The blocks of one language in the guide.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let opening = match language {
        "json" => "```json\n",
        _ => "```python\n",
    };
    let rest = GUIDE.split(opening).skip(1);
    rest.map(|rest| rest.split("```").next().unwrap())
}

/// The same fields with the same kinds of values, and the same values where those can be known.
fn compare(place: &str, shown: &Value, sent: &Value) {
    match (shown, sent) {
        (Value::Object(shown), Value::Object(sent)) => {
            let names = |object: &serde_json::Map<String, Value>| {
                object.keys().cloned().collect::<Vec<_>>()
            };
            assert_eq!(names(shown), names(sent), "{place}");
            for (name, value) in shown {
                // The number of an event is no one's name.
                let is_number = name == "id" && value.is_number();
                if SAME.contains(&name.as_str()) && !value.is_object() && !is_number {
                    let is_own =
                        name == "id" && sent[name].as_str().is_some_and(|id| id.starts_with("li"));
                    assert!(
                        is_own || *value == sent[name],
                        "{place}/{name}: {}",
                        sent[name]
                    );
                } else {
                    compare(&format!("{place}/{name}"), value, &sent[name]);
                }
            }
        }
        (shown, sent) => assert_eq!(
            std::mem::discriminant(shown),
            std::mem::discriminant(sent),
            "{place}: {shown} {sent}"
        ),
    }
}

fn settings(server: &Server, settings: &Value) {
    let path = "/rest/v2/applications/settings/LiveApp";
    let answer = request(
        server.http,
        "POST",
        path,
        &[],
        settings.to_string().as_bytes(),
    );
    assert_eq!(answer.json()["success"], true, "{}", answer.text());
}

/// What the guide's program says of a signature.
fn is_genuine(secret: &str, hook: &Hook) -> bool {
    let program = blocks("python").next().unwrap();
    let call = "\nimport sys\nsys.exit(not is_genuine(sys.argv[1].encode(), sys.argv[2], sys.stdin.buffer.read()))";
    let mut python = Command::new(python());
    python.args([
        "-c",
        &format!("{program}{call}"),
        secret,
        hook.header("Millstream-Signature"),
    ]);
    let mut child = python.stdin(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(hook.body.as_bytes())
        .unwrap();
    child.wait().unwrap().success()
}

#[test]
fn what_the_guide_shows_is_what_is_sent() {
    let receiver = Receiver::start();
    let set = |key: &str, value: &str| format!("hooks.{key}={value}");
    let server = Server::with(&[
        "--set",
        &set("url", &receiver.url("usual")),
        "--set",
        &set("evostream_url", &receiver.url("evostream")),
        "--set",
        &set("secret", SECRET),
        "--set",
        &set("viewers", "true"),
        "--set",
        &set("cameras", "true"),
    ]);
    settings(
        &server,
        &json!({ "webhookStreamStatusUpdatePeriodMs": 1000 }),
    );
    // A camera that notices something.
    let (_camera, port) = odd(&server, 0, 9, &[]);
    let body = json!({
        "type": "ipCamera", "name": "Gate", "streamId": "door", "ipAddr": format!("127.0.0.1:{port}"),
        "username": "admin", "password": "pass#1",
    });
    server.rest("POST", "/create", &body.to_string());
    let body = json!({
        "streamId": "cam1", "name": "Front door", "category": "doors", "metaData": "{\"floor\":1}",
        "listenerHookURL": receiver.url("own"),
    });
    server.rest("POST", "/create", &body.to_string());
    let body = json!({ "endpointUrl": "rtmp://127.0.0.1:9/app/key" });
    server.rest("POST", "/cam1/endpoint", &body.to_string());
    server.rest("PUT", "/cam1/recording/true", "");
    let publisher = publish_for(&server, "cam1", Clip::Standard, 12);
    probe(&server.rtmp_url("cam1"), 2);
    receiver.wait("own", "endpointFailed");
    // A live stream of api.video, and who wants to hear of it.
    let events = [
        "live-stream.broadcast.started",
        "live-stream.broadcast.ended",
        "video.source.recorded",
    ];
    let body = json!({ "events": events, "url": receiver.url("apivideo") });
    let webhook = request(
        server.http,
        "POST",
        "/webhooks",
        &[],
        body.to_string().as_bytes(),
    );
    assert_eq!(webhook.status, 201, "{}", webhook.text());
    let made = request(
        server.http,
        "POST",
        "/live-streams",
        &[],
        br#"{"name":"Show"}"#,
    )
    .json();
    let id = made["liveStreamId"].as_str().unwrap();
    server.rest("PUT", &format!("/{id}/recording/true"), "");
    let show = format!(
        "rtmp://127.0.0.1:{}/s/{}",
        server.rtmp,
        made["streamKey"].as_str().unwrap()
    );
    let show = publish_to(&show, Clip::Standard);
    receiver.wait("apivideo", events[0]);
    drop(show);
    publisher.finish(seconds(40));
    receiver.wait("own", "vodReady");
    receiver.wait("apivideo", events[1]);

    let mut shown = Vec::new();
    for block in blocks("json") {
        let example: Value = serde_json::from_str(block).unwrap();
        let event = example["action"]
            .as_str()
            .or_else(|| example["type"].as_str())
            .unwrap();
        let path = match (
            &example["id"],
            example.get("payload"),
            &example["liveStreamId"],
        ) {
            (_, Some(_), _) => "evostream",
            (_, _, Value::String(_)) => "apivideo",
            (id, ..) if id == "cam1" => "own",
            _ => "usual",
        };
        // An event of this stream, where several have it.
        receiver.wait(path, event);
        let name = |body: &Value| {
            body["payload"]["name"]
                .as_str()
                .or_else(|| body["payload"]["localStreamName"].as_str())
                .map(str::to_owned)
        };
        let hooks = receiver
            .hooks()
            .into_iter()
            .map(|hook| (hook.path.clone(), hook.event(), hook.json()));
        let (.., sent) = hooks
            .filter(|(at, what, _)| *at == format!("/{path}") && what == event)
            .find(|(.., body)| name(body) == name(&example))
            .unwrap();
        compare(event, &example, &sent);
        shown.push(event.to_owned());
    }
    assert_eq!(shown.len(), 12, "{shown:?}");

    // In order, and all signed.
    let own: Vec<String> = receiver
        .hooks()
        .iter()
        .filter(|hook| hook.path == "/own")
        .map(Hook::event)
        .collect();
    let at = |event: &str| own.iter().position(|own| own == event).unwrap();
    assert!(
        at("liveStreamStarted") < at("endpointFailed")
            && at("endpointFailed") < at("liveStreamEnded"),
        "{own:?}"
    );
    assert_eq!(
        own.iter()
            .filter(|event| *event == "endpointFailed")
            .count(),
        1
    );
    let first = receiver.wait("own", "liveStreamStarted");
    assert!(is_genuine(SECRET, &first));
    assert!(!is_genuine("incorrect horse", &first));
    // And as api.video does.
    let hook = receiver.wait("apivideo", events[0]);
    let webhook = webhook.json();
    assert_eq!(hook.header("X-Api-Video-WebhookID"), webhook["webhookId"]);
    let mut openssl = tool("openssl");
    let secret = webhook["signatureSecret"].as_str().unwrap();
    openssl
        .args(["dgst", "-sha256", "-hmac", secret, "-r"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = openssl.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(hook.body.as_bytes())
        .unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(
        said.split(' ').next(),
        Some(hook.header("X-Api-Video-Signature"))
    );
    // Counted, and nothing secret told.
    let metrics = server.get("/metrics").text();
    assert!(
        metrics.contains("millstream_webhooks_total{result=\"failed\"} 0"),
        "{metrics}"
    );
    let log = server.log.text();
    assert!(!log.contains(SECRET) && !log.contains(secret), "{log}");
}

#[test]
fn a_receiver_that_was_away_gets_it_all_and_the_end_is_told() {
    let receiver = Receiver::start();
    receiver.answer(503);
    let server = Server::with(&[
        "--set",
        &format!("hooks.url={}", receiver.url("secret-hook")),
    ]);
    settings(
        &server,
        &json!({
            "webhookRetryCount": 100, "webhookRetryDelay": 200,
            "webhookContentType": "application/x-www-form-urlencoded",
        }),
    );
    let _publisher = publish(&server, "cam", Clip::Small);
    wait_until("it is tried again", seconds(20), || {
        receiver.hooks().len() >= 3
    });
    receiver.answer(200);
    wait_until("it has arrived", seconds(20), || {
        server
            .get("/metrics")
            .text()
            .contains("millstream_webhooks_total{result=\"sent\"} 1")
    });
    let tries = receiver.hooks();
    let first = &tries[0];
    assert!(
        first.body.contains("action=liveStreamStarted") && first.body.contains("id=cam"),
        "{}",
        first.body
    );
    assert_eq!(
        first.header("Content-Type"),
        "application/x-www-form-urlencoded"
    );
    let mut deliveries: Vec<&str> = tries
        .iter()
        .map(|hook| hook.header("Millstream-Delivery"))
        .collect();
    deliveries.dedup();
    assert_eq!(deliveries.len(), 1);
    // The log names the receiver, and nothing that stands behind it.
    server.wait_log(seconds(10), &["webhook failed", "receiver=", "503"]);
    assert!(!server.log.text().contains("secret-hook"));
    let mut server = server;
    server.stop();
    let last = receiver.hooks().pop().unwrap();
    assert!(
        last.body.contains("action=liveStreamEnded"),
        "{}",
        last.body
    );
}

#[test]
fn webhooks_of_api_video_are_kept_until_they_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let call = |server: &Server, method: &str, path: &str, body: &str| {
        request(server.http, method, path, &[], body.as_bytes())
    };
    let made = {
        let mut server = Server::on(folder.path());
        // As it stands in the documentation of api.video.
        let body = "{\"events\": [\n\t\t\"live-stream.broadcast.started\", \"live-stream.broadcast.ended\", \"video.encoding.quality.completed\"\n\t],\n     \"url\": \"https://example.com/webhooks\"\n}";
        let made = call(&server, "POST", "/webhooks", body);
        assert_eq!(made.status, 201, "{}", made.text());
        let one = call(
            &server,
            "POST",
            "/webhooks",
            r#"{"events":["video.source.recorded"],"url":"http://a.example"}"#,
        );
        assert_eq!(one.status, 201);
        for (body, name) in [
            ("{}", "events"),
            (r#"{"events":["live-stream.broadcast.started"]}"#, "url"),
            (r#"{"events":["x"],"url":"http://a.example"}"#, "events"),
            (r#"{"events":[],"url":"http://a.example"}"#, "events"),
            (
                r#"{"events":["video.source.recorded"],"url":"file:///etc/passwd"}"#,
                "url",
            ),
            (
                r#"{"events":["video.source.recorded"],"url":"http://169.254.169.254/latest"}"#,
                "url",
            ),
        ] {
            let answer = call(&server, "POST", "/webhooks", body);
            assert_eq!(
                (answer.status, &answer.json()["name"]),
                (400, &name.into()),
                "{body}"
            );
            assert_eq!(answer.header("content-type"), "application/problem+json");
        }
        server.stop();
        made.json()
    };
    let server = Server::on(folder.path());
    let path = format!("/webhooks/{}", made["webhookId"].as_str().unwrap());
    assert_eq!(call(&server, "GET", &path, "").json(), made);
    let list = call(&server, "GET", "/webhooks?pageSize=1", "").json();
    assert_eq!(
        (&list["data"][0], &list["pagination"]["itemsTotal"]),
        (&made, &2.into())
    );
    assert_eq!(
        list["pagination"]["links"][2]["uri"],
        "/webhooks?currentPage=2&pageSize=1"
    );
    let list = call(&server, "GET", "/webhooks?events=video.source.recorded", "").json();
    assert_eq!(list["pagination"]["itemsTotal"], 1);
    assert_eq!(call(&server, "DELETE", &path, "").status, 204);
    let gone = call(&server, "GET", &path, "");
    assert_eq!(
        (gone.status, &gone.json()["name"]),
        (404, &"webhookId".into())
    );
}

#[test]
fn a_webhook_that_cannot_be_is_refused_in_words() {
    let server = Server::start();
    let made = server.rest(
        "POST",
        "/create",
        r#"{"streamId":"cam","listenerHookURL":"gopher://a"}"#,
    );
    assert_eq!(made.status, 400);
    assert_eq!(
        made.json()["message"],
        "the webhook is no URL of http or https"
    );
    server.rest(
        "POST",
        "/create",
        r#"{"streamId":"cam","listenerHookURL":""}"#,
    );
    let changed = server
        .rest(
            "PUT",
            "/cam",
            r#"{"listenerHookURL":"http://169.254.169.254/x"}"#,
        )
        .json();
    assert_eq!(changed["success"], false);
    assert!(
        changed["message"]
            .as_str()
            .unwrap()
            .contains("metadata address"),
        "{changed}"
    );
    let path = "/rest/v2/applications/settings/LiveApp";
    let answer = request(
        server.http,
        "POST",
        path,
        &[],
        br#"{"listenerHookURL":"x"}"#,
    );
    assert_eq!(answer.json()["success"], false, "{}", answer.text());
    let answer = request(
        server.http,
        "POST",
        path,
        &[],
        br#"{"webhookRetryCount":"x"}"#,
    );
    assert_eq!(answer.status, 400);
}
