//! The order of functions in the binary: those that run when a server starts and waits lie side by side, so that the
//! system reads and keeps few pages of the file, and not one for each function among those that are never called.
//!
//! Which they are, [`LIST`] tells the linker, and `--order` finds out: Valgrind writes down every function that two
//! starts call, the first with a new data folder and the second with what it left there.

use super::check::FREE_PORTS;
use super::{cannot, make_folder, read, write};
use crate::shell::{self, Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// Where the list is kept, in the sources.
pub(super) const LIST: &str = "packaging/start.ld";

/// So long a server is watched: Valgrind makes some fifty instructions of one, and what happens now and then shall be
/// seen, too.
const WATCHED: Duration = Duration::from_secs(60);

/// Longer names of functions are cut off. More than one may begin so; then all of them are meant.
const MAX_NAME: usize = 90;

/// Watches two starts of a program that has its symbols, and writes the list. `folder` is for what is left over.
///
/// # Errors
/// When it does not start, or Valgrind cannot run it.
pub(super) fn write_list(program: &Path, folder: &Path, list: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(cannot("remove", folder))?;
    }
    make_folder(folder)?;
    let mut called = BTreeSet::new();
    for start in ["first", "second"] {
        let written = folder.join(start);
        watch(program, &folder.join("data"), &written)?;
        called.extend(functions(&read(&written)?));
    }
    let shown = program.display().to_string();
    let symbols = shell::ask("nm", &[&shown]).ok_or_else(|| Error::new("nm says nothing"))?;
    let patterns: BTreeSet<String> = with_equals(&called, &symbols)
        .into_iter()
        .filter_map(pattern)
        .collect();
    if patterns.is_empty() {
        return Err(Error::new(format!("{shown} calls nothing that has a name")));
    }
    println!(
        "    {} functions called, {} names",
        called.len(),
        patterns.len()
    );
    write(list, &script(&patterns))
}

/// Lets it start and wait.
fn watch(program: &Path, data: &Path, written: &Path) -> Result<()> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind", "--demangle=no"])
        .arg(format!("--callgrind-out-file={}", written.display()))
        .arg(program)
        .arg("--data-dir")
        .arg(data)
        .stdin(Stdio::null());
    for name in FREE_PORTS {
        valgrind.env(format!("MILLSTREAM_{name}"), "127.0.0.1:0");
    }
    let mut child = valgrind
        .spawn()
        .map_err(|error| Error::new(format!("cannot start valgrind: {error}")))?;
    thread::sleep(WATCHED);
    let told = shell::ask("kill", &[&child.id().to_string()]);
    let status = child
        .wait()
        .map_err(|error| Error::new(error.to_string()))?;
    if told.is_none() || !status.success() {
        return Err(Error::new(format!("the server under Valgrind: {status}")));
    }
    Ok(())
}

/// The names of functions in what Callgrind writes: `fn=(7) name` where one is first told of, `fn=(7)` after it.
fn functions(written: &str) -> impl Iterator<Item = String> {
    written.lines().filter_map(|line| {
        let (_, name) = line
            .strip_prefix("fn=(")
            .or_else(|| line.strip_prefix("cfn=("))?
            .split_once(") ")?;
        // Behind a quote stands how deep it calls itself.
        Some(name.split('\'').next().unwrap_or(name).to_owned())
    })
}

/// These, and those that share their code: the linker keeps functions that are the same once, and Valgrind tells one of
/// their names.
fn with_equals<'a>(called: &BTreeSet<String>, symbols: &'a str) -> BTreeSet<&'a str> {
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut addresses = BTreeSet::new();
    for line in symbols.lines() {
        // An address, a letter for what it is, a name.
        let mut words = line.split_whitespace();
        if let (Some(address), Some("t" | "T" | "w" | "W"), Some(name)) =
            (words.next(), words.next(), words.next())
        {
            names.entry(address).or_default().push(name);
            if called.contains(name) {
                addresses.insert(address);
            }
        }
    }
    let equals = addresses.iter().filter_map(|address| names.get(address));
    equals.flatten().copied().collect()
}

/// What the name of a function of Rust looks like, whatever the versions of the compiler and of the crates, which are in it
/// as hashes. Nothing for others.
fn pattern(name: &str) -> Option<String> {
    let mut pattern = if name.starts_with("_ZN") {
        // At its end, "17h" and 16 digits.
        let (path, _) = name.rsplit_once("17h")?;
        format!("{path}17h*")
    } else if name.starts_with("_R") {
        // What stands behind a full stop tells copies from each other.
        let (path, copy) = name.split_once('.').unwrap_or((name, ""));
        let end = if copy.is_empty() { "" } else { "*" };
        without_hashes(path) + end
    } else {
        return None;
    };
    if pattern.len() > MAX_NAME {
        pattern.truncate(MAX_NAME);
        pattern.push('*');
    }
    Some(pattern)
}

/// A name whose crates are `Cs`, a hash in letters and digits, `_`, and the length and name of the crate.
fn without_hashes(path: &str) -> String {
    let mut pattern = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once("Cs") {
        pattern += before;
        pattern += "Cs";
        rest = after;
        if let Some((hash, name)) = after.split_once('_')
            && hash.chars().all(|c| c.is_ascii_alphanumeric())
            && name.starts_with(|c: char| c.is_ascii_digit())
        {
            pattern += "*_";
            rest = name;
        }
    }
    pattern + rest
}

/// What the linker reads. The C library and the code of `ring` are not in sections for each function, and come whole.
fn script(patterns: &BTreeSet<String>) -> String {
    let mut script = String::from(
        "/* Functions that run when a server starts and waits. Made by `cargo xtask dist --order`. */\n\
         SECTIONS {\n  .text.start : {\n    *libc.a:*(.text .text.*)\n    *libring*.rlib:*(.text .text.*)\n    *(\n",
    );
    for pattern in patterns {
        // Between them may stand "unlikely.".
        script += &format!("      .text.*{pattern}\n");
    }
    script + "    )\n  }\n}\nINSERT BEFORE .text;\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_were_called_and_their_equals() {
        let written = "fn=(1) _ZN1a1b17h0123456789abcdefE\n+3 4\ncfn=(2) main'2\ncalls=1\nfn=(1)\n";
        let called: BTreeSet<String> = functions(written).collect();
        assert_eq!(called.len(), 2);
        let symbols = "0000000000000010 t _ZN1a1b17h0123456789abcdefE\n0000000000000010 t _ZN1a1c17hfedcba9876543210E\n\
            0000000000000020 t _ZN1a1d17h0123456789abcdefE\n0000000000000030 T main\n                 U _end\n";
        let found = with_equals(&called, symbols);
        let patterns: Vec<String> = found.into_iter().filter_map(pattern).collect();
        assert_eq!(patterns, ["_ZN1a1b17h*", "_ZN1a1c17h*"]);
    }

    #[test]
    fn names_without_what_changes() {
        let name = "_RNvNtCslNYArtu3iFV_5alloc3fmt6format.405";
        assert_eq!(
            pattern(name).as_deref(),
            Some("_RNvNtCs*_5alloc3fmt6format*")
        );
        assert_eq!(without_hashes("_RNvCsa_1bCsNo"), "_RNvCs*_1bCsNo");
        let long = format!("_ZN{}17h0123456789abcdefE", "1a".repeat(100));
        assert_eq!(pattern(&long).map(|name| name.len()), Some(MAX_NAME + 1));
    }
}
