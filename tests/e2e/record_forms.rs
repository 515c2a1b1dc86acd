//! Recordings in other forms than MP4 by itself: transport streams, HLS, telephone sound, parameters that change.

use crate::library::{export, timeline};
use crate::record::{file, probe, record, vods};
use crate::support::clips::Clip;
use crate::support::frames::frames;
use crate::support::media::{
    Seen, decoding, decoding_to_end, packets, publish_for, start_publishing, stream,
};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_for, wait_until};
use std::path::Path;

/// Every packet is as it came and none is missing, from wherever in the clip the recording began.
#[track_caller]
fn assert_is_of_the_clip(path: &Path, least: usize) {
    for (kind, codec) in [("v", "h264"), ("a", "aac")] {
        let clip = frames(&Clip::BFrames.file(), kind, codec).0;
        let recorded = frames(path, kind, codec).0;
        assert!(recorded.len() > least, "{kind}: {}", recorded.len());
        // More than one packet of sound may be the same where it begins.
        let begins = (0..clip.len()).find(|begin| {
            let expected = clip.iter().cycle().skip(*begin);
            let mut pairs = recorded.iter().zip(expected);
            pairs.all(|(one, other)| one.hash == other.hash)
        });
        let begins = begins.unwrap_or_else(|| panic!("{kind} of {path:?} is not the clip's"));
        // How long pictures wait to be shown is what RTMP said of it, in milliseconds.
        let expected = clip.iter().cycle().skip(begins);
        for (number, (one, other)) in recorded.iter().zip(expected).enumerate() {
            let moved = (one.pts - one.dts) - (other.pts - other.dts);
            assert!(moved.abs() < 0.002, "{kind} {number}: {moved}");
        }
        assert!(recorded.is_sorted_by(|one, other| one.dts < other.dts));
    }
}

#[test]
fn a_transport_stream_is_recorded_listed_and_whole_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::on(data);
    let publisher = start_publishing(&server, "cam", Clip::BFrames);
    server.wait_live("cam");
    let begun = record(&server, "cam", true, "?recordType=ts");
    assert_eq!(begun["success"], true, "{begun}");
    let recorded = |server: &Server| {
        let stretch = timeline(server, "cam")["recorded"][0].clone();
        let times = stretch["end"].as_u64().zip(stretch["start"].as_u64());
        times.map_or(0, |(end, start)| end - start)
    };
    wait_until("four seconds are recorded", seconds(30), || {
        recorded(&server) > 4_000
    });
    assert_eq!(record(&server, "cam", false, "")["success"], true);
    let path = file(data, "cam.ts");
    assert_is_of_the_clip(&path, 100);
    let answer = server.get("/LiveApp/streams/cam.ts");
    assert_eq!(answer.header("content-type"), "video/mp2t");
    assert!(answer.body == std::fs::read(&path).unwrap());
    // What never ends is something else.
    let live = server.url("/LiveApp/streams/cam.live.ts");
    let seen = Seen::of(&Peer::start(&mut decoding(&live, 1)).finish(seconds(30)));
    assert!(seen.pictures > 20, "{seen:?}");
    let refused = server.get("/LiveApp/rest/v2/broadcasts/cam/recordings/export");
    assert_eq!(refused.status, 409, "{}", refused.text());

    // A second one, which the server does not live to complete.
    assert_eq!(
        record(&server, "cam", true, "?recordType=ts")["success"],
        true
    );
    let before = recorded(&server);
    wait_until("three seconds more are recorded", seconds(30), || {
        let stretches = timeline(&server, "cam")["recorded"].clone();
        let second = &stretches[1];
        let times = second["end"].as_u64().zip(second["start"].as_u64());
        times.is_some_and(|(end, start)| end - start > 3_000)
    });
    server.kill();
    drop(publisher);
    let server = Server::on(data);
    let list = wait_for("it is complete and listed", seconds(20), || {
        let list = vods(&server, "list/0/10");
        (list[1]["vodName"] == "cam_1.ts").then_some(list)
    });
    let length = list[1]["duration"].as_u64().unwrap();
    assert!(length > 2_500, "{list}");
    assert_is_of_the_clip(&file(data, "cam_1.ts"), 60);
    let stretches = timeline(&server, "cam")["recorded"].clone();
    assert_eq!(recorded(&server), before);
    assert!(
        stretches[1]["start"].as_u64() >= stretches[0]["end"].as_u64(),
        "{stretches}"
    );
}

