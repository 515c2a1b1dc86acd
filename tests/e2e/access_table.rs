//! The table of access: each protocol, each right, each kind of credential is let in or refused, with that protocol's own
//! error; and what somebody else is asked about it. The clients are sockets, so that all of it takes seconds.

use crate::support::http::{Response, request};
use crate::support::rtmp::{Answer, Client};
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::tool;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

/// What refuses somebody, in the words of all protocols that have room for words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum No {
    Login,
    Jwt,
    Once,
    Code,
    Network,
    Unanswered,
}

impl No {
    const fn words(self) -> &'static str {
        match self {
            Self::Login => "this needs a user and a password",
            Self::Jwt => "Invalid JWT Token",
            Self::Once => "Invalid Token",
            Self::Code => "Time Based subscriber id or code is invalid",
            Self::Network => "Not allowed IP",
            Self::Unanswered => "whether this may be done cannot be found out now",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    Publish,
    Play,
}

/// The protocols, and which right each has.
const PUBLISHED: [&str; 7] = ["rtmp", "rtmps", "rtsp", "rtsps", "srt", "whip", "ws"];
const PLAYED: [&str; 12] = [
    "rtmp", "rtmps", "rtsp", "rtsps", "srt", "whep", "ws", "hls", "dash", "flv", "ts", "mp4",
];

/// Those of them that have the header `Authorization` as all HTTP has it.
const PUBLISHED_BY_HTTP: [&str; 1] = ["whip"];
const PLAYED_BY_HTTP: [&str; 6] = ["whep", "hls", "dash", "flv", "ts", "mp4"];

/// Asks for a stream of an application in one of the protocols: whether it is let in, or else refused as that protocol
/// refuses who may not.
#[track_caller]
fn check(
    server: &Server,
    protocol: &str,
    right: Right,
    (app, id): (&str, &str),
    query: &str,
    expected: Result<(), No>,
) {
    let publishes = right == Right::Publish;
    let what = format!("{protocol} {right:?} {app}/{id}?{query}");
    let suffix = match query {
        "" => String::new(),
        query => format!("?{query}"),
    };
    match protocol {
        "rtmp" | "rtmps" => {
            let (port, key) = (port(server, protocol), format!("{id}{suffix}"));
            let (_, answer) = match right {
                Right::Publish => Client::publish(port, app, &key),
                Right::Play => Client::play(port, app, &key),
            };
            let code = match right {
                Right::Publish => "NetStream.Publish.Denied",
                Right::Play => "NetStream.Play.Failed",
            };
            let wanted = match expected {
                Ok(()) => Answer::Granted,
                Err(_) => Answer::Rejected(code.to_owned()),
            };
            assert_eq!(answer, wanted, "{what}");
        }
        "rtsp" | "rtsps" => {
            let port = port(server, protocol);
            let answer = rtsp(port, publishes, &format!("{app}/{id}{suffix}"));
            let status = match expected {
                Ok(()) => "RTSP/1.0 200",
                Err(No::Login) => "RTSP/1.0 401",
                Err(_) => "RTSP/1.0 403",
            };
            assert!(answer.starts_with(status), "{what}: {answer}");
            let asks = answer.contains("WWW-Authenticate: ");
            assert_eq!(asks, expected == Err(No::Login), "{what}: {answer}");
        }
        "srt" => {
            let mode = if publishes { "publish" } else { "read" };
            let answer = srt(server, &format!("{mode}:{app}/{id}{suffix}"));
            let wanted = expected.map_err(|_| 1_403);
            assert_eq!(answer, wanted, "{what}");
        }
        "ws" => {
            let answer = signalling(server, publishes, (app, id), query);
            match expected {
                Ok(()) => assert_ne!(answer["command"], "error", "{what}: {answer}"),
                Err(_) => assert_eq!(answer["definition"], "unauthorized_access", "{what}"),
            }
        }
        _ => by_http(server, protocol, (app, id), (&suffix, ""), expected),
    }
}

/// The same by HTTP, with what stands behind the path, and in `Authorization` if that is not empty.
#[track_caller]
fn by_http(
    server: &Server,
    protocol: &str,
    (app, id): (&str, &str),
    (suffix, authorization): (&str, &str),
    expected: Result<(), No>,
) {
    let what = format!("{protocol} {app}/{id}{suffix} {authorization}");
    let (method, path) = match protocol {
        "whip" | "whep" => ("POST", format!("/{app}/{protocol}/{id}")),
        "hls" => ("GET", format!("/{app}/streams/{id}.m3u8")),
        "dash" => ("GET", format!("/{app}/streams/{id}/{id}.mpd")),
        "flv" => ("HEAD", format!("/{app}/streams/{id}.flv")),
        "mp4" => ("HEAD", format!("/{app}/streams/{id}.mp4")),
        _ => ("HEAD", format!("/{app}/streams/{id}.live.ts")),
    };
    let mut headers = vec![("Content-Type", "application/sdp")];
    if !authorization.is_empty() {
        headers.push(("Authorization", authorization));
    }
    let path = format!("{path}{suffix}");
    let answer = request(server.http, method, &path, &headers, b"v=0");
    match expected {
        // That is no offer, but it was looked at.
        Ok(()) if method == "POST" => {
            assert!(![401, 403].contains(&answer.status), "{what}");
        }
        Ok(()) => assert_eq!(answer.status, 200, "{what}: {}", answer.text()),
        Err(no) => refused(&answer, no, &what),
    }
}

/// Where a protocol is to be had without TLS: at its own port, or through one connection of OpenSSL's client.
#[track_caller]
fn port(server: &Server, protocol: &str) -> u16 {
    let port = server.port_of(protocol);
    if !["rtmps", "rtsps"].contains(&protocol) {
        return port;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tunnel = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let mut openssl = tool("openssl");
        openssl
            .args(["s_client", "-quiet", "-verify_quiet", "-connect"])
            .arg(format!("127.0.0.1:{port}"))
            .stdin(OwnedFd::from(socket.try_clone().unwrap()))
            .stdout(OwnedFd::from(socket))
            .stderr(Stdio::null());
        // It ends with either side.
        let _ = openssl.status();
    });
    tunnel
}

