//! What RFC 8216 and its second edition (8216bis) demand of a server of live playlists.

use super::playlist::{Playlist, media, resolved};
use crate::case::{Case, must, should};
use crate::context::{Context, Ended, Outcome, ensure};
use crate::http;
use std::time::{Duration, Instant};

pub(super) static CASES: &[Case] = &[
    must(
        "hls.begins",
        "8216 4.3.1.1",
        "playlists begin with #EXTM3U, without a byte order mark",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            let response = http::get(context, address, &http::target(address))?;
            ensure!(
                response.status == 200,
                "it was answered with {}",
                response.status
            );
            ensure!(
                response.body.starts_with(b"#EXTM3U"),
                "it begins with something else"
            );
            ensure!(
                std::str::from_utf8(&response.body).is_ok(),
                "it is not UTF-8"
            );
            Ok(())
        },
    ),
    must(
        "hls.content-type",
        "8216 4",
        "playlists are told by their type or their name",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            let response = http::get(context, address, &http::target(address))?;
            let kind = response.field("Content-Type").unwrap_or_default();
            let known = [
                "application/vnd.apple.mpegurl",
                "audio/mpegurl",
                "application/x-mpegurl",
            ];
            let by_type = known
                .iter()
                .any(|known| kind.to_ascii_lowercase().starts_with(known));
            ensure!(
                by_type || address.path.ends_with(".m3u8"),
                "the type is {kind:?}"
            );
            Ok(())
        },
    ),
    must(
        "hls.target-duration",
        "8216 4.3.3.1",
        "no segment is longer than the target duration, when both are rounded",
        |context| {
            let playlist = playlist(context)?;
            let target = playlist.number("#EXT-X-TARGETDURATION:");
            let Some(target) = target else {
                return Err(Ended::Failed("there is no target duration".to_owned()));
            };
            for (duration, uri) in playlist.segments() {
                ensure!(
                    duration.round() as u64 <= target,
                    "{uri} takes {duration} s of {target}"
                );
            }
            Ok(())
        },
    ),
    must(
        "hls.version",
        "8216 7",
        "the version covers what is in the playlist",
        |context| {
            let playlist = playlist(context)?;
            let version = playlist.number("#EXT-X-VERSION:").unwrap_or(1);
            let fractions = playlist
                .segments()
                .iter()
                .any(|(duration, _)| duration.fract() > 0.0);
            ensure!(
                !fractions || version >= 3,
                "fractions of seconds in version {version}"
            );
            let map = playlist.tag("#EXT-X-MAP:").is_some();
            ensure!(!map || version >= 5, "EXT-X-MAP in version {version}");
            Ok(())
        },
    ),
    must(
        "hls.goes-on",
        "8216 6.2.1, 6.2.2",
        "a live playlist only grows at its end and loses at its beginning",
        goes_on,
    ),
    must(
        "hls.segments-exist",
        "8216 6.2.1",
        "all that a playlist names can be had",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            let playlist = playlist(context)?;
            let segments = playlist.segments();
            // The oldest may leave while it is being asked for.
            for (_, uri) in segments.iter().skip(usize::from(segments.len() > 2)) {
                let response = http::get(context, address, &resolved(&playlist.target, uri))?;
                ensure!(
                    response.status == 200,
                    "{uri} was answered with {}",
                    response.status
                );
            }
            if let Some(map) = playlist
                .tag("#EXT-X-MAP:")
                .and_then(|map| quoted(map, "URI"))
            {
                let response = http::get(context, address, &resolved(&playlist.target, map))?;
                ensure!(
                    response.status == 200,
                    "{map} was answered with {}",
                    response.status
                );
            }
            Ok(())
        },
    ),
    must(
        "hls.not-found",
        "RFC 9110 15.5.5",
        "what does not exist is answered with 404",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            let target = resolved(&http::target(address), "no-such-stream-here.m3u8");
            let response = http::get(context, address, &target)?;
            ensure!(
                response.status == 404,
                "it was answered with {}",
                response.status
            );
            Ok(())
        },
    ),
    should(
        "hls.cross-origin",
        "field practice",
        "players in pages of other origins may read playlists",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            let fields = [("Origin", "http://player.example")];
            let response = http::ask(context, address, "GET", &http::target(address), &fields, "")?;
            ensure!(
                response.field("Access-Control-Allow-Origin").is_some(),
                "there is no Access-Control-Allow-Origin"
            );
            Ok(())
        },
    ),
    must(
        "hls.part-durations",
        "8216bis 4.4.4.9",
        "no part is longer than the part target",
        |context| {
            let playlist = low_latency(context)?;
            let target = playlist
                .tag("#EXT-X-PART-INF:")
                .and_then(|info| number(info, "PART-TARGET="));
            let Some(target) = target else {
                return Err(Ended::Failed("parts without a part target".to_owned()));
            };
            for part in playlist
                .text
                .lines()
                .filter_map(|line| line.strip_prefix("#EXT-X-PART:"))
            {
                let duration = number(part, "DURATION=").unwrap_or(f64::MAX);
                ensure!(
                    duration <= target + 0.001,
                    "a part takes {duration} s of {target}"
                );
            }
            Ok(())
        },
    ),
    must(
        "hls.blocking",
        "8216bis 6.2.5.2",
        "a playlist with _HLS_msn is answered once it holds that segment",
        |context| {
            let address = context.target(|targets| &targets.hls)?;
            let playlist = low_latency(context)?;
            let next = playlist.next_number();
            let mut wire = context.tcp(address)?;
            wire.limit = context.limit.max(Duration::from_secs(10));
            let target = format!("{}?_HLS_msn={next}", playlist.target);
            http::send(&mut wire, address, "GET", &target, &[], "")?;
            let response = http::answer(&mut wire, "a blocked playlist")?;
            ensure!(
                response.status == 200,
                "it was answered with {}",
                response.status
            );
            let text = response.text();
            let came = Playlist { text, ..playlist };
            ensure!(came.next_number() > next, "it came without segment {next}");
            Ok(())
        },
    ),
    must(
        "hls.part-alone",
        "8216bis 6.2.5.2",
        "_HLS_part without _HLS_msn is answered with 400",
        |context| {
            let playlist = low_latency(context)?;
            refused(context, &format!("{}?_HLS_part=0", playlist.target))
        },
    ),
    should(
        "hls.far-future",
        "8216bis 6.2.5.2",
        "a segment far in the future is answered with 400, at once",
        |context| {
            let playlist = low_latency(context)?;
            let far = playlist.next_number() + 1_000;
            refused(context, &format!("{}?_HLS_msn={far}", playlist.target))
        },
    ),
];

