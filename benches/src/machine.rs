//! The machine on which a run was made, and what it allows.

use crate::error::{Context as _, Error, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use std::fs;

/// Files that a process has open beside its connections, with room to spare.
const OTHER_FILES: u64 = 100;

/// What a reader of the figures should know.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Machine {
    /// Processors that may be used.
    pub cores: usize,
    /// Their name.
    pub processor: String,
    /// Version of the Linux kernel.
    pub kernel: String,
    /// Load of the last minute before the run: what else was going on.
    pub load_before: String,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            processor: processor(&read("/proc/cpuinfo")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

fn processor(cpuinfo: &str) -> String {
    let names = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    names
        .filter(|(name, _)| name.trim() == "model name")
        .map(|(_, value)| value.trim().to_owned())
        .next()
        .unwrap_or_else(|| "unknown processor".into())
}

/// Lets this process and its children open `connections` connections each.
///
/// # Errors
/// When the system does not allow as many.
pub fn allow_connections(connections: usize) -> Result<()> {
    let wanted = connections as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= wanted);
    if enough(limit.current) {
        return Ok(());
    }
    if !enough(limit.maximum) {
        return Err(Error::new(format!(
            "{wanted} open files are needed and {} allowed: raise the limit (`ulimit -n`) or ask for fewer readers",
            limit.maximum.unwrap_or_default()
        )));
    }
    let raised = Rlimit {
        current: Some(wanted),
        ..limit
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_name_is_found() {
        let info = "processor\t: 0\nmodel name\t: Some CPU: fast\nprocessor\t: 1\nmodel name\t: Some CPU: fast\n";
        assert_eq!(processor(info), "Some CPU: fast");
        assert_eq!(processor(""), "unknown processor");
    }

    #[test]
    fn too_many_connections_are_refused_in_one_sentence() {
        assert!(allow_connections(1).is_ok());
        if let Some(maximum) = getrlimit(Resource::Nofile).maximum {
            let error = allow_connections(maximum as usize).unwrap_err().to_string();
            assert!(error.contains("ulimit -n"), "{error}");
        }
    }
}
