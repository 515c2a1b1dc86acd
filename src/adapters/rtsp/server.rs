//! Connections of clients: what they ask for, and who may have it.
//!
//! A player whose packets go over the connection moves with it to a shard. The connection of one that gets
//! datagrams stays here, and so does that of a publisher.

use super::connection::{Closed, Connection, now};
use super::cutter::{self, Cutter, Section};
use super::datagrams::{self, Destination, Parts, Ticket};
use super::listener::Shared;
use super::player::{self, Form, Player};
use super::sockets::{Claims, QUEUE, Received, Sockets};
use crate::auth::{Action, Caller};
use crate::hub::{Interest, StreamName, TrackSet, Unavailable, Viewer};
use crate::net::fanout::{self, Subscriber};
use rtsp::Carriage;
use rtsp::message::Status;
use rtsp::server::{Access, Event, Offer, Track};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

/// One client.
pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) shared: Shared,
    /// The stream that has been described to it, or that it sets up.
    offered: Option<Offered>,
}

/// A stream as it was described.
struct Offered {
    viewer: Viewer,
    sections: Vec<Section>,
    tracks: Arc<TrackSet>,
}

/// What a client that gets or sends datagrams is known by.
pub(super) struct Claimed {
    pub(super) destinations: Vec<Destination>,
    pub(super) received: mpsc::Receiver<Received>,
    _claims: Claims,
}

impl Client {
    /// Who has just connected.
    pub(super) const fn new(connection: Connection, shared: Shared) -> Self {
        Self {
            connection,
            shared,
            offered: None,
        }
    }

    /// Until the client has gone or has become a player on a shard.
    pub(super) async fn run(mut self, places: Vec<OwnedSemaphorePermit>) -> Result<(), Closed> {
        let mut announced = None;
        loop {
            match self.connection.next_event(None).await? {
                Event::Describe(access) => self.describe(&access).await?,
                Event::Announce(access, description) => {
                    announced = self.announce(&access, description)?;
                }
                Event::Record(tracks) => match announced.take() {
                    Some((name, description)) => {
                        self.record(&name, &description, &tracks).await?;
                    }
                    None => self.refuse(Status::METHOD_NOT_VALID, "nothing is announced"),
                },
                Event::Play(tracks) => match self.offered.take() {
                    Some(offered) if is_connection(&tracks) => {
                        return self.play(offered, tracks, places).await;
                    }
                    Some(offered) => self.offered = self.play_datagrams(offered, &tracks).await?,
                    None => self.refuse(Status::METHOD_NOT_VALID, "nothing is described"),
                },
                Event::Teardown => {
                    self.offered = None;
                    announced = None;
                }
                Event::Pause | Event::Packet { .. } => {}
            }
        }
    }

    /// Tells what a stream consists of, once it is there.
    async fn describe(&mut self, access: &Access) -> Result<(), Closed> {
        let name = match self.name(access, |app, id| Action::Play(app, id)) {
            Ok(name) => name,
            Err((status, words)) => {
                self.refuse(status, &words);
                return Ok(());
            }
        };
        let context = self.shared.context.clone();
        let opened = {
            let mut opening = std::pin::pin!(context.hub.open(&name, Interest::Watch));
            loop {
                tokio::select! {
                    opened = &mut opening => break opened,
                    // Nothing is answered meanwhile, but a client that leaves is noticed.
                    event = self.connection.next_event(None) => drop(event?),
                }
            }
        };
        let stream = match opened {
            Ok(opened) => opened.stream().clone(),
            Err(unavailable) => {
                let status = match unavailable {
                    Unavailable::NotLive(_) => Status::NOT_FOUND,
                    Unavailable::Starting(_) => Status::UNAVAILABLE,
                };
                {
                    self.refuse(status, &unavailable.to_string());
                    return Ok(());
                }
            }
        };
        let viewer = Viewer::new(stream, "rtsp");
        let tracks = viewer.stream().snapshot().tracks;
        let sections = cutter::sections(&tracks);
        if sections.is_empty() {
            let words = "the stream has nothing that is carried by RTP";
            {
                self.refuse(Status::NOT_FOUND, words);
                return Ok(());
            }
        }
        let offer = Offer {
            media: sections.iter().map(Section::media).collect(),
            origin: sdp::Origin {
                id: u64::from(cutter::ssrc(&name, usize::MAX)),
                version: tracks.generation,
                address: self.connection.local.ip().to_canonical(),
            },
            name: name.to_string(),
            ssrcs: (0..sections.len())
                .map(|section| cutter::ssrc(&name, section))
                .collect(),
            groups: Vec::new(),
        };
        self.offered = Some(Offered {
            viewer,
            sections,
            tracks,
        });
        self.connection
            .answer(|session| session.offer(now(), offer));
        Ok(())
    }

