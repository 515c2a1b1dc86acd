//! Who may publish a name that is taken, and what players see of publishers that come and go.

use crate::support::clips::Clip;
use crate::support::media::{
    Seen, decoding, decoding_to_end, packets, probe, publish, start_publishing,
};
use crate::support::peer::Peer;
use crate::support::playlist::Media;
use crate::support::rtmp::{Answer, Client};
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_for, wait_until};
use rtmp::chunk::MessageType;
use rtmp::client::Event;
use rtmp::message::Message;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_second_publisher_of_a_live_name_is_refused_and_the_first_goes_on() {
    let server = Server::start();
    let mut first = publish(&server, "cam", Clip::Standard);
    let player = Peer::start(&mut decoding(&server.rtmp_url("cam"), 5));
    let (_, answer) = Client::publish(server.rtmp, "LiveApp", "cam");
    assert_eq!(answer, Answer::Rejected("NetStream.Publish.BadName".into()));
    let second = start_publishing(&server, "cam", Clip::Small).finish(seconds(10));
    assert!(!second.status.success());
    server.wait_log(seconds(2), &["refused", "published already"]);
    Seen::of(&player.finish(seconds(20)).without_complaint()).assert_about(5.0, 30.0);
    assert!(first.is_running(), "{}", first.stderr.text());
    assert_eq!(first.stderr.text(), "");
}

#[test]
fn a_silent_publisher_is_taken_over() {
    let server = Server::with(&["--set", "streams.silence=2s"]);
    let silent = publish(&server, "cam", Clip::Standard);
    std::thread::sleep(seconds(1));
    silent.signal("STOP");
    let begun = Instant::now();
    let (_, answer) = Client::publish(server.rtmp, "LiveApp", "cam");
    assert_eq!(answer, Answer::Rejected("NetStream.Publish.BadName".into()));
    let mut second = wait_for("the second publisher is let in", seconds(8), || {
        let mut second = start_publishing(&server, "cam", Clip::Standard);
        std::thread::sleep(Duration::from_millis(700));
        second.is_running().then_some(second)
    });
    assert!(
        begun.elapsed() >= Duration::from_millis(1_900),
        "{:?}",
        begun.elapsed()
    );
    let player = Peer::start(&mut decoding(&server.rtmp_url("cam"), 3));
    Seen::of(&player.finish(seconds(20)).without_complaint()).assert_about(3.0, 30.0);
    // The first one, awake again, has lost its place.
    silent.signal("CONT");
    silent.finish(seconds(10));
    assert!(second.is_running(), "{}", second.stderr.text());
}

#[test]
fn with_always_the_second_publisher_has_the_name_at_once() {
    let server = Server::with(&["--set", "streams.takeover=always"]);
    let first = publish(&server, "cam", Clip::Standard);
    let player = Peer::start(&mut decoding(&server.rtmp_url("cam"), 6));
    std::thread::sleep(seconds(1));
    let mut second = start_publishing(&server, "cam", Clip::Standard);
    first.finish(seconds(5));
    let seen = Seen::of(&player.finish(seconds(20)));
    assert!(seen.pictures > 4 * 30, "{seen:?}");
    assert!(second.is_running(), "{}", second.stderr.text());
}

/// A connection that is closed with something unread is reset, and what was said last is lost.
#[test]
fn a_publisher_that_loses_its_name_while_it_sends_is_told_so() {
    let server = Server::with(&["--set", "streams.takeover=always"]);
    let (mut first, answer) = Client::publish(server.rtmp, "LiveApp", "cam");
    assert_eq!(answer, Answer::Granted);
    let (_, body) = Message::Data(vec![
        "onCuePoint".into(),
        "x".repeat(60_000).as_str().into(),
    ])
    .write();
    let packet = first.session.packet(MessageType::DATA, 0, &[], &body);
    let bytes = packet.unwrap().slices().concat();
    let mut socket = first.socket.try_clone().unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let stop = is_over.clone();
    let sending = std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) && socket.write_all(&bytes).is_ok() {}
    });
    let (_second, answer) = Client::publish(server.rtmp, "LiveApp", "cam");
    assert_eq!(answer, Answer::Granted);
    let (deadline, mut told) = (Instant::now() + seconds(20), false);
    let end = loop {
        match first.next(deadline) {
            Ok(Some(event)) => told |= matches!(event, Event::Closed { .. }),
            Ok(None) => panic!("it is not sent away"),
            Err(end) => break end,
        }
    };
    is_over.store(true, Ordering::Relaxed);
    sending.join().unwrap();
    assert!(told, "{end}");
    assert_eq!(end, "the server closed the connection");
}

#[test]
fn with_never_only_a_publisher_that_is_gone_makes_room() {
    let server = Server::with(&[
        "--set",
        "streams.takeover=never",
        "--set",
        "streams.silence=1s",
    ]);
    let first = publish(&server, "cam", Clip::Standard);
    first.signal("STOP");
    wait_until("it is silent", seconds(10), || {
        server.broadcast("cam").unwrap()["bitrate"] == 0
    });
    let publish = || Client::publish(server.rtmp, "LiveApp", "cam");
    let (_, answer) = publish();
    assert_eq!(answer, Answer::Rejected("NetStream.Publish.BadName".into()));
    first.kill();
    server.wait_log(seconds(3), &["waiting for it to come back"]);
    let (_client, answer) = publish();
    assert_eq!(answer, Answer::Granted);
}

