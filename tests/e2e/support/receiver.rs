//! A server that takes webhooks and remembers them.

use super::{seconds, wait_for};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(crate) path: String,
    head: String,
    pub(crate) body: String,
}

impl Hook {
    /// A header's value; empty without one.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// What happened, in the words of any API.
    pub(crate) fn event(&self) -> String {
        let body = self.json();
        let word = body["action"].as_str().or_else(|| body["type"].as_str());
        word.unwrap_or_default().to_owned()
    }
}

/// Answers every request with the same status, until it is told another.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    hooks: Arc<Mutex<Vec<Hook>>>,
    status: Arc<AtomicU16>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let hooks: Arc<Mutex<Vec<Hook>>> = Arc::default();
        let status = Arc::new(AtomicU16::new(200));
        let (all, answer) = (hooks.clone(), status.clone());
        // It ends with the process.
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (all, answer) = (all.clone(), answer.clone());
                std::thread::spawn(move || take(socket, &all, &answer));
            }
        });
        Self {
            port,
            hooks,
            status,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// All that came, in order.
    pub(crate) fn hooks(&self) -> Vec<Hook> {
        self.hooks.lock().unwrap().clone()
    }

    /// The first about that event at that path, once it is there.
    #[track_caller]
    pub(crate) fn wait(&self, path: &str, event: &str) -> Hook {
        wait_for(&format!("{event} at {path}"), seconds(40), || {
            let mut hooks = self.hooks().into_iter();
            hooks.find(|hook| hook.path == format!("/{path}") && hook.event() == event)
        })
    }
}

fn take(mut socket: TcpStream, all: &Mutex<Vec<Hook>>, status: &AtomicU16) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4_096];
    while let Ok(count @ 1..) = socket.read(&mut piece) {
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let path = head.split(' ').nth(1).unwrap_or_default();
        let hook = Hook {
            path: path.to_owned(),
            head: head.to_owned(),
            body: body.to_owned(),
        };
        if hook.header("content-length").parse() != Ok(body.len()) {
            continue;
        }
        all.lock().unwrap().push(hook);
        let status = status.load(Ordering::Relaxed);
        let answer =
            format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        // Whoever does not wait for it has what it wants.
        let _ = socket.write_all(answer.as_bytes());
        return;
    }
}
