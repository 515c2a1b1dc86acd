//! The description of the HTTP APIs (OpenAPI 3.1): one table of calls, written out as JSON.
//!
//! A call that is added to a router and not to the table is found by the test below.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// One call.
struct Call {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// Parameters of the query.
    query: &'static [&'static str],
    /// The schema of the body, if it has one.
    body: Option<&'static str>,
    /// The status of the usual answer, and its schema; none for one without a body of its own.
    answer: (u16, Option<&'static str>),
    /// Statuses of refusals, beside those that [`refusals`] knows.
    fails: &'static [u16],
}

const fn call(method: &'static str, path: &'static str, summary: &'static str) -> Call {
    Call {
        method,
        path,
        summary,
        query: &[],
        body: None,
        answer: (200, None),
        fails: &[],
    }
}

impl Call {
    const fn query(self, query: &'static [&'static str]) -> Self {
        Self { query, ..self }
    }

    const fn body(self, schema: &'static str) -> Self {
        Self {
            body: Some(schema),
            ..self
        }
    }

    const fn gives(self, schema: &'static str) -> Self {
        Self {
            answer: (200, Some(schema)),
            ..self
        }
    }

    const fn fails(self, statuses: &'static [u16]) -> Self {
        Self {
            fails: statuses,
            ..self
        }
    }

    const fn status(self, status: u16) -> Self {
        Self {
            answer: (status, self.answer.1),
            ..self
        }
    }
}

/// The APIs, each with its calls.
static APIS: [(&str, &[Call]); 7] = [
    ("Server", SERVER),
    ("Access", ACCESS),
    ("Media", MEDIA),
    ("Millstream", MILLSTREAM),
    ("Ant Media", ANT_MEDIA),
    ("api.video", API_VIDEO),
    ("EvoStream", EVOSTREAM),
];

const SERVER: &[Call] = &[
    call("get", "/healthz", "Whether the server runs"),
    call("get", "/readyz", "Whether the server takes requests"),
    call(
        "get",
        "/metrics",
        "What the server counts, in the text format of Prometheus",
    ),
    call("get", "/server.json", "Version, applications, listeners"),
    call("get", "/openapi.json", "This document"),
    call("get", "/api/v1/state", "All that the APIs have made"),
    call("post", "/api/v1/state", "Makes what is not there").body("State"),
    call("put", "/api/v1/state", "Makes all be as it says").body("State"),
    call(
        "get",
        "/api/v1/configuration",
        "What became of reading the configuration",
    ),
    call(
        "get",
        "/api/v1/streams/{app}/{id}/slate",
        "The file that is shown while a stream's sources are gone",
    )
    .gives("Slate"),
    call("put", "/api/v1/streams/{app}/{id}/slate", "Sets that file")
        .body("Slate")
        .gives("Slate")
        .fails(&[422]),
    call(
        "delete",
        "/api/v1/streams/{app}/{id}/slate",
        "Shows nothing then",
    )
    .gives("Slate"),
    call(
        "get",
        "/api/v1/streams/{app}/{id}/talk",
        "What the camera of a stream hears",
    )
    .gives("Hearing")
    .fails(&[502]),
    call(
        "post",
        "/api/v1/streams/{app}/{id}/talk",
        "Talks to the camera by WebRTC: an offer is answered as by WHIP",
    )
    .status(201)
    .fails(&[406, 409, 413, 415, 422, 502, 503]),
    call(
        "get",
        "/api/v1/streams/{app}/{id}/talk/{session}",
        "Whether that session is on",
    )
    .status(204),
    call(
        "delete",
        "/api/v1/streams/{app}/{id}/talk/{session}",
        "Ends it",
    ),
];

