//! One stream on one shard in datagrams: read once, cut once, and sent to each player from there, an access unit
//! with one or two system calls.
//!
//! The connection of a player stays with its task. What both share is a [`Ticket`].

use super::cutter::{self, Cutter, Place};
use super::packets::Packets;
use super::sockets::{ANY, Sockets};
use crate::hub::ring::{Bounds, Cursor, Entry, Ring, Role, Roles, Step};
use crate::hub::{Item, Reader, Stream, TrackSet};
use crate::net::udp::Batch;
use media::{AccessUnit, Timebase};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// Longest payload in bytes: with the headers before it, a datagram that every path takes whole (1,280 bytes of
/// IPv6).
pub(super) const MAX_PAYLOAD: usize = 1_180;

/// What a player is sent of the past at a time, in bytes, and how long it has then to take that. A player reads
/// from a small buffer.
const BURST: usize = 48 << 10;
const PACE: Duration = Duration::from_millis(10);

/// What the task of a player's connection and its shard share.
#[derive(Debug)]
pub(super) struct Ticket {
    /// Where its packets go. There may be more than the stream has sections.
    pub(super) destinations: Vec<Destination>,
    /// The address of this machine that the player knows.
    pub(super) source: IpAddr,
    /// It wants no packets at the moment.
    pub(super) paused: AtomicBool,
    /// The connection is over.
    pub(super) left: CancellationToken,
    /// The stream is over, or is not sent any longer.
    pub(super) over: CancellationToken,
    /// Who is to be told where the player begins.
    asked: Mutex<Option<oneshot::Sender<Option<Place>>>>,
    /// Somebody is.
    again: Notify,
}

impl Ticket {
    /// For a player of these, sent from this address.
    pub(super) fn new(destinations: Vec<Destination>, source: IpAddr) -> Self {
        Self {
            destinations,
            source,
            paused: AtomicBool::new(false),
            left: CancellationToken::new(),
            over: CancellationToken::new(),
            asked: Mutex::default(),
            again: Notify::new(),
        }
    }

    /// Begins, or begins again. What comes is where; none where the stream has no random access point.
    pub(super) fn begin(&self) -> oneshot::Receiver<Option<Place>> {
        let (asked, place) = oneshot::channel();
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        self.paused.store(false, Ordering::Relaxed);
        self.again.notify_one();
        place
    }
}

/// Where the packets of one section go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destination {
    pub(super) section: usize,
    pub(super) rtp: SocketAddr,
    pub(super) rtcp: SocketAddr,
}

/// What makes a group.
pub(super) struct Parts {
    pub(super) stream: Arc<Stream>,
    pub(super) sockets: Arc<Sockets>,
    pub(super) bounds: Bounds,
}

/// The players of one stream on this shard.
struct Group {
    stream: Arc<Stream>,
    sockets: Arc<Sockets>,
    cutter: RefCell<Cutter>,
    ring: RefCell<Ring<Cut>>,
    members: RefCell<Vec<Rc<Member>>>,
    /// There is a member that has not been sent all, or none left.
    changed: Notify,
    finished: Cell<bool>,
}

/// One player.
struct Member {
    ticket: Arc<Ticket>,
    cursor: RefCell<Cursor>,
    /// What of the entry behind the cursor could not be sent yet, as the number of its run and a place in that.
    begun: Cell<Option<(usize, usize)>>,
    skipped: Cell<u64>,
}

/// An access unit in packets.
struct Cut {
    section: usize,
    packets: Packets,
    /// A report that goes before them.
    report: Vec<u8>,
    /// Where the stream stands before it, if a player may begin here.
    place: Option<Place>,
    micros: i64,
    role: Role,
}

/// How far sending has come.
#[derive(PartialEq, Eq)]
enum Sent {
    /// All there is.
    All,
    /// As much as is good at a time.
    Burst,
    /// As much as the socket takes.
    Full,
}

thread_local! {
    /// The groups of this shard by the address of their stream.
    static GROUPS: RefCell<HashMap<usize, Weak<Group>>> = RefCell::default();
}

impl Entry for Cut {
    fn bytes(&self) -> usize {
        self.packets.len() + self.report.len() + size_of::<Self>()
    }
    fn time(&self) -> i64 {
        self.micros
    }
    fn role(&self) -> Role {
        self.role
    }
}

/// Serves a player on the present shard until its connection or the stream ends. Must be called on a shard.
pub(super) async fn serve(parts: Parts, ticket: Arc<Ticket>) {
    // Also when something here panics.
    let _over = ticket.over.clone().drop_guard();
    let group = Group::of(parts);
    let member = group.join(ticket.clone());
    loop {
        tokio::select! {
            () = ticket.left.cancelled() => break,
            () = ticket.over.cancelled() => break,
            () = ticket.again.notified() => group.changed.notify_one(),
        }
    }
    group
        .members
        .borrow_mut()
        .retain(|other| !Rc::ptr_eq(other, &member));
    group.changed.notify_one();
    let skipped = member.skipped.get();
    tracing::debug!(stream = %group.stream.name(), skipped, "a player of datagrams left");
}

