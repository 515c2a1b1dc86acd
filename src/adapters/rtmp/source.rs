//! Plays a stream from another server.

use super::address::Address;
use super::link::{Goal, Link};
use crate::adapters::{Receiver, Target};
use crate::hub::Origin;
use flv::demuxer::{Demuxer, Event as Media};
use rtmp::client::Event;

/// Pulls until the server ends the stream.
pub(super) async fn pull(url: &str, target: &Target) -> Result<(), String> {
    let address = Address::parse(url).map_err(|error| error.to_string())?;
    let pulled = play(address.clone(), target).await;
    pulled.map_err(|words| address.scrub(&words))
}

async fn play(mut address: Address, target: &Target) -> Result<(), String> {
    let mut link = Link::open(&address, Goal::Play, &target.context).await?;
    target.connected();
    let origin = Origin {
        protocol: "rtmp",
        address: format!("{}:{}", address.host, address.port),
        agent: None,
    };
    let mut demuxer = Demuxer::new();
    let mut receiver = Receiver::new(target, origin);
    let mut has_complained = false;
    loop {
        let next = link.next().await;
        if link.is_over {
            target.over();
        }
        let pushed = match next? {
            Event::Video { timestamp, payload } => demuxer.push_video(timestamp, payload),
            Event::Audio { timestamp, payload } => demuxer.push_audio(timestamp, payload),
            Event::Reconnect { tc_url, .. } => {
                let (to, context) = (tc_url.as_deref(), &target.context);
                link.reopen(&mut address, to, Goal::Play, context).await?;
                demuxer = Demuxer::new();
                continue;
            }
            _ => continue,
        };
        if let Err(error) = pushed
            && !std::mem::replace(&mut has_complained, true)
        {
            tracing::warn!(stream = %target.name, %error, "the source sends what cannot be used");
        }
        while let Some(event) = demuxer.pull() {
            match event {
                Media::Track(track) => receiver.track(track)?,
                Media::Unit(unit) => receiver.unit(unit).await?,
            }
        }
    }
}
