//! Real and hostile clients beside each other: who behaves well misses nothing, and the server is left as it was.
//!
//! [`hostile_clients_harm_nobody`] is one round of the protocol tester (`fuzz/tester`), whose report stays in the target
//! folder. [`real_and_hostile_clients`] is rounds for as long as it is told: `cargo xtask soak --minutes N`.

use crate::support::clips::Clip;
use crate::support::http::get;
use crate::support::media::{Seen, decoding};
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client, tags};
use crate::support::server::Server;
use crate::support::{free_port, seconds};
use bytes::Bytes;
use flv::file::{Tag, TagKind};
use rtmp::chunk::MessageType;
use rtmp::client::Event;
use serde_json::json;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Well-behaved players, all the time.
const PLAYERS: usize = 3;

/// Growth allowed to a server after its first rounds: what allocators keep.
const GROWTH: u64 = 64 << 20;

/// And for each minute of the second half of a long run.
const SLOPE: f64 = 1_048_576.0;

#[test]
fn hostile_clients_harm_nobody() {
    let soak = Soak::start();
    // What waits for the half minute that a request over HTTP has is left to the long run.
    soak.attack(
        1,
        &[
            "--skip",
            "hls.abuse.half-open",
            "--skip",
            "webrtc.abuse.half-open",
            "--skip",
            "websocket.abuse.half-open",
            "--mutations",
            "40",
            "--patience",
            "60",
        ],
    );
    soak.finish();
}

#[test]
#[ignore = "as long as it is told"]
fn real_and_hostile_clients() {
    let minutes = std::env::var("MILLSTREAM_SOAK_MINUTES");
    let minutes: f64 = minutes.map_or(10.0, |minutes| minutes.parse().unwrap());
    let mut soak = Soak::start();
    let until = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let mut round = 0;
    while round < 2 || Instant::now() < until {
        round += 1;
        soak.leave_abruptly();
        soak.attack(round, &["--mutations", "100", "--patience", "60"]);
        soak.sample();
        eprintln!("round {round}: {:?}", soak.samples.last());
    }
    soak.finish();
}

/// A server with everybody who behaves well.
struct Soak {
    server: Server,
    udp: u16,
    stop: Arc<AtomicBool>,
    publisher: JoinHandle<usize>,
    players: Vec<JoinHandle<Played>>,
    begun: Instant,
    /// Without anybody hostile.
    before: Sample,
    samples: Vec<Sample>,
}

/// What a player has seen.
#[derive(Debug, Default)]
struct Played {
    pictures: usize,
    missed: usize,
}

/// What the server uses.
#[derive(Clone, Copy, Debug)]
struct Sample {
    minutes: f64,
    memory: u64,
    threads: usize,
    /// Sockets among them.
    files: usize,
    tasks: u64,
}

impl Soak {
    fn start() -> Self {
        let server = Server::with(&["--demo"]);
        let stop = Arc::new(AtomicBool::new(false));
        let clip = tags(Clip::Standard);
        let pictures: Arc<HashMap<Bytes, usize>> = Arc::new(numbered(&clip));
        let (client, answer) = Client::publish(server.rtmp, "LiveApp", "good");
        assert_eq!(answer, Answer::Granted);
        let publisher = publish(client, clip, Arc::clone(&stop));
        server.wait_live("good");
        let play = |_| {
            let (client, answer) = Client::play(server.rtmp, "LiveApp", "good");
            assert_eq!(answer, Answer::Granted);
            play(client, Arc::clone(&pictures), Arc::clone(&stop))
        };
        let players = (0..PLAYERS).map(play).collect();
        let udp = free_port();
        let source = json!({
            "type": "streamSource", "name": "udp", "streamId": "udp", "streamUrl": format!("udp://127.0.0.1:{udp}"),
        });
        let made = server.rest("POST", "/create?autoStart=true", &source.to_string());
        assert_eq!(made.status, 200, "{}", made.text());
        let begun = Instant::now();
        let before = Sample::of(&server, begun);
        Self {
            server,
            udp,
            stop,
            publisher,
            players,
            begun,
            before,
            samples: Vec::new(),
        }
    }

