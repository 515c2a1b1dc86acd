//! `cargo xtask fuzz` and `cargo xtask seeds`: campaigns with libFuzzer. (What they found before is
//! replayed by the ordinary tests: `fuzz/tests/replay.rs`.)
//!
//! [`campaign`] runs one target, [`figures`] reads what libFuzzer says of it, [`coverage`] tells what no input reaches.

mod campaign;
mod coverage;
mod figures;

pub(crate) use coverage::{VARIABLE as COVERAGE, compile};

use crate::shell::{self, Error, Result};
use crate::steps::Steps;
use crate::{project, tools};
use campaign::Campaign;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Without `--minutes`, each target runs for this long.
const DEFAULT: Duration = Duration::from_secs(60);

/// Above so many, all targets are built at once: cargo-fuzz builds one or all.
const FEW: usize = 3;

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request<'a> {
    /// None means all.
    targets: Vec<&'a str>,
    time: Option<Duration>,
    coverage: bool,
    /// For libFuzzer.
    rest: &'a [String],
}

/// Fuzzes targets, as many at once as there are cores.
///
/// # Errors
/// When the arguments make no sense, the build fails, or an input that fails was found.
pub(crate) fn fuzz(args: &[String]) -> Result<ExitCode> {
    let request = Request::parse(args)?;
    let mut steps = Steps::new();
    if request.coverage {
        steps.step("coverage", coverage::report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let known = targets(&project::root().join("fuzz/fuzz_targets"))?;
    let chosen = request.chosen(&known)?;
    steps.step("install what fuzzing needs", || {
        tools::ensure(&[tools::BUILD, tools::FUZZ], false)?;
        tools::ensure_cargo_command("cargo-fuzz")
    })?;
    let host = project::host()?;
    // A target that does not build is an error of its own, not a finding.
    steps.step("build", || build(&chosen, &known, &host))?;
    let campaign = Campaign {
        programs: project::target()?.join(&host).join("release"),
        time: request.time.unwrap_or(DEFAULT),
        rest: request.rest,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let name = format!("fuzz {} targets, {cores} at once", chosen.len());
    let mut done = steps.step(&name, || Ok(side_by_side(&campaign, chosen, cores)))?;
    done.sort_by(|a, b| a.0.cmp(&b.0));
    println!("{}", figures::HEAD);
    let mut failed = Vec::new();
    for (target, outcome) in &done {
        match outcome {
            Ok(figures) => {
                println!("{}", figures.line(target));
                if figures.finding.is_some() {
                    failed.push(target.as_str());
                }
            }
            Err(error) => {
                println!("{target:<28} {error}");
                failed.push(target);
            }
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
                "--coverage" => request.coverage = true,
                "--minutes" => {
                    let value = rest.split_first().and_then(|(value, after)| {
                        rest = after;
                        value.parse().ok().filter(|minutes| *minutes > 0.0)
                    });
                    let time = value
                        .and_then(|minutes: f64| Duration::try_from_secs_f64(minutes * 60.0).ok());
                    request.time =
                        Some(time.ok_or_else(|| Error::usage("fuzz: --minutes wants a number"))?);
                }
                "--" => {
                    request.rest = rest;
                    break;
                }
                name if !name.starts_with('-') => request.targets.push(name),
                unknown => return Err(Error::usage(format!("fuzz: what is {unknown:?}?"))),
            }
        }
        if request.coverage
            && request
                != (Self {
                    coverage: true,
                    ..Self::default()
                })
        {
            return Err(Error::usage(
                "fuzz: --coverage is of all targets and stands alone",
            ));
        }
        Ok(request)
    }

    /// Those of the known targets: a name may be the beginning of several.
    fn chosen(&self, known: &[String]) -> Result<Vec<String>> {
        if self.targets.is_empty() {
            return Ok(known.to_vec());
        }
        let mut chosen = Vec::new();
        for name in &self.targets {
            let exact = known.iter().filter(|target| target == name);
            let begun = known.iter().filter(|target| target.starts_with(name));
            let found: Vec<&String> = if exact.clone().next().is_some() {
                exact.collect()
            } else {
                begun.collect()
            };
            if found.is_empty() {
                let known = known.join(", ");
                return Err(Error::usage(format!(
                    "there is no fuzz target {name:?}; there are: {known}"
                )));
            }
            chosen.extend(found.into_iter().cloned());
        }
        chosen.sort();
        chosen.dedup();
        Ok(chosen)
    }
}

/// Takes turns: each core fuzzes one target at a time, so that all get the same.
fn side_by_side(
    campaign: &Campaign<'_>,
    targets: Vec<String>,
    cores: usize,
) -> Vec<(String, Result<figures::Figures>)> {
    let waiting = Mutex::new(VecDeque::from(targets));
    let done = Mutex::new(Vec::new());
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let outcome = campaign.run(&target);
                    if let Ok(figures) = &outcome {
                        println!("    {}", figures.line(&target));
                    }
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((target, outcome));
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
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

fn build(chosen: &[String], known: &[String], host: &str) -> Result<()> {
    if chosen.len() > FEW || chosen.len() == known.len() {
        return shell::run(&mut cargo_fuzz_build(host));
    }
    chosen
        .iter()
        .try_for_each(|target| shell::run(cargo_fuzz_build(host).arg(target)))
}

fn cargo_fuzz_build(host: &str) -> Command {
    let mut cargo = project::cargo();
    cargo
        // Coverage instrumentation on the stable compiler that everything else is built with.
        .env("RUSTC_BOOTSTRAP", "1")
        // No address sanitizer: our code has no unsafe block, and without it twice as much is tried.
        .args(["fuzz", "build", "--fuzz-dir", "fuzz", "--sanitizer", "none"])
        .args(["--features", "libfuzzer", "--target", host]);
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn arguments() {
        let args = words("rtmp_amf0 flv --minutes 0.5 -- -jobs=2");
        let request = Request::parse(&args).unwrap();
        assert_eq!(request.targets, ["rtmp_amf0", "flv"]);
        assert_eq!(request.time, Some(Duration::from_secs(30)));
        assert_eq!(request.rest, words("-jobs=2"));
        assert_eq!(Request::parse(&[]).unwrap(), Request::default());
    }

    #[test]
    fn bad_arguments() {
        let cases = [
            "--minutes",
            "flv --minutes x",
            "--minutes -1",
            "flv -x",
            "--coverage flv",
        ];
        for case in cases {
            let error = Request::parse(&words(case)).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{case:?}");
        }
    }

    #[test]
    fn targets_are_chosen_by_their_beginning() {
        let known = words("flv_demuxer rtp_packet rtp_packetizer");
        let chosen = |text: &str| Request::parse(&words(text)).unwrap().chosen(&known).ok();
        assert_eq!(chosen("rtp_packet"), Some(words("rtp_packet")));
        assert_eq!(chosen("rtp_ flv"), Some(known.clone()));
        assert_eq!(chosen(""), Some(known.clone()));
        assert_eq!(chosen("srt"), None);
    }
}
