//! Live streams: made, read, changed, removed, completed.

use super::restreams::{read_all, unmask_all};
use super::{Problem, Shared};
use crate::api::json;
use crate::control::broadcast::Notes;
use crate::control::{Broadcast, ControlError, Endpoint, Patch};
use crate::hub::StreamName;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use rand::Rng;
use serde_json::{Map, Value};
use std::time::SystemTime;

/// Letters and digits behind the `li` of an ID.
const ID: usize = 22;

/// Longest name, in bytes.
const MAX_NAME: usize = 1_024;

/// What a body says of a live stream.
struct Wish {
    name: Option<String>,
    public: Option<bool>,
    player: Option<String>,
    restreams: Option<Vec<Endpoint>>,
}

impl Wish {
    /// Everything that is wrong with the body is told at once.
    fn read(
        shared: &Shared,
        object: &Map<String, Value>,
        needs_name: bool,
    ) -> Result<Self, Problem> {
        let mut problems = Vec::new();
        let name = match object.get("name") {
            None if needs_name => {
                problems.push(Problem::required("name"));
                None
            }
            None => None,
            Some(Value::String(name)) if name.trim().is_empty() => {
                problems.push(Problem::attribute(
                    "name",
                    "This value should not be blank.",
                ));
                None
            }
            Some(Value::String(name)) if name.len() > MAX_NAME => {
                problems.push(Problem::attribute("name", "This value is too long."));
                None
            }
            Some(Value::String(name)) => Some(name.clone()),
            Some(Value::Null) => {
                problems.push(Problem::attribute("name", "This value should not be null."));
                None
            }
            Some(_) => {
                problems.push(Problem::attribute(
                    "name",
                    "This value should be of type string.",
                ));
                None
            }
        };
        let public = match object.get("public") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(public)) => Some(*public),
            Some(_) => {
                let detail = "This value should be of type bool.";
                problems.push(Problem::attribute("public", detail));
                None
            }
        };
        let player = match object.get("playerId") {
            None | Some(Value::Null) => None,
            Some(Value::String(player)) if player.len() <= MAX_NAME => Some(player.clone()),
            Some(_) => {
                let detail = "This value should be of type string.";
                problems.push(Problem::attribute("playerId", detail));
                None
            }
        };
        let restreams = object.get("restreams");
        let restreams = restreams.map(|list| read_all(shared, list, &mut problems));
        match Problem::first_of(problems) {
            Some(problem) => Err(problem),
            None => Ok(Self {
                name,
                public,
                player,
                restreams,
            }),
        }
    }

    fn notes(&self) -> Notes {
        Notes {
            public_stream: self.public,
            player_id: self.player.clone(),
            ..Notes::default()
        }
    }
}

/// The body as an object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    match json::read::<Value>(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::payload("The body should be a JSON object.")),
        Err(error) => Err(Problem::payload(error)),
    }
}

pub(super) async fn create(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Problem> {
    let wish = Wish::read(&shared, &object(&body)?, true)?;
    let names = shared.context.applications.names();
    let app = names.first();
    let id = format!("li{}", random(ID));
    let name = StreamName::new(app.map_or("", String::as_str), &id).map_err(ControlError::Name)?;
    let broadcast = Broadcast {
        name: wish.name.clone(),
        created: SystemTime::now(),
        stream_key: Some(uuid()),
        notes: wish.notes(),
        ..Broadcast::default()
    };
    shared.control.create(name.clone(), broadcast).await?;
    if let Some(restreams) = wish.restreams
        && let Err(error) = shared.control.set_targets(&name, restreams).await
    {
        // Nothing is left of what was refused.
        shared.control.delete(&name).await?;
        return Err(error.into());
    }
    shared.object(&id, &headers)
}

pub(super) async fn read(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    shared.object(&id, &headers)
}

pub(super) async fn update(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Problem> {
    let view = shared.find(&id)?;
    let mut object = object(&body)?;
    if let Some(restreams) = object.get_mut("restreams") {
        unmask_all(restreams, &view.targets);
    }
    let wish = Wish::read(&shared, &object, false)?;
    let patch = Patch {
        name: wish.name.clone(),
        notes: wish.notes(),
        ..Patch::default()
    };
    if let Some(restreams) = wish.restreams {
        shared.control.set_targets(&view.name, restreams).await?;
    }
    shared.control.update(&view.name, &patch).await?;
    shared.object(&id, &headers)
}

pub(super) async fn delete(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response<Body>, Problem> {
    let view = shared.find(&id)?;
    shared.control.delete(&view.name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Ends the broadcast, if it is live.
pub(super) async fn complete(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response<Body>, Problem> {
    let view = shared.find(&id)?;
    match shared.control.stop(&view.name).await {
        Ok(()) | Err(ControlError::NotRunning(_)) => Ok(StatusCode::ACCEPTED.into_response()),
        Err(error) => Err(error.into()),
    }
}

fn random(length: usize) -> String {
    let letters = rand::rng().sample_iter(rand::distr::Alphanumeric);
    letters.take(length).map(char::from).collect()
}

/// A random UUID (RFC 9562 section 5.4).
fn uuid() -> String {
    let bits: u128 = rand::rng().random();
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (4 << 76) | (2 << 62);
    let text = format!("{bits:032x}");
    let mut out = String::with_capacity(36);
    for (at, digit) in text.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_random_uuids() {
        let (one, other) = (uuid(), uuid());
        assert_ne!(one, other);
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(one.chars().nth(14), Some('4'));
        assert!("89ab".contains(one.chars().nth(19).unwrap()));
    }
}
