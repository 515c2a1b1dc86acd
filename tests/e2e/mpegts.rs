//! MPEG transport streams: pulled over UDP and TCP, pushed on, and watched over HTTP, with ffmpeg and GStreamer at the
//! far end.

use crate::support::camera::pull;
use crate::support::clips::Clip;
use crate::support::media::{Seen, decode, decoding, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::srt::is_bound;
use crate::support::tools::tool;
use crate::support::{free_port, http, program, seconds, wait_until};
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::UdpSocket;
use std::path::Path;
use std::time::Instant;

fn live(server: &Server, id: &str) -> String {
    server.url(&format!("/LiveApp/streams/{id}.live.ts"))
}

/// ffmpeg sending a clip without end.
fn sending(url: &str, options: &[&str]) -> Peer {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args([
            "-nostdin",
            "-hide_banner",
            "-v",
            "error",
            "-re",
            "-stream_loop",
            "-1",
            "-i",
        ])
        .arg(Clip::Standard.file())
        .args(["-c", "copy"])
        .args(options)
        .arg(url);
    Peer::start(&mut ffmpeg)
}

#[track_caller]
fn push(server: &Server, url: &str) {
    let body = json!({ "endpointUrl": url }).to_string();
    let answer = server.rest("POST", "/cam/endpoint", &body).json();
    assert_eq!(answer["success"], true, "{answer}");
}

#[test]
fn the_command_of_the_guide_is_pulled_and_watched() {
    let port = free_port();
    let server = Server::start();
    let command = format!(
        "ffmpeg -f lavfi -re -i smptebars=duration=60:size=1280x720:rate=30 -f lavfi -re -i sine=frequency=1000:duration=60:sample_rate=44100 -pix_fmt yuv420p -c:v libx264 -b:v 1000k -g 30 -keyint_min 120 -profile:v baseline -preset veryfast -f mpegts \"udp://127.0.0.1:{port}?pkt_size=1316\""
    );
    let mut shell = tool("sh");
    shell.args(["-c", &format!("exec {command} -nostdin -v error")]);
    let _publisher = Peer::start(&mut shell);
    pull(&server, &format!("udp://127.0.0.1:{port}"));
    server.wait_live("cam");
    let player = Peer::start(&mut decoding(&live(&server, "cam"), 3));
    let finished = player.finish(seconds(40)).without_complaint();
    let seen = Seen::of(&finished);
    // Bars stand still. The sound of the command is MP2.
    assert!(seen.pictures >= 85 && seen.sound > 2.4, "{seen:?}");
}

#[test]
fn a_stream_within_rtp_is_told_by_its_content() {
    let port = free_port();
    let server = Server::start();
    pull(&server, &format!("udp://@:{port}"));
    let _sender = sending(&format!("rtp://127.0.0.1:{port}"), &["-f", "rtp_mpegts"]);
    server.wait_live("cam");
    decode(&live(&server, "cam"), 4).assert_about(4.0, 30.0);
    decode(&server.rtmp_url("cam"), 4).assert_about(4.0, 30.0);
}

#[test]
fn a_connection_is_pulled() {
    let port = free_port();
    let server = Server::start();
    let _sender = sending(
        &format!("tcp://127.0.0.1:{port}?listen=1"),
        &["-f", "mpegts"],
    );
    pull(&server, &format!("tcp://127.0.0.1:{port}"));
    server.wait_live("cam");
    decode(&live(&server, "cam"), 4).assert_about(4.0, 30.0);
}

#[test]
fn what_is_pushed_on_arrives_whole() {
    let port = free_port();
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let url = format!("udp://127.0.0.1:{port}?fifo_size=100000");
    let receiver = Peer::start(&mut decoding(&url, 4));
    // Datagrams wait for nobody.
    wait_until("ffmpeg listens", seconds(10), || is_bound(port));
    push(
        &server,
        &format!("mpegtsudp://127.0.0.1:{port}#ttl=4&tos=184"),
    );
    let finished = receiver.finish(seconds(40));
    Seen::of(&finished).assert_about(4.0, 30.0);
    // In datagrams of seven packets, at the pace of the stream.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(seconds(10))).unwrap();
    let port = socket.local_addr().unwrap().port();
    push(&server, &format!("udp://127.0.0.1:{port}#rtp"));
    let mut buffer = [0; 2_000];
    for _ in 0..200 {
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!((length, buffer[0], buffer[12]), (1_328, 0x80, 0x47));
    }
}

#[test]
fn a_rate_is_kept_with_null_packets() {
    const RATE: u64 = 6_000_000;
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let port = free_port();
    let url = format!("udp://127.0.0.1:{port}?fifo_size=100000");
    let receiver = Peer::start(&mut decoding(&url, 4));
    wait_until("ffmpeg listens", seconds(10), || is_bound(port));
    push(&server, &format!("udp://127.0.0.1:{port}#bitrate={RATE}"));
    Seen::of(&receiver.finish(seconds(40))).assert_about(4.0, 30.0);
    // Between two clocks are as many packets as the rate wants.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(seconds(10))).unwrap();
    let port = socket.local_addr().unwrap().port();
    push(&server, &format!("udp://127.0.0.1:{port}#bitrate={RATE}"));
    let mut buffer = [0; 2_000];
    let (mut nulls, mut clocks) = (0, Vec::new());
    for number in 0..1_000 {
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(length, 1_316);
        for (place, packet) in buffer[..length].chunks(188).enumerate() {
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            nulls += usize::from(pid == 0x1fff);
            let clock = clock_reference(packet);
            clocks.extend(clock.map(|clock| (number * 7 + place as u64, clock)));
        }
    }
    let ((first, begin), (last, end)) = (clocks[0], clocks[clocks.len() - 1]);
    let exact = (last - first) * 188 * 8 * 90_000 / RATE;
    assert!((end - begin).abs_diff(exact) <= 1, "{begin} {end} {exact}");
    let largest = clocks.windows(2).map(|pair| pair[1].1 - pair[0].1).max();
    assert!(largest <= Some(3_600), "{largest:?}");
    assert!(nulls > 1_000, "{nulls}");
}

#[test]
fn gstreamer_watches_over_http() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let mut gst = tool("gst-launch-1.0");
    let pipeline = format!(
        "souphttpsrc location={} num-buffers=60 ! tsdemux name=demux \
         demux. ! queue ! h264parse ! avdec_h264 ! fakesink demux. ! queue ! aacparse ! avdec_aac ! fakesink",
        live(&server, "cam")
    );
    gst.arg("--quiet").args(pipeline.split_whitespace());
    Peer::start(&mut gst)
        .finish(seconds(40))
        .without_complaint();
    wait_until("the viewer has left", seconds(10), || {
        server.broadcast("cam").unwrap()["anyoneWatching"] == false
    });
}

