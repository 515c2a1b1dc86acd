//! MPEG transport streams from groups and to groups, with the other end in a network of its own. Needs root and `ip`.

use crate::network::{Elsewhere, ip};
use crate::support::camera::pull;
use crate::support::clips::Clip;
use crate::support::frames::made;
use crate::support::media::{Seen, decode, decoding, probe, publish, stream};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::path_of;
use crate::support::{free_port, seconds, wait_until};
use serde_json::json;
use std::ffi::OsStr;

/// ffmpeg in the other network, sending a clip without end to a group.
fn sending(elsewhere: &Elsewhere, clip: &OsStr, url: &str) -> Peer {
    let mut ffmpeg = elsewhere.inside(&path_of("ffmpeg"));
    ffmpeg
        .args(["-nostdin", "-hide_banner", "-v", "error"])
        .args(["-re", "-stream_loop", "-1", "-i"])
        .arg(clip)
        .args(["-c", "copy", "-f", "mpegts", url]);
    Peer::start(&mut ffmpeg)
}

#[test]
fn a_group_is_joined_for_any_sender_or_for_one() {
    let elsewhere = Elsewhere::new();
    elsewhere.routes_groups();
    let (interface, far) = (
        format!("{}a", elsewhere.name),
        format!("{}b", elsewhere.name),
    );
    // A second sender on the same cable.
    let other = elsewhere.address.rsplit_once('.').unwrap();
    let other = format!("198.19.{}.{}", std::process::id() % 256, other.1);
    let network = format!("{other}/32");
    ip(&["-n", &elsewhere.name, "addr", "add", &network, "dev", &far]);
    ip(&["route", "add", &network, "dev", &interface]);
    let port = free_port();
    let small = made(
        "small.mp4",
        "-f lavfi -i testsrc2=size=320x240:rate=25:duration=4 -pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25 -bf 0",
    );
    let standard = Clip::Standard.file();
    let to = |group: &str, from: &str| {
        format!("udp://{group}:{port}?localaddr={from}&ttl=2&pkt_size=1316")
    };
    let any = "239.77.1.1";
    let _one = sending(
        &elsewhere,
        standard.as_os_str(),
        &to(any, &elsewhere.address),
    );
    let server = Server::start();
    pull(
        &server,
        &format!("udp://{any}:{port}#interface={interface}"),
    );
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 30.0);
    server.rest("DELETE", "/cam", "");
    // Two senders to one group: only the one that is named is heard.
    let group = "232.77.1.1";
    let _one = sending(
        &elsewhere,
        standard.as_os_str(),
        &to(group, &elsewhere.address),
    );
    let _other = sending(&elsewhere, small.as_os_str(), &to(group, &other));
    for (source, width) in [(&elsewhere.address, 640), (&other, 320)] {
        pull(
            &server,
            &format!("udp://{source}@{group}:{port}?localaddr={}", elsewhere.near),
        );
        server.wait_live("cam");
        let probed = probe(&server.rtmp_url("cam"), 1);
        assert_eq!(stream(&probed, "video")["width"], width, "{source}");
        server.rest("DELETE", "/cam", "");
        wait_until("it is gone", seconds(10), || {
            server.broadcast("cam").is_none()
        });
    }
}

#[test]
fn a_group_is_joined_on_an_interface_without_an_address_of_ipv4() {
    let elsewhere = Elsewhere::new();
    elsewhere.routes_groups();
    let interface = format!("{}a", elsewhere.name);
    // What it has by itself is left, which is good on its link alone.
    ip(&["-4", "addr", "flush", "dev", &interface]);
    let far = format!("{}/32", elsewhere.address);
    ip(&["route", "add", &far, "dev", &interface]);
    let port = free_port();
    let url = format!(
        "udp://239.77.3.3:{port}?localaddr={}&ttl=2&pkt_size=1316",
        elsewhere.address
    );
    let _sender = sending(&elsewhere, Clip::Standard.file().as_os_str(), &url);
    let server = Server::start();
    pull(
        &server,
        &format!("udp://239.77.3.3:{port}#interface={interface}"),
    );
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 30.0);
}

#[test]
fn a_group_of_ipv6_is_joined() {
    let elsewhere = Elsewhere::new();
    let (interface, far) = (
        format!("{}a", elsewhere.name),
        format!("{}b", elsewhere.name),
    );
    let id = std::process::id() & 0xffff;
    ip(&[
        "addr",
        "add",
        &format!("fd77:{id:x}::1/64"),
        "dev",
        &interface,
        "nodad",
    ]);
    let own = format!("fd77:{id:x}::2/64");
    ip(&[
        "-n",
        &elsewhere.name,
        "addr",
        "add",
        &own,
        "dev",
        &far,
        "nodad",
    ]);
    let port = free_port();
    let url = format!("udp://[ff15::77]:{port}?ttl=2&pkt_size=1316");
    let _sender = sending(&elsewhere, Clip::Standard.file().as_os_str(), &url);
    let server = Server::start();
    pull(
        &server,
        &format!("udp://[ff15::77]:{port}#interface={interface}"),
    );
    server.wait_live("cam");
    decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 30.0);
}

#[test]
fn a_stream_is_pushed_to_a_group() {
    let elsewhere = Elsewhere::new();
    elsewhere.routes_groups();
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let port = free_port();
    let body = json!({
        "endpointUrl": format!("udp://239.77.2.2:{port}#interface={}a&ttl=3", elsewhere.name),
    });
    let answer = server
        .rest("POST", "/cam/endpoint", &body.to_string())
        .json();
    assert_eq!(answer["success"], true, "{answer}");
    let url = format!(
        "udp://239.77.2.2:{port}?localaddr={}&fifo_size=100000",
        elsewhere.address
    );
    let command = decoding(&url, 7);
    let mut ffmpeg = elsewhere.inside(&path_of("ffmpeg"));
    ffmpeg.args(command.get_args());
    // It begins in the middle of a GOP, which are of two seconds.
    let seen = Seen::of(&Peer::start(&mut ffmpeg).finish(seconds(40)));
    assert!(seen.pictures > 120 && seen.sound > 4.0, "{seen:?}");
}
