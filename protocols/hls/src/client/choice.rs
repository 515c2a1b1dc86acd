//! Which variant is played, and which of its renditions of sound.

use crate::read::{Multivariant, Rendition, Variant};

/// What is wanted. Without anything it is the highest bandwidth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// No higher pictures than so many lines, if there are any.
    pub height: Option<u32>,
    /// No more bits per second than this, if that is to be had.
    pub bandwidth: Option<u64>,
    /// The language of the sound (RFC 5646), if there is one.
    pub language: Option<String>,
}

impl Choice {
    /// The URIs of what is to be followed: the variant, and its sound if that is apart.
    pub(super) fn of<'a>(&self, playlist: &'a Multivariant) -> Vec<&'a str> {
        let fits = |variant: &&Variant| {
            let height = variant.resolution.map_or(0, |(_, height)| height);
            self.height.is_none_or(|most| height <= most)
                && self.bandwidth.is_none_or(|most| variant.bandwidth <= most)
        };
        // Variants of sound alone are for those who cannot have pictures.
        let has_pictures = playlist.variants.iter().any(shows_pictures);
        let candidates = || {
            let variants = playlist.variants.iter();
            variants.filter(move |variant| !has_pictures || shows_pictures(variant))
        };
        // The first of several that are alike: the others are copies on other servers.
        let highest = |best: &'a Variant, next: &'a Variant| {
            if next.bandwidth > best.bandwidth {
                next
            } else {
                best
            }
        };
        let lowest = |best: &'a Variant, next: &'a Variant| {
            if next.bandwidth < best.bandwidth {
                next
            } else {
                best
            }
        };
        let fitting = candidates().filter(fits).reduce(highest);
        let Some(variant) = fitting.or_else(|| candidates().reduce(lowest)) else {
            return Vec::new();
        };
        let sound = self
            .sound(playlist, variant)
            .and_then(|sound| sound.uri.as_deref());
        let apart = sound.filter(|uri| *uri != variant.uri);
        [Some(variant.uri.as_str()), apart]
            .into_iter()
            .flatten()
            .collect()
    }

    fn sound<'a>(&self, playlist: &'a Multivariant, variant: &Variant) -> Option<&'a Rendition> {
        let group = variant.audio.as_deref()?;
        let in_group = || {
            let renditions = playlist.audio.iter();
            renditions.filter(|rendition| rendition.group == group)
        };
        let wanted = self.language.as_deref();
        let spoken = |rendition: &&Rendition| {
            wanted.is_some_and(|wanted| rendition.language.as_deref() == Some(wanted))
        };
        in_group()
            .find(spoken)
            .or_else(|| in_group().find(|rendition| rendition.default))
            .or_else(|| in_group().find(|rendition| rendition.autoselect))
            .or_else(|| in_group().next())
    }
}

/// Whether it has pictures, as far as it says what it has.
fn shows_pictures(variant: &Variant) -> bool {
    const SOUND: [&str; 7] = ["mp4a", "ac-3", "ec-3", "opus", "flac", "alac", "mp3"];
    let is_sound = |codec: &str| {
        SOUND
            .iter()
            .any(|known| codec.trim().to_ascii_lowercase().starts_with(known))
    };
    variant.resolution.is_some()
        || variant
            .codecs
            .as_deref()
            .is_none_or(|codecs| !codecs.split(',').all(is_sound))
}
