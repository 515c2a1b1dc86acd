//! What is published by RTMP is played by RTMP, whole and in order, whoever publishes and plays.

use crate::support::clips::Clip;
use crate::support::media::{
    self, Seen, decode, decoding_to_end, gstreamer_publishing, packets, probe, publish,
    publish_for, stream,
};
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client};
use crate::support::seconds;
use crate::support::server::Server;
use rtmp::Output;
use std::io::{Read, Write};
use std::time::Instant;

#[test]
fn ffmpeg_plays_what_ffmpeg_publishes() {
    let server = Server::start();
    let mut publisher = publish(&server, "cam", Clip::Standard);
    decode(&server.rtmp_url("cam"), 4).assert_about(4.0, 30.0);
    // The default application, and the other one.
    decode(&format!("rtmp://127.0.0.1:{}/cam", server.rtmp), 1).assert_about(1.0, 30.0);
    let other = format!("rtmp://127.0.0.1:{}/live/cam", server.rtmp);
    let (_, answer) = Client::play(server.rtmp, "live", "cam");
    assert_eq!(
        answer,
        Answer::Rejected("NetStream.Play.StreamNotFound".into()),
        "{other}"
    );
    assert!(publisher.is_running(), "{}", publisher.stderr.text());
    assert_eq!(publisher.stderr.text(), "");
}

#[test]
fn ffprobe_sees_the_tracks_as_they_were_published() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let probed = probe(&server.rtmp_url("cam"), 2);
    let video = stream(&probed, "video");
    assert_eq!(video["codec_name"], "h264");
    assert_eq!(
        (&video["width"], &video["height"]),
        (&640.into(), &360.into())
    );
    assert_eq!(video["avg_frame_rate"], "30/1");
    let audio = stream(&probed, "audio");
    assert_eq!(audio["codec_name"], "aac");
    assert_eq!(
        (&audio["sample_rate"], &audio["channels"]),
        (&"48000".into(), &2.into())
    );
    let pictures = packets(&probed, "video");
    assert!(pictures.len() > 45, "{}", pictures.len());
    assert!(
        pictures.windows(2).all(|pair| pair[0].dts < pair[1].dts),
        "{pictures:?}"
    );
}

#[test]
fn b_frames_arrive_in_order() {
    let server = Server::start();
    let publisher = publish(&server, "cam", Clip::BFrames);
    let probed = probe(&server.rtmp_url("cam"), 4);
    let pictures = packets(&probed, "video");
    assert!(pictures.len() > 100, "{}", pictures.len());
    assert!(
        pictures.windows(2).all(|pair| pair[0].dts < pair[1].dts),
        "{pictures:?}"
    );
    assert!(
        pictures.iter().all(|picture| picture.pts >= picture.dts),
        "{pictures:?}"
    );
    assert!(
        pictures
            .iter()
            .any(|picture| picture.pts > picture.dts + 50),
        "no B-frames: {pictures:?}"
    );
    let mut shown: Vec<i64> = pictures.iter().map(|picture| picture.pts).collect();
    shown.sort_unstable();
    // Every time is shown once, 33 or 34 ms apart, but at the end, where some are still to come.
    let steady = &shown[..shown.len() - 4];
    let gaps: Vec<i64> = steady.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (30..=37).contains(gap)), "{gaps:?}");
    decode(&server.rtmp_url("cam"), 3).assert_about(3.0, 30.0);
    assert_eq!(publisher.stderr.text(), "");
}

#[test]
fn a_player_that_joins_within_a_gop_starts_with_a_key_frame() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    for pause in [300, 900, 1_500] {
        std::thread::sleep(std::time::Duration::from_millis(pause));
        let pictures = packets(&probe(&server.rtmp_url("cam"), 1), "video");
        assert!(pictures[0].key, "{:?}", &pictures[..5]);
    }
}

#[test]
fn a_stream_of_sound_alone_or_of_pictures_alone_plays() {
    let server = Server::start();
    let _sound = publish(&server, "sound", Clip::SoundOnly);
    let _pictures = publish(&server, "pictures", Clip::Silent);
    let seen = decode(&server.rtmp_url("sound"), 3);
    assert!(
        seen.pictures == 0 && (seen.sound - 3.0).abs() < 0.5,
        "{seen:?}"
    );
    let seen = decode(&server.rtmp_url("pictures"), 3);
    assert!(
        seen.sound == 0.0 && (80..=95).contains(&seen.pictures),
        "{seen:?}"
    );
}

#[test]
fn gstreamer_publishes() {
    let server = Server::start();
    let location = format!("location={}", server.rtmp_url("modern"));
    let _modern = Peer::start(&mut gstreamer_publishing(&["rtmp2sink", &location]));
    let location = format!("location={} live=1", server.rtmp_url("classic"));
    let _classic = Peer::start(&mut gstreamer_publishing(&["rtmpsink", &location]));
    for id in ["modern", "classic"] {
        server.wait_live(id);
        let probed = probe(&server.rtmp_url(id), 2);
        let video = stream(&probed, "video");
        assert_eq!(
            (&video["width"], &video["height"]),
            (&320.into(), &180.into()),
            "{id}"
        );
        assert_eq!(stream(&probed, "audio")["codec_name"], "aac", "{id}");
        decode(&server.rtmp_url(id), 3).assert_about(3.0, 25.0);
    }
}

