//! The network goes and comes back: a cut that says nothing, a camera that stands still, packets that are lost,
//! and names that are not known yet or no longer. Needs root and `ip`, for a network namespace and a veth pair, or a
//! mount namespace, which last as long as the test.

use crate::browser::comes_back_from;
use crate::support::camera::{camera_at, camera_with, pull};
use crate::support::media::{Seen, decode, decoding_to_end};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_until};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A network namespace at the other end of a cable.
pub(crate) struct Elsewhere {
    pub(crate) name: String,
    /// Ours at this end.
    pub(crate) near: String,
    /// That of the other end.
    pub(crate) address: String,
}

impl Elsewhere {
    #[track_caller]
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = std::process::id() * 2 + COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ms{id}");
        // A network of 4 addresses within 198.18.0.0/15, which is for tests (RFC 2544).
        let base = (id % (1 << 14)) * 4;
        let at = |host: u32| {
            format!(
                "198.18.{}.{}",
                (base + host) / 256 % 256,
                (base + host) % 256
            )
        };
        let elsewhere = Self {
            name: name.clone(),
            near: at(1),
            address: at(2),
        };
        let (near, far) = (format!("{name}a"), format!("{name}b"));
        ip(&["netns", "add", &name]);
        ip(&[
            "link", "add", &near, "type", "veth", "peer", "name", &far, "netns", &name,
        ]);
        ip(&["addr", "add", &format!("{}/30", at(1)), "dev", &near]);
        ip(&["link", "set", &near, "up"]);
        ip(&[
            "-n",
            &name,
            "addr",
            "add",
            &format!("{}/30", at(2)),
            "dev",
            &far,
        ]);
        ip(&["-n", &name, "link", "set", &far, "up"]);
        ip(&["-n", &name, "link", "set", "lo", "up"]);
        elsewhere
    }

    /// A network behind the other end, which is its router: what comes from there has the router's address and a port of
    /// its own, and nothing else gets in.
    #[track_caller]
    pub(crate) fn home(&self) -> Home {
        let router = &self.name;
        let name = format!("{router}h");
        ip(&["netns", "add", &name]);
        let home = Home(name.clone());
        ip(&[
            "-n", router, "link", "add", "home", "type", "veth", "peer", "name", "out", "netns",
            &name,
        ]);
        for (namespace, address, device) in [
            (router, "192.168.7.1/24", "home"),
            (&name, "192.168.7.2/24", "out"),
        ] {
            ip(&["-n", namespace, "addr", "add", address, "dev", device]);
            ip(&["-n", namespace, "link", "set", device, "up"]);
        }
        ip(&["-n", &name, "link", "set", "lo", "up"]);
        ip(&["-n", &name, "route", "add", "default", "via", "192.168.7.1"]);
        let rules = "table ip nat { chain post { type nat hook postrouting priority 100; oifname != home masquerade; }; }";
        let script = "echo 1 > /proc/sys/net/ipv4/ip_forward && nft \"$0\"";
        let mut set_up = self.inside(Path::new("sh"));
        let output = set_up.args(["-c", script, rules]).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        home
    }

    /// A program in the other network.
    pub(crate) fn inside(&self, program: &Path) -> Command {
        let mut command = tool("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// The same program in the other network.
    pub(crate) fn runs(&self, command: &Command) -> Command {
        within(&self.name, command)
    }

    /// What is sent to groups there goes through the cable.
    #[track_caller]
    pub(crate) fn routes_groups(&self) {
        let far = format!("{}b", self.name);
        ip(&["-n", &self.name, "route", "add", "224.0.0.0/4", "dev", &far]);
    }

    /// Packets of more bytes do not fit into the cable.
    #[track_caller]
    pub(crate) fn narrows(&self, bytes: u32) {
        let (near, far) = (format!("{}a", self.name), format!("{}b", self.name));
        let bytes = bytes.to_string();
        ip(&["link", "set", &near, "mtu", &bytes]);
        ip(&["-n", &self.name, "link", "set", &far, "mtu", &bytes]);
    }

    /// Cuts or mends the cable: at the far end, so that the server's system knows nothing of it.
    #[track_caller]
    fn cable(&self, state: &str) {
        ip(&[
            "-n",
            &self.name,
            "link",
            "set",
            &format!("{}b", self.name),
            state,
        ]);
    }
}

/// A network behind a router.
pub(crate) struct Home(String);

impl Home {
    /// The same program there.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        within(&self.0, command)
    }
}

