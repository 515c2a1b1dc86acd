//! The API of EvoStream: its own example, what it keeps, and who may call it.

use crate::restream::add;
use crate::support::clips::Clip;
use crate::support::http::{exchange, get, request};
use crate::support::media::{packets, probe, publish, publish_for};
use crate::support::nginx::Nginx;
use crate::support::server::Server;
use crate::support::{free_port, seconds, wait_for, wait_until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

/// The answer to the example in EvoStream's documentation of `pushStream`, as it stands there.
const SAMPLE: &str = r#"
{
"data":{
"configId":2,
"emulateUserAgent":"EvoStream Media Server (www.evostream.com)",
"forceTcp":false,
"httpProxy":"",
"keepAlive":true,
"localStreamName":"testpullStream",
"operationType":2,
"pageUrl":"",
"rtmpAbsoluteTimestamps":false,
"sendChunkSizeRequest":true,
"swfUrl":"",
"targetStreamName":"testpushStream",
"targetStreamType":"live",
"targetUri":{
	"document":"live",
	"documentPath":"\/",
	"documentWithFullParameters":"live",
	"fullDocumentPath":"\/live",
	"fullDocumentPathWithParameters":"\/live",
	"fullParameters":"",
	"fullUri":"rtmp:\/\/192.168.1.200\/live",
	"fullUriWithAuth":"rtmp:\/\/192.168.1.200\/live",
	"host":"192.168.1.200",
	"ip":"192.168.1.200",
	"originalUri":"rtmp:\/\/192.168.1.200\/live",
	"parameters":{
		},
	"password":"",
	"port":1935,
	"portSpecified":false,
	"scheme":"rtmp",
	"userName":""
},
"tcUrl":"",
"tos":256,
"ttl":256,
"useSourcePts":false
},
"description":"Local stream testpullStream enqueued for pushing to rtmp:\/\/192.168.1.200\/live as testpushStream",
"status":"SUCCESS"
}
"#;

/// JSON without the spaces between its parts.
fn compact(text: &str) -> String {
    let mut is_text = false;
    let mut before = ' ';
    let kept = |letter: &char| {
        if *letter == '"' && before != '\\' {
            is_text = !is_text;
        }
        before = *letter;
        is_text || !letter.is_whitespace()
    };
    text.chars().filter(kept).collect()
}

#[track_caller]
fn success(mut answer: Value) -> Value {
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    answer["data"].take()
}

#[track_caller]
fn failure(answer: &Value) -> &str {
    assert_eq!(
        (&answer["status"], &answer["data"]),
        (&"FAIL".into(), &Value::Null),
        "{answer}"
    );
    answer["description"].as_str().unwrap()
}

/// What `listConfig` tells of a push.
fn pushed(server: &Server, id: &Value) -> Option<Value> {
    let config = success(server.evostream("listConfig", ""));
    let mut all = config["push"].as_array().unwrap().iter();
    all.find(|push| push["configId"] == *id).cloned()
}

#[track_caller]
fn wait_state(server: &Server, id: &Value, state: &str) -> Value {
    wait_for(&format!("push {id} is {state}"), seconds(20), || {
        pushed(server, id).filter(|push| push["state"]["state"] == state)
    })
}

#[test]
fn the_example_of_the_documentation_is_answered_byte_for_byte() {
    let server = Server::start();
    let pull = "uri=rtmp://127.0.0.1:9/live/x localStreamName=testpullStream";
    let pulled = success(server.evostream("pullstream", pull));
    assert_eq!(
        (&pulled["configId"], &pulled["operationType"]),
        (&1.into(), &1.into())
    );
    assert_eq!(pulled["uri"]["port"], 9);
    // The call template of the documentation writes localStreamname.
    let push = "uri=rtmp://192.168.1.200/live localStreamname=testpullStream targetStreamName=testpushStream";
    let path = format!(
        "/pushStream?params=({})",
        STANDARD.encode(push).trim_end_matches('=')
    );
    let answer = get(server.port_of("evostream"), &path);
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(answer.text(), compact(SAMPLE));

    // It is one model: Ant Media's API shows it, and the other way round.
    let broadcast = server.broadcast("testpullStream").unwrap();
    let endpoint = &broadcast["endPointList"][0];
    assert_eq!(
        endpoint["endpointUrl"],
        "rtmp://192.168.1.200/live/testpushStream"
    );
    assert_eq!(broadcast["type"], "streamSource");
    add(
        &server,
        "testpullStream",
        "rtmp://127.0.0.1:9/app/key#ttl=7",
    );
    let other = pushed(&server, &3.into()).unwrap();
    assert_eq!(
        (
            &other["targetUri"]["fullUri"],
            &other["targetStreamName"],
            &other["ttl"]
        ),
        (&"rtmp://127.0.0.1:9/app".into(), &"key".into(), &7.into())
    );
    assert_eq!(other["localStreamName"], "testpullStream");
    let config = success(server.evostream("LISTCONFIG", ""));
    let ids = |kind: &str| -> Vec<u64> {
        let all = config[kind].as_array().unwrap().iter();
        all.map(|config| config["configId"].as_u64().unwrap())
            .collect()
    };
    assert_eq!((ids("pull"), ids("push")), (vec![1], vec![2, 3]));
    assert_eq!(config["pull"][0]["uri"], "rtmp://127.0.0.1:9/live/x");
    success(server.evostream("removeConfig", "id=2"));
    assert_eq!(pushed(&server, &2.into()), None);
    // What is pushed goes on when what is pulled is forgotten, and waits.
    success(server.evostream("removeConfig", "id=1"));
    assert_eq!(
        pushed(&server, &3.into()).unwrap()["state"]["state"],
        "waiting"
    );
    assert_eq!(
        server.broadcast("testpullStream").unwrap()["type"],
        "liveStream"
    );
    success(server.evostream("removeConfig", "id=3"));
    assert_eq!(server.broadcast("testpullStream"), None);
}

#[test]
fn what_cannot_be_done_is_told_why() {
    let server = Server::start();
    success(server.evostream(
        "pullStream",
        "uri=rtmp://127.0.0.1:9/a/b localStreamName=cam",
    ));
    success(server.evostream("pushStream", "uri=rtmp://127.0.0.1:9/a localStreamName=cam"));
    for (function, params, words) in [
        (
            "pullStream",
            "uri=rtmp://127.0.0.1:9/c/d localStreamName=cam",
            "Stream name cam already taken",
        ),
        (
            "pushStream",
            "uri=rtmp://127.0.0.1:9/a localStreamName=cam",
            "Stream cam is pushed there already",
        ),
        (
            "pushStream",
            "uri=gopher://a localStreamName=cam",
            "No protocol of this server pushes to gopher:// URLs",
        ),
        (
            "pushStream",
            "uri=rtmp://a localStreamName=cam",
            "The URL has no stream key; it is rtmp://host/application/key",
        ),
        (
            "pushStream",
            "uri=rtmp://a/b localStreamName=cam ttl=300",
            "Ttl is a number from 0 to 255",
        ),
        (
            "pushStream",
            "uri=rtmp://169.254.169.254/b localStreamName=cam",
            "169.254.169.254 is the metadata address of a cloud, which is never connected to",
        ),
        (
            "pushStream",
            "uri=rtmp://a/b localStreamName=../x",
            "The stream name cannot be used: the name may not begin with a dot or hold two in a row",
        ),
        (
            "pushStream",
            "uri=rtmp://a/b",
            "pushStream needs the parameter localStreamName",
        ),
        (
            "removeConfig",
            "id=99",
            "There is no configuration with the id 99",
        ),
        (
            "getStreamInfo",
            "id=99",
            "There is no stream with the id 99",
        ),
        (
            "shutdownStream",
            "localStreamName=nobody",
            "There is no stream nobody",
        ),
        (
            "isStreamRunning",
            "",
            "The parameter id or localStreamName is needed",
        ),
        (
            "createHLSStream",
            "",
            "There is no function \"createHLSStream\"; help lists those that exist",
        ),
        ("", "", "There is no function; help lists those that exist"),
    ] {
        let answer = server.evostream(function, params);
        assert_eq!(failure(&answer), words, "{function} {params}");
    }
    let port = server.port_of("evostream");
    let answer = get(port, "/version?params=!").json();
    assert_eq!(failure(&answer), "params is not base64");
    // Nothing of that has been kept.
    let config = success(server.evostream("listConfig", ""));
    assert_eq!(config["push"].as_array().unwrap().len(), 1);
}

#[test]
fn a_push_waits_and_is_kept_and_its_number_never_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let nginx = Nginx::start();
    let url = nginx.url("there");
    let app = url.strip_suffix("/there").unwrap();
    let push = format!("uri={app} localStreamName=later targetStreamName=there _mine=1");
    {
        let mut server = Server::on(folder.path());
        // Nothing of that name exists.
        let kept = success(server.evostream("pushStream", &push));
        assert_eq!(
            (&kept["configId"], &kept["_mine"]),
            (&1.into(), &"1".into())
        );
        let once = format!("uri={app} localStreamName=later targetStreamName=once keepAlive=0");
        assert_eq!(
            success(server.evostream("pushStream", &once))["configId"],
            2
        );
        let gone = format!("uri={app} localStreamName=gone keepAlive=0");
        assert_eq!(
            success(server.evostream("pushStream", &gone))["configId"],
            3
        );
        assert_eq!(
            pushed(&server, &1.into()).unwrap()["state"]["state"],
            "waiting"
        );
        server.stop();
    }
    let server = Server::on(folder.path());
    let again = pushed(&server, &1.into()).unwrap();
    assert_eq!(
        (&again["_mine"], &again["status"]["current"]["code"]),
        (&"1".into(), &2.into())
    );
    assert_eq!(
        (pushed(&server, &2.into()), pushed(&server, &3.into())),
        (None, None)
    );
    assert_eq!(server.broadcast("gone"), None);
    for _ in 0..2 {
        let publisher = publish_for(&server, "later", Clip::Standard, 8);
        let live = wait_state(&server, &1.into(), "live");
        let current = &live["status"]["current"];
        assert_eq!(
            (&current["code"], &current["description"]),
            (&0.into(), &"Streaming".into())
        );
        wait_until("it has figures", seconds(20), || {
            let state = pushed(&server, &1.into()).unwrap()["state"].clone();
            let above = |field: &str, least| state[field].as_u64() > Some(least);
            above("bytesSent", 10_000) && above("accessUnitsSent", 30) && above("bitrate", 10_000)
        });
        assert!(!packets(&probe(&url, 1), "video").is_empty());
        publisher.finish(seconds(20));
        wait_state(&server, &1.into(), "waiting");
    }
    let next = format!("uri={app} localStreamName=other");
    assert_eq!(
        success(server.evostream("pushStream", &next))["configId"],
        4
    );
}

