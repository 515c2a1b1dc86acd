//! One stream to many TCP sockets.
//!
//! On each shard, the sockets that want the same stream in the same form share a [`Group`]: it reads the
//! stream once, packages each access unit once, and when one arrives walks its sockets and writes to them
//! directly. A socket has a task of its own only to read what its peer says and to wait while it is full.
//! Packets are kept in a [`Ring`] of the same bounds as the stream's, so that the hub's rule for slow
//! readers is the rule here as well.

use crate::hub::ring::{Bounds, Cursor, Entry, Ring, Skip, Step};
use crate::hub::{Ended, Item, Reader, Stream, TrackSet, Viewer};
use bytes::{Buf, Bytes};
use media::{AccessUnit, Kind, Timebase};
use smallvec::SmallVec;
use std::any::Any;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Audio waits for the next picture this long at most, so that one write carries both. Longer than the
/// distance of two pictures at 25 per second; too short to be noticed.
const AUDIO_WAIT: Duration = Duration::from_millis(45);

/// A socket that takes nothing for so long is closed.
const STALLED: Duration = Duration::from_secs(30);

/// Slices and bytes handed to one write at most; a single packet may be larger. What a full socket leaves
/// of them stays in memory for it.
const MAX_SLICES: usize = 256;
const MAX_WRITE: usize = 512 << 10;

/// Bytes read from a peer at a time; players have little to say.
const READ_BUFFER: usize = 1_024;

/// Slices that may wait for one socket: what a write left, and answers to the peer. A peer that asks more
/// without reading is closed.
const MAX_UNSENT: usize = 2 * MAX_SLICES;

/// How long a socket may take for the last words after the stream's end.
const FAREWELL: Duration = Duration::from_secs(3);

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

    /// Starts packaging.
    fn new() -> Self;

    /// What has to come before the first packet of these tracks.
    fn prelude(&mut self, tracks: &TrackSet) -> Packet;

    /// One access unit; empty when this form cannot carry its track.
    fn packet(&mut self, tracks: &TrackSet, unit: &AccessUnit) -> Packet;
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
pub struct Subscriber<P> {
    /// The socket, of no runtime yet.
    pub socket: std::net::TcpStream,
    /// Its far end.
    pub address: SocketAddr,
    /// Its protocol session.
    pub peer: P,
    /// Keeps it counted.
    pub viewer: Viewer,
    /// Bounds of the packets kept for it.
    pub bounds: Bounds,
}

/// Serves a socket on the present shard until it or the stream ends. Must be called on a shard.
pub async fn serve<F: Format, P: Peer>(subscriber: Subscriber<P>) {
    let Subscriber {
        socket,
        address,
        peer,
        viewer,
        bounds,
    } = subscriber;
    let socket = match TcpStream::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(%address, %error, "cannot move the connection to its shard");
            return;
        }
    };
    let group = Group::<F, P>::of(viewer.stream(), bounds);
    let mut state = MemberState {
        peer,
        unsent: VecDeque::new(),
        timeout: None,
        cursor: group.packets.borrow().ring.start(),
        generation: None,
        blocked_since: None,
        skipped: 0,
        closing: None,
    };
    state.drain_peer();
    let member = Rc::new(Member {
        socket,
        address,
        wake: Notify::new(),
        state: RefCell::new(state),
    });
    group.members.borrow_mut().push(member.clone());
    let reason = member.run(&group).await;
    group
        .members
        .borrow_mut()
        .retain(|other| !Rc::ptr_eq(other, &member));
    let skipped = member.state.borrow().skipped;
    tracing::info!(stream = %viewer.stream().name(), %address, format = F::NAME, skipped, reason, "reader left");
}

/// The sockets of this shard that get one stream in one form.
struct Group<F, P> {
    stream: Arc<Stream>,
    packets: RefCell<Packets<F>>,
    members: RefCell<Vec<Rc<Member<P>>>>,
}

/// The stream's recent past in the group's form.
struct Packets<F> {
    format: F,
    ring: Ring<Packaged>,
    tracks: Option<(Arc<TrackSet>, Rc<Prelude>)>,
}

/// A packet in a group's memory.
struct Packaged {
    packet: Packet,
    bytes: usize,
    prelude: Rc<Prelude>,
    micros: i64,
    starts: bool,
}

/// What comes before the packets of one generation of tracks.
struct Prelude {
    generation: u64,
    packet: Packet,
}

impl Entry for Packaged {
    fn bytes(&self) -> usize {
        self.bytes
    }
    fn time(&self) -> i64 {
        self.micros
    }
    fn starts(&self) -> bool {
        self.starts
    }
}

