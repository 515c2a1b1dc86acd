//! What libFuzzer says of a run, as figures.

/// Above the lines of a table.
pub(super) const HEAD: &str =
    "target                        executions      /s  coverage        corpus    MiB  finding";

/// Of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    executions: u64,
    per_second: u64,
    /// Edges that were reached by what was there before, and at the end.
    coverage: (u64, u64),
    /// Inputs in the corpus at the end.
    corpus: u64,
    /// Most memory, in MiB.
    memory: u64,
    /// What failed, if something did.
    pub(super) finding: Option<String>,
}

impl Figures {
    /// From the log of a run with `-print_final_stats=1`.
    pub(super) fn read(log: &str) -> Self {
        let mut figures = Self::default();
        let mut first = None;
        for line in log.lines() {
            let after = |name: &str| number(line.split_once(name)?.1);
            if line.starts_with('#') {
                if let Some(coverage) = after("cov: ") {
                    first.get_or_insert(coverage);
                    figures.coverage.1 = coverage;
                }
                figures.corpus = after("corp: ").unwrap_or(figures.corpus);
            } else if let Some(count) = after("stat::number_of_executed_units:") {
                figures.executions = count;
            } else if let Some(count) = after("stat::average_exec_per_sec:") {
                figures.per_second = count;
            } else if let Some(count) = after("stat::peak_rss_mb:") {
                figures.memory = count;
            } else if let Some((_, what)) = line.split_once("panicked at ") {
                figures
                    .finding
                    .get_or_insert_with(|| format!("panicked at {what}"));
            } else if let Some((_, what)) = line.split_once("SUMMARY: libFuzzer: ") {
                figures.finding.get_or_insert_with(|| what.to_owned());
            }
        }
        figures.coverage.0 = first.unwrap_or(0);
        figures
    }

    /// A line of the table.
    pub(super) fn line(&self, target: &str) -> String {
        let (before, after) = self.coverage;
        format!(
            "{target:<28} {:>11} {:>7}  {after:>6} {:<+7} {:>6} {:>6}  {}",
            self.executions,
            self.per_second,
            after as i64 - before as i64,
            self.corpus,
            self.memory,
            self.finding.as_deref().unwrap_or("none")
        )
    }
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let end = text
        .find(|digit: char| !digit.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
INFO: Running with entropic power schedule (0xFF, 100).
#5\tINITED cov: 120 ft: 180 corp: 4/90b exec/s: 0 rss: 40Mb
#1024\tNEW    cov: 133 ft: 201 corp: 9/412b lim: 4096 exec/s: 512 rss: 41Mb L: 3/90
#2048\tDONE   cov: 133 ft: 201 corp: 9/412b lim: 4096 exec/s: 682 rss: 41Mb
stat::number_of_executed_units: 2048
stat::average_exec_per_sec:     682
stat::peak_rss_mb:              41
";

    #[test]
    fn a_run_is_read() {
        let figures = Figures::read(LOG);
        assert_eq!(figures.coverage, (120, 133));
        assert_eq!((figures.executions, figures.per_second), (2_048, 682));
        assert_eq!((figures.corpus, figures.memory), (9, 41));
        assert_eq!(figures.finding, None);
        assert!(figures.line("flv_demuxer").contains("133 +13"));
    }

    #[test]
    fn a_finding_is_told_by_what_came_first() {
        let log =
            "thread '<unnamed>' panicked at src/x.rs:3:5:\nSUMMARY: libFuzzer: deadly signal\n";
        let finding = Figures::read(log).finding;
        assert_eq!(finding.as_deref(), Some("panicked at src/x.rs:3:5:"));
        let log = "SUMMARY: libFuzzer: timeout\n";
        assert_eq!(Figures::read(log).finding.as_deref(), Some("timeout"));
    }
}
