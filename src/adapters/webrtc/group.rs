//! One stream on one shard: read once, cut into packets once, and sent to each session from there.

use super::cutter::Cutter;
use super::formats;
use super::recent::{Recent, Sample};
use super::worker::{Member, Shard};
use crate::bridge::Sound;
use crate::hub::{Item, Stream};
use futures_util::FutureExt;
use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Sessions of one stream, and the pictures that a new one begins with.
pub(super) struct Group {
    stream: Arc<Stream>,
    members: RefCell<Vec<Rc<Member>>>,
    recent: RefCell<Recent>,
    /// There may be no member left.
    left: Notify,
    ended: Cell<bool>,
}

impl Group {
    /// The group of this stream among `groups`, those of the shard; made and started if there is none.
    pub(super) fn of(
        shard: &Rc<Shard>,
        groups: &RefCell<Vec<Rc<Self>>>,
        stream: &Arc<Stream>,
    ) -> Rc<Self> {
        let mut groups = groups.borrow_mut();
        let found = groups
            .iter()
            .find(|group| Arc::ptr_eq(&group.stream, stream) && !group.ended.get());
        if let Some(group) = found {
            return group.clone();
        }
        let group = Rc::new(Self {
            stream: stream.clone(),
            members: RefCell::default(),
            recent: RefCell::default(),
            left: Notify::new(),
            ended: Cell::new(false),
        });
        groups.push(group.clone());
        tokio::task::spawn_local(serve(shard.clone(), group.clone()));
        group
    }

    /// A new session, not connected yet.
    pub(super) fn join(&self, member: &Rc<Member>) {
        self.members.borrow_mut().push(member.clone());
    }

    /// A viewer has lost too much to go on without a random access point: the source is asked for one, and where none
    /// comes soon, the viewer is sent the newest one again.
    pub(super) fn want_random_access(&self, member: &Member) {
        self.stream.want_random_access();
        member.supply.borrow_mut().want(Instant::now());
    }

    /// A member is over.
    pub(super) fn leave(&self) {
        self.members
            .borrow_mut()
            .retain(|member| !member.over.get());
        self.left.notify_one();
    }

    /// Begins to send, now that the session is connected: the pictures since the newest random access point, for the
    /// decoder more than for the eye. Sound is left out, which cannot be drawn together.
    pub(super) fn begin(&self, shard: &Shard, member: &Rc<Member>) {
        let begins = self.recent.borrow().drawn_together().collect();
        let now = Instant::now();
        member.supply.borrow_mut().begin(now, begins);
        self.catch_up(shard, member);
    }

    /// Begins anew with those pictures, where a viewer has waited long enough for others.
    pub(super) fn begin_again(&self, shard: &Shard, member: &Rc<Member>, now: Instant) {
        if !member.supply.borrow_mut().is_due(now) {
            return;
        }
        let again = self.recent.borrow().squeezed();
        if !again.is_empty() {
            member.supply.borrow_mut().begin_again(now, again);
            self.catch_up(shard, member);
        }
    }

    /// Sends the next part of what a session is behind.
    pub(super) fn catch_up(&self, shard: &Shard, member: &Rc<Member>) {
        let now = Instant::now();
        let takes = member.takes();
        let part = member.supply.borrow_mut().part(now, takes);
        for sample in part {
            member.send(now, &sample);
        }
        shard.note_catching_up(member);
    }

    /// Sends what was captured `delay` ago to all members.
    fn send(&self, shard: &Shard, sample: &Sample, delay: Duration) {
        let now = Instant::now();
        // Members may leave meanwhile; whoever is passed over by that has lost a packet.
        let count = self.members.borrow().len();
        for index in 0..count {
            let member = self.members.borrow().get(index).cloned();
            let Some(member) = member.filter(|member| member.connected.get()) else {
                continue;
            };
            let has_video = member.formats.video.is_some();
            let takes = member.takes();
            let mut supply = member.supply.borrow_mut();
            let is_sent = supply.take(now, sample, has_video, takes);
            if let Some(skip) = supply.skip(now) {
                self.stream.note_skip("webrtc", &member.peer(), &skip);
            }
            drop(supply);
            shard.note_catching_up(&member);
            if !is_sent {
                continue;
            }
            shard.contain(&member, || {
                member.session.borrow_mut().set_delay(delay);
                member.send(now, sample);
                shard.drain(&member);
            });
        }
    }

    /// Ends the sessions for which `which` holds. Their players come back and are offered what there is.
    fn close(&self, shard: &Shard, reason: &str, which: impl Fn(&Member) -> bool) {
        let members = self.members.borrow().clone();
        for member in members.iter().filter(|member| which(member)) {
            shard.close(member, reason);
        }
    }
}

/// Serves the group until it has no members any more or there is nothing to send.
async fn serve(shard: Rc<Shard>, group: Rc<Group>) {
    let run = AssertUnwindSafe(run(&shard, &group)).catch_unwind();
    let reason = run.await.unwrap_or("a defect in the server");
    group.ended.set(true);
    shard.remove_group(&group);
    group.close(&shard, reason, |_| true);
}

/// Gives why it is over.
async fn run(shard: &Shard, group: &Group) -> &'static str {
    let mut reader = shard.shared.bridges.reader(&group.stream, Sound::Opus);
    let mut cutter = Cutter::default();
    let max_bytes = shard.shared.hub.bounds().reader_bytes;
    loop {
        let item = tokio::select! {
            biased;
            () = group.left.notified() => {
                if group.members.borrow().is_empty() {
                    return "nobody watches";
                }
                continue;
            }
            item = reader.next() => item,
        };
        match item {
            Item::Tracks(new) => {
                if cutter.set_tracks(&new) {
                    *group.recent.borrow_mut() = Recent::default();
                }
                // Pictures to begin with may be older than what the offer was answered with.
                let newest = group.stream.snapshot().tracks;
                let formats = formats::of(&new);
                group.close(shard, "the stream has other tracks", |member| {
                    let goes_on = formats.is_ok_and(|now| member.formats.goes_on_with(now));
                    !goes_on && new.generation == newest.generation
                });
            }
            Item::Unit(unit) => {
                let (sample, delay) = match cutter.cut(&unit) {
                    Ok(Some(cut)) => cut,
                    Ok(None) => continue,
                    Err(reason) => return reason,
                };
                group.recent.borrow_mut().remember(&sample, max_bytes);
                group.send(shard, &sample, delay);
            }
            Item::Skipped(skip) => {
                group.stream.note_skip("webrtc", &"shard", &skip);
                *group.recent.borrow_mut() = Recent::default();
            }
            Item::Ended(_) => return "the stream has ended",
        }
    }
}
