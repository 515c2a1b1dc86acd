//! Numbers of sources and targets: each is given once, however often the server is started again.

use super::Broadcast;
use super::Control;
use crate::store::{self, Store, StoreError};
use std::ops::Range;
use tokio::sync::Mutex;

/// The key of the number that was given last.
const LAST: &str = "last";

/// Gives numbers, in order from 1.
#[derive(Debug)]
pub(super) struct Numbers {
    last: Mutex<u64>,
}

impl Numbers {
    /// Goes on behind the last number that was given.
    pub(super) fn new(store: &Store) -> Result<Self, StoreError> {
        let kept = store.all::<u64>(store::Kind::Numbers)?;
        let last = kept.into_iter().map(|(_, last)| last).max();
        Ok(Self {
            last: Mutex::new(last.unwrap_or(0)),
        })
    }

    async fn take(&self, store: &Store, count: u64) -> Result<Range<u64>, StoreError> {
        let mut last = self.last.lock().await;
        let until = last.saturating_add(count);
        store.put(store::Kind::Numbers, LAST, &until).await?;
        let first = std::mem::replace(&mut *last, until).saturating_add(1);
        Ok(first..until.saturating_add(1))
    }
}

impl Control {
    /// So many numbers that nothing has.
    pub(super) async fn numbers(&self, count: usize) -> Result<Range<u64>, StoreError> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if count == 0 {
            return Ok(0..0);
        }
        self.shared.numbers.take(&self.shared.store, count).await
    }

    /// Numbers what was kept before there were numbers.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub async fn number_all(&self) -> Result<(), StoreError> {
        let _writing = self.shared.writing.lock().await;
        let mut kept = self.lock().clone();
        kept.retain(|_, broadcast| missing(broadcast) > 0);
        let mut numbers = self.numbers(kept.values().map(missing).sum()).await?;
        let mut fill = |number: &mut u64| {
            if *number == 0 {
                *number = numbers.next().unwrap_or(0);
            }
        };
        for broadcast in kept.values_mut() {
            if broadcast.kind.is_pulled() {
                fill(&mut broadcast.number);
            }
            for endpoint in &mut broadcast.endpoints {
                fill(&mut endpoint.number);
            }
        }
        let documents = kept
            .iter()
            .map(|(name, broadcast)| (name.as_str(), broadcast));
        self.shared
            .store
            .put_all(store::Kind::Broadcasts, documents)
            .await?;
        self.lock().extend(kept);
        Ok(())
    }
}

fn missing(broadcast: &Broadcast) -> usize {
    let own = usize::from(broadcast.kind.is_pulled() && broadcast.number == 0);
    let endpoints = broadcast.endpoints.iter();
    own + endpoints.filter(|endpoint| endpoint.number == 0).count()
}
