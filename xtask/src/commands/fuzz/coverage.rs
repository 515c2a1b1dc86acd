//! `cargo xtask fuzz --coverage`: which lines no seed, no former finding and nothing of the corpus reaches.
//!
//! The test that replays all inputs is built with the compiler's own coverage, for our crates alone: cargo calls this
//! program in the compiler's place (see [`compile`]). What is built otherwise stays as it is.

use crate::project;
use crate::shell::{self, Error, Result};
use crate::tools;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Set where this program stands in for the compiler.
pub(crate) const VARIABLE: &str = "MILLSTREAM_XTASK_COVERAGE";

/// Set where the corpus is replayed, too.
const CORPUS: &str = "MILLSTREAM_FUZZ_CORPUS";

/// The compiler, with coverage: `args` are its path and its arguments.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn compile(args: &[String]) -> Result<ExitCode> {
    let (compiler, rest) = args
        .split_first()
        .ok_or_else(|| Error::usage("no compiler"))?;
    let mut command = Command::new(compiler);
    command.args(rest).args(["-C", "instrument-coverage"]);
    let status = command
        .status()
        .map_err(|error| Error::new(format!("cannot start {compiler}: {error}")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// Replays everything and tells what was reached: a line for each crate, and in a file what was not.
///
/// # Errors
/// When the tools are missing, the build fails, or an input does.
pub(super) fn report() -> Result<()> {
    let [profdata, cov] = llvm_tools()?;
    let folder = project::target()?.join("coverage");
    let _ = fs::remove_dir_all(&folder);
    let wrapper = std::env::current_exe().map_err(|error| Error::new(error.to_string()))?;
    let mut replay = project::cargo();
    replay
        .args([
            "test",
            "--release",
            "--workspace",
            "--test",
            "replay",
            "all_inputs_pass",
        ])
        .env("RUSTC_WORKSPACE_WRAPPER", wrapper)
        .env(VARIABLE, "1")
        .env(CORPUS, "1")
        .env("LLVM_PROFILE_FILE", folder.join("%p-%m.profraw"));
    shell::run(&mut replay)?;
    let program = newest_replay()?;
    let data = folder.join("replay.profdata");
    let raw = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    let raw = raw.filter(|path| path.extension().is_some_and(|kind| kind == "profraw"));
    shell::run(
        Command::new(profdata)
            .args(["merge", "--sparse", "--output"])
            .arg(&data)
            .args(raw),
    )?;
    let output = Command::new(cov)
        .args(["export", "--format=lcov", "--instr-profile"])
        .arg(&data)
        .arg(&program)
        .output()
        .map_err(|error| Error::new(format!("cannot start llvm-cov: {error}")))?;
    if !output.status.success() {
        return Err(Error::new(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    let files = read(&String::from_utf8_lossy(&output.stdout), &project::root());
    for (name, (reached, lines)) in crates(&files) {
        println!(
            "    {name:<22} {reached:>6} of {lines:>6} lines  {:>5.1} %",
            percent(reached, lines)
        );
    }
    let list = folder.join("unreached.txt");
    fs::write(&list, unreached(&files)).map_err(|error| Error::new(error.to_string()))?;
    println!("    what nothing reaches: {}", list.display());
    Ok(())
}

/// Of each file the lines that can be reached, and how often they were.
type Files = BTreeMap<String, BTreeMap<u32, u64>>;

/// From the form of lcov: files of the project, without what tests and fuzzing need alone.
fn read(lcov: &str, root: &Path) -> Files {
    let mut files = Files::new();
    let mut file: Option<String> = None;
    for line in lcov.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            let path = Path::new(path).strip_prefix(root).ok();
            let path = path.map(|path| path.to_string_lossy().into_owned());
            file = path.filter(|path| {
                path.contains("src/") && !path.starts_with("fuzz/") && !path.contains("fuzz")
            });
        } else if let (Some(file), Some((line, count))) = (
            &file,
            line.strip_prefix("DA:")
                .and_then(|rest| rest.split_once(',')),
        ) && let (Ok(line), Ok(count)) = (line.parse(), count.parse::<u64>())
        {
            *files
                .entry(file.clone())
                .or_default()
                .entry(line)
                .or_default() += count;
        }
    }
    files
}

/// Lines that were reached and all lines, for each protocol crate and each folder of the server.
fn crates(files: &Files) -> BTreeMap<String, (usize, usize)> {
    let mut crates: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (path, lines) in files {
        let parts: Vec<&str> = path.split('/').collect();
        let name = parts.get(..2).unwrap_or(&parts).join("/");
        let (reached, all) = crates.entry(name).or_default();
        *reached += lines.values().filter(|count| **count > 0).count();
        *all += lines.len();
    }
    crates
}

/// `FILE:FIRST-LAST` for each stretch of lines that nothing reached.
fn unreached(files: &Files) -> String {
    let mut text = String::new();
    for (path, lines) in files {
        let mut stretch: Option<(u32, u32)> = None;
        let mut end = |stretch: &mut Option<(u32, u32)>| {
            if let Some((first, last)) = stretch.take() {
                text.push_str(&format!("{path}:{first}-{last}\n"));
            }
        };
        for (line, count) in lines {
            match (*count, &mut stretch) {
                (0, Some((_, last))) => *last = *line,
                (0, None) => stretch = Some((*line, *line)),
                _ => end(&mut stretch),
            }
        }
        end(&mut stretch);
    }
    text
}

fn percent(part: usize, all: usize) -> f64 {
    100.0 * part as f64 / all.max(1) as f64
}

/// `llvm-profdata` and `llvm-cov` of the compiler's own LLVM: others do not read what it writes.
fn llvm_tools() -> Result<[PathBuf; 2]> {
    let folder = project::sysroot()?
        .join("lib/rustlib")
        .join(project::host()?)
        .join("bin");
    let programs = ["llvm-profdata", "llvm-cov"].map(|name| folder.join(name));
    if !programs.iter().all(|program| program.exists()) {
        tools::add_component("llvm-tools")?;
    }
    Ok(programs)
}

/// The test program that was built last.
fn newest_replay() -> Result<PathBuf> {
    let folder = project::target()?.join("release/deps");
    let entries = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(std::result::Result::ok);
    let programs = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("replay-") && !name.contains('.')
    });
    let newest =
        programs.max_by_key(|entry| entry.metadata().and_then(|data| data.modified()).ok());
    let newest = newest.ok_or_else(|| Error::new(format!("no replay in {}", folder.display())))?;
    Ok(newest.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LCOV: &str = "\
SF:/p/protocols/flv/src/a.rs\nFN:1,x\nDA:1,5\nDA:2,0\nDA:3,0\nDA:5,1\nDA:6,0\nend_of_record
SF:/p/protocols/flv/src/fuzz.rs\nDA:1,0\nend_of_record
SF:/other/src/b.rs\nDA:1,0\nend_of_record
";

    #[test]
    fn lines_are_counted() {
        let files = read(LCOV, Path::new("/p"));
        assert_eq!(crates(&files)["protocols/flv"], (2, 5));
        assert_eq!(
            unreached(&files),
            "protocols/flv/src/a.rs:2-3\nprotocols/flv/src/a.rs:6-6\n"
        );
        assert_eq!(files.len(), 1);
    }
}
