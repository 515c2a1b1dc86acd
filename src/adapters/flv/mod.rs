//! HTTP-FLV: a live stream as an FLV file without an end, over HTTP or WebSocket.
//!
//! Players of both ask for `/APP/streams/ID.flv`. The connection is taken over from HTTP and its socket moved to a
//! shard, where `form` packages the stream once for all of them, and `peer` hears what one of them still says.

mod form;
pub(crate) mod peer;
mod websocket;

use super::{Context, FileRequest, FileResponse, FlvMedia, Protocol, not_carried, refusal};
use crate::auth::{Action, Caller};
use crate::bridge::Sound;
use crate::config::{Config, ConfigError};
use crate::hub::{Interest, StreamName, Unavailable, Viewer};
use crate::net::fanout::{self, Subscriber};
use crate::net::http::{Taken, Takeover};
use crate::net::websocket::{accept, switching};
use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use form::{Framed, Plain};
use media::{Kind, Track};
use peer::{Silent, WebSocket};
use serde::Deserialize;
use std::sync::Arc;

/// Table `[flv]`, which has no keys yet.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {}

/// The adapter.
#[derive(Debug)]
pub struct Flv;

impl Flv {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let Settings {} = config.section("flv")?;
        Ok(Self)
    }
}

impl Protocol for Flv {
    fn name(&self) -> &'static str {
        "flv"
    }

    fn carries(&self, track: &Track, _reordered: bool) -> Option<Result<(), String>> {
        Some(not_carried(flv::muxer::is_carried(track), track))
    }

    fn file(
        self: Arc<Self>,
        context: &Arc<Context>,
        request: &Arc<FileRequest>,
    ) -> Option<FileResponse> {
        let id = request.path.strip_suffix(".flv")?;
        let name = StreamName::new(&request.app, id);
        let (context, request) = (context.clone(), request.clone());
        Some(Box::pin(async move {
            match name {
                Ok(name) => play(context, &request, name).await,
                Err(_) => Ok(plain(StatusCode::NOT_FOUND, "there is no such file\n")),
            }
        }))
    }
}

async fn play(
    context: Arc<Context>,
    request: &FileRequest,
    name: StreamName,
) -> Result<Response<Body>, Unavailable> {
    let caller = Caller {
        protocol: "flv",
        address: request.peer,
        headers: Some(&request.headers),
        query: request.query.as_deref(),
        proof: None,
    };
    let action = Action::Play(name.app(), name.id());
    let pass = match context.auth.check(action, caller).await {
        Ok(pass) => pass,
        Err(denied) => return Ok(refusal(denied)),
    };
    let upgrade = match accept(&request.headers) {
        Ok(upgrade) => upgrade,
        Err(refused) => return Ok(refused.respond()),
    };
    let opened = context.hub.open(&name, Interest::Watch).await?;
    let stream = opened.stream().clone();
    let tracks = stream.snapshot().tracks;
    let media = FlvMedia(&tracks);
    let (has_video, has_audio) = (media.has(Kind::Video), media.has(Kind::Audio));
    if !has_video && !has_audio {
        let words = "the stream has nothing that FLV carries\n";
        return Ok(plain(StatusCode::NOT_ACCEPTABLE, words));
    }
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let beginning = Bytes::copy_from_slice(&flv::file::header(has_video, has_audio));
    let is_websocket = upgrade.is_some();
    match upgrade {
        Some(accept) => {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().extend(switching(accept));
        }
        None => {
            let content_type = HeaderValue::from_static("video/x-flv");
            headers.insert(header::CONTENT_TYPE, content_type);
        }
    }
    if request.method == Method::HEAD {
        return Ok(response);
    }
    let viewer = Viewer::new(stream, "flv").by(pass);
    drop(opened);
    let address = request.peer;
    let takeover = Takeover::new(move |taken: Taken| async move {
        let Taken {
            socket,
            head,
            unread,
            place,
        } = taken;
        let Ok(socket) = socket.detach() else {
            return;
        };
        tracing::info!(stream = %viewer.stream().name(), %address, is_websocket, "playing by HTTP-FLV");
        let bounds = context.bounds();
        // Players of FLV know AAC, and hardly anything else that can be made of it.
        let sound = Some((context.bridges.clone(), Sound::Aac));
        let start = move || async move {
            if is_websocket {
                let mut peer = WebSocket::new(head, &beginning);
                // Clients do not speak first, but they may.
                if fanout::Peer::handle_input(&mut peer, &unread).is_ok() {
                    fanout::serve(Subscriber {
                        form: Framed(Plain),
                        socket,
                        address,
                        peer,
                        viewer,
                        sound,
                        bounds,
                    })
                    .await;
                }
            } else {
                fanout::serve(Subscriber {
                    form: Plain,
                    socket,
                    address,
                    peer: Silent::new([head, beginning]),
                    viewer,
                    sound,
                    bounds,
                })
                .await;
            }
            drop(place);
        };
        context.shards.spawn(start).await;
    });
    response.extensions_mut().insert(takeover);
    Ok(response)
}

fn plain(status: StatusCode, words: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(words.to_owned()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}