#[track_caller]
fn refused(answer: &Response, no: No, what: &str) {
    let status = if no == No::Login { 401 } else { 403 };
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    let asks = answer.header("WWW-Authenticate").starts_with("Basic ");
    assert_eq!(asks, no == No::Login, "{what}");
    let words = answer.text();
    assert!(
        words.is_empty() || words.trim() == no.words(),
        "{what}: {words}"
    );
    assert_eq!(answer.header("Cache-Control"), "no-store", "{what}");
}

/// The first answer to a request of RTSP.
fn rtsp(port: u16, publishes: bool, path: &str) -> String {
    let url = format!("rtsp://127.0.0.1:{port}/{path}");
    let sdp =
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\na=control:a\r\n";
    let request = match publishes {
        true => format!(
            "ANNOUNCE {url} RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ),
        false => {
            format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n")
        }
    };
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(seconds(20))).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    head(&mut socket)
}

/// All until an empty line.
fn head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Whether a caller of SRT is let in, or the number of the refusal.
fn srt(server: &Server, stream_id: &str) -> Result<(), u32> {
    // Each from an address of its own: how much one may ask for is bounded.
    static CALLERS: AtomicU8 = AtomicU8::new(2);
    let caller = CALLERS.fetch_add(1, Ordering::Relaxed).max(2);
    let socket = UdpSocket::bind(format!("127.0.1.{caller}:0")).unwrap();
    socket.connect(("127.0.0.1", server.srt)).unwrap();
    let options = ::srt::Options {
        stream_id: stream_id.to_owned(),
        ..::srt::Options::default()
    };
    let seed = rand::random();
    let mut session = ::srt::Session::caller(Instant::now(), options, seed).unwrap();
    let mut datagram = [0; 2_000];
    loop {
        let mut said = Vec::new();
        match session.poll_output(&mut said) {
            ::srt::Output::Transmit => drop(socket.send(&said).unwrap()),
            ::srt::Output::Event(::srt::Event::Connected { .. }) => {
                session.close(Instant::now());
                while session.poll_output(&mut said) == ::srt::Output::Transmit {
                    let _ = socket.send(&said);
                    said.clear();
                }
                return Ok(());
            }
            ::srt::Output::Event(::srt::Event::Closed(reason)) => match reason {
                ::srt::CloseReason::Rejected(reject) => return Err(reject.0),
                reason => panic!("{stream_id}: {reason}"),
            },
            ::srt::Output::Timeout(_) => {
                let tick = std::time::Duration::from_millis(50);
                socket.set_read_timeout(Some(tick)).unwrap();
                match socket.recv(&mut datagram) {
                    Ok(length) => session.handle_input(Instant::now(), &datagram[..length]),
                    Err(_) => session.handle_timeout(Instant::now()),
                }
            }
        }
    }
}

