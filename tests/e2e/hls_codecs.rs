//! What HLS and DASH carry beside H.264 and AAC, as ffmpeg and a browser see it.

use crate::browser::watch;
use crate::dash::assert_valid;
use crate::rtmp_peers::{PICTURE, TONE, clip, newer_decoding, publishing};
use crate::support::clips::Clip;
use crate::support::media::{Seen, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use std::thread;

/// A stream with these codecs, by Enhanced RTMP.
#[track_caller]
fn server_with(name: &str, codecs: &str, four_ccs: &str) -> (Server, Peer) {
    let server = Server::start();
    let file = clip(name, &format!("{PICTURE} {TONE} {codecs}"));
    let mut ffmpeg = publishing(&file);
    ffmpeg
        .args(["-rtmp_enhanced_codecs", four_ccs])
        .arg(server.rtmp_url("cam"));
    let publisher = Peer::start(&mut ffmpeg);
    server.wait_live("cam");
    (server, publisher)
}

/// ffmpeg plays three seconds by HLS, and three by DASH; both say which codecs there are.
#[track_caller]
fn assert_played(server: &Server, codecs: [&str; 2]) {
    thread::scope(|scope| {
        for path in ["/LiveApp/streams/cam.m3u8", "/LiveApp/streams/cam/cam.mpd"] {
            scope.spawn(move || {
                let text = server.get(path).text();
                for codec in codecs {
                    assert!(text.contains(codec), "{codec} is not in {text}");
                }
                if path.ends_with(".mpd") {
                    assert_valid(&text);
                }
                let finished = newer_decoding(&server.url(path), &["-t", "3"]);
                let seen = Seen::of(&finished);
                assert!(
                    seen.distinct > 60 && (seen.sound - 3.0).abs() < 0.6,
                    "{path}: {seen:?}\n{}",
                    finished.stderr
                );
            });
        }
    });
}

#[test]
fn av1_and_flac() {
    let codecs = "-c:v libsvtav1 -preset 12 -g 25 -c:a flac -ac 2 -sample_fmt s16";
    let (server, _publisher) = server_with("av1-flac", codecs, "av01,fLaC");
    assert_played(&server, ["av01.0.", "flac"]);
    let page = "/LiveApp/play.html?id=cam&playOrder=hls";
    watch(&server, page, &["--seconds", "4"]);
}

#[test]
fn vp9_and_ac3() {
    let codecs = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -b:v 500k -c:a ac3 -ac 2";
    let (server, _publisher) = server_with("vp9-ac3", codecs, "vp09,ac-3");
    assert_played(&server, ["vp09.00.", "ac-3"]);
    // Chromium does not know this sound: it plays the pictures alone.
    for player in ["hls", "dash"] {
        let page = format!("/LiveApp/play.html?id=cam&playOrder={player}");
        watch(&server, &page, &["--seconds", "4", "--no-audio"]);
    }
}

#[test]
fn mp3() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Mp3);
    assert_played(&server, ["avc1.", "mp4a.6B"]);
    // In MP4 browsers do not play it.
    let page = "/LiveApp/play.html?id=cam&playOrder=hls";
    watch(&server, page, &["--seconds", "4", "--no-audio"]);
}