/// Groups by the address of their stream and the name of their form.
type Groups = HashMap<(usize, &'static str), Weak<dyn Any>>;

thread_local! {
    /// The groups of this shard. A group lives as long as its task and its members.
    static GROUPS: RefCell<Groups> = RefCell::default();
}

impl<F: Format, P: Peer> Group<F, P> {
    /// The group of this shard for `stream`, started if there is none.
    fn of(stream: &Arc<Stream>, bounds: Bounds) -> Rc<Self> {
        let key = (Arc::as_ptr(stream) as usize, F::NAME);
        GROUPS.with_borrow_mut(|groups| {
            let known = groups
                .get(&key)
                .and_then(Weak::upgrade)
                .and_then(|group| group.downcast::<Self>().ok());
            known.unwrap_or_else(|| {
                groups.retain(|_, group| group.strong_count() > 0);
                let group = Self::start(stream, bounds);
                let any: Rc<dyn Any> = group.clone();
                groups.insert(key, Rc::downgrade(&any));
                group
            })
        })
    }

    fn start(stream: &Arc<Stream>, bounds: Bounds) -> Rc<Self> {
        let packets = Packets {
            format: F::new(),
            ring: Ring::new(bounds),
            tracks: None,
        };
        let group = Rc::new(Self {
            stream: stream.clone(),
            packets: RefCell::new(packets),
            members: RefCell::default(),
        });
        // With the current GOP packaged, the first member starts as every later one does.
        let mut reader = Reader::new(stream.clone());
        let ended = group.take_all(&mut reader).1;
        tokio::task::spawn_local(group.clone().run(reader, ended));
        group
    }

    /// Packages and hands out what comes, until the stream ends or the last member has left.
    async fn run(self: Rc<Self>, mut reader: Reader, mut ended: Option<Ended>) {
        let farewell = Farewell(&self);
        let mut flush_at: Option<Instant> = None;
        while ended.is_none() {
            let due = flush_at;
            let more = tokio::select! {
                item = reader.next() => {
                    let (urgent, end) = match item {
                        Item::Ended(end) => (true, Some(end)),
                        item => {
                            let first = self.packets.borrow_mut().take(&item);
                            let (rest, end) = self.take_all(&mut reader);
                            (first || rest, end)
                        }
                    };
                    ended = end;
                    !urgent
                }
                () = sleep_until(due) => false,
            };
            if more {
                flush_at.get_or_insert_with(|| Instant::now() + AUDIO_WAIT);
                continue;
            }
            flush_at = None;
            let packets = self.packets.borrow();
            let members = self.members.borrow();
            for member in members.iter() {
                member.flush(&packets.ring, &self.stream);
            }
            if members.is_empty() {
                break;
            }
        }
        farewell.say(ended);
    }

    /// Packages all that the reader has now: whether it should go out at once, and whether that was the end.
    fn take_all(&self, reader: &mut Reader) -> (bool, Option<Ended>) {
        let mut packets = self.packets.borrow_mut();
        let mut urgent = false;
        while let Some(item) = reader.try_next() {
            match item {
                Item::Ended(ended) => return (true, Some(ended)),
                item => urgent |= packets.take(&item),
            }
        }
        (urgent, None)
    }
}

/// Tells the members that no more will come, also when the group's task panics.
struct Farewell<'a, F: Format, P: Peer>(&'a Group<F, P>);

impl<F: Format, P: Peer> Farewell<'_, F, P> {
    fn say(self, ended: Option<Ended>) {
        if let Some(ended) = ended {
            for member in self.0.members.borrow().iter() {
                let mut state = member.state.borrow_mut();
                state.peer.end(ended);
                state.drain_peer();
            }
        }
    }
}

impl<F: Format, P: Peer> Drop for Farewell<'_, F, P> {
    fn drop(&mut self) {
        for member in self.0.members.borrow().iter() {
            member.close("the stream ended");
        }
    }
}

