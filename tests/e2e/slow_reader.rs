//! A player that does not read costs the others nothing, and the server no more than its bound.

use crate::support::clips::Clip;
use crate::support::media::{Seen, decoding, publish};
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client};
use crate::support::seconds;
use crate::support::server::Server;
use socket2::SockRef;
use std::time::{Duration, Instant};

/// Growth allowed for a server that holds a stream of 30 Mbit/s and some readers that do not read: the
/// stream's memory and that of one form of it for each of two shards at its bound, 3 x 16 MiB, twice.
const BOUND: u64 = 96 << 20;

#[test]
fn a_player_that_stops_reading_is_skipped_and_the_others_get_everything() {
    let server = Server::with(&[
        "--set",
        "streams.memory_bytes=16777216",
        "--set",
        "streams.reader_bytes=8388608",
        "--set",
        "streams.reader_time=2s",
    ]);
    let _publisher = publish(&server, "cam", Clip::Heavy);
    std::thread::sleep(seconds(1));
    let before = server.resident_bytes();
    let mut stuck: Vec<Client> = (0..4)
        .map(|_| {
            let (client, answer) = Client::play(server.rtmp, "LiveApp", "cam");
            assert_eq!(answer, Answer::Granted);
            client
        })
        .collect();
    let (mut healthy, answer) = Client::play(server.rtmp, "LiveApp", "cam");
    assert_eq!(answer, Answer::Granted);
    let player = Peer::start(&mut decoding(&server.rtmp_url("cam"), 6));
    // Every picture, 33 or 34 ms apart, and none late for more than its neighbours.
    let mut pictures: Vec<(u32, Instant)> = Vec::new();
    let until = Instant::now() + seconds(9);
    while let Some(event) = healthy.next(until).unwrap() {
        if let rtmp::client::Event::Video { timestamp, payload } = event {
            // Not the sequence header.
            if payload.get(1) == Some(&1) {
                pictures.push((timestamp, Instant::now()));
            }
        }
    }
    assert!(pictures.len() > 8 * 30, "{}", pictures.len());
    for pair in pictures.windows(2) {
        let gap = pair[1].0 - pair[0].0;
        assert!(
            (30..=40).contains(&gap),
            "{gap} ms between {} and {}",
            pair[0].0,
            pair[1].0
        );
        let pause = pair[1].1 - pair[0].1;
        assert!(
            pause < Duration::from_millis(1_000),
            "nothing came for {pause:?}"
        );
    }
    Seen::of(&player.finish(seconds(30)).without_complaint()).assert_about(6.0, 30.0);
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < BOUND, "grew by {} MiB", grown >> 20);
    // One that reads again goes on with a key frame.
    let mut late = stuck.pop().unwrap();
    let until = Instant::now() + seconds(8);
    let mut last = None;
    let mut gap_ended_with = None;
    while let Ok(Some(event)) = late.next(until) {
        if let rtmp::client::Event::Video { timestamp, payload } = event {
            if payload.get(1) != Some(&1) {
                continue;
            }
            if last.is_some_and(|last| timestamp > last + 300) {
                gap_ended_with = payload.first().copied();
                break;
            }
            last = Some(timestamp);
        }
    }
    // Frame type 1 is a key frame, codec 7 is AVC.
    assert_eq!(gap_ended_with, Some(0x17), "after {last:?}");
    let address = late.socket.local_addr().unwrap().to_string();
    server.wait_log(seconds(5), &["too slow, skipped", "LiveApp/cam", &address]);
    let metrics = server.get("/metrics").text();
    for name in [
        "skips",
        "skipped_access_units",
        "skipped_bytes",
        "skipped_seconds",
    ] {
        let labels = "stream=\"LiveApp/cam\",protocol=\"rtmp\",cause=\"";
        let begin = format!("millstream_reader_{name}_total{{{labels}");
        let lines = metrics.lines().filter(|line| line.starts_with(&begin));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        assert!(values.sum::<u64>() > 0, "{begin}: {metrics}");
    }
    // Those that never read again are closed, each by its address.
    for client in &stuck {
        let address = client.socket.local_addr().unwrap().to_string();
        server.wait_log(
            seconds(45),
            &[
                "reader left",
                "LiveApp/cam",
                &address,
                "took nothing for 30 s",
            ],
        );
    }
}

#[test]
fn a_player_with_a_tiny_window_does_not_hold_up_the_end() {
    let mut server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Heavy);
    let (stuck, answer) = Client::play(server.rtmp, "LiveApp", "cam");
    assert_eq!(answer, Answer::Granted);
    SockRef::from(&stuck.socket)
        .set_recv_buffer_size(4_096)
        .unwrap();
    std::thread::sleep(seconds(3));
    let took = server.stop();
    assert!(took < seconds(5), "{took:?}");
}
