//! `millstream import`: streams, sources and targets of another server's file, into the data folder or as tables for the
//! configuration file; and what `millstream export` has written.
//!
//! `yaml` reads the text, `mediamtx` and `go2rtc` know what it means, `found` what can be taken of it.

mod found;
mod go2rtc;
mod mediamtx;
mod yaml;

#[cfg(test)]
mod tests;

use super::CommandError;
use crate::config::{Config, Secret, StaticStream};
use crate::control::imported;
use crate::control::state::State;
use crate::hub::StreamName;
use crate::net::policy::Policy;
use crate::net::redacted::Redacted;
use crate::store::{Kind, Store, StoreError};
use found::{Found, Judge};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// Takes over what a file has. Returns what is to be said, and whether every stream, source and target was taken.
///
/// # Errors
/// When the file cannot be read, or the data folder is in use.
pub async fn run(
    config: &Config,
    file: &Path,
    as_toml: bool,
) -> Result<(String, bool), CommandError> {
    let place = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| CommandError::Unusable(format!("{place}: {error}")))?;
    if text.trim_start().starts_with('{') && !as_toml {
        return restore(config, &place, &text).await;
    }
    let found = read(config, &place, &text)?;
    let whole = !found.left.iter().any(|left| left.matters);
    if as_toml {
        return Ok((toml(&place, &found), whole));
    }
    let store = Store::open(&config.general.data_dir).map_err(unusable)?;
    let known = store.all::<serde_json::Value>(Kind::Broadcasts);
    let known: BTreeSet<String> = known
        .map_err(unusable)?
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    let mut broadcasts = Vec::new();
    let mut said = String::new();
    for (name, stream) in &found.streams {
        if known.contains(name.as_str()) {
            line(
                &mut said,
                format_args!("left out  {name}: there is one already"),
            );
            continue;
        }
        line(
            &mut said,
            format_args!("taken     {}", in_words(name, stream)),
        );
        broadcasts.push((name, imported(stream)));
    }
    let all_are_new = broadcasts.len() == found.streams.len();
    let documents = broadcasts.iter().map(|(name, kept)| (name.as_str(), kept));
    let kept = store.put_all(Kind::Broadcasts, documents).await;
    kept.map_err(|error| CommandError::Failed(error.to_string()))?;
    for note in notes(&place, &found) {
        line(&mut said, format_args!("{note}"));
    }
    Ok((said, whole && all_are_new))
}

/// Takes over what `millstream export` has written.
async fn restore(config: &Config, place: &str, text: &str) -> Result<(String, bool), CommandError> {
    let unreadable = |words: String| CommandError::Unusable(format!("{place}: {words}"));
    let document: State =
        serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    let broadcasts = document.broadcasts().map_err(unreadable)?;
    let store = Store::open(&config.general.data_dir).map_err(unusable)?;
    let names = |kind| -> Result<BTreeSet<String>, CommandError> {
        let known = store.all::<serde_json::Value>(kind).map_err(unusable)?;
        Ok(known.into_iter().map(|(key, _)| key).collect())
    };
    let known = names(Kind::Broadcasts)?;
    let (old, new): (Vec<_>, Vec<_>) = broadcasts
        .iter()
        .partition(|(name, _)| known.contains(name.as_str()));
    let mut said = String::new();
    for (name, _) in &new {
        line(&mut said, format_args!("taken     {name}"));
    }
    for (name, _) in &old {
        line(
            &mut said,
            format_args!("left out  {name}: there is one already"),
        );
    }
    let failed = |error: StoreError| CommandError::Failed(error.to_string());
    let documents = new.iter().map(|(name, kept)| (name.as_str(), *kept));
    let kept = store.put_all(Kind::Broadcasts, documents).await;
    kept.map_err(failed)?;
    let known = names(Kind::Settings)?;
    let settings = document.settings.iter();
    let settings = settings.filter(|(app, _)| !known.contains(app.as_str()));
    let settings = settings.map(|(app, settings)| (app.as_str(), settings));
    let kept = store.put_all(Kind::Settings, settings).await;
    kept.map_err(failed)?;
    Ok((said, old.is_empty()))
}

/// What a text of either kind has.
fn read(config: &Config, place: &str, text: &str) -> Result<Found, CommandError> {
    let unusable = |words: String| CommandError::Unusable(words);
    let root = yaml::parse(text);
    let root = root.map_err(|(line, words)| unusable(format!("{place}:{line}: {words}")))?;
    let protocols = crate::server::protocols(config);
    let protocols = protocols.map_err(|error| unusable(error.0))?;
    let judge = Judge {
        applications: config.applications(),
        protocols: &protocols,
        policy: Policy::new(config.general.network),
    };
    if mediamtx::is_it(&root) {
        return Ok(mediamtx::read(&root, &judge));
    }
    if go2rtc::is_it(&root) {
        return Ok(go2rtc::read(&root, &judge));
    }
    let words = "has neither paths (mediamtx.yml) nor streams (go2rtc.yaml)";
    Err(unusable(format!("{place}: {words}")))
}

#[expect(clippy::needless_pass_by_value, reason = "for errors that are mapped")]
fn unusable(error: StoreError) -> CommandError {
    let advice = match error {
        StoreError::InUse(_) => {
            ": end the server first, or print tables for its configuration file (--toml)"
        }
        _ => "",
    };
    CommandError::Unusable(format!("{error}{advice}"))
}

/// A stream in a line that holds no secret.
fn in_words(name: &StreamName, stream: &StaticStream) -> String {
    let mut words = name.to_string();
    let shown = |url: &Secret| Redacted(url.reveal()).to_string();
    for (what, urls) in [("from", &stream.source), ("to", &stream.targets)] {
        if !urls.is_empty() {
            let urls: Vec<String> = urls.iter().map(shown).collect();
            let _ = write!(words, " {what} {}", urls.join(", "));
        }
    }
    if stream.on_demand {
        words.push_str(", while somebody watches");
    }
    if stream.record == Some(true) {
        words.push_str(", recorded");
    }
    words
}

/// What is to be known besides.
fn notes(place: &str, found: &Found) -> Vec<String> {
    let renamed = found.renamed.iter();
    let renamed = renamed.map(|(there, here)| format!("renamed   {there:?} is {here} here"));
    let left = found.left.iter();
    let left = left.map(|left| {
        format!(
            "left out  {place}:{}: {}: {}",
            left.line, left.key, left.why
        )
    });
    // A name of the file may hold line ends.
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let notes = renamed.chain(left);
    notes
        .map(|note| note.chars().map(plain).collect())
        .collect()
}

/// Tables for the configuration file; what is to be known stands before them.
fn toml(place: &str, found: &Found) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("# Taken over from {place}."));
    for note in notes(place, found) {
        line(&mut text, format_args!("# {note}"));
    }
    for (name, stream) in &found.streams {
        line(&mut text, format_args!("\n[stream.\"{name}\"]"));
        for (key, urls) in [("source", &stream.source), ("targets", &stream.targets)] {
            let urls: Vec<String> = urls.iter().map(|url| quoted(url.reveal())).collect();
            match urls.as_slice() {
                [] => {}
                [one] => line(&mut text, format_args!("{key} = {one}")),
                all => line(&mut text, format_args!("{key} = [{}]", all.join(", "))),
            }
        }
        if stream.on_demand {
            line(&mut text, format_args!("on_demand = true"));
        }
        if let Some(record) = stream.record {
            line(&mut text, format_args!("record = {record}"));
        }
    }
    text
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{words}");
}
