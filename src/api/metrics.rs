//! What the server counts, in the text format of Prometheus.

use crate::adapters::Connection;
use crate::control::supervisor::{Phase, SourcePhase};
use crate::control::targets::TargetTotals;
use crate::hooks;
use crate::hub::{Hub, Missed, Snapshot, Times, Traffic};
use crate::telemetry;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Most streams that are told of one by one.
const MOST_STREAMS: usize = 1_000;

/// Most connections that are told of one by one.
const MOST_CONNECTIONS: usize = 10_000;

/// What is wanted besides the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    streams: bool,
    connections: bool,
}

impl Wish {
    /// As the query of the request says: `streams=1`, `connections=1`.
    pub(super) fn of(query: Option<&str>) -> Self {
        let has = |wanted: &str| {
            let mut all = query.unwrap_or_default().split('&');
            all.any(|pair| pair.split_once('=') == Some((wanted, "1")))
        };
        Self {
            streams: has("streams"),
            connections: has("connections"),
        }
    }
}

/// All metrics now. Streams are summed up: a label for each would grow without bound. Those whose readers were
/// too slow, or whose sources' times were wrong, are few, and are named.
pub(super) fn render(
    hub: &Hub,
    sources: &BTreeMap<SourcePhase, usize>,
    connections: &[(&'static str, Connection)],
    targets: &TargetTotals,
    hooks: &hooks::Counts,
    wish: Wish,
) -> String {
    let streams = hub.list();
    let mut viewers: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut publishing, mut bytes, mut repairs, mut memory) = (0u64, 0u64, 0u64, 0u64);
    let (mut wanted, mut asked, mut lost) = (0, 0, 0u64);
    let mut slow: Vec<(String, Missed)> = Vec::new();
    let mut repairs_by_kind = Vec::new();
    for stream in &streams {
        let snapshot = stream.snapshot();
        publishing += u64::from(snapshot.publishing);
        bytes += snapshot.bytes;
        repairs += snapshot.repairs.total();
        for (kind, count) in snapshot.repairs.by_kind() {
            if count > 0 {
                let labels = format!("{{stream=\"{}\",kind=\"{kind}\"}}", stream.name());
                repairs_by_kind.push((labels, count));
            }
        }
        memory += snapshot.ring_bytes as u64;
        lost = lost.saturating_add(snapshot.packets.lost);
        wanted += snapshot.requests.wanted;
        asked += snapshot.requests.asked;
        for ((protocol, cause), missed) in stream.skips().by_cause() {
            let (name, cause) = (stream.name(), cause.label());
            let labels = format!("{{stream=\"{name}\",protocol=\"{protocol}\",cause=\"{cause}\"}}");
            slow.push((labels, missed));
        }
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
            "stream_packets_lost",
            "Packets that were lost on the way to the streams that exist, as far as their sources tell.",
            lost,
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
        (
            "stream_random_access_wanted",
            "Requests of readers for a random access point, in the streams that exist.",
            wanted,
        ),
        (
            "stream_random_access_asked",
            "Those that were passed on to a source.",
            asked,
        ),
    ];
    for (name, help, value) in gauges {
        metric(&mut text, name, "gauge", help);
        line(&mut text, name, "", value);
    }
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        metric(
            &mut text,
            "tasks",
            "gauge",
            "Tasks of the runtime: what accepts, connections and what serves streams, without the fan-out.",
        );
        let tasks = runtime.metrics().num_alive_tasks();
        line(&mut text, "tasks", "", tasks as u64);
    }
    metric(
        &mut text,
        "panics_total",
        "counter",
        "Contained panics, each a defect.",
    );
    line(&mut text, "panics_total", "", telemetry::panics());
    metric(
        &mut text,
        "time_repairs_total",
        "counter",
        "Repairs of time by stream and kind, where there were any.",
    );
    for (labels, count) in repairs_by_kind {
        line(&mut text, "time_repairs_total", &labels, count);
    }
    metric(&mut text, "viewers", "gauge", "Viewers by protocol.");
    for (protocol, count) in viewers {
        line(
            &mut text,
            "viewers",
            &format!("{{protocol=\"{protocol}\"}}"),
            count as u64,
        );
    }
    carried(&mut text, hub);
    skips(&mut text, &slow);
    metric(
        &mut text,
        "sources",
        "gauge",
        "Sources that are kept running, by what they are at.",
    );
    for (phase, word) in [
        (SourcePhase::Connecting, "connecting"),
        (SourcePhase::Live, "live"),
        (SourcePhase::Pausing, "pausing"),
    ] {
        line(
            &mut text,
            "sources",
            &format!("{{phase=\"{word}\"}}"),
            sources.get(&phase).map_or(0, |count| *count as u64),
        );
    }
    pushed(&mut text, targets);
    told(&mut text, hooks);
    measured(&mut text, connections);
    if wish.streams {
        each_stream(&mut text, hub);
    }
    if wish.connections {
        each_connection(&mut text, connections);
    }
    text
}