impl<F: Format> Packets<F> {
    /// Packages an item. True when it should go out at once rather than wait for the next picture.
    fn take(&mut self, item: &Item) -> bool {
        match item {
            Item::Tracks(tracks) => {
                let packet = self.format.prelude(tracks);
                self.tracks = Some((
                    tracks.clone(),
                    Rc::new(Prelude {
                        generation: tracks.generation,
                        packet,
                    }),
                ));
                false
            }
            Item::Unit(unit) => {
                let Some((tracks, prelude)) = &self.tracks else {
                    return false;
                };
                let Some(track) = tracks.get(unit.track) else {
                    return false;
                };
                let packet = self.format.packet(tracks, unit);
                let has_video = tracks.first(Kind::Video).is_some();
                let is_video = track.kind() == Kind::Video;
                self.ring.push(Packaged {
                    bytes: packet.len() + size_of::<Packaged>(),
                    packet,
                    prelude: prelude.clone(),
                    micros: track.timebase.rescale(unit.dts, Timebase::MICROS),
                    starts: unit.random_access && (is_video || !has_video),
                });
                is_video || !has_video
            }
            // The group's own reader is never behind; were it, its members would find a later start.
            Item::Skipped(_) | Item::Ended(_) => false,
        }
    }
}

/// One socket.
struct Member<P> {
    socket: TcpStream,
    address: SocketAddr,
    /// Its task should look at its state again.
    wake: Notify,
    state: RefCell<MemberState<P>>,
}

struct MemberState<P> {
    peer: P,
    /// What has to go out before anything else: the rest of a write, and answers to the peer.
    unsent: VecDeque<Bytes>,
    /// When the peer's session wants to be woken.
    timeout: Option<Instant>,
    cursor: Cursor,
    /// Generation of tracks whose prelude has been sent.
    generation: Option<u64>,
    /// The socket is full, and has taken nothing since.
    blocked_since: Option<Instant>,
    /// Packets that were skipped.
    skipped: u64,
    /// Why the connection is to be closed once `unsent` is.
    closing: Option<&'static str>,
}

impl<P: Peer> MemberState<P> {
    /// Collects what the session wants.
    fn drain_peer(&mut self) {
        loop {
            match self.peer.poll_output() {
                Output::Send(bytes) => self.unsent.push_back(bytes),
                Output::Leave => {
                    self.closing.get_or_insert("it stopped playing");
                }
                Output::Timeout(timeout) => {
                    self.timeout = timeout.map(Instant::from_std);
                    return;
                }
            }
        }
    }
}

