//! What a process writes, collected line by line while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Lines kept of one process; a peer that complains without end does not fill the memory.
const MAX_LINES: usize = 200_000;

/// The lines so far. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Lines {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Collects from `source` until it ends.
    pub(crate) fn follow(source: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let mine = lines.clone();
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while matches!(source.read_until(b'\n', &mut line), Ok(count) if count > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                let mut state = mine.shared.0.lock().unwrap();
                if state.lines.len() < MAX_LINES {
                    state.lines.push(text);
                }
                drop(state);
                mine.shared.1.notify_all();
            }
            mine.shared.0.lock().unwrap().ended = true;
            mine.shared.1.notify_all();
        });
        lines
    }

    /// The first line, also of those that have come already, for which `find` has an answer. `None` when
    /// there is none within the limit or the process has closed its end.
    pub(crate) fn wait_for<T>(
        &self,
        limit: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut looked_at = 0;
        let mut state = self.shared.0.lock().unwrap();
        loop {
            if let Some(found) = state
                .lines
                .iter()
                .skip(looked_at)
                .find_map(|line| find(line))
            {
                return Some(found);
            }
            looked_at = state.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.shared.1.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until the process has closed its end, so that nothing more will come.
    pub(crate) fn wait_end(&self, limit: Duration) {
        let state = self.shared.0.lock().unwrap();
        let ended = self
            .shared
            .1
            .wait_timeout_while(state, limit, |state| !state.ended);
        drop(ended);
    }

    /// How many lines satisfy the condition so far.
    pub(crate) fn count(&self, condition: impl Fn(&str) -> bool) -> usize {
        let state = self.shared.0.lock().unwrap();
        state.lines.iter().filter(|line| condition(line)).count()
    }

    /// All so far.
    pub(crate) fn text(&self) -> String {
        self.shared.0.lock().unwrap().lines.join("\n")
    }
}
