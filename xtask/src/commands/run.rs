//! `cargo xtask run`: from an empty checkout to a running server.

use crate::shell::{self, Error, Result};
use crate::{project, tools};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Builds the server and becomes it: its signals, streams and exit status are the caller's.
///
/// # Errors
/// When something cannot be installed or built, or the server cannot be started.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    tools::ensure(&[tools::BUILD], false)?;
    let server = build("millstream")?;
    become_program(&server, args)
}

/// Builds the programs of the whole workspace in release mode and gives the path of one.
///
/// Always the whole workspace: cargo joins the features of what is built together, and another choice of
/// packages would build the dependencies once more than the tests do.
///
/// # Errors
/// When the build fails.
pub(crate) fn build(name: &str) -> Result<PathBuf> {
    shell::run(project::cargo().args(["build", "--release", "--workspace", "--bins"]))?;
    Ok(project::target()?.join("release").join(name))
}

/// Replaces this process, so that nothing stands between the caller and the program.
///
/// # Errors
/// Only ever returns with one: the program cannot be started.
pub(crate) fn become_program(program: &Path, args: &[String]) -> Result<ExitCode> {
    let error = Command::new(program).args(args).exec();
    Err(Error::new(format!(
        "cannot start `{}`: {error}",
        program.display()
    )))
}
