//! The description as a whole: what is live and since when, and its periods (ISO/IEC 23009-1 clauses 5.3.1 and 5.3.2).

use crate::text::{Escaped, Length};
use crate::track::Track;
use media::DateTime;
use std::fmt::{self, Display, Formatter, Write};
use std::time::{Duration, SystemTime};

/// A media presentation description that borrows what it is made of. [`render`](Self::render) or `Display` writes
/// it.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    /// What there is beside the media while it goes on; `None` once all of it is there (type `static`).
    pub live: Option<Live<'a>>,
    /// Length of all periods together, where it is known: of what is not live.
    pub duration: Option<Duration>,
    /// What a player should have before it begins, at the bandwidth that the tracks say.
    pub min_buffer: Duration,
    /// No segment is longer.
    pub max_segment: Duration,
    /// The periods, oldest first; at least one.
    pub periods: &'a [Period<'a>],
}

/// What a live presentation says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// The wall clock's time at which the presentation's time is 0: every start of a period counts from here.
    pub availability_start: SystemTime,
    /// When this description was made.
    pub published: SystemTime,
    /// How soon another one may say more; none once all has been said.
    pub update: Option<Duration>,
    /// Where that is to be had, if not where this one was: a URL, which may be relative.
    pub location: Option<&'a str>,
    /// How much of the past is there.
    pub time_shift: Duration,
    /// How far behind what is captured now a player should begin.
    pub delay: Duration,
    /// How far behind it a player should stay, by playing at a slightly other speed, where that is to be said (clause
    /// K.3.2).
    pub latency: Option<Duration>,
    /// Where players that need a true wall clock get one.
    pub clock: Option<Clock<'a>>,
}

/// Where the time is told (clause 5.8.4.11).
#[derive(Clone, Copy, Debug)]
pub enum Clock<'a> {
    /// A URL that answers with a time of ISO 8601.
    Http(&'a str),
    /// The time in the description itself, as ISO 8601 has it: as true as its way is short.
    Direct(&'a str),
}

/// A run of segments that continue each other.
#[derive(Clone, Copy, Debug)]
pub struct Period<'a> {
    /// Different from that of all other periods of the presentation, in every version of the description.
    pub id: &'a str,
    /// When it begins, in the presentation's time.
    pub start: Duration,
    /// The tracks to be played together.
    pub tracks: &'a [Track<'a>],
}

const NAMESPACE: &str = "urn:mpeg:dash:schema:mpd:2011";

/// Clauses 8.4 and 8.3, and those of segments in CMAF (clause 8.12.4.3).
const LIVE: &str = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019";

impl Description<'_> {
    /// Appends the description's text to `out`.
    pub fn render(&self, out: &mut String) {
        // A String takes all that is written to it.
        let _ = self.write(out);
    }

    fn write(&self, out: &mut impl Write) -> fmt::Result {
        out.write_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
        write!(out, "<MPD xmlns=\"{NAMESPACE}\" profiles=\"{LIVE}\"")?;
        match &self.live {
            Some(live) => live.write_attributes(out)?,
            None => out.write_str(" type=\"static\"")?,
        }
        if let Some(duration) = self.duration {
            write!(out, " mediaPresentationDuration=\"{}\"", Length(duration))?;
        }
        writeln!(
            out,
            " minBufferTime=\"{}\" maxSegmentDuration=\"{}\">",
            Length(self.min_buffer),
            Length(self.max_segment)
        )?;
        if let Some(location) = self.live.and_then(|live| live.location) {
            writeln!(out, " <Location>{}</Location>", Escaped(location))?;
        }
        if let Some(latency) = self.live.and_then(|live| live.latency) {
            writeln!(
                out,
                " <ServiceDescription id=\"0\"><Latency target=\"{}\"/>\
                 <PlaybackRate min=\"0.96\" max=\"1.04\"/></ServiceDescription>",
                latency.as_millis()
            )?;
        }
        for period in self.periods {
            period.write(out)?;
        }
        match self.live.and_then(|live| live.clock) {
            Some(Clock::Http(url)) => write_clock(out, "http-iso", &Escaped(url))?,
            Some(Clock::Direct(time)) => write_clock(out, "direct", &Escaped(time))?,
            None => {}
        }
        out.write_str("</MPD>\n")
    }
}

impl Display for Description<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

fn write_clock(out: &mut impl Write, scheme: &str, value: &impl Display) -> fmt::Result {
    writeln!(
        out,
        " <UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:{scheme}:2014\" value=\"{value}\"/>"
    )
}

impl Live<'_> {
    fn write_attributes(&self, out: &mut impl Write) -> fmt::Result {
        write!(
            out,
            " type=\"dynamic\" availabilityStartTime=\"{}\" publishTime=\"{}\" timeShiftBufferDepth=\"{}\" \
             suggestedPresentationDelay=\"{}\"",
            DateTime(self.availability_start),
            DateTime(self.published),
            Length(self.time_shift),
            Length(self.delay)
        )?;
        match self.update {
            Some(update) => write!(out, " minimumUpdatePeriod=\"{}\"", Length(update)),
            None => Ok(()),
        }
    }
}

impl Period<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let (id, start) = (Escaped(self.id), Length(self.start));
        writeln!(out, " <Period id=\"{id}\" start=\"{start}\">")?;
        for (number, track) in self.tracks.iter().enumerate() {
            track.write(out, number)?;
        }
        out.write_str(" </Period>\n")
    }
}
