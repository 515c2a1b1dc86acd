//! One socket of a group: its place in the stream, and what waits to be written.

use super::group::{Fresh, Group, Packaged, Place};
use super::{Format, Output, Packet, Peer, sleep_until};
use crate::hub::ring::{Cursor, Ring, Step};
use crate::hub::{Ended, Stream, Tally, Viewer};
use crate::net::socket::Socket;
use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A socket that takes nothing for so long is closed.
const STALLED: Duration = Duration::from_secs(30);

/// Slices and bytes handed to one write at most; a single packet may be larger. What a full socket leaves
/// of them stays in memory for it.
const MAX_SLICES: usize = 256;
const MAX_WRITE: usize = 512 << 10;

/// Bytes read from a peer at a time; players have little to say.
const READ_BUFFER: usize = 4_096;

/// Slices that may wait for one socket: what a write left, and answers to the peer. A peer that asks more
/// without reading is closed.
const MAX_UNSENT: usize = 8 * MAX_SLICES;

/// Bytes of answers to the peer that may wait for one socket.
const MAX_ANSWERS: usize = 256 << 10;

/// Why a connection ends that can no longer be used.
const BROKEN: &str = "the connection broke";

thread_local! {
    /// Where all members of a shard read to, one after the other.
    static INPUT: RefCell<[u8; READ_BUFFER]> = const { RefCell::new([0; READ_BUFFER]) };
}

/// What reading from a peer came to.
enum Heard {
    /// What it said has been passed on, if it said something.
    Something,
    /// It will say no more.
    End,
    /// What it said is none of the protocol, for this reason.
    Nonsense(String),
}

/// One socket.
pub(super) struct Member<P> {
    socket: Socket,
    address: SocketAddr,
    /// What it is counted under.
    protocol: &'static str,
    tally: Arc<Tally>,
    /// Its task should look at its state again.
    wake: Notify,
    state: RefCell<MemberState<P>>,
}

struct MemberState<P> {
    peer: P,
    /// What has to go out before anything else: the rest of a write, and answers to the peer.
    unsent: VecDeque<Bytes>,
    /// Bytes of answers since nothing had to go out.
    answers: usize,
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
    /// Whether the newest packets are what comes next for this member.
    fn has_all_before(&self, fresh: &Fresh) -> bool {
        self.cursor == fresh.from
            && self.generation == Some(fresh.generation)
            && self.closing.is_none()
            && !self.peer.paused()
    }

    /// Collects what the session wants.
    fn drain_peer(&mut self) {
        loop {
            match self.peer.poll_output() {
                Output::Send(bytes) => {
                    self.answers = self.answers.saturating_add(bytes.len());
                    self.unsent.push_back(bytes);
                }
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
    /// A socket that begins at that place in its group's packets.
    pub(super) fn new(
        socket: Socket,
        address: SocketAddr,
        protocol: &'static str,
        mut peer: P,
        (cursor, place): (Cursor, Option<Place>),
        viewer: &Viewer,
    ) -> Self {
        peer.begin(place.as_deref());
        let mut state = MemberState {
            peer,
            unsent: VecDeque::new(),
            answers: 0,
            timeout: None,
            cursor,
            generation: None,
            blocked_since: None,
            skipped: 0,
            closing: None,
        };
        state.drain_peer();
        Self {
            socket,
            address,
            protocol,
            tally: viewer.tally().clone(),
            wake: Notify::new(),
            state: RefCell::new(state),
        }
    }

    /// Packets that were skipped because the peer was too slow.
    pub(super) fn skipped(&self) -> u64 {
        self.state.borrow().skipped
    }

    /// The stream is over: lets the session say so.
    pub(super) fn end(&self, reason: Ended) {
        let mut state = self.state.borrow_mut();
        state.peer.end(reason);
        state.drain_peer();
    }

    /// Reads what the peer says and waits while the socket is full, until the connection ends, or the viewer may watch no
    /// more. Says why.
    pub(super) async fn run<F: Format>(
        &self,
        group: &Group<F, P>,
        viewer: &Viewer,
    ) -> &'static str {
        self.flush(&group.packets.borrow().ring, &group.stream, None);
        loop {
            let (blocked_since, timeout, closing, stays) = {
                let state = self.state.borrow();
                (
                    state.blocked_since,
                    state.timeout,
                    state.closing.filter(|reason| {
                        let all_sent = state.unsent.is_empty() && !self.socket.has_unsent();
                        all_sent || *reason == BROKEN
                    }),
                    state.closing.is_none(),
                )
            };
            if let Some(reason) = closing {
                self.socket.leave().await;
                return reason;
            }
            let interest = match blocked_since {
                Some(_) => Interest::READABLE | Interest::WRITABLE,
                None => Interest::READABLE,
            };
            let ready = tokio::select! {
                ready = self.socket.ready(interest) => ready,
                () = self.wake.notified() => continue,
                () = viewer.withdrawn(), if stays => {
                    self.end(Ended::Stopped);
                    self.close("it may watch no more");
                    continue;
                }
                () = sleep_until(timeout) => {
                    let mut state = self.state.borrow_mut();
                    if state.peer.handle_timeout().is_err() {
                        return "it gave no sign of life";
                    }
                    state.drain_peer();
                    drop(state);
                    self.flush(&group.packets.borrow().ring, &group.stream, None);
                    continue;
                }
                () = sleep_until(blocked_since.map(|since| since + STALLED)) => return "it took nothing for 30 s",
            };
            let Ok(ready) = ready else {
                return BROKEN;
            };
            if ready.is_readable() || ready.is_read_closed() {
                match self.hear(group) {
                    Ok(Heard::Something) => {}
                    Ok(Heard::End) => return "it closed the connection",
                    Ok(Heard::Nonsense(reason)) => {
                        tracing::debug!(address = %self.address, %reason, "closing a reader");
                        return "it broke the protocol";
                    }
                    Err(_) => return BROKEN,
                }
            }
            self.flush(&group.packets.borrow().ring, &group.stream, None);
        }
    }

    /// Passes what the peer says to its session.
    fn hear<F: Format>(&self, group: &Group<F, P>) -> io::Result<Heard> {
        INPUT.with_borrow_mut(|buffer| {
            let count = match self.socket.try_read(buffer) {
                Ok(0) => return Ok(Heard::End),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Heard::Something);
                }
                count => count?,
            };
            let mut state = self.state.borrow_mut();
            let was_paused = state.peer.paused();
            if let Err(reason) = state
                .peer
                .handle_input(buffer.get(..count).unwrap_or_default())
            {
                return Ok(Heard::Nonsense(reason));
            }
            state.drain_peer();
            if was_paused && !state.peer.paused() || state.peer.begins() {
                let (cursor, place) = group.packets.borrow().start();
                state.cursor = cursor;
                state.peer.begin(place.as_deref());
                state.drain_peer();
            }
            Ok(Heard::Something)
        })
    }

