//! One stream: its tracks, its recent access units, and what is going on with it.

use super::StreamName;
use super::feedback::{Feedback, Requests};
use super::patience::{self, Patience, Place};
use super::registry::{Offline, Settings};
use super::ring::{Cursor, Entry, Ring, Role, Roles, Skip, Step};
use super::skips::Skips;
use super::stand_in::StandIn;
use super::timeline::{Arrival, Repairs, Timeline};
use super::totals::{Tally, Totals, Traffic};
use super::viewers::Viewers;
use media::{AccessUnit, Kind, Timebase, Track, TrackId};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a stream with only one kind of track waits for the other before readers are let in, in media
/// time. Encoders send both configurations within the first few messages; a camera without sound never
/// sends the second.
const READY_AFTER_MICROS: i64 = 500_000;

/// Where publishers wait for readers, readers are let in after so much media, or half of what may wait: late
/// tracks are known by then.
const PATIENT_READY_AFTER_MICROS: i64 = 2_000_000;

/// Where a stream ends after so much media, tracks that are behind the others are waited for so long, in media time.
const LAGGING_MICROS: i64 = 1_000_000;

/// Time over which rates are measured.
const RATE_WINDOW: Duration = Duration::from_secs(2);

/// The log tells repairs of a stream's time this often at most.
const REPAIRS_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Most tracks a stream may have.
const MAX_TRACKS: usize = 16;

/// The tracks of a stream at one time. A change makes a new set with the next generation number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackSet {
    /// Grows by one with every change, also across publishers.
    pub generation: u64,
    /// In the order of their IDs.
    pub tracks: Vec<Track>,
}

impl TrackSet {
    /// The track of that number.
    pub fn get(&self, id: TrackId) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id == id)
    }

    /// The first track of that kind.
    pub fn first(&self, kind: Kind) -> Option<&Track> {
        self.tracks.iter().find(|track| track.kind() == kind)
    }

    /// The track that the others go along with: pictures, else sound, else data.
    pub fn lead(&self) -> Option<&Track> {
        let kinds = [Kind::Video, Kind::Audio, Kind::Data];
        kinds.into_iter().find_map(|kind| self.first(kind))
    }
}

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
    /// Tracks that this publisher has declared, and the media time of its first access unit.
    declared: Vec<TrackId>,
    source_since: Option<i64>,
    /// Number of the publisher that was there last.
    last_publisher: u64,
    /// Cancelled to make the present publisher leave.
    kick: tokio_util::sync::CancellationToken,
    origin: Origin,
    /// What is counted of all that comes by its protocol.
    traffic: Arc<Traffic>,
    timeline: Timeline,
    roles: Roles,
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

#[derive(Debug)]
struct Statistics {
    since: SystemTime,
    bytes: u64,
    access_units: u64,
    /// Media time of the last random access point, and the longest distance between two.
    last_start: Option<i64>,
    gop_micros: Option<i64>,
    rate: Rate,
    packets: Packets,
    order: Order,
}

/// In which order the pictures of one publisher come.
#[derive(Clone, Copy, Debug, Default)]
struct Order {
    /// The latest presentation time so far, in ticks.
    latest: Option<i64>,
    /// One came that was earlier.
    is_reordered: bool,
}

/// What came in the last whole window of [`RATE_WINDOW`] and in the present one, from one publisher.
#[derive(Debug, Default)]
struct Rate {
    /// None before the first access unit.
    window: Option<Window>,
    /// Bits per second, and media time per time.
    last: Option<(u64, f64)>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    bytes: u64,
    /// Media time at `since`, and the latest so far.
    media: (i64, i64),
}

/// Packets of a source whose transport may lose some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    /// Those that came, where the source counts them; else 0.
    pub received: u64,
    /// Those that did not come, or too late.
    pub lost: u64,
}