#[test]
fn gstreamer_plays() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let mut player = crate::support::tools::tool("gst-launch-1.0");
    let location = format!("location={}", server.rtmp_url("cam"));
    let pipeline = "! flvdemux name=d d.video ! queue ! h264parse ! avdec_h264 ! identity eos-after=60 \
         ! fakesink sync=false d.audio ! queue ! aacparse ! avdec_aac ! identity eos-after=60 ! fakesink sync=false";
    player
        .args(["--quiet", "rtmp2src", &location])
        .args(pipeline.split_whitespace());
    let finished = Peer::start(&mut player).finish(seconds(20));
    assert!(finished.status.success(), "{}", finished.stderr);
    assert!(!finished.stderr.contains("ERROR"), "{}", finished.stderr);
}

#[test]
fn the_servers_own_stream_plays() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let seen = decode(&server.rtmp_url("demo"), 4);
    assert!(
        seen.pictures > 40 && seen.distinct * 10 >= seen.pictures * 9,
        "{seen:?}"
    );
    assert!((seen.sound - 4.0).abs() < 0.5, "{seen:?}");
}

#[test]
fn a_player_of_an_unknown_stream_is_told_and_the_others_go_on() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let player = Peer::start(&mut media::decoding(&server.rtmp_url("cam"), 5));
    let (_, answer) = Client::play(server.rtmp, "LiveApp", "nobody");
    assert_eq!(
        answer,
        Answer::Rejected("NetStream.Play.StreamNotFound".into())
    );
    let (_, answer) = Client::play(server.rtmp, "nowhere", "cam");
    assert!(matches!(answer, Answer::Rejected(_)), "{answer:?}");
    let refused =
        Peer::start(&mut media::decoding(&server.rtmp_url("nobody"), 1)).finish(seconds(10));
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("not live"), "{}", refused.stderr);
    Seen::of(&player.finish(seconds(20)).without_complaint()).assert_about(5.0, 30.0);
}

#[test]
fn a_player_that_stops_before_it_is_answered_is_heard() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Small);
    let mut client = Client::connect(server.rtmp, "LiveApp");
    client.socket.set_read_timeout(Some(seconds(15))).unwrap();
    client.session.play(Instant::now(), "cam").unwrap();
    let mut buffer = vec![0; 16 << 10];
    // Until it is about to ask.
    while client.session.message_stream() == 0 {
        match client.session.poll_output() {
            Output::Transmit(bytes) => client.socket.write_all(&bytes).unwrap(),
            Output::Event(_) => {}
            Output::Timeout(_) => {
                let count = client.socket.read(&mut buffer).unwrap();
                assert!(count > 0, "the server closed the connection");
                let read = client
                    .session
                    .handle_input(Instant::now(), &buffer[..count]);
                read.unwrap();
            }
        }
    }
    // Both go out in one piece.
    client.session.stop();
    let end = loop {
        match client.next(Instant::now() + seconds(15)) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the server goes on"),
            Err(end) => break end,
        }
    };
    assert_eq!(end, "the server closed the connection");
    server.wait_log(seconds(10), &["reader left", "it stopped playing"]);
}

#[test]
fn players_end_cleanly_when_the_publisher_is_done() {
    let server = Server::start();
    let publisher = publish_for(&server, "cam", Clip::Standard, 6);
    let player = Peer::start(&mut decoding_to_end(&server.rtmp_url("cam")));
    publisher.finish(seconds(15)).without_complaint();
    // Well before the grace time for publishers that were cut off.
    let finished = player.finish(seconds(4)).without_complaint();
    let seen = Seen::of(&finished);
    assert!(seen.pictures >= 120, "{seen:?}");
    server.wait_log(seconds(2), &["publisher finished"]);
    assert!(server.broadcast("cam").is_none(), "the name is free again");
}

#[test]
fn mp3_is_played_as_it_comes() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Mp3);
    decode(&server.rtmp_url("cam"), 4).assert_about(4.0, 30.0);
}

#[test]
fn a_track_that_cannot_be_carried_is_left_out_and_the_log_says_so() {
    let server = Server::start();
    let publisher = publish(&server, "cam", Clip::Adpcm);
    let seen = decode(&server.rtmp_url("cam"), 3);
    assert!(
        seen.sound == 0.0 && (80..=95).contains(&seen.pictures),
        "{seen:?}"
    );
    server.wait_log(seconds(1), &["LiveApp/cam", "cannot be used"]);
    let complaints = server.log.count(|line| line.contains("cannot be used"));
    assert_eq!(complaints, 1, "once, not for each frame");
    assert_eq!(publisher.stderr.text(), "");
}