impl<P: Peer> Member<P> {
    /// Reads what the peer says and waits while the socket is full, until the connection ends. Says why.
    async fn run<F: Format>(&self, group: &Group<F, P>) -> &'static str {
        let mut buffer = [0; READ_BUFFER];
        self.flush(&group.packets.borrow().ring, &group.stream);
        loop {
            let (blocked_since, timeout, closing) = {
                let state = self.state.borrow();
                (
                    state.blocked_since,
                    state.timeout,
                    state.closing.filter(|_| state.unsent.is_empty()),
                )
            };
            if let Some(reason) = closing {
                self.shut_down(&mut buffer).await;
                return reason;
            }
            let interest = match blocked_since {
                Some(_) => Interest::READABLE | Interest::WRITABLE,
                None => Interest::READABLE,
            };
            let ready = tokio::select! {
                ready = self.socket.ready(interest) => ready,
                () = self.wake.notified() => continue,
                () = sleep_until(timeout) => {
                    let mut state = self.state.borrow_mut();
                    if state.peer.handle_timeout().is_err() {
                        return "it gave no sign of life";
                    }
                    state.drain_peer();
                    drop(state);
                    self.flush(&group.packets.borrow().ring, &group.stream);
                    continue;
                }
                () = sleep_until(blocked_since.map(|since| since + STALLED)) => return "it took nothing for 30 s",
            };
            let Ok(ready) = ready else {
                return "the connection broke";
            };
            if ready.is_readable() || ready.is_read_closed() {
                match self.socket.try_read(&mut buffer) {
                    Ok(0) => return "it closed the connection",
                    Ok(count) => {
                        let heard = self.hear(buffer.get(..count).unwrap_or_default(), group);
                        if let Err(reason) = heard {
                            tracing::debug!(address = %self.address, %reason, "closing a reader");
                            return "it broke the protocol";
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return "the connection broke",
                }
            }
            self.flush(&group.packets.borrow().ring, &group.stream);
        }
    }

    /// Passes what the peer said to its session.
    fn hear<F: Format>(&self, bytes: &[u8], group: &Group<F, P>) -> Result<(), String> {
        let mut state = self.state.borrow_mut();
        let was_paused = state.peer.paused();
        state.peer.handle_input(bytes)?;
        state.drain_peer();
        if was_paused && !state.peer.paused() {
            state.cursor = group.packets.borrow().ring.start();
        }
        Ok(())
    }

    /// Writes what the socket takes.
    fn flush(&self, ring: &Ring<Packaged>, stream: &Stream) {
        let mut state = self.state.borrow_mut();
        if let Err(error) = self.write(&mut state, ring, stream) {
            let was_open = state.blocked_since.is_none();
            if error.kind() == io::ErrorKind::WouldBlock {
                state.blocked_since.get_or_insert_with(Instant::now);
            } else {
                state.unsent.clear();
                state.closing = Some("the connection broke");
            }
            if was_open {
                self.wake.notify_one();
            }
        }
    }

    /// Writes until there is nothing left or the socket is full (an error of that kind).
    fn write(
        &self,
        state: &mut MemberState<P>,
        ring: &Ring<Packaged>,
        stream: &Stream,
    ) -> io::Result<()> {
        if state.unsent.len() > MAX_UNSENT {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        while !state.unsent.is_empty() {
            let written = self.write_unsent(&state.unsent)?;
            drop_front(&mut state.unsent, written);
            state.blocked_since = None;
        }
        while state.closing.is_none() && !state.peer.paused() {
            let packets = self.batch(state, ring, stream);
            let slices: SmallVec<[IoSlice<'_>; 16]> = packets
                .iter()
                .flat_map(|packet| &packet.slices)
                .map(|bytes| IoSlice::new(bytes))
                .collect();
            if slices.is_empty() {
                break;
            }
            let length: usize = slices.iter().map(|slice| slice.len()).sum();
            let written = match self.socket.try_write_vectored(&slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                result => result?,
            };
            if written < length {
                // What has been begun must be completed, whatever is skipped behind it.
                state.unsent.extend(
                    packets
                        .iter()
                        .flat_map(|packet| packet.slices.iter().cloned()),
                );
                drop_front(&mut state.unsent, written);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            state.blocked_since = None;
        }
        Ok(())
    }

    fn write_unsent(&self, unsent: &VecDeque<Bytes>) -> io::Result<usize> {
        let slices: SmallVec<[IoSlice<'_>; 16]> = unsent
            .iter()
            .take(MAX_SLICES)
            .map(|bytes| IoSlice::new(bytes))
            .collect();
        self.socket.try_write_vectored(&slices)
    }

    /// The packets that come next for this member, as many as one write should carry. The cursor moves.
    fn batch<'a>(
        &self,
        state: &mut MemberState<P>,
        ring: &'a Ring<Packaged>,
        stream: &Stream,
    ) -> SmallVec<[&'a Packet; 8]> {
        let mut packets = SmallVec::new();
        let (mut slices, mut bytes) = (0, 0);
        while slices < MAX_SLICES && bytes < MAX_WRITE {
            match ring.next(&mut state.cursor) {
                Step::Entry(entry) => {
                    if state.generation.replace(entry.prelude.generation)
                        != Some(entry.prelude.generation)
                    {
                        slices += entry.prelude.packet.slices.len();
                        packets.push(&entry.prelude.packet);
                    }
                    slices += entry.packet.slices.len();
                    bytes += entry.bytes;
                    packets.push(&entry.packet);
                }
                Step::Skipped(Skip { entries, cause }) => {
                    state.skipped += entries;
                    let (address, cause) = (self.address, cause.as_str());
                    tracing::warn!(stream = %stream.name(), %address, entries, cause, "reader too slow, skipped");
                }
                Step::UpToDate => break,
            }
        }
        packets
    }

    /// The connection is to be closed once all has been sent.
    fn close(&self, reason: &'static str) {
        let mut state = self.state.borrow_mut();
        state.closing.get_or_insert(reason);
        let written = self.write_unsent(&state.unsent);
        match written {
            Ok(written) => drop_front(&mut state.unsent, written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.blocked_since.get_or_insert_with(Instant::now);
            }
            Err(_) => state.unsent.clear(),
        }
        self.wake.notify_one();
    }

    /// Ends the sending side and lets the peer read what is on its way: closing at once would reset it.
    async fn shut_down(&self, buffer: &mut [u8]) {
        if socket2::SockRef::from(&self.socket)
            .shutdown(std::net::Shutdown::Write)
            .is_err()
        {
            return;
        }
        let read = async {
            while self.socket.readable().await.is_ok() {
                match self.socket.try_read(buffer) {
                    Ok(0) => break,
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
                    _ => {}
                }
            }
        };
        // A peer that keeps the connection has had its time.
        let _ = tokio::time::timeout(FAREWELL, read).await;
    }
}

/// Takes the first `count` bytes away.
fn drop_front(unsent: &mut VecDeque<Bytes>, mut count: usize) {
    while let Some(front) = unsent.front_mut() {
        if front.len() > count {
            front.advance(count);
            return;
        }
        count -= front.len();
        unsent.pop_front();
    }
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