/// The first that Ant Media's signalling says to who wants to publish or play. Half of what is to be shown stands in the
/// message.
fn signalling(server: &Server, publishes: bool, (app, id): (&str, &str), query: &str) -> Value {
    let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    socket.set_read_timeout(Some(seconds(20))).unwrap();
    let mut message = json!({
        "command": if publishes { "publish" } else { "play" }, "streamId": id, "video": true, "audio": true,
    });
    let mut rest = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((name @ ("token" | "subscriberId" | "subscriberCode"), value)) => {
                message[name] = value.into();
            }
            _ => rest.push(pair),
        }
    }
    let rest = rest.join("&");
    let head = format!(
        "GET /{app}/websocket?{rest} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    assert!(self::head(&mut socket).starts_with("HTTP/1.1 101 "));
    let text = message.to_string();
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    // Masked with zeros.
    let mut frame = vec![0x81, 0x80 | 126, length[0], length[1], 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    socket.write_all(&frame).unwrap();
    let mut start = [0; 2];
    socket.read_exact(&mut start).unwrap();
    let mut length = usize::from(start[1]);
    if length == 126 {
        let mut long = [0; 2];
        socket.read_exact(&mut long).unwrap();
        length = u16::from_be_bytes(long).into();
    }
    let mut text = vec![0; length];
    socket.read_exact(&mut text).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// A recording of that name in an application.
#[track_caller]
fn recorded(server: &Server, app: &str, id: &str) {
    let folder = server.data().join("recordings").join(app);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{id}.mp4")), "as it is").unwrap();
}

/// Answers every request with what `answer` makes of its body; the port, and the bodies that came.
fn answering(
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let (came, answer) = (bodies.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let (mut socket, came, answer) = (socket.unwrap(), came.clone(), answer.clone());
            std::thread::spawn(move || {
                let head = head(&mut socket).to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1);
                let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
                let mut body = vec![0; length.unwrap_or(0)];
                socket.read_exact(&mut body).unwrap();
                let body = String::from_utf8(body).unwrap();
                came.lock().unwrap().push(body.clone());
                let (status, text) = answer(&body);
                let length = text.len();
                let answer =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{text}");
                let _ = socket.write_all(answer.as_bytes());
            });
        }
    });
    (port, bodies)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[track_caller]
fn set(server: &Server, app: &str, settings: &Value) {
    let path = format!("/rest/v2/applications/settings/{app}");
    let body = settings.to_string();
    let answer = request(server.http, "POST", &path, &[], body.as_bytes());
    assert_eq!(answer.json()["success"], true, "{}", answer.text());
}

