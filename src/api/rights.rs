//! How much somebody has to be for a call: by its method, and where that says too little by this table.

use crate::auth::Role;
use axum::http::Method;

/// Calls that need another role than their method says. `*` stands for one segment of a path, `**` at the end for any
/// number of them; the first that fits counts.
const EXCEPTIONS: [(&str, &str, Role); 21] = [
    // One's own password: the call looks at the rest.
    ("PATCH", "/api/v1/accounts/*", Role::Viewer),
    ("DELETE", "/api/v1/session", Role::Viewer),
    ("", "/api/v1/accounts/**", Role::Admin),
    ("", "/api/v1/tokens/**", Role::Admin),
    ("", "/api/v1/audit/**", Role::Admin),
    ("", "/api/v1/settings/**", Role::Admin),
    ("", "/api/v1/configuration/**", Role::Admin),
    ("", "/api/v1/reload/**", Role::Admin),
    ("", "/api/v1/state/**", Role::Admin),
    ("", "/api/v1/webhooks/**", Role::Admin),
    ("", "/api/v1/hooks/**", Role::Admin),
    // With the secrets that they are signed with.
    ("", "/webhooks/**", Role::Admin),
    // The log names addresses and accounts.
    ("", "/api/v1/log/**", Role::Operator),
    // To ask what a camera hears is to connect to it.
    ("", "/api/v1/streams/*/*/talk/**", Role::Operator),
    ("", "/rest/v2/applications/settings/**", Role::Admin),
    // It takes any folder of the server.
    ("", "/*/rest/v2/vods/directory", Role::Admin),
    // It sends into every network.
    ("", "/*/rest/v2/broadcasts/onvif-devices", Role::Operator),
    // What it answers opens a stream.
    ("", "/*/rest/v2/broadcasts/*/token", Role::Operator),
    ("", "/*/rest/v2/broadcasts/*/jwt-token", Role::Operator),
    ("", "/*/rest/v2/broadcasts/*/tokens/**", Role::Operator),
    ("", "/*/rest/v2/broadcasts/*/subscribers/**", Role::Operator),
];

/// Functions of EvoStream's API that only look.
const LOOKING: [&str; 9] = [
    "liststreams",
    "liststreamsids",
    "getstreaminfo",
    "getstreamscount",
    "isstreamrunning",
    "listconfig",
    "getconfiginfo",
    "version",
    "help",
];

/// Whether a method changes something.
pub(super) fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The role that a call over HTTP needs.
pub(super) fn needed(method: &Method, path: &str) -> Role {
    let mut exceptions = EXCEPTIONS.iter();
    let exception = exceptions
        .find(|(of, pattern, _)| (of.is_empty() || *of == method.as_str()) && fits(pattern, path));
    match exception {
        Some((_, _, role)) => *role,
        None if changes(method) => Role::Operator,
        None => Role::Viewer,
    }
}

/// What a call is a matter of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matter<'a> {
    /// That application.
    Application(&'a str),
    /// Who calls.
    Caller,
    /// The server, or several applications.
    Server,
}

/// What a call over HTTP is a matter of.
pub(super) fn matter(path: &str) -> Matter<'_> {
    let mut segments = path.trim_start_matches('/').split('/');
    let first = [(); 4].map(|()| segments.next().unwrap_or_default());
    match first {
        ["api", "v1", "session" | "version", ""] => Matter::Caller,
        ["api", "v1", "streams", app] if !app.is_empty() => Matter::Application(app),
        ["api" | "rest" | "live-streams" | "webhooks" | "metrics", ..] => Matter::Server,
        [app, "rest", ..] => Matter::Application(app),
        _ => Matter::Server,
    }
}

