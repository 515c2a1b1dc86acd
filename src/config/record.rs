//! Table `[record]`: what is recorded, how files are cut and named, and how long they are kept.

use super::{S3, duration};
use crate::hub::StreamName;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Shortest file that may be asked for: thousands of tiny files help nobody.
const SHORTEST: Duration = Duration::from_secs(10);

/// Smallest file that may be asked for, in bytes.
const SMALLEST: u64 = 1 << 20;

/// What files are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// MP4 that survives being cut off at any moment.
    #[default]
    Mp4,
    /// MPEG transport streams.
    Ts,
}

/// Words that a pattern may hold, in braces.
const WORDS: [&str; 3] = ["app", "id", "time"];

/// Table `[record]`. What belongs to a stream can be said for all and, in `rules`, for some.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// Folder of the recordings; without, `recordings` in `data_dir`.
    pub folder: Option<PathBuf>,
    /// Folders whose files may be imported, with all that is in them.
    pub import: Vec<PathBuf>,
    /// Longest file that may be uploaded, in bytes.
    pub upload_bytes: u64,
    /// Room that the disk keeps, in bytes: recordings pause before it gets less.
    pub free_bytes: u64,
    /// The oldest recordings are deleted where the disk has less room than that.
    pub make_room: bool,
    /// All recordings together, in bytes; beyond, the oldest are deleted. 0 for no limit.
    pub total_bytes: u64,
    /// Every stream is recorded, unless its broadcast says otherwise.
    pub always: bool,
    /// What files are.
    pub format: Format,
    /// Pattern of the names of files.
    pub name: String,
    /// Files are cut at the first random access point after so long; zero for never.
    #[serde(with = "duration")]
    pub duration: Duration,
    /// Files are cut at the first random access point after so many bytes; 0 for never.
    pub bytes: u64,
    /// Files are cut where the clock shows a multiple of `duration`.
    pub aligned: bool,
    /// Recordings are deleted so long after their end; zero for never.
    #[serde(with = "duration")]
    pub keep: Duration,
    /// Recordings of one stream together, in bytes; beyond, its oldest are deleted. 0 for no limit.
    pub keep_bytes: u64,
    /// What differs for some streams; the first that names a stream holds.
    pub rules: Vec<Rule>,
    /// The object storage that they are copied to.
    pub s3: S3,
}

/// What differs for some streams. What is not said is as for all.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// `APP/ID`, with `*` for any letters.
    pub streams: String,
    always: Option<bool>,
    format: Option<Format>,
    name: Option<String>,
    #[serde(deserialize_with = "duration::optional")]
    duration: Option<Duration>,
    bytes: Option<u64>,
    aligned: Option<bool>,
    #[serde(deserialize_with = "duration::optional")]
    keep: Option<Duration>,
    keep_bytes: Option<u64>,
}

/// What holds for one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// It is recorded, unless its broadcast says otherwise.
    pub always: bool,
    /// What its files are.
    pub format: Format,
    /// Pattern of the names of its files.
    pub name: String,
    /// Its files are cut after so long; zero for never.
    pub duration: Duration,
    /// Its files are cut after so many bytes; 0 for never.
    pub bytes: u64,
    /// They are cut where the clock shows a multiple of `duration`.
    pub aligned: bool,
    /// They are deleted so long after their end; zero for never.
    pub keep: Duration,
    /// Beyond so many bytes, the oldest are deleted. 0 for no limit.
    pub keep_bytes: u64,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            folder: None,
            import: Vec::new(),
            upload_bytes: 16 << 30,
            free_bytes: 256 << 20,
            make_room: false,
            total_bytes: 0,
            always: false,
            format: Format::Mp4,
            name: "{id}".into(),
            duration: Duration::ZERO,
            bytes: 0,
            aligned: false,
            keep: Duration::ZERO,
            keep_bytes: 0,
            rules: Vec::new(),
            s3: S3::default(),
        }
    }
}

impl Record {
    /// What holds for a stream.
    pub fn plan(&self, stream: &StreamName) -> Plan {
        let mut rules = self.rules.iter();
        let rule = rules.find(|rule| matches(&rule.streams, stream.as_str()));
        self.with(rule)
    }

