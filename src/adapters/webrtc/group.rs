//! One stream on one shard: read once, cut into packets once, and sent to each session from there.

use super::formats;
use super::worker::{Member, Shard};
use crate::hub::{Item, Stream, TrackSet};
use media::{AccessUnit, Codec, Kind};
use rtp::Payloads;
use rtp::payload::{h264, opus};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;

/// Longest payload in bytes: with the headers below it, a datagram that every path takes whole (1,280
/// bytes of IPv6).
const MAX_PAYLOAD: usize = 1_180;

/// Sessions of one stream, and the pictures that a new one begins with.
pub(super) struct Group {
    stream: Arc<Stream>,
    members: RefCell<Vec<Rc<Member>>>,
    recent: RefCell<Recent>,
    /// There may be no member left.
    left: Notify,
    ended: Cell<bool>,
}

/// The pictures since the newest random access point.
#[derive(Default)]
struct Recent {
    pictures: Vec<Sample>,
    bytes: usize,
}

/// One access unit in packets.
#[derive(Clone)]
struct Sample {
    kind: Kind,
    time: i64,
    ticks_per_second: u32,
    payloads: Payloads,
    random_access: bool,
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
        tokio::task::spawn_local(run(shard.clone(), group.clone()));
        group
    }

    /// A new session, not connected yet.
    pub(super) fn join(&self, member: &Rc<Member>) {
        self.members.borrow_mut().push(member.clone());
    }

    /// A viewer has lost too much to go on without a random access point.
    pub(super) fn want_random_access(&self) {
        self.stream.want_random_access();
    }

    /// A member is over.
    pub(super) fn leave(&self) {
        self.members
            .borrow_mut()
            .retain(|member| !member.over.get());
        self.left.notify_one();
    }

    /// Sends what a session begins with, now that it is connected: the pictures since the newest random
    /// access point, for the decoder more than for the eye. Their times are drawn together so that they are
    /// over at once, and sound is left out, which cannot be drawn together; otherwise the player would stay
    /// behind by as much as it was sent.
    pub(super) fn begin(&self, member: &Member) {
        let recent = self.recent.borrow();
        let Some(last) = recent.pictures.last() else {
            return;
        };
        let now = Instant::now();
        let step = i64::from(last.ticks_per_second / 1_000).max(1);
        let mut session = member.session.borrow_mut();
        for (after, sample) in (0..recent.pictures.len()).rev().zip(&recent.pictures) {
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let drawn = last.time.saturating_sub(after.saturating_mul(step));
            let time = sample.time.max(drawn);
            session.send(
                now,
                sample.kind,
                time,
                sample.ticks_per_second,
                &sample.payloads,
            );
        }
        member.started.set(true);
    }

    fn remember(&self, sample: &Sample, max_bytes: usize) {
        let mut recent = self.recent.borrow_mut();
        if sample.kind != Kind::Video {
            return;
        }
        if sample.random_access || recent.bytes > max_bytes {
            *recent = Recent::default();
        }
        if sample.random_access || !recent.pictures.is_empty() {
            recent.bytes += sample.payloads.bytes();
            recent.pictures.push(sample.clone());
        }
    }

    fn send(&self, shard: &Shard, sample: &Sample) {
        let now = Instant::now();
        // Members may leave meanwhile; whoever is passed over by that has lost a packet.
        let count = self.members.borrow().len();
        for index in 0..count {
            let member = self.members.borrow().get(index).cloned();
            let Some(member) = member.filter(|member| member.connected.get()) else {
                continue;
            };
            if !member.started.get() {
                let begins = match member.formats.video {
                    Some(_) => sample.kind == Kind::Video && sample.random_access,
                    None => true,
                };
                if !begins {
                    continue;
                }
                member.started.set(true);
            }
            member.session.borrow_mut().send(
                now,
                sample.kind,
                sample.time,
                sample.ticks_per_second,
                &sample.payloads,
            );
            shard.drain(&member);
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

async fn run(shard: Rc<Shard>, group: Rc<Group>) {
    let mut reader = shard.shared.bridges.reader(&group.stream);
    let mut tracks: Option<Arc<TrackSet>> = None;
    let max_bytes = shard.shared.bounds.reader_bytes;
    loop {
        let item = tokio::select! {
            biased;
            () = group.left.notified() => {
                if group.members.borrow().is_empty() {
                    break;
                }
                continue;
            }
            item = reader.next() => item,
        };
        match item {
            Item::Tracks(new) => {
                *group.recent.borrow_mut() = Recent::default();
                let formats = formats::of(&new).ok();
                let kinds = formats.map(|new| (new.video.is_some(), new.audio.is_some()));
                group.close(&shard, "the stream has other tracks", |member| {
                    let had = (
                        member.formats.video.is_some(),
                        member.formats.audio.is_some(),
                    );
                    kinds != Some(had)
                });
                tracks = Some(new);
            }
            Item::Unit(unit) => {
                let sample = tracks.as_ref().and_then(|tracks| packetize(tracks, &unit));
                if let Some(sample) = sample {
                    group.remember(&sample, max_bytes);
                    group.send(&shard, &sample);
                }
            }
            Item::Skipped(skip) => {
                group.stream.note_skip("webrtc", &"shard", &skip);
                *group.recent.borrow_mut() = Recent::default();
            }
            Item::Ended(_) => break,
        }
    }
    group.ended.set(true);
    shard.remove_group(&group);
    group.close(&shard, "the stream has ended", |_| true);
}

/// The packets of an access unit; none when its codec is not sent by WebRTC.
fn packetize(tracks: &TrackSet, unit: &AccessUnit) -> Option<Sample> {
    let track = tracks.get(unit.track)?;
    let kind = track.kind();
    // A second track of a kind has no place in a session.
    if tracks.first(kind)?.id != track.id {
        return None;
    }
    let payloads = match &track.codec {
        Codec::H264(config) => h264::packetize(&unit.payload, Some(config), MAX_PAYLOAD).ok()?,
        Codec::Opus(_) => opus::packetize(&unit.payload),
        _ => return None,
    };
    Some(Sample {
        kind,
        time: unit.pts,
        ticks_per_second: track.timebase.ticks_per_second(),
        payloads,
        random_access: unit.random_access,
    })
}
