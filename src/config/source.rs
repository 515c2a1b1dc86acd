//! Where settings come from, and errors that say where.

use super::{Config, ConfigError, General};
use serde::de::DeserializeOwned;
use std::path::Path;
use toml::{Table, Value};

/// Environment variables of this beginning are settings: `MILLSTREAM_HTTP__LISTEN` is `http.listen`.
const PREFIX: &str = "MILLSTREAM_";

/// Variables of that beginning which are not settings.
const NOT_SETTINGS: [&str; 2] = ["MILLSTREAM_CORPUS", "MILLSTREAM_CHROMIUM"];

/// Settings from outside the file, in rising order of rank.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// From the environment, name and value.
    pub environment: Vec<(String, String)>,
    /// From `--set KEY=VALUE`.
    pub set: Vec<String>,
}

impl Overrides {
    /// The process's environment and the given assignments.
    pub fn new(set: Vec<String>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(PREFIX) && !NOT_SETTINGS.contains(&name.as_str()))
            .collect();
        Self { environment, set }
    }

    /// All as (origin for messages, dotted key, value).
    fn assignments(&self) -> Result<Vec<(String, String, String)>, ConfigError> {
        let mut all = Vec::new();
        for (name, value) in &self.environment {
            let key = name
                .trim_start_matches(PREFIX)
                .to_ascii_lowercase()
                .replace("__", ".");
            all.push((format!("environment variable {name}"), key, value.clone()));
        }
        for assignment in &self.set {
            let (key, value) = assignment
                .split_once('=')
                .ok_or_else(|| ConfigError(format!("--set {assignment}: expected KEY=VALUE")))?;
            all.push((
                format!("--set {key}"),
                key.trim().to_owned(),
                value.to_owned(),
            ));
        }
        Ok(all)
    }
}

/// Reads the file, if one is given, and lays the overrides over it. `protocols` are the names of the tables
/// that belong to adapters.
///
/// # Errors
/// One sentence that names file and line, or the override, and the key.
pub fn load(
    file: Option<&Path>,
    overrides: &Overrides,
    protocols: &[&str],
) -> Result<Config, ConfigError> {
    let mut table = Table::new();
    if let Some(file) = file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError(format!("{}: {error}", file.display())))?;
        table = parse(&text, protocols).map_err(|(line, message)| {
            let place = line.map_or(String::new(), |line| format!(":{line}"));
            ConfigError(format!("{}{place}: {message}", file.display()))
        })?;
    }
    for (origin, key, value) in overrides.assignments()? {
        assign(&mut table, &key, &value)
            .map_err(|message| ConfigError(format!("{origin}: {message}")))?;
        build(table.clone(), protocols)
            .map_err(|error| ConfigError(format!("{origin}: {error}")))?;
    }
    build(table, protocols)
}

/// The table of a file, with the line of the first error.
fn parse(text: &str, protocols: &[&str]) -> Result<Table, (Option<usize>, String)> {
    let line_of = |span: Option<std::ops::Range<usize>>| {
        span.map(|span| {
            text.bytes()
                .take(span.start)
                .filter(|byte| *byte == b'\n')
                .count()
                + 1
        })
    };
    let table: Table = toml::from_str(text)
        .map_err(|error| (line_of(error.span()), error.message().to_owned()))?;
    build(table.clone(), protocols).map_err(|error| {
        // The key is known; its line is the last one that assigns it.
        let key = error
            .0
            .split(':')
            .next()
            .unwrap_or_default()
            .rsplit('.')
            .next()
            .unwrap_or_default();
        let line = text.lines().position(|line| {
            let line = line.trim_start().trim_start_matches('[');
            !key.is_empty()
                && line
                    .strip_prefix(key)
                    .is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.']))
        });
        (line.map(|line| line + 1), error.0)
    })?;
    Ok(table)
}

fn build(mut table: Table, protocols: &[&str]) -> Result<Config, ConfigError> {
    let mut sections = Table::new();
    for name in protocols {
        if let Some((name, section)) = table.remove_entry(*name) {
            sections.insert(name, section);
        }
    }
    let general: General = typed(Value::Table(table)).map_err(|(key, message)| {
        let message = if message.starts_with("unknown field") {
            nearest(&message, protocols)
        } else {
            message
        };
        ConfigError(if key.is_empty() {
            message
        } else {
            format!("{key}: {message}")
        })
    })?;
    general.check()?;
    Ok(Config { general, sections })
}

/// A value in its type; errors as (dotted key, message).
pub(super) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, (String, String)> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let key = error.path().to_string();
        let message = error.into_inner().to_string();
        let message = message.lines().next().unwrap_or_default().to_owned();
        (
            if key == "." { String::new() } else { key },
            nearest(&message, &[]),
        )
    })
}

/// For "unknown field `x`, expected one of …": names the nearest valid one first.
fn nearest(message: &str, more: &[&str]) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (true, Some(unknown)) = (message.starts_with("unknown field"), quoted.next()) else {
        return message.to_owned();
    };
    let known: Vec<&str> = quoted.chain(more.iter().copied()).collect();
    let best = known.iter().max_by(|a, b| {
        strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b))
    });
    match best {
        Some(best) if strsim::jaro_winkler(unknown, best) > 0.7 => {
            format!("unknown key `{unknown}`; did you mean `{best}`?")
        }
        _ => format!("unknown key `{unknown}`; known are {}", known.join(", ")),
    }
}

