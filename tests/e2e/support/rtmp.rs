//! An RTMP client over a socket, for what no real peer can be made to do.

use super::clips::Clip;
use bytes::Bytes;
use flv::file::{Reader, Tag, TagKind};
use rtmp::chunk::MessageType;
use rtmp::client::{Config, Connect, Event, Session};
use rtmp::{Output, PublishKind, server};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A connection with its session.
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    pub(crate) session: Session,
}

impl Client {
    /// Connects; nothing has been sent yet.
    #[track_caller]
    pub(crate) fn connect(port: u16, app: &str) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_nodelay(true).unwrap();
        let connect = Connect {
            app: app.to_owned(),
            tc_url: format!("rtmp://127.0.0.1:{port}/{app}"),
            flash_ver: "FMLE/3.0 (test)".to_owned(),
            page_url: None,
            swf_url: None,
        };
        Self {
            socket,
            session: Session::new(Instant::now(), Config::default(), connect),
        }
    }

    /// Asks to play; what the server says to it. The connection stays open.
    #[track_caller]
    pub(crate) fn play(port: u16, app: &str, key: &str) -> (Self, Answer) {
        let mut client = Self::connect(port, app);
        client.session.play(Instant::now(), key).unwrap();
        let answer = client.answer(|event| matches!(event, Event::Playing));
        (client, answer)
    }

    /// Asks to publish; what the server says to it. The connection stays open.
    #[track_caller]
    pub(crate) fn publish(port: u16, app: &str, key: &str) -> (Self, Answer) {
        let mut client = Self::connect(port, app);
        client
            .session
            .publish(Instant::now(), key, PublishKind::Live)
            .unwrap();
        let answer = client.answer(|event| matches!(event, Event::Publishing));
        (client, answer)
    }

    fn answer(&mut self, granted: impl Fn(&Event) -> bool) -> Answer {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            match self.next(deadline) {
                Ok(Some(event)) if granted(&event) => return Answer::Granted,
                Ok(Some(Event::Rejected { code, .. })) => return Answer::Rejected(code),
                Ok(Some(_)) => {}
                Ok(None) => return Answer::Nothing,
                Err(problem) => return Answer::Closed(problem),
            }
        }
    }

    /// The next event; `None` when there is none until the deadline, an error when the connection is over.
    pub(crate) fn next(&mut self, deadline: Instant) -> Result<Option<Event>, String> {
        let mut buffer = [0; 16 << 10];
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => {
                    self.socket
                        .write_all(&bytes)
                        .map_err(|error| error.to_string())?;
                    continue;
                }
                Output::Event(event) => return Ok(Some(event)),
                Output::Timeout(_) => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket
                .set_read_timeout(Some(left))
                .map_err(|error| error.to_string())?;
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err("the server closed the connection".to_owned()),
                Ok(count) => self
                    .session
                    .handle_input(Instant::now(), &buffer[..count])
                    .map_err(|error| error.to_string())?,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Sends a message of audio, video or data.
    pub(crate) fn send(
        &mut self,
        kind: MessageType,
        timestamp: u32,
        payload: &Bytes,
    ) -> std::io::Result<()> {
        let packet = self.session.packet(kind, timestamp, &[], payload).unwrap();
        packet
            .slices()
            .iter()
            .try_for_each(|bytes| self.socket.write_all(bytes))
    }

    /// Sends pictures and sound as fast as they are to be played, until they are over or the server is gone.
    pub(crate) fn send_all(mut self, tags: impl IntoIterator<Item = Tag>) -> Self {
        let begun = Instant::now();
        for tag in tags {
            let kind = match tag.kind {
                TagKind::Video => MessageType::VIDEO,
                TagKind::Audio => MessageType::AUDIO,
                TagKind::Script => continue,
            };
            let due = Duration::from_millis(tag.timestamp.into());
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
            if self.send(kind, tag.timestamp, &tag.body).is_err() {
                break;
            }
        }
        self
    }
}

/// A server that grants everything, and after three seconds asks its one client to connect to that URL instead; its
/// port.
pub(crate) fn server_that_sends_on(to: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = to.to_owned();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let tick = Some(Duration::from_millis(100));
        socket.set_read_timeout(tick).unwrap();
        let mut session = server::Session::new(Instant::now(), server::Config::default());
        let (mut granted, mut asked) = (None, false);
        let mut buffer = vec![0; 64 << 10];
        loop {
            match session.poll_output() {
                Output::Transmit(bytes) if socket.write_all(&bytes).is_err() => return,
                Output::Event(server::Event::Publish(..) | server::Event::Play(_)) => {
                    session.accept(Instant::now()).unwrap();
                    granted = Some(Instant::now());
                }
                Output::Transmit(_) | Output::Event(_) => {}
                Output::Timeout(_) => {
                    let long_ago = |at: Instant| at.elapsed() > Duration::from_secs(3);
                    if !asked && granted.is_some_and(long_ago) {
                        asked = true;
                        assert!(session.request_reconnect(Some(&to), "moving"));
                        continue;
                    }
                    match socket.read(&mut buffer) {
                        Ok(0) => return,
                        Ok(count) => session
                            .handle_input(Instant::now(), &buffer[..count])
                            .unwrap(),
                        Err(error)
                            if matches!(
                                error.kind(),
                                ErrorKind::WouldBlock | ErrorKind::TimedOut
                            ) => {}
                        Err(_) => return,
                    }
                }
            }
        }
    });
    port
}

/// A server that answers everything but who wants to play, to whom it sends this over and over; its port.
pub(crate) fn server_that_never_begins(bytes: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut session = server::Session::new(Instant::now(), server::Config::default());
            let mut buffer = vec![0; 64 << 10];
            loop {
                match session.poll_output() {
                    Output::Transmit(bytes) if socket.write_all(&bytes).is_err() => break,
                    Output::Event(server::Event::Play(_)) => {
                        while socket.write_all(&bytes).is_ok() {}
                        break;
                    }
                    Output::Transmit(_) | Output::Event(_) => {}
                    Output::Timeout(_) => match socket.read(&mut buffer) {
                        Ok(count) if count > 0 => {
                            let input = &buffer[..count];
                            session.handle_input(Instant::now(), input).unwrap();
                        }
                        _ => break,
                    },
                }
            }
        }
    });
    port
}

/// What is in a clip.
pub(crate) fn tags(clip: Clip) -> Vec<Tag> {
    let mut reader = Reader::new();
    let file = std::fs::read(clip.file()).unwrap();
    reader.push(&file).unwrap();
    std::iter::from_fn(|| reader.pull()).collect()
}

/// What the server said to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes.
    Granted,
    /// No, with this code.
    Rejected(String),
    /// It ended the connection.
    Closed(String),
    /// Nothing in time.
    Nothing,
}
