//! Files as sources and as targets, for commands that work on streams once. The server does not have this adapter:
//! who may name a URL there would read and write the server's disk.
//!
//! A file is read as fast as its readers take it ([`Publisher::room`](crate::hub::Publisher::room)), and nothing of it
//! is left out. What it is, is told by its first bytes (`source`); what is written, by the ending of its name (`sink`). A playlist is a
//! file with others beside it (`playlist`, `segments`).
//! What could not be read or written is noted in the [`Report`].

mod container;
mod form;
mod output;
mod playlist;
mod report;
mod segments;
mod sink;
mod source;

pub use container::Container;
pub use report::Report;

use super::{BoxFuture, Feed, Protocol, Target};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a path has in front of it to be a URL.
pub const SCHEME: &str = "file:";

/// The adapter, with what it has to say of the one file that is read and the one that is written.
#[derive(Debug, Default)]
pub struct Files {
    report: Arc<Report>,
}

impl Files {
    /// Notes in `report` what is read, written and lost.
    pub const fn new(report: Arc<Report>) -> Self {
        Self { report }
    }
}

impl Protocol for Files {
    fn name(&self) -> &'static str {
        "file"
    }

    fn pulls(&self, scheme: &str) -> bool {
        scheme == "file"
    }

    fn pull<'a>(&'a self, url: &'a str, target: &'a Target) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(source::pull(path(url), target, &self.report))
    }

    fn pushes(&self, scheme: &str) -> bool {
        scheme == "file"
    }

    fn push<'a>(&'a self, url: &'a str, feed: &'a Feed) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(sink::push(path(url), feed, &self.report))
    }
}

/// The path in a URL; `file:///a` is `/a`, `file:a` is `a`, and what is no URL is a path.
pub fn path(url: &str) -> &Path {
    let Some(path) = url.strip_prefix(SCHEME) else {
        return Path::new(url);
    };
    let path = match path.strip_prefix("//") {
        Some(path) => path.strip_prefix("localhost").unwrap_or(path),
        None => path,
    };
    Path::new(path)
}

/// Where the segments of what is written to that path go, if it is a playlist.
pub fn segments(path: &Path) -> Option<PathBuf> {
    (Container::of(path) == Ok(Container::Hls)).then(|| segments::folder(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_urls() {
        for (url, expected) in [
            ("file:a b.ts", "a b.ts"),
            ("file:///tmp/a.mp4", "/tmp/a.mp4"),
            ("file://localhost/tmp/a.mp4", "/tmp/a.mp4"),
            ("file:/tmp/#1?.flv", "/tmp/#1?.flv"),
            ("//tmp/a.ts", "//tmp/a.ts"),
        ] {
            assert_eq!(path(url), Path::new(expected), "{url}");
        }
    }
}
