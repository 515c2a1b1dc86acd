//! What came of the cases, and the forms in which it is told.

mod json;
mod junit;
mod text;

pub(crate) use json::json;
pub(crate) use junit::junit;
pub(crate) use text::{line, summary};

use crate::case::{Demand, Protocol};

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// Something that should hold does not.
    Warned(String),
    Failed(String),
    Skipped(String),
}

impl Verdict {
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned(_) => "warned",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Why, where it did not pass.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Warned(reason) | Self::Failed(reason) | Self::Skipped(reason) => Some(reason),
        }
    }
}

/// One case and its end.
#[derive(Clone, Debug)]
pub(crate) struct Result {
    pub(crate) protocol: Protocol,
    pub(crate) name: String,
    pub(crate) standard: String,
    pub(crate) what: String,
    pub(crate) demand: Demand,
    pub(crate) verdict: Verdict,
    pub(crate) seconds: f64,
    /// What was sent and received.
    pub(crate) transcript: Vec<String>,
    /// Arguments that run it alone again.
    pub(crate) replay: String,
}

/// The results in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) warned: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

pub(crate) fn counts(results: &[Result]) -> Counts {
    let mut counts = Counts::default();
    for result in results {
        match result.verdict {
            Verdict::Passed => counts.passed += 1,
            Verdict::Warned(_) => counts.warned += 1,
            Verdict::Failed(_) => counts.failed += 1,
            Verdict::Skipped(_) => counts.skipped += 1,
        }
    }
    counts
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<Result> {
    let result = |name: &str, verdict| Result {
        protocol: Protocol::Rtmp,
        name: name.to_owned(),
        standard: "5.2".to_owned(),
        what: "a & b".to_owned(),
        demand: Demand::Must,
        verdict,
        seconds: 0.25,
        transcript: vec!["-> \u{1}<x>".to_owned()],
        replay: format!("--only {name}"),
    };
    vec![
        result("rtmp.a", Verdict::Passed),
        result("rtmp.b", Verdict::Failed("\"no\"".to_owned())),
        result("rtmp.c", Verdict::Skipped("nothing".to_owned())),
        result("rtmp.d", Verdict::Warned("hm".to_owned())),
    ]
}