/// Who may manage, and who did.
const ACCESS: &[Call] = &[
    call("get", "/api/v1/session", "Who one is").gives("Session"),
    call("post", "/api/v1/session", "Signs in")
        .body("Credentials")
        .gives("Session")
        .fails(&[429]),
    call("delete", "/api/v1/session", "Signs out").status(204),
    call("get", "/api/v1/accounts", "The accounts").gives("Accounts"),
    call("post", "/api/v1/accounts", "Makes an account")
        .body("AccountInput")
        .gives("Account")
        .status(201)
        .fails(&[409, 429]),
    call("get", "/api/v1/accounts/{name}", "One account").gives("Account"),
    call(
        "patch",
        "/api/v1/accounts/{name}",
        "Changes role or password",
    )
    .body("AccountChange")
    .gives("Account")
    .fails(&[409, 429]),
    call("delete", "/api/v1/accounts/{name}", "Forgets an account")
        .status(204)
        .fails(&[409]),
    call("get", "/api/v1/tokens", "The tokens of programs").gives("ApiTokens"),
    call(
        "post",
        "/api/v1/tokens",
        "Makes a token, which is shown this once",
    )
    .body("ApiTokenInput")
    .gives("ApiToken")
    .status(201)
    .fails(&[409]),
    call("delete", "/api/v1/tokens/{id}", "Makes a token worthless").status(204),
    call("get", "/api/v1/audit", "Who changed what, the newest first")
        .query(&["limit", "before"])
        .gives("Audit"),
];

const MEDIA: &[Call] = &[
    call(
        "get",
        "/{app}/streams/{file}",
        "HLS, DASH, FLV, MPEG-TS, recordings",
    ),
    call(
        "post",
        "/{app}/whep/{id}",
        "Plays by WebRTC: an offer is answered",
    )
    .status(201),
    call(
        "post",
        "/{app}/whip/{id}",
        "Publishes by WebRTC: an offer is answered",
    )
    .status(201),
    call("get", "/{app}/websocket", "Ant Media's signalling"),
];

const MILLSTREAM: &[Call] = &[
    call("get", "/api/v1/version", "What this server is"),
    call(
        "get",
        "/api/v1/streams",
        "Every stream with all that is known of it",
    )
    .query(&["app"])
    .gives("Streams"),
    call("get", "/api/v1/streams/{app}/{id}", "One stream").gives("Stream"),
    call(
        "get",
        "/api/v1/events",
        "What changes in streams, as server-sent events",
    )
    .fails(&[503]),
    call("get", "/api/v1/log", "The log, as server-sent events")
        .query(&["level", "text", "after"])
        .fails(&[503]),
    call(
        "post",
        "/api/v1/probe",
        "What is in a source, and what can carry it",
    )
    .body("Source")
    .fails(&[429, 502]),
    call(
        "get",
        "/api/v1/doctor",
        "What stands in the way of a server that works",
    )
    .gives("Report"),
];

