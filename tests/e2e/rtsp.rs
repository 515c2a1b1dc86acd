//! RTSP with real publishers and players: on the connection and in datagrams, and what callers try who mean no good.

use crate::camera_oracle::retinas;
use crate::support::clips::Clip;
use crate::support::media::{self, Seen, probe, publish, stream};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::tools::tool;
use crate::support::{seconds, wait_until};
use retina::client::Transport;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

/// How packets go: what ffmpeg and GStreamer call the two ways.
const WAYS: [&str; 2] = ["tcp", "udp"];

/// ffmpeg publishing a clip without end.
#[track_caller]
pub(crate) fn publish_by(url: &str, clip: Clip, way: &str) -> Peer {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-hide_banner", "-v", "error", "-re"])
        .args(["-stream_loop", "-1", "-i"])
        .arg(clip.file())
        .args(["-c", "copy", "-f", "rtsp", "-rtsp_transport", way, url]);
    Peer::start(&mut ffmpeg)
}

/// GStreamer publishing a test picture at 25 a second, and a tone; with these properties of its sink.
#[track_caller]
pub(crate) fn gstreamer_publish_by(url: &str, properties: &[&str]) -> Peer {
    let mut gst = tool("gst-launch-1.0");
    let pictures = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=25/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! h264parse \
         ! rtspclientsink name=sink";
    let sound = "audiotestsrc is-live=true freq=440 ! audioconvert ! audioresample ! avenc_aac ! aacparse ! sink.";
    gst.arg("--quiet")
        .args(pictures.split_whitespace())
        .arg(format!("location={url}"))
        .args(properties)
        .args(sound.split_whitespace());
    Peer::start(&mut gst)
}

/// ffmpeg decoding that many seconds.
pub(crate) fn decoding_by(url: &str, way: &str, length: u32) -> Command {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-hide_banner", "-v", "repeat+warning"])
        .args(["-rtsp_transport", way, "-i", url])
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

/// What ffmpeg sees in that many seconds, without a complaint.
#[track_caller]
pub(crate) fn decode_by(url: &str, way: &str, length: u32) -> Seen {
    let player = Peer::start(&mut decoding_by(url, way, length));
    let limit = seconds(u64::from(length) + 25);
    Seen::of(&player.finish(limit).without_complaint())
}

#[test]
fn ffmpeg_plays_what_ffmpeg_publishes() {
    let server = Server::start();
    for from in WAYS {
        let mut publisher = publish_by(&server.rtsp_url(from), Clip::Standard, from);
        server.wait_live(from);
        for to in WAYS {
            decode_by(&server.rtsp_url(from), to, 4).assert_about(4.0, 30.0);
        }
        assert!(publisher.is_running(), "{}", publisher.stderr.text());
        assert_eq!(publisher.stderr.text(), "");
        publisher.signal("TERM");
        publisher.finish(seconds(5));
        // It said that it is done, so that nothing is waited for.
        wait_until("the stream is over", seconds(5), || {
            server.broadcast(from).is_none()
        });
    }
}

#[test]
fn gstreamer_publishes() {
    let server = Server::start();
    let cases = [
        ("tcp", "rtsp", "protocols=tcp"),
        ("udp", "rtsp", "protocols=udp"),
        ("tunnel", "rtsph", "protocols=tcp"),
    ];
    for (id, scheme, protocols) in cases {
        let url = server
            .rtsp_url(id)
            .replacen("rtsp:", &format!("{scheme}:"), 1);
        let mut publisher = gstreamer_publish_by(&url, &[protocols]);
        server.wait_live(id);
        decode_by(&server.rtsp_url(id), "tcp", 3).assert_about(3.0, 25.0);
        assert!(publisher.is_running(), "{}", publisher.stderr.text());
    }
}

#[test]
fn retina_plays() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    for transport in [
        Transport::Tcp(<_>::default()),
        Transport::Udp(<_>::default()),
    ] {
        let units = retinas(&server.rtsp_url("cam"), &transport, 60);
        for pair in units.pictures.windows(2) {
            let step = pair[1].0 - pair[0].0;
            assert!((32..=35).contains(&step), "{step} ms");
        }
        assert!(units.sound.len() > 80, "{}", units.sound.len());
        for pair in units.sound.windows(2) {
            let step = pair[1].0 - pair[0].0;
            assert!((20..=23).contains(&step), "{step} ms");
        }
    }
}

