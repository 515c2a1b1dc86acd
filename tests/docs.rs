//! The documents say what the program does.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::path::{Path, PathBuf};
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
    let documents = documents();
    let blocks = documents
        .iter()
        .flat_map(|(_, document)| document.split("```toml\n").skip(1))
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

/// All documents, with where they are.
fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
        .map(|name| root.join(name))
        .into();
    for folder in ["guide", "ref", "design"] {
        let entries = std::fs::read_dir(root.join("docs").join(folder)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(document: &str) -> Vec<String> {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
        let letters = heading.chars().filter(kept);
        letters
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    for (document, text) in documents() {
        let targets = text.split("](").skip(1);
        for link in targets.filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = match target {
                "" => document.clone(),
                target => document.parent().unwrap().join(target),
            };
            assert!(path.exists(), "{}: {link}", document.display());
            if !anchor.is_empty() && path.extension().is_some_and(|ending| ending == "md") {
                let there = anchors(&std::fs::read_to_string(&path).unwrap());
                assert!(
                    there.iter().any(|known| known == anchor),
                    "{}: {link}: there is no such heading",
                    document.display()
                );
            }
        }
    }
}

/// What the pages for users name in backticks.
fn named() -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    for (path, text) in documents() {
        if path.parent().unwrap().ends_with("design") || path.ends_with("ARCHITECTURE.md") {
            continue;
        }
        for line in text.lines() {
            let words = line.split('`').skip(1).step_by(2);
            all.extend(words.map(|words| (path.clone(), words.to_owned())));
        }
    }
    all
}

#[test]
fn every_key_that_is_named_exists() {
    let tables = [
        "log",
        "http",
        "https",
        "auth",
        "tls",
        "streams",
        "on_demand",
        "evostream",
        "sources",
        "record",
        "hooks",
        "network",
        "rtmp",
        "rtmps",
        "segments",
        "rtsp",
        "srt",
        "rtsps",
        "webrtc",
        "demo",
    ];
    let mut known: Vec<String> = Vec::new();
    for table in tables {
        known.extend(keys(table).into_iter().map(|key| format!("{table}.{key}")));
    }
    let mut looked_at = 0;
    for (path, words) in named() {
        let key = words.split([' ', '=', '[']).next().unwrap();
        let Some((table, rest)) = key.split_once('.') else {
            continue;
        };
        let is_key = rest
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.'));
        let is_file = ["rs", "md", "toml", "txt", "mjs"]
            .iter()
            .any(|ending| rest.ends_with(ending));
        if !tables.contains(&table) || !is_key || rest.is_empty() || is_file {
            continue;
        }
        looked_at += 1;
        // Of a table within a table the first key.
        let first: Vec<&str> = key.split('.').take(2).collect();
        assert!(
            known.contains(&first.join(".")),
            "{}: there is no key {key}",
            path.display()
        );
    }
    assert!(looked_at > 150, "{looked_at}");
}

/// Ports of this server, and those of others that the pages speak of.
const PORTS: [u16; 15] = [
    5080, 5443, 1935, 1936, 8554, 8322, 8000, 8001, 8002, 4200, 8189, 7777, 1112, 8080, 8081,
];
const OF_OTHERS: [u16; 17] = [
    9, 80, 443, 554, 3478, 4318, 5000, 5001, 8888, 8889, 8890, 1984, 9000, 9090, 9710, 3000, 22,
];

#[test]
fn ports_are_those_that_the_server_has() {
    for (path, text) in documents() {
        if path.parent().unwrap().ends_with("design") {
            continue;
        }
        for host in ["localhost:", "HOST:", "127.0.0.1:", "[::]:", "0.0.0.0:"] {
            for rest in text.split(host).skip(1) {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let Ok(port) = digits.parse::<u16>() else {
                    continue;
                };
                assert!(
                    PORTS.contains(&port) || OF_OTHERS.contains(&port) || port == 0,
                    "{}: {host}{port}",
                    path.display()
                );
            }
        }
    }
}

/// All that the program and its pages may say: their sources, with what is continued on another line put together.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    let mut folders = vec![root.join("src"), root.join("protocols")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let ending = path
                .extension()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() && !path.ends_with("node_modules") {
                folders.push(path);
            } else if matches!(&*ending, "rs" | "js" | "ts" | "tsx" | "html") {
                let text = std::fs::read_to_string(&path).unwrap();
                for piece in text.split("\\\n") {
                    all += piece.trim_start();
                }
            }
        }
    }
    all
}

/// What the system says, and Rust.
const NOT_OURS: [&str; 5] = [
    "Address already in use",
    "Permission denied",
    "Too many open files",
    "panicked at",
    "Server error",
];

#[test]
fn every_message_that_is_explained_is_one_that_the_program_has() {
    let sources = sources();
    let page = include_str!("../docs/guide/trouble.md");
    let mut looked_at = 0;
    for line in page
        .lines()
        .filter(|line| line.starts_with("| `") || line.starts_with("| 4"))
    {
        let cell = line.split(" | ").next().unwrap();
        for message in cell.split('`').skip(1).step_by(2) {
            // What stands between what is put in: names, numbers, codecs, and the fields of a line of the log.
            let pieces = message
                .split(['…', '"', '=', '(', ')', '{', '}', ':'])
                .flat_map(|piece| piece.split(" RTMP"))
                .flat_map(|piece| piece.split(" H265,"))
                .flat_map(|piece| piece.split(" 10 s"))
                .flat_map(|piece| piece.split(" 30 s"))
                .flat_map(|piece| piece.split(" 120 s"))
                .map(str::trim)
                .filter(|piece| piece.len() > 3);
            for piece in pieces {
                // The last word of some is the name of the field behind it.
                let fields = ["reason", "error", "protocol", "retry_in"];
                let piece = fields
                    .iter()
                    .find_map(|field| piece.strip_suffix(field))
                    .unwrap_or(piece)
                    .trim();
                looked_at += 1;
                assert!(
                    piece.is_empty() || sources.contains(piece) || NOT_OURS.contains(&piece),
                    "docs/guide/trouble.md: nothing says {piece:?} (of {message:?})"
                );
            }
        }
    }
    assert!(looked_at > 60, "{looked_at}");
}

#[test]
fn every_title_of_the_play_page_that_is_explained_is_one() {
    let texts = include_str!("../src/panel/web/texts.js");
    let page = include_str!("../docs/guide/trouble.md");
    let table = page.split("words on the play page").nth(1).unwrap();
    let table = table.split("\n\n").next().unwrap();
    let mut looked_at = 0;
    for line in table.lines().skip(2) {
        let cell = line.trim_start_matches("| ").split(" | ").next().unwrap();
        // Some are explained together; of some it is said where they stand.
        for title in cell
            .split(", ")
            .filter(|words| !words.starts_with("beside"))
        {
            let title = title.replace('\'', "’");
            looked_at += 1;
            let is_title = texts.contains(&title) || title == "HLS";
            assert!(is_title, "the play page does not say {title:?}");
        }
    }
    assert!(looked_at > 12, "{looked_at}");
}
