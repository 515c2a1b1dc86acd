//! For programs.

use super::{Result, counts};
use crate::case::Demand;
use serde_json::{Value, json};

/// All results.
pub(crate) fn json(results: &[Result], seed: u64) -> String {
    let counts = counts(results);
    let cases: Vec<Value> = results
        .iter()
        .map(|result| {
            json!({
                "name": result.name,
                "protocol": result.protocol.name(),
                "standard": result.standard,
                "what": result.what,
                "demand": if result.demand == Demand::Must { "must" } else { "should" },
                "verdict": result.verdict.word(),
                "reason": result.verdict.reason(),
                "seconds": result.seconds,
                "replay": result.replay,
                "transcript": result.transcript,
            })
        })
        .collect();
    let report = json!({
        "tool": concat!("millstream-tester ", env!("CARGO_PKG_VERSION")),
        "seed": seed,
        "passed": counts.passed,
        "failed": counts.failed,
        "warned": counts.warned,
        "skipped": counts.skipped,
        "cases": cases,
    });
    format!("{report:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn it_is_read_again() {
        let report: Value = serde_json::from_str(&json(&samples(), 3)).unwrap_or_default();
        assert_eq!(report["failed"], 1);
        assert_eq!(report["cases"][1]["reason"], "\"no\"");
        assert_eq!(report["cases"][3]["verdict"], "warned");
    }
}
