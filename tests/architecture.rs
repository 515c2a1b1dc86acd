//! The rules that keep the house in order, as tests: who may depend on whom, and what no file may contain.
//!
//! Nothing is run here: [`layers`] reads what cargo knows of the crates, [`modules`] and [`rules`] read the
//! source text through [`tokens`], which is no parser but knows comments, strings and `#[cfg(test)]`. A
//! failure says where and which rule. Each checker is tested on small examples beside it.

#![allow(
    clippy::unwrap_used,
    reason = "a project that cannot be read is a failed test"
)]

#[path = "architecture/layers.rs"]
mod layers;
#[path = "architecture/modules.rs"]
mod modules;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/tokens.rs"]
mod tokens;

use std::fs;
use std::path::{Path, PathBuf};

/// A source file of the project.
struct Source {
    /// From the root of the project, with slashes.
    path: String,
    text: String,
}

/// The Rust files below the given folders, in order.
fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut files);
    }
    assert!(!files.is_empty(), "no Rust file below {folders:?}");
    files.sort();
    let read = |file: &PathBuf| Source {
        path: file
            .strip_prefix(root)
            .unwrap()
            .to_string_lossy()
            .into_owned(),
        text: fs::read_to_string(file).unwrap(),
    };
    files.iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Packages and build results of other tools.
        if path.is_dir() && name != "node_modules" && name != "target" {
            collect(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

fn fail_on(findings: &[String]) {
    assert!(
        findings.is_empty(),
        "{} findings:\n  {}",
        findings.len(),
        findings.join("\n  ")
    );
}

#[test]
fn crates_depend_downwards() {
    fail_on(&layers::check(&layers::Graph::of_this_workspace()));
}

#[test]
fn modules_use_what_is_below_them() {
    let sources = sources(&["src"]);
    let adapters = modules::adapters(&sources);
    let check = |source| modules::check(source, &adapters);
    fail_on(&sources.iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn protocol_crates_know_no_socket_and_no_clock() {
    let sources = sources(&["protocols"]);
    // Their integration tests and examples may.
    let library = sources
        .iter()
        .filter(|source| source.path.contains("/src/"));
    fail_on(&library.flat_map(rules::io_and_clocks).collect::<Vec<_>>());
}

#[test]
fn protocols_are_told_apart_by_their_adapters() {
    let sources = sources(&["src"]);
    let adapters = modules::adapters(&sources);
    let check = |source| rules::matches_on_protocols(source, &adapters);
    fail_on(&sources.iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn files_say_what_they_are() {
    let mut sources = sources(&["src", "protocols", "tests", "benches", "fuzz", "xtask"]);
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    if let Ok(text) = fs::read_to_string(build) {
        let path = "build.rs".to_owned();
        sources.push(Source { path, text });
    }
    fail_on(&sources.iter().filter_map(rules::header).collect::<Vec<_>>());
}

#[test]
fn nothing_is_unsafe() {
    let sources = sources(&["src", "protocols"]);
    fail_on(
        &sources
            .iter()
            .flat_map(rules::unsafe_code)
            .collect::<Vec<_>>(),
    );
}
