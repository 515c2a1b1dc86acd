//! DASH: describes the segments that HLS serves too, under the same names. What is cut, and when, is
//! `super::muxer`'s.

mod description;
mod response;

use super::muxer::{Visit, session};
use super::{Context, FileRequest, FileResponse, Protocol, not_carried, refusal};
use crate::auth::{Action, Caller};
use crate::hub::{HOLD, Opened, StreamName};
use crate::segment;
use media::Track;
use std::sync::Arc;
use tokio::time::Instant;

/// The adapter.
#[derive(Debug)]
pub struct Dash;

const NAME: &str = "dash";

impl Protocol for Dash {
    fn name(&self) -> &'static str {
        NAME
    }

    fn carries(&self, track: &Track, _reordered: bool) -> Option<Result<(), String>> {
        Some(not_carried(segment::carries(&track.codec), track))
    }

    fn file(
        self: Arc<Self>,
        context: &Arc<Context>,
        request: &Arc<FileRequest>,
    ) -> Option<FileResponse> {
        let name = StreamName::new(&request.app, described(&request.path)?);
        let (context, request) = (context.clone(), request.clone());
        Some(Box::pin(async move {
            let Ok(name) = name else {
                return Ok(response::no_such_file());
            };
            let caller = Caller {
                protocol: NAME,
                address: request.peer,
                headers: Some(&request.headers),
                query: request.query.as_deref(),
                proof: None,
            };
            let action = Action::Play(name.app(), name.id());
            if let Err(denied) = context.auth.check(action, caller) {
                return Ok(refusal(denied));
            }
            let visit = match session(&request) {
                Some(_) => Visit::Follow,
                None => Visit::Begin,
            };
            let found = context
                .muxers
                .of(&context.hub, &name, NAME, visit, &request);
            let (muxer, opened) = found.await?;
            let until = opened.as_ref().map(Opened::deadline);
            let deadline = until.unwrap_or_else(|| Instant::now() + HOLD);
            let answer = response::answer(&muxer, &request, deadline).await;
            drop(opened);
            answer
        }))
    }
}

/// The ID (not checked) of the stream whose description that is: `ID/ID.mpd`, beside its segments.
fn described(path: &str) -> Option<&str> {
    let (folder, id) = path.strip_suffix(".mpd")?.split_once('/')?;
    (folder == id).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_lies_beside_its_segments() {
        let cases = [
            ("cam/cam.mpd", Some("cam")),
            ("cam.mpd", None),
            ("cam/door.mpd", None),
            ("cam/cam/cam.mpd", None),
            ("cam/video.m3u8", None),
            ("cam/cam.mpd/", None),
        ];
        for (path, id) in cases {
            assert_eq!(described(path), id, "{path}");
        }
    }
}
