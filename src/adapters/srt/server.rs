//! Connections of the port at work, each on a shard: publishers and players.

use super::admission::carried;
use super::feed::{self, Told, feed};
use super::link::Link;
use super::port::{Place, Port};
use crate::hub::{Opened, Pass, Publisher, StreamName, Taken, Unavailable, Viewer};
use crate::transport::Intake;
use mpegts::demuxer::ProgramSelection;
use srt::CloseReason;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::time::Instant;

/// Publishes what a link receives, until one of both ends it.
pub(super) async fn publish(port: Arc<Port>, place: Place, mut link: Link, publisher: Publisher) {
    let name = publisher.stream().name().clone();
    let address = link.peer();
    tracing::info!(stream = %name, %address, "publishing by SRT");
    let mut entry = port.connections.enter(&name, "publish", address);
    // The intake gets it with the first access unit that players can begin with.
    let mut publisher = Some(publisher);
    let mut intake = Intake::new(ProgramSelection::First, address.to_string());
    let timeout = port.settings.get().publisher_timeout;
    let mut heard = Instant::now();
    let reason = loop {
        let pumped = link.pump();
        let mut publish = || {
            publisher
                .take()
                .ok_or_else(|| Taken::Publishing(name.clone()))
        };
        if !link.received.is_empty() {
            heard = Instant::now();
            if let Err(error) = intake.push(&link.received, &mut publish) {
                break error;
            }
            link.received.clear();
        }
        match pumped {
            Ok(()) => {}
            Err(CloseReason::Peer) => {
                // Nothing of it may have been carried; the stream ends all the same.
                let _ = intake.finish(&mut publish);
                if let Some(publisher) = publisher {
                    publisher.finish();
                }
                drop(place);
                tracing::info!(stream = %name, %address, "SRT publisher finished");
                return;
            }
            Err(reason) => break reason.to_string(),
        }
        if heard.elapsed() > timeout {
            break "it sent nothing for too long".to_owned();
        }
        let Some(publisher) = intake.publisher().or(publisher.as_ref()) else {
            break "it has lost its stream".to_owned();
        };
        if let Some(packets) = entry.note(&link) {
            publisher.count_packets(packets);
        }
        tokio::select! {
            () = link.wait() => {}
            () = publisher.kicked() => {
                break "the stream was stopped, or taken over by another publisher".to_owned();
            }
        }
    };
    tracing::info!(stream = %name, %address, reason, "SRT publisher has gone");
}

/// Plays a stream that is still to come.
pub(super) async fn play_later(
    port: Arc<Port>,
    place: Place,
    mut link: Link,
    (name, pass): (StreamName, Pass),
    mut opening: Pin<Box<dyn Future<Output = Result<Opened, Unavailable>> + Send>>,
) {
    let address = link.peer();
    let reason = loop {
        if let Err(reason) = link.pump() {
            break reason.to_string();
        }
        link.received.clear();
        tokio::select! {
            () = link.wait() => {}
            opened = &mut opening => match opened {
                Ok(opened) => match carried(opened.stream()) {
                    Ok(()) => return play(port, place, link, opened, pass).await,
                    Err((_, words)) => break words,
                },
                Err(unavailable) => break unavailable.to_string(),
            },
        }
    };
    tracing::info!(stream = %name, %address, reason, "SRT request refused");
}

/// Plays a stream until it ends, or the player goes.
pub(super) async fn play(port: Arc<Port>, place: Place, link: Link, opened: Opened, pass: Pass) {
    let viewer = Viewer::new(opened.stream().clone(), "srt").by(pass);
    drop(opened);
    let stream = viewer.stream();
    let (name, address) = (stream.name(), link.peer());
    tracing::info!(stream = %name, %address, "playing by SRT");
    let mut entry = port.connections.enter(name, "read", address);
    let reader = port.packagings.reader(stream, port.context.bounds());
    let tell = |told: Told<'_>| match told {
        Told::Sent(_, bytes) => viewer.tally().sent(bytes),
        Told::Skipped(skip) => stream.note_skip("srt", &address, skip),
        // That of a player is among the figures of its connection.
        Told::RoundTrip(_) => {}
    };
    let reason = tokio::select! {
        over = feed(link, reader, &mut entry, tell) => match over {
            feed::Over::Stream => "the stream has ended".to_owned(),
            feed::Over::Connection(reason) => reason.to_string(),
        },
        () = viewer.withdrawn() => "it may watch no more".to_owned(),
    };
    drop(place);
    tracing::info!(stream = %name, %address, reason, "SRT player has gone");
}