#[test]
fn mpv_plays() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    for way in WAYS {
        let mut mpv = tool("mpv");
        mpv.args(["--no-config", "--vo=null", "--ao=null", "--frames=60"])
            .arg(format!("--rtsp-transport={way}"))
            .arg(server.rtsp_url("cam"));
        let finished = Peer::start(&mut mpv).finish(seconds(40));
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(finished.status.success(), "{way}: {said}");
        assert!(
            said.contains("Video --vid=1") && said.contains("Audio --aid=1"),
            "{said}"
        );
    }
}

#[test]
fn gstreamer_plays() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    for way in WAYS {
        let protocols = format!("protocols={way}");
        media::gstreamer_plays(&server.rtsp_url("cam"), &[&protocols]);
    }
}

#[test]
fn times_and_order_are_those_of_the_publisher() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    let probed = probe(&server.rtsp_url("cam"), 4);
    assert_eq!(stream(&probed, "video")["codec_name"], "h264");
    assert_eq!(stream(&probed, "audio")["codec_name"], "aac");
    // RTP has no decoding times, so that ffprobe may tell none.
    let all = probed["packets"].as_array().unwrap().iter();
    let pictures = all.filter(|packet| packet["codec_type"] == "video");
    let mut shown: Vec<i64> = pictures
        .filter_map(|packet| packet["pts"].as_i64())
        .collect();
    assert!(shown.len() > 60, "{}", shown.len());
    assert!(
        shown.windows(2).any(|pair| pair[1] < pair[0]),
        "no B-frames"
    );
    shown.sort_unstable();
    shown.truncate(shown.len() - 8);
    // On a clock of 90 kHz, 30 a second; RTMP counts in milliseconds.
    let steps = shown.windows(2).map(|pair| pair[1] - pair[0]);
    for step in steps {
        assert!((2_900..=3_100).contains(&step), "{step}");
    }
}

/// A client that says what it is told.
pub(crate) struct Talker {
    socket: TcpStream,
    cseq: u32,
}

impl Talker {
    fn connect(server: &Server) -> Self {
        Self::at(&format!("127.0.0.1:{}", server.rtsp))
    }

    pub(crate) fn at(place: &str) -> Self {
        let socket = TcpStream::connect(place).unwrap();
        socket.set_read_timeout(Some(seconds(10))).unwrap();
        Self { socket, cseq: 0 }
    }

    /// The channel and the contents of the frame whose first byte has been read.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 3];
        self.socket.read_exact(&mut head).unwrap();
        let [channel, high, low] = head;
        let mut frame = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        self.socket.read_exact(&mut frame).unwrap();
        (channel, frame)
    }

    /// The answer to a request with these fields; its head alone.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, url: &str, fields: &[&str]) -> String {
        self.cseq += 1;
        let mut text = format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\n", self.cseq);
        for field in fields {
            text.push_str(field);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        self.socket.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.socket.read_exact(&mut byte).unwrap();
            if answer.is_empty() && byte == *b"$" {
                self.frame();
                continue;
            }
            answer.extend(byte);
        }
        let answer = String::from_utf8(answer).unwrap();
        let length = field(&answer, "Content-Length").map_or(0, |length| length.parse().unwrap());
        self.socket.read_exact(&mut vec![0; length]).unwrap();
        answer
    }
}

#[test]
fn a_player_on_the_connection_is_told_with_which_packets_it_begins_and_begins_again() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let url = server.rtsp_url("cam");
    let track = format!("{url}/trackID=0");
    let mut client = Talker::connect(&server);
    assert!(client.ask("DESCRIBE", &url, &[]).contains("200 OK"));
    let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
    let answer = client.ask("SETUP", &track, &[transport]);
    let session = format!("Session: {}", field(&answer, "Session").unwrap());
    let mut begins = Vec::new();
    for _ in 0..2 {
        let answer = client.ask("PLAY", &url, &[&session]);
        let packet = loop {
            let mut marker = [0];
            client.socket.read_exact(&mut marker).unwrap();
            assert_eq!(marker, *b"$");
            let (channel, frame) = client.frame();
            if channel == 0 {
                break frame;
            }
        };
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let time = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let expected = format!("url={track};seq={sequence};rtptime={time}");
        assert_eq!(field(&answer, "RTP-Info").unwrap(), expected);
        begins.push(time);
        assert!(client.ask("PAUSE", &url, &[&session]).contains("200 OK"));
        // The next key frame comes meanwhile, and nothing of it while the player pauses.
        std::thread::sleep(Duration::from_millis(1_500));
        client.socket.set_nonblocking(true).unwrap();
        let read = client.socket.read(&mut [0; 16]);
        assert!(read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
        client.socket.set_nonblocking(false).unwrap();
    }
    assert!(begins[1].wrapping_sub(begins[0]) >= 90_000, "{begins:?}");
}

