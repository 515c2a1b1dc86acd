//! What the fuzz targets of the server run: every text from outside that it reads itself, and the ways of media from
//! outside that lead through more than one crate.

mod player;
mod received;
mod way;

use crate::adapters::flv::peer::WebSocket;
use crate::adapters::hls::file::File;
use crate::api::evostream::command::Command;
use crate::api::evostream::lines::{Line, Lines};
use crate::api::json;
use crate::bridge;
use crate::hub::{Applications, StreamName};
use crate::net::fanout::{Output, Peer};
use crate::net::fetch;
use crate::net::http::parse_range;
use crate::record;
use axum::http::HeaderValue;
use bytes::Bytes;
use url::Url;

pub use crate::auth::fuzz as access;
pub use player::player;
pub use received::received;
pub use way::way;

/// A path from a peer becomes a harmless name or an error.
pub fn stream_name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(name) = Applications::standard().resolve(&text) {
        assert_eq!(StreamName::new(name.app(), name.id()), Ok(name.clone()));
        assert_eq!(name.as_str(), format!("{}/{}", name.app(), name.id()));
        assert_eq!(name.as_str().matches('/').count(), 1);
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        assert!(name.as_str().bytes().all(harmless) && !name.as_str().contains(".."));
    }
}

/// A path below `/APP/streams/`.
pub fn hls_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some((id, file)) = File::parse(&text) {
        assert!(text.starts_with(id));
        assert!(!id.contains('/'), "{file:?}");
    }
}

/// A `Range` header for a body whose length the first byte gives.
pub fn range(data: &[u8]) {
    let Some((length, range)) = data.split_first() else {
        return;
    };
    let length = u64::from(*length);
    if let Some(Ok((start, end))) = parse_range(&String::from_utf8_lossy(range), length) {
        assert!(start < end && end <= length);
    }
}

/// A redirect: the URL that was asked for, and in the second line where the server sends us.
pub fn redirect(data: &[u8]) {
    let (asked, place) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => data.split_at(at),
        None => (&b"https://host/path"[..], data),
    };
    let asked = Url::parse(&String::from_utf8_lossy(asked));
    let place = HeaderValue::from_bytes(place.trim_ascii_start());
    // Nothing else is asked. (`url` panics at some references from files.)
    let asked = asked.ok();
    let asked = asked.filter(|asked| matches!(asked.scheme(), "http" | "https"));
    if let (Some(asked), Ok(place)) = (asked, place)
        && let Ok(next) = fetch::follow(&asked, &place)
    {
        assert!(matches!(next.scheme(), "http" | "https") && next.host().is_some());
        assert!(asked.scheme() != "https" || next.scheme() == "https");
    }
}

/// What a player says over WebSocket is answered the same, wherever it is cut. The first byte says where.
pub fn websocket(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else {
        return;
    };
    let answers = |pieces: usize| {
        let mut peer = WebSocket::new(Bytes::new(), b"FLV");
        let mut answers = Vec::new();
        for piece in data.chunks(pieces) {
            let heard = peer.handle_input(piece);
            loop {
                match peer.poll_output() {
                    Output::Send(bytes) => answers.extend_from_slice(&bytes),
                    Output::Leave => answers.extend_from_slice(b"leave"),
                    Output::Timeout(_) => break,
                }
            }
            if heard.is_err() {
                answers.extend_from_slice(b"error");
                break;
            }
        }
        answers
    };
    let whole = answers(data.len().max(1));
    // A frame with a payload of two bytes or more is answered by no more than itself.
    assert!(whole.len() <= 32 + 8 * data.len());
    assert_eq!(answers(usize::from(cut) + 1), whole);
}

/// A request's body: what strict JSON reads is read the same, and never more than that with commas.
pub fn json(data: &[u8]) {
    let tolerant = json::read::<serde_json::Value>(data);
    if let Ok(strict) = serde_json::from_slice::<serde_json::Value>(data) {
        assert_eq!(tolerant, Ok(strict));
    }
}

/// Sound of a stranger.
pub fn sound(data: &[u8]) {
    bridge::fuzz::sound(data);
}

/// A recording as a killed server or a power cut left it.
pub fn recording(data: &[u8]) {
    record::fuzz::recording(data);
}

/// Lines of commands are the same ones wherever they are cut. The first byte says where.
pub fn command_lines(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else {
        return;
    };
    let found = |pieces: usize| {
        let mut lines = Lines::default();
        data.chunks(pieces).for_each(|piece| lines.push(piece));
        let shown = |line| match line {
            Line::Command(Ok(command)) => format!("{} {:?}", command.function, command.parameters),
            Line::Command(Err(error)) => error.to_string(),
            Line::Over(why) => why.to_owned(),
        };
        std::iter::from_fn(|| lines.pull().map(shown)).collect::<Vec<_>>()
    };
    assert_eq!(found(usize::from(cut) + 1), found(data.len().max(1)));
}

