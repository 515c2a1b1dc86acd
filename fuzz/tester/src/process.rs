//! The server's process, where it is on this machine and was named: whether it lives, its memory and open files.

use std::fs;

/// What can be seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Resident, in bytes.
    pub(crate) memory: u64,
    /// Open files, sockets among them.
    pub(crate) files: usize,
}

impl Usage {
    /// Of the process now.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn of(process: u32) -> Result<Self, String> {
        let gone = || format!("process {process} is gone");
        let status = fs::read_to_string(format!("/proc/{process}/status")).map_err(|_| gone())?;
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
        if field("State:").is_some_and(|state| state.trim().starts_with('Z')) {
            return Err(gone());
        }
        let memory =
            field("VmRSS:").and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        let files = fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
        Ok(Self {
            memory: memory.ok_or_else(gone)? << 10,
            files,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let usage = Usage::of(std::process::id());
        assert!(usage.is_ok_and(|usage| usage.memory > 100_000 && usage.files > 2));
        assert!(Usage::of(u32::MAX).is_err());
    }
}
