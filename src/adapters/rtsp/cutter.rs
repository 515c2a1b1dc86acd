//! A stream as RTP packets, cut once for all who get them: which sections it has, their packets, and the sender
//! reports between them.
//!
//! All players of a stream see the same sources, numbers and times, so that nothing of a packet belongs to one of
//! them.

use crate::hub::{Item, Reader, Stream, StreamName, TrackSet};
use media::{AccessUnit, Codec, Kind, Timebase, Track, TrackId};
use rtp::Header;
use rtp::payload::{Description, packetize};
use rtp::rtcp::{self, Bye, NtpTime, SenderInfo, SenderReport};
use rtsp::server::{Start, Track as Chosen};
use smallvec::SmallVec;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

/// The payload type of the first section; the next ones follow it.
const FIRST_PAYLOAD_TYPE: u8 = 96;

/// Media time from one sender report to the next (RFC 3550 section 6.2), in microseconds.
const REPORT_INTERVAL: i64 = 5_000_000;

/// The part of a change of the delay from capture to here that is followed with each access unit.
const FOLLOW: i64 = 64;

/// Over how much of the stream's time the clock of the reports moves by one part of it at most. From one report to the next that is
/// less than the sound of an access unit: players put sound where the newest report says, and must not have to go back.
const SLEW: i64 = 500;

/// A change that is taken at once, in microseconds: the source has paused, or its clock was set.
const STEP: i64 = 1_000_000;

/// The canonical name of all our sources (RFC 3550 section 6.5.1).
const NAME: &str = "millstream";

/// A section of a stream's description: one of its tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// The track.
    pub(super) track: TrackId,
    /// Pictures, sound, or data.
    pub(super) kind: Kind,
    /// How it is sent.
    pub(super) description: Description,
    /// The number of its packets.
    pub(super) payload_type: u8,
}

/// Whether there is a payload format for a codec.
pub(super) fn carries(codec: &Codec) -> bool {
    Description::of(codec).is_some()
}

/// The sections of these tracks: of those for whose codec there is a payload format.
pub(super) fn sections(tracks: &TrackSet) -> Vec<Section> {
    let described = tracks.tracks.iter().filter_map(|track: &Track| {
        let description = Description::of(&track.codec)?;
        Some((track, description))
    });
    let numbered = described.zip(FIRST_PAYLOAD_TYPE..=127);
    numbered
        .map(|((track, description), payload_type)| Section {
            track: track.id,
            kind: track.kind(),
            description,
            payload_type,
        })
        .collect()
}

impl Section {
    /// As a session description has it.
    pub(super) fn media(&self) -> sdp::Media {
        let Description {
            encoding,
            clock_rate,
            channels,
            parameters,
        } = &self.description;
        let channels = match self.kind {
            Kind::Audio => std::num::NonZeroU8::new(*channels),
            Kind::Video | Kind::Data => None,
        };
        let kind = match self.kind {
            Kind::Video => "video",
            Kind::Audio => "audio",
            Kind::Data => "application",
        };
        let format = sdp::Format {
            payload_type: self.payload_type,
            name: (*encoding).to_owned(),
            clock_rate: *clock_rate,
            channels,
            parameters: parameters.clone(),
        };
        sdp::Media::new(kind, format)
    }

    /// Whether who was told of this section can go on with `other` in its place. Parameter sets of pictures come
    /// with the pictures.
    fn goes_on_as(&self, other: &Self) -> bool {
        let (mine, others) = (&self.description, &other.description);
        self.payload_type == other.payload_type
            && mine.encoding == others.encoding
            && mine.clock_rate == others.clock_rate
            && mine.channels == others.channels
            && (self.kind == Kind::Video || mine.parameters == others.parameters)
    }

    /// Whether the last packet of an access unit has the marker: it does where units are cut or joined, and not
    /// where it would mean the end of a silence.
    fn marks_ends(&self) -> bool {
        let encoding = self.description.encoding.to_ascii_lowercase();
        self.kind == Kind::Video || matches!(encoding.as_str(), "mpeg4-generic" | "ac3" | "eac3")
    }
}

/// Why who was told of `before` cannot be sent `after`; none where it can.
pub(super) fn breaks(before: &TrackSet, after: &TrackSet) -> Option<&'static str> {
    let after = sections(after);
    let goes_on = |section: &Section| {
        let mut same = after.iter().filter(|other| other.track == section.track);
        same.any(|other| section.goes_on_as(other))
    };
    let all = sections(before).iter().all(goes_on);
    (!all).then_some("the stream has other tracks now")
}

/// The source of a stream's section: the same for all who play it.
pub(super) fn ssrc(stream: &StreamName, section: usize) -> u32 {
    random("source", stream, section)
}

/// What is chosen at random for a stream's section (RFC 3550 section 5.1), and is the same for all who play it.
fn random(what: &str, stream: &StreamName, section: usize) -> u32 {
    static SECRET: OnceLock<RandomState> = OnceLock::new();
    let secret = SECRET.get_or_init(RandomState::new);
    secret.hash_one((what, stream.app(), stream.id(), section)) as u32
}

