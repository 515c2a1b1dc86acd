//! Players by RTSP, whose packets come on the connection or in datagrams.

use super::Shared;
use super::datagrams;
use super::pictures::Pictures;
use super::viewer::Viewer;
use crate::error::{Context as _, Error, Result};
use crate::servers::{APP, STREAM};
use ::rtsp::client::{Choice, Config, Event, Session, Wanted};
use ::rtsp::{Carriage, Output};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout_at;

/// Longest wait, in which a session has nothing to do.
const QUIET: Duration = Duration::from_secs(60);

/// The sockets of one track.
struct Ports {
    rtp: UdpSocket,
    /// Nobody reads the reports, but they have somewhere to go.
    rtcp: UdpSocket,
}

/// What there is to be read.
enum Ready {
    Datagrams,
    Connection,
}

/// One player.
struct Player<'a> {
    shared: &'a Shared,
    socket: TcpStream,
    session: Session,
    pictures: Pictures<'a>,
    /// Which tracks are sound.
    sound: Vec<bool>,
    /// None of them where all comes on the connection.
    ports: Vec<Ports>,
    datagrams: bool,
}

/// Plays until the connection ends, which is an error.
pub(super) async fn play(shared: &Shared, datagrams: bool) -> Result<()> {
    let viewer = Viewer::new(&shared.tally);
    let url = format!("rtsp://{}/{APP}/{STREAM}", shared.address);
    let mut player = Player {
        shared,
        socket: shared.connect().await?,
        session: Session::play(Instant::now(), Config::new(&url)),
        pictures: Pictures::new(viewer),
        sound: Vec::new(),
        ports: Vec::new(),
        datagrams,
    };
    loop {
        let due = player.step().await?;
        player.wait(due).await?;
    }
}

impl Player<'_> {
    /// Waits for the server until `due`, and passes on what has come.
    async fn wait(&mut self, due: Option<Instant>) -> Result<()> {
        let Self {
            shared,
            socket,
            session,
            pictures,
            ports,
            sound,
            ..
        } = self;
        let quiet = Instant::now() + QUIET;
        let until = due.map_or(quiet, |due| due.min(quiet));
        let ready = poll_fn(|context| {
            if ports
                .iter()
                .any(|ports| ports.rtp.poll_recv_ready(context).is_ready())
            {
                return Poll::Ready(Ready::Datagrams);
            }
            socket.poll_read_ready(context).map(|_| Ready::Connection)
        });
        let ready = timeout_at(until.into(), ready).await;
        match ready {
            Ok(Ready::Datagrams) => {
                for (ports, sound) in ports.iter().zip(&*sound) {
                    datagrams::drain(shared, &ports.rtp, |datagram| {
                        pictures.packet_of(*sound, datagram);
                        Ok(())
                    })?;
                }
                Ok(())
            }
            Ok(Ready::Connection) => {
                let heard =
                    shared.read(socket, |bytes| session.handle_input(Instant::now(), bytes));
                heard.await?.context("cannot understand the server")
            }
            Err(_) => {
                let heard = session.handle_timeout(Instant::now());
                heard.context("cannot understand the server")
            }
        }
    }

    /// Sends what the session has to say and takes what has come, until it waits.
    async fn step(&mut self) -> Result<Option<Instant>> {
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => {
                    let sent = self.socket.write_all(&bytes).await;
                    sent.context("the connection broke")?;
                }
                Output::Event(Event::Described(description)) => {
                    let media = description.media.iter();
                    self.sound = media.map(|media| media.kind == "audio").collect();
                    let choices: Result<Vec<_>> = (0..self.sound.len())
                        .map(|section| {
                            let wanted = self.wanted()?;
                            Ok(Choice { section, wanted })
                        })
                        .collect();
                    self.session.setup(Instant::now(), &choices?);
                }
                Output::Event(Event::SetUp {
                    track, carriage, ..
                }) => {
                    if let (Carriage::Udp { rtp, .. }, Some(ports)) =
                        (carriage, self.ports.get(track))
                    {
                        let server = SocketAddr::new(self.shared.address.ip(), rtp);
                        let connected = ports.rtp.connect(server).await;
                        connected.context("cannot connect a UDP socket")?;
                    }
                }
                Output::Event(Event::Packet {
                    track,
                    control: false,
                    payload,
                }) => {
                    let sound = self.sound.get(track).is_some_and(|sound| *sound);
                    self.pictures.packet_of(sound, &payload);
                }
                Output::Event(Event::Rejected { method, status, .. }) => {
                    return Err(Error::new(format!(
                        "the server answers {method} with {status:?}"
                    )));
                }
                Output::Event(Event::Redirected { .. } | Event::Closed) => {
                    return Err(Error::new("the server ended the stream"));
                }
                Output::Event(_) => {}
                Output::Timeout(due) => return Ok(due),
            }
        }
    }

    /// How the next track is to come.
    fn wanted(&mut self) -> Result<Wanted> {
        if !self.datagrams {
            return Ok(Wanted::Tcp);
        }
        let ports = Ports {
            rtp: datagrams::open(self.shared.address)?,
            rtcp: datagrams::open(self.shared.address)?,
        };
        let port = |socket: &UdpSocket| {
            let address = socket.local_addr();
            Ok(address.context("a socket has no address")?.port())
        };
        let wanted = Wanted::Udp {
            rtp: port(&ports.rtp)?,
            rtcp: port(&ports.rtcp)?,
        };
        self.ports.push(ports);
        Ok(wanted)
    }
}