#[test]
fn a_recording_is_hls_as_well() {
    let server = Server::with(&["--set", "record.always=true"]);
    publish_for(&server, "cam", Clip::BFrames, 12).finish(seconds(40));
    let path = file(server.data(), "cam.mp4");
    wait_until("it is complete", seconds(20), || path.exists());
    let answer = server.get("/LiveApp/streams/cam.mp4.m3u8?token=a");
    assert_eq!(
        answer.header("content-type"),
        "application/vnd.apple.mpegurl"
    );
    let text = answer.text();
    assert!(text.contains("URI=\"cam.mp4.init?token=a\"") && text.contains("\ncam.mp4?token=a\n"));
    assert!(text.matches("#EXTINF").count() >= 2, "{text}");
    let url = server.url("/LiveApp/streams/cam.mp4.m3u8");
    // Two players of others, neither of which knows more than the playlist.
    let finished = Peer::start(&mut decoding_to_end(&url)).finish(seconds(40));
    let (seen, whole) = (
        Seen::of(&finished),
        Seen::of(&Peer::start(&mut decoding_to_end(&path.to_string_lossy())).finish(seconds(40))),
    );
    assert_eq!(
        (seen.pictures, seen.distinct),
        (whole.pictures, whole.distinct)
    );
    assert!((seen.sound - whole.sound).abs() < 0.1, "{seen:?} {whole:?}");
    let mut gstreamer = tool("gst-launch-1.0");
    gstreamer
        .args(["--quiet", "playbin3", &format!("uri={url}")])
        .arg("video-sink=fakesink sync=false")
        .arg("audio-sink=fakesink sync=false");
    let finished = Peer::start(&mut gstreamer).finish(seconds(60));
    assert!(finished.status.success(), "{}", finished.stderr);
    assert!(!finished.stderr.contains("ERROR"), "{}", finished.stderr);
    for other in ["nobody.mp4.m3u8", "nobody.mp4.init", "cam.m3u8"] {
        assert_eq!(
            server.get(&format!("/LiveApp/streams/{other}")).status,
            404,
            "{other}"
        );
    }
}

#[test]
fn telephone_sound_is_in_the_file() {
    let server = Server::with(&["--set", "record.always=true"]);
    for (law, name) in [("pcm_alaw", "a"), ("pcm_mulaw", "mu")] {
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-re", "-i"]);
        ffmpeg.arg(Clip::Standard.file());
        ffmpeg.args([
            "-t", "5", "-c:v", "copy", "-c:a", law, "-ar", "8000", "-ac", "1",
        ]);
        ffmpeg.args(["-f", "rtsp", "-rtsp_transport", "tcp"]);
        let finished = Peer::start(ffmpeg.arg(server.rtsp_url(name))).finish(seconds(30));
        assert!(finished.status.success(), "{}", finished.stderr);
        let path = file(server.data(), &format!("{name}.mp4"));
        wait_until("it is complete", seconds(20), || path.exists());
        let probed = probe(&path);
        assert_eq!(stream(&probed, "audio")["codec_name"], law);
        let seen = Seen::of(
            &Peer::start(&mut decoding_to_end(&path.to_string_lossy())).finish(seconds(30)),
        );
        assert!((seen.sound - 5.0).abs() < 0.5, "{seen:?}");
        // The tone of the clip, and not noise: the other law would be loud.
        let mut volume = tool("ffmpeg");
        volume.args(["-nostdin", "-v", "info", "-i"]).arg(&path);
        volume.args(["-vn", "-af", "volumedetect", "-f", "null", "-"]);
        let told = Peer::start(&mut volume).finish(seconds(30)).stderr;
        let source = {
            let mut volume = tool("ffmpeg");
            volume.args(["-nostdin", "-v", "info", "-t", "5", "-i"]);
            volume.arg(Clip::Standard.file());
            volume.args(["-vn", "-ac", "1", "-af", "volumedetect", "-f", "null", "-"]);
            Peer::start(&mut volume).finish(seconds(30)).stderr
        };
        let mean = |text: &str| -> f64 {
            let (_, rest) = text.split_once("mean_volume: ").unwrap();
            rest.split(' ').next().unwrap().parse().unwrap()
        };
        assert!(
            (mean(&told) - mean(&source)).abs() < 3.0,
            "{told}\n{source}"
        );
    }
}

#[test]
fn an_export_goes_on_where_the_parameters_change() {
    let server = Server::start();
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    record(&server, "cam", true, "");
    // The same sizes and rates, but another encoder.
    for clip in [Clip::Standard, Clip::BFrames] {
        let publisher = start_publishing(&server, "cam", clip);
        server.wait_live("cam");
        std::thread::sleep(seconds(4));
        publisher.kill();
        server.wait_status("cam", "terminated_unexpectedly");
    }
    record(&server, "cam", false, "");
    let parts = ["cam.mp4", "cam_1.mp4"].map(|name| {
        let path = file(server.data(), name);
        packets(&probe(&path), "video").len()
    });
    let url = export(&server, "cam", 0, u64::from(u32::MAX) * 1_000);
    // What ffprobe reads within pictures, it reads by the parameters of the first stretch: it is asked for the number alone.
    let mut ffprobe = tool("ffprobe");
    ffprobe.args("-v quiet -count_packets -select_streams v:0".split(' '));
    ffprobe.args("-show_entries stream=nb_read_packets -of csv=p=0".split(' '));
    let counted = Peer::start(ffprobe.arg(&url)).finish(seconds(40)).stdout;
    let count = counted.trim().trim_end_matches(',').parse::<usize>();
    assert_eq!(count, Ok(parts.iter().sum::<usize>()));
    let finished = Peer::start(&mut decoding_to_end(&url)).finish(seconds(40));
    let seen = Seen::of(&finished);
    assert!(
        seen.pictures + 4 >= parts.iter().sum(),
        "{seen:?} {parts:?}"
    );
    assert!(seen.distinct * 10 >= seen.pictures * 9, "{seen:?}");
}
