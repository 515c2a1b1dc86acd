//! The process: starting with nothing, refusing what cannot work in one line, ending in time, and living on
//! when the system has no more to give.

use crate::configuration::{assert_one_line, run};
use crate::support::clips::Clip;
use crate::support::http::{exchange, get};
use crate::support::media::{Seen, decode, decoding, decoding_to_end, publish};
use crate::support::peer::Peer;
use crate::support::program::command;
use crate::support::rtmp::{Answer, Client};
use crate::support::server::{Server, wait_closed};
use crate::support::{seconds, wait_until};
use std::net::TcpStream;

#[test]
fn it_runs_without_a_configuration_and_makes_its_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = command();
    server.current_dir(folder.path()).args([
        "--set",
        "http.listen=127.0.0.1:0",
        "--set",
        "rtmp.listen=127.0.0.1:0",
        "--set",
        "rtsp.listen=",
    ]);
    let server = Peer::start(&mut server);
    let ready = server.stderr.wait_for(seconds(10), |line| {
        line.contains("open http://").then_some(())
    });
    assert!(ready.is_some(), "{}", server.stderr.text());
    assert!(folder.path().join("data").is_dir());
    server.signal("TERM");
    let finished = server.finish(seconds(5));
    assert!(finished.status.success(), "{}", finished.stderr);
}

#[test]
fn every_bound_address_is_logged_for_scripts_and_for_people() {
    let server = Server::start();
    server.wait_log(seconds(1), &["listening protocol=rtmp address=127.0.0.1:"]);
    server.wait_log(seconds(1), &["listening protocol=http address=127.0.0.1:"]);
    server.wait_log(
        seconds(1),
        &[&format!("open http://127.0.0.1:{}/", server.http)],
    );
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn the_log_can_be_json() {
    let mut server = command();
    let folder = tempfile::tempdir().unwrap();
    server.current_dir(folder.path()).args([
        "--log-format",
        "json",
        "--set",
        "http.listen=127.0.0.1:0",
        "--set",
        "rtmp.listen=127.0.0.1:0",
        "--set",
        "rtsp.listen=",
    ]);
    let server = Peer::start(&mut server);
    let ready = server.stderr.wait_for(seconds(10), |line| {
        line.contains("open http://").then_some(())
    });
    assert!(ready.is_some(), "{}", server.stderr.text());
    server.signal("INT");
    let finished = server.finish(seconds(5));
    assert!(finished.status.success(), "{}", finished.stderr);
    let lines: Vec<serde_json::Value> = finished
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(
        lines.iter().any(|line| line.to_string().contains("rtmp")),
        "{lines:?}"
    );
}

#[test]
fn a_port_in_use_is_said_clearly() {
    let server = Server::start();
    for (key, port) in [("http.listen", server.http), ("rtmp.listen", server.rtmp)] {
        let other = if key == "http.listen" {
            "rtmp.listen"
        } else {
            "http.listen"
        };
        let taken = format!("{key}=127.0.0.1:{port}");
        let free = format!("{other}=127.0.0.1:0");
        let (code, text) = run(&[
            "--log-level",
            "error",
            "--set",
            &taken,
            "--set",
            &free,
            "--set",
            "rtsp.listen=",
        ]);
        assert_eq!(code, Some(1), "{text}");
        assert_one_line(&text, &[key, &port.to_string(), "in use"]);
    }
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let taken = format!("rtsp.udp_listen={address}");
    let mut arguments = vec!["--log-level", "error", "--set", "rtmp.listen="];
    arguments.extend(["--set", "rtsp.listen=127.0.0.1:0", "--set", &taken]);
    let (code, text) = run(&arguments);
    assert_eq!(code, Some(1), "{text}");
    assert_one_line(&text, &["rtsp.udp_listen", &address, "in use"]);
}

#[test]
fn a_data_folder_in_use_is_said_clearly() {
    let server = Server::start();
    let data = server.data().to_str().unwrap().to_owned();
    let free = [
        "--set",
        "http.listen=127.0.0.1:0",
        "--set",
        "rtmp.listen=127.0.0.1:0",
        "--set",
        "rtsp.listen=",
    ];
    let (code, text) = run(&[
        &["--log-level", "error", "--data-dir", &data] as &[&str],
        &free,
    ]
    .concat());
    assert_eq!(code, Some(1), "{text}");
    assert_one_line(&text, &[&data, "in use by another process"]);
    // A file where the folder should be.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let (code, text) = run(&[
        &["--log-level", "error", "--data-dir", file.to_str().unwrap()] as &[&str],
        &free,
    ]
    .concat());
    assert_eq!(code, Some(1), "{text}");
    assert_one_line(&text, &[file.to_str().unwrap()]);
}

