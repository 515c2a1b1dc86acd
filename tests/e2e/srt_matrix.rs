//! SRT between the server and four programs: every role of ours against each of them, without a key and with each
//! length, over latencies from 20 ms to 4 s. The cells of one role are run side by side, and carry little.

use crate::restream::add;
use crate::support::camera::pull_as;
use crate::support::clips::Clip;
use crate::support::media::{decode, publish};
use crate::support::peer::Peer;
use crate::support::server::Server;
use crate::support::srt::is_bound;
use crate::support::srt_ends::{Feed, Mode, Program, Terms};
use crate::support::{free_port, seconds, wait_for, wait_until};
use media::Kind;
use mpegts::demuxer::{Demuxer, Event};
use serde_json::Value;
use std::fmt::Write as _;
use std::net::UdpSocket;
use std::time::Instant;

/// Lengths of keys, in bytes.
const KEYS: [Option<u16>; 4] = [None, Some(16), Some(24), Some(32)];

/// In milliseconds.
const LATENCIES: [u32; 4] = [20, 120, 700, 4_000];

const SECRET: &str = "correct-horse";

/// How long anything may take.
const LIMIT: std::time::Duration = seconds(60);

/// One role with one program, one length of key and one latency.
#[derive(Clone, Copy, Debug)]
struct Cell {
    program: Program,
    key: Option<u16>,
    latency: u32,
}

impl Cell {
    /// The ID of its stream.
    fn id(self) -> String {
        format!("{:?}-{}", self.program, self.key.unwrap_or(0))
    }

    fn terms(self, mode: Mode, port: u16, stream_id: &str) -> Terms {
        Terms {
            mode,
            port,
            stream_id: stream_id.to_owned(),
            key: self.key.map(|length| (length, SECRET.to_owned())),
            latency: self.latency,
        }
    }

    /// Our URL for the other end of [`Self::terms`].
    fn url(self, place: &str, mode: &str) -> String {
        let mut url = format!("srt://{place}?mode={mode}&latency={}", self.latency);
        if let Some(length) = self.key {
            let _ = write!(url, "&passphrase={SECRET}&pbkeylen={length}");
        }
        url
    }
}

/// Runs a role with all of these programs and all keys. The latencies take turns, others with the next role.
fn each(role: usize, programs: &[Program], run: impl Fn(Cell) + Sync) {
    std::thread::scope(|scope| {
        for (row, program) in programs.iter().enumerate() {
            for (column, key) in KEYS.into_iter().enumerate() {
                let cell = Cell {
                    program: *program,
                    key,
                    latency: LATENCIES[(row + column + role) % LATENCIES.len()],
                };
                let run = &run;
                let thread = std::thread::Builder::new().name(format!("{cell:?}"));
                thread.spawn_scoped(scope, move || run(cell)).unwrap();
            }
        }
    });
}

/// A server that wants a passphrase for streams with a key in their IDs.
#[track_caller]
fn server() -> Server {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut text = "[srt]\nlatency = \"20ms\"\n".to_owned();
    for program in Program::ALL {
        for key in KEYS.iter().flatten() {
            let _ = write!(
                text,
                "[srt.streams.\"LiveApp/{program:?}-{key}\"]\npublish_passphrase = \"{SECRET}\"\n"
            );
        }
    }
    text += &format!("[srt.streams.\"LiveApp/locked\"]\nread_passphrase = \"{SECRET}\"\n");
    std::fs::write(file.path(), text).unwrap();
    Server::with(&["--config", &file.path().display().to_string()])
}

/// A connection of a stream in that state, of which this holds.
#[track_caller]
fn wait_connection(server: &Server, id: &str, state: &str, is: impl Fn(&Value) -> bool) {
    wait_until(&format!("{id} has such a connection"), LIMIT, || {
        let shown = server.rest("GET", &format!("/{id}/connections"), "").json();
        let mut shown = shown.as_array().unwrap().iter();
        shown.any(|connection| connection["state"] == state && is(&connection["figures"]))
    });
}

/// What the far end sends has become a stream, all of which could be decrypted, with the latency that was asked for.
#[track_caller]
fn check_received(server: &Server, cell: Cell, state: &str) {
    let id = cell.id();
    wait_for(&format!("{id} is live"), LIMIT, || {
        server
            .broadcast(&id)
            .filter(|broadcast| broadcast["status"] == "broadcasting")
    });
    wait_connection(server, &id, state, |figures| {
        assert_eq!(figures["packets_received_undecrypt"], 0.0, "{figures}");
        figures["packets_received_unique"].as_f64() > Some(60.0)
            && figures["ms_receive_tsb_pd_delay"] == f64::from(cell.latency)
    });
}

