//! What signalling is told of its sessions, wherever they are served.

use std::fmt;
use tokio::sync::mpsc;

/// How far a session has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Media flow.
    Connected,
    /// It is over.
    Over,
}

/// Tells of one session. What it stands for is over when it is dropped.
pub(super) struct Told {
    stream: String,
    number: u64,
    to: mpsc::Sender<(String, u64, Stage)>,
}

impl Told {
    /// Of the session of that number with that stream.
    pub(super) const fn new(
        stream: String,
        number: u64,
        to: mpsc::Sender<(String, u64, Stage)>,
    ) -> Self {
        Self { stream, number, to }
    }

    /// Media flow from now on.
    pub(super) fn connected(&self) {
        self.tell(Stage::Connected);
    }

    fn tell(&self, stage: Stage) {
        // Each session tells twice, and there is room for that.
        let _ = self.to.try_send((self.stream.clone(), self.number, stage));
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.tell(Stage::Over);
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Told").field(&self.stream).finish()
    }
}
