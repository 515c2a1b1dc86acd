//! Who may manage: accounts, roles, tokens, cookies, and what those try who may not.

use crate::support::clips::Clip;
use crate::support::http::{Response, request};
use crate::support::media::{decode, publish_to};
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::tool;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

/// A caller from elsewhere, who is nobody by where they are.
const AWAY: (&str, &str) = ("Host", "cam.example:5080");
const PAGE: (&str, &str) = ("Origin", "http://cam.example:5080");
const OURS: (&str, &str) = ("X-Requested-With", "millstream");

const SESSION: &str = "/api/v1/session";
const CREATE: &str = "/LiveApp/rest/v2/broadcasts/create";

/// The password that the first start tells.
#[track_caller]
fn first_password(server: &Server) -> String {
    let words = "sign in as admin with the password ";
    let told = server.log.wait_for(seconds(20), |line| {
        let (_, rest) = line.split_once(words)?;
        Some(rest.split(' ').next()?.to_owned())
    });
    told.unwrap_or_else(|| panic!("no password:\n{}", server.log.text()))
}

/// The log as it is shown to who may look at it, up to these words.
#[track_caller]
fn log_until(server: &Server, words: &str) -> String {
    let mut listening = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    listening.set_read_timeout(Some(seconds(30))).unwrap();
    let get = "GET /api/v1/log HTTP/1.1\r\nHost: localhost\r\n\r\n";
    listening.write_all(get.as_bytes()).unwrap();
    let mut log = String::new();
    let mut buffer = [0; 4_096];
    while !log.contains(words) {
        let length = listening.read(&mut buffer).unwrap();
        assert!(length > 0, "{log}");
        log += &String::from_utf8_lossy(&buffer[..length]);
    }
    log
}

fn sign_in(server: &Server, name: &str, password: &str) -> Response {
    let body = json!({ "name": name, "password": password }).to_string();
    request(server.http, "POST", SESSION, &[AWAY], body.as_bytes())
}

/// What a browser sends back of the cookie that it was given.
#[track_caller]
fn cookie(response: &Response) -> String {
    assert_eq!(response.status, 200, "{}", response.text());
    let cookie = response.header("Set-Cookie").split(';').next();
    cookie.unwrap().to_owned()
}

/// A call with a token, from elsewhere.
fn with_token(server: &Server, token: &str, method: &str, path: &str, body: &str) -> Response {
    let bearer = format!("Bearer {token}");
    let headers = [AWAY, ("Authorization", bearer.as_str())];
    request(server.http, method, path, &headers, body.as_bytes())
}

/// A token of that role, made by the local caller.
#[track_caller]
fn token(server: &Server, role: &str) -> String {
    let body = json!({ "name": role, "role": role }).to_string();
    let made = request(server.http, "POST", "/api/v1/tokens", &[], body.as_bytes());
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["token"].as_str().unwrap().to_owned()
}

