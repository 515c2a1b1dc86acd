//! Publishes to another server.

use super::address::Address;
use super::link::Link;
use crate::adapters::Feed;
use crate::adapters::webrtc::cutter::Cutter;
use crate::adapters::webrtc::formats::{self, Formats};
use crate::adapters::webrtc::recent::{Recent, Sample};
use crate::adapters::webrtc::supply::{self, Supply, Takes};
use crate::adapters::webrtc::whep::formats_of;
use crate::bridge::Sound;
use crate::hub::Item;
use std::time::Instant;
use webrtc::{CloseReason, Event, Invitation, Session};

/// Publishes until the stream ends.
pub(in super::super) async fn push(url: &str, feed: &Feed) -> Result<(), String> {
    let address = Address::parse(url)?;
    let formats = formats_of(&feed.stream).map_err(|unsuitable| unsuitable.to_string())?;
    let media = (formats.video, formats.audio);
    let place = &address.at.place;
    let publishing = async {
        let link = tokio::select! {
            link = Link::open(&address, &feed.context, Invitation::publish, media) => link?,
            _ = feed.stream.end() => return Ok(()),
        };
        Publishing {
            link,
            formats,
            feed,
            supply: Supply::default(),
            recent: Recent::default(),
        }
        .run()
        .await
    };
    publishing
        .await
        .map_err(|words| format!("{place}: {words}"))
}

struct Publishing<'a> {
    link: Link,
    formats: Formats,
    feed: &'a Feed,
    supply: Supply,
    recent: Recent,
}

impl Publishing<'_> {
    async fn run(mut self) -> Result<(), String> {
        let mut reader = self
            .feed
            .context
            .bridges
            .reader(&self.feed.stream, Sound::Opus);
        let mut cutter = Cutter::default();
        let mut step = tokio::time::interval(supply::STEP);
        step.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            while let Some(event) = self.link.next() {
                self.happened(event)?;
            }
            let item = tokio::select! {
                () = self.link.wait() => None,
                item = reader.next() => Some(item),
                _ = step.tick(), if self.supply.is_behind() => {
                    self.catch_up();
                    None
                }
            };
            let now = Instant::now();
            if let Some(time) = self.link.session.stats().round_trip {
                self.feed.progress.set_round_trip(time);
            }
            match item {
                None => {}
                Some(Item::Tracks(new)) => {
                    let goes_on = formats::of(&new).is_ok_and(|now| self.formats.goes_on_with(now));
                    if !goes_on {
                        return Err("the stream has other tracks now".to_owned());
                    }
                    if cutter.set_tracks(&new) {
                        self.recent = Recent::default();
                    }
                }
                Some(Item::Unit(unit)) => {
                    let Some((sample, delay)) = cutter.cut(&unit)? else {
                        continue;
                    };
                    self.recent
                        .remember(&sample, self.feed.context.bounds().reader_bytes);
                    let takes = Takes::by(&self.link.session);
                    let has_video = self.formats.video.is_some();
                    let is_sent = self.supply.take(now, &sample, has_video, takes);
                    if let Some(skip) = self.supply.skip(now) {
                        self.feed.progress.skipped(skip.entries);
                        self.feed
                            .stream
                            .note_skip("webrtc_target", &"server", &skip);
                    }
                    if is_sent && self.feed.progress.is_live() {
                        self.link.session.set_delay(delay);
                        self.send(now, &sample);
                    }
                }
                Some(Item::Skipped(skip)) => {
                    self.feed.progress.skipped(skip.entries);
                    self.feed
                        .stream
                        .note_skip("webrtc_target", &"reader", &skip);
                    self.recent = Recent::default();
                }
                Some(Item::Ended(_)) => return Ok(()),
            }
            if self.supply.is_due(now) {
                let again = self.recent.squeezed();
                if !again.is_empty() {
                    self.supply.begin_again(now, again);
                    self.catch_up();
                }
            }
        }
    }

    fn happened(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Connected => {
                self.feed.progress.set_live();
                let begins = self.recent.drawn_together().collect();
                self.supply = Supply::default();
                self.supply.begin(Instant::now(), begins);
                self.catch_up();
            }
            Event::RandomAccessWanted => {
                self.feed.stream.want_random_access();
                // Servers ask for one every few seconds, whatever they have. What is sent again they would pass on twice:
                // only one that has lost something is helped by that.
                if self.link.session.stats().fraction_lost > 0.0 {
                    self.supply.want(Instant::now());
                }
            }
            Event::Packet { .. } => {}
            Event::Closed {
                reason: CloseReason::Peer,
            } => return Err("the server has ended the session".to_owned()),
            Event::Closed { reason } => return Err(reason.to_string()),
        }
        Ok(())
    }

    fn catch_up(&mut self) {
        let now = Instant::now();
        for sample in self.supply.part(now, Takes::by(&self.link.session)) {
            self.send(now, &sample);
        }
    }

    fn send(&mut self, now: Instant, sample: &Sample) {
        send(&mut self.link.session, now, sample);
        self.feed.progress.sent(1, sample.payloads.bytes() as u64);
    }
}

fn send(session: &mut Session, now: Instant, sample: &Sample) {
    session.send(
        now,
        sample.kind,
        sample.time,
        sample.timebase.ticks_per_second(),
        &sample.payloads,
    );
}
