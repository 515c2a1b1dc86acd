//! nginx: the peer for RTMP, with its RTMP module, and for HLS, as a server of files.
//!
//! One worker and otherwise the settings that distributions ship.

use super::{APP, free_address};
use crate::error::{Context as _, Error, Result};
use crate::process::Program;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where Debian and others put the program.
const USUAL: [&str; 3] = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];
/// Where Debian puts the module. Elsewhere it may be built in.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    program: Program,
    /// Where it takes and gives RTMP.
    pub rtmp: SocketAddr,
    /// Where it serves the files of [`folder`](Self::folder).
    pub http: SocketAddr,
    home: TempDir,
}

impl Nginx {
    /// Starts the server at `path`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(path: &Path) -> Result<Self> {
        let home = TempDir::new().context("cannot make a temporary folder")?;
        let (rtmp, http) = (free_address()?, free_address()?);
        let module = Path::new(MODULE).exists();
        let config = home.path().join("nginx.conf");
        std::fs::create_dir(home.path().join("files"))
            .and_then(|()| std::fs::write(&config, configuration(rtmp, http, module)))
            .context("cannot write the configuration of nginx")?;
        let args = [
            "-p".as_ref(),
            home.path().as_os_str(),
            "-c".as_ref(),
            config.as_os_str(),
            "-e".as_ref(),
            "stderr".as_ref(),
        ];
        let mut program = Program::start(path, home.path(), args)?;
        program.wait_for(|_| {
            TcpStream::connect(rtmp)
                .and_then(|_| TcpStream::connect(http))
                .ok()
        })?;
        Ok(Self {
            program,
            rtmp,
            http,
            home,
        })
    }

    /// Process id of the master; the worker is its child.
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// What it serves over HTTP.
    pub fn folder(&self) -> PathBuf {
        self.home.path().join("files")
    }
}

/// The program to use: the one named, or that of the system.
///
/// # Errors
/// When there is none.
pub fn find(named: Option<&Path>) -> Result<PathBuf> {
    let usual = USUAL.iter().map(Path::new);
    named
        .into_iter()
        .chain(usual.filter(|_| named.is_none()))
        .find_map(|path| path.canonicalize().ok())
        .ok_or_else(|| {
            Error::new("nginx is not installed (Debian: nginx-light and libnginx-mod-rtmp; or name it with --nginx)")
        })
}

fn configuration(rtmp: SocketAddr, http: SocketAddr, module: bool) -> String {
    let load = if module {
        format!("load_module {MODULE};")
    } else {
        String::new()
    };
    // A superuser's worker would become a user who may not enter the temporary folder.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    format!(
        "{load}
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
rtmp {{
    access_log off;
    server {{
        listen {rtmp};
        chunk_size 4096;
        application {APP} {{ live on; }}
    }}
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    types {{ application/vnd.apple.mpegurl m3u8; video/mp4 mp4 m4s; }}
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen {http};
        root files;
    }}
}}
"
    )
}
