//! Cameras: found, moved, seen and set. The calls that Ant Media Server has answer as its own do; the others are
//! ours, and refuse with a status.

mod motion;
mod settings;

use super::Shared;
use super::envelope::{Outcome, refusal};
use crate::adapters::onvif;
use crate::adapters::onvif::profiles::Profile;
use crate::control::{CameraFailure, Handle, Kind};
use crate::hub::StreamName;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The camera was not reached, or answered nonsense.
const CONNECT_ERROR: i32 = -1;
/// User and password are not accepted.
const AUTHENTICATION_ERROR: i32 = -2;

/// How long is looked for cameras. They have up to half a second to answer (APP_MAX_DELAY), and datagrams get lost.
const SEARCH: Duration = Duration::from_secs(3);

/// All calls below `/{id}/ip-camera`.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/device-profiles", get(profiles))
        .route("/move", post(motion::go))
        .route("/stop-move", post(motion::stop))
        .route("/move-left", post(motion::left))
        .route("/move-right", post(motion::right))
        .route("/move-up", post(motion::up))
        .route("/move-down", post(motion::down))
        .route("/status", get(motion::status))
        .route("/presets", get(motion::presets).post(motion::set_preset))
        .route(
            "/presets/{token}",
            post(motion::go_to_preset).delete(motion::remove_preset),
        )
        .route("/home", post(motion::go_home).put(motion::set_home))
        .route("/information", get(information))
        .route("/network", get(network))
        .route("/users", get(users))
        .route(
            "/imaging",
            get(settings::imaging).put(settings::set_imaging),
        )
        .route("/encoders", get(settings::encoders))
        .route("/encoders/{token}", put(settings::set_encoder))
        .route("/snapshot", get(snapshot))
        .route("/events", get(events))
        .route("/reboot", post(reboot))
}

type Place = Path<(String, String)>;

fn camera(shared: &Shared, app: &str, id: &str) -> Result<Arc<Handle>, CameraFailure> {
    let name = StreamName::new(app, id).map_err(|_| CameraFailure::Unknown)?;
    shared.control.camera(&name)
}

/// The number that Ant Media Server has for what went wrong.
fn error_id(failure: &CameraFailure) -> i32 {
    match failure {
        CameraFailure::Camera(error) if error.is_unauthorized() => AUTHENTICATION_ERROR,
        _ => CONNECT_ERROR,
    }
}

/// A camera that is to be added does not answer.
pub(super) fn could_not_connect(address: &str, failure: &CameraFailure) -> Outcome {
    if let CameraFailure::Forbidden(refused) = failure {
        return Outcome::failure(refused.to_string());
    }
    let address = crate::net::redacted::Redacted(address);
    let error_id = error_id(failure);
    Outcome {
        error_id,
        ..Outcome::failure(format!(
            "Could not connect to {address} result:{error_id} {failure}"
        ))
    }
}

/// Of the calls that Ant Media Server has.
fn outcome(result: Result<(), CameraFailure>) -> Outcome {
    match result {
        Ok(()) => Outcome::success("", None),
        Err(CameraFailure::Unknown) => Outcome::failure("Camera not found"),
        Err(failure) => Outcome {
            error_id: error_id(&failure),
            ..Outcome::failure(failure.to_string())
        },
    }
}

