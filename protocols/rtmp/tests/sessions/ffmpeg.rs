//! Our server with ffmpeg over TCP: what it publishes is what it gets back when it plays.

use bytes::Bytes;
use rtmp::Output;
use rtmp::chunk::{ChunkStreamId, Header, MessageType, packet};
use rtmp::server::{Config, Event, MESSAGE_STREAM, PLAY_CHUNK_SIZE, Request, Session};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn ffmpeg(arguments: &str, url: &str) -> Child {
    let arguments = arguments.replace("URL", url);
    Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin"])
        .args(arguments.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs ffmpeg")
}

/// Drives a session until `done`, sending its output and collecting its events.
struct Connection {
    socket: TcpStream,
    session: Session,
    events: Vec<Event>,
}

impl Connection {
    fn accept(listener: &TcpListener) -> Self {
        let (socket, _) = listener.accept().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self {
            socket,
            session: Session::new(Instant::now(), Config::default()),
            events: Vec::new(),
        }
    }

    fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => self.socket.write_all(&bytes).unwrap(),
                Output::Event(event) => self.events.push(event),
                Output::Timeout(_) => return,
            }
        }
    }

    /// Reads until an event satisfies `done` or the peer closes.
    fn run(&mut self, done: impl Fn(&Event) -> bool) {
        let mut buffer = vec![0; 16_384];
        while !self.events.iter().any(&done) {
            let length = match self.socket.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => length,
                // A peer that leaves with bytes unread resets the connection.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("{error}"),
            };
            let part = &buffer[..length];
            self.session.handle_input(Instant::now(), part).unwrap();
            self.drain();
        }
    }

    fn grant(&mut self) -> Request {
        self.run(|event| matches!(event, Event::Publish(..) | Event::Play(_)));
        self.session.accept(Instant::now()).unwrap();
        let request = self.events.drain(..).find_map(|event| match event {
            Event::Publish(request, _) | Event::Play(request) => Some(request),
            _ => None,
        });
        self.drain();
        request.unwrap()
    }
}

fn finished(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_ffmpeg_publishes_it_plays() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/LiveApp/demo2", listener.local_addr().unwrap());
    let publisher = ffmpeg(
        "-f lavfi -i testsrc2=size=320x240:rate=25 -f lavfi -i sine -t 2 -c:v libx264 \
         -bf 2 -g 25 -pix_fmt yuv420p -c:a aac -f flv URL?token=ab"
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .as_str(),
        &url,
    );
    let mut connection = Connection::accept(&listener);
    let request = connection.grant();
    assert_eq!(request.connect.app, "LiveApp");
    assert_eq!(request.key, "demo2?token=ab");
    assert_eq!(request.connect.tc_url, Some(url.replace("/demo2", "")));
    connection.run(|event| *event == Event::Stop);
    finished(publisher);

    let events = connection.events;
    assert!(matches!(&events[0], Event::Data { values, .. }
        if values[0].as_str() == Some("onMetaData")));
    assert_eq!(events.last(), Some(&Event::Stop));
    let pictures = events
        .iter()
        .filter(|event| matches!(event, Event::Video { payload, .. } if payload.get(1) == Some(&1)))
        .count();
    assert_eq!(pictures, 50);

    let player = ffmpeg("-i URL -map 0:v -c copy -f framecrc -", &url);
    let mut connection = Connection::accept(&listener);
    let request = connection.grant();
    assert_eq!(request.key, "demo2");
    for event in &events {
        let (chunk_stream, message_type, timestamp, payload) = match event {
            Event::Audio { timestamp, payload } => {
                (ChunkStreamId::AUDIO, MessageType::AUDIO, timestamp, payload)
            }
            Event::Video { timestamp, payload } => {
                (ChunkStreamId::VIDEO, MessageType::VIDEO, timestamp, payload)
            }
            _ => continue,
        };
        let header = Header {
            chunk_stream,
            timestamp: *timestamp,
            message_type,
            message_stream: MESSAGE_STREAM,
        };
        let body: Bytes = payload.slice(1..);
        let packet = packet(&header, &payload[..1], &body, PLAY_CHUNK_SIZE as usize).unwrap();
        for slice in packet.slices() {
            connection.socket.write_all(slice).unwrap();
        }
    }
    connection.session.end(Instant::now());
    connection.drain();
    let frames = finished(player);
    let frames = frames.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(frames.count(), pictures);
}