#[test]
fn what_is_tried_once_is_tried_once() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let port = free_port();
    let push = format!("uri=rtmp://127.0.0.1:{port}/app localStreamName=cam keepAlive=0");
    let id = success(server.evostream("pushStream", &push))["configId"].clone();
    let failed = wait_state(&server, &id, "failed");
    assert!(
        failed["state"]["lastError"]
            .as_str()
            .unwrap()
            .contains("cannot connect"),
        "{failed}"
    );
    wait_until("it is forgotten", seconds(20), || {
        pushed(&server, &id).is_none()
    });
    let pull = format!("uri=rtmp://127.0.0.1:{port}/app/x localStreamName=once keepAlive=0");
    success(server.evostream("pullStream", &pull));
    wait_until("the source is forgotten", seconds(30), || {
        server.broadcast("once").is_none()
    });
    assert!(server.broadcast("cam").is_some());
}

#[test]
fn streams_are_listed_paused_and_shut_down() {
    let server = Server::start();
    let nginx = Nginx::start();
    let url = nginx.url("there");
    let app = url.strip_suffix("/there").unwrap();
    assert_eq!(
        success(server.evostream("getStreamsCount", ""))["streamCount"],
        0
    );
    let _publisher = publish(&server, "cam", Clip::Standard);
    let push = format!("uri={app} localStreamName=cam targetStreamName=there");
    let id = success(server.evostream("pushStream", &push))["configId"].clone();
    wait_state(&server, &id, "live");
    let streams = success(server.evostream("listStreams", ""));
    let of = |kind: &str| {
        let mut all = streams.as_array().unwrap().iter();
        all.find(|stream| stream["type"].as_str().unwrap().starts_with(kind))
            .unwrap()
    };
    let (inward, outward) = (of("IN"), of("ON"));
    assert_eq!(
        (&inward["name"], &inward["appName"]),
        (&"cam".into(), &"LiveApp".into())
    );
    assert_eq!(
        (&inward["video"]["codec"], &inward["audio"]["codec"]),
        (&"VH264".into(), &"AAAC".into())
    );
    assert_eq!(inward["outStreamsUniqueIds"], json!([outward["uniqueId"]]));
    assert_eq!(outward["pushSettings"]["configId"], id);
    let ids = success(server.evostream("listStreamsIds", ""));
    assert_eq!(ids.as_array().unwrap().len(), 2);
    let by_id = format!("id={}", outward["uniqueId"]);
    assert_eq!(
        success(server.evostream("getStreamInfo", &by_id))["name"],
        "there"
    );
    assert_eq!(
        success(server.evostream("isStreamRunning", "localStreamName=cam"))["Running"],
        true
    );

    let config = format!("id={id}");
    success(server.evostream("pauseConfig", &config));
    let paused = wait_state(&server, &id, "paused");
    assert_eq!(paused["status"]["current"]["description"], "Paused");
    assert_eq!(
        success(server.evostream("isStreamRunning", &by_id))["Running"],
        false
    );
    success(server.evostream("resumeConfig", &config));
    let live = wait_state(&server, &id, "live");
    let stream = &live["status"]["current"]["uniqueStreamId"];
    // Connected anew, it is another stream.
    success(server.evostream("shutdownStream", &format!("id={stream} permanently=0")));
    wait_until("it is another stream", seconds(20), || {
        let push = pushed(&server, &id).unwrap();
        push["state"]["state"] == "live" && push["status"]["current"]["uniqueStreamId"] != *stream
    });
    success(server.evostream("shutdownStream", "localStreamName=cam"));
    wait_until("the stream is over", seconds(10), || {
        let running = success(server.evostream("isStreamRunning", "localStreamName=cam"));
        running["Running"] == false
    });
}

