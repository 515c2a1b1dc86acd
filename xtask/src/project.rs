//! Where things are: the checkout, cargo, and what cargo has built.

use crate::shell::{self, Error, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the root `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable at run time too; a checkout that was moved after the build is found by it.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
    let manifest = PathBuf::from(manifest);
    let root = manifest.parent().map(Path::to_path_buf);
    root.unwrap_or(manifest)
}

/// The cargo that runs us, in the root of the project, as if it had been called by hand: what cargo tells us of our own
/// package would reach build scripts that watch it, and they and all that depends on them be built anew.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// The triple of this machine, as the compiler says it.
///
/// # Errors
/// When the compiler cannot be asked.
pub(crate) fn host() -> Result<String> {
    let answer = shell::ask("rustc", &["-vV"]).unwrap_or_default();
    let host = answer.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Error::new("rustc -vV names no host"))
}

/// Where the compiler and what belongs to it are.
///
/// # Errors
/// When the compiler cannot be asked.
pub(crate) fn sysroot() -> Result<PathBuf> {
    let answer = shell::ask("rustc", &["--print", "sysroot"]);
    answer
        .map(|path| PathBuf::from(path.trim()))
        .ok_or_else(|| Error::new("rustc does not tell its sysroot"))
}

/// Cargo's target folder: the one in which this program was built, whatever the configuration says.
///
/// # Errors
/// When the operating system does not say where this program is.
pub(crate) fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()
        .map_err(|error| Error::new(format!("cannot find out where xtask itself is: {error}")))?;
    // TARGET/xtask/xtask: the middle one is the profile.
    program
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .ok_or_else(|| Error::new(format!("{} is in no target folder", program.display())))
}

/// Where cargo keeps what it downloads.
///
/// # Errors
/// When the environment does not tell.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    let home = home.map_err(|_| Error::new("there is neither CARGO_HOME nor HOME"))?;
    Ok(home.into())
}

/// The folders in which the sources of crates are, one for each registry.
///
/// # Errors
/// When there are none.
pub(crate) fn crate_sources() -> Result<Vec<PathBuf>> {
    let folder = cargo_home()?.join("registry/src");
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| Error::new(format!("cannot read {}: {error}", folder.display())))?;
    Ok(entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect())
}

/// When the last commit was made, in seconds since 1970; what `SOURCE_DATE_EPOCH` says where it is set.
///
/// # Errors
/// When git does not tell.
pub(crate) fn date() -> Result<u64> {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok().or_else(|| {
        let folder = root();
        let folder = folder.to_string_lossy();
        shell::ask("git", &["-C", &folder, "log", "-1", "--format=%ct"])
    });
    let date = said.and_then(|said| said.trim().parse().ok());
    date.ok_or_else(|| {
        Error::new("git tells no date; set SOURCE_DATE_EPOCH to the time of the sources")
    })
}
