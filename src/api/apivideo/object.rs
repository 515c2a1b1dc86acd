//! A live stream and its restreams as they are answered.

use crate::api::place;
use crate::api::target_status::TargetStatus;
use crate::control::targets::TargetView;
use crate::control::{Endpoint, Status, View};
use axum::http::{HeaderMap, header};
use serde::Serialize;
use std::time::SystemTime;

/// The live stream, its fields in the order in which api.video has them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LiveStream {
    live_stream_id: String,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    stream_key: String,
    name: String,
    public: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    player_id: Option<String>,
    broadcasting: bool,
    assets: Assets,
    restreams: Vec<Restream>,
    /// Ours: `file`, `api` or `publisher`.
    made_by: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Assets {
    iframe: String,
    player: String,
    hls: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail: Option<String>,
}

/// A target. The first three fields are api.video's.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Restream {
    name: String,
    server_url: String,
    stream_key: String,
    id: String,
    paused: bool,
    #[serde(flatten)]
    status: TargetStatus,
}

impl LiveStream {
    /// With addresses at `site`, which is `http://HOST`.
    pub(super) fn new(view: View, site: &str) -> Self {
        let made_by = view.made_by();
        let broadcast = view.broadcast;
        let (app, id) = (view.name.app(), view.name.id());
        let player = format!("{site}/{app}/play.html?id={id}");
        let assets = Assets {
            iframe: format!(
                "<iframe src=\"{player}\" width=\"100%\" height=\"100%\" frameborder=\"0\" scrolling=\"no\" allowfullscreen=\"true\"></iframe>"
            ),
            player,
            hls: format!("{site}/{app}/streams/{id}.m3u8"),
            thumbnail: broadcast
                .thumbnail
                .is_some()
                .then(|| format!("{site}/{app}/streams/{id}/{}", super::thumbnail::FILE)),
        };
        Self {
            live_stream_id: id.to_owned(),
            created_at: atom(broadcast.created),
            updated_at: atom(broadcast.updated.unwrap_or(broadcast.created)),
            stream_key: broadcast.stream_key.unwrap_or_default(),
            name: broadcast.name.unwrap_or_default(),
            public: broadcast.notes.public_stream.unwrap_or(true),
            player_id: broadcast.notes.player_id,
            broadcasting: view.status == Status::Broadcasting,
            assets,
            restreams: view.targets.iter().map(Restream::new).collect(),
            made_by,
        }
    }
}

impl Restream {
    pub(super) fn new(view: &TargetView) -> Self {
        let endpoint = &view.endpoint;
        let (server_url, stream_key) = server_and_key(endpoint);
        Self {
            name: endpoint.name.clone().unwrap_or_default(),
            server_url,
            stream_key,
            id: endpoint.id.clone(),
            paused: endpoint.paused,
            status: TargetStatus::new(view),
        }
    }
}

/// As they were given here; of targets that other APIs have added, as their URLs tell.
pub(super) fn server_and_key(endpoint: &Endpoint) -> (String, String) {
    let said = |what: &str| endpoint.said.get(what).cloned();
    if let Some(server) = said("serverUrl") {
        return (server, said("streamKey").unwrap_or_default());
    }
    let (url, _options) = endpoint.url.split_once('#').unwrap_or((&endpoint.url, ""));
    let (server, key) = place::split(url);
    (server.to_owned(), key.to_owned())
}

/// `2023-06-19T09:11:20+00:00`.
pub(super) fn atom(time: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.replace('Z', "+00:00")
}

/// Where the caller has reached the server, `http://HOST[:PORT]`. What a proxy says of TLS is believed: none but the
/// caller is told so.
pub(super) fn site(headers: &HeaderMap, secure_port: Option<u16>) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST.as_str()).unwrap_or("localhost");
    let port = host
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let is_secure = port.is_some() && port == secure_port;
    let scheme = match text("x-forwarded-proto") {
        Some("https") => "https",
        _ if is_secure => "https",
        _ => "http",
    };
    // It stands within an attribute of HTML, and in links.
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]".contains(letter);
    let host: String = host.chars().filter(|letter| harmless(*letter)).collect();
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_and_addresses_are_written_as_api_video_does() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_687_165_880_900);
        assert_eq!(atom(time), "2023-06-19T09:11:20+00:00");
        let mut headers = HeaderMap::new();
        assert_eq!(site(&headers, None), "http://localhost");
        headers.insert("host", "a.b:5080\"><x".parse().unwrap());
        assert_eq!(site(&headers, None), "http://a.b:5080x");
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert_eq!(site(&headers, None), "https://a.b:5080x");
        let headers = HeaderMap::from_iter([(header::HOST, "[::1]:5443".parse().unwrap())]);
        assert_eq!(site(&headers, Some(5443)), "https://[::1]:5443");
        assert_eq!(site(&headers, Some(443)), "http://[::1]:5443");
    }
}
