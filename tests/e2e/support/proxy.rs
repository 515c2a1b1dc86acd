//! Reverse proxies in front of a server, with TLS, set up as docs/guide/proxies.md says.

use super::certificate::Certificate;
use super::free_port;
use super::peer::Peer;
use super::tools::tool;
use super::{seconds, wait_for};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const GUIDE: &str = "docs/guide/proxies.md";

/// What the guide's files name, and the tests have elsewhere.
const SERVER: &str = "127.0.0.1:5080";
const NAME: &str = "stream.example.com";

/// The file of the guide in that language, for that place.
#[track_caller]
fn block(language: &str, place: Place) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDE);
    let guide = std::fs::read_to_string(guide).unwrap();
    let begin = format!("```{language}\n");
    let rest = guide.split(&*begin).nth(place as usize + 1).unwrap();
    rest.split("```").next().unwrap().to_owned()
}

/// Whether streams are at the root of the proxy or below a folder.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Root,
    Folder,
}

/// A proxy that runs.
pub(crate) struct Proxy {
    _peer: Peer,
    folder: TempDir,
    /// Without a slash at its end.
    base: String,
}

impl Proxy {
    /// nginx, in front of the server at that port.
    #[track_caller]
    pub(crate) fn nginx(place: Place, server: u16) -> Self {
        let text = block("nginx", place);
        Self::start(place, |folder, certificate, port| {
            let key = certificate.key.display().to_string();
            let site = text
                .replace("listen [::]:443 ssl http2;", "")
                .replace("listen 443", &format!("listen 127.0.0.1:{port}"))
                .replace(
                    &format!("/etc/ssl/{NAME}.pem"),
                    &certificate.certificate.display().to_string(),
                )
                .replace(&format!("/etc/ssl/{NAME}.key"), &key)
                .replace(NAME, "localhost")
                .replace(SERVER, &format!("127.0.0.1:{server}"));
            let here = folder.display();
            let all = format!(
                "daemon off; master_process off; worker_processes 1; error_log stderr warn; pid {here}/nginx.pid;\n\
                 events {{ worker_connections 128; }}\n\
                 http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy;\n\
                 fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n{site}\n}}\n"
            );
            std::fs::write(folder.join("nginx.conf"), all).unwrap();
            let mut nginx = tool("nginx");
            nginx.arg("-p").arg(folder);
            nginx.args(["-e", "stderr", "-c", "nginx.conf"]);
            nginx
        })
    }

    /// Caddy, likewise.
    #[track_caller]
    pub(crate) fn caddy(place: Place, server: u16) -> Self {
        let text = block("caddyfile", place);
        Self::start(place, |folder, certificate, port| {
            let (shown, key) = (certificate.certificate.display(), certificate.key.display());
            let site =
                format!("https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {shown} {key}");
            let site = text
                .replace(&format!("{NAME} {{"), &site)
                .replace(SERVER, &format!("127.0.0.1:{server}"));
            let all = format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}");
            std::fs::write(folder.join("Caddyfile"), all).unwrap();
            let mut caddy = tool("caddy");
            caddy
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(folder.join("Caddyfile"))
                .env("HOME", folder)
                .env("XDG_DATA_HOME", folder)
                .env("XDG_CONFIG_HOME", folder);
            caddy
        })
    }

    #[track_caller]
    fn start(place: Place, command: impl FnOnce(&Path, &Certificate, u16) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let certificate = Certificate::at(folder.path(), "localhost", "DNS:localhost");
        let mut command = command(folder.path(), &certificate, port);
        let mut peer = Peer::start(&mut command);
        wait_for("the proxy listens", seconds(30), || {
            assert!(peer.is_running(), "{}", peer.stderr.text());
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        let at = match place {
            Place::Root => "",
            Place::Folder => "/video",
        };
        Self {
            _peer: peer,
            folder,
            base: format!("https://localhost:{port}{at}"),
        }
    }

    /// `https://…` and the path, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// curl, which keeps cookies, from another address of this machine than the proxy's.
    pub(crate) fn curl(&self, arguments: &[&str]) -> Command {
        let cookies = self.folder.path().join("cookies");
        let mut curl = tool("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--insecure",
            "--interface",
            "127.0.0.2",
        ])
        .args(["--ipv4", "--max-time", "60", "--cookie"])
        .arg(&cookies)
        .arg("--cookie-jar")
        .arg(&cookies)
        .args(arguments);
        curl
    }

    /// What curl prints.
    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let output = self.curl(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
