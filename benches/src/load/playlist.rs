//! What a player takes from HLS playlists; no more than the viewers here need.

/// A media playlist.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Media {
    /// Target duration in seconds.
    pub(crate) target: u64,
    /// Longest part in seconds, 0 if there are none; never more than a minute.
    pub(crate) part_target: f64,
    /// Initialisation section.
    pub(crate) map: Option<String>,
    /// Complete segments with their numbers, oldest first.
    pub(crate) segments: Vec<(u64, String)>,
    /// Parts that are listed, oldest first.
    pub(crate) parts: Vec<Part>,
}

/// A part of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Number of its segment, and its index there.
    pub(crate) place: (u64, u64),
    /// Where it is.
    pub(crate) uri: String,
    /// A decoder can start with it.
    pub(crate) independent: bool,
}

impl Media {
    /// Reads a playlist; what is not known is passed over.
    pub(crate) fn parse(text: &str) -> Self {
        let mut media = Self::default();
        let mut number = 0;
        let mut index = 0;
        for line in text.lines() {
            if let Some(value) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
                media.target = value.parse().unwrap_or_default();
            } else if let Some(value) = line.strip_prefix("#EXT-X-PART-INF:PART-TARGET=") {
                let value: f64 = value.parse().unwrap_or_default();
                media.part_target = value.clamp(0.0, 60.0);
            } else if let Some(value) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
                number = value.parse().unwrap_or_default();
            } else if let Some(attributes) = line.strip_prefix("#EXT-X-MAP:") {
                media.map = uri(attributes);
            } else if let Some(attributes) = line.strip_prefix("#EXT-X-PART:") {
                media.parts.extend(uri(attributes).map(|uri| Part {
                    place: (number, index),
                    uri,
                    independent: attributes.contains("INDEPENDENT=YES"),
                }));
                index += 1;
            } else if !line.is_empty() && !line.starts_with('#') {
                media.segments.push((number, line.to_owned()));
                number += 1;
                index = 0;
            }
        }
        media
    }

    /// The place of the part that comes after all that are listed.
    pub(crate) fn next_part(&self) -> (u64, u64) {
        let after = self.segments.last().map_or(0, |(number, _)| number + 1);
        match self.parts.last() {
            Some(part) if part.place.0 >= after => (part.place.0, part.place.1 + 1),
            _ => (after, 0),
        }
    }
}

/// URIs of the video and the audio playlist in a multivariant playlist, as far as there are any.
pub(crate) fn renditions(multivariant: &str) -> Vec<String> {
    let variants = multivariant
        .lines()
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned);
    let audio = multivariant
        .lines()
        .find_map(|line| uri(line.strip_prefix("#EXT-X-MEDIA:")?));
    variants.into_iter().chain(audio).collect()
}

/// A URI relative to that of the file it stands in.
pub(crate) fn resolve(base: &str, uri: &str) -> String {
    match base.rsplit_once('/') {
        Some((folder, _)) if !uri.starts_with('/') => format!("{folder}/{uri}"),
        _ => uri.to_owned(),
    }
}

/// The attribute URI.
fn uri(attributes: &str) -> Option<String> {
    let (_, rest) = attributes.split_once("URI=\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEDIA: &str = "#EXTM3U\n#EXT-X-VERSION:10\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-MEDIA-SEQUENCE:7\n\
        #EXT-X-MAP:URI=\"video_0.mp4\"\n#EXTINF:2.0,\nvideo_7.m4s\n\
        #EXT-X-PART:DURATION=0.5,URI=\"video_8.0.m4s\",INDEPENDENT=YES\n\
        #EXT-X-PART:DURATION=0.5,URI=\"video_8.1.m4s\"\n#EXTINF:2.0,\nvideo_8.m4s\n";

    fn part(place: (u64, u64), uri: &str, independent: bool) -> Part {
        Part {
            place,
            uri: uri.into(),
            independent,
        }
    }

    #[test]
    fn media_playlists() {
        let media = Media::parse(MEDIA);
        let expected = Media {
            target: 2,
            part_target: 0.5,
            map: Some("video_0.mp4".into()),
            segments: vec![(7, "video_7.m4s".into()), (8, "video_8.m4s".into())],
            parts: vec![
                part((8, 0), "video_8.0.m4s", true),
                part((8, 1), "video_8.1.m4s", false),
            ],
        };
        assert_eq!(media, expected);
        assert_eq!(media.next_part(), (9, 0));
        let open = format!("{MEDIA}#EXT-X-PART:DURATION=0.5,URI=\"video_9.0.m4s\"\n");
        assert_eq!(Media::parse(&open).next_part(), (9, 1));
    }

    #[test]
    fn multivariant_playlists_and_uris() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"x/audio.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nx/video.m3u8\n";
        assert_eq!(renditions(text), ["x/video.m3u8", "x/audio.m3u8"]);
        assert_eq!(resolve("/a/x.m3u8", "x/video.m3u8"), "/a/x/video.m3u8");
        assert_eq!(resolve("/a/x.m3u8", "/y"), "/y");
    }
}
