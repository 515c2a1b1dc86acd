//! What the server counts, in the text format of Prometheus.

use crate::hub::Hub;
use crate::telemetry;
use std::collections::BTreeMap;
use std::fmt::Write;

/// All metrics now. Streams are summed up: a label for each would grow without bound.
pub(super) fn render(hub: &Hub) -> String {
    let streams = hub.list();
    let mut viewers: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut publishing, mut bytes, mut repairs, mut memory) = (0u64, 0u64, 0u64, 0u64);
    for stream in &streams {
        let snapshot = stream.snapshot();
        publishing += u64::from(snapshot.publishing);
        bytes += snapshot.bytes;
        repairs += snapshot.repairs.total();
        memory += snapshot.ring_bytes as u64;
        for (protocol, count) in stream.viewers().by_protocol() {
            *viewers.entry(protocol).or_default() += count;
        }
    }
    let mut text = String::new();
    let gauges = [
        ("streams", "Streams that exist.", streams.len() as u64),
        (
            "streams_publishing",
            "Streams with a publisher now.",
            publishing,
        ),
        (
            "stream_received_bytes",
            "Payload bytes received by the streams that exist.",
            bytes,
        ),
        (
            "stream_time_repairs",
            "Repairs of time in the streams that exist.",
            repairs,
        ),
        (
            "stream_memory_bytes",
            "Memory for recent access units.",
            memory,
        ),
    ];
    for (name, help, value) in gauges {
        metric(&mut text, name, "gauge", help);
        line(&mut text, name, "", value);
    }
    metric(
        &mut text,
        "panics_total",
        "counter",
        "Contained panics, each a defect.",
    );
    line(&mut text, "panics_total", "", telemetry::panics());
    metric(&mut text, "viewers", "gauge", "Viewers by protocol.");
    for (protocol, count) in viewers {
        line(
            &mut text,
            "viewers",
            &format!("{{protocol=\"{protocol}\"}}"),
            count as u64,
        );
    }
    text
}

fn metric(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "# HELP millstream_{name} {help}\n# TYPE millstream_{name} {kind}"
    );
}

fn line(text: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(text, "millstream_{name}{labels} {value}");
}