#[test]
fn lines_are_answered_one_after_the_other() {
    let server = Server::start();
    let socket = TcpStream::connect(("127.0.0.1", server.port_of("evostream-cli"))).unwrap();
    socket.set_read_timeout(Some(seconds(20))).unwrap();
    let mut answers = BufReader::new(socket.try_clone().unwrap());
    let mut next = || {
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let mut end = String::new();
        answers.read_line(&mut end).unwrap();
        assert!(line.ends_with("}\r\n") && end == "\r\n", "{line:?} {end:?}");
        line
    };
    let mut socket = &socket;
    socket.write_all(b"VERSION\r\npushStream uri=rtmp://127.0.0.1:9/live localStreamName=a emulateUserAgent=FMLE/3.0\\ x commandId=7\n").unwrap();
    assert!(next().contains("\"banner\":\"Millstream "));
    let pushed: Value = serde_json::from_str(&next()).unwrap();
    assert_eq!(
        (&pushed["responseId"], &pushed["data"]["configId"]),
        (&7.into(), &1.into())
    );
    assert_eq!(pushed["data"]["emulateUserAgent"], "FMLE/3.0 x");
    socket.write_all(b"\n\nnothing\n").unwrap();
    assert!(next().contains("\"status\":\"FAIL\""));
    socket.write_all(b"help\n").unwrap();
    assert!(next().contains("\"command\":\"pushStream\""));
}

