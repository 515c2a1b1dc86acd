//! The connections of a broadcast whose protocol measures them, which Ant Media Server does not tell.

use super::Shared;
use super::broadcast::millis;
use crate::hub::StreamName;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    protocol: &'static str,
    id: u64,
    state: &'static str,
    remote_addr: String,
    start_time: u64,
    figures: BTreeMap<&'static str, f64>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
) -> Result<Json<Vec<Object>>, StatusCode> {
    let name = StreamName::new(&app, &id).map_err(|_| StatusCode::NOT_FOUND)?;
    shared.control.get(&name).ok_or(StatusCode::NOT_FOUND)?;
    let all = shared.control.connections().into_iter();
    let own = all.filter(|(_, connection)| connection.stream == name);
    let shown = own.map(|(protocol, connection)| Object {
        protocol,
        id: connection.number,
        state: connection.state,
        remote_addr: connection.address.to_string(),
        start_time: millis(connection.since),
        figures: connection.figures.into_iter().collect(),
    });
    Ok(Json(shown.collect()))
}