fn playlist(context: &Context) -> Outcome<Playlist> {
    media(context, context.target(|targets| &targets.hls)?)
}

/// The playlist, if its server can block.
fn low_latency(context: &Context) -> Outcome<Playlist> {
    let playlist = playlist(context)?;
    let control = playlist.tag("#EXT-X-SERVER-CONTROL:").unwrap_or_default();
    if control.contains("CAN-BLOCK-RELOAD=YES") {
        Ok(playlist)
    } else {
        Err(Ended::Skipped("the server does not block".to_owned()))
    }
}

fn refused(context: &Context, target: &str) -> Outcome {
    let address = context.target(|targets| &targets.hls)?;
    let response = http::get(context, address, target)?;
    ensure!(
        response.status == 400,
        "it was answered with {}",
        response.status
    );
    Ok(())
}

/// Two playlists some time apart.
fn goes_on(context: &Context) -> Outcome {
    let before = playlist(context)?;
    let limit = before.number("#EXT-X-TARGETDURATION:").unwrap_or(5) * 3;
    let deadline = Instant::now() + Duration::from_secs(limit);
    let after = loop {
        let after = playlist(context)?;
        if after.next_number() > before.next_number() {
            break after;
        }
        ensure!(
            Instant::now() < deadline,
            "no segment came within {limit} s"
        );
        std::thread::sleep(Duration::from_millis(200));
    };
    let first = |playlist: &Playlist| playlist.number("#EXT-X-MEDIA-SEQUENCE:").unwrap_or(0);
    ensure!(
        first(&after) >= first(&before),
        "the media sequence went back"
    );
    let passed = (first(&after) - first(&before)) as usize;
    let (before, after) = (before.segments(), after.segments());
    for (old, new) in before.iter().skip(passed).zip(&after) {
        ensure!(old == new, "segment {} became {}", old.1, new.1);
    }
    Ok(())
}

fn number(list: &str, name: &str) -> Option<f64> {
    let at = list.find(name)? + name.len();
    list[at..].split(',').next()?.trim().parse().ok()
}

fn quoted<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = list.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}
