//! `cargo xtask unsafe`: how much unsafe code is in what the server is built of, crate by crate, as a table for
//! `docs/design/unsafe.md`. Our own code has none: `tests/architecture.rs` sees to that.

use crate::project;
use crate::shell::{Error, Result};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// What may follow the word where it opens unsafe code, and the column it is counted in.
const FORMS: [(&str, usize); 5] = [
    ("{", 0),
    ("fn", 1),
    ("extern", 1),
    ("impl", 2),
    ("trait", 2),
];

/// Prints the table.
///
/// # Errors
/// When cargo does not tell the dependencies.
pub(crate) fn list() -> Result<ExitCode> {
    let sources = project::crate_sources()?;
    let (mut without, mut rows) = (Vec::new(), Vec::new());
    for (name, version) in shipped()? {
        let folder = sources
            .iter()
            .map(|folder| folder.join(format!("{name}-{version}")));
        let Some(folder) = folder.into_iter().find(|folder| folder.exists()) else {
            return Err(Error::new(format!(
                "the source of {name} {version} is not in cargo's registry"
            )));
        };
        let counts = count_below(&folder.join("src"));
        if counts == [0; 3] {
            without.push(name);
        } else {
            rows.push((
                counts[0],
                format!(
                    "| {name} {version} | {} | {} | {} |",
                    counts[0], counts[1], counts[2]
                ),
            ));
        }
    }
    rows.sort_by_key(|(blocks, _)| std::cmp::Reverse(*blocks));
    println!("| crate | blocks | functions | implementations and traits |\n|---|---|---|---|");
    for (_, row) in &rows {
        println!("{row}");
    }
    println!("\nWithout any ({}): {}.", without.len(), without.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// Names and versions of what is linked into the server on this machine, each once.
fn shipped() -> Result<Vec<(String, String)>> {
    let output = project::cargo()
        .args([
            "tree",
            "--package",
            "millstream",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .output()
        .map_err(|error| Error::new(format!("cannot start cargo: {error}")))?;
    if !output.status.success() {
        return Err(Error::new(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    Ok(crates(&String::from_utf8_lossy(&output.stdout)))
}

/// From lines as `bytes v1.12.0 (*)`. Those with a path in parentheses are ours.
fn crates(tree: &str) -> Vec<(String, String)> {
    let ours = |line: &&str| !line.contains("(/");
    let mut crates: Vec<(String, String)> = tree
        .lines()
        .filter(ours)
        .filter_map(|line| {
            let (name, rest) = line.split_once(" v")?;
            let version = rest.split(' ').next()?;
            Some((name.to_owned(), version.to_owned()))
        })
        .collect();
    crates.sort();
    crates.dedup();
    crates
}

/// Blocks, functions, implementations and traits in the Rust files below a folder.
fn count_below(folder: &Path) -> [usize; 3] {
    let mut counts = [0; 3];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let more = if path.is_dir() {
            count_below(&path)
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            count(&fs::read_to_string(&path).unwrap_or_default())
        } else {
            continue;
        };
        for (count, more) in counts.iter_mut().zip(more) {
            *count += more;
        }
    }
    counts
}

fn count(source: &str) -> [usize; 3] {
    let mut counts = [0; 3];
    let code: String = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n")
        .collect();
    for (at, word) in code.match_indices("unsafe") {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '(';
        let rest = code[at + word.len()..].trim_start();
        if code[..at].chars().next_back().is_some_and(is_part) {
            continue;
        }
        let form = FORMS.iter().find(|(form, _)| rest.starts_with(form));
        if let Some((_, column)) = form {
            counts[*column] += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_is_counted() {
        let source = "// unsafe { no }\n#![forbid(unsafe_code)]\nlet x = unsafe { y };\npub unsafe fn f() {}\n\
            unsafe impl Send for X {}\nnot_unsafe { }\n#[unsafe(no_mangle)]\nunsafe\n{ z }";
        assert_eq!(count(source), [2, 1, 1]);
    }

    #[test]
    fn crates_are_read() {
        let tree = "millstream v0.1.0 (/p)\nbytes v1.12.0\nring v0.17.14 (*)\nbytes v1.12.0 (*)\nflv v0.1.0 (/p/protocols/flv)\n";
        let expected = [("bytes", "1.12.0"), ("ring", "0.17.14")];
        assert_eq!(
            crates(tree),
            expected.map(|(name, version)| (name.to_owned(), version.to_owned()))
        );
    }
}
