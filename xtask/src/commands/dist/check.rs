//! `cargo xtask dist --check`: runs what was built where nothing else is. The binary in an empty root, with a browser that
//! plays from it; the package in a fresh Debian, started as its unit says, and purged again.

use super::{Made, PROGRAM, cannot, copy, make_folder, read, write};
use crate::commands::test;
use crate::shell::{self, Error, Result};
use crate::steps::Steps;
use crate::{chromium, project, tools};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// No wait is longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Lines of its log that may wait to be read.
const LINES: usize = 4096;

/// What the server should start within, and the memory that it should have when nobody uses it.
const COLD_START: Duration = Duration::from_millis(100);
const IDLE_KILOBYTES: u64 = 12 * 1024;

/// Listeners that would otherwise be where another server may be.
pub(super) const FREE_PORTS: [&str; 10] = [
    "HTTP__LISTEN",
    "HTTPS__LISTEN",
    "RTMP__LISTEN",
    "RTMPS__LISTEN",
    "RTSP__LISTEN",
    "RTSP__UDP_LISTEN",
    "RTSPS__LISTEN",
    "SRT__LISTEN",
    "WEBRTC__LISTEN",
    "EVOSTREAM__LISTEN",
];

/// The Debian that the package is installed in.
const SUITE: &str = "bookworm";

/// # Errors
/// When something that was built does not work there.
pub(super) fn check(steps: &mut Steps, made: &Made) -> Result<()> {
    if shell::ask("id", &["-u"]).is_none_or(|id| id.trim() != "0") {
        return Err(Error::new("dist --check changes roots, which needs root"));
    }
    let browser = steps.step("install what the check needs", || {
        tools::ensure(&[tools::DIST_CHECK], true)?;
        test::browser_packages()?;
        let browser = chromium::find_or_download()?;
        // The script wants a path.
        let path = shell::ask("sh", &["-c", "command -v \"$0\"", &browser]);
        let path = path.map(|path| path.trim().to_owned());
        path.ok_or_else(|| Error::new(format!("{browser} is not in the path")))
    })?;
    let root = made.folder.join("empty");
    make_folder(&root)?;
    copy(&made.program, &root.join(PROGRAM))?;
    steps.step("alone: start and memory", || figures(&root))?;
    steps.step("alone: a browser plays", || plays(&root, &browser))?;
    steps.step("a fresh Debian", || debian(made))?;
    Ok(())
}

/// A server in another root. Dropped, it is killed.
struct Server {
    child: Child,
    lines: Receiver<String>,
    /// What it has said so far.
    said: String,
}

