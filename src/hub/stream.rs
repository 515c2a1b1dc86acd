//! One stream: its tracks, its recent access units, and what is going on with it.
//!
//! Who publishes it stands in `succession`, what is made of it in `tracks`, what is counted in `statistics`.

mod snapshot;
mod stand_in;
mod statistics;
mod succession;
mod tracks;

pub use snapshot::Snapshot;
pub use statistics::Packets;
pub use tracks::TrackSet;

use super::StreamName;
use super::feedback::Feedback;
use super::patience::{self, Patience, Place};
use super::registry::{Offline, Settings};
use super::ring::{Cursor, Entry, Ring, Role, Roles, Skip, Step, Weights};
use super::skips::Skips;
use super::timeline::{Arrival, Repairs, Timeline};
use super::totals::{Tally, Totals, Traffic};
use super::viewers::Viewers;
use media::{AccessUnit, Kind, Timebase, TrackId};
use stand_in::StandIn;
use statistics::Statistics;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use succession::Admission;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a stream with only one kind of track waits for the other before readers are let in, in media
/// time. Encoders send both configurations within the first few messages; a camera without sound never
/// sends the second.
const READY_AFTER_MICROS: i64 = 500_000;

/// Where publishers wait for readers, readers are let in after so much media, or half of what may wait: late
/// tracks are known by then.
const PATIENT_READY_AFTER_MICROS: i64 = 2_000_000;

/// Where a stream ends after so much media, tracks that are behind the others are waited for so long, in media time.
const LAGGING_MICROS: i64 = 1_000_000;

/// The log tells repairs of a stream's time this often at most.
const REPAIRS_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Who publishes a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The protocol's name as in the configuration, such as `rtmp`.
    pub protocol: &'static str,
    /// Address or URL, without secrets.
    pub address: String,
    /// What the far side calls itself, if it does.
    pub agent: Option<String>,
}

/// Why a stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its publisher said goodbye, or was gone for longer than the grace time.
    Finished,
    /// Someone with the right to stopped it.
    Stopped,
}

/// One stream. Shared by its publisher, its readers and the register.
#[derive(Debug)]
pub struct Stream {
    name: StreamName,
    state: Mutex<State>,
    /// Notified after every change that a reader could wait for.
    changed: Notify,
    /// Notified when a reader wants a random access point.
    wanted: Notify,
    viewers: Viewers,
    totals: Totals,
    skips: Skips,
    /// Where streams are worked on: how, and the readers that are waited for.
    offline: Option<(Offline, Patience)>,
}

#[derive(Debug)]
struct State {
    ring: Ring<Slot>,
    tracks: Arc<TrackSet>,
    /// Readers are let in.
    ready: bool,
    ended: Option<Ended>,
    /// Number of the publisher that may push; none while it is away.
    publisher: Option<u64>,
    /// Who pushes while it is away, and until it can be shown.
    stand_in: Option<StandIn>,
    /// Tracks that this publisher has declared, by its number and by the stream's; and the media time of its first access unit.
    declared: Vec<(TrackId, TrackId)>,
    source_since: Option<i64>,
    /// Number of the publisher that was there last.
    last_publisher: u64,
    /// Number of who had the stream last, stand-ins included: the stream ends with it.
    holder: u64,
    /// Cancelled to make the present publisher leave.
    kick: CancellationToken,
    origin: Origin,
    /// What is counted of all that comes by its protocol.
    traffic: Arc<Traffic>,
    timeline: Timeline,
    roles: Roles,
    weights: Weights,
    feedback: Feedback,
    /// Repairs that the log has told, and when.
    told: (Repairs, Option<Instant>),
    begun: Instant,
    /// Earliest and latest decoding time that was pushed, in microseconds.
    reach: Option<(i64, i64)>,
    /// Units have been left out, beyond the longest that the stream may be.
    is_cut: bool,
    statistics: Statistics,
    last_push: Instant,
}

