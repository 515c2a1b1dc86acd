//! Names of files, made of nothing but what is harmless in a path.

use crate::config::record::Format;
use crate::hub::StreamName;
use std::time::SystemTime;

/// Ending of complete recordings that are MP4.
pub const ENDING: &str = ".mp4";

/// Ending of those that are transport streams.
const TS_ENDING: &str = ".ts";

/// What the name of a recording ends in besides while it is written, and when the server was killed meanwhile.
pub const UNFINISHED: &str = ".tmp_extension";

/// What streams that never end are called below `/APP/streams/`.
const LIVE: &str = ".live";

/// The ending of complete recordings of that format.
pub const fn ending(format: Format) -> &'static str {
    match format {
        Format::Mp4 => ENDING,
        Format::Ts => TS_ENDING,
    }
}

/// The format of a recording, by its name, complete or not.
pub fn format(file: &str) -> Format {
    match file.trim_end_matches(UNFINISHED).ends_with(TS_ENDING) {
        true => Format::Ts,
        false => Format::Mp4,
    }
}

/// Longest base name that a caller may choose, in characters.
const MAX_CHOSEN: usize = 120;

/// Longest name of a file below `/APP/streams/`, in bytes.
const MAX_FILE: usize = 200;

/// Longest base name that a pattern makes, in bytes: a number and endings follow.
const MAX_MADE: usize = 160;

/// Endings of files that others bring, besides [`ENDING`].
pub const FOREIGN: [&str; 5] = [".webm", ".mov", ".avi", ".mp3", ".wmv"];

/// Media type of a file, by its ending.
pub fn media_type(file: &str) -> &'static str {
    match file.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "avi" => "video/x-msvideo",
        "mp3" => "audio/mpeg",
        "wmv" => "video/x-ms-wmv",
        "ts" => "video/mp2t",
        _ => "video/mp4",
    }
}

/// The base name of a file of a stream: the one a caller chose, cleaned, or else what the pattern makes of the stream's
/// name and the time at which the file begins.
pub fn base(name: &StreamName, chosen: Option<&str>, pattern: &str, now: SystemTime) -> String {
    let cleaned = chosen.map(clean).unwrap_or_default();
    if !cleaned.is_empty() {
        return cleaned;
    }
    let time = humantime::format_rfc3339_millis(now).to_string();
    let time = time
        .trim_end_matches('Z')
        .replace('T', "_")
        .replace(':', "-");
    let made = pattern
        .replace("{app}", name.app())
        .replace("{id}", name.id())
        .replace("{time}", &time);
    let mut made = clean_text(&made);
    // ASCII by now.
    made.truncate(MAX_MADE);
    made.truncate(made.trim_end_matches('.').len());
    match made.is_empty() {
        true => name.id().to_owned(),
        false => made,
    }
}

/// The base name with the number that a second file of that name gets.
pub fn numbered(base: &str, number: u32) -> String {
    match number {
        0 => base.to_owned(),
        number => format!("{base}_{number}"),
    }
}

/// The name of a complete recording. One that ends in `.live` would be another thing as a transport stream.
pub fn complete(base: &str, number: u32, format: Format) -> String {
    let base = match (format, base.strip_suffix(LIVE)) {
        (Format::Ts, Some(base)) => format!("{base}_live"),
        _ => base.to_owned(),
    };
    numbered(&base, number) + ending(format)
}

/// Whether it can be the name of a complete recording: no folder, nothing hidden, nothing unusual.
pub fn is_file(file: &str) -> bool {
    let mut endings = [ENDING, TS_ENDING].into_iter().chain(FOREIGN);
    let base = endings.find_map(|ending| file.strip_suffix(ending));
    let base = base.filter(|base| !(file.ends_with(TS_ENDING) && base.ends_with(LIVE)));
    base.is_some_and(|base| !base.is_empty() && file.len() <= MAX_FILE && clean_text(base) == base)
}

/// The ending of a file that may be brought, in lower case, and its name without folder and ending, cleaned.
pub fn foreign(file: &str) -> Option<(&'static str, String)> {
    let file = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let lower = file.to_ascii_lowercase();
    let mut endings = std::iter::once(ENDING).chain(FOREIGN);
    let ending = endings.find(|ending| lower.ends_with(*ending))?;
    let base = file.get(..file.len().saturating_sub(ending.len()))?;
    let short: String = base.trim().chars().take(MAX_CHOSEN).collect();
    Some((ending, clean_text(&short)))
}

