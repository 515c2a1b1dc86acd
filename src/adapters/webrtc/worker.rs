//! The sessions of one shard: their datagrams, their timers, their ends.

use super::formats::Formats;
use super::group::Group;
use super::recent::Sample;
use super::router::{Home, Router};
use super::supply::{self, Supply, Takes};
use super::tcp::Link;
use super::told::Told;
use super::ways::Ways;
use crate::bridge::Bridges;
use crate::hub::{Hub, Viewer};
use crate::net::udp::{Batch, Datagram, Socket};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use webrtc::{Candidate, Event, OfferError, Output, Path, Session, Transmit, Transport};

/// How late a session's timer may be.
const TICK: Duration = Duration::from_millis(100);

/// Bytes that may wait on one shard for room in the socket; what is beyond that is lost.
const MAX_BACKLOG: usize = 16 << 20;

/// What a shard is told.
pub(super) enum Message {
    /// A datagram for the session of that name, and the connection that it came by, if it came by one.
    Datagram(Arc<str>, Datagram, Option<Arc<Link>>),
    /// A new session.
    Start(Box<Start>),
    /// The viewer or publisher of the session of that name has left.
    Stop(Arc<str>),
    /// ICE is to begin anew in the session of that name.
    Restart(Arc<str>, Box<Restart>),
}

/// How ICE is to begin anew.
pub(super) struct Restart {
    /// What the peer says.
    pub(super) fragment: String,
    pub(super) candidates: Vec<Candidate>,
    /// Where the answer goes.
    pub(super) answer: oneshot::Sender<Result<String, OfferError>>,
}

impl Restart {
    /// In this session.
    pub(super) fn answer(self, session: &mut Session) {
        let answer = session.restart(&self.fragment, &self.candidates);
        // Who asked may have gone.
        let _ = self.answer.send(answer);
    }
}

/// A session on its way to its shard.
pub(super) struct Start {
    pub(super) session: Session,
    pub(super) home: Home,
    /// Its secret, as in the address of its resource.
    pub(super) resource: String,
    pub(super) viewer: Viewer,
    /// What the stream had when the offer was answered.
    pub(super) formats: Formats,
    /// Who is told of it.
    pub(super) told: Option<Told>,
}

/// What all shards share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) socket: Arc<Socket>,
    pub(super) router: Arc<Router>,
    pub(super) bridges: Bridges,
    pub(super) hub: Hub,
}

/// One shard's sessions and groups.
pub(super) struct Shard {
    pub(super) shared: Shared,
    members: RefCell<HashMap<Arc<str>, Rc<Member>>>,
    groups: RefCell<Vec<Rc<Group>>>,
    /// Those that are still sent what they begin with.
    behind: RefCell<Vec<Rc<Member>>>,
    backlog: RefCell<Backlog>,
}

/// What waits for room in the socket, with how much of the first has been sent.
#[derive(Default)]
struct Backlog {
    transmits: VecDeque<(Transmit, usize)>,
    bytes: usize,
}

/// One session on its shard.
pub(super) struct Member {
    pub(super) session: RefCell<Session>,
    pub(super) formats: Formats,
    /// What it is sent, and when.
    pub(super) supply: RefCell<Supply>,
    pub(super) connected: Cell<bool>,
    /// Nothing more will come of it.
    pub(super) over: Cell<bool>,
    group: Rc<Group>,
    home: Home,
    resource: String,
    viewer: Viewer,
    told: Option<Told>,
    ways: RefCell<Ways>,
    due: Cell<Option<Instant>>,
}

/// Serves sessions on the present shard for ever.
pub(super) async fn run(shared: Shared, mut inbox: mpsc::Receiver<Message>) {
    let socket = shared.socket.clone();
    let shard = Rc::new(Shard::new(shared));
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut step = tokio::time::interval(supply::STEP);
    step.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let waiting = !shard.backlog.borrow().transmits.is_empty();
        let behind = !shard.behind.borrow().is_empty();
        let idle = shard.members.borrow().is_empty();
        tokio::select! {
            message = inbox.recv() => match message {
                Some(message) => shard.take(message),
                None => return,
            },
            () = socket.writable(), if waiting => shard.send_backlog(),
            _ = step.tick(), if behind => shard.catch_up(),
            _ = tick.tick(), if !idle => shard.handle_timeouts(),
        }
    }
}