#[test]
fn it_ends_in_time_while_everything_runs() {
    let mut server = Server::with(&["--demo"]);
    let _publisher = publish(&server, "cam", Clip::Standard);
    let player = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    let _hls = Peer::start(&mut decoding(&server.url("/LiveApp/streams/cam.m3u8"), 60));
    // A request that is held, connections that say nothing, and one in the middle of a request.
    let http = server.http;
    let number = get(http, "/LiveApp/streams/demo/video.m3u8").text();
    assert!(number.contains("#EXTM3U"), "{number}");
    let held = std::thread::spawn(move || {
        exchange(
            http,
            b"GET /LiveApp/streams/new.m3u8 HTTP/1.1\r\nHost: x\r\n",
        )
    });
    let _silent: Vec<TcpStream> = [server.http, server.rtmp]
        .map(|port| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .into();
    std::thread::sleep(seconds(3));
    let took = server.stop();
    assert!(took < seconds(3), "{took:?}");
    wait_closed(server.http);
    wait_closed(server.rtmp);
    // The player was told.
    let finished = player.finish(seconds(5)).without_complaint();
    assert!(Seen::of(&finished).pictures > 30);
    drop(held.join().unwrap());
}

#[test]
fn a_second_signal_does_no_harm() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let mut process = command();
    process
        .args(["--data-dir"])
        .arg(server.folder().join("other"));
    process.args([
        "--demo",
        "--set",
        "http.listen=127.0.0.1:0",
        "--set",
        "rtmp.listen=",
        "--set",
        "rtsp.listen=",
    ]);
    let other = Peer::start(&mut process);
    let ready = other.stderr.wait_for(seconds(10), |line| {
        line.contains("open http://").then_some(())
    });
    assert!(ready.is_some(), "{}", other.stderr.text());
    other.signal("TERM");
    other.signal("INT");
    other.signal("TERM");
    let finished = other.finish(seconds(5));
    assert!(
        finished.status.success(),
        "{}\n{}",
        finished.status,
        finished.stderr
    );
    assert!(
        !finished.stderr.contains("panicked at"),
        "{}",
        finished.stderr
    );
}

#[test]
fn it_survives_running_out_of_files() {
    let server = Server::with_open_files(64);
    let mut publisher = publish(&server, "cam", Clip::Standard);
    let player = Peer::start(&mut decoding(&server.rtmp_url("cam"), 8));
    std::thread::sleep(seconds(1));
    for port in [server.rtmp, server.http] {
        // The system's queue takes those that the server cannot.
        let many: Vec<TcpStream> = (0..80)
            .filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok())
            .collect();
        server.wait_log(seconds(5), &["cannot accept"]);
        std::thread::sleep(seconds(1));
        drop(many);
    }
    // Whoever was connected goes on, and whoever comes now is let in.
    wait_until("HTTP answers again", seconds(10), || {
        exchange(
            server.http,
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
    });
    wait_until("RTMP answers again", seconds(10), || {
        Client::play(server.rtmp, "LiveApp", "cam").1 == Answer::Granted
    });
    Seen::of(&player.finish(seconds(30)).without_complaint()).assert_about(8.0, 30.0);
    decode(&server.rtmp_url("cam"), 1).assert_about(1.0, 30.0);
    assert!(publisher.is_running(), "{}", publisher.stderr.text());
    let complaints = server.log.count(|line| line.contains("cannot accept"));
    assert!(complaints < 200, "the log is flooded: {complaints} lines");
}

#[test]
fn a_listener_can_be_turned_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = command();
    process.current_dir(folder.path()).args([
        "--set",
        "rtmp.listen=",
        "--set",
        "rtmps.listen=",
        "--set",
        "rtsp.listen=",
        "--set",
        "http.listen=127.0.0.1:0",
    ]);
    let server = Peer::start(&mut process);
    let ready = server.stderr.wait_for(seconds(10), |line| {
        line.contains("open http://").then_some(())
    });
    assert!(ready.is_some(), "{}", server.stderr.text());
    assert!(
        !server.stderr.text().contains("rtmp"),
        "{}",
        server.stderr.text()
    );
    server.signal("TERM");
    assert!(server.finish(seconds(5)).status.success());
}
