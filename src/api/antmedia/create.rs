//! Making a broadcast, which answers in two ways: without `autoStart` with the broadcast or a status of its
//! own, with it always with 200 and a result.

use super::Shared;
use super::broadcast::{Object, Request};
use super::cameras;
use super::envelope::{FETCHER_NOT_STARTED, Outcome, control_failure, refusal};
use super::routes::host;
use crate::api::json;
use crate::control::{ControlError, Kind, View};
use crate::hub::StreamName;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;

/// Schemes of URLs that Ant Media Server pulls from, and TCP, which it has no URL for.
const PULLED: [&str; 11] = [
    "http", "https", "rtmp", "rtmps", "rtsp", "rtsps", "udp", "srt", "tcp", "whep", "wheps",
];

/// Most fallbacks of a stream.
const MAX_FALLBACKS: usize = 15;

/// Schemes of addresses that it takes for a camera, and our own for one that is asked by ONVIF.
const CAMERA: [&str; 9] = [
    "http", "https", "onvif", "onvifs", "rtmp", "rtmps", "srt", "rtsp", "rtsps",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Create {
    #[serde(default)]
    auto_start: bool,
}

pub(super) async fn create(
    State(shared): State<Shared>,
    Path(app): Path<String>,
    Query(Create { auto_start }): Query<Create>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let request = match body.trim_ascii() {
        [] if auto_start => {
            return Outcome::failure("unexpected parameters received").into_response();
        }
        [] => Request::default(),
        body => match json::read::<Request>(body) {
            Ok(request) => request,
            Err(error) => {
                return refusal(
                    StatusCode::BAD_REQUEST,
                    &format!("the body is not a broadcast: {error}"),
                );
            }
        },
    };
    let id = match request
        .stream_id
        .as_deref()
        .map(str::trim)
        .filter(|id| !id.is_empty())
    {
        Some(id) => id.to_owned(),
        None => random_id(),
    };
    let Ok(name) = StreamName::new(&app, &id) else {
        return refusal(StatusCode::BAD_REQUEST, "Stream id is not valid.");
    };
    let Some(kind) = request.kind() else {
        return refusal(
            StatusCode::BAD_REQUEST,
            "The type is none of liveStream, ipCamera, streamSource, VoD, playlist",
        );
    };
    // What is there for targets alone, which wait for the stream, becomes the broadcast.
    let waits = |view: &View| view.broadcast.implied && view.stream.is_none();
    let known = shared.control.get(&name);
    if known.is_some_and(|known| !waits(&known)) {
        return id_in_use();
    }
    if request
        .notes
        .sub_folder
        .as_deref()
        .is_some_and(|folder| folder.contains(".."))
    {
        return refusal(StatusCode::BAD_REQUEST, "Subfolder is not valid. ");
    }
    if let Err(message) = check_fallbacks(request.fallback_stream_urls.as_deref()) {
        return refusal(StatusCode::BAD_REQUEST, message);
    }
    // A camera may be given by the URL of its stream besides.
    let stream_url = request.stream_url.as_deref().unwrap_or_default();
    if kind == Kind::IpCamera && !stream_url.is_empty() && !is_source_url(stream_url) {
        return refusal(StatusCode::BAD_REQUEST, "Stream url is not valid. ");
    }
    if auto_start {
        return create_and_start(&shared, name, kind, request).await;
    }
    let valid = match kind {
        Kind::IpCamera => request.ip_addr.as_deref().is_some_and(is_camera_address),
        Kind::StreamSource => request.stream_url.as_deref().is_some_and(is_source_url),
        Kind::LiveStream | Kind::Vod | Kind::Playlist => true,
    };
    if !valid {
        return refusal(StatusCode::BAD_REQUEST, "Stream url is not valid. ");
    }
    match shared
        .control
        .create(name, request.into_broadcast(kind))
        .await
    {
        Ok(view) => Json(Object::new(view, host(&headers), &shared.rtmp_port)).into_response(),
        Err(ControlError::Exists(_)) => id_in_use(),
        Err(
            error @ (ControlError::Address(_) | ControlError::Hook(_) | ControlError::Place(_)),
        ) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
        Err(error) => control_failure(&error),
    }
}

/// `autoStart=true`: the answer is always 200 with a result, never a broadcast.
async fn create_and_start(
    shared: &Shared,
    name: StreamName,
    kind: Kind,
    request: Request,
) -> Response<Body> {
    let valid = match kind {
        Kind::StreamSource => request.stream_url.as_deref().is_some_and(is_source_url),
        Kind::IpCamera if request.ip_addr.as_deref().is_some_and(is_camera_address) => true,
        Kind::IpCamera => {
            let address = request.ip_addr.unwrap_or_default();
            return Outcome::failure(format!("IP camera addr is not valid: {address}"))
                .into_response();
        }
        Kind::LiveStream | Kind::Vod | Kind::Playlist => {
            let message = "Auto start query needs an IP camera or stream source.";
            return Outcome::failure(message).into_response();
        }
    };
    if !valid {
        return Outcome::failure("").into_response();
    }
    let address = request.ip_addr.clone().unwrap_or_default();
    let broadcast = request.into_broadcast(kind);
    if kind == Kind::IpCamera
        && let Err(failure) = shared.control.try_camera(&broadcast).await
    {
        return cameras::could_not_connect(&address, &failure).into_response();
    }
    if let Err(error) = shared.control.create(name.clone(), broadcast).await {
        return match error {
            ControlError::Exists(_) => id_in_use(),
            error => control_failure(&error),
        };
    }
    match shared.control.start(&name).await {
        Ok(()) => Outcome::success("", Some(name.id())).into_response(),
        Err(refused) => {
            // Targets that waited for it wait on.
            if let Err(error) = shared.control.remove_source(&name).await {
                return control_failure(&error);
            }
            Outcome {
                error_id: FETCHER_NOT_STARTED,
                ..Outcome::failure(refused.to_string())
            }
            .into_response()
        }
    }
}

fn id_in_use() -> Response<Body> {
    let message = "Stream id is already being used. Please change stream id or keep it empty";
    refusal(StatusCode::BAD_REQUEST, message)
}

fn random_id() -> String {
    use rand::Rng;
    rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(24)
        .map(char::from)
        .collect()
}

/// A URL that Ant Media Server would pull from.
pub(super) fn is_source_url(url: &str) -> bool {
    has_scheme(url, &PULLED)
}

/// Whether a stream may have these fallbacks; if not, why.
pub(super) fn check_fallbacks(urls: Option<&[String]>) -> Result<(), &'static str> {
    let urls = urls.unwrap_or_default();
    if urls.len() > MAX_FALLBACKS {
        return Err("fallbackStreamUrls holds more than 15 URLs");
    }
    if !urls.iter().all(|url| is_source_url(url)) {
        return Err("fallbackStreamUrls holds a URL that is not valid");
    }
    Ok(())
}

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    url.split_once("://").is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && schemes
                .iter()
                .any(|known| known.eq_ignore_ascii_case(scheme))
    })
}

