//! What a process uses, as /proc tells it: CPU time of all its threads, and resident memory.

use crate::error::{Context as _, Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// CPU time of a process and its children up to some moment.
///
/// `/proc/PID/stat` counts in hundredths of a second, too coarse for a few readers in a few seconds. The
/// scheduler's own count of each thread is the same time in nanoseconds, and is preferred as long as no
/// thread has ended in between.
#[derive(Clone, Debug, Default)]
pub struct CpuTime {
    ticks: u64,
    threads: BTreeMap<u32, u64>,
}

/// Hundredths of a second: Linux shows `/proc/PID/stat` in this unit on every architecture it is built for
/// today.
const TICK: Duration = Duration::from_millis(10);

impl CpuTime {
    /// Of `process` and its direct children, now.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn of(process: u32) -> Result<Self> {
        let mut all = Self::default();
        for id in family(process) {
            let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else {
                continue;
            };
            all.ticks += ticks(&stat).unwrap_or_default();
            for thread in numbers(&format!("/proc/{id}/task")) {
                let text = fs::read_to_string(format!("/proc/{id}/task/{thread}/schedstat"));
                if let Some(nanos) = text.ok().as_deref().and_then(on_cpu) {
                    all.threads.insert(thread, nanos);
                }
            }
        }
        if all.ticks == 0 && all.threads.is_empty() {
            return Err(Error::new(format!("process {process} has ended early")));
        }
        Ok(all)
    }

    /// The time used since `earlier`, which is an older value of the same process.
    pub fn since(&self, earlier: &Self) -> Duration {
        let all_there = earlier
            .threads
            .keys()
            .all(|thread| self.threads.contains_key(thread));
        if all_there && !earlier.threads.is_empty() {
            let threads = self.threads.iter().map(|(thread, nanos)| {
                let before = earlier.threads.get(thread).copied().unwrap_or_default();
                nanos.saturating_sub(before)
            });
            Duration::from_nanos(threads.sum())
        } else {
            let ticks = self.ticks.saturating_sub(earlier.ticks);
            TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
        }
    }
}

/// Write calls of `process` and its direct children so far.
///
/// # Errors
/// When the process is gone.
pub fn writes(process: u32) -> Result<u64> {
    fs::metadata(format!("/proc/{process}"))
        .context(format!("process {process} has ended early"))?;
    let counts = family(process)
        .into_iter()
        .filter_map(|id| fs::read_to_string(format!("/proc/{id}/io")).ok());
    let calls = counts.filter_map(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("syscw: "))?;
        line.parse::<u64>().ok()
    });
    Ok(calls.sum())
}

/// Resident memory of `process` and its direct children, in kB.
///
/// # Errors
/// When the process is gone.
pub fn resident(process: u32) -> Result<u64> {
    fs::metadata(format!("/proc/{process}"))
        .context(format!("process {process} has ended early"))?;
    let statuses = family(process)
        .into_iter()
        .filter_map(|id| fs::read_to_string(format!("/proc/{id}/status")).ok());
    Ok(statuses.filter_map(|status| vm_rss(&status)).sum())
}

/// A process and its direct children.
fn family(process: u32) -> Vec<u32> {
    let is_child = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"));
        stat.ok().as_deref().and_then(parent) == Some(process)
    };
    let mut family = vec![process];
    family.extend(numbers("/proc").into_iter().filter(is_child));
    family
}

/// Names of the folder's entries that are numbers.
fn numbers(folder: &str) -> Vec<u32> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// Field `number` (counted from 1, as in proc(5)) of /proc/PID/stat. The second is the program's name in
/// parentheses, which may contain anything, parentheses and blanks included.
fn stat_field(stat: &str, number: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let field = rest.split_whitespace().nth(number.checked_sub(3)?)?;
    field.parse().ok()
}

fn parent(stat: &str) -> Option<u32> {
    u32::try_from(stat_field(stat, 4)?).ok()
}

/// User and system time in ticks.
fn ticks(stat: &str) -> Option<u64> {
    Some(stat_field(stat, 14)? + stat_field(stat, 15)?)
}

/// Time on a CPU in nanoseconds, the first field of schedstat.
fn on_cpu(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

fn vm_rss(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "4711 (a (b) c) S 42 4711 4711 0 -1 4194560 900 0 0 0 123 45 6 7 20 0 3 0 99 1 2";

    #[test]
    fn stat_is_read_whatever_the_program_is_called() {
        assert_eq!(parent(STAT), Some(42));
        assert_eq!(ticks(STAT), Some(168));
        assert_eq!(ticks("4711 (x) S 42"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn memory_and_scheduler_times_are_read() {
        assert_eq!(
            vm_rss("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t    5120 kB\n"),
            Some(5120)
        );
        assert_eq!(vm_rss("Name:\tx\n"), None);
        assert_eq!(on_cpu("648555628 380343438 138\n"), Some(648_555_628));
        assert_eq!(on_cpu(""), None);
    }

    #[test]
    fn threads_count_until_one_of_them_ends() {
        let time = |ticks, threads: &[(u32, u64)]| CpuTime {
            ticks,
            threads: threads.iter().copied().collect(),
        };
        let earlier = time(10, &[(1, 1_000), (2, 500)]);
        let cases = [
            (time(11, &[(1, 1_100), (2, 700)]), 300),
            (time(11, &[(1, 1_100), (2, 700), (3, 40)]), 340),
            (time(12, &[(1, 1_100)]), 20_000_000),
        ];
        for (later, nanos) in cases {
            assert_eq!(later.since(&earlier), Duration::from_nanos(nanos));
        }
    }

    #[test]
    fn this_process_uses_something() {
        let process = std::process::id();
        assert!(resident(process).unwrap() > 100);
        let earlier = CpuTime::of(process).unwrap();
        assert!(CpuTime::of(process).unwrap().since(&earlier) < Duration::from_secs(60));
        assert!(resident(u32::MAX).is_err());
    }
}