    /// One run of the tester against everything, while real players decode. All that has to hold does.
    fn attack(&self, seed: u64, more: &[&str]) {
        let http = |path: &str| self.server.url(&format!("/LiveApp/{path}"));
        let player = |url: &str| Peer::start(&mut decoding(url, 5));
        let players = [
            player(&self.server.rtsp_url("good")),
            player(&http("streams/good.flv")),
        ];
        let report = |ending: &str| report_folder().join(format!("tester.{ending}"));
        let output = Command::new(tester())
            .args(["--together", "--growth", "128", "--limit", "20"])
            .args(["--pid", &self.server.pid().to_string()])
            .args(["--seed", &seed.to_string()])
            .args(["--rtmp", &self.server.rtmp_url("rtmp")])
            .args(["--rtsp", &self.server.rtsp_url("demo")])
            .args(["--rtsp-publish", &self.server.rtsp_url("rtsp")])
            .args(["--srt", &self.server.srt_url("publish:LiveApp/srt")])
            .args(["--whep", &http("whep/demo")])
            .args(["--whip", &http("whip/whip")])
            .args(["--hls", &http("streams/demo.m3u8")])
            .args(["--udp", &format!("udp://127.0.0.1:{}", self.udp)])
            .args(["--udp-playlist", &http("streams/udp.m3u8")])
            .args([
                "--websocket",
                &http("streams/good.flv").replace("http", "ws"),
            ])
            .arg("--json")
            .arg(report("json"))
            .arg("--junit")
            .arg(report("xml"))
            .args(more)
            .output()
            .unwrap_or_else(|error| panic!("{error}: cargo test --workspace builds the tester"));
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        std::fs::write(report("txt"), &told).unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}{complaint}");
        for player in players {
            let finished = player.finish(seconds(60));
            Seen::of(&finished.without_complaint()).assert_about(5.0, 30.0);
        }
        assert_eq!(get(self.server.http, "/healthz").status, 200);
    }

    /// A publisher and players that are gone from one moment to the next.
    fn leave_abruptly(&self) {
        for _ in 0..20 {
            let (publisher, answer) = Client::publish(self.server.rtmp, "LiveApp", "flighty");
            drop(Client::play(self.server.rtmp, "LiveApp", "good"));
            drop(publisher);
            // The one before may not have been missed yet.
            assert!(
                matches!(answer, Answer::Granted | Answer::Rejected(_)),
                "{answer:?}"
            );
        }
    }

    fn sample(&mut self) {
        self.samples.push(Sample::of(&self.server, self.begun));
    }

    /// Everybody leaves. Nobody who behaved has missed anything, and nothing is left of the others.
    fn finish(mut self) {
        let long = self.samples.len() > 1;
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.publisher.join().unwrap();
        for player in self.players.drain(..) {
            let played = player.join().unwrap();
            eprintln!("{played:?} of {sent} pictures");
            assert_eq!(played.missed, 0, "{played:?}");
            // It begins where a decoder can, and ends with the test.
            assert!(
                played.pictures + 300 > sent && sent > 300,
                "{played:?} of {sent}"
            );
        }
        let metrics = get(self.server.http, "/metrics").text();
        assert!(
            metrics.contains("\nmillstream_panics_total 0\n"),
            "{metrics}"
        );
        if !long {
            return;
        }
        let (first, last) = (self.samples[0], self.samples[self.samples.len() - 1]);
        let slope = slope(&self.samples[self.samples.len() / 2..]);
        eprintln!(
            "memory: {:.0} KiB a minute in the second half; before: {:?}",
            slope / 1_024.0,
            self.before
        );
        assert!(last.memory < first.memory + GROWTH, "{first:?} {last:?}");
        assert!(
            last.minutes < 10.0 || slope < SLOPE,
            "{slope} bytes a minute"
        );
        // Sessions and connections that nobody ends have half a minute, most of them.
        let deadline = Instant::now() + seconds(120);
        loop {
            let now = Sample::of(&self.server, self.begun);
            let before = self.before;
            if now.files <= before.files + 8
                && now.tasks <= before.tasks + 8
                && now.threads <= before.threads + 8
            {
                eprintln!("afterwards: {now:?}");
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{now:?}, and before {:?}",
                self.before
            );
            std::thread::sleep(seconds(1));
        }
    }
}

