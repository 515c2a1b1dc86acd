//! nginx with its RTMP module, as the server of another house.

use super::peer::Peer;
use super::tools::tool;
use super::{seconds, wait_for};
use std::net::{TcpListener, TcpStream};
use tempfile::TempDir;

/// A running nginx. It is one process, so that signals reach what serves.
pub(crate) struct Nginx {
    peer: Option<Peer>,
    folder: TempDir,
    pub(crate) port: u16,
}

impl Nginx {
    /// On a free port, with the applications `app` and `closed`, which lets nobody publish.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let here = folder.path().display();
        let configuration = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n\
             daemon off; master_process off; worker_processes 1;\n\
             error_log stderr warn; pid {here}/nginx.pid;\n\
             events {{ worker_connections 64; }}\n\
             rtmp {{ server {{ listen 127.0.0.1:{port};\n\
             application app {{ live on; }}\n\
             application closed {{ live on; deny publish all; }} }} }}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let mut nginx = Self {
            peer: None,
            folder,
            port,
        };
        nginx.restart();
        nginx
    }

    /// Starts it again, on the port it had.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        let mut command = tool("nginx");
        command.arg("-p").arg(self.folder.path());
        command.args(["-e", "stderr", "-c", "nginx.conf"]);
        self.peer = Some(Peer::start(&mut command));
        wait_for("nginx listens", seconds(5), || {
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(peer) = self.peer.take() {
            peer.kill();
        }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        self.peer.as_ref().unwrap().signal(name);
    }

    /// `rtmp://…/app/KEY`.
    pub(crate) fn url(&self, key: &str) -> String {
        format!("rtmp://127.0.0.1:{}/app/{key}", self.port)
    }
}

/// A port that nothing listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
