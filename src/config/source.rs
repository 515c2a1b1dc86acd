//! Where settings come from, and errors that say where.

use super::{Config, ConfigError, General};
use serde::de::DeserializeOwned;
use std::fmt;
use std::path::Path;
use toml::{Table, Value};

/// Environment variables of this beginning are settings: `MILLSTREAM_HTTP__LISTEN` is `http.listen`.
const PREFIX: &str = "MILLSTREAM_";

/// Variables of that beginning which are not settings.
const NOT_SETTINGS: [&str; 3] = [
    "MILLSTREAM_CORPUS",
    "MILLSTREAM_CHROMIUM",
    "MILLSTREAM_NEW_FFMPEG",
];

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

/// Where a loaded configuration came from, for messages about it.
#[derive(Clone, Default)]
pub(super) struct Origins {
    /// Path and text of the file.
    file: Option<(String, String)>,
    /// What was laid over it: (key, how), the last first.
    overrides: Vec<(String, String)>,
}

impl fmt::Debug for Origins {
    /// Without the file's text, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.file.as_ref().map(|(path, _)| path);
        f.debug_struct("Origins")
            .field("file", &path)
            .finish_non_exhaustive()
    }
}

impl Origins {
    /// A message about a key, with the override or the line of the file that gave it.
    pub(super) fn place(&self, key: &str, message: &str) -> ConfigError {
        let over = self
            .overrides
            .iter()
            .find(|(name, _)| name == key || key.starts_with(&format!("{name}.")));
        if let Some((_, how)) = over {
            return ConfigError(format!("{how}: {key}: {message}"));
        }
        let (place, colon) = match &self.file {
            Some((path, text)) => match line_of_key(text, key) {
                Some(line) => (format!("{path}:{line}"), ": "),
                None => (path.clone(), ": "),
            },
            None => (String::new(), ""),
        };
        let key = if key.is_empty() {
            String::new()
        } else {
            format!("{key}: ")
        };
        ConfigError(format!("{place}{colon}{key}{message}"))
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
    let mut origins = Origins::default();
    if let Some(file) = file {
        let path = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError(format!("{path}: {error}")))?;
        table = toml::from_str(&text).map_err(|error: toml::de::Error| {
            let line = error
                .span()
                .map(|span| line_at(&text, span.start))
                .unwrap_or(1);
            ConfigError(format!("{path}:{line}: {}", error.message()))
        })?;
        origins.file = Some((path, text));
        // On its own first: an override must not hide what is wrong with the file.
        build(table.clone(), protocols, &origins)?;
    }
    for (how, key, value) in overrides.assignments()? {
        assign(&mut table, &key, &value)
            .map_err(|message| ConfigError(format!("{how}: {message}")))?;
        origins.overrides.insert(0, (key, how));
    }
    build(table, protocols, &origins)
}

fn build(mut table: Table, protocols: &[&str], origins: &Origins) -> Result<Config, ConfigError> {
    let mut sections = Table::new();
    for name in protocols {
        if let Some((name, section)) = table.remove_entry(*name) {
            sections.insert(name, section);
        }
    }
    let general: General = typed(Value::Table(table), protocols)
        .map_err(|(key, message)| origins.place(&key, &message))?;
    general
        .check()
        .map_err(|(key, message)| origins.place(key, &message))?;
    let config = Config {
        general,
        sections,
        origins: origins.clone(),
    };
    config.static_streams()?;
    Ok(config)
}

/// The line, from 1, on which the byte at an offset stands.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

/// The line, from 1, that assigns a dotted key or opens its table.
fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let key = without_indices(key);
    let mut table = String::new();
    let mut found = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let name = if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_start_matches('[').split(']').next();
            table = unquoted(header.unwrap_or_default());
            table.clone()
        } else if let Some((name, _)) = line.split_once('=') {
            let name = unquoted(name);
            if table.is_empty() {
                name
            } else {
                format!("{table}.{name}")
            }
        } else {
            continue;
        };
        let rest = key.strip_prefix(name.as_str());
        let is_beginning = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        // The longest beginning of the key that a line names is nearest to it.
        if is_beginning && found.is_none_or(|(length, _)| name.len() > length) {
            found = Some((name.len(), number));
        }
    }
    found.map(|(_, number)| number)
}

