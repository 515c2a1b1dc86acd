//! Every stream with all that is known of it: what stays for a while ([`Settled`]) and what is measured ([`Now`]). Without
//! secrets: where URLs hold some, they are not shown.

use super::{Shared, refusal};
use crate::api::antmedia::{millis, status_text};
use crate::control::supervisor::{SourcePhase, State as SourceState};
use crate::control::targets::TargetView;
use crate::control::{Control, View};
use crate::hub::{Snapshot, StreamName};
use crate::inspect;
use crate::net::redacted::Redacted;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use media::{Kind, Track};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/v1/streams", get(list))
        .route("/api/v1/streams/{app}/{id}", get(read))
}

/// What stays for a while.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settled {
    app: String,
    id: String,
    /// What people call it.
    title: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    status: &'static str,
    /// Nobody made it: it is there while somebody publishes.
    temporary: bool,
    /// `file`, `api` or `publisher`.
    made_by: &'static str,
    on_demand: bool,
    recording: bool,
    /// Whether it is recorded whenever it is live; none where nobody has said.
    record: Option<bool>,
    created: u64,
    /// When it was last published.
    started: Option<u64>,
    publisher: Option<Publisher>,
    tracks: Vec<TrackObject>,
    /// None before there are pictures.
    b_frames: Option<bool>,
    /// It has a camera that is asked by ONVIF.
    camera: bool,
    source: Option<Source>,
    targets: Vec<Target>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Publisher {
    protocol: &'static str,
    address: String,
    agent: Option<String>,
    /// The server fetches it.
    pulled: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct TrackObject {
    id: u32,
    kind: &'static str,
    codec: &'static str,
    /// As in RFC 6381.
    codecs: Option<String>,
    profile: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    sample_rate: Option<u32>,
    channels: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    /// In the order in which they are tried.
    urls: Vec<String>,
    /// `stopped`, `connecting`, `live` or `pausing` (it failed, and is tried again soon).
    state: &'static str,
    /// Which URL is live or was tried last.
    active: Option<usize>,
    attempts: u64,
    last_error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    id: String,
    name: Option<String>,
    url: String,
    state: &'static str,
    since: u64,
    reconnects: u64,
    last_error: Option<String>,
}

/// What is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Now {
    /// Bits per second, over about two seconds.
    bitrate: u64,
    /// Media time that comes per time.
    speed: f64,
    received_bytes: u64,
    packets_lost: u64,
    /// Longest distance of random access points, in seconds.
    gop: Option<f64>,
    viewers: BTreeMap<&'static str, usize>,
    /// Repairs of time by kind, where there were any.
    time_repairs: BTreeMap<&'static str, u64>,
    /// By the target's ID.
    targets: BTreeMap<String, TargetNow>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct TargetNow {
    bitrate: u64,
    bytes_sent: u64,
    access_units_dropped: u64,
}

/// All streams, by name.
pub(super) fn all(control: &Control) -> BTreeMap<String, (Settled, Now)> {
    let views = control.list_all().into_iter();
    views
        .map(|view| (view.name.to_string(), split(view)))
        .collect()
}

fn split(view: View) -> (Settled, Now) {
    let now = now(&view);
    (settled(view), now)
}

fn settled(view: View) -> Settled {
    let made_by = view.made_by();
    let View {
        name,
        broadcast,
        temporary,
        status,
        stream,
        source,
        pulled,
        targets,
        recording,
        ..
    } = view;
    let is_there = stream.as_ref().filter(|stream| stream.publishing);
    let has_pictures = |stream: &&Snapshot| stream.tracks.first(Kind::Video).is_some();
    Settled {
        kind: broadcast.kind.as_str(),
        status: status_text(status),
        temporary,
        made_by,
        on_demand: broadcast.auto_start_stop,
        recording,
        record: broadcast.record,
        created: millis(broadcast.created),
        started: stream
            .as_ref()
            .map(|stream| stream.since)
            .or(broadcast.started)
            .map(millis),
        publisher: is_there.map(|stream| Publisher {
            protocol: stream.origin.protocol,
            address: stream.origin.address.clone(),
            agent: stream.origin.agent.clone(),
            pulled,
        }),
        tracks: is_there.map_or_else(Vec::new, |stream| {
            stream.tracks.tracks.iter().map(track).collect()
        }),
        b_frames: is_there
            .filter(has_pictures)
            .map(|stream| stream.is_reordered),
        camera: broadcast.camera().is_some(),
        source: self::source(&broadcast.sources(), source),
        targets: targets.into_iter().map(target).collect(),
        title: broadcast.name,
        app: name.app().to_owned(),
        id: name.id().to_owned(),
    }
}

fn track(track: &Track) -> TrackObject {
    let codec = &track.codec;
    let size = codec.size();
    let is_sound = track.kind() == Kind::Audio;
    TrackObject {
        id: track.id.0.into(),
        kind: inspect::kind(track),
        codec: codec.name(),
        codecs: codec.rfc6381(),
        profile: inspect::profile(codec),
        width: size.map(|(width, _)| width),
        height: size.map(|(_, height)| height),
        sample_rate: is_sound.then(|| track.timebase.ticks_per_second()),
        channels: codec.channels().map(Into::into),
    }
}

fn source(urls: &[String], state: Option<SourceState>) -> Option<Source> {
    if urls.is_empty() && state.is_none() {
        return None;
    }
    let word = match state.as_ref().map(|state| state.phase) {
        None => "stopped",
        Some(SourcePhase::Connecting) => "connecting",
        Some(SourcePhase::Live) => "live",
        Some(SourcePhase::Pausing) => "pausing",
    };
    Some(Source {
        urls: urls.iter().map(|url| Redacted(url).to_string()).collect(),
        state: word,
        active: state.as_ref().map(|state| state.url),
        attempts: state.as_ref().map_or(0, |state| state.attempts),
        last_error: state.and_then(|state| state.last_error),
    })
}

fn target(TargetView { endpoint, state }: TargetView) -> Target {
    Target {
        url: Redacted(&endpoint.url).to_string(),
        id: endpoint.id,
        name: endpoint.name,
        state: state.phase.word(),
        since: millis(state.since),
        reconnects: state.reconnects(),
        last_error: state.last_error,
    }
}

fn now(view: &View) -> Now {
    let targets = view.targets.iter().map(|TargetView { endpoint, state }| {
        let sent = state.sent();
        let now = TargetNow {
            bitrate: state.bits_per_second(),
            bytes_sent: sent.bytes,
            access_units_dropped: sent.dropped,
        };
        (endpoint.id.clone(), now)
    });
    let targets = targets.collect();
    let Some(stream) = &view.stream else {
        return Now {
            targets,
            ..Now::default()
        };
    };
    let repairs = stream.repairs.by_kind().into_iter();
    let viewers = view.viewers.iter().filter(|(_, count)| **count > 0);
    Now {
        bitrate: stream.bits_per_second,
        speed: (stream.speed * 100.0).round() / 100.0,
        received_bytes: stream.bytes,
        packets_lost: stream.packets.lost,
        gop: stream
            .gop
            .map(|gop| inspect::thousandths(gop.as_secs_f64())),
        viewers: viewers.map(|(name, count)| (*name, *count)).collect(),
        time_repairs: repairs.filter(|(_, count)| *count > 0).collect(),
        targets,
    }
}

/// A stream as the calls give it.
#[derive(Debug, Serialize)]
struct Object {
    #[serde(flatten)]
    settled: Settled,
    now: Now,
}

impl Object {
    fn new(view: View) -> Self {
        let (settled, now) = split(view);
        Self { settled, now }
    }
}

#[derive(Deserialize)]
struct Filter {
    app: Option<String>,
}

async fn list(State(shared): State<Shared>, Query(filter): Query<Filter>) -> Response {
    let views = match filter.app {
        Some(app) => shared.control.list(&app),
        None => shared.control.list_all(),
    };
    let objects: Vec<_> = views.into_iter().map(Object::new).collect();
    Json(objects).into_response()
}

async fn read(State(shared): State<Shared>, Path((app, id)): Path<(String, String)>) -> Response {
    let name = StreamName::new(&app, &id).ok();
    match name.and_then(|name| shared.control.get(&name)) {
        Some(view) => Json(Object::new(view)).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "there is no such stream"),
    }
}

#[cfg(test)]
impl Settled {
    pub(super) fn titled(title: &str) -> Self {
        let name = StreamName::new("a", title).unwrap();
        settled(View {
            name,
            broadcast: crate::control::Broadcast {
                name: Some(title.to_owned()),
                ..Default::default()
            },
            temporary: false,
            status: crate::control::Status::Created,
            stream: None,
            viewers: BTreeMap::new(),
            source: None,
            pulled: false,
            targets: Vec::new(),
            recording: false,
        })
    }
}

#[cfg(test)]
impl Now {
    pub(super) fn with_viewers(protocol: &'static str, count: usize) -> Self {
        Self {
            viewers: [(protocol, count)].into(),
            ..Self::default()
        }
    }
}