/// Where a stream stands before a random access point: for each section the number of the next packet, and the RTP
/// time of that moment.
#[derive(Clone, Debug)]
pub(super) struct Place(SmallVec<[(usize, Start); 3]>);

impl Place {
    /// With which packets these tracks begin, in their order; nothing where one of them is not known.
    pub(super) fn starts(&self, tracks: &[Chosen]) -> Vec<Start> {
        let known = tracks.iter().map(|track| {
            let mut sections = self.0.iter();
            let found = sections.find(|(section, _)| *section == track.section)?;
            Some(found.1)
        });
        known.collect::<Option<_>>().unwrap_or_default()
    }
}

/// That these sections of a stream end.
pub(super) fn bye(stream: &StreamName, section: usize) -> Vec<u8> {
    let ssrc = ssrc(stream, section);
    let mut out = Vec::new();
    // A compound begins with a report (RFC 3550 section 6.1).
    let report = rtcp::ReceiverReport {
        ssrc,
        blocks: Vec::new(),
    };
    rtcp::Packet::ReceiverReport(report).write(&mut out);
    let bye = Bye {
        sources: vec![ssrc],
        reason: String::new(),
    };
    rtcp::Packet::Bye(bye).write(&mut out);
    out
}

/// Which wall clock time a stream's time means, in microseconds. Reports of all sections follow from one, or
/// players would move sound against pictures.
#[derive(Clone, Copy, Debug)]
struct Wall {
    /// What is to be added to the stream's time for the time since 1970.
    offset: i64,
    /// The stream's time up to which it has been followed.
    newest: i64,
}

impl Wall {
    /// Of a stream whose newest access unit has just come.
    fn of(stream: &Arc<Stream>) -> Self {
        let mut reader = Reader::new(stream.clone());
        let (mut tracks, mut newest) = (None, None);
        while let Some(item) = reader.try_next() {
            match item {
                Item::Tracks(set) => tracks = Some(set),
                Item::Unit(unit) => newest = Some(unit),
                Item::Skipped(_) => {}
                Item::Ended(_) => break,
            }
        }
        let found = tracks.zip(newest).and_then(|(tracks, unit)| {
            let timebase = tracks.get(unit.track)?.timebase;
            let micros = timebase.rescale(unit.dts, Timebase::MICROS);
            Some((micros, Self::found(&unit, micros)))
        });
        let (newest, offset) = found.unwrap_or_default();
        Self { offset, newest }
    }

    /// What an access unit at `micros` says by itself.
    fn found(unit: &AccessUnit, micros: i64) -> i64 {
        let time = unit.capture.unwrap_or_else(SystemTime::now);
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        let since = i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX);
        since.saturating_sub(micros)
    }

    /// Follows an access unit of the leading track, which has just come.
    fn follow(&mut self, unit: &AccessUnit, micros: i64) {
        let change = Self::found(unit, micros).saturating_sub(self.offset);
        let most = micros.saturating_sub(self.newest).max(0) / SLEW;
        self.newest = micros;
        self.offset = self.offset.saturating_add(if change.abs() >= STEP {
            change
        } else {
            (change / FOLLOW).clamp(-most, most)
        });
    }

    fn at(self, micros: i64) -> NtpTime {
        let since = u64::try_from(micros.saturating_add(self.offset)).unwrap_or(0);
        NtpTime::from_unix(Duration::from_micros(since))
    }
}

/// Cuts the access units of a stream.
pub(super) struct Cutter {
    stream: StreamName,
    lanes: Vec<Lane>,
    wall: Wall,
    /// Until when what comes is from before the cutter was made, and says nothing of the delay.
    past: Option<i64>,
    max_payload: usize,
}

/// What is being sent of one section.
struct Lane {
    /// The number of the section in the description.
    number: usize,
    section: Section,
    clock: Timebase,
    /// The RTP time of the stream's time 0.
    origin: u32,
    sequence: u16,
    packets: u32,
    octets: u32,
    /// When the next sender report is due, on the stream's time.
    report_at: Option<i64>,
}

/// A packet that leaves.
pub(super) struct Outgoing<'a> {
    /// The number of its section.
    pub(super) section: usize,
    /// Whether it is RTCP.
    pub(super) control: bool,
    /// Its header; empty for RTCP.
    pub(super) head: &'a [u8],
    /// The rest.
    pub(super) body: &'a [u8],
}

