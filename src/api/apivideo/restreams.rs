//! Restreams: read of bodies, and, which api.video has not, one by one.

use super::object::{Restream, server_and_key};
use super::routes::object;
use super::{Problem, Shared};
use crate::api::masking;
use crate::api::place::{self, Form};
use crate::control::targets::{TargetPatch, TargetView};
use crate::control::{Endpoint, View};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Most that is wrong in one body and told.
const MAX_PROBLEMS: usize = 20;

/// What is wrong with an RTMP URL that has no application.
const NO_APP: &str = "Missing app name: [rtmp|rtmps]://[host]/[app name].";

/// Puts back what only comes as it is shown to those who may not see it, of restreams that are known by that.
pub(super) fn unmask_all(list: &mut Value, known: &[TargetView]) {
    for restream in list.as_array_mut().into_iter().flatten() {
        let Value::Object(restream) = restream else {
            continue;
        };
        let name = restream.get("name").and_then(Value::as_str);
        let mut known = known.iter().map(|view| &view.endpoint);
        if let Some(known) = known.find(|known| known.name.as_deref() == name) {
            let known = known.clone();
            unmask(restream, &known);
        }
    }
}

fn unmask(restream: &mut Map<String, Value>, known: &Endpoint) {
    let (server, key) = server_and_key(known);
    for (field, kept) in [("serverUrl", server), ("streamKey", key)] {
        if let Some(Value::String(given)) = restream.get_mut(field)
            && masking::is_shown_for(field, given, &kept)
        {
            *given = kept;
        }
    }
}

/// Reads a list of restreams; what is wrong with it is added to the problems.
pub(super) fn read_all(
    shared: &Shared,
    list: &Value,
    problems: &mut Vec<Problem>,
) -> Vec<Endpoint> {
    let Value::Array(list) = list else {
        let detail = "This value should be of type array.";
        problems.push(Problem::attribute("restreams", detail));
        return Vec::new();
    };
    let mut restreams = Vec::new();
    for (number, restream) in list.iter().enumerate() {
        let at = format!("restreams[{number}]");
        let Value::Object(restream) = restream else {
            problems.push(Problem::attribute(
                at,
                "This value should be of type object.",
            ));
            continue;
        };
        let mut of_this = Vec::new();
        let endpoint = read_one(
            shared,
            restream,
            &|field| format!("{at}[{field}]"),
            &mut of_this,
        );
        problems.extend(of_this);
        restreams.extend(endpoint);
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
    }
    restreams
}

/// Reads a restream; what is wrong with it is added to the problems.
fn read_one(
    shared: &Shared,
    restream: &Map<String, Value>,
    name_of: &dyn Fn(&str) -> String,
    problems: &mut Vec<Problem>,
) -> Option<Endpoint> {
    let mut text = |field: &str, may_be_blank: bool| match restream.get(field) {
        Some(Value::String(text)) if may_be_blank || !text.trim().is_empty() => {
            Some(text.trim().to_owned())
        }
        None | Some(Value::Null) if may_be_blank => Some(String::new()),
        Some(Value::String(_)) => {
            problems.push(Problem::attribute(
                name_of(field),
                "This value should not be blank.",
            ));
            None
        }
        None | Some(Value::Null) => {
            problems.push(Problem::attribute(
                name_of(field),
                "This value should not be null.",
            ));
            None
        }
        Some(_) => {
            let detail = "This value should be of type string.";
            problems.push(Problem::attribute(name_of(field), detail));
            None
        }
    };
    let name = text("name", false);
    let server = text("serverUrl", false);
    // Where the server's URL says all, there is none.
    let needs_key = server.as_deref().is_none_or(place::has_names);
    let key = text("streamKey", !needs_key);
    let (name, server, key) = (name?, server?, key?);
    let paused = restream.get("paused") == Some(&Value::Bool(true));
    let url = match url(&server, &key) {
        Ok(url) => url,
        Err(detail) => {
            problems.push(Problem::attribute(name_of("serverUrl"), detail));
            return None;
        }
    };
    if let Err(error) = shared.control.check_target(&url) {
        problems.push(Problem::attribute(name_of("serverUrl"), error.to_string()));
        return None;
    }
    let said = [("serverUrl", server), ("streamKey", key)];
    let said = said.map(|(key, value)| (key.to_owned(), value));
    Some(Endpoint {
        name: Some(name),
        paused,
        said: BTreeMap::from(said),
        ..Endpoint::to(&url)
    })
}

/// The URL of the model.
fn url(server: &str, key: &str) -> Result<String, &'static str> {
    if key.contains(['#', ' ']) {
        return Err("The stream key may hold neither white space nor #.");
    }
    let form = place::form(server);
    if form == Form::Messages {
        let rest = server.split_once("://").map_or("", |(_, rest)| rest);
        let app = rest.split_once('/').map_or("", |(_, app)| app);
        if app.trim_matches('/').is_empty() {
            return Err(NO_APP);
        }
    }
    Ok(match form {
        Form::Messages | Form::Sessions => place::join(server, key),
        Form::StreamId => place::with_stream_id(server, key),
        Form::Token => place::with_token(server, key),
        Form::Packets => server.to_owned(),
    })
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response<Body>, Problem> {
    let view = shared.find(&id)?;
    let restreams: Vec<Restream> = view.targets.iter().map(Restream::new).collect();
    Ok(Json(restreams).into_response())
}

