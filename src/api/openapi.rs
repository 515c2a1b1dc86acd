//! The description of the HTTP APIs (OpenAPI 3.1): one table of calls, written out as JSON.
//!
//! A call that is added to a router and not to the table (`openapi/calls.rs`) is found by the test below. What is
//! sent and answered has its form in `openapi/schemas.rs`.

mod calls;
mod schemas;

use axum::http::StatusCode;
use calls::{APIS, Call};
use schemas::schemas;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Where EvoStream's API is, by default.
const EVOSTREAM_AT: &str = "http://127.0.0.1:7777";

/// The document.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (api, calls) in &APIS {
        for call in *calls {
            let place = paths.entry(call.path).or_insert_with(|| json!({}));
            place[call.method] = operation(api, call);
            if *api == "EvoStream" {
                place["servers"] = json!([{ "url": EVOSTREAM_AT }]);
            }
        }
    }
    let tags = APIS.iter().map(|(api, _)| json!({ "name": api }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Millstream",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Management is answered to accounts that have signed in, to tokens, and to callers on the server's machine.",
        },
        "tags": tags.collect::<Vec<_>>(),
        "security": [{ "token": [] }, { "key": [] }, { "session": [] }, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "key": { "type": "http", "scheme": "basic" },
                "session": { "type": "apiKey", "in": "cookie", "name": "millstream" },
            },
            "schemas": schemas(),
        },
    })
}

fn operation(api: &str, call: &Call) -> Value {
    let in_path = call.path.split(['{', '}']).skip(1).step_by(2);
    let text = json!({ "type": "string" });
    let in_path =
        in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text }));
    let in_query = call.query.iter();
    let in_query = in_query.map(|name| json!({ "name": name, "in": "query", "schema": text }));
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let (status, schema) = call.answer;
    let mut answer = json!({ "description": call.summary });
    if let Some(schema) = schema {
        answer["content"] = content(schema);
    }
    let mut responses = Map::new();
    responses.insert(status.to_string(), answer);
    for status in refusals(api, call) {
        let words = StatusCode::from_u16(status).ok();
        let words = words.and_then(|status| status.canonical_reason());
        let mut refusal = json!({ "description": words.unwrap_or_default() });
        let schema = refusal_schema(api, call);
        if let Some(schema) =
            schema.filter(|_| !(status == 404 && NOTHING_SAID.contains(&call.path)))
        {
            let kind = match schema {
                "Problem" => "application/problem+json",
                _ => "application/json",
            };
            refusal["content"] = content_of(kind, schema);
        }
        responses.insert(status.to_string(), refusal);
    }
    let mut operation = json!({
        "tags": [api],
        "summary": call.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(schema) = call.body {
        operation["requestBody"] = json!({ "content": content(schema) });
    }
    operation
}

/// Where there is no such broadcast, these say it with the status alone, as Ant Media does.
const NOTHING_SAID: [&str; 2] = [
    "/{app}/rest/v2/broadcasts/{id}",
    "/{app}/rest/v2/broadcasts/{id}/connections",
];

/// With what a call may be refused.
fn refusals(api: &str, call: &Call) -> BTreeSet<u16> {
    let mut statuses: BTreeSet<u16> = call.fails.iter().copied().collect();
    // Whether the server is there anybody may ask.
    let is_open = api == "Server" && !call.path.starts_with("/api/");
    if is_open || matches!(api, "Media" | "EvoStream") {
        return statuses;
    }
    // Who does not say who it is, and whose role is not enough.
    statuses.extend([401, 403]);
    if call.path.contains('{') {
        statuses.extend([400, 404]);
    }
    if !call.query.is_empty() {
        statuses.insert(400);
    }
    if call.body.is_some() {
        statuses.extend([400, 413]);
    }
    // What cannot be kept is not answered as if it were.
    if call.method != "get" {
        statuses.insert(500);
    }
    // A camera that does not answer, or is asked too much.
    if call.path.contains("/ip-camera/") || call.path.ends_with("/onvif-devices") {
        statuses.extend([409, 502, 503]);
    }
    if call.path.ends_with("/recordings/export") {
        statuses.extend([409, 413, 500, 502]);
    }
    statuses
}

/// What a refusal looks like.
fn refusal_schema(api: &str, call: &Call) -> Option<&'static str> {
    match api {
        "Ant Media" => Some("Result"),
        "api.video" => Some("Problem"),
        _ if call.path.starts_with("/api/") => Some("Error"),
        _ => None,
    }
}