#[test]
fn a_publisher_that_returns_in_time_continues_the_stream() {
    let server = Server::start();
    let publisher = publish(&server, "cam", Clip::Standard);
    let player = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    let before = wait_for("a playlist", seconds(15), || playlist(&server));
    let url = server.url("/LiveApp/streams/cam.m3u8");
    let hls = Peer::start(&mut decoding(&url, 12));
    std::thread::sleep(seconds(3));
    publisher.kill();
    server.wait_log(seconds(3), &["waiting for it to come back"]);
    server.wait_status("cam", "terminated_unexpectedly");
    std::thread::sleep(seconds(2));
    let publisher = publish(&server, "cam", Clip::Standard);
    std::thread::sleep(seconds(5));
    let after = playlist(&server).unwrap();
    assert!(
        after.open_number() > before.open_number() + 2,
        "{before:?}\n{after:?}"
    );
    assert!(!after.ended && after.target == before.target, "{after:?}");
    let hls = hls.finish(seconds(40));
    assert!(hls.status.success(), "{}", hls.stderr);
    let seen = Seen::of(&hls);
    assert!(seen.pictures > 200, "{seen:?}\n{}", hls.stderr);
    // ffmpeg ends when the publisher says goodbye, and not before.
    publisher.signal("TERM");
    publisher.finish(seconds(5));
    let finished = player.finish(seconds(10));
    assert!(finished.status.success(), "{}", finished.stderr);
    assert!(
        !finished.stderr.to_lowercase().contains("non-monoton"),
        "{}",
        finished.stderr
    );
    let seen = Seen::of(&finished);
    assert!(seen.pictures > 6 * 30, "{seen:?}");
}

#[test]
fn times_go_on_when_a_publisher_returns() {
    let server = Server::start();
    let publisher = publish(&server, "cam", Clip::BFrames);
    let url = server.rtmp_url("cam");
    let watcher = std::thread::spawn(move || probe(&url, 9));
    std::thread::sleep(seconds(3));
    publisher.kill();
    std::thread::sleep(seconds(1));
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let probed = watcher.join().unwrap();
    for kind in ["video", "audio"] {
        let units = packets(&probed, kind);
        assert!(
            units.windows(2).all(|pair| pair[0].dts < pair[1].dts),
            "{kind}: {units:?}"
        );
        let span = units.last().unwrap().dts - units[0].dts;
        assert!((7_000..=11_000).contains(&span), "{kind}: {span} ms");
    }
}

#[test]
fn a_publisher_that_does_not_return_ends_the_stream_after_the_grace_time() {
    let server = Server::with(&["--set", "streams.grace=2s"]);
    let publisher = publish(&server, "cam", Clip::Standard);
    let player = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    std::thread::sleep(seconds(2));
    publisher.kill();
    let begun = Instant::now();
    player.finish(seconds(10)).without_complaint();
    let took = begun.elapsed();
    assert!(
        took > Duration::from_millis(1_500) && took < seconds(6),
        "{took:?}"
    );
    wait_until("the name is free", seconds(3), || {
        server.broadcast("cam").is_none()
    });
}

#[test]
fn other_parameters_after_a_return_make_a_discontinuity() {
    let server = Server::start();
    let publisher = publish(&server, "cam", Clip::Standard);
    let player = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    let before = wait_for("a playlist", seconds(15), || playlist(&server));
    std::thread::sleep(seconds(3));
    publisher.kill();
    server.wait_log(seconds(3), &["waiting for it to come back"]);
    let publisher = publish(&server, "cam", Clip::Small);
    let after = wait_for("a discontinuity", seconds(15), || {
        playlist(&server).filter(|now| now.segments.iter().any(|segment| segment.discontinuity))
    });
    let at = after
        .segments
        .iter()
        .position(|segment| segment.discontinuity)
        .unwrap();
    let new = &after.segments[at];
    assert_ne!(new.map, before.segments[0].map, "{after:?}");
    let init = server.get(&format!("/LiveApp/streams/cam/{}", new.map));
    let segment = server.get(&format!("/LiveApp/streams/cam/{}", new.uri));
    assert_eq!((init.status, segment.status), (200, 200));
    let file = server.folder().join("new.mp4");
    std::fs::write(&file, [init.body, segment.body].concat()).unwrap();
    let mut ffprobe = tool("ffprobe");
    ffprobe
        .args([
            "-v",
            "error",
            "-show_entries",
            "stream=width,height",
            "-of",
            "csv=p=0",
        ])
        .arg(file);
    let output = ffprobe.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "320,240");
    let multivariant = server.get("/LiveApp/streams/cam.m3u8").text();
    assert!(
        multivariant.contains("RESOLUTION=320x240"),
        "{multivariant}"
    );
    // Who joins now sees the new pictures only.
    let probed = probe(&server.rtmp_url("cam"), 1);
    assert_eq!(probed["streams"][0]["width"], 320, "{}", probed["streams"]);
    // Who was there goes on.
    std::thread::sleep(seconds(2));
    publisher.signal("TERM");
    publisher.finish(seconds(5));
    let finished = player.finish(seconds(10));
    assert!(finished.status.success(), "{}", finished.stderr);
    assert!(Seen::of(&finished).pictures > 5 * 25, "{}", finished.stderr);
}

fn playlist(server: &Server) -> Option<Media> {
    let response = server.get("/LiveApp/streams/cam/video.m3u8");
    (response.status == 200).then(|| Media::parse(&response.text()))
}
