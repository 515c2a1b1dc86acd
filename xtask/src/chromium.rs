//! Finding a Chromium that works.
//!
//! On Ubuntu the package is a stub that wants a snap, which containers cannot run: a program that is
//! there but does not answer `--version` counts as missing, and apt-get is not asked.

use crate::shell::{self, Error, Result};
use crate::{debian, project};
use std::process::Command;

/// The variable that names the browser, here and in the tests.
pub(crate) const VARIABLE: &str = "MILLSTREAM_CHROMIUM";

const CANDIDATES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];

/// Asks the browser package of `tests/browser`, where there is one, for the browser it has downloaded.
const ASK_PLAYWRIGHT: &str =
    "process.stdout.write(require('playwright-core').chromium.executablePath())";

/// The program to start, if there is one that works.
///
/// # Errors
/// When [`VARIABLE`] names one that does not.
pub(crate) fn find() -> Result<Option<String>> {
    if let Ok(program) = std::env::var(VARIABLE) {
        return if works(&program) {
            Ok(Some(program))
        } else {
            Err(Error::new(format!(
                "{VARIABLE} is {program:?}, which does not answer --version as a Chromium does"
            )))
        };
    }
    let found = CANDIDATES.into_iter().find(|program| works(program));
    Ok(found.map(str::to_owned).or_else(from_npm))
}

/// The Debian package that brings one, on systems where it does.
pub(crate) fn package() -> Option<&'static str> {
    (debian::distribution().as_deref() != Some("ubuntu")).then_some("chromium")
}

/// The last resort, once `npm ci` has run: lets the browser package of `tests/browser` download one.
///
/// # Errors
/// When there is no such package, or its browser does not work; says what to install.
pub(crate) fn find_or_download() -> Result<String> {
    if let Some(program) = find()? {
        return Ok(program);
    }
    let folder = project::root().join("tests/browser");
    if folder.join("node_modules/.bin/playwright-core").exists() {
        let mut download = Command::new("npx");
        download
            .args(["playwright-core", "install", "--with-deps", "chromium"])
            .current_dir(&folder);
        shell::run_with_retries(2, &mut download)?;
    }
    find()?.ok_or_else(|| {
        Error::new(format!(
            "no working Chromium: install the Debian package chromium or, on Ubuntu, where that is a stub \
             for a snap, the package google-chrome-stable from Google; or name one in {VARIABLE}"
        ))
    })
}

fn from_npm() -> Option<String> {
    let output = Command::new("node")
        .args(["--eval", ASK_PLAYWRIGHT])
        .current_dir(project::root().join("tests/browser"))
        .output()
        .ok()?;
    let program = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && works(&program)).then_some(program)
}

fn works(program: &str) -> bool {
    shell::ask(program, &["--version"]).is_some_and(|answer| is_a_version(&answer))
}

fn is_a_version(answer: &str) -> bool {
    let mut words = answer.split_whitespace();
    let named = words.any(|word| word == "Chromium" || word == "Chrome");
    // "Google Chrome for Testing 140.0.1" has words between the name and the number.
    named && words.any(|word| word.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_by_its_answer() {
        let cases = [
            ("Chromium 128.0.6613.84 built on Debian 12", true),
            ("Google Chrome 128.0.6613.84", true),
            ("Google Chrome for Testing 140.0.7339.16", true),
            ("Command requires the chromium snap to be installed.", false),
            ("", false),
        ];
        for (answer, known) in cases {
            assert_eq!(is_a_version(answer), known, "{answer:?}");
        }
    }
}
