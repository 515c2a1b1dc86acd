//! A client that publishes: ANNOUNCE, RECORD, and the packets after that.

use super::connection::{Closed, now};
use super::server::Client;
use super::sockets::Sockets;
use super::watcher::Claimed;
use crate::auth::Action;
use crate::hub::{Origin, Pass, Publisher, StreamName};
use crate::transport::rtp::{Event as Received, Incoming, Receiver};
use rtsp::Carriage;
use rtsp::message::Status;
use rtsp::server::{Access, Event, Track};
use sdp::Description;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// What a client is to publish, by which right, and what it says of it.
pub(super) type Announced = (StreamName, Pass, Description);

impl Client {
    /// Accepts what a client wants to publish, if it may and something of it is carried.
    pub(super) async fn announce(
        &mut self,
        access: &Access,
        description: Description,
    ) -> Result<Option<Announced>, Closed> {
        let Some((name, pass)) = self.name(access, |app, id| Action::Publish(app, id)).await else {
            return Ok(None);
        };
        let (carried, left_out) = carried(&description);
        let left_out = left_out.join(", ");
        if carried == 0 {
            let words = format!("nothing of it is carried: {left_out}");
            self.refuse(Status::UNSUPPORTED_MEDIA_TYPE, &words);
            return Ok(None);
        }
        if !left_out.is_empty() {
            tracing::warn!(stream = %name, %left_out, "sections of the publisher");
        }
        self.connection.answer(|session| session.accept(now()));
        Ok(Some((name, pass, description)))
    }

    /// Lets the client publish these tracks until it stops, or refuses it.
    pub(super) async fn record(
        &mut self,
        (name, pass, description): Announced,
        tracks: &[Track],
    ) -> Result<(), Closed> {
        let mut claimed = None;
        if tracks.iter().any(|track| !is_on_connection(track)) {
            claimed = self.claim(tracks)?;
            if claimed.is_none() {
                return Ok(());
            }
        }
        let origin = Origin {
            protocol: "rtsp",
            address: self.connection.address.to_string(),
            agent: None,
        };
        let publisher = match self.shared.context.hub.publish(&name, &origin) {
            Ok(publisher) => publisher.by(pass),
            Err(taken) => {
                self.refuse(Status::FORBIDDEN, &taken.to_string());
                return Ok(());
            }
        };
        self.connection.answer(|session| session.accept(now()));
        let address = self.connection.address;
        tracing::info!(stream = %name, %address, datagrams = claimed.is_some(), "publishing by RTSP");
        let incoming = tracks.iter().filter_map(|track| {
            let media = description.media.get(track.section)?;
            let incoming = Incoming::new(track.section, media).ok()?;
            Some(match is_on_connection(track) {
                true => incoming.in_order(),
                false => incoming,
            })
        });
        let mut recording = Recording {
            tracks,
            receiver: Receiver::new(incoming.collect()),
            publisher,
        };
        let ended = recording.run(self, &mut claimed).await;
        let (lost, damaged) = recording.receiver.losses();
        tracing::info!(stream = %name, %address, lost, damaged, "RTSP publisher left");
        ended?;
        recording.publisher.finish();
        Ok(())
    }
}

/// What is being received.
struct Recording<'a> {
    tracks: &'a [Track],
    receiver: Receiver,
    publisher: Publisher,
}

impl Recording<'_> {
    /// Until the client says that it is done.
    async fn run(
        &mut self,
        client: &mut Client,
        claimed: &mut Option<(Claimed, Arc<Sockets>)>,
    ) -> Result<(), Closed> {
        let patience = client.shared.publisher_timeout;
        let mut deadline = Instant::now() + patience;
        loop {
            let due = self.receiver.timeout().map(Instant::from_std);
            let (section, control, bytes) = tokio::select! {
                event = client.connection.next_event(Some(deadline)) => match event? {
                    Event::Packet { section, control, payload } => (section, control, payload),
                    Event::Teardown => return Ok(()),
                    Event::Record(_) => {
                        client.connection.answer(|session| session.accept(now()));
                        continue;
                    }
                    Event::Pause => continue,
                    Event::Describe(_) | Event::Announce(..) | Event::Play(_) => {
                        client.refuse(Status::METHOD_NOT_VALID, "not while a session is open");
                        continue;
                    }
                },
                Some(received) = next_datagram(claimed) => {
                    client.connection.session.alive(now());
                    (received.section, received.control, received.bytes)
                }
                () = sleep_until(due.unwrap_or(deadline)), if due.is_some() => {
                    self.receiver.handle_timeout(now());
                    self.report(client, claimed);
                    self.publish()?;
                    continue;
                }
                () = self.publisher.kicked() => {
                    return Err(Closed("the stream was stopped, or taken over by another publisher".into()));
                }
            };
            if !control {
                deadline = Instant::now() + patience;
            }
            self.receiver.packet(now(), section, control, bytes);
            self.publish()?;
        }
    }

    fn publish(&mut self) -> Result<(), Closed> {
        while let Some(event) = self.receiver.pull() {
            match event {
                Received::Track(track) => self.publisher.set_track(track)?,
                Received::Unit(unit) => self.publisher.push(unit)?,
            }
        }
        Ok(())
    }

    /// Sends the reports that are due.
    fn report(&mut self, client: &mut Client, claimed: &Option<(Claimed, Arc<Sockets>)>) {
        while let Some((section, report)) = self.receiver.report(now()) {
            let mut tracks = self.tracks.iter();
            let track = tracks.find(|track| track.section == section);
            match (track.map(|track| track.carriage), claimed) {
                (Some(Carriage::Tcp { rtcp, .. }), _) => {
                    client.connection.send_frame(rtcp, &report);
                }
                (Some(_), Some((claimed, sockets))) => {
                    let mut to = claimed.destinations.iter();
                    if let Some(to) = to.find(|to| to.section == section) {
                        let source = super::datagrams::source(client.connection.local.ip());
                        sockets.send_control(source, to.rtcp, &report);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The next datagram; none will ever come without claims.
async fn next_datagram(
    claimed: &mut Option<(Claimed, Arc<Sockets>)>,
) -> Option<Box<super::sockets::Received>> {
    match claimed {
        Some((claimed, _)) => claimed.received.recv().await,
        None => std::future::pending().await,
    }
}

const fn is_on_connection(track: &Track) -> bool {
    matches!(track.carriage, Carriage::Tcp { .. })
}

/// How many sections are carried, and why the others are not.
fn carried(description: &Description) -> (usize, Vec<String>) {
    let sections = description.media.iter().enumerate();
    let mut left_out = Vec::new();
    let carried = sections.filter(|(section, media)| {
        let made = Incoming::new(*section, media);
        made.map_err(|error| left_out.push(error.to_string()))
            .is_ok()
    });
    (carried.count(), left_out)
}
