//! A camera that follows a script: a small RTSP server which does what real ones do, right or wrong.
//!
//! A [`Script`] begins as a camera without faults ([`Script::default`]): H.264 and G.711, one picture each 40 ms, every
//! one of them different ([`picture`]). A test changes what it answers ([`Script::answer`]) and what it sends
//! ([`Script::send`]).

mod login;

pub(crate) use login::{Login, Scheme};

use rtp::Header;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Parameter sets of a small picture, as NAL units.
pub(crate) const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x0a, 0xda, 0x79];
pub(crate) const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

/// From one picture to the next.
const STEP: Duration = Duration::from_millis(40);

/// Every tenth picture is one that a decoder can start with.
const GROUP: u32 = 10;

/// A picture as a NAL unit: the number of the picture is in it.
pub(crate) fn picture(number: u32) -> Vec<u8> {
    let mut nal = match number % GROUP {
        0 => vec![0x65, 0x88],
        _ => vec![0x41, 0x9a],
    };
    // No two zeros in a row.
    nal.extend(
        number
            .to_be_bytes()
            .iter()
            .flat_map(|byte| [byte >> 4 | 0x10, byte & 15 | 0x10]),
    );
    nal.extend([0x42; 40]);
    nal
}

/// The number of the picture that this NAL unit is.
pub(crate) fn number_of(nal: &[u8]) -> Option<u32> {
    let digits = nal.get(2..10)?;
    let number = digits
        .iter()
        .fold(0, |number, digit| number << 4 | u32::from(digit & 15));
    (nal == picture(number)).then_some(number)
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    head: String,
    /// Which connection, from 1.
    pub(crate) connection: u32,
    /// Where the camera listens.
    pub(crate) address: SocketAddr,
}

impl Request {
    /// A header's value; empty without one.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.trim())
    }

    /// Which track is set up.
    pub(crate) fn track(&self) -> usize {
        match &self.url {
            url if url.contains("track2") => 1,
            url if url.contains("meta") => 2,
            _ => 0,
        }
    }
}

/// What a request is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    /// Behind `RTSP/1.0 `.
    pub(crate) status: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Bytes in front of the answer.
    pub(crate) before: Vec<u8>,
    /// The whole answer in place of all else.
    pub(crate) raw: Option<Vec<u8>>,
    /// Nothing is answered.
    pub(crate) silent: bool,
    /// The connection is closed behind it.
    pub(crate) close: bool,
}

