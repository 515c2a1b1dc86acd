//! What the fuzz targets of the server run: every text from outside that it reads itself.

use crate::adapters::hls::file::File;
use crate::api::json;
use crate::hub::{Applications, StreamName};
use crate::net::http::parse_range;

/// A path from a peer becomes a harmless name or an error.
pub fn stream_name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(name) = Applications::standard().resolve(&text) {
        assert_eq!(StreamName::new(name.app(), name.id()), Ok(name.clone()));
        assert_eq!(name.as_str(), format!("{}/{}", name.app(), name.id()));
        assert_eq!(name.as_str().matches('/').count(), 1);
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        assert!(name.as_str().bytes().all(harmless) && !name.as_str().contains(".."));
    }
}

/// A path below `/APP/streams/`.
pub fn hls_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some((id, file)) = File::parse(&text) {
        assert!(text.starts_with(id));
        assert!(!id.contains('/'), "{file:?}");
    }
}

/// A `Range` header for a body whose length the first byte gives.
pub fn range(data: &[u8]) {
    let Some((length, range)) = data.split_first() else {
        return;
    };
    let length = u64::from(*length);
    if let Some(Ok((start, end))) = parse_range(&String::from_utf8_lossy(range), length) {
        assert!(start < end && end <= length);
    }
}

/// A request's body: what strict JSON reads is read the same, and never more than that with commas.
pub fn json(data: &[u8]) {
    let tolerant = json::read::<serde_json::Value>(data);
    if let Ok(strict) = serde_json::from_slice::<serde_json::Value>(data) {
        assert_eq!(tolerant, Ok(strict));
    }
}

/// Valid inputs, as (entry, name, bytes).
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let seed = |entry, name, text: &str| (entry, name, text.as_bytes().to_vec());
    vec![
        seed("stream_name", "two_parts", "/LiveApp/cam-1_a.b/"),
        seed("stream_name", "one_part", "demo2"),
        seed("stream_name", "traversal", "../../x"),
        seed("hls_file", "multivariant", "cam_adaptive.m3u8"),
        seed("hls_file", "media", "cam/video.m3u8"),
        seed("hls_file", "init", "cam/audio_1795175413.mp4"),
        seed("hls_file", "part", "cam/video_1795175413.2.m4s"),
        seed("range", "closed", "\u{40}bytes=0-9"),
        seed("range", "suffix", "\u{40}bytes=-9"),
        seed(
            "json",
            "broadcast",
            "{\"name\":\"a\\\",}\",\"list\":[1,2,],\n}",
        ),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_pass() {
        for (entry, _, bytes) in super::seeds() {
            match entry {
                "stream_name" => super::stream_name(&bytes),
                "hls_file" => super::hls_file(&bytes),
                "range" => super::range(&bytes),
                _ => super::json(&bytes),
            }
        }
    }
}
