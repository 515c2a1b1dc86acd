//! Answers to requests, at once or when what is asked for has been made.

use super::NAME;
use super::file::File;
use super::playlist::{Playlists, is_over};
use super::stored::Stored;
use super::transport_stream::TransportStream;
use crate::adapters::FileRequest;
use crate::adapters::muxer::{Muxer, SESSION, new_session};
use crate::adapters::passing::{pass_on, passed_on};
use crate::adapters::segmented::{no_such_file, plain};
use crate::hub::Unavailable;
use crate::net::http::{Rope, ranged};
use crate::net::text::Text;
use crate::segment::{Rendition, Snapshot};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_util::stream;
use hls::request::Directives;
use media::Kind;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout_at};

/// A request for what comes next is held for so many target durations.
const HELD_TARGETS: u32 = 3;

/// Segments ahead of the newest that a request may ask to wait for. Beyond, it is a mistake (section
/// 6.2.5.2 of draft-pantos-hls-rfc8216bis).
const MAX_AHEAD: u64 = 2;

/// What was asked for with directives may be kept by caches for so many target durations (appendix B.1 of the draft).
const CACHED_TARGETS: u64 = 6;

/// Segments that a playlist for players of old has before it is given out (RFC 8216 section 6.2.2).
const ENOUGH: usize = 3;

const TRANSPORT_STREAM: HeaderValue = HeaderValue::from_static("video/mp2t");

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
    let mut snapshots = muxer.snapshots();
    // Nothing can be said before the first segment: not even the target duration is known.
    let started = wait(&mut snapshots, deadline, |now| {
        now.target.is_some() || now.ended
    });
    let now = started.await.ok_or_else(starting)?;
    let Some(target) = now.target else {
        return Ok(no_such_file());
    };
    let held = Instant::now() + Duration::from_secs(u64::from(target.max(1))) * HELD_TARGETS;
    let playlists = |now: &Snapshot| {
        let id = muxer.name().id();
        muxer.made(NAME, now, || Playlists::of(now, id))
    };
    let response = match file {
        File::Multivariant => multivariant(&playlists(&now).multivariant, request),
        File::Media(kind) => {
            let directives = match Directives::parse(request.query.as_deref().unwrap_or_default()) {
                Ok(directives) => directives,
                Err(error) => {
                    return Ok(plain(StatusCode::BAD_REQUEST, format!("{error}\n")));
                }
            };
            if let (Some(msn), Some(rendition)) = (directives.msn, now.rendition(kind))
                && msn > rendition.open_number + MAX_AHEAD
            {
                let words = "_HLS_msn is too far ahead\n";
                return Ok(plain(StatusCode::BAD_REQUEST, words));
            }
            let there = |now: &Snapshot| {
                let rendition = now.rendition(kind);
                let is_there = |rendition| is_over(rendition, now) || has(rendition, &directives);
                rendition.is_none_or(is_there)
            };
            let now = wait(&mut snapshots, held, there)
                .await
                .ok_or_else(starting)?;
            let playlists = playlists(&now);
            // A cache may keep what was waited for as long as anybody asks for it.
            let kept = match directives.msn {
                Some(_) => u64::from(target) * CACHED_TARGETS,
                None => u64::from(target) / 2,
            };
            let found = playlists.media(&now, kind, directives.skip.is_some());
            found.map_or_else(no_such_file, |text| playlist(text, request, kept))
        }
        File::Init(kind, number) => {
            let init = now.rendition(kind).and_then(|found| found.init(number));
            let init = init.map(|init| init.bytes.clone());
            let tag = format!("{number}.init");
            init.map_or_else(no_such_file, |init| media(kind, [init], &tag, request))
        }
        File::Segment(kind, number) => segment(now, snapshots, kind, number, request, held).await,
        File::At(kind, init, time) => {
            let found = now.rendition(kind);
            match found.and_then(|found| found.number_at(init, time)) {
                Some(number) => segment(now, snapshots, kind, number, request, held).await,
                None => no_such_file(),
            }
        }
        File::Part(kind, number, index) => {
            let part = |now: &Snapshot| {
                let part = now.rendition(kind)?.part(number, index)?;
                Some(part.bytes.clone())
            };
            // The part that the playlist hints at is on its way: it is sent when it is there.
            let over = |now: &Snapshot| part(now).is_some() || !is_next(now, kind, number, index);
            let now = wait(&mut snapshots, held, over).await;
            let part = now.and_then(|now| part(&now));
            let tag = format!("{number}.{index}");
            part.map_or_else(no_such_file, |part| media(kind, [part], &tag, request))
        }
        File::Transport => {
            // Who asks for more than there is, as old players do, stalls.
            let enough = |now: &Snapshot| {
                now.ended
                    || now
                        .renditions
                        .iter()
                        .any(|one| one.segments.len() >= ENOUGH)
            };
            let now = wait(&mut snapshots, deadline, enough).await.unwrap_or(now);
            let kept = muxer.kept::<TransportStream>(NAME);
            match kept.playlist(now).await {
                Ok(text) => playlist(&text, request, u64::from(target) / 2),
                Err(words) => plain(StatusCode::NOT_FOUND, format!("{words}\n")),
            }
        }
        File::TransportSegment(number) => {
            let kept = muxer.kept::<TransportStream>(NAME);
            let found = kept.segment(now, number).await;
            found.map_or_else(no_such_file, |(bytes, tag)| {
                let mut response = ranged(Rope::new([bytes]), &tag, &request.headers);
                set_headers(TRANSPORT_STREAM, &mut response);
                response
            })
        }
    };
    Ok(response)
}

