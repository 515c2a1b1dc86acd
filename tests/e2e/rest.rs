//! The calls of Ant Media's REST API that concern broadcasts, their answers and their refusals as its clients
//! expect them. How they are made is in `rest_create`, who may call in `rest_access`, what becomes of a stream in `rest_lifecycle`.

use crate::support::http::Response;
use crate::support::server::Server;
use serde_json::{Value, json};

/// The `Result` of most calls.
#[track_caller]
pub(crate) fn assert_result(
    response: &Response,
    status: u16,
    success: bool,
    message: &str,
) -> Value {
    assert_eq!(response.status, status, "{}", response.text());
    let result = response.json();
    assert_eq!(result["success"], success, "{result}");
    assert_eq!(result["message"], message, "{result}");
    for field in ["dataId", "errorId"] {
        assert!(result.get(field).is_some(), "no {field} in {result}");
    }
    result
}

#[track_caller]
pub(crate) fn create(server: &Server, body: &str) -> Value {
    let response = server.rest("POST", "/create", body);
    assert_eq!(response.status, 200, "{body}: {}", response.text());
    response.json()
}

#[test]
fn read_update_and_delete() {
    let server = Server::start();
    let missing = server.rest("GET", "/nobody", "");
    assert_eq!((missing.status, missing.body.as_slice()), (404, &b""[..]));
    create(
        &server,
        r#"{"streamId":"cam","name":"one","category":"kept"}"#,
    );
    let update = server.rest(
        "PUT",
        "/cam",
        r#"{"name":"two","metaData":"{}","autoStartStopEnabled":true,}"#,
    );
    assert_result(&update, 200, true, "");
    let read = server.broadcast("cam").unwrap();
    assert_eq!(
        (&read["name"], &read["category"]),
        (&json!("two"), &json!("kept"))
    );
    assert_eq!(
        (&read["metaData"], &read["autoStartStopEnabled"]),
        (&json!("{}"), &json!(true))
    );
    // Null leaves a field alone.
    assert_result(
        &server.rest("PUT", "/cam", r#"{"name":null,"category":"new"}"#),
        200,
        true,
        "",
    );
    let read = server.broadcast("cam").unwrap();
    assert_eq!(
        (&read["name"], &read["category"]),
        (&json!("two"), &json!("new"))
    );
    let unknown = server.rest("PUT", "/nobody", r#"{"name":"x"}"#);
    assert_result(
        &unknown,
        200,
        false,
        "Broadcast with streamId: nobody does not exist",
    );
    create(
        &server,
        r#"{"streamId":"src","type":"streamSource","streamUrl":"rtmp://127.0.0.1/a/b"}"#,
    );
    let update = server.rest("PUT", "/src", r#"{"streamUrl":"nonsense"}"#);
    assert_result(&update, 200, false, "Stream URL is not valid");
    let deleted = server.rest("DELETE", "/cam", "");
    assert_result(
        &deleted,
        200,
        true,
        "broadcast is deleted and stopped successfully",
    );
    assert_eq!(server.broadcast("cam"), None);
    assert_result(&server.rest("DELETE", "/cam", ""), 200, false, "");
}

#[test]
fn many_are_deleted_at_once() {
    let server = Server::start();
    for id in ["a", "b", "c", "d"] {
        create(&server, &json!({ "streamId": id }).to_string());
    }
    // Clients write it with the slash and without.
    for path in ["/", "/?ids=", "/?ids=%20", "", "?ids="] {
        assert_result(
            &server.rest("DELETE", path, ""),
            200,
            false,
            "ids parameter is blank",
        );
    }
    let done = "broadcast is deleted and stopped successfully";
    assert_result(&server.rest("DELETE", "/?ids=a,b", ""), 200, true, done);
    // It stops at the first failure.
    assert_result(
        &server.rest("DELETE", "?ids=c,nobody,d", ""),
        200,
        false,
        "",
    );
    assert!(server.broadcast("c").is_none() && server.broadcast("d").is_some());
}

#[test]
fn lists_are_paged_sorted_and_searched() {
    let server = Server::start();
    for (id, name) in [
        ("c1", "Beta"),
        ("c2", "alpha"),
        ("c3", "Gamma"),
        ("c4", "delta"),
    ] {
        create(
            &server,
            &json!({ "streamId": id, "name": name }).to_string(),
        );
    }
    create(
        &server,
        r#"{"streamId":"src","type":"streamSource","streamUrl":"rtmp://127.0.0.1/a/b"}"#,
    );
    let ids = |path: &str| -> Vec<String> {
        let response = server.rest("GET", path, "");
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        let list = response.json();
        let ids = list
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["streamId"].as_str().unwrap().to_owned());
        ids.collect()
    };
    assert_eq!(ids("/list/0/50").len(), 5);
    let pages = [
        ids("/list/0/2"),
        ids("/list/2/2"),
        ids("/list/4/2"),
        ids("/list/6/2"),
    ];
    assert_eq!(pages.concat(), ids("/list/0/50"));
    assert!(pages[3].is_empty());
    assert_eq!(ids("/list/-5/2"), ids("/list/0/2"));
    assert!(ids("/list/0/0").is_empty());
    assert_eq!(ids("/list/0/50?type_by=streamSource"), ["src"]);
    assert_eq!(ids("/list/0/50?type_by=liveStream").len(), 4);
    let sorted = |order| {
        ids(&format!(
            "/list/0/4?type_by=liveStream&sort_by=name&order_by={order}"
        ))
    };
    assert_eq!(sorted("asc"), ["c2", "c1", "c4", "c3"]);
    assert_eq!(sorted("desc"), ["c3", "c4", "c1", "c2"]);
    assert_eq!(
        ids("/list/0/50?sort_by=date&order_by=desc")
            .first()
            .unwrap(),
        "src"
    );
    assert_eq!(ids("/list/0/50?search=ALPH"), ["c2"]);
    assert_eq!(ids("/list/0/50?search=C3"), ["c3"]);
    assert!(ids("/list/0/50?search=none").is_empty());
    assert_eq!(
        server.rest("GET", "/count", "").json(),
        json!({ "number": 5 })
    );
    assert_eq!(
        server.rest("GET", "/count/ta", "").json(),
        json!({ "number": 2 })
    );
    assert_eq!(
        server.rest("GET", "/active-live-stream-count", "").json(),
        json!({ "number": 0 })
    );
    // Another application has none of them.
    let other = server.get("/live/rest/v2/broadcasts/list/0/10");
    assert_eq!(other.json(), json!([]));
    let statistics = server.rest("GET", "/src/broadcast-statistics", "").json();
    assert_eq!(statistics["totalHLSWatchersCount"], -1, "{statistics}");
}

#[test]
fn start_and_stop_say_why_not() {
    let server = Server::start();
    assert_result(
        &server.rest("POST", "/nobody/start", ""),
        200,
        false,
        "No Stream Exists with id:nobody",
    );
    assert_result(&server.rest("POST", "/nobody/stop", ""), 200, false, "");
    create(&server, r#"{"streamId":"live"}"#);
    let kind = "Broadcast type is not supported. It can be StreamSource, IP Camera, VOD, Playlist";
    assert_result(&server.rest("POST", "/live/start", ""), 200, false, kind);
    assert_result(&server.rest("POST", "/live/stop", ""), 200, false, "");
    create(&server, r#"{"streamId":"vod","type":"VoD"}"#);
    let null = "Stream url is null and it's not an IP camera to get stream url for id:vod";
    assert_result(&server.rest("POST", "/vod/start", ""), 200, false, null);
    let none = server.rest("POST", "/vod/stop", "");
    let none = assert_result(
        &none,
        200,
        false,
        "No matching stream source in this server:vod",
    );
    assert_eq!(none["dataId"], "vod");
}

#[test]
fn what_does_not_exist_is_said_in_the_same_form() {
    let server = Server::start();
    for (method, path, status) in [
        ("GET", "/LiveApp/rest/v2/nothing", 404),
        ("GET", "/LiveApp/rest/v2/broadcasts/a/b/c/d", 404),
        ("PATCH", "/LiveApp/rest/v2/broadcasts/a", 405),
        ("GET", "/LiveApp/rest/v2/broadcasts/create", 405),
    ] {
        let response = crate::support::http::request(server.http, method, path, &[], b"");
        assert_eq!(
            response.status,
            status,
            "{method} {path}: {}",
            response.text()
        );
    }
    let unknown = server.get("/nowhere/rest/v2/broadcasts/count");
    assert_eq!(unknown.status, 404, "{}", unknown.text());
    let version = server.get("/LiveApp/rest/v2/version").json();
    assert!(
        version["versionName"].is_string() && version["versionType"].is_string(),
        "{version}"
    );
    assert_eq!(server.get("/rest/v2/liveness").json()["status"], "ok");
    let applications = server.get("/rest/v2/applications").json();
    assert_eq!(applications, json!({ "applications": ["LiveApp", "live"] }));
}