impl Group {
    fn of(parts: Parts) -> Rc<Self> {
        let key = Arc::as_ptr(&parts.stream) as usize;
        GROUPS.with_borrow_mut(|groups| {
            let known = groups.get(&key).and_then(Weak::upgrade);
            if let Some(group) = known.filter(|group| !group.finished.get()) {
                return group;
            }
            groups.retain(|_, group| group.strong_count() > 0);
            let group = Rc::new(Self {
                cutter: RefCell::new(Cutter::new(&parts.stream, &[], MAX_PAYLOAD)),
                stream: parts.stream,
                sockets: parts.sockets,
                ring: RefCell::new(Ring::new(parts.bounds)),
                members: RefCell::default(),
                changed: Notify::new(),
                finished: Cell::new(false),
            });
            groups.insert(key, Rc::downgrade(&group));
            tokio::task::spawn_local(group.clone().run());
            group
        })
    }

    /// A player that begins at the newest random access point. Its clock is told before its first packet.
    fn join(&self, ticket: Arc<Ticket>) -> Rc<Member> {
        let member = Rc::new(Member {
            ticket,
            cursor: RefCell::new(self.ring.borrow().start()),
            begun: Cell::new(None),
            skipped: Cell::new(0),
        });
        let newest = self.ring.borrow().newest().map(Entry::time);
        if let Some(micros) = newest {
            for (section, report) in self.cutter.borrow().reports(micros) {
                self.send_control(&member, section, &report);
            }
        }
        self.members.borrow_mut().push(member.clone());
        self.changed.notify_one();
        member
    }

    /// Cuts and sends until the stream ends or nobody is left.
    async fn run(self: Rc<Self>) {
        let farewell = Farewell(&self);
        let mut reader = Reader::new(self.stream.clone());
        let (mut tracks, mut roles) = (None, Roles::default());
        let mut rest = Sent::All;
        loop {
            let item = tokio::select! {
                item = reader.next() => Some(item),
                () = self.changed.notified() => None,
                () = tokio::time::sleep(PACE), if rest == Sent::Burst => None,
                () = self.sockets.rtp.writable(), if rest == Sent::Full => None,
            };
            let mut next = item;
            while let Some(item) = next {
                match self.take(item, &mut tracks, &mut roles) {
                    Ok(()) => next = reader.try_next(),
                    Err(reason) => return farewell.say(reason),
                }
            }
            if self.members.borrow().is_empty() {
                return;
            }
            rest = self.send();
        }
    }

