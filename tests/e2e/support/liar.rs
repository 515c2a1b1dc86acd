//! A server over HTTP that answers as a test says, truly or not, keeps connections alive, and remembers what it was asked.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it answers.
pub(crate) enum Answer {
    /// A body, called what it is not.
    Body(Vec<u8>),
    /// A status with headers and no body.
    Status(u16, String),
    /// Half of the body that its head tells of.
    Cut(Vec<u8>),
    /// A body without end.
    Endless,
}

/// What it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// With its query.
    pub(crate) path: String,
    /// Number of the connection.
    pub(crate) connection: usize,
    /// How often the same had been asked before.
    pub(crate) times: usize,
}

/// The server, for as long as the test runs.
pub(crate) struct Liar {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Liar {
    /// On a free port.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (answer, noted) = (Arc::new(answer), asked.clone());
        std::thread::spawn(move || {
            for (connection, socket) in listener.incoming().enumerate() {
                let (answer, noted) = (answer.clone(), noted.clone());
                std::thread::spawn(move || {
                    // Who leaves in the middle is none of its business.
                    let _ = serve(socket?, connection, &*answer, &noted);
                    std::io::Result::Ok(())
                });
            }
        });
        Self { port, asked }
    }

    /// `http://…/PATH`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// What was asked for below a folder.
    pub(crate) fn asked(&self, folder: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        let below = asked.iter().filter(|asked| {
            let rest = asked.path.strip_prefix('/');
            rest.is_some_and(|path| path.starts_with(folder))
        });
        below.cloned().collect()
    }

    /// On how many connections that was.
    pub(crate) fn connections(&self, folder: &str) -> usize {
        let asked = self.asked(folder);
        let connections: HashSet<_> = asked.iter().map(|asked| asked.connection).collect();
        connections.len()
    }
}

fn serve(
    mut socket: TcpStream,
    connection: usize,
    answer: &dyn Fn(&Asked) -> Answer,
    noted: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut lines = BufReader::new(socket.try_clone()?);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while lines.read_line(&mut line)? > 2 {}
        let asked = {
            let mut noted = noted.lock().unwrap();
            let times = noted.iter().filter(|asked| asked.path == path).count();
            let asked = Asked {
                path,
                connection,
                times,
            };
            noted.push(asked.clone());
            asked
        };
        let head = |status: u16, length: usize, more: &str| {
            format!(
                "HTTP/1.1 {status} So\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n{more}\r\n"
            )
        };
        match answer(&asked) {
            Answer::Body(body) => {
                socket.write_all(head(200, body.len(), "").as_bytes())?;
                socket.write_all(&body)?;
            }
            Answer::Status(status, headers) => {
                socket.write_all(head(status, 0, &headers).as_bytes())?;
            }
            Answer::Cut(body) => {
                socket.write_all(head(200, body.len(), "").as_bytes())?;
                return socket.write_all(&body[..body.len() / 2]);
            }
            Answer::Endless => {
                socket.write_all(b"HTTP/1.1 200 So\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                let chunk = [b"10000\r\n", &[b'G'; 0x1_0000][..], b"\r\n"].concat();
                loop {
                    socket.write_all(&chunk)?;
                }
            }
        }
    }
}
