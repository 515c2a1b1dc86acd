//! Publishers and players that are not ours, and what the players saw.

use super::clips::Clip;
use super::peer::{Finished, Peer};
use super::seconds;
use super::server::Server;
use super::tools::{python, tool};
use serde_json::Value;
use std::collections::HashSet;
use std::process::Command;

/// Starts ffmpeg publishing a clip without end, and waits until the stream is live.
#[track_caller]
pub(crate) fn publish(server: &Server, id: &str, clip: Clip) -> Peer {
    let publisher = start_publishing(server, id, clip);
    server.wait_live(id);
    publisher
}

/// Starts ffmpeg publishing a clip without end.
#[track_caller]
pub(crate) fn start_publishing(server: &Server, id: &str, clip: Clip) -> Peer {
    Peer::start(&mut publishing(
        &server.rtmp_url(id),
        clip,
        &["-stream_loop", "-1"],
    ))
}

/// Starts ffmpeg publishing a clip without end to a URL of RTMP.
#[track_caller]
pub(crate) fn publish_to(url: &str, clip: Clip) -> Peer {
    Peer::start(&mut publishing(url, clip, &["-stream_loop", "-1"]))
}

/// Starts ffmpeg publishing that many seconds of a clip, after which it says that it is done.
#[track_caller]
pub(crate) fn publish_for(server: &Server, id: &str, clip: Clip, length: u32) -> Peer {
    let publisher = Peer::start(&mut publishing(
        &server.rtmp_url(id),
        clip,
        &["-t", &length.to_string()],
    ));
    server.wait_live(id);
    publisher
}

fn publishing(url: &str, clip: Clip, input: &[&str]) -> Command {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-hide_banner", "-v", "error", "-re"])
        .args(input)
        .arg("-i")
        .arg(clip.file())
        .args([
            "-c",
            "copy",
            "-f",
            "flv",
            "-flvflags",
            "no_duration_filesize",
            url,
        ]);
    ffmpeg
}

/// ffmpeg decoding that many seconds of a URL; [`Seen::of`] reads what it found.
pub(crate) fn decoding(url: &str, length: u32) -> Command {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args([
            "-nostdin",
            "-hide_banner",
            "-v",
            "repeat+warning",
            "-i",
            url,
        ])
        .args([
            "-t",
            &length.to_string(),
            "-map",
            "0",
            "-f",
            "framecrc",
            "-",
        ]);
    ffmpeg
}

/// ffmpeg decoding a URL until its end.
pub(crate) fn decoding_to_end(url: &str) -> Command {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args([
            "-nostdin",
            "-hide_banner",
            "-v",
            "repeat+warning",
            "-i",
            url,
        ])
        .args(["-map", "0", "-f", "framecrc", "-"]);
    ffmpeg
}

/// What ffmpeg decoded.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Pictures.
    pub(crate) pictures: usize,
    /// Pictures that differ from each other.
    pub(crate) distinct: usize,
    /// Seconds of sound.
    pub(crate) sound: f64,
}

impl Seen {
    /// From the output of [`decoding`].
    pub(crate) fn of(finished: &Finished) -> Self {
        Self::in_text(&finished.stdout)
    }

    /// From what it has written so far.
    pub(crate) fn in_text(text: &str) -> Self {
        let mut seen = Self::default();
        let (mut kinds, mut rates) = ([""; 8], [1.0; 8]);
        let mut sums = HashSet::new();
        for line in text.lines() {
            if let Some(line) = line.strip_prefix('#') {
                let mut words = line.split([' ', ':']).filter(|word| !word.is_empty());
                let (name, stream, value) = (words.next(), words.next(), words.next());
                let stream = stream
                    .and_then(|stream| stream.parse::<usize>().ok())
                    .unwrap_or(0);
                match (name, value) {
                    (Some("media_type"), Some(kind)) => kinds[stream] = kind,
                    (Some("sample_rate"), Some(rate)) => rates[stream] = rate.parse().unwrap(),
                    _ => {}
                }
                continue;
            }
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let Some(stream) = fields
                .first()
                .and_then(|stream| stream.parse::<usize>().ok())
            else {
                continue;
            };
            if kinds[stream] == "video" {
                seen.pictures += 1;
                sums.insert(fields[5].to_owned());
            } else {
                seen.sound += fields[3].parse::<f64>().unwrap() / rates[stream];
            }
        }
        seen.distinct = sums.len();
        seen
    }

