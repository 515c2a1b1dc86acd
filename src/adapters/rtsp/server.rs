//! A client and what it asks for.
//!
//! Whether it may have that is found in `access`. A player whose packets go over the connection moves with it to a
//! shard. The connection of one that gets datagrams stays (`watcher`), and so does that of a `publisher`.

use super::connection::{Closed, Connection, now};
use super::cutter::{self, Cutter, Section};
use super::listener::Shared;
use super::multicast::Lease;
use super::player::{self, Form, Player};
use crate::auth::Action;
use crate::hub::{Interest, TrackSet, Unavailable, Viewer};
use crate::net::fanout::{self, Subscriber};
use crate::net::places::Place;
use rtsp::Carriage;
use rtsp::message::Status;
use rtsp::server::{Access, Event, Offer, Track};
use std::sync::Arc;

/// One client.
pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) shared: Shared,
    /// The stream that has been described to it, or that it sets up.
    offered: Option<Offered>,
}

/// A stream as it was described.
pub(super) struct Offered {
    pub(super) viewer: Viewer,
    pub(super) sections: Vec<Section>,
    tracks: Arc<TrackSet>,
    /// The group that it may be sent to.
    pub(super) lease: Option<Arc<Lease>>,
}

impl Client {
    /// Who has just connected. In a box: the future that serves it would have room for several, one for each time that it
    /// is passed on.
    pub(super) fn new(connection: Connection, shared: Shared) -> Box<Self> {
        Box::new(Self {
            connection,
            shared,
            offered: None,
        })
    }

    /// Until the client has gone or has become a player on a shard. All but the playing of datagrams, which there may
    /// be much of, lies apart.
    pub(super) async fn run(mut self: Box<Self>, places: Vec<Place>) -> Result<(), Closed> {
        let mut announced = None;
        loop {
            let withdrawn = async {
                match &self.offered {
                    Some(offered) => offered.viewer.withdrawn().await,
                    None => std::future::pending().await,
                }
            };
            let event = tokio::select! {
                event = self.connection.next_event(None) => event?,
                () = withdrawn => return Err(Closed("it may watch no more".into())),
            };
            match event {
                Event::Describe(access) => Box::pin(self.describe(&access)).await?,
                Event::Announce(access, description) => {
                    announced = Box::pin(self.announce(&access, description)).await?;
                }
                Event::Record(tracks) => match announced.take() {
                    Some(announced) => {
                        Box::pin(self.record(announced, &tracks)).await?;
                    }
                    None => self.refuse(Status::METHOD_NOT_VALID, "nothing is announced"),
                },
                Event::Play(tracks) => match self.offered.take() {
                    Some(offered) if is_connection(&tracks) => {
                        return Box::pin(self.play(offered, tracks, places)).await;
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
        let Some((name, pass)) = self.name(access, |app, id| Action::Play(app, id)).await else {
            return Ok(());
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
                self.refuse(status, &unavailable.to_string());
                return Ok(());
            }
        };
        let viewer = Viewer::new(stream, "rtsp").by(pass);
        let tracks = viewer.stream().snapshot().tracks;
        let sections = cutter::sections(&tracks);
        if sections.is_empty() {
            let words = "the stream has nothing that is carried by RTP";
            self.refuse(Status::NOT_FOUND, words);
            return Ok(());
        }
        let multicast = self.shared.multicast.as_ref();
        let lease = multicast.and_then(|multicast| multicast.lease(&name));
        let groups = lease.iter().flat_map(|lease| lease.groups(sections.len()));
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
            groups: groups.collect(),
        };
        self.offered = Some(Offered {
            viewer,
            sections,
            tracks,
            lease,
        });
        self.connection
            .answer(|session| session.offer(now(), offer));
        Ok(())
    }

    /// Hands the connection over to a shard, which plays there.
    async fn play(
        mut self: Box<Self>,
        offered: Offered,
        tracks: Vec<Track>,
        places: Vec<Place>,
    ) -> Result<(), Closed> {
        if let Some(words) = offered.outdated() {
            // A client that is told so describes the stream anew, on another connection.
            self.refuse(Status::NOT_FOUND, words);
            return self.connection.finish().await;
        }
        self.connection.send_output().await?;
        // PLAY is answered there, where it is known with which packets it begins.
        let (address, context) = (self.connection.address, self.shared.context.clone());
        let Offered {
            viewer, sections, ..
        } = offered;
        tracing::info!(stream = %viewer.stream().name(), %address, "playing by RTSP");
        let (socket, session) = self.connection.into_parts()?;
        let bounds = context.bounds();
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
                    sound: None,
                    bounds,
                })
                .await;
            }
            drop(places);
        };
        context.shards.spawn(start).await;
        Ok(())
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
    pub(super) fn outdated(&self) -> Option<&'static str> {
        if self.viewer.is_withdrawn() {
            return Some("it may not be played any more");
        }
        let tracks = self.viewer.stream().snapshot().tracks;
        cutter::breaks(&self.tracks, &tracks)
    }
}

/// Whether packets go over the connection alone.
fn is_connection(tracks: &[Track]) -> bool {
    let mut tracks = tracks.iter();
    tracks.all(|track| matches!(track.carriage, Carriage::Tcp { .. }))
}
