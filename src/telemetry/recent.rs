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

/// Longest message of a line that is kept, in bytes, and most that the names and values of its fields take.
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
    /// What is said.
    pub message: String,
    /// Of what it is said: names and values.
    pub fields: Vec<(&'static str, String)>,
}

impl Line {
    /// What is said, with its fields behind it, as the log has it.
    pub fn text(&self) -> String {
        let mut text = self.message.clone();
        for (name, value) in &self.fields {
            // Writing to a string cannot fail.
            let _ = write!(text, " {name}={value}");
        }
        text
    }
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

    fn push(&self, level: Level, target: &'static str, said: Said) {
        let mut lines = self.lock();
        let line = Line {
            number: lines.next,
            time: SystemTime::now(),
            level,
            target,
            message: said.message.text,
            fields: said.fields,
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
        let mut said = Said::default();
        event.record(&mut said);
        RECENT.push(*metadata.level(), metadata.target(), said);
    }
}

/// The message of an event, and its fields. What is too long is cut off.
#[derive(Default)]
struct Said {
    message: Bounded,
    fields: Vec<(&'static str, String)>,
    /// Bytes of the fields.
    taken: usize,
}

impl Said {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            let _ = self.message.write_fmt(value);
            return;
        }
        let mut text = Bounded {
            text: String::new(),
            taken: self.taken + field.name().len(),
        };
        let _ = text.write_fmt(value);
        self.taken = text.taken;
        if self.taken < MAX_TEXT {
            self.fields.push((field.name(), text.text));
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.add(field, format_args!("{value}")),
            _ => self.add(field, format_args!("{value:?}")),
        }
    }
}

/// A text that stops growing when [`MAX_TEXT`] is taken.
#[derive(Default)]
struct Bounded {
    text: String,
    taken: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.taken += character.len_utf8();
            if self.taken > MAX_TEXT {
                return Err(fmt::Error);
            }
            // A line stays one.
            self.text.push(if character.is_control() {
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
            let mut said = Said::default();
            let _ = write!(said.message, "{number}");
            recent.push(Level::INFO, "a", said);
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
            tracing::info!(long = "y".repeat(MAX_TEXT * 2), after = 1, "cut off");
        });
        let (lines, _) = recent().since(from);
        let texts: Vec<_> = lines.iter().map(|line| line.text()).collect();
        let line = "it happened 1 stream=LiveApp/a word=\"b\"";
        assert!(texts.iter().any(|text| text == line), "{texts:?}");
        assert!(texts.iter().any(|text| text == "cut off"), "{texts:?}");
        assert!(texts.iter().all(|text| text.len() <= 2 * MAX_TEXT));
    }
}
