//! Which module of the server may use which.

use crate::Source;
use crate::tokens::{Kind, Token, tokens};
use std::collections::BTreeSet;

/// The modules of `src`, lowest first. A module uses those before it.
const ORDER: [&str; 19] = [
    "hub",
    "bridge",
    "config",
    "telemetry",
    "net",
    "hooks",
    "segment",
    "record",
    "transport",
    "store",
    "auth",
    "adapters",
    "inspect",
    "control",
    "panel",
    "api",
    "server",
    "commands",
    "fuzz",
];

/// These stand on one level and may use each other.
const GROUND: [&str; 2] = ["config", "telemetry"];

/// The adapters: the folders directly below `src/adapters`. What all have in common stands beside them.
pub(crate) fn adapters(sources: &[Source]) -> BTreeSet<String> {
    let below = |source: &Source| {
        let rest = source.path.strip_prefix("src/adapters/")?;
        rest.split_once('/').map(|(folder, _)| folder.to_owned())
    };
    sources.iter().filter_map(below).collect()
}

/// Every use in a file of a module that is not below its own.
pub(crate) fn check(source: &Source, adapters: &BTreeSet<String>) -> Vec<String> {
    let here = module_path(&source.path);
    let Some(module) = here.first() else {
        // `lib.rs` and `main.rs` stand above all modules.
        return Vec::new();
    };
    let Some(height) = height(module) else {
        return vec![format!(
            "{}:1: module {module} is in no place of the order; give it one in tests/architecture/modules.rs",
            source.path
        )];
    };
    let mut findings = Vec::new();
    for used in uses(&source.text, &here) {
        let mut complain = |rule: &str| {
            let path = used.path.join("::");
            findings.push(format!(
                "{}:{}: crate::{path}: {rule}",
                source.path, used.line
            ));
        };
        let Some(name) = used.path.first() else {
            complain("nothing is taken from the root of the crate with a glob");
            continue;
        };
        if name == module {
            let (own, other) = (here.get(1).copied(), used.path.get(1).copied());
            let foreign = other.is_some_and(|other| adapters.contains(other) && own != Some(other));
            if *module == "adapters" && own.is_some() && foreign {
                complain("no adapter knows another adapter");
            }
            continue;
        }
        // What is no module is an item of `lib.rs`, which is above all.
        let upward = self::height(name).is_none_or(|other| other > height);
        if upward && !(GROUND.contains(module) && GROUND.contains(name)) {
            complain(&format!("{module} is below {name} and may not use it"));
        }
    }
    findings
}

fn height(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

/// The modules in which the code of a file stands: `adapters`, `rtmp`, `server` for
/// `src/adapters/rtmp/server.rs`. Empty for `src/lib.rs` and `src/main.rs`.
pub(crate) fn module_path(file: &str) -> Vec<&str> {
    let path = file.strip_prefix("src/").unwrap_or(file);
    let mut modules: Vec<_> = path.trim_end_matches(".rs").split('/').collect();
    let last = modules.last().copied();
    if last == Some("mod") || (modules.len() == 1 && matches!(last, Some("lib" | "main"))) {
        modules.pop();
    }
    modules
}

/// A path into the crate, without the leading `crate`.
struct Use<'a> {
    path: Vec<&'a str>,
    line: usize,
}

/// All paths from the root of the crate, written with `crate` or with enough `super`.
fn uses<'a>(text: &'a str, here: &[&'a str]) -> Vec<Use<'a>> {
    let tokens = tokens(text);
    let mut uses = Vec::new();
    // One depth per open brace: how many inline modules we are in decides how far `super` goes.
    let mut inline: Vec<Option<&str>> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.is("{") {
            let named = at >= 2 && tokens[at - 2].is("mod");
            inline.push(named.then(|| tokens[at - 1].text));
        } else if token.is("}") {
            inline.pop();
        }
        let in_path = at > 0 && tokens[at - 1].is("::");
        let next_is_path = tokens.get(at + 1).is_some_and(|next| next.is("::"));
        if next_is_path && !in_path && (token.is("crate") || token.is("super")) {
            let mut base = Vec::new();
            if token.is("super") {
                base.extend(here);
                base.extend(inline.iter().flatten());
                while tokens.get(at).is_some_and(|token| token.is("super")) {
                    base.pop();
                    at += 2;
                }
            } else {
                at += 2;
            }
            at = tree(&tokens, at, &base, &mut uses);
            continue;
        }
        at += 1;
    }
    uses
}