impl Sample {
    fn of(server: &Server, begun: Instant) -> Self {
        let metrics = get(server.http, "/metrics").text();
        let tasks = metrics
            .lines()
            .find_map(|line| line.strip_prefix("millstream_tasks "));
        Self {
            minutes: begun.elapsed().as_secs_f64() / 60.0,
            memory: server.resident_bytes(),
            threads: server.threads(),
            files: server.open_files(),
            tasks: tasks.unwrap().parse().unwrap(),
        }
    }
}

/// Sends the clip again and again until it is told to stop: how many pictures.
fn publish(mut client: Client, clip: Vec<Tag>, stop: Arc<AtomicBool>) -> JoinHandle<usize> {
    std::thread::spawn(move || {
        let (begun, mut sent) = (Instant::now(), 0);
        let length = clip.iter().map(|tag| tag.timestamp).max().unwrap() + 33;
        for turn in 0.. {
            for tag in &clip {
                let kind = match tag.kind {
                    TagKind::Video => MessageType::VIDEO,
                    TagKind::Audio => MessageType::AUDIO,
                    TagKind::Script => continue,
                };
                let time = turn * length + tag.timestamp;
                std::thread::sleep(
                    Duration::from_millis(time.into()).saturating_sub(begun.elapsed()),
                );
                if stop.load(Ordering::Relaxed) {
                    return sent;
                }
                client.send(kind, time, &tag.body).unwrap();
                sent += usize::from(is_picture(tag));
            }
        }
        sent
    })
}

/// Plays until it is told to stop, or has what was sent last.
fn play(
    mut client: Client,
    pictures: Arc<HashMap<Bytes, usize>>,
    stop: Arc<AtomicBool>,
) -> JoinHandle<Played> {
    std::thread::spawn(move || {
        let (mut played, mut last) = (Played::default(), None);
        while !stop.load(Ordering::Relaxed) {
            let event = client
                .next(Instant::now() + Duration::from_millis(200))
                .unwrap();
            let Some(Event::Video { payload, .. }) = event else {
                continue;
            };
            if payload.get(1) != Some(&1) {
                continue;
            }
            let number = *pictures.get(&payload).unwrap();
            if let Some(last) = last {
                played.missed += (number + pictures.len() - last - 1) % pictures.len();
            }
            last = Some(number);
            played.pictures += 1;
        }
        played
    })
}

fn is_picture(tag: &Tag) -> bool {
    tag.kind == TagKind::Video && tag.body.get(1) == Some(&1)
}

/// The clip's pictures in their order.
fn numbered(clip: &[Tag]) -> HashMap<Bytes, usize> {
    let pictures = clip.iter().filter(|tag| is_picture(tag));
    let count = pictures.clone().count();
    let pictures: HashMap<Bytes, usize> = pictures.map(|tag| tag.body.clone()).zip(0..).collect();
    assert_eq!(pictures.len(), count, "pictures that are the same");
    pictures
}

/// Bytes a minute, by least squares.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |value: &dyn Fn(&Sample) -> f64| samples.iter().map(value).sum::<f64>() / count;
    let (time, memory) = (
        mean(&|sample| sample.minutes),
        mean(&|sample| sample.memory as f64),
    );
    let product = |sample: &Sample| (sample.minutes - time) * (sample.memory as f64 - memory);
    let square = |sample: &Sample| (sample.minutes - time).powi(2);
    let spread = samples.iter().map(square).sum::<f64>();
    if spread > 0.0 {
        samples.iter().map(product).sum::<f64>() / spread
    } else {
        0.0
    }
}

/// The program of the package `millstream-tester`, beside the server's.
fn tester() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_millstream")).with_file_name("millstream-tester")
}

/// Where reports stay.
fn report_folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reports");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
