//! The last lines of the log, for who looks at it from afar. Bounded, and the same lines that the log itself has.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Most lines that are kept.
const LINES: usize = 2_000;

/// Longest text of a line that is kept, in bytes.
const MAX_TEXT: usize = 2 << 10;

static RECENT: LazyLock<Recent> = LazyLock::new(Recent::default);

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Grows by one with each line.
    pub number: u64,
    /// When it was written.
    pub time: SystemTime,
    /// How much it matters.
    pub level: Level,
    /// Which part of the server says it.
    pub target: &'static str,
    /// What is said, with its fields behind it.
    pub text: String,
}

/// The last lines of this process.
#[derive(Debug, Default)]
pub struct Recent {
    lines: Mutex<Lines>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    /// Number of the next line.
    next: u64,
    kept: VecDeque<Arc<Line>>,
}

/// The last lines of this process.
pub fn recent() -> &'static Recent {
    &RECENT
}

impl Recent {
    /// The lines from number `from` on that are still kept, and the number of the next.
    pub fn since(&self, from: u64) -> (Vec<Arc<Line>>, u64) {
        let lines = self.lock();
        let kept = lines.kept.iter().filter(|line| line.number >= from);
        (kept.cloned().collect(), lines.next)
    }

    /// Waits until there is a line of number `from`.
    pub async fn wait(&self, from: u64) {
        loop {
            let more = self.more.notified();
            let mut more = std::pin::pin!(more);
            more.as_mut().enable();
            if self.lock().next > from {
                return;
            }
            more.await;
        }
    }

    fn push(&self, level: Level, target: &'static str, text: String) {
        let mut lines = self.lock();
        let line = Line {
            number: lines.next,
            time: SystemTime::now(),
            level,
            target,
            text,
        };
        lines.next += 1;
        while lines.kept.len() >= LINES {
            lines.kept.pop_front();
        }
        lines.kept.push_back(Arc::new(line));
        drop(lines);
        self.more.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps what is logged.
#[derive(Debug)]
pub(super) struct Keeper;

/// The target of events that are for who reads the server's standard error, and not for who may look at its log from elsewhere.
pub const UNKEPT: &str = "millstream::unkept";

impl<S: Subscriber> Layer<S> for Keeper {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == UNKEPT {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let text = text.joined();
        RECENT.push(*metadata.level(), metadata.target(), text);
    }
}

/// The message of an event, and its fields.
#[derive(Default)]
struct Text {
    message: Bounded,
    fields: Bounded,
}

impl Text {
    fn joined(self) -> String {
        let mut text = self.message;
        // What is too long is cut off.
        let _ = text.write_str(&self.fields.0);
        text.0
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = match field.name() {
            "message" => self.message.write_str(value),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// A text that stops growing at [`MAX_TEXT`].
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.0.len() + character.len_utf8() > MAX_TEXT {
                return Err(fmt::Error);
            }
            // A line stays one.
            self.0.push(if character.is_control() {
                ' '
            } else {
                character
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn what_is_logged_is_kept_in_bounds() {
        let recent = Recent::default();
        for number in 0..LINES + 10 {
            recent.push(Level::INFO, "a", number.to_string());
        }
        let (lines, next) = recent.since(0);
        assert_eq!((lines.len(), next), (LINES, LINES as u64 + 10));
        assert_eq!(lines.first().map(|line| line.number), Some(10));
        assert_eq!(recent.since(next).0.len(), 0);
        assert_eq!(recent.since(next - 1).0.len(), 1);
    }

    #[test]
    fn a_line_holds_the_fields_and_no_line_breaks() {
        let (_, from) = recent().since(u64::MAX);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Keeper), || {
            tracing::warn!(stream = %"LiveApp/a", word = "b", "it\nhappened {}", 1);
            tracing::info!("{}", "x".repeat(MAX_TEXT * 2));
        });
        let (lines, _) = recent().since(from);
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert!(
            texts.contains(&"it happened 1 stream=LiveApp/a word=\"b\""),
            "{texts:?}"
        );
        assert!(texts.iter().all(|text| text.len() <= MAX_TEXT));
    }
}
