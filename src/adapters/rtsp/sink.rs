//! Publishes a stream to another server: ANNOUNCE and RECORD, with the packets on the connection, which may be
//! encrypted, or within HTTP.
//!
//! The connection reads the stream at its own place: a server that is slow makes the reader skip, and one that takes
//! nothing is given up; neither is felt elsewhere. Sound waits a moment for the picture that follows it.

use super::cutter::{self, Cutter, Section};
use super::failure::{Step, said, too_slow};
use super::player::{MAX_PAYLOAD, append};
use super::source::{Source, Transport};
use super::wire::Wire;
use crate::adapters::Feed;
use crate::hub::{Item, TrackSet};
use media::Kind;
use rtsp::auth::{Credentials, Random};
use rtsp::client::{Choice, Config, Event, Session, Wanted};
use rtsp::{Carriage, Output};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// A server that takes no byte for so long is given up.
const STALLED: Duration = Duration::from_secs(10);

/// Sound waits so long for the next picture.
const SOUND_WAITS: Duration = Duration::from_millis(20);

/// What is gathered for one write ends at so many bytes.
const MAX_BATCH: usize = 256 << 10;

/// Publishes until the stream ends. The server has `limit` for each answer.
pub(super) async fn push(source: &Source, feed: &Feed, limit: Duration) -> Result<(), String> {
    let tracks = feed.stream.snapshot().tracks;
    let sections = cutter::sections(&tracks);
    if sections.is_empty() {
        return Err("the stream has nothing that is carried by RTP".to_owned());
    }
    let mut link = Link::open(source, feed, &sections, limit).await?;
    feed.progress.set_live();
    let channels = link.channels()?;
    let mut cutter = Cutter::new(&feed.stream, &sections, MAX_PAYLOAD);
    let mut reader = feed.reader();
    let mut current: Option<Arc<TrackSet>> = None;
    let mut batch = Batch::default();
    let mut due: Option<Instant> = None;
    loop {
        let next = tokio::select! {
            item = reader.next() => Some(item),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => None,
            heard = link.hear() => {
                heard?;
                continue;
            }
        };
        let mut next = next;
        let mut ended = false;
        while let Some(item) = next {
            match item {
                Item::Tracks(new) => {
                    if let Some(words) = cutter::breaks(&tracks, &new) {
                        return Err(words.to_owned());
                    }
                    current = Some(new);
                }
                Item::Unit(unit) => {
                    if let Some(tracks) = &current {
                        let frames = &mut batch.frames;
                        cutter.cut(tracks, &unit, |packet| {
                            append(frames, &channels, &packet);
                        });
                        let video = tracks.first(Kind::Video).map(|video| video.id);
                        batch.units += 1;
                        batch.is_due |= video.is_none_or(|video| video == unit.track);
                    }
                }
                Item::Skipped(skip) => {
                    feed.progress.skipped(skip.entries);
                    feed.stream.note_skip("rtsp_target", &source.place(), &skip);
                }
                Item::Ended(_) => ended = true,
            }
            if ended || batch.frames.len() >= MAX_BATCH {
                break;
            }
            next = reader.try_next();
        }
        let waited = due.is_some_and(|due| due <= Instant::now());
        if !batch.is_due && !ended && !waited && batch.frames.len() < MAX_BATCH {
            if !batch.frames.is_empty() {
                due.get_or_insert_with(|| Instant::now() + SOUND_WAITS);
            }
            continue;
        }
        due = None;
        let sent = std::mem::take(&mut batch);
        link.write(&sent.frames).await?;
        feed.progress.sent(sent.units, sent.frames.len() as u64);
        if ended {
            return link.finish().await;
        }
    }
}

/// What is to be written together.
#[derive(Default)]
struct Batch {
    frames: Vec<u8>,
    units: u64,
    /// There is a picture in it, or no picture will come.
    is_due: bool,
}

/// A connection to the server.
struct Link {
    wire: Wire,
    session: Session,
    tracks: usize,
    place: String,
}

