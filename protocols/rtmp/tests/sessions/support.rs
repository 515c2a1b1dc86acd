//! What the sessions' tests share.

use rtmp::{Output, client, server};
use std::time::Instant;

pub(crate) fn connect() -> client::Connect {
    client::Connect {
        app: "LiveApp".to_owned(),
        tc_url: "rtmp://localhost/LiveApp".to_owned(),
        flash_ver: "FMLE/3.0 (compatible; test)".to_owned(),
        page_url: Some("http://localhost/page".to_owned()),
        swf_url: None,
    }
}

/// Everything a server wants sent, and its events.
pub(crate) fn drain_server(session: &mut server::Session) -> (Vec<u8>, Vec<server::Event>) {
    drain(|| session.poll_output())
}

/// Everything a client wants sent, and its events.
pub(crate) fn drain_client(session: &mut client::Session) -> (Vec<u8>, Vec<client::Event>) {
    drain(|| session.poll_output())
}

fn drain<E>(mut poll: impl FnMut() -> Output<E>) -> (Vec<u8>, Vec<E>) {
    let (mut bytes, mut events) = (Vec::new(), Vec::new());
    loop {
        match poll() {
            Output::Transmit(part) => bytes.extend_from_slice(&part),
            Output::Event(event) => events.push(event),
            Output::Timeout(_) => return (bytes, events),
        }
    }
}

/// Our client and our server, joined by a wire that cuts what passes at changing places.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) client: client::Session,
    pub(crate) server: server::Session,
    pub(crate) client_events: Vec<client::Event>,
    pub(crate) server_events: Vec<server::Event>,
    random: u32,
}

impl Pair {
    pub(crate) fn new(seed: u32) -> Self {
        let now = Instant::now();
        Self {
            now,
            client: client::Session::new(now, client::Config::default(), connect()),
            server: server::Session::new(now, server::Config::default()),
            client_events: Vec::new(),
            server_events: Vec::new(),
            random: seed | 1,
        }
    }

    /// Lets bytes pass both ways until none are left.
    pub(crate) fn run(&mut self) {
        loop {
            let (up, events) = drain_client(&mut self.client);
            self.client_events.extend(events);
            self.send_up(&up);
            let (down, events) = drain_server(&mut self.server);
            self.server_events.extend(events);
            self.send_down(&down);
            if up.is_empty() && down.is_empty() {
                return;
            }
        }
    }

    pub(crate) fn send_up(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(self.cut(bytes.len()));
            self.server.handle_input(self.now, part).unwrap();
            bytes = rest;
        }
    }

    pub(crate) fn send_down(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(self.cut(bytes.len()));
            self.client.handle_input(self.now, part).unwrap();
            bytes = rest;
        }
    }

    fn cut(&mut self, length: usize) -> usize {
        // Xorshift: sometimes a byte, sometimes a few thousand.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let bound = 1 << (self.random % 13);
        (self.random as usize / 16 % bound + 1).min(length)
    }
}