/// What has gone through, by protocol, and how long it took.
fn carried(text: &mut String, hub: &Hub) {
    type Counter = (&'static str, &'static str, fn(&Traffic) -> u64);
    let all = hub.totals().all();
    let counters: [Counter; 5] = [
        (
            "publishers_total",
            "Publishers that have begun, sources included.",
            Traffic::publishers,
        ),
        (
            "received_bytes_total",
            "Payload of access units that came from publishers and sources.",
            |traffic| traffic.received_all().0,
        ),
        (
            "received_access_units_total",
            "Access units that came from publishers and sources.",
            |traffic| traffic.received_all().1,
        ),
        ("joins_total", "Viewers that have begun.", Traffic::viewers),
        (
            "sent_bytes_total",
            "Bytes handed to the system for viewers.",
            Traffic::sent_all,
        ),
    ];
    for (name, help, of) in counters {
        metric(text, name, "counter", help);
        for (protocol, traffic) in &all {
            let labels = format!("{{protocol=\"{protocol}\"}}");
            line(text, name, &labels, of(traffic));
        }
    }
    let help =
        "From when a viewer has its stream until the first bytes of it are handed to the system.";
    metric(text, "join_seconds", "histogram", help);
    for (protocol, traffic) in &all {
        let label = format!("protocol=\"{protocol}\"");
        histogram(text, "join_seconds", &label, &traffic.joined);
    }
    let help = "From the arrival of an access unit until a reader that has all before takes it.";
    metric(text, "delay_seconds", "histogram", help);
    histogram(text, "delay_seconds", "", &hub.totals().delay);
    let help = "Viewers whose connection takes no more at the moment.";
    metric(text, "late_viewers", "gauge", help);
    for (protocol, traffic) in &all {
        let labels = format!("{{protocol=\"{protocol}\"}}");
        line(text, "late_viewers", &labels, traffic.late().0 as u64);
    }
    let help = "The most media that waits for one of them.";
    metric(text, "queue_age_seconds", "gauge", help);
    for (protocol, traffic) in &all {
        let age = traffic.late().1.as_secs_f64();
        let _ = writeln!(
            text,
            "millstream_queue_age_seconds{{protocol=\"{protocol}\"}} {age}"
        );
    }
}

/// `label` is empty, or one label without braces.
fn histogram(text: &mut String, name: &str, label: &str, times: &Times) {
    let (classes, count, sum) = times.classes();
    let comma = if label.is_empty() { "" } else { "," };
    for (bound, below) in classes {
        let _ = writeln!(
            text,
            "millstream_{name}_bucket{{{label}{comma}le=\"{bound}\"}} {below}"
        );
    }
    let _ = writeln!(
        text,
        "millstream_{name}_bucket{{{label}{comma}le=\"+Inf\"}} {count}"
    );
    let labels = match label {
        "" => String::new(),
        label => format!("{{{label}}}"),
    };
    let _ = writeln!(text, "millstream_{name}_sum{labels} {sum}");
    let _ = writeln!(text, "millstream_{name}_count{labels} {count}");
}

/// Each stream, for who asks: `?streams=1`.
fn each_stream(text: &mut String, hub: &Hub) {
    type Figure = (&'static str, &'static str, fn(&Snapshot) -> u64);
    let streams: Vec<_> = hub.list().into_iter().take(MOST_STREAMS).collect();
    let figures: [Figure; 6] = [
        ("stream_up", "Whether somebody publishes it.", |stream| {
            u64::from(stream.publishing)
        }),
        ("stream_bits_per_second", "Payload that comes.", |stream| {
            stream.bits_per_second
        }),
        ("stream_bytes", "Payload that has come.", |stream| {
            stream.bytes
        }),
        (
            "stream_access_units",
            "Access units that have come.",
            |stream| stream.access_units,
        ),
        (
            "stream_lost_packets",
            "Packets lost on the way.",
            |stream| stream.packets.lost,
        ),
        ("stream_repaired_times", "Repairs of its times.", |stream| {
            stream.repairs.total()
        }),
    ];
    let snapshots: Vec<_> = streams
        .iter()
        .map(|stream| (stream.name().to_string(), stream.snapshot()))
        .collect();
    for (name, help, of) in figures {
        metric(text, name, "gauge", help);
        for (stream, snapshot) in &snapshots {
            line(
                text,
                name,
                &format!("{{stream=\"{stream}\"}}"),
                of(snapshot),
            );
        }
    }
    metric(text, "stream_viewers", "gauge", "Its viewers by protocol.");
    for stream in &streams {
        for (protocol, count) in stream.viewers().by_protocol() {
            let name = stream.name();
            let labels = format!("{{stream=\"{name}\",protocol=\"{protocol}\"}}");
            line(text, "stream_viewers", &labels, count as u64);
        }
    }
}

