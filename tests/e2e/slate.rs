//! The slate: a file that is shown while a stream's sources are gone. Whoever watches, and where the stream is pushed to,
//! stays connected: pictures and sound go on, and time with them.

use crate::browser::{follow_and_listen, wait_line};
use crate::library::upload;
use crate::record::vods;
use crate::restream;
use crate::support::clips::Clip;
use crate::support::http::{self, Response};
use crate::support::limit;
use crate::support::media::{publish, start_publishing};
use crate::support::nginx::Nginx;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{frames, seconds, wait_for, wait_until};
use serde_json::json;

/// Two seconds of red and a tone of 880 Hz; of the form of [`Clip::Standard`], or of that of [`Clip::Small`].
fn red(of: Clip, more: &str) -> Vec<u8> {
    let (picture, sound, name) = match of {
        Clip::Small => ("size=320x240:rate=25", "sample_rate=44100", "small"),
        _ => ("size=640x360:rate=30", "sample_rate=48000", "standard"),
    };
    let channels = if of == Clip::Small { 1 } else { 2 };
    let arguments = format!(
        "-f lavfi -i color=red:{picture} -f lavfi -i sine=frequency=880:{sound} -t 2 -c:v libx264 -preset ultrafast \
         -tune zerolatency -pix_fmt yuv420p -g 30 {more} -c:a aac -ac {channels}"
    );
    let name = format!("red-{name}{}.mp4", more.replace(' ', ""));
    std::fs::read(frames::made(&name, &arguments)).unwrap()
}

/// Uploads a file; its name among the recordings.
#[track_caller]
fn uploaded(server: &Server, contents: &[u8]) -> String {
    let answer = upload(server, "red.mp4", contents).json();
    assert_eq!(answer["success"], true, "{answer}");
    let vod = vods(server, answer["dataId"].as_str().unwrap());
    let path = vod["filePath"].as_str().unwrap();
    path.strip_prefix("streams/").unwrap().to_owned()
}

fn ask(server: &Server, method: &str, body: &str) -> Response {
    let path = "/api/v1/streams/LiveApp/cam/slate";
    let kind = [("Content-Type", "application/json")];
    http::request(server.http, method, path, &kind, body.as_bytes())
}

fn set(server: &Server, file: &str) -> Response {
    ask(server, "PUT", &json!({ "file": file }).to_string())
}

/// Makes the one colour of a picture red, where it is nearly that, and another that is not.
const IS_RED: &str = "lutrgb=r='gt(val,180)*255':g='gt(val,80)*255':b='gt(val,80)*255'";

/// The checksum of a red picture.
const RED: &str = "0x02fd00ff";

/// A player that writes down what it sees and hears: each picture as its one colour.
struct Viewer {
    name: &'static str,
    peer: Peer,
}

/// Time in seconds, and what it is.
type Seen = Vec<(f64, String)>;

impl Viewer {
    fn start(name: &'static str, url: &str, input: &[&str]) -> Self {
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error"]).args(input);
        ffmpeg.args(["-i", url, "-map", "0:v", "-map", "0:a"]);
        ffmpeg.args(["-vf", &format!("scale=1:1,format=rgb24,{IS_RED}")]);
        ffmpeg.args([
            "-fps_mode",
            "passthrough",
            "-enc_time_base:v",
            "1/1000",
            "-f",
            "framecrc",
            "-",
        ]);
        let peer = Peer::start(&mut ffmpeg);
        Self { name, peer }
    }

    fn seen(&self) -> [Seen; 2] {
        let text = self.peer.stdout.text();
        let mut seen = [Seen::new(), Seen::new()];
        let mut ticks = [1_000.0; 2];
        for line in text.lines() {
            if let Some(line) = line.strip_prefix("#tb ") {
                let (stream, timebase) = line.split_once(": ").unwrap();
                let (over, under) = timebase.split_once('/').unwrap();
                let tick = under.parse::<f64>().unwrap() / over.parse::<f64>().unwrap();
                ticks[stream.parse::<usize>().unwrap()] = tick;
            } else if !line.starts_with('#') {
                let fields: Vec<&str> = line.split(',').map(str::trim).collect();
                let stream = fields[0].parse::<usize>().unwrap();
                let time = fields[2].parse::<f64>().unwrap() / ticks[stream];
                seen[stream].push((time, fields[5].to_owned()));
            }
        }
        seen
    }

