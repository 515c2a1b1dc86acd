//! The forms of what is sent and answered.

use serde_json::{Value, json};

/// All of them, by name.
pub(super) fn schemas() -> Value {
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
