//! One target for some minutes: run, keep what it found, make corpus and findings small.

use super::figures::Figures;
use crate::project;
use crate::shell::{Error, Result};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longest time for one input, in seconds: beyond, it is a finding.
const TIMEOUT: u32 = 10;

/// Most memory of the process, in MiB: beyond, it is a finding. (That of one input is bounded by the target itself.)
const MEMORY: u32 = 2_048;

/// How long an input that fails is made smaller.
const MINIMIZE: Duration = Duration::from_secs(30);

/// What all targets of one call have in common.
pub(super) struct Campaign<'a> {
    /// The folder of the programs that were built.
    pub(super) programs: PathBuf,
    pub(super) time: Duration,
    /// For libFuzzer.
    pub(super) rest: &'a [String],
}

impl Campaign<'_> {
    /// Fuzzes one target. What libFuzzer says is in `target/fuzz/TARGET.log`.
    ///
    /// # Errors
    /// When it cannot be run. A finding is no error here: it is in the figures.
    pub(super) fn run(&self, target: &str) -> Result<Figures> {
        let fuzz = project::root().join("fuzz");
        let corpus = fuzz.join("corpus").join(target);
        let found = fuzz.join("artifacts").join(target);
        let seeds = fuzz.join("seeds").join(target);
        let crashes = fuzz.join("crashes").join(target);
        for folder in [&corpus, &found] {
            fs::create_dir_all(folder).map_err(|error| cannot("create", folder, &error))?;
        }
        let before = files(&found);
        let log = project::target()?
            .join("fuzz")
            .join(format!("{target}.log"));
        // New inputs go into the first folder.
        let mut inputs = vec![corpus.clone(), seeds.clone()];
        inputs.extend(crashes.exists().then(|| crashes.clone()));
        let mut fuzz_one = self.program(target, &found);
        fuzz_one
            .arg(format!("-max_total_time={}", self.time.as_secs().max(1)))
            .arg("-print_final_stats=1")
            .args(dictionary(&fuzz, target))
            .args(self.rest)
            .args(&inputs);
        let failed = !quietly(&mut fuzz_one, &log)?;
        let text = fs::read(&log).map_err(|error| cannot("read", &log, &error))?;
        let mut figures = Figures::read(&String::from_utf8_lossy(&text));
        let new: Vec<PathBuf> = files(&found)
            .into_iter()
            .filter(|file| !before.contains(file))
            .collect();
        if failed {
            figures.finding = Some(
                figures
                    .finding
                    .unwrap_or_else(|| format!("it failed: see {}", log.display())),
            );
            for file in &new {
                self.keep(target, file, &crashes)?;
            }
        } else {
            self.minimize(target, &corpus, &seeds, &log)?;
        }
        Ok(figures)
    }

    fn program(&self, target: &str, found: &Path) -> Command {
        let mut command = Command::new(self.programs.join(target));
        command
            .arg(format!("-artifact_prefix={}/", found.display()))
            .arg(format!("-timeout={TIMEOUT}"))
            .arg(format!("-rss_limit_mb={MEMORY}"));
        command
    }

    /// A copy of an input that fails, as small as it gets, where the tests replay it.
    fn keep(&self, target: &str, input: &Path, crashes: &Path) -> Result<()> {
        fs::create_dir_all(crashes).map_err(|error| cannot("create", crashes, &error))?;
        let kept = crashes.join(input.file_name().unwrap_or_default());
        let mut minimize = self.program(target, crashes);
        minimize
            .arg("-minimize_crash=1")
            .arg(format!("-max_total_time={}", MINIMIZE.as_secs()))
            .arg(format!("-exact_artifact_path={}", kept.display()))
            .arg(input);
        let log = project::target()?
            .join("fuzz")
            .join(format!("{target}.minimize.log"));
        // That it ends in a failure is what it is for.
        let _ = quietly(&mut minimize, &log)?;
        if !kept.exists() {
            fs::copy(input, &kept).map_err(|error| cannot("copy", input, &error))?;
        }
        Ok(())
    }

    /// Leaves in the corpus what is needed to reach what it reaches.
    fn minimize(&self, target: &str, corpus: &Path, seeds: &Path, log: &Path) -> Result<()> {
        let fresh = corpus.with_extension("new");
        let _ = fs::remove_dir_all(&fresh);
        fs::create_dir_all(&fresh).map_err(|error| cannot("create", &fresh, &error))?;
        let mut merge = self.program(target, &fresh);
        merge.arg("-merge=1").arg(&fresh).arg(seeds).arg(corpus);
        let log = log.with_extension("merge.log");
        if quietly(&mut merge, &log)? && !files(&fresh).is_empty() {
            fs::remove_dir_all(corpus).map_err(|error| cannot("remove", corpus, &error))?;
            fs::rename(&fresh, corpus).map_err(|error| cannot("move", &fresh, &error))?;
        } else {
            let _ = fs::remove_dir_all(&fresh);
        }
        Ok(())
    }
}

/// The words of the target's protocol: `fuzz/dictionaries/PROTOCOL.dict`.
fn dictionary(fuzz: &Path, target: &str) -> Option<String> {
    let protocol = target.split('_').next()?;
    let file = fuzz.join("dictionaries").join(format!("{protocol}.dict"));
    file.exists().then(|| format!("-dict={}", file.display()))
}

/// Runs a program with everything it says going to a file: whether it succeeded.
fn quietly(command: &mut Command, log: &Path) -> Result<bool> {
    let open = || -> io::Result<(File, File)> {
        fs::create_dir_all(log.parent().unwrap_or(log))?;
        let file = File::create(log)?;
        Ok((file.try_clone()?, file))
    };
    let (out, err) = open().map_err(|error| cannot("write", log, &error))?;
    let program = command.get_program().to_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .status();
    let status = status.map_err(|error| cannot("start", Path::new(&program), &error))?;
    Ok(status.success())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(format!("cannot {what} {}: {error}", path.display()))
}