    /// Takes what the stream has.
    ///
    /// # Errors
    /// Why there is nothing more to send.
    fn take(
        &self,
        item: Item,
        tracks: &mut Option<Arc<TrackSet>>,
        roles: &mut Roles,
    ) -> Result<(), &'static str> {
        match item {
            Item::Tracks(new) => {
                if let Some(broken) = tracks.as_ref().and_then(|old| cutter::breaks(old, &new)) {
                    return Err(broken);
                }
                // What is new reaches those who are told of it.
                let sections = cutter::sections(&new);
                self.cutter.borrow_mut().extend(&sections);
                *tracks = Some(new);
                Ok(())
            }
            Item::Unit(unit) => {
                if let Some(tracks) = tracks
                    && let Some(cut) = self.cut(tracks, &unit, roles.of(&unit, tracks))
                {
                    self.ring.borrow_mut().push(cut);
                }
                Ok(())
            }
            // The group's own reader is never behind; were it, its members would find a later start.
            Item::Skipped(_) => Ok(()),
            Item::Ended(_) => Err("the stream ended"),
        }
    }

    fn cut(&self, tracks: &TrackSet, unit: &AccessUnit, role: Role) -> Option<Cut> {
        let track = tracks.get(unit.track)?;
        let place = match role {
            Role::Start => self.cutter.borrow().place(tracks, unit),
            Role::Leading | Role::Follower | Role::Aside => None,
        };
        let mut section = None;
        let mut packets =
            Packets::with_capacity(unit.payload.len() + unit.payload.len() / 32 + 256);
        let mut report = Vec::new();
        self.cutter.borrow_mut().cut(tracks, unit, |packet| {
            section = Some(packet.section);
            if packet.control {
                report.extend_from_slice(packet.body);
            } else {
                packets.push(packet.head, packet.body);
            }
        });
        Some(Cut {
            section: section?,
            packets,
            report,
            place,
            micros: track.timebase.rescale(unit.dts, Timebase::MICROS),
            role,
        })
    }

    /// Sends to all members what they have not been sent.
    fn send(&self) -> Sent {
        let mut rest = Sent::All;
        let ring = self.ring.borrow();
        for member in self.members.borrow().iter() {
            match self.send_to(member, &ring) {
                Sent::All => {}
                Sent::Burst if rest == Sent::Full => {}
                sent => rest = sent,
            }
        }
        rest
    }

    fn send_to(&self, member: &Member, ring: &Ring<Cut>) -> Sent {
        if member.ticket.paused.load(Ordering::Relaxed) {
            // It goes on with what is new then.
            *member.cursor.borrow_mut() = ring.start();
            member.begun.set(None);
            return Sent::All;
        }
        let asked = member.ticket.asked.lock();
        let mut asked = asked.unwrap_or_else(PoisonError::into_inner);
        // Of a group that has just been made, nothing has been cut yet.
        if let Some(asked) = asked.take_if(|_| !ring.is_empty()) {
            let start = ring.start();
            let place = match ring.next(&mut start.clone()) {
                Step::Entry(cut) => cut.place.clone(),
                Step::Skipped(_) | Step::UpToDate => None,
            };
            *member.cursor.borrow_mut() = start;
            member.begun.set(None);
            // Who does not listen any more has left.
            let _ = asked.send(place);
        }
        drop(asked);
        let mut bytes = 0;
        loop {
            // Until an entry has been sent whole, the cursor stays in front of it.
            let mut cursor = member.cursor.borrow().clone();
            match ring.next(&mut cursor) {
                Step::Entry(cut) => {
                    if !self.send_cut(member, cut) {
                        return Sent::Full;
                    }
                    bytes += cut.packets.len();
                }
                Step::Skipped(skip) => {
                    member.begun.set(None);
                    member.skipped.set(member.skipped.get() + skip.entries);
                    let who = member.ticket.destinations.first().map(|to| to.rtp.ip());
                    if let Some(who) = who {
                        self.stream.note_skip("rtsp", &who, &skip);
                    }
                }
                Step::UpToDate => return Sent::All,
            }
            *member.cursor.borrow_mut() = cursor;
            if bytes >= BURST {
                return Sent::Burst;
            }
        }
    }

    /// Sends an access unit, or what is left of it. False when the socket is full.
    fn send_cut(&self, member: &Member, cut: &Cut) -> bool {
        let mut destinations = member.ticket.destinations.iter();
        let Some(to) = destinations.find(|to| to.section == cut.section) else {
            return true;
        };
        let begun = member.begun.take();
        if begun.is_none() && !cut.report.is_empty() {
            self.send_control(member, cut.section, &cut.report);
        }
        let (first, mut from) = begun.unwrap_or((0, 0));
        for (number, (contents, size)) in cut.packets.runs().enumerate().skip(first) {
            let batch = Batch {
                source: member.ticket.source,
                destination: to.rtp,
                contents,
                segment_size: (contents.len() > size).then_some(size),
            };
            let sent = self.sockets.rtp.send(&batch, from);
            if sent < contents.len() {
                member.begun.set(Some((number, sent)));
                return false;
            }
            from = 0;
        }
        true
    }

    fn send_control(&self, member: &Member, section: usize, packet: &[u8]) {
        let mut destinations = member.ticket.destinations.iter();
        if let Some(to) = destinations.find(|to| to.section == section) {
            self.sockets
                .send_control(member.ticket.source, to.rtcp, packet);
        }
    }
}

/// Tells the players that no more will come, also when the group's task panics.
struct Farewell<'a>(&'a Group);

impl Farewell<'_> {
    fn say(self, reason: &str) {
        let stream = self.0.stream.name();
        tracing::debug!(%stream, reason, "nothing more is sent in datagrams");
    }
}

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        self.0.finished.set(true);
        // After a panic in the midst of cutting, it cannot be asked.
        let cutter = self.0.cutter.try_borrow();
        let is_sent = |section| cutter.as_ref().is_ok_and(|cutter| cutter.cuts(section));
        for member in self.0.members.borrow().iter() {
            let destinations = member.ticket.destinations.iter();
            for to in destinations.filter(|to| is_sent(to.section)) {
                let bye = cutter::bye(self.0.stream.name(), to.section);
                self.0.send_control(member, to.section, &bye);
            }
            member.ticket.over.cancel();
        }
    }
}

/// The address to send from to a player that reached us at this address of ours.
pub(super) fn source(local: IpAddr) -> IpAddr {
    match local.to_canonical() {
        ip if ip.is_unspecified() => ANY,
        ip => ip,
    }
}