const ANT_MEDIA: &[Call] = &[
    call(
        "post",
        "/{app}/rest/v2/broadcasts/create",
        "Makes a broadcast",
    )
    .query(&["autoStart"])
    .body("Broadcast")
    .gives("Broadcast"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/list/{offset}/{size}",
        "Broadcasts",
    )
    .query(&["type_by", "sort_by", "order_by", "search"])
    .gives("Broadcasts"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/count",
        "How many there are",
    )
    .gives("Number"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/count/{search}",
        "How many match",
    )
    .gives("Number"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/active-live-stream-count",
        "How many are live",
    )
    .gives("Number"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/total-broadcast-statistics",
        "Viewers of all",
    ),
    call("get", "/{app}/rest/v2/broadcasts/{id}", "One broadcast").gives("Broadcast"),
    call(
        "put",
        "/{app}/rest/v2/broadcasts/{id}",
        "Changes what is given",
    )
    .body("Broadcast")
    .gives("Result"),
    call(
        "delete",
        "/{app}/rest/v2/broadcasts/{id}",
        "Stops and forgets it",
    )
    .gives("Result"),
    call(
        "delete",
        "/{app}/rest/v2/broadcasts",
        "Stops and forgets several",
    )
    .query(&["ids"])
    .gives("Result"),
    call("delete", "/{app}/rest/v2/broadcasts/", "The same")
        .query(&["ids"])
        .gives("Result"),
    call(
        "post",
        "/{app}/rest/v2/broadcasts/{id}/start",
        "Starts its source",
    )
    .gives("Result"),
    call("post", "/{app}/rest/v2/broadcasts/{id}/stop", "Stops it").gives("Result"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/ip-camera-error",
        "Why its source is not live",
    )
    .gives("Result"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/onvif-devices",
        "Cameras in the network",
    )
    .query(&["details"]),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/broadcast-statistics",
        "Viewers by protocol",
    ),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/connections",
        "Connections that are measured",
    ),
    call(
        "post",
        "/{app}/rest/v2/broadcasts/{id}/endpoint",
        "Adds an endpoint",
    )
    .body("Endpoint")
    .gives("Result"),
    call(
        "put",
        "/{app}/rest/v2/broadcasts/{id}/endpoint",
        "Pauses an endpoint, lets it go on, or has it lead elsewhere",
    )
    .query(&["endpointServiceId", "paused"])
    .body("Endpoint")
    .gives("Result"),
    call(
        "delete",
        "/{app}/rest/v2/broadcasts/{id}/endpoint",
        "Removes an endpoint",
    )
    .query(&["endpointServiceId"])
    .gives("Result"),
    call(
        "post",
        "/{app}/rest/v2/broadcasts/{id}/rtmp-endpoint",
        "Adds an endpoint, by the older name",
    )
    .body("Endpoint")
    .gives("Result"),
    call(
        "delete",
        "/{app}/rest/v2/broadcasts/{id}/rtmp-endpoint",
        "Removes an endpoint, by the older name",
    )
    .query(&["endpointServiceId"])
    .gives("Result"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/token",
        "Makes a token that opens the stream once",
    )
    .query(&["expireDate", "type", "roomId"])
    .gives("StreamToken"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/jwt-token",
        "Makes a signed token that opens the stream",
    )
    .query(&["expireDate", "type", "roomId"])
    .gives("StreamToken"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/tokens/list/{offset}/{size}",
        "One-time tokens of a stream",
    ),
    call(
        "delete",
        "/{app}/rest/v2/broadcasts/{id}/tokens",
        "Makes them worthless",
    )
    .gives("Result"),
    call(
        "post",
        "/{app}/rest/v2/broadcasts/validate-token",
        "Whether a one-time token is good",
    )
    .body("StreamToken")
    .gives("Result"),
    call(
        "post",
        "/{app}/rest/v2/broadcasts/{id}/subscribers",
        "Registers who shows codes that change with time",
    )
    .body("Subscriber")
    .gives("Result"),
    call(
        "delete",
        "/{app}/rest/v2/broadcasts/{id}/subscribers",
        "Forgets all subscribers of a stream",
    )
    .gives("Result"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/subscribers/list/{offset}/{size}",
        "Subscribers of a stream, without their secrets",
    ),
    call(
        "delete",
        "/{app}/rest/v2/broadcasts/{id}/subscribers/{subscriber}",
        "Forgets a subscriber",
    )
    .gives("Result"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/subscribers/{subscriber}/totp",
        "The code of a subscriber now",
    )
    .query(&["type"])
    .gives("Result"),
    call(
        "put",
        "/{app}/rest/v2/broadcasts/{id}/subscribers/{subscriber}/block/{seconds}/{kind}",
        "Keeps a subscriber out for a while; what it does ends",
    )
    .gives("Result"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/connection-events/{offset}/{size}",
        "When subscribers of a stream came and went, the oldest first",
    )
    .query(&["subscriberId"]),
    call(
        "put",
        "/{app}/rest/v2/broadcasts/{id}/recording/{record}",
        "Begins or ends a recording",
    )
    .query(&["recordType", "fileName"])
    .gives("Result"),
    call(
        "post",
        "/{app}/rest/v2/broadcasts/{id}/ip-camera/{what}",
        "Moves a camera, or has it remember",
    )
    .gives("Result"),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/ip-camera/{what}",
        "What a camera tells",
    ),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/recordings",
        "What is recorded of a stream from when to when",
    )
    .query(&["start", "end"]),
    call(
        "get",
        "/{app}/rest/v2/broadcasts/{id}/recordings/export",
        "A stretch of time out of a stream's recordings, as one MP4",
    )
    .query(&["start", "end"]),
    call(
        "post",
        "/{app}/rest/v2/vods/create",
        "Takes a recording that is uploaded",
    )
    .query(&["name"])
    .gives("Result"),
    call(
        "post",
        "/{app}/rest/v2/vods/directory",
        "Takes the recordings of a directory of the server",
    )
    .query(&["directory"])
    .gives("Result"),
    call(
        "delete",
        "/{app}/rest/v2/vods/directory",
        "Forgets what was taken from a directory; its files stay",
    )
    .query(&["directory"])
    .gives("Result"),
    call(
        "get",
        "/{app}/rest/v2/vods/list/{offset}/{size}",
        "Recordings",
    )
    .query(&["streamId", "sort_by", "order_by", "search"]),
    call(
        "get",
        "/{app}/rest/v2/vods/count",
        "How many recordings there are",
    )
    .gives("Number"),
    call(
        "get",
        "/{app}/rest/v2/vods/count/{search}",
        "How many match",
    )
    .gives("Number"),
    call("get", "/{app}/rest/v2/vods/{id}", "One recording"),
    call("delete", "/{app}/rest/v2/vods/{id}", "Removes a recording").gives("Result"),
    call("delete", "/{app}/rest/v2/vods", "Removes several")
        .query(&["ids"])
        .gives("Result"),
    call("delete", "/{app}/rest/v2/vods/", "The same")
        .query(&["ids"])
        .gives("Result"),
    call("get", "/{app}/rest/v2/version", "What this server is"),
    call("get", "/rest/v2/version", "What this server is"),
    call(
        "get",
        "/rest/v2/applications",
        "The applications that exist",
    ),
    call(
        "get",
        "/rest/v2/applications/settings/{app}",
        "Settings of an application",
    ),
    call("post", "/rest/v2/applications/settings/{app}", "Sets them").gives("Result"),
    call("get", "/rest/v2/liveness", "Whether the server runs"),
    call(
        "post",
        "/rest/v2/users/authenticate",
        "Signs in, as the management console does",
    )
    .body("User")
    .gives("Result"),
];

