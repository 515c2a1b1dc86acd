//! Millstream with its defaults, but for the addresses.

use super::{APP, STREAM};
use crate::error::{Context as _, Error, Result};
use crate::process::{Program, this_program};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A running Millstream.
#[derive(Debug)]
pub struct Millstream {
    program: Program,
    /// Where it takes and gives RTMP.
    pub rtmp: SocketAddr,
    /// Where it gives RTSP.
    pub rtsp: SocketAddr,
    /// Where it takes and gives SRT.
    pub srt: SocketAddr,
    /// Where it gives HLS and HTTP-FLV, and takes offers of WHEP.
    pub http: SocketAddr,
    _home: TempDir,
}

impl Millstream {
    /// Starts the server at `path`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(path: &Path) -> Result<Self> {
        Self::with(path, &[])
    }

    /// The same with more settings, each `KEY=VALUE`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn with(path: &Path, settings: &[&str]) -> Result<Self> {
        let home = TempDir::new().context("cannot make a temporary folder")?;
        let mut program = Program::start(
            path,
            home.path(),
            [
                "--data-dir",
                "data",
                "--set",
                "rtmp.listen=127.0.0.1:0",
                "--set",
                "rtsp.listen=127.0.0.1:0",
                "--set",
                "rtsp.udp_listen=127.0.0.1:0",
                "--set",
                "https.listen=",
                "--set",
                "rtmps.listen=",
                "--set",
                "rtsps.listen=",
                "--set",
                "http.listen=127.0.0.1:0",
                "--set",
                "webrtc.listen=127.0.0.1:0",
                "--set",
                "srt.listen=127.0.0.1:0",
                "--set",
                "evostream.listen=",
                "--set",
                "evostream.cli_listen=",
            ]
            .into_iter()
            .chain(settings.iter().flat_map(|setting| ["--set", setting])),
        )?;
        let (rtmp, rtsp, srt, http) = program.wait_for(|log| {
            let at = |protocol| listening(log, protocol);
            Some((at("rtmp")?, at("rtsp")?, at("srt")?, at("http")?))
        })?;
        Ok(Self {
            program,
            rtmp,
            rtsp,
            srt,
            http,
            _home: home,
        })
    }

    /// Lets it pull the stream from there.
    ///
    /// # Errors
    /// When it does not take the source.
    pub fn pull(&self, url: &str) -> Result<()> {
        let body =
            format!(r#"{{"type":"streamSource","streamId":"{STREAM}","streamUrl":"{url}"}}"#);
        let request = format!(
            "POST /{APP}/rest/v2/broadcasts/create?autoStart=true HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let asked = TcpStream::connect(self.http).and_then(|mut socket| {
            socket.write_all(request.as_bytes())?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer)?;
            Ok(answer)
        });
        let answer = asked.context("cannot ask the server")?;
        if answer.starts_with("HTTP/1.1 200 ") {
            return Ok(());
        }
        Err(Error::new(format!(
            "the server does not pull {url}: {answer}"
        )))
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.program.id()
    }
}

/// The server to test: the one named, or that beside this program.
///
/// # Errors
/// When there is none.
pub fn find(named: Option<&Path>) -> Result<PathBuf> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => this_program()?.with_file_name("millstream"),
    };
    // Programs are started in another folder.
    path.canonicalize().map_err(|_| {
        Error::new(format!(
            "there is no server at {}: build it with `cargo build --release`, or name one with --server",
            path.display()
        ))
    })
}

/// The address in the line that says that `protocol` is listening.
fn listening(log: &str, protocol: &str) -> Option<SocketAddr> {
    let quoted = format!("protocol=\"{protocol}\" ");
    let plain = format!("protocol={protocol} ");
    log.lines()
        .filter(|line| line.contains("listening"))
        .filter(|line| line.contains(&quoted) || line.contains(&plain))
        .find_map(|line| {
            line.split_once("address=")?
                .1
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_the_log() {
        let log = "2026-01-01T00:00:00Z  INFO listening protocol=\"rtmp\" address=127.0.0.1:44857\n\
                   2026-01-01T00:00:00Z  INFO listening protocol=http address=127.0.0.1:45083\n\
                   2026-01-01T00:00:00Z  INFO open http://127.0.0.1:45083/\n";
        assert_eq!(listening(log, "rtmp"), "127.0.0.1:44857".parse().ok());
        assert_eq!(listening(log, "http"), "127.0.0.1:45083".parse().ok());
        assert_eq!(listening(log, "rtsp"), None);
    }
}