/// An access unit in the stream's memory, with what belongs to it.
#[derive(Clone, Debug)]
struct Slot {
    unit: Arc<AccessUnit>,
    tracks: Arc<TrackSet>,
    micros: i64,
    role: Role,
    /// What the tracks take, where it is the first with them.
    tracks_bytes: usize,
    arrived: Instant,
}

impl Entry for Slot {
    fn bytes(&self) -> usize {
        self.unit.payload.len() + size_of::<AccessUnit>() + self.tracks_bytes
    }
    fn time(&self) -> i64 {
        self.micros
    }
    fn role(&self) -> Role {
        self.role
    }
}

/// What [`Stream::read`] finds.
pub(super) enum Read {
    /// With when it arrived.
    Unit(Arc<AccessUnit>, Arc<TrackSet>, Instant),
    Skipped(Skip),
    Ended(Ended),
    /// Nothing new since the last call.
    Wait,
    /// Readers are not let in yet.
    NotReady,
}

impl Stream {
    pub(super) fn new(
        name: StreamName,
        settings: &Settings,
        totals: Totals,
        origin: Origin,
        publisher: u64,
        viewers: Viewers,
    ) -> Self {
        let now = Instant::now();
        let traffic = totals.of(origin.protocol);
        traffic.published();
        let state = State {
            ring: Ring::new(settings.bounds),
            tracks: Arc::new(TrackSet {
                generation: 0,
                tracks: Vec::new(),
            }),
            ready: false,
            ended: None,
            publisher: Some(publisher),
            stand_in: None,
            declared: Vec::new(),
            source_since: None,
            last_publisher: publisher,
            holder: publisher,
            kick: CancellationToken::new(),
            origin,
            traffic,
            timeline: if settings.offline.is_some() {
                Timeline::keeping()
            } else {
                Timeline::default()
            },
            roles: Roles::default(),
            weights: Weights::default(),
            feedback: Feedback::default(),
            told: (Repairs::default(), None),
            begun: now,
            reach: None,
            is_cut: false,
            statistics: Statistics::new(),
            last_push: now,
        };
        Self {
            name,
            state: Mutex::new(state),
            changed: Notify::new(),
            wanted: Notify::new(),
            viewers,
            totals,
            skips: Skips::default(),
            offline: settings
                .offline
                .map(|offline| (offline, Patience::default())),
        }
    }

    /// The stream's name.
    pub const fn name(&self) -> &StreamName {
        &self.name
    }

    /// Who watches, by protocol.
    pub const fn viewers(&self) -> &Viewers {
        &self.viewers
    }

    /// What is counted for a player of that protocol, which has the stream from now on.
    pub(super) fn tally(&self, protocol: &'static str) -> Tally {
        self.totals.of(protocol).viewer()
    }

    /// Who was too slow, by protocol.
    pub const fn skips(&self) -> &Skips {
        &self.skips
    }

    /// A reader of that protocol was too slow: counted, and said in the log with who it is.
    pub fn note_skip(&self, protocol: &'static str, who: &dyn Display, skip: &Skip) {
        self.skips.add(protocol, skip);
        let (entries, bytes, time) = (skip.entries, skip.bytes, skip.time);
        let cause = skip.cause.as_str();
        tracing::warn!(stream = %self.name, protocol, reader = %who, entries, bytes, ?time, cause, "reader too slow, skipped");
    }

    /// A reader needs a random access point: the source is asked for one, if it can be.
    pub fn want_random_access(&self) {
        self.lock().feedback.want();
        self.wanted.notify_one();
    }

    /// Completes when the source should make a random access point.
    pub(super) async fn random_access_wanted(&self) {
        loop {
            let due = self.lock().feedback.due(Instant::now());
            match due {
                Some(due) => {
                    tokio::time::sleep_until(due).await;
                    if self.lock().feedback.ask(Instant::now()) {
                        return;
                    }
                }
                None => self.wanted.notified().await,
            }
        }
    }