impl Reply {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(found, _)| found != name);
    }

    pub(crate) fn refuse(&mut self, status: &str) {
        self.status = status.to_owned();
        self.headers.retain(|(name, _)| name == "CSeq");
        self.body.clear();
    }

    fn get(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// As it is sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.before.clone();
        if let Some(raw) = &self.raw {
            out.extend_from_slice(raw);
            return out;
        }
        let mut head = format!("RTSP/1.0 {}\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() && self.get("Content-Length").is_empty() {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

/// What is sent of media, and how it is numbered.
pub(crate) struct Sender {
    out: Vec<Sent>,
    pub(crate) sequence: [u16; 3],
    pub(crate) ssrc: [u32; 3],
    pub(crate) payload_type: [u8; 3],
}

/// Something that is sent.
enum Sent {
    /// On the track's channel, or to its ports.
    Packet {
        track: usize,
        control: bool,
        bytes: Vec<u8>,
    },
    /// On the connection as it is.
    Raw(Vec<u8>),
    /// Nothing more, and the connection is closed.
    Close,
}

impl Sender {
    fn new() -> Self {
        Self {
            out: Vec::new(),
            sequence: [65_530, 7, 1],
            ssrc: [0x0a0b_0c0d, 0x1a1b_1c1d, 0x2a2b_2c2d],
            payload_type: [96, 8, 107],
        }
    }

    /// A packet of a track.
    pub(crate) fn packet(&mut self, track: usize, timestamp: u32, marker: bool, payload: &[u8]) {
        let bytes = self.made(track, timestamp, marker, payload);
        self.out.push(Sent::Packet {
            track,
            control: false,
            bytes,
        });
    }

    /// A packet of a track, numbered and not sent.
    pub(crate) fn made(
        &mut self,
        track: usize,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
    ) -> Vec<u8> {
        let header = Header {
            marker,
            payload_type: self.payload_type[track],
            sequence: self.sequence[track],
            timestamp,
            ssrc: self.ssrc[track],
        };
        self.sequence[track] = self.sequence[track].wrapping_add(1);
        [&header.bytes()[..], payload].concat()
    }

    /// RTCP of a track.
    pub(crate) fn control(&mut self, track: usize, bytes: Vec<u8>) {
        self.out.push(Sent::Packet {
            track,
            control: true,
            bytes,
        });
    }

    /// Bytes of a packet of a track that is complete.
    pub(crate) fn whole(&mut self, track: usize, bytes: Vec<u8>) {
        self.out.push(Sent::Packet {
            track,
            control: false,
            bytes,
        });
    }

    /// Bytes on the connection.
    pub(crate) fn raw(&mut self, bytes: Vec<u8>) {
        self.out.push(Sent::Raw(bytes));
    }

    /// Closes the connection.
    pub(crate) fn close(&mut self) {
        self.out.push(Sent::Close);
    }

    /// The sound that belongs to a picture.
    pub(crate) fn sound(&mut self, number: u32) {
        self.packet(1, number * 320, false, &[0xd5; 320]);
    }
}

/// Changes an answer.
pub(crate) type Answer = Box<dyn Fn(&Request, &mut Reply) + Send + Sync>;

/// Sends what belongs to the picture of this number.
pub(crate) type Sending = Box<dyn Fn(&mut Sender, u32) + Send + Sync>;

/// What a camera does.
pub(crate) struct Script {
    /// The description; `{address}` is where the camera listens.
    pub(crate) sdp: String,
    /// What URLs, without scheme and host, are set up as tracks. Others are not there.
    pub(crate) tracks: Vec<&'static str>,
    /// The path of the URL that is described, and the one that is played.
    pub(crate) path: &'static str,
    pub(crate) whole: &'static str,
    pub(crate) login: Option<Login>,
    pub(crate) answer: Answer,
    pub(crate) send: Sending,
    /// Bytes as they are sent, head for head.
    pub(crate) wire: fn(Vec<u8>) -> Vec<u8>,
    /// Time without a request after which the session is over.
    pub(crate) patience: Option<Duration>,
}

/// The description of a camera without faults.
pub(crate) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n\
    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
    a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LACtp5,aM48gA==\r\na=control:track1\r\n\
    m=audio 0 RTP/AVP 8\r\na=control:track2\r\n";

impl Default for Script {
    fn default() -> Self {
        Self {
            sdp: SDP.to_owned(),
            tracks: vec!["/live/track1", "/live/track2"],
            path: "/live",
            whole: "/live/",
            login: None,
            answer: Box::new(|_, _| {}),
            send: Box::new(|sender, number| {
                sender.packet(0, number.wrapping_mul(3_600), true, &picture(number));
                sender.sound(number);
            }),
            wire: |bytes| bytes,
            patience: None,
        }
    }
}

/// A camera that listens. Dropped, it is gone.
pub(crate) struct FakeCamera {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Script,
    address: SocketAddr,
    asked: Mutex<Vec<Request>>,
    /// Datagrams of RTCP that came.
    reports: Mutex<Vec<Vec<u8>>>,
    over: AtomicBool,
    connections: AtomicU32,
}

impl FakeCamera {
    /// Starts it, at an address of this machine that no other test has.
    #[track_caller]
    pub(crate) fn start(script: Script) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Sources at one host wait for each other.
        let [.., third, fourth] = (count * 4 + 5).to_be_bytes();
        let second = (std::process::id() % 200) as u8 + 20;
        let listener = TcpListener::bind((Ipv4Addr::new(127, second, third, fourth), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script,
            address,
            asked: Mutex::default(),
            reports: Mutex::default(),
            over: AtomicBool::new(false),
            connections: AtomicU32::new(0),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for socket in listener.incoming() {
                if serving.over.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(socket), serving) = (socket, serving.clone()) else {
                    return;
                };
                thread::spawn(move || Connection::new(socket, serving).serve());
            }
        });
        Self { address, shared }
    }

    /// The URL, with what stands in front of the host, such as `user:password@`.
    pub(crate) fn url(&self, login: &str) -> String {
        format!("rtsp://{login}{}{}", self.address, self.shared.script.path)
    }

    /// What it has been asked so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl FakeCamera {
    /// What receivers have reported in datagrams so far.
    pub(crate) fn reports(&self) -> Vec<Vec<u8>> {
        self.shared.reports.lock().unwrap().clone()
    }
}