#[test]
fn the_first_password_signs_in_and_a_restart_keeps_the_account() {
    let server = Server::start();
    let password = first_password(&server);
    let from_here = server.get(SESSION).json();
    assert_eq!(
        from_here,
        json!({ "name": null, "role": "admin", "via": "local" })
    );
    assert_eq!(
        request(server.http, "GET", SESSION, &[AWAY], b"").status,
        401
    );
    assert_eq!(sign_in(&server, "admin", "a guess").status, 401);
    let log = log_until(&server, "sign-in refused");
    assert!(!log.contains(&password), "operators see it: {log}");
    let signed_in = sign_in(&server, "admin", &password);
    let set = signed_in.header("Set-Cookie").to_owned();
    assert!(
        set.contains("; HttpOnly; SameSite=Strict") && set.contains("; Path=/;"),
        "{set}"
    );
    assert!(!set.contains("Secure"), "{set}");
    let first = cookie(&signed_in);
    let me = |cookie: &str| {
        request(
            server.http,
            "GET",
            SESSION,
            &[AWAY, ("Cookie", cookie)],
            b"",
        )
    };
    assert_eq!(
        me(&first).json(),
        json!({ "name": "admin", "role": "admin", "via": "session" })
    );
    // Over TLS it has another name, and is for TLS alone.
    let body = json!({ "name": "admin", "password": password }).to_string();
    let url = server.secure_url(SESSION);
    let secure = tool("curl")
        .args(["-ks", "-D", "-", "-d", &body, &url])
        .output()
        .unwrap();
    let secure = String::from_utf8_lossy(&secure.stdout).into_owned();
    assert!(secure.contains("__Host-millstream="), "{secure}");
    assert!(secure.contains("SameSite=Strict; Secure"), "{secure}");
    // One's own password is changed by the one before. The session goes on as another one.
    let change = |old: &str| {
        let body = json!({ "password": "correct horse", "oldPassword": old }).to_string();
        let headers = [AWAY, PAGE, OURS, ("Cookie", first.as_str())];
        let path = "/api/v1/accounts/admin";
        request(server.http, "PATCH", path, &headers, body.as_bytes())
    };
    assert_eq!(change("wrong").status, 403);
    let second = cookie(&change(&password));
    assert_eq!((me(&first).status, me(&second).status), (401, 200));
    let log = server.log.clone();
    assert_eq!(log.text().matches(&password).count(), 1);

    let server = server.killed_and_started_again();
    assert_eq!(sign_in(&server, "admin", &password).status, 401);
    assert_eq!(sign_in(&server, "admin", "correct horse").status, 200);
    let audit = server.get("/api/v1/audit?limit=3").json();
    assert_eq!(audit[0]["action"], "sign in");
    assert_eq!(audit[1]["action"], "PATCH /api/v1/accounts/admin");
    assert_eq!(
        (&audit[1]["who"], &audit[1]["status"]),
        (&json!("admin"), &json!(200))
    );
    assert!(!server.log.text().contains("sign in as"));
    for text in [server.log.text(), log.text()] {
        assert!(!text.contains("correct horse"), "{text}");
    }
}

