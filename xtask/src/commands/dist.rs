//! `cargo xtask dist`: the binary that is shipped, which needs no library of the system it runs on.

use crate::shell::{self, Error, Result};
use crate::steps::Steps;
use crate::{project, tools};
use std::path::Path;
use std::process::ExitCode;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds it and says where it is and how large.
///
/// # Errors
/// When the build fails, or the result is not static.
pub(crate) fn dist() -> Result<ExitCode> {
    let mut steps = Steps::new();
    tools::ensure(&[tools::BUILD], false)?;
    steps.step("build", || {
        shell::run(
            project::cargo()
                // The server alone: what only tests and tools ask of the dependencies is not shipped.
                .args(["build", "--profile", "dist", "--package", "millstream"])
                // A target apart from the host, or the flags would reach build scripts and macros.
                .args(["--bin", "millstream", "--target", TARGET])
                .env("RUSTFLAGS", "-C target-feature=+crt-static"),
        )
    })?;
    let program = project::target()?.join(TARGET).join("dist/millstream");
    steps.step("check", || check(&program))?;
    steps.step("checksum", || checksum(&program))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes `millstream.sha256` beside the program, as `sha256sum --check` reads it.
fn checksum(program: &Path) -> Result<()> {
    let shown = program.display().to_string();
    let said = shell::ask("sha256sum", &[&shown]);
    let sum = said
        .as_deref()
        .and_then(|said| said.split_whitespace().next());
    let sum = sum.ok_or_else(|| Error::new("sha256sum says nothing"))?;
    let file = program.with_extension("sha256");
    std::fs::write(&file, format!("{sum}  millstream\n"))
        .map_err(|error| Error::new(format!("cannot write {}: {error}", file.display())))?;
    println!("    {sum}");
    Ok(())
}

fn check(program: &Path) -> Result<()> {
    let shown = program.display();
    let size = program
        .metadata()
        .map_err(|error| Error::new(format!("cannot read {shown}: {error}")))?
        .len();
    // The loader's own list fails, or says so, for a program that has no need of it.
    let list = shell::ask("ldd", &[&shown.to_string()]);
    if list.is_some_and(|list| !list.contains("statically linked")) {
        return Err(Error::new(format!("{shown} needs shared libraries")));
    }
    println!(
        "    {shown}: {size} bytes ({:.1} MiB), static",
        size as f64 / 1_048_576.0
    );
    Ok(())
}
