//! Who changed what, when and from where: the newest changes, kept over a restart.

use super::role::{Identity, Via};
use crate::store::{Kind, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};

/// Entries that are kept; the oldest goes.
const MAX_ENTRIES: u64 = 5_000;

/// Entries that wait to be written; whoever makes one more waits too.
const WAITING: usize = 256;

/// Longest text of what was done, in bytes.
const MAX_ACTION: usize = 512;

/// Who has changed something, and the end of the process, wait so long for what is still to be written.
const SETTLE: Duration = Duration::from_secs(1);

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts on from one entry to the next.
    pub number: u64,
    /// When it was, in milliseconds since 1970.
    pub time: u64,
    /// The account's or the token's name; none for a local caller and for tokens of the configuration.
    pub who: Option<String>,
    /// How that was known.
    pub via: Via,
    /// The address that it came from.
    pub from: String,
    /// What was done: method and path of the call, without its query, or the function's name.
    pub action: String,
    /// The status that it was answered with.
    pub status: u16,
}

/// The newest changes.
#[derive(Debug)]
pub struct Audit {
    entries: Mutex<VecDeque<Entry>>,
    /// To the one task that writes them down.
    writer: Option<mpsc::Sender<Entry>>,
    written: watch::Receiver<u64>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            writer: None,
            written: watch::channel(0).1,
        }
    }
}

impl Audit {
    /// With what the store holds. What is added is written by a task of its own.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let kept = store.all::<Entry>(Kind::Audit)?;
        let mut entries: VecDeque<Entry> = kept.into_iter().map(|(_, entry)| entry).collect();
        entries
            .make_contiguous()
            .sort_unstable_by_key(|entry| entry.number);
        let (writer, waiting) = mpsc::channel(WAITING);
        let newest = entries.back().map_or(0, |entry| entry.number);
        let (tell, written) = watch::channel(newest);
        tokio::spawn(write(store, waiting, tell));
        Ok(Self {
            entries: Mutex::new(entries),
            writer: Some(writer),
            written,
        })
    }

    /// Notes a change, and waits until that is written down, but not for long.
    pub async fn add(&self, who: &Identity, action: &str, status: u16) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let end = action.floor_char_boundary(MAX_ACTION);
        let entry = {
            let mut entries = self.lock();
            let entry = Entry {
                number: entries.back().map_or(1, |last| last.number + 1),
                time: u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(0),
                who: who.name.clone(),
                via: who.via,
                from: who.address.to_canonical().to_string(),
                action: action.get(..end).unwrap_or_default().to_owned(),
                status,
            };
            entries.push_back(entry.clone());
            while entries.len() as u64 > MAX_ENTRIES {
                entries.pop_front();
            }
            entry
        };
        if let Some(writer) = &self.writer {
            let number = entry.number;
            // The task lives as long as the process.
            let _ = writer.send(entry).await;
            self.written(number).await;
        }
    }

    /// The newest entries, the newest first, of those before a number if one is given.
    pub fn newest(&self, count: usize, before: Option<u64>) -> Vec<Entry> {
        let entries = self.lock();
        let newest = entries.iter().rev();
        let wanted = newest.filter(|entry| before.is_none_or(|before| entry.number < before));
        wanted.take(count).cloned().collect()
    }

    /// Waits until all is written down, but not for long.
    pub async fn settle(&self) {
        let last = self.lock().back().map_or(0, |entry| entry.number);
        if self.writer.is_some() {
            self.written(last).await;
        }
    }

    async fn written(&self, number: u64) {
        let mut written = self.written.clone();
        let done = written.wait_for(|last| *last >= number);
        // A disk that takes longer holds nobody up.
        let _ = tokio::time::timeout(SETTLE, done).await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes entries down, all that wait at once, each over the one that is [`MAX_ENTRIES`] older.
async fn write(store: Store, mut waiting: mpsc::Receiver<Entry>, tell: watch::Sender<u64>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, WAITING).await > 0 {
        let place = |entry: &Entry| format!("{:04}", entry.number % MAX_ENTRIES);
        let places: Vec<String> = batch.iter().map(place).collect();
        let documents = places.iter().map(String::as_str).zip(&batch);
        if let Err(error) = store.put_all(Kind::Audit, documents).await {
            tracing::error!(%error, "cannot keep who changed what");
        }
        // Two that came at once may wait in either order.
        let newest = batch.iter().map(|entry| entry.number).max();
        tell.send_modify(|last| *last = newest.map_or(*last, |newest| newest.max(*last)));
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::role::{Ground, Reach, Role};

    fn joe() -> Identity {
        Identity {
            name: Some("joe".into()),
            role: Role::Admin,
            reach: Reach::All,
            via: Via::Session,
            address: "::ffff:192.0.2.1".parse().unwrap(),
            ground: Ground::Call,
        }
    }

    #[tokio::test]
    async fn the_newest_are_kept_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::open(Store::open(folder.path()).unwrap()).unwrap();
        audit.settle().await;
        let (audit_of, joe) = (&audit, &joe());
        let add = |number: u64| async move {
            let action = format!("PUT /{number}");
            audit_of.add(joe, &action, 200).await;
        };
        futures_util::future::join_all((1..=MAX_ENTRIES + 3).map(add)).await;
        let check = |audit: &Audit| {
            let newest = audit.newest(2, None);
            assert_eq!(newest[0].action, format!("PUT /{}", MAX_ENTRIES + 3));
            assert_eq!(newest[0].from, "192.0.2.1");
            assert_eq!(newest[1].number, MAX_ENTRIES + 2);
            let all = audit.newest(usize::MAX, None);
            assert_eq!(all.len() as u64, MAX_ENTRIES);
            assert_eq!(all.last().unwrap().number, 4);
            assert_eq!(audit.newest(9, Some(6)).len(), 2);
        };
        check(&audit);
        audit.settle().await;
        // The store is let go of when the task has nothing more to come.
        drop(audit);
        let store = loop {
            match Store::open(folder.path()) {
                Ok(store) => break store,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        check(&Audit::open(store).unwrap());
    }

    #[tokio::test]
    async fn what_is_long_is_cut() {
        let audit = Audit::default();
        audit.add(&joe(), &"ä".repeat(400), 200).await;
        assert_eq!(audit.newest(1, None)[0].action, "ä".repeat(256));
        audit.settle().await;
    }
}
