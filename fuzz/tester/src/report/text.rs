//! For people.

use super::{Result, Verdict, counts};

/// A case in a line, and what was sent and received below it where that matters.
pub(crate) fn line(result: &Result, verbose: bool) -> String {
    let Result {
        name,
        what,
        standard,
        seconds,
        ..
    } = result;
    let mut text = format!(
        "{:<7}  {name}  {seconds:.2} s  {what} ({standard})",
        result.verdict.word()
    );
    if let Some(reason) = result.verdict.reason() {
        text.push_str(&format!("\n         {reason}"));
    }
    let failed = matches!(result.verdict, Verdict::Failed(_) | Verdict::Warned(_));
    if failed {
        text.push_str(&format!("\n         again: {}", result.replay));
    }
    if failed || verbose {
        for line in &result.transcript {
            text.push_str(&format!("\n           {line}"));
        }
    }
    text
}

/// The last line.
pub(crate) fn summary(results: &[Result]) -> String {
    let counts = counts(results);
    format!(
        "{} passed, {} failed, {} warned, {} skipped",
        counts.passed, counts.failed, counts.warned, counts.skipped
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn failures_tell_all() {
        let samples = samples();
        assert!(!line(&samples[0], false).contains('\n'));
        assert!(line(&samples[0], true).contains("-> "));
        let text = line(&samples[1], false);
        assert!(text.contains("\"no\"") && text.contains("--only rtmp.b") && text.contains("-> "));
        assert_eq!(summary(&samples), "1 passed, 1 failed, 1 warned, 1 skipped");
    }
}
