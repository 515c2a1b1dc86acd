//! What became of reading the configuration, the last time and the last good time.

use crate::hub::Current;
use std::path::PathBuf;
use std::time::SystemTime;

/// What became of reading the configuration. Clones share it.
#[derive(Clone, Debug)]
pub struct Loads(Current<Load>);

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// When what holds now was read.
    pub loaded: SystemTime,
    /// When it was read the last time, whatever became of it.
    pub tried: SystemTime,
    /// Why that does not hold, or not all of it, in one sentence.
    pub error: Option<String>,
    /// Keys that have changed and hold from the next start of the server on.
    pub waiting: Vec<String>,
}

impl Loads {
    /// The server starts with a configuration that is good.
    pub fn new(file: Option<PathBuf>) -> Self {
        let now = SystemTime::now();
        Self(Current::new(Load {
            file,
            loaded: now,
            tried: now,
            error: None,
            waiting: Vec::new(),
        }))
    }

    /// What is known.
    pub fn last(&self) -> Load {
        (*self.0.get()).clone()
    }

    /// It was read again, and cannot be used.
    pub fn refused(&self, error: String) {
        self.0.set(Load {
            tried: SystemTime::now(),
            error: Some(error),
            ..self.last()
        });
    }

    /// It was read again, and holds; `error` says what of it does not, `waiting` what will after a start.
    pub fn took(&self, error: Option<String>, waiting: Vec<String>) {
        let now = SystemTime::now();
        self.0.set(Load {
            loaded: now,
            tried: now,
            error,
            waiting,
            ..self.last()
        });
    }
}
