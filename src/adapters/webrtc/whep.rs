//! WHEP: who plays is given a session on a shard, if the stream is one that browsers play.

use super::formats::{self, Formats, Unsuitable};
use super::http::{Asked, busy, plain, unsuitable};
use super::router::Home;
use super::told::Told;
use super::worker::{Message, Start};
use crate::hub::{Interest, Pass, Stream, Unavailable, Viewer};
use axum::body::Body;
use axum::http::{Response, StatusCode};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Instant;
use webrtc::{Config, Session};

/// What a stream has for browsers.
///
/// # Errors
/// Why they cannot play it.
pub(super) fn formats_of(stream: &Arc<Stream>) -> Result<Formats, Unsuitable> {
    let tracks = stream.snapshot().tracks;
    let formats = formats::of(&tracks)?;
    match formats::is_reordered(stream, &tracks) {
        true => Err(Unsuitable::Reordered),
        false => Ok(formats),
    }
}

/// Answers an offer.
pub(super) async fn create(
    asked: &Asked<'_>,
    offer: &str,
    pass: Pass,
) -> Result<Response<Body>, Unavailable> {
    let opened = asked.context.hub.open(&asked.name, Interest::Watch).await?;
    let stream = opened.stream();
    let formats = match formats_of(stream) {
        Ok(formats) => formats,
        Err(unsuitable) => {
            return Ok(plain(StatusCode::NOT_ACCEPTABLE, &unsuitable.to_string()));
        }
    };
    let config = Config {
        video: formats.video,
        audio: formats.audio,
        ..asked.config()
    };
    let (session, answer) = match Session::answer(offer, &config, Instant::now()) {
        Ok(made) => made,
        Err(error) => return Ok(unsuitable(&error)),
    };
    let viewer = Viewer::new(stream.clone(), "webrtc").by(pass);
    Ok(match begin(asked, session, viewer, formats, None) {
        Some((home, resource)) => asked.created(&home, &resource, answer),
        None => busy("there are as many sessions as there may be"),
    })
}

/// Hands a session to a shard, and has somebody told of it. None when there are as many as there may be, or the shard is
/// behind.
pub(super) fn begin(
    asked: &Asked<'_>,
    session: Session,
    viewer: Viewer,
    formats: Formats,
    told: Option<Told>,
) -> Option<(Home, String)> {
    let running = asked.running;
    // Names are random, so that any hash of them spreads sessions over the shards.
    let spread = RandomState::new().hash_one(session.ufrag()) as usize;
    let shard = spread % running.workers.len().max(1);
    let home = Home {
        ufrag: session.ufrag().into(),
        inbox: running.workers.get(shard)?.clone(),
    };
    let resource = asked.enter(&home)?;
    let start = Box::new(Start {
        session,
        home: home.clone(),
        resource: resource.clone(),
        viewer,
        formats,
        told,
    });
    if home.inbox.try_send(Message::Start(start)).is_err() {
        running.router.remove(&resource, &home, &[]);
        return None;
    }
    let (peer, session) = (asked.request.peer, &*home.ufrag);
    tracing::info!(stream = %asked.name, %peer, session, shard, "playing by WebRTC");
    Some((home, resource))
}
