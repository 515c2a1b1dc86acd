//! The documents say what the program does.

use std::process::Command;

/// Runs `check-config` with one assignment and returns what it complains about.
fn complaint(assignment: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_millstream"))
        .args(["check-config", "--set", assignment])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{assignment}");
    String::from_utf8(output.stderr).unwrap()
}

/// The keys of a table, as the program lists them when asked for one that it does not know.
fn keys(table: &str) -> Vec<String> {
    let unknown = if table.is_empty() {
        "qqq=1".to_owned()
    } else {
        format!("{table}.qqq=1")
    };
    let complaint = complaint(&unknown);
    let (_, list) = complaint
        .trim()
        .split_once("known are ")
        .unwrap_or_else(|| panic!("{complaint}"));
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_of_the_configuration_is_documented() {
    let document = include_str!("../docs/ref/config.md");
    let mut missing = Vec::new();
    for table in ["", "log", "http", "auth", "streams", "rtmp", "hls", "demo"] {
        for key in keys(table) {
            let full = if table.is_empty() {
                key
            } else {
                format!("{table}.{key}")
            };
            let is_table =
                !full.contains('.') && complaint(&format!("{full}=1")).contains("expected a table");
            if !is_table && !document.contains(&format!("`{full}`")) {
                missing.push(full);
            }
        }
    }
    assert_eq!(missing, [""; 0], "not in docs/ref/config.md");
}
