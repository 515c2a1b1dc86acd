//! DASH: describes the segments that HLS serves too, under the same names. What is cut, and when, is
//! `super::muxer`'s.

pub(crate) mod description;
mod response;

use super::muxer::{Muxer, Visit, session};
use super::segmented::serve;
use super::{Context, FileRequest, FileResponse, Protocol, not_carried};
use crate::segment;
use media::Track;
use std::sync::Arc;

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
        let (id, low_latency) = described(&request.path)?;
        let visit = match session(request) {
            Some(_) => Visit::Follow,
            None => Visit::Begin,
        };
        let answer = move |muxer: Arc<Muxer>, request: Arc<FileRequest>, deadline| async move {
            response::answer(&muxer, low_latency, &request, deadline).await
        };
        Some(serve(NAME, context, request, id, visit, answer))
    }
}

/// What stands behind the ID in the name of a description for players that stay close.
const LOW_LATENCY: &str = "_low";

/// The ID (not checked) of the stream whose description that is: `ID/ID.mpd`, beside its segments; and whether it is
/// the one for low latency, `ID/ID_low.mpd`.
fn described(path: &str) -> Option<(&str, bool)> {
    let (id, file) = path.strip_suffix(".mpd")?.split_once('/')?;
    match file.strip_prefix(id)? {
        "" => Some((id, false)),
        LOW_LATENCY => Some((id, true)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_lies_beside_its_segments() {
        let cases = [
            ("cam/cam.mpd", Some(("cam", false))),
            ("cam/cam_low.mpd", Some(("cam", true))),
            ("cam_low/cam_low.mpd", Some(("cam_low", false))),
            ("cam/cam_lower.mpd", None),
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
