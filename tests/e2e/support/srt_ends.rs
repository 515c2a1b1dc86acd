//! The far ends of SRT: four programs, each of which carries datagrams to or from SRT, as caller, listener or in
//! rendezvous. The first three are libsrt below, the fourth is `srt-tokio`, another implementation.

use super::clips::Clip;
use super::peer::Peer;
use super::srt::{relaying, sending};
use super::tools::tool;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Seven transport packets.
const MESSAGE: usize = 7 * 188;

/// Who is at the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Ffmpeg,
    Transmit,
    GStreamer,
    SrtTokio,
}

/// How it is joined to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It calls 127.0.0.1.
    Caller,
    /// It listens there.
    Listener,
    /// Both call; it is 127.0.0.2.
    Rendezvous,
}

/// One connection, as the far end is told of it.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) mode: Mode,
    pub(crate) port: u16,
    pub(crate) stream_id: String,
    /// The length of its key in bytes, and the passphrase.
    pub(crate) key: Option<(u16, String)>,
    /// In milliseconds.
    pub(crate) latency: u32,
}

impl Program {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [
        Self::Ffmpeg,
        Self::Transmit,
        Self::GStreamer,
        Self::SrtTokio,
    ];

    /// Sends a clip without end. `feed` has to go on for as long as it lives.
    #[track_caller]
    pub(crate) fn send(self, terms: &Terms, feed: &Feed) -> Peer {
        // Whoever gets the port only has to be there before the feed is asked for it.
        let port = super::free_port();
        let from = format!("udp://127.0.0.1:{port}");
        let mut command = match self {
            Self::Ffmpeg => return Peer::start(&mut sending(&terms.ffmpeg_url(), Clip::Small)),
            Self::Transmit => relaying(&from, &terms.url()),
            Self::GStreamer => {
                let mut gst = gstreamer();
                gst.args(["udpsrc", "address=127.0.0.1"])
                    .arg(format!("port={port}"))
                    .args(["!", "srtsink", "sync=false", "wait-for-connection=false"])
                    .args(terms.properties());
                gst
            }
            Self::SrtTokio => {
                let mut relay = srt_tokio();
                relay
                    .args(["send", &port.to_string()])
                    .args(terms.arguments());
                relay
            }
        };
        let peer = Peer::start(&mut command);
        feed.add(port);
        peer
    }

    /// Receives, and gives the datagrams to the socket.
    #[track_caller]
    pub(crate) fn receive(self, terms: &Terms, to: &UdpSocket) -> Peer {
        let to = to.local_addr().unwrap();
        Peer::start(&mut match self {
            Self::Ffmpeg => {
                let mut ffmpeg = tool("ffmpeg");
                ffmpeg
                    .args(["-nostdin", "-hide_banner", "-v", "error"])
                    .args(["-i", &terms.ffmpeg_url()])
                    .args(["-c", "copy", "-f", "mpegts"])
                    .arg(format!("udp://{to}?pkt_size=1316"));
                ffmpeg
            }
            Self::Transmit => relaying(&terms.url(), &format!("udp://{to}")),
            Self::GStreamer => {
                let mut gst = gstreamer();
                gst.arg("srtsrc").args(terms.properties());
                gst.args(["!", "udpsink", "sync=false", "host=127.0.0.1"]);
                gst.arg(format!("port={}", to.port()));
                gst
            }
            Self::SrtTokio => {
                let mut relay = srt_tokio();
                relay
                    .args(["receive", &to.to_string()])
                    .args(terms.arguments());
                relay
            }
        })
    }
}

/// The relay of `srt-tokio`, `tests/peers/srt-tokio`.
#[track_caller]
fn srt_tokio() -> Command {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
    let program = folder.join("release/srt-tokio-relay");
    assert!(
        program.is_file(),
        "there is no {}; `cargo xtask setup` builds it",
        program.display()
    );
    Command::new(program)
}

fn gstreamer() -> Command {
    let mut gst = tool("gst-launch-1.0");
    gst.arg("--quiet");
    gst
}

impl Terms {
    /// As srt-live-transmit has it.
    fn url(&self) -> String {
        let Self { port, latency, .. } = self;
        let mode = match self.mode {
            Mode::Caller => "caller",
            Mode::Listener => "listener",
            // Whoever calls first waits for longer than the usual 3 s.
            Mode::Rendezvous => "rendezvous&adapter=127.0.0.2&conntimeo=60000",
        };
        let mut url = format!("srt://127.0.0.1:{port}?mode={mode}&latency={latency}");
        if let Some((length, passphrase)) = &self.key {
            url += &format!("&passphrase={passphrase}&pbkeylen={length}");
        }
        if !self.stream_id.is_empty() {
            url += &format!("&streamid={}", self.stream_id);
        }
        url
    }

    /// ffmpeg's latency is in microseconds.
    fn ffmpeg_url(&self) -> String {
        let millis = format!("latency={}", self.latency);
        self.url().replace(&millis, &format!("{millis}000"))
    }

    /// As GStreamer's elements have it.
    fn properties(&self) -> Vec<String> {
        let Self { port, latency, .. } = self;
        let mode = match self.mode {
            Mode::Caller => "caller",
            Mode::Listener => "listener",
            Mode::Rendezvous => "rendezvous",
        };
        let mut properties = vec![
            format!("uri=srt://127.0.0.1:{port}?mode={mode}"),
            format!("latency={latency}"),
        ];
        if self.mode == Mode::Rendezvous {
            properties.push("localaddress=127.0.0.2".to_owned());
            properties.push(format!("localport={port}"));
        }
        if let Some((length, passphrase)) = &self.key {
            properties.push(format!("passphrase={passphrase}"));
            properties.push(format!("pbkeylen={length}"));
        }
        if !self.stream_id.is_empty() {
            properties.push(format!("streamid={}", self.stream_id));
        }
        properties
    }

    /// As the relay of `srt-tokio` has it.
    fn arguments(&self) -> [String; 6] {
        let mode = match self.mode {
            Mode::Caller => "caller",
            Mode::Listener => "listener",
            Mode::Rendezvous => "rendezvous",
        };
        let (length, passphrase) = self.key.clone().unwrap_or_default();
        [
            mode.to_owned(),
            self.port.to_string(),
            self.latency.to_string(),
            length.to_string(),
            passphrase,
            self.stream_id.clone(),
        ]
    }
}

/// Sends a clip as transport packets to ports of this machine, at its own pace and without end.
pub(crate) struct Feed {
    ports: Arc<Mutex<Vec<u16>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let mut ffmpeg = tool("ffmpeg");
        ffmpeg
            .args(["-nostdin", "-v", "error", "-i"])
            .arg(Clip::Small.file())
            .args(["-c", "copy", "-f", "mpegts", "-"])
            .stdin(Stdio::null());
        let output = ffmpeg.output().unwrap();
        assert!(output.status.success(), "ffmpeg cannot make the feed");
        let (ports, stop) = (
            Arc::<Mutex<Vec<u16>>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let (targets, stopped) = (ports.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let messages = output.stdout.chunks(MESSAGE);
            let count = u32::try_from(messages.len()).unwrap();
            let pause = Duration::from_secs(Clip::SECONDS.into()) / count;
            let mut due = Instant::now();
            for message in messages.cycle() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                for port in &*targets.lock().unwrap() {
                    // Nobody may listen there yet.
                    let _ = socket.send_to(message, ("127.0.0.1", *port));
                }
                due += pause;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        Self {
            ports,
            stop,
            thread: Some(thread),
        }
    }

    fn add(&self, port: u16) {
        self.ports.lock().unwrap().push(port);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
