//! `pullStream`: a broadcast with a source, in the words of this API.

use super::functions::{Call, PULL};
use super::push::without_login;
use super::uri::Uri;
use super::{Door, Result, refused};
use crate::api::place::{self, Form};
use crate::control::{Broadcast, ControlError, Kind, View};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::Rng;
use serde_json::{Map, Value};
use std::time::SystemTime;

/// What stands for a pull in lists.
const OPERATION: u8 = 1;

/// Letters behind `stream_` in a name that is made up.
const MADE_UP: usize = 8;

pub(super) async fn pull(door: &Door, call: &Call) -> Result {
    let local = call
        .given("localStreamName")
        .map_or_else(made_up, str::to_owned);
    let name = door.stream(&local)?;
    let mut said = call.said().clone();
    said.insert("localStreamName".to_owned(), local.clone());
    let keeps = call.flag("keepAlive");
    let broadcast = Broadcast {
        kind: Kind::StreamSource,
        name: Some(name.id().to_owned()),
        created: SystemTime::now(),
        stream_url: Some(url(call)),
        standing: keeps,
        once: !keeps,
        said,
        ..Broadcast::default()
    };
    let added = door.control.add_source(name, broadcast).await;
    let view = added.map_err(|error| match error {
        ControlError::Exists(_) => format!("Stream name {local} already taken"),
        error => refused(error),
    })?;
    let uri = call.text("uri");
    let mut data = object(door, &view);
    let parts = Uri::parse(uri);
    data.insert("uri".to_owned(), parts.object(parts.literal()));
    let description = format!("Stream {} enqueued for pulling", without_login(uri));
    Ok((data.into(), description))
}

/// What was asked for, as it is shown in lists.
pub(super) fn object(door: &Door, view: &View) -> Map<String, Value> {
    let broadcast = &view.broadcast;
    let mut said = broadcast.said.clone();
    said.insert("localStreamName".to_owned(), door.local(&view.name));
    if !said.contains_key("uri") {
        // Of another API, which says nothing else of it.
        let url = broadcast.sources().into_iter().next();
        said.insert("uri".to_owned(), url.unwrap_or_default());
    }
    let call = Call::again(&PULL, &said);
    let mut object = call.object();
    object.insert("uri".to_owned(), call.text("uri").into());
    object.insert("configId".to_owned(), broadcast.number.into());
    object.insert("operationType".to_owned(), OPERATION.into());
    object.insert("keepAlive".to_owned(), (!broadcast.once).into());
    object
}

/// The URL of the model.
fn url(call: &Call) -> String {
    let uri = call.text("uri").trim();
    // EvoStream's names for sources of transport streams have a d in front where it looks into them.
    let uri = match uri.get(..1) {
        Some("d" | "D") if uri.get(1..).is_some_and(|rest| rest.starts_with("mpegts")) => {
            uri.get(1..).unwrap_or(uri)
        }
        _ => uri,
    };
    let mut options: Vec<String> = Vec::new();
    let mut option = |key: &str, value: &str| {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        options.push(format!("{key}={value}"));
    };
    match place::form(uri) {
        Form::Messages => {
            for key in [
                "tcUrl",
                "pageUrl",
                "swfUrl",
                "emulateUserAgent",
                "ttl",
                "tos",
            ] {
                if let Some(value) = call.given(key) {
                    option(key, value);
                }
            }
        }
        Form::Sessions => {
            if let Some(proxy) = call.given("httpProxy") {
                // It is read as it is.
                options.push(format!("httpProxy={proxy}"));
            } else if call.flag("forceTcp") {
                option("transport", "tcp");
            }
        }
        Form::Packets => {
            if let Some(source) = call.given("ssmIp") {
                options.push(format!("source={source}"));
            }
        }
        Form::StreamId | Form::Token => {}
    }
    match (options.is_empty(), uri.contains('#')) {
        (true, _) => uri.to_owned(),
        (false, true) => format!("{uri}&{}", options.join("&")),
        (false, false) => format!("{uri}#{}", options.join("&")),
    }
}

fn made_up() -> String {
    let letters = rand::rng().sample_iter(rand::distr::Alphanumeric);
    let letters = letters.take(MADE_UP).map(char::from);
    format!("stream_{}", letters.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::evostream::Command;

    #[test]
    fn commands_become_urls() {
        for (parameters, expected) in [
            ("uri=rtmp://a/live/x", "rtmp://a/live/x"),
            (
                "uri=rtmp://a/b/c tcUrl=rtmp://d",
                "rtmp://a/b/c#tcUrl=rtmp%3A%2F%2Fd",
            ),
            ("uri=rtsp://a/b forceTcp=1", "rtsp://a/b#transport=tcp"),
            (
                "uri=rtsp://a/b#tls_verify=0 httpProxy=self",
                "rtsp://a/b#tls_verify=0&httpProxy=self",
            ),
            (
                "uri=dmpegtsudp://239.1.1.1:5 ssmIp=10.0.0.1",
                "mpegtsudp://239.1.1.1:5#source=10.0.0.1",
            ),
            ("uri=http://a/b.m3u8 forceTcp=1", "http://a/b.m3u8"),
            ("uri=demo:", "demo:"),
        ] {
            let command = Command::parse(format!("pullStream {parameters}").as_bytes());
            let call = Call::new(&command.ok().unwrap()).ok().unwrap();
            assert_eq!(url(&call), expected, "{parameters}");
        }
    }
}
