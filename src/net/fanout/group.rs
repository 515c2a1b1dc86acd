//! The sockets of one shard that get the same stream in the same form.

use super::member::Member;
use super::{Format, Packet, Peer, sleep_until};
use crate::bridge::Reader;
use crate::hub::ring::{Bounds, Cursor, Entry, Ring, Role, Roles, Step};
use crate::hub::{Ended, Item, Stream, TrackSet};
use bytes::{Bytes, BytesMut};
use media::{Kind, Timebase};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Audio waits for the next picture this long at most, so that one write carries both. Longer than the
/// distance of two pictures at 25 per second; too short to be noticed.
const AUDIO_WAIT: Duration = Duration::from_millis(45);

/// More bytes than this are written from where they are rather than joined.
const MAX_FRESH: usize = 1 << 20;

/// The sockets of this shard that get one stream in one form.
pub(super) struct Group<F, P> {
    pub(super) stream: Arc<Stream>,
    pub(super) packets: RefCell<Packets<F>>,
    pub(super) members: RefCell<Vec<Rc<Member<P>>>>,
    /// Its task is over: what is left of its members says goodbye, and nobody may join.
    finished: Cell<bool>,
}

/// The stream's recent past in the group's form.
pub(super) struct Packets<F> {
    format: F,
    pub(super) ring: Ring<Packaged>,
    roles: Roles,
    tracks: Option<(Arc<TrackSet>, Rc<Prelude>)>,
    /// What the newest prelude takes, until a packet has been counted with it.
    prelude_bytes: usize,
    /// Why members cannot be sent what has come.
    broken: Option<&'static str>,
    /// Where the packets begin that no member has been shown, and their length in bytes.
    fresh_from: Cursor,
    fresh_length: usize,
}

/// The newest packets in one piece. One write of one piece costs the system less than one of many, and the
/// copy is made once for all members that have everything before it.
pub(super) struct Fresh {
    /// Where such a member stands before it,
    pub(super) from: Cursor,
    /// and behind it.
    pub(super) to: Cursor,
    /// Generation of all of its packets.
    pub(super) generation: u64,
    /// The packets.
    pub(super) bytes: Bytes,
}

/// A packet in a group's memory.
pub(super) struct Packaged {
    pub(super) packet: Packet,
    pub(super) bytes: usize,
    pub(super) prelude: Rc<Prelude>,
    /// Where the form stands before it, if somebody may begin here.
    place: Option<Place>,
    micros: i64,
    role: Role,
}

/// What comes before the packets of one generation of tracks.
pub(super) struct Prelude {
    pub(super) generation: u64,
    pub(super) packet: Packet,
}

impl Entry for Packaged {
    fn bytes(&self) -> usize {
        self.bytes
    }
    fn time(&self) -> i64 {
        self.micros
    }
    fn role(&self) -> Role {
        self.role
    }
}

/// A place in a form, for peers.
pub(super) type Place = Rc<dyn Any>;

/// Groups by the address of their stream, and the name and the variant of their form.
type Groups = HashMap<(usize, &'static str, Vec<u8>), Weak<dyn Any>>;

/// Variants of a form that are made of one stream at a time. Each has packets of its own. What protocols let readers choose
/// between is less.
const MAX_VARIANTS: usize = 64;

thread_local! {
    /// The groups of this shard. A group lives as long as its task and its members.
    static GROUPS: RefCell<Groups> = RefCell::default();
}

impl<F: Format, P: Peer> Group<F, P> {
    /// The group of this shard for `stream`, started with this form if there is none. None where there are as many
    /// others as there may be.
    pub(super) fn of(
        form: F,
        stream: &Arc<Stream>,
        read: impl FnOnce() -> Reader,
        bounds: Bounds,
    ) -> Option<Rc<Self>> {
        let key = (Arc::as_ptr(stream) as usize, F::NAME, form.variant());
        GROUPS.with_borrow_mut(|groups| {
            let known = groups
                .get(&key)
                .and_then(Weak::upgrade)
                .and_then(|group| group.downcast::<Self>().ok())
                .filter(|group| !group.finished.get());
            known.or_else(|| {
                groups.retain(|_, group| group.strong_count() > 0);
                let others = groups.keys();
                let others = others.filter(|(stream, name, _)| (*stream, *name) == (key.0, key.1));
                if others.count() >= MAX_VARIANTS {
                    return None;
                }
                let group = Self::start(form, stream, read(), bounds);
                let any: Rc<dyn Any> = group.clone();
                groups.insert(key, Rc::downgrade(&any));
                Some(group)
            })
        })
    }

    fn start(format: F, stream: &Arc<Stream>, mut reader: Reader, bounds: Bounds) -> Rc<Self> {
        let ring = Ring::new(bounds);
        let packets = Packets {
            format,
            fresh_from: ring.end(),
            fresh_length: 0,
            ring,
            roles: Roles::default(),
            tracks: None,
            prelude_bytes: 0,
            broken: None,
        };
        let group = Rc::new(Self {
            stream: stream.clone(),
            packets: RefCell::new(packets),
            members: RefCell::default(),
            finished: Cell::new(false),
        });
        // With the current GOP packaged, the first member starts as every later one does.
        let ended = group.take_all(&mut reader).1;
        group.packets.borrow_mut().forget_past();
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
            let fresh = self.packets.borrow_mut().join_fresh();
            let packets = self.packets.borrow();
            let members = self.members.borrow();
            for member in members.iter() {
                member.flush(&packets.ring, &self.stream, fresh.as_ref());
            }
            if members.is_empty() {
                break;
            }
            if let Some(reason) = packets.broken {
                for member in members.iter() {
                    member.end(Ended::Finished);
                    member.close(reason);
                }
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
                member.end(ended);
            }
        }
    }
}

