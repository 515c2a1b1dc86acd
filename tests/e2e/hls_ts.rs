//! The segments of a stream as MPEG-TS, for players that know no others: `ID/ts.m3u8`.

use crate::hls::vlc_plays_url;
use crate::support::clips::Clip;
use crate::support::http::request;
use crate::support::media::{
    Seen, decoding, decoding_to_end, publish, publish_for, start_publishing,
};
use crate::support::peer::Peer;
use crate::support::playlist::Media;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_until};
use std::collections::BTreeMap;

const PLAYLIST: &str = "/LiveApp/streams/cam/ts.m3u8";

#[test]
fn players_of_others_play() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let url = server.url(PLAYLIST);
    let ffmpeg = Peer::start(&mut decoding(&url, 8));
    let mut gstreamer = tool("gst-launch-1.0");
    gstreamer
        .args(["--quiet", "playbin3", &format!("uri={url}")])
        .arg("video-sink=identity eos-after=100 ! fakesink sync=true")
        .arg("audio-sink=identity eos-after=150 ! fakesink sync=true");
    let gstreamer = Peer::start(&mut gstreamer);
    vlc_plays_url(&url);
    let finished = ffmpeg.finish(seconds(40));
    Seen::of(&finished).assert_about(8.0, 30.0);
    finished.without_complaint();
    let finished = gstreamer.finish(seconds(40));
    assert!(finished.status.success(), "{}", finished.stderr);
    assert!(!finished.stderr.contains("ERROR"), "{}", finished.stderr);
}

/// The packets of a segment: their PIDs, whether something begins in them, and their counters, of those with payload.
fn packets(segment: &[u8]) -> Vec<(u16, bool, u8)> {
    let (packets, rest) = segment.as_chunks::<188>();
    assert!(rest.is_empty() && !packets.is_empty());
    let packets = packets.iter().inspect(|packet| assert_eq!(packet[0], 0x47));
    let with_payload = packets.filter(|packet| packet[3] & 0x10 != 0);
    let read = with_payload.map(|packet| {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        (pid, packet[1] & 0x40 != 0, packet[3] & 0x0f)
    });
    read.collect()
}

#[test]
fn segments_follow_each_other_as_one_stream() {
    let server = Server::start();
    let publisher = publish_for(&server, "cam", Clip::Standard, 14);
    let mut segments: BTreeMap<u64, (f64, Vec<u8>)> = BTreeMap::new();
    let mut ended = false;
    wait_until("the stream has ended", seconds(60), || {
        let response = server.get(PLAYLIST);
        assert_eq!(response.status, 200, "{}", response.text());
        let playlist = Media::parse(&response.text());
        assert!(!playlist.can_block && playlist.open_parts.is_empty());
        for (number, segment) in (playlist.sequence..).zip(&playlist.segments) {
            assert!(segment.duration.round() <= playlist.target as f64);
            assert_eq!(segment.uri, format!("ts_{number}.ts"));
            segments.entry(number).or_insert_with(|| {
                let response = server.get(&format!("/LiveApp/streams/cam/{}", segment.uri));
                assert_eq!(response.status, 200);
                assert_eq!(response.header("content-type"), "video/mp2t");
                // It stays what it is.
                let path = format!("/LiveApp/streams/cam/{}", segment.uri);
                let tag = response.header("etag").to_owned();
                let again = request(server.http, "GET", &path, &[("If-None-Match", &tag)], b"");
                assert_eq!(again.status, 304);
                (segment.duration, response.body)
            });
        }
        ended = playlist.ended;
        ended
    });
    publisher.finish(seconds(20)).without_complaint();
    let numbers: Vec<u64> = segments.keys().copied().collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    let length: f64 = segments.values().map(|(duration, _)| duration).sum();
    assert!((13.0..14.5).contains(&length), "{length}");
    // Tables come first in each, and packets are counted on.
    let mut counters = BTreeMap::new();
    for (_, segment) in segments.values() {
        let packets = packets(segment);
        assert_eq!((packets[0].0, packets[0].1), (0, true));
        for (pid, _, counter) in packets {
            if let Some(last) = counters.insert(pid, counter) {
                assert_eq!(counter, (last + 1) & 0x0f, "{pid}");
            }
        }
    }
    assert_eq!(counters.len(), 4, "{counters:?}");
    // All of it is there.
    let seen = Peer::start(&mut decoding_to_end(&server.url(PLAYLIST))).finish(seconds(30));
    let listed = Media::parse(&server.get(PLAYLIST).text()).segments;
    let length: f64 = listed.iter().map(|segment| segment.duration).sum();
    Seen::of(&seen).assert_about(length, 30.0);
    seen.without_complaint();
}

#[test]
fn what_transport_streams_do_not_carry_is_told() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("vp9.mp4");
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(
        "-nostdin -v error -f lavfi -i testsrc2=size=320x240:rate=25 -t 4 -c:v libvpx-vp9"
            .split(' '),
    );
    ffmpeg
        .args("-deadline realtime -cpu-used 8 -g 25".split(' '))
        .arg(&clip);
    Peer::start(&mut ffmpeg)
        .finish(seconds(40))
        .without_complaint();
    let mut remux = crate::support::program::command();
    remux
        .args(["remux", "--realtime"])
        .arg(&clip)
        .arg(server.rtmp_url("cam"));
    let _publisher = Peer::start(&mut remux);
    let _sound = start_publishing(&server, "sound", Clip::SoundOnly);
    server.wait_live("cam");
    let refused = server.get(PLAYLIST);
    assert_eq!(refused.status, 404);
    assert!(
        refused.text().contains("VP9 cannot be carried"),
        "{}",
        refused.text()
    );
    server.wait_live("sound");
    let url = server.url("/LiveApp/streams/sound/ts.m3u8");
    let seen = Seen::of(&Peer::start(&mut decoding(&url, 3)).finish(seconds(30)));
    assert!(seen.pictures == 0 && seen.sound > 2.5, "{seen:?}");
    for (path, status) in [("ts_1.ts", 404), ("ts_.ts", 404), ("ts.m3u", 404)] {
        let response = server.get(&format!("/LiveApp/streams/sound/{path}"));
        assert_eq!(response.status, status, "{path}");
    }
}