/// Each connection that is measured, for who asks: `?connections=1`.
fn each_connection(text: &mut String, connections: &[(&'static str, Connection)]) {
    let mut series: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
    for (protocol, connection) in connections.iter().take(MOST_CONNECTIONS) {
        let Connection {
            number,
            stream,
            state,
            address,
            figures,
            ..
        } = connection;
        let labels = format!(
            "{{id=\"{number}\",stream=\"{stream}\",state=\"{state}\",remote=\"{address}\"}}"
        );
        for (figure, value) in figures {
            let name = format!("{protocol}_conn_{figure}");
            series
                .entry(name)
                .or_default()
                .push((labels.clone(), *value));
        }
    }
    for (name, all) in series {
        metric(text, &name, "gauge", "Of one connection.");
        for (labels, value) in all {
            let _ = writeln!(text, "millstream_{name}{labels} {value}");
        }
    }
}

/// Targets, summed up.
fn pushed(text: &mut String, targets: &TargetTotals) {
    metric(
        text,
        "targets",
        "gauge",
        "Targets that are kept running, by state.",
    );
    let mut states: BTreeMap<&str, u64> = BTreeMap::new();
    for phase in Phase::ALL {
        let count = targets.phases.get(&phase).map_or(0, |count| *count as u64);
        *states.entry(phase.word()).or_default() += count;
    }
    for (state, count) in states {
        line(text, "targets", &format!("{{state=\"{state}\"}}"), count);
    }
    let gauges = [
        (
            "target_sent_bytes",
            "Bytes sent to the targets that exist.",
            targets.sent.bytes,
        ),
        (
            "target_sent_access_units",
            "Access units sent to the targets that exist.",
            targets.sent.access_units,
        ),
        (
            "target_dropped_access_units",
            "Access units passed over for targets that were too slow.",
            targets.sent.dropped,
        ),
        (
            "target_reconnects",
            "Times that the targets that exist were connected again.",
            targets.reconnects,
        ),
    ];
    for (name, help, value) in gauges {
        metric(text, name, "gauge", help);
        line(text, name, "", value);
    }
    if let Some(time) = targets.round_trip {
        let (name, seconds) = ("target_round_trip_seconds", time.as_secs_f64());
        metric(text, name, "gauge", "The longest way to a target and back.");
        let _ = writeln!(text, "millstream_{name} {seconds}");
    }
}

/// Webhooks.
fn told(text: &mut String, hooks: &hooks::Counts) {
    metric(
        text,
        "webhooks_total",
        "counter",
        "Webhooks by what became of them.",
    );
    for (fate, count) in [
        ("sent", hooks.sent),
        ("failed", hooks.failed),
        ("dropped", hooks.dropped),
    ] {
        line(
            text,
            "webhooks_total",
            &format!("{{result=\"{fate}\"}}"),
            count,
        );
    }
    let help = "Webhooks that wait, or are under way.";
    metric(text, "webhooks_waiting", "gauge", help);
    line(text, "webhooks_waiting", "", hooks.waiting);
}

/// Connections that are measured, by protocol and by what they do: counts are those of all that exist, of everything
/// else the greatest is shown.
fn measured(text: &mut String, connections: &[(&'static str, Connection)]) {
    let mut series: BTreeMap<String, BTreeMap<&str, f64>> = BTreeMap::new();
    for (protocol, connection) in connections {
        let figures = connection.figures.iter().copied();
        let number = ("", 1.0);
        for (figure, value) in figures.chain([number]) {
            let name = match figure {
                "" => format!("{protocol}_conns"),
                figure => format!("{protocol}_conns_{figure}"),
            };
            let shown = series.entry(name).or_default();
            let shown = shown.entry(connection.state).or_default();
            let is_count = ["packets_", "bytes_"]
                .iter()
                .any(|unit| figure.starts_with(unit))
                && !figure.ends_with("_rate");
            *shown = if is_count || figure.is_empty() {
                *shown + value
            } else {
                shown.max(value)
            };
        }
    }
    for (name, by_state) in series {
        metric(text, &name, "gauge", "Of the connections that exist.");
        for (state, value) in by_state {
            let _ = writeln!(text, "millstream_{name}{{state=\"{state}\"}} {value}");
        }
    }
}

/// Readers that were too slow, by stream, protocol and cause.
fn skips(text: &mut String, slow: &[(String, Missed)]) {
    type Counter = (&'static str, &'static str, fn(&Missed) -> u64);
    let counters: [Counter; 4] = [
        ("skips", "Times a reader was too slow.", |missed| {
            missed.skips
        }),
        ("skipped_access_units", "What they missed.", |missed| {
            missed.entries
        }),
        ("skipped_bytes", "What they missed.", |missed| missed.bytes),
        ("skipped_seconds", "What they missed.", |missed| {
            missed.time.as_secs()
        }),
    ];
    for (name, help, of) in counters {
        let name = format!("reader_{name}_total");
        metric(text, &name, "counter", help);
        for (labels, missed) in slow {
            line(text, &name, labels, of(missed));
        }
    }
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
