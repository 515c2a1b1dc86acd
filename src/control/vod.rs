//! Recordings as they are kept: what is known of each file.

use crate::hub::StreamName;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// A recording. Its application and ID are its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vod {
    /// Application.
    pub app: String,
    /// Unique within the application.
    pub id: String,
    /// ID of the stream; empty for a file that was found without anything known of it.
    pub stream_id: String,
    /// What people called the stream.
    pub stream_name: Option<String>,
    /// The file's name below `/APP/streams/`.
    pub file: String,
    /// When the recording began.
    pub started: SystemTime,
    /// When it was complete; none while it is not.
    pub finished: Option<SystemTime>,
    /// From its first to its last access unit.
    pub duration: Duration,
    /// Length of the file.
    pub bytes: u64,
}

impl Default for Vod {
    fn default() -> Self {
        Self {
            app: String::new(),
            id: String::new(),
            stream_id: String::new(),
            stream_name: None,
            file: String::new(),
            started: SystemTime::UNIX_EPOCH,
            finished: None,
            duration: Duration::ZERO,
            bytes: 0,
        }
    }
}

impl Vod {
    /// A recording of that stream which begins now, in a file of that name.
    pub(super) fn begin(name: &StreamName, stream_name: Option<String>, file: String) -> Self {
        Self {
            app: name.app().to_owned(),
            id: random_text(24),
            stream_id: name.id().to_owned(),
            stream_name,
            file,
            started: SystemTime::now(),
            ..Self::default()
        }
    }

    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.app, self.id)
    }
}

/// ASCII letters and digits by chance.
pub(super) fn random_text(length: usize) -> String {
    rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(length)
        .map(char::from)
        .collect()
}
