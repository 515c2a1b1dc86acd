//! HLS: serves a stream's CMAF parts and segments, to low-latency and to classic players alike. What is cut, and when,
//! is `super::muxer`'s. And plays what others serve: `source`.

pub(crate) mod file;
pub(crate) mod playlist;
mod response;
mod source;
mod stored;
mod transport_stream;

use super::muxer::Muxer;
use super::segmented::serve;
use super::{BoxFuture, Context, FileRequest, FileResponse, Protocol, Target, not_carried};
use crate::segment;
use file::File;
use media::Track;
use std::sync::Arc;

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

    fn check_pull(&self, url: &str) -> Result<(), String> {
        source::check(url)
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
        let answer = move |muxer: Arc<Muxer>, request: Arc<FileRequest>, deadline| async move {
            response::answer(&muxer, file, &request, deadline).await
        };
        let visit = file.visit();
        Some(serve(NAME, context, request, id, visit, answer))
    }
}
