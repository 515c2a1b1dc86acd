//! A source whose clock is wrong in every way: no output ends, and what was mended is told.

use crate::support::clips::Clip;
use crate::support::media::{Seen, decoding};
use crate::support::peer::Peer;
use crate::support::rtmp::{Answer, Client, tags};
use crate::support::seconds;
use crate::support::server::Server;
use flv::file::TagKind;
use rtmp::chunk::MessageType;
use std::time::{Duration, Instant};

/// Seconds of media that are sent, at twice their speed until the last fault is over: players that begin late have
/// the rest to watch.
const LENGTH: u32 = 30;

/// Seconds after which there is no fault any more.
const RIGHT: u32 = 16;

/// Where the clock begins: its 32 bits of milliseconds wrap after two seconds.
const START: u32 = u32::MAX - 2_000;

/// What the source says in place of a time in milliseconds.
fn wrong(time: u32) -> u32 {
    START.wrapping_add(match time {
        // An hour ahead, and back again; eleven seconds, and back.
        4_000..7_000 => time + 3_600_000,
        9_000..10_000 => time + 11_000,
        // The same time for a fifth of a second, and half a second back.
        11_000..12_000 => time / 200 * 200,
        13_000..14_000 => time - 500,
        right => right,
    })
}

fn publish(mut client: Client) -> Client {
    let begun = Instant::now();
    let tags = tags(Clip::Small).into_iter();
    for tag in tags.take_while(|tag| tag.timestamp < LENGTH * 1_000) {
        let kind = match tag.kind {
            TagKind::Video => MessageType::VIDEO,
            // The sound stands still for a second and a half.
            TagKind::Audio if (14_000..15_500).contains(&tag.timestamp) => continue,
            TagKind::Audio => MessageType::AUDIO,
            TagKind::Script => continue,
        };
        let slow = tag.timestamp.saturating_sub(RIGHT * 1_000);
        let due = Duration::from_millis(u64::from(tag.timestamp / 2 + slow / 2));
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        client.send(kind, wrong(tag.timestamp), &tag.body).unwrap();
    }
    client
}

/// Whether ffmpeg complains of a time that is before the last one: by a millisecond or more for sound, as it takes equal
/// milliseconds of RTMP for a step of some samples, back or forth.
fn goes_back(line: &str) -> bool {
    let number = |behind: &str| -> Option<i64> {
        let (_, rest) = line.split_once(behind)?;
        rest.split([',', ';']).next()?.trim().parse().ok()
    };
    let (Some(previous), Some(current)) = (number("previous:"), number("current:")) else {
        return line.to_lowercase().contains("monoton");
    };
    let samples_of_a_millisecond = 44;
    !line.contains("stream 0:1") || previous - current >= samples_of_a_millisecond
}

#[test]
fn no_output_ends_because_of_a_timestamp() {
    let server = Server::start();
    let (client, answer) = Client::publish(server.rtmp, "LiveApp", "cam");
    assert_eq!(answer, Answer::Granted);
    let publisher = std::thread::spawn(|| publish(client));
    server.wait_live("cam");
    let urls = [
        server.rtmp_url("cam"),
        server.url("/LiveApp/streams/cam.m3u8"),
    ];
    let players = urls.map(|url| Peer::start(&mut decoding(&url, 12)));
    for player in players {
        let finished = player.finish(seconds(40));
        let goes_back = finished.stderr.lines().any(goes_back);
        assert!(
            finished.status.success() && !goes_back,
            "{}",
            finished.stderr
        );
        let seen = Seen::of(&finished);
        assert!(seen.distinct >= 270 && seen.sound > 9.0, "{seen:?}");
    }
    let _client = publisher.join().unwrap();
    let repairs = &server.broadcast("cam").unwrap()["timeRepairs"];
    assert_eq!(
        (&repairs["jumps"], &repairs["drifts"]),
        (&4.into(), &0.into())
    );
    assert!(repairs["notGrowing"].as_u64().unwrap() > 20, "{repairs}");
    let metrics = server.get("/metrics").text();
    let line = r#"millstream_time_repairs_total{stream="LiveApp/cam",kind="jumps"} 4"#;
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    server.wait_log(
        seconds(1),
        &["LiveApp/cam", "times of the source mended", "jumps 1"],
    );
}
