//! `cargo xtask bench`: the benchmark programs of `benches/`, on a release build.

use super::run;
use crate::shell::{Error, Result};
use crate::{project, tools};
use std::path::Path;
use std::process::ExitCode;

/// Runs one benchmark program with the arguments after its name, or lists them.
///
/// # Errors
/// When there is none of that name, or the build fails.
pub(crate) fn bench(args: &[String]) -> Result<ExitCode> {
    let known = programs(&project::root().join("benches/src/bin"));
    let Some((name, rest)) = args.split_first() else {
        println!("benchmarks: {}", known.join(", "));
        return Ok(ExitCode::SUCCESS);
    };
    if !known.contains(name) {
        return Err(Error::usage(format!(
            "there is no benchmark {name:?}; there are: {}",
            known.join(", ")
        )));
    }
    tools::ensure(&[tools::BUILD], false)?;
    let program = run::build(name)?;
    run::become_program(&program, rest)
}

/// As cargo finds them: a file or a folder each.
fn programs(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}