/// What is known of a stream at one moment, for people and APIs.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Who publishes, or did last.
    pub origin: Origin,
    /// A publisher is there now.
    pub publishing: bool,
    /// The number of the publisher that is there now, or was last.
    pub publisher: u64,
    /// Readers are let in.
    pub ready: bool,
    /// The present tracks.
    pub tracks: Arc<TrackSet>,
    /// When the stream began.
    pub since: SystemTime,
    /// Payload bytes received.
    pub bytes: u64,
    /// Access units received.
    pub access_units: u64,
    /// Payload bits per second, over about two seconds.
    pub bits_per_second: u64,
    /// Media time received per time passed, over about two seconds; 1 for a live source.
    pub speed: f64,
    /// Media time from the first to the last access unit.
    pub length: Duration,
    /// The stream has been as long as it may be ([`Offline::longest`](super::Offline)).
    pub is_cut: bool,
    /// Longest distance between two random access points so far.
    pub gop: Option<Duration>,
    /// Pictures have come in another order than they are shown in: there are B-frames.
    pub is_reordered: bool,
    /// Packets of the sources so far that count them.
    pub packets: Packets,
    /// Repairs of time.
    pub repairs: Repairs,
    /// Requests for a random access point.
    pub requests: Requests,
    /// Bytes in the stream's memory.
    pub ring_bytes: usize,
}

/// An access unit in the stream's memory, with what belongs to it.
#[derive(Clone, Debug)]
struct Slot {
    unit: Arc<AccessUnit>,
    tracks: Arc<TrackSet>,
    micros: i64,
    role: Role,
    arrived: Instant,
}

