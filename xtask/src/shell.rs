//! Calling other programs: each failure becomes one sentence with the command that failed.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What went wrong, in one sentence for the person who called.
#[derive(Debug)]
pub(crate) struct Error {
    message: String,
    exit_code: u8,
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Something failed: exit status 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: 1,
        }
    }

    /// The arguments make no sense: exit status 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: 2,
        }
    }

    pub(crate) const fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Runs a program with our own standard streams and waits for it.
///
/// # Errors
/// When it cannot be started or does not exit with status 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("    $ {}", shown(command));
    let status = command
        .status()
        .map_err(|error| Error::new(format!("cannot start `{}`: {error}", shown(command))))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::new(format!("`{}` failed: {status}", shown(command))))
    }
}

/// Like [`run`], but tried up to `attempts` times with a growing pause: for what goes over the network.
///
/// # Errors
/// That of the last attempt.
pub(crate) fn run_with_retries(attempts: u32, command: &mut Command) -> Result<()> {
    let mut attempt = 1;
    loop {
        match run(command) {
            Err(error) if attempt < attempts => {
                let pause = Duration::from_secs(5 * u64::from(attempt));
                eprintln!("    {error}; trying again in {} s", pause.as_secs());
                std::thread::sleep(pause);
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// The standard output of a program, or nothing when it cannot be started or fails: for asking whether
/// something is there.
pub(crate) fn ask(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as one would type it, without quoting.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("false").arg("--flag")).unwrap_err();
        assert_eq!(error.to_string(), "`false --flag` failed: exit status: 1");
        let error = run(&mut Command::new("/does/not/exist")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot start `/does/not/exist`")
        );
    }

    #[test]
    fn asking_is_silent_about_failures() {
        assert_eq!(ask("false", &[]), None);
        assert_eq!(ask("/does/not/exist", &[]), None);
        assert_eq!(ask("echo", &["here"]).as_deref(), Some("here\n"));
    }
}
