//! Plays a presentation of HLS and publishes it. What to fetch is [`hls::client`]'s; `fetcher` fetches it, `demuxer`
//! reads segments (`segments` those of MP4), and `pace` gives out what is in them as time goes, since segments come at once and are to be seen one
//! picture after the other. The URL and its options are an `address`.

mod address;
mod demuxer;
mod fetcher;
mod pace;
mod segments;

use crate::adapters::{Receiver, Target};
use crate::hub::Origin;
use address::Address;
use demuxer::Demuxer;
use fetcher::Fetcher;
use hls::client::{Client, Output, Piece};
use pace::{Next, Pace};
use std::time::{Duration, Instant};
use tokio::time::sleep_until;

pub(super) use address::is_playlist;

/// Of each rendition so much waits for its time, and no more bytes than this.
const AHEAD: Duration = Duration::from_secs(6);
const MAX_BYTES: usize = 64 << 20;

const OVER: &str = "the presentation is over";

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
    let mut player = Player {
        client: Client::new(address.at.url.clone(), address.options.choice.clone()),
        fetcher: Fetcher::new(target.context.clone(), address),
        demuxers: Vec::new(),
        pace: Pace::new(target.context.hub.is_offline()),
        is_over: false,
    };
    loop {
        let is_recording = player.client.is_recording();
        if is_recording && target.was_over() && !is_repeated {
            return Err(OVER.to_owned());
        }
        let timeout = player.fetch_and_read(target);
        let due = loop {
            match player.pace.poll(Instant::now(), player.is_over) {
                Next::Track(track) => receiver.track(track)?,
                Next::Unit(unit) => receiver.unit(unit).await?,
                Next::At(due) => break due,
            }
        };
        if player.is_over && player.pace.is_empty() {
            if receiver.is_publishing() {
                if is_recording && !is_repeated {
                    receiver.finish();
                    target.finished();
                } else {
                    // It may begin anew, and its readers wait for that.
                    target.over();
                }
                return Err(OVER.to_owned());
            }
            return Err("there is nothing in the presentation that can be carried".to_owned());
        }
        tokio::select! {
            Some((id, answer)) = player.fetcher.next() => {
                let handled = player.client.handle_fetched(Instant::now(), id, answer);
                handled.map_err(|error| error.to_string())?;
            }
            () = at([timeout, due].into_iter().flatten().min()) => {
                player.client.handle_timeout(Instant::now());
            }
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// From a client's wishes to units that wait for their time.
struct Player {
    client: Client,
    fetcher: Fetcher,
    /// One for each rendition.
    demuxers: Vec<Demuxer>,
    pace: Pace,
    is_over: bool,
}

impl Player {
    /// Does what the client wants now. When it wants something again, if nothing comes before.
    fn fetch_and_read(&mut self, target: &Target) -> Option<Instant> {
        for rendition in 0..self.client.renditions() {
            let (length, bytes) = self.pace.ahead(rendition);
            let wanted = length < AHEAD && bytes < MAX_BYTES;
            self.client.set_wanted(Instant::now(), rendition, wanted);
        }
        loop {
            match self.client.poll_output() {
                Output::Fetch(fetch) => self.fetcher.ask(fetch),
                Output::Piece(piece) => {
                    target.connected();
                    if let Err(error) = self.read(&piece) {
                        // Nothing goes on from what is not there.
                        self.break_off(piece.rendition);
                        let sequence = piece.sequence;
                        tracing::warn!(stream = %target.name, sequence, error, "a segment cannot be read");
                    }
                }
                Output::Fault(fault) => tracing::warn!(stream = %target.name, fault, "HLS"),
                Output::End => {
                    self.is_over = true;
                    for rendition in 0..self.demuxers.len() {
                        self.break_off(rendition);
                    }
                }
                Output::Timeout(timeout) => return timeout,
            }
        }
    }

    /// What is in a piece goes to where it waits for its time.
    fn read(&mut self, piece: &Piece) -> Result<(), String> {
        let count = self.client.renditions();
        self.pace.set_renditions(count);
        // Sound that comes apart takes the place of what the pictures bring.
        let is_muted = |number: usize| number == 0 && count > 1;
        let known = self.demuxers.len();
        self.demuxers
            .extend((known..count).map(|number| Demuxer::new(is_muted(number))));
        let number = piece.rendition;
        if piece.discontinuity {
            self.break_off(number);
        }
        let (Some(demuxer), pace) = (self.demuxers.get_mut(number), &mut self.pace) else {
            return Ok(());
        };
        demuxer.push(piece, &mut |item| pace.push(number, item))
    }

    /// What follows of a rendition does not go on.
    fn break_off(&mut self, number: usize) {
        let pace = &mut self.pace;
        if let Some(demuxer) = self.demuxers.get_mut(number) {
            demuxer.break_off(&mut |item| pace.push(number, item));
        }
    }
}
