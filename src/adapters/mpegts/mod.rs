//! MPEG transport streams over UDP and TCP, in and out, and over HTTP to players.
//!
//! A URL is an `address::Address`. Datagrams are received by `receive`, from one sender or from a group (`socket`),
//! as they are or within RTP. Streams are pushed on by `send`, paced by their clock, and served to players by `live`.
//! What is common to all ways of transport streams is in [`crate::transport`].

mod address;
mod live;
mod receive;
mod send;
mod socket;

use super::{BoxFuture, Context, Feed, FileRequest, FileResponse, Protocol, Target};
use crate::config::{Config, ConfigError};
use crate::transport::Packagings;
use address::{Address, Carrier};
use media::Track;
use serde::Deserialize;
use std::sync::Arc;

/// Table `[mpegts]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {}

/// The adapter.
#[derive(Debug)]
pub struct Mpegts {
    packagings: Arc<Packagings>,
}

impl Mpegts {
    /// With the settings of its table.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let Settings {} = config.section("mpegts")?;
        Ok(Self {
            packagings: Arc::default(),
        })
    }
}

impl Protocol for Mpegts {
    fn name(&self) -> &'static str {
        "mpegts"
    }

    fn carries(&self, track: &Track, _reordered: bool) -> Option<Result<(), String>> {
        Some(Packagings::carries(track))
    }

    fn pulls(&self, scheme: &str) -> bool {
        Carrier::of_scheme(scheme).is_some()
    }

    fn check_pull(&self, url: &str) -> Result<(), String> {
        let parsed = Address::parse(url);
        parsed.map(drop).map_err(|error| error.to_string())
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let address = Address::parse(url).map_err(|error| error.to_string())?;
            receive::pull(&address, target).await
        })
    }

    fn pushes(&self, scheme: &str) -> bool {
        Carrier::of_scheme(scheme).is_some()
    }

    fn check_push(&self, url: &str) -> Result<(), String> {
        let address = Address::parse(url);
        address.map(drop).map_err(|error| error.to_string())
    }

    fn push<'a>(&'a self, url: &'a str, feed: &'a Feed) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let address = Address::parse(url).map_err(|error| error.to_string())?;
            let reader = self.packagings.reader(&feed.stream, feed.context.bounds());
            send::push(&address, feed, reader).await
        })
    }

    fn file(
        self: Arc<Self>,
        context: &Arc<Context>,
        request: &Arc<FileRequest>,
    ) -> Option<FileResponse> {
        let id = request.path.strip_suffix(live::ENDING)?.to_owned();
        let (context, request) = (context.clone(), request.clone());
        let packagings = self.packagings.clone();
        Some(Box::pin(async move {
            live::answer(&context, &packagings, &id, &request).await
        }))
    }
}
