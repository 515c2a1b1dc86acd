//! nginx, as the server of another house: with its RTMP module, or with files over HTTP.

use super::certificate::Certificate;
use super::peer::Peer;
use super::tools::tool;
use super::{free_port, seconds, wait_for};
use std::net::TcpStream;
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

/// nginx that takes TLS off connections and passes them on to where the name in them says; others it drops.
pub(crate) struct TlsProxy {
    _peer: Peer,
    _folder: TempDir,
    certificate: Certificate,
    pub(crate) port: u16,
}

impl TlsProxy {
    /// For connections to `localhost`, with a certificate of its own making, on to that port.
    #[track_caller]
    pub(crate) fn start(to: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let certificate = Certificate::at(folder.path(), "localhost", "DNS:localhost");
        let (shown, key) = (certificate.certificate.display(), certificate.key.display());
        let here = folder.path().display();
        let configuration = format!(
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
             daemon off; master_process off; worker_processes 1;\n\
             error_log stderr warn; pid {here}/nginx.pid;\n\
             events {{ worker_connections 64; }}\n\
             stream {{ map $ssl_server_name $to {{ localhost 127.0.0.1:{to}; default 127.0.0.1:1; }}\n\
             server {{ listen 127.0.0.1:{port} ssl; proxy_pass $to;\n\
             ssl_certificate {shown}; ssl_certificate_key {key}; }} }}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let mut command = tool("nginx");
        command.arg("-p").arg(folder.path());
        command.args(["-e", "stderr", "-c", "nginx.conf"]);
        let peer = Peer::start(&mut command);
        wait_for("nginx listens", seconds(10), || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            _peer: peer,
            _folder: folder,
            certificate,
            port,
        }
    }

    /// `rtmps://localhost:…/LiveApp/ID`.
    pub(crate) fn url(&self, id: &str) -> String {
        format!("rtmps://localhost:{}/LiveApp/{id}", self.port)
    }

    /// The setting by which a server trusts it.
    pub(crate) fn trusted(&self) -> String {
        format!("tls.roots={}", self.certificate.certificate.display())
    }
}
