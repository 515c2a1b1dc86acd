//! One section of a description that is carried: its format, its order, its clock.

use super::program::Program;
use super::receiver::Event;
use bytes::Bytes;
use media::decoding_times::DecodingTimes;
use media::{Codec, Kind, Timebase, Track, TrackId};
use rtp::payload::{self, Damaged, Depacketizer, Format, FormatError};
use rtp::rtcp::{Reception, SenderInfo};
use rtp::{Header, Reorder};
use std::time::{Duration, Instant};

/// One section of a description that is carried.
pub struct Incoming {
    pub(super) section: usize,
    /// The number of its packets.
    pub(super) payload_type: u8,
    /// None but these are taken: the section describes others too, or one of these has come. Some senders use another
    /// number than they describe.
    pub(super) is_strict: bool,
    pub(super) timebase: Timebase,
    pub(super) has_pictures: bool,
    pub(super) content: Content,
    /// What came last, where nothing is put in order.
    pub(super) last: Bytes,
    pub(super) reorder: Reorder<Bytes>,
    pub(super) reception: Reception,
    /// The RTP time that was announced for its start.
    pub(super) announced: Option<u32>,
    pub(super) clock: Clock,
    /// The last sender report, until there is a packet to compare it with.
    pub(super) unused_report: Option<SenderInfo>,
    /// When it came.
    pub(super) reported: Option<Instant>,
    pub(super) track: Option<Track>,
    /// RTP does not carry decoding times.
    pub(super) times: Option<DecodingTimes>,
}

/// What the payloads of a section are.
pub(super) enum Content {
    /// Access units of one track.
    Units(Box<Depacketizer>),
    /// A transport stream with tracks of its own.
    Program(Box<Program>),
}

/// The RTP times of one source, without their wraps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// The newest RTP time, and its distance from the start in ticks.
    pub(super) newest: Option<(u32, i64)>,
    /// When it came.
    pub(super) came: Option<Instant>,
}

/// What comes out of a section.
pub(super) enum Piece {
    /// On the section's clock.
    Payload(payload::Event),
    /// As it goes on.
    Program(Event),
}

impl Content {
    /// The next piece.
    pub(super) fn pull(&mut self) -> Option<Piece> {
        match self {
            Self::Units(depacketizer) => depacketizer.pull().map(Piece::Payload),
            Self::Program(program) => program.pull().map(Piece::Program),
        }
    }
}

impl Incoming {
    /// Of the section of this number. Its first format that is carried is taken.
    ///
    /// # Errors
    /// Why none of them is.
    pub fn new(section: usize, media: &sdp::Media) -> Result<Self, FormatError> {
        let mut refused = FormatError::Codec(format!("{} over {}", media.kind, media.protocol));
        for format in &media.formats {
            let described = Format {
                encoding: &format.name,
                clock_rate: format.clock_rate,
                channels: format.channels.map_or(1, std::num::NonZero::get),
                parameters: &format.parameters,
            };
            match Self::of(section, format.payload_type, &described) {
                Ok(incoming) => {
                    return Ok(Self {
                        is_strict: media.formats.len() > 1,
                        has_pictures: media.kind == "video",
                        ..incoming
                    });
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Of the section of this number, in this format alone; it is taken for sound.
    ///
    /// # Errors
    /// Why it is not carried.
    pub fn of(section: usize, payload_type: u8, format: &Format<'_>) -> Result<Self, FormatError> {
        let timebase = Timebase::new(format.clock_rate).ok_or(FormatError::ClockRate);
        let content = match format.encoding.eq_ignore_ascii_case("MP2T") {
            true => Content::Program(Box::new(Program::new(section))),
            false => Content::Units(Box::new(Depacketizer::new(format, Damaged::Drop)?)),
        };
        Ok(Self {
            section,
            payload_type,
            is_strict: true,
            timebase: timebase?,
            has_pictures: false,
            content,
            last: Bytes::new(),
            reorder: Reorder::default(),
            reception: Reception::new(format.clock_rate),
            announced: None,
            clock: Clock::default(),
            unused_report: None,
            reported: None,
            track: None,
            times: None,
        })
    }

    /// It is one of pictures.
    pub const fn with_pictures(mut self) -> Self {
        self.has_pictures = true;
        self
    }

    /// Behind a gap, as many packets wait for so long: what is missing has been asked for again.
    pub fn patient(mut self, packets: usize, wait: Duration) -> Self {
        self.reorder = Reorder::new(packets, wait);
        self
    }

    /// Its packets come by TCP, which loses none.
    pub fn in_order(mut self) -> Self {
        self.reorder = Reorder::in_order();
        self
    }

    /// The number of its section.
    pub const fn section(&self) -> usize {
        self.section
    }

    /// Whether a packet is of its format.
    pub(super) fn is_ours(&mut self, header: &Header) -> bool {
        let is_described = self.payload_type == header.payload_type;
        let is_ours = is_described || !self.is_strict;
        self.is_strict |= is_described;
        is_ours
    }

    /// Whether there are pictures in it whose parameters are not known.
    pub(super) fn awaits_pictures(&self) -> bool {
        match &self.content {
            Content::Units(_) => self.has_pictures && self.track.is_none(),
            Content::Program(program) => program.awaits_pictures(),
        }
    }

    /// The tracks that are known.
    pub(super) fn tracks(&self) -> &[Track] {
        match &self.content {
            Content::Units(_) => self.track.as_slice(),
            Content::Program(program) => program.tracks(),
        }
    }

    /// Access units of which parts were missing.
    pub(super) fn damaged(&self) -> u64 {
        match &self.content {
            Content::Units(depacketizer) => depacketizer.counts().damaged,
            Content::Program(program) => program.damaged(),
        }
    }

    /// Another configuration. Gives the track if it is news.
    pub(super) fn take_codec(&mut self, id: TrackId, codec: Codec) -> Option<Track> {
        let track = Track {
            id,
            codec,
            timebase: self.timebase,
        };
        if self.track.as_ref() == Some(&track) {
            return None;
        }
        if track.kind() == Kind::Video {
            match &mut self.times {
                Some(times) => times.set_track(&track),
                None => self.times = Some(DecodingTimes::new(&track)),
            }
        }
        self.track = Some(track.clone());
        Some(track)
    }
}

impl Clock {
    /// The distance of an RTP time from the start; the first one lies `first` behind it.
    pub(super) fn elapsed(&self, timestamp: u32, first: i64) -> i64 {
        match self.newest {
            Some((newest, elapsed)) => {
                elapsed.saturating_add(i64::from(timestamp.wrapping_sub(newest) as i32))
            }
            None => first,
        }
    }

    /// Whether an RTP time that comes `passed` ticks after the newest lies where no delay and no picture order
    /// explains it: a clock that was set. Packets that were held up come together, and are not meant.
    pub(super) fn leaps(&self, timestamp: u32, passed: i64, most: i64) -> bool {
        self.newest.is_some_and(|(newest, _)| {
            let step = i64::from(timestamp.wrapping_sub(newest) as i32);
            step < -most || step > passed.saturating_add(most)
        })
    }
}
