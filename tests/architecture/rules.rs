//! What no file may contain, whoever uses it.

use crate::Source;
use crate::modules::module_path;
use crate::tokens::{Kind, Token, starts, tokens, without_tests};
use std::collections::BTreeSet;

/// What reads a clock or reaches the system, as tokens with spaces between.
const IO_AND_CLOCKS: [&str; 15] = [
    "Instant :: now",
    "SystemTime :: now",
    ". elapsed ( )",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "ToSocketAddrs",
    "std :: fs",
    "std :: thread",
    "std :: process",
    "std :: env",
    "tokio ::",
];

/// Sockets, clocks, files, threads and processes in a protocol crate, tests apart.
pub(crate) fn io_and_clocks(source: &Source) -> Vec<String> {
    if is_test_file(&source.path) {
        return Vec::new();
    }
    let tokens = without_tests(&tokens(&source.text));
    let mut findings = Vec::new();
    for at in 0..tokens.len() {
        let rest = &tokens[at..];
        if let Some(found) = IO_AND_CLOCKS.iter().find(|pattern| starts(rest, pattern)) {
            findings.push(format!(
                "{}:{}: {}: a protocol crate takes bytes and instants and touches nothing else",
                source.path,
                rest[0].line,
                found.replace(' ', "")
            ));
        }
    }
    findings
}

/// Comparisons with a protocol's name outside its adapter, tests apart: what differs between protocols
/// belongs into the trait that they implement.
pub(crate) fn matches_on_protocols(source: &Source, adapters: &BTreeSet<String>) -> Vec<String> {
    let here = module_path(&source.path);
    let in_adapter = here.first() == Some(&"adapters") && here.len() > 1;
    if in_adapter || is_test_file(&source.path) {
        return Vec::new();
    }
    let tokens = without_tests(&tokens(&source.text));
    let is = |at: Option<usize>, texts: &[&str]| {
        let token: Option<&Token<'_>> = at.and_then(|at| tokens.get(at));
        token.is_some_and(|token| texts.iter().any(|text| token.is(text)))
    };
    let compared = |at: usize| {
        is(at.checked_sub(1), &["==", "!=", "|"]) || is(Some(at + 1), &["=>", "==", "!=", "|"])
    };
    let names = tokens.iter().enumerate().filter(|(at, token)| {
        token.kind == Kind::Text && adapters.contains(token.text) && compared(*at)
    });
    names
        .map(|(_, token)| {
            format!(
                "{}:{}: {:?}: only its adapter knows what a protocol's name means",
                source.path, token.line, token.text
            )
        })
        .collect()
}

/// A file without a first line that says what it is.
pub(crate) fn header(source: &Source) -> Option<String> {
    (!source.text.starts_with("//!")).then(|| {
        format!(
            "{}:1: a file begins with `//!` and says what it is",
            source.path
        )
    })
}

/// The keyword `unsafe`, in tests too.
pub(crate) fn unsafe_code(source: &Source) -> Vec<String> {
    let tokens = tokens(&source.text);
    let found = tokens.iter().filter(|token| token.is("unsafe"));
    found
        .map(|token| format!("{}:{}: unsafe code", source.path, token.line))
        .collect()
}

/// A module behind `#[cfg(test)]` in a file of its own.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        let (path, text) = (path.to_owned(), text.to_owned());
        Source { path, text }
    }

    #[test]
    fn protocol_crates_may_name_instants_and_addresses() {
        let good = [
            "use std::time::{Duration, Instant}; fn f(now: Instant) {}",
            "use std::net::{IpAddr, SocketAddr}; /// Instant::now\n fn f() {}",
            "#[cfg(test)] mod tests { fn f() { Instant::now(); } }",
            "fn f(&self) -> u8 { self.elapsed }",
        ];
        for text in good {
            let findings = io_and_clocks(&source("protocols/a/src/lib.rs", text));
            assert_eq!(findings, [""; 0], "{text}");
        }
        let test = source("protocols/a/src/tests.rs", "Instant::now();");
        assert_eq!(io_and_clocks(&test), [""; 0]);
    }

    #[test]
    fn protocol_crates_may_not_reach_out() {
        let bad = [
            (
                "\nlet now = std::time::Instant::now();",
                "lib.rs:2: Instant::now: ",
            ),
            ("SystemTime::now()", "SystemTime::now: "),
            ("start.elapsed()", ".elapsed(): "),
            ("use std::net::{SocketAddr, UdpSocket};", "UdpSocket: "),
            ("std::fs::read(path)", "std::fs: "),
            ("use tokio::io;", "tokio::: "),
        ];
        for (text, message) in bad {
            let findings = io_and_clocks(&source("protocols/a/src/lib.rs", text));
            assert!(
                matches!(&findings[..], [one] if one.contains(message)),
                "{text}: {findings:?}"
            );
        }
    }

    #[test]
    fn names_of_protocols() {
        let adapters = ["rtmp", "hls"].map(str::to_owned).into();
        let cases = [
            ("src/api/a.rs", "match p { \"rtmp\" => 1, _ => 2 }", 1),
            (
                "src/api/a.rs",
                "match p { \"hls\" | \"rtmp\" if x => 1, _ => 2 }",
                2,
            ),
            ("src/api/a.rs", "if name == \"rtmp\" {}", 1),
            ("src/api/a.rs", "if \"rtmp\" != name {}", 1),
            ("src/adapters/mod.rs", "if name == \"rtmp\" {}", 1),
            ("src/adapters/rtmp/mod.rs", "if name == \"rtmp\" {}", 0),
            (
                "src/api/a.rs",
                "let name = \"rtmp\"; f(\"hls\", name == \"dash\")",
                0,
            ),
            (
                "src/api/a.rs",
                "#[cfg(test)] mod tests { fn f() { a == \"rtmp\" } }",
                0,
            ),
            ("src/api/tests.rs", "a == \"rtmp\"", 0),
        ];
        for (path, text, count) in cases {
            let findings = matches_on_protocols(&source(path, text), &adapters);
            assert_eq!(findings.len(), count, "{path} {text}: {findings:?}");
        }
    }

    #[test]
    fn headers() {
        assert_eq!(header(&source("a.rs", "//! What it is.\n")), None);
        for text in ["", "use a;\n", "// What it is.", "\n//! Too late."] {
            assert!(header(&source("a.rs", text)).is_some(), "{text:?}");
        }
    }

    #[test]
    fn the_keyword_and_not_the_word() {
        let good = "#![forbid(unsafe_code)] // unsafe\n const A: &str = \"unsafe\";";
        assert_eq!(unsafe_code(&source("a.rs", good)), [""; 0]);
        let bad = source("a.rs", "\nfn f() { unsafe { g() } }");
        assert_eq!(unsafe_code(&bad), ["a.rs:2: unsafe code"]);
    }
}