#[test]
fn vlc_watches_over_http() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let folder = tempfile::tempdir().unwrap();
    let player = Peer::start(&mut crate::hls::vlc(
        folder.path(),
        &live(&server, "cam"),
        8,
    ));
    let shown = || std::fs::read_dir(folder.path()).unwrap().count();
    wait_until("VLC shows pictures", seconds(60), || shown() >= 4);
    drop(player);
}

/// What tstools says of a stream's buffers: for each elementary stream the least time in ticks of 90 kHz between the
/// clock and what is presented.
fn tsreport(file: &Path) -> Vec<i64> {
    let output = program::run_to_end(tool("tsreport").arg("-b").arg(file), seconds(20));
    let (text, errors) = (output.stdout, output.stderr);
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{text}");
    let complaints: Vec<&str> = text.lines().filter(|line| line.contains("###")).collect();
    assert!(complaints.is_empty() && errors.is_empty(), "{complaints:?}");
    let counters = text.lines().filter(|line| line.contains("CC:"));
    assert!(counters.clone().count() == 2, "{text}");
    assert!(
        counters
            .clone()
            .all(|line| line.contains("duplicate packets: 0")),
        "{text}"
    );
    let least = text.lines().filter_map(|line| {
        let line = line.trim().strip_prefix("Minimum difference was ")?;
        line.split_once('t')?.0.trim().parse::<i64>().ok()
    });
    least.collect()
}

