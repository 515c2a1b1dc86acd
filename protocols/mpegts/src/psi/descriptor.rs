//! Descriptors: what tables say about programs and streams beside their fixed fields (clause 2.6).

/// `registration_descriptor`: four letters that say what a private stream is (clause 2.6.8).
pub const REGISTRATION: u8 = 5;

/// `metadata_pointer_descriptor` of a program (clause 2.6.58).
pub const METADATA_POINTER: u8 = 0x25;

/// `metadata_descriptor` of a stream (clause 2.6.60).
pub const METADATA: u8 = 0x26;

/// DVB's descriptor of teletext: languages, and pages (ETSI EN 300 468 clause 6.2.43).
pub const TELETEXT: u8 = 0x56;

/// DVB's descriptor of subtitles: languages, and pages (ETSI EN 300 468 clause 6.2.41).
pub const SUBTITLING: u8 = 0x59;

/// DVB's descriptor of further descriptors (ETSI EN 300 468 clause 6.2.16).
pub const EXTENSION: u8 = 0x7f;

/// Under [`EXTENSION`]: the channels of Opus ("Opus in MPEG-TS", section 3).
pub const OPUS: u8 = 0x80;

/// The descriptors of a list: tag and content. What is cut off at the end is left out.
pub fn all(mut list: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let ([tag, length], rest) = list.split_first_chunk()?;
        let (content, rest) = rest.split_at_checked(usize::from(*length))?;
        list = rest;
        Some((*tag, content))
    })
}

/// The content of the first descriptor with that tag.
pub fn find(list: &[u8], tag: u8) -> Option<&[u8]> {
    let mut found = all(list).filter(|(found, _)| *found == tag);
    found.next().map(|(_, content)| content)
}

/// A descriptor with that content, of which 255 bytes are the most.
pub(crate) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let content = content.get(..255).unwrap_or(content);
    [&[tag, content.len() as u8], content].concat()
}

/// A registration descriptor with these letters.
pub(crate) fn registration(letters: &[u8; 4]) -> Vec<u8> {
    [&[REGISTRATION, 4][..], letters].concat()
}

/// Whether a registration descriptor has these letters.
pub fn is_registered(list: &[u8], letters: &[u8; 4]) -> bool {
    all(list).any(|(tag, content)| tag == REGISTRATION && content.starts_with(letters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_found() {
        let list = [5, 4, b'O', b'p', b'u', b's', 0x7f, 2, 0x80, 2, 9, 200, 1];
        assert_eq!(all(&list).count(), 2);
        assert!(is_registered(&list, b"Opus") && !is_registered(&list, b"KLVA"));
        assert_eq!(find(&list, EXTENSION), Some(&[0x80, 2][..]));
        assert_eq!(find(&list, 9), None);
    }
}
