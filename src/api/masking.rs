//! Answers to those who may look and nothing else: without what lets its reader in.
//!
//! A secret is known by the name of its field, and within a URL by its place: what stands before the `@`, what parameters
//! of such names hold, and of a target all that may be a stream key.

use crate::net::redacted::Redacted;
use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Map, Value};

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// Longest answer that is looked through, in bytes.
const MAX_BODY: usize = 64 << 20;

/// Parts of the names of fields, and of parameters in URLs, that hold a secret. In lower case.
const SECRETS: [&str; 9] = [
    "password",
    "passphrase",
    "secret",
    "streamkey",
    "token",
    "apikey",
    "credential",
    "targetstreamname",
    "authorization",
];

/// Names of parameters in URLs that hold one besides.
const IN_URLS: [&str; 9] = [
    "pass",
    "pwd",
    "user",
    "key",
    "auth",
    "sig",
    "signature",
    "streamid",
    "hash",
];

/// Fields with the place of a target, in lower case.
const PLACES: [&str; 6] = [
    "endpointurl",
    "serverurl",
    "targeturi",
    "uri",
    "tcurl",
    "originaluri",
];

/// Fields of a URL in parts that anybody may see.
const PARTS: [&str; 4] = ["scheme", "host", "ip", "portSpecified"];

/// The answer without its secrets. What is no JSON is passed on.
pub(super) async fn masked(response: Response<Body>) -> Response<Body> {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_json = content_type.is_some_and(|said| {
        let said = said.to_str().unwrap_or_default();
        said.starts_with("application/json") || said.starts_with("application/problem+json")
    });
    if !is_json {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY).await;
    let value = body
        .ok()
        .and_then(|body| serde_json::from_slice::<Value>(&body).ok());
    let Some(mut value) = value else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    mask(&mut value);
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(value.to_string()))
}

/// Takes the secrets out of a document.
pub fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => mask_fields(fields),
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::String(text) => {
            if let Some(shown) = without_secrets(text) {
                *text = shown;
            }
        }
        _ => {}
    }
}

/// Whether a value is what is shown in the place of the one that is kept: who sends it back does not want another one.
pub(super) fn is_shown_for(field: &str, given: &str, kept: &str) -> bool {
    let mut shown = Value::from_iter([(field, kept)]);
    mask(&mut shown);
    given != kept && shown.get(field).and_then(Value::as_str) == Some(given)
}

fn mask_fields(fields: &mut Map<String, Value>) {
    // EvoStream names a stream that goes out by what the target calls it.
    if fields.contains_key("pushSettings")
        && let Some(name) = fields.get_mut("name")
    {
        *name = MASK.into();
    }
    for (name, value) in fields {
        let name = name.to_ascii_lowercase();
        let is_place = PLACES.contains(&name.as_str());
        match value {
            Value::String(text) if text.is_empty() => {}
            Value::String(text) if is_secret(&name) => MASK.clone_into(text),
            Value::String(text) if is_place => *text = Redacted(text).to_string(),
            Value::Object(parts) if is_place => {
                for (part, value) in parts {
                    if !PARTS.contains(&part.as_str()) && !value.is_number() {
                        *value = MASK.into();
                    }
                }
            }
            value => mask(value),
        }
    }
}

fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|part| name.contains(part))
}

/// A URL without the secrets in it; none where there are none, or it is no URL.
fn without_secrets(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.is_empty() || scheme.contains(char::is_whitespace) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end)?;
    let mut shown = format!("{scheme}://");
    match authority.rsplit_once('@') {
        Some((_, host)) => {
            shown.push_str(MASK);
            shown.push('@');
            shown.push_str(host);
        }
        None => shown.push_str(authority),
    }
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (path, parameters) = rest.split_at_checked(end)?;
    shown.push_str(path);
    for parameter in parameters.split_inclusive(['?', '#', '&']) {
        let value = parameter.trim_end_matches(['?', '#', '&']);
        let sign = parameter.get(value.len()..).unwrap_or_default();
        match value.split_once('=') {
            Some((name, _)) if hides(&name.to_ascii_lowercase()) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(MASK);
            }
            _ => shown.push_str(value),
        }
        shown.push_str(sign);
    }
    (shown != text).then_some(shown)
}

