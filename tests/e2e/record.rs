//! Recordings: whole, playable everywhere, and there whatever happens to the server.

use crate::support::clips::Clip;
use crate::support::http::{self, Response};
use crate::support::limit;
use crate::support::media::{packets, publish, publish_for, start_publishing, stream};
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client, tags};
use crate::support::server::Server;
use crate::support::tools::{browser, tool};
use crate::support::{seconds, wait_for, wait_until};
use flv::file::TagKind;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[track_caller]
pub(crate) fn record(server: &Server, id: &str, on: bool, query: &str) -> Value {
    let answer = server.rest("PUT", &format!("/{id}/recording/{on}{query}"), "");
    answer.json()
}

#[track_caller]
pub(crate) fn vods(server: &Server, path: &str) -> Value {
    server.get(&format!("/LiveApp/rest/v2/vods/{path}")).json()
}

pub(crate) fn file(data: &Path, name: &str) -> PathBuf {
    data.join("recordings/LiveApp").join(name)
}

/// What ffprobe says of a whole file.
#[track_caller]
pub(crate) fn probe(file: &Path) -> Value {
    let mut ffprobe = tool("ffprobe");
    ffprobe.args([
        "-v",
        "warning",
        "-of",
        "json",
        "-show_streams",
        "-show_format",
    ]);
    ffprobe.args([
        "-show_entries",
        "packet=stream_index,codec_type,pts,dts,flags",
    ]);
    let finished = Peer::start(ffprobe.arg(file))
        .finish(seconds(20))
        .without_complaint();
    serde_json::from_str(&finished.stdout).unwrap()
}

#[track_caller]
pub(crate) fn duration(probed: &Value) -> f64 {
    probed["format"]["duration"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// Both tracks, times that grow, a key frame first, and every packet decodes.
#[track_caller]
pub(crate) fn assert_plays(file: &Path) -> Value {
    let probed = probe(file);
    for kind in ["video", "audio"] {
        stream(&probed, kind);
        let packets = packets(&probed, kind);
        assert!(packets[0].key, "{kind}");
        assert!(
            packets.windows(2).all(|pair| pair[0].dts < pair[1].dts),
            "{kind}: {packets:?}"
        );
        assert!(
            packets.iter().all(|packet| packet.pts >= packet.dts),
            "{kind}: {packets:?}"
        );
    }
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "warning", "-xerror", "-i"])
        .arg(file);
    ffmpeg.args(["-f", "null", "-"]);
    Peer::start(&mut ffmpeg)
        .finish(seconds(30))
        .without_complaint();
    probed
}

#[test]
fn a_stream_is_recorded_from_its_first_picture_to_its_last() {
    for (clip, rate) in [(Clip::Standard, 30.0), (Clip::BFrames, 30.0)] {
        let server = Server::start();
        server.rest("POST", "/create", r#"{"streamId":"cam","name":"Camera"}"#);
        let answer = record(&server, "cam", true, "");
        assert_eq!(
            (&answer["success"], &answer["dataId"]),
            (&true.into(), &Value::Null)
        );
        assert_eq!(server.broadcast("cam").unwrap()["mp4Enabled"], 1);
        publish_for(&server, "cam", clip, 6).finish(seconds(20));
        let list = wait_for("the recording is listed", seconds(5), || {
            Some(vods(&server, "list/0/10")).filter(|list| list[0].is_object())
        });
        let vod = &list[0];
        assert_eq!(
            (&vod["vodName"], &vod["streamName"], &vod["type"]),
            (&"cam.mp4".into(), &"Camera".into(), &"streamVod".into())
        );
        let path = file(server.data(), "cam.mp4");
        let probed = assert_plays(&path);
        assert!(
            (duration(&probed) - 6.0).abs() < 0.3,
            "{clip:?}: {}",
            duration(&probed)
        );
        assert!(
            (vod["duration"].as_f64().unwrap() - 6_000.0).abs() < 300.0,
            "{vod}"
        );
        assert_eq!(
            vod["fileSize"].as_u64().unwrap(),
            path.metadata().unwrap().len()
        );
        let pictures = packets(&probed, "video").len() as f64;
        assert!((pictures - 6.0 * rate).abs() <= 2.0, "{clip:?}: {pictures}");
    }
}

#[test]
fn recordings_are_started_stopped_served_and_deleted() {
    let server = Server::start();
    // Nobody announced it.
    let _publisher = publish(&server, "cam", Clip::Standard);
    for (query, name) in [
        ("", "cam.mp4"),
        ("?recordType=mp4", "cam_1.mp4"),
        ("?fileName=../../my%20show.mp4", "my_show.mp4"),
    ] {
        let begun = record(&server, "cam", true, query);
        assert_eq!(begun["success"], true, "{begun}");
        assert_eq!(
            record(&server, "cam", true, "")["message"],
            "mp4 recording couldn't be started"
        );
        std::thread::sleep(seconds(2));
        let unfinished = file(server.data(), &format!("{name}.tmp_extension"));
        assert!(unfinished.exists() && vods(&server, "count")["number"] != 3);
        let ended = record(&server, "cam", false, "");
        assert_eq!(ended["dataId"], begun["dataId"]);
        assert_eq!(
            record(&server, "cam", false, "")["message"],
            "mp4 recording couldn't be stopped"
        );
        let probed = assert_plays(&file(server.data(), name));
        // It begins with the newest key frame, at most a second before.
        assert!(
            (1.7..3.6).contains(&duration(&probed)),
            "{}",
            duration(&probed)
        );
        let vod = vods(&server, ended["dataId"].as_str().unwrap());
        assert_eq!(
            (&vod["vodName"], &vod["startTime"].to_string()),
            (&name.into(), &begun["message"].as_str().unwrap().to_owned())
        );
    }
    assert_eq!(vods(&server, "count")["number"], 3);
    assert_eq!(vods(&server, "count/show")["number"], 1);
    served(
        &server,
        &std::fs::read(file(server.data(), "cam.mp4")).unwrap(),
    );

    let id = vods(&server, "list/1/1")[0]["vodId"]
        .as_str()
        .unwrap()
        .to_owned();
    let delete = || {
        http::request(
            server.http,
            "DELETE",
            &format!("/LiveApp/rest/v2/vods/{id}"),
            &[],
            b"",
        )
        .json()
    };
    assert_eq!(delete()["message"], "vod deleted");
    assert_eq!(delete()["success"], false);
    assert_eq!(server.get("/LiveApp/streams/cam_1.mp4").status, 404);
    assert_eq!(vods(&server, &id)["vodId"], Value::Null);
    for (id, query) in [("nobody", ""), ("cam", "?recordType=webm")] {
        let message = record(&server, id, true, query)["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            message.starts_with(&format!(
                "No stream for this id: {id} or unexpected record type"
            )),
            "{message}"
        );
    }
}

