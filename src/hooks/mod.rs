//! Webhooks on their way: each receiver has a queue and one connection at a time, so that one that is slow or dead is
//! felt by no other, and by no stream.
//!
//! What happened, and in whose words it is told, is for those who [`Courier::post`] a [`Message`]. Here it is signed, sent,
//! tried again, and dropped where there is no room. Nothing is kept over a restart. The log goes a way of its own: [`Collector`].

mod collector;
mod message;
mod queue;
mod signature;

pub use collector::Collector;
pub use message::{Address, AddressError, Message, Retry, Weight};
pub use signature::{SIGNATURE, hmac};

use crate::config::Hooks;
use crate::net::fetch::{self, Ask};
use crate::net::policy::Policy;
use crate::net::tls::Connector;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use queue::{Item, Next, Queue};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Receivers that something may wait for at a time.
const MAX_RECEIVERS: usize = 1_000;

/// Memory of all that waits, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// The log tells what is dropped this often at most.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The same each time that a message is tried.
const DELIVERY: HeaderName = HeaderName::from_static("millstream-delivery");

/// How many messages have met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Their receivers took them.
    pub sent: u64,
    /// Tried as often as they were to be, in vain.
    pub failed: u64,
    /// Not tried, for want of room, or because a newer one says the same.
    pub dropped: u64,
    /// They wait, or are under way.
    pub waiting: u64,
}

/// Takes messages to their receivers. Clones share all.
#[derive(Clone)]
pub struct Courier {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Hooks,
    policy: Policy,
    connector: Connector,
    receivers: Mutex<Receivers>,
    sent: AtomicU64,
    failed: AtomicU64,
    /// Distinguishes messages, those of other runs of the server too.
    next_id: AtomicU64,
}

#[derive(Default)]
struct Receivers {
    /// By scheme, host and port. One that is not here has nothing to get, and no task.
    queues: HashMap<String, Receiver>,
    /// Of all that waits.
    bytes: usize,
    dropped: u64,
    under_way: u64,
    /// What had been dropped when the log told so, and when that was.
    told: (u64, Option<Instant>),
}

#[derive(Default)]
struct Receiver {
    queue: Queue,
    /// Something has come.
    arrived: Arc<Notify>,
}