/// What a URL gives a function: a command, or an error. Written out as a line it is the same command.
pub fn command_url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(command) = Command::of_url("f", &text) else {
        return;
    };
    let escaped = |text: &str| {
        let mut out = String::new();
        for letter in text.chars() {
            if matches!(letter, '\\' | ' ' | '=' | ',') {
                out.push('\\');
            }
            out.push(letter);
        }
        out
    };
    let parameters = command.parameters.iter();
    let mut line: Vec<String> = parameters
        .map(|(key, value)| format!("{}={}", escaped(key), escaped(value)))
        .collect();
    line.insert(0, command.function.clone());
    line.extend(command.id().map(|id| format!("commandId={}", escaped(id))));
    let line = line.join(" ");
    if line.len() <= crate::api::evostream::command::MAX_TEXT {
        assert!(Command::parse(line.as_bytes()).is_ok_and(|read| read == command));
    }
}

/// Valid inputs, as (entry, name, bytes).
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let seed = |entry, name, text: &str| (entry, name, text.as_bytes().to_vec());
    let recordings = record::fuzz::seeds().into_iter();
    let recordings = recordings.map(|(name, bytes)| ("recording", name, bytes));
    let mut seeds = vec![
        seed("stream_name", "two_parts", "/LiveApp/cam-1_a.b/"),
        seed("stream_name", "one_part", "demo2"),
        seed("stream_name", "traversal", "../../x"),
        seed("hls_file", "multivariant", "cam_adaptive.m3u8"),
        seed("hls_file", "media", "cam/video.m3u8"),
        seed("hls_file", "init", "cam/audio_1795175413.mp4"),
        seed("hls_file", "part", "cam/video_1795175413.2.m4s"),
        seed("range", "closed", "\u{40}bytes=0-9"),
        seed("range", "suffix", "\u{40}bytes=-9"),
        seed("redirect", "path", "https://host/a?b\n/c?d"),
        seed("redirect", "other", "http://host/a\nhttps://other:8443/c"),
        (
            "websocket",
            "ping_and_goodbye",
            b"\x02\x89\x82\0\0\0\0hi\x82\x83\x01\x02\x03\x04abc\x88\x80\0\0\0\0".to_vec(),
        ),
        seed(
            "command_lines",
            "two",
            "\u{3}version\r\npushStream uri=rtmp://a/b localStreamName=c\\ d commandId=7\n",
        ),
        seed(
            "command_lines",
            "http",
            "\u{9}version\nGET / HTTP/1.1\r\n\r\nhelp\n",
        ),
        seed(
            "command_url",
            "push",
            "(dXJpPXJ0bXA6Ly9hL2IgbG9jYWxTdHJlYW1OYW1lPWNcIGQ)",
        ),
        seed(
            "json",
            "broadcast",
            "{\"name\":\"a\\\",}\",\"list\":[1,2,],\n}",
        ),
    ];
    seeds.extend(recordings);
    let sounds = bridge::fuzz::seeds().into_iter();
    seeds.extend(sounds.map(|(name, bytes)| ("sound", name, bytes)));
    for (entry, media) in [
        ("player", player::seeds()),
        ("received", received::seeds()),
        ("way", way::seeds()),
    ] {
        seeds.extend(media.into_iter().map(|(name, bytes)| (entry, name, bytes)));
    }
    seeds.extend(access::seeds());
    seeds
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    #[test]
    fn the_seeds_pass() {
        for (entry, _, bytes) in super::seeds() {
            match entry {
                "stream_name" => super::stream_name(&bytes),
                "hls_file" => super::hls_file(&bytes),
                "range" => super::range(&bytes),
                "redirect" => super::redirect(&bytes),
                "websocket" => super::websocket(&bytes),
                "recording" => super::recording(&bytes),
                "sound" => super::sound(&bytes),
                "player" => super::player(Instant::now(), &bytes),
                "received" => super::received(Instant::now(), &bytes),
                "way" => super::way(&bytes),
                "command_lines" => super::command_lines(&bytes),
                "command_url" => super::command_url(&bytes),
                "jwt" => super::access::jwt(&bytes),
                "jwks" => super::access::jwks(&bytes),
                "cookies" => super::access::cookies(&bytes),
                "forwarding" => super::access::forwarding(&bytes),
                "authorization" => super::access::authorization(&bytes),
                _ => super::json(&bytes),
            }
        }
    }
}
