//! A player that gets datagrams, to ports of its own or to a group. What it is sent is made elsewhere; here its
//! connection goes on.

use super::connection::{Closed, now};
use super::datagrams::{self, Destination, Parts, Ticket};
use super::multicast::{Lease, Sender};
use super::player;
use super::server::{Client, Offered};
use super::sockets::{Claims, QUEUE, Received, Sockets};
use rtsp::Carriage;
use rtsp::message::Status;
use rtsp::server::{Event, Track};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::DropGuard;

/// PLAY is answered without saying with which packets it begins where that is not known by then.
const BEGINS: Duration = Duration::from_secs(1);

/// What a client that gets or sends datagrams is known by.
pub(super) struct Claimed {
    pub(super) destinations: Vec<Destination>,
    pub(super) received: mpsc::Receiver<Box<Received>>,
    _claims: Claims,
}

/// How a player gets its packets.
enum Way {
    /// To ports of its own.
    Own(Claimed, Begun),
    /// With others, while it does not pause.
    Group(Arc<Lease>, Option<Arc<Sender>>),
}

/// What is sent to it, until this is dropped.
struct Begun {
    ticket: Arc<Ticket>,
    _left: DropGuard,
}

impl Client {
    /// Plays in datagrams until the client tears the session down, after which it may describe a stream again.
    pub(super) async fn play_datagrams(
        &mut self,
        offered: Offered,
        tracks: &[Track],
    ) -> Result<Option<Offered>, Closed> {
        if let Some(words) = offered.outdated() {
            self.refuse(Status::NOT_FOUND, words);
            return Ok(None);
        }
        let mut way = match offered.lease.clone().filter(|_| is_group(tracks)) {
            Some(lease) => Way::Group(lease, None),
            None => match self.claim(tracks)? {
                Some((claimed, sockets)) => self.own(&offered, claimed, sockets).await,
                None => return Ok(Some(offered)),
            },
        };
        self.begin(&offered, &mut way, tracks).await;
        let name = offered.viewer.stream().name().clone();
        let address = self.connection.address;
        let is_group = matches!(way, Way::Group(..));
        tracing::info!(stream = %name, %address, is_group, "playing by RTSP in datagrams");
        loop {
            let event = tokio::select! {
                event = self.connection.next_event(None) => event?,
                () = offered.viewer.withdrawn() => {
                    return Err(Closed("it may watch no more".into()));
                }
                received = way.next() => {
                    let Some(received) = received else {
                        return Err(Closed("the stream ended, or has other tracks now".into()));
                    };
                    self.connection.session.alive(now());
                    if received.control {
                        player::read_reports(&name, &received.bytes);
                    }
                    continue;
                }
            };
            match event {
                Event::Pause => way.pause(),
                Event::Play(again) if again == tracks => {
                    self.begin(&offered, &mut way, tracks).await;
                }
                Event::Teardown => {
                    tracing::info!(stream = %name, %address, "RTSP player finished");
                    return Ok(None);
                }
                Event::Packet { .. } => {}
                Event::Describe(_) | Event::Announce(..) | Event::Play(_) | Event::Record(_) => {
                    self.refuse(Status::METHOD_NOT_VALID, "not while a session is open");
                }
            }
        }
    }

    /// Has packets sent to ports of the client, once it begins.
    async fn own(&self, offered: &Offered, claimed: Claimed, sockets: Arc<Sockets>) -> Way {
        let source = datagrams::source(self.connection.local.ip());
        let ticket = Arc::new(Ticket::new(claimed.destinations.clone(), source));
        ticket.paused.store(true, Ordering::Relaxed);
        let left = ticket.left.clone().drop_guard();
        let parts = self.parts(offered, sockets);
        let shared = ticket.clone();
        let start = move || datagrams::serve(parts, shared);
        self.shared.context.shards.spawn(start).await;
        Way::Own(
            claimed,
            Begun {
                ticket,
                _left: left,
            },
        )
    }

    /// Begins, or begins again, and answers PLAY. Where packets of a group begin for who joins it is not known.
    async fn begin(&mut self, offered: &Offered, way: &mut Way, tracks: &[Track]) {
        let mut starts = Vec::new();
        match way {
            Way::Own(_, begun) => {
                if let Ok(Ok(Some(place))) = timeout(BEGINS, begun.ticket.begin()).await {
                    starts = place.starts(tracks);
                }
            }
            Way::Group(lease, sender) => {
                if let Some(sockets) = self.shared.sockets.clone() {
                    let source = datagrams::source(self.connection.local.ip());
                    let parts = self.parts(offered, sockets);
                    let shards = &self.shared.context.shards;
                    *sender = Some(lease.join(parts, source, shards).await);
                }
            }
        }
        self.connection
            .answer(|session| session.start(now(), &starts));
    }

    fn parts(&self, offered: &Offered, sockets: Arc<Sockets>) -> Parts {
        Parts {
            stream: offered.viewer.stream().clone(),
            sockets,
            bounds: self.shared.context.bounds(),
        }
    }

    /// Claims the addresses of tracks that are carried in datagrams: ports of the connection's far end. None when
    /// the client has been refused.
    pub(super) fn claim(
        &mut self,
        tracks: &[Track],
    ) -> Result<Option<(Claimed, Arc<Sockets>)>, Closed> {
        let ip = self.connection.address.ip();
        let destinations = tracks.iter().map(|track| match track.carriage {
            Carriage::Udp { rtp, rtcp, .. } => Some(Destination {
                section: track.section,
                rtp: SocketAddr::new(ip, rtp),
                rtcp: SocketAddr::new(ip, rtcp),
            }),
            _ => None,
        });
        let destinations: Option<Vec<_>> = destinations.collect();
        let (Some(destinations), Some(sockets)) = (destinations, self.shared.sockets.clone())
        else {
            let words = "all tracks on the connection, or none";
            self.refuse(Status::UNSUPPORTED_TRANSPORT, words);
            return Ok(None);
        };
        let sources: Vec<_> = destinations
            .iter()
            .flat_map(|to| [(to.section, to.rtp, false), (to.section, to.rtcp, true)])
            .collect();
        let (inbox, received) = mpsc::channel(QUEUE);
        match sockets.claim(&sources, &inbox) {
            Some(claims) => {
                let claimed = Claimed {
                    destinations,
                    received,
                    _claims: claims,
                };
                Ok(Some((claimed, sockets)))
            }
            None => {
                let words = "another session has these ports";
                self.refuse(Status::UNSUPPORTED_TRANSPORT, words);
                Ok(None)
            }
        }
    }
}

impl Way {
    fn pause(&mut self) {
        match self {
            Self::Own(_, begun) => begun.ticket.paused.store(true, Ordering::Relaxed),
            Self::Group(_, sender) => *sender = None,
        }
    }

    /// The next datagram of the player, which does not come from a group; none when nothing more is sent. Safe to
    /// cancel.
    async fn next(&mut self) -> Option<Box<Received>> {
        match self {
            Self::Own(claimed, begun) => tokio::select! {
                Some(received) = claimed.received.recv() => Some(received),
                () = begun.ticket.over.cancelled() => None,
            },
            Self::Group(_, Some(sender)) => {
                sender.over().await;
                None
            }
            Self::Group(_, None) => std::future::pending().await,
        }
    }
}

fn is_group(tracks: &[Track]) -> bool {
    let mut tracks = tracks.iter();
    tracks.all(|track| matches!(track.carriage, Carriage::Multicast { .. }))
}
