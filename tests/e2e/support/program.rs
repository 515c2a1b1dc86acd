//! The program itself, started with whatever arguments.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The program, without settings from the environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    clean_environment(&mut command);
    // Not the usual ports, which are one for all tests.
    command.env("MILLSTREAM_HTTPS__LISTEN", "127.0.0.1:0");
    command.env("MILLSTREAM_RTMPS__LISTEN", "127.0.0.1:0");
    command.env("MILLSTREAM_RTSPS__LISTEN", "127.0.0.1:0");
    command.env("MILLSTREAM_SRT__LISTEN", "127.0.0.1:0");
    command.env("MILLSTREAM_WEBRTC__LISTEN", "127.0.0.1:0");
    command.env("MILLSTREAM_EVOSTREAM__LISTEN", "127.0.0.1:0");
    command.env("MILLSTREAM_EVOSTREAM__CLI_LISTEN", "127.0.0.1:0");
    command
}

/// Runs the program to its end. What it says is read meanwhile: it may be more than a pipe holds.
#[track_caller]
pub(crate) fn run_to_end(command: &mut Command, limit: Duration) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = read_all(child.stdout.take().unwrap());
    let stderr = read_all(child.stderr.take().unwrap());
    let ended = wait(&mut child, limit);
    if ended.is_none() {
        child.kill().unwrap();
    }
    let output = Output {
        status: child.wait().unwrap(),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    };
    assert!(
        ended.is_some(),
        "did not end within {limit:?}: {command:?}: {output:?}"
    );
    output
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        from.read_to_end(&mut all).unwrap();
        all
    })
}

/// Takes settings out of the environment of a command.
pub(crate) fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MILLSTREAM_") {
            command.env_remove(name);
        }
    }
}

/// Waits for the end of a process.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}
