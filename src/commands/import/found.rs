//! What was found in another server's file: streams as this server has them, and what could not be taken, line by line.

use crate::adapters::{Protocol, puller};
use crate::config::{Secret, StaticStream};
use crate::hub::{Applications, StreamName};
use crate::net::policy::Policy;
use crate::net::redacted::Redacted;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What tells whether something can be taken.
pub(super) struct Judge<'a> {
    pub(super) applications: Applications,
    pub(super) protocols: &'a [Arc<dyn Protocol>],
    pub(super) policy: Policy,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) streams: BTreeMap<StreamName, StaticStream>,
    /// Streams whose names are other ones here: (there, here).
    pub(super) renamed: Vec<(String, StreamName)>,
    pub(super) left: Vec<Left>,
}

/// What could not be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) line: usize,
    /// Where it stands in the file, with dots between.
    pub(super) key: String,
    pub(super) why: String,
    /// It is a stream, or a source or target of one; not a setting.
    pub(super) matters: bool,
}

impl Found {
    /// A setting that is not taken.
    pub(super) fn pass_over(&mut self, line: usize, key: &str, why: impl Into<String>) {
        self.leave(line, key, why, false);
    }

    /// A stream, source or target that is not taken.
    pub(super) fn miss(&mut self, line: usize, key: &str, why: impl Into<String>) {
        self.leave(line, key, why, true);
    }

    fn leave(&mut self, line: usize, key: &str, why: impl Into<String>, matters: bool) {
        self.left.push(Left {
            line,
            key: key.to_owned(),
            why: why.into(),
            matters,
        });
    }

    /// Takes a stream under the name that it can have here.
    pub(super) fn take(
        &mut self,
        judge: &Judge<'_>,
        (line, key): (usize, &str),
        there: &str,
        stream: StaticStream,
    ) {
        let (name, is_same) = match name(&judge.applications, there) {
            Ok(found) => found,
            Err(why) => return self.miss(line, key, why),
        };
        if self.streams.contains_key(&name) {
            let why = format!("another stream of the file is {name} already");
            return self.miss(line, key, why);
        }
        if !is_same {
            self.renamed.push((there.to_owned(), name.clone()));
        }
        self.streams.insert(name, stream);
    }
}

impl Judge<'_> {
    /// A URL that can be pulled.
    ///
    /// # Errors
    /// Why it cannot, in words without its secrets.
    pub(super) fn source(&self, url: &str) -> Result<Secret, String> {
        if url.contains("${") {
            return Err("holds a variable, whose value is not in the file".to_owned());
        }
        if !url.contains("://") || puller(self.protocols, url).is_none() {
            return Err(format!("{} is no source that is pulled here", scheme(url)));
        }
        let refused = |error| format!("{}: {error}", Redacted(url));
        self.policy.check_url(url).map_err(refused)?;
        Ok(Secret::from(url))
    }

    /// A URL that can be pushed to.
    ///
    /// # Errors
    /// As [`Judge::source`].
    pub(super) fn target(&self, url: &str) -> Result<Secret, String> {
        if url.contains("${") {
            return Err("holds a variable, whose value is not in the file".to_owned());
        }
        crate::control::check_target(self.protocols, &self.policy, url)
            .map_err(|error| error.to_string())?;
        Ok(Secret::from(url))
    }
}

/// What stands before the first colon, which is never secret; of anything else, that it is something else.
fn scheme(url: &str) -> String {
    let scheme = url.split(':').next().unwrap_or_default();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
    match url.contains(':') && !scheme.is_empty() && scheme.chars().all(is_plain) {
        true => format!("{scheme}:"),
        false => "what is no URL".to_owned(),
    }
}

/// The name that a stream has here, and whether it is the same. A path of several parts whose first is no application
/// becomes one part.
fn name(applications: &Applications, there: &str) -> Result<(StreamName, bool), String> {
    let refused = |error| format!("the name cannot be used: {error}");
    match applications.resolve(there) {
        Ok(name) => return Ok((name, true)),
        Err(error) if there.trim_matches('/').is_empty() => return Err(refused(error)),
        Err(_) => {}
    }
    let (app, rest) = match there.split_once('/') {
        Some((app, rest)) if applications.contains(app) => (format!("{app}/"), rest),
        _ => (String::new(), there),
    };
    let fitting = |letter: char| match letter.is_ascii_alphanumeric() || "-_.".contains(letter) {
        true => letter,
        false => '-',
    };
    let id: String = rest.trim_matches('/').chars().map(fitting).collect();
    let name = applications.resolve(&format!("{app}{id}"));
    name.map(|name| (name, false)).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_this_server() {
        let applications = Applications::standard();
        for (there, here, is_same) in [
            ("cam1", "LiveApp/cam1", true),
            ("live/cam1", "live/cam1", true),
            ("house/cam 1", "LiveApp/house-cam-1", false),
            ("live/a/b", "live/a-b", false),
            ("Türe", "LiveApp/T-re", false),
        ] {
            let (name, same) = name(&applications, there).unwrap();
            assert_eq!((name.as_str(), same), (here, is_same), "{there}");
        }
        for bad in ["", "/", "..", "a.mp4", "live/.x", &"x".repeat(200)] {
            assert!(name(&applications, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn schemes_are_shown_and_nothing_else() {
        assert_eq!(scheme("exec:ffmpeg -i x"), "exec:");
        assert_eq!(scheme("pass word@host"), "what is no URL");
    }
}
