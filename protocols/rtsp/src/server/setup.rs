//! SETUP: which track of which stream, and how it is carried (RFC 2326 section 10.4).

use super::requests::{access, split_track};
use super::{Event, Question, Session, Stage, Stream, Track};
use crate::carriage::Carriage;
use crate::header::{Lower, Transport};
use crate::message::{Request, Status};
use sdp::control;
use std::time::Instant;

/// Most tracks of a session; the same as sections of a description.
const MAX_TRACKS: usize = sdp::MAX_MEDIA;

impl Session {
    pub(super) fn setup(&mut self, now: Instant, request: Request) {
        if matches!(self.stage, Stage::Playing | Stage::Recording) {
            self.fail(&request, Status::METHOD_NOT_VALID);
            return;
        }
        let Some(stream) = &self.stream else {
            // Some clients know the tracks already.
            let access = access(&request);
            self.ask(Question::SetUp, request, Event::Describe(access));
            return;
        };
        // Another stream than was described is another question, but only as long as nothing is set up.
        let (url, _) = split_track(&request.url);
        let other = !stream.recorded && self.tracks.is_empty() && !same_stream(url, &stream.url);
        if other {
            let access = access(&request);
            self.ask(Question::SetUp, request, Event::Describe(access));
            return;
        }
        self.set_up(now, &request);
    }

    /// Sets up a track of the stream that is known.
    pub(super) fn set_up(&mut self, now: Instant, request: &Request) {
        match self.agree(request) {
            Ok((track, transport)) => {
                if self.stage == Stage::Init {
                    self.sessions += 1;
                    self.stage = Stage::Ready;
                }
                self.tracks.retain(|known| known.section != track.section);
                self.tracks.push(track);
                let channels = self.tracks.iter().map(|track| match track.carriage {
                    Carriage::Tcp { rtp, rtcp } => rtp.max(rtcp).saturating_add(1),
                    _ => 0,
                });
                self.reader.set_channels(channels.max().unwrap_or(0));
                self.alive(now);
                let fields = [("Transport", transport.to_string())];
                self.respond(request, Status::OK, &fields, "");
            }
            Err(status) => self.fail(request, status),
        }
    }

    /// The first way of the client's list that is possible.
    fn agree(&self, request: &Request) -> Result<(Track, Transport), Status> {
        let stream = self.stream.as_ref().ok_or(Status::NOT_FOUND)?;
        let section = self.section(stream, &request.url)?;
        if self.tracks.len() >= MAX_TRACKS {
            return Err(Status::BAD_REQUEST);
        }
        let text = request.headers.get("Transport").unwrap_or_default();
        for wanted in Transport::parse_list(text) {
            // ffmpeg and GStreamer say it; who leaves it out says it with RECORD.
            if wanted.record && !stream.recorded {
                return Err(Status::METHOD_NOT_VALID);
            }
            if let Some(agreed) = self.carry(stream, section, &wanted) {
                return Ok(agreed);
            }
        }
        Err(Status::UNSUPPORTED_TRANSPORT)
    }

    /// Which section a URL is for.
    fn section(&self, stream: &Stream, url: &str) -> Result<usize, Status> {
        let media = &stream.description.media;
        if !stream.recorded {
            return match split_track(url).1 {
                Some(track) if track < media.len() => Ok(track),
                Some(_) => Err(Status::NOT_FOUND),
                None if media.len() == 1 => Ok(0),
                None => Err(Status::AGGREGATE_NOT_ALLOWED),
            };
        }
        // Who records has named the sections itself.
        let mut sections = media.iter();
        let found = sections.position(|media| {
            let control = media.control.as_deref().filter(|control| *control != "*");
            control.is_some_and(|control| {
                let whole = control::resolve(&stream.url, Some(control));
                url.trim_end_matches('/') == whole.trim_end_matches('/')
                    || url.trim_end_matches('/').ends_with(&format!("/{control}"))
            })
        });
        // Or has not, and sets them up in their order.
        let next = || (self.tracks.len() < media.len()).then_some(self.tracks.len());
        let unnamed = media.iter().all(|media| media.control.is_none());
        found
            .or_else(|| next().filter(|_| unnamed || media.len() == 1))
            .ok_or(Status::NOT_FOUND)
    }

    fn carry(
        &self,
        stream: &Stream,
        section: usize,
        wanted: &Transport,
    ) -> Option<(Track, Transport)> {
        let mut agreed = Transport::new(wanted.lower);
        agreed.record = wanted.record;
        agreed.ssrc = stream.ssrcs.get(section).copied();
        let carriage = match (wanted.lower, wanted.multicast) {
            (Lower::Tcp, _) => {
                // For players packets are made once for all that have the same channels: these are no more than players
                // ask for.
                let wanted = wanted.interleaved;
                let wanted = wanted.filter(|pair| stream.recorded || is_usual(*pair));
                let (rtp, rtcp) = self.channels(wanted)?;
                agreed.interleaved = Some((rtp, rtcp));
                Carriage::Tcp { rtp, rtcp }
            }
            (Lower::Udp, true) => {
                let group = stream.groups.get(section).filter(|_| !stream.recorded)?;
                agreed.multicast = true;
                agreed.destination = Some(group.address);
                agreed.port = Some((group.rtp, group.rtcp));
                agreed.ttl = Some(group.ttl);
                Carriage::Multicast {
                    address: group.address,
                    rtp: group.rtp,
                    rtcp: group.rtcp,
                    ttl: group.ttl,
                }
            }
            (Lower::Udp, false) => {
                agreed.server_port = Some(self.config.udp?);
                // Packets go to the far end of the connection, whatever destination is named.
                let (rtp, rtcp) = wanted.client_port.filter(|(rtp, _)| *rtp > 0)?;
                agreed.client_port = Some((rtp, rtcp));
                let source = None;
                Carriage::Udp { rtp, rtcp, source }
            }
        };
        Some((Track { section, carriage }, agreed))
    }

    /// The channels that are asked for, if they are free, or else the next ones.
    fn channels(&self, wanted: Option<(u8, u8)>) -> Option<(u8, u8)> {
        let taken = |channel| {
            let mut tracks = self.tracks.iter();
            tracks.any(|track| track.carriage.takes(channel).is_some())
        };
        let free = |(rtp, rtcp): &(u8, u8)| rtp != rtcp && !taken(*rtp) && !taken(*rtcp);
        let even = (0..u8::MAX)
            .step_by(2)
            .map(|channel| (channel, channel + 1));
        wanted.into_iter().chain(even).find(free)
    }
}

/// Whether these are channels that players ask for, of up to four tracks.
const fn is_usual((rtp, rtcp): (u8, u8)) -> bool {
    rtp < 8 && rtp % 2 == 0 && rtcp == rtp + 1
}

/// Whether two URLs are of one stream. Clients leave out the query, or the slash at its end.
fn same_stream(one: &str, other: &str) -> bool {
    let path = |url| {
        let request = Request::new(crate::message::Method::Setup, url);
        access(&request).path.trim_end_matches('/').to_owned()
    };
    path(one) == path(other)
}