    /// How many of the newest pictures are red.
    fn red(&self) -> usize {
        let [pictures, _] = self.seen();
        let newest = pictures.iter().rev();
        newest.take_while(|(_, sum)| sum == RED).count()
    }

    /// Time goes on, without a step back and without a long one.
    #[track_caller]
    fn check(&self) {
        for (kind, seen) in ["pictures", "sound"].into_iter().zip(self.seen()) {
            let steps = seen.windows(2).map(|pair| pair[1].0 - pair[0].0);
            let worst = steps.clone().fold(0.0, f64::max);
            let least = steps.fold(1.0, f64::min);
            assert!(
                least > 0.0 && worst < 2.0,
                "{kind} of {}: from {least} to {worst}",
                self.name
            );
        }
        let [pictures, sound] = self.seen();
        let end = |seen: &Seen| seen.last().map_or(0.0, |(time, _)| *time);
        assert!(
            (end(&pictures) - end(&sound)).abs() < 2.0,
            "{} ends with pictures at {} and sound at {}",
            self.name,
            end(&pictures),
            end(&sound)
        );
    }
}

#[test]
fn viewers_and_targets_stay_with_the_slate_until_the_source_is_back() {
    let server = Server::with(&["--set", "streams.grace=2s"]);
    let nginx = Nginx::start();
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    let slate = uploaded(&server, &red(Clip::Standard, ""));
    let first = publish(&server, "cam", Clip::Standard);
    let answer = set(&server, &slate);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json(), json!({ "file": slate, "shown": false }));
    let target = restream::add(&server, "cam", &nginx.url("key"));
    let of_target = || restream::wait_state(&server, "cam", &target, "broadcasting", seconds(20));
    of_target();
    let mut viewers = [
        Viewer::start("RTMP", &server.rtmp_url("cam"), &[]),
        Viewer::start("RTSP", &server.rtsp_url("cam"), &["-rtsp_transport", "tcp"]),
        Viewer::start("the target", &nginx.url("key"), &[]),
    ];
    for viewer in &viewers {
        wait_until("the source is seen", seconds(40), || {
            viewer.seen()[0].len() > 60 && viewer.red() == 0
        });
    }
    first.kill();
    // For longer than a stream without one would last.
    for viewer in &viewers {
        wait_until("the slate is seen for six seconds", seconds(60), || {
            viewer.red() > 180
        });
    }
    assert_eq!(ask(&server, "GET", "").json()["shown"], true);
    let broadcast = server.broadcast("cam").unwrap();
    assert_eq!(broadcast["status"], "terminated_unexpectedly");
    assert_eq!(broadcast["bitrate"], 0, "{broadcast}");

    let second = start_publishing(&server, "cam", Clip::Standard);
    for viewer in &viewers {
        wait_until("the source is seen again", seconds(60), || {
            viewer.red() == 0
        });
    }
    server.wait_live("cam");
    of_target();
    assert_eq!(
        server
            .log
            .count(|line| line.contains("target takes the stream")),
        1
    );
    for viewer in &mut viewers {
        assert!(viewer.peer.is_running(), "{}", viewer.name);
        viewer.check();
    }
    // Without the slate, goodbye is the end.
    let gone = ask(&server, "DELETE", "");
    assert_eq!(gone.json(), json!({ "file": null, "shown": false }));
    second.signal("INT");
    wait_until("the players have ended", seconds(30), || {
        viewers[..2]
            .iter_mut()
            .all(|viewer| !viewer.peer.is_running())
    });
}

