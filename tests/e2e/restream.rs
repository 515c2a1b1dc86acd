//! What is pushed to other servers: it arrives, comes back, goes when told to, and harms nobody.

use crate::support::clips::Clip;
use crate::support::media::{decode, decoding, packets, probe, publish, publish_for};
use crate::support::nginx::Nginx;
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::{free_port, seconds, wait_for, wait_until};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Adds an endpoint; its ID.
#[track_caller]
pub(crate) fn add(server: &Server, id: &str, url: &str) -> String {
    let body = json!({ "endpointUrl": url }).to_string();
    let answer = server
        .rest("POST", &format!("/{id}/endpoint"), &body)
        .json();
    assert_eq!(answer["success"], true, "{answer}");
    answer["dataId"].as_str().unwrap().to_owned()
}

#[track_caller]
fn remove(server: &Server, id: &str, endpoint: &str) -> Value {
    let path = format!("/{id}/endpoint?endpointServiceId={endpoint}");
    server.rest("DELETE", &path, "").json()
}

/// The endpoint object of that ID.
fn endpoint(server: &Server, id: &str, endpoint: &str) -> Option<Value> {
    let broadcast = server.broadcast(id)?;
    let list = broadcast["endPointList"].as_array()?;
    let mut list = list.iter();
    list.find(|found| found["endpointServiceId"] == endpoint)
        .cloned()
}

#[track_caller]
pub(crate) fn wait_state(
    server: &Server,
    id: &str,
    which: &str,
    status: &str,
    limit: Duration,
) -> Value {
    wait_for(&format!("endpoint of {id} is {status}"), limit, || {
        endpoint(server, id, which).filter(|found| found["status"] == status)
    })
}

/// So many seconds of both tracks, from the first key frame on without a missing picture. nginx lets players
/// in between key frames.
#[track_caller]
fn assert_whole(url: &str, length: u32, gop: f64) {
    whole(&probe(url, length), f64::from(length) - gop);
}

#[track_caller]
fn whole(probed: &Value, length: f64) {
    let pictures = packets(probed, "video");
    let first = pictures.iter().position(|picture| picture.key).unwrap();
    let pictures = &pictures[first..];
    let gaps: Vec<i64> = pictures
        .windows(2)
        .map(|pair| pair[1].dts - pair[0].dts)
        .collect();
    assert!(gaps.iter().all(|gap| (1..=42).contains(gap)), "{gaps:?}");
    assert!(
        pictures.len() as f64 > length * 30.0 - 4.0,
        "{} in {length} s",
        pictures.len()
    );
    let sounds = packets(probed, "audio");
    let gaps: Vec<i64> = sounds
        .windows(2)
        .map(|pair| pair[1].dts - pair[0].dts)
        .collect();
    assert!(gaps.iter().all(|gap| (20..=23).contains(gap)), "{gaps:?}");
    assert!(sounds.len() as f64 > length * 46.0, "{}", sounds.len());
}

#[test]
fn nginx_gets_the_stream_and_gets_it_again_after_it_was_killed() {
    let server = Server::start();
    let mut nginx = Nginx::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let url = nginx.url("key-1");
    let id = add(&server, "cam", &url);
    let found = wait_state(&server, "cam", &id, "broadcasting", seconds(3));
    assert_eq!(
        (&found["endpointUrl"], &found["type"]),
        (&url.clone().into(), &"generic".into())
    );
    assert_whole(&url, 5, 2.0);

    nginx.kill();
    let found = wait_state(&server, "cam", &id, "failed", seconds(3));
    assert!(found["lastError"].is_string(), "{found}");
    std::thread::sleep(seconds(2));
    nginx.restart();
    let found = wait_state(&server, "cam", &id, "broadcasting", seconds(16));
    assert_eq!(found["lastError"], Value::Null);
    assert_whole(&url, 5, 2.0);

    assert_eq!(remove(&server, "cam", &id)["success"], true);
    assert_eq!(
        server.broadcast("cam").unwrap()["endPointList"],
        Value::Null
    );
    assert_eq!(remove(&server, "cam", &id)["success"], false);
    // Nothing is published there any more: a player gets nothing.
    let player = Peer::start(&mut decoding(&url, 1));
    std::thread::sleep(seconds(3));
    assert!(
        player
            .stdout
            .text()
            .lines()
            .all(|line| line.starts_with('#'))
    );
    assert!(
        !server.log.text().contains("key-1"),
        "{}",
        server.log.text()
    );
}

#[test]
fn the_first_picture_arrives_at_the_beginning_of_time() {
    let server = Server::start();
    let far = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    std::thread::sleep(seconds(3));
    add(
        &server,
        "cam",
        &format!("{}?sign=a/b&c=d", far.rtmp_url("copy")),
    );
    far.wait_live("copy");
    let probed = probe(&far.rtmp_url("copy"), 1);
    for kind in ["video", "audio"] {
        let first = packets(&probed, kind)[0];
        // The far server's own players start at its origin, and at its newest random access point.
        assert!((900..5_000).contains(&first.dts), "{kind}: {first:?}");
    }
    decode(&far.rtmp_url("copy"), 3).assert_about(3.0, 30.0);
}

