//! One stream to many TCP sockets.
//!
//! On each shard, the sockets that want the same stream in the same form share a `Group`: it reads the
//! stream once, packages each access unit once, and when one arrives walks its sockets and writes to them
//! directly. A socket has a task of its own only to read what its peer says and to wait while it is full.
//! Packets are kept in a [`Ring`](crate::hub::ring::Ring) of the same bounds as the stream's, so that the hub's rule for slow
//! readers is the rule here as well.

mod group;
mod member;

use crate::bridge::{Bridges, Reader, Sound};
use crate::hub::ring::Bounds;
use crate::hub::{Ended, TrackSet, Viewer};
use crate::net::socket::Detached;
use bytes::Bytes;
use group::Group;
use media::AccessUnit;
use member::Member;
use smallvec::SmallVec;
use std::any::Any;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::time::Instant;

/// Bytes ready to be written, shared by all sockets of all shards that carry them.
#[derive(Clone, Debug, Default)]
pub struct Packet {
    /// To be written one after the other.
    pub slices: SmallVec<[Bytes; 3]>,
}

impl Packet {
    /// Total length in bytes.
    pub fn len(&self) -> usize {
        self.slices.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.slices.iter().all(Bytes::is_empty)
    }
}

/// The form in which a protocol carries a stream over TCP, the same bytes for all of its sockets.
pub trait Format: 'static {
    /// Tells forms of the same stream apart.
    const NAME: &'static str;

    /// Tells apart what is not the same for all that take this form; empty where it is.
    fn variant(&self) -> Vec<u8> {
        Vec::new()
    }

    /// What has to come before the first packet of these tracks.
    fn prelude(&mut self, tracks: &TrackSet) -> Packet;

    /// Why those who were sent `before` are not sent `after` as well, but disconnected; none where they can go on.
    fn breaks(&self, _before: &TrackSet, _after: &TrackSet) -> Option<&'static str> {
        None
    }

    /// Where the form stands before this random access point, for peers that begin there and have to be told; none
    /// where they have not.
    fn place(&self, _tracks: &TrackSet, _unit: &AccessUnit) -> Option<Rc<dyn Any>> {
        None
    }

    /// One access unit; empty when this form cannot carry its track.
    fn packet(&mut self, tracks: &TrackSet, unit: &AccessUnit) -> Packet;

    /// What comes from now on in the place of the last prelude, for those who begin later; none where that stays as
    /// it is.
    fn renewed_prelude(&mut self) -> Option<Packet> {
        None
    }
}

/// What one socket's peer and its protocol have to say to each other while the stream runs.
pub trait Peer: 'static {
    /// Bytes from the peer.
    ///
    /// # Errors
    /// Why the connection is to be closed.
    fn handle_input(&mut self, bytes: &[u8]) -> Result<(), String>;

    /// The instant of the last [`Output::Timeout`] has come.
    ///
    /// # Errors
    /// Why the connection is to be closed.
    fn handle_timeout(&mut self) -> Result<(), String>;

    /// What the session wants, drained until [`Output::Timeout`] after every other call.
    fn poll_output(&mut self) -> Output;

    /// Whether the peer waits to be told where it begins.
    fn begins(&self) -> bool {
        false
    }

    /// The peer begins at this place of its form; none where that has not come yet.
    fn begin(&mut self, _place: Option<&dyn Any>) {}

    /// The peer wants no media at the moment.
    fn paused(&self) -> bool {
        false
    }

    /// The stream is over; what is to be said goes out by [`Peer::poll_output`].
    fn end(&mut self, reason: Ended);
}

/// What a peer's session wants.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes before any packet that comes later.
    Send(Bytes),
    /// Close the connection: the peer has said goodbye.
    Leave,
    /// Nothing, until there is input or this instant.
    Timeout(Option<std::time::Instant>),
}

/// A socket to serve, with everything that is known of it.
#[derive(Debug)]
pub struct Subscriber<F, P> {
    /// How it gets the stream, if it is the first on its shard to get it that way.
    pub form: F,
    /// The connection, of no runtime yet.
    pub socket: Detached,
    /// Its far end.
    pub address: SocketAddr,
    /// Its protocol session.
    pub peer: P,
    /// Keeps it counted.
    pub viewer: Viewer,
    /// The codec that it wants for sound, and who makes it; none where the stream is sent as it is.
    pub sound: Option<(Bridges, Sound)>,
    /// Bounds of the packets kept for it.
    pub bounds: Bounds,
}

/// Serves a socket on the present shard until it or the stream ends. Must be called on a shard.
pub async fn serve<F: Format, P: Peer>(subscriber: Subscriber<F, P>) {
    let Subscriber {
        form,
        socket,
        address,
        peer,
        viewer,
        sound,
        bounds,
    } = subscriber;
    let socket = match socket.attach() {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(%address, %error, "cannot move the connection to its shard");
            return;
        }
    };
    let stream = viewer.stream();
    let read = || match &sound {
        Some((bridges, sound)) => bridges.reader(stream, *sound),
        None => Reader::plain(stream),
    };
    let Some(group) = Group::<F, P>::of(form, stream, read, bounds) else {
        tracing::warn!(stream = %stream.name(), %address, format = F::NAME, "the stream is sent in too many ways");
        return;
    };
    let start = group.packets.borrow().start();
    let member = Rc::new(Member::new(socket, address, F::NAME, peer, start, &viewer));
    group.members.borrow_mut().push(member.clone());
    let reason = member.run(&group, &viewer).await;
    group
        .members
        .borrow_mut()
        .retain(|other| !Rc::ptr_eq(other, &member));
    let skipped = member.skipped();
    tracing::info!(stream = %viewer.stream().name(), %address, format = F::NAME, skipped, reason, "reader left");
}

/// Sleeps until the deadline; for ever without one.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
