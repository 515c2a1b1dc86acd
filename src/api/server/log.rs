//! The log, as far back as it is remembered and as it goes on, for who may not look at the server's standard error.

use super::sse::{self, NOTHING, QUIET};
use super::{Shared, refusal};
use crate::api::antmedia::millis;
use crate::auth::Identity;
use crate::telemetry::{Line, recent};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tracing::Level;

/// Lines are sent together that come within this time. It bounds what sending them may add to the log in its turn.
const TOGETHER: Duration = Duration::from_millis(250);

/// Longest text that is looked for, in bytes.
const MAX_TEXT: usize = 200;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/v1/log", get(listen))
}

#[derive(Deserialize)]
struct Wanted {
    level: Option<String>,
    text: Option<String>,
    after: Option<u64>,
}

/// Which lines are wanted.
struct Filter {
    level: Level,
    /// In small letters; empty for all.
    text: String,
}

impl Filter {
    fn takes(&self, line: &Line) -> bool {
        let text = || line.text().to_lowercase().contains(&self.text);
        line.level <= self.level && (self.text.is_empty() || text())
    }
}

#[derive(Serialize)]
struct Object<'a> {
    number: u64,
    time: u64,
    level: &'a str,
    target: &'a str,
    text: String,
}

/// The lines that are wanted, as one event; none where there are none.
fn event(lines: &[Arc<Line>], filter: &Filter) -> Option<Bytes> {
    let objects = lines.iter().filter(|line| filter.takes(line));
    let objects: Vec<_> = objects
        .map(|line| Object {
            number: line.number,
            time: millis(line.time),
            level: line.level.as_str(),
            target: line.target,
            text: line.text(),
        })
        .collect();
    if objects.is_empty() {
        return None;
    }
    let data = serde_json::to_string(&objects).unwrap_or_default();
    Some(sse::event("lines", &data))
}

async fn listen(
    State(shared): State<Shared>,
    Extension(identity): Extension<Identity>,
    Query(query): Query<Wanted>,
) -> Response {
    let level = query.level.as_deref().unwrap_or("info").parse::<Level>();
    let Ok(level) = level else {
        let words = "level is error, warn, info, debug or trace";
        return refusal(StatusCode::BAD_REQUEST, words);
    };
    let text = query.text.unwrap_or_default().to_lowercase();
    if text.len() > MAX_TEXT {
        return refusal(StatusCode::BAD_REQUEST, "text is longer than 200 bytes");
    }
    let Ok(place) = shared.listeners.try_acquire_owned() else {
        return sse::full();
    };
    let filter = Filter { level, text };
    let from = query.after.map_or(0, |after| after.saturating_add(1));
    let state = (from, true, filter, place);
    let events = stream::unfold(state, |(from, is_first, filter, place)| async move {
        let is_there = timeout(QUIET, recent().wait(from)).await.is_ok();
        if is_there && !is_first {
            sleep(TOGETHER).await;
        }
        let (lines, next) = recent().since(from);
        let said = event(&lines, &filter).unwrap_or(NOTHING);
        Some((said, (next, false, filter, place)))
    });
    sse::respond(events, shared.context, identity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn lines_are_chosen_by_level_and_text() {
        let line = |level, text: &str| {
            Arc::new(Line {
                number: 7,
                time: SystemTime::UNIX_EPOCH,
                level,
                target: "millstream::hub",
                message: text.to_owned(),
                fields: Vec::new(),
            })
        };
        let lines = [
            line(Level::WARN, "Camera <lost>"),
            line(Level::DEBUG, "camera"),
        ];
        let said = |level, text: &str| {
            let text = text.to_owned();
            let said = event(&lines, &Filter { level, text });
            said.map(|said| String::from_utf8(said.to_vec()).unwrap())
        };
        let all = said(Level::DEBUG, "camera").unwrap();
        assert_eq!(all.matches("\"number\":7").count(), 2, "{all}");
        assert_eq!(
            said(Level::INFO, "").as_deref(),
            Some(
                "event: lines\ndata: [{\"number\":7,\"time\":0,\"level\":\"WARN\",\"target\":\"millstream::hub\",\"text\":\"Camera <lost>\"}]\n\n"
            )
        );
        assert_eq!(said(Level::TRACE, "nothing"), None);
    }
}
