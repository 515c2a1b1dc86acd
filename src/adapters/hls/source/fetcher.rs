//! Fetches files, several at a time, and keeps what servers want to be told again.

use super::address::Address;
use crate::adapters::Context;
use crate::net::fetch::{self, Ask, Idle, Jar};
use crate::net::tls::Check;
use axum::http::HeaderMap;
use hls::client::{Failure, Fetch, Fetched};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

/// The answer to a fetch, by its number.
type Answer = (u64, Result<Fetched, Failure>);

/// Fetches that are under way. Dropped, they stop.
pub(super) struct Fetcher {
    context: Arc<Context>,
    check: Arc<Check>,
    headers: Arc<HeaderMap>,
    /// Where secrets among the headers belong.
    home: Arc<Url>,
    cookies: Jar,
    idle: Idle,
    running: JoinSet<Answer>,
}

impl Fetcher {
    pub(super) fn new(context: Arc<Context>, address: Address) -> Self {
        Self {
            context,
            check: Arc::new(address.at.check),
            headers: Arc::new(address.options.headers),
            home: Arc::new(address.at.url),
            cookies: Jar::default(),
            idle: Idle::default(),
            running: JoinSet::new(),
        }
    }

    /// Begins a fetch.
    pub(super) fn ask(&mut self, fetch: Fetch) {
        let context = self.context.clone();
        let (check, headers, home) = (self.check.clone(), self.headers.clone(), self.home.clone());
        let (cookies, idle) = (self.cookies.clone(), self.idle.clone());
        self.running.spawn(async move {
            let ask = Ask {
                check: &check,
                policy: &context.policy,
                connector: &context.connector,
                headers: &headers,
                home: Some(&home),
                cookies: Some(&cookies),
                idle: Some(&idle),
                patience: fetch.within,
                accepts_gzip: true,
                range: fetch.range.map(|range| (range.offset, range.length)),
            };
            let whole = timeout(fetch.within, fetch::whole(&fetch.url, &ask, fetch.most)).await;
            let answer = match whole {
                Ok(Ok(whole)) => Ok(Fetched {
                    url: whole.url,
                    body: whole.body,
                }),
                Ok(Err(failure)) => Err(Failure {
                    reason: failure.reason,
                    retry_after: failure.retry_after,
                }),
                Err(_) => Err("the server takes too long".to_owned().into()),
            };
            (fetch.id, answer)
        });
    }

    /// The next answer; none while nothing is fetched.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        self.running.join_next().await?.ok()
    }
}
