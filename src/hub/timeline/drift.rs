//! Tracks whose clocks run at different speeds: found by when their units arrive.
//!
//! A unit's lateness is its arrival minus its decoding time. The network, bursts and pauses change it for all
//! tracks alike and only ever upwards, so the least lateness of a window is compared: as long as both clocks
//! run at one speed, its difference between two tracks stays what it was. Where it does not, the track that
//! does not lead is moved back, slowly, so that no decoder notices.
//!
//! A source that tells when units were captured, and puts those of one moment at one time, knows better than
//! their arrival. It is left alone. One that tells it of one track only, or of two clocks, does not.

use media::TrackId;

/// The least lateness is taken over this long, so that it holds a unit that did not wait.
const WINDOW_MICROS: i64 = 10_000_000;

/// A difference up to this is not seen, and may be the network's.
pub(super) const TOLERANCE_MICROS: i64 = 80_000;

/// Windows one after the other in which it has to be larger.
const WINDOWS: u8 = 3;

/// What has to be made up is made up by one part in so many, …
const SLOW: i64 = 200;

/// … and by one part in so many if it is more than a second.
const FAST: i64 = 10;

/// A unit's times in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// When it arrived.
    pub(super) arrived: i64,
    /// Where it lies by its source.
    pub(super) dts: i64,
    /// When what lies at time 0 was captured, where its source tells when it was.
    pub(super) captured: Option<i64>,
}

/// How far each track has drifted from the one that leads.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// When the present window began, and how many there were.
    window: Option<i64>,
    windows: u32,
    tracks: Vec<TrackDrift>,
}

#[derive(Debug)]
struct TrackDrift {
    track: TrackId,
    leads: bool,
    /// Least lateness in the present window.
    least: Option<i64>,
    /// When time 0 was captured, by its newest unit.
    captured: Option<i64>,
    /// By how much it was later than the leading track at first.
    usual: Option<i64>,
    /// Windows in which it differed from that by more than is tolerated.
    streak: u8,
    /// What it is to be moved by, and what it is moved by now.
    target: i64,
    moved: i64,
    last_dts: i64,
}

impl Drift {
    /// Takes a unit. Returns what to add to its time, and whether that is a new correction.
    pub(super) fn of(&mut self, track: TrackId, leads: bool, seen: Seen) -> (i64, bool) {
        let news = self.turn(seen.arrived);
        let known = match self.tracks.iter().position(|known| known.track == track) {
            Some(place) => self.tracks.get_mut(place),
            None => {
                self.tracks.push(TrackDrift::new(track, seen.dts));
                self.tracks.last_mut()
            }
        };
        let moved = known.map_or(0, |known| {
            known.leads = leads;
            known.captured = seen.captured;
            let lateness = seen.arrived.saturating_sub(seen.dts);
            known.least = Some(known.least.map_or(lateness, |least| least.min(lateness)));
            known.follow(seen.dts)
        });
        (moved, news)
    }

    /// What a track is moved by now.
    pub(super) fn moved(&self, track: TrackId) -> i64 {
        let mut tracks = self.tracks.iter();
        let known = tracks.find(|known| known.track == track);
        known.map_or(0, |known| known.moved)
    }

    /// A track's clock was set: it is moved no longer, and measured by what it was at first.
    pub(super) fn forget(&mut self, track: TrackId) {
        let known = self.tracks.iter_mut().find(|known| known.track == track);
        if let Some(known) = known {
            known.moved = 0;
            known.target = 0;
        }
    }

    /// The clock of a track jumped: what was measured in this window is of no use.
    pub(super) fn jumped(&mut self) {
        self.window = None;
        for track in &mut self.tracks {
            track.least = None;
            track.streak = 0;
            track.last_dts = i64::MAX;
        }
    }

    /// Ends a window that is over. True if a track is to be moved.
    fn turn(&mut self, now: i64) -> bool {
        let began = *self.window.get_or_insert(now);
        if now.saturating_sub(began) < WINDOW_MICROS {
            return false;
        }
        self.window = Some(now);
        self.windows = self.windows.saturating_add(1);
        let lead = self.tracks.iter().find(|track| track.leads);
        let captured = lead.and_then(|lead| lead.captured);
        let lead = lead.and_then(|lead| lead.least);
        // Sources send in bursts and set their clocks at first.
        let settled = self.windows > 1;
        let mut news = false;
        for track in &mut self.tracks {
            let own = track.least.take();
            if let (Some(lead), Some(own), false, true) = (lead, own, track.leads, settled) {
                let together = track.is_captured_with(captured);
                news |= track.compare(own.saturating_sub(lead), together);
            }
        }
        news
    }
}

impl TrackDrift {
    const fn new(track: TrackId, dts: i64) -> Self {
        Self {
            track,
            leads: false,
            least: None,
            captured: None,
            usual: None,
            streak: 0,
            target: 0,
            moved: 0,
            last_dts: dts,
        }
    }

    /// Its source puts it beside the leading track by the times of their capture.
    fn is_captured_with(&self, lead: Option<i64>) -> bool {
        let apart = self.captured.zip(lead);
        let apart = apart.map(|(own, lead)| own.saturating_sub(lead).saturating_abs());
        apart.is_some_and(|apart| apart <= TOLERANCE_MICROS)
    }

    /// Takes by how much it was later than the leading track in a window, and whether its source says that it
    /// belongs there.
    fn compare(&mut self, later: i64, together: bool) -> bool {
        // Clocks that drift may agree for a moment in passing.
        if together && self.target == 0 {
            self.usual = Some(later);
            self.streak = 0;
            return false;
        }
        let wanted = later.saturating_sub(*self.usual.get_or_insert(later));
        if wanted.saturating_sub(self.target).saturating_abs() <= TOLERANCE_MICROS {
            self.streak = 0;
            return false;
        }
        self.streak += 1;
        let news = self.streak >= WINDOWS;
        if news {
            self.streak = 0;
            self.target = wanted;
        }
        news
    }

    /// Moves towards the target as far as the time since the last unit allows.
    fn follow(&mut self, dts: i64) -> i64 {
        let passed = dts.saturating_sub(self.last_dts).max(0);
        self.last_dts = dts;
        let rest = self.target.saturating_sub(self.moved);
        let rate = if rest.saturating_abs() > 1_000_000 {
            FAST
        } else {
            SLOW
        };
        let step = passed / rate;
        self.moved = self.moved.saturating_add(rest.clamp(-step, step));
        self.moved
    }
}
