//! Names of streams. Whatever text a peer sends becomes a [`StreamName`] here or nowhere; nothing else
//! turns text into a key or a path.

use super::Current;
use std::fmt;
use std::sync::Arc;

/// Longest application name and longest stream ID, in bytes.
pub const MAX_PART: usize = 128;

/// Endings that would make an ID look like a file the server makes of a stream.
const RESERVED_ENDINGS: [&str; 6] = [".m3u8", ".mpd", ".flv", ".ts", ".mp4", "_adaptive"];

/// The name of a stream, `APP/ID`, known to be harmless: ASCII letters, digits, `-`, `_` and `.` only, no
/// part that begins with a dot or contains two in a row, none longer than [`MAX_PART`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName {
    full: Arc<str>,
    /// Length of the application, so that the slash stands at this index.
    app: usize,
}

/// Why a text is not a stream's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing before or after the slash.
    #[error("the stream has no name")]
    Empty,
    /// More than [`MAX_PART`] bytes.
    #[error("the name is longer than 128 characters")]
    TooLong,
    /// A character outside the allowed set.
    #[error("the name may hold ASCII letters, digits, '-', '_' and '.' only")]
    Character,
    /// A leading dot, or two in a row.
    #[error("the name may not begin with a dot or hold two in a row")]
    Dots,
    /// An ending that belongs to files made by the server.
    #[error("the name may not end in .m3u8, .mpd, .flv, .ts, .mp4 or _adaptive")]
    Ending,
    /// More than one slash.
    #[error("the path has more than an application and a stream")]
    Depth,
    /// An application that is not configured.
    #[error("there is no such application")]
    Application,
}

impl StreamName {
    /// Checks both parts.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn new(app: &str, id: &str) -> Result<Self, NameError> {
        check_part(app)?;
        check_id(id)?;
        Ok(Self {
            full: format!("{app}/{id}").into(),
            app: app.len(),
        })
    }

    /// The application.
    pub fn app(&self) -> &str {
        self.full.get(..self.app).unwrap_or_default()
    }

    /// The stream's ID within the application.
    pub fn id(&self) -> &str {
        self.full.get(self.app + 1..).unwrap_or_default()
    }

    /// `APP/ID`.
    pub fn as_str(&self) -> &str {
        &self.full
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

/// The applications that exist, and with them the way from a peer's path to a name. Clones share them.
#[derive(Clone, Debug)]
pub struct Applications {
    names: Current<Vec<String>>,
}

impl Applications {
    /// The first is the default one.
    ///
    /// # Errors
    /// A name that breaks the rules for a part.
    pub fn new(names: Vec<String>) -> Result<Self, NameError> {
        if names.is_empty() {
            return Err(NameError::Empty);
        }
        names.iter().try_for_each(|name| check_part(name))?;
        Ok(Self {
            names: Current::new(names),
        })
    }

    /// The applications of a server without configuration.
    pub fn standard() -> Self {
        Self {
            names: Current::new(vec!["LiveApp".into(), "live".into()]),
        }
    }

    /// All, the default one first.
    pub fn names(&self) -> Arc<Vec<String>> {
        self.names.get()
    }

    /// Those of `other` exist from now on, and no more.
    pub fn replace(&self, other: &Self) {
        self.names.set(other.names().to_vec());
    }

    /// Whether there is one of that name.
    pub fn contains(&self, app: &str) -> bool {
        self.names().iter().any(|name| name == app)
    }

    /// The stream that `APP/ID` or, in the default application, `ID` means. Slashes at the ends are ignored.
    ///
    /// # Errors
    /// A broken rule, or an application that does not exist.
    pub fn resolve(&self, path: &str) -> Result<StreamName, NameError> {
        let path = path.trim_matches('/');
        let names = self.names();
        let (app, id) = match path.split_once('/') {
            Some((_, rest)) if rest.contains('/') => return Err(NameError::Depth),
            Some(parts) => parts,
            None => (names.first().map_or("", String::as_str), path),
        };
        let name = StreamName::new(app, id)?;
        if self.contains(app) {
            Ok(name)
        } else {
            Err(NameError::Application)
        }
    }
}

fn check_id(id: &str) -> Result<(), NameError> {
    check_part(id)?;
    if RESERVED_ENDINGS
        .iter()
        .any(|ending| id.to_ascii_lowercase().ends_with(ending))
    {
        return Err(NameError::Ending);
    }
    Ok(())
}

fn check_part(part: &str) -> Result<(), NameError> {
    if part.is_empty() {
        return Err(NameError::Empty);
    }
    if part.len() > MAX_PART {
        return Err(NameError::TooLong);
    }
    if !part
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    {
        return Err(NameError::Character);
    }
    if part.starts_with('.') || part.contains("..") {
        return Err(NameError::Dots);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_keep_their_parts() {
        let name = StreamName::new("LiveApp", "cam-1_a.b").unwrap();
        assert_eq!(
            (name.app(), name.id(), name.as_str()),
            ("LiveApp", "cam-1_a.b", "LiveApp/cam-1_a.b")
        );
    }

    #[test]
    fn bad_names_say_which_rule_they_break() {
        let long = "x".repeat(129);
        let cases = [
            ("", NameError::Empty),
            (long.as_str(), NameError::TooLong),
            ("../../x", NameError::Character),
            ("a b", NameError::Character),
            ("a%2e", NameError::Character),
            ("a\\b", NameError::Character),
            ("a\0", NameError::Character),
            ("ümlaut", NameError::Character),
            (".hidden", NameError::Dots),
            ("a..b", NameError::Dots),
            ("a.m3u8", NameError::Ending),
            ("a.MP4", NameError::Ending),
            ("a_adaptive", NameError::Ending),
        ];
        for (id, error) in cases {
            assert_eq!(StreamName::new("LiveApp", id), Err(error), "{id:?}");
        }
        assert_eq!(StreamName::new("..", "a"), Err(NameError::Dots));
    }

    #[test]
    fn paths_find_their_application() {
        let apps = Applications::new(vec!["LiveApp".into(), "live".into()]).unwrap();
        assert_eq!(apps.resolve("/live/a/").unwrap().as_str(), "live/a");
        assert_eq!(apps.resolve("a").unwrap().as_str(), "LiveApp/a");
        assert_eq!(apps.resolve("other/a"), Err(NameError::Application));
        assert_eq!(apps.resolve("live/a/b"), Err(NameError::Depth));
        assert_eq!(apps.resolve("/"), Err(NameError::Empty));
        assert!(Applications::new(vec!["a/b".into()]).is_err());
    }
}
