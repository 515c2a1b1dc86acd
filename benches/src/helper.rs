//! The conversation between the benchmark and its helpers: this program again, in another role.
//!
//! A helper writes `ready` and perhaps a word about itself when it is, or `error` and why not. It reads
//! `begin` and `end` of the measurement and then writes one last line, its report. It ends when its input
//! does.

use crate::error::{Context as _, Error, Result};
use crate::process::{Guard, this_program};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// Lines that may wait between two threads: the whole conversation is shorter.
const LINES: usize = 16;

/// The benchmark's side of a helper.
#[derive(Debug)]
pub struct Helper {
    role: &'static str,
    guard: Guard,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Helper {
    /// Starts this program as `role` with `args`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(role: &'static str, args: &[String]) -> Result<Self> {
        let child = Command::new(this_program()?)
            .args(["role", role])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context(format!("cannot start the {role}"))?;
        let mut guard = Guard::new(child);
        let (Some(input), Some(output)) = guard.pipes() else {
            return Err(Error::new(format!("the {role} has no pipes")));
        };
        let (sender, lines) = sync_channel(LINES);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(|line| line.ok()) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            role,
            guard,
            input,
            lines,
        })
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.guard.id()
    }

    /// Waits until it is ready, and gives the word it says then.
    ///
    /// # Errors
    /// What the helper says is wrong, or that it says nothing in `time`.
    pub fn ready(&self, time: Duration) -> Result<String> {
        let line = self.line(time)?;
        let word = line
            .strip_prefix("ready")
            .map(|word| word.trim().to_owned());
        word.ok_or_else(|| Error::new(format!("the {} says {line:?}", self.role)))
    }

    /// Tells it that the measurement begins.
    ///
    /// # Errors
    /// When it has ended.
    pub fn begin(&mut self) -> Result<()> {
        self.say("begin")
    }

    /// Tells it that the measurement is over, and gives its report.
    ///
    /// # Errors
    /// When it has ended, or gives none.
    pub fn end(&mut self) -> Result<String> {
        self.say("end")?;
        self.line(Duration::from_secs(20))
    }

    fn say(&mut self, word: &str) -> Result<()> {
        writeln!(self.input, "{word}").context(format!("the {} has ended", self.role))
    }

    fn line(&self, time: Duration) -> Result<String> {
        let line = self
            .lines
            .recv_timeout(time)
            .context(format!("nothing from the {}", self.role))?;
        match line.strip_prefix("error ") {
            Some(why) => Err(Error::new(format!("the {} failed: {why}", self.role))),
            None => Ok(line),
        }
    }
}

/// The helper's side: says one line.
///
/// # Errors
/// When nobody listens any more.
pub fn say(line: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")
        .and_then(|()| output.flush())
        .context("the benchmark has ended")
}

/// The helper's side: the next line, without its end; `None` when there will be none.
pub fn hear() -> Option<String> {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(count) if count > 0 => Some(line.trim().to_owned()),
        _ => None,
    }
}

/// Ends the process when the benchmark does: for helpers that have nothing else to hear.
pub fn leave_with_the_benchmark() {
    std::thread::spawn(|| {
        while hear().is_some() {}
        std::process::exit(0);
    });
}