    /// Hands the connection over to a shard, which plays there.
    async fn play(
        mut self,
        offered: Offered,
        tracks: Vec<Track>,
        places: Vec<OwnedSemaphorePermit>,
    ) -> Result<(), Closed> {
        if let Some(words) = offered.outdated() {
            // A client that is told so describes the stream anew, on another connection.
            self.refuse(Status::NOT_FOUND, words);
            return self.connection.finish().await;
        }
        self.connection.answer(|session| session.start(now(), &[]));
        self.connection.send_output().await?;
        let (address, context) = (self.connection.address, self.shared.context);
        let Offered {
            viewer, sections, ..
        } = offered;
        tracing::info!(stream = %viewer.stream().name(), %address, "playing by RTSP");
        let (socket, session) = self.connection.into_parts()?;
        let bounds = context.bounds;
        let start = move || async move {
            let stream = viewer.stream().clone();
            let cutter = Cutter::new(&stream, &sections, player::MAX_PAYLOAD);
            if let Some(form) = Form::new(cutter, &tracks) {
                let peer = Player::new(session, stream.name().clone(), tracks);
                fanout::serve(Subscriber {
                    form,
                    socket,
                    address,
                    peer,
                    viewer,
                    bounds,
                })
                .await;
            }
            drop(places);
        };
        context.shards.spawn(start).await;
        Ok(())
    }

    /// Plays in datagrams until the client tears the session down, after which it may describe a stream again.
    async fn play_datagrams(
        &mut self,
        offered: Offered,
        tracks: &[Track],
    ) -> Result<Option<Offered>, Closed> {
        if let Some(words) = offered.outdated() {
            self.refuse(Status::NOT_FOUND, words);
            return Ok(None);
        }
        let Some((mut claimed, sockets)) = self.claim(tracks)? else {
            return Ok(Some(offered));
        };
        self.connection.answer(|session| session.start(now(), &[]));
        self.connection.send_output().await?;
        let stream = offered.viewer.stream().clone();
        let name = stream.name().clone();
        let address = self.connection.address;
        tracing::info!(stream = %name, %address, "playing by RTSP in datagrams");
        let ticket = Arc::new(Ticket {
            destinations: claimed.destinations.clone(),
            source: datagrams::source(self.connection.local.ip()),
            paused: AtomicBool::new(false),
            left: CancellationToken::new(),
            over: CancellationToken::new(),
        });
        let _left = ticket.left.clone().drop_guard();
        let parts = Parts {
            stream,
            sections: offered.sections.clone(),
            sockets,
            bounds: self.shared.context.bounds,
        };
        let shared = ticket.clone();
        let start = move || datagrams::serve(parts, shared);
        self.shared.context.shards.spawn(start).await;
        loop {
            let event = tokio::select! {
                event = self.connection.next_event(None) => event?,
                Some(received) = claimed.received.recv() => {
                    self.connection.session.alive(now());
                    if received.control {
                        player::read_reports(&name, &received.bytes);
                    }
                    continue;
                }
                () = ticket.over.cancelled() => {
                    return Err(Closed("the stream ended, or has other tracks now".into()));
                }
            };
            match event {
                Event::Pause => ticket.paused.store(true, Ordering::Relaxed),
                Event::Play(again) if again == tracks => {
                    ticket.paused.store(false, Ordering::Relaxed);
                    self.connection.answer(|session| session.start(now(), &[]));
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

    /// The stream that a client may do this with, or what it is told.
    pub(super) fn name(
        &self,
        access: &Access,
        action: for<'a> fn(&'a str, &'a str) -> Action<'a>,
    ) -> Result<StreamName, (Status, String)> {
        let context = &self.shared.context;
        let name = context.applications.resolve(&access.path);
        let name = name.map_err(|error| (Status::NOT_FOUND, error.to_string()))?;
        let caller = Caller {
            protocol: "rtsp",
            address: self.connection.address,
            headers: None,
            query: access.query.as_deref(),
        };
        let allowed = context.auth.check(action(name.app(), name.id()), caller);
        allowed.map_err(|denied| (Status::FORBIDDEN, denied.to_string()))?;
        Ok(name)
    }

    pub(super) fn refuse(&mut self, status: Status, words: &str) {
        let address = self.connection.address;
        tracing::info!(%address, status = status.0, reason = words, "RTSP request refused");
        self.connection
            .answer(|session| session.refuse(now(), status, words));
    }
}

impl Offered {
    /// Why it cannot be played as it was described.
    fn outdated(&self) -> Option<&'static str> {
        let tracks = self.viewer.stream().snapshot().tracks;
        cutter::breaks(&self.tracks, &tracks)
    }
}

/// Whether packets go over the connection alone.
fn is_connection(tracks: &[Track]) -> bool {
    let mut tracks = tracks.iter();
    tracks.all(|track| matches!(track.carriage, Carriage::Tcp { .. }))
}
