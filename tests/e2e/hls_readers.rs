//! Parsers and readers that are not ours follow a stream for a while, and find nothing wrong: `hls-parser` and
//! `m3u8-parser` the playlists, reload after reload, `mpd-parser` the description, mp4box every segment.

use crate::support::clips::Clip;
use crate::support::media::{publish, start_publishing};
use crate::support::peer::Peer;
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::tool;
use serde_json::Value;
use std::path::Path;

/// Starts reading the stream `cam` for so many seconds.
fn readers(server: &Server, length: u64) -> Peer {
    let mut node = tool("node");
    node.arg("readers.mjs")
        .args(["--url", &server.url("/LiveApp/streams/cam.m3u8")])
        .args(["--mpd", &server.url("/LiveApp/streams/cam/cam.mpd")])
        .args(["--seconds", &length.to_string()])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser"));
    Peer::start(&mut node)
}

/// What they found, if that is nothing wrong.
#[track_caller]
fn found(readers: Peer, length: u64) -> Value {
    let finished = readers.finish(seconds(length + 40));
    let (out, errors) = (&finished.stdout, &finished.stderr);
    assert!(finished.status.success(), "{out}\n{errors}");
    let found: Value = serde_json::from_str(out).unwrap();
    assert!(found["playlists"].as_u64() > Some(length), "{found}");
    assert!(found["samples"].as_u64() > Some(20 * length), "{found}");
    assert!(found["descriptions"].as_u64() > Some(3), "{found}");
    // Pictures, sound, and both as transport streams.
    assert_eq!(found["renditions"].as_array().unwrap().len(), 3, "{found}");
    found
}

#[test]
fn a_window_is_read_whole_and_as_delta_updates() {
    let server = Server::with(&[
        "--set",
        "segments.window=1m",
        "--set",
        "segments.duration=1s",
        "--set",
        "segments.part=200ms",
    ]);
    let _publisher = publish(&server, "cam", Clip::Standard);
    let found = found(readers(&server, 20), 20);
    assert!(found["deltas"].as_u64() > Some(0), "{found}");
}

#[test]
fn a_change_is_a_discontinuity_that_leaves_the_playlist_again() {
    let server = Server::with(&["--set", "segments.duration=1s"]);
    let publisher = publish(&server, "cam", Clip::Standard);
    let readers = readers(&server, 22);
    std::thread::sleep(seconds(5));
    drop(publisher);
    let _publisher = start_publishing(&server, "cam", Clip::Small);
    found(readers, 22);
}

/// The long tier: five minutes, with a change of the stream each half of one.
#[test]
#[ignore = "takes five minutes"]
fn minutes_of_playlists_keep_the_rules() {
    let server = Server::with(&["--set", "segments.window=1m"]);
    let mut publisher = publish(&server, "cam", Clip::Standard);
    let readers = readers(&server, 300);
    for round in 0..9 {
        std::thread::sleep(seconds(30));
        drop(publisher);
        let clip = [Clip::Small, Clip::BFrames, Clip::Standard][round % 3];
        publisher = start_publishing(&server, "cam", clip);
    }
    found(readers, 300);
}
