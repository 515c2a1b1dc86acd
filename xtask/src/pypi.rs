//! Packages of PyPI that tests need: each pinned by its hash in a file of `tests/e2e`, and installed in a folder of its
//! own in the target folder, with what of that it depends on the file pins too.

use crate::project;
use crate::shell::{self, Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PYTHONS: [&str; 2] = ["python3", "/usr/bin/python3"];

/// The folder of the package that `tests/e2e/NAME.txt` pins.
///
/// # Errors
/// When there is no target folder.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    Ok(project::target()?.join("test-tools").join(name))
}

/// Installs it there.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn install(name: &str) -> Result<()> {
    let python = python().ok_or_else(|| Error::new("there is no Python with pip"))?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check"])
        .args(["--no-deps", "--only-binary=:all:", "--require-hashes"])
        .args(["--upgrade", "--target"])
        .arg(folder(name)?)
        .arg("--requirement")
        .arg(project::root().join(format!("tests/e2e/{name}.txt")));
    shell::run_with_retries(3, &mut pip)
}

/// Installs it where it is not, or older than the pin, with the files that belong beside its modules: a folder of modules
/// alone is made without.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn ensure_whole(name: &str) -> Result<()> {
    let modified = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    let pins = project::root().join(format!("tests/e2e/{name}.txt"));
    let there = folder(name)?;
    // Written last.
    let mark = there.join("installed");
    if modified(&mark) >= modified(&pins) && mark.is_file() {
        println!("    nothing to do");
        return Ok(());
    }
    if there.exists() {
        fs::remove_dir_all(&there).map_err(|error| Error::new(error.to_string()))?;
    }
    let python = python().ok_or_else(|| Error::new("there is no Python with pip"))?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check"])
        .args(["--no-deps", "--only-binary=:all:", "--require-hashes"])
        .args([
            "--ignore-installed",
            "--no-warn-script-location",
            "--prefix",
        ])
        .arg(&there)
        .arg("--requirement")
        .arg(pins);
    shell::run_with_retries(3, &mut pip)?;
    fs::write(mark, "").map_err(|error| Error::new(error.to_string()))
}

/// Installs it where the file `sign` of it is not there, or is older than the pin.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn ensure(name: &str, sign: &str) -> Result<()> {
    let modified = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    let pin = modified(&project::root().join(format!("tests/e2e/{name}.txt")));
    // The file keeps the time that it has in the package; pip makes its folder.
    let there = folder(name)?;
    let installed = there
        .join(sign)
        .is_file()
        .then(|| modified(&there))
        .flatten();
    if installed >= pin && installed.is_some() {
        println!("    nothing to do");
        return Ok(());
    }
    install(name)
}

/// Whether packages can be installed.
pub(crate) fn pip_exists() -> bool {
    python().is_some()
}

fn python() -> Option<&'static str> {
    let has_pip = |python: &&str| shell::ask(python, &["-m", "pip", "--version"]).is_some();
    PYTHONS.into_iter().find(has_pip)
}