impl Entry for Slot {
    fn bytes(&self) -> usize {
        self.unit.payload.len() + size_of::<AccessUnit>()
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
    Unit(Arc<AccessUnit>, Arc<TrackSet>),
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
            kick: tokio_util::sync::CancellationToken::new(),
            origin,
            traffic,
            timeline: if settings.offline.is_some() {
                Timeline::keeping()
            } else {
                Timeline::default()
            },
            roles: Roles::default(),
            feedback: Feedback::default(),
            told: (Repairs::default(), None),
            begun: now,
            reach: None,
            is_cut: false,
            statistics: Statistics {
                since: SystemTime::now(),
                bytes: 0,
                access_units: 0,
                last_start: None,
                gop_micros: None,
                rate: Rate::default(),
                packets: Packets::default(),
                order: Order::default(),
            },
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

    /// What is known now.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        let statistics = &state.statistics;
        // Rates are measured by what comes; when nothing does, the last ones are no longer true.
        let silent = state.publisher.is_none() || state.last_push.elapsed() > RATE_WINDOW * 2;
        let rate = statistics.rate.now().filter(|_| !silent);
        let (bits_per_second, speed) = rate.unwrap_or_default();
        Snapshot {
            origin: state.origin.clone(),
            publishing: state.publisher.is_some(),
            publisher: state.last_publisher,
            ready: state.ready,
            tracks: state.tracks.clone(),
            since: statistics.since,
            bytes: statistics.bytes,
            access_units: statistics.access_units,
            bits_per_second,
            speed,
            packets: statistics.packets,
            length: Timebase::MICROS.duration(state.length()),
            is_cut: state.is_cut,
            gop: statistics
                .gop_micros
                .map(|gop| Timebase::MICROS.duration(gop)),
            is_reordered: statistics.order.is_reordered,
            repairs: state.timeline.repairs(),
            requests: state.feedback.requests(),
            ring_bytes: state.ring.bytes(),
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

    pub(super) fn kicked(&self) -> tokio_util::sync::CancellationToken {
        self.lock().kick.clone()
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

    /// Time since the last access unit, while there is a publisher.
    pub(super) fn silence(&self) -> Option<Duration> {
        let state = self.lock();
        state.publisher.map(|_| state.last_push.elapsed())
    }

    /// Number of the publisher that is there now.
    pub(super) fn publisher(&self) -> Option<u64> {
        self.lock().publisher
    }

    /// Time since the last access unit of the publisher of that number; none once it has lost the stream.
    pub fn silence_of(&self, publisher: u64) -> Option<Duration> {
        let state = self.lock();
        let present = state.publisher.filter(|present| *present == publisher);
        present.map(|_| state.last_push.elapsed())
    }

    /// Lets another publisher continue the stream. False when the stream is over already.
    pub(super) fn continue_with(&self, publisher: u64, origin: Origin) -> bool {
        let mut state = self.lock();
        if state.ended.is_some() {
            return false;
        }
        state.kick.cancel();
        state.kick = tokio_util::sync::CancellationToken::new();
        state.publisher = Some(publisher);
        state.last_publisher = publisher;
        state.traffic = self.totals.of(origin.protocol);
        state.traffic.published();
        state.origin = origin;
        state.last_push = Instant::now();
        match &mut state.stand_in {
            // It takes over when it can be shown.
            Some(stand_in) => stand_in.forget_source(),
            None => state.new_source(),
        }
        let awaits = state.stand_in.is_some();
        drop(state);
        if awaits {
            self.want_random_access();
        }
        true
    }

    /// Lets somebody publish until a publisher comes. Returns what is cancelled when it has to leave; none where it is
    /// not needed.
    pub(super) fn stand_in(&self, number: u64) -> Option<tokio_util::sync::CancellationToken> {
        let mut state = self.lock();
        let is_needed = state.ended.is_none() && state.ready && state.publisher.is_none();
        if !is_needed || state.stand_in.is_some() {
            return None;
        }
        let stand_in = StandIn::new(number);
        let kick = stand_in.kick.clone();
        state.stand_in = Some(stand_in);
        state.last_publisher = number;
        state.new_source();
        Some(kick)
    }

    /// Whether somebody publishes in the place of a source.
    pub fn has_stand_in(&self) -> bool {
        self.lock().stand_in.is_some()
    }

    /// The publisher is gone. False when another one has taken its place.
    pub(super) fn interrupt(&self, publisher: u64) -> bool {
        let mut state = self.lock();
        let left = state
            .stand_in
            .take_if(|stand_in| stand_in.number == publisher);
        if let Some(left) = left {
            // A source that has come need not be waited for any more.
            state.hand_over(left);
            return state.publisher.is_none();
        }
        let present = state.publisher == Some(publisher);
        if present {
            state.publisher = None;
            if let Some(stand_in) = &mut state.stand_in {
                stand_in.forget_source();
            }
        }
        present
    }

    /// Ends the stream for all, unless another publisher has had it since.
    pub(super) fn finish(&self, publisher: u64, reason: Ended) -> bool {
        let mut state = self.lock();
        let stands_in = |stand_in: &StandIn| stand_in.number == publisher;
        let others = state
            .stand_in
            .as_ref()
            .is_some_and(|other| !stands_in(other));
        if state.ended.is_some() || state.last_publisher != publisher || others {
            return false;
        }
        state.publisher = None;
        state.stand_in = None;
        state.ended = Some(reason);
        if self.offline.is_some() && !state.ready && !state.ring.is_empty() {
            state.become_ready();
        }
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// Ends the stream for all, whoever publishes.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.kick.cancel();
        if let Some(stand_in) = state.stand_in.take() {
            stand_in.kick.cancel();
        }
        state.publisher = None;
        state.ended = Some(Ended::Stopped);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Declares a track, or changes its configuration; left out beyond [`MAX_TRACKS`]. False when this
    /// publisher has been replaced or the stream is over.
    pub(super) fn set_track(&self, publisher: u64, track: Track) -> bool {
        let mut state = self.lock();
        let is_publisher = state.publisher == Some(publisher);
        match &mut state.stand_in {
            Some(stand_in) if stand_in.number == publisher => {}
            Some(stand_in) if is_publisher => {
                stand_in.declare(track);
                return true;
            }
            None if is_publisher => {}
            _ => return false,
        }
        let has_changed = state.declare(track);
        drop(state);
        if has_changed {
            self.changed.notify_waiters();
        }
        true
    }

    /// Adds an access unit. False when this publisher has been replaced or the stream is over.
    pub(super) fn push(&self, publisher: u64, mut unit: AccessUnit) -> bool {
        let mut state = self.lock();
        match state.admits(publisher, &unit) {
            Admission::Now => {}
            Admission::NotYet => return true,
            Admission::NoMore => return false,
        }
        let Some(track) = state.tracks.get(unit.track) else {
            return true;
        };
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
        if role == Role::Start {
            state.feedback.answered();
        }
        state.count(&unit, micros, role == Role::Start);
        if arrival.leads {
            state.statistics.order.take(unit.pts);
        }
        let arrived = state.last_push;
        state.ring.push(Slot {
            unit: Arc::new(unit),
            tracks,
            micros,
            role,
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
                Read::Unit(slot.unit.clone(), slot.tracks.clone())
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

/// Whether a unit comes into the stream.
enum Admission {
    Now,
    /// It is dropped, since the source cannot be shown yet.
    NotYet,
    /// Who sends it has lost the stream.
    NoMore,
}

impl State {
    fn admits(&mut self, publisher: u64, unit: &AccessUnit) -> Admission {
        let is_publisher = self.publisher == Some(publisher);
        match &mut self.stand_in {
            None if is_publisher => Admission::Now,
            Some(stand_in) if stand_in.number == publisher => Admission::Now,
            Some(stand_in) if is_publisher => match stand_in.gives_way_to(unit) {
                true => {
                    if let Some(stand_in) = self.stand_in.take() {
                        self.hand_over(stand_in);
                    }
                    Admission::Now
                }
                false => Admission::NotYet,
            },
            _ => Admission::NoMore,
        }
    }

    /// What comes now is from another source than what came before.
    fn new_source(&mut self) {
        self.declared.clear();
        self.source_since = None;
        self.timeline.new_source();
        self.statistics.rate = Rate::default();
        self.statistics.order = Order::default();
    }

    /// The source that has come takes over.
    fn hand_over(&mut self, stand_in: StandIn) {
        stand_in.kick.cancel();
        self.new_source();
        for track in stand_in.tracks {
            self.declare(track);
        }
    }

    /// The present source has this track. False when that was known.
    fn declare(&mut self, track: Track) -> bool {
        if !self.declared.contains(&track.id) && self.declared.len() < MAX_TRACKS {
            self.declared.push(track.id);
        }
        let mut tracks = self.tracks.tracks.clone();
        match tracks.iter().position(|known| known.id == track.id) {
            Some(at) if tracks.get(at) == Some(&track) => return false,
            Some(at) => tracks.splice(at..=at, [track]).for_each(drop),
            None if tracks.len() >= MAX_TRACKS => return false,
            None => tracks.push(track),
        }
        tracks.sort_by_key(|track| track.id);
        self.set_tracks(tracks);
        true
    }

    fn set_tracks(&mut self, tracks: Vec<Track>) {
        let generation = self.tracks.generation + 1;
        self.tracks = Arc::new(TrackSet { generation, tracks });
    }

    /// Tracks of a publisher before, which this one has had time to declare and has not, are gone.
    fn forget_undeclared(&mut self, now: i64) {
        let since = *self.source_since.get_or_insert(now);
        let is_declared = |track: &Track| self.declared.contains(&track.id);
        if now.saturating_sub(since) < READY_AFTER_MICROS
            || self.tracks.tracks.iter().all(is_declared)
        {
            return;
        }
        let tracks = self.tracks.tracks.iter();
        let declared = tracks.filter(|track| is_declared(track)).cloned().collect();
        self.set_tracks(declared);
    }

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

    fn count(&mut self, unit: &AccessUnit, micros: i64, starts: bool) {
        self.last_push = Instant::now();
        self.traffic.received(unit.payload.len() as u64);
        let statistics = &mut self.statistics;
        statistics.bytes += unit.payload.len() as u64;
        statistics.access_units += 1;
        statistics.rate.count(unit.payload.len() as u64, micros);
        if starts && let Some(last) = statistics.last_start.replace(micros) {
            let gop = micros.saturating_sub(last);
            let longest = statistics.gop_micros.unwrap_or(0);
            statistics.gop_micros = Some(longest.max(gop));
        }
    }
}

impl Order {
    fn take(&mut self, pts: i64) {
        self.is_reordered |= self.latest.is_some_and(|latest| pts < latest);
        self.latest = self.latest.max(Some(pts));
    }
}

impl Rate {
    fn count(&mut self, bytes: u64, micros: i64) {
        let window = self.window.get_or_insert_with(|| Window {
            since: Instant::now(),
            bytes: 0,
            media: (micros, micros),
        });
        window.bytes += bytes;
        window.media.1 = window.media.1.max(micros);
        if window.since.elapsed() >= RATE_WINDOW {
            self.last = Some(window.rate());
            *window = Window {
                since: Instant::now(),
                bytes: 0,
                media: (window.media.1, window.media.1),
            };
        }
    }

    /// Bits per second and media time per time, of the last whole window; of the first one while it lasts, as
    /// soon as that says something.
    fn now(&self) -> Option<(u64, f64)> {
        let first = self.window.as_ref();
        let first = first.filter(|window| window.since.elapsed() >= RATE_WINDOW / 4);
        self.last.or_else(|| first.map(Window::rate))
    }
}

impl Window {
    fn rate(&self) -> (u64, f64) {
        let seconds = self.since.elapsed().as_secs_f64();
        let (from, to) = self.media;
        (
            (self.bytes as f64 * 8.0 / seconds) as u64,
            to.saturating_sub(from) as f64 / 1e6 / seconds,
        )
    }
}
