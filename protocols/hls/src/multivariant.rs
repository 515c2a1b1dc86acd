//! Multivariant playlists: which renditions a presentation has (RFC 8216 section 4.3.4, where they are
//! called master playlists). Read [`Playlist`].

use crate::text::{Quoted, Ratio, Uri};
use std::fmt::{self, Display, Formatter, Write};

/// The compatibility version, the same as that of the media playlists.
const VERSION: u32 = 6;

/// A multivariant playlist that borrows what it is made of. [`render`](Self::render) or `Display` writes
/// it. Free text is made fit for its quotes: quotes become apostrophes, controls become spaces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Playlist<'a> {
    /// Every segment of every rendition starts with a random access point. Only the caller can know.
    pub independent_segments: bool,
    /// Audio that variants refer to by group.
    pub audio: &'a [AudioRendition<'a>],
    /// The variants, the one to start with first; at least one.
    pub variants: &'a [Variant<'a>],
}

/// One audio rendition (EXT-X-MEDIA of type AUDIO).
#[derive(Clone, Copy, Debug, Default)]
pub struct AudioRendition<'a> {
    /// The group it belongs to.
    pub group_id: &'a str,
    /// Its name for people, one of a kind within the group.
    pub name: &'a str,
    /// Its language, RFC 5646.
    pub language: Option<&'a str>,
    /// To be played unless the user chooses otherwise. Implies `autoselect`.
    pub default: bool,
    /// May be chosen by itself, by the user's language.
    pub autoselect: bool,
    /// Number of channels.
    pub channels: Option<u8>,
    /// Its media playlist; `None` when it is inside the variant's segments.
    pub uri: Option<&'a str>,
}

/// One variant stream (EXT-X-STREAM-INF).
#[derive(Clone, Copy, Debug, Default)]
pub struct Variant<'a> {
    /// Its media playlist; not empty.
    pub uri: &'a str,
    /// The highest bit rate of any segment with its audio, in bits per second.
    pub bandwidth: u64,
    /// The average bit rate, likewise.
    pub average_bandwidth: Option<u64>,
    /// The codecs of all that is played with it, RFC 6381, in any order. Left out when empty.
    pub codecs: &'a [&'a str],
    /// Width and height of the pictures.
    pub resolution: Option<(u32, u32)>,
    /// Pictures per second, numerator and denominator.
    pub frame_rate: Option<(u32, u32)>,
    /// The group of its audio renditions.
    pub audio: Option<&'a str>,
}

impl Playlist<'_> {
    /// Appends the playlist's text to `out`.
    pub fn render(&self, out: &mut String) {
        // A String takes all that is written to it.
        let _ = self.write(out);
    }

    fn write(&self, out: &mut impl Write) -> fmt::Result {
        writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{VERSION}")?;
        if self.independent_segments {
            out.write_str("#EXT-X-INDEPENDENT-SEGMENTS\n")?;
        }
        for rendition in self.audio {
            rendition.write(out)?;
        }
        for variant in self.variants {
            variant.write(out)?;
        }
        Ok(())
    }
}

impl Display for Playlist<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl AudioRendition<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let (group, name) = (Quoted(self.group_id), Quoted(self.name));
        write!(out, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID={group},NAME={name}")?;
        if let Some(language) = self.language {
            write!(out, ",LANGUAGE={}", Quoted(language))?;
        }
        if self.default {
            out.write_str(",DEFAULT=YES")?;
        }
        // The draft forbids a default rendition that is not selected by itself.
        if self.autoselect || self.default {
            out.write_str(",AUTOSELECT=YES")?;
        }
        if let Some(channels) = self.channels {
            write!(out, ",CHANNELS=\"{channels}\"")?;
        }
        if let Some(uri) = self.uri {
            write!(out, ",URI=\"{}\"", Uri(uri))?;
        }
        out.write_char('\n')
    }
}

impl Variant<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        write!(out, "#EXT-X-STREAM-INF:BANDWIDTH={}", self.bandwidth)?;
        if let Some(average) = self.average_bandwidth {
            write!(out, ",AVERAGE-BANDWIDTH={average}")?;
        }
        if !self.codecs.is_empty() {
            write!(out, ",CODECS={}", Quoted(&self.codecs.join(",")))?;
        }
        if let Some((width, height)) = self.resolution {
            write!(out, ",RESOLUTION={width}x{height}")?;
        }
        if let Some((numerator, denominator)) = self.frame_rate {
            write!(out, ",FRAME-RATE={}", Ratio(numerator, denominator))?;
        }
        if let Some(group) = self.audio {
            write!(out, ",AUDIO={}", Quoted(group))?;
        }
        writeln!(out, "\n{}", Uri(self.uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use m3u8_rs::{AlternativeMediaType, parse_master_playlist_res};

    const AUDIO: AudioRendition<'static> = AudioRendition {
        group_id: "audio",
        name: "Say \"hi\"",
        language: Some("en"),
        default: true,
        autoselect: false,
        channels: Some(2),
        uri: Some("audio.m3u8"),
    };
    const VARIANT: Variant<'static> = Variant {
        uri: "video.m3u8",
        bandwidth: 2_500_000,
        average_bandwidth: Some(2_000_000),
        codecs: &["avc1.64001f", "mp4a.40.2"],
        resolution: Some((1_280, 720)),
        frame_rate: Some((30_000, 1_001)),
        audio: Some("audio"),
    };

    #[test]
    fn everything_said() {
        let playlist = Playlist {
            independent_segments: true,
            audio: &[AUDIO],
            variants: &[VARIANT],
        };
        let expected = "\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Say 'hi'\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"audio.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=2500000,AVERAGE-BANDWIDTH=2000000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO=\"audio\"
video.m3u8
";
        assert_eq!(playlist.to_string(), expected);
        let mut out = String::new();
        playlist.render(&mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn another_parser_reads_the_same() {
        let bare = Variant {
            uri: "low.m3u8",
            bandwidth: 1,
            ..Variant::default()
        };
        let inside = AudioRendition {
            uri: None,
            name: "other",
            default: false,
            ..AUDIO
        };
        let text = Playlist {
            independent_segments: false,
            audio: &[AUDIO, inside],
            variants: &[VARIANT, bare],
        }
        .to_string();
        let read = parse_master_playlist_res(text.as_bytes()).unwrap();
        assert!(!read.independent_segments);
        assert_eq!(read.variants.len(), 2);
        let variant = &read.variants[0];
        assert_eq!(variant.uri, "video.m3u8");
        assert_eq!(variant.bandwidth, 2_500_000);
        assert_eq!(variant.average_bandwidth, Some(2_000_000));
        assert_eq!(variant.codecs.as_deref(), Some("avc1.64001f,mp4a.40.2"));
        let size = variant.resolution.unwrap();
        assert_eq!((size.width, size.height), (1_280, 720));
        assert_eq!(variant.frame_rate, Some(29.97));
        assert_eq!(variant.audio.as_deref(), Some("audio"));
        assert_eq!(read.variants[1].codecs, None);
        let [first, second] = &read.alternatives[..] else {
            panic!("two renditions")
        };
        assert_eq!(first.media_type, AlternativeMediaType::Audio);
        assert_eq!(first.name, "Say 'hi'");
        assert_eq!(first.language.as_deref(), Some("en"));
        assert_eq!(first.channels.as_deref(), Some("2"));
        assert!(first.default && first.autoselect);
        assert!(!second.default && !second.autoselect && second.uri.is_none());
    }
}