#[test]
fn roles_say_what_a_token_may_and_viewers_see_no_secrets() {
    let server = Server::start();
    let camera = json!({
        "type": "streamSource", "streamId": "cam", "name": "cam", "streamUrl": "rtsp://joe:hidden1@127.0.0.1:9/x",
    });
    assert_eq!(
        server.rest("POST", "/create", &camera.to_string()).status,
        200
    );
    let target = r#"{"endpointUrl":"rtmp://127.0.0.1:9/live2/hidden2"}"#;
    assert_eq!(server.rest("POST", "/cam/endpoint", target).status, 200);
    let live = r#"{"name":"show","restreams":[{"name":"t","serverUrl":"rtmp://127.0.0.1:9/app","streamKey":"hidden3"}]}"#;
    let made = request(server.http, "POST", "/live-streams", &[], live.as_bytes());
    let live = made.json()["liveStreamId"].as_str().unwrap().to_owned();
    let live = format!("/live-streams/{live}");
    let tokens = ["viewer", "operator", "admin"].map(|role| token(&server, role));
    // Each call, and what viewer, operator and admin are answered.
    for (method, path, body, expected) in [
        ("GET", "/LiveApp/rest/v2/broadcasts/cam", "", [200; 3]),
        (
            "PUT",
            "/LiveApp/rest/v2/broadcasts/cam",
            r#"{"name":"b"}"#,
            [403, 200, 200],
        ),
        ("POST", CREATE, "{}", [403, 200, 200]),
        (
            "GET",
            "/rest/v2/applications/settings/LiveApp",
            "",
            [403, 403, 200],
        ),
        ("GET", live.as_str(), "", [200; 3]),
        ("PATCH", live.as_str(), r#"{"name":"b"}"#, [403, 200, 200]),
        ("GET", "/metrics", "", [200; 3]),
        ("GET", SESSION, "", [200; 3]),
        ("GET", "/api/v1/accounts", "", [403, 403, 200]),
        (
            "POST",
            "/api/v1/accounts",
            r#"{"name":"x","password":"correct horse","role":"admin"}"#,
            [403, 403, 201],
        ),
        ("GET", "/api/v1/tokens", "", [403, 403, 200]),
        ("GET", "/api/v1/audit", "", [403, 403, 200]),
        // Passwords of others are not a viewer's to change, whatever they say.
        (
            "PATCH",
            "/api/v1/accounts/admin",
            r#"{"password":"taken over","oldPassword":""}"#,
            [403, 403, 200],
        ),
    ] {
        for (token, expected) in tokens.iter().zip(expected) {
            let answer = with_token(&server, token, method, path, body);
            assert_eq!(
                answer.status,
                expected,
                "{method} {path}: {}",
                answer.text()
            );
        }
    }
    for (path, masked) in [
        (
            "/LiveApp/rest/v2/broadcasts/cam",
            "rtsp://***@127.0.0.1:9/x",
        ),
        (
            "/LiveApp/rest/v2/broadcasts/list/0/9",
            "rtmp://127.0.0.1:9/live2/***",
        ),
        (live.as_str(), "\"streamKey\":\"***\""),
        ("/live-streams", "\"streamKey\":\"***\""),
    ] {
        let [viewer, operator, _] = &tokens;
        let seen = with_token(&server, viewer, "GET", path, "").text();
        assert!(!seen.contains("hidden") && seen.contains(masked), "{seen}");
        let seen = with_token(&server, operator, "GET", path, "").text();
        assert!(seen.contains("hidden"), "{seen}");
    }
    // What a viewer was shown comes back without harm.
    let body = r#"{"name":"c","streamUrl":"rtsp://***@127.0.0.1:9/x","password":"***"}"#;
    assert_eq!(server.rest("PUT", "/cam", body).status, 200);
    let broadcast = server.broadcast("cam").unwrap();
    assert_eq!(broadcast["streamUrl"], "rtsp://joe:hidden1@127.0.0.1:9/x");
    assert_eq!(broadcast["name"], "c");
    let restreams = json!({ "restreams": [{ "name": "t", "serverUrl": "rtmp://127.0.0.1:9/app", "streamKey": "***" }] });
    let kept = request(
        server.http,
        "PATCH",
        &live,
        &[],
        restreams.to_string().as_bytes(),
    );
    assert_eq!(kept.json()["restreams"][0]["streamKey"], "hidden3");
    // A token that is deleted is worth nothing, and neither is what was given for it.
    let exchanged = json!({ "apiKey": tokens[1] }).to_string();
    let exchanged = request(
        server.http,
        "POST",
        "/auth/api-key",
        &[AWAY],
        exchanged.as_bytes(),
    );
    let hour = exchanged.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(with_token(&server, &hour, "POST", CREATE, "{}").status, 200);
    let all = server.get("/api/v1/tokens").json();
    let operator = all
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["role"] == "operator");
    let path = format!(
        "/api/v1/tokens/{}",
        operator.unwrap()["id"].as_str().unwrap()
    );
    assert_eq!(request(server.http, "DELETE", &path, &[], b"").status, 204);
    for token in [&hour, &tokens[1]] {
        assert_eq!(with_token(&server, token, "POST", CREATE, "{}").status, 403);
    }
    let log = server.log.text();
    for secret in tokens.iter().map(String::as_str).chain(["hidden", &hour]) {
        assert!(!log.contains(secret), "{secret}:\n{log}");
    }
}

