//! Recordings as they are kept: what is known of each file.

use crate::hub::StreamName;
use crate::record::{Span, name};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Where a file came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A stream was recorded.
    #[default]
    Stream,
    /// Somebody sent it.
    Uploaded,
    /// It lies in a folder that was imported.
    Imported,
}

/// A recording, or another file that is played like one. Its application and ID are its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vod {
    /// Application.
    pub app: String,
    /// Unique within the application.
    pub id: String,
    /// Where it came from.
    pub origin: Origin,
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
    /// When what is in it was: stretches without a gap. None of what is not complete or no recording of a stream.
    pub spans: Vec<Span>,
    /// What people call a file that was uploaded.
    pub title: Option<String>,
    /// What an uploader wants to be kept with it.
    pub metadata: Option<String>,
    /// Where an imported file lies.
    pub source: Option<PathBuf>,
    /// Its copy in the object storage, from when that has been begun.
    pub stored: Option<Stored>,
    /// Its file is in the object storage alone.
    pub is_remote: bool,
    /// It has been deleted, and the object storage does not know yet.
    pub is_unwanted: bool,
}

/// A copy in the object storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stored {
    /// The object's name in its bucket.
    pub key: String,
    /// All of it is there.
    pub is_whole: bool,
    /// Since when.
    pub since: Option<SystemTime>,
    /// What the storage calls the upload that is under way.
    pub upload: Option<String>,
    /// Length of its parts, in bytes, but for the last.
    pub part_bytes: u64,
    /// What the storage calls the parts that it has.
    pub parts: Vec<String>,
}

impl Default for Vod {
    fn default() -> Self {
        Self {
            app: String::new(),
            id: String::new(),
            origin: Origin::Stream,
            stream_id: String::new(),
            stream_name: None,
            file: String::new(),
            started: SystemTime::UNIX_EPOCH,
            finished: None,
            duration: Duration::ZERO,
            bytes: 0,
            spans: Vec::new(),
            title: None,
            metadata: None,
            source: None,
            stored: None,
            is_remote: false,
            is_unwanted: false,
        }
    }
}

impl Vod {
    /// A recording of that stream which begins now, in a file of that name.
    pub(super) fn begin(
        name: &StreamName,
        stream_name: Option<String>,
        file: String,
        started: SystemTime,
    ) -> Self {
        Self {
            app: name.app().to_owned(),
            id: random_text(24),
            stream_id: name.id().to_owned(),
            stream_name,
            file,
            started,
            ..Self::default()
        }
    }

    /// It is complete, and there for everybody.
    pub fn is_listed(&self) -> bool {
        self.finished.is_some() && !self.is_unwanted
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.file)
    }

    /// What its file is called while it is written.
    pub(super) fn unfinished(&self) -> String {
        format!("{}{}", self.file, name::UNFINISHED)
    }

    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.app, self.id)
    }
}

/// ASCII letters and digits by chance.
pub(in crate::control) fn random_text(length: usize) -> String {
    rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(length)
        .map(char::from)
        .collect()
}