/// Whether that part is the one that is being made.
fn is_next(now: &Snapshot, kind: Kind, number: u64, index: usize) -> bool {
    let next = |found: &Rendition| (found.open_number, found.open_parts.len()) == (number, index);
    !now.ended && now.rendition(kind).is_some_and(next)
}

/// A segment, or the one that is being made.
async fn segment(
    now: Arc<Snapshot>,
    snapshots: Receiver<Arc<Snapshot>>,
    kind: Kind,
    number: u64,
    request: &FileRequest,
    deadline: Instant,
) -> Response<Body> {
    match now.rendition(kind).and_then(|found| found.segment(number)) {
        Some(segment) => {
            let parts = segment.parts.iter().map(|part| part.bytes.clone());
            let tag = number.to_string();
            match &segment.place {
                Some(place) if segment.parts.is_empty() => {
                    let stored = Stored::new(place.clone(), segment.bytes as u64);
                    let mut response = ranged(stored, &tag, &request.headers);
                    set_media_headers(kind, &mut response);
                    response
                }
                _ => media(kind, parts, &tag, request),
            }
        }
        None => growing(snapshots, kind, number, deadline).await,
    }
}

/// The segment that is being made, sent part by part. It is asked for by players of DASH that do not wait until they
/// are told of it.
async fn growing(
    mut snapshots: Receiver<Arc<Snapshot>>,
    kind: Kind,
    number: u64,
    deadline: Instant,
) -> Response<Body> {
    // Or the one behind it, of players whose clock is a little fast.
    let is_open = |now: &Snapshot| {
        let open = |found: &Rendition| {
            let ahead = number.checked_sub(found.open_number);
            ahead.is_some_and(|ahead| ahead <= 1)
        };
        !now.ended && now.rendition(kind).is_some_and(open)
    };
    let begun = |now: &Snapshot| {
        let found = now.rendition(kind);
        found.is_some_and(|found| found.part(number, 0).is_some()) || !is_open(now)
    };
    let begun = wait(&mut snapshots, deadline, begun).await;
    let part =
        move |now: &Snapshot, index| Some(now.rendition(kind)?.part(number, index)?.bytes.clone());
    if begun.and_then(|now| part(&now, 0)).is_none() {
        return no_such_file();
    }
    let parts = stream::unfold((snapshots, 0), move |(mut snapshots, index)| async move {
        let over =
            |now: &Snapshot| part(now, index).is_some() || !is_next(now, kind, number, index);
        let now = wait(&mut snapshots, deadline, over).await;
        let complete = |now: &Snapshot| now.rendition(kind)?.segment(number).map(|_| ());
        let part = match now {
            Some(now) => match part(&now, index) {
                Some(part) => Ok(part),
                None if complete(&now).is_some() => return None,
                None => Err(io::Error::other("the segment is gone")),
            },
            None => Err(io::Error::from(io::ErrorKind::TimedOut)),
        };
        Some((part, (snapshots, index + 1)))
    });
    let mut response = Response::new(Body::from_stream(parts));
    set_media_headers(kind, &mut response);
    response
}

/// The first snapshot that satisfies `condition`, if it comes in time.
async fn wait(
    snapshots: &mut Receiver<Arc<Snapshot>>,
    deadline: Instant,
    condition: impl Fn(&Snapshot) -> bool,
) -> Option<Arc<Snapshot>> {
    timeout_at(deadline, snapshots.wait_for(|now| condition(now)))
        .await
        .ok()?
        .ok()
        .map(|now| now.clone())
}

/// Whether a track's playlist has what the directives wait for.
fn has(rendition: &Rendition, directives: &Directives) -> bool {
    match (directives.msn, directives.part) {
        (None, _) => true,
        (Some(msn), None) => msn < rendition.open_number,
        (Some(msn), Some(part)) => {
            msn < rendition.open_number
                || (msn == rendition.open_number && part < rendition.open_parts.len() as u64)
        }
    }
}

/// With a session for this viewer, so that none may be given another's.
fn multivariant(text: &str, request: &FileRequest) -> Response<Body> {
    let text = Text::new(text.replace(SESSION, &new_session()));
    let mut response = playlist(&text, request, 0);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// To be kept by caches for so many seconds.
fn playlist(text: &Text, request: &FileRequest, kept: u64) -> Response<Body> {
    let query = passed_on(request.query.as_deref());
    let mut response = if query.is_empty() {
        text.respond(&request.headers)
    } else {
        let text = String::from_utf8_lossy(text.plain());
        Text::new(pass_on(&text, &query)).respond(&request.headers)
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, PLAYLIST);
    let kept = HeaderValue::try_from(format!("max-age={kept}"));
    headers.extend(kept.map(|kept| (header::CACHE_CONTROL, kept)));
    response
}

fn media(
    kind: Kind,
    pieces: impl IntoIterator<Item = Bytes>,
    tag: &str,
    request: &FileRequest,
) -> Response<Body> {
    let mut response = ranged(Rope::new(pieces), tag, &request.headers);
    set_media_headers(kind, &mut response);
    response
}

fn set_media_headers(kind: Kind, response: &mut Response<Body>) {
    let content_type = match kind {
        Kind::Video => "video/mp4",
        Kind::Audio => "audio/mp4",
        Kind::Data => "application/mp4",
    };
    set_headers(HeaderValue::from_static(content_type), response);
}

/// Of media of that type.
fn set_headers(content_type: HeaderValue, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    // Numbers are never used twice, so that what a cache keeps stays true. Not "public": what was asked for with a login
    // is for who has one.
    let kept = HeaderValue::from_static("max-age=3600");
    headers.insert(header::CACHE_CONTROL, kept);
}
