//! Child processes that never outlive the benchmark, and what they use.
//!
//! Programs that are not ours are started through [`Role::Exec`](crate::role::Role), which asks the kernel
//! to end them when the benchmark dies in whatever way, and then becomes the program.

pub mod usage;

use crate::error::{Context as _, Error, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take to end in order.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running process that is ended, by its id, when this is dropped.
#[derive(Debug)]
pub struct Guard {
    child: Child,
}

impl Guard {
    /// Takes charge of `child`.
    pub const fn new(child: Child) -> Self {
        Self { child }
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input and output, if they are pipes and have not been taken.
    pub const fn pipes(
        &mut self,
    ) -> (
        Option<std::process::ChildStdin>,
        Option<std::process::ChildStdout>,
    ) {
        (self.child.stdin.take(), self.child.stdout.take())
    }

    /// Whether it is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
            && self.is_running()
        {
            // It may have ended just now: nothing is left to do then.
            let _ = kill_process(pid, Signal::TERM);
        }
        let until = Instant::now() + PATIENCE;
        while self.is_running() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that is not ours, with all it says going to a file.
#[derive(Debug)]
pub struct Program {
    guard: Guard,
    name: String,
    log: PathBuf,
}

impl Program {
    /// Starts `program` in the folder `home`, where its log goes too.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        program: &Path,
        home: &Path,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Self> {
        let name = program
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let log = home.join(format!("{name}.log"));
        let file = File::create(&log).context("cannot write a log")?;
        let child = Command::new(this_program()?)
            .args(["role", "exec", "--"])
            .arg(program)
            .args(args)
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("cannot write a log")?)
            .stderr(file)
            .spawn()
            .context(format!("cannot start {name}"))?;
        Ok(Self {
            guard: Guard::new(child),
            name,
            log,
        })
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.guard.id()
    }

    /// Waits until `find` finds something in its log.
    ///
    /// # Errors
    /// When it ends first, or nothing is found in 10 s.
    pub fn wait_for<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let running = self.guard.is_running();
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            if let Some(found) = find(&log) {
                return Ok(found);
            }
            if !running || Instant::now() > until {
                let what = if running {
                    "is not ready after 10 s"
                } else {
                    "ended at once"
                };
                let last = log.lines().last().unwrap_or("it said nothing").trim();
                return Err(Error::new(format!("{} {what}: {last}", self.name)));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The path of the running program.
///
/// # Errors
/// When the system does not tell.
pub fn this_program() -> Result<PathBuf> {
    std::env::current_exe().context("cannot find this program")
}