fn hides(name: &str) -> bool {
    is_secret(name) || IN_URLS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_known_by_their_fields_and_places() {
        let mut value = json!({
            "password": "p", "username": "joe", "jwtSecretKey": "k", "streamKey": "s", "empty": "", "token": "t",
            "publishTokenControlEnabled": true,
            "streamUrl": "rtsp://joe:p@cam/1?token=x&a=b#transport=udp&pass=1",
            "endPointList": [{ "endpointUrl": "rtmp://a.example/live2/key", "status": "created" }],
            "restreams": [{ "serverUrl": "rtmp://b/app", "streamKey": "s" }],
            "assets": { "hls": "http://h/LiveApp/streams/cam1.m3u8" },
            "pull": "srt://h:1?streamid=read:a&passphrase=p&latency=120",
            "data": { "targetUri": { "fullUri": "rtmp://u:p@h/a/k", "host": "h", "port": 1935, "password": "p",
                "parameters": { "k": "v" } }, "targetStreamName": "key" },
            "out": { "name": "key", "pushSettings": { "localStreamName": "cam" } },
            "in": { "name": "cam", "pullSettings": {} },
            "lastError": "connection to http://h refused",
        });
        mask(&mut value);
        assert_eq!(
            value,
            json!({
                "password": "***", "username": "joe", "jwtSecretKey": "***", "streamKey": "***", "empty": "", "token": "***",
                "publishTokenControlEnabled": true,
                "streamUrl": "rtsp://***@cam/1?token=***&a=b#transport=udp&pass=***",
                "endPointList": [{ "endpointUrl": "rtmp://a.example/live2/***", "status": "created" }],
                "restreams": [{ "serverUrl": "rtmp://b/app", "streamKey": "***" }],
                "assets": { "hls": "http://h/LiveApp/streams/cam1.m3u8" },
                "pull": "srt://h:1?streamid=***&passphrase=***&latency=120",
                "data": { "targetUri": { "fullUri": "***", "host": "h", "port": 1935, "password": "***",
                    "parameters": "***" }, "targetStreamName": "***" },
                "out": { "name": "***", "pushSettings": { "localStreamName": "cam" } },
                "in": { "name": "cam", "pullSettings": {} },
                "lastError": "connection to http://h refused",
            })
        );
    }

    #[test]
    fn what_was_shown_comes_back() {
        for (field, given, kept, is_so) in [
            ("password", "***", "secret", true),
            ("password", "other", "secret", false),
            ("password", "***", "***", false),
            ("streamUrl", "rtsp://***@h/1", "rtsp://u:p@h/1", true),
            ("streamUrl", "rtsp://***@h/2", "rtsp://u:p@h/1", false),
            ("streamUrl", "rtsp://h/1", "rtsp://h/1", false),
            ("serverUrl", "rtmp://h/a/***", "rtmp://h/a/b", true),
        ] {
            assert_eq!(is_shown_for(field, given, kept), is_so, "{field} {given}");
        }
    }

    #[test]
    fn what_has_no_secret_stays_as_it_is() {
        for text in [
            "",
            "cam1",
            "://",
            "a b://c@d",
            "http://h",
            "http://h?#&",
            "rtsp://h/p?x=1&y#z",
            "mailto:a@b",
        ] {
            assert_eq!(without_secrets(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn answers_keep_their_heads() {
        let answer = |kind: &str, body: &'static str| {
            let answer = Response::builder().status(201).header("content-type", kind);
            answer.body(Body::from(body)).unwrap()
        };
        for (kind, before, after) in [
            (
                "application/json",
                r#"{"password":"p"}"#,
                r#"{"password":"***"}"#,
            ),
            ("text/plain", r#"{"password":"p"}"#, r#"{"password":"p"}"#),
        ] {
            let response = masked(answer(kind, before)).await;
            assert_eq!(response.status(), 201);
            let body = axum::body::to_bytes(response.into_body(), 99)
                .await
                .unwrap();
            assert_eq!(body, after);
        }
        let broken = masked(answer("application/json", r#"{"password":"#)).await;
        assert_eq!(broken.status(), 500);
    }
}