/// What the far end receives are moving pictures and sound.
#[track_caller]
fn check_sent(from: &UdpSocket, end: &mut Peer) {
    let mut demuxer = Demuxer::default();
    let (mut kinds, mut pictures, mut sounds) = ([None; 8], 0, 0);
    let begun = Instant::now();
    from.set_read_timeout(Some(seconds(1))).unwrap();
    let mut datagram = [0; 2_048];
    while pictures < 40 || sounds < 40 {
        assert!(
            begun.elapsed() < LIMIT,
            "{pictures} pictures, {sounds} of sound; the far end runs: {}, and says: {}",
            end.is_running(),
            end.stderr.text()
        );
        let Ok(length) = from.recv(&mut datagram) else {
            continue;
        };
        demuxer.push(&datagram[..length]);
        while let Some(event) = demuxer.pull() {
            match event {
                Event::Track(track) => kinds[track.id.0 as usize] = Some(track.kind()),
                Event::Unit(unit) => match kinds[unit.track.0 as usize] {
                    Some(Kind::Video) => pictures += 1,
                    _ => sounds += 1,
                },
                Event::Program(_) | Event::Fault(_) => {}
            }
        }
    }
}

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

#[track_caller]
fn wait_bound(port: u16) {
    wait_until("somebody listens", LIMIT, || is_bound(port));
}

#[test]
fn all_publish() {
    let (server, feed) = (server(), Feed::start());
    each(0, &Program::ALL, |cell| {
        let id = format!("publish:LiveApp/{}", cell.id());
        let terms = cell.terms(Mode::Caller, server.srt, &id);
        let _end = cell.program.send(&terms, &feed);
        check_received(&server, cell, "publish");
        // The others are decoded in the tests of the port.
        if cell.program == Program::SrtTokio && cell.key == Some(32) {
            let seen = decode(&server.rtmp_url(&cell.id()), 2);
            assert!(seen.distinct > 30 && seen.sound > 1.0, "{seen:?}");
        }
    });
}

#[test]
fn all_play() {
    let server = server();
    let _publishers = ["open", "locked"].map(|id| publish(&server, id, Clip::Small));
    each(1, &Program::ALL, |cell| {
        let id = if cell.key.is_some() { "locked" } else { "open" };
        let terms = cell.terms(Mode::Caller, server.srt, &format!("read:LiveApp/{id}"));
        let socket = socket();
        let mut end = cell.program.receive(&terms, &socket);
        check_sent(&socket, &mut end);
        wait_connection(&server, id, "read", |figures| {
            figures["ms_send_tsb_pd_delay"] == f64::from(cell.latency)
        });
    });
}

#[test]
fn all_are_pulled_as_listeners() {
    let (server, feed) = (server(), Feed::start());
    each(2, &Program::ALL, |cell| {
        let port = free_port();
        let _end = cell
            .program
            .send(&cell.terms(Mode::Listener, port, ""), &feed);
        wait_bound(port);
        let url = cell.url(&format!("127.0.0.1:{port}"), "caller");
        pull_as(&server, &cell.id(), &url);
        check_received(&server, cell, "source");
    });
}

#[test]
fn all_are_pulled_as_callers() {
    let (server, feed) = (server(), Feed::start());
    each(3, &Program::ALL, |cell| {
        let port = free_port();
        let url = cell.url(&format!("127.0.0.1:{port}"), "listener");
        pull_as(&server, &cell.id(), &url);
        wait_bound(port);
        let _end = cell
            .program
            .send(&cell.terms(Mode::Caller, port, ""), &feed);
        check_received(&server, cell, "source");
    });
}

#[test]
fn all_are_pushed_to_as_listeners() {
    let server = server();
    let _publisher = publish(&server, "cam", Clip::Small);
    each(0, &Program::ALL, |cell| {
        let (port, socket) = (free_port(), socket());
        let mut end = cell
            .program
            .receive(&cell.terms(Mode::Listener, port, ""), &socket);
        wait_bound(port);
        let url = cell.url(&format!("127.0.0.1:{port}"), "caller");
        add(&server, "cam", &url);
        check_sent(&socket, &mut end);
    });
}