    /// Writes what the socket takes.
    pub(super) fn flush(&self, ring: &Ring<Packaged>, stream: &Stream, fresh: Option<&Fresh>) {
        let mut state = self.state.borrow_mut();
        let written = self.write(&mut state, ring, stream, fresh);
        match &written {
            Ok(()) => self.tally.is_up_to_date(),
            Err(_) => self.tally.is_behind(ring.behind(&state.cursor)),
        }
        if let Err(error) = written {
            let was_open = state.blocked_since.is_none();
            if error.kind() == io::ErrorKind::WouldBlock {
                state.blocked_since.get_or_insert_with(Instant::now);
            } else {
                state.unsent.clear();
                state.closing = Some(BROKEN);
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
        fresh: Option<&Fresh>,
    ) -> io::Result<()> {
        if state.unsent.len() > MAX_UNSENT || state.answers > MAX_ANSWERS {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        while !state.unsent.is_empty() {
            let written = self.write_unsent(&state.unsent)?;
            if state.generation.is_some() {
                self.tally.sent(written);
            }
            drop_front(&mut state.unsent, written);
            state.blocked_since = None;
        }
        state.answers = 0;
        if state.unsent.capacity() > 0 {
            // Most sockets are full only once, at the start: they need not keep room for that.
            state.unsent = VecDeque::new();
        }
        if let Some(fresh) = fresh.filter(|fresh| state.has_all_before(fresh)) {
            let written = none_if_full(self.socket.try_write(&fresh.bytes))?;
            self.tally.sent(written);
            if written > 0 {
                state.cursor = fresh.to.clone();
                state.blocked_since = None;
            }
            if written < fresh.bytes.len() {
                if written > 0 {
                    state.unsent.push_back(fresh.bytes.slice(written..));
                }
                return Err(io::ErrorKind::WouldBlock.into());
            }
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
            let written = none_if_full(self.socket.try_write_vectored(&slices))?;
            self.tally.sent(written);
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
        self.socket.try_flush()?;
        // What TLS had kept is gone as well. Who still waited for room would find it at once, for ever.
        state.blocked_since = None;
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
                Step::Skipped(skip) => {
                    state.skipped += skip.entries;
                    stream.note_skip(self.protocol, &self.address, &skip);
                }
                Step::UpToDate => break,
            }
        }
        packets
    }

    /// The connection is to be closed once all has been sent.
    pub(super) fn close(&self, reason: &'static str) {
        let mut state = self.state.borrow_mut();
        state.closing.get_or_insert(reason);
        let written = self.write_unsent(&state.unsent);
        match written {
            Ok(written) => {
                drop_front(&mut state.unsent, written);
                if self.socket.has_unsent() {
                    state.blocked_since.get_or_insert_with(Instant::now);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.blocked_since.get_or_insert_with(Instant::now);
            }
            Err(_) => state.unsent.clear(),
        }
        self.wake.notify_one();
    }
}

/// A full socket has taken no bytes, which is no error yet.
fn none_if_full(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        written => written,
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