/// The same program in that namespace.
fn within(namespace: &str, command: &Command) -> Command {
    let mut inside = tool("ip");
    inside.args(["netns", "exec", namespace]);
    inside.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        inside.env(name, value.unwrap_or_default());
    }
    if let Some(folder) = command.get_current_dir() {
        inside.current_dir(folder);
    }
    inside
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = tool("ip").args(["netns", "del", &self.0]).status();
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // The pair goes with its far end.
        let _ = tool("ip")
            .args(["link", "del", &format!("{}a", self.name)])
            .status();
        let _ = tool("ip").args(["netns", "del", &self.name]).status();
    }
}

#[track_caller]
pub(crate) fn ip(arguments: &[&str]) {
    let output = tool("ip").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "ip {arguments:?} (this test needs root): {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Silence is noticed soon, and viewers are kept for long.
const QUICK: [&str; 6] = [
    "--set",
    "sources.silence=2s",
    "--set",
    "rtsp.timeout=2s",
    "--set",
    "streams.grace=60s",
];

/// The stream is as it was, the player is still there, and ends with the stream.
#[track_caller]
fn watched_to_the_end(server: &Server, player: Peer) {
    decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 25.0);
    assert_eq!(server.broadcast("cam").unwrap()["rtmpViewerCount"], 1);
    server.rest("POST", "/cam/stop", "");
    let seen = Seen::of(&player.finish(seconds(15)));
    assert!(seen.pictures > 4 * 25, "{seen:?}");
}

#[test]
fn a_cable_that_is_pulled_and_put_back_costs_no_viewer() {
    let elsewhere = Elsewhere::new();
    let server = Server::with(&QUICK);
    let inside = ["ip", "netns", "exec", &elsewhere.name];
    let (camera, port) = camera_at(&elsewhere.address, &inside, 0, &["h264", "aac"]);
    pull(&server, &format!("rtsp://{}:{port}/cam", elsewhere.address));
    server.wait_live("cam");
    let player = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    let (server, _camera) = comes_back_from(server, camera, "webrtc,hls", |server, camera, _| {
        elsewhere.cable("down");
        server.wait_log(seconds(10), &["source failed", "sent nothing for 2 s"]);
        // And again, now that nobody answers at all.
        wait_until("it says why", seconds(20), || {
            let error = server.broadcast("cam").unwrap()["lastError"].clone();
            error
                .as_str()
                .is_some_and(|error| !error.contains("sent nothing"))
        });
        elsewhere.cable("up");
        server.wait_live("cam");
        (server, camera)
    });
    watched_to_the_end(&server, player);
}

#[test]
fn a_name_that_is_not_known_yet_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 localhost\n").unwrap();
    let server = Server::with_hosts(&hosts, &[]);
    let (_camera, port) = camera_at("127.0.0.1", &[], 0, &["h264", "none"]);
    pull(&server, &format!("rtsp://camera.test:{port}/cam"));
    server.wait_log(seconds(15), &["source failed", "camera.test"]);
    std::fs::write(&hosts, "127.0.0.1 localhost camera.test\n").unwrap();
    server.wait_live("cam");
}