#[test]
fn pages_and_strangers_are_turned_away() {
    let server = Server::start();
    let (http, lines) = (server.port_of("evostream"), server.port_of("evostream-cli"));
    for header in [
        ("Host", "example.com"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Authorization", "Bearer wrong"),
    ] {
        let answer = request(http, "GET", "/version", &[header], b"");
        assert_eq!(answer.status, 403, "{header:?}");
        failure(&answer.json());
    }
    assert_eq!(request(http, "POST", "/version", &[], b"x").status, 405);
    // What a page can make a browser send begins with a request line.
    let sent = b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\npushStream uri=rtmp://127.0.0.1:9/a localStreamName=evil\r\n";
    let answer = String::from_utf8(exchange(lines, sent).unwrap()).unwrap();
    assert!(
        answer.contains("This is not HTTP") && answer.matches("status").count() == 1,
        "{answer}"
    );
    assert_eq!(server.broadcast("evil"), None);
}

#[test]
fn a_push_that_waits_is_no_stream_of_that_name_yet() {
    let server = Server::start();
    success(server.evostream(
        "pushStream",
        "uri=rtmp://127.0.0.1:9/a localStreamName=waits",
    ));
    let made = server.rest("POST", "/create", r#"{"streamId":"waits"}"#);
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(
        made.json()["endPointList"].as_array().map(Vec::len),
        Some(1)
    );
    let again = server.rest("POST", "/create", r#"{"streamId":"waits"}"#);
    assert_eq!(again.status, 400, "{}", again.text());
}
