//! Targets of one stream of which some die, stand still, refuse or never answer: none of the others misses anything.

use crate::restream::{add, wait_state};
use crate::support::clips::Clip;
use crate::support::media::{packets, probe, publish};
use crate::support::nginx::{Nginx, TlsProxy, free_port};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_for};
use serde_json::Value;
use std::net::TcpListener;

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

#[test]
fn targets_that_die_or_stand_still_are_felt_by_none_of_the_others() {
    let (mut dying, still, encrypted) = (Nginx::start(), Nginx::start(), Nginx::start());
    let proxy = TlsProxy::start(encrypted.port);
    let server = Server::with(&["--set", &proxy.trusted()]);
    let _publisher = publish(&server, "cam", Clip::Standard);
    let ports = [free_port(), free_port(), free_port()];
    let rtmp = format!("rtmp://127.0.0.1:{}/app/key", ports[0]);
    let tcp = format!("tcp://127.0.0.1:{}", ports[1]);
    let srt = format!("srt://127.0.0.1:{}", ports[2]);
    let (tcp_listener, srt_listener) = (format!("{tcp}?listen=1"), format!("{srt}?mode=listener"));
    let counting = [
        (
            "rtmp",
            listening(&["-listen", "1", "-f", "flv", "-i", &rtmp]),
        ),
        ("mpegts", listening(&["-f", "mpegts", "-i", &tcp_listener])),
        ("srt", listening(&["-f", "mpegts", "-i", &srt_listener])),
    ];
    let secure = format!("rtmps://localhost:{}/app/key", proxy.port);
    let well = [&rtmp, &tcp, &srt, &secure].map(|url| add(&server, "cam", url));
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

    for (what, peer) in counting {
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
