//! YAML as a tree whose nodes know their lines. Its size, its depth, and what aliases make of it are bounded.

use saphyr_parser::{Event, Parser};
use std::collections::HashMap;
use std::rc::Rc;

/// Longest text, in bytes.
const MAX_TEXT: usize = 4 << 20;

/// Most nodes, each counted as often as aliases repeat it.
const MAX_NODES: usize = 200_000;

/// Lists and maps within each other.
const MAX_DEPTH: usize = 32;

/// A value, and where it begins.
#[derive(Debug)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    pub(super) value: Value,
    /// Nodes that it is made of, itself included.
    size: usize,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Value {
    /// A text, a number, a truth value: as it was written.
    Text(String),
    /// One after the other.
    List(Vec<Rc<Node>>),
    /// By name, in the order of the text.
    Map(Vec<(String, Rc<Node>)>),
}

/// What is not complete yet.
struct Open {
    line: usize,
    anchor: usize,
    size: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Rc<Node>>),
    Map {
        entries: Vec<(String, Rc<Node>)>,
        /// A name whose value is still to come, and its line.
        key: Option<(String, usize)>,
    },
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its entries; none of what is no map. A map without any is often written as nothing.
    pub(super) fn entries(&self) -> &[(String, Rc<Self>)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a name; of several, the last.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let found = self.entries().iter().rfind(|(known, _)| known == name);
        found.map(|(_, node)| node.as_ref())
    }

    /// It, or each of a list.
    pub(super) fn each(&self) -> Vec<&Self> {
        match &self.value {
            Value::List(all) => all.iter().map(AsRef::as_ref).collect(),
            _ => vec![self],
        }
    }

    /// Whether nothing was written.
    pub(super) fn is_nothing(&self) -> bool {
        self.text()
            .is_some_and(|text| matches!(text, "" | "~" | "null"))
    }

    /// As YAML 1.1 and 1.2 write truth values.
    pub(super) fn flag(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "y" => Some(true),
            "no" | "false" | "off" | "n" => Some(false),
            _ => None,
        }
    }
}

/// The first document of a text.
///
/// # Errors
/// What is wrong, with the line.
pub(super) fn parse(text: &str) -> Result<Rc<Node>, (usize, String)> {
    if text.len() > MAX_TEXT {
        return Err((1, format!("the file is longer than {MAX_TEXT} bytes")));
    }
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Rc<Node>> = HashMap::new();
    let mut total = 0usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let line = error.marker().line();
            (line, error.info().to_owned())
        })?;
        // What has a name begins where that stands.
        let line = open.last().and_then(Open::line_of_key);
        let line = line.unwrap_or_else(|| span.start.line());
        let (node, anchor, count) = match event {
            Event::Scalar(text, _, anchor, _) => {
                let value = Value::Text(text.into_owned());
                (
                    Rc::new(Node {
                        line,
                        value,
                        size: 1,
                    }),
                    anchor,
                    1,
                )
            }
            Event::Alias(anchor) => {
                let known = anchors.get(&anchor).cloned();
                let words = || (line, "an alias of what is not there".to_owned());
                let known = known.ok_or_else(words)?;
                let count = known.size;
                (known, 0, count)
            }
            Event::SequenceStart(anchor, _) => {
                begin(&mut open, line, anchor, Kind::List(Vec::new()))?;
                continue;
            }
            Event::MappingStart(anchor, _) => {
                let (entries, key) = (Vec::new(), None);
                begin(&mut open, line, anchor, Kind::Map { entries, key })?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(done) => {
                    let value = match done.kind {
                        Kind::List(all) => Value::List(all),
                        Kind::Map { entries, .. } => Value::Map(entries),
                    };
                    let (line, size) = (done.line, done.size);
                    (Rc::new(Node { line, value, size }), done.anchor, 1)
                }
                None => continue,
            },
            Event::DocumentEnd => break,
            _ => continue,
        };
        total = total.saturating_add(count);
        if total > MAX_NODES {
            return Err((line, format!("more than {MAX_NODES} values")));
        }
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            Some(place) => place.put(node, line)?,
            None => return Ok(node),
        }
    }
    let value = Value::Map(Vec::new());
    Ok(Rc::new(Node {
        line: 1,
        value,
        size: 1,
    }))
}

fn begin(
    open: &mut Vec<Open>,
    line: usize,
    anchor: usize,
    kind: Kind,
) -> Result<(), (usize, String)> {
    if open.len() >= MAX_DEPTH {
        return Err((line, format!("more than {MAX_DEPTH} deep")));
    }
    open.push(Open {
        line,
        anchor,
        size: 1,
        kind,
    });
    Ok(())
}

impl Open {
    fn line_of_key(&self) -> Option<usize> {
        match &self.kind {
            Kind::Map { key, .. } => key.as_ref().map(|(_, line)| *line),
            Kind::List(_) => None,
        }
    }

    fn put(&mut self, node: Rc<Node>, line: usize) -> Result<(), (usize, String)> {
        self.size = self.size.saturating_add(node.size);
        match &mut self.kind {
            Kind::List(all) => all.push(node),
            Kind::Map { entries, key } => match key.take() {
                // `<<` has the entries of another map stand here, before its own, which count (YAML 1.1).
                Some((name, _)) if name == "<<" => {
                    let merged = node.each().into_iter().flat_map(Node::entries);
                    entries.splice(0..0, merged.cloned());
                }
                Some((name, _)) => entries.push((name, node)),
                None => {
                    let name = node.text().map(str::to_owned);
                    let words = || (line, "a name that is no text".to_owned());
                    *key = Some((name.ok_or_else(words)?, line));
                }
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_lines_and_aliases_are_followed() {
        let text = "# x\na: 1\nb:\n  - x # y\n  - 'p: q'\nc: &c\n  d: yes\ne: *c\nf:\n  <<: *c\n  g: ~\nh:\n";
        let root = parse(text).unwrap();
        let b = root.get("b").unwrap().each();
        assert_eq!((b[1].line, b[1].text()), (5, Some("p: q")));
        for name in ["c", "e", "f"] {
            assert_eq!(root.get(name).unwrap().get("d").unwrap().flag(), Some(true));
        }
        assert!(root.get("f").unwrap().get("g").unwrap().is_nothing());
        assert!(root.get("h").unwrap().is_nothing());
        assert!(parse("").unwrap().entries().is_empty());
    }

    #[test]
    fn what_grows_without_bound_is_refused() {
        let mut laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (one, next) in ('a'..'i').zip('b'..) {
            let many = format!("*{one}, ").repeat(10);
            laughs.push_str(&format!(
                "{next}: &{next} [{}]\n",
                many.trim_end_matches(", ")
            ));
        }
        assert!(parse(&laughs).unwrap_err().1.contains("values"));
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).is_err());
        let mut maps = String::new();
        for depth in 0..100 {
            maps.push_str(&format!("{}a:\n", " ".repeat(depth)));
        }
        assert!(parse(&maps).unwrap_err().1.contains("deep"));
        assert!(parse(&" ".repeat(MAX_TEXT + 1)).is_err());
        for bad in ["a: [", "a: b: c", "? [x]\n: y\n", "a: *b\n", "\t- x: 'y"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
