//! Named steps of a command, and how long each took.

use crate::shell::Result;
use std::time::{Duration, Instant};

/// The steps so far. The summary is printed when the value goes, also after a failure.
pub(crate) struct Steps {
    start: Instant,
    done: Vec<(String, Duration, bool)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            done: Vec::new(),
        }
    }

    /// Runs one step and keeps its duration.
    ///
    /// # Errors
    /// That of the step.
    pub(crate) fn step<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("==> {name}");
        let start = Instant::now();
        let result = step();
        self.done
            .push((name.to_owned(), start.elapsed(), result.is_ok()));
        result
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        println!("==> durations");
        for (name, duration, succeeded) in &self.done {
            let end = if *succeeded { "" } else { "  FAILED" };
            println!("    {:>8}  {name}{end}", shown(*duration));
        }
        println!("    {:>8}  in all", shown(self.start.elapsed()));
    }
}

/// Minutes and seconds, as `3:07.2`.
fn shown(duration: Duration) -> String {
    let tenths = duration.as_millis() / 100;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        let cases = [(0, "0:00.0"), (7_290, "0:07.2"), (3_600_000, "60:00.0")];
        for (milliseconds, text) in cases {
            assert_eq!(shown(Duration::from_millis(milliseconds)), text);
        }
    }
}
