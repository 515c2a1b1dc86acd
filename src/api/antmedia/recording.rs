//! Starting and stopping recordings, what is recorded of a stream from when to when, and any stretch of it as one file.

use super::Shared;
use super::broadcast::millis;
use super::envelope::{Outcome, control_failure, refusal};
use crate::config::record::Format;
use crate::control::ControlError;
use crate::control::recordings::{ExportFailure, Recorded, Timeline};
use crate::hub::StreamName;
use crate::net::pieces;
use crate::record::export::ExportError;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use axum::response::IntoResponse;
use mp4::index::ExcerptError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Two stretches that are so close are one: files that follow each other are cut within a frame.
const SEAM: Duration = Duration::from_millis(1_500);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct How {
    record_type: Option<String>,
    file_name: Option<String>,
}

pub(super) async fn set(
    State(shared): State<Shared>,
    Path((app, id, record)): Path<(String, String, bool)>,
    Query(how): Query<How>,
) -> Response<Body> {
    let kind = how.record_type.as_deref().unwrap_or("mp4");
    let unknown = || {
        Outcome::failure(format!(
            "No stream for this id: {id} or unexpected record type. Record type is {kind}"
        ))
        .into_response()
    };
    let format = match how.record_type.as_deref() {
        None => None,
        Some(kind) if kind.eq_ignore_ascii_case("mp4") => Some(Format::Mp4),
        Some(kind) if kind.eq_ignore_ascii_case("ts") => Some(Format::Ts),
        Some(_) => return unknown(),
    };
    let Ok(name) = StreamName::new(&app, &id) else {
        return unknown();
    };
    let control = &shared.control;
    match control
        .set_recording(&name, record, how.file_name.as_deref(), format)
        .await
    {
        Ok(begun) => Outcome {
            success: true,
            message: begun.as_ref().map(|(_, since)| millis(*since).to_string()),
            data_id: begun.map(|(id, _)| id),
            error_id: 0,
        }
        .into_response(),
        Err(ControlError::Unknown(_)) => unknown(),
        Err(ControlError::RecordingState(_)) => {
            let word = if record { "started" } else { "stopped" };
            Outcome::failure(format!("mp4 recording couldn't be {word}")).into_response()
        }
        Err(error) => control_failure(&error),
    }
}

/// A stretch of time. Moments are milliseconds since 1970, or as in RFC 3339.
#[derive(Deserialize)]
pub(super) struct Range {
    start: Option<String>,
    end: Option<String>,
}

impl Range {
    /// From and to so long after 1970; all time where nothing is said.
    fn read(&self) -> Result<(Duration, Duration), String> {
        let moment = |text: &Option<String>, otherwise| match text.as_deref().map(str::trim) {
            None | Some("") => Ok(otherwise),
            Some(text) => moment(text).ok_or_else(|| {
                format!("{text:?} is no moment such as 1795789274000 or 2026-11-27T14:21:14Z")
            }),
        };
        let from = moment(&self.start, Duration::ZERO)?;
        let until = moment(&self.end, Duration::MAX)?;
        match from < until {
            true => Ok((from, until)),
            false => Err("the end is not after the start".into()),
        }
    }
}

fn moment(text: &str) -> Option<Duration> {
    if let Ok(millis) = text.parse() {
        return Some(Duration::from_millis(millis));
    }
    // A plus that nobody encoded is a space by now.
    let at = humantime::parse_rfc3339_weak(text).ok()?;
    at.duration_since(SystemTime::UNIX_EPOCH).ok()
}

/// What is recorded, oldest first, and what is not in between.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct TimelineObject {
    stream_id: String,
    /// `recording`, `paused` or `off`.
    state: &'static str,
    /// Why it is paused.
    reason: Option<String>,
    /// Since when it is paused.
    paused_since: u64,
    /// ID of the recording that is being made.
    vod_id: Option<String>,
    recorded: Vec<StretchObject>,
    gaps: Vec<GapObject>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StretchObject {
    start: u64,
    end: u64,
    vod_id: String,
    vod_name: String,
    /// Where in the file it begins, in milliseconds.
    offset: u64,
    /// The file is complete.
    finished: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct GapObject {
    start: u64,
    end: u64,
}

impl TimelineObject {
    fn new(name: &StreamName, timeline: Timeline) -> Self {
        let state = match (&timeline.paused, timeline.recording) {
            (Some(_), true) => "paused",
            (None, true) => "recording",
            (_, false) => "off",
        };
        let paused = timeline.paused.filter(|_| timeline.recording);
        let file = timeline.file.filter(|_| timeline.recording);
        Self {
            stream_id: name.id().to_owned(),
            state,
            paused_since: paused.as_ref().map_or(0, |paused| millis(paused.since)),
            reason: paused.map(|paused| paused.reason),
            vod_id: file.map(|(id, _)| id),
            gaps: gaps(&timeline.recorded),
            recorded: timeline.recorded.into_iter().map(stretch).collect(),
        }
    }
}

fn stretch(recorded: Recorded) -> StretchObject {
    let Recorded { vod, span } = recorded;
    StretchObject {
        start: in_millis(span.since_1970),
        end: in_millis(span.until_1970()),
        vod_id: vod.id,
        vod_name: vod.file,
        offset: in_millis(span.at),
        finished: vod.finished.is_some(),
    }
}

fn gaps(recorded: &[Recorded]) -> Vec<GapObject> {
    let mut gaps = Vec::new();
    let mut until: Option<Duration> = None;
    for Recorded { span, .. } in recorded {
        if let Some(until) = until
            && span.since_1970 > until + SEAM
        {
            gaps.push(GapObject {
                start: in_millis(until),
                end: in_millis(span.since_1970),
            });
        }
        until = until.max(Some(span.until_1970()));
    }
    gaps
}

fn in_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) async fn timeline(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    Query(range): Query<Range>,
) -> Response<Body> {
    let (name, (from, until)) = match (StreamName::new(&app, &id), range.read()) {
        (Ok(name), Ok(range)) => (name, range),
        (Err(error), _) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
        (_, Err(error)) => return refusal(StatusCode::BAD_REQUEST, &error),
    };
    let timeline = shared.control.timeline(&name, from, until).await;
    Json(TimelineObject::new(&name, timeline)).into_response()
}