#[test]
fn tstools_finds_nothing_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for clip in [Clip::Standard, Clip::BFrames] {
        let file = folder.path().join("out.ts");
        let mut remux = program::command();
        remux.arg("remux").arg(clip.file()).arg(&file);
        let output = program::run_to_end(&mut remux, seconds(20));
        assert!(output.status.success());
        let least = tsreport(&file);
        assert!(
            !least.is_empty() && least.iter().all(|ticks| *ticks > 0),
            "{least:?}"
        );
    }
}

/// The figures of docs/design/mpegts.md: run it alone, with `--ignored --nocapture`, on a machine that does nothing
/// else.
#[test]
#[ignore = "takes ten minutes"]
fn ten_minutes_of_datagrams() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let folder = tempfile::tempdir().unwrap();
    for options in ["", "#bitrate=6000000"] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(seconds(10))).unwrap();
        let port = socket.local_addr().unwrap().port();
        push(&server, &format!("udp://127.0.0.1:{port}{options}"));
        let path = folder.path().join("received.ts");
        let mut file = BufWriter::new(File::create(&path).unwrap());
        let mut buffer = [0; 2_000];
        let begun = Instant::now();
        // Of each clock reference: when it came, and what it says, in seconds.
        let mut clocks: Vec<(f64, f64)> = Vec::new();
        let half = seconds(300);
        while begun.elapsed() < half {
            let (length, _) = socket.recv_from(&mut buffer).unwrap();
            let now = begun.elapsed().as_secs_f64();
            file.write_all(&buffer[..length]).unwrap();
            for packet in buffer[..length].chunks(188) {
                if let Some(clock) = clock_reference(packet) {
                    clocks.push((now, clock as f64 / 90_000.0));
                }
            }
        }
        file.flush().unwrap();
        let least = tsreport(&path);
        assert!(least.iter().all(|ticks| *ticks > 0), "{least:?}");
        let steps = clocks.windows(2).map(|pair| pair[1].1 - pair[0].1);
        let (first, last) = (clocks[0], clocks[clocks.len() - 1]);
        let mut off: Vec<f64> = clocks
            .iter()
            .map(|(came, says)| (came - first.0 - (says - first.1)) * 1_000.0)
            .collect();
        off.sort_by(f64::total_cmp);
        let part = |part: f64| off[((off.len() - 1) as f64 * part) as usize] - off[off.len() / 2];
        eprintln!(
            "{options:?}: {} clocks, {:.1} ms apart at most; {:.3} s of clock in {:.3} s; off the middle by {:.2} ms \
             (1 %), {:.2} ms (99 %), {:.2} ms (least), {:.2} ms (most); presented {least:?} ticks behind at least",
            clocks.len(),
            steps.fold(0.0, f64::max) * 1_000.0,
            last.1 - first.1,
            last.0 - first.0,
            part(0.01),
            part(0.99),
            part(0.0),
            part(1.0),
        );
    }
}

/// The clock reference of a packet in ticks of 90 kHz, if it has one.
fn clock_reference(packet: &[u8]) -> Option<u64> {
    let has = packet[3] & 0x20 != 0 && packet[4] >= 7 && packet[5] & 0x10 != 0;
    let base = u32::from_be_bytes(packet[6..10].try_into().unwrap());
    has.then(|| u64::from(base) << 1 | u64::from(packet[10] >> 7))
}

#[test]
fn what_is_not_there_is_told() {
    let server = Server::start();
    let head = |path: &str| http::request(server.http, "HEAD", path, &[], b"").status;
    assert_eq!(head("/LiveApp/streams/none.live.ts"), 404);
    assert_eq!(head("/LiveApp/streams/..live.ts"), 404);
    let _publisher = publish(&server, "cam1", Clip::Standard);
    assert_eq!(head("/LiveApp/streams/cam1.live.ts"), 200);
    pull(&server, "udp://127.0.0.1:1#speed=3");
    server.wait_log(seconds(10), &["is no option; known are interface"]);
}