#[test]
fn a_token_for_one_application_is_for_nothing_else() {
    let server = Server::with(&["--set", "applications=[\"LiveApp\",\"Other\"]"]);
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    let made = |applications: Value| {
        let body = json!({ "name": "door", "role": "admin", "applications": applications });
        let body = body.to_string();
        request(server.http, "POST", "/api/v1/tokens", &[], body.as_bytes())
    };
    assert_eq!(made(json!(["a/b"])).status, 400);
    let made = made(json!(["LiveApp"]));
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["applications"], json!(["LiveApp"]));
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let other = "/Other/rest/v2/broadcasts/create";
    for (method, path, status) in [
        ("POST", CREATE, 200),
        ("GET", "/LiveApp/rest/v2/broadcasts/cam", 200),
        ("GET", "/api/v1/streams/LiveApp/cam/slate", 200),
        ("GET", SESSION, 200),
        ("GET", "/api/v1/version", 200),
        ("POST", other, 403),
        ("GET", "/Other/rest/v2/broadcasts/cam", 403),
        ("GET", "/api/v1/streams/Other/cam/slate", 403),
        ("GET", "/api/v1/streams", 403),
        ("GET", "/api/v1/events", 403),
        ("GET", "/api/v1/tokens", 403),
        ("GET", "/rest/v2/applications/settings/LiveApp", 403),
        ("GET", "/live-streams", 403),
        ("GET", "/metrics", 403),
    ] {
        let answer = with_token(&server, &token, method, path, "{}");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
    let refused = with_token(&server, &token, "POST", other, "{}").text();
    assert!(
        refused.contains("the token is for other applications"),
        "{refused}"
    );
    // What is given for it for an hour is worth no more.
    let key = json!({ "apiKey": token }).to_string();
    let hour = request(
        server.http,
        "POST",
        "/auth/api-key",
        &[AWAY],
        key.as_bytes(),
    )
    .json();
    let hour = hour["access_token"].as_str().unwrap();
    assert_eq!(with_token(&server, hour, "POST", CREATE, "{}").status, 200);
    assert_eq!(with_token(&server, hour, "POST", other, "{}").status, 403);
    let header = format!("Bearer {hour}");
    let evostream = server.port_of("evostream");
    let headers = [AWAY, ("Authorization", header.as_str())];
    assert_eq!(
        request(evostream, "GET", "/listStreams", &headers, b"").status,
        403
    );
}

#[test]
fn what_is_told_as_it_happens_ends_with_the_session() {
    let server = Server::with(&["--set", "auth.admin_password=\"correct horse\""]);
    let cookie = cookie(&sign_in(&server, "admin", "correct horse"));
    let mut listening = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    listening.set_read_timeout(Some(seconds(60))).unwrap();
    let get = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: cam.example\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
    );
    listening.write_all(get.as_bytes()).unwrap();
    let mut told = vec![0; 4_096];
    let length = listening.read(&mut told).unwrap();
    assert!(told[..length].starts_with(b"HTTP/1.1 200"));
    let headers = [AWAY, ("Cookie", cookie.as_str()), OURS, PAGE];
    assert_eq!(
        request(server.http, "DELETE", SESSION, &headers, b"").status,
        204
    );
    server.rest("POST", "/create", r#"{"streamId":"secret"}"#);
    let mut rest = Vec::new();
    listening.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8_lossy(&rest);
    assert!(!rest.contains("secret"), "{rest}");
}