/// Whole, in part, its head, and what it has not.
#[track_caller]
fn served(server: &Server, contents: &[u8]) {
    let ask = |method: &str, range: &str| -> Response {
        let headers = [("Range", range)];
        let headers = if range.is_empty() {
            &[][..]
        } else {
            &headers[..]
        };
        http::request(
            server.http,
            method,
            "/LiveApp/streams/cam.mp4",
            headers,
            b"",
        )
    };
    let whole = ask("GET", "");
    assert_eq!(
        (whole.status, whole.header("content-type")),
        (200, "video/mp4")
    );
    assert!(whole.body == contents);
    let part = ask("GET", "bytes=1000-200999");
    let range = format!("bytes 1000-200999/{}", contents.len());
    assert_eq!((part.status, part.header("content-range")), (206, &*range));
    assert!(part.body == contents[1_000..201_000]);
    let head = ask("HEAD", "");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, &*contents.len().to_string())
    );
    assert_eq!(ask("GET", "bytes=999999999-").status, 416);
    for path in [
        "cam.mp4.tmp_extension",
        "..%2fLiveApp%2fcam.mp4",
        "%2e%2e/%2e%2e/millstream.redb",
        "nobody.mp4",
    ] {
        assert_eq!(
            server.get(&format!("/LiveApp/streams/{path}")).status,
            404,
            "{path}"
        );
    }
}

#[test]
fn a_recording_plays_in_a_browser_and_can_be_sought_in() {
    let server = Server::start();
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    record(&server, "cam", true, "");
    publish_for(&server, "cam", Clip::Standard, 6).finish(seconds(20));
    wait_until("the recording is listed", seconds(5), || {
        vods(&server, "count")["number"] == 1
    });
    let _place = limit::BROWSER.take();
    let mut node = tool("node");
    node.arg("file.mjs")
        .args([
            "--url",
            &server.url("/LiveApp/streams/cam.mp4"),
            "--duration",
            "6",
        ])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser"))
        .env("MILLSTREAM_CHROMIUM", browser());
    let finished = Peer::start(&mut node).finish(seconds(60));
    assert!(
        finished.status.success(),
        "{}\n{}",
        finished.stdout,
        finished.stderr
    );
}

#[test]
fn a_killed_server_loses_two_seconds_at_most() {
    kill_while_recording(3);
}

#[test]
#[ignore = "a soak"]
fn a_server_killed_fifty_times_loses_two_seconds_at_most() {
    kill_while_recording(50);
}

