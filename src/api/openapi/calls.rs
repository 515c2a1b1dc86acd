//! The calls of each API, as they are described. What all answers of an API have in common is not here.

/// One call.
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    /// Parameters of the query.
    pub(super) query: &'static [&'static str],
    /// The schema of the body, if it has one.
    pub(super) body: Option<&'static str>,
    /// The status of the usual answer, and its schema; none for one without a body of its own.
    pub(super) answer: (u16, Option<&'static str>),
    /// Statuses of refusals, beside those that [`refusals`](super::refusals) knows.
    pub(super) fails: &'static [u16],
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
pub(super) static APIS: [(&str, &[Call]); 7] = [
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