fn content(schema: &str) -> Value {
    content_of("application/json", schema)
}

fn content_of(kind: &str, schema: &str) -> Value {
    json!({ kind: { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The routes that a router's source text has, with what it nests them below, as `method path`.
    fn routes(source: &str, nests: &[(&str, &str)]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut prefix = "";
        for piece in source
            .split("\n    let ")
            .flat_map(|part| part.split("\n    Router"))
        {
            let name = piece.split([' ', ':']).next().unwrap();
            if let Some((_, at)) = nests.iter().find(|(nested, _)| *nested == name) {
                prefix = at;
            } else {
                prefix = if piece.starts_with("::new()") {
                    ""
                } else {
                    prefix
                };
            }
            for route in piece.split(".route(").skip(1) {
                let path = route.split('"').nth(1).unwrap();
                let handlers = route.split_once("\",").unwrap().1;
                let end = handlers
                    .find("\n        .")
                    .map_or(handlers, |at| &handlers[..at]);
                for method in ["get", "post", "put", "patch", "delete"] {
                    if end.contains(&format!("{method}(")) {
                        found.insert(format!("{method} {prefix}{path}"));
                    }
                }
            }
        }
        found
    }

    #[test]
    fn every_route_is_in_the_document() {
        let nests = [
            ("broadcasts", "/{app}/rest/v2/broadcasts"),
            ("vods", "/{app}/rest/v2/vods"),
        ];
        let mut routes = routes(include_str!("antmedia/mod.rs"), &nests);
        for source in [
            include_str!("apivideo/mod.rs"),
            include_str!("server/mod.rs"),
            include_str!("server/doctor.rs"),
            include_str!("server/events.rs"),
            include_str!("server/log.rs"),
            include_str!("server/probe.rs"),
            include_str!("server/streams.rs"),
            include_str!("server/talk.rs"),
            include_str!("server/session.rs"),
            include_str!("server/accounts.rs"),
            include_str!("server/tokens.rs"),
            include_str!("server/audit.rs"),
        ] {
            routes.extend(self::routes(source, &[]));
        }
        assert!(routes.len() > 40, "{routes:#?}");
        let document = document();
        let missing: Vec<_> = routes
            .iter()
            .filter(|route| {
                let (method, path) = route.split_once(' ').unwrap();
                document["paths"][path][method].is_null()
            })
            .collect();
        assert!(missing.is_empty(), "not in the document: {missing:#?}");
        // And nothing that does not exist, but what is routed by hand.
        let by_hand = ["Server", "Media", "EvoStream"];
        for (api, calls) in APIS.iter().filter(|(api, _)| !by_hand.contains(api)) {
            for call in *calls {
                let route = format!("{} {}", call.method, call.path);
                let is_camera = call.path.contains("/ip-camera/");
                let is_picture = call.path.ends_with("/thumbnail");
                assert!(
                    is_camera || is_picture || routes.contains(&route),
                    "{api}: {route} is no route"
                );
            }
        }
    }

    #[test]
    fn every_schema_that_is_named_exists() {
        let document = document();
        let text = document.to_string();
        for name in text.split("#/components/schemas/").skip(1) {
            let name = name.split('"').next().unwrap();
            assert!(
                document["components"]["schemas"][name].is_object(),
                "{name}"
            );
        }
    }
}
