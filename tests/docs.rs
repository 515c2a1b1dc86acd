//! The documents say what the program does.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

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
    for table in [
        "",
        "log",
        "http",
        "auth",
        "auth.webhook",
        "tls",
        "acme",
        "streams",
        "on_demand",
        "evostream",
        "sources",
        "record",
        "hooks",
        "record.s3",
        "network",
        "rtmp",
        "rtmps",
        "segments",
        "rtsp",
        "srt",
        "rtsps",
        "onvif",
        "onvif.device",
        "webrtc",
        "demo",
        "stream.ID",
    ] {
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

/// Keys of the tables of docs/ref/config.md, with the defaults that are written as values.
fn documented() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut default = None;
    for line in include_str!("../docs/ref/config.md").lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if cells.first() == Some(&"key") {
            default = cells.iter().position(|cell| *cell == "default");
            continue;
        }
        let key = cells[0]
            .strip_prefix('`')
            .and_then(|key| key.strip_suffix('`'));
        let cell = default.and_then(|at| cells.get(at).copied());
        let value = cell.map(|cell| cell.trim_matches('`'));
        let is_value = |value: &&str| {
            value.starts_with(['"', '['])
                || value.parse::<i64>().is_ok()
                || matches!(*value, "true" | "false")
        };
        if let (true, Some(key), Some(value)) =
            (line.starts_with("| `"), key, value.filter(is_value))
        {
            all.push((key.to_owned(), value.to_owned()));
        }
        if line.is_empty() {
            default = None;
        }
    }
    all
}

#[test]
fn every_documented_key_exists_and_takes_its_default() {
    let documented = documented();
    assert!(documented.len() > 70, "{documented:?}");
    let mut check = Command::new(env!("CARGO_BIN_EXE_millstream"));
    check.arg("check-config");
    for (key, value) in &documented {
        check.args(["--set", &format!("{key}={value}")]);
    }
    let output = check.output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{complaint}{documented:?}");
}

#[test]
fn every_configuration_shown_is_a_good_one() {
    let documents = [
        include_str!("../README.md"),
        include_str!("../docs/guide/access.md"),
        include_str!("../docs/guide/recording.md"),
        include_str!("../docs/guide/systemd.md"),
        include_str!("../docs/ref/config.md"),
    ];
    let blocks = documents
        .iter()
        .flat_map(|document| document.split("```toml\n").skip(1))
        .map(|rest| rest.split("```").next().unwrap());
    for block in blocks {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), block).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_millstream"))
            .args(["check-config", "--config"])
            .arg(file.path())
            .output()
            .unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{complaint}{block}");
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md"), root.join("ARCHITECTURE.md")];
    documents.push(root.join("CONTRIBUTING.md"));
    for folder in ["guide", "ref", "design"] {
        let entries = std::fs::read_dir(root.join("docs").join(folder)).unwrap();
        documents.extend(entries.map(|entry| entry.unwrap().path()));
    }
    documents.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = target.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                let path = document.parent().unwrap().join(target);
                assert!(path.exists(), "{}: {target}", document.display());
            }
        }
    }
}