impl Link {
    /// Connects, and is let publish.
    async fn open(
        source: &Source,
        feed: &Feed,
        sections: &[Section],
        limit: Duration,
    ) -> Result<Self, String> {
        let transport = source.transport.unwrap_or_default();
        if matches!(transport, Transport::Udp | Transport::Multicast) {
            return Err(
                "a stream is pushed on the connection: transport is tcp or http".to_owned(),
            );
        }
        let connecting = timeout(limit, Wire::connect(source, transport, &feed.context)).await;
        let wire = connecting.map_err(|_| too_slow(Step::Describe, source, limit))?;
        let wire = wire.map_err(|problem| said(source, &problem))?;
        let mut config = Config::new(source.url.as_str());
        config.credentials = source.login.as_ref().map(|login| Credentials {
            user: login.user.clone(),
            password: login.password.clone(),
        });
        config.user_agent = concat!("Millstream/", env!("CARGO_PKG_VERSION")).to_owned();
        config.timeout = limit;
        config.random = Random(rand::random());
        let media = sections.iter().enumerate().map(|(number, section)| {
            let mut media = section.media();
            media.control = Some(format!("streamid={number}"));
            media
        });
        let description = sdp::Description {
            origin: sdp::Origin::default(),
            name: feed.stream.name().to_string(),
            control: None,
            media: media.collect(),
        };
        let choices = (0..sections.len()).map(|section| Choice {
            section,
            wanted: Wanted::Tcp,
        });
        let now = Instant::now().into_std();
        let mut link = Self {
            session: Session::record(now, config, description, choices.collect()),
            wire,
            tracks: sections.len(),
            place: source.place(),
        };
        loop {
            let (recording, due) = link.settle().await?;
            if recording {
                return Ok(link);
            }
            link.read(due).await?;
        }
    }

    /// Section, channel of RTP and of RTCP of each track.
    fn channels(&self) -> Result<Vec<(usize, u8, u8)>, String> {
        let tracks = (0..self.tracks).map(|track| match self.session.carriage(track) {
            Some(Carriage::Tcp { rtp, rtcp }) => Some((track, rtp, rtcp)),
            _ => None,
        });
        let channels = tracks.collect::<Option<_>>();
        channels.ok_or_else(|| format!("{} takes no packets on the connection", self.place))
    }

    /// Listens to what the server says, and keeps the session alive. Safe to cancel before something has come.
    async fn hear(&mut self) -> Result<(), String> {
        let (_, due) = self.settle().await?;
        self.read(due).await
    }

    async fn read(&mut self, due: Option<std::time::Instant>) -> Result<(), String> {
        let mut input = [0; 2_048];
        let read = self.wire.read(&mut input);
        let read = match due {
            Some(due) => timeout_at(Instant::from_std(due), read).await,
            None => Ok(read.await),
        };
        let now = Instant::now().into_std();
        let place = &self.place;
        match read {
            Ok(Ok(0)) => Err(format!("{place} closed the connection")),
            Ok(Ok(count)) => {
                let input = input.get(..count).unwrap_or_default();
                let taken = self.session.handle_input(now, input);
                taken.map_err(|error| format!("{place} does not speak RTSP: {error}"))
            }
            Ok(Err(error)) => Err(format!("the connection to {place} is lost: {error}")),
            Err(_) => {
                let late = self.session.handle_timeout(now);
                late.map_err(|error| format!("{place}: {error}"))
            }
        }
    }

    /// Sends what the session has to say, and hears what happened: whether the server takes packets now, and by when
    /// it has to answer.
    async fn settle(&mut self) -> Result<(bool, Option<std::time::Instant>), String> {
        let mut recording = false;
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => self.write(&bytes).await?,
                Output::Event(Event::Recording) => recording = true,
                Output::Event(Event::Rejected { method, status, .. }) => {
                    let (place, status) = (&self.place, status.0);
                    return Err(format!("{place} answers {method} with {status}"));
                }
                Output::Event(Event::Closed) => {
                    return Err(format!("{} ended the stream", self.place));
                }
                Output::Event(Event::Redirected { .. }) => {
                    return Err(format!("{} wants the stream elsewhere", self.place));
                }
                Output::Event(_) => {}
                Output::Timeout(due) => return Ok((recording, due)),
            }
        }
    }

    /// Writes all, as long as it is taken.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let place = &self.place;
        match timeout(STALLED, self.wire.write(bytes)).await {
            Ok(written) => {
                written.map_err(|error| format!("the connection to {place} is lost: {error}"))
            }
            Err(_) => Err(format!(
                "{place} has not taken what it was sent within {} s",
                STALLED.as_secs()
            )),
        }
    }

    /// Says goodbye.
    async fn finish(mut self) -> Result<(), String> {
        self.session.teardown(Instant::now().into_std());
        self.settle().await.map(drop)
    }
}
