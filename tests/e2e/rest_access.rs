//! Management answers to callers on this machine and to tokens, and to nobody who only looks local.

use crate::support::http::request;
use crate::support::server::Server;

const COUNT: &str = "/LiveApp/rest/v2/broadcasts/count";
const TOKEN: &str = "0123456789abcdef0123";

#[test]
fn whoever_only_looks_local_is_refused() {
    let server = Server::start();
    for header in [
        ("Host", "example.com"),
        ("Host", "stream.example:5080"),
        ("Host", "localhost.example.com"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Real-IP", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1"),
        ("Via", "1.1 proxy"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Authorization", "Bearer wrong"),
    ] {
        for (method, path, body) in [
            ("GET", COUNT, ""),
            ("POST", "/LiveApp/rest/v2/broadcasts/create", "{}"),
            ("DELETE", "/LiveApp/rest/v2/broadcasts/?ids=a", ""),
            ("GET", "/rest/v2/applications", ""),
        ] {
            let response = request(server.http, method, path, &[header], body.as_bytes());
            assert_eq!(response.status, 403, "{method} {path} with {header:?}");
            assert_eq!(response.json()["success"], false, "{header:?}");
        }
    }
    assert_eq!(server.get(COUNT).json()["number"], 0);
    for header in [
        ("Host", "localhost:5080"),
        ("Origin", "http://localhost:5080"),
        ("Host", "[::1]:5080"),
    ] {
        assert_eq!(
            request(server.http, "GET", COUNT, &[header], b"").status,
            200,
            "{header:?}"
        );
    }
}

#[test]
fn media_and_pages_are_for_everyone() {
    let server = Server::start();
    let foreign = [("Host", "example.com"), ("X-Forwarded-For", "10.0.0.1")];
    for (path, status) in [
        ("/", 200),
        ("/LiveApp/play.html?id=x", 200),
        ("/healthz", 200),
        ("/LiveApp/streams/nobody.m3u8", 404),
    ] {
        assert_eq!(
            request(server.http, "GET", path, &foreign, b"").status,
            status,
            "{path}"
        );
    }
}

#[test]
fn a_token_opens_from_anywhere() {
    let tokens = format!("auth.tokens=[\"{TOKEN}\"]");
    let server = Server::with(&["--set", &tokens]);
    let foreign = ("Host", "example.com");
    for value in [
        format!("Bearer {TOKEN}"),
        format!("bearer {TOKEN}"),
        TOKEN.to_owned(),
    ] {
        let headers = [foreign, ("Authorization", value.as_str())];
        assert_eq!(
            request(server.http, "GET", COUNT, &headers, b"").status,
            200,
            "{value}"
        );
    }
    for value in ["Bearer 0123456789abcdef0124", "Bearer ", "Basic eDp5"] {
        for host in [foreign, ("Host", "localhost")] {
            let headers = [host, ("Authorization", value)];
            assert_eq!(
                request(server.http, "GET", COUNT, &headers, b"").status,
                403,
                "{value}"
            );
        }
    }
    // Never shown.
    assert!(!server.log.text().contains(TOKEN), "{}", server.log.text());
}
