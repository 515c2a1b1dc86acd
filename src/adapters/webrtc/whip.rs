//! WHIP (RFC 9725): who publishes is given a session of its own, and the stream from the start.

use super::http::{Asked, busy, plain, unsuitable};
use super::ingest::Ingest;
use super::router::Home;
use super::sink::Sink;
use super::told::Told;
use crate::hub::{Origin, Pass, Taken};
use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use std::time::Instant;
use tokio::sync::mpsc;
use webrtc::{OfferError, Session};

/// Datagrams that may wait for one publisher; more are lost.
pub(super) const QUEUE: usize = 2_048;

/// A session that has begun.
pub(super) struct Begun {
    pub(super) home: Home,
    pub(super) resource: String,
    pub(super) answer: String,
}

/// Why none has.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Offer(#[from] OfferError),
    #[error("there are as many sessions as there may be")]
    Sessions,
    #[error(transparent)]
    Name(#[from] Taken),
}

/// Answers an offer.
pub(super) fn create(asked: &Asked<'_>, offer: &str, pass: Pass) -> Response<Body> {
    match begin(asked, offer, pass, None) {
        Ok(begun) => asked.created(&begun.home, &begun.resource, begun.answer),
        Err(Refused::Offer(error)) => unsuitable(&error),
        Err(Refused::Name(taken @ Taken::Publishing(_))) => {
            plain(StatusCode::CONFLICT, &taken.to_string())
        }
        Err(full) => busy(&full.to_string()),
    }
}

/// Begins a session for this offer, of which somebody may be told.
pub(super) fn begin(
    asked: &Asked<'_>,
    offer: &str,
    pass: Pass,
    told: Option<Told>,
) -> Result<Begun, Refused> {
    let (running, name) = (asked.running, &asked.name);
    let (session, answer) = Session::receive(offer, &asked.config(), Instant::now())?;
    let agent = asked.request.headers.get(header::USER_AGENT);
    let origin = Origin {
        protocol: "webrtc",
        address: asked.request.peer.to_string(),
        agent: agent.and_then(|agent| Some(agent.to_str().ok()?.to_owned())),
    };
    let (inbox, messages) = mpsc::channel(QUEUE);
    let home = Home {
        ufrag: session.ufrag().into(),
        inbox,
    };
    let resource = asked.enter(&home).ok_or(Refused::Sessions)?;
    let publisher = asked.context.hub.publish(name, &origin);
    let publisher = publisher.inspect_err(|_| running.router.remove(&resource, &home, &[]))?;
    let publisher = publisher.by(pass);
    let (peer, id) = (asked.request.peer, &*home.ufrag);
    tracing::info!(stream = %name, %peer, session = id, "publishing by WebRTC");
    let place = (resource.clone(), home.clone());
    let sink = Sink::Stream(publisher);
    let ingest = Ingest::new(session, sink, running, place, told);
    tokio::spawn(ingest.run(messages));
    Ok(Begun {
        home,
        resource,
        answer,
    })
}
