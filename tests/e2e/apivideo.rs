//! The API of api.video: the examples of its documentation, the keys that publish, and what changes at once.

use crate::restream::{add, wait_state};
use crate::support::clips::Clip;
use crate::support::http::{Response, get, request};
use crate::support::media::{packets, probe, publish_to};
use crate::support::nginx::Nginx;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::srt::sending;
use crate::support::{seconds, wait_until};
use serde_json::{Value, json};

/// The body of the example that makes a live stream, as it stands in the documentation: with its commas.
const CREATE: &str = r#"{
"name": "TEST-LIVE-STREAM",
"restreams": [
      {
          "name": "Youtube",
          "serverUrl": "rtmp://a.rtmp.youtube.com/live2",
          "streamKey": "xxxxx-yyyyy-zzzzz"
      },
      {
          "name": "Twitch",
          "serverUrl": "rtmp://cdg02.contribute.live-video.net/app/live_923901944_8N3NXy5Kk1qC64cjdT2zCoAk6e7b0t",
          "streamKey": "live_0000-11111111111"
      },
   ]
}"#;

/// The one that removes all restreams.
const REMOVE_ALL: &str = r#"{
"restreams": [
   ]
}"#;

fn call(server: &Server, method: &str, path: &str, body: &str) -> Response {
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
    ];
    request(
        server.http,
        method,
        &format!("/live-streams{path}"),
        &headers,
        body.as_bytes(),
    )
}

#[track_caller]
fn create(server: &Server, body: &Value) -> Value {
    let answer = call(server, "POST", "", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn id(live_stream: &Value) -> &str {
    live_stream["liveStreamId"].as_str().unwrap()
}

#[test]
fn the_examples_of_the_documentation_work_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let made = {
        let mut server = Server::on(folder.path());
        let answer = call(&server, "POST", "", CREATE);
        assert_eq!(answer.status, 200, "{}", answer.text());
        // The fields in the order of the documentation.
        let text = answer.text();
        let mut at = 0;
        for field in [
            "liveStreamId",
            "createdAt",
            "updatedAt",
            "streamKey",
            "name",
            "public",
            "broadcasting",
            "assets",
            "iframe",
            "player",
            "hls",
            "restreams",
        ] {
            let found = text[at..].find(&format!("\"{field}\":"));
            at += found.unwrap_or_else(|| panic!("{field} in {text}"));
        }
        server.stop();
        answer.json()
    };
    // It is kept, with its key and the IDs of its restreams.
    let server = Server::on(folder.path());
    let answer = call(&server, "GET", &format!("/{}", id(&made)), "");
    let read = answer.json();
    for field in [
        "liveStreamId",
        "createdAt",
        "streamKey",
        "name",
        "public",
        "broadcasting",
    ] {
        assert_eq!(read[field], made[field]);
    }
    assert_eq!(read["name"], "TEST-LIVE-STREAM");
    assert_eq!(
        (&read["public"], &read["broadcasting"]),
        (&true.into(), &false.into())
    );
    assert!(id(&read).starts_with("li") && read["streamKey"].as_str().unwrap().len() == 36);
    assert!(read["createdAt"].as_str().unwrap().ends_with("+00:00"));
    assert_eq!(read["assets"].get("thumbnail"), None);
    let restreams = read["restreams"].as_array().unwrap();
    let shown: Vec<_> = restreams
        .iter()
        .map(|it| (&it["name"], &it["serverUrl"], &it["streamKey"]))
        .collect();
    let given: Value = json!([
        [
            "Youtube",
            "rtmp://a.rtmp.youtube.com/live2",
            "xxxxx-yyyyy-zzzzz"
        ],
        [
            "Twitch",
            "rtmp://cdg02.contribute.live-video.net/app/live_923901944_8N3NXy5Kk1qC64cjdT2zCoAk6e7b0t",
            "live_0000-11111111111"
        ],
    ]);
    let given: Vec<_> = given
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (&it[0], &it[1], &it[2]))
        .collect();
    assert_eq!(shown, given);
    assert!(
        restreams
            .iter()
            .all(|it| it["state"] == "waiting" && it["id"].is_string())
    );

    // What is read can be sent back, and those that stay are the same ones.
    let mut more = restreams.clone();
    more.push(json!({"name": "More", "serverUrl": "rtmps://a.example:443/x", "streamKey": "k"}));
    let path = format!("/{}", id(&made));
    let body = json!({ "restreams": more }).to_string();
    let changed = call(&server, "PATCH", &path, &body).json();
    assert_eq!(changed["restreams"].as_array().unwrap().len(), 3);
    assert_eq!(changed["restreams"][0]["id"], restreams[0]["id"]);
    assert_eq!(changed["name"], "TEST-LIVE-STREAM");
    // Ant Media's API and EvoStream's show the same.
    let broadcast = server.broadcast(id(&made)).unwrap();
    assert_eq!(
        broadcast["endPointList"][2]["endpointUrl"],
        "rtmps://a.example:443/x/k"
    );
    let config = server.evostream("listConfig", "");
    assert_eq!(config["data"]["push"].as_array().unwrap().len(), 3);
    assert_eq!(
        config["data"]["push"][0]["targetStreamName"],
        "xxxxx-yyyyy-zzzzz"
    );
    let renamed = call(
        &server,
        "PATCH",
        &path,
        r#"{"name":"b","public":false,"playerId":"pl1"}"#,
    )
    .json();
    assert_eq!(
        (&renamed["name"], &renamed["public"], &renamed["playerId"]),
        (&"b".into(), &false.into(), &"pl1".into())
    );
    assert_eq!(renamed["restreams"].as_array().unwrap().len(), 3);
    let emptied = call(&server, "PATCH", &path, REMOVE_ALL).json();
    assert_eq!(emptied["restreams"], json!([]));
    assert_eq!(call(&server, "DELETE", &path, "").status, 204);
    assert_eq!(call(&server, "GET", &path, "").status, 404);
    assert_eq!(server.broadcast(id(&made)), None);
    assert!(
        !server.log.text().contains("xxxxx-yyyyy"),
        "{}",
        server.log.text()
    );
}