/// Sets a dotted key. The value is TOML where it can be read as such, a text otherwise.
fn assign(table: &mut Table, key: &str, value: &str) -> Result<(), String> {
    let mut path: Vec<&str> = key.split('.').collect();
    let last = path
        .pop()
        .filter(|last| !last.is_empty())
        .ok_or("the key is empty")?;
    let mut table = table;
    for part in path {
        let next = table
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()));
        table = next
            .as_table_mut()
            .ok_or_else(|| format!("{part} is not a table"))?;
    }
    table.insert(last.to_owned(), literal(value));
    Ok(())
}

fn literal(value: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("value = {value}")).ok();
    let parsed = parsed.and_then(|mut table| {
        if table.len() == 1 {
            table.remove("value")
        } else {
            None
        }
    });
    parsed.unwrap_or_else(|| Value::String(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Section {
        listen: Option<String>,
    }

    fn config(text: &str, set: &[&str]) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let overrides = Overrides {
            environment: Vec::new(),
            set: set.iter().map(|set| (*set).to_owned()).collect(),
        };
        load(Some(file.path()), &overrides, &["rtmp"]).map_err(|error| {
            ConfigError(error.0.replace(&file.path().display().to_string(), "FILE"))
        })
    }

    fn message(text: &str, set: &[&str]) -> String {
        config(text, set).unwrap_err().0
    }

    #[test]
    fn defaults_need_no_file() {
        let config = load(None, &Overrides::default(), &[]).unwrap();
        assert_eq!(
            config.general.http.listen.0,
            Some("[::]:5080".parse().unwrap())
        );
        assert_eq!(config.general.applications, ["LiveApp", "live"]);
    }

    #[test]
    fn set_beats_environment_beats_file() {
        let text = "[streams]\ngrace = \"1s\"\nsilence = \"1s\"\nmax = 1\n";
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let environment =
            ["GRACE", "SILENCE"].map(|key| (format!("MILLSTREAM_STREAMS__{key}"), "2s".to_owned()));
        let overrides = Overrides {
            environment: environment.to_vec(),
            set: vec!["streams.grace=3s".into()],
        };
        let streams = load(Some(file.path()), &overrides, &[])
            .unwrap()
            .general
            .streams;
        assert_eq!(
            (streams.grace, streams.silence),
            (Duration::from_secs(3), Duration::from_secs(2))
        );
        assert_eq!(streams.max, 1);
    }

    #[test]
    fn values_of_set_are_toml_or_text() {
        let config = config(
            "",
            &[
                "http.listen=127.0.0.1:0",
                "applications=[\"a\", \"b\"]",
                "http.max_connections=7",
            ],
        );
        let general = config.unwrap().general;
        assert_eq!(general.http.listen.0, Some("127.0.0.1:0".parse().unwrap()));
        assert_eq!(
            (general.applications.len(), general.http.max_connections),
            (2, 7)
        );
    }

    #[test]
    fn sections_belong_to_their_adapters() {
        let config = config("[rtmp]\nlisten = \"x\"\n", &[]).unwrap();
        assert_eq!(
            config.section::<Section>("rtmp").unwrap().listen.unwrap(),
            "x"
        );
        assert!(config.section::<Section>("other").unwrap().listen.is_none());
        let config = self::config("[rtmp]\nlistn = \"x\"\n", &[]).unwrap();
        let error = config.section::<Section>("rtmp").unwrap_err().0;
        assert!(
            error.contains("unknown key `listn`; did you mean `listen`?"),
            "{error}"
        );
    }

    #[test]
    fn errors_say_what_and_where() {
        let cases = [
            (
                "[http]\nlisten = 5080\n",
                "FILE:2: http.listen: invalid type",
            ),
            (
                "[http]\n\nlisten = \"nowhere\"\n",
                "FILE:3: http.listen: \"nowhere\" is not an address with a port",
            ),
            ("a = \n", "FILE:1: "),
            ("[htpp]\n", "did you mean `http`?"),
            (
                "[streams]\ngrace = \"soon\"\n",
                "FILE:2: streams.grace: \"soon\" is not a duration",
            ),
            (
                "applications = [\"a/b\"]\n",
                "FILE:1: applications: the name may hold ASCII letters",
            ),
            (
                "[auth]\ntokens = [\"short\"]\n",
                "auth.tokens: a token needs at least 16 characters",
            ),
        ];
        for (text, expected) in cases {
            let message = message(text, &[]);
            assert!(message.contains(expected), "{message:?} lacks {expected:?}");
            assert!(!message.contains('\n'), "{message:?}");
        }
        assert!(message("", &["http.listen"]).starts_with("--set http.listen: expected KEY=VALUE"));
        assert!(message("", &["http.lisen=x"]).starts_with("--set http.lisen: "));
    }

    #[test]
    fn secrets_do_not_print() {
        let config = config("[auth]\ntokens = [\"0123456789abcdef\"]\n", &[]).unwrap();
        assert!(!format!("{config:?}").contains("0123456789"), "{config:?}");
    }
}
