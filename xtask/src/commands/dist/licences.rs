//! The licences of all that is in the binary, in one file: texts that are the same stand there once.

use super::inventory::{Inventory, Origin, Package};
use crate::project;
use crate::shell::Result;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// How files with licences and notices begin.
const NAMES: [&str; 7] = [
    "license",
    "licence",
    "copying",
    "copyright",
    "notice",
    "unlicense",
    "authors",
];

/// What the toolchain links in is under, as Debian and Ubuntu have the texts.
const SYSTEM: [(&str, &str); 2] = [
    ("glibc", "/usr/share/common-licenses/LGPL-2.1"),
    ("libgcc", "/usr/share/common-licenses/GPL-3"),
];

/// The file.
///
/// # Errors
/// When a text cannot be read.
pub(super) fn document(used: &Inventory) -> Result<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = String::new();
    for package in &used.packages {
        let of = format!("{} {}", package.name, package.version);
        let files = package.folder.as_deref().map_or(Ok(Vec::new()), files)?;
        let note = match package.origin {
            Origin::Ours | Origin::Toolchain => "",
            _ if files.is_empty() => " (no text comes with it)",
            _ => "",
        };
        // Writing to a String does not fail.
        let _ = writeln!(list, "{of}: {}{note} {}", package.licence, place(package));
        for text in files {
            texts.entry(text).or_default().push(of.clone());
        }
    }
    let ours =
        ["LICENSE-MIT", "LICENSE-APACHE"].map(|name| ("Millstream", project::root().join(name)));
    for (of, path) in ours
        .into_iter()
        .chain(SYSTEM.map(|(of, path)| (of, path.into())))
    {
        let text = tidy(&super::read(&path)?);
        texts.entry(text).or_default().insert(0, of.to_owned());
    }
    let mut all = format!(
        "Millstream is built of the packages below, each under the licence behind its name. Where there is a choice\n\
         (OR), any of them. The sources of all are at the addresses given, unchanged; with them and those of Millstream\n\
         the binary can be built anew with other versions of any, the C library included.\n\n{list}"
    );
    let mut texts: Vec<_> = texts.into_iter().collect();
    // Those that most are under come first.
    texts.sort_by(|(_, a), (_, b)| b.len().cmp(&a.len()).then(a.cmp(b)));
    for (text, mut packages) in texts {
        packages.dedup();
        let line = "-".repeat(100);
        let _ = write!(all, "\n{line}\n{}\n\n{text}\n", packages.join(", "));
    }
    Ok(all)
}

fn place(package: &Package) -> String {
    match package.origin {
        Origin::Npm => format!("https://www.npmjs.com/package/{}", package.name),
        Origin::Cargo if package.repository.is_empty() => {
            format!("https://crates.io/crates/{}", package.name)
        }
        _ => package.repository.clone(),
    }
}

/// The texts of licences and notices in a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(super::cannot("read", folder))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file() && is_licence(path));
    paths.sort();
    let texts = paths.iter().map(|path| {
        let bytes = fs::read(path).map_err(super::cannot("read", path))?;
        Ok(tidy(&String::from_utf8_lossy(&bytes)))
    });
    texts.collect()
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_lowercase();
    let is_code = [".rs", ".js", ".ts"]
        .iter()
        .any(|ending| name.ends_with(ending));
    !is_code && NAMES.iter().any(|begin| name.starts_with(begin))
}

/// Without what differs between copies of one text.
fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> = text.trim_matches('\n').lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_files_are_licences() {
        for (name, expected) in [
            ("LICENSE-MIT", true),
            ("licence.md", true),
            ("COPYING", true),
            ("UNLICENSE", true),
            ("NOTICE.txt", true),
            ("license.rs", false),
            ("README.md", false),
        ] {
            assert_eq!(is_licence(Path::new(name)), expected, "{name}");
        }
        assert_eq!(tidy("\r\nMIT \r\n\r\ntext\r\n"), "MIT\n\ntext");
    }
}
