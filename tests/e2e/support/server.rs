//! The server under test.

use super::http::{self, Response};
use super::lines::Lines;
use super::peer::signal;
use super::program::{clean_environment, command, wait};
use super::tools::tool;
use super::{seconds, wait_for};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Listeners of which no test tells the port beforehand.
pub(crate) const FREE_PORTS: [&str; 16] = [
    "--set",
    "https.listen=127.0.0.1:0",
    "--set",
    "webrtc.listen=127.0.0.1:0",
    "--set",
    "rtsp.listen=127.0.0.1:0",
    "--set",
    "rtsp.udp_listen=127.0.0.1:0",
    "--set",
    "srt.listen=127.0.0.1:0",
    "--set",
    "rtsps.listen=127.0.0.1:0",
    "--set",
    "evostream.listen=127.0.0.1:0",
    "--set",
    "evostream.cli_listen=127.0.0.1:0",
];

/// How long the server may take to end.
const END: Duration = seconds(5);

/// A running server. Dropped, it is asked to end, and has to end well: in time, with status 0, and without a
/// panic in its log.
pub(crate) struct Server {
    child: Option<Child>,
    pid: u32,
    pub(crate) log: Lines,
    pub(crate) rtmp: u16,
    pub(crate) http: u16,
    pub(crate) rtsp: u16,
    pub(crate) srt: u16,
    /// Its data folder lies in it, and what the test wants to keep beside it.
    folder: Option<TempDir>,
    data: PathBuf,
}