    fn with(&self, rule: Option<&Rule>) -> Plan {
        let none = Rule::default();
        let rule = rule.unwrap_or(&none);
        Plan {
            always: rule.always.unwrap_or(self.always),
            format: rule.format.unwrap_or(self.format),
            name: rule.name.clone().unwrap_or_else(|| self.name.clone()),
            duration: rule.duration.unwrap_or(self.duration),
            bytes: rule.bytes.unwrap_or(self.bytes),
            aligned: rule.aligned.unwrap_or(self.aligned),
            keep: rule.keep.unwrap_or(self.keep),
            keep_bytes: rule.keep_bytes.unwrap_or(self.keep_bytes),
        }
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let for_all = self.with(None);
        for_all.check().map_err(|(key, message)| match key {
            "name" => ("record.name", message),
            "duration" => ("record.duration", message),
            "bytes" => ("record.bytes", message),
            _ => ("record.aligned", message),
        })?;
        for rule in &self.rules {
            if !rule.streams.contains('/') {
                let message = "each needs streams = \"APP/ID\", where * stands for any letters";
                return Err(("record.rules", message.into()));
            }
            let checked = self.with(Some(rule)).check();
            checked.map_err(|(key, message)| {
                let message = format!("of {:?}: {key} {message}", rule.streams);
                ("record.rules", message)
            })?;
        }
        self.s3.check()
    }
}

impl Rule {
    /// Whether it may be why a recording is deleted.
    pub const fn deletes(&self) -> bool {
        self.keep.is_some() || self.keep_bytes.is_some()
    }
}

impl Plan {
    fn check(&self) -> Result<(), (&'static str, String)> {
        check_pattern(&self.name).map_err(|message| ("name", message))?;
        if !self.duration.is_zero() && self.duration < SHORTEST {
            return Err(("duration", "must be 0s, or at least 10s".into()));
        }
        if self.bytes > 0 && self.bytes < SMALLEST {
            return Err(("bytes", "must be 0, or at least 1048576".into()));
        }
        if self.aligned && self.duration.is_zero() {
            return Err(("aligned", "needs a duration as well".into()));
        }
        Ok(())
    }
}

/// Whether a text is what the pattern says, in which `*` stands for any letters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// What is wrong with a pattern.
fn check_pattern(pattern: &str) -> Result<(), String> {
    for (place, rest) in pattern.split('{').enumerate() {
        let word = rest.split_once('}').map(|(word, _)| word);
        let unknown = match place {
            0 => rest.contains('}').then_some(rest),
            _ => match word {
                Some(word) if WORDS.contains(&word) => None,
                _ => Some(rest),
            },
        };
        if unknown.is_some() {
            return Err("may hold {app}, {id} and {time}, and no other braces".into());
        }
    }
    match pattern.trim().is_empty() || pattern.contains(['/', '\\']) {
        true => Err("must be the name of a file, without a folder".into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_names() {
        for good in ["{id}", "a{time}b{app}", "x"] {
            assert_eq!(check_pattern(good), Ok(()), "{good}");
        }
        for bad in ["", "{name}", "{id", "id}", "a/{id}", "{}", "a\\b"] {
            assert!(check_pattern(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns_of_streams() {
        for (pattern, text, expected) in [
            ("live/cam", "live/cam", true),
            ("live/cam", "live/cam2", false),
            ("live/*", "live/cam", true),
            ("live/*", "LiveApp/cam", false),
            ("*/cam", "live/cam", true),
            ("*/c*m", "live/cm", true),
            ("*/c*a*m", "live/cxxm", false),
            ("*", "live/cam", true),
            ("a*a/x", "a/x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_rule_that_names_a_stream_changes_what_it_says() {
        let record: Record = toml::from_str(
            r#"
            duration = "1h"
            keep = "2days"
            rules = [
                { streams = "live/door*", always = true, keep = "30days" },
                { streams = "live/*", duration = "0s", name = "{app}-{id}", format = "ts" },
            ]
            "#,
        )
        .unwrap();
        assert_eq!(record.check(), Ok(()));
        let plan = |id| record.plan(&StreamName::new("live", id).unwrap());
        let door = plan("door1");
        assert!(door.always && !plan("cam").always);
        assert_eq!((door.format, plan("cam").format), (Format::Mp4, Format::Ts));
        let day = Duration::from_secs(86_400);
        assert_eq!((door.keep, door.duration), (day * 30, day / 24));
        assert_eq!(
            (plan("cam").keep, plan("cam").duration),
            (day * 2, Duration::ZERO)
        );
        assert_eq!(plan("cam").name, "{app}-{id}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, key) in [
            ("duration = \"1s\"", "record.duration"),
            ("bytes = 1000", "record.bytes"),
            ("aligned = true", "record.aligned"),
            ("name = \"{x}\"", "record.name"),
            ("rules = [{ always = true }]", "record.rules"),
            (
                "rules = [{ streams = \"a/*\", duration = \"1s\" }]",
                "record.rules",
            ),
        ] {
            let record: Record = toml::from_str(text).unwrap();
            assert_eq!(record.check().unwrap_err().0, key, "{text}");
        }
        for bad in [
            "rules = [{ streams = \"a/*\", folder = \"x\" }]",
            "keep = 3",
            "format = \"avi\"",
        ] {
            assert!(toml::from_str::<Record>(bad).is_err(), "{bad}");
        }
    }
}
