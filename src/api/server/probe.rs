//! What is in a source, before it is added: what `millstream probe` says, within bounds.

use super::{Shared, refusal};
use crate::adapters::{Context, Muxers, Protocol, Target, puller};
use crate::api::json;
use crate::auth::Auth;
use crate::bridge::Bridges;
use crate::hub::ring::Bounds;
use crate::hub::{Hub, Offline, Settings, StreamName};
use crate::inspect::{self, Found};
use crate::net::acme::Proofs;
use crate::net::redacted::Redacted;
use crate::net::shard::Shards;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// Most time that it takes.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sources that are looked at at a time.
pub(super) const AT_A_TIME: usize = 4;

/// Longest URL, in bytes.
const MAX_URL: usize = 8_192;

/// What is held of a source; it waits before that.
const MEMORY: usize = 32 << 20;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/v1/probe", post(probe))
}

#[derive(Deserialize)]
struct Request {
    url: String,
}

async fn probe(State(shared): State<Shared>, body: Bytes) -> Response {
    let bad = |error: &str| refusal(StatusCode::BAD_REQUEST, error);
    let request: Request = match json::read(&body) {
        Ok(request) => request,
        Err(error) => return bad(&format!("the body is no request: {error}")),
    };
    let url = request.url.trim();
    if url.is_empty() || url.len() > MAX_URL {
        return bad("url is missing, or longer than 8192 bytes");
    }
    let Some(protocol) = puller(&shared.context.protocols, url) else {
        return bad("URLs of this scheme cannot be pulled from");
    };
    if let Err(refused) = shared.context.policy.check_url(url) {
        return refusal(StatusCode::FORBIDDEN, &refused.to_string());
    }
    let Ok(_place) = shared.probes.try_acquire() else {
        let words = "others are looking at sources; try again in some seconds";
        return refusal(StatusCode::TOO_MANY_REQUESTS, words);
    };
    match look(&shared.context, &*protocol, url).await {
        Ok(report) => Json(report).into_response(),
        Err(words) => refusal(StatusCode::BAD_GATEWAY, &words),
    }
}

/// Pulls into a hub of its own, so that nothing of it is seen elsewhere.
async fn look(server: &Arc<Context>, protocol: &dyn Protocol, url: &str) -> Result<Value, String> {
    let bounds = Bounds {
        ring_bytes: MEMORY,
        reader_bytes: MEMORY,
        reader_time: Duration::MAX,
    };
    let settings = Settings {
        bounds,
        grace: Duration::ZERO,
        offline: Some(Offline::default()),
        ..Settings::default()
    };
    let hub = Hub::new(settings);
    let context = Context {
        hub: hub.clone(),
        auth: Auth::default(),
        applications: server.applications.clone(),
        shards: Shards::start(1).map_err(|error| error.to_string())?,
        policy: server.policy.clone(),
        certificate: server.certificate.clone(),
        proofs: Proofs::default(),
        connector: server.connector.clone(),
        bridges: Bridges::new(Handle::current(), hub),
        muxers: Muxers::clone(&server.muxers),
        protocols: server.protocols.clone(),
    };
    let name = StreamName::new("LiveApp", "stream").map_err(|error| error.to_string())?;
    let target = Target::new(Arc::new(context), name);
    let pull = async {
        match protocol.pull(url, &target).await {
            Err(_) if target.is_over() => Ok(()),
            pulled => pulled,
        }
    };
    let found = inspect::look(&target, pull, false, TIMEOUT).await?;
    let tracks = found.tracks.iter();
    let tracks = tracks.map(|seen| Found::new(&server.protocols, seen).json());
    Ok(json!({
        "source": Redacted(url).to_string(),
        "protocol": protocol.name(),
        "bitrate": inspect::bitrate(&found.tracks),
        "tracks": tracks.collect::<Vec<_>>(),
        "problems": found.failure.into_iter().collect::<Vec<_>>(),
    }))
}