impl Server {
    /// With nothing but free ports set.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With more arguments.
    #[track_caller]
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut command = command();
        // A test may want another, which then comes last and counts.
        command.args(FREE_PORTS);
        command.args(arguments);
        Self::run(command, data, Some(folder))
    }

    /// On a data folder that outlives it.
    #[track_caller]
    pub(crate) fn on(data: &Path) -> Self {
        Self::on_with(data, &[])
    }

    /// The same with more arguments.
    #[track_caller]
    pub(crate) fn on_with(data: &Path, arguments: &[&str]) -> Self {
        let mut command = command();
        command.args(FREE_PORTS);
        command.args(arguments);
        Self::run(command, data.to_owned(), None)
    }

    /// With a file in the place of the system's list of hosts, and no name server. Needs root.
    #[track_caller]
    pub(crate) fn with_hosts(hosts: &Path, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut command = tool("unshare");
        let script = "mount --bind \"$1\" /etc/hosts && mount --bind /dev/null /etc/resolv.conf && shift && exec \"$@\"";
        command.args(["--mount", "sh", "-c", script, "sh"]);
        command.arg(hosts).arg(env!("CARGO_BIN_EXE_millstream"));
        command.args(FREE_PORTS);
        command.args(arguments);
        clean_environment(&mut command);
        Self::run(command, data, Some(folder))
    }

    /// Whose recordings lie on a disk of their own, as large as that. Needs root.
    #[track_caller]
    pub(crate) fn with_small_disk(size: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let disk = folder.path().join("disk");
        std::fs::create_dir(&disk).unwrap();
        let mut command = tool("unshare");
        let script = format!("mount -t tmpfs -o size={size} tmpfs \"$1\" && shift && exec \"$@\"");
        command.args(["--mount", "sh", "-c", &script, "sh"]);
        command.arg(&disk).arg(env!("CARGO_BIN_EXE_millstream"));
        command.args(FREE_PORTS);
        command.args(["--set", &format!("record.folder={}", disk.display())]);
        command.args(arguments);
        clean_environment(&mut command);
        Self::run(command, data, Some(folder))
    }

    /// With at most `files` open files.
    #[track_caller]
    pub(crate) fn with_open_files(files: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_millstream")]);
        command.args(FREE_PORTS);
        clean_environment(&mut command);
        Self::run(command, data, Some(folder))
    }

    /// Ends it as a power cut would and starts it again, on the same ports and data.
    #[track_caller]
    pub(crate) fn killed_and_started_again(mut self) -> Self {
        let (data, folder) = (self.data.clone(), self.folder.take());
        let ports = (self.http, self.rtmp);
        self.kill();
        let mut command = command();
        command.args(FREE_PORTS);
        Self::run_on(ports, command, data, folder)
    }

    #[track_caller]
    fn run(command: Command, data: PathBuf, folder: Option<TempDir>) -> Self {
        Self::run_on((0, 0), command, data, folder)
    }

    /// On these ports for HTTP and RTMP.
    #[track_caller]
    fn run_on(
        (http, rtmp): (u16, u16),
        mut command: Command,
        data: PathBuf,
        folder: Option<TempDir>,
    ) -> Self {
        command
            .arg("--data-dir")
            .arg(&data)
            .args(["--set", &format!("http.listen=127.0.0.1:{http}")])
            .args(["--set", &format!("rtmp.listen=127.0.0.1:{rtmp}")])
            .args(["--set", "rtmps.listen=127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Lines::follow(child.stderr.take().unwrap());
        let pid = child.id();
        let mut server = Self {
            child: Some(child),
            pid,
            log,
            rtmp: 0,
            http: 0,
            rtsp: 0,
            srt: 0,
            folder,
            data,
        };
        server.rtmp = server.port("rtmp");
        server.http = server.port("http");
        server.rtsp = server.port("rtsp");
        server.srt = server.port("srt");
        server
    }

    #[track_caller]
    fn port(&self, protocol: &str) -> u16 {
        let port = self
            .log
            .wait_for(seconds(10), |line| listening(line, protocol));
        port.unwrap_or_else(|| {
            panic!(
                "the server does not listen for {protocol}:\n{}",
                self.log.text()
            )
        })
    }

    /// `rtmp://…/LiveApp/ID`.
    pub(crate) fn rtmp_url(&self, id: &str) -> String {
        format!("rtmp://127.0.0.1:{}/LiveApp/{id}", self.rtmp)
    }

    /// `rtsp://…/LiveApp/ID`.
    pub(crate) fn rtsp_url(&self, id: &str) -> String {
        format!("rtsp://127.0.0.1:{}/LiveApp/{id}", self.rtsp)
    }

    /// `srt://…`, with a stream id.
    pub(crate) fn srt_url(&self, stream_id: &str) -> String {
        format!("srt://127.0.0.1:{}?streamid={stream_id}", self.srt)
    }

    /// `rtmps://…/LiveApp/ID`.
    #[track_caller]
    pub(crate) fn rtmps_url(&self, id: &str) -> String {
        format!("rtmps://127.0.0.1:{}/LiveApp/{id}", self.port("rtmps"))
    }

    /// `rtsps://…/LiveApp/ID`.
    #[track_caller]
    pub(crate) fn rtsps_url(&self, id: &str) -> String {
        format!("rtsps://127.0.0.1:{}/LiveApp/{id}", self.port("rtsps"))
    }

    /// `https://…` and the path, which begins with a slash.
    #[track_caller]
    pub(crate) fn secure_url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port("https"))
    }

    /// `http://…` and the path, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http)
    }

    /// What a GET request is answered.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        http::get(self.http, path)
    }

    /// The port of a listener, by its name in the log.
    #[track_caller]
    pub(crate) fn port_of(&self, protocol: &str) -> u16 {
        self.port(protocol)
    }

    /// A call of the API of EvoStream.
    #[track_caller]
    pub(crate) fn evostream(&self, function: &str, params: &str) -> Value {
        let params = STANDARD.encode(params);
        let path = format!("/{function}?params={params}");
        http::get(self.port("evostream"), &path).json()
    }

    /// A call of the REST API of LiveApp, `path` behind `/broadcasts`.
    #[track_caller]
    pub(crate) fn rest(&self, method: &str, path: &str, body: &str) -> Response {
        let path = format!("/LiveApp/rest/v2/broadcasts{path}");
        let headers = [("Content-Type", "application/json")];
        http::request(self.http, method, &path, &headers, body.as_bytes())
    }

    /// The broadcast object, if there is one.
    #[track_caller]
    pub(crate) fn broadcast(&self, id: &str) -> Option<Value> {
        let response = self.rest("GET", &format!("/{id}"), "");
        (response.status == 200).then(|| response.json())
    }

    /// Waits until the broadcast has that status.
    #[track_caller]
    pub(crate) fn wait_status(&self, id: &str, status: &str) {
        let mut last = None;
        let begun = Instant::now();
        while begun.elapsed() < seconds(20) {
            last = self
                .broadcast(id)
                .map(|broadcast| broadcast["status"].clone());
            if last.as_ref().and_then(Value::as_str) == Some(status) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "{id} did not become {status}, but is {last:?}; log:\n{}",
            self.log.text()
        );
    }

    /// Waits until the stream is live.
    #[track_caller]
    pub(crate) fn wait_live(&self, id: &str) {
        self.wait_status(id, "broadcasting");
    }

    /// Waits for a line of the log that holds all the words.
    #[track_caller]
    pub(crate) fn wait_log(&self, limit: Duration, words: &[&str]) -> String {
        let has = |line: &str| {
            words
                .iter()
                .all(|word| line.contains(word))
                .then(|| line.to_owned())
        };
        let line = self.log.wait_for(limit, has);
        line.unwrap_or_else(|| panic!("no line with {words:?} in the log:\n{}", self.log.text()))
    }

    /// Processor time so far.
    #[track_caller]
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        // The name before this may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11..13]
            .iter()
            .map(|field| field.parse::<u64>().unwrap())
            .sum();
        // Linux counts hundredths for whoever asks, whatever it runs on.
        ticks as f64 / 100.0
    }

    /// Threads now.
    #[track_caller]
    pub(crate) fn threads(&self) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid));
        tasks.unwrap().count()
    }

    /// Its process.
    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Open files now, sockets among them.
    #[track_caller]
    pub(crate) fn open_files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.pid));
        files.unwrap().count()
    }

    /// Memory in use, in bytes.
    #[track_caller]
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes: u64 = line
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        kibibytes << 10
    }

    /// A folder that lives as long as the server.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Asks it to end, which has to take less than the time that is promised, and checks how it did. The
    /// time it took.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Duration {
        let Some(mut child) = self.child.take() else {
            return Duration::ZERO;
        };
        let begun = Instant::now();
        if child.try_wait().unwrap().is_none() {
            signal(self.pid, "TERM");
        }
        let status = wait(&mut child, END);
        let took = begun.elapsed();
        if status.is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.log.wait_end(seconds(2));
        let log = self.log.text();
        let problem = match status {
            None => Some(format!("the server did not end within {END:?}")),
            Some(status) if status.code() != Some(0) => {
                Some(format!("the server ended with {status}"))
            }
            Some(_) if log.contains("panicked at") => Some("the server panicked".to_owned()),
            Some(_) => None,
        };
        if let Some(problem) = problem {
            // A second panic would abort the run.
            if std::thread::panicking() {
                eprintln!("{problem}");
            } else {
                panic!("{problem}; its log:\n{log}");
            }
        }
        took
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- log of the server\n{}\n----", self.log.text());
        }
        self.stop();
    }
}

/// The port that a line of the log says is listened on for the protocol.
fn listening(line: &str, protocol: &str) -> Option<u16> {
    let (_, fields) = line.split_once("listening ")?;
    let field = |name: &str| {
        let value = fields
            .split_whitespace()
            .find_map(|field| field.strip_prefix(name));
        value.map(|value| value.trim_matches('"'))
    };
    if field("protocol=")? != protocol {
        return None;
    }
    field("address=")?.rsplit(':').next()?.parse().ok()
}

/// Waits until nothing answers on the port.
#[track_caller]
pub(crate) fn wait_closed(port: u16) {
    wait_for("the port is closed", seconds(5), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).err()
    });
}
