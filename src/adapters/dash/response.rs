//! Answers to requests for a description, as soon as there is something to describe.

use super::NAME;
use super::description::{self, PASSED, low_latency};
use crate::adapters::FileRequest;
use crate::adapters::muxer::{Muxer, SESSION, new_session, session};
use crate::adapters::passing::passed_on;
use crate::adapters::segmented::no_such_file;
use crate::hub::Unavailable;
use crate::net::text::Text;
use crate::segment::{Rendition, Snapshot};
use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use media::DateTime;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

const DESCRIPTION: HeaderValue = HeaderValue::from_static("application/dash+xml");

/// What the descriptions for low latency are kept by.
const LOW: &str = "dash_low";

/// Media that there has to be before players are let in: with less behind them, they come so near to the live edge that
/// they stall.
const ENOUGH: Duration = Duration::from_secs(6);

/// Answers a request for a stream's description. Until `deadline` it waits for the first segments.
///
/// # Errors
/// When that does not come in time.
pub(super) async fn answer(
    muxer: &Muxer,
    low_latency: bool,
    request: &FileRequest,
    deadline: Instant,
) -> Result<Response<Body>, Unavailable> {
    let mut snapshots = muxer.snapshots();
    let length = |rendition: &Rendition| {
        let segments = rendition.segments.iter();
        segments.map(|segment| segment.duration).sum::<Duration>()
    };
    let has_enough = |now: &Snapshot| now.renditions.iter().any(|one| length(one) >= ENOUGH);
    let started = snapshots.wait_for(|now| now.ended || has_enough(now));
    let now = match timeout_at(deadline, started).await {
        Ok(Ok(now)) => now.clone(),
        // Who has waited so long is served what there is.
        _ => muxer.snapshots().borrow().clone(),
    };
    if now.target.is_none() {
        return match now.ended {
            true => Ok(no_such_file()),
            false => Err(Unavailable::Starting(muxer.name().clone())),
        };
    }
    let id = muxer.name().id();
    let low = match low_latency {
        true => muxer.made(LOW, &now, || low_latency::of(&now, id)),
        false => Arc::new(None),
    };
    // Where segments are of any length, there is no other than the usual one.
    let usual = || muxer.made(NAME, &now, || description::of(&now, id));
    let text = match &*low {
        Some(low) => low.clone(),
        None => usual().to_string(),
    };
    let session = session(request).map(|session| format!("{session:016x}"));
    let text = text
        .replace(SESSION, &session.unwrap_or_else(new_session))
        .replace(description::NOW, &DateTime(SystemTime::now()).to_string());
    let text = pass_on(&text, &passed_on(request.query.as_deref()));
    let mut response = Text::new(text).respond(&request.headers);
    let headers = response.headers_mut();
    headers.remove(header::ETAG);
    headers.insert(header::CONTENT_TYPE, DESCRIPTION);
    // Each player has a session and a time of its own.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The description with that in the query of each of its addresses.
fn pass_on(text: &str, query: &str) -> String {
    let place = format!("?{PASSED}");
    if query.is_empty() {
        return text
            .replace(&format!("{place}&amp;"), "?")
            .replace(&place, "");
    }
    // A dollar sign has a meaning in the names of segments.
    let query = query
        .replace('$', "%24")
        .replace('&', "&amp;")
        .replace('<', "%3C");
    text.replace(PASSED, &query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_and_tokens_are_in_every_address() {
        let text =
            "<Location>cam.mpd?{passed}&amp;session=1</Location> media=\"a_$Time$.m4s?{passed}\"";
        let cases = [
            (
                "",
                "<Location>cam.mpd?session=1</Location> media=\"a_$Time$.m4s\"",
            ),
            (
                "user=a&token=$<",
                "<Location>cam.mpd?user=a&amp;token=%24%3C&amp;session=1</Location> \
                 media=\"a_$Time$.m4s?user=a&amp;token=%24%3C\"",
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(pass_on(text, query), expected, "{query}");
        }
    }
}
