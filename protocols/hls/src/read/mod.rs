//! Playlists that others wrote (RFC 8216 and its second edition). Read [`parse`], then [`Media`] and [`Multivariant`].
//!
//! What is written wrongly is read as well as it can be, and tags that nothing depends on are passed over: a playlist is
//! refused only if it is none. References stay as they stand in it, with variables put in.

mod attributes;
mod date;
mod media;
mod multivariant;
mod variables;

pub use media::{ByteRange, Hint, Key, Map, Media, Method, Part, Segment};
pub use multivariant::{Multivariant, Rendition, Variant};
pub use variables::Variables;

use attributes::Attributes;

/// Segments of a playlist: two days of one each second.
pub const MAX_SEGMENTS: usize = 200_000;

/// Parts of a playlist: those of its last segments.
pub const MAX_PARTS: usize = 20_000;

/// Variants of a playlist, and as many renditions.
pub const MAX_VARIANTS: usize = 1_000;

/// Why a text is no playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Section 4.3.1.1.
    #[error("it does not begin with #EXTM3U")]
    NoPlaylist,
    /// Neither variants nor segments, nor anything that tells which it is.
    #[error("it names neither variants nor segments")]
    Empty,
    /// A bound of this module.
    #[error("line {line}: more than {most} {what}")]
    TooMany {
        /// The line, from 1.
        line: usize,
        /// The bound.
        most: usize,
        /// Of these.
        what: &'static str,
    },
    /// An encryption that is not known; what is behind it cannot be played.
    #[error("line {line}: the segments are encrypted by a method that is not carried")]
    Encryption {
        /// The line, from 1.
        line: usize,
    },
}

/// A playlist.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Playlist {
    /// Of variants.
    Multivariant(Multivariant),
    /// Of segments.
    Media(Media),
}

/// Reads a playlist. `imported` are the variables of the multivariant playlist that names it, `query` is the query of
/// the URL that it came from.
///
/// # Errors
/// When it is none.
pub fn parse(text: &str, imported: &Variables, query: &str) -> Result<Playlist, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.trim_start().starts_with("#EXTM3U") {
        return Err(Error::NoPlaylist);
    }
    let mut variables = Variables::default();
    let mut variants = multivariant::Builder::default();
    let mut segments = media::Builder::default();
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let line = variables.put_into(line.trim());
        if line.is_empty() {
            continue;
        }
        let Some(tag) = line.strip_prefix('#') else {
            if !variants.uri(&line, number)? {
                segments.uri(&line, number)?;
            }
            continue;
        };
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        if name == "EXT-X-DEFINE" {
            variables.define(Attributes(value), imported, query);
        } else if !variants.tag(name, value, number)? {
            segments.tag(name, value, number)?;
        }
    }
    match variants.build(variables) {
        Some(multivariant) => Ok(Playlist::Multivariant(multivariant)),
        None => segments.build().map(Playlist::Media).ok_or(Error::Empty),
    }
}

#[cfg(test)]
mod tests;
