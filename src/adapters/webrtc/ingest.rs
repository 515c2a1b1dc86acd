//! One publisher's session: its packets become the stream, and what the stream's readers want is asked of it. Who talks to a
//! camera is served in the same way (`sink`).

use super::Running;
use super::router::{Home, Router};
use super::sink::Sink;
use super::tcp::Link;
use super::told::Told;
use super::ways::Ways;
use super::worker::{Message, batch, path_of};
use crate::hub::{Packets, Replaced};
use crate::net::udp::{Datagram, Socket};
use crate::transport::rtp::{Event as Received, Incoming, Receiver};
use media::Kind;
use rtp::payload::Format;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use webrtc::{CloseReason, Event, Output, Path, ReceivedFormat, Session, Transport};

/// A publisher whose connection is there and that sends no media for so long is gone.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// Packets that wait behind a gap at most, while what is missing is asked for again: 6 Mbit/s for as long as that is done.
const WINDOW: usize = 512;

/// Publishers make random access points when they are asked to, and seldom otherwise. Who plays, records or cuts segments
/// needs one at least so often.
pub(super) const RANDOM_ACCESS: Duration = Duration::from_secs(2);

/// What is due is done so late at most, however many datagrams wait.
const LATE: Duration = Duration::from_millis(50);

/// A publisher and its session.
pub(super) struct Ingest {
    session: Session,
    receiver: Receiver,
    sink: Sink,
    socket: Arc<Socket>,
    place: Place,
    /// When media last came.
    heard: Instant,
    /// When a random access point last came, or was asked for since.
    random_access: Instant,
    counted: Packets,
    told: Option<Told>,
}

/// Where the session is known. It no longer is when this is dropped, whatever the reason.
struct Place {
    router: Arc<Router>,
    resource: String,
    home: Home,
    ways: Ways,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.router
            .remove(&self.resource, &self.home, &self.ways.addresses);
    }
}

/// Why it is over.
enum End {
    /// The publisher said so.
    Goodbye,
    /// It is gone, and may come back.
    Gone(String),
    /// Another has the stream, or it was stopped.
    Replaced,
}

impl From<Replaced> for End {
    fn from(_: Replaced) -> Self {
        Self::Replaced
    }
}

impl Ingest {
    /// For a session that the router knows under this secret.
    pub(super) fn new(
        session: Session,
        sink: Sink,
        running: &Running,
        (resource, home): (String, Home),
        told: Option<Told>,
    ) -> Self {
        let patience = sink.patience();
        let formats = session.received().iter().enumerate();
        let incoming = formats.filter_map(|(number, format)| incoming(number, format, patience));
        let now = Instant::now();
        Self {
            receiver: Receiver::new(incoming.collect()),
            session,
            sink,
            socket: running.socket.clone(),
            place: Place {
                router: running.router.clone(),
                resource,
                home,
                ways: Ways::default(),
            },
            heard: now,
            random_access: now,
            counted: Packets::default(),
            told,
        }
    }

