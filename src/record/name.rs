//! Names of files, made of nothing but what is harmless in a path.

use crate::hub::StreamName;

/// Ending of complete recordings.
pub const ENDING: &str = ".mp4";

/// Ending of recordings that are being written, or were when the server was killed.
pub const UNFINISHED: &str = ".mp4.tmp_extension";

/// Longest base name that a caller may choose, in characters.
const MAX_CHOSEN: usize = 120;

/// Longest name of a file below `/APP/streams/`, in bytes.
const MAX_FILE: usize = 200;

/// The base name of a stream's recordings: the one a caller chose, cleaned, or the stream's ID.
pub fn base(name: &StreamName, chosen: Option<&str>) -> String {
    let cleaned = chosen.map(clean).unwrap_or_default();
    if cleaned.is_empty() {
        name.id().to_owned()
    } else {
        cleaned
    }
}

/// The base name with the number that a second file of that name gets.
pub fn numbered(base: &str, number: u32) -> String {
    match number {
        0 => base.to_owned(),
        number => format!("{base}_{number}"),
    }
}

/// Whether it can be the name of a complete recording: no folder, nothing hidden, nothing unusual.
pub fn is_file(file: &str) -> bool {
    file.strip_suffix(ENDING)
        .is_some_and(|base| !base.is_empty() && file.len() <= MAX_FILE && clean_text(base) == base)
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
            assert_eq!(base(&name, chosen), expected, "{chosen:?}");
            assert!(is_file(&format!("{expected}{ENDING}")), "{chosen:?}");
        }
        assert_eq!(
            (numbered("a", 0), numbered("a", 2)),
            ("a".into(), "a_2".into())
        );
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
