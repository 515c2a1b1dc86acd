//! Reading playlists (RFC 8216 section 4), only as far as the checks need it.

use crate::address::Address;
use crate::context::{Context, Outcome, ensure, failed};
use crate::http;

/// A media playlist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Playlist {
    /// Path and query it was asked at, without the query.
    pub(crate) target: String,
    pub(crate) text: String,
}

impl Playlist {
    /// The value behind a tag, as it stands.
    pub(crate) fn tag(&self, name: &str) -> Option<&str> {
        tag(&self.text, name)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.tag(name)?.trim().parse().ok()
    }

    /// Duration and URI of each segment.
    pub(crate) fn segments(&self) -> Vec<(f64, &str)> {
        let mut duration = None;
        let mut segments = Vec::new();
        for line in self.text.lines() {
            if let Some(rest) = line.strip_prefix("#EXTINF:") {
                duration = rest
                    .split(',')
                    .next()
                    .and_then(|number| number.trim().parse().ok());
            } else if !line.starts_with('#') && !line.trim().is_empty() {
                segments.extend(duration.take().map(|duration| (duration, line.trim())));
            }
        }
        segments
    }

    /// Media sequence number of the segment that comes next.
    pub(crate) fn next_number(&self) -> u64 {
        self.number("#EXT-X-MEDIA-SEQUENCE:").unwrap_or(0) + self.segments().len() as u64
    }

    /// Where the newest segment is.
    pub(crate) fn newest_segment(&self) -> Outcome<String> {
        let segments = self.segments();
        let (_, uri) = segments
            .last()
            .ok_or_else(|| failed("the playlist has no segment"))?;
        Ok(resolved(&self.target, uri))
    }
}

/// The media playlist at an address, or the first one of the multivariant playlist that is there.
pub(crate) fn media(context: &Context, address: &Address) -> Outcome<Playlist> {
    let mut target = http::target(address);
    for _ in 0..3 {
        let response = http::get(context, address, &target)?;
        ensure!(
            response.status == 200,
            "the playlist was answered with {}",
            response.status
        );
        let text = response.text();
        if !text.contains("#EXT-X-STREAM-INF") {
            let target = target.split('?').next().unwrap_or_default().to_owned();
            return Ok(Playlist { target, text });
        }
        let first = text
            .lines()
            .skip_while(|line| !line.starts_with("#EXT-X-STREAM-INF"));
        let uri = first
            .skip(1)
            .find(|line| !line.starts_with('#') && !line.trim().is_empty());
        let uri = uri.ok_or_else(|| failed("the multivariant playlist names no other"))?;
        target = resolved(&target, uri.trim());
    }
    Err(failed("playlists name playlists without end"))
}

/// A URI of a playlist as path and query on the same server.
pub(crate) fn resolved(base: &str, uri: &str) -> String {
    if let Some((_, rest)) = uri.split_once("://") {
        return rest
            .find('/')
            .map_or_else(|| "/".to_owned(), |at| rest[at..].to_owned());
    }
    if uri.starts_with('/') {
        return uri.to_owned();
    }
    let path = base.split('?').next().unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{uri}")
}

pub(crate) fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playlists_are_read() {
        let playlist = Playlist {
            target: "/a/b.m3u8".to_owned(),
            text: "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2.5,\nx.ts\n#EXTINF:2,\ny.ts?z\n"
                .to_owned(),
        };
        assert_eq!(playlist.segments(), [(2.5, "x.ts"), (2.0, "y.ts?z")]);
        assert_eq!(playlist.next_number(), 9);
        assert!(
            playlist
                .newest_segment()
                .is_ok_and(|target| target == "/a/y.ts?z")
        );
        assert_eq!(resolved("/a/b", "http://h/x"), "/x");
        assert_eq!(resolved("/a/b", "/y"), "/y");
    }
}
