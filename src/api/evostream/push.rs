//! `pushStream`: a target of a stream, in the words of this API.
//!
//! The model has one URL for a target, with its options in the fragment. What was said here is kept beside it, so that
//! it is given back as it came; of targets that other APIs have added it is told by the URL.

use super::functions::{Call, PUSH};
use super::uri::Uri;
use super::{Door, Result, refused};
use crate::api::place::{self, Form};
use crate::control::{ControlError, Endpoint};
use crate::hub::StreamName;
use crate::net::redacted::Redacted;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// What stands for a push in lists.
const OPERATION: u8 = 2;

/// A name that takes longer to look up is shown without its address.
const LOOKUP: Duration = Duration::from_secs(1);

/// User agents that have a name of their own.
const AGENTS: [(&str, &str); 4] = [
    ("evo", "EvoStream Media Server (www.evostream.com)"),
    ("fmle", "FMLE/3.0 (compatible; FMSc/1.0)"),
    ("wirecast", "Wirecast/FM 1.0 (compatible; FMSc/1.0)"),
    ("flash", "WIN 32,0,0,465"),
];

/// Parameters that are options of URLs, of RTMP and of transport streams.
const RTMP_OPTIONS: [&str; 10] = [
    "tcUrl",
    "pageUrl",
    "swfUrl",
    "emulateUserAgent",
    "targetStreamType",
    "sendChunkSizeRequest",
    "rtmpAbsoluteTimestamps",
    "useSourcePts",
    "ttl",
    "tos",
];

pub(super) async fn push(door: &Door, call: &Call) -> Result {
    let name = door.stream(call.text("localStreamName"))?;
    let wish = Endpoint {
        once: !call.flag("keepAlive"),
        said: call.said().clone(),
        ..Endpoint::to(&url(call)?)
    };
    let ip = address(door, call.text("uri")).await;
    let added = door.control.push(&name, wish).await;
    let endpoint = added.map_err(|error| match error {
        ControlError::TargetExists(_) => {
            let local = call.text("localStreamName");
            format!("Stream {local} is pushed there already")
        }
        error => refused(error),
    })?;
    let mut data = object(door, &name, &endpoint);
    let uri = call.text("uri");
    data.insert("targetUri".to_owned(), Uri::parse(uri).object(&ip));
    let description = format!(
        "Local stream {} enqueued for pushing to {} as {}",
        call.text("localStreamName"),
        without_login(uri),
        target_name(call),
    );
    Ok((data.into(), description))
}

/// What was asked for, as it is shown in answers and lists.
pub(super) fn object(door: &Door, name: &StreamName, endpoint: &Endpoint) -> Map<String, Value> {
    let mut said = match endpoint.said.contains_key("uri") {
        true => endpoint.said.clone(),
        false => told_by_url(&endpoint.url),
    };
    said.entry("localStreamName".to_owned())
        .or_insert_with(|| door.local(name));
    let call = Call::again(&PUSH, &said);
    let uri = call.text("uri");
    let mut object = call.object();
    let target = Value::from(target_name(&call));
    object.insert("targetStreamName".to_owned(), target);
    object.insert("configId".to_owned(), endpoint.number.into());
    object.insert("operationType".to_owned(), OPERATION.into());
    object.insert("keepAlive".to_owned(), (!endpoint.once).into());
    let uri = Uri::parse(uri);
    let shown = uri.object(uri.literal());
    object.insert("targetUri".to_owned(), shown);
    object
}

fn target_name(call: &Call) -> &str {
    let local = || call.text("localStreamName");
    call.given("targetStreamName").unwrap_or_else(local)
}