/// Of our own.
fn answer<T: Serialize>(result: Result<T, CameraFailure>) -> Response<Body> {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(failure) => {
            let status = match failure {
                CameraFailure::Unknown => StatusCode::NOT_FOUND,
                CameraFailure::NoAddress | CameraFailure::Source(_) => StatusCode::CONFLICT,
                CameraFailure::Forbidden(_) => StatusCode::FORBIDDEN,
                CameraFailure::Camera(_) => StatusCode::BAD_GATEWAY,
            };
            (status, Json(outcome(Err(failure)))).into_response()
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Details {
    /// Objects in place of addresses.
    #[serde(default)]
    details: bool,
}

pub(super) async fn discover(
    State(shared): State<Shared>,
    Path(app): Path<String>,
    Query(Details { details }): Query<Details>,
) -> Response<Body> {
    let devices = match onvif::discover(SEARCH).await {
        Ok(devices) => devices,
        Err(error) => {
            let words = format!("cannot look for cameras: {error}");
            return refusal(StatusCode::SERVICE_UNAVAILABLE, &words);
        }
    };
    if !details {
        let addresses: Vec<_> = devices.into_iter().map(|device| device.address).collect();
        return Json(addresses).into_response();
    }
    let known: Vec<_> = shared
        .control
        .list(&app)
        .into_iter()
        .filter(|view| view.broadcast.kind == Kind::IpCamera)
        .filter_map(|view| view.broadcast.ip_addr)
        .collect();
    let object = |device: onvif::Device| {
        let is_known = known
            .iter()
            .any(|address| onvif::is_address_of(address, &device.address));
        let mut object = serde_json::to_value(&device).unwrap_or_default();
        if let Value::Object(object) = &mut object {
            object.insert("added".to_owned(), is_known.into());
        }
        object
    };
    Json(devices.into_iter().map(object).collect::<Vec<_>>()).into_response()
}

fn profile(profile: &Profile, url: Option<&str>) -> Value {
    json!({
        "token": profile.token,
        "name": profile.name,
        "video": profile.encoder.as_ref().map(settings::encoder),
        "audio": profile.audio,
        "movable": profile.ptz.is_some(),
        "streamUrl": url,
    })
}

async fn profiles(
    State(shared): State<Shared>,
    Path((app, id)): Place,
    Query(Details { details }): Query<Details>,
) -> Response<Body> {
    answer(
        async {
            let camera = camera(&shared, &app, &id)?;
            let streams = camera.lock().await.streams().await?;
            let streams = streams.into_iter();
            let values: Vec<_> = match details {
                true => streams
                    .map(|(found, url)| profile(&found, url.as_deref()))
                    .collect(),
                false => streams
                    .filter_map(|(_, url)| url.map(Value::from))
                    .collect(),
            };
            Ok(values)
        }
        .await,
    )
}

async fn information(State(shared): State<Shared>, Path((app, id)): Place) -> Response<Body> {
    answer(
        async {
            let camera = camera(&shared, &app, &id)?;
            let mut camera = camera.lock().await;
            let information = camera.information().await?;
            Ok(json!({
                "manufacturer": information.manufacturer,
                "model": information.model,
                "firmware": information.firmware,
                "serialNumber": information.serial_number,
                "hardware": information.hardware,
                "clockOffset": camera.clock_offset(),
            }))
        }
        .await,
    )
}

async fn network(State(shared): State<Shared>, Path((app, id)): Place) -> Response<Body> {
    answer(
        async {
            let camera = camera(&shared, &app, &id)?;
            let interfaces = camera.lock().await.interfaces().await?.into_iter();
            let objects = interfaces.map(|interface| {
                json!({
                    "name": interface.name,
                    "hardwareAddress": interface.hardware,
                    "addresses": interface.addresses,
                    "dhcp": interface.dhcp,
                })
            });
            Ok(objects.collect::<Vec<_>>())
        }
        .await,
    )
}

async fn users(State(shared): State<Shared>, Path((app, id)): Place) -> Response<Body> {
    answer(
        async {
            let camera = camera(&shared, &app, &id)?;
            let users = camera.lock().await.users().await?.into_iter();
            let objects = users.map(|(name, level)| json!({ "name": name, "level": level }));
            Ok(objects.collect::<Vec<_>>())
        }
        .await,
    )
}

async fn snapshot(State(shared): State<Shared>, Path((app, id)): Place) -> Response<Body> {
    let result = async {
        let camera = camera(&shared, &app, &id)?;
        Ok(camera.lock().await.snapshot().await?)
    };
    let snapshot = match result.await {
        Ok(snapshot) => snapshot,
        Err(failure) => return answer::<()>(Err(failure)),
    };
    let is_picture = snapshot.content_type.starts_with("image/");
    // A page of a camera is not to be run as one of ours.
    let content_type = match is_picture && !snapshot.content_type.contains("svg") {
        true => HeaderValue::try_from(snapshot.content_type),
        false => Ok(HeaderValue::from_static("image/jpeg")),
    };
    let mut response = Response::new(Body::from(snapshot.body));
    let headers = response.headers_mut();
    headers.extend(content_type.map(|value| (header::CONTENT_TYPE, value)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// Waits some seconds for what the camera notices.
async fn events(State(shared): State<Shared>, Path((app, id)): Place) -> Response<Body> {
    answer(
        async {
            let camera = camera(&shared, &app, &id)?;
            let events = camera.listen().await.events().await?.into_iter();
            let items = |pairs: Vec<(String, String)>| {
                let pairs = pairs.into_iter().map(|(name, value)| (name, value.into()));
                Value::Object(pairs.collect())
            };
            let objects = events.map(|event| {
                json!({
                    "topic": event.topic,
                    "time": event.time,
                    "operation": event.operation,
                    "source": items(event.source),
                    "data": items(event.data),
                })
            });
            Ok(objects.collect::<Vec<_>>())
        }
        .await,
    )
}

async fn reboot(State(shared): State<Shared>, Path((app, id)): Place) -> Outcome {
    let result = async {
        let camera = camera(&shared, &app, &id)?;
        Ok(camera.lock().await.reboot().await?)
    };
    match result.await {
        Ok(said) => Outcome::success(&said, None),
        Err(failure) => outcome(Err(failure)),
    }
}