/// A URL, or an address or name with optional `user:password@`, port and path. A name without a dot and a port is none:
/// Ant Media Server takes no names at all.
pub(super) fn is_camera_address(address: &str) -> bool {
    if address.contains("://") {
        return has_scheme(address, &CAMERA);
    }
    let end = address.find(['/', '?', '#']).unwrap_or(address.len());
    let place = address.get(..end).unwrap_or_default();
    let place = place.rsplit('@').next().unwrap_or_default();
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (place, None),
    };
    let is_numeric = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.parse::<u64>().is_ok());
    let good_host = match url::Host::parse(host) {
        Ok(url::Host::Domain(name)) => {
            !name.starts_with('.') && (name.contains('.') || port.is_some())
        }
        Ok(url::Host::Ipv4(ip)) => is_numeric && ip.to_string() == host,
        Ok(url::Host::Ipv6(_)) => true,
        Err(_) => false,
    };
    good_host && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camera_addresses_are_urls_or_dotted() {
        for good in [
            "192.168.1.5",
            "192.168.1.5:8080",
            "a:b@192.168.1.5:80/onvif",
            "http://camera",
            "rtsp://c/1",
            "onvif://c",
            "camera:80",
            "camera.example",
            "[fe80::1]",
            "[fe80::1]:8080",
            "192.168.1.5?profileIndex=1",
        ] {
            assert!(is_camera_address(good), "{good}");
        }
        for bad in [
            "",
            "camera",
            "192.168.1",
            "192.168.1.5:x",
            "../../etc/passwd",
            "ftp://camera",
            "http://",
        ] {
            assert!(!is_camera_address(bad), "{bad}");
        }
    }
}