pub(super) async fn add(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response<Body>, Problem> {
    let view = shared.find(&id)?;
    let wish = one(&shared, &object(&body)?)?;
    let added = shared.control.push(&view.name, wish).await?;
    let restream = shown(&shared, &id, &added.id)?;
    Ok((StatusCode::CREATED, restream).into_response())
}

pub(super) async fn read(
    State(shared): State<Shared>,
    Path((id, restream)): Path<(String, String)>,
) -> Result<Response<Body>, Problem> {
    Ok(shown(&shared, &id, &restream)?.into_response())
}

/// Changes what is given of a restream; `paused` lets it stand still or go on.
pub(super) async fn update(
    State(shared): State<Shared>,
    Path((id, restream)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response<Body>, Problem> {
    let view = shared.find(&id)?;
    let known = target(&view, &restream)?;
    let mut given = object(&body)?;
    unmask(&mut given, &known.endpoint);
    let paused = match given.get("paused") {
        None => None,
        Some(Value::Bool(paused)) => Some(*paused),
        Some(_) => {
            let detail = "This value should be of type bool.";
            return Err(Problem::attribute("paused", detail));
        }
    };
    let (server, key) = server_and_key(&known.endpoint);
    let name = known.endpoint.name.clone();
    let mut whole = Map::new();
    whole.insert(
        "name".to_owned(),
        name.unwrap_or_else(|| restream.clone()).into(),
    );
    whole.insert("serverUrl".to_owned(), server.into());
    whole.insert("streamKey".to_owned(), key.into());
    whole.extend(given.clone());
    let moves = given.contains_key("serverUrl") || given.contains_key("streamKey");
    let mut patch = TargetPatch {
        paused,
        ..TargetPatch::default()
    };
    if moves || given.contains_key("name") {
        let wish = one(&shared, &whole)?;
        patch.name = given.contains_key("name").then_some(wish.name).flatten();
        patch.place = moves.then_some((wish.url, wish.said));
    }
    let changed = shared.control.change_target(&view.name, &restream, patch);
    changed.await?;
    Ok(shown(&shared, &id, &restream)?.into_response())
}

pub(super) async fn remove(
    State(shared): State<Shared>,
    Path((id, restream)): Path<(String, String)>,
) -> Result<Response<Body>, Problem> {
    let view = shared.find(&id)?;
    shared.control.remove_target(&view.name, &restream).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn one(shared: &Shared, restream: &Map<String, Value>) -> Result<Endpoint, Problem> {
    let mut problems = Vec::new();
    let endpoint = read_one(shared, restream, &str::to_owned, &mut problems);
    let problem = Problem::first_of(problems);
    endpoint.ok_or_else(|| problem.unwrap_or_else(|| Problem::payload("This is no restream.")))
}

fn target<'a>(view: &'a View, restream: &str) -> Result<&'a TargetView, Problem> {
    let mut targets = view.targets.iter();
    let found = targets.find(|target| target.endpoint.id == restream);
    found.ok_or_else(|| Problem::not_found("restreamId"))
}

fn shown(shared: &Shared, id: &str, restream: &str) -> Result<Json<Restream>, Problem> {
    let view = shared.find(id)?;
    Ok(Json(Restream::new(target(&view, restream)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_and_key_become_a_url() {
        for (server, key, expected) in [
            (
                "rtmp://a.rtmp.youtube.com/live2",
                "x-y",
                Ok("rtmp://a.rtmp.youtube.com/live2/x-y"),
            ),
            (
                "rtmps://a:443/rtmp/",
                "FB-1?s=2",
                Ok("rtmps://a:443/rtmp/FB-1?s=2"),
            ),
            (
                "srt://a:1#latency=2s",
                "k/e",
                Ok("srt://a:1?streamid=k%2Fe#latency=2s"),
            ),
            (
                "srt://a:1?latency=9",
                "k",
                Ok("srt://a:1?latency=9&streamid=k"),
            ),
            ("srt://a:1?streamid=x", "k", Ok("srt://a:1?streamid=x")),
            ("rtsp://a/b", "c", Ok("rtsp://a/b/c")),
            ("udp://239.1.1.1:5000", "", Ok("udp://239.1.1.1:5000")),
            ("rtmp://a", "k", Err(NO_APP)),
            ("rtmp://a/", "k", Err(NO_APP)),
            (
                "rtmp://a/b",
                "k#x",
                Err("The stream key may hold neither white space nor #."),
            ),
        ] {
            assert_eq!(
                url(server, key).as_deref(),
                expected.as_ref().copied(),
                "{server}"
            );
        }
    }
}