/// Without folders and ending, at most [`MAX_CHOSEN`] characters, anything unusual replaced.
fn clean(chosen: &str) -> String {
    let file = chosen.rsplit(['/', '\\']).next().unwrap_or_default();
    let base = match file.rsplit_once('.') {
        Some((base, ending)) if !base.is_empty() && ending.len() <= 4 => base,
        _ => file,
    };
    let short: String = base.trim().chars().take(MAX_CHOSEN).collect();
    clean_text(&short)
}

/// ASCII letters, digits, `-`, `_` and single dots within; anything else becomes `_`.
fn clean_text(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => clean.push(letter),
            '.' if !clean.is_empty() && !clean.ends_with('.') => clean.push('.'),
            '.' => {}
            _ => clean.push('_'),
        }
    }
    clean.truncate(clean.trim_end_matches('.').len());
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_name_is_cleaned() {
        let name = StreamName::new("LiveApp", "cam").unwrap();
        let long = "x".repeat(500);
        let cases = [
            (None, "cam"),
            (Some(""), "cam"),
            (Some(".."), "cam"),
            (Some("show.mp4"), "show"),
            (Some("show"), "show"),
            (Some("my show 1.2.mp4"), "my_show_1.2"),
            (Some("../../etc/passwd"), "passwd"),
            (Some("C:\\Windows\\x.mp4"), "x"),
            (Some(".hidden.mp4"), "hidden"),
            (Some("a..b"), "a"),
            (Some("a...b.mp4"), "a.b"),
            (Some("é\0/\u{202e}"), "_"),
            (Some(&long), &long[..MAX_CHOSEN]),
        ];
        for (chosen, expected) in cases {
            let now = SystemTime::UNIX_EPOCH;
            assert_eq!(base(&name, chosen, "{id}", now), expected, "{chosen:?}");
            assert!(is_file(&format!("{expected}{ENDING}")), "{chosen:?}");
        }
        assert_eq!(
            (numbered("a", 0), numbered("a", 2)),
            ("a".into(), "a_2".into())
        );
    }

    #[test]
    fn a_pattern_makes_a_name() {
        let name = StreamName::new("LiveApp", "cam.1").unwrap();
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_795_789_274_007);
        let long = "x".repeat(300);
        for (pattern, expected) in [
            ("{id}-{time}", "cam.1-2026-11-27_14-21-14.007"),
            ("{app}_{id}", "LiveApp_cam.1"),
            ("../{id}", "_cam.1"),
            ("...", "cam.1"),
            (&long, &long[..MAX_MADE]),
        ] {
            let made = base(&name, None, pattern, now);
            assert_eq!(made, expected);
            assert!(is_file(&format!("{made}{ENDING}")), "{pattern}");
        }
    }

    #[test]
    fn files_of_others_are_known_by_their_endings() {
        assert_eq!(foreign("/a/My film.MOV"), Some((".mov", "My_film".into())));
        assert_eq!(foreign("x.mp4"), Some((".mp4", "x".into())));
        for bad in ["x.exe", "x", "x.mp4.exe", ""] {
            assert_eq!(foreign(bad), None, "{bad}");
        }
    }

    #[test]
    fn transport_streams_have_names_of_their_own() {
        assert_eq!(complete("cam", 2, Format::Ts), "cam_2.ts");
        assert_eq!(complete("cam.live", 0, Format::Ts), "cam_live.ts");
        assert_eq!(complete("cam.live", 0, Format::Mp4), "cam.live.mp4");
        assert!(is_file("cam.ts") && !is_file("cam.live.ts"));
        assert_eq!(format("cam.ts.tmp_extension"), Format::Ts);
        assert_eq!(format("cam.ts.mp4.tmp_extension"), Format::Mp4);
        assert_eq!(media_type("cam.ts"), "video/mp2t");
    }

    #[test]
    fn only_recordings_are_files() {
        for bad in [
            ".mp4",
            "a.mp4.tmp_extension",
            "../a.mp4",
            "a/b.mp4",
            "..mp4",
            "a..mp4",
            ".a.mp4",
            "a b.mp4",
            "a",
        ] {
            assert!(!is_file(bad), "{bad}");
        }
    }
}
