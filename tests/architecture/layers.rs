//! Which crate may depend on which, and what no protocol crate may depend on.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Our crates, lowest first. A crate depends on crates of lower layers only.
const LAYERS: [(&str, &[&str]); 5] = [
    ("vocabulary", &["millstream-http-auth", "millstream-media"]),
    (
        "wire formats",
        &[
            "millstream-mpegts",
            "millstream-mp4",
            "millstream-flv",
            "millstream-rtp",
            "millstream-sdp",
            "millstream-hls",
            "millstream-dash",
            "millstream-onvif",
        ],
    ),
    (
        "sessions",
        &[
            "millstream-rtsp",
            "millstream-rtmp",
            "millstream-srt",
            "millstream-webrtc",
        ],
    ),
    ("server", &["millstream"]),
    (
        "tools",
        &[
            "xtask",
            "millstream-fuzz",
            "millstream-tester",
            "millstream-bench",
        ],
    ),
];

/// Crates that open sockets, read clocks or run tasks: nothing a protocol crate may end up with.
const IO_CRATES: [&str; 12] = [
    "tokio",
    "tokio-util",
    "mio",
    "hyper",
    "hyper-util",
    "socket2",
    "quinn-udp",
    "async-std",
    "smol",
    "async-io",
    "polling",
    "reqwest",
];

/// What is used of cargo's metadata.
#[derive(Default)]
pub(crate) struct Graph {
    /// Package names by package id.
    names: BTreeMap<String, String>,
    /// The ids of our own packages.
    members: BTreeSet<String>,
    /// From a package id to those it depends on.
    edges: BTreeMap<String, Vec<Edge>>,
}

struct Edge {
    to: String,
    /// Needed by the library itself or its build script, not only by its tests.
    shipped: bool,
}

impl Graph {
    /// As cargo resolves this workspace.
    pub(crate) fn of_this_workspace() -> Self {
        // What the tests were built from is there; offline first, so that they do not need the network.
        let output = metadata(&["--offline"]).or_else(|_| metadata(&[]));
        Self::parse(&serde_json::from_slice(&output.unwrap()).unwrap())
    }

    fn parse(metadata: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let list = |value: &Value| value.as_array().unwrap().clone();
        let mut graph = Self::default();
        for package in list(&metadata["packages"]) {
            let (id, name) = (text(&package["id"]), text(&package["name"]));
            graph.names.insert(id, name);
        }
        graph.members = list(&metadata["workspace_members"])
            .iter()
            .map(text)
            .collect();
        for node in list(&metadata["resolve"]["nodes"]) {
            let edges = list(&node["deps"]).into_iter().map(|dependency| Edge {
                to: text(&dependency["pkg"]),
                shipped: list(&dependency["dep_kinds"])
                    .iter()
                    .any(|kind| kind["kind"] != "dev"),
            });
            graph.edges.insert(text(&node["id"]), edges.collect());
        }
        graph
    }

    fn edges(&self, id: &str) -> &[Edge] {
        self.edges.get(id).map_or(&[], Vec::as_slice)
    }

    /// A way from a package to a crate of [`IO_CRATES`] over what is shipped.
    fn way_to_io(&self, id: &str, seen: &mut BTreeSet<String>) -> Option<Vec<&str>> {
        let name = self.names[id].as_str();
        if IO_CRATES.contains(&name) {
            return Some(vec![name]);
        }
        if !seen.insert(id.to_owned()) {
            return None;
        }
        let mut shipped = self.edges(id).iter().filter(|edge| edge.shipped);
        let mut way = shipped.find_map(|edge| self.way_to_io(&edge.to, seen))?;
        way.insert(0, name);
        Some(way)
    }
}

