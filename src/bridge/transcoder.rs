//! One audio track to Opus or AAC: decode, bring to 48 kHz, encode, and keep the time right.
//!
//! Pure: access units in, access units out. Time rests on two rules. Sound is put where the time stamps of its
//! access units say, and from there on samples are counted, so that rounded time stamps do no harm. And the
//! time stamps stay the master: the count is compared with each, and sound is stretched by up to 0.5 % where a
//! source's samples and its clock part ways.

use super::decoder::{Decoder, Unsupported};
use super::encoder::{Encoder, RATE, Sound};
use super::resampler::Resampler;
use media::{AccessUnit, Timebase, Track};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// Of what comes out.
const TIMEBASE: Timebase = media::codec::opus::TIMEBASE;

/// Longest hole that is filled with silence, in samples of 48 kHz: 1 s. Beyond it time jumps.
const MAX_HOLE: i64 = RATE as i64;

/// Less than this is no hole but an uneven time stamp: 15 ms.
const MIN_HOLE: i64 = 720;

/// Sound that would come later than its time by more than this is dropped: 200 ms.
const MAX_LATE: i64 = 9_600;

/// Deviations of the count from the time stamps, averaged, up to which nothing is stretched: 2 ms. Time
/// stamps in milliseconds deviate by half of one.
const DEAD_ZONE: i64 = 96;

/// What is beyond [`DEAD_ZONE`] is made up for in about this many samples: 2 s.
const CATCH_UP: i64 = 2 * RATE as i64;

/// Of one access unit to the average, one part in so many.
const SMOOTHING: i64 = 16;

/// Access units longer than a second are not sound.
const MAX_UNIT: i64 = RATE as i64;

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Access units received.
    pub received: u64,
    /// Packets made.
    pub packets: u64,
    /// Access units that could not be decoded, replaced by silence.
    pub damaged: u64,
    /// Holes filled with silence.
    pub holes: u64,
    /// Access units dropped because their time was taken already.
    pub overlapping: u64,
    /// Times at which the output began anew elsewhere, the beginning included.
    pub jumps: u64,
    /// Packets that the encoder failed to make.
    pub failures: u64,
}

/// Makes Opus or AAC of the access units of one track of AAC-LC, G.711 or Opus.
///
/// Packets of Opus last 20 ms, of AAC 1,024 samples of 48 kHz. Their time is that of the sound which a decoder makes of them, its delay included:
/// what was to be heard at a time is heard at that time if the packets are played at theirs. The first packet
/// is therefore a little earlier than the first access unit: by 2.5 ms of Opus (its `pre_skip`), or 21 ms of AAC.
pub struct Transcoder {
    sound: Sound,
    source: Track,
    track: Track,
    decoder: Decoder,
    resampler: Resampler,
    encoder: Encoder,
    /// Interleaved samples of 48 kHz that wait to be a whole packet.
    pending: Vec<f32>,
    /// Time of the first of them, in samples of 48 kHz; none before the first access unit.
    time: Option<i64>,
    /// Average deviation of the time stamps from the count of samples, times [`SMOOTHING`].
    deviation: i64,
    /// The next packet is the first after a jump.
    seam: bool,
    /// A time and when it was captured.
    capture: Option<(i64, SystemTime)>,
    packets: VecDeque<AccessUnit>,
    statistics: Statistics,
}

impl std::fmt::Debug for Transcoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transcoder")
            .field("source", &self.source.id)
            .field("time", &self.time)
            .field("statistics", &self.statistics)
            .finish_non_exhaustive()
    }
}

impl Transcoder {
    /// Starts for a track of AAC-LC (of HE-AAC the core is taken), G.711 or Opus, mono or stereo.
    ///
    /// # Errors
    /// [`Unsupported`] says what about the track is not taken.
    pub fn new(source: &Track, sound: Sound) -> Result<Self, Unsupported> {
        let decoder = Decoder::new(&source.codec)?;
        let (rate, channels) = (decoder.rate(), decoder.channels());
        let encoder = Encoder::new(sound, channels, rate)?;
        let codec = encoder.codec(rate);
        Ok(Self {
            sound,
            source: source.clone(),
            track: Track {
                id: source.id,
                codec: codec.ok_or(Unsupported::Channels(channels as u8))?,
                timebase: TIMEBASE,
            },
            resampler: Resampler::new(rate, channels),
            encoder,
            decoder,
            pending: Vec::new(),
            time: None,
            deviation: 0,
            seam: false,
            capture: None,
            packets: VecDeque::new(),
            statistics: Statistics::default(),
        })
    }

    /// The track that was given to [`Transcoder::new`].
    pub const fn source(&self) -> &Track {
        &self.source
    }

    /// The track that comes out, with the source's number.
    pub const fn track(&self) -> &Track {
        &self.track
    }

    /// What happened so far.
    pub const fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Takes the next access unit of the source.
    pub fn push(&mut self, unit: &AccessUnit) {
        self.statistics.received += 1;
        let duration = self.in_output(self.decoder.duration(&unit.payload));
        if duration == 0 || duration > MAX_UNIT {
            // Its time becomes a hole when the next one comes.
            self.statistics.damaged += 1;
            return;
        }
        let start = self.source.timebase.rescale(unit.pts, TIMEBASE);
        self.capture = unit.capture.map(|capture| (start, capture));
        if !self.place(start, duration, unit.discontinuity) {
            self.statistics.overlapping += 1;
            return;
        }
        match self.decoder.decode(&unit.payload) {
            Ok(samples) => self.resampler.process(samples, &mut self.pending),
            Err(_) => {
                self.statistics.damaged += 1;
                self.silence(self.decoder.duration(&unit.payload));
            }
        }
        self.encode();
    }

