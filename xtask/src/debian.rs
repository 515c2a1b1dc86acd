//! Installing Debian and Ubuntu packages, as root or through sudo.

use crate::shell::{self, Error, Result};
use std::process::Command;

/// Mirrors fail now and then; a second or third attempt usually does not.
const ATTEMPTS: u32 = 3;

/// Installs packages with apt-get.
///
/// # Errors
/// When this is no system with apt-get, we may not install, or apt-get fails each time.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if shell::ask("apt-get", &["--version"]).is_none() {
        return Err(Error::new(format!(
            "there is no apt-get here; install what these Debian packages hold by other means: {list}"
        )));
    }
    let update = || apt_get(&["update"]);
    let install = || {
        let mut command = apt_get(&["install", "--yes", "--no-install-recommends"])?;
        command.args(packages);
        Ok(command)
    };
    shell::run_with_retries(ATTEMPTS, &mut update()?)?;
    shell::run_with_retries(ATTEMPTS, &mut install()?)
}

/// The distribution's name (`debian`, `ubuntu`), from `/etc/os-release`.
pub(crate) fn distribution() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("ID="))?;
    Some(value.trim_matches('"').to_owned())
}

fn apt_get(args: &[&str]) -> Result<Command> {
    let root = shell::ask("id", &["-u"]).is_some_and(|id| id.trim() == "0");
    let mut command = if root {
        Command::new("env")
    } else if shell::ask("sudo", &["--version"]).is_some() {
        let mut sudo = Command::new("sudo");
        // Sudo resets the environment, so the variable is set behind it.
        sudo.arg("env");
        sudo
    } else {
        return Err(Error::new(
            "packages have to be installed, but this is not root and there is no sudo",
        ));
    };
    command
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"])
        // Another installation may be under way on a machine that was just started.
        .args(["-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3"])
        .args(args);
    Ok(command)
}