/// The URL of the model.
fn url(call: &Call) -> Result<String> {
    let uri = call.text("uri").trim();
    let target = target_name(call);
    if target
        .contains(|letter: char| letter == '#' || letter.is_whitespace() || letter.is_control())
    {
        return Err("targetStreamName may hold neither white space nor #".to_owned());
    }
    let (place, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let mut options: Vec<String> = Vec::new();
    options.extend((!fragment.is_empty()).then(|| fragment.to_owned()));
    let mut option = |key: &str, value: &str| {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        options.push(format!("{key}={value}"));
    };
    let place = match place::form(place) {
        Form::Messages => {
            for key in RTMP_OPTIONS {
                if let Some(value) = call.given(key) {
                    let is_agent = key == "emulateUserAgent";
                    option(key, if is_agent { agent(value) } else { value });
                }
            }
            place::join(place, target)
        }
        Form::Sessions => {
            if let Some(proxy) = call.given("httpProxy") {
                // It is read as it is.
                options.push(format!("httpProxy={proxy}"));
            } else if call.flag("forceTcp") {
                option("transport", "tcp");
            }
            place::join(place, target)
        }
        Form::StreamId => {
            let name = call.given("targetStreamName").unwrap_or_default();
            place::with_stream_id(place, name)
        }
        Form::Token => {
            let token = call.given("targetStreamName").unwrap_or_default();
            place::with_token(place, token)
        }
        Form::Packets => {
            for key in ["ttl", "tos"] {
                if let Some(value) = call.given(key).filter(|value| *value != "256") {
                    option(key, value);
                }
            }
            place.to_owned()
        }
    };
    Ok(match options.is_empty() {
        true => place,
        false => format!("{place}#{}", options.join("&")),
    })
}

/// What the URL of a target tells of what was asked for.
fn told_by_url(url: &str) -> BTreeMap<String, String> {
    let (place, fragment) = url.split_once('#').unwrap_or((url, ""));
    let mut said = BTreeMap::new();
    let (uri, target) = place::split(place);
    said.insert("uri".to_owned(), uri.to_owned());
    said.insert("targetStreamName".to_owned(), target.to_owned());
    for option in fragment.split('&') {
        if let Some((key, value)) = option.split_once('=')
            && PUSH.parameters.iter().any(|known| known.name == key)
        {
            let value = percent_decode_str(value).decode_utf8_lossy();
            said.insert(key.to_owned(), value.into_owned());
        }
    }
    said
}

fn agent(text: &str) -> &str {
    let mut known = AGENTS.iter();
    let known = known.find(|(name, _)| name.eq_ignore_ascii_case(text));
    known.map_or(text, |(_, agent)| *agent)
}

/// The URI for people: without user and password, and as it came where it has none.
pub(super) fn without_login(uri: &str) -> String {
    let authority = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    let has_login = authority.get(..end).is_some_and(|it| it.contains('@'));
    if has_login || uri.contains(['?', '#']) {
        return Redacted(uri).to_string();
    }
    uri.to_owned()
}

/// The address of a URI's host, as text; empty where it has none, or not soon.
async fn address(door: &Door, uri: &str) -> String {
    let uri = Uri::parse(uri);
    if uri.host.is_empty() {
        return String::new();
    }
    let found = door.context.policy.resolve(uri.host, uri.port());
    let found = tokio::time::timeout(LOOKUP, found).await;
    let found = found.ok().and_then(std::result::Result::ok);
    let first = found.and_then(|found| found.first().copied());
    first.map_or_else(String::new, |address| address.ip().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::evostream::Command;

    fn call(parameters: &str) -> Call {
        let line = format!("pushStream localStreamName=cam {parameters}");
        let command = Command::parse(line.as_bytes()).ok().unwrap();
        Call::new(&command).ok().unwrap()
    }

    #[test]
    fn commands_become_urls() {
        for (parameters, expected) in [
            ("uri=rtmp://a/live", "rtmp://a/live/cam"),
            (
                "uri=rtmp://a/live/ targetStreamName=x?k=v",
                "rtmp://a/live/x?k=v",
            ),
            ("uri=rtmp://a/live?t=1", "rtmp://a/live?t=1/cam"),
            ("uri=rtmp://a/live/in?t=1", "rtmp://a/live/in/cam?t=1"),
            (
                "uri=RTMPS://a:443/live tcUrl=rtmp://b/c emulateUserAgent=FMLE ttl=7 sendChunkSizeRequest=0",
                "RTMPS://a:443/live/cam#tcUrl=rtmp%3A%2F%2Fb%2Fc&emulateUserAgent=FMLE%2F3%2E0%20%28compatible%3B%20FMSc%2F1%2E0%29&sendChunkSizeRequest=0&ttl=7",
            ),
            (
                "uri=rtsp://a/live httpProxy=self ttl=7",
                "rtsp://a/live/cam#httpProxy=self",
            ),
            (
                "uri=rtsp://a/live httpProxy=10.0.0.1:80",
                "rtsp://a/live/cam#httpProxy=10.0.0.1:80",
            ),
            (
                "uri=rtsp://a/live forceTcp=1",
                "rtsp://a/live/cam#transport=tcp",
            ),
            (
                "uri=mpegtsudp://239.1.1.1:5000 ttl=3 tos=256",
                "mpegtsudp://239.1.1.1:5000#ttl=3",
            ),
            (
                "uri=udp://a:1#bitrate=4000000 tos=1",
                "udp://a:1#bitrate=4000000&tos=1",
            ),
            ("uri=srt://a:1", "srt://a:1"),
            (
                "uri=srt://a:1?latency=9 targetStreamName=b/c",
                "srt://a:1?latency=9&streamid=b%2Fc",
            ),
        ] {
            assert_eq!(
                url(&call(parameters)).as_deref(),
                Ok(expected),
                "{parameters}"
            );
        }
        let spaced = call(r"uri=rtmp://a/b targetStreamName=a\ b");
        assert!(url(&spaced).is_err());
    }

    #[test]
    fn urls_tell_what_was_asked_for() {
        for (url, uri, target) in [
            ("rtmp://a/live/key?k=v", "rtmp://a/live", "key?k=v"),
            ("rtsps://a/b/c/d#transport=tcp", "rtsps://a/b/c", "d"),
            ("udp://239.1.1.1:5000#ttl=3", "udp://239.1.1.1:5000", ""),
            ("srt://a:1?streamid=x/y", "srt://a:1?streamid=x/y", ""),
        ] {
            let said = told_by_url(url);
            assert_eq!((&*said["uri"], &*said["targetStreamName"]), (uri, target));
        }
        let said = told_by_url("rtmp://a/live/key#tcUrl=rtmp%3A%2F%2Fb&tls_verify=0&ttl=7");
        assert_eq!((&*said["tcUrl"], &*said["ttl"]), ("rtmp://b", "7"));
        assert!(!said.contains_key("tls_verify"));
    }

    #[test]
    fn descriptions_hold_no_secret() {
        for (uri, shown) in [
            ("rtmp://192.168.1.200/live", "rtmp://192.168.1.200/live"),
            ("rtmp://u:p@a/live", "rtmp://***@a/live"),
            ("rtmp://a/live?token=x", "rtmp://a/live?***"),
            ("srt://a:1?passphrase=secretsecret", "srt://a:1?***"),
        ] {
            assert_eq!(without_login(uri), shown);
        }
    }
}
