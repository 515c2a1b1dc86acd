//! Pieces of XML that answers are made of. Elements of a service's own namespace have the prefix `r`, those of the schema
//! `tt`; both are declared around them.

use super::{Audio, AudioEncoding, Stream, Video, VideoEncoding};
use crate::xml::escape;
use std::fmt::Write;

/// A source's configuration (`tt:VideoSourceConfiguration`), as the element of that name.
pub(super) fn video_source_configuration(element: &str, stream: &Stream) -> String {
    let (token, (width, height)) = (escape(&stream.token), stream.video.size);
    let head = entity(stream);
    format!(
        "<{element} token=\"{token}\">{head}<tt:SourceToken>{token}</tt:SourceToken>\
         <tt:Bounds x=\"0\" y=\"0\" width=\"{width}\" height=\"{height}\"/></{element}>"
    )
}

/// The configuration of a source of sound (`tt:AudioSourceConfiguration`); nothing where there is none.
pub(super) fn audio_source_configuration(element: &str, stream: &Stream) -> String {
    if stream.audio.is_none() {
        return String::new();
    }
    let (token, head) = (escape(&stream.token), entity(stream));
    format!(
        "<{element} token=\"{token}\">{head}<tt:SourceToken>{token}</tt:SourceToken></{element}>"
    )
}

/// What all configurations begin with.
pub(super) fn entity(stream: &Stream) -> String {
    let name: String = stream.name.chars().take(super::MAX_TOKEN).collect();
    format!(
        "<tt:Name>{}</tt:Name><tt:UseCount>1</tt:UseCount>",
        escape(&name)
    )
}

/// Width and height, as the element of that name.
pub(super) fn resolution(element: &str, (width, height): (u32, u32)) -> String {
    format!("<{element}><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></{element}>")
}

/// A range of numbers, as the element of that name.
pub(super) fn range(element: &str, min: u32, max: u32) -> String {
    format!("<{element}><tt:Min>{min}</tt:Min><tt:Max>{max}</tt:Max></{element}>")
}

/// A list of one number, as the element of that name.
pub(super) fn items(element: &str, item: u32) -> String {
    format!("<{element}><tt:Items>{item}</tt:Items></{element}>")
}

/// That nothing is sent by multicast without being asked for by RTSP.
pub(super) const MULTICAST: &str = "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0\
    </tt:IPv4Address></tt:Address><tt:Port>0</tt:Port><tt:TTL>0</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>";

/// How long a session lasts for which nothing is heard; RTSP tells the time that holds.
pub(super) const SESSION_TIMEOUT: &str = "<tt:SessionTimeout>PT60S</tt:SessionTimeout>";

/// Quality has no scale here: it is the encoder's.
pub(super) const QUALITY: &str = "<tt:Quality>1</tt:Quality>";

/// A number without needless zeros, of at most two digits behind the point.
pub(super) fn number(value: f64) -> String {
    let value = if value.is_finite() { value } else { 0.0 };
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Video {
    /// Whole pictures a second, where there is no room for parts of them.
    pub(super) fn whole_rate(&self) -> u32 {
        // A rate from a stream, which is finite and in range then.
        self.frame_rate.round().clamp(1.0, 1_000.0) as u32
    }
}

impl VideoEncoding {
    /// Its name in version 1, where it has one.
    pub(super) const fn old_name(self) -> Option<&'static str> {
        match self {
            Self::H264 => Some("H264"),
            Self::H265 => None,
            Self::Jpeg => Some("JPEG"),
        }
    }

    /// Its name in version 2.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::H265 => "H265",
            Self::Jpeg => "JPEG",
        }
    }
}

impl Audio {
    /// Kilobits a second, about: nothing depends on it.
    pub(super) fn bitrate(&self) -> u32 {
        match self.encoding {
            AudioEncoding::Aac => 64 * u32::from(self.channels.clamp(1, 8)),
            AudioEncoding::Pcmu | AudioEncoding::Pcma => {
                let bits = u64::from(self.sample_rate) * 8 * u64::from(self.channels.max(1));
                u32::try_from(bits / 1_000).unwrap_or(u32::MAX)
            }
        }
    }

    /// Kilosamples a second.
    pub(super) const fn kilohertz(&self) -> u32 {
        self.sample_rate / 1_000
    }

    /// The name of its encoding in version 1.
    pub(super) const fn old_name(&self) -> &'static str {
        match self.encoding {
            AudioEncoding::Aac => "AAC",
            AudioEncoding::Pcmu | AudioEncoding::Pcma => "G711",
        }
    }

    /// The name of its encoding in version 2: that of RTP (Media2 Service Specification, `tt:AudioEncodingMimeNames`).
    pub(super) const fn name(&self) -> &'static str {
        match self.encoding {
            AudioEncoding::Aac => "MP4A-LATM",
            AudioEncoding::Pcmu => "PCMU",
            AudioEncoding::Pcma => "PCMA",
        }
    }
}

/// All of it, one after the other.
pub(super) fn joined(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().fold(String::new(), |mut all, part| {
        // Writing to a String does not fail.
        let _ = all.write_str(&part);
        all
    })
}