pub(crate) fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = answer.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

#[test]
fn a_stolen_session_is_of_no_use_and_datagrams_go_to_who_asked() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let url = server.rtsp_url("cam");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(seconds(10))).unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut owner = Talker::connect(&server);
    assert!(owner.ask("DESCRIBE", &url, &[]).contains("200 OK"));
    let track = format!("{url}/trackID=0");
    // A destination that is not the far end of the connection is not read.
    let transport = format!(
        "Transport: RTP/AVP;unicast;destination=127.0.0.9;client_port={port}-{}",
        port + 1
    );
    let answer = owner.ask("SETUP", &track, &[&transport]);
    assert!(answer.contains("200 OK"), "{answer}");
    let id = field(&answer, "Session")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let session = format!("Session: {id}");
    let mut thief = Talker::connect(&server);
    for method in ["PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER"] {
        let answer = thief.ask(method, &url, &[&session]);
        assert!(answer.contains("454"), "{method}: {answer}");
    }
    let answer = owner.ask("PLAY", &url, &[&session]);
    assert!(answer.contains("200 OK"), "{answer}");
    let mut buffer = [0; 2_048];
    assert!(socket.recv(&mut buffer).unwrap() > 12);
    // It is told with which packet it begins.
    let info = field(&answer, "RTP-Info").unwrap();
    let sequence = u16::from_be_bytes([buffer[2], buffer[3]]);
    let time = u32::from_be_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]);
    let expected = format!("url={track};seq={sequence};rtptime={time}");
    assert_eq!(info, expected);
    // The ports of a session are not another's as well.
    assert!(thief.ask("DESCRIBE", &url, &[]).contains("200 OK"));
    let answer = thief.ask("SETUP", &track, &[&transport]);
    let id = field(&answer, "Session")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let answer = thief.ask("PLAY", &url, &[&format!("Session: {id}")]);
    assert!(answer.contains("461"), "{answer}");
    let counted = || server.broadcast("cam").unwrap()["anyoneWatching"] == true;
    assert!(counted());
    assert!(owner.ask("PAUSE", &url, &[&session]).contains("200 OK"));
    assert!(owner.ask("PLAY", &url, &[&session]).contains("200 OK"));
    assert!(owner.ask("TEARDOWN", &url, &[&session]).contains("200 OK"));
    drop(thief);
    wait_until("nobody watches", seconds(10), || !counted());
}

#[test]
fn what_is_not_rtsp_is_answered_and_harms_nobody() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let cases: [(&[u8], &str); 4] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400"),
        // The beginnings of TLS and of RTMP.
        (&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0], ""),
        (&[3; 1_537], ""),
        (b"\r\nnonsense nonsense\r\n\r\n", "RTSP/1.0 400"),
    ];
    for (bytes, begins) in cases {
        let begun = Instant::now();
        let mut socket = TcpStream::connect(("127.0.0.1", server.rtsp)).unwrap();
        socket.set_read_timeout(Some(seconds(20))).unwrap();
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // It may be reset for what was not read.
        let _ = socket.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(begins), "{answer}");
        assert!(begun.elapsed() < seconds(15), "{:?}", begun.elapsed());
    }
    decode_by(&server.rtsp_url("cam"), "tcp", 1).assert_about(1.0, 30.0);
}

#[test]
fn what_is_not_there_is_said() {
    let server = Server::start();
    let mut client = Talker::connect(&server);
    for (id, status) in [("LiveApp/none", "404"), ("Nowhere/cam", "404"), ("", "404")] {
        let url = format!("rtsp://127.0.0.1:{}/{id}", server.rtsp);
        let answer = client.ask("DESCRIBE", &url, &[]);
        assert!(answer.contains(status), "{answer}");
    }
    let url = server.rtsp_url("cam");
    // Verbs in an order that makes no sense.
    for method in ["PLAY", "RECORD", "PAUSE", "TEARDOWN", "SETUP", "NONSENSE"] {
        let answer = client.ask(method, &url, &[]);
        assert!(
            answer.starts_with("RTSP/1.0 4") || answer.starts_with("RTSP/1.0 5"),
            "{answer}"
        );
    }
    assert!(client.ask("OPTIONS", "*", &[]).contains("Public: "));
}
