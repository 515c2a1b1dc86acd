//! Streams of the configuration file, and a file that changes while the server runs.

use crate::support::http::{self, Response};
use crate::support::peer::Peer;
use crate::support::program::command;
use crate::support::{seconds, wait_for, wait_until};
use serde_json::Value;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A server with a file of its own.
struct Filed {
    server: Peer,
    file: PathBuf,
    http: u16,
    /// What it tells systemd.
    notify: UnixDatagram,
    _folder: TempDir,
}

/// Listeners of which the test says nothing more.
const PORTS: &str = "[http]\nlisten = \"127.0.0.1:0\"\n[https]\nlisten = \"\"\n[rtmps]\nlisten = \"\"\n\
    [rtsps]\nlisten = \"\"\n[webrtc]\nlisten = \"127.0.0.1:0\"\n[evostream]\nlisten = \"\"\ncli_listen = \"\"\n";

impl Filed {
    fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("millstream.toml");
        write(&file, text);
        let mut server = command();
        server.current_dir(folder.path()).arg("--config").arg(&file);
        let place = folder.path().join("notify");
        let notify = UnixDatagram::bind(&place).unwrap();
        notify.set_read_timeout(Some(seconds(20))).unwrap();
        server.env("NOTIFY_SOCKET", &place);
        // Here the file says where.
        server.env_remove("MILLSTREAM_SRT__LISTEN");
        let server = Peer::start(&mut server);
        let mut filed = Self {
            server,
            file,
            http: 0,
            notify,
            _folder: folder,
        };
        filed.http = filed.port("http", "127.0.0.1");
        filed
    }

    fn port(&self, protocol: &str, host: &str) -> u16 {
        let begin = format!("protocol={protocol} address={host}:");
        let words = self.logged(&begin);
        let port = words.split_once(&begin).unwrap().1;
        port.trim().parse().unwrap()
    }

    /// The first line of the log with these words.
    fn logged(&self, words: &str) -> String {
        let found = self.server.stderr.wait_for(seconds(20), |line| {
            line.contains(words).then(|| line.to_owned())
        });
        found.unwrap_or_else(|| panic!("no {words:?} in {}", self.server.stderr.text()))
    }

    /// What systemd is told next.
    fn told(&self) -> String {
        let mut buffer = [0; 256];
        let length = self.notify.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        text.lines().next().unwrap_or_default().to_owned()
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        http::request(self.http, method, path, headers, b"")
    }

    fn configuration(&self) -> Value {
        let answer = self.ask("GET", "/api/v1/configuration", &[]);
        answer.json()
    }

    fn broadcast(&self, id: &str) -> Option<Value> {
        let answer = self.ask("GET", &format!("/LiveApp/rest/v2/broadcasts/{id}"), &[]);
        (answer.status == 200).then(|| answer.json())
    }

    fn wait_live(&self, id: &str) -> Value {
        let live = || {
            self.broadcast(id)
                .filter(|one| one["status"] == "broadcasting")
        };
        wait_for(&format!("{id} is live"), seconds(20), live)
    }
}

/// Puts the file there at once, as editors do.
fn write(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{text}{PORTS}")).unwrap();
    std::fs::rename(&new, file).unwrap();
}

#[test]
fn a_file_that_changes_is_followed_and_a_bad_one_refused_whole() {
    let first = "[rtmp]\nlisten = \"127.0.0.1:0\"\n[rtsp]\nlisten = \"127.0.0.1:0\"\nudp_listen = \"\"\n\
        [srt]\nlisten = \"127.0.0.1:0\"\n[stream.cam]\nsource = \"demo:\"\n[stream.other]\nsource = \"demo:\"\n";
    let filed = Filed::start(first);
    assert_eq!(filed.told(), "READY=1");
    let cam = filed.wait_live("cam");
    filed.wait_live("other");
    assert_eq!(cam["madeBy"], "file");
    let path = "/LiveApp/rest/v2/broadcasts/cam";
    let refused = filed.ask("DELETE", path, &[]);
    let words = refused.text();
    assert!(words.contains("made by the configuration file"), "{words}");
    let rtmp = filed.port("rtmp", "127.0.0.1");
    let kept = std::net::TcpStream::connect(("127.0.0.1", rtmp)).unwrap();

    // A key that does not exist, among changes that would be good.
    write(
        &filed.file,
        "[stream.third]\nsource = \"demo:\"\nsorce = \"x\"\n",
    );
    let line = filed.logged("the configuration cannot be used");
    for words in ["millstream.toml:3", "stream.third.sorce", "source"] {
        assert!(line.contains(words), "{line}");
    }
    let told = filed.configuration();
    assert_eq!(told["ok"], false);
    assert!(
        told["error"]
            .as_str()
            .unwrap()
            .contains("stream.third.sorce")
    );
    assert!(filed.broadcast("third").is_none());

    // A good one: one stream goes, one comes, listeners move, who may manage changes.
    let second = "[log]\nlevel = \"debug\"\n[auth]\ntokens = [\"0123456789abcdef\"]\n\
        [rtmp]\nlisten = \"127.0.0.2:0\"\n[rtsp]\nlisten = \"127.0.0.2:0\"\nudp_listen = \"\"\n\
        [srt]\nlisten = \"127.0.0.2:0\"\n[stream.cam]\nsource = \"demo:\"\n[stream.third]\nsource = \"demo:\"\n";
    write(&filed.file, second);
    filed.wait_live("third");
    wait_until("the other is gone", seconds(10), || {
        filed.broadcast("other").is_none()
    });
    assert_eq!(filed.wait_live("cam")["startTime"], cam["startTime"]);
    for protocol in ["rtmp", "rtsp", "srt"] {
        filed.port(protocol, "127.0.0.2");
    }
    assert!(std::net::TcpStream::connect(("127.0.0.1", rtmp)).is_err());
    kept.set_nonblocking(true).unwrap();
    let open = kept.peek(&mut [0]).unwrap_err();
    assert_eq!(
        open.kind(),
        std::io::ErrorKind::WouldBlock,
        "the connection goes on"
    );
    let token = |token: &str| {
        let bearer = format!("Bearer {token}");
        filed.ask("GET", path, &[("Authorization", &bearer)]).status
    };
    assert_eq!(
        (token("0123456789abcdef"), token("fedcba9876543210")),
        (200, 403)
    );
    let told = filed.configuration();
    assert_eq!((&told["ok"], &told["error"]), (&true.into(), &Value::Null));
    assert_eq!(told["waitingForStart"], serde_json::json!([]));

    // What cannot change while it runs is told of, and asked for by a signal.
    std::fs::write(
        &filed.file,
        format!("data_dir = \"elsewhere\"\n{second}{PORTS}"),
    )
    .unwrap();
    filed.server.signal("HUP");
    assert_eq!(
        (filed.told(), filed.told()),
        ("RELOADING=1".into(), "READY=1".into())
    );
    let waiting = || filed.configuration()["waitingForStart"] == serde_json::json!(["data_dir"]);
    wait_until("the data folder waits", seconds(10), waiting);
    assert_eq!(filed.wait_live("cam")["startTime"], cam["startTime"]);
    filed.server.signal("TERM");
    assert_eq!(filed.told(), "STOPPING=1");
    let ended = filed.server.finish(seconds(5));
    assert!(ended.status.success());
    assert!(!ended.stderr.contains("panicked at"), "{}", ended.stderr);
}