#[test]
fn a_cookie_alone_changes_nothing_and_guessing_is_slowed() {
    let server = Server::with(&["--set", "auth.admin_password=\"correct horse\""]);
    let cookie = cookie(&sign_in(&server, "admin", "correct horse"));
    let cookie = ("Cookie", cookie.as_str());
    let create = |more: &[(&str, &str)]| {
        let headers = [&[AWAY, cookie], more].concat();
        request(server.http, "POST", CREATE, &headers, b"{}").status
    };
    for more in [
        &[][..],
        &[PAGE],
        &[OURS],
        &[OURS, ("Origin", "http://evil.example")],
        &[OURS, ("Origin", "http://cam.example:3000")],
        &[OURS, PAGE, ("Sec-Fetch-Site", "cross-site")],
        &[OURS, PAGE, ("Sec-Fetch-Site", "same-site")],
        &[PAGE, ("X-Requested-With", "XMLHttpRequest")],
    ] {
        assert_eq!(create(more), 403, "{more:?}");
    }
    assert_eq!(create(&[OURS, PAGE]), 200);
    // It is nobody's on another port, where a GET changes something.
    let headers = [AWAY, cookie, OURS, PAGE];
    for path in ["/listStreams", "/pullStream?params=dXJpPXJ0bXA6Ly9hL2I="] {
        let answer = request(server.port_of("evostream"), "GET", path, &headers, b"");
        assert_eq!(answer.status, 403, "{path}");
    }
    // An old browser that does not say whose page it shows.
    let old = [("User-Agent", "Mozilla/5.0 (X11) Firefox/60.0")];
    let port = server.port_of("evostream");
    assert_eq!(request(port, "GET", "/removeConfig", &old, b"").status, 403);
    assert_eq!(request(port, "GET", "/listStreams", &old, b"").status, 200);

    // Nobody finds out which names exist, and nobody tries many.
    let guesses =
        [1, 2].map(|_| ["admin", "nobody"].map(|name| sign_in(&server, name, "secret guess")));
    for guess in guesses.iter().flatten() {
        assert_eq!(guess.status, 401);
        assert_eq!(guess.text(), guesses[0][0].text());
    }
    let mut more = (0..20).map(|_| sign_in(&server, "admin", "secret guess"));
    let slowed = more.find(|answer| answer.status == 429).unwrap();
    assert!(slowed.header("Retry-After").parse::<u64>().unwrap() >= 1);
    // Who is signed in goes on, and a page of another site does not sign anybody in.
    let me = request(server.http, "GET", SESSION, &[AWAY, cookie], b"");
    assert_eq!(me.json()["name"], "admin");
    let body = json!({ "name": "admin", "password": "correct horse" }).to_string();
    let foreign = [AWAY, ("Origin", "http://evil.example")];
    let answer = request(server.http, "POST", SESSION, &foreign, body.as_bytes());
    assert_eq!(answer.status, 403, "{}", answer.text());
    for body in [
        "",
        "{",
        "[]",
        r#"{"name":"admin"}"#,
        r#"{"name":1,"password":2}"#,
    ] {
        let answer = request(server.http, "POST", SESSION, &[AWAY], body.as_bytes());
        assert_eq!(answer.status, 400, "{body}");
        assert!(matches!(answer.json()["error"], Value::String(_)));
    }
    let out = request(
        server.http,
        "DELETE",
        SESSION,
        &[AWAY, cookie, OURS, PAGE],
        b"",
    );
    assert_eq!(out.status, 204);
    assert!(out.header("Set-Cookie").contains("Max-Age=0"));
    let gone = request(server.http, "GET", SESSION, &[AWAY, cookie], b"");
    assert_eq!(gone.status, 401);
    let log = server.log.text();
    assert!(
        log.contains("sign-in refused") && log.contains("account=\"admin\""),
        "{log}"
    );
    for secret in ["secret guess", "correct horse", cookie.1, "nobody"] {
        assert!(!log.contains(secret), "{secret}:\n{log}");
    }
}

#[test]
fn only_a_trusted_proxy_is_believed() {
    let trusted = ["--set", "http.trusted_proxies=[\"127.0.0.1\"]"];
    let password = ["--set", "auth.admin_password=\"correct horse\""];
    let body = json!({ "name": "admin", "password": "correct horse" }).to_string();
    let proxied = [
        AWAY,
        ("X-Forwarded-For", "198.51.100.7"),
        ("X-Forwarded-Proto", "https"),
    ];
    for (arguments, address, secure) in [
        ([password, trusted].concat(), "198.51.100.7", true),
        (password.to_vec(), "127.0.0.1", false),
    ] {
        let server = Server::with(&arguments);
        let answer = request(server.http, "POST", SESSION, &proxied, body.as_bytes());
        let set = answer.header("Set-Cookie");
        assert_eq!(set.contains("; Secure"), secure, "{set}");
        let audit = server.get("/api/v1/audit").json();
        assert_eq!(audit[0]["from"], address);
        // Behind a proxy nobody is local.
        assert_eq!(
            request(server.http, "GET", SESSION, &[proxied[1]], b"").status,
            401
        );
    }
}

