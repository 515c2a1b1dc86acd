//! Plays what another server has.

use super::address::Address;
use super::link::Link;
use crate::adapters::webrtc::ingest::{RANDOM_ACCESS, SILENCE, incoming};
use crate::adapters::{Receiver as Stream, Target};
use crate::hub::{Origin, Packets};
use crate::transport::rtp::{Event as Received, Receiver};
use std::time::Instant;
use webrtc::{CloseReason, Event, Invitation};

/// Pulls until the server ends the session, or it fails.
pub(in super::super) async fn pull(url: &str, target: &Target) -> Result<(), String> {
    let address = Address::parse(url)?;
    let place = &address.at.place;
    let link = Link::open(&address, &target.context, Invitation::play, (None, None)).await;
    let link = link.map_err(|words| format!("{place}: {words}"))?;
    let origin = Origin {
        protocol: "webrtc",
        address: place.clone(),
        agent: None,
    };
    let playing = Playing {
        receiver: Receiver::new(
            (link.session.received().iter().enumerate())
                .filter_map(|(number, format)| incoming(number, format, webrtc::Session::HOPE))
                .collect(),
        ),
        link,
        stream: Stream::new(target, origin),
        target,
        heard: Instant::now(),
        counted: Packets::default(),
    };
    playing
        .run()
        .await
        .map_err(|words| format!("{place}: {words}"))
}

struct Playing<'a> {
    link: Link,
    receiver: Receiver,
    stream: Stream<'a>,
    target: &'a Target,
    /// When media last came.
    heard: Instant,
    counted: Packets,
}

impl Playing<'_> {
    async fn run(mut self) -> Result<(), String> {
        let mut asked = Instant::now();
        loop {
            while let Some(event) = self.link.next() {
                match event {
                    Event::Connected => {
                        self.target.connected();
                        self.heard = Instant::now();
                    }
                    Event::Packet {
                        track,
                        control,
                        bytes,
                    } => {
                        self.heard = Instant::now();
                        self.receiver.packet(self.heard, track, control, bytes);
                    }
                    Event::RandomAccessWanted => {}
                    Event::Closed {
                        reason: CloseReason::Peer,
                    } => {
                        self.stream.finish();
                        return Err("the server has ended the stream".to_owned());
                    }
                    Event::Closed { reason } => return Err(reason.to_string()),
                }
            }
            let now = Instant::now();
            self.receiver.handle_timeout(now);
            while let Some((_, report)) = self.receiver.report(now) {
                self.link.session.send_report(report);
            }
            while let Some(event) = self.receiver.pull() {
                match event {
                    Received::Track(track) => self.stream.track(track)?,
                    Received::Unit(unit) => self.stream.unit(unit).await?,
                }
            }
            if self.heard.elapsed() >= SILENCE {
                return Err("no media came for 30 s".to_owned());
            }
            // Until there is something to begin with, and then when readers want it.
            if !self.stream.is_publishing() && asked.elapsed() >= RANDOM_ACCESS {
                asked = now;
                self.link.session.want_picture(now);
            }
            self.count();
            let next = [self.receiver.timeout(), Some(now + RANDOM_ACCESS)];
            let next = next.into_iter().flatten().min().unwrap_or(now);
            let mut is_wanted = false;
            tokio::select! {
                () = self.link.wait() => {}
                () = tokio::time::sleep_until(next.into()) => {}
                () = self.stream.random_access_wanted() => is_wanted = true,
            }
            if is_wanted {
                self.link.session.want_picture(Instant::now());
            }
        }
    }

    /// Tells the stream of losses.
    fn count(&mut self) {
        let stats = self.link.session.stats();
        let now = Packets {
            received: stats.received,
            lost: stats.lost,
        };
        let grown = Packets {
            received: now.received - self.counted.received,
            lost: now.lost - self.counted.lost,
        };
        if self.stream.count_packets(grown) {
            self.counted = now;
        }
    }
}
