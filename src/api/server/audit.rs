//! `/api/v1/audit`: who changed what, when and from where.

use super::Shared;
use crate::auth::Entry;
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

/// Entries that are given at a time where no number is said, and at most.
const USUAL: usize = 100;
const MOST: usize = 1_000;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/v1/audit", get(list))
}

#[derive(Deserialize)]
struct Which {
    limit: Option<usize>,
    /// The number of an entry; those before it are given.
    before: Option<u64>,
}

/// The newest first.
async fn list(State(shared): State<Shared>, Query(which): Query<Which>) -> Json<Vec<Entry>> {
    let count = which.limit.unwrap_or(USUAL).min(MOST);
    Json(shared.context.auth.audit().newest(count, which.before))
}
