//! Secret stream keys: who has one may publish the stream that it belongs to, and need not know its name.

use crate::hub::StreamName;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Where keys stand in a URL of RTMP, `rtmp://HOST/s/KEY`.
pub const KEYED_APP: &str = "s";

/// The keys that exist. Clones share them.
#[derive(Clone, Default)]
pub struct StreamKeys {
    streams: Arc<RwLock<HashMap<String, StreamName>>>,
}

impl std::fmt::Debug for StreamKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl StreamKeys {
    /// The stream that a key belongs to.
    pub fn stream(&self, key: &str) -> Option<StreamName> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.get(key).cloned()
    }

    /// A key lets its owner publish a stream from now on.
    pub fn insert(&self, key: &str, name: &StreamName) {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        streams.insert(key.to_owned(), name.clone());
    }

    /// A key is worth nothing any more.
    pub fn remove(&self, key: &str) {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        streams.remove(key);
    }
}
