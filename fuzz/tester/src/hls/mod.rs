//! HLS as a client has it: RFC 8216 and its second edition (draft-pantos-hls-rfc8216bis) for low latency.

mod abuse;
mod conformance;
pub(crate) mod playlist;

use crate::case::{Protocol, Suite};
use crate::context::{Context, Outcome, ensure};
use crate::http;

pub(crate) static SUITE: Suite = Suite {
    protocol: Protocol::Hls,
    present: |targets| targets.hls.is_some(),
    healthy,
    conformance: conformance::CASES,
    abuse: abuse::CASES,
    sessions: &[plays],
};

/// Playlist and the newest segment come.
fn healthy(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.hls)?;
    let playlist = playlist::media(context, address)?;
    let segment = playlist.newest_segment()?;
    let response = http::get(context, address, &segment)?;
    ensure!(
        response.status == 200,
        "a segment was answered with {}",
        response.status
    );
    ensure!(!response.body.is_empty(), "a segment is empty");
    Ok(())
}

/// A session that plays, for mutation: each request is a message.
fn plays(context: &Context) -> Outcome {
    let address = context.target(|targets| &targets.hls)?;
    let _ = http::get(context, address, &http::target(address));
    let Ok(playlist) = playlist::media(context, address) else {
        return Ok(());
    };
    for query in [
        "_HLS_msn=1",
        "_HLS_msn=1&_HLS_part=0",
        "_HLS_skip=YES",
        "_HLS_push=0",
    ] {
        let _ = http::get(context, address, &format!("{}?{query}", playlist.target));
    }
    let segment = playlist.newest_segment()?;
    for range in ["bytes=0-99", "bytes=-5", "bytes=0-0,5-6"] {
        let _ = http::ask(context, address, "GET", &segment, &[("Range", range)], "");
    }
    let _ = http::ask(context, address, "HEAD", &segment, &[], "");
    Ok(())
}