impl Cutter {
    /// Of a stream with these sections, and those that [`Cutter::extend`] adds, in payloads of at most so many bytes.
    pub(super) fn new(stream: &Arc<Stream>, sections: &[Section], max_payload: usize) -> Self {
        let wall = Wall::of(stream);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX);
        let mut cutter = Self {
            stream: stream.name().clone(),
            lanes: Vec::new(),
            wall,
            past: Some(now.saturating_sub(wall.offset)),
            max_payload,
        };
        cutter.extend(sections);
        cutter
    }

    /// Cuts these sections as well, of which those that are known have the numbers that they had.
    pub(super) fn extend(&mut self, sections: &[Section]) {
        for (number, section) in sections.iter().enumerate() {
            if !self.cuts(number) {
                self.lanes.extend(Lane::new(&self.stream, number, section));
            }
        }
    }

    /// Whether there are packets of the section of that number.
    pub(super) fn cuts(&self, number: usize) -> bool {
        self.lanes.iter().any(|lane| lane.number == number)
    }

    /// Leaves only the sections for which `keep` holds.
    pub(super) fn only(mut self, keep: impl Fn(usize) -> bool) -> Self {
        self.lanes.retain(|lane| keep(lane.number));
        self
    }

    /// Cuts an access unit; a sender report that is due comes before it. Whether one was.
    pub(super) fn cut(
        &mut self,
        tracks: &TrackSet,
        unit: &AccessUnit,
        mut put: impl FnMut(Outgoing<'_>),
    ) -> bool {
        let Some(track) = tracks.get(unit.track) else {
            return false;
        };
        let micros = track.timebase.rescale(unit.dts, Timebase::MICROS);
        let video = tracks.first(Kind::Video).map(|video| video.id);
        if self.past.is_some_and(|past| micros <= past) {
            // It came before.
        } else {
            self.past = None;
            if video.is_none_or(|video| video == unit.track) {
                self.wall.follow(unit, micros);
            }
        }
        let mut lanes = self.lanes.iter_mut();
        let Some(lane) = lanes.find(|lane| lane.section.track == unit.track) else {
            return false;
        };
        let Ok(payloads) = packetize(&track.codec, &unit.payload, self.max_payload) else {
            return false;
        };
        let reported = lane.report_at.is_none_or(|at| at <= micros);
        let ssrc = ssrc(&self.stream, lane.number);
        if reported {
            lane.report_at = Some(micros.saturating_add(REPORT_INTERVAL));
            put(Outgoing {
                section: lane.number,
                control: true,
                head: &[],
                body: &lane.report(ssrc, self.wall, micros),
            });
        }
        let marks = lane.section.marks_ends();
        let last = payloads.len().saturating_sub(1);
        let time = lane.time(track.timebase, unit.pts);
        for (index, payload) in payloads.iter().enumerate() {
            let header = Header {
                marker: marks && index == last,
                payload_type: lane.section.payload_type,
                sequence: lane.sequence,
                timestamp: time.wrapping_add(payloads.offset(index)),
                ssrc,
            };
            lane.sequence = lane.sequence.wrapping_add(1);
            lane.packets = lane.packets.wrapping_add(1);
            lane.octets = lane.octets.wrapping_add(payload.len() as u32);
            put(Outgoing {
                section: lane.number,
                control: false,
                head: &header.bytes(),
                body: payload,
            });
        }
        reported
    }

    /// Where it stands before this access unit is cut.
    pub(super) fn place(&self, tracks: &TrackSet, unit: &AccessUnit) -> Option<Place> {
        let timebase = tracks.get(unit.track)?.timebase;
        let lanes = self.lanes.iter().map(|lane| {
            let start = Start {
                sequence: lane.sequence,
                time: lane.time(timebase, unit.pts),
            };
            (lane.number, start)
        });
        Some(Place(lanes.collect()))
    }

    /// A sender report of each section as it would be at that time of the stream, in microseconds.
    pub(super) fn reports(&self, micros: i64) -> impl Iterator<Item = (usize, Vec<u8>)> {
        self.lanes.iter().map(move |lane| {
            let ssrc = ssrc(&self.stream, lane.number);
            (lane.number, lane.report(ssrc, self.wall, micros))
        })
    }
}

impl Lane {
    /// None for a section without a clock.
    fn new(stream: &StreamName, number: usize, section: &Section) -> Option<Self> {
        Some(Self {
            number,
            section: section.clone(),
            clock: Timebase::new(section.description.clock_rate)?,
            origin: random("time", stream, number),
            sequence: rand::random(),
            packets: 0,
            octets: 0,
            report_at: None,
        })
    }

    /// The RTP time of a time of the stream.
    fn time(&self, timebase: Timebase, ticks: i64) -> u32 {
        let ticks = timebase.rescale(ticks, self.clock) as u32;
        self.origin.wrapping_add(ticks)
    }

    fn report(&self, ssrc: u32, wall: Wall, micros: i64) -> Vec<u8> {
        let report = SenderReport {
            ssrc,
            info: SenderInfo {
                ntp: wall.at(micros),
                rtp: self.time(Timebase::MICROS, micros),
                packets: self.packets,
                octets: self.octets,
            },
            blocks: Vec::new(),
        };
        let description = rtcp::Description {
            names: vec![(ssrc, NAME.to_owned())],
        };
        let mut out = Vec::new();
        rtcp::Packet::SenderReport(report).write(&mut out);
        rtcp::Packet::Description(description).write(&mut out);
        out
    }
}
