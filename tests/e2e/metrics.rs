//! What the server counts, read by Prometheus' own parser, and the dashboard that is made of it.

use crate::support::http::get;
use crate::support::server::Server;
use crate::support::tools::{path_of, tool};
use crate::support::{seconds, wait_until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// The names that Prometheus sees in that text.
fn parsed(text: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-tools/prometheus");
    let is_there = folder.join("prometheus_client/parser.py").is_file();
    assert!(
        is_there,
        "prometheus-client is not installed; `cargo xtask setup` installs it"
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/prometheus_parser.py");
    let mut parser = std::process::Command::new(path_of("python3"))
        .arg(script)
        .env("PYTHONPATH", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = parser.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = parser.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{text}");
    let mut names = BTreeSet::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (name, kind) = line.split_once(' ').unwrap();
        names.insert(name.to_owned());
        if kind == "histogram" {
            names.extend(["bucket", "sum", "count"].map(|end| format!("{name}_{end}")));
        }
    }
    names
}

/// The value of a line that begins so.
fn value(text: &str, begin: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(begin));
    let line = line.unwrap_or_else(|| panic!("no {begin} in {text}"));
    line.trim().parse().unwrap()
}

#[test]
fn prometheus_reads_all_of_it_and_the_dashboard_asks_for_nothing_else() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.flv");
    let mut player = tool("ffmpeg");
    player
        .args([
            "-v",
            "error",
            "-i",
            &server.rtmp_url("demo"),
            "-t",
            "2",
            "-c",
            "copy",
        ])
        .arg(&saved);
    assert!(player.status().unwrap().success());
    let mut player = tool("ffmpeg");
    player
        .args([
            "-v",
            "error",
            "-i",
            &server.srt_url("read:LiveApp/demo"),
            "-t",
            "60",
        ])
        .args(["-c", "copy", "-f", "null", "-"]);
    let player = crate::support::peer::Peer::start(&mut player);
    let text = || get(server.http, "/metrics?streams=1&connections=1").text();
    let has_joined = || value(&text(), "millstream_join_seconds_count{protocol=\"srt\"}") > 0.0;
    let is_known = || text().contains("millstream_join_seconds_count{protocol=\"srt\"}");
    wait_until("a player by SRT", seconds(30), || {
        is_known() && has_joined()
    });
    wait_until("its connection is measured", seconds(20), || {
        text().contains("millstream_srt_conn_ms_rtt{")
    });
    let text = text();
    let names = parsed(&text);
    assert!(value(&text, "millstream_received_bytes_total{protocol=\"demo\"}") > 1e4);
    assert!(
        value(
            &text,
            "millstream_received_access_units_total{protocol=\"demo\"}"
        ) > 50.0
    );
    let sent = value(&text, "millstream_sent_bytes_total{protocol=\"rtmp\"}");
    let length = std::fs::metadata(&saved).unwrap().len() as f64;
    assert!(sent > 0.8 * length, "{sent} {length}");
    assert_eq!(
        value(&text, "millstream_join_seconds_count{protocol=\"rtmp\"}"),
        1.0
    );
    assert!(value(&text, "millstream_delay_seconds_count") > 50.0);
    assert_eq!(
        value(&text, "millstream_stream_up{stream=\"LiveApp/demo\"}"),
        1.0
    );
    let plain = get(server.http, "/metrics").text();
    assert!(!plain.contains("millstream_stream_up") && !plain.contains("millstream_srt_conn_"));
    parsed(&plain);
    drop(player);

    let dashboard = include_str!("../../docs/guide/grafana.json");
    let dashboard: Value = serde_json::from_str(dashboard).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let words =
                query.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            let found: Vec<&str> = words
                .filter(|word| word.starts_with("millstream_"))
                .collect();
            assert!(!found.is_empty(), "{query}");
            asked.extend(found.into_iter().map(str::to_owned));
        }
    }
    let missing: Vec<_> = asked.difference(&names).collect();
    assert!(missing.is_empty(), "{missing:?} of {names:?}");
    // The guide names what there is.
    let guide = include_str!("../../docs/guide/metrics.md");
    let words = guide.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let told = words.filter(|word| word.starts_with("millstream_") && !word.ends_with('_'));
    let wrong: Vec<_> = told.filter(|word| !names.contains(*word)).collect();
    assert!(
        wrong
            .iter()
            .all(|word| word.starts_with("millstream_srt_conns")),
        "{wrong:?}"
    );
}
