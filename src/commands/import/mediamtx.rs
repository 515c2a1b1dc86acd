//! `mediamtx.yml`: its paths with their sources, whether they are recorded, and when they are pulled.

use super::found::{Found, Judge};
use super::yaml::Node;
use crate::config::StaticStream;

/// Settings of a path that say what is so here anyway, or nothing that can be seen.
const NOTHING_TO_DO: [&str; 4] = [
    "sourceOnDemandStartTimeout",
    "overridePublisher",
    "maxReaders",
    "useAbsoluteTimestamp",
];

/// What is to be done about a setting of a path that is not taken.
const ADVICE: [(&str, &str); 7] = [
    (
        "runOn",
        "commands are not run; to push the stream on, give it targets",
    ),
    (
        "record",
        "how recordings are cut, named and kept stands in [record]",
    ),
    ("publish", "who may publish stands in [auth]"),
    ("read", "who may play stands in [auth]"),
    (
        "sourceOnDemand",
        "how long a source goes on without viewers is on_demand.linger, for all",
    ),
    (
        "fallback",
        "another stream in the place of one that is not there is not known here",
    ),
    (
        "alwaysAvailable",
        "another stream in the place of one that is not there is not known here",
    ),
];

/// Whether a file is of this kind.
pub(super) fn is_it(root: &Node) -> bool {
    root.get("paths").is_some() || root.get("pathDefaults").is_some()
}

/// Takes over what can be taken.
pub(super) fn read(root: &Node, judge: &Judge<'_>) -> Found {
    let mut found = Found::default();
    let defaults = root.get("pathDefaults");
    for (key, node) in root.entries() {
        match key.as_str() {
            "paths" => {
                for (name, settings) in node.entries() {
                    path(&mut found, judge, name, settings, defaults);
                }
            }
            "pathDefaults" => {
                for (name, setting) in node.entries().iter().filter(|(name, _)| !is_taken(name)) {
                    let key = format!("pathDefaults.{name}");
                    found.pass_over(setting.line, &key, advice(name));
                }
            }
            _ => found.pass_over(node.line, key, "settings of the server are not taken over"),
        }
    }
    found
}

fn is_taken(setting: &str) -> bool {
    matches!(
        setting,
        "source"
            | "sourceOnDemand"
            | "record"
            | "rtspTransport"
            | "sourceProtocol"
            | "sourceFingerprint"
    ) || NOTHING_TO_DO.contains(&setting)
}

fn advice(setting: &str) -> &'static str {
    let known = ADVICE.iter().find(|(begin, _)| setting.starts_with(begin));
    known.map_or("there is nothing like it here", |(_, advice)| advice)
}

fn path(
    found: &mut Found,
    judge: &Judge<'_>,
    name: &str,
    settings: &Node,
    defaults: Option<&Node>,
) {
    let key = format!("paths.{name}");
    let line = settings.line;
    if matches!(name, "all" | "all_others") || name.starts_with('~') {
        // Anybody may publish any name here, so that this says nothing where it has no settings.
        if !settings.is_nothing() && !settings.entries().is_empty() {
            found.miss(
                line,
                &key,
                "settings for many paths at once are not taken over",
            );
        }
        return;
    }
    for (setting, node) in settings
        .entries()
        .iter()
        .filter(|(name, _)| !is_taken(name))
    {
        found.pass_over(node.line, &format!("{key}.{setting}"), advice(setting));
    }
    let get = |setting: &str| {
        let own = settings.get(setting);
        own.or_else(|| defaults?.get(setting))
    };
    let flag = |setting: &str| get(setting).and_then(Node::flag);
    let mut stream = StaticStream {
        on_demand: flag("sourceOnDemand").unwrap_or(false),
        record: flag("record").filter(|record| *record),
        ..StaticStream::default()
    };
    let source = get("source");
    match source.and_then(Node::text) {
        None | Some("" | "publisher") => stream.on_demand = false,
        Some(url) => {
            let text = |setting: &str| get(setting).and_then(Node::text).unwrap_or_default();
            let transport = match text("rtspTransport") {
                "" => text("sourceProtocol"),
                transport => transport,
            };
            let url = with_options(url, transport, text("sourceFingerprint"));
            match judge.source(&url) {
                Ok(url) => stream.source.push(url),
                Err(why) => {
                    let line = source.map_or(line, |source| source.line);
                    return found.miss(line, &format!("{key}.source"), why);
                }
            }
        }
    }
    found.take(judge, (line, &key), name, stream);
}

/// The URL of a source as it is written here.
fn with_options(url: &str, transport: &str, fingerprint: &str) -> String {
    let url = url.replacen("udp+mpegts://", "udp://", 1);
    let scheme = url.split(':').next().unwrap_or_default();
    let mut options = Vec::new();
    if scheme.starts_with("rtsp") && matches!(transport, "udp" | "tcp" | "multicast") {
        options.push(format!("transport={transport}"));
    }
    let is_secure = matches!(scheme, "rtsps" | "rtmps" | "https" | "wheps");
    if is_secure && !fingerprint.is_empty() {
        options.push(format!("tls_fingerprint={fingerprint}"));
    }
    match options.is_empty() {
        true => url,
        false => format!("{url}#{}", options.join("&")),
    }
}