/// Sets the settings of LiveApp.
#[track_caller]
fn settings(server: &Server, settings: &Value) -> Response {
    let path = "/rest/v2/applications/settings/LiveApp";
    request(
        server.http,
        "POST",
        path,
        &[],
        settings.to_string().as_bytes(),
    )
}

#[test]
fn an_application_may_ask_for_tokens() {
    let server = Server::start();
    let key = "zautXStXM9iW3aD3FuyPH0TdK4GHPmHq";
    let refused = settings(&server, &json!({ "playJwtControlEnabled": true }));
    assert_eq!(refused.json()["success"], false, "{}", refused.text());
    let asks = json!({
        "publishTokenControlEnabled": true, "playJwtControlEnabled": true, "jwtStreamSecretKey": key,
    });
    assert_eq!(settings(&server, &asks).json()["success"], true);
    let hour = SystemTime::now() + Duration::from_secs(3600);
    let hour = hour
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let token = |id: &str, call: &str, kind: &str| {
        let path = format!("/{id}/{call}?expireDate={hour}&type={kind}");
        let made = server.rest("GET", &path, "");
        assert_eq!(made.status, 200, "{}", made.text());
        made.json()["tokenId"].as_str().unwrap().to_owned()
    };
    let publishing = token("cam", "token", "publish");
    let held = json!({ "tokenId": publishing, "streamId": "cam", "type": "publish" }).to_string();
    let is_good = || server.rest("POST", "/validate-token", &held).json()["success"] == true;
    assert!(is_good());
    // An encoder without a token, with one of another stream, and with the right one.
    let other = token("other", "token", "publish");
    for query in [String::new(), format!("?token={other}")] {
        let url = format!("{}{query}", server.rtmp_url("cam"));
        publish_to(&url, Clip::Standard).finish(seconds(30));
        assert!(server.broadcast("cam").is_none(), "{query}");
    }
    assert!(
        server.log.text().contains("Invalid Token"),
        "{}",
        server.log.text()
    );
    let url = format!("{}?token={publishing}", server.rtmp_url("cam"));
    let _publisher = publish_to(&url, Clip::Standard);
    server.wait_live("cam");
    assert!(!is_good());
    let playing = token("cam", "jwt-token", "play");
    let alg_none = "eyJhbGciOiJub25lIn0.eyJzdHJlYW1JZCI6ImNhbSIsInR5cGUiOiJwbGF5In0.";
    let wrong = token("cam", "jwt-token", "publish");
    for path in [
        "cam.m3u8",
        "cam/video.m3u8",
        "cam/cam.mpd",
        "cam.flv",
        "cam.live.ts",
    ] {
        for query in [
            "",
            "?token=x",
            &format!("?token={alg_none}"),
            &format!("?token={wrong}"),
        ] {
            let path = format!("/LiveApp/streams/{path}{query}");
            let answer = server.get(&path);
            assert_eq!(answer.status, 403, "{path}");
            assert_eq!(answer.text().trim(), "Invalid JWT Token", "{path}");
        }
    }
    // What playlists name is open by the token of the playlist.
    let hls = server.get(&format!("/LiveApp/streams/cam.m3u8?token={playing}"));
    assert!(
        hls.text().contains(&format!("token={playing}")),
        "{}",
        hls.text()
    );
    for url in [
        server.url(&format!("/LiveApp/streams/cam.live.ts?token={playing}")),
        format!("{}?token={playing}", server.rtmp_url("cam")),
    ] {
        decode(&url, 2).assert_about(2.0, 30.0);
    }
    let log = server.log.text();
    for secret in [&publishing, &playing, &other, key] {
        assert!(!log.contains(secret), "{secret}:\n{log}");
    }
}