/// Reads the path or the group of paths at `at`, all of which begin with `base`; gives where it ends.
fn tree<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    base: &[&'a str],
    uses: &mut Vec<Use<'a>>,
) -> usize {
    let mut path = base.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(at) {
        if token.is("{") {
            at += 1;
            while tokens.get(at).is_some_and(|token| !token.is("}")) {
                if tokens[at].is(",") {
                    at += 1;
                } else {
                    at = tree(tokens, at, &path, uses).max(at + 1);
                    if tokens.get(at).is_some_and(|token| token.is("as")) {
                        at += 2;
                    }
                }
            }
            return at + 1;
        }
        // A glob keeps the path as it is: that module itself, or the root when there is none.
        if token.kind == Kind::Word && token.text != "self" {
            path.push(token.text);
        }
        at += 1;
        if !tokens.get(at).is_some_and(|token| token.is("::")) {
            break;
        }
        at += 1;
    }
    uses.push(Use { path, line });
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let adapters = ["rtmp", "hls"].map(str::to_owned).into();
        let (path, text) = (path.to_owned(), text.to_owned());
        check(&Source { path, text }, &adapters)
    }

    #[test]
    fn module_paths() {
        let cases: [(&str, &[&str]); 6] = [
            ("src/lib.rs", &[]),
            ("src/main.rs", &[]),
            ("src/config.rs", &["config"]),
            ("src/hub/mod.rs", &["hub"]),
            ("src/hub/gop.rs", &["hub", "gop"]),
            ("src/adapters/rtmp/mod.rs", &["adapters", "rtmp"]),
        ];
        for (file, path) in cases {
            assert_eq!(module_path(file), path, "{file}");
        }
    }

    #[test]
    fn good_uses() {
        let cases = [
            ("src/lib.rs", "use crate::api; pub mod api;"),
            (
                "src/net/gop.rs",
                "use crate::telemetry::Name; use crate::{config::Hub, hub::{self, stream::*}};",
            ),
            (
                "src/hub/gop.rs",
                "// crate::api\n const A: &str = \"crate::api\"; /* use crate::api; */",
            ),
            (
                "src/hub/gop.rs",
                "use super::stream; mod a { use super::super::stream; fn f() { super::g() } }",
            ),
            (
                "src/hub/mod.rs",
                "pub(crate) fn f() {} pub(in crate::hub) fn g() {}",
            ),
            ("src/config/mod.rs", "use crate::telemetry::Level;"),
            ("src/telemetry.rs", "use crate::config::Log;"),
            (
                "src/adapters/mod.rs",
                "use crate::adapters::rtmp::Rtmp; static A: u8 = self::hls::B;",
            ),
            (
                "src/adapters/rtmp/source.rs",
                "use crate::adapters::{Protocol, rtmp::server}; use super::super::Protocol;",
            ),
            (
                "src/api/mod.rs",
                "use crate::control as c; use std::crate_like; use other::crate_::api;",
            ),
        ];
        for (path, text) in cases {
            assert_eq!(findings(path, text), [""; 0], "{path} {text}");
        }
    }

    #[test]
    fn bad_uses() {
        let cases = [
            (
                "src/hub/gop.rs",
                "\n\nuse crate::adapters::Protocol;",
                "src/hub/gop.rs:3: crate::adapters::Protocol: hub is below adapters",
            ),
            (
                "src/hub/gop.rs",
                "use crate::{\nhub::{b, c as d},\nnet::{E}};",
                ":3: crate::net::E: ",
            ),
            (
                "src/config/mod.rs",
                "use crate::auth::A;",
                "config is below auth",
            ),
            (
                "src/auth/mod.rs",
                "fn f() -> crate::control::A { g() }",
                "crate::control::A: ",
            ),
            (
                "src/hub/gop.rs",
                "use super::super::api::A;",
                "crate::api::A: ",
            ),
            (
                "src/hub/gop.rs",
                "#[cfg(test)] mod tests { use super::super::super::panel::A; }",
                "crate::panel::A: ",
            ),
            ("src/net.rs", "use super::store;", "crate::store: "),
            ("src/net/mod.rs", "use crate::*;", "with a glob"),
            (
                "src/net/mod.rs",
                "macro_rules! m { () => { $crate::record::f() } }",
                "crate::record::f: ",
            ),
            ("src/net/mod.rs", "use crate::unknown::A;", "may not use it"),
            (
                "src/adapters/rtmp/source.rs",
                "use crate::adapters::hls::A;",
                "no adapter knows another",
            ),
            (
                "src/adapters/rtmp/source.rs",
                "use super::super::hls;",
                "no adapter knows another",
            ),
            (
                "src/adapters/rtmp/mod.rs",
                "use crate::{adapters::{hls::A, rtmp}};",
                "no adapter knows another",
            ),
            (
                "src/new/mod.rs",
                "",
                "src/new/mod.rs:1: module new is in no place",
            ),
        ];
        for (path, text, message) in cases {
            let findings = findings(path, text);
            assert!(
                matches!(&findings[..], [one] if one.contains(message)),
                "{path} {text}: {findings:?}"
            );
        }
    }

    #[test]
    fn adapters_are_found_by_their_folders() {
        let files = [
            "src/adapters/mod.rs",
            "src/adapters/hls/part.rs",
            "src/adapters/rtmp/mod.rs",
            "src/adapters/target.rs",
            "src/hub/a.rs",
        ];
        let sources = files.map(|path| Source {
            path: path.to_owned(),
            text: String::new(),
        });
        let found = adapters(&sources);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["hls", "rtmp"]);
    }
}