    /// Serves it to its end.
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let end = self.serve(&mut messages).await;
        self.session.close(Instant::now());
        // What is said at the end is said once, and may get lost.
        let _ = self.drain(None);
        let stats = self.session.stats();
        let reason = match &end {
            End::Goodbye => "it said goodbye",
            End::Gone(reason) => reason,
            End::Replaced => self.sink.why_not(),
        };
        let webrtc::Stats {
            received,
            asked_again,
            lost,
            ..
        } = stats;
        let (stream, what) = (self.sink.name(), self.sink.what());
        let session = &*self.place.home.ufrag;
        tracing::info!(%stream, session, received, asked_again, lost, reason, "WebRTC {what} left");
        if matches!(end, End::Goodbye) {
            self.sink.finish();
        }
    }

    async fn serve(&mut self, messages: &mut mpsc::Receiver<Message>) -> End {
        let mut due = match self.drain(None) {
            Ok(due) => due,
            Err(end) => return end,
        };
        loop {
            let others = [due, self.receiver.timeout(), Some(self.next_look())];
            let wake = others.into_iter().flatten().min();
            let wake = wake.unwrap_or_else(Instant::now);
            let mut from = None;
            if wake + LATE <= Instant::now() {
                self.handle_timeout();
            }
            tokio::select! {
                biased;
                () = self.sink.kicked() => return End::Replaced,
                () = self.sink.random_access_wanted() => {
                    self.ask_for_picture(Instant::now());
                }
                // What waits has come before now, and is not to be missed.
                message = messages.recv() => match message {
                    Some(Message::Datagram(_, datagram, link)) => {
                        from = self.take(&datagram, link);
                    }
                    Some(Message::Stop(_)) => return End::Goodbye,
                    Some(Message::Restart(_, restart)) => restart.answer(&mut self.session),
                    // Starts are for shards alone.
                    Some(Message::Start(_)) => {}
                    None => return End::Gone("the server ends".to_owned()),
                },
                () = sleep_until(wake.into()) => self.handle_timeout(),
            }
            if self.heard.elapsed() >= SILENCE {
                return End::Gone("no media came for 30 s".to_owned());
            }
            due = match self.drain(from) {
                Ok(due) => due,
                Err(end) => return end,
            };
        }
    }

    fn take(&mut self, datagram: &Datagram, link: Option<Arc<Link>>) -> Option<Path> {
        let path = path_of(datagram, link.is_some());
        if !self.place.ways.note(path.remote, link) {
            return None;
        }
        // The publisher is told when its packets came, not how long they waited here.
        self.session
            .handle_input(datagram.at, path, &datagram.bytes);
        Some(path)
    }

    fn handle_timeout(&mut self) {
        let now = Instant::now();
        self.session.handle_timeout(now);
        self.receiver.handle_timeout(now);
        if now >= self.next_look() {
            self.ask_for_picture(now);
        }
        while let Some((_, report)) = self.receiver.report(now) {
            self.session.send_report(report);
        }
        self.count();
    }

    /// When a random access point is to be asked for by ourselves.
    fn next_look(&self) -> Instant {
        self.random_access + RANDOM_ACCESS
    }

    fn ask_for_picture(&mut self, now: Instant) {
        self.random_access = now;
        self.session.want_picture(now);
    }

    /// Tells the stream of losses.
    fn count(&mut self) {
        let stats = self.session.stats();
        let now = Packets {
            received: stats.received,
            lost: stats.lost,
        };
        self.sink.count_packets(Packets {
            received: now.received - self.counted.received,
            lost: now.lost - self.counted.lost,
        });
        self.counted = now;
    }

    /// Does what the session wants after a datagram `from` there, and gives when it is to be called again.
    fn drain(&mut self, from: Option<Path>) -> Result<Option<Instant>, End> {
        loop {
            match self.session.poll_output() {
                Output::Transmit(transmit) => {
                    let Place {
                        router, home, ways, ..
                    } = &mut self.place;
                    match transmit.path.transport {
                        // A full socket loses it, as a network would.
                        Transport::Udp => {
                            self.socket.send(&batch(&transmit), 0);
                        }
                        Transport::Tcp => ways.send(&transmit),
                    }
                    if from == Some(transmit.path) {
                        ways.answered(transmit.path, router, home);
                    }
                }
                Output::Event(Event::Packet {
                    track,
                    control,
                    bytes,
                }) => {
                    let now = Instant::now();
                    self.heard = now;
                    self.receiver.packet(now, track, control, bytes);
                    self.publish(now)?;
                }
                Output::Event(Event::Closed { reason }) => {
                    return Err(match reason {
                        CloseReason::Peer => End::Goodbye,
                        reason => End::Gone(reason.to_string()),
                    });
                }
                Output::Event(Event::Connected) => {
                    self.told.iter().for_each(Told::connected);
                }
                // Viewers want them.
                Output::Event(Event::RandomAccessWanted) => {}
                Output::Timeout(due) => {
                    self.publish(Instant::now())?;
                    return Ok(due);
                }
            }
        }
    }

    fn publish(&mut self, now: Instant) -> Result<(), Replaced> {
        while let Some(event) = self.receiver.pull() {
            if let Received::Unit(unit) = &event
                && unit.random_access
                && unit.track.0 == self.pictures()
            {
                self.random_access = now;
            }
            self.sink.take(event)?;
        }
        Ok(())
    }

    /// The number of the track of pictures.
    fn pictures(&self) -> u16 {
        let mut formats = self.session.received().iter();
        let place = formats.position(|format| format.kind == Kind::Video);
        place.map_or(u16::MAX, |place| place as u16)
    }
}

/// What puts the packets of a track together; none where that is not carried, which the choice of formats rules out.
pub(super) fn incoming(number: usize, format: &ReceivedFormat, wait: Duration) -> Option<Incoming> {
    let described = Format {
        encoding: &format.encoding,
        clock_rate: format.clock_rate,
        channels: format.channels,
        parameters: &format.parameters,
    };
    let incoming = Incoming::of(number, format.payload_type, &described);
    let incoming = incoming.inspect_err(|error| tracing::warn!(%error, "a track of a publisher"));
    let incoming = incoming.ok()?.patient(WINDOW, wait);
    Some(match format.kind {
        Kind::Video => incoming.with_pictures(),
        _ => incoming,
    })
}
