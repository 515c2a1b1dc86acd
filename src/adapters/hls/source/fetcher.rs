//! Fetches files, several at a time, and keeps what servers want to be told again.

use super::address::Address;
use crate::adapters::Context;
use crate::net::fetch::{self, Ask, Jar};
use crate::net::tls::Check;
use axum::http::HeaderMap;
use hls::client::{Fetch, Fetched};
use std::sync::Arc;
use tokio::task::JoinSet;
use url::Url;

/// The answer to a fetch, by its number.
type Answer = (u64, Result<Fetched, String>);

/// Fetches that are under way. Dropped, they stop.
pub(super) struct Fetcher {
    context: Arc<Context>,
    check: Arc<Check>,
    headers: Arc<HeaderMap>,
    /// Where secrets among the headers belong.
    home: Arc<Url>,
    cookies: Jar,
    running: JoinSet<Answer>,
}

impl Fetcher {
    pub(super) fn new(context: Arc<Context>, address: Address) -> Self {
        Self {
            context,
            check: Arc::new(address.check),
            headers: Arc::new(address.headers),
            home: Arc::new(address.url),
            cookies: Jar::default(),
            running: JoinSet::new(),
        }
    }

    /// Begins a fetch.
    pub(super) fn ask(&mut self, fetch: Fetch) {
        let context = self.context.clone();
        let (check, headers, home) = (self.check.clone(), self.headers.clone(), self.home.clone());
        let cookies = self.cookies.clone();
        self.running.spawn(async move {
            let ask = Ask {
                check: &check,
                policy: &context.policy,
                connector: &context.connector,
                headers: &headers,
                home: Some(&home),
                cookies: Some(&cookies),
                accepts_gzip: true,
                range: fetch.range.map(|range| (range.offset, range.length)),
            };
            let whole = fetch::whole(&fetch.url, &ask, fetch.most).await;
            let answer = whole.map(|whole| Fetched {
                url: whole.url,
                body: whole.body,
            });
            (fetch.id, answer)
        });
    }

    /// The next answer; none while nothing is fetched.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        self.running.join_next().await?.ok()
    }
}
