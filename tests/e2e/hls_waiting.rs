//! Requests for what is not there yet: held until it is, or refused at once when that makes no sense
//! (section 6.2.5.2 of draft-pantos-hls-rfc8216bis).

use crate::hls_playlists::{FOLDER, playlist};
use crate::support::clips::Clip;
use crate::support::http::get;
use crate::support::media::publish;
use crate::support::playlist::Media;
use crate::support::seconds;
use crate::support::server::Server;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn a_reload_waits_for_what_it_asks_for() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    for rendition in ["video", "audio"] {
        let now = playlist(&server, rendition, "");
        let (number, part) = (now.open_number(), now.open_parts.len());
        // Two parts on: half a second to a second from now.
        let (number, part) = if part >= 2 {
            (number + 1, 0)
        } else {
            (number, part + 1)
        };
        let begun = Instant::now();
        let then = playlist(
            &server,
            rendition,
            &format!("?_HLS_msn={number}&_HLS_part={part}"),
        );
        assert!(begun.elapsed() < seconds(3), "{:?}", begun.elapsed());
        let newest = (then.open_number(), then.open_parts.len());
        assert!(
            newest > (number, part),
            "asked for {number}.{part}, got up to {newest:?}"
        );
        // A whole segment.
        let number = then.open_number();
        let then = playlist(&server, rendition, &format!("?_HLS_msn={number}"));
        assert!(then.open_number() > number, "{then:?}");
        // What is there already is answered at once.
        let begun = Instant::now();
        playlist(
            &server,
            rendition,
            &format!("?_HLS_msn={number}&_HLS_part=0"),
        );
        assert!(
            begun.elapsed() < Duration::from_millis(400),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn a_reload_that_makes_no_sense_is_refused_at_once() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let number = playlist(&server, "video", "").open_number();
    for query in [
        format!("_HLS_msn={}", number + 5),
        format!("_HLS_msn={}&_HLS_part=0", number + 1_000_000),
        format!("_HLS_msn={}", u64::MAX),
        "_HLS_msn=99999999999999999999999".to_owned(),
        "_HLS_msn=-1".to_owned(),
        "_HLS_msn=x".to_owned(),
        "_HLS_part=1".to_owned(),
    ] {
        let begun = Instant::now();
        let response = server.get(&format!("{FOLDER}/video.m3u8?{query}"));
        assert_eq!(response.status, 400, "{query}: {}", response.text());
        assert!(
            begun.elapsed() < Duration::from_millis(500),
            "{query}: {:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn the_part_that_is_announced_is_held_and_delivered() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    for rendition in ["video", "audio", "video"] {
        let hint = playlist(&server, rendition, "").hint.unwrap();
        let begun = Instant::now();
        let first = get(server.http, &format!("{FOLDER}/{hint}"));
        assert_eq!(first.status, 200, "{hint}: {}", first.text());
        assert!(begun.elapsed() < seconds(2), "{:?}", begun.elapsed());
        let then = playlist(&server, rendition, "");
        let listed = then
            .segments
            .iter()
            .flat_map(|segment| &segment.parts)
            .chain(&then.open_parts);
        assert!(
            listed.map(|part| &part.uri).any(|uri| *uri == hint),
            "{hint} is not in {then:?}"
        );
        assert!(
            get(server.http, &format!("{FOLDER}/{hint}")).body == first.body,
            "{hint}"
        );
    }
    let number = playlist(&server, "video", "").open_number();
    for uri in [
        format!("video_{}.m4s", number + 9),
        format!("video_{}.0.m4s", number + 9),
        "video_1.m4s".to_owned(),
        "video_1.mp4".to_owned(),
    ] {
        assert_eq!(server.get(&format!("{FOLDER}/{uri}")).status, 404, "{uri}");
    }
}

#[test]
fn thousands_of_requests_wait_and_others_are_answered() {
    const REQUESTS: usize = 2_000;
    let server = Server::with_open_files(4_096);
    let _publisher = publish(&server, "cam", Clip::Standard);
    let number = playlist(&server, "video", "").open_number();
    let before = server.resident_bytes();
    let head = format!("GET {FOLDER}/video.m3u8?_HLS_msn={} HTTP/1.1", number + 2);
    let head = format!("{head}\r\nHost: cam\r\nConnection: close\r\n\r\n");
    let waiting: Vec<TcpStream> = (0..REQUESTS)
        .map(|_| {
            let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
            socket.set_read_timeout(Some(seconds(60))).unwrap();
            socket.write_all(head.as_bytes()).unwrap();
            socket
        })
        .collect();
    let map = playlist(&server, "audio", "").segments[0].map.clone();
    assert_eq!(server.get(&format!("{FOLDER}/{map}")).status, 200);
    let taken = server.resident_bytes().saturating_sub(before);
    assert!(taken < 96 << 20, "{taken} bytes for {REQUESTS} requests");
    for mut socket in waiting {
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let (_, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(Media::parse(text).open_number() > number + 2, "{answer}");
    }
}
