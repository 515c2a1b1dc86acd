//! A source whose clock is wrong in every way: no output ends, and what was mended is told.

use crate::browser::{self, wait_line};
use crate::support::clips::Clip;
use crate::support::limit;
use crate::support::media::{Seen, decoding, decoding_to_end, packets};
use crate::support::nginx::Nginx;
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client};
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_for, wait_until};
use bytes::Bytes;
use flv::file::{Reader, Tag, TagKind};
use rtmp::chunk::MessageType;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where the clock begins: its 32 bits of milliseconds wrap after two seconds.
const START: u32 = u32::MAX - 2_000;

/// Milliseconds from the first fault until all are over.
const FAULTS: u32 = 25_000;

/// The sound stands still between these, for 12 s.
const STALL: std::ops::Range<u32> = 11_000..23_000;

/// What is wrong at a moment, in milliseconds since the first fault.
#[derive(Default)]
struct Fault {
    /// Added to the time that is told.
    step: i64,
    /// Pictures are presented before they are decoded.
    early: bool,
    /// There is no sound.
    stalled: bool,
}

impl Fault {
    const fn at(time: u32) -> Self {
        let step = match time {
            // An hour ahead, and back again; eleven seconds, and back.
            1_000..3_000 => 3_600_000,
            4_000..5_000 => 11_000,
            // The same time for a fifth of a second, and half a second back.
            6_000..7_000 => -(time as i64 % 200),
            8_000..9_000 => -500,
            _ => 0,
        };
        Self {
            step,
            early: matches!(time, 9_500..10_500),
            stalled: STALL.start <= time && time < STALL.end,
        }
    }
}