impl Member {
    /// Who it is, for people.
    pub(super) fn peer(&self) -> String {
        let path = self.session.borrow().path();
        path.map_or_else(|| "nobody".to_owned(), |path| path.remote.to_string())
    }

    /// How well it takes what it is sent.
    pub(super) fn takes(&self) -> Takes {
        let session = self.session.borrow();
        if self.ways.borrow().is_slow(session.path()) {
            return Takes::Slowly;
        }
        Takes::by(&session)
    }

    /// Sends an access unit.
    pub(super) fn send(&self, now: Instant, sample: &Sample) {
        self.session.borrow_mut().send(
            now,
            sample.kind,
            sample.time,
            sample.timebase.ticks_per_second(),
            &sample.payloads,
        );
    }
}

impl Shard {
    pub(super) fn new(shared: Shared) -> Self {
        Self {
            shared,
            members: RefCell::default(),
            groups: RefCell::default(),
            behind: RefCell::default(),
            backlog: RefCell::default(),
        }
    }

    pub(super) fn take(self: &Rc<Self>, message: Message) {
        match message {
            Message::Datagram(ufrag, datagram, link) => {
                if let Some(member) = self.member(&ufrag) {
                    self.contain(&member, || self.handle_input(&member, &datagram, link));
                }
            }
            Message::Restart(ufrag, restart) => {
                if let Some(member) = self.member(&ufrag) {
                    self.contain(&member, || restart.answer(&mut member.session.borrow_mut()));
                }
            }
            Message::Start(start) => self.start(*start),
            Message::Stop(ufrag) => {
                if let Some(member) = self.member(&ufrag) {
                    self.close(&member, "the viewer left");
                }
            }
        }
    }

    /// The session of that name.
    pub(super) fn member(&self, ufrag: &str) -> Option<Rc<Member>> {
        self.members.borrow().get(ufrag).cloned()
    }