#[test]
fn a_name_that_is_forgotten_and_returns_with_another_address_costs_no_viewer() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    let known =
        |lines: &str| std::fs::write(&hosts, format!("127.0.0.1 localhost\n{lines}")).unwrap();
    known("127.0.0.1 camera.test\n");
    let server = Server::with_hosts(&hosts, &["--set", "streams.grace=60s"]);
    let (camera, port) = camera_at("127.0.0.1", &[], 0, &["h264", "aac"]);
    pull(&server, &format!("rtsp://camera.test:{port}/cam"));
    server.wait_live("cam");
    let player = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    let (server, _camera) = comes_back_from(server, camera, "webrtc,hls", |server, camera, _| {
        known("");
        // What runs needs no name.
        let received = || server.broadcast("cam").unwrap()["receivedBytes"].as_u64();
        let before = received();
        wait_until("it goes on", seconds(10), || received() > before);
        camera.kill();
        wait_until("it says that the name is gone", seconds(20), || {
            let error = server.broadcast("cam").unwrap()["lastError"].clone();
            error
                .as_str()
                .is_some_and(|error| error.contains("cannot find camera.test"))
        });
        let (camera, _) = camera_at("127.0.0.2", &[], port, &["h264", "aac"]);
        known("127.0.0.2 camera.test\n");
        server.wait_live("cam");
        (server, camera)
    });
    watched_to_the_end(&server, player);
}

#[test]
fn a_camera_that_is_stopped_and_goes_on_costs_no_viewer() {
    let server = Server::with(&QUICK);
    let (camera, port) = camera_at("127.0.0.1", &[], 0, &["h264", "aac"]);
    pull(&server, &format!("rtsp://127.0.0.1:{port}/cam"));
    server.wait_live("cam");
    let player = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    let (server, _camera) = comes_back_from(server, camera, "webrtc,hls", |server, camera, _| {
        camera.signal("STOP");
        server.wait_log(seconds(10), &["source failed", "sent nothing for 2 s"]);
        // Its system still accepts connections in its place.
        server.wait_log(
            seconds(20),
            &["source failed", "does not answer within 2 s"],
        );
        camera.signal("CONT");
        server.wait_live("cam");
        (server, camera)
    });
    watched_to_the_end(&server, player);
}

#[test]
fn a_camera_sends_to_a_group() {
    let elsewhere = Elsewhere::new();
    let server = Server::start();
    let far = format!("{}b", elsewhere.name);
    ip(&[
        "-n",
        &elsewhere.name,
        "route",
        "add",
        "224.0.0.0/4",
        "dev",
        &far,
    ]);
    let inside = ["ip", "netns", "exec", &elsewhere.name];
    let variables = [
        ("CAMERA_ADDRESS", &elsewhere.address[..]),
        ("CAMERA_GROUP", "239.255.77.1"),
    ];
    let (_camera, port) = camera_with(&variables, &inside, 0, &["h264", "pcma"]);
    let url = format!(
        "rtsp://{}:{port}/cam#transport=multicast",
        elsewhere.address
    );
    pull(&server, &url);
    server.wait_live("cam");
    decode(&server.rtsp_url("cam"), 4).assert_about(4.0, 25.0);
    assert_eq!(server.broadcast("cam").unwrap()["packetsLost"], 0);
}

#[test]
fn packets_that_are_lost_on_the_way_are_counted() {
    let elsewhere = Elsewhere::new();
    let server = Server::start();
    let inside = ["ip", "netns", "exec", &elsewhere.name];
    let (_camera, port) = camera_at(&elsewhere.address, &inside, 0, &["h264", "none"]);
    let url = format!("rtsp://{}:{port}/cam#transport=udp", elsewhere.address);
    pull(&server, &url);
    server.wait_live("cam");
    let lost = || {
        server.broadcast("cam").unwrap()["packetsLost"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(lost(), 0);
    elsewhere.cable("down");
    std::thread::sleep(seconds(1));
    elsewhere.cable("up");
    wait_until("the gap is seen", seconds(20), || lost() > 0);
    assert_eq!(server.broadcast("cam").unwrap()["status"], "broadcasting");
    let metrics = server.get("/metrics").text();
    let line = format!("millstream_stream_packets_lost {}", lost());
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
}
