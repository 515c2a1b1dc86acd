//! Plays a stream from another server.

use super::address::Address;
use super::link::{Goal, Link};
use crate::adapters::Target;
use crate::hub::{Origin, Publisher};
use flv::demuxer::{Demuxer, Event as Media};
use media::Track;
use rtmp::client::Event;

/// Pulls until the server ends the stream.
pub(super) async fn pull(url: &str, target: &Target) -> Result<(), String> {
    let address = Address::parse(url).map_err(|error| error.to_string())?;
    let pulled = play(&address, target).await;
    pulled.map_err(|words| address.scrub(&words))
}

async fn play(address: &Address, target: &Target) -> Result<(), String> {
    let mut link = Link::open(address, Goal::Play, &target.context).await?;
    target.connected();
    let origin = Origin {
        protocol: "rtmp",
        address: format!("{}:{}", address.host, address.port),
        agent: None,
    };
    let mut demuxer = Demuxer::new();
    // Tracks that came before the first access unit.
    let mut pending: Vec<Track> = Vec::new();
    let mut publisher: Option<Publisher> = None;
    let mut has_complained = false;
    loop {
        let pushed = match link.next().await? {
            Event::Video { timestamp, payload } => demuxer.push_video(timestamp, payload),
            Event::Audio { timestamp, payload } => demuxer.push_audio(timestamp, payload),
            _ => continue,
        };
        if let Err(error) = pushed
            && !std::mem::replace(&mut has_complained, true)
        {
            tracing::warn!(stream = %target.name, %error, "the source sends what cannot be used");
        }
        while let Some(event) = demuxer.pull() {
            let unit = match event {
                Media::Track(track) => {
                    match &publisher {
                        Some(publisher) => {
                            let set = publisher.set_track(track);
                            set.map_err(|error| error.to_string())?;
                        }
                        None => {
                            pending.retain(|other| other.id != track.id);
                            pending.push(track);
                        }
                    }
                    continue;
                }
                Media::Unit(unit) => unit,
            };
            let publisher = match &publisher {
                Some(publisher) => publisher,
                None => {
                    let new = target.publish(&origin).map_err(|taken| taken.to_string())?;
                    for track in pending.drain(..) {
                        new.set_track(track).map_err(|error| error.to_string())?;
                    }
                    publisher.insert(new)
                }
            };
            publisher.push(unit).map_err(|error| error.to_string())?;
        }
    }
}
