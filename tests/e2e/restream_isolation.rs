//! Targets of one stream of which some die, stand still, refuse or never answer: none of the others misses anything.

use crate::restream::{add, wait_state};
use crate::support::camera::camera_with;
use crate::support::clips::Clip;
use crate::support::limit;
use crate::support::media::{packets, probe, publish};
use crate::support::nginx::{Nginx, TlsProxy};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::srt::relaying;
use crate::support::tools::tool;
use crate::support::{free_port, seconds, wait_for, wait_until};
use crate::webrtc_client::serving;
use serde_json::Value;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

/// Seconds that are counted.
const COUNTED: u32 = 12;

/// Pictures in a second of the clip.
const RATE: usize = 30;

/// ffmpeg that waits to be pushed to and writes a line for each access unit, for the time that is counted.
fn listening(input: &[&str]) -> Peer {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-hide_banner", "-v", "error"])
        .args(input)
        .args(["-map", "0:v", "-c", "copy", "-t", &COUNTED.to_string()])
        .args(["-f", "framecrc", "-"]);
    Peer::start(&mut ffmpeg)
}

/// Every picture is there: times grow by one picture from line to line.
#[track_caller]
fn assert_whole(what: &str, lines: &str) {
    let scale = lines
        .lines()
        .find_map(|line| line.strip_prefix("#tb 0: 1/"));
    let scale: f64 = scale
        .unwrap_or_else(|| panic!("{what}: {lines}"))
        .parse()
        .unwrap();
    let times = lines.lines().filter(|line| !line.starts_with('#'));
    let times = times.map(|line| {
        line.split(',')
            .nth(1)
            .unwrap()
            .trim()
            .parse::<f64>()
            .unwrap()
    });
    let times: Vec<f64> = times.map(|time| time / scale).collect();
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    let missing: Vec<f64> = steps.filter(|step| *step > 1.4 / RATE as f64).collect();
    assert!(missing.is_empty(), "{what} misses pictures: {missing:?}");
    assert!(
        times.len() + RATE > COUNTED as usize * RATE,
        "{what}: {} pictures",
        times.len()
    );
}

fn targets(server: &Server) -> Vec<Value> {
    let broadcast = server.broadcast("cam").unwrap();
    broadcast["endPointList"].as_array().unwrap().clone()
}