/// A key of the file as it is named in messages.
fn unquoted(key: &str) -> String {
    key.trim().replace(['"', '\''], "")
}

/// A key without places in lists: `a[1].b` is `a.b`.
fn without_indices(key: &str) -> String {
    let mut parts = key.split('[');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once(']').map_or("", |(_, rest)| rest));
    }
    text
}

/// A value in its type; errors as (dotted key, message). `more` are keys that exist besides those of the type.
pub(super) fn typed<T: DeserializeOwned>(
    value: Value,
    more: &[&str],
) -> Result<T, (String, String)> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let key = error.path().to_string();
        let message = error.into_inner().to_string();
        let message = message.lines().next().unwrap_or_default();
        // The name of a type of ours means nothing to who writes the file.
        let of_table = message.split_once("expected struct ");
        let of_table = of_table.or_else(|| message.split_once("expected a map"));
        let message = match of_table {
            Some((before, _)) => format!("{before}expected a table"),
            None if key.contains('.') => nearest(message, &[]),
            None => nearest(message, more),
        };
        (if key == "." { String::new() } else { key }, message)
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
            error.contains(":2: rtmp.listn: unknown key `listn`; did you mean `listen`?"),
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
                "[stream.\"live/cam.1\"]\nrecord = true\nsorce = \"x\"\n",
                "FILE:3: stream.live/cam.1.sorce: unknown key `sorce`; did you mean `source`?",
            ),
            (
                "[stream.a]\nsource = 7\n",
                "FILE:2: stream.a.source: invalid type: integer `7`, expected a URL or a list of URLs",
            ),
            (
                "[stream.\"a b\"]\n",
                "FILE:1: stream.a b: the name may hold ASCII letters",
            ),
            (
                "[stream.a]\n[stream.'LiveApp/a']\n",
                "stream.a: is the same stream as LiveApp/a",
            ),
            ("[stream.'other/a']\n", "FILE:1: stream.other/a: "),
            (
                "[tls]\nkey = \"key.pem\"\n",
                "FILE:2: tls.key: needs tls.certificate as well",
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
    fn the_defaults_are_those_of_the_documents() {
        let mut default = None;
        let mut set = Vec::new();
        for line in include_str!("../../docs/ref/config.md").lines() {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            // Other tables are of options, which are no keys.
            if cells.first() == Some(&"key") {
                default = cells.iter().position(|cell| *cell == "default");
            } else if line.is_empty() {
                default = None;
            }
            let value = default.and_then(|at| Some(cells.get(at)?.trim_matches('`')));
            let key = cells.first().map_or("", |key| key.trim_matches('`'));
            let is_ours = |key: &str| {
                let table = key.split('.').next().unwrap_or_default();
                let others = [
                    "rtmp", "rtmps", "rtsp", "rtsps", "srt", "webrtc", "onvif", "demo", "stream",
                ];
                line.starts_with("| `") && !others.contains(&table)
            };
            let is_value = |value: &str| toml::from_str::<Table>(&format!("a = {value}")).is_ok();
            if let Some(value) = value.filter(|value| is_ours(key) && is_value(value)) {
                set.push(format!("{key}={value}"));
            }
        }
        assert!(set.len() > 50, "{set:?}");
        let environment = Vec::new();
        let overrides = Overrides { environment, set };
        let documented = load(None, &overrides, &[]).unwrap().general;
        let default = General::default();
        assert_eq!(format!("{documented:#?}"), format!("{default:#?}"));
    }

    #[test]
    fn secrets_do_not_print() {
        let config = config("[auth]\ntokens = [\"0123456789abcdef\"]\n", &[]).unwrap();
        assert!(!format!("{config:?}").contains("0123456789"), "{config:?}");
    }
}
