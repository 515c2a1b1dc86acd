//! Durations as people write them: `500ms`, `10s`, `1m 30s`, `2h`.

use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// For `#[serde(with = …)]`.
///
/// # Errors
/// When the text is not a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|_| {
        serde::de::Error::custom(format!(
            "{text:?} is not a duration such as 500ms, 10s or 1m"
        ))
    })
}

/// For `#[serde(deserialize_with = …)]` of what may be missing.
///
/// # Errors
/// When the text is not a duration.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    deserialize(deserializer).map(Some)
}