    /// Why the stream is over, if it is.
    pub fn ended(&self) -> Option<Ended> {
        self.lock().ended
    }

    /// Waits until readers are let in, or the stream is over.
    ///
    /// # Errors
    /// Why it is over.
    pub async fn ready(&self) -> Result<Arc<TrackSet>, Ended> {
        let is_offline = self.offline.is_some();
        self.wait(|state| match (state.ended, state.ready) {
            // What is there is read to its end.
            (_, true) if is_offline => Some(Ok(state.tracks.clone())),
            (Some(ended), _) => Some(Err(ended)),
            (None, true) => Some(Ok(state.tracks.clone())),
            (None, false) => None,
        })
        .await
    }

    /// Waits until the stream is over.
    pub async fn end(&self) -> Ended {
        self.wait(|state| state.ended).await
    }

    /// Adds to what is known of packets, unless another publisher has the stream.
    pub(super) fn count_packets(&self, publisher: u64, packets: Packets) {
        let mut state = self.lock();
        if state.publisher == Some(publisher) {
            let sum = &mut state.statistics.packets;
            sum.received = sum.received.saturating_add(packets.received);
            sum.lost = sum.lost.saturating_add(packets.lost);
        }
    }

    /// Adds an access unit. False when this publisher has been replaced or the stream is over.
    pub(super) fn push(&self, publisher: u64, mut unit: AccessUnit) -> bool {
        let mut state = self.lock();
        match state.admits(publisher, &unit) {
            Admission::Now => {}
            Admission::NotYet => return true,
            Admission::NoMore => return false,
        }
        let number = state.number(unit.track);
        let Some(track) = number.and_then(|number| state.tracks.get(number)) else {
            return true;
        };
        unit.track = track.id;
        let timebase = track.timebase;
        let lead = state.tracks.lead();
        let arrived = state.begun.elapsed().as_micros();
        let arrival = Arrival {
            timebase,
            leads: lead.is_some_and(|lead| lead.id == unit.track),
            micros: i64::try_from(arrived).unwrap_or(i64::MAX),
        };
        let micros = state.timeline.place(&mut unit, arrival);
        state.tell_repairs(&self.name);
        if let Some(goes_on) = state.is_beyond(micros, self.longest()) {
            return goes_on;
        }
        state.forget_undeclared(micros);
        let tracks = state.tracks.clone();
        let role = state.roles.of(&unit, &tracks);
        let tracks_bytes = state.weights.of(&tracks);
        let arrived = Instant::now();
        // What stands in for a source is not received, and answers nothing that the source was asked for.
        if state.stand_in.is_none() {
            let starts = role == Role::Start;
            if starts {
                state.feedback.answered();
            }
            state.last_push = arrived;
            state.traffic.received(unit.payload.len() as u64);
            state.statistics.count(&unit, micros, starts);
            if arrival.leads {
                state.statistics.order.take(unit.pts);
            }
        }
        state.ring.push(Slot {
            unit: Arc::new(unit),
            tracks,
            micros,
            role,
            tracks_bytes,
            arrived,
        });
        let may_be_ready = match self.offline {
            None => state.may_be_ready(),
            Some(_) => state.is_well_known(),
        };
        if !state.ready && may_be_ready {
            state.become_ready();
        }
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// A place to begin at. The source is asked for a better one where there is none.
    pub(super) fn cursor(&self) -> Cursor {
        let state = self.lock();
        if self.offline.is_some() {
            return state.ring.oldest();
        }
        let (cursor, awaits) = (state.ring.start(), state.ready && !state.ring.has_start());
        drop(state);
        if awaits {
            self.want_random_access();
        }
        cursor
    }

    pub(super) fn read(&self, cursor: &mut Cursor) -> Read {
        let state = self.lock();
        if !state.ready {
            return state.ended.map_or(Read::NotReady, Read::Ended);
        }
        match state.ring.next(cursor) {
            Step::Entry(slot) => {
                if *cursor == state.ring.end() {
                    self.totals.delay.note(slot.arrived.elapsed());
                }
                Read::Unit(slot.unit.clone(), slot.tracks.clone(), slot.arrived)
            }
            Step::Skipped(skip) => {
                let awaits = !state.ring.has_start();
                drop(state);
                if awaits {
                    self.want_random_access();
                }
                Read::Skipped(skip)
            }
            Step::UpToDate => state.ended.map_or(Read::Wait, Read::Ended),
        }
    }

    /// Whether the stream is worked on rather than watched ([`Settings::offline`]).
    pub const fn is_offline(&self) -> bool {
        self.offline.is_some()
    }

    /// The longest that the stream may be, in microseconds.
    fn longest(&self) -> Option<i64> {
        let (offline, _) = self.offline.as_ref()?;
        offline
            .longest
            .map(|longest| Timebase::MICROS.ticks(longest))
    }

    /// A place for a reader that is waited for, where readers are.
    pub(super) fn enter(&self) -> Option<Place> {
        self.offline.as_ref().map(|(_, patience)| patience.enter())
    }

    /// Completes when there is room for another access unit, and its time has come.
    pub(super) async fn room(&self) {
        let Some((offline, patience)) = &self.offline else {
            return;
        };
        patience.room(|| self.lock().ring.pushed_bytes()).await;
        if offline.realtime {
            let due = {
                let state = self.lock();
                state.begun + Timebase::MICROS.duration(state.length())
            };
            tokio::time::sleep_until(due).await;
        }
    }

    pub(super) const fn changed(&self) -> &Notify {
        &self.changed
    }

    async fn wait<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look(&self.lock()) {
                return found;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Both kinds have come, or one has been alone for long enough.
    fn may_be_ready(&self) -> bool {
        let both = [Kind::Video, Kind::Audio]
            .iter()
            .all(|kind| self.tracks.first(*kind).is_some());
        both || self.ring.span_micros() >= READY_AFTER_MICROS
    }

    /// So much has come that no track is still to come.
    fn is_well_known(&self) -> bool {
        self.ring.span_micros() >= PATIENT_READY_AFTER_MICROS
            || self.ring.pushed_bytes() >= patience::AHEAD / 2
    }

    /// Notes the time of a unit. What is beyond the longest that the stream may be is left out: says whether the stream
    /// goes on all the same, since another track may still be behind.
    fn is_beyond(&mut self, micros: i64, longest: Option<i64>) -> Option<bool> {
        let (first, last) = self.reach.unwrap_or((micros, micros));
        let length = micros.saturating_sub(first);
        if let Some(longest) = longest.filter(|longest| length >= *longest) {
            self.is_cut = true;
            return Some(length < longest.saturating_add(LAGGING_MICROS));
        }
        self.reach = Some((first.min(micros), last.max(micros)));
        None
    }

    /// Media time from the first to the last unit, in microseconds.
    fn length(&self) -> i64 {
        self.reach
            .map_or(0, |(first, last)| last.saturating_sub(first))
    }

    /// Logs repairs that have come, at most once in [`REPAIRS_TOLD_EVERY`].
    fn tell_repairs(&mut self, stream: &StreamName) {
        let repairs = self.timeline.repairs();
        let (told, at) = self.told;
        let recently = at.is_some_and(|at| at.elapsed() < REPAIRS_TOLD_EVERY);
        if repairs != told && !recently {
            self.told = (repairs, Some(Instant::now()));
            tracing::warn!(%stream, source = %self.origin.address, %repairs, "times of the source mended");
        }
    }

    /// From here on readers are let in. What came before belongs to the generation they begin with.
    fn become_ready(&mut self) {
        self.ready = true;
        self.roles = Roles::default();
        for mut slot in self.ring.drain() {
            slot.tracks = self.tracks.clone();
            slot.role = self.roles.of(&slot.unit, &self.tracks);
            self.ring.push(slot);
        }
    }
}