#[test]
fn all_are_pushed_to_as_callers() {
    let server = server();
    let _publisher = publish(&server, "cam", Clip::Small);
    each(1, &Program::ALL, |cell| {
        let (port, socket) = (free_port(), socket());
        let url = cell.url(&format!("127.0.0.1:{port}"), "listener");
        add(&server, "cam", &url);
        wait_bound(port);
        let mut end = cell
            .program
            .receive(&cell.terms(Mode::Caller, port, ""), &socket);
        check_sent(&socket, &mut end);
    });
}

/// ffmpeg binds the address that it is told to call, and `srt-tokio` does not meet libsrt's programs either.
const MEETING: [Program; 2] = [Program::Transmit, Program::GStreamer];

#[test]
fn all_are_pulled_in_rendezvous() {
    let (server, feed) = (server(), Feed::start());
    each(2, &MEETING, |cell| {
        let port = free_port();
        let _end = cell
            .program
            .send(&cell.terms(Mode::Rendezvous, port, ""), &feed);
        let url = cell.url(&format!("127.0.0.2:{port}"), "rendezvous") + "&adapter=127.0.0.1";
        pull_as(&server, &cell.id(), &url);
        check_received(&server, cell, "source");
    });
}

#[test]
fn all_are_pushed_to_in_rendezvous() {
    let server = server();
    let _publisher = publish(&server, "cam", Clip::Small);
    each(3, &MEETING, |cell| {
        let (port, socket) = (free_port(), socket());
        let mut end = cell
            .program
            .receive(&cell.terms(Mode::Rendezvous, port, ""), &socket);
        let url = cell.url(&format!("127.0.0.2:{port}"), "rendezvous") + "&adapter=127.0.0.1";
        add(&server, "cam", &url);
        check_sent(&socket, &mut end);
    });
}

/// A passphrase that is wrong or missing, and the code of the refusal in the words of libsrt and of `srt-tokio`.
const REFUSED: [(Option<&str>, &str, [&str; 2]); 2] = [
    (
        Some("battery-staple"),
        "1010",
        ["Incorrect passphrase", "BadSecret"],
    ),
    (None, "1011", ["Password required", "Unsecure"]),
];

/// Runs something for each program and each of the above, side by side.
fn each_refusal(run: impl Fn(Program, Option<&str>, &str, [&str; 2]) + Sync) {
    std::thread::scope(|scope| {
        for program in Program::ALL {
            for (passphrase, code, words) in REFUSED {
                let run = &run;
                let thread = std::thread::Builder::new().name(format!("{program:?} {code}"));
                let run = move || run(program, passphrase, code, words);
                thread.spawn_scoped(scope, run).unwrap();
            }
        }
    });
}

fn refused(mode: Mode, port: u16, stream_id: &str, passphrase: Option<&str>) -> Terms {
    Terms {
        mode,
        port,
        stream_id: stream_id.to_owned(),
        key: passphrase.map(|text| (16, text.to_owned())),
        latency: 120,
    }
}

#[test]
fn callers_with_a_wrong_passphrase_or_none_are_refused() {
    let feed = Feed::start();
    each_refusal(|program, passphrase, code, words| {
        // One each: GStreamer calls again at once and without end, up to what an address may ask for in a second.
        let server = server();
        let id = format!("publish:LiveApp/{program:?}-16");
        let end = program.send(&refused(Mode::Caller, server.srt, &id, passphrase), &feed);
        server.wait_log(LIMIT, &["SRT request refused", &format!("code={code}")]);
        if program != Program::GStreamer {
            let said = end.finish(LIMIT).stderr;
            assert!(words.iter().any(|words| said.contains(words)), "{said}");
        }
    });
}

#[test]
fn listeners_refuse_a_wrong_passphrase_and_none() {
    let (server, feed) = (server(), Feed::start());
    each_refusal(|program, passphrase, code, words| {
        let port = free_port();
        let terms = refused(Mode::Listener, port, "", Some(SECRET));
        let end = program.send(&terms, &feed);
        wait_bound(port);
        let id = format!("{program:?}-{code}");
        let secret = passphrase.map_or_else(String::new, |text| format!("?passphrase={text}"));
        pull_as(&server, &id, &format!("srt://127.0.0.1:{port}{secret}"));
        wait_until("it is said what is wrong", LIMIT, || {
            let broadcast = server.broadcast(&id).unwrap();
            let error = broadcast["lastError"].as_str().unwrap_or_default();
            error.contains(&format!("code {code}"))
        });
        // The other two have nothing to say about it.
        if matches!(program, Program::Ffmpeg | Program::Transmit) {
            wait_until("the listener says so", LIMIT, || {
                end.stderr.text().contains(words[0])
            });
        }
    });
}