/// Every edge that goes up or sideways, and every way from a protocol crate to sockets and clocks.
pub(crate) fn check(graph: &Graph) -> Vec<String> {
    let mut findings = Vec::new();
    for id in &graph.members {
        let name = &graph.names[id];
        let Some((layer, layer_name)) = layer(name) else {
            findings.push(format!(
                "crate {name}: is in no layer; give it one in tests/architecture/layers.rs"
            ));
            continue;
        };
        for edge in graph.edges(id) {
            let to = &graph.names[&edge.to];
            let Some((to_layer, to_layer_name)) = self::layer(to) else {
                continue;
            };
            // Tests may compare neighbours with each other, and the tools may use each other.
            let sideways = to_layer == layer && edge.shipped && layer_name != "tools";
            if to_layer > layer || sideways {
                findings.push(format!(
                    "crate {name} ({layer_name}) depends on {to} ({to_layer_name}): dependencies go down"
                ));
            }
        }
        if matches!(layer_name, "vocabulary" | "wire formats" | "sessions")
            && let Some(way) = graph.way_to_io(id, &mut BTreeSet::new())
        {
            let way = way.join(" -> ");
            findings.push(format!(
                "{way}: a protocol crate knows no socket, no clock and no runtime"
            ));
        }
    }
    findings
}

/// The number and name of a crate's layer.
fn layer(name: &str) -> Option<(usize, &'static str)> {
    let layers = LAYERS.iter().enumerate();
    let mut found = layers.filter(|(_, (_, crates))| crates.contains(&name));
    found.next().map(|(number, (layer, _))| (number, *layer))
}

fn metadata(options: &[&str]) -> Result<Vec<u8>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        // Packages for other systems have not been downloaded.
        .args(["--filter-platform", "host-tuple"])
        .args(options)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| format!("cargo metadata cannot be started: {error}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Crates and edges as `from to`, where the first name of each line is the crate. A `~` before a name
    /// is a dependency of tests only.
    fn graph(lines: &[&str]) -> Graph {
        let mut graph = Graph::default();
        for line in lines {
            let mut words = line.split(' ').map(str::to_owned);
            let from = words.next().unwrap();
            if layer(&from).is_some() || from.starts_with("millstream") {
                graph.members.insert(from.clone());
            }
            let edges: Vec<_> = words
                .map(|word| Edge {
                    to: word.trim_start_matches('~').to_owned(),
                    shipped: !word.starts_with('~'),
                })
                .collect();
            for name in edges.iter().map(|edge| &edge.to).chain([&from]) {
                graph.names.insert(name.clone(), name.clone());
            }
            graph.edges.insert(from, edges);
        }
        graph
    }

    #[test]
    fn good_graphs() {
        let good = graph(&[
            "millstream-media bytes",
            "millstream-flv millstream-media ~millstream-mp4",
            "millstream-mp4 millstream-media ~tokio",
            "millstream-rtmp millstream-flv millstream-media bytes",
            "millstream millstream-rtmp tokio",
            "millstream-fuzz millstream-rtmp xtask",
        ]);
        assert_eq!(check(&good), [""; 0]);
    }

    #[test]
    fn bad_graphs() {
        let cases = [
            (
                "millstream-media millstream-flv",
                "millstream-flv (wire formats)",
            ),
            (
                "millstream-flv millstream-mp4",
                "crate millstream-flv (wire formats)",
            ),
            ("millstream-rtmp millstream-rtsp", "dependencies go down"),
            ("millstream-mp4 ~millstream", "dependencies go down"),
            ("millstream millstream-fuzz", "millstream-fuzz (tools)"),
            ("millstream-new bytes", "is in no layer"),
            ("millstream-srt tokio", "millstream-srt -> tokio: "),
        ];
        for (line, message) in cases {
            let findings = check(&graph(&[line]));
            assert!(
                matches!(&findings[..], [one] if one.contains(message)),
                "{line}: {findings:?}"
            );
        }
        let findings = check(&graph(&["millstream-srt a b", "a b", "b a hyper"]));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("millstream-srt -> a -> b -> hyper: "));
    }

    #[test]
    fn metadata_is_understood() {
        let metadata = serde_json::json!({
            "packages": [{"id": "1", "name": "millstream-media"}, {"id": "2", "name": "tokio"}],
            "workspace_members": ["1"],
            "resolve": {"nodes": [
                {"id": "1", "deps": [{"pkg": "2", "dep_kinds": [{"kind": "dev"}, {"kind": null}]}]},
                {"id": "2", "deps": []},
            ]},
        });
        assert_eq!(check(&Graph::parse(&metadata)).len(), 1);
    }
}
