//! Who comes late starts with a picture at once, also where there is none that begins anew.

use crate::support::clips::Clip;
use crate::support::media::{Seen, decode, decoding, packets, probe, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::{seconds, wait_for};

#[test]
fn an_open_group_of_pictures_is_a_beginning() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::OpenGop);
    let url = server.rtmp_url("cam");
    // Past the first group, whose beginning is an IDR picture.
    decode(&url, 2).assert_about(2.0, 30.0);
    let probed = probe(&url, 3);
    let pictures = packets(&probed, "video");
    let first = pictures[0];
    assert!(first.key, "{first:?}");
    // Nothing that is shown before the first picture, which could not be decoded.
    assert!(
        pictures.iter().all(|picture| picture.pts >= first.pts),
        "{pictures:?}"
    );
    decode_late(&url).assert_about(4.0, 30.0);
    decode_late(&server.url("/LiveApp/streams/cam.m3u8")).assert_about(4.0, 30.0);
}

/// What ffmpeg says of HLS whenever it reads an initialization section again.
const READS_INIT_AGAIN: &str = "Found duplicated MOOV Atom. Skipped it";

/// The encoder tells decoders to forget a picture that is older than the beginning; it is not there.
const FORGETS_NOTHING: &str = "mmco: unref short failure";

/// Decodes four seconds with hardly a complaint.
#[track_caller]
fn decode_late(url: &str) -> Seen {
    let finished = Peer::start(&mut decoding(url, 4)).finish(seconds(40));
    let lines = finished.stderr.lines();
    let complaints: Vec<&str> = lines
        .filter(|line| !line.contains(READS_INIT_AGAIN))
        .collect();
    let expected = complaints.iter().all(|line| line.contains(FORGETS_NOTHING));
    assert!(expected && complaints.len() <= 2, "{complaints:?}");
    Seen::of(&finished)
}

#[test]
fn intra_refresh_is_a_beginning() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::IntraRefresh);
    let url = server.rtmp_url("cam");
    decode(&url, 2).assert_about(2.0, 30.0);
    let probed = probe(&url, 3);
    assert!(packets(&probed, "video")[0].key, "{probed}");
    // ffmpeg shows what has been refreshed whole, which takes a second.
    let seen = decode_late(&url);
    assert!(
        seen.pictures > 80 && seen.distinct == seen.pictures,
        "{seen:?}"
    );
    let seen = decode_late(&server.url("/LiveApp/streams/cam.m3u8"));
    assert!(
        seen.pictures > 80 && seen.distinct == seen.pictures,
        "{seen:?}"
    );
}

#[test]
fn a_source_that_can_is_asked_for_random_access_points() {
    // The demo stream has one every two seconds, and makes another when it is asked to.
    let server = Server::with(&[
        "--demo",
        "--set",
        "segments.duration=500ms",
        "--set",
        "segments.part=200ms",
    ]);
    server.wait_live("demo");
    let playlist = "/LiveApp/streams/demo.m3u8";
    let multivariant = server.get(playlist).text();
    let media = multivariant.lines().find(|line| !line.starts_with('#'));
    let media = format!("/LiveApp/streams/{}", media.unwrap());
    let target = wait_for("four segments", seconds(20), || {
        let text = server.get(&media).text();
        let target = text
            .lines()
            .find_map(|line| line.strip_prefix("#EXT-X-TARGETDURATION:"))?;
        (text.matches("#EXTINF").count() >= 4).then(|| target.to_owned())
    });
    assert_eq!(target, "1");
    let metrics = server.get("/metrics").text();
    let count = |name: &str| -> u64 {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap().trim().parse().unwrap()
    };
    assert!(count("millstream_stream_random_access_wanted ") > 0);
    assert!(count("millstream_stream_random_access_asked ") > 0);
}
