//! Presentations of HLS that others serve: nginx with what ffmpeg makes of a clip, and with what is written by hand.

use crate::support::clips::Clip;
use crate::support::media::{Seen, decode, decoding, publish};
use crate::support::nginx::Nginx;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_until};
use serde_json::json;
use std::path::Path;

/// Begins to pull as `cam`.
#[track_caller]
fn pull(server: &Server, url: &str) {
    let body = json!({ "streamId": "cam", "type": "streamSource", "streamUrl": url }).to_string();
    let answer = server.rest("POST", "/create?autoStart=true", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// ffmpeg making a presentation of a clip in a folder.
fn ffmpeg(folder: &Path, clip: Clip, input: &[&str], output: &[&str]) -> Peer {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .current_dir(folder)
        .args(["-nostdin", "-v", "error"])
        .args(input)
        .arg("-i")
        .arg(clip.file())
        .args(["-c", "copy", "-f", "hls"])
        .args(output);
    Peer::start(&mut ffmpeg)
}

/// What is pulled plays as it should for some seconds.
#[track_caller]
fn plays(server: &Server) {
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 5).assert_about(5.0, 30.0);
}

#[test]
fn a_live_presentation_is_pulled_through_redirects_and_compression() {
    let folder = tempfile::tempdir().unwrap();
    let nginx = Nginx::serving(folder.path());
    let live = [
        "-hls_time",
        "2",
        "-hls_list_size",
        "4",
        "-hls_flags",
        "delete_segments+program_date_time",
        "live.m3u8",
    ];
    let _maker = ffmpeg(
        folder.path(),
        Clip::BFrames,
        &["-re", "-stream_loop", "-1"],
        &live,
    );
    wait_until("a playlist", seconds(30), || {
        folder.path().join("live.m3u8").exists()
    });
    let server = Server::start();
    pull(&server, &nginx.file("moved/live.m3u8"));
    server.wait_live("cam");
    // As time goes, not in heaps: what a player on the newest picture sees goes on without a pause.
    let player = Peer::start(&mut decoding(&server.rtmp_url("cam"), 12));
    let seen = Seen::of(&player.finish(seconds(60)).without_complaint());
    seen.assert_about(12.0, 30.0);
}

#[test]
fn what_is_encrypted_and_in_one_file_is_pulled() {
    let folder = tempfile::tempdir().unwrap();
    let nginx = Nginx::serving(folder.path());
    std::fs::write(folder.path().join("secret.key"), [7; 16]).unwrap();
    std::fs::write(folder.path().join("key"), "secret.key\nsecret.key\n").unwrap();
    let encrypted = [
        "-hls_time",
        "2",
        "-hls_list_size",
        "0",
        "-hls_key_info_file",
        "key",
        "encrypted.m3u8",
    ];
    let ranges = [
        "-hls_time",
        "2",
        "-hls_list_size",
        "0",
        "-hls_flags",
        "single_file",
        "ranges.m3u8",
    ];
    for (name, output) in [("encrypted", &encrypted), ("ranges", &ranges)] {
        let made = ffmpeg(folder.path(), Clip::Standard, &["-t", "30"], &output[..]);
        made.finish(seconds(60)).without_complaint();
        let server = Server::start();
        pull(&server, &nginx.file(&format!("{name}.m3u8")));
        plays(&server);
    }
}

#[test]
fn mp4_and_transport_streams_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let nginx = Nginx::serving(folder.path());
    let make = |name: &str, clip, from: &str, more: &[&str]| {
        let playlist = format!("{name}.m3u8");
        let output = [&["-hls_time", "10"][..], more, &[&playlist]].concat();
        let made = ffmpeg(folder.path(), clip, &["-ss", from, "-t", "4"], &output);
        made.finish(seconds(60)).without_complaint();
    };
    let mp4 = |section| {
        [
            "-hls_segment_type",
            "fmp4",
            "-hls_fmp4_init_filename",
            section,
        ]
    };
    make("a", Clip::Standard, "0", &[]);
    make("b", Clip::Standard, "10", &mp4("b.mp4"));
    make("c", Clip::BFrames, "20", &mp4("c.mp4"));
    // 2^33 ticks are over in the middle of it.
    make("d", Clip::BFrames, "30", &["-output_ts_offset", "95441"]);
    // That the form changes is seen without being told.
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:4,\na0.ts\n\
        #EXT-X-MAP:URI=\"b.mp4\"\n#EXTINF:4,\nb0.m4s\n\
        #EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"c.mp4\"\n#EXTINF:4,\nc0.m4s\n\
        #EXTINF:4,\nd0.ts\n#EXT-X-ENDLIST\n";
    std::fs::write(folder.path().join("mixed.m3u8"), list).unwrap();
    let server = Server::start();
    pull(&server, &nginx.file("mixed.m3u8"));
    server.wait_live("cam");
    let player = Peer::start(&mut decoding(&server.rtmp_url("cam"), 15));
    let seen = Seen::of(&player.finish(seconds(60)));
    assert!(
        seen.pictures > 14 * 30 && seen.distinct * 10 > seen.pictures * 9,
        "{seen:?}"
    );
    assert!(seen.sound > 14.0, "{seen:?}");
    // It is played once.
    server.wait_status("cam", "finished");
}

