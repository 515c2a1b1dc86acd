//! Moving a camera: by steps, by speed, to places, and to those that it remembers.

use super::{Place, Shared, answer, camera, outcome};
use crate::adapters::onvif::ptz::{Action, Motion, Vector};
use crate::api::antmedia::envelope::Outcome;
use crate::control::CameraFailure;
use crate::hub::StreamName;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// A step of the calls that move by one.
const STEP: f64 = 0.1;

/// A continuous motion ends after this many seconds where nothing is said, and after these at most.
const MOTION: f64 = 10.0;
const LONGEST_MOTION: f64 = 60.0;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Movement {
    value_x: f64,
    value_y: f64,
    value_z: f64,
    movement: String,
    /// Ours: seconds after which a continuous motion ends.
    timeout: f64,
}

impl Default for Movement {
    fn default() -> Self {
        Self {
            value_x: 0.0,
            value_y: 0.0,
            value_z: 0.0,
            movement: "relative".to_owned(),
            timeout: MOTION,
        }
    }
}

pub(super) async fn go(
    State(shared): State<Shared>,
    Path((app, id)): Place,
    Query(movement): Query<Movement>,
) -> Outcome {
    if StreamName::new(&app, &id).is_err() {
        return Outcome::failure("Stream id not valid");
    }
    let motion = match movement.movement.to_ascii_lowercase().as_str() {
        "relative" => Motion::Relative,
        "continuous" => Motion::Continuous,
        "absolute" => Motion::Absolute,
        _ => {
            return Outcome::failure(format!(
                "Movement type is not supported. Supported types are continous, relative and absolute but was {}",
                movement.movement
            ));
        }
    };
    let vector = Vector {
        pan: movement.value_x,
        tilt: movement.value_y,
        zoom: movement.value_z,
    };
    let timeout = movement.timeout.clamp(1.0, LONGEST_MOTION);
    step(&shared, &app, &id, motion, vector, timeout).await
}

async fn step(
    shared: &Shared,
    app: &str,
    id: &str,
    motion: Motion,
    vector: Vector,
    timeout: f64,
) -> Outcome {
    // NaN as well.
    let timeout = Duration::try_from_secs_f64(timeout).unwrap_or(Duration::from_secs(1));
    let result = async {
        let camera = camera(shared, app, id)?;
        Ok(camera.go(motion, vector, timeout).await?)
    };
    match result.await {
        // As Ant Media Server has it.
        Err(CameraFailure::Unknown) => Outcome::failure(""),
        result => outcome(result),
    }
}

pub(super) async fn stop(State(shared): State<Shared>, Path((app, id)): Place) -> Outcome {
    let result = async {
        let camera = camera(&shared, &app, &id)?;
        Ok(camera.stop().await?)
    };
    outcome(result.await)
}

async fn one_step(shared: &Shared, (app, id): (String, String), pan: f64, tilt: f64) -> Outcome {
    let vector = Vector {
        pan,
        tilt,
        zoom: 0.0,
    };
    step(shared, &app, &id, Motion::Relative, vector, MOTION).await
}

pub(super) async fn left(State(shared): State<Shared>, Path(place): Place) -> Outcome {
    one_step(&shared, place, -STEP, 0.0).await
}

pub(super) async fn right(State(shared): State<Shared>, Path(place): Place) -> Outcome {
    one_step(&shared, place, STEP, 0.0).await
}

pub(super) async fn up(State(shared): State<Shared>, Path(place): Place) -> Outcome {
    one_step(&shared, place, 0.0, STEP).await
}

pub(super) async fn down(State(shared): State<Shared>, Path(place): Place) -> Outcome {
    one_step(&shared, place, 0.0, -STEP).await
}

pub(super) async fn status(State(shared): State<Shared>, Path((app, id)): Place) -> Response<Body> {
    answer(
        async {
            let camera = camera(&shared, &app, &id)?;
            let status = camera.lock().await.status().await?;
            Ok(json!({
                "pan": status.pan,
                "tilt": status.tilt,
                "zoom": status.zoom,
                "moving": status.moving,
            }))
        }
        .await,
    )
}

pub(super) async fn presets(
    State(shared): State<Shared>,
    Path((app, id)): Place,
) -> Response<Body> {
    answer(
        async {
            let camera = camera(&shared, &app, &id)?;
            let presets = camera.lock().await.presets().await?.into_iter();
            let objects =
                presets.map(|preset| json!({ "token": preset.token, "name": preset.name }));
            Ok(objects.collect::<Vec<_>>())
        }
        .await,
    )
}

#[derive(Deserialize)]
pub(super) struct NewPreset {
    #[serde(default)]
    name: String,
    token: Option<String>,
}

pub(super) async fn set_preset(
    State(shared): State<Shared>,
    Path((app, id)): Place,
    Query(NewPreset { name, token }): Query<NewPreset>,
) -> Outcome {
    let result = async {
        let camera = camera(&shared, &app, &id)?;
        Ok(camera.lock().await.set_preset(name, token).await?)
    };
    match result.await {
        Ok(token) => Outcome::success("", Some(&token)),
        Err(failure) => outcome(Err(failure)),
    }
}

async fn act(shared: &Shared, app: &str, id: &str, action: Action) -> Outcome {
    let result = async {
        let camera = camera(shared, app, id)?;
        Ok(camera.act(action).await?)
    };
    outcome(result.await)
}

pub(super) async fn go_to_preset(
    State(shared): State<Shared>,
    Path((app, id, token)): Path<(String, String, String)>,
) -> Outcome {
    act(&shared, &app, &id, Action::GotoPreset(token)).await
}

pub(super) async fn remove_preset(
    State(shared): State<Shared>,
    Path((app, id, token)): Path<(String, String, String)>,
) -> Outcome {
    act(&shared, &app, &id, Action::RemovePreset(token)).await
}

pub(super) async fn go_home(State(shared): State<Shared>, Path((app, id)): Place) -> Outcome {
    act(&shared, &app, &id, Action::GotoHome).await
}

pub(super) async fn set_home(State(shared): State<Shared>, Path((app, id)): Place) -> Outcome {
    act(&shared, &app, &id, Action::SetHome).await
}