pub(super) async fn export(
    State(shared): State<Shared>,
    Path((app, id)): Path<(String, String)>,
    Query(range): Query<Range>,
    method: Method,
    headers: HeaderMap,
) -> Response<Body> {
    let (name, (from, until)) = match (StreamName::new(&app, &id), range.read()) {
        (Ok(name), Ok(range)) => (name, range),
        (Err(error), _) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
        (_, Err(error)) => return refusal(StatusCode::BAD_REQUEST, &error),
    };
    let mut export = match shared.control.export(&name, from, until).await {
        Ok(export) => export,
        Err(error) => return export_failure(&name, &error),
    };
    let since_1970 = export.since_1970;
    let head = std::mem::take(&mut export.whole.head);
    let pieces = std::mem::take(&mut export.whole.pieces);
    let mut response = pieces::respond(
        head,
        pieces,
        Arc::new(move |source| export.open(source)),
        "video/mp4",
        &method,
        &headers,
    );
    let began = humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since_1970);
    let began = began.to_string().replace(':', "-");
    let attachment = format!("attachment; filename=\"{}-{began}.mp4\"", name.id());
    let headers = response.headers_mut();
    headers.extend(
        HeaderValue::try_from(attachment).map(|value| (header::CONTENT_DISPOSITION, value)),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn export_failure(name: &StreamName, failure: &ExportFailure) -> Response<Body> {
    let status = match failure {
        ExportFailure::Nothing => StatusCode::NOT_FOUND,
        ExportFailure::Remote(_) | ExportFailure::Transport(_) => StatusCode::CONFLICT,
        ExportFailure::TooMany => StatusCode::PAYLOAD_TOO_LARGE,
        ExportFailure::Export(ExportError::Excerpt { error, .. }) => match error {
            ExcerptError::Empty => StatusCode::NOT_FOUND,
            ExcerptError::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            ExcerptError::OtherTracks => StatusCode::CONFLICT,
            ExcerptError::Index(_) => StatusCode::INTERNAL_SERVER_ERROR,
        },
        ExportFailure::Export(ExportError::File(_)) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(stream = %name, error = %failure, "a recording cannot be exported");
        return refusal(status, "a recording cannot be read");
    }
    refusal(status, &failure.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::recordings::vod::Vod;
    use crate::record::Span;

    #[test]
    fn moments_and_ranges() {
        let read = |start: Option<&str>, end: Option<&str>| {
            let range = Range {
                start: start.map(str::to_owned),
                end: end.map(str::to_owned),
            };
            range.read()
        };
        let second = Duration::from_secs;
        assert_eq!(read(None, None), Ok((second(0), Duration::MAX)));
        assert_eq!(read(Some(""), Some(" ")), Ok((second(0), Duration::MAX)));
        assert_eq!(read(Some("1000"), Some("2000")), Ok((second(1), second(2))));
        assert_eq!(
            read(Some("1970-01-01T00:01:00Z"), Some("1970-01-01 00:02:00.5")),
            Ok((second(60), Duration::from_millis(120_500)))
        );
        for (start, end) in [("x", "1"), ("2", "1"), ("1", "1"), ("-1", "5")] {
            assert!(read(Some(start), Some(end)).is_err(), "{start} {end}");
        }
    }

    #[test]
    fn what_is_missing_between_stretches_is_told() {
        let recorded = |since, length| Recorded {
            vod: Vod::default(),
            span: Span {
                at: Duration::ZERO,
                since_1970: Duration::from_millis(since),
                length: Duration::from_millis(length),
            },
        };
        let all = [
            recorded(1_000, 10_000),
            recorded(2_000, 1_000),
            recorded(12_000, 5_000),
            recorded(20_000, 1_000),
        ];
        let gap = GapObject {
            start: 17_000,
            end: 20_000,
        };
        assert_eq!(gaps(&all), [gap]);
    }
}
