//! Making broadcasts over Ant Media's REST API: two kinds of answers, and the messages of all refusals.

use crate::rest::{assert_result, create};
use crate::support::server::Server;
use serde_json::{Value, json};

#[test]
fn create_answers_the_whole_broadcast() {
    let server = Server::start();
    // As in the vendor's documentation, trailing comma and all, with a field nobody knows.
    let made = create(
        &server,
        r#"{"streamId":"cam-1","name":"Door","description":"at night","mp4Enabled":1,"someThing":{"x":[1,],},}"#,
    );
    for (field, value) in [
        ("streamId", json!("cam-1")),
        ("name", json!("Door")),
        ("description", json!("at night")),
        ("status", json!("created")),
        ("type", json!("liveStream")),
        ("publish", json!(true)),
        ("zombi", json!(false)),
        ("rtmpURL", json!(server.rtmp_url("cam-1"))),
        ("hlsViewerCount", json!(0)),
        ("webRTCViewerLimit", json!(-1)),
        ("speed", json!(0.0)),
        ("startTime", json!(0)),
        ("userAgent", json!("N/A")),
        ("anyoneWatching", json!(false)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    // Fields without a value are there, as null.
    for field in [
        "playListStatus",
        "publishType",
        "endPointList",
        "playListItemList",
        "listenerHookURL",
        "category",
        "ipAddr",
        "username",
        "password",
        "quality",
        "streamUrl",
        "remoteIp",
        "latitude",
        "longitude",
        "altitude",
        "mainTrackStreamId",
        "subFolder",
        "metaData",
        "role",
        "hlsParameters",
        "encoderSettingsList",
    ] {
        assert_eq!(made.get(field), Some(&Value::Null), "{field}");
    }
    assert!(made["date"].as_i64().unwrap() > 1_600_000_000_000, "{made}");
    assert!(made.get("dbId").is_none());
    assert_eq!(server.broadcast("cam-1"), Some(made));
}

#[test]
fn create_without_a_name_invents_one() {
    let server = Server::start();
    let mut ids = Vec::new();
    for body in [
        "",
        "{}",
        r#"{"streamId":""}"#,
        r#"{"streamId":"  "}"#,
        r#"{"streamId":null,"name":"x"}"#,
    ] {
        let id = create(&server, body)["streamId"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            id.len() >= 16 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{id}"
        );
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    assert_eq!(
        create(&server, r#"{"streamId":" trimmed "}"#)["streamId"],
        "trimmed"
    );
}

#[test]
fn create_refuses_with_the_messages_that_clients_know() {
    let server = Server::start();
    create(&server, r#"{"streamId":"taken"}"#);
    let used = "Stream id is already being used. Please change stream id or keep it empty";
    for query in ["", "?autoStart=true", "?autoStart=false"] {
        let response = server.rest(
            "POST",
            &format!("/create{query}"),
            r#"{"streamId":"taken"}"#,
        );
        assert_result(&response, 400, false, used);
        for id in ["a b", "a/b", "../x", "ä", "a%2e", ".a", "a..b", "a.m3u8"] {
            let body = json!({ "streamId": id }).to_string();
            let response = server.rest("POST", &format!("/create{query}"), &body);
            assert_result(&response, 400, false, "Stream id is not valid.");
        }
    }
    let url = "Stream url is not valid. ";
    for body in [
        r#"{"type":"ipCamera"}"#,
        r#"{"type":"ipCamera","ipAddr":"camera"}"#,
        r#"{"type":"streamSource"}"#,
        r#"{"type":"streamSource","streamUrl":"file:///etc/passwd"}"#,
        r#"{"type":"streamSource","streamUrl":"gopher://127.0.0.1:9"}"#,
        r#"{"type":"streamSource","streamUrl":"nonsense"}"#,
    ] {
        assert_result(&server.rest("POST", "/create", body), 400, false, url);
    }
    let folder = server.rest("POST", "/create", r#"{"subFolder":"../up"}"#);
    assert_result(&folder, 400, false, "Subfolder is not valid. ");
    for body in ["{", "[]", "nonsense", r#"{"streamId":7}"#] {
        let response = server.rest("POST", "/create", body);
        assert_eq!(response.status, 400, "{body}: {}", response.text());
    }
    assert_eq!(
        server.rest("GET", "/count", "").json(),
        json!({ "number": 1 })
    );
}

#[test]
fn create_with_auto_start_answers_a_result() {
    let server = Server::start();
    let auto = |body: &str| server.rest("POST", "/create?autoStart=true", body);
    assert_result(&auto(""), 200, false, "unexpected parameters received");
    let kind = "Auto start query needs an IP camera or stream source.";
    assert_result(&auto(r#"{"streamId":"a"}"#), 200, false, kind);
    assert_result(&auto(r#"{"streamId":"a","type":"VoD"}"#), 200, false, kind);
    assert_result(
        &auto(r#"{"type":"streamSource","streamUrl":"nonsense"}"#),
        200,
        false,
        "",
    );
    let camera = auto(r#"{"type":"ipCamera","ipAddr":"camera"}"#);
    assert_result(&camera, 200, false, "IP camera addr is not valid: camera");
    // Nothing is left of what was refused.
    assert_eq!(
        server.rest("GET", "/count", "").json(),
        json!({ "number": 0 })
    );
}