/// At another moment each time.
fn kill_while_recording(times: usize) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut contents = Vec::new();
    let clips = [Clip::Standard, Clip::BFrames].into_iter().cycle();
    for (round, clip) in clips.take(times).enumerate() {
        let server = Server::on(data);
        let id = format!("cam{round}");
        server.rest("POST", "/create", &json!({ "streamId": id }).to_string());
        assert_eq!(record(&server, &id, true, "")["success"], true);
        // The file's time begins with the clip's.
        let (client, answer) = Client::publish(server.rtmp, "LiveApp", &id);
        assert_eq!(answer, Answer::Granted);
        let publisher = std::thread::spawn(move || client.send_all(tags(clip)));
        server.wait_live(&id);
        let chance = u64::from(std::process::id()) * 7_919 * (round as u64 + 1) % 3_000;
        std::thread::sleep(Duration::from_millis(2_500 + chance));
        let received = received(&server, clip);
        server.kill();
        publisher.join().unwrap();
        // As it was left, by a player that knows nothing of the server.
        let left = file(data, &format!("{id}.mp4.tmp_extension"));
        let length = duration(&assert_plays_copy(&left));
        assert!(length > received - 2.0, "{length} of {received}, as left");

        let server = Server::on(data);
        let vod = wait_for("it is complete and listed", seconds(20), || {
            let list = vods(&server, "list/0/100");
            let mut list = list.as_array().unwrap().iter();
            list.find(|vod| vod["streamId"] == id).cloned()
        });
        let path = file(data, &format!("{id}.mp4"));
        let length = duration(&assert_plays(&path));
        assert!(length > received - 2.0, "{length} of {received}");
        assert!(
            (vod["duration"].as_f64().unwrap() / 1e3 - length).abs() < 0.1,
            "{vod}"
        );
        // What is older is not touched.
        for (path, before) in &contents {
            assert!(std::fs::read(path).unwrap() == *before, "{path:?}");
        }
        let bytes = std::fs::read(&path).unwrap();
        contents.push((path, bytes));
        assert_eq!(
            server.get(&format!("/LiveApp/streams/{id}.mp4")).body.len() as u64,
            vod["fileSize"].as_u64().unwrap()
        );
    }
}

/// Seconds of a clip, its publisher's first, that the server says to have received.
#[track_caller]
fn received(server: &Server, clip: Clip) -> f64 {
    let metrics = server.get("/metrics").text();
    let name = "millstream_stream_received_bytes ";
    let bytes = metrics.lines().find_map(|line| line.strip_prefix(name));
    let mut left: usize = bytes.unwrap().parse().unwrap();
    let tags = tags(clip).into_iter();
    let last = tags
        .filter(|tag| tag.kind != TagKind::Script)
        .take_while(|tag| {
            // With a head of two to five bytes that the server does not count.
            let fits = left.checked_sub(tag.body.len());
            left = fits.unwrap_or(0);
            fits.is_some()
        })
        .last();
    f64::from(last.unwrap().timestamp) / 1e3
}

/// [`assert_plays`] for a file whose end may be cut off.
#[track_caller]
fn assert_plays_copy(file: &Path) -> Value {
    let copy = file.with_extension("copy.mp4");
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "fatal", "-y", "-f", "mp4", "-i"])
        .arg(file);
    ffmpeg.args(["-c", "copy"]).arg(&copy);
    Peer::start(&mut ffmpeg)
        .finish(seconds(20))
        .without_complaint();
    let probed = probe(&copy);
    std::fs::remove_file(copy).unwrap();
    probed
}

#[test]
fn a_publisher_that_comes_back_goes_on_and_another_format_gets_another_file() {
    let server = Server::start();
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    record(&server, "cam", true, "");
    for (clip, pause) in [(Clip::Standard, 3), (Clip::Standard, 3), (Clip::Small, 4)] {
        let publisher = start_publishing(&server, "cam", clip);
        server.wait_live("cam");
        std::thread::sleep(seconds(pause));
        // Without a word: the stream waits for it.
        publisher.kill();
        server.wait_status("cam", "terminated_unexpectedly");
    }
    assert_eq!(record(&server, "cam", false, "")["success"], true);
    let same = assert_plays(&file(server.data(), "cam.mp4"));
    let other = assert_plays(&file(server.data(), "cam_1.mp4"));
    assert_eq!(stream(&same, "video")["width"], 640);
    assert_eq!(stream(&other, "video")["width"], 320);
    assert!((5.0..8.0).contains(&duration(&same)), "{}", duration(&same));
    assert!(
        (3.0..5.5).contains(&duration(&other)),
        "{}",
        duration(&other)
    );
    assert_eq!(vods(&server, "count")["number"], 2);
}

#[test]
fn a_disk_that_takes_nothing_stops_the_recording_and_not_the_stream() {
    let server = Server::start();
    let mut publisher = publish(&server, "cam", Clip::Standard);
    // A file where the folder would be.
    std::fs::write(server.data().join("recordings"), "").unwrap();
    let answer = record(&server, "cam", true, "");
    assert_eq!(answer["success"], false);
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("could not be started"),
        "{answer}"
    );
    server.wait_log(seconds(2), &["ERROR", "is not recorded"]);
    crate::support::media::decode(&server.rtmp_url("cam"), 2).assert_about(2.0, 30.0);
    assert!(publisher.is_running());
}

#[test]
fn a_server_that_is_asked_to_end_completes_its_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::on(folder.path());
    let _publisher = publish(&server, "cam", Clip::Standard);
    record(&server, "cam", true, "");
    std::thread::sleep(seconds(2));
    server.stop();
    let probed = assert_plays(&file(folder.path(), "cam.mp4"));
    assert!(duration(&probed) > 1.9, "{}", duration(&probed));
    assert_eq!(vods(&Server::on(folder.path()), "count")["number"], 1);
}
