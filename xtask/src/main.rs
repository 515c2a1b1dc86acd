//! The one place for developer commands: `cargo xtask help` lists them.
//!
//! Each command is a list of steps that call other programs ([`shell`]); what those programs need is
//! installed when it is missing ([`tools`]). Nothing here knows how the server works. Read
//! [`commands`] first.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program: its output is for the person who called it"
)]

mod chromium;
mod commands;
mod debian;
mod ffmpeg;
mod project;
mod pypi;
mod shell;
mod steps;
mod tools;

use shell::{Error, Result};
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  run [ARGS…]             build the server in release mode and run it with ARGS
  test                    install the test tools and run every test: unit, architecture, fuzz seeds, end to end
  ci                      what has to pass before a change is merged: format, licences, lints, docs, test
  setup                   only the installs that run, test and ci would make
  advisories              check the dependencies against the advisory database (needs the network)
  fuzz [--minutes N] [TARGET…] [-- ARGS…]
                          fuzz targets, or those that begin so, or all: each for N minutes (1), as many at once as there
                          are cores; ARGS go to libFuzzer
  fuzz --coverage         what of our crates no seed, former finding and input of the corpus reaches
  seeds                   write the seeds that the protocol crates make for their fuzz targets
  soak                    the end-to-end tests that take long, one after the other, with the figures they measure
  soak --minutes N, --hours N
                          real and hostile clients beside each other for so long: memory, sockets, what was missed
  bench [NAME [ARGS…]]    run a benchmark program in release mode; without NAME, list them
  unsafe                  count the unsafe code in what the server is built of, for docs/design/unsafe.md
  dist [--check] [--order] [--twice]
                          build what is shipped: the static binary, its manual, licences, SBOM, package; --check runs it
                          where nothing else is (needs root), --twice builds it in another folder and compares,
                          --order looks anew which functions a start calls, which then lie side by side
  help                    this text

Environment: MILLSTREAM_CHROMIUM names the browser that the tests drive; MILLSTREAM_CORPUS a folder of
recorded streams for extra test cases.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // Cargo may have called us in the place of the compiler.
    let done = if std::env::var_os(commands::fuzz::COVERAGE).is_some() {
        commands::fuzz::compile(&args)
    } else {
        dispatch(&args)
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(args: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = args.split_first() else {
        return Err(Error::usage("no command given; see cargo xtask help"));
    };
    // Only these take arguments: a misspelt flag of the others must not be ignored.
    let takes_arguments = matches!(command.as_str(), "run" | "fuzz" | "bench" | "soak" | "dist");
    if let (false, Some(extra)) = (takes_arguments, rest.first()) {
        return Err(Error::usage(format!(
            "{command} takes no argument, but {extra:?} was given"
        )));
    }
    match command.as_str() {
        "run" => commands::run::run(rest),
        "test" => commands::test::test(),
        "ci" => commands::ci::ci(),
        "setup" => commands::test::setup(),
        "advisories" => commands::ci::advisories(),
        "fuzz" => commands::fuzz::fuzz(rest),
        "seeds" => commands::fuzz::seeds(),
        "soak" => commands::test::soak(rest),
        "bench" => commands::bench::bench(rest),
        "dist" => commands::dist::dist(rest),
        "unsafe" => commands::unsafety::list(),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        unknown => Err(Error::usage(format!(
            "there is no command {unknown:?}; see cargo xtask help"
        ))),
    }
}