/// The role that a function of EvoStream's API needs.
pub(super) fn of_function(function: &str) -> Role {
    let mut looking = LOOKING.iter();
    match looking.any(|name| function.eq_ignore_ascii_case(name)) {
        true => Role::Viewer,
        false => Role::Operator,
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        match (wanted, segments.next()) {
            ("**", _) => return true,
            (_, None) => return false,
            (wanted, Some(segment)) if wanted == "*" || wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of call, and the least role that may.
    #[test]
    fn who_may_call_what() {
        use Role::{Admin, Operator, Viewer};
        for (method, path, role) in [
            ("GET", "/LiveApp/rest/v2/broadcasts/list/0/10", Viewer),
            ("HEAD", "/LiveApp/rest/v2/broadcasts/cam1", Viewer),
            ("POST", "/LiveApp/rest/v2/broadcasts/create", Operator),
            ("PUT", "/LiveApp/rest/v2/broadcasts/cam1", Operator),
            ("DELETE", "/LiveApp/rest/v2/broadcasts/cam1", Operator),
            ("POST", "/LiveApp/rest/v2/broadcasts/cam1/start", Operator),
            (
                "POST",
                "/LiveApp/rest/v2/broadcasts/cam1/endpoint",
                Operator,
            ),
            (
                "PUT",
                "/LiveApp/rest/v2/broadcasts/cam1/recording/true",
                Operator,
            ),
            (
                "GET",
                "/LiveApp/rest/v2/broadcasts/cam1/recordings/export",
                Viewer,
            ),
            (
                "POST",
                "/LiveApp/rest/v2/broadcasts/cam1/ip-camera/move",
                Operator,
            ),
            (
                "GET",
                "/LiveApp/rest/v2/broadcasts/cam1/ip-camera/presets",
                Viewer,
            ),
            ("GET", "/LiveApp/rest/v2/broadcasts/onvif-devices", Operator),
            ("GET", "/LiveApp/rest/v2/broadcasts/cam1/token", Operator),
            (
                "HEAD",
                "/LiveApp/rest/v2/broadcasts/cam1/jwt-token",
                Operator,
            ),
            (
                "GET",
                "/LiveApp/rest/v2/broadcasts/cam1/tokens/list/0/9",
                Operator,
            ),
            (
                "GET",
                "/LiveApp/rest/v2/broadcasts/cam1/subscribers/list/0/9",
                Operator,
            ),
            (
                "GET",
                "/LiveApp/rest/v2/broadcasts/cam1/subscribers/joe/totp",
                Operator,
            ),
            ("DELETE", "/LiveApp/rest/v2/vods/1", Operator),
            ("POST", "/LiveApp/rest/v2/vods/create", Operator),
            ("POST", "/LiveApp/rest/v2/vods/directory", Admin),
            ("GET", "/rest/v2/applications", Viewer),
            ("GET", "/rest/v2/applications/settings/LiveApp", Admin),
            ("POST", "/rest/v2/applications/settings/LiveApp", Admin),
            ("GET", "/live-streams", Viewer),
            ("PATCH", "/live-streams/li1", Operator),
            ("GET", "/metrics", Viewer),
            ("GET", "/api/v1/version", Viewer),
            ("GET", "/api/v1/session", Viewer),
            ("DELETE", "/api/v1/session", Viewer),
            ("GET", "/api/v1/accounts", Admin),
            ("GET", "/api/v1/accounts/joe", Admin),
            ("POST", "/api/v1/accounts", Admin),
            ("PATCH", "/api/v1/accounts/joe", Viewer),
            ("DELETE", "/api/v1/accounts/joe", Admin),
            ("GET", "/api/v1/tokens", Admin),
            ("DELETE", "/api/v1/tokens/abc", Admin),
            ("GET", "/api/v1/audit", Admin),
            ("GET", "/api/v1/configuration", Admin),
            ("GET", "/api/v1/state", Admin),
            ("PUT", "/api/v1/state", Admin),
            ("GET", "/api/v1/log", Operator),
            ("GET", "/api/v1/streams/LiveApp/cam1", Viewer),
            ("GET", "/api/v1/streams/LiveApp/cam1/talk", Operator),
            ("POST", "/api/v1/streams/LiveApp/cam1/talk", Operator),
            ("DELETE", "/api/v1/streams/LiveApp/cam1/talk/abc", Operator),
            ("PROPFIND", "/live-streams", Operator),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(needed(&method, path), role, "{method} {path}");
        }
        for (function, role) in [
            ("listStreams", Viewer),
            ("LISTCONFIG", Viewer),
            ("pullStream", Operator),
            ("removeConfig", Operator),
            ("nonsense", Operator),
            ("", Operator),
        ] {
            assert_eq!(of_function(function), role, "{function}");
        }
    }

    #[test]
    fn what_calls_are_a_matter_of() {
        for (path, of) in [
            (
                "/LiveApp/rest/v2/broadcasts/cam1",
                Matter::Application("LiveApp"),
            ),
            (
                "/api/v1/streams/LiveApp/cam1/slate",
                Matter::Application("LiveApp"),
            ),
            ("/api/v1/streams", Matter::Server),
            ("/api/v1/streams/", Matter::Server),
            ("/api/v1/session", Matter::Caller),
            ("/api/v1/session/x", Matter::Server),
            ("/api/v1/accounts", Matter::Server),
            ("/api/rest/v2", Matter::Server),
            ("/rest/rest/v2", Matter::Server),
            ("/rest/v2/applications", Matter::Server),
            ("/live-streams", Matter::Server),
            ("/metrics", Matter::Server),
            ("", Matter::Server),
        ] {
            assert_eq!(matter(path), of, "{path}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, path, is_so) in [
            ("/a/**", "/a", true),
            ("/a/**", "/a/", true),
            ("/a/**", "/a/b/c", true),
            ("/a/**", "/ab", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a", false),
            ("/a/*", "/a/b/c", false),
            ("/*/b", "/a/b", true),
        ] {
            assert_eq!(fits(pattern, path), is_so, "{pattern} {path}");
        }
    }
}
