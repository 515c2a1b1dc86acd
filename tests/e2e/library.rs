//! What has been recorded: when it was, any stretch of it as one file, and files that others bring.

use crate::record::{assert_plays, duration, file, probe, record, vods};
use crate::rtmp_peers::{PICTURE, TONE, clip, publishing};
use crate::support::clips::Clip;
use crate::support::http::{self, Response};
use crate::support::limit;
use crate::support::media::{Seen, decoding_to_end, packets, publish, publish_for};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::{browser, tool};
use crate::support::{seconds, wait_for, wait_until};
use serde_json::Value;
use std::path::Path;

#[track_caller]
pub(crate) fn timeline(server: &Server, id: &str) -> Value {
    let path = format!("/LiveApp/rest/v2/broadcasts/{id}/recordings");
    server.get(&path).json()
}

pub(crate) fn export(server: &Server, id: &str, start: u64, end: u64) -> String {
    format!(
        "http://127.0.0.1:{}/LiveApp/rest/v2/broadcasts/{id}/recordings/export?start={start}&end={end}",
        server.http
    )
}

#[test]
fn any_stretch_of_time_is_one_file_that_begins_between_key_frames() {
    let _place = limit::BROWSER.take();
    let server = Server::start();
    // Key frames are two seconds apart, and pictures are shown in another order than they are decoded.
    let _publisher = publish(&server, "cam", Clip::BFrames);
    record(&server, "cam", true, "");
    std::thread::sleep(seconds(4));
    record(&server, "cam", false, "");
    std::thread::sleep(seconds(2));
    record(&server, "cam", true, "");
    std::thread::sleep(seconds(4));
    let shown = timeline(&server, "cam");
    let stretches = shown["recorded"].as_array().unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    assert_eq!(shown["state"], "recording");
    assert_eq!(stretches.len(), 2, "{shown}");
    let (first, second) = (&stretches[0], &stretches[1]);
    assert_eq!(
        (&first["finished"], &second["finished"]),
        (&true.into(), &false.into())
    );
    // The newest key frame is up to two seconds old when it begins.
    let length = number(&first["end"]) - number(&first["start"]);
    assert!((3_500..6_600).contains(&length), "{shown}");
    let gaps = shown["gaps"].as_array().unwrap();
    let gap = number(&second["start"]).saturating_sub(number(&first["end"]));
    assert!(
        gap < 2_600 && gaps.len() == usize::from(gap > 1_500),
        "{shown}"
    );

    // From between two key frames of the first file to the midst of the one that is being written.
    let start = number(&first["start"]) + 1_300;
    let end = number(&second["start"]) + 1_700;
    let expected = (number(&first["end"]) - start + 1_700) as f64 / 1e3;
    let url = export(&server, "cam", start, end);
    let probed = probe(Path::new(&url));
    assert!(
        (duration(&probed) - expected).abs() < 0.25,
        "{} {expected}",
        duration(&probed)
    );
    // What is needed to decode the first picture that is shown is before the beginning.
    let pictures = packets(&probed, "video");
    assert!(pictures[0].key && pictures[0].pts < 0, "{:?}", pictures[0]);
    let seen = Seen::of(&Peer::start(&mut decoding_to_end(&url)).finish(seconds(30)));
    assert!(
        (seen.pictures as f64 - expected * 30.0).abs() <= 8.0,
        "{seen:?} {expected}"
    );
    assert!((seen.sound - expected).abs() < 0.2, "{seen:?} {expected}");

    let path = url
        .split_once(&server.http.to_string())
        .unwrap()
        .1
        .to_owned();
    let whole = server.get(&path);
    assert_eq!(
        (whole.status, whole.header("content-type")),
        (200, "video/mp4")
    );
    assert!(
        whole
            .header("content-disposition")
            .contains("attachment; filename=\"cam-20")
    );
    let range = [("Range", "bytes=1000-70000")];
    let part = http::request(server.http, "GET", &path, &range, b"");
    assert_eq!(part.status, 206);
    assert!(part.body == whole.body[1_000..=70_000]);
    for (query, status) in [
        (format!("start={}", number(&second["end"]) + 3_600_000), 404),
        ("start=1&end=2".into(), 404),
        ("start=2&end=1".into(), 400),
        ("start=yesterday".into(), 400),
    ] {
        let path = format!("/LiveApp/rest/v2/broadcasts/cam/recordings/export?{query}");
        assert_eq!(server.get(&path).status, status, "{query}");
    }
    let mut node = tool("node");
    node.arg("file.mjs")
        .args(["--url", &url, "--duration", &expected.to_string()])
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

/// What the packets of a file hold, in order.
#[track_caller]
fn hashes(file: &Path, kind: &str) -> Vec<String> {
    let mut ffprobe = tool("ffprobe");
    ffprobe.args(["-v", "error", "-of", "json", "-show_data_hash", "md5"]);
    ffprobe.args(["-show_entries", "packet=codec_type,data_hash"]);
    let finished = Peer::start(ffprobe.arg(file)).finish(seconds(30));
    let found: Value = serde_json::from_str(&finished.stdout).unwrap();
    let packets = found["packets"].as_array().unwrap();
    let packets = packets.iter().filter(|packet| packet["codec_type"] == kind);
    packets
        .map(|packet| packet["data_hash"].to_string())
        .collect()
}

/// Every packet of the recording is one of the source, and none is missing between them.
#[track_caller]
pub(crate) fn assert_same_packets(source: &Path, recording: &Path, least: usize) {
    for kind in ["video", "audio"] {
        let (all, found) = (hashes(source, kind), hashes(recording, kind));
        assert!(found.len() >= least, "{kind}: {}", found.len());
        // The source is published again and again. Where it begins, more than one packet may be the same.
        let begins = (0..all.len()).find(|begin| {
            let mut expected = all.iter().cycle().skip(*begin);
            found.iter().all(|packet| expected.next() == Some(packet))
        });
        assert!(
            begins.is_some(),
            "{kind} of {recording:?} is not that of {source:?}"
        );
    }
}

#[test]
fn every_packet_of_a_codec_is_recorded_as_it_came() {
    let cases = [
        (
            "av1-flac",
            "-c:v libsvtav1 -preset 12 -g 25 -c:a flac -ac 2 -sample_fmt s16",
            "av01,fLaC",
            ["av01", "fLaC"],
        ),
        (
            "vp9-ac3",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -b:v 500k -c:a ac3 -ac 2",
            "vp09,ac-3",
            ["vp09", "ac-3"],
        ),
        (
            "hevc-opus",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25 -c:a libopus -ac 2",
            "hvc1,Opus",
            ["hvc1", "Opus"],
        ),
        (
            "h264-eac3",
            "-c:v libx264 -preset ultrafast -g 25 -c:a eac3 -ac 6",
            "avc1,ec-3",
            ["avc1", "ec-3"],
        ),
        (
            "h264-opus",
            "-c:v libx264 -preset ultrafast -bf 2 -g 25 -c:a libopus -ac 2",
            "avc1,Opus",
            ["avc1", "Opus"],
        ),
        (
            "hevc-aac",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25 -c:a aac -ac 2",
            "hvc1",
            ["hvc1", "mp4a"],
        ),
        (
            "av1-aac",
            "-c:v libsvtav1 -preset 12 -g 25 -c:a aac -ac 2",
            "av01",
            ["av01", "mp4a"],
        ),
        (
            "vp9-opus",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -b:v 500k -c:a libopus -ac 2",
            "vp09,Opus",
            ["vp09", "Opus"],
        ),
    ];
    let server = Server::with(&["--set", "record.always=true"]);
    let publishers = cases.map(|(name, codecs, four_ccs, entries)| {
        let source = clip(name, &format!("{PICTURE} {TONE} {codecs}"));
        let mut ffmpeg = publishing(&source);
        ffmpeg.args(["-rtmp_enhanced_codecs", four_ccs]);
        let publisher = Peer::start(ffmpeg.arg(server.rtmp_url(name)));
        (name, source, publisher, entries)
    });
    let recordings = publishers.map(|(name, source, publisher, entries)| {
        wait_until("four seconds are recorded", seconds(60), || {
            let recorded = timeline(&server, name)["recorded"].clone();
            let stretch = &recorded[0];
            let length = stretch["end"].as_u64().zip(stretch["start"].as_u64());
            length.is_some_and(|(end, start)| end - start > 4_000)
        });
        assert_eq!(record(&server, name, false, "")["success"], true);
        drop(publisher);
        let recording = file(server.data(), &format!("{name}.mp4"));
        (source, recording, entries)
    });
    for (source, recording, entries) in recordings {
        assert_same_packets(&source, &recording, 50);
        // The sample entries are those that QuickTime and browsers know, and both tracks begin together.
        let probed = probe(&recording);
        let streams = probed["streams"].as_array().unwrap();
        let tags: Vec<&Value> = streams.iter().map(|one| &one["codec_tag_string"]).collect();
        assert_eq!(tags, entries, "{recording:?}");
        let starts = streams.iter().map(|one| {
            let text = one["start_time"].as_str().unwrap();
            text.parse::<f64>().unwrap()
        });
        assert!(starts.clone().all(|start| (0.0..0.25).contains(&start)));
    }
    // Another format ends what one file can hold; H.264 and AAC beside them.
    publish_for(&server, "avc", Clip::BFrames, 5).finish(seconds(30));
    let recording = file(server.data(), "avc.mp4");
    wait_until("it is complete", seconds(10), || recording.exists());
    assert_same_packets(&Clip::BFrames.file(), &recording, 140);
    assert_plays(&recording);
}

#[test]
fn streams_are_recorded_by_rule_in_files_of_ten_seconds_without_a_seam() {
    let server = Server::with(&[
        "--set",
        "record.rules=[{streams=\"LiveApp/door*\", always=true, duration=\"10s\", name=\"{app}-{id}-{time}\"}]",
    ]);
    let other = publish(&server, "hall", Clip::Small);
    publish_for(&server, "door1", Clip::Standard, 14).finish(seconds(40));
    let list = wait_for("both files are complete", seconds(10), || {
        Some(vods(&server, "list/0/10")).filter(|list| list[1].is_object())
    });
    drop(other);
    assert_eq!(list.as_array().unwrap().len(), 2);
    let names: Vec<&str> = (0..2)
        .map(|place| list[place]["vodName"].as_str().unwrap())
        .collect();
    assert!(
        names[0].starts_with("LiveApp-door1-20") && names[0] < names[1],
        "{names:?}"
    );
    let mut found: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    for name in names {
        let path = file(server.data(), name);
        assert_plays(&path);
        for (kind, found) in ["video", "audio"].into_iter().zip(&mut found) {
            found.extend(hashes(&path, kind));
        }
    }
    // Together they are the source, packet by packet.
    for (kind, found) in ["video", "audio"].into_iter().zip(found) {
        let all = hashes(&Clip::Standard.file(), kind);
        assert!(found.len() >= 14 * 30 - 2, "{kind}: {}", found.len());
        // Sound that would be heard before the first picture is left out.
        let same = (0..3).any(|skip| all.get(skip..).is_some_and(|all| all.starts_with(&found)));
        assert!(same, "{kind}");
    }
    let shown = timeline(&server, "door1");
    assert_eq!(
        (&shown["state"], &shown["gaps"]),
        (&"off".into(), &Value::Array(Vec::new()))
    );
}

/// A form with one file, and `metadata`.
pub(crate) fn upload(server: &Server, name: &str, contents: &[u8]) -> Response {
    const BOUNDARY: &str = "----millstream";
    let part =
        |head: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
    let body = [
        part("name=\"metadata\"").as_bytes(),
        b"{\"place\":\"hall\"}\r\n",
        part(&format!(
            "name=\"file\"; filename=\"{name}\"\r\nContent-Type: video/mp4"
        ))
        .as_bytes(),
        contents,
        format!("\r\n--{BOUNDARY}--\r\n").as_bytes(),
    ]
    .concat();
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let headers = [("Content-Type", &*content_type)];
    let path = "/LiveApp/rest/v2/vods/create";
    http::request(server.http, "POST", path, &headers, &body)
}

#[test]
fn files_are_uploaded_and_imported() {
    let films = tempfile::tempdir().unwrap();
    let root = films.path().to_str().unwrap();
    let import = format!("record.import=[{root:?}]");
    let server = Server::with(&["--set", &import, "--set", "record.upload_bytes=3000000"]);
    let film = clip(
        "av1-flac",
        &format!(
            "{PICTURE} {TONE} -c:v libsvtav1 -preset 12 -g 25 -c:a flac -ac 2 -sample_fmt s16"
        ),
    );
    let contents = std::fs::read(film).unwrap();
    let answer = upload(&server, "My film.mp4", &contents).json();
    let id = answer["dataId"].as_str().unwrap().to_owned();
    assert_eq!(
        (&answer["success"], id.len()),
        (&true.into(), 24),
        "{answer}"
    );
    let vod = vods(&server, &id);
    assert_eq!(
        (&vod["type"], &vod["vodName"], &vod["metadata"]),
        (
            &"uploadedVod".into(),
            &"My film.mp4".into(),
            &"{\"place\":\"hall\"}".into()
        )
    );
    assert_eq!(vod["fileSize"].as_u64(), Some(contents.len() as u64));
    assert!(
        vod["duration"].as_u64().unwrap().abs_diff(6_000) < 200,
        "{vod}"
    );
    let served = server.get(&format!("/LiveApp/{}", vod["filePath"].as_str().unwrap()));
    assert!(served.body == contents);
    for (name, contents, status, message) in [
        ("x.exe", &contents[..], 200, "notSupportedFileType"),
        ("x.mp4", b"hello", 200, "the file is no MP4"),
        (
            "x.mp4",
            &contents[..contents.len() / 2],
            200,
            "the file is no MP4",
        ),
        ("x.webm", &vec![0; 4_000_000], 413, "too long"),
    ] {
        let answer = upload(&server, name, contents);
        assert_eq!(answer.status, status, "{name}");
        let words = answer.json()["message"].to_string();
        assert!(words.contains(message), "{name}: {words}");
    }
    let left = std::fs::read_dir(server.data().join("recordings/LiveApp")).unwrap();
    assert_eq!(left.count(), 1);

    let directory = |method: &str, folder: &str| {
        let path = format!("/LiveApp/rest/v2/vods/directory?directory={folder}");
        http::request(server.http, method, &path, &[], b"").json()
    };
    std::fs::create_dir(films.path().join("more")).unwrap();
    for name in ["a.mp4", "more/a.mp4", "note.txt"] {
        std::fs::write(films.path().join(name), &contents).unwrap();
    }
    assert_eq!(directory("POST", root)["message"], "2 files are imported");
    assert_eq!(directory("POST", root)["message"], "0 files are imported");
    for elsewhere in ["/", "/etc", &format!("{root}/.."), "nowhere"] {
        assert_eq!(
            directory("POST", elsewhere)["success"],
            false,
            "{elsewhere}"
        );
    }
    assert_eq!(vods(&server, "count")["number"], 3);
    let sorted = vods(&server, "list/0/10?sort_by=name&order_by=desc");
    let names: Vec<&Value> = sorted
        .as_array()
        .unwrap()
        .iter()
        .map(|vod| &vod["vodName"])
        .collect();
    assert_eq!(names, ["My film.mp4", "a.mp4", "a.mp4"]);
    assert_eq!(
        vods(&server, "list/0/10?search=HALL")
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(server.get("/LiveApp/streams/a_1.mp4").body == contents);
    assert_eq!(directory("DELETE", root)["message"], "2 files are unlinked");
    assert_eq!(server.get("/LiveApp/streams/a.mp4").status, 404);
    assert!(films.path().join("more/a.mp4").exists());
}

#[test]
fn recordings_are_for_those_who_may_play() {
    let server = Server::with(&[
        "--set",
        "auth.players=[\"eve:secret\"]",
        "--set",
        "record.always=true",
    ]);
    publish_for(&server, "cam", Clip::Small, 3).finish(seconds(30));
    wait_until("it is complete", seconds(10), || {
        vods(&server, "count")["number"] == 1
    });
    assert_eq!(server.get("/LiveApp/streams/cam.mp4").status, 401);
    let path = "/LiveApp/streams/cam.mp4?user=eve&pass=secret";
    assert_eq!(server.get(path).status, 200);
}