impl Server {
    /// Starts a command within that root, with all listeners on free ports.
    fn start(root: &Path, command: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        let mut chroot = Command::new("chroot");
        chroot
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        for name in FREE_PORTS {
            chroot.env(format!("MILLSTREAM_{name}"), "127.0.0.1:0");
        }
        chroot.env("MILLSTREAM_EVOSTREAM__CLI_LISTEN", "");
        chroot.envs(environment.iter().copied());
        let (user, command) = match command {
            ["--userspec", user, command @ ..] => (Some(*user), command),
            command => (None, command),
        };
        if let Some(user) = user {
            chroot.arg(format!("--userspec={user}"));
        }
        chroot.arg(root).args(command);
        chroot.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = chroot
            .spawn()
            .map_err(|error| Error::new(format!("cannot start chroot: {error}")))?;
        let (to, lines) = mpsc::sync_channel(LINES);
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    if to.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Self {
            child,
            lines,
            said: String::new(),
        })
    }

    /// The port of its listener of that name, as it tells it.
    fn port(&mut self, protocol: &str) -> Result<u16> {
        let begin = format!("protocol={protocol} address=");
        let until = Instant::now() + LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                let words = format!("it does not listen for {protocol}:\n{}", self.said);
                return Err(Error::new(words));
            };
            self.said += &format!("{line}\n");
            let port = line.split_once(&begin).and_then(|(_, address)| {
                let address = address.split_whitespace().next()?;
                address.rsplit_once(':')?.1.parse().ok()
            });
            if let Some(port) = port {
                return Ok(port);
            }
        }
    }

    /// Its number in `/proc`: chroot has become what it was to start.
    fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, name: &str) -> Result<()> {
        let id = self.id().to_string();
        let sent = shell::ask("sh", &["-c", &format!("kill -s {name} {id}")]);
        sent.map(drop)
            .ok_or_else(|| Error::new(format!("cannot send {name} to {id}")))
    }

    /// Asks it to end, which it has to do well and soon.
    fn end(mut self) -> Result<()> {
        self.signal("TERM")?;
        let begun = Instant::now();
        loop {
            let status = self
                .child
                .try_wait()
                .map_err(|error| Error::new(error.to_string()))?;
            if let Some(status) = status {
                self.said
                    .extend(self.lines.try_iter().map(|line| line + "\n"));
                if status.success() && !self.said.contains("panicked at") {
                    return Ok(());
                }
                return Err(Error::new(format!(
                    "it ended with {status}:\n{}",
                    self.said
                )));
            }
            if begun.elapsed() > Duration::from_secs(5) {
                return Err(Error::new("it does not end within 5 s"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of what it answers with status 200.
fn get(port: u16, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_read_timeout(Some(LIMIT)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let answer = answer.strip_prefix("HTTP/1.1 200 ")?;
    answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
}

fn ready(port: u16) -> Result<()> {
    let answer = get(port, "/readyz");
    answer
        .map(drop)
        .ok_or_else(|| Error::new("it does not say that it is ready"))
}

/// How long a start takes, and the memory of a server that nobody uses.
fn figures(root: &Path) -> Result<()> {
    let mut starts = Vec::new();
    for run in 0..5 {
        let begun = Instant::now();
        let data = format!("/data{run}");
        let mut server = Server::start(root, &["/millstream", "--data-dir", &data], &[])?;
        let port = server.port("http")?;
        ready(port)?;
        starts.push(begun.elapsed());
        if run == 0 {
            std::thread::sleep(Duration::from_secs(10));
            let kilobytes = resident(server.id())?;
            println!(
                "    memory when nobody uses it: {:.1} MiB; {} MiB are what it should have at most{}",
                kilobytes as f64 / 1024.0,
                IDLE_KILOBYTES / 1024,
                if kilobytes > IDLE_KILOBYTES {
                    ": MORE"
                } else {
                    ""
                }
            );
        }
        server.end()?;
    }
    starts.sort();
    let middle = starts.get(starts.len() / 2).copied().unwrap_or_default();
    println!(
        "    from its start until it is ready, with a new data folder: {} ms, the middle of {} starts ({} to {} ms); \
         {} ms is what it should take at most{}",
        middle.as_millis(),
        starts.len(),
        starts.first().map_or(0, Duration::as_millis),
        starts.last().map_or(0, Duration::as_millis),
        COLD_START.as_millis(),
        if middle > COLD_START { ": MORE" } else { "" }
    );
    Ok(())
}

/// Resident memory in KiB.
fn resident(id: u32) -> Result<u64> {
    let status = read(Path::new(&format!("/proc/{id}/status")))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    size.ok_or_else(|| Error::new("the system does not tell its memory"))
}

/// A browser watches its own stream, and its commands find a host by its name.
fn plays(root: &Path, browser: &str) -> Result<()> {
    let command = ["/millstream", "--demo", "--data-dir", "/data"];
    let mut server = Server::start(root, &command, &[])?;
    let port = server.port("http")?;
    let health = ["health", "--set"];
    run_in(root, &health, &format!("http.listen=127.0.0.1:{port}"))?;
    for order in ["webrtc", "hls"] {
        let mut play = Command::new("node");
        play.args([
            "play.mjs",
            "--seconds",
            "6",
            "--wait-playing",
            "60",
            "--url",
        ])
        .arg(format!(
            "http://127.0.0.1:{port}/LiveApp/play.html?id=demo&playOrder={order}"
        ))
        .current_dir(project::root().join("tests/browser"))
        .env(chromium::VARIABLE, browser);
        shell::run(&mut play)?;
    }
    // Names are looked up by the C library, which must not need a file of the system's for that.
    make_folder(&root.join("etc"))?;
    write(&root.join("etc/hosts"), "127.0.0.1 mill.test\n")?;
    let url = format!("http://mill.test:{port}/LiveApp/streams/demo.m3u8");
    run_in(root, &["probe", "--timeout", "40s"], &url)?;
    server.end()
}

/// One of the program's commands, in that root.
fn run_in(root: &Path, command: &[&str], last: &str) -> Result<()> {
    let mut chroot = Command::new("chroot");
    chroot.arg(root).arg("/millstream").args(command).arg(last);
    shell::run(&mut chroot)
}

/// The package in a Debian that has never seen it.
fn debian(made: &Made) -> Result<()> {
    let base = project::target()?.join("dist-debian");
    if !base.join("usr/bin/dpkg").exists() {
        let mut debootstrap = Command::new("debootstrap");
        debootstrap.args(["--variant=minbase", SUITE]).arg(&base);
        shell::run_with_retries(2, &mut debootstrap)?;
    }
    let name = made.package.file_name().unwrap_or_default();
    copy(&made.package, &base.join("tmp").join(name))?;
    let inside = |command: &[&str]| {
        let mut chroot = Command::new("chroot");
        shell::run(chroot.arg(&base).args(command))
    };
    let before = files(&base)?;
    let package = format!("/tmp/{}", name.to_string_lossy());
    inside(&["dpkg", "--install", &package])?;
    let done = supervised(&base).and_then(|()| {
        // An upgrade to itself keeps what is there.
        let kept = base.join("etc/millstream/millstream.toml");
        let text = read(&kept)? + "# mine\n";
        write(&kept, &text)?;
        inside(&["dpkg", "--install", &package])?;
        inside(&["dpkg", "--remove", "millstream"])?;
        match read(&kept)? == text {
            true => Ok(()),
            false => Err(Error::new("the settings are not as they were")),
        }
    });
    inside(&["dpkg", "--purge", "millstream"])?;
    done?;
    let after = files(&base)?;
    let left: Vec<_> = after.difference(&before).collect();
    let gone: Vec<_> = before.difference(&after).collect();
    if left.is_empty() && gone.is_empty() {
        println!("    installed, run as its unit says, upgraded, removed, purged: nothing is left");
        return Ok(());
    }
    Err(Error::new(format!("left behind: {left:?}; gone: {gone:?}")))
}

/// All files of that root, but for the records of dpkg and the copies that it and adduser keep of theirs.
fn files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut all = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(cannot("read", &folder))? {
            let entry = entry.map_err(cannot("read", &folder))?;
            let (path, kind) = (entry.path(), entry.file_type());
            let within = path.strip_prefix(root).unwrap_or(&path).to_owned();
            let is_record = ["var/lib/dpkg", "var/log", "run", "proc", "sys", "dev"]
                .iter()
                .any(|known| within.starts_with(known));
            if is_record || within.to_string_lossy().ends_with('-') {
                continue;
            }
            if kind.is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            }
            all.insert(within);
        }
    }
    Ok(all)
}

/// Does what systemd does with the unit: its user, its folders, its command, and the socket on which it is told.
fn supervised(root: &Path) -> Result<()> {
    let unit = read(&root.join("usr/lib/systemd/system/millstream.service"))?;
    let value = |key: &str| {
        let mut lines = unit.lines();
        let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.ok_or_else(|| Error::new(format!("the unit has no {key}")))
    };
    let (user, state) = (value("User")?, value("StateDirectory")?);
    let mode = value("StateDirectoryMode")?;
    let start: Vec<&str> = value("ExecStart")?.split_whitespace().collect();
    let prepare = format!("install -d -o {user} -g {user} -m {mode} /var/lib/{state}");
    let mut chroot = Command::new("chroot");
    shell::run(chroot.arg(root).args(["sh", "-c", &prepare]))?;
    let place = root.join("run/notify");
    let _ = fs::remove_file(&place);
    let socket = UnixDatagram::bind(&place).map_err(cannot("listen on", &place))?;
    socket
        .set_read_timeout(Some(LIMIT))
        .map_err(cannot("listen on", &place))?;
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(&place, open).map_err(cannot("change", &place))?;
    let done = told(root, &socket, user, &start);
    let _ = fs::remove_file(&place);
    done
}

fn told(root: &Path, socket: &UnixDatagram, user: &str, start: &[&str]) -> Result<()> {
    let group = format!("{user}:{user}");
    let mut command = vec!["--userspec", &group];
    command.extend(start);
    let environment = [
        ("NOTIFY_SOCKET", "/run/notify"),
        ("WATCHDOG_USEC", "2000000"),
    ];
    let mut server = Server::start(root, &command, &environment)?;
    let wait = |words: &str| {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            let mut buffer = [0; 512];
            let length = socket.recv(&mut buffer);
            let length = length.map_err(|_| Error::new(format!("systemd is not told {words}")))?;
            let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
            if text.lines().any(|line| line.starts_with(words)) {
                return Ok(());
            }
        }
        Err(Error::new(format!("systemd is not told {words}")))
    };
    wait("READY=1")?;
    wait("WATCHDOG=1")?;
    let port = server.port("http")?;
    ready(port)?;
    let owner = read(Path::new(&format!("/proc/{}/status", server.id())))?;
    if owner.contains("Uid:\t0\t") {
        return Err(Error::new("it runs as root"));
    }
    server.signal("HUP")?;
    wait("RELOADING=1")?;
    wait("READY=1")?;
    server.end()
}
