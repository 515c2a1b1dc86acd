//! Webhooks that clients of api.video's API have registered, and what every webhook's address has to be.

use super::{Control, ControlError};
use crate::hooks::Address;
use crate::store::{self, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Most that are kept.
const MAX_WEBHOOKS: usize = 1_000;

/// Longest URL, in bytes.
const MAX_URL: usize = 8_192;

/// A receiver, as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Unique.
    pub id: String,
    /// When it was registered.
    pub created: SystemTime,
    /// What it wants to be told, by the names of api.video.
    pub events: Vec<String>,
    /// Where. It may hold a secret.
    pub url: String,
    /// Key of the signature.
    pub secret: String,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {:?}", self.id, self.events)
    }
}

/// All that are registered, by ID.
#[derive(Debug)]
pub(super) struct Webhooks(Mutex<BTreeMap<String, Webhook>>);

impl Webhooks {
    /// With what the store knows.
    pub(super) fn new(store: &Store) -> Result<Self, StoreError> {
        let kept = store.all::<Webhook>(store::Kind::Webhooks)?;
        Ok(Self(Mutex::new(kept.into_iter().collect())))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Webhook>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// All webhooks that are registered, oldest first.
    pub fn webhooks(&self) -> Vec<Webhook> {
        let mut all: Vec<Webhook> = self.shared.webhooks.lock().values().cloned().collect();
        all.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        all
    }

    /// One of them.
    pub fn webhook(&self, id: &str) -> Option<Webhook> {
        self.shared.webhooks.lock().get(id).cloned()
    }

    /// Registers a webhook for these events.
    ///
    /// # Errors
    /// When its URL cannot be used, there are too many, or it cannot be kept.
    pub async fn add_webhook(
        &self,
        events: Vec<String>,
        url: String,
    ) -> Result<Webhook, ControlError> {
        self.check_hook(Some(&url))?;
        let _writing = self.shared.writing.lock().await;
        let count = self.shared.webhooks.lock().len();
        if count >= MAX_WEBHOOKS {
            return Err(ControlError::HooksFull(count));
        }
        let random = super::vod::random_text;
        let webhook = Webhook {
            id: format!("webhook_{}", random(22)),
            created: SystemTime::now(),
            events,
            url,
            secret: format!("sig_sec_{}", random(22)),
        };
        let kind = store::Kind::Webhooks;
        self.shared.store.put(kind, &webhook.id, &webhook).await?;
        let mut known = self.shared.webhooks.lock();
        known.insert(webhook.id.clone(), webhook.clone());
        Ok(webhook)
    }

    /// Forgets a webhook. False when there is none of that ID.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn remove_webhook(&self, id: &str) -> Result<bool, ControlError> {
        let _writing = self.shared.writing.lock().await;
        if self.webhook(id).is_none() {
            return Ok(false);
        }
        let kind = store::Kind::Webhooks;
        self.shared.store.remove(kind, id).await?;
        self.shared.webhooks.lock().remove(id);
        Ok(true)
    }

    /// Whether events can be sent to a URL, as far as its text tells. None and blank ones are no URL, and no fault.
    ///
    /// # Errors
    /// Why not.
    pub fn check_hook(&self, url: Option<&str>) -> Result<(), ControlError> {
        let Some(url) = url.map(str::trim).filter(|url| !url.is_empty()) else {
            return Ok(());
        };
        if url.len() > MAX_URL {
            return Err(ControlError::Place("the webhook's URL is too long".into()));
        }
        Address::parse(url)?;
        self.shared.supervisor.policy().check_url(url)?;
        Ok(())
    }
}