#[test]
fn another_server_of_ours_is_pulled_part_by_part() {
    let first = Server::start();
    let _publisher = publish(&first, "far", Clip::BFrames);
    let server = Server::start();
    pull(&server, &first.url("/LiveApp/streams/far.m3u8"));
    plays(&server);
}

#[test]
fn the_variant_of_that_height_and_its_sound_apart_are_pulled() {
    let folder = tempfile::tempdir().unwrap();
    let nginx = Nginx::serving(folder.path());
    let length = ["-t", "30"];
    let pictures = ["-an", "-hls_time", "2", "-hls_list_size", "0", "video.m3u8"];
    ffmpeg(folder.path(), Clip::Standard, &length, &pictures)
        .finish(seconds(60))
        .without_complaint();
    let sound = ["-vn", "-hls_time", "2", "-hls_list_size", "0", "audio.m3u8"];
    ffmpeg(folder.path(), Clip::Standard, &length, &sound)
        .finish(seconds(60))
        .without_complaint();
    let all = "#EXTM3U\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Sound\",DEFAULT=YES,URI=\"audio.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=1920x1080,AUDIO=\"a\"\nnot-there.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,AUDIO=\"a\"\nvideo.m3u8\n";
    std::fs::write(folder.path().join("all.m3u8"), all).unwrap();
    let server = Server::start();
    pull(&server, &nginx.file("all.m3u8#height=720"));
    plays(&server);
}

#[test]
fn packed_sound_and_pictures_that_begin_anew_are_pulled() {
    let folder = tempfile::tempdir().unwrap();
    let nginx = Nginx::serving(folder.path());
    let mut list = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n".to_owned();
    for part in 0..2 {
        let name = format!("part{part}.m3u8");
        let output = ["-hls_time", "10", "-hls_list_size", "0", &name];
        let begins = format!("{}", part * 20);
        let input = ["-ss", &begins, "-t", "8"];
        let made = ffmpeg(folder.path(), Clip::Standard, &input, &output);
        made.finish(seconds(60)).without_complaint();
        if part > 0 {
            list += "#EXT-X-DISCONTINUITY\n";
        }
        list += &format!("#EXTINF:8,\npart{part}0.ts\n");
    }
    std::fs::write(folder.path().join("anew.m3u8"), list + "#EXT-X-ENDLIST\n").unwrap();
    let server = Server::start();
    pull(&server, &nginx.file("anew.m3u8"));
    server.wait_live("cam");
    let player = Peer::start(&mut decoding(&server.rtmp_url("cam"), 12));
    Seen::of(&player.finish(seconds(60)).without_complaint()).assert_about(12.0, 30.0);

    let mut sound = tool("ffmpeg");
    sound
        .current_dir(folder.path())
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(Clip::SoundOnly.file());
    sound.args(["-t", "20", "-c", "copy", "-f", "adts", "sound.aac"]);
    Peer::start(&mut sound)
        .finish(seconds(60))
        .without_complaint();
    let mut packed =
        b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0\0\x35\0\0com.apple.streaming.transportStreamTimestamp\0"
            .to_vec();
    packed.extend(900_000u64.to_be_bytes());
    packed.extend(std::fs::read(folder.path().join("sound.aac")).unwrap());
    std::fs::write(folder.path().join("packed.aac"), packed).unwrap();
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:20\n#EXTINF:20,\npacked.aac\n#EXT-X-ENDLIST\n";
    std::fs::write(folder.path().join("sound.m3u8"), list).unwrap();
    let server = Server::start();
    pull(&server, &nginx.file("sound.m3u8"));
    server.wait_live("cam");
    let seen = decode(&server.rtmp_url("cam"), 5);
    assert!((seen.sound - 5.0).abs() < 0.5, "{seen:?}");
}

#[test]
fn servers_that_want_headers_get_them() {
    let folder = tempfile::tempdir().unwrap();
    let nginx = Nginx::serving(folder.path());
    let output = ["-hls_time", "2", "-hls_list_size", "0", "vod.m3u8"];
    let made = ffmpeg(folder.path(), Clip::Standard, &["-t", "30"], &output);
    made.finish(seconds(60)).without_complaint();
    let server = Server::start();
    pull(
        &server,
        &nginx.file("guarded/vod.m3u8#header.Referer=https%3A%2F%2Fexample.com"),
    );
    plays(&server);
    let server = Server::start();
    pull(&server, &nginx.file("guarded/vod.m3u8"));
    server.wait_log(seconds(30), &["403"]);
}