const API_VIDEO: &[Call] = &[
    call("get", "/live-streams", "Live streams, in pages")
        .query(&[
            "streamKey",
            "name",
            "sortBy",
            "sortOrder",
            "currentPage",
            "pageSize",
        ])
        .gives("LiveStreams"),
    call("post", "/live-streams", "Makes a live stream")
        .body("LiveStreamInput")
        .gives("LiveStream"),
    call("get", "/live-streams/{id}", "One live stream").gives("LiveStream"),
    call(
        "patch",
        "/live-streams/{id}",
        "Changes what is given; restreams are replaced",
    )
    .body("LiveStreamInput")
    .gives("LiveStream"),
    call("delete", "/live-streams/{id}", "Ends and forgets it").status(204),
    call(
        "put",
        "/live-streams/{id}/complete",
        "Ends what is broadcast",
    )
    .status(202),
    call(
        "post",
        "/live-streams/{id}/thumbnail",
        "Uploads a picture, as a form's file",
    )
    .gives("LiveStream")
    .status(201),
    call("delete", "/live-streams/{id}/thumbnail", "Removes it").gives("LiveStream"),
    call("get", "/live-streams/{id}/restreams", "Its restreams").gives("Restreams"),
    call("post", "/live-streams/{id}/restreams", "One more restream")
        .body("Restream")
        .gives("Restream")
        .status(201),
    call(
        "get",
        "/live-streams/{id}/restreams/{restream}",
        "One restream",
    )
    .gives("Restream"),
    call(
        "patch",
        "/live-streams/{id}/restreams/{restream}",
        "Changes, pauses or resumes it",
    )
    .body("Restream")
    .gives("Restream"),
    call(
        "delete",
        "/live-streams/{id}/restreams/{restream}",
        "Removes it",
    )
    .status(204),
    call("get", "/webhooks", "Webhooks, in pages")
        .query(&["events", "currentPage", "pageSize"])
        .gives("Webhooks"),
    call("post", "/webhooks", "Registers a webhook")
        .body("WebhookInput")
        .gives("Webhook")
        .status(201),
    call("get", "/webhooks/{id}", "One webhook").gives("Webhook"),
    call("delete", "/webhooks/{id}", "Forgets it").status(204),
    call("post", "/auth/api-key", "A token for a key")
        .body("ApiKey")
        .gives("Token"),
    call("post", "/auth/refresh", "The next token")
        .body("Refresh")
        .gives("Token"),
];

