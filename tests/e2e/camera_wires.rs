//! Cameras behind TLS and behind HTTP proxies.

use crate::support::camera::{camera, camera_with, pull_as};
use crate::support::certificate::Certificate;
use crate::support::media::decode;
use crate::support::server::Server;
use crate::support::{seconds, wait_until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[test]
fn a_camera_over_tls_has_to_show_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(folder.path(), "camera");
    let (print, identity) = (certificate.fingerprint(), certificate.files());
    let (_camera, port) = camera_with(&[("CAMERA_TLS", &identity)], &[], 0, &["h264", "aac"]);
    let server = Server::start();
    let place = format!("127.0.0.1:{port}");
    let wrong = "0".repeat(64);
    let cases = [
        ("any", "#tls_verify=0".to_owned(), None),
        ("pinned", format!("#tls_fingerprint={print}"), None),
        (
            "checked",
            String::new(),
            Some("certificate of 127.0.0.1 is not accepted"),
        ),
        (
            "other",
            format!("#tls_fingerprint={wrong}"),
            Some("127.0.0.1"),
        ),
    ];
    for (id, options, _) in &cases {
        pull_as(&server, id, &format!("rtsps://{place}/cam{options}"));
    }
    for (id, _, words) in cases {
        let Some(words) = words else {
            server.wait_live(id);
            decode(&server.rtsp_url(id), 3).assert_about(3.0, 25.0);
            continue;
        };
        wait_until("a reason", seconds(15), || {
            let broadcast = server.broadcast(id).unwrap();
            let error = broadcast["lastError"].as_str().unwrap_or_default();
            error.contains(words) && broadcast["status"] != "broadcasting"
        });
    }
    // Who does not speak TLS there, or speaks it where nobody does, is told.
    pull_as(&server, "plain", &format!("rtsp://{place}/cam"));
    let (_plain, port) = camera(0, &["h264", "none"]);
    pull_as(
        &server,
        "secure",
        &format!("rtsps://127.0.0.1:{port}/cam#tls_verify=0"),
    );
    for id in ["plain", "secure"] {
        wait_until("a reason", seconds(20), || {
            let broadcast = server.broadcast(id).unwrap();
            broadcast["lastError"]
                .as_str()
                .is_some_and(|error| error.contains("127.0.0.1"))
        });
    }
}

/// An HTTP proxy: passes on requests with an absolute URL, and says what it was asked for.
struct Proxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let telling = asked.clone();
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (near, telling) = (near.unwrap(), telling.clone());
                std::thread::spawn(move || serve(near, &telling));
            }
        });
        Self { port, asked }
    }
}

fn serve(mut near: TcpStream, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        near.read_exact(&mut byte).ok()?;
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).ok()?;
    asked.lock().unwrap().push(line.trim_end().to_owned());
    let (method, rest) = line.split_once(" http://")?;
    let (host, path) = rest.split_once('/')?;
    let mut far = TcpStream::connect(host).ok()?;
    far.write_all(format!("{method} /{path}").as_bytes()).ok()?;
    let (mut to, mut from) = (far.try_clone().ok()?, near.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut far, &mut near);
    let _ = near.shutdown(Shutdown::Write);
    Some(())
}

#[test]
fn a_camera_behind_an_http_proxy() {
    let (_camera, port) = camera(0, &["h264", "aac"]);
    let (proxy, server) = (Proxy::start(), Server::start());
    let url = format!(
        "rtsp://127.0.0.1:{port}/cam#httpProxy=127.0.0.1:{}",
        proxy.port
    );
    pull_as(&server, "cam", &url);
    server.wait_live("cam");
    decode(&server.rtsp_url("cam"), 3).assert_about(3.0, 25.0);
    let asked = proxy.asked.lock().unwrap().clone();
    let line = |method: &str| format!("{method} http://127.0.0.1:{port}/cam HTTP/1.0");
    assert_eq!(asked, [line("GET"), line("POST")]);
}
