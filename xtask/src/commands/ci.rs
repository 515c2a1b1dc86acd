//! `cargo xtask ci` and `cargo xtask advisories`: what has to pass before a change is merged.

use super::test;
use crate::shell::{self, Result};
use crate::steps::Steps;
use crate::{project, tools};
use std::process::ExitCode;

/// All checks, cheapest first.
///
/// All builds use the release profile: build scripts and macros are then made once for the lints, the
/// documentation and the tests, and the documentation reads the metadata that the lints left.
///
/// # Errors
/// That of the first step that fails.
pub(crate) fn ci() -> Result<ExitCode> {
    let mut steps = Steps::new();
    steps.step("install what the build needs", || {
        tools::ensure(&[tools::BUILD], false)?;
        ensure_component("rustfmt", "fmt")?;
        ensure_component("clippy", "clippy")
    })?;
    steps.step("format", || {
        shell::run(project::cargo().args(["fmt", "--all", "--check"]))
    })?;
    steps.step("install cargo-deny", || {
        tools::ensure_cargo_command("cargo-deny")
    })?;
    steps.step("licences, bans, sources", || {
        shell::run(project::cargo().args([
            "deny",
            "--workspace",
            "check",
            "--hide-inclusion-graph",
            "licenses",
            "bans",
            "sources",
        ]))
    })?;
    steps.step("lints", || {
        shell::run(project::cargo().args([
            "clippy",
            "--release",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    steps.step("documentation", || {
        shell::run(
            project::cargo()
                .args(["doc", "--release", "--workspace", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    })?;
    test::all(&mut steps)?;
    Ok(ExitCode::SUCCESS)
}

/// The dependencies against the advisory database. Apart from `ci`, since its answer changes from day to
/// day without a change of ours.
///
/// # Errors
/// When there is an advisory, or the database cannot be fetched.
pub(crate) fn advisories() -> Result<ExitCode> {
    tools::ensure_cargo_command("cargo-deny")?;
    shell::run(project::cargo().args(["deny", "--workspace", "check", "advisories"]))?;
    Ok(ExitCode::SUCCESS)
}

/// A toolchain may have come without the component that `cargo SUBCOMMAND` needs.
fn ensure_component(component: &str, subcommand: &str) -> Result<()> {
    let answers = project::cargo()
        .args([subcommand, "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if answers {
        return Ok(());
    }
    tools::add_component(component)
}
