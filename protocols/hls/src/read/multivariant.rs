//! Multivariant playlists (RFC 8216 section 4.3.4).

use super::attributes::Attributes;
use super::{Error, MAX_VARIANTS, Variables};

/// What there is to choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Multivariant {
    /// In the order of the playlist: the first is what its maker would begin with.
    pub variants: Vec<Variant>,
    /// Renditions of sound.
    pub audio: Vec<Rendition>,
    /// What its media playlists may import.
    pub variables: Variables,
}

/// The same presentation at some bit rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// Where its playlist is.
    pub uri: String,
    /// Most bits per second.
    pub bandwidth: u64,
    /// Width and height of its pictures.
    pub resolution: Option<(u32, u32)>,
    /// `CODECS`, as it stands.
    pub codecs: Option<String>,
    /// The group of renditions that its sound is in.
    pub audio: Option<String>,
}

/// One way to hear it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendition {
    /// Its group.
    pub group: String,
    /// What it is called.
    pub name: String,
    /// RFC 5646.
    pub language: Option<String>,
    /// To be played unless another is asked for.
    pub default: bool,
    /// May be played without being asked for.
    pub autoselect: bool,
    /// Where its playlist is; none where the sound is in the variant itself.
    pub uri: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Builder {
    found: Multivariant,
    /// The variant whose URI is to come.
    open: Option<Variant>,
}

impl Builder {
    /// Takes a tag; false if it is none of a multivariant playlist.
    pub(super) fn tag(&mut self, name: &str, value: &str, line: usize) -> Result<bool, Error> {
        let list = Attributes(value);
        let owned = |name| list.get(name).map(str::to_owned);
        match name {
            "EXT-X-STREAM-INF" => {
                self.open = Some(Variant {
                    uri: String::new(),
                    bandwidth: list.number("BANDWIDTH").unwrap_or(0),
                    resolution: list.get("RESOLUTION").and_then(|text| {
                        let (width, height) = text.split_once(['x', 'X'])?;
                        Some((width.parse().ok()?, height.parse().ok()?))
                    }),
                    codecs: owned("CODECS"),
                    audio: owned("AUDIO"),
                });
            }
            "EXT-X-MEDIA" if list.get("TYPE") == Some("AUDIO") => {
                bound(self.found.audio.len(), line, "renditions")?;
                self.found.audio.push(Rendition {
                    group: owned("GROUP-ID").unwrap_or_default(),
                    name: owned("NAME").unwrap_or_default(),
                    language: owned("LANGUAGE"),
                    default: list.is_yes("DEFAULT"),
                    autoselect: list.is_yes("AUTOSELECT"),
                    uri: owned("URI"),
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes a URI; false if it belongs to no variant.
    pub(super) fn uri(&mut self, uri: &str, line: usize) -> Result<bool, Error> {
        let Some(mut variant) = self.open.take() else {
            return Ok(false);
        };
        bound(self.found.variants.len(), line, "variants")?;
        uri.clone_into(&mut variant.uri);
        self.found.variants.push(variant);
        Ok(true)
    }

    /// None if there was no variant.
    pub(super) fn build(mut self, variables: Variables) -> Option<Multivariant> {
        self.found.variables = variables;
        (!self.found.variants.is_empty()).then_some(self.found)
    }
}

const fn bound(count: usize, line: usize, what: &'static str) -> Result<(), Error> {
    if count < MAX_VARIANTS {
        return Ok(());
    }
    Err(Error::TooMany {
        line,
        most: MAX_VARIANTS,
        what,
    })
}