const EVOSTREAM: &[Call] = &[call(
    "get",
    "/{function}",
    "A function of EvoStream's API, on a port of its own; help lists them",
)
.query(&["params"])
.gives("Answer")];

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

fn schemas() -> Value {
    let mut all = compatible_schemas();
    if let (Some(all), Value::Object(own)) = (all.as_object_mut(), own_schemas()) {
        all.extend(own);
    }
    all
}

fn list(of: &str) -> Value {
    json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{of}") } })
}

fn object(mut properties: Value) -> Value {
    json!({ "type": "object", "properties": properties.take() })
}

/// Those of the server's own API.
fn own_schemas() -> Value {
    let text = json!({ "type": "string" });
    let flag = json!({ "type": "boolean" });
    let number = json!({ "type": "integer" });
    let role = json!({ "type": "string", "enum": ["viewer", "operator", "admin"] });
    json!({
        "Streams": list("Stream"),
        "Stream": object(json!({
            "app": text, "id": text, "title": { "type": ["string", "null"] }, "type": text, "status": text,
            "temporary": flag, "onDemand": flag, "recording": flag, "record": { "type": ["boolean", "null"] },
            "created": number, "started": { "type": ["integer", "null"] }, "bFrames": { "type": ["boolean", "null"] },
            "camera": flag, "publisher": {}, "tracks": { "type": "array", "items": {} }, "source": {},
            "targets": { "type": "array", "items": {} },
            "now": object(json!({
                "bitrate": number, "speed": { "type": "number" }, "receivedBytes": number, "packetsLost": number,
                "gop": { "type": ["number", "null"] }, "viewers": {}, "timeRepairs": {}, "targets": {},
            })),
        })),
        "Source": object(json!({ "url": text })),
        "Error": object(json!({ "error": text })),
        "Slate": object(json!({ "file": { "type": ["string", "null"] }, "shown": flag })),
        "Hearing": object(json!({ "codec": text, "taken": flag })),
        "State": object(json!({
            "form": { "const": 1 }, "broadcasts": { "type": "object" }, "settings": { "type": "object" },
        })),
        "Report": object(json!({
            "time": number, "version": text,
            "checks": { "type": "array", "items": object(json!({ "check": text, "detail": text,
                "state": { "type": "string", "enum": ["ok", "warning", "problem"] } })) },
        })),
        "Credentials": object(json!({ "name": text, "password": text })),
        "Session": object(json!({
            "name": { "type": ["string", "null"] }, "role": role,
            "via": { "type": "string", "enum": ["session", "token", "local"] },
        })),
        "Accounts": list("Account"),
        "Account": object(json!({
            "name": text, "role": role, "created": number, "passwordChanged": number, "sessions": number,
        })),
        "AccountInput": object(json!({ "name": text, "password": text, "role": role })),
        "AccountChange": object(json!({ "role": role, "password": text, "oldPassword": text })),
        "ApiTokens": list("ApiToken"),
        "ApiToken": object(json!({
            "id": text, "name": text, "role": role, "created": number, "expires": { "type": ["integer", "null"] },
            "applications": { "type": "array", "items": text }, "token": text,
        })),
        "ApiTokenInput": object(json!({
            "name": text, "role": role, "applications": { "type": "array", "items": text }, "expires": { "type": ["integer", "null"] },
        })),
        "Audit": { "type": "array", "items": object(json!({
            "number": number, "time": number, "who": { "type": ["string", "null"] }, "via": text, "from": text,
            "action": text, "status": number,
        })) },
    })
}