#[test]
fn a_target_waits_for_its_stream_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let nginx = Nginx::start();
    let (id, url) = {
        let mut server = Server::on(folder.path());
        server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
        // The older name of the call and of its field.
        let body = json!({ "rtmpUrl": nginx.url("cam") }).to_string();
        let answer = server.rest("POST", "/cam/rtmp-endpoint", &body).json();
        let id = answer["dataId"].as_str().unwrap().to_owned();
        assert!(id.starts_with("custom") && id.len() == 12, "{id}");
        assert_eq!(endpoint(&server, "cam", &id).unwrap()["status"], "created");
        server.stop();
        (id, nginx.url("cam"))
    };
    let server = Server::on(folder.path());
    for _ in 0..2 {
        let publisher = publish_for(&server, "cam", Clip::Standard, 6);
        wait_state(&server, "cam", &id, "broadcasting", seconds(3));
        assert_whole(&url, 3, 1.0);
        publisher.finish(seconds(20));
        wait_state(&server, "cam", &id, "finished", seconds(5));
    }
    let path = format!("/cam/rtmp-endpoint?endpointServiceId={id}");
    assert_eq!(server.rest("DELETE", &path, "").json()["success"], true);
}

#[test]
fn what_cannot_be_added_is_refused_in_words() {
    let server = Server::start();
    server.rest("POST", "/create", r#"{"streamId":"cam"}"#);
    let url = "rtmp://127.0.0.1:9/app/a-secret-key";
    let post = |id: &str, body: &str| {
        let answer = server.rest("POST", &format!("/{id}/endpoint"), body).json();
        (
            answer["success"] == true,
            answer["message"].as_str().unwrap().to_owned(),
        )
    };
    let body = json!({ "endpointUrl": url }).to_string();
    assert!(post("cam", &body).0);
    for (id, body, message) in [
        ("cam", "", "Missing Endpoint url"),
        ("cam", "{}", "Missing Endpoint url"),
        ("nobody", &*body, "Stream does not exist with Id: nobody"),
        (
            "cam",
            &*body,
            "Endpoint is not added to datastore for stream cam. It is already added ->rtmp://127.0.0.1:9/app/***",
        ),
        (
            "cam",
            r#"{"endpointUrl":"gopher://a/b/c"}"#,
            "Endpoint is not added to stream: cam: no protocol of this server pushes to gopher:// URLs",
        ),
    ] {
        assert_eq!(post(id, body), (false, message.to_owned()), "{body}");
    }
    assert!(!server.log.text().contains("a-secret-key"));
}

#[test]
fn a_server_that_refuses_is_quoted_without_the_key() {
    let server = Server::start();
    let (nginx, far) = (Nginx::start(), Server::start());
    let _publisher = publish(&server, "cam", Clip::Standard);
    let _taken = publish(&far, "taken-secret", Clip::Small);
    let closed = format!("rtmp://127.0.0.1:{}/closed/key-secret", nginx.port);
    for (url, words) in [
        (closed, "stream key is the usual cause"),
        (far.rtmp_url("taken-secret"), "NetStream.Publish.BadName"),
        (
            "rtmp://u:password-secret@no-such-host.invalid/app/key-secret".to_owned(),
            "cannot find",
        ),
        ("rtmp://127.0.0.1/no-key".to_owned(), "no stream key"),
    ] {
        let id = add(&server, "cam", &url);
        let found = wait_for(words, seconds(15), || {
            let found = endpoint(&server, "cam", &id)?;
            found["lastError"].as_str().map(str::to_owned)
        });
        assert!(
            found.contains(words) && !found.contains("secret"),
            "{found}"
        );
        assert_eq!(remove(&server, "cam", &id)["success"], true);
    }
    assert!(
        !server.log.text().contains("secret"),
        "{}",
        server.log.text()
    );
    assert_eq!(
        server.broadcast("cam").unwrap()["endPointList"],
        Value::Null
    );
}

#[test]
fn a_target_is_removed_in_every_state_at_once() {
    let server = Server::start();
    let nginx = Nginx::start();
    // Accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent
        .local_addr()
        .map(|address| (silent, address.port()))
        .unwrap();
    let _publisher = publish(&server, "cam", Clip::Standard);
    for (url, status) in [
        (nginx.url("a"), "broadcasting"),
        (format!("rtmp://127.0.0.1:{}/app/b", silent.1), "preparing"),
        (format!("rtmp://127.0.0.1:{}/app/c", free_port()), "failed"),
    ] {
        let id = add(&server, "cam", &url);
        wait_state(&server, "cam", &id, status, seconds(5));
        let begun = Instant::now();
        assert_eq!(remove(&server, "cam", &id)["success"], true, "{status}");
        assert!(begun.elapsed() < seconds(1), "{status}");
        assert!(endpoint(&server, "cam", &id).is_none(), "{status}");
    }
}

#[test]
fn a_target_that_stands_still_harms_nobody_and_comes_back() {
    let server = Server::start();
    let (stopped, well) = (Nginx::start(), Nginx::start());
    let _publisher = publish(&server, "cam", Clip::Heavy);
    let first = add(&server, "cam", &stopped.url("a"));
    let second = add(&server, "cam", &well.url("b"));
    wait_state(&server, "cam", &first, "broadcasting", seconds(3));
    wait_state(&server, "cam", &second, "broadcasting", seconds(3));
    let before = server.resident_bytes();
    stopped.signal("STOP");
    let urls = [well.url("b"), server.rtmp_url("cam")];
    let readers = urls.map(|url| std::thread::spawn(move || probe(&url, 8)));
    for reader in readers {
        whole(&reader.join().unwrap(), 7.0);
    }
    let found = wait_state(&server, "cam", &first, "failed", seconds(30));
    assert!(
        found["lastError"].as_str().unwrap().contains("the server"),
        "{found}"
    );
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    assert_eq!(
        endpoint(&server, "cam", &second).unwrap()["status"],
        "broadcasting"
    );
    stopped.signal("CONT");
    wait_state(&server, "cam", &first, "broadcasting", seconds(30));
    wait_until("the stream is there again", seconds(10), || {
        !packets(&probe(&stopped.url("a"), 1), "video").is_empty()
    });
}
