//! Servers of HLS that stall, fail and lie. One server of ours pulls them all at once.

use crate::support::clips::Clip;
use crate::support::liar::{Answer, Asked, Liar};
use crate::support::media::{Seen, decoding};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_until};
use serde_json::json;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Segments of two seconds, from 0 on.
const SEGMENTS: u64 = 28;

/// Segments in a playlist.
const LISTED: u64 = 5;

/// A clip in segments.
fn segments() -> HashMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .current_dir(folder.path())
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(Clip::Standard.file())
        .args(["-t", "56", "-c", "copy", "-f", "hls", "-hls_time", "2"])
        .args(["-hls_list_size", "0", "s.m3u8"]);
    Peer::start(&mut ffmpeg)
        .finish(seconds(60))
        .without_complaint();
    let files = (0..SEGMENTS).map(|number| {
        let file = format!("{number}.ts");
        let bytes = std::fs::read(folder.path().join(format!("s{file}"))).unwrap();
        (file, bytes)
    });
    files.collect()
}

/// The playlist whose first segment is that, with what is said of durations.
fn playlist(first: u64, target: &str, duration: &str) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
         #EXT-X-CONTENT-STEERING:SERVER-URI=\"/steering\"\n#EXT-X-DEFINE:NAME=\"dir\",VALUE=\".\"\n"
    );
    for number in first..first + LISTED {
        let file = number % SEGMENTS;
        if file == 0 && number > 0 {
            text += "#EXT-X-DISCONTINUITY\n";
        }
        write!(text, "#EXTINF:{duration},\n{{$dir}}/{file}.ts\n").unwrap();
    }
    text
}

/// The servers: a folder for each, whose playlist is `live.m3u8`.
fn answer(asked: &Asked, age: Duration, files: &HashMap<String, Vec<u8>>) -> Answer {
    let (folder, file) = asked.path[1..].split_once('/').unwrap_or_default();
    let step = age.as_secs() / 2;
    let first = |first| Answer::Body(playlist(first, "2", "2").into());
    let status = |status, headers: &str| Answer::Status(status, headers.to_owned());
    let Some(segment) = files.get(file) else {
        return match (folder, asked.times) {
            // Stands still for three segments, and then goes on as if nothing had been.
            ("stalls", _) if (4..7).contains(&step) => first(4),
            // Begins anew.
            ("restarts", _) if step >= 5 => first(step - 5),
            // Two servers, one of which is behind.
            ("backwards", times) if times % 2 == 1 => first(step.saturating_sub(1)),
            ("durations", _) => Answer::Body(playlist(step, "1", "0").into()),
            ("fails", times) if times % 3 == 1 => status(500, ""),
            ("fails", times) if times % 3 == 2 => status(503, "Retry-After: 1\r\n"),
            ("page", times) if times % 4 == 1 => Answer::Body(b"<html>In a moment.</html>".into()),
            ("endless", 3) => Answer::Endless,
            ("cut", times) if times % 3 == 1 => Answer::Cut(playlist(step, "2", "2").into()),
            ("gone", _) => status(410, ""),
            ("recording", _) => {
                let list =
                    playlist(0, "2", "2") + "#EXT-X-GAP\n#EXTINF:2,\nno.ts\n#EXTINF:2,\n8.ts\n";
                Answer::Body((list + "#EXT-X-ENDLIST\n").into())
            }
            _ => first(step),
        };
    };
    match (folder, asked.times) {
        ("fails", 0) => status(404, ""),
        ("cut", 0) => Answer::Cut(segment.clone()),
        ("page", _) if file == "12.ts" => Answer::Body(b"<html>No such file.</html>".into()),
        ("endless", _) if file == "12.ts" => Answer::Endless,
        ("redirects", _) if file == "12.ts" => {
            status(302, "Location: http://169.254.169.254/12.ts\r\n")
        }
        ("redirects", _) if !asked.path.contains('?') => {
            status(302, &format!("Location: {file}?moved\r\n"))
        }
        _ => Answer::Body(segment.clone()),
    }
}

/// What is pulled in spite of all, with how much of 12 s is seen at least.
const WELL: [(&str, f64); 9] = [
    ("plain", 0.95),
    ("stalls", 0.95),
    ("restarts", 0.7),
    ("backwards", 0.95),
    ("durations", 0.95),
    ("fails", 0.5),
    ("page", 0.5),
    ("cut", 0.7),
    ("redirects", 0.5),
];

#[test]
fn servers_that_stall_fail_and_lie_are_pulled_as_well_as_can_be() {
    let files = segments();
    let begun = Instant::now();
    let liar = Liar::start(move |asked| {
        // Without the query.
        let mut plain = asked.clone();
        let file = |path: &str| path.split('?').next().unwrap_or_default().to_owned();
        let is_moved = plain.path.contains("?moved");
        plain.path = file(&plain.path);
        if is_moved {
            return Answer::Body(files[plain.path.rsplit('/').next().unwrap()].clone());
        }
        answer(&plain, begun.elapsed(), &files)
    });
    let server = Server::start();
    let pull = |name: &str| {
        let url = liar.url(&format!("{name}/live.m3u8"));
        let body = json!({ "streamId": name, "type": "streamSource", "streamUrl": url });
        let answer = server.rest("POST", "/create?autoStart=true", &body.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    for name in ["gone", "recording", "endless"] {
        pull(name);
    }
    for (name, _) in WELL {
        pull(name);
    }
    let players: Vec<_> = WELL
        .iter()
        .map(|(name, least)| {
            server.wait_live(name);
            let player = Peer::start(&mut decoding(&server.rtmp_url(name), 12));
            (name, least, player)
        })
        .collect();
    for (name, least, player) in players {
        let seen = Seen::of(&player.finish(seconds(90)));
        let least = 12.0 * 30.0 * least;
        assert!(seen.pictures as f64 >= least, "{name}: {seen:?}");
        assert!(seen.distinct * 10 >= seen.pictures * 9, "{name}: {seen:?}");
    }
    // What is over is over, and what was missing was passed over.
    server.wait_status("recording", "finished");
    let asked = liar.asked("recording/");
    let of = |end: &str| {
        asked
            .iter()
            .filter(|asked| asked.path.ends_with(end))
            .count()
    };
    assert_eq!((of("live.m3u8"), of("no.ts"), of("8.ts")), (1, 0, 1));
    server.wait_log(seconds(60), &["source failed", "LiveApp/gone", "410 Gone"]);
    server.wait_log(seconds(60), &["redirects", "metadata address"]);
    server.wait_log(seconds(60), &["endless", "more than"]);
    server.wait_log(seconds(60), &["page", "it is no transport stream"]);
    // One connection for all, and what was asked was asked once.
    assert!(
        liar.connections("plain/") <= 3,
        "{}",
        liar.connections("plain/")
    );
    let asked = liar.asked("plain/");
    assert!(
        asked
            .iter()
            .all(|asked| asked.path.ends_with("m3u8") || asked.times == 0)
    );
    // One request for each new playlist, and a few for those that were asked for too early (section 6.3.4).
    let playlists = asked.iter().filter(|asked| asked.path.ends_with("m3u8"));
    let most = begun.elapsed().as_secs() as usize;
    assert!(playlists.count() <= most, "{most}");
    wait_until("nothing was asked of a steering server", seconds(1), || {
        liar.asked("steering").is_empty()
    });
}
