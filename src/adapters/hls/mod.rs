//! HLS: serves a stream's CMAF parts and segments, to low-latency and to classic players alike. What is cut, and when,
//! is `super::muxer`'s. And plays what others serve: `source`.

pub(crate) mod file;
mod playlist;
mod response;
mod source;

use super::{
    BoxFuture, Context, FileRequest, FileResponse, Protocol, Target, not_carried, refusal,
};
use crate::auth::{Action, Caller};
use crate::hub::{HOLD, Opened, StreamName};
use crate::segment;
use file::File;
use media::Track;
use std::sync::Arc;
use tokio::time::Instant;

/// The adapter.
#[derive(Debug)]
pub struct Hls;

const NAME: &str = "hls";

impl Protocol for Hls {
    fn name(&self) -> &'static str {
        NAME
    }

    fn carries(&self, track: &Track, _reordered: bool) -> Option<Result<(), String>> {
        Some(not_carried(segment::carries(&track.codec), track))
    }

    fn claims(&self, url: &str) -> bool {
        source::is_playlist(url)
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(source::pull(url, target))
    }

    fn file(
        self: Arc<Self>,
        context: &Arc<Context>,
        request: &Arc<FileRequest>,
    ) -> Option<FileResponse> {
        let (id, file) = File::parse(&request.path)?;
        let name = StreamName::new(&request.app, id);
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
            let hub = &context.hub;
            let found = context.muxers.of(hub, &name, NAME, file.visit(), &request);
            let (muxer, opened) = found.await?;
            let until = opened.as_ref().map(Opened::deadline);
            let deadline = until.unwrap_or_else(|| Instant::now() + HOLD);
            let answer = response::answer(&muxer, file, &request, deadline).await;
            drop(opened);
            answer
        }))
    }
}
