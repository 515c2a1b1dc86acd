//! Plays a presentation of HLS and publishes it: `fetcher` fetches what [`Player`] wants. The URL and its options are an
//! `address`.

mod address;
mod fetcher;

use crate::adapters::{Receiver, Target};
use crate::hub::Origin;
use crate::transport::hls::{Player, Step};
use address::Address;
use fetcher::Fetcher;
use hls::client::Client;
use std::time::Instant;
use tokio::time::sleep_until;

pub(super) use address::is_playlist;

const OVER: &str = "the presentation is over";

/// Whether a URL and its options can be understood.
pub(super) fn check(url: &str) -> Result<(), String> {
    Address::parse(url).map(drop)
}

/// Pulls until the presentation is over. No message shows the URL: it may hold a password.
pub(super) async fn pull(url: &str, target: &Target) -> Result<(), String> {
    let address = Address::parse(url)?;
    let origin = Origin {
        protocol: "hls",
        address: address.at.place.clone(),
        agent: None,
    };
    let mut receiver = Receiver::new(target, origin);
    let is_repeated = address.options.is_repeated;
    let client = Client::new(address.at.url.clone(), address.options.choice.clone());
    let mut player = Player::new(client, target.context.hub.is_offline());
    let mut fetcher = Fetcher::new(target.context.clone(), address);
    loop {
        let step = player.poll(Instant::now());
        let is_recording = player.is_recording();
        if is_recording && target.was_over() && !is_repeated {
            return Err(OVER.to_owned());
        }
        if player.has_begun() {
            target.connected();
        }
        match step {
            Step::Fetch(fetch) => fetcher.ask(fetch),
            Step::Track(track) => receiver.track(track)?,
            Step::Unit(unit) => receiver.unit(unit).await?,
            Step::Fault(fault) => tracing::warn!(stream = %target.name, fault, "HLS"),
            Step::End if !receiver.is_publishing() => {
                return Err("there is nothing in the presentation that can be carried".to_owned());
            }
            Step::End => {
                if is_recording && !is_repeated {
                    receiver.finish();
                    target.finished();
                } else {
                    // It may begin anew, and its readers wait for that.
                    target.over();
                }
                return Err(OVER.to_owned());
            }
            Step::Wait(until) => tokio::select! {
                Some((id, answer)) = fetcher.next() => {
                    let handled = player.handle_fetched(Instant::now(), id, answer);
                    handled.map_err(|error| error.to_string())?;
                }
                () = at(until) => player.handle_timeout(Instant::now()),
            },
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