impl Drop for FakeCamera {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

/// Where the packets of a track go.
enum Way {
    Channels(u8, u8),
    Ports([UdpSocket; 2]),
}

struct Connection {
    socket: TcpStream,
    shared: Arc<Shared>,
    number: u32,
    ways: Arc<Mutex<Vec<Option<Way>>>>,
    /// The present nonce, and how often it has been used.
    nonce: (u32, u32),
    playing: bool,
    gone: Arc<AtomicBool>,
}

impl Connection {
    fn new(socket: TcpStream, shared: Arc<Shared>) -> Self {
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let _ = socket.set_nodelay(true);
        let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
        Self {
            socket,
            shared,
            number,
            ways: Arc::default(),
            nonce: (1, 0),
            playing: false,
            gone: Arc::default(),
        }
    }

    fn serve(mut self) {
        let mut input = Vec::new();
        let mut heard = Instant::now();
        while !self.shared.over.load(Ordering::Relaxed) && !self.gone.load(Ordering::Relaxed) {
            let mut piece = [0; 4_096];
            match self.socket.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => input.extend_from_slice(&piece[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    let patience = self.shared.script.patience;
                    if self.playing && patience.is_some_and(|patience| heard.elapsed() > patience) {
                        break;
                    }
                }
                Err(_) => break,
            }
            while let Some(head) = taken(&mut input) {
                heard = Instant::now();
                let mut words = head.split(' ');
                let request = Request {
                    method: words.next().unwrap_or_default().to_owned(),
                    url: words.next().unwrap_or_default().to_owned(),
                    head: head.clone(),
                    connection: self.number,
                    address: self.shared.address,
                };
                self.shared.asked.lock().unwrap().push(request.clone());
                if !self.answer(&request) {
                    self.gone.store(true, Ordering::Relaxed);
                    let _ = self.socket.shutdown(std::net::Shutdown::Both);
                    return;
                }
            }
        }
        self.gone.store(true, Ordering::Relaxed);
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    /// Answers; whether the connection goes on.
    fn answer(&mut self, request: &Request) -> bool {
        let mut reply = self.reply(request);
        (self.shared.script.answer)(request, &mut reply);
        let success = reply.status.starts_with("200");
        if request.method == "SETUP" && success {
            self.set_up(request, &mut reply);
        }
        if reply.silent {
            return true;
        }
        let bytes = (self.shared.script.wire)(reply.bytes());
        let written = self.socket.write_all(&bytes).is_ok();
        if request.method == "PLAY" && success && !std::mem::replace(&mut self.playing, true) {
            self.play();
        }
        written && !reply.close && request.method != "TEARDOWN"
    }

    /// What a camera without faults answers.
    fn reply(&mut self, request: &Request) -> Reply {
        let mut reply = Reply {
            status: "200 OK".to_owned(),
            ..Reply::default()
        };
        reply.set("CSeq", request.header("CSeq"));
        let script = &self.shared.script;
        if let Some(login) = &script.login
            && !(login.options_free && request.method == "OPTIONS")
            && !login.admits(request, &mut self.nonce)
        {
            reply.refuse("401 Unauthorized");
            for challenge in login.challenges {
                let value = challenge.replace("{nonce}", &format!("nonce{}", self.nonce.0));
                reply.headers.push(("WWW-Authenticate".to_owned(), value));
            }
            return reply;
        }
        let rest = request.url.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        match request.method.as_str() {
            "OPTIONS" => reply.set(
                "Public",
                "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN",
            ),
            "DESCRIBE" if path == script.path => {
                reply.set("Content-Type", "application/sdp");
                reply.set(
                    "Content-Base",
                    &format!("rtsp://{}{}/", self.shared.address, script.path),
                );
                reply.body = script
                    .sdp
                    .replace("{address}", &self.shared.address.to_string())
                    .into();
            }
            "SETUP" if script.tracks.contains(&path) => {
                reply.set("Session", "12345678;timeout=60");
                reply.set("Transport", request.header("Transport"));
            }
            "PLAY" if path == script.whole => reply.set("Session", "12345678"),
            "GET_PARAMETER" | "TEARDOWN" => {}
            _ => reply.refuse("404 Not Found"),
        }
        reply
    }

    /// Where packets go, by what is answered, or else by what was asked for.
    fn set_up(&mut self, request: &Request, reply: &mut Reply) {
        let asked = request.header("Transport");
        let way = if let Some(ports) = pair(asked, "client_port=") {
            let peer = self.socket.peer_addr().unwrap().ip();
            let sockets = [ports.0, ports.1].map(|port| {
                let socket = UdpSocket::bind((self.shared.address.ip(), 0)).unwrap();
                socket.connect((peer, port)).unwrap();
                socket.set_nonblocking(true).unwrap();
                socket
            });
            if !reply.get("Transport").contains("server_port") {
                let ports = sockets
                    .each_ref()
                    .map(|socket| socket.local_addr().unwrap().port());
                let value = format!(
                    "{};server_port={}-{}",
                    reply.get("Transport"),
                    ports[0],
                    ports[1]
                );
                reply.set("Transport", &value);
            }
            Way::Ports(sockets)
        } else {
            let channels = pair(reply.get("Transport"), "interleaved=")
                .or_else(|| pair(asked, "interleaved="));
            let (rtp, rtcp) = channels.unwrap_or((0, 1));
            Way::Channels(rtp as u8, rtcp as u8)
        };
        let mut ways = self.ways.lock().unwrap();
        if ways.is_empty() {
            ways.extend([None, None, None]);
        }
        ways[request.track()] = Some(way);
    }

    /// Sends pictures until the connection is gone.
    fn play(&self) {
        let mut socket = self.socket.try_clone().unwrap();
        let (shared, ways, gone) = (self.shared.clone(), self.ways.clone(), self.gone.clone());
        thread::spawn(move || {
            let (mut sender, begun) = (Sender::new(), Instant::now());
            for number in 0.. {
                if gone.load(Ordering::Relaxed) {
                    return;
                }
                (shared.script.send)(&mut sender, number);
                let mut stream = Vec::new();
                let mut close = false;
                for sent in sender.out.drain(..) {
                    let ways = ways.lock().unwrap();
                    match sent {
                        Sent::Raw(bytes) => stream.extend(bytes),
                        Sent::Close => close = true,
                        Sent::Packet {
                            track,
                            control,
                            bytes,
                        } => match ways.get(track) {
                            Some(Some(Way::Channels(rtp, rtcp))) => {
                                let channel = if control { *rtcp } else { *rtp };
                                stream.extend(framed(channel, &bytes));
                            }
                            Some(Some(Way::Ports(sockets))) => {
                                let _ = sockets[usize::from(control)].send(&bytes);
                                let mut report = [0; 1_500];
                                while let Ok(count) = sockets[1].recv(&mut report) {
                                    let report = report[..count].to_vec();
                                    shared.reports.lock().unwrap().push(report);
                                }
                            }
                            _ => {}
                        },
                    }
                }
                if socket.write_all(&stream).is_err() || close {
                    gone.store(true, Ordering::Relaxed);
                    let _ = socket.shutdown(std::net::Shutdown::Both);
                    return;
                }
                thread::sleep((STEP * (number + 1)).saturating_sub(begun.elapsed()));
            }
        });
    }
}

/// An interleaved frame.
pub(crate) fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    let length = (packet.len() as u16).to_be_bytes();
    [&[b'$', channel, length[0], length[1]], packet].concat()
}

/// The next request's head. Frames of ours, and empty lines, are passed over.
fn taken(input: &mut Vec<u8>) -> Option<String> {
    loop {
        match input[..] {
            [b'$', _, high, low, ..] => {
                let end = 4 + usize::from(u16::from_be_bytes([high, low]));
                if input.len() < end {
                    return None;
                }
                input.drain(..end);
            }
            [b'\r' | b'\n', ..] => {
                input.remove(0);
            }
            _ => break,
        }
    }
    let end = input.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head: Vec<u8> = input.drain(..end + 4).collect();
    Some(String::from_utf8(head).unwrap())
}

/// The numbers behind this name.
fn pair(text: &str, name: &str) -> Option<(u16, u16)> {
    let (_, value) = text.split_once(name)?;
    let value = value.split(';').next()?;
    let (first, second) = value.split_once('-').unwrap_or((value, value));
    let first = first.trim().parse().ok()?;
    Some((first, second.trim().parse().unwrap_or(first + 1)))
}
