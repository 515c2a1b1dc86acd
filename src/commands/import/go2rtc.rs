//! `go2rtc.yaml`: its streams with their sources, and where they are published.

use super::found::{Found, Judge};
use super::yaml::Node;
use crate::config::StaticStream;

/// Whether a file is of this kind.
pub(super) fn is_it(root: &Node) -> bool {
    root.get("streams").is_some()
}

/// Takes over what can be taken.
pub(super) fn read(root: &Node, judge: &Judge<'_>) -> Found {
    let mut found = Found::default();
    let publish = root.get("publish");
    let preload = root.get("preload");
    for (key, node) in root.entries() {
        match key.as_str() {
            "streams" | "publish" | "preload" => {}
            _ => found.pass_over(node.line, key, "settings of the server are not taken over"),
        }
    }
    let streams = root.get("streams").map(Node::entries).unwrap_or_default();
    for (name, sources) in streams {
        let key = format!("streams.{name}");
        // A stream there is pulled while somebody takes it, unless it is to be there before.
        let is_preloaded = preload.is_some_and(|preload| {
            let listed = preload.each();
            preload.get(name).is_some() || listed.iter().any(|one| one.text() == Some(name))
        });
        let mut stream = StaticStream::default();
        let all = sources.each();
        for (number, source) in (0..).zip(&all) {
            let key = match all.len() {
                0 | 1 => key.clone(),
                _ => format!("{key}[{number}]"),
            };
            let url = source.text().or_else(|| source.get("url")?.text());
            let Some(url) = url.filter(|_| !source.is_nothing()) else {
                if !source.is_nothing() {
                    found.miss(source.line, &key, "what is no URL is no source here");
                }
                continue;
            };
            take_source(
                &mut found,
                judge,
                (source.line, &key),
                (name, url),
                &mut stream,
            );
        }
        let has_wished = all.iter().any(|source| !source.is_nothing());
        if has_wished && stream.source.is_empty() {
            found.miss(sources.line, &key, "none of its sources can be had here");
            continue;
        }
        let targets = publish.and_then(|publish| publish.get(name));
        for target in targets.map(Node::each).unwrap_or_default() {
            let key = format!("publish.{name}");
            match target.text().map(|url| judge.target(url)) {
                Some(Ok(url)) => stream.targets.push(url),
                Some(Err(why)) => found.miss(target.line, &key, why),
                None => found.miss(target.line, &key, "what is no URL is no target here"),
            }
        }
        // Somebody takes what is published on.
        stream.on_demand = !stream.source.is_empty() && !is_preloaded && stream.targets.is_empty();
        found.take(judge, (sources.line, &key), name, stream);
    }
    for (name, node) in publish.map(Node::entries).unwrap_or_default() {
        if !streams.iter().any(|(known, _)| known == name) {
            let key = format!("publish.{name}");
            found.miss(node.line, &key, "there is no stream of that name");
        }
    }
    found
}

fn take_source(
    found: &mut Found,
    judge: &Judge<'_>,
    (line, key): (usize, &str),
    (name, url): (&str, &str),
    stream: &mut StaticStream,
) {
    let (place, options) = url.split_once('#').unwrap_or((url, ""));
    let options: Vec<&str> = options
        .split('#')
        .filter(|option| !option.is_empty())
        .collect();
    let mut place = place.to_owned();
    if let Some(rest) = place.strip_prefix("ffmpeg:") {
        if rest == name || !rest.contains("://") {
            let why = "sound is made into what players need, and nothing else is coded anew";
            return found.pass_over(line, key, why);
        }
        let is_copied = |option: &&str| {
            let value = option.split_once('=').map_or("", |(_, value)| value);
            let is_of_media = option.starts_with("video=") || option.starts_with("audio=");
            !is_of_media || option.starts_with("audio=") || value == "copy"
        };
        if !options.iter().all(is_copied) {
            return found.miss(line, key, "pictures are not coded anew here");
        }
        place = rest.to_owned();
    }
    if let Some(rest) = place.strip_prefix("webrtc:http") {
        place = format!("whep{rest}");
    }
    let is_rtsp = place.starts_with("rtsp://") || place.starts_with("rtsps://");
    let mut own = Vec::new();
    for option in &options {
        let (option, value) = option.split_once('=').unwrap_or((option, ""));
        match (option, value) {
            ("transport", "udp" | "tcp" | "http") if is_rtsp => {
                own.push(format!("transport={value}"));
            }
            // What is pulled is carried as it is, all of it, and sound goes one way.
            ("video" | "audio", _) | ("media", _) | ("backchannel", "0") => {}
            ("input", _) => {}
            _ => {
                let key = format!("{key}#{option}");
                found.pass_over(line, &key, "there is no such option here");
            }
        }
    }
    if !own.is_empty() {
        place = format!("{place}#{}", own.join("&"));
    }
    match judge.source(&place) {
        Ok(url) => stream.source.push(url),
        Err(why) => found.miss(line, key, why),
    }
}