#[test]
fn browsers_stay_with_the_slate_of_a_stream_of_the_configuration_file() {
    let _places = [limit::BROWSER.take(), limit::BROWSER.take()];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("red.mp4");
    std::fs::write(&path, red(Clip::Small, "")).unwrap();
    let slate = format!("stream.cam.slate={:?}", path.to_str().unwrap());
    let server = Server::with(&["--set", "streams.grace=2s", "--set", &slate]);
    let first = publish(&server, "cam", Clip::Small);
    let pages = ["webrtc", "hls"].map(|player| {
        let path = format!("/LiveApp/play.html?id=cam&playOrder={player}");
        (player, follow_and_listen(&server, &path))
    });
    for (_, page) in &pages {
        wait_line(page, &["moves", "\"heard\":true"]);
    }
    let joined = |protocol: &str| {
        let name = format!("millstream_joins_total{{protocol=\"{protocol}\"}} ");
        let metrics = server.get("/metrics").text();
        let mut lines = metrics.lines();
        lines.find_map(|line| line.strip_prefix(&name).map(str::to_owned))
    };
    assert_eq!(joined("webrtc").as_deref(), Some("1"));
    // Four lines in a row, of what comes from now on.
    let goes_on = |what: &str| {
        for (player, page) in &pages {
            let from = page.stdout.count(|_| true);
            wait_until(&format!("{what} by {player}"), seconds(60), || {
                let text = page.stdout.text();
                let lines: Vec<&str> = text.lines().skip(from).collect();
                lines.windows(4).any(|lines| {
                    let is_well =
                        |line: &&str| line.starts_with("moves") && line.contains("\"heard\":true");
                    lines.iter().all(is_well)
                })
            });
        }
    };
    // It says goodbye.
    first.signal("INT");
    first.finish(seconds(10));
    server.wait_log(seconds(20), &["the slate is shown"]);
    // What was buffered is over by then.
    std::thread::sleep(seconds(8));
    goes_on("the slate is seen and heard");
    let _second = publish(&server, "cam", Clip::Small);
    server.wait_log(seconds(20), &["the slate gives way"]);
    goes_on("the source is seen and heard again");
    // WebRTC is the session that it was.
    assert_eq!(joined("webrtc").as_deref(), Some("1"));
    for (_, page) in &pages {
        assert_eq!(page.stderr.text(), "");
    }
}

#[test]
fn what_does_not_match_is_told_in_words() {
    let server = Server::with(&["--set", "streams.grace=1s"]);
    assert_eq!(set(&server, "a.mp4").status, 404);
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    let refused = |file: &str, words: &str| {
        let answer = set(&server, file);
        assert_eq!(answer.status, 422, "{file}");
        assert!(answer.text().contains(words), "{}", answer.text());
    };
    refused("nobody.mp4", "there is no such file");
    // A file of the machine is named in the configuration alone.
    refused("/etc/passwd", "no name of a recording");
    refused("../x.mp4", "no name of a recording");
    let other = uploaded(&server, &red(Clip::Small, ""));
    let reordered = uploaded(&server, &red(Clip::Standard, "-bf 2"));
    let fitting = uploaded(&server, &red(Clip::Standard, ""));
    let mut publisher = publish(&server, "cam", Clip::Standard);
    refused(&other, "H264 of 320x240, and the stream H264 of 640x360");
    refused(&reordered, "B-frames");
    assert_eq!(set(&server, &fitting).status, 200);
    assert_eq!(ask(&server, "GET", "").json()["file"], fitting);
    // An encoder that is another by then: its viewers are told, as without a slate.
    publisher.signal("INT");
    wait_until("it is gone", seconds(10), || !publisher.is_running());
    server.wait_log(seconds(10), &["the slate is shown"]);
    let small = publish(&server, "cam", Clip::Small);
    server.wait_log(seconds(10), &["the slate gives way"]);
    small.kill();
    server.wait_log(
        seconds(10),
        &["no slate while the source is gone", "640x360"],
    );
    let ended = wait_for("the stream ends", seconds(20), || {
        let status = server.broadcast("cam").unwrap()["status"].clone();
        (status == "finished").then_some(status)
    });
    assert_eq!(ended, "finished");
}