fn compatible_schemas() -> Value {
    let text = json!({ "type": "string" });
    let maybe = json!({ "type": ["string", "null"] });
    let flag = json!({ "type": "boolean" });
    let number = json!({ "type": "integer" });
    json!({
        "Result": object(json!({ "success": flag, "message": text, "dataId": text, "errorId": number })),
        "Number": object(json!({ "number": number })),
        "Problem": object(json!({
            "type": text, "title": text, "name": text, "detail": text, "status": number,
            "problems": { "type": "array", "items": {} },
        })),
        "Broadcasts": list("Broadcast"),
        "Broadcast": object(json!({
            "streamId": text, "name": maybe, "status": text, "type": text, "streamUrl": maybe, "ipAddr": maybe,
            "username": maybe, "password": maybe, "autoStartStopEnabled": flag, "fallbackStreamUrls": { "type": "array", "items": text },
            "endPointList": { "type": ["array", "null"], "items": { "$ref": "#/components/schemas/Endpoint" } }, "bitrate": number, "width": number, "height": number, "lastError": maybe, "madeBy": text,
        })),
        "Endpoint": { "allOf": [
            object(json!({ "endpointUrl": text, "endpointServiceId": text, "status": text, "type": text })),
            { "$ref": "#/components/schemas/TargetState" },
        ] },
        "TargetState": object(json!({
            "state": { "type": "string", "enum": ["waiting", "connecting", "live", "backoff", "failed", "paused"] },
            "since": number, "bytesSent": number, "bitrate": number, "accessUnitsSent": number,
            "accessUnitsDropped": number, "reconnects": number,
            "roundTripMs": { "type": ["number", "null"] }, "lastError": { "type": ["string", "null"] },
        })),
        "Restreams": list("Restream"),
        "Restream": { "allOf": [
            object(json!({ "name": text, "serverUrl": text, "streamKey": text, "id": text, "paused": flag })),
            { "$ref": "#/components/schemas/TargetState" },
        ] },
        "LiveStreamInput": object(json!({ "name": text, "public": flag, "playerId": text, "restreams": list("Restream") })),
        "LiveStream": object(json!({
            "liveStreamId": text, "createdAt": text, "updatedAt": text, "streamKey": text, "name": text, "public": flag,
            "playerId": text, "broadcasting": flag, "restreams": list("Restream"),
            "assets": object(json!({ "iframe": text, "player": text, "hls": text, "thumbnail": text })),
        })),
        "Pagination": object(json!({
            "currentPage": number, "pageSize": number, "pagesTotal": number, "itemsTotal": number,
            "currentPageItems": number,
            "links": { "type": "array", "items": object(json!({ "rel": text, "uri": text })) },
        })),
        "LiveStreams": object(json!({
            "data": list("LiveStream"), "pagination": { "$ref": "#/components/schemas/Pagination" },
        })),
        "WebhookInput": object(json!({ "events": { "type": "array", "items": text }, "url": text })),
        "Webhook": object(json!({
            "webhookId": text, "createdAt": text, "events": { "type": "array", "items": text }, "url": text,
            "signatureSecret": text,
        })),
        "Webhooks": object(json!({
            "data": list("Webhook"), "pagination": { "$ref": "#/components/schemas/Pagination" },
        })),
        "StreamToken": object(json!({
            "tokenId": text, "streamId": text, "expireDate": number, "type": { "type": "string", "enum": ["play", "publish"] },
            "roomId": { "type": ["string", "null"] },
        })),
        "User": object(json!({ "email": text, "password": text })),
        "Subscriber": object(json!({
            "subscriberId": text, "subscriberName": text, "b32Secret": text,
            "type": { "type": "string", "enum": ["play", "publish", "publish_play"] },
            "totpExpiryPeriodSeconds": number,
        })),
        "ApiKey": object(json!({ "apiKey": text })),
        "Refresh": object(json!({ "refreshToken": text })),
        "Token": object(json!({ "token_type": text, "expires_in": number, "access_token": text, "refresh_token": text })),
        "Answer": object(json!({ "data": {}, "description": text, "status": { "type": "string", "enum": ["SUCCESS", "FAIL"] } })),
    })
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
