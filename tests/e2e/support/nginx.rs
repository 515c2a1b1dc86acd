//! nginx, as the server of another house: with its RTMP module, or with files over HTTP.

use super::peer::Peer;
use super::tools::tool;
use super::{seconds, wait_for};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
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
        Self::with(|port| {
            format!(
                "rtmp {{ server {{ listen 127.0.0.1:{port};\n\
                 application app {{ live on; }}\n\
                 application closed {{ live on; deny publish all; }} }} }}\n"
            )
        })
    }

    /// On a free port, with the files of a folder: as they are, playlists compressed; below `moved` behind a redirect;
    /// below `guarded` for whoever comes from `https://example.com`.
    #[track_caller]
    pub(crate) fn serving(files: &Path) -> Self {
        let files = files.display();
        Self::with(|port| {
            format!(
                "http {{ access_log off; gzip on; gzip_min_length 1; gzip_types application/vnd.apple.mpegurl;\n\
                 types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}\n\
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
                 server {{ listen 127.0.0.1:{port}; root {files};\n\
                 location /moved/ {{ rewrite ^/moved/(.*)$ /$1 redirect; }}\n\
                 location /guarded/ {{ if ($http_referer != \"https://example.com\") {{ return 403; }}\n\
                 alias {files}/; }} }} }}\n"
            )
        })
    }

    #[track_caller]
    fn with(server: impl FnOnce(u16) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let here = folder.path().display();
        let server = server(port);
        let configuration = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n\
             daemon off; master_process off; worker_processes 1;\n\
             error_log stderr warn; pid {here}/nginx.pid;\n\
             events {{ worker_connections 64; }}\n\
             {server}"
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

    /// `http://…/PATH`.
    pub(crate) fn file(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }
}

/// A port that nothing listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