/// Publishes the stream `cam`, rightly until it is told to go wrong, and after all faults.
struct Source {
    wrong: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Source {
    #[track_caller]
    fn start(server: &Server) -> Self {
        let (client, answer) = Client::publish(server.rtmp, "LiveApp", "cam");
        assert_eq!(answer, Answer::Granted);
        let [wrong, over, ended] = [false; 3].map(|flag| Arc::new(AtomicBool::new(flag)));
        let thread = std::thread::spawn({
            let (wrong, over, ended) = (wrong.clone(), over.clone(), ended.clone());
            move || publish(client, &wrong, &over, &ended)
        });
        server.wait_live("cam");
        Self {
            wrong,
            over,
            ended,
            thread: Some(thread),
        }
    }

    /// Goes wrong in every way, and is right again when this returns.
    #[track_caller]
    fn go_wrong(&self) {
        self.wrong.store(true, Ordering::Relaxed);
        wait_until("all faults are over", seconds(60), || {
            self.over.load(Ordering::Relaxed)
        });
    }

    /// Says goodbye.
    fn end(mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn tags() -> Vec<Tag> {
    let mut reader = Reader::new();
    let file = std::fs::read(Clip::Small.file()).unwrap();
    reader.push(&file).unwrap();
    std::iter::from_fn(|| reader.pull()).collect()
}

fn publish(mut client: Client, wrong: &AtomicBool, over: &AtomicBool, ended: &AtomicBool) {
    let tags = tags();
    // The clip again and again, each time behind the last.
    let length = tags.iter().map(|tag| tag.timestamp).max().unwrap() + 40;
    let rounds = (0u32..).map(|round| round * length);
    let media = rounds.flat_map(|begin| tags.iter().map(move |tag| (begin + tag.timestamp, tag)));
    let begun = Instant::now();
    let mut first_fault = None;
    for (time, tag) in media {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        if wrong.load(Ordering::Relaxed) {
            first_fault.get_or_insert(time);
        }
        let since = first_fault.map(|first| time.saturating_sub(first));
        over.store(since.is_some_and(|since| since > FAULTS), Ordering::Relaxed);
        let fault = since.map(Fault::at).unwrap_or_default();
        let kind = match tag.kind {
            TagKind::Video => MessageType::VIDEO,
            TagKind::Audio if fault.stalled => continue,
            TagKind::Audio => MessageType::AUDIO,
            TagKind::Script => continue,
        };
        let due = Duration::from_millis(time.into());
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let body = if fault.early && kind == MessageType::VIDEO {
            presented_early(&tag.body)
        } else {
            tag.body.clone()
        };
        let told = START.wrapping_add(time).wrapping_add(fault.step as u32);
        client.send(kind, told, &body).unwrap();
    }
    client.session.stop();
    // What it still has to say is on its way before this ends.
    let _ = client.next(Instant::now() + Duration::from_millis(200));
}

/// The body of a picture with a composition time of -400 ms. That of a configuration stays as it is.
fn presented_early(body: &Bytes) -> Bytes {
    let mut body = body.to_vec();
    if let [_, 1, time @ ..] = &mut body[..] {
        let [.., high, middle, low] = (-400i32).to_be_bytes();
        time[..3].copy_from_slice(&[high, middle, low]);
    }
    body.into()
}

/// Whether ffmpeg complains of a time that is before the last one: by a millisecond or more for sound, as it takes equal
/// milliseconds of RTMP for a step of some samples, back or forth.
fn goes_back(line: &str) -> bool {
    let number = |behind: &str| -> Option<i64> {
        let (_, rest) = line.split_once(behind)?;
        rest.split([',', ';']).next()?.trim().parse().ok()
    };
    let (Some(previous), Some(current)) = (number("previous:"), number("current:")) else {
        return line.to_lowercase().contains("monoton");
    };
    let samples_of_a_millisecond = 44;
    !line.contains("stream 0:1") || previous - current >= samples_of_a_millisecond
}

#[test]
fn no_output_ends_because_of_a_timestamp() {
    let server = Server::start();
    let nginx = Nginx::start();
    let source = Source::start(&server);
    let endpoint = json!({ "endpointUrl": nginx.url("far") }).to_string();
    let answer = server.rest("POST", "/cam/endpoint", &endpoint).json();
    assert_eq!(answer["success"], true, "{answer}");
    let answer = server.rest("PUT", "/cam/recording/true", "").json();
    assert_eq!(answer["success"], true, "{answer}");
    let players = [
        server.rtmp_url("cam"),
        server.url("/LiveApp/streams/cam.m3u8"),
    ];
    let players = players.map(|url| Peer::start(&mut decoding_to_end(&url)));
    for player in &players {
        wait_until("a player sees something", seconds(60), || {
            Seen::in_text(&player.stdout.text()).pictures > 25
        });
    }
    wait_target(&server);

    source.go_wrong();
    // All of them go on: these see more, the far server still gets it.
    for player in &players {
        let before = Seen::in_text(&player.stdout.text()).pictures;
        wait_until("a player sees more", seconds(60), || {
            Seen::in_text(&player.stdout.text()).pictures > before + 50
        });
    }
    wait_target(&server);
    let far = Peer::start(&mut decoding(&nginx.url("far"), 3)).finish(seconds(60));
    let seen = Seen::of(&far);
    assert!(seen.pictures >= 50 && seen.sound > 2.0, "{seen:?}");
    assert!(
        !server.log.text().contains("target failed"),
        "{}",
        server.log.text()
    );
    the_repairs_are_told(&server);

    let answer = server.rest("PUT", "/cam/recording/false", "").json();
    assert_eq!(answer["success"], true, "{answer}");
    the_recording_is_whole(&server);

    source.end();
    for player in players {
        let finished = player.finish(seconds(60));
        let goes_back = finished.stderr.lines().any(goes_back);
        assert!(
            finished.status.success() && !goes_back,
            "{}",
            finished.stderr
        );
    }
}

/// The far server takes the stream.
#[track_caller]
fn wait_target(server: &Server) {
    wait_until("the target is live", seconds(30), || {
        let broadcast = server.broadcast("cam").unwrap();
        broadcast["endPointList"][0]["status"] == "broadcasting"
    });
}

#[track_caller]
fn the_repairs_are_told(server: &Server) {
    let repairs = &server.broadcast("cam").unwrap()["timeRepairs"];
    assert_eq!(
        (&repairs["jumps"], &repairs["drifts"]),
        (&4.into(), &0.into())
    );
    for kind in ["notGrowing", "presentedBeforeDecoded"] {
        assert!(repairs[kind].as_u64().unwrap() > 20, "{repairs}");
    }
    let metrics = server.get("/metrics").text();
    let line = r#"millstream_time_repairs_total{stream="LiveApp/cam",kind="jumps"} 4"#;
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    server.wait_log(
        seconds(1),
        &["LiveApp/cam", "times of the source mended", "jumps 1"],
    );
}

/// One file, whose times grow and whose length is that of the media: without the hour that never was.
#[track_caller]
fn the_recording_is_whole(server: &Server) {
    let vods = wait_for("the recording is listed", seconds(20), || {
        let vods = server.get("/LiveApp/rest/v2/vods/list/0/10").json();
        Some(vods).filter(|vods| vods[0].is_object())
    });
    assert_eq!(vods.as_array().unwrap().len(), 1, "{vods}");
    let file = server.data().join("recordings/LiveApp/cam.mp4");
    let mut ffprobe = tool("ffprobe");
    ffprobe.args(["-v", "error", "-of", "json", "-show_streams"]);
    ffprobe.args([
        "-show_entries",
        "packet=stream_index,codec_type,pts,dts,pts_time,dts_time,flags",
    ]);
    let finished = Peer::start(ffprobe.arg(file))
        .finish(seconds(30))
        .without_complaint();
    let probed: Value = serde_json::from_str(&finished.stdout).unwrap();
    let end = ["video", "audio"].map(|kind| {
        let packets = packets(&probed, kind);
        let grow = packets.windows(2).all(|pair| pair[0].dts < pair[1].dts);
        assert!(
            grow && packets.iter().all(|packet| packet.pts >= packet.dts),
            "{kind}"
        );
        let times = probed["packets"].as_array().unwrap().iter();
        let times = times.filter(|packet| packet["codec_type"] == kind);
        let time = |packet: &Value| packet["dts_time"].as_str().unwrap().parse::<f64>().unwrap();
        times.map(time).fold(0.0, f64::max)
    });
    // Sound is back beside the pictures.
    assert!((end[0] - end[1]).abs() < 1.0, "{end:?}");
    let faults = f64::from(FAULTS) / 1_000.0;
    assert!((faults..faults + 600.0).contains(&end[0]), "{end:?}");
    let pictures = packets(&probed, "video").len() as f64;
    let expected = end[0] * 25.0;
    assert!(
        (pictures - expected).abs() < expected / 20.0,
        "{pictures} of {expected}"
    );
}

#[test]
fn browsers_go_on_whatever_the_clock_does() {
    for order in ["webrtc", "hls"] {
        let server = Server::start();
        let source = Source::start(&server);
        let _place = limit::BROWSER.take();
        let path = format!("/LiveApp/play.html?id=cam&playOrder={order}");
        let page = browser::follow(&server, &path, 0);
        wait_line(&page, &["moves"]);
        source.go_wrong();
        let settled = page.stdout.count(|_| true);
        wait_until("the picture goes on moving", seconds(40), || {
            let text = page.stdout.text();
            let lately = text.lines().skip(settled);
            lately.filter(|line| line.starts_with("moves")).count() >= 5
        });
        assert_eq!(page.stderr.text(), "", "{order}");
        source.end();
    }
}