    /// Does what concerns one session. A panic there, which the server counts as it does all, ends that
    /// session and no other.
    pub(super) fn contain(&self, member: &Member, act: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(act)).is_err() {
            self.forget(member, "a defect in the server");
        }
    }

    fn start(self: &Rc<Self>, start: Start) {
        let group = Group::of(self, &self.groups, start.viewer.stream());
        let member = Rc::new(Member {
            session: RefCell::new(start.session),
            formats: start.formats,
            supply: RefCell::default(),
            connected: Cell::new(false),
            over: Cell::new(false),
            group: group.clone(),
            home: start.home,
            resource: start.resource,
            viewer: start.viewer,
            told: start.told,
            ways: RefCell::default(),
            due: Cell::new(None),
        });
        group.join(&member);
        let ufrag = member.home.ufrag.clone();
        self.members.borrow_mut().insert(ufrag, member.clone());
        self.contain(&member, || {
            self.drain(&member);
        });
    }

    fn handle_input(&self, member: &Rc<Member>, datagram: &Datagram, link: Option<Arc<Link>>) {
        let path = path_of(datagram, link.is_some());
        if !member.ways.borrow_mut().note(path.remote, link) {
            return;
        }
        let mut session = member.session.borrow_mut();
        session.handle_input(Instant::now(), path, &datagram.bytes);
        drop(session);
        if self.drain(member) == Some(path) {
            let mut ways = member.ways.borrow_mut();
            ways.answered(path, &self.shared.router, &member.home);
        }
    }

    fn handle_timeouts(&self) {
        let now = Instant::now();
        let is_due = |member: &&Rc<Member>| member.due.get().is_some_and(|due| due <= now);
        let due: Vec<_> = self
            .members
            .borrow()
            .values()
            .filter(is_due)
            .cloned()
            .collect();
        for member in self.withdrawn() {
            self.close(&member, "it may watch no more");
        }
        for member in due {
            self.contain(&member, || {
                member.session.borrow_mut().handle_timeout(now);
                self.drain(&member);
            });
        }
        let is_waiting = |member: &&Rc<Member>| member.supply.borrow().is_due(now);
        let members = self.members.borrow();
        let waiting: Vec<_> = members.values().filter(is_waiting).cloned().collect();
        drop(members);
        for member in waiting {
            self.contain(&member, || {
                member.group.begin_again(self, &member, now);
                self.drain(&member);
            });
        }
    }

    /// Those whose right was withdrawn.
    fn withdrawn(&self) -> Vec<Rc<Member>> {
        let members = self.members.borrow();
        let withdrawn = members
            .values()
            .filter(|member| member.viewer.is_withdrawn());
        withdrawn.cloned().collect()
    }

    /// Sends those that are behind the next part.
    fn catch_up(&self) {
        for member in self.behind.take() {
            self.contain(&member, || {
                member.group.catch_up(self, &member);
                self.drain(&member);
            });
        }
    }

    /// The member is to be sent more before long, if it is behind.
    pub(super) fn note_catching_up(&self, member: &Rc<Member>) {
        let mut behind = self.behind.borrow_mut();
        let is_noted = || behind.iter().any(|other| Rc::ptr_eq(other, member));
        if member.supply.borrow().is_behind() && !member.over.get() && !is_noted() {
            behind.push(member.clone());
        }
    }

    /// Says goodbye to a viewer.
    pub(super) fn close(&self, member: &Rc<Member>, reason: &str) {
        self.contain(member, || {
            member.session.borrow_mut().close(Instant::now());
            self.drain(member);
            self.forget(member, reason);
        });
    }

    /// Does what the session wants, and gives where it has sent something last.
    pub(super) fn drain(&self, member: &Rc<Member>) -> Option<Path> {
        let mut last = None;
        loop {
            let output = member.session.borrow_mut().poll_output();
            match output {
                Output::Transmit(transmit) => {
                    last = Some(transmit.path);
                    if member.connected.get() {
                        member.viewer.tally().sent(transmit.contents.len());
                    }
                    match transmit.path.transport {
                        Transport::Udp => self.send(transmit),
                        Transport::Tcp => member.ways.borrow().send(&transmit),
                    }
                }
                Output::Event(Event::Connected) => {
                    member.connected.set(true);
                    member.told.iter().for_each(Told::connected);
                    member.group.begin(self, member);
                }
                Output::Event(Event::RandomAccessWanted) => {
                    member.group.want_random_access(member);
                }
                // Viewers send none.
                Output::Event(Event::Packet { .. }) => {}
                Output::Event(Event::Closed { reason }) => {
                    self.forget(member, &reason.to_string());
                }
                Output::Timeout(due) => {
                    member.due.set(due);
                    return last;
                }
            }
        }
    }

    fn forget(&self, member: &Member, reason: &str) {
        if member.over.replace(true) {
            return;
        }
        self.members.borrow_mut().remove(&member.home.ufrag);
        let ways = member.ways.take();
        let router = &self.shared.router;
        router.remove(&member.resource, &member.home, &ways.addresses);
        member.group.leave();
        let stats = member.session.borrow().stats();
        let (stream, connected) = (member.viewer.stream().name(), member.connected.get());
        let webrtc::Stats {
            packets,
            retransmitted,
            not_retransmitted,
            ..
        } = stats;
        let session = &*member.home.ufrag;
        tracing::info!(%stream, session, connected, packets, retransmitted, not_retransmitted, reason, "WebRTC viewer left");
    }

    /// The group has no members left.
    pub(super) fn remove_group(&self, group: &Rc<Group>) {
        self.groups
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, group));
    }

    fn send(&self, transmit: Transmit) {
        let mut backlog = self.backlog.borrow_mut();
        let length = transmit.contents.len();
        let sent = if backlog.transmits.is_empty() {
            self.shared.socket.send(&batch(&transmit), 0)
        } else {
            0
        };
        if sent < length && backlog.bytes + length <= MAX_BACKLOG {
            backlog.bytes += length;
            backlog.transmits.push_back((transmit, sent));
        }
    }

    fn send_backlog(&self) {
        let mut backlog = self.backlog.borrow_mut();
        while let Some((transmit, sent)) = backlog.transmits.front_mut() {
            let length = transmit.contents.len();
            *sent = self.shared.socket.send(&batch(transmit), *sent);
            if *sent < length {
                return;
            }
            backlog.transmits.pop_front();
            backlog.bytes = backlog.bytes.saturating_sub(length);
        }
    }
}

/// The path over which something came.
pub(super) const fn path_of(datagram: &Datagram, is_connection: bool) -> Path {
    Path {
        transport: match is_connection {
            true => Transport::Tcp,
            false => Transport::Udp,
        },
        local: datagram.destination,
        remote: datagram.source,
    }
}

/// As the socket takes it.
pub(super) fn batch(transmit: &Transmit) -> Batch<'_> {
    Batch {
        source: transmit.path.local.ip(),
        destination: transmit.path.remote,
        contents: &transmit.contents,
        segment_size: transmit.segment_size,
    }
}
