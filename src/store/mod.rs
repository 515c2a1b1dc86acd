//! What must survive a restart, a kill or a power cut: documents by key, in one redb file.
//!
//! A change is on disk before [`Store::put`] or [`Store::remove`] returns.

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::Arc;

/// File name in the data folder.
const FILE: &str = "millstream.redb";

/// Memory for pages, in bytes. The documents are few and small.
const CACHE: usize = 1 << 20;

/// Kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Broadcasts by `APP/ID`.
    Broadcasts,
    /// Recordings by `APP/ID`.
    Vods,
    /// Settings of applications by `APP`.
    Settings,
    /// The last number that was given.
    Numbers,
    /// Webhooks that were registered, by ID.
    Webhooks,
    /// Accounts by name.
    Accounts,
    /// API tokens by ID.
    Tokens,
    /// What was changed by whom, by place in a circle.
    Audit,
    /// One-time tokens of streams, by themselves.
    StreamTokens,
    /// Subscribers of streams, by `APP/ID/SUBSCRIBER`.
    Subscribers,
}

impl Kind {
    const fn table(self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        match self {
            Self::Broadcasts => TableDefinition::new("broadcasts"),
            Self::Vods => TableDefinition::new("vods"),
            Self::Settings => TableDefinition::new("settings"),
            Self::Numbers => TableDefinition::new("numbers"),
            Self::Webhooks => TableDefinition::new("webhooks"),
            Self::Accounts => TableDefinition::new("accounts"),
            Self::Tokens => TableDefinition::new("tokens"),
            Self::Audit => TableDefinition::new("audit"),
            Self::StreamTokens => TableDefinition::new("stream_tokens"),
            Self::Subscribers => TableDefinition::new("subscribers"),
        }
    }
}

/// Why a document could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made.
    #[error("cannot make the data folder {0}: {1}")]
    Folder(String, std::io::Error),
    /// Another server runs on the same folder.
    #[error("{0} is in use by another process")]
    InUse(String),
    /// The database said no.
    #[error("data file: {0}")]
    Database(#[from] redb::Error),
    /// A document is not what it should be.
    #[error("document {0}: {1}")]
    Document(String, serde_json::Error),
}

/// The file with all documents. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    database: Arc<Database>,
}

impl Store {
    /// Opens the file in `folder`, or makes both.
    ///
    /// # Errors
    /// When the folder cannot be made, or the file is in use or not ours.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|error| StoreError::Folder(folder.display().to_string(), error))?;
        let file = folder.join(FILE);
        let database = redb::Builder::new()
            .set_cache_size(CACHE)
            .create(&file)
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(file.display().to_string()),
                error => StoreError::Database(error.into()),
            })?;
        Ok(Self {
            database: Arc::new(database),
        })
    }

    /// Every document of a kind, by key, in the order of the keys.
    ///
    /// # Errors
    /// When the file cannot be read or a document is not of type `T`.
    pub fn all<T: DeserializeOwned>(&self, kind: Kind) -> Result<Vec<(String, T)>, StoreError> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let table = match transaction.open_table(kind.table()) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table.map_err(redb::Error::from)?,
        };
        let mut documents = Vec::new();
        for entry in table.iter().map_err(redb::Error::from)? {
            let (key, value) = entry.map_err(redb::Error::from)?;
            let key = key.value().to_owned();
            let document = serde_json::from_slice(value.value())
                .map_err(|error| StoreError::Document(key.clone(), error))?;
            documents.push((key, document));
        }
        Ok(documents)
    }

    /// Keeps a document under a key, in place of the one before.
    ///
    /// # Errors
    /// When it cannot be written; then nothing has changed.
    pub async fn put<T: Serialize>(
        &self,
        kind: Kind,
        key: &str,
        document: &T,
    ) -> Result<(), StoreError> {
        self.put_all(kind, [(key, document)]).await
    }

    /// Keeps many documents under their keys, at once.
    ///
    /// # Errors
    /// When they cannot be written; then nothing has changed.
    pub async fn put_all<'a, T: Serialize + 'a>(
        &self,
        kind: Kind,
        documents: impl IntoIterator<Item = (&'a str, &'a T)>,
    ) -> Result<(), StoreError> {
        let to_bytes = |(key, document): (&str, &T)| {
            let bytes = serde_json::to_vec(document);
            let bytes = bytes.map_err(|error| StoreError::Document(key.to_owned(), error))?;
            Ok((key.to_owned(), bytes))
        };
        let documents = documents.into_iter().map(to_bytes);
        let documents = documents.collect::<Result<Vec<_>, StoreError>>()?;
        if documents.is_empty() {
            return Ok(());
        }
        self.write(kind, move |table| {
            for (key, bytes) in &documents {
                table.insert(key.as_str(), bytes.as_slice())?;
            }
            Ok(())
        })
        .await
    }

    /// Forgets the document under a key, if there is one.
    ///
    /// # Errors
    /// When that cannot be written; then nothing has changed.
    pub async fn remove(&self, kind: Kind, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.write(kind, move |table| table.remove(key.as_str()).map(drop))
            .await
    }

    /// Forgets the documents under many keys, at once.
    ///
    /// # Errors
    /// When that cannot be written; then nothing has changed.
    pub async fn remove_all(&self, kind: Kind, keys: Vec<String>) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.write(kind, move |table| {
            keys.iter()
                .try_for_each(|key| table.remove(key.as_str()).map(drop))
        })
        .await
    }

    /// One durable transaction, away from the threads that must not wait for a disk.
    async fn write<F>(&self, kind: Kind, change: F) -> Result<(), StoreError>
    where
        F: FnOnce(
                &mut redb::Table<'_, &'static str, &'static [u8]>,
            ) -> Result<(), redb::StorageError>
            + Send
            + 'static,
    {
        let database = self.database.clone();
        let write = move || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            change(&mut transaction.open_table(kind.table())?)?;
            transaction.commit()?;
            Ok(())
        };
        let written = tokio::task::spawn_blocking(write).await;
        written
            .unwrap_or_else(|_| Err(redb::Error::PreviousIo))
            .map_err(StoreError::Database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn documents_are_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(store.all::<u32>(Kind::Broadcasts).unwrap().is_empty());
        store.put(Kind::Broadcasts, "b", &1).await.unwrap();
        store.put(Kind::Broadcasts, "a", &2).await.unwrap();
        let more = [("b", &3), ("c", &4)];
        store.put_all(Kind::Broadcasts, more).await.unwrap();
        store.remove(Kind::Broadcasts, "missing").await.unwrap();
        store.put(Kind::Broadcasts, "d", &5).await.unwrap();
        let keys = vec!["d".to_owned(), "missing".to_owned()];
        store.remove_all(Kind::Broadcasts, keys).await.unwrap();
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        let expected = vec![
            ("a".to_owned(), 2),
            ("b".to_owned(), 3),
            ("c".to_owned(), 4),
        ];
        assert_eq!(store.all::<u32>(Kind::Broadcasts).unwrap(), expected);
        assert!(
            matches!(store.all::<String>(Kind::Broadcasts), Err(StoreError::Document(key, _)) if key == "a")
        );
    }

    #[tokio::test]
    async fn a_second_server_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Store::open(folder.path()).unwrap();
        assert!(matches!(
            Store::open(folder.path()),
            Err(StoreError::InUse(_))
        ));
    }
}