    /// About `length` seconds of moving pictures at that rate, and of sound.
    #[track_caller]
    pub(crate) fn assert_about(&self, length: f64, rate: f64) {
        let expected = length * rate;
        let near = |value: f64, expected: f64| (value - expected).abs() <= expected * 0.1 + 2.0;
        assert!(
            near(self.pictures as f64, expected),
            "{self:?}, expected {expected} pictures"
        );
        assert!(
            self.distinct * 10 >= self.pictures * 9,
            "the picture stands still: {self:?}"
        );
        assert!(
            (self.sound - length).abs() < 0.5,
            "{self:?}, expected {length} s of sound"
        );
    }
}

/// Decodes that many seconds of a URL, which must bring no complaint.
#[track_caller]
pub(crate) fn decode(url: &str, length: u32) -> Seen {
    let player = Peer::start(&mut decoding(url, length));
    let finished = player
        .finish(seconds(u64::from(length) + 25))
        .without_complaint();
    Seen::of(&finished)
}

/// What ffprobe says of a URL: its streams, and the packets of that many seconds.
#[track_caller]
pub(crate) fn probe(url: &str, length: u32) -> Value {
    let probe = Peer::start(&mut probing(url, length));
    let finished = probe
        .finish(seconds(u64::from(length) + 25))
        .without_complaint();
    serde_json::from_str(&finished.stdout).unwrap()
}

/// ffprobe telling the streams of a URL and the packets of that many seconds, in JSON.
pub(crate) fn probing(url: &str, length: u32) -> Command {
    let mut ffprobe = tool("ffprobe");
    ffprobe
        .args(["-v", "warning", "-of", "json", "-show_streams"])
        .args([
            "-show_entries",
            "packet=stream_index,codec_type,pts,dts,pts_time,dts_time,flags",
        ])
        .args(["-read_intervals", &format!("%+{length}"), url]);
    ffprobe
}

/// The stream of that kind (`video`, `audio`) in the answer of [`probe`].
#[track_caller]
pub(crate) fn stream<'a>(probed: &'a Value, kind: &str) -> &'a Value {
    let streams = probed["streams"].as_array().unwrap();
    let mut found = streams.iter().filter(|stream| stream["codec_type"] == kind);
    let stream = found
        .next()
        .unwrap_or_else(|| panic!("no {kind} in {streams:?}"));
    assert!(
        found.next().is_none(),
        "more than one {kind} in {streams:?}"
    );
    stream
}

/// A packet in the answer of [`probe`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) key: bool,
}

/// The packets of that kind.
#[track_caller]
pub(crate) fn packets(probed: &Value, kind: &str) -> Vec<Packet> {
    let packets = probed["packets"].as_array().unwrap();
    let of_kind = packets.iter().filter(|packet| packet["codec_type"] == kind);
    of_kind
        .map(|packet| Packet {
            pts: packet["pts"].as_i64().unwrap(),
            dts: packet["dts"].as_i64().unwrap(),
            key: packet["flags"].as_str().unwrap().starts_with('K'),
        })
        .collect()
}

/// GStreamer publishing a test picture and a tone; `sink` is its element with its properties.
pub(crate) fn gstreamer_publishing(sink: &[&str]) -> Command {
    let mut gst = tool("gst-launch-1.0");
    let pipeline = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=25/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! h264parse ! flvmux name=mux streamable=true \
         audiotestsrc is-live=true freq=440 ! audioconvert ! audioresample ! avenc_aac ! aacparse ! mux. mux. !";
    gst.args(["--quiet", "-e"])
        .args(pipeline.split_whitespace())
        .args(sink);
    gst
}

/// The program that plays an RTSP URL by GStreamer, pictures and sound, for some seconds: see there.
pub(crate) const PLAYER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/player.py");

/// Plays by GStreamer; with these properties of its source.
#[track_caller]
pub(crate) fn gstreamer_plays(url: &str, properties: &[&str]) {
    let mut player = Command::new(python());
    let player = Peer::start(player.args([PLAYER, url]).args(properties));
    let finished = player.finish(seconds(40));
    assert!(finished.status.success(), "{url}: {}", finished.stderr);
}