/// Three far sides that count what they get, each with the URL of its target.
fn counting() -> [(&'static str, Peer, String); 3] {
    let ports = [free_port(), free_port(), free_port()];
    let rtmp = format!("rtmp://127.0.0.1:{}/app/key", ports[0]);
    let tcp = format!("tcp://127.0.0.1:{}", ports[1]);
    let srt = format!("srt://127.0.0.1:{}", ports[2]);
    let (tcp_listener, srt_listener) = (format!("{tcp}?listen=1"), format!("{srt}?mode=listener"));
    let by_rtmp = listening(&["-listen", "1", "-f", "flv", "-i", &rtmp]);
    let by_tcp = listening(&["-f", "mpegts", "-i", &tcp_listener]);
    let by_srt = listening(&["-f", "mpegts", "-i", &srt_listener]);
    [
        ("rtmp", by_rtmp, rtmp),
        ("mpegts", by_tcp, tcp),
        ("srt", by_srt, srt),
    ]
}

/// A far side that something is to happen to, on a port where it can be started again.
struct Victim {
    kind: &'static str,
    port: u16,
    peer: Option<Peer>,
    endpoint: String,
}

impl Victim {
    fn start(kind: &'static str, port: u16, folder: &Path) -> Self {
        let nowhere = ["-map", "0:v", "-c", "copy", "-f", "null", "-"];
        let (peer, port) = match kind {
            "rtsp" => {
                let record = format!("record={}", folder.join("none.mkv").display());
                camera_with(&[], &[], port, &[&record, "none"])
            }
            "srt" => {
                let from = format!("srt://127.0.0.1:{port}?mode=listener");
                let to = format!("udp://127.0.0.1:{}", free_port());
                (Peer::start(&mut relaying(&from, &to)), port)
            }
            "tcp" => {
                let mut ffmpeg = tool("ffmpeg");
                let from = format!("tcp://127.0.0.1:{port}?listen=1");
                ffmpeg.args(["-nostdin", "-v", "error", "-f", "mpegts", "-i", &from]);
                (Peer::start(ffmpeg.args(nowhere)), port)
            }
            _ => serving(120),
        };
        Self {
            kind,
            port,
            peer: Some(peer),
            endpoint: String::new(),
        }
    }

    fn url(&self) -> String {
        let (kind, port) = (self.kind, self.port);
        match kind {
            "rtsp" => format!("rtsp://127.0.0.1:{port}/cam"),
            "whip" => format!("whip://127.0.0.1:{port}/whip#token=word"),
            kind => format!("{kind}://127.0.0.1:{port}"),
        }
    }

    fn signal(&self, name: &str) {
        self.peer.as_ref().unwrap().signal(name);
    }
}

/// The address of one that accepts and reads a tenth of what the stream has.
fn slow() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let mut piece = [0; 2_048];
            while socket.read(&mut piece).is_ok_and(|read| read > 0) {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    format!("tcp://{address}")
}

#[test]
fn far_sides_of_every_kind_die_or_stand_still_and_nobody_else_misses_a_picture() {
    let _place = limit::ENCODING_BROWSER.take();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let victim = |kind, port| {
        let mut victim = Victim::start(kind, port, folder.path());
        victim.endpoint = add(&server, "cam", &victim.url());
        victim
    };
    let mut dying = vec![victim("whip", 0), victim("rtsp", 0)];
    let mut still = vec![victim("rtsp", 0)];
    for all in [&mut dying, &mut still] {
        all.push(victim("tcp", free_port()));
        all.push(victim("srt", free_port()));
    }
    let status = |victim: &Victim, status: &str| {
        wait_state(&server, "cam", &victim.endpoint, status, seconds(60));
    };
    for victim in dying.iter().chain(&still) {
        status(victim, "broadcasting");
    }
    // How far away each is, is known of all.
    wait_until("all have been measured", seconds(40), || {
        let all = targets(&server);
        all.iter()
            .all(|target| target["roundTripMs"].as_f64().is_some_and(|ms| ms > 0.0))
    });
    let slow = add(&server, "cam", &slow());
    let counting = counting();
    let well: Vec<String> = counting
        .iter()
        .map(|(.., url)| add(&server, "cam", url))
        .collect();
    for id in &well {
        wait_state(&server, "cam", id, "broadcasting", seconds(30));
    }
    let player = server.rtmp_url("cam");
    let player = std::thread::spawn(move || probe(&player, 9));

    for victim in &still {
        victim.signal("STOP");
    }
    for victim in &mut dying {
        victim.peer.take().unwrap().kill();
    }
    for victim in &mut dying {
        status(victim, "failed");
        // aiortc would listen elsewhere.
        if victim.kind != "whip" {
            victim.peer = Victim::start(victim.kind, victim.port, folder.path()).peer;
        }
    }
    for (what, peer, _) in counting {
        assert_whole(what, &peer.finish(seconds(60)).stdout);
    }
    let played = packets(&player.join().unwrap(), "video");
    let first = played.iter().position(|picture| picture.key).unwrap();
    for pair in played[first..].windows(2) {
        assert!((1..=42).contains(&(pair[1].dts - pair[0].dts)), "{pair:?}");
    }
    for target in targets(&server) {
        if well.iter().any(|id| target["endpointServiceId"] == **id) {
            assert_eq!(target["accessUnitsDropped"], 0, "{target}");
        }
    }
    // The slow one was sent what it read, from random access point to random access point.
    wait_until("the slow one has missed something", seconds(40), || {
        let all = targets(&server);
        all.iter().any(|target| {
            target["endpointServiceId"] == *slow && target["accessUnitsDropped"].as_u64() > Some(0)
        })
    });
    for victim in dying.iter().filter(|victim| victim.kind != "whip") {
        status(victim, "broadcasting");
    }
    for victim in &mut still {
        victim.signal("CONT");
    }
    // What waits for one caller alone has had it.
    for victim in &mut still {
        if victim.kind != "rtsp" {
            victim.peer.take().unwrap().kill();
            victim.peer = Victim::start(victim.kind, victim.port, folder.path()).peer;
        }
        status(victim, "broadcasting");
    }
}

#[test]
fn targets_that_die_or_stand_still_are_felt_by_none_of_the_others() {
    let (mut dying, still, encrypted) = (Nginx::start(), Nginx::start(), Nginx::start());
    let proxy = TlsProxy::start(encrypted.port);
    let server = Server::with(&["--set", &proxy.trusted()]);
    let _publisher = publish(&server, "cam", Clip::Standard);
    let counting = counting();
    let secure = format!("rtmps://localhost:{}/app/key", proxy.port);
    let urls = counting.iter().map(|(.., url)| url).chain([&secure]);
    let well: Vec<String> = urls.map(|url| add(&server, "cam", url)).collect();
    let (dies, stands) = (
        add(&server, "cam", &dying.url("a")),
        add(&server, "cam", &still.url("b")),
    );
    for id in well.iter().chain([&dies, &stands]) {
        wait_state(&server, "cam", id, "broadcasting", seconds(30));
    }
    // One that accepts and never says anything, one where nobody listens, one without an address, one that refuses.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent
        .local_addr()
        .map(|address| (silent, address.port()))
        .unwrap();
    for url in [
        format!("rtmp://127.0.0.1:{}/app/c", silent.1),
        format!("rtmp://127.0.0.1:{}/app/d", free_port()),
        "rtmp://no-such-host.invalid/app/e".to_owned(),
        format!("rtmp://127.0.0.1:{}/closed/f", encrypted.port),
    ] {
        add(&server, "cam", &url);
    }
    still.signal("STOP");
    dying.kill();
    wait_state(&server, "cam", &dies, "failed", seconds(20));
    dying.restart();
    let player = server.rtmp_url("cam");
    let player = std::thread::spawn(move || probe(&player, 6));
    let behind_tls = packets(&probe(&encrypted.url("key"), 6), "video");
    wait_state(&server, "cam", &dies, "broadcasting", seconds(30));

    for (what, peer, _) in counting {
        assert_whole(what, &peer.finish(seconds(40)).stdout);
    }
    let played = packets(&player.join().unwrap(), "video");
    for pictures in [behind_tls, played] {
        let first = pictures.iter().position(|picture| picture.key).unwrap();
        let gaps = pictures[first..]
            .windows(2)
            .map(|pair| pair[1].dts - pair[0].dts);
        assert!(
            gaps.clone().all(|gap| (1..=42).contains(&gap)),
            "{:?}",
            gaps.collect::<Vec<_>>()
        );
    }
    // By the server's own count, too: nothing was passed over.
    let all = targets(&server);
    for target in all
        .iter()
        .filter(|target| well.iter().any(|id| target["endpointServiceId"] == **id))
    {
        assert_eq!(target["accessUnitsDropped"], 0, "{target}");
        assert!(
            target["accessUnitsSent"].as_u64() > Some(u64::from(COUNTED) * 30),
            "{target}"
        );
    }
    still.signal("CONT");
    wait_for("the one that stood still goes on", seconds(40), || {
        let all = targets(&server);
        let target = all
            .iter()
            .find(|target| target["endpointServiceId"] == *stands)?;
        (target["status"] == "broadcasting").then_some(())
    });
}