#[test]
fn an_application_may_ask_for_more_of_who_calls_it() {
    let server = Server::start();
    let count = "/LiveApp/rest/v2/broadcasts/count";
    let elsewhere = json!({ "remoteAllowedCIDR": "10.0.0.0/8" });
    assert_eq!(settings(&server, &elsewhere).json()["success"], true);
    let admin = token(&server, "admin");
    for answer in [
        server.get(count),
        with_token(&server, &admin, "GET", count, ""),
    ] {
        assert_eq!(answer.status, 403);
        assert_eq!(answer.json()["message"], "Not allowed IP");
    }
    // Other applications are not concerned, and what was set can be undone.
    assert_eq!(server.get("/live/rest/v2/broadcasts/count").status, 200);
    let nonsense = json!({ "remoteAllowedCIDR": "10.0.0.0/8;::1" });
    assert_eq!(settings(&server, &nonsense).json()["success"], false);
    let asks =
        json!({ "jwtControlEnabled": true, "jwtSecretKey": "0123456789abcdef0123456789abcdef" });
    assert_eq!(settings(&server, &asks).json()["success"], true);
    let here = server.get(count);
    assert_eq!(
        (here.status, &here.json()["message"]),
        (403, &json!("Invalid App JWT Token"))
    );
    // {"alg":"HS256"} and {}, signed with that key; with none; and cut.
    let signed = "eyJhbGciOiJIUzI1NiJ9.e30.x68P15GCa1HmSDdw4rVLsw6ZdUMyLZHfITcI3kWE3Eg";
    let unsigned = "eyJhbGciOiJub25lIn0.e30.";
    for (token, status) in [
        (signed, 200),
        (unsigned, 403),
        (&signed[..30], 403),
        (&admin, 200),
    ] {
        let answer = with_token(&server, token, "GET", count, "");
        assert_eq!(answer.status, status, "{token}: {}", answer.text());
    }
    let settings = "/rest/v2/applications/settings/LiveApp";
    assert_eq!(with_token(&server, signed, "GET", settings, "").status, 403);
}

#[test]
fn the_management_console_signs_in_as_elsewhere() {
    let server = Server::with(&["--set", "auth.admin_password=\"correct horse\""]);
    let sign_in = |password: &str, more: &[(&str, &str)]| {
        let body = json!({ "email": "admin", "password": password }).to_string();
        let headers = [&[AWAY], more].concat();
        let path = "/rest/v2/users/authenticate";
        request(server.http, "POST", path, &headers, body.as_bytes())
    };
    let wrong = sign_in("secret guess", &[]);
    assert_eq!(
        (wrong.status, &wrong.json()["success"]),
        (200, &json!(false))
    );
    assert_eq!(wrong.header("Set-Cookie"), "");
    let foreign = sign_in("correct horse", &[("Origin", "http://evil.example")]);
    assert_eq!(foreign.status, 403, "{}", foreign.text());
    let right = sign_in("correct horse", &[]);
    assert_eq!(right.json()["success"], true, "{}", right.text());
    assert_eq!(right.json()["message"], "system/ADMIN");
    let cookie = cookie(&right);
    let apps = "/rest/v2/applications";
    let with = |cookie: &str| request(server.http, "GET", apps, &[AWAY, ("Cookie", cookie)], b"");
    assert_eq!(
        (with(&cookie).status, with("millstream=x").status),
        (200, 403)
    );
    assert_eq!(
        request(
            server.http,
            "POST",
            "/rest/v2/users/authenticate",
            &[AWAY],
            b"{"
        )
        .status,
        400
    );
    let log = server.log.text();
    assert!(
        !log.contains("secret guess") && !log.contains("correct horse"),
        "{log}"
    );
}