/// What a call about a stream of an application answers.
#[track_caller]
fn call(server: &Server, method: &str, app: &str, rest: &str, body: &str) -> Value {
    let path = format!("/{app}/rest/v2/broadcasts/{rest}");
    let answer = request(server.http, method, &path, &[], body.as_bytes());
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// A live stream `cam` in each of these applications: what the server makes itself.
fn live(server: &Server, apps: &[&str]) {
    for app in apps {
        let url = format!("{}?user=joe&pass=play", server.rtmp_url("demo"));
        let source =
            json!({ "type": "streamSource", "streamId": "cam", "name": "cam", "streamUrl": url });
        let made = call(
            server,
            "POST",
            app,
            "create?autoStart=true",
            &source.to_string(),
        );
        assert_eq!(made["success"], true, "{made}");
    }
    for app in apps {
        let deadline = Instant::now() + seconds(40);
        while call(server, "GET", app, "cam", "")["status"] != "broadcasting" {
            assert!(Instant::now() < deadline, "{app}/cam is not live");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

const APPS: [&str; 7] = [
    "LiveApp", "logins", "jwt", "keys", "once", "codes", "network",
];

/// A key, as somebody who signs tokens has it.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap())
    }

    fn keys(&self) -> String {
        let point = self.0.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        json!({ "keys": [{ "kty": "EC", "kid": "1", "crv": "P-256", "x": x, "y": y }] }).to_string()
    }

    fn sign(&self, kid: &str, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": kid }).to_string();
        let [header, claims] =
            [header, claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
        let text = format!("{header}.{claims}");
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

#[test]
fn every_protocol_by_right_and_credential() {
    let signer = Signer::new();
    let keys = signer.keys();
    let (keys_port, fetched) = answering(move |_| (200, keys.clone()));
    let applications = format!("applications={}", json!(APPS));
    let server = Server::with(&[
        "--demo",
        "--set",
        &applications,
        "--set",
        "auth.rights.logins.publishers=[\"pub:hidden1\"]",
        "--set",
        "auth.rights.logins.players=[\"joe:hidden2\"]",
        "--set",
        "auth.rights.network.publish_networks=[\"10.0.0.0/8\"]",
        "--set",
        "auth.rights.network.play_networks=[\"10.0.0.0/8\", \"2001:db8::/32\"]",
    ]);
    let secret = "zautXStXM9iW3aD3FuyPH0TdK4GHPmHq";
    set(
        &server,
        "jwt",
        &json!({ "publishJwtControlEnabled": true, "playJwtControlEnabled": true, "jwtStreamSecretKey": secret }),
    );
    set(
        &server,
        "keys",
        &json!({
            "publishJwtControlEnabled": true, "playJwtControlEnabled": true, "jwtControlEnabled": true,
            "jwksURL": format!("http://127.0.0.1:{keys_port}/keys?hidden3"),
        }),
    );
    set(
        &server,
        "once",
        &json!({ "publishTokenControlEnabled": true, "playTokenControlEnabled": true }),
    );
    set(
        &server,
        "codes",
        &json!({
            "enableTimeTokenForPublish": true, "enableTimeTokenForPlay": true, "timeTokenPeriod": 36_000,
            "timeTokenSecretForPublish": "hidden4",
        }),
    );
    let viewer = r#"{"subscriberId":"viewer1","b32Secret":"GEZDGNBVGY3TQOJQ","type":"play"}"#;
    let added = call(&server, "POST", "codes", "cam/subscribers", viewer);
    assert_eq!(added["success"], true, "{added}");
    // "keys" takes its own tokens alone for its calls.
    let open_apps: Vec<&str> = APPS[1..]
        .iter()
        .copied()
        .filter(|app| *app != "keys")
        .collect();
    live(&server, &open_apps);
    let operator = signer.sign("1", &json!({ "exp": now() + 600 }));
    let demo = server.rtmp_url("demo");
    let source =
        json!({ "type": "streamSource", "streamId": "cam", "name": "cam", "streamUrl": demo });
    let with = |token: &str, method: &str, rest: &str, body: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Host", "cam.example")];
        let path = format!("/keys/rest/v2/broadcasts/{rest}");
        request(server.http, method, &path, &headers, body.as_bytes())
    };
    let made = with(
        &operator,
        "POST",
        "create?autoStart=true",
        &source.to_string(),
    );
    assert_eq!(made.json()["success"], true, "{}", made.text());
    let mut secrets: Vec<String> = [
        "hidden1", "hidden2", "hidden3", "hidden4", secret, &operator,
    ]
    .map(str::to_owned)
    .into();

    // Tokens of a REST API by a set of keys: what is refused, and that nobody is asked again for each.
    let mut forged = operator.clone().into_bytes();
    let at = forged.len() - 10;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let none = format!(
        "{}.e30.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"1"}"#)
    );
    for (token, status) in [
        (operator.as_str(), 200),
        (&forged, 403),
        (&none, 403),
        (&signer.sign("2", &json!({ "exp": now() + 600 })), 403),
        (&signer.sign("1", &json!({ "exp": now() - 1 })), 403),
        (&Signer::new().sign("1", &json!({})), 403),
        (&"x".repeat(5_000), 403),
    ] {
        let answer = with(token, "GET", "count", "");
        assert_eq!(answer.status, status, "{token}: {}", answer.text());
        let told = answer.text().contains("Invalid App JWT Token");
        assert_eq!(told, status == 403, "{token}: {}", answer.text());
    }
    let deadline = Instant::now() + seconds(40);
    while with(&operator, "GET", "cam", "").json()["status"] != "broadcasting" {
        assert!(Instant::now() < deadline, "keys/cam is not live");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(fetched.lock().unwrap().len(), 1);
    recorded(&server, "LiveApp", "demo");
    APPS[1..]
        .iter()
        .for_each(|app| recorded(&server, app, "cam"));

    let expires = now() + 600;
    let words = |right: Right| match right {
        Right::Publish => "publish",
        Right::Play => "play",
    };
    let made = |app: &str, id: &str, what: &str, kind: &str| {
        let path = format!("{id}/{what}?expireDate={expires}&type={kind}");
        let made = call(&server, "GET", app, &path, "");
        made["tokenId"].as_str().unwrap().to_owned()
    };
    for (right, protocols) in [(Right::Publish, &PUBLISHED[..]), (Right::Play, &PLAYED)] {
        let kind = words(right);
        let other = match right {
            Right::Publish => "play",
            Right::Play => "publish",
        };
        for protocol in protocols {
            // Each publishes a stream of its own, so that none is taken.
            let id = match right {
                Right::Publish => format!("by-{protocol}"),
                Right::Play => "cam".to_owned(),
            };
            let claims =
                |kind: &str, expires: u64| json!({ "streamId": id, "type": kind, "exp": expires });
            let (jwt, other_jwt) = (
                made("jwt", &id, "jwt-token", kind),
                made("jwt", &id, "jwt-token", other),
            );
            let unsigned = [json!({ "alg": "none" }), claims(kind, expires)];
            let unsigned = unsigned.map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
            let unsigned = format!("{}.", unsigned.join("."));
            let other_kid = signer.sign("2", &claims(kind, expires));
            let once = made("once", &id, "token", kind);
            let other_once = made("once", "other", "token", kind);
            let signed = signer.sign("1", &claims(kind, expires));
            let (login, wrong) = match right {
                Right::Publish => ("user=pub&pass=hidden1", "user=joe&pass=hidden2"),
                Right::Play => ("user=joe&pass=hidden2", "user=pub&pass=hidden1"),
            };
            let subscriber = match right {
                Right::Publish => "anybody",
                Right::Play => "viewer1",
            };
            let path = format!("{id}/subscribers/{subscriber}/totp?type={kind}");
            let code = call(&server, "GET", "codes", &path, "")["dataId"].clone();
            let code = code.as_str().unwrap();
            let good_code = format!("subscriberId={subscriber}&subscriberCode={code}");
            let token = |token: &str| format!("token={token}");
            secrets.extend([jwt.clone(), other_jwt.clone(), once.clone(), signed.clone()]);
            let stream = |app| (app, id.as_str());
            for (app, query, expected) in [
                ("LiveApp", String::new(), Ok(())),
                ("logins", String::new(), Err(No::Login)),
                ("logins", wrong.to_owned(), Err(No::Login)),
                ("logins", token(&jwt), Err(No::Login)),
                ("logins", login.to_owned(), Ok(())),
                ("jwt", String::new(), Err(No::Jwt)),
                ("jwt", token("hidden5"), Err(No::Jwt)),
                ("jwt", token(&other_jwt), Err(No::Jwt)),
                ("jwt", token(&signed), Err(No::Jwt)),
                ("jwt", token(&unsigned), Err(No::Jwt)),
                ("jwt", token(&jwt), Ok(())),
                ("keys", token(&jwt), Err(No::Jwt)),
                ("keys", token(&operator), Err(No::Jwt)),
                ("keys", token(&unsigned), Err(No::Jwt)),
                ("keys", token(&other_kid), Err(No::Jwt)),
                (
                    "keys",
                    token(&signer.sign("1", &claims(kind, now() - 1))),
                    Err(No::Jwt),
                ),
                ("keys", token(&signed), Ok(())),
                ("once", String::new(), Err(No::Once)),
                ("once", token(&jwt), Err(No::Once)),
                ("once", token(&other_once), Err(No::Once)),
                ("once", token(&once), Ok(())),
                ("codes", String::new(), Err(No::Code)),
                ("codes", good_code.clone(), Ok(())),
                ("network", login.to_owned(), Err(No::Network)),
                ("network", token(&jwt), Err(No::Network)),
            ] {
                // The one application that is open has the stream of the demonstration.
                let (_, id) = match (app, right) {
                    ("LiveApp", Right::Play) => (app, "demo"),
                    _ => stream(app),
                };
                check(&server, protocol, right, (app, id), &query, expected);
            }
        }
    }
    // What HTTP has besides the query.
    for (right, protocols) in [
        (Right::Publish, &PUBLISHED_BY_HTTP[..]),
        (Right::Play, &PLAYED_BY_HTTP),
    ] {
        let kind = words(right);
        let (login, wrong) = match right {
            Right::Publish => ("pub:hidden1", "joe:hidden2"),
            Right::Play => ("joe:hidden2", "pub:hidden1"),
        };
        let basic = |login: &str| format!("Basic {}", STANDARD.encode(login));
        let bearer = |token: &str| format!("Bearer {token}");
        let jwt = made("jwt", "cam", "jwt-token", kind);
        let other_jwt = made("jwt", "other", "jwt-token", kind);
        let signed = json!({ "streamId": "cam", "type": kind, "exp": expires });
        let signed = signer.sign("1", &signed);
        for protocol in protocols {
            let once = made("once", "cam", "token", kind);
            for (app, authorization, expected) in [
                ("logins", basic(login), Ok(())),
                ("logins", basic(wrong), Err(No::Login)),
                ("logins", bearer(login), Ok(())),
                ("logins", bearer(&jwt), Err(No::Login)),
                ("jwt", bearer(&jwt), Ok(())),
                ("jwt", bearer(&other_jwt), Err(No::Jwt)),
                ("jwt", basic(login), Err(No::Jwt)),
                ("keys", bearer(&signed), Ok(())),
                ("keys", bearer(&jwt), Err(No::Jwt)),
                ("once", bearer(&once), Ok(())),
                ("once", bearer(&jwt), Err(No::Once)),
                ("codes", bearer(&jwt), Err(No::Code)),
                ("network", basic(login), Err(No::Network)),
            ] {
                by_http(
                    &server,
                    protocol,
                    (app, "cam"),
                    ("", &authorization),
                    expected,
                );
            }
            secrets.push(once);
        }
        secrets.extend([jwt, other_jwt, signed, STANDARD.encode(login)]);
    }
    // What the stream ids of SRT have besides.
    for (stream_id, expected) in [
        ("read:logins/cam:joe:hidden2", Ok(())),
        ("#!::r=logins/cam,m=request,u=joe,s=hidden2", Ok(())),
        ("#!::r=logins/by-id,m=publish,u=pub,s=hidden1", Ok(())),
        ("read:logins/cam:joe:hidden1", Err(1_403)),
        ("#!::r=logins/cam,m=request,u=pub,s=hidden1", Err(1_403)),
        ("#!::r=logins/cam,m=publish,u=joe,s=hidden2", Err(1_403)),
        ("publish:network/cam:pub:hidden1", Err(1_403)),
    ] {
        assert_eq!(srt(&server, stream_id), expected, "{stream_id}");
    }
    // Wrong codes last: they are slowed.
    for (right, protocols) in [(Right::Publish, &PUBLISHED[..]), (Right::Play, &PLAYED)] {
        for protocol in protocols {
            let wrong = "subscriberId=viewer1&subscriberCode=000000";
            check(
                &server,
                protocol,
                right,
                ("codes", "cam"),
                wrong,
                Err(No::Code),
            );
        }
    }
    let log = server.log.text();
    secrets.push("hidden5".to_owned());
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret}:\n{log}");
    }
}

#[test]
fn somebody_else_is_asked_and_not_with_each_request() {
    let (port, bodies) = answering(|body| {
        let asked: Value = serde_json::from_str(body).unwrap();
        let is_known = asked["user"] == "ann" && asked["password"] == "hidden1";
        let status = match (asked["token"].as_str(), is_known) {
            (Some("down"), _) => 500,
            (Some("hidden2"), _) | (_, true) => 200,
            _ => 401,
        };
        (status, String::new())
    });
    let url = format!("auth.webhook.url=http://127.0.0.1:{port}/auth?hidden3");
    let server = Server::with(&[
        "--demo",
        "--set",
        &url,
        "--set",
        "auth.players=[\"joe:hidden4\"]",
    ]);
    recorded(&server, "LiveApp", "demo");
    let asked = || std::mem::take(&mut *bodies.lock().unwrap());
    for (right, protocols) in [(Right::Publish, &PUBLISHED[..]), (Right::Play, &PLAYED)] {
        for protocol in protocols {
            let id = match right {
                Right::Publish => format!("by-{protocol}"),
                Right::Play => "demo".to_owned(),
            };
            for (query, expected) in [
                ("", Err(No::Login)),
                ("user=ann&pass=wrong", Err(No::Login)),
                ("token=down", Err(No::Unanswered)),
                ("user=ann&pass=hidden1", Ok(())),
                ("token=hidden2", Ok(())),
            ] {
                if right == Right::Publish && query.starts_with("token=h") {
                    // The name is taken by the one before.
                    continue;
                }
                check(&server, protocol, right, ("LiveApp", &id), query, expected);
            }
        }
    }
    let question = asked()
        .into_iter()
        .find(|body| body.contains("\"protocol\":\"hls\""));
    let mut question: Value = serde_json::from_str(&question.unwrap()).unwrap();
    assert_eq!(question["id"].as_str().unwrap().len(), 32);
    question["id"] = Value::Null;
    let expected = json!({
        "user": "", "password": "", "token": "", "ip": "127.0.0.1", "action": "read", "path": "LiveApp/demo",
        "protocol": "hls", "id": null, "query": "", "userAgent": "",
    });
    assert_eq!(question, expected);
    // A login of the configuration needs nobody, and a player of HLS is asked about once for all that it asks for.
    check(
        &server,
        "hls",
        Right::Play,
        ("LiveApp", "demo"),
        "user=joe&pass=hidden4",
        Ok(()),
    );
    assert!(asked().is_empty());
    let playlist = |file: &str| {
        let path = format!("/LiveApp/streams/{file}?user=ann&pass=hidden1&n=1");
        let answer = server.get(&path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    };
    playlist("demo.m3u8");
    let media = playlist("demo/video.m3u8");
    let segments = media.lines().filter(|line| line.contains(".m4s"));
    for segment in segments.filter(|line| !line.starts_with('#')).take(3) {
        let path = format!("/LiveApp/streams/demo/{segment}");
        assert_eq!(server.get(&path).status, 200, "{path}");
    }
    assert_eq!(asked().len(), 1);
    // RTSP has user and password told as they are.
    let answer = rtsp(server.rtsp, false, "LiveApp/demo");
    assert!(
        answer.contains("WWW-Authenticate: Basic ") && !answer.contains("Digest"),
        "{answer}"
    );
    let log = server.log.text();
    assert!(log.contains("auth.webhook says nothing"), "{log}");
    for secret in ["hidden1", "hidden2", "hidden3", "hidden4", "pass=wrong"] {
        assert!(!log.contains(secret), "{secret}:\n{log}");
    }
}