impl Courier {
    /// Nothing is under way yet.
    pub fn new(settings: Hooks, policy: Policy, connector: Connector) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let first = u64::try_from(now.unwrap_or_default().as_micros()).unwrap_or(0);
        Self {
            shared: Arc::new(Shared {
                settings,
                policy,
                connector,
                receivers: Mutex::default(),
                sent: AtomicU64::new(0),
                failed: AtomicU64::new(0),
                next_id: AtomicU64::new(first),
            }),
        }
    }

    /// Takes a message on its way, and waits for nothing.
    pub fn post(&self, message: Message) {
        let name = message.to.receiver();
        let item = Item {
            message,
            id: self.shared.next_id.fetch_add(1, Ordering::Relaxed),
            attempts: 0,
            not_before: None,
        };
        let mut receivers = self.lock();
        if !receivers.queues.contains_key(&name) && receivers.queues.len() < MAX_RECEIVERS {
            receivers.queues.insert(name.clone(), Receiver::default());
            let (courier, name) = (self.clone(), name.clone());
            tokio::spawn(async move { courier.serve(&name).await });
        }
        let dropped = receivers.push(&name, item, self.shared.settings.queue);
        let told = receivers.drops_to_tell(dropped);
        drop(receivers);
        if let Some(dropped) = told {
            tracing::warn!(
                receiver = name,
                dropped,
                "the webhook's receiver is too slow: the oldest of what waits is dropped"
            );
        }
    }

    /// So many events were lost before anybody knew whom they concern.
    pub fn lost(&self, events: u64) {
        self.lock().dropped += events;
        tracing::warn!(
            events,
            "too much happened at once: no webhooks were sent for some of it"
        );
    }

    /// What has become of all messages.
    pub fn counts(&self) -> Counts {
        let receivers = self.lock();
        let queues = receivers.queues.values();
        let waiting: usize = queues.map(|receiver| receiver.queue.len()).sum();
        Counts {
            sent: self.shared.sent.load(Ordering::Relaxed),
            failed: self.shared.failed.load(Ordering::Relaxed),
            dropped: receivers.dropped,
            waiting: waiting as u64 + receivers.under_way,
        }
    }

    /// Waits until nothing is under way and no more is to come, but no longer than that: for the end of the process.
    pub async fn done(&self, limit: Duration, is_more_to_come: impl Fn() -> bool) {
        let wait = async {
            while is_more_to_come() || self.counts().waiting > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(limit, wait).await.is_err() {
            let lost = self.counts().waiting;
            tracing::warn!(lost, "webhooks are not sent: the server ends");
        }
    }

    /// Sends what there is for one receiver, one after the other, until there is nothing.
    async fn serve(&self, name: &str) {
        // What is told once, until it is no longer so.
        let mut is_failing = false;
        loop {
            let (next, arrived) = {
                let mut receivers = self.lock();
                let Receivers {
                    queues,
                    bytes,
                    under_way,
                    ..
                } = &mut *receivers;
                let Some(Receiver { queue, arrived }) = queues.get_mut(name) else {
                    return;
                };
                let before = queue.bytes();
                let next = queue.next(Instant::now());
                *bytes = (*bytes + queue.bytes()).saturating_sub(before);
                *under_way += u64::from(matches!(next, Next::Send(_)));
                let arrived = arrived.clone();
                if matches!(next, Next::Empty) {
                    queues.remove(name);
                    return;
                }
                (next, arrived)
            };
            match next {
                Next::Send(item) => self.send(name, *item, &mut is_failing).await,
                Next::Wait(until) => tokio::select! {
                    () = sleep_until(until) => {}
                    () = arrived.notified() => {}
                },
                Next::Empty => return,
            }
        }
    }

    /// Tries a message once.
    async fn send(&self, name: &str, mut item: Item, is_failing: &mut bool) {
        item.attempts += 1;
        let (event, stream) = (item.message.event, item.message.stream.clone());
        let result = timeout(self.shared.settings.timeout, self.deliver(&item)).await;
        let result = result.unwrap_or_else(|_| {
            let limit = self.shared.settings.timeout;
            Err(format!("no answer within {limit:?}"))
        });
        let pause = match &result {
            Ok(()) => None,
            Err(_) => item.message.retry.pause(item.attempts),
        };
        let (attempts, weight) = (item.attempts, item.message.weight);
        self.put_away(name, item, pause);
        let Err(error) = result else {
            self.shared.sent.fetch_add(1, Ordering::Relaxed);
            if std::mem::take(is_failing) {
                tracing::info!(receiver = name, "the webhook's receiver is well again");
            }
            return;
        };
        let is_news = !std::mem::replace(is_failing, true);
        let is_lost = pause.is_none();
        if is_lost {
            self.shared.failed.fetch_add(1, Ordering::Relaxed);
        }
        if is_news || (is_lost && weight == Weight::Event) {
            tracing::warn!(receiver = name, event, stream, %error, attempts, retry_in = ?pause, "webhook failed");
        } else {
            tracing::debug!(receiver = name, event, stream, %error, attempts, retry_in = ?pause, "webhook failed again");
        }
    }

    /// What was tried is done with, or waits for its next time.
    fn put_away(&self, name: &str, mut item: Item, pause: Option<Duration>) {
        let mut receivers = self.lock();
        let Receivers {
            queues,
            bytes,
            under_way,
            ..
        } = &mut *receivers;
        *under_way = under_way.saturating_sub(1);
        let receiver = queues.get_mut(name);
        if let (Some(pause), Some(Receiver { queue, .. })) = (pause, receiver) {
            item.not_before = Some(Instant::now() + pause);
            *bytes += item.message.bytes();
            queue.give_back(item);
        }
    }

    /// One request. A status of 2xx says that the event has arrived; nothing that is told beyond it matters, redirects
    /// least of all.
    async fn deliver(&self, item: &Item) -> Result<(), String> {
        let shared = &self.shared;
        let Message {
            to,
            content_type,
            headers,
            body,
            ..
        } = &item.message;
        let request = fetch::bare(Method::POST, &to.url, Body::from(body.clone()));
        let mut request = request.ok_or("the URL cannot be asked for over HTTP")?;
        let own = request.headers_mut();
        own.extend(headers.clone());
        own.insert(header::CONTENT_TYPE, content_type.clone());
        own.insert(DELIVERY, HeaderValue::from(item.id));
        own.insert(header::CONNECTION, HeaderValue::from_static("close"));
        if let Some(secret) = &shared.settings.secret {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let seconds = now.unwrap_or_default().as_secs();
            let signature = signature::sign(secret.reveal().as_bytes(), seconds, body);
            own.extend(signature.map(|signature| (SIGNATURE, signature)));
        }
        let none = HeaderMap::new();
        let patience = shared.settings.timeout;
        let ask = Ask::new(
            &to.check,
            &shared.policy,
            &shared.connector,
            &none,
            patience,
        );
        let status = fetch::send(&to.url, request, &ask).await?;
        match status.is_success() {
            true => Ok(()),
            false => Err(format!("the receiver answers {status}")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Receivers> {
        let receivers = &self.shared.receivers;
        receivers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receivers {
    /// Adds to what waits for a receiver. How much has gone for want of room.
    fn push(&mut self, name: &str, item: Item, most: usize) -> u64 {
        let Some(Receiver { queue, arrived }) = self.queues.get_mut(name) else {
            return 1;
        };
        let others = self.bytes.saturating_sub(queue.bytes());
        let mut dropped = queue.push(item, most);
        while others + queue.bytes() > MAX_BYTES && queue.drop_least() {
            dropped += 1;
        }
        self.bytes = others + queue.bytes();
        arrived.notify_one();
        dropped
    }

    /// Counts what was dropped: all that the log has not told yet, where it is time to.
    fn drops_to_tell(&mut self, dropped: u64) -> Option<u64> {
        self.dropped += dropped;
        let (told, when) = self.told;
        let now = Instant::now();
        let is_early = when.is_some_and(|when| now.duration_since(when) < TOLD_EVERY);
        if dropped == 0 || is_early {
            return None;
        }
        self.told = (self.dropped, Some(now));
        Some(self.dropped - told)
    }
}

#[cfg(test)]
mod tests;
