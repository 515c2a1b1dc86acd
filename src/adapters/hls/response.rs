//! Answers to requests, at once or when what is asked for has been made.

use super::file::File;
use super::muxer::{Muxer, Track, View};
use super::passing::{pass_on, passed_on};
use super::playlist::SESSION;
use crate::adapters::FileRequest;
use crate::hub::Unavailable;
use crate::net::http::{Rope, ranged};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use hls::request::Directives;
use media::Kind;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout_at};

/// A request for what comes next is held for so many target durations.
const HELD_TARGETS: u32 = 3;

/// Segments ahead of the newest that a request may ask to wait for. Beyond, it is a mistake (section
/// 6.2.5.2 of draft-pantos-hls-rfc8216bis).
const MAX_AHEAD: u64 = 2;

const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");

/// Answers a request for one of a stream's files. Until `deadline` it may wait for the first segment.
///
/// # Errors
/// When what it waits for does not come in time.
pub(super) async fn answer(
    muxer: &Muxer,
    file: File,
    request: &FileRequest,
    deadline: Instant,
) -> Result<Response<Body>, Unavailable> {
    let starting = || Unavailable::Starting(muxer.name().clone());
    let mut views = muxer.view();
    // Nothing can be said before the first segment: not even the target duration is known.
    let started = wait(&mut views, deadline, |view| {
        view.target.is_some() || view.ended
    });
    let view = started.await.ok_or_else(starting)?;
    let Some(target) = view.target else {
        return Ok(no_such_file());
    };
    let held = Instant::now() + Duration::from_secs(u64::from(target.max(1))) * HELD_TARGETS;
    let response = match file {
        File::Multivariant => multivariant(&view.multivariant, request),
        File::Media(kind) => {
            let directives = match Directives::parse(request.query.as_deref().unwrap_or_default()) {
                Ok(directives) => directives,
                Err(error) => {
                    return Ok(plain(StatusCode::BAD_REQUEST, format!("{error}\n")));
                }
            };
            if let (Some(msn), Some(track)) = (directives.msn, view.track(kind))
                && msn > track.rendition.open_number + MAX_AHEAD
            {
                let words = "_HLS_msn is too far ahead\n".into();
                return Ok(plain(StatusCode::BAD_REQUEST, words));
            }
            let there = |view: &View| {
                view.ended || view.track(kind).is_none_or(|track| has(track, &directives))
            };
            let view = wait(&mut views, held, there).await.ok_or_else(starting)?;
            view.track(kind).map_or_else(no_such_file, |track| {
                playlist(track.playlist.clone(), request)
            })
        }
        File::Init(kind, number) => {
            let init = find(&view, kind, |track| {
                Some(track.rendition.init(number)?.bytes.clone())
            });
            init.map_or_else(no_such_file, |init| media(kind, [init], request))
        }
        File::Segment(kind, number) => {
            let pieces = find(&view, kind, |track| {
                let segment = track.rendition.segment(number)?;
                Some(
                    segment
                        .parts
                        .iter()
                        .map(|part| part.bytes.clone())
                        .collect::<Vec<Bytes>>(),
                )
            });
            pieces.map_or_else(no_such_file, |pieces| media(kind, pieces, request))
        }
        File::Part(kind, number, index) => {
            let part = |view: &View| {
                find(view, kind, |track| {
                    Some(track.rendition.part(number, index)?.bytes.clone())
                })
            };
            // The part that the playlist hints at is on its way: it is sent when it is there.
            let coming = |view: &View| {
                !view.ended
                    && view.track(kind).is_some_and(|Track { rendition, .. }| {
                        (number, index) == (rendition.open_number, rendition.open_parts.len())
                    })
            };
            let view = wait(&mut views, held, |view| {
                part(view).is_some() || !coming(view)
            })
            .await;
            let part = view.and_then(|view| part(&view));
            part.map_or_else(no_such_file, |part| media(kind, [part], request))
        }
    };
    Ok(response)
}

/// The first view that satisfies `condition`, if it comes in time.
async fn wait(
    views: &mut Receiver<View>,
    deadline: Instant,
    condition: impl Fn(&View) -> bool,
) -> Option<View> {
    timeout_at(deadline, views.wait_for(condition))
        .await
        .ok()?
        .ok()
        .map(|view| view.clone())
}

/// Whether a track's playlist has what the directives wait for.
fn has(track: &Track, directives: &Directives) -> bool {
    let rendition = &track.rendition;
    match (directives.msn, directives.part) {
        (None, _) => true,
        (Some(msn), None) => msn < rendition.open_number,
        (Some(msn), Some(part)) => {
            msn < rendition.open_number
                || (msn == rendition.open_number && part < rendition.open_parts.len() as u64)
        }
    }
}

fn find<T>(view: &View, kind: Kind, look: impl FnOnce(&Track) -> Option<T>) -> Option<T> {
    view.track(kind).and_then(look)
}

/// With a session for this viewer, so that none may be given another's.
fn multivariant(text: &str, request: &FileRequest) -> Response<Body> {
    let session = format!("{:016x}", rand::random::<u64>());
    let mut response = playlist(text.replace(SESSION, &session).into(), request);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn playlist(text: Bytes, request: &FileRequest) -> Response<Body> {
    let query = passed_on(request.query.as_deref());
    let mut response = Response::new(if query.is_empty() {
        Body::from(text)
    } else {
        Body::from(pass_on(&String::from_utf8_lossy(&text), &query))
    });
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, PLAYLIST);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn media(
    kind: Kind,
    pieces: impl IntoIterator<Item = Bytes>,
    request: &FileRequest,
) -> Response<Body> {
    let mut response = ranged(Rope::new(pieces), &request.headers);
    let content_type = match kind {
        Kind::Video => "video/mp4",
        Kind::Audio => "audio/mp4",
        Kind::Data => "application/mp4",
    };
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Numbers are never used twice, so that what a cache keeps stays true.
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    response
}

pub(super) fn no_such_file() -> Response<Body> {
    plain(
        StatusCode::NOT_FOUND,
        "the stream has no such file\n".into(),
    )
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