    /// The next packet, if there is one.
    pub fn pull(&mut self) -> Option<AccessUnit> {
        self.packets.pop_front()
    }

    /// The source is over, or goes on elsewhere: completes what has been begun. What is pushed after it
    /// starts anew.
    pub fn flush(&mut self) {
        self.finish(i64::MAX);
    }

    /// Makes the end of what has been received meet the next access unit. False when there is no place for
    /// it.
    fn place(&mut self, start: i64, duration: i64, discontinuity: bool) -> bool {
        let Some(end) = self.end() else {
            self.begin(start, discontinuity);
            return true;
        };
        let deviation = start.saturating_sub(end);
        let hole = (duration * 3 / 4).max(MIN_HOLE);
        if deviation.saturating_abs() > MAX_HOLE || discontinuity && deviation.abs() >= hole {
            self.finish(start.saturating_sub(self.sound.lookahead() as i64));
            self.begin(start, true);
        } else if deviation >= hole {
            self.statistics.holes += 1;
            self.silence(self.in_source(deviation));
            self.deviation = 0;
        } else if deviation < -MAX_LATE {
            return false;
        } else {
            self.follow(deviation);
        }
        true
    }

    /// Stretches what comes next so that the count of samples keeps to the time stamps.
    fn follow(&mut self, deviation: i64) {
        self.deviation += deviation - self.deviation / SMOOTHING;
        let average = self.deviation / SMOOTHING;
        let excess = average - average.clamp(-DEAD_ZONE, DEAD_ZONE);
        let rate = i64::from(self.decoder.rate());
        let slew = rate * excess / CATCH_UP;
        // Time stamps ahead of the count: more samples are to be made of as many.
        self.resampler
            .set_slew(-slew.clamp(-rate / 200, rate / 200));
    }

    /// Time at which the next access unit is expected.
    fn end(&self) -> Option<i64> {
        let pending = self.pending.len() / self.decoder.channels();
        self.time
            .map(|time| time.saturating_add(pending as i64 + self.resampler.lead()))
    }

    fn begin(&mut self, start: i64, seam: bool) {
        self.statistics.jumps += 1;
        self.resampler.restart();
        self.deviation = 0;
        self.time = Some(start);
        self.seam |= seam;
    }

    /// Adds silence of so many samples of the source; the sound before it fades out where that is possible.
    fn silence(&mut self, mut count: usize) {
        let channels = self.decoder.channels();
        let faded = self.decoder.conceal();
        let samples = (faded.len() / channels).min(count);
        let faded = faded.get(..samples * channels).unwrap_or_default();
        self.resampler.process(faded, &mut self.pending);
        count -= samples;
        self.resampler.silence(count, &mut self.pending);
    }

    /// Completes the sound so far with silence, in packets that are earlier than `until`.
    fn finish(&mut self, until: i64) {
        if self.time.is_none() {
            return;
        }
        // What the decoder still holds fades out.
        let faded = self.decoder.conceal();
        self.resampler.process(faded, &mut self.pending);
        self.resampler.flush(&mut self.pending);
        let channels = self.decoder.channels();
        let frame = self.sound.frame();
        let frames = (self.pending.len() / channels + self.sound.lookahead()).div_ceil(frame);
        self.pending.resize(frames * frame * channels, 0.0);
        self.encode();
        while self
            .packets
            .back()
            .is_some_and(|packet| packet.pts >= until)
        {
            self.packets.pop_back();
            self.statistics.packets -= 1;
        }
        self.time = None;
    }

    /// Makes packets of what is pending.
    fn encode(&mut self) {
        let Some(mut time) = self.time else {
            return;
        };
        let (frame_length, lookahead) = (self.sound.frame() as i64, self.sound.lookahead() as i64);
        let size = self.sound.frame() * self.decoder.channels();
        let frames = self.pending.chunks_exact(size);
        let spent = self.pending.len() - frames.remainder().len();
        for frame in frames {
            let pts = time.saturating_sub(lookahead);
            time = time.saturating_add(frame_length);
            let Some(payload) = self.encoder.encode(frame) else {
                self.statistics.failures += 1;
                continue;
            };
            self.statistics.packets += 1;
            self.packets.push_back(AccessUnit {
                track: self.track.id,
                dts: pts,
                pts,
                random_access: true,
                disposable: false,
                discontinuity: std::mem::take(&mut self.seam),
                capture: self.capture.and_then(|known| captured(known, pts)),
                payload,
            });
        }
        self.pending.drain(..spent);
        self.time = Some(time);
    }

    /// Samples of the source as samples of 48 kHz.
    fn in_output(&self, samples: usize) -> i64 {
        (samples as i64).saturating_mul(RATE.into()) / i64::from(self.decoder.rate())
    }

    /// Samples of 48 kHz, not negative, as samples of the source.
    const fn in_source(&self, samples: i64) -> usize {
        (samples as usize).saturating_mul(self.decoder.rate() as usize) / RATE as usize
    }
}

/// When the sound at `pts` was captured, known of another time.
fn captured((time, capture): (i64, SystemTime), pts: i64) -> Option<SystemTime> {
    let distance = |ticks: i64| -> Duration { TIMEBASE.duration(ticks) };
    match pts.checked_sub(time)? {
        after @ 0.. => capture.checked_add(distance(after)),
        before => capture.checked_sub(distance(before.saturating_neg())),
    }
}