#[test]
fn the_key_publishes_and_restreams_change_at_once() {
    // Whoever has the key needs no login.
    let server = Server::with(&["--set", "auth.publishers=[\"joe:secret\"]"]);
    let (first, second) = (Nginx::start(), Nginx::start());
    let restream = |nginx: &Nginx, key: &str| {
        let url = nginx.url(key);
        let server = url.strip_suffix(&format!("/{key}")).unwrap().to_owned();
        json!({"name": key, "serverUrl": server, "streamKey": key})
    };
    let made = create(
        &server,
        &json!({"name": "a", "restreams": [restream(&first, "one")]}),
    );
    let path = format!("/{}", id(&made));
    let key = made["streamKey"].as_str().unwrap();
    let rtmp = format!("rtmp://127.0.0.1:{}/s/{key}", server.rtmp);
    let publisher = publish_to(&rtmp, Clip::Standard);
    server.wait_live(id(&made));
    let live = call(&server, "GET", &path, "").json();
    assert_eq!(live["broadcasting"], true);
    let state = |index: usize| {
        let live = call(&server, "GET", &path, "").json();
        live["restreams"][index]["state"]
            .as_str()
            .map(str::to_owned)
    };
    wait_until("the first is live", seconds(20), || {
        state(0).as_deref() == Some("live")
    });
    let kept = call(&server, "GET", &path, "").json()["restreams"][0].clone();
    // One more, while it is live; the other is not touched.
    let both = json!({"restreams": [kept, restream(&second, "two")]}).to_string();
    assert_eq!(call(&server, "PATCH", &path, &both).status, 200);
    wait_until("the second is live", seconds(20), || {
        state(1).as_deref() == Some("live")
    });
    assert!(!packets(&probe(&second.url("two"), 1), "video").is_empty());
    let now = call(&server, "GET", &path, "").json();
    assert_eq!(
        (&now["restreams"][0]["id"], &now["restreams"][0]["since"]),
        (&kept["id"], &kept["since"])
    );
    assert_eq!(now["restreams"][0]["reconnects"], 0);

    // One alone.
    let alone = format!(
        "{path}/restreams/{}",
        now["restreams"][1]["id"].as_str().unwrap()
    );
    let paused = call(&server, "PATCH", &alone, r#"{"paused":true,"name":"Two"}"#).json();
    assert_eq!(
        (&paused["state"], &paused["paused"], &paused["name"]),
        (&"paused".into(), &true.into(), &"Two".into())
    );
    assert_eq!(paused["streamKey"], "two");
    call(
        &server,
        "PATCH",
        &alone,
        r#"{"paused":false,"streamKey":"three"}"#,
    );
    wait_until("it goes on elsewhere", seconds(20), || {
        state(1).as_deref() == Some("live")
    });
    assert!(!packets(&probe(&second.url("three"), 1), "video").is_empty());
    assert_eq!(call(&server, "DELETE", &alone, "").status, 204);
    let added = restream(&second, "four").to_string();
    assert_eq!(
        call(&server, "POST", &format!("{path}/restreams"), &added).status,
        201
    );
    wait_until("a third is live", seconds(20), || {
        state(1).as_deref() == Some("live")
    });
    // One that Ant Media's API adds is a restream.
    let endpoint = add(&server, id(&made), &second.url("five"));
    wait_state(&server, id(&made), &endpoint, "broadcasting", seconds(20));
    let listed = call(&server, "GET", &format!("{path}/restreams"), "").json();
    assert_eq!(
        (&listed[2]["id"], &listed[2]["streamKey"]),
        (&endpoint.into(), &"five".into())
    );
    let metrics = server.get("/metrics").text();
    assert!(
        metrics.contains("millstream_targets{state=\"live\"} 3"),
        "{metrics}"
    );

    // The addresses that it tells work.
    for asset in ["hls", "player"] {
        let url = now["assets"][asset].as_str().unwrap().to_owned();
        let (_, rest) = url.split_once("://").unwrap();
        let path = &rest[rest.find('/').unwrap()..];
        wait_until(&url, seconds(20), || get(server.http, path).status == 200);
    }
    assert!(
        now["assets"]["iframe"]
            .as_str()
            .unwrap()
            .contains(now["assets"]["player"].as_str().unwrap())
    );

    // Completed, the publisher is sent away.
    assert_eq!(
        call(&server, "PUT", &format!("{path}/complete"), "").status,
        202
    );
    publisher.finish(seconds(20));
    wait_until("it is over", seconds(20), || {
        call(&server, "GET", &path, "").json()["broadcasting"] == false
    });
    // By SRT.
    let srt = server.srt_url(key);
    let _publisher = Peer::start(&mut sending(&srt, Clip::Standard));
    server.wait_live(id(&made));
    assert!(!server.log.text().contains(key), "{}", server.log.text());
}

#[test]
fn the_key_of_a_whip_restream_is_its_token() {
    let server = Server::start();
    let wish =
        json!({"name": "Far", "serverUrl": "whip://127.0.0.1:9/whip", "streamKey": "a+word"});
    let answer = call(
        &server,
        "POST",
        "",
        &json!({"name": "a", "restreams": [wish]}).to_string(),
    );
    for name in ["Limit", "Remaining", "Retry-After"] {
        let value = answer.header(&format!("X-RateLimit-{name}"));
        assert!(value.parse::<u64>().is_ok(), "{name}: {value}");
    }
    let made = answer.json();
    let shown = &made["restreams"][0];
    assert_eq!(
        (&shown["serverUrl"], &shown["streamKey"]),
        (&wish["serverUrl"], &wish["streamKey"])
    );
    assert_eq!(shown["roundTripMs"], Value::Null);
    let target = &server.broadcast(id(&made)).unwrap()["endPointList"][0];
    assert_eq!(
        target["endpointUrl"],
        "whip://127.0.0.1:9/whip#token=a%2Bword"
    );
    // It may be left out.
    let path = format!("/{}", id(&made));
    let body =
        json!({"restreams": [{"name": "b", "serverUrl": "whips://127.0.0.1:9/open"}]}).to_string();
    assert_eq!(call(&server, "PATCH", &path, &body).status, 200);
    let refused = call(&server, "GET", "/nobody", "");
    assert!(!refused.header("X-RateLimit-Remaining").is_empty());
}

#[test]
fn what_is_wrong_is_a_problem() {
    let server = Server::start();
    let made = create(&server, &json!({"name": "a"}));
    let path = format!("/{}", id(&made));
    let restream = |field: &str, value: Value| {
        let mut restream = json!({"name": "n", "serverUrl": "rtmp://a/b", "streamKey": "k"});
        restream[field] = value;
        json!({"name": "b", "restreams": [restream]}).to_string()
    };
    let blank = "This value should not be blank.";
    let null = "This value should not be null.";
    let no_app = "Missing app name: [rtmp|rtmps]://[host]/[app name].";
    let metadata =
        "169.254.169.254 is the metadata address of a cloud, which is never connected to";
    for (body, name, detail) in [
        ("{}".to_owned(), "name", ""),
        (r#"{"name":" "}"#.to_owned(), "name", blank),
        (
            r#"{"name":"a","public":1}"#.to_owned(),
            "public",
            "This value should be of type bool.",
        ),
        (
            r#"{"name":"a","restreams":{}}"#.to_owned(),
            "restreams",
            "This value should be of type array.",
        ),
        (restream("name", Value::Null), "restreams[0][name]", null),
        (
            restream("serverUrl", "".into()),
            "restreams[0][serverUrl]",
            blank,
        ),
        (
            restream("streamKey", Value::Null),
            "restreams[0][streamKey]",
            null,
        ),
        (
            restream("serverUrl", "rtmp://a".into()),
            "restreams[0][serverUrl]",
            no_app,
        ),
        (
            restream("serverUrl", "gopher://a/b".into()),
            "restreams[0][serverUrl]",
            "no protocol of this server pushes to gopher:// URLs",
        ),
        (
            restream("serverUrl", "rtmp://169.254.169.254/b".into()),
            "restreams[0][serverUrl]",
            metadata,
        ),
    ] {
        let answer = call(&server, "POST", "", &body);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (400, "application/problem+json"),
            "{body}"
        );
        let problem = answer.json();
        assert_eq!(
            (&problem["name"], &problem["status"]),
            (&name.into(), &400.into()),
            "{body}"
        );
        assert_eq!(
            problem["detail"].as_str().unwrap_or_default(),
            detail,
            "{body}"
        );
    }
    let several = call(
        &server,
        "POST",
        "",
        r#"{"name":"","restreams":[{"name":null}]}"#,
    )
    .json();
    assert_eq!(
        several["problems"].as_array().unwrap().len(),
        4,
        "{several}"
    );
    for (method, path, body, status, kind) in [
        ("POST", "", "{", 400, "invalid-payload"),
        ("GET", "/liNobody", "", 404, "resource-not-found"),
        ("PATCH", "/liNobody", "{}", 404, "resource-not-found"),
        ("DELETE", "/liNobody", "", 404, "resource-not-found"),
        ("PUT", "/liNobody/complete", "", 404, "resource-not-found"),
        (
            "GET",
            &*format!("{path}/restreams/nobody"),
            "",
            404,
            "resource-not-found",
        ),
        ("GET", "/a/b/c/d/e", "", 404, "unrecognized-request-url"),
        ("PUT", "", "", 405, "method-not-allowed"),
        ("GET", "?pageSize=101", "", 400, "invalid-query-parameter"),
    ] {
        let answer = call(&server, method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let expected = format!("https://docs.api.video/reference/{kind}");
        assert_eq!(answer.json()["type"], expected, "{method} {path}");
    }
    // A broadcast of another API is none of these.
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    assert_eq!(call(&server, "GET", "/cam", "").status, 404);
    // Nothing of all that was kept.
    let list = call(&server, "GET", "", "").json();
    assert_eq!(list["pagination"]["itemsTotal"], 1);
}

#[test]
fn lists_are_filtered_sorted_and_paged() {
    let server = Server::start();
    let made: Vec<Value> = ["Beta", "alpha", "Alphabet"]
        .iter()
        .map(|name| create(&server, &json!({ "name": name })))
        .collect();
    let names = |query: &str| -> Vec<String> {
        let list = call(&server, "GET", query, "").json();
        let data = list["data"].as_array().unwrap().iter();
        data.map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names("?sortBy=name&sortOrder=asc"),
        ["alpha", "Alphabet", "Beta"]
    );
    assert_eq!(
        names("?name=ALPHA&sortBy=createdAt&sortOrder=asc"),
        ["alpha", "Alphabet"]
    );
    let key = made[0]["streamKey"].as_str().unwrap();
    assert_eq!(names(&format!("?streamKey={key}")), ["Beta"]);
    let page = call(
        &server,
        "GET",
        "?sortBy=name&sortOrder=asc&pageSize=2&currentPage=2",
        "",
    )
    .json();
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    let pagination = &page["pagination"];
    let numbers = [
        "currentPage",
        "pageSize",
        "pagesTotal",
        "itemsTotal",
        "currentPageItems",
    ];
    assert_eq!(
        numbers.map(|field| pagination[field].as_u64().unwrap()),
        [2, 2, 2, 3, 1]
    );
    assert_eq!(pagination["links"][2]["rel"], "previous");
}

#[test]
fn a_picture_is_for_whom_its_stream_is_for() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let server = Server::with(&["--config", &file.path().display().to_string()]);
    let made = create(&server, &json!({"name": "a"}));
    let place = format!("/live-streams/{}/thumbnail", id(&made));
    let picture = b"--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n\xff\xd8\xff\xe0\r\n--cut--\r\n";
    let headers = [("Content-Type", "multipart/form-data; boundary=cut")];
    let answer = request(server.http, "POST", &place, &headers, picture);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let url = answer.json()["assets"]["thumbnail"].to_string();
    let [_, _, _, app, _, stream, ..] = url.split('/').collect::<Vec<_>>()[..] else {
        panic!("{url}")
    };
    let shown = format!("/{app}/streams/{stream}/thumbnail.jpg");
    assert_eq!(get(server.http, &shown).status, 200);
    let rights = format!("[auth.rights.\"{app}/{stream}\"]\nplayers = [\"joe:hidden\"]\n");
    std::fs::write(file.path(), rights).unwrap();
    wait_until("it is not for everybody", seconds(20), || {
        get(server.http, &shown).status == 401
    });
    let login = [("Authorization", "Basic am9lOmhpZGRlbg==")];
    let shown = request(server.http, "GET", &shown, &login, b"");
    assert_eq!(shown.status, 200, "{}", shown.text());
}

#[test]
fn a_picture_is_uploaded_shown_and_removed() {
    let server = Server::start();
    let made = create(&server, &json!({"name": "a"}));
    let path = format!("/live-streams/{}/thumbnail", id(&made));
    let upload = |field: &str, picture: &[u8]| {
        let head = format!(
            "--cut\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
        );
        let body = [head.as_bytes(), picture, b"\r\n--cut--\r\n"].concat();
        let headers = [("Content-Type", "multipart/form-data; boundary=cut")];
        request(server.http, "POST", &path, &headers, &body)
    };
    let picture = [&b"\xff\xd8\xff\xe0"[..], &vec![7; 300_000]].concat();
    let answer = upload("file", &picture);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let url = answer.json()["assets"]["thumbnail"]
        .as_str()
        .unwrap()
        .to_owned();
    let at = url[7..].find('/').unwrap() + 7;
    let shown = get(server.http, &url[at..]);
    assert_eq!(
        (shown.status, shown.header("content-type")),
        (200, "image/jpeg")
    );
    assert!(shown.body == picture);
    // Another in its place.
    assert_eq!(upload("file", b"\x89PNG\r\n\x1a\nrest").status, 201);
    assert_eq!(
        get(server.http, &url[at..]).header("content-type"),
        "image/png"
    );
    let files = || {
        std::fs::read_dir(server.data().join("thumbnails"))
            .unwrap()
            .count()
    };
    assert_eq!(files(), 1);
    for (field, picture, name) in [
        ("file", &b"<svg>"[..], "file"),
        ("other", &picture[..], "file"),
    ] {
        let answer = upload(field, picture);
        assert_eq!((answer.status, &answer.json()["name"]), (400, &name.into()));
    }
    let large = [&b"\xff\xd8\xff\xe0"[..], &vec![7; 8 << 20]].concat();
    let answer = upload("file", &large);
    assert_eq!(answer.status, 400, "{}", answer.text());
    let answer = request(server.http, "DELETE", &path, &[], b"");
    assert_eq!(
        (
            answer.status,
            answer.json()["assets"].get("thumbnail").is_none()
        ),
        (200, true)
    );
    assert_eq!((get(server.http, &url[at..]).status, files()), (404, 0));
}

#[test]
fn a_key_or_a_token_for_it_is_asked_for() {
    let key = "moBE7Pnc1EafIcTMzQ2GfweICsoP45YYw5nHKFuwtGr";
    let server = Server::with(&["--set", &format!("auth.tokens=[\"{key}\"]")]);
    let foreign = ("Host", "example.com");
    let with = |value: &str| {
        let headers = [foreign, ("Authorization", value)];
        request(server.http, "GET", "/live-streams", &headers, b"").status
    };
    // As it stands in the documentation.
    let basic = "Basic bW9CRTdQbmMxRWFmSWNUTXpRMkdmd2VJQ3NvUDQ1WVl3NW5IS0Z1d3RHcjo=";
    assert_eq!((with(basic), with(&format!("Bearer {key}"))), (200, 200));
    for value in ["Bearer x", "Basic eDo=", "Basic eDp5"] {
        assert_eq!(with(value), 401, "{value}");
    }
    let none = request(server.http, "GET", "/live-streams", &[foreign], b"");
    assert_eq!(
        (none.status, none.header("content-type")),
        (401, "application/problem+json")
    );
    let post = |path: &str, body: Value| {
        request(
            server.http,
            "POST",
            path,
            &[foreign],
            body.to_string().as_bytes(),
        )
    };
    let grant = post("/auth/api-key", json!({ "apiKey": key })).json();
    assert_eq!(
        (&grant["token_type"], &grant["expires_in"]),
        (&"Bearer".into(), &3600.into())
    );
    let bearer = |grant: &Value| format!("Bearer {}", grant["access_token"].as_str().unwrap());
    assert_eq!(with(&bearer(&grant)), 200);
    let next = post(
        "/auth/refresh",
        json!({ "refreshToken": grant["refresh_token"] }),
    )
    .json();
    assert_eq!(with(&bearer(&next)), 200);
    assert_eq!(
        post(
            "/auth/refresh",
            json!({ "refreshToken": grant["refresh_token"] })
        )
        .status,
        400
    );
    let refused = post("/auth/api-key", json!({ "apiKey": "wrong" }));
    assert_eq!(
        (refused.status, &refused.json()["title"]),
        (400, &"The user credentials were incorrect.".into())
    );
    assert!(!server.log.text().contains(key));
}
