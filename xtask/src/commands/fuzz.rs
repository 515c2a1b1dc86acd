//! `cargo xtask fuzz` and `cargo xtask seeds`: campaigns with libFuzzer. (What they found before is
//! replayed by the ordinary tests: `fuzz/tests/replay.rs`.)

use crate::shell::{self, Error, Result};
use crate::steps::Steps;
use crate::{project, tools};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode};

/// With `--all` and without `--seconds`, each target runs for this long.
const DEFAULT_SECONDS: u32 = 60;

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request<'a> {
    target: Option<&'a str>,
    all: bool,
    seconds: Option<u32>,
    /// For libFuzzer.
    rest: &'a [String],
}

/// Fuzzes one target or all.
///
/// # Errors
/// When the arguments make no sense, the build fails, or an input that fails was found.
pub(crate) fn fuzz(args: &[String]) -> Result<ExitCode> {
    let request = Request::parse(args)?;
    let known = targets(&project::root().join("fuzz/fuzz_targets"))?;
    let chosen = match request.target {
        None => known,
        Some(name) if known.iter().any(|target| target == name) => vec![name.to_owned()],
        Some(name) => {
            return Err(Error::usage(format!(
                "there is no fuzz target {name:?}; there are: {}",
                known.join(", ")
            )));
        }
    };
    let seconds = request
        .seconds
        .or_else(|| request.all.then_some(DEFAULT_SECONDS));
    let mut steps = Steps::new();
    steps.step("install what fuzzing needs", || {
        tools::ensure(&[tools::BUILD, tools::FUZZ], false)?;
        tools::ensure_cargo_command("cargo-fuzz")
    })?;
    // All of them, or the one: a target that does not build is an error of its own, not a finding.
    steps.step("build", || {
        let mut build = cargo_fuzz("build");
        shell::run(build.args(request.target))
    })?;
    let mut failed = Vec::new();
    for target in chosen {
        // The other targets still get their turn.
        if let Err(error) = steps.step(&target, || campaign(&target, seconds, request.rest)) {
            eprintln!("    {error}");
            failed.push(target);
        }
    }
    if failed.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Error::new(format!(
            "fuzzing failed for {}; inputs that were found are in fuzz/crashes, to be committed with the repair",
            failed.join(", ")
        )))
    }
}

/// Writes the seeds that the crates make for their targets to `fuzz/seeds`.
///
/// # Errors
/// When that program cannot be built, or fails.
pub(crate) fn seeds() -> Result<ExitCode> {
    shell::run(project::cargo().args([
        "run",
        "--release",
        "--package",
        "millstream-fuzz",
        "--example",
        "seeds",
    ]))?;
    Ok(ExitCode::SUCCESS)
}

impl<'a> Request<'a> {
    fn parse(args: &'a [String]) -> Result<Self> {
        let mut request = Self::default();
        let mut rest = args;
        while let Some((arg, after)) = rest.split_first() {
            rest = after;
            match arg.as_str() {
                "--all" => request.all = true,
                "--seconds" => {
                    let value = rest.split_first().and_then(|(value, after)| {
                        rest = after;
                        value.parse().ok()
                    });
                    let Some(seconds) = value else {
                        return Err(Error::usage("fuzz: --seconds wants a whole number"));
                    };
                    request.seconds = Some(seconds);
                }
                "--" => {
                    request.rest = rest;
                    break;
                }
                name if request.target.is_none() && !name.starts_with('-') => {
                    request.target = Some(name);
                }
                unknown => return Err(Error::usage(format!("fuzz: what is {unknown:?}?"))),
            }
        }
        if request.all == request.target.is_some() {
            return Err(Error::usage("fuzz: name one target, or give --all"));
        }
        Ok(request)
    }
}

/// The names of the targets, which are those of the files.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Error::new(format!("cannot read {}: {error}", folder.display())))?;
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension() == Some(OsStr::new("rs")))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn cargo_fuzz(subcommand: &str) -> Command {
    let mut cargo = project::cargo();
    cargo
        // Coverage instrumentation on the stable compiler that everything else is built with.
        .env("RUSTC_BOOTSTRAP", "1")
        // No address sanitizer: our code has no unsafe block, and without it twice as much is tried.
        .args([
            "fuzz",
            subcommand,
            "--fuzz-dir",
            "fuzz",
            "--sanitizer",
            "none",
        ])
        .args(["--features", "libfuzzer"]);
    cargo
}

fn campaign(target: &str, seconds: Option<u32>, rest: &[String]) -> Result<()> {
    let folder = project::root().join("fuzz");
    let corpus = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    let crashes = folder.join("crashes").join(target);
    std::fs::create_dir_all(&corpus)
        .map_err(|error| Error::new(format!("cannot create {}: {error}", corpus.display())))?;
    let mut cargo = cargo_fuzz("run");
    cargo
        .arg(target)
        // New inputs go into the first folder.
        .arg(&corpus)
        .arg(folder.join("seeds").join(target));
    if crashes.exists() {
        cargo.arg(&crashes);
    }
    cargo.args(["--", "-timeout=10", "-rss_limit_mb=2048"]);
    if let Some(seconds) = seconds {
        cargo.arg(format!("-max_total_time={seconds}"));
    }
    let result = shell::run(cargo.args(rest));
    if result.is_err() {
        keep(&artifacts, &crashes)?;
    }
    result
}

/// Copies the failing inputs to where the tests replay them.
fn keep(artifacts: &Path, crashes: &Path) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        for entry in std::fs::read_dir(artifacts)? {
            let entry = entry?;
            std::fs::create_dir_all(crashes)?;
            std::fs::copy(entry.path(), crashes.join(entry.file_name()))?;
        }
        Ok(())
    };
    copy().or_else(|error| match error.kind() {
        // It failed before it found anything.
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(Error::new(format!(
            "cannot copy {} to {}: {error}",
            artifacts.display(),
            crashes.display()
        ))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn arguments() {
        let args = words("rtmp_amf0 --seconds 5 -- -jobs=2");
        let request = Request::parse(&args).unwrap();
        assert_eq!(request.target, Some("rtmp_amf0"));
        assert_eq!(request.seconds, Some(5));
        assert_eq!(request.rest, words("-jobs=2"));
        let args = words("--all");
        let request = Request::parse(&args).unwrap();
        assert!(request.all && request.target.is_none() && request.seconds.is_none());
    }

    #[test]
    fn bad_arguments() {
        let cases = [
            "",
            "--all flv",
            "--seconds 5",
            "flv --seconds",
            "flv --seconds x",
            "flv -x",
            "a b",
        ];
        for case in cases {
            let error = Request::parse(&words(case)).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{case:?}");
        }
    }
}
