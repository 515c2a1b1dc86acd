//! A newer ffmpeg than distributions have, for what theirs cannot say: Enhanced RTMP. It is a file of a package of
//! PyPI, which `tests/e2e/ffmpeg.txt` pins by its hash, and lies in the target folder.

use crate::pypi;
use crate::shell::{self, Error, Result};
use std::path::Path;

/// The variable that names the program, here and in the tests.
pub(crate) const VARIABLE: &str = "MILLSTREAM_NEW_FFMPEG";

/// Oldest major version that will do.
const MAJOR: u32 = 8;

/// The program to start, installed if it is not there.
///
/// # Errors
/// When [`VARIABLE`] names one that does not work, or none can be installed.
pub(crate) fn find_or_install() -> Result<String> {
    if let Ok(program) = std::env::var(VARIABLE) {
        return if works(&program) {
            Ok(program)
        } else {
            Err(Error::new(format!(
                "{VARIABLE} is {program:?}, which does not answer -version as ffmpeg {MAJOR} or later does"
            )))
        };
    }
    let folder = pypi::folder("ffmpeg")?;
    if let Some(program) = within(&folder) {
        return Ok(program);
    }
    pypi::install("ffmpeg")?;
    within(&folder).ok_or_else(|| {
        let folder = folder.display();
        Error::new(format!(
            "no ffmpeg that works came to {folder}; name one in {VARIABLE}"
        ))
    })
}

fn within(folder: &Path) -> Option<String> {
    let files = std::fs::read_dir(folder.join("imageio_ffmpeg/binaries")).ok()?;
    let mut programs = files.filter_map(|file| file.ok()?.path().to_str().map(str::to_owned));
    programs.find(|program| works(program))
}

fn works(program: &str) -> bool {
    let answer = shell::ask(program, &["-version"]);
    answer.and_then(|answer| major(&answer)) >= Some(MAJOR)
}

/// The 9 of `ffmpeg version 9.0.2-static …`, with or without an `n` in front of it.
fn major(answer: &str) -> Option<u32> {
    let version = answer.strip_prefix("ffmpeg version ")?;
    let (major, _) = version.trim_start_matches('n').split_once('.')?;
    major.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let cases = [
            ("ffmpeg version n9.0.2-17-g2a571b6068 Copyright", Some(9)),
            ("ffmpeg version 5.1.9-0+deb12u1 Copyright", Some(5)),
            ("ffmpeg version N-119-g1 Copyright", None),
            ("", None),
        ];
        for (answer, expected) in cases {
            assert_eq!(major(answer), expected, "{answer}");
        }
    }
}