impl<F: Format, P: Peer> Drop for Farewell<'_, F, P> {
    fn drop(&mut self) {
        self.0.finished.set(true);
        for member in self.0.members.borrow().iter() {
            member.close("the stream ended");
        }
    }
}

impl<F: Format> Packets<F> {
    /// Where a member begins now, and what its peer is told of that.
    pub(super) fn start(&self) -> (Cursor, Option<Place>) {
        let cursor = self.ring.start();
        let place = match self.ring.next(&mut cursor.clone()) {
            Step::Entry(entry) => entry.place.clone(),
            Step::Skipped(_) | Step::UpToDate => None,
        };
        (cursor, place)
    }

    /// What there is has been shown to all members, and has driven none away: there are none.
    fn forget_past(&mut self) {
        self.broken = None;
        self.fresh_from = self.ring.end();
        self.fresh_length = 0;
    }

    /// Joins what has come since the last call. None where that is too large to be worth a copy, or of more
    /// than one generation: members then write packet by packet.
    fn join_fresh(&mut self) -> Option<Fresh> {
        let from = std::mem::replace(&mut self.fresh_from, self.ring.end());
        let length = std::mem::take(&mut self.fresh_length);
        if length == 0 || length > MAX_FRESH {
            return None;
        }
        let mut bytes = BytesMut::with_capacity(length);
        let mut cursor = from.clone();
        let mut generation = None;
        while let Step::Entry(entry) = self.ring.next(&mut cursor) {
            if *generation.get_or_insert(entry.prelude.generation) != entry.prelude.generation {
                return None;
            }
            for slice in &entry.packet.slices {
                bytes.extend_from_slice(slice);
            }
        }
        Some(Fresh {
            from,
            to: cursor,
            generation: generation?,
            bytes: bytes.freeze(),
        })
    }

    /// Packages an item. True when it should go out at once rather than wait for the next picture.
    fn take(&mut self, item: &Item) -> bool {
        match item {
            Item::Tracks(tracks) => {
                if let Some((before, _)) = &self.tracks {
                    self.broken = self.broken.or_else(|| self.format.breaks(before, tracks));
                }
                let packet = self.format.prelude(tracks);
                self.begin(tracks.clone(), packet);
                false
            }
            Item::Unit(unit) => {
                let Some((tracks, prelude)) = &self.tracks else {
                    return false;
                };
                let Some(track) = tracks.get(unit.track) else {
                    return false;
                };
                let role = self.roles.of(unit, tracks);
                let is_start = role == Role::Start;
                let place = is_start.then(|| self.format.place(tracks, unit)).flatten();
                let packet = self.format.packet(tracks, unit);
                let has_video = tracks.first(Kind::Video).is_some();
                let is_video = track.kind() == Kind::Video;
                self.fresh_length += packet.len();
                self.ring.push(Packaged {
                    bytes: packet.len()
                        + size_of::<Packaged>()
                        + std::mem::take(&mut self.prelude_bytes),
                    packet,
                    prelude: prelude.clone(),
                    place,
                    micros: track.timebase.rescale(unit.dts, Timebase::MICROS),
                    role,
                });
                if let Some(packet) = self.format.renewed_prelude() {
                    let tracks = tracks.clone();
                    self.begin(tracks, packet);
                }
                is_video || !has_video
            }
            // The group's own reader is never behind; were it, its members would find a later start.
            Item::Skipped(_) | Item::Ended(_) => false,
        }
    }

    /// What comes next comes with this prelude.
    fn begin(&mut self, tracks: Arc<TrackSet>, packet: Packet) {
        self.prelude_bytes = packet.len();
        let generation = tracks.generation;
        self.tracks = Some((tracks, Rc::new(Prelude { generation, packet })));
    }
}
